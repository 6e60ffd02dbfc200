//! A compiled scenario: flat instruction lists over typed ids and registers.
//!
//! Everything that a run looks up by name in the file is a number here. A plan is pure data: it is
//! built once by `compile`, never changes, and is shared by all runs of the scenario. What an author
//! may write and what a run needs to know alike (an eviction policy, an arrival process) comes from
//! the language and is re-exported here, so that nothing at run time imports the language.

mod actors;
mod code;
mod faults;
mod ids;
mod rules;
mod stacks;

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::{Dist, Intensity, Span, Time};
use sim_redis::value::{FieldId, Texts};

use crate::figure::{Figure, Kind, Stretch};
use crate::source::SourceError;

pub(crate) use crate::language::{
    Admission as AdmissionPlan, Arrivals, Balancer, Contention, Doing, FallbackOn, Fsync, Full, Gc,
    JobOn, KvOp, Limits, OnDisconnect, Persistence, Recovery, Requests, ScaleMetric, SlowStart,
    Threads,
};
pub(crate) use actors::*;
pub(crate) use code::*;
pub(crate) use faults::*;
pub(crate) use ids::*;
pub(crate) use rules::*;
pub(crate) use stacks::*;

/// A service of more instances than that has figures of all of them together only: those of each
/// would take a kilobyte a time.
const INSTANCES_APART_MAX: u32 = 1_000;

/// How an instance is called where each has a name: `api[3]`.
pub(crate) fn instance_name(actor: &str, instance: u32) -> String {
    format!("{actor}[{instance}]")
}

/// The compiled scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub name: String,
    pub about: String,
    pub hypothesis: String,
    pub horizon: Span,
    pub warmup: Span,
    pub window: Span,
    pub recovery: Recovery,
    pub limits: Limits,
    /// Parts of the run of which figures are asked for.
    pub stretches: Vec<Stretch>,
    /// For how long who waits at the horizon is waited for.
    pub grace: Span,
    /// The text of each file that the scenario names.
    pub files: BTreeMap<String, Arc<str>>,
    /// From when until when a load is above its usual: in order, and apart.
    pub load_rises: Vec<(Span, Span)>,
    pub intensities: Vec<Intensity>,
    pub traces: Vec<Vec<Time>>,
    pub texts: Texts,
    pub actors: Vec<ActorPlan>,
    /// The program of each endpoint.
    pub endpoints: Vec<ProgramId>,
    /// The class of each endpoint in its service's queue; 0 is the most important.
    pub classes: Vec<u16>,
    pub jobs: Vec<JobPlan>,
    pub queues: Vec<QueuePlan>,
    pub programs: Vec<Program>,
    pub code: Vec<Instr>,
    pub sites: Vec<Site>,
    pub stacks: Vec<StackPlan>,
    pub pairs: Vec<(ActorId, ActorId)>,
    pub breakers: Vec<LayerPlace>,
    pub outliers: Vec<LayerPlace>,
    pub service_caches: Vec<ServiceCachePlan>,
    pub cached: Vec<CachedPlan>,
    pub links: Vec<LinkPlan>,
    /// For each pair of actors `from × actors + to`: the link, if one is declared.
    pub routes: Vec<Option<u32>>,
    pub dists: Vec<Dist>,
    pub templates: Vec<Vec<Part>>,
    pub records: Vec<Vec<(FieldId, Operand)>>,
    pub conds: Vec<CondPlan>,
    pub effects: Vec<EffectPlan>,
    pub responds: Vec<RespondPlan>,
    /// Where the branches of each parallel step begin.
    pub forks: Vec<Vec<Pc>>,
    pub kinds: Vec<String>,
    /// Names of points: `api.pay/charged`.
    pub points: Vec<String>,
    pub faults: Vec<FaultEntry>,
    pub invariants: Vec<InvariantPlan>,
    /// What is allowed and yet unlikely to be meant.
    pub warnings: Vec<SourceError>,
    /// The texts that `{error.kind}` and `{error.fate}` may hold.
    pub words: Words,
}

impl Plan {
    pub(crate) fn actor_name(&self, id: ActorId) -> &str {
        &self.actors[id.index()].name
    }

    /// Whether an intent is over once nothing of it runs or is under way. No program takes up the
    /// intent of another, no fault has a user do anything, and no actor is written in Rust.
    pub(crate) fn intents_end(&self) -> bool {
        let is_foreign = |actor: &ActorPlan| matches!(actor.kind, ActorKind::Custom(_));
        let wakes_user = |entry: &FaultEntry| matches!(entry.fault, Fault::User { .. });
        !self.code.iter().any(|instr| matches!(instr, Instr::Adopt(_)))
            && !self.actors.iter().any(is_foreign)
            && !self.faults.iter().any(wakes_user)
    }

    /// The stack in which a breaker stands.
    pub(crate) fn breaker(&self, id: BreakerId) -> &StackPlan {
        &self.stacks[self.breakers[id.index()].stack.index()]
    }

    /// How many processes an actor has at most: the instances of a service, the `count` of a client.
    pub(crate) fn instances(&self, actor: ActorId) -> u32 {
        match &self.actors[actor.index()].kind {
            ActorKind::Client(client) => client.count,
            ActorKind::Service(service) => service.instances_max(),
            ActorKind::Kv(_) | ActorKind::Broker | ActorKind::Custom(_) => 1,
        }
    }

    /// How many instances of a service have figures of their own: all, where there are several.
    pub(crate) fn instances_apart(&self, actor: ActorId) -> u32 {
        let is_service = matches!(self.actors[actor.index()].kind, ActorKind::Service(_));
        let count = self.instances(actor);
        if is_service && (2..=INSTANCES_APART_MAX).contains(&count) { count } else { 0 }
    }

    /// Whether a layer is there several times, so that a reader must know which.
    pub(crate) fn names_instances(&self, LayerPlace { stack, layer }: LayerPlace) -> bool {
        let stack = &self.stacks[stack.index()];
        !stack.shared[layer] && self.instances(stack.owner) > 1
    }

    /// `api->psp provider`, or `api[3]->psp provider` where there are several.
    pub(crate) fn layer_name(&self, place: LayerPlace, instance: u32) -> String {
        let name = &self.stacks[place.stack.index()].name;
        let instance = self.names_instances(place).then_some(instance);
        name_of_layer(name, instance)
    }

    /// One of the endpoints among which an outlier detection chooses.
    pub(crate) fn outlier_host(&self, id: OutlierId, host: u32) -> ActorId {
        let LayerPlace { stack, layer } = self.outliers[id.index()];
        match &self.stacks[stack.index()].layers[layer] {
            LayerPlan::Outlier(outlier) => outlier.hosts[host as usize],
            _ => unreachable!("its place is that of an outlier detection"),
        }
    }

    /// `charge-4`: the effect of a kind with this number.
    pub(crate) fn effect_name(&self, kind: KindId, number: u32) -> String {
        numbered(&self.kinds[kind.index()], number)
    }

    /// Whether messages go between two actors, whichever of them begins.
    pub(crate) fn talk(&self, a: ActorId, b: ActorId) -> bool {
        let sends = |from: ActorId, to: ActorId| match &self.actors[from.index()].kind {
            ActorKind::Kv(store) if store.copies_to.contains(&to) => true,
            _ => self.pairs.contains(&(from, to)),
        };
        sends(a, b) || sends(b, a)
    }

    /// Something may disturb the system, so that its recovery can be judged.
    pub(crate) fn has_trigger(&self) -> bool {
        self.recovery.trigger.is_some() || !self.faults.is_empty() || !self.load_rises.is_empty()
    }

    /// Until when all populations come; `None` without one.
    pub(crate) fn populations_until(&self) -> Option<Time> {
        let until = |actor: &ActorPlan| match &actor.kind {
            ActorKind::Client(client) => client.load.population_until(),
            _ => None,
        };
        self.actors.iter().filter_map(until).min().map(|until| Time::ZERO + until)
    }

    /// What a kind of figure is measured of, by name.
    pub(crate) fn subjects(&self, kind: Kind) -> Vec<String> {
        let actors = |is: fn(&ActorKind) -> bool| {
            let those = self.actors.iter().filter(move |actor| is(&actor.kind));
            those.map(|actor| actor.name.clone()).collect::<Vec<String>>()
        };
        let pairs = (0..self.pairs.len()).map(|n| self.pair_name(PairId::nth(n)));
        let endpoints = self.endpoints.iter().map(|id| self.programs[id.index()].name.clone());
        let breakers = (0..self.breakers.len()).map(BreakerId::nth);
        let instances = (0..self.actors.len()).map(ActorId::nth).flat_map(|id| {
            (0..self.instances_apart(id)).map(move |n| instance_name(self.actor_name(id), n))
        });
        match kind {
            Kind::Broken => self.invariants.iter().map(|i| i.name.clone()).collect(),
            Kind::Duplicated => self.kinds.clone(),
            Kind::Metastable | Kind::RecoveryTime => Vec::new(),
            Kind::Success | Kind::Unanswered | Kind::Degraded | Kind::Goodput => {
                actors(|kind| matches!(kind, ActorKind::Client(_)))
            }
            Kind::Percentile(_) | Kind::LatencyMean | Kind::LatencyMax => {
                let whole = actors(|_| true).into_iter().chain(endpoints).chain(pairs);
                whole.chain(instances).collect()
            }
            Kind::Amplification => pairs.collect(),
            Kind::RequestsPerIntent => actors(|_| true),
            Kind::Refusals => pairs.chain(actors(|_| true)).collect(),
            Kind::PeakArrivals | Kind::Count(_) => {
                actors(|_| true).into_iter().chain(instances).collect()
            }
            Kind::Wasted | Kind::Utilisation | Kind::Waiting | Kind::Waited => {
                let services = actors(|kind| matches!(kind, ActorKind::Service(_)));
                services.into_iter().chain(instances).collect()
            }
            Kind::BreakerOpenings => breakers.map(|id| self.breaker(id).name.clone()).collect(),
        }
    }

    /// Whether a figure is measured of what there is, in a part of the run that there is.
    pub(crate) fn measures(&self, figure: &Figure) -> bool {
        let name = |of: &String| of.strip_suffix(", failed").unwrap_or(of).to_owned();
        let is_known = |of: &String| self.subjects(figure.kind).contains(&name(of));
        figure.of.as_ref().is_none_or(is_known)
            && figure.during.is_none_or(|during| during.from < self.horizon)
    }

    /// `api->psp`.
    pub(crate) fn pair_name(&self, id: PairId) -> String {
        let (from, to) = self.pairs[id.index()];
        [self.actor_name(from), "->", self.actor_name(to)].concat()
    }
}

/// `charge-4`. No formatter: the story of a run names tens of thousands.
pub(crate) fn numbered(name: &str, number: u32) -> String {
    [name, "-", &number.to_string()].concat()
}

/// The name of a stack with the instance of the caller: `api[3]->psp provider`.
pub(crate) fn name_of_layer(stack: &str, instance: Option<u32>) -> String {
    match (instance, stack.split_once("->")) {
        (Some(instance), Some((from, to))) => format!("{from}[{instance}]->{to}"),
        _ => stack.to_owned(),
    }
}
