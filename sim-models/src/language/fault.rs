//! Faults and when they strike.

use serde::{Deserialize, Serialize};
use sim_core::Span;
use sim_redis::Eviction;

/// A fault and when it strikes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum FaultPlan {
    /// At an instant.
    At {
        /// When.
        at: Span,
        /// How long; by default to the end.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        lasts: Option<Span>,
        /// What.
        fault: Fault,
    },
    /// When a program passes a point: `"api.pay/charged"` is the `Label("charged")` in the
    /// endpoint `pay` of `api`.
    After {
        /// The point.
        point: String,
        /// At which passage, from 1.
        #[serde(default = "first")]
        nth: u32,
        /// How long; by default to the end.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        lasts: Option<Span>,
        /// What.
        fault: Fault,
    },
}

fn first() -> u32 {
    1
}

/// What goes wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Fault {
    /// Answers a share of requests with an error, without working on them.
    Errors {
        /// The service or store.
        actor: String,
        /// The share.
        #[serde(default = "certain")]
        rate: f64,
        /// The status.
        #[serde(default = "internal_error")]
        status: u16,
    },
    /// Accepts a share of requests and never answers or works on them.
    Hang {
        /// The service.
        actor: String,
        /// The share.
        #[serde(default = "certain")]
        rate: f64,
    },
    /// The process dies: its work is lost, connections break, new ones are refused. A store
    /// loses its data.
    Crash {
        /// The service or store.
        actor: String,
        /// Only this instance of a service, from 0; the balancer knows at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Refuses connections; work under way and data are kept.
    Outage {
        /// The service or store.
        actor: String,
    },
    /// Nothing reaches it or leaves it, and nobody is told.
    BlackHole {
        /// The actor.
        actor: String,
    },
    /// Work takes longer by a factor.
    Slow {
        /// The service or store.
        actor: String,
        /// The factor.
        factor: f64,
        /// Only this instance of a service, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Stands still, as in a long garbage collection; what arrives waits.
    Pause {
        /// The service or store.
        actor: String,
    },
    /// Messages between two actors vanish.
    Partition {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// Whether messages the other way vanish too.
        #[serde(default = "yes")]
        both_ways: bool,
    },
    /// A share of the messages from one actor to another vanishes.
    Loss {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// The share.
        rate: f64,
    },
    /// A share of the requests from one actor to another arrives twice.
    Duplicate {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// The share.
        rate: f64,
    },
    /// Messages from one actor to another take longer.
    Delay {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// By how much.
        by: Span,
    },
    /// At a point only: the task that passes it raises this error.
    Throw {
        /// The status.
        status: u16,
    },
    /// At a point only: the task that passes it stands still, as a thread that is not scheduled;
    /// the rest of its actor goes on.
    Stall,
    /// A store, or a service with caches, forgets everything.
    Flush {
        /// The store or service.
        store: String,
    },
    /// A store's primary dies, and the replica that has most takes over with what it has.
    /// Connections are refused meanwhile.
    Failover {
        /// The store.
        store: String,
    },
    /// The wall clock is set forward or back, and right again when the fault heals.
    ClockStep {
        /// The service or store.
        actor: String,
        /// By how much it is too late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forward: Option<Span>,
        /// By how much it is too early.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back: Option<Span>,
    },
    /// A store refuses what needs memory; it still reads and deletes.
    OutOfMemory {
        /// The store.
        store: String,
    },
    /// A store out of memory removes keys, all at one instant.
    Evict {
        /// The store.
        store: String,
        /// Which keys, and in what order.
        #[serde(default = "volatile_lru")]
        policy: Eviction,
        /// The share of the keys that the policy may remove.
        #[serde(default = "certain")]
        share: f64,
    },
}

fn volatile_lru() -> Eviction {
    Eviction::VolatileLru
}

fn certain() -> f64 {
    1.0
}

fn internal_error() -> u16 {
    500
}

fn yes() -> bool {
    true
}
