//! Failsafe: executions with a `RetryPolicy`.

use serde_json::{Value, json};
use sim_core::Span;

use super::exec::{self, Clock, Library, Wait};
use super::{Draws, either};
use crate::conform::driver::{Driver, millis};
use crate::conform::options::Options;
use crate::retry::failsafe::{Config, Failsafe, Memory, sleep};

/// Plays `retry_exec`.
pub(in crate::conform) fn exec(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    exec::driver(library(options)?, options)
}

fn library(options: &Options<'_>) -> Result<impl Library + use<>, String> {
    let mut config = Config::default();
    match (limit(options, "maxRetries")?, limit(options, "maxAttempts")?) {
        (None, None) => {}
        (Some(retries), None) => config.max_retries = retries,
        (None, Some(-1)) => config.max_retries = -1,
        (None, Some(attempts @ 1..)) => config.max_retries = attempts - 1,
        (None, Some(_)) => {
            return Err("config.maxAttempts is 0; it must be -1 or above zero".to_owned());
        }
        (Some(_), Some(_)) => {
            return Err("config has both maxRetries and maxAttempts; one is enough".to_owned());
        }
    }
    config.max_duration = either(|name| options.millis(name), ["maxDurationMs", "maxDuration"])?;
    config.delay = options.millis("delayMs")?.unwrap_or(Span::ZERO);
    if let Some(backoff) = options.numbers("backoffMs")? {
        match backoff[..] {
            [delay, max_delay] => {
                (config.delay, config.max_delay) = (span(delay)?, Some(span(max_delay)?));
            }
            [delay, max_delay, factor] => {
                (config.delay, config.max_delay) = (span(delay)?, Some(span(max_delay)?));
                config.delay_factor = factor;
            }
            _ => {
                let found = backoff.len();
                return Err(format!(
                    "config.backoffMs has {found} numbers; it must be [delay, maxDelay, factor]"
                ));
            }
        }
    }
    if let Some(range) = options.numbers("delayRangeMs")? {
        let [min, max] = range[..] else {
            return Err("config.delayRangeMs must be [delayMin, delayMax]".to_owned());
        };
        (config.delay_min, config.delay_max) = (Some(span(min)?), Some(span(max)?));
    }
    config.jitter = options.millis("jitterMs")?;
    config.jitter_factor = options.number("jitterFactor")?.unwrap_or(0.0);
    let rules = Failsafe::new(&config).map_err(|error| format!("config: {error}"))?;
    Ok(Policy { rules, memory: Memory::default() })
}

/// A number of attempts or retries, -1 being none.
fn limit(options: &Options<'_>, name: &str) -> Result<Option<i32>, String> {
    let Some(number) = options.number(name)? else { return Ok(None) };
    if number.fract() == 0.0 && (-1.0..=f64::from(i32::MAX)).contains(&number) {
        Ok(Some(number as i32))
    } else {
        Err(format!("config.{name} is {number}; it must be a whole number from -1 on"))
    }
}

fn span(found: f64) -> Result<Span, String> {
    millis(found).ok_or_else(|| format!("a delay is {found}; it must be a length of time in ms"))
}

/// A `RetryPolicy` that handles `err` and no other exception.
struct Policy {
    rules: Failsafe,
    memory: Memory,
}

impl Library for Policy {
    fn start(&mut self) {
        self.memory = Memory::default();
    }

    fn after(&mut self, attempt: u32, clock: &Clock, draws: &mut Draws) -> Option<Wait> {
        let elapsed = clock.elapsed_nanos();
        let uniform = &mut || draws.next();
        let nanos = self.rules.after_nanos(&mut self.memory, attempt, elapsed, uniform).ok()?;
        Some(Wait { shown: json!(nanos), millis: sleep(nanos).as_millis_f64() })
    }

    fn delays(&self) -> &'static str {
        "delays_ns"
    }

    fn result(&self, outcome: &str, _gave_up: bool, _recorded: Option<&Value>) -> String {
        match outcome {
            "ok" => "value:ok".to_owned(),
            exception => format!("error:{exception}"),
        }
    }

    fn debug(&self) -> String {
        format!("{:?}", self.rules)
    }
}
