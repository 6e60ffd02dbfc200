//! How a task comes to be: for a submission, for a request, or for nobody.

use sim_core::{Handle, Time};
use sim_redis::value::Value;

use super::{Origin, Task, Tasks};
use crate::plan::{ActorId, ClientPlan, ProgramId, builtin};
use crate::world::ids::{RequestId, TaskId};
use crate::world::network::{Payload, Request};
use crate::world::service::Seat;
use crate::world::shared::Shared;

/// A submission whose task begins.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::world) struct Submission {
    pub(in crate::world) client: ActorId,
    pub(in crate::world) plan: ClientPlan,
    /// What is done: to pay, or to have a refund.
    pub(in crate::world) program: ProgramId,
    /// Under which of the intent's keys, from 1.
    pub(in crate::world) keys: u32,
    pub(in crate::world) intent: u32,
    /// Which submission of its intent it is, from 1.
    pub(in crate::world) number: u32,
    /// The process of the client at which it arises.
    pub(in crate::world) instance: u32,
    pub(in crate::world) lineage: u64,
}

impl Tasks {
    /// A task at the start of a program, with fresh registers.
    pub(in crate::world) fn begin(
        &mut self,
        actor: ActorId,
        program: ProgramId,
        intent: u32,
        lineage: u64,
        shared: &mut Shared,
    ) -> TaskId {
        let frame = &shared.plan.programs[program.index()];
        self.executions += 1;
        let (id, task) = self.all.take();
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
    ) -> TaskId {
        let Submission { client, plan, program, keys, intent, number, instance, lineage } =
            submission;
        let id = self.begin(client, program, intent, lineage, shared);
        let program = &shared.plan.programs[program.index()];
        let (reads_key, reads_body) = (program.reads_key, program.reads_body);
        let task = &mut self.all[id];
        task.origin = Origin::Submission { begun: now, leave: None };
        task.seat = Seat::at(instance);
        task.set(builtin::SUBMISSION, Value::Int(number.into()));
        task.set_clock(shared, now);
        if reads_key {
            let key = match (task.eval(plan.key, shared), keys) {
                (key, 1) => key,
                (key, keys) => {
                    let first = shared.texts.text_of(key);
                    let text = format!("{}+{}", shared.texts.text(first), keys - 1);
                    Value::Text(shared.texts.intern(&text))
                }
            };
            task.set(builtin::KEY, key);
        }
        if reads_body {
            let body = task.eval(plan.body, shared);
            task.set(builtin::BODY, body);
        }
        id
    }

    /// When the user leaves; `None` once they have.
    pub(in crate::world) fn set_leave(&mut self, id: TaskId, at: Option<Handle>) {
        if let Origin::Submission { leave, .. } = &mut self.all[id].origin {
            *leave = at;
        }
    }

    /// A task for a request that a service begins to work on.
    pub(in crate::world) fn begin_request(
        &mut self,
        id: RequestId,
        request: &Request,
        shared: &mut Shared,
        now: Time,
    ) -> TaskId {
        let Request { to, intent, lineage, key, body, payload, deadline, instance, .. } = *request;
        let Payload::Endpoint(endpoint) = payload else {
            unreachable!("services are called at endpoints")
        };
        let program = shared.plan.endpoints[endpoint.index()];
        let task = self.begin(to, program, intent, lineage, shared);
        let entry = &mut self.all[task];
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
}
