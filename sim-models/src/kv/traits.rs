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
