//! Rate limiters: at most so many calls per length of time.
//!
//! Answers: a side that is asked more often than it can serve, or than was agreed. The limiter
//! refuses early or spreads the calls out, and each call that passes finds room.
//!
//! Invites: a limit set once for a capacity that moves. A call that costs much counts as much as
//! one that costs nothing, and a caller that waits for its permit still holds what it holds. What
//! arrives in step with the window's edge passes twice: see each machine for how much.
//!
//! All machines answer one question, [`RateLimiter::acquire`]: how long until the permits may be
//! used? A wait that the caller accepts is a reservation, and takes real permits of the future: a
//! caller that then goes away has wasted them. A wait that it does not accept takes nothing.
//!
//! ```text
//!    how many pass, with 4 per window each, while callers ask all the time and none waits
//!
//!                     |           |           |           |      time, in windows
//!    fixed window     4           4           4           4      8 around an edge, if asked late
//!    sliding log      4           4           4           4      never more than 4 in any window
//!    sliding window   4              1  1  1  1   1   1   1      the last window weighs on this
//!    token bucket     4  1  1  1  1  1  1  1  1  1  1  1  1      a burst, then the rate
//!    leaky bucket     1  1  1  1  1  1  1  1  1  1  1  1  1      evenly, never a burst
//! ```
//!
//! Reference: A. Tanenbaum, *Computer Networks*, "Leaky bucket, token bucket"; ITU-T I.371 (GCRA);
//! Cloudflare, "How we built rate limiting capable of scaling to millions of domains", 2017; the
//! libraries at the versions that each file names.

pub mod failsafe;
pub mod fixed_window;
pub mod leaky_bucket;
mod machine;
pub mod resilience4j;
pub mod sliding_log;
pub mod sliding_window;
pub mod token_bucket;

use sim_core::{Span, Time};

use crate::Reason;
use crate::family::{Build, family};

pub use self::machine::Machine;

family! {
    /// The parameters of a rate limiter, by its algorithm or the library that it behaves like.
    pub enum RateLimiterConfig;

    /// Any of the rate limiters. Time may stand still, but not go back.
    ///
    /// ```
    /// use sim_core::{Span, Time};
    /// use sim_policies::{RateLimiter, RateLimiterConfig, Reason};
    /// use sim_policies::rate_limiter::fixed_window;
    ///
    /// let config = fixed_window::Config { limit: 1, window: Span::secs(1) };
    /// let mut limiter = RateLimiter::new(&RateLimiterConfig::FixedWindow(config))?;
    /// let now = Time::ZERO + Span::millis(300);
    /// assert_eq!(limiter.acquire(now, 1, Span::ZERO), Ok(Span::ZERO));
    ///
    /// // The window is used up. Who accepts to wait reserves a permit of the next.
    /// let next = Time::ZERO + Span::secs(1);
    /// let refused = Err(Reason::RateLimited { until: Some(next) });
    /// assert_eq!(limiter.acquire(now, 1, Span::ZERO), refused);
    /// assert_eq!(limiter.acquire(now, 1, Span::secs(1)), Ok(Span::millis(700)));
    /// # Ok::<(), sim_policies::OutOfRange>(())
    /// ```
    pub enum RateLimiter, each a Machine;

    /// So many per window of a fixed grid.
    FixedWindow(fixed_window::Config),
    /// So many in any window, exactly.
    SlidingLog(sliding_log::Config),
    /// So many in any window, estimated from two counters.
    SlidingWindow(sliding_window::Config),
    /// A steady rate with bursts.
    TokenBucket(token_bucket::Config),
    /// A steady rate without bursts.
    LeakyBucket(leaky_bucket::Config),
    /// Resilience4j 2.4.
    Resilience4j(resilience4j::Config),
    /// Failsafe (Java) 3.3.
    Failsafe(failsafe::Config),
}

impl RateLimiter {
    /// As [`Machine::acquire`]; no permits are there at once.
    ///
    /// # Errors
    /// See [`Machine::acquire`].
    pub fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        match permits {
            0 => Ok(Span::ZERO),
            _ => self.machine_mut().acquire(now, permits, max_wait),
        }
    }

    /// As [`Machine::default_wait`].
    pub fn default_wait(&self) -> Option<Span> {
        self.machine().default_wait()
    }
}

/// What the laws of all machines share: a timeline of requests, and what became of them.
#[cfg(test)]
mod laws {
    use std::fmt::Debug;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A request: the nanoseconds since the one before, its permits and its longest wait.
    pub(super) type Request = (u64, u32, u64);

    /// Permits that were granted, at the instant when they may be used.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Grant {
        pub at: u64,
        pub permits: u32,
    }

    /// Requests some nanoseconds apart, so that every rounding shows. Time often stands still.
    pub(super) fn requests(permits_max: u32) -> impl Strategy<Value = Vec<Request>> {
        let gap = prop_oneof![4 => Just(0), 6 => 0..12u64, 1 => 12..90u64];
        let wait = prop_oneof![3 => Just(0), 2 => 0..25u64, 1 => 0..300u64];
        vec((gap, 1..=permits_max, wait), 0..80)
    }

    /// A machine's `acquire`.
    pub(super) type Acquire<L> = fn(&mut L, Time, u32, Span) -> Result<Span, Reason>;

    /// Plays the requests. Checks on the way that no wait is longer than accepted, that grants
    /// come in the order of their requests, and that a refusal is justified and `left` as it was.
    pub(super) fn play<L: Clone, S: PartialEq + Debug>(
        limiter: &mut L,
        acquire: Acquire<L>,
        left: impl Fn(&L, Time) -> S,
        requests: &[Request],
    ) -> Result<Vec<Grant>, TestCaseError> {
        let mut now = Time::ZERO;
        let mut grants: Vec<Grant> = Vec::new();
        for &(gap, permits, max_wait) in requests {
            now += Span::nanos(gap);
            let before = limiter.clone();
            match acquire(limiter, now, permits, Span::nanos(max_wait)) {
                Ok(wait) => {
                    prop_assert!(wait.as_nanos() <= max_wait);
                    let at = (now + wait).as_nanos();
                    prop_assert!(grants.last().is_none_or(|last| last.at <= at));
                    grants.push(Grant { at, permits });
                }
                Err(Reason::RateLimited { until }) => {
                    if let Some(until) = until {
                        prop_assert!(until.since(now).as_nanos() > max_wait);
                        // What it named was the truth: with a longer wait it is granted.
                        let granted = acquire(&mut before.clone(), now, permits, until.since(now));
                        prop_assert_eq!(granted, Ok(until.since(now)));
                    }
                    prop_assert_eq!(left(&before, now), left(limiter, now));
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
        Ok(grants)
    }

    /// The permits used in `from..to`.
    pub(super) fn used(grants: &[Grant], from: u64, to: u64) -> u64 {
        let inside = grants.iter().filter(|grant| (from..to).contains(&grant.at));
        inside.map(|grant| u64::from(grant.permits)).sum()
    }

    /// The most permits used in any `window` nanoseconds: the fullest begins with a grant.
    pub(super) fn most_used(grants: &[Grant], window: u64) -> u64 {
        grants.iter().map(|grant| used(grants, grant.at, grant.at + window)).max().unwrap_or(0)
    }

    /// The single permits that pass without a wait ten years after, when all is long refilled.
    pub(super) fn burst_after_years<L>(mut limiter: L, acquire: Acquire<L>) -> u32 {
        let now = Time::ZERO + Span::secs(10 * 365 * 86_400);
        let passes = |_: &u32| acquire(&mut limiter, now, 1, Span::ZERO) == Ok(Span::ZERO);
        (0..1000).take_while(passes).count().try_into().expect("at most 1000")
    }
}
