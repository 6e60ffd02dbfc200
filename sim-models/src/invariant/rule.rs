//! From what must hold to who watches over it.

use super::answered::AllAnswered;
use super::applied::Applied;
use super::books::Books;
use super::flights::Flights;
use super::goodput::Goodput;
use super::law::Law;
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
use crate::plan::Rule;

/// The law that checks a rule in one run.
pub(super) fn law(rule: &Rule) -> Box<dyn Law> {
    match rule.clone() {
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
