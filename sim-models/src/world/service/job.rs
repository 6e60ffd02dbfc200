//! Jobs: what a service runs on its own, again and again, on every instance or on one.
//!
//! A run belongs to no user's intent until its program takes one up with `OnBehalfOf`.

use sim_core::{Time, mix};

use crate::intent::Intent;
use crate::plan::{ActorId, JobId, JobOn, JobPlan, Plan, ProgramId};
use crate::pool::Id;
use crate::world::ids::TaskId;
use crate::world::shared::Shared;
use crate::world::{Ctx, Event, nth};

/// Every job.
#[derive(Debug, Default)]
pub(in crate::world) struct Jobs(Vec<JobState>);

/// A job's own state.
#[derive(Clone, Debug)]
struct JobState {
    /// The intent of nobody's that its runs begin with.
    intent: u32,
    turns: u32,
    /// By instance: the latest run; it is over when its task is gone.
    runs: Vec<TaskId>,
    /// Of a job that runs on one instance: the one that it last ran on.
    leader: u32,
}

/// A run of a job that begins.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::world) struct JobRun {
    pub(in crate::world) actor: ActorId,
    pub(in crate::world) instance: u32,
    pub(in crate::world) program: ProgramId,
    pub(in crate::world) intent: u32,
    pub(in crate::world) lineage: u64,
}

/// Tells the luck of jobs from that of an actor's other doings.
const JOB: u64 = 7;

impl Jobs {
    pub(in crate::world) fn start(&mut self, shared: &mut Shared, ctx: &mut Ctx) {
        for (n, JobPlan { actor, program, every, from, .. }) in shared.plan.jobs.iter().enumerate()
        {
            let intent = shared.intents.push(of_nobody(&shared.plan, *actor, *program));
            self.0.push(JobState { intent, turns: 0, runs: Vec::new(), leader: 0 });
            ctx.schedule_at(Time::ZERO + *from + *every, Event::Turn(JobId::nth(n)));
        }
    }

    /// A job's turn has come: what begins on those of the instances that are up.
    pub(super) fn turn(
        &mut self,
        id: JobId,
        up: &[u32],
        is_running: impl Fn(TaskId) -> bool,
        shared: &Shared,
        ctx: &mut Ctx,
    ) -> Vec<JobRun> {
        let JobPlan { actor, program, every, on, .. } = shared.plan.jobs[id.index()];
        ctx.schedule_after(every, Event::Turn(id));
        let job = &mut self.0[id.index()];
        job.turns += 1;
        let condition = &shared.conditions[actor.index()];
        let works = |n: &u32| !condition.is_down(*n) && !condition.is_paused(Some(*n));
        let up: Vec<u32> = up.iter().copied().filter(works).collect();
        let runs_on = |n: u32| job.runs.get(n as usize).is_some_and(|run| is_running(*run));
        let instances = match on {
            JobOn::Every => up.into_iter().filter(|n| !runs_on(*n)).collect(),
            JobOn::One if job.runs.iter().any(|run| is_running(*run)) => Vec::new(),
            // Who leads goes on to lead, as the holder of a lease does.
            JobOn::One if up.contains(&job.leader) => vec![job.leader],
            JobOn::One => up.first().copied().into_iter().collect(),
        };
        let entity = shared.plan.actors[actor.index()].entity;
        let lineage = nth(mix(entity, u64::from(id.0) << 32 | JOB), JOB, job.turns);
        let run = |instance| {
            let lineage = if instance == 0 { lineage } else { mix(lineage, u64::from(instance)) };
            JobRun { actor, instance, program, intent: job.intent, lineage }
        };
        instances.into_iter().map(run).collect()
    }

    /// The task of a run that has begun.
    pub(in crate::world) fn runs(&mut self, id: JobId, instance: u32, task: TaskId) {
        let JobState { runs, leader, .. } = &mut self.0[id.index()];
        runs.resize(runs.len().max(instance as usize + 1), Id::default());
        (runs[instance as usize], *leader) = (task, instance);
    }
}

/// An intent of nobody's, for a program that a service runs on its own.
fn of_nobody(plan: &Plan, actor: ActorId, program: ProgramId) -> Intent {
    let intent = Intent::new(actor, 0, plan.actors[actor.index()].entity, Time::ZERO);
    Intent { background: Some(program), ..intent }
}
