//! Traces of the breaker of Hystrix, 1.5.18 and 1.5.13.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed};
use crate::breaker::hystrix::{Config, Hystrix, Version};
use crate::conform::driver::Driver;
use crate::conform::options::Options;

pub(in crate::conform) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
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
    let default = Config::default();
    let config = Config {
        version,
        enabled: options.flag("enabled")?.unwrap_or(default.enabled),
        request_volume_threshold: options
            .count("requestVolumeThreshold")?
            .unwrap_or(default.request_volume_threshold),
        error_threshold_percentage: options
            .count("errorThresholdPercentage")?
            .unwrap_or(default.error_threshold_percentage),
        sleep_window: options.millis("sleepWindowMs")?.unwrap_or(default.sleep_window),
        rolling_stats_time: options
            .millis("rollingWindowMs")?
            .unwrap_or(default.rolling_stats_time),
        health_snapshot_interval: options
            .millis("healthIntervalMs")?
            .unwrap_or(default.health_snapshot_interval),
        force_open: options.flag("forceOpen")?.unwrap_or(default.force_open),
        force_closed: options.flag("forceClosed")?.unwrap_or(default.force_closed),
        // The traces are recorded without one.
        timeout: default.timeout,
    };
    let breaker = Hystrix::new(config).map_err(|error| error.to_string())?;
    Ok(boxed(breaker))
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
