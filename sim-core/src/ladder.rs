//! The ordered structure of the queue: a heap for what is near, buckets for what comes later.
//!
//! ```text
//!   time ─▶  near (heap) │ bucket │ bucket │ … │ bucket │ far (in no order)
//!                     near_end     the rung, evenly wide
//! ```
//!
//! A heap slows down as it outgrows the cache. Here only the keys of one bucket, a handful, are in
//! the heap; a later key is appended to its bucket, and moves once. When the rung is used up, a
//! new one is laid over the nearer half or more of what is far. A few keys need none of this: up
//! to [`HEAP_MAX`] all stay in the heap.
//!
//! This is a ladder queue (Tang, Goh and Thng, TOMACS 2005) with one rung. A bucket that gets
//! many keys makes a larger heap, no more: the worst case is the heap's own.

use crate::heap::Heap;

/// From so many keys on a rung pays for itself.
const HEAP_MAX: usize = 2048;

/// So few keys go back to the heap alone; well below [`HEAP_MAX`], not to go back and forth.
const FAR_MIN: usize = 512;

/// Keys per bucket, measured best: fewer make empty buckets, more a larger heap.
const BUCKET_KEYS: usize = 8;

/// A min-queue of keys whose high half is a time.
#[derive(Debug)]
pub(crate) struct Ladder {
    /// All keys below `near_end`, which is beyond every key while the ladder has no rung.
    near: Heap,
    near_end: u128,
    /// Buckets of `1 << width_log2` nanoseconds each, from `start` on. Those before `next` have
    /// moved to the heap, those from `used` on are spare.
    rung: Vec<Vec<u128>>,
    start: u64,
    width_log2: u32,
    next: usize,
    used: usize,
    /// Keys beyond the rung.
    far: Vec<u128>,
}

fn nanos(key: u128) -> u64 {
    (key >> 64) as u64
}

fn bucket_of(key: u128, start: u64, width_log2: u32) -> usize {
    ((nanos(key) - start) >> width_log2) as usize
}

impl Ladder {
    pub(crate) fn new() -> Ladder {
        Ladder {
            near: Heap::default(),
            near_end: u128::MAX,
            rung: Vec::new(),
            start: 0,
            width_log2: 0,
            next: 0,
            used: 0,
            far: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, key: u128) {
        if key >= self.near_end {
            self.push_later(key);
        } else {
            self.near.push(key);
            if self.near.len() > HEAP_MAX && self.near_end == u128::MAX {
                self.near.drain_into(&mut self.far);
                self.refill();
            }
        }
    }

    /// The least key, which stays.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u128> {
        if self.near.len() == 0 {
            self.refill();
        }
        self.near.peek()
    }

    /// Removes the key that [`peek`](Self::peek) shows.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<u128> {
        self.near.pop()
    }

    /// Keeps only the keys that `keep` accepts, and lays a rung that fits those.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&u128) -> bool) {
        self.near.drain_into(&mut self.far);
        for bucket in &mut self.rung[self.next..self.used] {
            self.far.append(bucket);
        }
        self.next = self.used;
        self.far.retain(keep);
        self.refill();
    }

    /// Keys that there is room for.
    pub(crate) fn capacity(&self) -> usize {
        let rung: usize = self.rung.iter().map(Vec::capacity).sum();
        self.near.capacity() + rung + self.far.capacity()
    }

    #[inline]
    fn push_later(&mut self, key: u128) {
        let bucket = bucket_of(key, self.start, self.width_log2);
        match self.rung[..self.used].get_mut(bucket) {
            Some(keys) => keys.push(key),
            None => self.far.push(key),
        }
    }

    /// Moves the next keys into the empty heap.
    fn refill(&mut self) {
        loop {
            while self.next < self.used {
                let bucket = &mut self.rung[self.next];
                self.next += 1;
                if !bucket.is_empty() {
                    self.near.fill_from(bucket);
                    self.near_end = self.end_of_taken();
                    return;
                }
            }
            if self.far.len() <= FAR_MIN {
                self.near.fill_from(&mut self.far);
                self.near_end = u128::MAX;
                return;
            }
            self.lay_rung();
        }
    }

    /// The least key that the buckets before `next` could not hold.
    fn end_of_taken(&self) -> u128 {
        let end = u128::from(self.start) + ((self.next as u128) << self.width_log2);
        if end > u128::from(u64::MAX) { u128::MAX } else { end << 64 }
    }

    /// Lays the rung from the first of the far keys to at least their median. The median, unlike
    /// the mean or the last, is not led astray by a few timers that are hours away.
    fn lay_rung(&mut self) {
        let middle = self.far.len() / 2;
        let (before, median, _) = self.far.select_nth_unstable(middle);
        let median = nanos(*median);
        self.start = before.iter().map(|&key| nanos(key)).min().unwrap_or(median);
        self.next = 0;
        self.used = self.far.len() / BUCKET_KEYS;
        // Rounding down to a power of two halves the width at most: hence twice the median.
        let width = (median - self.start) / (self.used as u64 / 2);
        self.width_log2 = width.max(1).ilog2();
        if self.rung.len() < self.used {
            self.rung.resize_with(self.used, Vec::new);
        }
        let Ladder { rung, start, width_log2, used, far, .. } = self;
        far.retain(|&key| {
            let bucket = rung[..*used].get_mut(bucket_of(key, *start, *width_log2));
            bucket.map(|keys| keys.push(key)).is_none()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;
    use crate::stream::{Draw, Purpose, Stream, Streams};

    /// Fills to `pending`, holds for a while, drains; checks each key against a binary heap.
    fn agrees(pending: u64, mut after: impl FnMut(&mut Stream) -> u64) {
        let mut draws = Streams::new(5).open(Purpose(0), 0);
        let (mut ladder, mut reference) = (Ladder::new(), BinaryHeap::new());
        let mut now = 0;
        let mut order = 0;
        for round in 0..4 * pending {
            if round < 3 * pending {
                order += 1;
                let time = after(&mut draws).saturating_add(now);
                let key = u128::from(time) << 64 | order;
                ladder.push(key);
                reference.push(Reverse(key));
            }
            if round >= pending {
                let key = ladder.peek();
                assert_eq!(key, ladder.pop());
                assert_eq!(key, reference.pop().map(|Reverse(key)| key));
                now = key.map_or(now, nanos);
            }
        }
        assert_eq!(ladder.peek(), None);
        // While it holds, one key more than `pending` is there.
        assert_eq!(ladder.rung.is_empty(), pending < HEAP_MAX as u64, "a rung when it pays");
    }

    #[test]
    fn keys_come_in_order_whatever_their_spread() {
        for pending in [10, FAR_MIN as u64, HEAP_MAX as u64, 3 * HEAP_MAX as u64] {
            agrees(pending, |_| 0);
            agrees(pending, |_| 7);
            agrees(pending, |draws| draws.below(3));
            agrees(pending, |draws| draws.below(1_000_000));
            agrees(pending, |draws| 1 << draws.below(64));
            agrees(pending, |draws| if draws.chance(0.9) { draws.below(1_000) } else { u64::MAX });
        }
    }

    #[test]
    fn a_sweep_keeps_the_accepted_wherever_they_are() {
        let mut ladder = Ladder::new();
        // Every key goes far, near or into the rung: the spacing doubles every 1000 keys.
        (0..10_000u128).for_each(|n| ladder.push(n << (n / 1_000) << 64));
        ladder.peek();
        ladder.retain(|key| key >> 64 & 1 == 0);
        let kept = std::iter::from_fn(|| ladder.peek().and_then(|_| ladder.pop()));
        let expected = (0..10_000).map(|n| n << (n / 1_000)).filter(|time| time & 1 == 0);
        assert!(kept.map(|key| key >> 64).eq(expected));
    }
}
