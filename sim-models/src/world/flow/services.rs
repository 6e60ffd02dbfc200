//! Services: a request gets a worker, waits in line, or is turned away; a crash takes all of it.

use sim_core::Time;
use sim_policies::Ending;

use crate::outcome::ServiceBooks;
use crate::plan::{ActorId, JobId};
use crate::world::ids::{RequestId, TaskId};
use crate::world::network::{Answer, Leg, Request, Sender};
use crate::world::service::{Arrived, Held, JobRun, Seat, Turn};
use crate::world::stack::{Leaves, sample};
use crate::world::task::{Origin, Task};
use crate::world::{Ctx, Event, World};

impl World {
    pub(in crate::world) fn report_level(&mut self, actor: ActorId, ctx: &Ctx) {
        self.services.report(actor, &mut self.shared, ctx.now());
    }

    /// The balancer of its service gives a request its instance.
    pub(super) fn place(&mut self, id: RequestId, ctx: &mut Ctx) {
        let request = &mut self.network.requests[id];
        if !self.services.place(request, &self.shared, ctx.now()) {
            self.network.count_arrival(id, &mut self.shared, ctx);
            return self.turn_away(id, Ending::Refused, ctx);
        }
        if self.network.reach_instance(id, &mut self.shared, ctx) {
            self.knock(id, ctx);
        }
    }

    /// A request is before its instance, which may be paused: then it stands there until the
    /// instance goes on, or its process dies, and the connection with it.
    pub(super) fn knock(&mut self, id: RequestId, ctx: &mut Ctx) {
        self.network.count_arrival(id, &mut self.shared, ctx);
        let request = &mut self.network.requests[id];
        let (actor, instance) = (request.to, request.instance);
        let has_stood = self.services.step_in(request, &mut self.shared, ctx.now());
        let condition = &self.shared.conditions[actor.index()];
        if condition.is_dead(instance) && has_stood {
            self.turn_away(id, Ending::Reset, ctx);
        } else if condition.is_paused(Some(instance)) && !condition.is_down(instance) {
            self.services.stand_outside(request, &mut self.shared, ctx.now());
            self.faults.park((actor, Some(instance)), Event::Deliver(id));
        } else {
            self.hand_over(id, ctx);
        }
    }

    /// A request is accepted and will have no answer. It counts as open until its caller hangs up, as
    /// its connection does.
    pub(super) fn hang(&mut self, id: RequestId) {
        let request = &self.network.requests[id];
        self.services.hangs(request, 1);
    }

    /// A request asks its service for a worker.
    pub(in crate::world) fn admit(&mut self, id: RequestId, ctx: &mut Ctx) {
        let request = &mut self.network.requests[id];
        match self.services.arrive(id, request, &mut self.shared, ctx) {
            Arrived::Begins => self.begin_request(id, ctx),
            Arrived::Waits => {}
            Arrived::Away(other, ending) => self.turn_away(other, ending, ctx),
        }
    }

    /// Starts a request's program on the worker that was taken for it.
    fn begin_request(&mut self, id: RequestId, ctx: &Ctx) {
        let request = &mut self.network.requests[id];
        self.services.begin(request, ctx.now());
        let task = self.tasks.begin_request(id, request, &mut self.shared, ctx.now());
        request.task = task;
        self.tasks.ready.push_back(task);
    }

    /// A request has its answer, or will have none.
    pub(in crate::world) fn leave_admission(&mut self, id: RequestId, ending: Ending, ctx: &Ctx) {
        let request = &self.network.requests[id];
        self.services.settle(id, request, sample(ending), &self.shared, ctx.now());
    }

    /// Puts a task on the ready list as soon as it has the worker that it needs.
    pub(super) fn make_ready(&mut self, id: TaskId, ctx: &Ctx) {
        let Task { actor, seat, .. } = &mut self.tasks.all[id];
        if self.services.has_worker(id, *actor, seat, &mut self.shared, ctx.now()) {
            self.tasks.ready.push_back(id);
        }
    }

    /// A task starts to wait: in an async service its worker serves others meanwhile.
    pub(super) fn yield_worker(&mut self, id: TaskId, ctx: &mut Ctx) {
        if self.services.is_async(self.tasks.all[id].actor) {
            self.give_worker_back(id, ctx);
        }
    }

    /// A task is done with its worker; the next in line gets it.
    pub(super) fn give_worker_back(&mut self, id: TaskId, ctx: &mut Ctx) {
        let Task { actor, seat, .. } = &mut self.tasks.all[id];
        let (actor, instance) = (*actor, seat.instance);
        if self.services.free_worker(actor, seat, ctx.now()) {
            self.serve_next(actor, instance, ctx);
            self.report_level(actor, ctx);
        }
    }

    /// Gives a free worker to the next in line who may have it.
    fn serve_next(&mut self, actor: ActorId, instance: u32, ctx: &mut Ctx) {
        while let Some(turn) = self.services.next_in_line(actor, instance, ctx.now()) {
            match turn {
                // A branch may have been called off with its parent.
                Turn::Task(task) if self.tasks.all.get(task).is_none() => {}
                Turn::Task(task) => return self.make_ready(task, ctx),
                Turn::Request { id, is_dropped } => {
                    let request = &self.network.requests[id];
                    match self.services.serve(request, is_dropped, &mut self.shared, ctx) {
                        Ok(()) => return self.begin_request(id, ctx),
                        Err(ending) => self.turn_away(id, ending, ctx),
                    }
                }
            }
        }
    }

    /// Sends word after a request that nobody awaits its answer any more, if its service listens.
    pub(in crate::world) fn disconnect(&mut self, id: RequestId, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get(id) else { return };
        let Request { from, from_instance, to, lineage, .. } = *request;
        let at = request.at();
        if request.hangs {
            self.services.hangs(request, -1);
            return self.network.forget_hung(id, &mut self.shared, ctx.now());
        }
        if self.services.heeds_disconnects(to) {
            let (index, event) = (Leg::Disconnect.of(lineage), Event::Disconnect(id));
            let (from, to) = ((from, Some(from_instance)), (to, at));
            self.network.ship(from, to, index, event, &self.shared, ctx);
        }
    }

    /// The caller of a request has stopped waiting, and the service hears of it.
    pub(in crate::world) fn disconnected(&mut self, id: RequestId, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get(id) else { return };
        if request.answered {
            return;
        }
        let (at, task) = ((request.to, request.at()), request.task);
        if self.tasks.all.get(task).is_some() {
            if self.cancel_task(task, ctx) {
                self.shared.metrics.cancelled(at);
            }
        } else if self.services.leave_line(id, request, &mut self.shared, ctx.now()) {
            self.shared.metrics.cancelled(at);
            self.turn_away(id, Ending::Status(499), ctx);
        }
    }

    /// Measuring ends: work under way for a caller that has stopped waiting is wasted, though it
    /// is not finished.
    pub(crate) fn close_books(&mut self, now: Time) {
        for task in self.tasks.all.iter() {
            let Some(request) = self.request_behind(task) else { continue };
            let Request { to, sender, attempt, .. } = *request;
            let is_wanted = match sender {
                Sender::Call(call) => self.stack.is_wanted(call, attempt),
                Sender::Delivery(_) => true,
            };
            if !is_wanted {
                self.shared.metrics.wasted((to, request.at()), task.seat.worked(now), now);
            }
        }
    }

    /// The request for which a task works, itself or as a branch of another.
    fn request_behind<'a>(&'a self, mut task: &'a Task) -> Option<&'a Request> {
        loop {
            match task.origin {
                Origin::Request(request) => return self.network.requests.get(request?),
                Origin::Branch { parent, .. } => task = self.tasks.all.get(parent)?,
                _ => return None,
            }
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
        let is_hit =
            |task: &Task| task.actor == actor && only.is_none_or(|only| only == task.seat.instance);
        // What is left behind by those who go, goes in the next round.
        loop {
            let hit = self.tasks.all.ids_where(is_hit);
            if hit.is_empty() {
                break;
            }
            // No worker is given back to those who are about to go as well.
            for task in &hit {
                self.tasks.all[*task].seat.lose_worker(ctx.now());
            }
            for task in hit {
                // A branch may have gone with its parent.
                if self.tasks.all.get(task).is_some() {
                    self.abandon(task, Leaves::Dies, ctx);
                    self.answer_request_of(task, Answer::bare(Ending::Reset), ctx);
                    self.tasks.all.free(task);
                }
            }
        }
        for request in self.services.crash(actor, only, &mut self.shared) {
            self.turn_away(request, Ending::Reset, ctx);
        }
        let hangs = |request: &Request| {
            request.hangs
                && request.to == actor
                && only.is_none_or(|only| request.at() == Some(only))
        };
        for request in self.network.requests.ids_where(hangs) {
            self.network.forget_hung(request, &mut self.shared, ctx.now());
        }
        self.report_level(actor, ctx);
        self.services.forget(actor, only, &self.shared.plan);
        self.stack.forget(actor, only, &mut self.shared, ctx.now());
        self.faults.unpark((actor, only), ctx);
    }

    /// An autoscaler looks.
    pub(in crate::world) fn scale(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let is_of = |task: &Task, n| task.actor == actor && task.seat.instance == n;
        let is_vacant = |n| !self.tasks.all.iter().any(|task| is_of(task, n));
        self.services.scale(actor, is_vacant, &mut self.shared, ctx);
    }

    /// An instance is up: a new process, which remembers nothing.
    pub(in crate::world) fn started(&mut self, actor: ActorId, instance: u32, ctx: &Ctx) {
        if self.services.started(actor, instance, &mut self.shared, ctx.now()) {
            self.stack.forget(actor, Some(instance), &mut self.shared, ctx.now());
        }
    }

    /// A job's turn has come.
    pub(in crate::world) fn turn(&mut self, job: JobId, ctx: &mut Ctx) {
        let is_running = |run: TaskId| self.tasks.all.get(run).is_some();
        for run in self.services.turn(job, is_running, &self.shared, ctx) {
            let JobRun { actor, instance, program, intent, lineage } = run;
            let task = self.tasks.begin(actor, program, intent, lineage, &mut self.shared);
            self.tasks.all[task].origin = Origin::Alone;
            self.tasks.all[task].seat = Seat::at(instance);
            self.services.jobs.runs(job, instance, task);
            self.make_ready(task, ctx);
        }
    }

    /// The books of all services, by name.
    pub(crate) fn books(&self) -> Vec<ServiceBooks> {
        let held = |actor: ActorId| {
            let tasks = || self.tasks.all.iter().filter(|task| task.actor == actor);
            let has_request = |task: &&Task| matches!(task.origin, Origin::Request(Some(_)));
            Held {
                requests: tasks().filter(has_request).count() as u64,
                workers: tasks().filter(|task| task.seat.has_worker()).count() as u64,
            }
        };
        self.services.books(held, &self.shared)
    }
}
