//! Slots that are reused with everything they have allocated.
//!
//! Tasks, calls and requests come and go by the million; a [`Pool`] keeps each slot's vectors, so
//! that a run allocates only while it grows. An id carries the slot's generation: one that
//! outlives its entry finds nothing.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// Names an entry of a [`Pool`]; `T` tells the ids of one pool from those of others.
pub(crate) struct Id<T> {
    slot: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

/// Finds nothing: no slot reaches this number.
impl<T> Default for Id<T> {
    fn default() -> Self {
        Id { slot: u32::MAX, generation: 0, of: PhantomData }
    }
}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.slot, self.generation) == (other.slot, other.generation)
    }
}

impl<T> Eq for Id<T> {}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.slot, self.generation)
    }
}

impl<T> Id<T> {
    /// A word for the digest, and for those who hold an id without knowing what it names.
    pub(crate) fn word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    /// The id that the word was made of.
    pub(crate) fn from_word(word: u64) -> Id<T> {
        Id { slot: word as u32, generation: (word >> 32) as u32, of: PhantomData }
    }
}

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    live: bool,
    entry: T,
}

/// A growing set of reusable entries, named by ids of `N`.
#[derive(Clone, Debug)]
pub(crate) struct Pool<T, N = T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    names: PhantomData<fn() -> N>,
}

impl<T, N> Default for Pool<T, N> {
    fn default() -> Pool<T, N> {
        Pool { slots: Vec::new(), free: Vec::new(), names: PhantomData }
    }
}

impl<T: Default, N> Pool<T, N> {
    /// A fresh id and its entry, which still holds what its last user left there.
    pub(crate) fn take(&mut self) -> (Id<N>, &mut T) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot { generation: 0, live: false, entry: T::default() });
                u32::try_from(self.slots.len() - 1).expect("the pending limit bounds the pool")
            }
        };
        let s = &mut self.slots[slot as usize];
        s.live = true;
        (Id { slot, generation: s.generation, of: PhantomData }, &mut s.entry)
    }
}

impl<T, N> Pool<T, N> {
    /// The entry, unless it was freed.
    pub(crate) fn get_mut(&mut self, id: Id<N>) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        (slot.live && slot.generation == id.generation).then_some(&mut slot.entry)
    }

    /// The entry, unless it was freed.
    pub(crate) fn get(&self, id: Id<N>) -> Option<&T> {
        let slot = self.slots.get(id.slot as usize)?;
        (slot.live && slot.generation == id.generation).then_some(&slot.entry)
    }

    /// Gives the slot back; the id and its copies find nothing from now on.
    pub(crate) fn free(&mut self, id: Id<N>) {
        let slot = &mut self.slots[id.slot as usize];
        assert!(slot.live && slot.generation == id.generation, "an entry is freed once");
        slot.live = false;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot);
    }

    /// All entries, in slot order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter(|slot| slot.live).map(|slot| &slot.entry)
    }

    /// The ids of all entries for which `is` holds, in slot order.
    pub(crate) fn ids_where(&self, mut is: impl FnMut(&T) -> bool) -> Vec<Id<N>> {
        let numbered = (0u32..).zip(&self.slots);
        numbered
            .filter(|(_, slot)| slot.live && is(&slot.entry))
            .map(|(n, slot)| Id { slot: n, generation: slot.generation, of: PhantomData })
            .collect()
    }

    /// An estimate of the memory held, in bytes, counting what entries hold as `each`.
    pub(crate) fn memory_bytes(&self, each: usize) -> usize {
        self.slots.capacity() * (size_of::<Slot<T>>() + each) + self.free.capacity() * 4
    }
}

impl<T, N> Index<Id<N>> for Pool<T, N> {
    type Output = T;
    fn index(&self, id: Id<N>) -> &T {
        self.get(id).expect("the entry is in use")
    }
}

impl<T, N> IndexMut<Id<N>> for Pool<T, N> {
    fn index_mut(&mut self, id: Id<N>) -> &mut T {
        self.get_mut(id).expect("the entry is in use")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_id_finds_nothing_and_the_slot_keeps_its_allocation() {
        let mut pool: Pool<Vec<u8>> = Pool::default();
        let (first, entry) = pool.take();
        entry.reserve(100);
        pool.free(first);
        let (second, entry) = pool.take();
        assert!(entry.capacity() >= 100);
        assert_ne!(first, second);
        assert!(pool.get(first).is_none());
        assert_eq!(pool.ids_where(|_| true), [second]);
    }
}
