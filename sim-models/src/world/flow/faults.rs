//! Faults: what strikes goes to the part that it concerns, and heals.

use crate::lineage::What;
use crate::outcome::ResourceEvent;
use crate::plan::{ActorId, ActorKind, Fault, FaultId, PointId, Trigger};
use crate::world::fault::{Faults, Hit, SetBack};
use crate::world::network::Request;
use crate::world::{Ctx, World};

impl World {
    /// A program of an actor's instance passes a labelled point; faults may be waiting there.
    pub(in crate::world) fn pass(
        &mut self,
        point: PointId,
        by: (ActorId, u32),
        intent: u32,
        ctx: &mut Ctx,
    ) -> Hit {
        let passage = self.faults.pass(point);
        let what = What::Passed { point, nth: passage, actor: by.0 };
        self.shared.trace(intent, by.1, what, ctx);
        let mut hit = Hit::Nothing;
        for n in 0..self.shared.plan.faults.len() {
            if let Trigger::After { point: at, nth } = self.shared.plan.faults[n].trigger
                && at == point
                && nth == passage
            {
                self.strike(FaultId::nth(n), Some((by.0, by.1, intent)), ctx);
                self.stores.look(&mut self.shared);
                // The first fault of a plan that hits the task is the one that does.
                if hit == Hit::Nothing {
                    hit = Hit::of(&self.shared.plan.faults[n]);
                }
            }
        }
        hit
    }

    /// A fault begins: who has passed its point, at which instance, for which intent. One that hits
    /// the very task that triggered it takes effect before the task's next instruction.
    pub(in crate::world) fn strike(
        &mut self,
        id: FaultId,
        passer: Option<(ActorId, u32, u32)>,
        ctx: &mut Ctx,
    ) {
        let at = passer.map(|(actor, instance, _)| (actor, instance));
        let fault = Faults::strike(id, at, &mut self.shared, ctx);
        if self.is_idle() {
            self.faults.note_idle(id, ctx.now());
        }
        let lasts = self.shared.plan.faults[id.index()].lasts;
        match fault {
            Fault::Flush { store, instance } if self.services.is_service(store) => {
                self.services.caches.flush(&self.shared.plan, store, instance);
            }
            Fault::Flush { store, .. } => self.stores.flush(store, &mut self.shared, ctx),
            Fault::Evict { store, policy, share } => {
                self.stores.evict(id, store, (policy, share), &mut self.shared, ctx);
            }
            Fault::Failover { store } if lasts.is_none() => self.fail_over(store, ctx),
            // The task that passes the point raises it.
            Fault::Throw { .. } => {}
            Fault::User { client, does } => {
                let passing = passer.map(|(_, _, intent)| intent);
                if !self.users_do(client, does, passing, ctx) {
                    self.faults.note_userless(id, ctx.now());
                }
            }
            Fault::Errors { .. }
            | Fault::Hang { .. }
            | Fault::Crash { .. }
            | Fault::Outage { .. }
            | Fault::BlackHole { .. }
            | Fault::Slow { .. }
            | Fault::Pause { .. }
            | Fault::Partition { .. }
            | Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Delay { .. }
            | Fault::Stall
            | Fault::Failover { .. }
            | Fault::SplitBrain { .. }
            | Fault::Lag { .. }
            | Fault::ClockStep { .. }
            | Fault::OutOfMemory { .. } => {
                self.faults.activate(id, fault, lasts, ctx);
                self.impose(ctx);
                match fault {
                    Fault::Failover { store } => self.fail_over(store, ctx),
                    Fault::SplitBrain { store, .. } => self.split(store, ctx),
                    Fault::Lag { store, .. } => self.replication_changes(store, ctx),
                    Fault::Crash { actor, instance } => self.crash(actor, instance, ctx),
                    _ => {}
                }
                return;
            }
        }
        let _ = self.faults.heal(id, &mut self.shared, ctx);
    }

    /// Whether no program runs and no message is on its way.
    fn is_idle(&self) -> bool {
        let is_under_way = |request: &Request| !request.hangs;
        self.tasks.all.iter().next().is_none() && !self.network.requests.iter().any(is_under_way)
    }

    /// A process dies, or an instance of it.
    pub(super) fn crash(&mut self, actor: ActorId, instance: Option<u32>, ctx: &mut Ctx) {
        if instance.is_none() {
            self.stack.break_connections(actor);
        }
        match self.shared.plan.actors[actor.index()].kind {
            ActorKind::Service(_) => self.crash_service(actor, instance, ctx),
            ActorKind::Kv(_) => {
                let death = self.stores.crash(actor, &mut self.shared, ctx);
                self.bury(death, ctx);
            }
            // What was published survives, and what is under way comes again.
            ActorKind::Broker => {}
            ActorKind::Custom(_) => self.crash_custom(actor, ctx),
            ActorKind::Client(_) => {
                unreachable!("the scenario was checked: no fault crashes a client")
            }
        }
    }

    /// A fault ends.
    pub(in crate::world) fn heal(&mut self, id: FaultId, ctx: &mut Ctx) {
        let healed = self.faults.heal(id, &mut self.shared, ctx);
        self.impose(ctx);
        match healed {
            Some(Fault::Crash { actor, instance }) => self.restart(actor, instance, ctx),
            Some(Fault::SplitBrain { store, .. }) => self.demote(store, ctx),
            Some(Fault::Lag { store, .. }) => self.replication_changes(store, ctx),
            _ => {}
        }
    }

    /// A process is up again, or an instance of it. One that another fault holds down stays down.
    fn restart(&mut self, actor: ActorId, instance: Option<u32>, ctx: &mut Ctx) {
        if self.services.is_service(actor) {
            self.services.restart(actor, instance, &mut self.shared, ctx.now());
        } else if self.customs.is_dead(actor) && !self.shared.conditions[actor.index()].all.crashed
        {
            self.start_custom(actor, ctx);
        } else if !self.shared.conditions[actor.index()].all.crashed {
            self.shared.metrics.happened_at(actor, ResourceEvent::Restarted, 1);
        }
    }

    /// Other faults are active than before.
    fn impose(&mut self, ctx: &mut Ctx) {
        for SetBack { actor, before_ns } in self.faults.impose(&mut self.shared) {
            self.stores.clock_goes_back(actor, before_ns, &mut self.shared, ctx);
        }
        self.faults.unpark_all(&self.shared, ctx);
    }
}
