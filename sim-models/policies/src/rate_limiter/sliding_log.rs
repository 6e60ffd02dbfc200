//! So many in any window, exactly: it remembers when each of the last permits was used.
//!
//! Answers: the double burst at the edge of a fixed window. Here no window of that length, wherever
//! it begins, holds more than the limit.
//!
//! Invites: memory of one instant per permit, which is why shared limiters estimate instead
//! ([`super::sliding_window`]); and echoes, since a burst comes back one window later as a burst.
//!
//! ```text
//!    limit 3, window W        the oldest of the last 3 + W
//!                                        v
//!      #      # #                        #      # #
//!    --|------|-|------------------------|------|-|-->       permit n: at_n >= at_(n-3) + W
//! ```
//!
//! The uses of the last `limit` permits stand in a ring; permit n looks at one entry, that of
//! permit n − limit, and overwrites it. A use at `at` leaves the window at `at + window` exactly.

use sim_core::{Span, Time};

use super::machine::{Machine, wait_until};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{OutOfRange, Reason};

/// A log of 1 048 576 permits takes 8 MiB.
const LIMIT_MAX: u32 = 1 << 20;

/// How many, in any window of which length.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"SlidingLog(limit: 100, window: "1s")"#)]
#[schemars(rename = "SlidingLogRateLimiter")]
pub struct Config {
    /// Permits in any window. More at once are never granted.
    #[schemars(range(min = 1, max = 1048576))]
    pub limit: u32,
    /// The length of the window.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub window: Span,
}

/// Remembers when the last permits are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlidingLog {
    config: Config,
    /// When the last `limit` permits are used, as a ring that `next` points into. Non-decreasing
    /// from there, since requests are served in their order.
    uses: Vec<Time>,
    /// Where the next use is written, over the oldest once all entries are written.
    next: usize,
    /// Entries that are written.
    written: usize,
}

impl Build for Config {
    type Machine = SlidingLog;

    /// # Errors
    /// When `limit` or `window` is zero, or `limit` above 1 048 576.
    fn build(&self) -> Result<SlidingLog, OutOfRange> {
        let config = self.clone();
        at_least_one("limit", config.limit)?;
        above_zero("window", config.window)?;
        if config.limit > LIMIT_MAX {
            return Err(OutOfRange::new("limit", config.limit, format!("at most {LIMIT_MAX}")));
        }
        let uses = vec![Time::ZERO; config.limit as usize];
        Ok(SlidingLog { config, uses, next: 0, written: 0 })
    }
}

impl SlidingLog {
    /// When the nth of the last uses leaves the window, the oldest first.
    fn leaves(&self, n: usize) -> u64 {
        let oldest = (self.next + self.uses.len() - self.written) % self.uses.len();
        let used = self.uses[(oldest + n) % self.uses.len()].as_nanos();
        used.saturating_add(self.config.window.as_nanos())
    }
}

impl Machine for SlidingLog {
    fn available(&self, now: Time) -> Option<f64> {
        // Uses are in order: half of the rest is looked at each time.
        let (mut gone, mut rest) = (0, self.written);
        while gone < rest {
            let middle = (gone + rest) / 2;
            match self.leaves(middle) <= now.as_nanos() {
                true => gone = middle + 1,
                false => rest = middle,
            }
        }
        Some((self.uses.len() - (self.written - gone)) as f64)
    }

    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        let (limit, permits) = (self.uses.len(), permits as usize);
        let at = if permits > limit {
            None
        } else if permits + self.written <= limit {
            Some(now)
        } else {
            // Of the entries that this request overwrites, the youngest decides.
            let leaves = self.uses[(self.next + permits - 1) % limit].as_nanos();
            let leaves = leaves.checked_add(self.config.window.as_nanos());
            leaves.map(|leaves| now.max(Time::from_nanos(leaves)))
        };
        let wait = wait_until(now, at, max_wait)?;
        for _ in 0..permits {
            self.uses[self.next] = now + wait;
            self.next = (self.next + 1) % limit;
        }
        self.written = limit.min(self.written + permits);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::laws::rate_limiter::testing::requests;
    use crate::laws::rate_limiter::{Grant, Request, burst_after_years, most_used, play, used};

    fn limiter(limit: u32, window: u64) -> SlidingLog {
        Config { limit, window: Span::nanos(window) }.build().expect("valid")
    }

    proptest! {
        #[test]
        fn no_window_anywhere_holds_more_than_the_limit(
            limit in 1..6u32, window in 1..40u64, requests in requests(7),
        ) {
            let mut limiter = limiter(limit, window);
            let grants = play(&mut limiter, |l, _| l.clone(), &requests);
            prop_assert!(most_used(&grants, window) <= u64::from(limit));
            prop_assert_eq!(burst_after_years(limiter), limit);
        }

        /// Without a wait, it refuses only what would make a window too full.
        #[test]
        fn it_refuses_nothing_that_fits(
            limit in 1..6u32, window in 1..40u64, requests in requests(7),
        ) {
            let mut limiter = limiter(limit, window);
            let (mut now, mut grants) = (0, Vec::new());
            for Request { gap, permits, .. } in requests {
                now += gap.as_nanos();
                let last_window = used(&grants, (now + 1).saturating_sub(window), now + 1);
                let fits = last_window + u64::from(permits) <= u64::from(limit);
                let granted = limiter.acquire(Time::from_nanos(now), permits, Span::ZERO);
                prop_assert_eq!(granted.is_ok(), fits);
                if fits {
                    grants.push(Grant { at: now, permits });
                }
            }
        }
    }

    #[test]
    fn a_burst_comes_back_one_window_later() {
        let mut limiter = limiter(3, 100);
        let waits = [0, 0, 0, 20, 20, 20].map(|at| {
            limiter.acquire(Time::from_nanos(at), 1, Span::nanos(99)).map(Span::as_nanos)
        });
        assert_eq!(waits, [Ok(0), Ok(0), Ok(0), Ok(80), Ok(80), Ok(80)]);
    }

    #[test]
    fn a_log_that_would_not_fit_into_memory_is_refused() {
        let new = |limit, window| {
            Config { limit, window: Span::nanos(window) }.build().map_err(|e| e.field)
        };
        let found = [new(0, 1), new(1, 0), new(u32::MAX, 1)];
        assert_eq!(found, [Err("limit"), Err("window"), Err("limit")]);
    }
}
