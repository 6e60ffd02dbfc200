//! Scripts, each at one instant: compare-and-delete and its kin, and two rate limiters. They are
//! what people send as `EVAL`, and an error inside ends as it does there: with the script's SHA-1 and
//! the line, which is always the first.

use super::words::{Access, Spelling, access_of, spelled};
use crate::reply::{KvError, Late};
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
        limit: Late<i64>,
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

/// A script as it is sent.
#[derive(Debug)]
pub struct Source {
    /// Its name here, in lower case.
    pub name: &'static str,
    /// Its text in Lua, one line.
    pub lua: &'static str,
    /// The SHA-1 of that text, by which Redis names it.
    pub sha1: &'static str,
}

/// `@cad`.
const COMPARE_AND_DELETE: Source = Source {
    name: "@cad",
    lua: "if redis.call('GET',KEYS[1])==ARGV[1] then \
          return redis.call('DEL',KEYS[1]) end return 0",
    sha1: "5c714dd8ed5b943a1f472132e06290c53ab22693",
};

/// `@capx`.
const COMPARE_AND_EXPIRE: Source = Source {
    name: "@capx",
    lua: "if redis.call('GET',KEYS[1])==ARGV[1] then \
          return redis.call('PEXPIRE',KEYS[1],ARGV[2]) end return 0",
    sha1: "68acc660facaa8309b44ff34c73caa7e7a12688a",
};

/// `@caspx`.
const COMPARE_AND_SET: Source = Source {
    name: "@caspx",
    lua: "if redis.call('GET',KEYS[1])==ARGV[1] then \
          redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1 end return 0",
    sha1: "0373f3cd13620d9ad15a482d5951b5608b6caa3e",
};

/// `@swin`.
const SLIDING_WINDOW: Source = Source {
    name: "@swin",
    lua: "redis.call('ZREMRANGEBYSCORE',KEYS[1],'-inf',tonumber(ARGV[1])-tonumber(ARGV[2])) \
          if redis.call('ZCARD',KEYS[1])<tonumber(ARGV[3]) then \
          redis.call('ZADD',KEYS[1],ARGV[1],ARGV[4]) \
          redis.call('PEXPIRE',KEYS[1],ARGV[2]) return 1 end return 0",
    sha1: "a51e03337feaca7a6ca01a39d69f59a34436f714",
};

/// `@fwin`.
const FIXED_WINDOW: Source = Source {
    name: "@fwin",
    lua: "local n=redis.call('INCR',KEYS[1]) \
          if n==1 then redis.call('PEXPIRE',KEYS[1],ARGV[1]) end return n",
    sha1: "f41a5c7873f0aec41d73ed06551261bdd296c7c3",
};

impl KvError {
    /// The same, met inside of a script.
    pub(crate) fn in_script(self, source: &Source) -> KvError {
        match self {
            error @ KvError::InScript(..) => error,
            error => KvError::InScript(Box::new(error), source.sha1),
        }
    }
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
            let source = &SLIDING_WINDOW;
            let nil = |what| KvError::other(format!("ERR user_script:1: attempt to {what}"));
            let number = |n| {
                let arithmetic = nil("perform arithmetic on a nil value");
                w.int(n).map_err(|_| arithmetic.in_script(source))
            };
            let (now, window) = (number(2)?, number(3)?);
            let limit = w.int(4).map_err(|_| nil("compare number with nil"));
            Ok(C::SlidingWindow { key: w.key(), now, window, limit, member: w.text(5) })
        }),
        spelled("@fwin", 3, Script, |w| Ok(C::FixedWindow { key: w.key(), window: w.int(2) })),
    ]
};

impl ScriptCommand {
    /// All scripts as they are sent.
    pub const SOURCES: [&'static Source; 5] = [
        &COMPARE_AND_DELETE,
        &COMPARE_AND_EXPIRE,
        &COMPARE_AND_SET,
        &SLIDING_WINDOW,
        &FIXED_WINDOW,
    ];

    /// The script as it is sent.
    pub const fn source(&self) -> &'static Source {
        use ScriptCommand as C;
        match self {
            C::CompareAndDelete { .. } => &COMPARE_AND_DELETE,
            C::CompareAndExpire { .. } => &COMPARE_AND_EXPIRE,
            C::CompareAndSet { .. } => &COMPARE_AND_SET,
            C::SlidingWindow { .. } => &SLIDING_WINDOW,
            C::FixedWindow { .. } => &FIXED_WINDOW,
        }
    }

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
