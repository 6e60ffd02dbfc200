//! The breaker of Resilience4j 2.4.0: a rate over a sliding window, and a fixed number of tests.
//!
//! Answers: a dependency that fails or slows down for a share of its calls. The rate judges a busy
//! and a quiet caller alike, and a minimum of calls keeps chance from deciding.
//!
//! Invites: a large window that is slow to see an outage. After a long quiet, a success may be the
//! call that completes the minimum and opens the breaker. Half-open waits for *all* its verdicts,
//! so that a test which never ends keeps it there unless `max_wait_duration_in_half_open_state` is
//! set.
//!
//! ```text
//!                  failure rate >= threshold, or slow-call rate >= threshold,
//!                  over at least `minimum_number_of_calls` results
//!    +--------+ ----------------------------------------------> +------------------+
//!    | closed |                                                 | open until t     | refuses all
//!    +--------+ <--.                                            +------------------+
//!      admits all   \                        first call after t,  |             ^
//!                    \                       or a timer at t      |             | rates at or
//!                     \                                           v             | above, or max
//!                      \  rates below                           +------------------+ wait over
//!                       `-------------------------------------- | half-open        |
//!                                                               +------------------+
//!                                              admits `permitted_number_of_calls` in all
//!
//!    by hand, from nearly everywhere: forced open, disabled, metrics only
//! ```
//!
//! Its peculiarities, each pinned by a test:
//! - A lazy breaker (the default) still refuses at exactly t; the automatic one moves at t.
//! - Permits are not bound to a state. A result counts in the state that it meets, also one of a
//!   call from long ago. In half-open it is judged like a test's, and an ignored one adds a permit.
//! - Half-open judges once, at the `min(minimum_number_of_calls, permitted)`-th result. One failed
//!   test does not reopen it if the rate stays below the threshold.
//! - Open keeps the window it came with and goes on counting in it; closed and half-open begin
//!   with an empty one.
//! - Rates are 32-bit floats, `failed * 100 / calls`. Waits are whole milliseconds.
//!
//! Reference: Resilience4j 2.4.0, `CircuitBreakerStateMachine`, `CircuitBreakerMetrics`,
//! `CircuitBreakerConfig`, `IntervalFunction`.
//!
//! Every exception is recorded unless it is named in `recordExceptions` or `ignoreExceptions`. So is
//! what a bulkhead or an inner breaker throws, a 404 of `RestTemplate`, and the exception in which a
//! cancelled call ends (`decorateCallable`, `decorateCompletionStage`). Reactor's operator and
//! `decorateFuture` release the permit of a cancelled call: `ignore: ["cancelled"]`.
//!
//! Left out: `transitionOnResult`; randomized waits; the lock-free time window, whose seconds
//! begin with the breaker; an initial state other than closed. Exceptions and results reach it as
//! [`Verdict`]s. In the library `reset` leaves the timer of the state it ends running, and that
//! timer may move a later state; here it stops.

mod config;
mod window;

use std::fmt;

use sim_core::{Span, Time};

pub use self::config::{Config, ExponentialWait, SlidingWindowType, StateAfterWait};
use self::window::{Call, Window};
use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::weighed::{Counted, Minimum, Threshold, Weighed};
use crate::{OutOfRange, Reason};

/// A transition by hand, named as the library's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To closed, with an empty window.
    ToClosed,
    /// To open, for a new open time, also from open.
    ToOpen,
    /// To half-open, with all its permits, also from half-open.
    ToHalfOpen,
    /// Refuses everything until the next transition by hand.
    ToForcedOpen,
    /// Admits everything and counts nothing until the next transition by hand.
    ToDisabled,
    /// Admits everything and counts, until the next transition by hand.
    ToMetricsOnly,
    /// To closed from everywhere, and says so.
    Reset,
}

/// A transition by hand that the library refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalTransition {
    /// The state it is in, and stays in.
    pub from: StateName,
    /// The state that cannot be reached from there.
    pub to: StateName,
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no transition leads from {} to {}", self.from, self.to)
    }
}

impl std::error::Error for IllegalTransition {}

/// What it counts at an instant, as its `getMetrics` shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counters {
    /// Failed calls in percent; `None` below the minimum number of calls.
    pub failure_rate: Option<f32>,
    /// Slow calls in percent; `None` below the minimum number of calls.
    pub slow_call_rate: Option<f32>,
    /// Results in the window.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Those of them that were slow.
    pub slow: u64,
    /// Calls refused since the window was last emptied.
    pub not_permitted: u64,
}

/// What the breaker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Closed,
    Open {
        /// The last instant at which calls are refused; the timer's, if there is one.
        until: Time,
    },
    HalfOpen {
        permits: u32,
        /// When it gives up on its tests.
        until: Option<Time>,
    },
    ForcedOpen,
    Disabled,
    MetricsOnly {
        /// It has said, once, that the rate is too high.
        told_failure_rate: bool,
        told_slow_call_rate: bool,
    },
}

/// One window with what is judged of it.
#[derive(Clone, Debug, PartialEq)]
struct Metrics {
    window: Window,
    minimum_calls: u64,
    not_permitted: u64,
}

/// The window in use. Open and its relatives take over what the state before used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InUse {
    /// The configured one.
    Sliding,
    /// That of half-open, one place per permit.
    Trial,
    /// The one without places, of forced-open and disabled.
    Nothing,
}

/// How often it opened since it was last closed, and how long that keeps it open next.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Openings {
    count: u32,
    /// The wait of the last opening before the cap, which the next one multiplies.
    wait_ms: u64,
}

impl Openings {
    const NONE: Openings = Openings { count: 0, wait_ms: 0 };
}

/// Which rates have reached their thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exceeded {
    failure_rate: bool,
    slow_call_rate: bool,
}

impl Exceeded {
    /// The failure rate speaks first if both are too high.
    const fn reason(self) -> Option<TransitionReason> {
        match self {
            Exceeded { failure_rate: true, .. } => Some(TransitionReason::FailureRate),
            Exceeded { slow_call_rate: true, .. } => Some(TransitionReason::SlowCallRate),
            Exceeded { .. } => None,
        }
    }
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Resilience4j {
    config: Config,
    state: State,
    openings: Openings,
    in_use: InUse,
    sliding: Metrics,
    trial: Metrics,
    nothing: Metrics,
}

impl Resilience4j {
    /// What it counts at `now`.
    pub fn counters(&mut self, now: Time) -> Counters {
        let metrics = self.metrics();
        let sums = metrics.window.sums(now);
        let rate = |part| (sums.calls >= metrics.minimum_calls).then(|| percent(part, sums.calls));
        Counters {
            failure_rate: rate(sums.failed),
            slow_call_rate: rate(sums.slow),
            calls: sums.calls,
            failed: sums.failed,
            slow: sums.slow,
            not_permitted: metrics.not_permitted,
        }
    }

    /// Moves it by hand.
    ///
    /// # Errors
    /// When the library knows no such transition: closed to half-open, and metrics-only to open or
    /// half-open.
    pub fn force(
        &mut self,
        action: Action,
        now: Time,
        changes: &mut Vec<Change>,
    ) -> Result<(), IllegalTransition> {
        let by_hand = TransitionReason::Manual;
        match (self.state, action) {
            (State::Closed, Action::ToHalfOpen)
            | (State::MetricsOnly { .. }, Action::ToHalfOpen | Action::ToOpen) => {
                let to = match action {
                    Action::ToOpen => StateName::Open,
                    _ => StateName::HalfOpen,
                };
                return Err(IllegalTransition { from: self.state.name(), to });
            }
            (_, Action::ToClosed) => self.close(now, by_hand, changes),
            (_, Action::ToOpen) => self.open(now, by_hand, changes),
            (_, Action::ToHalfOpen) => self.half_open(now, by_hand, changes),
            (_, Action::ToForcedOpen) => {
                self.count_opening();
                self.start_counting(InUse::Nothing, now);
                self.enter(State::ForcedOpen, by_hand, changes);
            }
            (_, Action::ToDisabled) => {
                self.openings = Openings::NONE;
                self.start_counting(InUse::Nothing, now);
                self.enter(State::Disabled, by_hand, changes);
            }
            (_, Action::ToMetricsOnly) => {
                self.openings = Openings::NONE;
                self.start_counting(InUse::Sliding, now);
                let silent =
                    State::MetricsOnly { told_failure_rate: false, told_slow_call_rate: false };
                self.enter(silent, by_hand, changes);
            }
            (_, Action::Reset) => {
                self.close(now, by_hand, changes);
                changes.push(Change::Reset);
            }
        }
        Ok(())
    }

    fn close(&mut self, now: Time, why: impl Into<Because>, changes: &mut Vec<Change>) {
        self.openings = Openings::NONE;
        self.start_counting(InUse::Sliding, now);
        self.enter(State::Closed, why, changes);
    }

    /// Keeps the window in use: it shows what opened the breaker.
    fn open(&mut self, now: Time, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let until = now + self.count_opening();
        self.enter(State::Open { until }, why, changes);
    }

    fn half_open(&mut self, now: Time, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let longest = self.config.max_wait_duration_in_half_open_state.as_millis();
        let half_open = State::HalfOpen {
            permits: self.config.permitted_number_of_calls_in_half_open_state,
            until: (longest > 0).then(|| now + Span::millis(longest)),
        };
        self.start_counting(InUse::Trial, now);
        self.enter(half_open, why, changes);
    }

    /// Tells of the new state, unless it has the name of the old one.
    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let (from, to) = (self.state.name(), state.name());
        self.state = state;
        if from != to {
            changes.push(Change::Transition(Transition::new(from, to, why)));
        }
    }

    /// Counts one more opening, and returns how long it lasts.
    fn count_opening(&mut self) -> Span {
        let Openings { count, wait_ms } = self.openings;
        let (wait_ms, max) = match self.config.wait_interval_exponential {
            None => (self.config.wait_duration_in_open_state.as_millis(), Span::MAX),
            Some(wait) if count == 0 => (wait.initial.as_millis(), wait.max),
            // `as` saturates where Java's cast of a double to a long does, at a long's maximum.
            Some(wait) => ((wait_ms as f64 * wait.multiplier) as i64 as u64, wait.max),
        };
        self.openings = Openings { count: count.saturating_add(1), wait_ms };
        Span::millis(wait_ms.min(max.as_millis()))
    }

    /// Empties a window and counts in it from now on.
    fn start_counting(&mut self, in_use: InUse, now: Time) {
        self.in_use = in_use;
        let metrics = self.metrics();
        metrics.window.clear(now);
        metrics.not_permitted = 0;
    }

    const fn metrics(&mut self) -> &mut Metrics {
        match self.in_use {
            InUse::Sliding => &mut self.sliding,
            InUse::Trial => &mut self.trial,
            InUse::Nothing => &mut self.nothing,
        }
    }

    /// Counts a result and judges the window: `None` below the minimum number of calls.
    fn record(&mut self, now: Time, call: Call) -> Option<Exceeded> {
        self.metrics().window.record(now, call);
        let Counters { failure_rate, slow_call_rate, .. } = self.counters(now);
        Some(Exceeded {
            failure_rate: failure_rate? >= self.config.failure_rate_threshold,
            slow_call_rate: slow_call_rate? >= self.config.slow_call_rate_threshold,
        })
    }

    /// Counts a result that met the breaker half-open, and decides if it is the last one needed.
    fn judge_trial(&mut self, now: Time, call: Call, changes: &mut Vec<Change>) {
        let Some(exceeded) = self.record(now, call) else { return };
        let reason = exceeded.reason().unwrap_or(TransitionReason::TestsSucceeded);
        let because = reason.on(self.weighed(reason, now));
        match reason {
            TransitionReason::TestsSucceeded => self.close(now, because, changes),
            _ => self.open(now, because, changes),
        }
    }

    /// The window in use, as a change of state for this reason rests on it.
    fn weighed(&mut self, reason: TransitionReason, now: Time) -> Weighed {
        let Counters { calls, failed, slow, .. } = self.counters(now);
        let slow_rate = f64::from(self.config.slow_call_rate_threshold);
        let failure_rate = f64::from(self.config.failure_rate_threshold);
        let (counted, threshold) = match reason {
            TransitionReason::SlowCallRate => (slow, slow_rate),
            // Tests succeed while few enough fail.
            TransitionReason::TestsSucceeded => (calls - failed, 100.0 - failure_rate),
            _ => (failed, failure_rate),
        };
        let configured = u64::from(self.config.minimum_number_of_calls);
        let effective = self.metrics().minimum_calls;
        Weighed {
            counted: Counted::Of(counted, calls),
            threshold: Threshold::Percent(threshold),
            minimum: Some(Minimum { configured, effective }),
        }
    }
}

impl Build for Config {
    type Machine = Resilience4j;

    /// # Errors
    /// When an option is outside what the library accepts.
    fn build(&self) -> Result<Resilience4j, OutOfRange> {
        let config = self.clone();
        config.check()?;
        let size = config.sliding_window_size;
        let permitted = config.permitted_number_of_calls_in_half_open_state;
        let minimum = config.minimum_number_of_calls;
        let metrics = |window, minimum: u32| Metrics {
            window,
            minimum_calls: u64::from(minimum),
            not_permitted: 0,
        };
        let sliding = match config.sliding_window_type {
            SlidingWindowType::CountBased => metrics(Window::last_calls(size), minimum.min(size)),
            SlidingWindowType::TimeBased => metrics(Window::last_seconds(size), minimum),
        };
        Ok(Resilience4j {
            state: State::Closed,
            openings: Openings::NONE,
            in_use: InUse::Sliding,
            sliding,
            trial: metrics(Window::last_calls(permitted), minimum.min(permitted)),
            nothing: metrics(Window::last_calls(0), 1),
            config,
        })
    }
}

impl Preset for Config {}

impl Machine for Resilience4j {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        if let State::Open { until } = self.state
            && now > until
        {
            self.half_open(now, TransitionReason::OpenTimeOver, changes);
        }
        let refusal = match &mut self.state {
            State::Closed | State::Disabled | State::MetricsOnly { .. } => None,
            State::Open { until } => Some(Reason::BreakerOpen { until: Some(*until) }),
            State::ForcedOpen => Some(Reason::BreakerOpen { until: None }),
            State::HalfOpen { permits: 0, .. } => Some(Reason::BreakerProbing),
            State::HalfOpen { permits, .. } => {
                *permits -= 1;
                None
            }
        };
        match refusal {
            // The library's permits know nothing but when their call began.
            None => Admission::Admitted(Permit::new(now, 0)),
            Some(reason) => {
                self.metrics().not_permitted += 1;
                Admission::Refused(reason)
            }
        }
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let failed = match verdict {
            Verdict::Success => false,
            Verdict::Failure => true,
            Verdict::Ignored | Verdict::Cancelled => {
                if let State::HalfOpen { permits, .. } = &mut self.state {
                    *permits = permits.saturating_add(1);
                }
                return;
            }
        };
        let slow = now.since(permit.started) > self.config.slow_call_duration_threshold;
        let call = Call { failed, slow };
        match self.state {
            State::ForcedOpen | State::Disabled => {}
            State::Open { .. } => self.metrics().window.record(now, call),
            State::HalfOpen { .. } => self.judge_trial(now, call, changes),
            State::Closed => {
                let Some(exceeded) = self.record(now, call) else { return };
                let Some(reason) = exceeded.reason() else { return };
                if exceeded.failure_rate {
                    changes.push(Change::FailureRateExceeded);
                }
                if exceeded.slow_call_rate {
                    changes.push(Change::SlowCallRateExceeded);
                }
                let because = reason.on(self.weighed(reason, now));
                self.open(now, because, changes);
            }
            State::MetricsOnly { told_failure_rate, told_slow_call_rate } => {
                let Some(exceeded) = self.record(now, call) else { return };
                if exceeded.failure_rate && !told_failure_rate {
                    changes.push(Change::FailureRateExceeded);
                }
                if exceeded.slow_call_rate && !told_slow_call_rate {
                    changes.push(Change::SlowCallRateExceeded);
                }
                self.state = State::MetricsOnly {
                    told_failure_rate: told_failure_rate || exceeded.failure_rate,
                    told_slow_call_rate: told_slow_call_rate || exceeded.slow_call_rate,
                };
            }
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }

    fn wakes_at(&self) -> Option<Time> {
        let automatic = self.config.automatic_transition_from_open_to_half_open_enabled;
        let at = match self.state {
            State::Open { until } if automatic => Some(until),
            State::HalfOpen { until, .. } => until,
            _ => None,
        };
        at.filter(|at| *at < Time::MAX)
    }

    fn wake(&mut self, now: Time, changes: &mut Vec<Change>) {
        if self.wakes_at().is_none_or(|at| now < at) {
            return;
        }
        match (self.state, self.config.transition_to_state_after_wait_duration) {
            (State::Open { .. }, _) => {
                self.half_open(now, TransitionReason::OpenTimeOver, changes);
            }
            (_, StateAfterWait::Open) => self.open(now, TransitionReason::TestTimeOver, changes),
            (_, StateAfterWait::Closed) => self.close(now, TransitionReason::TestTimeOver, changes),
        }
    }
}

impl State {
    const fn name(self) -> StateName {
        match self {
            State::Closed => StateName::Closed,
            State::Open { .. } => StateName::Open,
            State::HalfOpen { .. } => StateName::HalfOpen,
            State::ForcedOpen => StateName::ForcedOpen,
            State::Disabled => StateName::Disabled,
            State::MetricsOnly { .. } => StateName::MetricsOnly,
        }
    }
}

/// `part` of `calls` in percent, in the library's precision and order of operations.
fn percent(part: u64, calls: u64) -> f32 {
    part as f32 * 100.0 / calls as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::config::DEFAULT_WAIT;
    use super::*;
    use crate::family::refused;
    use crate::laws::breaker::testing::{ask, calls_and, ms};
    use crate::laws::breaker::{Input, Promises, Step, What, play_with};

    fn lived(config: &Config, inputs: &[(Span, Input<Action>)]) -> Vec<Step<Resilience4j, Action>> {
        let breaker = config.build().expect("valid");
        play_with(breaker, inputs, |breaker, action, _, now, changes| {
            // What it refuses changes nothing, which is a step too.
            breaker.force(action, now, changes).ok();
            true
        })
    }

    fn entered(step: &Step<Resilience4j, Action>) -> Vec<StateName> {
        step.transitions().map(|transition| transition.to).collect()
    }

    fn configs() -> impl Strategy<Value = Config> {
        let threshold = prop::sample::select(vec![1.0, 33.3, 50.0, 200.0 / 3.0, 100.0f32]);
        let kind =
            prop_oneof![Just(SlidingWindowType::CountBased), Just(SlidingWindowType::TimeBased)];
        let after = prop_oneof![Just(StateAfterWait::Open), Just(StateAfterWait::Closed)];
        let windows = (kind, 1..6u32, 1..8u32, 1..5u32);
        let waits = (any::<bool>(), prop_oneof![Just(0u64), Just(1500)], after);
        (threshold.clone(), threshold, windows, waits).prop_map(
            |(failure, slow, (kind, size, minimum, permitted), (automatic, longest, after))| {
                Config {
                    failure_rate_threshold: failure,
                    slow_call_rate_threshold: slow,
                    slow_call_duration_threshold: Span::secs(1),
                    sliding_window_type: kind,
                    sliding_window_size: size,
                    minimum_number_of_calls: minimum,
                    wait_duration_in_open_state: Span::secs(2),
                    automatic_transition_from_open_to_half_open_enabled: automatic,
                    permitted_number_of_calls_in_half_open_state: permitted,
                    max_wait_duration_in_half_open_state: Span::millis(longest),
                    transition_to_state_after_wait_duration: after,
                    ..Config::default()
                }
            },
        )
    }

    fn inputs() -> impl Strategy<Value = Vec<(Span, Input<Action>)>> {
        // Time often stands still, and sometimes meets an edge exactly: a second, a wait.
        let gap = prop_oneof![
            5 => Just(0),
            3 => 1..400u64,
            1 => Just(1000),
            1 => Just(2000),
            1 => Just(2001),
            1 => 0..9000u64,
        ];
        let action = prop::sample::select(vec![
            Action::ToClosed,
            Action::ToOpen,
            Action::ToHalfOpen,
            Action::ToForcedOpen,
            Action::ToDisabled,
            Action::ToMetricsOnly,
            Action::Reset,
        ]);
        calls_and(gap.prop_map(Span::millis), action)
    }

    /// All results since the window was last empty, and what the window keeps of them.
    struct History {
        results: Vec<(Time, Call)>,
        kept: Kept,
    }

    #[derive(Clone, Copy)]
    enum Kept {
        Calls(u32),
        Seconds(u32),
    }

    impl History {
        fn sliding(config: &Config) -> History {
            let size = config.sliding_window_size;
            let kept = match config.sliding_window_type {
                SlidingWindowType::CountBased => Kept::Calls(size),
                SlidingWindowType::TimeBased => Kept::Seconds(size),
            };
            History { results: Vec::new(), kept }
        }

        fn trial(config: &Config) -> History {
            let kept = Kept::Calls(config.permitted_number_of_calls_in_half_open_state);
            History { results: Vec::new(), kept }
        }

        /// Calls, failed and slow ones in the window at `now`.
        fn counted(&self, now: Time) -> (u64, u64, u64) {
            let second = |t: Time| t.as_nanos() / 1_000_000_000;
            let age = |at: &Time| second(now) - second(*at);
            let kept: Vec<Call> = match self.kept {
                Kept::Calls(n) => {
                    self.results.iter().rev().take(n as usize).map(|(_, call)| *call).collect()
                }
                Kept::Seconds(n) => self
                    .results
                    .iter()
                    .filter(|(at, _)| age(at) < u64::from(n))
                    .map(|(_, call)| *call)
                    .collect(),
            };
            let count = |of: fn(&Call) -> bool| kept.iter().filter(|call| of(call)).count() as u64;
            (kept.len() as u64, count(|call| call.failed), count(|call| call.slow))
        }

        /// Whether each rate has reached its threshold, once there are enough calls.
        fn exceeded(&self, config: &Config, now: Time) -> Option<(bool, bool)> {
            let (calls, failed, slow) = self.counted(now);
            let minimum = match self.kept {
                Kept::Calls(size) => config.minimum_number_of_calls.min(size),
                Kept::Seconds(_) => config.minimum_number_of_calls,
            };
            let rate = |part: u64| part as f32 * 100.0 / calls as f32;
            (calls >= u64::from(minimum)).then(|| {
                (
                    rate(failed) >= config.failure_rate_threshold,
                    rate(slow) >= config.slow_call_rate_threshold,
                )
            })
        }
    }

    proptest! {
        /// Permits are not bound to a call: half-open admits one more for every ignored or
        /// cancelled end that it meets.
        #[test]
        fn it_keeps_the_laws(config in configs(), inputs in inputs()) {
            let wait = config.wait_duration_in_open_state;
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + wait)),
                refuses_at_its_end: true,
                tests: Some(config.permitted_number_of_calls_in_half_open_state),
                gives_back: |ended| {
                    matches!(ended.verdict, Verdict::Ignored | Verdict::Cancelled)
                },
                ..Promises::default()
            };
            promises.hold(&lived(&config, &inputs));
        }

        /// The whole machine against a history that is counted anew at every step: the counters,
        /// and every move from closed and half-open.
        #[test]
        fn it_turns_exactly_when_the_history_says_so(config in configs(), inputs in inputs()) {
            let mut history = History::sliding(&config);
            let (mut refused, mut counts) = (0, true);
            for step in lived(&config, &inputs) {
                let result = step.ended().and_then(|ended| {
                    let slow = step.at.since(ended.started) > config.slow_call_duration_threshold;
                    match ended.verdict {
                        Verdict::Success => Some(Call { failed: false, slow }),
                        Verdict::Failure => Some(Call { failed: true, slow }),
                        Verdict::Ignored | Verdict::Cancelled => None,
                    }
                });
                if let Some(call) = result
                    && counts
                {
                    history.results.push((step.at, call));
                    let exceeded = history.exceeded(&config, step.at);
                    let expected = match (step.before.state, exceeded) {
                        (State::Closed, Some((true, _) | (_, true))) => vec![StateName::Open],
                        (State::HalfOpen { .. }, Some((false, false))) => vec![StateName::Closed],
                        (State::HalfOpen { .. }, Some(_)) => vec![StateName::Open],
                        _ => vec![],
                    };
                    prop_assert_eq!(entered(&step), expected);
                    if let (State::Closed, Some((failure, slow))) = (step.before.state, exceeded) {
                        let told = |change| step.changes.contains(&change);
                        prop_assert_eq!(told(Change::FailureRateExceeded), failure);
                        prop_assert_eq!(told(Change::SlowCallRateExceeded), slow);
                    }
                } else if step.ended().is_some() {
                    prop_assert_eq!(&step.changes, &vec![]);
                }
                // A new window, for every entry to a state but open.
                let anew = matches!(step.what, What::Other(by_hand) if by_hand != Action::ToOpen
                    && step.before.clone().force(by_hand, step.at, &mut Vec::new()).is_ok());
                if anew || entered(&step).iter().any(|to| *to != StateName::Open) {
                    refused = 0;
                    counts = !matches!(step.after.state, State::ForcedOpen | State::Disabled);
                    history = match step.after.state {
                        State::HalfOpen { .. } => History::trial(&config),
                        _ => History::sliding(&config),
                    };
                }
                refused += u64::from(matches!(step.what, What::Refused(_)));
                let Counters { calls, failed, slow, not_permitted, .. } =
                    step.after.clone().counters(step.at);
                prop_assert_eq!((calls, failed, slow), history.counted(step.at));
                prop_assert_eq!(not_permitted, refused);
            }
        }
    }

    /// One call, and the state after it.
    fn call(breaker: &mut Resilience4j, start: u64, end: u64, verdict: Verdict) -> StateName {
        let permit = ask(breaker, ms(start)).expect("admitted");
        breaker.settle(permit, ms(end), verdict, &mut Vec::new());
        breaker.state()
    }

    /// Four of a window of four must fail, of which half; two tests; a second open.
    fn small() -> Config {
        Config {
            sliding_window_size: 4,
            minimum_number_of_calls: 4,
            wait_duration_in_open_state: Span::secs(1),
            permitted_number_of_calls_in_half_open_state: 2,
            ..Config::default()
        }
    }

    fn opened(config: Config) -> Resilience4j {
        let mut breaker = config.build().expect("valid");
        for _ in 0..4 {
            call(&mut breaker, 0, 0, Verdict::Failure);
        }
        assert_eq!(breaker.state(), StateName::Open);
        breaker
    }

    #[test]
    fn the_first_call_after_the_open_time_is_a_test_but_not_the_one_at_its_end() {
        let mut breaker = opened(small());
        let until = Some(ms(1000));
        assert_eq!(ask(&mut breaker, ms(1000)).err(), Some(Reason::BreakerOpen { until }));
        assert_eq!(breaker.wakes_at(), None);
        assert!(ask(&mut breaker, ms(1001)).is_ok());
        assert_eq!(breaker.state(), StateName::HalfOpen);
    }

    #[test]
    fn the_timer_moves_at_the_end_of_the_open_time_itself() {
        let automatic = true;
        let mut breaker = opened(Config {
            automatic_transition_from_open_to_half_open_enabled: automatic,
            ..small()
        });
        assert_eq!(breaker.wakes_at(), Some(ms(1000)));
        breaker.wake(ms(1000), &mut Vec::new());
        assert!(ask(&mut breaker, ms(1000)).is_ok());
    }

    #[test]
    fn a_success_can_open_it() {
        let mut breaker = small().build().expect("valid");
        call(&mut breaker, 0, 0, Verdict::Failure);
        call(&mut breaker, 0, 0, Verdict::Failure);
        assert_eq!(call(&mut breaker, 0, 0, Verdict::Success), StateName::Closed);
        assert_eq!(call(&mut breaker, 0, 0, Verdict::Success), StateName::Open);
    }

    #[test]
    fn a_minimum_above_a_window_of_calls_is_the_window() {
        let mut breaker = opened(Config { minimum_number_of_calls: 50, ..small() });
        assert_eq!(breaker.counters(Time::ZERO).failure_rate, Some(100.0));
    }

    #[test]
    fn one_failed_test_does_not_reopen_below_the_threshold() {
        let mut breaker =
            opened(Config { permitted_number_of_calls_in_half_open_state: 3, ..small() });
        assert_eq!(call(&mut breaker, 1001, 1001, Verdict::Failure), StateName::HalfOpen);
        assert_eq!(call(&mut breaker, 1001, 1001, Verdict::Success), StateName::HalfOpen);
        assert_eq!(call(&mut breaker, 1001, 1001, Verdict::Success), StateName::Closed);
    }

    #[test]
    fn a_late_result_is_judged_like_a_tests() {
        let mut breaker = small().build().expect("valid");
        let late = [0; 3].map(|_| ask(&mut breaker, ms(0)).expect("closed"));
        for _ in 0..4 {
            call(&mut breaker, 0, 0, Verdict::Failure);
        }
        let _test = ask(&mut breaker, ms(1001)).expect("a test");
        let [ignored, one, other] = late;
        breaker.settle(ignored, ms(1002), Verdict::Ignored, &mut Vec::new());
        let more = (0..5).filter(|_| ask(&mut breaker, ms(1002)).is_ok()).count();
        assert_eq!(more, 2, "a permit is left, and a late ignored result adds one");
        breaker.settle(one, ms(1003), Verdict::Success, &mut Vec::new());
        breaker.settle(other, ms(1003), Verdict::Success, &mut Vec::new());
        assert_eq!(breaker.state(), StateName::Closed, "no test has ended");
    }

    #[test]
    fn slow_successes_open_it() {
        let mut breaker = Config {
            slow_call_duration_threshold: Span::secs(2),
            slow_call_rate_threshold: 50.0,
            ..small()
        }
        .build()
        .expect("valid");
        for (end, state) in [
            (2000, StateName::Closed),
            (2001, StateName::Closed),
            (2000, StateName::Closed),
            (2001, StateName::Open),
        ] {
            assert_eq!(call(&mut breaker, 0, end, Verdict::Success), state);
        }
    }

    #[test]
    fn tests_that_never_end_hold_it_half_open_until_the_longest_wait() {
        let mut stuck = opened(small());
        let _tests = [0; 2].map(|_| ask(&mut stuck, ms(1001)).expect("a test"));
        assert_eq!(ask(&mut stuck, ms(1_000_000)).err(), Some(Reason::BreakerProbing));
        assert_eq!(stuck.wakes_at(), None);

        for (after, state) in
            [(StateAfterWait::Open, StateName::Open), (StateAfterWait::Closed, StateName::Closed)]
        {
            let mut breaker = opened(Config {
                max_wait_duration_in_half_open_state: Span::secs(3),
                transition_to_state_after_wait_duration: after,
                ..small()
            });
            let _test = ask(&mut breaker, ms(1001)).expect("a test");
            assert_eq!(breaker.wakes_at(), Some(ms(4001)));
            breaker.wake(ms(4001), &mut Vec::new());
            assert_eq!(breaker.state(), state);
        }
    }

    #[test]
    fn the_open_time_grows_from_opening_to_opening_and_starts_anew_when_it_closes() {
        let wait =
            ExponentialWait { initial: Span::millis(5), multiplier: 1.5, max: Span::millis(15) };
        let mut breaker = opened(Config {
            wait_duration_in_open_state: DEFAULT_WAIT,
            wait_interval_exponential: Some(wait),
            ..small()
        });
        let (mut now, mut waits) = (0, Vec::new());
        for verdict in [Verdict::Failure; 4].into_iter().chain([Verdict::Success]) {
            let State::Open { until } = breaker.state else { panic!("open") };
            waits.push(until.since(ms(now)).as_millis());
            now += waits[waits.len() - 1] + 1;
            call(&mut breaker, now, now, verdict);
            call(&mut breaker, now, now, verdict);
        }
        assert_eq!(waits, [5, 7, 10, 15, 15], "7.5 and 10.5 lose their fractions at each step");
        assert_eq!(breaker.state, State::Closed);
        assert_eq!(breaker.openings, Openings::NONE);
    }

    #[test]
    fn metrics_only_tells_once_and_never_opens() {
        let mut breaker = small().build().expect("valid");
        let mut changes = Vec::new();
        breaker.force(Action::ToMetricsOnly, Time::ZERO, &mut changes).expect("legal");
        changes.clear();
        for _ in 0..10 {
            let permit = ask(&mut breaker, ms(0)).expect("admitted");
            breaker.settle(permit, Time::ZERO, Verdict::Failure, &mut changes);
        }
        assert_eq!(changes, [Change::FailureRateExceeded]);
        assert_eq!(breaker.state(), StateName::MetricsOnly);
    }

    #[test]
    fn by_hand_it_goes_where_the_library_lets_it() {
        let mut breaker = small().build().expect("valid");
        let mut changes = Vec::new();
        let mut force = |action| breaker.force(action, Time::ZERO, &mut changes);
        let (closed, half_open) = (StateName::Closed, StateName::HalfOpen);
        let refused = IllegalTransition { from: closed, to: half_open };
        assert_eq!(force(Action::ToHalfOpen), Err(refused));
        assert_eq!(refused.to_string(), "no transition leads from closed to half-open");
        assert_eq!(force(Action::ToMetricsOnly), Ok(()));
        assert!(force(Action::ToOpen).is_err());
        assert_eq!(force(Action::Reset), Ok(()));
        assert_eq!(force(Action::Reset), Ok(()));
        let told: Vec<bool> = changes.iter().map(|change| *change == Change::Reset).collect();
        assert_eq!(told, [false, false, true, true], "two transitions, one reset without one");
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        type Spoil = fn(&mut Config);
        let valid = Config::default();
        let wait = |initial, multiplier, max| {
            let (initial, max) = (Span::millis(initial), Span::millis(max));
            Some(ExponentialWait { initial, multiplier, max })
        };
        let spoilt: [(&str, Spoil); 9] = [
            ("failure_rate_threshold", |c| c.failure_rate_threshold = 0.0),
            ("failure_rate_threshold", |c| c.failure_rate_threshold = f32::NAN),
            ("slow_call_rate_threshold", |c| c.slow_call_rate_threshold = 100.1),
            ("slow_call_duration_threshold", |c| c.slow_call_duration_threshold = Span::ZERO),
            ("sliding_window_size", |c| c.sliding_window_size = 0),
            ("sliding_window_size", |c| c.sliding_window_size = u32::MAX),
            ("minimum_number_of_calls", |c| c.minimum_number_of_calls = 0),
            ("permitted_number_of_calls_in_half_open_state", |c| {
                c.permitted_number_of_calls_in_half_open_state = 0;
            }),
            ("wait_duration_in_open_state", |c| {
                c.wait_duration_in_open_state = Span::micros(999);
            }),
        ];
        for (field, spoil) in spoilt {
            let mut config = valid.clone();
            spoil(&mut config);
            assert_eq!(refused(&config), Some(field));
        }
        for (field, wait_interval_exponential) in [
            ("wait_interval_exponential.initial", wait(0, 2.0, 1)),
            ("wait_interval_exponential.multiplier", wait(1, 0.0, 1)),
            ("wait_interval_exponential.multiplier", wait(1, f64::INFINITY, 1)),
            ("wait_interval_exponential.max", wait(2, 2.0, 1)),
        ] {
            let config = Config { wait_interval_exponential, ..valid.clone() };
            assert_eq!(refused(&config), Some(field));
        }
        let both = Config { wait_interval_exponential: wait(1, 2.0, 2), ..small() };
        assert_eq!(refused(&both), Some("wait_duration_in_open_state"));
    }
}
