//! What many runs of one scenario say together.

use std::collections::BTreeMap;

use super::estimate::{Estimate, Interval, Moments, logit, wilson};
use super::percentile::{LatencySummary, Percentile, Pool};
use super::sample::{Rank, Reason, Sample, Who};
use crate::figure::{Figure, Kind, Quantile, Unit};
use crate::outcome::{
    EffectSummary, Goodput, InvariantResult, InvariantVerdict, Outcome, Verdict, Violation,
};
use crate::reading::Reading;
use crate::recovery::RecoveryState;

/// The most seeds of runs without a verdict that are named.
const LEFT_OUT_MAX: usize = 10;

/// The confidence of the intervals that one run does not have.
const ONE_RUN: f64 = 0.95;

/// Many runs of one scenario, reduced in the order of their seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Runs that reached their horizon; all figures are of these.
    pub runs: u64,
    /// Runs that a limit ended, which no figure contains.
    pub limited: Option<Limited>,
    /// The users' intents of all runs.
    pub goodput: Goodput,
    /// The effects of all runs, one per kind.
    pub effects: Vec<EffectSummary>,
    /// The figures that apply, in a fixed order.
    pub measures: Vec<Measure>,
    /// Those that were asked for, in the order in which they were.
    pub asked: Vec<Measure>,
    /// The figures of each run that were asked for, by seed; empty unless runs are to be kept.
    pub each: Vec<Row>,
    /// Latencies per actor, clients first.
    pub latencies: Vec<LatencySummary>,
    /// One tally per invariant, in the scenario's order.
    pub invariants: Vec<InvariantTally>,
    /// How the runs ended after their trigger; `None` when the scenario has none.
    pub recovery: Option<RecoveryTally>,
    /// Runs in which the system was not well.
    pub unwell: Option<UnwellRuns>,
}

/// A figure and its mean over the runs; of a percentile, that of all samples together.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What was measured.
    pub figure: Figure,
    /// Its mean over the runs that have a value; `None` when none has.
    pub estimate: Option<Estimate>,
    /// In some run somebody who counts still waited, so that the truth is no less.
    pub at_least: bool,
}

/// What one run says of the figures that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its seed.
    pub seed: u64,
    /// How it was judged.
    pub verdict: Verdict,
    /// The limit that ended it early; then it says nothing else.
    pub limit: Option<Reason>,
    /// The invariants that it broke.
    pub broken: Vec<String>,
    /// One value per figure that was asked for; `None` where it has none.
    pub values: Vec<Option<f64>>,
}

/// Runs that a limit ended before their horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Limited {
    /// How many.
    pub runs: u64,
    /// The first seed of those.
    pub first_seed: u64,
    /// The limit that it hit.
    pub what: Reason,
}

/// Runs in which the system was not well, whatever its invariants say.
#[derive(Clone, Debug, PartialEq)]
pub struct UnwellRuns {
    /// How many.
    pub runs: u64,
    /// The first seed of those.
    pub first_seed: u64,
    /// Why it was not well with that seed.
    pub why: Reason,
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
    /// The first seeds whose runs say nothing of recovery, and why.
    pub left_out: Vec<LeftOut>,
}

/// A run that says nothing of recovery.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// Its seed.
    pub seed: u64,
    /// `unhealthy` or `undecided`.
    pub state: &'static str,
    /// Why.
    pub why: Reason,
}

impl Summary {
    /// One run as a study of one seed: its figures, and no interval of any.
    pub fn of_run(outcome: &Outcome) -> Summary {
        let mut tally = Tally::default();
        tally.add(&Sample::of(outcome, &[]));
        tally.finish(ONE_RUN, &[])
    }

    /// A percentile of latencies; `None` where there are none.
    pub fn percentile(&self, of: &str, quantile: Quantile) -> Option<Percentile> {
        let mut latencies = self.latencies.iter();
        let latency = latencies.find(|l| l.of == of && l.during.is_none())?;
        latency.percentiles.iter().find(|p| p.quantile == quantile).copied()
    }

    /// The judgement over all runs: `Violated`, `Invalid` or `Unhealthy` where one of them is, in
    /// this order, and `NothingChecked` where no run put an invariant to the test.
    pub fn verdict(&self) -> Verdict {
        let any = |is: fn(&InvariantTally) -> bool| self.invariants.iter().any(is);
        match () {
            () if any(|invariant| invariant.broken > 0) => Verdict::Violated,
            () if self.limited.is_some() => Verdict::Invalid,
            () if self.unwell.is_some() => Verdict::Unhealthy,
            () if any(|invariant| invariant.vacuous < invariant.runs) => Verdict::Kept,
            () => Verdict::NothingChecked,
        }
    }

    /// The figures that say most where none was asked for: success, and attempts per call at the
    /// hop where they are most.
    pub fn usual(&self) -> Vec<Measure> {
        let of = |kind: Kind| {
            let of_kind = self.measures.iter().filter(move |measure| measure.figure.kind == kind);
            let mean = |measure: &&Measure| measure.estimate.map_or(0.0, |estimate| estimate.mean);
            of_kind.max_by(|a, b| mean(a).total_cmp(&mean(b))).cloned()
        };
        [Kind::Success, Kind::Amplification].into_iter().filter_map(of).collect()
    }

    /// A figure's estimate; `None` when no run has a value.
    pub fn estimate(&self, figure: &Figure) -> Option<Estimate> {
        let mut measures = self.measures.iter().chain(&self.asked);
        measures.find(|measure| measure.figure == *figure)?.estimate
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
    effects: Vec<EffectSummary>,
    moments: BTreeMap<Figure, Counted>,
    pools: BTreeMap<Who, Pool>,
    invariants: Vec<InvariantTally>,
    recovery: Option<RecoveryTally>,
    unwell: Option<UnwellRuns>,
    /// The runs, if they are to be kept.
    each: Vec<Row>,
}

/// A figure of the runs so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    moments: Moments,
    at_least: bool,
}

impl Tally {
    /// Keeps what a run says of the figures that were asked for.
    pub(crate) fn keep(&mut self, sample: &Sample) {
        let is_broken = |i: &&InvariantResult| i.verdict == InvariantVerdict::Violated;
        let Sample { seed, verdict, .. } = *sample;
        let limit = sample.limit.clone();
        if limit.is_some() {
            let values = vec![None; sample.asked.len()];
            return self.each.push(Row { seed, verdict, limit, broken: Vec::new(), values });
        }
        let broken = sample.invariants.iter().filter(is_broken).map(|i| i.name.clone());
        let values = sample.asked.clone();
        self.each.push(Row { seed, verdict, limit, broken: broken.collect(), values });
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        if let Some(what) = &sample.limit {
            let first = Limited { runs: 0, first_seed: sample.seed, what: what.clone() };
            self.limited.get_or_insert(first).runs += 1;
            return;
        }
        self.runs += 1;
        self.goodput += sample.goodput;
        for (n, effect) in sample.effects.iter().enumerate() {
            match self.effects.get_mut(n) {
                Some(all) => *all += effect,
                None => self.effects.push(effect.clone()),
            }
        }
        if let Some(why) = &sample.unwell {
            let first = UnwellRuns { runs: 0, first_seed: sample.seed, why: why.clone() };
            self.unwell.get_or_insert(first).runs += 1;
        }
        for (figure, reading) in &sample.values {
            let counted = self.moments.entry(figure.clone()).or_default();
            if let Some(Reading { value, at_least }) = reading {
                counted.moments.add(*value);
                counted.at_least |= at_least;
            }
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

    /// A percentile of all samples together; without a name that of the client where it is highest.
    fn percentile(&self, figure: &Figure, confidence: f64) -> Option<Percentile> {
        let Kind::Percentile(quantile) = figure.kind else { return None };
        let is_it = |who: &Who| match &figure.of {
            Some(of) => who.name == *of,
            None => who.rank == Rank::Client && !who.is_of_failures(),
        };
        let pools = self.pools.iter().filter(|(who, _)| who.during == figure.during && is_it(who));
        let read = |pool: &Pool| pool.read(&pool.merged(), quantile, confidence);
        let readings = pools.filter_map(|(_, pool)| Some(read(pool)?.percentile));
        readings.reduce(|a, b| if b.value > a.value { b } else { a })
    }

    /// What is known of a figure.
    pub(crate) fn measure(&self, figure: &Figure, confidence: f64) -> Measure {
        let (figure, none) = (figure.clone(), None);
        if let Some(counted) = self.moments.get(&figure) {
            let estimate = counted.moments.estimate(confidence);
            let estimate = estimate.map(|e| possible(&figure, e, confidence));
            return Measure { figure, estimate, at_least: counted.at_least };
        }
        let Some(percentile) = self.percentile(&figure, confidence) else {
            return Measure { figure, estimate: none, at_least: false };
        };
        let estimate = percentile.estimate(self.runs);
        Measure { figure, estimate: Some(estimate), at_least: percentile.at_least }
    }

    /// Half the width of a figure's interval as a share of its value. `None` where the interval is
    /// missing, or the value is 0.
    pub(crate) fn precision(&self, figure: &Figure, confidence: f64) -> Option<f64> {
        let estimate = self.measure(figure, confidence).estimate?;
        let half_width = estimate.interval?.half_width();
        (estimate.mean > 0.0).then(|| half_width / estimate.mean).filter(|share| share.is_finite())
    }

    pub(crate) fn finish(mut self, confidence: f64, asked: &[Figure]) -> Summary {
        for invariant in &mut self.invariants {
            let exercised = invariant.runs - invariant.vacuous;
            invariant.rate = wilson(invariant.broken, exercised, confidence);
        }
        if let Some(tally) = &mut self.recovery {
            tally.metastable_rate = wilson(tally.metastable, tally.tested(), confidence);
        }
        let measure = |figure: &Figure| self.measure(figure, confidence);
        let measures = self.moments.keys().map(measure).collect();
        let asked = asked.iter().map(measure).collect();
        let latencies = self.pools.iter();
        Summary {
            runs: self.runs,
            limited: self.limited,
            goodput: self.goodput,
            effects: self.effects,
            measures,
            asked,
            each: self.each,
            latencies: latencies.filter_map(|(who, p)| latency(who, p, confidence)).collect(),
            invariants: self.invariants,
            recovery: self.recovery,
            unwell: self.unwell,
        }
    }
}

/// An estimate whose interval does not leave what the figure can be.
pub(super) fn possible(figure: &Figure, estimate: Estimate, confidence: f64) -> Estimate {
    let is_share = figure.unit() == Unit::Share;
    if figure.kind.is_share_of_runs() || (is_share && [0.0, 1.0].contains(&estimate.mean)) {
        // A run is or is not; it has no distance from a mean. Where a share is the same in all runs,
        // as no intent failed, nothing shows how far runs lie apart.
        let part = (estimate.mean * estimate.n as f64).round() as u64;
        let interval = wilson(part, estimate.n, confidence).filter(|_| estimate.n > 1);
        return Estimate { interval, ..estimate };
    }
    let interval = estimate.interval.map(|interval| match is_share {
        true => logit(estimate.mean, interval),
        false => interval.within(0.0, f64::MAX),
    });
    Estimate { interval, ..estimate }
}

/// The latencies of an actor; `None` for one without a sample.
fn latency(who: &Who, pool: &Pool, confidence: f64) -> Option<LatencySummary> {
    let merged = pool.merged();
    let read = |quantile| pool.read(&merged, quantile, confidence);
    let percentiles: Vec<Percentile> =
        Quantile::COMMON.into_iter().filter_map(read).map(|reading| reading.percentile).collect();
    (merged.total() > 0).then(|| LatencySummary {
        of: who.name.clone(),
        during: who.during,
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
        if let Some((id, why)) = state.why()
            && self.left_out.len() < LEFT_OUT_MAX
        {
            let (state, why) = (state.name(), Reason::new(id, why));
            self.left_out.push(LeftOut { seed, state, why });
        }
        match state {
            RecoveryState::Unhealthy(_) => self.unhealthy += 1,
            RecoveryState::Undisturbed => self.undisturbed += 1,
            RecoveryState::Recovered { .. } => self.recovered += 1,
            RecoveryState::Undecided(_) => self.undecided += 1,
            RecoveryState::Metastable => {
                self.metastable += 1;
                self.first_metastable.get_or_insert(seed);
            }
        }
    }
}
