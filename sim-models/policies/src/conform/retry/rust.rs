//! retry-policies and backon, of Rust.

use serde_json::{Value, json};
use sim_core::Span;

use super::exec::Clock;
use super::plain::{self, Plain, by_outcome};
use crate::Build;
use crate::conform::draws::Draws;
use crate::conform::driver::{Driver, Event, Outputs, millis};
use crate::conform::options::{Options, set};
use crate::retry::{Rules, backon, retry_policies};

/// Delays that were recorded of one run, at most.
const DELAYS: usize = 40;

/// Plays `retry_exec` of retry-policies.
pub(crate) fn retry_policies(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = retry_policies::Config {
        max_retries: options.count("max_retries")?,
        total_retry_duration: options.millis("total_retry_duration_ms")?,
        ..Default::default()
    };
    set(&mut config.limit_retries, options.flag("limit_retries")?);
    set(&mut config.base, options.count("base")?);
    if let Some(bounds) = options.numbers("retry_bounds_ms")? {
        let span = |ms: &f64| millis(*ms);
        let Some([low, high]) = bounds
            .iter()
            .map(span)
            .collect::<Option<Vec<_>>>()
            .as_deref()
            .and_then(|bounds| <[Span; 2]>::try_from(bounds).ok())
        else {
            return Err("config.retry_bounds_ms must be two lengths of time in ms".to_owned());
        };
        (config.min_retry_interval, config.max_retry_interval) = (low, high);
    }
    config.jitter = match options.text("jitter")? {
        None | Some("Full") => retry_policies::Jitter::Full,
        Some("Bounded") => retry_policies::Jitter::Bounded,
        Some("None") => retry_policies::Jitter::None,
        Some(other) => {
            return Err(format!("config.jitter is `{other}`; known: None, Full, Bounded"));
        }
    };
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    let plain = Plain {
        delays: "delays_ns",
        length: Some("took_ms"),
        permanent: &["permanent"],
        result: by_outcome,
        rules: format!("{rules:?}"),
        after: move |attempt, clock: &Clock, draws: &mut Draws| {
            let elapsed = Span::nanos(clock.elapsed_nanos().max(0) as u64);
            let wait = rules.wait(attempt, elapsed, &mut || draws.next());
            wait.ok().map(|wait| wait.as_nanos() as f64)
        },
    };
    plain::driver(plain, options)
}

/// Plays `retry_delay_seq` of backon.
pub(crate) fn backon(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let builder = match options.text("builder")? {
        None | Some("exponential") => backon::Builder::Exponential,
        Some("fibonacci") => backon::Builder::Fibonacci,
        Some("constant") => backon::Builder::Constant,
        Some(other) => {
            let known = "exponential, fibonacci, constant";
            return Err(format!("config.builder is `{other}`; known: {known}"));
        }
    };
    let mut config = backon::Config { builder, ..Default::default() };
    set(&mut config.jitter, options.flag("jitter")?);
    set(&mut config.min_delay, options.millis("min_delay_ms")?);
    set(&mut config.max_delay, options.millis("max_delay_ms")?.map(Some));
    set(&mut config.max_times, options.count("max_times")?.map(Some));
    set(&mut config.factor, options.number("factor")?.map(|factor| factor as f32));
    config.total_delay = options.millis("total_delay_ms")?;
    set(&mut config.delay, options.millis("delay_ms")?);
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    Ok(Box::new(Sequence { rules }))
}

struct Sequence {
    rules: backon::Backon,
}

impl Driver for Sequence {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "seq" {
            return Err(event.unknown_op("seq"));
        }
        let mut draws = Draws::of(event)?;
        let mut memory = self.rules.start();
        let next = || self.rules.next_wait(&mut memory, &mut || draws.next() as f32).ok();
        let waits: Vec<Value> = std::iter::from_fn(next)
            .take(DELAYS)
            .map(|wait| json!(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
            .collect();
        Ok(vec![draws.output(), ("delays_ns", Value::Array(waits))])
    }

    fn state(&self) -> String {
        format!("{:?}", self.rules)
    }
}
