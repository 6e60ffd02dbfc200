//! Scripts, each at one instant: compare-and-delete and its kin, and two rate limiters. They are
//! what people send as `EVAL`.

use super::words::{Access, Spelling, access_of, spelled};
use crate::reply::Late;
use crate::value::{Key, TextId, Value};

/// A script, which calls several commands at one instant.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptCommand {
    /// `@CAD`, by which a lock is released: removes the key if it holds `expected`; 1 or 0.
    CompareAndDelete {
        /// The key to remove.
        key: Key,
        /// The value it must hold, such as the owner's token.
        expected: Value,
    },
    /// `@CAPX`, by which a lock is extended: `PEXPIRE` if the key holds `expected`; 1 or 0.
    CompareAndExpire {
        /// The key that ends later.
        key: Key,
        /// The value it must hold.
        expected: Value,
        /// In how many milliseconds it ends; not above 0 removes it, which still answers 1.
        px: Late<i64>,
    },
    /// `@CASPX`: `SET … PX` if the key holds `expected`; 1 or 0.
    CompareAndSet {
        /// The key to write.
        key: Key,
        /// The value it must hold.
        expected: Value,
        /// Its new value.
        value: Value,
        /// In how many milliseconds it ends.
        px: Late<i64>,
    },
    /// `@SWIN`, a sliding-window limiter: forgets what is older than the window, then admits the
    /// member if fewer than `limit` are left; 1 or 0.
    SlidingWindow {
        /// The sorted set of those admitted.
        key: Key,
        /// The caller's clock: the score of the member.
        now: i64,
        /// The window's length in milliseconds.
        window: i64,
        /// How many a window admits.
        limit: i64,
        /// Who asks.
        member: TextId,
    },
    /// `@FWIN`, a fixed-window limiter: `INCR`, and the first one starts the window; the count.
    FixedWindow {
        /// The counter.
        key: Key,
        /// The window's length in milliseconds.
        window: Late<i64>,
    },
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<ScriptCommand>] = {
    use Access::Script;
    use ScriptCommand as C;
    &[
        spelled("@cad", 3, Script, |w| {
            Ok(C::CompareAndDelete { key: w.key(), expected: w.value(2) })
        }),
        spelled("@capx", 4, Script, |w| {
            Ok(C::CompareAndExpire { key: w.key(), expected: w.value(2), px: w.int(3) })
        }),
        spelled("@caspx", 5, Script, |w| {
            let (expected, value) = (w.value(2), w.value(3));
            Ok(C::CompareAndSet { key: w.key(), expected, value, px: w.int(4) })
        }),
        spelled("@swin", 6, Script, |w| {
            let [now, window, limit] = [w.int(2)?, w.int(3)?, w.int(4)?];
            Ok(C::SlidingWindow { key: w.key(), now, window, limit, member: w.text(5) })
        }),
        spelled("@fwin", 3, Script, |w| Ok(C::FixedWindow { key: w.key(), window: w.int(2) })),
    ]
};

impl ScriptCommand {
    pub(crate) fn access(&self) -> Access {
        use ScriptCommand as C;
        match self {
            C::CompareAndDelete { .. } => const { access_of(TABLE, "@cad") },
            C::CompareAndExpire { .. } => const { access_of(TABLE, "@capx") },
            C::CompareAndSet { .. } => const { access_of(TABLE, "@caspx") },
            C::SlidingWindow { .. } => const { access_of(TABLE, "@swin") },
            C::FixedWindow { .. } => const { access_of(TABLE, "@fwin") },
        }
    }
}
