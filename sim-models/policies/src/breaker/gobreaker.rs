//! The breaker of sony/gobreaker v2.4.0.
//!
//! Answers: a dependency that is down, judged by a rule over counts that one writes oneself.
//!
//! Invites: with `interval` 0, the default, counts are cleared by a change of state only. So a rate
//! turns into the rate since the last trouble, which hardly moves any more. And a fixed window
//! forgets all at once.
//!
//! ```text
//!   +--------+  a failure, and ready_to_trip     +--------------+
//!   | closed | --------------------------------> | open until t |
//!   +--------+                                   +--------------+
//!       ^  max_requests successes     +-----------+  |  call or look *after* t
//!       '---------------------------- | half-open | <'     ^
//!                                     +-----------+ -------'
//!          max_requests calls in all                 any failure: t = now + timeout
//! ```
//!
//! Every arrow begins a new *generation* with empty counts, and so does, in closed, the end of a
//! fixed window (`interval` without `bucket_period`). A result of an earlier generation is dropped.
//!
//! With `bucket_period` the window rolls: `interval` is rounded up to whole buckets, and a result
//! is booked in the bucket in which its call *started*, if that is still there. A failure that is
//! booked nowhere still asks `ready_to_trip`. When the oldest bucket leaves, the run of successes
//! or failures is shortened by that bucket's run only if it spans all that is left.
//!
//! Reference: `gobreaker.go` and `counter.go` of sony/gobreaker at the tag v2.4.0. As there, the
//! window and the open time last *beyond* their end: their last instant belongs to them.
//!
//! Each error that is not nil is a failure, `context.Canceled` included: `defaultIsSuccessful`,
//! `defaultIsExcluded`. That is for a function that returns an error for each status from 400 on;
//! Go's `http.Client` on its own returns none. The library's documentation proposes to exclude
//! cancelled calls, which is `ignore: ["cancelled"]`.
//!
//! Left out: the distributed breaker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::out_of_range::{at_least_one, within};
use crate::weighed::{Counted, Minimum, Threshold, Weighed};
use crate::{OutOfRange, Reason};

/// More buckets than anyone configures, few enough to allocate.
const BUCKETS_MAX: u64 = 100_000;

/// The open time where none is given.
const DEFAULT_TIMEOUT: Span = Span::secs(60);

/// The rule that opens a closed breaker, asked after each failure.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "GobreakerTrip", title = "trip of Gobreaker")]
pub enum ReadyToTrip {
    /// At least so many failures in a row.
    #[schemars(example = r#"ConsecutiveFailures(6)"#)]
    ConsecutiveFailures(#[schemars(range(min = 1))] u32),
    /// At least so many failures.
    #[schemars(example = r#"Failures(10)"#)]
    Failures(#[schemars(range(min = 1))] u32),
    /// At least such a share of the requests has failed. Requests under way and excluded ones are
    /// requests too.
    #[schemars(example = r#"FailureRatio(ratio: 0.5, min_requests: 10)"#)]
    FailureRatio {
        /// The share.
        #[schemars(range(min = 0.0, max = 1.0))]
        ratio: f64,
        /// Fewer requests do not open it.
        min_requests: u32,
    },
}

impl ReadyToTrip {
    fn holds(self, counts: Counts) -> bool {
        match self {
            ReadyToTrip::ConsecutiveFailures(n) => counts.consecutive_failures >= n,
            ReadyToTrip::Failures(n) => counts.total_failures >= n,
            ReadyToTrip::FailureRatio { ratio, min_requests } => {
                // Zero of zero has no value, and is at least nothing.
                let share = f64::from(counts.total_failures) / f64::from(counts.requests);
                counts.requests >= min_requests && share >= ratio
            }
        }
    }

    /// Why it holds.
    fn because(self, counts: Counts) -> Because {
        let counted = Counted::Of(counts.total_failures.into(), counts.requests.into());
        match self {
            ReadyToTrip::ConsecutiveFailures(n) => {
                TransitionReason::ConsecutiveFailures.on_calls(counts.consecutive_failures, n)
            }
            ReadyToTrip::Failures(n) => TransitionReason::Failures.on(Weighed {
                counted,
                threshold: Threshold::Calls(n.into()),
                minimum: None,
            }),
            ReadyToTrip::FailureRatio { ratio, min_requests } => {
                TransitionReason::FailureRate.on(Weighed {
                    counted,
                    threshold: Threshold::Percent(ratio * 100.0),
                    minimum: Minimum::plain(min_requests),
                })
            }
        }
    }
}

/// Its options, under the names of `Settings` and with the library's defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GobreakerBreaker")]
pub struct Config {
    /// Requests that half-open lets through in all, and successes that close it; 0, the default,
    /// is 1. Excluded requests give their place back.
    pub max_requests: u32,
    /// The window of the closed state. 0, the default, never clears the counts.
    pub interval: Span,
    /// The bucket of a rolling window. 0, the default, is a fixed window of one `interval`.
    pub bucket_period: Span,
    /// How long it refuses; 0, the default, is 60 s.
    pub timeout: Span,
    /// What opens it.
    pub ready_to_trip: ReadyToTrip,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_requests: 0,
            interval: Span::ZERO,
            bucket_period: Span::ZERO,
            timeout: Span::ZERO,
            ready_to_trip: ReadyToTrip::ConsecutiveFailures(6),
        }
    }
}

/// The library's `Counts`, of the whole window or of one bucket. They wrap as Go's do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that were let through.
    pub requests: u32,
    /// Of those, the successes.
    pub total_successes: u32,
    /// Of those, the failures.
    pub total_failures: u32,
    /// Of those, the excluded.
    pub total_exclusions: u32,
    /// Successes since the last failure.
    pub consecutive_successes: u32,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

impl Counts {
    fn record(&mut self, verdict: Verdict) {
        let plus_one = |count: u32| count.wrapping_add(1);
        match verdict {
            Verdict::Success => {
                self.total_successes = plus_one(self.total_successes);
                self.consecutive_successes = plus_one(self.consecutive_successes);
                self.consecutive_failures = 0;
            }
            Verdict::Failure => {
                self.total_failures = plus_one(self.total_failures);
                self.consecutive_failures = plus_one(self.consecutive_failures);
                self.consecutive_successes = 0;
            }
            Verdict::Ignored | Verdict::Cancelled => {
                self.total_exclusions = plus_one(self.total_exclusions);
            }
        }
    }
}

/// Counts of a rolling window, or of a fixed one if there is but one bucket.
#[derive(Clone, Debug, PartialEq)]
struct Rolling {
    sum: Counts,
    /// The bucket of age n is at `n % len`.
    buckets: Vec<Counts>,
    /// Bucket periods since the generation began.
    age: u64,
}

impl Rolling {
    fn clear(&mut self) {
        self.sum = Counts::default();
        self.buckets.fill(Counts::default());
        self.age = 0;
    }

    fn is_fixed(&self) -> bool {
        self.buckets.len() < 2
    }

    fn bucket(&mut self, age: u64) -> &mut Counts {
        let len = self.buckets.len() as u64;
        &mut self.buckets[(age % len) as usize]
    }

    fn request(&mut self) {
        self.sum.requests = self.sum.requests.wrapping_add(1);
        let bucket = self.bucket(self.age);
        bucket.requests = bucket.requests.wrapping_add(1);
    }

    /// Books a result in the bucket of its start, if that has not left.
    fn record(&mut self, age: u64, verdict: Verdict) {
        if self.age - age < self.buckets.len() as u64 {
            self.sum.record(verdict);
            self.bucket(age).record(verdict);
        }
    }

    /// Lets the buckets older than the window leave. After a long silence all leave at once.
    fn grow(&mut self, age: u64) {
        if age - self.age >= self.buckets.len() as u64 {
            self.clear();
            self.age = age;
        }
        while self.age < age {
            self.age += 1;
            let oldest = std::mem::take(self.bucket(self.age));
            self.subtract(oldest);
        }
    }

    fn subtract(&mut self, oldest: Counts) {
        let sum = &mut self.sum;
        let shorter = |run: u32, total: u32, oldest_run: u32, oldest_total: u32| {
            let spans_all = run == total.wrapping_sub(oldest_total).wrapping_add(oldest_run);
            if spans_all { run.saturating_sub(oldest_run) } else { run }
        };
        sum.consecutive_successes = shorter(
            sum.consecutive_successes,
            sum.total_successes,
            oldest.consecutive_successes,
            oldest.total_successes,
        );
        sum.consecutive_failures = shorter(
            sum.consecutive_failures,
            sum.total_failures,
            oldest.consecutive_failures,
            oldest.total_failures,
        );
        sum.requests = sum.requests.saturating_sub(oldest.requests);
        sum.total_successes = sum.total_successes.saturating_sub(oldest.total_successes);
        sum.total_failures = sum.total_failures.saturating_sub(oldest.total_failures);
        sum.total_exclusions = sum.total_exclusions.saturating_sub(oldest.total_exclusions);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        /// The last instant of a fixed window.
        expiry: Option<Time>,
    },
    Open {
        /// The last instant of the open time.
        expiry: Time,
    },
    HalfOpen,
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Gobreaker {
    /// Without zeroes that stand for something else.
    config: Config,
    state: State,
    /// Counts the changes of state and the fixed windows.
    generation: u64,
    /// When this generation began.
    start: Time,
    counts: Rolling,
}

impl Gobreaker {
    /// `Counts()`: as they were left, without a look at the clock.
    pub fn counts(&self) -> Counts {
        self.counts.sum
    }

    /// `State()`, which is not a pure look: an open breaker whose time is over turns half-open, and
    /// a window that is over is cleared.
    pub fn current_state(&mut self, now: Time, changes: &mut Vec<Change>) -> StateName {
        match self.state {
            State::Closed { expiry: Some(expiry) } if expiry < now => {
                self.new_generation(now);
                self.state = self.closed(now);
            }
            State::Closed { .. } if !self.counts.is_fixed() => {
                let age = self.age(now);
                self.counts.grow(age);
            }
            State::Open { expiry } if expiry < now => {
                self.enter(State::HalfOpen, now, TransitionReason::OpenTimeOver, changes);
            }
            State::Closed { .. } | State::Open { .. } | State::HalfOpen => {}
        }
        self.state.name()
    }

    /// Closed from `now` on.
    fn closed(&self, now: Time) -> State {
        let expires = self.counts.is_fixed() && !self.config.interval.is_zero();
        State::Closed { expiry: expires.then(|| now + self.config.interval) }
    }

    /// The bucket of an instant in this generation; only a closed breaker rolls.
    fn age(&self, at: Time) -> u64 {
        match self.state {
            State::Closed { .. } if !self.counts.is_fixed() => {
                at.since(self.start).as_nanos() / self.config.bucket_period.as_nanos()
            }
            _ => 0,
        }
    }

    fn new_generation(&mut self, now: Time) {
        self.generation += 1;
        self.start = now;
        self.counts.clear();
    }

    fn enter(
        &mut self,
        state: State,
        now: Time,
        why: impl Into<Because>,
        changes: &mut Vec<Change>,
    ) {
        let from = self.state.name();
        self.state = state;
        self.new_generation(now);
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }
}

impl Build for Config {
    type Machine = Gobreaker;

    /// # Errors
    /// When `ready_to_trip` would hold without any failure, or the window has too many buckets.
    fn build(&self) -> Result<Gobreaker, OutOfRange> {
        let mut config = self.clone();
        match config.ready_to_trip {
            ReadyToTrip::ConsecutiveFailures(n) | ReadyToTrip::Failures(n) => {
                at_least_one("ready_to_trip", n)?;
            }
            ReadyToTrip::FailureRatio { ratio, .. } => within("ready_to_trip", ratio, 0.0, 1.0)?,
        }
        config.max_requests = config.max_requests.max(1);
        if config.timeout.is_zero() {
            config.timeout = DEFAULT_TIMEOUT;
        }
        let mut buckets = 1;
        if config.interval.is_zero() || config.bucket_period.is_zero() {
            config.bucket_period = config.interval;
        } else {
            buckets = config.interval.as_nanos().div_ceil(config.bucket_period.as_nanos());
            config.interval = config.bucket_period * buckets;
        }
        if buckets > BUCKETS_MAX {
            let allowed = format!("at least 1/{BUCKETS_MAX} of interval");
            return Err(OutOfRange::new("bucket_period", config.bucket_period, allowed));
        }
        let buckets = vec![Counts::default(); buckets as usize];
        let mut breaker = Gobreaker {
            counts: Rolling { sum: Counts::default(), buckets, age: 0 },
            state: State::Closed { expiry: None },
            generation: 0,
            start: Time::ZERO,
            config,
        };
        breaker.state = breaker.closed(Time::ZERO);
        Ok(breaker)
    }
}

impl Preset for Config {}

impl Machine for Gobreaker {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        self.current_state(now, changes);
        match self.state {
            State::Closed { .. } => {}
            State::Open { expiry } => {
                let until = Some(expiry + Span::nanos(1));
                return Admission::Refused(Reason::BreakerOpen { until });
            }
            State::HalfOpen => {
                let Counts { requests, total_exclusions, .. } = self.counts.sum;
                if requests.saturating_sub(total_exclusions) >= self.config.max_requests {
                    return Admission::Refused(Reason::BreakerProbing);
                }
            }
        }
        self.counts.request();
        Admission::Admitted(Permit::new(now, self.generation))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        self.current_state(now, changes);
        if permit.tag != self.generation {
            return;
        }
        let reopened = State::Open { expiry: now + self.config.timeout };
        if self.state == State::HalfOpen && verdict == Verdict::Failure {
            self.enter(reopened, now, TransitionReason::TestFailed, changes);
            return;
        }
        self.counts.record(self.age(permit.started), verdict);
        let counts = self.counts.sum;
        match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Failure) => {
                let rule = self.config.ready_to_trip;
                if rule.holds(counts) {
                    self.enter(reopened, now, rule.because(counts), changes);
                }
            }
            (State::HalfOpen, Verdict::Success) => {
                if counts.consecutive_successes >= self.config.max_requests {
                    let closed = self.closed(now);
                    let because = TransitionReason::TestsSucceeded
                        .on_calls(counts.consecutive_successes, self.config.max_requests);
                    self.enter(closed, now, because, changes);
                }
            }
            (State::Closed { .. } | State::HalfOpen, _) => {}
            (State::Open { .. }, _) => panic!("an open breaker gives no permits"),
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
    use crate::family::refused;
    use crate::laws::breaker::testing::{ask, call, calls_and, ms};
    use crate::laws::breaker::{Ended, Input, Promises, Step, What, play_with};

    /// Somebody reads its state.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Look;

    fn lived(config: &Config, inputs: &[(Span, Input<Look>)]) -> Vec<Step<Gobreaker, Look>> {
        let breaker = config.build().expect("valid");
        play_with(breaker, inputs, |breaker, Look, _, now, changes| {
            breaker.current_state(now, changes);
            true
        })
    }

    fn rule() -> impl Strategy<Value = ReadyToTrip> {
        prop_oneof![
            (1..5u32).prop_map(ReadyToTrip::ConsecutiveFailures),
            (2..8u32).prop_map(ReadyToTrip::Failures),
            (0..=10u32, 0..8u32).prop_map(|(tenths, min_requests)| ReadyToTrip::FailureRatio {
                ratio: f64::from(tenths) / 10.0,
                min_requests,
            }),
        ]
    }

    fn stories() -> impl Strategy<Value = (Config, Vec<(Span, Input<Look>)>)> {
        let window = prop_oneof![
            Just((0, 0)),
            Just((50, 0)),
            Just((20, 60)),
            (2..4u64).prop_map(|buckets| (buckets * 10, 10)),
            (1..60u64, 1..20u64),
        ];
        let config =
            (0..4u32, window, rule()).prop_map(|(max_requests, (interval, bucket), rule)| Config {
                max_requests,
                interval: Span::millis(interval),
                bucket_period: Span::millis(bucket),
                timeout: Span::millis(20),
                ready_to_trip: rule,
            });
        let gap = prop_oneof![
            6 => Just(0),
            4 => 0..10u64,
            1 => Just(10),
            1 => Just(20),
            1 => Just(21),
            1 => prop_oneof![Just(30), Just(50), 0..150u64],
        ];
        (config, calls_and(gap.prop_map(Span::millis), Just(Look)))
    }

    /// `rollingCounts` as the library writes it, with a scan of all buckets at each step.
    #[derive(Clone, Debug)]
    struct Scanned {
        sum: Counts,
        /// From the oldest to the current one.
        buckets: Vec<Counts>,
        age: u64,
    }

    impl Scanned {
        fn new(buckets: usize) -> Scanned {
            let buckets = vec![Counts::default(); buckets];
            Scanned { sum: Counts::default(), buckets, age: 0 }
        }

        fn roll(&mut self) {
            self.age += 1;
            self.buckets.push(Counts::default());
            let oldest = self.buckets.remove(0);
            let kept = |of: fn(&Counts) -> u32| self.buckets.iter().map(of).sum::<u32>();
            let (successes, failures) = (kept(|b| b.total_successes), kept(|b| b.total_failures));
            if self.sum.consecutive_successes == successes + oldest.consecutive_successes {
                self.sum.consecutive_successes -= oldest.consecutive_successes;
            }
            if self.sum.consecutive_failures == failures + oldest.consecutive_failures {
                self.sum.consecutive_failures -= oldest.consecutive_failures;
            }
            self.sum.requests = kept(|b| b.requests);
            (self.sum.total_successes, self.sum.total_failures) = (successes, failures);
            self.sum.total_exclusions = kept(|b| b.total_exclusions);
        }

        fn grow(&mut self, age: u64) {
            let all_leave = age - self.age >= self.buckets.len() as u64;
            (self.age..age).for_each(|_| self.roll());
            if all_leave {
                self.sum = Counts::default();
            }
        }

        fn bucket(&mut self, age: u64) -> Option<&mut Counts> {
            let back = (self.age - age + 1) as usize;
            self.buckets.len().checked_sub(back).map(|i| &mut self.buckets[i])
        }
    }

    proptest! {
        /// The last instant of the open time is still open. A result of an earlier generation does
        /// what a mere look would have done.
        #[test]
        fn it_keeps_the_laws((config, inputs) in stories()) {
            let timeout = config.timeout;
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + timeout + Span::nanos(1))),
                tests: Some(config.max_requests.max(1)),
                gives_back: |ended| {
                    !ended.late && matches!(ended.verdict, Verdict::Ignored | Verdict::Cancelled)
                },
                ignores: |before: &Gobreaker, ended| ended.tag != before.generation,
                look: |breaker, now| {
                    breaker.current_state(now, &mut Vec::new());
                },
                ..Promises::default()
            };
            promises.hold(&lived(&config, &inputs));
        }

        /// Fixed and rolling windows, counted with a scan, and the rule asked of those counts.
        #[test]
        fn the_counts_equal_those_of_a_scan((config, inputs) in stories()) {
            let first = config.build().expect("valid");
            let buckets = first.counts.buckets.len();
            let (mut scanned, mut generation, mut start) = (Scanned::new(buckets), 0, Time::ZERO);
            for step in lived(&config, &inputs) {
                // What time does comes first; it is not a transition in closed.
                let mut looked = step.before.clone();
                looked.current_state(step.at, &mut Vec::new());
                let closed = matches!(step.before.state, State::Closed { .. });
                if closed {
                    let fixed = buckets == 1 && !config.interval.is_zero();
                    let over = fixed && step.at.since(start) > first.config.interval;
                    prop_assert_eq!(looked.generation != generation, over);
                }
                if looked.generation != generation {
                    (scanned, generation, start) =
                        (Scanned::new(buckets), looked.generation, step.at);
                }
                let rolls = buckets > 1 && matches!(looked.state, State::Closed { .. });
                let age = |at: Time| {
                    let period = first.config.bucket_period.as_nanos();
                    if rolls { at.since(start).as_nanos() / period } else { 0 }
                };
                scanned.grow(age(step.at));
                let mut trips = false;
                match step.what {
                    What::Admitted(_) => {
                        scanned.sum.requests += 1;
                        scanned.bucket(age(step.at)).expect("current").requests += 1;
                    }
                    What::Ended(Ended { started, tag, verdict, .. }) if tag == generation => {
                        if let Some(bucket) = scanned.bucket(age(started)) {
                            bucket.record(verdict);
                            scanned.sum.record(verdict);
                        }
                        trips = verdict == Verdict::Failure
                            && config.ready_to_trip.holds(scanned.sum);
                    }
                    _ => {}
                }
                if looked.state.name() == StateName::Closed {
                    prop_assert_eq!(step.after.state.name() == StateName::Open, trips);
                }
                if step.after.generation == generation {
                    prop_assert_eq!(step.after.counts(), scanned.sum);
                } else {
                    prop_assert_eq!(step.after.counts(), Counts::default());
                    (scanned, generation, start) =
                        (Scanned::new(buckets), step.after.generation, step.at);
                }
            }
        }
    }

    fn after(breaker: &mut Gobreaker, now: Time, verdict: Verdict) -> StateName {
        call(breaker, now, verdict);
        breaker.state()
    }

    #[test]
    fn by_default_the_sixth_failure_in_a_row_opens_it_for_a_minute_and_a_bit() {
        let mut breaker = Config::default().build().expect("valid");
        let states: Vec<StateName> =
            (0..6).map(|_| after(&mut breaker, ms(0), Verdict::Failure)).collect();
        assert_eq!(states[4..], [StateName::Closed, StateName::Open]);
        assert!(ask(&mut breaker, ms(60_000)).is_err());
        assert!(ask(&mut breaker, ms(60_000) + Span::nanos(1)).is_ok());
    }

    #[test]
    fn a_look_turns_it_half_open() {
        let rule = ReadyToTrip::Failures(1);
        let config = Config { ready_to_trip: rule, timeout: Span::secs(1), ..Config::default() };
        let mut breaker = config.build().expect("valid");
        assert_eq!(after(&mut breaker, ms(0), Verdict::Failure), StateName::Open);
        let mut changes = Vec::new();
        assert_eq!(breaker.current_state(ms(1_000), &mut changes), StateName::Open);
        assert_eq!(breaker.current_state(ms(1_001), &mut changes), StateName::HalfOpen);
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn an_excluded_test_gives_its_place_back() {
        let rule = ReadyToTrip::Failures(1);
        let config = Config { ready_to_trip: rule, timeout: Span::secs(1), ..Config::default() };
        let mut breaker = config.build().expect("valid");
        after(&mut breaker, ms(0), Verdict::Failure);
        let test = ask(&mut breaker, ms(1_001)).expect("the open time is over");
        assert_eq!(ask(&mut breaker, ms(1_001)).err(), Some(Reason::BreakerProbing));
        breaker.settle(test, ms(1_002), Verdict::Ignored, &mut Vec::new());
        assert_eq!(after(&mut breaker, ms(1_002), Verdict::Success), StateName::Closed);
    }

    #[test]
    fn a_failure_that_is_booked_nowhere_still_asks_the_rule() {
        let config = Config {
            interval: Span::millis(20),
            bucket_period: Span::millis(10),
            ready_to_trip: ReadyToTrip::FailureRatio { ratio: 0.5, min_requests: 1 },
            ..Config::default()
        };
        let mut breaker = config.build().expect("valid");
        let early = ask(&mut breaker, ms(0)).expect("closed");
        after(&mut breaker, ms(0), Verdict::Success);
        after(&mut breaker, ms(0), Verdict::Success);
        assert_eq!(after(&mut breaker, ms(15), Verdict::Failure), StateName::Closed);
        // The bucket of the successes leaves, and with it the start of the early call.
        breaker.settle(early, ms(25), Verdict::Failure, &mut Vec::new());
        assert_eq!(breaker.state(), StateName::Open);
    }

    #[test]
    fn a_run_may_outlive_all_its_failures_unless_silence_ends_it() {
        let config = Config {
            interval: Span::millis(20),
            bucket_period: Span::millis(10),
            ..Config::default()
        };
        let mut breaker = config.build().expect("valid");
        let late = ask(&mut breaker, ms(0)).expect("closed");
        after(&mut breaker, ms(0), Verdict::Failure);
        after(&mut breaker, ms(10), Verdict::Success);
        // It makes a run of one, and in the bucket of its start a run of two.
        breaker.settle(late, ms(10), Verdict::Failure, &mut Vec::new());
        let mut silent = breaker.clone();
        silent.current_state(ms(30), &mut Vec::new());
        assert_eq!(silent.counts(), Counts::default());
        breaker.current_state(ms(20), &mut Vec::new());
        breaker.current_state(ms(30), &mut Vec::new());
        assert_eq!(breaker.counts(), Counts { consecutive_failures: 1, ..Counts::default() });
    }

    #[test]
    fn the_interval_is_rounded_up_to_whole_buckets() {
        let config = Config {
            interval: Span::millis(25),
            bucket_period: Span::millis(10),
            ..Config::default()
        };
        let mut breaker = config.build().expect("valid");
        after(&mut breaker, ms(9), Verdict::Failure);
        breaker.current_state(ms(29), &mut Vec::new());
        assert_eq!(breaker.counts().requests, 1);
        breaker.current_state(ms(30), &mut Vec::new());
        assert_eq!(breaker.counts(), Counts::default());
    }

    #[test]
    fn a_rule_that_always_holds_is_refused_by_name() {
        let ratio = |ratio| ReadyToTrip::FailureRatio { ratio, min_requests: 0 };
        for rule in [
            ReadyToTrip::ConsecutiveFailures(0),
            ReadyToTrip::Failures(0),
            ratio(f64::NAN),
            ratio(1.1),
        ] {
            let config = Config { ready_to_trip: rule, ..Config::default() };
            assert_eq!(refused(&config), Some("ready_to_trip"));
        }
        let tiny =
            Config { interval: Span::secs(1), bucket_period: Span::nanos(1), ..Config::default() };
        assert_eq!(refused(&tiny), Some("bucket_period"));
    }
}
