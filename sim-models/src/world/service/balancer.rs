//! The balancer in front of a service's instances.
//!
//! It knows who is up, and how many requests each has: now, or as it was at the latest multiple of
//! `stale`, first looked at by the first request since. Between two looks it does not count what
//! it has sent itself, as a balancer does that is told loads from outside.

use sim_core::{Draw, Span, Time, mix};

use crate::plan::Balancer as Algorithm;

#[derive(Debug)]
pub(super) struct Balancer {
    algorithm: Algorithm,
    stale: Span,
    /// Whose turn it is.
    turn: usize,
    /// Loads as they were at a look, and which one that was.
    seen: Vec<u32>,
    look: Option<u64>,
    /// Points with their instances, in order.
    ring: Vec<(u64, u32)>,
    /// The instances that are up, in order.
    up: Vec<u32>,
}

impl Balancer {
    pub(super) fn new(algorithm: Algorithm, stale: Span) -> Balancer {
        let (seen, ring, up) = (Vec::new(), Vec::new(), Vec::new());
        Balancer { algorithm, stale, turn: 0, seen, look: None, ring, up }
    }

    /// The instances that are up, in order.
    pub(super) fn up(&self) -> &[u32] {
        &self.up
    }

    /// Whether an instance is up.
    pub(super) fn is_up(&self, instance: u32) -> bool {
        self.up.binary_search(&instance).is_ok()
    }

    /// Those are up now.
    pub(super) fn set_up(&mut self, up: Vec<u32>) {
        if let Algorithm::RingHash { points } = self.algorithm {
            let own = |&n: &u32| (0..points).map(move |point| (mix(n.into(), point.into()), n));
            self.ring = up.iter().flat_map(own).collect();
            self.ring.sort_unstable();
        }
        self.up = up;
    }

    /// The instance for a request, or none when none is up. `hash` is of the request's key, `load`
    /// is how many requests an instance has.
    pub(super) fn pick(
        &mut self,
        hash: u64,
        now: Time,
        draws: &mut impl Draw,
        load: impl Fn(u32) -> u32,
    ) -> Option<u32> {
        if let [] | [_] = self.up[..] {
            return self.up.first().copied();
        }
        let count = self.up.len() as u64;
        Some(match self.algorithm {
            Algorithm::RoundRobin => {
                self.turn = (self.turn + 1) % self.up.len();
                self.up[self.turn]
            }
            Algorithm::Random => self.up[draws.below(count) as usize],
            Algorithm::RingHash { .. } => {
                let at = self.ring.partition_point(|(point, _)| *point < hash);
                self.ring[at % self.ring.len()].1
            }
            Algorithm::LeastRequest => {
                self.look(now, &load);
                // From anywhere on, so that equals are taken evenly.
                let from = draws.below(count) as usize;
                let (before, after) = self.up.split_at(from);
                let all = after.iter().chain(before).copied();
                all.min_by_key(|&n| self.seen_load(n, &load)).expect("somebody is up")
            }
            Algorithm::Choices(d) => {
                self.look(now, &load);
                let picked = |_| self.up[draws.below(count) as usize];
                let all = (0..d).map(picked);
                all.min_by_key(|&n| self.seen_load(n, &load)).expect("at least one choice")
            }
        })
    }

    /// Looks at all loads, if it is time to.
    fn look(&mut self, now: Time, load: impl Fn(u32) -> u32) {
        if self.stale.is_zero() {
            return;
        }
        let look = Some(now.as_nanos() / self.stale.as_nanos());
        if self.look != look {
            self.look = look;
            let instances = self.up.iter().max().map_or(0, |last| last + 1);
            self.seen = (0..instances).map(load).collect();
        }
    }

    /// A load as it was at the latest look; of an instance that has come since, nothing is known.
    fn seen_load(&self, n: u32, load: impl Fn(u32) -> u32) -> u32 {
        if self.stale.is_zero() {
            return load(n);
        }
        self.seen.get(n as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::{Purpose, Stream, Streams};

    fn draws() -> Stream {
        Streams::new(7).open(Purpose(0), 0)
    }

    fn of(algorithm: Algorithm, instances: u32) -> Balancer {
        let mut balancer = Balancer::new(algorithm, Span::ZERO);
        balancer.set_up((0..instances).collect());
        balancer
    }

    /// Sends requests that never end; how many each instance has then.
    fn sent(mut balancer: Balancer, instances: usize, requests: u64) -> Vec<u32> {
        let mut loads = vec![0; instances];
        let mut draws = draws();
        for n in 0..requests {
            let load = |n: u32| loads[n as usize];
            let chosen = balancer.pick(mix(n, 1), Time::ZERO, &mut draws, load).unwrap();
            loads[chosen as usize] += 1;
        }
        loads
    }

    fn spread(loads: &[u32]) -> u32 {
        loads.iter().max().unwrap() - loads.iter().min().unwrap()
    }

    #[test]
    fn more_knowledge_spreads_more_evenly() {
        assert_eq!(spread(&sent(of(Algorithm::RoundRobin, 10), 10, 1_000)), 0);
        assert_eq!(spread(&sent(of(Algorithm::LeastRequest, 10), 10, 1_000)), 0);
        let random = spread(&sent(of(Algorithm::Random, 10), 10, 1_000));
        let two = spread(&sent(of(Algorithm::Choices(2), 10), 10, 1_000));
        assert!(two <= 4 && random > 15, "{two} {random}");
    }

    #[test]
    fn who_has_no_more_than_others_gets_no_more_than_others() {
        use Algorithm::{Choices, LeastRequest, Random, RoundRobin};
        for algorithm in [RoundRobin, Random, LeastRequest, Choices(1), Choices(3)] {
            let (mut balancer, mut draws) = (of(algorithm, 5), draws());
            let mut sent = [0u32; 5];
            for _ in 0..5_000 {
                let chosen = balancer.pick(0, Time::ZERO, &mut draws, |_| 1).expect("all are up");
                sent[chosen as usize] += 1;
            }
            assert!(sent.iter().all(|n| (850..1_150).contains(n)), "{algorithm:?}: {sent:?}");
        }
    }

    #[test]
    fn stale_loads_send_a_herd_to_the_one_that_was_idle() {
        let mut balancer = Balancer::new(Algorithm::LeastRequest, Span::secs(1));
        balancer.set_up(vec![0, 1]);
        let mut loads = [5, 0];
        for _ in 0..100 {
            let load = |n: u32| loads[n as usize];
            loads[balancer.pick(0, Time::ZERO, &mut draws(), load).unwrap() as usize] += 1;
        }
        assert_eq!(loads, [5, 100]);
        let later = Time::ZERO + Span::secs(1);
        assert_eq!(balancer.pick(0, later, &mut draws(), |n| loads[n as usize]), Some(0));
    }

    #[test]
    fn a_ring_moves_only_the_keys_of_the_instance_that_is_gone() {
        let mut balancer = of(Algorithm::RingHash { points: 100 }, 4);
        let place = |balancer: &mut Balancer| -> Vec<u32> {
            let mut pick = |key: u64| balancer.pick(mix(key, 9), Time::ZERO, &mut draws(), |_| 0);
            (0..1_000).map(|key| pick(key).unwrap()).collect()
        };
        let before = place(&mut balancer);
        balancer.set_up(vec![0, 1, 3]);
        let after = place(&mut balancer);
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b);
        assert!(moved.clone().all(|(from, to)| *from == 2 && *to != 2));
        assert!((150..350).contains(&moved.count()));
    }

    #[test]
    fn nobody_up_is_nobody_picked() {
        assert_eq!(of(Algorithm::Random, 0).pick(0, Time::ZERO, &mut draws(), |_| 0), None);
    }
}
