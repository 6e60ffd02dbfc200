//! A mean over runs, and how sure it is.
//!
//! Runs with different seeds are independent of each other; what happens within one is not. So the
//! unit of all statistics is the run, and intervals are Student's over runs.

use sim_core::math;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::inv_beta_reg;

/// Where a true value lies, with the study's confidence. An end that nothing is known of is
/// infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// True when `value` lies in it, the ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half of its width.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    pub(crate) fn around(centre: f64, half_width: f64) -> Interval {
        Interval { low: centre - half_width, high: centre + half_width }
    }

    /// The part of it that is possible.
    pub(crate) fn within(self, low: f64, high: f64) -> Interval {
        Interval { low: self.low.clamp(low, high), high: self.high.clamp(low, high) }
    }
}

/// A mean over runs. Runs with different seeds are independent; what happens within one is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean over the runs that have a value.
    pub mean: f64,
    /// Where the true mean lies; `None` for fewer than two values.
    pub interval: Option<Interval>,
    /// The standard deviation between runs; `None` for fewer than two values.
    pub deviation: Option<f64>,
    /// How many runs have a value.
    pub n: u64,
}

impl Estimate {
    /// The mean of one value per run, with Student's interval; `None` without any value.
    pub fn over(values: impl IntoIterator<Item = f64>, confidence: f64) -> Option<Estimate> {
        let mut moments = Moments::default();
        values.into_iter().for_each(|value| moments.add(value));
        moments.estimate(confidence)
    }
}

/// Mean and variance of a stream of values, by Welford's method: no cancellation, whatever the
/// values' size. The bits depend on the order, which is that of the seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    n: u64,
    mean: f64,
    /// The sum of squared distances from the mean.
    squares: f64,
}

impl Moments {
    pub(crate) fn add(&mut self, value: f64) {
        self.n += 1;
        let distance = value - self.mean;
        self.mean += distance / self.n as f64;
        self.squares += distance * (value - self.mean);
    }

    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }

    /// The variance between runs, without bias; `None` for fewer than two values.
    pub(crate) fn variance(&self) -> Option<f64> {
        (self.n >= 2).then(|| self.squares / (self.n - 1) as f64)
    }

    /// Half the width of Student's interval; `None` for fewer than two values.
    pub(crate) fn half_width(&self, confidence: f64) -> Option<f64> {
        let error = math::sqrt(self.variance()? / self.n as f64);
        Some(student(confidence, (self.n - 1) as f64) * error)
    }

    /// The mean and Student's interval; `None` without any value.
    pub(crate) fn estimate(&self, confidence: f64) -> Option<Estimate> {
        let around = |half_width| Interval::around(self.mean, half_width);
        (self.n > 0).then(|| Estimate {
            mean: self.mean,
            interval: self.half_width(confidence).map(around),
            deviation: self.variance().map(math::sqrt),
            n: self.n,
        })
    }
}

/// How many standard errors Student's interval reaches to either side.
pub(crate) fn student(confidence: f64, freedom: f64) -> f64 {
    let student = StudentsT::new(0.0, 1.0, freedom.max(1.0)).expect("a positive freedom");
    portable(student.inverse_cdf(0.5 + confidence / 2.0))
}

/// The same for a normal distribution.
fn normal(confidence: f64) -> f64 {
    portable(Normal::standard().inverse_cdf(0.5 + confidence / 2.0))
}

/// A quantile to nine significant digits. The crate that computes it asks the platform for
/// logarithms and powers, whose last bits differ from machine to machine. A figure rounded far
/// above those bits is the same everywhere.
fn portable(quantile: f64) -> f64 {
    format!("{quantile:.8e}").parse().expect("a number that was just written")
}

/// An interval around the mean of shares, on the scale on which shares have room on both sides: that
/// of the logarithm of their odds. So it never leaves 0 to 1, and near an end it is lopsided.
pub(crate) fn logit(mean: f64, interval: Interval) -> Interval {
    let room = mean * (1.0 - mean);
    if room <= 0.0 {
        return interval.within(0.0, 1.0);
    }
    let (odds, reach) = (math::ln(mean / (1.0 - mean)), interval.half_width() / room);
    let share = |odds: f64| 1.0 / (1.0 + math::exp(-odds));
    Interval { low: share(odds - reach), high: share(odds + reach) }
}

/// Wilson's interval of a share: `part` of `whole` runs had it. It is honest where all or none of
/// them did: none of 1,000 still leaves room for 0.38 %. `None` of no runs at all.
pub fn wilson(part: u64, whole: u64, confidence: f64) -> Option<Interval> {
    if whole == 0 {
        return None;
    }
    let (n, z) = (whole as f64, normal(confidence));
    let (share, square) = (part as f64 / n, z * z);
    let centre = (share + square / (2.0 * n)) / (1.0 + square / n);
    let spread = share * (1.0 - share) / n + square / (4.0 * n * n);
    let interval = Interval::around(centre, z * math::sqrt(spread) / (1.0 + square / n));
    // At the ends the formula is exact, and only rounding keeps it from saying so.
    let low = if part == 0 { 0.0 } else { interval.low };
    let high = if part == whole { 1.0 } else { interval.high };
    Some(Interval { low, high }.within(0.0, 1.0))
}

/// The difference of two shares over the same runs. Only the runs in which just one side had it
/// set the sides apart. Clopper and Pearson bound exactly which way the true share of those goes.
/// The interval leaves out 0 just when the exact test of McNemar does: five seeds that all say the
/// same are not yet taken for certainty. `None` of no runs at all.
pub(crate) fn paired_shares(
    only_this: u64,
    only_first: u64,
    runs: u64,
    confidence: f64,
) -> Option<Interval> {
    let unequal = only_this + only_first;
    if unequal == 0 {
        let room = wilson(0, runs, confidence)?.high;
        return Some(Interval::around(0.0, room));
    }
    let (this, first, tail) = (only_this as f64, only_first as f64, (1.0 - confidence) / 2.0);
    let low = if only_this == 0 { 0.0 } else { inv_beta_reg(this, first + 1.0, tail) };
    let high = if only_first == 0 { 1.0 } else { inv_beta_reg(this + 1.0, first, 1.0 - tail) };
    let share = unequal as f64 / runs as f64;
    let difference = |way: f64| (2.0 * portable(way) - 1.0) * share;
    Some(Interval { low: difference(low), high: difference(high) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::{Dist, Draw, Purpose, Stream, Streams};

    fn moments(values: impl IntoIterator<Item = f64>) -> Moments {
        let mut moments = Moments::default();
        values.into_iter().for_each(|value| moments.add(value));
        moments
    }

    fn luck() -> Stream {
        Streams::new(20_261).open(Purpose(1), 0)
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, quantile) in
            [(1, 12.706_204_7), (4, 2.776_445_11), (29, 2.045_229_64), (999, 1.962_341_46)]
        {
            let found = student(0.95, f64::from(freedom));
            assert!((found - quantile).abs() < 2e-8 * quantile, "{freedom}: {found}");
        }
        assert!((student(0.99, 1e6) - 2.575_834_2).abs() < 1e-6, "nearly normal");
        assert_eq!(normal(0.95), 1.959_963_98);
    }

    #[test]
    fn a_large_offset_costs_no_precision() {
        let values = [4.0, 7.0, 13.0, 16.0];
        let far = moments(values.map(|value| value + 1e9));
        assert_eq!(far.variance(), Some(30.0));
        assert_eq!(far.mean(), 1e9 + 10.0);
    }

    #[test]
    fn one_run_has_a_mean_and_no_interval() {
        let one = moments([3.0]).estimate(0.95).unwrap();
        assert_eq!((one.mean, one.interval, one.deviation, one.n), (3.0, None, None, 1));
        assert_eq!(moments([]).estimate(0.95), None);
    }

    #[test]
    fn an_interval_covers_the_truth_as_often_as_it_says() {
        let dist = Dist::normal(5.0, 2.0).unwrap();
        let mut luck = luck();
        for confidence in [0.8, 0.95] {
            let covers = |_: &u32| {
                let study = moments((0..12).map(|_| dist.sample(&mut luck)));
                study.estimate(confidence).unwrap().interval.unwrap().contains(5.0)
            };
            let share = (0..2000).filter(covers).count() as f64 / 2000.0;
            assert!((share - confidence).abs() < 0.02, "{share} instead of {confidence}");
        }
    }

    #[test]
    fn the_interval_of_a_mean_share_stays_a_share() {
        let near_all = logit(0.99, Interval::around(0.99, 0.02));
        assert!(near_all.high < 1.0 && near_all.low < 0.97, "{near_all:?}");
        let middle = logit(0.5, Interval::around(0.5, 0.02));
        assert!((middle.high - 0.52).abs() < 1e-4 && (middle.low - 0.48).abs() < 1e-4);
        assert_eq!(logit(1.0, Interval::around(1.0, 0.0)), Interval { low: 1.0, high: 1.0 });
    }

    #[test]
    fn wilson_leaves_room_where_nothing_was_seen() {
        let none = wilson(0, 1000, 0.95).unwrap();
        assert_eq!(none.low, 0.0);
        assert!((none.high - 0.003_827).abs() < 1e-6, "{none:?}");
        let all = wilson(1000, 1000, 0.95).unwrap();
        assert!((all.low - (1.0 - none.high)).abs() < 1e-12 && all.high == 1.0, "{all:?}");
        let some = wilson(10, 100, 0.95).unwrap();
        assert!((some.low - 0.055_23).abs() < 1e-5 && (some.high - 0.174_37).abs() < 1e-5);
        assert_eq!(wilson(0, 0, 0.95), None);
    }

    #[test]
    fn a_rate_is_covered_as_often_as_it_says() {
        let mut luck = luck();
        let mut covers = |_: &u32| {
            let broken = (0..60).filter(|_| luck.unit() < 0.07).count() as u64;
            wilson(broken, 60, 0.95).unwrap().contains(0.07)
        };
        let share = (0..2000).filter(|n| covers(n)).count() as f64 / 2000.0;
        assert!((0.93..=0.99).contains(&share), "{share}");
    }

    #[test]
    fn few_pairs_that_agree_are_no_certainty() {
        // 2 × 0.5^5 is above 5 %, and 2 × 0.5^6 below.
        assert!(paired_shares(5, 0, 5, 0.95).unwrap().contains(0.0));
        assert!(paired_shares(6, 0, 6, 0.95).unwrap().low > 0.0);
        assert!(paired_shares(0, 6, 1000, 0.95).unwrap().high < 0.0);
        // Clopper and Pearson of 7 in 10: 0.3475 to 0.9333.
        let mixed = paired_shares(7, 3, 100, 0.95).unwrap();
        assert!((mixed.low + 0.0305).abs() < 1e-4 && (mixed.high - 0.0867).abs() < 1e-4);
        let same = paired_shares(0, 0, 1000, 0.95).unwrap();
        assert!(same.contains(0.0) && same.half_width() > 0.0);
    }
}
