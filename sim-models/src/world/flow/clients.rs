//! Users: an intent arises, is submitted, and comes to its end.

use sim_core::Time;
use sim_policies::{Ending, Fate};

use crate::intent::Intent;
use crate::log::Note;
use crate::plan::{ActorId, Doing, ProgramId};
use crate::trace::SpellEnd;
use crate::world::client::{Clients, Told, plan_of};
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
        self.begin_submission(intent, submission, None, ctx);
    }

    fn begin_submission(
        &mut self,
        intent: u32,
        submission: u32,
        refund: Option<ProgramId>,
        ctx: &mut Ctx,
    ) {
        let submission = Clients::submit(intent, submission, refund, &mut self.shared, ctx);
        let task = self.tasks.begin_submission(submission, &mut self.shared, ctx.now());
        let leave = self.clients.patience(submission.client, task, ctx);
        if let (Some(handle), Some(patience)) = (leave, submission.plan.patience) {
            self.shared.arm(Some(intent), ctx.now() + patience, handle, ctx);
        }
        self.tasks.set_leave(task, leave);
        self.tasks.ready.push_back(task);
    }

    /// A user does something of their own accord.
    pub(in crate::world) fn user_does(&mut self, intent: u32, does: Doing, ctx: &mut Ctx) {
        match does {
            Doing::Click => {
                let number = Clients::expect_more(intent, &mut self.shared);
                self.submit(intent, number, ctx);
            }
            Doing::Leave => {
                self.shared.intents[intent].has_quit = true;
                self.leave_all(intent, ctx);
            }
            Doing::NewKey => {
                let number = Clients::expect_more(intent, &mut self.shared);
                self.shared.intents[intent].keys += 1;
                self.leave_all(intent, ctx);
                self.submit(intent, number, ctx);
            }
            Doing::Refund => {
                let client = self.shared.intents[intent].client;
                let program = plan_of(&self.shared.plan, client).refund;
                let number = Clients::expect_more(intent, &mut self.shared);
                let state = &mut self.shared.intents[intent];
                (state.asked_back, state.refund_open) = (Some(ctx.now()), true);
                self.begin_submission(intent, number, program, ctx);
            }
        }
    }

    /// The user gives up on all submissions of an intent.
    fn leave_all(&mut self, intent: u32, ctx: &mut Ctx) {
        let is_own =
            |task: &Task| task.intent == intent && matches!(task.origin, Origin::Submission { .. });
        for task in self.tasks.all.ids_where(is_own) {
            self.leave(task, ctx);
        }
    }

    /// What a fault has users of a client do: the one whose intent passes its point, or else each
    /// who waits. Whether there was any.
    pub(super) fn users_do(
        &mut self,
        client: ActorId,
        does: Doing,
        passing: Option<u32>,
        ctx: &mut Ctx,
    ) -> bool {
        let intents = &self.shared.intents;
        let is_own =
            |(_, intent): &(u32, &Intent)| intent.client == client && intent.background.is_none();
        let those: Vec<u32> = match passing {
            Some(number) => Some((number, &intents[number]))
                .filter(is_own)
                .map(|(n, _)| n)
                .into_iter()
                .collect(),
            None => {
                let waits = |(_, intent): &(u32, &Intent)| intent.submitted > intent.ended;
                intents.iter().filter(is_own).filter(waits).map(|(n, _)| n).collect()
            }
        };
        for intent in &those {
            self.user_does(*intent, does, ctx);
        }
        !those.is_empty()
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
        self.stores.count_expired(&mut self.shared, now);
        for Task { actor, origin, .. } in self.tasks.all.iter() {
            if let Origin::Submission { begun, .. } = *origin {
                self.shared.metrics.still_open(*actor, begun, now);
            }
        }
        self.network.count_open(&mut self.shared, now);
        self.stack.count_open(&mut self.shared, now);
        self.brokers.count_open(&mut self.shared);
    }

    /// Whether nothing more happens to a user's intent: nothing of it runs, is on its way or due.
    /// Only where a plan's [`intents_end`](crate::plan::Plan::intents_end).
    pub(crate) fn is_spent(&self, number: u32, now: Time) -> bool {
        let Intent { client, begun, expected, ended, .. } = self.shared.intents[number];
        let refund_after = plan_of(&self.shared.plan, client).refund_after;
        ended == expected
            && refund_after.is_none_or(|after| now > begun + after)
            && !self.tasks.all.iter().any(|task| task.intent == number)
            && !self.network.requests.iter().any(|request| request.intent == number)
            && !self.brokers.holds(number)
    }

    pub(super) fn end_submission(
        &mut self,
        task: TaskId,
        fate: Fate,
        ending: Option<Ending>,
        ctx: &mut Ctx,
    ) {
        let Task {
            actor,
            intent,
            refunded,
            is_degraded,
            origin: Origin::Submission { begun, leave },
            ..
        } = self.tasks.all[task]
        else {
            unreachable!("only submissions end here")
        };
        let (program, lineage) = (self.tasks.all[task].program(), self.tasks.all[task].lineage());
        let refunded = refunded.filter(|_| fate == Fate::Succeeded);
        if let Some(handle) = leave {
            ctx.cancel(handle);
        }
        self.tasks.all.free(task);
        let submission = task.word();
        self.shared.ends(lineage, intent, SpellEnd::Told(fate), ctx);
        let is_refund = plan_of(&self.shared.plan, actor).refund == Some(program);
        let told =
            Told { submission, intent, begun, fate, refunded, ending, is_degraded, is_refund };
        self.clients.end(told, &mut self.shared, ctx);
    }
}
