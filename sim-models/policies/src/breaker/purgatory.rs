//! The breaker of purgatory (Python): three state objects, each with what it needs.
//!
//! Answers: a circuit by name, as a context manager or a decorator, for threads and coroutines.
//!
//! Invites: half-open admits everybody until the first result.
//!
//! Reference: purgatory 3.0.1, `domain/model.py`.
//!
//! ```text
//!              default_threshold failures in a row
//!    +--------+ ---------------------------------> +--------------+
//!    | closed |                                    | open until t |  refuses, t included
//!    +--------+ <---------------.                  +--------------+
//!      admits all                \     first call    |   ^  a failure:
//!                                 \    after t       v   |  t = now + default_ttl
//!                      a success   `-------------- +-----------+
//!                                                  | half-open |  admits all
//!                                                  +-----------+
//! ```
//!
//! A result counts in the state that it meets, whenever its call began; in open it does nothing. An
//! excluded error is a success. Every other exception is a failure, `CancelledError` included, since
//! `__exit__` sees each `BaseException`.
//!
//! Left out: the Redis unit of work, hooks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::{OutOfRange, Reason};

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PurgatoryBreaker")]
pub struct Config {
    /// Opens after so many failures in a row; 0 is as good as 1.
    pub default_threshold: u32,
    /// How long it stays open; the last instant belongs to it.
    pub default_ttl: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config { default_threshold: 5, default_ttl: Span::secs(30) }
    }
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Purgatory {
    config: Config,
    state: State,
    /// Counts the transitions.
    period: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        failures: u64,
    },
    /// Refuses until after this instant.
    Open {
        until: Time,
    },
    HalfOpen,
}

impl Purgatory {
    /// Failures in a row while closed; 0 otherwise.
    pub const fn failure_count(&self) -> u64 {
        match self.state {
            State::Closed { failures } => failures,
            State::Open { .. } | State::HalfOpen => 0,
        }
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }
}

impl Build for Config {
    type Machine = Purgatory;

    /// # Errors
    /// Never: like the library it works with all values.
    fn build(&self) -> Result<Purgatory, OutOfRange> {
        Ok(Purgatory { config: self.clone(), state: State::Closed { failures: 0 }, period: 0 })
    }
}

impl Preset for Config {}

impl Machine for Purgatory {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        if let State::Open { until } = self.state {
            if now <= until {
                let until = Some(until + Span::nanos(1));
                return Admission::Refused(Reason::BreakerOpen { until });
            }
            self.enter(State::HalfOpen, TransitionReason::OpenTimeOver, changes);
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        use TransitionReason::{
            ConsecutiveFailures, LateFailure, LateSuccess, TestFailed, TestsSucceeded,
        };
        let late = permit.tag != self.period;
        let open = State::Open { until: now + self.config.default_ttl };
        let closed = State::Closed { failures: 0 };
        match (&mut self.state, verdict) {
            (State::Open { .. }, _) | (_, Verdict::Cancelled) => {}
            (State::Closed { failures }, Verdict::Success | Verdict::Ignored) => *failures = 0,
            (State::Closed { failures }, Verdict::Failure) => {
                *failures += 1;
                if *failures >= u64::from(self.config.default_threshold) {
                    let because =
                        ConsecutiveFailures.on_calls(*failures, self.config.default_threshold);
                    self.enter(open, because, changes);
                }
            }
            (State::HalfOpen, Verdict::Success | Verdict::Ignored) => {
                self.enter(closed, if late { LateSuccess } else { TestsSucceeded }, changes);
            }
            (State::HalfOpen, Verdict::Failure) => {
                self.enter(open, if late { LateFailure } else { TestFailed }, changes);
            }
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }
}

impl State {
    const fn name(self) -> StateName {
        match self {
            State::Closed { .. } => StateName::Closed,
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
            default_threshold in 0..4u32,
            ttl in 0..20u64,
            inputs in calls(seconds()),
        ) {
            let default_ttl = Span::secs(ttl);
            let config = Config { default_threshold, default_ttl };
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + default_ttl + Span::nanos(1))),
                ignores: |before: &Purgatory, _| before.state() == StateName::Open,
                ..Promises::default()
            };
            promises.hold(&play(config.build().expect("valid"), &inputs));
        }
    }
}
