//! Deadlines: when a key ends, and the commands that move its end.
//!
//! A key with a deadline still exists at that very millisecond and is gone at the next
//! (`keyIsExpired` in `db.c` compares with `now > when`). A command that would set a deadline which
//! is not in the future removes the key instead (`when <= now`), so that `PEXPIREAT now` ends a key
//! a millisecond earlier than `SET … PXAT now`.

use super::command::{ExpireOnly, Expiry, Key, Unit};
use super::exec::{Done, Exec};
use super::{KvError, Reply};

/// The last millisecond at which a key exists, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(i64);

impl Deadline {
    /// A key that stays. No command can set this instant: what lies in the past removes the key.
    pub const NEVER: Deadline = Deadline(i64::MIN);

    /// The instant in milliseconds of the node's clock.
    pub fn at_ms(ms: i64) -> Deadline {
        Deadline(ms.max(i64::MIN + 1))
    }

    /// The instant in milliseconds of the node's clock, if there is one.
    pub fn ms(self) -> Option<i64> {
        (self != Deadline::NEVER).then_some(self.0)
    }

    /// Whether a key with this deadline is gone at `now_ms`.
    pub fn is_past(self, now_ms: i64) -> bool {
        self != Deadline::NEVER && now_ms > self.0
    }
}

/// The instant meant by an amount of units, or nothing when it leaves 64 bits.
fn instant(now_ms: i64, expiry: Expiry) -> Option<i64> {
    let millis = |amount: i64, unit| match unit {
        Unit::Millis => Some(amount),
        Unit::Seconds => amount.checked_mul(1000),
    };
    match expiry {
        Expiry::Never | Expiry::Keep => None,
        Expiry::In(amount, unit) => millis(amount, unit)?.checked_add(now_ms),
        Expiry::At(amount, unit) => millis(amount, unit),
    }
}

/// The deadline that `SET` and its kin set; `name` is what the error calls the command.
pub(super) fn deadline(
    now_ms: i64,
    expiry: Expiry,
    name: &'static str,
) -> Result<Deadline, KvError> {
    let (Expiry::In(amount, _) | Expiry::At(amount, _)) = expiry else {
        return Ok(Deadline::NEVER);
    };
    match instant(now_ms, expiry) {
        Some(ms) if amount > 0 => Ok(Deadline::at_ms(ms)),
        _ => Err(KvError::InvalidExpiry(name)),
    }
}

impl Exec<'_> {
    pub(super) fn expire(
        &mut self,
        key: Key,
        expiry: Expiry,
        only: ExpireOnly,
        name: &'static str,
    ) -> Done {
        let when = instant(self.now_ms, expiry).ok_or(KvError::InvalidExpiry(name))?;
        let Some(row) = self.live(key) else { return Ok(Reply::Int(0)) };
        let current = row.deadline.ms();
        let refused = (only.nx && current.is_some())
            || (only.xx && current.is_none())
            || (only.gt && current.is_none_or(|current| when <= current))
            || (only.lt && current.is_some_and(|current| when >= current));
        if refused {
            return Ok(Reply::Int(0));
        }
        self.end_at(key, when);
        Ok(Reply::Int(1))
    }

    /// Gives a key that exists a deadline, or removes it when that is not in the future.
    pub(super) fn end_at(&mut self, key: Key, when: i64) {
        if when <= self.now_ms && !self.follows() {
            self.remove(key);
        } else {
            self.row(key).deadline = Deadline::at_ms(when);
            self.changed(key);
        }
    }

    pub(super) fn persist(&mut self, key: Key) -> Reply {
        let Some(row) = self.live(key) else { return Reply::Int(0) };
        if row.deadline == Deadline::NEVER {
            return Reply::Int(0);
        }
        row.deadline = Deadline::NEVER;
        self.changed(key);
        Reply::Int(1)
    }

    pub(super) fn ttl(&mut self, key: Key, absolute: bool, unit: Unit) -> Reply {
        let now_ms = self.now_ms;
        let Some(row) = self.peek(key) else { return Reply::Int(-2) };
        let Some(at) = row.deadline.ms() else { return Reply::Int(-1) };
        let ms = if absolute { at } else { at.saturating_sub(now_ms).max(0) };
        Reply::Int(match unit {
            Unit::Millis => ms,
            // Without a sign the sum fits, as in the server as it is built.
            Unit::Seconds => (ms.cast_unsigned().wrapping_add(500) / 1000).cast_signed(),
        })
    }
}
