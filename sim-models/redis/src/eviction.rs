//! Eviction: which keys go when memory runs short.
//!
//! Redis looks at five keys at random and takes the worst that it remembers (`evict.c`).
//! Here each victim is the worst of five drawn at random, without that memory; so old keys go first
//! in the main and not in each case, as there. The luck is the caller's.
//!
//! `Volatile…` takes only keys with an expiry, which are just the locks and the records of what was
//! done. Use is counted exactly, where Redis guesses it in eight bits.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Draw;

use crate::command::Command;
use crate::row::Row;
use crate::store::Store;
use crate::value::Key;

/// How many keys are compared for each victim (`maxmemory-samples`).
const SAMPLES: u64 = 5;

/// What goes first (`maxmemory-policy`), by the names of Redis.
#[expect(clippy::enum_variant_names, reason = "`noeviction` is its name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum Eviction {
    /// Nothing goes: writes are refused.
    #[default]
    NoEviction,
    /// Keys with an expiry, what was used longest ago.
    VolatileLru,
    /// Keys with an expiry, what was used least often.
    VolatileLfu,
    /// Keys with an expiry, what ends soonest.
    VolatileTtl,
    /// Keys with an expiry, by luck.
    VolatileRandom,
    /// All keys, what was used longest ago.
    AllKeysLru,
    /// All keys, what was used least often.
    AllKeysLfu,
    /// All keys, by luck.
    AllKeysRandom,
}

impl Eviction {
    /// The policy that Redis calls so.
    pub fn named(name: &str) -> Option<Eviction> {
        Some(match name {
            "noeviction" => Eviction::NoEviction,
            "volatile-lru" => Eviction::VolatileLru,
            "volatile-lfu" => Eviction::VolatileLfu,
            "volatile-ttl" => Eviction::VolatileTtl,
            "volatile-random" => Eviction::VolatileRandom,
            "allkeys-lru" => Eviction::AllKeysLru,
            "allkeys-lfu" => Eviction::AllKeysLfu,
            "allkeys-random" => Eviction::AllKeysRandom,
            _ => return None,
        })
    }

    fn may_take(self, row: &Row) -> bool {
        match self {
            Eviction::NoEviction => false,
            Eviction::VolatileLru
            | Eviction::VolatileLfu
            | Eviction::VolatileTtl
            | Eviction::VolatileRandom => row.deadline.ms().is_some(),
            Eviction::AllKeysLru | Eviction::AllKeysLfu | Eviction::AllKeysRandom => true,
        }
    }

    /// The higher, the sooner the key goes.
    fn badness(self, row: &Row) -> Reverse<i64> {
        Reverse(match self {
            Eviction::VolatileLru | Eviction::AllKeysLru => row.used_s.into(),
            Eviction::VolatileLfu | Eviction::AllKeysLfu => row.uses.into(),
            Eviction::VolatileTtl => row.deadline.ms().unwrap_or(i64::MAX),
            Eviction::NoEviction | Eviction::VolatileRandom | Eviction::AllKeysRandom => 0,
        })
    }
}

impl Store {
    /// The keys that a policy may take, in the order of their ids.
    pub fn evictable(&self, policy: Eviction) -> Vec<Key> {
        self.rows.taken().filter(|(_, row)| policy.may_take(row)).map(|(key, _)| key).collect()
    }

    /// Removes all keys that the policy may take. Returns what a replica hears.
    pub fn evict_all(&mut self, policy: Eviction) -> Vec<Command> {
        self.evictable(policy).into_iter().map(|key| self.give_up(key)).collect()
    }

    /// Removes a key; returns what a replica hears.
    fn give_up(&mut self, key: Key) -> Command {
        self.rows.of(key).clear();
        Command::del(key)
    }

    /// Removes `count` of the keys that the policy may take, or all of them, in the order in which
    /// memory pressure would. Returns what a replica hears, a `DEL` for each.
    pub fn evict(&mut self, policy: Eviction, count: usize, draw: &mut impl Draw) -> Vec<Command> {
        let mut candidates = self.evictable(policy);
        let mut log = Vec::new();
        while log.len() < count && !candidates.is_empty() {
            let drawn = (0..SAMPLES).map(|_| draw.below(candidates.len() as u64) as usize);
            let worst = drawn
                .max_by_key(|n| self.rows.get(candidates[*n]).map(|row| policy.badness(row)))
                .expect("five samples");
            let key = candidates.swap_remove(worst);
            log.push(self.give_up(key));
        }
        log
    }
}

#[cfg(test)]
mod tests {
    use sim_core::{Purpose, Streams};

    use super::*;
    use crate::value::{Texts, Value};
    use crate::{Condition, Expiry, StringCommand, Unit};

    const LOCKS: usize = 200;
    const RECORDS: usize = 1_000;
    const OTHERS: usize = 1_000;

    /// Locks of 30 s, records of a day and keys that stay, set within a second.
    fn store() -> (Store, [Vec<Key>; 3]) {
        let (mut store, mut texts) = (Store::default(), Texts::default());
        let mut add = |kind: &str, count: usize, expiry| {
            let keys: Vec<Key> = (0..count).map(|n| texts.intern(&format!("{kind}-{n}"))).collect();
            for (n, key) in keys.iter().enumerate() {
                let (key, value, condition) = (*key, Value::Int(1), Condition::Always);
                let set = StringCommand::Set { key, value, condition, get: false, expiry };
                store.apply(n as i64, &set.into(), &mut texts);
            }
            keys
        };
        let keys = [
            add("lock", LOCKS, Expiry::In(30, Unit::Seconds)),
            add("idem", RECORDS, Expiry::In(86_400, Unit::Seconds)),
            add("cache", OTHERS, Expiry::Never),
        ];
        (store, keys)
    }

    fn count(store: &Store, keys: &[Key]) -> usize {
        keys.iter().filter(|key| store.peek(**key).is_some()).count()
    }

    /// How many locks, records and other keys are left when some keys have gone.
    fn left(policy: Eviction, gone: usize) -> [usize; 3] {
        let (mut store, keys) = store();
        let gone = store.evict(policy, gone, &mut Streams::new(7).open(Purpose(0), 0));
        let left = keys.map(|keys| count(&store, &keys));
        assert_eq!(left.iter().sum::<usize>() + gone.len(), LOCKS + RECORDS + OTHERS);
        left
    }

    #[test]
    fn volatile_policies_take_only_keys_with_an_expiry() {
        for policy in [
            Eviction::VolatileLru,
            Eviction::VolatileLfu,
            Eviction::VolatileTtl,
            Eviction::VolatileRandom,
        ] {
            assert_eq!(left(policy, 150)[2], OTHERS, "{policy:?}");
            assert_eq!(left(policy, 10_000), [0, 0, OTHERS], "{policy:?}");
        }
        assert_eq!(left(Eviction::AllKeysLru, 10_000), [0, 0, 0]);
        assert_eq!(left(Eviction::NoEviction, 10_000), [LOCKS, RECORDS, OTHERS]);
    }

    /// A real server with these locks and records had 72 to 85 locks left after some 217 keys had
    /// gone under `volatile-ttl`, and 165 to 180 after 163 under `volatile-random`.
    #[test]
    fn volatile_ttl_takes_locks_first() {
        let [locks, ..] = left(Eviction::VolatileTtl, 217);
        assert!((60..110).contains(&locks), "{locks} locks");
        let [locks, ..] = left(Eviction::VolatileRandom, 163);
        assert!((155..190).contains(&locks), "{locks} locks");
    }

    #[test]
    fn what_was_used_longest_ago_or_least_goes_first() {
        for policy in [Eviction::AllKeysLru, Eviction::AllKeysLfu] {
            let (mut store, [_, records, others]) = store();
            let mut texts = Texts::default();
            for key in &others {
                store.apply(5_000, &StringCommand::Get { key: *key }.into(), &mut texts);
            }
            store.evict(policy, 300, &mut Streams::new(7).open(Purpose(0), 0));
            let (used, unused) = (count(&store, &others), count(&store, &records));
            assert!(used > 970 && unused < 800, "{policy:?}: {used} of the used, {unused}");
        }
    }
}
