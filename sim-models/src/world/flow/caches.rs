//! Caches of services: a task has a value at once, or waits for the one who works it out.

use sim_core::Time;

use crate::plan::CachedId;
use crate::world::ids::TaskId;
use crate::world::service::{Landed, Look, Wanted};
use crate::world::task::{Raised, Waiting};
use crate::world::{Ctx, World};

impl World {
    /// A task needs a value: it has it at once, or waits until it is worked out.
    pub(super) fn look_up(&mut self, id: TaskId, cached: CachedId, ctx: &mut Ctx) -> bool {
        let wanted = self.tasks.want(id, cached, &mut self.shared);
        let into = self.shared.plan.cached[cached.index()].into;
        let flight = match self.services.caches.look(wanted, &mut self.shared, ctx.now()) {
            Look::Fresh(value) => {
                self.tasks.all[id].assign(into, value);
                return true;
            }
            Look::Stale(value) => {
                self.tasks.all[id].assign(into, value);
                self.fly(id, wanted, None, ctx);
                return true;
            }
            Look::Awaited(flight) => flight,
            Look::Early | Look::Unknown => self.fly(id, wanted, self.tasks.all[id].deadline, ctx),
        };
        self.services.caches.wait(flight, id, into);
        self.tasks.wait_for(id, Waiting::Flight(flight));
        self.yield_worker(id, ctx);
        false
    }

    /// Starts a task that works a value out.
    fn fly(&mut self, id: TaskId, wanted: Wanted, deadline: Option<Time>, ctx: &mut Ctx) -> u64 {
        let flight = self.services.caches.take_off(wanted, &mut self.shared, ctx.now());
        let task = self.tasks.fly(id, wanted, flight, deadline, &mut self.shared);
        self.make_ready(task, ctx);
        flight
    }

    /// A flight has ended: all who wait go on with what it found, or with its error.
    pub(super) fn land(&mut self, id: TaskId, flight: u64, error: Option<Raised>, ctx: &mut Ctx) {
        let (caches, registers) = (&mut self.services.caches, &self.tasks.all[id].registers);
        let (failed, now) = (error.is_some(), ctx.now());
        let Some(landed) = caches.land(flight, registers, failed, &mut self.shared, now) else {
            return;
        };
        let Landed { value, waiters } = landed;
        for (waiter, into) in waiters {
            let found = error.map_or(Ok((into, value)), Err);
            let next = self.tasks.land(waiter, flight, found, &self.shared);
            self.go_on(waiter, next, ctx);
        }
    }
}
