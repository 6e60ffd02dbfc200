//! A sequence diagram: lifelines at the left, and what each row says at the right. Between the times and
//! the lifelines stands how probable the violation was, where somebody asked for that.

mod gutter;
mod legend;
mod shapes;

use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, VPos};
use sim_models::explore::turning::Turning;
use sim_models::why::{Row, Sequence, Tone, What};

use super::canvas::{Canvas, Drawn, Face, WIDTH};
use super::ink::Ink;
use super::measure;
use super::picture::Picture;
use super::sheet::{MARGIN, Sheet};
use crate::turning::Beside;
use crate::words;
use legend::Legend;

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

/// A sequence; `repeat` is the command that repeats it.
pub fn sequence(sequence: &Sequence, turning: Option<&Turning>, repeat: &str) -> Picture {
    let diagram = Diagram::new(sequence, turning);
    let name = words::named(&sequence.scenario, sequence.variant.as_deref());
    let bounded = sequence.bounded().map(|shown| format!("; shown: {shown}"));
    let subject = format!("{name}, seed {}{}", sequence.seed, bounded.unwrap_or_default());
    let (title, evidence) = match &sequence.broken {
        Some(broken) => (format!("{} is broken", broken.promise), broken.witness.clone()),
        None => (sequence.intents.join(" and "), String::new()),
    };
    let turned = turning.map(Turning::sentence);
    let mut sheet = Sheet::new(format!("why-{:016x}", sequence.digest), &title);
    if !evidence.is_empty() {
        sheet = sheet.evidence(&format!("{evidence}."));
    }
    if let Some(turned) = &turned {
        sheet = sheet.evidence(turned);
    }
    let turned = turned.unwrap_or_default();
    let sheet = sheet
        .subject(&subject)
        .corner(&format!("digest {:016x}", sequence.digest))
        .corner(&format!("repeat: {repeat}"))
        .describe(&format!("{subject}. {evidence} {turned} {}", diagram.in_words()));
    sheet.picture(diagram.height(), 1.0, |canvas, top| diagram.draw(canvas, top))
}

/// Where everything stands, in px from the top of the diagram.
struct Diagram<'a> {
    sequence: &'a Sequence,
    beside: Option<Beside>,
    legend: Legend,
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
    /// Where the violation was decided: by how much.
    turn: Vec<String>,
}

impl<'a> Diagram<'a> {
    fn new(sequence: &'a Sequence, turning: Option<&Turning>) -> Diagram<'a> {
        let beside = turning.map(|turning| Beside::new(turning, sequence));
        let count = sequence.lifelines.len().max(1);
        let widest =
            sequence.lifelines.iter().map(|l| measure::width(&l.name, SIZE) * measure::BOLD);
        let wanted = widest.fold(LANE.0, f64::max) + 18.0;
        let first = LANES + if beside.is_some() { gutter::WIDTH } else { 0.0 };
        let most = ((LANES_END - first) / (count.max(2) - 1) as f64).max(LANE.0);
        let lane = wanted.clamp(LANE.0, LANE.1).min(most);
        let lanes: Vec<f64> = (0..count).map(|n| first + n as f64 * lane).collect();
        let words = lanes[count - 1] + (lane / 2.0).max(GAP);
        let room = WIDTH - MARGIN - words;
        let mut bottom = HEAD;
        let set = |(n, row): (usize, &Row)| {
            let said = measure::wrap(&said(sequence, n, row), SIZE, room, 4);
            let why = row.why.as_deref().map(|why| measure::wrap(why, WHY, room - 12.0, 4));
            let why = why.unwrap_or_default();
            let turn = beside.as_ref().filter(|beside| beside.turn == Some(n));
            let turn = turn.map(|beside| measure::wrap(&beside.note, SIZE, room - 12.0, 4));
            let turn = turn.unwrap_or_default();
            let top = bottom;
            bottom += PAD + LINE * (said.len() + why.len() + turn.len()) as f64;
            Set { top, bottom, y: top + PAD + LINE / 2.0 - 1.0, said, why, turn }
        };
        let rows = sequence.rows.iter().enumerate().map(set).collect();
        let legend = Legend::new(sequence, beside.is_some());
        Diagram { sequence, beside, legend, lanes, words, rows, bottom: bottom + PAD }
    }

    fn height(&self) -> f64 {
        self.bottom + LINE * self.after().len() as f64 + 4.0 + self.legend.height()
    }

    /// What is said below the last row.
    fn after(&self) -> Vec<String> {
        let left = self.sequence.left_out;
        let left = (left > 0).then(|| format!("… {} after it", words::counted(left as u64, "row")));
        let turned = self.beside.as_ref().and_then(|beside| beside.after.clone());
        left.into_iter().chain(turned).collect()
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
        if let Some(beside) = &self.beside {
            let ys: Vec<f64> = self.rows.iter().map(|set| top + set.y).collect();
            gutter::draw(canvas, beside, top, &ys, top + self.bottom)?;
        }
        let mut y = top + self.bottom + 10.0;
        for line in self.after() {
            canvas.text(line, self.words, y, Face::new(WHY, Ink::Muted))?;
            y += LINE;
        }
        self.legend.draw(canvas, y - 6.0)
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
            shapes::hold(canvas, x, (from, until), hold.intent)?;
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
                let (a, b) = (self.lanes[from], self.lanes[to]);
                let end = top + self.rows[until].y;
                match from == to {
                    true => shapes::loop_back(canvas, (a, y))?,
                    false => shapes::arrow(canvas, ((a, y), (b, end)), way, fate)?,
                }
            }
            What::Deed { at } => shapes::sign(canvas, (self.lanes[at], y), row.tone)?,
            What::Across { from, to } => {
                shapes::across(canvas, (self.lanes[from], self.lanes[to]), y)?;
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
        for line in &set.turn {
            let face = Face { style: FontStyle::Bold, ..Face::new(SIZE, Ink::Broken) };
            canvas.text(line.clone(), self.words + 12.0, y, face)?;
            y += LINE;
        }
        Ok(())
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
