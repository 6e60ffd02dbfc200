//! A breaker: refuses calls while their callee fails.

use sim_core::{Draw, Handle, Time, mix};
use sim_policies::breaker::{Admission, Breaker, Change, Machine, Permit, StateName, Verdict};

use super::{
    HangUp, Kind, Leaves, Own, Stack, Then, Verbs, Walk, Woken, checked, nothing_comes_up,
};
use crate::invariant::Seen;
use crate::log::{Note, Wait};
use crate::plan::{BreakerId, BreakerPlan, LayerPlace};
use crate::world::ids::CallId;
use crate::world::network::Answer;
use crate::world::{Ctx, Event, Shared, of_instance};

/// What a call has of its breaker.
#[derive(Debug)]
pub(super) enum Held {
    Inside(Permit),
    /// Waits for the end of a test.
    Parked,
}

/// A breaker with what waits for it.
#[derive(Debug)]
pub(super) struct Remembered {
    machine: Breaker,
    /// When it acts on its own.
    timer: Option<(Time, Handle)>,
    /// Calls that wait for the end of another, with that one's tag, in the order they came.
    parked: Vec<(CallId, u64)>,
    /// Room for what the machine reports; empty between uses.
    changes: Vec<Change>,
}

impl Verbs for Held {
    type Plan = BreakerPlan;
    type Memory = Box<Remembered>;

    fn fresh(plan: &BreakerPlan) -> Box<Remembered> {
        let machine = checked(Breaker::new(&plan.config));
        Box::new(Remembered { machine, timer: None, parked: Vec::new(), changes: Vec::new() })
    }

    /// The timer stays: it finds a machine that does not want to be woken.
    fn renew(breaker: &mut Box<Remembered>, plan: &BreakerPlan) {
        breaker.machine = checked(Breaker::new(&plan.config));
        breaker.parked.clear();
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let call = at.call;
        let instance = at.instance();
        let Own { plan, memory: breaker, shared, ctx } = at.own::<Held>();
        let admission = breaker.machine.admit(ctx.now(), &mut breaker.changes);
        let is_test = breaker.machine.state() == StateName::HalfOpen;
        if let (Admission::Parked, Some(on)) = (&admission, breaker.machine.parked_on()) {
            breaker.parked.push((call, on));
        }
        breaker.report((plan.id, instance), shared, ctx);
        match admission {
            Admission::Admitted(permit) => {
                if is_test {
                    let (intent, pair) = at.whose();
                    at.shared.note(Note::Tests { intent, pair }, at.ctx);
                }
                Then::Down(Held::Inside(permit).into())
            }
            Admission::Refused(reason) => Then::Refused(reason),
            Admission::Parked => {
                at.note_wait(Wait::Test, None);
                Then::Stays(Held::Parked.into())
            }
        }
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let Held::Inside(permit) = self else { nothing_comes_up() };
        let verdict = at.own::<Held>().plan.verdict(answer.ending);
        settle(permit, verdict, at);
        Then::Up(answer)
    }

    /// Asks again.
    fn woken(self, at: &mut Walk<'_>) -> Then {
        match self {
            Held::Parked => Held::enter(at),
            Held::Inside(_) => Then::Stays(self.into()),
        }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        if let Held::Inside(permit) = self {
            // Who is dead counts nothing.
            let verdict = match at.leaves {
                Leaves::Cancels => at.own::<Held>().plan.cancelled(),
                Leaves::Dies => Verdict::Cancelled,
            };
            settle(permit, verdict, at);
        }
        None
    }
}

/// Gives a permit back.
fn settle(permit: Permit, verdict: Verdict, at: &mut Walk<'_>) {
    let permit = match verdict {
        Verdict::Failure => permit.with_draw(at.shared.luck.open.at(at.draw_index()).next_u64()),
        _ => permit,
    };
    let instance = at.instance();
    let Own { plan, memory: breaker, shared, ctx } = at.own::<Held>();
    let ended = permit.tag();
    breaker.machine.settle(permit, ctx.now(), verdict, &mut breaker.changes);
    breaker.report((plan.id, instance), shared, ctx);
    if breaker.parked.is_empty() {
        return;
    }
    // Who was parked on this call asks again; whoever has gone meanwhile is not found, or waits
    // for nothing.
    let awake: Vec<_> = breaker.parked.extract_if(.., |(_, on)| *on == ended).collect();
    let layer = at.n as u8;
    at.stack.woken.extend(awake.into_iter().map(|(call, _)| Woken { call, layer }));
}

impl Remembered {
    /// Takes note of what the machine reports, and of when it will act on its own.
    fn report(&mut self, which: (BreakerId, u32), shared: &mut Shared, ctx: &mut Ctx) {
        let (breaker, instance) = which;
        for change in self.changes.drain(..) {
            if let Change::Transition(transition) = change {
                ctx.observe(mix(of_instance(breaker.0, instance), transition.to as u64));
                shared.metrics.transition(which, transition, ctx.now());
                if let Some(lineage) = &mut shared.lineage {
                    lineage.turn(which, transition.to);
                }
                shared.show(Seen::Transition { breaker: which, transition }, ctx);
                shared.note(Note::Transition { breaker, instance, transition }, ctx);
            }
        }
        let wakes_at = self.machine.wakes_at();
        if self.timer.map(|(at, _)| at) != wakes_at {
            if let Some((_, handle)) = self.timer.take() {
                ctx.cancel(handle);
            }
            self.timer = wakes_at.map(|at| {
                let at = at.max(ctx.now());
                let handle = ctx.schedule_at(at, Event::WakeBreaker { breaker, instance });
                shared.arm(None, at, handle, ctx);
                (at, handle)
            });
        }
    }
}

impl Stack {
    /// How many instances of its caller have a breaker.
    pub(in crate::world) fn breakers(&self, id: BreakerId) -> u32 {
        let LayerPlace { stack, layer } = self.plan.breakers[id.index()];
        let is_shared = self.plan.stacks[stack.index()].shared[layer];
        if is_shared { 1 } else { self.kept.instances(stack) }
    }

    /// A breaker acts on its own.
    pub(in crate::world) fn wake_breaker(
        &mut self,
        which: (BreakerId, u32),
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let (id, instance) = which;
        let place = self.plan.breakers[id.index()];
        let breaker = Held::memory(self.kept.of(&self.plan, place, instance));
        breaker.timer = None;
        if breaker.machine.wakes_at().is_some_and(|at| at <= ctx.now()) {
            breaker.machine.wake(ctx.now(), &mut breaker.changes);
        }
        breaker.report(which, shared, ctx);
    }
}
