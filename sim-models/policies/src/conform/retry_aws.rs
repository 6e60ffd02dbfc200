//! Traces of botocore's retry modes: whole requests with their quota, single delays, and the rate
//! limiter of the adaptive mode.

use serde_json::{Value, json};
use sim_core::{Span, Time};

use super::driver::{Driver, Event, Outputs, Tolerance};
use super::options::Options;
use crate::aws::{AwsRetry, Base, ClientRateLimiter, Config, Kind, Mode, Service, Version};
use crate::budget;

/// The largest attempt whose power of two is a number: Python fails beyond.
const ATTEMPT_MAX: u64 = 1024;

pub(super) fn standard(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    driver("aws_standard", options)
}

pub(super) fn backoff(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    driver("aws_backoff", options)
}

pub(super) fn legacy(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    driver("aws_legacy", options)
}

pub(super) fn adaptive(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    driver("aws_adaptive", options)
}

fn driver(kind: &str, options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let version = match options.version {
        version if version.starts_with("1.40.") => Version::V1_40,
        version if version.starts_with("1.44.") => Version::V1_44,
        version => return Err(format!("no botocore {version} is known; known: 1.40.0, 1.44.5")),
    };
    let modes: &[(&str, Mode)] = match kind {
        "aws_legacy" => &[("legacy", Mode::Legacy)],
        "aws_adaptive" => &[("adaptive", Mode::Adaptive)],
        _ => &[("standard", Mode::Standard), ("adaptive", Mode::Adaptive)],
    };
    let mode = one_of("mode", options.text("mode")?, modes)?;
    if kind == "aws_adaptive" {
        let limiter = ClientRateLimiter::new();
        return Ok(Box::new(Adaptive { limiter, answered: Time::ZERO }));
    }
    let services = [
        ("dynamodb", Service::Dynamodb),
        ("dynamodb-streams", Service::Dynamodb),
        ("s3", Service::S3),
    ];
    let service_name = match options.text("service_name")? {
        None => Service::Other,
        name => one_of("service_name", name, &services)?,
    };
    let mut config = Config { mode, version, service_name, ..Config::default() };
    match kind {
        "aws_legacy" => {
            config.base = match options.get("base") {
                None => None,
                Some(Value::String(text)) if text == "rand" => Some(Base::Rand),
                Some(base) => {
                    let secs = base.as_f64();
                    Some(Base::Secs(secs.ok_or_else(|| {
                        format!("config.base is {base}; it must be \"rand\" or a number")
                    })?))
                }
            };
            if let Some(factor) = options.number("growth_factor")? {
                config.growth_factor = factor;
            }
        }
        "aws_backoff" => {
            if let Some(longest) = options.secs("max_backoff")? {
                config.max_backoff = longest;
            }
        }
        _ => config.max_attempts = options.count("max_attempts")?,
    }
    let retry = AwsRetry::new(config).map_err(|error| error.to_string())?;
    if kind != "aws_standard" {
        return Ok(Box::new(Delays { retry }));
    }
    let mut quota = budget::aws::Config { version, service_name, ..Default::default() };
    if let Some(capacity) = options.count("initial_capacity")? {
        quota.initial_capacity = capacity;
    }
    let quota = budget::aws::Aws::new(quota).map_err(|error| error.to_string())?;
    Ok(Box::new(Standard { retry, quota }))
}

/// The value that a text names; the first of the known when there is none.
fn one_of<T: Copy>(name: &str, text: Option<&str>, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(known, _)| text.is_none_or(|text| text == *known));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
        let text = text.unwrap_or_default();
        format!("config.{name} is \"{text}\"; it must be one of {}", known.join(", "))
    })
}

/// What an outcome in a trace is to botocore.
fn kind(outcome: &str) -> Result<Kind, String> {
    Ok(match outcome {
        "ok" => Kind::Success,
        "throttle" => Kind::Throttle,
        "timeout" => Kind::Timeout,
        "e500" => Kind::Transient,
        _ => {
            let known = "ok, throttle, timeout, e500";
            return Err(format!("unknown outcome `{outcome}`; known: {known}"));
        }
    })
}

/// Whole requests.
struct Standard {
    retry: AwsRetry,
    quota: budget::aws::Aws,
}

impl Driver for Standard {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "request" {
            return Err(event.unknown_op("request"));
        }
        let outcomes = event.texts("outcomes")?;
        let kinds = outcomes.iter().map(|outcome| kind(outcome)).collect::<Result<Vec<_>, _>>()?;
        let (mut delays, mut after_each) = (Vec::new(), Vec::new());
        let mut acquired = None;
        // When it wants more attempts than were recorded, no number is right.
        let mut attempts = json!(format!("more than {}", kinds.len()));
        for (attempt, kind) in (1..).zip(kinds) {
            if kind == Kind::Success {
                self.quota.release(acquired.unwrap_or(1));
            }
            let again = kind.is_retryable() && attempt < self.retry.max_attempts();
            let taken = if again { self.quota.acquire(kind) } else { None };
            after_each.push(self.quota.available_capacity());
            if taken.is_none() {
                attempts = json!(attempt);
                break;
            }
            acquired = taken;
            // All draws of these traces are one half.
            delays.push(self.retry.delay_seconds(attempt, kind == Kind::Throttle, 0.5));
        }
        let last = after_each.len().checked_sub(1).and_then(|last| outcomes.get(last));
        Ok(vec![
            ("attempts", attempts),
            ("final", json!(last)),
            ("delays_s", json!(delays)),
            ("quota_after_each", json!(after_each)),
            ("quota", json!(self.quota.available_capacity())),
        ])
    }

    fn state(&self) -> String {
        format!("{:?}", self.quota)
    }
}

/// Single delays, of all modes.
struct Delays {
    retry: AwsRetry,
}

impl Driver for Delays {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "delay" {
            return Err(event.unknown_op("delay"));
        }
        let attempt = event.count("attempt")?;
        if !(1..=ATTEMPT_MAX).contains(&attempt) {
            return Err(format!("`attempt` is {attempt}; it must be in 1..={ATTEMPT_MAX}"));
        }
        let draw = event.number("draw")?;
        if !(0.0..=1.0).contains(&draw) {
            return Err(format!("`draw` is {draw}; it must be in 0..=1"));
        }
        let kind = match event.fields.contains_key("kind") {
            true => kind(&event.text("kind")?)?,
            false => Kind::Transient,
        };
        let mut delay = self.retry.delay_seconds(attempt as u32, kind == Kind::Throttle, draw);
        if event.fields.contains_key("retry_after_ms") {
            let wish = event.count("retry_after_ms")?;
            delay = self.retry.raised(delay, wish as f64 / 1000.0);
        }
        if !delay.is_finite() {
            return Err(format!("the delay before attempt {attempt} is too long for a number"));
        }
        Ok(vec![("delay_s", json!(delay))])
    }

    fn state(&self) -> String {
        format!("{:?}", self.retry)
    }
}

/// Requests one after the other through the rate limiter.
struct Adaptive {
    limiter: ClientRateLimiter,
    /// When the last answer came.
    answered: Time,
}

impl Driver for Adaptive {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "request" {
            return Err(event.unknown_op("request"));
        }
        let asked = Time::from_nanos(event.count("t_ns")?);
        // `t` is the same in milliseconds, with as many digits as a float has.
        let apart = asked.since(event.at).max(event.at.since(asked));
        if apart > Span::micros(1) {
            return Err(format!("`t` says {} and `t_ns` says {asked}", event.at));
        }
        if asked < self.answered {
            let answered = self.answered;
            return Err(format!("a request at {asked}, before the answer at {answered}"));
        }
        let took = event.millis("dur_ms")?;
        let kind = kind(&event.text("outcome")?)?;
        let sent = asked + self.limiter.acquire(asked);
        self.answered = sent + took;
        self.limiter.responded(self.answered, kind == Kind::Throttle);
        Ok(vec![
            ("sent_ns", json!(sent.as_nanos())),
            ("enabled", json!(self.limiter.enabled())),
            ("fill_rate", json!(self.limiter.fill_rate())),
            ("capacity", json!(self.limiter.capacity())),
            ("max_capacity", json!(self.limiter.max_capacity())),
            ("measured_rate", json!(self.limiter.measured_rate())),
        ])
    }

    fn state(&self) -> String {
        format!("{:?}", self.limiter)
    }

    /// The last bit of a power is each platform's own, and CUBIC feeds it back. What is left in the
    /// bucket after a wait is the difference of two numbers near 1.
    fn tolerance(&self) -> Tolerance {
        Tolerance { relative: 1e-6, absolute: 1e-12 }
    }
}

#[cfg(test)]
mod tests {
    use crate::conform::conform;

    /// The field that differs, `None` when none does, or the error.
    fn replay(kind: &str, config: &str, event: &str) -> Result<Option<String>, String> {
        let text = format!(
            r#"{{"trace":"t","lib":"botocore","version":"1.44.5","kind":"{kind}","config":{config}}}
{{"t":0,{event}}}"#
        );
        let found = conform(&text).map_err(|error| error.to_string())?;
        Ok(found.difference.map(|difference| difference.field))
    }

    #[test]
    fn a_request_passes_only_as_recorded() {
        let replay = |event: &str| replay("aws_standard", r#"{"mode":"standard"}"#, event);
        let rest = r#""delays_s":[0.025],"quota_after_each":[486,500],"quota":500"#;
        let event = |outcomes: &str, attempts: &str| {
            let last = r#""final":"ok""#;
            replay(&format!(
                r#""op":"request","outcomes":{outcomes},"attempts":{attempts},{last},{rest}"#
            ))
        };
        assert_eq!(event(r#"["e500","ok"]"#, "2"), Ok(None));
        assert_eq!(event(r#"["e500","ok"]"#, "3"), Ok(Some("attempts".to_owned())));
        assert_eq!(event(r#"["e500"]"#, "2"), Ok(Some("attempts".to_owned())));
        assert_eq!(event("[]", "1"), Ok(Some("attempts".to_owned())));
        let error = event(r#"["e500","ok","bogus"]"#, "2").expect_err("an unknown outcome");
        assert!(error.contains("unknown outcome `bogus`"), "{error}");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (kind, config, event) in [
            ("aws_standard", r#"{"mode":"legacy"}"#, r#""op":"request""#),
            ("aws_standard", r#"{"max_attempts":0}"#, r#""op":"request""#),
            ("aws_standard", r#"{"service_name":"ec3"}"#, r#""op":"request""#),
            ("aws_standard", r#"{"bogus":1}"#, r#""op":"request""#),
            ("aws_standard", "{}", r#""op":"delay""#),
            ("aws_backoff", "{}", r#""op":"delay","attempt":0,"draw":0.5"#),
            ("aws_backoff", "{}", r#""op":"delay","attempt":1e18,"draw":0.5"#),
            ("aws_backoff", "{}", r#""op":"delay","attempt":1,"draw":-1"#),
            ("aws_legacy", r#"{"base":"rnd"}"#, r#""op":"delay","attempt":1,"draw":0.5"#),
            ("aws_legacy", r#"{"growth_factor":9}"#, r#""op":"delay","attempt":1024,"draw":0.5"#),
            ("aws_adaptive", "{}", r#""op":"request","t_ns":5000,"dur_ms":1,"outcome":"ok""#),
            ("aws_adaptive", "{}", r#""op":"request","t_ns":0,"dur_ms":-1,"outcome":"ok""#),
        ] {
            let found = replay(kind, config, event);
            assert!(found.is_err(), "{kind} {config} {event}: {found:?}");
        }
    }
}
