//! Hashes: named fields, listed in the order in which they were first set.
//!
//! Redis keeps that order as long as a hash is small (a listpack: up to 128 fields of up to 64
//! bytes). Here it is kept always.

use std::collections::BTreeMap;

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

    /// Fields and values in the order in which the fields were first set.
    pub fn in_order(&self) -> Vec<(TextId, Value)> {
        let mut all: Vec<_> = self.fields.iter().map(|(id, f)| (f.place, *id, f.value)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id, value)| (id, value)).collect()
    }

    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it has no field; a hash of a key has one at least.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether the field is new. One that exists keeps its place.
    pub(crate) fn set(&mut self, field: TextId, value: Value) -> bool {
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

    /// Whether the field was there.
    pub(crate) fn remove(&mut self, field: TextId) -> bool {
        self.fields.remove(&field).is_some()
    }
}
