//! The breaker of aiobreaker (Python, asyncio): pybreaker's for coroutines, without its lock.
//!
//! Answers: a coroutine that calls a dependency which fails.
//!
//! Invites: half-open admits everybody, so that a recovering side meets the whole load at once.
//!
//! Reference: aiobreaker 1.2.0, `CircuitBreaker`, `CircuitClosedState`, `CircuitOpenState`,
//! `CircuitHalfOpenState`, `CircuitMemoryStorage`.
//!
//! ```text
//!              fail_max failures without a success between
//!    +--------+ -----------------------------------------> +--------------+
//!    | closed |                                            | open until t |  refuses
//!    +--------+ <---------------.                          +--------------+
//!      admits all                \             first call    |   ^  a failure:
//!                                 \            from t on     v   |  t = now + timeout
//!                       a success  `---------------------- +-----------+
//!                                                          | half-open |  admits all
//!                                                          +-----------+
//! ```
//!
//! A call keeps the state object that admitted it, whatever the state is by then. So a late failure
//! of a closed time may open it anew, and a late success of a half-open time closes it, even when it
//! is open. Such a transition may lead from a state to itself. A success of any time zeroes the
//! count.
//!
//! An excluded error is a success. Every other `Exception` is a failure; a cancelled coroutine raises
//! `CancelledError`, which is none since Python 3.8, and so counts as nothing.
//!
//! Left out: Redis storage, listeners, opening and closing by hand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Admitted, Because, Change, Machine, Permit, Preset, StateName, Transition,
    TransitionReason, Verdict,
};
use crate::family::Build;
use crate::{OutOfRange, Reason};

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiobreakerBreaker")]
pub struct Config {
    /// Opens after so many failures without a success between; 0 is as good as 1.
    pub fail_max: u32,
    /// How long it stays open.
    pub timeout_duration: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config { fail_max: 5, timeout_duration: Span::secs(60) }
    }
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Aiobreaker {
    config: Config,
    state: State,
    /// Failures since the last success, or since it closed.
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

impl Aiobreaker {
    /// Failures since the last success.
    pub const fn fail_counter(&self) -> u64 {
        self.failures
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        if state == State::Closed {
            self.failures = 0;
        }
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    fn succeed(&mut self, admitted: Admitted, changes: &mut Vec<Change>) {
        self.failures = 0;
        if admitted.half_open {
            let reason = match admitted.period == self.period {
                true => TransitionReason::TestsSucceeded,
                false => TransitionReason::LateSuccess,
            };
            self.enter(State::Closed, reason, changes);
        }
    }

    fn fail(&mut self, admitted: Admitted, now: Time, changes: &mut Vec<Change>) {
        self.failures += 1;
        if !admitted.half_open && self.failures < u64::from(self.config.fail_max) {
            return;
        }
        let because = match (admitted.half_open, self.state) {
            (true, _) if admitted.period == self.period => TransitionReason::TestFailed.into(),
            (false, State::Closed) => {
                TransitionReason::ConsecutiveFailures.on_calls(self.failures, self.config.fail_max)
            }
            _ => Because::from(TransitionReason::LateFailure),
        };
        let until = now + self.config.timeout_duration;
        self.enter(State::Open { until }, because, changes);
    }
}

impl Build for Config {
    type Machine = Aiobreaker;

    /// # Errors
    /// Never: like the library it works with all values.
    fn build(&self) -> Result<Aiobreaker, OutOfRange> {
        let config = self.clone();
        Ok(Aiobreaker { config, state: State::Closed, failures: 0, period: 0 })
    }
}

impl Preset for Config {
    /// `except Exception` does not see a `CancelledError`.
    fn cancelled(&self) -> Verdict {
        Verdict::Cancelled
    }
}

impl Machine for Aiobreaker {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        if let State::Open { until } = self.state {
            if now < until {
                return Admission::Refused(Reason::BreakerOpen { until: Some(until) });
            }
            self.enter(State::HalfOpen, TransitionReason::OpenTimeOver, changes);
        }
        let half_open = self.state == State::HalfOpen;
        Admission::Admitted(Permit::new(now, Admitted { half_open, period: self.period }.tag()))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let admitted = Admitted::from_tag(permit.tag);
        match verdict {
            Verdict::Success | Verdict::Ignored => self.succeed(admitted, changes),
            Verdict::Failure => self.fail(admitted, now, changes),
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
    use crate::laws::breaker::{Ended, Promises, play};

    proptest! {
        #[test]
        fn it_keeps_the_laws(
            fail_max in 0..4u32,
            timeout in 0..20u64,
            inputs in calls(seconds()),
        ) {
            let timeout_duration = Span::secs(timeout);
            let config = Config { fail_max, timeout_duration };
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + timeout_duration)),
                ..Promises::default()
            };
            promises.hold(&play(config.build().expect("valid"), &inputs));
        }

        #[test]
        fn a_call_of_a_half_open_time_decides_whatever_the_state_is(inputs in calls(seconds())) {
            let config = Config { fail_max: 2, timeout_duration: Span::secs(2) };
            for step in play(config.build().expect("valid"), &inputs) {
                let Some(Ended { verdict, tag, .. }) = step.ended() else { continue };
                if Admitted::from_tag(tag).half_open {
                    let expected = match verdict {
                        Verdict::Success | Verdict::Ignored => Some(StateName::Closed),
                        Verdict::Failure => Some(StateName::Open),
                        Verdict::Cancelled => None,
                    };
                    prop_assert_eq!(step.transitions().next().map(|change| change.to), expected);
                }
            }
        }
    }
}
