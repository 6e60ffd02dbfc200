//! The options of each client, in its own words.

use serde_json::Value;
use sim_core::Span;

use super::{Calls, Keys};
use crate::conform::driver::{Driver, millis};
use crate::conform::options::{Options, set};
use crate::family::Build;
use crate::retry::http::{
    NodeCode, aiohttp_retry, axios_retry, azure_core, go_retryablehttp, google_api_core, got, ky,
    openai_python, requests, square_node, stripe_node, stripe_python, undici, urllib3,
};
use crate::{Method, OutOfRange};

type New = Result<Box<dyn Driver>, String>;

fn built<T>(built: Result<T, OutOfRange>) -> Result<T, String> {
    built.map_err(|error| format!("config: {error}"))
}

/// A list of what `read` makes of each text.
fn list<T>(
    options: &Options<'_>,
    name: &str,
    wanted: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<Vec<T>>, String> {
    let Some(value) = options.get(name) else { return Ok(None) };
    let items: Option<Vec<T>> = value.as_array().and_then(|all| all.iter().map(&read).collect());
    items
        .map(Some)
        .ok_or_else(|| format!("config.{name} is {value}; it must be a list of {wanted}"))
}

fn methods(options: &Options<'_>, name: &str) -> Result<Option<Vec<Method>>, String> {
    list(options, name, "methods", |value| value.as_str()?.to_uppercase().parse().ok())
}

fn statuses(options: &Options<'_>, name: &str) -> Result<Option<Vec<u16>>, String> {
    list(options, name, "statuses", |value| u16::try_from(value.as_u64()?).ok())
}

fn codes(options: &Options<'_>) -> Result<Option<Vec<NodeCode>>, String> {
    let code = |value: &Value| serde_json::from_value(value.clone()).ok();
    list(options, "errorCodes", "error codes of Node", code)
}

/// One of the known words.
fn one_of<T: Copy>(
    options: &Options<'_>,
    name: &str,
    known: &[(&str, T)],
) -> Result<Option<T>, String> {
    let Some(word) = options.text(name)? else { return Ok(None) };
    let found = known.iter().find(|(known, _)| *known == word);
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
        format!("config.{name} is `{word}`; known: {}", known.join(", "))
    })
}

/// An option that may be null, which is not the same as absent.
fn nullable<T>(
    options: &Options<'_>,
    name: &str,
    field: &mut Option<T>,
    read: impl Fn(&Options<'_>) -> Result<Option<T>, String>,
) -> Result<(), String> {
    let found = read(options)?;
    if found.is_some() || options.is_given(name) {
        *field = found;
    }
    Ok(())
}

fn limit(options: &Options<'_>, name: &str) -> Result<Option<urllib3::Limit>, String> {
    let Some(value) = options.get(name) else { return Ok(None) };
    let limit = serde_json::from_value(value.clone());
    limit.map(Some).map_err(|error| format!("config.{name} is {value}: {error}"))
}

fn urllib3_options(options: &Options<'_>) -> Result<urllib3::Config, String> {
    let mut config = urllib3::Config::default();
    let counters: [(&str, &mut Option<urllib3::Limit>); 6] = [
        ("total", &mut config.total),
        ("connect", &mut config.connect),
        ("read", &mut config.read),
        ("redirect", &mut config.redirect),
        ("status", &mut config.status),
        ("other", &mut config.other),
    ];
    for (name, field) in counters {
        nullable(options, name, field, |options| limit(options, name))?;
    }
    let allowed = |options: &Options<'_>| methods(options, "allowed_methods");
    nullable(options, "allowed_methods", &mut config.allowed_methods, allowed)?;
    set(&mut config.status_forcelist, statuses(options, "status_forcelist")?);
    set(&mut config.backoff_factor, options.secs("backoff_factor")?);
    set(&mut config.backoff_max, options.secs("backoff_max")?);
    set(&mut config.backoff_jitter, options.secs("backoff_jitter")?);
    set(&mut config.respect_retry_after_header, options.flag("respect_retry_after_header")?);
    set(&mut config.retry_after_max, options.secs("retry_after_max")?);
    set(&mut config.raise_on_status, options.flag("raise_on_status")?);
    Ok(config)
}

pub(crate) fn urllib3(options: &Options<'_>) -> New {
    let config = match options.text("retries")? {
        None => urllib3_options(options)?,
        Some("default") => {
            let total = Some(urllib3::Limit::Times(3));
            urllib3::Config { total, ..urllib3::Config::default() }
        }
        Some(other) => return Err(format!("config.retries is `{other}`; known: default")),
    };
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_s")))
}

pub(crate) fn requests(options: &Options<'_>) -> New {
    // The version of urllib3 underneath says nothing that the options do not say.
    options.get("urllib3");
    let mut config = requests::Config::default();
    let client = match options.get("max_retries") {
        Some(Value::Object(of_urllib3)) => {
            let inner = Options::new(of_urllib3, options.version);
            let retry = urllib3_options(&inner)?;
            inner.all_used()?;
            requests::Config::with_retry(retry)
        }
        _ => {
            set(&mut config.max_retries, options.count("max_retries")?);
            built(config.build())?
        }
    };
    Ok(Box::new(Calls::new(client, config, "delays_s")))
}

pub(crate) fn stripe_python(options: &Options<'_>) -> New {
    use stripe_python::{Config, Entry};
    let mut config = Config::default();
    let entries = [("client", Entry::Client), ("global", Entry::Global)];
    set(&mut config.entry, one_of(options, "entry", &entries)?);
    config.max_network_retries = options.count("max_network_retries")?;
    let mut calls = Calls::new(built(config.build())?, config, "delays_s");
    calls.keys = Keys::Shown;
    calls.with_retries = Some(("max_network_retries", |config, retries| {
        let max_network_retries = Some(retries);
        let config = Config { max_network_retries, ..config.clone() };
        config.build().expect("each number is valid")
    }));
    Ok(Box::new(calls))
}

pub(crate) fn stripe_node(options: &Options<'_>) -> New {
    use stripe_node::Config;
    let mut config = Config::default();
    set(&mut config.max_network_retries, options.count("maxNetworkRetries")?);
    let mut calls = Calls::new(built(config.build())?, config, "delays_ms");
    calls.keys = Keys::Shown;
    calls.with_retries = Some(("maxNetworkRetries", |_, max_network_retries| {
        Config { max_network_retries }.build().expect("each number is valid")
    }));
    Ok(Box::new(calls))
}

pub(crate) fn square_node(options: &Options<'_>) -> New {
    let mut config = square_node::Config::default();
    set(&mut config.max_retries, options.count("maxRetries")?);
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_ms")))
}

pub(crate) fn openai_python(options: &Options<'_>) -> New {
    let mut config = openai_python::Config::default();
    set(&mut config.max_retries, options.count("max_retries")?);
    let mut calls = Calls::new(built(config.build())?, config, "delays_s");
    calls.keys = Keys::Shown;
    Ok(Box::new(calls))
}

pub(crate) fn azure_core(options: &Options<'_>) -> New {
    use azure_core::Mode;
    let mut config = azure_core::Config::default();
    set(&mut config.retry_total, options.count("retry_total")?);
    set(&mut config.retry_connect, options.count("retry_connect")?);
    set(&mut config.retry_read, options.count("retry_read")?);
    set(&mut config.retry_status, options.count("retry_status")?);
    set(&mut config.retry_backoff_factor, options.secs("retry_backoff_factor")?);
    set(&mut config.retry_backoff_max, options.secs("retry_backoff_max")?);
    let modes = [("exponential", Mode::Exponential), ("fixed", Mode::Fixed)];
    set(&mut config.retry_mode, one_of(options, "retry_mode", &modes)?);
    set(&mut config.timeout, options.secs("timeout")?);
    set(&mut config.retry_on_status_codes, statuses(options, "retry_on_status_codes")?);
    set(&mut config.retry_on_methods, methods(options, "retry_on_methods")?);
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_s")))
}

pub(crate) fn google_api_core(options: &Options<'_>) -> New {
    let mut config = google_api_core::Config::default();
    set(&mut config.initial, options.secs("initial")?);
    set(&mut config.maximum, options.secs("maximum")?);
    set(&mut config.multiplier, options.number("multiplier")?);
    nullable(options, "timeout", &mut config.timeout, |options| options.secs("timeout"))?;
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_s")))
}

pub(crate) fn aiohttp_retry(options: &Options<'_>) -> New {
    use aiohttp_retry::{
        Config, Exception, Exponential, Fibonacci, Jitter, Options as Kind, Random,
    };
    let kind = match options.text("options")?.unwrap_or("ExponentialRetry") {
        "ExponentialRetry" => {
            let mut kind = Exponential::default();
            set(&mut kind.start_timeout, options.secs("start_timeout")?);
            set(&mut kind.max_timeout, options.secs("max_timeout")?);
            set(&mut kind.factor, options.number("factor")?);
            Kind::ExponentialRetry(kind)
        }
        "JitterRetry" => {
            let mut kind = Jitter::default();
            set(&mut kind.start_timeout, options.secs("start_timeout")?);
            set(&mut kind.max_timeout, options.secs("max_timeout")?);
            set(&mut kind.factor, options.number("factor")?);
            set(&mut kind.random_interval_size, options.number("random_interval_size")?);
            Kind::JitterRetry(kind)
        }
        "RandomRetry" => {
            let mut kind = Random::default();
            set(&mut kind.min_timeout, options.secs("min_timeout")?);
            set(&mut kind.max_timeout, options.secs("max_timeout")?);
            Kind::RandomRetry(kind)
        }
        "FibonacciRetry" => {
            let mut kind = Fibonacci::default();
            set(&mut kind.multiplier, options.number("multiplier")?);
            set(&mut kind.max_timeout, options.secs("max_timeout")?);
            Kind::FibonacciRetry(kind)
        }
        "ListRetry" => {
            let secs = |value: &Value| value.as_f64().and_then(|secs| millis(secs * 1000.0));
            let timeouts: Option<Vec<Span>> =
                list(options, "timeouts", "lengths of time in seconds", secs)?;
            Kind::ListRetry(timeouts.ok_or("config.timeouts is missing")?)
        }
        other => {
            return Err(format!(
                "config.options is `{other}`; known: ExponentialRetry, JitterRetry, RandomRetry, \
                 FibonacciRetry, ListRetry"
            ));
        }
    };
    let mut config = Config { options: kind, ..Config::default() };
    set(&mut config.attempts, options.count("attempts")?);
    set(&mut config.methods, methods(options, "methods")?);
    set(&mut config.statuses, statuses(options, "statuses")?);
    set(&mut config.retry_all_server_errors, options.flag("retry_all_server_errors")?);
    let exception = |value: &Value| match value.as_str()? {
        "ClientError" => Some(Exception::ClientError),
        "TimeoutError" => Some(Exception::TimeoutError),
        "Exception" => Some(Exception::Exception),
        _ => None,
    };
    let wanted = "the exceptions ClientError, TimeoutError, Exception";
    set(&mut config.exceptions, list(options, "exceptions", wanted, exception)?);
    set(&mut config.raise_for_status, options.flag("raise_for_status")?);
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_s")))
}

pub(crate) fn axios_retry(options: &Options<'_>) -> New {
    use axios_retry::{Condition, Delay};
    // The version of axios underneath says nothing that the options do not say.
    options.get("axios");
    let mut config = axios_retry::Config::default();
    set(&mut config.retries, options.count("retries")?);
    let delays = [
        ("noDelay", Delay::NoDelay),
        ("exponentialDelay", Delay::ExponentialDelay),
        ("linearDelay", Delay::LinearDelay),
    ];
    set(&mut config.retry_delay, one_of(options, "retryDelay", &delays)?);
    set(&mut config.delay_factor, options.millis("delayFactor")?);
    let conditions = [
        ("isNetworkOrIdempotentRequestError", Condition::NetworkOrIdempotentRequestError),
        ("isNetworkError", Condition::NetworkError),
        ("isRetryableError", Condition::RetryableError),
        ("isSafeRequestError", Condition::SafeRequestError),
    ];
    set(&mut config.retry_condition, one_of(options, "retryCondition", &conditions)?);
    set(&mut config.should_reset_timeout, options.flag("shouldResetTimeout")?);
    // Zero is none.
    config.timeout = options.millis("timeout")?.filter(|timeout| !timeout.is_zero());
    set(&mut config.clarify_timeout_error, options.flag("clarifyTimeoutError")?);
    let mut calls = Calls::new(built(config.build())?, config.clone(), "delays_ms");
    calls.shows_timeouts = config.timeout.is_some();
    Ok(Box::new(calls))
}

pub(crate) fn got(options: &Options<'_>) -> New {
    let mut config = got::Config::default();
    set(&mut config.limit, options.count("limit")?);
    set(&mut config.methods, methods(options, "methods")?);
    set(&mut config.status_codes, statuses(options, "statusCodes")?);
    set(&mut config.error_codes, codes(options)?);
    config.max_retry_after = options.millis("maxRetryAfter")?;
    config.backoff_limit = options.millis("backoffLimit")?;
    set(&mut config.noise, options.number("noise")?);
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_ms")))
}

pub(crate) fn undici(options: &Options<'_>) -> New {
    let mut config = undici::Config::default();
    set(&mut config.max_retries, options.count("maxRetries")?);
    set(&mut config.min_timeout, options.millis("minTimeout")?);
    set(&mut config.max_timeout, options.millis("maxTimeout")?);
    set(&mut config.timeout_factor, options.number("timeoutFactor")?);
    set(&mut config.methods, methods(options, "methods")?);
    set(&mut config.status_codes, statuses(options, "statusCodes")?);
    set(&mut config.error_codes, codes(options)?);
    set(&mut config.throw_on_error, options.flag("throwOnError")?);
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_ms")))
}

pub(crate) fn ky(options: &Options<'_>) -> New {
    let mut config = ky::Config::default();
    set(&mut config.limit, options.count("limit")?);
    set(&mut config.methods, methods(options, "methods")?);
    set(&mut config.status_codes, statuses(options, "statusCodes")?);
    set(&mut config.after_status_codes, statuses(options, "afterStatusCodes")?);
    config.max_retry_after = options.millis("maxRetryAfter")?;
    config.backoff_limit = options.millis("backoffLimit")?;
    set(&mut config.jitter, options.flag("jitter")?);
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_ms")))
}

pub(crate) fn go_retryablehttp(options: &Options<'_>) -> New {
    use go_retryablehttp::Backoff;
    let mut config = go_retryablehttp::Config::default();
    set(&mut config.retry_max, options.count("RetryMax")?);
    set(&mut config.retry_wait_min, options.millis("RetryWaitMinMs")?);
    set(&mut config.retry_wait_max, options.millis("RetryWaitMaxMs")?);
    let backoffs = [
        ("DefaultBackoff", Backoff::DefaultBackoff),
        ("LinearJitterBackoff", Backoff::LinearJitterBackoff),
    ];
    set(&mut config.backoff, one_of(options, "Backoff", &backoffs)?);
    // The second decides as the first does, and says more in its error.
    let policies = [("DefaultRetryPolicy", ()), ("ErrorPropagatedRetryPolicy", ())];
    one_of(options, "CheckRetry", &policies)?;
    let passes = one_of(options, "ErrorHandler", &[("PassthroughErrorHandler", true)])?;
    set(&mut config.passthrough_error_handler, passes);
    Ok(Box::new(Calls::new(built(config.build())?, config, "delays_ns")))
}
