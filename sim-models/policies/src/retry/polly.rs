//! Polly v8's `RetryStrategyOptions`: delays in ticks of 100 ns, with the options of its HTTP kin.
//!
//! Answers: retries in .NET, where the answer's `Retry-After` is obeyed.
//!
//! Invites: a `Retry-After` takes the place of the delay even where it is longer than `max_delay`,
//! or zero.
//!
//! Reference: Polly.Core 8, `RetryHelper`, `RetryResilienceStrategy`, `RetryStrategyOptions`;
//! Microsoft.Extensions.Http.Resilience, `HttpRetryStrategyOptions`,
//! `HttpClientResiliencePredicates`.
//!
//! ```text
//! a from 0        plain               with jitter
//! Constant        delay               delay * (0.75 + 0.5 u)
//! Linear          delay * (a + 1)     the same of that
//! Exponential     delay * 2^a         (f(a + u) - f(previous)) / 1.4 * delay,
//!                                     f(t) = 2^t * tanh(sqrt(4 t))
//! then            min(that, max_delay), then Retry-After instead if there is one
//! ```
//!
//! The defaults are those of a plain `RetryStrategyOptions`: every exception but
//! `OperationCanceledException` is retried, so with `EnsureSuccessStatusCode` a 404 too, and
//! `Retry-After` is not read. `AddStandardResilienceHandler` retries by the response, with
//! `should_handle: ["408", "429", "5xx", "timeout", "refused", "reset"]`,
//! `should_retry_after_header: true`, `Exponential` and jitter.
//!
//! Left out: delay generators of one's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::cockatiel::decorrelated;
use super::rules::{Failure, Luck, Preset, Rules, attempts_left, ordered};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{EndingSet, OutOfRange, Reason};

/// The options of `RetryStrategyOptions` and `HttpRetryStrategyOptions`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PollyRetry")]
pub struct Config {
    /// Attempts after the first.
    #[schemars(range(min = 1))]
    pub max_retry_attempts: u32,
    /// How the delay grows.
    pub backoff_type: DelayBackoffType,
    /// The delay, or the first of growing ones.
    #[schemars(extend("x-maximum" = "24h"))]
    pub delay: Span,
    /// The longest, at most a day; no limit by default.
    #[schemars(extend("x-maximum" = "24h"))]
    pub max_delay: Option<Span>,
    /// Whether luck spreads the delays.
    pub use_jitter: bool,
    /// Whether `Retry-After` takes the place of the delay.
    pub should_retry_after_header: bool,
    /// The endings that are worth another attempt.
    pub should_handle: EndingSet,
}

/// How the delay grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum DelayBackoffType {
    /// Not at all.
    #[default]
    Constant,
    /// By the same each time.
    Linear,
    /// By a factor of two.
    Exponential,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_retry_attempts: 3,
            backoff_type: DelayBackoffType::Constant,
            delay: Span::secs(2),
            max_delay: None,
            use_jitter: false,
            should_retry_after_header: false,
            should_handle: EndingSet::ANY_FAILURE,
        }
    }
}

impl Config {
    /// The defaults of `HttpRetryStrategyOptions`: exponential with jitter, for transient endings,
    /// and as late as `Retry-After` asks.
    pub fn http() -> Config {
        Config {
            backoff_type: DelayBackoffType::Exponential,
            use_jitter: true,
            should_retry_after_header: true,
            should_handle: EndingSet::TRANSIENT,
            ..Config::default()
        }
    }
}

/// Nanoseconds of one .NET tick.
const TICK: u64 = 100;

/// Ticks of one millisecond.
const TICKS_PER_MILLI: f64 = 10_000.0;

/// The longest delay that the library's validation lets pass.
const DAY: Span = Span::secs(24 * 60 * 60);

/// The library's rules, in ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Polly {
    retries_max: u32,
    backoff_type: DelayBackoffType,
    delay: i64,
    delay_max: Option<i64>,
    jitter: bool,
    retry_after: bool,
}

/// What the decorrelated formula gave last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    previous: f64,
}

impl Polly {
    /// The wait in ticks after the failed attempt `attempt`, counted from 1, or why there is none.
    /// Jitter takes one number in [0, 1) from `uniform`.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn after_ticks(
        &self,
        memory: &mut Memory,
        attempt: u32,
        retry_after: Option<Span>,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<i64, Reason> {
        attempts_left(attempt, Some(self.retries_max.saturating_add(1)))?;
        let delay = self.delay_ticks(memory, attempt.saturating_sub(1), uniform);
        let delay = self.delay_max.map_or(delay, |max| delay.min(max));
        Ok(match retry_after {
            Some(asked) if self.retry_after => ticks(asked),
            _ => delay,
        })
    }

    /// The delay before the cap, `attempt` counted from 0.
    fn delay_ticks(
        &self,
        memory: &mut Memory,
        attempt: u32,
        uniform: &mut dyn FnMut() -> f64,
    ) -> i64 {
        if self.delay == 0 {
            return 0;
        }
        let base = self.delay as f64;
        let plain = match self.backoff_type {
            DelayBackoffType::Constant => base,
            DelayBackoffType::Linear => base * (f64::from(attempt) + 1.0),
            DelayBackoffType::Exponential if self.jitter => {
                let next = decorrelated(2.0, f64::from(attempt) + uniform());
                let step = next - memory.previous;
                memory.previous = next;
                // `as` truncates, and saturates far beyond every cap.
                return (step * (1.0 / 1.4) * base) as i64;
            }
            DelayBackoffType::Exponential => base * math::pow(2.0, f64::from(attempt)),
        };
        if !self.jitter {
            return plain as i64;
        }
        let millis = plain / TICKS_PER_MILLI;
        let offset = millis * 0.5 / 2.0;
        ((millis + (millis * 0.5 * uniform() - offset)) * TICKS_PER_MILLI) as i64
    }
}

impl Build for Config {
    type Machine = Polly;

    /// # Errors
    /// When `max_retry_attempts` is zero or a delay is longer than a day.
    fn build(&self) -> Result<Polly, OutOfRange> {
        at_least_one("max_retry_attempts", self.max_retry_attempts)?;
        ordered("delay", self.delay, "a day", DAY)?;
        ordered("max_delay", self.max_delay.unwrap_or_default(), "a day", DAY)?;
        Ok(Polly {
            retries_max: self.max_retry_attempts,
            backoff_type: self.backoff_type,
            delay: ticks(self.delay),
            delay_max: self.max_delay.map(ticks),
            jitter: self.use_jitter,
            retry_after: self.should_retry_after_header,
        })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.should_handle)
    }
}

impl Rules for Polly {
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
        self.after_ticks(memory, failure.attempt, failure.retry_after, &mut || luck.uniform())
            .map(from_ticks)
    }
}

fn ticks(span: Span) -> i64 {
    i64::try_from(span.as_nanos() / TICK).unwrap_or(i64::MAX)
}

/// Ticks as a span.
pub fn from_ticks(ticks: i64) -> Span {
    Span::nanos(TICK) * u64::try_from(ticks).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::retry::testing;

    const ALL: [DelayBackoffType; 3] =
        [DelayBackoffType::Constant, DelayBackoffType::Linear, DelayBackoffType::Exponential];

    fn config(backoff_type: DelayBackoffType, use_jitter: bool) -> Config {
        Config { max_retry_attempts: 2000, backoff_type, use_jitter, ..Config::default() }
    }

    fn waits(config: &Config, draws: &[f64]) -> Vec<i64> {
        let rules = config.build().expect("valid");
        testing::waits(&rules, draws, |m, n, u| rules.after_ticks(m, n, None, &mut || u))
    }

    proptest! {
        #[test]
        fn jitter_keeps_its_bounds_and_the_cap_is_kept(
            delay in 1..100_000u64, max_delay in prop::option::of(1..1_000_000u64),
            draws in prop::collection::vec(0.0..1.0f64, 30),
        ) {
            let (delay, max_delay) = (Span::millis(delay), max_delay.map(Span::millis));
            for kind in ALL {
                let config = |jitter| Config { delay, ..config(kind, jitter) };
                let plain = waits(&config(false), &draws);
                let spread = waits(&config(true), &draws);
                prop_assert!(plain.is_sorted());
                for (n, (&plain, &spread)) in plain.iter().zip(&spread).enumerate() {
                    let (low, high) = match kind {
                        // The walk covers at most two whole steps of the doubling curve.
                        DelayBackoffType::Exponential => (0.0, 2.0 / 1.4 * plain as f64),
                        _ => (0.75 * plain as f64, 1.25 * plain as f64),
                    };
                    prop_assert!(
                        low - 1.0 <= spread as f64 && spread as f64 <= high + 1.0,
                        "{kind:?} {n}: {low} <= {spread} <= {high}"
                    );
                }
                let capped = waits(&Config { max_delay, ..config(true) }, &draws);
                for (capped, spread) in capped.into_iter().zip(spread) {
                    prop_assert_eq!(capped, max_delay.map_or(spread, |max| spread.min(ticks(max))));
                }
            }
        }
    }

    #[test]
    fn each_type_has_its_pinned_delays() {
        let secs = |kind| -> Vec<f64> {
            let waits = waits(&config(kind, false), &[0.0; 4]);
            waits.into_iter().map(|ticks| from_ticks(ticks).as_secs_f64()).collect()
        };
        assert_eq!(secs(DelayBackoffType::Constant), [2.0, 2.0, 2.0, 2.0]);
        assert_eq!(secs(DelayBackoffType::Linear), [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(secs(DelayBackoffType::Exponential), [2.0, 4.0, 8.0, 16.0]);
    }

    #[test]
    fn retry_after_replaces_the_delay_and_is_not_capped() {
        let max_delay = Some(Span::secs(3));
        let config = Config { max_delay, should_retry_after_header: true, ..Config::default() };
        let asked = |config: &Config, secs| {
            let rules = config.build().expect("valid");
            let memory = &mut Memory::default();
            rules.after_ticks(memory, 1, Some(Span::secs(secs)), &mut || 0.0).map(from_ticks)
        };
        assert_eq!(asked(&config, 60), Ok(Span::secs(60)));
        assert_eq!(asked(&config, 0), Ok(Span::ZERO));
        let deaf = Config { should_retry_after_header: false, ..config };
        assert_eq!(asked(&deaf, 60), Ok(Span::secs(2)));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let long = DAY + Span::nanos(1);
        all_refused([
            ("max_retry_attempts", Config { max_retry_attempts: 0, ..Config::default() }),
            ("delay", Config { delay: long, ..Config::default() }),
            ("max_delay", Config { max_delay: Some(long), ..Config::default() }),
        ]);
    }
}
