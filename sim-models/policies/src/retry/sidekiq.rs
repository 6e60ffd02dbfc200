//! Sidekiq (Ruby): 25 retries over 20 days.
//!
//! Answers: the job whose bug is fixed next week. Nobody waits for it.
//!
//! Invites: a job that has half of its effect again and again, for weeks.
//!
//! Reference: Sidekiq 6.4.1, `job_retry.rb`.
//!
//! ```text
//! retry n from 1     (n - 1)^4 + 15  +  rand(10) * n   seconds
//! retry_in           retry_in * n    +  rand(10) * n
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// The options of a job.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SidekiqRetry")]
pub struct Config {
    /// Attempts after the first: a number for `retry`, or `max_retries` when `retry` is true.
    pub retry: u32,
    /// A `sidekiq_retry_in` block that grows by this much with each retry; none by default.
    pub retry_in_linear: Option<Span>,
    /// The endings that are worth another attempt.
    pub on: EndingSet,
}

impl Default for Config {
    fn default() -> Config {
        Config { retry: 25, retry_in_linear: None, on: EndingSet::ANY_FAILURE }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidekiq {
    config: Config,
}

impl Sidekiq {
    /// The wait in seconds after failed attempt `attempt`.
    ///
    /// # Errors
    /// When no retry is left, and the job is dead.
    pub fn after_secs(
        &self,
        attempt: u32,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64, Reason> {
        attempts_left(attempt, Some(self.config.retry.saturating_add(1)))?;
        let (n, count) = (f64::from(attempt), f64::from(attempt - 1));
        let delay = match self.config.retry_in_linear {
            Some(step) => step.as_secs_f64() * n,
            None => count * count * count * count + 15.0,
        };
        Ok(delay + (uniform() * 10.0).trunc() * n)
    }
}

impl Build for Config {
    type Machine = Sidekiq;

    /// # Errors
    /// Never: the library takes all values.
    fn build(&self) -> Result<Sidekiq, OutOfRange> {
        Ok(Sidekiq { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.on)
    }
}

impl Rules for Sidekiq {
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
    fn all_retries_take_twenty_days() {
        let rules = Config::default().build().expect("valid");
        let total: f64 = (1..=25).map_while(|n| rules.after_secs(n, &mut || 0.5).ok()).sum();
        assert_eq!((total / 86_400.0).trunc(), 20.0);
        let over = Reason::AttemptsExhausted { attempts_max: 26 };
        assert_eq!(rules.after_secs(26, &mut || 0.5), Err(over));
    }
}
