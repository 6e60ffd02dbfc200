//! One node's keys, with the rules of Redis 7.0.
//!
//! Its clock is the node's wall clock in whole milliseconds and may step back. An expired key is
//! removed when a command touches it and not before, as in Redis with active expiry off. If the
//! clock steps back, an untouched key is there again.
//!
//! Keys are interned, so that the store is a table with a row of 40 bytes for each text up to its
//! highest key. A command on a known key with a plain value allocates nothing, and no order of
//! hashes exists.
//!
//! Strings stay the [`Value`]s that were written, but wherever Redis looks at bytes the number 5 is
//! the text "5". Several commands at one instant are as atomic as a Lua script.

use crate::command::Command;
use crate::command::words::Access;
use crate::data::Data;
use crate::exec::{Exec, Mode, Role};
use crate::expiry::Deadline;
use crate::reply::{KvError, Reply};
use crate::row::{Row, Rows};
use crate::value::{Key, Texts};

/// A key as `WATCH` found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    key: Key,
    changes: u32,
    removals: u32,
    /// It was there but had expired: its removal does not count as a change.
    expired: bool,
}

impl Watched {
    /// The key.
    pub fn key(&self) -> Key {
        self.key
    }
}

/// The keys of one node.
///
/// ```
/// use sim_redis::value::{Texts, Value};
/// use sim_redis::{Condition, Expiry, Reply, Store, StringCommand, Unit};
///
/// let mut texts = Texts::default();
/// let lock = StringCommand::Set {
///     key: texts.intern("order-7:lock"),
///     value: Value::Int(1),
///     condition: Condition::IfAbsent,
///     get: false,
///     expiry: Expiry::In(30, Unit::Seconds),
/// };
/// let lock = lock.into();
///
/// let mut store = Store::default();
/// assert_eq!(store.apply(0, &lock, &mut texts), Reply::Ok);
/// assert_eq!(store.apply(30_000, &lock, &mut texts), Reply::Nil, "held to the last millisecond");
/// assert_eq!(store.apply(30_001, &lock, &mut texts), Reply::Ok, "expired");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub(crate) rows: Rows,
    /// Keys that were removed because they had expired, since somebody last asked.
    expired: u64,
}

/// Stores are equal when they hold the same keys with the same values and deadlines, whenever
/// these were used.
impl PartialEq for Store {
    fn eq(&self, other: &Store) -> bool {
        let rows = self.rows.len().max(other.rows.len());
        (0..rows).map(Key::at).all(|key| {
            let [a, b] = [self, other].map(|store| store.rows.get(key).unwrap_or(&Row::EMPTY));
            a.data == b.data && a.deadline == b.deadline
        })
    }
}

impl Store {
    /// Carries out one command of a client at `now_ms`, the node's wall clock. A refusal is a
    /// [`Reply::Error`].
    pub fn apply(&mut self, now_ms: i64, command: &Command, texts: &mut Texts) -> Reply {
        self.apply_in(Mode::default(), now_ms, command, texts)
    }

    /// As [`Store::apply`], on a node in another mode. A replica refuses writes, and a node without
    /// memory those that may need some.
    pub fn apply_in(
        &mut self,
        mode: Mode<'_>,
        now_ms: i64,
        command: &Command,
        texts: &mut Texts,
    ) -> Reply {
        let access = command.access();
        if mode.role == Role::Replica && access.is_write() {
            return Reply::Error(KvError::ReadOnly);
        }
        if mode.out_of_memory && access == Access::Grow {
            return Reply::Error(KvError::OutOfMemory);
        }
        if mode.few_replicas && access.is_write() {
            return Reply::Error(KvError::NoReplicas);
        }
        self.carry_out(mode, now_ms, command, texts)
    }

    /// Carries out one line of a log that [`Mode::log`] has gathered.
    pub fn replay(&mut self, now_ms: i64, command: &Command, texts: &mut Texts) {
        let mode = Mode { role: Role::Stream, ..Mode::default() };
        self.carry_out(mode, now_ms, command, texts);
    }

    /// Carries out a command that was let in already; only the parts of a script are looked at.
    pub(crate) fn carry_out(
        &mut self,
        mode: Mode<'_>,
        now_ms: i64,
        command: &Command,
        texts: &mut Texts,
    ) -> Reply {
        let Store { rows, expired } = self;
        let mut exec =
            Exec { rows, expired, texts, now_ms, mode, has_written: false, dirty: false };
        exec.call(command).unwrap_or_else(Reply::Error)
    }

    /// Looks at a key for a later [`Store::is_unchanged`].
    pub fn watch(&self, key: Key, now_ms: i64) -> Watched {
        let Some(row) = self.rows.get(key) else {
            return Watched { key, changes: 0, removals: 0, expired: false };
        };
        let expired = row.has_expired(now_ms);
        Watched { key, changes: row.changes, removals: row.removals, expired }
    }

    /// Whether a transaction that watches the key may be carried out at `now_ms`: nobody has
    /// written it, not even the same value, and it has not expired meanwhile.
    pub fn is_unchanged(&self, watched: &Watched, now_ms: i64) -> bool {
        let Some(row) = self.rows.get(watched.key) else { return true };
        if watched.expired {
            // `touchWatchedKey` in `multi.c`: the first removal is none, and before it a write is
            // not seen, which only a clock that has stepped back makes possible.
            let removals = row.removals.wrapping_sub(watched.removals);
            return removals == 0 || (removals == 1 && !row.is_taken());
        }
        row.changes == watched.changes && !row.deadline.is_past(now_ms)
    }

    /// Forgets all keys, as `FLUSHALL` or a restart without persistence does.
    pub fn flush(&mut self) {
        self.rows.taken_mut().map(|(_, row)| row).for_each(Row::clear);
    }

    /// How many keys a command found expired, and removed, since this was asked last.
    pub fn take_expired(&mut self) -> u64 {
        std::mem::take(&mut self.expired)
    }

    /// How many keys have expired by `now_ms` that nobody has touched since; looks at every row.
    pub fn expired_untouched(&self, now_ms: i64) -> usize {
        self.rows.taken().filter(|(_, row)| row.has_expired(now_ms)).count()
    }

    /// The number of keys that exist at `now_ms`; looks at every row.
    pub fn len(&self, now_ms: i64) -> usize {
        self.rows.taken().filter(|(_, row)| !row.deadline.is_past(now_ms)).count()
    }

    /// What a key holds and until when, without touching it; an expired key may still be there.
    pub fn peek(&self, key: Key) -> Option<(&Data, Deadline)> {
        let row = self.rows.get(key)?;
        row.data.as_ref().map(|data| (data, row.deadline))
    }

    /// The memory held by the rows themselves, in bytes; hashes, lists and sorted sets come on top.
    pub fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::argv;
    use crate::value::Value;
    use crate::{Condition, Expiry, KeyCommand, ListCommand, ScriptCommand, StringCommand, Unit};

    /// A store with its texts, asked in words.
    #[derive(Default)]
    struct Shell {
        store: Store,
        texts: Texts,
    }

    impl Shell {
        fn ask(&mut self, now_ms: i64, words: &str) -> Reply {
            let command = argv::command(words, &mut self.texts).expect("right words");
            self.store.apply(now_ms, &command, &mut self.texts)
        }

        fn key(&mut self, key: &str) -> Key {
            self.texts.intern(key)
        }
    }

    fn set(key: Key, value: i64, condition: Condition, ttl_ms: Option<i64>) -> Command {
        let expiry = ttl_ms.map_or(Expiry::Never, |ms| Expiry::In(ms, Unit::Millis));
        StringCommand::Set { key, value: Value::Int(value), condition, get: false, expiry }.into()
    }

    /// Every expired key leaves before each command; the same replies, the plain way.
    #[derive(Default)]
    struct Eager(BTreeMap<Key, (i64, Option<i64>)>);

    impl Eager {
        fn apply(&mut self, now_ms: i64, command: &Command) -> Reply {
            self.0.retain(|_, (_, deadline)| deadline.is_none_or(|deadline| now_ms <= deadline));
            match *command {
                Command::String(StringCommand::Get { key }) => {
                    self.0.get(&key).map_or(Reply::Nil, |e| Reply::Value(Value::Int(e.0)))
                }
                Command::String(StringCommand::Set {
                    key,
                    value: Value::Int(value),
                    condition,
                    expiry,
                    ..
                }) => {
                    let wanted = match condition {
                        Condition::Always => self.0.contains_key(&key),
                        Condition::IfAbsent => false,
                        Condition::IfPresent => true,
                    };
                    if self.0.contains_key(&key) != wanted {
                        return Reply::Nil;
                    }
                    let deadline = match expiry {
                        Expiry::In(ms, _) => Some(now_ms + ms),
                        _ => None,
                    };
                    self.0.insert(key, (value, deadline));
                    Reply::Ok
                }
                Command::Key(KeyCommand::Persist { key }) => {
                    let ended = self.0.get_mut(&key).and_then(|e| e.1.take());
                    Reply::Int(ended.is_some().into())
                }
                Command::Script(ScriptCommand::CompareAndDelete { key, expected }) => {
                    let holds = self.0.get(&key).is_some_and(|e| Value::Int(e.0) == expected);
                    Reply::Int((holds && self.0.remove(&key).is_some()).into())
                }
                Command::Key(KeyCommand::Ttl { key, .. }) => Reply::Int(match self.0.get(&key) {
                    None => -2,
                    Some((_, None)) => -1,
                    Some((_, Some(deadline))) => deadline - now_ms,
                }),
                Command::String(StringCommand::IncrBy { key, by }) => {
                    let (value, _) = self.0.entry(key).or_insert((0, None));
                    *value += by;
                    Reply::Int(*value)
                }
                _ => unreachable!("the story has no other command"),
            }
        }
    }

    fn stories() -> impl Strategy<Value = Vec<(i64, Command)>> {
        let key = || (0..4usize).prop_map(Key::at);
        let condition =
            prop::sample::select(&[Condition::Always, Condition::IfAbsent, Condition::IfPresent]);
        let ttl_ms = proptest::option::of(1..6i64);
        let (absolute, unit) = (false, Unit::Millis);
        let command = prop_oneof![
            3 => (key(), 0..3i64, condition, ttl_ms).prop_map(|(k, v, c, t)| set(k, v, c, t)),
            1 => key().prop_map(|key| StringCommand::Get { key }.into()),
            1 => key().prop_map(|key| KeyCommand::Persist { key }.into()),
            1 => key().prop_map(move |key| KeyCommand::Ttl { key, absolute, unit }.into()),
            1 => key().prop_map(|key| StringCommand::IncrBy { key, by: 1 }.into()),
            1 => (key(), 0..3i64).prop_map(|(key, v)| {
                ScriptCommand::CompareAndDelete { key, expected: Value::Int(v) }.into()
            }),
        ];
        proptest::collection::vec((0..4i64, command), 0..80)
    }

    /// Words that change keys in each way that is logged differently.
    const STORY: [&str; 26] = [
        "SET k 1",
        "SET k 1 PX 5",
        "SET k 2 NX EX 1",
        "SET k 3 KEEPTTL",
        "SETEX k 1 v",
        "GETEX k PX 7",
        "GETEX k PERSIST",
        "GETEX k PXAT 3",
        "GETDEL k",
        "INCR n",
        "PEXPIRE n 4",
        "PEXPIRE n -1",
        "PERSIST n",
        "MSETNX k 1 n 2",
        "HSET h f 1",
        "HDEL h f",
        "PEXPIRE h 3",
        "RPUSH l a b",
        "LPOP l",
        "LMOVE l m LEFT RIGHT",
        "ZADD z 1 a 2 b",
        "@SWIN z 20 15 3 c",
        "@FWIN n 6",
        "@CAD k 1",
        "@CASPX k 2 1 9",
        "FLUSHALL",
    ];

    proptest! {
        /// Whoever carries out the log has the same keys, at whatever time it does.
        #[test]
        fn a_replica_that_hears_the_log_holds_the_same_keys(
            story in proptest::collection::vec((0..4i64, 0..STORY.len()), 0..60),
            late_ms in 0..100i64,
        ) {
            let (mut primary, mut replica) = (Store::default(), Store::default());
            let (mut texts, mut log, mut now_ms) = (Texts::default(), Vec::new(), 0);
            for (gap_ms, n) in story {
                now_ms += gap_ms;
                let command = argv::command(STORY[n], &mut texts).expect("right words");
                let mode = Mode { log: Some(&mut log), ..Mode::default() };
                primary.apply_in(mode, now_ms, &command, &mut texts);
                log.drain(..).for_each(|logged| {
                    replica.replay(now_ms + late_ms, &logged, &mut texts);
                });
                prop_assert!(primary == replica, "{}\n{primary:?}\n{replica:?}", STORY[n]);
            }
        }

        #[test]
        fn lazy_removal_is_never_seen(story in stories()) {
            let (mut shell, mut eager, mut now_ms) = (Shell::default(), Eager::default(), 0);
            for (gap_ms, command) in story {
                now_ms += gap_ms;
                let expected = eager.apply(now_ms, &command);
                let found = shell.store.apply(now_ms, &command, &mut shell.texts);
                prop_assert_eq!(found, expected, "{:?}", command);
                prop_assert_eq!(shell.store.len(now_ms), eager.0.len());
            }
        }
    }

    /// Keys and bytes.
    fn weight(store: &Store, texts: &Texts) -> usize {
        let bytes = |value: Value| texts.show(value).len();
        let weight = |data: &Data| match data {
            Data::String(value) => bytes(*value),
            Data::List(list) => list.iter().map(|value| bytes(*value)).sum(),
            Data::Hash(hash) => hash.in_order().iter().map(|(_, value)| 1 + bytes(*value)).sum(),
            Data::ZSet(zset) => zset.len(),
        };
        store.rows.taken().map(|(_, row)| 1 + row.data.as_ref().map_or(0, weight)).sum()
    }

    /// Each command, on each type of key and on none: reads leave everything as it was, writes do
    /// not always, and exactly those that need memory make a store larger.
    #[test]
    fn a_command_needs_what_it_does() {
        let states = ["PING", "SET k 1", "HSET k 1 1", "RPUSH k 1 1", "ZADD k 1 1"];
        for (name, words_min, access) in argv::rows() {
            let words = match name {
                "getex" => "getex k px 5".to_owned(),
                "lmove" => "lmove k other left left".to_owned(),
                "lset" => "lset k 1 longer".to_owned(),
                _ => [name, "k", "1", "1", "1", "1"][..words_min].join(" "),
            };
            let (mut changes, mut grows) = (false, false);
            for state in states {
                let mut shell = Shell::default();
                shell.ask(0, state);
                shell.ask(0, "PEXPIRE k 100");
                let before = shell.store.clone();
                shell.ask(0, &words);
                changes |= shell.store != before;
                grows |= weight(&shell.store, &shell.texts) > weight(&before, &shell.texts);
            }
            match access {
                Access::Read => assert!(!changes && !grows, "{name} changes something"),
                Access::Write => {
                    assert!(changes && !grows, "{name} changes nothing, or needs memory");
                }
                Access::Grow => assert!(changes && grows, "{name} needs no memory"),
                Access::Script => {}
            }
        }
    }

    #[test]
    fn a_key_lives_through_its_last_millisecond() {
        let mut shell = Shell::default();
        shell.ask(1_000, "SET k 7 PX 5");
        assert_eq!(shell.ask(1_005, "PTTL k"), Reply::Int(0));
        assert_eq!(shell.ask(1_005, "SET k 8 NX"), Reply::Nil);
        assert_eq!(shell.ask(1_006, "GET k"), Reply::Nil);
        assert_eq!(shell.ask(1_006, "PTTL k"), Reply::Int(-2));
        shell.ask(2_000, "SET k 7 PXAT 2000");
        assert_eq!(shell.ask(2_000, "EXISTS k"), Reply::Int(1), "SET lets it live now");
        assert_eq!(shell.ask(2_000, "PEXPIREAT k 2000"), Reply::Int(1));
        assert_eq!(shell.ask(2_000, "EXISTS k"), Reply::Int(0), "PEXPIREAT does not");
    }

    #[test]
    fn a_number_is_the_text_that_it_prints_as() {
        let mut shell = Shell::default();
        let (key, five) = (shell.key("k"), shell.key("5"));
        shell.store.apply(0, &set(key, 5, Condition::Always, None), &mut shell.texts);
        let expected = Value::Text(five);
        let release = ScriptCommand::CompareAndDelete { key, expected }.into();
        assert_eq!(shell.ask(0, "STRLEN k"), Reply::Int(1));
        assert_eq!(shell.store.apply(0, &release, &mut shell.texts), Reply::Int(1));
        shell.ask(0, "RPUSH l 5 6 5");
        let value = Value::Int(5);
        let remove = ListCommand::Rem { key: shell.key("l"), count: 0, value }.into();
        assert_eq!(shell.store.apply(0, &remove, &mut shell.texts), Reply::Int(2));
    }

    #[test]
    fn refused_commands_change_nothing() {
        let mut shell = Shell::default();
        shell.ask(0, "SET n 9223372036854775807");
        shell.ask(0, "SET s x");
        shell.ask(0, "HSET h f x");
        shell.ask(0, "ZADD z inf m");
        let before = shell.store.clone();
        for (words, error) in [
            ("INCR n", KvError::Overflow),
            ("INCR s", KvError::NotAnInteger),
            ("SET s y PX 0", KvError::InvalidExpiry("set")),
            ("LPUSH s y", KvError::WrongType),
            ("HINCRBY h f 1", KvError::HashNotAnInteger),
            ("ZINCRBY z -inf m", KvError::ScoreNotANumber),
            ("PEXPIRE s 9223372036854775807", KvError::InvalidExpiry("pexpire")),
            ("LSET nothing 0 x", KvError::NoSuchKey),
        ] {
            assert_eq!(shell.ask(1, words), Reply::Error(error), "{words}");
            assert!(shell.store == before, "{words}");
        }
    }

    #[test]
    fn a_clock_that_steps_back_revives_only_what_nobody_touched() {
        let mut shell = Shell::default();
        shell.ask(100, "MSET touched 1 untouched 1");
        shell.ask(100, "PEXPIRE touched 50");
        shell.ask(100, "PEXPIRE untouched 50");
        assert_eq!(shell.ask(3_600_100, "EXISTS touched"), Reply::Int(0));
        assert_eq!(shell.ask(101, "EXISTS touched"), Reply::Int(0));
        assert_eq!(shell.ask(90, "PTTL untouched"), Reply::Int(60));
        assert_eq!((shell.store.len(101), shell.store.len(3_600_100)), (1, 0));
    }

    #[test]
    fn a_watched_key_is_changed_by_writes_and_by_its_end() {
        // What happens between a watch at 100 ms and a look at 200 ms, and whether it is a change.
        for (first, then, unchanged) in [
            ("SET k 1", "GET k", true),
            ("SET k 1", "SET k 1", false),
            ("SET k 1", "SET k 2 NX", true),
            ("SET k 1 PX 100", "GET other", true),
            ("SET k 1 PX 99", "GET other", false),
            ("SET k 1 PX 99", "PERSIST k", false),
            ("SET k 1 PXAT 50", "GET k", true),
            ("SET k 1 PXAT 50", "DEL k", true),
            ("SET k 1 PXAT 50", "SET k 2", false),
            ("SET k 1 PXAT 50", "FLUSHALL", true),
            ("SET k 1", "FLUSHALL", false),
            ("GET k", "FLUSHALL", true),
            ("ZADD k 1 m", "ZADD k 1 m", true),
            ("HSET k f 1", "HSET k f 1", false),
            ("RPUSH k a", "LPOP k", false),
            ("GET k", "SETNX k 1", false),
        ] {
            let mut shell = Shell::default();
            shell.ask(100, first);
            let key = shell.key("k");
            let watched = shell.store.watch(key, 100);
            shell.ask(150, then);
            assert_eq!(shell.store.is_unchanged(&watched, 200), unchanged, "{first}, {then}");
        }
    }

    #[test]
    fn an_empty_collection_is_no_key() {
        let mut shell = Shell::default();
        for (write, remove) in [
            ("HSET k f 1", "HDEL k f"),
            ("RPUSH k a", "LPOP k"),
            ("RPUSH k a", "LTRIM k 1 0"),
            ("RPUSH k a", "LREM k 0 a"),
            ("RPUSH k a", "RPOPLPUSH k other"),
            ("ZADD k 1 m", "ZREM k m"),
            ("ZADD k 1 m", "ZREMRANGEBYSCORE k -inf inf"),
        ] {
            shell.ask(0, write);
            shell.ask(0, remove);
            assert_eq!(shell.ask(0, "TYPE k"), Reply::Status("none"), "{remove}");
        }
    }

    #[test]
    fn a_flush_forgets_everything() {
        let mut shell = Shell::default();
        shell.ask(0, "SET k 1");
        shell.store.flush();
        assert!(shell.store == Store::default());
    }
}
