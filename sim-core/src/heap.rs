//! A 4-ary min-heap of packed 128-bit keys.
//!
//! Four children of 16 bytes share a cache line, and half the levels of a binary heap mean half
//! the misses.

/// A min-heap; equal keys never occur, since every key carries its own order.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    keys: Vec<u128>,
}

impl Heap {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u128> {
        self.keys.first().copied()
    }

    #[inline]
    pub(crate) fn push(&mut self, key: u128) {
        let mut hole = self.keys.len();
        self.keys.push(key);
        while hole > 0 {
            let parent = (hole - 1) / 4;
            if self.keys[parent] < key {
                break;
            }
            self.keys[hole] = self.keys[parent];
            hole = parent;
        }
        self.keys[hole] = key;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<u128> {
        let last = self.keys.pop()?;
        let Some(&top) = self.keys.first() else { return Some(last) };
        self.sift_down(0, last);
        Some(top)
    }

    /// Keeps only the keys that `keep` accepts.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&u128) -> bool) {
        self.keys.retain(keep);
        self.restore();
    }

    /// Takes all `keys`, which leaves their allocation behind for new ones.
    pub(crate) fn fill_from(&mut self, keys: &mut Vec<u128>) {
        self.keys.append(keys);
        self.restore();
    }

    /// Gives all keys away.
    pub(crate) fn drain_into(&mut self, keys: &mut Vec<u128>) {
        keys.append(&mut self.keys);
    }

    pub(crate) fn capacity(&self) -> usize {
        self.keys.capacity()
    }

    /// Makes a heap of keys in any order.
    fn restore(&mut self) {
        for root in (0..self.keys.len().div_ceil(4)).rev() {
            self.sift_down(root, self.keys[root]);
        }
    }

    /// Puts `key` into the subtree whose root, `hole`, is vacant.
    #[inline]
    fn sift_down(&mut self, mut hole: usize, key: u128) {
        let keys = self.keys.as_mut_slice();
        loop {
            let first = 4 * hole + 1;
            let child = match keys.get(first..first + 4) {
                Some(four) => first + least(four),
                None => match (first..keys.len()).min_by_key(|&child| keys[child]) {
                    Some(child) => child,
                    None => break,
                },
            };
            if key < keys[child] {
                break;
            }
            keys[hole] = keys[child];
            hole = child;
        }
        keys[hole] = key;
    }
}

/// The index of the least of four, as a tournament: two comparisons deep.
#[inline]
fn least(four: &[u128]) -> usize {
    let left = usize::from(four[1] < four[0]);
    let right = 2 + usize::from(four[3] < four[2]);
    if four[right] < four[left] { right } else { left }
}
