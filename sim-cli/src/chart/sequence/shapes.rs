//! The arrows and signs of a sequence diagram.

use sim_models::why::{Fate, Tone, Way};

use crate::chart::canvas::{Canvas, Drawn};
use crate::chart::ink::{DOTS, Ink};

/// How wide the bar of a key is that is held.
const HOLD: f64 = 7.0;

/// A point in px.
pub(super) type At = (f64, f64);

/// A message from one lifeline to another.
pub(super) fn arrow(
    canvas: &Canvas<'_>,
    ((a, y), (b, end)): (At, At),
    way: Way,
    fate: Fate,
) -> Drawn {
    let is_well = matches!(fate, Fate::Arrives);
    let line = match (way, is_well) {
        (Way::Answer, true) => Ink::Median,
        (_, true) => Ink::Frame,
        (_, false) => Ink::Limit,
    };
    let head = match (way, is_well) {
        (Way::Answer, true) => DOTS[1],
        (_, true) => Ink::Text,
        (_, false) => Ink::Broken,
    };
    if fate == Fate::Lost {
        let (x, y) = (f64::midpoint(a, b), f64::midpoint(y, end));
        canvas.line((a, if y == end { y } else { 2.0 * y - end }), (x, y), line)?;
        return cross(canvas, x, y);
    }
    canvas.line((a, y), (b, end), line)?;
    let (dx, dy) = (b - a, end - y);
    let length = dx.hypot(dy);
    let toward = (dx / length, dy / length);
    tip(canvas, (b, end), toward, head)?;
    if way == Way::Exchange {
        tip(canvas, (a, y), (-toward.0, -toward.1), head)?;
    }
    if fate == Fate::Forgotten {
        cross(canvas, b, end)?;
    }
    Ok(())
}

/// A message to oneself: out, down and back.
pub(super) fn loop_back(canvas: &Canvas<'_>, (x, y): At) -> Drawn {
    let out = x + 18.0;
    let path = [(x, y - 3.0), (out, y - 3.0), (out, y + 5.0), (x + 2.0, y + 5.0)];
    canvas.path(path, Ink::Frame)?;
    tip(canvas, (x + 1.0, y + 5.0), (-1.0, 0.0), Ink::Text)
}

/// What somebody does.
pub(super) fn sign(canvas: &Canvas<'_>, (x, y): At, tone: Tone) -> Drawn {
    match tone {
        Tone::Plain | Tone::Decision => {
            let r = 4.0;
            canvas.rect(x - r..x + r, y - r..y + r, Ink::Blank)
        }
        Tone::Effect => canvas.dot(x, y, Ink::Text),
        Tone::Trouble => cross(canvas, x, y),
        Tone::Fault => {
            let corners = [(x - 6.0, y - 5.0), (x + 6.0, y - 5.0), (x, y + 6.0)];
            canvas.area(corners, Ink::Broken)
        }
        Tone::Healed => canvas.marker(x, y - 4.0, DOTS[3]),
        Tone::Violation => {
            let r = 7.0;
            let corners = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)];
            canvas.area(corners, Ink::Broken)
        }
    }
}

/// What happens to two, or to the way between them.
pub(super) fn across(canvas: &Canvas<'_>, (a, b): (f64, f64), y: f64) -> Drawn {
    canvas.rect(a - 5.0..b + 5.0, y - 4.0..y + 4.0, Ink::Fault)
}

/// A key that an intent holds.
pub(super) fn hold(canvas: &Canvas<'_>, x: f64, (from, until): (f64, f64), intent: usize) -> Drawn {
    canvas.rect(x - HOLD / 2.0..x + HOLD / 2.0, from..until, Ink::Blank)?;
    let inner = HOLD / 2.0 - 1.5;
    canvas.rect(x - inner..x + inner, from..until, DOTS[1 + intent % 4])
}

/// The head of an arrow that ends at a point.
fn tip(canvas: &Canvas<'_>, (x, y): At, (dx, dy): (f64, f64), ink: Ink) -> Drawn {
    let (back_x, back_y) = (x - 8.0 * dx, y - 8.0 * dy);
    let side = (-dy * 3.6, dx * 3.6);
    let corners = [(x, y), (back_x + side.0, back_y + side.1), (back_x - side.0, back_y - side.1)];
    canvas.area(corners, ink)
}

fn cross(canvas: &Canvas<'_>, x: f64, y: f64) -> Drawn {
    let r = 5.0;
    for (dx, dy) in [(r, r), (r, -r)] {
        let (side_x, side_y) = (dy / r, -dx / r);
        let corners = [
            (x - dx - side_x, y - dy - side_y),
            (x - dx + side_x, y - dy + side_y),
            (x + dx + side_x, y + dy + side_y),
            (x + dx - side_x, y + dy - side_y),
        ];
        canvas.area(corners, Ink::Broken)?;
    }
    Ok(())
}
