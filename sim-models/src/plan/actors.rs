//! Actors: clients with their loads, services with their queues, stores, brokers.

use sim_core::Span;

use super::*;
use crate::custom::Make;

/// An actor.
#[derive(Clone, Debug)]
pub(crate) struct ActorPlan {
    pub name: String,
    /// Addresses its luck; made from the name, so that a new actor changes nobody else's.
    pub entity: u64,
    pub kind: ActorKind,
}

/// What an actor is.
#[derive(Clone, Debug)]
pub(crate) enum ActorKind {
    Client(ClientPlan),
    Service(ServicePlan),
    Kv(KvPlan),
    Broker,
    Custom(CustomPlan),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientPlan {
    pub load: LoadPlan,
    /// Processes over which the load is spread.
    pub count: u32,
    pub clicks: u32,
    pub apart: Span,
    pub patience: Option<Span>,
    /// How often a user begins anew, under a new key.
    pub new_keys: u32,
    pub body: Operand,
    pub program: ProgramId,
    pub refund: Option<ProgramId>,
    /// How long after deciding each user asks for a refund.
    pub refund_after: Option<Span>,
    /// How an intent's key reads: `{client}-{intent}`.
    pub key: Operand,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum LoadPlan {
    Open { rate: IntensityId, arrivals: Arrivals },
    Sessions { rate: IntensityId, arrivals: Arrivals, requests: Requests, think: DistId },
    Closed { users: u32, think: DistId, until: Span },
    Burst { count: u32, at: Span },
    Trace(TraceId),
}

impl LoadPlan {
    /// Until when a population comes. Its users come again only when they were answered: one who
    /// hangs raises no further intent.
    pub(crate) fn population_until(self) -> Option<Span> {
        match self {
            LoadPlan::Closed { until, .. } => Some(until),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ServicePlan {
    pub workers: u32,
    pub queue: WaitPlan,
    pub admission: AdmissionPlan,
    pub threads: Threads,
    pub on_disconnect: OnDisconnect,
    pub instances: u32,
    pub balancer: Balancer,
    pub stale: Span,
    pub autoscale: Option<AutoscalePlan>,
    pub gc: Option<Gc>,
    pub slow_start: Option<SlowStart>,
    pub contention: Option<Contention>,
}

impl ServicePlan {
    /// How many instances there are at most.
    pub(crate) fn instances_max(&self) -> u32 {
        self.autoscale.map_or(self.instances, |scale| scale.max.max(self.instances))
    }

    /// Work takes as long as it says.
    pub(crate) fn is_plain(&self) -> bool {
        self.gc.is_none() && self.slow_start.is_none() && self.contention.is_none()
    }
}

/// How requests wait at an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitPlan {
    pub kind: QueueKind,
    pub limit: u32,
    pub full: Full,
    pub max_wait: Option<Span>,
    pub classes: u16,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum QueueKind {
    Fifo,
    Lifo,
    AdaptiveLifo { above: u32 },
    Priority,
    Codel { target: Span, interval: Span },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AutoscalePlan {
    pub min: u32,
    pub max: u32,
    pub target_percent: u32,
    pub metric: ScaleMetric,
    /// Of one instance.
    pub workers: u32,
    pub every: Span,
    pub delay: Span,
    pub down_after: Span,
}

/// What a service does by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobPlan {
    pub actor: ActorId,
    pub program: ProgramId,
    pub on: JobOn,
    pub every: Span,
    pub from: Span,
}

/// A queue of a broker.
#[derive(Clone, Debug)]
pub(crate) struct QueuePlan {
    /// `events.orders`.
    pub name: String,
    pub broker: ActorId,
    pub subscribers: Vec<Subscriber>,
    pub visibility: Span,
    pub attempts_max: u32,
}

/// Who takes a queue's messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscriber {
    pub actor: ActorId,
    pub endpoint: EndpointId,
    pub pair: PairId,
}

/// Which node of a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Primary,
    /// By its number, from 0.
    Replica(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct KvPlan {
    pub service_time: DistId,
    /// Their names.
    pub replicas: Vec<String>,
    /// None: replicas have everything at once.
    pub lag: Option<DistId>,
    /// Fewer replicas that were heard of lately, and writes are refused.
    pub min_replicas: u32,
    /// How lately.
    pub max_lag: Span,
    pub persistence: Persistence,
    pub copies_to: Vec<ActorId>,
    /// It copies to another store, or another copies to it.
    pub regional: bool,
    pub active_expiry: bool,
}

impl KvPlan {
    /// Somebody hears of its writes: a replica, another region, or a file that lags behind.
    pub(crate) fn is_followed(&self) -> bool {
        let has_file =
            matches!(self.persistence, Persistence::Aof { fsync: Fsync::EverySec | Fsync::No });
        !self.replicas.is_empty() || self.regional || has_file
    }
}

/// An actor written in Rust.
#[derive(Clone, Debug)]
pub(crate) struct CustomPlan {
    pub kind: String,
    /// None only while the scenario is refused.
    pub make: Option<Make>,
    pub config: BTreeMap<String, String>,
    /// The kinds of its effects.
    pub effects: Vec<KindId>,
    /// Stands for what it does of its own accord.
    pub program: ProgramId,
    /// Whom it calls, by name: the program that does it.
    pub calls: Vec<(String, ProgramId)>,
}

/// A cache that every instance of a service has.
#[derive(Clone, Debug)]
pub(crate) struct ServiceCachePlan {
    pub name: String,
    pub owner: ActorId,
    pub ttl: Span,
    pub soft_ttl: Option<Span>,
    pub capacity: Option<u32>,
    pub coalesce: bool,
    /// Of XFetch.
    pub beta: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkPlan {
    pub latency: DistId,
    /// Set when the latency never varies.
    pub constant: Option<Span>,
    pub loss: f64,
    pub duplicate: f64,
}
