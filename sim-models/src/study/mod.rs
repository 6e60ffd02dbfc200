//! Studies: one scenario on many seeds, and what one run cannot show.
//!
//! [`Check`] replicates a scenario, [`Comparison`] puts several of them on the same seeds, [`Map`]
//! varies two values. All three are made of [`Summary`]s: means over runs with their confidence
//! intervals, percentiles of all samples together, and how often each invariant broke.
//! `docs/STATISTICS.md` says what is measured, and how sure it is.
//!
//! **Invariant:** a study is a function of the scenario, the seeds and the options, and of nothing
//! else. Only whole runs go to other threads, and they are reduced in the order of their seeds, so
//! that the number of threads cannot move a bit.

mod check;
mod compare;
#[cfg(test)]
mod coverage;
mod estimate;
mod map;
mod mark;
mod percentile;
mod replicate;
mod sample;
mod summary;
mod typical;

pub use crate::axis::Axis;
pub use crate::figure::{Better, Figure, Kind, Quantile, Stretch, Unit};
pub use check::{Check, Stop, Until};
pub use compare::{Comparison, Contrast, Judgement, Side};
pub use estimate::{Estimate, Interval, wilson};
pub use map::{Cell, Map, Region};
pub use mark::Mark;
pub use percentile::{Lack, LatencySummary, Percentile};
pub(crate) use replicate::Crew;
pub use replicate::{Misuse, Options};
pub use sample::Reason;
pub use summary::{
    InvariantTally, LeftOut, Limited, Measure, RecoveryTally, Row, Summary, UnwellRuns,
};

pub use typical::Typical;

use std::fmt;

use sim_core::Span;

use crate::Scenario;
use crate::outcome::{RunId, Verdict};

/// What was studied: a scenario and its seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The scenario's `name`.
    pub scenario: String,
    /// The variant, if not the scenario as it stands.
    pub variant: Option<String>,
    /// Names the study; the same id with the same options is the same study, bit for bit.
    pub id: StudyId,
    /// How many seeds were asked for: more than those of the id where somebody called it off.
    pub seeds_asked: u64,
    /// How long a run lasts.
    pub horizon: Span,
    /// What is measured is what arose from then on.
    pub warmup: Span,
    /// For how long who waits at the horizon is waited for.
    pub grace: Span,
    /// The confidence of all intervals, such as 0.95.
    pub confidence: f64,
}

impl Subject {
    /// A scenario of which so many seeds are done, or need not be.
    fn new(scenario: &Scenario, options: &Options<'_>, seeds: u64) -> Subject {
        let first = scenario.run_id(options.first_seed);
        Subject {
            scenario: scenario.name().to_owned(),
            variant: scenario.variant().map(str::to_owned),
            id: StudyId { first, seeds },
            seeds_asked: options.seeds,
            horizon: scenario.horizon(),
            warmup: scenario.warmup(),
            grace: scenario.grace(),
            confidence: options.confidence,
        }
    }

    /// Whether somebody called it off, so that seeds are missing.
    pub fn is_called_off(&self) -> bool {
        self.id.seeds < self.seeds_asked
    }

    /// What its runs say together. A study that was called off keeps nothing: the seeds that are
    /// missing may break what the others kept.
    pub fn verdict(&self, summary: &Summary) -> Verdict {
        match summary.verdict() {
            Verdict::Kept | Verdict::NothingChecked if self.is_called_off() => Verdict::Invalid,
            verdict => verdict,
        }
    }
}

/// The scenarios, whose runs also measure what is asked for.
///
/// # Errors
/// A figure that none of them has.
fn observing<'a>(
    scenarios: impl Iterator<Item = &'a Scenario> + Clone,
    figures: &[Figure],
) -> Result<Vec<Scenario>, Misuse> {
    for figure in figures {
        if !scenarios.clone().any(|scenario| scenario.measures(figure)) {
            let known = scenarios.clone().flat_map(|scenario| scenario.subjects(figure.kind));
            let known = known.collect();
            return Err(Misuse::UnknownFigure { asked: figure.clone(), known });
        }
    }
    Ok(scenarios.map(|scenario| scenario.observing(figures)).collect())
}

/// Names a study, as [`RunId`] names a run: `r1-…-s1..1000-v0.1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudyId {
    /// The run with the first seed.
    pub first: RunId,
    /// How many seeds, one after the other; of a study that was called off, those that are done.
    pub seeds: u64,
}

impl StudyId {
    /// The last of them; the first where there is none.
    pub fn last_seed(&self) -> u64 {
        self.first.seed.saturating_add(self.seeds.saturating_sub(1))
    }
}

impl fmt::Display for StudyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}-{:016x}", RunId::FORMAT, self.first.scenario_hash)?;
        if let Some(hash) = self.first.overrides_hash {
            write!(f, "+{hash:016x}")?;
        }
        write!(f, "-s{}..{}-v{}", self.first.seed, self.last_seed(), RunId::ENGINE)
    }
}
