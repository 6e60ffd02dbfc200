//! The books of each service at an instant: counted anew from what is there, so that they prove
//! the running totals that metrics and charts are made of.

use super::service::InstanceState;
use super::task::Origin;
use super::{Actor, World};
use crate::outcome::ServiceBooks;
use crate::plan::ActorId;

impl World {
    /// The books of all services, by name.
    pub(crate) fn books(&self) -> Vec<ServiceBooks> {
        (0..self.actors.len()).filter_map(|n| self.books_of(ActorId::nth(n))).collect()
    }

    fn books_of(&self, actor: ActorId) -> Option<ServiceBooks> {
        let Actor::Service(service) = &self.actors[actor.index()] else { return None };
        let tasks = || self.tasks.iter().filter(|task| task.actor == actor);
        let has_request = |task: &&super::Task| matches!(task.origin, Origin::Request(Some(_)));
        let instances = service.instances.iter();
        let idles = |own: &&super::service::Instance| {
            own.line.requests() > 0 && own.busy < service.plan.workers
        };
        let (arrived, ended) = self.metrics.arrived_and_ended(actor);
        Some(ServiceBooks {
            name: self.plan.actor_name(actor).to_owned(),
            arrived,
            ended,
            waiting: instances.clone().map(|own| u64::from(own.line.requests())).sum(),
            in_service: tasks().filter(has_request).count() as u64,
            busy: tasks().filter(|task| task.holds_worker).count() as u64,
            busy_told: service.level.busy.into(),
            waiting_told: service.level.waiting.into(),
            idle_beside_work: instances.clone().filter(idles).count() as u64,
            crashed: self.conditions[actor.index()].crashed
                || instances.clone().all(|own| own.state == InstanceState::Crashed),
        })
    }
}
