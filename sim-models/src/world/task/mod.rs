//! Tasks: the interpreter of the step language.
//!
//! A task is one run of a program: a submission at a client, a request at a service, or a branch
//! of a `Parallel`. It runs instruction after instruction until one concerns another part of the
//! world; that is handed over as a [`Next`]. The event that ends a wait puts the task back on the
//! ready list. An error unwinds to the nearest `Try`.

mod begin;
pub(super) mod eval;
mod fork;
mod step;
mod unwind;
mod wait;

use std::collections::VecDeque;

use sim_core::{Handle, Span, Time};
use sim_redis::value::Value;

use crate::intent::Intent;
use crate::plan::{
    ActorId, CachedId, KindId, Operand, Pc, PointId, ProgramId, Reg, SiteId, builtin,
};
use crate::pool::Pool;
use crate::world::ids::{CallId, RequestId, TaskId, TaskName};
use crate::world::network::Answer;
use crate::world::service::Seat;
use crate::world::shared::Shared;

pub(in crate::world) use begin::Submission;
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
    /// A submission: the kind of effect that its user hears was given back.
    pub(in crate::world) refunded: Option<KindId>,
    pub(in crate::world) origin: Origin,
    /// It rests on a fallback's answer.
    pub(in crate::world) is_degraded: bool,
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
            refunded: None,
            origin: Origin::Request(None),
            is_degraded: false,
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
    Request(Option<RequestId>),
    /// A task runs branches.
    Branch { parent: TaskId, number: u32 },
    /// Nobody waits for it: a job, or what a program spawned.
    Alone,
    /// Works out a value for a cache.
    Flight(u64),
    /// An actor written in Rust calls somebody.
    Own,
    /// A call goes on that a task had made and no longer waits for.
    Left,
}

/// What a task waits for.
#[derive(Clone, Debug)]
pub(in crate::world) enum Waiting {
    Nothing,
    /// Work or sleep.
    Timer(Handle),
    Call(CallId),
    /// A value that is worked out.
    Flight(u64),
    /// Branches still running, and the error of the first branch that has one.
    Branches {
        tasks: Vec<TaskId>,
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
    Fork(Vec<TaskId>),
    /// Another task begins beside it.
    Spawned(TaskId),
    LookUp(CachedId),
    /// Its request is answered.
    Respond(Answer),
    /// The call of an actor written in Rust has ended.
    Heard(Answer),
    /// It passes a point where faults may be waiting.
    Pass(PointId),
    /// It is over, and nobody has caught this error.
    Ended(Option<Raised>),
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

    pub(in crate::world) fn lineage(&self) -> u64 {
        self.lineage
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
            self.set(builtin::NOW, Value::Int(shared.wall_ms(self.actor, self.seat.instance, now)));
        }
    }

    /// A wait is over.
    fn wakes(&mut self) {
        self.waiting = Waiting::Nothing;
        self.spent = 0;
    }

    /// The request that it has yet to answer, which counts as answered from now on.
    pub(in crate::world) fn take_request(&mut self) -> Option<RequestId> {
        match &mut self.origin {
            Origin::Request(request) => request.take(),
            _ => None,
        }
    }
}

/// Every run of a program.
#[derive(Debug, Default)]
pub(in crate::world) struct Tasks {
    pub(in crate::world) all: Pool<Task, TaskName>,
    /// Tasks that can run now, in order.
    pub(in crate::world) ready: VecDeque<TaskId>,
    executions: u64,
}

impl Tasks {
    /// Sets the clock that a task's program reads, if it is still there.
    pub(in crate::world) fn set_clock(&mut self, id: TaskId, shared: &Shared, now: Time) {
        if let Some(task) = self.all.get_mut(id) {
            task.set_clock(shared, now);
        }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.all.memory_bytes(128)
    }
}
