//! Polly's hedging strategy: Polly.Core 8, `HedgingStrategyOptions`, `HedgingExecutionContext`.
//!
//! Left out: Polly cancels the losers and then waits for them to end before it answers.

use sim_core::Span;

use super::machine::{AllFailed, Judgement, Machine, status_of, statuses};
use crate::family::Build;
use crate::{Ending, OutOfRange};

/// The strategy's options.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PollyHedge")]
pub struct Config {
    /// How long to wait for an outcome before the next attempt.
    ///
    /// Zero sends all at once; none, Polly's infinite time span, sends the next only after a
    /// failure.
    pub delay: Option<Span>,
    /// Attempts beside the first.
    #[schemars(range(min = 1, max = 10))]
    pub max_hedged_attempts: u32,
    /// Statuses after which the next attempt goes at once; any other ends the call.
    ///
    /// None stands for Polly's default, every exception, with a client that throws whatever is not
    /// a success.
    pub should_handle: Option<Vec<u16>>,
}

impl Default for Config {
    fn default() -> Config {
        Config { delay: Some(Span::secs(2)), max_hedged_attempts: 1, should_handle: None }
    }
}

impl Build for Config {
    type Machine = Config;

    fn build(&self) -> Result<Config, OutOfRange> {
        if !(1..=10).contains(&self.max_hedged_attempts) {
            let found = self.max_hedged_attempts;
            return Err(OutOfRange::new("max_hedged_attempts", found, "in 1..=10"));
        }
        statuses("should_handle", self.should_handle.as_deref().unwrap_or_default())?;
        Ok(self.clone())
    }
}

impl Machine for Config {
    fn max_hedges(&self) -> u32 {
        self.max_hedged_attempts
    }

    fn delay(&self) -> Span {
        self.delay.unwrap_or(Span::MAX)
    }

    /// A success that is listed is handled too.
    fn judge(&self, ending: Ending) -> Judgement {
        let handled = match &self.should_handle {
            Some(statuses) => statuses.contains(&status_of(ending)),
            None => !ending.is_success(),
        };
        if handled { Judgement::SendNext } else { Judgement::final_one(ending) }
    }

    fn all_failed(&self) -> AllFailed {
        AllFailed::First
    }
}
