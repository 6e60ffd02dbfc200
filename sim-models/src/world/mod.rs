//! The world of one run: every actor, and the one `match` that hands each event to its actor.
//!
//! A message is delivered, a task runs until it has to wait, a policy decides, an effect is
//! written to the ledger. The order of everything that happens at one instant is the order in
//! which it was scheduled. Invariants and metrics look on; they cannot draw or schedule.

mod admission;
mod autoscale;
mod balancer;
mod books;
mod broker;
mod cache;
mod call;
mod child;
mod client;
mod command;
mod copies;
mod custom;
mod eviction;
mod fault;
mod follower;
mod job;
mod layer;
mod line;
mod message;
mod policies;
mod service;
mod store;
mod task;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::{Context, Draw, Indexed, Lane, Model, Moment, Purpose, Span, Streams, Time, mix};
use sim_policies::breaker::Change;
use sim_redis::value::{Texts, Value};

use crate::custom::CustomActor;
use crate::intent::Intents;
use crate::invariant::{Scene, Seen, Watch};
use crate::ledger::Ledger;
use crate::log::{Log, Note};
use crate::metrics::Metrics;
use crate::outcome::RunLimit;
use crate::plan::{
    ActorId, ActorKind, ActorPlan, BreakerId, DistId, FaultId, JobId, LayerPlan, Operand,
    OutlierId, Part, Plan, Reg, StackId,
};
use crate::pool::{Id, Pool};

use broker::{BrokerState, Delivery};
use cache::Caches;
pub(crate) use call::Call;
use call::Woken;
use client::ClientState;
pub(crate) use copies::RegionCopy;
use fault::{Condition, RouteCondition};
use job::JobState;
pub(crate) use message::{Answer, Request};
use policies::Policies;
use service::ServiceState;
use store::StoreState;
pub(crate) use task::Task;

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

/// What each source of chance is for. Draws are addressed by what they decide, so that a policy
/// that skips or adds one leaves all others their luck.
mod purpose {
    use sim_core::Purpose;

    pub(super) const ARRIVAL: Purpose = Purpose(1);
    pub(super) const WORK: Purpose = Purpose(2);
    pub(super) const SLEEP: Purpose = Purpose(3);
    pub(super) const THINK: Purpose = Purpose(4);
    pub(super) const LATENCY: Purpose = Purpose(5);
    pub(super) const LOSS: Purpose = Purpose(6);
    pub(super) const DUPLICATE: Purpose = Purpose(7);
    pub(super) const JITTER: Purpose = Purpose(8);
    pub(super) const ERRORS: Purpose = Purpose(9);
    pub(super) const HANG: Purpose = Purpose(10);
    pub(super) const STORE: Purpose = Purpose(11);
    pub(super) const CUSTOM: Purpose = Purpose(12);
    pub(super) const THROTTLE: Purpose = Purpose(13);
    pub(super) const HOST: Purpose = Purpose(14);
    pub(super) const PROBE: Purpose = Purpose(15);
    pub(super) const SWEEP: Purpose = Purpose(16);
    pub(super) const LAG: Purpose = Purpose(17);
    pub(super) const EVICT: Purpose = Purpose(18);
    pub(super) const BALANCE: Purpose = Purpose(19);
    pub(super) const SESSION: Purpose = Purpose(40);
    pub(super) const EARLY: Purpose = Purpose(41);
}

/// The index-addressed sources of chance.
#[derive(Clone, Copy, Debug)]
struct Luck {
    work: Indexed,
    sleep: Indexed,
    think: Indexed,
    latency: Indexed,
    loss: Indexed,
    duplicate: Indexed,
    jitter: Indexed,
    errors: Indexed,
    hang: Indexed,
    store: Indexed,
    custom: Indexed,
    throttle: Indexed,
    host: Indexed,
    probe: Indexed,
    sweep: Indexed,
    lag: Indexed,
    evict: Indexed,
    balance: Indexed,
    session: Indexed,
    early: Indexed,
}

impl Luck {
    fn new(streams: &Streams) -> Luck {
        let indexed = |purpose: Purpose| streams.indexed(purpose, 0);
        Luck {
            work: indexed(purpose::WORK),
            sleep: indexed(purpose::SLEEP),
            think: indexed(purpose::THINK),
            latency: indexed(purpose::LATENCY),
            loss: indexed(purpose::LOSS),
            duplicate: indexed(purpose::DUPLICATE),
            jitter: indexed(purpose::JITTER),
            errors: indexed(purpose::ERRORS),
            hang: indexed(purpose::HANG),
            store: indexed(purpose::STORE),
            custom: indexed(purpose::CUSTOM),
            throttle: indexed(purpose::THROTTLE),
            host: indexed(purpose::HOST),
            probe: indexed(purpose::PROBE),
            sweep: indexed(purpose::SWEEP),
            lag: indexed(purpose::LAG),
            evict: indexed(purpose::EVICT),
            balance: indexed(purpose::BALANCE),
            session: indexed(purpose::SESSION),
            early: indexed(purpose::EARLY),
        }
    }
}

#[derive(Debug)]
enum Actor {
    Client(Box<ClientState>),
    Service(Box<ServiceState>),
    Store(Box<StoreState>),
    Broker(BrokerState),
    Custom(Box<dyn CustomActor>),
}

impl Actor {
    /// An estimate of what it holds that can grow without bound, in bytes.
    fn memory_bytes(&self) -> usize {
        match self {
            Actor::Store(store) => store.memory_bytes(),
            Actor::Client(_) | Actor::Service(_) | Actor::Broker(_) | Actor::Custom(_) => 0,
        }
    }
}

/// The state of one run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Arc<Plan>,
    pub(crate) texts: Texts,
    luck: Luck,
    actors: Vec<Actor>,
    conditions: Vec<Condition>,
    routes: Vec<RouteCondition>,
    active_faults: Vec<FaultId>,
    /// Events of a paused actor, in order.
    parked: Vec<Vec<Event>>,
    tasks: Pool<Task>,
    calls: Pool<Call>,
    requests: Pool<Request>,
    deliveries: Pool<Delivery>,
    jobs: Vec<JobState>,
    copies: Pool<RegionCopy>,
    intents: Intents,
    policies: Policies,
    caches: Caches,
    /// Room for what a breaker tells; empty between uses.
    changes: Vec<Change>,
    /// Calls whose policy lets them go on now, in order.
    woken: VecDeque<Woken>,
    /// The lane of each timeout and constant latency, found once.
    lanes: Lanes,
    /// Tasks that can run now, in order.
    ready: VecDeque<Id<Task>>,
    /// How often each point was passed.
    passages: Vec<u32>,
    executions: u64,
    /// Why the world has stopped by itself.
    runaway: Option<RunLimit>,
    pub(crate) ledger: Ledger,
    pub(crate) watch: Watch,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
}

#[derive(Debug, Default)]
struct Lanes {
    /// By stack and layer.
    timeouts: Vec<Vec<Option<Lane>>>,
    /// By link; the last is for actors without one.
    latencies: Vec<Option<Lane>>,
    patience: Vec<Option<Lane>>,
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
            self.parked[actor.index()].push(event);
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
        self.texts.memory_bytes()
            + self.tasks.memory_bytes(128)
            + self.calls.memory_bytes(128)
            + self.requests.memory_bytes(0)
            + self.deliveries.memory_bytes(0)
            + self.copies.memory_bytes(128)
            + self.actors.iter().map(Actor::memory_bytes).sum::<usize>()
            + self.intents.memory_bytes()
            + self.ledger.memory_bytes()
            + self.caches.memory_bytes()
            + self.watch.memory_bytes()
            + self.parked.iter().map(|events| events.capacity()).sum::<usize>() * size_of::<Event>()
    }
}

impl World {
    pub(crate) fn new(
        plan: Arc<Plan>,
        seed: u64,
        mut custom: impl FnMut(&ActorPlan) -> Box<dyn CustomActor>,
    ) -> World {
        let streams = Streams::new(seed);
        let actors: Vec<Actor> = plan
            .actors
            .iter()
            .enumerate()
            .map(|(n, actor)| match &actor.kind {
                ActorKind::Client(_) => {
                    let arrivals = streams.open(purpose::ARRIVAL, actor.entity);
                    Actor::Client(Box::new(ClientState::new(arrivals)))
                }
                ActorKind::Service(service) => {
                    Actor::Service(Box::new(ServiceState::new(*service)))
                }
                ActorKind::Kv { .. } => {
                    Actor::Store(Box::new(StoreState::new(&plan, ActorId::nth(n))))
                }
                ActorKind::Broker => Actor::Broker(BrokerState::default()),
                ActorKind::Custom(_) => Actor::Custom(custom(actor)),
            })
            .collect();
        let count = actors.len();
        World {
            texts: plan.texts.clone(),
            luck: Luck::new(&streams),
            conditions: vec![Condition::default(); count],
            routes: vec![RouteCondition::default(); count * count],
            active_faults: Vec::new(),
            parked: vec![Vec::new(); count],
            tasks: Pool::default(),
            calls: Pool::default(),
            requests: Pool::default(),
            deliveries: Pool::default(),
            jobs: Vec::new(),
            copies: Pool::default(),
            intents: Intents::default(),
            policies: Policies::new(&plan),
            caches: Caches::default(),
            changes: Vec::new(),
            woken: VecDeque::new(),
            lanes: Lanes::default(),
            ready: VecDeque::new(),
            passages: vec![0; plan.points.len()],
            executions: 0,
            runaway: None,
            ledger: Ledger::new(plan.kinds.len()),
            watch: Watch::new(&plan),
            metrics: Metrics::new(&plan),
            log: Log::new(plan.limits.log),
            actors,
            plan,
        }
    }

    /// Schedules the first events: loads and timed faults.
    pub(crate) fn start(&mut self, ctx: &mut Ctx) {
        self.open_lanes(ctx);
        let plan = self.plan.clone();
        for (n, fault) in plan.faults.iter().enumerate() {
            if let crate::plan::Trigger::At(at) = fault.trigger {
                ctx.schedule_at(Time::ZERO + at, Event::Strike(FaultId::nth(n)));
            }
        }
        for (n, actor) in plan.actors.iter().enumerate() {
            match &actor.kind {
                ActorKind::Client(client) => self.start_client(ActorId::nth(n), client.load, ctx),
                ActorKind::Custom(_) => self.with_custom(ActorId::nth(n), ctx, |custom, desk| {
                    custom.on_start(desk);
                }),
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
        self.runaway.as_ref()
    }

    fn open_lanes(&mut self, ctx: &mut Ctx) {
        let plan = &self.plan;
        self.lanes.timeouts = plan
            .stacks
            .iter()
            .map(|stack| {
                let lane = |layer: &LayerPlan| match layer {
                    LayerPlan::Timeout(after) => Some(ctx.lane(*after)),
                    _ => None,
                };
                stack.layers.iter().map(lane).collect()
            })
            .collect();
        self.lanes.latencies =
            plan.links.iter().map(|link| link.constant.map(|latency| ctx.lane(latency))).collect();
        self.lanes.latencies.push(Some(ctx.lane(Span::ZERO)));
        self.lanes.patience = plan
            .actors
            .iter()
            .map(|actor| match &actor.kind {
                ActorKind::Client(client) => client.patience.map(|patience| ctx.lane(patience)),
                _ => None,
            })
            .collect();
    }

    /// Goes on with every call and runs every task that can, in order, until all wait.
    fn run_ready(&mut self, ctx: &mut Ctx) {
        while self.runaway.is_none() {
            if let Some(woken) = self.woken.pop_front() {
                self.wake_call(woken, ctx);
            } else if let Some(task) = self.ready.pop_front() {
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
                let to = self.requests.get(request)?.to;
                // A dead process refuses, whatever it was paused for.
                if self.conditions[to.index()].down {
                    return None;
                }
                to
            }
            Event::Served(request) | Event::Disconnect(request) => self.requests.get(request)?.to,
            Event::Copied(copy) => {
                let copy = self.copies.get(copy)?;
                if copy.sent { copy.to } else { copy.from }
            }
            Event::Answer(request) => self.requests.get(request)?.from,
            Event::Timer { call, .. } => self.tasks.get(self.calls.get(call)?.task)?.actor,
            Event::Visible(delivery) => self.broker_of(delivery)?,
            _ => return None,
        };
        self.conditions[owner.index()].paused.then_some(owner)
    }

    /// What an event is, for people.
    pub(crate) fn describe(&self, event: Event) -> String {
        let actor = |id: ActorId| self.plan.actor_name(id);
        let task = |id: Id<Task>| match self.tasks.get(id) {
            Some(task) => {
                let intent = self.intent_name(task.intent);
                format!("{} for {intent}", self.plan.programs[task.program().index()].name)
            }
            None => "a task that is gone".to_owned(),
        };
        let request = |id: Id<Request>| match self.requests.get(id) {
            Some(request) => {
                let (pair, intent) = (request.pair, self.intent_name(request.intent));
                format!("{} attempt {} for {intent}", self.plan.pair_name(pair), request.attempt)
            }
            None => "a message that is gone".to_owned(),
        };
        match event {
            Event::Arrive(client) => format!("arrival at {}", actor(client)),
            Event::Burst(client) => format!("burst at {}", actor(client)),
            Event::Decide { client, user } => format!("user {user} of {} decides", actor(client)),
            Event::Submit { intent, submission } => {
                format!("click {submission} of {}", self.intent_name(intent))
            }
            Event::Resume(id) => format!("resume {}", task(id)),
            Event::Leave(id) => format!("patience ends: {}", task(id)),
            Event::Deliver(id) => format!("request {}", request(id)),
            Event::Answer(id) => format!("answer {}", request(id)),
            Event::Timer { call, layer, .. } => match self.calls.get(call) {
                Some(call) => format!("timer of policy {layer}: {}", task(call.task)),
                None => "a timer that is gone".to_owned(),
            },
            Event::Served(id) => format!("command done {}", request(id)),
            Event::Strike(fault) => format!("fault: {}", self.plan.faults[fault.index()].label),
            Event::Heal(fault) => format!("healed: {}", self.plan.faults[fault.index()].label),
            Event::Reply(id) => format!("reply {}", request(id)),
            Event::Wake { actor: id, token } => format!("wake {} ({token})", actor(id)),
            Event::Copied(id) => match self.copies.get(id) {
                Some(copy) => format!("copy {}->{}", actor(copy.from), actor(copy.to)),
                None => "a copy that is gone".to_owned(),
            },
            Event::WakeBreaker(id) => format!("breaker {}", self.plan.breakers[id.index()].name),
            Event::Sweep(id) => {
                format!("outlier detection {}", self.plan.outliers[id.index()].name)
            }
            Event::Disconnect(id) => format!("caller gone {}", request(id)),
            Event::Scale(id) => format!("autoscaler of {}", actor(id)),
            Event::Started { actor: id, instance } => {
                format!("instance {instance} of {} is up", actor(id))
            }
            Event::Turn(id) => {
                let program = self.plan.jobs[id.index()].program;
                format!("turn of {}", self.plan.programs[program.index()].name)
            }
            Event::Visible(id) => match self.broker_of(id) {
                Some(broker) => format!("message of {} visible again", actor(broker)),
                None => "a message that was acknowledged".to_owned(),
            },
        }
    }

    /// Shows the invariants what has happened, if one of them wants to know.
    #[inline]
    fn show(&mut self, seen: Seen, ctx: &Ctx) {
        if self.watch.wants(seen.topic()) {
            self.show_all(seen, ctx);
        }
    }

    fn show_all(&mut self, seen: Seen, ctx: &Ctx) {
        let World { plan, texts, intents, ledger, metrics, watch, .. } = self;
        watch.see(&seen, Scene { plan, texts, intents, ledger, metrics, now: ctx.moment() });
    }

    /// What laws may look at, at an instant.
    pub(crate) fn scene(&self, now: Moment) -> Scene<'_> {
        let World { plan, texts, intents, ledger, metrics, .. } = self;
        Scene { plan, texts, intents, ledger, metrics, now }
    }

    fn note(&mut self, note: Note, ctx: &Ctx) {
        self.log.push(ctx.now(), ctx.step(), note);
    }

    /// Draws a length of time.
    fn span(&self, dist: DistId, draws: &mut impl Draw) -> Span {
        Span::from_secs_f64(self.plan.dists[dist.index()].sample(draws))
    }

    /// What an operand means in a task.
    fn eval(&mut self, task: Id<Task>, operand: Operand) -> Value {
        eval(&self.plan, &mut self.texts, &self.tasks[task].registers, operand)
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

/// The layers of a stack, without borrowing the world.
fn layers(plan: &Plan, stack: StackId) -> &[LayerPlan] {
    &plan.stacks[stack.index()].layers
}

/// Addresses a draw or a child within a lineage: what it is for, and which one.
fn nth(lineage: u64, what: u64, n: u32) -> u64 {
    mix(lineage, what << 32 | u64::from(n))
}
