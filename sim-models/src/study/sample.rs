//! One run, reduced to what a study keeps of it.

use super::percentile::Samples;
use crate::Scenario;
use crate::figure::{Figure, Kind, Stretch};
use crate::outcome::{
    ActorKind, EffectSummary, Goodput, InvariantResult, Measured, Outcome, RunLimit, Verdict,
};
use crate::reading::{Reading, figures, population, read};
use crate::recovery::RecoveryState;

/// What a study keeps of one run. It is made where the run was, so that the outcome, which is
/// large, is dropped there.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) seed: u64,
    pub(crate) verdict: Verdict,
    /// The limit that ended it early; then nothing else of it counts.
    pub(crate) limit: Option<Reason>,
    /// The figures, with a value where it has one.
    pub(crate) values: Vec<(Figure, Option<Reading>)>,
    /// The figures that were asked for, in their order, where it has them.
    pub(crate) asked: Vec<Option<f64>>,
    /// What the users' intents came to.
    pub(crate) goodput: Goodput,
    /// One per kind of effect, in the same order for all runs.
    pub(crate) effects: Vec<EffectSummary>,
    pub(crate) latencies: Vec<(Who, Samples)>,
    pub(crate) invariants: Vec<InvariantResult>,
    pub(crate) recovery: Option<RecoveryState>,
    /// Why the system was not well, if it was not.
    pub(crate) unwell: Option<Reason>,
}

/// Why something is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its name in JSON, which stays as it is.
    pub id: &'static str,
    /// For people.
    pub text: String,
}

impl Reason {
    pub(crate) fn new(id: &'static str, text: impl ToString) -> Reason {
        Reason { id, text: text.to_string() }
    }
}

/// Whose latencies they are: the whole run first, then clients, then whoever else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) during: Option<Stretch>,
    pub(crate) rank: Rank,
    /// An actor, an endpoint or a hop; `shoppers, failed` for what did not succeed.
    pub(crate) name: String,
    /// `None` for an endpoint or a hop.
    pub(crate) kind: Option<ActorKind>,
}

impl Who {
    pub(crate) fn is_of_failures(&self) -> bool {
        population(&self.name).1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Client,
    Actor,
    Part,
}

impl Sample {
    /// What is kept of the run of a seed; `None` when it was called off before its end.
    pub(crate) fn of_run(
        scenario: &Scenario,
        seed: u64,
        asked: &[Figure],
        goes_on: &dyn Fn() -> bool,
    ) -> Option<Sample> {
        let outcome = scenario.start(seed).finish_while(&|_| goes_on());
        let is_called_off = matches!(outcome.limit, Some(RunLimit::CalledOff { .. }));
        (!is_called_off).then(|| Sample::of(&outcome, asked))
    }

    /// What is kept of a run: its own figures, and those that were asked for.
    pub(crate) fn of(outcome: &Outcome, asked: &[Figure]) -> Sample {
        let is_invalid = outcome.verdict == Verdict::Invalid;
        let recovery = outcome.recovery.as_ref().filter(|recovery| recovery.is_test());
        let mut all = figures(outcome);
        let pooled = |figure: &Figure| matches!(figure.kind, Kind::Percentile(_));
        all.extend(asked.iter().filter(|figure| !pooled(figure)).cloned());
        all.sort();
        all.dedup();
        let value = |figure: Figure| {
            let value = read(outcome, &figure);
            (figure, value)
        };
        Sample {
            seed: outcome.run_id.seed,
            verdict: outcome.verdict,
            limit: outcome.limit.as_ref().filter(|_| is_invalid).map(|l| Reason::new(l.name(), l)),
            values: all.into_iter().map(value).collect(),
            asked: asked.iter().map(|figure| Some(read(outcome, figure)?.value)).collect(),
            goodput: outcome.goodput,
            effects: outcome.effects.clone(),
            latencies: outcome.measured.iter().flat_map(|m| latencies(outcome, m, asked)).collect(),
            invariants: outcome.invariants.clone(),
            recovery: recovery.map(|recovery| recovery.state.clone()),
            unwell: outcome.unwell().map(|why| Reason::new(why.name(), why)),
        }
    }
}

/// Of actors, endpoints and hops, and of the instances that are asked for.
fn latencies(outcome: &Outcome, measured: &Measured, asked: &[Figure]) -> Vec<(Who, Samples)> {
    let mut all = Vec::new();
    let is_asked = |name: &str| {
        let mut of = asked.iter().filter_map(|figure| figure.of.as_deref());
        of.any(|of| population(of).0 == name)
    };
    let apart = measured.instances.iter().filter(|own| is_asked(&own.name));
    let apart = apart.map(|own| (&own.name, &own.latencies));
    for (name, latencies) in measured.latencies.iter().map(|(name, l)| (name, l)).chain(apart) {
        let kind = outcome.actor(name).map(|actor| actor.kind.clone());
        let rank = match kind {
            Some(ActorKind::Client) => Rank::Client,
            Some(_) => Rank::Actor,
            None => Rank::Part,
        };
        let who = |name: String| Who { during: measured.during, rank, name, kind: kind.clone() };
        let succeeded = Samples::of(&latencies.succeeded).with_open(&latencies.open);
        for (name, samples) in
            [(name.clone(), succeeded), (format!("{name}, failed"), Samples::of(&latencies.failed))]
        {
            if samples.total() > 0 {
                all.push((who(name), samples));
            }
        }
    }
    all
}
