//! The books of each service at an instant: counted anew from what is there, so that they prove
//! the running totals that metrics and charts are made of.

use crate::outcome::ServiceBooks;
use crate::plan::ActorId;
use crate::world::World;
use crate::world::service::{Instance, InstanceState, ServiceState};
use crate::world::task::{Origin, Task};

impl World {
    /// The books of all services, by name.
    pub(crate) fn books(&self) -> Vec<ServiceBooks> {
        self.services.by_actor.iter().map(|(id, service)| self.books_of(id, service)).collect()
    }

    fn books_of(&self, actor: ActorId, service: &ServiceState) -> ServiceBooks {
        let tasks = || self.tasks.iter().filter(|task| task.actor == actor);
        let has_request = |task: &&Task| matches!(task.origin, Origin::Request(Some(_)));
        let instances = service.instances.iter();
        let idles = |own: &&Instance| own.line.requests() > 0 && own.busy < service.plan.workers;
        let (arrived, ended) = self.shared.metrics.arrived_and_ended(actor);
        ServiceBooks {
            name: self.shared.plan.actor_name(actor).to_owned(),
            arrived,
            ended,
            waiting: instances.clone().map(|own| u64::from(own.line.requests())).sum(),
            in_service: tasks().filter(has_request).count() as u64,
            busy: tasks().filter(|task| task.holds_worker).count() as u64,
            busy_told: service.level.busy.into(),
            waiting_told: service.level.waiting.into(),
            idle_beside_work: instances.clone().filter(idles).count() as u64,
            crashed: self.shared.conditions[actor.index()].crashed
                || instances.clone().all(|own| own.state == InstanceState::Crashed),
        }
    }
}
