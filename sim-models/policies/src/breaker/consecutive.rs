//! The breaker that opens after consecutive failures and closes after consecutive tests.
//!
//! Invites: a few failures in a row are common luck at a high rate of calls, and one bad instance
//! behind an address opens the way to all of them.
//!
//! ```text
//!                 `failures` in a row
//!    +--------+ -----------------------> +-------------------+
//!    | closed |                          | open until t      |  refuses every call
//!    +--------+ <--.                     +-------------------+
//!      admits all   \                      |               ^
//!                    \ `close_after`       | first call    | a test fails:
//!                     \ tests in a row     | at or after t | t = now + open_for
//!                      \ succeed           v               |
//!                       `--------------- +-------------------+
//!                                        | half-open         |  admits one test at a time
//!                                        +-------------------+
//! ```
//!
//! Every arrow begins a new *period*. A result counts only in the period that admitted its call:
//! one that arrives later says how things were, and changes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{Ending, EndingSet, OutOfRange, Reason};

/// When the breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Consecutive(failures: 5)"#)]
#[schemars(rename = "ConsecutiveBreaker")]
pub struct Config {
    /// Failures in a row that open it.
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// How long it refuses before it lets a test request through.
    #[serde(default = "open_for")]
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub open_for: Span,
    /// Successful tests in a row that close it.
    #[serde(default = "close_after")]
    #[schemars(range(min = 1))]
    pub close_after: u32,
}

const fn open_for() -> Span {
    Span::secs(30)
}

const fn close_after() -> u32 {
    3
}

impl Default for Config {
    fn default() -> Config {
        Config { failures: 5, open_for: open_for(), close_after: close_after() }
    }
}

/// What the breaker does at the moment, and what it counts meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// Calls are refused.
    Open {
        /// From this instant on the next call is let through as a test.
        until: Time,
    },
    /// One test request at a time passes.
    HalfOpen {
        /// Tests that have succeeded since it was open.
        successes: u32,
        /// A test is under way.
        probing: bool,
    },
}

/// Opens after failures in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consecutive {
    config: Config,
    state: State,
    /// Counts the transitions, so that a permit knows which state gave it.
    period: u64,
}

impl Consecutive {
    /// Begins a new period, which makes all permits of the old one late.
    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }
}

impl Build for Config {
    type Machine = Consecutive;

    /// # Errors
    /// When `failures`, `open_for` or `close_after` is zero.
    fn build(&self) -> Result<Consecutive, OutOfRange> {
        let config = *self;
        at_least_one("failures", config.failures)?;
        at_least_one("close_after", config.close_after)?;
        above_zero("open_for", config.open_for)?;
        Ok(Consecutive { config, state: State::Closed { failures: 0 }, period: 0 })
    }
}

impl Preset for Config {
    /// A 5xx, a timeout, a refused or reset connection is a failure. So are 408 and 429: the other
    /// side is too slow or too busy, and calling less is the cure. Any other answer, also a 404,
    /// shows a side that works. A call that a policy inside has refused was never sent and says
    /// nothing.
    fn verdict(&self, ending: Ending) -> Verdict {
        match ending {
            Ending::Rejected(_) => Verdict::Cancelled,
            _ if EndingSet::TRANSIENT.contains(ending) => Verdict::Failure,
            _ => Verdict::Success,
        }
    }

    fn cancelled(&self) -> Verdict {
        Verdict::Cancelled
    }

    fn open_for(&mut self) -> Option<&mut Span> {
        Some(&mut self.open_for)
    }

    fn close_after(&mut self) -> Option<&mut u32> {
        Some(&mut self.close_after)
    }
}

impl Machine for Consecutive {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until } if now < until => {
                return Admission::Refused(Reason::BreakerOpen { until: Some(until) });
            }
            State::Open { .. } => {
                let half_open = State::HalfOpen { successes: 0, probing: true };
                self.enter(half_open, TransitionReason::OpenTimeOver, changes);
            }
            State::HalfOpen { probing: true, .. } => {
                return Admission::Refused(Reason::BreakerProbing);
            }
            State::HalfOpen { successes, probing: false } => {
                self.state = State::HalfOpen { successes, probing: true };
            }
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        if permit.tag != self.period {
            return;
        }
        let reopened = State::Open { until: now + self.config.open_for };
        match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Ignored | Verdict::Cancelled) => {}
            (State::Closed { .. }, Verdict::Success) => {
                self.state = State::Closed { failures: 0 };
            }
            (State::Closed { failures }, Verdict::Failure) => {
                if failures + 1 == self.config.failures {
                    let because = TransitionReason::ConsecutiveFailures
                        .on_calls(failures + 1, self.config.failures);
                    self.enter(reopened, because, changes);
                } else {
                    self.state = State::Closed { failures: failures + 1 };
                }
            }
            (State::HalfOpen { successes, .. }, Verdict::Ignored | Verdict::Cancelled) => {
                self.state = State::HalfOpen { successes, probing: false };
            }
            (State::HalfOpen { successes, .. }, Verdict::Success) => {
                if successes + 1 == self.config.close_after {
                    let closed = State::Closed { failures: 0 };
                    let because = TransitionReason::TestsSucceeded
                        .on_calls(successes + 1, self.config.close_after);
                    self.enter(closed, because, changes);
                } else {
                    self.state = State::HalfOpen { successes: successes + 1, probing: false };
                }
            }
            (State::HalfOpen { .. }, Verdict::Failure) => {
                self.enter(reopened, TransitionReason::TestFailed, changes);
            }
            (State::Open { .. }, _) => panic!("an open breaker gives no permits"),
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }
}

impl State {
    /// The state without its counts.
    pub const fn name(self) -> StateName {
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
    use crate::family::all_refused;
    use crate::laws::breaker::testing::{ask, call, calls, end, ms};
    use crate::laws::breaker::{Ended, Input, Promises, Step, play};

    fn lived(config: Config, inputs: &[(Span, Input)]) -> Vec<Step<Consecutive>> {
        play(config.build().expect("valid"), inputs)
    }

    fn stories() -> impl Strategy<Value = (Config, Vec<(Span, Input)>)> {
        let config = (1..4u32, 1..4u32).prop_map(|(failures, close_after)| Config {
            failures,
            open_for: Span::secs(10),
            close_after,
        });
        // Time often stands still, and sometimes passes the open time exactly.
        let gap = prop_oneof![5 => Just(0), 3 => 0..10u64, 1 => Just(10), 1 => 11..30u64];
        (config, calls(gap.prop_map(Span::secs)))
    }

    proptest! {
        #[test]
        fn it_keeps_the_laws((config, inputs) in stories()) {
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + config.open_for)),
                tests: Some(1),
                gives_back: |ended| !ended.late,
                ignores: |_, ended| ended.late,
                ..Promises::default()
            };
            promises.hold(&lived(config, &inputs));
        }

        /// Counts verdicts in a row with one naive counter per direction.
        #[test]
        fn it_turns_exactly_at_its_thresholds((config, inputs) in stories()) {
            let (mut failures, mut successes) = (0, 0);
            for step in lived(config, &inputs) {
                let Some(Ended { verdict, late: false, .. }) = step.ended() else { continue };
                match verdict {
                    Verdict::Success => (successes, failures) = (successes + 1, 0),
                    Verdict::Failure => (successes, failures) = (0, failures + 1),
                    Verdict::Ignored | Verdict::Cancelled => {}
                }
                let to = match step.before.state {
                    State::Closed { .. } if failures == config.failures => Some(StateName::Open),
                    State::HalfOpen { .. } if failures > 0 => Some(StateName::Open),
                    State::HalfOpen { .. } if successes == config.close_after => {
                        Some(StateName::Closed)
                    }
                    _ => None,
                };
                prop_assert_eq!(step.transitions().next().map(|t| t.to), to);
                if to == Some(StateName::Open) {
                    let until = step.at + config.open_for;
                    prop_assert_eq!(step.after.state, State::Open { until });
                }
                if to.is_some() {
                    (failures, successes) = (0, 0);
                }
            }
        }
    }

    /// The thresholds of the timeline below.
    const FIVE_OPEN_THREE_CLOSE: Config =
        Config { failures: 5, open_for: Span::secs(30), close_after: 3 };

    #[test]
    fn an_outage_opens_it_and_three_tests_close_it() {
        let mut breaker = FIVE_OPEN_THREE_CLOSE.build().expect("valid");
        let (mut story, mut refused, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        // One request each second, answered at once; the other side is down from 2 to 35.
        for second in 0..=38 {
            let now = ms(second * 1000);
            let up = !(2..36).contains(&second);
            match breaker.admit(now, &mut changes) {
                Admission::Admitted(permit) => {
                    let verdict = if up { Verdict::Success } else { Verdict::Failure };
                    breaker.settle(permit, now, verdict, &mut changes);
                }
                Admission::Refused(reason) => {
                    assert_eq!(reason.to_string(), "breaker open until 36s");
                    refused.push(second);
                }
                Admission::Parked => panic!("this breaker parks nobody"),
            }
            for change in changes.drain(..) {
                let Change::Transition(transition) = change else { continue };
                story.push(format!("{now}: {transition}"));
            }
        }
        assert_eq!(refused, (7..=35).collect::<Vec<u64>>());
        assert_eq!(
            story,
            [
                "6s: closed -> open: consecutive failures (5, threshold 5)",
                "36s: open -> half-open: open time over",
                "38s: half-open -> closed: tests succeeded (3, threshold 3)",
            ]
        );
        assert_eq!(breaker.state, State::Closed { failures: 0 });
    }

    #[test]
    fn a_failed_test_restarts_the_open_time() {
        let config = Config { failures: 1, open_for: Span::secs(30), close_after: 2 };
        let mut breaker = config.build().expect("valid");
        call(&mut breaker, ms(0), Verdict::Failure);
        call(&mut breaker, ms(30_000), Verdict::Success);
        let test = ask(&mut breaker, ms(31_000)).expect("a test");
        end(&mut breaker, test, ms(33_000), Verdict::Failure);
        assert_eq!(breaker.state, State::Open { until: ms(63_000) });
    }

    #[test]
    fn a_cancelled_test_gives_its_turn_to_the_next() {
        let config = Config { failures: 1, open_for: Span::secs(1), close_after: 1 };
        let mut breaker = config.build().expect("valid");
        call(&mut breaker, ms(0), Verdict::Failure);
        let test = ask(&mut breaker, ms(1000)).expect("the open time is over");
        assert_eq!(ask(&mut breaker, ms(1000)), Err(Reason::BreakerProbing));
        assert_eq!(end(&mut breaker, test, ms(1000), Verdict::Cancelled), None);
        assert!(ask(&mut breaker, ms(1000)).is_ok());
    }

    #[test]
    fn thresholds_of_zero_are_refused_by_name() {
        let valid = FIVE_OPEN_THREE_CLOSE;
        all_refused([
            ("failures", Config { failures: 0, ..valid }),
            ("open_for", Config { open_for: Span::ZERO, ..valid }),
            ("close_after", Config { close_after: 0, ..valid }),
        ]);
    }
}
