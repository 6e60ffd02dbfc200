//! A circuit breaker that opens after consecutive failures.
//!
//! Answers: the dependency that is down. Calls to it hold threads until they time out, and the
//! caller fails with it. An open breaker refuses at once, so that the caller stays alive and the
//! other side gets room to recover.
//!
//! Invites: refusing calls that would have succeeded. A few failures in a row are common luck at a
//! high rate of calls; one bad instance behind an address opens the way to all of them; and many
//! breakers that opened together test, close and open together.
//!
//! Reference: M. Nygard, *Release It!*, 2nd edition 2018, "Circuit Breaker"; M. Fowler,
//! "CircuitBreaker", 2014.
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
//!
//! Left out: failure rates over a window, slow calls, and the other customs of particular
//! libraries.

use std::fmt;

use sim_core::{Span, Time};

use super::out_of_range::at_least_one;
use super::{Ending, OutOfRange, Reason};

/// When a breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row that open it, at least 1.
    pub failures: u32,
    /// How long it refuses before it lets a test request through, above zero.
    pub open_for: Span,
    /// Successful tests in a row that close it, at least 1.
    pub close_after: u32,
}

/// What a breaker does at the moment, and what it counts meanwhile.
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

/// A [`State`] without its counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateName {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// One test request at a time passes.
    HalfOpen,
}

/// What the end of a call says about the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It is in trouble.
    Failure,
    /// Nothing: the call was cancelled, or was never sent.
    Ignored,
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

/// Which condition of the state picture was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionReason {
    /// Closed to open: too many failures in a row.
    ConsecutiveFailures,
    /// Open to half-open: its time was over when a call came.
    OpenTimeOver,
    /// Half-open to open: the test request failed.
    TestFailed,
    /// Half-open to closed: enough test requests in a row succeeded.
    TestsSucceeded,
}

/// The right to one call, given back to [`Breaker::settle`] with the call's verdict.
///
/// Settle cancelled calls too, as [`Verdict::Ignored`]: a test request whose permit is dropped
/// keeps the breaker half-open for ever.
#[must_use]
#[derive(Debug)]
pub struct Permit {
    period: u64,
}

/// A call is let through.
#[derive(Debug)]
pub struct Admission {
    /// To be settled when the call ends.
    pub permit: Permit,
    /// The change of state, when this call is the first test after the breaker was open.
    pub transition: Option<Transition>,
}

/// Refuses calls to a side that keeps failing.
///
/// ```
/// use sim_core::{Span, Time};
/// use sim_models::policy::breaker::{Breaker, BreakerConfig, Verdict};
/// use sim_models::policy::Reason;
///
/// let config = BreakerConfig { failures: 1, open_for: Span::secs(30), close_after: 1 };
/// let mut breaker = Breaker::new(config)?;
/// let call = breaker.admit(Time::ZERO).expect("a new breaker is closed");
/// breaker.settle(call.permit, Time::ZERO, Verdict::Failure);
///
/// let until = Time::ZERO + Span::secs(30);
/// assert_eq!(breaker.admit(Time::ZERO).err(), Some(Reason::BreakerOpen { until }));
/// assert!(breaker.admit(until).is_ok());
/// # Ok::<(), sim_models::policy::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Counts the transitions, so that a permit knows which state gave it.
    period: u64,
}

impl Breaker {
    /// A closed breaker.
    ///
    /// # Errors
    /// When `failures`, `open_for` or `close_after` is zero.
    pub fn new(config: BreakerConfig) -> Result<Breaker, OutOfRange> {
        at_least_one("failures", config.failures)?;
        at_least_one("close_after", config.close_after)?;
        if config.open_for.is_zero() {
            return Err(OutOfRange::new("open_for", config.open_for, "longer than zero"));
        }
        Ok(Breaker { config, state: State::Closed { failures: 0 }, period: 0 })
    }

    /// What the breaker does at the moment. It turns half-open only when a call comes, so that
    /// [`State::Open`] may be past its `until`.
    pub const fn state(&self) -> State {
        self.state
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
            Ending::Rejected(_) => Verdict::Ignored,
        }
    }

    /// Asks to make a call at `now`.
    ///
    /// # Errors
    /// [`Reason::BreakerOpen`] while it is open, [`Reason::BreakerProbing`] while its test request
    /// is under way.
    pub fn admit(&mut self, now: Time) -> Result<Admission, Reason> {
        let transition = match self.state {
            State::Closed { .. } => None,
            State::Open { until } if now < until => return Err(Reason::BreakerOpen { until }),
            State::Open { .. } => {
                let half_open = State::HalfOpen { successes: 0, probing: true };
                Some(self.enter(half_open, TransitionReason::OpenTimeOver))
            }
            State::HalfOpen { probing: true, .. } => return Err(Reason::BreakerProbing),
            State::HalfOpen { successes, probing: false } => {
                self.state = State::HalfOpen { successes, probing: true };
                None
            }
        };
        Ok(Admission { permit: Permit { period: self.period }, transition })
    }

    /// Takes back the permit of a call that ended at `now`.
    ///
    /// # Panics
    /// When the permit was another breaker's and this one could not have given it.
    pub fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict) -> Option<Transition> {
        if permit.period != self.period {
            return None;
        }
        let reopened = State::Open { until: now + self.config.open_for };
        match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Ignored) => None,
            (State::Closed { .. }, Verdict::Success) => self.count(State::Closed { failures: 0 }),
            (State::Closed { failures }, Verdict::Failure) => {
                if failures + 1 == self.config.failures {
                    return Some(self.enter(reopened, TransitionReason::ConsecutiveFailures));
                }
                self.count(State::Closed { failures: failures + 1 })
            }
            (State::HalfOpen { successes, .. }, Verdict::Ignored) => {
                self.count(State::HalfOpen { successes, probing: false })
            }
            (State::HalfOpen { successes, .. }, Verdict::Success) => {
                if successes + 1 == self.config.close_after {
                    let closed = State::Closed { failures: 0 };
                    return Some(self.enter(closed, TransitionReason::TestsSucceeded));
                }
                self.count(State::HalfOpen { successes: successes + 1, probing: false })
            }
            (State::HalfOpen { .. }, Verdict::Failure) => {
                Some(self.enter(reopened, TransitionReason::TestFailed))
            }
            (State::Open { .. }, _) => panic!("an open breaker gives no permits"),
        }
    }

    /// Moves on within the state.
    fn count(&mut self, state: State) -> Option<Transition> {
        self.state = state;
        None
    }

    /// Begins a new period, which makes all permits of the old one late.
    fn enter(&mut self, state: State, reason: TransitionReason) -> Transition {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        Transition { from, to: state.name(), reason }
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

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StateName::Closed => "closed",
            StateName::Open => "open",
            StateName::HalfOpen => "half-open",
        })
    }
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TransitionReason::ConsecutiveFailures => "consecutive failures",
            TransitionReason::OpenTimeOver => "open time over",
            TransitionReason::TestFailed => "test failed",
            TransitionReason::TestsSucceeded => "tests succeeded",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What happens to the breaker next.
    #[derive(Clone, Copy, Debug)]
    enum Input {
        /// A call asks.
        Call,
        /// One of the calls under way ends.
        End(prop::sample::Index, Verdict),
    }

    /// What happened, with the breaker before and after.
    #[derive(Debug)]
    struct Step {
        at: Time,
        before: Breaker,
        after: Breaker,
        what: What,
    }

    #[derive(Debug)]
    enum What {
        Asked { refusal: Option<Reason> },
        Ended { verdict: Verdict, late: bool, transition: Option<Transition> },
    }

    /// Lives through the inputs. A call is late when the breaker changed state since its start,
    /// which is counted here without a look at the permit.
    fn play(config: BreakerConfig, inputs: &[(Span, Input)]) -> Vec<Step> {
        let mut breaker = Breaker::new(config).expect("valid");
        let (mut now, mut changes, mut under_way) = (Time::ZERO, 0, Vec::new());
        let mut steps = Vec::new();
        for &(gap, input) in inputs {
            now += gap;
            let before = breaker.clone();
            let what = match input {
                Input::Call => {
                    let refusal = breaker.admit(now).map(|admission| {
                        changes += u32::from(admission.transition.is_some());
                        under_way.push((admission.permit, changes));
                    });
                    What::Asked { refusal: refusal.err() }
                }
                Input::End(_, _) if under_way.is_empty() => continue,
                Input::End(index, verdict) => {
                    let (permit, began) = under_way.remove(index.index(under_way.len()));
                    let late = began != changes;
                    let transition = breaker.settle(permit, now, verdict);
                    changes += u32::from(transition.is_some());
                    What::Ended { verdict, late, transition }
                }
            };
            steps.push(Step { at: now, before, after: breaker.clone(), what });
        }
        steps
    }

    fn stories() -> impl Strategy<Value = (BreakerConfig, Vec<(Span, Input)>)> {
        let config = (1..4u32, 1..4u32).prop_map(|(failures, close_after)| BreakerConfig {
            failures,
            open_for: Span::secs(10),
            close_after,
        });
        // Time often stands still, and sometimes passes the open time exactly.
        let gap = prop_oneof![5 => Just(0), 3 => 0..10u64, 1 => Just(10), 1 => 11..30u64];
        let verdict = prop_oneof![
            4 => Just(Verdict::Success),
            6 => Just(Verdict::Failure),
            1 => Just(Verdict::Ignored),
        ];
        let input = prop_oneof![
            Just(Input::Call),
            (any::<prop::sample::Index>(), verdict).prop_map(|(i, v)| Input::End(i, v)),
        ];
        (config, vec((gap.prop_map(Span::secs), input), 0..120))
    }

    proptest! {
        #[test]
        fn an_open_breaker_admits_nobody_before_its_time((config, inputs) in stories()) {
            for step in play(config, &inputs) {
                if let (State::Open { until }, What::Asked { refusal }) =
                    (step.before.state, &step.what)
                {
                    let expected = (step.at < until).then_some(Reason::BreakerOpen { until });
                    prop_assert_eq!(*refusal, expected);
                }
            }
        }

        #[test]
        fn half_open_admits_one_probe((config, inputs) in stories()) {
            let mut probes = 0;
            for step in play(config, &inputs) {
                let half_open = step.after.state.name() == StateName::HalfOpen;
                match step.what {
                    _ if !half_open => probes = 0,
                    What::Asked { refusal: None } => probes += 1,
                    What::Ended { late: false, .. } => probes -= 1,
                    What::Asked { .. } | What::Ended { .. } => {}
                }
                prop_assert!(probes == 0 || probes == 1);
                if let State::HalfOpen { probing, .. } = step.after.state {
                    prop_assert_eq!(probing, probes == 1);
                }
            }
        }

        #[test]
        fn late_results_change_nothing((config, inputs) in stories()) {
            for step in play(config, &inputs) {
                if let What::Ended { late: true, transition, .. } = step.what {
                    prop_assert_eq!(transition, None);
                    prop_assert_eq!(step.before, step.after);
                }
            }
        }

        /// Counts verdicts in a row with one naive counter per direction.
        #[test]
        fn it_turns_exactly_at_its_thresholds((config, inputs) in stories()) {
            let (mut failures, mut successes) = (0, 0);
            for step in play(config, &inputs) {
                let What::Ended { verdict, late: false, transition } = step.what else { continue };
                match verdict {
                    Verdict::Success => (successes, failures) = (successes + 1, 0),
                    Verdict::Failure => (successes, failures) = (0, failures + 1),
                    Verdict::Ignored => {}
                }
                let to = match step.before.state {
                    State::Closed { .. } if failures == config.failures => Some(StateName::Open),
                    State::HalfOpen { .. } if failures > 0 => Some(StateName::Open),
                    State::HalfOpen { .. } if successes == config.close_after => {
                        Some(StateName::Closed)
                    }
                    _ => None,
                };
                prop_assert_eq!(transition.map(|t| t.to), to);
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
    const FIVE_OPEN_THREE_CLOSE: BreakerConfig =
        BreakerConfig { failures: 5, open_for: Span::secs(30), close_after: 3 };

    #[test]
    fn an_outage_opens_it_and_three_tests_close_it() {
        let mut breaker = Breaker::new(FIVE_OPEN_THREE_CLOSE).expect("valid");
        let mut story = Vec::new();
        let mut refused = Vec::new();
        // One request each second, answered at once; the other side is down from 2 to 35.
        for second in 0..=38 {
            let now = Time::ZERO + Span::secs(second);
            let up = !(2..36).contains(&second);
            match breaker.admit(now) {
                Err(reason) => {
                    assert_eq!(reason.to_string(), "breaker open until 36s");
                    refused.push(second);
                }
                Ok(Admission { permit, transition }) => {
                    let verdict = if up { Verdict::Success } else { Verdict::Failure };
                    let settled = breaker.settle(permit, now, verdict);
                    for Transition { from, to, reason } in transition.into_iter().chain(settled) {
                        story.push(format!("{now}: {from} -> {to}, {reason}"));
                    }
                }
            }
        }
        assert_eq!(refused, (7..=35).collect::<Vec<u64>>());
        assert_eq!(
            story,
            [
                "6s: closed -> open, consecutive failures",
                "36s: open -> half-open, open time over",
                "38s: half-open -> closed, tests succeeded",
            ]
        );
        assert_eq!(breaker.state(), State::Closed { failures: 0 });
    }

    #[test]
    fn a_failed_test_restarts_the_open_time() {
        let config = BreakerConfig { failures: 1, open_for: Span::secs(30), close_after: 2 };
        let mut breaker = Breaker::new(config).expect("valid");
        let second = |n| Time::ZERO + Span::secs(n);
        for (start, end, verdict) in
            [(0, 0, Verdict::Failure), (30, 30, Verdict::Success), (31, 33, Verdict::Failure)]
        {
            let permit = breaker.admit(second(start)).expect("admitted").permit;
            breaker.settle(permit, second(end), verdict);
        }
        assert_eq!(breaker.state(), State::Open { until: second(63) });
    }

    #[test]
    fn a_cancelled_test_gives_its_turn_to_the_next() {
        let config = BreakerConfig { failures: 1, open_for: Span::secs(1), close_after: 1 };
        let mut breaker = Breaker::new(config).expect("valid");
        let permit = breaker.admit(Time::ZERO).expect("closed").permit;
        breaker.settle(permit, Time::ZERO, Verdict::Failure);
        let now = Time::ZERO + Span::secs(1);
        let test = breaker.admit(now).expect("the open time is over").permit;
        assert_eq!(breaker.admit(now).err(), Some(Reason::BreakerProbing));
        assert_eq!(breaker.settle(test, now, Verdict::Ignored), None);
        assert!(breaker.admit(now).is_ok());
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
            (Ending::Rejected(Reason::BulkheadFull { limit: 1 }), Verdict::Ignored),
        ] {
            assert_eq!(Breaker::verdict(ending), verdict, "{ending}");
        }
    }

    #[test]
    fn thresholds_of_zero_are_refused_by_name() {
        let valid = FIVE_OPEN_THREE_CLOSE;
        for (config, field) in [
            (BreakerConfig { failures: 0, ..valid }, "failures"),
            (BreakerConfig { open_for: Span::ZERO, ..valid }, "open_for"),
            (BreakerConfig { close_after: 0, ..valid }, "close_after"),
        ] {
            assert_eq!(Breaker::new(config).map_err(|e| e.field), Err(field));
        }
    }
}
