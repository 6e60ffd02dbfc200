//! cenkalti/backoff (Go): growing intervals, spread on both sides, for a quarter of an hour.
//!
//! Answers: any Go function that returns an error.
//!
//! Invites: no limit on the attempts, only on the time. The jitter goes above the longest interval.
//!
//! Reference: cenkalti/backoff 4.1.3, `exponential.go`, `tries.go`, `retry.go`.
//!
//! ```text
//! i = initial_interval
//! wait      i - f i  +  draw * (2 f i + 1 ns),  f = randomization_factor
//! then      i = min(i * multiplier, max_interval)
//! gives up  when elapsed + wait > max_elapsed_time, or max_retries are made
//! ```
//!
//! Every error is retried but a `PermanentError`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, nanos, positive};
use crate::family::Build;
use crate::out_of_range::within;
use crate::{EndingSet, OutOfRange, Reason};

/// The fields of `ExponentialBackOff`, with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CenkaltiBackoffRetry")]
pub struct Config {
    /// The first interval.
    pub initial_interval: Span,
    /// How far luck moves a wait from its interval, as a share of it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub randomization_factor: f64,
    /// How the intervals grow.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub multiplier: f64,
    /// The longest interval.
    pub max_interval: Span,
    /// No wait ends later than this; zero is no limit.
    pub max_elapsed_time: Span,
    /// `WithMaxRetries`: attempts after the first; no limit by default.
    pub max_retries: Option<u32>,
    /// A `ConstantBackOff` of this interval instead; none by default.
    pub constant: Option<Span>,
    /// The endings that are worth another attempt.
    pub on: EndingSet,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            initial_interval: Span::millis(500),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Span::secs(60),
            max_elapsed_time: Span::secs(15 * 60),
            max_retries: None,
            constant: None,
            on: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct CenkaltiBackoff {
    config: Config,
}

/// The interval of the next wait, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    interval: i64,
}

impl CenkaltiBackoff {
    /// The wait in nanoseconds after failed attempt `attempt`, so many after the first one started.
    ///
    /// # Errors
    /// When all retries are made, or the wait would end too late.
    pub fn after_nanos(
        &self,
        memory: &mut Memory,
        attempt: u32,
        elapsed: i64,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<i64, Reason> {
        let Config { randomization_factor, multiplier, max_interval, .. } = self.config;
        attempts_left(attempt, self.config.max_retries.map(|retries| retries.saturating_add(1)))?;
        if let Some(constant) = self.config.constant {
            return Ok(nanos(constant));
        }
        let interval = memory.interval;
        let random = uniform();
        let next = match randomization_factor {
            0.0 => interval,
            factor => {
                let delta = factor * interval as f64;
                let (low, high) = (interval as f64 - delta, interval as f64 + delta);
                (low + random * (high - low + 1.0)) as i64
            }
        };
        let longest = nanos(max_interval);
        memory.interval = match interval as f64 >= longest as f64 / multiplier {
            true => longest,
            false => (interval as f64 * multiplier) as i64,
        };
        let total_max = self.config.max_elapsed_time;
        if !total_max.is_zero() && elapsed.saturating_add(next) > nanos(total_max) {
            return Err(Reason::TotalTimeExhausted { total_max });
        }
        Ok(next)
    }
}

impl Build for Config {
    type Machine = CenkaltiBackoff;

    /// # Errors
    /// When the randomization factor is outside 0..=1, or the multiplier not above zero.
    fn build(&self) -> Result<CenkaltiBackoff, OutOfRange> {
        within("randomization_factor", self.randomization_factor, 0.0, 1.0)?;
        positive("multiplier", self.multiplier)?;
        Ok(CenkaltiBackoff { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.on)
    }
}

impl Rules for CenkaltiBackoff {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory { interval: nanos(self.config.initial_interval) }
    }

    fn after(
        &self,
        memory: &mut Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        let elapsed = nanos(failure.elapsed);
        let next = self.after_nanos(memory, failure.attempt, elapsed, &mut || luck.uniform())?;
        Ok(Span::nanos(next.max(0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jitter_goes_above_the_longest_interval() {
        let max_interval = Span::millis(500);
        let rules = Config { max_interval, ..Config::default() }.build().expect("valid");
        let mut memory = rules.start();
        assert_eq!(rules.after_nanos(&mut memory, 1, 0, &mut || 0.9999), Ok(749_950_000));
    }
}
