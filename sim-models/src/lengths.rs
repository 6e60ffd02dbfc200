//! Lengths of time that were counted, and what they say of a latency.
//!
//! A histogram holds them within 0.1 %. Who still waits at the end has a length as well: it is at
//! least that long. So a percentile that falls among those is a bound, and says so.

use hdrhistogram::Histogram;
use sim_core::Span;

/// Lengths of time, in a histogram of nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Lengths {
    /// Made for the first one: most populations of most runs have none.
    histogram: Option<Histogram<u64>>,
    sum: u128,
    max: Span,
    min: Option<Span>,
}

impl Lengths {
    /// Counts one.
    pub fn add(&mut self, length: Span) {
        let histogram = self.histogram.get_or_insert_with(empty);
        histogram.record(length.as_nanos()).expect("the histogram grows as needed");
        self.sum += u128::from(length.as_nanos());
        self.max = self.max.max(length);
        self.min = Some(self.min.map_or(length, |min| min.min(length)));
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// The longest, exact; zero of none.
    pub fn max(&self) -> Span {
        self.max
    }

    /// The shortest, exact; `None` of none.
    pub fn min(&self) -> Option<Span> {
        self.min
    }

    /// Their sum in nanoseconds.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The same in nanoseconds, so that runs can be merged; `None` of none.
    pub fn histogram(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_ref()
    }

    /// A quantile between 0 and 1, within 0.1 %; zero of none.
    pub fn at(&self, quantile: f64) -> Span {
        let value = |histogram: &Histogram<u64>| histogram.value_at_quantile(quantile);
        // A percentile is reported as its bucket's upper end, which may lie above the maximum.
        Span::nanos(self.histogram.as_ref().map_or(0, value).min(self.max.as_nanos()))
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Lengths) {
        let Some(histogram) = &other.histogram else { return };
        let ours = self.histogram.get_or_insert_with(empty);
        ours.add(histogram).expect("the histogram grows as needed");
        self.sum += other.sum;
        self.max = self.max.max(other.max);
        self.min = [self.min, other.min].into_iter().flatten().min();
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

/// Latencies, by how they ended.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// Of what ended in success.
    pub succeeded: Lengths,
    /// Of what ended otherwise: in a definite failure, or in doubt.
    pub failed: Lengths,
    /// Of what has not ended: for how long it has waited.
    pub open: Lengths,
}

impl Latencies {
    /// How many, of all three.
    pub fn count(&self) -> u64 {
        self.succeeded.count() + self.failed.count() + self.open.count()
    }

    /// The latency of success: what has not ended may still succeed, and is at least so long.
    pub fn of_success(&self) -> Option<Latency> {
        Latency::of(&self.succeeded, &self.open)
    }

    /// What succeeded and what is open together, and the shortest of what is open.
    pub(crate) fn succeeded_and_open(&self) -> (Lengths, Option<Span>) {
        let mut all = self.succeeded.clone();
        all.merge(&self.open);
        (all, self.open.min())
    }

    /// The latency of failure.
    pub fn of_failure(&self) -> Option<Latency> {
        Latency::of(&self.failed, &Lengths::default())
    }
}

/// A distribution of latencies.
///
/// Where some are still open, they count as long as they have waited. So all figures are bounds
/// from below then, and those below [`open_from`](Latency::open_from) are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Number of samples, the open ones included.
    pub count: u64,
    /// Exact mean.
    pub mean: Span,
    /// Median, as all percentiles within 0.1 %.
    pub p50: Span,
    /// 90th percentile.
    pub p90: Span,
    /// 99th percentile.
    pub p99: Span,
    /// 99.9th percentile.
    pub p999: Span,
    /// Longest, exact.
    pub max: Span,
    /// How many of the samples have not ended.
    pub open: u64,
    /// The shortest of those; a percentile from here on is "at least".
    pub open_from: Option<Span>,
}

impl Latency {
    /// What has ended and what has not, together; `None` of neither.
    pub fn of(ended: &Lengths, open: &Lengths) -> Option<Latency> {
        let mut all = ended.clone();
        if open.count() > 0 {
            all.merge(open);
        }
        let count = all.count();
        let mean = all.sum.checked_div(u128::from(count))?;
        Some(Latency {
            count,
            mean: Span::nanos(u64::try_from(mean).expect("a mean of u64s")),
            p50: all.at(0.5),
            p90: all.at(0.9),
            p99: all.at(0.99),
            p999: all.at(0.999),
            max: all.max,
            open: open.count(),
            open_from: open.min(),
        })
    }

    /// Whether a figure of it is known from below only, since what is still open may outlast it.
    pub fn is_bound(&self, figure: Span) -> bool {
        self.open_from.is_some_and(|open| open <= figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(ms: impl IntoIterator<Item = u64>) -> Lengths {
        let mut lengths = Lengths::default();
        ms.into_iter().for_each(|ms| lengths.add(Span::millis(ms)));
        lengths
    }

    #[test]
    fn who_still_waits_is_in_the_percentiles_as_at_least() {
        let latencies = Latencies {
            succeeded: lengths([10; 90]),
            open: lengths(2000..2010),
            ..Latencies::default()
        };
        let latency = latencies.of_success().unwrap();
        assert_eq!((latency.count, latency.open), (100, 10));
        assert!(!latency.is_bound(latency.p90), "ninety have ended");
        assert!(latency.p99 >= Span::secs(2) && latency.is_bound(latency.p99));
        assert_eq!(latencies.of_failure(), None);
    }
}
