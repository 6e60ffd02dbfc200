//! Replays a trace recorded from a real library against the policy that is named after it.
//!
//! A trace is a file of JSON lines: a header that names the library, its version, the kind of
//! thing and its options in the library's own words, then one line per event with its inputs and
//! the outputs that were observed. Each kind has a *driver*, which builds the policy from the
//! options, feeds it the inputs of one line and returns what it says; the comparison is here and
//! the same for all. `docs/CONFORMANCE.md` is the format's reference for users.
//!
//! A line passes when every output that it records equals the driver's and the driver has no
//! further one. Whatever is not understood, be it a kind, a library, an option, an operation or a
//! field, is an error and never a pass.

mod breaker;
mod bulkhead;
mod concurrency;
mod options;
mod rate_limiter;
mod retry;
mod retry_aws;
mod retry_throttle;

use serde::Deserialize;
use serde_json::{Map, Value};
use sim_conform::{Conformance, Difference, TraceError};
use sim_core::{Span, Time};

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

/// Plays one kind of trace.
trait Driver {
    /// Feeds the inputs of one event to the policy and returns every output it shows, by field.
    ///
    /// # Errors
    /// What the event should have and has not, in words.
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String>;

    /// The policy's state, for a person who reads a difference.
    fn state(&self) -> String;

    /// How far apart two fractions may lie.
    fn tolerance(&self) -> Tolerance {
        Tolerance { relative: 1e-9, absolute: 0.0 }
    }

    /// What the policy has done by itself and no line has shown, asked when the trace is over.
    fn unshown(&self) -> Option<String> {
        None
    }
}

/// Fractions are equal when they are as near as either part allows.
#[derive(Clone, Copy)]
struct Tolerance {
    /// As a share of the larger of the two.
    relative: f64,
    /// As it stands, for what is left of two large numbers that cancel out.
    absolute: f64,
}

/// The outputs of one event. Empty ones (null, `[]`) are as good as absent.
type Outputs = Vec<(&'static str, Value)>;

/// One recorded event. Inputs are *taken*; whatever is left is compared with the outputs.
struct Event {
    /// When it happened.
    at: Time,
    op: String,
    fields: Map<String, Value>,
}

impl Event {
    /// Takes an input that may be absent.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    fn text(&mut self, field: &str) -> Result<String, String> {
        match self.take(field) {
            Some(Value::String(text)) => Ok(text),
            other => Err(wrong(field, other.as_ref(), "a text")),
        }
    }

    fn count(&mut self, field: &str) -> Result<u64, String> {
        let value = self.take(field);
        value
            .as_ref()
            .and_then(Value::as_u64)
            .ok_or_else(|| wrong(field, value.as_ref(), "a whole number"))
    }

    fn number(&mut self, field: &str) -> Result<f64, String> {
        let value = self.take(field);
        value
            .as_ref()
            .and_then(Value::as_f64)
            .ok_or_else(|| wrong(field, value.as_ref(), "a number"))
    }

    /// A length of time given in milliseconds, perhaps with a fraction.
    fn millis(&mut self, field: &str) -> Result<Span, String> {
        let value = self.number(field)?;
        millis(value).ok_or_else(|| format!("`{field}` is {value}; it must be a length of time"))
    }

    fn numbers(&mut self, field: &str) -> Result<Vec<f64>, String> {
        let value = self.take(field);
        let numbers = value
            .as_ref()
            .and_then(Value::as_array)
            .and_then(|array| array.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
        numbers.ok_or_else(|| wrong(field, value.as_ref(), "a list of numbers"))
    }

    fn texts(&mut self, field: &str) -> Result<Vec<String>, String> {
        let value = self.take(field);
        let texts = value.as_ref().and_then(Value::as_array).and_then(|array| {
            array.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        texts.ok_or_else(|| wrong(field, value.as_ref(), "a list of texts"))
    }

    /// The error for an operation that the kind does not know.
    fn unknown_op(&self, known: &str) -> String {
        format!("unknown operation `{}`; known here: {known}", self.op)
    }
}

fn wrong(field: &str, found: Option<&Value>, wanted: &str) -> String {
    match found {
        None => format!("`{field}` is missing; it must be {wanted}"),
        Some(found) => format!("`{field}` is {found}; it must be {wanted}"),
    }
}

/// Milliseconds, perhaps with a fraction, as a span; `None` when negative or not finite.
fn millis(value: f64) -> Option<Span> {
    // Whole nanoseconds: no trace is recorded finer.
    (0.0..1e15).contains(&value).then(|| Span::nanos((value * 1e6 + 0.5) as u64))
}

/// Replays the text of a trace file.
///
/// # Errors
/// When a line is not understood. A trace that is understood and differs is not an error: it is a
/// [`Conformance`] with a difference.
pub fn conform(text: &str) -> Result<Conformance, TraceError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let error = |line: usize, message: String| TraceError { line: line + 1, message };
    let (n, first) = lines.next().ok_or_else(|| error(0, "the file is empty".to_owned()))?;
    let header: Header = serde_json::from_str(first)
        .map_err(|e| error(n, format!("not the header of a trace: {e}")))?;
    let mut driver = driver(&header).map_err(|message| error(n, message))?;
    let Header { trace, lib, version, kind, .. } = header;
    let (events, difference, level) = (0, None, None);
    let mut conformance = Conformance { trace, lib, version, kind, events, difference, level };
    let (mut last, mut end) = (Time::ZERO, (n, first));
    for (n, line) in lines {
        let mut event = parse(line).map_err(|message| error(n, message))?;
        if event.at < last {
            return Err(error(n, format!("time goes back from {last} to {}", event.at)));
        }
        (last, end) = (event.at, (n, line));
        let state = driver.state();
        let outputs = driver.play(&mut event).map_err(|message| error(n, message))?;
        conformance.events += 1;
        if let Some((field, expected, found)) =
            first_difference(event.fields, outputs, driver.tolerance())
        {
            let event = line.to_owned();
            conformance.difference =
                Some(Difference { line: n + 1, event, field, expected, found, state });
            break;
        }
    }
    if conformance.difference.is_none()
        && let Some(what) = driver.unshown()
    {
        let (line, event) = (end.0 + 1, end.1.to_owned());
        let (field, found, state) = ("auto".to_owned(), Some(what.into()), driver.state());
        conformance.difference =
            Some(Difference { line, event, field, expected: None, found, state });
    }
    if conformance.events == 0 {
        return Err(error(n, "a header without events shows nothing".to_owned()));
    }
    Ok(conformance)
}

/// The driver for what the header names.
fn driver(header: &Header) -> Result<Box<dyn Driver>, String> {
    let options = Options::new(&header.config);
    let Header { kind, lib, version, .. } = header;
    let driver = match kind.as_str() {
        "circuit_breaker" => breaker::driver(lib, version, &options),
        "bulkhead" => bulkhead::driver(lib, &options),
        "concurrency_limit" => concurrency::driver(lib, &options),
        "rate_limiter" => rate_limiter::driver(lib, &options),
        "retry_interval" | "retry_wait" | "retry_delay_seq" | "retry_exec" => {
            retry::driver(kind, lib, &options)
        }
        "retry_throttle" => retry_throttle::driver(lib, &options),
        "aws_standard" | "aws_backoff" | "aws_legacy" | "aws_adaptive" => {
            retry_aws::driver(kind, lib, version, &options)
        }
        _ => Err(format!(
            "unknown kind `{kind}`; known: circuit_breaker, bulkhead, concurrency_limit, \
             rate_limiter, retry_interval, retry_wait, retry_delay_seq, retry_exec, \
             retry_throttle, aws_standard, aws_backoff, aws_legacy, aws_adaptive"
        )),
    }?;
    options.all_used()?;
    Ok(driver)
}

fn unknown_lib(kind: &str, lib: &str, known: &str) -> String {
    format!("no {kind} of a library `{lib}`; known: {known}")
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
