//! Stores: commands are carried out, copies travel, a process dies.

use sim_policies::Ending;
use sim_redis::value::Value;

use crate::plan::{ActorId, builtin};
use crate::world::ids::{CopyId, RequestId};
use crate::world::store::copies::Parcel;
use crate::world::store::{Death, Served};
use crate::world::{Ctx, Event, World};

impl World {
    /// A store has carried out a command, or a wait at it is over.
    pub(in crate::world) fn served(&mut self, id: RequestId, ctx: &mut Ctx) {
        let Some(actor) = self.network.requests.get(id).map(|request| request.to) else { return };
        if self.stores.is_watched_by_many(actor) {
            self.stores.forget_watches(actor, self.running_executions());
        }
        let served = self.stores.serve(actor, id, &mut self.shared, ctx);
        let Some(Served { answer, next }) = served else { return };
        self.send_copies(ctx);
        if let Some(answer) = answer {
            self.send_answer(id, answer, ctx);
        }
        if let Some(desk) = next {
            self.stores.begin_next(actor, desk, &self.shared, ctx);
        }
    }

    fn running_executions(&self) -> Vec<Value> {
        self.tasks.all.iter().map(|task| task.get(builtin::EXECUTION)).collect()
    }

    /// A copy comes to its region, or is to be sent again.
    pub(in crate::world) fn copied(&mut self, id: CopyId, ctx: &mut Ctx) {
        self.stores.copied(id, &mut self.shared, ctx);
        self.send_copies(ctx);
    }

    /// Sends what stores have written to other regions.
    fn send_copies(&mut self, ctx: &mut Ctx) {
        while let Some(Parcel { copy, from, to, index }) = self.stores.next_parcel() {
            let event = Event::Copied(copy);
            let arrives =
                self.network.ship((from, None), (to, None), index, event, &self.shared, ctx);
            self.stores.sent(copy, arrives, ctx);
        }
    }

    pub(super) fn fail_over(&mut self, store: ActorId, ctx: &mut Ctx) {
        let death = self.stores.fail_over(store, &mut self.shared, ctx);
        self.bury(death, ctx);
    }

    /// A replica takes over, and the old primary still serves somebody.
    pub(super) fn split(&mut self, store: ActorId, ctx: &mut Ctx) {
        let death = self.stores.split(store, &mut self.shared, ctx);
        self.bury(death, ctx);
    }

    /// The old primary serves nobody any more.
    pub(super) fn demote(&mut self, store: ActorId, ctx: &mut Ctx) {
        if let Some(death) = self.stores.demote(store, &mut self.shared, ctx.now()) {
            self.bury(death, ctx);
        }
    }

    /// A store's replicas are cut off, or lag, or do so no more.
    pub(super) fn replication_changes(&mut self, store: ActorId, ctx: &mut Ctx) {
        self.stores.replication_changes(store, &mut self.shared, ctx);
    }

    /// A store's process has died: its connections break.
    pub(super) fn bury(&mut self, Death { cut_off, lost }: Death, ctx: &mut Ctx) {
        for request in cut_off {
            self.turn_away(request, Ending::Reset, ctx);
        }
        if let Some(lost) = lost {
            lost.tell(&mut self.shared, ctx);
        }
    }
}
