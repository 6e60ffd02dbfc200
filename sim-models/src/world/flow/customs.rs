//! Actors written in Rust: they are asked, and what they order is done.

use crate::plan::ActorId;
use crate::world::ids::RequestId;
use crate::world::{Ctx, World};

impl World {
    pub(in crate::world) fn start_custom(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let orders = self.customs.start(actor, &mut self.shared, ctx);
        orders.carry_out(&mut self.network.requests, ctx);
    }

    pub(super) fn ask_custom(&mut self, id: RequestId, ctx: &mut Ctx) {
        let request = &self.network.requests[id];
        let orders = self.customs.ask(id, request, &mut self.shared, ctx);
        orders.carry_out(&mut self.network.requests, ctx);
    }

    pub(in crate::world) fn wake_custom(&mut self, actor: ActorId, token: u64, ctx: &mut Ctx) {
        let orders = self.customs.wake(actor, token, &mut self.shared, ctx);
        orders.carry_out(&mut self.network.requests, ctx);
    }

    /// A custom actor's answer is due.
    pub(in crate::world) fn reply(&mut self, id: RequestId, ctx: &mut Ctx) {
        let answer = self.network.requests[id].answer;
        self.send_answer(id, answer, ctx);
    }
}
