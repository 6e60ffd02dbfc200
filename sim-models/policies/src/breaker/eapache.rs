//! The breaker of go-resiliency (Go, eapache): failures without a quiet time between, and a timer.
//!
//! Answers: a dependency that is down, in the shape that Kafka's Go client made popular.
//!
//! Invites: half-open admits everybody until the first failure. A success in closed clears nothing:
//! failures that are never `timeout` apart add up over hours.
//!
//! Reference: eapache/go-resiliency 1.2.0, `breaker/breaker.go`.
//!
//! ```text
//!              error_threshold failures, none later than timeout after the last
//!    +--------+ -------------------------------------------------> +--------------+
//!    | closed |                                                    | open until t |  refuses
//!    +--------+ <------------------.                               +--------------+
//!      admits all                   \                   timer at t   |   ^  any failure:
//!               success_threshold    \                               v   |  t = now + timeout
//!               successes             `--------------------------- +-----------+
//!                                                                  | half-open |  admits all
//!                                                                  +-----------+
//! ```
//!
//! A success of a call that began closed is dropped without a look. Any other result counts in the
//! state that it meets, and every change of state clears both counts. Thresholds are met exactly: one
//! of 0 is never met.
//!
//! Every error that is not nil counts, and a panic too; so a cancelled call, whose error is
//! `context.Canceled`, is a failure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::{OutOfRange, Reason};

/// The parameters of `breaker.New`. The library has no defaults: these are its README's.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "EapacheBreaker")]
pub struct Config {
    /// Opens after so many failures; with 0 never.
    pub error_threshold: u32,
    /// Closes after so many successes in half-open; with 0 never.
    pub success_threshold: u32,
    /// How long it stays open, and the quiet time that clears the failures.
    pub timeout: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config { error_threshold: 3, success_threshold: 1, timeout: Span::secs(5) }
    }
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Eapache {
    config: Config,
    state: State,
    /// Counts the transitions.
    period: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Failures, and when the last one was.
    Closed {
        errors: u32,
        last: Time,
    },
    Open {
        until: Time,
    },
    HalfOpen {
        successes: u32,
    },
}

/// The tag of calls that a closed breaker admitted; others have the period plus one.
const CLOSED: u64 = 0;

impl Eapache {
    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    fn succeed(&mut self, late: bool, changes: &mut Vec<Change>) {
        if let State::HalfOpen { successes } = &mut self.state {
            *successes = successes.saturating_add(1);
            if *successes == self.config.success_threshold {
                let because = match late {
                    true => TransitionReason::LateSuccess,
                    false => TransitionReason::TestsSucceeded,
                }
                .on_calls(*successes, self.config.success_threshold);
                self.enter(State::Closed { errors: 0, last: Time::ZERO }, because, changes);
            }
        }
    }

    fn fail(&mut self, late: bool, now: Time, changes: &mut Vec<Change>) {
        let open = State::Open { until: now + self.config.timeout };
        match &mut self.state {
            State::Closed { errors, last } => {
                if *errors > 0 && now > *last + self.config.timeout {
                    *errors = 0;
                }
                (*errors, *last) = (errors.saturating_add(1), now);
                if *errors == self.config.error_threshold {
                    let because =
                        TransitionReason::Failures.on_calls(*errors, self.config.error_threshold);
                    self.enter(open, because, changes);
                }
            }
            State::HalfOpen { .. } => {
                let reason = match late {
                    true => TransitionReason::LateFailure,
                    false => TransitionReason::TestFailed,
                };
                self.enter(open, reason, changes);
            }
            State::Open { .. } => {}
        }
    }
}

impl Build for Config {
    type Machine = Eapache;

    /// # Errors
    /// Never: like the library it works with all values.
    fn build(&self) -> Result<Eapache, OutOfRange> {
        let state = State::Closed { errors: 0, last: Time::ZERO };
        Ok(Eapache { config: self.clone(), state, period: 0 })
    }
}

impl Preset for Config {}

impl Machine for Eapache {
    fn admit(&mut self, now: Time, _changes: &mut Vec<Change>) -> Admission {
        match self.state {
            State::Open { until } => Admission::Refused(Reason::BreakerOpen { until: Some(until) }),
            State::Closed { .. } => Admission::Admitted(Permit::new(now, CLOSED)),
            State::HalfOpen { .. } => Admission::Admitted(Permit::new(now, self.period + 1)),
        }
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let late = permit.tag != self.period + 1;
        match verdict {
            Verdict::Success | Verdict::Ignored if permit.tag == CLOSED => {}
            Verdict::Success | Verdict::Ignored => self.succeed(late, changes),
            Verdict::Failure => self.fail(late, now, changes),
            Verdict::Cancelled => {}
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }

    fn wakes_at(&self) -> Option<Time> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    fn wake(&mut self, now: Time, changes: &mut Vec<Change>) {
        if self.wakes_at().is_some_and(|at| at <= now) {
            self.enter(State::HalfOpen { successes: 0 }, TransitionReason::OpenTimeOver, changes);
        }
    }
}

impl State {
    const fn name(self) -> StateName {
        match self {
            State::Closed { .. } => StateName::Closed,
            State::Open { .. } => StateName::Open,
            State::HalfOpen { .. } => StateName::HalfOpen,
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
            error_threshold in 0..4u32,
            success_threshold in 0..4u32,
            timeout in 1..20u64,
            inputs in calls(seconds()),
        ) {
            let timeout = Span::secs(timeout);
            let config = Config { error_threshold, success_threshold, timeout };
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + timeout)),
                refuses_at_its_end: true,
                ignores: |before: &Eapache, ended| {
                    before.state() == StateName::Open
                        || ended.tag == CLOSED && ended.verdict != Verdict::Failure
                },
                ..Promises::default()
            };
            promises.hold(&play(config.build().expect("valid"), &inputs));
        }
    }

    #[test]
    fn a_quiet_time_forgives_and_a_success_does_not() {
        let mut breaker = Config::default().build().expect("valid");
        let mut call = |secs, verdict| {
            let at = Time::ZERO + Span::secs(secs);
            breaker.settle(Permit::new(at, CLOSED), at, verdict, &mut Vec::new());
            breaker.state()
        };
        call(0, Verdict::Failure);
        call(1, Verdict::Success);
        call(5, Verdict::Failure);
        // 6 s after the last failure: the count begins anew.
        assert_eq!(call(11, Verdict::Failure), StateName::Closed);
        assert_eq!(call(16, Verdict::Failure), StateName::Closed);
        assert_eq!(call(21, Verdict::Failure), StateName::Open);
    }
}
