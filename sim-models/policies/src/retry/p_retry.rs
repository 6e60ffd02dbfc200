//! p-retry (Node.js): doubling waits in whole milliseconds, and a limit that the last wait is cut to.
//!
//! Answers: any function that returns a promise, with no more to say than how often.
//!
//! Invites: with `max_retry_time` the last wait is cut, so that one more attempt starts exactly at the
//! limit, when the other side has had least time to recover.
//!
//! Reference: p-retry 7.1.1, `calculateDelay`, `onAttemptFailure`.
//!
//! ```text
//! n from 1     d = min(round(r * min_timeout * factor^(n - 1)), max_timeout)
//!              r = 1, with `randomize` in [1, 2)
//! wait         min(d, what is left of max_retry_time)
//! gives up     when nothing is left, or no retry is
//! ```
//!
//! Every error is retried but an `AbortError` and a `TypeError` that is no network error.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::rules::{Failure, Luck, Preset, Rules, at_least, attempts_left, round};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PRetryRetry")]
pub struct Config {
    /// Attempts after the first; `None` for any number.
    pub retries: Option<u32>,
    /// How the waits grow; 0 is as good as 1.
    #[schemars(range(min = 0.0))]
    pub factor: f64,
    /// The first wait.
    pub min_timeout: Span,
    /// The longest wait; no limit by default.
    pub max_timeout: Option<Span>,
    /// Lengthens each wait by up to its own length.
    pub randomize: bool,
    /// No attempt starts later than this; no limit by default.
    pub max_retry_time: Option<Span>,
    /// The endings that are worth another attempt.
    pub should_retry: EndingSet,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retries: Some(10),
            factor: 2.0,
            min_timeout: Span::secs(1),
            max_timeout: None,
            randomize: false,
            max_retry_time: None,
            should_retry: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct PRetry {
    config: Config,
}

impl PRetry {
    /// The wait in milliseconds after failed attempt `attempt`, so many after the first one started.
    ///
    /// # Errors
    /// When no retry is left, or no time.
    pub fn after_millis(
        &self,
        attempt: u32,
        elapsed: f64,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64, Reason> {
        let Config { factor, min_timeout, max_timeout, max_retry_time, .. } = &self.config;
        let left = max_retry_time.map_or(f64::INFINITY, Span::as_millis_f64) - elapsed;
        if let Some(total_max) = max_retry_time.filter(|_| left <= 0.0) {
            return Err(Reason::TotalTimeExhausted { total_max });
        }
        attempts_left(attempt, self.config.retries.map(|retries| retries.saturating_add(1)))?;
        let random = if self.config.randomize { uniform() + 1.0 } else { 1.0 };
        let factor = if *factor > 0.0 { *factor } else { 1.0 };
        let growth = math::pow(factor, f64::from(attempt - 1));
        let wait = round(random * min_timeout.as_millis_f64() * growth);
        let wait = wait.min(max_timeout.map_or(f64::INFINITY, Span::as_millis_f64));
        Ok(wait.min(left))
    }
}

impl Build for Config {
    type Machine = PRetry;

    /// # Errors
    /// When `factor` is not a number from 0 on.
    fn build(&self) -> Result<PRetry, OutOfRange> {
        at_least("factor", self.factor, 0.0)?;
        Ok(PRetry { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.should_retry)
    }
}

impl Rules for PRetry {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, luck: &mut Luck) -> Result<Span, Reason> {
        let elapsed = failure.elapsed.as_millis_f64();
        let wait = self.after_millis(failure.attempt, elapsed, &mut || luck.uniform())?;
        Ok(Span::from_secs_f64(wait / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wait_ends_at_the_limit() {
        let limit = Span::secs(5);
        let config = Config { max_retry_time: Some(limit), ..Config::default() };
        let rules = config.build().expect("valid");
        let after = |attempt, elapsed| rules.after_millis(attempt, elapsed, &mut || 0.0);
        assert_eq!(after(3, 3900.0), Ok(1100.0));
        let over = Reason::TotalTimeExhausted { total_max: limit };
        assert_eq!(after(4, 5300.0), Err(over));
    }
}
