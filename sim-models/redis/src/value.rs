//! What keys are named and what they hold: small copyable [`Value`]s, with texts and records
//! interned.
//!
//! A key such as `order-7:lock` enters [`Texts`] once and from then on is compared and stored as a
//! number. Two texts are the same exactly when their characters are: a key that two tenants spell
//! alike collides here as it does in production.
//!
//! Redis knows texts and numbers. Truth values and records are for those who compute with what
//! they store.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use sim_core::mix;
use xxhash_rust::xxh3::xxh3_64;

/// One value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Absent: a missing key, an unset variable.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number: a status, an amount, a counter.
    Int(i64),
    /// An interned text.
    Text(TextId),
    /// An interned record of named fields.
    Record(RecordId),
}

impl Value {
    /// Neither `Nil`, `false` nor zero.
    pub fn is_truthy(self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false) | Value::Int(0))
    }
}

/// Names one text of a run's [`Texts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(u32);

impl TextId {
    /// The text with this place in a table.
    pub fn at(index: usize) -> TextId {
        TextId(count(index))
    }

    /// The place of this text in a table with one row per text.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A key of a store, as an interned text.
pub type Key = TextId;

/// Names one record of a run's [`Texts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(u32);

/// Names a field of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(TextId);

/// The longest text that a program may build, in bytes.
const TEXT_MAX: usize = 1 << 16;

/// All texts together, in bytes: one event of a simulation can build many before its memory limit
/// is looked at.
const TEXTS_MAX: usize = 1 << 29;

/// How deep records may nest: what is stored in a store and read back grows no further.
const DEPTH_MAX: u8 = 16;

/// Every text and record of a run, each held once.
///
/// The tables are looked up and never iterated, so that no hash order can reach a result.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<u32>,
    by_text: HashTable<u32>,
    fields: Vec<(FieldId, Value)>,
    record_ends: Vec<u32>,
    by_record: HashTable<u32>,
    /// How many records deep each record is.
    depths: Vec<u8>,
    /// Kept for its allocation.
    scratch: String,
    overfull: bool,
}

impl Texts {
    /// The id of `text`, adding it on first sight. When all texts together would pass half a GiB,
    /// the id is any text's and [`Texts::is_overfull`] says so.
    pub fn intern(&mut self, text: &str) -> TextId {
        let hash = hash_of(text);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&id) = self.by_text.find(hash, |&id| slice(bytes, ends, id) == text) {
            return TextId(id);
        }
        if self.bytes.len() + text.len() > TEXTS_MAX {
            self.overfull = true;
            return TextId(0);
        }
        let id = count(self.ends.len());
        self.by_text.insert_unique(hash, id, |&id| hash_of(slice(bytes, ends, id)));
        self.bytes.push_str(text);
        self.ends.push(count(self.bytes.len()));
        TextId(id)
    }

    /// The value as a text: itself if it is one, else as it prints.
    pub fn text_of(&mut self, value: Value) -> TextId {
        match value {
            Value::Text(id) => id,
            _ => {
                let text = self.show(value);
                self.intern(&text)
            }
        }
    }

    /// An empty buffer to build a text in; [`Texts::intern_scratch`] gives it back.
    pub fn take_scratch(&mut self) -> String {
        std::mem::take(&mut self.scratch)
    }

    /// The id of the text in a buffer taken before.
    pub fn intern_scratch(&mut self, mut buffer: String) -> TextId {
        let id = self.intern(&buffer);
        buffer.clear();
        self.scratch = buffer;
        id
    }

    /// Appends `value` as it prints, up to the longest text that a program may build.
    pub fn append(&mut self, value: Value, text: &mut String) {
        let fits = self.write(value, &mut Bounded(text)).is_ok();
        self.overfull |= !fits;
    }

    /// True once somebody has tried to build a text or a record that is too large. That is a text
    /// of more than 64 KiB by [`Texts::append`], half a GiB of texts, or records nested more than
    /// 16 deep.
    pub fn is_overfull(&self) -> bool {
        self.overfull
    }

    /// How many records deep a value is.
    fn depth(&self, value: Value) -> u8 {
        match value {
            Value::Record(RecordId(id)) => self.depths[id as usize],
            _ => 0,
        }
    }

    /// The id of a field name.
    pub fn field(&mut self, name: &str) -> FieldId {
        FieldId(self.intern(name))
    }

    /// The id of the record with these fields; their order is part of the record.
    pub fn record(&mut self, fields: &[(FieldId, Value)]) -> RecordId {
        let hash = hash_of(fields);
        let (all, ends) = (&self.fields, &self.record_ends);
        if let Some(&id) = self.by_record.find(hash, |&id| part(all, ends, id) == fields) {
            return RecordId(id);
        }
        let id = count(self.record_ends.len());
        self.by_record.insert_unique(hash, id, |&id| hash_of(part(all, ends, id)));
        let depth = 1 + fields.iter().map(|(_, value)| self.depth(*value)).max().unwrap_or(0);
        self.overfull |= depth > DEPTH_MAX;
        self.depths.push(depth.min(DEPTH_MAX));
        self.fields.extend_from_slice(fields);
        self.record_ends.push(count(self.fields.len()));
        RecordId(id)
    }

    /// The characters of a text.
    pub fn text(&self, id: TextId) -> &str {
        slice(&self.bytes, &self.ends, id.0)
    }

    /// A field of a record; `Nil` when `value` is another kind of value or has no such field.
    pub fn get(&self, value: Value, field: FieldId) -> Value {
        let Value::Record(id) = value else { return Value::Nil };
        let fields = part(&self.fields, &self.record_ends, id.0);
        fields.iter().find(|(name, _)| *name == field).map_or(Value::Nil, |(_, value)| *value)
    }

    /// The characters of a field's name.
    pub fn field_name(&self, FieldId(id): FieldId) -> &str {
        self.text(id)
    }

    /// The fields of a record, in its order.
    pub fn fields(&self, id: RecordId) -> &[(FieldId, Value)] {
        part(&self.fields, &self.record_ends, id.0)
    }

    /// A word that tells values apart, for the digest: made of characters and numbers, so that it
    /// does not matter which texts a run has seen before.
    pub fn fingerprint(&self, value: Value) -> u64 {
        match value {
            Value::Nil => 0,
            Value::Bool(b) => 1 << 60 | u64::from(b),
            Value::Int(n) => 2 << 60 ^ n.cast_unsigned(),
            Value::Text(id) => xxh3_64(self.text(id).as_bytes()),
            Value::Record(id) => self.fields(id).iter().fold(3 << 60, |word, (name, value)| {
                let name = xxh3_64(self.text(name.0).as_bytes());
                mix(mix(word, name), self.fingerprint(*value))
            }),
        }
    }

    /// Writes `value` as people read it: `201`, `shoppers-17:lock`, `{status: 201, id: tx-4}`.
    ///
    /// # Errors
    /// Only when `out` fails.
    pub fn write(&self, value: Value, out: &mut impl fmt::Write) -> fmt::Result {
        match value {
            Value::Nil => out.write_str("nil"),
            Value::Bool(b) => write!(out, "{b}"),
            Value::Int(n) => write!(out, "{n}"),
            Value::Text(id) => out.write_str(self.text(id)),
            Value::Record(id) => {
                out.write_char('{')?;
                for (i, (FieldId(name), value)) in
                    part(&self.fields, &self.record_ends, id.0).iter().enumerate()
                {
                    out.write_str(if i == 0 { "" } else { ", " })?;
                    write!(out, "{}: ", self.text(*name))?;
                    self.write(*value, out)?;
                }
                out.write_char('}')
            }
        }
    }

    /// `value` as a string, for messages.
    pub fn show(&self, value: Value) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write(value, &mut text);
        text
    }

    /// An estimate of the memory held, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + (self.ends.capacity() + self.record_ends.capacity()) * 9
            + self.fields.capacity() * size_of::<(FieldId, Value)>()
    }
}

/// A text that refuses to grow beyond [`TEXT_MAX`].
struct Bounded<'a>(&'a mut String);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > TEXT_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn hash_of(key: impl Hash) -> u64 {
    FxBuildHasher.hash_one(key)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).expect("a run holds fewer than 2^32 interned bytes")
}

fn slice<'a>(bytes: &'a str, ends: &[u32], id: u32) -> &'a str {
    let (start, end) = bounds(ends, id);
    &bytes[start..end]
}

fn part<'a>(fields: &'a [(FieldId, Value)], ends: &[u32], id: u32) -> &'a [(FieldId, Value)] {
    let (start, end) = bounds(ends, id);
    &fields[start..end]
}

fn bounds(ends: &[u32], id: u32) -> (usize, usize) {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] as usize };
    (start, ends[id] as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_characters_are_one_text() {
        let mut texts = Texts::default();
        let a = texts.intern("pay-1");
        let b = texts.intern("pay-2");
        assert_eq!(a, texts.intern("pay-1"));
        assert_ne!(a, b);
        assert_eq!(texts.text(b), "pay-2");
    }

    #[test]
    fn a_fingerprint_knows_the_characters_and_not_who_came_first() {
        let (mut one, mut other) = (Texts::default(), Texts::default());
        other.intern("something else");
        let make = |texts: &mut Texts, id: &str| {
            let (id, field) = (Value::Text(texts.intern(id)), texts.field("id"));
            Value::Record(texts.record(&[(field, id)]))
        };
        let (a, b) = (make(&mut one, "tx-4"), make(&mut other, "tx-4"));
        assert_eq!(one.fingerprint(a), other.fingerprint(b));
        let c = make(&mut one, "tx-5");
        assert_ne!(one.fingerprint(a), one.fingerprint(c));
    }

    #[test]
    fn equal_fields_are_one_record() {
        let mut texts = Texts::default();
        let (status, id) = (texts.field("status"), texts.field("id"));
        let body = Value::Text(texts.intern("tx-4"));
        let record = texts.record(&[(status, Value::Int(201)), (id, body)]);
        assert_eq!(record, texts.record(&[(status, Value::Int(201)), (id, body)]));
        assert_eq!(texts.get(Value::Record(record), id), body);
        assert_eq!(texts.get(Value::Int(3), id), Value::Nil);
        assert_eq!(texts.show(Value::Record(record)), "{status: 201, id: tx-4}");
    }
}
