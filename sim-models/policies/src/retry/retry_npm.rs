//! retry (Node.js, npm): all waits are drawn at the start and sorted.
//!
//! Answers: the retries that most of npm is built on.
//!
//! Invites: waits that grow without a limit: the tenth is 8.5 minutes.
//!
//! Reference: retry 0.13.1, `timeouts`, `createTimeout`, `RetryOperation.retry`.
//!
//! ```text
//! n from 0     min(round(r * max(min_timeout, 1 ms) * factor^n), max_timeout)
//!              r = 1, with `randomize` in [1, 2)
//! waits        all `retries` of them, shortest first
//! gives up     when max_retry_time has passed, or no wait is left
//! ```
//!
//! Every error that `operation.retry(error)` is told of is retried. The clock shows milliseconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, ordered, positive, round};
use crate::family::Build;
use crate::{EndingSet, OutOfRange, Reason};

/// All waits are computed at once, so their number has a bound here. The library has none.
const RETRIES_MAX: u32 = 10_000;

/// The options of `retry.operation`, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RetryNpmRetry")]
pub struct Config {
    /// Attempts after the first.
    #[schemars(range(max = 10000))]
    pub retries: u32,
    /// How the waits grow.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub factor: f64,
    /// The first wait; zero is as good as 1 ms.
    pub min_timeout: Span,
    /// The longest wait; no limit by default.
    pub max_timeout: Option<Span>,
    /// Lengthens each wait by up to its own length.
    pub randomize: bool,
    /// No retry after this time; no limit by default.
    pub max_retry_time: Option<Span>,
    /// The endings that are worth another attempt.
    pub retry: EndingSet,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retries: 10,
            factor: 2.0,
            min_timeout: Span::secs(1),
            max_timeout: None,
            randomize: false,
            max_retry_time: None,
            retry: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryNpm {
    config: Config,
}

/// The luck of all waits of a call, once the first is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    draw: Option<u64>,
}

impl RetryNpm {
    /// All waits of one call in milliseconds, in the order of their use.
    pub fn timeouts_millis(&self, uniform: &mut dyn FnMut() -> f64) -> Vec<f64> {
        let Config { retries, factor, min_timeout, max_timeout, randomize, .. } = &self.config;
        let longest = max_timeout.map_or(f64::INFINITY, Span::as_millis_f64);
        let mut timeout = |n: u32| {
            let random = if *randomize { uniform() + 1.0 } else { 1.0 };
            let growth = math::pow(*factor, f64::from(n));
            round(random * min_timeout.as_millis_f64().max(1.0) * growth).min(longest)
        };
        let mut timeouts: Vec<f64> = (0..*retries).map(&mut timeout).collect();
        timeouts.sort_by(f64::total_cmp);
        timeouts
    }
}

impl Build for Config {
    type Machine = RetryNpm;

    /// # Errors
    /// When `factor` is not a number above zero, `min_timeout` is above `max_timeout`, or there are
    /// more than 10000 retries.
    fn build(&self) -> Result<RetryNpm, OutOfRange> {
        if self.retries > RETRIES_MAX {
            let allowed = format!("at most {RETRIES_MAX}");
            return Err(OutOfRange::new("retries", self.retries, allowed));
        }
        positive("factor", self.factor)?;
        if let Some(max_timeout) = self.max_timeout {
            ordered("min_timeout", self.min_timeout, "max_timeout", max_timeout)?;
        }
        Ok(RetryNpm { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.retry)
    }
}

impl Rules for RetryNpm {
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
        if let Some(total_max) = self.config.max_retry_time
            && failure.elapsed >= total_max
        {
            return Err(Reason::TotalTimeExhausted { total_max });
        }
        attempts_left(failure.attempt, Some(self.config.retries.saturating_add(1)))?;
        let mut luck = Luck::new(*memory.draw.get_or_insert(luck.draw));
        let timeouts = self.timeouts_millis(&mut || luck.uniform());
        Ok(Span::from_secs_f64(timeouts[failure.attempt as usize - 1] / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::all_refused;

    #[test]
    fn a_lucky_wait_is_used_before_an_unlucky_one_that_was_drawn_earlier() {
        let config = Config { retries: 2, factor: 1.0, randomize: true, ..Config::default() };
        let mut draws = [0.9, 0.1].into_iter();
        let rules = config.build().expect("valid");
        let waits = rules.timeouts_millis(&mut || draws.next().expect("two"));
        assert_eq!(waits, [1100.0, 1900.0]);
    }

    #[test]
    fn options_that_the_library_rejects_are_refused() {
        let max_timeout = Some(Span::millis(999));
        all_refused([
            ("retries", Config { retries: 10_001, ..Config::default() }),
            ("factor", Config { factor: 0.0, ..Config::default() }),
            ("min_timeout", Config { max_timeout, ..Config::default() }),
        ]);
    }
}
