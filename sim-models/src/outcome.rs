//! The one value that a run returns. Tables, charts, JSON and reports are views of it.
//!
//! Everything here is plain data in a fixed order; nothing refers back to the world, and no
//! wall-clock figure is part of it.

use std::fmt;
use std::ops::AddAssign;

use sim_core::{Span, Time};

pub use sim_core::LimitHit;
pub use sim_policies::Weighed;
pub use sim_policies::breaker::{Because, StateName, TransitionReason};

pub use hdrhistogram::Histogram;

pub use crate::endings::HopEnding;
pub use crate::figure::{Counter, Stretch};
pub use crate::ledger::{EffectSeries, EffectSummary};
pub use crate::lengths::{Latencies, Latency, Lengths};
pub use crate::log::{LogLine, Story};
use crate::recovery::{Recovery, SAMPLES_MIN};
pub use crate::resource::{
    LevelSeries, Quantity, Resource, ResourceEvent, ResourceKind, ResourceLevel,
};

/// What a run found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was run; the same id is the same run, bit for bit.
    pub run_id: RunId,
    /// The scenario's `name`.
    pub scenario: String,
    /// The scenario's `about`.
    pub about: String,
    /// The scenario's `hypothesis`, what its author expects to see.
    pub hypothesis: String,
    /// The variant that was run, if not the base scenario.
    pub variant: Option<String>,
    /// The judgement over all invariants.
    pub verdict: Verdict,
    /// The digest of every delivered event and observable effect.
    pub digest: u64,
    /// How many events were delivered.
    pub steps: u64,
    /// The end of what is measured: the horizon, or the instant of the limit.
    pub ended_at: Time,
    /// For how long who still waited then was waited for.
    pub grace: Grace,
    /// When measuring began: latencies, time averages and goodput are of what arose or arrived
    /// from then on.
    pub warmup: Span,
    /// What became of the intents that arose from then on.
    pub goodput: Goodput,
    /// What was measured: from the warm-up to the horizon first, and then of each stretch of time
    /// that a figure asks for.
    pub measured: Vec<Measured>,
    /// The limit that ended the run early, if one did.
    pub limit: Option<RunLimit>,
    /// One result per invariant, in the scenario's order.
    pub invariants: Vec<InvariantResult>,
    /// One summary per kind of effect, by name.
    pub effects: Vec<EffectSummary>,
    /// The ledger's first entries, in the order in which they took effect.
    pub ledger: Vec<LedgerLine>,
    /// One summary per actor, in the scenario's order (by name).
    pub actors: Vec<ActorSummary>,
    /// One summary per caller and callee, in the same order.
    pub calls: Vec<CallSummary>,
    /// What is known of each resource: instances, nodes of stores, policies that keep something, in a
    /// fixed order.
    pub resources: Vec<Resource>,
    /// Every change of a breaker's state, in order.
    pub transitions: Vec<TransitionLine>,
    /// What autoscalers and outlier detection decided and why, in order, up to a bound.
    pub decisions: Vec<LogLine>,
    /// The decisions of policies and the story of faults, in order, up to a bound.
    pub log: Story,
    /// How many lines the bound kept out of `log`.
    pub log_omitted: u64,
    /// Counts and latencies per window of time.
    pub series: Series,
    /// What became of the system after the faults and spikes of load; `None` without any.
    pub recovery: Option<Recovery>,
    /// When which fault was active.
    pub faults: Vec<FaultWindow>,
    /// Planned faults that never struck, or met nobody.
    pub faults_missed: Vec<FaultMissed>,
}

/// A planned fault that changed nothing: `app: refuses connections, at 40s, when nobody came any
/// more`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultMissed {
    /// What was planned: `app: refuses connections`.
    pub label: String,
    /// Why it changed nothing.
    pub why: MissedBecause,
}

/// Why a fault changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissedBecause {
    /// It is between two who send each other nothing.
    NoTraffic,
    /// Nobody came any more from then on.
    NobodyLeft(Span),
    /// A user was to do something, and none of the client's waited then.
    NobodyWaits(Span),
    /// The run ended before then.
    NotReached(Span),
    /// Its point was not passed so often.
    NotPassed {
        /// The point: `api.pay/charged`.
        point: String,
        /// At which passage it would have struck.
        nth: u32,
        /// How often the point was passed.
        passed: u32,
    },
}

impl MissedBecause {
    /// Its name in JSON, which stays as it is.
    pub const fn id(&self) -> &'static str {
        match self {
            MissedBecause::NoTraffic => "no_traffic",
            MissedBecause::NobodyLeft(_) => "nobody_left",
            MissedBecause::NobodyWaits(_) => "nobody_waits",
            MissedBecause::NotReached(_) => "not_reached",
            MissedBecause::NotPassed { .. } => "not_passed",
        }
    }
}

impl fmt::Display for MissedBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissedBecause::NoTraffic => write!(f, "between two who send each other nothing"),
            MissedBecause::NobodyLeft(at) => write!(f, "at {at}, when nobody came any more"),
            MissedBecause::NobodyWaits(at) => write!(f, "at {at}, when none of its users waited"),
            MissedBecause::NotReached(at) => write!(f, "at {at}"),
            MissedBecause::NotPassed { point, nth, passed } => {
                write!(f, "at passage {nth} of {point}, which was passed {passed} times")
            }
        }
    }
}

impl fmt::Display for FaultMissed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.label, self.why)
    }
}

impl Outcome {
    /// Why the system was not well, if it was not. Of fewer than thirty intents nothing is known.
    pub fn unwell(&self) -> Option<Unwell<'_>> {
        if let Some(recovery) = self.recovery.as_ref().filter(|recovery| recovery.is_unwell()) {
            return Some(Unwell::Recovery(recovery));
        }
        let Goodput { offered, achieved, .. } = self.goodput;
        if offered >= SAMPLES_MIN && achieved == 0 {
            return Some(Unwell::NoGoodput(offered));
        }
        let (intents, from) = self.series.last_without_goodput()?;
        (intents >= SAMPLES_MIN).then_some(Unwell::EndsWithout(intents, from))
    }

    /// An actor, by its name.
    pub fn actor(&self, name: &str) -> Option<&ActorSummary> {
        self.actors.iter().find(|actor| actor.name == name)
    }

    /// The actors of a kind, in the same order.
    pub fn actors_of(&self, kind: ActorKind) -> impl Iterator<Item = &ActorSummary> {
        self.actors.iter().filter(move |actor| actor.kind == kind)
    }

    /// The calls from one actor to another, by their names.
    pub fn call(&self, from: &str, to: &str) -> Option<&CallSummary> {
        self.calls.iter().find(|call| call.from == from && call.to == to)
    }

    /// A resource, by its name.
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.name == name)
    }

    /// A kind of effect, such as `charge`.
    pub fn effect(&self, kind: &str) -> Option<&EffectSummary> {
        self.effects.iter().find(|effect| effect.kind == kind)
    }

    /// An invariant, as written in the scenario: `ExactlyOnce("charge")`.
    pub fn invariant(&self, name: &str) -> Option<&InvariantResult> {
        self.invariants.iter().find(|invariant| invariant.name == name)
    }
}

/// What ended a run before its horizon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunLimit {
    /// A limit on the whole run.
    Engine(LimitHit),
    /// A program that builds values without end.
    Overfull {
        /// The program: an endpoint or a client.
        program: String,
    },
    /// A program that goes on and on without waiting for anything.
    Endless {
        /// The program: an endpoint or a client.
        program: String,
    },
    /// A policy that wakes calls, or sends them in, again and again while no time passes.
    Restless {
        /// Where it stands: `api->psp provider`.
        policy: String,
    },
    /// An actor or a policy written in Rust asks for what there is not.
    Mistaken {
        /// Who, and what it asks for.
        what: String,
    },
    /// Somebody did not want it to go on.
    CalledOff {
        /// How far it was.
        at: Time,
        /// How far it would have gone.
        horizon: Time,
    },
}

impl RunLimit {
    /// Its name in JSON, which stays as it is.
    pub const fn name(&self) -> &'static str {
        match self {
            RunLimit::Engine(LimitHit::Steps { .. }) => "steps",
            RunLimit::Engine(LimitHit::Time { .. }) => "time",
            RunLimit::Engine(LimitHit::Pending { .. }) => "pending",
            RunLimit::Engine(LimitHit::Memory { .. }) => "memory",
            RunLimit::Engine(LimitHit::Scheduled { .. }) => "scheduled",
            RunLimit::Overfull { .. } => "overfull",
            RunLimit::Endless { .. } => "endless",
            RunLimit::Restless { .. } => "restless",
            RunLimit::Mistaken { .. } => "mistaken",
            RunLimit::CalledOff { .. } => "called_off",
        }
    }
}

impl fmt::Display for RunLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunLimit::Engine(limit) => limit.fmt(f),
            RunLimit::Overfull { program } => {
                write!(f, "the program of {program} built texts or records that are too large")
            }
            RunLimit::Endless { program } => {
                write!(f, "the program of {program} ran a million steps without waiting")
            }
            RunLimit::Restless { policy } => {
                write!(f, "a policy of {policy} goes round in circles while no time passes")
            }
            RunLimit::Mistaken { what } => f.write_str(what),
            RunLimit::CalledOff { at, horizon } => {
                write!(f, "it was called off at {at} of {horizon}")
            }
        }
    }
}

/// Names a run. Two runs with equal ids have equal digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    /// Hash of the scenario file as it was written.
    pub scenario_hash: u64,
    /// Hash of the variant and overrides; `None` for the file as it stands.
    pub overrides_hash: Option<u64>,
    /// The seed.
    pub seed: u64,
}

impl RunId {
    /// The version of this id and of the record format.
    pub const FORMAT: u32 = 1;
    /// The version of the engine and the models.
    pub const ENGINE: &str = env!("CARGO_PKG_VERSION");
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}-{:016x}", Self::FORMAT, self.scenario_hash)?;
        if let Some(hash) = self.overrides_hash {
            write!(f, "+{hash:016x}")?;
        }
        write!(f, "-s{}-v{}", self.seed, Self::ENGINE)
    }
}

/// The judgement over a run. `docs/VERDICTS.md` says when it is which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every invariant that the run put to the test held, one at least, and the system was well.
    Kept,
    /// No invariant was broken, and none was put to the test.
    NothingChecked,
    /// No invariant was broken, and yet the system was not well: [`Outcome::unwell`] says why.
    Unhealthy,
    /// The run ended at a limit before its horizon, so that nothing can be concluded.
    Invalid,
    /// At least one invariant was broken.
    Violated,
}

impl Verdict {
    /// Every verdict. Of a run, the first that applies is given.
    pub const ALL: [Verdict; 5] = [
        Verdict::Invalid,
        Verdict::Violated,
        Verdict::Unhealthy,
        Verdict::NothingChecked,
        Verdict::Kept,
    ];

    /// Its name in JSON and records, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Kept => "kept",
            Verdict::NothingChecked => "nothing_checked",
            Verdict::Unhealthy => "unhealthy",
            Verdict::Invalid => "invalid",
            Verdict::Violated => "violated",
        }
    }

    pub(crate) fn of(outcome: &Outcome) -> Verdict {
        let any = |verdict| outcome.invariants.iter().any(|i| i.verdict == verdict);
        if outcome.limit.is_some() {
            Verdict::Invalid
        } else if any(InvariantVerdict::Violated) {
            Verdict::Violated
        } else if outcome.unwell().is_some() {
            Verdict::Unhealthy
        } else if any(InvariantVerdict::Kept) {
            Verdict::Kept
        } else {
            Verdict::NothingChecked
        }
    }
}

/// As people read it: `nothing checked`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::NothingChecked => f.pad("nothing checked"),
            verdict => f.pad(verdict.name()),
        }
    }
}

/// Why a system was not well, whatever its invariants say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unwell<'a> {
    /// It stayed down after its trigger, or was not well before it.
    Recovery(&'a Recovery),
    /// None of the intents that arose after the warm-up succeeded; there were so many.
    NoGoodput(u64),
    /// Nobody succeeded any more from an instant on; so many intents arose since.
    EndsWithout(u64, Time),
}

impl Unwell<'_> {
    /// Its name in JSON, which stays as it is.
    pub fn name(self) -> &'static str {
        match self {
            Unwell::Recovery(recovery) => recovery.state.name(),
            Unwell::NoGoodput(_) => "no_goodput",
            Unwell::EndsWithout(..) => "ends_without_goodput",
        }
    }
}

/// `none of 1,000 intents succeeded`.
impl fmt::Display for Unwell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwell::Recovery(recovery) => recovery.fmt(f),
            Unwell::NoGoodput(intents) => write!(f, "none of {intents} intents succeeded"),
            Unwell::EndsWithout(intents, from) => {
                write!(f, "none of the last {intents} intents succeeded, from {from} on")
            }
        }
    }
}

/// What became of one invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantResult {
    /// As written in the scenario: `ExactlyOnce("charge")`.
    pub name: String,
    /// Listed in the scenario's `breaks`: the run is there to show how it is broken.
    pub known: bool,
    /// Kept, violated, or never exercised.
    pub verdict: InvariantVerdict,
    /// How often it was broken.
    pub violations: u64,
    /// The first violation.
    pub first: Option<Violation>,
}

/// The judgement over one invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvariantVerdict {
    /// It was exercised and held.
    Kept,
    /// It was broken.
    Violated,
    /// Nothing in the run exercised it; it says nothing.
    Vacuous,
}

impl InvariantVerdict {
    /// Its name in JSON, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            InvariantVerdict::Kept => "kept",
            InvariantVerdict::Violated => "violated",
            InvariantVerdict::Vacuous => "vacuous",
        }
    }
}

impl fmt::Display for InvariantVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One broken promise, with the least that convinces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it was broken.
    pub at: Time,
    /// The step of the run that broke it; `None` where something had not happened by then.
    pub step: Option<u64>,
    /// The intent whose story it is, if it concerns one.
    pub intent: Option<String>,
    /// Another intent that takes part in it: the one that got its charge, or held its lock.
    pub other: Option<String>,
    /// Who took the step: an actor, a caller and callee, or the user.
    pub who: String,
    /// What the step did. Where the story has a line for it, `who` and `what` are that line's.
    pub what: String,
    /// What shows it, for people: `shoppers-17 charged twice: tx-4 at 3.2s, tx-9 at 34.1s`.
    pub witness: String,
}

/// One durable effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// When it took effect.
    pub at: Time,
    /// The kind, such as `charge`.
    pub kind: String,
    /// The actor at which it took effect.
    pub actor: String,
    /// The user's decision that it serves, such as `shoppers-17`.
    pub intent: String,
    /// Its own id, such as `charge-4`.
    pub id: String,
}

/// How the run went on after its horizon for those who waited.
///
/// Nothing new arises after the horizon. Who has no answer by then is waited for until none is
/// left, or until the grace is over. So nobody's answer is missing because the run was cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// For how long at most.
    pub most: Span,
    /// For how long it was.
    pub taken: Span,
    /// The limit that ended it early, if one did.
    pub cut: Option<LimitHit>,
}

/// What is measured of a stretch of time: of what arose, arrived or began in it.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The stretch; `None` from the warm-up to the horizon.
    pub during: Option<Stretch>,
    /// Its length.
    pub length: Span,
    /// The intents of all clients.
    pub goodput: Goodput,
    /// The intents of each client.
    pub clients: Vec<(String, Goodput)>,
    /// Latencies of actors, endpoints (`api.pay`) and calls over a hop (`api->psp`), of those that
    /// have any.
    pub latencies: Vec<(String, Latencies)>,
    /// What workers and queues held on average, of services.
    pub loads: Vec<(String, ServiceLoad)>,
    /// Calls of each hop, and the attempts of these calls.
    pub calls: Vec<(String, Calls)>,
    /// Requests that were sent to each actor for the intents.
    pub requests: Vec<(String, u64)>,
    /// Requests that were sent for the intents to actors that ask nobody else.
    pub leaf_requests: u64,
    /// Each instance of the services that have several, up to a thousand.
    pub instances: Vec<MeasuredInstance>,
}

/// What is measured of one instance of a service.
#[derive(Clone, Debug)]
pub struct MeasuredInstance {
    /// `api[3]`.
    pub name: String,
    /// From a request's arrival to its answer.
    pub latencies: Latencies,
    /// What its workers and its queue held on average.
    pub load: Option<ServiceLoad>,
}

impl Measured {
    /// The latencies of an actor, an instance, an endpoint or a hop, if it has any.
    pub fn latencies_of(&self, name: &str) -> Option<&Latencies> {
        let found = self.latencies.iter().find(|(found, _)| found == name);
        let of_instance = || self.instance(name).map(|own| &own.latencies);
        found.map(|(_, latencies)| latencies).or_else(of_instance)
    }

    /// What became of a client's intents.
    pub fn goodput_of(&self, client: &str) -> Option<&Goodput> {
        self.clients.iter().find(|(found, _)| found == client).map(|(_, goodput)| goodput)
    }

    /// What a service or an instance held on average.
    pub fn load_of(&self, name: &str) -> Option<&ServiceLoad> {
        let found = self.loads.iter().find(|(found, _)| found == name);
        found.map(|(_, load)| load).or_else(|| self.instance(name)?.load.as_ref())
    }

    fn instance(&self, name: &str) -> Option<&MeasuredInstance> {
        self.instances.iter().find(|own| own.name == name)
    }
}

/// Calls and their attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that a program made.
    pub calls: u64,
    /// Attempts of these calls, whenever they were sent.
    pub attempts: u64,
}

impl Calls {
    /// Attempts per call; `None` without a call.
    pub fn amplification(self) -> Option<f64> {
        (self.calls > 0).then(|| self.attempts as f64 / self.calls as f64)
    }
}

/// The users' intents after the warm-up, by what they were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Goodput {
    /// Intents that arose.
    pub offered: u64,
    /// Those that were told success: by the horizon, or before they had waited for longer than the
    /// grace.
    pub achieved: u64,
    /// Those whose last submission ended, likewise, without any of them having succeeded.
    pub missed: u64,
    /// Those whose success rests on a fallback's answer; it is not goodput.
    pub degraded: u64,
}

/// Of several runs together.
impl AddAssign for Goodput {
    fn add_assign(&mut self, other: Goodput) {
        self.offered += other.offered;
        self.achieved += other.achieved;
        self.missed += other.missed;
        self.degraded += other.degraded;
    }
}

impl Goodput {
    /// Those that were told nothing in time.
    pub fn unanswered(&self) -> u64 {
        self.offered.saturating_sub(self.achieved + self.missed + self.degraded)
    }
}

/// What a service holds at an instant, counted anew from its queues and tasks.
///
/// At every instant `arrived` is `ended + waiting + in_service`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceBooks {
    /// The service's name.
    pub name: String,
    /// Requests that have arrived.
    pub arrived: u64,
    /// Those that were answered, turned away, or accepted and forgotten by a fault.
    pub ended: u64,
    /// Those that wait for a worker.
    pub waiting: u64,
    /// Those whose program has begun and has not answered.
    pub in_service: u64,
    /// Workers that a program holds.
    pub busy: u64,
    /// The same as the running totals of the metrics have it.
    pub busy_told: u64,
    /// Waiting requests, as the running totals have it.
    pub waiting_told: u64,
    /// Instances with a free worker beside a waiting request; there never are any.
    pub idle_beside_work: u64,
    /// No instance is alive.
    pub crashed: bool,
}

/// What one actor did.
#[derive(Clone, Debug)]
pub struct ActorSummary {
    /// The actor's name in the scenario.
    pub name: String,
    /// What it is.
    pub kind: ActorKind,
    /// Counts in a fixed order.
    pub counters: Vec<(Counter, u64)>,
    /// Of successes. Client: from a submission to its end, and of those that have none, for how
    /// long they have waited. Others: from a request's arrival to its answer.
    pub latency: Option<Latency>,
    /// Of everything that ended otherwise.
    pub latency_failed: Option<Latency>,
    /// What its workers and its queue held on average, of a service.
    pub load: Option<ServiceLoad>,
    /// What became of its intents after the warm-up, of a client.
    pub goodput: Option<Goodput>,
    /// Each of its instances, of a service that has several, up to a thousand: `api[3]`.
    pub instances: Vec<ActorSummary>,
}

impl ActorSummary {
    /// One of its counts; `None` where actors of its kind have no such count.
    pub fn counter(&self, counter: Counter) -> Option<u64> {
        self.counters.iter().find(|(found, _)| *found == counter).map(|(_, n)| *n)
    }
}

/// What an actor is. One written in Rust is none of the others, whatever its kind is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActorKind {
    /// Where intents arise.
    Client,
    /// Workers, a queue and endpoints.
    Service,
    /// A Redis-like store.
    Store,
    /// What delivers published messages.
    Broker,
    /// Of a kind written in Rust, with its name.
    Custom(String),
}

impl ActorKind {
    /// Its name in tables and JSON: `client`, `service`, `kv`, `broker`, or that of a custom kind.
    pub fn name(&self) -> &str {
        match self {
            ActorKind::Client => "client",
            ActorKind::Service => "service",
            ActorKind::Store => "kv",
            ActorKind::Broker => "broker",
            ActorKind::Custom(kind) => kind,
        }
    }
}

/// Averages over time of a service's workers and queue, from the warm-up to the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServiceLoad {
    /// Busy workers. One that waits for somebody else in a blocking service is busy.
    pub busy_mean: f64,
    /// Requests waiting for a worker.
    pub waiting_mean: f64,
    /// Busy workers as a share of all.
    pub utilisation: f64,
    /// Of the workers' time, the share that went into requests whose answer nobody awaited when it
    /// came, or that a crash or a cancellation cut short. Null for a service that never worked.
    pub wasted: Option<f64>,
}

/// What became of the calls from one actor to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSummary {
    /// The caller's name.
    pub from: String,
    /// The callee's name.
    pub to: String,
    /// Calls that a program made.
    pub calls: u64,
    /// Attempts that were sent.
    pub attempts: u64,
    /// Attempts beyond a call's first.
    pub retries: u64,
    /// Calls that ended in success (a fallback's answer included).
    pub success: u64,
    /// Calls that ended in a definite failure.
    pub failed: u64,
    /// Calls that ended with an unknown fate.
    pub unknown: u64,
    /// Calls whose caller left, crashed or timed out around them.
    pub abandoned: u64,
    /// Answers that a fallback gave.
    pub fallbacks: u64,
    /// Hedges that were sent, each before an earlier attempt had ended. They count as retries too.
    pub hedges: u64,
    /// Retries of calls without a key that may have had their effect, because the scenario
    /// insists.
    pub unsafe_retries: u64,
    /// Refusals by the caller's own policies, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// Why retrying ended without success, by reason.
    pub given_up: Vec<(&'static str, u64)>,
    /// How the attempts ended, each once, and what was not sent; those that occurred, in order.
    pub endings: Vec<(HopEnding, u64)>,
}

impl CallSummary {
    /// Attempts per call; `None` where nothing was called.
    pub fn amplification(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.attempts as f64 / self.calls as f64)
    }
}

/// One change of a breaker's state.
#[derive(Clone, Debug, PartialEq)]
pub struct TransitionLine {
    /// When.
    pub at: Time,
    /// The stack in which the breaker stands: `api->psp provider`.
    pub policy: String,
    /// The instance of the caller whose breaker it is, where there are several.
    pub instance: Option<u32>,
    /// How many instances of the caller have such a breaker: those that have called.
    pub instances: u32,
    /// The state that was left.
    pub from: StateName,
    /// The state that was entered.
    pub to: StateName,
    /// What brought it about.
    pub reason: TransitionReason,
    /// The numbers on which that rests, where there are some.
    pub weighed: Option<Weighed>,
}

impl TransitionLine {
    /// Which breaker: `api->psp provider`, or `api[3]->psp provider` where there are several.
    pub fn breaker(&self) -> String {
        crate::plan::name_of_layer(&self.policy, self.instance)
    }

    /// Why, with the numbers: `failure rate (5 of 5 are 100 %, threshold 50 %)`.
    pub fn why(&self) -> String {
        Because { reason: self.reason, weighed: self.weighed }.to_string()
    }
}

/// What happened per window of time.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The length of a window; window `i` covers `[i × width, (i + 1) × width)`.
    pub width: Span,
    /// Intents that arose.
    pub offered: Vec<u32>,
    /// Intents that were told success for the first time.
    pub goodput: Vec<u32>,
    /// Intents whose last submission ended without any of them having succeeded.
    pub failed: Vec<u32>,
    /// Attempts beyond a call's first, on any hop.
    pub retries: Vec<u32>,
    /// Median latency of the submissions that succeeded in the window.
    pub latency_p50: Vec<Option<Span>>,
    /// 99th percentile of the same.
    pub latency_p99: Vec<Option<Span>>,
    /// The levels of resources that ever moved, in the order of [`Outcome::resources`].
    pub levels: Vec<LevelSeries>,
    /// Median of the time that the submissions took which ended otherwise in the window.
    pub failed_p50: Vec<Option<Span>>,
    /// 99th percentile of the same.
    pub failed_p99: Vec<Option<Span>>,
    /// Per client, in the scenario's order.
    pub clients: Vec<ClientSeries>,
    /// Per service: workers whose work turned out to be wanted by nobody, averaged over the window
    /// in which it turned out.
    pub wasted: Vec<(String, Vec<f64>)>,
    /// Per hop, `api->psp`: attempts per call; `None` where nothing was called.
    pub amplification: Vec<(String, Vec<Option<f64>>)>,
    /// Per actor that is asked and asks nobody itself: requests sent to it per intent, for the
    /// intents that arose in the window; `None` where none did.
    pub requests_per_intent: Vec<(String, Vec<Option<f64>>)>,
    /// Per hop: how what ended in the window did.
    pub endings: Vec<EndingSeries>,
    /// Per kind of effect. What happens after the horizon is in the last window.
    pub effects: Vec<EffectSeries>,
    /// Per invariant that was broken, by its name: violations. Those after the horizon are in the
    /// last window.
    pub violations: Vec<(String, Vec<u32>)>,
}

/// How the attempts over a hop ended, per window of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndingSeries {
    /// The hop: `api->psp`.
    pub hop: String,
    /// Those endings that occurred, in order. What is open at the end is in no window.
    pub endings: Vec<(HopEnding, Vec<u32>)>,
}

/// What a client's users got, per window of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSeries {
    /// The client's name.
    pub name: String,
    /// Intents that arose.
    pub offered: Vec<u32>,
    /// Intents that were told success for the first time, a fallback's answer excepted.
    pub goodput: Vec<u32>,
    /// Those whose success rests on a fallback's answer.
    pub degraded: Vec<u32>,
    /// Intents whose last submission ended without any of them having succeeded.
    pub failed: Vec<u32>,
    /// Intents that arose in the window and were never told anything, or not within the grace.
    pub unanswered: Vec<u32>,
    /// Median latency of the submissions that succeeded in the window.
    pub latency_p50: Vec<Option<Span>>,
    /// 99th percentile of the same.
    pub latency_p99: Vec<Option<Span>>,
    /// Median of the time that those took which ended otherwise in the window.
    pub failed_p50: Vec<Option<Span>>,
    /// 99th percentile of the same.
    pub failed_p99: Vec<Option<Span>>,
}

impl Series {
    /// A level of a resource, by its name; `None` where it never moved.
    pub fn level(&self, resource: &str, quantity: Quantity) -> Option<&LevelSeries> {
        let is_it = |level: &&LevelSeries| level.resource == resource && level.quantity == quantity;
        self.levels.iter().find(is_it)
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.offered.len()
    }

    /// The window of an instant; of one after the run, the last.
    pub(crate) fn window_at(&self, at: Time) -> usize {
        let window = at.as_nanos().checked_div(self.width.as_nanos()).unwrap_or_default() as usize;
        window.min(self.len().saturating_sub(1))
    }

    /// Keeps those invariants that were broken, each with a count for every window.
    pub(crate) fn settle_violations(&mut self, results: &[InvariantResult]) {
        let windows = self.len();
        let all = std::mem::take(&mut self.violations).into_iter().zip(results);
        let broken = all.filter(|(_, result)| result.violations > 0);
        self.violations = broken
            .map(|((name, mut counts), result)| {
                let late: u32 = counts.drain(windows.min(counts.len())..).sum();
                counts.resize(windows, 0);
                if let Some(last) = counts.last_mut() {
                    *last += late;
                }
                // One that is judged by a figure was counted in no window.
                let first = result.first.as_ref().map(|first| self.window_at(first.at));
                let judged = first.filter(|_| counts.iter().all(|count| *count == 0));
                if let Some(count) = judged.and_then(|window| counts.get_mut(window)) {
                    *count = 1;
                }
                (name, counts)
            })
            .collect();
    }

    /// The intents of the last sixth of the run up to the last that arose, and its beginning, when
    /// nobody succeeded from then on.
    fn last_without_goodput(&self) -> Option<(u64, Time)> {
        let loaded = self.offered.iter().rposition(|&offered| offered > 0)? + 1;
        let from = loaded.saturating_sub(self.len().div_ceil(6));
        let total = |counts: &[u32]| counts.iter().map(|&n| u64::from(n)).sum::<u64>();
        let at = Time::ZERO + self.width * from as u64;
        (total(&self.goodput[from..]) == 0).then(|| (total(&self.offered[from..]), at))
    }

    /// True when no time has passed.
    pub fn is_empty(&self) -> bool {
        self.offered.is_empty()
    }
}

/// A fault's active time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultWindow {
    /// What it does, for people: `psp: errors 100% (503)`.
    pub label: String,
    /// When it struck.
    pub from: Time,
    /// When it healed, or the run's end.
    pub to: Time,
}
