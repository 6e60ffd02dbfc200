//! Jobs: what a service runs by itself, again and again.
//!
//! A run belongs to no user's intent until its program takes one up with `OnBehalfOf`.

use sim_core::{Time, mix};

use crate::plan::{JobId, JobPlan};
use crate::pool::Id;
use crate::world::task::Origin;
use crate::world::task::Task;
use crate::world::{Ctx, Event, World, nth};

/// A job's own state.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct JobState {
    /// The intent of nobody's that its runs begin with.
    intent: u32,
    turns: u32,
    /// The latest run; it is over when its task is gone.
    run: Id<Task>,
}

/// Tells the luck of jobs from that of an actor's other doings.
const JOB: u64 = 7;

impl World {
    pub(in crate::world) fn start_jobs(&mut self, ctx: &mut Ctx) {
        for n in 0..self.shared.plan.jobs.len() {
            let JobPlan { actor, program, every, from } = self.shared.plan.jobs[n];
            let intent = self.background_intent(actor, program);
            self.services.jobs.push(JobState { intent, turns: 0, run: Id::default() });
            ctx.schedule_at(Time::ZERO + from + every, Event::Turn(JobId::nth(n)));
        }
    }

    /// A job's turn has come.
    pub(in crate::world) fn turn(&mut self, id: JobId, ctx: &mut Ctx) {
        let JobPlan { actor, program, every, .. } = self.shared.plan.jobs[id.index()];
        ctx.schedule_after(every, Event::Turn(id));
        let job = &mut self.services.jobs[id.index()];
        job.turns += 1;
        let JobState { intent, turns, run } = *job;
        let condition = &self.shared.conditions[actor.index()];
        if condition.down || condition.paused || self.tasks.get(run).is_some() {
            return;
        }
        let lineage =
            mix(self.shared.plan.actors[actor.index()].entity, u64::from(id.0) << 32 | JOB);
        let task = self.new_task(actor, program, intent, nth(lineage, JOB, turns));
        self.tasks[task].origin = Origin::Alone;
        self.services.jobs[id.index()].run = task;
        self.make_ready(task, ctx);
    }
}
