//! Conditions: what the active faults make of actors and routes.

use sim_core::{Draw, Span};

/// Under what conditions an actor works.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// Connections are refused.
    pub(super) down: bool,
    /// The process is dead.
    pub(super) crashed: bool,
    /// Nothing comes in or goes out.
    pub(super) black_hole: bool,
    pub(super) paused: bool,
    /// By how much the wall clock is ahead, in nanoseconds.
    pub(super) clock_ns: i64,
    /// Commands that need memory fail.
    pub(super) out_of_memory: bool,
    /// The share of requests that are accepted and forgotten.
    pub(super) hang: f64,
    /// Shares of requests answered with a status.
    pub(super) errors: Vec<(f64, u16)>,
    /// Factors on the length of work, of one instance or of all.
    pub(super) slow: Vec<(Option<u32>, f64)>,
}

impl Condition {
    /// The status with which a request is answered unworked, if chance has it so.
    pub(super) fn error(&self, draws: &mut impl Draw) -> Option<u16> {
        self.errors.iter().find(|(rate, _)| draws.chance(*rate)).map(|(_, status)| *status)
    }

    /// How long work takes an instance that may be slow.
    pub(super) fn slowed(&self, instance: u32, length: Span) -> Span {
        let of_this = self.slow.iter().filter(|(only, _)| only.is_none_or(|only| only == instance));
        of_this.fold(length, |length, (_, factor)| length * *factor)
    }
}

/// Under what conditions messages travel one way between two actors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RouteCondition {
    pub(super) cut: bool,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) delay: Span,
}
