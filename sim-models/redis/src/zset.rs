//! Sorted sets: members in the order of their scores, as sliding-window limiters use them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::command::{Bound, Key, ZAddOnly, ZRangeBy};
use super::data::Data;
use super::exec::{Done, Exec};
use super::list::span;
use super::{KvError, Reply};
use crate::value::{TextId, Texts, Value};

/// Members in the order of their scores; equal scores by the members' bytes.
///
/// New members mostly have the highest score and old ones go first: a deque moves few for both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZSet {
    order: VecDeque<(f64, TextId)>,
    scores: BTreeMap<TextId, f64>,
}

/// What became of a member.
enum Added {
    New,
    Changed,
    Same,
    /// An option forbade it.
    Refused,
}

/// What `ZADD … INCR` or plain `ZADD` wants of one member.
#[derive(Clone, Copy)]
enum Wanted {
    Score(f64),
    More(f64),
}

impl ZSet {
    /// The members with their scores, in order.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = (f64, TextId)> {
        self.order.iter().copied()
    }

    fn place(&self, score: f64, member: TextId, texts: &Texts) -> usize {
        let text = texts.text(member);
        self.order.partition_point(|(other, id)| {
            let order = other.partial_cmp(&score).unwrap_or(Ordering::Equal);
            order.then_with(|| texts.text(*id).cmp(text)).is_lt()
        })
    }

    fn insert(&mut self, score: f64, member: TextId, texts: &Texts) {
        // A listpack, in which Redis keeps small sets, has no negative zero.
        let score = score + 0.0;
        self.remove(member, texts);
        self.order.insert(self.place(score, member, texts), (score, member));
        self.scores.insert(member, score);
    }

    fn remove(&mut self, member: TextId, texts: &Texts) -> bool {
        let Some(score) = self.scores.remove(&member) else { return false };
        let place = self.place(score, member, texts);
        self.order.remove(place);
        true
    }

    /// The places of the members with a score in the range.
    fn range(&self, min: Bound, max: Bound) -> Range<usize> {
        let below = |(score, _): &(f64, TextId)| {
            *score < min.score || (min.exclusive && *score == min.score)
        };
        let inside = |(score, _): &(f64, TextId)| {
            *score < max.score || (!max.exclusive && *score == max.score)
        };
        let start = self.order.partition_point(below);
        let end = self.order.partition_point(inside);
        start..end.max(start)
    }

    /// The score afterwards and what became of the member.
    fn add(
        &mut self,
        member: TextId,
        wanted: Wanted,
        only: ZAddOnly,
        texts: &Texts,
    ) -> Result<(f64, Added), KvError> {
        let Some(&old) = self.scores.get(&member) else {
            let (Wanted::Score(score) | Wanted::More(score)) = wanted;
            if only.xx {
                return Ok((score, Added::Refused));
            }
            self.insert(score, member, texts);
            return Ok((score, Added::New));
        };
        if only.nx {
            return Ok((old, Added::Refused));
        }
        let score = match wanted {
            Wanted::Score(score) => score,
            Wanted::More(by) => old + by,
        };
        if score.is_nan() {
            return Err(KvError::ScoreNotANumber);
        }
        if (only.lt && score >= old) || (only.gt && score <= old) {
            return Ok((old, Added::Refused));
        }
        if score == old {
            return Ok((old, Added::Same));
        }
        self.insert(score, member, texts);
        Ok((score, Added::Changed))
    }
}

impl Exec<'_> {
    fn zset(&mut self, key: Key) -> Result<Option<&mut ZSet>, KvError> {
        self.get(key).map(Data::zset).transpose()
    }

    /// Takes a sorted set out of its row, an empty one if there is none, so that texts can be
    /// looked at while it is changed. [`Exec::put_back`] ends this.
    fn take_zset(&mut self, key: Key) -> Result<ZSet, KvError> {
        Ok(self.zset(key)?.map(std::mem::take).unwrap_or_default())
    }

    /// Puts a sorted set back, with what has changed in it; an empty one is no key.
    fn put_back(&mut self, key: Key, zset: ZSet, has_changed: bool) {
        let empty = zset.order.is_empty();
        let row = self.row(key);
        match &mut row.data {
            Some(Data::ZSet(place)) => **place = zset,
            _ if empty => return,
            _ => row.start(Data::ZSet(Box::new(zset))),
        }
        if has_changed {
            self.changed(key);
        }
        if empty {
            self.row(key).vanish();
        }
    }

    pub(super) fn zadd(
        &mut self,
        key: Key,
        only: ZAddOnly,
        count_changed: bool,
        pairs: &[(f64, TextId)],
    ) -> Done {
        let mut zset = self.take_zset(key)?;
        let (mut new, mut changed) = (0, 0);
        for (score, member) in pairs {
            match zset.add(*member, Wanted::Score(*score), only, self.texts) {
                Ok((_, Added::New)) => new += 1,
                Ok((_, Added::Changed)) => changed += 1,
                Ok((_, Added::Same | Added::Refused)) | Err(_) => {}
            }
        }
        self.put_back(key, zset, new + changed > 0);
        Ok(Reply::Int(if count_changed { new + changed } else { new }))
    }

    pub(super) fn zincr_by(&mut self, key: Key, only: ZAddOnly, by: f64, member: TextId) -> Done {
        let mut zset = self.take_zset(key)?;
        let done = zset.add(member, Wanted::More(by), only, self.texts);
        self.put_back(key, zset, matches!(done, Ok((_, Added::New | Added::Changed))));
        Ok(match done? {
            (_, Added::Refused) => Reply::Nil,
            (score, _) => Reply::Value(self.score(score)),
        })
    }

    pub(super) fn zrem(&mut self, key: Key, members: &[TextId]) -> Done {
        let mut zset = self.take_zset(key)?;
        let removed = members.iter().filter(|id| zset.remove(**id, self.texts)).count();
        self.put_back(key, zset, removed > 0);
        Ok(Reply::Int(removed as i64))
    }

    pub(super) fn zscore(&mut self, key: Key, member: TextId) -> Done {
        let score = self.zset(key)?.and_then(|zset| zset.scores.get(&member).copied());
        Ok(score.map_or(Reply::Nil, |score| Reply::Value(self.score(score))))
    }

    pub(super) fn zcard(&mut self, key: Key) -> Done {
        Ok(Reply::Int(self.zset(key)?.map_or(0, |zset| zset.order.len() as i64)))
    }

    pub(super) fn zcount(&mut self, key: Key, min: Bound, max: Bound) -> Done {
        Ok(Reply::Int(self.zset(key)?.map_or(0, |zset| zset.range(min, max).len() as i64)))
    }

    pub(super) fn zrange(
        &mut self,
        key: Key,
        by: ZRangeBy,
        reverse: bool,
        with_scores: bool,
    ) -> Done {
        let Some(zset) = self.zset(key)? else { return Ok(Reply::Array(Vec::new())) };
        let len = zset.order.len();
        let found: Vec<(f64, TextId)> = match by {
            ZRangeBy::Index { start, stop } => {
                let span = span(start, stop, len);
                if reverse {
                    zset.in_order().rev().skip(span.start).take(span.len()).collect()
                } else {
                    zset.order.range(span).copied().collect()
                }
            }
            ZRangeBy::Score { min, max, offset, count } => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let part = zset.order.range(zset.range(min, max)).copied();
                if reverse {
                    part.rev().skip(offset).take(count).collect()
                } else {
                    part.skip(offset).take(count).collect()
                }
            }
        };
        let mut all = Vec::new();
        for (score, member) in found {
            all.push(Reply::Value(Value::Text(member)));
            if with_scores {
                all.push(Reply::Value(self.score(score)));
            }
        }
        Ok(Reply::Array(all))
    }

    pub(super) fn zrem_range(&mut self, key: Key, min: Bound, max: Bound) -> Done {
        let mut zset = self.take_zset(key)?;
        let range = zset.range(min, max);
        let removed = range.len();
        for (_, member) in zset.order.drain(range) {
            zset.scores.remove(&member);
        }
        self.put_back(key, zset, removed > 0);
        Ok(Reply::Int(removed as i64))
    }

    pub(super) fn zrank(&mut self, key: Key, member: TextId, reverse: bool) -> Done {
        if self.zset(key)?.is_none() {
            return Ok(Reply::Nil);
        }
        let row = self.rows.get(key.index());
        let Some(Data::ZSet(zset)) = row.and_then(|row| row.data.as_ref()) else {
            return Ok(Reply::Nil);
        };
        let score = zset.scores.get(&member).copied();
        let place = score.map(|score| zset.place(score, member, self.texts));
        let last = zset.order.len().saturating_sub(1);
        let rank = place.map(|place| if reverse { last - place } else { place });
        Ok(rank.map_or(Reply::Nil, |rank| Reply::Int(rank as i64)))
    }
}
