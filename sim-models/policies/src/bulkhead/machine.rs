//! The conversation between calls and a bulkhead.

use sim_core::{Span, Time};

pub use super::line::Place;
use crate::Reason;

/// The answer to a call that wants to go.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// It goes. The permit is settled when it ends.
    Admitted(BulkheadPermit),
    /// It waits, until [`Machine::settle`] names its token, or until it leaves its place.
    Queued(Place),
    /// It may not, and waits for nothing.
    Refused(Reason),
}

/// The right to one call under way, given back to [`Machine::settle`] when the call ends in
/// whatever way. A permit that is dropped instead is lost to the bulkhead for good.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct BulkheadPermit(pub(super) ());

/// A bulkhead. Time may stand still, but not go back.
pub trait Machine {
    /// A call wants to go. `token` is the caller's name for it, given back when its turn comes.
    fn enter(&mut self, now: Time, token: u64) -> Entry;

    /// A call has ended. Whoever waits first goes now, with the permit that is returned: its token
    /// and its permit, and its place is free.
    ///
    /// # Panics
    /// When more permits come back than were given: one was another bulkhead's.
    #[must_use = "the call whose turn it is would never go"]
    fn settle(&mut self, permit: BulkheadPermit, now: Time) -> Option<(u64, BulkheadPermit)>;

    /// A call has waited too long, or its caller is gone: its turn will not come any more.
    ///
    /// # Panics
    /// When its turn has already come: then its permit is settled instead.
    fn leave(&mut self, place: Place);

    /// How long a call may stand in the queue, after which its caller makes it leave; `None` is
    /// without end.
    fn longest_wait(&self) -> Option<Span> {
        None
    }

    /// Calls under way, 0 to the limit.
    fn in_use(&self) -> u32;

    /// The most calls that can be under way.
    fn limit(&self) -> u32;

    /// Places of the queue that are taken, also by calls that have left and still hold theirs.
    fn queued(&self) -> u32;

    /// All places of the queue.
    fn places(&self) -> u32;
}
