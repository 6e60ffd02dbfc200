//! tenacity's `Retrying`: a stop, a wait and a condition, each chosen on its own.
//!
//! Answers: retries in Python, put together from small functions.
//!
//! Invites: the defaults retry without an end and without a pause. And `stop_after_delay` looks at
//! the clock before the wait: with growing waits the last attempt starts long after the limit.
//!
//! Reference: tenacity 9.2.1, `stop.py`, `wait.py`, `Retrying.__call__`.
//!
//! ```text
//! failure n -> wait(n) is drawn -> stop(n, elapsed, wait)? -> give up, or sleep the wait
//!
//! Exponential          max(min, min(multiplier * exp_base^(n-1), max))
//! RandomExponential    min + u (that - min)
//! ExponentialJitter    max(min, min(multiplier * exp_base^(n-1) + u jitter, max))
//! Random               min + u (max - min)
//! Incrementing         min(start + increment (n-1), max)
//! ```
//!
//! All in seconds of floating point. The luck of `ExponentialJitter` lies inside its cap, so that
//! capped clients return together.
//!
//! Left out: waits computed from the exception, negative increments, `TryAgain`, and what is raised
//! in the end (`reraise`, `RetryError`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::rules::{Failure, Luck, Preset, Rules, at_least, ordered, positive};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{EndingSet, OutOfRange, Reason};

/// The arguments of `retry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TenacityRetry")]
pub struct Config {
    /// When to stop.
    pub stop: Stop,
    /// How long to wait.
    pub wait: Wait,
    /// The endings that are worth another attempt.
    pub retry: EndingSet,
}

/// The functions of `tenacity.stop`.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "TenacityStop", title = "stop of Tenacity")]
pub enum Stop {
    /// `stop_never`.
    #[default]
    Never,
    /// `stop_after_attempt`: this many attempts are made, at least 1.
    #[schemars(example = r#"AfterAttempt(5)"#)]
    AfterAttempt(#[schemars(range(min = 1))] u32),
    /// `stop_after_delay`: when an attempt fails this long after the start, or later.
    #[schemars(example = r#"AfterDelay("30s")"#)]
    AfterDelay(Span),
    /// `stop_before_delay`: when the next attempt would start this long after the start, or later.
    #[schemars(example = r#"BeforeDelay("30s")"#)]
    BeforeDelay(Span),
    /// `stop_any`: one of them, at least one given.
    #[schemars(example = r#"Any([AfterAttempt(5), AfterDelay("30s")])"#)]
    Any(Vec<Stop>),
    /// `stop_all`: all of them at once, at least one given.
    #[schemars(example = r#"All([AfterAttempt(5), AfterDelay("30s")])"#)]
    All(Vec<Stop>),
}

/// The functions of `tenacity.wait`.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TenacityWait", title = "wait of Tenacity")]
pub enum Wait {
    /// `wait_none`.
    #[default]
    None,
    /// `wait_fixed`.
    #[schemars(example = r#"Fixed(wait: "1s")"#)]
    Fixed {
        /// The wait.
        wait: Span,
    },
    /// `wait_random`: anything between two lengths.
    Random {
        /// The shortest.
        #[serde(default)]
        min: Span,
        /// The longest, not below `min`.
        #[serde(default = "second")]
        max: Span,
    },
    /// `wait_incrementing`: longer by the same each time.
    Incrementing {
        /// The first.
        #[serde(default)]
        start: Span,
        /// Added each time.
        #[serde(default = "increment")]
        increment: Span,
        /// The longest; by default longer than any run.
        #[serde(default)]
        max: Option<Span>,
    },
    /// `wait_exponential`: growing by a factor.
    Exponential {
        /// The first in seconds.
        #[serde(default = "one")]
        #[schemars(range(min = 0.0))]
        multiplier: f64,
        /// The longest, not below `min`; by default longer than any run.
        #[serde(default)]
        max: Option<Span>,
        /// Growth per attempt.
        #[serde(default = "two")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        exp_base: f64,
        /// The shortest.
        #[serde(default)]
        min: Span,
    },
    /// `wait_random_exponential`: anything between `min` and what `Exponential` gives.
    RandomExponential {
        /// As for `Exponential`.
        #[serde(default = "one")]
        #[schemars(range(min = 0.0))]
        multiplier: f64,
        /// As for `Exponential`.
        #[serde(default)]
        max: Option<Span>,
        /// As for `Exponential`.
        #[serde(default = "two")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        exp_base: f64,
        /// As for `Exponential`.
        #[serde(default)]
        min: Span,
    },
    /// `wait_exponential_jitter`: what `Exponential` gives, plus luck, below the cap.
    ExponentialJitter {
        /// As for `Exponential`; older versions say `initial`.
        #[serde(default = "one")]
        #[schemars(range(min = 0.0))]
        multiplier: f64,
        /// As for `Exponential`.
        #[serde(default)]
        max: Option<Span>,
        /// As for `Exponential`.
        #[serde(default = "two")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        exp_base: f64,
        /// The most that luck adds.
        #[serde(default = "second")]
        jitter: Span,
        /// As for `Exponential`.
        #[serde(default)]
        min: Span,
    },
    /// `wait_chain`: one for each attempt in turn, then the last one again; at least one given.
    #[schemars(example = r#"Chain([Fixed(wait: "100ms"), Fixed(wait: "1s")])"#)]
    Chain(Vec<Wait>),
    /// `wait_combine`: the sum of all.
    #[schemars(example = r#"Combine([Fixed(wait: "1s"), Random()])"#)]
    Combine(Vec<Wait>),
}

fn second() -> Span {
    Span::secs(1)
}

fn increment() -> Span {
    Span::secs(100)
}

fn one() -> f64 {
    1.0
}

fn two() -> f64 {
    2.0
}

impl Default for Config {
    fn default() -> Config {
        Config { stop: Stop::Never, wait: Wait::None, retry: EndingSet::ANY_FAILURE }
    }
}

/// `tenacity._utils.MAX_WAIT` in seconds: half of the largest `Py_ssize_t`.
const MAX_WAIT: f64 = 9_223_372_036_854_775_807.0 / 2.0;

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenacity {
    stop: Stop,
    wait: Wait,
}

impl Tenacity {
    /// The wait in seconds after the failed attempt `attempt`, counted from 1, or why there is
    /// none. The wait is drawn in either case.
    ///
    /// # Errors
    /// When the stop says so.
    pub fn after_secs(
        &self,
        attempt: u32,
        elapsed: f64,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64, Reason> {
        let wait = self.wait.secs(attempt, uniform);
        self.stop.reason(attempt, elapsed, wait).map_or(Ok(wait), Err)
    }
}

impl Build for Config {
    type Machine = Tenacity;

    /// # Errors
    /// When a number cannot work: no attempts, a shortest wait above the longest, an empty list, a
    /// factor that is not a number.
    fn build(&self) -> Result<Tenacity, OutOfRange> {
        self.stop.check()?;
        self.wait.check()?;
        Ok(Tenacity { stop: self.stop.clone(), wait: self.wait.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.retry)
    }
}

impl Rules for Tenacity {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, luck: &mut Luck) -> Result<Span, Reason> {
        let elapsed = failure.elapsed.as_secs_f64();
        self.after_secs(failure.attempt, elapsed, &mut || luck.uniform()).map(Span::from_secs_f64)
    }
}

impl Stop {
    fn check(&self) -> Result<(), OutOfRange> {
        match self {
            Stop::Never | Stop::AfterDelay(_) | Stop::BeforeDelay(_) => Ok(()),
            Stop::AfterAttempt(attempts) => at_least_one("stop", *attempts),
            Stop::Any(stops) | Stop::All(stops) => {
                not_empty("stop", stops.len())?;
                stops.iter().try_for_each(Stop::check)
            }
        }
    }

    /// Why it stops, if it does.
    fn reason(&self, attempt: u32, elapsed: f64, upcoming: f64) -> Option<Reason> {
        match self {
            Stop::Never => None,
            Stop::AfterAttempt(attempts_max) => (attempt >= *attempts_max)
                .then_some(Reason::AttemptsExhausted { attempts_max: *attempts_max }),
            Stop::AfterDelay(total_max) => (elapsed >= total_max.as_secs_f64())
                .then_some(Reason::TotalTimeExhausted { total_max: *total_max }),
            Stop::BeforeDelay(total_max) => (elapsed + upcoming >= total_max.as_secs_f64())
                .then_some(Reason::TotalTimeExhausted { total_max: *total_max }),
            Stop::Any(stops) => stops.iter().find_map(|s| s.reason(attempt, elapsed, upcoming)),
            Stop::All(stops) => {
                let mut reason = None;
                for stop in stops {
                    reason = Some(stop.reason(attempt, elapsed, upcoming)?);
                }
                reason
            }
        }
    }
}

impl Wait {
    /// # Errors
    /// As [`Tenacity::new`].
    pub fn check(&self) -> Result<(), OutOfRange> {
        match self {
            Wait::None | Wait::Fixed { .. } | Wait::Incrementing { .. } => Ok(()),
            Wait::Random { min, max } => ordered("min", *min, "max", *max),
            Wait::Exponential { multiplier, max, exp_base, min }
            | Wait::RandomExponential { multiplier, max, exp_base, min }
            | Wait::ExponentialJitter { multiplier, max, exp_base, min, .. } => {
                at_least("multiplier", *multiplier, 0.0)?;
                positive("exp_base", *exp_base)?;
                ordered("min", *min, "max", max.unwrap_or(Span::MAX))
            }
            Wait::Chain(waits) => {
                not_empty("wait", waits.len())?;
                waits.iter().try_for_each(Wait::check)
            }
            Wait::Combine(waits) => waits.iter().try_for_each(Wait::check),
        }
    }

    /// The wait in seconds after attempt `attempt`, counted from 1. What is random takes one number
    /// in [0, 1) from `uniform`.
    pub fn secs(&self, attempt: u32, uniform: &mut dyn FnMut() -> f64) -> f64 {
        match self {
            Wait::None => 0.0,
            Wait::Fixed { wait } => wait.as_secs_f64(),
            Wait::Random { min, max } => {
                let min = min.as_secs_f64();
                min + uniform() * (max.as_secs_f64() - min)
            }
            Wait::Incrementing { start, increment, max } => {
                let steps = f64::from(attempt.saturating_sub(1));
                let wait = start.as_secs_f64() + increment.as_secs_f64() * steps;
                wait.min(longest(*max))
            }
            Wait::Exponential { multiplier, max, exp_base, min } => {
                let grown = multiplier * power(*exp_base, attempt);
                grown.min(longest(*max)).max(min.as_secs_f64())
            }
            Wait::RandomExponential { multiplier, max, exp_base, min } => {
                let min = min.as_secs_f64();
                let grown = multiplier * power(*exp_base, attempt);
                let high = grown.min(longest(*max)).max(min);
                min + (high - min) * uniform()
            }
            Wait::ExponentialJitter { multiplier, max, exp_base, jitter, min } => {
                let jitter = jitter.as_secs_f64() * uniform();
                let grown = multiplier * power(*exp_base, attempt) + jitter;
                grown.min(longest(*max)).max(min.as_secs_f64())
            }
            Wait::Chain(waits) => {
                let nth = (attempt.max(1) as usize).min(waits.len()) - 1;
                waits[nth].secs(attempt, uniform)
            }
            Wait::Combine(waits) => waits.iter().map(|wait| wait.secs(attempt, uniform)).sum(),
        }
    }
}

fn longest(max: Option<Span>) -> f64 {
    max.map_or(MAX_WAIT, Span::as_secs_f64)
}

/// `base^(attempt - 1)`.
fn power(base: f64, attempt: u32) -> f64 {
    math::pow(base, f64::from(attempt.saturating_sub(1)))
}

fn not_empty(field: &'static str, len: usize) -> Result<(), OutOfRange> {
    if len == 0 {
        Err(OutOfRange::new(field, "an empty list", "a list of at least one"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;

    fn growing() -> impl Strategy<Value = Wait> {
        let spans = (0..100_000u64, 0..100_000u64);
        (0.0..10.0f64, 1.0..4.0f64, spans, 0..5000u64, 0..4u8).prop_map(
            |(multiplier, exp_base, (a, b), jitter, kind)| {
                let (min, max) = (Span::millis(a.min(b)), Some(Span::millis(a.max(b))));
                let jitter = Span::millis(jitter);
                match kind {
                    0 => Wait::Exponential { multiplier, max, exp_base, min },
                    1 => Wait::RandomExponential { multiplier, max, exp_base, min },
                    2 => Wait::ExponentialJitter { multiplier, max, exp_base, jitter, min },
                    _ => Wait::Incrementing { start: min, increment: jitter, max },
                }
            },
        )
    }

    fn bounds(wait: &Wait) -> (f64, f64) {
        match wait {
            Wait::Exponential { min, max, .. }
            | Wait::RandomExponential { min, max, .. }
            | Wait::ExponentialJitter { min, max, .. }
            | Wait::Incrementing { start: min, max, .. } => (min.as_secs_f64(), longest(*max)),
            _ => unreachable!("one of the growing waits"),
        }
    }

    proptest! {
        #[test]
        fn growing_waits_keep_their_bounds_and_never_shrink(
            wait in growing(), u in 0.0..1.0f64,
        ) {
            wait.check().unwrap();
            let (min, max) = bounds(&wait);
            let waits: Vec<f64> = (1..80).map(|n| wait.secs(n, &mut || u)).collect();
            prop_assert!(waits.is_sorted(), "{waits:?}");
            prop_assert!(min <= waits[0] && waits[78] <= max.max(min), "{waits:?}");
        }

        #[test]
        fn stops_keep_their_limits(
            attempts in 1..10u32, limit in 0..20u64, attempt in 1..12u32, elapsed in 0..30u64,
            wait in 0..30u64,
        ) {
            let limit_s = Span::secs(limit);
            let (time, next) = (elapsed as f64, wait as f64);
            let stops = |stop: Stop| stop.reason(attempt, time, next).is_some();
            let (by_count, after, before) = (
                Stop::AfterAttempt(attempts), Stop::AfterDelay(limit_s), Stop::BeforeDelay(limit_s),
            );
            prop_assert_eq!(stops(by_count.clone()), attempt >= attempts);
            prop_assert_eq!(stops(after.clone()), elapsed >= limit);
            prop_assert_eq!(stops(before.clone()), elapsed + wait >= limit);
            let both = vec![by_count, before];
            prop_assert_eq!(stops(Stop::Any(both.clone())), attempt >= attempts || elapsed + wait >= limit);
            prop_assert_eq!(stops(Stop::All(both)), attempt >= attempts && elapsed + wait >= limit);
        }
    }

    #[test]
    fn the_luck_of_exponential_jitter_lies_inside_the_cap() {
        let (max, jitter) = (Some(Span::secs(20)), Span::secs(1));
        let wait = Wait::ExponentialJitter {
            multiplier: 1.0,
            max,
            exp_base: 2.0,
            jitter,
            min: Span::ZERO,
        };
        assert_eq!([1, 2, 5, 6].map(|n| wait.secs(n, &mut || 0.5)), [1.5, 2.5, 16.5, 20.0]);
    }

    #[test]
    fn after_delay_lets_an_attempt_start_late_and_before_delay_does_not() {
        let wait = Wait::Fixed { wait: Span::secs(60) };
        let limit = Span::secs(10);
        let after = |stop| {
            let rules = Config { stop, wait: wait.clone(), ..Config::default() }.build();
            rules.expect("valid").after_secs(1, 9.0, &mut || panic!("nothing is random"))
        };
        assert_eq!(after(Stop::AfterDelay(limit)), Ok(60.0));
        let over = Reason::TotalTimeExhausted { total_max: limit };
        assert_eq!(after(Stop::BeforeDelay(limit)), Err(over));
    }

    #[test]
    fn a_chain_ends_in_its_last_and_a_sum_draws_for_each() {
        let fixed = |secs| Wait::Fixed { wait: Span::secs(secs) };
        let chain = Wait::Chain(vec![fixed(1), fixed(5)]);
        assert_eq!([1, 2, 3, 9].map(|n| chain.secs(n, &mut || 0.0)), [1.0, 5.0, 5.0, 5.0]);
        let random = Wait::Random { min: Span::ZERO, max: Span::secs(1) };
        let sum = Wait::Combine(vec![fixed(3), random.clone(), random]);
        let mut draws = [0.5, 0.25].into_iter();
        assert_eq!(sum.secs(1, &mut || draws.next().expect("two draws")), 3.75);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let wait = |multiplier, exp_base, min| Wait::Exponential {
            multiplier,
            max: Some(Span::secs(1)),
            exp_base,
            min: Span::secs(min),
        };
        let stops = [Stop::AfterAttempt(0), Stop::Any(vec![]), Stop::All(vec![])];
        all_refused(stops.map(|stop| ("stop", Config { stop, ..Config::default() })));
        let waits = [
            ("wait", Wait::Chain(vec![])),
            ("multiplier", wait(-1.0, 2.0, 0)),
            ("exp_base", wait(1.0, f64::NAN, 0)),
            ("min", wait(1.0, 2.0, 2)),
        ];
        all_refused(waits.map(|(field, wait)| (field, Config { wait, ..Config::default() })));
    }
}
