//! Faults and when they strike.

use sim_core::Span;
use sim_redis::Eviction;

use super::*;

/// A fault with its trigger.
#[derive(Clone, Debug)]
pub(crate) struct FaultEntry {
    pub trigger: Trigger,
    pub lasts: Option<Span>,
    pub fault: FaultKind,
    /// For people: `psp: errors 100% (503)`.
    pub label: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger {
    At(Span),
    After { point: PointId, nth: u32 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FaultKind {
    Errors {
        actor: ActorId,
        rate: f64,
        status: u16,
    },
    Hang {
        actor: ActorId,
        rate: f64,
    },
    Crash {
        actor: ActorId,
        instance: Option<u32>,
    },
    Outage {
        actor: ActorId,
    },
    BlackHole {
        actor: ActorId,
    },
    Slow {
        actor: ActorId,
        factor: f64,
        instance: Option<u32>,
    },
    Pause {
        actor: ActorId,
    },
    Partition {
        from: ActorId,
        to: ActorId,
        both_ways: bool,
    },
    Loss {
        from: ActorId,
        to: ActorId,
        rate: f64,
    },
    Duplicate {
        from: ActorId,
        to: ActorId,
        rate: f64,
    },
    Delay {
        from: ActorId,
        to: ActorId,
        by: Span,
    },
    Throw {
        status: u16,
    },
    Stall,
    Flush {
        store: ActorId,
    },
    Failover {
        store: ActorId,
    },
    /// Nanoseconds by which the clock is wrong.
    ClockStep {
        actor: ActorId,
        by: i64,
    },
    OutOfMemory {
        store: ActorId,
    },
    Evict {
        store: ActorId,
        policy: Eviction,
        share: f64,
    },
}
