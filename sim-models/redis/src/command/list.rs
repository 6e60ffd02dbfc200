//! Commands on lists.

use super::words::{Access, Spelling, Words, access_of, spelled};
use crate::data::list::Side;
use crate::reply::{KvError, Late};
use crate::value::{Key, Value};

/// A command on lists.
#[derive(Clone, Debug, PartialEq)]
pub enum ListCommand {
    /// `LPUSH`, `RPUSH`, `LPUSHX`, `RPUSHX`: the length afterwards.
    Push {
        /// The list.
        key: Key,
        /// At which end.
        side: Side,
        /// `…X`: only if the list exists.
        only_existing: bool,
        /// The elements, pushed one after the other.
        values: Vec<Value>,
    },
    /// `LPOP`, `RPOP`: the element or nil; with a count an array.
    Pop {
        /// The list.
        key: Key,
        /// At which end.
        side: Side,
        /// How many at most.
        count: Option<u64>,
    },
    /// `LLEN`: the length.
    Len {
        /// The list.
        key: Key,
    },
    /// `LRANGE`: an array of the elements from `start` to `stop`, both included; negative ones
    /// count from the end.
    Range {
        /// The list.
        key: Key,
        /// The first.
        start: i64,
        /// The last.
        stop: i64,
    },
    /// `LINDEX`: the element or nil.
    Index {
        /// The list.
        key: Key,
        /// Which; negative ones count from the end.
        index: Late<i64>,
    },
    /// `LSET`: OK, or an error when the list has no such element.
    Set {
        /// The list.
        key: Key,
        /// Which; negative ones count from the end.
        index: Late<i64>,
        /// The new element.
        value: Value,
    },
    /// `LREM`: the number of elements removed.
    Rem {
        /// The list.
        key: Key,
        /// How many at most, from the front; negative from the back; 0 for all.
        count: i64,
        /// Which value.
        value: Value,
    },
    /// `LTRIM`: OK; only the elements from `start` to `stop` stay.
    Trim {
        /// The list.
        key: Key,
        /// The first.
        start: i64,
        /// The last.
        stop: i64,
    },
    /// `LMOVE`, `RPOPLPUSH`: the element moved, or nil.
    Move {
        /// Where it is taken from.
        from: Key,
        /// Where it is put.
        to: Key,
        /// Taken from this end.
        from_side: Side,
        /// Put at this end.
        to_side: Side,
    },
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<ListCommand>] = {
    use Access::{Grow, Read, Write};
    use ListCommand as C;
    use Side::{Left, Right};
    &[
        spelled("lpush", -3, Grow, |w| push(w, Left, false)),
        spelled("rpush", -3, Grow, |w| push(w, Right, false)),
        spelled("lpushx", -3, Grow, |w| push(w, Left, true)),
        spelled("rpushx", -3, Grow, |w| push(w, Right, true)),
        spelled("lpop", -2, Write, |w| pop(w, Left)),
        spelled("rpop", -2, Write, |w| pop(w, Right)),
        spelled("llen", 2, Read, |w| Ok(C::Len { key: w.key() })),
        spelled("lrange", 4, Read, |w| {
            Ok(C::Range { key: w.key(), start: w.int(2)?, stop: w.int(3)? })
        }),
        spelled("lindex", 3, Read, |w| Ok(C::Index { key: w.key(), index: w.int(2) })),
        spelled("lset", 4, Grow, |w| {
            Ok(C::Set { key: w.key(), index: w.int(2), value: w.value(3) })
        }),
        spelled("lrem", 4, Write, |w| {
            Ok(C::Rem { key: w.key(), count: w.int(2)?, value: w.value(3) })
        }),
        spelled("ltrim", 4, Write, |w| {
            Ok(C::Trim { key: w.key(), start: w.int(2)?, stop: w.int(3)? })
        }),
        spelled("lmove", 5, Grow, |w| {
            let (from_side, to_side) = (side(w, 3)?, side(w, 4)?);
            Ok(C::Move { from: w.key(), to: w.text(2), from_side, to_side })
        }),
        spelled("rpoplpush", 3, Grow, |w| {
            Ok(C::Move { from: w.key(), to: w.text(2), from_side: Right, to_side: Left })
        }),
    ]
};

impl ListCommand {
    pub(crate) fn access(&self) -> Access {
        use ListCommand as C;
        match self {
            C::Push { .. } => const { access_of(TABLE, "lpush") },
            C::Pop { .. } => const { access_of(TABLE, "lpop") },
            C::Len { .. } => const { access_of(TABLE, "llen") },
            C::Range { .. } => const { access_of(TABLE, "lrange") },
            C::Index { .. } => const { access_of(TABLE, "lindex") },
            C::Set { .. } => const { access_of(TABLE, "lset") },
            C::Rem { .. } => const { access_of(TABLE, "lrem") },
            C::Trim { .. } => const { access_of(TABLE, "ltrim") },
            C::Move { .. } => const { access_of(TABLE, "lmove") },
        }
    }
}

type Parsed = Result<ListCommand, KvError>;

fn push(w: &mut Words<'_, '_>, side: Side, only_existing: bool) -> Parsed {
    Ok(ListCommand::Push { key: w.key(), side, only_existing, values: w.values(2) })
}

fn pop(w: &mut Words<'_, '_>, side: Side) -> Parsed {
    let count = match w.len() {
        2 => None,
        3 => Some(w.count(2)?),
        _ => return Err(w.wrong_arity()),
    };
    Ok(ListCommand::Pop { key: w.key(), side, count })
}

fn side(w: &Words<'_, '_>, n: usize) -> Result<Side, KvError> {
    match () {
        () if w.is(n, "left") => Ok(Side::Left),
        () if w.is(n, "right") => Ok(Side::Right),
        () => Err(KvError::Syntax),
    }
}
