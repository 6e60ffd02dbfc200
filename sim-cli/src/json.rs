//! The machine-readable view of an outcome, version 3, and how all JSON is printed.
//!
//! One object with fixed fields in a fixed order. Every number is finite, times are
//! milliseconds of virtual time, what is missing is `null`, and no wall-clock figure is part of
//! it. States, reasons, counters and kinds are ids: what people read may be reworded, they stay.
//! Fields may be added; a change of meaning changes `schema`.

mod resources;
mod series;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize as Derive;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use sim_core::{Span, Time};
use sim_models::outcome::{
    ActorSummary, CallSummary, EffectSummary, FaultMissed, Goodput, Grace, InvariantResult,
    Latency, LogLine, Outcome, RunLimit, ServiceLoad, TransitionLine, Violation,
};
use sim_models::recovery::{Failing, Level, Recovery, RecoveryState};

use resources::ResourceView;
use series::SeriesView;

/// The version of the contract.
pub const SCHEMA: u32 = 3;

/// The outcome as one JSON object, pretty-printed, with a newline at its end.
pub fn object(outcome: &Outcome) -> String {
    pretty(&Object::from(outcome))
}

/// The same with its row of a decision table.
pub fn object_in_table(outcome: &Outcome, decision: Value) -> String {
    pretty(&Object { decision: Some(decision), ..Object::from(outcome) })
}

/// A value as JSON on several lines, with a newline at its end.
pub fn pretty(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value);
    json.expect("names are strings, numbers finite") + "\n"
}

/// A map in the order of its entries.
struct Entries<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Entries<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// What `sim run --json` prints; with `--all`, an array of these.
#[derive(Derive, JsonSchema)]
#[schemars(rename = "run")]
struct Object<'a> {
    /// The version of this contract.
    schema: u32,
    scenario: &'a str,
    variant: Option<&'a str>,
    seed: u64,
    run_id: String,
    digest: String,
    verdict: &'static str,
    limit: Option<Reason>,
    unwell: Option<Reason>,
    invariants: Vec<Invariant<'a>>,
    effects: Entries<&'a str, Effect>,
    transitions: Vec<Transition<'a>>,
    /// What autoscalers and outlier detection decided, and why.
    decisions: Vec<Decision<'a>>,
    faults_missed: Vec<Missed<'a>>,
    recovery: Option<RecoveryView>,
    actors: Entries<&'a str, Actor<'a>>,
    calls: Entries<String, Call<'a>>,
    resources: Entries<&'a str, ResourceView>,
    steps: u64,
    virtual_ms: f64,
    warmup_ms: f64,
    goodput: GoodputView,
    grace: GraceView,
    requests_per_intent: Entries<&'a str, Option<f64>>,
    series: SeriesView<'a>,
    /// Of several runs: what each answers to the questions that the table asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Value>,
}

#[derive(Derive, JsonSchema)]
struct Missed<'a> {
    fault: &'a str,
    #[serde(flatten)]
    reason: Reason,
}

#[derive(Derive, JsonSchema)]
struct GoodputView {
    offered: u64,
    achieved: u64,
    missed: u64,
    degraded: u64,
    unanswered: u64,
}

/// For how long who waited at the horizon was waited for.
#[derive(Derive, JsonSchema)]
struct GraceView {
    most_ms: f64,
    taken_ms: f64,
    cut: Option<Reason>,
}

/// Why something is as it is: an id that stays, and a text for people.
#[derive(Derive, JsonSchema)]
struct Reason {
    reason: &'static str,
    why: String,
}

/// A service's workers and its queue, averaged over time.
#[derive(Derive, JsonSchema)]
struct Load {
    busy: f64,
    waiting: f64,
    utilisation: f64,
    wasted: Option<f64>,
}

#[derive(Derive, JsonSchema)]
struct Invariant<'a> {
    name: &'a str,
    verdict: &'static str,
    known: bool,
    violations: u64,
    first: Option<First<'a>>,
}

#[derive(Derive, JsonSchema)]
struct First<'a> {
    at_ms: f64,
    step: Option<u64>,
    witness: &'a str,
}

#[derive(Derive, JsonSchema)]
struct Effect {
    count: u64,
    intents: u64,
    duplicated: u64,
    intents_duplicated: u64,
    refunded: u64,
    deduplicated: u64,
    merged: u64,
}

#[derive(Derive, JsonSchema)]
struct Decision<'a> {
    at_ms: f64,
    who: &'a str,
    what: &'a str,
}

#[derive(Derive, JsonSchema)]
struct Transition<'a> {
    at_ms: f64,
    policy: &'a str,
    /// Only where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<u32>,
    from: &'static str,
    to: &'static str,
    #[serde(flatten)]
    reason: Reason,
}

#[derive(Derive, JsonSchema)]
struct RecoveryView {
    client: Option<String>,
    state: &'static str,
    reason: Option<&'static str>,
    why: Option<String>,
    failing: Option<Reason>,
    /// What was still out of its bounds after the trigger, until it recovered.
    held_up_by: Option<Reason>,
    trigger_ms: [f64; 2],
    at_ms: Option<f64>,
    after_ms: Option<f64>,
    lull_ms: Option<[f64; 2]>,
    hold_ms: f64,
    drain_ms: Option<f64>,
    before: LevelView,
    last: LevelView,
}

#[derive(Derive, JsonSchema)]
struct LevelView {
    from_ms: f64,
    to_ms: f64,
    offered: u64,
    asked: u64,
    goodput: u64,
    missed: u64,
    unanswered: u64,
    latency_p50_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
}

/// The counters stand beside `kind` and `latency_ms`, each under its own name.
struct Actor<'a>(&'a ActorSummary);

#[derive(Derive, JsonSchema)]
struct LatencyMs {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    mean: f64,
    max: f64,
    open: u64,
    open_from: Option<f64>,
}

#[derive(Derive, JsonSchema)]
struct Call<'a> {
    calls: u64,
    attempts: u64,
    success: u64,
    failed: u64,
    unknown: u64,
    abandoned: u64,
    fallbacks: u64,
    hedges: u64,
    retries: u64,
    unsafe_retries: u64,
    rejected: Entries<&'a str, u64>,
    given_up: Entries<&'a str, u64>,
    endings: Entries<String, u64>,
}

impl<K, V: JsonSchema> JsonSchema for Entries<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("by_name_{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}

impl JsonSchema for Actor<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Actor".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let latency = generator.subschema_for::<Option<LatencyMs>>();
        json_schema!({
            "type": "object",
            "properties": {
                "kind": { "type": "string" },
                "latency_ms": latency.clone(),
                "latency_failed_ms": latency,
                "load": generator.subschema_for::<Load>(),
                "goodput": generator.subschema_for::<GoodputView>(),
                "instances": generator.subschema_for::<Entries<&str, Actor<'_>>>(),
            },
            "required": ["kind", "latency_ms", "latency_failed_ms"],
            "additionalProperties": { "type": "integer", "minimum": 0 },
        })
    }
}

/// The JSON schema of the object.
pub fn schema() -> Schema {
    schemars::schema_for!(Object<'static>)
}

impl<'a> From<&'a Outcome> for Object<'a> {
    fn from(outcome: &'a Outcome) -> Object<'a> {
        Object {
            schema: SCHEMA,
            scenario: &outcome.scenario,
            variant: outcome.variant.as_deref(),
            seed: outcome.run_id.seed,
            run_id: outcome.run_id.to_string(),
            digest: format!("{:016x}", outcome.digest),
            verdict: outcome.verdict.name(),
            limit: outcome.limit.as_ref().map(|limit| reason(limit.name(), limit)),
            unwell: outcome.unwell().map(|unwell| reason(unwell.name(), &unwell)),
            invariants: outcome.invariants.iter().map(Invariant::from).collect(),
            effects: Entries(outcome.effects.iter().map(effect).collect()),
            transitions: outcome.transitions.iter().map(Transition::from).collect(),
            decisions: outcome.decisions.iter().map(Decision::from).collect(),
            faults_missed: outcome.faults_missed.iter().map(Missed::from).collect(),
            recovery: outcome.recovery.as_ref().map(RecoveryView::from),
            actors: Entries(outcome.actors.iter().map(|a| (&a.name[..], Actor(a))).collect()),
            calls: Entries(outcome.calls.iter().map(call).collect()),
            resources: resources::resources(&outcome.resources),
            steps: outcome.steps,
            virtual_ms: ms(outcome.ended_at),
            warmup_ms: outcome.warmup.as_millis_f64(),
            goodput: GoodputView::from(outcome.goodput),
            grace: GraceView::from(outcome.grace),
            requests_per_intent: requests_per_intent(outcome),
            series: SeriesView::from(&outcome.series),
            decision: None,
        }
    }
}

impl From<Goodput> for GoodputView {
    fn from(goodput: Goodput) -> GoodputView {
        let Goodput { offered, achieved, missed, degraded } = goodput;
        let unanswered = goodput.unanswered();
        GoodputView { offered, achieved, missed, degraded, unanswered }
    }
}

impl<'a> From<&'a FaultMissed> for Missed<'a> {
    fn from(FaultMissed { label, why }: &'a FaultMissed) -> Missed<'a> {
        Missed { fault: label, reason: reason(why.id(), why) }
    }
}

impl From<Grace> for GraceView {
    fn from(Grace { most, taken, cut }: Grace) -> GraceView {
        GraceView {
            most_ms: most.as_millis_f64(),
            taken_ms: taken.as_millis_f64(),
            cut: cut.map(RunLimit::Engine).map(|cut| reason(cut.name(), &cut)),
        }
    }
}

impl From<ServiceLoad> for Load {
    fn from(load: ServiceLoad) -> Load {
        let ServiceLoad { busy_mean: busy, waiting_mean: waiting, utilisation, wasted } = load;
        Load { busy, waiting, utilisation, wasted }
    }
}

impl From<&Recovery> for RecoveryView {
    fn from(recovery: &Recovery) -> RecoveryView {
        let recovered = match &recovery.state {
            RecoveryState::Recovered { at, after } => Some((*at, *after)),
            _ => None,
        };
        let (id, why) = recovery.state.why().unzip();
        let named = |failing: Failing| reason(failing.name(), &failing);
        RecoveryView {
            client: recovery.client.clone(),
            state: recovery.state.name(),
            reason: id,
            why,
            failing: recovery.failing.map(named),
            held_up_by: recovery.held_up_by.map(named),
            trigger_ms: [ms(recovery.trigger.0), ms(recovery.trigger.1)],
            at_ms: recovered.map(|(at, _)| ms(at)),
            after_ms: recovered.map(|(_, after)| after.as_millis_f64()),
            lull_ms: recovery.lull.map(|(from, to)| [ms(from), ms(to)]),
            hold_ms: recovery.hold.as_millis_f64(),
            drain_ms: recovery.drain.map(Span::as_millis_f64),
            before: LevelView::from(&recovery.before),
            last: LevelView::from(&recovery.last),
        }
    }
}

impl From<&Level> for LevelView {
    fn from(level: &Level) -> LevelView {
        LevelView {
            from_ms: ms(level.from),
            to_ms: ms(level.to),
            offered: level.offered,
            asked: level.asked,
            goodput: level.goodput,
            missed: level.missed,
            unanswered: level.unanswered,
            latency_p50_ms: level.latency_p50.map(Span::as_millis_f64),
            latency_p99_ms: level.latency_p99.map(Span::as_millis_f64),
        }
    }
}

impl<'a> From<&'a InvariantResult> for Invariant<'a> {
    fn from(result: &'a InvariantResult) -> Invariant<'a> {
        Invariant {
            name: &result.name,
            verdict: result.verdict.name(),
            known: result.known,
            violations: result.violations,
            first: result.first.as_ref().map(First::from),
        }
    }
}

impl<'a> From<&'a Violation> for First<'a> {
    fn from(violation: &'a Violation) -> First<'a> {
        First { at_ms: ms(violation.at), step: violation.step, witness: &violation.witness }
    }
}

impl<'a> From<&'a LogLine> for Decision<'a> {
    fn from(line: &'a LogLine) -> Decision<'a> {
        Decision { at_ms: ms(line.at), who: &line.who, what: &line.what }
    }
}

impl<'a> From<&'a TransitionLine> for Transition<'a> {
    fn from(line: &'a TransitionLine) -> Transition<'a> {
        Transition {
            at_ms: ms(line.at),
            policy: &line.policy,
            instance: line.instance,
            from: line.from.id(),
            to: line.to.id(),
            reason: reason(line.reason.id(), &line.why()),
        }
    }
}

impl From<Latency> for LatencyMs {
    fn from(latency: Latency) -> LatencyMs {
        LatencyMs {
            p50: latency.p50.as_millis_f64(),
            p90: latency.p90.as_millis_f64(),
            p99: latency.p99.as_millis_f64(),
            p999: latency.p999.as_millis_f64(),
            mean: latency.mean.as_millis_f64(),
            max: latency.max.as_millis_f64(),
            open: latency.open,
            open_from: latency.open_from.map(Span::as_millis_f64),
        }
    }
}

impl Serialize for Actor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.0.kind.name())?;
        for (counter, count) in &self.0.counters {
            map.serialize_entry(counter.name(), count)?;
        }
        map.serialize_entry("latency_ms", &self.0.latency.map(LatencyMs::from))?;
        map.serialize_entry("latency_failed_ms", &self.0.latency_failed.map(LatencyMs::from))?;
        if let Some(goodput) = self.0.goodput {
            map.serialize_entry("goodput", &GoodputView::from(goodput))?;
        }
        if let Some(load) = self.0.load {
            map.serialize_entry("load", &Load::from(load))?;
        }
        if !self.0.instances.is_empty() {
            let each = self.0.instances.iter().map(|own| (&own.name[..], Actor(own)));
            map.serialize_entry("instances", &Entries(each.collect()))?;
        }
        map.end()
    }
}

/// Of all that is measured: requests sent to each actor that somebody asks, per intent.
fn requests_per_intent(outcome: &Outcome) -> Entries<&str, Option<f64>> {
    let whole = outcome.measured.first();
    let requests = whole.into_iter().flat_map(|whole| &whole.requests);
    let ratio = |sent: u64| {
        let offered = outcome.goodput.offered;
        (offered > 0).then(|| sent as f64 / offered as f64)
    };
    Entries(requests.map(|(name, sent)| (&name[..], ratio(*sent))).collect())
}

fn effect(summary: &EffectSummary) -> (&str, Effect) {
    let effect = Effect {
        count: summary.count,
        intents: summary.intents,
        duplicated: summary.duplicated,
        intents_duplicated: summary.intents_duplicated,
        refunded: summary.refunded,
        deduplicated: summary.deduplicated,
        merged: summary.merged,
    };
    (&summary.kind, effect)
}

fn call(summary: &CallSummary) -> (String, Call<'_>) {
    let call = Call {
        calls: summary.calls,
        attempts: summary.attempts,
        success: summary.success,
        failed: summary.failed,
        unknown: summary.unknown,
        abandoned: summary.abandoned,
        fallbacks: summary.fallbacks,
        hedges: summary.hedges,
        retries: summary.retries,
        unsafe_retries: summary.unsafe_retries,
        rejected: Entries(summary.rejected.clone()),
        given_up: Entries(summary.given_up.clone()),
        endings: Entries(summary.endings.iter().map(|(e, n)| (e.id(), *n)).collect()),
    };
    (format!("{}->{}", summary.from, summary.to), call)
}

fn reason(id: &'static str, why: &dyn ToString) -> Reason {
    Reason { reason: id, why: why.to_string() }
}

/// An instant in milliseconds of virtual time.
pub fn ms(at: Time) -> f64 {
    at.since(Time::ZERO).as_millis_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use sim_models::outcome::{
        ClientSeries, EffectSeries, EndingSeries, HopEnding, MissedBecause, Series,
    };
    use sim_policies::breaker::{StateName, TransitionReason};

    #[test]
    fn the_contract_is_pinned() {
        let mut outcome = samples::outage();
        outcome.run_id.seed = u64::MAX;
        outcome.transitions.truncate(1);
        outcome.actors.drain(1..);
        let width = outcome.series.width;
        let levels = vec![samples::waiting("redis", vec![0, 3])];
        let amplification = vec![("api->psp".to_owned(), vec![Some(1.5), None])];
        let (offered, goodput) = (vec![37, 44], vec![36, 44]);
        let counts = Series { width, offered, goodput, ..Series::default() };
        outcome.series = windows(Series { amplification, levels, ..counts });
        outcome.goodput.offered = 4;
        outcome.measured[0].requests.push(("psp".to_owned(), 6));
        let point = "api.pay/charged".to_owned();
        outcome.faults_missed.push(FaultMissed {
            label: "api: crashes".to_owned(),
            why: MissedBecause::NotPassed { point, nth: 2, passed: 1 },
        });
        let version = sim_models::outcome::RunId::ENGINE;
        let expected = PINNED.replace("{version}", version);
        assert_eq!(object(&outcome), expected);
    }

    /// The same with what happened to a client, at a hop, in the ledger and to a promise.
    fn windows(series: Series) -> Series {
        let (offered, unanswered) = (vec![37, 44], vec![0, 2]);
        let failed_p99 = vec![None, Some(Span::millis(900))];
        let name = "shoppers".to_owned();
        let client =
            ClientSeries { name, offered, unanswered, failed_p99, ..ClientSeries::default() };
        let endings =
            vec![(HopEnding::Status(200), vec![36, 44]), (HopEnding::TimedOut, vec![1, 0])];
        let (kind, count, duplicated) = ("charge".to_owned(), vec![37, 45], vec![0, 1]);
        let effect = EffectSeries { kind, count, duplicated, ..EffectSeries::default() };
        Series {
            clients: vec![client],
            endings: vec![EndingSeries { hop: "api->psp".to_owned(), endings }],
            wasted: vec![("psp".to_owned(), vec![0.0, 0.25])],
            effects: vec![effect],
            violations: vec![("ExactlyOnce(\"charge\")".to_owned(), vec![0, 1])],
            ..series
        }
    }

    #[test]
    fn an_empty_run_has_every_field() {
        let json = object(&samples::empty());
        for field in ["\"variant\": null", "\"invariants\": []", "\"effects\": {}", "\"calls\": {}"]
        {
            assert!(json.contains(field), "{field} in {json}");
        }
    }

    #[test]
    fn whatever_is_chosen_from_a_set_is_an_id() {
        let mut outcome = samples::outage();
        let first = outcome.transitions[0].clone();
        let line = |(from, reason)| TransitionLine { from, reason, ..first.clone() };
        let states = StateName::ALL.into_iter().cycle();
        outcome.transitions = states.zip(TransitionReason::ALL).map(line).collect();
        let value: serde_json::Value = serde_json::from_str(&object(&outcome)).expect("JSON");
        let is_id = |id: &str| id.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        for line in value["transitions"].as_array().expect("a list") {
            for field in ["from", "to", "reason"] {
                assert!(is_id(line[field].as_str().expect("an id")), "{line}");
            }
        }
    }

    #[test]
    fn each_instance_of_a_service_is_an_actor_within_it() {
        let mut outcome = samples::outage();
        let own = ActorSummary { name: "api[0]".to_owned(), ..outcome.actors[0].clone() };
        outcome.actors[0].instances = vec![own];
        let value: serde_json::Value = serde_json::from_str(&object(&outcome)).expect("JSON");
        assert_eq!(value["actors"]["api"]["instances"]["api[0]"]["arrived"], 5_400);
        assert_eq!(value["actors"]["redis"]["instances"], serde_json::Value::Null);
    }

    #[test]
    fn a_client_tells_what_its_users_got() {
        let json = object(&samples::outage());
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let goodput = &value["actors"]["shoppers"]["goodput"];
        assert_eq!([&goodput["offered"], &goodput["missed"]], [5_400, 1_391]);
        assert_eq!(value["actors"]["api"]["goodput"], serde_json::Value::Null);
    }

    #[test]
    fn every_number_reads_back() {
        let value: serde_json::Value =
            serde_json::from_str(&object(&samples::hostile())).expect("valid JSON");
        assert_eq!(value["virtual_ms"].as_f64(), Some(ms(Time::MAX)));
        assert_eq!(value["limit"]["reason"], "steps");
        let why = "the limit of 18446744073709551615 steps was reached";
        assert_eq!(value["limit"]["why"], why);
        assert_eq!(value["actors"]["redis"]["latency_ms"], serde_json::Value::Null);
        assert_eq!(value["actors"]["redis"]["arrived"], 16_200);
    }

    const PINNED: &str = r#"{
  "schema": 3,
  "scenario": "payment",
  "variant": "naive",
  "seed": 18446744073709551615,
  "run_id": "r1-000000000000abcd-s18446744073709551615-v{version}",
  "digest": "0123456789abcdef",
  "verdict": "violated",
  "limit": null,
  "unwell": null,
  "invariants": [
    {
      "name": "ExactlyOnce(\"charge\")",
      "verdict": "violated",
      "known": false,
      "violations": 3,
      "first": {
        "at_ms": 34127.0,
        "step": 812,
        "witness": "shoppers-17 charged twice: charge-4 at 3.2s, charge-9 at 34.127s"
      }
    },
    {
      "name": "AckedImpliesDone(\"order\")",
      "verdict": "kept",
      "known": false,
      "violations": 0,
      "first": null
    },
    {
      "name": "RecoversWithin(\"30s\")",
      "verdict": "vacuous",
      "known": false,
      "violations": 0,
      "first": null
    }
  ],
  "effects": {
    "charge": {
      "count": 4012,
      "intents": 4009,
      "duplicated": 3,
      "intents_duplicated": 3,
      "refunded": 0,
      "deduplicated": 41,
      "merged": 0
    }
  },
  "transitions": [
    {
      "at_ms": 30412.0,
      "policy": "api->psp provider",
      "from": "closed",
      "to": "open",
      "reason": "consecutive_failures",
      "why": "consecutive failures (5, threshold 5)"
    }
  ],
  "decisions": [],
  "faults_missed": [
    {
      "fault": "api: crashes",
      "reason": "not_passed",
      "why": "at passage 2 of api.pay/charged, which was passed 1 times"
    }
  ],
  "recovery": {
    "client": null,
    "state": "recovered",
    "reason": null,
    "why": null,
    "failing": null,
    "held_up_by": null,
    "trigger_ms": [
      30000.0,
      50000.0
    ],
    "at_ms": 61000.0,
    "after_ms": 11000.0,
    "lull_ms": null,
    "hold_ms": 30000.0,
    "drain_ms": 30000.0,
    "before": {
      "from_ms": 0.0,
      "to_ms": 30000.0,
      "offered": 1342,
      "asked": 1342,
      "goodput": 1310,
      "missed": 32,
      "unanswered": 0,
      "latency_p50_ms": 114.0,
      "latency_p99_ms": 640.0
    },
    "last": {
      "from_ms": 90000.0,
      "to_ms": 120000.0,
      "offered": 1350,
      "asked": 1350,
      "goodput": 1326,
      "missed": 24,
      "unanswered": 0,
      "latency_p50_ms": 114.0,
      "latency_p99_ms": 640.0
    }
  },
  "actors": {
    "api": {
      "kind": "service",
      "arrived": 5400,
      "succeeded": 5398,
      "refused": 2,
      "latency_ms": {
        "p50": 90.0,
        "p90": 270.0,
        "p99": 640.0,
        "p999": 1280.0,
        "mean": 112.5,
        "max": 1920.0,
        "open": 0,
        "open_from": null
      },
      "latency_failed_ms": null
    }
  },
  "calls": {
    "api->psp": {
      "calls": 5400,
      "attempts": 5870,
      "success": 4009,
      "failed": 1370,
      "unknown": 21,
      "abandoned": 0,
      "fallbacks": 6,
      "hedges": 0,
      "retries": 470,
      "unsafe_retries": 0,
      "rejected": {
        "breaker_open": 1322
      },
      "given_up": {
        "attempts_exhausted": 48,
        "not_retryable": 2
      },
      "endings": {
        "200": 4003,
        "503": 1846,
        "timed_out": 21,
        "not_sent": 1322
      }
    }
  },
  "resources": {
    "redis": {
      "kind": "store",
      "levels": {
        "busy": {
          "unit": "workers",
          "bound": 1.0,
          "mean": 0.135,
          "least": 0.0,
          "most": 1.0
        },
        "waiting": {
          "unit": "requests",
          "bound": null,
          "mean": 0.25,
          "least": 0.0,
          "most": 12.0
        }
      },
      "events": {
        "crashed": 1,
        "restarted": 0
      }
    }
  },
  "steps": 48213,
  "virtual_ms": 120000.0,
  "warmup_ms": 0.0,
  "goodput": {
    "offered": 4,
    "achieved": 0,
    "missed": 0,
    "degraded": 0,
    "unanswered": 4
  },
  "grace": {
    "most_ms": 0.0,
    "taken_ms": 0.0,
    "cut": null
  },
  "requests_per_intent": {
    "psp": 1.5
  },
  "series": {
    "window_ms": 1000.0,
    "offered": [37,44],
    "goodput": [36,44],
    "failed": [],
    "retries": [],
    "latency_p50_ms": [],
    "latency_p99_ms": [],
    "failed_p50_ms": [],
    "failed_p99_ms": [],
    "clients": {
      "shoppers": {
        "offered": [37,44],
        "goodput": [],
        "degraded": [],
        "failed": [],
        "unanswered": [0,2],
        "latency_p50_ms": [],
        "latency_p99_ms": [],
        "failed_p50_ms": [],
        "failed_p99_ms": [null,900.0]
      }
    },
    "endings": {
      "api->psp": {
        "200": [36,44],
        "timed_out": [1,0]
      }
    },
    "amplification": {
      "api->psp": [1.5,null]
    },
    "requests_per_intent": {},
    "wasted": {
      "psp": [0.0,0.25]
    },
    "effects": {
      "charge": {
        "count": [37,45],
        "duplicated": [0,1],
        "refunded": [],
        "merged": []
      }
    },
    "violations": {
      "ExactlyOnce(\"charge\")": [0,1]
    },
    "levels": [
      {
        "resource": "redis",
        "level": "waiting",
        "mean": [0.0,3.0],
        "worst": [0.0,3.0]
      }
    ]
  }
}
"#;
}
