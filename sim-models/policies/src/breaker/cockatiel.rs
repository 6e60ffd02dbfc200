//! The breaker of cockatiel (TypeScript): three ways to trip, and callers that wait for the test.
//!
//! Answers: the recovering dependency. While one test is under way the other callers are neither
//! refused nor let through: they wait for its end and then ask again.
//!
//! Invites: those who waited arrive together. An error that the policy does not handle closes a
//! half-open breaker. The sampling window forgets only as fast as results come, so that after a
//! silence old failures still count.
//!
//! Reference: cockatiel 3.2.1, `CircuitBreakerPolicy`, `ConsecutiveBreaker`, `CountBreaker`,
//! `SamplingBreaker`, `ConstantBackoff`, `IterableBackoff`, `ExponentialBackoff`.
//!
//! ```text
//!                a failure, and the window says so
//!    +--------+ -------------------------------------> +------------------+
//!    | closed |                                        | open until t     |  refuses
//!    +--------+ <---------.                            +------------------+
//!      admits all          \                             |              ^
//!                           \ a test succeeds, or        | first call   | a test fails, or a
//!                            \ ends in an error that     | at or        | late failure trips:
//!                             \ is not handled           v after t      | t = now + next delay
//!                              `---------------------- +------------------+
//!                                                      | half-open        |  one test, others wait
//!                                                      +------------------+
//! ```
//!
//! A call acts by the state that admitted it, on whatever state it finds at its end. One from a
//! closed time is counted in the window and may open a half-open breaker. A test that was overtaken
//! may still close a later half-open time, or open a closed breaker. The half-open delay grows from
//! one half-open time to the next, and starts anew when a closed breaker opens.
//!
//! The windows, each with its own minimum:
//! * `Consecutive`: so many failures in a row, tests included.
//! * `Count`: the last `size` results, and more than `threshold` of them failures. Only a
//!   successful test empties it.
//! * `Sampling`: max(5, ⌈duration / 1 s⌉) buckets, used in turn. A result that comes a bucket's
//!   length or more after its bucket began starts the next one, and just one, however long ago
//!   that was.
//!
//! The library reads a clock of whole milliseconds; so does this.
//!
//! Every error counts, as with `handleAll`, which is the policy that the manual begins with. So does
//! the one in which a call ends whose abort signal has fired.
//!
//! Left out: `isolate`, imported state, backoffs with jitter or of one's own. If the caller's process
//! dies, the call has no result: it counts as nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::weighed::{Counted, Minimum, Threshold, Weighed};
use crate::{OutOfRange, Reason};

/// Bounds the memory of a window. The library has no bound.
const WINDOW_MAX: u32 = 1_000_000;
/// The tag of calls that a closed breaker admitted.
const NO_TEST: u64 = 0;

/// Its options, under the library's names. The library has no defaults: these are the values of
/// its manual's first example.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CockatielBreaker")]
pub struct Config {
    /// When it opens.
    pub breaker: Trip,
    /// How long it stays open.
    pub half_open_after: HalfOpenAfter,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            breaker: Trip::Consecutive(5),
            half_open_after: HalfOpenAfter::Constant(Span::secs(10)),
        }
    }
}

/// When it opens.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CockatielTrip", title = "trip of Cockatiel")]
pub enum Trip {
    /// After so many failures in a row; 0 is as good as 1.
    #[schemars(example = r#"Consecutive(5)"#)]
    Consecutive(u32),
    /// By the share of failures among the last results.
    #[schemars(example = r#"Count(threshold: 0.5, size: 10)"#)]
    Count {
        /// Opens when more than this share failed.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        threshold: f64,
        /// The number of results that count.
        #[schemars(range(min = 1, max = 1000000))]
        size: u32,
        /// Stays closed below so many results, 1 to `size`. Default `size`.
        #[serde(default)]
        #[schemars(range(min = 1))]
        minimum_number_of_calls: Option<u32>,
    },
    /// By the share of failures among the results of a time.
    #[schemars(example = r#"Sampling(threshold: 0.5, duration: "10s")"#)]
    Sampling {
        /// Opens when more than this share failed.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        threshold: f64,
        /// The length of that time.
        #[schemars(extend("x-exclusiveMinimum" = "0s", "x-maximum" = "1000000s"))]
        duration: Span,
        /// Stays closed below so many results per second. Absent or 0: 5 / `threshold`.
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        minimum_rps: Option<f64>,
    },
}

/// How long it stays open; from the second value on after half-open times that failed.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CockatielHalfOpenAfter", title = "open time of Cockatiel")]
pub enum HalfOpenAfter {
    /// Always the same.
    #[schemars(example = r#"Constant("10s")"#)]
    Constant(Span),
    /// One after the other, the last one again and again; at least one.
    #[schemars(example = r#"Iterable(["1s", "5s"])"#)]
    Iterable(Vec<Span>),
    /// Doubling, without jitter (`noJitterGenerator`, which has no use for the library's
    /// `exponent`).
    Exponential {
        /// The first delay.
        #[serde(default = "initial_delay")]
        initial_delay: Span,
        /// No delay is longer, at least `initial_delay`.
        #[serde(default = "max_delay")]
        max_delay: Span,
    },
}

/// The library's default.
const fn initial_delay() -> Span {
    Span::millis(128)
}

/// The library's default.
const fn max_delay() -> Span {
    Span::secs(30)
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Cockatiel {
    half_open_after: HalfOpenAfter,
    state: State,
    window: Window,
    /// Counts the tests; a test's permit carries its number.
    tests: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Time,
        /// Half-open times since it was closed.
        step: u32,
    },
    HalfOpen {
        step: u32,
        /// The test under way; none after it was cancelled.
        test: Option<u64>,
    },
}

/// The results that decide.
#[derive(Clone, Debug, PartialEq)]
enum Window {
    Consecutive { threshold: u32, failures: u32 },
    Count(Ring),
    Sampling(Buckets),
}

/// The last results, in a ring.
#[derive(Clone, Debug, PartialEq)]
struct Ring {
    threshold: f64,
    minimum: u32,
    /// Whether each succeeded.
    samples: Vec<Option<bool>>,
    next: usize,
    tally: Tally,
}

/// The results per bucket of time.
#[derive(Clone, Debug, PartialEq)]
struct Buckets {
    threshold: f64,
    /// Stays closed below so many results.
    minimum: f64,
    /// The length of a bucket in milliseconds.
    length: u64,
    buckets: Vec<Bucket>,
    current: usize,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bucket {
    /// In milliseconds; none before its first use.
    started: Option<u64>,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    successes: u64,
    failures: u64,
}

impl Cockatiel {
    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    fn open(&mut self, now: Time, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let step = match self.state {
            State::Open { .. } => return,
            State::Closed => 0,
            State::HalfOpen { step, .. } => step.saturating_add(1),
        };
        let opened_at = Time::ZERO + Span::millis(clock(now));
        let until = opened_at + self.half_open_after.delay(step);
        self.enter(State::Open { until, step }, why, changes);
    }

    fn close(&mut self, why: impl Into<Because>, changes: &mut Vec<Change>) {
        if let State::HalfOpen { .. } = self.state {
            self.enter(State::Closed, why, changes);
        }
    }

    fn begin_test(&mut self, step: u32, now: Time) -> Permit {
        self.tests += 1;
        self.state = State::HalfOpen { step, test: Some(self.tests) };
        Permit::new(now, self.tests)
    }

    fn settle_call(&mut self, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        match verdict {
            Verdict::Success => self.window.record(true, now),
            Verdict::Ignored | Verdict::Cancelled => {}
            Verdict::Failure => {
                self.window.record(false, now);
                if self.window.is_tripped() {
                    let because = match self.state {
                        State::HalfOpen { .. } => TransitionReason::LateFailure.into(),
                        State::Closed | State::Open { .. } => self.window.because(),
                    };
                    self.open(now, because, changes);
                }
            }
        }
    }

    fn settle_test(&mut self, test: u64, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let current = match self.state {
            State::HalfOpen { step, test: Some(current) } if current == test => Some(step),
            _ => None,
        };
        let (succeeded, failed) = match current {
            Some(_) => (TransitionReason::TestsSucceeded, TransitionReason::TestFailed),
            None => (TransitionReason::LateSuccess, TransitionReason::LateFailure),
        };
        match verdict {
            Verdict::Success => {
                self.window.reset();
                self.window.record(true, now);
                self.close(succeeded, changes);
            }
            Verdict::Ignored => self.close(succeeded, changes),
            Verdict::Failure => {
                self.window.record(false, now);
                self.open(now, failed, changes);
            }
            Verdict::Cancelled => {
                if let Some(step) = current {
                    self.state = State::HalfOpen { step, test: None };
                }
            }
        }
    }
}

impl Build for Config {
    type Machine = Cockatiel;

    /// # Errors
    /// When an option is outside the range that it names.
    fn build(&self) -> Result<Cockatiel, OutOfRange> {
        let config = self.clone();
        config.half_open_after.check()?;
        let window = Window::new(&config.breaker)?;
        let half_open_after = config.half_open_after;
        Ok(Cockatiel { half_open_after, state: State::Closed, window, tests: 0 })
    }
}

impl Preset for Config {
    /// An error that the policy does not handle.
    fn unrecorded(&self) -> Verdict {
        Verdict::Ignored
    }
}

impl Machine for Cockatiel {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        let permit = match self.state {
            State::Closed => Permit::new(now, NO_TEST),
            State::Open { until, .. } if now < until => {
                return Admission::Refused(Reason::BreakerOpen { until: Some(until) });
            }
            State::Open { step, .. } => {
                let half_open = State::HalfOpen { step, test: None };
                self.enter(half_open, TransitionReason::OpenTimeOver, changes);
                self.begin_test(step, now)
            }
            State::HalfOpen { step, test: None } => self.begin_test(step, now),
            State::HalfOpen { test: Some(_), .. } => return Admission::Parked,
        };
        Admission::Admitted(permit)
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        match permit.tag {
            NO_TEST => self.settle_call(now, verdict, changes),
            test => self.settle_test(test, now, verdict, changes),
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }

    fn parked_on(&self) -> Option<u64> {
        match self.state {
            State::HalfOpen { test, .. } => test,
            State::Closed | State::Open { .. } => None,
        }
    }
}

/// What the library's clock shows: whole milliseconds.
const fn clock(now: Time) -> u64 {
    now.since(Time::ZERO).as_millis()
}

impl State {
    const fn name(self) -> StateName {
        match self {
            State::Closed => StateName::Closed,
            State::Open { .. } => StateName::Open,
            State::HalfOpen { .. } => StateName::HalfOpen,
        }
    }
}

impl HalfOpenAfter {
    fn check(&self) -> Result<(), OutOfRange> {
        match self {
            HalfOpenAfter::Constant(_) => Ok(()),
            HalfOpenAfter::Iterable(delays) if delays.is_empty() => {
                Err(OutOfRange::new("half_open_after", "an empty list", "at least one delay"))
            }
            HalfOpenAfter::Iterable(_) => Ok(()),
            HalfOpenAfter::Exponential { initial_delay, max_delay } => {
                if initial_delay <= max_delay {
                    return Ok(());
                }
                let allowed = format!("at most max_delay = {max_delay}");
                Err(OutOfRange::new("initial_delay", initial_delay, allowed))
            }
        }
    }

    /// The delay after so many failed half-open times, up to the next whole millisecond.
    fn delay(&self, step: u32) -> Span {
        let delay = match self {
            HalfOpenAfter::Constant(delay) => *delay,
            HalfOpenAfter::Iterable(delays) => delays[delays.len().min(step as usize + 1) - 1],
            HalfOpenAfter::Exponential { initial_delay, max_delay } => {
                (*initial_delay * (1 << step.min(63))).min(*max_delay)
            }
        };
        let whole = Span::millis(delay.as_millis());
        if whole < delay { whole + Span::millis(1) } else { delay }
    }
}

impl Window {
    fn new(trip: &Trip) -> Result<Window, OutOfRange> {
        match *trip {
            Trip::Consecutive(threshold) => Ok(Window::Consecutive { threshold, failures: 0 }),
            Trip::Count { threshold, size, minimum_number_of_calls } => {
                Ring::new(threshold, size, minimum_number_of_calls).map(Window::Count)
            }
            Trip::Sampling { threshold, duration, minimum_rps } => {
                Buckets::new(threshold, duration, minimum_rps).map(Window::Sampling)
            }
        }
    }

    fn record(&mut self, succeeded: bool, now: Time) {
        match self {
            Window::Consecutive { failures, .. } => {
                *failures = if succeeded { 0 } else { failures.saturating_add(1) };
            }
            Window::Count(ring) => ring.record(succeeded),
            Window::Sampling(buckets) => buckets.record(succeeded, clock(now)),
        }
    }

    /// Whether the failure just recorded opens a closed breaker.
    fn is_tripped(&self) -> bool {
        match self {
            Window::Consecutive { threshold, failures } => failures >= threshold,
            Window::Count(ring) => {
                ring.tally.total() >= u64::from(ring.minimum) && ring.tally.exceeds(ring.threshold)
            }
            Window::Sampling(buckets) => {
                buckets.tally.total() as f64 >= buckets.minimum
                    && buckets.tally.exceeds(buckets.threshold)
            }
        }
    }

    /// Why it is tripped.
    fn because(&self) -> Because {
        let rate = |tally: Tally, threshold: f64, minimum: u64| {
            TransitionReason::FailureRate.on(Weighed {
                counted: Counted::Of(tally.failures, tally.total()),
                threshold: Threshold::Percent(threshold * 100.0),
                minimum: Minimum::plain(minimum),
            })
        };
        match self {
            Window::Consecutive { threshold, failures } => {
                TransitionReason::ConsecutiveFailures.on_calls(*failures, *threshold)
            }
            Window::Count(ring) => rate(ring.tally, ring.threshold, ring.minimum.into()),
            // So many whole calls are at least as many as that.
            Window::Sampling(buckets) => {
                rate(buckets.tally, buckets.threshold, buckets.minimum.ceil() as u64)
            }
        }
    }

    fn reset(&mut self) {
        match self {
            Window::Consecutive { failures, .. } => *failures = 0,
            Window::Count(ring) => {
                ring.samples.fill(None);
                ring.tally = Tally::default();
            }
            Window::Sampling(buckets) => {
                buckets.buckets.fill(Bucket::default());
                buckets.tally = Tally::default();
            }
        }
    }
}

/// Refuses a share that the library refuses, and what is not a number.
fn share(threshold: f64) -> Result<(), OutOfRange> {
    if threshold > 0.0 && threshold < 1.0 {
        Ok(())
    } else {
        Err(OutOfRange::new("threshold", threshold, "above 0 and below 1"))
    }
}

impl Ring {
    fn new(threshold: f64, size: u32, minimum: Option<u32>) -> Result<Ring, OutOfRange> {
        share(threshold)?;
        if !(1..=WINDOW_MAX).contains(&size) {
            return Err(OutOfRange::new("size", size, format!("in 1..={WINDOW_MAX}")));
        }
        let minimum = minimum.unwrap_or(size);
        if !(1..=size).contains(&minimum) {
            let allowed = format!("in 1..={size}, the size");
            return Err(OutOfRange::new("minimum_number_of_calls", minimum, allowed));
        }
        let samples = vec![None; size as usize];
        Ok(Ring { threshold, minimum, samples, next: 0, tally: Tally::default() })
    }

    fn record(&mut self, succeeded: bool) {
        match self.samples[self.next].replace(succeeded) {
            Some(true) => self.tally.successes -= 1,
            Some(false) => self.tally.failures -= 1,
            None => {}
        }
        self.tally.add(succeeded);
        self.next = (self.next + 1) % self.samples.len();
    }
}

impl Buckets {
    fn new(
        threshold: f64,
        duration: Span,
        minimum_rps: Option<f64>,
    ) -> Result<Buckets, OutOfRange> {
        share(threshold)?;
        let longest = Span::secs(u64::from(WINDOW_MAX));
        if duration.is_zero() || duration > longest {
            let allowed = format!("above zero and at most {longest}");
            return Err(OutOfRange::new("duration", duration, allowed));
        }
        let minimum_rps = minimum_rps.unwrap_or(0.0);
        if !(minimum_rps >= 0.0 && minimum_rps.is_finite()) {
            return Err(OutOfRange::new("minimum_rps", minimum_rps, "a finite rate, 0 or more"));
        }
        let count = duration.as_nanos().div_ceil(Span::secs(1).as_nanos()).max(5);
        // The bucket's length is rounded to the nearest millisecond, halves up.
        let unit = count * Span::millis(1).as_nanos();
        let length = (2 * duration.as_nanos() + unit) / (2 * unit);
        let per_milli =
            if minimum_rps > 0.0 { minimum_rps / 1000.0 } else { 5.0 / (threshold * 1000.0) };
        Ok(Buckets {
            threshold,
            minimum: (length * count) as f64 * per_milli,
            length,
            buckets: vec![Bucket::default(); count as usize],
            current: 0,
            tally: Tally::default(),
        })
    }

    fn record(&mut self, succeeded: bool, now: u64) {
        let started = self.buckets[self.current].started;
        if started.is_none_or(|started| now - started >= self.length) {
            self.current = (self.current + 1) % self.buckets.len();
            let fresh = Bucket { started: Some(now), tally: Tally::default() };
            let old = std::mem::replace(&mut self.buckets[self.current], fresh);
            self.tally.successes -= old.tally.successes;
            self.tally.failures -= old.tally.failures;
        }
        self.buckets[self.current].tally.add(succeeded);
        self.tally.add(succeeded);
    }
}

impl Tally {
    const fn total(self) -> u64 {
        self.successes + self.failures
    }

    fn add(&mut self, succeeded: bool) {
        *(if succeeded { &mut self.successes } else { &mut self.failures }) += 1;
    }

    /// In the library's order of floating-point operations.
    fn exceeds(self, threshold: f64) -> bool {
        self.failures as f64 > threshold * self.total() as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::family::refused;
    use crate::laws::breaker::testing::{ask, call, calls, end, ms};
    use crate::laws::breaker::{Ended, Input, Promises, Step, What, play};

    fn lived(config: &Config, inputs: &[(Span, Input)]) -> Vec<Step<Cockatiel>> {
        play(config.build().expect("valid"), inputs)
    }

    fn stories() -> impl Strategy<Value = (Config, Vec<(Span, Input)>)> {
        let share = prop_oneof![Just(0.1), Just(0.5), Just(0.7), 0.01..0.99];
        let breaker = prop_oneof![
            (0..5u32).prop_map(Trip::Consecutive),
            (share.clone(), 1..9u32, 0..9u32).prop_map(|(threshold, size, minimum)| Trip::Count {
                threshold,
                size,
                minimum_number_of_calls: (1..=size).contains(&minimum).then_some(minimum),
            }),
            (share, 1..9000u64, prop::option::of(0.0..3.0)).prop_map(
                |(threshold, duration, minimum_rps)| Trip::Sampling {
                    threshold,
                    duration: Span::millis(duration),
                    minimum_rps,
                }
            ),
        ];
        let delay = (0..3000u64).prop_map(Span::millis);
        let half_open_after = prop_oneof![
            delay.clone().prop_map(HalfOpenAfter::Constant),
            vec(delay.clone(), 1..4).prop_map(HalfOpenAfter::Iterable),
            delay.prop_map(|initial_delay| HalfOpenAfter::Exponential {
                initial_delay,
                max_delay: Span::secs(5),
            }),
        ];
        let config = (breaker, half_open_after)
            .prop_map(|(breaker, half_open_after)| Config { breaker, half_open_after });
        let gap = prop_oneof![6 => Just(0), 6 => 0..200u64, 3 => 200..3000u64, 1 => 0..30_000u64];
        (config, calls(gap.prop_map(Span::millis)))
    }

    proptest! {
        #[test]
        fn it_keeps_the_laws((config, inputs) in stories()) {
            let promises = Promises {
                tests: Some(1),
                gives_back: |ended| ended.verdict == Verdict::Cancelled && !ended.late,
                ..Promises::default()
            };
            promises.hold(&lived(&config, &inputs));
        }

        #[test]
        fn the_open_time_follows_the_failed_half_open_times((config, inputs) in stories()) {
            let mut failed_half_opens = 0;
            for step in lived(&config, &inputs) {
                let (before, after) = (step.before.state, step.after.state);
                match (before, after) {
                    (State::Closed, State::Open { .. }) => failed_half_opens = 0,
                    (State::HalfOpen { .. }, State::Open { .. }) => failed_half_opens += 1,
                    _ => {}
                }
                if let State::Open { until, .. } = after
                    && before.name() != StateName::Open
                {
                    let delay = match &config.half_open_after {
                        HalfOpenAfter::Constant(delay) => *delay,
                        HalfOpenAfter::Iterable(delays) => {
                            *delays.get(failed_half_opens).or(delays.last()).expect("not empty")
                        }
                        HalfOpenAfter::Exponential { initial_delay, max_delay } => {
                            let grow = |delay: Span, _| (delay * 2).min(*max_delay);
                            (0..failed_half_opens).fold(*initial_delay, grow)
                        }
                    };
                    prop_assert_eq!(until, step.at + delay);
                }
            }
        }

        #[test]
        fn a_half_open_breaker_has_one_test_and_others_wait((config, inputs) in stories()) {
            for step in lived(&config, &inputs) {
                match (step.before.state, step.what) {
                    (State::HalfOpen { test: Some(_), .. }, What::Ended(_)) => {}
                    (State::HalfOpen { test: Some(_), .. }, what) => {
                        prop_assert_eq!(what, What::Parked);
                    }
                    (_, what) => prop_assert!(what != What::Parked),
                }
            }
        }

        #[test]
        fn the_window_is_what_history_says((config, inputs) in stories()) {
            // Runs of results: all in one run for `Count`, one per bucket for `Sampling`.
            let mut runs: VecDeque<(Time, Tally)> = VecDeque::new();
            let mut results: Vec<bool> = Vec::new();
            for step in lived(&config, &inputs) {
                let Some(Ended { verdict, tag, .. }) = step.ended() else { continue };
                let is_test = tag != NO_TEST;
                let succeeded = match verdict {
                    Verdict::Success => true,
                    Verdict::Failure => false,
                    Verdict::Ignored | Verdict::Cancelled => continue,
                };
                if is_test && succeeded {
                    runs.clear();
                    results.clear();
                }
                results.push(succeeded);
                match &step.after.window {
                    Window::Consecutive { failures, .. } => {
                        let naive = results.iter().rev().take_while(|ok| !**ok).count();
                        prop_assert_eq!(*failures as usize, naive);
                    }
                    Window::Count(ring) => {
                        let mut naive = Tally::default();
                        results.iter().rev().take(ring.samples.len()).for_each(|ok| naive.add(*ok));
                        prop_assert_eq!(ring.tally, naive);
                    }
                    Window::Sampling(buckets) => {
                        let length = Span::millis(buckets.length);
                        if runs.back().is_none_or(|(began, _)| step.at.since(*began) >= length) {
                            runs.push_back((step.at, Tally::default()));
                        }
                        runs.back_mut().expect("just pushed").1.add(succeeded);
                        let mut naive = Tally::default();
                        for (_, tally) in runs.iter().rev().take(buckets.buckets.len()) {
                            naive.successes += tally.successes;
                            naive.failures += tally.failures;
                        }
                        prop_assert_eq!(buckets.tally, naive);
                    }
                }
            }
        }

        #[test]
        fn a_result_acts_by_the_state_that_admitted_it((config, inputs) in stories()) {
            for step in lived(&config, &inputs) {
                let Some(Ended { verdict, tag, .. }) = step.ended() else { continue };
                let is_test = tag != NO_TEST;
                let trips = match &step.after.window {
                    Window::Consecutive { threshold, failures } => failures >= threshold,
                    Window::Count(ring) => {
                        let Tally { failures, successes } = ring.tally;
                        failures + successes >= u64::from(ring.minimum)
                            && failures as f64 > ring.threshold * (failures + successes) as f64
                    }
                    Window::Sampling(buckets) => {
                        let Tally { failures, successes } = buckets.tally;
                        (failures + successes) as f64 >= buckets.minimum
                            && failures as f64 > buckets.threshold * (failures + successes) as f64
                    }
                };
                let before = step.before.state();
                let expected = match (before, verdict) {
                    (StateName::Closed | StateName::HalfOpen, Verdict::Failure)
                        if is_test || trips => StateName::Open,
                    (StateName::HalfOpen, Verdict::Success | Verdict::Ignored) if is_test => {
                        StateName::Closed
                    }
                    _ => before,
                };
                prop_assert_eq!(step.after.state(), expected);
            }
        }
    }

    fn breaker(trip: Trip, half_open_after: HalfOpenAfter) -> Cockatiel {
        Config { breaker: trip, half_open_after }.build().expect("valid")
    }

    fn second() -> HalfOpenAfter {
        HalfOpenAfter::Constant(Span::secs(1))
    }

    #[test]
    fn those_who_wait_ask_again_after_the_test() {
        let mut breaker = breaker(Trip::Consecutive(1), second());
        call(&mut breaker, ms(0), Verdict::Failure);
        let test = ask(&mut breaker, ms(1000)).expect("admitted");
        let number = test.tag();
        assert_eq!(breaker.admit(ms(1001), &mut Vec::new()), Admission::Parked);
        assert_eq!(breaker.parked_on(), Some(number));
        let closed = Some(TransitionReason::TestsSucceeded);
        assert_eq!(end(&mut breaker, test, ms(1002), Verdict::Success), closed);
        assert_eq!(breaker.parked_on(), None);
        let _released = ask(&mut breaker, ms(1002)).expect("admitted");
    }

    #[test]
    fn an_overtaken_test_keeps_its_callers_waiting() {
        let mut breaker = breaker(Trip::Consecutive(2), second());
        let late = ask(&mut breaker, ms(0)).expect("admitted");
        call(&mut breaker, ms(0), Verdict::Failure);
        call(&mut breaker, ms(0), Verdict::Failure);
        let first = ask(&mut breaker, ms(1000)).expect("admitted");
        let reopened = Some(TransitionReason::LateFailure);
        assert_eq!(end(&mut breaker, late, ms(1001), Verdict::Failure), reopened);
        let second = ask(&mut breaker, ms(2001)).expect("admitted");
        // Who parks now waits for the second test, not for the first.
        assert_eq!(breaker.parked_on(), Some(second.tag()));
        assert_ne!(first.tag(), second.tag());
        // The first one closes the breaker all the same, and the second then opens it again.
        let closed = Some(TransitionReason::LateSuccess);
        assert_eq!(end(&mut breaker, first, ms(2002), Verdict::Success), closed);
        assert_eq!(end(&mut breaker, second, ms(2003), Verdict::Failure), reopened);
    }

    #[test]
    fn an_error_that_is_not_handled_closes_it() {
        let mut breaker = breaker(Trip::Consecutive(2), second());
        call(&mut breaker, ms(0), Verdict::Failure);
        assert_eq!(call(&mut breaker, ms(0), Verdict::Ignored), None);
        assert!(call(&mut breaker, ms(0), Verdict::Failure).is_some(), "it was no success either");
        let closed = Some(TransitionReason::TestsSucceeded);
        assert_eq!(call(&mut breaker, ms(1000), Verdict::Ignored), closed);
        // The run of failures goes on, for nothing has reset it.
        assert!(call(&mut breaker, ms(1000), Verdict::Failure).is_some());
    }

    #[test]
    fn a_ring_needs_its_minimum_and_keeps_its_failures_while_open() {
        let trip = Trip::Count { threshold: 0.5, size: 4, minimum_number_of_calls: Some(3) };
        let mut breaker = breaker(trip, second());
        assert_eq!(
            call(&mut breaker, ms(0), Verdict::Failure),
            None,
            "1 of 1 is below the minimum"
        );
        assert_eq!(call(&mut breaker, ms(0), Verdict::Failure), None, "2 of 2 too");
        let late = ask(&mut breaker, ms(0)).expect("admitted");
        assert!(call(&mut breaker, ms(0), Verdict::Failure).is_some());
        // A late success only makes it 3 of 4.
        assert_eq!(end(&mut breaker, late, ms(1), Verdict::Success), None);
        // An unhandled error closes it and leaves the ring as it is: 3 of 4, and then 3 of 4.
        call(&mut breaker, ms(1000), Verdict::Ignored);
        assert!(call(&mut breaker, ms(1000), Verdict::Failure).is_some());
    }

    #[test]
    fn silence_does_not_age_a_sample() {
        let trip =
            Trip::Sampling { threshold: 0.5, duration: Span::secs(5), minimum_rps: Some(1.0) };
        let mut breaker = breaker(trip, second());
        for _ in 0..4 {
            assert_eq!(call(&mut breaker, ms(0), Verdict::Failure), None);
        }
        // An hour later the four still count: the window has moved by one bucket.
        let tripped = Some(TransitionReason::FailureRate);
        assert_eq!(call(&mut breaker, ms(3_600_000), Verdict::Failure), tripped);
    }

    #[test]
    fn a_sample_leaves_when_its_bucket_comes_round_again() {
        let trip =
            Trip::Sampling { threshold: 0.5, duration: Span::secs(5), minimum_rps: Some(0.2) };
        let mut breaker = breaker(trip, second());
        for second in 0..5 {
            call(&mut breaker, ms(second * 1000), Verdict::Success);
        }
        let tally = |breaker: &Cockatiel| match &breaker.window {
            Window::Sampling(buckets) => buckets.tally.total(),
            _ => unreachable!("it samples"),
        };
        assert_eq!(tally(&breaker), 5);
        call(&mut breaker, ms(4999), Verdict::Success);
        assert_eq!(tally(&breaker), 6, "the fifth bucket is not over");
        call(&mut breaker, ms(5000), Verdict::Success);
        assert_eq!(tally(&breaker), 6, "the first has left");
    }

    #[test]
    fn the_delay_grows_over_failed_tests_only() {
        let delays = HalfOpenAfter::Iterable(vec![Span::millis(10), Span::millis(20)]);
        let mut breaker = breaker(Trip::Consecutive(1), delays);
        let open_until = |breaker: &Cockatiel| match breaker.state {
            State::Open { until, .. } => until,
            other => panic!("not open: {other:?}"),
        };
        for (now, verdict, until) in [
            (0, Verdict::Failure, Some(10)),
            (10, Verdict::Failure, Some(30)),
            (30, Verdict::Failure, Some(50)),
            (50, Verdict::Success, None),
            (50, Verdict::Failure, Some(60)),
        ] {
            call(&mut breaker, ms(now), verdict);
            if let Some(until) = until {
                assert_eq!(open_until(&breaker), ms(until));
            }
        }
    }

    #[test]
    fn the_clock_shows_whole_milliseconds() {
        let mut breaker = breaker(Trip::Consecutive(1), second());
        let permit = ask(&mut breaker, ms(0)).expect("admitted");
        let opened = ms(10) + Span::micros(900);
        breaker.settle(permit, opened, Verdict::Failure, &mut Vec::new());
        let _test = ask(&mut breaker, ms(1010)).expect("admitted");
    }

    #[test]
    fn a_cancelled_test_gives_its_turn_to_the_next() {
        let mut breaker = breaker(Trip::Consecutive(1), second());
        call(&mut breaker, ms(0), Verdict::Failure);
        let test = ask(&mut breaker, ms(1000)).expect("admitted");
        assert!(breaker.parked_on().is_some());
        assert_eq!(end(&mut breaker, test, ms(1001), Verdict::Cancelled), None);
        assert!(breaker.parked_on().is_none());
        assert_eq!(breaker.state(), StateName::HalfOpen);
        let reopened = Some(TransitionReason::TestFailed);
        assert_eq!(call(&mut breaker, ms(1001), Verdict::Failure), reopened);
    }

    #[test]
    fn what_the_library_refuses_is_refused_by_name() {
        let count = |threshold, size, minimum| {
            let minimum_number_of_calls = Some(minimum);
            let breaker = Trip::Count { threshold, size, minimum_number_of_calls };
            refused(&Config { breaker, half_open_after: second() })
        };
        assert_eq!(count(0.5, 4, 4), None);
        for threshold in [0.0, 1.0, -1.0, f64::NAN] {
            assert_eq!(count(threshold, 4, 4), Some("threshold"));
        }
        assert_eq!(count(0.5, 0, 0), Some("size"));
        assert_eq!(count(0.5, u32::MAX, 1), Some("size"));
        assert_eq!(count(0.5, 4, 0), Some("minimum_number_of_calls"));
        assert_eq!(count(0.5, 4, 5), Some("minimum_number_of_calls"));
        let sampling = |duration, minimum_rps| {
            let breaker = Trip::Sampling { threshold: 0.5, duration, minimum_rps };
            refused(&Config { breaker, half_open_after: second() })
        };
        assert_eq!(sampling(Span::secs(1), None), None);
        assert_eq!(sampling(Span::ZERO, None), Some("duration"));
        assert_eq!(sampling(Span::MAX, None), Some("duration"));
        assert_eq!(sampling(Span::secs(1), Some(-1.0)), Some("minimum_rps"));
        assert_eq!(sampling(Span::secs(1), Some(f64::INFINITY)), Some("minimum_rps"));
        let after = |half_open_after| {
            let breaker = Trip::Consecutive(1);
            refused(&Config { breaker, half_open_after })
        };
        assert_eq!(after(HalfOpenAfter::Iterable(Vec::new())), Some("half_open_after"));
        let (initial_delay, max_delay) = (Span::secs(2), Span::secs(1));
        let backwards = HalfOpenAfter::Exponential { initial_delay, max_delay };
        assert_eq!(after(backwards), Some("initial_delay"));
    }
}
