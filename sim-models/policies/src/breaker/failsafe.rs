//! The breaker of Failsafe (Java) 3.3.2.
//!
//! Answers: a dependency that is down, judged by the last results, by their number or their rate
//! within a period.
//!
//! Invites: late results count in whatever state they meet, and each one that meets half-open
//! brings a permit that nobody had taken. A rate of 49.5 % is 50 %. After a quiet period the time
//! window goes astray: it may remember a failure for twice the period, and lose recent ones.
//!
//! ```text
//!   +--------+   failures reach the threshold                    +------------------+
//!   | closed | ------------------------------------------------> | open for `delay` |
//!   +--------+                                                   +------------------+
//!       ^    enough successes   +-----------+   first call after `delay`   |   ^
//!       '---------------------- | half-open | <----------------------------'   |
//!                               +-----------+ ---------------------------------'
//!            `capacity` calls at a time            too many failures to succeed
//!
//!   capacity  = success_thresholding_capacity, else failure_execution_threshold,
//!               else failure_thresholding_capacity
//!   half-open, with a success threshold:   close at  successes >= success_threshold
//!                                          open at   failures > capacity - success_threshold
//!              without, by rate:           with enough executions, open at the failure rate and
//!                                          close at  success rate > 100 - failure rate threshold
//!              without, by number:         open at   failures >= failure_threshold, close at
//!                                          successes > failure_thresholding_capacity - threshold
//! ```
//!
//! Both success and failure can turn it, and where one result does both, it closes. While open,
//! results go to the counts of the state before, and turn nothing.
//!
//! # The astray window
//!
//! The time window has ten buckets with start times of their own. After ten buckets of silence all
//! are emptied and given start times from now on, of which the *first* is now's. The result that
//! came, however, is counted in the bucket that was current before, and the next rotation begins at
//! the first. Emptied in passing, a bucket starts a whole window after its last start, which is
//! then in the future. From a bucket in the future no time ever seems to pass.
//!
//! Reference: `CircuitBreakerImpl`, `CircuitState` and its three heirs, `CountingCircuitStats`,
//! `DefaultCircuitStats`, `TimedCircuitStats` and `CircuitBreakerBuilder` of failsafe-lib/failsafe
//! at the tag failsafe-parent-3.3.2.
//!
//! Left out: delays computed from the result (`withDelayFn`), opening and closing by hand, and the
//! overflow of Java's `int` after 2³¹ silent buckets.
//!
//! Without `handle` each exception is a failure (`FailurePolicy.isFailure`); what the breaker does
//! not handle is a success to it. A call that is interrupted ends in an exception as any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::weighed::{Counted, Minimum, Threshold, Weighed};
use crate::{OutOfRange, Reason};

/// `TimedCircuitStats.DEFAULT_BUCKET_COUNT`.
const BUCKETS: usize = 10;

/// As many results as a window may remember: 128 KiB of bits.
const CAPACITY_MAX: u32 = 1 << 20;

/// Its options, under the names of `CircuitBreakerConfig` and with the builder's defaults.
///
/// Three kinds of threshold exist. By number: `failure_threshold` of
/// `failure_thresholding_capacity`. By number within a time: `failure_threshold` within
/// `failure_thresholding_period`. By rate within a time: `failure_rate_threshold` of at least
/// `failure_execution_threshold` within `failure_thresholding_period`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FailsafeBreaker")]
pub struct Config {
    /// Failures that open it; unused with a rate.
    #[schemars(range(min = 1))]
    pub failure_threshold: u32,
    /// Results that are remembered, of which `failure_threshold` failures open it.
    ///
    /// 0 is as many as `failure_threshold`, that is, failures in a row. Not with a period.
    pub failure_thresholding_capacity: u32,
    /// Results within the period below which it does not open; only with a period. 0, the default,
    /// is `failure_threshold`; a rate needs at least 1.
    pub failure_execution_threshold: u32,
    /// The failure rate that opens it, in percent; only with a period. 0 is none.
    #[schemars(range(min = 0, max = 100))]
    pub failure_rate_threshold: u32,
    /// The period within which failures are counted, at least 10 ms and in whole milliseconds.
    /// None by default.
    #[schemars(extend("x-minimum" = "10ms"))]
    pub failure_thresholding_period: Option<Span>,
    /// Successes in half-open that close it. 0, the default, is none: the failure threshold is
    /// used the other way round.
    pub success_threshold: u32,
    /// Results that half-open remembers, of which `success_threshold` successes close it, and the
    /// number of calls that it has under way.
    ///
    /// 0 is as many as `success_threshold`.
    pub success_thresholding_capacity: u32,
    /// How long it refuses.
    pub delay: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            failure_threshold: 1,
            failure_thresholding_capacity: 0,
            failure_execution_threshold: 0,
            failure_rate_threshold: 0,
            failure_thresholding_period: None,
            success_threshold: 0,
            success_thresholding_capacity: 0,
            delay: Span::secs(60),
        }
    }
}

impl Config {
    /// Fills in what the builder's methods set together, and checks what they check.
    fn complete(mut self) -> Result<Config, OutOfRange> {
        at_least_one("failure_threshold", self.failure_threshold)?;
        at_most("failure_rate_threshold", self.failure_rate_threshold, 100)?;
        match self.failure_thresholding_period {
            None => {
                at_most("failure_execution_threshold", self.failure_execution_threshold, 0)?;
                at_most("failure_rate_threshold", self.failure_rate_threshold, 0)?;
                or_as_many(
                    "failure_thresholding_capacity",
                    &mut self.failure_thresholding_capacity,
                    self.failure_threshold,
                )?;
            }
            Some(period) => {
                if period < Span::millis(10) || period != Span::millis(period.as_millis()) {
                    let allowed = "at least 10ms, in whole milliseconds";
                    return Err(OutOfRange::new("failure_thresholding_period", period, allowed));
                }
                at_most("failure_thresholding_capacity", self.failure_thresholding_capacity, 0)?;
                let field = "failure_execution_threshold";
                if self.failure_rate_threshold > 0 {
                    at_least_one(field, self.failure_execution_threshold)?;
                    at_most(field, self.failure_execution_threshold, CAPACITY_MAX)?;
                    self.failure_thresholding_capacity = 1;
                } else {
                    let executions = &mut self.failure_execution_threshold;
                    or_as_many(field, executions, self.failure_threshold)?;
                    self.failure_thresholding_capacity = self.failure_threshold;
                }
            }
        }
        let (field, capacity) =
            ("success_thresholding_capacity", &mut self.success_thresholding_capacity);
        if self.success_threshold == 0 {
            at_most(field, *capacity, 0)?;
        } else {
            or_as_many(field, capacity, self.success_threshold)?;
        }
        Ok(self)
    }

    /// `HalfOpenState.capacityFor`.
    fn half_open_capacity(&self) -> u32 {
        let by_success = self.success_thresholding_capacity;
        let by_executions = self.failure_execution_threshold;
        [by_success, by_executions, self.failure_thresholding_capacity]
            .into_iter()
            .find(|capacity| *capacity > 0)
            .unwrap_or(1)
    }
}

/// Refuses a number above the limit, which is 0 for options that another option excludes.
fn at_most(field: &'static str, found: u32, limit: u32) -> Result<(), OutOfRange> {
    if found <= limit {
        return Ok(());
    }
    Err(match limit {
        0 => OutOfRange::new(field, found, "0 without what it belongs to"),
        _ => OutOfRange::new(field, found, format!("at most {limit}")),
    })
}

/// Puts `threshold` in the place of a capacity of 0, and refuses one that is below it.
fn or_as_many(field: &'static str, capacity: &mut u32, threshold: u32) -> Result<(), OutOfRange> {
    if *capacity == 0 {
        *capacity = threshold;
    }
    at_most(field, *capacity, CAPACITY_MAX)?;
    if *capacity < threshold {
        return Err(OutOfRange::new(field, *capacity, format!("at least {threshold}")));
    }
    Ok(())
}

/// The last results, a ring of bits. With room for one it is also `DefaultCircuitStats`.
#[derive(Clone, Debug, PartialEq)]
struct Counting {
    size: u32,
    /// A set bit is a success.
    bits: Vec<u64>,
    /// Where the next result goes.
    next: u32,
    executions: u32,
    failures: u32,
}

impl Counting {
    fn new(size: u32) -> Counting {
        let bits = vec![0; size.div_ceil(u64::BITS) as usize];
        Counting { size, bits, next: 0, executions: 0, failures: 0 }
    }

    fn reset(&mut self) {
        self.bits.fill(0);
        (self.next, self.executions, self.failures) = (0, 0, 0);
    }

    fn record(&mut self, success: bool) {
        let (word, bit) = ((self.next / u64::BITS) as usize, 1 << (self.next % u64::BITS));
        if self.executions < self.size {
            self.executions += 1;
        } else {
            self.failures -= u32::from(self.bits[word] & bit == 0);
        }
        self.failures += u32::from(!success);
        if success {
            self.bits[word] |= bit;
        } else {
            self.bits[word] &= !bit;
        }
        self.next = if self.next + 1 == self.size { 0 } else { self.next + 1 };
    }
}

/// One tenth of the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    /// In milliseconds; none before its first turn.
    start: Option<i64>,
    executions: u32,
    failures: u32,
}

/// The results of the last period, more or less: see "The astray window" above.
#[derive(Clone, Debug, PartialEq)]
struct Timed {
    /// In milliseconds. Not ten buckets where ten does not divide it.
    window: i64,
    bucket: i64,
    buckets: [Bucket; BUCKETS],
    current: usize,
    executions: u32,
    failures: u32,
}

impl Timed {
    fn new(period: Span) -> Timed {
        let window = period.as_millis() as i64;
        let mut timed = Timed {
            window,
            bucket: window / BUCKETS as i64,
            buckets: [Bucket::default(); BUCKETS],
            current: 0,
            executions: 0,
            failures: 0,
        };
        timed.begin(Time::ZERO);
        timed
    }

    /// As new at `now`.
    fn begin(&mut self, now: Time) {
        self.buckets = [Bucket::default(); BUCKETS];
        self.buckets[0].start = Some(millis(now));
        (self.current, self.executions, self.failures) = (0, 0, 0);
    }

    fn record(&mut self, now: Time, success: bool) {
        let bucket = self.rotate(millis(now));
        let failures = u32::from(!success);
        self.buckets[bucket].executions += 1;
        self.buckets[bucket].failures += failures;
        self.executions += 1;
        self.failures += failures;
    }

    /// `getCurrentBucket`, to the letter. Counts are rotated by results only, not by being read.
    fn rotate(&mut self, now: i64) -> usize {
        let was_current = self.current;
        // The current bucket has always had a turn.
        let elapsed = now - self.buckets[was_current].start.unwrap_or(now);
        if elapsed < self.bucket {
            return was_current;
        }
        let to_move = elapsed / self.bucket;
        if to_move > BUCKETS as i64 {
            for (i, bucket) in (0..).zip(&mut self.buckets) {
                *bucket = Bucket { start: Some(now + i * self.bucket), ..Bucket::default() };
            }
            (self.current, self.executions, self.failures) = (0, 0, 0);
            return was_current;
        }
        for _ in 0..to_move {
            let before = self.buckets[self.current].start.unwrap_or(now);
            self.current = (self.current + 1) % BUCKETS;
            let bucket = &mut self.buckets[self.current];
            self.executions -= bucket.executions;
            self.failures -= bucket.failures;
            let start = bucket.start.map_or(before + self.bucket, |start| start + self.window);
            *bucket = Bucket { start: Some(start), ..Bucket::default() };
        }
        self.current
    }
}

/// The wall clock in whole milliseconds.
fn millis(now: Time) -> i64 {
    (now.as_nanos() / 1_000_000) as i64
}

#[derive(Clone, Debug, PartialEq)]
enum Stats {
    Counting(Counting),
    Timed(Box<Timed>),
}

/// What the breaker has counted, under the names of the library's `CircuitBreakerMetrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Results.
    pub executions: u32,
    /// Those that failed.
    pub failures: u32,
}

impl Counts {
    /// Those that succeeded.
    pub fn successes(self) -> u32 {
        self.executions - self.failures
    }

    /// In percent, rounded half up.
    pub fn failure_rate(self) -> u32 {
        rate(self.failures, self.executions)
    }

    /// In percent, rounded half up: with the failure rate it may make 101.
    pub fn success_rate(self) -> u32 {
        rate(self.successes(), self.executions)
    }
}

fn rate(part: u32, all: u32) -> u32 {
    if all == 0 {
        return 0;
    }
    // The library's order of operations.
    (f64::from(part) / f64::from(all) * 100.0).round() as u32
}

impl Stats {
    fn begin(&mut self, now: Time) {
        match self {
            Stats::Counting(counting) => counting.reset(),
            Stats::Timed(timed) => timed.begin(now),
        }
    }

    fn record(&mut self, now: Time, success: bool) {
        match self {
            Stats::Counting(counting) => counting.record(success),
            Stats::Timed(timed) => timed.record(now, success),
        }
    }

    fn counts(&self) -> Counts {
        let (executions, failures) = match self {
            Stats::Counting(counting) => (counting.executions, counting.failures),
            Stats::Timed(timed) => (timed.executions, timed.failures),
        };
        Counts { executions, failures }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        /// From this instant on the next call is let through.
        until: Time,
        /// It was half-open before, and goes on with those counts.
        again: bool,
    },
    HalfOpen {
        /// Calls that may start. Late results raise it above the capacity.
        permits: u32,
    },
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Failsafe {
    /// Completed: no capacity is left at 0.
    config: Config,
    state: State,
    closed: Stats,
    half_open: Stats,
    /// Counts the transitions, so that a late result is not taken for a test.
    period: u64,
}

impl Failsafe {
    /// The counts of the current state; an open breaker has those of the state before.
    pub fn counts(&self) -> Counts {
        match self.state {
            State::Closed | State::Open { again: false, .. } => self.closed.counts(),
            State::HalfOpen { .. } | State::Open { again: true, .. } => self.half_open.counts(),
        }
    }

    /// How long it still refuses; zero unless it is open.
    pub fn remaining_delay(&self, now: Time) -> Span {
        match self.state {
            State::Open { until, .. } => until.since(now),
            State::Closed | State::HalfOpen { .. } => Span::ZERO,
        }
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    /// `ClosedState.checkThreshold`: what opens a closed breaker, if anything does.
    fn trips(&self) -> Option<Because> {
        let counts = self.closed.counts();
        let Config { failure_threshold, failure_rate_threshold, .. } = self.config;
        if counts.executions < self.config.failure_execution_threshold {
            return None;
        }
        let counted = Counted::Of(counts.failures.into(), counts.executions.into());
        let minimum = Minimum::plain(self.config.failure_execution_threshold);
        if failure_rate_threshold > 0 {
            let over = counts.failure_rate() >= failure_rate_threshold;
            let threshold = Threshold::Percent(failure_rate_threshold.into());
            let because = TransitionReason::FailureRate.on(Weighed { counted, threshold, minimum });
            return over.then_some(because);
        }
        let in_a_row = self.config.failure_thresholding_period.is_none()
            && self.config.failure_thresholding_capacity == failure_threshold;
        let reason = match in_a_row {
            true => TransitionReason::ConsecutiveFailures,
            false => TransitionReason::Failures,
        };
        let threshold = Threshold::Calls(failure_threshold.into());
        let because = reason.on(Weighed { counted, threshold, minimum });
        (counts.failures >= failure_threshold).then_some(because)
    }

    /// `HalfOpenState.checkThreshold`: where a half-open breaker goes, if anywhere.
    fn turns(&self) -> Option<StateName> {
        let counts = self.half_open.counts();
        let config = &self.config;
        let (succeeded, failed) = if config.success_threshold > 0 {
            let spare = config.success_thresholding_capacity - config.success_threshold;
            (counts.successes() >= config.success_threshold, counts.failures > spare)
        } else if config.failure_rate_threshold > 0 {
            let enough = counts.executions >= config.failure_execution_threshold;
            let least = 100 - config.failure_rate_threshold;
            (
                enough && counts.success_rate() > least,
                enough && counts.failure_rate() >= config.failure_rate_threshold,
            )
        } else {
            let spare = config.failure_thresholding_capacity - config.failure_threshold;
            (counts.successes() > spare, counts.failures >= config.failure_threshold)
        };
        match (succeeded, failed) {
            (true, _) => Some(StateName::Closed),
            (false, true) => Some(StateName::Open),
            (false, false) => None,
        }
    }

    fn settle_half_open(
        &mut self,
        now: Time,
        permits: u32,
        (success, late): (bool, bool),
        changes: &mut Vec<Change>,
    ) {
        use TransitionReason::{LateFailure, LateSuccess, TestFailed, TestsSucceeded};
        self.half_open.record(now, success);
        match self.turns() {
            Some(StateName::Closed) => {
                let reason = if late { LateSuccess } else { TestsSucceeded };
                self.closed.begin(now);
                self.enter(State::Closed, reason, changes);
            }
            Some(_) => {
                let until = now + self.config.delay;
                let reason = if late { LateFailure } else { TestFailed };
                self.enter(State::Open { until, again: true }, reason, changes);
            }
            // Every result gives a permit back, also one that had taken none.
            None => self.state = State::HalfOpen { permits: permits.saturating_add(1) },
        }
    }
}

impl Build for Config {
    type Machine = Failsafe;

    /// # Errors
    /// When an option is outside what the builder accepts, or options are combined that no method
    /// of it sets together.
    fn build(&self) -> Result<Failsafe, OutOfRange> {
        let config = self.clone();
        let config = config.complete()?;
        let closed = match config.failure_thresholding_period {
            Some(period) => Stats::Timed(Box::new(Timed::new(period))),
            None => Stats::Counting(Counting::new(config.failure_thresholding_capacity)),
        };
        let half_open = Stats::Counting(Counting::new(config.half_open_capacity()));
        Ok(Failsafe { config, state: State::Closed, closed, half_open, period: 0 })
    }
}

impl Preset for Config {}

impl Machine for Failsafe {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        match self.state {
            State::Closed => {}
            State::Open { until, .. } if now < until => {
                return Admission::Refused(Reason::BreakerOpen { until: Some(until) });
            }
            State::Open { .. } => {
                self.half_open.begin(now);
                let permits = self.config.half_open_capacity() - 1;
                let reason = TransitionReason::OpenTimeOver;
                self.enter(State::HalfOpen { permits }, reason, changes);
            }
            State::HalfOpen { permits: 0 } => return Admission::Refused(Reason::BreakerProbing),
            State::HalfOpen { permits } => self.state = State::HalfOpen { permits: permits - 1 },
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let late = permit.tag != self.period;
        let success = match verdict {
            Verdict::Success | Verdict::Ignored => true,
            Verdict::Failure => false,
            Verdict::Cancelled => {
                if let State::HalfOpen { permits } = self.state
                    && !late
                {
                    self.state = State::HalfOpen { permits: permits.saturating_add(1) };
                }
                return;
            }
        };
        match self.state {
            State::Closed => {
                self.closed.record(now, success);
                if let Some(reason) = self.trips() {
                    let until = now + self.config.delay;
                    self.enter(State::Open { until, again: false }, reason, changes);
                }
            }
            State::Open { again: false, .. } => self.closed.record(now, success),
            State::Open { again: true, .. } => self.half_open.record(now, success),
            State::HalfOpen { permits } => {
                self.settle_half_open(now, permits, (success, late), changes);
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
            State::HalfOpen { .. } => StateName::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::breaker::testing::{ask, call, calls, ms};
    use crate::laws::breaker::{Ended, Input, Promises, Step, play};

    fn lived(config: &Config, inputs: &[(Span, Input)]) -> Vec<Step<Failsafe>> {
        play(config.build().expect("valid"), inputs)
    }

    fn inputs() -> impl Strategy<Value = Vec<(Span, Input)>> {
        let gap =
            prop_oneof![5 => Just(0), 4 => 0..10u64, 1 => Just(10), 1 => Just(50), 1 => 0..300u64];
        calls(gap.prop_map(Span::millis))
    }

    /// By number, with or without a success threshold.
    fn counting() -> impl Strategy<Value = Config> {
        (1..5u32, 0..70u32, 0..4u32, 0..3u32).prop_map(|(failures, more, successes, spare)| {
            Config {
                failure_threshold: failures,
                failure_thresholding_capacity: failures + more,
                success_threshold: successes,
                success_thresholding_capacity: if successes > 0 { successes + spare } else { 0 },
                delay: Span::millis(50),
                ..Config::default()
            }
        })
    }

    /// Within a time of 100 ms, by number or by rate.
    fn timed() -> impl Strategy<Value = Config> {
        (1..5u32, 0..4u32, 0..=100u32, 0..3u32).prop_map(|(failures, more, rate, successes)| {
            Config {
                failure_threshold: failures,
                failure_execution_threshold: failures + more,
                failure_rate_threshold: rate,
                failure_thresholding_period: Some(Span::millis(100)),
                success_threshold: successes,
                delay: Span::millis(50),
                ..Config::default()
            }
        })
    }

    proptest! {
        /// A late result brings half-open a permit that nobody had taken.
        #[test]
        fn it_keeps_the_laws(config in prop_oneof![counting(), timed()], inputs in inputs()) {
            let steps = lived(&config, &inputs);
            let delay = config.delay;
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + delay)),
                tests: steps.first().map(|step| step.after.config.half_open_capacity()),
                gives_back: |ended| !ended.late || ended.verdict != Verdict::Cancelled,
                ..Promises::default()
            };
            promises.hold(&steps);
        }

        /// Counts the last results from scratch, in closed and in half-open; an open breaker goes
        /// on with the counts it finds.
        #[test]
        fn the_counts_are_those_of_the_last_results(config in counting(), inputs in inputs()) {
            let mut results = Vec::new();
            let mut size = config.failure_thresholding_capacity;
            for step in lived(&config, &inputs) {
                if let Some(Ended { verdict, .. }) = step.ended()
                    && verdict != Verdict::Cancelled
                {
                    results.push(verdict == Verdict::Failure);
                }
                match (step.before.state(), step.after.state()) {
                    (before, StateName::HalfOpen) if before != StateName::HalfOpen => {
                        results.clear();
                        size = step.after.config.half_open_capacity();
                    }
                    (StateName::HalfOpen, StateName::Closed) => {
                        results.clear();
                        size = step.after.config.failure_thresholding_capacity;
                    }
                    _ => {}
                }
                let last = &results[results.len().saturating_sub(size as usize)..];
                let failures = last.iter().filter(|failed| **failed).count() as u32;
                let counts = Counts { executions: last.len() as u32, failures };
                prop_assert_eq!(step.after.counts(), counts);
                let trips = failures >= config.failure_threshold;
                prop_assert!(step.after.state != State::Closed || !trips);
            }
        }

        /// While it never falls silent for ten buckets, the time window is what one expects: the
        /// results whose tenth of the period is among the last ten.
        #[test]
        fn a_busy_time_window_counts_the_last_ten_buckets(
            results in vec((0..100u64, any::<bool>()), 0..200),
        ) {
            let mut timed = Timed::new(Span::millis(100));
            let (mut now, mut all) = (0, Vec::new());
            for (gap, success) in results {
                now += gap;
                timed.record(ms(now), success);
                all.push((now / 10, success));
                let recent = all.iter().filter(|(bucket, _)| bucket + 10 > now / 10);
                let failures = recent.clone().filter(|(_, success)| !success).count();
                prop_assert_eq!(timed.executions as usize, recent.count());
                prop_assert_eq!(timed.failures as usize, failures);
            }
        }

        /// Whatever the gaps, the sums are those of the buckets.
        #[test]
        fn an_astray_time_window_still_adds_up(
            period in 10..500u64,
            results in vec((prop_oneof![0..100u64, 0..10_000_000_000u64], any::<bool>()), 0..200),
        ) {
            let mut timed = Timed::new(Span::millis(period));
            let mut now = 0;
            for (gap, success) in results {
                now += gap;
                timed.record(ms(now), success);
                let sum = |count: fn(&Bucket) -> u32| timed.buckets.iter().map(count).sum::<u32>();
                prop_assert_eq!(timed.executions, sum(|bucket| bucket.executions));
                prop_assert_eq!(timed.failures, sum(|bucket| bucket.failures));
            }
        }
    }

    #[test]
    fn after_silence_a_failure_outlives_the_period() {
        let config = Config {
            failure_threshold: 3,
            failure_thresholding_period: Some(Span::secs(1)),
            ..Config::default()
        };
        let mut breaker = config.build().expect("valid");
        // It makes bucket 9 current, so that the failure after the silence goes there.
        call(&mut breaker, ms(950), Verdict::Success);
        call(&mut breaker, ms(10_000), Verdict::Failure);
        assert_eq!(breaker.counts(), Counts { executions: 1, failures: 1 });
        // From bucket 0 on the window moves as if nothing was, and reaches bucket 9 last.
        call(&mut breaker, ms(10_150), Verdict::Success);
        call(&mut breaker, ms(11_850), Verdict::Success);
        assert_eq!(breaker.counts().failures, 1);
        call(&mut breaker, ms(11_900), Verdict::Success);
        assert_eq!(breaker.counts().failures, 0);
    }

    #[test]
    fn a_late_result_brings_half_open_a_permit() {
        let config = Config { success_threshold: 2, delay: Span::secs(1), ..Config::default() };
        let mut breaker = config.build().expect("valid");
        let early = ask(&mut breaker, ms(0)).expect("closed");
        call(&mut breaker, ms(0), Verdict::Failure);
        assert_eq!(breaker.remaining_delay(ms(400)), Span::millis(600));
        let tests = [ask(&mut breaker, ms(1_000)), ask(&mut breaker, ms(1_000))];
        assert!(tests.iter().all(Result::is_ok));
        assert_eq!(ask(&mut breaker, ms(1_000)).err(), Some(Reason::BreakerProbing));
        breaker.settle(early, ms(1_001), Verdict::Success, &mut Vec::new());
        assert!(ask(&mut breaker, ms(1_001)).is_ok());
    }

    #[test]
    fn rates_are_rounded_half_up() {
        let half = Counts { executions: 200, failures: 99 };
        assert_eq!((half.failure_rate(), half.success_rate()), (50, 51));
        assert_eq!(Counts::default().failure_rate(), 0);
    }

    #[test]
    fn what_does_not_belong_together_is_refused_by_name() {
        let valid = Config::default();
        let period = Some(Span::secs(1));
        all_refused([
            ("failure_threshold", Config { failure_threshold: 0, ..valid.clone() }),
            (
                "failure_thresholding_capacity",
                Config { failure_threshold: 3, failure_thresholding_capacity: 2, ..valid.clone() },
            ),
            (
                "failure_thresholding_capacity",
                Config { failure_threshold: u32::MAX, ..valid.clone() },
            ),
            ("failure_rate_threshold", Config { failure_rate_threshold: 50, ..valid.clone() }),
            (
                "failure_execution_threshold",
                Config {
                    failure_rate_threshold: 50,
                    failure_thresholding_period: period,
                    ..valid.clone()
                },
            ),
            (
                "failure_thresholding_period",
                Config { failure_thresholding_period: Some(Span::millis(9)), ..valid.clone() },
            ),
            (
                "success_thresholding_capacity",
                Config { success_thresholding_capacity: 2, ..valid.clone() },
            ),
        ]);
    }
}
