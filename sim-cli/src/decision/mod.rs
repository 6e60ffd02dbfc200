//! The decision table: what each variant keeps, serves and costs, beside the others.
//!
//! One row a variant, one column a question. A cell is a value with its interval and, where many
//! seeds were run, a mark: whether it differs from the first row by so much that it matters. A
//! table is a value; [`text`] and [`write`] show it. All of them say the same words.
//!
//! Nothing in it flatters. A promise that no run put to the test is never called kept, a figure
//! that nobody has is no zero, who never got an answer counts, and one run proves no difference.

mod cell;
mod finding;
mod format;
mod harm;
pub mod text;
pub mod write;

use std::collections::BTreeSet;

use sim_models::outcome::{ActorKind, Outcome, Verdict};
use sim_models::study::{Comparison, Figure, Kind, Map, Mark, Quantile, Summary};

#[cfg(test)]
mod tests;

pub use cell::Cell;
pub use finding::Finding;
pub use format::{Format, parse_least};
pub use harm::{along, of_run};

/// The scenario as it stands, among its variants.
pub const BASE: &str = "base";

/// The least difference that matters, where nobody says so: a share of the first row's figure.
pub const LEAST: f64 = 0.02;

/// What is told of several variants.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The questions, the gravest first.
    pub columns: Vec<Column>,
    /// One per variant; the first is what the others are compared with.
    pub rows: Vec<Row>,
    /// How the others are compared with the first; `None` where one run each proves nothing.
    pub terms: Option<Terms>,
}

/// What counts as a difference.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The least difference that matters, as a share of the first row's figure.
    pub least: f64,
    /// The confidence of all intervals, such as 0.95.
    pub confidence: f64,
}

/// A question that each row answers.
#[derive(Clone, Debug)]
pub struct Column {
    /// What people read over it: `p99 of shoppers`.
    pub head: String,
    /// What is measured.
    pub figure: Figure,
    /// What all rows say alike, where that is nothing to decide by; then text leaves it out.
    pub silence: Option<Silence>,
}

/// What all rows of a column say alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// A promise that every run put to the test, and kept.
    Kept,
    /// A promise that no run put to the test.
    Untested,
    /// It is 0.
    Zero,
    /// No run has a value.
    Unmeasured,
}

impl Silence {
    /// Its name in JSON, which stays as it is.
    pub const fn id(self) -> &'static str {
        match self {
            Silence::Kept => "kept",
            Silence::Untested => "untested",
            Silence::Zero => "zero",
            Silence::Unmeasured => "unmeasured",
        }
    }
}

/// What is told of one variant.
#[derive(Clone, Debug)]
pub struct Row {
    /// The variant, `base`, or a file.
    pub name: String,
    /// The judgement over all of its runs.
    pub verdict: Verdict,
    /// Runs that reached their horizon; all cells are of these.
    pub runs: u64,
    /// Runs that a limit ended.
    pub limited: u64,
    /// What its users asked for in a run, on average: intents.
    pub offered: u64,
    /// One per column.
    pub cells: Vec<Cell>,
}

impl Decision {
    /// Of the sides of a comparison. A difference matters from this share of the first side's figure
    /// on.
    pub fn of_comparison(comparison: &Comparison, least: f64) -> Decision {
        let first = &comparison.sides[0].subject;
        let is_study = first.id.seeds > 1;
        let summaries: Vec<&Summary> = comparison.sides.iter().map(|side| &side.summary).collect();
        let mark = |side: usize, figure: &Figure| {
            let mut contrasts = comparison.contrasts.iter();
            let contrast = contrasts.find(|c| c.side == side && c.figure == *figure)?;
            let is_paired = comparison.sides[side].pairs > 1;
            is_paired.then(|| contrast.mark(least))
        };
        let names = comparison.sides.iter().map(|side| side.name.clone()).collect();
        let terms = Terms { least, confidence: first.confidence };
        let mut decision = Decision::of(names, &summaries, is_study.then_some(terms), &mark);
        for (row, side) in decision.rows.iter_mut().zip(&comparison.sides) {
            row.verdict = side.subject.verdict(&side.summary);
        }
        decision
    }

    /// Of one run of each variant. It marks no difference: one seed proves none.
    pub fn of_runs(outcomes: &[Outcome]) -> Decision {
        let name = |outcome: &Outcome| outcome.variant.clone().unwrap_or(BASE.to_owned());
        Decision::of_named_runs(outcomes.iter().map(|outcome| (name(outcome), outcome)))
    }

    /// The same of runs that have names of their own.
    pub fn of_named_runs<'a>(runs: impl Iterator<Item = (String, &'a Outcome)>) -> Decision {
        let of = |(name, outcome): (String, &Outcome)| (name, Summary::of_run(outcome));
        let (names, summaries): (Vec<String>, Vec<Summary>) = runs.map(of).unzip();
        Decision::of(names, &summaries.iter().collect::<Vec<_>>(), None, &|_, _| None)
    }

    /// Of what each cell of a map says.
    pub fn of_cells(map: &Map) -> Decision {
        let summaries: Vec<&Summary> = map.cells.iter().map(|cell| &cell.summary).collect();
        let (seeds, confidence) = (map.subject.id.seeds, map.subject.confidence);
        let terms = Terms { least: LEAST, confidence };
        let names = vec![String::new(); summaries.len()];
        Decision::of(names, &summaries, (seeds > 1).then_some(terms), &|_, _| None)
    }

    fn of(
        names: Vec<String>,
        summaries: &[&Summary],
        terms: Option<Terms>,
        mark: &dyn Fn(usize, &Figure) -> Option<Mark>,
    ) -> Decision {
        let figures = figures(summaries);
        let row = |(n, (name, summary)): (usize, (String, &&Summary))| Row {
            name,
            verdict: summary.verdict(),
            runs: summary.runs,
            limited: summary.limited.as_ref().map_or(0, |limited| limited.runs),
            offered: summary.goodput.offered / summary.runs.max(1),
            cells: figures
                .iter()
                .map(|figure| {
                    let cell = Cell::of(summary, figure, terms.is_some());
                    let compared = mark(n, figure).filter(|_| n > 0 && cell.value.is_some());
                    Cell {
                        mark: compared.map(|mark| sober(mark, figure, summary, summaries[0])),
                        ..cell
                    }
                })
                .collect(),
        };
        let rows: Vec<Row> = names.into_iter().zip(summaries).enumerate().map(row).collect();
        let column = |(n, figure): (usize, &Figure)| Column {
            head: cell::head(figure),
            silence: silence(figure, rows.iter().map(|row| &row.cells[n])),
            figure: figure.clone(),
        };
        let columns = figures.iter().enumerate().map(column).collect();
        Decision { columns, rows, terms }
    }

    /// The places of the columns by which rows can be told apart.
    pub fn shown(&self) -> Vec<usize> {
        let is_shown = |n: &usize| self.columns[*n].silence.is_none();
        (0..self.columns.len()).filter(is_shown).collect()
    }

    /// The heads of the columns in which all rows say the same nothing.
    pub fn left_out(&self) -> Vec<(Silence, Vec<&str>)> {
        let kinds: BTreeSet<Silence> = self.columns.iter().filter_map(|c| c.silence).collect();
        let heads = |silence| {
            let those = self.columns.iter().filter(move |c| c.silence == Some(silence));
            those.map(|column| column.head.as_str()).collect()
        };
        kinds.into_iter().map(|silence| (silence, heads(silence))).collect()
    }

    /// The marks that occur, in the order in which they are explained.
    pub fn marks(&self) -> Vec<Mark> {
        let cells = || self.rows.iter().flat_map(|row| &row.cells);
        let occurs = |mark: &Mark| cells().any(|cell| cell.mark == Some(*mark));
        Mark::ALL.into_iter().filter(occurs).collect()
    }
}

impl Row {
    /// The name as it stands in tables; the first row is what the others are compared with.
    pub fn label(&self, n: usize) -> String {
        let baseline = if n == 0 { " (baseline)" } else { "" };
        let runs = match (self.runs, self.limited) {
            (_, 0) => String::new(),
            (runs, limited) => format!(" ({runs} of {} runs)", runs + limited),
        };
        format!("{}{baseline}{runs}", self.name)
    }
}

/// A mark that is not better than what is behind it: of a promise that some runs of either side did
/// not put to the test, luck may have tested the other runs.
fn sober(mark: Mark, figure: &Figure, this: &Summary, first: &Summary) -> Mark {
    let untested = |summary: &Summary| {
        let mut tallies = summary.invariants.iter();
        let tally = tallies.find(|tally| Some(&tally.name) == figure.of.as_ref());
        tally.is_none_or(|tally| tally.vacuous > 0)
    };
    match mark {
        Mark::Worse => mark,
        _ if figure.kind == Kind::Broken && (untested(this) || untested(first)) => Mark::Unclear,
        _ => mark,
    }
}

/// What is asked of all rows, the gravest first: promises, money, service, speed, recovery, price.
fn figures(summaries: &[&Summary]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut ask = |figure: Figure| {
        if !figures.contains(&figure) {
            figures.push(figure);
        }
    };
    let all = || summaries.iter();
    let promises = all().flat_map(|summary| &summary.invariants);
    promises.for_each(|tally| ask(Figure::of(Kind::Broken, &*tally.name)));
    let effects = all().flat_map(|summary| &summary.effects);
    effects.for_each(|effect| ask(Figure::of(Kind::Duplicated, &*effect.kind)));
    [Kind::Success, Kind::Goodput, Kind::Unanswered]
        .map(Figure::of_all)
        .into_iter()
        .for_each(&mut ask);
    let clients = all().flat_map(|summary| &summary.latencies).filter(|latency| {
        let is_failed = latency.of.ends_with(", failed");
        latency.kind == Some(ActorKind::Client) && latency.during.is_none() && !is_failed
    });
    for client in clients {
        let percentile = |quantile| Figure::of(Kind::Percentile(quantile), &*client.of);
        [Quantile::P50, Quantile::P99].map(percentile).into_iter().for_each(&mut ask);
    }
    if all().any(|summary| summary.recovery.is_some()) {
        [Kind::Metastable, Kind::RecoveryTime].map(Figure::of_all).into_iter().for_each(&mut ask);
    }
    for kind in [Kind::Wasted, Kind::Amplification, Kind::Refusals] {
        highest(summaries, kind).into_iter().for_each(&mut ask);
    }
    let asked = all().flat_map(|summary| &summary.asked);
    asked.for_each(|measure| ask(measure.figure.clone()));
    figures
}

/// Of many services or hops, that whose figure is highest in any row.
fn highest(summaries: &[&Summary], kind: Kind) -> Option<Figure> {
    let measures = summaries.iter().flat_map(|summary| &summary.measures);
    let of_kind = measures.filter(|measure| measure.figure.kind == kind);
    let valued = of_kind.filter_map(|m| Some((m.estimate?.mean, &m.figure)));
    let highest = valued.reduce(|a, b| if b.0 > a.0 { b } else { a });
    highest.map(|(_, figure)| figure.clone())
}

/// What all cells of a column say alike, where that is nothing.
fn silence<'a>(figure: &Figure, cells: impl Iterator<Item = &'a Cell> + Clone) -> Option<Silence> {
    let all = |is: fn(&Cell) -> bool| cells.clone().all(is);
    let is_promise = figure.kind == Kind::Broken;
    match () {
        () if all(|cell| cell.value.is_none()) && is_promise => Some(Silence::Untested),
        () if all(|cell| cell.value.is_none()) => Some(Silence::Unmeasured),
        () if !all(|cell| cell.value == Some(0.0) && cell.is_whole) => None,
        () if is_promise => Some(Silence::Kept),
        () => Some(Silence::Zero),
    }
}
