//! What must hold.

use sim_core::{Span, Time};
use sim_policies::breaker::StateName;
use sim_redis::value::Value;

use super::{ActorId, BreakerId, EndpointId, KindId, PairId};

/// An invariant of a compiled scenario.
#[derive(Clone, Debug)]
pub(crate) struct InvariantPlan {
    /// As the scenario spells it.
    pub name: String,
    /// The scenario is there to show how it is broken.
    pub known: bool,
    pub rule: Rule,
}

/// What must hold.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    ExactlyOnce(KindId),
    AtMostOnce(KindId),
    AckedImpliesDone(KindId),
    FailedImpliesNone(KindId),
    AllAnswered,
    RecoversWithin(Span),
    Goodput { client: ActorId, at_least: f64, from: Time, until: Time },
    PeakArrivals { at: ActorId, max: u64, window: Span, retries_only: bool },
    Transitions { breaker: BreakerId, expect: Vec<(Time, StateName)> },
    RetryWaits { pair: PairId, between: Vec<(Span, Span)> },
    ReceiptMatches(KindId),
    EqualReplays { server: Server, keyed: bool },
    SettlesWithin(Span),
    OneInFlight(Server),
    NoMerge(KindId),
    BooksBalance(BooksRule),
    LockDiscipline { store: ActorId, locks: String },
    StoredIsKnown(ActorId),
    FencingMonotone(KindId),
    AppliedOnce { cause: KindId, effect: KindId, within: Span },
}

/// The kinds of effects that make up the books.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BooksRule {
    pub captured: KindId,
    pub refunded: Option<KindId>,
    pub fulfilled: KindId,
}

/// Who answers calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Endpoint(EndpointId),
    Custom { actor: ActorId, endpoint: Value },
}
