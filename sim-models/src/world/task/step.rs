//! Running a task: the one match over instructions.
//!
//! An instruction is done here, or leaves its block, or concerns another part of the world. Only
//! the last ends the loop: it is handed over.

use sim_redis::value::Value;

use super::eval::{as_status, holds};
use super::{Exit, Next, Raised, Task, Tasks, child};
use crate::ledger::Deed;
use crate::outcome::RunLimit;
use crate::plan::{EffectId, EffectPlan, Instr, RespondId, SiteId};
use crate::world::ids::TaskId;
use crate::world::network::Answer;
use crate::world::shared::Shared;
use crate::world::{Ctx, nth};

/// The most instructions that a task may run without waiting. No sensible program needs a million,
/// and one that never waits must end as a finding.
const INSTRUCTIONS_MAX: u32 = 1_000_000;

impl Tasks {
    /// Runs a task until it has to hand over or ends. A task that is gone stops.
    pub(in crate::world) fn run(&mut self, id: TaskId, shared: &mut Shared, ctx: &mut Ctx) -> Next {
        let Some(task) = self.all.get_mut(id) else { return Next::Stop };
        loop {
            let is_overfull = shared.texts.is_overfull();
            if task.spent == INSTRUCTIONS_MAX || is_overfull {
                let program = shared.plan.programs[task.program.index()].name.clone();
                let why = if is_overfull {
                    RunLimit::Overfull { program }
                } else {
                    RunLimit::Endless { program }
                };
                shared.run_away(why, ctx);
                return Next::Stop;
            }
            task.spent += 1;
            let instr = shared.plan.code[task.pc.index()];
            task.pc.0 += 1;
            let exit = match instr {
                Instr::Let { to, value } => {
                    let value = task.eval(value, shared);
                    task.assign(to, value);
                    continue;
                }
                Instr::Add { to, a, b } => {
                    let sum = match (task.eval(a, shared), task.eval(b, shared)) {
                        (Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(b)),
                        _ => Value::Nil,
                    };
                    task.assign(to, sum);
                    continue;
                }
                Instr::Jump(to) => {
                    task.pc = to;
                    continue;
                }
                Instr::Unless { cond, to } => {
                    if !holds(&shared.plan, &mut shared.texts, &task.registers, cond) {
                        task.pc = to;
                    }
                    continue;
                }
                Instr::Round { counter, times, exit } => {
                    let Value::Int(done) = task.get(counter) else {
                        unreachable!("a loop's counter is a number")
                    };
                    if done == i64::from(times) {
                        task.pc = exit;
                    } else {
                        task.set(counter, Value::Int(done + 1));
                    }
                    continue;
                }
                Instr::Try { catch, last } => {
                    task.blocks.open(catch, last);
                    continue;
                }
                Instr::EndTry => {
                    task.blocks.close();
                    continue;
                }
                Instr::Finally(to) => {
                    task.blocks.enter_finally();
                    task.pc = to;
                    continue;
                }
                Instr::EndCatch => {
                    task.blocks.end_entered();
                    continue;
                }
                Instr::EndFinally => task.blocks.end_entered(),
                Instr::Raise(nth) => task.blocks.entered(nth),
                Instr::Break { depth, finallies, to } => Exit::Break { depth, finallies, to },
                Instr::Refunded(kind) => {
                    task.refunded = Some(kind);
                    continue;
                }
                Instr::Fail(status) => {
                    let status = as_status(task.eval(status, shared));
                    Exit::Error(Raised::of_program(status))
                }
                Instr::Adopt(origin) => {
                    let origin = task.eval(origin, shared);
                    if task.adopt(origin, shared) {
                        continue;
                    }
                    Exit::Error(Raised::of_program(500))
                }
                Instr::Effect(effect) => {
                    if task.effect(effect, shared, ctx) {
                        continue;
                    }
                    Exit::Error(Raised::of_program(412))
                }
                Instr::Work(dist) => {
                    task.works += 1;
                    let index = nth(task.lineage, child::WORK, task.works);
                    return Next::Work(shared.span(dist, &mut shared.luck.work.at(index)));
                }
                Instr::Sleep(dist) => {
                    task.sleeps += 1;
                    let index = nth(task.lineage, child::SLEEP, task.sleeps);
                    return Next::Sleep(shared.span(dist, &mut shared.luck.sleep.at(index)));
                }
                Instr::Call(site) => return task.call(site, shared),
                Instr::Respond(respond) => return Next::Respond(task.answer(respond, shared)),
                Instr::LookUp(cached) => return Next::LookUp(cached),
                Instr::Point(point) => return Next::Pass(point),
                Instr::Fork(fork) => return self.fork(id, fork, shared),
                Instr::Spawn { then } => return Next::Spawned(self.spawn(id, then, shared)),
                Instr::End | Instr::EndBranch => return Next::Ended(None),
            };
            match task.leave(exit, &shared.plan.words) {
                Next::Go => {}
                next => return next,
            }
        }
    }
}

impl Task {
    fn call(&mut self, site: SiteId, shared: &Shared) -> Next {
        let lineage = if shared.plan.sites[site.index()].is_command() {
            self.commands += 1;
            nth(self.lineage, child::COMMAND, self.commands)
        } else {
            self.calls += 1;
            nth(self.lineage, child::CALL, self.calls)
        };
        Next::Call { site, lineage }
    }

    fn answer(&self, respond: RespondId, shared: &mut Shared) -> Answer {
        let plan = shared.plan.responds[respond.index()];
        let (status, body) = (self.eval(plan.status, shared), self.eval(plan.body, shared));
        let headers = self.eval(plan.headers, shared);
        let advice = plan.advice;
        Answer { body, headers, advice, ..Answer::status(as_status(status)) }
    }

    /// Goes on for the intent with this number. Nobody works for nobody: what names no intent is
    /// an error of the program; false then.
    fn adopt(&mut self, origin: Value, shared: &mut Shared) -> bool {
        let Value::Int(n) = origin else { return false };
        let Ok(intent) = u32::try_from(n) else { return false };
        if shared.intents.get(intent).is_none() {
            return false;
        }
        self.intent = intent;
        self.tell_intent(shared);
        true
    }

    /// Something durable happens, unless its token is stale; false then.
    fn effect(&mut self, effect: EffectId, shared: &mut Shared, ctx: &mut Ctx) -> bool {
        let EffectPlan { kind, once, keep, token, fenced, undoes, into } =
            shared.plan.effects[effect.index()];
        let (once, token) = (self.eval(once, shared), self.eval(token, shared));
        let token = if let Value::Int(token) = token { Some(token) } else { None };
        let (actor, intent) = (self.actor, self.intent);
        let deed = Deed { kind, actor, intent, once, keep, token, fenced, undoes };
        let Some(number) = shared.record_effect(deed, ctx) else { return false };
        if let Some(reg) = into {
            let name = shared.plan.effect_name(kind, number);
            let value = Value::Text(shared.texts.intern(&name));
            self.assign(reg, value);
        }
        true
    }
}

#[cfg(test)]
pub(super) mod tests {
    use sim_core::Time;

    use super::*;
    use crate::intent::Intent;
    use crate::plan::{
        ActorId, ActorKind, Last, Operand, Pc, Plan, Program, ProgramId, Reg, builtin,
    };
    use crate::world::bench::{self, Bench};

    /// The first registers that are a program's own.
    pub(in crate::world::task) const OWN: Reg = Reg(builtin::NAMES.len() as u16);
    pub(in crate::world::task) const SECOND: Reg = Reg(OWN.0 + 1);

    /// One program of one actor, whose only `Parallel` has branches at 2 and at 4.
    pub(in crate::world::task) fn bench(code: Vec<Instr>) -> Bench {
        let program = Program {
            name: "api.pay".to_owned(),
            entry: Pc(0),
            registers: SECOND.0 + 1,
            reads_key: false,
            reads_body: false,
            reads_client: false,
            reads_clock: false,
            canonical: None,
            result: None,
        };
        let (programs, forks) = (vec![program], vec![vec![Pc(2), Pc(4)]]);
        let mut bench =
            Bench::new(Plan { code, forks, programs, ..bench::plan(vec![ActorKind::Broker]) });
        bench.shared.intents.push(Intent::new(ActorId(0), 17, 0, Time::ZERO));
        bench
    }

    pub(in crate::world::task) fn begin(bench: &mut Bench, tasks: &mut Tasks) -> TaskId {
        tasks.begin(ActorId(0), ProgramId(0), 0, 1, &mut bench.shared)
    }

    pub(in crate::world::task) fn run(bench: &mut Bench, tasks: &mut Tasks, id: TaskId) -> Next {
        bench.act(|shared, ctx| tasks.run(id, shared, ctx))
    }

    #[test]
    fn a_program_runs_on_through_its_blocks_until_it_ends() {
        let copy = |to, from| Instr::Let { to, value: Operand::Reg(from) };
        let mut bench = bench(vec![
            Instr::Try { catch: Some(Pc(2)), last: Some(Last::Finally(Pc(5))) },
            Instr::Fail(Operand::Const(Value::Int(418))),
            copy(OWN, builtin::ERROR_STATUS),
            Instr::Raise(0),
            Instr::End,
            copy(SECOND, builtin::INTENT),
            Instr::EndFinally,
        ]);
        let mut tasks = Tasks::default();
        let id = begin(&mut bench, &mut tasks);
        let Next::Ended(Some(error)) = run(&mut bench, &mut tasks, id) else {
            panic!("nobody else catches it")
        };
        assert_eq!(error.status(), 418);
        assert_eq!(tasks.all[id].get(OWN), Value::Int(418), "the catch has run");
        assert_eq!(tasks.all[id].get(SECOND), Value::Int(17), "and the finally");
    }

    #[test]
    fn a_program_that_never_waits_ends_the_run_as_a_finding() {
        let mut bench = bench(vec![Instr::Jump(Pc(0))]);
        let mut tasks = Tasks::default();
        let id = begin(&mut bench, &mut tasks);
        assert!(matches!(run(&mut bench, &mut tasks, id), Next::Stop));
        assert!(
            matches!(&bench.shared.runaway, Some(RunLimit::Endless { program }) if program == "api.pay")
        );
    }

    #[test]
    fn who_works_for_an_intent_that_is_not_there_fails() {
        let origin = |n| Instr::Adopt(Operand::Const(Value::Int(n)));
        let mut bench = bench(vec![origin(0), origin(1), Instr::End]);
        let mut tasks = Tasks::default();
        let id = begin(&mut bench, &mut tasks);
        let Next::Ended(Some(error)) = run(&mut bench, &mut tasks, id) else {
            panic!("there is one intent only")
        };
        assert_eq!(error.status(), 500);
    }
}
