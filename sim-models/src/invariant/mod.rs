//! Invariants: what must hold, watched read-only.
//!
//! The world shows a [`Watch`] what happens, as it happens, and itself at the end of the run. Each
//! rule is a [`Law`] with a file of its own and a row in [`law()`]. It looks at what concerns it,
//! remembers what it must, and tells its [`Findings`]. No law can draw or schedule, so that
//! checking never changes a run; a happening that no law wants to see costs one test of a bit. A
//! promise that nothing in the run put to the test is *vacuous*, not kept.

mod answered;
mod applied;
mod books;
mod findings;
mod flights;
mod goodput;
mod law;
mod locks;
mod merges;
mod once;
mod peak;
mod receipts;
mod recovery;
mod replays;
mod settled;
mod stored;
mod tokens;
mod told;
mod transitions;
mod undone;
mod waits;
mod watch;
mod write;

use crate::plan::{Plan, Rule};

pub(crate) use findings::Findings;
use findings::{Breach, When};
use law::Law;
pub(crate) use law::{Scene, Seen, Topic};
pub(crate) use settled::GAVE_UP;
pub(crate) use watch::Watch;
pub(crate) use write::Write;

/// The law that checks a rule in one run.
fn law(rule: &Rule, plan: &Plan) -> Box<dyn Law> {
    match rule.clone() {
        Rule::ExactlyOnce(kind) => Box::new(once::Once { kind, acked: true }),
        Rule::AtMostOnce(kind) => Box::new(once::Once { kind, acked: false }),
        Rule::AckedImpliesDone(kind) => Box::new(told::Acked { kind }),
        Rule::FailedImpliesNone(kind) => Box::new(told::Failed::new(kind)),
        Rule::AllAnswered => Box::new(answered::AllAnswered),
        Rule::RecoversWithin(within) => Box::new(recovery::Recovery::new(within)),
        Rule::Goodput { client, at_least, from, until } => {
            Box::new(goodput::Goodput::new(client, at_least, from, until))
        }
        // Its figure is known when the run is over; `promises` judges it.
        Rule::Threshold(_) => Box::new(law::Unseen),
        Rule::PeakArrivals { at, max, window, retries_only } => {
            Box::new(peak::PeakArrivals::new(at, max, window, retries_only))
        }
        Rule::Transitions { breaker, expect } => {
            Box::new(transitions::Transitions::new(breaker, expect))
        }
        Rule::RetryWaits { call, between } => Box::new(waits::Waits::new(call, between)),
        Rule::ReceiptMatches(kind) => Box::new(receipts::Receipts::new(kind)),
        Rule::EqualReplays(server) => {
            Box::new(replays::Replays::new(server, plan.looks_at_keys(server)))
        }
        Rule::SettlesWithin(within) => Box::new(settled::Settling::new(within)),
        Rule::OneInFlight(server) => Box::new(flights::Flights::new(server)),
        Rule::UndoneStaysUndone(kind) => Box::new(undone::Undone::new(kind)),
        Rule::NoMerge(kind) => Box::new(merges::Merges::new(kind)),
        Rule::BooksBalance { captured, refunded, fulfilled } => {
            Box::new(books::Books::new(captured, refunded, fulfilled))
        }
        Rule::LockDiscipline { store, locks } => Box::new(locks::Locks::new(store, locks)),
        Rule::StoredIsKnown(store) => Box::new(stored::Stored { store }),
        Rule::FencingMonotone(kind) => Box::new(tokens::Tokens::new(kind)),
        Rule::AppliedOnce { cause, effect, within } => {
            Box::new(applied::Applied::new(cause, effect, within))
        }
    }
}
