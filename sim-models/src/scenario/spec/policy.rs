//! Policies of a stack.

use serde::Deserialize;
use sim_core::Span;

use super::Expr;

/// One policy of a stack.
#[derive(Clone, Debug, Deserialize)]
pub enum Policy {
    /// Attempts again after failures that may pass.
    Retry(Retry),
    /// Stops waiting.
    Timeout(Span),
    /// Stops asking a callee that fails.
    Breaker(Breaker),
    /// Bounds the calls in flight to one callee.
    Bulkhead(Bulkhead),
    /// Answers for a callee that cannot.
    Fallback(Fallback),
}

/// Attempts again after failures that may pass.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// All attempts, the first included.
    pub attempts: u32,
    /// The wait before each retry.
    #[serde(default)]
    pub backoff: Backoff,
    /// How chance changes that wait.
    #[serde(default)]
    pub jitter: Jitter,
    /// No retry starts later than this after the first attempt.
    #[serde(default)]
    pub total: Option<Span>,
    /// Whether a 409 is attempted again, as clients of an idempotent API do.
    #[serde(default)]
    pub conflict: bool,
    /// Whether a refusal by the caller's own breaker or bulkhead is attempted again.
    #[serde(default)]
    pub rejected: bool,
}

/// The wait before a retry.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Backoff {
    /// None: retry at once.
    None,
    /// Always the same.
    Constant(Span),
    /// Growing by a factor up to a cap.
    Exponential {
        /// Before the first retry.
        base: Span,
        /// Growth per retry.
        #[serde(default = "two")]
        factor: f64,
        /// Longest wait before jitter.
        #[serde(default = "default_cap")]
        cap: Span,
    },
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::Exponential { base: Span::secs(1), factor: two(), cap: default_cap() }
    }
}

fn two() -> f64 {
    2.0
}

fn default_cap() -> Span {
    Span::secs(60)
}

/// How chance changes a wait.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub enum Jitter {
    /// Not at all: everybody comes back at once.
    #[default]
    None,
    /// Adds up to this share of the wait.
    Proportional(f64),
    /// Anything from zero to the wait.
    Full,
    /// Half the wait, and up to as much again.
    Equal,
    /// Between the base and three times the previous wait.
    Decorrelated,
}

/// Stops asking a callee that fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// What opens it.
    #[serde(default)]
    pub trip: Trip,
    /// How long it stays open before it lets a test request through.
    #[serde(default = "default_open_for")]
    pub open_for: Span,
    /// How many test requests must succeed in a row to close it.
    #[serde(default = "three")]
    pub close_after: u32,
}

fn default_open_for() -> Span {
    Span::secs(30)
}

fn three() -> u32 {
    3
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Trip {
    /// Failures in a row.
    Consecutive {
        /// How many.
        failures: u32,
    },
}

impl Default for Trip {
    fn default() -> Trip {
        Trip::Consecutive { failures: 5 }
    }
}

/// Bounds the calls in flight to one callee; a call beyond the bound is refused at once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulkhead {
    /// Calls in flight.
    pub limit: u32,
}

/// Answers for a callee that cannot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The status of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// Its content.
    #[serde(default)]
    pub body: Expr,
    /// When the fallback answers.
    #[serde(default)]
    pub on: FallbackOn,
}

fn ok() -> u16 {
    200
}

/// When a fallback answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum FallbackOn {
    /// When a policy inside it refused the call, as an open breaker does.
    #[default]
    Rejected,
    /// On every ending that is not a success.
    Failure,
}
