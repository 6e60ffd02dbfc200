//! Messages: a request comes to its actor, and an answer to its caller.

use sim_policies::Ending;

use crate::plan::ActorKind;
use crate::trace::Stage;
use crate::world::ids::RequestId;
use crate::world::network::{Answer, Arrival, Request, Returned, Sender};
use crate::world::{Ctx, World};

impl World {
    /// A request comes to the end of its way.
    pub(in crate::world) fn deliver(&mut self, id: RequestId, ctx: &mut Ctx) {
        if self.network.requests[id].placed {
            return self.knock(id, ctx);
        }
        match self.network.deliver(id, &mut self.shared, ctx) {
            Arrival::Lost | Arrival::Hangs => {}
            Arrival::TurnedAway(ending) => self.turn_away(id, ending, ctx),
            Arrival::At(actor) if self.services.is_service(actor) => self.place(id, ctx),
            Arrival::At(_) => self.hand_over(id, ctx),
        }
    }

    /// A request is at the process that is to serve it, which may have its troubles.
    pub(super) fn hand_over(&mut self, id: RequestId, ctx: &mut Ctx) {
        let actor = match self.network.meet(id, &mut self.shared, ctx) {
            Arrival::Lost => return,
            Arrival::Hangs => return self.hang(id),
            Arrival::TurnedAway(ending) => return self.turn_away(id, ending, ctx),
            Arrival::At(actor) => actor,
        };
        match self.shared.plan.actors[actor.index()].kind {
            ActorKind::Service(_) => self.admit(id, ctx),
            ActorKind::Kv(_) => {
                let request = &mut self.network.requests[id];
                self.stores.enqueue(id, request, &mut self.shared, ctx);
            }
            ActorKind::Broker => self.publish(id, ctx),
            ActorKind::Custom(_) => self.ask_custom(id, ctx),
            ActorKind::Client(_) => unreachable!("nobody calls a client"),
        }
    }

    /// A request has its answer: its place at the service is free, and the answer goes out.
    pub(in crate::world) fn send_answer(&mut self, id: RequestId, answer: Answer, ctx: &mut Ctx) {
        self.leave_admission(id, answer.ending, ctx);
        self.network.answer(id, answer, &mut self.shared, ctx);
    }

    /// A request is not served: its place at the service is free, and its caller notices.
    pub(in crate::world) fn turn_away(&mut self, id: RequestId, ending: Ending, ctx: &mut Ctx) {
        self.leave_admission(id, ending, ctx);
        self.network.turn_away(id, ending, &mut self.shared, ctx);
    }

    /// An answer comes to its caller, which may have stopped waiting for it.
    pub(in crate::world) fn answered(&mut self, id: RequestId, ctx: &mut Ctx) {
        let Request { intent, lineage, .. } = self.network.requests[id];
        let Some(returned) = self.network.hand_back(id, &mut self.shared, ctx) else { return };
        let Returned { sender, attempt, answer, by, worked } = returned;
        let is_wanted = match sender {
            Sender::Call(call) => self.stack.is_wanted(call, attempt),
            Sender::Delivery(_) => true,
        };
        if let Some((trace, when)) = self.shared.tracing(intent, ctx) {
            trace.message(lineage, when, Stage::Returned { is_wanted });
        }
        match sender {
            Sender::Call(call) => {
                if !is_wanted || answer.ending == Ending::Reset {
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
