//! `Threshold`: a promise on a figure, judged when the run is over.

use sim_core::Time;

use crate::figure::{Promise, Unit};
use crate::outcome::{InvariantVerdict, Outcome, Violation};
use crate::plan::{Plan, Rule};
use crate::reading::{Reading, read};

/// Judges every promise on a figure. One whose figure has no value is vacuous. A figure that is
/// known from below only breaks what it is to stay below: nobody knows that it did.
pub(crate) fn judge(outcome: &mut Outcome, plan: &Plan) {
    for (n, invariant) in plan.invariants.iter().enumerate() {
        let Rule::Threshold(promise) = &invariant.rule else { continue };
        let Some(reading) = read(outcome, &promise.figure) else { continue };
        let is_kept = promise.is_kept_by(reading.value)
            && !(reading.at_least && promise.is_kept_by(f64::NEG_INFINITY));
        let result = &mut outcome.invariants[n];
        if is_kept {
            result.verdict = InvariantVerdict::Kept;
            continue;
        }
        let end = promise.figure.during.map(|during| Time::ZERO + during.until);
        result.verdict = InvariantVerdict::Violated;
        result.violations = 1;
        let at = end.map_or(outcome.ended_at, |end| end.min(outcome.ended_at));
        let who = promise.figure.of.clone().unwrap_or_else(|| "run".to_owned());
        result.first = Some(Violation {
            at,
            step: None,
            intent: None,
            other: None,
            who,
            what: format!("{promise} is broken"),
            witness: witness(promise, reading),
        });
    }
}

/// `p99(shoppers) is at least 2100ms; p99(shoppers) < 500ms was promised`.
fn witness(promise: &Promise, Reading { value, at_least }: Reading) -> String {
    let figure = &promise.figure;
    let bound = if at_least { "at least " } else { "" };
    let value = match figure.unit() {
        Unit::Millis => format!("{value:.1}ms"),
        Unit::Share => format!("{:.2}%", 100.0 * value),
        Unit::PerSecond => format!("{value:.3}/s"),
        Unit::Ratio | Unit::Count => format!("{value:.3}"),
    };
    format!("{figure} is {bound}{value}; {promise} was promised")
}
