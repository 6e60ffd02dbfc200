//! Traces of the breaker of aiobreaker.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed_with, counters, excluded, opens, raised};
use crate::Reason;
use crate::breaker::Change;
use crate::breaker::aiobreaker::{Aiobreaker, Config};
use crate::conform::driver::{Driver, Outputs};
use crate::conform::options::{Options, set};

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = Config::default();
    set(&mut config.fail_max, options.count("fail_max")?);
    set(&mut config.timeout_duration, options.secs("timeout_duration_s")?);
    boxed_with(&config, excluded(options)?)
}

impl Subject for Aiobreaker {
    fn why(&self, _: Reason) -> Option<&'static str> {
        Some("open")
    }

    fn counters(&mut self, _now: Time, _op: &str) -> Option<Map<String, Value>> {
        counters([("fail", self.fail_counter())])
    }

    /// The call that opens the breaker gets that error in place of its own.
    fn extra(&mut self, outcome: &str, changes: &[Change]) -> Outputs {
        let raised = if opens(changes) { "CircuitBreakerError" } else { raised(outcome) };
        vec![("raised", json!(raised))]
    }
}
