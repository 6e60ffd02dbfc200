//! The breaker of Polly v8: a ratio of failures over a rolling time, and one test.
//!
//! Answers: a dependency that fails for a share of its calls. Only failures are judged, and only
//! while enough calls pass, so that a quiet caller is left alone.
//!
//! Invites: one test decides for all, and so does one late result that meets it half-open. A test
//! that never ends keeps it half-open without end, since it has no time of its own for tests.
//!
//! ```text
//!                a failure, and then failures / calls >= `failure_ratio`
//!                among at least `minimum_throughput` calls
//!    +--------+ ----------------------------------------------> +--------------+
//!    | closed |                                                 | open until t |  refuses all
//!    +--------+ <--.                                            +--------------+
//!      admits all   \                                             |           ^
//!                    \                             first call     |           |  a failure:
//!                     \                            at or after t  v           |  the test's, or
//!                      \ a success: the test's, or a late one   +--------------+ a late one
//!                       `-------------------------------------- | half-open    |
//!                                                               +--------------+
//!                                                                 admits one test
//! ```
//!
//! Its peculiarities, each pinned by a test:
//! - Whatever `ShouldHandle` does not handle is a success, a cancelled call included: by default
//!   an `OperationCanceledException` is not handled. A cancelled test closes the breaker.
//! - Every other exception is a failure, so with `EnsureSuccessStatusCode` a 404 is one. The
//!   breaker of `AddStandardResilienceHandler` looks at responses instead, which is
//!   `record: ["408", "429", "5xx", "timeout", "refused", "reset"]`.
//! - A result counts in the state that it meets, whenever its call began. Open, it is counted and
//!   moves nothing; closing forgets everything counted.
//! - The rolling time is made of sub-windows. The first result that finds the current one a tenth
//!   of the sampling duration old begins the next, so they are not aligned to anything. One that
//!   began a whole sampling duration ago falls out with all its results.
//!
//! Reference: Polly 8.x, `CircuitStateController`, `AdvancedCircuitBehavior`,
//! `RollingHealthMetrics`, `CircuitBreakerStrategyOptions`, `CircuitBreakerManualControl`.
//!
//! Left out: the single window for sampling durations below 200 ms, which the options' own range
//! rules out; generators of break durations other than an exponential one. The library's clock
//! counts ticks of 100 ns, this one nanoseconds.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::out_of_range::within;
use crate::weighed::{Counted, Minimum, Threshold, Weighed};
use crate::{Backoff, Jitter, OutOfRange, Reason};

/// `HealthMetrics.NumberOfWindows`.
const SUB_WINDOWS: u64 = 10;

/// The range that the library accepts for both durations.
const SHORTEST: Span = Span::millis(500);
const LONGEST: Span = Span::secs(24 * 60 * 60);

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PollyBreaker")]
pub struct Config {
    /// The share of failures that opens it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub failure_ratio: f64,
    /// Calls that must have ended within the sampling duration.
    #[schemars(range(min = 2))]
    pub minimum_throughput: u32,
    /// How far back calls count.
    #[schemars(extend("x-minimum" = "500ms", "x-maximum" = "24h"))]
    pub sampling_duration: Span,
    /// How long it stays open.
    #[schemars(extend("x-minimum" = "500ms", "x-maximum" = "24h"))]
    pub break_duration: Span,
    /// An open time that grows with each test since it was last closed, in the place of
    /// `break_duration`.
    ///
    /// The library takes any function here.
    pub break_duration_generator: Option<BreakDurationGenerator>,
}

/// A break duration of `base * factor^n` after n half-open attempts, at most `cap`.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakDurationGenerator {
    /// The first break, not above the cap.
    pub base: Span,
    /// The growth from one to the next.
    #[schemars(range(min = 1.0))]
    pub factor: f64,
    /// The longest break.
    pub cap: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            failure_ratio: 0.1,
            minimum_throughput: 100,
            sampling_duration: Span::secs(30),
            break_duration: Span::secs(5),
            break_duration_generator: None,
        }
    }
}

impl Default for BreakDurationGenerator {
    fn default() -> BreakDurationGenerator {
        BreakDurationGenerator { base: Span::secs(5), factor: 2.0, cap: Span::secs(60) }
    }
}

/// What the breaker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        /// From this instant on the next call is let through as the test.
        until: Time,
    },
    /// The test is under way.
    HalfOpen,
    /// Opened by hand.
    Isolated,
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Polly {
    config: Config,
    generator: Option<Backoff>,
    state: State,
    health: Health,
    /// Tests since it was last closed.
    half_open_attempts: u32,
    /// Counts the transitions, so that a transition can name a late result as its reason.
    period: u64,
}

impl Polly {
    /// Opens it by hand, until it is closed by hand: the library's `IsolateAsync`.
    pub fn isolate(&mut self, changes: &mut Vec<Change>) {
        self.enter(State::Isolated, TransitionReason::Manual, changes);
    }

    /// Closes it by hand and forgets everything counted: the library's `CloseAsync`.
    pub fn close(&mut self, changes: &mut Vec<Change>) {
        self.turn_closed(TransitionReason::Manual, changes);
    }

    fn turn_closed(&mut self, why: impl Into<Because>, changes: &mut Vec<Change>) {
        self.half_open_attempts = 0;
        self.health.clear();
        self.enter(State::Closed, why, changes);
    }

    fn turn_open(&mut self, now: Time, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let lasts = match &self.generator {
            None => self.config.break_duration,
            // The first break comes before any test, the first delay before the first retry.
            Some(generator) => {
                generator.delay(self.half_open_attempts.saturating_add(1), Span::ZERO, 0)
            }
        };
        self.enter(State::Open { until: now + lasts }, why, changes);
    }

    /// Tells of the new state, unless it is in a state of that name already.
    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let (from, to) = (self.state.name(), state.name());
        self.state = state;
        if from != to {
            self.period += 1;
            changes.push(Change::Transition(Transition::new(from, to, why)));
        }
    }

    /// True when the share of failures, which has just grown, opens the breaker.
    fn should_break(&self) -> bool {
        let Sums { successes, failures } = self.health.sums;
        let throughput = successes + failures;
        throughput >= u64::from(self.config.minimum_throughput)
            && failures as f64 / throughput as f64 >= self.config.failure_ratio
    }
}

impl Build for Config {
    type Machine = Polly;

    /// # Errors
    /// When an option is outside what the library accepts.
    fn build(&self) -> Result<Polly, OutOfRange> {
        let config = self.clone();
        within("failure_ratio", config.failure_ratio, 0.0, 1.0)?;
        if config.minimum_throughput < 2 {
            let found = config.minimum_throughput;
            return Err(OutOfRange::new("minimum_throughput", found, "at least 2"));
        }
        duration("sampling_duration", config.sampling_duration)?;
        duration("break_duration", config.break_duration)?;
        let generator = config
            .break_duration_generator
            .map(|BreakDurationGenerator { base, factor, cap }| {
                Backoff::new(base, factor, cap, Jitter::None)
            })
            .transpose()
            .map_err(|error| OutOfRange {
                field: match error.field {
                    "base" => "break_duration_generator.base",
                    _ => "break_duration_generator.factor",
                },
                ..error
            })?;
        Ok(Polly {
            generator,
            state: State::Closed,
            health: Health::new(config.sampling_duration),
            half_open_attempts: 0,
            period: 0,
            config,
        })
    }
}

impl Preset for Config {
    /// `OperationCanceledException` is the one exception that is not handled.
    fn cancelled(&self) -> Verdict {
        Verdict::Success
    }
}

impl Machine for Polly {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        match self.state {
            State::Closed => {}
            State::Open { until } if now < until => {
                return Admission::Refused(Reason::BreakerOpen { until: Some(until) });
            }
            State::Open { .. } => {
                self.half_open_attempts = self.half_open_attempts.saturating_add(1);
                self.enter(State::HalfOpen, TransitionReason::OpenTimeOver, changes);
            }
            State::HalfOpen => return Admission::Refused(Reason::BreakerProbing),
            State::Isolated => return Admission::Refused(Reason::BreakerOpen { until: None }),
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let late = permit.tag != self.period;
        let failed = match verdict {
            Verdict::Failure => true,
            Verdict::Success | Verdict::Ignored | Verdict::Cancelled => false,
        };
        match (self.state, failed) {
            (State::HalfOpen, false) => {
                let reason = if late {
                    TransitionReason::LateSuccess
                } else {
                    TransitionReason::TestsSucceeded
                };
                self.turn_closed(reason, changes);
            }
            (State::HalfOpen, true) => {
                let reason =
                    if late { TransitionReason::LateFailure } else { TransitionReason::TestFailed };
                self.turn_open(now, reason, changes);
            }
            (State::Closed, true) => {
                self.health.record(now, failed);
                if self.should_break() {
                    let Sums { successes, failures } = self.health.sums;
                    let because = TransitionReason::FailureRate.on(Weighed {
                        counted: Counted::Of(failures, successes + failures),
                        threshold: Threshold::Percent(self.config.failure_ratio * 100.0),
                        minimum: Minimum::plain(self.config.minimum_throughput),
                    });
                    self.turn_open(now, because, changes);
                }
            }
            (State::Closed, false) | (State::Open { .. } | State::Isolated, _) => {
                self.health.record(now, failed);
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
            State::Closed => StateName::Closed,
            State::Open { .. } => StateName::Open,
            State::HalfOpen => StateName::HalfOpen,
            State::Isolated => StateName::ForcedOpen,
        }
    }
}

/// Results of a sub-window, or of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    successes: u64,
    failures: u64,
}

/// Results of the sampling duration, in sub-windows with running sums.
#[derive(Clone, Debug, PartialEq)]
struct Health {
    sampling: Span,
    /// When each sub-window began, and what it counted; the oldest first.
    windows: VecDeque<(Time, Sums)>,
    sums: Sums,
}

impl Health {
    fn new(sampling: Span) -> Health {
        // Sub-windows begin at least a tenth apart. Where the tenth is rounded down an eleventh
        // fits in, and the newest is there before the oldest goes.
        let windows = VecDeque::with_capacity(SUB_WINDOWS as usize + 2);
        Health { sampling, windows, sums: Sums::default() }
    }

    fn record(&mut self, now: Time, failed: bool) {
        let age = |began: Time| now.since(began);
        let newest = self.windows.back().map(|(began, _)| *began);
        if newest.is_none_or(|began| age(began) >= self.sampling / SUB_WINDOWS) {
            self.windows.push_back((now, Sums::default()));
        }
        while let Some((began, gone)) = self.windows.front().copied()
            && age(began) >= self.sampling
        {
            self.windows.pop_front();
            self.sums.successes -= gone.successes;
            self.sums.failures -= gone.failures;
        }
        let newest = self.windows.back_mut().map(|(_, sums)| sums);
        for sums in newest.into_iter().chain([&mut self.sums]) {
            sums.successes += u64::from(!failed);
            sums.failures += u64::from(failed);
        }
    }

    fn clear(&mut self) {
        self.windows.clear();
        self.sums = Sums::default();
    }
}

fn duration(field: &'static str, found: Span) -> Result<(), OutOfRange> {
    if (SHORTEST..=LONGEST).contains(&found) {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, format!("in {SHORTEST}..={LONGEST}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::refused;
    use crate::laws::breaker::testing::{ask, call, calls_and, end, ms};
    use crate::laws::breaker::{Ended, Input, Promises, Step, What, play_with};

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum ByHand {
        Isolate,
        Close,
    }

    fn lived(config: &Config, inputs: &[(Span, Input<ByHand>)]) -> Vec<Step<Polly, ByHand>> {
        let breaker = config.build().expect("valid");
        play_with(breaker, inputs, |breaker, by_hand, _, _, changes| {
            match by_hand {
                ByHand::Isolate => breaker.isolate(changes),
                ByHand::Close => breaker.close(changes),
            }
            true
        })
    }

    fn failed(ended: Ended) -> bool {
        ended.verdict == Verdict::Failure
    }

    fn configs() -> impl Strategy<Value = Config> {
        let ratio = prop::sample::select(vec![0.0, 0.1, 1.0 / 3.0, 0.5, 1.0]);
        let sampling = prop_oneof![Just(Span::secs(1)), Just(Span::nanos(1_000_000_009))];
        (ratio, 2..6u32, sampling, any::<bool>()).prop_map(
            |(failure_ratio, minimum_throughput, sampling_duration, grows)| Config {
                failure_ratio,
                minimum_throughput,
                sampling_duration,
                break_duration: Span::millis(700),
                break_duration_generator: grows.then(|| BreakDurationGenerator {
                    base: Span::millis(700),
                    factor: 2.0,
                    cap: Span::secs(2),
                }),
            },
        )
    }

    fn inputs() -> impl Strategy<Value = Vec<(Span, Input<ByHand>)>> {
        // Time often stands still, and meets the edges of sub-windows and breaks exactly.
        let gap = prop_oneof![
            5 => Just(0),
            3 => 1..99u64,
            2 => Just(100),
            1 => Just(700),
            1 => 0..1500u64,
        ];
        let by_hand = prop_oneof![Just(ByHand::Isolate), Just(ByHand::Close)];
        calls_and(gap.prop_map(Span::millis), by_hand)
    }

    proptest! {
        #[test]
        fn it_keeps_the_laws(config in configs(), inputs in inputs()) {
            let promises = Promises { tests: Some(1), ..Promises::default() };
            promises.hold(&lived(&config, &inputs));
        }

        /// The whole machine against the list of all results since it was last closed, each with
        /// the beginning of its sub-window, counted anew at every step.
        #[test]
        fn it_opens_exactly_when_the_results_say_so(config in configs(), inputs in inputs()) {
            let (mut results, mut began): (Vec<(Time, bool)>, Option<Time>) = (Vec::new(), None);
            let mut attempts = 0;
            for step in lived(&config, &inputs) {
                let mut expected = step.before.state;
                let asked = step.asked().is_some();
                let tenth = config.sampling_duration.as_nanos() / 10;
                let open = |attempts: u32| {
                    let grown = Span::millis(700 << attempts.min(5)).min(Span::secs(2));
                    let grows = config.break_duration_generator.is_some();
                    let lasts = if grows { grown } else { config.break_duration };
                    State::Open { until: step.at + lasts }
                };
                match (step.ended().map(failed), step.before.state) {
                    (Some(failed), State::HalfOpen) => {
                        expected = if failed { open(attempts) } else { State::Closed };
                    }
                    (Some(failed), state) => {
                        let old = |t: Time| step.at.since(t).as_nanos() >= tenth;
                        if began.is_none_or(old) {
                            began = Some(step.at);
                        }
                        results.push((began.expect("set above"), failed));
                        let kept = |(t, _): &&(Time, bool)| {
                            step.at.since(*t) < config.sampling_duration
                        };
                        let calls = results.iter().filter(kept).count();
                        let failures = results.iter().filter(kept).filter(|r| r.1).count();
                        let sums = step.after.health.sums;
                        let (s, f) = (sums.successes, sums.failures);
                        prop_assert_eq!((s + f, f), (calls as u64, failures as u64));
                        let enough = calls >= config.minimum_throughput as usize;
                        let high = failures as f64 / calls as f64 >= config.failure_ratio;
                        if state == State::Closed && failed && enough && high {
                            expected = open(attempts);
                        }
                    }
                    (None, State::Open { until }) if asked && step.at >= until => {
                        attempts += 1;
                        expected = State::HalfOpen;
                    }
                    (None, _) if asked => {}
                    (None, _) => expected = step.after.state,
                }
                prop_assert_eq!(step.after.state, expected);
                let closed_by_hand = step.what == What::Other(ByHand::Close);
                if step.enters(StateName::Closed) || closed_by_hand {
                    (attempts, began) = (0, None);
                    results.clear();
                }
            }
        }

        #[test]
        fn sub_windows_stay_few(config in configs(), inputs in inputs()) {
            for step in lived(&config, &inputs) {
                prop_assert!(step.after.health.windows.len() as u64 <= SUB_WINDOWS + 1);
            }
        }
    }

    /// Half of at least four calls within 10 s open it for 5 s.
    fn small() -> Config {
        Config {
            failure_ratio: 0.5,
            minimum_throughput: 4,
            sampling_duration: Span::secs(10),
            ..Config::default()
        }
    }

    /// A breaker that opened at time zero, and `late` calls from before.
    fn opened(config: Config, late: usize) -> (Polly, Vec<Permit>) {
        let mut breaker = config.build().expect("valid");
        let late = (0..late).map(|_| ask(&mut breaker, ms(0)).expect("closed")).collect();
        for _ in 0..4 {
            call(&mut breaker, ms(0), Verdict::Failure);
        }
        assert_eq!(breaker.state(), StateName::Open);
        (breaker, late)
    }

    #[test]
    fn only_a_failure_opens_it() {
        let mut breaker = small().build().expect("valid");
        for verdict in [
            Verdict::Failure,
            Verdict::Failure,
            Verdict::Failure,
            Verdict::Success,
            Verdict::Ignored,
        ] {
            assert_eq!(
                call(&mut breaker, ms(0), verdict),
                None,
                "3 of 4 failed, and no failure since"
            );
        }
        assert_eq!(
            call(&mut breaker, ms(0), Verdict::Failure),
            Some(TransitionReason::FailureRate)
        );
    }

    #[test]
    fn the_first_call_at_the_end_of_the_break_is_the_one_test() {
        let (mut breaker, _) = opened(small(), 0);
        let until = Some(ms(5000));
        assert_eq!(ask(&mut breaker, ms(4999)).err(), Some(Reason::BreakerOpen { until }));
        let test = ask(&mut breaker, ms(5000)).expect("the test");
        assert_eq!(ask(&mut breaker, ms(1_000_000)).err(), Some(Reason::BreakerProbing));
        let reason = end(&mut breaker, test, ms(1_000_000), Verdict::Failure);
        assert_eq!(reason, Some(TransitionReason::TestFailed));
        assert_eq!(breaker.state, State::Open { until: ms(1_005_000) });
    }

    #[test]
    fn a_cancelled_test_closes_it() {
        let (mut breaker, _) = opened(small(), 0);
        let reason = call(&mut breaker, ms(5000), Verdict::Cancelled);
        assert_eq!(reason, Some(TransitionReason::TestsSucceeded));
        assert_eq!(breaker.state(), StateName::Closed);
    }

    #[test]
    fn a_late_result_decides_for_the_test() {
        for (verdict, reason, state) in [
            (Verdict::Success, TransitionReason::LateSuccess, StateName::Closed),
            (Verdict::Failure, TransitionReason::LateFailure, StateName::Open),
        ] {
            let (mut breaker, mut late) = opened(small(), 2);
            let while_open = late.pop().expect("two calls from before");
            assert_eq!(end(&mut breaker, while_open, ms(1000), verdict), None);
            let _test = ask(&mut breaker, ms(5000)).expect("the test");
            let while_half_open = late.pop().expect("two calls from before");
            assert_eq!(end(&mut breaker, while_half_open, ms(5001), verdict), Some(reason));
            assert_eq!(breaker.state(), state);
        }
    }

    #[test]
    fn a_sub_window_begins_with_a_result_and_falls_out_whole() {
        let mut breaker = small().build().expect("valid");
        // The first sub-window: it lasts while it is less than a second old.
        call(&mut breaker, ms(500), Verdict::Failure);
        call(&mut breaker, ms(1499), Verdict::Failure);
        // The second.
        call(&mut breaker, ms(1500), Verdict::Failure);
        call(&mut breaker, ms(10_499), Verdict::Success);
        assert_eq!(breaker.health.sums, Sums { successes: 1, failures: 3 });
        call(&mut breaker, ms(10_500), Verdict::Success);
        assert_eq!(breaker.health.sums, Sums { successes: 2, failures: 1 });
    }

    #[test]
    fn failed_tests_are_not_counted_and_closing_forgets() {
        let (mut breaker, _) = opened(small(), 0);
        call(&mut breaker, ms(5000), Verdict::Failure);
        assert_eq!(breaker.health.sums, Sums { successes: 0, failures: 4 });
        call(&mut breaker, ms(10_000), Verdict::Success);
        assert_eq!(breaker.health.sums, Sums::default());
    }

    #[test]
    fn the_break_grows_with_the_tests_since_it_was_closed() {
        let generator =
            BreakDurationGenerator { base: Span::secs(1), factor: 3.0, cap: Span::secs(20) };
        let (mut breaker, _) =
            opened(Config { break_duration_generator: Some(generator), ..small() }, 0);
        let (mut now, mut breaks) = (0, Vec::new());
        for _ in 0..4 {
            let State::Open { until } = breaker.state else { panic!("open") };
            breaks.push(until.since(ms(now)).as_millis() / 1000);
            now += breaks[breaks.len() - 1] * 1000;
            call(&mut breaker, ms(now), Verdict::Failure);
        }
        assert_eq!(breaks, [1, 3, 9, 20]);
    }

    #[test]
    fn isolated_it_refuses_until_it_is_closed_by_hand() {
        let mut breaker = small().build().expect("valid");
        let mut changes = Vec::new();
        breaker.isolate(&mut changes);
        let refused = Some(Reason::BreakerOpen { until: None });
        assert_eq!(ask(&mut breaker, ms(1_000_000_000)).err(), refused);
        breaker.close(&mut changes);
        assert_eq!(changes.len(), 2);
        assert!(ask(&mut breaker, ms(1_000_000_000)).is_ok());
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        type Spoil = fn(&mut Config);
        let spoilt: [(&str, Spoil); 9] = [
            ("failure_ratio", |c| c.failure_ratio = 1.1),
            ("failure_ratio", |c| c.failure_ratio = f64::NAN),
            ("minimum_throughput", |c| c.minimum_throughput = 1),
            ("sampling_duration", |c| c.sampling_duration = Span::millis(499)),
            ("sampling_duration", |c| c.sampling_duration = Span::secs(86_401)),
            ("break_duration", |c| c.break_duration = Span::ZERO),
            ("break_duration", |c| c.break_duration = Span::MAX),
            ("break_duration_generator.base", |c| {
                let base = Span::secs(61);
                c.break_duration_generator = Some(BreakDurationGenerator { base, ..GENERATOR });
            }),
            ("break_duration_generator.factor", |c| {
                c.break_duration_generator =
                    Some(BreakDurationGenerator { factor: 0.5, ..GENERATOR });
            }),
        ];
        for (field, spoil) in spoilt {
            let mut config = Config::default();
            spoil(&mut config);
            assert_eq!(refused(&config), Some(field));
        }
    }

    const GENERATOR: BreakDurationGenerator =
        BreakDurationGenerator { base: Span::secs(1), factor: 2.0, cap: Span::secs(60) };
}
