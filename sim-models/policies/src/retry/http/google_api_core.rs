//! The retry of Google's client libraries for Python: full jitter until a deadline.
//!
//! Answers: a disturbance of a minute or two, with waits that spread the callers.
//!
//! Invites: it knows no methods. Which calls are wrapped in it is each library's choice; what is
//! wrapped is repeated after a reset.
//!
//! Reference: google-api-core 2.44.0, `retry/retry_base.py`, `retry_unary.py`.
//!
//! ```text
//! repeated    429, 500, 503; reset, connection not made in time, content cut; not a read timeout
//! d           min(initial, maximum), then min(d * multiplier, maximum)
//! wait        u * d; now + wait > start + timeout -> give up at once
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::{Broken, Client, Exchange, NOT_RETRYABLE, Next, Outcome, Wait};
use crate::family::Build;
use crate::retry::rules::{Preset, at_least};
use crate::{OutOfRange, Reason};

/// The arguments of `Retry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GoogleApiCoreRetry")]
pub struct Config {
    /// The bound of the first wait.
    pub initial: Span,
    /// The bound of all.
    pub maximum: Span,
    /// How the bound grows.
    #[schemars(range(min = 0.0))]
    pub multiplier: f64,
    /// No attempt starts later; `None` for no end.
    pub timeout: Option<Span>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            initial: Span::secs(1),
            maximum: Span::secs(60),
            multiplier: 2.0,
            timeout: Some(Span::secs(120)),
        }
    }
}

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct GoogleApiCore(Config);

/// The bound of the next wait in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    bound: f64,
}

impl Build for Config {
    type Machine = GoogleApiCore;

    /// # Errors
    /// When the multiplier is no number from 0 on.
    fn build(&self) -> Result<GoogleApiCore, OutOfRange> {
        at_least("multiplier", self.multiplier, 0.0)?;
        Ok(GoogleApiCore(self.clone()))
    }
}

impl Preset for Config {}

impl Client for GoogleApiCore {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory { bound: self.0.initial.min(self.0.maximum).as_secs_f64() }
    }

    fn next(
        &self,
        memory: &mut Memory,
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        match exchange.outcome {
            Outcome::Status(..300) => return Next::Value(NOT_RETRYABLE),
            Outcome::Status(429 | 500 | 503) => {}
            Outcome::Broken(
                Broken::Reset
                | Broken::Refused
                | Broken::ConnectTimeout
                | Broken::BodyCut
                | Broken::Transport,
            ) => {}
            _ => return Next::Raise(NOT_RETRYABLE),
        }
        let wait = draw() * memory.bound;
        memory.bound = (memory.bound * self.0.multiplier).min(self.0.maximum.as_secs_f64());
        if let Some(timeout) = self.0.timeout
            && exchange.elapsed.as_secs_f64() + wait > timeout.as_secs_f64()
        {
            return Next::Deadline(Reason::TotalTimeExhausted { total_max: timeout });
        }
        Next::Again(Wait::Secs(wait))
    }
}
