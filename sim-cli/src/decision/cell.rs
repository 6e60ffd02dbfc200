//! What one variant answers to one question.

use sim_models::study::{
    Estimate, Figure, Interval, InvariantTally, Kind, Mark, RecoveryTally, Summary, Unit,
};

use crate::figure;
use crate::text::plain;
use crate::words::{self, NONE};

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// In the figure's unit; `None` where nothing was measured, which is no zero.
    pub value: Option<f64>,
    /// The truth is no less: somebody still waited.
    pub at_least: bool,
    /// It rests on every run; not on some of them only, as where others tested nothing.
    pub is_whole: bool,
    /// How many of how many, where it is a count: runs, duplicates and intents, intents.
    pub part: Option<(u64, u64)>,
    /// What people read: `12/20 broke`, `28.01 /s`, `never tested`.
    pub said: String,
    /// Where the true value lies; `None` of one run.
    pub interval: Option<Interval>,
    /// How it differs from the first row; `None` for the first row, and of one run.
    pub mark: Option<Mark>,
    /// The interval for people.
    pub range: Option<String>,
}

impl Cell {
    /// What a summary says of a figure. One run has no interval.
    pub fn of(summary: &Summary, figure: &Figure, is_study: bool) -> Cell {
        let cell = match figure.kind {
            _ if summary.runs == 0 => Cell::without("no run"),
            Kind::Broken => promise(summary, figure, is_study),
            Kind::Duplicated => duplicates(summary, figure),
            Kind::Unanswered if figure.of.is_none() && figure.during.is_none() => {
                let (open, offered) = (summary.goodput.unanswered(), summary.goodput.offered);
                let said = format!("{} of {}", words::count(open), words::count(offered));
                Cell { said, part: Some((open, offered)), ..measured(summary, figure) }
            }
            Kind::Metastable => stays_down(summary.recovery.as_ref(), is_study),
            Kind::RecoveryTime => recovery_time(summary, figure),
            Kind::Percentile(quantile) if figure.during.is_none() => {
                match summary.percentile(figure.of.as_deref().unwrap_or_default(), quantile) {
                    Some(percentile) => {
                        let estimate = percentile.estimate(summary.runs);
                        Cell::measured(figure, estimate, percentile.at_least)
                    }
                    None => measured(summary, figure),
                }
            }
            _ => measured(summary, figure),
        };
        match is_study {
            true => Cell { said: plain(&cell.said), ..cell },
            false => Cell { said: plain(&cell.said), interval: None, range: None, ..cell },
        }
    }

    /// What is said where there is no value.
    fn without(said: &str) -> Cell {
        Cell { said: said.to_owned(), is_whole: true, ..Cell::default() }
    }

    fn measured(figure: &Figure, estimate: Estimate, at_least: bool) -> Cell {
        let unit = figure.unit();
        Cell {
            value: Some(estimate.mean),
            at_least,
            is_whole: true,
            said: figure::bound(at_least, figure::figure(unit, estimate.mean)),
            interval: estimate.interval,
            range: estimate.interval.and_then(|interval| range(unit, estimate.mean, interval)),
            ..Cell::default()
        }
    }
}

/// The interval for people; one whose ends read as the value does says no more than that.
fn range(unit: Unit, value: f64, interval: Interval) -> Option<String> {
    let is_value = |end: f64| figure::figure(unit, end) == figure::figure(unit, value);
    let says_more = !(is_value(interval.low) && is_value(interval.high));
    says_more.then(|| figure::range(unit, interval))
}

/// A figure that has a mean.
fn measured(summary: &Summary, figure: &Figure) -> Cell {
    let mut measures = summary.measures.iter().chain(&summary.asked);
    let measure = measures.find(|measure| measure.figure == *figure);
    match measure.and_then(|measure| Some((measure.estimate?, measure.at_least))) {
        Some((estimate, at_least)) => Cell::measured(figure, estimate, at_least),
        None => Cell::without(match figure.kind {
            Kind::Percentile(_) | Kind::LatencyMean | Kind::LatencyMax => "no success",
            Kind::Wasted => "no work",
            Kind::Amplification => "no call",
            Kind::Success | Kind::Unanswered | Kind::Goodput => "no intent",
            _ => NONE,
        }),
    }
}

/// `12/20 broke`; runs that put it to no test are not among those that kept it.
fn promise(summary: &Summary, figure: &Figure, is_study: bool) -> Cell {
    let mut tallies = summary.invariants.iter();
    let Some(tally) = tallies.find(|tally| Some(&tally.name) == figure.of.as_ref()) else {
        return Cell::without("not stated");
    };
    let InvariantTally { runs, broken, vacuous, rate, .. } = tally;
    let tested = runs - vacuous;
    if tested == 0 {
        return Cell::without("never tested");
    }
    let untested = match vacuous {
        0 => String::new(),
        n => format!(", {n} untested"),
    };
    let said = match (is_study, broken) {
        (true, _) => format!("{broken}/{tested} broke{untested}"),
        (false, 0) => "kept".to_owned(),
        (false, _) => "broke".to_owned(),
    };
    Cell {
        value: Some(*broken as f64 / tested as f64),
        is_whole: *vacuous == 0,
        part: Some((*broken, tested)),
        said,
        interval: *rate,
        range: rate.map(|rate| figure::range(Unit::Share, rate)),
        ..Cell::default()
    }
}

/// `107 for 7,446`: what was done beyond an intent's first time, and for how many intents it was
/// done at all.
fn duplicates(summary: &Summary, figure: &Figure) -> Cell {
    let mut effects = summary.effects.iter();
    let effect = effects.find(|effect| Some(&effect.kind) == figure.of.as_ref());
    match effect.filter(|effect| effect.intents > 0) {
        Some(effect) => {
            let (duplicated, intents) =
                (words::count(effect.duplicated), words::count(effect.intents));
            let cell = measured(summary, figure);
            let range = cell.range.map(|range| format!("{range} a run"));
            Cell {
                said: format!("{duplicated} for {intents}"),
                part: Some((effect.duplicated, effect.intents)),
                range,
                ..cell
            }
        }
        None => Cell::without("never done"),
    }
}

/// `12/20`; who was not well before, or ended too soon, came back in no run.
fn stays_down(tally: Option<&RecoveryTally>, is_study: bool) -> Cell {
    let Some(tally) = tally else { return Cell::without(NONE) };
    let (tested, down) = (tally.tested(), tally.metastable);
    let others = [("undecided", tally.undecided), ("unhealthy before", tally.unhealthy)];
    if tested == 0 {
        let said = others.iter().find(|(_, n)| *n > 0).map_or(NONE, |(said, _)| said);
        return Cell::without(said);
    }
    let mut said = match (is_study, down) {
        (true, _) => format!("{down}/{tested}"),
        (false, 0) => "no".to_owned(),
        (false, _) => "stays down".to_owned(),
    };
    for (other, n) in others.iter().filter(|(_, n)| *n > 0) {
        said += &format!(", {n} {other}");
    }
    Cell {
        value: Some(down as f64 / tested as f64),
        is_whole: tested == tally.runs(),
        part: Some((down, tested)),
        said,
        interval: tally.metastable_rate,
        range: tally.metastable_rate.map(|rate| figure::range(Unit::Share, rate)),
        ..Cell::default()
    }
}

/// `12.4 s in 8/20`: a mean over those that came back says how many they are.
fn recovery_time(summary: &Summary, figure: &Figure) -> Cell {
    let Some(tally) = &summary.recovery else { return Cell::without(NONE) };
    let runs = tally.runs() - tally.undisturbed;
    match measured(summary, figure) {
        cell if cell.value.is_none() => {
            Cell::without(match (tally.metastable, tally.undisturbed) {
                (0, 0) => "undecided",
                (0, _) => "undisturbed",
                _ => "never",
            })
        }
        cell if tally.recovered < runs => {
            let said = format!("{} in {}/{runs}", cell.said, tally.recovered);
            Cell { said, is_whole: false, ..cell }
        }
        cell => cell,
    }
}

/// What a question is called over its column.
pub fn head(figure: &Figure) -> String {
    let of = figure.of.as_deref().unwrap_or_default();
    let head = match figure.kind {
        Kind::Broken => of.to_owned(),
        Kind::Duplicated => format!("duplicates of {of}"),
        Kind::Success if figure.of.is_none() => "served".to_owned(),
        Kind::Unanswered if figure.of.is_none() => "no answer".to_owned(),
        Kind::Percentile(quantile) => format!("{quantile} of {of}"),
        Kind::Metastable => "stays down".to_owned(),
        Kind::RecoveryTime => "time to recover".to_owned(),
        Kind::Amplification => format!("attempts per call {of}"),
        Kind::Wasted if figure.of.is_some() => format!("wasted work of {of}"),
        _ => {
            let kind = figure.kind.to_string().replace('_', " ");
            if of.is_empty() { kind } else { format!("{kind} of {of}") }
        }
    };
    let during = figure.during.map_or_else(String::new, |during| format!(" in {during}"));
    plain(&format!("{head}{during}"))
}
