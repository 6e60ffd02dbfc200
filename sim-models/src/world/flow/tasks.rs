//! Tasks: what a program hands over is done, and the program goes on.

use sim_policies::Fate;

use crate::invariant::Topic;
use crate::plan::{PointId, SiteId};
use crate::world::fault::Hit;
use crate::world::ids::TaskId;
use crate::world::network::Answer;
use crate::world::stack::Leaves;
use crate::world::task::{Exit, Next, Origin, Raised, Task, Waiting};
use crate::world::{Ctx, Event, World};

impl World {
    /// Runs a task until it waits or ends.
    pub(in crate::world) fn run(&mut self, id: TaskId, ctx: &mut Ctx) {
        if self.is_parked(id) {
            return;
        }
        self.set_clock(id, ctx);
        loop {
            let next = self.tasks.run(id, &mut self.shared, ctx);
            if !self.proceed(id, next, ctx) {
                return;
            }
        }
    }

    /// Does what comes next for a task; true when its program goes on.
    fn proceed(&mut self, id: TaskId, next: Next, ctx: &mut Ctx) -> bool {
        match next {
            Next::Go => return true,
            Next::Stop => {}
            Next::Work(length) => {
                let (services, shared) = (&mut self.services, &self.shared);
                let Task { actor, seat, .. } = &mut self.tasks.all[id];
                let length = services.length_of_work(*actor, seat, length, shared, ctx.now());
                services.works(*actor, length, ctx.now());
                self.tasks.wait(id, length, ctx);
            }
            Next::Sleep(length) => {
                self.yield_worker(id, ctx);
                let handle = self.tasks.wait(id, length, ctx);
                let intent = self.tasks.all[id].intent;
                self.shared.arm(Some(intent), ctx.now() + length, handle, ctx);
            }
            Next::Call { site, lineage } => match self.begin_call(id, site, lineage, ctx) {
                Ok(answer) => {
                    let next = self.tasks.take_answer(id, site, answer, &mut self.shared, ctx);
                    return self.proceed(id, next, ctx);
                }
                Err(call) => {
                    self.tasks.wait_for(id, Waiting::Call(call));
                    self.yield_worker(id, ctx);
                }
            },
            Next::Fork(branches) => {
                for branch in &branches {
                    self.make_ready(*branch, ctx);
                }
                let left = branches.len();
                self.tasks.wait_for(id, Waiting::Branches { tasks: branches, left, error: None });
                self.yield_worker(id, ctx);
            }
            Next::Spawned(task) => {
                self.make_ready(task, ctx);
                return true;
            }
            Next::LookUp(cached) => return self.look_up(id, cached, ctx),
            Next::Respond(answer) => {
                self.answer_request_of(id, answer, ctx);
                let next = self.tasks.leave(id, Exit::Responded, &self.shared);
                return self.proceed(id, next, ctx);
            }
            Next::Heard(answer) => self.hear(id, answer, ctx),
            Next::Pass(point) => return self.pass_point(id, point, ctx),
            Next::Ended(error) => self.end(id, error, ctx),
        }
        false
    }

    /// Whatever a task waited for has come.
    pub(super) fn go_on(&mut self, id: TaskId, next: Next, ctx: &mut Ctx) {
        if self.proceed(id, next, ctx) {
            self.make_ready(id, ctx);
        }
    }

    /// A task has worked or slept, unless its instance has stood still meanwhile.
    pub(in crate::world) fn resume(&mut self, id: TaskId, ctx: &mut Ctx) {
        let Some(Task { actor, seat, .. }) = self.tasks.all.get_mut(id) else { return };
        let held_up = self.services.hold_up(*actor, seat);
        if held_up.is_zero() {
            self.tasks.wake(id);
            self.make_ready(id, ctx);
        } else {
            self.tasks.wait(id, held_up, ctx);
        }
    }

    /// A call of a waiting task has ended.
    pub(in crate::world) fn call_ended(
        &mut self,
        id: TaskId,
        site: SiteId,
        answer: Answer,
        ctx: &mut Ctx,
    ) {
        if let Origin::Left = self.tasks.all[id].origin {
            return self.tasks.all.free(id);
        }
        let next = self.tasks.hear(id, site, answer, &mut self.shared, ctx);
        self.go_on(id, next, ctx);
    }

    /// A task passes a labelled point; faults that wait there may hit the task itself.
    fn pass_point(&mut self, id: TaskId, point: PointId, ctx: &mut Ctx) -> bool {
        let Task { actor, seat, intent, .. } = self.tasks.all[id];
        let hit = self.pass(point, (actor, seat.instance), intent, ctx);
        // A crash there may have killed it.
        if self.tasks.all.get(id).is_none() {
            return false;
        }
        match hit {
            Hit::Error(status) => {
                let next = self.tasks.fail(id, status, &self.shared);
                self.proceed(id, next, ctx)
            }
            Hit::Stall(length) => {
                self.tasks.wait(id, length, ctx);
                false
            }
            Hit::Nothing if self.is_parked(id) => false,
            Hit::Nothing => {
                // A clock may have been set there.
                self.set_clock(id, ctx);
                true
            }
        }
    }

    /// A task is over: whoever it worked for hears of it, its worker is free, and it is gone.
    pub(super) fn end(&mut self, id: TaskId, error: Option<Raised>, ctx: &mut Ctx) {
        match self.tasks.all[id].origin {
            Origin::Submission { .. } => {
                let fate = error.map_or(Fate::Succeeded, Raised::fate);
                self.end_submission(id, fate, error.and_then(Raised::of_call), ctx);
            }
            Origin::Request(_) => {
                let status = error.map_or(200, Raised::status);
                self.answer_request_of(id, Answer::status(status), ctx);
                self.give_worker_back(id, ctx);
                self.tasks.all.free(id);
            }
            Origin::Branch { parent, number } => {
                self.give_worker_back(id, ctx);
                let next = self.tasks.join(parent, number, id, error, &self.shared);
                self.go_on(parent, next, ctx);
            }
            Origin::Alone => {
                self.give_worker_back(id, ctx);
                self.tasks.all.free(id);
            }
            Origin::Flight(flight) => {
                self.give_worker_back(id, ctx);
                self.land(id, flight, error, ctx);
                self.tasks.all.free(id);
            }
            Origin::Own | Origin::Left => unreachable!("it is over when its call is"),
        }
    }

    /// Sends the answer of a task's request, unless it was sent before.
    pub(super) fn answer_request_of(&mut self, id: TaskId, answer: Answer, ctx: &mut Ctx) {
        let task = &mut self.tasks.all[id];
        if let Some(request) = task.take_request() {
            let answer = Answer { by_fallback: task.is_degraded, ..answer };
            self.network.requests[request].worked = task.seat.worked(ctx.now());
            if self.shared.watch.wants(Topic::Answers) {
                let request = &self.network.requests[request];
                self.tasks.show_answer(id, request, answer, &mut self.shared, ctx);
            }
            self.send_answer(request, answer, ctx);
        }
    }

    /// Whoever a task works for has stopped waiting: what the task waits for is called off, and it
    /// goes on with an error. One that waits for nothing but its turn ends on its own; false then.
    pub(super) fn cancel_task(&mut self, id: TaskId, ctx: &mut Ctx) -> bool {
        if !self.tasks.is_waiting(id) {
            return false;
        }
        self.abandon(id, Leaves::Cancels, ctx);
        let next = self.tasks.fail(id, 499, &self.shared);
        self.go_on(id, next, ctx);
        true
    }

    /// Calls off everything a task waits for, its branches included. The slot stays.
    pub(super) fn abandon(&mut self, id: TaskId, leaves: Leaves, ctx: &mut Ctx) {
        match self.tasks.stop_waiting(id) {
            // Whoever works a value out goes on, for others and the next time.
            Waiting::Nothing | Waiting::Flight(_) => {}
            Waiting::Timer(handle) => {
                ctx.cancel(handle);
            }
            Waiting::Call(call) => self.abandon_call(call, leaves, ctx),
            Waiting::Branches { tasks, .. } => {
                for branch in tasks {
                    if self.tasks.all.get(branch).is_some() {
                        self.abandon(branch, leaves, ctx);
                        self.give_worker_back(branch, ctx);
                        self.tasks.all.free(branch);
                    }
                }
            }
        }
    }

    /// Lets a task of a paused actor or instance wait until that goes on.
    fn is_parked(&mut self, id: TaskId) -> bool {
        if !self.shared.conditions.has_paused {
            return false;
        }
        let Some(Task { actor, seat, .. }) = self.tasks.all.get(id) else { return false };
        let at = (*actor, Some(seat.instance));
        let is_paused = self.shared.conditions[actor.index()].is_paused(at.1);
        if is_paused {
            self.faults.park(at, Event::Resume(id));
        }
        is_paused
    }

    /// Sets `{now}` of a task.
    pub(in crate::world) fn set_clock(&mut self, id: TaskId, ctx: &Ctx) {
        self.tasks.set_clock(id, &self.shared, ctx.now());
    }
}
