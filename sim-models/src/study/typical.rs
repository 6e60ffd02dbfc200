//! Which seed to show where only one can be shown: one that ends as most do, and serves as many as
//! the middle one of those.

use std::collections::BTreeMap;

use super::sample::Sample;
use crate::outcome::InvariantVerdict;

/// A seed that stands for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typical {
    /// Its number.
    pub seed: u64,
    /// Seeds that end like it, itself included: on each side the same promises are broken, and the
    /// system came back, or not, alike.
    pub alike: u64,
    /// Of so many, in which all sides reached their horizon.
    pub of: u64,
}

/// How a seed ended on each side: what became of the system, and which promises were broken.
type End = Vec<(Option<&'static str>, Vec<bool>)>;

/// Seeds, by how they ended; of each the intents that it served, on all sides together.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    ends: BTreeMap<End, Vec<(u64, u64)>>,
    seeds: u64,
}

impl Ends {
    /// Adds the runs of all sides with one seed, if each reached its horizon.
    pub(super) fn add(&mut self, round: &[Sample]) {
        if round.iter().any(|sample| sample.limit.is_some()) {
            return;
        }
        let end = |sample: &Sample| {
            let state = sample.recovery.as_ref().map(|state| state.name());
            let broken = sample.invariants.iter().map(|i| i.verdict == InvariantVerdict::Violated);
            (state, broken.collect())
        };
        let served = round.iter().map(|sample| sample.goodput.achieved).sum();
        let alike = self.ends.entry(round.iter().map(end).collect()).or_default();
        alike.push((served, round[0].seed));
        self.seeds += 1;
    }

    /// The seed in the middle of those that end as most do; of two ways that are as frequent, the one
    /// that the earlier seed takes.
    pub(super) fn typical(mut self) -> Option<Typical> {
        let first = |seeds: &[(u64, u64)]| seeds.iter().map(|(_, seed)| *seed).min();
        let most = self
            .ends
            .values_mut()
            .max_by(|a, b| a.len().cmp(&b.len()).then_with(|| first(b).cmp(&first(a))))?;
        most.sort_unstable();
        let (_, seed) = most[(most.len() - 1) / 2];
        Some(Typical { seed, alike: most.len() as u64, of: self.seeds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(seeds: &[(u64, bool, u64)]) -> Ends {
        let mut ends = Ends::default();
        for (seed, broken, served) in seeds {
            let end = vec![(None, vec![*broken])];
            ends.ends.entry(end).or_default().push((*served, *seed));
            ends.seeds += 1;
        }
        ends
    }

    #[test]
    fn the_seed_that_is_shown_ends_as_most_do_and_serves_as_the_middle_one() {
        let all = [(1, true, 90), (2, false, 30), (3, false, 70), (4, false, 50), (5, true, 10)];
        assert_eq!(ends(&all).typical(), Some(Typical { seed: 4, alike: 3, of: 5 }));
        let even = [(1, true, 90), (2, false, 30)];
        assert_eq!(ends(&even).typical(), Some(Typical { seed: 1, alike: 1, of: 2 }));
        assert_eq!(Ends::default().typical(), None);
    }
}
