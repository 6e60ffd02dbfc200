//! tenacity: single waits, and executions of `Retrying`.

use serde_json::{Map, Value, json};
use sim_core::Span;

use super::exec::{self, Clock, Library, Wait};
use super::{Draws, Waits, either};
use crate::conform::driver::Driver;
use crate::conform::options::Options;
use crate::retry::tenacity::{self, Config, Stop, Tenacity};

/// Plays `retry_wait`.
pub(in crate::conform) fn wait(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let wait = read_wait(options, 0)?;
    wait.check().map_err(|error| format!("config: {error}"))?;
    Ok(Box::new(Waits {
        op: "wait",
        output: "wait_s",
        wait: move |attempt: u32, uniform: &mut dyn FnMut() -> f64| {
            json!(wait.secs(attempt, uniform))
        },
    }))
}

/// Waits within waits, at most.
const DEPTH_MAX: u32 = 8;

fn read_wait(options: &Options<'_>, depth: u32) -> Result<tenacity::Wait, String> {
    let number = |name, default| Ok::<f64, String>(options.number(name)?.unwrap_or(default));
    let secs = |name| options.secs(name);
    // The library's own default is half of the largest integer, longer than any run.
    let longest = || match options.number("max")? {
        Some(max) if max >= 1e9 => Ok(None),
        _ => options.secs("max"),
    };
    let name = options.text("wait")?.unwrap_or("wait_none");
    Ok(match name {
        "none" | "wait_none" => tenacity::Wait::None,
        "wait_fixed" => {
            let wait = secs("wait_s")?;
            tenacity::Wait::Fixed { wait: wait.ok_or("config.wait_s is missing")? }
        }
        "wait_random" => tenacity::Wait::Random {
            min: secs("min")?.unwrap_or_default(),
            max: secs("max")?.unwrap_or(Span::secs(1)),
        },
        "wait_incrementing" => tenacity::Wait::Incrementing {
            start: secs("start")?.unwrap_or_default(),
            increment: secs("increment")?.unwrap_or(Span::secs(100)),
            max: longest()?,
        },
        "wait_exponential" | "wait_random_exponential" => {
            let (multiplier, exp_base) = (number("multiplier", 1.0)?, number("exp_base", 2.0)?);
            let (max, min) = (longest()?, secs("min")?.unwrap_or_default());
            if name == "wait_exponential" {
                tenacity::Wait::Exponential { multiplier, max, exp_base, min }
            } else {
                tenacity::Wait::RandomExponential { multiplier, max, exp_base, min }
            }
        }
        "wait_exponential_jitter" => {
            let (initial, multiplier) = (number("initial", 1.0)?, number("multiplier", 1.0)?);
            if initial != 1.0 && multiplier != 1.0 {
                return Err("config has both initial and multiplier; one is enough".to_owned());
            }
            tenacity::Wait::ExponentialJitter {
                multiplier: initial * multiplier,
                max: longest()?,
                exp_base: number("exp_base", 2.0)?,
                jitter: secs("jitter")?.unwrap_or(Span::secs(1)),
                min: secs("min")?.unwrap_or_default(),
            }
        }
        "wait_chain" | "wait_combine" => {
            let waits = read_waits(options, depth)?;
            if name == "wait_chain" {
                tenacity::Wait::Chain(waits)
            } else {
                tenacity::Wait::Combine(waits)
            }
        }
        _ => {
            return Err(format!(
                "config.wait is `{name}`; known: wait_none, wait_fixed, wait_random, \
                 wait_incrementing, wait_exponential, wait_random_exponential, \
                 wait_exponential_jitter, wait_chain, wait_combine"
            ));
        }
    })
}

/// The parts of a chain or a sum: a list of options, each with its own `wait`.
fn read_waits(options: &Options<'_>, depth: u32) -> Result<Vec<tenacity::Wait>, String> {
    let wanted = "config.strategies must be a list of waits, each with its options";
    if depth == DEPTH_MAX {
        return Err(format!("waits within waits within waits, more than {DEPTH_MAX} deep"));
    }
    let parts = options.get("strategies").and_then(Value::as_array).ok_or(wanted)?;
    let read = |part: &Value| {
        let part: &Map<String, Value> = part.as_object().ok_or(wanted)?;
        let options = Options::new(part, options.version);
        let wait = read_wait(&options, depth + 1)?;
        options.all_used()?;
        Ok(wait)
    };
    parts.iter().map(read).collect()
}

fn read_stop(options: &Options<'_>) -> Result<Stop, String> {
    let attempts = || {
        let attempts = either(|name| options.count(name), ["max_attempts", "max_attempt_number"])?;
        attempts.map(Stop::AfterAttempt).ok_or("config.max_attempts is missing".to_owned())
    };
    let delay = |stop: fn(Span) -> Stop| {
        let delay = either(|name| options.secs(name), ["max_delay_s", "max_delay"])?;
        delay.map(stop).ok_or("config.max_delay_s is missing".to_owned())
    };
    let name = options.text("stop")?.unwrap_or("never");
    Ok(match name {
        "never" | "stop_never" => Stop::Never,
        "attempts" | "attempt" | "stop_after_attempt" => attempts()?,
        "delay" | "after_delay" | "stop_after_delay" => delay(Stop::AfterDelay)?,
        "before" | "before_delay" | "stop_before_delay" => delay(Stop::BeforeDelay)?,
        "any" | "stop_any" => Stop::Any(vec![attempts()?, delay(Stop::AfterDelay)?]),
        "all" | "stop_all" => Stop::All(vec![attempts()?, delay(Stop::AfterDelay)?]),
        _ => {
            return Err(format!(
                "config.stop is `{name}`; known: never, attempts, delay, before_delay, any, all"
            ));
        }
    })
}

/// Plays `retry_exec`.
pub(in crate::conform) fn exec(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    exec::driver(library(options)?, options)
}

fn library(options: &Options<'_>) -> Result<impl Library + use<>, String> {
    let config =
        Config { stop: read_stop(options)?, wait: read_wait(options, 0)?, ..Config::default() };
    let reraise = options.flag("reraise")?.unwrap_or(false);
    let rules = Tenacity::new(&config).map_err(|error| format!("config: {error}"))?;
    Ok(Retrying { rules, reraise })
}

/// `Retrying` with `retry_if_exception_type(Err)`.
struct Retrying {
    rules: Tenacity,
    reraise: bool,
}

impl Library for Retrying {
    fn after(&mut self, attempt: u32, clock: &Clock, draws: &mut Draws) -> Option<Wait> {
        let elapsed = clock.elapsed_secs();
        let secs = self.rules.after_secs(attempt, elapsed, &mut || draws.next()).ok()?;
        Some(Wait { shown: json!(secs), millis: secs * 1000.0 })
    }

    fn delays(&self) -> &'static str {
        "delays_s"
    }

    fn result(&self, outcome: &str, gave_up: bool, _recorded: Option<&Value>) -> String {
        let result = match outcome {
            "ok" => "value:ok",
            "ign" => "error:Ign",
            _ if gave_up && !self.reraise => "error:RetryError",
            _ => "error:Err",
        };
        result.to_owned()
    }

    fn debug(&self) -> String {
        format!("{:?}", self.rules)
    }
}
