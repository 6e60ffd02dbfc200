//! Every resource of a run: where its levels and its counts are kept.
//!
//! The world names a resource by its id and sets a level or counts an event. What there is to be
//! known of a kind stands in [`crate::resource`]; what a policy has of it, in [`of_layer`].

use std::collections::BTreeMap;

use sim_core::Time;
use sim_policies::budget::{BudgetConfig, RetryBudget};
use sim_policies::bulkhead::Bulkhead;
use sim_policies::concurrency::ConcurrencyLimiter;
use sim_policies::rate_limiter::RateLimiter;

use super::levels::{Amount, Clock, Closed, Held, Share};
use crate::plan::{
    self, ActorId, ActorKind, ActorPlan, AdmissionPlan, KvPlan, LayerPlace, LayerPlan, Plan,
    QueueId, ServiceCacheId, ServicePlan, StackId,
};
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
    /// By actor: a service's own, or that of a store's primary; its other nodes follow.
    by_actor: Vec<Option<ResourceId>>,
    queues: Vec<ResourceId>,
    caches: Vec<ResourceId>,
    /// By actor: the first of its instances, where each has figures of its own.
    instances: Vec<Option<ResourceId>>,
    /// By actor.
    doors: Vec<Door>,
    /// By stack, then by layer.
    layers: Vec<Vec<Option<ResourceId>>>,
}

/// What stands before the workers of a service: limits on what is let in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Door {
    pub(crate) rate: Option<ResourceId>,
    pub(crate) concurrency: Option<ResourceId>,
}

/// What is known of a resource.
#[derive(Clone, Debug)]
struct Observed {
    name: String,
    kind: ResourceKind,
    levels: Vec<Level>,
    hits: Option<Share>,
    /// In the order of what is counted of its kind.
    events: Vec<u64>,
    /// By instance: the end of the window that nobody was told of yet.
    windows: Vec<Time>,
}

#[derive(Clone, Debug)]
struct Level {
    quantity: Quantity,
    bound: Option<Amount>,
    held: Held,
    /// Of a policy that several instances have.
    each: Option<Each>,
}

/// A level of each instance, as far as they are known.
#[derive(Clone, Debug, Default)]
struct Each {
    own: Vec<Option<Amount>>,
    /// How many have which.
    counts: BTreeMap<Amount, u32>,
    sum: Amount,
}

/// What is measured of a resource, its bound, and what it begins with.
type Measure = (Quantity, Option<Amount>, Amount);

const NONE: Amount = Amount::of(0);

impl Each {
    /// The level of one is this from now on; what that makes of all together.
    fn set(&mut self, instance: u32, level: Amount, quantity: Quantity) -> Amount {
        let n = instance as usize;
        self.own.resize(self.own.len().max(n + 1), None);
        let before = self.own[n].replace(level);
        if before == Some(level) {
            return self.all(quantity);
        }
        if let Some(before) = before {
            let count = self.counts.get_mut(&before).expect("it was counted");
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&before);
            }
            self.sum = self.sum.minus(before);
        }
        *self.counts.entry(level).or_default() += 1;
        self.sum = self.sum.plus(level);
        self.all(quantity)
    }

    fn all(&self, quantity: Quantity) -> Amount {
        let worst = match quantity.is_worst_low() {
            true => self.counts.first_key_value(),
            false => self.counts.last_key_value(),
        };
        if quantity.is_summed() { self.sum } else { worst.map_or(NONE, |(level, _)| *level) }
    }
}

impl Resources {
    pub(super) fn new(plan: &Plan) -> Resources {
        let clock = Clock { width: plan.window, from: Time::ZERO + plan.warmup };
        let mut resources = Resources {
            clock,
            all: Vec::new(),
            by_actor: Vec::new(),
            queues: Vec::new(),
            caches: Vec::new(),
            instances: Vec::new(),
            doors: Vec::new(),
            layers: Vec::new(),
        };
        for actor in &plan.actors {
            let own = match &actor.kind {
                ActorKind::Service(service) => {
                    let most = service.instances_max();
                    let workers = Amount::of(most.saturating_mul(service.workers));
                    let levels = [
                        (Quantity::Busy, Some(workers), NONE),
                        (Quantity::Waiting, None, NONE),
                        (Quantity::Up, Some(Amount::of(most)), Amount::of(service.instances)),
                    ];
                    Some(resources.add(actor.name.clone(), ResourceKind::Instances, &levels))
                }
                ActorKind::Kv(store) => Some(resources.add_store(&actor.name, store)),
                ActorKind::Client(_) | ActorKind::Broker | ActorKind::Custom(_) => None,
            };
            resources.by_actor.push(own);
        }
        for queue in &plan.queues {
            let levels = [(Quantity::Lag, None, NONE)];
            let id = resources.add(queue.name.clone(), ResourceKind::Queue, &levels);
            resources.queues.push(id);
        }
        for cache in &plan.service_caches {
            let name = format!("{}, cache {}", plan.actor_name(cache.owner), cache.name);
            let id = resources.add(name, ResourceKind::Cache, &[]);
            resources.caches.push(id);
        }
        (0..plan.stacks.len()).for_each(|n| resources.add_stack(plan, StackId::nth(n)));
        for (n, actor) in plan.actors.iter().enumerate() {
            resources.add_instances(plan, ActorId::nth(n));
            let door = match &actor.kind {
                ActorKind::Service(service) => resources.add_door(&actor.name, service),
                _ => Door::default(),
            };
            resources.doors.push(door);
        }
        resources
    }

    /// The nodes of a store: the primary, its replicas, and a primary that a replica has replaced.
    fn add_store(&mut self, name: &str, store: &KvPlan) -> ResourceId {
        let replicas = store.replicas.iter().map(|replica| format!("{name}, replica {replica}"));
        let has_old = !store.replicas.is_empty();
        let old = has_old.then(|| format!("{name}, replaced primary"));
        let levels = [(Quantity::Busy, Some(Amount::of(1)), NONE), (Quantity::Waiting, None, NONE)];
        let primary = self.add(name.to_owned(), ResourceKind::Store, &levels);
        for node in replicas.chain(old) {
            self.add(node, ResourceKind::Store, &levels);
        }
        primary
    }

    /// Each instance of a service of several.
    fn add_instances(&mut self, plan: &Plan, actor: ActorId) {
        let count = plan.instances_apart(actor);
        let ActorPlan { name, kind, .. } = &plan.actors[actor.index()];
        let mut first = None;
        if let ActorKind::Service(service) = kind {
            for n in 0..count {
                let is_up = u32::from(n < service.instances);
                let levels = [
                    (Quantity::Busy, Some(Amount::of(service.workers)), NONE),
                    (Quantity::Waiting, None, NONE),
                    (Quantity::Up, Some(Amount::of(1)), Amount::of(is_up)),
                ];
                let id = self.add(plan::instance_name(name, n), ResourceKind::Instance, &levels);
                first = first.or(Some(id));
            }
        }
        self.instances.push(first);
    }

    /// The limits of a service on what it lets in.
    fn add_door(&mut self, name: &str, service: &ServicePlan) -> Door {
        let checked = "the scenario was checked";
        let AdmissionPlan { rate, concurrency } = &service.admission;
        let has_several = service.instances_max() > 1;
        let rate = rate.as_ref().map(|limit| {
            let limiter = RateLimiter::new(limit.policy()).expect(checked);
            let permits = limiter.available(Time::ZERO).map(Amount::near);
            let tokens = permits.map(|permits| (Quantity::Tokens, Some(permits), permits));
            let levels: Vec<Measure> = tokens.into_iter().collect();
            let name = format!("{name}, {}", ResourceKind::RateLimiter);
            self.add_layer(
                name,
                (ResourceKind::RateLimiter, levels),
                has_several && !limit.is_shared(),
            )
        });
        let concurrency = concurrency.as_ref().map(|limit| {
            let most = ConcurrencyLimiter::new(limit.policy()).expect(checked).limit();
            let levels =
                vec![(Quantity::Limit, None, Amount::of(most)), (Quantity::InUse, None, NONE)];
            let name = format!("{name}, {}", ResourceKind::AdaptiveLimit);
            let is_each = has_several && !limit.is_shared();
            self.add_layer(name, (ResourceKind::AdaptiveLimit, levels), is_each)
        });
        Door { rate, concurrency }
    }

    /// What a policy has, which each instance may have.
    fn add_layer(
        &mut self,
        name: String,
        (kind, levels): (ResourceKind, Vec<Measure>),
        is_each: bool,
    ) -> ResourceId {
        let id = self.add(name, kind, &levels);
        if is_each {
            for level in &mut self.all[id.0 as usize].levels {
                level.each = Some(Each::default());
                // So many for each: there is no bound for all of them.
                level.bound = level.bound.filter(|_| !level.quantity.is_summed());
            }
        }
        id
    }

    fn add_stack(&mut self, plan: &Plan, stack: StackId) {
        let of = &plan.stacks[stack.index()];
        let mut kinds = Vec::new();
        let mut ids = Vec::new();
        for (layer, each) in of.layers.iter().enumerate() {
            let Some((kind, levels)) = of_layer(each) else {
                ids.push(None);
                continue;
            };
            kinds.push(kind);
            let nth = match kinds.iter().filter(|own| **own == kind).count() {
                1 => String::new(),
                n => format!(" {n}"),
            };
            let is_each = plan.names_instances(LayerPlace { stack, layer });
            let name = format!("{}, {kind}{nth}", of.name);
            ids.push(Some(self.add_layer(name, (kind, levels), is_each)));
        }
        self.layers.push(ids);
    }

    fn add(&mut self, name: String, kind: ResourceKind, levels: &[Measure]) -> ResourceId {
        let id = ResourceId(u32::try_from(self.all.len()).expect("the file's size bounds them"));
        let level = |(quantity, bound, begin): &Measure| Level {
            quantity: *quantity,
            bound: *bound,
            held: Held::new(*begin, self.clock),
            each: None,
        };
        let has_hits = matches!(kind, ResourceKind::Store | ResourceKind::Cache);
        self.all.push(Observed {
            name,
            kind,
            levels: levels.iter().map(level).collect(),
            hits: has_hits.then(Share::default),
            events: vec![0; kind.events().len()],
            windows: Vec::new(),
        });
        id
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

    pub(super) fn of_queue(&self, queue: QueueId) -> ResourceId {
        self.queues[queue.index()]
    }

    pub(super) fn of_cache(&self, cache: ServiceCacheId) -> ResourceId {
        self.caches[cache.index()]
    }

    /// One of several instances of a service.
    pub(super) fn of_instance(&self, actor: ActorId, instance: u32) -> Option<ResourceId> {
        self.instances[actor.index()].map(|ResourceId(first)| ResourceId(first + instance))
    }

    pub(super) fn of_door(&self, service: ActorId) -> Door {
        self.doors[service.index()]
    }

    pub(super) fn of_layer(&self, stack: StackId, layer: usize) -> Option<ResourceId> {
        self.layers[stack.index()][layer]
    }

    fn level(&mut self, ResourceId(id): ResourceId, quantity: Quantity) -> Option<&mut Level> {
        self.all[id as usize].levels.iter_mut().find(|level| level.quantity == quantity)
    }

    /// All levels are these from now on, in their order.
    pub(super) fn set_all<const N: usize>(
        &mut self,
        ResourceId(id): ResourceId,
        to: [Amount; N],
        now: Time,
    ) {
        let clock = self.clock;
        for (level, to) in self.all[id as usize].levels.iter_mut().zip(to) {
            level.held.set(to, now, clock);
        }
    }

    /// The end of a window that is over, each once, of what an instance has.
    pub(super) fn window_over(
        &mut self,
        (ResourceId(id), instance): (ResourceId, u32),
        now: Time,
    ) -> Option<Time> {
        let width = self.clock.width;
        let windows = &mut self.all[id as usize].windows;
        if windows.len() <= instance as usize {
            // It is told of from its first call on.
            let next = Time::ZERO + width * (now.as_nanos() / width.as_nanos() + 1);
            windows.resize(instance as usize + 1, next);
        }
        let next = &mut windows[instance as usize];
        let over = *next;
        (over <= now).then(|| {
            *next += width;
            over
        })
    }

    /// What one instance has of a level is this from now on; what is not measured of a resource is
    /// nothing to it.
    pub(super) fn set_of(
        &mut self,
        (id, instance): (ResourceId, u32),
        quantity: Quantity,
        to: Amount,
        now: Time,
    ) {
        let clock = self.clock;
        let Some(level) = self.level(id, quantity) else { return };
        let all = match &mut level.each {
            Some(each) => each.set(instance, to, quantity),
            None => to,
        };
        level.held.set(all, now, clock);
    }

    /// A level is so much higher or lower from now on.
    pub(super) fn change(&mut self, id: ResourceId, quantity: Quantity, by: i32, now: Time) {
        let clock = self.clock;
        if let Some(level) = self.level(id, quantity) {
            level.held.set(level.held.level().and(by), now, clock);
        }
    }

    /// A read or a lookup found something, or did not.
    pub(super) fn looked(&mut self, ResourceId(id): ResourceId, is_hit: bool, now: Time) {
        if let Some(hits) = &mut self.all[id as usize].hits {
            hits.count(is_hit, now, self.clock);
        }
    }

    /// Something has happened so often; what is not counted of a resource is nothing to it.
    pub(super) fn count(&mut self, ResourceId(id): ResourceId, event: ResourceEvent, times: u64) {
        let Observed { kind, events, .. } = &mut self.all[id as usize];
        if let Some(n) = kind.events().iter().position(|own| *own == event) {
            events[n] += times;
        }
    }

    /// How often something happened to all caches of a service, if it has any.
    pub(super) fn of_caches(
        &self,
        plan: &Plan,
        owner: ActorId,
        event: ResourceEvent,
    ) -> Option<u64> {
        let own = plan.service_caches.iter().zip(&self.caches);
        let own = own.filter(|(cache, _)| cache.owner == owner).map(|(_, id)| id);
        own.map(|ResourceId(id)| {
            let Observed { kind, events, .. } = &self.all[*id as usize];
            let place = kind.events().iter().position(|own| *own == event);
            place.map_or(0, |n| events[n])
        })
        .reduce(|all, own| all + own)
    }

    /// What there is to say of each, in order.
    pub(super) fn summaries(&self, count: usize, end: Time) -> Vec<Resource> {
        let level = |Level { quantity, bound, held, .. }: &Level| {
            let whole = held.whole(end, self.clock);
            ResourceLevel {
                quantity: *quantity,
                bound: bound.map(Amount::as_f64),
                mean: whole.mean,
                least: whole.least.as_f64(),
                most: whole.most.as_f64(),
            }
        };
        let hits = |share: &Share| {
            let windows = share.windows(count).into_iter().flatten();
            let (least, most) = (windows.clone().reduce(f64::min), windows.reduce(f64::max));
            Some(ResourceLevel {
                quantity: Quantity::HitRatio,
                bound: Some(1.0),
                mean: share.whole()?,
                least: least?,
                most: most?,
            })
        };
        let summary = |observed: &Observed| {
            let Observed { name, kind, levels, events, hits: share, .. } = observed;
            let share = share.as_ref().and_then(hits);
            Resource {
                name: name.clone(),
                kind: *kind,
                levels: levels.iter().map(level).chain(share).collect(),
                events: kind.events().iter().copied().zip(events.iter().copied()).collect(),
            }
        };
        self.all.iter().map(summary).collect()
    }

    /// The levels that ever moved, in so many windows of a run that ended at an instant.
    pub(super) fn series(&self, count: usize, end: Time) -> Vec<LevelSeries> {
        let of_resource = |Observed { name, kind, levels, hits, .. }: &Observed| {
            let series = |quantity: Quantity, bound: Option<Amount>, mean, worst| {
                let (resource, kind) = (name.clone(), *kind);
                let bound = bound.map(Amount::as_f64);
                LevelSeries { resource, kind, quantity, bound, mean, worst }
            };
            let moved = levels.iter().filter(|level| level.held.has_moved());
            let moved = moved.map(|Level { quantity, bound, held, .. }| {
                let windows = held.windows(count, end, self.clock);
                let worst = |window: &Closed| match quantity.is_worst_low() {
                    true => window.least.as_f64(),
                    false => window.most.as_f64(),
                };
                let mean = windows.iter().map(|window| Some(window.mean)).collect();
                let worst = windows.iter().map(|window| Some(worst(window))).collect();
                series(*quantity, *bound, mean, worst)
            });
            let hits = hits.iter().filter(|share| share.whole().is_some());
            let hits = hits.map(|share| {
                let windows = share.windows(count);
                series(Quantity::HitRatio, Some(Amount::of(1)), windows.clone(), windows)
            });
            moved.chain(hits).collect::<Vec<LevelSeries>>()
        };
        self.all.iter().flat_map(of_resource).collect()
    }
}

/// What a policy has of a resource, if it has any: the bound is of one instance.
fn of_layer(layer: &LayerPlan) -> Option<(ResourceKind, Vec<Measure>)> {
    let checked = "the scenario was checked";
    Some(match layer {
        LayerPlan::Bulkhead(config) => {
            let bulkhead = Bulkhead::new(config).expect(checked);
            let in_use = (Quantity::InUse, Some(Amount::of(bulkhead.limit())), NONE);
            let places = Some(bulkhead.places()).filter(|places| *places < u32::MAX);
            let waiting = (Quantity::Waiting, places.map(Amount::of), NONE);
            (ResourceKind::Bulkhead, vec![in_use, waiting])
        }
        LayerPlan::Connections(_) => {
            let levels = vec![(Quantity::Idle, None, NONE), (Quantity::InUse, None, NONE)];
            (ResourceKind::Connections, levels)
        }
        LayerPlan::Retry(retry) => {
            let config = retry.budget.as_ref()?;
            let budget = RetryBudget::new(config).expect(checked);
            let left = budget.left(Time::ZERO).map(Amount::near);
            let is_full = matches!(
                config,
                BudgetConfig::Bucket(_) | BudgetConfig::Grpc(_) | BudgetConfig::Aws(_)
            );
            let tokens = left.map(|left| (Quantity::Tokens, Some(left).filter(|_| is_full), left));
            (ResourceKind::Budget, tokens.into_iter().collect())
        }
        LayerPlan::RateLimiter(plan) => {
            let limiter = RateLimiter::new(&plan.limit).expect(checked);
            let permits = limiter.available(Time::ZERO).map(Amount::near);
            let tokens = permits.map(|permits| (Quantity::Tokens, Some(permits), permits));
            (ResourceKind::RateLimiter, tokens.into_iter().collect())
        }
        LayerPlan::ConcurrencyLimit(config) => {
            let limit = ConcurrencyLimiter::new(config).expect(checked).limit();
            let limit = (Quantity::Limit, None, Amount::of(limit));
            (ResourceKind::AdaptiveLimit, vec![limit, (Quantity::InUse, None, NONE)])
        }
        LayerPlan::Throttle(_) => {
            (ResourceKind::Throttle, vec![(Quantity::Refusing, Some(Amount::of(1)), NONE)])
        }
        LayerPlan::Outlier(outlier) => {
            let hosts = Some(Amount::of(outlier.hosts.len() as u32));
            (ResourceKind::OutlierDetection, vec![(Quantity::Ejected, hosts, NONE)])
        }
        LayerPlan::Timeout(_)
        | LayerPlan::Deadline(_)
        | LayerPlan::Breaker(_)
        | LayerPlan::Hedge(_)
        | LayerPlan::Upstream(_)
        | LayerPlan::Fallback(_)
        | LayerPlan::Custom(_) => return None,
    })
}
