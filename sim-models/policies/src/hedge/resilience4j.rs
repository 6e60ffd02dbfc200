//! Resilience4j's hedge: `HedgeConfig`, `HedgeImpl`, `AverageDurationSupplier`.
//!
//! One hedge at most, and the first result is the call's, be it a failure. Nothing under way is
//! stopped. The average counts whole milliseconds and is zero before the first sample.
//!
//! Left out: `concurrentHedges`, a pool of threads that hedges may have to wait for.

use sim_core::Span;

use super::machine::Machine;
use crate::family::Build;
use crate::{Ending, OutOfRange};

/// The shortest delay that follows from an average; older releases have none.
const SHORTEST: Span = Span::millis(1);
/// A larger window would only cost memory.
const WINDOW_MAX: u32 = 100_000;

/// The hedge's options.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Resilience4jHedge")]
#[schemars(example = r#"Resilience4j(duration_supplier: AveragePlus, hedge_time_factor: 20)"#)]
pub struct Config {
    /// Where the delay comes from.
    pub duration_supplier: DurationSupplier,
    /// The delay, where it is given. Without a default.
    pub cutoff: Option<Span>,
    /// Whether the factor is a percentage of the average, or milliseconds beyond it.
    pub should_use_factor_as_percentage: bool,
    /// That factor; zero for the average itself.
    pub hedge_time_factor: u32,
    /// Whether failures of the first attempt count for the average.
    pub should_measure_errors: bool,
    /// How many first attempts the average is of.
    #[schemars(range(min = 1, max = 100000))]
    pub window_size: u32,
}

/// Where the delay comes from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
#[schemars(rename = "Resilience4jHedgeDuration")]
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

/// The hedge, and the average that its delay follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Resilience4j {
    config: Config,
    delay: Delay,
}

#[derive(Clone, Debug, PartialEq)]
enum Delay {
    Cutoff(Span),
    AveragePlus(Average),
}

impl Build for Config {
    type Machine = Resilience4j;

    fn build(&self) -> Result<Resilience4j, OutOfRange> {
        let delay = match (self.duration_supplier, self.cutoff) {
            (DurationSupplier::Preconfigured, None) => {
                return Err(OutOfRange::new("cutoff", "nothing", "a length of time"));
            }
            (DurationSupplier::Preconfigured, Some(cutoff)) => Delay::Cutoff(cutoff),
            (DurationSupplier::AveragePlus, _) => {
                if !(1..=WINDOW_MAX).contains(&self.window_size) {
                    let allowed = format!("in 1..={WINDOW_MAX}");
                    return Err(OutOfRange::new("window_size", self.window_size, allowed));
                }
                Delay::AveragePlus(Average::new(self.window_size))
            }
        };
        Ok(Resilience4j { config: self.clone(), delay })
    }
}

impl Machine for Resilience4j {
    fn max_hedges(&self) -> u32 {
        1
    }

    fn delay(&self) -> Span {
        let average = match &self.delay {
            Delay::Cutoff(cutoff) => return *cutoff,
            Delay::AveragePlus(average) => average.value(),
        };
        let factor = u64::from(self.config.hedge_time_factor);
        let delay = match (factor, self.config.should_use_factor_as_percentage) {
            (0, _) => average,
            (factor, true) => average * factor / 100,
            (factor, false) => average + Span::millis(factor),
        };
        delay.max(SHORTEST)
    }

    fn learns_from(&self, attempt: u32, ending: Ending) -> bool {
        matches!(self.delay, Delay::AveragePlus(_))
            && attempt == 1
            && (ending.is_success() || self.config.should_measure_errors)
    }

    fn observe(&mut self, latency: Span) {
        if let Delay::AveragePlus(average) = &mut self.delay {
            average.observe(latency);
        }
    }
}

/// The mean of the latest latencies in whole milliseconds.
#[derive(Clone, Debug, PartialEq)]
struct Average {
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

    fn observe(&mut self, latency: Span) {
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
        let duration_supplier = DurationSupplier::AveragePlus;
        for (hedge_time_factor, should_use_factor_as_percentage, first, delay) in
            [(0, false, 1, 40), (150, false, 150, 190), (150, true, 1, 60)]
        {
            let config = Config {
                duration_supplier,
                hedge_time_factor,
                should_use_factor_as_percentage,
                ..Config::default()
            };
            let mut hedge = config.build().expect("valid");
            assert_eq!(hedge.delay(), Span::millis(first), "before the first sample");
            hedge.observe(Span::millis(40));
            assert_eq!(hedge.delay(), Span::millis(delay));
        }
    }

    #[test]
    fn the_average_is_that_of_first_attempts() {
        let learns = |duration_supplier, should_measure_errors| {
            let cutoff = Some(Span::millis(9));
            let config =
                Config { duration_supplier, should_measure_errors, cutoff, ..Config::default() };
            let hedge = config.build().expect("valid");
            let of = |attempt| [200, 500].map(|s| hedge.learns_from(attempt, Ending::Status(s)));
            [of(1), of(2), of(3)]
        };
        let (average, given) = (DurationSupplier::AveragePlus, DurationSupplier::Preconfigured);
        assert_eq!(learns(average, true), [[true, true], [false; 2], [false; 2]]);
        assert_eq!(learns(average, false), [[true, false], [false; 2], [false; 2]]);
        assert_eq!(learns(given, true), [[false; 2]; 3], "what is given needs no samples");
    }

    #[test]
    fn windows_out_of_range_are_refused() {
        for window_size in [0, WINDOW_MAX + 1] {
            let duration_supplier = DurationSupplier::AveragePlus;
            let config = Config { duration_supplier, window_size, ..Config::default() };
            assert_eq!(config.build().map_err(|e| e.field), Err("window_size"));
        }
    }
}
