//! A sequence as text: lifelines at the left, words at the right.
//!
//! ```text
//!            shopper-1     api      redis
//!      10ms  ├────────────▶│         │     pay, key 17
//!      20ms  │             ├────────▶│     Get(17) → nil
//!                                            nobody had set it
//! ```

use sim_models::explore::turning::Turning;
use sim_models::why::{Fate, Row, Sequence, Tone, Way, What};

use crate::text::{COLUMNS, Style, paint, plain};
use crate::turning::Beside;
use crate::{turning, words};

/// The width of the time in front.
const TIME: usize = 10;

/// The width of the share of continuations that break the promise: `▶ 97 % `.
const SHARE: usize = 7;

/// The least distance of two lifelines.
const LANE: usize = 9;

/// The least room for words.
const WORDS: usize = 40;

pub(super) fn text(
    sequence: &Sequence,
    turned: Option<&Turning>,
    repeat: &str,
    style: &Style,
) -> String {
    let mut text = match &sequence.broken {
        Some(broken) => style.labelled(style.bad, "BROKEN", &broken.promise),
        None => style.labelled(style.head, "STORY", &sequence.intents.join(" and ")),
    };
    text.push('\n');
    if let Some(broken) = &sequence.broken {
        text += &style.line("because", &broken.witness);
    }
    let name = words::named(&sequence.scenario, sequence.variant.as_deref());
    text += &style.line("scenario", &format!("{name}, seed {}", sequence.seed));
    if let Some(bounded) = sequence.bounded() {
        text += &style.line("shown", &bounded);
    }
    text.push('\n');
    let page = Page::new(sequence, turned);
    text += &paint(style.head, &page.names());
    text.push('\n');
    for (n, row) in sequence.rows.iter().enumerate() {
        text += &page.row(n, row, style);
    }
    if sequence.left_out > 0 {
        let left = words::counted(sequence.left_out as u64, "row");
        text += &format!("{}  … {left} after it\n", " ".repeat(TIME));
    }
    if let Some(after) = page.beside.as_ref().and_then(|beside| beside.after.as_ref()) {
        text += &format!("{}  … {after}\n", " ".repeat(TIME));
    }
    if let Some(turned) = turned {
        text.push('\n');
        text += &turning::text(turned, style);
    }
    text.push('\n');
    text + &style.command("repeat", repeat)
}

/// Where the lifelines of a page stand.
struct Page<'a> {
    sequence: &'a Sequence,
    beside: Option<Beside>,
    lanes: Vec<usize>,
    width: usize,
}

impl<'a> Page<'a> {
    fn new(sequence: &'a Sequence, turned: Option<&Turning>) -> Page<'a> {
        let mut lanes = Vec::new();
        let mut x = 0;
        let names: Vec<usize> =
            sequence.lifelines.iter().map(|lifeline| lifeline.name.chars().count()).collect();
        for (n, own) in names.iter().enumerate() {
            lanes.push(x);
            let next = names.get(n + 1).map_or(0, |_| (own + 2).max(LANE));
            x += next;
        }
        let last = names.last().copied().unwrap_or(0);
        let beside = turned.map(|turned| Beside::new(turned, sequence));
        Page { sequence, beside, width: x + last.max(2), lanes }
    }

    /// What stands before the lifelines of a row: its time, and the share that breaks the promise.
    fn margin(&self, time: &str, share: &str) -> String {
        match self.beside {
            Some(_) => format!("{time:>TIME$}  {share:>width$} ", width = SHARE - 1),
            None => format!("{time:>TIME$}  "),
        }
    }

    /// The share at a row, where it has changed.
    fn share(&self, n: usize) -> String {
        let Some(beside) = &self.beside else { return String::new() };
        let label = beside.rows[n].label.clone().unwrap_or_default();
        if beside.turn == Some(n) { format!("▶{label}") } else { label }
    }

    /// Each name begins where its lifeline stands.
    fn names(&self) -> String {
        let mut line = self.margin("", "breaks");
        let margin = line.chars().count();
        for (lifeline, x) in self.sequence.lifelines.iter().zip(&self.lanes) {
            let have = line.chars().count() - margin;
            line += &" ".repeat(x - have);
            line += &plain(&lifeline.name);
        }
        line
    }

    /// The lifelines at the height of a row.
    fn blank(&self, n: usize) -> Vec<char> {
        let mut cells = vec![' '; self.width];
        for (lane, x) in self.lanes.iter().enumerate() {
            let is_held = self.sequence.holds.iter().any(|hold| {
                hold.store == lane && hold.from < n && hold.until.is_none_or(|until| n <= until)
            });
            cells[*x] = if is_held { '┃' } else { '│' };
        }
        cells
    }

    fn row(&self, n: usize, row: &Row, style: &Style) -> String {
        let mut cells = self.blank(n);
        match row.what {
            What::Message { from, to, until, fate, way } => {
                self.arrow(&mut cells, (from, to), (until == n, fate), way);
            }
            What::Arrival { of, to } => {
                if let What::Message { from, fate, .. } = self.sequence.rows[of].what {
                    self.arrival(&mut cells, (from, to), fate);
                }
            }
            What::Deed { at } => cells[self.lanes[at]] = sign(row.tone),
            What::Across { from, to } => {
                cells[self.lanes[from]..=self.lanes[to]].fill('═');
                cells[self.lanes[from]] = '╞';
                cells[self.lanes[to]] = '╡';
            }
            What::Gap { .. } => self.lanes.iter().for_each(|x| cells[*x] = '⋮'),
            What::Again { .. } => {}
        }
        let is_quiet = matches!(row.what, What::Gap { .. } | What::Again { .. });
        let time = if !is_quiet && self.sequence.tells_time(n) {
            row.at.to_string()
        } else {
            String::new()
        };
        let colour = match row.tone {
            Tone::Violation => style.bad,
            Tone::Effect => style.head,
            Tone::Fault | Tone::Trouble => style.unsure,
            Tone::Plain | Tone::Decision | Tone::Healed => anstyle::Style::new(),
        };
        let colour = if is_quiet { style.dim } else { colour };
        let blank_margin = self.margin("", "");
        let margin = blank_margin.chars().count();
        let room = (COLUMNS.saturating_sub(margin + 2 + self.width)).max(WORDS);
        let mut text = String::new();
        let said = self.said(n, row);
        for (nth, part) in wrapped(&said, room).iter().enumerate() {
            let blank = self.blank(n + 1);
            let lanes: String = if nth == 0 { &cells } else { &blank }.iter().collect();
            let margin =
                if nth == 0 { self.margin(&time, &self.share(n)) } else { blank_margin.clone() };
            text += &line(&format!("{margin}{lanes}  "), &paint(colour, part));
        }
        let lanes: String = self.blank(n + 1).iter().collect();
        let note = self.beside.as_ref().filter(|beside| beside.turn == Some(n));
        let notes = [(row.why.as_ref(), style.dim), (note.map(|beside| &beside.note), style.bad)];
        for (note, colour) in notes {
            for part in note.into_iter().flat_map(|note| wrapped(note, room - 2)) {
                text += &line(&format!("{blank_margin}{lanes}    "), &paint(colour, &part));
            }
        }
        text
    }

    /// The words of a row, and what it breaks.
    fn said(&self, n: usize, row: &Row) -> String {
        let said = self.sequence.said(row);
        match self.sequence.broken.as_ref().filter(|broken| broken.row == n) {
            Some(broken) => format!("{said}  ◀ breaks {}", broken.promise),
            None => said,
        }
    }

    /// A message from one lifeline to another; one that arrives further down is open there.
    fn arrow(
        &self,
        cells: &mut [char],
        (from, to): (usize, usize),
        (is_here, fate): (bool, Fate),
        way: Way,
    ) {
        let (a, b) = (self.lanes[from], self.lanes[to]);
        let line = if is_here { '─' } else { '╌' };
        if a == b {
            cells[a] = '↻';
            return;
        }
        let (left, right) = (a.min(b), a.max(b));
        cells[left + 1..right].fill(line);
        cells[a] = if a < b { '├' } else { '┤' };
        let tip = if a < b { b - 1 } else { b + 1 };
        let head = if a < b { '▶' } else { '◀' };
        if way == Way::Exchange {
            cells[if a < b { a + 1 } else { a - 1 }] = if a < b { '◀' } else { '▶' };
        }
        match fate {
            Fate::Lost => cells[usize::midpoint(left, right)] = '╳',
            _ if is_here => cells[tip] = head,
            _ => {}
        }
    }

    fn arrival(&self, cells: &mut [char], (from, to): (usize, usize), fate: Fate) {
        let (a, b) = (self.lanes[from], self.lanes[to]);
        if a == b || fate == Fate::Lost {
            return;
        }
        let (left, right) = (a.min(b), a.max(b));
        cells[left + 1..right].fill('╌');
        cells[if a < b { b - 1 } else { b + 1 }] = if a < b { '▶' } else { '◀' };
    }
}

/// Names are not broken at their dashes.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let options = textwrap::Options::new(room).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let options = options.word_separator(textwrap::WordSeparator::AsciiSpace);
    textwrap::wrap(&plain(text), options).into_iter().map(String::from).collect()
}

fn sign(tone: Tone) -> char {
    match tone {
        Tone::Plain | Tone::Decision => '◇',
        Tone::Effect => '◆',
        Tone::Trouble => '✕',
        Tone::Fault => '▼',
        Tone::Healed => '△',
        Tone::Violation => '●',
    }
}

fn line(lanes: &str, words: &str) -> String {
    let line = format!("{lanes}{words}");
    format!("{}\n", line.trim_end())
}
