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
    /// The mean in each window.
    pub mean: Vec<f64>,
    /// In each window the extreme that is worse: the least of what there should be much of, the
    /// most of all else.
    pub worst: Vec<f64>,
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
        /// A node of a store: it carries out one command at a time.
        Store = "store",
    }
}

named! {
    /// What is measured of a resource.
    Quantity {
        /// Workers that are taken; of a store's node, whether it carries out a command.
        Busy = "busy",
        /// Requests or commands that wait in line.
        Waiting = "waiting",
        /// Instances that take requests.
        Up = "up",
    }
}

impl Quantity {
    /// Whether little of it is worse than much.
    pub const fn is_worst_low(self) -> bool {
        match self {
            Quantity::Up => true,
            Quantity::Busy | Quantity::Waiting => false,
        }
    }

    /// Which extreme is worse: `least` or `most`.
    pub const fn worst(self) -> &'static str {
        if self.is_worst_low() { "least" } else { "most" }
    }

    /// In what it is counted.
    pub const fn unit(self) -> &'static str {
        match self {
            Quantity::Busy => "workers",
            Quantity::Waiting => "requests",
            Quantity::Up => "instances",
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
    }
}

impl ResourceKind {
    /// What is measured of it.
    pub(crate) const fn quantities(self) -> &'static [Quantity] {
        match self {
            ResourceKind::Instances => &[Quantity::Busy, Quantity::Waiting, Quantity::Up],
            ResourceKind::Store => &[Quantity::Busy, Quantity::Waiting],
        }
    }

    /// What is counted of it.
    pub(crate) const fn events(self) -> &'static [ResourceEvent] {
        match self {
            ResourceKind::Instances | ResourceKind::Store => {
                &[ResourceEvent::Crashed, ResourceEvent::Restarted]
            }
        }
    }
}
