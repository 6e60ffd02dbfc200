//! The machine-readable view of studies, version 1; `docs/STATISTICS.md` describes it.
//!
//! As that of a run: fixed fields (here in the order of the alphabet), every number finite, lengths
//! of time in milliseconds, `null` for what is missing, and nothing of the wall clock.

use serde_json::{Map as Object, Value, json};
use sim_core::{Span, Time};
use sim_models::study::{
    Axis, Cell, Check, Comparison, Contrast, Estimate, InvariantTally, LatencySummary, Limited,
    Map, Measure, RecoveryTally, Region, Side, Stop, Subject, Summary,
};

/// The version of the contract.
const SCHEMA: u32 = 1;

/// A check as one JSON object. `replay` is the command that repeats the run of a seed.
pub fn check(check: &Check, replay: &dyn Fn(u64) -> String) -> String {
    let mut object = subject(&check.subject);
    let verdict = super::check::verdict(&check.summary);
    object.insert("verdict".to_owned(), json!(verdict.to_string()));
    object.insert("stop".to_owned(), stop(&check.stop));
    object.extend(summary(&check.summary, Some(replay)));
    print(object)
}

/// A comparison as one JSON object.
pub fn comparison(comparison: &Comparison) -> String {
    let mut object = Object::new();
    object.insert("schema".to_owned(), json!(SCHEMA));
    let side = |side: &Side| {
        let mut object = Object::new();
        object.insert("name".to_owned(), json!(side.name));
        object.insert("pairs".to_owned(), json!(side.pairs));
        object.extend(subject(&side.subject));
        object.remove("schema");
        object.extend(summary(&side.summary, None));
        Value::Object(object)
    };
    object.insert("sides".to_owned(), comparison.sides.iter().map(side).collect());
    let contrast = |contrast: &Contrast| {
        json!({
            "figure": contrast.figure.to_string(),
            "side": comparison.sides[contrast.side].name,
            "unit": contrast.figure.unit().name(),
            "better": contrast.figure.better().name(),
            "reference": contrast.reference,
            "value": contrast.value,
            "difference": estimate(Some(contrast.difference)),
            "verdict": contrast.judgement.name(),
            "saved": contrast.saved,
        })
    };
    object.insert("contrasts".to_owned(), comparison.contrasts.iter().map(contrast).collect());
    print(object)
}

/// A map as one JSON object.
pub fn map(map: &Map) -> String {
    let mut object = subject(&map.subject);
    let axis = |axis: &Axis| match axis.is_none() {
        true => Value::Null,
        false => json!({ "path": axis.path, "values": axis.values }),
    };
    object.insert("x".to_owned(), axis(&map.x));
    object.insert("y".to_owned(), axis(&map.y));
    let columns = map.x.values.len();
    let cell = |(n, cell): (usize, &Cell)| {
        json!({
            "x": map.x.values[n % columns],
            "y": (!map.y.is_none()).then(|| &map.y.values[n / columns]),
            "region": cell.region.map(Region::name),
            "runs": cell.summary.runs,
            "limited": cell.summary.limited.as_ref().map(limited),
            "recovery": cell.summary.recovery.as_ref().map(recovery),
            "recovery_time_ms": estimate(cell.recovery_time),
            "amplification": estimate(cell.amplification),
            "goodput": estimate(cell.goodput),
            "success": estimate(cell.success),
        })
    };
    object.insert("cells".to_owned(), map.cells.iter().enumerate().map(cell).collect());
    print(object)
}

fn print(object: Object<String, Value>) -> String {
    let text = serde_json::to_string_pretty(&object).expect("names are strings, numbers finite");
    text + "\n"
}

fn entries(value: Value) -> Object<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => unreachable!("written as an object"),
    }
}

fn subject(subject: &Subject) -> Object<String, Value> {
    entries(json!({
        "schema": SCHEMA,
        "scenario": subject.scenario,
        "variant": subject.variant,
        "study_id": subject.id.to_string(),
        "first_seed": subject.id.first.seed,
        "seeds": subject.id.seeds,
        "horizon_ms": subject.horizon.as_millis_f64(),
        "warmup_ms": subject.warmup.as_millis_f64(),
        "confidence": subject.confidence,
    }))
}

fn stop(stop: &Stop) -> Value {
    match stop {
        Stop::AllSeeds => json!({ "why": "all_seeds" }),
        Stop::Precise { figure, wanted, reached } => {
            json!({ "why": "precise", "figure": figure, "wanted": wanted, "reached": reached })
        }
        Stop::Imprecise { figure, wanted, reached } => {
            json!({ "why": "imprecise", "figure": figure, "wanted": wanted, "reached": reached })
        }
    }
}

fn summary(summary: &Summary, replay: Option<&dyn Fn(u64) -> String>) -> Object<String, Value> {
    let measure = |measure: &Measure| {
        let mut object = entries(estimate(measure.estimate));
        object.insert("unit".to_owned(), json!(measure.metric.kind.unit().name()));
        object.insert("better".to_owned(), json!(measure.metric.kind.better().name()));
        (measure.metric.to_string(), Value::Object(object))
    };
    let latency = |latency: &LatencySummary| (latency.actor.clone(), percentiles(latency));
    let invariants = summary.invariants.iter().map(|tally| invariant(tally, replay));
    entries(json!({
        "runs": summary.runs,
        "limited": summary.limited.as_ref().map(limited),
        "invariants": invariants.collect::<Vec<Value>>(),
        "recovery": summary.recovery.as_ref().map(recovery),
        "metrics": Value::Object(summary.measures.iter().map(measure).collect()),
        "latency_ms": Value::Object(summary.latencies.iter().map(latency).collect()),
    }))
}

fn limited(limited: &Limited) -> Value {
    json!({
        "runs": limited.runs,
        "first_seed": limited.first_seed,
        "limit": limited.what,
    })
}

fn estimate(estimate: Option<Estimate>) -> Value {
    let interval = estimate.and_then(|estimate| estimate.interval);
    json!({
        "mean": estimate.map(|estimate| estimate.mean),
        "ci_low": interval.map(|interval| interval.low),
        "ci_high": interval.map(|interval| interval.high),
        "deviation": estimate.and_then(|estimate| estimate.deviation),
        "n": estimate.map_or(0, |estimate| estimate.n),
    })
}

fn percentiles(latency: &LatencySummary) -> Value {
    let ms = |span: Option<Span>| span.map(Span::as_millis_f64);
    let mut object = entries(json!({
        "kind": latency.kind,
        "samples": latency.samples,
        "max": latency.max.as_millis_f64(),
    }));
    for percentile in &latency.percentiles {
        let value = json!({
            "value": percentile.value.as_millis_f64(),
            "ci_low": ms(percentile.low),
            "ci_high": ms(percentile.high),
        });
        object.insert(percentile.quantile.name().to_owned(), value);
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

fn recovery(tally: &RecoveryTally) -> Value {
    json!({
        "unhealthy": tally.unhealthy,
        "undisturbed": tally.undisturbed,
        "recovered": tally.recovered,
        "metastable": tally.metastable,
        "undecided": tally.undecided,
        "metastable_low": tally.metastable_rate.map(|rate| rate.low),
        "metastable_high": tally.metastable_rate.map(|rate| rate.high),
        "first_metastable_seed": tally.first_metastable,
    })
}
