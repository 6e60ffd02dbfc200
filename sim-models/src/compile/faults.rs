//! Faults: names become ids, triggers find their points.

use std::collections::BTreeSet;

use sim_core::Span;
use sim_redis::Eviction;

use super::builder::Builder;
use super::place::Here;
use crate::language::{Doing, Fault, FaultPlan, Hits};
use crate::plan::{self, ActorId, ActorKind, FaultEntry, PointId, Trigger};
use crate::source::{advice, closest};

/// The furthest that a clock steps: eight times a hundred such steps still fit into 64 bits.
const CLOCK_STEP_MAX: Span = Span::secs(3_650 * 86_400 / 10);

impl Builder<'_> {
    pub(super) fn faults(&mut self) {
        let spec = self.spec;
        for (n, plan) in spec.faults.iter().enumerate() {
            let here = Here::file("faults").at(n);
            let (trigger, lasts, fault) = match plan {
                FaultPlan::At { at, lasts, fault } => {
                    let horizon = spec.horizon;
                    let allowed = format!("within the horizon of {horizon}");
                    self.require(*at <= horizon, &here.field("at"), at, &allowed);
                    (Some(Trigger::At(*at)), *lasts, fault)
                }
                FaultPlan::After { point, nth, lasts, fault } => {
                    self.require(*nth >= 1, &here.field("nth"), nth, "at least 1");
                    let point = self.known_point(point, &here.field("point"));
                    (point.map(|point| Trigger::After { point, nth: *nth }), *lasts, fault)
                }
            };
            if let Some(lasts) = lasts {
                self.require(!lasts.is_zero(), &here.field("for"), lasts, "above zero");
                if fault.is_instant() {
                    let message = format!("{} happens at one instant", fault.kind());
                    let help = "leave `for` out".to_owned();
                    self.problem(&here.field("for"), message, Some(help));
                }
            }
            let compiled = self.fault(fault, &here.field("fault"));
            if let (Some(trigger), Some(compiled)) = (trigger, compiled) {
                let label = self.label_at_point(trigger, compiled, fault.label(), &here);
                self.plan.faults.push(FaultEntry { trigger, lasts, fault: compiled, label });
            }
        }
    }

    /// A fault that strikes the very task that passes a point is told with the point's name.
    fn label_at_point(
        &mut self,
        trigger: Trigger,
        fault: plan::Fault,
        label: String,
        here: &Here,
    ) -> String {
        if !matches!(fault, Fault::Throw { .. } | Fault::Stall) {
            return label;
        }
        let Trigger::After { point, .. } = trigger else {
            let help = "write it as After(\"actor.endpoint/label\", …)".to_owned();
            self.problem(here, "this fault strikes whoever passes a point", Some(help));
            return label;
        };
        format!("{}: {label}", self.plan.points[point.index()])
    }

    fn known_point(&mut self, name: &str, here: &Here) -> Option<PointId> {
        if let Some(n) = self.plan.points.iter().position(|point| point == name) {
            return Some(PointId::nth(n));
        }
        let own = name.split_once('.').and_then(|(actor, _)| self.actor_ids.get(actor));
        let is_own =
            |id: &ActorId| matches!(self.plan.actors[id.index()].kind, ActorKind::Custom(_));
        let program = |point: &str| point.split_once('/').map_or(point, |(p, _)| p).to_owned();
        let all = || self.plan.points.iter().chain(&self.step_points).map(String::as_str);
        // Of a program that there is not the nearest one is meant.
        let programs: BTreeSet<String> =
            self.plan.programs.iter().map(|program| program.name.clone()).collect();
        let asked = program(name);
        let meant = match programs.contains(&asked) {
            true => Some(asked.as_str()),
            false => closest(&asked, programs.iter().map(String::as_str)),
        };
        let is_near = |point: &&str| meant.is_none_or(|meant| program(point) == meant);
        let help = match advice(name, all().filter(is_near)) {
            _ if own.is_some_and(is_own) => "an actor written in Rust passes no points".to_owned(),
            Some(help) => help,
            None => "mark it with a step Label(\"…\")".to_owned(),
        };
        self.problem(here, format!("no program passes a point `{name}`"), Some(help));
        None
    }

    /// A fault with the ids of its actors, if it can be.
    fn fault(&mut self, fault: &Fault, here: &Here) -> Option<plan::Fault> {
        self.check_fault(fault, here);
        let store = match fault {
            Fault::Lag { store, .. } => self.actor_ids.get(store).copied(),
            _ => None,
        };
        let known = store.map_or_else(Vec::new, |store| self.replicas(store).to_vec());
        let nth = |name: &String| known.iter().position(|known| known == name);
        let compiled = fault.map(
            |name, field, hits| {
                let here = here.field(field);
                let (is, what): (fn(&Builder<'_>, ActorId) -> bool, _) = match hits {
                    Hits::Anybody => return self.actor(name, &here),
                    Hits::Client => (|b, id| b.is_client(id), "client"),
                    Hits::Server => (|b, id| b.is_server(id), "service, store or broker"),
                    Hits::Store => (|b, id| b.is_kv(id), "store"),
                    Hits::Memory => {
                        let what = "store, and no service with caches";
                        (|b, id| b.is_kv(id) || b.has_cache(id), what)
                    }
                    Hits::Clock => (|b, id| b.has_clock(id), "service or store"),
                };
                self.actor_that(name, &here, is, what)
            },
            |_, name| nth(name).map(|n| n as u32),
        );
        if let (Some(store), Fault::Lag { replica: Some(name), .. }) = (store, fault)
            && self.is_kv(store)
            && nth(name).is_none()
        {
            self.no_such_replica(store, name, &here.field("replica"));
        }
        let compiled = compiled?;
        self.check_hit(compiled, here);
        Some(match compiled {
            // The crash of the only instance is that of the service.
            Fault::Crash { actor, instance: Some(_) } if self.plan.instances(actor) == 1 => {
                Fault::Crash { actor, instance: None }
            }
            compiled => compiled,
        })
    }

    /// Refuses numbers out of range.
    fn check_fault(&mut self, fault: &Fault, here: &Here) {
        match fault {
            Fault::Errors { rate, status, .. } => {
                self.ratio(*rate, &here.field("rate"));
                self.status(*status, &here.field("status"));
            }
            Fault::Hang { rate, .. } | Fault::Loss { rate, .. } | Fault::Duplicate { rate, .. } => {
                self.ratio(*rate, &here.field("rate"));
            }
            Fault::Slow { factor, .. } => {
                let ok = factor.is_finite() && *factor > 0.0;
                self.require(ok, &here.field("factor"), factor, "finite and above zero");
            }
            Fault::Throw { status } => {
                let ok = (400..=599).contains(status);
                let allowed = "the status of an error, 400..=599";
                self.require(ok, &here.field("status"), status, allowed);
            }
            Fault::Lag { by: Some(by), .. } => {
                self.require(!by.is_zero(), &here.field("by"), by, "above zero");
            }
            Fault::ClockStep { forward, back, .. } => self.check_clock_step(*forward, *back, here),
            Fault::Evict { policy, share, .. } => {
                self.ratio(*share, &here.field("share"));
                if *policy == Eviction::NoEviction {
                    let help = "to refuse writes instead, use OutOfMemory".to_owned();
                    let message = "NoEviction evicts nothing";
                    self.problem(&here.field("policy"), message, Some(help));
                }
            }
            _ => {}
        }
    }

    /// Refuses what the actor that is hit does not have.
    fn check_hit(&mut self, compiled: plan::Fault, here: &Here) {
        if let Some((from, to)) = compiled.route().filter(|(from, to)| from == to)
            && !self.plan.talk(*from, *to)
        {
            let name = self.name_of(*from);
            let message = format!("`{name}` sends itself no messages");
            self.problem(&here.field("to"), message, None);
        }
        for (&actor, n, field) in compiled.instances() {
            self.check_instance(actor, n, here, field);
        }
        let (store, lacks, help) = match compiled {
            Fault::Failover { store } | Fault::SplitBrain { store, .. } => (
                store,
                "has no replica that could take over",
                "give the store `replicas`, or let it Crash",
            ),
            Fault::Lag { store, .. } => {
                (store, "has no replica that could lag", "give the store `replicas`")
            }
            Fault::User { client, does: Doing::Refund } => {
                let refund = |kind: &ActorKind| match kind {
                    ActorKind::Client(client) => client.refund.is_some(),
                    _ => false,
                };
                if !refund(&self.plan.actors[client.index()].kind) {
                    let message =
                        format!("users of `{}` cannot ask for a refund", self.name_of(client));
                    let help = "say how in the client: \
                        `refund: [Call(\"api.refund\"), Refunded(\"charge\")]`";
                    self.problem(&here.field("client"), message, Some(help.to_owned()));
                }
                return;
            }
            _ => return,
        };
        if self.replicas(store).is_empty() {
            let message = format!("`{}` {lacks}", self.name_of(store));
            self.problem(&here.field("store"), message, Some(help.to_owned()));
        }
        let talks = |actor: &ActorId| self.plan.pairs.contains(&(*actor, store));
        if let Fault::SplitBrain { actor, .. } = compiled
            && !talks(&actor)
        {
            let (actor, store) = (self.name_of(actor), self.name_of(store));
            let message = format!("`{actor}` sends no commands to `{store}`");
            self.problem(&here.field("actor"), message, None);
        }
    }

    /// The names of a store's replicas.
    fn replicas(&self, store: ActorId) -> &[String] {
        match &self.plan.actors[store.index()].kind {
            ActorKind::Kv(kv) => &kv.replicas,
            _ => &[],
        }
    }

    /// A store has no replica of this name.
    pub(super) fn no_such_replica(&mut self, store: ActorId, name: &str, here: &Here) {
        let known = self.replicas(store);
        let help = match known.is_empty() {
            true => Some("give the store `replicas`".to_owned()),
            false => advice(name, known.iter().map(String::as_str)),
        };
        let message = format!("`{}` has no replica `{name}`", self.name_of(store));
        self.problem(here, message, help);
    }

    /// Refuses an instance that an actor never has.
    fn check_instance(&mut self, actor: ActorId, n: u32, here: &Here, field: &str) {
        let here = &here.field(field);
        let allowed = match &self.plan.actors[actor.index()].kind {
            ActorKind::Service(service) => match (service.instances, service.instances_max()) {
                (count, max) if count == max => format!("below `instances`, {count}"),
                (_, max) => format!("below the {max} instances that `autoscale` may start"),
            },
            ActorKind::Client(client) => format!("below `count`, {}", client.count),
            ActorKind::Kv(_) | ActorKind::Broker | ActorKind::Custom(_) => {
                let message = format!("`{}` is one process", self.name_of(actor));
                let help = format!("leave `{field}` out");
                return self.problem(here, message, Some(help));
            }
        };
        self.require(n < self.plan.instances(actor), here, n, &allowed);
    }

    fn has_clock(&self, id: ActorId) -> bool {
        let kind = &self.plan.actors[id.index()].kind;
        matches!(kind, ActorKind::Service(_) | ActorKind::Kv(_) | ActorKind::Custom(_))
    }

    fn check_clock_step(&mut self, forward: Option<Span>, back: Option<Span>, here: &Here) {
        let (span, field) = match (forward, back) {
            (Some(span), None) => (span, "forward"),
            (None, Some(span)) => (span, "back"),
            _ => {
                let help = Some("write ClockStep(actor, forward: \"1h\")".to_owned());
                self.problem(here, "ClockStep takes either `forward` or `back`", help);
                return;
            }
        };
        let ok = !span.is_zero() && span <= CLOCK_STEP_MAX;
        let allowed = format!("above zero and at most {CLOCK_STEP_MAX}");
        self.require(ok, &here.field(field), span, &allowed);
    }
}
