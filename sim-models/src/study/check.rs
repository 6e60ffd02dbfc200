//! Many seeds of one scenario.

use super::Subject;
use super::summary::Summary;

/// What many runs of a scenario found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was run.
    pub subject: Subject,
    /// Why no more seeds were run.
    pub stop: Stop,
    /// What was found.
    pub summary: Summary,
}

/// Why a check ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// All seeds were run, and no precision was asked for.
    AllSeeds,
    /// The precision was reached.
    Precise {
        /// Of which figure.
        figure: String,
        /// The relative half-width that was asked for.
        wanted: f64,
        /// The relative half-width of the reported interval.
        reached: f64,
    },
    /// All seeds were run, and the precision was not reached.
    Imprecise {
        /// Of which figure.
        figure: String,
        /// The relative half-width that was asked for.
        wanted: f64,
        /// The relative half-width of the reported interval; `None` when there is none.
        reached: Option<f64>,
    },
}
