//! What kind of command it is: does it write, may it need memory, and what does a replica hear?

use super::command::{Command, Condition, ExpireOnly, Expiry, ExpiryChange, Key, Unit};
use super::exec::Exec;
use super::store::Store;

impl Store {
    /// Whether the command may change a key. A replica refuses it, unless it is a script.
    pub fn is_write(command: &Command) -> bool {
        use Command as C;
        !matches!(
            command,
            C::Get { .. }
                | C::MGet { .. }
                | C::StrLen { .. }
                | C::Exists { .. }
                | C::Type { .. }
                | C::Ttl { .. }
                | C::HGet { .. }
                | C::HMGet { .. }
                | C::HExists { .. }
                | C::HLen { .. }
                | C::HGetAll { .. }
                | C::LLen { .. }
                | C::LRange { .. }
                | C::LIndex { .. }
                | C::ZScore { .. }
                | C::ZCard { .. }
                | C::ZCount { .. }
                | C::ZRange { .. }
                | C::ZRank { .. }
                | C::DbSize
                | C::Time
                | C::Ping { .. }
                | C::Echo { .. }
        )
    }

    /// Whether a node without memory may refuse the command (`deny-oom`). A script is let in, and
    /// stopped at its first write if that needs memory.
    pub fn needs_memory(command: &Command) -> bool {
        use Command as C;
        Store::is_write(command)
            && !matches!(
                command,
                C::GetDel { .. }
                    | C::GetEx { .. }
                    | C::Del { .. }
                    | C::Expire { .. }
                    | C::Persist { .. }
                    | C::HDel { .. }
                    | C::Pop { .. }
                    | C::LRem { .. }
                    | C::LTrim { .. }
                    | C::ZRem { .. }
                    | C::ZRemRangeByScore { .. }
                    | C::FlushAll
                    | C::CompareAndDelete { .. }
                    | C::CompareAndExpire { .. }
                    | C::SlidingWindow { .. }
            )
    }

    /// Whether the command is a script.
    pub fn is_script(command: &Command) -> bool {
        use Command as C;
        matches!(
            command,
            C::CompareAndDelete { .. }
                | C::CompareAndExpire { .. }
                | C::CompareAndSet { .. }
                | C::SlidingWindow { .. }
                | C::FixedWindow { .. }
        )
    }
}

impl Exec<'_> {
    /// The command as a replica hears it, after it was carried out; nothing for a script, whose
    /// parts were told already.
    pub(super) fn as_logged(&self, command: &Command) -> Option<Command> {
        use Command as C;
        match command {
            C::Set { key, value, expiry, .. } => {
                let expiry = match expiry {
                    Expiry::Never | Expiry::Keep => *expiry,
                    Expiry::In(..) | Expiry::At(..) => self.logged_expiry(*key),
                };
                Some(set(*key, *value, expiry))
            }
            C::SetEx { key, value, .. } => Some(set(*key, *value, self.logged_expiry(*key))),
            C::Expire { key, .. } | C::GetEx { key, change: Ok(ExpiryChange::To(_)) } => {
                Some(match self.logged_expiry(*key) {
                    Expiry::Never => C::Del { keys: (*key).into() },
                    expiry => {
                        let only = ExpireOnly::default();
                        C::Expire { key: *key, expiry, only, name: "pexpireat" }
                    }
                })
            }
            C::GetEx { key, .. } => Some(C::Persist { key: *key }),
            C::GetDel { key } => Some(C::Del { keys: (*key).into() }),
            C::CompareAndDelete { .. }
            | C::CompareAndExpire { .. }
            | C::CompareAndSet { .. }
            | C::SlidingWindow { .. }
            | C::FixedWindow { .. } => None,
            _ => Some(command.clone()),
        }
    }

    /// The deadline that the command has left.
    fn logged_expiry(&self, key: Key) -> Expiry {
        self.deadline_of(key).map_or(Expiry::Never, |ms| Expiry::At(ms, Unit::Millis))
    }
}

fn set(key: Key, value: crate::value::Value, expiry: Expiry) -> Command {
    Command::Set { key, value, condition: Condition::Always, get: false, expiry }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::value::Texts;
    use crate::{Mode, Store, argv};

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
                let words: Vec<&str> = STORY[n].split(' ').collect();
                let name = argv::name(&words).expect("a command");
                let command = argv::command(name, &words, &mut texts).expect("right words");
                let mode = Mode { log: Some(&mut log), ..Mode::default() };
                primary.apply_in(mode, now_ms, &command, &mut texts);
                log.drain(..).for_each(|told| {
                    replica.replay(now_ms + late_ms, &told, &mut texts);
                });
                prop_assert!(primary == replica, "{}\n{primary:?}\n{replica:?}", STORY[n]);
            }
        }
    }
}
