//! Commands on keys of any type.

use crate::command::key::KeyCommand;
use crate::exec::{Done, Exec};
use crate::expiry::Unit;
use crate::reply::{KvError, Reply};

impl Exec<'_> {
    pub(super) fn key_command(&mut self, command: &KeyCommand) -> Done {
        use KeyCommand as C;
        Ok(match command {
            C::Exists { keys } => {
                let existing = keys.as_slice().iter().filter(|key| self.peek(**key).is_some());
                Reply::Int(existing.count() as i64)
            }
            C::Del { keys } => {
                let mut deleted = 0;
                for key in keys.as_slice() {
                    if self.peek(*key).is_some() {
                        self.remove(*key);
                        deleted += 1;
                    }
                }
                Reply::Int(deleted)
            }
            C::Type { key } => {
                let data = self.peek(*key).and_then(|row| row.data.as_ref());
                Reply::Status(data.map_or("none", |data| data.kind()))
            }
            C::Expire { key, expiry, only, name } => {
                let when_ms = expiry.instant(self.now_ms).ok_or(KvError::InvalidExpiry(name))?;
                let allows = self.live(*key).is_some_and(|row| only.allows(row.deadline, when_ms));
                if allows {
                    self.end_at(*key, when_ms);
                }
                Reply::Int(allows.into())
            }
            C::Persist { key } => Reply::Int(self.persist(*key).into()),
            C::Ttl { key, absolute, unit } => {
                let now_ms = self.now_ms;
                let Some(row) = self.peek(*key) else { return Ok(Reply::Int(-2)) };
                let Some(at) = row.deadline.ms() else { return Ok(Reply::Int(-1)) };
                let ms = if *absolute { at } else { at.saturating_sub(now_ms).max(0) };
                Reply::Int(match unit {
                    Unit::Millis => ms,
                    // Without a sign the sum fits, as in the server as it is built.
                    Unit::Seconds => (ms.cast_unsigned().wrapping_add(500) / 1000).cast_signed(),
                })
            }
        })
    }
}
