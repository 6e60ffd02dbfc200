//! Traces of the breaker of pybreaker.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed, counters, opens, raised};
use crate::breaker::Change;
use crate::breaker::pybreaker::{Config, Mode, Pybreaker};
use crate::conform::driver::{Driver, Outputs};
use crate::conform::options::{Options, set};

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = Config::default();
    match options.text("mode")? {
        None => {}
        Some("call") => config.mode = Mode::Call,
        Some("calling") => config.mode = Mode::Calling,
        Some(other) => return Err(format!("config.mode is {other}; it must be call or calling")),
    }
    set(&mut config.fail_max, options.count("fail_max")?);
    set(&mut config.reset_timeout, options.secs("reset_timeout_s")?);
    set(&mut config.success_threshold, options.count("success_threshold")?);
    set(&mut config.throw_new_error_on_trip, options.flag("throw_new_error_on_trip")?);
    boxed(&config)
}

impl Subject for Pybreaker {
    fn counters(&mut self, _now: Time, _op: &str) -> Option<Map<String, Value>> {
        counters([("fail", self.fail_counter()), ("succ", self.success_counter())])
    }

    /// What the caller gets: the call that opens the breaker gets that error in place of its own.
    fn extra(&mut self, outcome: &str, changes: &[Change]) -> Outputs {
        let raised = match outcome {
            "rec_ok" => "value",
            "err" | "bad_result" if opens(changes) && self.throws_new_error_on_trip() => {
                "CircuitBreakerError"
            }
            _ => raised(outcome),
        };
        vec![("raised", json!(raised))]
    }

    fn why_parked(&self) -> &'static str {
        "waiting_for_lock"
    }
}
