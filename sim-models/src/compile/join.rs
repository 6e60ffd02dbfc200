//! Joins programs: every endpoint is compiled, then callers and callees are matched.

use sim_policies::Method;
use sim_redis::value::Value;

use super::builder::Builder;
use super::frame::{Frame, Role};
use super::place::Here;
use crate::language::{self, Actor, Balancer, Expr, Invariant};
use crate::plan::{ActorId, ActorKind, LayerPlan, Operand, ProgramId, Site, Target, builtin};
use crate::source::path_key;

impl Builder<'_> {
    /// Compiles every program, then joins callers and callees.
    pub(super) fn programs(&mut self) {
        let mut frames = Vec::new();
        self.effectful = vec![false; self.plan.programs.len()];
        self.acting = self.effectful.clone();
        // In the order of actors and jobs, as they were made.
        let jobs: Vec<ProgramId> = self.plan.jobs.iter().map(|job| job.program).collect();
        let mut jobs = jobs.into_iter();
        for (name, actor) in &self.spec.actors {
            let here = Here::file(format!("actors.{}", path_key(name)));
            let id = self.actor_ids[name];
            match actor {
                Actor::Client(client) => self.client_programs(id, client, &here, &mut frames),
                Actor::Service(service) => {
                    for (endpoint, steps) in &service.endpoints {
                        let endpoint_id = self.endpoints[&(id, endpoint.clone())];
                        let program = self.plan.endpoints[endpoint_id.index()];
                        let full = format!("{name}.{endpoint}");
                        let mut frame = Frame::new(id, Role::Endpoint, full, program);
                        let key = path_key(endpoint);
                        self.program(&mut frame, steps, &here.field("endpoints").field(&key));
                        frames.push(frame);
                    }
                    for (job, plan) in &service.jobs {
                        let program = jobs.next().expect("each job has its program");
                        let mut frame = Frame::new(id, Role::Job, format!("{name}.{job}"), program);
                        let here = here.field("jobs").field(&path_key(job)).field("does");
                        self.program(&mut frame, &plan.does, &here);
                        frames.push(frame);
                    }
                }
                Actor::Custom(custom) => self.own_programs(id, custom, &here, &mut frames),
                Actor::Kv(_) | Actor::Broker(_) => {}
            }
        }
        self.bind_arguments(&mut frames);
        self.mark_methods();
        self.mark_minted_keys();
        self.mark_repeatable();
        self.drop_unread(&frames);
        self.labels_are_labels();
        for frame in frames {
            self.problems.extend(frame.unassigned.into_values());
        }
    }

    /// Refuses a label that has the name of the point after a step.
    fn labels_are_labels(&mut self) {
        for (name, here) in std::mem::take(&mut self.labels) {
            if self.step_points.contains(&name) {
                let label = name.rsplit_once('/').map_or(&name[..], |(_, label)| label);
                let message = format!("`{name}` is the point after a step already");
                let help = format!("leave Label(\"{label}\") out, or give it another name");
                self.problem(&here, message, Some(help));
            }
        }
    }

    fn client_programs(
        &mut self,
        id: ActorId,
        client: &language::Client,
        here: &Here,
        frames: &mut Vec<Frame>,
    ) {
        let name = self.name_of(id).to_owned();
        let ActorKind::Client(plan) = &self.plan.actors[id.index()].kind else {
            unreachable!("made from a client")
        };
        let (program, refund) = (plan.program, plan.refund);
        let mut frame = Frame::new(id, Role::Client, name.clone(), program);
        let (body, key) = self.content_and_key(&mut frame, client, here);
        if let ActorKind::Client(plan) = &mut self.plan.actors[id.index()].kind {
            (plan.body, plan.key) = (body, key);
        }
        self.program(&mut frame, &client.does, &here.field("does"));
        frames.push(frame);
        if let Some(refund) = refund {
            let mut frame = Frame::new(id, Role::Client, format!("{name}.refund"), refund);
            // It reads what the other program reads for them.
            self.content_and_key(&mut frame, client, here);
            let here = here.field("refund");
            self.program(&mut frame, &client.refund, &here);
            if frame.refunded.is_none() {
                let help = "end it with `Refunded(\"charge\")`, or what the user paid with";
                let message = "nothing in it says that a refund is granted";
                self.problem(&here, message, Some(help.to_owned()));
            }
            frames.push(frame);
        }
    }

    /// What the user of a client sends, and the key of an intent.
    fn content_and_key(
        &mut self,
        frame: &mut Frame,
        client: &language::Client,
        here: &Here,
    ) -> (Operand, Operand) {
        let name = self.name_of(frame.actor).replace('{', "{{").replace('}', "}}");
        let body = self.operand(frame, &client.body, &here.field("body"));
        let key = self.operand(frame, &Expr::Text(format!("{name}-{{intent}}")), here);
        (body, key)
    }

    /// What an actor written in Rust calls: a program of one step for each. The answer goes to the
    /// actor, so that the program has no variable for it.
    fn own_programs(
        &mut self,
        id: ActorId,
        custom: &language::Custom,
        here: &Here,
        frames: &mut Vec<Frame>,
    ) {
        let name = self.name_of(id).to_owned();
        let ActorKind::Custom(plan) = &self.plan.actors[id.index()].kind else {
            unreachable!("made from an actor written in Rust")
        };
        let (own, programs) = (plan.program, plan.calls.clone());
        self.program(&mut Frame::new(id, Role::Own, name.clone(), own), &[], here);
        for ((call, step), (_, program)) in custom.calls.iter().zip(programs) {
            let here = here.field("calls").field(&path_key(call));
            let given = [
                ("into", step.into.is_some()),
                ("status_into", step.status_into.is_some()),
                ("headers_into", step.headers_into.is_some()),
            ];
            for (field, _) in given.iter().filter(|(_, is_given)| *is_given) {
                let message = format!("the answer goes to `{name}` itself");
                self.problem(&here.field(field), message, None);
            }
            let mut frame = Frame::new(id, Role::Own, format!("{name}.{call}"), program);
            self.program_of(&mut frame, &here, |builder, frame| builder.call(frame, step, &here));
            frames.push(frame);
        }
    }

    /// `with` arguments go to the callee's variables of the same name.
    fn bind_arguments(&mut self, frames: &mut [Frame]) {
        for n in 0..self.plan.sites.len() {
            let arguments = std::mem::take(&mut self.site_notes[n].with);
            let Target::Endpoint { endpoint, .. } = &self.plan.sites[n].target else { continue };
            let program = self.plan.endpoints[endpoint.index()];
            let Some(callee) = frames.iter_mut().find(|frame| frame.id == program) else {
                continue;
            };
            let mut bound = Vec::new();
            let mut unknown = Vec::new();
            for (name, value) in arguments {
                match callee.parameter(&name) {
                    Some(reg) => bound.push((reg, value)),
                    None => unknown.push((name, callee.name.clone())),
                }
            }
            for (name, callee) in unknown {
                let here = self.site_notes[n].here.field("with").field(&name);
                self.problem(&here, format!("`{callee}` reads no variable `{name}`"), None);
            }
            if let Target::Endpoint { with, .. } = &mut self.plan.sites[n].target {
                *with = bound;
            }
        }
    }

    /// Whether an actor written in Rust acts, or calls somebody who does.
    fn own_acting(&self, actor: ActorId) -> bool {
        let ActorKind::Custom(custom) = &self.plan.actors[actor.index()].kind else { return false };
        let mut programs = custom.calls.iter().map(|(_, program)| program.index());
        !custom.effects.is_empty() || programs.any(|program| self.acting[program])
    }

    /// A call whose method is not written is a `POST` when it leads to an effect or a message.
    fn mark_methods(&mut self) {
        let acts = |builder: &Builder<'_>, site: &Site| match site.target {
            Target::Endpoint { endpoint, .. } => {
                builder.acting[builder.plan.endpoints[endpoint.index()].index()]
            }
            Target::Custom { .. } => builder.own_acting(site.to),
            Target::Queue { .. } => true,
            Target::Kv(_) => !site.repeatable,
        };
        // A caller of somebody who acts acts too; chains of calls need several rounds.
        let mut changed = true;
        while changed {
            changed = false;
            for n in 0..self.plan.sites.len() {
                let owner = self.site_notes[n].owner.index();
                if !self.acting[owner] && acts(self, &self.plan.sites[n]) {
                    (self.acting[owner], changed) = (true, true);
                }
            }
        }
        for n in 0..self.plan.sites.len() {
            let default = if acts(self, &self.plan.sites[n]) { Method::Post } else { Method::Get };
            self.plan.sites[n].method = self.site_notes[n].method.unwrap_or(default);
        }
    }

    /// Some SDKs send a key of their own with a `POST` that has none.
    fn mark_minted_keys(&mut self) {
        for site in &mut self.plan.sites {
            let takes_key = matches!(site.target, Target::Endpoint { .. } | Target::Custom { .. });
            let layers = &self.plan.stacks[site.stack.index()].layers;
            let mints = |layer: &LayerPlan| match layer {
                LayerPlan::Retry(plan) => plan.retry.mints_key(site.method),
                _ => false,
            };
            site.mints_key = takes_key && layers.iter().any(mints);
            site.has_key |= site.mints_key;
        }
    }

    /// Whether an actor written in Rust has an effect, or calls somebody who has.
    fn own_effectful(&self, actor: ActorId) -> bool {
        let ActorKind::Custom(custom) = &self.plan.actors[actor.index()].kind else { return false };
        let mut programs = custom.calls.iter().map(|(_, program)| program.index());
        !custom.effects.is_empty() || programs.any(|program| self.effectful[program])
    }

    /// A call may be repeated when it has a key, or when nothing that it leads to can happen twice.
    fn mark_repeatable(&mut self) {
        // An effect of a callee is an effect of its caller too; chains of calls need several rounds.
        let mut changed = true;
        while changed {
            changed = false;
            for (site, note) in self.plan.sites.iter().zip(&self.site_notes) {
                let callee_has_effect = match site.target {
                    Target::Endpoint { endpoint, .. } => {
                        self.effectful[self.plan.endpoints[endpoint.index()].index()]
                    }
                    Target::Custom { .. } => self.own_effectful(site.to),
                    Target::Queue { .. } | Target::Kv(_) => continue,
                };
                let has_effect = note.idempotent != Some(true) && callee_has_effect;
                let owner = &mut self.effectful[note.owner.index()];
                changed |= has_effect && !*owner;
                *owner |= has_effect;
            }
        }
        let own: Vec<bool> =
            (0..self.plan.actors.len()).map(|n| self.own_effectful(ActorId::nth(n))).collect();
        for (site, note) in self.plan.sites.iter_mut().zip(&self.site_notes) {
            site.repeatable = note.idempotent.unwrap_or_else(|| match site.target {
                Target::Endpoint { endpoint, .. } => {
                    let callee = self.plan.endpoints[endpoint.index()];
                    site.has_key || !self.effectful[callee.index()]
                }
                Target::Custom { .. } => site.has_key || !own[site.to.index()],
                Target::Queue { .. } | Target::Kv(_) => true,
            });
        }
    }

    /// Keys and contents that no callee reads are neither worked out nor sent.
    fn drop_unread(&mut self, frames: &[Frame]) {
        for frame in frames {
            let program = &mut self.plan.programs[frame.id.index()];
            (program.reads_key, program.reads_body) = (frame.reads_key, frame.reads_body);
            // An invariant looks at what an endpoint itself may forget to look at.
            let compares = |rule: &Invariant| matches!(rule, Invariant::EqualReplays(server) if *server == frame.name);
            program.reads_body |= self.spec.invariants.iter().any(compares);
            // A ring looks at the key before the program does.
            let owner = &self.plan.actors[frame.actor.index()].kind;
            let on_a_ring = matches!(owner, ActorKind::Service(service)
                if matches!(service.balancer, Balancer::RingHash { .. }));
            program.reads_key |= on_a_ring && frame.role == Role::Endpoint;
        }
        // Who hands on what it was given reads it itself; chains of calls need several rounds.
        let mut changed = true;
        while changed {
            changed = false;
            for (site, note) in self.plan.sites.iter().zip(&self.site_notes) {
                let (key, body, reads_key, reads_body) = match &site.target {
                    Target::Endpoint { endpoint, key, body, .. } => {
                        let callee = self.plan.endpoints[endpoint.index()];
                        let callee = &self.plan.programs[callee.index()];
                        (key, body, callee.reads_key, callee.reads_body)
                    }
                    Target::Custom { key, body, .. } | Target::Queue { key, body, .. } => {
                        (key, body, true, true)
                    }
                    Target::Kv(_) => continue,
                };
                let owner = &mut self.plan.programs[note.owner.index()];
                let hands_key = reads_key && *key == Operand::Reg(builtin::KEY);
                let hands_body = reads_body && *body == Operand::Reg(builtin::BODY);
                changed |= (hands_key && !owner.reads_key) || (hands_body && !owner.reads_body);
                owner.reads_key |= hands_key;
                owner.reads_body |= hands_body;
            }
        }
        for site in &mut self.plan.sites {
            if let Target::Endpoint { endpoint, key, body, .. } = &mut site.target {
                let callee = self.plan.endpoints[endpoint.index()];
                let callee = &self.plan.programs[callee.index()];
                if !callee.reads_key {
                    *key = Operand::Const(Value::Nil);
                    site.mints_key = false;
                }
                if !callee.reads_body {
                    *body = Operand::Const(Value::Nil);
                }
            }
        }
    }
}
