//! Circuit breakers: stop asking a side that keeps failing.
//!
//! Each library's breaker is a state machine of its own, in a file of its own, since their
//! semantics differ wherever they can: what the window counts, who may trip it, how many tests run
//! at once, what a late result does. What they share is the shape of the conversation, which is
//! [`Machine`]: a call asks with [`Machine::admit`], its end is told with [`Machine::settle`], and
//! a machine that acts by itself names its next instant with [`Machine::wakes_at`].
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

pub mod cockatiel;
pub mod consecutive;
pub mod failsafe;
pub mod gobreaker;
pub mod hystrix;
pub mod opossum;
pub mod polly;
pub mod pybreaker;
pub mod resilience4j;

use std::fmt;

use sim_core::Time;

use super::{Ending, OutOfRange, Reason};

/// A breaker's state by its common name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateName {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A few test calls pass.
    HalfOpen,
    /// Refuses by hand, until it is told otherwise.
    ForcedOpen,
    /// Passes everything and counts nothing, by hand.
    Disabled,
    /// Passes everything and counts, by hand.
    MetricsOnly,
}

/// What the end of a call says about the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It is in trouble.
    Failure,
    /// The caller is told to ignore such an ending: Resilience4j's `ignoreExceptions`, gobreaker's
    /// `IsExcluded`, opossum's `errorFilter`. Several libraries count it as a success.
    Ignored,
    /// Nothing: the call was cancelled or never sent, and its permit only comes back.
    Cancelled,
}

/// A change of state, for the log and the transition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state it left.
    pub from: StateName,
    /// The state it entered.
    pub to: StateName,
    /// What brought it about.
    pub reason: TransitionReason,
}

/// What brought a change of state about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionReason {
    /// Too many failures in a row.
    ConsecutiveFailures,
    /// Too many failures in the window.
    Failures,
    /// Too high a share of failures in the window.
    FailureRate,
    /// Too high a share of slow calls in the window.
    SlowCallRate,
    /// Its open time was over.
    OpenTimeOver,
    /// A test request failed.
    TestFailed,
    /// Enough test requests succeeded.
    TestsSucceeded,
    /// The tests took longer than half-open may last.
    TestTimeOver,
    /// A call from an earlier period succeeded.
    LateSuccess,
    /// A call from an earlier period failed.
    LateFailure,
    /// By hand.
    Manual,
}

/// Something that a breaker tells its listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has changed its state.
    Transition(Transition),
    /// The failure rate has reached its threshold (Resilience4j's event of that name).
    FailureRateExceeded,
    /// The slow-call rate has reached its threshold (Resilience4j's event of that name).
    SlowCallRateExceeded,
    /// It was reset by hand.
    Reset,
}

/// The right to one call, given back to [`Machine::settle`] with the call's verdict.
///
/// Settle cancelled calls too, as [`Verdict::Cancelled`]: a test request whose permit is dropped
/// may keep its breaker half-open for ever.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    /// When the call was admitted.
    started: Time,
    /// Tells the machine which of its periods gave it; each machine numbers its own.
    tag: u64,
}

impl Permit {
    /// The machine's own number for it, by which [`Machine::parked_on`] names a call.
    pub const fn tag(&self) -> u64 {
        self.tag
    }
}

/// The answer to a call that asks.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may go. The permit is settled when it ends.
    Admitted(Permit),
    /// It may not.
    Refused(Reason),
    /// It waits for the call that [`Machine::parked_on`] names. When that one is settled, all
    /// calls parked on it ask again, in the order they came.
    Parked,
}

/// The conversation between calls and a breaker. Time may stand still, but not go back.
///
/// Whatever the machine tells its listeners is appended to `changes`, in order.
pub trait Machine {
    /// A call asks to be made at `now`.
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission;

    /// A call has ended at `now`.
    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>);

    /// The stored state. A lazy breaker stays open past its time, until a call comes.
    fn state(&self) -> StateName;

    /// When the machine next acts by itself, if nothing happens before.
    fn wakes_at(&self) -> Option<Time> {
        None
    }

    /// Acts by itself at `now`, which is the instant of [`Machine::wakes_at`].
    fn wake(&mut self, now: Time, changes: &mut Vec<Change>) {
        let _ = (now, changes);
    }

    /// The call under way that a call parked now waits for, by the [`Permit::tag`] of its permit.
    fn parked_on(&self) -> Option<u64> {
        None
    }
}

/// The parameters of a breaker, by the library that it behaves like.
#[derive(Clone, Debug, PartialEq)]
pub enum BreakerConfig {
    /// The house's own: consecutive failures open, consecutive tests close.
    Consecutive(consecutive::Config),
    /// Resilience4j 2.4.
    Resilience4j(resilience4j::Config),
    /// Hystrix 1.5.18, and 1.5.13.
    Hystrix(hystrix::Config),
    /// Polly v8.
    Polly(polly::Config),
    /// Failsafe (Java) 3.3.
    Failsafe(failsafe::Config),
    /// sony/gobreaker v2.4.
    Gobreaker(gobreaker::Config),
    /// opossum 9.
    Opossum(opossum::Config),
    /// cockatiel 3.2.
    Cockatiel(cockatiel::Config),
    /// pybreaker 1.4.
    Pybreaker(pybreaker::Config),
}

/// Any of the breakers.
///
/// ```
/// use sim_core::{Span, Time};
/// use crate::Reason;
/// use crate::breaker::{Admission, Breaker, BreakerConfig, Machine, Verdict, consecutive};
///
/// let config = consecutive::Config { failures: 1, open_for: Span::secs(30), close_after: 1 };
/// let mut breaker = Breaker::new(&BreakerConfig::Consecutive(config))?;
/// let mut changes = Vec::new();
/// let Admission::Admitted(call) = breaker.admit(Time::ZERO, &mut changes) else { panic!() };
/// breaker.settle(call, Time::ZERO, Verdict::Failure, &mut changes);
///
/// let until = Some(Time::ZERO + Span::secs(30));
/// let refused = Admission::Refused(Reason::BreakerOpen { until });
/// assert_eq!(breaker.admit(Time::ZERO, &mut changes), refused);
/// # Ok::<(), crate::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is documented at its configuration")]
pub enum Breaker {
    Consecutive(consecutive::Consecutive),
    Resilience4j(resilience4j::Resilience4j),
    Hystrix(hystrix::Hystrix),
    Polly(polly::Polly),
    Failsafe(failsafe::Failsafe),
    Gobreaker(gobreaker::Gobreaker),
    Opossum(opossum::Opossum),
    Cockatiel(cockatiel::Cockatiel),
    Pybreaker(pybreaker::Pybreaker),
}

impl Breaker {
    /// A breaker as it is at time zero.
    ///
    /// # Errors
    /// When a parameter is outside what the library accepts.
    pub fn new(config: &BreakerConfig) -> Result<Breaker, OutOfRange> {
        Ok(match config {
            BreakerConfig::Consecutive(config) => {
                Breaker::Consecutive(consecutive::Consecutive::new(*config)?)
            }
            BreakerConfig::Resilience4j(config) => {
                Breaker::Resilience4j(resilience4j::Resilience4j::new(config.clone())?)
            }
            BreakerConfig::Hystrix(config) => {
                Breaker::Hystrix(hystrix::Hystrix::new(config.clone())?)
            }
            BreakerConfig::Polly(config) => Breaker::Polly(polly::Polly::new(config.clone())?),
            BreakerConfig::Failsafe(config) => {
                Breaker::Failsafe(failsafe::Failsafe::new(config.clone())?)
            }
            BreakerConfig::Gobreaker(config) => {
                Breaker::Gobreaker(gobreaker::Gobreaker::new(config.clone())?)
            }
            BreakerConfig::Opossum(config) => {
                Breaker::Opossum(opossum::Opossum::new(config.clone())?)
            }
            BreakerConfig::Cockatiel(config) => {
                Breaker::Cockatiel(cockatiel::Cockatiel::new(config.clone())?)
            }
            BreakerConfig::Pybreaker(config) => {
                Breaker::Pybreaker(pybreaker::Pybreaker::new(config.clone())?)
            }
        })
    }

    /// What an ending says about the other side.
    ///
    /// A 5xx, a timeout, a refused or reset connection is a failure. So are 408 and 429: the other
    /// side is too slow or too busy, and calling less is the cure. Any other answer, also a 404,
    /// shows a side that works. A call that a policy inside this breaker has rejected was never
    /// sent and says nothing. It is the table of .NET's `HttpClientResiliencePredicates`.
    pub const fn verdict(ending: Ending) -> Verdict {
        match ending {
            Ending::Status(408 | 429 | 500..) => Verdict::Failure,
            Ending::Status(_) => Verdict::Success,
            Ending::TimedOut | Ending::Refused | Ending::Reset => Verdict::Failure,
            Ending::Rejected(_) => Verdict::Cancelled,
        }
    }

    fn machine(&self) -> &dyn Machine {
        match self {
            Breaker::Consecutive(machine) => machine,
            Breaker::Resilience4j(machine) => machine,
            Breaker::Hystrix(machine) => machine,
            Breaker::Polly(machine) => machine,
            Breaker::Failsafe(machine) => machine,
            Breaker::Gobreaker(machine) => machine,
            Breaker::Opossum(machine) => machine,
            Breaker::Cockatiel(machine) => machine,
            Breaker::Pybreaker(machine) => machine,
        }
    }

    fn machine_mut(&mut self) -> &mut dyn Machine {
        match self {
            Breaker::Consecutive(machine) => machine,
            Breaker::Resilience4j(machine) => machine,
            Breaker::Hystrix(machine) => machine,
            Breaker::Polly(machine) => machine,
            Breaker::Failsafe(machine) => machine,
            Breaker::Gobreaker(machine) => machine,
            Breaker::Opossum(machine) => machine,
            Breaker::Cockatiel(machine) => machine,
            Breaker::Pybreaker(machine) => machine,
        }
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

impl StateName {
    /// All of them.
    pub const ALL: [StateName; 6] = [
        StateName::Closed,
        StateName::Open,
        StateName::HalfOpen,
        StateName::ForcedOpen,
        StateName::Disabled,
        StateName::MetricsOnly,
    ];

    /// The state's name in traces and JSON, which stays as it is: `closed`, `half_open`.
    pub const fn id(self) -> &'static str {
        match self {
            StateName::Closed => "closed",
            StateName::Open => "open",
            StateName::HalfOpen => "half_open",
            StateName::ForcedOpen => "forced_open",
            StateName::Disabled => "disabled",
            StateName::MetricsOnly => "metrics_only",
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StateName::Closed => "closed",
            StateName::Open => "open",
            StateName::HalfOpen => "half-open",
            StateName::ForcedOpen => "forced open",
            StateName::Disabled => "disabled",
            StateName::MetricsOnly => "metrics only",
        })
    }
}

impl TransitionReason {
    /// All of them.
    pub const ALL: [TransitionReason; 11] = [
        TransitionReason::ConsecutiveFailures,
        TransitionReason::Failures,
        TransitionReason::FailureRate,
        TransitionReason::SlowCallRate,
        TransitionReason::OpenTimeOver,
        TransitionReason::TestFailed,
        TransitionReason::TestsSucceeded,
        TransitionReason::TestTimeOver,
        TransitionReason::LateSuccess,
        TransitionReason::LateFailure,
        TransitionReason::Manual,
    ];

    /// The reason's name in JSON, which stays as it is: `open_time_over`.
    pub const fn id(self) -> &'static str {
        match self {
            TransitionReason::ConsecutiveFailures => "consecutive_failures",
            TransitionReason::Failures => "failures",
            TransitionReason::FailureRate => "failure_rate",
            TransitionReason::SlowCallRate => "slow_call_rate",
            TransitionReason::OpenTimeOver => "open_time_over",
            TransitionReason::TestFailed => "test_failed",
            TransitionReason::TestsSucceeded => "tests_succeeded",
            TransitionReason::TestTimeOver => "test_time_over",
            TransitionReason::LateSuccess => "late_success",
            TransitionReason::LateFailure => "late_failure",
            TransitionReason::Manual => "manual",
        }
    }
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TransitionReason::ConsecutiveFailures => "consecutive failures",
            TransitionReason::Failures => "failures in the window",
            TransitionReason::FailureRate => "failure rate",
            TransitionReason::SlowCallRate => "slow-call rate",
            TransitionReason::OpenTimeOver => "open time over",
            TransitionReason::TestFailed => "test failed",
            TransitionReason::TestsSucceeded => "tests succeeded",
            TransitionReason::TestTimeOver => "half-open time over",
            TransitionReason::LateSuccess => "late success",
            TransitionReason::LateFailure => "late failure",
            TransitionReason::Manual => "by hand",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_name_of_its_variant() {
        let snake = |name: String| {
            let spread = |(n, c): (usize, char)| {
                let gap = (n > 0 && c.is_ascii_uppercase()).then_some('_');
                gap.into_iter().chain([c.to_ascii_lowercase()])
            };
            name.chars().enumerate().flat_map(spread).collect::<String>()
        };
        for state in StateName::ALL {
            assert_eq!(state.id(), snake(format!("{state:?}")));
        }
        for reason in TransitionReason::ALL {
            assert_eq!(reason.id(), snake(format!("{reason:?}")));
        }
    }

    #[test]
    fn endings_are_judged_as_documented() {
        for (ending, verdict) in [
            (Ending::Status(200), Verdict::Success),
            (Ending::Status(404), Verdict::Success),
            (Ending::Status(409), Verdict::Success),
            (Ending::Status(408), Verdict::Failure),
            (Ending::Status(429), Verdict::Failure),
            (Ending::Status(500), Verdict::Failure),
            (Ending::Status(503), Verdict::Failure),
            (Ending::TimedOut, Verdict::Failure),
            (Ending::Refused, Verdict::Failure),
            (Ending::Reset, Verdict::Failure),
            (Ending::Rejected(Reason::BulkheadFull { limit: 1 }), Verdict::Cancelled),
        ] {
            assert_eq!(Breaker::verdict(ending), verdict, "{ending}");
        }
    }
}
