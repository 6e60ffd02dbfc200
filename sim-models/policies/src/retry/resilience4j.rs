//! Resilience4j's `Retry`: waits in whole milliseconds, truncated step by step.
//!
//! Answers: a retry from the interval function that the service already uses.
//!
//! Invites: at the cap most of the randomised waits equal the cap, because the cap comes after the
//! luck. And every exception is retried, also the `CallNotPermittedException` of a breaker inside.
//!
//! Reference: Resilience4j 2.4.0, `RetryImpl`, `RetryConfig`, `IntervalFunction`.
//!
//! ```text
//! d(1) = initial_interval,  d(n+1) = (long) (d(n) * multiplier)      truncated at each step
//! randomised:  (long) max(1, d - f d + u (2 f d + 1))
//! capped:      min(that, max_interval)                               the cap is last
//! ```
//!
//! Left out: `failAfterMaxAttempts`, which only changes what is thrown; interval functions of the
//! result; the asynchronous `-1` that stops; `BudgetRetryImpl`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, at_least, attempts_left, from_millis};
use crate::family::Build;
use crate::out_of_range::{at_least_one, within};
use crate::{EndingSet, OutOfRange, Reason};

/// The options of `RetryConfig.Builder`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Resilience4jRetry")]
pub struct Config {
    /// Attempts in all, the first included.
    #[schemars(range(min = 1))]
    pub max_attempts: u32,
    /// The wait between attempts, in whole milliseconds.
    pub wait_duration: Span,
    /// Takes the place of `wait_duration`.
    pub interval_function: Option<IntervalFunction>,
    /// The endings that are worth another attempt.
    pub retry_exceptions: EndingSet,
}

/// The functions of `IntervalFunction`, from the number of an attempt to the wait after it.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "interval of Resilience4j")]
pub enum IntervalFunction {
    /// Always the same.
    Of {
        /// The wait, in whole milliseconds.
        #[serde(default = "interval")]
        #[schemars(extend("x-minimum" = "1ms"))]
        interval: Span,
    },
    /// The same, spread by luck.
    OfRandomized {
        /// The wait, in whole milliseconds.
        #[serde(default = "interval")]
        #[schemars(extend("x-minimum" = "1ms"))]
        interval: Span,
        /// How far luck reaches to each side.
        #[serde(default = "randomization_factor")]
        #[schemars(range(min = 0.0, max = 1.0))]
        randomization_factor: f64,
    },
    /// Growing by a factor.
    OfExponentialBackoff {
        /// The first wait, in whole milliseconds.
        #[serde(default = "interval")]
        #[schemars(extend("x-minimum" = "1ms"))]
        initial_interval: Span,
        /// Growth per retry.
        #[serde(default = "multiplier")]
        #[schemars(range(min = 1.0))]
        multiplier: f64,
        /// The longest wait, in whole milliseconds; no limit by default.
        #[serde(default)]
        #[schemars(extend("x-minimum" = "1ms"))]
        max_interval: Option<Span>,
    },
    /// Growing by a factor and spread by luck.
    OfExponentialRandomBackoff {
        /// The first wait, in whole milliseconds.
        #[serde(default = "interval")]
        #[schemars(extend("x-minimum" = "1ms"))]
        initial_interval: Span,
        /// Growth per retry.
        #[serde(default = "multiplier")]
        #[schemars(range(min = 1.0))]
        multiplier: f64,
        /// How far luck reaches to each side.
        #[serde(default = "randomization_factor")]
        #[schemars(range(min = 0.0, max = 1.0))]
        randomization_factor: f64,
        /// The longest wait, in whole milliseconds; no limit by default.
        #[serde(default)]
        #[schemars(extend("x-minimum" = "1ms"))]
        max_interval: Option<Span>,
    },
}

fn interval() -> Span {
    Span::millis(500)
}

fn multiplier() -> f64 {
    1.5
}

fn randomization_factor() -> f64 {
    0.5
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_attempts: 3,
            wait_duration: interval(),
            interval_function: None,
            retry_exceptions: EndingSet::ANY_FAILURE,
        }
    }
}

/// An interval function, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    initial: i64,
    multiplier: f64,
    randomization_factor: Option<f64>,
    max: Option<i64>,
}

impl Interval {
    /// The interval function that `function` describes.
    ///
    /// # Errors
    /// When an interval is below 1 ms, the factor of luck outside 0..=1 or the multiplier below 1.
    pub fn new(function: &IntervalFunction) -> Result<Interval, OutOfRange> {
        let (field, initial, multiplier, randomization_factor, max) = match *function {
            IntervalFunction::Of { interval } => ("interval", interval, 1.0, None, None),
            IntervalFunction::OfRandomized { interval, randomization_factor } => {
                ("interval", interval, 1.0, Some(randomization_factor), None)
            }
            IntervalFunction::OfExponentialBackoff {
                initial_interval,
                multiplier,
                max_interval,
            } => ("initial_interval", initial_interval, multiplier, None, max_interval),
            IntervalFunction::OfExponentialRandomBackoff {
                initial_interval,
                multiplier,
                randomization_factor,
                max_interval,
            } => {
                let luck = Some(randomization_factor);
                ("initial_interval", initial_interval, multiplier, luck, max_interval)
            }
        };
        if let Some(factor) = randomization_factor {
            within("randomization_factor", factor, 0.0, 1.0)?;
        }
        // The library takes a multiplier below 1 and shrinks to waits of zero.
        at_least("multiplier", multiplier, 1.0)?;
        Ok(Interval {
            initial: at_least_a_milli(field, initial)?,
            multiplier,
            randomization_factor,
            max: max.map(|max| at_least_a_milli("max_interval", max)).transpose()?,
        })
    }

    /// The wait in milliseconds after attempt `attempt`, counted from 1. A randomised one takes
    /// one number in [0, 1) from `uniform`, the others none.
    pub fn interval_millis(&self, attempt: u32, uniform: &mut dyn FnMut() -> f64) -> i64 {
        let mut interval = self.initial;
        for _ in 1..attempt {
            // `as` truncates and saturates as Java's cast to long does.
            let next = (interval as f64 * self.multiplier) as i64;
            if next == interval {
                break;
            }
            interval = next;
        }
        if let Some(factor) = self.randomization_factor {
            let current = interval as f64;
            let delta = factor * current;
            let (min, max) = (current - delta, current + delta);
            interval = (min + uniform() * (max - min + 1.0)).max(1.0) as i64;
        }
        self.max.map_or(interval, |max| interval.min(max))
    }
}

fn at_least_a_milli(field: &'static str, interval: Span) -> Result<i64, OutOfRange> {
    // Java's `Duration.toMillis` rounds down.
    let millis = interval.as_millis();
    if millis == 0 {
        return Err(OutOfRange::new(field, interval, "at least 1ms"));
    }
    Ok(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Resilience4j {
    max_attempts: u32,
    interval: Interval,
}

impl Resilience4j {
    /// The wait in milliseconds after the failed attempt `attempt`, or why there is none.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn after_millis(
        &self,
        attempt: u32,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<i64, Reason> {
        attempts_left(attempt, Some(self.max_attempts))?;
        Ok(self.interval.interval_millis(attempt, uniform))
    }
}

impl Build for Config {
    type Machine = Resilience4j;

    /// # Errors
    /// When `max_attempts` is zero or the interval function is refused by [`Interval::new`].
    fn build(&self) -> Result<Resilience4j, OutOfRange> {
        at_least_one("max_attempts", self.max_attempts)?;
        let interval = match &self.interval_function {
            Some(function) => Interval::new(function)?,
            None => Interval {
                initial: i64::try_from(self.wait_duration.as_millis()).unwrap_or(i64::MAX),
                multiplier: 1.0,
                randomization_factor: None,
                max: None,
            },
        };
        Ok(Resilience4j { max_attempts: self.max_attempts, interval })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.retry_exceptions)
    }
}

impl Rules for Resilience4j {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, luck: &mut Luck) -> Result<Span, Reason> {
        self.after_millis(failure.attempt, &mut || luck.uniform()).map(from_millis)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;

    fn exponential(
        initial: u64,
        multiplier: f64,
        randomization_factor: f64,
        max: Option<u64>,
    ) -> Interval {
        Interval::new(&IntervalFunction::OfExponentialRandomBackoff {
            initial_interval: Span::millis(initial),
            multiplier,
            randomization_factor,
            max_interval: max.map(Span::millis),
        })
        .expect("valid")
    }

    proptest! {
        #[test]
        fn luck_stays_within_its_factor_and_below_the_cap(
            initial in 1..1_000_000u64, multiplier in 1.0..4.0, factor in 0.0..=1.0f64,
            max in prop::option::of(1..10_000_000u64), attempt in 1..40u32, u in 0.0..1.0f64,
        ) {
            let luckless = exponential(initial, multiplier, 0.0, None)
                .interval_millis(attempt, &mut || 0.0) as f64;
            let wait = exponential(initial, multiplier, factor, max)
                .interval_millis(attempt, &mut || u);
            let max = max.map_or(i64::MAX, |max| max as i64);
            let low = (luckless * (1.0 - factor) * (1.0 - 1e-9)).floor() as i64;
            let high = (luckless * (1.0 + factor) * (1.0 + 1e-9)) + 1.0;
            prop_assert!(low.max(1).min(max) <= wait && wait <= max && wait as f64 <= high);
        }

        #[test]
        fn the_same_luck_never_waits_shorter_later(
            initial in 1..1_000_000u64, multiplier in 1.0..4.0, factor in 0.0..=1.0f64,
            max in prop::option::of(1..10_000_000u64), u in 0.0..1.0f64,
        ) {
            let interval = exponential(initial, multiplier, factor, max);
            let waits: Vec<i64> =
                (1..60).map(|n| interval.interval_millis(n, &mut || u)).collect();
            prop_assert!(waits.is_sorted(), "{waits:?}");
        }
    }

    #[test]
    fn each_step_is_truncated_and_not_only_the_last() {
        let interval = Interval::new(&IntervalFunction::OfExponentialBackoff {
            initial_interval: Span::millis(500),
            multiplier: 1.5,
            max_interval: None,
        });
        let interval = interval.expect("valid");
        let waits = [1, 2, 3, 4, 5, 6, 7].map(|n| interval.interval_millis(n, &mut || panic!()));
        // 500 * 1.5^6 is 5695.3: the truncated steps have lost three milliseconds.
        assert_eq!(waits, [500, 750, 1125, 1687, 2530, 3795, 5692]);
        assert_eq!(interval.interval_millis(u32::MAX, &mut || panic!()), i64::MAX);
    }

    #[test]
    fn at_the_cap_luck_only_shortens() {
        let interval = exponential(500, 2.0, 0.5, Some(2000));
        let waits = [0.0, 0.25, 0.5, 0.99].map(|u| interval.interval_millis(8, &mut || u));
        assert_eq!(waits, [2000; 4]);
        assert_eq!(interval.interval_millis(3, &mut || 0.25), 1500);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let interval = Span::micros(999);
        let randomized = |randomization_factor| IntervalFunction::OfRandomized {
            interval: Span::millis(1),
            randomization_factor,
        };
        let exponential = |multiplier, max_interval| IntervalFunction::OfExponentialBackoff {
            initial_interval: Span::millis(1),
            multiplier,
            max_interval,
        };
        let functions = [
            ("interval", IntervalFunction::Of { interval }),
            ("randomization_factor", randomized(-0.1)),
            ("randomization_factor", randomized(1.1)),
            ("randomization_factor", randomized(f64::NAN)),
            ("multiplier", exponential(0.9, None)),
            ("multiplier", exponential(f64::NAN, None)),
            ("max_interval", exponential(2.0, Some(Span::ZERO))),
        ];
        all_refused(functions.map(|(field, function)| {
            (field, Config { interval_function: Some(function), ..Config::default() })
        }));
        all_refused([("max_attempts", Config { max_attempts: 0, ..Config::default() })]);
    }
}
