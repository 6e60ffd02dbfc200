//! Commands on strings.

use crate::command::Command;
use crate::command::string::{Condition, ExpiryChange, StringCommand};
use crate::data::Data;
use crate::data::string::{LENGTH_MAX, int_of, is_same, length};
use crate::exec::{Done, Exec};
use crate::expiry::{Deadline, Expiry};
use crate::reply::{KvError, Reply};
use crate::value::{Key, Value};

impl Exec<'_> {
    /// A key's string, or none.
    fn string(&mut self, key: Key) -> Result<Option<Value>, KvError> {
        self.get(key).map(|data| data.string().copied()).transpose()
    }

    fn get_string(&mut self, key: Key) -> Done {
        Ok(self.string(key)?.map_or(Reply::Nil, Reply::Value))
    }

    /// Whether a key holds this string; another type is an error, as `GET` in a script has it.
    pub(super) fn holds(&mut self, key: Key, expected: Value) -> Result<bool, KvError> {
        let value = self.string(key)?;
        Ok(value.is_some_and(|value| is_same(value, expected, self.texts)))
    }

    pub(super) fn string_command(&mut self, command: &StringCommand) -> Done {
        use StringCommand as C;
        Ok(match command {
            C::Get { key } => self.get_string(*key)?,
            C::Set { key, value, condition, get, expiry } => {
                self.set(*key, *value, *condition, *get, *expiry)?
            }
            C::SetNx { key, value } => {
                let absent = self.live(*key).is_none();
                if absent {
                    self.create(*key, Data::String(*value));
                }
                Reply::Int(absent.into())
            }
            C::SetEx { key, value, expiry, name } => {
                let deadline = expiry.deadline(self.now_ms, name)?;
                // The key is looked up, so that an expired one goes with its own DEL.
                self.live(*key);
                self.write(*key, *value, *expiry, deadline);
                Reply::Ok
            }
            C::GetSet { key, value } => {
                let old = self.get_string(*key)?;
                self.create(*key, Data::String(*value));
                old
            }
            C::GetDel { key } => {
                let Some(old) = self.string(*key)? else { return Ok(Reply::Nil) };
                self.remove(*key);
                self.log_instead(|| Command::del(*key));
                Reply::Value(old)
            }
            C::GetEx { key, change } => {
                let Some(value) = self.string(*key)? else { return Ok(Reply::Nil) };
                match change.clone()? {
                    ExpiryChange::Nothing => {}
                    ExpiryChange::Persist => _ = self.persist(*key),
                    ExpiryChange::To(expiry) => {
                        let deadline = expiry.deadline(self.now_ms, "getex")?;
                        if let Some(when_ms) = deadline.ms() {
                            self.end_at(*key, when_ms);
                        }
                    }
                }
                Reply::Value(value)
            }
            C::MGet { keys } => {
                let value = |key: &Key| match self.get(*key) {
                    Some(Data::String(value)) => Reply::Value(*value),
                    _ => Reply::Nil,
                };
                Reply::Array(keys.iter().map(value).collect())
            }
            C::MSet { pairs } => {
                self.set_all(pairs);
                Reply::Ok
            }
            C::MSetNx { pairs } => {
                let any = pairs.iter().any(|(key, _)| self.live(*key).is_some());
                if !any {
                    self.set_all(pairs);
                }
                Reply::Int((!any).into())
            }
            C::Append { key, value } => self.append(*key, *value)?,
            C::StrLen { key } => {
                let value = self.string(*key)?;
                Reply::Int(value.map_or(0, |value| length(value, self.texts) as i64))
            }
            C::IncrBy { key, by } => {
                let Some(value) = self.string(*key)? else {
                    self.create(*key, Data::String(Value::Int(*by)));
                    return Ok(Reply::Int(*by));
                };
                let n = int_of(value, self.texts).ok_or(KvError::NotAnInteger)?;
                let sum = n.checked_add(*by).ok_or(KvError::Overflow)?;
                self.replace(*key, Data::String(Value::Int(sum)));
                Reply::Int(sum)
            }
        })
    }

    fn set(
        &mut self,
        key: Key,
        value: Value,
        condition: Condition,
        get: bool,
        expiry: Expiry,
    ) -> Done {
        let deadline = expiry.deadline(self.now_ms, "set")?;
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
            self.write(key, value, expiry, deadline);
        }
        Ok(old.unwrap_or(if applies { Reply::Ok } else { Reply::Nil }))
    }

    /// Writes a string; a replica hears a plain `SET` with the instant at which it ends.
    fn write(&mut self, key: Key, value: Value, expiry: Expiry, deadline: Deadline) {
        self.put(key, Data::String(value), deadline);
        self.log_instead(|| {
            let (condition, get, expiry) = (Condition::Always, false, expiry.absolute(deadline));
            StringCommand::Set { key, value, condition, get, expiry }.into()
        });
    }

    fn set_all(&mut self, pairs: &[(Key, Value)]) {
        for (key, value) in pairs {
            self.live(*key);
            self.create(*key, Data::String(*value));
        }
    }

    fn append(&mut self, key: Key, value: Value) -> Done {
        let Some(old) = self.string(key)? else {
            self.create(key, Data::String(value));
            return Ok(Reply::Int(length(value, self.texts) as i64));
        };
        let mut text = self.texts.show(old);
        text.push_str(&self.texts.show(value));
        if text.len() > LENGTH_MAX {
            return Err(KvError::TooLong);
        }
        let joined = Value::Text(self.texts.intern(&text));
        self.replace(key, Data::String(joined));
        Ok(Reply::Int(text.len() as i64))
    }
}
