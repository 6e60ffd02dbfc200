//! What charts show beside the counts of clients: busy workers and amplification per window.

use sim_core::{Span, Time};

use crate::plan::{ActorId, PairId};

/// Attempts and calls per hop and window.
#[derive(Clone, Debug)]
pub(super) struct HopWindows {
    width: Span,
    closed: Vec<Vec<Hop>>,
    open: Vec<Hop>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    calls: u32,
    attempts: u32,
}

impl HopWindows {
    pub(super) fn new(width: Span, hops: usize) -> HopWindows {
        HopWindows { width, closed: Vec::new(), open: vec![Hop::default(); hops] }
    }

    pub(super) fn called(&mut self, pair: PairId, now: Time) {
        self.at(now)[pair.index()].calls += 1;
    }

    pub(super) fn sent(&mut self, pair: PairId, now: Time) {
        self.at(now)[pair.index()].attempts += 1;
    }

    /// By hop: attempts per call in each of so many windows; `None` where nothing was called.
    pub(super) fn amplification(mut self, windows: usize) -> Vec<Vec<Option<f64>>> {
        self.advance(windows as u64);
        let ratio =
            |hop: Hop| (hop.calls > 0).then(|| f64::from(hop.attempts) / f64::from(hop.calls));
        let hops = 0..self.open.len();
        hops.map(|n| self.closed[..windows].iter().map(|window| ratio(window[n])).collect())
            .collect()
    }

    fn at(&mut self, now: Time) -> &mut [Hop] {
        self.advance(now.as_nanos() / self.width.as_nanos());
        &mut self.open
    }

    fn advance(&mut self, to: u64) {
        while (self.closed.len() as u64) < to {
            let next = vec![Hop::default(); self.open.len()];
            self.closed.push(std::mem::replace(&mut self.open, next));
        }
    }
}

/// How many workers were busy, averaged over each window.
#[derive(Clone, Debug)]
pub(super) struct BusyWindows {
    width: Span,
    /// By window and actor, in worker-nanoseconds.
    closed: Vec<Vec<u64>>,
    /// By actor.
    open: Vec<Busy>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Busy {
    workers: u32,
    since: Time,
    area: u64,
}

impl Busy {
    fn settle(&mut self, now: Time) {
        let area = u64::from(self.workers).saturating_mul(now.since(self.since).as_nanos());
        self.area = self.area.saturating_add(area);
        self.since = now;
    }
}

impl BusyWindows {
    pub(super) fn new(width: Span, actors: usize) -> BusyWindows {
        BusyWindows { width, closed: Vec::new(), open: vec![Busy::default(); actors] }
    }

    /// From `now` on, so many workers are busy.
    pub(super) fn change(&mut self, actor: ActorId, workers: u32, now: Time) {
        self.advance(now.as_nanos() / self.width.as_nanos());
        let busy = &mut self.open[actor.index()];
        busy.settle(now);
        busy.workers = workers;
    }

    /// By actor: busy workers in each of so many windows, the last of which may end early.
    pub(super) fn means(mut self, windows: usize, end: Time) -> Vec<Vec<f64>> {
        self.advance((windows as u64).saturating_sub(1));
        self.open.iter_mut().for_each(|busy| busy.settle(end.max(busy.since)));
        self.closed.push(self.open.iter().map(|busy| busy.area).collect());
        let width = |n: usize| {
            let begun = Time::ZERO + self.width * n as u64;
            self.width.min(end.max(begun).since(begun)).as_nanos().max(1)
        };
        let mean = |n: usize, actor: usize| self.closed[n][actor] as f64 / width(n) as f64;
        let actors = 0..self.open.len();
        actors.map(|actor| (0..windows).map(|n| mean(n, actor)).collect()).collect()
    }

    fn advance(&mut self, to: u64) {
        while (self.closed.len() as u64) < to {
            let end = Time::ZERO + self.width * (self.closed.len() as u64 + 1);
            let areas = self.open.iter_mut().map(|busy| {
                busy.settle(end);
                std::mem::take(&mut busy.area)
            });
            self.closed.push(areas.collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::millis(ms)
    }

    #[test]
    fn busy_workers_are_averaged_over_each_window() {
        let (actor, mut busy) = (ActorId::nth(0), BusyWindows::new(Span::millis(10), 1));
        busy.change(actor, 1, at(5));
        busy.change(actor, 3, at(8));
        busy.change(actor, 0, at(22));
        assert_eq!(busy.clone().means(3, at(25)), [[0.9, 3.0, 1.2]], "the last ends half-way");
        assert_eq!(busy.means(4, at(40)), [[0.9, 3.0, 0.6, 0.0]]);
    }

    #[test]
    fn amplification_is_told_per_window() {
        let (pair, mut hops) = (PairId::nth(0), HopWindows::new(Span::millis(10), 1));
        hops.called(pair, at(1));
        hops.sent(pair, at(1));
        hops.sent(pair, at(9));
        hops.sent(pair, at(12));
        assert_eq!(hops.amplification(2), [[Some(2.0), None]]);
    }
}
