//! Faults and when they strike.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;
use sim_redis::Eviction;

/// A fault and when it strikes.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "time of a fault")]
pub enum FaultPlan {
    /// At an instant.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"At("30s", for: "20s", Errors("psp", status: 503))"#)]
    At {
        /// When.
        at: Span,
        /// What.
        fault: Fault,
        /// How long; by default to the end.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        lasts: Option<Span>,
    },
    /// When a program passes a point: `"api.pay/charged"` is the `Label("charged")` in the
    /// endpoint `pay` of `api`.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"After("api.pay/charged", nth: 3, for: "5s", Crash("api"))"#)]
    After {
        /// The point.
        point: String,
        /// What.
        fault: Fault,
        /// At which passage, from 1.
        #[serde(default = "first")]
        nth: u32,
        /// How long; by default to the end.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        lasts: Option<Span>,
    },
}

fn first() -> u32 {
    1
}

/// What goes wrong.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "fault")]
pub enum Fault {
    /// Answers a share of requests with an error, without working on them.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Errors("psp", rate: 0.5, status: 503)"#)]
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
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Hang("psp", rate: 0.5)"#)]
    Hang {
        /// The service.
        actor: String,
        /// The share.
        #[serde(default = "certain")]
        rate: f64,
    },
    /// The process dies: its work is lost, connections break, new ones are refused. A store
    /// keeps what its `persistence` says.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Crash("api", instance: 0)"#)]
    Crash {
        /// The service or store.
        actor: String,
        /// Only this instance of a service, from 0; the balancer knows at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Refuses connections; work under way and data are kept.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Outage("psp")"#)]
    Outage {
        /// The service or store.
        actor: String,
    },
    /// Nothing reaches it or leaves it, and nobody is told.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"BlackHole("psp")"#)]
    BlackHole {
        /// The actor.
        actor: String,
    },
    /// Work takes longer by a factor.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Slow("psp", factor: 10.0)"#)]
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
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Pause("api")"#)]
    Pause {
        /// The service or store.
        actor: String,
    },
    /// Messages between two actors vanish.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Partition("api", "redis", both_ways: false)"#)]
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
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"Loss("api", "psp", 0.1)"#)]
    Loss {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// The share.
        rate: f64,
    },
    /// A share of the requests from one actor to another arrives twice.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"Duplicate("app", "api", 0.1)"#)]
    Duplicate {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// The share.
        rate: f64,
    },
    /// Messages from one actor to another take longer.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"Delay("api", "psp", "200ms")"#)]
    Delay {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// By how much.
        by: Span,
    },
    /// At a point only: the task that passes it raises this error.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Throw(500)"#)]
    Throw {
        /// The status.
        status: u16,
    },
    /// At a point only: the task that passes it stands still, as a thread that is not scheduled;
    /// the rest of its actor goes on.
    Stall,
    /// A store, or a service with caches, forgets everything.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Flush("redis")"#)]
    Flush {
        /// The store or service.
        store: String,
    },
    /// A store's primary dies, and the replica that has most takes over with what it has.
    /// Connections are refused meanwhile.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Failover("redis")"#)]
    Failover {
        /// The store.
        store: String,
    },
    /// The wall clock is set forward or back, and right again when the fault heals.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"ClockStep("redis", forward: "1m")"#)]
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
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"OutOfMemory("redis")"#)]
    OutOfMemory {
        /// The store.
        store: String,
    },
    /// A store out of memory removes keys, all at one instant.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Evict("redis", share: 0.5)"#)]
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
