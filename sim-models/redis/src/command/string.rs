//! Commands on strings: plain values, counters, and the writes with conditions by which locks are
//! taken.

use super::words::{Access, Spelling, Words, access_of, spelled};
use crate::expiry::{Expiry, Unit};
use crate::reply::{KvError, Late};
use crate::value::{Key, Value};

/// A command on strings.
#[derive(Clone, Debug, PartialEq)]
pub enum StringCommand {
    /// `GET`: the value, or nil.
    Get {
        /// The key to read.
        key: Key,
    },
    /// `SET` with all its options: OK; nil when the condition fails; with `get` the old value.
    Set {
        /// The key to write.
        key: Key,
        /// Its new value.
        value: Value,
        /// Whether the key must be absent or present.
        condition: Condition,
        /// `GET`: answer with the old value.
        get: bool,
        /// When the key ends.
        expiry: Expiry,
    },
    /// `SETNX`: 1 if the key was absent and is now set, else 0.
    SetNx {
        /// The key to write.
        key: Key,
        /// Its value.
        value: Value,
    },
    /// `SETEX`, `PSETEX`: OK. The expiry is [`Expiry::In`].
    SetEx {
        /// The key to write.
        key: Key,
        /// Its new value.
        value: Value,
        /// When the key ends.
        expiry: Expiry,
        /// Which of the two it is, for the error.
        name: &'static str,
    },
    /// `GETSET`: the old value or nil; the key has the new one and no expiry.
    GetSet {
        /// The key to write.
        key: Key,
        /// Its new value.
        value: Value,
    },
    /// `GETDEL`: the value or nil; the key is removed.
    GetDel {
        /// The key to remove.
        key: Key,
    },
    /// `GETEX`: the value or nil; its expiry is changed.
    GetEx {
        /// The key to read.
        key: Key,
        /// What happens to its expiry.
        change: Late<ExpiryChange>,
    },
    /// `MGET`: an array with each key's value; nil for what is absent or no string.
    MGet {
        /// The keys to read.
        keys: Vec<Key>,
    },
    /// `MSET`: OK.
    MSet {
        /// Keys and their values, in order.
        pairs: Vec<(Key, Value)>,
    },
    /// `MSETNX`: 1, or 0 and nothing is set when one of the keys exists.
    MSetNx {
        /// Keys and their values, in order.
        pairs: Vec<(Key, Value)>,
    },
    /// `APPEND`: the length in bytes afterwards.
    Append {
        /// The key to write.
        key: Key,
        /// What is put behind its value.
        value: Value,
    },
    /// `STRLEN`: the length in bytes, 0 for an absent key.
    StrLen {
        /// The key to look at.
        key: Key,
    },
    /// `INCR`, `DECR`, `INCRBY`, `DECRBY`: the number afterwards; an absent key counts as 0 and an
    /// expiry is kept.
    IncrBy {
        /// The key to count in.
        key: Key,
        /// What is added.
        by: i64,
    },
}

/// When a [`StringCommand::Set`] applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// In any case.
    #[default]
    Always,
    /// `NX`: only when the key does not exist.
    IfAbsent,
    /// `XX`: only when the key exists.
    IfPresent,
}

/// What `GETEX` does with an expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpiryChange {
    /// Nothing.
    #[default]
    Nothing,
    /// `PERSIST`.
    Persist,
    /// Another one: [`Expiry::In`] or [`Expiry::At`].
    To(Expiry),
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<StringCommand>] = {
    use Access::{Grow, Read, Write};
    use StringCommand as C;
    &[
        spelled("get", 2, Read, |w| Ok(C::Get { key: w.key() })),
        spelled("set", -3, Grow, set),
        spelled("setnx", 3, Grow, |w| Ok(C::SetNx { key: w.key(), value: w.value(2) })),
        spelled("setex", 4, Grow, |w| set_ex(w, Unit::Seconds)),
        spelled("psetex", 4, Grow, |w| set_ex(w, Unit::Millis)),
        spelled("getset", 3, Grow, |w| Ok(C::GetSet { key: w.key(), value: w.value(2) })),
        spelled("getdel", 2, Write, |w| Ok(C::GetDel { key: w.key() })),
        spelled("getex", -2, Write, get_ex),
        spelled("mget", -2, Read, |w| Ok(C::MGet { keys: w.texts(1) })),
        spelled("mset", -3, Grow, |w| Ok(C::MSet { pairs: w.pairs(1)? })),
        spelled("msetnx", -3, Grow, |w| Ok(C::MSetNx { pairs: w.pairs(1)? })),
        spelled("append", 3, Grow, |w| Ok(C::Append { key: w.key(), value: w.value(2) })),
        spelled("strlen", 2, Read, |w| Ok(C::StrLen { key: w.key() })),
        spelled("incr", 2, Grow, |w| Ok(C::IncrBy { key: w.key(), by: 1 })),
        spelled("decr", 2, Grow, |w| Ok(C::IncrBy { key: w.key(), by: -1 })),
        spelled("incrby", 3, Grow, |w| Ok(C::IncrBy { key: w.key(), by: w.int(2)? })),
        spelled("decrby", 3, Grow, |w| {
            let by = w.int(2)?.checked_neg().ok_or(KvError::DecrementOverflow)?;
            Ok(C::IncrBy { key: w.key(), by })
        }),
    ]
};

impl StringCommand {
    pub(crate) fn access(&self) -> Access {
        use StringCommand as C;
        match self {
            C::Get { .. } => const { access_of(TABLE, "get") },
            C::Set { .. } => const { access_of(TABLE, "set") },
            C::SetNx { .. } => const { access_of(TABLE, "setnx") },
            C::SetEx { .. } => const { access_of(TABLE, "setex") },
            C::GetSet { .. } => const { access_of(TABLE, "getset") },
            C::GetDel { .. } => const { access_of(TABLE, "getdel") },
            C::GetEx { .. } => const { access_of(TABLE, "getex") },
            C::MGet { .. } => const { access_of(TABLE, "mget") },
            C::MSet { .. } => const { access_of(TABLE, "mset") },
            C::MSetNx { .. } => const { access_of(TABLE, "msetnx") },
            C::Append { .. } => const { access_of(TABLE, "append") },
            C::StrLen { .. } => const { access_of(TABLE, "strlen") },
            C::IncrBy { .. } => const { access_of(TABLE, "incrby") },
        }
    }
}

type Parsed = Result<StringCommand, KvError>;

fn set_ex(w: &mut Words<'_, '_>, unit: Unit) -> Parsed {
    let expiry = Expiry::In(w.int(2)?, unit);
    Ok(StringCommand::SetEx { key: w.key(), value: w.value(3), expiry, name: w.name })
}

/// An option that says when a key ends.
struct TimeOption {
    name: &'static str,
    expiry: Late<Expiry>,
}

/// `EX n`, `PX n`, `EXAT n`, `PXAT n` at a place, after the same one or none: an option may be
/// repeated, and the last counts. What stands for the number may be a text.
fn time_option(w: &Words<'_, '_>, n: usize, before: Option<&TimeOption>) -> Option<TimeOption> {
    // The last word cannot be an option that takes a number.
    if n + 1 >= w.len() {
        return None;
    }
    let name = ["ex", "px", "exat", "pxat"].into_iter().find(|name| w.is(n, name))?;
    if before.is_some_and(|before| before.name != name) {
        return None;
    }
    let unit = if name.starts_with('p') { Unit::Millis } else { Unit::Seconds };
    let relative = !name.ends_with("at");
    let expiry = |n| if relative { Expiry::In(n, unit) } else { Expiry::At(n, unit) };
    Some(TimeOption { name, expiry: w.int(n + 1).map(expiry) })
}

fn set(w: &mut Words<'_, '_>) -> Parsed {
    let (key, value) = (w.key(), w.value(2));
    let (mut condition, mut get, mut keep) = (Condition::Always, false, false);
    let mut expiry: Option<TimeOption> = None;
    let mut n = 3;
    while n < w.len() {
        if w.is(n, "nx") && condition != Condition::IfPresent {
            condition = Condition::IfAbsent;
        } else if w.is(n, "xx") && condition != Condition::IfAbsent {
            condition = Condition::IfPresent;
        } else if w.is(n, "get") {
            get = true;
        } else if w.is(n, "keepttl") && expiry.is_none() {
            keep = true;
        } else if let Some(found) = time_option(w, n, expiry.as_ref())
            && !keep
        {
            expiry = Some(found);
            n += 1;
        } else {
            return Err(KvError::Syntax);
        }
        n += 1;
    }
    let otherwise = if keep { Expiry::Keep } else { Expiry::Never };
    let expiry = expiry.map_or(Ok(otherwise), |option| option.expiry)?;
    Ok(StringCommand::Set { key, value, condition, get, expiry })
}

fn get_ex(w: &mut Words<'_, '_>) -> Parsed {
    let (mut persist, mut expiry): (bool, Option<TimeOption>) = (false, None);
    let mut n = 2;
    while n < w.len() {
        if w.is(n, "persist") && expiry.is_none() {
            persist = true;
        } else if let Some(found) = time_option(w, n, expiry.as_ref())
            && !persist
        {
            expiry = Some(found);
            n += 1;
        } else {
            return Err(KvError::Syntax);
        }
        n += 1;
    }
    let change = match expiry {
        Some(option) => option.expiry.map(ExpiryChange::To),
        None if persist => Ok(ExpiryChange::Persist),
        None => Ok(ExpiryChange::Nothing),
    };
    Ok(StringCommand::GetEx { key: w.key(), change })
}
