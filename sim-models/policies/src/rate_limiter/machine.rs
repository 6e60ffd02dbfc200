//! What a rate limiter is asked.

use sim_core::{Span, Time};

use crate::Reason;

/// A rate limiter. Time may stand still, but not go back.
pub trait Machine {
    /// Takes `permits`, at least one, and says how long the caller waits until it may use them;
    /// zero is now.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] when that is longer than `max_wait`, or never because the limiter
    /// cannot give so many at once. Nothing was taken.
    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason>;

    /// How many permits are there at `now`; `None` where the limiter keeps no such number. Asking
    /// changes nothing.
    fn available(&self, now: Time) -> Option<f64> {
        let _ = now;
        None
    }

    /// How long a caller of the library waits when it says nothing else: Resilience4j's
    /// `timeoutDuration`, Failsafe's `maxWaitTime`. `None` where the caller always says.
    fn default_wait(&self) -> Option<Span> {
        None
    }
}

/// The wait from `now` to `at`, where `None` is never; refused when it is longer than `max_wait`.
pub(super) fn wait_until(now: Time, at: Option<Time>, max_wait: Span) -> Result<Span, Reason> {
    match at {
        Some(at) if at.since(now) <= max_wait => Ok(at.since(now)),
        _ => Err(Reason::RateLimited { until: at }),
    }
}
