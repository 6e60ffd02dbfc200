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

    /// Takes all `keys`, which leaves their allocation behind for new ones.
    pub(crate) fn fill_from(&mut self, keys: &mut Vec<u128>) {
        self.keys.append(keys);
        for root in (0..self.keys.len().div_ceil(4)).rev() {
            self.sift_down(root, self.keys[root]);
        }
    }

    /// Gives all keys away.
    pub(crate) fn drain_into(&mut self, keys: &mut Vec<u128>) {
        keys.append(&mut self.keys);
    }

    pub(crate) fn capacity(&self) -> usize {
        self.keys.capacity()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::mix;

    fn drain(heap: &mut Heap) -> Vec<u128> {
        std::iter::from_fn(|| heap.pop()).collect()
    }

    #[test]
    fn keys_come_sorted_however_they_came_in() {
        let mut expected: Vec<u128> = (0..1_000).map(|n| u128::from(mix(1, n))).collect();
        let (mut pushed, mut filled) = (Heap::default(), Heap::default());
        expected.iter().for_each(|&key| pushed.push(key));
        filled.fill_from(&mut expected.clone());
        expected.sort_unstable();
        assert_eq!(pushed.peek(), expected.first().copied());
        assert_eq!(drain(&mut pushed), expected);
        assert_eq!(drain(&mut filled), expected);
    }
}
