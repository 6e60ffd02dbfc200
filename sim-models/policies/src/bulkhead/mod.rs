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
mod machine;
pub mod presets;
pub mod semaphore;
pub mod thread_pool;

use sim_core::{Span, Time};

use crate::family::{Build, family};

pub use self::machine::{BulkheadPermit, Entry, Machine, Place};

family! {
    /// The parameters of a bulkhead, by its kind or the library that it behaves like.
    #[schemars(title = "bulkhead")]
    pub enum BulkheadConfig;

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
    pub enum Bulkhead, each a Machine;

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

impl Bulkhead {
    /// See [`Machine::enter`].
    pub fn enter(&mut self, now: Time, token: u64) -> Entry {
        self.machine_mut().enter(now, token)
    }

    /// See [`Machine::settle`].
    ///
    /// # Panics
    /// When more permits come back than were given.
    #[must_use = "the call whose turn it is would never go"]
    pub fn settle(&mut self, permit: BulkheadPermit, now: Time) -> Option<(u64, BulkheadPermit)> {
        self.machine_mut().settle(permit, now)
    }

    /// See [`Machine::leave`].
    ///
    /// # Panics
    /// When its turn has already come.
    pub fn leave(&mut self, place: Place) {
        self.machine_mut().leave(place);
    }

    /// See [`Machine::longest_wait`].
    pub fn longest_wait(&self) -> Option<Span> {
        self.machine().longest_wait()
    }

    /// See [`Machine::in_use`].
    pub fn in_use(&self) -> u32 {
        self.machine().in_use()
    }

    /// See [`Machine::limit`].
    pub fn limit(&self) -> u32 {
        self.machine().limit()
    }

    /// See [`Machine::queued`].
    pub fn queued(&self) -> u32 {
        self.machine().queued()
    }

    /// See [`Machine::places`].
    pub fn places(&self) -> u32 {
        self.machine().places()
    }
}
