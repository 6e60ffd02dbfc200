//! So many per window of a fixed grid, as in `INCR key; EXPIRE key 60`.
//!
//! Answers: a quota per minute with one counter. It is what most public APIs enforce.
//!
//! Invites: twice the limit around the edge of a window, at the end of one and the beginning of the
//! next. And callers that all come back at the edge, because all heard of the same instant.
//!
//! ```text
//!    limit 3      |  . . ###|###  . x |###  x x |      6 within a moment at the first edge;
//!                 0         W        2W        3W      # passes, x is refused
//! ```
//!
//! The grid begins at time zero. Requests are served in their order. One that does not fit into
//! what is left of a window, and may wait, reserves in the next, and what was left is lost.
//!
//! Left out: a window that begins with the first request (Redis' `EXPIRE` after the first `INCR`);
//! it has the same bounds.

use sim_core::{Span, Time};

use super::machine::{Machine, wait_until};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{OutOfRange, Reason};

/// How many, per what.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"FixedWindow(limit: 100, window: "1s")"#)]
#[schemars(rename = "FixedWindowRateLimiter")]
pub struct Config {
    /// Permits per window. More at once are never granted.
    #[schemars(range(min = 1))]
    pub limit: u32,
    /// The length of a window.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub window: Span,
}

/// Counts the permits of one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    config: Config,
    /// The window that is being filled, from 0; ahead of the clock when permits are reserved, and
    /// then all before it are full.
    index: u64,
    /// Its permits that are taken.
    taken: u32,
}

impl Build for Config {
    type Machine = FixedWindow;

    /// # Errors
    /// When `limit` or `window` is zero.
    fn build(&self) -> Result<FixedWindow, OutOfRange> {
        let config = self.clone();
        at_least_one("limit", config.limit)?;
        above_zero("window", config.window)?;
        Ok(FixedWindow { config, index: 0, taken: 0 })
    }
}

impl Machine for FixedWindow {
    fn available(&self, now: Time) -> Option<f64> {
        let current = now.as_nanos() / self.config.window.as_nanos();
        let taken = match self.index.cmp(&current) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => self.taken,
            std::cmp::Ordering::Greater => self.config.limit,
        };
        Some(f64::from(self.config.limit - taken))
    }

    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        let Config { limit, window } = self.config;
        let current = now.as_nanos() / window.as_nanos();
        let (mut index, mut taken) =
            if self.index < current { (current, 0) } else { (self.index, self.taken) };
        if permits > limit - taken {
            (index, taken) = (index.saturating_add(1), 0);
        }
        let begins = index.checked_mul(window.as_nanos()).filter(|_| permits <= limit);
        let at = begins.map(|begins| now.max(Time::from_nanos(begins)));
        let wait = wait_until(now, at, max_wait)?;
        (self.index, self.taken) = (index, taken + permits);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::rate_limiter::testing::requests;
    use crate::laws::rate_limiter::{burst_after_years, most_used, play, used};

    fn limiter(limit: u32, window: u64) -> FixedWindow {
        Config { limit, window: Span::nanos(window) }.build().expect("valid")
    }

    proptest! {
        #[test]
        fn a_window_of_the_grid_has_at_most_the_limit_and_any_window_twice(
            limit in 1..6u32, window in 1..40u64, requests in requests(7),
        ) {
            let mut limiter = limiter(limit, window);
            let grants = play(&mut limiter, |l, _| l.clone(), &requests);
            for grant in &grants {
                let begins = grant.at / window * window;
                prop_assert!(used(&grants, begins, begins + window) <= u64::from(limit));
            }
            prop_assert!(most_used(&grants, window) <= 2 * u64::from(limit));
            prop_assert_eq!(burst_after_years(limiter), limit);
        }

        /// Singles without a wait are refused only when their window is full.
        #[test]
        fn no_permit_of_a_window_is_kept_back(
            limit in 1..6u32, window in 1..40u64, gaps in proptest::collection::vec(0..9u64, 0..80),
        ) {
            let mut limiter = limiter(limit, window);
            let (mut now, mut passed) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                let same = passed.iter().filter(|&&at| at / window == now / window).count();
                let granted = limiter.acquire(Time::from_nanos(now), 1, Span::ZERO).is_ok();
                prop_assert_eq!(granted, same < limit as usize);
                passed.extend(granted.then_some(now));
            }
        }
    }

    #[test]
    fn the_edge_of_a_window_lets_twice_the_limit_pass() {
        let mut limiter = limiter(3, 100);
        let pass = |limiter: &mut FixedWindow, at| {
            (0..5).filter(|_| limiter.acquire(Time::from_nanos(at), 1, Span::ZERO).is_ok()).count()
        };
        assert_eq!([pass(&mut limiter, 99), pass(&mut limiter, 100)], [3, 3]);
    }

    #[test]
    fn what_a_window_can_never_hold_is_refused_for_good() {
        let never = Err(Reason::RateLimited { until: None });
        assert_eq!(limiter(3, 100).acquire(Time::ZERO, 4, Span::MAX), never);
    }

    #[test]
    fn parameters_of_zero_are_refused_by_name() {
        let config = |limit, window| Config { limit, window: Span::nanos(window) };
        all_refused([("limit", config(0, 1)), ("window", config(1, 0))]);
    }
}
