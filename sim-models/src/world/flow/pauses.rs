//! Paused actors: whose an event is, and so whether it waits.

use crate::plan::ActorId;
use crate::world::{Event, World};

impl World {
    /// The paused actor to which an event belongs, if it does.
    pub(in crate::world) fn paused_owner(&self, event: Event) -> Option<ActorId> {
        if !self.shared.conditions.has_paused {
            return None;
        }
        let owner = match event {
            Event::Resume(task) => self.tasks.all.get(task)?.actor,
            Event::Deliver(request) => {
                let to = self.network.requests.get(request)?.to;
                // A dead process refuses, whatever it was paused for.
                if self.shared.conditions[to.index()].down {
                    return None;
                }
                to
            }
            Event::Served(request) | Event::Disconnect(request) | Event::Reply(request) => {
                self.network.requests.get(request)?.to
            }
            Event::Wake(wake) => self.customs.wake_of(wake)?.0,
            Event::Copied(copy) => self.stores.holder_of(copy)?,
            Event::Answer(request) => self.network.requests.get(request)?.from,
            Event::Timer { call, .. } => self.tasks.all.get(self.stack.task_of(call)?)?.actor,
            Event::Visible(delivery) => self.brokers.broker_of(delivery, &self.shared)?,
            _ => return None,
        };
        self.shared.conditions[owner.index()].paused.then_some(owner)
    }
}
