//! Commands to stores: names become ids, arguments operands, and what Redis or the store would
//! refuse is refused here.

use sim_core::Span;
use sim_policies::Method;
use sim_redis::value::Value;

use super::builder::{Builder, SiteNote};
use super::frame::Frame;
use super::place::Here;
use crate::language::{Actor, Expr, KvOp, KvStep, Node, Replicas, Slot};
use crate::plan::{
    self, ActorId, ActorKind, CommandPlan, Instr, KvPlan, OpPlan, Operand, Site, Target,
};

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Alone,
    /// In the list of a `Multi` or `Transaction`.
    Listed,
}

impl Builder<'_> {
    /// Compiles a step that sends a command.
    pub(super) fn command(&mut self, frame: &mut Frame, step: &KvStep, here: &Here) {
        let Some(to) = self.actor(&step.store, &here.field("store")) else { return };
        let ActorKind::Kv(store) = self.plan.actors[to.index()].kind.clone() else {
            let message = format!("`{}` is no store", step.store);
            let help = "name an actor that is a Kv(…)".to_owned();
            self.problem(&here.field("store"), message, Some(help));
            return;
        };
        let place = here.field("op");
        self.check_command(&step.op, Place::Alone, &place);
        let from = self.check_nodes(step, to, &store, here);
        let op = self.lower(frame, &step.op, &place);
        self.need_keys(frame, &op, step, &place);
        let has_effect = has_effect(&op);
        let is_repeatable = op.nature().repeatable && !has_effect;
        self.effectful[frame.id.index()] |= has_effect;
        self.acting[frame.id.index()] |= has_effect;
        let target = Target::Kv(CommandPlan { op, from });
        let into = step.into.as_deref();
        let into = into.map(|name| self.variable(frame, name, &here.field("into")));
        let site = Site {
            target,
            to,
            stack: self.stack(frame.actor, step.policy.as_deref(), to, here),
            pair: self.pair(frame.actor, to),
            into,
            into_status: None,
            into_headers: None,
            method: Method::Get,
            has_key: false,
            repeatable: is_repeatable,
            mints_key: false,
            instead: Vec::new(),
        };
        let note = SiteNote {
            owner: frame.id,
            here: here.clone(),
            with: Vec::new(),
            idempotent: Some(is_repeatable),
            method: None,
        };
        let id = self.site(note, site);
        self.emit(Instr::Call(id));
    }

    fn lower(&mut self, frame: &mut Frame, op: &KvOp, here: &Here) -> OpPlan {
        let mut argument = |expr: &Expr, slot: Slot| {
            let here = slot.nth.map_or_else(|| here.clone(), |n| here.at(n));
            let here = if slot.field.is_empty() { here } else { here.field(slot.field) };
            self.operand(frame, expr, &here)
        };
        let op: KvOp<Operand, String> = op.map(&mut argument, &mut String::clone);
        op.map(&mut |operand, _| *operand, &mut |kind| self.kind_done(kind))
    }

    /// Notes the keys of a command, and those of the effects in it.
    fn need_keys(&mut self, frame: &Frame, op: &OpPlan, step: &KvStep, here: &Here) {
        let mut keys = Vec::new();
        let mut note = |operand: &Operand, slot: Slot| {
            if matches!(slot.field, "" | "key" | "from" | "to" | "once") {
                keys.push((*operand, slot.field == "once"));
            }
            *operand
        };
        let _: OpPlan = op.map(&mut note, &mut |kind| *kind);
        for (key, is_once) in keys {
            let otherwise = match is_once {
                true => "its effect happens each time".to_owned(),
                false => format!("all share one key of `{}`", step.store),
            };
            self.need(frame, key, here.clone(), otherwise);
        }
    }

    /// Refuses what a store would always refuse.
    fn check_command(&mut self, op: &KvOp, place: Place, here: &Here) {
        match op {
            KvOp::Set { nx, xx, ex, px, keep_ttl, .. } => {
                if *nx && *xx {
                    self.problem(here, "SET takes NX or XX, not both", None);
                }
                if usize::from(ex.is_some()) + usize::from(px.is_some()) + usize::from(*keep_ttl)
                    > 1
                {
                    self.problem(here, "SET takes one of EX, PX and KEEPTTL", None);
                }
                self.lifetime(*ex, "seconds", &here.field("ex"));
                self.lifetime(*px, "milliseconds", &here.field("px"));
            }
            KvOp::Expire { after, nx, xx, gt, lt, .. } => {
                if (*nx && (*xx || *gt || *lt)) || (*gt && *lt) {
                    let help = "allowed are NX alone, XX, GT, LT, XX with GT, and XX with LT";
                    self.problem(here, "these conditions exclude each other", Some(help.into()));
                }
                self.lifetime(Some(*after), "milliseconds", &here.field("after"));
            }
            KvOp::CompareAndExpire { px, .. } | KvOp::CompareAndSet { px, .. } => {
                self.lifetime(Some(*px), "milliseconds", &here.field("px"));
            }
            KvOp::SlidingWindow { window, .. } | KvOp::FixedWindow { window, .. } => {
                self.lifetime(Some(*window), "milliseconds", &here.field("window"));
            }
            KvOp::Watch(_) | KvOp::Wait { .. } | KvOp::Multi(_) | KvOp::Transaction(_)
                if place == Place::Listed =>
            {
                let help = "it takes commands on keys, and Effect".to_owned();
                let message = format!("{} cannot be one of several commands", name(op));
                self.problem(here, message, Some(help));
            }
            KvOp::Wait { timeout, .. } => {
                self.require(!timeout.is_zero(), &here.field("timeout"), timeout, "above zero");
            }
            KvOp::Multi(ops) | KvOp::Transaction(ops) => {
                if ops.is_empty() {
                    self.problem(here, format!("{} of no commands", name(op)), None);
                }
                for (n, op) in ops.iter().enumerate() {
                    self.check_command(op, Place::Listed, &here.at(n));
                }
            }
            KvOp::Effect { .. } if place == Place::Alone => {
                let help = "write it as a step, or in a Multi or Transaction of a store".to_owned();
                self.problem(here, "Effect is no command of its own", Some(help));
            }
            _ => {}
        }
    }

    /// A lifetime is a whole number of its unit, and lasts.
    fn lifetime(&mut self, span: Option<Span>, unit: &str, here: &Here) {
        let nanos = if unit == "seconds" { 1_000_000_000 } else { 1_000_000 };
        if let Some(span) = span {
            let is_whole = !span.is_zero() && span.as_nanos() % nanos == 0;
            self.require(is_whole, here, span, &format!("whole {unit}, at least 1"));
        }
    }

    /// Refuses commands to replicas that a store does not have, or that replicas do not take.
    fn check_nodes(
        &mut self,
        step: &KvStep,
        to: ActorId,
        store: &KvPlan,
        here: &Here,
    ) -> plan::Node {
        let (name_of_store, has) = (&step.store, store.replicas.len() as u32);
        let help = || Some("give the store `replicas`".to_owned());
        if let KvOp::Wait { replicas, .. } = step.op {
            let here = here.field("op").field("replicas");
            if has == 0 {
                self.problem(&here, format!("`{name_of_store}` has no replicas"), help());
            } else {
                let ok = (1..=has).contains(&replicas);
                self.require(ok, &here, replicas, &format!("in 1..={has}"));
            }
        }
        let here = here.field("from");
        let replica = match &step.from {
            Node::Primary => return plan::Node::Primary,
            Node::Replica => {
                if has == 0 {
                    self.problem(&here, format!("`{name_of_store}` has no replicas"), help());
                    return plan::Node::Primary;
                }
                0
            }
            Node::Named(name) => match store.replicas.iter().position(|known| known == name) {
                Some(n) => n as u32,
                None => {
                    self.no_such_replica(to, name, &here);
                    return plan::Node::Primary;
                }
            },
        };
        if !step.op.nature().reads {
            let message = format!("a replica takes no {}", name(&step.op));
            let help = "only reads go to a replica".to_owned();
            self.problem(&here, message, Some(help));
        }
        plan::Node::Replica(replica)
    }

    /// What a scenario says of a store.
    pub(super) fn kv(&mut self, actor: ActorId, kv: &crate::language::Kv, here: &Here) -> KvPlan {
        let names = &kv.replicas.0;
        let replicas = here.field("replicas");
        let count = names.len();
        let allowed = format!("in 0..={}", Replicas::MAX);
        self.require(count as u64 <= Replicas::MAX, &replicas, count, &allowed);
        for (n, name) in names.iter().enumerate() {
            if names[..n].contains(name) {
                self.problem(&replicas.at(n), format!("`{name}` stands here twice"), None);
            }
        }
        let most = kv.min_replicas_to_write as usize;
        let allowed = format!("at most the number of replicas, {count}");
        self.require(most <= count, &here.field("min_replicas_to_write"), most, &allowed);
        let max_lag = kv.min_replicas_max_lag;
        let place = here.field("min_replicas_max_lag");
        self.require(!max_lag.is_zero(), &place, max_lag, "above zero");
        if kv.lag.is_some() && names.is_empty() {
            let help = "give it `replicas`, or leave `lag` out".to_owned();
            let message = "a store without replicas has no lag";
            self.problem(&here.field("lag"), message, Some(help));
        }
        let mut copies_to = Vec::new();
        for (n, name) in kv.copies_to.iter().enumerate() {
            let here = here.field("copies_to").at(n);
            let Some(to) = self.actor(name, &here) else { continue };
            let is_store = matches!(self.spec.actors[name], Actor::Kv(_));
            if !is_store {
                self.problem(&here, format!("`{name}` is no store"), None);
            } else if to == actor {
                self.problem(&here, "a store does not copy to itself", None);
            } else if copies_to.contains(&to) {
                self.problem(&here, format!("`{name}` stands here twice"), None);
            }
            copies_to.push(to);
        }
        KvPlan {
            service_time: self.dist(&kv.service_time, &here.field("service_time")),
            replicas: names.clone(),
            lag: kv.lag.as_ref().map(|lag| self.dist(lag, &here.field("lag"))),
            min_replicas: kv.min_replicas_to_write,
            max_lag,
            persistence: kv.persistence,
            regional: !copies_to.is_empty() || self.is_copied_to(actor),
            copies_to,
            active_expiry: kv.active_expiry,
        }
    }

    /// Whether another store copies to this one.
    fn is_copied_to(&self, actor: ActorId) -> bool {
        self.spec.actors.values().any(|other| match other {
            Actor::Kv(other) => {
                other.copies_to.iter().any(|name| self.actor_ids.get(name) == Some(&actor))
            }
            _ => false,
        })
    }
}

/// A command's name, for people.
fn name<E: std::fmt::Debug, K: std::fmt::Debug>(op: &KvOp<E, K>) -> String {
    let text = format!("{op:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

/// Leaves an effect each time.
fn has_effect(op: &OpPlan) -> bool {
    match op {
        KvOp::Multi(ops) | KvOp::Transaction(ops) => ops.iter().any(has_effect),
        KvOp::Effect { once, .. } => *once == Operand::Const(Value::Nil),
        _ => false,
    }
}
