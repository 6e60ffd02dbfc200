//! Strings: plain values, counters, and the writes with conditions by which locks are taken.

use super::command::{Condition, Expiry, ExpiryChange, Key, Late};
use super::data::{Data, int_of, is_same};
use super::exec::{Done, Exec};
use super::expiry::{Deadline, deadline};
use super::{KvError, Reply};
use crate::value::Value;

/// The longest string, in bytes (`proto-max-bulk-len`).
const LENGTH_MAX: usize = 512 << 20;

impl Exec<'_> {
    /// A key's string, or none.
    pub(super) fn string(&mut self, key: Key) -> Result<Option<Value>, KvError> {
        self.get(key).map(|data| data.string().copied()).transpose()
    }

    pub(super) fn get_string(&mut self, key: Key) -> Done {
        Ok(self.string(key)?.map_or(Reply::Nil, Reply::Value))
    }

    pub(super) fn set(
        &mut self,
        key: Key,
        value: Value,
        condition: Condition,
        get: bool,
        expiry: Expiry,
    ) -> Done {
        let deadline = deadline(self.now_ms, expiry, "set")?;
        let old = if get { Some(self.get_string(key)?) } else { None };
        let row = self.live(key);
        let exists = row.is_some();
        let deadline = match row {
            Some(row) if expiry == Expiry::Keep => row.deadline,
            _ => deadline,
        };
        let applies = match condition {
            Condition::Always => true,
            Condition::IfAbsent => !exists,
            Condition::IfPresent => exists,
        };
        if applies {
            self.put(key, Data::String(value), deadline);
        }
        Ok(old.unwrap_or(if applies { Reply::Ok } else { Reply::Nil }))
    }

    pub(super) fn set_nx(&mut self, key: Key, value: Value) -> Reply {
        let absent = self.live(key).is_none();
        if absent {
            self.create(key, Data::String(value));
        }
        Reply::Int(absent.into())
    }

    pub(super) fn set_ex(
        &mut self,
        key: Key,
        value: Value,
        expiry: Expiry,
        name: &'static str,
    ) -> Done {
        let deadline = deadline(self.now_ms, expiry, name)?;
        // The key is looked up, so that an expired one goes with its own DEL.
        self.live(key);
        self.put(key, Data::String(value), deadline);
        Ok(Reply::Ok)
    }

    pub(super) fn get_set(&mut self, key: Key, value: Value) -> Done {
        let old = self.get_string(key)?;
        self.create(key, Data::String(value));
        Ok(old)
    }

    pub(super) fn get_del(&mut self, key: Key) -> Done {
        let old = self.get_string(key)?;
        if old != Reply::Nil {
            self.remove(key);
        }
        Ok(old)
    }

    pub(super) fn get_ex(&mut self, key: Key, change: &Late<ExpiryChange>) -> Done {
        let value = self.get_string(key)?;
        if value == Reply::Nil {
            return Ok(value);
        }
        match change.clone()? {
            ExpiryChange::Nothing => {}
            ExpiryChange::Persist => {
                self.persist(key);
            }
            ExpiryChange::To(expiry) => {
                let when = deadline(self.now_ms, expiry, "getex")?;
                if let Some(when) = when.ms() {
                    self.end_at(key, when);
                }
            }
        }
        Ok(value)
    }

    pub(super) fn mget(&mut self, keys: &[Key]) -> Reply {
        let value = |key: &Key| match self.get(*key) {
            Some(Data::String(value)) => Reply::Value(*value),
            _ => Reply::Nil,
        };
        Reply::Array(keys.iter().map(value).collect())
    }

    pub(super) fn mset(&mut self, pairs: &[(Key, Value)]) -> Reply {
        for (key, value) in pairs {
            self.live(*key);
            self.create(*key, Data::String(*value));
        }
        Reply::Ok
    }

    pub(super) fn mset_nx(&mut self, pairs: &[(Key, Value)]) -> Reply {
        for (key, _) in pairs {
            if self.live(*key).is_some() {
                return Reply::Int(0);
            }
        }
        self.mset(pairs);
        Reply::Int(1)
    }

    pub(super) fn append(&mut self, key: Key, value: Value) -> Done {
        let Some(old) = self.string(key)? else {
            self.create(key, Data::String(value));
            return Ok(Reply::Int(self.length(value)));
        };
        let mut text = self.texts.show(old);
        text.push_str(&self.texts.show(value));
        if text.len() > LENGTH_MAX {
            return Err(KvError::TooLong);
        }
        let joined = Value::Text(self.texts.intern(&text));
        self.replace(key, joined);
        Ok(Reply::Int(text.len() as i64))
    }

    pub(super) fn str_len(&mut self, key: Key) -> Done {
        let value = self.string(key)?;
        Ok(Reply::Int(value.map_or(0, |value| self.length(value))))
    }

    fn length(&self, value: Value) -> i64 {
        let bytes = match value {
            Value::Text(id) => self.texts.text(id).len(),
            _ => self.texts.show(value).len(),
        };
        bytes as i64
    }

    pub(super) fn incr_by(&mut self, key: Key, by: i64) -> Done {
        let Some(value) = self.string(key)? else {
            self.create(key, Data::String(Value::Int(by)));
            return Ok(Reply::Int(by));
        };
        let n = int_of(value, self.texts).ok_or(KvError::NotAnInteger)?;
        let sum = n.checked_add(by).ok_or(KvError::Overflow)?;
        self.replace(key, Value::Int(sum));
        Ok(Reply::Int(sum))
    }

    /// Another value for a string that exists; its deadline stays.
    fn replace(&mut self, key: Key, value: Value) {
        self.row(key).data = Some(Data::String(value));
        self.changed(key);
    }

    /// Whether a key holds this string; another type is an error, as `GET` in a script has it.
    pub(super) fn holds(&mut self, key: Key, expected: Value) -> Result<bool, KvError> {
        let value = self.string(key)?;
        Ok(value.is_some_and(|value| is_same(value, expected, self.texts)))
    }

    /// The deadline of a key as the reply of a command has left it.
    pub(super) fn deadline_of(&self, key: Key) -> Option<i64> {
        self.rows.get(key.index()).map_or(Deadline::NEVER, |row| row.deadline).ms()
    }
}
