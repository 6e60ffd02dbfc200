//! Celery (Python): a task that runs again, three minutes later or by doubling waits.
//!
//! Answers: the job whose dependency is away for a while. Nobody waits for it.
//!
//! Invites: with jitter, which is the default, any wait may be zero. And a task that is acknowledged
//! before it runs has its effect once, one that is acknowledged late perhaps again.
//!
//! Reference: Celery 5.7.0, `app/task.py` (`Task.retry`), `app/autoretry.py`, `utils/time.py`
//! (`get_exponential_backoff_interval`).
//!
//! ```text
//! retry n from 1          default_retry_delay
//! with retry_backoff      c = min(retry_backoff_max, retry_backoff * 2^(n - 1))
//! and retry_jitter        a whole number of seconds in 0..=c
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// The options of a task, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CeleryRetry")]
pub struct Config {
    /// Attempts after the first; `None` for any number.
    pub max_retries: Option<u32>,
    /// The wait without `retry_backoff`.
    pub default_retry_delay: Span,
    /// The first of doubling waits, in seconds; `true` of the library is 1, and 0 is as good.
    pub retry_backoff: Option<u32>,
    /// The longest of doubling waits, in whole seconds.
    pub retry_backoff_max: Span,
    /// Whether luck spreads doubling waits.
    pub retry_jitter: bool,
    /// The endings that are worth another attempt.
    pub autoretry_for: EndingSet,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_retries: Some(3),
            default_retry_delay: Span::secs(180),
            retry_backoff: None,
            retry_backoff_max: Span::secs(600),
            retry_jitter: true,
            autoretry_for: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Celery {
    config: Config,
}

impl Celery {
    /// The wait in seconds after failed attempt `attempt`. The luck is drawn before the retries are
    /// counted.
    ///
    /// # Errors
    /// When no retry is left.
    pub fn after_secs(
        &self,
        attempt: u32,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64, Reason> {
        let Config { retry_backoff_max, retry_jitter, .. } = self.config;
        let wait = match self.config.retry_backoff {
            None => self.config.default_retry_delay.as_secs_f64(),
            Some(factor) => {
                let maximum = retry_backoff_max.as_nanos() / 1_000_000_000;
                backoff_interval(factor.max(1).into(), attempt - 1, maximum, retry_jitter, uniform)
                    as f64
            }
        };
        let attempts_max = self.config.max_retries.map(|retries| retries.saturating_add(1));
        attempts_left(attempt, attempts_max)?;
        Ok(wait)
    }
}

/// `get_exponential_backoff_interval`: whole seconds.
pub fn backoff_interval(
    factor: u64,
    retries: u32,
    maximum: u64,
    full_jitter: bool,
    uniform: &mut dyn FnMut() -> f64,
) -> u64 {
    let growth = 1u64.checked_shl(retries).unwrap_or(u64::MAX);
    let countdown = factor.saturating_mul(growth).min(maximum);
    match full_jitter {
        true => (uniform() * (countdown as f64 + 1.0)) as u64,
        false => countdown,
    }
}

impl Build for Config {
    type Machine = Celery;

    /// # Errors
    /// Never: the library takes all values.
    fn build(&self) -> Result<Celery, OutOfRange> {
        Ok(Celery { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.autoretry_for)
    }
}

impl Rules for Celery {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, luck: &mut Luck) -> Result<Span, Reason> {
        self.after_secs(failure.attempt, &mut || luck.uniform()).map(Span::from_secs_f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jittered_wait_may_be_zero_or_the_whole() {
        let config = Config { retry_backoff: Some(5), ..Config::default() };
        let rules = config.build().expect("valid");
        let waits = |u: f64| [1, 2, 3].map(|n| rules.after_secs(n, &mut || u));
        assert_eq!(waits(0.0), [Ok(0.0), Ok(0.0), Ok(0.0)]);
        assert_eq!(waits(0.9999), [Ok(5.0), Ok(10.0), Ok(20.0)]);
    }
}
