//! The retry policy of the Azure SDKs for Python: ten retries in a week, three of each kind.
//!
//! Answers: long disturbances of a cloud, for reads.
//!
//! Invites: a `POST` is repeated after a 500, 503 or 504, and whenever there is a `Retry-After`. The
//! policy's own timeout is looked at after a wait: it sleeps past it, then gives up.
//!
//! Reference: azure-core 1.41.0, `pipeline/policies/_retry.py`, over requests.
//!
//! ```text
//! error     `retry_on_methods`
//! status    with Retry-After: each from 400 on, any method
//!           without: 408, 429, 500, 502 to 504, from 506 on; POST and PATCH for 500, 503, 504
//! wait      Retry-After; else 0 before the first, factor * 2^(n-1) before the nth retry
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::text::python_float;
use super::{
    Broken, Client, Exchange, Headers, IDEMPOTENT, NANOS, NOT_RETRYABLE, Next, Outcome, Wait,
    exhausted, http_date, two_to,
};
use crate::family::Build;
use crate::retry::rules::Preset;
use crate::{Method, OutOfRange, Reason};

/// The options of `RetryPolicy`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AzureCoreRetry")]
pub struct Config {
    /// Retries of every kind together.
    pub retry_total: u32,
    /// Retries after a connection that was not made.
    pub retry_connect: u32,
    /// Retries after a connection that broke, or an answer that did not come in time.
    pub retry_read: u32,
    /// Retries after a status.
    pub retry_status: u32,
    /// The back-off is this times two to the number of failures less one.
    pub retry_backoff_factor: Span,
    /// The longest back-off.
    pub retry_backoff_max: Span,
    /// How the back-off grows.
    pub retry_mode: Mode,
    /// All attempts and waits together; looked at before each attempt.
    pub timeout: Span,
    /// Statuses that are repeated beside the usual ones.
    pub retry_on_status_codes: Vec<u16>,
    /// The methods that are repeated.
    pub retry_on_methods: Vec<Method>,
}

/// How the back-off grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AzureRetryMode")]
pub enum Mode {
    /// By a factor of two.
    #[default]
    Exponential,
    /// Not at all.
    Fixed,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retry_total: 10,
            retry_connect: 3,
            retry_read: 3,
            retry_status: 3,
            retry_backoff_factor: Span::millis(800),
            retry_backoff_max: Span::secs(120),
            retry_mode: Mode::Exponential,
            timeout: Span::secs(7 * 24 * 60 * 60),
            retry_on_status_codes: Vec::new(),
            retry_on_methods: IDEMPOTENT.to_vec(),
        }
    }
}

/// The policy's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct AzureCore(Config);

/// What is left of each counter, and the failures so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    total: i64,
    connect: i64,
    read: i64,
    status: i64,
    failures: i32,
}

impl Build for Config {
    type Machine = AzureCore;

    fn build(&self) -> Result<AzureCore, OutOfRange> {
        Ok(AzureCore(self.clone()))
    }
}

impl Preset for Config {}

impl AzureCore {
    fn backoff(&self, failures: i32) -> f64 {
        let factor = self.0.retry_backoff_factor.as_secs_f64();
        let backoff = match (failures, self.0.retry_mode) {
            (..=1, _) => return 0.0,
            (_, Mode::Fixed) => factor,
            (_, Mode::Exponential) => factor * two_to(failures - 1),
        };
        backoff.min(self.0.retry_backoff_max.as_secs_f64())
    }

    /// Why a status is not repeated.
    fn refuses(&self, memory: &Memory, exchange: &Exchange<'_>, status: u16) -> Option<Reason> {
        if status < 400 {
            return Some(NOT_RETRYABLE);
        }
        if exchange.headers.retry_after.is_some_and(|text| !text.is_empty()) {
            return None;
        }
        let method = exchange.method;
        let is_known = matches!(status, 408 | 429 | 500 | 502..=504 | 506..=998);
        if memory.total == 0 || !(is_known || self.0.retry_on_status_codes.contains(&status)) {
            return Some(NOT_RETRYABLE);
        }
        let is_special =
            matches!(method, Method::Post | Method::Patch) && matches!(status, 500 | 503 | 504);
        let is_allowed = is_special || self.0.retry_on_methods.contains(&method);
        (!is_allowed).then_some(Reason::MethodNotRepeated(method))
    }
}

/// What the headers ask for, in seconds, 0 for nothing; `None` where they cannot be read.
fn asked(Headers { retry_after, retry_after_ms, .. }: Headers<'_>, now: i128) -> Option<f64> {
    let date = |text| http_date(text).map(|at| (at - now) as f64 / NANOS as f64);
    let read = |text| python_float(text).or_else(|| date(text)).map(|secs| secs.max(0.0));
    match (retry_after.filter(|text| !text.is_empty()), retry_after_ms) {
        (Some(text), _) => read(text),
        (None, Some(text)) => read(text).map(|millis| millis / 1000.0),
        (None, None) => Some(0.0),
    }
}

impl Client for AzureCore {
    type Memory = Memory;

    fn start(&self) -> Memory {
        let Config { retry_total, retry_connect, retry_read, retry_status, .. } = self.0;
        Memory {
            total: retry_total.into(),
            connect: retry_connect.into(),
            read: retry_read.into(),
            status: retry_status.into(),
            failures: 0,
        }
    }

    fn next(
        &self,
        memory: &mut Memory,
        exchange: &Exchange<'_>,
        _draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let (end, kind) = match exchange.outcome {
            Outcome::Status(status) => {
                if let Some(reason) = self.refuses(memory, exchange, status) {
                    return Next::Value(reason);
                }
                (Next::Value as fn(Reason) -> Next, &mut memory.status)
            }
            Outcome::Broken(_) if !self.0.retry_on_methods.contains(&exchange.method) => {
                return Next::Raise(Reason::MethodNotRepeated(exchange.method));
            }
            Outcome::Broken(
                Broken::ConnectTimeout | Broken::Refused | Broken::Tls | Broken::Dns,
            ) => (Next::Raise as fn(Reason) -> Next, &mut memory.connect),
            Outcome::Broken(_) => (Next::Raise as fn(Reason) -> Next, &mut memory.read),
        };
        *kind -= 1;
        memory.total -= 1;
        memory.failures += 1;
        let Memory { total, connect, read, status, failures } = *memory;
        if [total, connect, read, status].iter().any(|left| *left < 0) {
            return end(exhausted(self.0.retry_total));
        }
        let asked = match exchange.outcome {
            Outcome::Status(_) => asked(exchange.headers, exchange.now),
            Outcome::Broken(_) => Some(0.0),
        };
        let Some(asked) = asked else { return Next::InvalidHeader };
        let wait = if asked > 0.0 { asked } else { self.backoff(failures) };
        Next::Again(Wait::Secs(wait))
    }

    fn before(&self, elapsed: Span) -> Result<(), Reason> {
        if elapsed < self.0.timeout {
            return Ok(());
        }
        Err(Reason::TotalTimeExhausted { total_max: self.0.timeout })
    }
}
