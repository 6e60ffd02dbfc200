//! Hashes: named fields, listed in the order in which they were first set.
//!
//! Redis keeps that order as long as a hash is small (a listpack: up to 128 fields of up to 64
//! bytes) and any order beyond; here it is kept always.

use std::collections::BTreeMap;

use super::command::{HashPart, Key};
use super::data::{Data, int_of};
use super::exec::{Done, Exec};
use super::{KvError, Reply};
use crate::value::{TextId, Value};

/// Named fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hash {
    fields: BTreeMap<TextId, Field>,
    /// The place of the next new field.
    next: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    value: Value,
    /// Fields are listed by their places.
    place: u64,
}

impl Hash {
    /// The field's value, if it has one.
    pub fn get(&self, field: TextId) -> Option<Value> {
        self.fields.get(&field).map(|field| field.value)
    }

    /// Fields and values in order.
    pub fn in_order(&self) -> Vec<(TextId, Value)> {
        let mut all: Vec<_> = self.fields.iter().map(|(id, f)| (f.place, *id, f.value)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id, value)| (id, value)).collect()
    }

    /// Whether the field is new. One that exists keeps its place.
    fn set(&mut self, field: TextId, value: Value) -> bool {
        let place = self.next;
        let mut new = false;
        let field = self.fields.entry(field).or_insert_with(|| {
            new = true;
            Field { value, place }
        });
        field.value = value;
        self.next += u64::from(new);
        new
    }
}

impl Exec<'_> {
    fn hash(&mut self, key: Key) -> Result<Option<&mut Hash>, KvError> {
        self.get(key).map(Data::hash).transpose()
    }

    /// The hash to be written in, a new one if there is none; it shall not stay empty.
    fn hash_to_write(&mut self, key: Key) -> Result<&mut Hash, KvError> {
        if self.live(key).is_none() {
            self.row(key).start(Data::Hash(Box::default()));
        }
        self.row(key).data.as_mut().expect("a key that exists").hash()
    }

    pub(super) fn hset(&mut self, key: Key, pairs: &[(TextId, Value)]) -> Done {
        let hash = self.hash_to_write(key)?;
        let new = pairs.iter().filter(|(field, value)| hash.set(*field, *value)).count();
        self.changed(key);
        Ok(Reply::Int(new as i64))
    }

    pub(super) fn hset_nx(&mut self, key: Key, field: TextId, value: Value) -> Done {
        let hash = self.hash_to_write(key)?;
        if hash.get(field).is_some() {
            return Ok(Reply::Int(0));
        }
        hash.set(field, value);
        self.changed(key);
        Ok(Reply::Int(1))
    }

    pub(super) fn hget(&mut self, key: Key, field: TextId) -> Done {
        let value = self.hash(key)?.and_then(|hash| hash.get(field));
        Ok(value.map_or(Reply::Nil, Reply::Value))
    }

    pub(super) fn hmget(&mut self, key: Key, fields: &[TextId]) -> Done {
        let hash = self.hash(key)?;
        let get = |field: &TextId| hash.as_ref().and_then(|hash| hash.get(*field));
        let values = fields.iter().map(|field| get(field).map_or(Reply::Nil, Reply::Value));
        Ok(Reply::Array(values.collect()))
    }

    pub(super) fn hdel(&mut self, key: Key, fields: &[TextId]) -> Done {
        let Some(hash) = self.hash(key)? else { return Ok(Reply::Int(0)) };
        let removed = fields.iter().filter(|field| hash.fields.remove(field).is_some()).count();
        let empty = hash.fields.is_empty();
        if removed > 0 {
            self.changed(key);
        }
        if empty {
            self.row(key).vanish();
        }
        Ok(Reply::Int(removed as i64))
    }

    pub(super) fn hexists(&mut self, key: Key, field: TextId) -> Done {
        let exists = self.hash(key)?.is_some_and(|hash| hash.get(field).is_some());
        Ok(Reply::Int(exists.into()))
    }

    pub(super) fn hlen(&mut self, key: Key) -> Done {
        Ok(Reply::Int(self.hash(key)?.map_or(0, |hash| hash.fields.len() as i64)))
    }

    pub(super) fn hincr_by(&mut self, key: Key, field: TextId, by: i64) -> Done {
        let value = self.hash(key)?.and_then(|hash| hash.get(field)).unwrap_or(Value::Int(0));
        let n = int_of(value, self.texts).ok_or(KvError::HashNotAnInteger)?;
        let sum = n.checked_add(by).ok_or(KvError::Overflow)?;
        self.hash_to_write(key)?.set(field, Value::Int(sum));
        self.changed(key);
        Ok(Reply::Int(sum))
    }

    pub(super) fn hgetall(&mut self, key: Key, what: HashPart) -> Done {
        let Some(hash) = self.hash(key)? else { return Ok(Reply::Array(Vec::new())) };
        let mut all = Vec::new();
        for (field, value) in hash.in_order() {
            if what != HashPart::Values {
                all.push(Reply::Value(Value::Text(field)));
            }
            if what != HashPart::Fields {
                all.push(Reply::Value(value));
            }
        }
        Ok(Reply::Array(all))
    }
}
