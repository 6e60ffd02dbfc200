//! So many in any window, estimated from the counts of this window of a grid and the last.
//!
//! Answers: the memory of a log and the double burst of a fixed window, at the price of an
//! estimate. Two counters per caller are what an edge network can share.
//!
//! Invites: being wrong where the last window's requests did not come evenly. After a burst at its
//! end up to twice the limit passes within one window's length; after one at its beginning it
//! refuses too long.
//!
//! ```text
//!               last window        this window
//!         |.......####........|...#..|           |      estimate = last x (W - e) / W + this
//!                  `------- W -------'                  passes while estimate <= limit
//!                             <- e -->
//! ```
//!
//! Reference: Cloudflare, "How we built rate limiting capable of scaling to millions of domains",
//! 2017; also the sliding window of Envoy's and Kong's limiters. Here the estimate counts the
//! permits asked for, is compared in whole numbers, and refused requests are not counted.
//!
//! Left out: counters that are shared late, between edge nodes.

use sim_core::{Span, Time};

use super::machine::{Machine, wait_until};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{OutOfRange, Reason};

/// How many, in a window of which length.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"SlidingWindow(limit: 100, window: "1s")"#)]
#[schemars(rename = "SlidingWindowRateLimiter")]
pub struct Config {
    /// Permits in a window by the estimate. More at once are never granted.
    #[schemars(range(min = 1))]
    pub limit: u32,
    /// The length of the window.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub window: Span,
}

/// Counts the permits of two windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    config: Config,
    counts: Counts,
    /// When the last granted permits are used: no later request comes before.
    last_use: Time,
}

/// The permits of window `index` of the grid, and of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    index: u64,
    last: u32,
    this: u32,
}

impl Counts {
    /// The counts as window `index` begins.
    fn at(self, index: u64) -> Counts {
        match index - self.index {
            0 => self,
            1 => Counts { index, last: self.this, this: 0 },
            _ => Counts { index, last: 0, this: 0 },
        }
    }
}

impl SlidingWindow {
    /// When in window `index` the estimate leaves room for `permits`, and the counts there.
    fn fits(&self, index: u64, permits: u32) -> Option<(Time, Counts)> {
        let Config { limit, window } = self.config;
        let window = window.as_nanos();
        let counts = self.counts.at(index);
        let room = limit.checked_sub(counts.this)?.checked_sub(permits)?;
        // From the offset on at which `last x (window - offset) / window <= room`.
        let offset = if counts.last <= room {
            0
        } else {
            let share = u128::from(room) * u128::from(window) / u128::from(counts.last);
            window - u64::try_from(share).expect("room is below last")
        };
        let begins = index.checked_mul(window)?.checked_add(offset)?;
        (offset < window).then_some((Time::from_nanos(begins), counts))
    }
}

impl Build for Config {
    type Machine = SlidingWindow;

    /// # Errors
    /// When `limit` or `window` is zero.
    fn build(&self) -> Result<SlidingWindow, OutOfRange> {
        let config = self.clone();
        at_least_one("limit", config.limit)?;
        above_zero("window", config.window)?;
        let counts = Counts { index: 0, last: 0, this: 0 };
        Ok(SlidingWindow { config, counts, last_use: Time::ZERO })
    }
}

impl Machine for SlidingWindow {
    fn available(&self, now: Time) -> Option<f64> {
        if self.last_use > now {
            // Whoever comes now comes after permits that are reserved.
            return Some(0.0);
        }
        let window = self.config.window.as_nanos();
        let (index, offset) = (now.as_nanos() / window, now.as_nanos() % window);
        let counts = self.counts.at(index);
        let weighed = u128::from(counts.last) * u128::from(window - offset);
        let taken = u128::from(counts.this) + weighed.div_ceil(u128::from(window));
        Some(u128::from(self.config.limit).saturating_sub(taken) as f64)
    }

    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        let earliest = now.max(self.last_use);
        let current = earliest.as_nanos() / self.config.window.as_nanos();
        // Two windows on, nothing weighs any more.
        let mut fits = (0..=2).filter_map(|ahead| self.fits(current.checked_add(ahead)?, permits));
        let found = fits.next();
        let at = found.map(|(begins, _)| earliest.max(begins));
        let wait = wait_until(now, at, max_wait)?;
        if let Some((_, counts)) = found {
            self.counts = Counts { this: counts.this + permits, ..counts };
            self.last_use = now + wait;
        }
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::rate_limiter::testing::requests;
    use crate::laws::rate_limiter::{Grant, Request, burst_after_years, most_used, play, used};

    fn limiter(limit: u32, window: u64) -> SlidingWindow {
        Config { limit, window: Span::nanos(window) }.build().expect("valid")
    }

    proptest! {
        /// The estimate is counted anew from all grants.
        #[test]
        fn the_estimate_never_passes_the_limit_nor_any_window_twice_the_limit(
            limit in 1..9u32, window in 1..40u64, requests in requests(9),
        ) {
            let mut limiter = limiter(limit, window);
            let grants = play(&mut limiter, |l, _| l.clone(), &requests);
            for grant in &grants {
                let begins = grant.at / window * window;
                let last = used(&grants, begins.saturating_sub(window), begins);
                let this = used(&grants, begins, grant.at + 1);
                let rest = begins + window - grant.at;
                prop_assert!(last * rest + this * window <= u64::from(limit) * window);
            }
            prop_assert!(most_used(&grants, window) <= 2 * u64::from(limit));
            prop_assert_eq!(burst_after_years(limiter), limit);
        }

        #[test]
        fn it_refuses_nothing_that_its_estimate_has_room_for(
            limit in 1..9u32, window in 1..40u64, requests in requests(9),
        ) {
            let mut limiter = limiter(limit, window);
            let (mut now, mut grants) = (0, Vec::new());
            for Request { gap, permits, .. } in requests {
                now += gap.as_nanos();
                let begins = now / window * window;
                let last = used(&grants, begins.saturating_sub(window), begins);
                let this = used(&grants, begins, now + 1) + u64::from(permits);
                let estimate = last * (begins + window - now) + this * window;
                let fits = estimate <= u64::from(limit) * window;
                let granted = limiter.acquire(Time::from_nanos(now), permits, Span::ZERO);
                prop_assert_eq!(granted.is_ok(), fits);
                if fits {
                    grants.push(Grant { at: now, permits });
                }
            }
        }
    }

    /// The example of Cloudflare's article: 42 in the last minute, 18 in the 15 seconds of this.
    #[test]
    fn the_last_window_weighs_by_the_part_of_it_that_is_still_inside() {
        let config = Config { limit: 50, window: Span::secs(60) };
        let mut limiter = config.build().expect("valid");
        let second = |n| Time::ZERO + Span::secs(n);
        assert_eq!(limiter.acquire(second(30), 42, Span::ZERO), Ok(Span::ZERO));
        assert_eq!(limiter.acquire(second(75), 18, Span::ZERO), Ok(Span::ZERO));
        // 42 x 45/60 + 18 = 49.5: no room for one more, until 42 x 31/42 + 18 + 1 = 50.
        let until = second(60) + Span::nanos(15_714_285_715);
        let refused = Err(Reason::RateLimited { until: Some(until) });
        assert_eq!(limiter.acquire(second(75), 1, Span::ZERO), refused);
        assert_eq!(limiter.acquire(until, 1, Span::ZERO), Ok(Span::ZERO));
    }

    #[test]
    fn a_burst_at_the_end_of_a_window_nearly_doubles_the_limit() {
        let mut limiter = limiter(100, 1000);
        let mut pass = |from: u64, to: u64| {
            (from..to)
                .filter(|&at| limiter.acquire(Time::from_nanos(at), 1, Span::ZERO).is_ok())
                .count()
        };
        assert_eq!([pass(900, 1000), pass(1000, 1900)], [100, 89]);
    }

    #[test]
    fn parameters_of_zero_are_refused_by_name() {
        let config = |limit, window| Config { limit, window: Span::nanos(window) };
        all_refused([("limit", config(0, 1)), ("window", config(1, 0))]);
    }
}
