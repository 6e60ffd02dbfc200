//! Resilience4j: interval functions, and executions of a supplier.

use serde_json::{Value, json};
use sim_core::Span;

use super::exec::{self, Clock, Library, Outcome, Wait};
use super::{Draws, Waits, either};
use crate::conform::driver::Driver;
use crate::conform::options::Options;
use crate::retry::resilience4j::{Config, Interval, IntervalFunction, Resilience4j};

/// Plays `retry_interval`.
pub(in crate::conform) fn interval(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let function = function(options)?;
    let interval = Interval::new(&function).map_err(|error| format!("config: {error}"))?;
    Ok(Box::new(Waits {
        op: "interval",
        output: "delay_ms",
        wait: move |attempt: u32, uniform: &mut dyn FnMut() -> f64| {
            json!(interval.interval_millis(attempt, uniform))
        },
    }))
}

/// The interval function that the options name.
fn function(options: &Options<'_>) -> Result<IntervalFunction, String> {
    let first = either(|name| options.millis(name), ["interval", "initialInterval"])?;
    let first = first.unwrap_or(Span::millis(500));
    let name = options.text("fn")?.unwrap_or("of");
    let exponential = matches!(name, "ofExponentialBackoff" | "ofExponentialRandomBackoff");
    let random = matches!(name, "ofRandomized" | "ofExponentialRandomBackoff");
    // An option that the function has no argument for stays unread, and is refused as unknown.
    let multiplier = if exponential { options.number("multiplier")? } else { None }.unwrap_or(1.5);
    let max_interval = if exponential { options.millis("maxInterval")? } else { None };
    let factor = if random { options.number("randomizationFactor")? } else { None };
    let randomization_factor = factor.unwrap_or(0.5);
    Ok(match name {
        "of" | "ofDefaults" => IntervalFunction::Of { interval: first },
        "ofRandomized" => IntervalFunction::OfRandomized { interval: first, randomization_factor },
        "ofExponentialBackoff" => IntervalFunction::OfExponentialBackoff {
            initial_interval: first,
            multiplier,
            max_interval,
        },
        "ofExponentialRandomBackoff" => IntervalFunction::OfExponentialRandomBackoff {
            initial_interval: first,
            multiplier,
            randomization_factor,
            max_interval,
        },
        _ => {
            return Err(format!(
                "config.fn is `{name}`; known: of, ofDefaults, ofRandomized, \
                 ofExponentialBackoff, ofExponentialRandomBackoff"
            ));
        }
    })
}

/// Plays `retry_exec`.
pub(in crate::conform) fn exec(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    exec::driver(library(options)?, options)
}

fn library(options: &Options<'_>) -> Result<impl Library + use<>, String> {
    let wait = either(|name| options.millis(name), ["waitDurationMs", "waitDuration"])?;
    let mut config = Config::default();
    match wait {
        Some(wait) => config.wait_duration = wait,
        None => config.interval_function = Some(function(options)?),
    }
    config.max_attempts = options.count("maxAttempts")?.unwrap_or(config.max_attempts);
    let fail_after_max_attempts = options.flag("failAfterMaxAttempts")?.unwrap_or(false);
    let rules = Resilience4j::new(&config).map_err(|error| format!("config: {error}"))?;
    Ok(Supplier { rules, max_attempts: config.max_attempts, fail_after_max_attempts })
}

/// A decorated supplier: `err` and `ign` are exceptions, `bad_result` is matched by
/// `retryOnResult`.
struct Supplier {
    rules: Resilience4j,
    max_attempts: u32,
    fail_after_max_attempts: bool,
}

impl Supplier {
    /// True when a bad result at the end becomes an exception.
    fn fails(&self, outcome: &str) -> bool {
        outcome == "bad_result" && self.fail_after_max_attempts
    }
}

impl Library for Supplier {
    fn outcome(&self, outcome: &str) -> Option<Outcome> {
        Some(match outcome {
            "ok" => Outcome::Success,
            "err" | "bad_result" => Outcome::Failure,
            "ign" => Outcome::Permanent,
            _ => return None,
        })
    }

    fn after(&mut self, attempt: u32, _clock: &Clock, draws: &mut Draws) -> Option<Wait> {
        let millis = self.rules.after_millis(attempt, &mut || draws.next()).ok()?;
        Some(Wait { shown: json!(millis), millis: millis as f64 })
    }

    fn delays(&self) -> &'static str {
        "delays_ms"
    }

    fn result(&self, outcome: &str, gave_up: bool, recorded: Option<&Value>) -> String {
        if gave_up && self.fails(outcome) {
            // Recorders may show the exception's class or its message.
            let message = format!("has exhausted all attempts ({})", self.max_attempts);
            return match recorded.and_then(Value::as_str) {
                Some(text)
                    if text.starts_with("error:")
                        && (text.contains("MaxRetriesExceeded") || text.ends_with(&message)) =>
                {
                    text.to_owned()
                }
                _ => "error:MaxRetriesExceededException".to_owned(),
            };
        }
        match outcome {
            "ok" => "value:ok".to_owned(),
            "bad_result" => "value:bad".to_owned(),
            exception => format!("error:{exception}"),
        }
    }

    fn events(&self, attempts: u32, last: &str, meaning: Outcome) -> Vec<&'static str> {
        let mut events = vec!["retry"; attempts as usize - 1];
        match meaning {
            // A success at the first attempt is not worth an event.
            Outcome::Success if attempts == 1 => {}
            Outcome::Success => events.push("success"),
            Outcome::Permanent => events.push("ignored_error"),
            Outcome::Failure => {
                events.push("error");
                if self.fails(last) {
                    // The exception that takes the place of the result passes through the same
                    // handler, and is counted as another failure.
                    events.push("error");
                }
            }
        }
        events
    }

    fn debug(&self) -> String {
        format!("{:?}", self.rules)
    }
}
