//! The panel that compares figures. Each side has a dot with the interval of its mean. Words under
//! it give the interval of its difference from the first side, seed by seed.
//!
//! The words decide, not the whiskers: sides face the same luck, so that a difference is often
//! sure although the whiskers overlap.

use plotters::style::FontStyle;
use plotters::style::text_anchor::HPos;

use super::axis::Scale;
use super::canvas::{Canvas, Drawn, Face, WIDTH};
use super::ink::Ink;
use super::measure;
use super::sheet::MARGIN;

/// Width of the sides' names, and height of a side's row, in px.
const NAMES: f64 = 210.0;
const ROW: f64 = 36.0;
/// Room above the rows for the columns' titles, and under them for the scales.
const HEAD: f64 = 22.0;
const FOOT: f64 = 26.0;
/// Room between two columns.
const GAP: f64 = 26.0;

/// More columns would leave no room for words.
pub const COLUMNS_MAX: usize = 4;

/// Figures of sides.
pub struct DotPanel {
    /// Name and inks of each side; one without a line elsewhere has none here.
    pub sides: Vec<(String, Option<Ink>, Ink)>,
    /// At most [`COLUMNS_MAX`].
    pub columns: Vec<Column>,
}

/// One figure of all sides.
pub struct Column {
    /// The figure, with its unit.
    pub title: String,
    /// Of its values.
    pub scale: Scale,
    /// Per side.
    pub cells: Vec<Option<Cell>>,
    /// What is said of a side without a value.
    pub missing: &'static str,
}

/// One figure of one side.
pub struct Cell {
    /// Its value.
    pub value: f64,
    /// The ends of its interval.
    pub interval: Option<(f64, f64)>,
    /// Its difference from the first side, in words.
    pub words: String,
}

impl DotPanel {
    /// Height in px.
    pub fn height(&self) -> f64 {
        HEAD + self.sides.len() as f64 * ROW + FOOT
    }

    /// Draws the panel with its upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let rows = top + HEAD;
        for (n, (name, line, _)) in self.sides.iter().enumerate() {
            let y = rows + n as f64 * ROW;
            canvas.line((MARGIN, y), (WIDTH - MARGIN, y), Ink::Grid)?;
            if let Some(line) = line {
                canvas.line((MARGIN, y + 13.0), (MARGIN + 26.0, y + 13.0), *line)?;
            }
            let lines = measure::wrap(name, 11.5, NAMES - 44.0, 2);
            for (line, name) in lines.into_iter().enumerate() {
                let y = y + 13.0 + 14.0 * line as f64;
                canvas.text(name, MARGIN + 34.0, y, Face::new(11.5, Ink::Text).middle())?;
            }
        }
        let all = WIDTH - 2.0 * MARGIN - NAMES;
        let wide = all / self.columns.len().max(1) as f64;
        for (n, column) in self.columns.iter().enumerate() {
            let left = MARGIN + NAMES + n as f64 * wide;
            column.draw(canvas, (left, left + wide - GAP), top, &self.sides)?;
        }
        Ok(())
    }
}

impl Column {
    fn draw(
        &self,
        canvas: &Canvas,
        (left, right): (f64, f64),
        top: f64,
        sides: &[(String, Option<Ink>, Ink)],
    ) -> Drawn {
        let bold = Face { style: FontStyle::Bold, ..Face::new(11.0, Ink::Text) };
        canvas.text(
            measure::clip(&self.title, bold.measured(), right - left + GAP - 4.0),
            left,
            top + 12.0,
            bold,
        )?;
        let range = self.scale.range();
        // A dot at the edge is drawn whole.
        let (from, to) = (left + 5.0, right - 5.0);
        let x = |value: f64| {
            let share = (self.scale.place(value) - range.start) / (range.end - range.start);
            from + share * (to - from)
        };
        let (rows, bottom) = (top + HEAD, top + HEAD + sides.len() as f64 * ROW);
        for (value, label) in apart(&self.scale.ticks, x) {
            let x = x(*value);
            canvas.line((x, rows), (x, bottom + 4.0), Ink::Grid)?;
            // The last label keeps out of the next column.
            let wide = measure::width(label, 10.0);
            let is_last = x + wide / 2.0 > right + 6.0;
            let (x, h) = if is_last { (right + 6.0, HPos::Right) } else { (x, HPos::Center) };
            let face = Face::new(10.0, Ink::Muted).aligned(h);
            canvas.text(label, x, bottom + 16.0, face)?;
        }
        canvas.line((left, bottom), (right, bottom), Ink::Axis)?;
        for (n, cell) in self.cells.iter().enumerate() {
            let y = rows + n as f64 * ROW;
            let Some(cell) = cell else {
                canvas.text(self.missing, left, y + 17.0, Face::new(10.0, Ink::Muted))?;
                continue;
            };
            let dot = sides[n].2;
            if let Some((low, high)) = cell.interval {
                canvas.whisker((x(low), x(high)), y + 12.0, Ink::Whisker)?;
            }
            canvas.dot(x(cell.value), y + 12.0, dot)?;
            let words = measure::clip(&cell.words, 10.0, right - left + GAP - 6.0);
            canvas.text(words, left, y + 30.0, Face::new(10.0, Ink::Halo))?;
        }
        Ok(())
    }
}

/// The ticks whose labels have room beside each other: every one, every second, and so on.
fn apart(ticks: &[(f64, String)], x: impl Fn(f64) -> f64) -> impl Iterator<Item = &(f64, String)> {
    let touches = |stride: usize| {
        let shown: Vec<_> = ticks.iter().step_by(stride).collect();
        shown.windows(2).any(|pair| {
            let half = |tick: &(f64, String)| measure::width(&tick.1, 10.0) / 2.0;
            x(pair[1].0) - x(pair[0].0) < half(pair[0]) + half(pair[1]) + 6.0
        })
    };
    let stride = (1..ticks.len().max(2)).find(|stride| !touches(*stride)).unwrap_or(ticks.len());
    ticks.iter().step_by(stride.max(1))
}
