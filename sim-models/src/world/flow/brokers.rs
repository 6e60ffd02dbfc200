//! Brokers: a message is stored and handed out until somebody acknowledges it.

use crate::world::ids::{DeliveryId, RequestId};
use crate::world::network::Request;
use crate::world::{Ctx, World};

impl World {
    /// A message is stored, acknowledged to its publisher, and handed out.
    pub(super) fn publish(&mut self, id: RequestId, ctx: &mut Ctx) {
        let stored = self.brokers.store(&self.network.requests[id], &mut self.shared, ctx);
        self.send_answer(id, stored.receipt(), ctx);
        for n in 0..stored.subscribers {
            let message = self.brokers.deliver_to(&stored, n, &mut self.shared, ctx);
            self.hand_out(message, ctx);
        }
    }

    /// A message that nobody has acknowledged can be seen again.
    pub(in crate::world) fn visible(&mut self, id: DeliveryId, ctx: &mut Ctx) {
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
