//! The retry policy of Envoy's router: one retry, fully jittered.
//!
//! Answers: retries in the proxy, for callers that have none of their own.
//!
//! Invites: retries of what the callers retry as well; and an interval of 25 ms is short where the
//! other side needs seconds to recover. What bounds all retries together is the budget of the
//! cluster, a policy of its own.
//!
//! Reference: Envoy, `JitteredExponentialBackOffStrategy`, `JitteredLowerBoundBackOffStrategy`,
//! `RetryStateImpl`; `config.route.v3.RetryPolicy`.
//!
//! ```text
//! b(1) = base_interval,  b(n+1) = b(n) < max_interval / 2 ? 2 b(n) : max_interval
//! wait = random % b(n)                                            in milliseconds, from 0 on
//! reset header of v ms, 1 < v <= its max_interval:  v + random % (v / 2), and b stays
//! ```
//!
//! Left out: `per_try_timeout`, the choice of another host, `retriable_headers`; reset headers
//! other than `Retry-After`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, ordered};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// The fields of `RetryPolicy`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "EnvoyRetry")]
pub struct Config {
    /// Attempts after the first.
    pub num_retries: u32,
    /// `retry_back_off`.
    pub retry_back_off: RetryBackOff,
    /// Obeys `Retry-After` as a lower bound; by default it is not heard.
    pub rate_limited_retry_back_off: Option<RateLimitedRetryBackOff>,
    /// The endings that are worth another attempt; by default those of `retry_on: 5xx`, which are
    /// each 5xx and each broken or missing answer.
    pub retry_on: EndingSet,
}

/// The back-off, in whole milliseconds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBackOff {
    /// The bound of the first wait.
    #[schemars(extend("x-minimum" = "1ms"))]
    pub base_interval: Span,
    /// The bound of all, not below `base_interval`; by default ten times that.
    pub max_interval: Option<Span>,
}

/// The back-off that the other side asks for.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitedRetryBackOff {
    /// A longer request than this is not heard.
    pub max_interval: Span,
}

impl Default for RetryBackOff {
    fn default() -> RetryBackOff {
        RetryBackOff { base_interval: Span::millis(25), max_interval: None }
    }
}

impl Default for RateLimitedRetryBackOff {
    fn default() -> RateLimitedRetryBackOff {
        RateLimitedRetryBackOff { max_interval: Span::secs(300) }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            num_retries: 1,
            retry_back_off: RetryBackOff::default(),
            rate_limited_retry_back_off: None,
            retry_on: EndingSet::NONE.with_statuses(500, 599).with_no_answer(),
        }
    }
}

/// The router's rules, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Envoy {
    retries_max: u32,
    base_interval: u64,
    max_interval: u64,
    reset_max_interval: Option<u64>,
}

/// The bound of the next wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    next_interval: u64,
}

impl Envoy {
    /// The wait in milliseconds after the failed attempt `attempt`, counted from 1, or why there is
    /// none. `random` is uniform over all of `u64`, as in the router.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn after_millis(
        &self,
        memory: &mut Memory,
        attempt: u32,
        retry_after: Option<Span>,
        random: u64,
    ) -> Result<u64, Reason> {
        attempts_left(attempt, Some(self.retries_max.saturating_add(1)))?;
        if let (Some(max), Some(asked)) = (self.reset_max_interval, retry_after)
            && (2..=max).contains(&asked.as_millis())
        {
            let asked = asked.as_millis();
            return Ok(asked.saturating_add(random % (asked / 2)));
        }
        let bound = memory.next_interval;
        let doubles = bound < self.max_interval / 2;
        memory.next_interval = if doubles { bound * 2 } else { self.max_interval };
        Ok(random % bound)
    }
}

impl Build for Config {
    type Machine = Envoy;

    /// # Errors
    /// When `base_interval` is below a millisecond or above `max_interval`.
    fn build(&self) -> Result<Envoy, OutOfRange> {
        let RetryBackOff { base_interval, max_interval } = self.retry_back_off;
        let max_interval = max_interval.unwrap_or(base_interval * 10u64);
        if base_interval.as_millis() == 0 {
            return Err(OutOfRange::new("base_interval", base_interval, "at least 1ms"));
        }
        ordered("base_interval", base_interval, "max_interval", max_interval)?;
        let reset = self.rate_limited_retry_back_off.as_ref();
        Ok(Envoy {
            retries_max: self.num_retries,
            base_interval: base_interval.as_millis(),
            max_interval: max_interval.as_millis(),
            reset_max_interval: reset.map(|reset| reset.max_interval.as_millis()),
        })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.retry_on)
    }
}

impl Rules for Envoy {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory { next_interval: self.base_interval }
    }

    fn after(
        &self,
        memory: &mut Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        self.after_millis(memory, failure.attempt, failure.retry_after, luck.draw).map(Span::millis)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::retry::testing;

    proptest! {
        #[test]
        fn waits_stay_below_a_doubling_bound(
            base in 1..10_000u64, room in 0..1_000_000u64, random: u64,
        ) {
            let retry_back_off = RetryBackOff {
                base_interval: Span::millis(base),
                max_interval: Some(Span::millis(base + room)),
            };
            let config = Config { num_retries: 40, retry_back_off, ..Config::default() };
            let rules = config.build().unwrap();
            let waits = testing::waits(&rules, &[random; 39], |memory, n, random| {
                rules.after_millis(memory, n, None, random)
            });
            let mut bound = base;
            for wait in waits {
                prop_assert!(wait < bound, "{wait} {bound}");
                prop_assert_eq!(wait, random % bound);
                bound = (bound * 2).min(base + room);
            }
        }

        #[test]
        fn a_request_to_wait_is_a_lower_bound_unless_it_is_too_long(
            asked in 0..400_000u64, random: u64,
        ) {
            let config = Config {
                rate_limited_retry_back_off: Some(RateLimitedRetryBackOff::default()),
                ..Config::default()
            };
            let rules = config.build().unwrap();
            let mut memory = rules.start();
            let wait = rules.after_millis(&mut memory, 1, Some(Span::millis(asked)), random);
            let wait = wait.unwrap();
            if (2..=300_000).contains(&asked) {
                prop_assert!(asked <= wait && wait < asked + asked / 2 + 1);
                prop_assert_eq!(memory, rules.start());
            } else {
                prop_assert!(wait < 25);
            }
        }
    }

    #[test]
    fn the_default_is_one_retry_within_25_ms() {
        let rules = Config::default().build().expect("valid");
        let mut memory = rules.start();
        let deaf = rules.after_millis(&mut memory, 1, Some(Span::secs(9)), 24);
        assert_eq!(deaf, Ok(24));
        let over = Reason::AttemptsExhausted { attempts_max: 2 };
        assert_eq!(rules.after_millis(&mut memory, 2, None, 24), Err(over));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let with = |base_interval, max_interval| {
            let retry_back_off = RetryBackOff { base_interval, max_interval };
            Config { retry_back_off, ..Config::default() }
        };
        all_refused([
            ("base_interval", with(Span::ZERO, None)),
            ("base_interval", with(Span::millis(2), Some(Span::millis(1)))),
        ]);
    }
}
