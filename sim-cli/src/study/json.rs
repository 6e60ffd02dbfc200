//! What the machine-readable views of studies share, version 3. `docs/STATISTICS.md` describes
//! them.
//!
//! As in the JSON of a run, fields are fixed (here in the order of the alphabet) and every number
//! is finite. Lengths of time are in milliseconds, what is missing is `null`, and nothing comes
//! from the wall clock.

use serde_json::{Value, json};
use sim_core::{Span, Time};
use sim_models::outcome::ActorKind;
use sim_models::study::{
    Estimate, InvariantTally, LatencySummary, LeftOut, Limited, Measure, Reason, RecoveryTally,
    Row, Subject, Summary, UnwellRuns,
};

/// The version of the contract.
pub const SCHEMA: u32 = 3;

/// An object whose fields are added one by one.
pub type Object = serde_json::Map<String, Value>;

fn entries(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => unreachable!("written as an object"),
    }
}

/// What was studied: the fields that an object begins with.
pub fn subject(subject: &Subject) -> Object {
    entries(json!({
        "schema": SCHEMA,
        "scenario": subject.scenario,
        "variant": subject.variant,
        "study_id": subject.id.to_string(),
        "first_seed": subject.id.first.seed,
        "seeds": subject.id.seeds,
        "seeds_asked": subject.seeds_asked,
        "stopped": subject.is_called_off(),
        "horizon_ms": subject.horizon.as_millis_f64(),
        "warmup_ms": subject.warmup.as_millis_f64(),
        "grace_ms": subject.grace.as_millis_f64(),
        "confidence": subject.confidence,
    }))
}

/// All runs of one scenario. `replay` is the command that repeats the run of a seed.
pub fn summary(summary: &Summary, replay: Option<&dyn Fn(u64) -> String>) -> Object {
    let named = |l: &LatencySummary| match l.during {
        Some(during) => format!("{} in {during}", l.of),
        None => l.of.clone(),
    };
    let latency = |latency: &LatencySummary| (named(latency), percentiles(latency));
    let row = |row: &Row| {
        let figures = summary.asked.iter().map(|m| m.figure.to_string());
        let values: Object = figures.zip(row.values.iter().map(|v| json!(v))).collect();
        json!({
            "seed": row.seed,
            "limit": row.limit.as_ref().map(|limit| limit.id),
            "broken": row.broken,
            "figures": values,
        })
    };
    let invariants = summary.invariants.iter().map(|tally| invariant(tally, replay));
    entries(json!({
        "runs": summary.runs,
        "limited": summary.limited.as_ref().map(limited),
        "unwell": summary.unwell.as_ref().map(unwell),
        "invariants": invariants.collect::<Vec<Value>>(),
        "recovery": summary.recovery.as_ref().map(recovery),
        "metrics": measures(&summary.measures),
        "asked": measures(&summary.asked),
        "each": summary.each.iter().map(row).collect::<Vec<Value>>(),
        "latency_ms": Value::Object(summary.latencies.iter().map(latency).collect()),
    }))
}

/// Figures by name.
pub fn measures(measures: &[Measure]) -> Value {
    let measure = |measure: &Measure| {
        let mut object = entries(estimate(measure.estimate));
        object.insert("unit".to_owned(), json!(measure.figure.unit().name()));
        object.insert("better".to_owned(), json!(measure.figure.better().name()));
        object.insert("at_least".to_owned(), json!(measure.at_least));
        (measure.figure.to_string(), Value::Object(object))
    };
    Value::Object(measures.iter().map(measure).collect())
}

/// The runs that a limit ended.
pub fn limited(limited: &Limited) -> Value {
    json!({
        "runs": limited.runs,
        "first_seed": limited.first_seed,
        "reason": limited.what.id,
        "why": limited.what.text,
    })
}

/// The runs in which the system was not well.
fn unwell(unwell: &UnwellRuns) -> Value {
    let Reason { id, text } = &unwell.why;
    json!({ "runs": unwell.runs, "first_seed": unwell.first_seed, "reason": id, "why": text })
}

/// A mean with its interval.
pub fn estimate(estimate: Option<Estimate>) -> Value {
    let interval = estimate.and_then(|estimate| estimate.interval);
    let known = |end: f64| end.is_finite().then_some(end);
    json!({
        "mean": estimate.map(|estimate| estimate.mean),
        "ci_low": interval.and_then(|interval| known(interval.low)),
        "ci_high": interval.and_then(|interval| known(interval.high)),
        "deviation": estimate.and_then(|estimate| estimate.deviation),
        "n": estimate.map_or(0, |estimate| estimate.n),
    })
}

fn percentiles(latency: &LatencySummary) -> Value {
    let ms = |span: Option<Span>| span.map(Span::as_millis_f64);
    let mut object = entries(json!({
        "kind": latency.kind.as_ref().map(ActorKind::name),
        "samples": latency.samples,
        "max": latency.max.as_millis_f64(),
    }));
    for percentile in &latency.percentiles {
        let value = json!({
            "value": percentile.value.as_millis_f64(),
            "at_least": percentile.at_least,
            "ci_low": ms(percentile.low),
            "ci_high": ms(percentile.high),
        });
        object.insert(percentile.quantile.id(), value);
    }
    Value::Object(object)
}

fn invariant(tally: &InvariantTally, replay: Option<&dyn Fn(u64) -> String>) -> Value {
    let at = |at: Time| at.since(Time::ZERO).as_millis_f64();
    let first = tally.first.as_ref().map(|(seed, violation)| {
        json!({
            "at_ms": at(violation.at),
            "step": violation.step,
            "witness": violation.witness,
            "replay": replay.map(|replay| replay(*seed)),
        })
    });
    json!({
        "name": tally.name,
        "known": tally.known,
        "runs": tally.runs,
        "broken": tally.broken,
        "vacuous": tally.vacuous,
        "rate_low": tally.rate.map(|rate| rate.low),
        "rate_high": tally.rate.map(|rate| rate.high),
        "first_seed": tally.first.as_ref().map(|(seed, _)| seed),
        "first": first,
    })
}

/// A seed whose run says nothing of recovery.
fn left_out(LeftOut { seed, state, why }: &LeftOut) -> Value {
    json!({ "seed": seed, "state": state, "reason": why.id, "why": why.text })
}

/// What happened after the trigger, in how many runs.
pub fn recovery(tally: &RecoveryTally) -> Value {
    json!({
        "unhealthy": tally.unhealthy,
        "undisturbed": tally.undisturbed,
        "recovered": tally.recovered,
        "metastable": tally.metastable,
        "undecided": tally.undecided,
        "metastable_low": tally.metastable_rate.map(|rate| rate.low),
        "metastable_high": tally.metastable_rate.map(|rate| rate.high),
        "first_metastable_seed": tally.first_metastable,
        "left_out": tally.left_out.iter().map(left_out).collect::<Vec<Value>>(),
    })
}
