//! The Square SDK for Node, as Fern makes them: statuses are repeated, broken connections are not.
//!
//! Answers: a server that is busy, for any method. The caller's idempotency key is in the content and
//! stays.
//!
//! Invites: a `POST` without a key is repeated after a 500 all the same.
//!
//! Reference: square 46.0.0, `core/fetcher/requestWithRetries.js`.
//!
//! ```text
//! repeated    408, 429, from 500 on; no error of fetch
//! wait        Retry-After up to 60 s, else min(1 s * 2^(n-1), 60 s) * (1 + (u - 0.5) * 0.2)
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::js_parse_int;
use super::{Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted, http_date, two_to};
use crate::OutOfRange;
use crate::family::Build;
use crate::retry::rules::Preset;

/// The options of a request.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SquareNodeRetry")]
pub struct Config {
    /// Attempts after the first.
    pub max_retries: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_retries: 2 }
    }
}

/// The longest wait in milliseconds: `MAX_RETRY_DELAY`.
const WAIT_MAX: f64 = 60_000.0;

/// The SDK's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct SquareNode {
    retries_max: u32,
}

impl Build for Config {
    type Machine = SquareNode;

    fn build(&self) -> Result<SquareNode, OutOfRange> {
        Ok(SquareNode { retries_max: self.max_retries })
    }
}

impl Preset for Config {}

impl Client for SquareNode {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let Outcome::Status(status) = exchange.outcome else { return Next::Raise(NOT_RETRYABLE) };
        let end = if status < 400 { Next::Value } else { Next::Raise };
        if !matches!(status, 408 | 429 | 500..) {
            return end(NOT_RETRYABLE);
        }
        if exchange.attempt > self.retries_max {
            return end(exhausted(self.retries_max));
        }
        if let Some(text) = exchange.headers.retry_after {
            let secs = js_parse_int(text);
            let until = http_date(text).map_or(0.0, |at| super::millis_until(at, exchange.now));
            let asked = if secs > 0.0 { secs * 1000.0 } else { until };
            if asked > 0.0 {
                return Next::Again(Wait::Millis(asked.min(WAIT_MAX)));
            }
        }
        let wait = (1000.0 * two_to(exchange.attempt as i32 - 1)).min(WAIT_MAX);
        Next::Again(Wait::Millis(wait * (1.0 + (draw() - 0.5) * 0.2)))
    }
}
