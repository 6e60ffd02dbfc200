//! Faults and when they strike.

use sim_core::Span;

use super::*;

/// A fault with the ids of those that it hits.
pub(crate) type Fault = crate::language::Fault<ActorId, u32>;

/// A fault with its trigger.
#[derive(Clone, Debug)]
pub(crate) struct FaultEntry {
    pub trigger: Trigger,
    pub lasts: Option<Span>,
    pub fault: Fault,
    /// For people: `psp: errors 100% (503)`.
    pub label: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger {
    At(Span),
    After { point: PointId, nth: u32 },
}
