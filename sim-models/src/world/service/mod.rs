//! Services: instances behind a balancer, each with workers and a line, and what a crash takes.
//!
//! A request is given its instance when it arrives, and stays there; so does everything that its
//! program starts. What makes work take longer (contention, a slow start, a garbage collection) is
//! asked for when the work begins; a collection that comes later makes it longer by its pause.

mod admission;
mod autoscale;
mod balancer;
mod books;
mod cache;
mod job;
mod line;

use std::collections::BTreeMap;

use sim_core::{Span, Time, mix};
use sim_policies::Ending;
use sim_policies::concurrency::LimitPermit;
use sim_redis::value::Value;

use crate::log::Note;
use crate::metrics::Level;
use crate::plan::{
    ActorId, ActorKind, Balancer as Algorithm, Contention, OnDisconnect, Plan, ServicePlan,
    Threads, builtin,
};
use crate::pool::Id;
use crate::world::network::Request;
use crate::world::network::{Answer, Leg, Payload};
use crate::world::service::autoscale::Scaling;
use crate::world::service::balancer::Balancer;
use crate::world::service::cache::Caches;
use crate::world::service::job::JobState;
use crate::world::service::line::{Joined, Line, Next, Waiting};
use crate::world::shared::ByActor;
use crate::world::task::Origin;
use crate::world::task::Task;
use crate::world::{Ctx, Event, World};

/// A service's own state.
#[derive(Debug)]
pub(in crate::world) struct ServiceState {
    pub(in crate::world) plan: ServicePlan,
    pub(in crate::world) instances: Vec<Instance>,
    balancer: Balancer,
    /// Over all instances.
    pub(in crate::world) level: Level,
    pub(in crate::world) scaling: Option<Scaling>,
    /// What requests hold of the service's own limit, by request.
    pub(in crate::world) permits: BTreeMap<u64, LimitPermit>,
}

/// One server.
#[derive(Debug)]
pub(in crate::world) struct Instance {
    pub(in crate::world) busy: u32,
    pub(in crate::world) line: Line,
    pub(in crate::world) state: InstanceState,
    /// When it came up, from which on it warms up.
    up_since: Option<Time>,
    /// Requests begun since the last collection.
    begun: u32,
    /// It stands still until then.
    still_until: Time,
    /// How long it has stood still in all.
    stood_still: Span,
}

/// Whether an instance takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum InstanceState {
    Up,
    /// It will, when its start is over.
    Starting,
    /// It works off what it has, and may be started again.
    Stopping,
    Crashed,
}

impl Instance {
    pub(in crate::world) fn new(plan: &ServicePlan, state: InstanceState) -> Instance {
        Instance {
            busy: 0,
            line: Line::new(plan.queue),
            state,
            up_since: None,
            begun: 0,
            still_until: Time::ZERO,
            stood_still: Span::ZERO,
        }
    }

    pub(in crate::world) fn come_up(&mut self, now: Time) {
        self.state = InstanceState::Up;
        self.up_since = Some(now);
    }

    /// Requests at the instance, waiting or worked on.
    fn requests(&self) -> u32 {
        self.busy + self.line.requests()
    }

    /// How much longer than alone, warm and unhindered work takes that begins now.
    fn factor(&self, plan: &ServicePlan, now: Time) -> f64 {
        let mut factor = 1.0;
        if let Some(Contention::Usl { sigma, kappa }) = plan.contention {
            let n = f64::from(self.busy.max(1));
            factor *= 1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0);
        }
        if let (Some(slow), Some(since)) = (plan.slow_start, self.up_since) {
            let age = now.since(since);
            if age < slow.lasts {
                let left = 1.0 - age.as_secs_f64() / slow.lasts.as_secs_f64();
                factor *= 1.0 + (slow.factor - 1.0) * left;
            }
        }
        factor
    }

    /// Notes the begin of a request; after enough of them the instance stands still to collect.
    fn collect_garbage(&mut self, plan: &ServicePlan, now: Time) {
        let Some(gc) = plan.gc else { return };
        self.begun += 1;
        if self.begun < gc.after {
            return;
        }
        self.begun = 0;
        let pause = gc.pause + gc.per_request * u64::from(self.requests());
        self.still_until = self.still_until.max(now) + pause;
        self.stood_still += pause;
    }
}

impl ServiceState {
    pub(in crate::world) fn new(plan: ServicePlan) -> ServiceState {
        let up = |_| Instance::new(&plan, InstanceState::Up);
        let mut service = ServiceState {
            instances: (0..plan.instances).map(up).collect(),
            balancer: Balancer::new(plan.balancer, plan.stale),
            level: Level::default(),
            scaling: plan.autoscale.map(|_| Scaling::default()),
            permits: BTreeMap::new(),
            plan,
        };
        service.roll_call();
        service
    }

    /// Tells the balancer who is up, and counts their workers.
    pub(in crate::world) fn roll_call(&mut self) {
        let is_up = |(_, instance): &(usize, &Instance)| instance.state == InstanceState::Up;
        let up: Vec<u32> =
            self.instances.iter().enumerate().filter(is_up).map(|(n, _)| n as u32).collect();
        self.level.workers = up.len() as u32 * self.plan.workers;
        self.balancer.set_up(up);
    }

    fn take_worker(&mut self, instance: u32) {
        self.instances[instance as usize].busy += 1;
        self.level.busy += 1;
    }

    /// Starts what a fault had brought down.
    pub(in crate::world) fn restart(&mut self, instance: Option<u32>, now: Time) {
        for (n, own) in self.instances.iter_mut().enumerate() {
            if instance.is_none_or(|only| only as usize == n)
                && matches!(own.state, InstanceState::Crashed | InstanceState::Up)
            {
                own.come_up(now);
            }
        }
        self.roll_call();
    }
}

/// Every service, what its instances remember, and what it runs on its own.
#[derive(Debug)]
pub(in crate::world) struct Services {
    pub(in crate::world) by_actor: ByActor<ServiceState>,
    pub(in crate::world) caches: Caches,
    pub(in crate::world) jobs: Vec<JobState>,
}

impl Services {
    pub(in crate::world) fn new(plan: &Plan) -> Services {
        let by_actor = ByActor::new(plan, |id| match &plan.actors[id.index()].kind {
            ActorKind::Service(service) => Some(ServiceState::new(*service)),
            _ => None,
        });
        Services { by_actor, caches: Caches::default(), jobs: Vec::new() }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.caches.memory_bytes()
    }
}

impl World {
    pub(in crate::world) fn service(&mut self, actor: ActorId) -> Option<&mut ServiceState> {
        self.services.by_actor.get_mut(actor)
    }

    /// Tells the metrics how many workers are busy and how many requests wait.
    pub(in crate::world) fn report_level(&mut self, actor: ActorId, ctx: &Ctx) {
        let Some(service) = self.services.by_actor.get_mut(actor) else { return };
        let level = service.level;
        if let Some(scaling) = &mut service.scaling {
            scaling.note(level, ctx.now());
        }
        self.shared.metrics.level(actor, level, ctx.now());
    }

    /// A request asks for a worker: it gets one, waits, or is turned away.
    pub(in crate::world) fn admit(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { to: actor, key, lineage, .. } = self.network.requests[id];
        if self.is_too_late(id, ctx) {
            return;
        }
        if let Err(ending) = self.pass_admission(id, ctx) {
            self.shared.metrics.not_admitted(actor);
            self.turn_away(id, ending, ctx);
            return;
        }
        let Some(instance) = self.balance(actor, key, lineage, ctx) else {
            self.turn_away(id, Ending::Refused, ctx);
            return;
        };
        self.network.requests[id].instance = instance;
        let Payload::Endpoint(endpoint) = self.network.requests[id].payload else {
            unreachable!("services are called at endpoints")
        };
        let class = self.shared.plan.classes[endpoint.index()];
        let Some(service) = self.service(actor) else { return };
        let own = &mut service.instances[instance as usize];
        if own.busy < service.plan.workers {
            service.take_worker(instance);
            self.report_level(actor, ctx);
            self.begin_request(id, ctx);
            return;
        }
        match own.line.join(id, class, ctx.now()) {
            Joined::Waits => {
                service.level.waiting += 1;
                self.report_level(actor, ctx);
            }
            Joined::Displaced(other) => {
                self.shared.metrics.dropped(actor);
                self.turn_away(other, Ending::Status(503), ctx);
            }
            Joined::Full => {
                self.shared.metrics.queue_full(actor);
                self.turn_away(id, Ending::Status(503), ctx);
            }
        }
    }

    /// The instance that a request goes to, if one is up.
    fn balance(&mut self, actor: ActorId, key: Value, lineage: u64, ctx: &Ctx) -> Option<u32> {
        let mut draws = self.shared.luck.balance.at(lineage);
        let service = self.services.by_actor.get_mut(actor)?;
        let ServiceState { balancer, instances, plan, .. } = service;
        let hash = match plan.balancer {
            Algorithm::RingHash { .. } => mix(self.shared.texts.fingerprint(key), 0),
            _ => 0,
        };
        let load = |n: u32| instances[n as usize].requests();
        balancer.pick(hash, ctx.now(), &mut draws, load)
    }

    /// Starts a request's program on a worker that was taken for it.
    fn begin_request(&mut self, id: Id<Request>, ctx: &Ctx) {
        let Request { to, intent, lineage, key, body, payload, deadline, instance, .. } =
            self.network.requests[id];
        let Payload::Endpoint(endpoint) = payload else {
            unreachable!("services are called at endpoints")
        };
        if let Some(service) = self.service(to) {
            let ServiceState { plan, instances, .. } = service;
            instances[instance as usize].collect_garbage(plan, ctx.now());
        }
        let program = self.shared.plan.endpoints[endpoint.index()];
        let task = self.new_task(to, program, intent, lineage);
        let entry = &mut self.tasks[task];
        entry.origin = Origin::Request(Some(id));
        entry.instance = instance;
        entry.holds_worker = true;
        entry.held_since = ctx.now();
        entry.deadline = deadline;
        entry.set(builtin::KEY, key);
        entry.set(builtin::BODY, body);
        for (reg, value) in &self.network.requests[id].with {
            entry.set(*reg, *value);
        }
        self.network.requests[id].task = task;
        self.tasks.ready.push_back(task);
    }

    /// Whether a task may go on: it has a worker, or needs none, or has just got one. If not, it
    /// is put in line.
    pub(in crate::world) fn has_worker(&mut self, id: Id<Task>, ctx: &Ctx) -> bool {
        let Task { actor, instance, holds_worker, .. } = self.tasks[id];
        let Some(service) = self.service(actor) else { return true };
        // The branches of a blocking service's task run on their parent's worker.
        if holds_worker || service.plan.threads == Threads::Blocking {
            return true;
        }
        let own = &mut service.instances[instance as usize];
        if own.busy < service.plan.workers {
            service.take_worker(instance);
            self.report_level(actor, ctx);
            let task = &mut self.tasks[id];
            (task.holds_worker, task.held_since) = (true, ctx.now());
            return true;
        }
        own.line.join_task(id, ctx.now());
        false
    }

    /// A task starts to wait: in an async service its worker serves others meanwhile.
    pub(in crate::world) fn yield_worker(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        let actor = self.tasks[id].actor;
        if let Some(service) = self.service(actor)
            && service.plan.threads == Threads::Async
        {
            self.give_worker_back(id, ctx);
        }
    }

    /// A task is done with its worker; the next in line gets it.
    pub(in crate::world) fn give_worker_back(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        let task = &mut self.tasks[id];
        if !task.lose_worker(ctx.now()) {
            return;
        }
        let (actor, instance) = (task.actor, task.instance);
        let Some(service) = self.service(actor) else { return };
        service.instances[instance as usize].busy -= 1;
        service.level.busy -= 1;
        self.serve_next(actor, instance, ctx);
        self.report_level(actor, ctx);
    }

    /// Gives a free worker to the next in line who may have it.
    fn serve_next(&mut self, actor: ActorId, instance: u32, ctx: &mut Ctx) {
        while let Some(service) = self.service(actor)
            && let Some(next) = service.instances[instance as usize].line.next(ctx.now())
        {
            let request = match next {
                // A branch may have been called off with its parent.
                Next::Serve(Waiting::Task(task)) => {
                    if self.tasks.get(task).is_none() {
                        continue;
                    }
                    self.make_ready(task, ctx);
                    return;
                }
                Next::Serve(Waiting::Request(request)) | Next::Drop(request) => request,
            };
            service.level.waiting -= 1;
            if self.is_too_late(request, ctx) {
                continue;
            }
            if let Next::Drop(_) = next {
                self.shared.metrics.dropped(actor);
                self.turn_away(request, Ending::Status(503), ctx);
                continue;
            }
            if let Some(service) = self.service(actor) {
                service.take_worker(instance);
            }
            self.begin_request(request, ctx);
            return;
        }
    }

    /// Turns a request away whose deadline has passed: nobody waits for its work any more.
    fn is_too_late(&mut self, id: Id<Request>, ctx: &mut Ctx) -> bool {
        let Request { to, intent, deadline, .. } = self.network.requests[id];
        let is_too_late = deadline.is_some_and(|deadline| deadline <= ctx.now());
        if is_too_late {
            self.shared.metrics.too_late(to);
            self.shared.note(Note::TooLate { intent, actor: to }, ctx);
            self.turn_away(id, Ending::Status(504), ctx);
        }
        is_too_late
    }

    /// How long work takes that a task begins now.
    pub(in crate::world) fn length_of_work(
        &mut self,
        id: Id<Task>,
        length: Span,
        now: Time,
    ) -> Span {
        let Task { actor, instance, .. } = self.tasks[id];
        let length = self.shared.conditions[actor.index()].slowed(instance, length);
        let Some(service) = self.services.by_actor.get(actor) else { return length };
        if service.plan.is_plain() {
            return length;
        }
        let own = &service.instances[instance as usize];
        // What it has stood still before is none of this work's business.
        self.tasks[id].stood_still = own.stood_still;
        let stands_still = own.still_until.since(now.min(own.still_until));
        length * own.factor(&service.plan, now) + stands_still
    }

    /// How much longer a task's work takes, since its instance has stood still meanwhile.
    pub(in crate::world) fn hold_up(&mut self, id: Id<Task>) -> Span {
        let Some(task) = self.tasks.get_mut(id) else { return Span::ZERO };
        let Some(service) = self.services.by_actor.get(task.actor) else { return Span::ZERO };
        if service.plan.gc.is_none() || !task.holds_worker {
            return Span::ZERO;
        }
        let stood_still = service.instances[task.instance as usize].stood_still;
        let more = stood_still - task.stood_still;
        task.stood_still = stood_still;
        more
    }

    /// The caller of a request has stopped waiting, and the service hears of it.
    pub(in crate::world) fn disconnected(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get(id) else { return };
        if request.answered {
            return;
        }
        let (actor, instance, task) = (request.to, request.instance, request.task);
        let is_begun = self.tasks.get(task).is_some();
        let Some(service) = self.service(actor) else { return };
        if is_begun {
            if self.cancel_task(task, ctx) {
                self.shared.metrics.cancelled(actor);
            }
        } else if service.instances[instance as usize].line.leave(id) {
            service.level.waiting -= 1;
            self.report_level(actor, ctx);
            self.shared.metrics.cancelled(actor);
            self.turn_away(id, Ending::Status(499), ctx);
        }
    }

    /// Sends word after a request that nobody awaits its answer any more, if its service listens.
    pub(in crate::world) fn disconnect(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get(id) else { return };
        let (from, to, lineage) = (request.from, request.to, request.lineage);
        let Some(service) = self.service(to) else { return };
        if service.plan.on_disconnect == OnDisconnect::Cancel {
            let (index, event) = (Leg::Disconnect.of(lineage), Event::Disconnect(id));
            self.network.ship(from, to, index, event, &self.shared, ctx);
        }
    }

    /// The process dies, or one of its instances: tasks and the line are gone, and their callers'
    /// connections break.
    pub(in crate::world) fn crash_service(
        &mut self,
        actor: ActorId,
        only: Option<u32>,
        ctx: &mut Ctx,
    ) {
        let is_hit = |instance: u32| only.is_none_or(|only| only == instance);
        let hit = self.tasks.ids_where(|task| task.actor == actor && is_hit(task.instance));
        // No worker is given back to those who are about to go as well.
        for task in &hit {
            self.tasks[*task].lose_worker(ctx.now());
        }
        for task in hit {
            // A branch may have gone with its parent.
            if self.tasks.get(task).is_none() {
                continue;
            }
            self.abandon(task, ctx);
            if let Origin::Request(Some(request)) = self.tasks[task].origin {
                self.network.requests[request].worked = self.tasks[task].worked;
                self.send_answer(request, Answer::bare(Ending::Reset), ctx);
            }
            self.tasks.free(task);
        }
        let Some(service) = self.service(actor) else { return };
        let mut dispersed = Vec::new();
        for (n, own) in service.instances.iter_mut().enumerate() {
            if !is_hit(n as u32) {
                continue;
            }
            service.level.busy -= own.busy;
            service.level.waiting -= own.line.requests();
            (own.busy, own.begun) = (0, 0);
            dispersed.extend(own.line.disperse());
            if only.is_some() {
                own.state = InstanceState::Crashed;
            }
        }
        service.roll_call();
        for waiting in dispersed {
            if let Waiting::Request(request) = waiting {
                self.turn_away(request, Ending::Reset, ctx);
            }
        }
        self.report_level(actor, ctx);
        let plan = self.shared.plan.clone();
        self.services.caches.crash(&plan, actor, only);
        if only.is_none() {
            self.forget_admissions(actor);
            self.stack.policies.forget(&self.shared.plan, actor);
            self.faults.unpark(actor, ctx);
        }
    }
}
