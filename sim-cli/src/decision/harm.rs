//! What hurts, in one run and along the axes of a map, in the order of harm that findings have.

use sim_models::outcome::Outcome;
use sim_models::recovery::RecoveryState;
use sim_models::study::{Figure, Kind, Map, Quantile};

use super::{Cell, Decision, LEAST};
use crate::spoken::{Spoken, plain};
use crate::words;

/// A tail that is so many times the median is worth a sentence.
const TAIL: f64 = 10.0;

/// So many attempts per call are worth a sentence.
const AMPLIFIED: f64 = 1.5;

/// Where so small a share of work is wasted, that is nothing to tell.
const WASTED: f64 = 0.05;

/// What hurts in a run, the gravest first, in sentences without their full stops. `trigger` is what
/// disturbed it; of a promise that was broken, `broken` says when.
pub fn of_run(outcome: &Outcome, trigger: Option<&str>, broken: &str) -> Vec<String> {
    let decision = Decision::of_runs(std::slice::from_ref(outcome));
    let column = |n: usize| (&decision.columns[n].figure, &decision.rows[0].cells[n]);
    let told = |n: usize| {
        let (figure, cell) = column(n);
        if let Kind::Percentile(_) = figure.kind {
            let is_median = |m: &usize| {
                let other = column(*m).0;
                other.of == figure.of && other.kind == Kind::Percentile(Quantile::P50)
            };
            let median = (0..decision.columns.len()).find(is_median).map(|m| column(m).1)?;
            return tail(figure, cell, median);
        }
        harm(outcome, figure, cell, trigger, broken)
    };
    let mut sentences: Vec<String> = Vec::new();
    for sentence in decision.by_gravity().into_iter().filter_map(told) {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

/// `p99 of shoppers 46 s, p50 140 ms`, where they lie far apart.
fn tail(figure: &Figure, tail: &Cell, median: &Cell) -> Option<String> {
    let far = tail.value? >= TAIL * median.value? && figure.kind != Kind::Percentile(Quantile::P50);
    let (of, kind) = (figure.of.as_deref().unwrap_or("all"), figure.kind);
    far.then(|| format!("{kind} of {of} {}, p50 {}", tail.said, median.said))
}

/// What a run says of a question, where that is harm by itself.
fn harm(
    outcome: &Outcome,
    figure: &Figure,
    cell: &Cell,
    trigger: Option<&str>,
    broken: &str,
) -> Option<String> {
    let of = figure.of.as_deref().unwrap_or_default();
    let after = || trigger.map_or_else(String::new, |trigger| format!("{trigger}, and "));
    let (value, goodput) = (cell.value.unwrap_or(0.0), outcome.goodput);
    let of_all =
        |n: u64| format!("{} of {}", words::count(n), words::counted(goodput.offered, "intent"));
    match figure.kind {
        Kind::Duplicated => {
            let effect = outcome.effect(of)?;
            let intents = words::counted(effect.intents, "intent");
            match (effect.duplicated, effect.merged) {
                (0, 0) => None,
                (0, n) => Some(format!("{} got another's {of}", words::counted(n, "intent"))),
                (n, _) => Some(format!("{} of {of} for {intents}", words::counted(n, "duplicate"))),
            }
        }
        Kind::Broken => (value > 0.0).then(|| broken.to_owned()),
        Kind::Metastable => (value > 0.0).then(|| format!("{}it stays down", after())),
        Kind::Unanswered => {
            let n = goodput.unanswered();
            (n > 0).then(|| format!("{} got no answer", of_all(n)))
        }
        Kind::Success => (goodput.missed > 0).then(|| format!("{} failed", of_all(goodput.missed))),
        Kind::RecoveryTime => match outcome.recovery.as_ref()?.state {
            RecoveryState::Recovered { after: time, .. } if !time.is_zero() => {
                Some(format!("{}it recovers after {}", after(), words::duration(time)))
            }
            _ => None,
        },
        Kind::Amplification => {
            (value >= AMPLIFIED).then(|| format!("{} attempts per call on {of}", cell.said))
        }
        Kind::Wasted => {
            (value >= WASTED).then(|| format!("{} of the work of {of} wasted", cell.said))
        }
        Kind::Refusals => (value > 0.0).then(|| format!("{} refused by {of}", cell.said)),
        _ => None,
    }
}

/// The gravest harm on a map, and from which value on; only what is graver than that a system stays
/// down, or only the rest. `None` where no cell shows any.
pub fn along(map: &Map, [x, y]: [&Spoken; 2], is_graver: bool) -> Option<String> {
    let decision = Decision::of_cells(map);
    let columns = decision.by_gravity().into_iter();
    let is_asked = |n: &usize| {
        let figure = &decision.columns[*n].figure;
        let recovers = matches!(figure.kind, Kind::Metastable | Kind::RecoveryTime);
        !recovers && is_graver == super::finding::is_graver(figure)
    };
    columns.filter(is_asked).find_map(|column| told(&decision, map, column, [x, y]))
}

fn told(decision: &Decision, map: &Map, column: usize, [x, y]: [&Spoken; 2]) -> Option<String> {
    let kind = decision.columns[column].figure.kind;
    // How much harm a cell shows; of a share that is served, what lacks.
    let harm = |n: usize| {
        let value = decision.rows[n].cells[column].value?;
        Some(match kind {
            Kind::Duplicated | Kind::Broken => value,
            Kind::Unanswered if value >= LEAST => value,
            Kind::Success if value <= 1.0 - LEAST => 1.0 - value,
            _ => 0.0,
        })
    };
    let is_harmed = |n: &usize| harm(*n).is_some_and(|harm| harm > 0.0);
    let (columns, all) = (map.x.values.len(), map.cells.len());
    let count = (0..all).filter(is_harmed).count();
    // Of cells that are equal, the first.
    let worst = |cells: &mut dyn Iterator<Item = usize>| {
        cells.fold(None, |worst: Option<usize>, n| match worst {
            Some(worst) if harm(worst) >= harm(n) => Some(worst),
            _ => Some(n),
        })
    };
    let worst = worst(&mut (0..all).filter(is_harmed))?;
    let said = decision.said(worst, column, None);
    let at = |n: usize| x.at(&map.x.values[n % columns]);
    if !map.y.is_none() {
        let row = y.at(&map.y.values[worst / columns]);
        return Some(match count == all {
            true => format!("In every cell: {said} with {}, {row}", at(worst)),
            false => format!("In {count} of {all} cells: {said} with {}, {row}", at(worst)),
        });
    }
    let end = |n: usize| plain(&map.x.values[n]);
    let first = (0..all).find(is_harmed)?;
    let is_stretch = (first..first + count).all(|n| is_harmed(&n));
    Some(match (first, first + count == all) {
        _ if count == 1 && all > 1 => format!("With {}: {said}; with no other value", at(worst)),
        (0, true) => format!("At every {}: {said} with {}", x.name, at(worst)),
        (_, true) if is_stretch => {
            format!(
                "From {} on, not up to {}: {said} with {}",
                at(first),
                end(first - 1),
                end(worst)
            )
        }
        (0, false) if is_stretch => {
            let last = count - 1;
            format!("Up to {}, not from {} on: {said} with {}", at(last), end(count), end(worst))
        }
        _ => format!("At {count} of {all} values: {said} with {}", at(worst)),
    })
}
