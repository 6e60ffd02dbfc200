//! A primary: its data, and those who are in line for it.

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::Time;
use sim_redis::Store;

use super::Asked;
use crate::world::ids::RequestId;
use crate::world::store::follower::Change;
use crate::world::store::transaction::Watches;

/// A node that takes writes.
#[derive(Debug, Default)]
pub(super) struct Primary {
    pub(super) data: Store,
    /// The first is being carried out.
    pub(super) line: VecDeque<Asked>,
    /// `Wait`s that are not answered yet.
    pub(super) waits: Vec<Wait>,
    pub(super) watches: Watches,
    /// A replica has taken its place, and nobody follows it.
    deposed: Option<Deposed>,
}

/// What an old primary has that the new one has not.
#[derive(Debug)]
struct Deposed {
    at: Time,
    /// The first of them were made before, and had reached nobody.
    written: Vec<Arc<Change>>,
    before: usize,
}

/// A `Wait` that is not answered yet.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) asked: Asked,
    /// For how many replicas.
    pub(super) replicas: u32,
    pub(super) until: Time,
}

impl Primary {
    pub(super) fn memory_bytes(&self) -> usize {
        let written = self.deposed.as_ref().map_or(0, |deposed| deposed.written.len());
        self.data.memory_bytes() + self.watches.memory_bytes() + written * size_of::<Change>()
    }

    /// A replica has taken its place, without these changes.
    pub(super) fn deposed(&mut self, at: Time, lacking: &[Arc<Change>]) {
        let (written, before) = (lacking.to_vec(), lacking.len());
        self.deposed = Some(Deposed { at, written, before });
    }

    /// Since when another one is in its place.
    pub(super) fn deposed_at(&self) -> Option<Time> {
        self.deposed.as_ref().map(|deposed| deposed.at)
    }

    /// Notes a change that goes to nobody, if nobody follows it; whether it did.
    pub(super) fn keeps(&mut self, change: &Arc<Change>) -> bool {
        let Some(deposed) = &mut self.deposed else { return false };
        deposed.written.push(change.clone());
        true
    }

    /// Whether what an execution has written is on its way to the replicas.
    pub(super) fn is_followed(&self, execution: i64) -> bool {
        let wrote = |deposed: &Deposed| deposed.written.iter().any(|c| c.execution == execution);
        !self.deposed.as_ref().is_some_and(wrote)
    }

    /// What it has written since it was deposed.
    pub(super) fn written_since(&mut self) -> Vec<Arc<Change>> {
        let deposed = self.deposed.take();
        deposed.map_or_else(Vec::new, |mut deposed| deposed.written.split_off(deposed.before))
    }

    pub(super) fn take_wait(&mut self, id: RequestId) -> Option<Wait> {
        let n = self.waits.iter().position(|wait| wait.asked.id == id)?;
        Some(self.waits.remove(n))
    }

    /// Everybody's connection breaks.
    pub(super) fn cut_off(&mut self) -> Vec<RequestId> {
        self.part(|_| false)
    }

    /// The connections of all break but of those who stay.
    pub(super) fn part(&mut self, mut stays: impl FnMut(&Asked) -> bool) -> Vec<RequestId> {
        let mut gone = Vec::new();
        let mut stays = |asked: &Asked| {
            let stays = stays(asked);
            if !stays {
                gone.push(asked.id);
            }
            stays
        };
        self.line.retain(&mut stays);
        self.waits.retain(|wait| stays(&wait.asked));
        gone
    }
}
