//! Go's `net/http`: the `Transport` repeats a request in silence when a kept connection breaks.
//!
//! Answers: a server that closes a kept connection just as the client writes the next request on it.
//!
//! Invites: surprise. No option asks for it and no log shows it. A `PUT` or `DELETE` is not repeated,
//! though RFC 9110 calls both idempotent; a `POST` with an `Idempotency-Key` is.
//!
//! Reference: Go 1.19.8, `net/http/transport.go` (`shouldRetryRequest`, `roundTrip`) and
//! `net/http/request.go` (`isReplayable`).
//!
//! ```text
//! repeated    a kept connection that broke before the first byte of the response, if the request is
//!             a GET, HEAD, OPTIONS or TRACE, or has an Idempotency-Key and content to be had again
//! not         a response of any status; a timeout; a refused connection; a fresh connection
//! wait        none
//! ```
//!
//! A scenario does not say whether a connection was kept. The reading here is the one that sends more
//! often: each `reset` breaks a kept connection until all of `max_idle_conns_per_host` are used up, and
//! the fresh one after them is not repeated. The `key` of a call is its `Idempotency-Key`.
//!
//! Left out: HTTP/2; a request of which nothing was written, as a `reset` comes after it was sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::retry::rules::Preset;
use crate::{OutOfRange, Reason};

/// The fields of `Transport` and `Request`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GoNetHttpRetry")]
pub struct Config {
    /// Whether each request has a connection of its own; then none is repeated.
    pub disable_keep_alives: bool,
    /// Kept connections, each of which may break under the same request.
    #[schemars(range(min = 1))]
    pub max_idle_conns_per_host: u32,
    /// Whether the request has `GetBody`, as `NewRequest` gives it for bytes and text.
    pub get_body: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { disable_keep_alives: false, max_idle_conns_per_host: 2, get_body: true }
    }
}

/// The transport's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct GoNetHttp {
    kept: u32,
    get_body: bool,
}

impl Build for Config {
    type Machine = GoNetHttp;

    /// # Errors
    /// When no connection is kept: Go takes zero for its default.
    fn build(&self) -> Result<GoNetHttp, OutOfRange> {
        at_least_one("max_idle_conns_per_host", self.max_idle_conns_per_host)?;
        let kept = if self.disable_keep_alives { 0 } else { self.max_idle_conns_per_host };
        Ok(GoNetHttp { kept, get_body: self.get_body })
    }
}

impl Preset for Config {}

impl Client for GoNetHttp {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        _draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let method = exchange.method;
        match exchange.outcome {
            Outcome::Status(_) => Next::Value(NOT_RETRYABLE),
            Outcome::Broken(Broken::Reset | Broken::Disconnected) => {
                if exchange.attempt > self.kept {
                    Next::Raise(exhausted(self.kept))
                } else if method.is_safe() || (exchange.has_key && self.get_body) {
                    Next::Again(Wait::Nanos(0))
                } else {
                    Next::Raise(Reason::MethodNotRepeated(method))
                }
            }
            Outcome::Broken(_) => Next::Raise(NOT_RETRYABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Asked, sent};
    use super::*;
    use crate::Method;

    fn times(config: &Config, asked: Asked) -> usize {
        sent(&config.build().expect("valid"), &[asked; 9])
    }

    #[test]
    fn a_kept_connection_that_breaks_repeats_what_only_reads_or_has_a_key() {
        let broken = Asked::broken(Broken::Reset);
        for method in Method::ALL {
            let asked = Asked { method, ..broken };
            let expected = if method.is_safe() { 3 } else { 1 };
            assert_eq!(times(&Config::default(), asked), expected, "{method}");
            assert_eq!(times(&Config::default(), Asked { has_key: true, ..asked }), 3, "{method}");
            let off = Config { disable_keep_alives: true, ..Config::default() };
            assert_eq!(times(&off, asked), 1, "{method}");
        }
        let streamed = Config { get_body: false, ..Config::default() };
        let keyed = Asked { method: Method::Post, has_key: true, ..broken };
        assert_eq!((times(&streamed, keyed), times(&streamed, broken)), (1, 3));
    }

    #[test]
    fn neither_a_response_nor_a_timeout_nor_a_refusal_is_repeated() {
        for status in [408, 421, 429, 500, 503] {
            assert_eq!(times(&Config::default(), Asked::status(status)), 1, "{status}");
        }
        for broken in [Broken::Timeout, Broken::Refused] {
            assert_eq!(times(&Config::default(), Asked::broken(broken)), 1, "{broken:?}");
        }
    }
}
