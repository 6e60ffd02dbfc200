//! HashiCorp's go-retryablehttp: four retries of any method.
//!
//! Answers: a server that is away for a few seconds.
//!
//! Invites: a double charge by default: the method is not asked, and the content is sent again. A
//! `Retry-After` has no upper limit.
//!
//! Reference: go-retryablehttp 0.7.1, `client.go`.
//!
//! ```text
//! repeated     every error but redirects, schemes and certificates; 429; from 500 on but 501
//! default      429 and 503 with whole seconds in Retry-After: those; else min(2^k * min, max)
//! linear       (min + u * (max - min)) * (k + 1), not capped               k = 0, 1, ...
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::{Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted, two_to};
use crate::OutOfRange;
use crate::family::Build;
use crate::retry::rules::{Preset, nanos};

/// The fields of `Client`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GoRetryablehttpRetry")]
pub struct Config {
    /// Attempts after the first.
    pub retry_max: u32,
    /// The first wait.
    pub retry_wait_min: Span,
    /// The longest.
    pub retry_wait_max: Span,
    /// How the waits grow.
    pub backoff: Backoff,
    /// `PassthroughErrorHandler`: the last response is handed back instead of an error.
    pub passthrough_error_handler: bool,
}

/// How the waits grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "GoRetryablehttpBackoff")]
pub enum Backoff {
    /// By a factor of two, unless `Retry-After` says how long.
    #[default]
    DefaultBackoff,
    /// By the same each time, spread by luck.
    LinearJitterBackoff,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retry_max: 4,
            retry_wait_min: Span::secs(1),
            retry_wait_max: Span::secs(30),
            backoff: Backoff::DefaultBackoff,
            passthrough_error_handler: false,
        }
    }
}

/// The client's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct GoRetryablehttp {
    retries_max: u32,
    min: i64,
    max: i64,
    backoff: Backoff,
    passes: bool,
}

impl Build for Config {
    type Machine = GoRetryablehttp;

    fn build(&self) -> Result<GoRetryablehttp, OutOfRange> {
        Ok(GoRetryablehttp {
            retries_max: self.retry_max,
            min: nanos(self.retry_wait_min),
            max: nanos(self.retry_wait_max),
            backoff: self.backoff,
            passes: self.passthrough_error_handler,
        })
    }
}

impl Preset for Config {}

impl GoRetryablehttp {
    fn wait(&self, exchange: &Exchange<'_>, draw: &mut dyn FnMut() -> f64) -> i64 {
        let GoRetryablehttp { min, max, .. } = *self;
        let attempt = i64::from(exchange.attempt);
        if self.backoff == Backoff::LinearJitterBackoff {
            if max <= min {
                return min.wrapping_mul(attempt);
            }
            return ((draw() * (max - min) as f64) as i64 + min).wrapping_mul(attempt);
        }
        let asks = matches!(exchange.outcome, Outcome::Status(429 | 503));
        let asked = exchange.headers.retry_after.filter(|_| asks);
        if let Some(secs) = asked.and_then(|text| text.parse::<i64>().ok()) {
            return secs.wrapping_mul(1_000_000_000);
        }
        let grown = two_to(exchange.attempt as i32 - 1) * min as f64;
        if grown > max as f64 { max } else { grown as i64 }
    }
}

impl Client for GoRetryablehttp {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let end = match exchange.outcome {
            Outcome::Status(status) if status != 429 && (status < 500 || status == 501) => {
                return Next::Value(NOT_RETRYABLE);
            }
            Outcome::Broken(Broken::Redirects | Broken::Scheme | Broken::NotTrusted) => {
                return Next::Raise(NOT_RETRYABLE);
            }
            Outcome::Status(_) if self.passes => Next::Value,
            _ => Next::Raise,
        };
        if exchange.attempt > self.retries_max {
            return end(exhausted(self.retries_max));
        }
        Next::Again(Wait::Nanos(self.wait(exchange, draw)))
    }
}
