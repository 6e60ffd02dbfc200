//! Requests as OpenTelemetry spans: OTLP/JSON, one request's spans a line, as its file exporter writes
//! them and the collector's file receiver reads them.
//!
//! Ids come from the run's id and the addresses of its luck, so that two exports are equal. Virtual time
//! begins on 1 January 2000.

use serde_json::{Value, json};
use sim_core::{Time, mix};
use sim_models::activity::{Activities, Activity, ActivityKind, ActivityState};
use sim_models::outcome::{Outcome, RunId};

/// 2000-01-01T00:00:00Z in seconds of Unix time: the start of every run.
const EPOCH_SECONDS: u64 = 946_684_800;

/// One line a request.
pub fn lines(run: &Activities) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut of_intent: Vec<Vec<usize>> = vec![Vec::new(); run.activities.len()];
    let mut remarks: Vec<Vec<usize>> = vec![Vec::new(); run.activities.len()];
    for (n, activity) in run.activities.iter().enumerate() {
        of_intent[activity.intent].push(n);
    }
    for (n, remark) in run.notes.iter().enumerate() {
        remarks[remark.intent].push(n);
    }
    for (intent, activities) in of_intent.iter().enumerate().filter(|(_, all)| !all.is_empty()) {
        let line = request(run, activities, &remarks[intent]);
        serde_json::to_writer(&mut lines, &line).expect("names are strings");
        lines.push(b'\n');
    }
    lines
}

/// The spans of a request, by who does them, in the order in which they first do something.
fn request(run: &Activities, activities: &[usize], remarks: &[usize]) -> Value {
    let mut resources: Vec<(&Activity, Vec<Value>)> = Vec::new();
    for &n in activities {
        let activity = &run.activities[n];
        let span = span(run, activity, remarks);
        let is_same = |(other, _): &&mut (&Activity, Vec<Value>)| {
            (&other.actor, &other.instance) == (&activity.actor, &activity.instance)
        };
        match resources.iter_mut().find(is_same) {
            Some((_, spans)) => spans.push(span),
            None => resources.push((activity, vec![span])),
        }
    }
    let resource = |(activity, spans): (&Activity, Vec<Value>)| {
        let mut attributes = vec![text("service.name", &activity.actor)];
        attributes.extend(activity.instance.iter().map(|own| text("service.instance.id", own)));
        attributes.extend([
            text("sim.run_id", &run.outcome.run_id.to_string()),
            text("sim.scenario", &run.outcome.scenario),
        ]);
        json!({
            "resource": { "attributes": attributes },
            "scopeSpans": [{ "scope": { "name": "sim", "version": RunId::ENGINE }, "spans": spans }],
        })
    };
    let resources: Vec<Value> = resources.into_iter().map(resource).collect();
    json!({ "resourceSpans": resources })
}

fn span(run: &Activities, activity: &Activity, remarks: &[usize]) -> Value {
    let end = run.outcome.ended_at + run.outcome.grace.taken;
    let root = &run.activities[activity.intent];
    let parent = activity.parent.map(|parent| hex(run.activities[parent].id));
    let kind = match activity.kind {
        ActivityKind::Attempt | ActivityKind::Command => 3,
        ActivityKind::Work => 2,
        ActivityKind::Intent | ActivityKind::Submission | ActivityKind::Call => 1,
    };
    // Only success is well: who does not know, or still waits, has an error.
    let code = if activity.state == ActivityState::Succeeded { 1 } else { 2 };
    let attributes = [
        text("sim.kind", activity.kind.name()),
        text("sim.state", activity.state.name()),
        text("sim.ending", &activity.ending),
        text("sim.intent", &root.name),
    ];
    let is_root = activity.kind == ActivityKind::Intent;
    let events = remarks.iter().filter(|_| is_root).map(|n| {
        let remark = &run.notes[*n];
        let name = format!("{}: {}", remark.who, remark.what);
        json!({ "timeUnixNano": unix(remark.at), "name": name })
    });
    let mut status = json!({ "code": code });
    if code == 2 {
        status["message"] = json!(activity.ending);
    }
    let mut span = json!({
        "traceId": format!("{}{}", hex(run_key(&run.outcome)), hex(root.id)),
        "spanId": hex(activity.id),
        "name": activity.name,
        "kind": kind,
        "startTimeUnixNano": unix(activity.from),
        "endTimeUnixNano": unix(activity.to.unwrap_or(end.max(activity.from))),
        "attributes": attributes,
        "status": status,
    });
    if let Some(parent) = parent {
        span["parentSpanId"] = json!(parent);
    }
    let events: Vec<Value> = events.collect();
    if !events.is_empty() {
        span["events"] = json!(events);
    }
    span
}

/// The same for the same run, and for no other.
fn run_key(outcome: &Outcome) -> u64 {
    let RunId { scenario_hash, overrides_hash, seed } = outcome.run_id;
    mix(mix(scenario_hash, overrides_hash.unwrap_or(0)), seed)
}

fn hex(id: u64) -> String {
    format!("{id:016x}")
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Nanoseconds of Unix time, as a text: JSON's numbers are too short for them.
fn unix(at: Time) -> String {
    let nanos = u128::from(EPOCH_SECONDS) * 1_000_000_000 + u128::from(at.as_nanos());
    // OTLP's field has 64 bits; nothing that runs lasts for so long.
    u64::try_from(nanos).unwrap_or(u64::MAX).to_string()
}
