//! The world of one run: every actor, and the one `match` that hands each event to its actor.
//!
//! A message is delivered, a task runs until it has to wait, a policy decides, an effect is
//! written to the ledger. The order of everything that happens at one instant is the order in
//! which it was scheduled. Invariants and metrics look on; they cannot draw or schedule.

#[cfg(test)]
mod bench;
mod broker;
mod client;
mod condition;
mod custom;
mod describe;
mod event;
mod fault;
mod flow;
mod ids;
mod luck;
mod network;
mod service;
mod shared;
mod stack;
mod store;
mod task;

use std::sync::Arc;

use sim_core::{Context, Model, Streams, Time};

use crate::outcome::{FaultMissed, RunLimit};
use crate::plan::{ActorId, ActorKind, BreakerId, FaultId, Plan, Trigger};

use broker::Brokers;
use client::Clients;
use custom::Customs;
pub(crate) use event::Event;
use fault::Faults;
pub(crate) use luck::Source;
use luck::{Luck, nth, of_instance};
use network::Network;
use service::Services;
pub(crate) use shared::Shared;
use stack::Stack;
use store::Stores;
use task::Tasks;

/// The most calls that policies may wake in one event. More than can wait at once by default: only
/// policies that go round in circles come here.
const WAKES_MAX: u32 = 10_000_000;

/// As rarely as the engine looks at what is held, between events.
const TURNS_PER_CHECK: u64 = 1024;

/// The state of one run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) shared: Shared,
    clients: Clients,
    tasks: Tasks,
    stack: Stack,
    network: Network,
    services: Services,
    stores: Stores,
    brokers: Brokers,
    customs: Customs,
    faults: Faults,
    /// How often [`World::may_go_on`] was asked.
    turns: u64,
}

pub(crate) type Ctx = Context<Event>;

impl Model for World {
    type Event = Event;

    fn fingerprint(event: &Event) -> u64 {
        event.fingerprint()
    }

    fn handle(&mut self, event: Event, ctx: &mut Ctx) {
        if let Some(owner) = self.paused_owner(event) {
            self.faults.park(owner, event);
            return;
        }
        match event {
            Event::Arrive(client) => self.arrive(client, ctx),
            Event::Burst(client) => self.burst(client, ctx),
            Event::Decide { client, user } => self.decide(client, user, ctx),
            Event::Submit { intent, submission } => self.submit(intent, submission, ctx),
            Event::Resume(task) => self.resume(task, ctx),
            Event::Leave(task) => self.leave(task, ctx),
            Event::Do { intent, does } => self.user_does(intent, does, ctx),
            Event::Send(request) => self.network.send_late(request, &mut self.shared, ctx),
            Event::Deliver(request) => self.deliver(request, ctx),
            Event::Answer(request) => self.answered(request, ctx),
            Event::Timer { call, layer, number } => self.timer(call, layer, number, ctx),
            Event::Served(request) => self.served(request, ctx),
            Event::Strike(fault) => {
                self.strike(fault, None, ctx);
                self.stores.look(&mut self.shared);
            }
            Event::Heal(fault) => self.heal(fault, ctx),
            Event::Reply(request) => self.reply(request, ctx),
            Event::Wake(wake) => self.wake_custom(wake, ctx),
            Event::WakeBreaker { breaker, instance } => {
                self.stack.wake_breaker((breaker, instance), &mut self.shared, ctx);
            }
            Event::Sweep { outlier, instance } => {
                self.stack.sweep((outlier, instance), &mut self.shared, ctx);
            }
            Event::Turn(job) => self.turn(job, ctx),
            Event::Visible(delivery) => self.visible(delivery, ctx),
            Event::Copied(copy) => self.copied(copy, ctx),
            Event::Disconnect(request) => self.disconnected(request, ctx),
            Event::Scale(actor) => self.scale(actor, ctx),
            Event::Started { actor, instance } => self.started(actor, instance, ctx),
        }
        self.run_ready(ctx);
    }

    fn memory_bytes(&self) -> usize {
        self.shared.memory_bytes()
            + self.tasks.memory_bytes()
            + self.stack.memory_bytes()
            + self.network.memory_bytes()
            + self.services.memory_bytes()
            + self.stores.memory_bytes()
            + self.brokers.memory_bytes()
            + self.customs.memory_bytes()
            + self.faults.memory_bytes()
    }
}

impl World {
    pub(crate) fn new(plan: Arc<Plan>, seed: u64) -> World {
        let streams = Streams::new(seed);
        World {
            clients: Clients::new(&plan, &streams),
            tasks: Tasks::default(),
            stack: Stack::new(&plan),
            network: Network::new(),
            services: Services::new(&plan),
            stores: Stores::new(&plan),
            brokers: Brokers::new(&plan),
            customs: Customs::new(&plan),
            faults: Faults::new(&plan),
            turns: 0,
            shared: Shared::new(plan, Luck::new(&streams)),
        }
    }

    /// From here on, what is drawn of these sources is drawn from another seed. What was drawn before
    /// stays as it is: lengths that run, messages under way, arrivals that are due.
    pub(crate) fn redraw(&mut self, seed: u64, is_redrawn: impl Fn(Source) -> bool) {
        let streams = Streams::new(seed);
        if is_redrawn(luck::ARRIVALS) {
            self.clients.redraw_arrivals(&streams);
        }
        self.shared.luck.take(&Luck::new(&streams), is_redrawn);
    }

    /// What was drawn of since this was asked last.
    pub(crate) fn drawn(&mut self) -> Vec<Source> {
        let arrivals = self.clients.drawn().then_some(luck::ARRIVALS);
        arrivals.into_iter().chain(self.shared.luck.drawn()).collect()
    }

    /// Schedules the first events: loads and timed faults.
    pub(crate) fn start(&mut self, ctx: &mut Ctx) {
        let plan = self.shared.plan.clone();
        self.stack.start(ctx);
        self.network.open_lanes(&plan, ctx);
        self.clients.open_lanes(&plan, ctx);
        for (n, fault) in plan.faults.iter().enumerate() {
            if let Trigger::At(at) = fault.trigger {
                ctx.schedule_at(Time::ZERO + at, Event::Strike(FaultId::nth(n)));
            }
        }
        for (n, actor) in plan.actors.iter().enumerate() {
            match &actor.kind {
                ActorKind::Client(_) => self.clients.start(ActorId::nth(n), &self.shared, ctx),
                ActorKind::Custom(_) => self.start_custom(ActorId::nth(n), ctx),
                ActorKind::Service(_) => {
                    self.services.start(ActorId::nth(n), &mut self.shared, ctx);
                }
                ActorKind::Kv { .. } | ActorKind::Broker => {}
            }
        }
        self.services.jobs.start(&mut self.shared, ctx);
    }

    /// Why the world stopped by itself, if it did.
    pub(crate) fn runaway(&self) -> Option<&RunLimit> {
        self.shared.runaway.as_ref()
    }

    /// How many there are of a breaker: one each instance of its caller that has called.
    pub(crate) fn breakers(&self, id: BreakerId) -> u32 {
        self.stack.breakers(id)
    }

    /// What was planned and never struck.
    pub(crate) fn faults_missed(&self) -> Vec<FaultMissed> {
        self.faults.missed(&self.shared)
    }

    /// Asked before each thing of which one event may do any number: whether it may be done. What is
    /// held meanwhile counts against the limits as it does between events.
    fn may_go_on(&mut self, ctx: &mut Ctx) -> bool {
        self.turns += 1;
        if self.turns.is_multiple_of(TURNS_PER_CHECK) {
            ctx.check_memory(self.memory_bytes());
        }
        !ctx.is_ended()
    }

    /// Goes on with every call and runs every task that can, in order, until all wait.
    fn run_ready(&mut self, ctx: &mut Ctx) {
        let mut wakes = 0;
        while self.may_go_on(ctx) {
            if let Some(woken) = self.stack.next_woken() {
                wakes += 1;
                if wakes == WAKES_MAX {
                    let policy = self.stack.policy_of(woken).to_owned();
                    return self.shared.run_away(RunLimit::Restless { policy }, ctx);
                }
                self.wake_call(woken, ctx);
            } else if let Some(task) = self.tasks.ready.pop_front() {
                self.run(task, ctx);
            } else {
                return;
            }
        }
    }
}
