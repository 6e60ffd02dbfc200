//! Traces of the breaker of pybreaker.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed};
use crate::breaker::pybreaker::{Config, Mode, Pybreaker};
use crate::breaker::{Change, StateName};
use crate::conform::driver::{Driver, Outputs};
use crate::conform::options::Options;

pub(in crate::conform) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let default = Config::default();
    let mode = match options.text("mode")? {
        None => default.mode,
        Some("call") => Mode::Call,
        Some("calling") => Mode::Calling,
        Some(other) => return Err(format!("config.mode is {other}; it must be call or calling")),
    };
    let config = Config {
        fail_max: options.count("fail_max")?.unwrap_or(default.fail_max),
        reset_timeout: options.secs("reset_timeout_s")?.unwrap_or(default.reset_timeout),
        success_threshold: options.count("success_threshold")?.unwrap_or(default.success_threshold),
        throw_new_error_on_trip: options
            .flag("throw_new_error_on_trip")?
            .unwrap_or(default.throw_new_error_on_trip),
        mode,
    };
    let breaker = Pybreaker::new(config).map_err(|error| error.to_string())?;
    Ok(boxed(breaker))
}

impl Subject for Pybreaker {
    fn counters(&mut self, _now: Time, _op: &str) -> Option<Map<String, Value>> {
        let counters = [("fail", self.fail_counter()), ("succ", self.success_counter())];
        Some(counters.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect())
    }

    /// What the caller gets: the call that opens the breaker is told so in place of its own error.
    fn extra(&mut self, outcome: &str, changes: &[Change]) -> Outputs {
        let opens = changes.iter().any(|change| {
            matches!(change, Change::Transition(transition) if transition.to == StateName::Open)
        });
        let raised = match outcome {
            "ok" | "rec_ok" => "value",
            "ign" => "Ign",
            _ if opens && self.throws_new_error_on_trip() => "CircuitBreakerError",
            _ => "Err",
        };
        vec![("raised", json!(raised))]
    }

    fn why_parked(&self) -> &'static str {
        "waiting_for_lock"
    }
}
