//! The Stripe SDK for Python: any method, since each payment has a key of its own.
//!
//! Answers: an answer that gets lost. The SDK sends a fresh idempotency key with each `POST`, and
//! the same one on all its attempts, so that Stripe charges once.
//!
//! Invites: trust in the default. `StripeClient` makes no retry, the global `stripe.api_key` two.
//! And the key is new with each call: a call that the caller repeats pays again.
//!
//! Reference: stripe 16.1.0, `_http_client.py`, `_api_requestor.py`, `RequestsClient`.
//!
//! ```text
//! repeated    refused, timeouts, reset; Stripe-Should-Retry, else 409 and from 500 on; not 429
//! wait        max(0.5 s, min(0.5 * 2^(n-1), 5) * 0.5 * (1 + u))      Retry-After is not read
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted, two_to};
use crate::OutOfRange;
use crate::family::Build;
use crate::retry::rules::Preset;

/// The options of the client.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "StripePythonRetry")]
pub struct Config {
    /// How the SDK is used.
    pub entry: Entry,
    /// Attempts after the first; by default 0 for `Client` and 2 for `Global`.
    pub max_network_retries: Option<u32>,
}

/// How the SDK is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "StripeEntry")]
pub enum Entry {
    /// `StripeClient(…)`.
    #[default]
    Client,
    /// `stripe.api_key = …`.
    Global,
}

/// The SDK's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct StripePython {
    retries_max: u32,
}

impl Build for Config {
    type Machine = StripePython;

    fn build(&self) -> Result<StripePython, OutOfRange> {
        let default = if self.entry == Entry::Global { 2 } else { 0 };
        Ok(StripePython { retries_max: self.max_network_retries.unwrap_or(default) })
    }
}

impl Preset for Config {
    fn mints_keys(&self) -> bool {
        true
    }
}

impl Client for StripePython {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let end = match exchange.outcome {
            Outcome::Status(..300) => Next::Value,
            _ => Next::Raise,
        };
        if exchange.attempt > self.retries_max {
            return end(exhausted(self.retries_max));
        }
        let is_repeated = match exchange.outcome {
            Outcome::Broken(broken) => {
                !matches!(broken, Broken::Tls | Broken::BodyCut | Broken::Redirects | Broken::Bug)
            }
            Outcome::Status(status) => {
                says(exchange.headers.should_retry).unwrap_or(status == 409 || status >= 500)
            }
        };
        if !is_repeated {
            return end(NOT_RETRYABLE);
        }
        let sleep = (0.5 * two_to(exchange.attempt as i32 - 1)).min(5.0);
        Next::Again(Wait::Secs((sleep * (0.5 * (1.0 + draw()))).max(0.5)))
    }
}

/// What a header says about another attempt.
pub(super) fn says(should_retry: Option<&str>) -> Option<bool> {
    match should_retry {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    }
}
