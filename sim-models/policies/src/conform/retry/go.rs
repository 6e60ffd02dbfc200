//! cenkalti/backoff and avast/retry-go.

use super::exec::Clock;
use super::plain::{self, Plain, by_outcome};
use crate::Build;
use crate::conform::draws::Draws;
use crate::conform::driver::Driver;
use crate::conform::options::{Options, set};
use crate::retry::{Rules, avast_retry_go, cenkalti_backoff};

/// Plays `retry_exec` of cenkalti/backoff.
pub(crate) fn cenkalti_backoff(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = cenkalti_backoff::Config::default();
    set(&mut config.initial_interval, options.millis("InitialIntervalMs")?);
    set(&mut config.randomization_factor, options.number("RandomizationFactor")?);
    set(&mut config.multiplier, options.number("Multiplier")?);
    set(&mut config.max_interval, options.millis("MaxIntervalMs")?);
    set(&mut config.max_elapsed_time, options.millis("MaxElapsedTimeMs")?);
    config.max_retries = options.count("MaxRetries")?;
    config.constant = options.millis("ConstantMs")?;
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    let mut memory = rules.start();
    let plain = Plain {
        delays: "delays_ns",
        length: Some("took_ms"),
        permanent: &["permanent"],
        result: by_outcome,
        rules: format!("{rules:?}"),
        after: move |attempt, clock: &Clock, draws: &mut Draws| {
            if attempt == 1 {
                memory = rules.start();
            }
            let elapsed = clock.elapsed_nanos();
            let wait = rules.after_nanos(&mut memory, attempt, elapsed, &mut || draws.next());
            wait.ok().map(|nanos| nanos as f64)
        },
    };
    plain::driver(plain, options)
}

/// Plays `retry_exec` of avast/retry-go.
pub(crate) fn avast_retry_go(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = avast_retry_go::Config::default();
    set(&mut config.attempts, options.count("attempts")?);
    set(&mut config.delay, options.millis("delayMs")?);
    config.delay_type = match options.text("delayType")? {
        None | Some("BackOffDelay") => avast_retry_go::DelayType::BackOffDelay,
        Some("FixedDelay") => avast_retry_go::DelayType::FixedDelay,
        Some(other) => {
            return Err(format!("config.delayType is `{other}`; known: BackOffDelay, FixedDelay"));
        }
    };
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    let plain = Plain {
        delays: "delays_ns",
        length: Some("took_ms"),
        permanent: &["permanent"],
        result: by_outcome,
        rules: format!("{rules:?}"),
        after: move |attempt, _: &Clock, _: &mut Draws| {
            rules.wait(attempt).ok().map(|wait| wait.as_nanos() as f64)
        },
    };
    plain::driver(plain, options)
}
