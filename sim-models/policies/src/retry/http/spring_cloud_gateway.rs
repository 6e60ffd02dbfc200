//! Spring Cloud Gateway's `Retry` filter: three more attempts of a `GET`, without a wait.
//!
//! Answers: a route whose service answers 5xx or is away for a moment.
//!
//! Invites: four times the load at the very moment of an outage, since `backoff` is not set by
//! default. And `methods: POST` sends payments again after a timeout.
//!
//! Reference: Spring Cloud Gateway 3.1, `RetryGatewayFilterFactory.java`, over reactor-addons'
//! `Repeat`, `Retry` and `Backoff.exponential`; Reactor Netty 1.2, `HttpClientConnect.java`, which
//! itself repeats nothing that was sent.
//!
//! ```text
//! status       in `statuses`, or its hundred in `series`     and the method in `methods`
//! exception    in `exceptions`                               and the method in `methods`
//! attempts     retries + 1, of both together
//! wait         none; else min(first_backoff * factor^n, max_backoff), each kind with its own n
//! ```
//!
//! `refused` and `reset` are an `IOException`. A `timeout` is the gateway's response timeout, whose
//! cause is a `TimeoutException`.
//!
//! Left out: `basedOnPreviousValue`, which changes nothing without jitter; the `jitter` and `timeout`
//! of later versions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::{Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::retry::rules::{Preset, nanos, ordered};
use crate::{Method, OutOfRange, Reason};

/// The filter's arguments.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SpringCloudGatewayRetry")]
pub struct Config {
    /// Attempts after the first.
    #[schemars(range(min = 1))]
    pub retries: u32,
    /// The hundreds of statuses that are repeated.
    pub series: Vec<Series>,
    /// The statuses that are repeated beside.
    pub statuses: Vec<u16>,
    /// The methods that are repeated.
    pub methods: Vec<Method>,
    /// The exceptions that are repeated, be they themselves or the cause of another.
    pub exceptions: Vec<Exception>,
    /// How the waits grow; no wait by default.
    pub backoff: Option<BackoffConfig>,
}

/// A hundred of statuses, named as in `HttpStatus.Series`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "SpringCloudGatewaySeries")]
pub enum Series {
    /// 1xx.
    Informational,
    /// 2xx, which no retry sees.
    Successful,
    /// 3xx.
    Redirection,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
}

/// An exception that a scenario can bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "SpringCloudGatewayException")]
#[allow(clippy::enum_variant_names, reason = "the names are Java's")]
pub enum Exception {
    /// A refused or broken connection.
    IOException,
    /// A refused connection.
    ConnectException,
    /// No answer in time.
    TimeoutException,
}

/// How the waits grow.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// The first wait.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub first_backoff: Span,
    /// The longest; no limit by default.
    pub max_backoff: Option<Span>,
    /// What each wait is times the one before.
    pub factor: u32,
}

impl Default for BackoffConfig {
    fn default() -> BackoffConfig {
        BackoffConfig { first_backoff: Span::millis(5), max_backoff: None, factor: 2 }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retries: 3,
            series: vec![Series::ServerError],
            statuses: Vec::new(),
            methods: vec![Method::Get],
            exceptions: vec![Exception::IOException, Exception::TimeoutException],
            backoff: None,
        }
    }
}

/// The filter's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct SpringCloudGateway(Config);

/// Waits so far: since the latest response, and after responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    exceptions: u32,
    statuses: u32,
}

impl Build for Config {
    type Machine = SpringCloudGateway;

    /// # Errors
    /// What the filter's own `validate` and its back-off refuse.
    fn build(&self) -> Result<SpringCloudGateway, OutOfRange> {
        at_least_one("retries", self.retries)?;
        if self.methods.is_empty() {
            return Err(OutOfRange::new("methods", "[]", "at least one method"));
        }
        if self.series.is_empty() && self.statuses.is_empty() && self.exceptions.is_empty() {
            let allowed = "not empty where `statuses` and `exceptions` are";
            return Err(OutOfRange::new("series", "[]", allowed));
        }
        if let Some(BackoffConfig { first_backoff, max_backoff, .. }) = self.backoff {
            above_zero("first_backoff", first_backoff)?;
            if let Some(max) = max_backoff {
                ordered("first_backoff", first_backoff, "max_backoff", max)?;
            }
        }
        Ok(SpringCloudGateway(self.clone()))
    }
}

impl Preset for Config {}

impl Series {
    const fn of(status: u16) -> Option<Series> {
        Some(match status / 100 {
            1 => Series::Informational,
            2 => Series::Successful,
            3 => Series::Redirection,
            4 => Series::ClientError,
            5 => Series::ServerError,
            _ => return None,
        })
    }
}

impl Exception {
    const fn is(self, broken: Broken) -> bool {
        match self {
            Exception::IOException => {
                matches!(broken, Broken::Reset | Broken::Disconnected)
                    || Exception::ConnectException.is(broken)
            }
            Exception::ConnectException => {
                matches!(broken, Broken::Refused | Broken::ConnectTimeout)
            }
            Exception::TimeoutException => matches!(broken, Broken::Timeout),
        }
    }
}

impl SpringCloudGateway {
    /// The wait in nanoseconds after so many before it.
    fn wait(&self, before: u32) -> i64 {
        let Some(BackoffConfig { first_backoff, max_backoff, factor }) = self.0.backoff else {
            return 0;
        };
        let (first, max) = (nanos(first_backoff), max_backoff.map_or(i64::MAX, nanos));
        let grown = i64::from(factor).checked_pow(before).and_then(|by| first.checked_mul(by));
        grown.unwrap_or(max).clamp(first, max)
    }
}

impl Client for SpringCloudGateway {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory { exceptions: 0, statuses: 0 }
    }

    fn next(
        &self,
        memory: &mut Memory,
        exchange: &Exchange<'_>,
        _draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let Config { retries, series, statuses, methods, exceptions, .. } = &self.0;
        type End = fn(Reason) -> Next;
        let (end, is_listed): (End, bool) = match exchange.outcome {
            Outcome::Status(status) => {
                let in_series = Series::of(status).is_some_and(|of| series.contains(&of));
                (Next::Value, in_series || statuses.contains(&status))
            }
            Outcome::Broken(broken) => (Next::Raise, exceptions.iter().any(|it| it.is(broken))),
        };
        if !is_listed {
            return end(NOT_RETRYABLE);
        }
        if exchange.attempt > *retries {
            return end(exhausted(*retries));
        }
        if !methods.contains(&exchange.method) {
            return end(Reason::MethodNotRepeated(exchange.method));
        }
        let before = match exchange.outcome {
            Outcome::Status(_) => {
                *memory = Memory { exceptions: 0, statuses: memory.statuses + 1 };
                memory.statuses - 1
            }
            Outcome::Broken(_) => {
                memory.exceptions += 1;
                memory.exceptions - 1
            }
        };
        Next::Again(Wait::Nanos(self.wait(before)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Asked, sent, waits};
    use super::*;
    use crate::family::all_refused;

    fn times(config: &Config, asked: Asked) -> usize {
        sent(&config.build().expect("valid"), &[asked; 9])
    }

    #[test]
    fn three_more_attempts_of_a_get_after_a_5xx_or_a_broken_or_missing_answer() {
        let all = [
            (Asked::status(404), 1),
            (Asked::status(408), 1),
            (Asked::status(429), 1),
            (Asked::status(500), 4),
            (Asked::status(503), 4),
            (Asked::broken(Broken::Timeout), 4),
            (Asked::broken(Broken::Refused), 4),
            (Asked::broken(Broken::Reset), 4),
        ];
        for (asked, expected) in all {
            for method in Method::ALL {
                let expected = if method == Method::Get { expected } else { 1 };
                let asked = Asked { method, ..asked };
                assert_eq!(times(&Config::default(), asked), expected, "{asked:?}");
            }
        }
        let post = Config { methods: vec![Method::Post], ..Config::default() };
        let paid = Asked { method: Method::Post, ..Asked::broken(Broken::Timeout) };
        assert_eq!(times(&post, paid), 4);
        let named = Config { series: Vec::new(), statuses: vec![429], ..Config::default() };
        assert_eq!((times(&named, Asked::status(429)), times(&named, Asked::status(500))), (4, 1));
        let refused = vec![Exception::ConnectException];
        let connect = Config { exceptions: refused, ..Config::default() };
        let reset = Asked::broken(Broken::Reset);
        let refused = Asked::broken(Broken::Refused);
        assert_eq!((times(&connect, reset), times(&connect, refused)), (1, 4));
    }

    #[test]
    fn there_is_no_wait_by_default_and_each_kind_of_failure_has_its_own() {
        let busy = Asked::status(503);
        let config = |backoff| Config { retries: 5, backoff, ..Config::default() };
        let waits = |backoff, asked: &[Asked]| {
            let waits = waits(&config(backoff).build().expect("valid"), asked);
            waits.into_iter().map(|wait| wait.span().as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(waits(None, &[busy; 3]), [0, 0, 0]);
        let capped =
            BackoffConfig { max_backoff: Some(Span::millis(15)), ..BackoffConfig::default() };
        assert_eq!(waits(Some(capped), &[busy; 4]), [5, 10, 15, 15]);
        let late = Asked::broken(Broken::Timeout);
        let mixed = [late, late, busy, late, busy];
        assert_eq!(waits(Some(BackoffConfig::default()), &mixed), [5, 10, 5, 5, 10]);
        let steep = BackoffConfig { factor: u32::MAX, ..BackoffConfig::default() };
        assert_eq!(waits(Some(steep), &[busy; 5])[3..], [9_223_372_036_854; 2]);
    }

    #[test]
    fn what_the_filter_refuses_is_refused() {
        let backoff = |first_backoff, max_backoff| {
            let backoff = BackoffConfig { first_backoff, max_backoff, ..BackoffConfig::default() };
            Config { backoff: Some(backoff), ..Config::default() }
        };
        let nothing = Config { series: Vec::new(), exceptions: Vec::new(), ..Config::default() };
        all_refused([
            ("retries", Config { retries: 0, ..Config::default() }),
            ("methods", Config { methods: Vec::new(), ..Config::default() }),
            ("series", nothing),
            ("first_backoff", backoff(Span::ZERO, None)),
            ("first_backoff", backoff(Span::millis(20), Some(Span::millis(10)))),
        ]);
    }
}
