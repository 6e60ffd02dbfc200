//! Traces of the breaker of Hystrix, 1.5.18 and 1.5.13.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed};
use crate::breaker::hystrix::{Config, Hystrix, Version};
use crate::conform::driver::Driver;
use crate::conform::options::{Options, set};

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let version = match options.version {
        "1.5.18" => Version::V1_5_18,
        "1.5.13" => Version::V1_5_13,
        version => return Err(format!("no Hystrix {version}; known: 1.5.18, 1.5.13")),
    };
    // The statistical buckets are shown on dashboards; the breaker has its own, of one health
    // interval each.
    if options.count("rollingBuckets")? == Some(0) {
        return Err("config.rollingBuckets is 0; it must be at least 1".to_owned());
    }
    let mut config = Config { version, ..Config::default() };
    set(&mut config.enabled, options.flag("enabled")?);
    set(&mut config.request_volume_threshold, options.count("requestVolumeThreshold")?);
    set(&mut config.error_threshold_percentage, options.count("errorThresholdPercentage")?);
    set(&mut config.sleep_window, options.millis("sleepWindowMs")?);
    set(&mut config.rolling_stats_time, options.millis("rollingWindowMs")?);
    set(&mut config.health_snapshot_interval, options.millis("healthIntervalMs")?);
    set(&mut config.force_open, options.flag("forceOpen")?);
    set(&mut config.force_closed, options.flag("forceClosed")?);
    boxed(&config)
}

impl Subject for Hystrix {
    fn counters(&mut self, now: Time, _op: &str) -> Option<Map<String, Value>> {
        let health = self.snapshot(now);
        let counters = [
            ("total", json!(health.total)),
            ("err", json!(health.errors)),
            ("pct", json!(health.error_percentage())),
        ];
        Some(counters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}
