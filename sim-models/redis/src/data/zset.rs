//! Sorted sets: members in the order of their scores, as sliding-window limiters use them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::list::span;
use crate::number::Bound;
use crate::reply::KvError;
use crate::value::{TextId, Texts};

/// Members in the order of their scores; equal scores by the members' bytes.
///
/// New members mostly have the highest score and old ones go first: a deque moves few for both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZSet {
    order: VecDeque<(f64, TextId)>,
    scores: BTreeMap<TextId, f64>,
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
        /// How many at most; a negative number sets no limit.
        count: i64,
    },
}

/// What happened to a member.
pub(crate) enum Added {
    New,
    Changed,
    Same,
    /// An option forbade it.
    Refused,
}

/// What `ZADD … INCR` or plain `ZADD` wants of one member.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    Score(f64),
    More(f64),
}

impl ZSet {
    /// The members with their scores, in order.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = (f64, TextId)> {
        self.order.iter().copied()
    }

    /// The member's score, if it is in the set.
    pub fn score(&self, member: TextId) -> Option<f64> {
        self.scores.get(&member).copied()
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether it has no member; a sorted set of a key has one at least.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The member's place from 0, if it is in the set.
    pub(crate) fn rank(&self, member: TextId, texts: &Texts) -> Option<usize> {
        self.score(member).map(|score| self.place(score, member, texts))
    }

    /// How many members have a score in the range.
    pub(crate) fn count(&self, min: Bound, max: Bound) -> usize {
        self.range(min, max).len()
    }

    /// The members that are meant, from the lowest or from the highest.
    pub(crate) fn part(&self, by: ZRangeBy, reverse: bool) -> Vec<(f64, TextId)> {
        match by {
            ZRangeBy::Index { start, stop } => {
                let span = span(start, stop, self.len());
                if reverse {
                    self.in_order().rev().skip(span.start).take(span.len()).collect()
                } else {
                    self.order.range(span).copied().collect()
                }
            }
            ZRangeBy::Score { min, max, offset, count } => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let part = self.order.range(self.range(min, max)).copied();
                if reverse {
                    part.rev().skip(offset).take(count).collect()
                } else {
                    part.skip(offset).take(count).collect()
                }
            }
        }
    }

    /// The score afterwards and what happened to the member.
    pub(crate) fn add(
        &mut self,
        member: TextId,
        wanted: Wanted,
        only: ZAddOnly,
        texts: &Texts,
    ) -> Result<(f64, Added), KvError> {
        let Some(old) = self.score(member) else {
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

    /// Whether the member was in the set.
    pub(crate) fn remove(&mut self, member: TextId, texts: &Texts) -> bool {
        let Some(score) = self.scores.remove(&member) else { return false };
        let place = self.place(score, member, texts);
        self.order.remove(place);
        true
    }

    /// Removes the members with a score in the range; returns how many.
    pub(crate) fn remove_range(&mut self, min: Bound, max: Bound) -> usize {
        let range = self.range(min, max);
        let removed = range.len();
        for (_, member) in self.order.drain(range) {
            self.scores.remove(&member);
        }
        removed
    }

    fn insert(&mut self, score: f64, member: TextId, texts: &Texts) {
        // A listpack, in which Redis keeps small sets, has no negative zero.
        let score = score + 0.0;
        self.remove(member, texts);
        self.order.insert(self.place(score, member, texts), (score, member));
        self.scores.insert(member, score);
    }

    fn place(&self, score: f64, member: TextId, texts: &Texts) -> usize {
        let text = texts.text(member);
        self.order.partition_point(|(other, id)| {
            let order = other.partial_cmp(&score).unwrap_or(Ordering::Equal);
            order.then_with(|| texts.text(*id).cmp(text)).is_lt()
        })
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
}
