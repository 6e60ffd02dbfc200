//! Faults: what is active changes the conditions under which actors and routes work.
//!
//! Several faults may be active at once. Whenever one strikes or heals, the conditions are worked
//! out anew from all that are active, so that overlapping faults need no bookkeeping.

use sim_core::Span;

use crate::log::Note;
use crate::plan::{ActorId, ActorKind, FaultEntry, FaultId, FaultKind, Plan, PointId, Trigger};
use crate::world::condition::{Condition, RouteCondition};
use crate::world::network::either;
use crate::world::{Ctx, Event, World};

/// What a fault does to the very task that passed its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Nothing,
    /// It raises this status.
    Error(u16),
    /// It stands still for so long.
    Stall(Span),
}

/// What is active, and who waits for it to pass.
#[derive(Debug)]
pub(super) struct Faults {
    active: Vec<FaultId>,
    /// Events of a paused actor, in order.
    pub(super) parked: Vec<Vec<Event>>,
    /// How often each point was passed.
    passages: Vec<u32>,
}

impl Faults {
    pub(super) fn new(plan: &Plan) -> Faults {
        Faults {
            active: Vec::new(),
            parked: vec![Vec::new(); plan.actors.len()],
            passages: vec![0; plan.points.len()],
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.parked.iter().map(|events| events.capacity()).sum::<usize>() * size_of::<Event>()
    }
}

impl World {
    /// A program passes a labelled point; a fault may be waiting there.
    pub(super) fn pass(&mut self, point: PointId, ctx: &mut Ctx) -> Hit {
        self.faults.passages[point.index()] += 1;
        let passage = self.faults.passages[point.index()];
        let mut hit = Hit::Nothing;
        for n in 0..self.shared.plan.faults.len() {
            if let Trigger::After { point: at, nth } = self.shared.plan.faults[n].trigger
                && at == point
                && nth == passage
            {
                self.strike(FaultId::nth(n), ctx);
                let FaultEntry { fault, lasts, .. } = &self.shared.plan.faults[n];
                hit = match (hit, *fault, *lasts) {
                    // The first fault of a plan that hits the task is the one that does.
                    (Hit::Nothing, FaultKind::Throw { status }, _) => Hit::Error(status),
                    (Hit::Nothing, FaultKind::Stall, Some(length)) => Hit::Stall(length),
                    _ => hit,
                };
            }
        }
        hit
    }

    /// A fault begins. One that hits the very task that triggered it takes effect before the
    /// task's next instruction.
    pub(super) fn strike(&mut self, id: FaultId, ctx: &mut Ctx) {
        let fault = &self.shared.plan.faults[id.index()];
        let (kind, lasts) = (fault.fault, fault.lasts);
        ctx.observe(u64::from(id.0) << 1 | 1);
        self.shared.metrics.struck(id, ctx.now());
        self.shared.note(Note::Struck { fault: id }, ctx);
        match kind {
            FaultKind::Flush { store } if self.service(store).is_some() => {
                let plan = self.shared.plan.clone();
                self.services.caches.flush(&plan, store, None);
            }
            FaultKind::Flush { store } => self.flush(store, ctx),
            FaultKind::Evict { store, policy, share } => self.evict(id, store, policy, share, ctx),
            FaultKind::Failover { store } if lasts.is_none() => self.fail_over(store, ctx),
            _ => {}
        }
        let is_instant = match kind {
            FaultKind::Flush { .. } | FaultKind::Evict { .. } | FaultKind::Throw { .. } => true,
            FaultKind::Failover { .. } => lasts.is_none(),
            _ => false,
        };
        if is_instant {
            self.healed(id, ctx);
            return;
        }
        if let Some(lasts) = lasts {
            ctx.schedule_after(lasts, Event::Heal(id));
        }
        self.faults.active.push(id);
        self.refresh(ctx);
        if let FaultKind::Failover { store } = kind {
            self.fail_over(store, ctx);
        }
        if let FaultKind::Crash { actor, instance } = kind {
            if instance.is_none() {
                self.stack.break_connections(&self.shared.plan, actor);
            }
            match self.shared.plan.actors[actor.index()].kind {
                ActorKind::Service(_) => self.crash_service(actor, instance, ctx),
                ActorKind::Kv(_) => self.crash_store(actor, ctx),
                // What was published survives, and what is under way comes again.
                ActorKind::Broker => {}
                ActorKind::Client(_) | ActorKind::Custom(_) => unreachable!("checked"),
            }
        }
    }

    /// What was planned and never struck.
    pub(crate) fn faults_missed(&self) -> Vec<String> {
        let struck = |n: usize| {
            self.shared.metrics.strikes().iter().any(|(fault, ..)| *fault == FaultId::nth(n))
        };
        let missed = |(n, entry): (usize, &FaultEntry)| match entry.trigger {
            _ if struck(n) => None,
            Trigger::At(at) => Some(format!("{}, at {at}", entry.label)),
            Trigger::After { point, nth } => Some(format!(
                "{}, at passage {nth} of {}, which was passed {} times",
                entry.label,
                self.shared.plan.points[point.index()],
                self.faults.passages[point.index()],
            )),
        };
        self.shared.plan.faults.iter().enumerate().filter_map(missed).collect()
    }

    /// A fault ends.
    pub(super) fn heal(&mut self, id: FaultId, ctx: &mut Ctx) {
        self.faults.active.retain(|active| *active != id);
        self.healed(id, ctx);
        self.refresh(ctx);
        if let FaultKind::Crash { actor, instance } = self.shared.plan.faults[id.index()].fault
            && let Some(service) = self.service(actor)
        {
            service.restart(instance, ctx.now());
            self.report_level(actor, ctx);
        }
    }

    fn healed(&mut self, id: FaultId, ctx: &mut Ctx) {
        ctx.observe(u64::from(id.0) << 1);
        self.shared.metrics.healed(id, ctx.now());
        self.shared.note(Note::Healed { fault: id }, ctx);
    }

    /// Works out all conditions from the active faults; events of actors that are no longer
    /// paused happen now, in the order in which they waited.
    fn refresh(&mut self, ctx: &mut Ctx) {
        let clocks: Vec<i64> =
            self.shared.conditions.iter().map(|condition| condition.clock_ns).collect();
        self.shared.conditions.fill(Condition::default());
        self.network.routes.fill(RouteCondition::default());
        for n in 0..self.faults.active.len() {
            let fault = self.shared.plan.faults[self.faults.active[n].index()].fault;
            self.impose(fault);
        }
        for (n, before) in clocks.into_iter().enumerate() {
            if self.shared.conditions[n].clock_ns < before {
                self.clock_goes_back(ActorId::nth(n), before, ctx);
            }
        }
        for n in 0..self.faults.parked.len() {
            if !self.shared.conditions[n].paused {
                self.unpark(ActorId::nth(n), ctx);
            }
        }
    }

    /// Before a store's clock goes back, what had expired by it was deleted, unless the store
    /// deletes nothing by itself.
    fn clock_goes_back(&mut self, actor: ActorId, before_ns: i64, ctx: &Ctx) {
        if let ActorKind::Kv(kv) = &self.shared.plan.actors[actor.index()].kind
            && kv.active_expiry
        {
            let now_ns = i64::try_from(ctx.now().as_nanos()).unwrap_or(i64::MAX);
            let now_ms = now_ns.saturating_add(before_ns).div_euclid(1_000_000);
            self.expire_all(actor, now_ms, ctx);
        }
    }

    /// What waited for a paused actor happens now, in the order in which it came.
    pub(super) fn unpark(&mut self, actor: ActorId, ctx: &mut Ctx) {
        for event in std::mem::take(&mut self.faults.parked[actor.index()]) {
            ctx.schedule_at(ctx.now(), event);
        }
    }

    fn impose(&mut self, fault: FaultKind) {
        let conditions = &mut self.shared.conditions;
        match fault {
            FaultKind::Errors { actor, rate, status } => {
                conditions[actor.index()].errors.push((rate, status));
            }
            FaultKind::Hang { actor, rate } => {
                let hang = &mut conditions[actor.index()].hang;
                *hang = either(*hang, rate);
            }
            // The balancer knows of an instance that is down.
            FaultKind::Crash { instance: Some(_), .. } => {}
            FaultKind::Crash { actor, instance: None } => {
                let condition = &mut conditions[actor.index()];
                (condition.down, condition.crashed) = (true, true);
            }
            FaultKind::Outage { actor } | FaultKind::Failover { store: actor } => {
                conditions[actor.index()].down = true;
            }
            FaultKind::BlackHole { actor } => conditions[actor.index()].black_hole = true,
            FaultKind::Slow { actor, factor, instance } => {
                conditions[actor.index()].slow.push((instance, factor));
            }
            FaultKind::Pause { actor } => conditions[actor.index()].paused = true,
            FaultKind::Partition { from, to, both_ways } => {
                let (there, back) = (self.route(from, to), self.route(to, from));
                self.network.routes[there].cut = true;
                self.network.routes[back].cut |= both_ways;
            }
            FaultKind::Loss { from, to, rate } => {
                let route = self.route(from, to);
                self.network.routes[route].loss = either(self.network.routes[route].loss, rate);
            }
            FaultKind::Duplicate { from, to, rate } => {
                let route = self.route(from, to);
                self.network.routes[route].duplicate =
                    either(self.network.routes[route].duplicate, rate);
            }
            FaultKind::Delay { from, to, by } => {
                let route = self.route(from, to);
                self.network.routes[route].delay += by;
            }
            FaultKind::ClockStep { actor, by } => {
                let clock_ns = &mut conditions[actor.index()].clock_ns;
                *clock_ns = clock_ns.saturating_add(by);
            }
            FaultKind::OutOfMemory { store } => conditions[store.index()].out_of_memory = true,
            // These strike a task or a store once, and leave conditions as they are.
            FaultKind::Throw { .. }
            | FaultKind::Stall
            | FaultKind::Flush { .. }
            | FaultKind::Evict { .. } => {}
        }
    }
}
