//! What a run counts: totals per actor and per hop, and windows of time for the charts.
//!
//! Metrics only look on. Totals are held in HDR histograms within 0.1 %.

mod endings;
mod gauge;
mod levels;
mod resources;
mod tally;
mod windows;

use std::collections::VecDeque;

use sim_core::{Span, Time};
use sim_policies::breaker::Transition;
use sim_policies::{Ending, Fate, Reason};

use crate::endings::HopEnding;
use crate::outcome::{
    self, ActorSummary, CallSummary, Counter, FaultWindow, Goodput, Latencies, Measured, Series,
    TransitionLine,
};
use crate::plan::{
    self, ActorId, ActorKind, ActorPlan, BreakerId, EndpointId, FaultId, PairId, Plan, QueueId,
    ServiceCacheId, StackId,
};
use crate::recovery::{self, Pulse, Recovery, Terms};
use crate::resource::{Quantity, Resource, ResourceEvent};

use endings::Endings;
pub(crate) use gauge::{Areas, Gauge, Level};
pub(crate) use levels::Amount;
pub(crate) use resources::Door;
pub(crate) use resources::ResourceId;
use resources::Resources;
use tally::Tally;
pub(crate) use tally::Whose;
use windows::Windows;

/// The most transitions that are kept; a breaker that always flaps must not eat memory.
const TRANSITIONS_MAX: usize = 100_000;

/// Everything that a run counts.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// When measuring begins: after the warm-up.
    from: Time,
    /// When it ends: at the horizon.
    until: Time,
    /// For how long who waits then is waited for.
    grace: Span,
    /// The whole of what is measured, then each stretch that a figure asks for.
    tallies: Vec<Tally>,
    /// Submissions that are due from intents that count.
    due: u64,
    actors: Vec<ActorMetrics>,
    /// By actor, then by instance: of services that have several, up to [`INSTANCES_MAX`].
    instances: Vec<Vec<ActorMetrics>>,
    pairs: Vec<PairMetrics>,
    endings: Endings,
    /// When, and by which instance of its caller.
    transitions: Vec<(Time, (BreakerId, u32), Transition)>,
    strikes: Vec<(FaultId, Time, Option<Time>)>,
    windows: Windows,
    resources: Resources,
    /// Kept where recovery can be judged.
    pulse: Option<Pulse>,
}

#[derive(Clone, Debug)]
struct ActorMetrics {
    /// Client: intents.
    intents: u64,
    /// Client: submissions. Others: requests that arrived.
    arrived: u64,
    retries_arrived: u64,
    succeeded: u64,
    failed: u64,
    unknown: u64,
    refused: u64,
    hung: u64,
    waited: u64,
    queue_full: u64,
    too_late: u64,
    not_admitted: u64,
    dropped: u64,
    cancelled: u64,
    queue_len_max: u32,
    peak: Peak,
    peak_retries: Peak,
}

#[derive(Clone, Debug, Default)]
struct PairMetrics {
    calls: u64,
    attempts: u64,
    retries: u64,
    success: u64,
    failed: u64,
    unknown: u64,
    abandoned: u64,
    fallbacks: u64,
    hedges: u64,
    unsafe_retries: u64,
    rejected: Vec<(&'static str, u64)>,
    given_up: Vec<(&'static str, u64)>,
}

/// The most arrivals in any window of a length, wherever the window begins.
#[derive(Clone, Debug)]
pub(crate) struct Peak {
    length: Span,
    recent: VecDeque<Time>,
    max: u64,
}

impl Peak {
    pub(crate) fn new(length: Span) -> Peak {
        Peak { length, recent: VecDeque::new(), max: 0 }
    }

    /// The most arrivals in any window so far.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Counts an arrival; the number in the window that ends with it.
    pub(crate) fn arrive(&mut self, now: Time) -> u64 {
        while self.recent.front().is_some_and(|first| now.since(*first) >= self.length) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let count = self.recent.len() as u64;
        self.max = self.max.max(count);
        count
    }
}

/// An actor, and its instance where one is known.
pub(crate) type At = (ActorId, Option<u32>);

/// What is counted of the caches of a service, and the events of each cache that it adds up.
const CACHE_COUNTERS: [(Counter, ResourceEvent); 6] = [
    (Counter::Hits, ResourceEvent::Hit),
    (Counter::Misses, ResourceEvent::Missed),
    (Counter::Computations, ResourceEvent::Computed),
    (Counter::Coalesced, ResourceEvent::Coalesced),
    (Counter::Early, ResourceEvent::Early),
    (Counter::Evicted, ResourceEvent::Evicted),
];

/// The window in which peaks of arrivals are reported.
pub(crate) const PEAK_WINDOW: Span = Span::millis(100);

impl Metrics {
    pub(crate) fn new(plan: &Plan) -> Metrics {
        let from = Time::ZERO + plan.warmup;
        let whole = std::iter::once(None);
        let stretches = whole.chain(plan.stretches.iter().copied().map(Some));
        Metrics {
            from,
            until: Time::ZERO + plan.horizon,
            grace: plan.grace,
            tallies: stretches.map(|during| Tally::new(plan, during)).collect(),
            due: 0,
            actors: plan.actors.iter().map(|_| ActorMetrics::new()).collect(),
            instances: (0..plan.actors.len())
                .map(|n| plan.instances_apart(ActorId::nth(n)))
                .map(|count| (0..count).map(|_| ActorMetrics::new()).collect())
                .collect(),
            pairs: vec![PairMetrics::default(); plan.pairs.len()],
            endings: Endings::new(plan.pairs.len()),
            transitions: Vec::new(),
            strikes: Vec::new(),
            windows: Windows::new(plan),
            resources: Resources::new(plan),
            pulse: plan.has_trigger().then(|| Pulse::new(plan)),
        }
    }

    pub(crate) fn submitted(&mut self, client: ActorId) {
        self.actors[client.index()].arrived += 1;
    }

    /// Whether an instant is not beyond the horizon: what happens later is of no window, no
    /// average over time, and says nothing of recovery.
    fn is_within(&self, now: Time) -> bool {
        now <= self.until
    }

    /// Whether an end came too late to count: after the horizon, to who had waited for longer than
    /// the grace. All who wait at the horizon have the same time, whenever they came.
    pub(crate) fn is_late(&self, begun: Time, now: Time) -> bool {
        !self.is_within(now) && now.since(begun) > self.grace
    }

    /// Whether what arose at an instant is measured.
    pub(crate) fn is_measured(&self, arose: Time) -> bool {
        self.from <= arose && self.is_within(arose)
    }

    /// Whether somebody who counts still waits.
    pub(crate) fn is_anyone_waiting(&self) -> bool {
        self.due > 0
    }

    /// At the end, a submission still has none.
    pub(crate) fn still_open(&mut self, client: ActorId, begun: Time, end: Time) {
        self.tallies.iter_mut().for_each(|t| t.open(Whose::Actor(client), begun, end));
    }

    /// Counts an intent where it arose.
    fn count(&mut self, client: ActorId, arose: Time, count: impl Fn(&mut Goodput)) {
        self.tallies.iter_mut().filter_map(|t| t.goodput(client, arose)).for_each(count);
    }

    /// An intent arose, and will be submitted so often.
    pub(crate) fn intended(&mut self, client: ActorId, clicks: u32, now: Time) {
        self.due += if now >= self.from { clicks.into() } else { 0 };
        self.actors[client.index()].intents += 1;
        self.windows.of_client(client, now).offered += 1;
        if let Some(pulse) = &mut self.pulse {
            pulse.offered(client, now);
        }
        self.count(client, now, |goodput| goodput.offered += 1);
    }

    /// An intent is submitted once more than was known when it arose.
    pub(crate) fn expects_more(&mut self, arose: Time) {
        self.due += u64::from(arose >= self.from);
    }

    /// An intent's user saw success for the first time.
    pub(crate) fn achieved(&mut self, client: ActorId, is_degraded: bool, arose: Time, now: Time) {
        if self.is_within(now) {
            let window = self.windows.of_client(client, now);
            window.goodput += u32::from(!is_degraded);
            window.degraded += u32::from(is_degraded);
            match &mut self.pulse {
                Some(pulse) if is_degraded => pulse.missed(client, arose, now),
                Some(pulse) => pulse.achieved(client, arose, now),
                None => {}
            }
        }
        if !self.is_late(arose, now) {
            self.windows.told(client, arose);
            self.count(client, arose, |goodput| match is_degraded {
                true => goodput.degraded += 1,
                false => goodput.achieved += 1,
            });
        }
    }

    /// An intent's last submission ended, and none had succeeded.
    pub(crate) fn missed(&mut self, client: ActorId, arose: Time, now: Time) {
        if self.is_within(now) {
            self.windows.of_client(client, now).failed += 1;
            if let Some(pulse) = &mut self.pulse {
                pulse.missed(client, arose, now);
            }
        }
        if !self.is_late(arose, now) {
            self.windows.told(client, arose);
            self.count(client, arose, |goodput| goodput.missed += 1);
        }
    }

    /// A submission of an intent that arose some time before has ended.
    pub(crate) fn ended(
        &mut self,
        client: ActorId,
        fate: Fate,
        [arose, begun]: [Time; 2],
        now: Time,
    ) {
        self.due -= u64::from(arose >= self.from);
        let latency = now.since(begun);
        let is_late = self.is_late(begun, now);
        self.actors[client.index()].ended(fate);
        let whose = Whose::Actor(client);
        self.tallies.iter_mut().for_each(|tally| match is_late {
            true => tally.open(whose, begun, now),
            false => tally.ended(whose, fate, begun, now),
        });
        if !self.is_within(now) {
            return;
        }
        self.windows.ended(client, fate, latency, now);
        if let Some(pulse) = self.pulse.as_mut().filter(|_| fate == Fate::Succeeded) {
            pulse.succeeded(client, latency, now);
        }
    }

    /// A call begins, for an intent that arose some time before.
    pub(crate) fn called(&mut self, pair: PairId, arose: Time, now: Time) {
        if self.is_within(now) {
            self.windows.called(pair, now);
        }
        self.pairs[pair.index()].calls += 1;
        self.tallies.iter_mut().filter_map(|t| t.calls(pair, arose)).for_each(|c| c.calls += 1);
    }

    /// A call goes to another host than the one that has counted it so far.
    pub(crate) fn call_moved(&mut self, [from, to]: [PairId; 2], arose: Time, now: Time) {
        if from == to {
            return;
        }
        self.pairs[from.index()].calls -= 1;
        self.pairs[to.index()].calls += 1;
        self.tallies.iter_mut().filter_map(|t| t.calls(from, arose)).for_each(|c| c.calls -= 1);
        self.tallies.iter_mut().filter_map(|t| t.calls(to, arose)).for_each(|c| c.calls += 1);
        if self.is_within(now) {
            self.windows.call_moved(from, to, now);
        }
    }

    pub(crate) fn sent(&mut self, pair: PairId, retry: bool, arose: Time, now: Time) {
        self.tallies.iter_mut().filter_map(|t| t.calls(pair, arose)).for_each(|c| c.attempts += 1);
        self.windows.sent_for(pair, arose);
        if self.is_within(now) {
            self.windows.sent(pair, now);
            self.windows.at(now).retries += u32::from(retry);
        }
        let pair = &mut self.pairs[pair.index()];
        pair.attempts += 1;
        pair.retries += u64::from(retry);
    }

    pub(crate) fn rejected(&mut self, pair: PairId, reason: Reason, now: Time) {
        count(&mut self.pairs[pair.index()].rejected, reason);
        self.attempt_ended(pair, HopEnding::NotSent, now);
    }

    /// An attempt over a hop has ended for its caller, or none was sent.
    pub(crate) fn attempt_ended(&mut self, pair: PairId, ending: HopEnding, now: Time) {
        let place = self.endings.count(pair, ending);
        if self.is_within(now) {
            self.windows.attempt_ended(place, now);
        }
    }

    /// At the end, somebody still awaits the answer to an attempt.
    pub(crate) fn attempt_open(&mut self, pair: PairId) {
        self.endings.count(pair, HopEnding::Open);
    }

    pub(crate) fn gave_up(&mut self, pair: PairId, reason: Reason) {
        count(&mut self.pairs[pair.index()].given_up, reason);
    }

    /// A further attempt was sent before the first had ended.
    pub(crate) fn hedged(&mut self, pair: PairId) {
        self.pairs[pair.index()].hedges += 1;
    }

    /// A call that may have done its work, and has no key, is repeated because the scenario
    /// insists.
    pub(crate) fn unsafe_retry(&mut self, pair: PairId) {
        self.pairs[pair.index()].unsafe_retries += 1;
    }

    pub(crate) fn fell_back(&mut self, pair: PairId) {
        self.pairs[pair.index()].fallbacks += 1;
    }

    pub(crate) fn call_ended(&mut self, pair: PairId, fate: Fate, begun: Time, now: Time) {
        let whose = Whose::Pair(pair);
        self.tallies.iter_mut().for_each(|tally| tally.ended(whose, fate, begun, now));
        let pair = &mut self.pairs[pair.index()];
        match fate {
            Fate::Succeeded => pair.success += 1,
            Fate::Failed => pair.failed += 1,
            Fate::Unknown => pair.unknown += 1,
        }
    }

    pub(crate) fn abandoned(&mut self, pair: PairId) {
        self.pairs[pair.index()].abandoned += 1;
    }

    /// What is counted of an actor, and of its instance if those are kept apart.
    fn each(&mut self, (actor, instance): At) -> impl Iterator<Item = &mut ActorMetrics> {
        let of_instance = instance.and_then(|n| self.instances[actor.index()].get_mut(n as usize));
        std::iter::once(&mut self.actors[actor.index()]).chain(of_instance)
    }

    pub(crate) fn arrived(&mut self, at: At, retry: bool, now: Time) {
        let is_within = self.is_within(now);
        if let Some(pulse) = self.pulse.as_mut().filter(|_| is_within) {
            pulse.arrived(at.0, now);
        }
        for own in self.each(at) {
            own.arrived += 1;
            own.retries_arrived += u64::from(retry);
            if is_within {
                own.peak.arrive(now);
                if retry {
                    own.peak_retries.arrive(now);
                }
            }
        }
    }

    pub(crate) fn answered(
        &mut self,
        at: At,
        endpoint: Option<EndpointId>,
        ending: Ending,
        arrived: Time,
        now: Time,
    ) {
        let (actor, instance) = at;
        if ending.fate() == Fate::Succeeded
            && self.is_within(now)
            && let Some(pulse) = &mut self.pulse
        {
            pulse.completed(actor, now);
        }
        self.each(at).for_each(|own| own.ended(ending.fate()));
        for whose in whose(actor, instance, endpoint) {
            self.tallies.iter_mut().for_each(|t| t.ended(whose, ending.fate(), arrived, now));
        }
    }

    /// A request that will have no answer, or has none at the end: it counts for as long as it has
    /// been there.
    pub(crate) fn unanswered(
        &mut self,
        (actor, instance): At,
        endpoint: Option<EndpointId>,
        arrived: Time,
        now: Time,
    ) {
        for whose in whose(actor, instance, endpoint) {
            self.tallies.iter_mut().for_each(|tally| tally.open(whose, arrived, now));
        }
    }

    /// A call that is under way at the end.
    pub(crate) fn call_open(&mut self, pair: PairId, begun: Time, now: Time) {
        self.tallies.iter_mut().for_each(|tally| tally.open(Whose::Pair(pair), begun, now));
    }

    /// A service's workers or its queue hold more or less than before.
    pub(crate) fn level(&mut self, actor: ActorId, level: Level, now: Time) {
        if !self.is_within(now) {
            return;
        }
        let metrics = &mut self.actors[actor.index()];
        metrics.queue_len_max = level.waiting.max(metrics.queue_len_max);
        self.tallies.iter_mut().for_each(|tally| tally.level((actor, None), level, now));
        if let Some(id) = self.resources.of_actor(actor) {
            let Level { busy, waiting, up, .. } = level;
            self.resources.set_all(id, [busy, waiting, up].map(Amount::of), now);
        }
        if let Some(pulse) = &mut self.pulse {
            pulse.waiting(actor, level.waiting, now);
        }
    }

    /// The resource of a node of a store: of its primary 0, then of its replicas, then of a primary
    /// that a replica has replaced.
    pub(crate) fn node(&self, store: ActorId, node: u32) -> Option<ResourceId> {
        self.resources.of_node(store, node)
    }

    /// A node of a store holds more or fewer commands than before.
    pub(crate) fn level_of_node(&mut self, node: ResourceId, busy: u32, waiting: u32, now: Time) {
        if self.is_within(now) {
            self.resources.set_all(node, [busy, waiting].map(Amount::of), now);
        }
    }

    /// The end of a window of a layer of an instance that is over, and that nobody was told of:
    /// each once, in order.
    pub(crate) fn window_over(&mut self, of: (ResourceId, u32), now: Time) -> Option<Time> {
        self.resources.window_over(of, now)
    }

    /// A service lets a request in, or answers this instead: 429 by its rate, 503 by its limit on
    /// concurrency.
    pub(crate) fn let_in(&mut self, service: ActorId, instead: Option<Ending>) {
        let Door { rate, concurrency } = self.door(service);
        let is_by_rate = instead == Some(Ending::Status(429));
        for (id, refuses) in [(rate, is_by_rate), (concurrency, instead.is_some() && !is_by_rate)] {
            let Some(id) = id else { continue };
            match (refuses, instead) {
                (true, _) => self.resources.count(id, ResourceEvent::Refused, 1),
                (false, None) => self.resources.count(id, ResourceEvent::Admitted, 1),
                // The other one has refused it.
                (false, Some(_)) => {}
            }
        }
    }

    /// What stands before the workers of a service.
    pub(crate) fn door(&self, service: ActorId) -> Door {
        self.resources.of_door(service)
    }

    /// Something has happened to instances of a service, or to a store, so often.
    pub(crate) fn happened_at(&mut self, actor: ActorId, event: ResourceEvent, times: u64) {
        if let Some(id) = self.resources.of_actor(actor) {
            self.resources.count(id, event, times);
        }
    }

    /// What a policy keeps of an instance of its caller is this from now on.
    pub(crate) fn set_of(
        &mut self,
        of: (ResourceId, u32),
        quantity: Quantity,
        level: Amount,
        now: Time,
    ) {
        if self.is_within(now) {
            self.resources.set_of(of, quantity, level, now);
        }
    }

    /// A level of a resource is so much higher or lower.
    pub(crate) fn change(&mut self, of: ResourceId, quantity: Quantity, by: i32, now: Time) {
        if self.is_within(now) {
            self.resources.change(of, quantity, by, now);
        }
    }

    /// A read of a store, or a lookup in a cache, was a hit, or something else.
    pub(crate) fn looked(&mut self, of: ResourceId, event: ResourceEvent, now: Time) {
        self.resources.count(of, event, 1);
        if self.is_within(now) {
            self.resources.looked(of, event == ResourceEvent::Hit, now);
        }
    }

    /// Something has happened to a resource, so often.
    pub(crate) fn happened(&mut self, to: ResourceId, event: ResourceEvent, times: u64) {
        self.resources.count(to, event, times);
    }

    /// The resource of a queue of a broker.
    pub(crate) fn queue(&self, queue: QueueId) -> ResourceId {
        self.resources.of_queue(queue)
    }

    /// The resource of a cache of a service.
    pub(crate) fn cache_of(&self, cache: ServiceCacheId) -> ResourceId {
        self.resources.of_cache(cache)
    }

    /// The resource that a layer of a stack is, if it is one.
    pub(crate) fn layer(&self, stack: StackId, layer: usize) -> Option<ResourceId> {
        self.resources.of_layer(stack, layer)
    }

    /// What is known of each resource, in order, and their levels in the windows of a series.
    pub(crate) fn resource_summaries(&self, series: &Series, end: Time) -> Vec<Resource> {
        self.resources.summaries(series.len(), end)
    }

    /// A service's instance holds more or less than before.
    pub(crate) fn level_of_instance(
        &mut self,
        (actor, instance): (ActorId, u32),
        level: Level,
        now: Time,
    ) {
        if !self.is_within(now) {
            return;
        }
        if let Some(own) = self.instances[actor.index()].get_mut(instance as usize) {
            own.queue_len_max = level.waiting.max(own.queue_len_max);
        }
        let at = (actor, Some(instance));
        self.tallies.iter_mut().for_each(|tally| tally.level(at, level, now));
        if let Some(id) = self.resources.of_instance(actor, instance) {
            self.resources.set_all(id, [level.busy, level.waiting, level.up].map(Amount::of), now);
        }
    }

    /// A worker's time went into something that nobody wants any more.
    pub(crate) fn wasted(&mut self, at: At, worked: Span, now: Time) {
        self.tallies.iter_mut().for_each(|tally| tally.wasted(at, worked, now));
        if self.is_within(now) {
            self.windows.wasted(at.0, worked, now);
        }
    }

    /// What was measured, the whole first.
    pub(crate) fn measured(&self, plan: &Plan, end: Time) -> Vec<Measured> {
        self.tallies.iter().map(|tally| tally.measured(plan, end)).collect()
    }

    pub(crate) fn turned_away(&mut self, at: At, ending: Ending) {
        self.each(at).for_each(|own| match ending {
            Ending::Refused | Ending::Reset => own.refused += 1,
            _ => own.failed += 1,
        });
    }

    /// A request was accepted and forgotten.
    pub(crate) fn hung(&mut self, actor: ActorId) {
        self.actors[actor.index()].hung += 1;
    }

    /// Requests that have come to an actor, and those of them that it is done with.
    pub(crate) fn arrived_and_ended(&self, actor: ActorId) -> (u64, u64) {
        let actor = &self.actors[actor.index()];
        let answered = actor.succeeded + actor.failed + actor.unknown;
        (actor.arrived, answered + actor.refused + actor.hung)
    }

    /// A request came that had to wait for a worker.
    pub(crate) fn waited(&mut self, at: At) {
        self.each(at).for_each(|own| own.waited += 1);
    }

    pub(crate) fn queue_full(&mut self, at: At) {
        self.each(at).for_each(|own| own.queue_full += 1);
    }

    /// A request was not let in.
    pub(crate) fn not_admitted(&mut self, at: At) {
        self.each(at).for_each(|own| own.not_admitted += 1);
    }

    /// A request that waited was turned away by the queue's discipline.
    pub(crate) fn dropped(&mut self, at: At) {
        self.each(at).for_each(|own| own.dropped += 1);
    }

    /// A request ended because its caller had stopped waiting.
    pub(crate) fn cancelled(&mut self, at: At) {
        self.each(at).for_each(|own| own.cancelled += 1);
    }

    /// A request came to a worker after its deadline.
    pub(crate) fn too_late(&mut self, at: At) {
        self.each(at).for_each(|own| own.too_late += 1);
    }

    pub(crate) fn transition(
        &mut self,
        breaker: (BreakerId, u32),
        transition: Transition,
        now: Time,
    ) {
        if self.transitions.len() < TRANSITIONS_MAX {
            self.transitions.push((now, breaker, transition));
        }
    }

    pub(crate) fn struck(&mut self, fault: FaultId, now: Time) {
        self.strikes.push((fault, now, None));
    }

    pub(crate) fn healed(&mut self, fault: FaultId, now: Time) {
        let open = |(id, _, to): &&mut (FaultId, Time, Option<Time>)| *id == fault && to.is_none();
        if let Some((_, _, to)) = self.strikes.iter_mut().find(open) {
            *to = Some(now);
        }
    }

    /// Calls that programs made over a hop.
    pub(crate) fn calls(&self, pair: PairId) -> u64 {
        self.pairs[pair.index()].calls
    }

    /// When each fault that struck did so, and when it healed.
    pub(crate) fn strikes(&self) -> &[(FaultId, Time, Option<Time>)] {
        &self.strikes
    }

    /// What the caches of a service did, if it has any.
    fn cache_counters(&self, plan: &Plan, service: ActorId) -> Vec<(Counter, u64)> {
        let of = |event| self.resources.of_caches(plan, service, event);
        let counted = |(counter, event)| Some((counter, of(event)?));
        CACHE_COUNTERS.into_iter().filter_map(counted).collect()
    }

    /// The actors' summaries, in order.
    pub(crate) fn actor_summaries(&self, plan: &Plan, whole: &Measured) -> Vec<ActorSummary> {
        // Caches are of the service, not of one of its instances.
        let cached = |actor: usize| self.cache_counters(plan, ActorId::nth(actor));
        let summary =
            |name: String, kind: &ActorKind, metrics: &ActorMetrics, cached| ActorSummary {
                kind: match kind {
                    ActorKind::Client(_) => outcome::ActorKind::Client,
                    ActorKind::Service(_) => outcome::ActorKind::Service,
                    ActorKind::Kv { .. } => outcome::ActorKind::Store,
                    ActorKind::Broker => outcome::ActorKind::Broker,
                    ActorKind::Custom(custom) => outcome::ActorKind::Custom(custom.kind.clone()),
                },
                counters: metrics.counters(kind, cached),
                latency: whole.latencies_of(&name).and_then(Latencies::of_success),
                latency_failed: whole.latencies_of(&name).and_then(Latencies::of_failure),
                load: whole.load_of(&name).copied(),
                goodput: whole.goodput_of(&name).copied(),
                instances: Vec::new(),
                name,
            };
        let actors = plan.actors.iter().zip(&self.actors).zip(&self.instances);
        let all = actors.enumerate().map(
            |(nth, ((ActorPlan { name, kind, .. }, metrics), instances))| {
                let initial = match kind {
                    ActorKind::Service(service) => service.instances,
                    _ => 1,
                };
                // One that an autoscaler never started did nothing.
                let existed = |(n, own): &(u32, &ActorMetrics)| *n < initial || own.arrived > 0;
                let apart = (0..).zip(instances).filter(existed);
                let apart = apart
                    .map(|(n, own)| summary(plan::instance_name(name, n), kind, own, Vec::new()));
                ActorSummary {
                    instances: apart.collect(),
                    ..summary(name.clone(), kind, metrics, cached(nth))
                }
            },
        );
        all.collect()
    }

    /// The hops' summaries, in order.
    pub(crate) fn call_summaries(&self, plan: &Plan) -> Vec<CallSummary> {
        type Pair<'a> = (usize, (&'a (ActorId, ActorId), &'a PairMetrics));
        let summary = |(n, ((from, to), pair)): Pair<'_>| CallSummary {
            from: plan.actor_name(*from).to_owned(),
            to: plan.actor_name(*to).to_owned(),
            calls: pair.calls,
            attempts: pair.attempts,
            retries: pair.retries,
            success: pair.success,
            failed: pair.failed,
            unknown: pair.unknown,
            abandoned: pair.abandoned,
            fallbacks: pair.fallbacks,
            hedges: pair.hedges,
            unsafe_retries: pair.unsafe_retries,
            rejected: pair.rejected.clone(),
            given_up: pair.given_up.clone(),
            endings: self.endings.of(PairId::nth(n)),
        };
        plan.pairs.iter().zip(&self.pairs).enumerate().map(summary).collect()
    }

    /// The breakers' changes of state, in order. `instances` says how many there are of one.
    pub(crate) fn transition_lines(
        &self,
        plan: &Plan,
        instances: impl Fn(BreakerId) -> u32,
    ) -> Vec<TransitionLine> {
        let lines = self.transitions.iter();
        let lines = lines.map(|&(at, (breaker, instance), transition)| TransitionLine {
            at,
            policy: plan.breaker(breaker).name.clone(),
            instance: plan.names_instances(plan.breakers[breaker.index()]).then_some(instance),
            instances: instances(breaker),
            from: transition.from,
            to: transition.to,
            reason: transition.reason,
            weighed: transition.weighed,
        });
        lines.collect()
    }

    /// What disturbed the system: the faults' active times, in the order in which they struck, and
    /// then the rises of load.
    pub(crate) fn disturbances(&self, plan: &Plan, end: Time) -> Vec<FaultWindow> {
        let window = |(fault, from, to): &(FaultId, Time, Option<Time>)| FaultWindow {
            label: plan.faults[fault.index()].label.clone(),
            from: *from,
            to: to.unwrap_or(end),
        };
        let rise = |(from, to): &(Span, Span)| FaultWindow {
            label: "more load".to_owned(),
            from: Time::ZERO + *from,
            to: Time::ZERO + *to,
        };
        let begun = plan.load_rises.iter().filter(|(from, _)| Time::ZERO + *from <= end);
        self.strikes.iter().map(window).chain(begun.map(rise)).collect()
    }

    /// From when to when the run was disturbed: as the scenario says, or from the first to the last
    /// instant of all faults and rises of load. A fault that is there before anything is measured,
    /// and stays to the end, is how this world is, and disturbs nothing.
    pub(crate) fn trigger(&self, plan: &Plan, end: Time) -> Option<(Time, Time)> {
        let end = end.min(Time::ZERO + plan.horizon);
        if let Some((from, to)) = plan.recovery.trigger {
            return Some((Time::ZERO + from, Time::ZERO + to));
        }
        let is_change = |window: &FaultWindow| window.from > self.from || window.to < end;
        let all = self.disturbances(plan, end).into_iter().filter(is_change);
        let union = |a: (Time, Time), b: (Time, Time)| (a.0.min(b.0), a.1.max(b.1));
        all.map(|window| (window.from, window.to)).reduce(union)
    }

    /// The verdict of recovery; `None` when nothing disturbed the run.
    pub(crate) fn recovery(&self, plan: &Plan, end: Time) -> Option<Recovery> {
        let recovery = plan.recovery;
        let terms = Terms {
            trigger: self.trigger(plan, end)?,
            warmup: Time::ZERO + plan.warmup,
            healthy: recovery.healthy,
            within: recovery.within,
            hold: recovery.hold,
            unanswered_after: recovery.unanswered_after,
            drain: recovery.drain,
        };
        let end = end.min(Time::ZERO + plan.horizon);
        Some(recovery::judge(self.pulse.clone()?.finish(end), &terms))
    }

    /// The windows up to `end`.
    pub(crate) fn series(&self, plan: &Plan, end: Time) -> Series {
        let series = self.windows.clone().finish(plan, &self.endings, end);
        Series { levels: self.resources.series(series.len(), end), ..series }
    }
}

/// Whose latency that of a request is.
fn whose(
    actor: ActorId,
    instance: Option<u32>,
    endpoint: Option<EndpointId>,
) -> impl Iterator<Item = Whose> {
    let of_instance = instance.map(|n| Whose::Instance(actor, n));
    let all = [Some(Whose::Actor(actor)), endpoint.map(Whose::Endpoint), of_instance];
    all.into_iter().flatten()
}

fn count(counts: &mut Vec<(&'static str, u64)>, reason: Reason) {
    match counts.iter_mut().find(|(name, _)| *name == reason.name()) {
        Some((_, n)) => *n += 1,
        None => counts.push((reason.name(), 1)),
    }
}

impl ActorMetrics {
    fn new() -> ActorMetrics {
        ActorMetrics {
            intents: 0,
            arrived: 0,
            retries_arrived: 0,
            succeeded: 0,
            failed: 0,
            unknown: 0,
            refused: 0,
            hung: 0,
            waited: 0,
            queue_full: 0,
            too_late: 0,
            not_admitted: 0,
            dropped: 0,
            cancelled: 0,
            queue_len_max: 0,
            peak: Peak::new(PEAK_WINDOW),
            peak_retries: Peak::new(PEAK_WINDOW),
        }
    }

    fn ended(&mut self, fate: Fate) {
        match fate {
            Fate::Succeeded => self.succeeded += 1,
            Fate::Failed => self.failed += 1,
            Fate::Unknown => self.unknown += 1,
        }
    }

    fn counters(&self, kind: &ActorKind, cached: Vec<(Counter, u64)>) -> Vec<(Counter, u64)> {
        let ended = [
            (Counter::Succeeded, self.succeeded),
            (Counter::Failed, self.failed),
            (Counter::Unknown, self.unknown),
        ];
        if let ActorKind::Client(_) = kind {
            let open = self.arrived - self.succeeded - self.failed - self.unknown;
            let mut counters =
                vec![(Counter::Intents, self.intents), (Counter::Submitted, self.arrived)];
            counters.extend(ended);
            counters.push((Counter::Unanswered, open));
            return counters;
        }
        let mut counters =
            vec![(Counter::Arrived, self.arrived), (Counter::RetriesArrived, self.retries_arrived)];
        counters.extend(ended);
        counters.push((Counter::Refused, self.refused));
        if let ActorKind::Service(_) = kind {
            counters.push((Counter::Waited, self.waited));
            counters.push((Counter::QueueFull, self.queue_full));
            counters.push((Counter::NotAdmitted, self.not_admitted));
            counters.push((Counter::DeadlinePassed, self.too_late));
            counters.push((Counter::Dropped, self.dropped));
            counters.push((Counter::Cancelled, self.cancelled));
            counters.push((Counter::QueueLenMax, self.queue_len_max.into()));
        }
        counters.extend(cached);
        counters.push((Counter::PeakArrivals, self.peak.max));
        counters.push((Counter::PeakRetries, self.peak_retries.max));
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_found_wherever_its_window_begins() {
        let mut peak = Peak::new(Span::millis(100));
        for ms in [0, 60, 120, 150, 159, 300] {
            peak.arrive(Time::ZERO + Span::millis(ms));
        }
        assert_eq!(peak.max, 4, "60, 120, 150 and 159 lie within 100 ms");
    }
}
