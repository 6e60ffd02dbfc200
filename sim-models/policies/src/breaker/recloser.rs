//! The breaker of recloser (Rust): a rate over a ring of results, in closed and in half-open.
//!
//! Answers: a dependency that fails for a share of its calls, at the cost of a few atomics.
//!
//! Invites: no rate exists before the ring has been filled once, so that the first `closed_len`
//! failures all pass. Half-open admits everybody, and needs a full ring too.
//!
//! Reference: recloser 1.4.0, `recloser.rs`, `ring_buffer.rs`.
//!
//! ```text
//!              a result from the (closed_len + 1)-th on, and rate >= error_rate_closed
//!    +--------+ ----------------------------------------------------> +--------------+
//!    | closed |                                                       | open until t |  refuses
//!    +--------+ <--------------------.                                +--------------+
//!      admits all                     \                 first call      |   ^  a failure, and
//!         a success, and               \                after t         v   |  rate >= error_
//!         rate <= error_rate_half_open  `---------------------------- +-----------+  rate_half_open
//!                                                                     | half-open |  admits all
//!                                                                     +-----------+
//! ```
//!
//! A result counts in the state that it meets, whenever its call began; in open it does nothing. A
//! success may open a closed breaker. Rates are 32-bit floats.
//!
//! Every `Err` is a failure unless a predicate says otherwise, and then a success. A future that is
//! dropped before it is ready counts as nothing.
//!
//! Left out: wait strategies other than the one that multiplies the wait.

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
use crate::weighed::{Counted, Threshold, Weighed};
use crate::{OutOfRange, Reason};

/// More places than any ring needs, and few enough for memory.
const RING_MAX: u32 = 1_000_000;

/// The options of `RecloserBuilder`, under their names and with their defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RecloserBreaker")]
pub struct Config {
    /// Results in the ring of a closed breaker.
    #[schemars(range(min = 1, max = 1000000))]
    pub closed_len: u32,
    /// Results in the ring of a half-open breaker.
    #[schemars(range(min = 1, max = 1000000))]
    pub half_open_len: u32,
    /// The share of failures that opens it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_rate_closed: f32,
    /// The share of failures that opens it again, or up to which it closes.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_rate_half_open: f32,
    /// How long it stays open; the last instant belongs to it.
    pub open_wait: Span,
    /// Waits `open_wait` times the openings in a row, by a wait strategy.
    pub open_wait_times_flaps: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            closed_len: 100,
            half_open_len: 10,
            error_rate_closed: 0.5,
            error_rate_half_open: 0.5,
            open_wait: Span::secs(30),
            open_wait_times_flaps: false,
        }
    }
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Recloser {
    config: Config,
    state: State,
    /// Counts the transitions.
    period: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Closed(Ring),
    /// Refuses until after this instant.
    Open {
        until: Time,
        openings: u32,
    },
    HalfOpen {
        ring: Ring,
        openings: u32,
    },
}

/// The last results: true is a failure.
#[derive(Clone, Debug, PartialEq)]
struct Ring {
    len: usize,
    results: VecDeque<bool>,
    failures: usize,
}

impl Ring {
    fn new(len: u32) -> Ring {
        Ring { len: len as usize, results: VecDeque::new(), failures: 0 }
    }

    /// Takes a result in; the rate, once the ring was full before it.
    fn record(&mut self, failed: bool) -> Option<f32> {
        let was_full = self.results.len() == self.len;
        if was_full && self.results.pop_front() == Some(true) {
            self.failures -= 1;
        }
        self.results.push_back(failed);
        self.failures += usize::from(failed);
        was_full.then_some(self.failures as f32 / self.len as f32)
    }

    /// Its failures against a rate of them.
    fn failures(&self, rate: f32) -> Weighed {
        Weighed {
            counted: Counted::Of(self.failures as u64, self.len as u64),
            threshold: Threshold::Percent(f64::from(rate) * 100.0),
            minimum: None,
        }
    }

    /// Its successes against what a rate of failures leaves.
    fn successes(&self, rate: f32) -> Weighed {
        Weighed {
            counted: Counted::Of((self.len - self.failures) as u64, self.len as u64),
            threshold: Threshold::Percent(100.0 - f64::from(rate) * 100.0),
            minimum: None,
        }
    }
}

impl Recloser {
    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, self.state.name(), why)));
    }
}

impl Build for Config {
    type Machine = Recloser;

    /// # Errors
    /// When a ring has no place, or more than a million, or a rate is outside 0..=1.
    fn build(&self) -> Result<Recloser, OutOfRange> {
        for (field, len) in [("closed_len", self.closed_len), ("half_open_len", self.half_open_len)]
        {
            if !(1..=RING_MAX).contains(&len) {
                return Err(OutOfRange::new(field, len, format!("in 1..={RING_MAX}")));
            }
        }
        let rates = [
            ("error_rate_closed", self.error_rate_closed),
            ("error_rate_half_open", self.error_rate_half_open),
        ];
        for (field, rate) in rates {
            within(field, rate.into(), 0.0, 1.0)?;
        }
        let state = State::Closed(Ring::new(self.closed_len));
        Ok(Recloser { config: self.clone(), state, period: 0 })
    }
}

impl Preset for Config {
    /// Whoever drops the future never polls it again.
    fn cancelled(&self) -> Verdict {
        Verdict::Cancelled
    }
}

impl Machine for Recloser {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        if let State::Open { until, openings } = self.state {
            if now <= until {
                let until = Some(until + Span::nanos(1));
                return Admission::Refused(Reason::BreakerOpen { until });
            }
            let ring = Ring::new(self.config.half_open_len);
            let half_open = State::HalfOpen { ring, openings };
            self.enter(half_open, TransitionReason::OpenTimeOver, changes);
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        let failed = match verdict {
            Verdict::Success | Verdict::Ignored => false,
            Verdict::Failure => true,
            Verdict::Cancelled => return,
        };
        let late = permit.tag != self.period;
        let config = &self.config;
        match &mut self.state {
            State::Closed(ring) => {
                if ring.record(failed).is_some_and(|rate| rate >= config.error_rate_closed) {
                    let open = State::Open { until: now + config.open_wait, openings: 1 };
                    let because =
                        TransitionReason::FailureRate.on(ring.failures(config.error_rate_closed));
                    self.enter(open, because, changes);
                }
            }
            State::HalfOpen { ring, openings } => {
                let Some(rate) = ring.record(failed) else { return };
                let times = if config.open_wait_times_flaps { *openings + 1 } else { 1 };
                let openings = openings.saturating_add(1);
                let failures = ring.failures(config.error_rate_half_open);
                let successes = ring.successes(config.error_rate_half_open);
                if failed && rate >= config.error_rate_half_open {
                    let wait = config.open_wait * u64::from(times);
                    let reason = match late {
                        true => TransitionReason::LateFailure,
                        false => TransitionReason::TestFailed,
                    };
                    self.enter(
                        State::Open { until: now + wait, openings },
                        reason.on(failures),
                        changes,
                    );
                } else if !failed && rate <= config.error_rate_half_open {
                    let closed = State::Closed(Ring::new(config.closed_len));
                    let reason = match late {
                        true => TransitionReason::LateSuccess,
                        false => TransitionReason::TestsSucceeded,
                    };
                    self.enter(closed, reason.on(successes), changes);
                }
            }
            State::Open { .. } => {}
        }
    }

    fn state(&self) -> StateName {
        self.state.name()
    }
}

impl State {
    const fn name(&self) -> StateName {
        match self {
            State::Closed(_) => StateName::Closed,
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
            closed_len in 1..4u32,
            half_open_len in 1..4u32,
            wait in 0..20u64,
            inputs in calls(seconds()),
        ) {
            let open_wait = Span::secs(wait);
            let config = Config { closed_len, half_open_len, open_wait, ..Config::default() };
            let promises = Promises {
                open_until: Some(Box::new(move |at| at + open_wait + Span::nanos(1))),
                ignores: |before: &Recloser, ended| {
                    before.state() == StateName::Open || ended.verdict == Verdict::Cancelled
                },
                ..Promises::default()
            };
            promises.hold(&play(config.build().expect("valid"), &inputs));
        }
    }

    #[test]
    fn the_rate_exists_from_one_result_beyond_the_ring_on() {
        let config = Config { closed_len: 3, ..Config::default() };
        let mut breaker = config.build().expect("valid");
        let states = [(); 4].map(|()| {
            let permit = Permit::new(Time::ZERO, 0);
            breaker.settle(permit, Time::ZERO, Verdict::Failure, &mut Vec::new());
            breaker.state()
        });
        use StateName::{Closed, Open};
        assert_eq!(states, [Closed, Closed, Closed, Open]);
    }

    #[test]
    fn rings_without_places_are_refused() {
        all_refused([
            ("closed_len", Config { closed_len: 0, ..Config::default() }),
            ("half_open_len", Config { half_open_len: RING_MAX + 1, ..Config::default() }),
            ("error_rate_closed", Config { error_rate_closed: f32::NAN, ..Config::default() }),
        ]);
    }
}
