//! The house's own hedging: after a fixed time, or after what most requests take.

use sim_core::Span;

use super::latencies::Latencies;
use super::machine::{Judgement, Machine, statuses};
use crate::family::Build;
use crate::out_of_range::{at_least_one, within};
use crate::{Ending, OutOfRange};

/// When a hedge is sent and what ends the call.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HouseHedge")]
pub struct Config {
    /// After which time without an answer the next attempt is sent.
    pub delay: Delay,
    /// Attempts beside the first.
    #[schemars(range(min = 1))]
    pub max_hedges: u32,
    /// Statuses after which the next hedge is sent at once; others end the call.
    ///
    /// A timeout counts as 504, a connection refused or reset and a rejection by a policy as 503.
    pub non_fatal: Vec<u16>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            delay: Delay::Percentile(Percentile::default()),
            max_hedges: 1,
            non_fatal: vec![502, 503, 504],
        }
    }
}

/// How long to wait for an answer before the next hedge.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[schemars(rename = "HedgeDelay", title = "delay of a hedge")]
pub enum Delay {
    /// Always as long. Zero sends all at once.
    #[schemars(example = r#"Fixed("50ms")"#)]
    Fixed(Span),
    /// As long as most requests take.
    Percentile(Percentile),
}

/// A percentile of the latencies of recent successful attempts, to a 32nd of its value.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Percentile {
    /// Which one; at 95 about one request in twenty is hedged.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub percentile: f64,
    /// Samples without which the fallback holds.
    pub min_samples: u32,
    /// The delay before there are enough samples.
    pub fallback: Span,
    /// How many samples count, up to twice as many.
    #[schemars(range(min = 1))]
    pub window: u32,
}

impl Default for Percentile {
    fn default() -> Percentile {
        Percentile { percentile: 95.0, min_samples: 100, fallback: Span::secs(1), window: 1000 }
    }
}

/// The delay, and the latencies that it follows.
#[derive(Clone, Debug, PartialEq)]
pub struct House {
    config: Config,
    /// None where the delay is fixed.
    latencies: Option<Latencies>,
}

impl Build for Config {
    type Machine = House;

    fn build(&self) -> Result<House, OutOfRange> {
        at_least_one("max_hedges", self.max_hedges)?;
        statuses("non_fatal", &self.non_fatal)?;
        let latencies = match &self.delay {
            Delay::Fixed(_) => None,
            Delay::Percentile(Percentile { percentile, window, .. }) => {
                within("percentile", *percentile, 0.0, 100.0)?;
                at_least_one("window", *window)?;
                Some(Latencies::new(*percentile, *window))
            }
        };
        Ok(House { config: self.clone(), latencies })
    }
}

impl Machine for House {
    fn max_hedges(&self) -> u32 {
        self.config.max_hedges
    }

    fn delay(&self) -> Span {
        match (&self.config.delay, &self.latencies) {
            (Delay::Fixed(delay), _) => *delay,
            (Delay::Percentile(wanted), Some(latencies))
                if latencies.total() >= u64::from(wanted.min_samples.max(1)) =>
            {
                latencies.estimate()
            }
            (Delay::Percentile(wanted), _) => wanted.fallback,
        }
    }

    fn judge(&self, ending: Ending) -> Judgement {
        Judgement::send_next_after(&self.config.non_fatal, ending)
    }

    fn is_guarded(&self) -> bool {
        true
    }

    fn learns_from(&self, _attempt: u32, ending: Ending) -> bool {
        self.latencies.is_some() && ending.is_success()
    }

    fn observe(&mut self, latency: Span) {
        if let Some(latencies) = &mut self.latencies {
            latencies.observe(latency);
        }
    }
}
