//! The one mistake a policy's parameters can make: a number outside its range.

use std::fmt;

use sim_core::Span;

/// A parameter that the policy cannot work with. Nothing was built; correct it and try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// The parameter, as its configuration spells it.
    pub field: &'static str,
    /// The value that was given.
    pub found: String,
    /// What the parameter may be.
    pub allowed: String,
}

impl OutOfRange {
    pub(crate) fn new(
        field: &'static str,
        found: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> OutOfRange {
        OutOfRange { field, found: found.to_string(), allowed: allowed.into() }
    }
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}; it must be {}", self.field, self.found, self.allowed)
    }
}

impl std::error::Error for OutOfRange {}

/// Refuses zero where at least one is needed.
pub(crate) fn at_least_one(field: &'static str, found: u32) -> Result<(), OutOfRange> {
    if found == 0 { Err(OutOfRange::new(field, found, "at least 1")) } else { Ok(()) }
}

/// Refuses a length of zero.
pub(crate) fn above_zero(field: &'static str, found: Span) -> Result<(), OutOfRange> {
    if found.is_zero() { Err(OutOfRange::new(field, found, "longer than zero")) } else { Ok(()) }
}

/// Refuses a share or a percentage outside `low..=high`, and what is not a number.
pub(crate) fn within(
    field: &'static str,
    found: f64,
    low: f64,
    high: f64,
) -> Result<(), OutOfRange> {
    if (low..=high).contains(&found) {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, format!("in {low}..={high}")))
    }
}
