//! Faults: what is active changes the conditions under which actors and routes work.
//!
//! Several faults may be active at once. Whenever one strikes or heals, the conditions are worked
//! out anew from all that are active, so that overlapping faults need no bookkeeping. What a fault
//! does once, to a store or a process, it does through that part.

use sim_core::{Span, Time};

use crate::log::Note;
use crate::outcome::{FaultMissed, MissedBecause};
use crate::plan::{
    ActorId, ActorKind, ActorPlan, Fault, FaultEntry, FaultId, Plan, PointId, Trigger,
};
use crate::world::condition::End;
use crate::world::shared::Shared;
use crate::world::{Ctx, Event};

/// What a fault does to the very task that passed its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Nothing,
    /// It raises this status.
    Error(u16),
    /// It stands still for so long.
    Stall(Span),
}

impl Hit {
    pub(super) fn of(entry: &FaultEntry) -> Hit {
        match (entry.fault, entry.lasts) {
            (Fault::Throw { status }, _) => Hit::Error(status),
            (Fault::Stall, length) => Hit::Stall(length.unwrap_or(Span::MAX)),
            _ => Hit::Nothing,
        }
    }
}

/// A clock that a fault, or its end, has set back: until now it was this much ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct SetBack {
    pub(super) actor: ActorId,
    pub(super) before_ns: i64,
}

/// A fault that is active, and whom it hits: the plan does not know who passes a point.
#[derive(Clone, Copy, Debug)]
struct Active {
    id: FaultId,
    fault: Fault,
}

/// What is active, and who waits for it to pass.
#[derive(Debug)]
pub(super) struct Faults {
    active: Vec<Active>,
    /// Events of a paused actor, in order, and whose they are: of an instance, or of all.
    parked: Vec<Vec<(Option<u32>, Event)>>,
    /// How often each point was passed.
    passages: Vec<u32>,
    /// Faults that struck when nothing was under way, and when.
    idle: Vec<(FaultId, Time)>,
    /// Those that would have had a user do something, and there was none, and when.
    userless: Vec<(FaultId, Time)>,
}

impl Faults {
    pub(super) fn new(plan: &Plan) -> Faults {
        Faults {
            active: Vec::new(),
            parked: vec![Vec::new(); plan.actors.len()],
            passages: vec![0; plan.points.len()],
            idle: Vec::new(),
            userless: Vec::new(),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let events = self.parked.iter().map(|events| events.capacity()).sum::<usize>();
        events * size_of::<(Option<u32>, Event)>()
    }

    /// A program passes a labelled point: how often that has happened.
    pub(super) fn pass(&mut self, point: PointId) -> u32 {
        let passages = &mut self.passages[point.index()];
        *passages += 1;
        *passages
    }

    /// A fault begins, at the instance of an actor that passes its point, if it waited for that:
    /// what it hits.
    pub(super) fn strike(
        id: FaultId,
        passer: Option<(ActorId, u32)>,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Fault {
        let (fault, instance) = match (shared.plan.faults[id.index()].fault, passer) {
            (Fault::Crash { actor, instance: None }, Some((of, n)))
                if of == actor && shared.plan.instances(actor) > 1 =>
            {
                (Fault::Crash { actor, instance: Some(n) }, Some(n))
            }
            (fault, _) => (fault, None),
        };
        ctx.observe(u64::from(id.0) << 1 | 1);
        shared.metrics.struck(id, ctx.now());
        shared.note(Note::Struck { fault: id, instance }, ctx);
        fault
    }

    /// A fault has begun while nothing was under way.
    pub(super) fn note_idle(&mut self, id: FaultId, now: Time) {
        self.idle.push((id, now));
    }

    /// A fault was to have users do something, and none of them was there.
    pub(super) fn note_userless(&mut self, id: FaultId, now: Time) {
        self.userless.push((id, now));
    }

    /// A fault that has begun is active from now on, until it heals.
    pub(super) fn activate(
        &mut self,
        id: FaultId,
        fault: Fault,
        lasts: Option<Span>,
        ctx: &mut Ctx,
    ) {
        if let Some(lasts) = lasts {
            ctx.schedule_after(lasts, Event::Heal(id));
        }
        self.active.push(Active { id, fault });
    }

    /// A fault ends, or had its effect at one instant: what it was, if it was active.
    pub(super) fn heal(
        &mut self,
        id: FaultId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<Fault> {
        let healed = self.active.extract_if(.., |active| active.id == id).last();
        ctx.observe(u64::from(id.0) << 1);
        shared.metrics.healed(id, ctx.now());
        shared.note(Note::Healed { fault: id }, ctx);
        healed.map(|active| active.fault)
    }

    /// Works out all conditions from the active faults; the clocks that go back by it.
    pub(super) fn impose(&self, shared: &mut Shared) -> Vec<SetBack> {
        let before: Vec<i64> = shared.conditions.clocks().collect();
        shared.conditions.clear();
        for active in &self.active {
            shared.conditions.impose(active.fault);
        }
        let clocks = (0..).map(ActorId::nth).zip(before).zip(shared.conditions.clocks());
        clocks
            .filter(|((_, before), after)| after < before)
            .map(|((actor, before_ns), _)| SetBack { actor, before_ns })
            .collect()
    }

    /// An event of a paused actor, or of an instance that is paused, waits.
    pub(super) fn park(&mut self, (actor, instance): End, event: Event) {
        self.parked[actor.index()].push((instance, event));
    }

    /// What waited for an actor, or for one instance, happens now, in the order in which it came.
    pub(super) fn unpark(&mut self, (actor, only): End, ctx: &mut Ctx) {
        let is_meant = |(of, _): &mut (Option<u32>, Event)| only.is_none() || *of == only;
        for (_, event) in self.parked[actor.index()].extract_if(.., is_meant) {
            ctx.schedule_at(ctx.now(), event);
        }
    }

    /// The same for all that are not paused.
    pub(super) fn unpark_all(&mut self, shared: &Shared, ctx: &mut Ctx) {
        for (n, parked) in self.parked.iter_mut().enumerate() {
            let condition = &shared.conditions[n];
            for (_, event) in parked.extract_if(.., |(of, _)| !condition.is_paused(*of)) {
                ctx.schedule_at(ctx.now(), event);
            }
        }
    }

    /// Whether a fault struck, and nothing was under way or came from then on. What a service, a
    /// broker or an actor written in Rust does on its own may come at any time.
    fn met_nobody(&self, id: FaultId, shared: &Shared) -> bool {
        let plan = &shared.plan;
        let is_custom = |actor: &ActorPlan| matches!(actor.kind, ActorKind::Custom(_));
        let acts_alone =
            !plan.jobs.is_empty() || !plan.queues.is_empty() || plan.actors.iter().any(is_custom);
        let Some((_, at)) = self.idle.iter().find(|(of, _)| *of == id) else { return false };
        !acts_alone && shared.intents.iter().all(|(_, intent)| intent.begun < *at)
    }

    /// What was planned and never struck, or met nobody.
    pub(super) fn missed(&self, shared: &Shared) -> Vec<FaultMissed> {
        let struck =
            |n: usize| shared.metrics.strikes().iter().any(|(id, ..)| *id == FaultId::nth(n));
        let userless = |n: usize| {
            let of_it = self.userless.iter().find(|(id, _)| *id == FaultId::nth(n));
            of_it.map(|(_, at)| at.since(Time::ZERO))
        };
        let why = |(n, entry): (usize, &FaultEntry)| match entry.trigger {
            _ if entry.fault.route().is_some_and(|(from, to)| !shared.plan.talk(*from, *to)) => {
                Some(MissedBecause::NoTraffic)
            }
            _ if userless(n).is_some() => userless(n).map(MissedBecause::NobodyWaits),
            Trigger::At(at) if self.met_nobody(FaultId::nth(n), shared) => {
                Some(MissedBecause::NobodyLeft(at))
            }
            _ if struck(n) => None,
            Trigger::At(at) => Some(MissedBecause::NotReached(at)),
            Trigger::After { point, nth } => Some(MissedBecause::NotPassed {
                point: shared.plan.points[point.index()].clone(),
                nth,
                passed: self.passages[point.index()],
            }),
        };
        let missed = |(n, entry): (usize, &FaultEntry)| {
            why((n, entry)).map(|why| FaultMissed { label: entry.label.clone(), why })
        };
        shared.plan.faults.iter().enumerate().filter_map(missed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ActorKind;
    use crate::world::bench::{self, Bench};
    use crate::world::condition::{RouteCondition, either};

    const A: ActorId = ActorId(0);
    const B: ActorId = ActorId(1);

    /// Two actors and the faults that a test lets strike.
    fn bench(faults: &[Fault]) -> (Bench, Faults) {
        let mut plan = bench::plan(vec![ActorKind::Broker, ActorKind::Broker]);
        plan.faults = faults.iter().map(|kind| bench::fault(*kind)).collect();
        let faults = Faults::new(&plan);
        (Bench::new(plan), faults)
    }

    fn strike(bench: &mut Bench, faults: &mut Faults, n: usize) -> Vec<SetBack> {
        bench.act(|shared, ctx| {
            let fault = Faults::strike(FaultId::nth(n), None, shared, ctx);
            faults.activate(FaultId::nth(n), fault, None, ctx);
            faults.impose(shared)
        })
    }

    fn heal(bench: &mut Bench, faults: &mut Faults, n: usize) -> Vec<SetBack> {
        bench.act(|shared, ctx| {
            faults.heal(FaultId::nth(n), shared, ctx);
            faults.impose(shared)
        })
    }

    #[test]
    fn overlapping_faults_impose_together_and_heal_apart() {
        let loss = |rate| Fault::Loss { from: A, to: B, rate, instance: None, to_instance: None };
        let cut =
            Fault::Partition { from: A, to: B, both_ways: true, instance: None, to_instance: None };
        let (mut bench, mut faults) = bench(&[loss(0.5), loss(0.2), cut]);
        let way = |bench: &Bench, from, to| {
            bench.shared.conditions.routes[bench.shared.conditions.route(from, to)]
        };
        for n in 0..3 {
            assert_eq!(strike(&mut bench, &mut faults, n), []);
        }
        assert_eq!((way(&bench, A, B).loss, way(&bench, A, B).cut), (either(0.5, 0.2), true));
        assert_eq!((way(&bench, B, A).loss, way(&bench, B, A).cut), (0.0, true));
        assert_eq!(heal(&mut bench, &mut faults, 0), []);
        assert_eq!((way(&bench, A, B).loss, way(&bench, A, B).cut), (either(0.0, 0.2), true));
        assert_eq!(heal(&mut bench, &mut faults, 2), []);
        assert_eq!(way(&bench, B, A), RouteCondition::default());
        assert_eq!(heal(&mut bench, &mut faults, 1), []);
        assert_eq!(way(&bench, A, B), RouteCondition::default());
    }

    #[test]
    fn a_clock_that_goes_back_is_named_with_what_it_was() {
        let (ahead, behind) = (Some(Span::nanos(5)), Some(Span::nanos(7)));
        let step = |forward, back| Fault::ClockStep { actor: B, forward, back, instance: None };
        let (mut bench, mut faults) = bench(&[step(ahead, None), step(None, behind)]);
        assert_eq!(strike(&mut bench, &mut faults, 0), [], "it goes forward");
        assert_eq!(strike(&mut bench, &mut faults, 1), [SetBack { actor: B, before_ns: 5 }]);
        assert_eq!(bench.shared.conditions[B.index()].clock_ns(0), -2);
        assert_eq!(heal(&mut bench, &mut faults, 1), [], "it goes forward again");
        assert_eq!(heal(&mut bench, &mut faults, 0), [SetBack { actor: B, before_ns: 5 }]);
    }

    #[test]
    fn what_waited_for_a_paused_actor_happens_in_the_order_in_which_it_came() {
        let (mut bench, mut faults) = bench(&[Fault::Pause { actor: B, instance: None }]);
        strike(&mut bench, &mut faults, 0);
        faults.park((B, None), Event::Arrive(A));
        faults.park((B, None), Event::Arrive(B));
        bench.act(|shared, ctx| faults.unpark_all(shared, ctx));
        assert!(bench.next().is_none(), "it is paused still");
        heal(&mut bench, &mut faults, 0);
        bench.act(|shared, ctx| faults.unpark_all(shared, ctx));
        assert!(matches!(bench.next(), Some((_, Event::Arrive(A)))));
        assert!(matches!(bench.next(), Some((_, Event::Arrive(B)))));
    }
}
