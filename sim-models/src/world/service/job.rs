//! Jobs: what a service runs on its own, again and again.
//!
//! A run belongs to no user's intent until its program takes one up with `OnBehalfOf`.

use sim_core::{Moment, Time, mix};

use crate::intent::Intent;
use crate::plan::{ActorId, JobId, JobPlan, Plan, ProgramId};
use crate::pool::Id;
use crate::world::ids::TaskId;
use crate::world::shared::Shared;
use crate::world::{Ctx, Event, nth};

/// Every job.
#[derive(Debug, Default)]
pub(in crate::world) struct Jobs(Vec<JobState>);

/// A job's own state.
#[derive(Clone, Copy, Debug)]
struct JobState {
    /// The intent of nobody's that its runs begin with.
    intent: u32,
    turns: u32,
    /// The latest run; it is over when its task is gone.
    run: TaskId,
}

/// A run of a job that begins.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::world) struct JobRun {
    pub(in crate::world) actor: ActorId,
    pub(in crate::world) program: ProgramId,
    pub(in crate::world) intent: u32,
    pub(in crate::world) lineage: u64,
}

/// Tells the luck of jobs from that of an actor's other doings.
const JOB: u64 = 7;

impl Jobs {
    pub(in crate::world) fn start(&mut self, shared: &mut Shared, ctx: &mut Ctx) {
        for (n, JobPlan { actor, program, every, from }) in shared.plan.jobs.iter().enumerate() {
            let intent = shared.intents.push(of_nobody(&shared.plan, *actor, *program));
            self.0.push(JobState { intent, turns: 0, run: Id::default() });
            ctx.schedule_at(Time::ZERO + *from + *every, Event::Turn(JobId::nth(n)));
        }
    }

    /// The latest run of a job, if there was one.
    pub(in crate::world) fn latest(&self, id: JobId) -> TaskId {
        self.0[id.index()].run
    }

    /// A job's turn has come: what begins, if it may, and its process runs.
    pub(in crate::world) fn turn(
        &mut self,
        id: JobId,
        may_run: bool,
        shared: &Shared,
        ctx: &mut Ctx,
    ) -> Option<JobRun> {
        let JobPlan { actor, program, every, .. } = shared.plan.jobs[id.index()];
        ctx.schedule_after(every, Event::Turn(id));
        let job = &mut self.0[id.index()];
        job.turns += 1;
        let condition = &shared.conditions[actor.index()];
        if condition.down || condition.paused || !may_run {
            return None;
        }
        let lineage = mix(shared.plan.actors[actor.index()].entity, u64::from(id.0) << 32 | JOB);
        let lineage = nth(lineage, JOB, job.turns);
        Some(JobRun { actor, program, intent: job.intent, lineage })
    }

    /// The task of a run that has begun.
    pub(in crate::world) fn runs(&mut self, id: JobId, task: TaskId) {
        self.0[id.index()].run = task;
    }
}

/// An intent of nobody's, for a program that a service runs on its own.
fn of_nobody(plan: &Plan, actor: ActorId, program: ProgramId) -> Intent {
    Intent {
        client: actor,
        number: 0,
        user: 0,
        lineage: plan.actors[actor.index()].entity,
        begun: Time::ZERO,
        submitted: 0,
        ended: 0,
        told: None,
        background: Some(program),
        told_at: Moment { at: Time::ZERO, step: 0 },
    }
}
