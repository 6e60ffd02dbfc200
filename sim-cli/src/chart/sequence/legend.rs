//! What the marks of a sequence diagram are: only those that occur in it.

use sim_models::why::{Fate, Sequence, Tone, Way, What};

use super::shapes;
use crate::chart::canvas::{Canvas, Drawn, Face, WIDTH};
use crate::chart::ink::Ink;
use crate::chart::measure;
use crate::chart::sheet::MARGIN;

/// The height of a line, the room for a mark, and that between two entries, in px.
const LINE: f64 = 17.0;
const MARK: f64 = 34.0;
const GAP: f64 = 16.0;
const SIZE: f64 = 10.5;

/// What a mark is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Message(Way, Fate),
    Sign(Tone),
    Across,
    Hold(usize),
    Probability,
}

/// The marks with their words, and where they stand: across, and in which line.
pub(super) struct Legend(Vec<(Mark, String, f64, usize)>);

impl Legend {
    /// The marks of a sequence, in an order that is always the same.
    pub(super) fn new(sequence: &Sequence, has_turning: bool) -> Legend {
        let mut marks: Vec<Mark> = Vec::new();
        for row in &sequence.rows {
            marks.extend(match row.what {
                What::Message { from, to, .. } if from == to => None,
                What::Message { fate: Fate::Arrives, way, .. } => {
                    Some(Mark::Message(way, Fate::Arrives))
                }
                What::Message { fate, .. } => Some(Mark::Message(Way::Request, fate)),
                What::Deed { .. } => Some(Mark::Sign(match row.tone {
                    Tone::Plain => Tone::Decision,
                    tone => tone,
                })),
                What::Across { .. } => Some(Mark::Across),
                What::Arrival { .. } | What::Gap { .. } | What::Again { .. } => None,
            });
        }
        marks.extend(sequence.holds.iter().map(|hold| Mark::Hold(hold.intent)));
        marks.extend(has_turning.then_some(Mark::Probability));
        let (mut x, mut line) = (MARGIN, 0);
        let entry = |(mark, words): (Mark, String)| {
            let wide = MARK + measure::width(&words, SIZE) + GAP;
            if x + wide > WIDTH - MARGIN && x > MARGIN {
                (x, line) = (MARGIN, line + 1);
            }
            let place = (mark, words, x, line);
            x += wide;
            place
        };
        let known = all(sequence).into_iter().filter(|(mark, _)| marks.contains(mark));
        Legend(known.map(entry).collect())
    }

    pub(super) fn height(&self) -> f64 {
        self.0.last().map_or(0.0, |(.., line)| LINE * (line + 1) as f64 + 6.0)
    }

    pub(super) fn draw(&self, canvas: &Canvas<'_>, top: f64) -> Drawn {
        for (mark, words, x, line) in &self.0 {
            let y = top + LINE * (*line as f64 + 0.5) + 3.0;
            let (from, to, middle) = (*x, x + MARK - 8.0, x + (MARK - 8.0) / 2.0);
            match *mark {
                Mark::Message(way, fate) => shapes::arrow(canvas, ((from, y), (to, y)), way, fate)?,
                Mark::Sign(tone) => shapes::sign(canvas, (middle, y), tone)?,
                Mark::Across => shapes::across(canvas, (from + 5.0, to - 5.0), y)?,
                Mark::Hold(intent) => shapes::hold(canvas, middle, (y - 7.0, y + 7.0), intent)?,
                Mark::Probability => {
                    canvas.rect(from + 4.0..to - 4.0, y - 6.0..y + 6.0, Ink::Band)?;
                    canvas.line((to - 4.0, y - 6.0), (to - 4.0, y + 6.0), Ink::Median)?;
                }
            }
            canvas.text(words.clone(), x + MARK, y, Face::new(SIZE, Ink::Muted).middle())?;
        }
        Ok(())
    }
}

/// Every mark that there is, with its words.
fn all(sequence: &Sequence) -> Vec<(Mark, String)> {
    let message = Mark::Message;
    let mut all = vec![
        (message(Way::Request, Fate::Arrives), "request".to_owned()),
        (message(Way::Answer, Fate::Arrives), "answer".to_owned()),
        (message(Way::Exchange, Fate::Arrives), "command and reply".to_owned()),
        (message(Way::Request, Fate::Lost), "lost".to_owned()),
        (message(Way::Request, Fate::Forgotten), "never answered".to_owned()),
        (message(Way::Request, Fate::TooLate), "too late".to_owned()),
        (Mark::Sign(Tone::Decision), "does or decides".to_owned()),
        (Mark::Sign(Tone::Effect), "durable effect".to_owned()),
        (Mark::Sign(Tone::Trouble), "error, timeout or expiry".to_owned()),
        (Mark::Sign(Tone::Fault), "fault".to_owned()),
        (Mark::Across, "fault that concerns several".to_owned()),
        (Mark::Sign(Tone::Healed), "fault healed".to_owned()),
        (Mark::Sign(Tone::Violation), "promise broken".to_owned()),
    ];
    let holds = sequence.intents.iter().enumerate();
    all.extend(holds.map(|(n, name)| (Mark::Hold(n), format!("key held by {name}"))));
    all.push((Mark::Probability, "how many continuations break the promise".to_owned()));
    all
}
