//! What must hold.

use serde::Deserialize;
use sim_core::Span;

/// What must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Invariant {
    /// No intent has more than one effect of this kind that was not taken back, and each that was
    /// told success has exactly one.
    ExactlyOnce(String),
    /// No intent has more than one effect of this kind that was not taken back.
    AtMostOnce(String),
    /// Each intent that was told success has an effect of this kind.
    AckedImpliesDone(String),
    /// No intent that was told of a definite failure, and never of success, has an effect of this
    /// kind that was not taken back.
    FailedImpliesNone(String),
    /// Every submission came to an end before the run did.
    AllAnswered,
    /// Of the submissions begun from this long after the last fault healed on, nine in ten succeed.
    RecoversWithin(Span),
    /// At least this share of a client's submissions in a stretch of time succeed.
    Goodput {
        /// The client.
        client: String,
        /// The share.
        at_least: f64,
        /// Submissions from here on count.
        #[serde(default)]
        from: Span,
        /// Submissions before this count; by default all.
        #[serde(default)]
        until: Option<Span>,
    },
    /// No window of this length sees more requests arrive at a service.
    PeakArrivals {
        /// The service.
        at: String,
        /// The most.
        max: u64,
        /// The window's length.
        #[serde(default = "default_peak_window")]
        window: Span,
        /// Whether first attempts count too, or only retries.
        #[serde(default)]
        retries_only: bool,
    },
    /// A breaker changes its state at exactly these instants.
    Transitions {
        /// `caller->callee policy`.
        breaker: String,
        /// When, and to which state.
        expect: Vec<(Span, BreakerState)>,
    },
    /// The waits before a call's retries lie within these bounds.
    RetryWaits {
        /// `caller->callee`.
        call: String,
        /// Shortest and longest wait before retry 1, 2, 3…
        between: Vec<(Span, Span)>,
    },
}

fn default_peak_window() -> Span {
    Span::millis(100)
}

/// A breaker's state, as expected by an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// One test request at a time passes.
    HalfOpen,
}
