//! What must hold, as the plan of a scenario says it.

use sim_core::{Span, Time};

use super::answered::AllAnswered;
use super::applied::Applied;
use super::books::{Books, BooksRule};
use super::flights::Flights;
use super::goodput::Goodput;
use super::locks::Locks;
use super::merges::Merges;
use super::once::Once;
use super::peak::PeakArrivals;
use super::receipts::Receipts;
use super::recovery::Recovery;
use super::replays::Replays;
use super::settled::Settling;
use super::stored::Stored;
use super::tokens::Tokens;
use super::told::{Acked, Failed};
use super::transitions::Transitions;
use super::waits::Waits;
use super::{Law, Server};
use crate::plan::{ActorId, BreakerId, KindId, PairId};
use sim_policies::breaker::StateName;

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

impl Rule {
    /// The law that checks it in one run.
    pub(super) fn law(&self) -> Box<dyn Law> {
        match self.clone() {
            Rule::ExactlyOnce(kind) => Box::new(Once { kind, acked: true }),
            Rule::AtMostOnce(kind) => Box::new(Once { kind, acked: false }),
            Rule::AckedImpliesDone(kind) => Box::new(Acked { kind }),
            Rule::FailedImpliesNone(kind) => Box::new(Failed::new(kind)),
            Rule::AllAnswered => Box::new(AllAnswered),
            Rule::RecoversWithin(within) => Box::new(Recovery::new(within)),
            Rule::Goodput { client, at_least, from, until } => {
                Box::new(Goodput::new(client, at_least, from..until))
            }
            Rule::PeakArrivals { at, max, window, retries_only } => {
                Box::new(PeakArrivals::new(at, max, window, retries_only))
            }
            Rule::Transitions { breaker, expect } => Box::new(Transitions { breaker, expect }),
            Rule::RetryWaits { pair, between } => Box::new(Waits::new(pair, between)),
            Rule::ReceiptMatches(kind) => Box::new(Receipts::new(kind)),
            Rule::EqualReplays { server, keyed } => Box::new(Replays::new(server, keyed)),
            Rule::SettlesWithin(within) => Box::new(Settling::new(within)),
            Rule::OneInFlight(server) => Box::new(Flights::new(server)),
            Rule::NoMerge(kind) => Box::new(Merges::new(kind)),
            Rule::BooksBalance(rule) => Box::new(Books::new(rule)),
            Rule::LockDiscipline { store, locks } => Box::new(Locks::new(store, locks)),
            Rule::StoredIsKnown(store) => Box::new(Stored { store }),
            Rule::FencingMonotone(kind) => Box::new(Tokens::new(kind)),
            Rule::AppliedOnce { cause, effect, within } => {
                Box::new(Applied::new(cause, effect, within))
            }
        }
    }
}
