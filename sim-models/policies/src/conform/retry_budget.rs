//! Traces of tower's retry budget.

use serde_json::json;

use super::driver::{Driver, Event, Outputs};
use super::options::{Options, set};
use crate::Build;
use crate::budget::tower::{Config, Tower};

struct Budget {
    budget: Tower,
}

pub(super) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = Config::default();
    set(&mut config.ttl, options.millis("ttl_ms")?);
    set(&mut config.min_per_sec, options.count("min_per_sec")?);
    set(&mut config.retry_percent, options.number("retry_percent")?.map(|share| share as f32));
    let budget = config.build().map_err(|error| format!("config: {error}"))?;
    Ok(Box::new(Budget { budget }))
}

impl Driver for Budget {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        let mut outputs = Outputs::new();
        match event.op.as_str() {
            "deposit" => self.budget.deposit(event.at),
            "withdraw" => outputs.push(("allowed", json!(self.budget.try_withdraw(event.at)))),
            _ => return Err(event.unknown_op("deposit, withdraw")),
        }
        outputs.push(("balance", json!(self.budget.balance())));
        Ok(outputs)
    }

    fn state(&self) -> String {
        format!("{:?}", self.budget)
    }
}
