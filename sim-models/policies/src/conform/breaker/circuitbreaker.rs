//! Traces of the breaker of circuitbreaker.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed_with, counters, raised};
use crate::Reason;
use crate::breaker::circuitbreaker::{Circuitbreaker, Config};
use crate::breaker::{Change, StateName, Verdict};
use crate::conform::driver::{Driver, Outputs};
use crate::conform::options::{Options, set};

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = Config::default();
    set(&mut config.failure_threshold, options.count("failure_threshold")?);
    set(&mut config.recovery_timeout, options.secs("recovery_timeout")?);
    let ignored = match options.text("expected_exception")? {
        None => Verdict::Failure,
        Some("err") => Verdict::Ignored,
        Some(other) => return Err(format!("config.expected_exception is {other}; known: err")),
    };
    boxed_with(&config, Some(ignored))
}

impl Subject for Circuitbreaker {
    fn shown(&self, now: Time) -> StateName {
        self.state_at(now)
    }

    fn lists_changes(&self) -> bool {
        false
    }

    fn why(&self, _: Reason) -> Option<&'static str> {
        Some("open")
    }

    fn counters(&mut self, _now: Time, _op: &str) -> Option<Map<String, Value>> {
        counters([("fail", self.failure_count())])
    }

    fn extra(&mut self, outcome: &str, _: &[Change]) -> Outputs {
        vec![("raised", json!(raised(outcome)))]
    }
}
