//! cockatiel's `retry`: milliseconds as JavaScript numbers, Polly's jitter by default.
//!
//! Answers: retries in Node and in the browser.
//!
//! Invites: the defaults retry without an end and without a pause; `maxAttempts` counts the retries
//! and not the attempts. And without jitter the waits double whatever `exponent` says.
//!
//! Reference: cockatiel 3.2.1, `RetryPolicy`, `ExponentialBackoff`, `ExponentialBackoffGenerators`.
//!
//! ```text
//! n from 0        d = min(max_delay, initial_delay * 2^n)
//! None            d
//! Full            floor(u d)
//! Half            floor((d + u d) / 2)
//! Decorrelated    t = n + u,  f(t) = exponent^t * tanh(sqrt(4 t))
//!                 min(max(0, f(t) - f(previous t)) / 1.4 * initial_delay, max_delay)
//! ```
//!
//! Left out: delegated back-offs, and the timer's own rounding (Node sleeps whole milliseconds, at
//! least one).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, ordered, positive};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// The arguments of `retry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CockatielRetry")]
pub struct Config {
    /// Attempts after the first; no limit by default.
    pub max_attempts: Option<u32>,
    /// The waits.
    pub backoff: Backoff,
    /// The endings that are worth another attempt.
    pub handle: EndingSet,
}

/// The back-offs.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CockatielBackoff", title = "backoff of Cockatiel")]
pub enum Backoff {
    /// `ConstantBackoff`.
    #[schemars(example = r#"Constant(interval: "100ms")"#)]
    Constant {
        /// The wait.
        interval: Span,
    },
    /// `IterableBackoff`: one for each retry in turn, then the last one again; at least one given.
    #[schemars(example = r#"Iterable(["100ms", "1s"])"#)]
    Iterable(Vec<Span>),
    /// `ExponentialBackoff`.
    Exponential {
        /// How luck spreads the waits.
        #[serde(default)]
        generator: Generator,
        /// The longest, not below `initial_delay`.
        #[serde(default = "max_delay")]
        max_delay: Span,
        /// Growth per retry of `Decorrelated`.
        #[serde(default = "exponent")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        exponent: f64,
        /// The first.
        #[serde(default = "initial_delay")]
        initial_delay: Span,
    },
}

/// The generators of `ExponentialBackoff`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "CockatielGenerator")]
pub enum Generator {
    /// `noJitterGenerator`.
    None,
    /// `fullJitterGenerator`.
    Full,
    /// `halfJitterGenerator`.
    Half,
    /// `decorrelatedJitterGenerator`.
    #[default]
    Decorrelated,
}

fn max_delay() -> Span {
    Span::secs(30)
}

fn exponent() -> f64 {
    2.0
}

fn initial_delay() -> Span {
    Span::millis(128)
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_attempts: None,
            backoff: Backoff::Constant { interval: Span::ZERO },
            handle: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Cockatiel {
    max_attempts: Option<u32>,
    backoff: Backoff,
}

/// Where the back-off of one call stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// The retries so far.
    retries: u32,
    /// What the decorrelated formula gave last, before it was scaled.
    previous: f64,
}

impl Cockatiel {
    /// The wait in milliseconds after the failed attempt `attempt`, counted from 1, or why there is
    /// none. A generator with luck takes one number in [0, 1) from `uniform`.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn after_millis(
        &self,
        memory: &mut Memory,
        attempt: u32,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64, Reason> {
        attempts_left(attempt, self.max_attempts.map(|retries| retries.saturating_add(1)))?;
        let n = memory.retries;
        memory.retries = n.saturating_add(1);
        Ok(match &self.backoff {
            Backoff::Constant { interval } => interval.as_millis_f64(),
            Backoff::Iterable(waits) => waits[(n as usize).min(waits.len() - 1)].as_millis_f64(),
            Backoff::Exponential { generator, max_delay, exponent, initial_delay } => {
                let (first, longest) = (initial_delay.as_millis_f64(), max_delay.as_millis_f64());
                let delay = || (first * math::pow(2.0, f64::from(n))).min(longest);
                match generator {
                    Generator::None => delay(),
                    Generator::Full => (uniform() * delay()).floor(),
                    Generator::Half => {
                        let delay = delay();
                        ((delay + uniform() * delay) / 2.0).floor()
                    }
                    Generator::Decorrelated => {
                        let next = decorrelated(*exponent, f64::from(n) + uniform());
                        let grown = if next.is_finite() {
                            (next - memory.previous).max(0.0)
                        } else {
                            f64::INFINITY
                        };
                        memory.previous = next;
                        (grown * (1.0 / 1.4) * first).min(longest)
                    }
                }
            }
        })
    }
}

impl Build for Config {
    type Machine = Cockatiel;

    /// # Errors
    /// When the list of waits is empty, the first wait is above the longest, or `exponent` is not
    /// a number above zero.
    fn build(&self) -> Result<Cockatiel, OutOfRange> {
        match &self.backoff {
            Backoff::Constant { .. } => {}
            Backoff::Iterable(waits) if waits.is_empty() => {
                return Err(OutOfRange::new("backoff", "an empty list", "a list of at least one"));
            }
            Backoff::Iterable(_) => {}
            Backoff::Exponential { max_delay, exponent, initial_delay, .. } => {
                positive("exponent", *exponent)?;
                ordered("initial_delay", *initial_delay, "max_delay", *max_delay)?;
            }
        }
        Ok(Cockatiel { max_attempts: self.max_attempts, backoff: self.backoff.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.handle)
    }
}

impl Rules for Cockatiel {
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
        self.after_millis(memory, failure.attempt, &mut || luck.uniform())
            .map(|millis| Span::from_secs_f64(millis / 1000.0))
    }
}

/// `exponent^t * tanh(sqrt(4 t))`, the curve along which Polly's jitter walks with steps of luck.
pub(super) fn decorrelated(exponent: f64, t: f64) -> f64 {
    math::pow(exponent, t) * math::tanh(math::sqrt(4.0 * t))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::retry::testing;

    fn exponential(generator: Generator, first: u64, longest: u64, exponent: f64) -> Cockatiel {
        let backoff = Backoff::Exponential {
            generator,
            max_delay: Span::millis(longest),
            exponent,
            initial_delay: Span::millis(first),
        };
        Config { backoff, ..Config::default() }.build().expect("valid")
    }

    fn waits(rules: &Cockatiel, draws: &[f64]) -> Vec<f64> {
        testing::waits(rules, draws, |memory, n, u| rules.after_millis(memory, n, &mut || u))
    }

    proptest! {
        #[test]
        fn luck_keeps_its_bounds(
            first in 1..1000u64, room in 0..100_000u64, exponent in 0.3..4.0f64,
            draws in prop::collection::vec(0.0..1.0f64, 1100),
        ) {
            let all = [Generator::None, Generator::Full, Generator::Half, Generator::Decorrelated]
                .map(|generator| waits(&exponential(generator, first, first + room, exponent), &draws));
            let [none, full, half, decorrelated] = all;
            prop_assert!(none.is_sorted());
            let longest = (first + room) as f64;
            for n in 0..draws.len() {
                prop_assert!((0.0..=none[n]).contains(&full[n]));
                prop_assert!(((none[n] / 2.0).floor()..=none[n]).contains(&half[n]));
                prop_assert!((0.0..=longest).contains(&decorrelated[n]), "{}", decorrelated[n]);
            }
        }

        #[test]
        fn the_same_luck_never_waits_shorter_later(
            first in 1..1000u64, room in 0..100_000u64, u in 0.0..1.0f64,
        ) {
            for generator in [Generator::None, Generator::Full, Generator::Half] {
                let waits = waits(&exponential(generator, first, first + room, 2.0), &[u; 40]);
                prop_assert!(waits.is_sorted(), "{generator:?}: {waits:?}");
            }
        }
    }

    #[test]
    fn without_decorrelation_the_exponent_plays_no_part() {
        let waits = waits(&exponential(Generator::None, 128, 30_000, 7.0), &[0.0; 10]);
        assert_eq!(waits[..3], [128.0, 256.0, 512.0]);
        assert_eq!(waits[7..], [16384.0, 30_000.0, 30_000.0]);
    }

    #[test]
    fn max_attempts_counts_the_retries() {
        let rules = Config { max_attempts: Some(2), ..Config::default() }.build();
        let (rules, mut memory) = (rules.expect("valid"), Memory::default());
        let mut after = |n| rules.after_millis(&mut memory, n, &mut || 0.0);
        assert_eq!([after(1), after(2)], [Ok(0.0), Ok(0.0)]);
        assert_eq!(after(3), Err(Reason::AttemptsExhausted { attempts_max: 3 }));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let exponential = |exponent, initial_delay| Backoff::Exponential {
            generator: Generator::Full,
            max_delay: Span::secs(1),
            exponent,
            initial_delay,
        };
        let cases = [
            ("backoff", Backoff::Iterable(vec![])),
            ("exponent", exponential(f64::NAN, Span::ZERO)),
            ("exponent", exponential(0.0, Span::ZERO)),
            ("initial_delay", exponential(2.0, Span::secs(2))),
        ];
        all_refused(cases.map(|(field, backoff)| (field, Config { backoff, ..Config::default() })));
    }
}
