//! got: two retries for methods that are idempotent, and a `Retry-After` of any length.
//!
//! Answers: a flaky network, for reads and repeatable writes.
//!
//! Invites: a 503 that asks for an hour is waited for an hour, unless `max_retry_after` or a request
//! timeout is set; then it is not repeated at all.
//!
//! Reference: got 14.6.6, `core/calculate-retry-delay.js`, `core/index.js`.
//!
//! ```text
//! repeated    `methods`, and `status_codes` or `error_codes`; a 413 only with Retry-After
//! wait        Retry-After; else min(2^(n-1) s, backoff_limit) + u * noise; 0 means no retry
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::text::js_number;
use super::{
    Client, Exchange, IDEMPOTENT, NOT_RETRYABLE, Next, NodeCode, Outcome, Wait, exhausted,
    http_date, millis_until, two_to,
};
use crate::family::Build;
use crate::out_of_range::within;
use crate::retry::rules::Preset;
use crate::{Method, OutOfRange, Reason};

/// The options of `retry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GotRetry")]
pub struct Config {
    /// Attempts after the first.
    pub limit: u32,
    /// The methods that are repeated.
    pub methods: Vec<Method>,
    /// The statuses that are repeated.
    pub status_codes: Vec<u16>,
    /// The errors that are repeated.
    pub error_codes: Vec<NodeCode>,
    /// A longer `Retry-After` ends the series; by default none is too long.
    pub max_retry_after: Option<Span>,
    /// The longest back-off before the noise; no limit by default.
    pub backoff_limit: Option<Span>,
    /// Luck adds up to so many milliseconds, or takes them off.
    #[schemars(range(min = -100.0, max = 100.0))]
    pub noise: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limit: 2,
            methods: IDEMPOTENT.to_vec(),
            status_codes: vec![408, 413, 429, 500, 502, 503, 504, 521, 522, 524],
            error_codes: vec![
                NodeCode::ETIMEDOUT,
                NodeCode::ECONNRESET,
                NodeCode::EADDRINUSE,
                NodeCode::ECONNREFUSED,
                NodeCode::EPIPE,
                NodeCode::ENOTFOUND,
                NodeCode::ENETUNREACH,
                NodeCode::EAI_AGAIN,
            ],
            max_retry_after: None,
            backoff_limit: None,
            noise: 100.0,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Got(Config);

impl Build for Config {
    type Machine = Got;

    /// # Errors
    /// When the noise is outside −100 to 100.
    fn build(&self) -> Result<Got, OutOfRange> {
        within("noise", self.noise, -100.0, 100.0)?;
        Ok(Got(self.clone()))
    }
}

impl Preset for Config {}

impl Client for Got {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let Config { limit, methods, status_codes, error_codes, noise, .. } = &self.0;
        let is_listed = match exchange.outcome {
            Outcome::Status(200..=299 | 304) => return Next::Value(NOT_RETRYABLE),
            Outcome::Status(status) => status_codes.contains(&status),
            Outcome::Broken(broken) => NodeCode::listed(error_codes, broken),
        };
        let n = exchange.attempt;
        if n > *limit {
            return Next::Raise(exhausted(*limit));
        }
        if !is_listed {
            return Next::Raise(NOT_RETRYABLE);
        }
        if !methods.contains(&exchange.method) {
            return Next::Raise(Reason::MethodNotRepeated(exchange.method));
        }
        if let Some(text) = exchange.headers.retry_after {
            let number = js_number(text);
            let asked = match number.is_nan() {
                false => number * 1000.0,
                true => match http_date(text).map(|at| millis_until(at, exchange.now)) {
                    Some(millis) if millis <= 0.0 => 1.0,
                    Some(millis) => millis,
                    None => 0.0,
                },
            };
            if asked != 0.0 {
                let is_long = |max: Span| asked > max.as_secs_f64() * 1000.0;
                return match self.0.max_retry_after.is_some_and(is_long) {
                    true => Next::Raise(NOT_RETRYABLE),
                    false => Next::Again(Wait::Millis(asked)),
                };
            }
        }
        if exchange.outcome == Outcome::Status(413) {
            return Next::Raise(NOT_RETRYABLE);
        }
        let longest = self.0.backoff_limit.map_or(f64::INFINITY, |max| max.as_secs_f64() * 1000.0);
        let wait = (two_to(n as i32 - 1) * 1000.0).min(longest) + draw() * noise;
        if wait == 0.0 {
            return Next::Raise(NOT_RETRYABLE);
        }
        Next::Again(Wait::Millis(wait))
    }
}
