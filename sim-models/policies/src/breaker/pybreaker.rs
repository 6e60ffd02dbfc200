//! The breaker of pybreaker (Python): consecutive failures, and state objects that outlive their
//! time.
//!
//! Answers: the smallest breaker that Nygard's book describes, for code that calls in threads.
//!
//! Invites: used as a context manager, a half-open breaker admits everybody, so that a recovering
//! side meets the whole load at once. Used by `call`, it holds its lock while the call runs, so
//! that all threads wait for one slow call, also while it is closed.
//!
//! Reference: pybreaker 1.4.1, `CircuitBreaker`, `CircuitClosedState`, `CircuitOpenState`,
//! `CircuitHalfOpenState`, `CircuitMemoryStorage`.
//!
//! ```text
//!              fail_max failures in a row
//!    +--------+ -------------------------> +--------------+
//!    | closed |                            | open until t |  refuses
//!    +--------+ <-------.                  +--------------+
//!      admits all        \                    |       ^
//!                         \ success_threshold | first | a failure:
//!                          \ successes        | call  | t = now + reset_timeout
//!                           \                 v at t  |
//!                            `------------ +--------------+
//!                                          |  half-open   |  admits all
//!                                          +--------------+
//! ```
//!
//! A call keeps the state object that admitted it, while both counters belong to the breaker. So a
//! late call of a closed time adds to the counter of failures. At `fail_max` it opens the breaker
//! once more, which restarts its time. Each success zeroes that counter in whatever state. A late
//! failure of a half-open time opens it from anywhere. Late successes of a half-open time are
//! counted together with those of the present one and close it, even when it is open. Such a
//! transition may lead from a state to itself.
//!
//! An excluded error is a success. The library reads a clock of whole microseconds; so does this.
//!
//! Every exception counts, `BaseException` included, so a cancelled coroutine is a failure too. With
//! `raise_for_status` each status from 400 on is one.
//!
//! Left out: other storages than memory, tornado, opening and closing by hand, changing options of
//! a living breaker.

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
#[schemars(rename = "PybreakerBreaker")]
pub struct Config {
    /// Opens after so many failures in a row; 0 is as good as 1.
    pub fail_max: u32,
    /// How long it stays open, to the nearest microsecond.
    pub reset_timeout: Span,
    /// Closes after so many successes of half-open calls; 0 is as good as 1.
    pub success_threshold: u32,
    /// Whether the call that opens it raises `CircuitBreakerError` in place of its own error.
    /// Changes no state.
    pub throw_new_error_on_trip: bool,
    /// How calls are made.
    pub mode: Mode,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            fail_max: 5,
            reset_timeout: Span::secs(60),
            success_threshold: 1,
            throw_new_error_on_trip: true,
            mode: Mode::Call,
        }
    }
}

/// How calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "PybreakerMode")]
pub enum Mode {
    /// By `call` or as a decorator: one at a time, whatever the state; the others wait for the
    /// lock, here in the order they came.
    Call,
    /// By `calling`, the context manager: as many at once as there are, also while half-open.
    Calling,
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Pybreaker {
    config: Config,
    state: State,
    /// Failures since the last success.
    failures: u64,
    /// Successes of half-open calls since it last opened, half-opened or closed.
    successes: u64,
    /// The call that holds the lock.
    holder: Option<u64>,
    /// Counts the transitions.
    period: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Time },
    HalfOpen,
}

impl Pybreaker {
    /// Whether the call that opens it raises an error of its own.
    pub const fn throws_new_error_on_trip(&self) -> bool {
        self.config.throw_new_error_on_trip
    }

    /// Failures since the last success.
    pub const fn fail_counter(&self) -> u64 {
        self.failures
    }

    /// Successes of half-open calls since the last transition.
    pub const fn success_counter(&self) -> u64 {
        self.successes
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        self.successes = 0;
        if state == State::Closed {
            self.failures = 0;
        }
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    fn succeed(&mut self, admitted: Admitted, changes: &mut Vec<Change>) {
        self.failures = 0;
        if admitted.half_open {
            self.successes += 1;
            if self.successes >= u64::from(self.config.success_threshold) {
                let reason = if admitted.period == self.period {
                    TransitionReason::TestsSucceeded
                } else {
                    TransitionReason::LateSuccess
                };
                let because = reason.on_calls(self.successes, self.config.success_threshold);
                self.enter(State::Closed, because, changes);
            }
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
        let until = microseconds(now) + self.config.reset_timeout_rounded();
        self.enter(State::Open { until }, because, changes);
    }
}

impl Build for Config {
    type Machine = Pybreaker;

    /// # Errors
    /// Never: like the library it works with all values.
    fn build(&self) -> Result<Pybreaker, OutOfRange> {
        let config = self.clone();
        let state = State::Closed;
        Ok(Pybreaker { config, state, failures: 0, successes: 0, holder: None, period: 0 })
    }
}

impl Preset for Config {}

impl Machine for Pybreaker {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        // The lock comes first: even a refusal waits for it.
        if self.holder.is_some() {
            return Admission::Parked;
        }
        if let State::Open { until } = self.state {
            if now < until {
                return Admission::Refused(Reason::BreakerOpen { until: Some(until) });
            }
            self.enter(State::HalfOpen, TransitionReason::OpenTimeOver, changes);
        }
        let half_open = self.state == State::HalfOpen;
        let tag = Admitted { half_open, period: self.period }.tag();
        if self.config.mode == Mode::Call {
            self.holder = Some(tag);
        }
        Admission::Admitted(Permit::new(now, tag))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        self.holder = None;
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

    fn parked_on(&self) -> Option<u64> {
        self.holder
    }
}

/// What the library's clock shows.
fn microseconds(now: Time) -> Time {
    Time::ZERO + Span::micros(now.as_nanos() / 1000)
}

impl Config {
    /// As `timedelta` keeps it.
    fn reset_timeout_rounded(&self) -> Span {
        Span::micros(self.reset_timeout.as_nanos().saturating_add(500) / 1000)
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
    use crate::laws::breaker::testing::{ask, calls};
    use crate::laws::breaker::{Ended, Input, Promises, Step, What, play};

    fn lived(config: &Config, inputs: &[(Span, Input)]) -> Vec<Step<Pybreaker>> {
        play(config.build().expect("valid"), inputs)
    }

    fn stories() -> impl Strategy<Value = (Config, Vec<(Span, Input)>)> {
        let mode = prop_oneof![1 => Just(Mode::Call), 3 => Just(Mode::Calling)];
        let config = (0..5u32, 0..20u64, 0..5u32, any::<bool>(), mode).prop_map(
            |(fail_max, reset, success_threshold, throw_new_error_on_trip, mode)| Config {
                fail_max,
                reset_timeout: Span::secs(reset),
                success_threshold,
                throw_new_error_on_trip,
                mode,
            },
        );
        let gap = prop_oneof![6 => Just(0), 3 => 0..5u64, 1 => 5..40u64];
        (config, calls(gap.prop_map(Span::secs)))
    }

    proptest! {
        #[test]
        fn it_keeps_the_laws((config, inputs) in stories()) {
            let reset_timeout = config.reset_timeout;
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + reset_timeout)),
                ..Promises::default()
            };
            promises.hold(&lived(&config, &inputs));
        }

        /// The library bounds half-open calls by nothing but the lock of `call`.
        #[test]
        fn only_an_open_breaker_refuses_and_only_the_lock_waits((config, inputs) in stories()) {
            for step in lived(&config, &inputs) {
                match config.mode {
                    Mode::Call => prop_assert!(step.under_way <= 1),
                    Mode::Calling => prop_assert!(step.what != What::Parked),
                }
                if let What::Refused(_) = step.what {
                    prop_assert_eq!(step.before.state(), StateName::Open);
                }
                if step.what == What::Parked {
                    prop_assert_eq!(step.under_way, 1);
                }
            }
        }

        #[test]
        fn its_counters_are_what_history_says((config, inputs) in stories()) {
            let (mut failures, mut successes) = (0, 0);
            for step in lived(&config, &inputs) {
                if let Some(Ended { verdict, tag, .. }) = step.ended() {
                    match verdict {
                        Verdict::Failure => failures += 1,
                        Verdict::Success | Verdict::Ignored => {
                            failures = 0;
                            successes += u64::from(Admitted::from_tag(tag).half_open);
                        }
                        Verdict::Cancelled => {}
                    }
                }
                if step.transitions().next().is_some() {
                    successes = 0;
                }
                prop_assert_eq!(step.after.fail_counter(), failures);
                prop_assert_eq!(step.after.success_counter(), successes);
            }
        }

        #[test]
        fn a_result_acts_by_the_state_that_admitted_it((config, inputs) in stories()) {
            let at_least = |count: u64, threshold: u32| count >= u64::from(threshold.max(1));
            for step in lived(&config, &inputs) {
                let Some(Ended { verdict, tag, .. }) = step.ended() else { continue };
                let half_open = Admitted::from_tag(tag).half_open;
                let (failures, successes) = (step.before.failures + 1, step.before.successes + 1);
                let expected = match verdict {
                    Verdict::Failure if half_open => Some(StateName::Open),
                    Verdict::Failure if at_least(failures, config.fail_max) => {
                        Some(StateName::Open)
                    }
                    Verdict::Success | Verdict::Ignored
                        if half_open && at_least(successes, config.success_threshold) =>
                    {
                        Some(StateName::Closed)
                    }
                    _ => None,
                };
                prop_assert_eq!(step.transitions().next().map(|change| change.to), expected);
            }
        }
    }

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    fn breaker(fail_max: u32, success_threshold: u32, mode: Mode) -> Pybreaker {
        let config = Config { fail_max, success_threshold, mode, ..Config::default() };
        config.build().expect("valid")
    }

    fn admit(breaker: &mut Pybreaker, secs: u64) -> Permit {
        ask(breaker, at(secs)).expect("admitted")
    }

    fn end(breaker: &mut Pybreaker, permit: Permit, secs: u64, verdict: Verdict) -> Option<String> {
        let mut changes = Vec::new();
        breaker.settle(permit, at(secs), verdict, &mut changes);
        match changes[..] {
            [] => None,
            [Change::Transition(Transition { from, to, reason, .. })] => {
                Some(format!("{from} -> {to}, {reason}"))
            }
            _ => panic!("one end brings at most one transition"),
        }
    }

    #[test]
    fn a_late_failure_of_a_closed_time_restarts_the_open_time() {
        let mut breaker = breaker(2, 1, Mode::Calling);
        let [first, second, late] = [(); 3].map(|()| admit(&mut breaker, 0));
        assert_eq!(end(&mut breaker, first, 0, Verdict::Failure), None);
        let tripped = Some("closed -> open, consecutive failures".to_owned());
        assert_eq!(end(&mut breaker, second, 0, Verdict::Failure), tripped);
        let again = Some("open -> open, late failure".to_owned());
        assert_eq!(end(&mut breaker, late, 50, Verdict::Failure), again);
        let refused = Admission::Refused(Reason::BreakerOpen { until: Some(at(110)) });
        assert_eq!(breaker.admit(at(60), &mut Vec::new()), refused);
    }

    #[test]
    fn a_late_success_of_a_closed_time_zeroes_the_failures_of_another() {
        let mut breaker = breaker(2, 1, Mode::Calling);
        let [late, first, second] = [(); 3].map(|()| admit(&mut breaker, 0));
        end(&mut breaker, first, 0, Verdict::Failure);
        end(&mut breaker, second, 0, Verdict::Failure);
        assert_eq!(end(&mut breaker, late, 1, Verdict::Success), None);
        assert_eq!((breaker.state(), breaker.fail_counter()), (StateName::Open, 0));
    }

    #[test]
    fn half_open_admits_everybody_and_late_tests_close_and_open_it_from_anywhere() {
        let mut breaker = breaker(1, 1, Mode::Calling);
        let call = admit(&mut breaker, 0);
        end(&mut breaker, call, 0, Verdict::Failure);
        let [a, b, c, d] = [(); 4].map(|()| admit(&mut breaker, 60));
        let failed = Some("half-open -> open, test failed".to_owned());
        assert_eq!(end(&mut breaker, a, 61, Verdict::Failure), failed);
        let closed = Some("open -> closed, late success".to_owned());
        assert_eq!(end(&mut breaker, b, 62, Verdict::Success), closed);
        let closed = Some("closed -> closed, late success".to_owned());
        assert_eq!(end(&mut breaker, c, 63, Verdict::Ignored), closed);
        let opened = Some("closed -> open, late failure".to_owned());
        assert_eq!(end(&mut breaker, d, 64, Verdict::Failure), opened);
    }

    #[test]
    fn late_tests_are_counted_with_the_present_ones() {
        let mut breaker = breaker(1, 2, Mode::Calling);
        let call = admit(&mut breaker, 0);
        end(&mut breaker, call, 0, Verdict::Failure);
        let [failing, late] = [(); 2].map(|()| admit(&mut breaker, 60));
        end(&mut breaker, failing, 60, Verdict::Failure);
        let test = admit(&mut breaker, 120);
        assert_eq!(end(&mut breaker, late, 120, Verdict::Success), None);
        let closed = Some("half-open -> closed, tests succeeded".to_owned());
        assert_eq!(end(&mut breaker, test, 120, Verdict::Success), closed);
    }

    #[test]
    fn call_makes_one_call_at_a_time_also_while_closed() {
        let mut breaker = breaker(5, 1, Mode::Call);
        let first = admit(&mut breaker, 0);
        assert_eq!(breaker.admit(at(0), &mut Vec::new()), Admission::Parked);
        assert_eq!(breaker.parked_on(), Some(first.tag()));
        end(&mut breaker, first, 1, Verdict::Cancelled);
        let _next = admit(&mut breaker, 1);
    }

    #[test]
    fn the_clock_shows_whole_microseconds() {
        let mut breaker = breaker(1, 1, Mode::Calling);
        let call = admit(&mut breaker, 0);
        let opened = at(1) + Span::nanos(999);
        breaker.settle(call, opened, Verdict::Failure, &mut Vec::new());
        let _test = admit(&mut breaker, 61);
    }
}
