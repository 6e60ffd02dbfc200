//! What happens next: where one part of the world hands over to another.
//!
//! Each part returns what must happen elsewhere; only the functions here see two parts. They read
//! as lists, and a request can be followed downwards from its arrival to its verdict.

use sim_policies::Ending;
use sim_redis::value::Value;

use super::broker::Delivery;
use super::fault::{Faults, Hit, SetBack};
use super::network::{Answer, Arrival, Request, Returned, Sender};
use super::store::copies::{Parcel, RegionCopy};
use super::store::{Death, Served};
use super::{Ctx, Event, World};
use crate::plan::{ActorId, ActorKind, Fault, FaultId, PointId, Trigger, builtin};
use crate::pool::Id;

/// # Messages
impl World {
    /// A request comes to the end of its way.
    pub(super) fn deliver(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let actor = match self.network.deliver(id, &mut self.shared, ctx) {
            Arrival::Lost => return,
            Arrival::TurnedAway(ending) => return self.turn_away(id, ending, ctx),
            Arrival::At(actor) => actor,
        };
        match self.shared.plan.actors[actor.index()].kind {
            ActorKind::Service(_) => self.admit(id, ctx),
            ActorKind::Kv(_) => {
                let request = &mut self.network.requests[id];
                self.stores.enqueue(id, request, &self.shared, ctx);
            }
            ActorKind::Broker => self.publish(id, ctx),
            ActorKind::Custom(_) => self.ask_custom(id, ctx),
            ActorKind::Client(_) => unreachable!("nobody calls a client"),
        }
    }

    /// A request has its answer: its place at the service is free, and the answer goes out.
    pub(super) fn send_answer(&mut self, id: Id<Request>, answer: Answer, ctx: &mut Ctx) {
        self.leave_admission(id, answer.ending, ctx);
        self.network.answer(id, answer, &mut self.shared, ctx);
    }

    /// A request is not served: its place at the service is free, and its caller notices.
    pub(super) fn turn_away(&mut self, id: Id<Request>, ending: Ending, ctx: &mut Ctx) {
        self.leave_admission(id, ending, ctx);
        self.network.turn_away(id, ending, &mut self.shared, ctx);
    }

    /// An answer comes to its caller, which may have stopped waiting for it.
    pub(super) fn answered(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(returned) = self.network.hand_back(id, &mut self.shared, ctx) else { return };
        let Returned { sender, attempt, answer, by, worked } = returned;
        match sender {
            Sender::Call(call) => {
                if !self.awaits(call, attempt) || answer.ending == Ending::Reset {
                    self.shared.metrics.wasted(by, worked, ctx.now());
                }
                self.settle_attempt(call, attempt, answer, ctx);
            }
            Sender::Delivery(delivery) => {
                self.brokers.settle(delivery, answer, &mut self.shared, ctx);
            }
        }
    }
}

/// # Stores
impl World {
    /// A store has carried out a command, or a wait at it is over.
    pub(super) fn served(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(actor) = self.network.requests.get(id).map(|request| request.to) else { return };
        if self.stores.is_watched_by_many(actor) {
            self.stores.forget_watches(actor, self.running_executions());
        }
        let served = self.stores.serve(actor, id, &mut self.shared, ctx);
        let Some(Served { answer, next }) = served else { return };
        self.send_copies(ctx);
        if let Some(answer) = answer {
            self.send_answer(id, answer, ctx);
        }
        if let Some(node) = next {
            self.stores.begin_next(actor, node, &self.shared, ctx);
        }
    }

    fn running_executions(&self) -> Vec<Value> {
        self.tasks.iter().map(|task| task.get(builtin::EXECUTION)).collect()
    }

    /// A copy comes to its region, or is to be sent again.
    pub(super) fn copied(&mut self, id: Id<RegionCopy>, ctx: &mut Ctx) {
        self.stores.copied(id, &mut self.shared, ctx);
        self.send_copies(ctx);
    }

    /// Sends what stores have written to other regions.
    fn send_copies(&mut self, ctx: &mut Ctx) {
        while let Some(Parcel { copy, from, to, index }) = self.stores.next_parcel() {
            let event = Event::Copied(copy);
            let arrives = self.network.ship(from, to, index, event, &self.shared, ctx);
            self.stores.sent(copy, arrives, ctx);
        }
    }

    fn fail_over(&mut self, store: ActorId, ctx: &mut Ctx) {
        let death = self.stores.fail_over(store, &mut self.shared, ctx);
        self.bury(death, ctx);
    }

    /// A store's process has died: its connections break.
    fn bury(&mut self, Death { cut_off, lost }: Death, ctx: &mut Ctx) {
        for request in cut_off {
            self.turn_away(request, Ending::Reset, ctx);
        }
        if let Some(lost) = lost {
            lost.tell(&mut self.shared, ctx);
        }
    }
}

/// # Brokers
impl World {
    /// A message is stored, acknowledged to its publisher, and handed out.
    fn publish(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let stored = self.brokers.store(&self.network.requests[id], &mut self.shared, ctx);
        self.send_answer(id, stored.receipt(), ctx);
        for n in 0..stored.subscribers {
            let message = self.brokers.deliver_to(&stored, n, &mut self.shared, ctx);
            self.hand_out(message, ctx);
        }
    }

    /// A message that nobody has acknowledged can be seen again.
    pub(super) fn visible(&mut self, id: Id<Delivery>, ctx: &mut Ctx) {
        let message = self.brokers.visible(id, &mut self.shared, ctx);
        self.hand_out(message, ctx);
    }

    /// Sends a message to its subscriber, unless its broker keeps it for now.
    fn hand_out(&mut self, message: Option<Request>, ctx: &mut Ctx) {
        if let Some(message) = message {
            self.network.post_new(message, &mut self.shared, ctx);
        }
    }
}

/// # Actors written in Rust
impl World {
    pub(super) fn start_custom(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let orders = self.customs.start(actor, &mut self.shared, ctx);
        orders.carry_out(&mut self.network.requests, ctx);
    }

    fn ask_custom(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let request = &self.network.requests[id];
        let orders = self.customs.ask(id, request, &mut self.shared, ctx);
        orders.carry_out(&mut self.network.requests, ctx);
    }

    pub(super) fn wake_custom(&mut self, actor: ActorId, token: u64, ctx: &mut Ctx) {
        let orders = self.customs.wake(actor, token, &mut self.shared, ctx);
        orders.carry_out(&mut self.network.requests, ctx);
    }

    /// A custom actor's answer is due.
    pub(super) fn reply(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let answer = self.network.requests[id].answer;
        self.send_answer(id, answer, ctx);
    }
}

/// # Faults
impl World {
    /// A program passes a labelled point; faults may be waiting there.
    pub(super) fn pass(&mut self, point: PointId, ctx: &mut Ctx) -> Hit {
        let passage = self.faults.pass(point);
        let mut hit = Hit::Nothing;
        for n in 0..self.shared.plan.faults.len() {
            if let Trigger::After { point: at, nth } = self.shared.plan.faults[n].trigger
                && at == point
                && nth == passage
            {
                self.strike(FaultId::nth(n), ctx);
                // The first fault of a plan that hits the task is the one that does.
                if hit == Hit::Nothing {
                    hit = Hit::of(&self.shared.plan.faults[n]);
                }
            }
        }
        hit
    }

    /// A fault begins. One that hits the very task that triggered it takes effect before the
    /// task's next instruction.
    pub(super) fn strike(&mut self, id: FaultId, ctx: &mut Ctx) {
        Faults::strike(id, &mut self.shared, ctx);
        let entry = &self.shared.plan.faults[id.index()];
        let (fault, lasts) = (entry.fault, entry.lasts);
        match fault {
            Fault::Flush { store } if self.service(store).is_some() => {
                self.services.caches.flush(&self.shared.plan, store, None);
            }
            Fault::Flush { store } => self.stores.flush(store, &mut self.shared, ctx),
            Fault::Evict { store, policy, share } => {
                self.stores.evict(id, store, (policy, share), &mut self.shared, ctx);
            }
            Fault::Failover { store } if lasts.is_none() => self.fail_over(store, ctx),
            // The task that passes the point raises it.
            Fault::Throw { .. } => {}
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
            | Fault::ClockStep { .. }
            | Fault::OutOfMemory { .. } => {
                self.faults.activate(id, lasts, ctx);
                self.impose(ctx);
                match fault {
                    Fault::Failover { store } => self.fail_over(store, ctx),
                    Fault::Crash { actor, instance } => self.crash(actor, instance, ctx),
                    _ => {}
                }
                return;
            }
        }
        self.faults.heal(id, &mut self.shared, ctx);
    }

    /// A process dies, or an instance of it.
    fn crash(&mut self, actor: ActorId, instance: Option<u32>, ctx: &mut Ctx) {
        if instance.is_none() {
            self.stack.policies.break_connections(&self.shared.plan, actor);
        }
        match self.shared.plan.actors[actor.index()].kind {
            ActorKind::Service(_) => self.crash_service(actor, instance, ctx),
            ActorKind::Kv(_) => {
                let death = self.stores.crash(actor, &mut self.shared, ctx);
                self.bury(death, ctx);
            }
            // What was published survives, and what is under way comes again.
            ActorKind::Broker => {}
            ActorKind::Client(_) | ActorKind::Custom(_) => unreachable!("checked"),
        }
    }

    /// A fault ends.
    pub(super) fn heal(&mut self, id: FaultId, ctx: &mut Ctx) {
        self.faults.heal(id, &mut self.shared, ctx);
        self.impose(ctx);
        if let Fault::Crash { actor, instance } = self.shared.plan.faults[id.index()].fault
            && let Some(service) = self.service(actor)
        {
            service.restart(instance, ctx.now());
            self.report_level(actor, ctx);
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
