//! Percentiles of all samples of all runs together, never averages of percentiles.

use std::fmt;

use sim_core::Span;

/// What share of the samples lies at or below a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantile {
    /// Half of them.
    P50,
    /// 90 %.
    P90,
    /// 99 %.
    P99,
    /// 99.9 %.
    P999,
}

impl Quantile {
    /// All of them, in order.
    pub const ALL: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999];

    /// The share in thousandths.
    pub fn per_mille(self) -> u64 {
        match self {
            Quantile::P50 => 500,
            Quantile::P90 => 900,
            Quantile::P99 => 990,
            Quantile::P999 => 999,
        }
    }

    /// Its name in JSON and on the command line: `p50`, `p90`, `p99` or `p999`.
    pub fn name(self) -> &'static str {
        match self {
            Quantile::P50 => "p50",
            Quantile::P90 => "p90",
            Quantile::P99 => "p99",
            Quantile::P999 => "p999",
        }
    }
}

/// As people write it: `p99.9`.
impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Quantile::P999 => "p99.9",
            other => other.name(),
        })
    }
}

/// One percentile of the merged samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentile {
    /// Which one.
    pub quantile: Quantile,
    /// Its value, within 0.1 %.
    pub value: Span,
    /// Where the true one begins; `None` where too few runs or samples tell.
    pub low: Option<Span>,
    /// Where it ends; likewise, and `None` also where it may lie beyond all that was seen.
    pub high: Option<Span>,
}

/// The latencies of one actor over all runs.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencySummary {
    /// The actor.
    pub actor: String,
    /// `client`, `service`, `kv`, `broker` or the name of a custom kind.
    pub kind: String,
    /// How many samples all runs have.
    pub samples: u64,
    /// The longest one, exact.
    pub max: Span,
    /// The percentiles, from the lowest to the highest.
    pub percentiles: Vec<Percentile>,
}
