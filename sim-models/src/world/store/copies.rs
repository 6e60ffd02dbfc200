//! Active-active regions: each write of a store is sent to others, and the last writer wins.
//!
//! What is sent is what the keys hold after the write, stamped with the writer's clock; whoever
//! gets it takes it unless it knows of a later write to that key. A stamp is never before one that
//! its store has seen, so that only writes that do not know of each other are decided by clocks,
//! be they right or wrong. Two regions that have heard everything hold the same.
//!
//! A message that is lost is sent again, as a connection would: each second until it arrives.

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::{Span, mix};
use sim_redis::{Key, Snapshot};

use crate::plan::ActorId;
use crate::pool::Id;
use crate::world::store::follower::Change;
use crate::world::{Ctx, Event, World};

/// When a key was last written, and by which store: of two at one instant the later name wins.
type Stamp = (i64, ActorId);

/// The last writes that a store knows of, by key.
#[derive(Debug, Default)]
pub(in crate::world) struct Stamps(BTreeMap<Key, Stamp>);

impl Stamps {
    pub(in crate::world) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.0.len() * 48
    }
}

/// A write on its way to another region.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegionCopy {
    pub(in crate::world) from: ActorId,
    pub(in crate::world) to: ActorId,
    content: Arc<Content>,
    lineage: u64,
    /// How often it was sent.
    tries: u32,
    /// On its way; else it waits to be sent again.
    pub(in crate::world) sent: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    keys: Vec<(Key, Stamp, Snapshot)>,
    intent: Option<u32>,
}

/// How long after a loss a write is sent again.
const RESEND: Span = Span::secs(1);

/// What the lineages of copies are told apart by.
const COPY: u64 = 4;

impl World {
    /// Sends a change of a store to the regions that it copies to.
    pub(in crate::world) fn copy(&mut self, actor: ActorId, change: &Change, ctx: &mut Ctx) {
        let kv = self.kv_plan(actor);
        if !kv.regional || change.keys.is_empty() {
            return;
        }
        let regions = kv.copies_to.clone();
        let wall = self.wall_ns(actor, ctx.now());
        let store = self.store(actor);
        let mut keys = Vec::with_capacity(change.keys.len());
        for key in &change.keys {
            let seen = store.stamps.0.get(key).map_or(i64::MIN, |(at, _)| *at);
            let stamp = (wall.max(seen.saturating_add(1)), actor);
            store.stamps.0.insert(*key, stamp);
            keys.push((*key, stamp, store.data.snapshot(*key)));
        }
        let content = Arc::new(Content { keys, intent: change.intent });
        for (n, to) in (0u64..).zip(regions) {
            let lineage = mix(mix(change.lineage, COPY), n);
            let (id, entry) = self.stores.copies.take();
            let content = content.clone();
            *entry = RegionCopy { from: actor, to, content, lineage, tries: 0, sent: false };
            self.send_copy(id, ctx);
        }
    }

    /// A copy arrives, or is sent again.
    pub(in crate::world) fn copied(&mut self, id: Id<RegionCopy>, ctx: &mut Ctx) {
        let RegionCopy { from, to, sent, .. } = self.stores.copies[id];
        let is_deaf = |actor: ActorId| {
            let condition = &self.shared.conditions[actor.index()];
            condition.down || condition.black_hole
        };
        if !sent {
            // What a dead process had yet to send is gone with it.
            if self.shared.conditions[from.index()].down {
                self.stores.copies.free(id);
            } else {
                self.send_copy(id, ctx);
            }
        } else if is_deaf(to) {
            self.stores.copies[id].sent = false;
            ctx.schedule_after(RESEND, Event::Copied(id));
        } else {
            self.take_copy(id, ctx);
            self.stores.copies.free(id);
        }
    }

    fn send_copy(&mut self, id: Id<RegionCopy>, ctx: &mut Ctx) {
        let copy = &mut self.stores.copies[id];
        copy.tries += 1;
        let (from, to) = (copy.from, copy.to);
        let index = mix(copy.lineage, copy.tries.into());
        let arrives = self.ship(from, to, index, Event::Copied(id), ctx);
        self.stores.copies[id].sent = arrives;
        if !arrives {
            ctx.schedule_after(RESEND, Event::Copied(id));
        }
    }

    /// Takes what is newer than what is known.
    fn take_copy(&mut self, id: Id<RegionCopy>, ctx: &mut Ctx) {
        let RegionCopy { to, lineage, .. } = self.stores.copies[id];
        let content = self.stores.copies[id].content.clone();
        let now_ms = self.wall_ms(to, ctx.now());
        let mut change = Change { now_ms, lineage, intent: content.intent, ..Change::default() };
        let store = self.store(to);
        for (key, stamp, snapshot) in &content.keys {
            if store.stamps.0.get(key).is_some_and(|known| known >= stamp) {
                continue;
            }
            store.stamps.0.insert(*key, *stamp);
            store.data.adopt(*key, snapshot);
            change.keys.push(*key);
            change.wholes.push((*key, snapshot.clone()));
        }
        ctx.observe(mix(lineage, change.keys.len() as u64));
        self.hand_on(to, change, ctx.now());
    }
}
