//! ky: two retries of idempotent methods over `fetch`.
//!
//! Answers: a flaky network in a browser.
//!
//! Invites: a `Retry-After` that is neither a number nor a date waits for the maximum: by default for
//! 24.8 days.
//!
//! Reference: ky 1.14.3, `core/Ky.js`. Its own timeout is a policy of the stack.
//!
//! ```text
//! repeated    `methods`: each error of fetch, and `status_codes`; a 413 only with a header
//! wait        Retry-After, else RateLimit-Reset, for `after_status_codes`
//!             else min(jitter(300 ms * 2^(n-1)), backoff_limit)
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::text::js_number;
use super::{
    Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted, http_date, millis_until,
    two_to,
};
use crate::family::Build;
use crate::retry::rules::Preset;
use crate::{Method, OutOfRange, Reason};

/// The options of `retry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "KyRetry")]
pub struct Config {
    /// Attempts after the first.
    pub limit: u32,
    /// The methods that are repeated.
    pub methods: Vec<Method>,
    /// The statuses that are repeated.
    pub status_codes: Vec<u16>,
    /// The statuses for which a header says how long to wait.
    pub after_status_codes: Vec<u16>,
    /// The longest wait that a header may ask for; no limit by default.
    pub max_retry_after: Option<Span>,
    /// The longest back-off; no limit by default.
    pub backoff_limit: Option<Span>,
    /// Whether luck shortens the back-off.
    pub jitter: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limit: 2,
            methods: vec![
                Method::Get,
                Method::Put,
                Method::Head,
                Method::Delete,
                Method::Options,
                Method::Trace,
            ],
            status_codes: vec![408, 413, 429, 500, 502, 503, 504],
            after_status_codes: vec![413, 429, 503],
            max_retry_after: None,
            backoff_limit: None,
            jitter: false,
        }
    }
}

/// A number of milliseconds from here on is a time stamp: `Date.parse('2024-01-01')`.
const TIME_STAMP: f64 = 1_704_067_200_000.0;

/// The longest timer of JavaScript, in milliseconds.
const TIMER_MAX: f64 = 2_147_483_647.0;

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Ky(Config);

impl Build for Config {
    type Machine = Ky;

    fn build(&self) -> Result<Ky, OutOfRange> {
        Ok(Ky(self.clone()))
    }
}

impl Preset for Config {}

impl Client for Ky {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let Config { limit, methods, status_codes, after_status_codes, .. } = &self.0;
        let (n, headers) = (exchange.attempt, exchange.headers);
        let is_listed = match exchange.outcome {
            Outcome::Status(200..=299) => return Next::Value(NOT_RETRYABLE),
            Outcome::Status(status) => status_codes.contains(&status),
            Outcome::Broken(_) => true,
        };
        if n > *limit {
            return Next::Raise(exhausted(*limit));
        }
        if !is_listed {
            return Next::Raise(NOT_RETRYABLE);
        }
        if !methods.contains(&exchange.method) {
            return Next::Raise(Reason::MethodNotRepeated(exchange.method));
        }
        let longest =
            |max: Option<Span>| max.map_or(f64::INFINITY, |max| max.as_secs_f64() * 1000.0);
        if let Outcome::Status(status) = exchange.outcome {
            let text = headers.retry_after.or(headers.rate_limit_reset);
            let text = text.filter(|text| !text.is_empty());
            if let Some(text) = text.filter(|_| after_status_codes.contains(&status)) {
                let mut after = js_number(text) * 1000.0;
                if after.is_nan() {
                    let date = http_date(text).map(|at| millis_until(at, exchange.now));
                    after = date.unwrap_or(f64::NAN);
                } else if after >= TIME_STAMP {
                    after -= (exchange.now / 1_000_000) as f64;
                }
                let max = longest(self.0.max_retry_after);
                let wait = if after < max { after } else { max };
                return Next::Again(Wait::Millis(wait.min(TIMER_MAX)));
            }
            if status == 413 {
                return Next::Raise(NOT_RETRYABLE);
            }
        }
        let delay = 300.0 * two_to(n as i32 - 1);
        let delay = if self.0.jitter { draw() * delay } else { delay };
        Next::Again(Wait::Millis(delay.min(longest(self.0.backoff_limit)).min(TIMER_MAX)))
    }
}
