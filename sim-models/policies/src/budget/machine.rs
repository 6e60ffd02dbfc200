//! What a budget hears of calls, and what a call keeps of it.

use sim_core::Time;

use crate::Ending;

/// What a call holds of its budget.
///
/// It is a plain value, so that a call can be copied with it; each is begun once and ended once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// Envoy: one of its attempts is counted as under way.
    pub(super) active: bool,
    /// Envoy: it holds a retry.
    pub(super) retrying: bool,
    /// gRPC: the failure of its last attempt has been counted.
    pub(super) counted: bool,
    /// AWS: the tokens that its last retry took.
    pub(super) acquired: u32,
}

/// What each budget does; a budget leaves out what it has no use for.
pub trait Machine {
    /// A call starts, with its first attempt.
    fn begin(&mut self, ticket: &mut Ticket, now: Time) {
        let _ = (ticket, now);
    }

    /// An attempt has ended, in whatever way.
    fn attempt_ended(&mut self, ticket: &mut Ticket, now: Time, ending: Ending) {
        let _ = (ticket, now, ending);
    }

    /// True when the call may retry its last attempt, which has ended in `ending`; what that costs
    /// is taken then.
    fn withdraw(&mut self, ticket: &mut Ticket, now: Time, ending: Ending) -> bool;

    /// How much is left at `now`, in what the library counts; `None` where it keeps no such number.
    /// Asking changes nothing.
    fn left(&self, now: Time) -> Option<f64> {
        let _ = now;
        None
    }

    /// The call is over, in whatever way. An abandoned call has not succeeded.
    fn end(&mut self, ticket: Ticket, now: Time, succeeded: bool) {
        let _ = (ticket, now, succeeded);
    }
}
