//! Deadlines: when a key ends.
//!
//! A key with a deadline still exists at that very millisecond and is gone at the next
//! (`keyIsExpired` in `db.c` compares with `now > when`). A command that would set a deadline which
//! is not in the future removes the key instead (`when <= now`). So `PEXPIREAT now` ends a key a
//! millisecond earlier than `SET … PXAT now`.

use crate::reply::KvError;

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

/// The unit of an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
}

/// When a key that is written shall end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// It stays; an expiry that it had before is dropped.
    #[default]
    Never,
    /// `KEEPTTL`: as before.
    Keep,
    /// `EX`, `PX`: after so many units, from when the command is carried out.
    In(i64, Unit),
    /// `EXAT`, `PXAT`: at this instant of the node's clock.
    At(i64, Unit),
}

impl Expiry {
    /// The instant that is meant, or nothing when it leaves 64 bits.
    pub(crate) fn instant(self, now_ms: i64) -> Option<i64> {
        let millis = |amount: i64, unit| match unit {
            Unit::Millis => Some(amount),
            Unit::Seconds => amount.checked_mul(1000),
        };
        match self {
            Expiry::Never | Expiry::Keep => None,
            Expiry::In(amount, unit) => millis(amount, unit)?.checked_add(now_ms),
            Expiry::At(amount, unit) => millis(amount, unit),
        }
    }

    /// The deadline that `SET` and its kin set; `name` is what the error calls the command.
    pub(crate) fn deadline(self, now_ms: i64, name: &'static str) -> Result<Deadline, KvError> {
        let (Expiry::In(amount, _) | Expiry::At(amount, _)) = self else {
            return Ok(Deadline::NEVER);
        };
        match self.instant(now_ms) {
            Some(ms) if amount > 0 => Ok(Deadline::at_ms(ms)),
            _ => Err(KvError::InvalidExpiry(name)),
        }
    }

    /// The same expiry for whoever carries it out later, once the deadline is known.
    pub(crate) fn absolute(self, deadline: Deadline) -> Expiry {
        match (self, deadline.ms()) {
            (Expiry::In(..) | Expiry::At(..), Some(ms)) => Expiry::At(ms, Unit::Millis),
            _ => self,
        }
    }
}

/// When an `EXPIRE` applies; by default always. A key without expiry counts as one that ends in
/// infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireOnly {
    /// Only to a key without expiry.
    pub nx: bool,
    /// Only to a key with an expiry.
    pub xx: bool,
    /// Only if it ends later than before.
    pub gt: bool,
    /// Only if it ends earlier than before.
    pub lt: bool,
}

impl ExpireOnly {
    /// Whether a key with this deadline may get another one.
    pub(crate) fn allows(self, current: Deadline, when_ms: i64) -> bool {
        let current = current.ms();
        let refused = (self.nx && current.is_some())
            || (self.xx && current.is_none())
            || (self.gt && current.is_none_or(|current| when_ms <= current))
            || (self.lt && current.is_some_and(|current| when_ms >= current));
        !refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To get a later deadline is to get one after it, and to get it earlier is to get one before
    /// it; no deadline is one in infinity.
    #[test]
    fn a_condition_compares_with_the_deadline_that_a_key_has() {
        let plain = ExpireOnly::default();
        for (current, when) in [(None, 10), (Some(10), 9), (Some(10), 10), (Some(10), 11)] {
            let allows = |only: ExpireOnly| {
                only.allows(current.map_or(Deadline::NEVER, Deadline::at_ms), when)
            };
            let case = format!("{current:?}, {when}");
            assert!(allows(plain), "{case}");
            assert_eq!(allows(ExpireOnly { nx: true, ..plain }), current.is_none(), "{case}");
            assert_eq!(allows(ExpireOnly { xx: true, ..plain }), current.is_some(), "{case}");
            let later = current.is_some_and(|current| when > current);
            assert_eq!(allows(ExpireOnly { gt: true, ..plain }), later, "{case}");
            let earlier = current.is_none_or(|current| when < current);
            assert_eq!(allows(ExpireOnly { lt: true, ..plain }), earlier, "{case}");
        }
    }
}
