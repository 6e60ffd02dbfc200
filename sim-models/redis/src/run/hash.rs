//! Commands on hashes.

use crate::command::hash::{HashCommand, HashPart};
use crate::data::Data;
use crate::data::hash::Hash;
use crate::data::string::int_of;
use crate::exec::{Done, Exec};
use crate::reply::{KvError, Reply};
use crate::value::{Key, Value};

impl Exec<'_> {
    fn hash(&mut self, key: Key) -> Result<Option<&mut Hash>, KvError> {
        self.get(key).map(Data::hash).transpose()
    }

    /// The hash to be written in, a new one if there is none; it shall not stay empty.
    fn hash_to_write(&mut self, key: Key) -> Result<&mut Hash, KvError> {
        self.get_or_start(key, || Data::Hash(Box::default())).hash()
    }

    pub(super) fn hash_command(&mut self, command: &HashCommand) -> Done {
        use HashCommand as C;
        Ok(match command {
            C::Set { key, pairs } => {
                let hash = self.hash_to_write(*key)?;
                let new = pairs.iter().filter(|(field, value)| hash.set(*field, *value)).count();
                self.changed(*key);
                Reply::Int(new as i64)
            }
            C::SetNx { key, field, value } => {
                let hash = self.hash_to_write(*key)?;
                if hash.get(*field).is_some() {
                    return Ok(Reply::Int(0));
                }
                hash.set(*field, *value);
                self.changed(*key);
                Reply::Int(1)
            }
            C::Get { key, field } => {
                let value = self.hash(*key)?.and_then(|hash| hash.get(*field));
                value.map_or(Reply::Nil, Reply::Value)
            }
            C::MGet { key, fields } => {
                let hash = self.hash(*key)?;
                let get = |field| hash.as_ref().and_then(|hash| hash.get(field));
                let values =
                    fields.iter().map(|field| get(*field).map_or(Reply::Nil, Reply::Value));
                Reply::Array(values.collect())
            }
            C::Del { key, fields } => {
                let Some(hash) = self.hash(*key)? else { return Ok(Reply::Int(0)) };
                let removed = fields.iter().filter(|field| hash.remove(**field)).count();
                if removed > 0 {
                    self.shrunk(*key);
                }
                Reply::Int(removed as i64)
            }
            C::Exists { key, field } => {
                let exists = self.hash(*key)?.is_some_and(|hash| hash.get(*field).is_some());
                Reply::Int(exists.into())
            }
            C::Len { key } => Reply::Int(self.hash(*key)?.map_or(0, |hash| hash.len() as i64)),
            C::IncrBy { key, field, by } => {
                let value = self.hash(*key)?.and_then(|hash| hash.get(*field));
                let n = int_of(value.unwrap_or(Value::Int(0)), self.texts);
                let n = n.ok_or(KvError::HashNotAnInteger)?;
                let sum = n.checked_add(*by).ok_or(KvError::Overflow)?;
                self.hash_to_write(*key)?.set(*field, Value::Int(sum));
                self.changed(*key);
                Reply::Int(sum)
            }
            C::GetAll { key, what } => {
                let Some(hash) = self.hash(*key)? else { return Ok(Reply::Array(Vec::new())) };
                let mut all = Vec::new();
                for (field, value) in hash.in_order() {
                    if *what != HashPart::Values {
                        all.push(Reply::Value(Value::Text(field)));
                    }
                    if *what != HashPart::Fields {
                        all.push(Reply::Value(value));
                    }
                }
                Reply::Array(all)
            }
        })
    }
}
