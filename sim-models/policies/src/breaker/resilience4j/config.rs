//! The options of Resilience4j's breaker, and what the library accepts.
//!
//! Reference: Resilience4j 2.4.0, `CircuitBreakerConfig`, `IntervalFunction`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use crate::OutOfRange;
use crate::out_of_range::{above_zero, at_least_one};

/// More places than any window needs, and few enough for memory.
const WINDOW_MAX: u32 = 1_000_000;

/// Its options, under the library's names and with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Resilience4jBreaker")]
pub struct Config {
    /// The share of failed calls that opens it, in percent.
    #[schemars(range(max = 100.0), extend("exclusiveMinimum" = 0))]
    pub failure_rate_threshold: f32,
    /// The share of slow calls that opens it, in percent.
    #[schemars(range(max = 100.0), extend("exclusiveMinimum" = 0))]
    pub slow_call_rate_threshold: f32,
    /// A call that took longer is slow, whatever its end.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub slow_call_duration_threshold: Span,
    /// What the window of the closed breaker holds.
    pub sliding_window_type: SlidingWindowType,
    /// Calls or seconds in that window.
    #[schemars(range(min = 1, max = 1000000))]
    pub sliding_window_size: u32,
    /// Results needed before a rate is judged.
    ///
    /// Where the window counts calls, and in half-open, the window's size does if it is smaller, as
    /// in the library.
    #[schemars(range(min = 1))]
    pub minimum_number_of_calls: u32,
    /// How long it stays open, in whole milliseconds.
    #[schemars(extend("x-minimum" = "1ms"))]
    pub wait_duration_in_open_state: Span,
    /// An open time that grows with each opening since it was last closed, in the place of
    /// `wait_duration_in_open_state`; give one of the two. Default none.
    pub wait_interval_exponential: Option<ExponentialWait>,
    /// Goes from open to half-open by a timer, not with the next call.
    pub automatic_transition_from_open_to_half_open_enabled: bool,
    /// Calls that half-open lets through in all.
    #[schemars(range(min = 1, max = 1000000))]
    pub permitted_number_of_calls_in_half_open_state: u32,
    /// How long it stays half-open at most, in whole milliseconds; without end if below 1 ms.
    pub max_wait_duration_in_half_open_state: Span,
    /// Where it goes when that time is over.
    pub transition_to_state_after_wait_duration: StateAfterWait,
}

/// What the sliding window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum SlidingWindowType {
    /// The last so many calls.
    CountBased,
    /// The calls of the last so many whole seconds, the current one included.
    TimeBased,
}

/// The state that follows half-open when its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum StateAfterWait {
    /// Open, for another open time.
    Open,
    /// Closed, with an empty window.
    Closed,
}

/// The library's `IntervalFunction.ofExponentialBackoff`: `initial * multiplier^(n - 1)` for the
/// n-th opening, cut to whole milliseconds at each step, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExponentialWait {
    /// The first open time.
    #[schemars(extend("x-minimum" = "1ms"))]
    pub initial: Span,
    /// The growth from one to the next.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub multiplier: f64,
    /// The longest, not below the first.
    pub max: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            failure_rate_threshold: 50.0,
            slow_call_rate_threshold: 100.0,
            slow_call_duration_threshold: Span::secs(60),
            sliding_window_type: SlidingWindowType::CountBased,
            sliding_window_size: 100,
            minimum_number_of_calls: 100,
            wait_duration_in_open_state: DEFAULT_WAIT,
            wait_interval_exponential: None,
            automatic_transition_from_open_to_half_open_enabled: false,
            permitted_number_of_calls_in_half_open_state: 10,
            max_wait_duration_in_half_open_state: Span::ZERO,
            transition_to_state_after_wait_duration: StateAfterWait::Open,
        }
    }
}

/// `CircuitBreakerConfig.DEFAULT_WAIT_DURATION_IN_OPEN_STATE`.
pub(super) const DEFAULT_WAIT: Span = Span::secs(60);

impl Default for ExponentialWait {
    fn default() -> ExponentialWait {
        ExponentialWait { initial: Span::millis(500), multiplier: 1.5, max: Span::MAX }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        percentage("failure_rate_threshold", self.failure_rate_threshold)?;
        percentage("slow_call_rate_threshold", self.slow_call_rate_threshold)?;
        above_zero("slow_call_duration_threshold", self.slow_call_duration_threshold)?;
        places("sliding_window_size", self.sliding_window_size)?;
        at_least_one("minimum_number_of_calls", self.minimum_number_of_calls)?;
        places(
            "permitted_number_of_calls_in_half_open_state",
            self.permitted_number_of_calls_in_half_open_state,
        )?;
        at_least_a_milli("wait_duration_in_open_state", self.wait_duration_in_open_state)?;
        let Some(ExponentialWait { initial, multiplier, max }) = self.wait_interval_exponential
        else {
            return Ok(());
        };
        if self.wait_duration_in_open_state != DEFAULT_WAIT {
            let found = self.wait_duration_in_open_state;
            let allowed = "left out where wait_interval_exponential is given";
            return Err(OutOfRange::new("wait_duration_in_open_state", found, allowed));
        }
        at_least_a_milli("wait_interval_exponential.initial", initial)?;
        if !multiplier.is_finite() || multiplier <= 0.0 {
            let field = "wait_interval_exponential.multiplier";
            return Err(OutOfRange::new(field, multiplier, "finite and above 0"));
        }
        if max < initial {
            let allowed = format!("at least the initial wait, {initial}");
            return Err(OutOfRange::new("wait_interval_exponential.max", max, allowed));
        }
        Ok(())
    }
}

fn percentage(field: &'static str, found: f32) -> Result<(), OutOfRange> {
    if found > 0.0 && found <= 100.0 {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, "above 0 and at most 100"))
    }
}

fn places(field: &'static str, found: u32) -> Result<(), OutOfRange> {
    if (1..=WINDOW_MAX).contains(&found) {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, format!("in 1..={WINDOW_MAX}")))
    }
}

fn at_least_a_milli(field: &'static str, found: Span) -> Result<(), OutOfRange> {
    if found < Span::millis(1) {
        Err(OutOfRange::new(field, found, "at least 1ms"))
    } else {
        Ok(())
    }
}
