//! Keys that a store removes on its own: because they have expired, or because memory is short.

use sim_redis::{Command, Eviction};

use crate::log::Note;
use crate::outcome::ResourceEvent;
use crate::plan::{ActorId, FaultId};
use crate::world::Ctx;
use crate::world::shared::Shared;
use crate::world::store::follower::Change;
use crate::world::store::{StoreState, Stores};

impl Stores {
    /// Memory is short: a share of the keys that the policy may remove goes.
    pub(in crate::world) fn evict(
        &mut self,
        fault: FaultId,
        actor: ActorId,
        (policy, share): (Eviction, f64),
        shared: &mut Shared,
        ctx: &Ctx,
    ) {
        let mut draws = shared.luck.evict.at(fault.0.into());
        let store = &mut self.by_actor[actor];
        // So few keys are exact as a float; half a key is one.
        let count = (store.primary.data.evictable(policy).len() as f64 * share + 0.5) as usize;
        let removed = store.primary.data.evict(policy, count, &mut draws);
        shared.note(Note::Evicted { store: actor, keys: removed.len() as u32 }, ctx);
        shared.metrics.happened_at(actor, ResourceEvent::Evicted, removed.len() as u64);
        let now_ms = shared.wall_ms(actor, 0, ctx.now());
        store.removed(removed, now_ms, shared, ctx);
    }

    /// Before a clock goes back, what had expired by it was deleted, unless the actor is no store
    /// or deletes nothing on its own.
    pub(in crate::world) fn clock_goes_back(
        &mut self,
        actor: ActorId,
        before_ns: i64,
        shared: &mut Shared,
        ctx: &Ctx,
    ) {
        let Some(store) = self.by_actor.get_mut(actor) else { return };
        if store.plan.active_expiry {
            let now_ns = i64::try_from(ctx.now().as_nanos()).unwrap_or(i64::MAX);
            let now_ms = now_ns.saturating_add(before_ns).div_euclid(1_000_000);
            let removed = store.primary.data.expire_all(now_ms);
            shared.metrics.happened_at(actor, ResourceEvent::Expired, removed.len() as u64);
            store.removed(removed, now_ms, shared, ctx);
        }
    }
}

impl StoreState {
    /// Tells the store's followers; other regions remove their keys themselves.
    fn removed(&mut self, commands: Vec<Command>, now_ms: i64, shared: &mut Shared, ctx: &Ctx) {
        if !commands.is_empty() {
            self.hand_on(Change { commands, now_ms, ..Change::default() }, shared, ctx.now());
        }
    }
}
