//! Services: instances behind a balancer, each with workers and a line, and what a crash takes.
//!
//! A request is given its instance when it arrives, and stays there; so does everything that its
//! program starts. What makes work take longer (contention, a slow start, a garbage collection) is
//! asked for when the work begins; a collection that comes later makes it longer by its pause.

mod admission;
mod autoscale;
mod balancer;
mod books;
mod cache;
mod instance;
mod job;
mod line;
mod scaling;
mod seat;
mod state;

use sim_core::{Draw, Span, Time};
use sim_policies::Ending;
use sim_policies::concurrency::Sample;

use crate::log::Note;
use crate::outcome::ResourceEvent;
use crate::plan::{ActorId, ActorKind, JobId, OnDisconnect, Plan, Threads};
use crate::world::ids::{RequestId, TaskId};
use crate::world::network::{Payload, Request};
use crate::world::shared::{ByActor, Shared};
use crate::world::{Ctx, Event, nth};

use admission::Admission;
pub(in crate::world) use books::Held;
use cache::Caches;
pub(in crate::world) use cache::{Landed, Look, Wanted};
pub(in crate::world) use job::JobRun;
use job::Jobs;
use line::{Joined, Next, Waiting};
pub(in crate::world) use seat::Seat;
use state::ServiceState;

/// What happens to a request that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::world) enum Arrived {
    /// A worker was taken for it.
    Begins,
    Waits,
    /// This one is turned away: it, or one that lost its place to it.
    Away(RequestId, Ending),
}

/// Who gets a worker that has come free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::world) enum Turn {
    /// A task that wants to go on, if it is still there.
    Task(TaskId),
    /// A request, unless it is no longer to be served.
    Request { id: RequestId, is_dropped: bool },
}

/// Every service, what its instances remember, and what it runs on its own.
#[derive(Debug)]
pub(in crate::world) struct Services {
    by_actor: ByActor<ServiceState>,
    pub(in crate::world) caches: Caches,
    pub(in crate::world) jobs: Jobs,
}

/// What a request goes through.
impl Services {
    /// The balancer gives a request its instance; false when none is up.
    pub(in crate::world) fn place(
        &mut self,
        request: &mut Request,
        shared: &Shared,
        now: Time,
    ) -> bool {
        let instance = match request.aimed {
            Some(own) => Some(own).filter(|own| self.by_actor[request.to].up().contains(own)),
            None => self.by_actor[request.to].balance(request, shared, now),
        };
        (request.placed, request.instance) = (instance.is_some(), instance.unwrap_or(0));
        request.placed
    }

    /// A request stands before its instance, as one that no process has accepted yet.
    pub(in crate::world) fn stand_outside(
        &mut self,
        request: &mut Request,
        shared: &mut Shared,
        now: Time,
    ) {
        request.stands_outside = true;
        let service = &mut self.by_actor[request.to];
        service.instances[request.instance as usize].outside += 1;
        service.level.waiting += 1;
        service.touch(request.instance);
        service.report(request.to, shared, now);
    }

    /// A request that stood before its instance does so no more; whether it did.
    pub(in crate::world) fn step_in(
        &mut self,
        request: &mut Request,
        shared: &mut Shared,
        now: Time,
    ) -> bool {
        let has_stood = std::mem::take(&mut request.stands_outside);
        if has_stood {
            let service = &mut self.by_actor[request.to];
            service.instances[request.instance as usize].outside -= 1;
            service.level.waiting -= 1;
            service.touch(request.instance);
            service.report(request.to, shared, now);
        }
        has_stood
    }

    /// One request more, or one less, hangs at its instance.
    pub(in crate::world) fn hangs(&mut self, request: &Request, more: i32) {
        let Some(service) = self.by_actor.get_mut(request.to) else { return };
        let own = &mut service.instances[request.instance as usize];
        own.hung = own.hung.saturating_add_signed(more);
    }

    /// A request at its instance asks for a worker.
    pub(in crate::world) fn arrive(
        &mut self,
        id: RequestId,
        request: &Request,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Arrived {
        if is_too_late(request, shared, ctx) {
            return Arrived::Away(id, TOO_LATE);
        }
        let (actor, now) = (request.to, ctx.now());
        let instance = request.instance;
        let at = (actor, Some(instance));
        let service = &mut self.by_actor[actor];
        let admitted = service.admit(id, instance, now);
        shared.metrics.let_in(actor, admitted.err());
        if let Err(ending) = admitted {
            shared.metrics.not_admitted(at);
            return Arrived::Away(id, ending);
        }
        if !service.is_busy(instance) {
            service.take_worker(instance);
            service.report(actor, shared, now);
            return Arrived::Begins;
        }
        let Payload::Endpoint(endpoint) = request.payload else {
            unreachable!("services are called at endpoints")
        };
        let class = shared.plan.classes[endpoint.index()];
        match service.instances[instance as usize].line.join(id, class, now) {
            Joined::Waits => {
                service.level.waiting += 1;
                service.touch(instance);
                shared.metrics.waited(at);
                service.report(actor, shared, now);
                Arrived::Waits
            }
            Joined::Displaced(other) => {
                shared.metrics.dropped(at);
                Arrived::Away(other, Ending::Status(503))
            }
            Joined::Full => {
                shared.metrics.queue_full(at);
                Arrived::Away(id, Ending::Status(503))
            }
        }
    }

    /// A worker begins with a request.
    pub(in crate::world) fn begin(&mut self, request: &Request, now: Time) {
        let ServiceState { plan, instances, .. } = &mut self.by_actor[request.to];
        instances[request.instance as usize].collect_garbage(plan, now);
    }

    /// Takes whoever is next out of the line of an instance that has a free worker.
    pub(in crate::world) fn next_in_line(
        &mut self,
        actor: ActorId,
        instance: u32,
        now: Time,
    ) -> Option<Turn> {
        let service = &mut self.by_actor[actor];
        let (id, is_dropped) = match service.instances[instance as usize].line.next(now)? {
            Next::Serve(Waiting::Task(task)) => return Some(Turn::Task(task)),
            Next::Serve(Waiting::Request(id)) => (id, false),
            Next::Drop(id) => (id, true),
        };
        service.level.waiting -= 1;
        service.touch(instance);
        Some(Turn::Request { id, is_dropped })
    }

    /// A request's turn has come: a worker is taken for it.
    ///
    /// # Errors
    /// With what it is answered instead.
    pub(in crate::world) fn serve(
        &mut self,
        request: &Request,
        is_dropped: bool,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Result<(), Ending> {
        if is_too_late(request, shared, ctx) {
            return Err(TOO_LATE);
        }
        if is_dropped {
            shared.metrics.dropped((request.to, request.at()));
            return Err(Ending::Status(503));
        }
        self.by_actor[request.to].take_worker(request.instance);
        Ok(())
    }

    /// A request that nobody has begun leaves the line; false when it does not wait.
    pub(in crate::world) fn leave_line(
        &mut self,
        id: RequestId,
        request: &Request,
        shared: &mut Shared,
        now: Time,
    ) -> bool {
        let service = &mut self.by_actor[request.to];
        let waited = service.instances[request.instance as usize].line.leave(id);
        if waited {
            service.level.waiting -= 1;
            service.touch(request.instance);
            service.report(request.to, shared, now);
        }
        waited
    }

    /// A request has its answer, or will have none: what it held of its service's limit is free.
    pub(in crate::world) fn settle(
        &mut self,
        id: RequestId,
        request: &Request,
        sample: Sample,
        shared: &Shared,
        now: Time,
    ) {
        let Request { to, lineage, .. } = *request;
        let Some(service) = self.by_actor.get_mut(to) else { return };
        let probe = || shared.luck.probe.at(nth(lineage, ADMISSION, 0)).next_u64();
        service.settle(id, request.instance, sample, now, probe);
    }

    /// Whether a service stops working for callers who no longer wait.
    pub(in crate::world) fn heeds_disconnects(&self, actor: ActorId) -> bool {
        let service = self.by_actor.get(actor);
        service.is_some_and(|service| service.plan.on_disconnect == OnDisconnect::Cancel)
    }
}

/// What a task has of its service. A client's tasks have nothing and need nothing.
impl Services {
    /// Whether a task may go on: it has a worker, or needs none, or has just got one. If not, it
    /// is put in line.
    pub(in crate::world) fn has_worker(
        &mut self,
        task: TaskId,
        actor: ActorId,
        seat: &mut Seat,
        shared: &mut Shared,
        now: Time,
    ) -> bool {
        let Some(service) = self.by_actor.get_mut(actor) else { return true };
        // The branches of a blocking service's task run on their parent's worker.
        if seat.has_worker() || service.plan.threads == Threads::Blocking {
            return true;
        }
        if service.is_busy(seat.instance) {
            service.instances[seat.instance as usize].line.join_task(task, now);
            return false;
        }
        service.take_worker(seat.instance);
        service.report(actor, shared, now);
        seat.take_worker(now);
        true
    }

    /// Whether a worker serves others while its task waits.
    pub(in crate::world) fn is_async(&self, actor: ActorId) -> bool {
        let service = self.by_actor.get(actor);
        service.is_some_and(|service| service.plan.threads == Threads::Async)
    }

    /// A task is done with its worker, if it has one; true when the next in line may have it.
    pub(in crate::world) fn free_worker(
        &mut self,
        actor: ActorId,
        seat: &mut Seat,
        now: Time,
    ) -> bool {
        if !seat.lose_worker(now) {
            return false;
        }
        let Some(service) = self.by_actor.get_mut(actor) else { return false };
        service.instances[seat.instance as usize].busy -= 1;
        service.level.busy -= 1;
        service.touch(seat.instance);
        true
    }

    /// Says how busy a service is.
    pub(in crate::world) fn report(&mut self, actor: ActorId, shared: &mut Shared, now: Time) {
        if let Some(service) = self.by_actor.get_mut(actor) {
            service.report(actor, shared, now);
        }
    }

    /// How long work takes that a task begins now.
    pub(in crate::world) fn length_of_work(
        &self,
        actor: ActorId,
        seat: &mut Seat,
        length: Span,
        shared: &Shared,
        now: Time,
    ) -> Span {
        let length = shared.conditions[actor.index()].slowed(seat.instance, length);
        let Some(service) = self.by_actor.get(actor) else { return length };
        if service.plan.is_plain() {
            return length;
        }
        let own = &service.instances[seat.instance as usize];
        // What it has stood still before is none of this work's business.
        seat.stood_still = own.stood_still;
        let stands_still = own.still_until.since(now.min(own.still_until));
        length * own.factor(&service.plan, now) + stands_still
    }

    /// How much longer a task's work takes, since its instance has stood still meanwhile.
    pub(in crate::world) fn hold_up(&self, actor: ActorId, seat: &mut Seat) -> Span {
        let Some(service) = self.by_actor.get(actor) else { return Span::ZERO };
        if service.plan.gc.is_none() || !seat.has_worker() {
            return Span::ZERO;
        }
        let stood_still = service.instances[seat.instance as usize].stood_still;
        let more = stood_still - seat.stood_still;
        seat.stood_still = stood_still;
        more
    }
}

/// How services come and go.
impl Services {
    pub(in crate::world) fn new(plan: &Plan) -> Services {
        let by_actor = ByActor::new(plan, |id| match &plan.actors[id.index()].kind {
            ActorKind::Service(service) => {
                let limits = &service.admission;
                let has_door = limits.rate.is_some() || limits.concurrency.is_some();
                let is_watched = has_door || plan.instances_apart(id) > 0;
                Some(ServiceState::new(service.clone(), is_watched))
            }
            _ => None,
        });
        Services { by_actor, caches: Caches::default(), jobs: Jobs::default() }
    }

    pub(in crate::world) fn start(&mut self, actor: ActorId, shared: &mut Shared, ctx: &mut Ctx) {
        let service = &mut self.by_actor[actor];
        service.report(actor, shared, ctx.now());
        if let Some(scale) = service.plan.autoscale {
            ctx.schedule_after(scale.every, Event::Scale(actor));
        }
    }

    pub(in crate::world) fn is_service(&self, actor: ActorId) -> bool {
        self.by_actor.get(actor).is_some()
    }

    /// A job's turn has come: the runs that begin.
    pub(in crate::world) fn turn(
        &mut self,
        job: JobId,
        is_running: impl Fn(TaskId) -> bool,
        shared: &Shared,
        ctx: &mut Ctx,
    ) -> Vec<JobRun> {
        let up = self.by_actor[shared.plan.jobs[job.index()].actor].up();
        self.jobs.turn(job, up, is_running, shared, ctx)
    }

    /// What a fault had brought down may be up again: one instance, or all.
    pub(in crate::world) fn restart(
        &mut self,
        actor: ActorId,
        only: Option<u32>,
        shared: &mut Shared,
        now: Time,
    ) {
        let service = &mut self.by_actor[actor];
        let up = service.level.up;
        service.restart(only, &shared.conditions[actor.index()], now);
        service.report(actor, shared, now);
        let back = service.level.up.saturating_sub(up);
        shared.metrics.happened_at(actor, ResourceEvent::Restarted, back.into());
    }

    /// The process dies, or one of its instances: nobody is worked for any more. The requests that
    /// waited, whose connections break.
    #[must_use]
    pub(in crate::world) fn crash(
        &mut self,
        actor: ActorId,
        only: Option<u32>,
        shared: &mut Shared,
    ) -> Vec<RequestId> {
        let service = &mut self.by_actor[actor];
        let (mut dispersed, up) = (Vec::new(), service.level.up);
        for (n, own) in (0..).zip(&mut service.instances) {
            if only.is_some_and(|only| only != n) {
                continue;
            }
            service.level.busy -= own.busy;
            service.level.waiting -= own.line.requests();
            (own.busy, own.begun, own.hung) = (0, 0, 0);
            dispersed.extend(own.line.disperse().into_iter().filter_map(|waiting| match waiting {
                Waiting::Request(request) => Some(request),
                Waiting::Task(_) => None,
            }));
        }
        service.roll_call(&shared.conditions[actor.index()]);
        service.touch_all();
        let died = up.saturating_sub(service.level.up);
        shared.metrics.happened_at(actor, ResourceEvent::Crashed, died.into());
        dispersed
    }

    /// What died remembers nothing, not even whom it had let in.
    pub(in crate::world) fn forget(&mut self, actor: ActorId, only: Option<u32>, plan: &Plan) {
        self.caches.crash(plan, actor, only);
        let ServiceState { plan, instances, .. } = &mut self.by_actor[actor];
        for (n, own) in (0..).zip(instances) {
            if only.is_none_or(|only| only == n) {
                own.admission = Admission::of_instance(&plan.admission);
            }
        }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.caches.memory_bytes()
    }
}

/// Tells the draws of a server's limit from those of its callers' policies.
const ADMISSION: u64 = 0xad;

/// The answer to a request whose deadline has passed: nobody waits for its work any more.
const TOO_LATE: Ending = Ending::Status(504);

fn is_too_late(request: &Request, shared: &mut Shared, ctx: &Ctx) -> bool {
    let Request { to, intent, deadline, .. } = *request;
    let is_too_late = deadline.is_some_and(|deadline| deadline <= ctx.now());
    if is_too_late {
        shared.metrics.too_late((to, request.at()));
        shared.note(Note::TooLate { intent, actor: to }, ctx);
    }
    is_too_late
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{
        AdmissionPlan, Balancer as Algorithm, Fault, Full, QueueKind, ServicePlan, WaitPlan,
    };
    use crate::pool::Pool;
    use crate::world::bench::{self, Bench};
    use crate::world::ids::RequestName;
    use crate::world::service::instance::{Instance, InstanceState};

    const API: ActorId = ActorId(0);

    fn plan(workers: u32, instances: u32) -> ServicePlan {
        ServicePlan {
            workers,
            queue: WaitPlan {
                kind: QueueKind::Fifo,
                limit: 2,
                full: Full::Reject,
                max_wait: None,
                classes: 1,
            },
            admission: AdmissionPlan::default(),
            threads: Threads::Blocking,
            on_disconnect: OnDisconnect::Ignore,
            instances,
            balancer: Algorithm::RoundRobin,
            stale: Span::ZERO,
            autoscale: None,
            gc: None,
            slow_start: None,
            contention: None,
        }
    }

    /// A service, the requests that have come to it, and the seats of those that have a worker.
    struct Shop {
        bench: Bench,
        services: Services,
        requests: Pool<Request, RequestName>,
    }

    impl Shop {
        fn new(plan: ServicePlan) -> Shop {
            let mut plan = bench::plan(vec![ActorKind::Service(plan)]);
            plan.classes = vec![0];
            let services = Services::new(&plan);
            Shop { bench: Bench::new(plan), services, requests: Pool::default() }
        }

        fn arrives(&mut self, deadline: Option<Time>) -> (RequestId, Arrived) {
            let Shop { bench, services, requests } = self;
            let (id, request) = requests.take();
            *request = Request { to: API, deadline, ..Request::default() };
            let arrived =
                bench.act(|shared, ctx| match services.place(request, shared, ctx.now()) {
                    true => services.arrive(id, request, shared, ctx),
                    false => Arrived::Away(id, Ending::Refused),
                });
            (id, arrived)
        }

        /// The worker of an instance is done with a task; who gets it.
        fn frees(&mut self, seat: &mut Seat) -> Option<Turn> {
            let Shop { bench, services, .. } = self;
            bench.act(|_, ctx| {
                assert!(services.free_worker(API, seat, ctx.now()));
                services.next_in_line(API, seat.instance, ctx.now())
            })
        }

        fn serve(&mut self, id: RequestId) -> Result<(), Ending> {
            let Shop { bench, services, requests } = self;
            bench.act(|shared, ctx| services.serve(&requests[id], false, shared, ctx))
        }

        /// An instance with a free worker beside somebody who waits for one.
        fn idles(&self) -> bool {
            let service = &self.services.by_actor[API];
            let busy: u32 = service.instances.iter().map(|own| own.busy).sum();
            assert_eq!(service.level.busy, busy);
            let idles = |own: &Instance| own.line.requests() > 0 && own.busy < service.plan.workers;
            service.instances.iter().any(idles)
        }
    }

    fn at_work() -> Seat {
        Seat::at_work(0, Time::ZERO)
    }

    #[test]
    fn a_worker_that_comes_free_is_given_to_the_next_in_line() {
        let mut shop = Shop::new(plan(1, 1));
        assert_eq!(shop.arrives(None).1, Arrived::Begins);
        let (second, waits) = shop.arrives(None);
        assert_eq!((waits, shop.arrives(None).1), (Arrived::Waits, Arrived::Waits));
        let (fourth, full) = shop.arrives(None);
        assert_eq!(full, Arrived::Away(fourth, Ending::Status(503)));
        let turn = shop.frees(&mut at_work());
        assert_eq!(turn, Some(Turn::Request { id: second, is_dropped: false }));
        assert_eq!(shop.serve(second), Ok(()));
        assert!(!shop.idles());
    }

    #[test]
    fn a_request_that_is_too_late_takes_no_worker_from_the_next() {
        let mut shop = Shop::new(plan(1, 1));
        assert_eq!(shop.arrives(None).1, Arrived::Begins);
        let (late, away) = shop.arrives(Some(Time::ZERO));
        assert_eq!(away, Arrived::Away(late, Ending::Status(504)));
        let soon = Time::ZERO + Span::secs(1);
        let (waits, _) = shop.arrives(Some(soon));
        shop.requests[waits].deadline = Some(Time::ZERO);
        assert_eq!(
            shop.frees(&mut at_work()),
            Some(Turn::Request { id: waits, is_dropped: false })
        );
        assert_eq!(shop.serve(waits), Err(Ending::Status(504)));
        assert_eq!(shop.services.by_actor[API].level.busy, 0);
    }

    #[test]
    fn a_dead_instance_gets_nothing_until_it_is_up_again() {
        let mut shop = Shop::new(plan(1, 1));
        assert_eq!(shop.arrives(None).1, Arrived::Begins);
        let (waiting, _) = shop.arrives(None);
        let Shop { bench, services, .. } = &mut shop;
        bench.shared.conditions.impose(Fault::Crash { actor: API, instance: Some(0) });
        assert_eq!(services.crash(API, Some(0), &mut bench.shared), [waiting]);
        let (id, away) = shop.arrives(None);
        assert_eq!(away, Arrived::Away(id, Ending::Refused));
        let Shop { bench, services, .. } = &mut shop;
        bench.shared.conditions.clear();
        bench.act(|shared, _| services.restart(API, Some(0), shared, Time::ZERO));
        assert_eq!(shop.arrives(None).1, Arrived::Begins);
    }

    #[test]
    fn an_instance_that_is_ordered_anew_takes_its_whole_start() {
        let Shop { mut bench, mut services, .. } = Shop::new(plan(1, 1));
        let at = |secs| Time::ZERO + Span::secs(secs);
        let service = &mut services.by_actor[API];
        let n = service.start_instance(at(70), |_| true);
        service.instances[n as usize].state = InstanceState::Stopping;
        assert_eq!(
            service.start_instance(at(110), |_| true),
            n,
            "in place of the one that was called off"
        );
        for (now, workers) in [(70, 1), (110, 2)] {
            let _ = bench.act(|shared, _| services.started(API, n, shared, at(now)));
            assert_eq!(services.by_actor[API].level.workers, workers, "at {now} s");
        }
    }

    #[test]
    fn no_worker_idles_beside_work_and_none_is_counted_twice() {
        let mut shop = Shop::new(ServicePlan { threads: Threads::Async, ..plan(2, 3) });
        let mut seats: Vec<Seat> = Vec::new();
        let mut draws = shop.bench.shared.luck.work.at(3);
        for _ in 0..500 {
            if draws.below(2) == 0 || seats.is_empty() {
                let (id, arrived) = shop.arrives(None);
                if arrived == Arrived::Begins {
                    seats.push(Seat::at_work(shop.requests[id].instance, Time::ZERO));
                }
            } else {
                let n = draws.below(seats.len() as u64) as usize;
                if let Some(Turn::Request { id, .. }) = shop.frees(&mut seats.swap_remove(n)) {
                    assert_eq!(shop.serve(id), Ok(()));
                    seats.push(Seat::at_work(shop.requests[id].instance, Time::ZERO));
                }
            }
            assert!(!shop.idles());
        }
        assert!(seats.len() > 1);
    }

    #[test]
    fn a_task_of_an_async_service_goes_on_when_a_worker_is_free() {
        let mut shop = Shop::new(ServicePlan { threads: Threads::Async, ..plan(1, 1) });
        assert_eq!(shop.arrives(None).1, Arrived::Begins);
        let (task, mut seat) = (TaskId::default(), at_work().beside());
        let Shop { bench, services, .. } = &mut shop;
        let now = Time::ZERO;
        let mut asks = |seat: &mut Seat| {
            bench.act(|shared, _| services.has_worker(task, API, seat, shared, now))
        };
        assert!(!asks(&mut seat), "it waits in line");
        assert_eq!(shop.frees(&mut at_work()), Some(Turn::Task(task)));
        let Shop { bench, services, .. } = &mut shop;
        assert!(bench.act(|shared, _| services.has_worker(task, API, &mut seat, shared, now)));
        assert!(seat.has_worker());
    }
}
