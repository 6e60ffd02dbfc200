//! Failsafe's rate limiters: smooth, one execution per interval, and bursty, so many per period.
//!
//! Answers: smooth spreads executions out for a side that bursts hurt; bursty keeps a quota.
//!
//! Invites: smooth lets two executions pass a moment apart, at the end of an interval and the start
//! of the next. Bursty does so with two whole periods, and after a debt and a pause with everything
//! that has come in meanwhile.
//!
//! ```text
//!    smooth, 4 per P     |# . .|.#. .|. . .|. . #|#. . .|     at most one per interval P/4;
//!                                              `-´            a grid from construction
//!    bursty, 4 per P     |####. . . . . . . . . .|####. .     at most 4 per period
//! ```
//!
//! * Smooth: a request of several takes as many intervals in a row, the current one included when
//!   it is free, and goes with the last. The interval is `period / max_executions`, cut to whole
//!   nanoseconds.
//! * Bursty: what a request lacks is taken from the next periods. A new period refills what is not
//!   negative to the limit, but **adds** to a debt all periods that have passed, without a limit.
//!
//! Reference: Failsafe 3.3.2, `dev.failsafe.RateLimiterConfig`,
//! `dev.failsafe.internal.{SmoothRateLimiterStats, BurstyRateLimiterStats}`.
//!
//! Left out: what Java's `long` does with waits beyond 292 years.

use sim_core::{Span, Time};

use super::machine::{Machine, wait_until};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{OutOfRange, Reason};

/// The library's options under its names.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Failsafe(builder: Smooth, max_executions: 100, period: "1s")"#)]
#[schemars(rename = "FailsafeRateLimiter")]
pub struct Config {
    /// Which of the library's builders makes it: `smoothBuilder` or `burstyBuilder`.
    pub builder: Builder,
    /// Executions per `period`. The builder that takes a `maxRate` is smooth with one execution per
    /// that time.
    #[schemars(range(min = 1))]
    pub max_executions: u32,
    /// The time for `max_executions`; smooth needs a nanosecond for each.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub period: Span,
    /// How long an execution waits for its permit at most. At 0 it is refused at once.
    #[serde(default)]
    pub max_wait_time: Span,
}

/// The two kinds of rate limiters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[schemars(rename = "FailsafeBuilder")]
pub enum Builder {
    /// Executions evenly spaced.
    Smooth,
    /// Executions at once, until the period has no more.
    Bursty,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failsafe {
    config: Config,
    stats: Stats,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stats {
    Smooth {
        /// Nanoseconds between permits.
        interval: u64,
        /// From when on the next permit is free; a multiple of the interval.
        next_free: u64,
    },
    Bursty {
        /// The period in which somebody last asked.
        period: u64,
        /// Its permits; below zero when those of later periods are taken.
        available: i64,
    },
}

impl Failsafe {
    /// How long an execution waits at most when it says nothing else.
    pub const fn max_wait_time(&self) -> Span {
        self.config.max_wait_time
    }

    /// Notices the period of a bursty limiter.
    fn refresh(&mut self, now: Time) {
        if let Stats::Bursty { period, available } = &mut self.stats {
            let current = now.as_nanos() / self.config.period.as_nanos();
            let per_period = i64::from(self.config.max_executions);
            let passed = i64::try_from(current - *period).unwrap_or(i64::MAX);
            *available = match (passed, *available) {
                (0, available) => available,
                (_, 0..) => per_period,
                (_, debt) => debt.saturating_add(passed.saturating_mul(per_period)),
            };
            *period = current;
        }
    }
}

impl Build for Config {
    type Machine = Failsafe;

    /// # Errors
    /// When `max_executions` or `period` is zero, or a smooth interval less than a nanosecond.
    fn build(&self) -> Result<Failsafe, OutOfRange> {
        let config = self.clone();
        at_least_one("max_executions", config.max_executions)?;
        above_zero("period", config.period)?;
        let stats = match config.builder {
            Builder::Smooth => {
                let interval = (config.period / u64::from(config.max_executions)).as_nanos();
                if interval == 0 {
                    let allowed = "at least a nanosecond for each of max_executions";
                    return Err(OutOfRange::new("period", config.period, allowed));
                }
                Stats::Smooth { interval, next_free: 0 }
            }
            Builder::Bursty => {
                Stats::Bursty { period: 0, available: i64::from(config.max_executions) }
            }
        };
        Ok(Failsafe { config, stats })
    }
}

impl Machine for Failsafe {
    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        if permits == 0 {
            return Ok(Span::ZERO);
        }
        self.refresh(now);
        match &mut self.stats {
            Stats::Smooth { interval, next_free } => {
                let nanos = now.as_nanos();
                // The current interval is free, or the next free one is counted from.
                let from = (nanos / *interval * *interval).max(*next_free);
                let last = u64::from(permits - 1).checked_mul(*interval);
                let last = last.and_then(|last| last.checked_add(from));
                let at = last.map(|last| now.max(Time::from_nanos(last)));
                let wait = wait_until(now, at, max_wait)?;
                *next_free = last.map_or(u64::MAX, |last| last.saturating_add(*interval));
                Ok(wait)
            }
            Stats::Bursty { period, available } => {
                let missing = i64::from(permits) - *available;
                let at = if missing <= 0 {
                    Some(now)
                } else {
                    let per_period = u64::from(self.config.max_executions);
                    let pays = period.checked_add(missing.unsigned_abs().div_ceil(per_period));
                    let begins = pays.and_then(|n| n.checked_mul(self.config.period.as_nanos()));
                    begins.map(Time::from_nanos)
                };
                let wait = wait_until(now, at, max_wait)?;
                *available -= i64::from(permits);
                Ok(wait)
            }
        }
    }

    fn available(&self, now: Time) -> Option<f64> {
        let mut refreshed = self.clone();
        refreshed.refresh(now);
        Some(match refreshed.stats {
            Stats::Smooth { interval, next_free } => {
                let is_free = now.as_nanos() / interval * interval >= next_free;
                f64::from(u8::from(is_free))
            }
            Stats::Bursty { available, .. } => available.max(0) as f64,
        })
    }

    fn default_wait(&self) -> Option<Span> {
        Some(self.max_wait_time())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::refused;
    use crate::laws::rate_limiter::testing::requests;
    use crate::laws::rate_limiter::{burst_after_years, most_used, play, used};

    fn limiter(builder: Builder, max_executions: u32, period: u64) -> Failsafe {
        let period = Span::nanos(period);
        let config = Config { builder, max_executions, period, max_wait_time: Span::ZERO };
        config.build().expect("valid")
    }

    /// What there is, once the period is noticed.
    fn left(limiter: &Failsafe, now: Time) -> Failsafe {
        let mut limiter = limiter.clone();
        limiter.refresh(now);
        limiter
    }

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    proptest! {
        /// Except for the intervals that the first request had taken before it went.
        #[test]
        fn smooth_grants_one_per_interval(
            executions in 1..6u32, period in 6..60u64, requests in requests(5),
        ) {
            let mut limiter = limiter(Builder::Smooth, executions, period);
            let interval = period / u64::from(executions);
            let grants = play(&mut limiter, left, &requests);
            for (n, first) in grants.iter().enumerate() {
                for last in &grants[n..] {
                    let intervals = last.at / interval - first.at / interval + 1;
                    let used = used(&grants[n..], first.at, last.at + 1);
                    prop_assert!(used < intervals + u64::from(first.permits));
                }
            }
            prop_assert_eq!(burst_after_years(limiter), 1);
        }

        /// While nothing is reserved ahead.
        #[test]
        fn bursty_grants_the_limit_per_period_and_in_any_at_most_twice(
            executions in 1..6u32, period in 1..40u64, mut requests in requests(7),
        ) {
            requests.iter_mut().for_each(|request| request.max_wait = Span::ZERO);
            let mut limiter = limiter(Builder::Bursty, executions, period);
            let grants = play(&mut limiter, left, &requests);
            for grant in &grants {
                let begins = grant.at / period * period;
                prop_assert!(used(&grants, begins, begins + period) <= u64::from(executions));
            }
            prop_assert!(most_used(&grants, period) <= 2 * u64::from(executions));
            prop_assert_eq!(burst_after_years(limiter), executions);
        }

        /// A debt is paid, but a pause in debt is saved up: only the sum since the start holds.
        #[test]
        fn bursty_never_grants_more_than_has_come_in(
            executions in 1..6u32, period in 1..40u64, requests in requests(7),
        ) {
            let mut limiter = limiter(Builder::Bursty, executions, period);
            let grants = play(&mut limiter, left, &requests);
            for last in &grants {
                let came_in = (last.at / period + 1) * u64::from(executions);
                prop_assert!(used(&grants, 0, last.at + 1) <= came_in);
            }
        }
    }

    #[test]
    fn smooth_lets_two_pass_a_moment_apart_at_the_edge_of_an_interval() {
        let mut limiter = limiter(Builder::Smooth, 10, 1000);
        let passes = [98, 99, 100, 101].map(|t| limiter.acquire(at(t), 1, Span::ZERO).is_ok());
        assert_eq!(passes, [true, false, true, false]);
    }

    #[test]
    fn smooth_goes_with_the_last_interval_of_a_request() {
        let mut limiter = limiter(Builder::Smooth, 10, 1000);
        assert_eq!(limiter.acquire(at(120), 3, Span::nanos(180)), Ok(Span::nanos(180)));
        let until = Some(at(400));
        let refused = Err(Reason::RateLimited { until });
        assert_eq!(limiter.acquire(at(120), 1, Span::nanos(180)), refused);
    }

    #[test]
    fn a_debt_and_a_pause_make_a_burst_beyond_the_limit() {
        let mut limiter = limiter(Builder::Bursty, 5, 100);
        assert_eq!(limiter.acquire(at(0), 6, Span::MAX), Ok(Span::nanos(100)));
        let passes = (0..100).filter(|_| limiter.acquire(at(1000), 1, Span::ZERO).is_ok()).count();
        assert_eq!(passes, 49, "ten periods of five, less the debt of one");
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let new = |builder, max_executions, period| {
            let period = Span::nanos(period);
            let config = Config { builder, max_executions, period, max_wait_time: Span::ZERO };
            refused(&config)
        };
        assert_eq!(new(Builder::Smooth, 0, 1), Some("max_executions"));
        assert_eq!(new(Builder::Bursty, 1, 0), Some("period"));
        assert_eq!(new(Builder::Smooth, 3, 2), Some("period"));
        assert_eq!(new(Builder::Bursty, 3, 2), None);
    }
}
