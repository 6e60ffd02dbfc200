//! Job queues: Celery, Sidekiq and Active Job. Nobody notes how long a job takes.

use serde_json::{Value, json};

use super::Waits;
use super::exec::Clock;
use super::plain::{self, Plain, by_outcome};
use crate::Build;
use crate::conform::draws::Draws;
use crate::conform::driver::Driver;
use crate::conform::options::{Options, set};
use crate::retry::{active_job, celery, sidekiq};

/// Plays `retry_exec` of Celery.
pub(crate) fn celery(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = celery::Config::default();
    // A task that calls `self.retry` itself knows no backoff.
    let is_automatic = options.flag("autoretry_for")?.unwrap_or(false);
    let _ = options.flag("dont_autoretry_for")?;
    set(&mut config.max_retries, options.count("max_retries")?.map(Some));
    set(&mut config.default_retry_delay, options.secs("default_retry_delay")?);
    set(&mut config.retry_backoff_max, options.secs("retry_backoff_max")?);
    set(&mut config.retry_jitter, options.flag("retry_jitter")?);
    let backoff = match options.get("retry_backoff") {
        None | Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(1),
        Some(_) => options.number("retry_backoff")?.map(|factor| factor.max(1.0) as u32),
    };
    config.retry_backoff = backoff.filter(|_| is_automatic);
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    let plain = Plain {
        delays: "delays_s",
        length: None,
        permanent: &["ign"],
        result: by_outcome,
        rules: format!("{rules:?}"),
        after: move |attempt, _: &Clock, draws: &mut Draws| {
            rules.after_secs(attempt, &mut || draws.next()).ok()
        },
    };
    plain::driver(plain, options)
}

/// Plays `retry_wait` of Celery.
pub(crate) fn celery_interval(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let factor = options.count("factor")?.unwrap_or(1).into();
    let maximum = options.count("maximum")?.unwrap_or(600).into();
    let full_jitter = options.flag("full_jitter")?.unwrap_or(false);
    let wait = move |attempt: u32, uniform: &mut dyn FnMut() -> f64| {
        json!(celery::backoff_interval(factor, attempt - 1, maximum, full_jitter, uniform))
    };
    Ok(Box::new(Waits { op: "wait", output: "wait_s", wait }))
}

/// Plays `retry_exec` of Sidekiq.
pub(crate) fn sidekiq(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = sidekiq::Config::default();
    set(&mut config.retry, options.count("max_retries")?);
    let is_off = match options.get("retry") {
        None | Some(Value::Bool(true)) => false,
        Some(Value::Bool(false)) => true,
        Some(_) => {
            set(&mut config.retry, options.count("retry")?);
            false
        }
    };
    if is_off {
        config.retry = 0;
    }
    config.retry_in_linear = options.secs("retry_in_linear_s")?;
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    let dead = |outcome: &str, gave_up: bool| match gave_up {
        true => "error:dead".to_owned(),
        false => by_outcome(outcome, gave_up),
    };
    let plain = Plain {
        delays: "delays_s",
        length: None,
        permanent: &["ign"],
        result: if is_off { by_outcome } else { dead },
        rules: format!("{rules:?}"),
        after: move |attempt, _: &Clock, draws: &mut Draws| {
            rules.after_secs(attempt, &mut || draws.next()).ok()
        },
    };
    plain::driver(plain, options)
}

/// Plays `retry_exec` of Active Job.
pub(crate) fn active_job(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = active_job::Config::default();
    set(&mut config.attempts, options.count("attempts")?);
    set(&mut config.jitter, options.number("jitter")?);
    match options.get("wait") {
        Some(Value::String(name)) if name == "exponentially_longer" => {
            config.wait = active_job::Wait::ExponentiallyLonger;
        }
        Some(Value::String(other)) => {
            let known = "a number of seconds, exponentially_longer";
            return Err(format!("config.wait is `{other}`; known: {known}"));
        }
        _ => set(&mut config.wait, options.secs("wait")?.map(active_job::Wait::Fixed)),
    }
    let rules = config.build().map_err(|error| format!("config: {error}"))?;
    let result = |outcome: &str, gave_up: bool| match outcome {
        "ign" => "value:discarded".to_owned(),
        _ => by_outcome(outcome, gave_up),
    };
    let plain = Plain {
        delays: "delays_s",
        length: None,
        permanent: &["ign"],
        result,
        rules: format!("{rules:?}"),
        after: move |attempt, _: &Clock, draws: &mut Draws| {
            rules.after_secs(attempt, &mut || draws.next()).ok()
        },
    };
    plain::driver(plain, options)
}
