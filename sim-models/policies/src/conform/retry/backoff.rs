//! The Python package backoff: executions under `on_exception`.

use serde_json::{Value, json};
use sim_core::Span;

use super::exec::{self, Clock, Library, Wait};
use crate::Build;
use crate::conform::draws::Draws;
use crate::conform::driver::{Driver, millis};
use crate::conform::options::Options;
use crate::retry::backoff::{Backoff, Config, Jitter, WaitGen};

/// Plays `retry_exec`.
pub(crate) fn exec(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    exec::driver(library(options)?, options)
}

fn library(options: &Options<'_>) -> Result<impl Library + use<>, String> {
    let wait_gen = match options.text("gen")?.unwrap_or("expo") {
        "expo" => WaitGen::Expo {
            base: options.number("base")?.unwrap_or(2.0),
            factor: options.number("factor")?.unwrap_or(1.0),
            max_value: options.secs("max_value")?,
        },
        "fibo" => WaitGen::Fibo { max_value: options.secs("max_value")? },
        "constant" => match options.get("interval") {
            Some(Value::Array(_)) => {
                let list = options.numbers("interval")?.unwrap_or_default();
                let span = |secs: &f64| {
                    let wanted = "it must be a length of time in seconds";
                    millis(secs * 1000.0).ok_or_else(|| format!("an interval is {secs}; {wanted}"))
                };
                WaitGen::Each(list.iter().map(span).collect::<Result<_, _>>()?)
            }
            _ => WaitGen::Constant { interval: options.secs("interval")?.unwrap_or(Span::secs(1)) },
        },
        other => {
            return Err(format!("config.gen is `{other}`; known: expo, fibo, constant"));
        }
    };
    let jitter = match options.text("jitter")?.unwrap_or("full") {
        "full" | "full_jitter" => Jitter::Full,
        "random" | "random_jitter" => Jitter::Random,
        "none" => Jitter::None,
        other => {
            return Err(format!("config.jitter is `{other}`; known: full, random, none"));
        }
    };
    let config = Config {
        wait_gen,
        jitter,
        max_tries: options.count("max_tries")?,
        max_time: options.secs("max_time")?,
        ..Config::default()
    };
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    Ok(OnException { rules })
}

/// `on_exception(Err)`: `ign` is of another class, or a reason to give up.
struct OnException {
    rules: Backoff,
}

impl Library for OnException {
    fn after(&mut self, attempt: u32, clock: &Clock, draws: &mut Draws) -> Option<Wait> {
        let elapsed = clock.elapsed_before_secs();
        let secs = self.rules.after_secs(attempt, elapsed, &mut || draws.next()).ok()?;
        Some(Wait { shown: json!(secs), millis: secs * 1000.0 })
    }

    fn delays(&self) -> &'static str {
        "delays_s"
    }

    fn result(&self, outcome: &str, _gave_up: bool, _recorded: Option<&Value>) -> String {
        let result = match outcome {
            "ok" => "value:ok",
            "ign" => "error:Ign",
            _ => "error:Err",
        };
        result.to_owned()
    }

    fn debug(&self) -> String {
        format!("{:?}", self.rules)
    }
}
