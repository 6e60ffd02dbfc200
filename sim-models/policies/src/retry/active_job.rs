//! Rails' Active Job: `retry_on` with a fixed wait, or one that grows with the fourth power.
//!
//! Answers: the job whose dependency is away for a moment. Nobody waits for it.
//!
//! Invites: three seconds and no jitter are the defaults of the library itself, so that all jobs of
//! one outage come back together. (`load_defaults 6.1` of an application brings a jitter of 0.15.)
//!
//! Reference: Active Job 6.1.7.10, `exceptions.rb` (`determine_delay`).
//!
//! ```text
//! n executions       b = wait, or n^4 seconds
//! wait               b + rand * b * jitter  (+ 2 s with n^4)
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, at_least, attempts_left};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{EndingSet, OutOfRange, Reason};

/// The options of `retry_on`, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ActiveJobRetry")]
pub struct Config {
    /// Attempts, the first included.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// The wait.
    pub wait: Wait,
    /// The most that luck adds, as a share of the wait.
    #[schemars(range(min = 0.0))]
    pub jitter: f64,
    /// The endings that are worth another attempt.
    pub retry_on: EndingSet,
}

/// How long a failed job waits.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "ActiveJobWait", title = "wait of ActiveJob")]
pub enum Wait {
    /// Always this long, in whole seconds.
    #[schemars(example = r#"Fixed("3s")"#)]
    Fixed(Span),
    /// The fourth power of the executions, and 2 s.
    ExponentiallyLonger,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            attempts: 5,
            wait: Wait::Fixed(Span::secs(3)),
            jitter: 0.0,
            retry_on: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveJob {
    config: Config,
}

impl ActiveJob {
    /// The wait in seconds after failed attempt `attempt`.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn after_secs(
        &self,
        attempt: u32,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64, Reason> {
        attempts_left(attempt, Some(self.config.attempts))?;
        let n = f64::from(attempt);
        let (delay, more) = match self.config.wait {
            Wait::Fixed(wait) => (wait.as_secs_f64().trunc(), 0.0),
            Wait::ExponentiallyLonger => (n * n * n * n, 2.0),
        };
        let jitter = match self.config.jitter {
            0.0 => 0.0,
            jitter => uniform() * delay * jitter,
        };
        Ok(delay + jitter + more)
    }
}

impl Build for Config {
    type Machine = ActiveJob;

    /// # Errors
    /// When no attempt is permitted, or `jitter` is not a number from 0 on.
    fn build(&self) -> Result<ActiveJob, OutOfRange> {
        at_least_one("attempts", self.attempts)?;
        at_least("jitter", self.jitter, 0.0)?;
        Ok(ActiveJob { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.retry_on)
    }
}

impl Rules for ActiveJob {
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
    fn attempts_are_counted_with_the_first() {
        let wait = Wait::ExponentiallyLonger;
        let rules = Config { attempts: 3, wait, ..Config::default() }.build().expect("valid");
        let waits = [1, 2, 3].map(|n| rules.after_secs(n, &mut || panic!("no jitter, no luck")));
        let over = Err(Reason::AttemptsExhausted { attempts_max: 3 });
        assert_eq!(waits, [Ok(3.0), Ok(18.0), over]);
    }
}
