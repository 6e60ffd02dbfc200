//! The endings over each hop, counted.
//!
//! An ending that a hop has for the first time gets a place. To count is a search among the few that
//! the hop has had, and an addition.

use crate::endings::HopEnding;
use crate::plan::PairId;

/// What each hop had, over the whole run.
#[derive(Clone, Debug)]
pub(super) struct Endings {
    /// By pair: what occurred, and its place.
    places: Vec<Vec<(HopEnding, u32)>>,
    /// By place.
    totals: Vec<u64>,
}

impl Endings {
    pub(super) fn new(pairs: usize) -> Endings {
        Endings { places: vec![Vec::new(); pairs], totals: Vec::new() }
    }

    /// Counts one; its place.
    pub(super) fn count(&mut self, pair: PairId, ending: HopEnding) -> usize {
        let known = &mut self.places[pair.index()];
        let place = match known.iter().find(|(found, _)| *found == ending) {
            Some((_, place)) => *place as usize,
            None => {
                let place = self.totals.len();
                known.push((ending, place as u32));
                self.totals.push(0);
                place
            }
        };
        self.totals[place] += 1;
        place
    }

    /// What a hop had and how often, in a fixed order.
    pub(super) fn of(&self, pair: PairId) -> Vec<(HopEnding, u64)> {
        let total = |(ending, place): (HopEnding, usize)| (ending, self.totals[place]);
        self.places_of(pair).into_iter().map(total).collect()
    }

    /// What a hop had, and where it is counted, in the same order.
    pub(super) fn places_of(&self, pair: PairId) -> Vec<(HopEnding, usize)> {
        let known = self.places[pair.index()].iter();
        let mut known: Vec<_> = known.map(|(ending, place)| (*ending, *place as usize)).collect();
        known.sort_unstable();
        known
    }
}
