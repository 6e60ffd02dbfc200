//! retry-policies (Rust), the waits under reqwest-retry: exponential, by chance from zero on.
//!
//! Answers: a middleware for reqwest that repeats transient failures of any method.
//!
//! Invites: with `Full` jitter, which is the default, a wait may be zero.
//!
//! Reference: retry-policies 0.5.2, `exponential_backoff.rs`, `retry_policy.rs`; reqwest-retry's
//! `DefaultRetryableStrategy` for what is retried: 408, 429, a 5xx, a timeout and a broken
//! connection.
//!
//! ```text
//! n past retries     w = min(max, min * base^n)
//! None w     Full w * draw     Bounded (w - min/2) * draw + min/2
//! gives up           when total_retry_duration has passed, or max_retries are made
//! ```

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, ordered};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// More past retries than any calculated maximum needs.
const RETRIES_MAX: u32 = 1_000_000;

/// The options of `ExponentialBackoffBuilder`, with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RetryPoliciesRetry")]
pub struct Config {
    /// Attempts after the first; the library has no default, 3 is its examples'. `None` for any.
    pub max_retries: Option<u32>,
    /// No retry once so much time has passed; no limit by default.
    pub total_retry_duration: Option<Span>,
    /// At most as many retries as would fit into that time without jitter.
    pub limit_retries: bool,
    /// The first wait, without jitter.
    pub min_retry_interval: Span,
    /// The longest wait.
    pub max_retry_interval: Span,
    /// How luck spreads the waits.
    pub jitter: Jitter,
    /// How the waits grow.
    pub base: u32,
    /// The endings that are worth another attempt.
    pub on: EndingSet,
}

/// How luck spreads the waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "RetryPoliciesJitter")]
pub enum Jitter {
    /// Not at all.
    None,
    /// Over the whole wait.
    #[default]
    Full,
    /// From half of the first wait on.
    Bounded,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_retries: Some(3),
            total_retry_duration: None,
            limit_retries: false,
            min_retry_interval: Span::secs(1),
            max_retry_interval: Span::secs(30 * 60),
            jitter: Jitter::default(),
            base: 2,
            on: EndingSet::TRANSIENT,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicies {
    config: Config,
    retries_max: Option<u32>,
}

impl Config {
    fn interval(&self, n: u32) -> Duration {
        let growth = self.base.checked_pow(n).unwrap_or(u32::MAX);
        let grown = self.min_retry_interval * u64::from(growth);
        duration(grown.min(self.max_retry_interval))
    }

    /// The first retry whose wait, with all before it, reaches the total time.
    fn calculated_maximum(&self, total: Span) -> Option<u32> {
        let mut sum = Duration::ZERO;
        (0..RETRIES_MAX).find(|n| {
            sum = sum.saturating_add(self.interval(*n));
            sum >= duration(total)
        })
    }
}

impl RetryPolicies {
    /// The wait after failed attempt `attempt`, so long after the first one started.
    ///
    /// # Errors
    /// When the time is over, or all retries are made.
    pub fn wait(
        &self,
        attempt: u32,
        elapsed: Span,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<Span, Reason> {
        if let Some(total_max) = self.config.total_retry_duration
            && elapsed >= total_max
        {
            return Err(Reason::TotalTimeExhausted { total_max });
        }
        attempts_left(attempt, self.retries_max.map(|retries| retries.saturating_add(1)))?;
        let interval = self.config.interval(attempt - 1);
        let half = duration(self.config.min_retry_interval).mul_f64(0.5);
        let wait = match self.config.jitter {
            Jitter::None => interval,
            Jitter::Full => interval.mul_f64(uniform()),
            Jitter::Bounded => interval.saturating_sub(half).mul_f64(uniform()) + half,
        };
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        Ok(Span::nanos(wait).min(self.config.max_retry_interval))
    }
}

/// A span in the library's own type, whose multiplication rounds as the library's does.
fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.as_nanos())
}

impl Build for Config {
    type Machine = RetryPolicies;

    /// # Errors
    /// When the shortest interval is above the longest.
    fn build(&self) -> Result<RetryPolicies, OutOfRange> {
        let (low, high) = (self.min_retry_interval, self.max_retry_interval);
        ordered("min_retry_interval", low, "max_retry_interval", high)?;
        let calculated = self.total_retry_duration.filter(|_| self.limit_retries);
        let retries_max = match calculated {
            Some(total) => self.calculated_maximum(total),
            None => self.max_retries,
        };
        Ok(RetryPolicies { config: self.clone(), retries_max })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.on)
    }
}

impl Rules for RetryPolicies {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, luck: &mut Luck) -> Result<Span, Reason> {
        self.wait(failure.attempt, failure.elapsed, &mut || luck.uniform())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library's own example: 2^16 s are 18 hours, and an 18th retry would be far too late.
    #[test]
    fn a_day_holds_seventeen_retries() {
        let config = Config {
            total_retry_duration: Some(Span::secs(24 * 60 * 60)),
            limit_retries: true,
            max_retry_interval: Span::secs(6 * 60 * 60),
            ..Config::default()
        };
        assert_eq!(config.build().expect("valid").retries_max, Some(17));
    }
}
