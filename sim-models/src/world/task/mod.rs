//! Tasks: the interpreter of the step language.
//!
//! A task is one run of a program: a submission at a client, a request at a service, or a branch
//! of a `Parallel`. It runs instruction after instruction until one has to wait; the event that
//! ends the wait puts it back on the ready list. An error unwinds to the nearest `Try`.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use sim_core::{Handle, Span, Time, mix};
use sim_policies::{Ending, Fate};
use sim_redis::value::{Texts, Value};

use crate::intent::Intent;
use crate::invariant::Seen;
use crate::ledger::Deed;
use crate::outcome::RunLimit;
use crate::plan::{
    ActorId, CondId, CondPlan, EffectId, EffectPlan, ForkId, Instr, Last, Operand, Pc, Plan,
    PointId, ProgramId, Reg, RespondId, SiteId, builtin,
};
use crate::pool::{Id, Pool};
use crate::world::fault::Hit;
use crate::world::network::Request;
use crate::world::network::{Answer, conclude};
use crate::world::stack::Call;
use crate::world::{Ctx, Event, World, eval, nth};

/// One run of a program.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(in crate::world) actor: ActorId,
    program: ProgramId,
    pub(in crate::world) pc: Pc,
    pub(in crate::world) registers: Vec<Value>,
    pub(in crate::world) intent: u32,
    /// Addresses every draw that this task makes.
    pub(in crate::world) lineage: u64,
    /// Nobody wants an answer after this.
    pub(in crate::world) deadline: Option<Time>,
    /// Instructions run since the last wait.
    pub(in crate::world) spent: u32,
    /// A branch: the registers that it has written.
    written: Vec<Reg>,
    works: u32,
    sleeps: u32,
    calls: u32,
    commands: u32,
    spawns: u32,
    pub(in crate::world) lookups: u32,
    frames: Vec<Frame>,
    /// What led into each `catch`, `finally` and compensation that is running.
    finallies: Vec<Exit>,
    pub(in crate::world) origin: Origin,
    pub(in crate::world) waiting: Waiting,
    pub(in crate::world) holds_worker: bool,
    /// Since when it does, and for how long it did before.
    pub(in crate::world) held_since: Time,
    pub(in crate::world) worked: Span,
    /// The instance of its service.
    pub(in crate::world) instance: u32,
    /// How long that had stood still when the work under way began.
    pub(in crate::world) stood_still: Span,
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
            frames: Vec::new(),
            finallies: Vec::new(),
            origin: Origin::Request(None),
            waiting: Waiting::Nothing,
            holds_worker: false,
            held_since: Time::ZERO,
            worked: Span::ZERO,
            instance: 0,
            stood_still: Span::ZERO,
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

/// An open `Try`.
#[derive(Clone, Copy, Debug)]
struct Frame {
    catch: Option<Pc>,
    last: Option<Last>,
    /// How many running blocks it lies in that something led into.
    inside: usize,
}

/// How a block is left.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) enum Exit {
    Ordinary,
    Error(Raised),
    /// The request is answered.
    Responded,
    Break {
        depth: u16,
        finallies: u16,
        to: Pc,
    },
}

/// An error on its way to a handler.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Raised {
    ending: Ending,
    /// The content of the answer that it was.
    body: Value,
    /// An earlier attempt may have done the work.
    in_doubt: bool,
    /// Raised by `Fail`, so that its status is the answer's.
    own: bool,
}

impl Raised {
    /// What a caller is told when nobody catches the error.
    fn status(self) -> u16 {
        match self.ending {
            Ending::Status(status) if self.own => status,
            _ if self.fate() == Fate::Unknown => 504,
            Ending::Rejected(_) | Ending::Refused => 503,
            _ => 502,
        }
    }

    fn fate(self) -> Fate {
        conclude(self.ending, self.in_doubt)
    }
}

impl Task {
    pub(in crate::world) fn program(&self) -> ProgramId {
        self.program
    }

    /// Notes the time of the worker that it has had until now; false when it had none.
    pub(in crate::world) fn lose_worker(&mut self, now: Time) -> bool {
        self.worked = self.worked_until(now);
        std::mem::take(&mut self.holds_worker)
    }

    /// For how long a worker has worked for it.
    pub(in crate::world) fn worked_until(&self, now: Time) -> Span {
        let held = if self.holds_worker { now.since(self.held_since) } else { Span::ZERO };
        self.worked + held
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
}

/// The most instructions that a task may run without waiting. No sensible program needs a million,
/// and one that goes on for ever must end as a finding.
const INSTRUCTIONS_MAX: u32 = 1_000_000;

/// What the lineages of a task's children and draws are told apart by.
pub(in crate::world) mod child {
    pub(in crate::world) const CALL: u64 = 1;
    pub(in crate::world) const COMMAND: u64 = 2;
    pub(in crate::world) const BRANCH: u64 = 3;
    pub(in crate::world) const WORK: u64 = 4;
    pub(in crate::world) const SLEEP: u64 = 5;
    pub(in crate::world) const SPAWN: u64 = 6;
    pub(in crate::world) const CACHED: u64 = 7;
}

/// What the interpreter does after an instruction.
pub(in crate::world) enum Next {
    Go,
    /// The task waits, or is no more.
    Stop,
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

impl Tasks {
    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.pool.memory_bytes(128)
    }
}

impl World {
    /// A task at the start of a program, with fresh registers.
    pub(in crate::world) fn new_task(
        &mut self,
        actor: ActorId,
        program: ProgramId,
        intent: u32,
        lineage: u64,
    ) -> Id<Task> {
        let frame = &self.shared.plan.programs[program.index()];
        self.tasks.executions += 1;
        let (id, task) = self.tasks.pool.take();
        let mut registers = std::mem::take(&mut task.registers);
        registers.clear();
        registers.resize(frame.registers.into(), Value::Nil);
        task.written.clear();
        task.frames.clear();
        task.finallies.clear();
        *task = Task {
            actor,
            program,
            pc: frame.entry,
            registers,
            intent,
            lineage,
            written: std::mem::take(&mut task.written),
            frames: std::mem::take(&mut task.frames),
            finallies: std::mem::take(&mut task.finallies),
            ..Task::default()
        };
        task.set(builtin::EXECUTION, Value::Int(self.tasks.executions.cast_signed()));
        self.tell_intent(id);
        id
    }

    /// Fills the variables that say whose intent a task serves.
    fn tell_intent(&mut self, id: Id<Task>) {
        let task = &mut self.tasks[id];
        let Intent { client, number, .. } = self.shared.intents[task.intent];
        task.set(builtin::INTENT, Value::Int(number.into()));
        task.set(builtin::ORIGIN, Value::Int(task.intent.into()));
        if self.shared.plan.programs[task.program.index()].reads_client {
            let name = self.shared.texts.intern(self.shared.plan.actor_name(client));
            task.set(builtin::CLIENT, Value::Text(name));
        }
    }

    /// Goes on for the intent with this number. There is no working for nobody: what names no
    /// intent is an error of the program, 500.
    fn adopt(&mut self, id: Id<Task>, origin: Value, ctx: &mut Ctx) -> Next {
        if let Value::Int(n) = origin
            && let Ok(intent) = u32::try_from(n)
            && self.shared.intents.get(intent).is_some()
        {
            self.tasks[id].intent = intent;
            self.tell_intent(id);
            return Next::Go;
        }
        self.fail(id, 500, ctx)
    }

    /// A wait of the task is over.
    pub(in crate::world) fn resume(&mut self, task: Id<Task>, ctx: &mut Ctx) {
        let held_up = self.hold_up(task);
        if !held_up.is_zero() {
            self.wait(task, held_up, ctx);
            return;
        }
        if let Some(entry) = self.tasks.get_mut(task) {
            entry.waiting = Waiting::Nothing;
            entry.spent = 0;
            self.make_ready(task, ctx);
        }
    }

    /// Puts a task on the ready list as soon as it has what it needs to run.
    pub(in crate::world) fn make_ready(&mut self, task: Id<Task>, ctx: &Ctx) {
        if self.has_worker(task, ctx) {
            self.tasks.ready.push_back(task);
        }
    }

    /// Runs a task until it waits or ends.
    pub(in crate::world) fn run(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        if self.is_parked(id) {
            return;
        }
        self.set_clock(id, ctx);
        loop {
            // A fault at a point may have killed the task.
            let Some(task) = self.tasks.get_mut(id) else { return };
            let is_overfull = self.shared.texts.is_overfull();
            if task.spent == INSTRUCTIONS_MAX || is_overfull {
                let program = self.shared.plan.programs[task.program.index()].name.clone();
                self.tasks.runaway = Some(if is_overfull {
                    RunLimit::Overfull { program }
                } else {
                    RunLimit::Endless { program }
                });
                ctx.stop();
                return;
            }
            task.spent += 1;
            let instr = self.shared.plan.code[task.pc.index()];
            task.pc.0 += 1;
            if let Next::Stop = self.execute(id, instr, ctx) {
                return;
            }
        }
    }

    /// Lets a task of a paused actor wait until the actor goes on.
    fn is_parked(&mut self, id: Id<Task>) -> bool {
        let Some(Task { actor, .. }) = self.tasks.get(id) else { return false };
        let is_paused = self.shared.conditions[actor.index()].paused;
        if is_paused {
            self.faults.park(*actor, Event::Resume(id));
        }
        is_paused
    }

    /// Sets `{now}`, the wall clock of the task's actor, if its program reads it.
    pub(in crate::world) fn set_clock(&mut self, id: Id<Task>, ctx: &Ctx) {
        let Some(Task { actor, program, .. }) = self.tasks.get(id) else { return };
        if self.shared.plan.programs[program.index()].reads_clock {
            let now = self.shared.wall_ms(*actor, ctx.now());
            self.tasks[id].set(builtin::NOW, Value::Int(now));
        }
    }

    fn execute(&mut self, id: Id<Task>, instr: Instr, ctx: &mut Ctx) -> Next {
        let task = &mut self.tasks[id];
        match instr {
            Instr::Let { to, value } => {
                let value = self.eval(id, value);
                self.tasks[id].assign(to, value);
            }
            Instr::Add { to, a, b } => {
                let sum = match (self.eval(id, a), self.eval(id, b)) {
                    (Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(b)),
                    _ => Value::Nil,
                };
                self.tasks[id].assign(to, sum);
            }
            Instr::Jump(to) => task.pc = to,
            Instr::Unless { cond, to } => {
                if !holds(&self.shared.plan, &mut self.shared.texts, &task.registers, cond) {
                    task.pc = to;
                }
            }
            Instr::Round { counter, times, exit } => {
                let Value::Int(done) = task.registers[counter.index()] else {
                    unreachable!("a loop's counter is a number")
                };
                if done == i64::from(times) {
                    task.pc = exit;
                } else {
                    task.set(counter, Value::Int(done + 1));
                }
            }
            Instr::Try { catch, last } => {
                let inside = task.finallies.len();
                task.frames.push(Frame { catch, last, inside });
            }
            Instr::EndTry => {
                task.frames.pop();
            }
            Instr::EndCatch => {
                task.finallies.pop();
            }
            Instr::Raise(nth) => {
                let caught = task.finallies[usize::from(nth)];
                return self.leave_block(id, caught, ctx);
            }
            Instr::Finally(to) => {
                task.finallies.push(Exit::Ordinary);
                task.pc = to;
            }
            Instr::EndFinally => {
                let exit = task.finallies.pop().expect("a finally is entered before it ends");
                return self.leave_block(id, exit, ctx);
            }
            Instr::Break { depth, finallies, to } => {
                return self.leave_block(id, Exit::Break { depth, finallies, to }, ctx);
            }
            Instr::Work(dist) => {
                task.works += 1;
                let index = nth(task.lineage, child::WORK, task.works);
                let length = self.shared.span(dist, &mut self.shared.luck.work.at(index));
                let length = self.length_of_work(id, length, ctx.now());
                self.wait(id, length, ctx);
                return Next::Stop;
            }
            Instr::Sleep(dist) => {
                task.sleeps += 1;
                let index = nth(task.lineage, child::SLEEP, task.sleeps);
                let length = self.shared.span(dist, &mut self.shared.luck.sleep.at(index));
                self.yield_worker(id, ctx);
                self.wait(id, length, ctx);
                return Next::Stop;
            }
            Instr::Call(site) => return self.start_call(id, site, ctx),
            Instr::Fork(fork) => return self.fork(id, fork, ctx),
            Instr::EndBranch => return self.end(id, Exit::Ordinary, ctx),
            Instr::Spawn { then } => self.spawn(id, then, ctx),
            Instr::LookUp(cached) => return self.look_up(id, cached, ctx),
            Instr::Adopt(origin) => {
                let origin = self.eval(id, origin);
                return self.adopt(id, origin, ctx);
            }
            Instr::Effect(effect) => return self.effect(id, effect, ctx),
            Instr::Respond(respond) => return self.respond(id, respond, ctx),
            Instr::Fail(status) => {
                let status = self.eval(id, status);
                return self.fail(id, as_status(status), ctx);
            }
            Instr::Point(point) => return self.pass_point(id, point, ctx),
            Instr::End => return self.end(id, Exit::Ordinary, ctx),
        }
        Next::Go
    }

    fn fail(&mut self, id: Id<Task>, status: u16, ctx: &mut Ctx) -> Next {
        let ending = Ending::Status(status);
        let raised = Raised { ending, body: Value::Nil, in_doubt: false, own: true };
        self.leave_block(id, Exit::Error(raised), ctx)
    }

    /// A task passes a labelled point; faults that wait there may hit the task itself.
    fn pass_point(&mut self, id: Id<Task>, point: PointId, ctx: &mut Ctx) -> Next {
        let hit = self.pass(point, ctx);
        // A crash there may have killed it.
        if self.tasks.get(id).is_none() {
            return Next::Stop;
        }
        match hit {
            Hit::Error(status) => self.fail(id, status, ctx),
            Hit::Stall(length) => {
                self.wait(id, length, ctx);
                Next::Stop
            }
            Hit::Nothing if self.is_parked(id) => Next::Stop,
            Hit::Nothing => {
                // A clock may have been set there.
                self.set_clock(id, ctx);
                Next::Go
            }
        }
    }

    fn wait(&mut self, id: Id<Task>, length: Span, ctx: &mut Ctx) {
        let handle = ctx.schedule_after(length, Event::Resume(id));
        self.tasks[id].waiting = Waiting::Timer(handle);
    }

    /// Unwinds to the next handler that an exit has to pass, or ends the task.
    pub(in crate::world) fn leave_block(
        &mut self,
        id: Id<Task>,
        exit: Exit,
        ctx: &mut Ctx,
    ) -> Next {
        let task = &mut self.tasks[id];
        let floor = match exit {
            Exit::Ordinary => return Next::Go,
            Exit::Break { depth, .. } => usize::from(depth),
            Exit::Error(_) | Exit::Responded => 0,
        };
        while task.frames.len() > floor {
            let Some(frame) = task.frames.pop() else { break };
            // What led into the `finally` blocks that are left here is forgotten.
            task.finallies.truncate(frame.inside);
            if let (Exit::Error(raised), Some(catch)) = (exit, frame.catch) {
                if frame.last.is_some() {
                    task.frames.push(Frame { catch: None, ..frame });
                }
                task.finallies.push(exit);
                task.pc = catch;
                self.explain(id, raised);
                return Next::Go;
            }
            match (frame.last, exit) {
                (Some(Last::Finally(pc)), _) => {
                    task.finallies.push(exit);
                    task.pc = pc;
                    return Next::Go;
                }
                (Some(Last::Undo(pc)), Exit::Error(raised)) => {
                    task.finallies.push(exit);
                    task.pc = pc;
                    self.explain(id, raised);
                    return Next::Go;
                }
                _ => {}
            }
        }
        if let Exit::Break { finallies, to, .. } = exit {
            task.finallies.truncate(finallies.into());
            task.pc = to;
            return Next::Go;
        }
        self.end(id, exit, ctx)
    }

    /// Fills `{error.status}`, `{error.kind}` and `{error.fate}`.
    fn explain(&mut self, id: Id<Task>, raised: Raised) {
        let words = self.shared.plan.words;
        let (status, kind) = match raised.ending {
            Ending::Status(status) => (Value::Int(status.into()), words.status),
            Ending::TimedOut => (Value::Nil, words.timeout),
            Ending::Refused => (Value::Nil, words.refused),
            Ending::Reset => (Value::Nil, words.reset),
            Ending::Rejected(_) => (Value::Nil, words.rejected),
        };
        let fate = match raised.fate() {
            Fate::Unknown => words.unknown,
            Fate::Failed | Fate::Succeeded => words.failed,
        };
        let task = &mut self.tasks[id];
        task.set(builtin::ERROR_STATUS, status);
        task.set(builtin::ERROR_BODY, raised.body);
        task.set(builtin::ERROR_KIND, kind);
        task.set(builtin::ERROR_FATE, fate);
    }

    fn start_call(&mut self, id: Id<Task>, site: SiteId, ctx: &mut Ctx) -> Next {
        let task = &mut self.tasks[id];
        let lineage = if self.shared.plan.sites[site.index()].is_command() {
            task.commands += 1;
            nth(task.lineage, child::COMMAND, task.commands)
        } else {
            task.calls += 1;
            nth(task.lineage, child::CALL, task.calls)
        };
        match self.begin_call(id, site, lineage, ctx) {
            Ok(answer) => self.take_answer(id, site, answer, ctx),
            Err(call) => {
                self.tasks[id].waiting = Waiting::Call(call);
                self.yield_worker(id, ctx);
                Next::Stop
            }
        }
    }

    /// A call of a waiting task has ended.
    pub(in crate::world) fn call_ended(
        &mut self,
        id: Id<Task>,
        site: SiteId,
        answer: Answer,
        ctx: &mut Ctx,
    ) {
        let task = &mut self.tasks[id];
        task.waiting = Waiting::Nothing;
        task.spent = 0;
        if let Next::Go = self.take_answer(id, site, answer, ctx) {
            self.make_ready(id, ctx);
        }
    }

    /// Binds an answer to the site's variables, or raises what it was instead of a success.
    fn take_answer(&mut self, id: Id<Task>, site: SiteId, answer: Answer, ctx: &mut Ctx) -> Next {
        self.show_receipt(id, answer, ctx);
        let site = &self.shared.plan.sites[site.index()];
        let (into, into_status, into_headers) = (site.into, site.into_status, site.into_headers);
        let task = &mut self.tasks[id];
        if let Some(reg) = into_headers {
            task.assign(reg, answer.headers);
        }
        let Answer { ending, body, in_doubt, .. } = answer;
        if !ending.is_success() {
            let raised = Raised { ending, body, in_doubt, own: false };
            return self.leave_block(id, Exit::Error(raised), ctx);
        }
        if let Some(reg) = into {
            task.assign(reg, answer.body);
        }
        if let (Some(reg), Ending::Status(status)) = (into_status, answer.ending) {
            task.assign(reg, Value::Int(status.into()));
        }
        Next::Go
    }

    /// What a client's program or one of its branches was answered.
    fn show_receipt(&mut self, id: Id<Task>, answer: Answer, ctx: &Ctx) {
        let mut root = id;
        while let Origin::Branch { parent, .. } = self.tasks[root].origin {
            root = parent;
        }
        let Task { intent, origin: Origin::Submission { .. }, .. } = self.tasks[root] else {
            return;
        };
        let (submission, content) = (root.word(), answer.body);
        let success = answer.ending.is_success();
        self.shared.show(Seen::Received { submission, intent, success, content }, ctx);
    }

    fn fork(&mut self, id: Id<Task>, fork: ForkId, ctx: &mut Ctx) -> Next {
        let count = self.shared.plan.forks[fork.index()].len();
        let mut tasks = Vec::with_capacity(count);
        for n in 0..count {
            let number = n as u32;
            let Task { lineage, calls, .. } = self.tasks[id];
            let lineage = nth(mix(lineage, calls.into()), child::BRANCH, number);
            let pc = self.shared.plan.forks[fork.index()][n];
            let origin = Origin::Branch { parent: id, number };
            tasks.push(self.child_task(id, pc, lineage, origin));
        }
        if count == 0 {
            return Next::Go;
        }
        for task in &tasks {
            self.make_ready(*task, ctx);
        }
        let parent = &mut self.tasks[id];
        parent.waiting = Waiting::Branches { tasks, left: count, error: None };
        // The forks of one task are told apart by the calls made before them.
        parent.calls += 1;
        self.yield_worker(id, ctx);
        Next::Stop
    }

    /// Starts a task with a copy of the registers at the next instruction; this one goes on
    /// elsewhere.
    fn spawn(&mut self, id: Id<Task>, then: Pc, ctx: &Ctx) {
        let task = &mut self.tasks[id];
        task.spawns += 1;
        let pc = std::mem::replace(&mut task.pc, then);
        let lineage = nth(task.lineage, child::SPAWN, task.spawns);
        let spawned = self.child_task(id, pc, lineage, Origin::Alone);
        self.make_ready(spawned, ctx);
    }

    /// A task beside another, at the same instance and with a copy of its registers.
    pub(in crate::world) fn child_task(
        &mut self,
        of: Id<Task>,
        pc: Pc,
        lineage: u64,
        origin: Origin,
    ) -> Id<Task> {
        let Task { actor, program, intent, deadline, spent, instance, .. } = self.tasks[of];
        let child = self.new_task(actor, program, intent, lineage);
        let registers = self.tasks[of].registers.clone();
        let entry = &mut self.tasks[child];
        entry.registers.copy_from_slice(&registers);
        (entry.origin, entry.pc, entry.deadline) = (origin, pc, deadline);
        (entry.instance, entry.spent) = (instance, spent);
        child
    }

    /// A branch has ended and gives back what it has written; the last one wakes its parent.
    fn join(
        &mut self,
        parent: Id<Task>,
        number: u32,
        branch: Id<Task>,
        error: Option<Raised>,
        ctx: &mut Ctx,
    ) {
        let Task { written, registers, spent, .. } = &self.tasks[branch];
        let value = |reg: &Reg| (*reg, registers[reg.index()]);
        let (written, spent): (Vec<_>, _) = (written.iter().map(value).collect(), *spent);
        self.tasks.free(branch);
        let Some(task) = self.tasks.get_mut(parent) else { return };
        for (reg, value) in written {
            task.assign(reg, value);
        }
        task.spent = task.spent.max(spent);
        let Waiting::Branches { left, error: first, .. } = &mut task.waiting else {
            unreachable!("a task with branches waits for them")
        };
        *left -= 1;
        if let Some(raised) = error
            && first.is_none_or(|(n, _)| number < n)
        {
            *first = Some((number, raised));
        }
        if *left > 0 {
            return;
        }
        let first = *first;
        task.waiting = Waiting::Nothing;
        let next = match first {
            Some((_, raised)) => self.leave_block(parent, Exit::Error(raised), ctx),
            None => Next::Go,
        };
        if let Next::Go = next {
            self.make_ready(parent, ctx);
        }
    }

    fn effect(&mut self, id: Id<Task>, effect: EffectId, ctx: &mut Ctx) -> Next {
        let EffectPlan { kind, once, keep, token, fenced, undoes, into } =
            self.shared.plan.effects[effect.index()];
        let (once, token) = (self.eval(id, once), self.eval(id, token));
        let task = &self.tasks[id];
        let (actor, intent) = (task.actor, task.intent);
        let token = if let Value::Int(token) = token { Some(token) } else { None };
        let deed = Deed { kind, actor, intent, once, keep, token, fenced, undoes };
        let Some(number) = self.shared.record_effect(deed, ctx) else {
            return self.fail(id, 412, ctx);
        };
        if let Some(reg) = into {
            let name = self.shared.plan.effect_name(kind, number);
            let value = Value::Text(self.shared.texts.intern(&name));
            self.tasks[id].assign(reg, value);
        }
        Next::Go
    }

    fn respond(&mut self, id: Id<Task>, respond: RespondId, ctx: &mut Ctx) -> Next {
        let plan = self.shared.plan.responds[respond.index()];
        let (status, body) = (self.eval(id, plan.status), self.eval(id, plan.body));
        let headers = self.eval(id, plan.headers);
        let advice = plan.advice;
        let answer = Answer { body, headers, advice, ..Answer::status(as_status(status)) };
        self.answer_origin(id, answer, ctx);
        self.leave_block(id, Exit::Responded, ctx)
    }

    /// Sends the answer of a task's request, unless it was sent before.
    fn answer_origin(&mut self, id: Id<Task>, answer: Answer, ctx: &mut Ctx) {
        if let Origin::Request(request) = &mut self.tasks[id].origin
            && let Some(request) = request.take()
        {
            self.network.requests[request].worked = self.tasks[id].worked_until(ctx.now());
            self.send_answer(request, answer, ctx);
        }
    }

    /// A task is over: answers, gives its worker back, and frees the slot.
    fn end(&mut self, id: Id<Task>, exit: Exit, ctx: &mut Ctx) -> Next {
        let error = match exit {
            Exit::Error(raised) => Some(raised),
            _ => None,
        };
        match self.tasks[id].origin {
            Origin::Submission { .. } => {
                let fate = error.map_or(Fate::Succeeded, |raised| raised.fate());
                let others = error.filter(|raised| !raised.own);
                self.end_submission(id, fate, others.map(|raised| raised.ending), ctx);
            }
            Origin::Request(_) => {
                let status = error.map_or(200, Raised::status);
                self.answer_origin(id, Answer::status(status), ctx);
                self.give_worker_back(id, ctx);
                self.tasks.free(id);
            }
            Origin::Branch { parent, number } => {
                self.give_worker_back(id, ctx);
                self.join(parent, number, id, error, ctx);
            }
            Origin::Alone => {
                self.give_worker_back(id, ctx);
                self.tasks.free(id);
            }
            Origin::Flight(flight) => {
                self.give_worker_back(id, ctx);
                self.land(id, flight, error, ctx);
                self.tasks.free(id);
            }
        }
        Next::Stop
    }

    /// Whoever a task works for has stopped waiting: what the task waits for is called off, and it
    /// goes on with an error. One that waits for nothing but its turn ends by itself; false then.
    pub(in crate::world) fn cancel_task(&mut self, id: Id<Task>, ctx: &mut Ctx) -> bool {
        if let Waiting::Nothing = self.tasks[id].waiting {
            return false;
        }
        self.abandon(id, ctx);
        if let Next::Go = self.fail(id, 499, ctx) {
            self.make_ready(id, ctx);
        }
        true
    }

    /// Calls off everything a task waits for, its branches included. The slot stays.
    pub(in crate::world) fn abandon(&mut self, id: Id<Task>, ctx: &mut Ctx) {
        match std::mem::replace(&mut self.tasks[id].waiting, Waiting::Nothing) {
            // Whoever works a value out goes on, for others and the next time.
            Waiting::Nothing | Waiting::Flight(_) => {}
            Waiting::Timer(handle) => {
                ctx.cancel(handle);
            }
            Waiting::Call(call) => self.abandon_call(call, ctx),
            Waiting::Branches { tasks, .. } => {
                for branch in tasks {
                    if self.tasks.get(branch).is_some() {
                        self.abandon(branch, ctx);
                        self.give_worker_back(branch, ctx);
                        self.tasks.free(branch);
                    }
                }
            }
        }
    }
}

/// A status that a program works out may be anything; what is no status is a server error.
fn as_status(value: Value) -> u16 {
    match value {
        Value::Int(n @ 100..=599) => n as u16,
        _ => 500,
    }
}

/// Whether a condition holds over a program's registers.
fn holds(plan: &Plan, texts: &mut Texts, registers: &[Value], cond: CondId) -> bool {
    let mut value = |operand: Operand| eval(plan, texts, registers, operand);
    match &plan.conds[cond.index()] {
        CondPlan::Is(a) => value(*a).is_truthy(),
        CondPlan::Eq(a, b) => value(*a) == value(*b),
        CondPlan::Lt(a, b) => {
            matches!((value(*a), value(*b)), (Value::Int(a), Value::Int(b)) if a < b)
        }
        CondPlan::Le(a, b) => {
            matches!((value(*a), value(*b)), (Value::Int(a), Value::Int(b)) if a <= b)
        }
        CondPlan::Not(inner) => !holds(plan, texts, registers, *inner),
        CondPlan::All(all) => all.iter().all(|cond| holds(plan, texts, registers, *cond)),
        CondPlan::Any(any) => any.iter().any(|cond| holds(plan, texts, registers, *cond)),
    }
}
