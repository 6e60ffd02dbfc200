//! Windows of time for the charts: counts, percentiles, queues, busy workers and attempts.
//!
//! Windows close in time order, and only the last one is open, so that one buffer of latencies
//! serves them all and their percentiles are exact.

use sim_core::{Span, Time};

use super::Level;
use crate::outcome::Series;
use crate::plan::{ActorId, PairId, Plan};

/// All windows up to the present one.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    width: Span,
    closed: Vec<Window>,
    open: Window,
    /// Latencies of the open window's successes.
    latencies: Vec<Span>,
    /// Per actor: what it holds, if it is a service.
    services: Vec<Option<Held>>,
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
    /// By actor.
    queue_len_max: Vec<u32>,
    /// By actor, in worker-nanoseconds.
    busy: Vec<u64>,
    /// By pair.
    hops: Vec<Hop>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    calls: u32,
    attempts: u32,
}

/// What a service holds, and since when that is in its window.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    waiting: u32,
    busy: u32,
    since: Time,
}

impl Held {
    /// The worker-nanoseconds from when they were last asked for.
    fn settle(&mut self, now: Time) -> u64 {
        let length = now.since(self.since).as_nanos();
        self.since = now;
        u64::from(self.busy).saturating_mul(length)
    }
}

impl Windows {
    pub(super) fn new(width: Span, is_service: Vec<bool>, pairs: usize) -> Windows {
        let services = is_service.iter().map(|is| is.then(Held::default)).collect();
        let (closed, latencies) = (Vec::new(), Vec::new());
        let mut windows = Windows { width, closed, open: Window::default(), latencies, services };
        windows.open = windows.opening(pairs);
        windows
    }

    /// The window of `now`; those before it are closed.
    pub(super) fn at(&mut self, now: Time) -> &mut Window {
        let end = (self.closed.len() as u64 + 1).saturating_mul(self.width.as_nanos());
        if now.as_nanos() >= end {
            self.advance(now.as_nanos() / self.width.as_nanos(), now);
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

    /// A service holds more or less than before.
    pub(super) fn level(&mut self, actor: ActorId, level: Level, now: Time) {
        self.at(now);
        let n = actor.index();
        let Some(held) = &mut self.services[n] else { return };
        let area = &mut self.open.busy[n];
        *area = area.saturating_add(held.settle(now));
        (held.waiting, held.busy) = (level.waiting, level.busy);
        let longest = &mut self.open.queue_len_max[n];
        *longest = level.waiting.max(*longest);
    }

    pub(super) fn finish(mut self, plan: &Plan, end: Time) -> Series {
        self.close(end);
        let column = |get: fn(&Window) -> u32| self.closed.iter().map(get).collect();
        let names = plan.actors.iter().map(|actor| actor.name.clone()).enumerate();
        let services = || names.clone().filter(|(n, _)| self.services[*n].is_some());
        let longest = |n: usize| self.closed.iter().map(|w| w.queue_len_max[n]).collect();
        let pairs = (0..plan.pairs.len()).map(PairId::nth);
        Series {
            width: self.width,
            offered: column(|w| w.offered),
            goodput: column(|w| w.goodput),
            failed: column(|w| w.failed),
            retries: column(|w| w.retries),
            latency_p50: self.closed.iter().map(|w| w.latency_p50).collect(),
            latency_p99: self.closed.iter().map(|w| w.latency_p99).collect(),
            queue_len_max: services().map(|(n, name)| (name, longest(n))).collect(),
            busy: services().map(|(n, name)| (name, self.busy(n, end))).collect(),
            amplification: pairs.map(|p| (plan.pair_name(p), self.amplification(p))).collect(),
        }
    }

    /// Closes all windows up to the end of the run.
    fn close(&mut self, end: Time) {
        // A run that ends at a window's boundary does not begin the next one, except for what
        // happened at that very instant.
        let whole = end.as_nanos().div_ceil(self.width.as_nanos());
        let touched = self.closed.len() as u64 + u64::from(self.open.is_touched());
        self.advance(whole.max(touched), end);
    }

    /// Busy workers of a service in each window, on average; the last one may end early.
    fn busy(&self, service: usize, end: Time) -> Vec<f64> {
        let mean = |(n, window): (usize, &Window)| {
            let begun = Time::ZERO + self.width * n as u64;
            let length = self.width.min(end.max(begun).since(begun)).as_nanos().max(1);
            window.busy[service] as f64 / length as f64
        };
        self.closed.iter().enumerate().map(mean).collect()
    }

    /// Attempts per call of a hop in each window; `None` where nothing was called.
    fn amplification(&self, pair: PairId) -> Vec<Option<f64>> {
        let ratio = |window: &Window| {
            let Hop { calls, attempts } = window.hops[pair.index()];
            (calls > 0).then(|| f64::from(attempts) / f64::from(calls))
        };
        self.closed.iter().map(ratio).collect()
    }

    /// Closes windows until so many are; nothing is known beyond `now`.
    #[cold]
    fn advance(&mut self, to: u64, now: Time) {
        while (self.closed.len() as u64) < to {
            let end = Time::ZERO + self.width * (self.closed.len() as u64 + 1);
            for (held, area) in self.services.iter_mut().zip(&mut self.open.busy) {
                if let Some(held) = held {
                    *area = area.saturating_add(held.settle(end.min(now).max(held.since)));
                }
            }
            self.open.latency_p50 = percentile(&mut self.latencies, 0.5);
            self.open.latency_p99 = percentile(&mut self.latencies, 0.99);
            self.latencies.clear();
            let next = self.opening(self.open.hops.len());
            self.closed.push(std::mem::replace(&mut self.open, next));
        }
    }

    /// A window that begins with queues as they are.
    fn opening(&self, pairs: usize) -> Window {
        let services = self.services.iter();
        Window {
            queue_len_max: services.map(|held| held.map_or(0, |held| held.waiting)).collect(),
            busy: vec![0; self.services.len()],
            hops: vec![Hop::default(); pairs],
            ..Window::default()
        }
    }
}

impl Window {
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

    /// Windows of 10 ms over one service and one hop.
    fn windows() -> Windows {
        Windows::new(Span::millis(10), vec![true], 1)
    }

    #[test]
    fn busy_workers_are_averaged_over_each_window() {
        let mut windows = windows();
        let mut change = |busy, ms| {
            let level = Level { busy, ..Level::default() };
            windows.level(ActorId::nth(0), level, at(ms));
        };
        change(1, 5);
        change(3, 8);
        change(0, 22);
        let means = |end: Time| {
            let mut windows = windows.clone();
            windows.close(end);
            windows.busy(0, end)
        };
        assert_eq!(means(at(25)), [0.9, 3.0, 1.2], "the last ends half-way");
        assert_eq!(means(at(40)), [0.9, 3.0, 0.6, 0.0]);
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
