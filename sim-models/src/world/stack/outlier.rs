//! Outlier detection: chooses among endpoints, and leaves out those that fail.

use sim_core::{Draw, Time, mix};
use sim_policies::Reason;
use sim_policies::outlier::{Ejection, Outlier};

use super::{HangUp, Kind, Own, Say, Stack, Then, Verbs, Walk, checked};
use crate::log::Note;
use crate::metrics::Amount;
use crate::outcome::{Quantity, ResourceEvent};
use crate::plan::{LayerPlace, OutlierId, OutlierPlan};
use crate::world::network::Answer;
use crate::world::{Ctx, Event, Shared, of_instance};

/// The endpoint that was chosen for the call.
#[derive(Debug)]
pub(super) struct Held {
    host: u32,
}

/// Outlier detection with its timer.
#[derive(Debug)]
pub(super) struct Remembered {
    machine: Outlier,
    /// When it looks at its endpoints.
    sweep: Option<Time>,
}

impl Verbs for Held {
    type Plan = OutlierPlan;
    type Memory = Remembered;

    fn fresh(plan: &OutlierPlan) -> Remembered {
        let hosts = u32::try_from(plan.hosts.len()).expect("hosts are written one by one");
        Remembered { machine: checked(Outlier::new(&plan.config, hosts)), sweep: None }
    }

    /// A sweep that is due finds a machine that does not want to be woken.
    fn renew(outlier: &mut Remembered, plan: &OutlierPlan) {
        outlier.machine = Held::fresh(plan).machine;
    }

    fn levels(outlier: &mut Remembered, _now: Time, say: Say<'_>) {
        say(Quantity::Ejected, Amount::of(outlier.machine.ejected()));
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let draw = at.shared.luck.host.at(at.draw_index()).next_u64();
        let machine = &mut at.own::<Held>().memory.machine;
        let panics = machine.is_in_panic();
        let Some(host) = machine.pick(draw) else {
            return Then::Refused(Reason::AllEjected);
        };
        if panics {
            at.count(ResourceEvent::Panicked);
        }
        let site = &at.shared.plan.sites[at.the_call().site.index()];
        let chosen = site.instead(at.n, host as usize);
        at.the_call_mut().host = Some(chosen);
        at.stack.count_at(at.call, chosen, at.shared, at.ctx.now());
        Then::Down(Held { host }.into())
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let mut ejections = Vec::new();
        let instance = at.instance();
        let Own { plan, memory: outlier, shared, ctx } = at.own::<Held>();
        outlier.machine.record(self.host, ctx.now(), answer.ending, &mut ejections);
        outlier.report((plan.id, instance), ejections, shared, ctx);
        Then::Up(answer)
    }

    fn let_go(self, _: &mut Walk<'_>) -> Option<HangUp> {
        None
    }
}

impl Remembered {
    /// Takes note of who is in and out, and sees to it that the next sweep takes place; while
    /// nothing happens there is none.
    fn report(
        &mut self,
        which: (OutlierId, u32),
        ejections: Vec<Ejection>,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let (outlier, instance) = which;
        for ejection in ejections {
            let (host, out) = match ejection {
                Ejection::Ejected { host, .. } => (host, 1),
                Ejection::Returned { host } => (host, 0),
            };
            ctx.observe(mix(of_instance(outlier.0, instance), u64::from(host) << 1 | out));
            shared.note(Note::Ejection { outlier, instance, ejection }, ctx);
            let LayerPlace { stack, layer } = shared.plan.outliers[outlier.index()];
            if let Some(id) = shared.metrics.layer(stack, layer) {
                let event = if out == 1 { ResourceEvent::Ejected } else { ResourceEvent::Returned };
                shared.metrics.happened(id, event, 1);
                let level = Amount::of(self.machine.ejected());
                shared.metrics.set_of((id, instance), Quantity::Ejected, level, ctx.now());
            }
        }
        if self.sweep.is_none()
            && let Some(at) = self.machine.wakes_at()
        {
            let at = at.max(ctx.now());
            self.sweep = Some(at);
            ctx.schedule_at(at, Event::Sweep { outlier, instance });
        }
    }
}

impl Stack {
    /// The interval at which ejections are reconsidered is over.
    pub(in crate::world) fn sweep(
        &mut self,
        which: (OutlierId, u32),
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let (now, (id, instance)) = (ctx.now(), which);
        let draws = shared.luck.sweep.at(mix(of_instance(id.0, instance), now.as_nanos()));
        let draw = { draws }.next_u64();
        let mut ejections = Vec::new();
        let place = self.plan.outliers[id.index()];
        let outlier = Held::memory(self.kept.of(&self.plan, place, instance));
        outlier.sweep = None;
        if outlier.machine.wakes_at().is_some_and(|at| at <= now) {
            outlier.machine.wake(now, draw, &mut ejections);
        }
        outlier.report(which, ejections, shared, ctx);
    }
}
