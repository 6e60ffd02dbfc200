//! The conversation between calls and a breaker, in the words that all of them share.

use std::fmt;

use sim_core::{Span, Time};

use crate::weighed::Weighed;
use crate::{Ending, EndingSet, Reason};

/// A breaker's state by its common name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateName {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A few test calls pass.
    HalfOpen,
    /// Refuses by hand, until it is closed by hand.
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
    /// Such an ending is to be ignored: Resilience4j's `ignoreExceptions`, gobreaker's
    /// `IsExcluded`, opossum's `errorFilter`. Several libraries count it as a success.
    Ignored,
    /// Nothing: the call was cancelled or never sent, and its permit only comes back.
    Cancelled,
}

/// A change of state, for the log and the transition table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// The state it left.
    pub from: StateName,
    /// The state it entered.
    pub to: StateName,
    /// What brought it about.
    pub reason: TransitionReason,
    /// The numbers on which that rests, where there are some.
    pub weighed: Option<Weighed>,
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

/// A reason, with its numbers where it has some.
#[derive(Clone, Copy, Debug)]
pub struct Because {
    /// The reason.
    pub reason: TransitionReason,
    /// The numbers on which it rests.
    pub weighed: Option<Weighed>,
}

/// Something that a breaker tells its listeners.
#[derive(Clone, Copy, Debug, PartialEq)]
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
/// may keep its breaker half-open for good.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    /// When the call was admitted.
    pub(super) started: Time,
    /// Tells the machine which of its periods gave it; each machine numbers its own.
    pub(super) tag: u64,
    /// The luck of the call's end.
    pub(super) draw: u64,
}

impl Permit {
    /// The permit of a call that was admitted at `started`.
    pub const fn new(started: Time, tag: u64) -> Permit {
        Permit { started, tag, draw: 0 }
    }

    /// The same with the luck that a machine has which draws when the call ends; uniform over all of
    /// `u64`, and 0 unless it is given.
    pub const fn with_draw(self, draw: u64) -> Permit {
        Permit { draw, ..self }
    }

    /// When the call was admitted.
    pub const fn started(&self) -> Time {
        self.started
    }

    /// The machine's own number for it, by which [`Machine::parked_on`] names a call.
    pub const fn tag(&self) -> u64 {
        self.tag
    }
}

/// The state object that admitted a call, as the tag of its permit remembers it: of pybreaker and
/// its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    pub(super) half_open: bool,
    pub(super) period: u64,
}

impl Admitted {
    pub(super) const fn tag(self) -> u64 {
        self.period << 1 | self.half_open as u64
    }

    pub(super) const fn from_tag(tag: u64) -> Admitted {
        Admitted { half_open: tag & 1 == 1, period: tag >> 1 }
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

    /// When the machine next acts on its own, if nothing happens before.
    fn wakes_at(&self) -> Option<Time> {
        None
    }

    /// Acts on its own at `now`, which is the instant of [`Machine::wakes_at`].
    fn wake(&mut self, now: Time, changes: &mut Vec<Change>) {
        let _ = (now, changes);
    }

    /// The call under way that a call parked now waits for, by the [`Permit::tag`] of its permit.
    fn parked_on(&self) -> Option<u64> {
        None
    }
}

/// What a library's breaker brings along beside its machine, asked of its options.
pub trait Preset {
    /// Whether that timeout ends what is inside, which goes on otherwise.
    fn timeout_cancels(&self) -> bool {
        true
    }

    /// The timeout that belongs around the call, inside the breaker; zero is none.
    fn timeout(&self) -> Span {
        Span::ZERO
    }

    /// What the library makes of an ending by default.
    ///
    /// Most libraries see exceptions and nothing else. So each status from 400 on is a failure, as
    /// for a client that raises on it; so are a missing answer and what a policy inside has refused.
    fn verdict(&self, ending: Ending) -> Verdict {
        match EndingSet::ANY_FAILURE.contains(ending) {
            true => Verdict::Failure,
            false => Verdict::Success,
        }
    }

    /// What the library makes by default of a call that the caller lets go of. Where the call then
    /// ends in an exception as any other, it is a failure.
    fn cancelled(&self) -> Verdict {
        Verdict::Failure
    }

    /// What a failure turns into that the caller does not want recorded: Resilience4j's
    /// `recordExceptions`, gobreaker's `IsSuccessful`.
    fn unrecorded(&self) -> Verdict {
        Verdict::Success
    }

    /// The open time, where the option goes by the house's name.
    fn open_for(&mut self) -> Option<&mut Span> {
        None
    }

    /// The tests that close it, where the option goes by the house's name.
    fn close_after(&mut self) -> Option<&mut u32> {
        None
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

impl From<TransitionReason> for Because {
    fn from(reason: TransitionReason) -> Because {
        Because { reason, weighed: None }
    }
}

impl TransitionReason {
    /// With the numbers on which it rests.
    pub const fn on(self, weighed: Weighed) -> Because {
        Because { reason: self, weighed: Some(weighed) }
    }

    /// So many calls, of as many as it takes.
    pub fn on_calls(self, calls: impl Into<u64>, threshold: impl Into<u64>) -> Because {
        self.on(Weighed::calls(calls, threshold))
    }
}

impl Transition {
    /// From one state to another, for a reason that may have its numbers.
    pub fn new(from: StateName, to: StateName, because: impl Into<Because>) -> Transition {
        let Because { reason, weighed } = because.into();
        Transition { from, to, reason, weighed }
    }
}

/// As a person reads it: `closed -> open: failure rate (5 of 5 are 100 %, threshold 50 %)`.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Transition { from, to, reason, weighed } = *self;
        write!(f, "{from} -> {to}: {}", Because { reason, weighed })
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        self.weighed.map_or(Ok(()), |weighed| write!(f, " ({weighed})"))
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
}
