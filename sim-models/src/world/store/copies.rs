//! Active-active regions: each write of a store is sent to others, and the last writer wins.
//!
//! What is sent is what the keys hold after the write, stamped with the writer's clock; whoever
//! gets it takes it unless it knows of a later write to that key. A stamp is never before one that
//! its store has seen, so that only writes that do not know of each other are decided by clocks,
//! be they right or wrong. Two regions that have heard everything hold the same.
//!
//! A message that is lost is sent again, as a connection would: each second until it arrives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sim_core::{Span, Time, mix};
use sim_redis::{Key, Snapshot};

use crate::plan::ActorId;
use crate::pool::Pool;
use crate::world::ids::{CopyId, CopyName};
use crate::world::network::Leg;
use crate::world::shared::Shared;
use crate::world::store::follower::Change;
use crate::world::store::{StoreState, Stores};
use crate::world::{Ctx, Event};

/// When a key was last written, and by which store: of two at one instant the later name wins.
type Stamp = (i64, ActorId);

/// The last writes that a store knows of, by key.
#[derive(Debug, Default)]
pub(super) struct Stamps(BTreeMap<Key, Stamp>);

impl Stamps {
    pub(in crate::world) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.0.len() * 48
    }
}

/// The writes on their way to other regions.
#[derive(Debug, Default)]
pub(super) struct Copies {
    all: Pool<RegionCopy, CopyName>,
    /// Those that are to be sent now, in order.
    to_send: VecDeque<CopyId>,
}

/// A write on its way to another region.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegionCopy {
    from: ActorId,
    to: ActorId,
    content: Arc<Content>,
    lineage: u64,
    /// How often it was sent.
    tries: u32,
    /// On its way; else it waits to be sent again.
    sent: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    keys: Vec<(Key, Stamp, Snapshot)>,
    intent: Option<u32>,
}

/// One try to send a copy.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::world) struct Parcel {
    pub(in crate::world) copy: CopyId,
    pub(in crate::world) from: ActorId,
    pub(in crate::world) to: ActorId,
    /// Addresses its luck on the way.
    pub(in crate::world) index: u64,
}

/// How long after a loss a write is sent again.
const RESEND: Span = Span::secs(1);

impl Copies {
    pub(super) fn memory_bytes(&self) -> usize {
        self.all.memory_bytes(128)
    }
}

impl StoreState {
    /// Has a change sent to the regions that the store copies to.
    pub(super) fn copy(
        &mut self,
        change: &Change,
        copies: &mut Copies,
        shared: &Shared,
        now: Time,
    ) {
        if !self.plan.regional || change.keys.is_empty() {
            return;
        }
        let (from, wall) = (self.actor, shared.wall_ns(self.actor, 0, now));
        let mut keys = Vec::with_capacity(change.keys.len());
        for key in &change.keys {
            let seen = self.stamps.0.get(key).map_or(i64::MIN, |(at, _)| *at);
            let stamp = (wall.max(seen.saturating_add(1)), from);
            self.stamps.0.insert(*key, stamp);
            keys.push((*key, stamp, self.primary.data.snapshot(*key)));
        }
        let content = Arc::new(Content { keys, intent: change.intent });
        for (n, to) in (0u64..).zip(&self.plan.copies_to) {
            let lineage = mix(Leg::Copy.of(change.lineage), n);
            let (id, entry) = copies.all.take();
            let content = content.clone();
            *entry = RegionCopy { from, to: *to, content, lineage, tries: 0, sent: false };
            copies.to_send.push_back(id);
        }
    }

    /// Takes what is newer than what is known.
    fn take(&mut self, copy: &RegionCopy, shared: &mut Shared, ctx: &mut Ctx) {
        let (lineage, intent) = (copy.lineage, copy.content.intent);
        let now_ms = shared.wall_ms(self.actor, 0, ctx.now());
        let mut change = Change { now_ms, lineage, intent, ..Change::default() };
        for (key, stamp, snapshot) in &copy.content.keys {
            if self.stamps.0.get(key).is_some_and(|known| known >= stamp) {
                continue;
            }
            self.stamps.0.insert(*key, *stamp);
            self.primary.data.adopt(*key, snapshot);
            change.keys.push(*key);
            change.wholes.push((*key, snapshot.clone()));
        }
        ctx.observe(mix(lineage, change.keys.len() as u64));
        self.hand_on(change, shared, ctx.now());
    }
}

impl Stores {
    /// The next copy that is to be sent now.
    pub(in crate::world) fn next_parcel(&mut self) -> Option<Parcel> {
        let id = self.copies.to_send.pop_front()?;
        let copy = &mut self.copies.all[id];
        copy.tries += 1;
        let index = mix(copy.lineage, copy.tries.into());
        Some(Parcel { copy: id, from: copy.from, to: copy.to, index })
    }

    /// A copy is on its way, or was lost and is sent again later.
    pub(in crate::world) fn sent(&mut self, id: CopyId, arrives: bool, ctx: &mut Ctx) {
        self.copies.all[id].sent = arrives;
        if !arrives {
            ctx.schedule_after(RESEND, Event::Copied(id));
        }
    }

    /// A copy arrives, or is to be sent again.
    pub(in crate::world) fn copied(&mut self, id: CopyId, shared: &mut Shared, ctx: &mut Ctx) {
        let copy = &mut self.copies.all[id];
        let to = &shared.conditions[copy.to.index()];
        if !copy.sent {
            // What a dead process had yet to send is gone with it.
            if shared.conditions[copy.from.index()].all.down {
                self.copies.all.free(id);
            } else {
                self.copies.to_send.push_back(id);
            }
        } else if to.all.down || to.all.black_hole {
            copy.sent = false;
            ctx.schedule_after(RESEND, Event::Copied(id));
        } else {
            self.by_actor[copy.to].take(copy, shared, ctx);
            self.copies.all.free(id);
        }
    }

    /// Who has a copy, or is about to get it.
    pub(in crate::world) fn holder_of(&self, id: CopyId) -> Option<ActorId> {
        let copy = self.copies.all.get(id)?;
        Some(if copy.sent { copy.to } else { copy.from })
    }

    /// From where to where a copy goes.
    pub(in crate::world) fn way_of(&self, id: CopyId) -> Option<(ActorId, ActorId)> {
        self.copies.all.get(id).map(|copy| (copy.from, copy.to))
    }
}
