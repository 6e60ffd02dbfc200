//! Users: an intent arises, is submitted, and comes to its end.

use sim_core::Time;
use sim_policies::{Ending, Fate};

use crate::log::Note;
use crate::plan::ActorId;
use crate::world::client::{Clients, Told};
use crate::world::ids::TaskId;
use crate::world::stack::Leaves;
use crate::world::task::{Origin, Task};
use crate::world::{Ctx, World};

impl World {
    /// An intent of an open load arises.
    pub(in crate::world) fn arrive(&mut self, client: ActorId, ctx: &mut Ctx) {
        let user = self.clients.arrive(client, &self.shared, ctx);
        self.decide(client, user, ctx);
    }

    pub(in crate::world) fn burst(&mut self, client: ActorId, ctx: &mut Ctx) {
        for _ in 0..Clients::burst(client, &self.shared.plan) {
            if !self.may_go_on(ctx) {
                return;
            }
            self.decide(client, 0, ctx);
        }
    }

    /// A user makes up their mind, and submits the intent.
    pub(in crate::world) fn decide(&mut self, client: ActorId, user: u32, ctx: &mut Ctx) {
        let intent = self.clients.decide(client, user, &mut self.shared, ctx);
        self.submit(intent, 1, ctx);
    }

    pub(in crate::world) fn submit(&mut self, intent: u32, submission: u32, ctx: &mut Ctx) {
        let submission = Clients::submit(intent, submission, &mut self.shared, ctx);
        let task = self.tasks.begin_submission(submission, &mut self.shared, ctx.now());
        let leave = self.clients.patience(submission.client, task, ctx);
        self.tasks.set_leave(task, leave);
        self.tasks.ready.push_back(task);
    }

    /// The user gives up on a submission; what was sent goes on without them.
    pub(in crate::world) fn leave(&mut self, task: TaskId, ctx: &mut Ctx) {
        let Some(Task { intent, .. }) = self.tasks.all.get(task) else { return };
        self.shared.note(Note::Left { intent: *intent }, ctx);
        self.tasks.set_leave(task, None);
        self.abandon(task, Leaves::Cancels, ctx);
        self.end_submission(task, Fate::Unknown, None, ctx);
    }

    /// At the end of the run: for how long those have waited who have no answer.
    pub(crate) fn count_open(&mut self, now: Time) {
        for Task { actor, origin, .. } in self.tasks.all.iter() {
            if let Origin::Submission { begun, .. } = *origin {
                self.shared.metrics.still_open(*actor, begun, now);
            }
        }
        self.network.count_open(&mut self.shared, now);
        self.stack.count_open(&mut self.shared, now);
    }

    pub(super) fn end_submission(
        &mut self,
        task: TaskId,
        fate: Fate,
        ending: Option<Ending>,
        ctx: &mut Ctx,
    ) {
        let Task {
            intent, refunded, is_degraded, origin: Origin::Submission { begun, leave }, ..
        } = self.tasks.all[task]
        else {
            unreachable!("only submissions end here")
        };
        let refunded = refunded.filter(|_| fate == Fate::Succeeded);
        if let Some(handle) = leave {
            ctx.cancel(handle);
        }
        self.tasks.all.free(task);
        let submission = task.word();
        let told = Told { submission, intent, begun, fate, refunded, ending, is_degraded };
        self.clients.end(told, &mut self.shared, ctx);
    }
}
