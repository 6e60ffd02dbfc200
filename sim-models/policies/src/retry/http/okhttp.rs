//! OkHttp: repeats any method whose connection broke, unless `retryOnConnectionFailure` is off.
//!
//! Answers: a kept connection that the server has closed, and a host one of whose addresses is away.
//!
//! Invites: a double charge by default. The method is not asked: a `POST` whose connection breaks
//! after the payment is sent again, in silence.
//!
//! Reference: OkHttp 5, `RetryAndFollowUpInterceptor.kt`, `RealRoutePlanner.kt` (`hasNext`,
//! `retryRoute`), `RealConnection.kt` (`trackFailure`) and `SequentialExchangeFinder.kt`.
//!
//! ```text
//! reset       repeated on the next kept connection, then on a fresh one, then at each address
//! refused     the next address of the host, if any
//! timeout     not repeated: the request was sent
//! 408         once, unless Retry-After asks for more than 0
//! 503         once, if Retry-After is 0; also with `retryOnConnectionFailure` off
//! wait        none
//! ```
//!
//! A scenario does not say whether a connection was kept, nor how many there are. The reading here is
//! the one that sends more often: each `reset` breaks one of `max_idle_connections`, until all are used
//! up. After them a fresh connection is tried again at each address.
//!
//! Left out: HTTP/2, and with it 421, which is repeated on a connection that hosts share; redirects
//! and authentication; the check of connections that were idle for 10 s.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait, exhausted};
use crate::OutOfRange;
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::retry::rules::Preset;

/// `MAX_FOLLOW_UPS`: requests that follow a response, of one call.
const FOLLOW_UPS_MAX: u32 = 20;

/// The options of `OkHttpClient`, of its pool and of a request.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OkHttpRetry")]
pub struct Config {
    /// Whether a connection that broke, or a 408, is a reason to send again.
    pub retry_on_connection_failure: bool,
    /// Whether the content of the request can be written only once: `RequestBody.isOneShot`.
    pub is_one_shot: bool,
    /// Kept connections of the pool, each of which may break under the same call.
    pub max_idle_connections: u32,
    /// Addresses of the host, as its name resolves.
    #[schemars(range(min = 1))]
    pub addresses: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retry_on_connection_failure: true,
            is_one_shot: false,
            max_idle_connections: 5,
            addresses: 1,
        }
    }
}

/// The interceptor's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct OkHttp(Config);

/// What is left to try, and what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Kept connections that may still be there.
    kept: u32,
    /// Fresh connections that may still be tried, the present one included.
    fresh: u32,
    /// The status that the present request follows.
    prior: Option<u16>,
    follow_ups: u32,
}

impl Build for Config {
    type Machine = OkHttp;

    /// # Errors
    /// When the host has no address.
    fn build(&self) -> Result<OkHttp, OutOfRange> {
        at_least_one("addresses", self.addresses)?;
        Ok(OkHttp(self.clone()))
    }
}

impl Preset for Config {}

impl OkHttp {
    /// Whether another connection is tried after the present one has broken.
    fn recovers(&self, memory: &mut Memory, was_sent: bool) -> bool {
        if was_sent && memory.kept > 0 {
            memory.kept -= 1;
            // The route of a connection that has worked is tried anew, before all addresses are.
            memory.fresh = self.0.addresses.saturating_add(1);
        } else {
            (memory.kept, memory.fresh) = (0, memory.fresh - 1);
        }
        let may_resend = !was_sent || !self.0.is_one_shot;
        self.0.retry_on_connection_failure && may_resend && memory.fresh > 0
    }

    /// Whether the response asks for the same request once more.
    ///
    /// # Errors
    /// When its `Retry-After` is a number that Java's `int` does not hold.
    fn follows_up(
        &self,
        memory: &Memory,
        status: u16,
        header: Option<&str>,
    ) -> Result<bool, std::num::ParseIntError> {
        if memory.prior == Some(status) || self.0.is_one_shot {
            return Ok(false);
        }
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // What is no number is a delay too.
        let asked = match header {
            Some(text) if is_number(&text) => Some(text.parse::<i32>()?),
            Some(_) => Some(i32::MAX),
            None => None,
        };
        Ok(match status {
            408 => self.0.retry_on_connection_failure && asked.is_none_or(|secs| secs == 0),
            503 => asked == Some(0),
            _ => false,
        })
    }
}

impl Client for OkHttp {
    type Memory = Memory;

    fn start(&self) -> Memory {
        let Config { max_idle_connections, addresses, .. } = self.0;
        Memory { kept: max_idle_connections, fresh: addresses, prior: None, follow_ups: 0 }
    }

    fn next(
        &self,
        memory: &mut Memory,
        exchange: &Exchange<'_>,
        _draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let status = match exchange.outcome {
            Outcome::Status(status) => status,
            Outcome::Broken(broken) => {
                let was_sent = match broken {
                    Broken::Reset | Broken::Disconnected => true,
                    Broken::Refused | Broken::ConnectTimeout => false,
                    _ => return Next::Raise(NOT_RETRYABLE),
                };
                return match self.recovers(memory, was_sent) {
                    true => Next::Again(Wait::Nanos(0)),
                    false if self.0.retry_on_connection_failure && memory.fresh == 0 => {
                        Next::Raise(exhausted(exchange.attempt - 1))
                    }
                    false => Next::Raise(NOT_RETRYABLE),
                };
            }
        };
        match self.follows_up(memory, status, exchange.headers.retry_after) {
            Err(_) => Next::InvalidHeader,
            Ok(false) => Next::Value(NOT_RETRYABLE),
            Ok(true) if memory.follow_ups == FOLLOW_UPS_MAX => {
                Next::Raise(exhausted(exchange.attempt - 1))
            }
            Ok(true) => {
                let follow_ups = memory.follow_ups + 1;
                *memory = Memory { prior: Some(status), follow_ups, ..self.start() };
                Next::Again(Wait::Nanos(0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Asked, sent};
    use super::*;
    use crate::Method;

    fn times(config: &Config, asked: &[Asked]) -> usize {
        sent(&config.build().expect("valid"), asked)
    }

    const RESET: Asked = Asked::broken(Broken::Reset);

    #[test]
    fn a_broken_connection_is_repeated_whatever_the_method() {
        for method in Method::ALL {
            let reset = [Asked { method, ..RESET }; 20];
            // Five kept, a fresh one to where they led, and one to each address.
            assert_eq!(times(&Config::default(), &reset), 7, "{method}");
            let both = Config { addresses: 2, ..Config::default() };
            assert_eq!(times(&both, &reset), 8, "{method}");
            let fresh = Config { max_idle_connections: 0, ..Config::default() };
            assert_eq!(times(&fresh, &reset), 1, "{method}");
            let off = Config { retry_on_connection_failure: false, ..Config::default() };
            assert_eq!(times(&off, &reset), 1, "{method}");
            let once = Config { is_one_shot: true, ..Config::default() };
            assert_eq!(times(&once, &reset), 1, "{method}");
        }
    }

    #[test]
    fn a_refusal_is_repeated_at_the_next_address_and_a_timeout_never() {
        let refused = [Asked::broken(Broken::Refused); 9];
        let three = Config { addresses: 3, is_one_shot: true, ..Config::default() };
        assert_eq!((times(&Config::default(), &refused), times(&three, &refused)), (1, 3));
        assert_eq!(times(&three, &[Asked::broken(Broken::Timeout); 9]), 1);
    }

    #[test]
    fn a_408_and_a_503_that_asks_for_no_wait_are_repeated_once() {
        let asks = |status, retry_after| Asked { retry_after, ..Asked::status(status) };
        let both = |asked: Asked| {
            let off = Config { retry_on_connection_failure: false, ..Config::default() };
            (times(&Config::default(), &[asked; 9]), times(&off, &[asked; 9]))
        };
        assert_eq!(both(asks(408, None)), (2, 1));
        assert_eq!(both(asks(408, Some("0"))), (2, 1));
        assert_eq!(both(asks(408, Some("1"))), (1, 1));
        assert_eq!(both(asks(503, None)), (1, 1));
        assert_eq!(both(asks(503, Some("0"))), (2, 2));
        assert_eq!(both(asks(503, Some("1"))), (1, 1));
        for status in [421, 429, 500, 502, 504] {
            assert_eq!(both(asks(status, Some("0"))), (1, 1), "{status}");
        }
        let once = Config { is_one_shot: true, ..Config::default() };
        assert_eq!(times(&once, &[asks(503, Some("0")); 9]), 1);
        // In turns they go on until the interceptor has had enough.
        let turns: Vec<Asked> = (0..30)
            .map(|n| if n % 2 == 0 { asks(408, None) } else { asks(503, Some("0")) })
            .collect();
        assert_eq!(times(&Config::default(), &turns), 21);
    }
}
