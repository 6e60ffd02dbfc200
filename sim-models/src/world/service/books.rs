//! The books of each service at an instant: counted anew from what is there, so that they prove
//! the running totals that metrics and charts are made of.

use super::instance::Instance;
use super::{ServiceState, Services};
use crate::outcome::ServiceBooks;
use crate::plan::ActorId;
use crate::world::shared::Shared;

/// What the tasks of a service have, counted.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Held {
    /// Requests that are not answered.
    pub(in crate::world) requests: u64,
    pub(in crate::world) workers: u64,
}

impl Services {
    /// The books of all services, by name.
    pub(in crate::world) fn books(
        &self,
        held: impl Fn(ActorId) -> Held,
        shared: &Shared,
    ) -> Vec<ServiceBooks> {
        self.by_actor.iter().map(|(id, service)| service.books(id, held(id), shared)).collect()
    }
}

impl ServiceState {
    fn books(&self, actor: ActorId, held: Held, shared: &Shared) -> ServiceBooks {
        let instances = self.instances.iter();
        let idles = |own: &&Instance| own.line.requests() > 0 && own.busy < self.plan.workers;
        let (arrived, ended) = shared.metrics.arrived_and_ended(actor);
        let condition = &shared.conditions[actor.index()];
        ServiceBooks {
            name: shared.plan.actor_name(actor).to_owned(),
            arrived,
            ended,
            waiting: instances.clone().map(|own| u64::from(own.waiting())).sum(),
            in_service: held.requests,
            busy: held.workers,
            busy_told: self.level.busy.into(),
            waiting_told: self.level.waiting.into(),
            idle_beside_work: instances.clone().filter(idles).count() as u64,
            crashed: (0..).zip(instances).all(|(n, _)| condition.is_dead(n)),
        }
    }
}
