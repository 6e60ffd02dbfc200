//! The run digest: one 64-bit word that tells two runs apart, and its checkpoints.
//!
//! Every delivered event folds its instant, its order and its fingerprint; every observed effect
//! folds its word. Equal digests after equal steps mean, in practice, equal runs. A fold is one
//! wide multiplication, cheap enough to be always on. It finds accidents and does not resist an
//! attacker: whoever picks the words can make two runs collide.

use crate::time::Time;

/// Odd, with about as many ones as zeros: the golden ratio in 64 bits (Knuth, TAOCP 3, 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The first 64 bits of the fraction of pi, so that leading zero words differ.
const START: u64 = 0x243f_6a88_85a3_08d3;

/// 64 checkpoints bound the bisection of a diverging replay to six looks.
const CHECKPOINTS_MAX: usize = 64;

/// A running 64-bit digest of words.
///
/// ```
/// # use sim_core::Digest;
/// let mut digest = Digest::default();
/// digest.fold(1);
/// digest.fold(2);
/// let mut swapped = Digest::default();
/// swapped.fold(2);
/// swapped.fold(1);
/// assert_ne!(digest, swapped);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(START)
    }
}

impl Digest {
    /// Takes one word in: the two halves of a 128-bit product, xored.
    #[inline]
    pub fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(GOLDEN);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    /// The digest of all words so far.
    #[inline]
    pub fn value(self) -> u64 {
        self.0
    }
}

/// The state of the digest after a step: where a replay can be compared on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The number of the step, from 1.
    pub step: u64,
    /// The instant of the step.
    pub at: Time,
    /// The digest after the step.
    pub digest: u64,
}

/// Evenly spaced checkpoints, at most 64: when they are full, every second one is dropped and the
/// interval doubles. Two runs of one length therefore keep the same steps.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    kept: Vec<Checkpoint>,
    interval: u64,
    /// The next step to keep.
    due: u64,
}

impl Checkpoints {
    pub(crate) fn new() -> Checkpoints {
        Checkpoints { kept: Vec::with_capacity(CHECKPOINTS_MAX), interval: 1, due: 1 }
    }

    pub(crate) fn kept(&self) -> &[Checkpoint] {
        &self.kept
    }

    /// Keeps the state after a step when it is due.
    #[inline]
    pub(crate) fn pass(&mut self, step: u64, at: Time, digest: Digest) {
        if step == self.due {
            self.keep(Checkpoint { step, at, digest: digest.value() });
        }
    }

    #[cold]
    fn keep(&mut self, checkpoint: Checkpoint) {
        self.kept.push(checkpoint);
        if self.kept.len() == CHECKPOINTS_MAX {
            self.interval *= 2;
            self.kept.retain(|c| c.step % self.interval == 0);
        }
        self.due = checkpoint.step / self.interval * self.interval + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(words: &[u64]) -> u64 {
        let mut digest = Digest::default();
        words.iter().for_each(|&word| digest.fold(word));
        digest.value()
    }

    #[test]
    fn digests_are_pinned() {
        assert_eq!(digest_of(&[]), START);
        assert_eq!(digest_of(&[1, 2, 3]), 5_187_321_214_967_223_033);
    }

    #[test]
    fn any_changed_bit_or_length_changes_the_digest() {
        let base = digest_of(&[7, 0, 9]);
        for bit in 0..64 {
            assert_ne!(digest_of(&[7, 1 << bit, 9]), base, "bit {bit}");
        }
        assert_ne!(digest_of(&[7, 0, 9, 0]), base);
        assert_ne!(digest_of(&[0, 7, 0, 9]), base);
    }

    #[test]
    fn checkpoints_stay_even_and_at_most_64() {
        let mut checkpoints = Checkpoints::new();
        for step in 1..=100_000 {
            checkpoints.pass(step, Time::ZERO, Digest::default());
            assert!(checkpoints.kept().len() < CHECKPOINTS_MAX);
        }
        let steps: Vec<u64> = checkpoints.kept().iter().map(|c| c.step).collect();
        let even: Vec<u64> = (1..=steps.len() as u64).map(|n| n * 2048).collect();
        assert_eq!(steps, even);
    }
}
