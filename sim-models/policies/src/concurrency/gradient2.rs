//! The limit follows the ratio of long-term to present latency.
//!
//! Answers: Vegas' trouble with a shortest time that was luck. The yardstick is a slow average,
//! which moves with the service as its requests change.
//!
//! Invites: an overload that lasts becomes the average, and the limit climbs back while the queue
//! stays. And it hears no losses: a drop counts as any other call, by its latency.
//!
//! Reference: Netflix concurrency-limits 0.5.4, `Gradient2Limit`, `ExpAvgMeasurement`.
//!
//! ```text
//! long      mean of the first 10 samples, then long * (1 - f) + rtt * f, f = 2 / (long_window + 1)
//!           shrinks by a twentieth after each sample that it exceeds twofold
//! gradient  rtt_tolerance * long / rtt, within 0.5..=1
//! limit     limit * (1 - smoothing) + (limit * gradient + queue_size) * smoothing,
//!           within min_limit..=max_concurrency;
//!           as it is when less than half of it was in use
//! ```
//!
//! The estimate is a fraction; the limit is its whole part. It begins at `initial_limit` even
//! where that lies outside its bounds. Where `min_limit` is above `max_concurrency`, the former
//! wins. Left out: `queueSize` as a function. The deprecated `driftMultiplier` and `shortWindow`
//! do nothing in the library and do not exist here.

use sim_core::Span;

use super::machine::{Machine, Measured};
use crate::OutOfRange;
use crate::family::Build;
use crate::out_of_range::{at_least_one, within};

/// Samples whose plain mean begins the long average.
const WARM_UP: u32 = 10;

/// Where the limit begins and how it moves.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Gradient2Limit")]
pub struct Config {
    /// The limit before the first sample.
    #[schemars(range(min = 1))]
    pub initial_limit: u32,
    /// The lowest limit.
    pub min_limit: u32,
    /// The highest limit.
    #[schemars(range(min = 1))]
    pub max_concurrency: u32,
    /// How much of a change is made at once.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub smoothing: f64,
    /// What the limit grows by, before smoothing, while the latency is low.
    pub queue_size: u32,
    /// How many times its average the latency may be before the limit shrinks.
    #[schemars(range(min = 1.0))]
    pub rtt_tolerance: f64,
    /// The long average's window in samples.
    #[schemars(range(min = 1))]
    pub long_window: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            initial_limit: 20,
            min_limit: 20,
            max_concurrency: 200,
            smoothing: 0.2,
            queue_size: 4,
            rtt_tolerance: 1.5,
            long_window: 600,
        }
    }
}

/// A limit that shrinks as far as the latency has grown.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient2 {
    config: Config,
    estimate: f64,
    long: LongAverage,
}

/// A plain mean at first, an exponential one afterwards, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
struct LongAverage {
    value: f64,
    sum: f64,
    count: u32,
}

impl LongAverage {
    fn add(&mut self, sample: f64, window: u32) -> f64 {
        if self.count < WARM_UP {
            self.count += 1;
            self.sum += sample;
            self.value = self.sum / f64::from(self.count);
        } else {
            let factor = 2.0 / (f64::from(window) + 1.0);
            self.value = self.value * (1.0 - factor) + sample * factor;
        }
        self.value
    }
}

impl Gradient2 {
    /// Hears of a call that took `rtt`, above zero, and began as one of `in_flight`, itself
    /// included.
    pub fn sample(&mut self, rtt: Span, in_flight: u32) {
        let Config { smoothing, queue_size, rtt_tolerance, long_window, .. } = self.config;
        let short = rtt.as_nanos() as f64;
        let long = self.long.add(short, long_window);
        if long / short > 2.0 {
            self.long.value *= 0.95;
        }
        if f64::from(in_flight) < self.estimate / 2.0 {
            return;
        }
        // The average of before it was shortened, and the library's order of operations.
        let gradient = (rtt_tolerance * long / short).clamp(0.5, 1.0);
        let target = self.estimate * gradient + f64::from(queue_size);
        let smoothed = self.estimate * (1.0 - smoothing) + target * smoothing;
        let (low, high) = (self.config.min_limit, self.config.max_concurrency);
        self.estimate = smoothed.min(f64::from(high)).max(f64::from(low));
    }
}

impl Build for Config {
    type Machine = Gradient2;

    /// # Errors
    /// When `initial_limit`, `max_concurrency` or `long_window` is zero, `smoothing` lies outside
    /// 0..=1, or `rtt_tolerance` is below 1 or not finite.
    fn build(&self) -> Result<Gradient2, OutOfRange> {
        let config = self.clone();
        at_least_one("initial_limit", config.initial_limit)?;
        at_least_one("max_concurrency", config.max_concurrency)?;
        at_least_one("long_window", config.long_window)?;
        within("smoothing", config.smoothing, 0.0, 1.0)?;
        if !config.rtt_tolerance.is_finite() || config.rtt_tolerance < 1.0 {
            let found = config.rtt_tolerance;
            return Err(OutOfRange::new("rtt_tolerance", found, "finite and at least 1"));
        }
        Ok(Gradient2 {
            estimate: f64::from(config.initial_limit),
            config,
            long: LongAverage { value: 0.0, sum: 0.0, count: 0 },
        })
    }
}

impl Machine for Gradient2 {
    fn hear(&mut self, call: Measured, _jitter: &mut dyn FnMut() -> f64) {
        self.sample(call.rtt, call.in_flight);
    }

    fn limit(&self) -> u32 {
        self.estimate as u32
    }

    fn estimate(&self) -> Option<f64> {
        Some(self.estimate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;

    fn limit_of(config: Config) -> Gradient2 {
        config.build().expect("valid")
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds(
            min_limit in 0..50u32, room in 1..200u32, start in 0.0..=1.0, smoothing in 0.0..=1.0,
            queue_size in 0..20u32, rtt_tolerance in 1.0..3.0, long_window in 1..1000u32,
            samples in vec((1..100_000u64, 0..400u32), 0..100),
        ) {
            let max_concurrency = min_limit + room;
            let initial_limit = (min_limit + (f64::from(room) * start) as u32).max(1);
            let mut limit = limit_of(Config {
                initial_limit, min_limit, max_concurrency, smoothing, queue_size, rtt_tolerance,
                long_window,
            });
            for (nanos, in_flight) in samples {
                let before = limit.estimate;
                limit.sample(Span::nanos(nanos), in_flight);
                prop_assert!((min_limit..=max_concurrency).contains(&limit.limit()), "{limit:?}");
                // One sample takes half at most, and gives no more than the queue's size.
                prop_assert!(limit.estimate >= (before * 0.5).floor());
                prop_assert!(limit.estimate <= before + f64::from(queue_size) + 1e-9);
                if f64::from(in_flight) < before / 2.0 {
                    prop_assert_eq!(limit.estimate, before);
                }
            }
        }

        #[test]
        fn the_long_average_lies_between_the_samples(
            samples in vec(1..1_000_000u64, 1..60), window in 1..100u32,
        ) {
            let mut long = LongAverage { value: 0.0, sum: 0.0, count: 0 };
            let low = *samples.iter().min().expect("one at least") as f64;
            let high = *samples.iter().max().expect("one at least") as f64;
            for &sample in &samples {
                let value = long.add(sample as f64, window);
                prop_assert!(low * (1.0 - 1e-9) <= value && value <= high * (1.0 + 1e-9));
            }
        }
    }

    #[test]
    fn steady_latency_under_load_grows_the_limit_by_a_fifth_of_the_queue() {
        let mut limit = limit_of(Config::default());
        limit.sample(Span::millis(20), 20);
        assert_eq!(limit.estimate, 20.0 * 0.8 + 24.0 * 0.2);
        limit.sample(Span::millis(20), 10);
        assert_eq!(limit.limit(), 20, "20.8, and 10 is less than half of it");
    }

    #[test]
    fn latency_far_above_its_average_takes_a_tenth() {
        let config = Config { initial_limit: 100, min_limit: 1, ..Config::default() };
        let mut limit = limit_of(config);
        for _ in 0..10 {
            limit.sample(Span::millis(10), 0);
        }
        limit.sample(Span::secs(10), 100);
        // Half of the limit plus the queue, by a fifth.
        assert!((limit.estimate - (100.0 * 0.8 + 54.0 * 0.2)).abs() < 1e-9);
    }

    #[test]
    fn an_average_twice_as_long_as_the_present_shrinks_faster() {
        let mut limit = limit_of(Config::default());
        limit.sample(Span::millis(90), 0);
        limit.sample(Span::millis(10), 0);
        assert_eq!(limit.long.value, 50e6 * 0.95);
    }

    #[test]
    fn a_floor_above_the_ceiling_wins() {
        let config = Config { max_concurrency: 15, ..Config::default() };
        let mut limit = limit_of(config);
        limit.sample(Span::millis(10), 20);
        assert_eq!(limit.limit(), 20);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let valid = Config::default();
        all_refused([
            ("initial_limit", Config { initial_limit: 0, ..valid.clone() }),
            ("max_concurrency", Config { max_concurrency: 0, ..valid.clone() }),
            ("long_window", Config { long_window: 0, ..valid.clone() }),
            ("smoothing", Config { smoothing: -0.1, ..valid.clone() }),
            ("rtt_tolerance", Config { rtt_tolerance: 0.9, ..valid.clone() }),
            ("rtt_tolerance", Config { rtt_tolerance: f64::NAN, ..valid.clone() }),
        ]);
    }
}
