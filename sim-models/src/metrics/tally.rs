//! What is counted of one stretch of time: the whole of what is measured, or a part that a figure
//! asks for.
//!
//! Whatever happens is counted where it began. So calls and their attempts, intents and their
//! answers are of one group, and a ratio is never of two different windows.

use sim_core::{Span, Time};
use sim_policies::Fate;

use super::{At, Gauge, Level};
use crate::figure::Stretch;
use crate::outcome::{Calls, Goodput, Latencies, Measured, MeasuredInstance};
use crate::plan::{self, ActorId, ActorKind, EndpointId, PairId, Plan};

/// A stretch of time and what is counted of it.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// As it was asked for; `None` for the whole.
    during: Option<Stretch>,
    from: Time,
    /// Itself excluded.
    until: Time,
    /// By actor: of a client's intents.
    goodput: Vec<Goodput>,
    /// By actor, then by endpoint, then by pair.
    latencies: Vec<Latencies>,
    /// Where the endpoints and the pairs begin in them.
    places: [usize; 2],
    /// By pair.
    calls: Vec<Calls>,
    /// By actor, of services.
    gauges: Vec<Option<Gauge>>,
    /// By actor, then by instance, of those that are kept apart.
    instances: Vec<Vec<(Latencies, Gauge)>>,
}

/// Whose latency it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    Actor(ActorId),
    Instance(ActorId, u32),
    Endpoint(EndpointId),
    Pair(PairId),
}

impl Tally {
    pub(super) fn new(plan: &Plan, during: Option<Stretch>) -> Tally {
        let horizon = Time::ZERO + plan.horizon;
        let (from, until) = match during {
            Some(Stretch { from, until }) => (Time::ZERO + from, Time::ZERO + until),
            None => (Time::ZERO + plan.warmup, Time::MAX),
        };
        // The horizon itself belongs to the run.
        let until = until.min(horizon + Span::nanos(1));
        let (actors, endpoints, pairs) =
            (plan.actors.len(), plan.endpoints.len(), plan.pairs.len());
        let new_gauge = || Gauge::new(from, until.min(horizon));
        let gauge = |kind: &ActorKind| matches!(kind, ActorKind::Service(_)).then(new_gauge);
        let apart = |n: usize| {
            let count = plan.instances_apart(ActorId::nth(n));
            (0..count).map(|_| (Latencies::default(), new_gauge())).collect()
        };
        Tally {
            during,
            from,
            until,
            goodput: vec![Goodput::default(); actors],
            latencies: vec![Latencies::default(); actors + endpoints + pairs],
            places: [actors, actors + endpoints],
            calls: vec![Calls::default(); pairs],
            gauges: plan.actors.iter().map(|actor| gauge(&actor.kind)).collect(),
            instances: (0..actors).map(apart).collect(),
        }
    }

    /// Whether it counts what began at an instant.
    fn has(&self, begun: Time) -> bool {
        self.from <= begun && begun < self.until
    }

    pub(super) fn goodput(&mut self, client: ActorId, arose: Time) -> Option<&mut Goodput> {
        self.has(arose).then(|| &mut self.goodput[client.index()])
    }

    pub(super) fn calls(&mut self, pair: PairId, arose: Time) -> Option<&mut Calls> {
        self.has(arose).then(|| &mut self.calls[pair.index()])
    }

    /// The latencies of what they are counted of; of an instance, if those are kept apart.
    fn latencies(&mut self, whose: Whose) -> Option<&mut Latencies> {
        let [endpoints, pairs] = self.places;
        let place = match whose {
            Whose::Actor(actor) => actor.index(),
            Whose::Endpoint(endpoint) => endpoints + endpoint.index(),
            Whose::Pair(pair) => pairs + pair.index(),
            Whose::Instance(actor, n) => {
                let own = self.instances[actor.index()].get_mut(n as usize);
                return own.map(|(latencies, _)| latencies);
            }
        };
        Some(&mut self.latencies[place])
    }

    fn gauge(&mut self, (actor, instance): At) -> Option<&mut Gauge> {
        match instance {
            Some(n) => self.instances[actor.index()].get_mut(n as usize).map(|(_, gauge)| gauge),
            None => self.gauges[actor.index()].as_mut(),
        }
    }

    pub(super) fn ended(&mut self, whose: Whose, fate: Fate, begun: Time, now: Time) {
        if self.has(begun)
            && let Some(latencies) = self.latencies(whose)
        {
            match fate {
                Fate::Succeeded => latencies.succeeded.add(now.since(begun)),
                Fate::Failed | Fate::Unknown => latencies.failed.add(now.since(begun)),
            }
        }
    }

    /// It has no end, or has it too late.
    pub(super) fn open(&mut self, whose: Whose, begun: Time, now: Time) {
        if self.has(begun)
            && let Some(latencies) = self.latencies(whose)
        {
            latencies.open.add(now.since(begun));
        }
    }

    pub(super) fn level(&mut self, at: At, level: Level, now: Time) {
        if let Some(gauge) = self.gauge(at) {
            gauge.set(level, now);
        }
    }

    pub(super) fn wasted(&mut self, (actor, instance): At, worked: Span, now: Time) {
        for of in [Some(None), instance.map(Some)].into_iter().flatten() {
            if let Some(gauge) = self.gauge((actor, of)) {
                gauge.waste(worked, now);
            }
        }
    }

    /// What was counted, of a run that ended at an instant.
    pub(super) fn measured(&self, plan: &Plan, end: Time) -> Measured {
        let names = || plan.actors.iter().map(|actor| actor.name.clone());
        let endpoints = plan.endpoints.iter().map(|id| plan.programs[id.index()].name.clone());
        let pairs = || (0..plan.pairs.len()).map(|n| plan.pair_name(PairId::nth(n)));
        let whose = names().chain(endpoints).chain(pairs());
        let clients = plan.actors.iter().zip(&self.goodput);
        let clients: Vec<(String, Goodput)> = clients
            .filter(|(actor, _)| matches!(actor.kind, ActorKind::Client(_)))
            .map(|(actor, goodput)| (actor.name.clone(), *goodput))
            .collect();
        let mut goodput = Goodput::default();
        clients.iter().for_each(|(_, of_client)| goodput += *of_client);
        let load =
            |(name, gauge): (String, &Option<Gauge>)| Some((name, gauge.as_ref()?.averages(end)?));
        let counted = whose.zip(&self.latencies).filter(|(_, latencies)| latencies.count() > 0);
        let (requests, leaf_requests) = self.requests(plan);
        let apart = plan.actors.iter().zip(&self.instances);
        let instances = apart.flat_map(|(actor, instances)| {
            (0..).zip(instances).map(|(n, (latencies, gauge))| MeasuredInstance {
                name: plan::instance_name(&actor.name, n),
                latencies: latencies.clone(),
                load: gauge.averages(end),
            })
        });
        Measured {
            during: self.during,
            length: end.min(self.until).since(self.from),
            goodput,
            clients,
            latencies: counted.map(|(name, latencies)| (name, latencies.clone())).collect(),
            loads: names().zip(&self.gauges).filter_map(load).collect(),
            calls: pairs().zip(self.calls.iter().copied()).collect(),
            requests,
            leaf_requests,
            instances: instances.collect(),
        }
    }

    /// Requests sent to each actor that somebody asks; and to all who ask nobody themselves.
    fn requests(&self, plan: &Plan) -> (Vec<(String, u64)>, u64) {
        let mut sent = vec![0; plan.actors.len()];
        for ((_, to), calls) in plan.pairs.iter().zip(&self.calls) {
            sent[to.index()] += calls.attempts;
        }
        let ids = || (0..plan.actors.len()).map(ActorId::nth);
        let asks = |actor: ActorId| plan.pairs.iter().any(|(from, _)| *from == actor);
        let leaves = ids().filter(|actor| !asks(*actor)).map(|actor| sent[actor.index()]).sum();
        let is_asked = |actor: &ActorId| plan.pairs.iter().any(|(_, to)| to == actor);
        let to = ids().filter(is_asked);
        let to = to.map(|actor| (plan.actor_name(actor).to_owned(), sent[actor.index()]));
        (to.collect(), leaves)
    }
}
