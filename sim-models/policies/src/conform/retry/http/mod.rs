//! Traces of HTTP clients: whole calls with the answer to each attempt.
//!
//! | input of one event | output |
//! |---|---|
//! | `method`, `answers`, `draws`, `key`, `api` and the retries of this call | `attempts`, `delays_s`, `delays_ms` or `delays_ns`, `result`, `took_ms`, `keys`, `timeouts_ms` |

mod options;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sim_core::Span;

use super::Draws;
use crate::Method;
use crate::conform::driver::{Driver, Event, Outputs, millis, wrong};
use crate::retry::Preset;
use crate::retry::http::{Broken, Client, EPOCH, Exchange, Headers, Next, Outcome, Wait};

pub(crate) use options::*;

/// One answer, or the lack of one.
struct Answer {
    outcome: Outcome,
    /// The token of an error, as it was recorded.
    token: String,
    took: Span,
    texts: BTreeMap<&'static str, String>,
}

impl Answer {
    fn headers(&self) -> Headers<'_> {
        let text = |field: &str| self.texts.get(field).map(String::as_str);
        Headers {
            retry_after: text("retry_after"),
            retry_after_ms: text("retry_after_ms"),
            should_retry: text("should_retry"),
            rate_limit_reset: text("reset"),
            location: text("location"),
        }
    }

    /// What a library raises because of it.
    fn shown(&self) -> String {
        match self.outcome {
            Outcome::Status(status) => status.to_string(),
            Outcome::Broken(_) => self.token.clone(),
        }
    }
}

/// The headers that an answer may have.
const HEADERS: [&str; 5] = ["retry_after", "retry_after_ms", "should_retry", "reset", "location"];

fn broken(token: &str) -> Result<Broken, String> {
    Ok(match token {
        "connect_timeout" => Broken::ConnectTimeout,
        "refused" => Broken::Refused,
        "dns" => Broken::Dns,
        "again" => Broken::DnsForNow,
        "unreachable" => Broken::Unreachable,
        "tls" | "ssl" => Broken::Tls,
        "timeout" | "read_timeout" => Broken::Timeout,
        "headers_timeout" => Broken::HeadersTimeout,
        "reset" => Broken::Reset,
        "disconnected" => Broken::Disconnected,
        "eof" => Broken::Eof,
        "socket" => Broken::Socket,
        "epipe" => Broken::Pipe,
        "body_cut" => Broken::BodyCut,
        "canceled" => Broken::Canceled,
        "redirects" => Broken::Redirects,
        "scheme" => Broken::Scheme,
        "not_trusted" | "unknown_authority" => Broken::NotTrusted,
        "transport" => Broken::Transport,
        "other" => Broken::Other,
        "no_code" => Broken::NoCode,
        "bug" => Broken::Bug,
        _ => return Err(format!("unknown error `{token}` in `answers`")),
    })
}

fn answer(value: Value) -> Result<Answer, String> {
    let Value::Object(mut fields) = value else {
        return Err(wrong("answers", Some(&value), "a list of answers"));
    };
    let mut take = |field: &str| fields.remove(field);
    let (status, error) = (take("status"), take("error"));
    let (outcome, token) = match (&status, &error) {
        (Some(status), None) => {
            let number = status.as_u64().and_then(|status| u16::try_from(status).ok());
            let status = number.ok_or_else(|| wrong("status", Some(status), "a status"))?;
            (Outcome::Status(status), String::new())
        }
        (None, Some(Value::String(token))) => (Outcome::Broken(broken(token)?), token.clone()),
        _ => return Err("an answer has either a `status` or an `error`".to_owned()),
    };
    let took = match take("ms") {
        None => Span::ZERO,
        Some(ms) => {
            let took = ms.as_f64().and_then(millis);
            took.ok_or_else(|| wrong("ms", Some(&ms), "a length of time"))?
        }
    };
    let mut texts = BTreeMap::new();
    for header in HEADERS {
        match take(header) {
            None => {}
            Some(Value::String(text)) => _ = texts.insert(header, text),
            Some(other) => return Err(wrong(header, Some(&other), "a text")),
        }
    }
    match fields.keys().next() {
        Some(field) => Err(format!("unknown field `{field}` in an answer")),
        None => Ok(Answer { outcome, token, took, texts }),
    }
}

/// How the idempotency keys of a library's attempts are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Not at all.
    Hidden,
    /// A number each, 0 for none.
    Shown,
}

/// The input that says how many retries a call has, and the client that it then has.
type WithRetries<C, P> = (&'static str, fn(&P, u32) -> C);

/// Plays the calls of one client.
struct Calls<C, P> {
    client: C,
    preset: P,
    delays: &'static str,
    /// Makes the client that a call with so many retries has.
    with_retries: Option<WithRetries<C, P>>,
    keys: Keys,
    /// The numbers of the keys that have been seen.
    numbers: BTreeMap<String, u64>,
    keys_seen: u64,
    shows_timeouts: bool,
    waits: u64,
}

impl<C: Client, P: Preset> Calls<C, P> {
    fn new(client: C, preset: P, delays: &'static str) -> Calls<C, P> {
        Calls {
            client,
            preset,
            delays,
            with_retries: None,
            keys: Keys::Hidden,
            numbers: BTreeMap::new(),
            keys_seen: 0,
            shows_timeouts: false,
            waits: 0,
        }
    }

    /// The number of the key that all attempts of a call carry; 0 for none.
    fn key(&mut self, given: Option<String>, method: Method, is_v2: bool) -> u64 {
        let has_one = method == Method::Post || (is_v2 && method == Method::Delete);
        if given.is_none() && !(has_one && self.preset.mints_keys()) {
            return 0;
        }
        let mut next = || {
            self.keys_seen += 1;
            self.keys_seen
        };
        match given {
            None => next(),
            Some(key) => *self.numbers.entry(key).or_insert_with(next),
        }
    }
}

impl<C: Client, P: Preset + std::fmt::Debug> Driver for Calls<C, P> {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "request" {
            return Err(event.unknown_op("request"));
        }
        let method = match event.fields.contains_key("method") {
            true => event.text("method")?.parse().map_err(|e| format!("`method`: {e}"))?,
            false => Method::Get,
        };
        let Some(Value::Array(answers)) = event.take("answers") else {
            return Err("`answers` is missing; it must be a list of answers".to_owned());
        };
        let answers = answers.into_iter().map(answer).collect::<Result<Vec<_>, _>>()?;
        let mut draws = Draws::of(event)?;
        let (given, mut is_v2) = match self.keys {
            Keys::Hidden => (None, false),
            Keys::Shown => (event.take("key"), false),
        };
        if self.keys == Keys::Shown && event.fields.contains_key("api") {
            is_v2 = match event.text("api")?.as_str() {
                "v2" => true,
                "v1" => false,
                other => return Err(format!("unknown api `{other}`; known: v1, v2")),
            };
        }
        let given = match given {
            None => None,
            Some(Value::String(key)) => Some(key),
            other => return Err(wrong("key", other.as_ref(), "a text")),
        };
        let mut client = self.client.clone();
        if let Some((field, with_retries)) = self.with_retries
            && event.fields.contains_key(field)
        {
            let retries = event.count(field)?;
            let retries = u32::try_from(retries).map_err(|_| format!("`{field}` is {retries}"))?;
            client = with_retries(&self.preset, retries);
        }

        let start = i128::from(event.at.as_nanos()) + EPOCH;
        let mut memory = client.start();
        let mut clock = start;
        let (mut delays, mut timeouts) = (Vec::new(), Vec::new());
        // When it wants more attempts than were recorded, no number is right.
        let mut attempts = json!(format!("more than {}", answers.len()));
        let mut result = String::new();
        let begins = client.before(Span::ZERO).is_ok();
        if !begins {
            (attempts, result) = (json!(0), "error:deadline".to_owned());
        }
        for (attempt, answer) in (1..).zip(answers.iter().filter(|_| begins)) {
            timeouts.extend(client.timeout_millis(&memory));
            clock += i128::from(answer.took.as_nanos());
            let exchange = Exchange {
                attempt,
                method,
                has_key: given.is_some(),
                outcome: answer.outcome,
                headers: answer.headers(),
                took: answer.took,
                elapsed: since(start, clock),
                waits: self.waits,
                now: clock,
            };
            result = match client.next(&mut memory, &exchange, &mut || draws.next()) {
                Next::Again(wait) => {
                    delays.push(shown(wait));
                    clock += i128::from(wait.span().as_nanos());
                    self.waits += 1;
                    match client.before(since(start, clock)) {
                        Ok(()) => continue,
                        Err(_) => "error:deadline".to_owned(),
                    }
                }
                Next::Value(_) => format!("value:{}", answer.shown()),
                Next::Raise(_) => format!("error:{}", answer.shown()),
                Next::InvalidHeader => "error:invalid_header".to_owned(),
                Next::Deadline(_) => "error:deadline".to_owned(),
            };
            attempts = json!(attempt);
            break;
        }
        let mut outputs = vec![
            draws.output(),
            ("attempts", attempts.clone()),
            (self.delays, json!(delays)),
            ("result", json!(result)),
            ("took_ms", json!(since(start, clock).as_nanos() as f64 / 1e6)),
        ];
        if self.keys == Keys::Shown {
            let key = self.key(given, method, is_v2);
            let n = attempts.as_u64().unwrap_or_default() as usize;
            outputs.push(("keys", json!(vec![key; n])));
        }
        if self.shows_timeouts {
            outputs.push(("timeouts_ms", json!(timeouts)));
        }
        Ok(outputs)
    }

    fn state(&self) -> String {
        format!("{:?}", self.client)
    }
}

fn since(start: i128, clock: i128) -> Span {
    Span::nanos(u64::try_from(clock - start).unwrap_or(u64::MAX))
}

/// A wait as it is recorded; less than nothing is nothing.
fn shown(wait: Wait) -> Value {
    match wait {
        Wait::Secs(wait) | Wait::Millis(wait) => json!(wait.max(0.0)),
        Wait::Nanos(wait) => json!(wait.max(0)),
    }
}
