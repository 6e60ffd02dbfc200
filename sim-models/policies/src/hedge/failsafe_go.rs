//! failsafe-go's hedge policy: `hedgepolicy`.
//!
//! A result that does not cancel becomes the answer when every attempt that the policy allows has
//! come back. After a fast failure the call still waits for its hedges to be sent in their time.

use sim_core::Span;

use super::machine::{Judgement, Machine, status_of, statuses};
use crate::family::Build;
use crate::{Ending, OutOfRange};

/// The policy's options.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FailsafeGoHedge")]
pub struct Config {
    /// Between one attempt and the next. The library has no default.
    pub delay: Span,
    /// Attempts beside the first; zero for none.
    pub max_hedges: u32,
    /// Statuses that end the call and cancel the other attempts: `CancelOnResult`,
    /// `CancelOnErrors`.
    ///
    /// Where none are named, every result does, be it a failure.
    pub cancel_on: Vec<u16>,
}

impl Default for Config {
    fn default() -> Config {
        Config { delay: Span::secs(1), max_hedges: 1, cancel_on: Vec::new() }
    }
}

impl Build for Config {
    type Machine = Config;

    fn build(&self) -> Result<Config, OutOfRange> {
        statuses("cancel_on", &self.cancel_on)?;
        Ok(self.clone())
    }
}

impl Machine for Config {
    fn max_hedges(&self) -> u32 {
        self.max_hedges
    }

    fn delay(&self) -> Span {
        self.delay
    }

    fn judge(&self, ending: Ending) -> Judgement {
        if self.cancel_on.is_empty() || self.cancel_on.contains(&status_of(ending)) {
            Judgement::final_one(ending)
        } else {
            Judgement::Wait
        }
    }
}
