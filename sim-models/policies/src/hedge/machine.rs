//! What a hedging policy decides, and what it learns.

use sim_core::Span;

use crate::{Ending, OutOfRange};

/// What an attempt's ending means for its call.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is the call's answer. The others are let go of; what they were sent for may go on.
    Wins,
    /// It does not answer the call. The next hedge, if [`Hedge::next`](super::Hedge::next) has one,
    /// goes at once; the others are waited for.
    SendNext,
    /// It does not answer the call. The others are waited for, and the next hedge keeps its time.
    Wait,
    /// It is the call's failure. The others are let go of; what they were sent for may go on.
    Fatal,
}

/// What a call ends with when no attempt is left and none has won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllFailed {
    /// The ending of the first attempt that was sent.
    First,
    /// The ending that came last.
    Last,
}

/// One library's hedging. By default it learns nothing, and the first ending decides.
pub trait Machine {
    /// Attempts beside the first.
    fn max_hedges(&self) -> u32;

    /// How long after the latest attempt the next goes if no ending says otherwise; [`Span::MAX`]
    /// means that only a [`Judgement::SendNext`] sends it.
    fn delay(&self) -> Span;

    /// What an attempt's ending means for its call.
    fn judge(&self, ending: Ending) -> Judgement {
        Judgement::final_one(ending)
    }

    /// Whether a latency is one to [`Machine::observe`]: of the `attempt`th one, from 1, and its
    /// ending.
    fn learns_from(&self, attempt: u32, ending: Ending) -> bool {
        let _ = (attempt, ending);
        false
    }

    /// Learns the latency of an attempt.
    fn observe(&mut self, latency: Span) {
        let _ = latency;
    }

    /// Whether it refuses to send again what may count twice.
    fn is_guarded(&self) -> bool {
        false
    }

    /// What a call ends with when all its attempts have failed.
    fn all_failed(&self) -> AllFailed {
        AllFailed::Last
    }
}

impl Judgement {
    /// An ending that decides, whichever it is.
    pub(super) const fn final_one(ending: Ending) -> Judgement {
        if ending.is_success() { Judgement::Wins } else { Judgement::Fatal }
    }

    /// The next attempt goes at once after one of `statuses`, but a success wins.
    pub(super) fn send_next_after(statuses: &[u16], ending: Ending) -> Judgement {
        if !ending.is_success() && statuses.contains(&status_of(ending)) {
            Judgement::SendNext
        } else {
            Judgement::final_one(ending)
        }
    }
}

/// Refuses what is no status of HTTP, such as a code of gRPC, which would never match.
pub(super) fn statuses(field: &'static str, list: &[u16]) -> Result<(), OutOfRange> {
    match list.iter().find(|status| !(100..=599).contains(*status)) {
        Some(other) => Err(OutOfRange::new(field, other, "statuses of HTTP, in 100..=599")),
        None => Ok(()),
    }
}

/// An ending as a status, for the lists of statuses.
pub(super) const fn status_of(ending: Ending) -> u16 {
    match ending {
        Ending::Status(status) => status,
        Ending::TimedOut => 504,
        Ending::Refused | Ending::Reset | Ending::Rejected(_) => 503,
    }
}
