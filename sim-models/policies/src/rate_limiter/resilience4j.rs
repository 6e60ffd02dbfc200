//! Resilience4j's `AtomicRateLimiter`: permissions per cycle, reserved ahead into later cycles.
//!
//! Answers: a quota per second inside one process, with callers that may wait a moment for it.
//!
//! Invites: the double burst at the edge of a cycle, and with its defaults no limit at all: 50
//! calls per 500 ns. Whoever is refused has first waited the whole timeout on its thread.
//!
//! ```text
//!    limit 2      cycle 0              cycle 1            cycle 2
//!              |  #    #    r- - - -  |#                 |
//!    available |  1    0   -1         |-1 + 2 = 1        |min(1 + 2, 2) = 2
//!                           `-- reserved: it may go when cycle 1 begins
//! ```
//!
//! * The cycles are a grid from construction. A cycle is only noticed when someone asks; then
//!   all that have passed are added at once, up to the limit.
//! * A request takes what it can wait for, also more than the limit. It then goes with the cycle
//!   that pays its last permission, though all of it is used there. With single permissions no
//!   cycle sees more than the limit; with requests of many it may.
//! * [`Resilience4j::drain`] takes what was available *when somebody last asked*, from what is
//!   available now. A drain after a new cycle leaves the difference, and a drain of a debt
//!   forgives it, at times beyond the limit.
//! * A changed limit counts from the next cycle on; what is available stays.
//!
//! Reference: Resilience4j 2.4.0, `io.github.resilience4j.ratelimiter.internal.AtomicRateLimiter`,
//! `RateLimiterConfig`.
//!
//! Left out: `drainPermissionsOnResult` (its user's to call), `startedTime`, the thread that stays
//! parked for the timeout before it hears the refusal, `SemaphoreBasedRateLimiter`, and
//! what Java's `int` does beyond 2³¹ permissions.

use sim_core::{Span, Time};

use super::machine::{Machine, wait_until};
use crate::family::Build;
use crate::out_of_range::above_zero;
use crate::{OutOfRange, Reason};

/// The library's options under its names.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Resilience4jRateLimiter")]
pub struct Config {
    /// Permissions per cycle.
    #[schemars(range(min = 1, max = 2147483647))]
    pub limit_for_period: u32,
    /// The length of a cycle.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub limit_refresh_period: Span,
    /// How long a call waits for its permission at most.
    pub timeout_duration: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limit_for_period: 50,
            limit_refresh_period: Span::nanos(500),
            timeout_duration: Span::secs(5),
        }
    }
}

/// Permissions of the cycle in which somebody last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resilience4j {
    config: Config,
    cycle: u64,
    /// Below zero when permissions of later cycles are reserved.
    available: i64,
}

impl Resilience4j {
    /// `drainPermissions`: takes what was available when somebody last asked.
    pub fn drain(&mut self, now: Time) {
        let drained = self.available;
        self.refresh(now);
        // Less can only be there after the limit was lowered; then nothing is taken.
        if self.available >= drained {
            self.available -= drained;
        }
    }

    /// `changeLimitForPeriod`: counts from the next cycle on.
    ///
    /// # Errors
    /// When the limit is zero or no Java `int`.
    pub fn change_limit(&mut self, limit_for_period: u32) -> Result<(), OutOfRange> {
        self.config.limit_for_period = checked_limit(limit_for_period)?;
        Ok(())
    }

    /// `changeTimeoutDuration`.
    pub fn change_timeout(&mut self, timeout_duration: Span) {
        self.config.timeout_duration = timeout_duration;
    }

    /// How long a call waits at most when it says nothing else.
    pub const fn timeout(&self) -> Span {
        self.config.timeout_duration
    }

    /// The metric `availablePermissions`: below zero when reserved ahead.
    pub fn available(&self, now: Time) -> i64 {
        self.refreshed(now).available
    }

    /// The metric `nanosToWait`: until one permission may be used; `None` is never.
    pub fn until_next(&self, now: Time) -> Option<Span> {
        Some(self.refreshed(now).usable_at(now, 1)?.since(now))
    }

    /// The metric `cycle`: the number of the cycle at `now`, from 0.
    pub fn cycle(&self, now: Time) -> u64 {
        now.as_nanos() / self.config.limit_refresh_period.as_nanos()
    }

    fn refreshed(&self, now: Time) -> Resilience4j {
        let mut refreshed = self.clone();
        refreshed.refresh(now);
        refreshed
    }

    /// Adds the cycles that have passed since somebody last asked, up to the limit.
    fn refresh(&mut self, now: Time) {
        let cycle = self.cycle(now);
        if cycle != self.cycle {
            let limit = i64::from(self.config.limit_for_period);
            let passed = i64::try_from(cycle - self.cycle).unwrap_or(i64::MAX);
            let accumulated = self.available.saturating_add(passed.saturating_mul(limit));
            (self.cycle, self.available) = (cycle, accumulated.min(limit));
        }
    }

    /// When `permits` may be used, once refreshed: now, or at the start of the cycle that pays
    /// the last of them.
    fn usable_at(&self, now: Time, permits: u32) -> Option<Time> {
        let missing = i64::from(permits) - self.available;
        if missing <= 0 {
            return Some(now);
        }
        let cycles = missing.unsigned_abs().div_ceil(u64::from(self.config.limit_for_period));
        let cycle = self.cycle.checked_add(cycles)?;
        cycle.checked_mul(self.config.limit_refresh_period.as_nanos()).map(Time::from_nanos)
    }
}

impl Build for Config {
    type Machine = Resilience4j;

    /// # Errors
    /// When `limit_for_period` or `limit_refresh_period` is zero, or the limit no Java `int`.
    fn build(&self) -> Result<Resilience4j, OutOfRange> {
        let config = self.clone();
        above_zero("limit_refresh_period", config.limit_refresh_period)?;
        let available = i64::from(checked_limit(config.limit_for_period)?);
        Ok(Resilience4j { config, cycle: 0, available })
    }
}

impl Machine for Resilience4j {
    fn available(&self, now: Time) -> Option<f64> {
        Some(Resilience4j::available(self, now).max(0) as f64)
    }

    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        self.refresh(now);
        let wait = wait_until(now, self.usable_at(now, permits), max_wait)?;
        self.available -= i64::from(permits);
        Ok(wait)
    }

    fn default_wait(&self) -> Option<Span> {
        Some(self.timeout())
    }
}

fn checked_limit(limit_for_period: u32) -> Result<u32, OutOfRange> {
    if (1..=i32::MAX as u32).contains(&limit_for_period) {
        Ok(limit_for_period)
    } else {
        Err(OutOfRange::new("limit_for_period", limit_for_period, "in 1..=2147483647"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::rate_limiter::testing::requests;
    use crate::laws::rate_limiter::{burst_after_years, most_used, play, used};

    fn limiter(limit_for_period: u32, period: u64) -> Resilience4j {
        let limit_refresh_period = Span::nanos(period);
        let config = Config { limit_for_period, limit_refresh_period, ..Config::default() };
        config.build().expect("valid")
    }

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    proptest! {
        #[test]
        fn with_single_permissions_no_cycle_has_more_than_the_limit(
            limit in 1..6u32, period in 1..40u64, requests in requests(1),
        ) {
            let mut limiter = limiter(limit, period);
            let left = |l: &Resilience4j, now| l.refreshed(now);
            let grants = play(&mut limiter, left, &requests);
            for grant in &grants {
                let begins = grant.at / period * period;
                prop_assert!(used(&grants, begins, begins + period) <= u64::from(limit));
            }
            prop_assert!(most_used(&grants, period) <= 2 * u64::from(limit));
            prop_assert_eq!(burst_after_years(limiter), limit);
        }

        /// A request of many is paid by the cycles before as well as by its own.
        #[test]
        fn cycles_in_a_row_have_their_limits_and_what_the_first_grant_was_paid_before(
            limit in 1..6u32, period in 1..40u64, requests in requests(9),
        ) {
            let mut limiter = limiter(limit, period);
            let left = |l: &Resilience4j, now| l.refreshed(now);
            let grants = play(&mut limiter, left, &requests);
            for (n, first) in grants.iter().enumerate() {
                for last in &grants[n..] {
                    let cycles = last.at / period - first.at / period + 1;
                    let used = used(&grants[n..], first.at, last.at + 1);
                    let paid_before = u64::from(first.permits) - 1;
                    prop_assert!(used <= cycles * u64::from(limit) + paid_before);
                }
            }
        }
    }

    #[test]
    fn by_default_it_hardly_limits() {
        let mut limiter = Config::default().build().expect("valid");
        let last_wait = (0..1000).map(|_| limiter.acquire(Time::ZERO, 1, limiter.timeout())).last();
        assert_eq!(last_wait, Some(Ok(Span::nanos(9_500))));
    }

    #[test]
    fn a_request_beyond_the_limit_goes_with_the_cycle_that_pays_its_last_permission() {
        let mut limiter = limiter(5, 100);
        assert_eq!(limiter.acquire(at(30), 11, Span::MAX), Ok(Span::nanos(170)));
        assert_eq!(limiter.available(at(30)), -6);
        assert_eq!(limiter.until_next(at(30)), Some(Span::nanos(170)));
        assert_eq!(limiter.available(at(200)), 4);
    }

    #[test]
    fn a_drain_takes_only_what_was_there_when_somebody_last_asked() {
        let mut limiter = limiter(5, 100);
        limiter.acquire(at(0), 3, Span::ZERO).expect("five are free");
        limiter.drain(at(100));
        assert_eq!(limiter.available(at(100)), 3, "of five, the two of the last cycle are gone");
        limiter.drain(at(100));
        assert_eq!(limiter.available(at(100)), 0);
    }

    #[test]
    fn a_drain_forgives_a_debt_and_more() {
        let mut limiter = limiter(5, 100);
        limiter.acquire(at(0), 8, Span::MAX).expect("three of the next cycle");
        limiter.drain(at(1000));
        assert_eq!(limiter.available(at(1000)), 8, "beyond the limit of five");
    }

    #[test]
    fn a_lower_limit_leaves_what_is_there_and_makes_a_drain_after_it_take_nothing() {
        let mut limiter = limiter(5, 100);
        limiter.change_limit(2).expect("valid");
        assert_eq!(limiter.available(at(99)), 5);
        limiter.drain(at(100));
        assert_eq!(limiter.available(at(100)), 2);
    }

    #[test]
    fn what_the_library_refuses_is_refused_by_name() {
        let config = |limit_for_period, period| {
            let limit_refresh_period = Span::nanos(period);
            Config { limit_for_period, limit_refresh_period, ..Config::default() }
        };
        all_refused([
            ("limit_for_period", config(0, 1)),
            ("limit_for_period", config(1 << 31, 1)),
            ("limit_refresh_period", config(1, 0)),
        ]);
    }
}
