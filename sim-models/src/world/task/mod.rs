//! Tasks: the interpreter of the step language.
//!
//! A task is one run of a program: a submission at a client, a request at a service, or a branch
//! of a `Parallel`. It runs instruction after instruction until one concerns another part of the
//! world; that is handed over as a [`Next`]. The event that ends a wait puts the task back on the
//! ready list. An error unwinds to the nearest `Try`.

pub(super) mod eval;
mod fork;
mod step;
mod unwind;

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use sim_core::{Handle, Span, Time};
use sim_policies::Ending;
use sim_redis::value::Value;

use crate::intent::Intent;
use crate::invariant::Seen;
use crate::outcome::RunLimit;
use crate::plan::{
    ActorId, CachedId, CachedPlan, ClientPlan, Operand, Pc, PointId, ProgramId, Reg, SiteId,
    builtin,
};
use crate::pool::{Id, Pool};
use crate::world::network::{Answer, Payload, Request};
use crate::world::service::{Seat, Wanted};
use crate::world::shared::Shared;
use crate::world::stack::Call;
use crate::world::{Ctx, Event, nth};

use eval::eval;
use unwind::Blocks;
pub(in crate::world) use unwind::{Exit, Raised};

/// One run of a program.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(in crate::world) actor: ActorId,
    program: ProgramId,
    pc: Pc,
    pub(in crate::world) registers: Vec<Value>,
    pub(in crate::world) intent: u32,
    /// Addresses every draw that this task makes.
    lineage: u64,
    /// Nobody wants an answer after this.
    pub(in crate::world) deadline: Option<Time>,
    /// Instructions run since the last wait.
    spent: u32,
    /// A branch: the registers that it has written.
    written: Vec<Reg>,
    works: u32,
    sleeps: u32,
    calls: u32,
    commands: u32,
    spawns: u32,
    lookups: u32,
    blocks: Blocks,
    pub(in crate::world) origin: Origin,
    waiting: Waiting,
    /// What it has of its service.
    pub(in crate::world) seat: Seat,
}

impl Default for Task {
    fn default() -> Task {
        Task {
            actor: ActorId(0),
            program: ProgramId(0),
            pc: Pc(0),
            registers: Vec::new(),
            intent: 0,
            lineage: 0,
            deadline: None,
            spent: 0,
            written: Vec::new(),
            works: 0,
            sleeps: 0,
            calls: 0,
            commands: 0,
            spawns: 0,
            lookups: 0,
            blocks: Blocks::default(),
            origin: Origin::Request(None),
            waiting: Waiting::Nothing,
            seat: Seat::default(),
        }
    }
}

/// Why a task runs.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) enum Origin {
    /// A user submitted an intent.
    Submission { begun: Time, leave: Option<Handle> },
    /// A request came; `None` once it is answered.
    Request(Option<Id<Request>>),
    /// A task runs branches.
    Branch { parent: Id<Task>, number: u32 },
    /// Nobody waits for it: a job, or what a program spawned.
    Alone,
    /// Works out a value for a cache.
    Flight(u64),
}

/// What a task waits for.
#[derive(Clone, Debug)]
pub(in crate::world) enum Waiting {
    Nothing,
    /// Work or sleep.
    Timer(Handle),
    Call(Id<Call>),
    /// A value that is worked out.
    Flight(u64),
    /// Branches still running, and the error of the first branch that has one.
    Branches {
        tasks: Vec<Id<Task>>,
        left: usize,
        error: Option<(u32, Raised)>,
    },
}

/// What happens next to a task: what its program has handed over, or how far it has come.
#[derive(Debug)]
#[must_use]
pub(in crate::world) enum Next {
    /// It goes on.
    Go,
    /// It waits, or is no more.
    Stop,
    /// It works for so long, at its service's pace.
    Work(Span),
    Sleep(Span),
    Call {
        site: SiteId,
        lineage: u64,
    },
    /// It waits for these branches, which begin.
    Fork(Vec<Id<Task>>),
    /// Another task begins beside it.
    Spawned(Id<Task>),
    LookUp(CachedId),
    /// Its request is answered.
    Respond(Answer),
    /// It passes a point where faults may be waiting.
    Pass(PointId),
    /// It is over, and nobody has caught this error.
    Ended(Option<Raised>),
}

/// A submission whose task begins.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::world) struct Submission {
    pub(in crate::world) client: ActorId,
    pub(in crate::world) plan: ClientPlan,
    pub(in crate::world) intent: u32,
    /// Which click of its intent it is, from 1.
    pub(in crate::world) number: u32,
    pub(in crate::world) lineage: u64,
}

/// What the lineages of a task's children and draws are told apart by.
mod child {
    pub(super) const CALL: u64 = 1;
    pub(super) const COMMAND: u64 = 2;
    pub(super) const BRANCH: u64 = 3;
    pub(super) const WORK: u64 = 4;
    pub(super) const SLEEP: u64 = 5;
    pub(super) const SPAWN: u64 = 6;
    pub(super) const CACHED: u64 = 7;
}

impl Task {
    pub(in crate::world) fn program(&self) -> ProgramId {
        self.program
    }

    pub(in crate::world) fn get(&self, reg: Reg) -> Value {
        self.registers[reg.index()]
    }

    pub(in crate::world) fn set(&mut self, reg: Reg, value: Value) {
        self.registers[reg.index()] = value;
    }

    /// Gives a variable of the program a value; a branch notes it, to give it back.
    pub(in crate::world) fn assign(&mut self, reg: Reg, value: Value) {
        if matches!(self.origin, Origin::Branch { .. }) && !self.written.contains(&reg) {
            self.written.push(reg);
        }
        self.set(reg, value);
    }

    fn eval(&self, operand: Operand, shared: &mut Shared) -> Value {
        eval(&shared.plan, &mut shared.texts, &self.registers, operand)
    }

    /// Fills the variables that say whose intent the task serves.
    fn tell_intent(&mut self, shared: &mut Shared) {
        let Intent { client, number, .. } = shared.intents[self.intent];
        self.set(builtin::INTENT, Value::Int(number.into()));
        self.set(builtin::ORIGIN, Value::Int(self.intent.into()));
        if shared.plan.programs[self.program.index()].reads_client {
            let name = shared.texts.intern(shared.plan.actor_name(client));
            self.set(builtin::CLIENT, Value::Text(name));
        }
    }

    /// Sets `{now}`, the wall clock of the task's actor, if its program reads it.
    fn set_clock(&mut self, shared: &Shared, now: Time) {
        if shared.plan.programs[self.program.index()].reads_clock {
            self.set(builtin::NOW, Value::Int(shared.wall_ms(self.actor, now)));
        }
    }

    /// A wait is over.
    fn wakes(&mut self) {
        self.waiting = Waiting::Nothing;
        self.spent = 0;
    }

    /// The request that it has yet to answer, which counts as answered from now on.
    pub(in crate::world) fn take_request(&mut self) -> Option<Id<Request>> {
        match &mut self.origin {
            Origin::Request(request) => request.take(),
            _ => None,
        }
    }
}

/// Every run of a program.
#[derive(Debug, Default)]
pub(in crate::world) struct Tasks {
    pool: Pool<Task>,
    /// Tasks that can run now, in order.
    pub(in crate::world) ready: VecDeque<Id<Task>>,
    executions: u64,
    /// Why the world has stopped on its own.
    pub(in crate::world) runaway: Option<RunLimit>,
}

impl Deref for Tasks {
    type Target = Pool<Task>;
    fn deref(&self) -> &Pool<Task> {
        &self.pool
    }
}

impl DerefMut for Tasks {
    fn deref_mut(&mut self) -> &mut Pool<Task> {
        &mut self.pool
    }
}

/// How a task comes to be.
impl Tasks {
    /// A task at the start of a program, with fresh registers.
    pub(in crate::world) fn begin(
        &mut self,
        actor: ActorId,
        program: ProgramId,
        intent: u32,
        lineage: u64,
        shared: &mut Shared,
    ) -> Id<Task> {
        let frame = &shared.plan.programs[program.index()];
        self.executions += 1;
        let (id, task) = self.pool.take();
        let mut registers = std::mem::take(&mut task.registers);
        registers.clear();
        registers.resize(frame.registers.into(), Value::Nil);
        task.written.clear();
        task.blocks.clear();
        *task = Task {
            actor,
            program,
            pc: frame.entry,
            registers,
            intent,
            lineage,
            written: std::mem::take(&mut task.written),
            blocks: std::mem::take(&mut task.blocks),
            ..Task::default()
        };
        task.set(builtin::EXECUTION, Value::Int(self.executions.cast_signed()));
        task.tell_intent(shared);
        id
    }

    /// A task for a submission; the user leaves at the end of their patience, which is set later.
    pub(in crate::world) fn begin_submission(
        &mut self,
        submission: Submission,
        shared: &mut Shared,
        now: Time,
    ) -> Id<Task> {
        let Submission { client, plan, intent, number, lineage } = submission;
        let id = self.begin(client, plan.program, intent, lineage, shared);
        let program = &shared.plan.programs[plan.program.index()];
        let (reads_key, reads_body) = (program.reads_key, program.reads_body);
        let task = &mut self.pool[id];
        task.origin = Origin::Submission { begun: now, leave: None };
        task.set(builtin::SUBMISSION, Value::Int(number.into()));
        task.set_clock(shared, now);
        if reads_key {
            let key = task.eval(plan.key, shared);
            task.set(builtin::KEY, key);
        }
        if reads_body {
            let body = task.eval(plan.body, shared);
            task.set(builtin::BODY, body);
        }
        id
    }

    /// When the user leaves; `None` once they have.
    pub(in crate::world) fn set_leave(&mut self, id: Id<Task>, at: Option<Handle>) {
        if let Origin::Submission { leave, .. } = &mut self.pool[id].origin {
            *leave = at;
        }
    }

    /// A task for a request that a service begins to work on.
    pub(in crate::world) fn begin_request(
        &mut self,
        id: Id<Request>,
        request: &Request,
        shared: &mut Shared,
        now: Time,
    ) -> Id<Task> {
        let Request { to, intent, lineage, key, body, payload, deadline, instance, .. } = *request;
        let Payload::Endpoint(endpoint) = payload else {
            unreachable!("services are called at endpoints")
        };
        let program = shared.plan.endpoints[endpoint.index()];
        let task = self.begin(to, program, intent, lineage, shared);
        let entry = &mut self.pool[task];
        entry.origin = Origin::Request(Some(id));
        entry.seat = Seat::at_work(instance, now);
        entry.deadline = deadline;
        entry.set(builtin::KEY, key);
        entry.set(builtin::BODY, body);
        for (reg, value) in &request.with {
            entry.set(*reg, *value);
        }
        task
    }

    /// Sets the clock that a task's program reads, if it is still there.
    pub(in crate::world) fn set_clock(&mut self, id: Id<Task>, shared: &Shared, now: Time) {
        if let Some(task) = self.pool.get_mut(id) {
            task.set_clock(shared, now);
        }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.pool.memory_bytes(128)
    }
}

/// What a task waits for, and how a wait ends.
impl Tasks {
    pub(in crate::world) fn wait(&mut self, id: Id<Task>, length: Span, ctx: &mut Ctx) {
        let handle = ctx.schedule_after(length, Event::Resume(id));
        self.pool[id].waiting = Waiting::Timer(handle);
    }

    pub(in crate::world) fn wait_for(&mut self, id: Id<Task>, what: Waiting) {
        self.pool[id].waiting = what;
    }

    /// A wait is over; false when the task is gone.
    pub(in crate::world) fn wake(&mut self, id: Id<Task>) -> bool {
        let task = self.pool.get_mut(id);
        task.map(Task::wakes).is_some()
    }

    /// The task waits no more; for what it did.
    pub(in crate::world) fn stop_waiting(&mut self, id: Id<Task>) -> Waiting {
        std::mem::replace(&mut self.pool[id].waiting, Waiting::Nothing)
    }

    /// Whether a task waits for anything but its turn.
    pub(in crate::world) fn is_waiting(&self, id: Id<Task>) -> bool {
        !matches!(self.pool[id].waiting, Waiting::Nothing)
    }

    /// The call of a waiting task has ended.
    pub(in crate::world) fn hear(
        &mut self,
        id: Id<Task>,
        site: SiteId,
        answer: Answer,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Next {
        self.pool[id].wakes();
        self.take_answer(id, site, answer, shared, ctx)
    }

    /// Binds an answer to the site's variables, or raises what it was instead of a success.
    pub(in crate::world) fn take_answer(
        &mut self,
        id: Id<Task>,
        site: SiteId,
        answer: Answer,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Next {
        self.show_receipt(id, answer, shared, ctx);
        let site = &shared.plan.sites[site.index()];
        let task = &mut self.pool[id];
        if let Some(reg) = site.into_headers {
            task.assign(reg, answer.headers);
        }
        let Answer { ending, body, in_doubt, .. } = answer;
        if !ending.is_success() {
            let raised = Raised { ending, body, in_doubt, own: false };
            return task.leave(Exit::Error(raised), &shared.plan.words);
        }
        if let Some(reg) = site.into {
            task.assign(reg, body);
        }
        if let (Some(reg), Ending::Status(status)) = (site.into_status, ending) {
            task.assign(reg, Value::Int(status.into()));
        }
        Next::Go
    }

    /// What a client's program or one of its branches was answered.
    fn show_receipt(&self, id: Id<Task>, answer: Answer, shared: &mut Shared, ctx: &Ctx) {
        let mut root = id;
        while let Origin::Branch { parent, .. } = self.pool[root].origin {
            root = parent;
        }
        let Task { intent, origin: Origin::Submission { .. }, .. } = self.pool[root] else {
            return;
        };
        let (submission, content) = (root.word(), answer.body);
        let success = answer.ending.is_success();
        shared.show(Seen::Received { submission, intent, success, content }, ctx);
    }

    /// A task looks a value up, and goes on after the steps that would work it out.
    pub(in crate::world) fn want(
        &mut self,
        id: Id<Task>,
        cached: CachedId,
        shared: &mut Shared,
    ) -> Wanted {
        let CachedPlan { key, exit, .. } = shared.plan.cached[cached.index()];
        let task = &mut self.pool[id];
        let key = task.eval(key, shared);
        task.lookups += 1;
        task.pc = exit;
        let lineage = nth(task.lineage, child::CACHED, task.lookups);
        Wanted { cached, key, actor: task.actor, instance: task.seat.instance, lineage }
    }

    /// The value that a task waits for is there, or an error instead. One that has been called off
    /// may do or await something else by now.
    pub(in crate::world) fn land(
        &mut self,
        id: Id<Task>,
        flight: u64,
        found: Result<(Reg, Value), Raised>,
        shared: &Shared,
    ) -> Next {
        let Some(task) = self.pool.get_mut(id) else { return Next::Stop };
        if !matches!(task.waiting, Waiting::Flight(awaited) if awaited == flight) {
            return Next::Stop;
        }
        task.wakes();
        match found {
            Ok((into, value)) => task.assign(into, value),
            Err(raised) => return task.leave(Exit::Error(raised), &shared.plan.words),
        }
        Next::Go
    }

    /// A block is left from outside of the program.
    pub(in crate::world) fn leave(&mut self, id: Id<Task>, exit: Exit, shared: &Shared) -> Next {
        self.pool[id].leave(exit, &shared.plan.words)
    }

    /// An error is raised from outside of the program.
    pub(in crate::world) fn fail(&mut self, id: Id<Task>, status: u16, shared: &Shared) -> Next {
        self.leave(id, Exit::Error(Raised::of_program(status)), shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ActorKind, Instr, Last, Plan, Program};
    use crate::world::bench::{self, Bench};
    use sim_core::Moment;

    /// The first registers that are a program's own.
    pub(super) const OWN: Reg = Reg(builtin::NAMES.len() as u16);
    pub(super) const SECOND: Reg = Reg(OWN.0 + 1);

    /// One program of one actor, whose only `Parallel` has branches at 2 and at 4.
    pub(super) fn bench(code: Vec<Instr>) -> Bench {
        let program = Program {
            name: "api.pay".to_owned(),
            entry: Pc(0),
            registers: SECOND.0 + 1,
            reads_key: false,
            reads_body: false,
            reads_client: false,
            reads_clock: false,
        };
        let (programs, forks) = (vec![program], vec![vec![Pc(2), Pc(4)]]);
        let mut bench =
            Bench::new(Plan { code, forks, programs, ..bench::plan(vec![ActorKind::Broker]) });
        bench.shared.intents.push(Intent {
            client: ActorId(0),
            number: 17,
            user: 0,
            lineage: 0,
            begun: Time::ZERO,
            submitted: 1,
            ended: 0,
            told: None,
            background: None,
            told_at: Moment { at: Time::ZERO, step: 0 },
        });
        bench
    }

    pub(super) fn begin(bench: &mut Bench, tasks: &mut Tasks) -> Id<Task> {
        tasks.begin(ActorId(0), ProgramId(0), 0, 1, &mut bench.shared)
    }

    pub(super) fn run(bench: &mut Bench, tasks: &mut Tasks, id: Id<Task>) -> Next {
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
        assert_eq!(tasks[id].get(OWN), Value::Int(418), "the catch has run");
        assert_eq!(tasks[id].get(SECOND), Value::Int(17), "and the finally");
    }

    #[test]
    fn a_program_that_never_waits_ends_the_run_as_a_finding() {
        let mut bench = bench(vec![Instr::Jump(Pc(0))]);
        let mut tasks = Tasks::default();
        let id = begin(&mut bench, &mut tasks);
        assert!(matches!(run(&mut bench, &mut tasks, id), Next::Stop));
        assert!(
            matches!(&tasks.runaway, Some(RunLimit::Endless { program }) if program == "api.pay")
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
