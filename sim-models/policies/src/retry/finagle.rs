//! Finagle's `RetryPolicy.backoff`: a stream of waits, each made from the one before.
//!
//! Answers: retries whose waits are a value that can be passed around.
//!
//! Invites: the first wait is never jittered, so that all who failed together come back together
//! once. And the jittered streams grow from the *jittered* value: luck is fed back.
//!
//! Reference: Finagle, `Backoff.scala`, `RetryPolicy.tries`.
//!
//! ```text
//! first                  start, without luck
//! Exponential            w * multiplier, at most maximum
//! Linear                 w + offset, at most maximum
//! EqualJittered          half + rand(half),  half = start * 2^(n-1)
//! ExponentialJittered    rand(w * 2^n)
//! DecorrelatedJittered   w + rand(min(3 w, maximum) - w)         never shorter than w
//! ```
//!
//! `n` counts the waits so far. Once a jittered stream reaches `maximum` it is constant. All in
//! whole nanoseconds.
//!
//! Left out: `take`, `takeUntil` and `concat` of streams; the budget, a policy of its own; requeues
//! of what was never written, which wait not at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, ordered};
use crate::family::Build;
use crate::out_of_range::{above_zero, at_least_one};
use crate::{EndingSet, OutOfRange, Reason};

/// The arguments of `RetryPolicy.tries` and `RetryPolicy.backoff`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FinagleRetry")]
pub struct Config {
    /// Attempts in all, the first included. The library has no default.
    #[schemars(range(min = 1))]
    pub num_tries: u32,
    /// The waits; by default those of `RetryPolicy.tries`.
    pub backoff: Backoff,
    /// The endings that are worth another attempt; by default `WriteExceptionsOnly`, where nothing
    /// was sent: a refused connection.
    pub should_retry: EndingSet,
}

/// The streams of `Backoff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FinagleBackoff", title = "backoff of Finagle")]
pub enum Backoff {
    /// `const`.
    #[schemars(example = r#"Const(start: "100ms")"#)]
    Const {
        /// The wait.
        start: Span,
    },
    /// `exponential`.
    #[schemars(example = r#"Exponential(start: "100ms", multiplier: 2)"#)]
    Exponential {
        /// The first wait.
        start: Span,
        /// Growth per retry.
        #[schemars(range(min = 1))]
        multiplier: u32,
        /// The longest wait.
        #[serde(default = "top")]
        maximum: Span,
    },
    /// `linear`.
    #[schemars(example = r#"Linear(start: "100ms", offset: "50ms")"#)]
    Linear {
        /// The first wait.
        start: Span,
        /// Added per retry.
        offset: Span,
        /// The longest wait.
        #[serde(default = "top")]
        maximum: Span,
    },
    /// `equalJittered`.
    #[schemars(example = r#"EqualJittered(start: "5ms", maximum: "200ms")"#)]
    EqualJittered {
        /// The first wait, above zero and not above `maximum`.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        start: Span,
        /// The longest wait.
        maximum: Span,
    },
    /// `exponentialJittered`.
    #[schemars(example = r#"ExponentialJittered(start: "5ms", maximum: "200ms")"#)]
    ExponentialJittered {
        /// The first wait, above zero and not above `maximum`.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        start: Span,
        /// The longest wait.
        maximum: Span,
    },
    /// `decorrelatedJittered`.
    #[schemars(example = r#"DecorrelatedJittered(start: "5ms", maximum: "200ms")"#)]
    DecorrelatedJittered {
        /// The first wait, above zero and not above `maximum`.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        start: Span,
        /// The longest wait.
        maximum: Span,
    },
}

fn top() -> Span {
    Span::MAX
}

impl Default for Config {
    fn default() -> Config {
        let (start, maximum) = (Span::millis(5), Span::millis(200));
        Config {
            num_tries: 3,
            backoff: Backoff::EqualJittered { start, maximum },
            should_retry: EndingSet::NONE.with_refused(),
        }
    }
}

/// The largest power of two that the library multiplies by.
const SHIFT_MAX: u32 = 62;

/// The library's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Finagle {
    tries_max: u32,
    backoff: Backoff,
}

/// Where the stream of one call stands, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The wait that comes next, as far as it is known without luck; then the last one.
    wait: u64,
    /// The waits so far.
    waits: u32,
    /// The stream has reached its maximum.
    constant: bool,
}

impl Finagle {
    /// The wait in nanoseconds after the failed attempt `attempt`, counted from 1, or why there is
    /// none. `draw` is uniform over all of `u64`.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn after_nanos(&self, memory: &mut Memory, attempt: u32, draw: u64) -> Result<u64, Reason> {
        attempts_left(attempt, Some(self.tries_max))?;
        // The first wait is the start, and luck begins with the second.
        if memory.waits > 0 && !memory.constant {
            (memory.wait, memory.constant) = self.next(memory, draw);
        }
        memory.waits = memory.waits.saturating_add(1);
        Ok(memory.wait)
    }

    /// The wait that follows, and whether the stream is constant from then on.
    fn next(&self, memory: &Memory, draw: u64) -> (u64, bool) {
        let Memory { wait, waits, .. } = *memory;
        let nanos = Span::as_nanos;
        match self.backoff {
            Backoff::Const { start } => (nanos(start), true),
            Backoff::Exponential { multiplier, maximum, .. } => {
                let maximum = nanos(maximum);
                if multiplier == 1 {
                    (wait, true)
                } else if wait >= maximum / u64::from(multiplier) {
                    (maximum, true)
                } else {
                    (wait * u64::from(multiplier), false)
                }
            }
            Backoff::Linear { offset, maximum, .. } => {
                let grown = wait.saturating_add(nanos(offset)).min(nanos(maximum));
                (grown, grown == nanos(maximum))
            }
            Backoff::EqualJittered { start, maximum } => {
                let half = shifted(nanos(start), waits - 1, nanos(maximum));
                let luck = below(half, draw);
                if half == nanos(maximum) || half >= nanos(maximum) - luck {
                    (nanos(maximum), true)
                } else {
                    (half + luck, false)
                }
            }
            Backoff::ExponentialJittered { maximum, .. } => {
                let bound = shifted(wait, waits, nanos(maximum));
                if bound == nanos(maximum) { (bound, true) } else { (below(bound, draw), false) }
            }
            Backoff::DecorrelatedJittered { maximum, .. } => {
                let maximum = nanos(maximum);
                let bound = if wait >= maximum / 3 { maximum } else { wait * 3 };
                let next = wait + below(bound - wait, draw);
                (next, next == maximum)
            }
        }
    }
}

impl Build for Config {
    type Machine = Finagle;

    /// # Errors
    /// When `num_tries` or a multiplier is zero, or a jittered stream starts at zero or above its
    /// maximum.
    fn build(&self) -> Result<Finagle, OutOfRange> {
        at_least_one("num_tries", self.num_tries)?;
        match self.backoff {
            Backoff::Const { .. } => {}
            Backoff::Exponential { start, multiplier, maximum } => {
                at_least_one("multiplier", multiplier)?;
                ordered("start", start, "the maximum", maximum)?;
            }
            Backoff::Linear { start, maximum, .. } => {
                ordered("start", start, "the maximum", maximum)?;
            }
            Backoff::EqualJittered { start, maximum }
            | Backoff::ExponentialJittered { start, maximum }
            | Backoff::DecorrelatedJittered { start, maximum } => {
                above_zero("start", start)?;
                ordered("start", start, "the maximum", maximum)?;
            }
        }
        Ok(Finagle { tries_max: self.num_tries, backoff: self.backoff })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.should_retry)
    }
}

impl Rules for Finagle {
    type Memory = Memory;

    fn start(&self) -> Memory {
        let (start, constant) = match self.backoff {
            Backoff::Const { start } => (start, true),
            Backoff::Exponential { start, .. } | Backoff::Linear { start, .. } => (start, false),
            Backoff::EqualJittered { start, maximum }
            | Backoff::ExponentialJittered { start, maximum }
            | Backoff::DecorrelatedJittered { start, maximum } => {
                (start, start.as_nanos() == maximum.as_nanos())
            }
        };
        Memory { wait: start.as_nanos(), waits: 0, constant }
    }

    fn after(
        &self,
        memory: &mut Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        self.after_nanos(memory, failure.attempt, luck.draw).map(Span::nanos)
    }
}

/// `nanos * 2^shift`, at most `maximum`.
fn shifted(nanos: u64, shift: u32, maximum: u64) -> u64 {
    let shift = shift.min(SHIFT_MAX);
    if nanos >= maximum >> shift { maximum } else { nanos << shift }
}

/// A number from zero to below `bound`, or zero.
fn below(bound: u64, draw: u64) -> u64 {
    ((u128::from(draw) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::retry::testing;

    fn waits(backoff: Backoff, draws: &[u64]) -> Vec<u64> {
        let config = Config { num_tries: u32::MAX, backoff, ..Config::default() };
        let rules = config.build().expect("valid");
        testing::waits(&rules, draws, |memory, n, draw| rules.after_nanos(memory, n, draw))
    }

    fn streams() -> impl Strategy<Value = (Backoff, u64, u64)> {
        (1..1_000_000u64, 0..1_000_000_000u64, 2..5u32, 0..6u8).prop_map(
            |(start, room, multiplier, kind)| {
                let (start, maximum) = (Span::nanos(start), Span::nanos(start + room));
                let offset = Span::nanos(room / 7 + 1);
                let backoff = match kind {
                    0 => Backoff::Const { start },
                    1 => Backoff::Exponential { start, multiplier, maximum },
                    2 => Backoff::Linear { start, offset, maximum },
                    3 => Backoff::EqualJittered { start, maximum },
                    4 => Backoff::ExponentialJittered { start, maximum },
                    _ => Backoff::DecorrelatedJittered { start, maximum },
                };
                (backoff, start.as_nanos(), maximum.as_nanos())
            },
        )
    }

    proptest! {
        #[test]
        fn streams_start_without_luck_and_keep_their_maximum(
            (backoff, start, maximum) in streams(),
            draws in prop::collection::vec(any::<u64>(), 80),
        ) {
            let waits = waits(backoff, &draws);
            prop_assert_eq!(waits[0], start);
            prop_assert!(waits.iter().all(|&wait| wait <= maximum));
            if !matches!(backoff, Backoff::EqualJittered { .. } | Backoff::ExponentialJittered { .. }) {
                prop_assert!(waits.is_sorted(), "{waits:?}");
            }
            if matches!(backoff, Backoff::EqualJittered { .. }) {
                for (n, wait) in waits.iter().enumerate().skip(1) {
                    let half = shifted(start, n as u32 - 1, maximum);
                    prop_assert!((half..=(2 * half).min(maximum)).contains(wait));
                }
            }
            let end = waits.iter().position(|&wait| wait == maximum).unwrap_or(waits.len());
            prop_assert!(waits[end..].iter().all(|&wait| wait == maximum));
        }
    }

    #[test]
    fn each_stream_has_its_pinned_waits() {
        let (start, maximum) = (Span::nanos(10), Span::nanos(200));
        let half = [1 << 63; 6];
        let pinned = |backoff| waits(backoff, &half);
        let exponential = Backoff::Exponential { start, multiplier: 3, maximum };
        assert_eq!(pinned(exponential), [10, 30, 90, 200, 200, 200]);
        let linear = Backoff::Linear { start, offset: Span::nanos(90), maximum };
        assert_eq!(pinned(linear), [10, 100, 190, 200, 200, 200]);
        assert_eq!(pinned(Backoff::EqualJittered { start, maximum }), [10, 15, 30, 60, 120, 200]);
        let luck_fed_back = [10, 10, 20, 80, 200, 200];
        assert_eq!(pinned(Backoff::ExponentialJittered { start, maximum }), luck_fed_back);
        let never_shorter = [10, 20, 40, 80, 140, 170];
        assert_eq!(pinned(Backoff::DecorrelatedJittered { start, maximum }), never_shorter);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let with = |backoff| Config { backoff, ..Config::default() };
        let (start, maximum) = (Span::secs(2), Span::secs(1));
        let zero = Backoff::DecorrelatedJittered { start: Span::ZERO, maximum };
        let shrinking = Backoff::Exponential { start: maximum, multiplier: 0, maximum: start };
        all_refused([
            ("start", with(Backoff::EqualJittered { start, maximum })),
            ("start", with(zero)),
            ("multiplier", with(shrinking)),
            ("num_tries", Config { num_tries: 0, ..Config::default() }),
        ]);
    }
}
