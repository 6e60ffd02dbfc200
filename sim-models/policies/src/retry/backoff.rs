//! The Python package backoff, `on_exception`: a generator of waits, cut to a total time.
//!
//! Answers: retries as a decorator.
//!
//! Invites: without `max_tries` and `max_time` it never gives up. And the time is read when an
//! attempt *starts*: however long the attempt then takes, it is not counted against the next wait.
//!
//! Reference: backoff 2.2.1, `_sync.py`, `_wait_gen.py`, `_jitter.py`.
//!
//! ```text
//! Expo       factor * base^(n-1), at most max_value
//! Fibo       1, 1, 2, 3, 5, 8 ... seconds, at most max_value
//! Constant   interval                                     Each   a list, and then no more retries
//!
//! Full       u * value          Random   value + u seconds          None   value
//! then       min(that, max_time - elapsed when the attempt started)
//! ```
//!
//! Left out: `runtime` waits, which are computed from the exception; `on_predicate`, which returns
//! instead of raising; that `max_tries = 0` means no limit there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, positive};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{EndingSet, OutOfRange, Reason};

/// The arguments of `on_exception`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "BackoffRetry")]
pub struct Config {
    /// The waits before jitter; by default `Expo` from 1 s, doubling.
    pub wait_gen: WaitGen,
    /// How luck spreads them.
    pub jitter: Jitter,
    /// Attempts in all, the first included; no limit by default.
    #[schemars(range(min = 1))]
    pub max_tries: Option<u32>,
    /// The total time; no limit by default.
    pub max_time: Option<Span>,
    /// The endings that are worth another attempt.
    pub exception: EndingSet,
}

/// The generators of waits.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackoffWait", title = "wait of Backoff")]
pub enum WaitGen {
    /// `expo`: growing by a factor.
    Expo {
        /// Growth per retry.
        #[serde(default = "two")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        base: f64,
        /// The first wait in seconds.
        #[serde(default = "one")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        factor: f64,
        /// The longest; none by default.
        #[serde(default)]
        max_value: Option<Span>,
    },
    /// `fibo`: 1, 1, 2, 3, 5, 8, … seconds.
    Fibo {
        /// The longest; none by default.
        #[serde(default)]
        max_value: Option<Span>,
    },
    /// `constant` with a number.
    Constant {
        /// The wait.
        #[serde(default = "second")]
        interval: Span,
    },
    /// `constant` with a list: one wait for each retry in turn, and no further retries.
    #[schemars(example = r#"Each(["100ms", "1s"])"#)]
    Each(Vec<Span>),
}

/// The functions that spread the waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "BackoffJitter")]
pub enum Jitter {
    /// `None`.
    None,
    /// `full_jitter`: anything up to the wait.
    #[default]
    Full,
    /// `random_jitter`: up to one second more.
    Random,
}

fn two() -> f64 {
    2.0
}

fn one() -> f64 {
    1.0
}

fn second() -> Span {
    Span::secs(1)
}

impl Default for WaitGen {
    fn default() -> WaitGen {
        WaitGen::Expo { base: two(), factor: one(), max_value: None }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            wait_gen: WaitGen::default(),
            jitter: Jitter::Full,
            max_tries: None,
            max_time: None,
            exception: EndingSet::ANY_FAILURE,
        }
    }
}

/// The package's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    wait_gen: WaitGen,
    jitter: Jitter,
    max_tries: Option<u32>,
    max_time: Option<Span>,
}

impl Backoff {
    /// The wait in seconds after the failed attempt `tries`, counted from 1, or why there is none.
    /// `elapsed` is the time from the start of the first attempt to the start of this one. Jitter
    /// takes one number in [0, 1) from `uniform`.
    ///
    /// # Errors
    /// When all attempts are made, the total time was over when this one started, or the list of
    /// waits has ended.
    pub fn after_secs(
        &self,
        tries: u32,
        elapsed: f64,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64, Reason> {
        attempts_left(tries, self.max_tries)?;
        if let Some(total_max) = self.max_time
            && elapsed >= total_max.as_secs_f64()
        {
            return Err(Reason::TotalTimeExhausted { total_max });
        }
        let value =
            self.wait_gen.secs(tries).ok_or(Reason::AttemptsExhausted { attempts_max: tries })?;
        let wait = match self.jitter {
            Jitter::None => value,
            Jitter::Full => value * uniform(),
            Jitter::Random => value + uniform(),
        };
        Ok(self.max_time.map_or(wait, |total| wait.min(total.as_secs_f64() - elapsed)))
    }
}

impl Build for Config {
    type Machine = Backoff;

    /// # Errors
    /// When `max_tries` is zero or a factor is not a number above zero.
    fn build(&self) -> Result<Backoff, OutOfRange> {
        if let WaitGen::Expo { base, factor, .. } = self.wait_gen {
            positive("base", base)?;
            positive("factor", factor)?;
        }
        self.max_tries.map_or(Ok(()), |tries| at_least_one("max_tries", tries))?;
        Ok(Backoff {
            wait_gen: self.wait_gen.clone(),
            jitter: self.jitter,
            max_tries: self.max_tries,
            max_time: self.max_time,
        })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.exception)
    }
}

impl Rules for Backoff {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, luck: &mut Luck) -> Result<Span, Reason> {
        let elapsed = failure.elapsed_before.as_secs_f64();
        self.after_secs(failure.attempt, elapsed, &mut || luck.uniform()).map(Span::from_secs_f64)
    }
}

impl WaitGen {
    /// The wait in seconds before retry `retry`, counted from 1; `None` after the end of a list.
    fn secs(&self, retry: u32) -> Option<f64> {
        let capped =
            |secs: f64, max: Option<Span>| max.map_or(secs, |max| secs.min(max.as_secs_f64()));
        Some(match self {
            WaitGen::Expo { base, factor, max_value } => {
                // Once the cap is reached the generator stays there, also when it would shrink.
                let n = if capped(*factor, *max_value) < *factor { 1 } else { retry };
                let secs = factor * math::pow(*base, f64::from(n.saturating_sub(1)));
                capped(secs, *max_value)
            }
            WaitGen::Fibo { max_value } => capped(fibonacci(retry), *max_value),
            WaitGen::Constant { interval } => interval.as_secs_f64(),
            WaitGen::Each(intervals) => {
                intervals.get(retry.saturating_sub(1) as usize)?.as_secs_f64()
            }
        })
    }
}

/// The Fibonacci numbers, from 1 on: 1, 1, 2, 3, 5.
fn fibonacci(n: u32) -> f64 {
    let (mut a, mut b) = (1.0f64, 1.0f64);
    for _ in 1..n {
        if a.is_infinite() {
            break;
        }
        (a, b) = (b, a + b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::retry::testing;

    fn generators() -> impl Strategy<Value = WaitGen> {
        let max = prop::option::of((0..100_000u64).prop_map(Span::millis));
        prop_oneof![
            (1.0..4.0f64, 0.01..10.0f64, max.clone())
                .prop_map(|(base, factor, max_value)| WaitGen::Expo { base, factor, max_value }),
            max.prop_map(|max_value| WaitGen::Fibo { max_value }),
            (0..10_000u64).prop_map(|millis| WaitGen::Constant { interval: Span::millis(millis) }),
        ]
    }

    fn rules(wait_gen: WaitGen, jitter: Jitter, max_time: Option<u64>) -> Backoff {
        let max_time = max_time.map(Span::secs);
        Config { wait_gen, jitter, max_time, ..Config::default() }.build().expect("valid")
    }

    proptest! {
        #[test]
        fn jitter_keeps_its_bounds_and_waits_never_shrink(
            wait_gen in generators(), u in 0.0..1.0f64,
        ) {
            let waits = |jitter| -> Vec<f64> {
                let rules = rules(wait_gen.clone(), jitter, None);
                testing::waits(&rules, &[u; 59], |_, n, u| rules.after_secs(n, 0.0, &mut || u))
            };
            let (plain, full, random) =
                (waits(Jitter::None), waits(Jitter::Full), waits(Jitter::Random));
            for waits in [&plain, &full, &random] {
                prop_assert!(waits.is_sorted(), "{waits:?}");
            }
            for ((plain, full), random) in plain.into_iter().zip(full).zip(random) {
                prop_assert!((0.0..=plain).contains(&full));
                prop_assert!((plain..=plain + 1.0).contains(&random));
            }
        }

        #[test]
        fn no_wait_reaches_past_the_total_time(
            wait_gen in generators(), max_time in 0..60u64, tries in 1..20u32,
            elapsed in 0.0..80.0f64, u in 0.0..1.0f64,
        ) {
            let rules = rules(wait_gen, Jitter::Random, Some(max_time));
            match rules.after_secs(tries, elapsed, &mut || u) {
                Ok(wait) => prop_assert!(elapsed + wait <= max_time as f64 + 1e-9),
                Err(_) => prop_assert!(elapsed >= max_time as f64),
            }
        }
    }

    #[test]
    fn the_length_of_the_attempt_is_not_counted() {
        let rules = rules(WaitGen::default(), Jitter::None, Some(10));
        // The attempt started at 9 s; that it took until 100 s changes nothing.
        assert_eq!(rules.after_secs(4, 9.0, &mut || panic!("no luck")), Ok(1.0));
        let over = Reason::TotalTimeExhausted { total_max: Span::secs(10) };
        assert_eq!(rules.after_secs(4, 10.0, &mut || panic!("no luck")), Err(over));
    }

    #[test]
    fn each_generator_has_its_pinned_waits() {
        let waits = |wait_gen: WaitGen| [1, 2, 3, 4, 5, 6].map(|n| wait_gen.secs(n));
        let expo = WaitGen::Expo { base: 2.0, factor: 0.5, max_value: Some(Span::secs(5)) };
        assert_eq!(waits(expo), [0.5, 1.0, 2.0, 4.0, 5.0, 5.0].map(Some));
        assert_eq!(
            waits(WaitGen::Fibo { max_value: None }),
            [1.0, 1.0, 2.0, 3.0, 5.0, 8.0].map(Some)
        );
        let each = WaitGen::Each(vec![Span::secs(3), Span::secs(1)]);
        assert_eq!(waits(each), [Some(3.0), Some(1.0), None, None, None, None]);
    }

    #[test]
    fn a_list_of_waits_ends_the_retries() {
        let rules = rules(WaitGen::Each(vec![Span::secs(3)]), Jitter::None, None);
        assert_eq!(rules.after_secs(1, 0.0, &mut || 0.0), Ok(3.0));
        let over = Reason::AttemptsExhausted { attempts_max: 2 };
        assert_eq!(rules.after_secs(2, 3.0, &mut || 0.0), Err(over));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let expo = |base, factor| {
            let wait_gen = WaitGen::Expo { base, factor, max_value: None };
            Config { wait_gen, ..Config::default() }
        };
        all_refused([
            ("max_tries", Config { max_tries: Some(0), ..Config::default() }),
            ("base", expo(0.0, 1.0)),
            ("base", expo(f64::NAN, 1.0)),
            ("factor", expo(2.0, -1.0)),
        ]);
    }
}
