//! Replays a recorded trace against the policy or the store that is named after its library.
//!
//! A Redis server's trace has a header of its own; any other is a library's.

pub use sim_conform::{Conformance, Difference, TraceError};

/// Replays the text of a trace file.
///
/// # Errors
/// When a line is not understood. A trace that is understood and differs is not an error: it is a
/// [`Conformance`] with a difference.
pub fn conform(text: &str) -> Result<Conformance, TraceError> {
    match text.lines().find(|line| !line.trim().is_empty()) {
        Some(first) if sim_redis::conform::is_header(first) => sim_redis::conform::conform(text),
        _ => sim_policies::conform::conform(text),
    }
}
