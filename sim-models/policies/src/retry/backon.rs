//! backon (Rust): a builder of waits, in arithmetic of 32 bits.
//!
//! Answers: any Rust function or future that returns a `Result`.
//!
//! Invites: the jitter is added after the cap, so that a wait may be twice `max_delay`. The Fibonacci
//! waits go above `max_delay` once, and stay there.
//!
//! Reference: backon 1.6.0, `exponential.rs`, `fibonacci.rs`, `constant.rs`.
//!
//! ```text
//! exponential   min, then * factor while below max, at most max    jitter: + d * draw
//! fibonacci     min, min, then the sum of the last two while the last is below max
//!                                            jitter: + d * draw, from the second + min * draw
//! constant      delay                                              jitter: + d * draw
//! ```
//!
//! Every error is retried unless `when` says otherwise.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// The options of its three builders, with their defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "BackonRetry")]
pub struct Config {
    /// How the waits grow.
    pub builder: Builder,
    /// Whether luck lengthens the waits.
    pub jitter: bool,
    /// The first wait of those that grow.
    pub min_delay: Span,
    /// Where they stop growing; `None` for no limit.
    pub max_delay: Option<Span>,
    /// Attempts after the first; `None` for any number.
    pub max_times: Option<u32>,
    /// How the exponential ones grow.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub factor: f32,
    /// No exponential wait that would make their sum longer; no limit by default.
    pub total_delay: Option<Span>,
    /// The constant wait.
    pub delay: Span,
    /// The endings that are worth another attempt.
    pub when: EndingSet,
}

/// How the waits grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "BackonBuilder")]
pub enum Builder {
    /// By a factor.
    #[default]
    Exponential,
    /// Each by the one before it.
    Fibonacci,
    /// Not at all.
    Constant,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            builder: Builder::default(),
            jitter: false,
            min_delay: Span::secs(1),
            max_delay: Some(Span::secs(60)),
            max_times: Some(3),
            factor: 2.0,
            total_delay: None,
            delay: Span::secs(1),
            when: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Backon {
    config: Config,
}

/// The waits so far: the last two without jitter, how many, and their sum with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    current: Option<Duration>,
    previous: Option<Duration>,
    waits: u32,
    sum: Duration,
}

impl Backon {
    /// The next wait.
    ///
    /// # Errors
    /// When there is none.
    pub fn next_wait(
        &self,
        memory: &mut Memory,
        uniform: &mut dyn FnMut() -> f32,
    ) -> Result<Duration, Reason> {
        let Config { builder, jitter, max_times, total_delay, .. } = self.config;
        if let Some(times) = max_times.filter(|times| memory.waits >= *times) {
            return Err(Reason::AttemptsExhausted { attempts_max: times.saturating_add(1) });
        }
        memory.waits = memory.waits.saturating_add(1);
        let is_first = memory.current.is_none();
        let next = match builder {
            Builder::Exponential => self.exponential(memory),
            Builder::Fibonacci => self.fibonacci(memory),
            Builder::Constant => duration(self.config.delay),
        };
        memory.current = Some(next);
        let wait = match jitter {
            false => next,
            true => {
                let spread = match builder {
                    Builder::Fibonacci if !is_first => duration(self.config.min_delay),
                    _ => next,
                };
                next.saturating_add(times(spread, uniform()))
            }
        };
        if let Some(total_max) = total_delay.filter(|_| builder == Builder::Exponential) {
            if memory.sum.saturating_add(wait) > duration(total_max) {
                return Err(Reason::TotalTimeExhausted { total_max });
            }
            memory.sum = memory.sum.saturating_add(wait);
        }
        Ok(wait)
    }

    fn exponential(&self, memory: &Memory) -> Duration {
        let longest = self.config.max_delay.map_or(Duration::MAX, duration);
        match memory.current {
            None => duration(self.config.min_delay),
            Some(current) if current < longest => times(current, self.config.factor).min(longest),
            Some(_) => longest,
        }
    }

    fn fibonacci(&self, memory: &mut Memory) -> Duration {
        let longest = self.config.max_delay.map_or(Duration::MAX, duration);
        let Some(current) = memory.current else { return duration(self.config.min_delay) };
        if current >= longest {
            return current;
        }
        let previous = memory.previous.replace(current).unwrap_or_default();
        current.saturating_add(previous)
    }
}

/// As the library multiplies.
fn times(duration: Duration, by: f32) -> Duration {
    Duration::try_from_secs_f32(by * duration.as_secs_f32()).unwrap_or(Duration::MAX)
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.as_nanos())
}

impl Build for Config {
    type Machine = Backon;

    /// # Errors
    /// When `factor` is not a number above zero.
    fn build(&self) -> Result<Backon, OutOfRange> {
        if !(self.factor.is_finite() && self.factor > 0.0) {
            return Err(OutOfRange::new("factor", self.factor, "finite and above 0"));
        }
        Ok(Backon { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.when)
    }
}

impl Rules for Backon {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn after(
        &self,
        memory: &mut Memory,
        _failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        // The library's generator gives 24 bits, of which none is rounded up to 1.
        const SCALE: f64 = (1u32 << 24) as f64;
        let mut uniform = || ((luck.uniform() * SCALE).trunc() / SCALE) as f32;
        let wait = self.next_wait(memory, &mut uniform)?;
        Ok(Span::nanos(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fibonacci_goes_above_its_limit_once() {
        let config = Config {
            builder: Builder::Fibonacci,
            max_delay: Some(Span::secs(4)),
            max_times: None,
            ..Config::default()
        };
        let rules = config.build().expect("valid");
        let mut memory = rules.start();
        let waits = [(); 7].map(|()| rules.next_wait(&mut memory, &mut || 0.0));
        assert_eq!(waits, [1, 1, 2, 3, 5, 5, 5].map(|secs| Ok(Duration::from_secs(secs))));
    }
}
