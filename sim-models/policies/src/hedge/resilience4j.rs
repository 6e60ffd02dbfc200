//! Resilience4j's hedge: `HedgeConfig`, `HedgeImpl`, `AverageDurationSupplier`.
//!
//! One hedge at most, and the first result is the call's, be it a failure. Nothing under way is
//! stopped. The average counts whole milliseconds and is zero before the first sample.
//!
//! Left out: `concurrentHedges`, a pool of threads that hedges may have to wait for.

use sim_core::Span;

use crate::OutOfRange;

/// The shortest delay that follows from an average; older releases have none.
const SHORTEST: Span = Span::millis(1);
/// A larger window would only cost memory.
const WINDOW_MAX: u32 = 100_000;

/// The hedge's options.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the delay comes from. By default it is given.
    pub duration_supplier: DurationSupplier,
    /// The delay, where it is given. Without a default.
    pub cutoff: Option<Span>,
    /// Whether the factor is a percentage of the average, or milliseconds beyond it. By default
    /// milliseconds.
    pub should_use_factor_as_percentage: bool,
    /// That factor; zero for the average itself. By default 0.
    pub hedge_time_factor: u32,
    /// Whether failures of the first attempt count for the average. By default they do.
    pub should_measure_errors: bool,
    /// How many first attempts the average is of, 1 to 100 000. By default 100.
    pub window_size: u32,
}

/// Where the delay comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum DurationSupplier {
    /// It is `cutoff`.
    Preconfigured,
    /// From the average of what first attempts took.
    AveragePlus,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            duration_supplier: DurationSupplier::Preconfigured,
            cutoff: None,
            should_use_factor_as_percentage: false,
            hedge_time_factor: 0,
            should_measure_errors: true,
            window_size: 100,
        }
    }
}

impl Config {
    /// The average to learn, if there is one.
    pub(super) fn average(&self) -> Result<Option<Average>, OutOfRange> {
        match (self.duration_supplier, self.cutoff) {
            (DurationSupplier::Preconfigured, None) => {
                Err(OutOfRange::new("cutoff", "nothing", "a length of time"))
            }
            (DurationSupplier::Preconfigured, Some(_)) => Ok(None),
            (DurationSupplier::AveragePlus, _) => {
                if !(1..=WINDOW_MAX).contains(&self.window_size) {
                    let allowed = format!("in 1..={WINDOW_MAX}");
                    return Err(OutOfRange::new("window_size", self.window_size, allowed));
                }
                Ok(Some(Average::new(self.window_size)))
            }
        }
    }

    /// The delay for an average.
    pub(super) fn average_plus(&self, average: &Average) -> Span {
        let factor = u64::from(self.hedge_time_factor);
        let average = average.value();
        let delay = match (factor, self.should_use_factor_as_percentage) {
            (0, _) => average,
            (factor, true) => average * factor / 100,
            (factor, false) => average + Span::millis(factor),
        };
        delay.max(SHORTEST)
    }
}

/// The mean of the latest latencies in whole milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Average {
    /// A ring.
    millis: Vec<u64>,
    oldest: usize,
    count: usize,
    sum: u64,
}

impl Average {
    fn new(window: u32) -> Average {
        Average { millis: vec![0; window as usize], oldest: 0, count: 0, sum: 0 }
    }

    pub(super) fn observe(&mut self, latency: Span) {
        // Bounded, so that the sum of a full window stays within 64 bits.
        let millis = latency.as_millis().min(1 << 40);
        let replaced = std::mem::replace(&mut self.millis[self.oldest], millis);
        self.sum = self.sum - replaced + millis;
        self.oldest = (self.oldest + 1) % self.millis.len();
        self.count = (self.count + 1).min(self.millis.len());
    }

    fn value(&self) -> Span {
        Span::millis(self.sum.checked_div(self.count as u64).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_average_is_of_the_latest_and_in_whole_milliseconds(
            window in 1..8u32, micros in vec(0..100_000u64, 0..40),
        ) {
            let mut average = Average::new(window);
            for (n, latency) in micros.iter().enumerate() {
                average.observe(Span::micros(*latency));
                let latest = &micros[(n + 1).saturating_sub(window as usize)..=n];
                let sum: u64 = latest.iter().map(|latency| latency / 1000).sum();
                prop_assert_eq!(average.value(), Span::millis(sum / latest.len() as u64));
            }
        }
    }

    #[test]
    fn the_factor_adds_milliseconds_or_scales() {
        let mut config =
            Config { duration_supplier: DurationSupplier::AveragePlus, ..Config::default() };
        let mut average = config.average().expect("valid").expect("one to learn");
        assert_eq!(config.average_plus(&average), Span::millis(1), "before the first sample");
        average.observe(Span::millis(40));
        assert_eq!(config.average_plus(&average), Span::millis(40));
        config.hedge_time_factor = 150;
        assert_eq!(config.average_plus(&average), Span::millis(190));
        config.should_use_factor_as_percentage = true;
        assert_eq!(config.average_plus(&average), Span::millis(60), "a share of it, not beyond it");
    }

    #[test]
    fn windows_out_of_range_are_refused() {
        for window_size in [0, WINDOW_MAX + 1] {
            let duration_supplier = DurationSupplier::AveragePlus;
            let config = Config { duration_supplier, window_size, ..Config::default() };
            assert_eq!(config.average().map_err(|e| e.field), Err("window_size"));
        }
    }
}
