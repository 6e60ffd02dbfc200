//! Percentiles of all samples of all runs together, never averages of percentiles.
//!
//! The samples of one run depend on each other: a queue that is long for one request is long for
//! the next. So how sure a percentile is follows from how much its share varies from run to run
//! (Woodruff, "Confidence intervals for medians and other position measures", JASA 47, 1952).
//!
//! The share of samples at or below a percentile is a ratio of sums over runs. Its standard error
//! is taken to either side and read off the merged samples. Where few runs bring most of what lies
//! beyond, that error is badly known, and Student's factor is that of fewer degrees of freedom.
//! Toward the tail it is taken on the scale of the share's logarithm.
//!
//! From the 65th run on, runs share 64 groups that take the runs' place: memory stays bounded, and
//! 63 degrees of freedom cost 2 % of an interval's width.

use sim_core::{Span, math};

use crate::figure::{Quantile, Stretch};
use crate::outcome::{ActorKind, Histogram, Lengths};

use super::estimate::{Estimate, Interval, student};

/// Runs are merged into at most as many groups.
const GROUPS_MAX: usize = 64;

/// Fewer samples beyond a percentile do not show how sure it is.
const BEYOND_MIN: u64 = 10;

/// One percentile of the merged samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentile {
    /// Which one.
    pub quantile: Quantile,
    /// Its value, within 0.1 %.
    pub value: Span,
    /// It lies among those who still waited at the end, and is at least that.
    pub at_least: bool,
    /// Where the true one begins; `None` with too few runs or samples.
    pub low: Option<Span>,
    /// Where it ends; likewise, and `None` also where it may lie beyond all that was seen, or among
    /// those who still waited.
    pub high: Option<Span>,
}

impl Percentile {
    /// The same in milliseconds, over so many runs.
    pub fn estimate(&self, n: u64) -> Estimate {
        let ms = |end: Option<Span>| end.map(Span::as_millis_f64);
        let interval = match (ms(self.low), ms(self.high)) {
            (Some(low), Some(high)) => Some(Interval { low, high }),
            // A tail whose upper end nobody knows is bounded on one side.
            (Some(low), None) => Some(Interval { low, high: f64::INFINITY }),
            _ => None,
        };
        Estimate { mean: self.value.as_millis_f64(), interval, deviation: None, n }
    }
}

/// The latencies of one actor, endpoint or hop over all runs.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencySummary {
    /// Whose they are: `shoppers`, `api.pay`, `api->psp`; with `, failed` those of what did not
    /// succeed.
    pub of: String,
    /// What it is; `None` for an endpoint or a hop.
    pub kind: Option<ActorKind>,
    /// In which part of the run; `None` for all that is measured.
    pub during: Option<Stretch>,
    /// How many samples all runs have.
    pub samples: u64,
    /// The longest one, exact.
    pub max: Span,
    /// The percentiles, from the lowest to the highest.
    pub percentiles: Vec<Percentile>,
    /// The distribution for a chart: ascending shares, evenly spaced in nines, and the latencies
    /// that so many samples were not above, as far out as single samples tell.
    pub curve: Vec<(f64, Span)>,
}

/// Twenty points of a curve to each nine, and at most six nines.
const CURVE: (u32, u32) = (20, 6);

/// Samples in nanoseconds by their bucket's upper end, in ascending order: a histogram without its
/// empty buckets. All runs have the same buckets, so that merging loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Samples {
    counts: Vec<(u64, u64)>,
    total: u64,
    max: u64,
    /// The shortest of those that have not ended: from there on all are "at least".
    open_from: Option<u64>,
}

impl Samples {
    /// The samples of what has ended.
    pub(crate) fn of(lengths: &Lengths) -> Samples {
        let buckets = lengths.histogram().into_iter().flat_map(Histogram::iter_recorded);
        Samples {
            counts: buckets.map(|b| (b.value_iterated_to(), b.count_at_value())).collect(),
            total: lengths.count(),
            max: lengths.max().as_nanos(),
            open_from: None,
        }
    }

    /// The same with those of what has not ended, which are at least so long.
    pub(crate) fn with_open(mut self, open: &Lengths) -> Samples {
        self.merge(&Samples { open_from: open.min().map(Span::as_nanos), ..Samples::of(open) });
        self
    }

    /// Whether a length of it may be longer in truth.
    fn is_bound(&self, length: Span) -> bool {
        self.open_from.is_some_and(|open| open <= length.as_nanos())
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn max(&self) -> Span {
        Span::nanos(self.max)
    }

    fn merge(&mut self, other: &Samples) {
        let mut merged = Vec::with_capacity(self.counts.len() + other.counts.len());
        let (mut ours, mut theirs) = (&self.counts[..], &other.counts[..]);
        while let (Some(&(a, n)), Some(&(b, m))) = (ours.first(), theirs.first()) {
            let count = if a <= b { n } else { 0 } + if b <= a { m } else { 0 };
            merged.push((a.min(b), count));
            ours = &ours[usize::from(a <= b)..];
            theirs = &theirs[usize::from(b <= a)..];
        }
        merged.extend_from_slice(ours);
        merged.extend_from_slice(theirs);
        self.counts = merged;
        self.total += other.total;
        self.max = self.max.max(other.max);
        self.open_from = [self.open_from, other.open_from].into_iter().flatten().min();
    }

    /// How many samples lie in buckets up to that of `value`.
    fn up_to(&self, value: u64) -> u64 {
        let end = self.counts.partition_point(|(upper, _)| *upper <= value);
        self.counts[..end].iter().map(|(_, count)| count).sum()
    }

    /// The bucket of the sample of a rank, counted from 1.
    fn bucket(&self, rank: u64) -> Option<usize> {
        let mut seen = 0;
        self.counts.iter().position(|(_, count)| {
            seen += count;
            seen >= rank
        })
    }

    /// The sample of a rank, as a length.
    fn at(&self, rank: u64) -> Option<Span> {
        let (upper, _) = self.counts[self.bucket(rank.max(1))?];
        Some(Span::nanos(upper.min(self.max)))
    }

    /// The distribution's curve.
    pub(crate) fn curve(&self) -> Vec<(f64, Span)> {
        let (per_nine, nines) = CURVE;
        let beyond = |n| math::pow(10.0, -f64::from(n) / f64::from(per_nine));
        let total = self.total as f64;
        let shares = (0..=nines * per_nine).map(beyond).take_while(|share| share * total >= 1.0);
        let point =
            |beyond: f64| Some((1.0 - beyond, self.at(((1.0 - beyond) * total).ceil() as u64)?));
        shares.filter_map(point).collect()
    }

    /// The nearest rank of a quantile.
    fn rank(&self, quantile: Quantile) -> u64 {
        quantile.rank(self.total)
    }
}

/// The samples of many runs, in groups of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    groups: Vec<Samples>,
    runs: usize,
}

/// A percentile, and what each group of runs did to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) percentile: Percentile,
    /// By how many nanoseconds each group moved it, about; their sum is 0.
    pub(crate) pulls: Result<Vec<f64>, Lack>,
}

/// What is missing for an interval with two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// More seeds.
    Seeds {
        /// There are so many.
        have: u64,
        /// At least so many are needed.
        need: u64,
    },
    /// More samples.
    Samples {
        /// There are so many.
        have: u64,
        /// About so many are needed.
        need: u64,
    },
    /// The answers of those who still wait.
    Answers,
}

impl Lack {
    fn samples(have: u64, need: f64) -> Lack {
        Lack::Samples { have, need: need.ceil() as u64 }
    }

    /// Of two sides, that which lacks more.
    pub(crate) fn worse(self, other: Lack) -> Lack {
        let missing = |lack: Lack| match lack {
            Lack::Seeds { have, need } => (2, need - have),
            Lack::Samples { have, need } => (1, need.saturating_sub(have)),
            Lack::Answers => (0, 0),
        };
        if missing(other) > missing(self) { other } else { self }
    }
}

impl Pool {
    /// Adds the next run, also when it has no samples.
    pub(crate) fn add(&mut self, run: &Samples) {
        match self.groups.get_mut(self.runs % GROUPS_MAX) {
            Some(group) => group.merge(run),
            None => self.groups.push(run.clone()),
        }
        self.runs += 1;
    }

    /// All samples together.
    pub(crate) fn merged(&self) -> Samples {
        // Pairs of equal size are merged, so that no bucket is copied more than six times.
        let mut parts = self.groups.clone();
        while parts.len() > 1 {
            let halves = parts.chunks(2).map(|pair| {
                let mut merged = pair[0].clone();
                pair[1..].iter().for_each(|other| merged.merge(other));
                merged
            });
            parts = halves.collect();
        }
        parts.pop().unwrap_or_default()
    }

    /// A percentile of `merged`, which are this pool's samples; `None` when there are none.
    pub(crate) fn read(
        &self,
        merged: &Samples,
        quantile: Quantile,
        confidence: f64,
    ) -> Option<Reading> {
        let rank = merged.rank(quantile);
        let bucket = merged.bucket(rank.max(1))?;
        let value = merged.at(rank)?;
        let at_least = merged.is_bound(value);
        let mut percentile = Percentile { quantile, value, at_least, low: None, high: None };
        let beyond = merged.total - rank.min(merged.total);
        let (total, share) = (merged.total as f64, quantile.share());
        if self.groups.len() < 2 {
            let pulls = Err(Lack::Seeds { have: self.groups.len() as u64, need: 2 });
            return Some(Reading { percentile, pulls });
        }
        if beyond < BEYOND_MIN {
            let need = (BEYOND_MIN as f64 / (1.0 - share)).round();
            let pulls = Err(Lack::samples(merged.total, need));
            return Some(Reading { percentile, pulls });
        }
        // A bucket may hold many equal samples; then its lower edge says more than its upper one.
        let below = bucket.checked_sub(1).map_or(0, |bucket| merged.counts[bucket].0);
        let edges = [merged.counts[bucket].0, below].map(|edge| self.residuals(merged, edge));
        let [at, under] = &edges;
        let residuals = if sum_of_squares(under) > sum_of_squares(at) { under } else { at };

        let reach = student(confidence, freedom(residuals)) * error(residuals);
        // What lies on either side of it, and may be so many times as much.
        let (under, over) = (total * share, total * (1.0 - share));
        let low = (total - over * math::exp(reach / over)).floor();
        let high = (under * math::exp(reach / under)).ceil();
        percentile.low = if low < 1.0 { None } else { merged.at(low as u64) };
        let is_known = |high: &Span| !merged.is_bound(*high);
        percentile.high = if high > total { None } else { merged.at(high as u64).filter(is_known) };
        let pulls = match (percentile.low, percentile.high) {
            (Some(from), Some(to)) => {
                let width = (to.as_nanos() - from.as_nanos()) as f64;
                let slope = if high > low { width / (high - low) } else { 0.0 };
                Ok(residuals.iter().map(|residual| -residual * slope).collect())
            }
            // The reach grows as the root of what there is.
            _ if high > total => {
                Err(Lack::samples(merged.total, total * math::pow(reach / over, 2.0)))
            }
            _ if low < 1.0 => {
                Err(Lack::samples(merged.total, total * math::pow(reach / under, 2.0)))
            }
            _ => Err(Lack::Answers),
        };
        Some(Reading { percentile, pulls })
    }

    /// Per group: its samples up to an edge, minus its due share of them.
    fn residuals(&self, merged: &Samples, edge: u64) -> Vec<f64> {
        let share = merged.up_to(edge) as f64 / merged.total as f64;
        let residual = |group: &Samples| group.up_to(edge) as f64 - share * group.total as f64;
        self.groups.iter().map(residual).collect()
    }
}

/// The standard error of a sum whose parts have these residuals.
pub(crate) fn error(residuals: &[f64]) -> f64 {
    let groups = residuals.len() as f64;
    math::sqrt(sum_of_squares(residuals) * groups / (groups - 1.0))
}

/// The degrees of freedom of that error. Residuals of which a few are much larger than the others
/// know it worse than equal ones: the fewer, the greater their kurtosis (that of a normal
/// distribution is 3).
pub(crate) fn freedom(residuals: &[f64]) -> f64 {
    let groups = residuals.len() as f64;
    let fourth: f64 = residuals.iter().map(|value| math::pow(*value, 4.0)).sum();
    if fourth <= 0.0 {
        return groups - 1.0;
    }
    let kurtosis = groups * fourth / math::pow(sum_of_squares(residuals), 2.0);
    (2.0 * groups / kurtosis - 1.0).clamp(1.0, groups - 1.0)
}

fn sum_of_squares(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::{Dist, Purpose, Streams};

    fn samples(values: &[u64]) -> Samples {
        let mut lengths = Lengths::default();
        values.iter().for_each(|value| lengths.add(Span::nanos(*value)));
        Samples::of(&lengths)
    }

    fn pool(runs: &[Vec<u64>]) -> Pool {
        let mut pool = Pool::default();
        runs.iter().for_each(|run| pool.add(&samples(run)));
        pool
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(50))]
        #[test]
        fn merged_percentiles_are_those_of_the_pooled_samples(
            runs in proptest::collection::vec(
                proptest::collection::vec(1_u64..50_000_000, 0..40), 1..150),
        ) {
            let all: Vec<u64> = runs.iter().flatten().copied().collect();
            let (pool, pooled) = (pool(&runs), samples(&all));
            proptest::prop_assert_eq!(&pool.merged(), &pooled);
            let mut sorted = all;
            sorted.sort_unstable();
            for quantile in Quantile::COMMON {
                let Some(reading) = pool.read(&pooled, quantile, 0.95) else {
                    proptest::prop_assert!(sorted.is_empty());
                    continue;
                };
                let rank = quantile.rank(sorted.len() as u64) as usize;
                let exact = sorted[rank.max(1) - 1];
                let found = reading.percentile.value.as_nanos();
                proptest::prop_assert!(found >= exact && found - exact <= exact / 1000);
                let Percentile { low, value, high, .. } = reading.percentile;
                proptest::prop_assert!(low.is_none_or(|low| low <= value));
                proptest::prop_assert!(high.is_none_or(|high| value <= high));
            }
        }
    }

    /// Runs that differ: each has a pace of its own, so that its samples go up or down together.
    fn clustered(study: u64, runs: usize) -> Vec<Vec<u64>> {
        let mut luck = Streams::new(77).open(Purpose(1), study);
        let (pace, sample) = (Dist::normal(0.0, 0.3).unwrap(), Dist::normal(0.0, 0.5).unwrap());
        let mut run = |_| {
            let pace = pace.sample(&mut luck);
            let mut value = || (1e6 * math::exp(pace + sample.sample(&mut luck))) as u64;
            (0..100).map(|_| value()).collect()
        };
        (0..runs).map(&mut run).collect()
    }

    #[test]
    fn the_interval_of_a_percentile_covers_it_although_runs_are_clusters() {
        // Pace and sample together are lognormal with the deviation sqrt(0.09 + 0.25).
        let truth = |z: f64| 1e6 * math::exp(z * math::sqrt(0.34));
        for (quantile, truth, runs) in [
            (Quantile::P50, truth(0.0), 40),
            (Quantile::P90, truth(1.281_551_6), 40),
            (Quantile::P99, truth(2.326_347_9), 100),
        ] {
            let covers = |study: &u64| {
                let pool = pool(&clustered(*study, runs));
                let reading = pool.read(&pool.merged(), quantile, 0.95).unwrap();
                let bound = |span: Option<Span>, open| span.map_or(open, |s| s.as_nanos() as f64);
                let Percentile { low, high, .. } = reading.percentile;
                bound(low, 0.0) <= truth && truth <= bound(high, f64::MAX)
            };
            let share = (0..200).filter(covers).count() as f64 / 200.0;
            assert!((0.92..=0.995).contains(&share), "{quantile}: {share}");
        }
    }

    #[test]
    fn samples_that_pretend_to_be_independent_would_deceive() {
        // The same samples, dealt to runs so that the runs are alike: the interval shrinks.
        let runs = clustered(1, 40);
        let all: Vec<u64> = runs.iter().flatten().copied().collect();
        let dealt: Vec<Vec<u64>> =
            (0..40).map(|run| all.iter().skip(run).step_by(40).copied().collect()).collect();
        let width = |pool: Pool| {
            let reading = pool.read(&pool.merged(), Quantile::P50, 0.95).unwrap().percentile;
            reading.high.unwrap().as_nanos() - reading.low.unwrap().as_nanos()
        };
        assert!(width(pool(&runs)) > 2 * width(pool(&dealt)));
    }

    #[test]
    fn of_many_runs_the_shortest_that_is_open_makes_a_bound() {
        let of = |open_from| Samples { open_from, ..Samples::default() };
        for [a, b] in [[Some(5), Some(9)], [Some(9), Some(5)], [Some(5), None], [None, Some(5)]] {
            let mut merged = of(a);
            merged.merge(&of(b));
            let bound = [4, 5, 9].map(|nanos| merged.is_bound(Span::nanos(nanos)));
            assert_eq!(bound, [false, true, true], "{a:?}, {b:?}");
        }
    }

    #[test]
    fn what_too_few_tell_has_no_interval() {
        let runs = vec![vec![5; 100]; 3];
        let pool = pool(&runs);
        let read = |quantile| pool.read(&pool.merged(), quantile, 0.95).unwrap().percentile;
        let (five, none) = (Span::nanos(5), None);
        let p50 = Percentile {
            quantile: Quantile::P50,
            value: five,
            at_least: false,
            low: Some(five),
            high: Some(five),
        };
        assert_eq!(read(Quantile::P50), p50);
        let p99 = Percentile {
            quantile: Quantile::P99,
            value: five,
            at_least: false,
            low: none,
            high: none,
        };
        assert_eq!(read(Quantile::P99), p99, "only three samples lie beyond it");
    }
}
