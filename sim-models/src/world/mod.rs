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
mod fault;
mod flow;
mod luck;
mod network;
mod service;
mod shared;
mod stack;
mod store;
mod task;

use std::sync::Arc;

use sim_core::{Context, Model, Streams, Time, mix};
use sim_redis::value::{Texts, Value};

use crate::custom::CustomActor;
use crate::outcome::RunLimit;
use crate::plan::{
    ActorId, ActorKind, ActorPlan, BreakerId, FaultId, JobId, Operand, OutlierId, Part, Plan, Reg,
    Trigger,
};
use crate::pool::Id;

use broker::{Brokers, Delivery};
use client::Clients;
use custom::Customs;
use fault::Faults;
use luck::Luck;
use network::{Network, Request};
use service::Services;
pub(crate) use shared::Shared;
use stack::{Call, Stack};
use store::Stores;
use store::copies::RegionCopy;
use task::{Task, Tasks};

/// Something that happens at an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The next intent of an open load arises.
    Arrive(ActorId),
    /// A burst begins.
    Burst(ActorId),
    /// A closed-loop user has thought.
    Decide { client: ActorId, user: u32 },
    /// The user submits an intent.
    Submit { intent: u32, submission: u32 },
    /// A task has worked or slept.
    Resume(Id<Task>),
    /// The user's patience ends.
    Leave(Id<Task>),
    /// A request arrives.
    Deliver(Id<Request>),
    /// An answer arrives.
    Answer(Id<Request>),
    /// A timeout, or the wait before a retry, is over.
    Timer { call: Id<Call>, layer: u8, number: u32 },
    /// A store has carried out a command.
    Served(Id<Request>),
    /// A planned fault begins.
    Strike(FaultId),
    /// A fault ends.
    Heal(FaultId),
    /// A custom actor's answer is due.
    Reply(Id<Request>),
    /// A custom actor asked to be woken.
    Wake { actor: ActorId, token: u64 },
    /// A breaker acts by itself.
    WakeBreaker(BreakerId),
    /// Outlier detection looks at its endpoints.
    Sweep(OutlierId),
    /// A job's turn has come.
    Turn(JobId),
    /// A message may be handed out again.
    Visible(Id<Delivery>),
    /// A write arrives at a store of another region, or is sent there again.
    Copied(Id<RegionCopy>),
    /// A service hears that a request's caller has stopped waiting.
    Disconnect(Id<Request>),
    /// An autoscaler looks.
    Scale(ActorId),
    /// An instance's start is over.
    Started { actor: ActorId, instance: u32 },
}

/// An event is copied through the queue: it stays within 16 bytes.
const _: () = assert!(size_of::<Event>() <= 16);

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
}

pub(crate) type Ctx = Context<Event>;

impl Model for World {
    type Event = Event;

    fn fingerprint(event: &Event) -> u64 {
        let (kind, word) = match *event {
            Event::Arrive(actor) => (1, actor.0.into()),
            Event::Burst(actor) => (2, actor.0.into()),
            Event::Decide { client, user } => (3, u64::from(client.0) << 32 | u64::from(user)),
            Event::Submit { intent, submission } => {
                (4, u64::from(submission) << 32 | u64::from(intent))
            }
            Event::Resume(task) => (5, task.word()),
            Event::Leave(task) => (6, task.word()),
            Event::Deliver(request) => (7, request.word()),
            Event::Answer(request) => (8, request.word()),
            Event::Timer { call, layer, .. } => (9 + (u64::from(layer) << 8), call.word()),
            Event::Served(request) => (10, request.word()),
            Event::Strike(fault) => (11, fault.0.into()),
            Event::Heal(fault) => (12, fault.0.into()),
            Event::Reply(request) => (14, request.word()),
            Event::Wake { actor, token } => (13 + (u64::from(actor.0) << 8), token),
            Event::WakeBreaker(breaker) => (15, breaker.0.into()),
            Event::Sweep(outlier) => (16, outlier.0.into()),
            Event::Turn(job) => (17, job.0.into()),
            Event::Visible(delivery) => (18, delivery.word()),
            Event::Copied(copy) => (19, copy.word()),
            Event::Disconnect(request) => (20, request.word()),
            Event::Scale(actor) => (21, actor.0.into()),
            Event::Started { actor, instance } => {
                (22, u64::from(actor.0) << 32 | u64::from(instance))
            }
        };
        mix(kind, word)
    }

    fn handle(&mut self, event: Event, ctx: &mut Ctx) {
        if let Some(actor) = self.paused_owner(event) {
            self.faults.park(actor, event);
            return;
        }
        match event {
            Event::Arrive(client) => self.arrive(client, ctx),
            Event::Burst(client) => self.burst(client, ctx),
            Event::Decide { client, user } => self.decide(client, user, ctx),
            Event::Submit { intent, submission } => self.submit(intent, submission, ctx),
            Event::Resume(task) => self.resume(task, ctx),
            Event::Leave(task) => self.leave(task, ctx),
            Event::Deliver(request) => self.deliver(request, ctx),
            Event::Answer(request) => self.answered(request, ctx),
            Event::Timer { call, layer, number } => self.timer(call, layer, number, ctx),
            Event::Served(request) => self.served(request, ctx),
            Event::Strike(fault) => self.strike(fault, ctx),
            Event::Heal(fault) => self.heal(fault, ctx),
            Event::Reply(request) => self.reply(request, ctx),
            Event::Wake { actor, token } => self.wake_custom(actor, token, ctx),
            Event::WakeBreaker(breaker) => self.wake_breaker(breaker, ctx),
            Event::Sweep(outlier) => self.sweep(outlier, ctx),
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
            + self.faults.memory_bytes()
    }
}

impl World {
    pub(crate) fn new(
        plan: Arc<Plan>,
        seed: u64,
        custom: impl FnMut(&ActorPlan) -> Box<dyn CustomActor>,
    ) -> World {
        let streams = Streams::new(seed);
        World {
            clients: Clients::new(&plan, &streams),
            tasks: Tasks::default(),
            stack: Stack::new(&plan),
            network: Network::new(),
            services: Services::new(&plan),
            stores: Stores::new(&plan),
            brokers: Brokers::new(&plan),
            customs: Customs::new(&plan, custom),
            faults: Faults::new(&plan),
            shared: Shared::new(plan, Luck::new(&streams)),
        }
    }

    /// Schedules the first events: loads and timed faults.
    pub(crate) fn start(&mut self, ctx: &mut Ctx) {
        let plan = self.shared.plan.clone();
        self.stack.open_lanes(&plan, ctx);
        self.network.open_lanes(&plan, ctx);
        self.clients.open_lanes(&plan, ctx);
        for (n, fault) in plan.faults.iter().enumerate() {
            if let Trigger::At(at) = fault.trigger {
                ctx.schedule_at(Time::ZERO + at, Event::Strike(FaultId::nth(n)));
            }
        }
        for (n, actor) in plan.actors.iter().enumerate() {
            match &actor.kind {
                ActorKind::Client(client) => self.start_client(ActorId::nth(n), client.load, ctx),
                ActorKind::Custom(_) => self.start_custom(ActorId::nth(n), ctx),
                ActorKind::Service(service) => {
                    self.report_level(ActorId::nth(n), ctx);
                    if let Some(scale) = service.autoscale {
                        ctx.schedule_after(scale.every, Event::Scale(ActorId::nth(n)));
                    }
                }
                ActorKind::Kv { .. } | ActorKind::Broker => {}
            }
        }
        self.start_jobs(ctx);
    }

    /// Why the world stopped by itself, if it did.
    pub(crate) fn runaway(&self) -> Option<&RunLimit> {
        self.tasks.runaway.as_ref()
    }

    /// What was planned and never struck.
    pub(crate) fn faults_missed(&self) -> Vec<String> {
        self.faults.missed(&self.shared)
    }

    /// Goes on with every call and runs every task that can, in order, until all wait.
    fn run_ready(&mut self, ctx: &mut Ctx) {
        while self.tasks.runaway.is_none() {
            if let Some(woken) = self.stack.woken.pop_front() {
                self.wake_call(woken, ctx);
            } else if let Some(task) = self.tasks.ready.pop_front() {
                self.run(task, ctx);
            } else {
                return;
            }
        }
    }

    /// The paused actor to which an event belongs, if it does.
    fn paused_owner(&self, event: Event) -> Option<ActorId> {
        let owner = match event {
            Event::Resume(task) => self.tasks.get(task)?.actor,
            Event::Deliver(request) => {
                let to = self.network.requests.get(request)?.to;
                // A dead process refuses, whatever it was paused for.
                if self.shared.conditions[to.index()].down {
                    return None;
                }
                to
            }
            Event::Served(request) | Event::Disconnect(request) => {
                self.network.requests.get(request)?.to
            }
            Event::Copied(copy) => self.stores.holder_of(copy)?,
            Event::Answer(request) => self.network.requests.get(request)?.from,
            Event::Timer { call, .. } => self.tasks.get(self.stack.calls.get(call)?.task)?.actor,
            Event::Visible(delivery) => self.brokers.broker_of(delivery, &self.shared)?,
            _ => return None,
        };
        self.shared.conditions[owner.index()].paused.then_some(owner)
    }

    /// What an event is, for people.
    pub(crate) fn describe(&self, event: Event) -> String {
        let actor = |id: ActorId| self.shared.plan.actor_name(id);
        let task = |id: Id<Task>| match self.tasks.get(id) {
            Some(task) => {
                let intent = self.shared.intent_name(task.intent);
                format!("{} for {intent}", self.shared.plan.programs[task.program().index()].name)
            }
            None => "a task that is gone".to_owned(),
        };
        let request = |id: Id<Request>| match self.network.requests.get(id) {
            Some(request) => {
                let (pair, intent) = (request.pair, self.shared.intent_name(request.intent));
                format!(
                    "{} attempt {} for {intent}",
                    self.shared.plan.pair_name(pair),
                    request.attempt
                )
            }
            None => "a message that is gone".to_owned(),
        };
        match event {
            Event::Arrive(client) => format!("arrival at {}", actor(client)),
            Event::Burst(client) => format!("burst at {}", actor(client)),
            Event::Decide { client, user } => format!("user {user} of {} decides", actor(client)),
            Event::Submit { intent, submission } => {
                format!("click {submission} of {}", self.shared.intent_name(intent))
            }
            Event::Resume(id) => format!("resume {}", task(id)),
            Event::Leave(id) => format!("patience ends: {}", task(id)),
            Event::Deliver(id) => format!("request {}", request(id)),
            Event::Answer(id) => format!("answer {}", request(id)),
            Event::Timer { call, layer, .. } => match self.stack.calls.get(call) {
                Some(call) => format!("timer of policy {layer}: {}", task(call.task)),
                None => "a timer that is gone".to_owned(),
            },
            Event::Served(id) => format!("command done {}", request(id)),
            Event::Strike(fault) => {
                format!("fault: {}", self.shared.plan.faults[fault.index()].label)
            }
            Event::Heal(fault) => {
                format!("healed: {}", self.shared.plan.faults[fault.index()].label)
            }
            Event::Reply(id) => format!("reply {}", request(id)),
            Event::Wake { actor: id, token } => format!("wake {} ({token})", actor(id)),
            Event::Copied(id) => match self.stores.way_of(id) {
                Some((from, to)) => format!("copy {}->{}", actor(from), actor(to)),
                None => "a copy that is gone".to_owned(),
            },
            Event::WakeBreaker(id) => {
                format!("breaker {}", self.shared.plan.breakers[id.index()].name)
            }
            Event::Sweep(id) => {
                format!("outlier detection {}", self.shared.plan.outliers[id.index()].name)
            }
            Event::Disconnect(id) => format!("caller gone {}", request(id)),
            Event::Scale(id) => format!("autoscaler of {}", actor(id)),
            Event::Started { actor: id, instance } => {
                format!("instance {instance} of {} is up", actor(id))
            }
            Event::Turn(id) => {
                let program = self.shared.plan.jobs[id.index()].program;
                format!("turn of {}", self.shared.plan.programs[program.index()].name)
            }
            Event::Visible(id) => match self.brokers.broker_of(id, &self.shared) {
                Some(broker) => format!("message of {} visible again", actor(broker)),
                None => "a message that was acknowledged".to_owned(),
            },
        }
    }

    /// What an operand means in a task.
    fn eval(&mut self, task: Id<Task>, operand: Operand) -> Value {
        eval(&self.shared.plan, &mut self.shared.texts, &self.tasks[task].registers, operand)
    }
}

/// What an operand means over a program's registers.
fn eval(plan: &Plan, texts: &mut Texts, registers: &[Value], operand: Operand) -> Value {
    match operand {
        Operand::Const(value) => value,
        Operand::Reg(Reg(reg)) => registers[reg as usize],
        Operand::Field(Reg(reg), field) => texts.get(registers[reg as usize], field),
        Operand::Template(template) => {
            let parts = &plan.templates[template.index()];
            let mut text = texts.take_scratch();
            for part in parts {
                match part {
                    Part::Literal(literal) => text.push_str(literal),
                    Part::Hole(operand) => {
                        let value = eval(plan, texts, registers, *operand);
                        texts.append(value, &mut text);
                    }
                }
            }
            Value::Text(texts.intern_scratch(text))
        }
        Operand::Record(record) => {
            let fields = &plan.records[record.index()];
            let values: Vec<_> = fields
                .iter()
                .map(|(field, operand)| (*field, eval(plan, texts, registers, *operand)))
                .collect();
            Value::Record(texts.record(&values))
        }
    }
}

/// Addresses a draw or a child within a lineage: what it is for, and which one.
fn nth(lineage: u64, what: u64, n: u32) -> u64 {
    mix(lineage, what << 32 | u64::from(n))
}
