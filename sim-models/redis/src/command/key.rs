//! Commands on keys of any type: whether they exist, and when they end.

use super::words::{Access, Spelling, Words, access_of, spelled};
use crate::expiry::{ExpireOnly, Expiry, Unit};
use crate::reply::KvError;
use crate::value::Key;

/// A command on keys of any type.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyCommand {
    /// `EXISTS`: how many of the keys exist, the same key counted as often as it is named.
    Exists {
        /// The keys to look for.
        keys: Keys,
    },
    /// `DEL`, `UNLINK`: the number of keys removed.
    Del {
        /// The keys to remove.
        keys: Keys,
    },
    /// `TYPE`: `none`, `string`, `hash`, `list` or `zset`.
    Type {
        /// The key to look at.
        key: Key,
    },
    /// `EXPIRE`, `PEXPIRE`, `EXPIREAT`, `PEXPIREAT`: 1 if the expiry was set, else 0. A time that
    /// is not in the future removes the key at once.
    Expire {
        /// The key that ends.
        key: Key,
        /// When: [`Expiry::In`] or [`Expiry::At`].
        expiry: Expiry,
        /// `NX`, `XX`, `GT`, `LT`.
        only: ExpireOnly,
        /// Which of the four it is, for the error.
        name: &'static str,
    },
    /// `PERSIST`: 1 if an expiry was taken away, else 0.
    Persist {
        /// The key that shall stay.
        key: Key,
    },
    /// `TTL`, `PTTL`, `EXPIRETIME`, `PEXPIRETIME`: -1 for a key without expiry, -2 for an absent
    /// key.
    Ttl {
        /// The key to look at.
        key: Key,
        /// The instant of the deadline instead of the time to it.
        absolute: bool,
        /// In which unit; seconds are rounded, a half upwards.
        unit: Unit,
    },
}

/// One key or several; one needs no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// One key.
    One(Key),
    /// Several, in order.
    Many(Vec<Key>),
}

impl Keys {
    /// The keys in order.
    pub fn as_slice(&self) -> &[Key] {
        match self {
            Keys::One(key) => std::slice::from_ref(key),
            Keys::Many(keys) => keys,
        }
    }
}

impl From<Key> for Keys {
    fn from(key: Key) -> Keys {
        Keys::One(key)
    }
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<KeyCommand>] = {
    use Access::{Read, Write};
    use KeyCommand as C;
    use Unit::{Millis, Seconds};
    &[
        spelled("exists", -2, Read, |w| Ok(C::Exists { keys: keys(w) })),
        spelled("del", -2, Write, |w| Ok(C::Del { keys: keys(w) })),
        spelled("unlink", -2, Write, |w| Ok(C::Del { keys: keys(w) })),
        spelled("type", 2, Read, |w| Ok(C::Type { key: w.key() })),
        spelled("expire", -3, Write, |w| expire(w, |n| Expiry::In(n, Seconds))),
        spelled("pexpire", -3, Write, |w| expire(w, |n| Expiry::In(n, Millis))),
        spelled("expireat", -3, Write, |w| expire(w, |n| Expiry::At(n, Seconds))),
        spelled("pexpireat", -3, Write, |w| expire(w, |n| Expiry::At(n, Millis))),
        spelled("persist", 2, Write, |w| Ok(C::Persist { key: w.key() })),
        spelled("ttl", 2, Read, |w| ttl(w, false, Seconds)),
        spelled("pttl", 2, Read, |w| ttl(w, false, Millis)),
        spelled("expiretime", 2, Read, |w| ttl(w, true, Seconds)),
        spelled("pexpiretime", 2, Read, |w| ttl(w, true, Millis)),
    ]
};

impl KeyCommand {
    pub(crate) fn access(&self) -> Access {
        use KeyCommand as C;
        match self {
            C::Exists { .. } => const { access_of(TABLE, "exists") },
            C::Del { .. } => const { access_of(TABLE, "del") },
            C::Type { .. } => const { access_of(TABLE, "type") },
            C::Expire { .. } => const { access_of(TABLE, "expire") },
            C::Persist { .. } => const { access_of(TABLE, "persist") },
            C::Ttl { .. } => const { access_of(TABLE, "ttl") },
        }
    }

    /// `PEXPIRE` without conditions, as scripts call it.
    pub(crate) fn pexpire(key: Key, ms: i64) -> KeyCommand {
        let expiry = Expiry::In(ms, Unit::Millis);
        KeyCommand::Expire { key, expiry, only: ExpireOnly::default(), name: "pexpire" }
    }

    /// `PEXPIREAT` without conditions, as logs have it.
    pub(crate) fn pexpireat(key: Key, ms: i64) -> KeyCommand {
        let expiry = Expiry::At(ms, Unit::Millis);
        KeyCommand::Expire { key, expiry, only: ExpireOnly::default(), name: "pexpireat" }
    }
}

type Parsed = Result<KeyCommand, KvError>;

fn keys(w: &mut Words<'_, '_>) -> Keys {
    if w.len() == 2 { Keys::One(w.key()) } else { Keys::Many(w.texts(1)) }
}

fn ttl(w: &mut Words<'_, '_>, absolute: bool, unit: Unit) -> Parsed {
    Ok(KeyCommand::Ttl { key: w.key(), absolute, unit })
}

fn expire(w: &mut Words<'_, '_>, expiry: fn(i64) -> Expiry) -> Parsed {
    let only = expire_only(w)?;
    let expiry = expiry(w.int(2)?);
    Ok(KeyCommand::Expire { key: w.key(), expiry, only, name: w.name })
}

fn expire_only(w: &Words<'_, '_>) -> Result<ExpireOnly, KvError> {
    let mut only = ExpireOnly::default();
    for n in 3..w.len() {
        let flag = match w.word(n).to_ascii_lowercase().as_str() {
            "nx" => &mut only.nx,
            "xx" => &mut only.xx,
            "gt" => &mut only.gt,
            "lt" => &mut only.lt,
            _ => {
                let text = format!("ERR Unsupported option {}", w.word(n));
                return Err(KvError::other(text.replace(['\r', '\n'], " ")));
            }
        };
        *flag = true;
    }
    let clash = |what: &str| {
        Err(KvError::other(format!("ERR {what} options at the same time are not compatible")))
    };
    if only.nx && (only.xx || only.gt || only.lt) {
        return clash("NX and XX, GT or LT");
    }
    if only.gt && only.lt {
        return clash("GT and LT");
    }
    Ok(only)
}
