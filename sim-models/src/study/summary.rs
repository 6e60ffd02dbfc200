//! What many runs of one scenario say together.

use crate::outcome::Violation;

use super::estimate::{Estimate, Interval};
use super::metric::Metric;
use super::percentile::LatencySummary;

/// Many runs of one scenario, reduced in the order of their seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Runs that reached their horizon; all figures are of these.
    pub runs: u64,
    /// Runs that a limit ended, which no figure contains.
    pub limited: Option<Limited>,
    /// The metrics that apply, in a fixed order.
    pub measures: Vec<Measure>,
    /// Latencies per actor, clients first.
    pub latencies: Vec<LatencySummary>,
    /// One tally per invariant, in the scenario's order.
    pub invariants: Vec<InvariantTally>,
    /// What became of the runs after their trigger; `None` when the scenario has none.
    pub recovery: Option<RecoveryTally>,
}

/// A metric and its mean over the runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What was measured.
    pub metric: Metric,
    /// Its mean; `None` when no run has a value.
    pub estimate: Option<Estimate>,
}

/// Runs that a limit ended before their horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Limited {
    /// How many.
    pub runs: u64,
    /// The first seed of those.
    pub first_seed: u64,
    /// The limit that it hit, for people.
    pub what: String,
}

/// What became of one invariant over all runs.
#[derive(Clone, Debug, PartialEq)]
pub struct InvariantTally {
    /// As written in the scenario: `ExactlyOnce("charge")`.
    pub name: String,
    /// Listed in the scenario's `breaks`: the scenario is there to show how it is broken.
    pub known: bool,
    /// Runs that were judged.
    pub runs: u64,
    /// Runs in which it was broken.
    pub broken: u64,
    /// Runs in which nothing exercised it.
    pub vacuous: u64,
    /// Where the true share of broken runs among those that exercised it lies, by Wilson; `None`
    /// when none did.
    pub rate: Option<Interval>,
    /// The first seed that broke it, and how.
    pub first: Option<(u64, Violation)>,
}

/// What became of the runs after their trigger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecoveryTally {
    /// Not well before the trigger: they say nothing of recovery.
    pub unhealthy: u64,
    /// Never out of bounds.
    pub undisturbed: u64,
    /// Out of bounds, and back.
    pub recovered: u64,
    /// Still down although the trigger was gone.
    pub metastable: u64,
    /// The horizon came too soon.
    pub undecided: u64,
    /// Where the true share of metastable runs among those that were put to the test lies, by
    /// Wilson; `None` when none was.
    pub metastable_rate: Option<Interval>,
    /// The first seed of a metastable run.
    pub first_metastable: Option<u64>,
}
