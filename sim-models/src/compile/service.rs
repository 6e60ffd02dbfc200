//! Services: checked workers, queues, balancers and what makes work take longer.

use super::builder::Builder;
use super::place::Here;
use crate::language::{self, Balancer, Contention, Full, Queue};
use crate::plan::{
    ActorId, ActorKind, AutoscalePlan, EndpointId, JobPlan, QueueKind, ServicePlan, WaitPlan,
};
use crate::source::{advice, path_key};

/// Endless instances would eat memory before the first request.
const INSTANCES_MAX: u32 = 100_000;

/// More points make a ring no evener that anybody would notice.
const RING_POINTS_MAX: u32 = 10_000;

/// Points of all instances together: 16 bytes each, and sorted anew when an instance comes or goes.
const RING_MAX: u64 = 10_000_000;

/// More endpoints than anybody ranks. A place in the line's order has 16 bits.
const ORDER_MAX: usize = 1_000;

impl Builder<'_> {
    pub(super) fn service(
        &mut self,
        actor: ActorId,
        name: &str,
        service: &language::Service,
        here: &Here,
    ) -> ActorKind {
        let workers = here.field("workers");
        self.require(service.workers >= 1, &workers, service.workers, "at least 1");
        let classes = self.endpoints_of(actor, name, service, &here.field("queue"));
        for (job, plan) in &service.jobs {
            let place = here.field("jobs").field(&path_key(job));
            self.require(!plan.every.is_zero(), &place.field("every"), plan.every, "above zero");
            if service.endpoints.contains_key(job) {
                self.problem(&place, format!("`{name}` has an endpoint `{job}` too"), None);
            }
            let program = self.new_program(&format!("{name}.{job}"));
            let (on, every, from) = (plan.on, plan.every, plan.from);
            self.plan.jobs.push(JobPlan { actor, program, on, every, from });
        }
        self.service_caches(actor, service, &here.field("caches"));
        self.instances(service, here);
        self.hindrances(service, here);
        let (kind, limit, full) = self.queue_kind(&service.queue, &here.field("queue"));
        ActorKind::Service(ServicePlan {
            workers: service.workers,
            queue: WaitPlan { kind, limit, full, max_wait: service.max_wait, classes },
            admission: self.admission(&service.admission, &here.field("admission")),
            threads: service.threads,
            on_disconnect: service.on_disconnect,
            instances: service.instances,
            balancer: service.balancer,
            stale: service.stale,
            autoscale: service.autoscale.as_ref().map(|scale| AutoscalePlan {
                min: scale.min,
                max: scale.max,
                target_percent: (scale.target * 100.0).round() as u32,
                metric: scale.metric,
                workers: service.workers,
                every: scale.every,
                delay: scale.delay,
                down_after: scale.down_after,
            }),
            gc: service.gc,
            slow_start: service.slow_start,
            contention: service.contention,
        })
    }

    /// Gives each endpoint its program and its class in the queue; returns the number of classes.
    fn endpoints_of(
        &mut self,
        actor: ActorId,
        name: &str,
        service: &language::Service,
        here: &Here,
    ) -> u16 {
        let order: &[String] = match &service.queue {
            Queue::Priority { order, .. } => order,
            _ => &[],
        };
        let allowed = format!("at most {ORDER_MAX} endpoints");
        self.require(order.len() <= ORDER_MAX, &here.field("order"), order.len(), &allowed);
        let order = &order[..order.len().min(ORDER_MAX)];
        for (n, endpoint) in order.iter().enumerate() {
            let here = here.field("order").at(n);
            if !service.endpoints.contains_key(endpoint) {
                let help = advice(endpoint, service.endpoints.keys().map(String::as_str));
                self.problem(&here, format!("`{name}` has no endpoint `{endpoint}`"), help);
            } else if order[..n].contains(endpoint) {
                self.problem(&here, format!("`{endpoint}` is named twice"), None);
            }
        }
        for endpoint in service.endpoints.keys() {
            let program = self.new_program(&format!("{name}.{endpoint}"));
            let id = EndpointId::nth(self.plan.endpoints.len());
            self.plan.endpoints.push(program);
            let class = order.iter().position(|named| named == endpoint).unwrap_or(order.len());
            self.plan.classes.push(class as u16);
            self.endpoints.insert((actor, endpoint.clone()), id);
        }
        order.len() as u16 + 1
    }

    fn queue_kind(&mut self, queue: &Queue, here: &Here) -> (QueueKind, u32, Full) {
        let kind = self.queue_of(queue, here);
        if let (_, 0, Full::Block) = kind {
            let message =
                "a queue without places that blocks: whoever waits before it never gets in";
            let help = "give it a `limit` of at least 1, or write `full: Reject`".to_owned();
            self.problem(&here.field("limit"), message, Some(help));
        }
        kind
    }

    fn queue_of(&mut self, queue: &Queue, here: &Here) -> (QueueKind, u32, Full) {
        match *queue {
            Queue::Fifo { limit, full } => (QueueKind::Fifo, limit, full),
            Queue::Lifo { limit, full } => (QueueKind::Lifo, limit, full),
            Queue::AdaptiveLifo { limit, above, full } => {
                self.require(above < limit, &here.field("above"), above, "less than `limit`");
                (QueueKind::AdaptiveLifo { above }, limit, full)
            }
            Queue::Priority { limit, .. } => (QueueKind::Priority, limit, Full::Reject),
            Queue::Codel { limit, target, interval, full } => {
                self.require(!target.is_zero(), &here.field("target"), target, "above zero");
                let place = here.field("interval");
                self.require(interval >= target, &place, interval, "at least `target`");
                (QueueKind::Codel { target, interval }, limit, full)
            }
        }
    }

    fn instances(&mut self, service: &language::Service, here: &Here) {
        let count = service.instances;
        let allowed = format!("from 1 to {INSTANCES_MAX}");
        let ok = (1..=INSTANCES_MAX).contains(&count);
        self.require(ok, &here.field("instances"), count, &allowed);
        let most = service.autoscale.as_ref().map_or(count, |scale| scale.max.max(count));
        let all = u64::from(service.workers) * u64::from(most);
        let allowed = format!("few enough that {most} instances have at most {}", u32::MAX);
        let ok = u32::try_from(all).is_ok();
        self.require(ok, &here.field("workers"), service.workers, &allowed);
        let balancer = here.field("balancer");
        match service.balancer {
            Balancer::Choices(d) => {
                let allowed =
                    format!("from 1 to {INSTANCES_MAX}, as many as there can be instances");
                self.require((1..=INSTANCES_MAX).contains(&d), &balancer, d, &allowed);
            }
            Balancer::RingHash { points } => {
                let allowed = format!("from 1 to {RING_POINTS_MAX}");
                let ok = (1..=RING_POINTS_MAX).contains(&points);
                self.require(ok, &balancer.field("points"), points, &allowed);
                let all = u64::from(points) * u64::from(most);
                let allowed = format!("few enough that {most} instances have at most {RING_MAX}");
                self.require(all <= RING_MAX, &balancer.field("points"), points, &allowed);
            }
            Balancer::RoundRobin | Balancer::Random | Balancer::LeastRequest => {}
        }
        let Some(scale) = &service.autoscale else { return };
        let here = here.field("autoscale");
        let ok = scale.min >= 1 && scale.min <= count;
        let allowed = format!("from 1 to `instances`, {count}");
        self.require(ok, &here.field("min"), scale.min, &allowed);
        let ok = scale.max >= count && scale.max <= INSTANCES_MAX;
        let allowed = format!("from `instances`, {count}, to {INSTANCES_MAX}");
        self.require(ok, &here.field("max"), scale.max, &allowed);
        let ok = (0.01..=1.0).contains(&scale.target);
        self.require(ok, &here.field("target"), scale.target, "from 0.01 to 1");
        self.require(!scale.every.is_zero(), &here.field("every"), scale.every, "above zero");
    }

    /// What makes work take longer.
    fn hindrances(&mut self, service: &language::Service, here: &Here) {
        if let Some(gc) = service.gc {
            let here = here.field("gc");
            self.require(gc.after >= 1, &here.field("after"), gc.after, "at least 1");
            if gc.pause.is_zero() && gc.per_request.is_zero() {
                let help = "give it a `pause`, or a pause `per_request`".to_owned();
                self.problem(&here, "a collection that takes no time", Some(help));
            }
        }
        if let Some(slow) = service.slow_start {
            let place = here.field("slow_start").field("factor");
            let ok = slow.factor.is_finite() && slow.factor >= 1.0;
            self.require(ok, &place, slow.factor, "a finite number of at least 1");
        }
        if let Some(Contention::Usl { sigma, kappa }) = service.contention {
            let here = here.field("contention");
            for (name, value) in [("sigma", sigma), ("kappa", kappa)] {
                let ok = value.is_finite() && value >= 0.0;
                self.require(ok, &here.field(name), value, "a finite number of at least 0");
            }
        }
    }
}
