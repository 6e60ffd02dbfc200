//! Faults: names become ids, triggers find their points.

use sim_core::Span;
use sim_redis::Eviction;

use super::builder::Builder;
use super::place::Here;
use crate::language::{Fault, FaultPlan};
use crate::plan::{ActorId, ActorKind, FaultEntry, FaultKind, KvPlan, PointId, Trigger};
use crate::source::advice;

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
            }
            let kind = self.fault(fault, &here.field("fault"));
            if let (Some(trigger), Some((kind, label))) = (trigger, kind) {
                let label = self.label_at_point(trigger, lasts, kind, label, &here);
                self.plan.faults.push(FaultEntry { trigger, lasts, fault: kind, label });
            }
        }
    }

    /// A fault that strikes the very task that passes a point is told with the point's name.
    fn label_at_point(
        &mut self,
        trigger: Trigger,
        lasts: Option<Span>,
        kind: FaultKind,
        label: String,
        here: &Here,
    ) -> String {
        if !matches!(kind, FaultKind::Throw { .. } | FaultKind::Stall) {
            return label;
        }
        let Trigger::After { point, .. } = trigger else {
            let help = "write it as After(\"actor.endpoint/label\", …)".to_owned();
            self.problem(here, "this fault strikes whoever passes a point", Some(help));
            return label;
        };
        match (kind, lasts) {
            (FaultKind::Stall, None) => {
                self.problem(here, "a stall needs its length, `for`", None);
            }
            (FaultKind::Throw { .. }, Some(_)) => {
                self.problem(&here.field("for"), "an error is raised at one instant", None);
            }
            _ => {}
        }
        format!("{}: {label}", self.plan.points[point.index()])
    }

    fn known_point(&mut self, name: &str, here: &Here) -> Option<PointId> {
        if let Some(n) = self.plan.points.iter().position(|point| point == name) {
            return Some(PointId::nth(n));
        }
        let help = match advice(name, self.plan.points.iter().map(String::as_str)) {
            Some(help) => help,
            None => "mark it with a step Label(\"…\")".to_owned(),
        };
        self.problem(here, format!("no program passes a point `{name}`"), Some(help));
        None
    }

    /// A fault and how it is told.
    fn fault(&mut self, fault: &Fault, here: &Here) -> Option<(FaultKind, String)> {
        let any = |_: &Builder<'_>, _: ActorId| true;
        let served = |b: &Builder<'_>, id| b.is_server(id);
        let actor_here = here.field("actor");
        let percent = |rate: f64| format!("{} %", (rate * 1000.0).round() / 10.0);
        Some(match fault {
            Fault::Errors { actor, rate, status } => {
                self.ratio(*rate, &here.field("rate"));
                self.status(*status, &here.field("status"));
                let id = self.actor_that(actor, &actor_here, served, "service, store or broker")?;
                let label = format!("{actor}: {} errors {status}", percent(*rate));
                (FaultKind::Errors { actor: id, rate: *rate, status: *status }, label)
            }
            Fault::Hang { actor, rate } => {
                self.ratio(*rate, &here.field("rate"));
                let id = self.actor_that(actor, &actor_here, served, "service, store or broker")?;
                let label = format!("{actor}: {} hang", percent(*rate));
                (FaultKind::Hang { actor: id, rate: *rate }, label)
            }
            Fault::Crash { actor, instance } => {
                let id = self.actor_that(actor, &actor_here, served, "service, store or broker")?;
                let who = self.instance_of(actor, id, *instance, here);
                (FaultKind::Crash { actor: id, instance: *instance }, format!("{who}: crashed"))
            }
            Fault::Outage { actor } => {
                let id = self.actor_that(actor, &actor_here, served, "service, store or broker")?;
                (FaultKind::Outage { actor: id }, format!("{actor}: refuses connections"))
            }
            Fault::BlackHole { actor } => {
                let id = self.actor_that(actor, &actor_here, any, "actor")?;
                (FaultKind::BlackHole { actor: id }, format!("{actor}: unreachable"))
            }
            Fault::Slow { actor, factor, instance } => {
                let ok = factor.is_finite() && *factor > 0.0;
                self.require(ok, &here.field("factor"), factor, "finite and above zero");
                let id = self.actor_that(actor, &actor_here, served, "service, store or broker")?;
                let who = self.instance_of(actor, id, *instance, here);
                let kind = FaultKind::Slow { actor: id, factor: *factor, instance: *instance };
                (kind, format!("{who}: {factor}x slower"))
            }
            Fault::Pause { actor } => {
                let id = self.actor_that(actor, &actor_here, served, "service, store or broker")?;
                (FaultKind::Pause { actor: id }, format!("{actor}: paused"))
            }
            Fault::Throw { status } => {
                self.status(*status, &here.field("status"));
                (FaultKind::Throw { status: *status }, format!("raises an error, {status}"))
            }
            Fault::Stall => (FaultKind::Stall, "stands still".to_owned()),
            Fault::Flush { store } => {
                let has = |b: &Builder<'_>, id| b.is_kv(id) || b.has_cache(id);
                let what = "store, and no service with caches";
                let id = self.actor_that(store, &here.field("store"), has, what)?;
                (FaultKind::Flush { store: id }, format!("{store}: forgets everything"))
            }
            Fault::Failover { .. }
            | Fault::ClockStep { .. }
            | Fault::OutOfMemory { .. }
            | Fault::Evict { .. } => return self.store_fault(fault, here),
            Fault::Partition { from, to, both_ways } => {
                let (a, b) = self.route(from, to, here)?;
                let arrow = if *both_ways { "<->" } else { "->" };
                let kind = FaultKind::Partition { from: a, to: b, both_ways: *both_ways };
                (kind, format!("{from}{arrow}{to}: partitioned"))
            }
            Fault::Loss { from, to, rate } => {
                self.ratio(*rate, &here.field("rate"));
                let (a, b) = self.route(from, to, here)?;
                let label = format!("{from}->{to}: {} lost", percent(*rate));
                (FaultKind::Loss { from: a, to: b, rate: *rate }, label)
            }
            Fault::Duplicate { from, to, rate } => {
                self.ratio(*rate, &here.field("rate"));
                let (a, b) = self.route(from, to, here)?;
                let label = format!("{from}->{to}: {} duplicated", percent(*rate));
                (FaultKind::Duplicate { from: a, to: b, rate: *rate }, label)
            }
            Fault::Delay { from, to, by } => {
                let (a, b) = self.route(from, to, here)?;
                (FaultKind::Delay { from: a, to: b, by: *by }, format!("{from}->{to}: {by} later"))
            }
        })
    }

    /// How an actor or one of its instances is told, once it is known to exist.
    fn instance_of(
        &mut self,
        name: &str,
        id: ActorId,
        instance: Option<u32>,
        here: &Here,
    ) -> String {
        let Some(n) = instance else { return name.to_owned() };
        let count = match &self.plan.actors[id.index()].kind {
            ActorKind::Service(service) => service.instances,
            _ => 1,
        };
        let allowed = format!("below `instances`, {count}");
        self.require(n < count, &here.field("instance"), n, &allowed);
        format!("{name}[{n}]")
    }

    /// A fault of a store, or of a clock that a store may have.
    fn store_fault(&mut self, fault: &Fault, here: &Here) -> Option<(FaultKind, String)> {
        let is_kv = |b: &Builder<'_>, id| b.is_kv(id);
        let store_here = here.field("store");
        Some(match fault {
            Fault::Failover { store } => {
                let id = self.actor_that(store, &store_here, is_kv, "store")?;
                if let ActorKind::Kv(KvPlan { replicas: 0, .. }) = self.plan.actors[id.index()].kind
                {
                    let message = format!("`{store}` has no replica that could take over");
                    let help = "give the store `replicas`, or let it Crash".to_owned();
                    self.problem(&store_here, message, Some(help));
                }
                (FaultKind::Failover { store: id }, format!("{store}: a replica takes over"))
            }
            Fault::ClockStep { actor, forward, back } => {
                let has_clock = |b: &Builder<'_>, id: ActorId| {
                    let kind = &b.plan.actors[id.index()].kind;
                    matches!(kind, ActorKind::Service(_) | ActorKind::Kv(_))
                };
                let by = self.clock_step(*forward, *back, here);
                let here = here.field("actor");
                let id = self.actor_that(actor, &here, has_clock, "service or store")?;
                let (span, way) = match (forward, back) {
                    (Some(span), _) => (*span, "ahead"),
                    (None, span) => (span.unwrap_or_default(), "behind"),
                };
                let label = format!("{actor}: the clock is {span} {way}");
                (FaultKind::ClockStep { actor: id, by }, label)
            }
            Fault::OutOfMemory { store } => {
                let id = self.actor_that(store, &store_here, is_kv, "store")?;
                (FaultKind::OutOfMemory { store: id }, format!("{store}: out of memory"))
            }
            Fault::Evict { store, policy, share } => {
                self.ratio(*share, &here.field("share"));
                if *policy == Eviction::NoEviction {
                    let help = "to refuse writes instead, use OutOfMemory".to_owned();
                    let message = "NoEviction evicts nothing";
                    self.problem(&here.field("policy"), message, Some(help));
                }
                let id = self.actor_that(store, &store_here, is_kv, "store")?;
                let label = format!(
                    "{store}: evicts {} % of {}",
                    (share * 1000.0).round() / 10.0,
                    victims(*policy)
                );
                (FaultKind::Evict { store: id, policy: *policy, share: *share }, label)
            }
            _ => unreachable!("told by the caller"),
        })
    }

    /// By how many nanoseconds a clock is wrong.
    fn clock_step(&mut self, forward: Option<Span>, back: Option<Span>, here: &Here) -> i64 {
        let (span, field, sign) = match (forward, back) {
            (Some(span), None) => (span, "forward", 1),
            (None, Some(span)) => (span, "back", -1),
            _ => {
                let help = Some("write ClockStep(actor, forward: \"1h\")".to_owned());
                self.problem(here, "ClockStep takes either `forward` or `back`", help);
                return 0;
            }
        };
        let ok = !span.is_zero() && span <= CLOCK_STEP_MAX;
        let allowed = format!("above zero and at most {CLOCK_STEP_MAX}");
        self.require(ok, &here.field(field), span, &allowed);
        sign * span.min(CLOCK_STEP_MAX).as_nanos().cast_signed()
    }

    fn route(&mut self, from: &str, to: &str, here: &Here) -> Option<(ActorId, ActorId)> {
        let a = self.actor(from, &here.field("from"));
        let b = self.actor(to, &here.field("to"));
        Some((a?, b?))
    }
}

/// Which keys a policy removes, for people.
fn victims(policy: Eviction) -> &'static str {
    match policy {
        Eviction::NoEviction => "no key",
        Eviction::VolatileLru => "the keys with a lifetime, longest unused first",
        Eviction::VolatileLfu => "the keys with a lifetime, least used first",
        Eviction::VolatileTtl => "the keys with a lifetime, soonest to end first",
        Eviction::VolatileRandom => "the keys with a lifetime, at random",
        Eviction::AllKeysLru => "all keys, longest unused first",
        Eviction::AllKeysLfu => "all keys, least used first",
        Eviction::AllKeysRandom => "all keys, at random",
    }
}
