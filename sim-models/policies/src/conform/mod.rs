//! Replays a trace recorded from a real library against the policy that is named after it.
//!
//! A trace is a file of JSON lines. A header names the library, its version, the kind of thing and
//! its options in the library's own words. Then comes one line per event, with its inputs and the
//! outputs that were observed. Each kind has a *driver*, which builds the policy from the options,
//! feeds it the inputs of one line and returns what it says. The comparison is here and the same
//! for all. `docs/CONFORMANCE.md` is the format's reference for users.
//!
//! A line passes when every output that it records equals the driver's and the driver has no
//! further one. Whatever is not understood, be it a kind, a library, an option, an operation or a
//! field, is an error and never a pass.

mod breaker;
mod bulkhead;
mod concurrency;
mod draws;
mod driver;
mod options;
mod proxy;
mod rate_limiter;
mod retry;
mod retry_aws;
mod retry_budget;
mod retry_throttle;

use serde::Deserialize;
use serde_json::{Map, Value};
use sim_conform::{Conformance, Differs, Replay, TraceError};
use sim_core::Time;

use driver::{Driver, Event, Outputs, Tolerance};
use options::Options;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    trace: String,
    lib: String,
    version: String,
    kind: String,
    config: Map<String, Value>,
    #[serde(default, rename = "note")]
    _note: String,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
}

/// Replays the text of a trace file.
///
/// # Errors
/// When a line is not understood. A trace that is understood and differs is not an error: it is a
/// [`Conformance`] with a difference.
pub fn conform(text: &str) -> Result<Conformance, TraceError> {
    sim_conform::replay::<Library>(text)
}

/// The policy that is named after the library.
struct Library {
    driver: Box<dyn Driver>,
    last: Time,
}

impl Replay for Library {
    type Header = Header;

    fn begin(header: Header) -> Result<(Library, Conformance), String> {
        let driver = driver(&header)?;
        let Header { trace, lib, version, kind, .. } = header;
        let (events, difference, level) = (0, None, None);
        let conformance = Conformance { trace, lib, version, kind, events, difference, level };
        Ok((Library { driver, last: Time::ZERO }, conformance))
    }

    fn play(&mut self, line: &str) -> Result<Option<Differs>, String> {
        let mut event = parse(line)?;
        if event.at < self.last {
            return Err(format!("time goes back from {} to {}", self.last, event.at));
        }
        self.last = event.at;
        let state = self.driver.state();
        let outputs = self.driver.play(&mut event)?;
        let difference = first_difference(event.fields, outputs, self.driver.tolerance());
        Ok(difference.map(|(field, expected, found)| Differs {
            level: 0,
            field,
            expected,
            found,
            state,
        }))
    }

    fn end(&self, _events: u64) -> Result<Option<Differs>, String> {
        Ok(self.driver.unshown().map(|what| {
            let (field, found, state) = ("auto".to_owned(), Some(what.into()), self.driver.state());
            Differs { level: 0, field, expected: None, found, state }
        }))
    }
}

/// Makes the driver of a trace from the options in its header.
type New = fn(&Options<'_>) -> Result<Box<dyn Driver>, String>;

/// One row for each thing that is recorded: its kind, its library and its driver.
const DRIVERS: &[(&str, &str, New)] = &[
    ("circuit_breaker", "aiobreaker", breaker::aiobreaker::driver),
    ("circuit_breaker", "circuitbreaker", breaker::circuitbreaker::driver),
    ("circuit_breaker", "cockatiel", breaker::cockatiel::driver),
    ("circuit_breaker", "eapache-breaker", breaker::eapache::driver),
    ("circuit_breaker", "failsafe", breaker::failsafe::driver),
    ("circuit_breaker", "failsafe-rs", breaker::failsafe_rs::driver),
    ("circuit_breaker", "gobreaker", breaker::gobreaker::driver),
    ("circuit_breaker", "hystrix", breaker::hystrix::driver),
    ("circuit_breaker", "opossum", breaker::opossum::driver),
    ("circuit_breaker", "purgatory", breaker::purgatory::driver),
    ("circuit_breaker", "pybreaker", breaker::pybreaker::driver),
    ("circuit_breaker", "recloser", breaker::recloser::driver),
    ("circuit_breaker", "resilience4j", breaker::resilience4j::driver),
    ("bulkhead", "resilience4j", bulkhead::resilience4j),
    ("bulkhead", "cockatiel", bulkhead::cockatiel),
    ("concurrency_limit", "concurrency-limits", concurrency::driver),
    ("rate_limiter", "resilience4j", rate_limiter::resilience4j),
    ("rate_limiter", "failsafe", rate_limiter::failsafe),
    ("retry_interval", "resilience4j", retry::resilience4j::interval),
    ("retry_wait", "celery", retry::jobs::celery_interval),
    ("retry_wait", "tenacity", retry::tenacity::wait),
    ("retry_delay_seq", "backon", retry::rust::backon),
    ("retry_delay_seq", "cockatiel", retry::cockatiel::sequence),
    ("retry_delay_seq", "retry-npm", retry::node::retry_npm),
    ("retry_exec", "activejob", retry::jobs::active_job),
    ("retry_exec", "avast-retry-go", retry::go::avast_retry_go),
    ("retry_exec", "backoff", retry::backoff::exec),
    ("retry_exec", "celery", retry::jobs::celery),
    ("retry_exec", "cenkalti-backoff", retry::go::cenkalti_backoff),
    ("retry_exec", "failsafe", retry::failsafe::exec),
    ("retry_exec", "p-retry", retry::node::p_retry),
    ("retry_exec", "resilience4j", retry::resilience4j::exec),
    ("retry_exec", "retry-policies", retry::rust::retry_policies),
    ("retry_exec", "sidekiq", retry::jobs::sidekiq),
    ("retry_exec", "tenacity", retry::tenacity::exec),
    ("http_retry", "urllib3", retry::http::urllib3),
    ("http_retry", "requests", retry::http::requests),
    ("http_retry", "stripe-python", retry::http::stripe_python),
    ("http_retry", "stripe-node", retry::http::stripe_node),
    ("http_retry", "square-node", retry::http::square_node),
    ("http_retry", "openai-python", retry::http::openai_python),
    ("http_retry", "azure-core", retry::http::azure_core),
    ("http_retry", "google-api-core", retry::http::google_api_core),
    ("http_retry", "aiohttp-retry", retry::http::aiohttp_retry),
    ("http_retry", "axios-retry", retry::http::axios_retry),
    ("http_retry", "got", retry::http::got),
    ("http_retry", "undici", retry::http::undici),
    ("http_retry", "ky", retry::http::ky),
    ("http_retry", "go-retryablehttp", retry::http::go_retryablehttp),
    ("retry_budget", "tower", retry_budget::driver),
    ("retry_throttle", "grpc-js", retry_throttle::driver),
    ("proxy", "nginx", proxy::nginx),
    ("proxy", "haproxy", proxy::haproxy),
    ("aws_standard", "botocore", retry_aws::standard),
    ("aws_backoff", "botocore", retry_aws::backoff),
    ("aws_legacy", "botocore", retry_aws::legacy),
    ("aws_adaptive", "botocore", retry_aws::adaptive),
];

/// The driver for what the header names.
fn driver(header: &Header) -> Result<Box<dyn Driver>, String> {
    let Header { kind, lib, version, config, .. } = header;
    let of_kind: Vec<_> = DRIVERS.iter().filter(|(known, ..)| known == kind).collect();
    if of_kind.is_empty() {
        let mut known: Vec<&str> = DRIVERS.iter().map(|(kind, ..)| *kind).collect();
        known.dedup();
        return Err(format!("unknown kind `{kind}`; known: {}", known.join(", ")));
    }
    let Some((.., new)) = of_kind.iter().find(|(_, known, _)| known == lib) else {
        let known: Vec<&str> = of_kind.iter().map(|(_, lib, _)| *lib).collect();
        return Err(format!("no {kind} of a library `{lib}`; known: {}", known.join(", ")));
    };
    let options = Options::new(config, version);
    let driver = new(&options)?;
    options.all_used()?;
    Ok(driver)
}

fn parse(line: &str) -> Result<Event, String> {
    let fields: Map<String, Value> =
        serde_json::from_str(line).map_err(|e| format!("not an event: {e}"))?;
    let mut event = Event { at: Time::ZERO, op: String::new(), fields };
    event.at = Time::ZERO + event.millis("t")?;
    event.op = event.text("op")?;
    Ok(event)
}

/// The first field, in the policy's order, in which expected and found differ.
fn first_difference(
    mut expected: Map<String, Value>,
    found: Outputs,
    tolerance: Tolerance,
) -> Option<(String, Option<Value>, Option<Value>)> {
    for (field, found) in found {
        let expected = expected.remove(field);
        let is_empty =
            |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let same = match &expected {
            None => is_empty(&found),
            Some(expected) => {
                equal(expected, &found, tolerance) || (is_empty(expected) && is_empty(&found))
            }
        };
        if !same {
            return Some((field.to_owned(), expected, (!is_empty(&found)).then_some(found)));
        }
    }
    let (field, expected) = expected.into_iter().find(|(_, value)| !value.is_null())?;
    Some((field, Some(expected), None))
}

/// Equal values: whole numbers and texts exactly, fractions within the tolerance.
fn equal(expected: &Value, found: &Value, tolerance: Tolerance) -> bool {
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => {
            if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
                return a == b;
            }
            match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => {
                    (a - b).abs()
                        <= (tolerance.relative * a.abs().max(b.abs())).max(tolerance.absolute)
                }
                _ => false,
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b, tolerance))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b, tolerance)))
        }
        _ => expected == found,
    }
}
