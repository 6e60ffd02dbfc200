//! What the rules of a library are asked, and what they share.

use std::fmt::Debug;

use sim_core::{Span, Time};

use crate::aws;
use crate::budget::BudgetConfig;
pub use crate::luck::Luck;
use crate::{Ending, EndingSet, Method, OutOfRange, Reason};

/// What a library's retry is for and what it brings along, asked of its options.
pub trait Preset {
    /// The endings that are worth another attempt, of which an
    /// [`Advice::Stop`](super::Advice::Stop) leaves none.
    ///
    /// `None` where no list of endings says it: the rules look at the whole attempt themselves, as
    /// those of an HTTP client do.
    fn on(&self) -> Option<EndingSet> {
        None
    }

    /// Whether each call that is a `POST` and has no key is given one, the same for all its attempts.
    fn mints_keys(&self) -> bool {
        false
    }

    /// Whether it refuses to repeat what may count twice. Most libraries never ask.
    fn is_guarded(&self) -> bool {
        false
    }

    /// The budget that comes with it.
    fn budget(&self) -> Option<BudgetConfig> {
        None
    }

    /// The pace that all its attempts share.
    fn pacer(&self) -> Option<aws::Config> {
        None
    }
}

/// The rules of one library.
pub trait Rules {
    /// What is remembered from wait to wait.
    type Memory: Copy + Debug + PartialEq;

    /// The memory of a call whose first attempt starts.
    fn start(&self) -> Self::Memory;

    /// The wait after a failed attempt.
    ///
    /// # Errors
    /// Why there is none.
    fn after(
        &self,
        memory: &mut Self::Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason>;

    /// Asked when the wait for a further attempt is over, so long after the first began.
    ///
    /// # Errors
    /// Why it does not start.
    fn before(&self, _elapsed: Span) -> Result<(), Reason> {
        Ok(())
    }

    /// The timeout of the next attempt, where it is the retry's own.
    fn timeout(&self, _memory: &Self::Memory) -> Option<Span> {
        None
    }
}

/// An attempt that ended in a failure worth a retry, as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The number of the attempt, from 1.
    pub(super) attempt: u32,
    /// From the start of the first attempt until now.
    pub(super) elapsed: Span,
    /// From the start of the first attempt until the start of this one.
    pub(super) elapsed_before: Span,
    /// What the other side asked for, if it is a time.
    pub(super) retry_after: Option<Span>,
    /// How it ended.
    pub(super) ending: Ending,
    /// What was asked of the other side.
    pub(super) method: Method,
    /// It carries a key of its own, the same for all attempts.
    pub(super) has_key: bool,
    /// The other side asks not to come back.
    pub(super) stop: bool,
    /// How many waits this client has begun in all its calls.
    pub(super) waits: u64,
    /// The present instant.
    pub(super) now: Time,
}

/// JavaScript's `Math.round`.
pub(super) fn round(x: f64) -> f64 {
    (x + 0.5).floor()
}

/// A library's `long` of milliseconds; those below zero are zero.
pub(super) fn from_millis(millis: i64) -> Span {
    Span::millis(u64::try_from(millis).unwrap_or(0))
}

/// A span as a library's `long` of nanoseconds.
pub(super) fn nanos(span: Span) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// The verdict that all attempts are made, or that there may be another one.
pub(super) fn attempts_left(attempt: u32, attempts_max: Option<u32>) -> Result<(), Reason> {
    match attempts_max {
        Some(attempts_max) if attempt >= attempts_max => {
            Err(Reason::AttemptsExhausted { attempts_max })
        }
        _ => Ok(()),
    }
}

/// Refuses what is not a number from `low` on, such as NaN.
pub(super) fn at_least(field: &'static str, found: f64, low: f64) -> Result<(), OutOfRange> {
    if found.is_finite() && found >= low {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, format!("finite and at least {low}")))
    }
}

/// Refuses what is not a number above zero.
pub(super) fn positive(field: &'static str, found: f64) -> Result<(), OutOfRange> {
    if found.is_finite() && found > 0.0 {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, "finite and above 0"))
    }
}

/// Refuses a shortest wait above the longest one.
pub(super) fn ordered(
    field: &'static str,
    low: Span,
    limit: &str,
    high: Span,
) -> Result<(), OutOfRange> {
    if low <= high {
        Ok(())
    } else {
        Err(OutOfRange::new(field, low, format!("at most {limit}, {high}")))
    }
}
