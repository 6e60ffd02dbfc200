//! The libraries' bulkheads, by their own options and defaults.
//!
//! | library | options and defaults | who waits | who leaves |
//! |---|---|---|---|
//! | [`Resilience4j`] | 25 calls, wait 0 | all, for so long | frees the place |
//! | [`Resilience4jThreadPool`] | CPUs − 1, CPUs, queue 100, 20 ms | the queue | holds the place |
//! | [`Cockatiel`] | queue 0 | the queue | holds the place, loses the turn |
//! | [`Polly`] | 1000 calls, queue 0 | the queue | frees the place |
//!
//! Reference: Resilience4j 2.4.0, cockatiel 3.2.1, Polly 8; the classes are named at each.

use sim_core::Span;

use super::semaphore::{self, Leaving, Semaphore};
use super::thread_pool::{self, ThreadPool};
use crate::OutOfRange;
use crate::family::Build;
use crate::out_of_range::at_least_one;

/// Resilience4j's `SemaphoreBulkhead`: a fair semaphore with a timed wait, in
/// `io.github.resilience4j.bulkhead.{BulkheadConfig, internal.SemaphoreBulkhead}`.
///
/// Left out: `changeConfig`, and `fairCallHandlingStrategyEnabled(false)`. That lets a call
/// overtake which comes between the release of a permit and the waking of the next thread; in
/// virtual time nothing is between.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Resilience4jBulkhead")]
pub struct Resilience4j {
    /// Calls under way at once. With 0 it refuses all.
    #[schemars(range(min = 0, max = 2147483647))]
    pub max_concurrent_calls: u32,
    /// How long a call waits at most, in whole milliseconds (what is finer is cut). At 0 it is
    /// refused at once.
    pub max_wait_duration: Span,
}

impl Default for Resilience4j {
    fn default() -> Resilience4j {
        Resilience4j { max_concurrent_calls: 25, max_wait_duration: Span::ZERO }
    }
}

impl Build for Resilience4j {
    type Machine = Semaphore;

    fn build(&self) -> Result<Semaphore, OutOfRange> {
        java_int("max_concurrent_calls", self.max_concurrent_calls)?;
        let wait = Span::millis(self.max_wait_duration.as_millis());
        let config = semaphore::Config {
            limit: self.max_concurrent_calls,
            queue: u32::MAX,
            wait: Some(wait),
        };
        Ok(Semaphore::with(config, Leaving::Frees))
    }
}

/// Resilience4j's `FixedThreadPoolBulkhead`: a [`thread_pool`] under other names, in
/// `io.github.resilience4j.bulkhead.ThreadPoolBulkheadConfig`.
///
/// The library's default sizes depend on the machine; here they are those of **4 CPUs**.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Resilience4jThreadPoolBulkhead")]
pub struct Resilience4jThreadPool {
    /// Threads that stay: one less than CPUs, here of four.
    #[schemars(range(min = 1))]
    pub core_thread_pool_size: u32,
    /// Threads at most, at least the core's: one per CPU, here of four.
    #[schemars(range(min = 1))]
    pub max_thread_pool_size: u32,
    /// Places to wait in.
    #[schemars(range(min = 1))]
    pub queue_capacity: u32,
    /// How long a thread beyond the core stays idle, in whole milliseconds.
    pub keep_alive_duration: Span,
}

impl Default for Resilience4jThreadPool {
    fn default() -> Resilience4jThreadPool {
        Resilience4jThreadPool {
            core_thread_pool_size: 3,
            max_thread_pool_size: 4,
            queue_capacity: 100,
            keep_alive_duration: Span::millis(20),
        }
    }
}

impl Build for Resilience4jThreadPool {
    type Machine = ThreadPool;

    fn build(&self) -> Result<ThreadPool, OutOfRange> {
        at_least_one("core_thread_pool_size", self.core_thread_pool_size)?;
        at_least_one("max_thread_pool_size", self.max_thread_pool_size)?;
        at_least_one("queue_capacity", self.queue_capacity)?;
        if self.max_thread_pool_size < self.core_thread_pool_size {
            let allowed = format!("at least core_thread_pool_size, {}", self.core_thread_pool_size);
            let found = self.max_thread_pool_size;
            return Err(OutOfRange::new("max_thread_pool_size", found, allowed));
        }
        thread_pool::Config {
            core_threads: self.core_thread_pool_size,
            max_threads: self.max_thread_pool_size,
            queue_capacity: self.queue_capacity,
            keep_alive: Span::millis(self.keep_alive_duration.as_millis()),
        }
        .build()
    }
}

/// cockatiel's `bulkhead(capacity, queue)`, class `BulkheadPolicy`.
///
/// A queued call that is aborted stays in the queue. When its turn comes, it fails without
/// starting, and nobody goes in its stead: the permit is free while others wait, and whoever comes
/// next overtakes them. Each ending call wakes one waiter, so that after as many lost turns as
/// there were calls under way the queue stands still until somebody new comes and ends.
///
/// Left out: a call that arrives within the same turn of the event loop in which another ends
/// takes its slot before the queue does.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Cockatiel(capacity: 10, queue: 5)"#)]
#[schemars(rename = "CockatielBulkhead")]
pub struct Cockatiel {
    /// Calls under way at once. With 0 none ever goes.
    pub capacity: u32,
    /// Places to wait in, without a limit of time.
    #[serde(default)]
    pub queue: u32,
}

impl Build for Cockatiel {
    type Machine = Semaphore;

    fn build(&self) -> Result<Semaphore, OutOfRange> {
        let config = semaphore::Config { limit: self.capacity, queue: self.queue, wait: None };
        Ok(Semaphore::with(config, Leaving::LosesTheTurn))
    }
}

/// Polly's concurrency limiter: `AddConcurrencyLimiter`, .NET's
/// `System.Threading.RateLimiting.ConcurrencyLimiter`.
///
/// Left out: `QueueProcessingOrder.NewestFirst`, which also evicts the oldest waiter.
#[derive(
    Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PollyBulkhead")]
pub struct Polly {
    /// Calls under way at once.
    #[schemars(range(min = 1))]
    pub permit_limit: u32,
    /// Places to wait in, oldest first and without a limit of time.
    pub queue_limit: u32,
}

impl Default for Polly {
    fn default() -> Polly {
        Polly { permit_limit: 1000, queue_limit: 0 }
    }
}

impl Build for Polly {
    type Machine = Semaphore;

    fn build(&self) -> Result<Semaphore, OutOfRange> {
        at_least_one("permit_limit", self.permit_limit)?;
        let config =
            semaphore::Config { limit: self.permit_limit, queue: self.queue_limit, wait: None };
        Ok(Semaphore::with(config, Leaving::Frees))
    }
}

fn java_int(field: &'static str, found: u32) -> Result<(), OutOfRange> {
    let fits = i32::try_from(found).is_ok();
    if fits { Ok(()) } else { Err(OutOfRange::new(field, found, "in 0..=2147483647")) }
}

#[cfg(test)]
mod tests {
    use sim_core::Time;

    use super::*;
    use crate::Reason;
    use crate::bulkhead::{Bulkhead, BulkheadConfig, BulkheadPermit, Entry, Machine, Place};

    fn admitted(entry: Entry) -> BulkheadPermit {
        let Entry::Admitted(permit) = entry else { panic!("{entry:?}") };
        permit
    }

    fn queued(entry: Entry) -> Place {
        let Entry::Queued(place) = entry else { panic!("{entry:?}") };
        place
    }

    #[test]
    fn the_defaults_are_those_of_the_libraries() {
        for (config, limit, places, wait) in [
            (BulkheadConfig::Resilience4j(Resilience4j::default()), 25, 0, Some(Span::ZERO)),
            (BulkheadConfig::Polly(Polly::default()), 1000, 0, None),
            (
                BulkheadConfig::Resilience4jThreadPool(Resilience4jThreadPool::default()),
                4,
                100,
                None,
            ),
        ] {
            let bulkhead = Bulkhead::new(&config).expect("valid");
            let found = (bulkhead.limit(), bulkhead.places(), bulkhead.longest_wait());
            assert_eq!(found, (limit, places, wait));
        }
    }

    #[test]
    fn resilience4j_cuts_its_wait_to_milliseconds() {
        for (wait, cut, places) in [(999, 0, 0), (2_999, 2, u32::MAX)] {
            let config =
                Resilience4j { max_concurrent_calls: 1, max_wait_duration: Span::micros(wait) };
            let bulkhead = config.build().expect("valid");
            assert_eq!(bulkhead.longest_wait(), Some(Span::millis(cut)));
            assert_eq!(bulkhead.places(), places);
        }
    }

    #[test]
    fn an_aborted_call_of_cockatiel_holds_its_place_and_its_turn_is_lost() {
        let config = BulkheadConfig::Cockatiel(Cockatiel { capacity: 1, queue: 2 });
        let mut bulkhead = Bulkhead::new(&config).expect("valid");
        let first = admitted(bulkhead.enter(Time::ZERO, 1));
        let aborted = queued(bulkhead.enter(Time::ZERO, 2));
        let _waits = queued(bulkhead.enter(Time::ZERO, 3));
        bulkhead.leave(aborted);
        let full = Entry::Refused(Reason::BulkheadFull { limit: 1 });
        assert_eq!(bulkhead.enter(Time::ZERO, 4), full, "the place is still taken");
        assert_eq!(bulkhead.settle(first, Time::ZERO), None, "its turn is lost");
        assert_eq!((bulkhead.in_use(), bulkhead.queued()), (0, 1), "3 waits for nothing");
        let overtakes = admitted(bulkhead.enter(Time::ZERO, 5));
        let (token, _permit) = bulkhead.settle(overtakes, Time::ZERO).expect("its end wakes 3");
        assert_eq!(token, 3);
    }

    #[test]
    fn what_the_libraries_refuse_is_refused_by_name() {
        let pool = Resilience4jThreadPool::default;
        let field =
            |config: &BulkheadConfig| Bulkhead::new(config).map_err(|e| e.field).map(|_| ());
        for (config, refused) in [
            (
                Resilience4jThreadPool { core_thread_pool_size: 0, ..pool() },
                "core_thread_pool_size",
            ),
            (Resilience4jThreadPool { max_thread_pool_size: 0, ..pool() }, "max_thread_pool_size"),
            (Resilience4jThreadPool { max_thread_pool_size: 2, ..pool() }, "max_thread_pool_size"),
            (Resilience4jThreadPool { queue_capacity: 0, ..pool() }, "queue_capacity"),
        ] {
            assert_eq!(field(&BulkheadConfig::Resilience4jThreadPool(config)), Err(refused));
        }
        let polly = Polly { permit_limit: 0, queue_limit: 0 };
        assert_eq!(field(&BulkheadConfig::Polly(polly)), Err("permit_limit"));
        let r4j = |max_concurrent_calls| {
            BulkheadConfig::Resilience4j(Resilience4j {
                max_concurrent_calls,
                ..Default::default()
            })
        };
        assert_eq!(field(&r4j(1 << 31)), Err("max_concurrent_calls"));
        assert_eq!(field(&r4j(0)), Ok(()));
        let cockatiel = Cockatiel { capacity: 0, queue: 0 };
        assert_eq!(field(&BulkheadConfig::Cockatiel(cockatiel)), Ok(()));
    }
}
