//! Tasks beside a task: branches that it waits for, and what it starts and forgets.

use sim_core::{Time, mix};
use sim_redis::value::Value;

use super::{Exit, Next, Origin, Raised, Task, Tasks, Waiting, child};
use crate::plan::{CachedPlan, ForkId, Pc, Reg};
use crate::world::ids::{CallId, TaskId};
use crate::world::nth;
use crate::world::service::Wanted;
use crate::world::shared::Shared;

impl Tasks {
    /// Makes the branches of a `Parallel`. The forks of one task are told apart by the calls made
    /// before them.
    pub(super) fn fork(&mut self, id: TaskId, fork: ForkId, shared: &mut Shared) -> Next {
        let count = shared.plan.forks[fork.index()].len();
        if count == 0 {
            return Next::Go;
        }
        let Task { lineage, calls, .. } = self.all[id];
        let mut branches = Vec::with_capacity(count);
        for n in 0..count {
            let number = n as u32;
            let lineage = nth(mix(lineage, calls.into()), child::BRANCH, number);
            let pc = shared.plan.forks[fork.index()][n];
            branches.push(self.beside(
                id,
                pc,
                lineage,
                Origin::Branch { parent: id, number },
                shared,
            ));
        }
        self.all[id].calls += 1;
        Next::Fork(branches)
    }

    /// A task with a copy of the registers at the next instruction; this one goes on elsewhere.
    pub(super) fn spawn(&mut self, id: TaskId, then: Pc, shared: &mut Shared) -> TaskId {
        let task = &mut self.all[id];
        task.spawns += 1;
        let pc = std::mem::replace(&mut task.pc, then);
        let lineage = nth(task.lineage, child::SPAWN, task.spawns);
        self.beside(id, pc, lineage, Origin::Alone, shared)
    }

    /// A task that works a value out for a cache, with a copy of the registers.
    pub(in crate::world) fn fly(
        &mut self,
        id: TaskId,
        wanted: Wanted,
        flight: u64,
        deadline: Option<Time>,
        shared: &mut Shared,
    ) -> TaskId {
        let CachedPlan { body, into, .. } = shared.plan.cached[wanted.cached.index()];
        let lineage = mix(wanted.lineage, 0);
        let task = self.beside(id, body, lineage, Origin::Flight(flight), shared);
        let entry = &mut self.all[task];
        entry.set(into, Value::Nil);
        entry.deadline = deadline;
        task
    }

    /// A task for a call that another has made and no longer waits for. It runs nothing itself.
    pub(in crate::world) fn leave_behind(
        &mut self,
        id: TaskId,
        call: CallId,
        shared: &mut Shared,
    ) -> TaskId {
        let Task { pc, lineage, .. } = self.all[id];
        let task = self.beside(id, pc, lineage, Origin::Left, shared);
        self.wait_for(task, Waiting::Call(call));
        task
    }

    /// A task beside another, at the same instance and with a copy of its registers.
    fn beside(
        &mut self,
        of: TaskId,
        pc: Pc,
        lineage: u64,
        origin: Origin,
        shared: &mut Shared,
    ) -> TaskId {
        let Task { actor, program, intent, deadline, spent, seat, .. } = self.all[of];
        shared.belongs(intent, lineage, self.all[of].lineage);
        let child = self.begin(actor, program, intent, lineage, shared);
        let registers = self.all[of].registers.clone();
        let entry = &mut self.all[child];
        entry.registers.copy_from_slice(&registers);
        (entry.origin, entry.pc, entry.deadline) = (origin, pc, deadline);
        (entry.seat, entry.spent) = (seat.beside(), spent);
        child
    }

    /// A branch has ended and gives back what it has written; after the last one its parent goes
    /// on, with the error of the first branch that has one.
    pub(in crate::world) fn join(
        &mut self,
        parent: TaskId,
        number: u32,
        branch: TaskId,
        error: Option<Raised>,
        shared: &Shared,
    ) -> Next {
        let Task { written, registers, spent, is_degraded, .. } = &self.all[branch];
        let is_degraded = *is_degraded;
        let value = |reg: &Reg| (*reg, registers[reg.index()]);
        let (written, spent): (Vec<_>, _) = (written.iter().map(value).collect(), *spent);
        self.all.free(branch);
        let Some(task) = self.all.get_mut(parent) else { return Next::Stop };
        for (reg, value) in written {
            task.assign(reg, value);
        }
        task.spent = task.spent.max(spent);
        task.is_degraded |= is_degraded;
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
            return Next::Stop;
        }
        let first = *first;
        task.waiting = Waiting::Nothing;
        match first {
            Some((_, raised)) => task.leave(Exit::Error(raised), &shared.plan.words),
            None => Next::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::step::tests::{OWN, SECOND, begin, bench, run};
    use super::*;
    use crate::plan::{Instr, Operand};

    fn set(to: Reg, n: i64) -> Instr {
        Instr::Let { to, value: Operand::Const(Value::Int(n)) }
    }

    #[test]
    fn the_last_branch_wakes_its_parent_with_all_they_wrote_and_the_first_error() {
        let status = Operand::Const(Value::Int(418));
        let mut bench = bench(vec![
            Instr::Fork(ForkId(0)),
            Instr::End,
            set(OWN, 7),
            Instr::EndBranch,
            set(SECOND, 8),
            Instr::Fail(status),
        ]);
        let mut tasks = Tasks::default();
        let parent = begin(&mut bench, &mut tasks);
        let Next::Fork(branches) = run(&mut bench, &mut tasks, parent) else {
            panic!("it has two branches")
        };
        let [first, second] = branches[..] else { panic!("two branches") };
        assert_ne!(tasks.all[first].lineage, tasks.all[second].lineage);
        tasks.wait_for(parent, Waiting::Branches { tasks: branches, left: 2, error: None });

        let Next::Ended(error @ Some(raised)) = run(&mut bench, &mut tasks, second) else {
            panic!("the second fails")
        };
        assert!(matches!(tasks.join(parent, 1, second, error, &bench.shared), Next::Stop));
        assert_eq!(tasks.all[parent].get(OWN), Value::Nil, "branches work on copies");
        assert!(matches!(run(&mut bench, &mut tasks, first), Next::Ended(None)));
        let next = tasks.join(parent, 0, first, None, &bench.shared);
        assert!(matches!(next, Next::Ended(Some(error)) if error == raised));
        assert_eq!(tasks.all[parent].get(OWN), Value::Int(7));
        assert_eq!(tasks.all[parent].get(SECOND), Value::Int(8));
    }

    #[test]
    fn what_is_spawned_has_a_copy_and_its_parent_goes_on_elsewhere() {
        let mut bench = bench(vec![
            set(OWN, 1),
            Instr::Spawn { then: Pc(4) },
            set(OWN, 2),
            Instr::End,
            Instr::End,
        ]);
        let mut tasks = Tasks::default();
        let parent = begin(&mut bench, &mut tasks);
        let Next::Spawned(child) = run(&mut bench, &mut tasks, parent) else {
            panic!("a task is spawned")
        };
        assert!(matches!(run(&mut bench, &mut tasks, parent), Next::Ended(None)));
        assert_eq!(tasks.all[child].get(OWN), Value::Int(1));
        assert!(matches!(run(&mut bench, &mut tasks, child), Next::Ended(None)));
        assert_eq!(
            (tasks.all[parent].get(OWN), tasks.all[child].get(OWN)),
            (Value::Int(1), Value::Int(2))
        );
    }
}
