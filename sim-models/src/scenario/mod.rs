//! Scenarios: a file becomes something that runs.

pub mod spec;
pub mod units;
