//! Commands on sorted sets.

use super::words::{Access, Spelling, Words, access_of, spelled};
use crate::data::zset::{ZAddOnly, ZRangeBy};
use crate::number::Bound;
use crate::reply::KvError;
use crate::value::{Key, TextId};

/// A command on sorted sets.
#[derive(Clone, Debug, PartialEq)]
pub enum ZSetCommand {
    /// `ZADD` without `INCR`: the number of members added; with `changed` also those whose score
    /// changed.
    Add {
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
    IncrBy {
        /// The sorted set.
        key: Key,
        /// `NX`, `XX`, `GT`, `LT`.
        only: ZAddOnly,
        /// What is added, never NaN.
        by: f64,
        /// The member.
        member: TextId,
    },
    /// `ZREM`: the number of members removed; the key goes with the last one.
    Rem {
        /// The sorted set.
        key: Key,
        /// The members.
        members: Vec<TextId>,
    },
    /// `ZSCORE`: the member's score or nil. A whole score is a number, any other a text.
    Score {
        /// The sorted set.
        key: Key,
        /// The member.
        member: TextId,
    },
    /// `ZCARD`: the number of members.
    Card {
        /// The sorted set.
        key: Key,
    },
    /// `ZCOUNT`: the number of members with a score in the range.
    Count {
        /// The sorted set.
        key: Key,
        /// The lowest score.
        min: Bound,
        /// The highest score.
        max: Bound,
    },
    /// `ZRANGE`, `ZREVRANGE`, `ZRANGEBYSCORE`, `ZREVRANGEBYSCORE`: an array of members.
    Range {
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
    RemRangeByScore {
        /// The sorted set.
        key: Key,
        /// The lowest score.
        min: Bound,
        /// The highest score.
        max: Bound,
    },
    /// `ZRANK`, `ZREVRANK`: the member's place from 0, or nil.
    Rank {
        /// The sorted set.
        key: Key,
        /// The member.
        member: TextId,
        /// Counted from the highest.
        reverse: bool,
    },
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<ZSetCommand>] = {
    use Access::{Grow, Read, Write};
    use ZSetCommand as C;
    &[
        spelled("zadd", -4, Grow, |w| zadd(w, false)),
        // A `ZADD … INCR`, which takes a word that is an option for one.
        spelled("zincrby", 4, Grow, |w| zadd(w, true)),
        spelled("zrem", -3, Write, |w| Ok(C::Rem { key: w.key(), members: w.texts(2) })),
        spelled("zscore", 3, Read, |w| Ok(C::Score { key: w.key(), member: w.text(2) })),
        spelled("zcard", 2, Read, |w| Ok(C::Card { key: w.key() })),
        spelled("zcount", 4, Read, |w| {
            let (min, max) = w.bounds(2, 3)?;
            Ok(C::Count { key: w.key(), min, max })
        }),
        spelled("zrange", -4, Read, |w| zrange(w, true, false, false)),
        spelled("zrevrange", -4, Read, |w| zrange(w, false, true, false)),
        spelled("zrangebyscore", -4, Read, |w| zrange(w, false, false, true)),
        spelled("zrevrangebyscore", -4, Read, |w| zrange(w, false, true, true)),
        spelled("zremrangebyscore", 4, Write, |w| {
            let (min, max) = w.bounds(2, 3)?;
            Ok(C::RemRangeByScore { key: w.key(), min, max })
        }),
        spelled("zrank", 3, Read, |w| {
            Ok(C::Rank { key: w.key(), member: w.text(2), reverse: false })
        }),
        spelled("zrevrank", 3, Read, |w| {
            Ok(C::Rank { key: w.key(), member: w.text(2), reverse: true })
        }),
    ]
};

impl ZSetCommand {
    pub(crate) fn access(&self) -> Access {
        use ZSetCommand as C;
        match self {
            C::Add { .. } => const { access_of(TABLE, "zadd") },
            C::IncrBy { .. } => const { access_of(TABLE, "zincrby") },
            C::Rem { .. } => const { access_of(TABLE, "zrem") },
            C::Score { .. } => const { access_of(TABLE, "zscore") },
            C::Card { .. } => const { access_of(TABLE, "zcard") },
            C::Count { .. } => const { access_of(TABLE, "zcount") },
            C::Range { .. } => const { access_of(TABLE, "zrange") },
            C::RemRangeByScore { .. } => const { access_of(TABLE, "zremrangebyscore") },
            C::Rank { .. } => const { access_of(TABLE, "zrank") },
        }
    }
}

type Parsed = Result<ZSetCommand, KvError>;

fn zadd(w: &mut Words<'_, '_>, mut incr: bool) -> Parsed {
    let (mut only, mut changed) = (ZAddOnly::default(), false);
    let mut n = 2;
    loop {
        match () {
            () if w.is(n, "nx") => only.nx = true,
            () if w.is(n, "xx") => only.xx = true,
            () if w.is(n, "gt") => only.gt = true,
            () if w.is(n, "lt") => only.lt = true,
            () if w.is(n, "ch") => changed = true,
            () if w.is(n, "incr") => incr = true,
            () => break,
        }
        n += 1;
    }
    let left = w.len() - n;
    if left == 0 || !left.is_multiple_of(2) {
        return Err(KvError::Syntax);
    }
    let clash = |text: &str| Err(KvError::other(text));
    if only.nx && only.xx {
        return clash("ERR XX and NX options at the same time are not compatible");
    }
    if (only.gt && (only.nx || only.lt)) || (only.lt && only.nx) {
        return clash("ERR GT, LT, and/or NX options at the same time are not compatible");
    }
    if incr && left > 2 {
        return clash("ERR INCR option supports a single increment-element pair");
    }
    let mut pairs = Vec::with_capacity(left / 2);
    for n in (n..w.len()).step_by(2) {
        pairs.push((w.score(n)?, w.text(n + 1)));
    }
    let key = w.key();
    Ok(match (incr, pairs.as_slice()) {
        (true, &[(by, member)]) => ZSetCommand::IncrBy { key, only, by, member },
        _ => ZSetCommand::Add { key, only, changed, pairs },
    })
}

/// Only the `plain` name takes `REV` and `BYSCORE` as options.
fn zrange(w: &mut Words<'_, '_>, plain: bool, mut reverse: bool, mut by_score: bool) -> Parsed {
    let (mut limit, mut with_scores) = ((0, -1), false);
    let mut n = 4;
    while n < w.len() {
        if w.is(n, "withscores") {
            with_scores = true;
        } else if w.is(n, "limit") && n + 2 < w.len() {
            limit = (w.int(n + 1)?, w.int(n + 2)?);
            n += 2;
        } else if plain && !reverse && w.is(n, "rev") {
            reverse = true;
        } else if plain && !by_score && w.is(n, "byscore") {
            by_score = true;
        } else {
            return Err(KvError::Syntax);
        }
        n += 1;
    }
    if limit.1 != -1 && !by_score {
        return Err(KvError::other(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    let by = if by_score {
        let (low, high) = if reverse { (3, 2) } else { (2, 3) };
        let (min, max) = w.bounds(low, high)?;
        let (offset, count) = limit;
        ZRangeBy::Score { min, max, offset, count }
    } else {
        ZRangeBy::Index { start: w.int(2)?, stop: w.int(3)? }
    };
    Ok(ZSetCommand::Range { key: w.key(), by, reverse, with_scores })
}
