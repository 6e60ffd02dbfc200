//! Additive increase, multiplicative decrease: the limit of TCP Reno.
//!
//! Answers: a limit for a side that drops or times out when it is overloaded, without a look at
//! how its latency moves.
//!
//! Invites: a saw tooth. It learns of overload only from losses, so that it has to cause some to
//! find the limit, and each one costs a caller an answer.
//!
//! Reference: Netflix concurrency-limits 0.5.4, `AIMDLimit`.
//!
//! ```text
//! a drop, or rtt > timeout                limit := floor(limit * backoff_ratio)
//! else, at least half the limit in use    limit := limit + 1
//! else                                    as it is: the callers are the bottleneck
//! then                                    limit := min(max_limit, max(min_limit, limit))
//! ```
//!
//! The limit begins at `initial_limit` even where that lies outside its bounds, and enters them
//! with the first sample. Where `min_limit` is above `max_limit`, the latter wins.

use sim_core::Span;

use super::machine::{Machine, Measured};
use crate::OutOfRange;
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};

/// Where the limit begins and how it moves.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AimdLimit")]
pub struct Config {
    /// The limit before the first sample.
    #[schemars(range(min = 1))]
    pub initial_limit: u32,
    /// The lowest limit.
    ///
    /// At 0 the limit may reach zero, from which nothing recovers: no call is let through, so that
    /// no sample comes.
    pub min_limit: u32,
    /// The highest limit.
    #[schemars(range(min = 1))]
    pub max_limit: u32,
    /// What a loss leaves of the limit.
    #[schemars(range(min = 0.5), extend("exclusiveMaximum" = 1))]
    pub backoff_ratio: f64,
    /// A call that takes longer counts as a loss.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub timeout: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            initial_limit: 20,
            min_limit: 20,
            max_limit: 200,
            backoff_ratio: 0.9,
            timeout: Span::secs(5),
        }
    }
}

/// A limit that grows by one and shrinks by a share.
#[derive(Clone, Debug, PartialEq)]
pub struct Aimd {
    config: Config,
    limit: u32,
}

impl Aimd {
    /// Hears of a call that took `rtt` and began as one of `in_flight`, itself included.
    pub fn sample(&mut self, rtt: Span, in_flight: u32, dropped: bool) {
        let limit = if dropped || rtt > self.config.timeout {
            // Rounded down, as the library casts to a whole number.
            (f64::from(self.limit) * self.config.backoff_ratio) as u32
        } else if u64::from(in_flight) * 2 >= u64::from(self.limit) {
            self.limit.saturating_add(1)
        } else {
            self.limit
        };
        self.limit = limit.max(self.config.min_limit).min(self.config.max_limit);
    }
}

impl Build for Config {
    type Machine = Aimd;

    /// # Errors
    /// When `initial_limit`, `max_limit` or `timeout` is zero, or `backoff_ratio` lies outside
    /// 0.5..1.
    fn build(&self) -> Result<Aimd, OutOfRange> {
        let config = self.clone();
        at_least_one("initial_limit", config.initial_limit)?;
        at_least_one("max_limit", config.max_limit)?;
        above_zero("timeout", config.timeout)?;
        if !(0.5..1.0).contains(&config.backoff_ratio) {
            let found = config.backoff_ratio;
            return Err(OutOfRange::new("backoff_ratio", found, "at least 0.5 and below 1"));
        }
        Ok(Aimd { limit: config.initial_limit, config })
    }
}

impl Machine for Aimd {
    fn hear(&mut self, call: Measured, _jitter: &mut dyn FnMut() -> f64) {
        self.sample(call.rtt, call.in_flight, call.dropped);
    }

    fn limit(&self) -> u32 {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;

    const FAST: Span = Span::millis(10);

    fn from(initial_limit: u32, min_limit: u32, max_limit: u32) -> Aimd {
        let config = Config { initial_limit, min_limit, max_limit, ..Config::default() };
        config.build().expect("valid")
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds_from_the_first_sample_on(
            initial in 1..300u32, min in 0..100u32, room in 1..200u32, ratio in 0.5..0.99,
            samples in vec((0..8000u64, 0..400u32, any::<bool>()), 1..80),
        ) {
            let max = min + room;
            let mut aimd = from(initial, min, max);
            aimd.config.backoff_ratio = ratio;
            for (millis, in_flight, dropped) in samples {
                aimd.sample(Span::millis(millis), in_flight, dropped);
                prop_assert!((min..=max).contains(&aimd.limit()), "{aimd:?}");
            }
        }

        #[test]
        fn a_loss_never_raises_the_limit_and_a_sample_raises_it_by_one_at_most(
            initial in 1..300u32,
            samples in vec((0..8000u64, 0..400u32, any::<bool>()), 1..80),
        ) {
            let mut aimd = from(initial, 1, 250);
            for (millis, in_flight, dropped) in samples {
                let before = aimd.limit();
                aimd.sample(Span::millis(millis), in_flight, dropped);
                let lost = dropped || millis > 5000;
                prop_assert!(aimd.limit() <= before + u32::from(!lost));
                prop_assert!(in_flight * 2 >= before || aimd.limit() <= before);
            }
        }
    }

    #[test]
    fn a_loss_costs_a_tenth_and_each_good_call_under_load_gives_one_back() {
        let mut aimd = from(100, 20, 200);
        aimd.sample(FAST, 100, true);
        assert_eq!(aimd.limit(), 90);
        aimd.sample(FAST, 45, false);
        assert_eq!(aimd.limit(), 91);
        aimd.sample(FAST, 45, false);
        assert_eq!(aimd.limit(), 91, "45 of 91 is less than half");
    }

    #[test]
    fn a_call_longer_than_the_timeout_is_a_loss() {
        let mut aimd = from(100, 20, 200);
        aimd.sample(Span::secs(5), 100, false);
        assert_eq!(aimd.limit(), 101);
        aimd.sample(Span::secs(5) + Span::nanos(1), 100, false);
        assert_eq!(aimd.limit(), 90);
    }

    #[test]
    fn an_initial_limit_outside_the_bounds_holds_until_the_first_sample() {
        let mut aimd = from(5, 20, 200);
        assert_eq!(aimd.limit(), 5);
        aimd.sample(FAST, 0, false);
        assert_eq!(aimd.limit(), 20);
    }

    #[test]
    fn a_floor_above_the_ceiling_yields_to_it() {
        let mut aimd = from(50, 30, 10);
        aimd.sample(FAST, 50, false);
        assert_eq!(aimd.limit(), 10);
    }

    #[test]
    fn a_floor_of_zero_lets_the_limit_reach_zero() {
        let mut aimd = from(1, 0, 10);
        aimd.sample(FAST, 1, true);
        assert_eq!(aimd.limit(), 0);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let valid = Config::default();
        all_refused([
            ("initial_limit", Config { initial_limit: 0, ..valid.clone() }),
            ("max_limit", Config { max_limit: 0, ..valid.clone() }),
            ("timeout", Config { timeout: Span::ZERO, ..valid.clone() }),
            ("backoff_ratio", Config { backoff_ratio: 1.0, ..valid.clone() }),
            ("backoff_ratio", Config { backoff_ratio: 0.49, ..valid.clone() }),
            ("backoff_ratio", Config { backoff_ratio: f64::NAN, ..valid.clone() }),
        ]);
    }
}
