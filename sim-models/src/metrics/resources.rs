//! Every resource of a run: where its levels and its counts are kept.
//!
//! The world names a resource by its id, which it looks up once or by an index, and sets a level or
//! counts an event. What is measured and counted of which kind stands in [`crate::resource`].

use sim_core::Time;

use super::levels::{Amount, Clock, Held};
use crate::plan::{ActorId, ActorKind, Plan};
use crate::resource::{
    LevelSeries, Quantity, Resource, ResourceEvent, ResourceKind, ResourceLevel,
};

/// A resource, in the order of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceId(u32);

/// All resources of a run.
#[derive(Clone, Debug)]
pub(super) struct Resources {
    clock: Clock,
    all: Vec<Observed>,
    levels: Vec<Held>,
    events: Vec<u64>,
    /// By actor: a service's own, or that of a store's primary; its replicas follow.
    by_actor: Vec<Option<ResourceId>>,
}

/// What a resource is, and where its levels and events begin.
#[derive(Clone, Debug)]
struct Observed {
    name: String,
    kind: ResourceKind,
    /// By quantity of its kind.
    bounds: Vec<Option<Amount>>,
    levels: usize,
    events: usize,
}

impl Resources {
    pub(super) fn new(plan: &Plan) -> Resources {
        let clock = Clock { width: plan.window, from: Time::ZERO + plan.warmup };
        let (all, levels, events) = (Vec::new(), Vec::new(), Vec::new());
        let by_actor = vec![None; plan.actors.len()];
        let mut resources = Resources { clock, all, levels, events, by_actor };
        for (n, actor) in plan.actors.iter().enumerate() {
            resources.by_actor[n] = match &actor.kind {
                ActorKind::Service(service) => {
                    let (name, up) = (actor.name.clone(), Amount::of(service.instances));
                    let workers = service.instances_max().saturating_mul(service.workers);
                    let bound = |quantity| match quantity {
                        Quantity::Busy => Some(Amount::of(workers)),
                        Quantity::Up => Some(Amount::of(service.instances_max())),
                        _ => None,
                    };
                    let id = resources.add(name, ResourceKind::Instances, bound);
                    resources.begin(id, Quantity::Up, up);
                    Some(id)
                }
                ActorKind::Kv(store) => {
                    let replicas = store.replicas.iter();
                    let replicas = replicas.map(|name| format!("{}, replica {name}", actor.name));
                    let has_old = !store.replicas.is_empty();
                    let old = has_old.then(|| format!("{}, replaced primary", actor.name));
                    let mut nodes = std::iter::once(actor.name.clone()).chain(replicas).chain(old);
                    let mut add = |name| {
                        let one = |quantity| (quantity == Quantity::Busy).then(|| Amount::of(1));
                        resources.add(name, ResourceKind::Store, one)
                    };
                    let primary = nodes.next().map(&mut add);
                    nodes.for_each(|name| {
                        add(name);
                    });
                    primary
                }
                ActorKind::Client(_) | ActorKind::Broker | ActorKind::Custom(_) => None,
            };
        }
        resources
    }

    fn add(
        &mut self,
        name: String,
        kind: ResourceKind,
        bound: impl Fn(Quantity) -> Option<Amount>,
    ) -> ResourceId {
        let id = ResourceId(u32::try_from(self.all.len()).expect("the file's size bounds them"));
        let bounds = kind.quantities().iter().map(|quantity| bound(*quantity)).collect();
        let (levels, events) = (self.levels.len(), self.events.len());
        self.all.push(Observed { name, kind, bounds, levels, events });
        let held = || Held::new(Amount::default(), self.clock);
        self.levels.resize_with(levels + kind.quantities().len(), held);
        self.events.resize(events + kind.events().len(), 0);
        id
    }

    /// The level with which the run begins.
    fn begin(&mut self, id: ResourceId, quantity: Quantity, level: Amount) {
        let n = self.place(id, quantity);
        self.levels[n] = Held::new(level, self.clock);
    }

    /// The resource of a service, or of the primary of a store.
    pub(super) fn of_actor(&self, actor: ActorId) -> Option<ResourceId> {
        self.by_actor[actor.index()]
    }

    /// The resource of a node of a store: of its primary 0, then of its replicas, then of a primary
    /// that a replica has replaced.
    pub(super) fn of_node(&self, store: ActorId, node: u32) -> Option<ResourceId> {
        self.of_actor(store).map(|ResourceId(primary)| ResourceId(primary + node))
    }

    fn place(&self, ResourceId(id): ResourceId, quantity: Quantity) -> usize {
        let Observed { kind, levels, .. } = self.all[id as usize];
        let n = kind.quantities().iter().position(|own| *own == quantity);
        levels + n.expect("a quantity of its kind")
    }

    #[inline]
    pub(super) fn set(&mut self, id: ResourceId, quantity: Quantity, level: Amount, now: Time) {
        let n = self.place(id, quantity);
        self.levels[n].set(level, now, self.clock);
    }

    pub(super) fn count(&mut self, ResourceId(id): ResourceId, event: ResourceEvent, times: u64) {
        let Observed { kind, events, .. } = self.all[id as usize];
        let n = kind.events().iter().position(|own| *own == event);
        self.events[events + n.expect("an event of its kind")] += times;
    }

    /// What there is to say of each, in order.
    pub(super) fn summaries(&self, end: Time) -> Vec<Resource> {
        let summary = |observed: &Observed| {
            let Observed { name, kind, bounds, levels, events } = observed;
            let level = |(n, quantity): (usize, &Quantity)| {
                let whole = self.levels[levels + n].whole(end, self.clock);
                ResourceLevel {
                    quantity: *quantity,
                    bound: bounds[n].map(Amount::as_f64),
                    mean: whole.mean,
                    least: whole.least.as_f64(),
                    most: whole.most.as_f64(),
                }
            };
            let counts = kind.events().iter().copied().zip(self.events[*events..].iter().copied());
            Resource {
                name: name.clone(),
                kind: *kind,
                levels: kind.quantities().iter().enumerate().map(level).collect(),
                events: counts.collect(),
            }
        };
        self.all.iter().map(summary).collect()
    }

    /// The levels that ever moved, in so many windows of a run that ended at an instant.
    pub(super) fn series(&self, count: usize, end: Time) -> Vec<LevelSeries> {
        let of_resource = |observed: &Observed| {
            let Observed { name, kind, bounds, levels, .. } = observed.clone();
            let held = self.levels[levels..].iter().zip(kind.quantities()).zip(bounds);
            let moved = held.filter(|((held, _), _)| held.has_moved());
            let series = moved.map(|((held, quantity), bound)| {
                let windows = held.windows(count, end, self.clock);
                let worst = windows.iter().map(|window| match quantity.is_worst_low() {
                    true => window.least.as_f64(),
                    false => window.most.as_f64(),
                });
                LevelSeries {
                    resource: name.clone(),
                    kind,
                    quantity: *quantity,
                    bound: bound.map(Amount::as_f64),
                    worst: worst.collect(),
                    mean: windows.iter().map(|window| window.mean).collect(),
                }
            });
            series.collect::<Vec<LevelSeries>>()
        };
        self.all.iter().flat_map(of_resource).collect()
    }
}
