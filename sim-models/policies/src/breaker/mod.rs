//! Circuit breakers: stop asking a side that keeps failing.
//!
//! Each library's breaker is a state machine of its own, in a file of its own, since their
//! semantics differ wherever they can. They differ in what the window counts, who may trip it, how
//! many tests run at once, and what a late result does. What they share is the shape of the
//! conversation, which is [`Machine`]. A call asks with [`Machine::admit`], and its end is given to
//! [`Machine::settle`]. A machine that acts on its own names its next instant with
//! [`Machine::wakes_at`].
//!
//! What counts as a failure is the library's own choice too, which is [`Preset::verdict`]. Most count
//! every exception. With a client that raises on a status from 400 on, as Java's `RestTemplate`,
//! Python's `raise_for_status` and axios do, a 404 is one. That is the assumption for all of them;
//! with Go's `http.Client` or .NET's `HttpClient` it is the caller's code that turns a status into an
//! error. The tests hold each library against the same twelve endings.
//!
//! One more is a file with its options and its machine, its `mod` line and its row below.
//!
//! Answers: the dependency that is down. Calls to it hold threads until they time out, and the
//! caller fails with it. An open breaker refuses at once, so that the caller stays alive and the
//! other side gets room to recover.
//!
//! Invites: refusing calls that would have succeeded, and breakers of many callers that test,
//! close and open together.
//!
//! Reference: M. Nygard, *Release It!*, 2nd edition 2018, "Circuit Breaker"; M. Fowler,
//! "CircuitBreaker", 2014; the libraries at the versions that each file names.

pub mod aiobreaker;
pub mod circuitbreaker;
pub mod cockatiel;
pub mod consecutive;
pub mod eapache;
pub mod failsafe;
pub mod failsafe_rs;
pub mod gobreaker;
pub mod hystrix;
mod machine;
pub mod opossum;
pub mod polly;
pub mod purgatory;
pub mod pybreaker;
pub mod recloser;
pub mod resilience4j;

use sim_core::Time;

use crate::family::{Build, family};

pub use self::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};

family! {
    /// The parameters of a breaker, by the library that it behaves like.
    #[schemars(title = "breaker")]
    pub enum BreakerConfig, asked as Preset;

    /// Any of the breakers.
    ///
    /// ```
    /// use sim_core::{Span, Time};
    /// use sim_policies::Reason;
    /// use sim_policies::breaker::{Admission, Machine, Verdict};
    /// use sim_policies::breaker::{Breaker, BreakerConfig, consecutive};
    ///
    /// let config = consecutive::Config { failures: 1, ..consecutive::Config::default() };
    /// let mut breaker = Breaker::new(&BreakerConfig::Consecutive(config))?;
    /// let mut changes = Vec::new();
    /// let Admission::Admitted(call) = breaker.admit(Time::ZERO, &mut changes) else { panic!() };
    /// breaker.settle(call, Time::ZERO, Verdict::Failure, &mut changes);
    ///
    /// let until = Some(Time::ZERO + Span::secs(30));
    /// let refused = Admission::Refused(Reason::BreakerOpen { until });
    /// assert_eq!(breaker.admit(Time::ZERO, &mut changes), refused);
    /// # Ok::<(), sim_policies::OutOfRange>(())
    /// ```
    pub enum Breaker, each a Machine;

    /// The house's own: consecutive failures open, consecutive tests close.
    Consecutive(consecutive::Config),
    /// Resilience4j's `CircuitBreaker`, 2.4.
    Resilience4j(resilience4j::Config),
    /// Hystrix's `HystrixCircuitBreaker` with its command's timeout, 1.5.18 and 1.5.13.
    Hystrix(hystrix::Config),
    /// Polly's circuit breaker strategy, v8.
    Polly(polly::Config),
    /// Failsafe's `CircuitBreaker` (Java), 3.3.
    Failsafe(failsafe::Config),
    /// sony/gobreaker's `CircuitBreaker`, v2.4.
    Gobreaker(gobreaker::Config),
    /// opossum's `CircuitBreaker` with its timeout and its semaphore, 9.
    Opossum(opossum::Config),
    /// cockatiel's `circuitBreaker`, 3.2.
    Cockatiel(cockatiel::Config),
    /// pybreaker's `CircuitBreaker`, 1.4.
    Pybreaker(pybreaker::Config),
    /// aiobreaker's `CircuitBreaker`, 1.2.
    Aiobreaker(aiobreaker::Config),
    /// circuitbreaker's `CircuitBreaker` (Python), 2.1.
    Circuitbreaker(circuitbreaker::Config),
    /// purgatory's `AsyncCircuitBreakerFactory`, 3.0.
    Purgatory(purgatory::Config),
    /// eapache/go-resiliency's `breaker`, 1.2.
    Eapache(eapache::Config),
    /// recloser's `Recloser` (Rust), 1.4.
    Recloser(recloser::Config),
    /// failsafe's `StateMachine` (Rust), 1.3.
    FailsafeRs(failsafe_rs::Config),
}

impl Default for BreakerConfig {
    fn default() -> BreakerConfig {
        BreakerConfig::Consecutive(consecutive::Config::default())
    }
}

impl Machine for Breaker {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        self.machine_mut().admit(now, changes)
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        self.machine_mut().settle(permit, now, verdict, changes);
    }

    fn state(&self) -> StateName {
        self.machine().state()
    }

    fn wakes_at(&self) -> Option<Time> {
        self.machine().wakes_at()
    }

    fn wake(&mut self, now: Time, changes: &mut Vec<Change>) {
        self.machine_mut().wake(now, changes);
    }

    fn parked_on(&self) -> Option<u64> {
        self.machine().parked_on()
    }
}

#[cfg(test)]
mod tests;
