//! A limit that is given and never moves: `FixedLimit` of Netflix concurrency-limits 0.5.4.

use super::machine::{Machine, Measured};
use crate::OutOfRange;
use crate::family::Build;
use crate::out_of_range::at_least_one;

/// The limit.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Fixed(limit: 20)"#)]
#[schemars(rename = "FixedLimit")]
pub struct Config {
    /// The limit.
    #[schemars(range(min = 1))]
    pub limit: u32,
}

/// A limit that never moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed(u32);

impl Build for Config {
    type Machine = Fixed;

    fn build(&self) -> Result<Fixed, OutOfRange> {
        at_least_one("limit", self.limit)?;
        Ok(Fixed(self.limit))
    }
}

impl Machine for Fixed {
    fn hear(&mut self, _call: Measured, _jitter: &mut dyn FnMut() -> f64) {}

    fn limit(&self) -> u32 {
        self.0
    }
}
