//! p-retry and retry, of Node.js.

use serde_json::{Value, json};

use super::plain::{self, Plain, by_outcome};
use crate::Build;
use crate::conform::draws::Draws;
use crate::conform::driver::{Driver, Event, Outputs};
use crate::conform::options::{Options, set};
use crate::retry::{p_retry, retry_npm};

/// Plays `retry_exec` of p-retry.
pub(crate) fn p_retry(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = p_retry::Config::default();
    set(&mut config.retries, options.count("retries")?.map(Some));
    set(&mut config.factor, options.number("factor")?);
    set(&mut config.min_timeout, options.millis("minTimeout")?);
    set(&mut config.max_timeout, options.millis("maxTimeout")?.map(Some));
    set(&mut config.randomize, options.flag("randomize")?);
    set(&mut config.max_retry_time, options.millis("maxRetryTime")?.map(Some));
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    let plain = Plain {
        delays: "delays_ms",
        length: Some("took_ms"),
        permanent: &["abort", "type_error"],
        result: by_outcome,
        rules: format!("{rules:?}"),
        after: move |attempt, clock: &super::exec::Clock, draws: &mut Draws| {
            rules.after_millis(attempt, clock.elapsed_millis(), &mut || draws.next()).ok()
        },
    };
    plain::driver(plain, options)
}

/// Plays `retry_delay_seq` of retry.
pub(crate) fn retry_npm(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = retry_npm::Config::default();
    set(&mut config.retries, options.count("retries")?);
    set(&mut config.factor, options.number("factor")?);
    set(&mut config.min_timeout, options.millis("minTimeout")?);
    set(&mut config.max_timeout, options.millis("maxTimeout")?.map(Some));
    set(&mut config.randomize, options.flag("randomize")?);
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    Ok(Box::new(Timeouts { rules }))
}

struct Timeouts {
    rules: retry_npm::RetryNpm,
}

impl Driver for Timeouts {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "seq" {
            return Err(event.unknown_op("seq"));
        }
        let mut draws = Draws::of(event)?;
        let delays: Vec<Value> =
            self.rules.timeouts_millis(&mut || draws.next()).into_iter().map(Value::from).collect();
        Ok(vec![draws.output(), ("delays_ms", json!(delays))])
    }

    fn state(&self) -> String {
        format!("{:?}", self.rules)
    }
}
