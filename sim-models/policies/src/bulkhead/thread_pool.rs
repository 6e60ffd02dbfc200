//! Threads with a queue in front, in the order of Java's `ThreadPoolExecutor`.
//!
//! Answers: calls that must not run on their caller's threads, so that a caller can give up while
//! the call still hangs.
//!
//! Invites: a surprise about its order. The queue fills *before* threads grow beyond the core: a
//! pool of core 3, max 100 and 10 000 places runs three calls at a time for a long while. And who
//! gets a new thread when the queue is full is the newest call, past all that wait.
//!
//! ```text
//!   a call arrives:
//!     threads < core  -------------> a new thread runs it (also when another is idle)
//!     a thread is idle  -----------> that thread runs it, the one that is idle longest
//!     a place in the queue is free > it waits there
//!     threads < max  --------------> a new thread runs it, past those that wait
//!     otherwise  ------------------> refused
//!
//!   a thread is done:
//!     somebody waits  -------------> it runs the first of them
//!     threads <= core  ------------> it stays idle for ever
//!     threads > core  -------------> it stays idle for keep_alive; then it ends, unless there
//!                                    are only core threads left by then
//! ```
//!
//! A call that leaves the queue holds its place until its turn, and is then skipped: cancelling a
//! task does not take it out of the executor's queue. A thread whose `keep_alive` is over at the
//! instant at which a call arrives has ended before.
//!
//! Reference: `java.util.concurrent.ThreadPoolExecutor` (Java 17), `execute`, `getTask`; with
//! `queue_capacity` 0 over a `SynchronousQueue`, otherwise an `ArrayBlockingQueue`.
//!
//! Left out: `allowCoreThreadTimeOut`, rejection policies other than `AbortPolicy`, threads that
//! die of an exception, and that Resilience4j's pool still runs a call whose caller has left.

use std::collections::VecDeque;

use sim_core::{Span, Time};

use super::line::{Line, Place};
use super::machine::{BulkheadPermit, Entry, Machine};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{OutOfRange, Reason};

/// How many threads, how many places, and how long a thread waits for work.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = r#"ThreadPool(core_threads: 4, max_threads: 8, queue_capacity: 100, keep_alive: "60s")"#
)]
#[schemars(rename = "ThreadPoolBulkhead")]
pub struct Config {
    /// Threads that stay. With 0 a call that finds no thread still gets a first one.
    pub core_threads: u32,
    /// Threads at most, at least 1 and `core_threads`.
    #[schemars(range(min = 1))]
    pub max_threads: u32,
    /// Places to wait in; with 0 a call goes at once or is refused.
    pub queue_capacity: u32,
    /// How long a thread beyond the core stays idle before it ends; 0 ends it at once.
    pub keep_alive: Span,
}

/// The threads and their queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadPool {
    config: Config,
    /// Threads alive: busy or idle.
    threads: u32,
    busy: u32,
    /// When idle threads end, longest idle first. The other idle ones stay; they became idle after
    /// these, since threads grow beyond the core only while none is idle.
    ending: VecDeque<Time>,
    line: Line,
}

impl ThreadPool {
    /// Threads alive at `now`, busy or idle.
    pub fn threads(&mut self, now: Time) -> u32 {
        self.end_idle_threads(now);
        self.threads
    }

    /// Ends the idle threads whose time is over, unless only the core is left.
    fn end_idle_threads(&mut self, now: Time) {
        while self.ending.front().is_some_and(|ends| *ends <= now) {
            self.ending.pop_front();
            if self.threads > self.config.core_threads {
                self.threads -= 1;
            }
        }
    }
}

impl Build for Config {
    type Machine = ThreadPool;

    /// # Errors
    /// When `max_threads` is zero or below `core_threads`.
    fn build(&self) -> Result<ThreadPool, OutOfRange> {
        let config = self.clone();
        at_least_one("max_threads", config.max_threads)?;
        if config.max_threads < config.core_threads {
            let allowed = format!("at least core_threads, {}", config.core_threads);
            return Err(OutOfRange::new("max_threads", config.max_threads, allowed));
        }
        let line = Line::new(config.queue_capacity);
        Ok(ThreadPool { config, threads: 0, busy: 0, ending: VecDeque::new(), line })
    }
}

impl Machine for ThreadPool {
    fn enter(&mut self, now: Time, token: u64) -> Entry {
        self.end_idle_threads(now);
        if self.threads < self.config.core_threads.max(1) {
            self.threads += 1;
        } else if self.threads > self.busy {
            self.ending.pop_front();
        } else if self.line.len() < self.config.queue_capacity {
            return Entry::Queued(self.line.join(token));
        } else if self.threads < self.config.max_threads {
            self.threads += 1;
        } else {
            return Entry::Refused(Reason::BulkheadFull { limit: self.config.max_threads });
        }
        self.busy += 1;
        Entry::Admitted(BulkheadPermit(()))
    }

    fn settle(&mut self, permit: BulkheadPermit, now: Time) -> Option<(u64, BulkheadPermit)> {
        assert!(self.busy > 0, "a permit came back that this bulkhead never gave");
        self.end_idle_threads(now);
        while let Some(served) = self.line.serve() {
            if let Some(token) = served {
                return Some((token, permit));
            }
        }
        self.busy -= 1;
        if self.threads > self.config.core_threads {
            self.ending.push_back(now + self.config.keep_alive);
        }
        None
    }

    fn leave(&mut self, place: Place) {
        self.line.abandon(place);
    }

    fn in_use(&self) -> u32 {
        self.busy
    }

    fn limit(&self) -> u32 {
        self.config.max_threads
    }

    fn queued(&self) -> u32 {
        self.line.len()
    }

    fn places(&self) -> u32 {
        self.config.queue_capacity
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::refused;

    fn pool(core_threads: u32, max_threads: u32, queue_capacity: u32) -> ThreadPool {
        let keep_alive = Span::millis(20);
        let config = Config { core_threads, max_threads, queue_capacity, keep_alive };
        config.build().expect("valid")
    }

    fn millis(n: u64) -> Time {
        Time::ZERO + Span::millis(n)
    }

    fn admitted(entry: Entry) -> BulkheadPermit {
        let Entry::Admitted(permit) = entry else { panic!("{entry:?}") };
        permit
    }

    /// One thread of the naive pool: it looks for work as the Java worker's loop does.
    #[derive(Clone, Debug)]
    enum Worker {
        Busy,
        Idle { since: usize, until: Option<Time> },
    }

    /// The pool as a list of workers, each of which is looked at each time.
    struct Naive {
        config: Config,
        workers: Vec<Worker>,
        queue: Vec<Option<u64>>,
        turns: usize,
    }

    #[derive(Debug, PartialEq)]
    enum Outcome {
        Runs,
        Queues,
        Refused,
    }

    impl Naive {
        fn let_time_pass(&mut self, now: Time) {
            loop {
                let due = |worker: &Worker| match worker {
                    Worker::Idle { since, until: Some(until) } if *until <= now => {
                        Some((*until, *since))
                    }
                    _ => None,
                };
                let next = (0..self.workers.len())
                    .filter_map(|n| due(&self.workers[n]).map(|due| (due, n)))
                    .min();
                let Some((_, n)) = next else { return };
                if self.workers.len() > self.config.core_threads as usize {
                    self.workers.remove(n);
                } else {
                    self.turns += 1;
                    self.workers[n] = Worker::Idle { since: self.turns, until: None };
                }
            }
        }

        fn enter(&mut self, now: Time, token: u64) -> Outcome {
            self.let_time_pass(now);
            let idle = |worker: &Worker| match worker {
                Worker::Idle { since, .. } => Some(*since),
                Worker::Busy => None,
            };
            let longest = (0..self.workers.len())
                .filter_map(|n| idle(&self.workers[n]).map(|since| (since, n)))
                .min();
            let threads = self.workers.len();
            if threads < self.config.core_threads as usize || threads == 0 {
                self.workers.push(Worker::Busy);
            } else if let Some((_, n)) = longest {
                self.workers[n] = Worker::Busy;
            } else if self.queue.len() < self.config.queue_capacity as usize {
                self.queue.push(Some(token));
                return Outcome::Queues;
            } else if threads < self.config.max_threads as usize {
                self.workers.push(Worker::Busy);
            } else {
                return Outcome::Refused;
            }
            Outcome::Runs
        }

        fn settle(&mut self, now: Time) -> Option<u64> {
            self.let_time_pass(now);
            while !self.queue.is_empty() {
                if let Some(token) = self.queue.remove(0) {
                    return Some(token);
                }
            }
            let timed = self.workers.len() > self.config.core_threads as usize;
            self.turns += 1;
            let until = timed.then(|| now + self.config.keep_alive);
            let busy = self.workers.iter_mut().find(|worker| matches!(worker, Worker::Busy));
            *busy.expect("one is busy") = Worker::Idle { since: self.turns, until };
            None
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Enter,
        Settle,
        Leave(prop::sample::Index),
    }

    proptest! {
        #[test]
        fn it_is_the_list_of_workers_that_it_stands_for(
            core in 0..4u32, more in 0..4u32, queue_capacity in 0..5u32,
            steps in proptest::collection::vec(
                (
                    prop_oneof![4 => Just(0), 2 => 1..15u64, 1 => 20..50u64],
                    prop_oneof![
                        4 => Just(Step::Enter),
                        4 => Just(Step::Settle),
                        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
                    ],
                ),
                0..150,
            ),
        ) {
            let max = (core + more).max(1);
            let mut pool = pool(core, max, queue_capacity);
            let config = pool.config.clone();
            let mut naive = Naive { config, workers: vec![], queue: vec![], turns: 0 };
            let (mut now, mut under_way, mut places) = (Time::ZERO, Vec::new(), Vec::new());
            for (token, (gap, step)) in (0..).zip(steps) {
                now += Span::millis(gap);
                match step {
                    Step::Enter => {
                        let outcome = match pool.enter(now, token) {
                            Entry::Admitted(permit) => {
                                under_way.push(permit);
                                Outcome::Runs
                            }
                            Entry::Queued(place) => {
                                places.push((token, place));
                                Outcome::Queues
                            }
                            Entry::Refused(reason) => {
                                prop_assert_eq!(reason, Reason::BulkheadFull { limit: max });
                                Outcome::Refused
                            }
                        };
                        prop_assert_eq!(outcome, naive.enter(now, token));
                    }
                    Step::Settle => {
                        let Some(permit) = under_way.pop() else { continue };
                        let next = pool.settle(permit, now);
                        prop_assert_eq!(next.as_ref().map(|(token, _)| *token), naive.settle(now));
                        if let Some((token, permit)) = next {
                            places.retain(|(waiting, _)| *waiting != token);
                            under_way.push(permit);
                        }
                    }
                    Step::Leave(_) if places.is_empty() => {}
                    Step::Leave(index) => {
                        let (token, place) = places.remove(index.index(places.len()));
                        pool.leave(place);
                        let left = naive.queue.iter_mut().find(|queued| **queued == Some(token));
                        *left.expect("it waits") = None;
                    }
                }
                naive.let_time_pass(now);
                prop_assert_eq!(pool.threads(now) as usize, naive.workers.len());
                prop_assert_eq!(pool.in_use() as usize, under_way.len());
                prop_assert_eq!(pool.queued() as usize, naive.queue.len());
                prop_assert!(pool.in_use() <= pool.threads && pool.threads <= max);
                prop_assert!(pool.queued() <= queue_capacity);
                prop_assert!(pool.ending.len() <= (pool.threads - pool.busy) as usize);
            }
            while let Some(permit) = under_way.pop() {
                under_way.extend(pool.settle(permit, now).map(|(_, permit)| permit));
            }
            let years = now + Span::secs(10 * 365 * 86_400);
            prop_assert!(pool.threads(years) <= core);
            prop_assert_eq!((pool.in_use(), pool.queued()), (0, 0));
        }
    }

    #[test]
    fn the_queue_fills_before_threads_grow_and_the_newest_call_gets_the_new_thread() {
        let mut pool = pool(1, 2, 2);
        let first = admitted(pool.enter(millis(0), 1));
        assert!(matches!(pool.enter(millis(0), 2), Entry::Queued(_)));
        assert!(matches!(pool.enter(millis(0), 3), Entry::Queued(_)));
        let _fourth = admitted(pool.enter(millis(0), 4));
        let full = Entry::Refused(Reason::BulkheadFull { limit: 2 });
        assert_eq!(pool.enter(millis(0), 5), full);
        let (token, _) = pool.settle(first, millis(1)).expect("two wait");
        assert_eq!(token, 2);
    }

    #[test]
    fn below_the_core_a_call_starts_a_thread_although_one_is_idle() {
        let mut pool = pool(2, 2, 1);
        let first = admitted(pool.enter(millis(0), 1));
        assert_eq!(pool.settle(first, millis(1)), None);
        let _second = admitted(pool.enter(millis(2), 2));
        assert_eq!(pool.threads(millis(2)), 2);
    }

    #[test]
    fn an_extra_thread_ends_when_it_was_idle_for_its_keep_alive() {
        let mut pool = pool(1, 2, 1);
        let permits = [1, 2, 3].map(|token| pool.enter(millis(0), token));
        let [Entry::Admitted(first), Entry::Queued(_), Entry::Admitted(third)] = permits else {
            panic!("{permits:?}")
        };
        let (_, second) = pool.settle(first, millis(10)).expect("the second waits");
        assert_eq!(pool.settle(third, millis(10)), None);
        assert_eq!(pool.settle(second, millis(10)), None);
        assert_eq!([pool.threads(millis(29)), pool.threads(millis(30))], [2, 1]);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let new = |core_threads, max_threads| {
            let (queue_capacity, keep_alive) = (0, Span::ZERO);
            let config = Config { core_threads, max_threads, queue_capacity, keep_alive };
            refused(&config)
        };
        let found = [new(0, 0), new(2, 1), new(0, 1)];
        assert_eq!(found, [Some("max_threads"), Some("max_threads"), None]);
    }
}
