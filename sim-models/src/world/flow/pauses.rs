//! Paused actors and instances: whose an event is, and so whether it waits.

use crate::world::condition::End;
use crate::world::{Event, World};

impl World {
    /// The paused actor to which an event belongs, or the instance, if one is paused.
    pub(in crate::world) fn paused_owner(&self, event: Event) -> Option<End> {
        if !self.shared.conditions.has_paused {
            return None;
        }
        let owner = match event {
            Event::Resume(task) => {
                let task = self.tasks.all.get(task)?;
                (task.actor, Some(task.seat.instance))
            }
            Event::Deliver(request) => {
                let request = self.network.requests.get(request)?;
                // A dead process refuses, whatever it was paused for. One that has its instance
                // waits there.
                if request.placed || self.shared.conditions[request.to.index()].all.down {
                    return None;
                }
                (request.to, None)
            }
            Event::Served(request) | Event::Disconnect(request) | Event::Reply(request) => {
                let request = self.network.requests.get(request)?;
                (request.to, request.at())
            }
            Event::Wake(wake) => (self.customs.wake_of(wake)?.0, None),
            Event::Copied(copy) => (self.stores.holder_of(copy)?, None),
            Event::Answer(request) => {
                let request = self.network.requests.get(request)?;
                (request.from, Some(request.from_instance))
            }
            Event::Timer { call, .. } => {
                let task = self.tasks.all.get(self.stack.task_of(call)?)?;
                (task.actor, Some(task.seat.instance))
            }
            Event::Visible(delivery) => (self.brokers.broker_of(delivery, &self.shared)?, None),
            _ => return None,
        };
        self.shared.conditions[owner.0.index()].is_paused(owner.1).then_some(owner)
    }
}
