//! The breaker of opossum (Node.js): a failure rate over buckets of time, one test at a time.
//!
//! Answers: a promise-returning call that starts to fail, with a timeout and a semaphore in the
//! same object.
//!
//! Invites: refused calls count as calls, so that they dilute the rate and fill the volume. The
//! window survives closing, so that one failure soon after a recovery opens it again.
//!
//! Reference: opossum 9.0.0, `CircuitBreaker`, `Status` and `semaphore`.
//!
//! ```text
//!              a failure, and failures / fires · 100 > error_threshold_percentage
//!    +--------+ ---------------------------------------------> +---------------+
//!    | closed |                                                | open until t  | refuses
//!    +--------+ <-----------.                                  +---------------+
//!                any success \                                   | timer at t  ^ any failure:
//!                             \                                  v             | t = now + reset
//!                              `---------------------------- +-----------------------+
//!                                                            | half-open: one test   |
//!                                                            +-----------------------+
//! ```
//!
//! A result counts in the state that it finds, whenever its call began: a late success closes a
//! half-open breaker and a late failure opens it. A failure whose own call has rolled out of an
//! otherwise empty window makes x / 0 = ∞ per cent and opens. The test's turn is spent when it is
//! admitted: one that never ends leaves the breaker half-open for good, which is what `timeout`
//! is for.
//!
//! The bucket grid starts with the breaker, at time zero; bucket `i` covers
//! `[i · interval, (i + 1) · interval)`.
//!
//! The breaker does not run the call: whoever does ends it after `timeout` and then tells
//! [`Opossum::settle_timeout`], or [`Machine::settle`] with a failure. A call that is cancelled ends
//! as its promise does, which an abort signal rejects: a failure. Without a signal the action runs
//! on in the library, and its result counts.
//!
//! Every rejected promise is a failure, since `errorFilter` lets none pass by default. axios rejects
//! each status from 400 on, `fetch` none.
//!
//! Left out: caches, coalescing, fallbacks, health checks, abort controllers, latencies and
//! percentiles, imported state, opening and closing by hand. Node's lateness of timers too.

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

/// The longest delay of a timer in Node.js, which fires longer ones after 1 ms.
const TIMER_MAX: Span = Span::millis(0x7fff_ffff);
/// Bounds the memory of the window. The library has no bound, but adds all buckets per failure.
const BUCKETS_MAX: u32 = 100_000;
/// The tag of all calls but tests.
const NO_TEST: u64 = 0;

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OpossumBreaker")]
pub struct Config {
    /// A call that takes this long has failed, and its later end is ignored. Zero switches that
    /// off.
    ///
    /// What was called goes on, unless `abort_controller` stops it.
    #[schemars(extend("x-maximum" = "2147483647ms"))]
    pub timeout: Span,
    /// Whether an `abortController` is given, whose signal what was called looks at: the timeout
    /// then ends it.
    pub abort_controller: bool,
    /// Opens when more than this share of the calls in the window failed, in per cent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub error_threshold_percentage: f64,
    /// Stays closed below so many calls in the window, refused ones included.
    pub volume_threshold: u32,
    /// How long it stays open.
    #[schemars(extend("x-minimum" = "1ms", "x-maximum" = "2147483647ms"))]
    pub reset_timeout: Span,
    /// The length of the window, at least 1 ms per bucket.
    #[schemars(extend("x-minimum" = "1ms", "x-maximum" = "2147483647ms"))]
    pub rolling_count_timeout: Span,
    /// The number of buckets in the window; each is as long as its share in whole milliseconds.
    #[schemars(range(min = 1, max = 100000))]
    pub rolling_count_buckets: u32,
    /// The most calls under way at once. Further ones are refused, and that counts as a failure.
    /// Default: no bound.
    #[schemars(range(min = 1))]
    pub capacity: Option<u32>,
    /// Never opens during the first `rolling_count_timeout`.
    pub allow_warm_up: bool,
    /// Whether it protects at all: otherwise every call passes and only fires are counted.
    pub enabled: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            timeout: Span::secs(10),
            abort_controller: false,
            error_threshold_percentage: 50.0,
            volume_threshold: 0,
            reset_timeout: Span::secs(30),
            rolling_count_timeout: Span::secs(10),
            rolling_count_buckets: 10,
            capacity: None,
            allow_warm_up: false,
            enabled: true,
        }
    }
}

/// What happened within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that asked, refused or not.
    pub fires: u64,
    /// Successes and ignored errors.
    pub successes: u64,
    /// Failures, timeouts and full semaphores.
    pub failures: u64,
    /// Calls that took too long.
    pub timeouts: u64,
    /// Calls that an open or testing breaker refused.
    pub rejects: u64,
    /// Calls that the full semaphore refused.
    pub semaphore_rejections: u64,
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Opossum {
    config: Config,
    state: State,
    rolling: Rolling,
    /// Admitted calls that have not ended.
    under_way: u32,
    /// Counts the half-open periods; a test's permit carries the number of its own.
    periods: u64,
    /// Until then nothing opens it.
    warm_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Time,
    },
    HalfOpen {
        /// The next call is the test.
        pending_close: bool,
    },
}

/// Counts per bucket of time, and their sum.
#[derive(Clone, Debug, PartialEq)]
struct Rolling {
    interval: Span,
    buckets: Vec<Counts>,
    current: usize,
    /// When the next bucket begins.
    next_at: Time,
    sum: Counts,
}

impl Opossum {
    /// How long a call may take before it has failed, if that is bounded.
    pub fn call_timeout(&self) -> Option<Span> {
        (self.config.enabled && !self.config.timeout.is_zero()).then_some(self.config.timeout)
    }

    /// A call under way has reached `timeout`: a failure that is also counted as a timeout.
    ///
    /// Timers due at one instant fire in the order they were set. So when a bucket begins at
    /// `now`, a call that began before the bucket before it still counts in that one.
    pub fn settle_timeout(&mut self, permit: Permit, now: Time, changes: &mut Vec<Change>) {
        if !self.config.enabled {
            return;
        }
        if permit.started + self.rolling.interval < now {
            self.rolling.advance(Time::from_nanos(now.as_nanos() - 1));
        } else {
            self.rolling.advance(now);
        }
        self.under_way -= 1;
        self.rolling.add(|counts| &mut counts.timeouts);
        self.fail(permit.tag, now, changes);
    }

    /// What the window holds at `now`.
    pub fn counts(&mut self, now: Time) -> Counts {
        self.rolling.advance(now);
        self.rolling.sum
    }

    /// True while half-open with the test still to come.
    pub const fn pending_close(&self) -> bool {
        matches!(self.state, State::HalfOpen { pending_close: true })
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    fn is_current_test(&self, tag: u64) -> bool {
        tag != NO_TEST && tag == self.periods
    }

    fn succeed(&mut self, tag: u64, changes: &mut Vec<Change>) {
        self.rolling.add(|counts| &mut counts.successes);
        if let State::HalfOpen { .. } = self.state {
            let reason = if self.is_current_test(tag) {
                TransitionReason::TestsSucceeded
            } else {
                TransitionReason::LateSuccess
            };
            self.enter(State::Closed, reason, changes);
        }
    }

    fn fail(&mut self, tag: u64, now: Time, changes: &mut Vec<Change>) {
        self.rolling.add(|counts| &mut counts.failures);
        if now < self.warm_at {
            return;
        }
        let because = match self.state {
            State::Open { .. } => return,
            State::HalfOpen { .. } if self.is_current_test(tag) => {
                TransitionReason::TestFailed.into()
            }
            State::HalfOpen { .. } => Because::from(TransitionReason::LateFailure),
            State::Closed => {
                let Counts { fires, failures, .. } = self.rolling.sum;
                // Without a fire in the window this is infinite, and opens.
                let rate = failures as f64 / fires as f64 * 100.0;
                let is_tripped = fires >= u64::from(self.config.volume_threshold)
                    && rate > self.config.error_threshold_percentage;
                if !is_tripped {
                    return;
                }
                TransitionReason::FailureRate.on(Weighed {
                    counted: Counted::Of(failures, fires),
                    threshold: Threshold::Percent(self.config.error_threshold_percentage),
                    minimum: Minimum::plain(self.config.volume_threshold),
                })
            }
        };
        self.enter(State::Open { until: now + self.config.reset_timeout }, because, changes);
    }

    fn reject(&mut self, reason: Reason) -> Admission {
        self.rolling.add(|counts| &mut counts.rejects);
        Admission::Refused(reason)
    }
}

impl Build for Config {
    type Machine = Opossum;

    /// # Errors
    /// When an option is outside the range that it names.
    fn build(&self) -> Result<Opossum, OutOfRange> {
        let config = self.clone();
        let timer = |field, found: Span, low: Span| {
            if (low..=TIMER_MAX).contains(&found) {
                return Ok(());
            }
            Err(OutOfRange::new(field, found, format!("in {low}..={TIMER_MAX}")))
        };
        timer("timeout", config.timeout, Span::ZERO)?;
        within("error_threshold_percentage", config.error_threshold_percentage, 0.0, 100.0)?;
        timer("reset_timeout", config.reset_timeout, Span::millis(1))?;
        at_least_one("rolling_count_buckets", config.rolling_count_buckets)?;
        if config.rolling_count_buckets > BUCKETS_MAX {
            let allowed = format!("at most {BUCKETS_MAX}");
            return Err(OutOfRange::new(
                "rolling_count_buckets",
                config.rolling_count_buckets,
                allowed,
            ));
        }
        let shortest = Span::millis(u64::from(config.rolling_count_buckets));
        timer("rolling_count_timeout", config.rolling_count_timeout, shortest)?;
        if let Some(capacity) = config.capacity {
            at_least_one("capacity", capacity)?;
        }
        let rolling = Rolling::new(config.rolling_count_timeout, config.rolling_count_buckets);
        let warm_up = if config.allow_warm_up { config.rolling_count_timeout } else { Span::ZERO };
        Ok(Opossum {
            config,
            state: State::Closed,
            rolling,
            under_way: 0,
            periods: 0,
            warm_at: Time::ZERO + warm_up,
        })
    }
}

impl Preset for Config {
    fn timeout(&self) -> Span {
        self.timeout
    }

    fn timeout_cancels(&self) -> bool {
        self.abort_controller
    }
}

impl Machine for Opossum {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        self.rolling.advance(now);
        self.rolling.add(|counts| &mut counts.fires);
        if !self.config.enabled {
            return Admission::Admitted(Permit::new(now, NO_TEST));
        }
        let tag = match self.state {
            State::Closed => NO_TEST,
            State::Open { until } => {
                return self.reject(Reason::BreakerOpen { until: Some(until) });
            }
            State::HalfOpen { pending_close: false } => {
                return self.reject(Reason::BreakerProbing);
            }
            State::HalfOpen { pending_close: true } => {
                self.state = State::HalfOpen { pending_close: false };
                self.periods
            }
        };
        if let Some(limit) = self.config.capacity
            && self.under_way >= limit
        {
            // The semaphore is asked last, so its refusal also spends the turn of a test.
            self.rolling.add(|counts| &mut counts.semaphore_rejections);
            self.fail(tag, now, changes);
            return Admission::Refused(Reason::BulkheadFull { limit });
        }
        self.under_way += 1;
        Admission::Admitted(Permit::new(now, tag))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        if !self.config.enabled {
            return;
        }
        self.rolling.advance(now);
        self.under_way -= 1;
        match verdict {
            Verdict::Success | Verdict::Ignored => self.succeed(permit.tag, changes),
            Verdict::Failure => self.fail(permit.tag, now, changes),
            Verdict::Cancelled => {
                if let State::HalfOpen { .. } = self.state
                    && self.is_current_test(permit.tag)
                {
                    self.state = State::HalfOpen { pending_close: true };
                }
            }
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }

    fn wakes_at(&self) -> Option<Time> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    fn wake(&mut self, now: Time, changes: &mut Vec<Change>) {
        if let State::Open { until } = self.state
            && now >= until
        {
            self.periods += 1;
            let half_open = State::HalfOpen { pending_close: true };
            self.enter(half_open, TransitionReason::OpenTimeOver, changes);
        }
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

impl Rolling {
    fn new(length: Span, buckets: u32) -> Rolling {
        let interval = Span::millis((length / u64::from(buckets)).as_millis());
        Rolling {
            interval,
            buckets: vec![Counts::default(); buckets as usize],
            current: 0,
            next_at: Time::ZERO + interval,
            sum: Counts::default(),
        }
    }

    /// Begins the buckets due by `now`. After a long silence all are emptied at once.
    fn advance(&mut self, now: Time) {
        if now < self.next_at {
            return;
        }
        let due = now.since(self.next_at).as_nanos() / self.interval.as_nanos() + 1;
        self.next_at += self.interval * due;
        if due >= self.buckets.len() as u64 {
            self.buckets.fill(Counts::default());
            self.sum = Counts::default();
            return;
        }
        for _ in 0..due {
            self.current = (self.current + 1) % self.buckets.len();
            let expired = std::mem::take(&mut self.buckets[self.current]);
            self.sum.subtract(expired);
        }
    }

    /// Counts one more in the current bucket.
    fn add(&mut self, counter: fn(&mut Counts) -> &mut u64) {
        *counter(&mut self.sum) += 1;
        *counter(&mut self.buckets[self.current]) += 1;
    }
}

impl Counts {
    fn subtract(&mut self, other: Counts) {
        self.fires -= other.fires;
        self.successes -= other.successes;
        self.failures -= other.failures;
        self.timeouts -= other.timeouts;
        self.rejects -= other.rejects;
        self.semaphore_rejections -= other.semaphore_rejections;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::refused;
    use crate::laws::breaker::testing::{ask, call, calls_and, end, ms};
    use crate::laws::breaker::{Input, Promises, Step, What, play_with};

    /// The call under way at this place takes too long.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct TimeOut(usize);

    const GOOD: [Verdict; 2] = [Verdict::Success, Verdict::Ignored];

    fn lived(config: &Config, inputs: &[(Span, Input<TimeOut>)]) -> Vec<Step<Opossum, TimeOut>> {
        let breaker = config.build().expect("valid");
        play_with(breaker, inputs, |breaker, TimeOut(n), calls, now, changes| {
            if calls.is_empty() {
                return false;
            }
            let timed_out = calls.remove(n % calls.len());
            breaker.settle_timeout(timed_out.permit, now, changes);
            true
        })
    }

    /// A timeout that counts in the bucket that ends at this instant.
    fn is_before_edge(step: &Step<Opossum, TimeOut>) -> bool {
        matches!(step.what, What::Other(_)) && step.after.rolling.next_at == step.at
    }

    fn counts(step: &Step<Opossum, TimeOut>) -> Counts {
        if is_before_edge(step) {
            step.after.rolling.sum
        } else {
            step.after.clone().counts(step.at)
        }
    }

    fn ended_in(what: &What<TimeOut>, verdicts: &[Verdict]) -> bool {
        matches!(what, What::Ended(ended) if verdicts.contains(&ended.verdict))
    }

    fn stories() -> impl Strategy<Value = (Config, Vec<(Span, Input<TimeOut>)>)> {
        let config = (
            prop_oneof![Just(0.0), Just(33.4), Just(50.0), Just(99.0), Just(100.0)],
            0..6u32,
            1..5000u64,
            1..8u32,
            1..400u64,
            prop::option::of(1..4u32),
            any::<bool>(),
        )
            .prop_map(|(percentage, volume, reset, buckets, bucket, capacity, warm_up)| Config {
                error_threshold_percentage: percentage,
                volume_threshold: volume,
                reset_timeout: Span::millis(reset),
                // Not always a multiple of the number of buckets.
                rolling_count_timeout: Span::millis(u64::from(buckets) * bucket + bucket % 3),
                rolling_count_buckets: buckets,
                capacity,
                allow_warm_up: warm_up,
                ..Config::default()
            });
        let gap = prop_oneof![6 => Just(0), 6 => 0..200u64, 2 => 200..3000u64, 1 => 0..100_000u64];
        let time_out = any::<usize>().prop_map(TimeOut);
        (config, calls_and(gap.prop_map(Span::millis), time_out))
    }

    proptest! {
        #[test]
        fn it_keeps_the_laws((config, inputs) in stories()) {
            let reset_timeout = config.reset_timeout;
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + reset_timeout)),
                tests: Some(1),
                gives_back: |ended| ended.verdict == Verdict::Cancelled && !ended.late,
                ..Promises::default()
            };
            promises.hold(&lived(&config, &inputs));
        }

        #[test]
        fn the_window_is_what_history_says((config, inputs) in stories()) {
            let buckets = u64::from(config.rolling_count_buckets);
            let interval = config.rolling_count_timeout.as_millis() / buckets;
            let bucket = |at: Time| at.since(Time::ZERO).as_millis() / interval;
            let mut history: Vec<(u64, What<TimeOut>)> = Vec::new();
            for step in lived(&config, &inputs) {
                let current = bucket(step.at) - u64::from(is_before_edge(&step));
                history.push((current, step.what));
                let mut naive = Counts::default();
                for (_, what) in history.iter().filter(|(b, _)| b + buckets > current) {
                    let full = matches!(what, What::Refused(Reason::BulkheadFull { .. }));
                    let refused = matches!(what, What::Refused(_));
                    let timed_out = matches!(what, What::Other(_));
                    naive.fires += u64::from(refused || matches!(what, What::Admitted(_)));
                    naive.rejects += u64::from(refused && !full);
                    naive.semaphore_rejections += u64::from(full);
                    naive.timeouts += u64::from(timed_out);
                    naive.failures +=
                        u64::from(full || timed_out || ended_in(what, &[Verdict::Failure]));
                    naive.successes += u64::from(ended_in(what, &GOOD));
                }
                prop_assert_eq!(counts(&step), naive);
            }
        }

        #[test]
        fn a_result_acts_on_the_state_that_it_finds((config, inputs) in stories()) {
            let warm_up = if config.allow_warm_up { config.rolling_count_timeout } else { Span::ZERO };
            for step in lived(&config, &inputs) {
                let Counts { fires, failures, .. } = counts(&step);
                let full = matches!(step.what, What::Refused(Reason::BulkheadFull { .. }));
                let timed_out = matches!(step.what, What::Other(_));
                let is_failure = full || timed_out || ended_in(&step.what, &[Verdict::Failure]);
                let is_success = ended_in(&step.what, &GOOD);
                let trips = step.at >= Time::ZERO + warm_up
                    && fires >= u64::from(config.volume_threshold)
                    && (fires == 0
                        || 100.0 * failures as f64 > config.error_threshold_percentage * fires as f64);
                let expected = match step.before.state() {
                    StateName::Closed if is_failure && trips => StateName::Open,
                    StateName::HalfOpen if is_failure => StateName::Open,
                    StateName::HalfOpen if is_success => StateName::Closed,
                    StateName::Open if step.what == What::Woke => StateName::HalfOpen,
                    unchanged => unchanged,
                };
                prop_assert_eq!(step.after.state(), expected);
            }
        }

        #[test]
        fn the_semaphore_holds((config, inputs) in stories()) {
            for step in lived(&config, &inputs) {
                let Some(limit) = config.capacity else { continue };
                prop_assert!(step.under_way <= limit as usize);
                if step.what == What::Refused(Reason::BulkheadFull { limit }) {
                    prop_assert_eq!(step.under_way, limit as usize);
                }
            }
        }
    }

    fn small() -> Config {
        Config {
            volume_threshold: 4,
            reset_timeout: Span::secs(2),
            rolling_count_timeout: Span::secs(5),
            rolling_count_buckets: 5,
            ..Config::default()
        }
    }

    #[test]
    fn the_rate_must_exceed_its_threshold() {
        let mut breaker = small().build().expect("valid");
        for verdict in [Verdict::Success, Verdict::Success, Verdict::Failure, Verdict::Failure] {
            assert_eq!(call(&mut breaker, ms(0), verdict), None, "at most 2 of 4");
        }
        let tripped = Some(TransitionReason::FailureRate);
        assert_eq!(call(&mut breaker, ms(0), Verdict::Failure), tripped, "3 of 5");
    }

    #[test]
    fn a_failure_without_its_fire_is_infinitely_many() {
        let mut breaker = Config { volume_threshold: 0, ..small() }.build().expect("valid");
        for _ in 0..10 {
            call(&mut breaker, ms(0), Verdict::Success);
        }
        let slow = ask(&mut breaker, ms(0)).expect("closed");
        let tripped = Some(TransitionReason::FailureRate);
        assert_eq!(end(&mut breaker, slow, ms(5000), Verdict::Failure), tripped);
        assert_eq!(breaker.counts(ms(5000)), Counts { failures: 1, ..Counts::default() });
    }

    #[test]
    fn refused_calls_fill_the_volume_and_closing_forgets_nothing() {
        let mut breaker = small().build().expect("valid");
        for _ in 0..4 {
            call(&mut breaker, ms(0), Verdict::Failure);
        }
        for _ in 0..3 {
            let until = Some(ms(2000));
            assert_eq!(ask(&mut breaker, ms(1)).err(), Some(Reason::BreakerOpen { until }));
        }
        breaker.wake(ms(2000), &mut Vec::new());
        let closed = Some(TransitionReason::TestsSucceeded);
        assert_eq!(call(&mut breaker, ms(2000), Verdict::Success), closed);
        // 4 failures of 8 fires, and the next one makes it 5 of 9.
        assert_eq!(breaker.counts(ms(2000)).fires, 8);
        let tripped = Some(TransitionReason::FailureRate);
        assert_eq!(call(&mut breaker, ms(2000), Verdict::Failure), tripped);
    }

    #[test]
    fn late_results_count_in_the_state_that_they_find() {
        let mut breaker = small().build().expect("valid");
        let late = ask(&mut breaker, ms(0)).expect("closed");
        let later = ask(&mut breaker, ms(0)).expect("closed");
        for _ in 0..3 {
            call(&mut breaker, ms(0), Verdict::Failure);
        }
        assert_eq!(breaker.state(), StateName::Open);
        breaker.wake(ms(2000), &mut Vec::new());
        let reopened = Some(TransitionReason::LateFailure);
        assert_eq!(end(&mut breaker, late, ms(2001), Verdict::Failure), reopened);
        breaker.wake(ms(4001), &mut Vec::new());
        let test = ask(&mut breaker, ms(4001)).expect("the test");
        assert_eq!(ask(&mut breaker, ms(4001)).err(), Some(Reason::BreakerProbing));
        let closed = Some(TransitionReason::LateSuccess);
        assert_eq!(end(&mut breaker, later, ms(4002), Verdict::Ignored), closed);
        // By now the test is one call among others.
        assert_eq!(end(&mut breaker, test, ms(4003), Verdict::Success), None);
    }

    #[test]
    fn a_full_semaphore_is_a_failure() {
        let config = Config { capacity: Some(1), volume_threshold: 0, ..small() };
        let mut breaker = config.build().expect("valid");
        let _held = ask(&mut breaker, ms(0)).expect("one place");
        assert_eq!(ask(&mut breaker, ms(0)).err(), Some(Reason::BulkheadFull { limit: 1 }));
        assert_eq!(breaker.state(), StateName::Closed, "1 of 2 is not above 50 %");
        assert_eq!(ask(&mut breaker, ms(0)).err(), Some(Reason::BulkheadFull { limit: 1 }));
        assert_eq!(breaker.state(), StateName::Open, "2 of 3 is");
    }

    #[test]
    fn a_timeout_at_the_edge_of_a_bucket_counts_before_it() {
        let config = Config { timeout: Span::secs(5), volume_threshold: 0, ..small() };
        let mut breaker = config.build().expect("valid");
        call(&mut breaker, ms(0), Verdict::Success);
        let slow = ask(&mut breaker, ms(0)).expect("closed");
        // The bucket of both calls is about to leave, and 1 of 2 is not above 50 %.
        breaker.settle_timeout(slow, ms(5000), &mut Vec::new());
        assert_eq!(breaker.state(), StateName::Closed);
        let failure = Counts { failures: 1, timeouts: 1, ..Counts::default() };
        assert_eq!(breaker.counts(ms(5000)), failure);
        assert_eq!(breaker.counts(ms(9000)), Counts::default(), "it was the bucket from 4 s on");
    }

    #[test]
    fn while_it_warms_up_nothing_opens_it() {
        let config = Config { allow_warm_up: true, volume_threshold: 0, ..small() };
        let mut breaker = config.build().expect("valid");
        assert_eq!(call(&mut breaker, ms(4999), Verdict::Failure), None);
        let tripped = Some(TransitionReason::FailureRate);
        assert_eq!(call(&mut breaker, ms(5000), Verdict::Failure), tripped);
    }

    #[test]
    fn a_cancelled_test_gives_its_turn_to_the_next() {
        let config = Config { volume_threshold: 0, ..small() };
        let mut breaker = config.build().expect("valid");
        call(&mut breaker, ms(0), Verdict::Failure);
        breaker.wake(ms(2000), &mut Vec::new());
        let test = ask(&mut breaker, ms(2000)).expect("the test");
        assert!(!breaker.pending_close());
        assert_eq!(end(&mut breaker, test, ms(2001), Verdict::Cancelled), None);
        assert!(breaker.pending_close());
        assert!(ask(&mut breaker, ms(2001)).is_ok());
    }

    #[test]
    fn disabled_it_only_counts_fires() {
        let mut breaker = Config { enabled: false, ..Config::default() }.build().expect("valid");
        for _ in 0..9 {
            assert_eq!(call(&mut breaker, ms(0), Verdict::Failure), None);
        }
        assert_eq!(breaker.counts(ms(0)), Counts { fires: 9, ..Counts::default() });
        assert_eq!(breaker.call_timeout(), None);
    }

    #[test]
    fn buckets_are_whole_milliseconds_long() {
        let config = Config {
            rolling_count_timeout: Span::millis(10),
            rolling_count_buckets: 4,
            error_threshold_percentage: 100.0,
            ..Config::default()
        };
        let mut breaker = config.build().expect("valid");
        call(&mut breaker, ms(0), Verdict::Success);
        assert_eq!(breaker.counts(ms(7)).fires, 1);
        assert_eq!(breaker.counts(ms(8)).fires, 0, "4 buckets of 2 ms");
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            refused(&config)
        };
        assert_eq!(with(|_| {}), None);
        assert_eq!(with(|c| c.timeout = Span::ZERO), None);
        assert_eq!(with(|c| c.timeout = Span::secs(1 << 32)), Some("timeout"));
        let percentage = Some("error_threshold_percentage");
        assert_eq!(with(|c| c.error_threshold_percentage = f64::NAN), percentage);
        assert_eq!(with(|c| c.error_threshold_percentage = 100.5), percentage);
        assert_eq!(with(|c| c.reset_timeout = Span::ZERO), Some("reset_timeout"));
        assert_eq!(with(|c| c.rolling_count_buckets = 0), Some("rolling_count_buckets"));
        assert_eq!(with(|c| c.rolling_count_buckets = u32::MAX), Some("rolling_count_buckets"));
        let short = Some("rolling_count_timeout");
        assert_eq!(with(|c| c.rolling_count_timeout = Span::millis(9)), short);
        assert_eq!(with(|c| c.capacity = Some(0)), Some("capacity"));
    }
}
