//! Where a task runs: at which instance of its actor, and whether one of the workers there is its
//! own. A client has processes and no workers.

use sim_core::{Span, Time};

/// A task's place at an instance.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Seat {
    /// Of a service, or the process of a client.
    pub(in crate::world) instance: u32,
    has_worker: bool,
    /// Since when it has one, and for how long it did before.
    since: Time,
    worked: Span,
    /// How long its instance had stood still when the work under way began.
    pub(super) stood_still: Span,
}

impl Default for Seat {
    fn default() -> Seat {
        Seat::at(0)
    }
}

impl Seat {
    /// Without a worker.
    pub(in crate::world) fn at(instance: u32) -> Seat {
        let (since, worked, stood_still) = (Time::ZERO, Span::ZERO, Span::ZERO);
        Seat { instance, has_worker: false, since, worked, stood_still }
    }

    /// With a worker that was taken for it.
    pub(in crate::world) fn at_work(instance: u32, now: Time) -> Seat {
        Seat { has_worker: true, since: now, ..Seat::at(instance) }
    }

    /// That of a task which another starts.
    pub(in crate::world) fn beside(self) -> Seat {
        Seat::at(self.instance)
    }

    pub(in crate::world) fn has_worker(&self) -> bool {
        self.has_worker
    }

    pub(super) fn take_worker(&mut self, now: Time) {
        (self.has_worker, self.since) = (true, now);
    }

    /// Notes the time of the worker that it has had until now; false when it had none.
    pub(in crate::world) fn lose_worker(&mut self, now: Time) -> bool {
        self.worked = self.worked(now);
        std::mem::take(&mut self.has_worker)
    }

    /// For how long a worker has worked for it.
    pub(in crate::world) fn worked(&self, now: Time) -> Span {
        let held = if self.has_worker { now.since(self.since) } else { Span::ZERO };
        self.worked + held
    }
}
