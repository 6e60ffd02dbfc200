//! The breaker of circuitbreaker (Python, fabfuel): a count that any success clears.
//!
//! Answers: a decorator on one function, with no more to configure than a count and a time.
//!
//! Invites: half-open is a matter of time alone, so that all callers pass until the first result.
//! Any success closes it, however late, and an error that does not count is a success.
//!
//! Reference: circuitbreaker 2.1.3, `CircuitBreaker`.
//!
//! ```text
//!              failure_threshold failures without a success between
//!    +--------+ --------------------------------------------------> +--------------+
//!    | closed |                                                     | open until t |  refuses
//!    +--------+ <------------------.                                +--------------+
//!      admits all                   \                        at t     |   ^ any failure:
//!                 any success, late  \                                v   | t = now + timeout
//!                 ones too            `---------------------------- +-----------+
//!                                                                   | half-open |  admits all
//!                                                                   +-----------+
//! ```
//!
//! The count is not cleared when it opens, so one failure is enough from then on. A late failure
//! that meets it open restarts the open time. The library's own state changes to half-open by the
//! clock; here it changes when a call asks, which is the same to every caller.
//!
//! By default every `Exception` counts. A cancelled coroutine raises `CancelledError`, which is none
//! since Python 3.8, and so a success: it closes the breaker.
//!
//! Left out: fallback functions, predicates over exceptions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::{OutOfRange, Reason};

/// `CircuitBreaker.FAILURE_THRESHOLD` and `CircuitBreaker.RECOVERY_TIMEOUT`.
const THRESHOLD: u32 = 5;
const TIMEOUT: Span = Span::secs(30);

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CircuitbreakerBreaker")]
pub struct Config {
    /// Opens after so many failures without a success between; 0 is the default, 5.
    pub failure_threshold: u32,
    /// How long it stays open; zero is the default, 30 s.
    pub recovery_timeout: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config { failure_threshold: THRESHOLD, recovery_timeout: TIMEOUT }
    }
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Circuitbreaker {
    threshold: u64,
    timeout: Span,
    state: State,
    /// Failures since the last success.
    failures: u64,
    /// Counts the transitions.
    period: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Time },
    HalfOpen,
}

impl Circuitbreaker {
    /// Failures since the last success.
    pub const fn failure_count(&self) -> u64 {
        self.failures
    }

    /// The state that the library's property shows: half-open by the clock alone.
    pub fn state_at(&self, now: Time) -> StateName {
        match self.state {
            State::Open { until } if now >= until => StateName::HalfOpen,
            state => state.name(),
        }
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    fn succeed(&mut self, permit: Permit, changes: &mut Vec<Change>) {
        self.failures = 0;
        if self.state != State::Closed {
            let late = permit.tag != self.period;
            let reason = match late {
                true => TransitionReason::LateSuccess,
                false => TransitionReason::TestsSucceeded,
            };
            self.enter(State::Closed, reason, changes);
        }
    }

    fn fail(&mut self, permit: Permit, now: Time, changes: &mut Vec<Change>) {
        self.failures += 1;
        if self.failures < self.threshold {
            return;
        }
        let because = match self.state {
            State::Closed => {
                TransitionReason::ConsecutiveFailures.on_calls(self.failures, self.threshold)
            }
            State::HalfOpen if permit.tag == self.period => TransitionReason::TestFailed.into(),
            State::HalfOpen | State::Open { .. } => Because::from(TransitionReason::LateFailure),
        };
        self.enter(State::Open { until: now + self.timeout }, because, changes);
    }
}

impl Build for Config {
    type Machine = Circuitbreaker;

    /// # Errors
    /// Never: like the library it works with all values.
    fn build(&self) -> Result<Circuitbreaker, OutOfRange> {
        // Python's `or`.
        let threshold =
            if self.failure_threshold == 0 { THRESHOLD } else { self.failure_threshold };
        let timeout = if self.recovery_timeout.is_zero() { TIMEOUT } else { self.recovery_timeout };
        let (threshold, state) = (threshold.into(), State::Closed);
        Ok(Circuitbreaker { threshold, timeout, state, failures: 0, period: 0 })
    }
}

impl Preset for Config {
    /// `CancelledError` is no `Exception`, and what is not expected resets the count.
    fn cancelled(&self) -> Verdict {
        Verdict::Success
    }
}

impl Machine for Circuitbreaker {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        if let State::Open { until } = self.state {
            if now < until {
                return Admission::Refused(Reason::BreakerOpen { until: Some(until) });
            }
            self.enter(State::HalfOpen, TransitionReason::OpenTimeOver, changes);
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        match verdict {
            Verdict::Success | Verdict::Ignored => self.succeed(permit, changes),
            Verdict::Failure => self.fail(permit, now, changes),
            Verdict::Cancelled => {}
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }
}

impl State {
    const fn name(self) -> StateName {
        match self {
            State::Closed => StateName::Closed,
            State::Open { .. } => StateName::Open,
            State::HalfOpen => StateName::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::laws::breaker::testing::{calls, seconds};
    use crate::laws::breaker::{Promises, play};

    proptest! {
        #[test]
        fn it_keeps_the_laws(
            failure_threshold in 0..4u32,
            recovery in 1..20u64,
            inputs in calls(seconds()),
        ) {
            let recovery_timeout = Span::secs(recovery);
            let config = Config { failure_threshold, recovery_timeout };
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + recovery_timeout)),
                ..Promises::default()
            };
            promises.hold(&play(config.build().expect("valid"), &inputs));
        }

        /// A count above the threshold stays, so that one failure is enough.
        #[test]
        fn it_is_closed_exactly_while_the_count_is_below_the_threshold(
            inputs in calls(seconds()),
        ) {
            let config = Config { failure_threshold: 2, ..Config::default() };
            for step in play(config.build().expect("valid"), &inputs) {
                let is_closed = step.after.state() == StateName::Closed;
                prop_assert_eq!(is_closed, step.after.failure_count() < 2);
            }
        }
    }

    #[test]
    fn nothing_is_the_default() {
        let zero = Config { failure_threshold: 0, recovery_timeout: Span::ZERO };
        assert_eq!(zero.build(), Config::default().build());
    }
}
