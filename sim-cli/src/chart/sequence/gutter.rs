//! Beside the rows of a sequence diagram: how probable the violation was then, and where it was
//! decided.

use plotters::style::FontStyle;
use plotters::style::text_anchor::HPos;

use crate::chart::canvas::{Canvas, Drawn, Face};
use crate::chart::ink::Ink;
use crate::turning::Beside;

/// Where nothing and all is, in px, and by how much the lifelines stand further to the right.
const NONE: f64 = 102.0;
const ALL: f64 = 148.0;
pub(super) const WIDTH: f64 = 100.0;

/// From the heads of the lifelines on; `tops` are those of the rows.
pub(super) fn draw(
    canvas: &Canvas<'_>,
    beside: &Beside,
    head: f64,
    ys: &[f64],
    bottom: f64,
) -> Drawn {
    let x = |share: f64| NONE + share * (ALL - NONE);
    let small = Face::new(10.0, Ink::Muted).aligned(HPos::Center);
    let bold = Face { style: FontStyle::Bold, ..small };
    canvas.text("breaks", f64::midpoint(NONE, ALL), head + 16.0, bold)?;
    canvas.text("0", NONE, head + 29.0, small)?;
    canvas.text("100 %", ALL, head + 29.0, small)?;
    let start = head + 35.0;
    for edge in [NONE, ALL] {
        canvas.line((edge, start), (edge, bottom), Ink::Grid)?;
    }
    // A share holds from its row to the next.
    let mut line = vec![(x(beside.first), start)];
    let mut before = beside.first;
    for (row, y) in beside.rows.iter().zip(ys) {
        line.extend([(x(before), *y), (x(row.share), *y)]);
        before = row.share;
    }
    line.push((x(before), bottom));
    let area = [(NONE, start)].into_iter().chain(line.iter().copied()).chain([(NONE, bottom)]);
    canvas.area(area.collect::<Vec<_>>(), Ink::Band)?;
    canvas.path(line, Ink::Median)?;
    for (n, (row, y)) in beside.rows.iter().zip(ys).enumerate() {
        let is_turn = beside.turn == Some(n);
        if is_turn {
            let corners = [(NONE - 9.0, y - 5.0), (NONE - 9.0, y + 5.0), (NONE - 1.0, *y)];
            canvas.area(corners, Ink::Broken)?;
            canvas.line((NONE, *y), (ALL, *y), Ink::BrokenLine)?;
        }
        if let Some(label) = &row.label {
            let style = if is_turn { FontStyle::Bold } else { FontStyle::Normal };
            let face = Face { style, ..Face::new(10.5, Ink::Text) };
            canvas.text(label.clone(), ALL + 6.0, *y, face.middle())?;
        }
    }
    Ok(())
}
