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
    #[schemars(title = "rate limiter")]
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

    /// As [`Machine::available`].
    pub fn available(&self, now: Time) -> Option<f64> {
        self.machine().available(now)
    }

    /// As [`Machine::default_wait`].
    pub fn default_wait(&self) -> Option<Span> {
        self.machine().default_wait()
    }
}
