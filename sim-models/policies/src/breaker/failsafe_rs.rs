//! The breaker of failsafe (Rust): consecutive failures, a moving success rate, and open times by
//! chance.
//!
//! Answers: Finagle's failure accrual for Rust. Callers that open together do not come back together.
//!
//! Invites: half-open admits everybody until the first result. The moving rate is that of the whole
//! time constant: nothing opens by it in the first `window` after the start or a recovery.
//!
//! Reference: failsafe 1.3.0, `state_machine.rs`, `failure_policy.rs`, `ema.rs`,
//! `windowed_adder.rs`, `backoff.rs`.
//!
//! ```text
//!              a failure, and the policy answers with a wait
//!    +--------+ ------------------------------------------> +--------------+
//!    | closed |                                             | open until t |  refuses, t included
//!    +--------+ <---------------.                           +--------------+
//!      admits all                \            first call      |   ^  a failure: t = now + the
//!                                 \           after t         v   |  policy's wait, else the last
//!                      a success   `----------------------- +-----------+
//!                                                           | half-open |  admits all
//!                                                           +-----------+
//!
//! success rate   samples s at t ms:  w = exp(-dt / window),  ema = s (1 - w) + ema w
//!                a wait when  t >= window  and  ema < required_success_rate
//!                       and   requests in 5 slices of the window >= min_request_threshold
//! or else        both policies are asked, and the longer wait wins
//! waits          e = min(2^k start, max), k = 0, 1, …;  equal jitter: e/2 + whole seconds in 0..=e/2
//! ```
//!
//! A result counts in the state that it meets, whenever its call began. In open a failure does
//! nothing, while a success is recorded. Closing forgets everything, and then records the success
//! that has closed it. The sample of a first result at time zero leaves the average empty.
//!
//! Every `Err` is a failure unless a predicate says otherwise, and then a success. A future that is
//! dropped before it is ready counts as nothing.
//!
//! A wait is drawn when a failure opens the breaker, from the luck of the call that failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time, math};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::luck::Luck;
use crate::out_of_range::within;
use crate::weighed::{Counted, Minimum, Threshold, Weighed};
use crate::{OutOfRange, Reason};

/// `MAX_RETRIES`: the exponent grows no further.
const EXPONENT_MAX: u32 = 30;

/// The slices of the window in which requests are counted.
const SLICES: u64 = 5;

/// Its options: those of its two policies and of their waits, with the library's defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FailsafeRsBreaker")]
pub struct Config {
    /// When it opens.
    pub policy: Policy,
    /// Failures in a row.
    pub num_failures: u32,
    /// The moving share of successes below which it opens.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub required_success_rate: f64,
    /// Requests within the window that the share needs.
    pub min_request_threshold: u32,
    /// The time constant of the share, in whole seconds.
    pub window: Span,
    /// How its waits grow.
    pub backoff: Backoff,
    /// The first wait, in whole seconds.
    #[schemars(extend("x-minimum" = "1s"))]
    pub start: Span,
    /// The longest wait, in whole seconds.
    pub max: Span,
}

/// When it opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "FailsafeRsPolicy")]
pub enum Policy {
    /// After failures in a row.
    ConsecutiveFailures,
    /// At a low moving share of successes.
    SuccessRate,
    /// At either.
    #[default]
    OrElse,
}

/// How its waits grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "FailsafeRsBackoff")]
pub enum Backoff {
    /// Not at all.
    Constant,
    /// They double.
    Exponential,
    /// They double; half of each is by chance.
    #[default]
    EqualJittered,
    /// They double; all of each is by chance, so that it may be zero.
    FullJittered,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            policy: Policy::default(),
            num_failures: 5,
            required_success_rate: 0.8,
            min_request_threshold: 5,
            window: Span::secs(30),
            backoff: Backoff::default(),
            start: Span::secs(10),
            max: Span::secs(300),
        }
    }
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct FailsafeRs {
    state: State,
    rate: Option<SuccessRate>,
    row: Option<Row>,
    /// Counts the transitions.
    period: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Refuses until after this instant; how long it was to be.
    Open {
        until: Time,
        wait: Span,
    },
    HalfOpen {
        wait: Span,
    },
}

/// Failures in a row.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    failures_max: u32,
    failures: u32,
    waits: Waits,
}

/// A moving share of successes.
#[derive(Clone, Debug, PartialEq)]
struct SuccessRate {
    required: f64,
    requests_min: u32,
    window_ms: u64,
    /// When it began anew.
    since: Time,
    /// Milliseconds since then at the last sample; 0 is no sample.
    sampled: u64,
    average: f64,
    requests: Slices,
    waits: Waits,
}

/// Requests in the slices of a window.
#[derive(Clone, Debug, PartialEq)]
struct Slices {
    slice_ms: u64,
    counts: [u64; SLICES as usize],
    current: usize,
    /// When the current slice was begun.
    begun: Time,
}

/// The waits of a policy since it was last well.
#[derive(Clone, Debug, PartialEq)]
struct Waits {
    backoff: Backoff,
    start: u64,
    max: u64,
    used: u32,
}

impl Waits {
    fn next(&mut self, uniform: &mut dyn FnMut() -> f64) -> Span {
        if self.backoff == Backoff::Constant {
            return Span::secs(self.start);
        }
        let exponential = self.start.saturating_mul(1 << self.used).min(self.max);
        self.used = (self.used + 1).min(EXPONENT_MAX);
        // A whole number in 0..=n.
        let mut up_to = |n: u64| (uniform() * (n + 1) as f64) as u64;
        Span::secs(match self.backoff {
            Backoff::EqualJittered => exponential / 2 + up_to(exponential / 2),
            Backoff::FullJittered => up_to(exponential),
            Backoff::Constant | Backoff::Exponential => exponential,
        })
    }
}

impl Row {
    fn failed(&mut self, uniform: &mut dyn FnMut() -> f64) -> Option<Span> {
        self.failures = self.failures.saturating_add(1);
        (self.failures >= self.failures_max).then(|| self.waits.next(uniform))
    }
}

impl SuccessRate {
    /// The numbers on which it fails: of failures, where the library has successes.
    fn weighed(&self) -> Weighed {
        Weighed {
            counted: Counted::Average(1.0 - self.average, self.requests.sum()),
            threshold: Threshold::Percent((1.0 - self.required) * 100.0),
            minimum: Minimum::plain(self.requests_min),
        }
    }

    fn sample(&mut self, now: Time, sample: f64) {
        let at = millis(now, self.since);
        if self.sampled == 0 {
            self.average = sample;
        } else {
            let w = match self.window_ms {
                0 => 0.0,
                window => math::exp(-((at - self.sampled) as f64) / window as f64),
            };
            self.average = sample * (1.0 - w) + self.average * w;
        }
        self.sampled = at;
        self.requests.count(now);
    }

    fn failed(&mut self, now: Time, uniform: &mut dyn FnMut() -> f64) -> Option<Span> {
        self.sample(now, 0.0);
        let is_dead = self.sampled >= self.window_ms
            && self.average < self.required
            && self.requests.sum() >= self.requests_min.into();
        is_dead.then(|| self.waits.next(uniform))
    }
}

impl Slices {
    fn new(window_ms: u64, now: Time) -> Slices {
        Slices {
            slice_ms: window_ms / SLICES,
            counts: [0; SLICES as usize],
            current: 0,
            begun: now,
        }
    }

    fn sum(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn count(&mut self, now: Time) {
        self.pass(now);
        self.counts[self.current] += 1;
    }

    /// Skips the slices that have passed, and begins one at this very instant.
    fn pass(&mut self, now: Time) {
        let passed = millis(now, self.begun);
        if passed < self.slice_ms {
            return;
        }
        let skipped = (passed.checked_div(self.slice_ms).unwrap_or(1) - 1).min(SLICES);
        for _ in 0..=skipped {
            self.current = (self.current + 1) % self.counts.len();
            self.counts[self.current] = 0;
        }
        self.begun = now;
    }
}

/// Whole milliseconds between two instants.
fn millis(now: Time, since: Time) -> u64 {
    now.since(since).as_nanos() / 1_000_000
}

impl FailsafeRs {
    /// A call ends as [`Machine::settle`] says, with the library's own draws.
    pub(crate) fn settle_with(
        &mut self,
        permit: &Permit,
        now: Time,
        verdict: Verdict,
        uniform: &mut dyn FnMut() -> f64,
        changes: &mut Vec<Change>,
    ) {
        match verdict {
            Verdict::Success | Verdict::Ignored => self.succeed(permit, now, changes),
            Verdict::Failure => self.fail(permit, now, uniform, changes),
            Verdict::Cancelled => {}
        }
    }

    fn succeed(&mut self, permit: &Permit, now: Time, changes: &mut Vec<Change>) {
        if let State::HalfOpen { .. } = self.state {
            let reason = match permit.tag == self.period {
                true => TransitionReason::TestsSucceeded,
                false => TransitionReason::LateSuccess,
            };
            self.enter(State::Closed, reason, changes);
            self.revive(now);
        }
        if let Some(rate) = &mut self.rate {
            rate.sample(now, 1.0);
        }
        if let Some(row) = &mut self.row {
            row.failures = 0;
        }
    }

    fn fail(
        &mut self,
        permit: &Permit,
        now: Time,
        uniform: &mut dyn FnMut() -> f64,
        changes: &mut Vec<Change>,
    ) {
        let last = match self.state {
            State::Open { .. } => return,
            State::Closed => None,
            State::HalfOpen { wait } => Some(wait),
        };
        let by_rate = self.rate.as_mut().and_then(|rate| rate.failed(now, uniform));
        let by_row = self.row.as_mut().and_then(|row| row.failed(uniform));
        let Some(wait) = by_rate.max(by_row).or(last) else { return };
        let because = match (last, &self.row, &self.rate) {
            (Some(_), ..) if permit.tag == self.period => TransitionReason::TestFailed.into(),
            (Some(_), ..) => TransitionReason::LateFailure.into(),
            (None, Some(row), _) if by_row.is_some() => {
                TransitionReason::ConsecutiveFailures.on_calls(row.failures, row.failures_max)
            }
            (None, _, Some(rate)) => TransitionReason::FailureRate.on(rate.weighed()),
            (None, _, None) => unreachable!("one of the two has failed"),
        };
        self.enter(State::Open { until: now + wait, wait }, because, changes);
    }

    /// Both policies begin anew.
    fn revive(&mut self, now: Time) {
        if let Some(rate) = &mut self.rate {
            (rate.since, rate.sampled, rate.average) = (now, 0, 0.0);
            (rate.requests.counts, rate.requests.begun) = ([0; SLICES as usize], now);
            rate.waits.used = 0;
        }
        if let Some(row) = &mut self.row {
            (row.failures, row.waits.used) = (0, 0);
        }
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }
}

impl Build for Config {
    type Machine = FailsafeRs;

    /// # Errors
    /// When the required rate is outside 0..=1, or a growing wait is below 1 s, or above its maximum.
    fn build(&self) -> Result<FailsafeRs, OutOfRange> {
        within("required_success_rate", self.required_success_rate, 0.0, 1.0)?;
        let secs = |span: Span| span.as_nanos() / 1_000_000_000;
        let (backoff, start, max) = (self.backoff, secs(self.start), secs(self.max));
        if backoff != Backoff::Constant {
            if start == 0 {
                return Err(OutOfRange::new("start", self.start, "at least 1s"));
            }
            if max < start {
                let allowed = format!("at least start, {}", self.start);
                return Err(OutOfRange::new("max", self.max, allowed));
            }
        }
        let waits = Waits { backoff, start, max, used: 0 };
        let window_ms = secs(self.window).saturating_mul(1000);
        let rate = SuccessRate {
            required: self.required_success_rate,
            requests_min: self.min_request_threshold,
            window_ms,
            since: Time::ZERO,
            sampled: 0,
            average: 0.0,
            requests: Slices::new(self.window.as_nanos() / 1_000_000, Time::ZERO),
            waits: waits.clone(),
        };
        let row = Row { failures_max: self.num_failures, failures: 0, waits };
        Ok(FailsafeRs {
            state: State::Closed,
            rate: (self.policy != Policy::ConsecutiveFailures).then_some(rate),
            row: (self.policy != Policy::SuccessRate).then_some(row),
            period: 0,
        })
    }
}

impl Preset for Config {
    /// Whoever drops the future never polls it again.
    fn cancelled(&self) -> Verdict {
        Verdict::Cancelled
    }
}

impl Machine for FailsafeRs {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        if let State::Open { until, wait } = self.state {
            if now <= until {
                let until = Some(until + Span::nanos(1));
                return Admission::Refused(Reason::BreakerOpen { until });
            }
            self.enter(State::HalfOpen { wait }, TransitionReason::OpenTimeOver, changes);
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let mut luck = Luck::new(permit.draw);
        self.settle_with(&permit, now, verdict, &mut || luck.uniform(), changes);
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
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::breaker::testing::{calls, seconds};
    use crate::laws::breaker::{Promises, play};

    proptest! {
        #[test]
        fn it_keeps_the_laws(
            num_failures in 0..4u32,
            policy in prop::sample::select(vec![
                Policy::ConsecutiveFailures, Policy::SuccessRate, Policy::OrElse,
            ]),
            inputs in calls(seconds()),
        ) {
            let window = Span::secs(5);
            let config = Config { num_failures, policy, window, ..Config::default() };
            let promises = Promises {
                ignores: |before: &FailsafeRs, ended| {
                    ended.verdict == Verdict::Cancelled
                        || before.state() == StateName::Open && ended.verdict == Verdict::Failure
                },
                ..Promises::default()
            };
            promises.hold(&play(config.build().expect("valid"), &inputs));
        }
    }

    #[test]
    fn the_luck_of_the_call_that_opens_it_decides_how_long() {
        let config = Config { num_failures: 1, ..Config::default() };
        let open_for = |draw| {
            let mut breaker = config.build().expect("valid");
            let permit = Permit::new(Time::ZERO, 0).with_draw(draw);
            breaker.settle(permit, Time::ZERO, Verdict::Failure, &mut Vec::new());
            let State::Open { wait, .. } = breaker.state else { panic!("it opens") };
            wait
        };
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(open_for), [5, 7, 10].map(Span::secs));
    }

    #[test]
    fn waits_that_cannot_grow_are_refused() {
        all_refused([
            ("start", Config { start: Span::millis(999), ..Config::default() }),
            ("max", Config { max: Span::secs(9), ..Config::default() }),
            ("required_success_rate", Config { required_success_rate: 1.1, ..Config::default() }),
        ]);
    }
}
