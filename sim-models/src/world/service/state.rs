//! A service's own state: its instances, its door, and how busy it is.

use sim_core::{Time, mix};
use sim_policies::Ending;
use sim_policies::concurrency::Sample;

use super::admission::Admission;
use super::balancer::Balancer;
use super::instance::{Instance, InstanceState};
use super::scaling::Scaling;
use crate::metrics::Level;
use crate::plan::{ActorId, Balancer as Algorithm, ServicePlan};
use crate::world::condition::Condition;
use crate::world::ids::RequestId;
use crate::world::network::Request;
use crate::world::shared::Shared;

/// A service's own state.
#[derive(Debug)]
pub(in crate::world) struct ServiceState {
    pub(super) plan: ServicePlan,
    /// What all instances share.
    admission: Admission,
    pub(super) instances: Vec<Instance>,
    balancer: Balancer,
    /// Over all instances.
    pub(super) level: Level,
    /// Instances whose level has changed since the last report.
    touched: Vec<u32>,
    /// Somebody looks at each instance.
    is_watched: bool,
    pub(super) scaling: Option<Scaling>,
}

impl ServiceState {
    pub(super) fn new(service: ServicePlan, is_watched: bool) -> ServiceState {
        let up = |_| Instance::new(&service, InstanceState::Up);
        let mut state = ServiceState {
            admission: Admission::shared(&service.admission),
            instances: (0..service.instances).map(up).collect(),
            balancer: Balancer::new(service.balancer, service.stale),
            level: Level::default(),
            touched: Vec::new(),
            is_watched,
            scaling: service.autoscale.map(|_| Scaling::default()),
            plan: service,
        };
        state.roll_call(&Condition::default());
        state
    }

    /// Tells the balancer who is up, and counts their workers.
    pub(super) fn roll_call(&mut self, condition: &Condition) {
        let is_up = |(n, instance): &(u32, &Instance)| {
            instance.state == InstanceState::Up && !condition.is_dead(*n)
        };
        let up: Vec<u32> = (0..).zip(&self.instances).filter(is_up).map(|(n, _)| n).collect();
        self.level.up = up.len() as u32;
        self.level.workers = self.level.up * self.plan.workers;
        self.balancer.set_up(up);
        self.touch_all();
    }

    /// The level of an instance changes.
    pub(super) fn touch(&mut self, instance: u32) {
        if self.is_watched {
            self.touched.push(instance);
        }
    }

    /// The levels of all instances change.
    pub(super) fn touch_all(&mut self) {
        (0..self.instances.len() as u32).for_each(|n| self.touch(n));
    }

    /// Says how many workers are busy and how many requests wait.
    pub(super) fn report(&mut self, actor: ActorId, shared: &mut Shared, now: Time) {
        if let Some(scaling) = &mut self.scaling {
            scaling.note(self.level, now);
        }
        shared.metrics.level(actor, self.level, now);
        let door = shared.metrics.door(actor);
        self.admission.report(door, 0, &mut shared.metrics, now);
        for n in self.touched.drain(..) {
            let own = &self.instances[n as usize];
            let up = self.balancer.is_up(n).into();
            let workers = up * self.plan.workers;
            let level = Level { workers, busy: own.busy, waiting: own.waiting(), up };
            shared.metrics.level_of_instance((actor, n), level, now);
            own.admission.report(door, n, &mut shared.metrics, now);
        }
    }

    pub(super) fn is_busy(&self, instance: u32) -> bool {
        self.instances[instance as usize].busy >= self.plan.workers
    }

    pub(super) fn take_worker(&mut self, instance: u32) {
        self.instances[instance as usize].busy += 1;
        self.level.busy += 1;
        self.touch(instance);
    }

    /// Lets a request in at an instance.
    ///
    /// # Errors
    /// With what it is answered instead.
    pub(super) fn admit(&mut self, id: RequestId, instance: u32, now: Time) -> Result<(), Ending> {
        let own = &mut self.instances[instance as usize].admission;
        self.admission.let_in(now)?;
        own.let_in(now)?;
        // Each limit is either the instance's own or shared, so that nothing is given back here.
        self.admission.hold(id, now)?;
        own.hold(id, now)
    }

    /// A request has its answer: what it held is given back. `draw` is asked for only then.
    pub(super) fn settle(
        &mut self,
        id: RequestId,
        instance: u32,
        sample: Sample,
        now: Time,
        draw: impl Fn() -> u64,
    ) {
        self.instances[instance as usize].admission.leave(id, sample, now, &draw);
        self.admission.leave(id, sample, now, &draw);
    }

    /// The instance that a request goes to, if one is up.
    pub(super) fn balance(&mut self, request: &Request, shared: &Shared, now: Time) -> Option<u32> {
        let Request { key, lineage, .. } = *request;
        let mut draws = shared.luck.balance.at(lineage);
        let hash = match self.plan.balancer {
            Algorithm::RingHash { .. } => mix(shared.texts.fingerprint(key), 0),
            _ => 0,
        };
        let load = |n: u32| self.instances[n as usize].requests();
        self.balancer.pick(hash, now, &mut draws, load)
    }

    /// The instances that take requests.
    pub(super) fn up(&self) -> &[u32] {
        self.balancer.up()
    }

    /// Starts what a fault had brought down, unless another one holds it down.
    pub(super) fn restart(&mut self, only: Option<u32>, condition: &Condition, now: Time) {
        for (n, own) in (0..).zip(&mut self.instances) {
            if only.is_none_or(|only| only == n)
                && !condition.is_dead(n)
                && own.state == InstanceState::Up
            {
                own.come_up(now);
            }
        }
        self.roll_call(condition);
    }
}
