//! Actors written in Rust: they are asked, and what they order is done.

use sim_core::Span;
use sim_policies::Ending;

use crate::plan::{ActorId, builtin};
use crate::world::custom::{Errand, Orders};
use crate::world::ids::{RequestId, TaskId, WakeId};
use crate::world::network::{Answer, Request};
use crate::world::stack::Leaves;
use crate::world::task::Origin;
use crate::world::{Ctx, World};

impl World {
    pub(in crate::world) fn start_custom(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let orders = self.customs.start(actor, &mut self.shared, ctx);
        self.carry_out(orders, ctx);
    }

    pub(super) fn ask_custom(&mut self, id: RequestId, ctx: &mut Ctx) {
        let request = &mut self.network.requests[id];
        let orders = self.customs.ask(id, request, &mut self.shared, ctx);
        self.carry_out(orders, ctx);
    }

    pub(in crate::world) fn wake_custom(&mut self, wake: WakeId, ctx: &mut Ctx) {
        if let Some(orders) = self.customs.wake(wake, &mut self.shared, ctx) {
            self.carry_out(orders, ctx);
        }
    }

    /// The call of a custom actor has ended.
    pub(super) fn hear(&mut self, id: TaskId, answer: Answer, ctx: &mut Ctx) {
        self.tasks.all.free(id);
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
            let task = &mut self.tasks.all[id];
            (task.origin, task.deadline) = (Origin::Own, ask.deadline);
            task.set(builtin::KEY, ask.key);
            task.set(builtin::BODY, ask.body);
            self.customs.calls(id, errand);
            self.tasks.wait(id, Span::ZERO, ctx);
        }
    }

    /// A custom actor's answer is due, unless its process has died meanwhile.
    pub(in crate::world) fn reply(&mut self, id: RequestId, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get_mut(id) else { return };
        if std::mem::take(&mut request.held) {
            let answer = request.answer;
            self.send_answer(id, answer, ctx);
        }
    }

    /// Its process dies: its calls are gone, and its callers' connections break.
    pub(super) fn crash_custom(&mut self, actor: ActorId, ctx: &mut Ctx) {
        self.customs.crash(actor);
        // What is left behind by those who go, goes in the next round.
        loop {
            let tasks = self.tasks.all.ids_where(|task| task.actor == actor);
            if tasks.is_empty() {
                break;
            }
            for task in tasks {
                self.abandon(task, Leaves::Dies, ctx);
                self.tasks.all.free(task);
            }
        }
        let held = |request: &Request| request.to == actor && request.held;
        for request in self.network.requests.ids_where(held) {
            self.network.requests[request].held = false;
            self.turn_away(request, Ending::Reset, ctx);
        }
        self.stack.forget(actor, None, &mut self.shared, ctx.now());
        self.faults.unpark((actor, None), ctx);
    }
}
