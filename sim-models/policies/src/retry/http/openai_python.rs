//! The OpenAI SDK for Python, the shape of all SDKs that Stainless makes.
//!
//! Answers: a busy model. Every broken connection and each 408, 409, 429 and 5xx is repeated.
//!
//! Invites: a `POST` that is done twice. It is repeated after a timeout, and no idempotency key is
//! sent.
//!
//! Reference: openai 3.57.0, `_base_client.py`.
//!
//! ```text
//! asked       retry-after-ms, else Retry-After as a number of seconds, else as a date
//! over 120 s  never repeated; x-should-retry decides before the status
//! wait        what is asked in (0, 120] s, else min(0.5 * 2^(n-1), 8) * (1 - 0.25 u) s
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stripe_python::says;
use super::text::python_float;
use super::{
    Client, Exchange, Headers, NANOS, NOT_RETRYABLE, Next, Outcome, Wait, exhausted, http_date,
    two_to,
};
use crate::OutOfRange;
use crate::family::Build;
use crate::retry::rules::Preset;

/// The options of the client.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OpenaiPythonRetry")]
pub struct Config {
    /// Attempts after the first.
    pub max_retries: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_retries: 2 }
    }
}

/// The longest wait in seconds that a header may ask for.
const ASKED_MAX: f64 = 120.0;

/// The SDK's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenaiPython {
    retries_max: u32,
}

impl Build for Config {
    type Machine = OpenaiPython;

    fn build(&self) -> Result<OpenaiPython, OutOfRange> {
        Ok(OpenaiPython { retries_max: self.max_retries })
    }
}

impl Preset for Config {}

/// What the headers ask for, in seconds; neither infinity nor NaN.
fn asked(Headers { retry_after_ms, retry_after, .. }: Headers<'_>, now: i128) -> Option<f64> {
    // A number too large to be one is a long wait; the word for infinity is none.
    let read = |text: &str, divisor: f64| {
        let number = python_float(text)?;
        let is_word = text.to_ascii_lowercase().contains("inf");
        let is_huge = number == f64::INFINITY && !is_word;
        Some(if is_huge { ASKED_MAX + 1.0 } else { number / divisor })
    };
    let millis = retry_after_ms.and_then(|text| read(text, 1000.0));
    let secs = || read(retry_after?, 1.0);
    let date = || http_date(retry_after?).map(|at| (at - now) as f64 / NANOS as f64);
    millis.or_else(secs).or_else(date).filter(|asked| asked.is_finite())
}

impl Client for OpenaiPython {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let Exchange { attempt, headers, outcome, now, .. } = *exchange;
        let end = match outcome {
            Outcome::Status(..400) => return Next::Value(NOT_RETRYABLE),
            _ => Next::Raise,
        };
        if attempt > self.retries_max {
            return end(exhausted(self.retries_max));
        }
        let asked = match outcome {
            Outcome::Status(status) => {
                let asked = asked(headers, now);
                let is_long = asked.is_some_and(|asked| asked > ASKED_MAX);
                let usual = || matches!(status, 408 | 409 | 429 | 500..);
                if is_long || !says(headers.should_retry).unwrap_or_else(usual) {
                    return end(NOT_RETRYABLE);
                }
                asked.filter(|asked| *asked > 0.0)
            }
            Outcome::Broken(_) => None,
        };
        Next::Again(Wait::Secs(asked.unwrap_or_else(|| {
            (0.5 * two_to(attempt as i32 - 1)).min(8.0) * (1.0 - 0.25 * draw())
        })))
    }
}
