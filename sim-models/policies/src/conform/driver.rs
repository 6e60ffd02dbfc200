//! What a driver is: it takes the inputs of an event and shows the outputs.

use serde_json::{Map, Value};
use sim_core::{Span, Time};

/// Plays one kind of trace.
pub(super) trait Driver {
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

    /// What the policy has done on its own and no line has shown, asked when the trace is over.
    fn unshown(&self) -> Option<String> {
        None
    }
}

/// Fractions are equal when they are as near as either part allows.
#[derive(Clone, Copy)]
pub(super) struct Tolerance {
    /// As a share of the larger of the two.
    pub(super) relative: f64,
    /// As it stands, for what is left of two large numbers that cancel out.
    pub(super) absolute: f64,
}

/// The outputs of one event. Empty ones (null, `[]`) are as good as absent.
pub(super) type Outputs = Vec<(&'static str, Value)>;

/// One recorded event. Inputs are *taken*; whatever is left is compared with the outputs.
pub(super) struct Event {
    /// When it happened.
    pub(super) at: Time,
    pub(super) op: String,
    pub(super) fields: Map<String, Value>,
}

impl Event {
    /// Takes an input that may be absent.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    pub(super) fn text(&mut self, field: &str) -> Result<String, String> {
        match self.take(field) {
            Some(Value::String(text)) => Ok(text),
            other => Err(wrong(field, other.as_ref(), "a text")),
        }
    }

    pub(super) fn count(&mut self, field: &str) -> Result<u64, String> {
        let value = self.take(field);
        value
            .as_ref()
            .and_then(Value::as_u64)
            .ok_or_else(|| wrong(field, value.as_ref(), "a whole number"))
    }

    pub(super) fn number(&mut self, field: &str) -> Result<f64, String> {
        let value = self.take(field);
        value
            .as_ref()
            .and_then(Value::as_f64)
            .ok_or_else(|| wrong(field, value.as_ref(), "a number"))
    }

    /// A length of time given in milliseconds, perhaps with a fraction.
    pub(super) fn millis(&mut self, field: &str) -> Result<Span, String> {
        let value = self.number(field)?;
        millis(value).ok_or_else(|| format!("`{field}` is {value}; it must be a length of time"))
    }

    pub(super) fn numbers(&mut self, field: &str) -> Result<Vec<f64>, String> {
        let value = self.take(field);
        let numbers = value
            .as_ref()
            .and_then(Value::as_array)
            .and_then(|array| array.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
        numbers.ok_or_else(|| wrong(field, value.as_ref(), "a list of numbers"))
    }

    pub(super) fn texts(&mut self, field: &str) -> Result<Vec<String>, String> {
        let value = self.take(field);
        let texts = value.as_ref().and_then(Value::as_array).and_then(|array| {
            array.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        texts.ok_or_else(|| wrong(field, value.as_ref(), "a list of texts"))
    }

    /// The error for an operation that the kind does not know.
    pub(super) fn unknown_op(&self, known: &str) -> String {
        format!("unknown operation `{}`; known here: {known}", self.op)
    }
}

pub(super) fn wrong(field: &str, found: Option<&Value>, wanted: &str) -> String {
    match found {
        None => format!("`{field}` is missing; it must be {wanted}"),
        Some(found) => format!("`{field}` is {found}; it must be {wanted}"),
    }
}

/// Milliseconds, perhaps with a fraction, as a span; `None` when negative or not finite.
pub(super) fn millis(value: f64) -> Option<Span> {
    // Whole nanoseconds: no trace is recorded finer.
    (0.0..1e15).contains(&value).then(|| Span::nanos((value * 1e6 + 0.5) as u64))
}
