//! The retries of HTTP clients and of SDKs over HTTP.
//!
//! Answers: whether *this* client sends a payment twice. It looks at the method, the status, what
//! broke and what the headers say, and each client draws other conclusions.
//!
//! Invites: trust in a default. Some repeat a `POST` whose connection broke, some repeat nothing,
//! and two versions of one SDK differ.
//!
//! Reference: the libraries at the versions that each file names; RFC 9110, section 10.2.3, for
//! `Retry-After`, and section 5.6.7 for dates.
//!
//! ```text
//! an ending of a scenario        what the client notices
//! a status                       that response
//! timeout                        its read timeout, after the request was sent
//! refused                        a refused connection: the request never left
//! reset                          a connection that broke while the answer was awaited; a kept one,
//!                                where that makes a difference
//! rejected                       nothing: no HTTP client sees it, and none repeats it
//! retry_after: "1500ms"          Retry-After: 2, since the header has whole seconds
//! no_retry: true                 Stripe-Should-Retry and x-should-retry: false
//! key: "{order}"                 Idempotency-Key of a request
//! ```
//!
//! Left out: redirects in a scenario, since an endpoint names no other; what an exception is called.

pub mod aiohttp_retry;
pub mod axios_retry;
pub mod azure_core;
mod date;
pub mod go_net_http;
pub mod go_retryablehttp;
pub mod google_api_core;
pub mod got;
pub mod ky;
pub mod okhttp;
pub mod openai_python;
pub mod requests;
pub mod spring_cloud_gateway;
pub mod square_node;
pub mod stripe_node;
pub mod stripe_python;
#[cfg(test)]
mod testing;
mod text;
pub mod undici;
pub mod urllib3;

use std::borrow::Cow;
use std::fmt::Debug;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time, math};

use super::rules::{Failure, Luck, Rules};
use crate::{Ending, Method, Reason};

pub(super) use self::date::http_date;

/// The methods that RFC 9110 calls idempotent: the usual default.
pub(super) const IDEMPOTENT: [Method; 6] =
    [Method::Head, Method::Get, Method::Put, Method::Delete, Method::Options, Method::Trace];

/// The wall clock at time zero: Tue, 14 Nov 2023 22:13:20 GMT.
pub(crate) const EPOCH: i128 = 1_700_000_000 * NANOS;

/// Nanoseconds of a second.
const NANOS: i128 = 1_000_000_000;

/// How an attempt failed below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No connection in time.
    ConnectTimeout,
    /// Nobody listens there.
    Refused,
    /// The name was not found.
    Dns,
    /// The name was not found for now.
    DnsForNow,
    /// No way there.
    Unreachable,
    /// The certificate was refused.
    Tls,
    /// No answer in time.
    Timeout,
    /// No headers in time.
    HeadersTimeout,
    /// The connection was reset.
    Reset,
    /// The other side closed the connection.
    Disconnected,
    /// The connection ended in the middle.
    Eof,
    /// The socket broke.
    Socket,
    /// The request could not be written any further.
    Pipe,
    /// The content ended too early.
    BodyCut,
    /// The caller cancelled it.
    Canceled,
    /// Too many redirects.
    Redirects,
    /// A scheme that is not known.
    Scheme,
    /// A certificate that is not trusted, or of an authority that is not known.
    NotTrusted,
    /// The transport of google.auth.
    Transport,
    /// An error of Node whose code is on nobody's list.
    Other,
    /// An error of Node without a code.
    NoCode,
    /// Another exception.
    Bug,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response.
    Status(u16),
    /// None.
    Broken(Broken),
}

/// The headers of a response that some client reads, as they stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// `retry-after-ms`.
    pub retry_after_ms: Option<&'a str>,
    /// `Stripe-Should-Retry`, and `x-should-retry`.
    pub should_retry: Option<&'a str>,
    /// `RateLimit-Reset`.
    pub rate_limit_reset: Option<&'a str>,
    /// `Location`.
    pub location: Option<&'a str>,
}

/// An attempt that is over, as a client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// What was asked.
    pub method: Method,
    /// The request has an `Idempotency-Key`.
    pub has_key: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// What the response says beside.
    pub headers: Headers<'a>,
    /// How long it took.
    pub took: Span,
    /// How long the call has taken so far.
    pub elapsed: Span,
    /// How many waits this client has begun in all its calls.
    pub waits: u64,
    /// The wall clock, in nanoseconds since 1970.
    pub now: i128,
}

/// A wait in the unit of the library's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// Of Python.
    Secs(f64),
    /// Of Node.
    Millis(f64),
    /// Of Go.
    Nanos(i64),
}

impl Wait {
    /// As a span; less than nothing is nothing.
    pub fn span(self) -> Span {
        match self {
            Wait::Secs(secs) => Span::from_secs_f64(secs.max(0.0)),
            Wait::Millis(millis) => Span::from_secs_f64(millis.max(0.0) / 1000.0),
            Wait::Nanos(nanos) => Span::nanos(u64::try_from(nanos).unwrap_or(0)),
        }
    }
}

/// What a client does after an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Sends it again after this.
    Again(Wait),
    /// Hands back what came, whichever status it is.
    Value(Reason),
    /// Raises an error because of what came.
    Raise(Reason),
    /// Raises an error because a header means nothing to it.
    InvalidHeader,
    /// Raises an error because its own time is over.
    Deadline(Reason),
}

/// Neither a status nor an error that the library repeats.
const NOT_RETRYABLE: Reason = Reason::NotRetryable;

/// The reason of a client that has made all its retries.
fn exhausted(retries_max: u32) -> Reason {
    Reason::AttemptsExhausted { attempts_max: retries_max.saturating_add(1) }
}

/// The rules of one client.
pub trait Client: Clone + Debug + PartialEq {
    /// What is remembered from attempt to attempt of one call.
    type Memory: Copy + Debug + PartialEq;

    /// The memory of a call that begins.
    fn start(&self) -> Self::Memory;

    /// What it does after an attempt; `draw` gives the next number in [0, 1).
    fn next(
        &self,
        memory: &mut Self::Memory,
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next;

    /// Why no further attempt starts although the wait for it is over.
    ///
    /// # Errors
    /// That reason.
    fn before(&self, _elapsed: Span) -> Result<(), Reason> {
        Ok(())
    }

    /// The timeout of the next attempt in milliseconds.
    fn timeout_millis(&self, _memory: &Self::Memory) -> Option<f64> {
        None
    }
}

impl<C: Client> Rules for C {
    type Memory = C::Memory;

    fn start(&self) -> C::Memory {
        Client::start(self)
    }

    fn after(
        &self,
        memory: &mut C::Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        let outcome = match failure.ending {
            Ending::Status(status) => Outcome::Status(status),
            Ending::TimedOut => Outcome::Broken(Broken::Timeout),
            Ending::Refused => Outcome::Broken(Broken::Refused),
            Ending::Reset => Outcome::Broken(Broken::Reset),
            Ending::Rejected(_) => return Err(NOT_RETRYABLE),
        };
        let second = Span::secs(1).as_nanos();
        let asked = failure.retry_after.map(|asked| asked.as_nanos().div_ceil(second).to_string());
        let headers = Headers {
            retry_after: asked.as_deref(),
            should_retry: failure.stop.then_some("false"),
            ..Headers::default()
        };
        let exchange = Exchange {
            attempt: failure.attempt,
            method: failure.method,
            has_key: failure.has_key,
            outcome,
            headers,
            took: failure.elapsed.saturating_sub(failure.elapsed_before),
            elapsed: failure.elapsed,
            waits: failure.waits,
            now: EPOCH + i128::from(failure.now.since(Time::ZERO).as_nanos()),
        };
        match self.next(memory, &exchange, &mut || luck.uniform()) {
            Next::Again(wait) => Ok(wait.span()),
            Next::Value(reason) | Next::Raise(reason) | Next::Deadline(reason) => Err(reason),
            Next::InvalidHeader => Err(Reason::HeaderRefused),
        }
    }

    fn before(&self, elapsed: Span) -> Result<(), Reason> {
        Client::before(self, elapsed)
    }

    fn timeout(&self, memory: &C::Memory) -> Option<Span> {
        let millis = self.timeout_millis(memory)?;
        Some(Span::from_secs_f64(millis / 1000.0))
    }
}

/// Names each code as Node writes it.
macro_rules! codes {
    ($($(#[$doc:meta])* $Name:ident,)+) => {
        /// An error code of Node, of its `net` and `dns` modules or of undici.
        #[allow(
            non_camel_case_types,
            clippy::upper_case_acronyms,
            reason = "the codes are written as Node writes them"
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum NodeCode {
            $($(#[$doc])* $Name,)+
        }

        impl NodeCode {
            /// All of them.
            pub const ALL: &[NodeCode] = &[$(NodeCode::$Name,)+];

            /// As Node writes it.
            pub const fn name(self) -> &'static str {
                match self { $(NodeCode::$Name => stringify!($Name),)+ }
            }
        }
    };
}

codes! {
    /// The connection was reset.
    ECONNRESET,
    /// Nobody listens there.
    ECONNREFUSED,
    /// The name was not found.
    ENOTFOUND,
    /// The name was not found for now.
    EAI_AGAIN,
    /// The request could not be written any further.
    EPIPE,
    /// No way to that network.
    ENETUNREACH,
    /// That network is down.
    ENETDOWN,
    /// That host is down.
    EHOSTDOWN,
    /// No way to that host.
    EHOSTUNREACH,
    /// The client's own address is taken.
    EADDRINUSE,
    /// No answer in time.
    ETIMEDOUT,
    /// axios's own timeout, and what a caller has aborted.
    ECONNABORTED,
    /// The certificate is too old.
    CERT_HAS_EXPIRED,
    /// The caller cancelled it.
    ERR_CANCELED,
    /// undici: the socket broke.
    UND_ERR_SOCKET,
    /// undici: no headers in time.
    UND_ERR_HEADERS_TIMEOUT,
    /// undici: no content in time.
    UND_ERR_BODY_TIMEOUT,
    /// undici: no connection in time.
    UND_ERR_CONNECT_TIMEOUT,
}

impl From<NodeCode> for &'static str {
    fn from(code: NodeCode) -> &'static str {
        code.name()
    }
}

impl TryFrom<String> for NodeCode {
    type Error = String;

    fn try_from(word: String) -> Result<NodeCode, String> {
        let found = NodeCode::ALL.iter().find(|code| code.name() == word);
        found.copied().ok_or_else(|| {
            let known: Vec<&str> = NodeCode::ALL.iter().map(|code| code.name()).collect();
            format!("`{word}` is no error code of Node; known are {}", known.join(", "))
        })
    }
}

impl JsonSchema for NodeCode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NodeCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl NodeCode {
    /// The code of what broke, if Node gives it one that is known.
    const fn of(broken: Broken) -> Option<NodeCode> {
        Some(match broken {
            Broken::Reset => NodeCode::ECONNRESET,
            Broken::Refused => NodeCode::ECONNREFUSED,
            Broken::Dns => NodeCode::ENOTFOUND,
            Broken::DnsForNow => NodeCode::EAI_AGAIN,
            Broken::Pipe => NodeCode::EPIPE,
            Broken::Unreachable => NodeCode::ENETUNREACH,
            Broken::Timeout => NodeCode::ETIMEDOUT,
            Broken::Tls => NodeCode::CERT_HAS_EXPIRED,
            Broken::Canceled => NodeCode::ERR_CANCELED,
            Broken::Socket => NodeCode::UND_ERR_SOCKET,
            Broken::HeadersTimeout => NodeCode::UND_ERR_HEADERS_TIMEOUT,
            Broken::ConnectTimeout => NodeCode::UND_ERR_CONNECT_TIMEOUT,
            _ => return None,
        })
    }

    /// Whether the list has the code of what broke.
    fn listed(codes: &[NodeCode], broken: Broken) -> bool {
        NodeCode::of(broken).is_some_and(|code| codes.contains(&code))
    }
}

/// Milliseconds from now until an instant, in whole milliseconds of a clock as JavaScript's.
fn millis_until(at: i128, now: i128) -> f64 {
    (at.div_euclid(1_000_000) - now.div_euclid(1_000_000)) as f64
}

/// Two to the power of a whole number, exactly.
fn two_to(power: i32) -> f64 {
    math::pow(2.0, f64::from(power))
}
