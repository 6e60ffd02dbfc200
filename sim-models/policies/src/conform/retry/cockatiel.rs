//! cockatiel: the delays of an `ExponentialBackoff`, one after the other.

use serde_json::{Value, json};
use sim_core::Span;

use crate::Build;
use crate::conform::draws::Draws;
use crate::conform::driver::{Driver, Event, Outputs};
use crate::conform::options::Options;
use crate::retry::cockatiel::{Backoff, Cockatiel, Config, Generator, Memory};

/// Delays in one event where the trace does not say how many.
const RETRIES: usize = 10;

/// Delays in one event, at most.
const RETRIES_MAX: usize = 10_000;

/// Plays `retry_delay_seq`.
pub(crate) fn sequence(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let generator = match options.text("generator")?.unwrap_or("decorrelated") {
        "decorrelated" | "decorrelatedJitterGenerator" => Generator::Decorrelated,
        "full" | "fullJitterGenerator" => Generator::Full,
        "half" | "halfJitterGenerator" => Generator::Half,
        "none" | "noJitterGenerator" => Generator::None,
        other => {
            return Err(format!(
                "config.generator is `{other}`; known: decorrelated, full, half, none"
            ));
        }
    };
    let backoff = Backoff::Exponential {
        generator,
        max_delay: options.millis("maxDelay")?.unwrap_or(Span::secs(30)),
        exponent: options.number("exponent")?.unwrap_or(2.0),
        initial_delay: options.millis("initialDelay")?.unwrap_or(Span::millis(128)),
    };
    let config = Config { backoff, ..Config::default() };
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    Ok(Box::new(Sequence { rules }))
}

struct Sequence {
    rules: Cockatiel,
}

impl Driver for Sequence {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "seq" {
            return Err(event.unknown_op("seq"));
        }
        let draws = event.fields.get("draws").and_then(Value::as_array);
        let has_luck = draws.is_some_and(|draws| !draws.is_empty());
        let mut draws = Draws::of(event)?;
        let recorded = event.fields.get("delays_ms").and_then(Value::as_array).map(Vec::len);
        // Where luck is drawn, the draws tell how many waits there are; elsewhere at least ten.
        let least = if has_luck { 1 } else { RETRIES };
        let retries = recorded.filter(|n| *n >= least).unwrap_or(RETRIES);
        if retries > RETRIES_MAX {
            return Err(format!("{retries} delays in one event; at most {RETRIES_MAX}"));
        }
        let mut memory = Memory::default();
        let delays: Result<Vec<f64>, _> = (1..=retries as u32)
            .map(|n| self.rules.after_millis(&mut memory, n, &mut || draws.next()))
            .collect();
        let delays = delays.map_err(|reason| format!("an unlimited retry gave up: {reason}"))?;
        Ok(vec![draws.output(), ("delays_ms", json!(delays))])
    }

    fn state(&self) -> String {
        format!("{:?}", self.rules)
    }
}
