//! Faults and when they strike.

use std::fmt::Display;

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
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        lasts: Option<Span>,
    },
    /// When a program passes a point: `"api.pay/charged"` is the `Label("charged")` in the
    /// endpoint `pay` of `api`, `"api.pay/Set redis"` the end of that step.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"After("api.pay/charged", nth: 3, for: "5s", Crash("api"))"#)]
    After {
        /// The point.
        point: String,
        /// What.
        fault: Fault,
        /// At which passage, from 1.
        #[serde(default = "first")]
        #[schemars(range(min = 1))]
        nth: u32,
        /// How long; by default to the end.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        lasts: Option<Span>,
    },
}

fn first() -> u32 {
    1
}

/// What goes wrong.
///
/// The same fault is first a scenario's, with the names of actors, and then a plan's, with their
/// ids: `A` is an actor, `R` a replica of a store.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "fault")]
pub enum Fault<A = String, R = String> {
    /// Answers a share of requests with an error, without working on them.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Errors("psp", rate: 0.5, status: 503)"#)]
    Errors {
        /// The service or store.
        actor: A,
        /// The share.
        #[serde(default = "certain")]
        #[schemars(range(min = 0.0, max = 1.0))]
        rate: f64,
        /// The status.
        #[serde(default = "internal_error")]
        #[schemars(range(min = 100, max = 599))]
        status: u16,
        /// Only this instance of a service, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Accepts a share of requests and never answers or works on them.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Hang("psp", rate: 0.5)"#)]
    Hang {
        /// The service.
        actor: A,
        /// The share.
        #[serde(default = "certain")]
        #[schemars(range(min = 0.0, max = 1.0))]
        rate: f64,
        /// Only this instance of a service, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// The process dies: its work is lost, connections break, new ones are refused. A store
    /// keeps what its `persistence` says, by default nothing.
    ///
    /// At a point of the service itself, the instance that passes the point dies.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Crash("api", instance: 0)"#)]
    Crash {
        /// The service or store.
        actor: A,
        /// Only this instance of a service, from 0; the balancer knows at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Refuses connections; work under way and data are kept.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Outage("psp")"#)]
    Outage {
        /// The service or store.
        actor: A,
        /// Only this instance of a service, from 0; the balancer does not know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Nothing reaches it or leaves it, and nobody hears of it.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"BlackHole("psp")"#)]
    BlackHole {
        /// The actor.
        actor: A,
        /// Only this instance, from 0; the balancer does not know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Work takes longer by a factor.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Slow("psp", factor: 10.0)"#)]
    Slow {
        /// The service or store.
        actor: A,
        /// The factor.
        #[schemars(extend("exclusiveMinimum" = 0))]
        factor: f64,
        /// Only this instance of a service, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Stands still, as in a long garbage collection; what arrives waits.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Pause("api", instance: 0)"#)]
    Pause {
        /// The service or store.
        actor: A,
        /// Only this instance of a service, from 0; the balancer does not know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Messages between two actors vanish.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Partition("api", "redis", both_ways: false)"#)]
    Partition {
        /// The sender.
        from: A,
        /// The receiver.
        to: A,
        /// Whether messages the other way vanish too.
        #[serde(default = "yes")]
        both_ways: bool,
        /// Only this instance of the sender, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
        /// Only this instance of the receiver, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_instance: Option<u32>,
    },
    /// A share of the messages from one actor to another vanishes.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"Loss("api", "psp", 0.1)"#)]
    Loss {
        /// The sender.
        from: A,
        /// The receiver.
        to: A,
        /// The share.
        #[schemars(range(min = 0.0, max = 1.0))]
        rate: f64,
        /// Only this instance of the sender, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
        /// Only this instance of the receiver, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_instance: Option<u32>,
    },
    /// A share of the requests from one actor to another arrives twice. Each of the two finds an
    /// instance for itself.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"Duplicate("app", "api", 0.1, later: "2h")"#)]
    Duplicate {
        /// The sender.
        from: A,
        /// The receiver.
        to: A,
        /// The share.
        #[schemars(range(min = 0.0, max = 1.0))]
        rate: f64,
        /// By how much the copy is sent later.
        #[serde(default, skip_serializing_if = "is_now")]
        later: Span,
        /// Only this instance of the sender, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
        /// The copy goes to this instance of the receiver, from 0, whatever its balancer says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_instance: Option<u32>,
    },
    /// Messages from one actor to another take longer.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"Delay("api", "psp", "200ms")"#)]
    Delay {
        /// The sender.
        from: A,
        /// The receiver.
        to: A,
        /// By how much.
        by: Span,
        /// Only this instance of the sender, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
        /// Only this instance of the receiver, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_instance: Option<u32>,
    },
    /// At a point only: the task that passes it raises this error.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Throw(500)"#)]
    Throw {
        /// The status.
        #[schemars(range(min = 400, max = 599))]
        status: u16,
    },
    /// At a point only: the task that passes it stands still, as a thread that is not scheduled;
    /// the rest of its actor goes on.
    Stall,
    /// A store, or a service with caches, forgets everything.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Flush("api", instance: 0)"#)]
    Flush {
        /// The store or service.
        store: A,
        /// Only this instance of a service, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// A store's primary dies, and the replica that has most takes over with what it has.
    /// Connections are refused meanwhile.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Failover("redis")"#)]
    Failover {
        /// The store.
        store: A,
    },
    /// A replica takes over, and the old primary serves one actor on. When the fault heals, what it
    /// has written since is lost.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"SplitBrain("redis", "api", instance: 0)"#)]
    SplitBrain {
        /// The store.
        store: A,
        /// Whom the old primary still serves.
        actor: A,
        /// Only this instance of that actor, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// Writes reach a store's replicas later, or not before the fault heals.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Lag("redis", by: "5s")"#)]
    Lag {
        /// The store.
        store: A,
        /// By how much; without it the replica is cut off from its primary.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        by: Option<Span>,
        /// Only this replica.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replica: Option<R>,
    },
    /// A user does something of their own accord: at a point the one whose intent passes it, at an
    /// instant each who waits.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"User("shoppers", Click)"#)]
    User {
        /// The client whose user it is.
        client: A,
        /// What the user does.
        does: Doing,
    },
    /// The wall clock is set forward or back, and right again when the fault heals.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"ClockStep("api", forward: "1m", instance: 0)"#)]
    ClockStep {
        /// The service or store.
        actor: A,
        /// By how much it is too late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-exclusiveMinimum" = "0s", "x-maximum" = "365d"))]
        forward: Option<Span>,
        /// By how much it is too early.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-exclusiveMinimum" = "0s", "x-maximum" = "365d"))]
        back: Option<Span>,
        /// Only this instance of a service, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<u32>,
    },
    /// A store refuses what needs memory; it still reads and deletes.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"OutOfMemory("redis")"#)]
    OutOfMemory {
        /// The store.
        store: A,
    },
    /// A store out of memory removes keys, all at one instant.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Evict("redis", share: 0.5)"#)]
    Evict {
        /// The store.
        store: A,
        /// Which keys, and in what order.
        #[serde(default = "volatile_lru")]
        policy: Eviction,
        /// The share of the keys that the policy may remove.
        #[serde(default = "certain")]
        #[schemars(range(min = 0.0, max = 1.0))]
        share: f64,
    },
}

/// What a user may do at any moment.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Deserialize, Serialize,
)]
#[schemars(title = "doing of a user")]
pub enum Doing {
    /// Submits the intent once more, under the key that it has.
    Click,
    /// Leaves, and waits for no answer any more.
    Leave,
    /// Leaves, and submits the intent once more under a new key.
    NewKey,
    /// Asks for a refund: runs the client's `refund`.
    Refund,
}

impl Doing {
    /// Its name in the language.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Doing::Click => "Click",
            Doing::Leave => "Leave",
            Doing::NewKey => "NewKey",
            Doing::Refund => "Refund",
        }
    }
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

fn is_now(later: &Span) -> bool {
    later.is_zero()
}

fn yes() -> bool {
    true
}

/// What an actor must be for a fault to hit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hits {
    Anybody,
    Client,
    /// A service, store or broker.
    Server,
    Store,
    /// A store, or a service with caches.
    Memory,
    /// A service or store.
    Clock,
}

impl<A, R> Fault<A, R> {
    /// Its name in the language.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Fault::Errors { .. } => "Errors",
            Fault::Hang { .. } => "Hang",
            Fault::Crash { .. } => "Crash",
            Fault::Outage { .. } => "Outage",
            Fault::BlackHole { .. } => "BlackHole",
            Fault::Slow { .. } => "Slow",
            Fault::Pause { .. } => "Pause",
            Fault::Partition { .. } => "Partition",
            Fault::Loss { .. } => "Loss",
            Fault::Duplicate { .. } => "Duplicate",
            Fault::Delay { .. } => "Delay",
            Fault::Throw { .. } => "Throw",
            Fault::Stall => "Stall",
            Fault::Flush { .. } => "Flush",
            Fault::Failover { .. } => "Failover",
            Fault::SplitBrain { .. } => "SplitBrain",
            Fault::Lag { .. } => "Lag",
            Fault::User { .. } => "User",
            Fault::ClockStep { .. } => "ClockStep",
            Fault::OutOfMemory { .. } => "OutOfMemory",
            Fault::Evict { .. } => "Evict",
        }
    }

    /// Each actor of which it hits one instance, that instance, and the field that says so.
    pub(crate) fn instances(&self) -> impl Iterator<Item = (&A, u32, &'static str)> {
        let (actor, instance, to) = match self {
            Fault::Errors { actor, instance, .. }
            | Fault::Hang { actor, instance, .. }
            | Fault::Crash { actor, instance }
            | Fault::Outage { actor, instance }
            | Fault::BlackHole { actor, instance }
            | Fault::Slow { actor, instance, .. }
            | Fault::Pause { actor, instance }
            | Fault::ClockStep { actor, instance, .. }
            | Fault::Flush { store: actor, instance }
            | Fault::SplitBrain { actor, instance, .. } => (Some(actor), *instance, None),
            Fault::Partition { from, to, instance, to_instance, .. }
            | Fault::Duplicate { from, to, instance, to_instance, .. }
            | Fault::Loss { from, to, instance, to_instance, .. }
            | Fault::Delay { from, to, instance, to_instance, .. } => {
                (Some(from), *instance, to_instance.map(|n| (to, n, "to_instance")))
            }
            Fault::Throw { .. }
            | Fault::Stall
            | Fault::Failover { .. }
            | Fault::Lag { .. }
            | Fault::User { .. }
            | Fault::OutOfMemory { .. }
            | Fault::Evict { .. } => (None, None, None),
        };
        let own = actor.zip(instance).map(|(actor, n)| (actor, n, "instance"));
        own.into_iter().chain(to)
    }

    /// The ends of the route whose messages it is about.
    pub(crate) fn route(&self) -> Option<(&A, &A)> {
        match self {
            Fault::Partition { from, to, .. }
            | Fault::Loss { from, to, .. }
            | Fault::Duplicate { from, to, .. }
            | Fault::Delay { from, to, .. } => Some((from, to)),
            _ => None,
        }
    }

    /// A length of time that is part of what it does: by how much something is later, or a clock
    /// off. Not for how long it lasts.
    pub(crate) fn length_mut(&mut self) -> Option<&mut Span> {
        match self {
            Fault::Delay { by, .. } => Some(by),
            Fault::Duplicate { later, .. } => Some(later).filter(|later| !later.is_zero()),
            Fault::ClockStep { forward, back, .. } => forward.as_mut().or(back.as_mut()),
            Fault::Lag { by, .. } => by.as_mut(),
            _ => None,
        }
    }

    /// Whether it strikes a task, a store or a user at one instant, and lasts for no time.
    pub(crate) fn is_instant(&self) -> bool {
        matches!(self, Fault::Throw { .. } | Fault::User { .. })
    }

    /// The same fault with other actors and replicas. `find` is asked for each actor: it stands in a
    /// field, and must be something that the fault can hit. `find_replica` is asked for a replica of
    /// a store.
    pub(crate) fn map<B, S>(
        &self,
        mut find: impl FnMut(&A, &'static str, Hits) -> Option<B>,
        find_replica: impl FnOnce(&A, &R) -> Option<S>,
    ) -> Option<Fault<B, S>> {
        let mut actor = |name: &A, hits| find(name, "actor", hits);
        Some(match self {
            Fault::Errors { actor: at, rate, status, instance } => {
                let actor = actor(at, Hits::Server)?;
                Fault::Errors { actor, rate: *rate, status: *status, instance: *instance }
            }
            Fault::Hang { actor: at, rate, instance } => {
                let actor = actor(at, Hits::Server)?;
                Fault::Hang { actor, rate: *rate, instance: *instance }
            }
            Fault::Crash { actor: at, instance } => {
                Fault::Crash { actor: actor(at, Hits::Server)?, instance: *instance }
            }
            Fault::Outage { actor: at, instance } => {
                Fault::Outage { actor: actor(at, Hits::Server)?, instance: *instance }
            }
            Fault::BlackHole { actor: at, instance } => {
                Fault::BlackHole { actor: actor(at, Hits::Anybody)?, instance: *instance }
            }
            Fault::Slow { actor: at, factor, instance } => {
                let actor = actor(at, Hits::Server)?;
                Fault::Slow { actor, factor: *factor, instance: *instance }
            }
            Fault::Pause { actor: at, instance } => {
                Fault::Pause { actor: actor(at, Hits::Server)?, instance: *instance }
            }
            Fault::ClockStep { actor: at, forward, back, instance } => {
                let actor = actor(at, Hits::Clock)?;
                Fault::ClockStep { actor, forward: *forward, back: *back, instance: *instance }
            }
            Fault::Partition { from, to, both_ways, instance, to_instance } => {
                let (from, to) = ends(find, from, to)?;
                let (both_ways, instance, to_instance) = (*both_ways, *instance, *to_instance);
                Fault::Partition { from, to, both_ways, instance, to_instance }
            }
            Fault::Loss { from, to, rate, instance, to_instance } => {
                let (from, to) = ends(find, from, to)?;
                let (rate, instance, to_instance) = (*rate, *instance, *to_instance);
                Fault::Loss { from, to, rate, instance, to_instance }
            }
            Fault::Duplicate { from, to, rate, later, instance, to_instance } => {
                let (from, to) = ends(find, from, to)?;
                let (rate, later) = (*rate, *later);
                let (instance, to_instance) = (*instance, *to_instance);
                Fault::Duplicate { from, to, rate, later, instance, to_instance }
            }
            Fault::Delay { from, to, by, instance, to_instance } => {
                let (from, to) = ends(find, from, to)?;
                let (by, instance, to_instance) = (*by, *instance, *to_instance);
                Fault::Delay { from, to, by, instance, to_instance }
            }
            Fault::Flush { store, instance } => {
                Fault::Flush { store: find(store, "store", Hits::Memory)?, instance: *instance }
            }
            Fault::Failover { store } => {
                Fault::Failover { store: find(store, "store", Hits::Store)? }
            }
            Fault::SplitBrain { store, actor, instance } => {
                let store = find(store, "store", Hits::Store);
                let actor = find(actor, "actor", Hits::Anybody);
                Fault::SplitBrain { store: store?, actor: actor?, instance: *instance }
            }
            Fault::Lag { store: of, by, replica } => {
                let store = find(of, "store", Hits::Store)?;
                let replica = match replica {
                    Some(name) => Some(find_replica(of, name)?),
                    None => None,
                };
                Fault::Lag { store, by: *by, replica }
            }
            Fault::User { client, does } => {
                Fault::User { client: find(client, "client", Hits::Client)?, does: *does }
            }
            Fault::OutOfMemory { store } => {
                Fault::OutOfMemory { store: find(store, "store", Hits::Store)? }
            }
            Fault::Evict { store, policy, share } => {
                let store = find(store, "store", Hits::Store)?;
                Fault::Evict { store, policy: *policy, share: *share }
            }
            Fault::Throw { status } => Fault::Throw { status: *status },
            Fault::Stall => Fault::Stall,
        })
    }
}

/// Both ends of a route: whichever is missing is looked for too.
fn ends<A, B>(
    mut find: impl FnMut(&A, &'static str, Hits) -> Option<B>,
    from: &A,
    to: &A,
) -> Option<(B, B)> {
    let (from, to) = (find(from, "from", Hits::Anybody), find(to, "to", Hits::Anybody));
    Some((from?, to?))
}

impl<A: Display, R: Display> Fault<A, R> {
    /// For people: `psp: 100 % errors 503`.
    pub(crate) fn label(&self) -> String {
        let percent = |rate: f64| format!("{} %", (rate * 1000.0).round() / 10.0);
        let which = |instance: Option<u32>| instance.map_or(String::new(), |n| format!("[{n}]"));
        match self {
            Fault::Errors { actor, rate, status, instance } => {
                format!("{actor}{}: {} errors {status}", which(*instance), percent(*rate))
            }
            Fault::Hang { actor, rate, instance } => {
                format!("{actor}{}: {} hang", which(*instance), percent(*rate))
            }
            Fault::Crash { actor, instance } => format!("{actor}{}: crashed", which(*instance)),
            Fault::Outage { actor, instance } => {
                format!("{actor}{}: refuses connections", which(*instance))
            }
            Fault::BlackHole { actor, instance } => {
                format!("{actor}{}: unreachable", which(*instance))
            }
            Fault::Slow { actor, factor, instance } => {
                let which = which(*instance);
                match *factor {
                    0.0..1.0 => format!("{actor}{which}: {}x faster", times(1.0 / factor)),
                    _ => format!("{actor}{which}: {}x slower", times(*factor)),
                }
            }
            Fault::Pause { actor, instance } => format!("{actor}{}: paused", which(*instance)),
            Fault::Partition { from, to, both_ways, instance, to_instance } => {
                let arrow = if *both_ways { "<->" } else { "->" };
                let (own, of_to) = (which(*instance), which(*to_instance));
                format!("{from}{own}{arrow}{to}{of_to}: partitioned")
            }
            Fault::Loss { from, to, rate, instance, to_instance } => {
                let (own, of_to) = (which(*instance), which(*to_instance));
                format!("{from}{own}->{to}{of_to}: {} lost", percent(*rate))
            }
            Fault::Duplicate { from, to, rate, later, instance, to_instance } => {
                let own = which(*instance);
                let place = to_instance.map_or(String::new(), |n| format!(", again at {to}[{n}]"));
                let when = match later.is_zero() {
                    true => String::new(),
                    false => format!(", the copy {later} later"),
                };
                format!("{from}{own}->{to}: {} duplicated{place}{when}", percent(*rate))
            }
            Fault::Delay { from, to, by, instance, to_instance } => {
                format!("{from}{}->{to}{}: {by} later", which(*instance), which(*to_instance))
            }
            Fault::Throw { status } => format!("raises an error, {status}"),
            Fault::Stall => "stands still".to_owned(),
            Fault::Flush { store, instance } => {
                format!("{store}{}: forgets everything", which(*instance))
            }
            Fault::Failover { store } => format!("{store}: a replica takes over"),
            Fault::SplitBrain { store, actor, instance } => {
                let which = which(*instance);
                format!(
                    "{store}: a replica takes over, the old primary still serves {actor}{which}"
                )
            }
            Fault::Lag { store, by, replica } => {
                let who = match replica {
                    Some(replica) => format!("replica {replica}"),
                    None => "every replica".to_owned(),
                };
                match by {
                    Some(by) => format!("{store}: {who} is {by} further behind"),
                    None => format!("{store}: {who} is cut off from the primary"),
                }
            }
            Fault::User { client, does } => match does {
                Doing::Click => format!("{client}: the user clicks again"),
                Doing::Leave => format!("{client}: the user leaves"),
                Doing::NewKey => {
                    format!("{client}: the user leaves, and begins anew with a new key")
                }
                Doing::Refund => format!("{client}: the user asks for a refund"),
            },
            Fault::ClockStep { actor, forward, back, instance } => {
                let (span, way) = match (forward, back) {
                    (Some(span), _) => (*span, "ahead"),
                    (None, span) => (span.unwrap_or_default(), "behind"),
                };
                format!("{actor}{}: the clock is {span} {way}", which(*instance))
            }
            Fault::OutOfMemory { store } => format!("{store}: out of memory"),
            Fault::Evict { store, policy, share } => {
                format!("{store}: evicts {} of {}", percent(*share), victims(*policy))
            }
        }
    }
}

/// A factor to three digits behind the point.
fn times(factor: f64) -> f64 {
    (factor * 1000.0).round() / 1000.0
}

/// Which keys a policy removes, for people.
fn victims(policy: Eviction) -> &'static str {
    match policy {
        Eviction::NoEviction => "no key",
        Eviction::VolatileLru => "the keys with a lifetime, longest unused first",
        Eviction::VolatileLfu => "the keys with a lifetime, least used first",
        Eviction::VolatileTtl => "the keys with a lifetime, soonest to end first",
        Eviction::VolatileRandom => "the keys with a lifetime, at random",
        Eviction::AllKeysLru => "all keys, longest unused first",
        Eviction::AllKeysLfu => "all keys, least used first",
        Eviction::AllKeysRandom => "all keys, at random",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_route_is_looked_for_even_when_one_is_missing() {
        let cut: Fault<&str> = Fault::Partition {
            from: "a",
            to: "b",
            both_ways: true,
            instance: None,
            to_instance: None,
        };
        let mut asked = Vec::new();
        let find = |name: &&'static str, field, hits| {
            asked.push((*name, field, hits));
            None
        };
        let found: Option<Fault<u32>> = cut.map(find, |_, _| None);
        assert_eq!(found, None);
        assert_eq!(asked, [("a", "from", Hits::Anybody), ("b", "to", Hits::Anybody)]);
        assert_eq!(
            cut.map(|_, _, _| Some(3), |_, _| Some(0)).unwrap().label(),
            "3<->3: partitioned"
        );
    }
}
