//! What a run says of each resource: how much of it was in use, who waited, and what became of it.
//!
//! A resource is whatever there is too little of: workers, a store's one thread, permits, tokens.
//! It has *levels*, which are set when they change, and *events*, which are counted. Tables, JSON,
//! series and charts read all resources alike.

/// What is known of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// As people know it: `redis`, `api`, `api->psp provider, bulkhead`.
    pub name: String,
    /// What it is.
    pub kind: ResourceKind,
    /// How much of it there was, was in use or was waited for.
    pub levels: Vec<ResourceLevel>,
    /// How often what happened, over the whole run.
    pub events: Vec<(ResourceEvent, u64)>,
}

impl Resource {
    /// Whether anything ever happened to it.
    pub fn is_touched(&self) -> bool {
        self.levels.iter().any(|level| level.least < level.most)
            || self.events.iter().any(|(_, count)| *count > 0)
    }

    /// One of its levels.
    pub fn level(&self, quantity: Quantity) -> Option<&ResourceLevel> {
        self.levels.iter().find(|level| level.quantity == quantity)
    }

    /// How often something happened to it.
    pub fn event(&self, event: ResourceEvent) -> u64 {
        self.events.iter().find(|(found, _)| *found == event).map_or(0, |(_, count)| *count)
    }
}

/// A level of a resource, from the warm-up to the end.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceLevel {
    /// What is measured.
    pub quantity: Quantity,
    /// The most that there can be, where that is known and never moves.
    pub bound: Option<f64>,
    /// The mean, each value weighed by how long it lasted.
    pub mean: f64,
    /// The least at any instant.
    pub least: f64,
    /// The most at any instant.
    pub most: f64,
}

impl ResourceLevel {
    /// The extreme that is worse for who depends on the resource.
    pub fn worst(&self) -> f64 {
        if self.quantity.is_worst_low() { self.least } else { self.most }
    }
}

/// A level of a resource in each window. One that never moved has none: its value is that of
/// [`ResourceLevel::mean`].
#[derive(Clone, Debug, PartialEq)]
pub struct LevelSeries {
    /// The resource's name.
    pub resource: String,
    /// What the resource is.
    pub kind: ResourceKind,
    /// What is measured.
    pub quantity: Quantity,
    /// The most that there can be, where that is known and never moves.
    pub bound: Option<f64>,
    /// The mean in each window; `None` for a share of nothing.
    pub mean: Vec<Option<f64>>,
    /// In each window the extreme that is worse: the least of what there should be much of, the
    /// most of all else.
    pub worst: Vec<Option<f64>>,
}

/// The variants of an enum with the ids that they have in JSON, which stay as they are.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$own:meta])* $variant:ident = $id:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$own])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// Its name in JSON, which stays as it is.
            pub const fn id(self) -> &'static str {
                match self {
                    $($name::$variant => $id,)*
                }
            }
        }

        /// As people read it: the id with spaces.
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.id().replace('_', " "))
            }
        }
    };
}

named! {
    /// What a resource is.
    ResourceKind {
        /// The instances of a service, with their workers and queues.
        Instances = "instances",
        /// One of several instances of a service.
        Instance = "instance",
        /// A node of a store: it carries out one command at a time.
        Store = "store",
        /// A cache that each instance of a service has.
        Cache = "cache",
        /// A queue of a broker.
        Queue = "queue",
        /// A limit on the calls under way.
        Bulkhead = "bulkhead",
        /// Connections that are kept.
        Connections = "connections",
        /// What all calls of a caller may retry together.
        Budget = "retry_budget",
        /// A limit on the calls per time.
        RateLimiter = "rate_limiter",
        /// A limit on the calls under way that finds its own height.
        AdaptiveLimit = "concurrency_limit",
        /// A throttle that refuses at random.
        Throttle = "throttle",
        /// The choice among hosts that leaves out those that fail.
        OutlierDetection = "outlier_detection",
    }
}

named! {
    /// What is measured of a resource. Of a policy that several instances have, the value is that of
    /// the instance that is worst off; who waits is counted over all of them.
    Quantity {
        /// Workers that are taken; of a store's node, whether it carries out a command.
        Busy = "busy",
        /// Requests, commands or calls that wait for their turn.
        Waiting = "waiting",
        /// Instances that take requests.
        Up = "up",
        /// Reads that found their key, or lookups that found a value, as a share of all.
        HitRatio = "hit_ratio",
        /// Messages that nobody has acknowledged.
        Lag = "lag",
        /// Calls under way.
        InUse = "in_use",
        /// Connections that are open and not in use.
        Idle = "idle",
        /// What is left to spend.
        Tokens = "tokens",
        /// The most calls that may be under way.
        Limit = "limit",
        /// The chance that a call is refused.
        Refusing = "refusing",
        /// Hosts that are taken out.
        Ejected = "ejected",
    }
}

impl Quantity {
    /// Whether little of it is worse than much.
    pub const fn is_worst_low(self) -> bool {
        matches!(
            self,
            Quantity::Up | Quantity::HitRatio | Quantity::Idle | Quantity::Tokens | Quantity::Limit
        )
    }

    /// Whether it is counted over all instances that have one.
    pub(crate) const fn is_summed(self) -> bool {
        matches!(self, Quantity::Waiting)
    }

    /// Which extreme is worse: `least` or `most`.
    pub const fn worst(self) -> &'static str {
        if self.is_worst_low() { "least" } else { "most" }
    }

    /// In what it is counted; a share is from 0 to 1.
    pub const fn unit(self) -> &'static str {
        match self {
            Quantity::Busy => "workers",
            Quantity::Waiting => "requests",
            Quantity::Up => "instances",
            Quantity::HitRatio | Quantity::Refusing => "share",
            Quantity::Lag => "messages",
            Quantity::InUse | Quantity::Limit => "calls",
            Quantity::Idle => "connections",
            Quantity::Tokens => "tokens",
            Quantity::Ejected => "hosts",
        }
    }
}

named! {
    /// What happens to a resource.
    ResourceEvent {
        /// An instance or a node died.
        Crashed = "crashed",
        /// An instance or a node that had died came back.
        Restarted = "restarted",
        /// An autoscaler started an instance.
        Started = "started",
        /// An autoscaler took an instance out.
        Stopped = "stopped",
        /// A read found its key, or a lookup a value.
        Hit = "hits",
        /// A lookup found a value that was stale, and had it worked out anew meanwhile.
        Stale = "stale",
        /// A lookup worked a value out anew before it had expired: neither a hit nor a miss.
        Early = "early",
        /// A read or a lookup found nothing.
        Missed = "misses",
        /// A miss waited for somebody else's computation.
        Coalesced = "coalesced",
        /// A value was worked out.
        Computed = "computations",
        /// A key that nobody wrote again was past its time.
        Expired = "expired",
        /// A key or a value made room for others.
        Evicted = "evicted",
        /// A message was stored.
        Stored = "stored",
        /// A message was handed out once more.
        Redelivered = "redelivered",
        /// A message was handed out too often, and is given up.
        Dead = "dead",
        /// A call was let in at once.
        Admitted = "admitted",
        /// A retry was paid for.
        Granted = "granted",
        /// A call had to wait.
        Waited = "waited",
        /// A call or a retry was refused.
        Refused = "refused",
        /// A host was taken out.
        Ejected = "ejected",
        /// A host came back.
        Returned = "returned",
        /// So many hosts were out that the ejected ones were asked as well.
        Panicked = "panicked",
    }
}

impl ResourceKind {
    /// What is counted of it.
    pub(crate) const fn events(self) -> &'static [ResourceEvent] {
        use ResourceEvent::*;
        match self {
            ResourceKind::Instances => &[Crashed, Restarted, Started, Stopped],
            ResourceKind::Instance => &[],
            ResourceKind::Store => &[Crashed, Restarted, Hit, Missed, Expired, Evicted],
            ResourceKind::Cache => &[Hit, Stale, Early, Missed, Coalesced, Computed, Evicted],
            ResourceKind::Queue => &[Stored, Redelivered, Dead],
            ResourceKind::Bulkhead | ResourceKind::RateLimiter => &[Admitted, Waited, Refused],
            ResourceKind::Connections => &[Admitted, Waited],
            ResourceKind::Budget => &[Granted, Refused],
            ResourceKind::AdaptiveLimit | ResourceKind::Throttle => &[Admitted, Refused],
            ResourceKind::OutlierDetection => &[Ejected, Returned, Panicked, Refused],
        }
    }
}
