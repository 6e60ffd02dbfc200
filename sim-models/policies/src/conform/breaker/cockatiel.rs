//! Traces of the breaker of cockatiel.

use serde_json::Value;
use sim_core::Span;

use super::{Subject, boxed};
use crate::Reason;
use crate::breaker::cockatiel::{Cockatiel, Config, HalfOpenAfter, Trip};
use crate::conform::driver::{Driver, millis};
use crate::conform::options::Options;

pub(in crate::conform) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let config = Config { breaker: trip(options)?, half_open_after: half_open_after(options)? };
    let breaker = Cockatiel::new(config).map_err(|error| error.to_string())?;
    Ok(boxed(breaker))
}

/// The `breaker` and its own options; those of the others are not asked for, and so refused.
fn trip(options: &Options<'_>) -> Result<Trip, String> {
    let needed = |name: &str| format!("config.{name} is missing, and the library has no default");
    let share = || options.number("threshold")?.ok_or_else(|| needed("threshold"));
    match options.text("breaker")? {
        Some("consecutive") => {
            Ok(Trip::Consecutive(options.count("threshold")?.ok_or_else(|| needed("threshold"))?))
        }
        Some("count") => Ok(Trip::Count {
            threshold: share()?,
            size: options.count("size")?.ok_or_else(|| needed("size"))?,
            minimum_number_of_calls: options.count("minimumNumberOfCalls")?,
        }),
        Some("sampling") => Ok(Trip::Sampling {
            threshold: share()?,
            duration: options.millis("duration")?.ok_or_else(|| needed("duration"))?,
            minimum_rps: options.number("minimumRps")?,
        }),
        other => Err(format!(
            "config.breaker is {}; it must be consecutive, count or sampling",
            other.unwrap_or("missing")
        )),
    }
}

/// A number of milliseconds, a list of them, or `{"initialDelay":128,"maxDelay":30000}`.
fn half_open_after(options: &Options<'_>) -> Result<HalfOpenAfter, String> {
    let value = options.get("halfOpenAfter");
    let wrong = || {
        format!(
            "config.halfOpenAfter is {}; it must be a length of time in ms, a list of them, or an \
             object with initialDelay and maxDelay",
            value.unwrap_or(&Value::Null)
        )
    };
    let length = |value: &Value| value.as_f64().and_then(millis).ok_or_else(wrong);
    match value {
        Some(value @ Value::Number(_)) => Ok(HalfOpenAfter::Constant(length(value)?)),
        Some(Value::Array(delays)) => {
            Ok(HalfOpenAfter::Iterable(delays.iter().map(length).collect::<Result<_, _>>()?))
        }
        Some(Value::Object(fields)) => {
            let known = ["initialDelay", "maxDelay"];
            if fields.keys().any(|field| !known.contains(&field.as_str())) {
                return Err(wrong());
            }
            let field = |name: &str, default| fields.get(name).map_or(Ok(default), length);
            Ok(HalfOpenAfter::Exponential {
                initial_delay: field("initialDelay", Span::millis(128))?,
                max_delay: field("maxDelay", Span::secs(30))?,
            })
        }
        _ => Err(wrong()),
    }
}

impl Subject for Cockatiel {
    fn why(&self, _reason: Reason) -> Option<&'static str> {
        Some("open")
    }

    /// Each wait is one more promise around the call.
    fn waits_are_nested(&self) -> bool {
        true
    }
}
