//! Actors written in Rust: what they see, and what becomes of their orders.

use crate::custom::{CustomActor, Desk, Order};
use crate::plan::ActorId;
use crate::pool::Id;
use crate::world::network::Answer;
use crate::world::{Ctx, Event, World};

impl World {
    pub(super) fn with_custom(
        &mut self,
        actor: ActorId,
        ctx: &mut Ctx,
        act: impl FnOnce(&mut dyn CustomActor, &mut Desk<'_>),
    ) {
        let custom = &mut self.customs[actor];
        let entity = self.shared.plan.actors[actor.index()].entity;
        let mut desk =
            Desk::new(ctx.now(), &mut self.shared.texts, self.shared.luck.custom, entity);
        act(custom.as_mut(), &mut desk);
        let orders = desk.into_orders();
        self.carry_out(actor, orders, ctx);
    }

    pub(super) fn wake_custom(&mut self, actor: ActorId, token: u64, ctx: &mut Ctx) {
        self.with_custom(actor, ctx, |custom, desk| custom.on_wake(token, desk));
    }

    fn carry_out(&mut self, actor: ActorId, orders: Vec<Order>, ctx: &mut Ctx) {
        for order in orders {
            match order {
                Order::Wake { token, after } => {
                    ctx.schedule_after(after, Event::Wake { actor, token });
                }
                Order::Answer { ticket, status, body, after } => {
                    let answer = Answer { body, ..Answer::status(status) };
                    self.answer_later(Id::from_word(ticket.word()), answer, after, ctx);
                }
            }
        }
    }
}
