//! What many runs of one scenario say together.

use std::collections::BTreeMap;

use super::estimate::{Estimate, Interval, Moments, wilson};
use super::figure::Figure;
use super::metric::{Kind, Metric, Unit};
use super::percentile::{LatencySummary, Percentile, Pool, Quantile};
use super::sample::{Sample, Who};
use crate::outcome::{Goodput, InvariantResult, InvariantVerdict, Violation};
use crate::recovery::RecoveryState;

/// Many runs of one scenario, reduced in the order of their seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Runs that reached their horizon; all figures are of these.
    pub runs: u64,
    /// Runs that a limit ended, which no figure contains.
    pub limited: Option<Limited>,
    /// The users' intents of all runs.
    pub goodput: Goodput,
    /// The metrics that apply, in a fixed order.
    pub measures: Vec<Measure>,
    /// Latencies per actor, clients first.
    pub latencies: Vec<LatencySummary>,
    /// One tally per invariant, in the scenario's order.
    pub invariants: Vec<InvariantTally>,
    /// How the runs ended after their trigger; `None` when the scenario has none.
    pub recovery: Option<RecoveryTally>,
}

/// A metric and its mean over the runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What was measured.
    pub metric: Metric,
    /// Its mean over the runs that have a value; `None` when none has.
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

/// How often one invariant held or broke, over all runs.
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

/// How the runs ended after their trigger.
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

impl Summary {
    /// True when an invariant was broken that the scenario does not list as known.
    pub fn is_broken(&self) -> bool {
        self.invariants.iter().any(|invariant| invariant.broken > 0 && !invariant.known)
    }

    /// A metric's estimate; `None` when no run has a value.
    pub fn estimate(&self, metric: &Metric) -> Option<Estimate> {
        self.measures.iter().find(|measure| measure.metric == *metric)?.estimate
    }
}

impl RecoveryTally {
    /// How many runs were judged.
    pub fn runs(&self) -> u64 {
        self.unhealthy + self.tested() + self.undecided
    }

    /// How many runs show whether the system comes back.
    pub fn tested(&self) -> u64 {
        self.undisturbed + self.recovered + self.metastable
    }
}

/// A summary under way: runs go in one by one, in the order of their seeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    runs: u64,
    limited: Option<Limited>,
    goodput: Goodput,
    moments: BTreeMap<Metric, Moments>,
    pools: BTreeMap<Who, Pool>,
    invariants: Vec<InvariantTally>,
    recovery: Option<RecoveryTally>,
}

impl Tally {
    pub(crate) fn add(&mut self, sample: &Sample) {
        if let Some(what) = &sample.limit {
            let first = Limited { runs: 0, first_seed: sample.seed, what: what.clone() };
            self.limited.get_or_insert(first).runs += 1;
            return;
        }
        self.runs += 1;
        self.goodput += sample.goodput;
        for (metric, value) in &sample.values {
            let moments = self.moments.entry(metric.clone()).or_default();
            value.iter().for_each(|value| moments.add(*value));
        }
        for (who, samples) in &sample.latencies {
            self.pools.entry(who.clone()).or_default().add(samples);
        }
        if self.invariants.is_empty() {
            self.invariants = sample.invariants.iter().map(InvariantTally::new).collect();
        }
        for (tally, result) in self.invariants.iter_mut().zip(&sample.invariants) {
            tally.add(sample.seed, result);
        }
        if let Some(state) = &sample.recovery {
            self.recovery.get_or_insert_default().add(sample.seed, state);
        }
    }

    pub(crate) fn runs(&self) -> u64 {
        self.runs
    }

    /// All that was measured, metrics first.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let means = self.moments.keys().cloned().map(Figure::Mean);
        let percentiles = self.pools.keys().flat_map(|who| {
            Quantile::ALL.map(|quantile| Figure::Percentile(quantile, who.name.clone()))
        });
        means.chain(percentiles).collect()
    }

    /// Half the width of a figure's interval as a share of its value. `None` where the interval is
    /// missing, the value is 0, or the figure is not among [`Tally::figures`].
    pub(crate) fn precision(&self, figure: &Figure, confidence: f64) -> Option<f64> {
        let (value, half_width) = match figure {
            Figure::Broken(_) => return None,
            Figure::Mean(metric) => {
                let moments = self.moments.get(metric)?;
                (moments.mean(), moments.half_width(confidence)?)
            }
            Figure::Percentile(quantile, actor) => {
                let (_, pool) = self.pools.iter().find(|(who, _)| who.name == *actor)?;
                let reading = pool.read(&pool.merged(), *quantile, confidence)?;
                let Percentile { value, low, high, .. } = reading.percentile;
                (value.as_secs_f64(), high?.saturating_sub(low?).as_secs_f64() / 2.0)
            }
        };
        (value > 0.0).then(|| half_width / value).filter(|share| share.is_finite())
    }

    pub(crate) fn finish(mut self, confidence: f64) -> Summary {
        for invariant in &mut self.invariants {
            let exercised = invariant.runs - invariant.vacuous;
            invariant.rate = wilson(invariant.broken, exercised, confidence);
        }
        if let Some(tally) = &mut self.recovery {
            tally.metastable_rate = wilson(tally.metastable, tally.tested(), confidence);
        }
        let measure = |(metric, moments): (&Metric, &Moments)| Measure {
            metric: metric.clone(),
            estimate: moments.estimate(confidence).map(|e| possible(metric, e, confidence)),
        };
        let latencies = self.pools.iter();
        Summary {
            runs: self.runs,
            limited: self.limited,
            goodput: self.goodput,
            measures: self.moments.iter().map(measure).collect(),
            latencies: latencies.filter_map(|(who, p)| latency(who, p, confidence)).collect(),
            invariants: self.invariants,
            recovery: self.recovery,
        }
    }
}

/// An estimate whose interval does not leave what the metric can be.
fn possible(metric: &Metric, estimate: Estimate, confidence: f64) -> Estimate {
    if metric.kind == Kind::Metastable {
        // A run is or is not; it has no distance from a mean.
        let part = (estimate.mean * estimate.n as f64).round() as u64;
        let interval = wilson(part, estimate.n, confidence).filter(|_| estimate.n > 1);
        return Estimate { interval, ..estimate };
    }
    let high = if metric.kind.unit() == Unit::Share { 1.0 } else { f64::MAX };
    let interval = estimate.interval.map(|interval| interval.within(0.0, high));
    Estimate { interval, ..estimate }
}

/// The latencies of an actor; `None` for one without a sample.
fn latency(who: &Who, pool: &Pool, confidence: f64) -> Option<LatencySummary> {
    let merged = pool.merged();
    let read = |quantile| pool.read(&merged, quantile, confidence);
    let percentiles: Vec<Percentile> =
        Quantile::ALL.into_iter().filter_map(read).map(|reading| reading.percentile).collect();
    (merged.total() > 0).then(|| LatencySummary {
        actor: who.name.clone(),
        kind: who.kind.clone(),
        samples: merged.total(),
        max: merged.max(),
        percentiles,
        curve: merged.curve(),
    })
}

impl InvariantTally {
    fn new(result: &InvariantResult) -> InvariantTally {
        InvariantTally {
            name: result.name.clone(),
            known: result.known,
            runs: 0,
            broken: 0,
            vacuous: 0,
            rate: None,
            first: None,
        }
    }

    fn add(&mut self, seed: u64, result: &InvariantResult) {
        self.runs += 1;
        match result.verdict {
            InvariantVerdict::Kept => {}
            InvariantVerdict::Vacuous => self.vacuous += 1,
            InvariantVerdict::Violated => {
                self.broken += 1;
                if self.first.is_none() {
                    self.first = result.first.clone().map(|violation| (seed, violation));
                }
            }
        }
    }
}

impl RecoveryTally {
    fn add(&mut self, seed: u64, state: &RecoveryState) {
        match state {
            RecoveryState::Unhealthy { .. } => self.unhealthy += 1,
            RecoveryState::Undisturbed => self.undisturbed += 1,
            RecoveryState::Recovered { .. } => self.recovered += 1,
            RecoveryState::Undecided { .. } => self.undecided += 1,
            RecoveryState::Metastable => {
                self.metastable += 1;
                self.first_metastable.get_or_insert(seed);
            }
        }
    }
}
