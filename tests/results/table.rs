//! Rows of expected and simulated numbers, and the page that they make.

use std::fmt::Write as _;

use crate::measure::{Estimate, FOLDER};

/// What the page says before its tables.
pub const PREFACE: &str = "# Published results\n\n\
    A test writes this page from the runs of [`scenarios/published`](../scenarios/published); \
    `cargo test -p sim-tests --test results` checks it.\n\n\
    Its authors have described each model exactly, or it has a formula. *Simulated* is the mean of \
    *n* runs, seeds 1 to *n*, with its 99 % interval. A number agrees when it lies in that \
    interval, or when it differs from the mean by at most its tolerance. *Notices* is the \
    smallest error that the row would have noticed, as a share of the number (of a number that \
    is 0, or a share of runs, in itself). No row would miss more than 5 %.\n";

/// What the page says after its tables.
pub const LATER: &str = include_str!("later.md");

/// One publication and its numbers.
pub struct Topic {
    pub title: &'static str,
    /// The file in `scenarios/published`.
    pub scenario: &'static str,
    /// What was found, and what a reader of the numbers must know.
    pub says: &'static str,
    pub rows: Vec<Row>,
}

/// One number.
pub struct Row {
    what: String,
    expected: f64,
    simulated: Estimate,
    tolerance: Tolerance,
    /// Its number is a share of runs.
    is_share: bool,
    /// Why the number does not come out.
    pub note: Option<&'static str>,
}

enum Tolerance {
    /// The simulated interval alone.
    Interval,
    Percent(f64),
    Absolute(f64),
}

impl Row {
    pub fn new(what: impl Into<String>, expected: f64, simulated: Estimate) -> Row {
        let (what, tolerance) = (what.into(), Tolerance::Interval);
        Row { what, expected, simulated, tolerance, is_share: false, note: None }
    }

    /// The same for a share of runs.
    pub fn of_runs(mut self) -> Row {
        self.is_share = true;
        self
    }

    pub fn percent(mut self, percent: f64) -> Row {
        self.tolerance = Tolerance::Percent(percent);
        self
    }

    pub fn within(mut self, absolute: f64) -> Row {
        self.tolerance = Tolerance::Absolute(absolute);
        self
    }

    pub fn differs(mut self, note: &'static str) -> Row {
        self.note = Some(note);
        self
    }

    pub fn agrees(&self) -> bool {
        let Estimate { mean, low, high, .. } = self.simulated;
        let off = (mean - self.expected).abs();
        let near = match self.tolerance {
            Tolerance::Interval => false,
            Tolerance::Percent(percent) => off <= self.expected.abs() * percent / 100.0,
            Tolerance::Absolute(absolute) => off <= absolute,
        };
        near || (low..=high).contains(&self.expected)
    }

    /// The smallest error of the number that it would notice: what the interval and the tolerance
    /// leave room for. Of nothing, and of shares of runs, in itself; of other numbers as a share.
    pub fn notices(&self) -> f64 {
        let Estimate { mean, low, high, .. } = self.simulated;
        let interval = (mean - low).max(high - mean);
        let room = match self.tolerance {
            Tolerance::Interval => interval,
            Tolerance::Percent(percent) => interval.max(self.expected.abs() * percent / 100.0),
            Tolerance::Absolute(absolute) => interval.max(absolute),
        };
        if self.is_share || self.expected == 0.0 { room } else { room / self.expected.abs() }
    }

    pub fn line(&self) -> String {
        let Estimate { mean, low, high, n } = self.simulated;
        let tolerance = match self.tolerance {
            Tolerance::Interval => "–".to_owned(),
            Tolerance::Percent(percent) => format!("{percent} %"),
            Tolerance::Absolute(absolute) => format!("± {absolute}"),
        };
        let agrees = if self.agrees() { "yes" } else { "**no**" };
        let [expected, mean, low, high] = [self.expected, mean, low, high].map(number);
        let what = &self.what;
        let notices = format!("{:.1} %", 100.0 * self.notices());
        format!(
            "| {what} | {expected} | {mean} | {low} … {high} | {n} | {tolerance} | {notices} | \
             {agrees} |"
        )
    }
}

impl Topic {
    pub fn section(&self) -> String {
        let Topic { title, scenario, says, rows } = self;
        let mut section = format!(
            "## {title}\n\n[`{scenario}.ron`](../{FOLDER}/{scenario}.ron) {says}\n\n\
            | | expected | simulated | 99 % interval | n | tolerance | notices | agrees |\n\
            |---|---|---|---|---|---|---|---|\n"
        );
        for row in rows {
            let _ = writeln!(section, "{}", row.line());
        }
        for row in rows {
            if let Some(note) = row.note {
                let _ = writeln!(section, "\n*{}*: {note}", row.what);
            }
        }
        section
    }
}

/// Four digits that count.
fn number(x: f64) -> String {
    let size = x.abs();
    let decimals = match size {
        s if s >= 1000.0 => 0,
        s if s >= 100.0 => 1,
        s if s >= 10.0 => 2,
        _ => 3,
    };
    // Shares near nothing and near all need one more.
    let decimals =
        if (size > 0.0 && size < 0.1) || (0.99..1.0).contains(&size) { 4 } else { decimals };
    let text = format!("{x:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
