//! Traces of the breaker of opossum.

use serde_json::{Map, Value, json};
use sim_core::{Span, Time};

use super::{Subject, boxed};
use crate::Reason;
use crate::breaker::opossum::{Config, Counts, Opossum};
use crate::breaker::{Change, Permit};
use crate::conform::driver::{Driver, Outputs};
use crate::conform::options::Options;

pub(in crate::conform) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let default = Config::default();
    // The library's documentation switches the timeout off with `false`, its code with 0.
    let timeout = match options.get("timeout") {
        Some(Value::Bool(false)) => Span::ZERO,
        _ => options.millis("timeout")?.unwrap_or(default.timeout),
    };
    let config = Config {
        timeout,
        error_threshold_percentage: options
            .number("errorThresholdPercentage")?
            .unwrap_or(default.error_threshold_percentage),
        volume_threshold: options.count("volumeThreshold")?.unwrap_or(default.volume_threshold),
        reset_timeout: options.millis("resetTimeout")?.unwrap_or(default.reset_timeout),
        rolling_count_timeout: options
            .millis("rollingCountTimeout")?
            .unwrap_or(default.rolling_count_timeout),
        rolling_count_buckets: options
            .count("rollingCountBuckets")?
            .unwrap_or(default.rolling_count_buckets),
        capacity: options.count("capacity")?,
        allow_warm_up: options.flag("allowWarmUp")?.unwrap_or(default.allow_warm_up),
        enabled: options.flag("enabled")?.unwrap_or(default.enabled),
    };
    // They change what is reported, not what is decided.
    options.flag("rollingPercentilesEnabled")?;
    options.flag("enableSnapshots")?;
    let breaker = Opossum::new(config).map_err(|error| error.to_string())?;
    Ok(boxed(breaker))
}

impl Subject for Opossum {
    /// An open breaker and one that waits for its test refuse with the same error.
    fn why(&self, reason: Reason) -> Option<&'static str> {
        Some(match reason {
            Reason::BulkheadFull { .. } => "semaphore",
            _ => "open",
        })
    }

    fn counters(&mut self, now: Time, _op: &str) -> Option<Map<String, Value>> {
        let Counts { fires, successes, failures, timeouts, rejects, semaphore_rejections } =
            self.counts(now);
        let counters = [
            ("fires", fires),
            ("ok", successes),
            ("fail", failures),
            ("to", timeouts),
            ("rej", rejects),
            ("sem", semaphore_rejections),
        ];
        Some(counters.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect())
    }

    /// False is left out.
    fn probed(&self) -> Outputs {
        let pending = self.pending_close().then_some(Value::Bool(true));
        vec![("pending_close", pending.unwrap_or(Value::Null))]
    }

    fn call_timeout(&self) -> Option<Span> {
        self.call_timeout()
    }

    fn time_out(&mut self, permit: Permit, now: Time, changes: &mut Vec<Change>) {
        self.settle_timeout(permit, now, changes);
    }
}
