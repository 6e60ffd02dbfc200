//! Traces of concurrency limits: the limit after each call that it hears of.

use serde_json::{Value, json};
use sim_core::Span;

use super::driver::{Driver, Event, Outputs, wrong};
use super::options::Options;
use crate::concurrency::{
    AdaptiveLimit, LimitConfig, Machine, Measured, aimd, gradient2, vegas, window, windowed,
};

/// Longer calls are refused, so that no sum of them leaves the range of whole numbers.
const RTT_MAX: u64 = 1 << 50;

struct LimitDriver {
    limit: AdaptiveLimit,
    /// Calls shorter than this are an error, for the library refuses or is poisoned by them.
    rtt_min: Span,
    /// What Vegas draws, in order and again from the start.
    jitters: Vec<f64>,
    drawn: usize,
}

pub(super) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut jitters = Vec::new();
    let mut rtt_min = Span::nanos(1);
    let algo = options.text("algo")?.ok_or("config.algo is missing")?;
    let mut config = match algo {
        "fixed" => LimitConfig::fixed(options.count("limit")?.ok_or("config.limit is missing")?),
        "aimd" => {
            rtt_min = Span::ZERO;
            LimitConfig::Aimd(aimd_config(options)?)
        }
        "vegas" => {
            jitters = probe_jitters(options)?;
            LimitConfig::Vegas(vegas_config(options)?)
        }
        "gradient2" => LimitConfig::Gradient2(gradient2_config(options)?),
        _ => {
            return Err(format!("unknown algo `{algo}`; known: fixed, aimd, vegas, gradient2"));
        }
    };
    if options.flag("windowed")?.unwrap_or(false) {
        let window = window_config(options)?;
        if !window.min_rtt_threshold.is_zero() {
            rtt_min = Span::ZERO;
        }
        config = LimitConfig::Windowed(windowed::Config { window, limit: Box::new(config) });
    }
    let limit = AdaptiveLimit::new(&config).map_err(|error| error.to_string())?;
    Ok(Box::new(LimitDriver { limit, rtt_min, jitters, drawn: 0 }))
}

/// Overwrites a default with an option that is given.
fn set<T>(field: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *field = value;
    }
}

/// The ceiling, which the library's builders spell in two ways.
fn ceiling(options: &Options<'_>) -> Result<Option<u32>, String> {
    match (options.count("maxLimit")?, options.count("maxConcurrency")?) {
        (Some(_), Some(_)) => Err("config has both maxLimit and maxConcurrency".to_owned()),
        (limit, concurrency) => Ok(limit.or(concurrency)),
    }
}

fn aimd_config(options: &Options<'_>) -> Result<aimd::Config, String> {
    let mut config = aimd::Config::default();
    set(&mut config.initial_limit, options.count("initialLimit")?);
    set(&mut config.min_limit, options.count("minLimit")?);
    set(&mut config.max_limit, ceiling(options)?);
    set(&mut config.backoff_ratio, options.number("backoffRatio")?);
    set(&mut config.timeout, options.millis("timeoutMs")?);
    Ok(config)
}

fn vegas_config(options: &Options<'_>) -> Result<vegas::Config, String> {
    let mut config = vegas::Config::default();
    set(&mut config.initial_limit, options.count("initialLimit")?);
    set(&mut config.max_concurrency, ceiling(options)?);
    set(&mut config.smoothing, options.number("smoothing")?);
    set(&mut config.probe_multiplier, options.count("probeMultiplier")?);
    config.alpha = options.count("alpha")?;
    config.beta = options.count("beta")?;
    // The library's builder takes these two and does nothing with them.
    options.number("tolerance")?;
    options.number("backoffRatio")?;
    Ok(config)
}

fn gradient2_config(options: &Options<'_>) -> Result<gradient2::Config, String> {
    let mut config = gradient2::Config::default();
    set(&mut config.initial_limit, options.count("initialLimit")?);
    set(&mut config.min_limit, options.count("minLimit")?);
    set(&mut config.max_concurrency, ceiling(options)?);
    set(&mut config.smoothing, options.number("smoothing")?);
    set(&mut config.queue_size, options.count("queueSize")?);
    set(&mut config.rtt_tolerance, options.number("rttTolerance")?);
    set(&mut config.long_window, options.count("longWindow")?);
    // The library's builder takes these two and does nothing with them.
    options.number("driftMultiplier")?;
    options.number("shortWindow")?;
    Ok(config)
}

fn window_config(options: &Options<'_>) -> Result<window::Config, String> {
    let mut config = window::Config::default();
    set(&mut config.min_window_time, options.millis("minWindowTimeMs")?);
    set(&mut config.max_window_time, options.millis("maxWindowTimeMs")?);
    set(&mut config.window_size, options.count("windowSize")?);
    set(&mut config.min_rtt_threshold, options.millis("minRttThresholdMs")?);
    let micros = options.count("minRttThresholdUs")?;
    set(&mut config.min_rtt_threshold, micros.map(|micros| Span::micros(micros.into())));
    Ok(config)
}

fn probe_jitters(options: &Options<'_>) -> Result<Vec<f64>, String> {
    let jitters = options.numbers("probe_jitter")?.unwrap_or_default();
    if jitters.is_empty() || !jitters.iter().all(|jitter| (0.5..=1.0).contains(jitter)) {
        return Err(format!(
            "config.probe_jitter is {jitters:?}; it must be what Vegas draws, numbers in 0.5..1"
        ));
    }
    Ok(jitters)
}

impl Driver for LimitDriver {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "sample" {
            return Err(event.unknown_op("sample"));
        }
        let nanos = event.count("rtt_ns")?;
        let rtt = Span::nanos(nanos);
        if rtt < self.rtt_min || nanos > RTT_MAX {
            let low = self.rtt_min.as_nanos();
            return Err(format!("`rtt_ns` is {nanos}; it must be in {low}..={RTT_MAX}"));
        }
        let count = event.count("inflight")?;
        // The library doubles it as a 32-bit number.
        let in_flight = u32::try_from(count)
            .ok()
            .filter(|n| *n < 1 << 30)
            .ok_or_else(|| format!("`inflight` is {count}; it must be below 2³⁰"))?;
        let dropped = match event.take("drop") {
            Some(Value::Bool(dropped)) => dropped,
            other => return Err(wrong("drop", other.as_ref(), "true or false")),
        };
        let LimitDriver { limit, jitters, drawn, .. } = self;
        let mut jitter = || {
            // Only Vegas draws, and it has some.
            let jitter = jitters[*drawn % jitters.len()];
            *drawn += 1;
            jitter
        };
        limit.hear(Measured { started: event.at, rtt, in_flight, dropped }, &mut jitter);
        Ok(vec![("limit", json!(limit.limit())), ("estimate", json!(limit.estimate()))])
    }

    fn state(&self) -> String {
        format!("{:?}", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use crate::conform::conform;

    /// What is wrong with a trace of one event.
    fn error(config: &str, event: &str) -> String {
        let header = format!(
            r#"{{"trace":"t","lib":"concurrency-limits","version":"0.5.4",
            "kind":"concurrency_limit","config":{{{config}}}}}"#
        );
        let text = format!("{}\n{{{event}}}", header.replace('\n', ""));
        conform(&text).map(|found| format!("{found:?}")).expect_err("it is wrong").message
    }

    const AIMD: &str = r#""algo":"aimd""#;
    const GRADIENT2: &str = r#""algo":"gradient2""#;
    const FINE: &str =
        r#""t":1,"op":"sample","rtt_ns":5,"inflight":1,"drop":false,"limit":20,"estimate":20"#;

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (config, event, expected) in [
            ("", FINE, "config.algo is missing"),
            (r#""algo":"bbr""#, FINE, "unknown algo `bbr`; known: fixed, aimd, vegas, gradient2"),
            (r#""algo":"aimd","queueSize":3"#, FINE, "unknown option queueSize in config"),
            (r#""algo":"aimd","windowSize":10"#, FINE, "unknown option windowSize in config"),
            (r#""algo":"aimd","maxLimit":9,"maxConcurrency":9"#, FINE, "config has both"),
            (
                r#""algo":"aimd","maxLimit":1000000000000000000"#,
                FINE,
                "config.maxLimit is 1000000000000000000;",
            ),
            (r#""algo":"aimd","backoffRatio":1.5"#, FINE, "backoff_ratio = 1.5; it must be"),
            (r#""algo":"vegas""#, FINE, "config.probe_jitter is []; it must be"),
            (r#""algo":"vegas","probe_jitter":[0.4]"#, FINE, "config.probe_jitter is [0.4];"),
            (AIMD, r#""t":1,"op":"acquire""#, "unknown operation `acquire`; known here: sample"),
            (AIMD, r#""t":1,"op":"sample","rtt_ns":-5"#, "`rtt_ns` is -5; it must be"),
            (AIMD, r#""t":1,"op":"sample","rtt_ns":1e300"#, "`rtt_ns` is 1e"),
            (
                GRADIENT2,
                r#""t":1,"op":"sample","rtt_ns":0,"inflight":1,"drop":false"#,
                "`rtt_ns` is 0; it must be in 1..=",
            ),
            (
                AIMD,
                r#""t":1,"op":"sample","rtt_ns":5,"inflight":1073741824,"drop":false"#,
                "`inflight` is 1073741824; it must be below",
            ),
            (
                AIMD,
                r#""t":1,"op":"sample","rtt_ns":5,"inflight":1,"drop":"no""#,
                r#"`drop` is "no"; it must be true or false"#,
            ),
        ] {
            let found = error(config, event);
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn an_output_that_the_policy_does_not_show_is_a_difference() {
        let header = r#"{"trace":"t","lib":"concurrency-limits","version":"0.5.4","kind":"concurrency_limit","config":{"algo":"aimd"}}"#;
        let found = conform(&format!("{header}\n{{{FINE}}}")).expect("understood");
        assert_eq!(found.difference.map(|difference| difference.field), Some("estimate".into()));
    }
}
