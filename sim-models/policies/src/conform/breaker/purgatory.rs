//! Traces of the breaker of purgatory.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed_with, counters, excluded, raised};
use crate::Reason;
use crate::breaker::Change;
use crate::breaker::purgatory::{Config, Purgatory};
use crate::conform::driver::{Driver, Outputs};
use crate::conform::options::{Options, set};

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = Config::default();
    set(&mut config.default_threshold, options.count("default_threshold")?);
    set(&mut config.default_ttl, options.secs("default_ttl")?);
    boxed_with(&config, excluded(options)?)
}

impl Subject for Purgatory {
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
