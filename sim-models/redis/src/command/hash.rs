//! Commands on hashes.

use super::words::{Access, Spelling, Words, access_of, spelled};
use crate::reply::KvError;
use crate::value::{Key, TextId, Value};

/// A command on hashes.
#[derive(Clone, Debug, PartialEq)]
pub enum HashCommand {
    /// `HSET`: the number of fields that are new.
    Set {
        /// The hash.
        key: Key,
        /// Fields and their values, in order.
        pairs: Vec<(TextId, Value)>,
    },
    /// `HSETNX`: 1 if the field was absent and is now set, else 0.
    SetNx {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
        /// Its value.
        value: Value,
    },
    /// `HGET`: the field's value or nil.
    Get {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
    },
    /// `HMGET`: an array with each field's value or nil.
    MGet {
        /// The hash.
        key: Key,
        /// The fields.
        fields: Vec<TextId>,
    },
    /// `HDEL`: the number of fields removed; the key goes with the last one.
    Del {
        /// The hash.
        key: Key,
        /// The fields.
        fields: Vec<TextId>,
    },
    /// `HEXISTS`: 1 or 0.
    Exists {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
    },
    /// `HLEN`: the number of fields.
    Len {
        /// The hash.
        key: Key,
    },
    /// `HINCRBY`: the field's number afterwards.
    IncrBy {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
        /// What is added.
        by: i64,
    },
    /// `HGETALL`, `HKEYS`, `HVALS`: an array in the order in which the fields were first set.
    GetAll {
        /// The hash.
        key: Key,
        /// Fields, values or both.
        what: HashPart,
    },
}

/// What is read of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashPart {
    /// `HGETALL`: each field followed by its value.
    Both,
    /// `HKEYS`.
    Fields,
    /// `HVALS`.
    Values,
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<HashCommand>] = {
    use Access::{Grow, Read, Write};
    use HashCommand as C;
    &[
        spelled("hset", -4, Grow, |w| Ok(C::Set { key: w.key(), pairs: w.pairs(2)? })),
        spelled("hsetnx", 4, Grow, |w| {
            Ok(C::SetNx { key: w.key(), field: w.text(2), value: w.value(3) })
        }),
        spelled("hget", 3, Read, |w| Ok(C::Get { key: w.key(), field: w.text(2) })),
        spelled("hmget", -3, Read, |w| Ok(C::MGet { key: w.key(), fields: w.texts(2) })),
        spelled("hdel", -3, Write, |w| Ok(C::Del { key: w.key(), fields: w.texts(2) })),
        spelled("hexists", 3, Read, |w| Ok(C::Exists { key: w.key(), field: w.text(2) })),
        spelled("hlen", 2, Read, |w| Ok(C::Len { key: w.key() })),
        spelled("hincrby", 4, Grow, |w| {
            Ok(C::IncrBy { key: w.key(), field: w.text(2), by: w.int(3)? })
        }),
        spelled("hgetall", 2, Read, |w| get_all(w, HashPart::Both)),
        spelled("hkeys", 2, Read, |w| get_all(w, HashPart::Fields)),
        spelled("hvals", 2, Read, |w| get_all(w, HashPart::Values)),
    ]
};

impl HashCommand {
    pub(crate) fn access(&self) -> Access {
        use HashCommand as C;
        match self {
            C::Set { .. } => const { access_of(TABLE, "hset") },
            C::SetNx { .. } => const { access_of(TABLE, "hsetnx") },
            C::Get { .. } => const { access_of(TABLE, "hget") },
            C::MGet { .. } => const { access_of(TABLE, "hmget") },
            C::Del { .. } => const { access_of(TABLE, "hdel") },
            C::Exists { .. } => const { access_of(TABLE, "hexists") },
            C::Len { .. } => const { access_of(TABLE, "hlen") },
            C::IncrBy { .. } => const { access_of(TABLE, "hincrby") },
            C::GetAll { .. } => const { access_of(TABLE, "hgetall") },
        }
    }
}

fn get_all(w: &mut Words<'_, '_>, what: HashPart) -> Result<HashCommand, KvError> {
    Ok(HashCommand::GetAll { key: w.key(), what })
}
