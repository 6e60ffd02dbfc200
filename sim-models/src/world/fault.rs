//! Faults: what is active changes the conditions under which actors and routes work.
//!
//! Several faults may be active at once. Whenever one strikes or heals, the conditions are worked
//! out anew from all that are active, so that overlapping faults need no bookkeeping.

use sim_core::{Draw, Span};

use super::message::either;
use super::{Actor, Ctx, Event, World};
use crate::log::Note;
use crate::plan::{ActorId, ActorKind, FaultEntry, FaultId, FaultKind, PointId, Trigger};

/// Under what conditions an actor works.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// Connections are refused.
    pub(super) down: bool,
    /// The process is dead.
    pub(super) crashed: bool,
    /// Nothing comes in or goes out.
    pub(super) black_hole: bool,
    pub(super) paused: bool,
    /// By how much the wall clock is ahead, in nanoseconds.
    pub(super) clock_ns: i64,
    /// Commands that need memory fail.
    pub(super) out_of_memory: bool,
    /// The share of requests that are accepted and forgotten.
    pub(super) hang: f64,
    /// Shares of requests answered with a status.
    errors: Vec<(f64, u16)>,
    /// Factors on the length of work, of one instance or of all.
    slow: Vec<(Option<u32>, f64)>,
}

impl Condition {
    /// The status with which a request is answered unworked, if chance has it so.
    pub(super) fn error(&self, draws: &mut impl Draw) -> Option<u16> {
        self.errors.iter().find(|(rate, _)| draws.chance(*rate)).map(|(_, status)| *status)
    }
}

/// What a fault does to the very task that passed its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Nothing,
    /// It raises this status.
    Error(u16),
    /// It stands still for so long.
    Stall(Span),
}

/// Under what conditions messages travel one way between two actors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RouteCondition {
    pub(super) cut: bool,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) delay: Span,
}

impl World {
    /// A program passes a labelled point; a fault may be waiting there.
    pub(super) fn pass(&mut self, point: PointId, ctx: &mut Ctx) -> Hit {
        self.passages[point.index()] += 1;
        let passage = self.passages[point.index()];
        let mut hit = Hit::Nothing;
        for n in 0..self.plan.faults.len() {
            if let Trigger::After { point: at, nth } = self.plan.faults[n].trigger
                && at == point
                && nth == passage
            {
                self.strike(FaultId::nth(n), ctx);
                let FaultEntry { fault, lasts, .. } = &self.plan.faults[n];
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
        let fault = &self.plan.faults[id.index()];
        let (kind, lasts) = (fault.fault, fault.lasts);
        ctx.observe(u64::from(id.0) << 1 | 1);
        self.metrics.struck(id, ctx.now());
        self.note(Note::Struck { fault: id }, ctx);
        match kind {
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
        self.active_faults.push(id);
        self.refresh(ctx);
        if let FaultKind::Failover { store } = kind {
            self.fail_over(store, ctx);
        }
        if let FaultKind::Crash { actor, instance } = kind {
            if instance.is_none() {
                self.policies.break_connections(&self.plan, actor);
            }
            match self.actors[actor.index()] {
                Actor::Service(_) => self.crash_service(actor, instance, ctx),
                Actor::Store(_) => self.crash_store(actor, ctx),
                // What was published survives, and what is under way comes again.
                Actor::Broker(_) => {}
                Actor::Client(_) | Actor::Custom(_) => unreachable!("checked"),
            }
        }
    }

    /// What was planned and never struck.
    pub(crate) fn faults_missed(&self) -> Vec<String> {
        let struck =
            |n: usize| self.metrics.strikes().iter().any(|(fault, ..)| *fault == FaultId::nth(n));
        let missed = |(n, entry): (usize, &FaultEntry)| match entry.trigger {
            _ if struck(n) => None,
            Trigger::At(at) => Some(format!("{}, at {at}", entry.label)),
            Trigger::After { point, nth } => Some(format!(
                "{}, at passage {nth} of {}, which was passed {} times",
                entry.label,
                self.plan.points[point.index()],
                self.passages[point.index()],
            )),
        };
        self.plan.faults.iter().enumerate().filter_map(missed).collect()
    }

    /// A fault ends.
    pub(super) fn heal(&mut self, id: FaultId, ctx: &mut Ctx) {
        self.active_faults.retain(|active| *active != id);
        self.healed(id, ctx);
        self.refresh(ctx);
        if let FaultKind::Crash { actor, instance } = self.plan.faults[id.index()].fault
            && let Some(service) = self.service(actor)
        {
            service.restart(instance, ctx.now());
            self.report_level(actor, ctx);
        }
    }

    fn healed(&mut self, id: FaultId, ctx: &mut Ctx) {
        ctx.observe(u64::from(id.0) << 1);
        self.metrics.healed(id, ctx.now());
        self.note(Note::Healed { fault: id }, ctx);
    }

    /// Works out all conditions from the active faults; events of actors that are no longer
    /// paused happen now, in the order in which they waited.
    fn refresh(&mut self, ctx: &mut Ctx) {
        let clocks: Vec<i64> = self.conditions.iter().map(|condition| condition.clock_ns).collect();
        self.conditions.fill(super::Condition::default());
        self.routes.fill(RouteCondition::default());
        for n in 0..self.active_faults.len() {
            let fault = self.plan.faults[self.active_faults[n].index()].fault;
            self.impose(fault);
        }
        for (n, before) in clocks.into_iter().enumerate() {
            if self.conditions[n].clock_ns < before {
                self.clock_goes_back(ActorId::nth(n), before, ctx);
            }
        }
        for n in 0..self.parked.len() {
            if !self.conditions[n].paused {
                self.unpark(ActorId::nth(n), ctx);
            }
        }
    }

    /// Before a store's clock goes back, what had expired by it was deleted, unless the store
    /// deletes nothing by itself.
    fn clock_goes_back(&mut self, actor: ActorId, before_ns: i64, ctx: &Ctx) {
        if let ActorKind::Kv(kv) = &self.plan.actors[actor.index()].kind
            && kv.active_expiry
        {
            let now_ns = i64::try_from(ctx.now().as_nanos()).unwrap_or(i64::MAX);
            let now_ms = now_ns.saturating_add(before_ns).div_euclid(1_000_000);
            self.expire_all(actor, now_ms, ctx);
        }
    }

    /// What waited for a paused actor happens now, in the order in which it came.
    pub(super) fn unpark(&mut self, actor: ActorId, ctx: &mut Ctx) {
        for event in std::mem::take(&mut self.parked[actor.index()]) {
            ctx.schedule_at(ctx.now(), event);
        }
    }

    fn impose(&mut self, fault: FaultKind) {
        let conditions = &mut self.conditions;
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
                self.routes[there].cut = true;
                self.routes[back].cut |= both_ways;
            }
            FaultKind::Loss { from, to, rate } => {
                let route = self.route(from, to);
                self.routes[route].loss = either(self.routes[route].loss, rate);
            }
            FaultKind::Duplicate { from, to, rate } => {
                let route = self.route(from, to);
                self.routes[route].duplicate = either(self.routes[route].duplicate, rate);
            }
            FaultKind::Delay { from, to, by } => {
                let route = self.route(from, to);
                self.routes[route].delay += by;
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

    /// How long work takes an actor that may be slow.
    pub(super) fn slowed(&self, actor: ActorId, instance: u32, length: Span) -> Span {
        let slow = self.conditions[actor.index()].slow.iter();
        let factors = slow.filter(|(only, _)| only.is_none_or(|only| only == instance));
        factors.fold(length, |length, (_, factor)| length * *factor)
    }
}
