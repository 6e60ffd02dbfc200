//! urllib3's `Retry`: counters by kind of failure, and no wait before the first retry.
//!
//! Answers: a reset connection to a server that is restarted, for reads.
//!
//! Invites: surprise. A connect error is repeated for every method. A plain `Retry(3)` repeats a 503
//! that has a `Retry-After`, whatever `status_forcelist` says.
//!
//! Reference: urllib3 2.8.0, `util/retry.py`, `connectionpool.py`.
//!
//! ```text
//! connect, other   repeated for every method        read      for `allowed_methods`
//! a status         in `status_forcelist`, or 413, 429, 503 with Retry-After: for `allowed_methods`
//! counters         `total` and that of the kind lose one; below 0: over
//! wait             Retry-After; else 0 before the first, factor * 2^(n-1) before the nth retry
//! ```

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sim_core::Span;

use super::{
    Broken, Client, Exchange, IDEMPOTENT, NANOS, NOT_RETRYABLE, Next, Outcome, Wait, http_date,
    two_to,
};
use crate::family::Build;
use crate::retry::rules::Preset;
use crate::{Method, OutOfRange, Reason};

/// The arguments of `Retry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Urllib3Retry")]
pub struct Config {
    /// Retries of every kind together.
    pub total: Option<Limit>,
    /// Retries after a connection that was not made.
    pub connect: Option<Limit>,
    /// Retries after a connection that broke, or an answer that did not come in time.
    pub read: Option<Limit>,
    /// Redirects that are followed.
    pub redirect: Option<Limit>,
    /// Retries after a status.
    pub status: Option<Limit>,
    /// Retries after other errors.
    pub other: Option<Limit>,
    /// The methods that are repeated once the request was sent; `None` and none at all mean each.
    pub allowed_methods: Option<Vec<Method>>,
    /// The statuses that are repeated.
    pub status_forcelist: Vec<u16>,
    /// The back-off is this times two to the number of failures less one.
    pub backoff_factor: Span,
    /// The longest back-off.
    pub backoff_max: Span,
    /// Up to this is added to a back-off.
    pub backoff_jitter: Span,
    /// Whether `Retry-After` takes the place of the back-off, and makes 413, 429 and 503 be repeated.
    pub respect_retry_after_header: bool,
    /// The longest wait that a `Retry-After` may ask for.
    pub retry_after_max: Span,
    /// Whether a status after the last attempt is raised instead of handed back.
    pub raise_on_status: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            total: Some(Limit::Times(10)),
            connect: None,
            read: None,
            redirect: None,
            status: None,
            other: None,
            allowed_methods: Some(IDEMPOTENT.to_vec()),
            status_forcelist: Vec::new(),
            backoff_factor: Span::ZERO,
            backoff_max: Span::secs(120),
            backoff_jitter: Span::ZERO,
            respect_retry_after_header: true,
            retry_after_max: Span::secs(6 * 60 * 60),
            raise_on_status: true,
        }
    }
}

/// A number of retries, or `false`, which counts as 0 and raises errors as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Times(u32),
    /// `false`.
    False,
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Limit;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of retries, or false")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Limit, E> {
                let times = u32::try_from(n).map_err(|_| E::custom("more than 2³² retries"))?;
                Ok(Limit::Times(times))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Limit, E> {
                u64::try_from(n)
                    .map_err(|_| E::custom("less than 0 retries"))
                    .and_then(|n| self.visit_u64(n))
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Limit, E> {
                if flag {
                    Err(E::custom("a number of retries, or false"))
                } else {
                    Ok(Limit::False)
                }
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Limit::Times(times) => serializer.serialize_u32(*times),
            Limit::False => serializer.serialize_bool(false),
        }
    }
}

/// A counter: without one of its own, `false`, or what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    None,
    False,
    Some(i64),
}

impl Left {
    fn of(limit: Option<Limit>) -> Left {
        match limit {
            None => Left::None,
            Some(Limit::False) => Left::False,
            Some(Limit::Times(times)) => Left::Some(times.into()),
        }
    }

    /// One less, where `false` counts as 0.
    fn take(&mut self) {
        *self = match self {
            Left::None => Left::None,
            Left::False => Left::Some(-1),
            Left::Some(left) => Left::Some(*left - 1),
        };
    }

    /// Whether Python takes it for true.
    fn is_true(self) -> bool {
        !matches!(self, Left::None | Left::False | Left::Some(0))
    }
}

/// What is left of each counter, and the failures since the last redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    total: Left,
    connect: Left,
    read: Left,
    redirect: Left,
    status: Left,
    other: Left,
    failures: i32,
    /// A 303 is followed by a `GET`.
    method: Option<Method>,
}

impl Memory {
    fn is_exhausted(&self) -> bool {
        let Memory { total, connect, read, redirect, status, other, .. } = *self;
        let counters = [total, connect, read, redirect, status, other];
        // The smallest that is true is below zero when any is.
        counters.iter().any(|left| matches!(left, Left::Some(left) if *left < 0))
    }
}

/// `urlopen` with such a `Retry`.
#[derive(Clone, Debug, PartialEq)]
pub struct Urllib3 {
    config: Config,
    /// Whether redirects are its own matter.
    redirects: bool,
}

impl Urllib3 {
    pub(super) fn new(config: Config, redirects: bool) -> Urllib3 {
        Urllib3 { config, redirects }
    }

    fn allows(&self, method: Method) -> bool {
        let methods = self.config.allowed_methods.as_deref().unwrap_or_default();
        methods.is_empty() || methods.contains(&method)
    }

    /// Whether a `false` makes errors and redirects no matter of the retry.
    fn is_off(&self) -> bool {
        self.config.total == Some(Limit::False)
    }

    fn reason(&self) -> Reason {
        match self.config.total {
            Some(Limit::Times(total)) => super::exhausted(total),
            _ => super::exhausted(0),
        }
    }

    fn broken(&self, memory: &mut Memory, broken: Broken, method: Method) -> Result<(), Reason> {
        if self.is_off() {
            return Err(NOT_RETRYABLE);
        }
        let kind = match broken {
            Broken::ConnectTimeout | Broken::Refused | Broken::Dns => &mut memory.connect,
            Broken::Tls => &mut memory.other,
            _ if !self.allows(method) => return Err(Reason::MethodNotRepeated(method)),
            _ => &mut memory.read,
        };
        let is_other = broken == Broken::Tls;
        if *kind == Left::False && !is_other {
            return Err(NOT_RETRYABLE);
        }
        kind.take();
        memory.total.take();
        memory.failures += 1;
        if memory.is_exhausted() { Err(self.reason()) } else { Ok(()) }
    }

    /// The wait that the header asks for, if any, or that it cannot be read.
    fn asked(&self, header: Option<&str>, now: i128) -> Result<f64, Next> {
        let Some(text) = header else { return Ok(0.0) };
        let digits = text.trim();
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let secs = if is_number {
            digits.parse().unwrap_or(f64::INFINITY)
        } else {
            let at = http_date(text).ok_or(Next::InvalidHeader)?;
            (at - now).max(0) as f64 / NANOS as f64
        };
        Ok(secs.min(self.config.retry_after_max.as_secs_f64()))
    }

    fn backoff(&self, failures: i32, draw: &mut dyn FnMut() -> f64) -> f64 {
        if failures <= 1 {
            return 0.0;
        }
        let Config { backoff_factor, backoff_max, backoff_jitter, .. } = &self.config;
        let mut backoff = backoff_factor.as_secs_f64() * two_to(failures - 1);
        if !backoff_jitter.is_zero() {
            backoff += draw() * backoff_jitter.as_secs_f64();
        }
        backoff.min(backoff_max.as_secs_f64()).max(0.0)
    }
}

impl Build for Config {
    type Machine = Urllib3;

    fn build(&self) -> Result<Urllib3, OutOfRange> {
        Ok(Urllib3::new(self.clone(), true))
    }
}

impl Preset for Config {}

impl Client for Urllib3 {
    type Memory = Memory;

    fn start(&self) -> Memory {
        let Config { total, connect, read, redirect, status, other, .. } = self.config;
        Memory {
            total: Left::of(total),
            connect: Left::of(connect),
            read: Left::of(read),
            // `false` is 0 there, and makes a redirect come back as it is.
            redirect: if self.is_off() || redirect == Some(Limit::False) {
                Left::Some(0)
            } else {
                Left::of(redirect)
            },
            status: Left::of(status),
            other: Left::of(other),
            failures: 0,
            method: None,
        }
    }

    fn next(
        &self,
        memory: &mut Memory,
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let Exchange { headers, now, .. } = *exchange;
        let method = memory.method.unwrap_or(exchange.method);
        let status = match exchange.outcome {
            Outcome::Status(status) => status,
            Outcome::Broken(broken) => {
                return match self.broken(memory, broken, method) {
                    Ok(()) => Next::Again(Wait::Secs(self.backoff(memory.failures, draw))),
                    Err(reason) => Next::Raise(reason),
                };
            }
        };
        let is_redirect = matches!(status, 301 | 302 | 303 | 307 | 308);
        if self.redirects && is_redirect && headers.location.is_some() {
            memory.redirect.take();
            memory.total.take();
            memory.failures = 0;
            if memory.is_exhausted() {
                let is_quiet = self.is_off() || self.config.redirect == Some(Limit::False);
                let end = if is_quiet { Next::Value } else { Next::Raise };
                return end(self.reason());
            }
            if status == 303 {
                memory.method = Some(Method::Get);
            }
            return match self.asked(headers.retry_after, now) {
                Ok(secs) => Next::Again(Wait::Secs(secs)),
                Err(end) => end,
            };
        }
        let respects = self.config.respect_retry_after_header;
        let is_listed = self.config.status_forcelist.contains(&status);
        let is_asked = memory.total.is_true()
            && respects
            && headers.retry_after.is_some_and(|text| !text.is_empty())
            && matches!(status, 413 | 429 | 503);
        if !is_listed && !is_asked {
            return Next::Value(NOT_RETRYABLE);
        }
        if !self.allows(method) {
            return Next::Value(Reason::MethodNotRepeated(method));
        }
        memory.status.take();
        memory.total.take();
        memory.failures += 1;
        if memory.is_exhausted() {
            let end = if self.config.raise_on_status { Next::Raise } else { Next::Value };
            return end(self.reason());
        }
        match self.asked(headers.retry_after.filter(|_| respects), now) {
            Err(end) => end,
            Ok(secs) if secs > 0.0 => Next::Again(Wait::Secs(secs)),
            Ok(_) => Next::Again(Wait::Secs(self.backoff(memory.failures, draw))),
        }
    }
}
