//! A deterministic discrete-event engine.
pub mod time;
pub use time::{Span, Time};
