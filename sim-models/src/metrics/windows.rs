//! Windows of time for the charts: counts, percentiles and attempts.
//!
//! Windows close in time order, and only the last one is open, so that one buffer of latencies
//! serves them all and their percentiles are exact.

use sim_core::{Span, Time};

use crate::outcome::Series;
use crate::plan::{PairId, Plan};

/// All windows up to the present one.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    width: Span,
    closed: Vec<Window>,
    open: Window,
    /// Latencies of the open window's successes.
    latencies: Vec<Span>,
}

/// What happened in one window.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    pub(super) offered: u32,
    pub(super) goodput: u32,
    pub(super) failed: u32,
    pub(super) retries: u32,
    latency_p50: Option<Span>,
    latency_p99: Option<Span>,
    /// By pair.
    hops: Vec<Hop>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    calls: u32,
    attempts: u32,
}

impl Windows {
    pub(super) fn new(width: Span, pairs: usize) -> Windows {
        let open = Window::opening(pairs);
        Windows { width, closed: Vec::new(), open, latencies: Vec::new() }
    }

    /// The window of `now`; those before it are closed.
    pub(super) fn at(&mut self, now: Time) -> &mut Window {
        let end = (self.closed.len() as u64 + 1).saturating_mul(self.width.as_nanos());
        if now.as_nanos() >= end {
            self.advance(now.as_nanos() / self.width.as_nanos());
        }
        &mut self.open
    }

    /// A submission has succeeded.
    pub(super) fn succeeded(&mut self, latency: Span, now: Time) {
        self.at(now);
        self.latencies.push(latency);
    }

    pub(super) fn called(&mut self, pair: PairId, now: Time) {
        self.at(now).hops[pair.index()].calls += 1;
    }

    /// A call of this window, or of an earlier one, goes to another host.
    pub(super) fn call_moved(&mut self, from: PairId, to: PairId, now: Time) {
        let hops = &mut self.at(now).hops;
        if let Some(calls) = hops[from.index()].calls.checked_sub(1) {
            hops[from.index()].calls = calls;
            hops[to.index()].calls += 1;
        }
    }

    pub(super) fn sent(&mut self, pair: PairId, now: Time) {
        self.at(now).hops[pair.index()].attempts += 1;
    }

    /// All windows up to the end, without levels: those are kept elsewhere.
    pub(super) fn finish(mut self, plan: &Plan, end: Time) -> Series {
        self.close(end);
        let column = |get: fn(&Window) -> u32| self.closed.iter().map(get).collect();
        let pairs = (0..plan.pairs.len()).map(PairId::nth);
        Series {
            width: self.width,
            offered: column(|w| w.offered),
            goodput: column(|w| w.goodput),
            failed: column(|w| w.failed),
            retries: column(|w| w.retries),
            latency_p50: self.closed.iter().map(|w| w.latency_p50).collect(),
            latency_p99: self.closed.iter().map(|w| w.latency_p99).collect(),
            levels: Vec::new(),
            amplification: pairs.map(|p| (plan.pair_name(p), self.amplification(p))).collect(),
        }
    }

    /// Closes all windows up to the end of the run.
    fn close(&mut self, end: Time) {
        // A run that ends at a window's boundary does not begin the next one, except for what
        // happened at that very instant.
        let whole = end.as_nanos().div_ceil(self.width.as_nanos());
        let touched = self.closed.len() as u64 + u64::from(self.open.is_touched());
        self.advance(whole.max(touched));
    }

    /// Attempts per call of a hop in each window; `None` where nothing was called.
    fn amplification(&self, pair: PairId) -> Vec<Option<f64>> {
        let ratio = |window: &Window| {
            let Hop { calls, attempts } = window.hops[pair.index()];
            (calls > 0).then(|| f64::from(attempts) / f64::from(calls))
        };
        self.closed.iter().map(ratio).collect()
    }

    /// Closes windows until so many are.
    #[cold]
    fn advance(&mut self, to: u64) {
        while (self.closed.len() as u64) < to {
            self.open.latency_p50 = percentile(&mut self.latencies, 0.5);
            self.open.latency_p99 = percentile(&mut self.latencies, 0.99);
            self.latencies.clear();
            let next = Window::opening(self.open.hops.len());
            self.closed.push(std::mem::replace(&mut self.open, next));
        }
    }
}

impl Window {
    fn opening(pairs: usize) -> Window {
        Window { hops: vec![Hop::default(); pairs], ..Window::default() }
    }

    fn is_touched(&self) -> bool {
        self.offered + self.goodput + self.failed + self.retries > 0
    }
}

/// The nearest-rank percentile of unsorted samples.
fn percentile(samples: &mut [Span], quantile: f64) -> Option<Span> {
    let rank = (samples.len() as f64 * quantile).ceil() as usize;
    let index = rank.max(1) - 1;
    (!samples.is_empty()).then(|| *samples.select_nth_unstable(index).1)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::millis(ms)
    }

    /// Windows of 10 ms over one hop.
    fn windows() -> Windows {
        Windows::new(Span::millis(10), 1)
    }

    #[test]
    fn amplification_is_told_per_window() {
        let (pair, mut windows) = (PairId::nth(0), windows());
        windows.called(pair, at(1));
        windows.sent(pair, at(1));
        windows.sent(pair, at(9));
        windows.sent(pair, at(12));
        windows.close(at(20));
        assert_eq!(windows.amplification(pair), [Some(2.0), None]);
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_least_sample_that_its_share_does_not_exceed(
            samples in vec(0..30u64, 1..400), percent in prop_oneof![Just(50usize), Just(99)],
        ) {
            let mut spans: Vec<Span> = samples.iter().copied().map(Span::millis).collect();
            let found = percentile(&mut spans, percent as f64 / 100.0).expect("samples");
            let up_to = |most: u64| samples.iter().filter(|sample| **sample <= most).count() * 100;
            let wanted = samples.len() * percent;
            let least = samples.iter().copied().filter(|sample| up_to(*sample) >= wanted).min();
            prop_assert_eq!(Some(found), least.map(Span::millis));
        }
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut samples: Vec<Span> = (1..=100).rev().map(Span::millis).collect();
        assert_eq!(percentile(&mut samples, 0.5), Some(Span::millis(50)));
        assert_eq!(percentile(&mut samples, 0.99), Some(Span::millis(99)));
        assert_eq!(percentile(&mut [], 0.5), None);
    }
}
