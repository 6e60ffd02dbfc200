//! Rows and columns that become a table as wide as there is room.

use super::{Depth, View};
use crate::text::Table;
use crate::words::NONE;

/// Texts in rows and columns. The first column names the rows.
pub(super) struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns that give way, by their heads, the first before the others.
    spare: &'static [&'static str],
}

impl Grid {
    pub(super) fn new<H: Into<String>>(
        header: impl IntoIterator<Item = H>,
        rows: Vec<Vec<String>>,
    ) -> Grid {
        Grid { header: header.into_iter().map(H::into).collect(), rows, spare: &[] }
    }

    /// On one screen, these columns give way where there is little room.
    pub(super) fn spare(self, spare: &'static [&'static str]) -> Grid {
        Grid { spare, ..self }
    }

    /// Rows that say nothing are left out.
    pub(super) fn telling_rows(mut self) -> Grid {
        self.rows.retain(|row| row.iter().skip(1).any(|cell| says(cell)));
        self
    }

    /// The table without columns that say nothing. Where it is too wide, spare columns give way, then
    /// rows and columns change places.
    pub(super) fn table(mut self, view: &View) -> Option<Table> {
        let is_told = |n: usize| n == 0 || self.rows.iter().any(|row| says(&row[n]));
        let silent: Vec<usize> = (0..self.header.len()).filter(|n| !is_told(*n)).collect();
        silent.into_iter().rev().for_each(|column| self.remove(column));
        if view.depth == Depth::Screen {
            for head in self.spare {
                let place = self.header.iter().position(|own| own == head);
                if let Some(column) = place.filter(|_| self.width() > view.style.columns) {
                    self.remove(column);
                }
            }
        }
        if self.rows.is_empty() || self.header.len() < 2 {
            return None;
        }
        let fits = self.width() <= view.style.columns;
        Some(if fits { Table::new(self.header, self.rows) } else { self.turned() })
    }

    fn width(&self) -> usize {
        Table::new(self.header.clone(), self.rows.clone()).width()
    }

    fn remove(&mut self, column: usize) {
        self.header.remove(column);
        for row in &mut self.rows {
            row.remove(column);
        }
    }

    fn turned(self) -> Table {
        let lines = std::iter::once(self.header).chain(self.rows);
        let mut lines: Vec<_> = lines.map(Vec::into_iter).collect();
        let mut turned = std::iter::from_fn(|| lines.iter_mut().map(Iterator::next).collect());
        let header: Vec<String> = turned.next().unwrap_or_default();
        Table::new(header, turned.collect())
    }
}

/// Whether a cell says anything: not that there is nothing, or zero of it.
fn says(cell: &str) -> bool {
    let is_zero = cell.starts_with('0') && !cell.contains(|c: char| ('1'..='9').contains(&c));
    !(is_zero || cell.is_empty() || cell == NONE || cell == "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Style;

    #[test]
    fn zeros_and_nothing_say_nothing() {
        for cell in ["0", "0 ns", "0.0 %", "0/s", "0.00", NONE, "-", ""] {
            assert!(!says(cell), "{cell}");
        }
        for cell in ["1", "0.01", "≥ 0 ns", "10 ms", "shoppers"] {
            assert!(says(cell), "{cell}");
        }
    }

    #[test]
    fn a_table_is_as_wide_as_there_is_room() {
        let shown = |columns, depth| {
            let view = View { style: Style { columns, ..Style::plain() }, depth };
            let row = ["a", "1,000", "0", "2,000"].map(str::to_owned).to_vec();
            let grid = Grid::new(["Service", "arrived", "failed", "waiting"], vec![row]);
            grid.spare(&["waiting"]).table(&view).expect("a table").text(&view.style)
        };
        let head = |text: &str| text.lines().nth(1).unwrap_or_default().to_owned();
        assert_eq!(head(&shown(80, Depth::Screen)), "Service   arrived   waiting");
        assert_eq!(head(&shown(20, Depth::Screen)), "Service   arrived");
        assert_eq!(head(&shown(20, Depth::Figures)), "Service       a", "rows are columns");
    }
}
