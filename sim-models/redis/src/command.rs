//! What a client asks of a store, already understood: numbers are numbers, options are fields.
//!
//! [`crate::argv`] makes commands of words, with the errors that Redis has for words that it
//! does not understand. A scenario builds them directly.

use crate::value::{TextId, Value};

/// A key, as an interned text.
pub type Key = TextId;

/// A number that Redis looks at only after it has looked at the key; the error waits till then.
pub type Late<T> = Result<T, super::KvError>;

/// What a client asks of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    // -- Strings.
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
        /// What becomes of its expiry.
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
    /// `STRLEN`: the length in bytes, 0 for no key.
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

    // -- Keys of any type.
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
        /// The key that shall end.
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
    /// `TTL`, `PTTL`, `EXPIRETIME`, `PEXPIRETIME`: -1 for a key without expiry, -2 for no key.
    Ttl {
        /// The key to look at.
        key: Key,
        /// The instant of the deadline instead of the time to it.
        absolute: bool,
        /// In which unit; seconds are rounded, a half upwards.
        unit: Unit,
    },

    // -- Hashes.
    /// `HSET`: the number of fields that are new.
    HSet {
        /// The hash.
        key: Key,
        /// Fields and their values, in order.
        pairs: Vec<(TextId, Value)>,
    },
    /// `HSETNX`: 1 if the field was absent and is now set, else 0.
    HSetNx {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
        /// Its value.
        value: Value,
    },
    /// `HGET`: the field's value or nil.
    HGet {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
    },
    /// `HMGET`: an array with each field's value or nil.
    HMGet {
        /// The hash.
        key: Key,
        /// The fields.
        fields: Vec<TextId>,
    },
    /// `HDEL`: the number of fields removed; an empty hash is no key.
    HDel {
        /// The hash.
        key: Key,
        /// The fields.
        fields: Vec<TextId>,
    },
    /// `HEXISTS`: 1 or 0.
    HExists {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
    },
    /// `HLEN`: the number of fields.
    HLen {
        /// The hash.
        key: Key,
    },
    /// `HINCRBY`: the field's number afterwards.
    HIncrBy {
        /// The hash.
        key: Key,
        /// The field.
        field: TextId,
        /// What is added.
        by: i64,
    },
    /// `HGETALL`, `HKEYS`, `HVALS`: an array in the order in which the fields were first set.
    HGetAll {
        /// The hash.
        key: Key,
        /// Fields, values or both.
        what: HashPart,
    },

    // -- Lists.
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
    LLen {
        /// The list.
        key: Key,
    },
    /// `LRANGE`: an array of the elements from `start` to `stop`, both included; negative ones
    /// count from the end.
    LRange {
        /// The list.
        key: Key,
        /// The first.
        start: i64,
        /// The last.
        stop: i64,
    },
    /// `LINDEX`: the element or nil.
    LIndex {
        /// The list.
        key: Key,
        /// Which; negative ones count from the end.
        index: Late<i64>,
    },
    /// `LSET`: OK, or an error when there is no such element.
    LSet {
        /// The list.
        key: Key,
        /// Which; negative ones count from the end.
        index: Late<i64>,
        /// The new element.
        value: Value,
    },
    /// `LREM`: the number of elements removed.
    LRem {
        /// The list.
        key: Key,
        /// How many at most, from the front; negative from the back; 0 for all.
        count: i64,
        /// Which value.
        value: Value,
    },
    /// `LTRIM`: OK; only the elements from `start` to `stop` stay.
    LTrim {
        /// The list.
        key: Key,
        /// The first.
        start: i64,
        /// The last.
        stop: i64,
    },
    /// `LMOVE`, `RPOPLPUSH`: the element moved, or nil.
    LMove {
        /// Where it is taken from.
        from: Key,
        /// Where it is put.
        to: Key,
        /// Taken from this end.
        from_side: Side,
        /// Put at this end.
        to_side: Side,
    },

    // -- Sorted sets.
    /// `ZADD` without `INCR`: the number of members added; with `changed` also those whose score
    /// changed.
    ZAdd {
        /// The sorted set.
        key: Key,
        /// `NX`, `XX`, `GT`, `LT`.
        only: ZAddOnly,
        /// `CH`.
        changed: bool,
        /// Scores (never NaN) and members, in order.
        pairs: Vec<(f64, TextId)>,
    },
    /// `ZADD … INCR`, `ZINCRBY`: the score afterwards; nil when an option forbids it.
    ZIncrBy {
        /// The sorted set.
        key: Key,
        /// `NX`, `XX`, `GT`, `LT`.
        only: ZAddOnly,
        /// What is added, never NaN.
        by: f64,
        /// The member.
        member: TextId,
    },
    /// `ZREM`: the number of members removed; an empty sorted set is no key.
    ZRem {
        /// The sorted set.
        key: Key,
        /// The members.
        members: Vec<TextId>,
    },
    /// `ZSCORE`: the member's score or nil. A whole score is a [`Value::Int`], any other a text.
    ZScore {
        /// The sorted set.
        key: Key,
        /// The member.
        member: TextId,
    },
    /// `ZCARD`: the number of members.
    ZCard {
        /// The sorted set.
        key: Key,
    },
    /// `ZCOUNT`: the number of members with a score in the range.
    ZCount {
        /// The sorted set.
        key: Key,
        /// The lowest score.
        min: Bound,
        /// The highest score.
        max: Bound,
    },
    /// `ZRANGE`, `ZREVRANGE`, `ZRANGEBYSCORE`, `ZREVRANGEBYSCORE`: an array of members.
    ZRange {
        /// The sorted set.
        key: Key,
        /// Which members.
        by: ZRangeBy,
        /// From the highest to the lowest.
        reverse: bool,
        /// Each member is followed by its score.
        with_scores: bool,
    },
    /// `ZREMRANGEBYSCORE`: the number of members removed.
    ZRemRangeByScore {
        /// The sorted set.
        key: Key,
        /// The lowest score.
        min: Bound,
        /// The highest score.
        max: Bound,
    },
    /// `ZRANK`, `ZREVRANK`: the member's place from 0, or nil.
    ZRank {
        /// The sorted set.
        key: Key,
        /// The member.
        member: TextId,
        /// Counted from the highest.
        reverse: bool,
    },

    // -- The node.
    /// `DBSIZE`: the number of keys, with the expired ones that nobody has touched since.
    DbSize,
    /// `FLUSHALL`, `FLUSHDB`: OK; no key is left.
    FlushAll,
    /// `TIME`: an array of the seconds and the microseconds of the node's clock, as texts.
    Time,
    /// `PING`: PONG, or the message.
    Ping {
        /// What is sent back.
        message: Option<Value>,
    },
    /// `ECHO`: the message.
    Echo {
        /// What is sent back.
        message: Value,
    },

    // -- Scripts, each at one instant.
    /// `@CAD`, by which a lock is released: removes the key if it holds `expected`; 1 or 0.
    CompareAndDelete {
        /// The key to remove.
        key: Key,
        /// The value it must hold, such as the owner's token.
        expected: Value,
    },
    /// `@CAPX`, by which a lock is extended: `PEXPIRE` if the key holds `expected`; 1 or 0.
    CompareAndExpire {
        /// The key that shall end later.
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

/// When a [`Command::Set`] applies.
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

/// When a key that is written shall end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// It stays; an expiry that it had before is dropped.
    #[default]
    Never,
    /// `KEEPTTL`: as before.
    Keep,
    /// `EX`, `PX`: after so many units, from when the command is carried out.
    In(i64, Unit),
    /// `EXAT`, `PXAT`: at this instant of the node's clock.
    At(i64, Unit),
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

/// The unit of an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
}

/// When an `EXPIRE` applies; by default always. A key without expiry counts as one that ends in
/// infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireOnly {
    /// Only to a key without expiry.
    pub nx: bool,
    /// Only to a key with an expiry.
    pub xx: bool,
    /// Only if it ends later than before.
    pub gt: bool,
    /// Only if it ends earlier than before.
    pub lt: bool,
}

/// Which members a `ZADD` may write; by default all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZAddOnly {
    /// Only new members.
    pub nx: bool,
    /// Only members that exist.
    pub xx: bool,
    /// Of those that exist, only to a higher score.
    pub gt: bool,
    /// Of those that exist, only to a lower score.
    pub lt: bool,
}

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The front.
    Left,
    /// The back.
    Right,
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

/// An end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The score; may be infinite, is never NaN.
    pub score: f64,
    /// `(`: the score itself is outside.
    pub exclusive: bool,
}

impl Bound {
    /// `-inf`: no lower end.
    pub const MIN: Bound = Bound { score: f64::NEG_INFINITY, exclusive: false };
    /// `+inf`: no upper end.
    pub const MAX: Bound = Bound { score: f64::INFINITY, exclusive: false };

    /// The score itself is inside.
    pub fn at(score: f64) -> Bound {
        Bound { score, exclusive: false }
    }
}

/// Which members of a sorted set are meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ZRangeBy {
    /// Those from place `start` to place `stop`, both included; negative ones count from the end.
    Index {
        /// The first.
        start: i64,
        /// The last.
        stop: i64,
    },
    /// Those with a score in the range.
    Score {
        /// The lowest score.
        min: Bound,
        /// The highest score.
        max: Bound,
        /// How many are passed over first; a negative number passes over all.
        offset: i64,
        /// How many at most; a negative number is no limit.
        count: i64,
    },
}
