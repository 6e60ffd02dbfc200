//! A percentile of recent latencies in bounded memory.
//!
//! ```text
//! buckets  one per latency below 32 ns, then 32 per doubling, up to 9.7 hours
//! window   the samples since the last turn and the full window before: window to 2 * window
//! cursor   the bucket that holds the percentile; a sample moves it by a step or two
//! ```
//!
//! The estimate is the upper end of the bucket that holds the percentile by nearest rank: never
//! below the true one, and above it by a 32nd at most.

use sim_core::Span;

/// Buckets per doubling.
const PER_DOUBLING: u64 = 32;
/// 32 below 2⁵, and as many for each of the doublings from 2⁵ to 2⁴⁵.
const BUCKETS: usize = 32 * 41;
/// Longer latencies count as this.
const LONGEST: u64 = (1 << 45) - 1;
const WORDS: usize = BUCKETS.div_ceil(64);

/// Estimates one percentile of the latencies that it gets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Latencies {
    /// 0 to 1.
    share: f64,
    window: u32,
    /// Samples of this window and the one before, by bucket.
    counts: Vec<u32>,
    total: u64,
    /// Samples of this window alone.
    recent: Vec<u32>,
    recent_total: u32,
    /// A bit for each bucket that is not empty.
    occupied: Vec<u64>,
    cursor: usize,
    /// Samples in buckets below the cursor.
    below: u64,
}

impl Latencies {
    /// No samples yet. `percent` lies in 0..=100, `window` is above zero.
    pub(super) fn new(percent: f64, window: u32) -> Latencies {
        Latencies {
            share: percent / 100.0,
            window,
            counts: vec![0; BUCKETS],
            total: 0,
            recent: vec![0; BUCKETS],
            recent_total: 0,
            occupied: vec![0; WORDS],
            cursor: 0,
            below: 0,
        }
    }

    /// Takes a sample in.
    pub(super) fn observe(&mut self, latency: Span) {
        if self.recent_total == self.window {
            self.turn();
        }
        let bucket = bucket(latency);
        self.recent[bucket] += 1;
        self.recent_total += 1;
        self.counts[bucket] += 1;
        self.total += 1;
        self.occupied[bucket / 64] |= 1 << (bucket % 64);
        self.below += u64::from(bucket < self.cursor);
        self.settle();
    }

    /// Forgets the older window.
    fn turn(&mut self) {
        std::mem::swap(&mut self.counts, &mut self.recent);
        self.recent.fill(0);
        self.recent_total = 0;
        self.total = u64::from(self.window);
        for (word, counts) in self.occupied.iter_mut().zip(self.counts.chunks(64)) {
            let bits = counts.iter().enumerate().map(|(bit, n)| u64::from(*n > 0) << bit);
            *word = bits.fold(0, |word, bit| word | bit);
        }
        (self.cursor, self.below) = (0, 0);
    }

    /// Moves the cursor to where the percentile is.
    fn settle(&mut self) {
        // At least one and at most all, whatever the multiplication rounds to.
        let rank = ((self.share * self.total as f64).ceil() as u64).clamp(1, self.total);
        while self.below >= rank {
            self.cursor = self.previous(self.cursor);
            self.below -= u64::from(self.counts[self.cursor]);
        }
        while self.below + u64::from(self.counts[self.cursor]) < rank {
            self.below += u64::from(self.counts[self.cursor]);
            self.cursor = self.next(self.cursor);
        }
    }

    /// The nearest occupied bucket below, of which there is one.
    fn previous(&self, bucket: usize) -> usize {
        let (mut word, below) = (bucket / 64, (1u64 << (bucket % 64)) - 1);
        let mut bits = self.occupied[word] & below;
        while bits == 0 {
            word -= 1;
            bits = self.occupied[word];
        }
        word * 64 + bits.ilog2() as usize
    }

    /// The nearest occupied bucket above, of which there is one.
    fn next(&self, bucket: usize) -> usize {
        let (mut word, above) = (bucket / 64, !(u64::MAX >> (63 - bucket % 64)));
        let mut bits = self.occupied[word] & above;
        while bits == 0 {
            word += 1;
            bits = self.occupied[word];
        }
        word * 64 + bits.trailing_zeros() as usize
    }

    /// Samples that the estimate rests on.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// The percentile; zero before the first sample.
    pub(super) fn estimate(&self) -> Span {
        if self.total == 0 { Span::ZERO } else { upper_end(self.cursor) }
    }
}

/// Where a latency is counted.
fn bucket(latency: Span) -> usize {
    let nanos = latency.as_nanos().min(LONGEST);
    if nanos < PER_DOUBLING {
        return nanos as usize;
    }
    // `nanos >> shift` lies in 32..64.
    let shift = u64::from(nanos.ilog2()) - 5;
    (shift * PER_DOUBLING + (nanos >> shift)) as usize
}

/// The longest latency that a bucket counts.
fn upper_end(bucket: usize) -> Span {
    let bucket = bucket as u64;
    if bucket < PER_DOUBLING {
        return Span::nanos(bucket);
    }
    let shift = bucket / PER_DOUBLING - 1;
    Span::nanos(((bucket % PER_DOUBLING + PER_DOUBLING + 1) << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Sorts all samples that still count, each time.
        #[test]
        fn the_estimate_is_the_percentile_and_a_thirty_second_at_most(
            percent in prop_oneof![0.0..=100.0, Just(50.0), Just(100.0), Just(0.0)],
            window in 1..40u32,
            samples in vec((any::<u64>(), 19..64u32), 1..200),
        ) {
            let mut latencies = Latencies::new(percent, window);
            let (mut old, mut recent) = (Vec::new(), Vec::new());
            for (word, shift) in samples {
                // Shifting makes short latencies as likely as long ones.
                let nanos = word >> shift;
                if recent.len() == window as usize {
                    old = std::mem::take(&mut recent);
                }
                recent.push(nanos);
                latencies.observe(Span::nanos(nanos));
                let mut all = [&old[..], &recent[..]].concat();
                all.sort_unstable();
                let rank = (percent / 100.0 * all.len() as f64).ceil().max(1.0) as usize;
                let exact = all[rank - 1];
                let found = latencies.estimate().as_nanos();
                prop_assert!(exact <= found && found <= exact + exact / 32, "{exact}: {found}");
                prop_assert_eq!(latencies.total(), all.len() as u64);
            }
        }

        #[test]
        fn buckets_hold_what_falls_into_them_and_follow_each_other(
            word: u64, shift in 0..64u32,
        ) {
            let nanos = (word >> shift).min(LONGEST);
            let found = bucket(Span::nanos(nanos));
            prop_assert!(found < BUCKETS);
            prop_assert!(nanos <= upper_end(found).as_nanos());
            prop_assert!(found == 0 || upper_end(found - 1).as_nanos() < nanos);
        }
    }

    #[test]
    fn longer_than_the_longest_counts_as_the_longest() {
        let mut latencies = Latencies::new(50.0, 10);
        latencies.observe(Span::MAX);
        assert_eq!(latencies.estimate(), Span::nanos(LONGEST));
    }
}
