//! Keys that a store removes by itself: because they have expired, or because memory is short.

use sim_redis::{Command, Eviction};

use crate::log::Note;
use crate::plan::{ActorId, FaultId};
use crate::world::store::follower::Change;
use crate::world::{Ctx, World};

impl World {
    /// Memory is short: a share of the keys that the policy may remove goes.
    pub(in crate::world) fn evict(
        &mut self,
        fault: FaultId,
        actor: ActorId,
        policy: Eviction,
        share: f64,
        ctx: &Ctx,
    ) {
        let mut draws = self.shared.luck.evict.at(fault.0.into());
        let data = &mut self.store(actor).data;
        // So few keys are exact as a float; half a key is one.
        let count = (data.evictable(policy).len() as f64 * share + 0.5) as usize;
        let removed = data.evict(policy, count, &mut draws);
        self.shared.note(Note::Evicted { store: actor, keys: removed.len() as u32 }, ctx);
        self.removed(actor, removed, self.wall_ms(actor, ctx.now()), ctx);
    }

    /// Removes what has expired by a clock that will soon be another.
    pub(in crate::world) fn expire_all(&mut self, actor: ActorId, now_ms: i64, ctx: &Ctx) {
        let removed = self.store(actor).data.expire_all(now_ms);
        self.removed(actor, removed, now_ms, ctx);
    }

    /// Tells the store's followers; other regions remove their keys themselves.
    fn removed(&mut self, actor: ActorId, commands: Vec<Command>, now_ms: i64, ctx: &Ctx) {
        if !commands.is_empty() {
            self.hand_on(actor, Change { commands, now_ms, ..Change::default() }, ctx.now());
        }
    }
}
