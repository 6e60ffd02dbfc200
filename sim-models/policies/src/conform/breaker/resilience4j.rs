//! Traces of the breaker of Resilience4j.

use serde_json::{Map, Value, json};
use sim_core::{Span, Time};

use super::{Subject, boxed};
use crate::breaker::Change;
use crate::breaker::resilience4j::{
    Action, Config, ExponentialWait, Resilience4j, SlidingWindowType, StateAfterWait,
};
use crate::conform::driver::{Driver, millis};
use crate::conform::options::Options;

pub(in crate::conform) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let breaker = Resilience4j::new(config(options)?).map_err(|error| error.to_string())?;
    Ok(boxed(breaker))
}

fn config(options: &Options<'_>) -> Result<Config, String> {
    let default = Config::default();
    let sliding_window_type = one_of(
        options,
        "slidingWindowType",
        &[
            ("COUNT_BASED", SlidingWindowType::CountBased),
            ("TIME_BASED", SlidingWindowType::TimeBased),
        ],
    )?;
    let transition_to_state_after_wait_duration = one_of(
        options,
        "transitionToStateAfterWaitDuration",
        &[("OPEN", StateAfterWait::Open), ("CLOSED", StateAfterWait::Closed)],
    )?;
    one_of(options, "initialState", &[("CLOSED", ())])?;
    // Two ways of locking that count alike. Only the window of seconds has another clock where it
    // does not lock, and that clock is in no trace.
    let strategies: &[_] = match sliding_window_type {
        Some(SlidingWindowType::TimeBased) => &[("SYNCHRONIZED", ())],
        _ => &[("SYNCHRONIZED", ()), ("LOCK_FREE", ())],
    };
    one_of(options, "slidingWindowSynchronizationStrategy", strategies)?;
    // How an exception is printed.
    options.flag("writableStackTraceEnabled")?;
    let percent = |name| options.number(name).map(|found| found.map(|percent| percent as f32));
    Ok(Config {
        failure_rate_threshold: percent("failureRateThreshold")?
            .unwrap_or(default.failure_rate_threshold),
        slow_call_rate_threshold: percent("slowCallRateThreshold")?
            .unwrap_or(default.slow_call_rate_threshold),
        slow_call_duration_threshold: options
            .millis("slowCallDurationThresholdMs")?
            .unwrap_or(default.slow_call_duration_threshold),
        sliding_window_type: sliding_window_type.unwrap_or(default.sliding_window_type),
        sliding_window_size: options
            .count("slidingWindowSize")?
            .unwrap_or(default.sliding_window_size),
        minimum_number_of_calls: options
            .count("minimumNumberOfCalls")?
            .unwrap_or(default.minimum_number_of_calls),
        wait_duration_in_open_state: options
            .millis("waitDurationInOpenStateMs")?
            .unwrap_or(default.wait_duration_in_open_state),
        wait_interval_exponential: exponential_wait(options)?,
        automatic_transition_from_open_to_half_open_enabled: options
            .flag("automaticTransitionFromOpenToHalfOpenEnabled")?
            .unwrap_or(default.automatic_transition_from_open_to_half_open_enabled),
        permitted_number_of_calls_in_half_open_state: options
            .count("permittedNumberOfCallsInHalfOpenState")?
            .unwrap_or(default.permitted_number_of_calls_in_half_open_state),
        max_wait_duration_in_half_open_state: options
            .millis("maxWaitDurationInHalfOpenStateMs")?
            .unwrap_or(default.max_wait_duration_in_half_open_state),
        transition_to_state_after_wait_duration: transition_to_state_after_wait_duration
            .unwrap_or(default.transition_to_state_after_wait_duration),
    })
}

/// `[initial ms, multiplier]` or `[initial ms, multiplier, max ms]`.
fn exponential_wait(options: &Options<'_>) -> Result<Option<ExponentialWait>, String> {
    const NAME: &str = "waitIntervalExponential";
    let Some(numbers) = options.numbers(NAME)? else { return Ok(None) };
    let wait = |found: f64| {
        millis(found)
            .ok_or_else(|| format!("config.{NAME} has {found}; it must be a length of time in ms"))
    };
    let (initial, multiplier, max) = match *numbers {
        [initial, multiplier] => (wait(initial)?, multiplier, Span::MAX),
        [initial, multiplier, max] => (wait(initial)?, multiplier, wait(max)?),
        _ => {
            return Err(format!(
                "config.{NAME} has {} numbers; it must be [initial ms, multiplier] or \
                 [initial ms, multiplier, max ms]",
                numbers.len()
            ));
        }
    };
    Ok(Some(ExponentialWait { initial, multiplier, max }))
}

/// The option's value by its name in the library.
fn one_of<T: Copy>(
    options: &Options<'_>,
    name: &str,
    values: &[(&str, T)],
) -> Result<Option<T>, String> {
    let Some(found) = options.text(name)? else { return Ok(None) };
    match values.iter().find(|(value, _)| *value == found) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let known: Vec<&str> = values.iter().map(|(value, _)| *value).collect();
            Err(format!("config.{name} is {found}; known here: {}", known.join(", ")))
        }
    }
}

impl Subject for Resilience4j {
    fn counters(&mut self, now: Time, _op: &str) -> Option<Map<String, Value>> {
        let counters = self.counters(now);
        let fields = [
            ("fr", rate(counters.failure_rate)),
            ("sr", rate(counters.slow_call_rate)),
            ("n", json!(counters.calls)),
            ("f", json!(counters.failed)),
            ("s", json!(counters.slow)),
            ("np", json!(counters.not_permitted)),
        ];
        Some(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn force(&mut self, action: &str, now: Time, changes: &mut Vec<Change>) -> Result<(), String> {
        let action = match action {
            "to_closed" => Action::ToClosed,
            "to_open" => Action::ToOpen,
            "to_half_open" => Action::ToHalfOpen,
            "to_forced_open" => Action::ToForcedOpen,
            "to_disabled" => Action::ToDisabled,
            "to_metrics_only" => Action::ToMetricsOnly,
            "reset" => Action::Reset,
            _ => {
                return Err(format!(
                    "unknown action `{action}`; known: to_closed, to_open, to_half_open, \
                     to_forced_open, to_disabled, to_metrics_only, reset"
                ));
            }
        };
        self.force(action, now, changes).map_err(|error| error.to_string())
    }
}

/// A rate as the library prints it: the shortest decimal that is this 32-bit float, and -1 where
/// there are too few calls.
fn rate(rate: Option<f32>) -> Value {
    rate.map_or(json!(-1), |rate| json!(rate.to_string().parse::<f64>().ok()))
}
