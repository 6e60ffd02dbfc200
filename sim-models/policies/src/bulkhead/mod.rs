//! Bulkheads: a limit on the calls under way at once, with or without places to wait.
//!
//! Answers: one slow dependency that gathers all threads of its caller, until calls that never
//! needed it wait as well. With a bulkhead only its own compartment floods.
//!
//! Invites: refusals while the other side has room. The right limit is the rate times the latency
//! (Little's law), and it moves with both; too high it protects nothing. Places to wait turn
//! refusals into latency, and a full queue serves calls whose callers have given up.
//!
//! ```text
//!            in_use < limit: a permit
//!  calls  ----------------------------->  [ # # # # ]  ---- settle ---->  the first in the
//!         \  a place is free                   ^                          queue, or nobody
//!          +-----------> [ . . # # # ] --------'
//!         /  no place     queue, first come first served
//!        `---------> refused: BulkheadFull
//! ```
//!
//! A permit that comes back goes straight to the first who waits. Whoever has waited too long
//! leaves: the timer is the caller's, see [`Bulkhead::longest_wait`].
//!
//! Reference: M. Nygard, *Release It!*, 2nd edition 2018, "Bulkheads"; the libraries at the
//! versions that [`presets`] names; for [`thread_pool`] Java's `ThreadPoolExecutor`.

mod line;
pub mod presets;
pub mod semaphore;
pub mod thread_pool;

use sim_core::{Span, Time};

use super::{OutOfRange, Reason};
pub use line::Place;

/// The parameters of a bulkhead, by its kind or the library that it behaves like.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub enum BulkheadConfig {
    /// A number of permits, and places to wait for one.
    Semaphore(semaphore::Config),
    /// Threads with a queue, as in Java.
    ThreadPool(thread_pool::Config),
    /// Resilience4j 2.4, the semaphore.
    Resilience4j(presets::Resilience4j),
    /// Resilience4j 2.4, the thread pool.
    Resilience4jThreadPool(presets::Resilience4jThreadPool),
    /// cockatiel 3.2.
    Cockatiel(presets::Cockatiel),
    /// Polly v8, the concurrency limiter.
    Polly(presets::Polly),
}

impl BulkheadConfig {
    /// So many calls at once; nobody waits.
    pub const fn limit(limit: u32) -> BulkheadConfig {
        BulkheadConfig::Semaphore(semaphore::Config::limit(limit))
    }
}

/// The answer to a call that wants to go.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// It goes. The permit is settled when it ends.
    Admitted(BulkheadPermit),
    /// It waits, until [`Bulkhead::settle`] names its token, or until it leaves its place.
    Queued(Place),
    /// It may not, and waits for nothing.
    Refused(Reason),
}

/// The right to one call under way, given back to [`Bulkhead::settle`] when the call ends in
/// whatever way. A permit that is dropped instead is lost to the bulkhead for good.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct BulkheadPermit(());

/// Any of the bulkheads. Time may stand still, but not go back.
///
/// ```
/// use sim_core::Time;
/// use sim_policies::{Bulkhead, BulkheadConfig, Reason};
/// use sim_policies::bulkhead::{Entry, semaphore};
///
/// let config = semaphore::Config { limit: 1, queue: 1, wait: None };
/// let mut bulkhead = Bulkhead::new(&BulkheadConfig::Semaphore(config))?;
/// let now = Time::ZERO;
/// let Entry::Admitted(permit) = bulkhead.enter(now, 1) else { panic!("one is free") };
/// let Entry::Queued(_) = bulkhead.enter(now, 2) else { panic!("one may wait") };
/// assert_eq!(bulkhead.enter(now, 3), Entry::Refused(Reason::BulkheadFull { limit: 1 }));
///
/// let (token, permit) = bulkhead.settle(permit, now).expect("the second waits");
/// assert_eq!(token, 2);
/// assert_eq!(bulkhead.settle(permit, now), None);
/// assert_eq!(bulkhead.in_use(), 0);
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
///
/// A permit moves, so that it cannot be returned twice:
///
/// ```compile_fail,E0382
/// # use sim_core::Time;
/// # use sim_policies::bulkhead::{Bulkhead, BulkheadConfig, Entry};
/// # let mut bulkhead = Bulkhead::new(&BulkheadConfig::limit(1)).unwrap();
/// let Entry::Admitted(permit) = bulkhead.enter(Time::ZERO, 1) else { panic!() };
/// bulkhead.settle(permit, Time::ZERO);
/// bulkhead.settle(permit, Time::ZERO);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is documented at its configuration")]
pub enum Bulkhead {
    Semaphore(semaphore::Semaphore),
    ThreadPool(thread_pool::ThreadPool),
}

impl Bulkhead {
    /// A bulkhead with nobody inside.
    ///
    /// # Errors
    /// When a parameter is outside what the kind or the library accepts.
    pub fn new(config: &BulkheadConfig) -> Result<Bulkhead, OutOfRange> {
        Ok(match config {
            BulkheadConfig::Semaphore(config) => {
                Bulkhead::Semaphore(semaphore::Semaphore::new(config.clone())?)
            }
            BulkheadConfig::ThreadPool(config) => {
                Bulkhead::ThreadPool(thread_pool::ThreadPool::new(config.clone())?)
            }
            BulkheadConfig::Resilience4j(config) => Bulkhead::Semaphore(config.build()?),
            BulkheadConfig::Resilience4jThreadPool(config) => Bulkhead::ThreadPool(config.build()?),
            BulkheadConfig::Cockatiel(config) => Bulkhead::Semaphore(config.build()),
            BulkheadConfig::Polly(config) => Bulkhead::Semaphore(config.build()?),
        })
    }

    /// A call wants to go. `token` is the caller's name for it, given back when its turn comes.
    pub fn enter(&mut self, now: Time, token: u64) -> Entry {
        match self {
            Bulkhead::Semaphore(machine) => machine.enter(token),
            Bulkhead::ThreadPool(machine) => machine.enter(now, token),
        }
    }

    /// A call has ended. Whoever waits first goes now, with the permit that is returned: its token
    /// and its permit, and its place is no more.
    ///
    /// # Panics
    /// When more permits come back than were given: one was another bulkhead's.
    #[must_use = "the call whose turn it is would never go"]
    pub fn settle(&mut self, permit: BulkheadPermit, now: Time) -> Option<(u64, BulkheadPermit)> {
        match self {
            Bulkhead::Semaphore(machine) => machine.settle(permit),
            Bulkhead::ThreadPool(machine) => machine.settle(permit, now),
        }
    }

    /// A call has waited too long, or its caller is gone: its turn will not come any more.
    ///
    /// # Panics
    /// When its turn has already come: then its permit is settled instead.
    pub fn leave(&mut self, place: Place) {
        match self {
            Bulkhead::Semaphore(machine) => machine.leave(place),
            Bulkhead::ThreadPool(machine) => machine.leave(place),
        }
    }

    /// How long a call may stand in the queue, after which its caller makes it leave; `None` is
    /// for ever.
    pub const fn longest_wait(&self) -> Option<Span> {
        match self {
            Bulkhead::Semaphore(machine) => machine.longest_wait(),
            Bulkhead::ThreadPool(_) => None,
        }
    }

    /// Calls under way, 0 to the limit.
    pub const fn in_use(&self) -> u32 {
        match self {
            Bulkhead::Semaphore(machine) => machine.in_use(),
            Bulkhead::ThreadPool(machine) => machine.busy(),
        }
    }

    /// The most calls that can be under way.
    pub const fn limit(&self) -> u32 {
        match self {
            Bulkhead::Semaphore(machine) => machine.limit(),
            Bulkhead::ThreadPool(machine) => machine.limit(),
        }
    }

    /// Places of the queue that are taken, also by calls that have left and still hold theirs.
    pub const fn queued(&self) -> u32 {
        match self {
            Bulkhead::Semaphore(machine) => machine.queued(),
            Bulkhead::ThreadPool(machine) => machine.queued(),
        }
    }

    /// All places of the queue.
    pub const fn places(&self) -> u32 {
        match self {
            Bulkhead::Semaphore(machine) => machine.places(),
            Bulkhead::ThreadPool(machine) => machine.places(),
        }
    }
}
