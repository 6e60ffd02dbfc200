//! What a study measures of a scenario and compares.

use std::fmt;

use super::metric::{Better, Kind, Metric, Unit};
use super::percentile::Quantile;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// The share of runs that broke an invariant.
    Broken(String),
    /// The mean of a metric.
    Mean(Metric),
    /// A percentile of an actor's latencies, in milliseconds.
    Percentile(Quantile, String),
}

impl Figure {
    /// In what it is measured.
    pub fn unit(&self) -> Unit {
        match self {
            Figure::Broken(_) => Unit::Share,
            Figure::Mean(metric) => metric.kind.unit(),
            Figure::Percentile(..) => Unit::Millis,
        }
    }

    /// Which way it should go.
    pub fn better(&self) -> Better {
        match self {
            Figure::Mean(metric) => metric.kind.better(),
            Figure::Broken(_) | Figure::Percentile(..) => Better::Lower,
        }
    }

    /// True for what a run has or has not.
    pub(super) fn is_share_of_runs(&self) -> bool {
        match self {
            Figure::Broken(_) => true,
            Figure::Mean(metric) => metric.kind == Kind::Metastable,
            Figure::Percentile(..) => false,
        }
    }
}

/// As it is chosen on the command line: `goodput`, `p99:shoppers`; and `broken:AllAnswered`.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Broken(invariant) => write!(f, "broken:{invariant}"),
            Figure::Mean(metric) => metric.fmt(f),
            Figure::Percentile(quantile, actor) => write!(f, "{}:{actor}", quantile.name()),
        }
    }
}
