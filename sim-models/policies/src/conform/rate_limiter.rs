//! Traces of rate limiters.
//!
//! A `wait_ns` is 0 when the permits may be used at once, above 0 when they are reserved for later,
//! and −1 when they are refused.

use serde_json::{Value, json};
use sim_core::Span;

use super::driver::{Driver, Event, Outputs};
use super::options::Options;
use crate::Reason;
use crate::rate_limiter::Machine;
use crate::rate_limiter::failsafe::{self, Builder, Failsafe};
use crate::rate_limiter::resilience4j::{self, Resilience4j};

pub(super) fn resilience4j(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = resilience4j::Config::default();
    if let Some(limit) = options.count("limitForPeriod")? {
        config.limit_for_period = limit;
    }
    if let Some(period) = options.millis("limitRefreshPeriodMs")? {
        config.limit_refresh_period = period;
    }
    if let Some(timeout) = options.millis("timeoutDurationMs")? {
        config.timeout_duration = timeout;
    }
    // It shapes the exceptions, not the decisions.
    options.flag("writableStackTraceEnabled")?;
    Ok(Box::new(Resilience4j::new(config).map_err(|e| e.to_string())?))
}

impl Driver for Resilience4j {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        let now = event.at;
        let mut outputs = Vec::new();
        match event.op.as_str() {
            "reserve" => {
                let permits = permits(event, 0)?;
                let wait = self.acquire(now, permits, self.timeout());
                outputs.push(("wait_ns", wait_ns(wait)));
            }
            "drain" => self.drain(now),
            "limit" => {
                let value = event.count("value")?;
                // What is too large for the type is as wrong as what is too large for the library.
                let limit = u32::try_from(value).unwrap_or(u32::MAX);
                self.change_limit(limit).map_err(|e| format!("`value`: {e}"))?;
            }
            "timeout" => {
                self.change_timeout(event.millis("value_ms")?);
                return Ok(outputs);
            }
            "probe" => {
                let until_next = self.until_next(now).map(Span::as_nanos);
                outputs.push(("nanos_to_wait", json!(until_next)));
                outputs.push(("cycle", json!(self.cycle(now))));
            }
            _ => return Err(event.unknown_op("reserve, drain, limit, timeout, probe")),
        }
        outputs.push(("available", json!(self.available(now))));
        Ok(outputs)
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }
}

pub(super) fn failsafe(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let builder = match options.text("type")? {
        Some("smooth") => Builder::Smooth,
        Some("bursty") => Builder::Bursty,
        other => {
            let found = other.unwrap_or("missing");
            return Err(format!("config.type is {found}; it must be smooth or bursty"));
        }
    };
    let max_wait_time = options.millis("maxWaitTimeMs")?.unwrap_or(Span::ZERO);
    let executions = options.count("maxExecutions")?;
    let period = options.millis("periodMs")?;
    let max_rate = options.millis("maxRateMs")?;
    let (max_executions, period) = match (builder, executions, period, max_rate) {
        (_, Some(executions), Some(period), None) => (executions, period),
        (Builder::Smooth, None, None, Some(max_rate)) => (1, max_rate),
        _ => {
            return Err("config must have maxExecutions and periodMs, or, if smooth, maxRateMs \
                        alone"
                .to_owned());
        }
    };
    let config = failsafe::Config { builder, max_executions, period, max_wait_time };
    Ok(Box::new(Failsafe::new(config).map_err(|e| e.to_string())?))
}

impl Driver for Failsafe {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "try" {
            return Err(event.unknown_op("try"));
        }
        let permits = permits(event, 1)?;
        let max_wait = match event.fields.contains_key("max_wait_ms") {
            true => event.millis("max_wait_ms")?,
            false => self.max_wait_time(),
        };
        let wait = self.acquire(event.at, permits, max_wait);
        Ok(vec![("wait_ns", wait_ns(wait))])
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }
}

/// The permits that are asked for: a Java `int`, at least `least`.
fn permits(event: &mut Event, least: u32) -> Result<u32, String> {
    let permits = event.count("permits")?;
    let int = i32::try_from(permits).ok().and_then(|permits| u32::try_from(permits).ok());
    int.filter(|permits| *permits >= least)
        .ok_or_else(|| format!("`permits` is {permits}; it must be in {least}..=2147483647"))
}

fn wait_ns(wait: Result<Span, Reason>) -> Value {
    wait.map_or(json!(-1), |wait| json!(wait.as_nanos()))
}

#[cfg(test)]
mod tests {
    use crate::conform::conform;

    fn trace(lib: &str, config: &str, event: &str) -> String {
        format!(
            "{{\"trace\":\"t\",\"lib\":\"{lib}\",\"version\":\"1\",\"kind\":\"rate_limiter\",\
             \"config\":{config}}}\n{event}\n"
        )
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let smooth = r#"{"type":"smooth","maxExecutions":1,"periodMs":1}"#;
        for (lib, config, event) in [
            ("guava", "{}", r#"{"t":0,"op":"probe"}"#),
            ("resilience4j", r#"{"limitForPeriod":0}"#, r#"{"t":0,"op":"probe"}"#),
            ("resilience4j", r#"{"limitForPeriod":1e18}"#, r#"{"t":0,"op":"probe"}"#),
            ("resilience4j", r#"{"limit":1}"#, r#"{"t":0,"op":"probe"}"#),
            ("resilience4j", r#"{"limitRefreshPeriodMs":-1}"#, r#"{"t":0,"op":"probe"}"#),
            ("resilience4j", "{}", r#"{"t":0,"op":"reserve"}"#),
            ("resilience4j", "{}", r#"{"t":0,"op":"reserve","permits":4294967296}"#),
            ("resilience4j", "{}", r#"{"t":0,"op":"reserve","permits":-1}"#),
            ("resilience4j", "{}", r#"{"t":0,"op":"limit","value":1000000000000000000}"#),
            ("resilience4j", "{}", r#"{"t":0,"op":"timeout","value_ms":-1}"#),
            ("resilience4j", "{}", r#"{"t":0,"op":"acquire","permits":1}"#),
            ("failsafe", "{}", r#"{"t":0,"op":"try","permits":1}"#),
            ("failsafe", r#"{"type":"smooth"}"#, r#"{"t":0,"op":"try","permits":1}"#),
            ("failsafe", r#"{"type":"bursty","maxRateMs":1}"#, r#"{"t":0,"op":"try","permits":1}"#),
            ("failsafe", smooth, r#"{"t":0,"op":"try","permits":0}"#),
            ("failsafe", smooth, r#"{"t":0,"op":"probe"}"#),
        ] {
            let text = trace(lib, config, event);
            assert!(conform(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_ends_of_all_ranges_neither_pass_nor_panic() {
        let long = r#"{"limitForPeriod":2147483647,"limitRefreshPeriodMs":999999999999999}"#;
        let short = r#"{"limitForPeriod":1,"limitRefreshPeriodMs":0.000001}"#;
        let rate = r#"{"type":"bursty","maxExecutions":4294967295,"periodMs":0.000001}"#;
        for (lib, config, event) in [
            ("resilience4j", long, r#"{"t":0,"op":"reserve","permits":2147483647}"#),
            ("resilience4j", short, r#"{"t":999999999999999,"op":"reserve","permits":2147483647}"#),
            ("failsafe", rate, r#"{"t":999999999999999,"op":"try","permits":2147483647}"#),
        ] {
            let text = trace(lib, config, event);
            let replayed = conform(&text).expect("understood");
            assert!(replayed.difference.is_some(), "{text}");
        }
    }

    #[test]
    fn a_difference_shows_what_was_expected() {
        let event = r#"{"t":0,"op":"reserve","permits":51,"wait_ns":501,"available":-1}"#;
        let difference = conform(&trace("resilience4j", "{}", event)).expect("understood");
        let difference = difference.difference.expect("the cycle is 500 ns long");
        assert_eq!((difference.line, difference.field.as_str()), (2, "wait_ns"));
        assert_eq!(difference.found, Some(500.into()));
    }
}
