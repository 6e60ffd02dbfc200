//! The Stripe SDK for Node: two retries by default, and one more after a closed connection.
//!
//! Answers: a kept-alive connection that the other side has just closed. That is repeated once even
//! with no retries at all.
//!
//! Invites: the waits lag behind those of the Python SDK by one power: the first two are 500 ms.
//!
//! Reference: stripe 23.1.0 for Node, `RequestSender.js`.
//!
//! ```text
//! repeated    every error; Stripe-Should-Retry, else 409 and from 500 on; any method
//! wait        max(500 ms, min(0.5 * 2^(n-2), 5) s * 0.5 * (1 + u))
//! key         one for each POST that has none, the same on all attempts
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stripe_python::says;
use super::{Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted, two_to};
use crate::OutOfRange;
use crate::family::Build;
use crate::retry::rules::Preset;

/// The options of the client.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "StripeNodeRetry")]
pub struct Config {
    /// Attempts after the first.
    pub max_network_retries: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_network_retries: 2 }
    }
}

/// The SDK's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct StripeNode {
    retries_max: u32,
}

impl Build for Config {
    type Machine = StripeNode;

    fn build(&self) -> Result<StripeNode, OutOfRange> {
        Ok(StripeNode { retries_max: self.max_network_retries })
    }
}

impl Preset for Config {
    fn mints_keys(&self) -> bool {
        true
    }
}

impl Client for StripeNode {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let attempt = exchange.attempt;
        let is_closed = matches!(exchange.outcome, Outcome::Broken(Broken::Reset | Broken::Pipe));
        if !(is_closed && attempt == 1) {
            let end = match exchange.outcome {
                Outcome::Status(..400) => Next::Value,
                _ => Next::Raise,
            };
            if attempt > self.retries_max {
                return end(exhausted(self.retries_max));
            }
            if let Outcome::Status(status) = exchange.outcome
                && !says(exchange.headers.should_retry).unwrap_or(status == 409 || status >= 500)
            {
                return end(NOT_RETRYABLE);
            }
        }
        let sleep = (0.5 * two_to(attempt as i32 - 2)).min(5.0);
        Next::Again(Wait::Millis((sleep * (0.5 * (1.0 + draw()))).max(0.5) * 1000.0))
    }
}
