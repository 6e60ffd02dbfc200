//! One node's keys, with the expiry rules of Redis.
//!
//! Its clock is the node's wall clock in whole milliseconds. A key with a deadline still exists at
//! that very millisecond and is gone at the next (`keyIsExpired` in Redis 7.0's `db.c` compares
//! with `now > when`). An expired key is removed when a command touches it and not before, as in
//! Redis with active expiry off: if the clock steps back, an untouched key is there again.
//!
//! Values are equal when they are the same [`Value`]: the number 5 is not the text "5", where
//! Redis knows only texts.
//!
//! Keys are interned, so that the store is a table with a row of 24 bytes for each text up to its
//! highest key. A command on a known key allocates nothing, and no order of hashes exists.
//!
//! Left out: types other than plain values, eviction, transactions. Several commands at one instant
//! are as atomic as a Lua script.

use std::fmt;

use sim_core::{Span, Time};

use crate::value::{TextId, Value};

/// A key, as an interned text.
pub type Key = TextId;

/// What a client asks of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `GET`: the value, or [`Reply::Nil`].
    Get {
        /// The key to read.
        key: Key,
    },
    /// `SET … [NX | XX] [PX ms]`: [`Reply::Ok`], or [`Reply::Nil`] when the condition fails.
    Set {
        /// The key to write.
        key: Key,
        /// Its new value.
        value: Value,
        /// Whether the key must be absent or present.
        condition: Condition,
        /// How long the key lives, cut to whole milliseconds, of which it takes at least one.
        /// `None` also ends an expiry that the key had before.
        expiry: Option<Span>,
    },
    /// `EXISTS`: 1 or 0.
    Exists {
        /// The key to look for.
        key: Key,
    },
    /// `DEL`: the number of keys removed, 1 or 0.
    Del {
        /// The key to remove.
        key: Key,
    },
    /// The script by which a lock is released: removes the key if it holds `expected`, replies 1
    /// or 0.
    CompareAndDelete {
        /// The key to remove.
        key: Key,
        /// The value it must hold, such as the owner's token.
        expected: Value,
    },
    /// `PTTL`: the milliseconds to the deadline; -1 for a key without one, -2 for no key.
    Ttl {
        /// The key to look at.
        key: Key,
    },
    /// `INCR`: the number after adding 1; an absent key counts as 0, an expiry is kept.
    Incr {
        /// The key to count in.
        key: Key,
    },
}

/// A command is copied into events and the trace: it stays within 40 bytes.
const _: () = assert!(size_of::<Command>() <= 40);

/// When a [`Command::Set`] applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// In any case.
    #[default]
    Always,
    /// `NX`: only when the key does not exist.
    IfAbsent,
    /// `XX`: only when the key exists.
    IfPresent,
}

/// What the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No such key, or a condition that failed.
    Nil,
    /// Written.
    Ok,
    /// A count, a time to live or a truth value of 0 or 1.
    Int(i64),
    /// The value of a key.
    Value(Value),
    /// Refused; nothing was changed.
    Error(KvError),
}

/// Why the store refused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvError {
    /// `INCR` of a value that is no number.
    NotAnInteger,
    /// `INCR` of the largest number.
    Overflow,
    /// An expiry of less than a millisecond.
    InvalidExpiry,
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KvError::NotAnInteger => "ERR value is not an integer or out of range",
            KvError::Overflow => "ERR increment or decrement would overflow",
            KvError::InvalidExpiry => "ERR invalid expire time in 'set' command",
        })
    }
}

/// The deadline of a key that stays; no clock reaches it.
const NEVER: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    value: Value,
    /// The last millisecond of the wall clock at which the key exists.
    deadline_ms: u64,
}

/// The keys of one node.
///
/// ```
/// use sim_core::{Span, Time};
/// use sim_models::kv::{Command, Condition, Reply, Store};
/// use sim_models::value::{Texts, Value};
///
/// let mut texts = Texts::default();
/// let key = texts.intern("order-7:lock");
/// let lock = Command::Set {
///     key,
///     value: Value::Int(1),
///     condition: Condition::IfAbsent,
///     expiry: Some(Span::secs(30)),
/// };
///
/// let mut store = Store::default();
/// let at = |ms| Time::ZERO + Span::millis(ms);
/// assert_eq!(store.apply(at(0), lock), Reply::Ok);
/// assert_eq!(store.apply(at(30_000), lock), Reply::Nil, "held to the last millisecond");
/// assert_eq!(store.apply(at(30_001), lock), Reply::Ok, "expired");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    rows: Vec<Option<Entry>>,
}

impl Store {
    /// Carries out one command at `now`, the node's wall clock, which may step back.
    pub fn apply(&mut self, now: Time, command: Command) -> Reply {
        let now_ms = whole_millis(now);
        match command {
            Command::Get { key } => {
                self.live(key, now_ms).map_or(Reply::Nil, |entry| Reply::Value(entry.value))
            }
            Command::Set { key, value, condition, expiry } => {
                self.set(now_ms, key, value, condition, expiry)
            }
            Command::Exists { key } => Reply::Int(self.live(key, now_ms).is_some().into()),
            Command::Del { key } => self.delete_if(now_ms, key, |_| true),
            Command::CompareAndDelete { key, expected } => {
                self.delete_if(now_ms, key, |value| value == expected)
            }
            Command::Ttl { key } => Reply::Int(match self.live(key, now_ms) {
                None => -2,
                Some(Entry { deadline_ms: NEVER, .. }) => -1,
                Some(entry) => (entry.deadline_ms - now_ms).cast_signed(),
            }),
            Command::Incr { key } => self.incr(now_ms, key),
        }
    }

    /// Forgets all keys, as `FLUSHALL` or a restart without persistence does.
    pub fn flush(&mut self) {
        self.rows.clear();
    }

    /// The number of keys that exist at `now`; looks at every row.
    pub fn len(&self, now: Time) -> usize {
        let now_ms = whole_millis(now);
        self.rows.iter().flatten().filter(|entry| now_ms <= entry.deadline_ms).count()
    }

    /// The key's entry if it exists; an expired one is removed here.
    fn live(&mut self, key: Key, now_ms: u64) -> Option<&mut Entry> {
        let row = self.rows.get_mut(key.index())?;
        row.take_if(|entry| now_ms > entry.deadline_ms);
        row.as_mut()
    }

    fn set(
        &mut self,
        now_ms: u64,
        key: Key,
        value: Value,
        condition: Condition,
        expiry: Option<Span>,
    ) -> Reply {
        let deadline_ms = match expiry.map(Span::as_millis) {
            None => NEVER,
            Some(0) => return Reply::Error(KvError::InvalidExpiry),
            Some(ttl_ms) => now_ms + ttl_ms,
        };
        let exists = self.live(key, now_ms).is_some();
        let applies = match condition {
            Condition::Always => true,
            Condition::IfAbsent => !exists,
            Condition::IfPresent => exists,
        };
        if !applies {
            return Reply::Nil;
        }
        self.put(key, Entry { value, deadline_ms });
        Reply::Ok
    }

    fn delete_if(&mut self, now_ms: u64, key: Key, condition: impl Fn(Value) -> bool) -> Reply {
        let deleted = self.live(key, now_ms).is_some_and(|entry| condition(entry.value));
        if deleted {
            self.rows[key.index()] = None;
        }
        Reply::Int(deleted.into())
    }

    fn incr(&mut self, now_ms: u64, key: Key) -> Reply {
        let Entry { value, deadline_ms } = match self.live(key, now_ms) {
            Some(entry) => *entry,
            None => Entry { value: Value::Int(0), deadline_ms: NEVER },
        };
        let Value::Int(n) = value else { return Reply::Error(KvError::NotAnInteger) };
        let Some(n) = n.checked_add(1) else { return Reply::Error(KvError::Overflow) };
        self.put(key, Entry { value: Value::Int(n), deadline_ms });
        Reply::Int(n)
    }

    fn put(&mut self, key: Key, entry: Entry) {
        let row = key.index();
        if row >= self.rows.len() {
            self.rows.resize(row + 1, None);
        }
        self.rows[row] = Some(entry);
    }
}

fn whole_millis(now: Time) -> u64 {
    now.since(Time::ZERO).as_millis()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::value::Texts;

    /// Keys `k-0` to `k-3`; the ids between them belong to other texts, as in a run.
    fn keys() -> [Key; 4] {
        let mut texts = Texts::default();
        [0, 1, 2, 3].map(|n| {
            texts.intern(&format!("token-{n}"));
            texts.intern(&format!("k-{n}"))
        })
    }

    fn at_ms(ms: u64) -> Time {
        Time::ZERO + Span::millis(ms)
    }

    fn set(key: Key, value: i64, condition: Condition, ttl_ms: Option<u64>) -> Command {
        Command::Set { key, value: Value::Int(value), condition, expiry: ttl_ms.map(Span::millis) }
    }

    /// Every expired key leaves before each command; the same replies, the plain way.
    #[derive(Default)]
    struct Eager(BTreeMap<Key, (Value, Option<u64>)>);

    impl Eager {
        fn apply(&mut self, now_ms: u64, command: Command) -> Reply {
            self.0.retain(|_, (_, deadline)| deadline.is_none_or(|deadline| now_ms <= deadline));
            match command {
                Command::Get { key } => self.0.get(&key).map_or(Reply::Nil, |e| Reply::Value(e.0)),
                Command::Set { key, value, condition, expiry } => {
                    let wanted = match condition {
                        Condition::Always => self.0.contains_key(&key),
                        Condition::IfAbsent => false,
                        Condition::IfPresent => true,
                    };
                    if self.0.contains_key(&key) != wanted {
                        return Reply::Nil;
                    }
                    self.0.insert(key, (value, expiry.map(|ttl| now_ms + ttl.as_millis())));
                    Reply::Ok
                }
                Command::Exists { key } => Reply::Int(self.0.contains_key(&key).into()),
                Command::Del { key } => Reply::Int(self.0.remove(&key).is_some().into()),
                Command::CompareAndDelete { key, expected } => {
                    let holds = self.0.get(&key).is_some_and(|e| e.0 == expected);
                    Reply::Int((holds && self.0.remove(&key).is_some()).into())
                }
                Command::Ttl { key } => Reply::Int(match self.0.get(&key) {
                    None => -2,
                    Some((_, None)) => -1,
                    Some((_, Some(deadline))) => *deadline as i64 - now_ms as i64,
                }),
                Command::Incr { key } => {
                    let (value, _) = self.0.entry(key).or_insert((Value::Int(0), None));
                    let Value::Int(n) = *value else { unreachable!("this test writes numbers") };
                    *value = Value::Int(n + 1);
                    Reply::Int(n + 1)
                }
            }
        }
    }

    fn commands() -> impl Strategy<Value = Command> {
        let key = || prop::sample::select(keys().to_vec());
        let value = || 0..3i64;
        let condition =
            prop::sample::select(&[Condition::Always, Condition::IfAbsent, Condition::IfPresent]);
        let ttl_ms = proptest::option::of(1..6u64);
        prop_oneof![
            3 => (key(), value(), condition, ttl_ms).prop_map(|(k, v, c, t)| set(k, v, c, t)),
            1 => key().prop_map(|key| Command::Get { key }),
            1 => key().prop_map(|key| Command::Exists { key }),
            1 => key().prop_map(|key| Command::Del { key }),
            1 => key().prop_map(|key| Command::Ttl { key }),
            1 => key().prop_map(|key| Command::Incr { key }),
            1 => (key(), value()).prop_map(|(key, v)| {
                Command::CompareAndDelete { key, expected: Value::Int(v) }
            }),
        ]
    }

    proptest! {
        #[test]
        fn lazy_removal_is_never_seen(
            story in proptest::collection::vec((0..4u64, commands()), 0..80),
        ) {
            let (mut store, mut eager, mut now_ms) = (Store::default(), Eager::default(), 0);
            for (gap_ms, command) in story {
                now_ms += gap_ms;
                let expected = eager.apply(now_ms, command);
                prop_assert_eq!(store.apply(at_ms(now_ms), command), expected, "{:?}", command);
                prop_assert_eq!(store.len(at_ms(now_ms)), eager.0.len());
            }
        }
    }

    #[test]
    fn a_key_lives_through_its_last_millisecond() {
        let [key, ..] = keys();
        let mut store = Store::default();
        // Set late in millisecond 1000: Redis counts from the millisecond, not from the instant.
        let set_at = at_ms(1000) + Span::micros(900);
        assert_eq!(store.apply(set_at, set(key, 7, Condition::Always, Some(5))), Reply::Ok);
        let last = at_ms(1005) + Span::nanos(999_999);
        assert_eq!(store.apply(at_ms(1004), Command::Ttl { key }), Reply::Int(1));
        assert_eq!(store.apply(last, Command::Ttl { key }), Reply::Int(0));
        assert_eq!(store.apply(last, Command::Get { key }), Reply::Value(Value::Int(7)));
        assert_eq!(store.apply(last, set(key, 8, Condition::IfAbsent, None)), Reply::Nil);
        assert_eq!(store.apply(at_ms(1006), Command::Get { key }), Reply::Nil);
        assert_eq!(store.apply(at_ms(1006), Command::Ttl { key }), Reply::Int(-2));
    }

    #[test]
    fn a_stale_owner_cannot_release_the_next_owners_lock() {
        let [lock, ..] = keys();
        let mut store = Store::default();
        let take = |token| set(lock, token, Condition::IfAbsent, Some(30));
        let release = |token| Command::CompareAndDelete { key: lock, expected: Value::Int(token) };
        for (ms, command, reply) in [
            (0, take(1), Reply::Ok),
            (15, take(2), Reply::Nil),
            (31, take(2), Reply::Ok),
            (32, release(1), Reply::Int(0)),
            (32, release(2), Reply::Int(1)),
            (32, release(2), Reply::Int(0)),
        ] {
            assert_eq!(store.apply(at_ms(ms), command), reply, "{ms} ms: {command:?}");
        }
    }

    #[test]
    fn set_ends_an_expiry_and_incr_keeps_it() {
        let [key, ..] = keys();
        let mut store = Store::default();
        for (ms, command, reply) in [
            (0, set(key, 1, Condition::Always, Some(100)), Reply::Ok),
            (1, Command::Incr { key }, Reply::Int(2)),
            (1, Command::Ttl { key }, Reply::Int(99)),
            (2, set(key, 1, Condition::IfPresent, None), Reply::Ok),
            (2, Command::Ttl { key }, Reply::Int(-1)),
            (3, Command::Del { key }, Reply::Int(1)),
            (3, Command::Ttl { key }, Reply::Int(-2)),
            (3, Command::Incr { key }, Reply::Int(1)),
            (3, Command::Ttl { key }, Reply::Int(-1)),
        ] {
            assert_eq!(store.apply(at_ms(ms), command), reply, "{ms} ms: {command:?}");
        }
    }

    #[test]
    fn refused_commands_change_nothing() {
        let [number, text, ..] = keys();
        let mut store = Store::default();
        store.apply(at_ms(0), set(number, i64::MAX, Condition::Always, None));
        let word = Value::Text(text);
        let condition = Condition::Always;
        store.apply(at_ms(0), Command::Set { key: text, value: word, condition, expiry: None });
        let before = store.clone();
        for (command, error) in [
            (Command::Incr { key: number }, KvError::Overflow),
            (Command::Incr { key: text }, KvError::NotAnInteger),
            (set(text, 1, condition, Some(0)), KvError::InvalidExpiry),
        ] {
            assert_eq!(store.apply(at_ms(1), command), Reply::Error(error));
            assert_eq!(store, before);
        }
    }

    #[test]
    fn a_clock_that_steps_back_revives_only_what_nobody_touched() {
        let [touched, untouched, ..] = keys();
        let mut store = Store::default();
        for key in [touched, untouched] {
            store.apply(at_ms(100), set(key, 1, Condition::Always, Some(50)));
        }
        let hour_ahead = at_ms(3_600_100);
        assert_eq!(store.apply(hour_ahead, Command::Exists { key: touched }), Reply::Int(0));
        assert_eq!(store.apply(at_ms(101), Command::Exists { key: touched }), Reply::Int(0));
        assert_eq!(store.apply(at_ms(90), Command::Ttl { key: untouched }), Reply::Int(60));
        assert_eq!((store.len(at_ms(101)), store.len(hour_ahead)), (1, 0));
    }

    #[test]
    fn a_flush_forgets_everything() {
        let [key, ..] = keys();
        let mut store = Store::default();
        store.apply(at_ms(0), set(key, 1, Condition::Always, None));
        store.flush();
        assert_eq!(store, Store::default());
    }
}
