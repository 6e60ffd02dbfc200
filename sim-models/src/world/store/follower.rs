//! Followers of a store's primary: its replicas, and its append-only file.
//!
//! A follower has each write some time after it was made, and never before an earlier one. It is
//! brought up to date when somebody looks, so that a write costs no event.

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::{Span, Time};
use sim_redis::value::Texts;
use sim_redis::{Command, Key, Snapshot, Store};

use super::lag::Lag;
use crate::invariant::Write;
use crate::plan::{Fsync, Persistence};

/// What one command, or one transaction, has changed.
#[derive(Clone, Debug, Default)]
pub(in crate::world) struct Change {
    /// What a follower carries out, all at one instant: the effects, not what was asked.
    pub(in crate::world) commands: Vec<Command>,
    /// The primary's wall clock then.
    pub(in crate::world) now_ms: i64,
    /// Keys that it takes as they are, when another region has written them.
    pub(in crate::world) wholes: Vec<(Key, Snapshot)>,
    /// The keys that it concerns.
    pub(in crate::world) keys: Vec<Key>,
    /// The same as invariants see it, if one of them wants to.
    pub(in crate::world) writes: Vec<Write>,
    /// Who wrote it: for `Wait`. Nobody is 0.
    pub(in crate::world) execution: i64,
    /// For whom: for the story.
    pub(in crate::world) intent: Option<u32>,
    /// Addresses the lag.
    pub(in crate::world) lineage: u64,
}

/// A copy of a store that lags behind.
#[derive(Clone, Debug, Default)]
pub(in crate::world) struct Follower {
    data: Store,
    pending: VecDeque<(Time, Arc<Change>)>,
    pub(in crate::world) lag: Lag,
    /// It is cut off from its primary, and has had nothing from it since.
    cut_off: Option<Time>,
}

impl Follower {
    /// Hands on a change that takes effect at `at`, or with the one before it if that is later.
    pub(in crate::world) fn push(&mut self, at: Time, change: Arc<Change>) {
        let at = self.pending.back().map_or(at, |(last, _)| at.max(*last));
        self.pending.push_back((at, change));
    }

    /// It is cut off from its primary, or finds it again; then what is due comes at once.
    pub(in crate::world) fn link(&mut self, is_cut_off: bool, now: Time, texts: &mut Texts) {
        self.catch_up(now, texts);
        self.cut_off = is_cut_off.then(|| self.cut_off.unwrap_or(now));
    }

    /// Since when it is cut off.
    pub(in crate::world) fn cut_off_since(&self) -> Option<Time> {
        self.cut_off
    }

    /// Takes on everything that is due.
    pub(in crate::world) fn catch_up(&mut self, now: Time, texts: &mut Texts) -> &mut Store {
        let now = self.cut_off.unwrap_or(now);
        while let Some((_, change)) = self.pending.pop_front_if(|(at, _)| *at <= now) {
            for command in &change.commands {
                self.data.replay(change.now_ms, command, texts);
            }
            for (key, snapshot) in &change.wholes {
                self.data.adopt(*key, snapshot);
            }
        }
        &mut self.data
    }

    /// When it has everything that an execution has written; `None` when it has it already.
    pub(in crate::world) fn has_all_of(&self, execution: i64) -> Option<Time> {
        let of_execution = |(_, change): &&(Time, Arc<Change>)| change.execution == execution;
        let at = self.pending.iter().rev().find(of_execution).map(|(at, _)| *at)?;
        match self.cut_off {
            Some(since) if at > since => Some(Time::MAX),
            _ => Some(at),
        }
    }

    /// How many changes it does not have.
    pub(in crate::world) fn behind(&self) -> usize {
        self.pending.len()
    }

    /// Its data, without what it does not have; that is told, and lost.
    pub(in crate::world) fn promote(&mut self) -> (Store, Vec<Arc<Change>>) {
        let lost = std::mem::take(&mut self.pending);
        (std::mem::take(&mut self.data), lost.into_iter().map(|(_, change)| change).collect())
    }

    /// Begins anew with all of the primary's data.
    pub(in crate::world) fn resync(&mut self, data: &Store) {
        self.data = data.clone();
        self.pending.clear();
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.data.memory_bytes() + self.pending.len() * (size_of::<Change>() + PENDING_BYTES)
    }
}

/// What a change that waits holds besides itself, about: one command, and its place in line.
const PENDING_BYTES: usize = size_of::<Command>() + 32;

/// When a write at `now` is on the disk; `None` when a crash forgets everything, or nothing.
pub(in crate::world) fn durable_at(persistence: Persistence, now: Time) -> Option<Time> {
    let period = match persistence {
        Persistence::Aof { fsync: Fsync::EverySec } => Span::secs(1),
        // Linux writes dirty pages back after 30 s (`dirty_expire_centisecs`).
        Persistence::Aof { fsync: Fsync::No } => Span::secs(30),
        Persistence::Aof { fsync: Fsync::Always } | Persistence::Memory => return None,
    };
    let periods = now.as_nanos().div_ceil(period.as_nanos());
    Some(Time::from_nanos(periods.saturating_mul(period.as_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_redis::value::Value;
    use sim_redis::{Condition, Expiry, StringCommand};

    fn write(texts: &mut Texts, key: &str, execution: i64) -> Arc<Change> {
        let set = StringCommand::Set {
            key: texts.intern(key),
            value: Value::Int(execution),
            condition: Condition::Always,
            get: false,
            expiry: Expiry::Never,
        };
        Arc::new(Change { commands: vec![set.into()], execution, ..Change::default() })
    }

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    #[test]
    fn a_write_is_never_there_before_an_earlier_one() {
        let (mut texts, mut follower) = (Texts::default(), Follower::default());
        follower.push(at(9), write(&mut texts, "first", 1));
        follower.push(at(2), write(&mut texts, "second", 2));
        assert_eq!(follower.has_all_of(2), Some(at(9)), "it waits for the first");
        follower.catch_up(at(8), &mut texts);
        assert_eq!(follower.behind(), 2);
        follower.catch_up(at(9), &mut texts);
        assert_eq!(follower.behind(), 0);
        assert_eq!(follower.has_all_of(2), None);
    }

    #[test]
    fn what_was_written_at_a_whole_second_is_flushed_with_it() {
        let every = Persistence::Aof { fsync: Fsync::EverySec };
        assert_eq!(durable_at(every, at(3)), Some(at(3)));
        assert_eq!(durable_at(every, at(3) + Span::nanos(1)), Some(at(4)));
        assert_eq!(durable_at(Persistence::Aof { fsync: Fsync::No }, at(31)), Some(at(60)));
        assert_eq!(durable_at(Persistence::Memory, at(3)), None);
    }
}
