//! Windows of time for the charts: counts, percentiles, attempts and wasted work.
//!
//! Windows close in time order, and only the last one is open, so that one buffer of latencies a
//! client serves them all and their percentiles are exact. What counts where its intent arose goes
//! to a window that may be closed.

use sim_core::{Span, Time};

use sim_policies::Fate;

use super::Endings;
use crate::outcome::{ClientSeries, EndingSeries, HopEnding, Series};
use crate::plan::{ActorId, ActorKind, ActorPlan, PairId, Plan};

/// All windows up to the present one.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    width: Span,
    closed: Vec<Window>,
    open: Window,
    /// Per actor: its place among the clients, if it is one.
    clients: Vec<Option<usize>>,
    /// Per client: how long those took that ended in the open window.
    lengths: Vec<Lengths>,
}

/// What happened in one window.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    pub(super) retries: u32,
    /// Of all clients.
    took: Took,
    /// By client.
    clients: Vec<OfClient>,
    /// By actor, in worker-nanoseconds.
    wasted: Vec<u64>,
    /// By pair.
    hops: Vec<Hop>,
    /// By place among all endings, as many as there were then.
    endings: Vec<u32>,
}

/// What a client's users got in one window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfClient {
    pub(super) offered: u32,
    pub(super) goodput: u32,
    pub(super) degraded: u32,
    pub(super) failed: u32,
    /// Of those that arose in the window, however late they were told.
    told: u32,
    took: Took,
}

/// How long successes and failures took: median and 99th percentile.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    succeeded: [Option<Span>; 2],
    failed: [Option<Span>; 2],
}

/// How long submissions took, by how they ended.
#[derive(Clone, Debug, Default)]
struct Lengths {
    succeeded: Vec<Span>,
    failed: Vec<Span>,
}

impl Lengths {
    fn took(&mut self) -> Took {
        let percentiles = |of: &mut Vec<Span>| [0.5, 0.99].map(|share| percentile(of, share));
        Took { succeeded: percentiles(&mut self.succeeded), failed: percentiles(&mut self.failed) }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    calls: u32,
    attempts: u32,
    /// Sent for intents that arose in the window, whenever that was.
    for_intents: u32,
}

impl Windows {
    pub(super) fn new(plan: &Plan) -> Windows {
        let is_client = |actor: &ActorPlan| matches!(actor.kind, ActorKind::Client(_));
        let is_client = plan.actors.iter().map(is_client).collect();
        Windows::over(plan.window, is_client, plan.pairs.len())
    }

    /// Windows over so many pairs of actors, each of which is a client or not.
    fn over(width: Span, is_client: Vec<bool>, pairs: usize) -> Windows {
        let mut places = 0..;
        let place = |is: bool| is.then(|| places.next()).flatten();
        let clients: Vec<_> = is_client.into_iter().map(place).collect();
        let mut windows = Windows {
            width,
            closed: Vec::new(),
            open: Window::default(),
            lengths: vec![Lengths::default(); clients.iter().flatten().count()],
            clients,
        };
        windows.open = windows.opening(pairs);
        windows
    }

    /// The window of `now`; those before it are closed.
    pub(super) fn at(&mut self, now: Time) -> &mut Window {
        let end = (self.closed.len() as u64 + 1).saturating_mul(self.width.as_nanos());
        if now.as_nanos() >= end {
            self.advance(now.as_nanos() / self.width.as_nanos());
        }
        &mut self.open
    }

    /// What a client's users get in the window of `now`.
    pub(super) fn of_client(&mut self, client: ActorId, now: Time) -> &mut OfClient {
        let place = self.place(client);
        &mut self.at(now).clients[place]
    }

    fn place(&self, client: ActorId) -> usize {
        self.clients[client.index()].expect("intents are those of clients")
    }

    /// The window of an instant that is not after the open window.
    fn of(&mut self, past: Time) -> Option<&mut Window> {
        let place = past.as_nanos() / self.width.as_nanos();
        let closed = self.closed.len() as u64;
        if place == closed { Some(&mut self.open) } else { self.closed.get_mut(place as usize) }
    }

    /// The user of an intent has been told how it went.
    pub(super) fn told(&mut self, client: ActorId, arose: Time) {
        let place = self.place(client);
        if let Some(window) = self.of(arose) {
            window.clients[place].told += 1;
        }
    }

    /// A submission has ended.
    pub(super) fn ended(&mut self, client: ActorId, fate: Fate, took: Span, now: Time) {
        self.at(now);
        let place = self.place(client);
        let lengths = &mut self.lengths[place];
        match fate {
            Fate::Succeeded => lengths.succeeded.push(took),
            Fate::Failed | Fate::Unknown => lengths.failed.push(took),
        }
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

    /// The same for an intent that arose some time before.
    pub(super) fn sent_for(&mut self, pair: PairId, arose: Time) {
        if let Some(window) = self.of(arose) {
            window.hops[pair.index()].for_intents += 1;
        }
    }

    /// An attempt has ended, or was not sent; it has a place among all endings.
    pub(super) fn attempt_ended(&mut self, place: usize, now: Time) {
        let endings = &mut self.at(now).endings;
        if place >= endings.len() {
            endings.resize(place + 1, 0);
        }
        endings[place] += 1;
    }

    /// A worker's time turns out to have gone into something that nobody wants any more.
    pub(super) fn wasted(&mut self, actor: ActorId, worked: Span, now: Time) {
        let wasted = &mut self.at(now).wasted[actor.index()];
        *wasted = wasted.saturating_add(worked.as_nanos());
    }

    /// All windows up to the end, without what is kept elsewhere: levels, effects, violations.
    pub(super) fn finish(mut self, plan: &Plan, endings: &Endings, end: Time) -> Series {
        self.close(end);
        let took = |get: fn(&Took) -> Option<Span>| self.column(|w| get(&w.took));
        let services = plan.actors.iter().enumerate();
        let services = services.filter(|(_, a)| matches!(a.kind, ActorKind::Service(_)));
        let pairs = || (0..plan.pairs.len()).map(PairId::nth);
        let wasted = |(n, actor): (usize, &ActorPlan)| (actor.name.clone(), self.wasted_in(n, end));
        Series {
            width: self.width,
            offered: self.column(|w| w.all(|client| client.offered)),
            goodput: self.column(|w| w.all(|client| client.goodput)),
            failed: self.column(|w| w.all(|client| client.failed)),
            retries: self.column(|w| w.retries),
            latency_p50: took(|took| took.succeeded[0]),
            latency_p99: took(|took| took.succeeded[1]),
            failed_p50: took(|took| took.failed[0]),
            failed_p99: took(|took| took.failed[1]),
            clients: self.clients(plan),
            levels: Vec::new(),
            wasted: services.map(wasted).collect(),
            amplification: pairs().map(|p| (plan.pair_name(p), self.amplification(p))).collect(),
            requests_per_intent: self.requests_per_intent(plan),
            endings: pairs()
                .map(|p| EndingSeries { hop: plan.pair_name(p), endings: self.endings(endings, p) })
                .collect(),
            effects: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// One value a window.
    fn column<T>(&self, of: impl Fn(&Window) -> T) -> Vec<T> {
        self.closed.iter().map(of).collect()
    }

    /// What each client's users got.
    fn clients(&self, plan: &Plan) -> Vec<ClientSeries> {
        let clients = plan.actors.iter().zip(&self.clients);
        let clients = clients.filter_map(|(actor, place)| Some((actor.name.clone(), (*place)?)));
        let series = |(name, n): (String, usize)| {
            let count = |get: fn(&OfClient) -> u32| self.column(|w| get(&w.clients[n]));
            let took = |get: fn(&Took) -> Option<Span>| self.column(|w| get(&w.clients[n].took));
            ClientSeries {
                name,
                offered: count(|own| own.offered),
                goodput: count(|own| own.goodput),
                degraded: count(|own| own.degraded),
                failed: count(|own| own.failed),
                unanswered: count(|own| own.offered.saturating_sub(own.told)),
                latency_p50: took(|took| took.succeeded[0]),
                latency_p99: took(|took| took.succeeded[1]),
                failed_p50: took(|took| took.failed[0]),
                failed_p99: took(|took| took.failed[1]),
            }
        };
        clients.map(series).collect()
    }

    /// The endings that a hop had.
    fn endings(&self, endings: &Endings, pair: PairId) -> Vec<(HopEnding, Vec<u32>)> {
        let counted = |place: usize| {
            self.column(|w: &Window| w.endings.get(place).copied().unwrap_or_default())
        };
        let known = endings.places_of(pair).into_iter();
        // What is open at the end has no window.
        let ended = known.filter(|(ending, _)| *ending != HopEnding::Open);
        ended.map(|(ending, place)| (ending, counted(place))).collect()
    }

    /// Requests per intent to each actor that is asked and asks nobody itself.
    fn requests_per_intent(&self, plan: &Plan) -> Vec<(String, Vec<Option<f64>>)> {
        let asks = |actor: ActorId| plan.pairs.iter().any(|(from, _)| *from == actor);
        let to = |actor: ActorId| {
            let pairs = plan.pairs.iter().enumerate();
            let to_it = pairs.filter(move |(_, (_, to))| *to == actor);
            to_it.map(|(n, _)| n).collect::<Vec<usize>>()
        };
        let ratio = |pairs: &[usize], window: &Window| {
            let offered = window.all(|client| client.offered);
            let sent: u32 = pairs.iter().map(|pair| window.hops[*pair].for_intents).sum();
            (offered > 0).then(|| f64::from(sent) / f64::from(offered))
        };
        let leaves = (0..plan.actors.len()).map(ActorId::nth).filter(|actor| !asks(*actor));
        let leaves = leaves.map(|leaf| (plan.actor_name(leaf).to_owned(), to(leaf)));
        let asked = leaves.filter(|(_, pairs)| !pairs.is_empty());
        asked.map(|(name, pairs)| (name, self.column(|w| ratio(&pairs, w)))).collect()
    }

    /// Closes all windows up to the end of the run.
    fn close(&mut self, end: Time) {
        // A run that ends at a window's boundary does not begin the next one, except for what
        // happened at that very instant.
        let whole = end.as_nanos().div_ceil(self.width.as_nanos());
        let touched = self.closed.len() as u64 + u64::from(self.open.is_touched());
        self.advance(whole.max(touched));
    }

    /// Workers of a service whose work was wasted, on average; the last window may end early.
    fn wasted_in(&self, service: usize, end: Time) -> Vec<f64> {
        let mean = |(n, window): (usize, &Window)| {
            let begun = Time::ZERO + self.width * n as u64;
            let length = self.width.min(end.max(begun).since(begun)).as_nanos().max(1);
            window.wasted[service] as f64 / length as f64
        };
        self.closed.iter().enumerate().map(mean).collect()
    }

    /// Attempts per call of a hop in each window; `None` where nothing was called.
    fn amplification(&self, pair: PairId) -> Vec<Option<f64>> {
        let ratio = |window: &Window| {
            let Hop { calls, attempts, .. } = window.hops[pair.index()];
            (calls > 0).then(|| f64::from(attempts) / f64::from(calls))
        };
        self.closed.iter().map(ratio).collect()
    }

    /// Closes windows until so many are.
    #[cold]
    fn advance(&mut self, to: u64) {
        while (self.closed.len() as u64) < to {
            self.take_lengths();
            let next = self.opening(self.open.hops.len());
            self.closed.push(std::mem::replace(&mut self.open, next));
        }
    }

    /// The open window's percentiles, of each client and of all.
    fn take_lengths(&mut self) {
        for (lengths, client) in self.lengths.iter_mut().zip(&mut self.open.clients) {
            client.took = lengths.took();
        }
        if let ([_], [only]) = (&self.lengths[..], &self.open.clients[..]) {
            self.open.took = only.took;
        } else {
            let mut all = Lengths::default();
            for lengths in &self.lengths {
                all.succeeded.extend(&lengths.succeeded);
                all.failed.extend(&lengths.failed);
            }
            self.open.took = all.took();
        }
        for Lengths { succeeded, failed } in &mut self.lengths {
            succeeded.clear();
            failed.clear();
        }
    }

    /// A window in which nothing has happened yet.
    fn opening(&self, pairs: usize) -> Window {
        Window {
            wasted: vec![0; self.clients.len()],
            clients: vec![OfClient::default(); self.lengths.len()],
            hops: vec![Hop::default(); pairs],
            ..Window::default()
        }
    }
}

impl Window {
    fn is_touched(&self) -> bool {
        self.retries + self.all(|own| own.offered + own.goodput + own.degraded + own.failed) > 0
    }

    /// The sum over all clients.
    fn all(&self, of: impl Fn(&OfClient) -> u32) -> u32 {
        self.clients.iter().map(of).sum()
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

    /// Windows of 10 ms over a client, a service, and the hop between them.
    fn windows() -> Windows {
        Windows::over(Span::millis(10), vec![true, false], 1)
    }

    #[test]
    fn wasted_work_counts_when_it_turns_out_and_as_workers() {
        let mut windows = windows();
        windows.wasted(ActorId::nth(1), Span::millis(25), at(12));
        windows.wasted(ActorId::nth(1), Span::millis(5), at(24));
        windows.close(at(25));
        assert_eq!(windows.wasted_in(1, at(25)), [0.0, 2.5, 1.0], "the last ends half-way");
    }

    #[test]
    fn who_is_told_late_counts_where_the_intent_arose() {
        let (client, mut windows) = (ActorId::nth(0), windows());
        for ms in [1, 2, 11] {
            windows.of_client(client, at(ms)).offered += 1;
        }
        windows.told(client, at(2));
        windows.sent_for(PairId::nth(0), at(2));
        windows.close(at(20));
        let of = |n: usize| windows.closed[n].clients[0];
        assert_eq!([of(0).told, of(1).told], [1, 0]);
        assert_eq!(windows.closed[0].hops[0].for_intents, 1);
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
