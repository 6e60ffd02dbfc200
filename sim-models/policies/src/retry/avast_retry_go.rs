//! avast/retry-go (Go): ten attempts, each wait twice the one before.
//!
//! Answers: any Go function that returns an error.
//!
//! Invites: no jitter, so that all callers of one outage come back together.
//!
//! Reference: avast/retry-go 2.4.3, `retry.go`, `options.go`.
//!
//! ```text
//! after attempt k from 0     BackOffDelay: delay * 2^k      FixedDelay: delay
//! ```
//!
//! Every error is retried but one wrapped by `Unrecoverable`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{EndingSet, OutOfRange, Reason};

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AvastRetryGoRetry")]
pub struct Config {
    /// Attempts, the first included.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// The first wait.
    pub delay: Span,
    /// How the waits grow.
    pub delay_type: DelayType,
    /// The endings that are worth another attempt.
    pub retry_if: EndingSet,
}

/// How the waits grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AvastRetryGoDelay")]
pub enum DelayType {
    /// They double.
    #[default]
    BackOffDelay,
    /// Not at all.
    FixedDelay,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            attempts: 10,
            delay: Span::millis(100),
            delay_type: DelayType::default(),
            retry_if: EndingSet::ANY_FAILURE,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct AvastRetryGo {
    config: Config,
}

impl AvastRetryGo {
    /// The wait after failed attempt `attempt`, from 1.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn wait(&self, attempt: u32) -> Result<Span, Reason> {
        let Config { attempts, delay, delay_type, .. } = self.config;
        attempts_left(attempt, Some(attempts))?;
        Ok(match delay_type {
            DelayType::FixedDelay => delay,
            DelayType::BackOffDelay => delay * 1u64.checked_shl(attempt - 1).unwrap_or(u64::MAX),
        })
    }
}

impl Build for Config {
    type Machine = AvastRetryGo;

    /// # Errors
    /// When no attempt is permitted.
    fn build(&self) -> Result<AvastRetryGo, OutOfRange> {
        at_least_one("attempts", self.attempts)?;
        Ok(AvastRetryGo { config: self.clone() })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.retry_if)
    }
}

impl Rules for AvastRetryGo {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, _luck: &mut Luck) -> Result<Span, Reason> {
        self.wait(failure.attempt)
    }
}
