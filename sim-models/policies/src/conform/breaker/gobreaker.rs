//! Traces of the breaker of gobreaker.

use serde_json::{Map, Value, json};
use sim_core::Time;

use super::{Subject, boxed};
use crate::Reason;
use crate::breaker::Change;
use crate::breaker::gobreaker::{Config, Gobreaker, ReadyToTrip};
use crate::conform::driver::Driver;
use crate::conform::options::Options;

pub(in crate::conform) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let default = Config::default();
    let config = Config {
        max_requests: options.count("maxRequests")?.unwrap_or(default.max_requests),
        interval: options.millis("intervalMs")?.unwrap_or(default.interval),
        bucket_period: options.millis("bucketPeriodMs")?.unwrap_or(default.bucket_period),
        timeout: options.millis("timeoutMs")?.unwrap_or(default.timeout),
        ready_to_trip: match options.text("trip")? {
            None | Some("default") => default.ready_to_trip,
            Some(rule) => ready_to_trip(rule).ok_or_else(|| {
                format!(
                    "config.trip is `{rule}`; it must be default, consecutive>=N, failures>=N \
                     (or > instead of >=) or ratio>=R,min=N"
                )
            })?,
        },
    };
    let breaker = Gobreaker::new(config).map_err(|error| error.to_string())?;
    Ok(boxed(breaker))
}

/// Reads a rule such as `ratio>=0.5,min=6`.
fn ready_to_trip(rule: &str) -> Option<ReadyToTrip> {
    let (rule, min_requests) = match rule.split_once(',') {
        Some((rule, min)) => (rule, Some(min.trim().strip_prefix("min=")?.trim().parse().ok()?)),
        None => (rule, None),
    };
    let (count, bound) = rule.split_once('>')?;
    let (bound, above) = match bound.strip_prefix('=') {
        Some(bound) => (bound.trim(), 0),
        None => (bound.trim(), 1),
    };
    match (count.trim(), min_requests) {
        ("consecutive", None) => {
            let n = bound.parse::<u32>().ok()?.checked_add(above)?;
            Some(ReadyToTrip::ConsecutiveFailures(n))
        }
        ("failures", None) => {
            Some(ReadyToTrip::Failures(bound.parse::<u32>().ok()?.checked_add(above)?))
        }
        ("ratio", _) if above == 0 => Some(ReadyToTrip::FailureRatio {
            ratio: bound.parse().ok()?,
            min_requests: min_requests.unwrap_or(0),
        }),
        _ => None,
    }
}

impl Subject for Gobreaker {
    fn why(&self, reason: Reason) -> Option<&'static str> {
        match reason {
            Reason::BreakerProbing => Some("too_many_requests"),
            _ => Some("open"),
        }
    }

    fn counters(&mut self, _now: Time, _op: &str) -> Option<Map<String, Value>> {
        let counts = self.counts();
        let counters = [
            ("req", json!(counts.requests)),
            ("ok", json!(counts.total_successes)),
            ("fail", json!(counts.total_failures)),
            ("excl", json!(counts.total_exclusions)),
            ("cok", json!(counts.consecutive_successes)),
            ("cfail", json!(counts.consecutive_failures)),
        ];
        Some(counters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn probe(&mut self, now: Time, changes: &mut Vec<Change>) {
        self.current_state(now, changes);
    }
}
