//! Failsafe's `RetryPolicy`: nanoseconds inside, whole milliseconds asleep.
//!
//! Answers: a retry with a delay, a random delay or a growing one, each with jitter to both sides.
//!
//! Invites: the default waits not at all, so that three attempts come within the same instant. And
//! a large draw makes the wait *shorter*: luck is subtracted.
//!
//! Reference: Failsafe 3.3.2, `RetryPolicyExecutor`, `RetryPolicyBuilder`, `RandomDelay`.
//!
//! ```text
//! fixed      d = delay                    random   d = delay_min + (long) (u (max - min))
//! growing    d(1) = delay,  d(n+1) = (long) min(d(n) * delay_factor, max_delay)
//! jitter     (long) (d + (1 - 2u) jitter)      or   (long) (d (1 + (1 - 2u) jitter_factor))
//! then       min(that, max_duration - elapsed), not below zero; slept in whole milliseconds
//! ```
//!
//! The jitter comes after the cap and is not fed back into the next delay. Both are also drawn for
//! the failure after which no retry follows. The total time ends the series only when it is
//! *exceeded*: after a wait that was cut to fit, one more attempt is made.
//!
//! Left out: `abortOn`, delays computed from the result, and the asynchronous execution, which
//! does not round to milliseconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, from_millis, nanos};
use crate::family::Build;
use crate::out_of_range::within;
use crate::{EndingSet, OutOfRange, Reason};

/// The options of `RetryPolicyBuilder`, by the names of `RetryPolicyConfig`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FailsafeRetry")]
#[schemars(example = r#"Failsafe(delay: "100ms", max_delay: "10s", delay_factor: 2.0)"#)]
pub struct Config {
    /// Attempts after the first; -1 for no limit.
    #[schemars(range(min = -1))]
    pub max_retries: i32,
    /// The total time, above every delay; no limit by default.
    pub max_duration: Option<Span>,
    /// The delay, or the first of growing ones.
    pub delay: Span,
    /// Lets the delay grow up to this; above `delay`. By default it does not grow.
    pub max_delay: Option<Span>,
    /// Growth per retry. Without `max_delay` it plays no part.
    #[schemars(extend("exclusiveMinimum" = 1))]
    pub delay_factor: f64,
    /// The shortest random delay, above zero. It needs `delay_max` and no `delay`.
    pub delay_min: Option<Span>,
    /// The longest random delay, above `delay_min`.
    pub delay_max: Option<Span>,
    /// How far luck reaches to each side, above zero and at most the shortest delay.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub jitter: Option<Span>,
    /// How far luck reaches to each side as a share of the delay. With `jitter` it plays no part.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub jitter_factor: f64,
    /// The endings that are worth another attempt.
    pub handle: EndingSet,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_retries: 2,
            max_duration: None,
            delay: Span::ZERO,
            max_delay: None,
            delay_factor: 2.0,
            delay_min: None,
            delay_max: None,
            jitter: None,
            jitter_factor: 0.0,
            handle: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Failsafe {
    max_retries: Option<u32>,
    max_duration: Option<i64>,
    delay: i64,
    growth: Option<(f64, i64)>,
    random: Option<(i64, i64)>,
    jitter: Option<i64>,
    jitter_factor: f64,
}

/// The last delay before jitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    last_delay: i64,
}

impl Failsafe {
    /// The wait in nanoseconds after the failed attempt `attempt`, counted from 1, or why there is
    /// none. A random delay and the jitter take one number in [0, 1) each from `uniform`.
    ///
    /// # Errors
    /// When all attempts are made, or more than the total time is over.
    pub fn after_nanos(
        &self,
        memory: &mut Memory,
        attempt: u32,
        elapsed: i64,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<i64, Reason> {
        let mut delay = memory.last_delay;
        if delay == 0 && self.delay != 0 {
            delay = self.delay;
        } else if let Some((min, max)) = self.random {
            delay = min + ((max - min) as f64 * uniform()) as i64;
        }
        if let Some((factor, max)) = self.growth
            && attempt != 1
        {
            delay = (delay as f64 * factor).min(max as f64) as i64;
        }
        memory.last_delay = delay;
        if delay != 0 {
            if let Some(jitter) = self.jitter {
                delay = (delay as f64 + (1.0 - uniform() * 2.0) * jitter as f64) as i64;
            } else if self.jitter_factor > 0.0 {
                delay =
                    (delay as f64 * (1.0 + (1.0 - uniform() * 2.0) * self.jitter_factor)) as i64;
            }
        }
        if let Some(max_duration) = self.max_duration {
            delay = delay.min((max_duration - elapsed).max(0)).max(0);
            if elapsed > max_duration {
                let total_max = Span::nanos(max_duration.unsigned_abs());
                return Err(Reason::TotalTimeExhausted { total_max });
            }
        }
        match self.max_retries {
            Some(retries) if attempt > retries => {
                Err(Reason::AttemptsExhausted { attempts_max: retries.saturating_add(1) })
            }
            _ => Ok(delay),
        }
    }
}

impl Build for Config {
    type Machine = Failsafe;

    /// # Errors
    /// What the library's builder refuses, in whatever order the options are set there.
    fn build(&self) -> Result<Failsafe, OutOfRange> {
        let Config { delay, max_delay, delay_min, delay_max, max_duration, jitter, .. } = *self;
        if self.max_retries < -1 {
            return Err(OutOfRange::new("max_retries", self.max_retries, "at least -1"));
        }
        if let Some(max_delay) = max_delay {
            if delay.is_zero() {
                return Err(OutOfRange::new("delay", delay, "longer than zero, since it grows"));
            }
            below("delay", delay, "max_delay", max_delay)?;
            if !(self.delay_factor.is_finite() && self.delay_factor > 1.0) {
                let found = self.delay_factor;
                return Err(OutOfRange::new("delay_factor", found, "finite and above 1"));
            }
        }
        let random = match (delay_min, delay_max) {
            (None, None) => None,
            (Some(min), Some(max)) => {
                if min.is_zero() {
                    return Err(OutOfRange::new("delay_min", min, "longer than zero"));
                }
                below("delay_min", min, "delay_max", max)?;
                if !delay.is_zero() {
                    return Err(OutOfRange::new("delay", delay, "zero, since it is random"));
                }
                Some((nanos(min), nanos(max)))
            }
            (Some(min), None) => {
                return Err(OutOfRange::new("delay_min", min, "given with delay_max"));
            }
            (None, Some(max)) => {
                return Err(OutOfRange::new("delay_max", max, "given with delay_min"));
            }
        };
        if let Some(max_duration) = max_duration {
            below("delay", delay, "max_duration", max_duration)?;
            below("delay_max", delay_max.unwrap_or_default(), "max_duration", max_duration)?;
        }
        if let Some(jitter) = jitter {
            let shortest = delay_min.unwrap_or(delay);
            if jitter.is_zero() || (jitter > shortest && !shortest.is_zero()) {
                let allowed = format!("longer than zero and at most the delay, {shortest}");
                return Err(OutOfRange::new("jitter", jitter, allowed));
            }
        }
        within("jitter_factor", self.jitter_factor, 0.0, 1.0)?;
        Ok(Failsafe {
            max_retries: u32::try_from(self.max_retries).ok(),
            max_duration: max_duration.map(nanos),
            delay: nanos(delay),
            growth: max_delay.map(|max| (self.delay_factor, nanos(max))),
            random,
            jitter: jitter.map(nanos),
            jitter_factor: self.jitter_factor,
        })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.handle)
    }
}

impl Rules for Failsafe {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn after(
        &self,
        memory: &mut Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        let elapsed = nanos(failure.elapsed);
        self.after_nanos(memory, failure.attempt, elapsed, &mut || luck.uniform()).map(sleep)
    }
}

/// How long a delay in nanoseconds is slept: the library rounds it down to milliseconds.
pub fn sleep(nanos: i64) -> Span {
    from_millis(nanos / 1_000_000)
}

fn below(field: &'static str, low: Span, limit: &str, high: Span) -> Result<(), OutOfRange> {
    if low < high {
        Ok(())
    } else {
        Err(OutOfRange::new(field, low, format!("below {limit}, {high}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::retry::testing;

    fn growing() -> Config {
        Config {
            max_retries: -1,
            delay: Span::millis(100),
            max_delay: Some(Span::millis(2000)),
            ..Config::default()
        }
    }

    fn waits(config: &Config, n: usize, u: f64) -> Vec<i64> {
        let rules = config.build().expect("valid");
        testing::waits(&rules, &vec![u; n], |m, n, u| rules.after_nanos(m, n, 0, &mut || u))
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_reach_and_does_not_accumulate(
            delay in 2..1_000_000u64, room in 1..100_000_000u64, factor in 1.01..5.0f64,
            share in 0.0..=1.0f64, fixed: bool, u in 0.0..1.0f64,
        ) {
            let plain = Config {
                max_retries: -1,
                delay: Span::nanos(delay),
                max_delay: Some(Span::nanos(delay + room)),
                delay_factor: factor,
                ..Config::default()
            };
            let jitter = Span::nanos(delay) * share;
            let jittered = if fixed && !jitter.is_zero() {
                Config { jitter: Some(jitter), ..plain.clone() }
            } else {
                Config { jitter_factor: share, ..plain.clone() }
            };
            let luckless = waits(&plain, 20, 0.0);
            prop_assert!(luckless.is_sorted());
            prop_assert!(luckless[19] <= (delay + room) as i64);
            for (wait, plain) in waits(&jittered, 20, u).into_iter().zip(luckless) {
                let reach = match jittered.jitter {
                    Some(jitter) => nanos(jitter),
                    None => (plain as f64 * share) as i64,
                };
                prop_assert!((wait - plain).abs() <= reach + 1, "{wait} {plain} {reach}");
                prop_assert!(wait >= 0);
            }
        }

        #[test]
        fn random_delays_lie_in_their_range(
            min in 1..1_000_000_000u64, room in 1..1_000_000_000u64, u in 0.0..1.0f64,
        ) {
            let config = Config {
                max_retries: -1,
                delay_min: Some(Span::nanos(min)),
                delay_max: Some(Span::nanos(min + room)),
                ..Config::default()
            };
            let wait = waits(&config, 1, u)[0];
            prop_assert!(min as i64 <= wait && wait < (min + room) as i64);
        }

        #[test]
        fn no_wait_reaches_past_the_total_time(
            total in 101..5000u64, elapsed in 0..10_000u64, attempt in 1..6u32, u in 0.0..1.0f64,
        ) {
            let total = Span::millis(total);
            let config = Config { max_duration: Some(total), jitter_factor: 1.0, ..growing() };
            let rules = config.build().expect("valid");
            let elapsed = Span::millis(elapsed);
            let wait = rules.after_nanos(&mut Memory::default(), attempt, nanos(elapsed), &mut || u);
            match wait {
                Ok(wait) => prop_assert!(elapsed + Span::nanos(wait as u64) <= total),
                Err(reason) => {
                    prop_assert!(elapsed > total);
                    prop_assert_eq!(reason, Reason::TotalTimeExhausted { total_max: total });
                }
            }
        }
    }

    #[test]
    fn delays_grow_from_one_another_up_to_the_longest() {
        let millis: Vec<i64> = waits(&growing(), 6, 0.0).iter().map(|w| w / 1_000_000).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1600, 2000]);
    }

    #[test]
    fn the_total_time_ends_only_when_it_is_exceeded() {
        let total_max = Span::secs(5);
        let config = Config { max_duration: Some(total_max), ..growing() };
        let rules = config.build().expect("valid");
        let after = |elapsed| rules.after_nanos(&mut Memory::default(), 1, elapsed, &mut || 0.0);
        assert_eq!(after(nanos(total_max)), Ok(0));
        assert_eq!(after(nanos(total_max) + 1), Err(Reason::TotalTimeExhausted { total_max }));
    }

    #[test]
    fn a_large_draw_waits_shorter() {
        let config = Config { jitter: Some(Span::millis(50)), ..growing() };
        assert_eq!(waits(&config, 2, 0.0), [150_000_000, 250_000_000]);
        assert_eq!(waits(&config, 2, 0.9), [60_000_000, 160_000_000]);
    }

    #[test]
    fn the_order_of_operations_shows_in_the_last_nanosecond() {
        let config = Config { delay: Span::millis(200), jitter_factor: 0.25, ..Config::default() };
        assert_eq!(waits(&config, 1, 0.6175), [188_249_999]);
        assert_eq!(sleep(188_249_999), Span::millis(188));
    }

    #[test]
    fn luck_is_drawn_even_when_there_is_no_retry() {
        let config = Config {
            max_retries: 0,
            jitter_factor: 0.5,
            delay: Span::secs(1),
            ..Config::default()
        };
        let rules = config.build().expect("valid");
        let mut draws = 0;
        let wait = rules.after_nanos(&mut Memory::default(), 1, 0, &mut || {
            draws += 1;
            0.5
        });
        assert_eq!((wait, draws), (Err(Reason::AttemptsExhausted { attempts_max: 1 }), 1));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let span = |millis| Some(Span::millis(millis));
        let fixed = Config { delay: Span::millis(100), ..Config::default() };
        let growing = |delay_factor| Config { max_delay: span(200), delay_factor, ..fixed.clone() };
        all_refused([
            ("max_retries", Config { max_retries: -2, ..Config::default() }),
            ("delay", Config { max_delay: span(100), ..fixed.clone() }),
            ("delay", Config { max_delay: span(100), ..Config::default() }),
            ("delay_factor", growing(1.0)),
            ("delay_factor", growing(f64::NAN)),
            ("delay_min", Config { delay_min: span(1), ..Config::default() }),
            ("delay_max", Config { delay_max: span(1), ..Config::default() }),
            ("delay_min", Config { delay_min: span(2), delay_max: span(2), ..Config::default() }),
            ("delay", Config { delay_min: span(1), delay_max: span(2), ..fixed.clone() }),
            ("delay", Config { max_duration: span(100), ..fixed.clone() }),
            ("jitter", Config { jitter: span(101), ..fixed.clone() }),
            ("jitter", Config { jitter: span(0), ..fixed.clone() }),
            ("jitter_factor", Config { jitter_factor: f64::NAN, ..fixed }),
        ]);
    }
}
