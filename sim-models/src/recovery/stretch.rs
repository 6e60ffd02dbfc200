//! A stretch of slots that slides along a pulse.

use std::ops::Range;

use sim_core::Span;

use super::pulse::{self, Slot};

/// What happened in some neighbouring slots.
pub(super) struct Stretch<'a> {
    slots: &'a [Slot],
    pub range: Range<usize>,
    pub offered: u64,
    pub returning: u64,
    pub goodput: u64,
    pub missed: u64,
    /// By bucket.
    latencies: Vec<u32>,
    samples: u64,
}

impl<'a> Stretch<'a> {
    /// The first `length` slots from `start` on; `None` when there are not so many.
    pub(super) fn new(slots: &'a [Slot], start: usize, length: usize) -> Option<Stretch<'a>> {
        let range = start..start.checked_add(length)?;
        let first = slots.get(range.clone())?;
        let mut stretch = Stretch {
            slots,
            range,
            offered: 0,
            returning: 0,
            goodput: 0,
            missed: 0,
            latencies: vec![0; pulse::BUCKETS],
            samples: 0,
        };
        first.iter().for_each(|slot| stretch.enter(slot));
        Some(stretch)
    }

    /// Goes on by one slot; false at the end.
    pub(super) fn slide(&mut self) -> bool {
        let Some(next) = self.slots.get(self.range.end) else { return false };
        self.enter(next);
        self.leave(&self.slots[self.range.start]);
        self.range = self.range.start + 1..self.range.end + 1;
        true
    }

    fn enter(&mut self, slot: &Slot) {
        self.offered += u64::from(slot.offered);
        self.returning += u64::from(slot.returning);
        self.goodput += u64::from(slot.goodput);
        self.missed += u64::from(slot.missed);
        for &(bucket, count) in &slot.latencies {
            self.latencies[usize::from(bucket)] += count;
            self.samples += u64::from(count);
        }
    }

    fn leave(&mut self, slot: &Slot) {
        self.offered -= u64::from(slot.offered);
        self.returning -= u64::from(slot.returning);
        self.goodput -= u64::from(slot.goodput);
        self.missed -= u64::from(slot.missed);
        for &(bucket, count) in &slot.latencies {
            self.latencies[usize::from(bucket)] -= count;
            self.samples -= u64::from(count);
        }
    }

    /// Intents that have waited for an answer for too long at its end.
    pub(super) fn unanswered(&self) -> u64 {
        let last = self.range.end.checked_sub(1).and_then(|last| self.slots.get(last));
        last.map_or(0, |slot| u64::try_from(slot.unanswered).unwrap_or(0))
    }

    /// Submissions that succeeded.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// Those of them that took longer, within 1 %.
    pub(super) fn slower_than(&self, bound: Span) -> u64 {
        let slower = usize::from(pulse::bucket(bound)) + 1;
        self.latencies[slower.min(pulse::BUCKETS)..].iter().map(|count| u64::from(*count)).sum()
    }

    /// The latency that so many in a hundred do not exceed, within 1 %.
    pub(super) fn percentile(&self, hundredths: u64) -> Option<Span> {
        let rank = (self.samples * hundredths).div_ceil(100).max(1);
        let mut seen = 0;
        let reaches = |count: &u32| {
            seen += u64::from(*count);
            seen >= rank
        };
        self.latencies.iter().position(reaches).map(pulse::latency)
    }
}
