//! What happens next: where one part of the world hands over to another.
//!
//! Each part returns what must happen elsewhere; only the functions here see two parts. They read
//! as lists, and a request can be followed downwards from its arrival to its verdict.

use sim_core::{Span, Time, mix};
use sim_policies::{Ending, Fate};
use sim_redis::value::Value;

use super::broker::Delivery;
use super::client::{Clients, Told};
use super::custom::{Errand, Orders, Wake};
use super::fault::{Faults, Hit, SetBack};
use super::network::{Answer, Arrival, Leg, Payload, Request, Returned, Sender};
use super::service::{Arrived, Held, JobRun, Landed, Look, ServiceState, Turn, Wanted};
use super::stack::{Attempt, Begin, Call, Ended, Onward, Woken, sample};
use super::store::copies::{Parcel, RegionCopy};
use super::store::{Death, Order, Served};
use super::task::eval::eval;
use super::task::{Exit, Next, Origin, Raised, Task, Waiting};
use super::{Ctx, Event, World};
use crate::log::Note;
use crate::outcome::ServiceBooks;
use crate::plan::{
    ActorId, ActorKind, CachedId, Fault, FaultId, JobId, Operand, PointId, SiteId, Target, Trigger,
    builtin,
};
use crate::pool::Id;

/// # Clients
impl World {
    /// An intent of an open load arises.
    pub(super) fn arrive(&mut self, client: ActorId, ctx: &mut Ctx) {
        let user = self.clients.arrive(client, &self.shared, ctx);
        self.decide(client, user, ctx);
    }

    pub(super) fn burst(&mut self, client: ActorId, ctx: &mut Ctx) {
        for _ in 0..Clients::burst(client, &self.shared.plan) {
            self.decide(client, 0, ctx);
        }
    }

    /// A user makes up their mind, and submits the intent.
    pub(super) fn decide(&mut self, client: ActorId, user: u32, ctx: &mut Ctx) {
        let intent = self.clients.decide(client, user, &mut self.shared, ctx);
        self.submit(intent, 1, ctx);
    }

    pub(super) fn submit(&mut self, intent: u32, submission: u32, ctx: &mut Ctx) {
        let submission = Clients::submit(intent, submission, &mut self.shared, ctx);
        let task = self.tasks.begin_submission(submission, &mut self.shared, ctx.now());
        let leave = self.clients.patience(submission.client, task, ctx);
        self.tasks.set_leave(task, leave);
        self.tasks.ready.push_back(task);
    }

    /// The user gives up on a submission; what was sent goes on without them.
    pub(super) fn leave(&mut self, task: Id<Task>, ctx: &mut Ctx) {
        let Some(Task { intent, .. }) = self.tasks.get(task) else { return };
        self.shared.note(Note::Left { intent: *intent }, ctx);
        self.tasks.set_leave(task, None);
        self.abandon(task, ctx);
        self.end_submission(task, Fate::Unknown, None, ctx);
    }

    fn end_submission(
        &mut self,
        task: Id<Task>,
        fate: Fate,
        ending: Option<Ending>,
        ctx: &mut Ctx,
    ) {
        let Task { intent, origin: Origin::Submission { begun, leave }, .. } = self.tasks[task]
        else {
            unreachable!("only submissions end here")
        };
        if let Some(handle) = leave {
            ctx.cancel(handle);
        }
        self.tasks.free(task);
        let told = Told { submission: task.word(), intent, begun, fate, ending };
        self.clients.end(told, &mut self.shared, ctx);
    }
}

/// # Tasks
impl World {
    /// Runs a task until it waits or ends.
    pub(super) fn run(&mut self, id: Id<Task>, ctx: &mut Ctx) {
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
    fn proceed(&mut self, id: Id<Task>, next: Next, ctx: &mut Ctx) -> bool {
        match next {
            Next::Go => return true,
            Next::Stop => {}
            Next::Work(length) => {
                let (services, shared) = (&self.services, &self.shared);
                let Task { actor, seat, .. } = &mut self.tasks[id];
                let length = services.length_of_work(*actor, seat, length, shared, ctx.now());
                self.tasks.wait(id, length, ctx);
            }
            Next::Sleep(length) => {
                self.yield_worker(id, ctx);
                self.tasks.wait(id, length, ctx);
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
    fn go_on(&mut self, id: Id<Task>, next: Next, ctx: &mut Ctx) {
        if self.proceed(id, next, ctx) {
            self.make_ready(id, ctx);
        }
    }

    /// A task has worked or slept, unless its instance has stood still meanwhile.
    pub(super) fn resume(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        let Some(Task { actor, seat, .. }) = self.tasks.get_mut(id) else { return };
        let held_up = self.services.hold_up(*actor, seat);
        if held_up.is_zero() {
            self.tasks.wake(id);
            self.make_ready(id, ctx);
        } else {
            self.tasks.wait(id, held_up, ctx);
        }
    }

    /// A call of a waiting task has ended.
    pub(super) fn call_ended(&mut self, id: Id<Task>, site: SiteId, answer: Answer, ctx: &mut Ctx) {
        let next = self.tasks.hear(id, site, answer, &mut self.shared, ctx);
        self.go_on(id, next, ctx);
    }

    /// A task passes a labelled point; faults that wait there may hit the task itself.
    fn pass_point(&mut self, id: Id<Task>, point: PointId, ctx: &mut Ctx) -> bool {
        let hit = self.pass(point, ctx);
        // A crash there may have killed it.
        if self.tasks.get(id).is_none() {
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
    fn end(&mut self, id: Id<Task>, error: Option<Raised>, ctx: &mut Ctx) {
        match self.tasks[id].origin {
            Origin::Submission { .. } => {
                let fate = error.map_or(Fate::Succeeded, Raised::fate);
                self.end_submission(id, fate, error.and_then(Raised::of_call), ctx);
            }
            Origin::Request(_) => {
                let status = error.map_or(200, Raised::status);
                self.answer_request_of(id, Answer::status(status), ctx);
                self.give_worker_back(id, ctx);
                self.tasks.free(id);
            }
            Origin::Branch { parent, number } => {
                self.give_worker_back(id, ctx);
                let next = self.tasks.join(parent, number, id, error, &self.shared);
                self.go_on(parent, next, ctx);
            }
            Origin::Alone => {
                self.give_worker_back(id, ctx);
                self.tasks.free(id);
            }
            Origin::Flight(flight) => {
                self.give_worker_back(id, ctx);
                self.land(id, flight, error, ctx);
                self.tasks.free(id);
            }
            Origin::Own => unreachable!("it is over when its call is"),
        }
    }

    /// Sends the answer of a task's request, unless it was sent before.
    fn answer_request_of(&mut self, id: Id<Task>, answer: Answer, ctx: &mut Ctx) {
        let task = &mut self.tasks[id];
        if let Some(request) = task.take_request() {
            self.network.requests[request].worked = task.seat.worked(ctx.now());
            self.send_answer(request, answer, ctx);
        }
    }

    /// Whoever a task works for has stopped waiting: what the task waits for is called off, and it
    /// goes on with an error. One that waits for nothing but its turn ends on its own; false then.
    fn cancel_task(&mut self, id: Id<Task>, ctx: &mut Ctx) -> bool {
        if !self.tasks.is_waiting(id) {
            return false;
        }
        self.abandon(id, ctx);
        let next = self.tasks.fail(id, 499, &self.shared);
        self.go_on(id, next, ctx);
        true
    }

    /// Calls off everything a task waits for, its branches included. The slot stays.
    fn abandon(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        match self.tasks.stop_waiting(id) {
            // Whoever works a value out goes on, for others and the next time.
            Waiting::Nothing | Waiting::Flight(_) => {}
            Waiting::Timer(handle) => {
                ctx.cancel(handle);
            }
            Waiting::Call(call) => self.abandon_call(call, ctx),
            Waiting::Branches { tasks, .. } => {
                for branch in tasks {
                    if self.tasks.get(branch).is_some() {
                        self.abandon(branch, ctx);
                        self.give_worker_back(branch, ctx);
                        self.tasks.free(branch);
                    }
                }
            }
        }
    }

    /// Lets a task of a paused actor wait until the actor goes on.
    fn is_parked(&mut self, id: Id<Task>) -> bool {
        let Some(Task { actor, .. }) = self.tasks.get(id) else { return false };
        let is_paused = self.shared.conditions[actor.index()].paused;
        if is_paused {
            self.faults.park(*actor, Event::Resume(id));
        }
        is_paused
    }

    /// Sets `{now}` of a task.
    pub(super) fn set_clock(&mut self, id: Id<Task>, ctx: &Ctx) {
        self.tasks.set_clock(id, &self.shared, ctx.now());
    }
}

/// # Services
impl World {
    pub(super) fn service(&mut self, actor: ActorId) -> Option<&mut ServiceState> {
        self.services.get_mut(actor)
    }

    pub(super) fn report_level(&mut self, actor: ActorId, ctx: &Ctx) {
        self.services.report(actor, &mut self.shared, ctx.now());
    }

    /// A request asks its service for a worker.
    pub(super) fn admit(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let request = &mut self.network.requests[id];
        match self.services.arrive(id, request, &mut self.shared, ctx) {
            Arrived::Begins => self.begin_request(id, ctx),
            Arrived::Waits => {}
            Arrived::Away(other, ending) => self.turn_away(other, ending, ctx),
        }
    }

    /// Starts a request's program on the worker that was taken for it.
    fn begin_request(&mut self, id: Id<Request>, ctx: &Ctx) {
        let request = &mut self.network.requests[id];
        self.services.begin(request, ctx.now());
        let task = self.tasks.begin_request(id, request, &mut self.shared, ctx.now());
        request.task = task;
        self.tasks.ready.push_back(task);
    }

    /// A request has its answer, or will have none.
    pub(super) fn leave_admission(&mut self, id: Id<Request>, ending: Ending, ctx: &Ctx) {
        let request = &self.network.requests[id];
        self.services.settle(id, request, sample(ending), &self.shared, ctx.now());
    }

    /// Puts a task on the ready list as soon as it has the worker that it needs.
    fn make_ready(&mut self, id: Id<Task>, ctx: &Ctx) {
        let Task { actor, seat, .. } = &mut self.tasks[id];
        if self.services.has_worker(id, *actor, seat, &mut self.shared, ctx.now()) {
            self.tasks.ready.push_back(id);
        }
    }

    /// A task starts to wait: in an async service its worker serves others meanwhile.
    fn yield_worker(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        if self.services.is_async(self.tasks[id].actor) {
            self.give_worker_back(id, ctx);
        }
    }

    /// A task is done with its worker; the next in line gets it.
    fn give_worker_back(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        let Task { actor, seat, .. } = &mut self.tasks[id];
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
                Turn::Task(task) if self.tasks.get(task).is_none() => {}
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
    pub(super) fn disconnect(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(&Request { from, to, lineage, .. }) = self.network.requests.get(id) else {
            return;
        };
        if self.services.heeds_disconnects(to) {
            let (index, event) = (Leg::Disconnect.of(lineage), Event::Disconnect(id));
            self.network.ship(from, to, index, event, &self.shared, ctx);
        }
    }

    /// The caller of a request has stopped waiting, and the service hears of it.
    pub(super) fn disconnected(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get(id) else { return };
        if request.answered {
            return;
        }
        let (actor, task) = (request.to, request.task);
        if self.tasks.get(task).is_some() {
            if self.cancel_task(task, ctx) {
                self.shared.metrics.cancelled(actor);
            }
        } else if self.services.leave_line(id, request, &mut self.shared, ctx.now()) {
            self.shared.metrics.cancelled(actor);
            self.turn_away(id, Ending::Status(499), ctx);
        }
    }

    /// The process dies, or one of its instances: tasks and the line are gone, and their callers'
    /// connections break.
    pub(super) fn crash_service(&mut self, actor: ActorId, only: Option<u32>, ctx: &mut Ctx) {
        let is_hit = |seat: u32| only.is_none_or(|only| only == seat);
        let hit = self.tasks.ids_where(|task| task.actor == actor && is_hit(task.seat.instance));
        // No worker is given back to those who are about to go as well.
        for task in &hit {
            self.tasks[*task].seat.lose_worker(ctx.now());
        }
        for task in hit {
            // A branch may have gone with its parent.
            if self.tasks.get(task).is_some() {
                self.abandon(task, ctx);
                self.answer_request_of(task, Answer::bare(Ending::Reset), ctx);
                self.tasks.free(task);
            }
        }
        for request in self.services.crash(actor, only) {
            self.turn_away(request, Ending::Reset, ctx);
        }
        self.report_level(actor, ctx);
        self.services.forget(actor, only, &self.shared.plan);
        if only.is_none() {
            self.stack.crash(&self.shared.plan, actor);
            self.faults.unpark(actor, ctx);
        }
    }

    /// A job's turn has come.
    pub(super) fn turn(&mut self, job: JobId, ctx: &mut Ctx) {
        let is_running = self.tasks.get(self.services.jobs.latest(job)).is_some();
        let Some(run) = self.services.jobs.turn(job, is_running, &self.shared, ctx) else { return };
        let JobRun { actor, program, intent, lineage } = run;
        let task = self.tasks.begin(actor, program, intent, lineage, &mut self.shared);
        self.tasks[task].origin = Origin::Alone;
        self.services.jobs.runs(job, task);
        self.make_ready(task, ctx);
    }

    /// The books of all services, by name.
    pub(crate) fn books(&self) -> Vec<ServiceBooks> {
        let held = |actor: ActorId| {
            let tasks = || self.tasks.iter().filter(|task| task.actor == actor);
            let has_request = |task: &&Task| matches!(task.origin, Origin::Request(Some(_)));
            Held {
                requests: tasks().filter(has_request).count() as u64,
                workers: tasks().filter(|task| task.seat.has_worker()).count() as u64,
            }
        };
        self.services.books(held, &self.shared)
    }
}

/// # Caches of services
impl World {
    /// A task needs a value: it has it at once, or waits until it is worked out.
    fn look_up(&mut self, id: Id<Task>, cached: CachedId, ctx: &mut Ctx) -> bool {
        let wanted = self.tasks.want(id, cached, &mut self.shared);
        let into = self.shared.plan.cached[cached.index()].into;
        let flight = match self.services.caches.look(wanted, &mut self.shared, ctx.now()) {
            Look::Fresh(value) => {
                self.tasks[id].assign(into, value);
                return true;
            }
            Look::Stale(value) => {
                self.tasks[id].assign(into, value);
                self.fly(id, wanted, None, ctx);
                return true;
            }
            Look::Awaited(flight) => flight,
            Look::Early | Look::Unknown => self.fly(id, wanted, self.tasks[id].deadline, ctx),
        };
        self.services.caches.wait(flight, id, into);
        self.tasks.wait_for(id, Waiting::Flight(flight));
        self.yield_worker(id, ctx);
        false
    }

    /// Starts a task that works a value out.
    fn fly(&mut self, id: Id<Task>, wanted: Wanted, deadline: Option<Time>, ctx: &mut Ctx) -> u64 {
        let flight = self.services.caches.take_off(wanted, &mut self.shared, ctx.now());
        let task = self.tasks.fly(id, wanted, flight, deadline, &mut self.shared);
        self.make_ready(task, ctx);
        flight
    }

    /// A flight has ended: all who wait go on with what it found, or with its error.
    fn land(&mut self, id: Id<Task>, flight: u64, error: Option<Raised>, ctx: &mut Ctx) {
        let (caches, registers) = (&mut self.services.caches, &self.tasks[id].registers);
        let (failed, now) = (error.is_some(), ctx.now());
        let Some(landed) = caches.land(flight, registers, failed, &mut self.shared, now) else {
            return;
        };
        let Landed { value, waiters } = landed;
        for (waiter, into) in waiters {
            let found = error.map_or(Ok((into, value)), Err);
            let next = self.tasks.land(waiter, flight, found, &self.shared);
            self.go_on(waiter, next, ctx);
        }
    }
}

/// # Paused actors
impl World {
    /// The paused actor to which an event belongs, if it does.
    pub(super) fn paused_owner(&self, event: Event) -> Option<ActorId> {
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
            Event::Served(request) | Event::Disconnect(request) | Event::Reply(request) => {
                self.network.requests.get(request)?.to
            }
            Event::Wake(wake) => self.customs.wake_of(wake)?.0,
            Event::Copied(copy) => self.stores.holder_of(copy)?,
            Event::Answer(request) => self.network.requests.get(request)?.from,
            Event::Timer { call, .. } => self.tasks.get(self.stack.task_of(call)?)?.actor,
            Event::Visible(delivery) => self.brokers.broker_of(delivery, &self.shared)?,
            _ => return None,
        };
        self.shared.conditions[owner.index()].paused.then_some(owner)
    }
}

/// # Calls: from a program through its policies to the network, and back
impl World {
    /// Starts a call: its answer, when a policy has one at once, or the call that is under way.
    pub(super) fn begin_call(
        &mut self,
        task: Id<Task>,
        site: SiteId,
        lineage: u64,
        ctx: &mut Ctx,
    ) -> Result<Answer, Id<Call>> {
        let Task { intent, deadline, .. } = self.tasks[task];
        let key = self.tasks[task].get(builtin::KEY);
        let begin = Begin { task, site, lineage, intent, key, deadline };
        let (call, onward) = self.stack.begin(begin, &mut self.shared, ctx);
        match self.see_to(onward, ctx) {
            Some(ended) => Ok(ended.answer),
            None => Err(call),
        }
    }

    /// A timer of a call has run out.
    pub(super) fn timer(&mut self, call: Id<Call>, layer: u8, number: u32, ctx: &mut Ctx) {
        let onward = self.stack.timer(call, layer, number, &mut self.shared, ctx);
        self.carry_on(onward, ctx);
    }

    /// A call's layer has got what it waited for.
    pub(super) fn wake_call(&mut self, woken: Woken, ctx: &mut Ctx) {
        let onward = self.stack.wake(woken, &mut self.shared, ctx);
        self.carry_on(onward, ctx);
    }

    /// The answer to an attempt has arrived.
    pub(super) fn settle_attempt(
        &mut self,
        call: Id<Call>,
        attempt: u32,
        answer: Answer,
        ctx: &mut Ctx,
    ) {
        let onward = self.stack.settle_attempt(call, attempt, answer, &mut self.shared, ctx);
        self.carry_on(onward, ctx);
    }

    /// A program no longer wants the answer to its call.
    pub(super) fn abandon_call(&mut self, call: Id<Call>, ctx: &mut Ctx) {
        while let Some(request) = self.stack.abandon(call, &mut self.shared, ctx) {
            self.disconnect(request, ctx);
        }
    }

    /// Sees to what a call needs; its program goes on when it has ended.
    fn carry_on(&mut self, onward: Onward, ctx: &mut Ctx) {
        if let Some(Ended { task, site, answer }) = self.see_to(onward, ctx) {
            self.call_ended(task, site, answer, ctx);
        }
    }

    /// Sees to what a call needs, until it waits or has ended.
    fn see_to(&mut self, mut onward: Onward, ctx: &mut Ctx) -> Option<Ended> {
        loop {
            onward = match onward {
                Onward::Waits => return None,
                Onward::Ended(ended) => return Some(ended),
                Onward::Send(call) => {
                    self.send_attempt(call, ctx);
                    self.stack.on_its_way(call, &mut self.shared, ctx)
                }
                Onward::HangUp(request, rest) => {
                    self.disconnect(request, ctx);
                    self.stack.hung_up(rest, &mut self.shared, ctx)
                }
            };
        }
    }

    /// Sends the next attempt. Its key and content are worked out anew, since they may name the
    /// attempt.
    fn send_attempt(&mut self, call: Id<Call>, ctx: &mut Ctx) {
        let Attempt { number, task, site, intent, lineage, deadline } = self.stack.attempt(call);
        self.tasks[task].set(builtin::ATTEMPT, Value::Int(number.into()));
        self.set_clock(task, ctx);
        let (plan, texts) = (&self.shared.plan, &mut self.shared.texts);
        let site = &plan.sites[site.index()];
        let Task { actor, ref registers, .. } = self.tasks[task];
        let mut value = |operand: Operand| eval(plan, texts, registers, operand);
        let (id, request) = self.network.requests.take();
        let mut with = std::mem::take(&mut request.with);
        with.clear();
        let mut order = None;
        let (payload, key, body) = match &site.target {
            Target::Endpoint { endpoint, key, body, with: arguments } => {
                with.extend(arguments.iter().map(|(reg, operand)| (*reg, value(*operand))));
                (Payload::Endpoint(*endpoint), value(*key), value(*body))
            }
            Target::Queue { queue, key, body } => {
                (Payload::Message(*queue), value(*key), value(*body))
            }
            Target::Custom { endpoint, key, body } => {
                (Payload::Custom { endpoint: *endpoint }, value(*key), value(*body))
            }
            Target::Kv(command) => {
                let Value::Int(execution) = registers[builtin::EXECUTION.index()] else {
                    unreachable!("every execution has its number")
                };
                let op = command.op.map(&mut |operand, _| value(*operand), &mut |kind| *kind);
                order = Some(Box::new(Order { op, from: command.from, execution }));
                (Payload::Command, Value::Nil, Value::Nil)
            }
        };
        let (to, pair) = (site.to, site.pair);
        *request = Request {
            from: actor,
            to,
            pair,
            sender: Sender::Call(call),
            attempt: number,
            intent,
            lineage: mix(lineage, number.into()),
            payload,
            order,
            key,
            body,
            with,
            deadline,
            ..Request::default()
        };
        self.shared.metrics.sent(pair, number > 1, ctx.now());
        self.stack.sends(call, id, actor, &mut self.shared, ctx);
        self.network.post(id, &mut self.shared, ctx);
    }
}

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
                if !self.stack.awaits(call, attempt) || answer.ending == Ending::Reset {
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
        self.carry_out(orders, ctx);
    }

    fn ask_custom(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let request = &mut self.network.requests[id];
        let orders = self.customs.ask(id, request, &mut self.shared, ctx);
        self.carry_out(orders, ctx);
    }

    pub(super) fn wake_custom(&mut self, wake: Id<Wake>, ctx: &mut Ctx) {
        if let Some(orders) = self.customs.wake(wake, &mut self.shared, ctx) {
            self.carry_out(orders, ctx);
        }
    }

    /// The call of a custom actor has ended.
    fn hear(&mut self, id: Id<Task>, answer: Answer, ctx: &mut Ctx) {
        self.tasks.free(id);
        let orders = self.customs.hear(id, answer, &mut self.shared, ctx);
        self.carry_out(orders, ctx);
    }

    /// Does what a custom actor has ordered. Its calls begin with the next event, so that one that
    /// calls again and again without waiting meets the limit on steps.
    fn carry_out(&mut self, orders: Orders, ctx: &mut Ctx) {
        for errand in self.customs.carry_out(orders, &mut self.network.requests, ctx) {
            let Errand { of, program, ask, .. } = errand;
            let lineage = errand.lineage(&self.shared.plan);
            let id = self.tasks.begin(of, program, ask.intent, lineage, &mut self.shared);
            let task = &mut self.tasks[id];
            (task.origin, task.deadline) = (Origin::Own, ask.deadline);
            task.set(builtin::KEY, ask.key);
            task.set(builtin::BODY, ask.body);
            self.customs.calls(id, errand);
            self.tasks.wait(id, Span::ZERO, ctx);
        }
    }

    /// A custom actor's answer is due, unless its process has died meanwhile.
    pub(super) fn reply(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get_mut(id) else { return };
        if std::mem::take(&mut request.held) {
            let answer = request.answer;
            self.send_answer(id, answer, ctx);
        }
    }

    /// Its process dies: its calls are gone, and its callers' connections break.
    fn crash_custom(&mut self, actor: ActorId, ctx: &mut Ctx) {
        self.customs.crash(actor);
        for task in self.tasks.ids_where(|task| task.actor == actor) {
            self.abandon(task, ctx);
            self.tasks.free(task);
        }
        let held = |request: &Request| request.to == actor && request.held;
        for request in self.network.requests.ids_where(held) {
            self.network.requests[request].held = false;
            self.turn_away(request, Ending::Reset, ctx);
        }
        self.stack.crash(&self.shared.plan, actor);
        self.faults.unpark(actor, ctx);
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
            self.stack.break_connections(&self.shared.plan, actor);
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
            ActorKind::Client(_) => unreachable!("checked"),
        }
    }

    /// A fault ends.
    pub(super) fn heal(&mut self, id: FaultId, ctx: &mut Ctx) {
        self.faults.heal(id, &mut self.shared, ctx);
        self.impose(ctx);
        if let Fault::Crash { actor, instance } = self.shared.plan.faults[id.index()].fault {
            self.restart(actor, instance, ctx);
        }
    }

    /// A process is up again, or an instance of it. One that another fault holds down stays down.
    fn restart(&mut self, actor: ActorId, instance: Option<u32>, ctx: &mut Ctx) {
        if let Some(service) = self.service(actor) {
            service.restart(instance, ctx.now());
            self.report_level(actor, ctx);
        } else if self.customs.is_dead(actor) && !self.shared.conditions[actor.index()].crashed {
            self.start_custom(actor, ctx);
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
