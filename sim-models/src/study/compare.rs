//! Several scenarios on the same seeds: what differs, and whether that is luck.
//!
//! Luck is addressed by what it decides, so the same seed gives every side the same arrivals, work
//! and latencies. What the luck of a seed does to all sides alike drops out of the difference, and
//! far fewer runs suffice. Two sides that are the same differ by exactly nothing.
//!
//! Means are compared by Student's interval of the differences, seed by seed. Shares of runs (an
//! invariant broken, a run metastable) are as sure as an exact test of the runs that differ says.
//! Each group of runs pulls a percentile of one side by so much (see [`super::percentile`]). The
//! difference of two percentiles is as sure as the differences of those pulls say.

use std::collections::BTreeMap;
use std::fmt;

use sim_core::{Span, math};

use super::Subject;
use super::estimate::{Estimate, Interval, Moments, paired_shares, student};
use super::percentile::{self, Lack, Percentile, Pool, Reading};
use super::replicate::{Crew, Misuse, Options};
use super::sample::{Sample, Who};
use super::summary::{Summary, Tally};
use super::typical::{Ends, Typical};
use crate::Scenario;
use crate::figure::{Better, Figure, Kind, Quantile};
use crate::outcome::InvariantVerdict;

/// Several sides on the same seeds, each against the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The sides; the first one is what the others are compared with.
    pub sides: Vec<Side>,
    /// One line per figure and further side: by figure, then by side.
    pub contrasts: Vec<Contrast>,
    /// The seed that stands for the others; `None` when none brought all sides to their horizon.
    pub typical: Option<Typical>,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The variant, `base`, or a file.
    pub name: String,
    /// What was run.
    pub subject: Subject,
    /// What it found on its own.
    pub summary: Summary,
    /// Seeds in which both this side and the first reached their horizon; differences are over
    /// these.
    pub pairs: u64,
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
    /// of the merged percentiles, without a deviation.
    pub difference: Estimate,
    /// What that means.
    pub judgement: Judgement,
    /// The share of the difference's variance that pairing saved, against independent seeds:
    /// 0.9 means that a tenth of the runs suffice. Below 0 pairing did harm. `None` where nothing
    /// varies.
    pub saved: Option<f64>,
}

impl Contrast {
    /// Whether the side breaks more promises or serves fewer by it: then nothing else that it does
    /// is better. A broken promise counts however few seeds broke it.
    pub fn harms(&self) -> bool {
        match self.figure.kind {
            Kind::Broken | Kind::Duplicated | Kind::Metastable => self.value > self.reference,
            Kind::Success | Kind::Unanswered | Kind::Goodput => self.judgement == Judgement::Worse,
            _ => false,
        }
    }
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// This side is better than the first.
    Better,
    /// This side is worse than the first.
    Worse,
    /// The figure is better and the side is not: it breaks more promises, or serves fewer.
    NotBetter,
    /// They differ, and neither way is better.
    Different,
    /// The interval of the difference contains 0.
    NoDifference,
    /// There is no telling, for lack of something.
    Lacks(Lack),
}

impl Judgement {
    /// What the interval of a difference means for a figure that is better this way.
    pub fn of(difference: Interval, better: Better) -> Judgement {
        if difference.contains(0.0) {
            return Judgement::NoDifference;
        }
        match (better, difference.low > 0.0) {
            (Better::Neither, _) => Judgement::Different,
            (Better::Higher, true) | (Better::Lower, false) => Judgement::Better,
            (Better::Higher, false) | (Better::Lower, true) => Judgement::Worse,
        }
    }

    /// Its name in JSON, which stays as it is.
    pub const fn id(self) -> &'static str {
        match self {
            Judgement::Better => "better",
            Judgement::Worse => "worse",
            Judgement::NotBetter => "not_better",
            Judgement::Different => "different",
            Judgement::NoDifference => "no_difference",
            Judgement::Lacks(Lack::Seeds { .. }) => "too_few_seeds",
            Judgement::Lacks(Lack::Samples { .. }) => "too_few_samples",
            Judgement::Lacks(Lack::Answers) => "unanswered",
        }
    }
}

/// In words: `no difference`, `too few samples: 120 of 1000`.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Judgement::Lacks(Lack::Seeds { have, need }) => {
                write!(f, "too few seeds: {have} of {need}")
            }
            Judgement::Lacks(Lack::Samples { have, need }) => {
                write!(f, "too few samples: {have} of {need}")
            }
            Judgement::Lacks(Lack::Answers) => write!(f, "too many unanswered"),
            said => f.write_str(&said.id().replace('_', " ")),
        }
    }
}

impl Comparison {
    /// Runs all sides on the same seeds. The first is what the others are compared with.
    ///
    /// # Errors
    /// Options that make no sense, or fewer than two sides.
    pub fn run(sides: &[(String, Scenario)], options: &Options<'_>) -> Result<Comparison, Misuse> {
        if sides.len() < 2 {
            return Err(Misuse::OneSide);
        }
        let crew = Crew::new(options)?;
        let scenarios = sides.iter().map(|(_, scenario)| scenario);
        let observed = super::observing(scenarios, &options.figures)?;
        let count = sides.len() as u64;
        let mut duel = Duel::new(sides.len(), &options.figures);
        let mut round = Vec::with_capacity(sides.len());
        let work = |n| {
            let (seed, side) = (options.first_seed + n / count, (n % count) as usize);
            Sample::of_run(&observed[side], seed, &options.figures, options.goes_on)
        };
        let runs = options.seeds.saturating_mul(count);
        let done = crew.in_order(0..runs, work, |sample| {
            round.push(sample);
            if round.len() == sides.len() {
                if options.each {
                    let kept = duel.tallies.iter_mut().zip(&round);
                    kept.for_each(|(tally, sample)| tally.keep(sample));
                }
                duel.add(&round);
                round.clear();
            }
        });
        let contrasts = duel.contrasts(options.confidence);
        let typical = duel.ends.typical();
        let tallies = duel.tallies.into_iter().zip(duel.pools);
        let side =
            |((name, scenario), (tally, pools)): (&(String, Scenario), (Tally, Pools))| Side {
                name: name.clone(),
                subject: Subject::new(scenario, options, done / count),
                summary: tally.finish(options.confidence, &options.figures),
                pairs: pools.pairs,
            };
        let sides = sides.iter().zip(tallies).map(side).collect();
        Ok(Comparison { sides, contrasts, typical })
    }
}

/// A comparison under way.
struct Duel<'a> {
    /// Figures that are compared beside the others.
    asked: &'a [Figure],
    tallies: Vec<Tally>,
    /// Per side.
    pools: Vec<Pools>,
    /// Per figure and side: first's, this side's, and the differences.
    pairings: BTreeMap<(Figure, usize), Pairing>,
    ends: Ends,
}

/// The samples of the seeds in which both a side and the first one reached their horizon.
#[derive(Clone, Debug, Default)]
struct Pools {
    pairs: u64,
    first: BTreeMap<Who, Pool>,
    this: BTreeMap<Who, Pool>,
}

impl Pools {
    fn add(&mut self, first: &Sample, this: &Sample) {
        self.pairs += 1;
        for (pools, sample) in [(&mut self.first, first), (&mut self.this, this)] {
            for (who, samples) in &sample.latencies {
                pools.entry(who.clone()).or_default().add(samples);
            }
        }
    }
}

/// A figure of two sides, seed by seed.
#[derive(Clone, Copy, Debug, Default)]
struct Pairing {
    first: Moments,
    this: Moments,
    difference: Moments,
    only_first: u64,
    only_this: u64,
}

impl Duel<'_> {
    fn new(sides: usize, asked: &[Figure]) -> Duel<'_> {
        Duel {
            asked,
            tallies: vec![Tally::default(); sides],
            pools: vec![Pools::default(); sides],
            pairings: BTreeMap::new(),
            ends: Ends::default(),
        }
    }

    /// Adds the runs of all sides with one seed.
    fn add(&mut self, round: &[Sample]) {
        self.ends.add(round);
        for (tally, sample) in self.tallies.iter_mut().zip(round) {
            tally.add(sample);
        }
        let values: Vec<BTreeMap<Figure, f64>> =
            round.iter().map(|sample| values(sample, self.asked)).collect();
        for (side, sample) in round.iter().enumerate() {
            if round[0].limit.is_some() || sample.limit.is_some() {
                continue;
            }
            self.pools[side].add(&round[0], sample);
            for (figure, this) in values[side].iter().filter(|_| side > 0) {
                if let Some(first) = values[0].get(figure) {
                    let pairing = self.pairings.entry((figure.clone(), side)).or_default();
                    pairing.add(*first, *this);
                }
            }
        }
    }

    fn contrasts(&self, confidence: f64) -> Vec<Contrast> {
        let pairings = self.pairings.iter();
        let mut contrasts: Vec<Contrast> = pairings
            .map(|((figure, side), pairing)| pairing.contrast(figure, *side, confidence))
            .collect();
        for (side, pools) in self.pools.iter().enumerate().skip(1) {
            let [first, this] =
                [&pools.first, &pools.this].map(|pools| readings(pools, self.asked, confidence));
            for (figure, this) in &this {
                if let Some(first) = first.get(figure) {
                    let (figure, sides) = (figure.clone(), [first, this]);
                    contrasts.push(contrast(figure, side, sides, pools.pairs, confidence));
                }
            }
        }
        for side in 1..self.tallies.len() {
            let is_harmed = contrasts.iter().any(|c| c.side == side && c.harms());
            for contrast in contrasts.iter_mut().filter(|c| c.side == side && is_harmed) {
                if contrast.judgement == Judgement::Better {
                    contrast.judgement = Judgement::NotBetter;
                }
            }
        }
        contrasts.sort_by(|a, b| (&a.figure, a.side).cmp(&(&b.figure, b.side)));
        contrasts
    }
}

/// What a run says of each figure that has a mean. Counters are compared where they are asked for.
fn values(sample: &Sample, asked: &[Figure]) -> BTreeMap<Figure, f64> {
    let broken = sample.invariants.iter().map(|invariant| {
        let is_broken = invariant.verdict == InvariantVerdict::Violated;
        (Figure::of(Kind::Broken, &*invariant.name), f64::from(u8::from(is_broken)))
    });
    let is_compared =
        |figure: &Figure| !matches!(figure.kind, Kind::Count(_)) || asked.contains(figure);
    let means = sample.values.iter().filter(|(figure, _)| is_compared(figure));
    let means = means.filter_map(|(figure, reading)| Some((figure.clone(), (*reading)?.value)));
    broken.chain(means).collect()
}

impl Pairing {
    fn add(&mut self, first: f64, this: f64) {
        self.first.add(first);
        self.this.add(this);
        self.difference.add(this - first);
        self.only_first += u64::from(first > this);
        self.only_this += u64::from(this > first);
    }

    fn contrast(&self, figure: &Figure, side: usize, confidence: f64) -> Contrast {
        let mut difference = self.difference.estimate(confidence).expect("it has a pair");
        if figure.kind.is_share_of_runs() {
            let (n, (this, first)) = (difference.n, (self.only_this, self.only_first));
            difference.interval = paired_shares(this, first, n, confidence).filter(|_| n > 1);
        }
        let have = difference.n;
        let too_few = Judgement::Lacks(Lack::Seeds { have, need: 2 });
        let of = |interval| Judgement::of(interval, figure.better());
        let mut judgement = difference.interval.map_or(too_few, of);
        if figure.kind.is_share_of_runs() && self.only_first + self.only_this > 0 {
            let tells =
                |n: &u64| paired_shares(*n, 0, *n, confidence).is_some_and(|i| !i.contains(0.0));
            let need = (1..).find(tells).expect("many runs that agree leave out 0");
            if have < need {
                judgement = Judgement::Lacks(Lack::Seeds { have, need });
            }
        }
        let variance = |moments: &Moments| moments.variance();
        let apart = variance(&self.first).zip(variance(&self.this)).map(|(a, b)| a + b);
        let saved = variance(&self.difference).zip(apart.filter(|apart| *apart > 0.0));
        Contrast {
            figure: figure.clone(),
            side,
            reference: self.first.mean(),
            value: self.this.mean(),
            difference,
            judgement,
            saved: saved.map(|(paired, apart)| 1.0 - paired / apart),
        }
    }
}

/// The percentiles of one side.
fn readings(
    pools: &BTreeMap<Who, Pool>,
    asked: &[Figure],
    confidence: f64,
) -> BTreeMap<Figure, Reading> {
    let mut readings = BTreeMap::new();
    for (who, pool) in pools {
        let merged = pool.merged();
        let figure = |kind| Figure { kind, of: Some(who.name.clone()), during: who.during };
        let common = Quantile::COMMON.map(|quantile| figure(Kind::Percentile(quantile)));
        let asked = asked.iter().filter(|asked| **asked == figure(asked.kind)).cloned();
        for figure in common.into_iter().chain(asked) {
            let Kind::Percentile(quantile) = figure.kind else { continue };
            let reading = pool.read(&merged, quantile, confidence);
            readings.extend(reading.map(|reading| (figure, reading)));
        }
    }
    readings
}

/// The difference of two percentiles of which one lies among those who still waited: it is at
/// least, or at most, so much.
fn bound(first: &Percentile, this: &Percentile) -> Option<Interval> {
    let ms = |end: Option<Span>| end.map(Span::as_millis_f64);
    let least = |this: &Percentile, other: &Percentile| Some(ms(this.low)? - ms(other.high)?);
    match (first.at_least, this.at_least) {
        (false, true) => Some(Interval { low: least(this, first)?, high: f64::INFINITY }),
        (true, false) => Some(Interval { low: f64::NEG_INFINITY, high: -least(first, this)? }),
        _ => None,
    }
}

/// What the buckets of the histograms cannot tell apart, as a share of a latency.
const RESOLUTION: f64 = 0.001;

/// A percentile of two sides.
fn contrast(
    figure: Figure,
    side: usize,
    [first, this]: [&Reading; 2],
    pairs: u64,
    confidence: f64,
) -> Contrast {
    const NANOS_PER_MILLI: f64 = 1e6;
    let value = |reading: &Reading| reading.percentile.value.as_millis_f64();
    // Both have as many groups, as both were given as many runs.
    let pulls = match (&first.pulls, &this.pulls) {
        (Ok(first), Ok(this)) => Ok((first, this)),
        (Err(first), Err(this)) => Err(first.worse(*this)),
        (Err(lack), _) | (_, Err(lack)) => Err(*lack),
    };
    let lack = pulls.err();
    let pulls = pulls.ok();
    let apart = pulls.map(|(first, this)| {
        this.iter().zip(first).map(|(this, first)| this - first).collect::<Vec<f64>>()
    });
    let error = apart.as_ref().map(|apart| percentile::error(apart) / NANOS_PER_MILLI);
    let alone = pulls.map(|(first, this)| {
        let error = |pulls: &[f64]| percentile::error(pulls) / NANOS_PER_MILLI;
        math::pow(error(first), 2.0) + math::pow(error(this), 2.0)
    });
    let saved = error.zip(alone.filter(|alone| *alone > 0.0));
    let mean = value(this) - value(first);
    let freedom = apart.map_or(1.0, |apart| percentile::freedom(&apart));
    let reach = error.map(|error| Interval::around(mean, student(confidence, freedom) * error));
    let reach = reach.or_else(|| bound(&first.percentile, &this.percentile));
    let is_known = !first.percentile.at_least && !this.percentile.at_least;
    let resolution = RESOLUTION * value(this).max(value(first));
    let judgement = match (reach, lack) {
        (Some(_), _) if is_known && mean.abs() <= resolution => Judgement::NoDifference,
        (Some(reach), _) => Judgement::of(reach, figure.better()),
        (None, lack) => Judgement::Lacks(lack.unwrap_or(Lack::Answers)),
    };
    Contrast {
        judgement,
        figure,
        side,
        reference: value(first),
        value: value(this),
        difference: Estimate { mean, interval: reach, deviation: None, n: pairs },
        saved: saved.map(|(error, alone)| 1.0 - error * error / alone),
    }
}
