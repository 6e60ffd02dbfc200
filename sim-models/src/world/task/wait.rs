//! What a task waits for, and how it goes on when that has come.

use sim_core::{Handle, Span};
use sim_policies::Ending;
use sim_redis::value::Value;

use super::{Exit, Next, Origin, Raised, Task, Tasks, Waiting, child};
use crate::invariant::Seen;
use crate::log::{Goes, Note};
use crate::plan::{CachedId, CachedPlan, Program, Reg, Server, SiteId};
use crate::world::ids::TaskId;
use crate::world::network::{Answer, Payload, Request};
use crate::world::service::Wanted;
use crate::world::shared::Shared;
use crate::world::{Ctx, Event, nth};

impl Tasks {
    pub(in crate::world) fn wait(&mut self, id: TaskId, length: Span, ctx: &mut Ctx) -> Handle {
        let handle = ctx.schedule_after(length, Event::Resume(id));
        self.all[id].waiting = Waiting::Timer(handle);
        handle
    }

    pub(in crate::world) fn wait_for(&mut self, id: TaskId, what: Waiting) {
        self.all[id].waiting = what;
    }

    /// A wait is over; false when the task is gone.
    pub(in crate::world) fn wake(&mut self, id: TaskId) -> bool {
        let task = self.all.get_mut(id);
        task.map(Task::wakes).is_some()
    }

    /// The task waits no more; for what it did.
    pub(in crate::world) fn stop_waiting(&mut self, id: TaskId) -> Waiting {
        std::mem::replace(&mut self.all[id].waiting, Waiting::Nothing)
    }

    /// Whether a task waits for anything but its turn.
    pub(in crate::world) fn is_waiting(&self, id: TaskId) -> bool {
        !matches!(self.all[id].waiting, Waiting::Nothing)
    }

    /// The call of a waiting task has ended.
    pub(in crate::world) fn hear(
        &mut self,
        id: TaskId,
        site: SiteId,
        answer: Answer,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Next {
        self.all[id].wakes();
        self.take_answer(id, site, answer, shared, ctx)
    }

    /// Binds an answer to the site's variables, or raises what it was instead of a success.
    pub(in crate::world) fn take_answer(
        &mut self,
        id: TaskId,
        site: SiteId,
        answer: Answer,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Next {
        self.show_receipt(id, answer, shared, ctx);
        if let Origin::Own = self.all[id].origin {
            return Next::Heard(answer);
        }
        let site = &shared.plan.sites[site.index()];
        let pair = site.pair;
        let task = &mut self.all[id];
        let Task { intent, program, .. } = *task;
        let is_users = matches!(task.origin, Origin::Submission { .. });
        if let Some(reg) = site.into_headers {
            task.assign(reg, answer.headers);
        }
        let Answer { ending, body, in_doubt, .. } = answer;
        if !ending.is_success() {
            let raised = Raised { ending, body, in_doubt, own: false };
            let is_caught = task.blocks.catch();
            let next = task.leave(Exit::Error(raised), &shared.plan.words);
            let goes = match next {
                _ if is_caught => Goes::Handles,
                Next::Go => Goes::CleansUp,
                _ => Goes::Fails,
            };
            // A user who has failed is told so.
            if !is_users || goes != Goes::Fails {
                shared.note(Note::Learns { intent, program, pair, ending, goes }, ctx);
            }
            return next;
        }
        task.is_degraded |= answer.by_fallback;
        if let Some(reg) = site.into {
            task.assign(reg, body);
        }
        if let (Some(reg), Ending::Status(status)) = (site.into_status, ending) {
            task.assign(reg, Value::Int(status.into()));
        }
        if answer.by_fallback {
            let goes = Goes::Degraded;
            shared.note(Note::Learns { intent, program, pair, ending, goes }, ctx);
        }
        Next::Go
    }

    /// What an endpoint answers to a request.
    pub(in crate::world) fn show_answer(
        &self,
        id: TaskId,
        request: &Request,
        answer: Answer,
        shared: &mut Shared,
        ctx: &Ctx,
    ) {
        let Request { intent, key, body, payload, .. } = *request;
        let (Payload::Endpoint(endpoint), Ending::Status(status)) = (payload, answer.ending) else {
            return;
        };
        let task = &self.all[id];
        let Program { canonical, result, .. } = shared.plan.programs[task.program.index()];
        let asked = canonical.map_or(body, |reg| task.get(reg));
        let kept = result.map(|reg| task.get(reg)).filter(|result| *result != Value::Nil);
        let (from, content) = (Server::Endpoint(endpoint), answer.body);
        let kept = kept.unwrap_or(content);
        shared.show(Seen::Answered { from, intent, key, asked, body, status, kept, content }, ctx);
    }

    /// What a client's program or one of its branches was answered.
    fn show_receipt(&self, id: TaskId, answer: Answer, shared: &mut Shared, ctx: &Ctx) {
        let mut root = id;
        while let Origin::Branch { parent, .. } = self.all[root].origin {
            root = parent;
        }
        let Task { intent, origin: Origin::Submission { .. }, .. } = self.all[root] else {
            return;
        };
        let (submission, content) = (root.word(), answer.body);
        let success = answer.ending.is_success();
        shared.show(Seen::Received { submission, intent, success, content }, ctx);
    }

    /// A task looks a value up, and goes on after the steps that would work it out.
    pub(in crate::world) fn want(
        &mut self,
        id: TaskId,
        cached: CachedId,
        shared: &mut Shared,
    ) -> Wanted {
        let CachedPlan { key, exit, .. } = shared.plan.cached[cached.index()];
        let task = &mut self.all[id];
        let key = task.eval(key, shared);
        task.lookups += 1;
        task.pc = exit;
        let lineage = nth(task.lineage, child::CACHED, task.lookups);
        Wanted { cached, key, instance: task.seat.instance, lineage }
    }

    /// The value that a task waits for is there, or an error instead. One that has been called off
    /// may do or await something else by now.
    pub(in crate::world) fn land(
        &mut self,
        id: TaskId,
        flight: u64,
        found: Result<(Reg, Value), Raised>,
        shared: &Shared,
    ) -> Next {
        let Some(task) = self.all.get_mut(id) else { return Next::Stop };
        if !matches!(task.waiting, Waiting::Flight(awaited) if awaited == flight) {
            return Next::Stop;
        }
        task.wakes();
        match found {
            Ok((into, value)) => task.assign(into, value),
            Err(raised) => return task.leave(Exit::Error(raised), &shared.plan.words),
        }
        Next::Go
    }

    /// A block is left from outside of the program.
    pub(in crate::world) fn leave(&mut self, id: TaskId, exit: Exit, shared: &Shared) -> Next {
        self.all[id].leave(exit, &shared.plan.words)
    }

    /// An error is raised from outside of the program.
    pub(in crate::world) fn fail(&mut self, id: TaskId, status: u16, shared: &Shared) -> Next {
        self.leave(id, Exit::Error(Raised::of_program(status)), shared)
    }
}
