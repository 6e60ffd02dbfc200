//! axios-retry: three retries at once, and one timeout for all of them.
//!
//! Answers: a flaky network, for reads and for requests that are idempotent.
//!
//! Invites: a `POST` whose connection was reset is sent again by default. And axios's timeout is one
//! for all attempts and waits, unless `should_reset_timeout` says otherwise.
//!
//! Reference: axios-retry 4.5.0 over axios 1.21.1; is-retry-allowed 2.2.0.
//!
//! ```text
//! network error    no response, not ECONNABORTED (axios's own timeout), not a code such as ENOTFOUND
//! retryable        no response, 429 or 5xx; not ECONNABORTED
//! default          network error, or retryable and GET, HEAD, OPTIONS, PUT, DELETE
//! wait             Retry-After, or at least that; exponential: 2^n * factor, and up to 20 % more
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::text::js_number;
use super::{
    Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted, http_date,
    millis_until, two_to,
};
use crate::family::Build;
use crate::retry::rules::Preset;
use crate::{Method, OutOfRange, Reason};

/// The options of axios-retry, and of axios beside.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AxiosRetryRetry")]
pub struct Config {
    /// Attempts after the first.
    pub retries: u32,
    /// How the waits grow.
    pub retry_delay: Delay,
    /// The wait from which they grow.
    pub delay_factor: Span,
    /// What is repeated.
    pub retry_condition: Condition,
    /// Whether each attempt has the whole timeout.
    pub should_reset_timeout: bool,
    /// axios's timeout: by default of all attempts and waits together.
    pub timeout: Option<Span>,
    /// axios's `transitional.clarifyTimeoutError`: a timeout is a network error.
    pub clarify_timeout_error: bool,
}

/// How the waits grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AxiosRetryDelay")]
#[allow(clippy::enum_variant_names, reason = "the names are the library's")]
pub enum Delay {
    /// No wait but what `Retry-After` asks for.
    #[default]
    NoDelay,
    /// `exponentialDelay`.
    ExponentialDelay,
    /// `linearDelay`.
    LinearDelay,
}

/// What is repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AxiosRetryCondition")]
#[allow(clippy::enum_variant_names, reason = "the names are the library's")]
pub enum Condition {
    /// `isNetworkOrIdempotentRequestError`.
    #[default]
    NetworkOrIdempotentRequestError,
    /// `isNetworkError`, whatever the method.
    NetworkError,
    /// `isRetryableError`, whatever the method.
    RetryableError,
    /// `isSafeRequestError`.
    SafeRequestError,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retries: 3,
            retry_delay: Delay::NoDelay,
            delay_factor: Span::millis(100),
            retry_condition: Condition::default(),
            should_reset_timeout: false,
            timeout: None,
            clarify_timeout_error: false,
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct AxiosRetry(Config);

/// What is left of the timeout in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    left: Option<f64>,
}

impl Build for Config {
    type Machine = AxiosRetry;

    fn build(&self) -> Result<AxiosRetry, OutOfRange> {
        Ok(AxiosRetry(self.clone()))
    }
}

impl Preset for Config {}

impl AxiosRetry {
    /// Whether it is repeated, or why not.
    fn condition(&self, exchange: &Exchange<'_>) -> Result<(), Reason> {
        // ECONNABORTED: axios's own timeout, unless that is clarified.
        let is_aborted = |broken| broken == Broken::Timeout && !self.0.clarify_timeout_error;
        let (is_network, is_retryable) = match exchange.outcome {
            Outcome::Status(status) => (false, matches!(status, 429 | 500..=599)),
            Outcome::Broken(broken) => {
                let is_denied = matches!(
                    broken,
                    Broken::NoCode
                        | Broken::Canceled
                        | Broken::Dns
                        | Broken::Unreachable
                        | Broken::Tls
                );
                (!is_denied && !is_aborted(broken), !is_aborted(broken))
            }
        };
        let method = exchange.method;
        let is_safe = matches!(method, Method::Get | Method::Head | Method::Options);
        let is_idempotent = is_safe || matches!(method, Method::Put | Method::Delete);
        let (is_repeated, by_method) = match self.0.retry_condition {
            Condition::NetworkError => (is_network, false),
            Condition::RetryableError => (is_retryable, false),
            Condition::SafeRequestError => (is_retryable && is_safe, is_retryable),
            Condition::NetworkOrIdempotentRequestError => {
                (is_network || (is_retryable && is_idempotent), is_retryable)
            }
        };
        match (is_repeated, by_method) {
            (true, _) => Ok(()),
            (false, true) => Err(Reason::MethodNotRepeated(method)),
            (false, false) => Err(NOT_RETRYABLE),
        }
    }

    /// The wait before retry `n` in milliseconds.
    fn delay(&self, n: u32, exchange: &Exchange<'_>, draw: &mut dyn FnMut() -> f64) -> f64 {
        let text = exchange.headers.retry_after.filter(|text| !text.is_empty());
        let asked = text.map_or(0.0, |text| {
            let millis = js_number(text) * 1000.0;
            if millis != 0.0 && !millis.is_nan() {
                return millis.max(0.0);
            }
            http_date(text).map_or(0.0, |at| millis_until(at, exchange.now).max(0.0))
        });
        let factor = self.0.delay_factor.as_secs_f64() * 1000.0;
        match self.0.retry_delay {
            Delay::NoDelay => asked,
            Delay::LinearDelay => (f64::from(n) * factor).max(asked),
            Delay::ExponentialDelay => {
                let delay = (two_to(n as i32) * factor).max(asked);
                delay + delay * 0.2 * draw()
            }
        }
    }
}

impl Client for AxiosRetry {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory { left: self.0.timeout.map(|timeout| timeout.as_secs_f64() * 1000.0) }
    }

    fn next(
        &self,
        memory: &mut Memory,
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        if let Outcome::Status(200..=299) = exchange.outcome {
            return Next::Value(NOT_RETRYABLE);
        }
        let n = exchange.attempt;
        if n > self.0.retries {
            return Next::Raise(exhausted(self.0.retries));
        }
        if let Err(reason) = self.condition(exchange) {
            return Next::Raise(reason);
        }
        let delay = self.delay(n, exchange, draw);
        if let (Some(left), false) = (&mut memory.left, self.0.should_reset_timeout) {
            *left = *left - exchange.took.as_secs_f64() * 1000.0 - delay;
            if *left <= 0.0 {
                let total_max = self.0.timeout.unwrap_or_default();
                return Next::Raise(Reason::TotalTimeExhausted { total_max });
            }
        }
        Next::Again(Wait::Millis(delay))
    }

    fn timeout_millis(&self, memory: &Memory) -> Option<f64> {
        memory.left
    }
}
