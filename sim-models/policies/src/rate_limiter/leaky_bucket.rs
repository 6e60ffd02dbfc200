//! A steady rate without bursts: calls queue and leave one by one, evenly spaced.
//!
//! Answers: a side that bursts hurt, however rare: the queue takes the burst, and what leaves it
//! is smooth.
//!
//! Invites: waiting where there was capacity. An idle limiter lets one call pass and holds the
//! second, and each place in the queue is one interval of latency.
//!
//! ```text
//!        calls ---> | . # # # | ---> #      #      #      #     one per interval
//!                   capacity         |<---->|
//!                                   per / permits
//! ```
//!
//! It is the GCRA as a queue: permit n may be used one interval after permit n − 1, or at once when
//! that is over. A request of several permits takes as many turns in a row and goes with the
//! last. The turns are kept in fractions of a nanosecond, so that the rate is exact in the long
//! run; a call goes at the first whole nanosecond of its turn.
//!
//! Reference: J. Turner, "New directions in communications", 1986; ITU-T I.371, "Generic cell rate
//! algorithm"; nginx' `limit_req`, whose `burst` is the `capacity` here.
//!
//! It keeps no permits: a call goes at once only when nobody is before it.
//!
//! Left out: nginx' `nodelay`, which lets the queue go at once; it is a token bucket
//! ([`super::token_bucket`]) of `capacity + 1`.

use sim_core::{Span, Time};

use super::machine::{Machine, wait_until};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{OutOfRange, Reason};

/// How fast calls leave, and how many may wait.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"LeakyBucket(permits: 100, per: "1s", capacity: 20)"#)]
#[schemars(rename = "LeakyBucketRateLimiter")]
pub struct Config {
    /// Permits that leave per `per`.
    #[schemars(range(min = 1))]
    pub permits: u32,
    /// The time in which `permits` leave.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub per: Span,
    /// Permits that may wait for their turn; with 0 a call goes at once or is refused.
    pub capacity: u32,
}

/// A queue that lets one permit go per interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakyBucket {
    config: Config,
    /// When the next turn is, in fractions of which a nanosecond has `permits`.
    free: u128,
}

impl Build for Config {
    type Machine = LeakyBucket;

    /// # Errors
    /// When `permits` or `per` is zero.
    fn build(&self) -> Result<LeakyBucket, OutOfRange> {
        let config = self.clone();
        at_least_one("permits", config.permits)?;
        above_zero("per", config.per)?;
        Ok(LeakyBucket { config, free: 0 })
    }
}

impl Machine for LeakyBucket {
    fn acquire(&mut self, now: Time, permits: u32, max_wait: Span) -> Result<Span, Reason> {
        if permits == 0 {
            return Ok(Span::ZERO);
        }
        // No sum here reaches 2¹⁰⁰: times have 64 bits, numbers of permits 32.
        let interval = u128::from(self.config.per.as_nanos());
        let scale = u128::from(self.config.permits);
        let now_scaled = u128::from(now.as_nanos()) * scale;
        let turn = now_scaled.max(self.free) + u128::from(permits - 1) * interval;
        let at = if permits - 1 > self.config.capacity {
            None
        } else if turn == now_scaled {
            Some(now)
        } else {
            u64::try_from(turn.div_ceil(scale)).ok().map(Time::from_nanos)
        };
        if turn - now_scaled > u128::from(self.config.capacity) * interval {
            return Err(Reason::RateLimited { until: at });
        }
        let wait = wait_until(now, at, max_wait)?;
        self.free = turn + interval;
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::rate_limiter::testing::requests;
    use crate::laws::rate_limiter::{burst_after_years, play};

    fn bucket(permits: u32, per: u64, capacity: u32) -> LeakyBucket {
        Config { permits, per: Span::nanos(per), capacity }.build().expect("valid")
    }

    proptest! {
        /// After a grant, the next `n` permits need `n` intervals, less the part of a nanosecond by
        /// which the first went late.
        #[test]
        fn permits_are_spaced_evenly(
            permits in 1..6u32, per in 1..40u64, requests in requests(4),
        ) {
            let mut bucket = bucket(permits, per, u32::MAX);
            let grants = play(&mut bucket, |l, _| l.clone(), &requests);
            for (n, first) in grants.iter().enumerate() {
                for (m, last) in grants.iter().enumerate().skip(n + 1) {
                    let between: u64 = grants[n + 1..=m].iter().map(|g| u64::from(g.permits)).sum();
                    prop_assert!(last.at - first.at >= between * per / u64::from(permits));
                }
            }
            if u64::from(permits) <= per {
                prop_assert_eq!(burst_after_years(bucket), 1);
            }
        }

        /// At no instant more permits wait than there are places.
        #[test]
        fn no_more_wait_than_there_are_places(
            permits in 1..6u32, per in 1..40u64, capacity in 0..5u32,
            gaps in proptest::collection::vec((0..30u64, 1..4u32), 0..60),
        ) {
            let mut bucket = bucket(permits, per, capacity);
            let (mut now, mut grants) = (0, Vec::new());
            for (gap, wanted) in gaps {
                now += gap;
                let wait = bucket.acquire(Time::from_nanos(now), wanted, Span::MAX);
                if let Ok(wait) = wait {
                    let at = now + wait.as_nanos();
                    // Of several permits the last goes at `at`, the others an interval earlier.
                    for n in 0..u64::from(wanted) {
                        let at = (at * u64::from(permits)).saturating_sub(n * per);
                        grants.push((at, now));
                    }
                }
                let waiting = grants.iter().filter(|(at, _)| *at >= (now + 1) * u64::from(permits));
                prop_assert!(waiting.count() <= capacity as usize);
            }
        }

        /// The rate is exact however long it runs.
        #[test]
        fn nothing_drifts(permits in 1..9u32, per in 1..50u64) {
            let mut bucket = bucket(permits, per, u32::MAX);
            for n in 0..500u64 {
                let wait = bucket.acquire(Time::ZERO, 1, Span::MAX).expect("places for all");
                prop_assert_eq!(wait.as_nanos(), (n * per).div_ceil(u64::from(permits)));
            }
        }
    }

    #[test]
    fn a_burst_leaves_evenly_and_what_finds_no_place_is_refused() {
        let mut bucket = bucket(10, 1_000_000_000, 2);
        let waits = [(); 3].map(|()| bucket.acquire(Time::ZERO, 1, Span::MAX).map(Span::as_millis));
        assert_eq!(waits, [Ok(0), Ok(100), Ok(200)]);
        let full = Err(Reason::RateLimited { until: Some(Time::ZERO + Span::millis(300)) });
        assert_eq!(bucket.acquire(Time::ZERO, 1, Span::MAX), full);
    }

    #[test]
    fn an_idle_one_holds_the_second_permit_of_a_request() {
        let mut bucket = bucket(10, 1_000_000_000, 2);
        let now = Time::ZERO + Span::secs(60);
        assert_eq!(bucket.acquire(now, 3, Span::MAX), Ok(Span::millis(200)));
        let never = Err(Reason::RateLimited { until: None });
        assert_eq!(bucket.acquire(now, 4, Span::MAX), never);
    }

    #[test]
    fn parameters_of_zero_are_refused_by_name() {
        let config = |permits, per| Config { permits, per: Span::nanos(per), capacity: 0 };
        all_refused([("permits", config(0, 1)), ("per", config(1, 0))]);
    }
}
