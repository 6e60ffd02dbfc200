//! Actors written in Rust: what they see, and how their orders are carried out.

use crate::custom::{Ask, CustomActor, Desk, Order, Ticket};
use crate::plan::{ActorId, ActorKind, ActorPlan, Plan};
use crate::pool::{Id, Pool};
use crate::world::ids::{RequestId, RequestName};
use crate::world::network::{Answer, Payload, Request};
use crate::world::shared::{ByActor, Shared};
use crate::world::{Ctx, Event};

/// Every actor written in Rust.
#[derive(Debug)]
pub(super) struct Customs(ByActor<Box<dyn CustomActor>>);

/// What an actor has ordered.
#[derive(Debug)]
#[must_use]
pub(super) struct Orders {
    of: ActorId,
    orders: Vec<Order>,
}

impl Customs {
    pub(super) fn new(
        plan: &Plan,
        mut make: impl FnMut(&ActorPlan) -> Box<dyn CustomActor>,
    ) -> Customs {
        Customs(ByActor::new(plan, |id| {
            let actor = &plan.actors[id.index()];
            matches!(actor.kind, ActorKind::Custom(_)).then(|| make(actor))
        }))
    }

    /// The run begins.
    pub(super) fn start(&mut self, actor: ActorId, shared: &mut Shared, ctx: &Ctx) -> Orders {
        self.act(actor, shared, ctx, |custom, desk| custom.on_start(desk))
    }

    /// A request has arrived.
    pub(super) fn ask(
        &mut self,
        id: RequestId,
        request: &Request,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Orders {
        let Request { to, payload, key, body, attempt, .. } = *request;
        let Payload::Custom { endpoint } = payload else {
            unreachable!("custom actors are called at endpoints")
        };
        let ask = Ask { ticket: Ticket::new(id.word()), endpoint, key, body, attempt };
        self.act(to, shared, ctx, |custom, desk| custom.on_request(ask, desk))
    }

    /// A wake-up is due.
    pub(super) fn wake(
        &mut self,
        actor: ActorId,
        token: u64,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Orders {
        self.act(actor, shared, ctx, |custom, desk| custom.on_wake(token, desk))
    }

    fn act(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        ctx: &Ctx,
        act: impl FnOnce(&mut dyn CustomActor, &mut Desk<'_>),
    ) -> Orders {
        let entity = shared.plan.actors[actor.index()].entity;
        let mut desk = Desk::new(ctx.now(), &mut shared.texts, shared.luck.custom, entity);
        act(self.0[actor].as_mut(), &mut desk);
        Orders { of: actor, orders: desk.into_orders() }
    }
}

impl Orders {
    /// Answers and wakes in the order of the orders. A second answer to one request is ignored.
    pub(super) fn carry_out(self, requests: &mut Pool<Request, RequestName>, ctx: &mut Ctx) {
        let actor = self.of;
        for order in self.orders {
            match order {
                Order::Wake { token, after } => {
                    ctx.schedule_after(after, Event::Wake { actor, token });
                }
                Order::Answer { ticket, status, body, after } => {
                    let id = Id::from_word(ticket.word());
                    let Some(request) = requests.get_mut(id) else { continue };
                    if !request.answered {
                        request.answer = Answer { body, ..Answer::status(status) };
                        request.answered = true;
                        ctx.schedule_after(after, Event::Reply(id));
                    }
                }
            }
        }
    }
}
