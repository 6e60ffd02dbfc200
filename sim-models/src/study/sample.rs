//! One run, reduced to what a study keeps of it.

use sim_core::Time;

use super::metric::{Kind, Metric};
use super::percentile::Samples;
use crate::outcome::{
    ActorKind, ActorSummary, Counter, Goodput, InvariantResult, Latencies, Outcome, Verdict,
};
use crate::recovery::RecoveryState;

/// What a study keeps of one run. It is made where the run was, so that the outcome, which is
/// large, is dropped there.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) seed: u64,
    /// The limit that ended it early; then nothing else of it counts.
    pub(crate) limit: Option<String>,
    /// The metrics, with a value where it has one.
    pub(crate) values: Vec<(Metric, Option<f64>)>,
    /// What the users' intents came to.
    pub(crate) goodput: Goodput,
    pub(crate) latencies: Vec<(Who, Samples)>,
    pub(crate) invariants: Vec<InvariantResult>,
    pub(crate) recovery: Option<RecoveryState>,
}

/// An actor, clients first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) is_server: bool,
    pub(crate) name: String,
    pub(crate) kind: ActorKind,
}

impl Sample {
    pub(crate) fn of(outcome: &Outcome) -> Sample {
        let is_invalid = outcome.verdict == Verdict::Invalid;
        let limit = || outcome.limit.as_ref().map_or("a limit".to_owned(), ToString::to_string);
        let recovery = outcome.recovery.as_ref().filter(|recovery| recovery.is_test());
        let recovery = recovery.map(|recovery| &recovery.state);
        let mut values = Vec::new();
        for kind in Kind::ALL {
            measure(outcome, recovery, kind, &mut |of, value| {
                values.push((Metric { kind, of }, value));
            });
        }
        Sample {
            seed: outcome.run_id.seed,
            limit: is_invalid.then(limit),
            values,
            goodput: outcome.goodput,
            latencies: outcome.actors.iter().map(latencies).collect(),
            invariants: outcome.invariants.clone(),
            recovery: recovery.cloned(),
        }
    }
}

/// Hands out each value of a kind, with what it belongs to.
fn measure(
    outcome: &Outcome,
    recovery: Option<&RecoveryState>,
    kind: Kind,
    tell: &mut impl FnMut(Option<String>, Option<f64>),
) {
    let actors = outcome.actors.iter();
    let services = actors.clone().filter(|actor| actor.load.is_some());
    let named = |actor: &ActorSummary| Some(actor.name.clone());
    let load = |actor: &ActorSummary| actor.load.expect("of a service");
    match kind {
        Kind::Goodput => tell(None, goodput(outcome)),
        Kind::Success => tell(None, success(outcome)),
        Kind::Unanswered => {
            tell(None, share_of_offered(outcome, outcome.goodput.unanswered()));
        }
        Kind::LatencyMean => actors.for_each(|actor| {
            tell(named(actor), actor.latency.map(|latency| latency.mean.as_millis_f64()));
        }),
        Kind::Amplification => outcome.calls.iter().for_each(|call| {
            let hop = format!("{}->{}", call.from, call.to);
            tell(Some(hop), call.amplification());
        }),
        Kind::Wasted => services.for_each(|s| tell(named(s), load(s).wasted)),
        Kind::Utilisation => services.for_each(|s| tell(named(s), Some(load(s).utilisation))),
        Kind::Waiting => services.for_each(|s| tell(named(s), Some(load(s).waiting_mean))),
        Kind::PeakArrivals => services.for_each(|service| {
            let peak = service.counter(Counter::PeakArrivals);
            tell(named(service), peak.map(|peak| peak as f64));
        }),
        Kind::Duplicated => outcome.effects.iter().for_each(|effect| {
            tell(Some(effect.kind.clone()), Some(effect.duplicated as f64));
        }),
        Kind::RecoveryTime => recovery.iter().for_each(|state| {
            let after = match state {
                RecoveryState::Recovered { after, .. } => Some(after.as_millis_f64()),
                _ => None,
            };
            tell(None, after);
        }),
        Kind::Metastable => recovery.iter().for_each(|state| {
            let stays_down = match state {
                RecoveryState::Metastable => Some(1.0),
                RecoveryState::Recovered { .. } | RecoveryState::Undisturbed => Some(0.0),
                RecoveryState::Unhealthy { .. } | RecoveryState::Undecided { .. } => None,
            };
            tell(None, stays_down);
        }),
    }
}

fn goodput(outcome: &Outcome) -> Option<f64> {
    let measured = outcome.ended_at.since(Time::ZERO).saturating_sub(outcome.warmup);
    let has_clients = outcome.actors_of(ActorKind::Client).next().is_some();
    let seconds = measured.as_secs_f64();
    (has_clients && seconds > 0.0).then(|| outcome.goodput.achieved as f64 / seconds)
}

fn success(outcome: &Outcome) -> Option<f64> {
    share_of_offered(outcome, outcome.goodput.achieved)
}

/// Of all intents that arose.
fn share_of_offered(outcome: &Outcome, part: u64) -> Option<f64> {
    let offered = outcome.goodput.offered;
    (offered > 0).then(|| part as f64 / offered as f64)
}

fn latencies(actor: &ActorSummary) -> (Who, Samples) {
    let is_server = actor.kind != ActorKind::Client;
    let who = Who { is_server, name: actor.name.clone(), kind: actor.kind.clone() };
    let Latencies { succeeded, open, .. } = &actor.latencies;
    (who, Samples::of(succeeded).with_open(open))
}
