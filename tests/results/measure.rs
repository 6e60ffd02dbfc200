//! Runs over seeds, and what they say about a number.

use std::fs;
use std::thread;

use sim_core::math::sqrt;
use sim_models::Scenario;
use sim_models::outcome::Outcome;
use sim_models::study::{self, Interval, wilson};

use crate::support;

/// Where the models are.
pub const FOLDER: &str = "scenarios/published";

/// Of all intervals.
const CONFIDENCE: f64 = 0.99;

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
        Estimate::widened(samples, 1.0)
    }

    /// Where one further run would lie: for a published number that is itself one run.
    pub fn one_run(samples: &[f64]) -> Estimate {
        // The error of the mean is a run's deviation by the root of their number; a further run
        // adds its own deviation to it.
        Estimate::widened(samples, sqrt(samples.len() as f64 + 1.0))
    }

    /// The share of the runs of which something is true, with Wilson's interval.
    pub fn share(samples: &[bool]) -> Estimate {
        let (hits, n) = (samples.iter().filter(|hit| **hit).count() as u64, samples.len() as u64);
        Estimate::of_trials(hits, n, n)
    }

    /// The share of trials of which something is true, counted over `n` runs.
    pub fn of_trials(hits: u64, trials: u64, n: u64) -> Estimate {
        let Interval { low, high } = wilson(hits, trials, CONFIDENCE).expect("some trials");
        Estimate { mean: hits as f64 / trials as f64, low, high, n }
    }

    fn widened(samples: &[f64], factor: f64) -> Estimate {
        let over = study::Estimate::over(samples.iter().copied(), CONFIDENCE).expect("some runs");
        let half = over.interval.expect("at least two runs").half_width() * factor;
        Estimate { mean: over.mean, low: over.mean - half, high: over.mean + half, n: over.n }
    }
}

#[test]
fn seeds_keep_their_order() {
    for n in [1, 2, 7, 8] {
        assert_eq!(replicate(n, |seed| seed), (1..=n).collect::<Vec<_>>());
    }
}

#[test]
fn intervals_are_those_of_the_tables() {
    // Student's t of 0.995 for 5, 10, 30 degrees of freedom; the samples have a deviation of 1.
    for (freedom, table) in [(5, 4.032), (10, 3.169), (30, 2.750)] {
        let n = freedom + 1;
        let apart = sqrt(f64::from(freedom) / 2.0);
        let mut samples = vec![0.0; n as usize];
        (samples[0], samples[1]) = (apart, -apart);
        let half = Estimate::mean(&samples).high;
        let student = half * sqrt(f64::from(n));
        assert!((student / table - 1.0).abs() < 0.01, "{freedom}");
        let further = Estimate::one_run(&samples).high / student;
        assert!((further - sqrt(1.0 + 1.0 / f64::from(n))).abs() < 1e-9, "{freedom}");
    }
    let never = Estimate::share(&[false; 20]);
    assert_eq!((never.mean, never.low), (0.0, 0.0));
    // z² / (n + z²).
    assert!((never.high - 0.2491).abs() < 0.001, "{never:?}");
}
