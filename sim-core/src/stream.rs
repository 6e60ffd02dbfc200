//! Random streams: every draw has a name, and no draw disturbs another.
//!
//! A seed gives a ChaCha8 key. Under it each pair of a [`Purpose`] and an entity has a stream of
//! its own, so that a new client leaves the old ones their luck. Where a policy may skip or repeat
//! a draw, [`Indexed`] addresses it by number instead of by its turn. The work of request 17 is the
//! same under every policy (common random numbers).

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The increment of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a stream is for. The numbers are the model's: it gives each purpose one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purpose(pub u32);

/// A source of random words, and what is commonly made of one.
pub trait Draw {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// A number in `[0, 1)`, a multiple of 2^-53. Takes one word and rises with it.
    #[inline]
    fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number in `(0, 1)`, an odd multiple of 2^-53: never 0, never 1, and symmetric about 1/2.
    /// Takes one word and rises with it.
    #[inline]
    fn unit_open(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// A whole number in `0..n`, without bias (Lemire, TOMACS 2019). Takes one word, or very
    /// rarely more.
    ///
    /// # Panics
    /// When `n` is zero: there is nothing to choose from.
    #[inline]
    fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a draw below zero has no outcome");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let uneven = n.wrapping_neg() % n;
            while (product as u64) < uneven {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// True with probability `p`; never for `p <= 0` or NaN, always for `p >= 1`. Takes one word
    /// whatever `p` is, so that changing a probability shifts no later draw.
    #[inline]
    fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
}

/// All random streams of one run.
///
/// ```
/// use sim_core::{Draw, Purpose, Streams};
///
/// const LATENCY: Purpose = Purpose(1);
/// const WORK: Purpose = Purpose(2);
/// let streams = Streams::new(42);
/// // The third link's latencies, one after the other.
/// let mut latency = streams.open(LATENCY, 3);
/// assert_ne!(latency.next_u64(), latency.next_u64());
/// // The work of request 17, whoever asks and how often.
/// let work = streams.indexed(WORK, 3);
/// assert_eq!(work.at(17).unit(), work.at(17).unit());
/// ```
#[derive(Clone, Debug)]
pub struct Streams {
    key: [u8; 32],
}

impl Streams {
    /// The streams of a seed.
    pub fn new(seed: u64) -> Streams {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip(0..) {
            bytes.copy_from_slice(&mix(seed, word).to_le_bytes());
        }
        Streams { key }
    }

    /// The stream of one entity for one purpose, from its start. Distinct pairs never share a
    /// word: the entity is ChaCha's stream, the purpose the high half of its block counter, which
    /// leaves each stream 2^35 words.
    pub fn open(&self, purpose: Purpose, entity: u64) -> Stream {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(entity);
        // A block has 16 words of 32 bits; the counter's high 32 bits start at bit 36 of words.
        rng.set_word_pos(u128::from(purpose.0) << 36);
        Stream { rng }
    }

    /// The draws of one entity for one purpose, addressed by index. They are keyed by the first
    /// two words of the same pair's stream: open one or the other.
    pub fn indexed(&self, purpose: Purpose, entity: u64) -> Indexed {
        let mut stream = self.open(purpose, entity);
        Indexed { key: stream.next_u64(), step: stream.next_u64() | 1 }
    }
}

/// Random words in sequence: ChaCha8, which passes every known statistical test.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Stream {
    /// The same place of the same stream of another seed: the n-th draw stays the n-th.
    ///
    /// ```
    /// use sim_core::{Draw, Purpose, Streams};
    ///
    /// let (one, other) = (Streams::new(1), Streams::new(2));
    /// let [mut taken, mut there] = [&one, &other].map(|seed| seed.open(Purpose(1), 7));
    /// taken.next_u64();
    /// there.next_u64();
    /// assert_eq!(taken.within(&other).next_u64(), there.next_u64());
    /// ```
    pub fn within(&self, streams: &Streams) -> Stream {
        let mut rng = ChaCha8Rng::from_seed(streams.key);
        rng.set_stream(self.rng.get_stream());
        rng.set_word_pos(self.rng.get_word_pos());
        Stream { rng }
    }
}

impl Draw for Stream {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

/// Random words by index: any index at any time, in a few nanoseconds and without state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    key: u64,
    step: u64,
}

impl Indexed {
    /// The draws at an index, from their start.
    #[inline]
    pub fn at(&self, index: u64) -> Draws {
        Draws { state: mix(self.key, index), step: self.step }
    }
}

/// Successive random words at one index: SplitMix64 with a keyed increment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws {
    state: u64,
    step: u64,
}

impl Draw for Draws {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(self.step);
        finalise(self.state)
    }
}

/// Mixes a parent's lineage and a child's number into the child's lineage: cheap, well mixed, and
/// for one parent no two children are alike.
#[inline]
pub fn mix(parent: u64, child: u64) -> u64 {
    finalise(parent ^ finalise(child.wrapping_add(GOLDEN)))
}

/// The finaliser of SplitMix64 (Stafford's variant 13): a bijection in which every input bit
/// flips half of the output bits.
#[inline]
fn finalise(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ChaCha8 as Bernstein wrote it down, with no eye on speed: the words of one block.
    fn chacha8_block(key: &[u8; 32], counter: u64, stream: u64) -> [u32; 16] {
        let mut start = [0u32; 16];
        start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
        for (word, bytes) in start[4..12].iter_mut().zip(key.chunks_exact(4)) {
            *word = u32::from_le_bytes(bytes.try_into().unwrap());
        }
        start[12] = counter as u32;
        start[13] = (counter >> 32) as u32;
        start[14] = stream as u32;
        start[15] = (stream >> 32) as u32;
        let mut x = start;
        let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
            for (to, add, xor, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                x[to] = x[to].wrapping_add(x[add]);
                x[xor] = (x[xor] ^ x[to]).rotate_left(turn);
            }
        };
        for _ in 0..4 {
            (0..4).for_each(|n| quarter(n, n + 4, n + 8, n + 12));
            (0..4).for_each(|n| quarter(n, 4 + (n + 1) % 4, 8 + (n + 2) % 4, 12 + (n + 3) % 4));
        }
        std::array::from_fn(|n| x[n].wrapping_add(start[n]))
    }

    fn words(draw: &mut impl Draw, n: usize) -> Vec<u64> {
        (0..n).map(|_| draw.next_u64()).collect()
    }

    #[test]
    fn the_reference_gives_the_published_vector() {
        // ChaCha8, 256-bit key of zeros, IV of zeros: draft-strombergson-chacha-test-vectors, TC1.
        let block = chacha8_block(&[0; 32], 0, 0);
        let bytes: Vec<u8> = block.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(
            bytes[..16],
            [
                0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09,
                0xa5, 0xa1
            ]
        );
    }

    #[test]
    fn a_stream_is_chacha8_at_the_purpose_and_the_entity() {
        let streams = Streams::new(42);
        for (purpose, entity) in [(0, 0), (1, 0), (0, 1), (7, u64::MAX), (u32::MAX, 3)] {
            let mut stream = streams.open(Purpose(purpose), entity);
            for block in 0..3 {
                let counter = (u64::from(purpose) << 32) + block;
                for pair in chacha8_block(&streams.key, counter, entity).chunks_exact(2) {
                    let word = u64::from(pair[1]) << 32 | u64::from(pair[0]);
                    assert_eq!(stream.next_u64(), word, "purpose {purpose}, entity {entity}");
                }
            }
        }
    }

    #[test]
    fn words_are_pinned() {
        let streams = Streams::new(42);
        assert_eq!(
            words(&mut streams.open(Purpose(3), 17), 3),
            [3752880582922025671, 11203827384324468159, 17306538243590436257]
        );
        assert_eq!(
            words(&mut streams.indexed(Purpose(3), 17).at(5), 3),
            [14119418566393268123, 6719402715702589748, 15238628170543189677]
        );
        assert_eq!(mix(1, 2), 17474652204475260503);
    }

    #[test]
    fn streams_of_different_names_differ() {
        let mut first: Vec<u64> = Vec::new();
        for seed in 0..4 {
            for purpose in 0..4 {
                for entity in 0..4 {
                    first.push(Streams::new(seed).open(Purpose(purpose), entity).next_u64());
                }
            }
        }
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 64);
    }

    #[test]
    fn an_index_gives_the_same_draws_in_any_order() {
        let indexed = Streams::new(1).indexed(Purpose(0), 0);
        let forwards: Vec<_> = (0..10).map(|n| words(&mut indexed.at(n), 4)).collect();
        let mut backwards: Vec<_> = (0..10).rev().map(|n| words(&mut indexed.at(n), 4)).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
    }

    #[test]
    fn indexed_bits_are_balanced_and_neighbours_uncorrelated() {
        let indexed = Streams::new(1).indexed(Purpose(0), 0);
        let n = 100_000u32;
        let words: Vec<u64> = (0..u64::from(n)).map(|index| indexed.at(index).next_u64()).collect();
        // A fair bit is within five standard deviations, 5 sqrt(n) / 2, of a half.
        let close = |count: u32| count.abs_diff(n / 2) < 800;
        for bit in 0..64 {
            let ones = words.iter().filter(|&&word| word >> bit & 1 == 1).count();
            assert!(close(ones as u32), "bit {bit}: {ones}");
            let same = words.windows(2).filter(|w| (w[0] ^ w[1]) >> bit & 1 == 0).count();
            assert!(close(same as u32), "bit {bit}: {same} repeat");
        }
    }

    /// Words that a test chooses.
    struct Given(Vec<u64>);

    impl Draw for Given {
        fn next_u64(&mut self) -> u64 {
            self.0.remove(0)
        }
    }

    #[test]
    fn units_keep_their_bounds() {
        let given = || Given(vec![0, u64::MAX]);
        let (mut draws, ulp) = (given(), 1.0 / (1u64 << 53) as f64);
        assert_eq!([draws.unit(), draws.unit()], [0.0, 1.0 - ulp]);
        let mut draws = given();
        assert_eq!([draws.unit_open(), draws.unit_open()], [ulp, 1.0 - ulp]);
    }

    #[test]
    fn below_is_unbiased_and_rejects_the_uneven_rest() {
        // 2^64 = 3 * k + 1: the word 0 is the uneven one and is drawn again.
        assert_eq!(Given(vec![0, u64::MAX]).below(3), 2);
        assert_eq!(Given(vec![1]).below(3), 0);
        let mut draws = Streams::new(9).open(Purpose(0), 0);
        let mut counts = [0u32; 6];
        (0..60_000).for_each(|_| counts[draws.below(6) as usize] += 1);
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 460), "{counts:?}");
    }

    #[test]
    fn chance_is_never_at_zero_and_always_at_one() {
        assert!(!Given(vec![0]).chance(0.0));
        assert!(Given(vec![u64::MAX]).chance(1.0));
        assert!(!Given(vec![0]).chance(f64::NAN));
    }
}
