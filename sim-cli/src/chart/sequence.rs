//! A sequence diagram: lifelines at the left, and what each row says at the right.

use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, VPos};
use sim_models::why::{Fate, Row, Sequence, Tone, Way, What};

use super::canvas::{Canvas, Drawn, Face, WIDTH};
use super::ink::{DOTS, Ink};
use super::measure;
use super::sheet::{MARGIN, Sheet};
use crate::words;

/// The right edge of the times.
const TIME: f64 = 86.0;
/// Where the first lifeline stands, and the last one at most.
const LANES: f64 = 124.0;
const LANES_END: f64 = 640.0;
/// The distance of two lifelines.
const LANE: (f64, f64) = (64.0, 130.0);
/// Room between the last lifeline and the words.
const GAP: f64 = 26.0;
/// The height of the heads of lifelines.
const HEAD: f64 = 48.0;
/// The distance of two lines of words, and what a row has around them.
const LINE: f64 = 15.0;
const PAD: f64 = 6.0;
const SIZE: f64 = 12.0;
/// What says why is smaller.
const WHY: f64 = 11.0;
/// How wide the bar of a key is that is held.
const HOLD: f64 = 7.0;

/// A sequence as a complete SVG document; `repeat` is the command that repeats it.
pub fn sequence(sequence: &Sequence, repeat: &str) -> String {
    let diagram = Diagram::new(sequence);
    let name = words::named(&sequence.scenario, sequence.variant.as_deref());
    let subject = format!("{name}, seed {}", sequence.seed);
    let (title, evidence) = match &sequence.broken {
        Some(broken) => (format!("{} is broken", broken.promise), broken.witness.clone()),
        None => (sequence.intents.join(" and "), String::new()),
    };
    let mut sheet = Sheet::new(format!("why-{:016x}", sequence.digest), &title);
    if !evidence.is_empty() {
        sheet = sheet.evidence(&format!("{evidence}."));
    }
    let sheet = sheet
        .subject(&subject)
        .corner(&format!("digest {:016x}", sequence.digest))
        .corner(&format!("repeat: {repeat}"))
        .describe(&format!("{subject}. {evidence} {}", diagram.in_words()));
    sheet.svg(diagram.height(), 1.0, |canvas, top| diagram.draw(canvas, top))
}

/// Where everything stands, in px from the top of the diagram.
struct Diagram<'a> {
    sequence: &'a Sequence,
    lanes: Vec<f64>,
    /// Where the words begin.
    words: f64,
    rows: Vec<Set>,
    bottom: f64,
}

/// A row as it is set.
struct Set {
    top: f64,
    bottom: f64,
    /// The height of its arrow or sign.
    y: f64,
    said: Vec<String>,
    why: Vec<String>,
}

impl<'a> Diagram<'a> {
    fn new(sequence: &'a Sequence) -> Diagram<'a> {
        let count = sequence.lifelines.len().max(1);
        let widest =
            sequence.lifelines.iter().map(|l| measure::width(&l.name, SIZE) * measure::BOLD);
        let wanted = widest.fold(LANE.0, f64::max) + 18.0;
        let most = ((LANES_END - LANES) / (count.max(2) - 1) as f64).max(LANE.0);
        let lane = wanted.clamp(LANE.0, LANE.1).min(most);
        let lanes: Vec<f64> = (0..count).map(|n| LANES + n as f64 * lane).collect();
        let words = lanes[count - 1] + (lane / 2.0).max(GAP);
        let room = WIDTH - MARGIN - words;
        let mut bottom = HEAD;
        let set = |(n, row): (usize, &Row)| {
            let said = measure::wrap(&said(sequence, n, row), SIZE, room, 4);
            let why = row.why.as_deref().map(|why| measure::wrap(why, WHY, room - 12.0, 4));
            let why = why.unwrap_or_default();
            let top = bottom;
            bottom += PAD + LINE * (said.len() + why.len()) as f64;
            Set { top, bottom, y: top + PAD + LINE / 2.0 - 1.0, said, why }
        };
        let rows = sequence.rows.iter().enumerate().map(set).collect();
        Diagram { sequence, lanes, words, rows, bottom: bottom + PAD }
    }

    fn height(&self) -> f64 {
        let after = if self.sequence.left_out > 0 { LINE } else { 0.0 };
        self.bottom + after + 4.0
    }

    /// The diagram for readers who do not see it.
    fn in_words(&self) -> String {
        let rows = self.sequence.rows.iter().map(|row| format!("{}: {}", row.at, row.text));
        rows.collect::<Vec<_>>().join(". ")
    }

    fn draw(&self, canvas: &Canvas<'_>, top: f64) -> Drawn {
        self.bands(canvas, top)?;
        self.lifelines(canvas, top)?;
        for (n, row) in self.sequence.rows.iter().enumerate() {
            self.row(canvas, top, n, row)?;
        }
        if self.sequence.left_out > 0 {
            let left = words::counted(self.sequence.left_out as u64, "row");
            let face = Face::new(WHY, Ink::Muted);
            canvas.text(
                format!("… {left} after it"),
                self.words,
                top + self.bottom + 10.0,
                face,
            )?;
        }
        Ok(())
    }

    /// What lies behind rows that stand out.
    fn bands(&self, canvas: &Canvas<'_>, top: f64) -> Drawn {
        for (set, row) in self.rows.iter().zip(&self.sequence.rows) {
            let ink = match (row.what, row.tone) {
                (_, Tone::Violation) => Ink::Band,
                (_, Tone::Fault) => Ink::Shade,
                (What::Gap { .. } | What::Again { .. }, _) => Ink::Shade,
                _ => continue,
            };
            let (y, end) = (top + set.top + 1.0, top + set.bottom + 2.0);
            match ink {
                Ink::Band => {
                    canvas.rect(MARGIN..MARGIN + 5.0, y..end, Ink::Broken)?;
                    canvas.rect(MARGIN..WIDTH - MARGIN, y..end, Ink::Shade)?;
                }
                ink => canvas.rect(MARGIN..WIDTH - MARGIN, y..end, ink)?,
            }
        }
        Ok(())
    }

    fn lifelines(&self, canvas: &Canvas<'_>, top: f64) -> Drawn {
        let bold = Face { style: FontStyle::Bold, ..Face::new(SIZE, Ink::Text) };
        let lane = if self.lanes.len() > 1 { self.lanes[1] - self.lanes[0] } else { LANE.1 };
        for (lifeline, x) in self.sequence.lifelines.iter().zip(&self.lanes) {
            let name = measure::clip(&lifeline.name, SIZE * measure::BOLD, lane - 6.0);
            canvas.text(name, *x, top + 16.0, bold.aligned(HPos::Center))?;
            let face = Face::new(10.0, Ink::Muted).aligned(HPos::Center);
            canvas.text(lifeline.kind.name(), *x, top + 29.0, face)?;
            canvas.line((*x, top + 35.0), (*x, top + self.bottom), Ink::Axis)?;
        }
        for hold in &self.sequence.holds {
            let x = self.lanes[hold.store];
            let from = top + self.rows[hold.from].y;
            let until = hold.until.map_or(self.bottom, |until| self.rows[until].y) + top;
            canvas.rect(x - HOLD / 2.0..x + HOLD / 2.0, from..until, Ink::Blank)?;
            let ink = DOTS[1 + hold.intent % 4];
            canvas.rect(x - HOLD / 2.0 + 1.5..x + HOLD / 2.0 - 1.5, from..until, ink)?;
        }
        Ok(())
    }

    fn row(&self, canvas: &Canvas<'_>, top: f64, n: usize, row: &Row) -> Drawn {
        let set = &self.rows[n];
        let y = top + set.y;
        let is_quiet = matches!(row.what, What::Gap { .. } | What::Again { .. });
        if !is_quiet && self.sequence.tells_time(n) {
            let face = Face { h: HPos::Right, v: VPos::Center, ..Face::new(WHY, Ink::Muted) };
            canvas.text(row.at.to_string(), TIME, y, face)?;
        }
        match row.what {
            What::Message { from, to, way, until, fate } => {
                let end = top + self.rows[until].y;
                self.message(canvas, ((from, y), (to, end)), way, fate)?;
            }
            What::Deed { at } => self.sign(canvas, self.lanes[at], y, row.tone)?,
            What::Across { from, to } => {
                let (a, b) = (self.lanes[from], self.lanes[to]);
                canvas.rect(a - 5.0..b + 5.0, y - 4.0..y + 4.0, Ink::Fault)?;
            }
            What::Arrival { .. } | What::Gap { .. } | What::Again { .. } => {}
        }
        self.words(canvas, top, n, row)
    }

    fn words(&self, canvas: &Canvas<'_>, top: f64, n: usize, row: &Row) -> Drawn {
        let set = &self.rows[n];
        let style = match row.tone {
            Tone::Violation | Tone::Effect | Tone::Fault => FontStyle::Bold,
            _ if matches!(row.what, What::Gap { .. } | What::Again { .. }) => FontStyle::Italic,
            _ => FontStyle::Normal,
        };
        let ink = match (row.what, row.tone) {
            (What::Gap { .. } | What::Again { .. } | What::Arrival { .. }, _) => Ink::Muted,
            (_, Tone::Violation) => Ink::Broken,
            _ => Ink::Text,
        };
        let mut y = top + set.top + PAD + LINE - 4.0;
        for line in &set.said {
            let face = Face { style, ..Face::new(SIZE, ink) };
            canvas.text(line.clone(), self.words, y, face)?;
            y += LINE;
        }
        for line in &set.why {
            let face = Face { style: FontStyle::Italic, ..Face::new(WHY, Ink::Muted) };
            canvas.text(line.clone(), self.words + 12.0, y - 1.0, face)?;
            y += LINE;
        }
        Ok(())
    }

    fn message(
        &self,
        canvas: &Canvas<'_>,
        ((from, y), (to, end)): ((usize, f64), (usize, f64)),
        way: Way,
        fate: Fate,
    ) -> Drawn {
        let (a, b) = (self.lanes[from], self.lanes[to]);
        if from == to {
            // To itself: out, down and back.
            let out = a + 18.0;
            let path = [(a, y - 3.0), (out, y - 3.0), (out, y + 5.0), (a + 2.0, y + 5.0)];
            canvas.path(path, Ink::Frame)?;
            return tip(canvas, (a + 1.0, y + 5.0), (-1.0, 0.0), Ink::Text);
        }
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

    fn sign(&self, canvas: &Canvas<'_>, x: f64, y: f64, tone: Tone) -> Drawn {
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
}

/// The words of a row; where two intents meet, they say whose it is.
fn said(sequence: &Sequence, n: usize, row: &Row) -> String {
    let mut said = sequence.said(row);
    if let Some(broken) = sequence.broken.as_ref().filter(|broken| broken.row == n) {
        said = format!("{said}: {} is broken", broken.promise);
    }
    said
}

/// The head of an arrow that ends at a point.
fn tip(canvas: &Canvas<'_>, (x, y): (f64, f64), (dx, dy): (f64, f64), ink: Ink) -> Drawn {
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
