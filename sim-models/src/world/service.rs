//! Services: workers, a bounded queue, and what a crash takes with it.

use std::collections::VecDeque;

use super::message::{Answer, Payload};
use super::task::Origin;
use super::{Actor, Ctx, Request, Task, World};
use crate::log::Note;
use crate::plan::{ActorId, ServicePlan, builtin};
use crate::policy::Ending;
use crate::pool::Id;
use crate::scenario::spec::Threads;

/// A service's own state.
#[derive(Debug)]
pub(super) struct ServiceState {
    plan: ServicePlan,
    busy: u32,
    queue: VecDeque<Waiting>,
    /// Requests among those that wait; tasks that come back are not bounded by the queue.
    requests_waiting: u32,
}

/// Who waits for a worker.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    /// A request that nobody has begun.
    Request(Id<Request>),
    /// A task of an async service that has its answer and wants to go on.
    Task(Id<Task>),
}

impl ServiceState {
    pub(super) fn new(plan: ServicePlan) -> ServiceState {
        ServiceState { plan, busy: 0, queue: VecDeque::new(), requests_waiting: 0 }
    }
}

impl World {
    fn service(&mut self, actor: ActorId) -> Option<&mut ServiceState> {
        match &mut self.actors[actor.index()] {
            Actor::Service(service) => Some(service),
            _ => None,
        }
    }

    /// A request asks for a worker: it gets one, waits, or is turned away.
    pub(super) fn admit(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let actor = self.requests[id].to;
        if self.is_too_late(id, ctx) {
            return;
        }
        let Some(service) = self.service(actor) else { return };
        if service.busy < service.plan.workers {
            service.busy += 1;
            self.begin_request(id);
        } else if service.requests_waiting < service.plan.queue_limit {
            service.requests_waiting += 1;
            service.queue.push_back(Waiting::Request(id));
            let waiting = service.requests_waiting;
            self.metrics.queued(actor, waiting, ctx.now());
        } else {
            self.metrics.queue_full(actor);
            self.turn_away(id, Ending::Status(503), ctx);
        }
    }

    /// Starts a request's program on a worker that was taken for it.
    fn begin_request(&mut self, id: Id<Request>) {
        let Request { to, intent, lineage, key, body, payload, deadline, .. } = self.requests[id];
        let Payload::Endpoint(endpoint) = payload else {
            unreachable!("services are called at endpoints")
        };
        let program = self.plan.endpoints[endpoint.index()];
        let task = self.new_task(to, program, intent, lineage);
        let entry = &mut self.tasks[task];
        entry.origin = Origin::Request(Some(id));
        entry.holds_worker = true;
        entry.deadline = deadline;
        entry.set(builtin::KEY, key);
        entry.set(builtin::BODY, body);
        for (reg, value) in &self.requests[id].with {
            entry.set(*reg, *value);
        }
        self.ready.push_back(task);
    }

    /// Whether a task may go on: it has a worker, or needs none, or has just got one. If not, it
    /// is put in line.
    pub(super) fn has_worker(&mut self, id: Id<Task>) -> bool {
        let Task { actor, holds_worker, .. } = self.tasks[id];
        let Some(service) = self.service(actor) else { return true };
        // The branches of a blocking service's task run on their parent's worker.
        if holds_worker || service.plan.threads == Threads::Blocking {
            return true;
        }
        if service.busy < service.plan.workers {
            service.busy += 1;
            self.tasks[id].holds_worker = true;
            return true;
        }
        service.queue.push_back(Waiting::Task(id));
        false
    }

    /// A task starts to wait: in an async service its worker serves others meanwhile.
    pub(super) fn yield_worker(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        let actor = self.tasks[id].actor;
        if let Some(service) = self.service(actor)
            && service.plan.threads == Threads::Async
        {
            self.give_worker_back(id, ctx);
        }
    }

    /// A task is done with its worker; the next in line gets it.
    pub(super) fn give_worker_back(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        let task = &mut self.tasks[id];
        if !std::mem::take(&mut task.holds_worker) {
            return;
        }
        let actor = task.actor;
        let Some(service) = self.service(actor) else { return };
        service.busy -= 1;
        while let Some(service) = self.service(actor)
            && let Some(next) = service.queue.pop_front()
        {
            match next {
                Waiting::Request(request) => {
                    service.requests_waiting -= 1;
                    let waiting = service.requests_waiting;
                    self.metrics.dequeued(actor, waiting, ctx.now());
                    if self.is_too_late(request, ctx) {
                        continue;
                    }
                    if let Some(service) = self.service(actor) {
                        service.busy += 1;
                    }
                    self.begin_request(request);
                }
                Waiting::Task(task) => self.make_ready(task),
            }
            return;
        }
    }

    /// Turns a request away whose deadline has passed: nobody waits for its work any more.
    fn is_too_late(&mut self, id: Id<Request>, ctx: &mut Ctx) -> bool {
        let Request { to, intent, deadline, .. } = self.requests[id];
        let is_too_late = deadline.is_some_and(|deadline| deadline <= ctx.now());
        if is_too_late {
            self.metrics.too_late(to);
            self.note(Note::TooLate { intent, actor: to }, ctx);
            self.turn_away(id, Ending::Status(504), ctx);
        }
        is_too_late
    }

    /// The process dies: tasks and the queue are gone, and their callers' connections break.
    pub(super) fn crash_service(&mut self, actor: ActorId, ctx: &mut Ctx) {
        for task in self.tasks.ids_where(|task| task.actor == actor) {
            // A branch may have gone with its parent.
            if self.tasks.get(task).is_none() {
                continue;
            }
            self.abandon(task, ctx);
            if let Origin::Request(Some(request)) = self.tasks[task].origin {
                self.send_answer(request, Answer::bare(Ending::Reset), ctx);
            }
            self.tasks.free(task);
        }
        let Some(service) = self.service(actor) else { return };
        service.busy = 0;
        service.requests_waiting = 0;
        for waiting in std::mem::take(&mut service.queue) {
            if let Waiting::Request(request) = waiting {
                self.turn_away(request, Ending::Reset, ctx);
            }
        }
        self.metrics.dequeued(actor, 0, ctx.now());
        self.policies.forget(&self.plan, actor);
        self.unpark(actor, ctx);
    }
}
