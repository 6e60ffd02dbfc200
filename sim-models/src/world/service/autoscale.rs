//! What an autoscaler does with its service: it looks, starts instances, and takes some out.

use std::cmp::Ordering;

use sim_core::{Span, Time};

use super::admission::Admission;
use super::instance::{Instance, InstanceState};
use super::{ServiceState, Services};
use crate::log::Note;
use crate::outcome::ResourceEvent;
use crate::plan::ActorId;
use crate::world::shared::Shared;
use crate::world::{Ctx, Event};

impl Services {
    /// The autoscaler looks. Only a vacant instance, where nothing runs any more, gives its place to
    /// a new one.
    pub(in crate::world) fn scale(
        &mut self,
        actor: ActorId,
        is_vacant: impl Fn(u32) -> bool,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let service = &mut self.by_actor[actor];
        let (Some(plan), Some(scaling)) = (service.plan.autoscale, &mut service.scaling) else {
            return;
        };
        ctx.schedule_after(plan.every, Event::Scale(actor));
        let is_meant = |own: &Instance| {
            matches!(own.state, InstanceState::Up | InstanceState::Starting { .. })
        };
        let count = service.instances.iter().filter(|own| is_meant(own)).count() as u32;
        let looked = scaling.decide(&plan, count, ctx.now());
        let wanted = looked.wanted;
        match wanted.cmp(&count) {
            Ordering::Equal => return,
            Ordering::Greater => {
                for _ in count..wanted {
                    let until = ctx.now() + plan.delay;
                    let instance = service.start_instance(until, &is_vacant);
                    ctx.schedule_at(until, Event::Started { actor, instance });
                }
            }
            Ordering::Less => {
                // The youngest go first, and what they have begun they end.
                let youngest = service.instances.iter_mut().rev().filter(|own| is_meant(own));
                for own in youngest.take((count - wanted) as usize) {
                    own.state = InstanceState::Stopping;
                }
                service.roll_call(&shared.conditions[actor.index()]);
                service.report(actor, shared, ctx.now());
            }
        }
        let (started, stopped) = (wanted.saturating_sub(count), count.saturating_sub(wanted));
        shared.metrics.happened_at(actor, ResourceEvent::Started, started.into());
        shared.metrics.happened_at(actor, ResourceEvent::Stopped, stopped.into());
        shared.note(Note::Scaled { actor, from: count, looked }, ctx);
    }

    /// A task of a service begins to work.
    pub(in crate::world) fn works(&mut self, actor: ActorId, length: Span, now: Time) {
        if let Some(scaling) = self.by_actor.get_mut(actor).and_then(|own| own.scaling.as_mut()) {
            scaling.works(now, now + length);
        }
    }

    /// An instance's start is over, unless it is no longer wanted, or was called off and began
    /// anew; whether it is up.
    pub(in crate::world) fn started(
        &mut self,
        actor: ActorId,
        instance: u32,
        shared: &mut Shared,
        now: Time,
    ) -> bool {
        let service = &mut self.by_actor[actor];
        let own = &mut service.instances[instance as usize];
        let is_started = own.state == (InstanceState::Starting { until: now });
        if is_started {
            own.admission = Admission::of_instance(&service.plan.admission);
            own.come_up(now);
            service.roll_call(&shared.conditions[actor.index()]);
            self.caches.flush(&shared.plan, actor, Some(instance));
            service.report(actor, shared, now);
        }
        is_started
    }
}

impl ServiceState {
    /// Starts an instance, in the place of one that has stopped if there is one.
    pub(super) fn start_instance(&mut self, until: Time, is_vacant: impl Fn(u32) -> bool) -> u32 {
        let has_stopped = |(n, own): (usize, &Instance)| {
            own.state == InstanceState::Stopping && own.requests() == 0 && is_vacant(n as u32)
        };
        let stopped = self.instances.iter().enumerate().position(has_stopped);
        let n = stopped.unwrap_or_else(|| {
            self.instances.push(Instance::new(&self.plan, InstanceState::Starting { until }));
            self.instances.len() - 1
        });
        self.instances[n].state = InstanceState::Starting { until };
        n as u32
    }
}
