//! Runs over seeds, and what they say about a number.

use std::fs;
use std::thread;

use sim_core::math::sqrt;
use sim_models::Scenario;
use sim_models::outcome::Outcome;

use crate::support;

/// Where the models are.
pub const FOLDER: &str = "scenarios/published";

/// The 99.5th percentile of the normal distribution, for two-sided intervals of 99 %.
const Z: f64 = 2.575_829;

/// A model as it stands, in a variant, or with other parameters.
pub fn case(name: &str, variant: Option<&str>, sets: &[(&str, &str)]) -> Scenario {
    let file = support::root().join(FOLDER).join(format!("{name}.ron"));
    let text = fs::read_to_string(&file).expect("a published scenario");
    support::load(&text, variant, sets)
}

/// What `read` finds in the runs of the seeds 1 to `n`, in the order of the seeds.
pub fn outcomes<T: Send>(
    scenario: &Scenario,
    n: u64,
    read: impl Fn(&Outcome) -> T + Sync,
) -> Vec<T> {
    replicate(n, |seed| {
        let outcome = scenario.run(seed);
        assert_eq!(outcome.limit, None, "{}, seed {seed}", scenario.name());
        read(&outcome)
    })
}

/// What `run` gives for the seeds 1 to `n`, on two cores, in the order of the seeds.
pub fn replicate<T: Send>(n: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let half = |first: u64| (first..=n).step_by(2).map(&run).collect::<Vec<T>>();
    let (odd, even) = thread::scope(|scope| {
        let even = scope.spawn(|| half(2));
        (half(1), even.join().expect("a run"))
    });
    let mut even = even.into_iter();
    odd.into_iter().flat_map(|one| std::iter::once(one).chain(even.next())).collect()
}

/// A number with its 99 % interval.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    /// From how many runs.
    pub n: u64,
}

impl Estimate {
    /// The mean of one number per run, with Student's interval.
    pub fn mean(samples: &[f64]) -> Estimate {
        let (mean, deviation) = moments(samples);
        let n = samples.len() as u64;
        Estimate::around(mean, student(n - 1) * deviation / sqrt(n as f64), n)
    }

    /// Where one further run would lie: for a published number that is itself one run.
    pub fn one_run(samples: &[f64]) -> Estimate {
        let (mean, deviation) = moments(samples);
        let n = samples.len() as u64;
        Estimate::around(mean, student(n - 1) * deviation * sqrt(1.0 + 1.0 / n as f64), n)
    }

    /// The share of the runs of which something is true, with Wilson's interval.
    pub fn share(samples: &[bool]) -> Estimate {
        let hits = samples.iter().filter(|hit| **hit).count() as f64;
        let n = samples.len() as f64;
        let (share, z2) = (hits / n, Z * Z);
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * sqrt(share * (1.0 - share) / n + z2 / (4.0 * n * n));
        let (low, high) = ((middle - half).max(0.0), (middle + half).min(1.0));
        Estimate { mean: share, low, high, n: samples.len() as u64 }
    }

    /// The share of trials of which something is true, counted over `n` runs.
    pub fn of_trials(hits: u64, trials: u64, n: u64) -> Estimate {
        let share = hits as f64 / trials as f64;
        let half = Z * sqrt(share * (1.0 - share) / trials as f64);
        Estimate::around(share, half, n)
    }

    fn around(mean: f64, half: f64, n: u64) -> Estimate {
        Estimate { mean, low: mean - half, high: mean + half, n }
    }
}

/// Mean and standard deviation.
fn moments(samples: &[f64]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let squares: f64 = samples.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, sqrt(squares / (n - 1.0)))
}

/// The 99.5th percentile of Student's distribution, by the expansion of Cornish and Fisher; within
/// 1 % from five degrees of freedom on.
fn student(freedom: u64) -> f64 {
    let (v, z) = (freedom as f64, Z);
    let (z3, z5, z7) = (z * z * z, z * z * z * z * z, z * z * z * z * z * z * z);
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v * v * v)
}

#[test]
fn seeds_keep_their_order() {
    for n in [1, 2, 7, 8] {
        assert_eq!(replicate(n, |seed| seed), (1..=n).collect::<Vec<_>>());
    }
}

#[test]
fn intervals_are_those_of_the_tables() {
    // Student's t of 0.995 for 5, 10, 30 degrees of freedom.
    for (freedom, table) in [(5, 4.032), (10, 3.169), (30, 2.750)] {
        assert!((student(freedom) / table - 1.0).abs() < 0.01, "{freedom}");
    }
    let never = Estimate::share(&[false; 20]);
    assert_eq!((never.mean, never.low), (0.0, 0.0));
    // z² / (n + z²).
    assert!((never.high - 0.2491).abs() < 0.001, "{never:?}");
}
