//! How often intervals cover a truth that is known: what `docs/STATISTICS.md` says of it.
//!
//! Each case is a study of some runs, replicated with other luck. An interval is honest when it
//! covers at least as often as it claims, up to the error of so many replications.

use sim_core::{Dist, Draw, Purpose, Span, Stream, Streams, math};

use super::estimate::Moments;
use super::percentile::{Pool, Samples};
use super::summary::possible;
use crate::figure::{Figure, Kind, Quantile};
use crate::outcome::Lengths;

const CONFIDENCE: f64 = 0.95;

/// Replications of a study.
const STUDIES: u64 = 600;

/// The share of studies whose interval covers the truth.
fn covered(case: u64, mut covers: impl FnMut(&mut Stream) -> bool) -> f64 {
    let luck = |study| Streams::new(20_270 + case).open(Purpose(1), study);
    (0..STUDIES).filter(|study| covers(&mut luck(*study))).count() as f64 / STUDIES as f64
}

/// At least what is claimed, less two standard errors of the replications.
fn assert_honest(what: &str, share: f64) {
    println!("{what}: {:.1} %", 100.0 * share);
    let error = math::sqrt(CONFIDENCE * (1.0 - CONFIDENCE) / STUDIES as f64);
    assert!(share >= CONFIDENCE - 2.0 * error, "{what}: {share}");
}

/// The times that customers of M/M/1 spend in the system, from its steady state on, in
/// microseconds; work takes a millisecond.
fn queue(luck: &mut Stream, load: f64, customers: usize) -> Vec<u64> {
    let unit = Dist::exponential(1.0).unwrap();
    let mut wait = 0.0_f64;
    if luck.unit() < load {
        wait = unit.sample(luck) / (1.0 - load);
    }
    let mut next = |_| {
        let time = wait + unit.sample(luck);
        wait = (time - unit.sample(luck) / load).max(0.0);
        (time * 1e6) as u64
    };
    (0..customers).map(&mut next).collect()
}

/// Whether the interval of a percentile of some runs covers it; an end that is open does.
fn covers(runs: impl Iterator<Item = Vec<u64>>, quantile: Quantile, truth: f64) -> bool {
    let mut pool = Pool::default();
    for run in runs {
        let mut lengths = Lengths::default();
        run.into_iter().for_each(|time| lengths.add(Span::nanos(time)));
        pool.add(&Samples::of(&lengths));
    }
    let percentile = pool.read(&pool.merged(), quantile, CONFIDENCE).unwrap().percentile;
    let nanos = |end: Option<Span>, open: f64| end.map_or(open, |end| end.as_nanos() as f64);
    (nanos(percentile.low, 0.0)..=nanos(percentile.high, f64::MAX)).contains(&truth)
}

/// A time in the system is exponential. Few runs of a queue have most of its long times.
#[test]
fn percentiles_of_a_queue_are_covered() {
    const LOAD: f64 = 0.8;
    for (case, (quantile, runs, customers)) in [
        (Quantile::P50, 5, 200),
        (Quantile::P90, 5, 1000),
        (Quantile::P99, 10, 200),
        (Quantile::P99, 10, 1000),
        (Quantile::P99, 20, 200),
    ]
    .into_iter()
    .enumerate()
    {
        let truth = -math::ln(1.0 - quantile.share()) / (1.0 - LOAD) * 1e6;
        let share = covered(case as u64, |luck| {
            covers((0..runs).map(|_| queue(luck, LOAD, customers)), quantile, truth)
        });
        assert_honest(&format!("{quantile} of M/M/1, {runs} runs of {customers}"), share);
    }
}

#[test]
fn percentiles_of_independent_times_are_covered() {
    let unit = Dist::exponential(1e6).unwrap();
    for (case, (quantile, runs)) in
        [(Quantile::P50, 5), (Quantile::P90, 5), (Quantile::P99, 5), (Quantile::P99, 20)]
            .into_iter()
            .enumerate()
    {
        let truth = -math::ln(1.0 - quantile.share()) * 1e6;
        let share = covered(10 + case as u64, |luck| {
            let mut run = |_| (0..400).map(|_| unit.sample(luck) as u64).collect();
            covers((0..runs).map(&mut run), quantile, truth)
        });
        assert_honest(&format!("{quantile} of exponential times, {runs} runs of 400"), share);
    }
}

/// The share of studies whose mean, of one value per run, covers the truth.
fn mean_covered(
    case: u64,
    kind: Kind,
    runs: u64,
    truth: f64,
    value: impl Fn(&mut Stream) -> f64,
) -> f64 {
    covered(case, |luck| {
        let mut moments = Moments::default();
        (0..runs).for_each(|_| moments.add(value(luck)));
        let estimate = moments.estimate(CONFIDENCE).unwrap();
        let figure = Figure::of_all(kind);
        possible(&figure, estimate, CONFIDENCE).interval.unwrap().contains(truth)
    })
}

#[test]
fn means_and_longest_latencies_are_covered() {
    let unit = Dist::exponential(1.0).unwrap();
    let times = |luck: &mut Stream| (0..50).map(|_| unit.sample(luck)).collect::<Vec<f64>>();
    for (case, runs) in [5, 10, 30].into_iter().enumerate() {
        let mean = |luck: &mut Stream| times(luck).iter().sum::<f64>() / 50.0;
        let share = mean_covered(20 + case as u64, Kind::LatencyMean, runs, 1.0, mean);
        assert_honest(&format!("mean of exponential times, {runs} runs of 50"), share);
        // The longest of fifty is the harmonic number of fifty in the mean.
        let harmonic: f64 = (1..=50).map(|n| 1.0 / f64::from(n)).sum();
        let longest = |luck: &mut Stream| times(luck).into_iter().fold(0.0, f64::max);
        let share = mean_covered(30 + case as u64, Kind::LatencyMax, runs, harmonic, longest);
        assert_honest(&format!("longest of exponential times, {runs} runs of 50"), share);
    }
}

/// Near 100 % most runs have no failure at all, and in some studies none has.
#[test]
fn shares_are_covered_also_near_their_ends() {
    let mut case = 40;
    for truth in [0.5, 0.98, 0.999] {
        for runs in [5, 20] {
            let share = mean_covered(case, Kind::Success, runs, truth, |luck| {
                (0..50).filter(|_| luck.unit() < truth).count() as f64 / 50.0
            });
            case += 1;
            assert_honest(&format!("a share of {truth}, {runs} runs of 50"), share);
        }
    }
}
