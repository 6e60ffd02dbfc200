//! Traces of the breaker of pybreaker.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::Subject;
use crate::breaker::pybreaker::{Config, Mode, Pybreaker};
use crate::breaker::{Change, Machine, StateName};
use crate::conform::Outputs;
use crate::conform::options::Options;

struct Replayed {
    breaker: Pybreaker,
    throw_new_error_on_trip: bool,
}

pub(super) fn subject(options: &Options<'_>) -> Result<impl Subject + use<>, String> {
    let default = Config::default();
    let mode = match options.text("mode")? {
        None => default.mode,
        Some("call") => Mode::Call,
        Some("calling") => Mode::Calling,
        Some(other) => return Err(format!("config.mode is {other}; it must be call or calling")),
    };
    let throw_new_error_on_trip =
        options.flag("throw_new_error_on_trip")?.unwrap_or(default.throw_new_error_on_trip);
    let config = Config {
        fail_max: options.count("fail_max")?.unwrap_or(default.fail_max),
        reset_timeout: options.secs("reset_timeout_s")?.unwrap_or(default.reset_timeout),
        success_threshold: options.count("success_threshold")?.unwrap_or(default.success_threshold),
        throw_new_error_on_trip,
        mode,
    };
    let breaker = Pybreaker::new(config).map_err(|error| error.to_string())?;
    Ok(Replayed { breaker, throw_new_error_on_trip })
}

impl Subject for Replayed {
    fn machine(&mut self) -> &mut dyn Machine {
        &mut self.breaker
    }

    fn debug(&self) -> String {
        format!("{:?}", self.breaker)
    }

    fn counters(&mut self, _now: Time, _op: &str) -> Option<Map<String, Value>> {
        let counters =
            [("fail", self.breaker.fail_counter()), ("succ", self.breaker.success_counter())];
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
            _ if opens && self.throw_new_error_on_trip => "CircuitBreakerError",
            _ => "Err",
        };
        vec![("raised", json!(raised))]
    }

    fn why_parked(&self) -> &'static str {
        "waiting_for_lock"
    }
}
