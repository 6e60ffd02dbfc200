//! A steady rate with bursts: tokens drip into a bucket, each permit takes one out.
//!
//! Answers: callers whose demand comes in bursts but whose average is agreed. What was not used
//! is saved, up to the size of the bucket.
//!
//! Invites: the burst itself. After a pause the full bucket goes out at once, and after an outage
//! that happens to all callers at the same moment.
//!
//! ```text
//!      permits per `per`
//!            |
//!            v                     in any time w:  granted <= burst + w x permits / per
//!        |       |
//!        | o o o | burst
//!        +---+---+
//!            `---> one per permit
//! ```
//!
//! The level is a whole number of *drops*, of which a token has so many that every nanosecond
//! brings whole ones: nothing is rounded and nothing drifts. The bucket is full at time zero. A
//! reservation takes its tokens out when it may be used, from a bucket that still overflows; who
//! asks after it is served after it.
//!
//! Reference: A. Tanenbaum, *Computer Networks*, "Token bucket"; [`Refill`] is Bucket4j's choice
//! between `refillGreedy` and `refillIntervally`.
//!
//! Left out: Guava's `SmoothBursty` differs twice: it begins empty, and it serves a request of any
//! size at once and lets the next one wait for it. Its `SmoothWarmingUp` is left out too.

use sim_core::{Span, Time};

use super::machine::{Machine, wait_until};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{OutOfRange, Reason};

/// How fast the bucket fills, and how much it holds.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"TokenBucket(permits: 100, per: "1s", burst: 20)"#)]
#[schemars(rename = "TokenBucketRateLimiter")]
pub struct Config {
    /// Tokens that come in per `per`.
    #[schemars(range(min = 1))]
    pub permits: u32,
    /// The time in which `permits` tokens come in.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub per: Span,
    /// Tokens that the bucket holds. More permits at once are never granted.
    #[schemars(range(min = 1))]
    pub burst: u32,
    /// How they come in; steadily unless said otherwise.
    #[serde(default)]
    pub refill: Refill,
}

/// How tokens come in.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    schemars::JsonSchema,
    serde::Deserialize,
    serde::Serialize,
)]
pub enum Refill {
    /// One by one, evenly: 60 per minute is one each second.
    #[default]
    Steady,
    /// All `permits` at once at the end of each `per`, on a grid from time zero.
    Periodic,
}

/// A bucket of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    config: Config,
    /// The nanoseconds between two refills, each of `permits` drops.
    step: u64,
    /// The drops of one token.
    token: u128,
    /// Drops in the bucket after refill number `refills`, and after the permits granted then.
    level: u128,
    /// The last refill that was looked at; ahead of the clock when permits are reserved.
    refills: u64,
}

impl Build for Config {
    type Machine = TokenBucket;

    /// # Errors
    /// When `permits`, `per` or `burst` is zero.
    fn build(&self) -> Result<TokenBucket, OutOfRange> {
        let config = self.clone();
        at_least_one("permits", config.permits)?;
        above_zero("per", config.per)?;
        at_least_one("burst", config.burst)?;
        let per = config.per.as_nanos();
        let (step, token) = match config.refill {
            Refill::Steady => (1, u128::from(per)),
            Refill::Periodic => (per, 1),
        };
        let level = u128::from(config.burst) * token;
        Ok(TokenBucket { config, step, token, level, refills: 0 })
    }
}

impl Machine for TokenBucket {
    fn available(&self, now: Time) -> Option<f64> {
        // Permits that are reserved ahead are not there.
        let Some(passed) = (now.as_nanos() / self.step).checked_sub(self.refills) else {
            return Some(0.0);
        };
        let full = u128::from(self.config.burst) * self.token;
        let level = self.level + u128::from(passed) * u128::from(self.config.permits);
        Some(level.min(full) as f64 / self.token as f64)
    }

    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        // No product here reaches 2⁹⁷: times have 64 bits, numbers of permits 32.
        let inflow = u128::from(self.config.permits);
        let full = u128::from(self.config.burst) * self.token;
        let wanted = u128::from(permits) * self.token;
        let refills = self.refills.max(now.as_nanos() / self.step);
        let level = self.level + u128::from(refills - self.refills) * inflow;
        // The refill with which the missing drops are there.
        let missing = if level < wanted { (wanted - level).div_ceil(inflow) } else { 0 };
        let refills = u64::try_from(missing).ok().and_then(|missing| refills.checked_add(missing));
        let refilled = refills.and_then(|refills| refills.checked_mul(self.step));
        let at = refilled.filter(|_| wanted <= full).map(|at| now.max(Time::from_nanos(at)));
        let wait = wait_until(now, at, max_wait)?;
        self.level = full.min(level + missing * inflow) - wanted;
        self.refills = refills.expect("granted at some time");
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::rate_limiter::testing::requests;
    use crate::laws::rate_limiter::{burst_after_years, play, used};

    fn bucket(permits: u32, per: u64, burst: u32, refill: Refill) -> TokenBucket {
        let config = Config { permits, per: Span::nanos(per), burst, refill };
        config.build().expect("valid")
    }

    proptest! {
        /// Between any two grants, both included.
        #[test]
        fn any_time_has_at_most_a_burst_and_what_came_in(
            permits in 1..6u32, per in 1..40u64, burst in 1..6u32, requests in requests(7),
        ) {
            for refill in [Refill::Steady, Refill::Periodic] {
                let mut bucket = bucket(permits, per, burst, refill);
                let grants = play(&mut bucket, |l, _| l.clone(), &requests);
                for (n, first) in grants.iter().enumerate() {
                    for last in &grants[n..] {
                        let came_in = match refill {
                            Refill::Steady => (last.at - first.at) * u64::from(permits) / per,
                            Refill::Periodic => {
                                (last.at / per - first.at / per) * u64::from(permits)
                            }
                        };
                        let used = used(&grants[n..], first.at, last.at + 1);
                        prop_assert!(used <= u64::from(burst) + came_in);
                    }
                }
                prop_assert_eq!(burst_after_years(bucket), burst);
            }
        }

        /// A bucket that is asked each nanosecond grants its rate to the last permit.
        #[test]
        fn nothing_drifts(permits in 1..50u32, per in 1..50u64, burst in 1..6u32) {
            let mut bucket = bucket(permits, per, burst, Refill::Steady);
            let (mut granted, end) = (0, 700);
            for now in 0..=end {
                while bucket.acquire(Time::from_nanos(now), 1, Span::ZERO).is_ok() {
                    granted += 1;
                }
            }
            // More than a full bucket per nanosecond overflows.
            if u64::from(permits) <= per * u64::from(burst - 1) {
                prop_assert_eq!(granted, u64::from(burst) + end * u64::from(permits) / per);
            }
        }
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = bucket(10, 1_000_000_000, 3, Refill::Steady);
        let waits =
            [(); 5].map(|()| bucket.acquire(Time::ZERO, 1, Span::millis(250)).map(Span::as_millis));
        assert_eq!(waits, [Ok(0), Ok(0), Ok(0), Ok(100), Ok(200)]);
        let until = Some(Time::ZERO + Span::millis(300));
        let refused = Err(Reason::RateLimited { until });
        assert_eq!(bucket.acquire(Time::ZERO, 1, Span::millis(250)), refused);
    }

    #[test]
    fn a_periodic_refill_brings_nothing_until_the_period_is_over() {
        let mut bucket = bucket(10, 1000, 3, Refill::Periodic);
        assert_eq!(bucket.acquire(Time::ZERO, 3, Span::ZERO), Ok(Span::ZERO));
        let until = Some(Time::from_nanos(1000));
        let refused = Err(Reason::RateLimited { until });
        assert_eq!(bucket.acquire(Time::from_nanos(999), 1, Span::ZERO), refused);
        assert_eq!(bucket.acquire(Time::from_nanos(1000), 3, Span::ZERO), Ok(Span::ZERO));
    }

    #[test]
    fn parameters_of_zero_are_refused_by_name() {
        let config = |permits, per, burst| Config {
            permits,
            per: Span::nanos(per),
            burst,
            refill: Refill::Steady,
        };
        all_refused([
            ("permits", config(0, 1, 1)),
            ("per", config(1, 0, 1)),
            ("burst", config(1, 1, 0)),
        ]);
    }
}
