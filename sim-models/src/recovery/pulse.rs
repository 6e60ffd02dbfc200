//! The pulse of a run: small slots of equal length that can be added up to any stretch of time.
//!
//! A chart's windows hold percentiles, which cannot be added up. A slot holds counts only, its
//! latencies in buckets less than 1 % wide, so that any stretch has its median.

use std::{iter, mem};

use sim_core::{Span, Time};

use crate::plan::{ActorId, ActorKind, Plan};

/// A hold of 30 s is looked at by the second.
const SLOTS_PER_HOLD: u64 = 30;

/// Bounds memory: a slot's latencies take a few hundred bytes.
const SLOTS_MAX: u64 = 20_000;

/// The upper bits of a latency that its bucket keeps: 128 buckets per factor of two.
const BITS: u32 = 7;

/// Buckets that a `u64` can fall into.
pub(crate) const BUCKETS: usize = ((64 - BITS as usize) << BITS) + (1 << BITS);

/// What happened per slot.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// The length of a slot; slot `i` covers `[i × grain, (i + 1) × grain)`.
    pub grain: Span,
    /// What the intents of all clients came to.
    pub all: Track,
    /// The same of each client, by name, where there are several.
    pub clients: Vec<(String, Track)>,
    /// What went through each service, in the scenario's order, per slot that has ended.
    pub flows: Vec<Vec<Flow>>,
    /// How long an intent may be without an answer before it counts as unanswered.
    unanswered_after: Span,
    flow: Vec<Flow>,
    /// By actor: where its flow stands in a slot, if it is a service.
    services: Vec<Option<usize>>,
    /// By actor: where its track stands, if it is one of several clients.
    tracks: Vec<Option<usize>>,
    /// By actor: a client whose users come again only when they were answered.
    returning: Vec<bool>,
}

/// What the intents of some clients came to, per slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// Until when a population comes; `None` without one.
    pub population: Option<Time>,
    /// Those that have ended.
    pub slots: Vec<Slot>,
    current: Slot,
    latencies: Vec<u16>,
}

/// What happened in one slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    /// Intents that arose.
    pub offered: u32,
    /// Those of them that arose in a population: who hangs raises no further one.
    pub returning: u32,
    /// Those of `offered` that have no answer yet.
    open: u32,
    /// Intents that are without an answer for too long, at the slot's end. Until the
    /// pulse is finished: by how many they have become more.
    pub unanswered: i32,
    /// Intents whose user saw success for the first time.
    pub goodput: u32,
    /// Intents that ended without success.
    pub missed: u32,
    /// Latencies of the submissions that succeeded: bucket and count.
    pub latencies: Vec<(u16, u32)>,
}

/// What went through a service in one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    /// Requests that arrived.
    pub arrived: u32,
    /// Requests that were worked on and answered well, whether or not anybody still waited.
    pub completed: u32,
    /// Requests that wait for a worker, at the slot's end.
    pub waiting: u32,
}

impl Pulse {
    pub(crate) fn new(plan: &Plan) -> Pulse {
        let finest = plan.horizon.as_nanos() / SLOTS_MAX;
        let grain = (plan.recovery.hold.as_nanos() / SLOTS_PER_HOLD).max(finest).max(1);
        let place = |is: fn(&ActorKind) -> bool| -> Vec<Option<usize>> {
            let mut count = 0..;
            plan.actors.iter().map(|a| is(&a.kind).then(|| count.next()).flatten()).collect()
        };
        let services = place(|kind| matches!(kind, ActorKind::Service(_)));
        let mut tracks = place(|kind| matches!(kind, ActorKind::Client(_)));
        if tracks.iter().flatten().count() < 2 {
            tracks.fill(None);
        }
        let population = |kind: &ActorKind| match kind {
            ActorKind::Client(client) => client.load.population_until(),
            _ => None,
        };
        let track = |until: Option<Span>| Track {
            population: until.map(|until| Time::ZERO + until),
            ..Track::default()
        };
        let clients = plan.actors.iter().zip(&tracks).filter(|(_, track)| track.is_some());
        Pulse {
            grain: Span::nanos(grain),
            all: Track { population: plan.populations_until(), ..Track::default() },
            clients: clients.map(|(a, _)| (a.name.clone(), track(population(&a.kind)))).collect(),
            flows: Vec::new(),
            unanswered_after: plan.recovery.unanswered_after,
            flow: vec![Flow::default(); services.iter().flatten().count()],
            services,
            tracks,
            returning: plan.actors.iter().map(|a| population(&a.kind).is_some()).collect(),
        }
    }

    /// An intent arose.
    pub(crate) fn offered(&mut self, client: ActorId, now: Time) {
        let (n, returns) = (self.slot(now), u32::from(self.returning[client.index()]));
        self.tracks(client).for_each(|track| {
            let slot = track.at(n);
            slot.offered += 1;
            slot.open += 1;
            slot.returning += returns;
        });
    }

    /// An intent's user saw success for the first time.
    pub(crate) fn achieved(&mut self, client: ActorId, begun: Time, now: Time) {
        let n = self.slot(now);
        self.tracks(client).for_each(|track| track.at(n).goodput += 1);
        self.answered(client, begun, now);
    }

    /// An intent ended without success.
    pub(crate) fn missed(&mut self, client: ActorId, begun: Time, now: Time) {
        let n = self.slot(now);
        self.tracks(client).for_each(|track| track.at(n).missed += 1);
        self.answered(client, begun, now);
    }

    fn answered(&mut self, client: ActorId, begun: Time, now: Time) {
        let due = begun + self.unanswered_after;
        let late = (now > due).then(|| self.slot(due));
        let (n, begun) = (self.slot(now), self.slot(begun));
        self.tracks(client).for_each(|track| {
            track.of(begun).open -= 1;
            if let Some(late) = late {
                track.of(late).unanswered += 1;
                track.of(n).unanswered -= 1;
            }
        });
    }

    /// A submission succeeded.
    pub(crate) fn succeeded(&mut self, client: ActorId, latency: Span, now: Time) {
        let n = self.slot(now);
        self.tracks(client).for_each(|track| {
            track.at(n);
            track.latencies.push(bucket(latency));
        });
    }

    pub(crate) fn arrived(&mut self, actor: ActorId, now: Time) {
        if let Some(flow) = self.flow(actor, now) {
            flow.arrived += 1;
        }
    }

    pub(crate) fn completed(&mut self, actor: ActorId, now: Time) {
        if let Some(flow) = self.flow(actor, now) {
            flow.completed += 1;
        }
    }

    pub(crate) fn waiting(&mut self, actor: ActorId, waiting: u32, now: Time) {
        if let Some(flow) = self.flow(actor, now) {
            flow.waiting = waiting;
        }
    }

    /// The slots that have ended by `end`; one that is cut short is left out.
    pub(crate) fn finish(mut self, end: Time) -> Pulse {
        let (count, late) = (self.slot(end), self.unanswered_after.as_nanos());
        let late = usize::try_from(late.div_ceil(self.grain.as_nanos())).unwrap_or(usize::MAX);
        self.close(count);
        self.flows.truncate(count);
        self.each().for_each(|track| track.finish(count, late));
        self
    }

    /// Moves what succeeded from some instant on to the slot in which it began, or to the first of
    /// them if it began before: from then on a stretch says how those fare who come in it.
    pub(crate) fn by_beginning(&mut self, from: Time) {
        let (from, grain) = (self.slot(from), self.grain);
        self.each().for_each(|track| track.by_beginning(from, grain));
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Track> {
        iter::once(&mut self.all).chain(self.clients.iter_mut().map(|(_, track)| track))
    }

    /// Where a client counts.
    fn tracks(&mut self, client: ActorId) -> impl Iterator<Item = &mut Track> {
        let own = self.tracks[client.index()].map(|n| &mut self.clients[n].1);
        iter::once(&mut self.all).chain(own)
    }

    fn slot(&self, at: Time) -> usize {
        usize::try_from(at.as_nanos() / self.grain.as_nanos()).unwrap_or(usize::MAX)
    }

    fn flow(&mut self, actor: ActorId, now: Time) -> Option<&mut Flow> {
        let n = self.services[actor.index()]?;
        self.close(self.slot(now));
        Some(&mut self.flow[n])
    }

    /// Closes the flows of the slots before one.
    fn close(&mut self, to: usize) {
        while self.flows.len() < to {
            let next = self.flow.iter().map(|f| Flow { waiting: f.waiting, ..Flow::default() });
            let next = next.collect();
            self.flows.push(mem::replace(&mut self.flow, next));
        }
    }
}

impl Track {
    /// A slot that is not to come.
    fn of(&mut self, n: usize) -> &mut Slot {
        self.slots.get_mut(n).unwrap_or(&mut self.current)
    }

    /// The slot of now; those before it are closed.
    fn at(&mut self, n: usize) -> &mut Slot {
        if self.slots.len() < n {
            self.close(n);
        }
        &mut self.current
    }

    #[cold]
    fn close(&mut self, to: usize) {
        while self.slots.len() < to {
            let mut slot = mem::take(&mut self.current);
            self.latencies.sort_unstable();
            for &bucket in &self.latencies {
                match slot.latencies.last_mut() {
                    Some((last, count)) if *last == bucket => *count += 1,
                    _ => slot.latencies.push((bucket, 1)),
                }
            }
            self.latencies.clear();
            self.slots.push(slot);
        }
    }

    /// Keeps so many slots, and sums up who is unanswered: who has been without an answer for so
    /// many slots, and was counted as open only.
    fn finish(&mut self, count: usize, late: usize) {
        self.at(count);
        self.slots.truncate(count);
        let mut unanswered = 0;
        for n in 0..self.slots.len() {
            let still_open = n.checked_sub(late).map_or(0, |begun| self.slots[begun].open);
            let slot = &mut self.slots[n];
            unanswered += slot.unanswered + still_open.cast_signed();
            slot.unanswered = unanswered;
        }
    }

    fn by_beginning(&mut self, from: usize, grain: Span) {
        let mut moved = vec![Vec::new(); self.slots.len().saturating_sub(from)];
        for (n, slot) in self.slots.iter_mut().enumerate().skip(from) {
            for (bucket, count) in slot.latencies.drain(..) {
                let ago = latency(bucket.into()).as_nanos() / grain.as_nanos();
                let begun = n.saturating_sub(usize::try_from(ago).unwrap_or(usize::MAX));
                moved[begun.max(from) - from].push((bucket, count));
            }
        }
        for (slot, latencies) in self.slots.iter_mut().skip(from).zip(moved) {
            slot.latencies = latencies;
        }
    }
}

/// The bucket of a latency: the latency itself while it is small, else its upper bits.
pub(crate) fn bucket(latency: Span) -> u16 {
    let nanos = latency.as_nanos();
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(BITS + 1);
    let index = (u64::from(shift) << BITS) + (nanos >> shift);
    u16::try_from(index).expect("fewer buckets than that")
}

/// The middle of a bucket.
pub(crate) fn latency(bucket: usize) -> Span {
    let shift = (bucket >> BITS).saturating_sub(1);
    let upper = (bucket - (shift << BITS)) as u64;
    Span::nanos((upper << shift) + (1 << shift) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_tells_its_latency_within_a_percent() {
        for nanos in (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) + (1 << bit) / 3, 3]) {
            for nanos in [nanos, nanos - 1, u64::MAX - nanos] {
                let bucket = usize::from(bucket(Span::nanos(nanos)));
                let told = latency(bucket).as_nanos();
                assert!(bucket < BUCKETS, "{nanos}");
                assert!(told.abs_diff(nanos) <= nanos / 128 + 1, "{nanos} told as {told}");
            }
        }
    }

    #[test]
    fn buckets_are_in_the_order_of_latencies() {
        let told: Vec<Span> = (0..BUCKETS).map(latency).collect();
        assert!(told.is_sorted(), "{told:?}");
    }
}
