//! Several scenarios on the same seeds: what differs, and whether that is luck.

use std::fmt;

use super::Subject;
use super::estimate::{Estimate, Interval};
use super::metric::{Better, Metric, Unit};
use super::percentile::Quantile;
use super::summary::Summary;

/// Several sides on the same seeds, each against the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The sides; the first one is what the others are compared with.
    pub sides: Vec<Side>,
    /// Seeds in which every side reached its horizon; differences are over these.
    pub pairs: u64,
    /// One line per figure and further side: by figure, then by side.
    pub contrasts: Vec<Contrast>,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The variant, `base`, or a file.
    pub name: String,
    /// What was run.
    pub subject: Subject,
    /// What it found by itself.
    pub summary: Summary,
}

/// A figure of one side against the first side's.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrast {
    /// What is compared.
    pub figure: Figure,
    /// Which side, by its place in [`Comparison::sides`]; never 0.
    pub side: usize,
    /// The figure of the first side, over the pairs.
    pub reference: f64,
    /// The figure of this side, over the pairs.
    pub value: f64,
    /// This side's minus the first side's, seed by seed. For a percentile it is the difference
    /// of the merged percentiles, and there is no deviation.
    pub difference: Estimate,
    /// What that means.
    pub judgement: Judgement,
    /// The share of the difference's variance that pairing saved, against independent seeds:
    /// 0.9 means that a tenth of the runs suffice. Below 0 pairing did harm. `None` where nothing
    /// varies.
    pub saved: Option<f64>,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// The mean of a metric.
    Mean(Metric),
    /// A percentile of an actor's latencies, in milliseconds.
    Percentile(Quantile, String),
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// This side is better than the first.
    Better,
    /// This side is worse than the first.
    Worse,
    /// They differ, and neither way is better.
    Different,
    /// The interval of the difference contains 0.
    NoDifference,
    /// There is no interval.
    Unknown,
}

impl Figure {
    /// In what it is measured.
    pub fn unit(&self) -> Unit {
        match self {
            Figure::Mean(metric) => metric.kind.unit(),
            Figure::Percentile(..) => Unit::Millis,
        }
    }

    /// Which way it should go.
    pub fn better(&self) -> Better {
        match self {
            Figure::Mean(metric) => metric.kind.better(),
            Figure::Percentile(..) => Better::Lower,
        }
    }
}

/// As it is chosen on the command line: `goodput`, `p99:shoppers`.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Mean(metric) => metric.fmt(f),
            Figure::Percentile(quantile, actor) => write!(f, "{}:{actor}", quantile.name()),
        }
    }
}

impl Judgement {
    /// What the interval of a difference means for a figure that is better this way.
    pub fn of(difference: Option<Interval>, better: Better) -> Judgement {
        match difference {
            None => Judgement::Unknown,
            Some(interval) if interval.contains(0.0) => Judgement::NoDifference,
            Some(interval) => match (better, interval.low > 0.0) {
                (Better::Neither, _) => Judgement::Different,
                (Better::Higher, true) | (Better::Lower, false) => Judgement::Better,
                (Better::Higher, false) | (Better::Lower, true) => Judgement::Worse,
            },
        }
    }

    /// Its name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Better => "better",
            Judgement::Worse => "worse",
            Judgement::Different => "different",
            Judgement::NoDifference => "no difference",
            Judgement::Unknown => "unknown",
        }
    }
}
