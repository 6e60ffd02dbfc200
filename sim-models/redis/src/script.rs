//! Scripts, each at one instant: compare-and-delete and its kin, and two rate limiters.
//!
//! They are what people send as `EVAL`. A script that fails half-way does not undo what it did.

use super::command::{Bound, Command, ExpireOnly, Expiry, Key, Late, Unit, ZAddOnly};
use super::exec::{Done, Exec, Role};
use super::store::Store;
use super::{KvError, Reply};
use crate::value::{TextId, Value};

impl Exec<'_> {
    /// One command of a script. A replica refuses a write here, and a node without memory a first
    /// write that may need some: after that it is too late to stop.
    fn part(&mut self, command: &Command) -> Done {
        let writes = Store::is_write(command);
        if writes && self.role == Role::Replica {
            return Err(KvError::ReadOnly);
        }
        if self.out_of_memory && !self.has_written && Store::needs_memory(command) {
            return Err(KvError::OutOfMemory);
        }
        self.has_written |= writes;
        self.call(command)
    }

    pub(super) fn compare_and_delete(&mut self, key: Key, expected: Value) -> Done {
        if !self.holds(key, expected)? {
            return Ok(Reply::Int(0));
        }
        self.part(&Command::Del { keys: key.into() })
    }

    pub(super) fn compare_and_expire(&mut self, key: Key, expected: Value, px: &Late<i64>) -> Done {
        if !self.holds(key, expected)? {
            return Ok(Reply::Int(0));
        }
        self.part(&pexpire(key, px.clone()?))
    }

    pub(super) fn compare_and_set(
        &mut self,
        key: Key,
        expected: Value,
        value: Value,
        px: &Late<i64>,
    ) -> Done {
        if !self.holds(key, expected)? {
            return Ok(Reply::Int(0));
        }
        let expiry = Expiry::In(px.clone()?, Unit::Millis);
        let condition = super::Condition::Always;
        self.part(&Command::Set { key, value, condition, get: false, expiry })?;
        Ok(Reply::Int(1))
    }

    pub(super) fn sliding_window(
        &mut self,
        key: Key,
        now: i64,
        window: i64,
        limit: i64,
        member: TextId,
    ) -> Done {
        let oldest = Bound::at(now as f64 - window as f64);
        self.part(&Command::ZRemRangeByScore { key, min: Bound::MIN, max: oldest })?;
        let Reply::Int(admitted) = self.part(&Command::ZCard { key })? else {
            return Err(KvError::WrongType);
        };
        if admitted >= limit {
            return Ok(Reply::Int(0));
        }
        let (only, pairs) = (ZAddOnly::default(), vec![(now as f64, member)]);
        self.part(&Command::ZAdd { key, only, changed: false, pairs })?;
        self.part(&pexpire(key, window))?;
        Ok(Reply::Int(1))
    }

    pub(super) fn fixed_window(&mut self, key: Key, window: &Late<i64>) -> Done {
        let Reply::Int(count) = self.part(&Command::IncrBy { key, by: 1 })? else {
            return Err(KvError::WrongType);
        };
        if count == 1 {
            self.part(&pexpire(key, window.clone()?))?;
        }
        Ok(Reply::Int(through_lua(count)))
    }
}

/// A number that has been a Lua number, which is a float; one that is too large wraps, as the
/// conversion of x86-64 has it.
fn through_lua(n: i64) -> i64 {
    let float = n as f64;
    if float >= 9_223_372_036_854_775_808.0 { i64::MIN } else { float as i64 }
}

fn pexpire(key: Key, ms: i64) -> Command {
    let expiry = Expiry::In(ms, Unit::Millis);
    Command::Expire { key, expiry, only: ExpireOnly::default(), name: "pexpire" }
}
