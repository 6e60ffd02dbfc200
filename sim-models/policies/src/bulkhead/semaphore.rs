//! A number of permits, and places to wait for one.
//!
//! Answers and invites what [`super`] says. With `queue` 0 nobody waits, and the bulkhead only
//! refuses; the presets of Resilience4j, cockatiel and Polly are semaphores as well.
//!
//! ```text
//!   somebody waits  =>  in_use = limit      (so that nobody overtakes)
//! ```
//!
//! cockatiel breaks that rule, see [`super::presets::Cockatiel`].

use sim_core::{Span, Time};

use super::line::{Line, Place};
use super::machine::{BulkheadPermit, Entry, Machine};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{OutOfRange, Reason};

/// How many go at once, how many wait and how long.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Semaphore(limit: 20, queue: 10)"#)]
#[schemars(rename = "SemaphoreBulkhead")]
pub struct Config {
    /// Calls under way at once.
    #[schemars(range(min = 1))]
    pub limit: u32,
    /// Places to wait in.
    #[serde(default)]
    pub queue: u32,
    /// The longest wait; as long as it takes by default. With zero nobody waits.
    #[serde(default)]
    pub wait: Option<Span>,
}

impl Config {
    /// So many calls at once; nobody waits.
    pub const fn limit(limit: u32) -> Config {
        Config { limit, queue: 0, wait: None }
    }
}

/// Counts the permits in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semaphore {
    config: Config,
    leaving: Leaving,
    in_use: u32,
    line: Line,
}

/// What becomes of the place of a call that leaves the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It is free at once.
    Frees,
    /// It stays taken, and when its turn comes, that turn is lost: nobody goes.
    LosesTheTurn,
}

impl Semaphore {
    pub(super) fn with(config: Config, leaving: Leaving) -> Semaphore {
        let waits = config.wait.is_none_or(|wait| !wait.is_zero());
        let config = Config { queue: if waits { config.queue } else { 0 }, ..config };
        Semaphore { leaving, in_use: 0, line: Line::new(config.queue), config }
    }
}

impl Build for Config {
    type Machine = Semaphore;

    /// # Errors
    /// When `limit` is zero.
    fn build(&self) -> Result<Semaphore, OutOfRange> {
        let config = self.clone();
        at_least_one("limit", config.limit)?;
        Ok(Semaphore::with(config, Leaving::Frees))
    }
}

impl Machine for Semaphore {
    fn enter(&mut self, _now: Time, token: u64) -> Entry {
        if self.in_use < self.config.limit {
            self.in_use += 1;
            Entry::Admitted(BulkheadPermit(()))
        } else if self.line.len() < self.config.queue {
            Entry::Queued(self.line.join(token))
        } else {
            Entry::Refused(Reason::BulkheadFull { limit: self.config.limit })
        }
    }

    fn settle(&mut self, permit: BulkheadPermit, _now: Time) -> Option<(u64, BulkheadPermit)> {
        assert!(self.in_use > 0, "a permit came back that this bulkhead never gave");
        match self.line.serve() {
            Some(Some(token)) => Some((token, permit)),
            Some(None) | None => {
                self.in_use -= 1;
                None
            }
        }
    }

    fn leave(&mut self, place: Place) {
        match self.leaving {
            Leaving::Frees => self.line.give_up(place),
            Leaving::LosesTheTurn => self.line.abandon(place),
        }
    }

    fn longest_wait(&self) -> Option<Span> {
        self.config.wait
    }

    fn in_use(&self) -> u32 {
        self.in_use
    }

    fn limit(&self) -> u32 {
        self.config.limit
    }

    fn queued(&self) -> u32 {
        self.line.len()
    }

    fn places(&self) -> u32 {
        self.config.queue
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Enter,
        Settle(prop::sample::Index),
        Leave(prop::sample::Index),
    }

    fn semaphore(limit: u32, queue: u32) -> Semaphore {
        Config { limit, queue, wait: None }.build().expect("valid")
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Enter),
            2 => any::<prop::sample::Index>().prop_map(Step::Settle),
            1 => any::<prop::sample::Index>().prop_map(Step::Leave),
        ];
        proptest::collection::vec(step, 0..120)
    }

    proptest! {
        #[test]
        fn it_serves_in_order_and_never_passes_its_limits(
            limit in 1..5u32, queue in 0..5u32, steps in steps(),
        ) {
            let mut bulkhead = semaphore(limit, queue);
            let mut under_way: Vec<BulkheadPermit> = Vec::new();
            let mut waiting: VecDeque<(u64, Place)> = VecDeque::new();
            for (token, step) in (0..).zip(steps) {
                match step {
                    Step::Enter => {
                        let (room, places) =
                            (under_way.len() < limit as usize, waiting.len() < queue as usize);
                        match bulkhead.enter(Time::ZERO, token) {
                            Entry::Admitted(permit) => {
                                prop_assert!(room && waiting.is_empty());
                                under_way.push(permit);
                            }
                            Entry::Queued(place) => {
                                prop_assert!(!room && places);
                                waiting.push_back((token, place));
                            }
                            Entry::Refused(reason) => {
                                prop_assert!(!room && !places);
                                prop_assert_eq!(reason, Reason::BulkheadFull { limit });
                            }
                        }
                    }
                    Step::Settle(_) if under_way.is_empty() => {}
                    Step::Settle(index) => {
                        let permit = under_way.swap_remove(index.index(under_way.len()));
                        let next = bulkhead.settle(permit, Time::ZERO);
                        let first = waiting.pop_front().map(|(token, _)| token);
                        prop_assert_eq!(next.as_ref().map(|(token, _)| *token), first);
                        under_way.extend(next.map(|(_, permit)| permit));
                    }
                    Step::Leave(_) if waiting.is_empty() => {}
                    Step::Leave(index) => {
                        let place = waiting.remove(index.index(waiting.len())).expect("waits").1;
                        bulkhead.leave(place);
                    }
                }
                prop_assert_eq!(bulkhead.in_use() as usize, under_way.len());
                prop_assert_eq!(bulkhead.queued() as usize, waiting.len());
                prop_assert!(bulkhead.in_use() <= limit && bulkhead.queued() <= queue);
            }
            while let Some(permit) = under_way.pop() {
                under_way.extend(bulkhead.settle(permit, Time::ZERO).map(|(_, permit)| permit));
            }
            prop_assert_eq!((bulkhead.in_use(), bulkhead.queued()), (0, 0));
        }
    }

    #[test]
    fn a_slow_dependency_takes_its_permits_and_no_more() {
        let mut bulkhead = semaphore(3, 0);
        let entries: Vec<Entry> = (0..5).map(|token| bulkhead.enter(Time::ZERO, token)).collect();
        let full = Entry::Refused(Reason::BulkheadFull { limit: 3 });
        assert_eq!(entries[3..], [full, Entry::Refused(Reason::BulkheadFull { limit: 3 })]);
        for entry in entries {
            if let Entry::Admitted(permit) = entry {
                assert_eq!(bulkhead.settle(permit, Time::ZERO), None);
            }
        }
        assert_eq!(bulkhead.in_use(), 0);
    }

    #[test]
    fn with_a_wait_of_zero_nobody_waits() {
        let config = Config { limit: 1, queue: 9, wait: Some(Span::ZERO) };
        let mut bulkhead = config.build().expect("valid");
        assert!(matches!(bulkhead.enter(Time::ZERO, 1), Entry::Admitted(_)));
        assert!(matches!(bulkhead.enter(Time::ZERO, 2), Entry::Refused(_)));
    }

    #[test]
    #[should_panic(expected = "never gave")]
    fn a_permit_of_another_bulkhead_is_noticed() {
        let (mut mine, mut other) = (semaphore(1, 0), semaphore(1, 0));
        let Entry::Admitted(permit) = other.enter(Time::ZERO, 1) else { panic!("one is free") };
        let _ = mine.settle(permit, Time::ZERO);
    }

    #[test]
    fn a_bulkhead_without_permits_is_refused() {
        assert_eq!(Config::limit(0).build().map_err(|e| e.field), Err("limit"));
    }
}
