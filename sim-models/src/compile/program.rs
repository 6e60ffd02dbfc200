//! From steps to instructions: names become registers, blocks become jumps.

use sim_policies::{Advice, Method};
use sim_redis::value::Value;

use super::Points;
use super::builder::{Builder, Callee, DesignUse, Need, Other, SiteNote};
use super::frame::{Frame, Hole, LoopFrame, REGISTERS_MAX, Role};
use super::place::Here;
use crate::designs;
use crate::language::{
    Call, Effect, Expr, Idempotent, If, Loop, Match, OnBehalfOf, Phase, Publish, Respond, Step, Try,
};
use crate::plan::{
    ActorId, ActorKind, CondPlan, EffectId, EffectPlan, ForkId, Instr, Last, Operand, Pc, PointId,
    QueueId, Reg, RespondId, RespondPlan, Site, SiteId, StackId, Target, builtin,
};
use crate::source::advice;

impl Builder<'_> {
    /// Compiles a program's steps; its code ends with `End`.
    pub(super) fn program(&mut self, frame: &mut Frame, steps: &[Step], here: &Here) {
        self.program_of(frame, here, |builder, frame| builder.steps(frame, steps, here));
    }

    /// The same for steps that `compile` compiles.
    pub(super) fn program_of(
        &mut self,
        frame: &mut Frame,
        here: &Here,
        compile: impl FnOnce(&mut Self, &mut Frame),
    ) {
        let entry = self.pc();
        compile(self, frame);
        self.emit(Instr::End);
        if frame.next > REGISTERS_MAX {
            let message = format!("a program has at most {REGISTERS_MAX} variables");
            self.problem(here, message, None);
        }
        let program = frame.finish(entry);
        self.plan.programs[frame.id.index()] = program;
        for (name, reg) in &frame.registers {
            self.variables.insert((frame.id, *reg), name.clone());
        }
    }

    fn pc(&self) -> Pc {
        Pc::nth(self.plan.code.len())
    }

    pub(super) fn emit(&mut self, instr: Instr) -> usize {
        self.plan.code.push(instr);
        self.plan.code.len() - 1
    }

    fn steps(&mut self, frame: &mut Frame, steps: &[Step], here: &Here) {
        self.steps_from(frame, steps, 0, here);
    }

    fn steps_from(&mut self, frame: &mut Frame, steps: &[Step], first: usize, here: &Here) {
        for (n, step) in steps.iter().enumerate().skip(first) {
            if let Step::Compensate(undo) = step {
                return self.compensate(frame, undo, steps, n, here);
            }
            self.step(frame, step, &here.at(n));
            let is_labelled = matches!(steps.get(n + 1), Some(Step::Label(_)));
            self.pass_step(frame, step, is_labelled);
        }
    }

    /// The point right after a step that does something, if somebody may be waiting there.
    fn pass_step(&mut self, frame: &mut Frame, step: &Step, is_labelled: bool) {
        let Some(deed) = step.deed() else { return };
        let times = frame.deeds.entry(deed.clone()).or_default();
        *times += 1;
        let which = if *times == 1 { String::new() } else { format!("#{times}") };
        let name = format!("{}/{deed}{which}", frame.name);
        let is_wanted = self.points == Points::All && !is_labelled;
        if is_wanted || self.asked_points.contains(&name) {
            let point = self.point(&name);
            self.emit(Instr::Point(point));
        }
        self.step_points.push(name);
    }

    /// What follows the `n`th step of a block runs under a handler that compensates for it.
    fn compensate(
        &mut self,
        frame: &mut Frame,
        undo: &[Step],
        steps: &[Step],
        n: usize,
        here: &Here,
    ) {
        let open = self.emit(Instr::End);
        frame.depth += 1;
        self.steps_from(frame, steps, n + 1, here);
        frame.depth -= 1;
        self.emit(Instr::EndTry);
        let skip = self.emit(Instr::End);
        self.plan.code[open] = Instr::Try { catch: None, last: Some(Last::Undo(self.pc())) };
        frame.finallies += 1;
        self.steps(frame, undo, &here.at(n));
        frame.finallies -= 1;
        self.emit(Instr::EndFinally);
        self.plan.code[skip] = Instr::Jump(self.pc());
    }

    fn step(&mut self, frame: &mut Frame, step: &Step, here: &Here) {
        match step {
            Step::Work(dist) => {
                let dist = self.dist(dist, here);
                self.emit(Instr::Work(dist));
            }
            Step::Sleep(dist) => {
                let dist = self.dist(dist, here);
                self.emit(Instr::Sleep(dist));
            }
            Step::Call(call) => self.call(frame, call, here),
            Step::Kv(step) => self.command(frame, step, here),
            Step::Let(step) => {
                let value = self.operand(frame, &step.value, &here.field("value"));
                let to = self.variable(frame, &step.name, &here.field("name"));
                self.emit(Instr::Let { to, value });
            }
            Step::Add(step) => {
                let a = self.operand(frame, &step.a, &here.field("a"));
                let b = self.operand(frame, &step.b, &here.field("b"));
                let to = self.variable(frame, &step.name, &here.field("name"));
                self.emit(Instr::Add { to, a, b });
            }
            Step::If(step) => self.choose(frame, step, here),
            Step::Match(step) => self.match_value(frame, step, here),
            Step::Loop(step) => self.repeat(frame, step, here),
            Step::Break => self.leave_loop(frame, here),
            Step::Try(step) => self.attempt(frame, step, here),
            Step::Raise => self.raise(frame, here),
            Step::Compensate(_) => unreachable!("a block compiles its compensations itself"),
            Step::Parallel(branches) => self.parallel(frame, branches, here),
            Step::Spawn(steps) => self.spawn(frame, steps, here),
            Step::OnBehalfOf(step) => self.on_behalf_of(frame, step, here),
            Step::Cached(step) => self.cached(frame, step, here),
            Step::Publish(step) => self.publish(frame, step, here),
            Step::Effect(step) => self.effect(frame, step, here),
            Step::Respond(step) => self.respond(frame, step, here),
            Step::Refunded(kind) => self.refunded(frame, kind, here),
            Step::Fail(status) => {
                let status = self.status_operand(frame, status, here);
                self.emit(Instr::Fail(status));
            }
            Step::Label(label) => {
                let name = format!("{}/{label}", frame.name);
                let point = self.point(&name);
                self.labels.push((name, here.clone()));
                self.emit(Instr::Point(point));
            }
            Step::Idempotent(step) => self.idempotent(frame, step, here),
            Step::Body => self.body(frame, here),
            Step::Phase(step) => self.phase(frame, step, here),
        }
    }

    /// The register of a variable that the program gives a value.
    pub(super) fn variable(&mut self, frame: &mut Frame, name: &str, here: &Here) -> Reg {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            let help = "a variable's name is made of letters, digits and `_`".to_owned();
            self.problem(here, format!("`{name}` is no name for a variable"), Some(help));
        }
        frame.assign(name)
    }

    /// Notes a value without which what a step does is not what was meant.
    pub(super) fn need(
        &mut self,
        frame: &Frame,
        value: Operand,
        here: Here,
        otherwise: impl Into<String>,
    ) {
        if value != Operand::Const(Value::Nil) {
            let otherwise = otherwise.into();
            self.needs.push(Need { program: frame.id, here, value, otherwise });
        }
    }

    fn optional(&mut self, frame: &mut Frame, into: Option<&str>, here: &Here) -> Option<Reg> {
        into.map(|name| self.variable(frame, name, &here.field("into")))
    }

    pub(super) fn call(&mut self, frame: &mut Frame, call: &Call, here: &Here) {
        let absent = Operand::Const(Value::Nil);
        let key = match &call.key {
            Some(key) => self.operand(frame, key, &here.field("key")),
            None if matches!(frame.role, Role::Client | Role::Own) => Operand::Reg(builtin::KEY),
            None => absent,
        };
        let body = self.content(frame, call.body.as_ref(), here);
        let mut with = Vec::new();
        for (name, value) in &call.with {
            let value = self.operand(frame, value, &here.field("with").field(name));
            with.push((name.clone(), value));
        }
        let Some((to, endpoint)) = self.callee(&call.to, &here.field("to")) else { return };
        let stack = self.stack(frame.actor, call.policy.as_deref(), to, here);
        let into = self.optional(frame, call.into.as_deref(), here);
        let into_status = call
            .status_into
            .as_deref()
            .map(|name| self.variable(frame, name, &here.field("status_into")));
        let into_headers = call
            .headers_into
            .as_deref()
            .map(|name| self.variable(frame, name, &here.field("headers_into")));
        if let (Callee::Custom(_), false) = (&endpoint, with.is_empty()) {
            let message = "a custom actor takes a key and a body, no further variables";
            self.problem(&here.field("with"), message, None);
        }
        let keyed = key != absent;
        let (idempotent, method) = (call.idempotent, call.method);
        let note = SiteNote { owner: frame.id, here: here.clone(), with, idempotent, method };
        let site = |builder: &mut Builder<'_>, stack: StackId, to: ActorId, endpoint: Callee| {
            let target = match endpoint {
                Callee::Endpoint(endpoint) => {
                    Target::Endpoint { endpoint, key, body, with: Vec::new() }
                }
                Callee::Custom(name) => {
                    let endpoint = Value::Text(builder.plan.texts.intern(&name));
                    Target::Custom { endpoint, key, body }
                }
            };
            let pair = builder.pair(frame.actor, to);
            let instead = Vec::new();
            let site = Site {
                target,
                to,
                stack,
                pair,
                into,
                into_status,
                into_headers,
                method: Method::Get,
                has_key: keyed,
                repeatable: false,
                mints_key: false,
                instead,
            };
            builder.site(note.clone(), site)
        };
        let id = site(self, stack, to, endpoint);
        self.emit(Instr::Call(id));
        for (layer, others) in self.others(call.policy.as_deref(), &call.to, here) {
            let mut sites = Vec::new();
            for other in others {
                sites.push(match other {
                    Other::Itself => id,
                    Other::Callee(to, endpoint) => {
                        // Whoever is called instead is called without further policies.
                        let bare = self.stack(frame.actor, None, to, here);
                        site(self, bare, to, endpoint)
                    }
                });
            }
            self.plan.sites[id.index()].instead.push((layer, sites));
        }
    }

    pub(super) fn site(&mut self, note: SiteNote, site: Site) -> SiteId {
        let id = SiteId::nth(self.plan.sites.len());
        self.plan.sites.push(site);
        self.site_notes.push(note);
        id
    }

    /// The actor and endpoint that `api.pay` names.
    pub(super) fn callee(&mut self, to: &str, here: &Here) -> Option<(ActorId, Callee)> {
        let Some((actor_name, endpoint)) = to.split_once('.') else {
            let help = "write it as \"actor.endpoint\"".to_owned();
            self.problem(here, format!("`{to}` names no endpoint"), Some(help));
            return None;
        };
        let actor = self.actor(actor_name, here)?;
        match &self.plan.actors[actor.index()].kind {
            ActorKind::Service(_) => {
                if let Some(id) = self.endpoints.get(&(actor, endpoint.to_owned())) {
                    return Some((actor, Callee::Endpoint(*id)));
                }
                let known: Vec<String> = self
                    .endpoints
                    .keys()
                    .filter(|(a, _)| *a == actor)
                    .map(|(_, name)| format!("{actor_name}.{name}"))
                    .collect();
                let message = format!("`{actor_name}` has no endpoint `{endpoint}`");
                let help = advice(to, known.iter().map(String::as_str));
                self.problem(here, message, help);
                None
            }
            ActorKind::Custom(_) => Some((actor, Callee::Custom(endpoint.to_owned()))),
            ActorKind::Kv { .. } => {
                let help = "send it a command with Kv(store: …, op: …)".to_owned();
                self.problem(here, format!("`{actor_name}` is a store"), Some(help));
                None
            }
            ActorKind::Broker => {
                let help = "hand it a message with Publish(\"broker.queue\", …)".to_owned();
                self.problem(here, format!("`{actor_name}` is a broker"), Some(help));
                None
            }
            ActorKind::Client(_) => {
                let message = format!("`{actor_name}` is a client; nobody can call it");
                self.problem(here, message, None);
                None
            }
        }
    }

    fn choose(&mut self, frame: &mut Frame, step: &If, here: &Here) {
        let cond = self.cond(frame, &step.when, &here.field("when"));
        match self.foregone(cond) {
            Some(true) => return self.steps(frame, &step.then, &here.field("then")),
            Some(false) => return self.steps(frame, &step.otherwise, &here.field("else")),
            None => {}
        }
        let test = self.emit(Instr::End);
        self.steps(frame, &step.then, &here.field("then"));
        if step.otherwise.is_empty() {
            self.plan.code[test] = Instr::Unless { cond, to: self.pc() };
            return;
        }
        let skip = self.emit(Instr::End);
        self.plan.code[test] = Instr::Unless { cond, to: self.pc() };
        self.steps(frame, &step.otherwise, &here.field("else"));
        self.plan.code[skip] = Instr::Jump(self.pc());
    }

    fn match_value(&mut self, frame: &mut Frame, step: &Match, here: &Here) {
        let value = self.operand(frame, &step.value, &here.field("value"));
        let mut ends = Vec::new();
        for (n, (case, steps)) in step.cases.iter().enumerate() {
            let case_here = here.field("cases").at(n);
            let case = self.operand(frame, case, &case_here.at(0));
            let cond = self.add_cond(CondPlan::Eq(value, case));
            match self.foregone(cond) {
                Some(true) => {
                    self.steps(frame, steps, &case_here.at(1));
                    self.end_jumps(ends);
                    return;
                }
                Some(false) => continue,
                None => {}
            }
            let test = self.emit(Instr::End);
            self.steps(frame, steps, &case_here.at(1));
            ends.push(self.emit(Instr::End));
            self.plan.code[test] = Instr::Unless { cond, to: self.pc() };
        }
        self.steps(frame, &step.otherwise, &here.field("else"));
        self.end_jumps(ends);
    }

    /// Lets jumps lead to here.
    fn end_jumps(&mut self, jumps: Vec<usize>) {
        for jump in jumps {
            self.plan.code[jump] = Instr::Jump(self.pc());
        }
    }

    fn repeat(&mut self, frame: &mut Frame, step: &Loop, here: &Here) {
        let counter = frame.fresh();
        self.emit(Instr::Let { to: counter, value: Operand::Const(Value::Int(0)) });
        let top = self.pc();
        let round = self.emit(Instr::End);
        frame.loops.push(LoopFrame {
            depth: frame.depth,
            finallies: frame.finallies,
            branches: frame.branches,
            breaks: Vec::new(),
        });
        self.steps(frame, &step.body, &here.field("body"));
        self.emit(Instr::Jump(top));
        let exit = self.pc();
        self.plan.code[round] = Instr::Round { counter, times: step.times, exit };
        let left = frame.loops.pop().expect("pushed above");
        for at in left.breaks {
            let LoopFrame { depth, finallies, .. } = left;
            self.plan.code[at] = Instr::Break { depth, finallies, to: exit };
        }
    }

    fn leave_loop(&mut self, frame: &mut Frame, here: &Here) {
        let at = self.emit(Instr::End);
        match frame.loops.last_mut() {
            Some(inner) if inner.branches == frame.branches => inner.breaks.push(at),
            Some(_) => self.problem(here, "Break cannot leave a branch of Parallel", None),
            None => self.problem(here, "Break outside of a Loop", None),
        }
    }

    /// `Try`: the body under a handler, then `catch` under a handler that only has `finally`, then
    /// `finally`.
    fn attempt(&mut self, frame: &mut Frame, step: &Try, here: &Here) {
        let has_finally = !step.finally.is_empty();
        let open = self.emit(Instr::End);
        frame.depth += 1;
        self.steps(frame, &step.body, &here.field("body"));
        frame.depth -= 1;
        self.emit(Instr::EndTry);
        let mut ends = vec![self.emit(Instr::End)];
        let mut catch = None;
        if let Some(steps) = &step.catch {
            catch = Some(self.pc());
            // The interpreter enters `catch` with a handler for `finally` alone, if there is one.
            frame.depth += u16::from(has_finally);
            frame.catches.push((frame.finallies, frame.branches));
            frame.finallies += 1;
            self.steps(frame, steps, &here.field("catch"));
            frame.finallies -= 1;
            frame.catches.pop();
            frame.depth -= u16::from(has_finally);
            self.emit(Instr::EndCatch);
            if has_finally {
                self.emit(Instr::EndTry);
            }
            ends.push(self.emit(Instr::End));
        }
        let after = self.pc();
        let last = has_finally.then_some(Last::Finally(after));
        for end in ends {
            self.plan.code[end] =
                if has_finally { Instr::Finally(after) } else { Instr::Jump(after) };
        }
        if has_finally {
            frame.finallies += 1;
            self.steps(frame, &step.finally, &here.field("finally"));
            frame.finallies -= 1;
            self.emit(Instr::EndFinally);
        }
        self.plan.code[open] = Instr::Try { catch, last };
    }

    /// Lets the error that the innermost `catch` has caught go on.
    fn raise(&mut self, frame: &mut Frame, here: &Here) {
        match frame.catches.last() {
            Some((nth, branches)) if *branches == frame.branches => {
                self.emit(Instr::Raise(*nth));
            }
            Some(_) => self.problem(here, "Raise cannot leave a branch", None),
            None => self.problem(here, "Raise outside of a catch", None),
        }
    }

    fn parallel(&mut self, frame: &mut Frame, branches: &[Vec<Step>], here: &Here) {
        let fork = self.emit(Instr::End);
        let skip = self.emit(Instr::End);
        let mut entries = Vec::new();
        for (n, steps) in branches.iter().enumerate() {
            entries.push(self.pc());
            self.branch(frame, steps, &here.at(n));
        }
        let id = ForkId::nth(self.plan.forks.len());
        self.plan.forks.push(entries);
        self.plan.code[fork] = Instr::Fork(id);
        self.plan.code[skip] = Instr::Jump(self.pc());
    }

    /// Steps that run as a task of their own.
    pub(super) fn branch(&mut self, frame: &mut Frame, steps: &[Step], here: &Here) {
        frame.branches += 1;
        let depth = std::mem::take(&mut frame.depth);
        let finallies = std::mem::take(&mut frame.finallies);
        self.steps(frame, steps, here);
        (frame.depth, frame.finallies) = (depth, finallies);
        self.emit(Instr::EndBranch);
        frame.branches -= 1;
    }

    fn spawn(&mut self, frame: &mut Frame, steps: &[Step], here: &Here) {
        self.places.insert(self.pc(), here.clone());
        let spawn = self.emit(Instr::End);
        self.branch(frame, steps, here);
        self.plan.code[spawn] = Instr::Spawn { then: self.pc() };
    }

    /// The steps for another intent; whichever way they are left, the task goes on for its own.
    fn on_behalf_of(&mut self, frame: &mut Frame, step: &OnBehalfOf, here: &Here) {
        let own = frame.fresh();
        self.emit(Instr::Let { to: own, value: Operand::Reg(builtin::ORIGIN) });
        let other = self.operand(frame, &step.origin, &here.field("origin"));
        let open = self.emit(Instr::End);
        self.emit(Instr::Adopt(other));
        frame.depth += 1;
        self.steps(frame, &step.body, &here.field("body"));
        frame.depth -= 1;
        self.emit(Instr::EndTry);
        let end = self.emit(Instr::End);
        let last = self.pc();
        self.emit(Instr::Adopt(Operand::Reg(own)));
        self.emit(Instr::EndFinally);
        self.plan.code[end] = Instr::Finally(last);
        self.plan.code[open] = Instr::Try { catch: None, last: Some(Last::Finally(last)) };
    }

    /// What a call or message says; by default what the caller itself was told.
    fn content(&mut self, frame: &mut Frame, body: Option<&Expr>, here: &Here) -> Operand {
        match body {
            Some(body) => self.operand(frame, body, &here.field("body")),
            None => Operand::Reg(builtin::BODY),
        }
    }

    fn publish(&mut self, frame: &mut Frame, step: &Publish, here: &Here) {
        let key = self.operand(frame, &step.key, &here.field("key"));
        let body = self.content(frame, step.body.as_ref(), here);
        let Some((to, queue)) = self.queue(&step.to, &here.field("to")) else { return };
        let stack = self.stack(frame.actor, step.policy.as_deref(), to, here);
        let pair = self.pair(frame.actor, to);
        let into = self.optional(frame, step.into.as_deref(), here);
        let target = Target::Queue { queue, key, body };
        let (into_status, into_headers, instead) = (None, None, Vec::new());
        // Without an id of its own, a message that is sent again is another message.
        let keyed = key != Operand::Const(Value::Nil);
        self.effectful[frame.id.index()] |= !keyed;
        self.acting[frame.id.index()] = true;
        let site = Site {
            target,
            to,
            stack,
            pair,
            into,
            into_status,
            into_headers,
            method: Method::Post,
            has_key: keyed,
            repeatable: keyed,
            mints_key: false,
            instead,
        };
        let (owner, here, with) = (frame.id, here.clone(), Vec::new());
        let (idempotent, method) = (Some(keyed), None);
        let note = SiteNote { owner, here, with, idempotent, method };
        let id = self.site(note, site);
        self.emit(Instr::Call(id));
    }

    /// The broker and queue that `events.orders` names.
    fn queue(&mut self, to: &str, here: &Here) -> Option<(ActorId, QueueId)> {
        let Some((broker, queue)) = to.split_once('.') else {
            let help = "write it as \"broker.queue\"".to_owned();
            self.problem(here, format!("`{to}` names no queue"), Some(help));
            return None;
        };
        let is_broker = |b: &Builder<'_>, id: ActorId| {
            matches!(b.plan.actors[id.index()].kind, ActorKind::Broker)
        };
        let actor = self.actor_that(broker, here, is_broker, "broker")?;
        if let Some(id) = self.queues.get(&(actor, queue.to_owned())) {
            return Some((actor, *id));
        }
        let of_broker = self.plan.queues.iter().filter(|queue| queue.broker == actor);
        let help = advice(to, of_broker.map(|queue| queue.name.as_str()));
        self.problem(here, format!("`{broker}` has no queue `{queue}`"), help);
        None
    }

    fn effect(&mut self, frame: &mut Frame, step: &Effect, here: &Here) {
        let kind = self.kind_done(&step.kind);
        self.effectful[frame.id.index()] |= step.once == Expr::Nil;
        self.acting[frame.id.index()] = true;
        let undoes = step.undoes.as_ref().map(|kind| self.kind(kind));
        self.undone.extend(undoes.map(|kind| (kind, here.field("undoes"))));
        let once = self.operand(frame, &step.once, &here.field("once"));
        let each_time = format!("Effect({:?}) happens each time", step.kind);
        self.need(frame, once, here.field("once"), each_time);
        let token = self.operand(frame, &step.token, &here.field("token"));
        if step.keep.is_some() && step.once == Expr::Nil {
            let help = "`keep` is how long `once` is remembered".to_owned();
            self.problem(&here.field("keep"), "`keep` without `once`", Some(help));
        }
        if step.fenced && step.token == Expr::Nil {
            let help = "it refuses tokens that are too low: give it a `token`".to_owned();
            self.problem(&here.field("fenced"), "`fenced` without `token`", Some(help));
        }
        let into = self.optional(frame, step.into.as_deref(), here);
        let id = EffectId::nth(self.plan.effects.len());
        let (keep, fenced) = (step.keep, step.fenced);
        self.plan.effects.push(EffectPlan { kind, once, keep, token, fenced, undoes, into });
        self.emit(Instr::Effect(id));
    }

    /// What the user hears in the end, if the program ends well.
    fn refunded(&mut self, frame: &mut Frame, kind: &str, here: &Here) {
        if frame.role != Role::Client {
            self.problem(here, "only a client's user hears of a refund", None);
        } else if frame.branches > 0 {
            let help = "say it outside of the branches".to_owned();
            self.problem(here, "Refunded in a branch of Parallel or Spawn", Some(help));
        }
        let kind = self.kind(kind);
        self.undone.push((kind, here.clone()));
        if *frame.refunded.get_or_insert(kind) != kind {
            let help = "name the kind that the user paid with".to_owned();
            self.problem(here, "a program gives back effects of one kind", Some(help));
        }
        self.emit(Instr::Refunded(kind));
    }

    fn respond(&mut self, frame: &mut Frame, step: &Respond, here: &Here) {
        if frame.role == Role::Client {
            self.problem(here, "a client has nobody to respond to", None);
        } else if frame.role == Role::Job {
            self.problem(here, "a job has nobody to respond to", None);
        } else if frame.branches > 0 {
            let help = "respond outside of the branches".to_owned();
            self.problem(here, "Respond in a branch of Parallel or Spawn", Some(help));
        }
        let status = self.status_operand(frame, &step.status, &here.field("status"));
        let body = self.operand(frame, &step.body, &here.field("body"));
        let headers = self.operand(frame, &step.headers, &here.field("headers"));
        let id = RespondId::nth(self.plan.responds.len());
        let advice = match (step.no_retry, step.retry_after) {
            (false, None) => Advice::None,
            (false, Some(after)) => Advice::After(after),
            (true, None) => Advice::Stop,
            (true, Some(_)) => {
                self.problem(here, "Respond takes `retry_after` or `no_retry`, not both", None);
                Advice::Stop
            }
        };
        self.plan.responds.push(RespondPlan { status, body, headers, advice });
        self.emit(Instr::Respond(id));
    }

    /// A status that a program may work out; one that is written as a number is checked.
    fn status_operand(&mut self, frame: &mut Frame, status: &Expr, here: &Here) -> Operand {
        if let Expr::Int(status) = *status {
            self.status(u16::try_from(status).unwrap_or(0), here);
        }
        let operand = self.operand(frame, status, here);
        if let Operand::Const(Value::Nil | Value::Bool(_) | Value::Text(_)) = operand {
            self.problem(here, "a status is a number, 100..=599", None);
        }
        operand
    }

    fn idempotent(&mut self, frame: &mut Frame, step: &Idempotent, here: &Here) {
        if frame.holes.len() >= designs::NESTING_MAX {
            let message = format!("designs nest at most {} deep", designs::NESTING_MAX);
            self.problem(here, message, None);
            return;
        }
        let Some(read) = self.design(step, None, here) else { return };
        if frame.design.is_none() {
            frame.design = Some(read.canonical.map(|canonical| {
                let (value, to) = (self.operand(frame, &canonical, here), frame.fresh());
                self.emit(Instr::Let { to, value });
                to
            }));
        }
        let (steps, inside) = (step.body.clone(), here.field("body"));
        let (design, code) = (Some(step.clone()), Vec::new());
        frame.holes.push(Hole { steps, here: inside, design, code });
        let steps = Here { doc: read.doc, path: "steps".to_owned() };
        self.steps(frame, &read.design.steps, &steps);
        let body = frame.holes.pop().expect("pushed above").code;
        self.design_uses.push(DesignUse {
            program: frame.id,
            here: here.clone(),
            keep: read.keep,
            lock: read.lock,
            body,
        });
    }

    fn body(&mut self, frame: &mut Frame, here: &Here) {
        match frame.holes.pop() {
            Some(mut hole) => {
                frame.within.push(hole.design.clone());
                let first = self.pc().index();
                self.steps(frame, &hole.steps, &hole.here);
                hole.code.push(first..self.pc().index());
                frame.within.pop();
                frame.holes.push(hole);
            }
            None => {
                let help = "it stands for what Idempotent(…) protects".to_owned();
                self.problem(here, "Body outside of a design", Some(help));
            }
        }
    }

    /// A phase as it stands, or surrounded by what the design has for phases.
    fn phase(&mut self, frame: &mut Frame, phase: &Phase, here: &Here) {
        let inside = here.field("body");
        let design = frame.within.last().cloned().flatten();
        let around = design.and_then(|step| self.design(&step, Some(&phase.name), here));
        match around {
            Some(read) if !read.design.phase.is_empty() => {
                let (steps, code) = (phase.body.clone(), Vec::new());
                frame.holes.push(Hole { steps, here: inside, design: None, code });
                self.steps(
                    frame,
                    &read.design.phase,
                    &Here { doc: read.doc, path: "phase".to_owned() },
                );
                frame.holes.pop();
            }
            _ => self.steps(frame, &phase.body, &inside),
        }
    }

    fn point(&mut self, name: &str) -> PointId {
        let points = &mut self.plan.points;
        let n = points.iter().position(|point| point == name).unwrap_or_else(|| {
            points.push(name.to_owned());
            points.len() - 1
        });
        PointId::nth(n)
    }
}
