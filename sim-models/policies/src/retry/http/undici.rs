//! undici's `RetryAgent`: five retries of idempotent methods, and no timeout.
//!
//! Answers: sockets that break under Node's own client.
//!
//! Invites: nothing that the list of errors does not invite; a timeout is not on it.
//!
//! Reference: undici 7.30.2, `handler/retry-handler.js`.
//!
//! ```text
//! repeated    `methods`, and `status_codes` or `error_codes`
//! wait        Retry-After up to max_timeout; else min(min_timeout * factor^(n-1), max_timeout)
//! ```
//!
//! Left out: a content that breaks off in the middle and is continued with `Range`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::text::js_number;
use super::{
    Broken, Client, Exchange, NOT_RETRYABLE, Next, NodeCode, Outcome, Wait, exhausted, http_date,
    millis_until,
};
use crate::family::Build;
use crate::retry::rules::{Preset, at_least};
use crate::{Method, OutOfRange, Reason};

/// The options of `RetryAgent`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "UndiciRetry")]
pub struct Config {
    /// Attempts after the first.
    pub max_retries: u32,
    /// The first wait.
    pub min_timeout: Span,
    /// The longest wait.
    pub max_timeout: Span,
    /// How the waits grow.
    #[schemars(range(min = 0.0))]
    pub timeout_factor: f64,
    /// The methods that are repeated.
    pub methods: Vec<Method>,
    /// The statuses that are repeated.
    pub status_codes: Vec<u16>,
    /// The errors that are repeated.
    pub error_codes: Vec<NodeCode>,
    /// Whether a status that is repeated in vain is raised instead of handed back.
    pub throw_on_error: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_retries: 5,
            min_timeout: Span::millis(500),
            max_timeout: Span::secs(30),
            timeout_factor: 2.0,
            methods: vec![
                Method::Get,
                Method::Head,
                Method::Options,
                Method::Put,
                Method::Delete,
                Method::Trace,
            ],
            status_codes: vec![500, 502, 503, 504, 429],
            error_codes: vec![
                NodeCode::ECONNRESET,
                NodeCode::ECONNREFUSED,
                NodeCode::ENOTFOUND,
                NodeCode::ENETDOWN,
                NodeCode::ENETUNREACH,
                NodeCode::EHOSTDOWN,
                NodeCode::EHOSTUNREACH,
                NodeCode::EPIPE,
                NodeCode::UND_ERR_SOCKET,
            ],
            throw_on_error: true,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Undici(Config);

impl Build for Config {
    type Machine = Undici;

    /// # Errors
    /// When the factor is no number from 0 on.
    fn build(&self) -> Result<Undici, OutOfRange> {
        at_least("timeout_factor", self.timeout_factor, 0.0)?;
        Ok(Undici(self.clone()))
    }
}

impl Preset for Config {}

impl Client for Undici {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        _draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let Config { max_retries, methods, status_codes, error_codes, .. } = &self.0;
        let end = match exchange.outcome {
            Outcome::Status(status) if status < 300 || !status_codes.contains(&status) => {
                return Next::Value(NOT_RETRYABLE);
            }
            Outcome::Status(_) if !self.0.throw_on_error => Next::Value,
            _ => Next::Raise,
        };
        if let Outcome::Broken(broken) = exchange.outcome
            && broken != Broken::NoCode
            && !NodeCode::listed(error_codes, broken)
        {
            return end(NOT_RETRYABLE);
        }
        let n = exchange.attempt;
        if !methods.contains(&exchange.method) {
            return end(Reason::MethodNotRepeated(exchange.method));
        }
        if n > *max_retries {
            return end(exhausted(*max_retries));
        }
        let millis = |span: Span| span.as_secs_f64() * 1000.0;
        let longest = millis(self.0.max_timeout);
        let asked = exchange.headers.retry_after.map_or(0.0, |text| {
            let number = js_number(text);
            let date = || http_date(text).map_or(0.0, |at| millis_until(at, exchange.now));
            if number.is_nan() { date() } else { number * 1000.0 }
        });
        let grown =
            || millis(self.0.min_timeout) * math::pow(self.0.timeout_factor, f64::from(n - 1));
        let wait = if asked > 0.0 { asked } else { grown() };
        Next::Again(Wait::Millis(wait.min(longest)))
    }
}
