//! What a table shows in one sentence: the gravest question that its rows answer differently.
//!
//! The order is that of the harm: money first, then promises, who does not come back, who is not
//! answered or served, how long it takes, and last what it costs. Money, promises and recovery are
//! facts as soon as one run shows them. Everything else is said only where a mark says that it is
//! more than luck; of one run each, where it is twice as much.

use sim_models::study::{Better, Figure, Kind, Mark};

use super::{Cell, Column, Decision, LEAST};
use crate::text::plain;
use crate::words;

/// Of one run each, a figure that is so many times another is worth a sentence.
const APART: f64 = 2.0;

/// What rows answer differently, and how far they lie apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was measured.
    pub figure: Figure,
    /// The rows that are told of; those that tie are told together.
    pub rows: Vec<usize>,
    /// The rows that they differ from.
    pub against: Vec<usize>,
    /// In a sentence without its full stop.
    pub text: String,
}

impl Decision {
    /// The gravest of what tells its rows apart. `trigger` is what disturbed all of them, as in `a
    /// fault of 5s`.
    pub fn finding(&self, trigger: Option<&str>) -> Option<Finding> {
        self.by_gravity().into_iter().find_map(|column| self.finding_of(column, trigger))
    }

    /// The places of the columns that can be harm, the gravest first.
    pub fn by_gravity(&self) -> Vec<usize> {
        let gravity = |n: &usize| gravity(&self.columns[*n].figure);
        let mut columns: Vec<usize> =
            (0..self.columns.len()).filter(|n| gravity(n).is_some()).collect();
        columns.sort_by_key(gravity);
        columns
    }

    fn finding_of(&self, column: usize, trigger: Option<&str>) -> Option<Finding> {
        let figure = &self.columns[column].figure;
        let (rows, against) = match is_fact(figure.kind) {
            true => self.extremes(column)?,
            false => self.marked(column).or_else(|| self.far_apart(column))?,
        };
        if self.is_by_load(column, rows[0], against.first().copied()) {
            return None;
        }
        let text = self.sentence(column, (&rows, &against), trigger);
        Some(Finding { figure: figure.clone(), rows, against, text })
    }

    fn cell(&self, row: usize, column: usize) -> &Cell {
        &self.rows[row].cells[column]
    }

    /// Who is asked for more serves more and refuses more, without being any better or worse.
    fn is_by_load(&self, column: usize, row: usize, against: Option<usize>) -> bool {
        let grows = matches!(self.columns[column].figure.kind, Kind::Goodput | Kind::Refusals);
        let Some(against) = against.filter(|_| grows) else { return false };
        let [this, that] = [row, against].map(|row| self.rows[row].offered);
        let is_other = this.abs_diff(that) as f64 > LEAST * this.max(that) as f64;
        let value = |row: usize| self.cell(row, column).value;
        is_other && (value(row) > value(against)) == (this > that)
    }

    /// The rows that say the same as one of them.
    fn tied(&self, row: usize, column: usize) -> Vec<usize> {
        let key = |row: usize| {
            let cell = self.cell(row, column);
            (cell.value, cell.part.map(|(part, _)| part))
        };
        let says = |n: &usize| self.cell(*n, column).said == self.cell(row, column).said;
        (0..self.rows.len()).filter(|n| key(*n) == key(row) || says(n)).collect()
    }

    /// The worst rows and the best; `None` where all are the same, and that is no harm.
    fn extremes(&self, column: usize) -> Option<(Vec<usize>, Vec<usize>)> {
        let figure = &self.columns[column].figure;
        let sign = if figure.better() == Better::Higher { -1.0 } else { 1.0 };
        let value = |row: &usize| self.cell(*row, column).value.map(|value| sign * value);
        let known = || (0..self.rows.len()).filter(|row| value(row).is_some());
        let by = |a: &usize, b: &usize| {
            value(a).unwrap_or_default().total_cmp(&value(b).unwrap_or_default())
        };
        // Of rows that are equal the first is taken, and the others with it.
        let (worst, best) = (known().rev().max_by(by)?, known().min_by(by)?);
        if value(&worst) > value(&best) {
            return Some((self.tied(worst, column), self.tied(best, column)));
        }
        let is_harm = is_fact(figure.kind) && value(&worst) > Some(0.0);
        is_harm.then(|| (self.tied(worst, column), Vec::new()))
    }

    /// The row that a mark calls worse than the first by most, or else better by most.
    fn marked(&self, column: usize) -> Option<(Vec<usize>, Vec<usize>)> {
        let first = self.cell(0, column).value?;
        let marked = |mark: Mark| {
            let rows = (0..self.rows.len()).filter(|n| self.cell(*n, column).mark == Some(mark));
            let distance = |row: &usize| {
                self.cell(*row, column).value.map_or(0.0, |value| (value - first).abs())
            };
            rows.rev().max_by(|a, b| distance(a).total_cmp(&distance(b)))
        };
        let row = marked(Mark::Worse).or_else(|| marked(Mark::Better))?;
        Some((self.tied(row, column), vec![0]))
    }

    /// Of one run each, rows of which one has so many times what the other has.
    fn far_apart(&self, column: usize) -> Option<(Vec<usize>, Vec<usize>)> {
        if self.terms.is_some() {
            return None;
        }
        let (rows, against) = self.extremes(column)?;
        let [a, b] = [rows[0], against[0]].map(|row| self.cell(row, column).value.unwrap_or(0.0));
        (a.max(b) >= APART * a.min(b)).then_some((rows, against))
    }

    /// `“naive”: 107 duplicates of charge for 7,445 intents; “base”: none`.
    fn sentence(
        &self,
        column: usize,
        (rows, against): (&[usize], &[usize]),
        trigger: Option<&str>,
    ) -> String {
        let said = self.said(rows[0], column, trigger);
        let (_, whole) = self.cell(rows[0], column).part.unwrap_or_default();
        let who = self.names(rows, false);
        match against {
            [] => format!("{who}: {said}"),
            [first, ..] => {
                let other = self.names(against, against.len() + rows.len() == self.rows.len());
                format!("{who}: {said}; {other}: {}", self.other(*first, column, whole))
            }
        }
    }

    /// What a row says of a question, without its name: `107 duplicates of charge for 7,445 intents`.
    pub(super) fn said(&self, row: usize, column: usize, trigger: Option<&str>) -> String {
        let Column { figure, head, .. } = &self.columns[column];
        let of = plain(figure.of.as_deref().unwrap_or("all"));
        let this = self.cell(row, column);
        let (part, whole) = this.part.unwrap_or_default();
        let is_study = self.terms.is_some();
        match figure.kind {
            Kind::Duplicated => {
                let (part, intents) =
                    (words::counted(part, "duplicate"), words::counted(whole, "intent"));
                format!("{part} of {of} for {intents}")
            }
            Kind::Broken if is_study => format!("{of} breaks in {part} of {whole} runs"),
            Kind::Broken => format!("{of} breaks"),
            Kind::Metastable => {
                let after = trigger.map_or_else(String::new, |trigger| format!("{trigger}, and "));
                match is_study {
                    true => format!("{after}{} of {whole} runs come back", whole - part),
                    false => format!("{after}it stays down"),
                }
            }
            Kind::Unanswered => format!("{} intents get no answer", this.said),
            Kind::Success => format!("{} are served", this.said),
            _ => format!("{head} {}", this.said),
        }
    }

    /// What the other rows say, in a word or two; `whole` is that of those that are told of.
    fn other(&self, row: usize, column: usize, whole: u64) -> String {
        let cell = self.cell(row, column);
        let (part, its_whole) = cell.part.unwrap_or_default();
        let number = |n: u64| match n {
            0 => "none".to_owned(),
            n if its_whole == whole => words::count(n),
            n => format!("{} of {}", words::count(n), words::count(its_whole)),
        };
        match (self.columns[column].figure.kind, self.terms.is_some()) {
            (Kind::Duplicated, _) if part == 0 => "none".to_owned(),
            (Kind::Duplicated, _) => words::count(part),
            (Kind::Broken, true) => format!("in {}", number(part)),
            (Kind::Broken, false) => "kept".to_owned(),
            (Kind::Metastable, true) if part == 0 => "all".to_owned(),
            (Kind::Metastable, true) => number(its_whole - part),
            (Kind::Metastable, false) => "recovered".to_owned(),
            _ => cell.said.clone(),
        }
    }

    /// `“a”`, `“a” and “b”`, `“a” and 3 others`, or all there are.
    fn names(&self, rows: &[usize], is_the_rest: bool) -> String {
        let name = |row: usize| format!("“{}”", plain(&self.rows[row].name));
        match rows {
            _ if rows.len() == self.rows.len() => "every variant".to_owned(),
            [one] => name(*one),
            _ if is_the_rest => "the others".to_owned(),
            [one, two] => format!("{} and {}", name(*one), name(*two)),
            [one, others @ ..] => format!("{} and {} others", name(*one), others.len()),
            [] => String::new(),
        }
    }
}

/// What is graver than that a system stays down: money, and promises.
pub(super) fn is_graver(figure: &Figure) -> bool {
    gravity(figure) < gravity(&Figure::of_all(Kind::Metastable))
}

/// What one run shows for good.
fn is_fact(kind: Kind) -> bool {
    matches!(kind, Kind::Duplicated | Kind::Broken | Kind::Metastable)
}

/// The order in which harm is told; `None` for what is no harm by itself.
fn gravity(figure: &Figure) -> Option<u8> {
    let is_of_service = |promise: &str| {
        ["RecoversWithin", "Goodput", "Threshold", "PeakArrivals", "Transitions", "RetryWaits"]
            .iter()
            .any(|law| promise.starts_with(law))
    };
    Some(match figure.kind {
        Kind::Duplicated => 0,
        Kind::Broken if !figure.of.as_deref().is_some_and(is_of_service) => 1,
        Kind::Metastable => 2,
        Kind::Broken => 3,
        Kind::Unanswered => 4,
        Kind::Success => 5,
        Kind::Goodput => 6,
        Kind::Percentile(quantile) if quantile.share() > 0.5 => 7,
        Kind::RecoveryTime => 8,
        Kind::Percentile(_) => 9,
        Kind::Amplification => 10,
        Kind::Wasted => 11,
        Kind::Refusals => 12,
        _ => return None,
    })
}
