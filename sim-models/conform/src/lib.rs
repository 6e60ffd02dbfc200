//! The replay of a recorded trace, and what it found.
//!
//! A trace is a file of JSON lines: a header, then one line per event. `sim-policies` replays those
//! of libraries, `sim-redis` those of a Redis server. Both bring a [`Replay`], which [`replay`]
//! takes along the lines, and both answer with a [`Conformance`]. Neither needs the other.

mod replay;

use std::fmt;

use serde_json::Value;

pub use replay::{Differs, Replay, replay};

/// What a replay of one trace found.
#[derive(Clone, Debug, PartialEq)]
pub struct Conformance {
    /// The name of the trace.
    pub trace: String,
    /// The library that it was recorded from.
    pub lib: String,
    /// The library's version.
    pub version: String,
    /// What was recorded, such as `circuit_breaker`.
    pub kind: String,
    /// Events that were compared, the first that differs included.
    pub events: u64,
    /// The first event that differs, if one does.
    pub difference: Option<Difference>,
    /// Of a trace whose replies are compared at two levels: the highest that it passes, 0 for none.
    /// The difference is then the first that keeps it from passing one more.
    pub level: Option<u8>,
}

/// The first event at which library and policy disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The line as it was recorded.
    pub event: String,
    /// The field that differs.
    pub field: String,
    /// What the library did; `None` when it showed no such field.
    pub expected: Option<Value>,
    /// What the policy did; `None` when it shows no such field.
    pub found: Option<Value>,
    /// The policy's state before the line.
    pub state: String,
}

/// Why a trace cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// The line of the file, from 1.
    pub line: usize,
    /// What was found there, and what is allowed.
    pub message: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for TraceError {}
