//! Traces of the breaker of Failsafe.

use serde_json::{Map, Value, json};
use sim_core::{Span, Time};

use super::{Subject, boxed};
use crate::breaker::failsafe::{Config, Failsafe};
use crate::conform::driver::{Driver, millis};
use crate::conform::options::Options;

pub(in crate::conform) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = Config::default();
    if let Some(delay) = options.millis("delayMs")? {
        config.delay = delay;
    }
    // The builder's methods, each with its arguments in their order.
    let mut kinds = 0;
    if let Some((threshold, capacity)) = threshold(options, "failureThreshold")? {
        (config.failure_threshold, config.failure_thresholding_capacity) = (threshold, capacity);
        kinds += 1;
    }
    if let Some(list) = list(options, "failureThresholdTime")? {
        let (threshold, executions, period) = match list[..] {
            [threshold, period] => (threshold, threshold, period),
            [threshold, executions, period] => (threshold, executions, period),
            _ => return Err(wrong(options, "failureThresholdTime", "[failures, period in ms]")),
        };
        config.failure_threshold = number(threshold)?;
        config.failure_execution_threshold = number(executions)?;
        config.failure_thresholding_period = Some(period_of(period)?);
        kinds += 1;
    }
    if let Some(list) = list(options, "failureRateThreshold")? {
        let [rate, executions, period] = list[..] else {
            let wanted = "[percent, executions, period in ms]";
            return Err(wrong(options, "failureRateThreshold", wanted));
        };
        config.failure_rate_threshold = number(rate)?;
        config.failure_execution_threshold = number(executions)?;
        config.failure_thresholding_period = Some(period_of(period)?);
        kinds += 1;
    }
    if let Some((threshold, capacity)) = threshold(options, "successThreshold")? {
        (config.success_threshold, config.success_thresholding_capacity) = (threshold, capacity);
    }
    if kinds > 1 {
        let all = "failureThreshold, failureThresholdTime, failureRateThreshold";
        return Err(format!("{kinds} of {all} in config; there is one"));
    }
    let breaker = Failsafe::new(config).map_err(|error| error.to_string())?;
    Ok(boxed(breaker))
}

/// `n`, or `[n, capacity]`, where none may be zero.
fn threshold(options: &Options<'_>, name: &str) -> Result<Option<(u32, u32)>, String> {
    let both = match options.get(name) {
        None => return Ok(None),
        Some(Value::Array(_)) => match list(options, name)?.as_deref() {
            Some(&[threshold, capacity]) => (number(threshold)?, number(capacity)?),
            _ => return Err(wrong(options, name, "a number or [number, capacity]")),
        },
        Some(_) => {
            let threshold = options.count(name)?.unwrap_or(0);
            (threshold, threshold)
        }
    };
    if both.0 == 0 || both.1 == 0 {
        return Err(wrong(options, name, "at least 1"));
    }
    Ok(Some(both))
}

fn list(options: &Options<'_>, name: &str) -> Result<Option<Vec<f64>>, String> {
    options.numbers(name)
}

fn wrong(options: &Options<'_>, name: &str, wanted: &str) -> String {
    let found = options.get(name).unwrap_or(&Value::Null);
    format!("config.{name} is {found}; it must be {wanted}")
}

/// A whole number from 1 on, as all of the builder's are.
fn number(value: f64) -> Result<u32, String> {
    let whole = value as u32;
    if whole > 0 && f64::from(whole) == value {
        return Ok(whole);
    }
    Err(format!("a threshold is {value}; it must be a whole number from 1 to {}", u32::MAX))
}

fn period_of(value: f64) -> Result<Span, String> {
    millis(value).ok_or_else(|| format!("a period is {value}; it must be a length of time in ms"))
}

impl Subject for Failsafe {
    fn counters(&mut self, now: Time, _op: &str) -> Option<Map<String, Value>> {
        let counts = self.counts();
        let counters = [
            ("n", json!(counts.executions)),
            ("f", json!(counts.failures)),
            ("fr", json!(counts.failure_rate())),
            ("remain_ms", json!(self.remaining_delay(now).as_millis())),
        ];
        Some(counters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}
