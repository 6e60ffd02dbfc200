//! Messages: a request on its way, at its callee, and back as an answer.
//!
//! ```text
//!        post                deliver              answer, turn_away            hand_back
//! caller ----> out leg -----> Arrival ... callee ------------------> back leg ----> Returned
//!                 `--> lost                                             `--> lost
//! ```
//!
//! A [`Request`] is owned by whoever has it: the network, a queue, a task, the network again. It
//! is freed when its answer arrives or when either leg loses it. A duplicated request is a second
//! request for the same attempt; whichever answer comes first settles the attempt.
//!
//! The network knows latency, loss and the conditions of its ends. What an actor does with a
//! request that has arrived it does not know.

mod message;
mod route;

use sim_core::{Draw, Lane, Span, Time, mix};
use sim_policies::Ending;

use crate::invariant::{Seen, Topic};
use crate::lineage::{Way, What};
use crate::log::{Loss, Note};
use crate::plan::{ActorId, Plan, Server};
use crate::pool::Pool;
use crate::trace::Stage;
use crate::world::condition::{Copies, End};
use crate::world::ids::{RequestId, RequestName};
use crate::world::shared::Shared;
use crate::world::{Ctx, Event};

pub(crate) use message::{Answer, Request};
pub(in crate::world) use message::{Leg, Op, Order, Payload, Sender, conclude};
use route::{Latency, Route};

/// Messages on their way, and the lanes they take.
#[derive(Debug)]
pub(in crate::world) struct Network {
    pub(in crate::world) requests: Pool<Request, RequestName>,
    /// The lane of each constant latency, by link; the last is for actors without one.
    lanes: Vec<Option<Lane>>,
}

/// What happens to a request at the end of its way.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub(in crate::world) enum Arrival {
    /// It is gone, and nobody learns it.
    Lost,
    /// Nobody serves it; the caller notices this.
    TurnedAway(Ending),
    /// The actor accepts it, and will not answer.
    Hangs,
    /// The actor has it.
    At(ActorId),
}

/// An answer at its caller.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::world) struct Returned {
    pub(in crate::world) sender: Sender,
    pub(in crate::world) attempt: u32,
    pub(in crate::world) answer: Answer,
    /// Who has answered, at which instance, and how long a worker has worked on it.
    pub(in crate::world) by: End,
    pub(in crate::world) worked: Span,
}

impl Network {
    pub(in crate::world) fn new() -> Network {
        Network { requests: Pool::default(), lanes: Vec::new() }
    }

    pub(in crate::world) fn open_lanes(&mut self, plan: &Plan, ctx: &mut Ctx) {
        let lanes = plan.links.iter().map(|link| link.constant.map(|latency| ctx.lane(latency)));
        self.lanes = lanes.collect();
        self.lanes.push(Some(ctx.lane(Span::ZERO)));
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.requests.memory_bytes(0)
    }

    /// Puts a filled-in request on its way; chance may make two of it.
    pub(in crate::world) fn post(&mut self, id: RequestId, shared: &mut Shared, ctx: &mut Ctx) {
        let Request { from, from_instance, to, lineage, .. } = self.requests[id];
        let caller = (from, Some(from_instance));
        if Route::of(shared, caller, (to, None)).doubles(lineage) {
            self.double(id, Leg::Twin.of(lineage), Span::ZERO, None, shared, ctx);
        }
        let copies: Vec<Copies> = shared.conditions.copies(caller, to).collect();
        for Copies { rate, later, to_instance } in copies {
            // The luck of a copy, and of its way, are those of no other.
            let lineage =
                mix(mix(lineage, later.as_nanos()), to_instance.map_or(0, |n| 1 + u64::from(n)));
            if shared.luck.duplicate.at(lineage).chance(rate) {
                self.double(id, Leg::Twin.of(lineage), later, to_instance, shared, ctx);
            }
        }
        self.travel(id, Leg::Out, shared, ctx);
    }

    /// Puts a copy of a request on its way.
    fn double(
        &mut self,
        id: RequestId,
        lineage: u64,
        later: Span,
        aimed: Option<u32>,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let copy = self.requests[id].clone();
        shared.belongs(copy.intent, lineage, copy.lineage);
        let (twin, entry) = self.requests.take();
        *entry = Request { lineage, aimed, is_copy: true, ..copy };
        if later.is_zero() {
            self.travel(twin, Leg::Out, shared, ctx);
        } else {
            ctx.schedule_after(later, Event::Send(twin));
        }
    }

    /// A copy that was held back is on its way.
    pub(in crate::world) fn send_late(
        &mut self,
        id: RequestId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        self.travel(id, Leg::Out, shared, ctx);
    }

    /// Puts a request on its way in a slot of its own, which keeps what it has allocated.
    pub(in crate::world) fn post_new(
        &mut self,
        request: Request,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let (id, entry) = self.requests.take();
        let with = std::mem::take(&mut entry.with);
        *entry = request;
        if entry.with.is_empty() {
            entry.with = with;
            entry.with.clear();
        }
        self.post(id, shared, ctx);
    }

    /// Sends an answer back to the caller.
    pub(in crate::world) fn answer(
        &mut self,
        id: RequestId,
        answer: Answer,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let request = &mut self.requests[id];
        request.answer = answer;
        request.answered = true;
        let (arrived, endpoint) = (request.arrived, request.endpoint());
        shared.metrics.answered(
            (request.to, request.at()),
            endpoint,
            answer.ending,
            arrived,
            ctx.now(),
        );
        if shared.watch.wants(Topic::Answers) {
            show_answer(&self.requests[id], answer, shared, ctx);
        }
        self.travel(id, Leg::Back, shared, ctx);
    }

    /// Sends back what a caller notices when nobody serves it: no work was done for it here.
    pub(in crate::world) fn turn_away(
        &mut self,
        id: RequestId,
        ending: Ending,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let request = &mut self.requests[id];
        (request.answer, request.answered) = (Answer::bare(ending), true);
        shared.metrics.turned_away((request.to, request.at()), ending);
        self.travel(id, Leg::Back, shared, ctx);
    }

    /// One leg of a request: it arrives after the link's latency, or is lost.
    fn travel(&mut self, id: RequestId, leg: Leg, shared: &mut Shared, ctx: &mut Ctx) {
        let Request { from, from_instance, to, lineage, intent, .. } = self.requests[id];
        let caller = (from, Some(from_instance));
        let callee = (to, self.requests[id].at());
        let (from, to, event, loss) = match leg {
            Leg::Back => (callee, caller, Event::Answer(id), Loss::Answer),
            // Which instance serves it is decided where it arrives.
            _ => (caller, (to, None), Event::Deliver(id), Loss::Request),
        };
        let way = if leg == Leg::Back { Way::Answer } else { Way::Request };
        let instance = from.1.unwrap_or_default();
        shared.trace(intent, instance, What::Sent { from: from.0, to: to.0, way }, ctx);
        let request = &self.requests[id];
        if let Some((trace, when)) = shared.tracing(intent, ctx) {
            let Answer { ending, body, .. } = request.answer;
            match way {
                Way::Request => trace.sent(lineage, when, || request.message()),
                Way::Answer => trace.message(lineage, when, Stage::Answered(ending, body)),
            }
        }
        if !self.ship(from, to, leg.of(lineage), event, shared, ctx) {
            self.lose(id, loss, shared, ctx);
        }
    }

    /// Schedules what arrives after the link's latency; false when it is lost on the way.
    pub(in crate::world) fn ship(
        &self,
        from: End,
        to: End,
        index: u64,
        event: Event,
        shared: &Shared,
        ctx: &mut Ctx,
    ) -> bool {
        let route = Route::of(shared, from, to);
        let is_dark = |end: End| shared.conditions[end.0.index()].is_dark(end.1);
        if is_dark(from) || is_dark(to) || route.is_lossy_for(index) {
            return false;
        }
        match route.latency(&self.lanes, index) {
            Latency::On(lane) => ctx.schedule_on(lane, event),
            Latency::For(latency) => ctx.schedule_after(latency, event),
        };
        true
    }

    /// The last of a request's way, to the instance that is to serve it: it is lost there, comes
    /// later, or is there; true when it is.
    pub(in crate::world) fn reach_instance(
        &mut self,
        id: RequestId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> bool {
        let Request { from, from_instance, to, instance, lineage, .. } = self.requests[id];
        let from = (from, Some(from_instance));
        let way = shared.conditions.of_the_last_leg(from, (to, instance));
        let luck = || shared.luck.loss.at(Leg::Instance.of(lineage));
        let is_dark = shared.conditions[to.index()].is_dark(Some(instance));
        if is_dark || way.cut || way.loss > 0.0 && luck().chance(way.loss) {
            self.lose(id, Loss::Request, shared, ctx);
            return false;
        }
        if !way.delay.is_zero() {
            ctx.schedule_after(way.delay, Event::Deliver(id));
        }
        way.delay.is_zero()
    }

    /// Nobody waits any more for the answer to a request that hangs.
    pub(in crate::world) fn forget_hung(&mut self, id: RequestId, shared: &mut Shared, now: Time) {
        count_unanswered(&self.requests[id], shared, now);
        self.requests.free(id);
    }

    /// The run is over: what has arrived somewhere, and was not answered, counts for as long as it
    /// has been there.
    pub(in crate::world) fn count_open(&self, shared: &mut Shared, now: Time) {
        let is_open = |request: &&Request| request.has_arrived && !request.answered;
        self.requests.iter().filter(is_open).for_each(|open| count_unanswered(open, shared, now));
    }

    /// A message is gone, and nobody learns it.
    fn lose(&mut self, id: RequestId, what: Loss, shared: &mut Shared, ctx: &Ctx) {
        let Request { intent, pair, to, worked, lineage, .. } = self.requests[id];
        if let Some((trace, when)) = shared.tracing(intent, ctx) {
            trace.message(lineage, when, Stage::Lost(what));
        }
        shared.metrics.wasted((to, self.requests[id].at()), worked, ctx.now());
        shared.note(Note::Lost { intent, pair, what }, ctx);
        self.requests.free(id);
    }

    /// A request comes to the end of its way.
    pub(in crate::world) fn deliver(
        &mut self,
        id: RequestId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Arrival {
        let to = self.requests[id].to;
        let condition = &shared.conditions[to.index()];
        if condition.is_dark(None) {
            self.lose(id, Loss::Request, shared, ctx);
            return Arrival::Lost;
        }
        if condition.all.down {
            self.count_arrival(id, shared, ctx);
            return Arrival::TurnedAway(Ending::Refused);
        }
        Arrival::At(to)
    }

    /// A request has arrived, if it had not before.
    pub(in crate::world) fn count_arrival(
        &mut self,
        id: RequestId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) {
        let request = &mut self.requests[id];
        if !std::mem::replace(&mut request.has_arrived, true) {
            request.arrived = ctx.now();
            let Request { to, attempt, .. } = *request;
            shared.metrics.arrived((to, request.at()), attempt > 1, ctx.now());
            shared.show(Seen::Arrived { actor: to, retry: attempt > 1 }, ctx);
            let Request { intent, lineage, .. } = *request;
            let instance = request.at();
            if let Some((trace, when)) = shared.tracing(intent, ctx) {
                trace.message(lineage, when, Stage::Arrived(instance));
            }
        }
    }

    /// A request meets the process that is to serve it.
    pub(in crate::world) fn meet(
        &mut self,
        id: RequestId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Arrival {
        self.count_arrival(id, shared, ctx);
        let Request { intent, pair, to, instance, lineage, .. } = self.requests[id];
        let condition = &shared.conditions[to.index()];
        if condition.is_down(instance) {
            return Arrival::TurnedAway(Ending::Refused);
        }
        let hang = condition.hang(instance);
        if hang > 0.0 && shared.luck.hang.at(lineage).chance(hang) {
            shared.metrics.hung(to);
            self.requests[id].hangs = true;
            if let Some((trace, when)) = shared.tracing(intent, ctx) {
                trace.message(lineage, when, Stage::Lost(Loss::Hung));
            }
            shared.note(Note::Lost { intent, pair, what: Loss::Hung }, ctx);
            return Arrival::Hangs;
        }
        match condition.error(instance, &mut shared.luck.errors.at(lineage)) {
            Some(status) => Arrival::TurnedAway(Ending::Status(status)),
            None => Arrival::At(to),
        }
    }

    /// An answer comes to the end of its way; `None` when it is lost there.
    pub(in crate::world) fn hand_back(
        &mut self,
        id: RequestId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Option<Returned> {
        let Request { from, from_instance, to, sender, .. } = self.requests[id];
        let Request { attempt, answer, worked, .. } = self.requests[id];
        if shared.conditions[from.index()].is_dark(Some(from_instance)) {
            self.lose(id, Loss::Answer, shared, ctx);
            return None;
        }
        let by = (to, self.requests[id].at());
        self.requests.free(id);
        Some(Returned { sender, attempt, answer, by, worked })
    }
}

fn count_unanswered(request: &Request, shared: &mut Shared, now: Time) {
    let (at, endpoint) = ((request.to, request.at()), request.endpoint());
    shared.metrics.unanswered(at, endpoint, request.arrived, now);
}

/// Shows the invariants what an actor written in Rust has answered.
fn show_answer(request: &Request, answer: Answer, shared: &mut Shared, ctx: &Ctx) {
    let Request { to, intent, key, body, payload, .. } = *request;
    if let (Payload::Custom { endpoint }, Ending::Status(status)) = (payload, answer.ending) {
        let (from, content) = (Server::Custom { actor: to, endpoint }, answer.body);
        let (asked, kept) = (body, content);
        shared.show(Seen::Answered { from, intent, key, asked, body, status, kept, content }, ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ActorKind, Fault};
    use crate::world::bench::{self, Bench, PAIR};

    const CALLER: ActorId = ActorId(0);
    const CALLEE: ActorId = ActorId(1);

    /// Two actors, a network, and what is wrong with it.
    fn bench(faults: &[Fault]) -> (Bench, Network) {
        let mut bench = Bench::new(bench::plan(vec![ActorKind::Broker, ActorKind::Broker]));
        let mut network = Network::new();
        bench.act(|shared, ctx| {
            network.open_lanes(&shared.plan, ctx);
            faults.iter().for_each(|fault| shared.conditions.impose(*fault));
        });
        (bench, network)
    }

    fn post(bench: &mut Bench, network: &mut Network) -> RequestId {
        let (id, request) = network.requests.take();
        let (from, to, pair) = (CALLER, CALLEE, PAIR);
        *request = Request { from, to, pair, attempt: 1, lineage: 9, ..Request::default() };
        bench.act(|shared, ctx| network.post(id, shared, ctx));
        id
    }

    fn deliver(bench: &mut Bench, network: &mut Network) -> (RequestId, Arrival) {
        let Some((_, Event::Deliver(id))) = bench.next() else { panic!("a request is under way") };
        let arrival = bench.act(|shared, ctx| match network.deliver(id, shared, ctx) {
            Arrival::At(_) => network.meet(id, shared, ctx),
            arrival => arrival,
        });
        (id, arrival)
    }

    fn losses(bench: &Bench) -> Vec<Loss> {
        let loss = |note| if let Note::Lost { what, .. } = note { Some(what) } else { None };
        bench.notes().into_iter().filter_map(loss).collect()
    }

    #[test]
    fn an_answer_comes_back_to_whoever_asked() {
        let (mut bench, mut network) = bench(&[]);
        let id = post(&mut bench, &mut network);
        assert_eq!(deliver(&mut bench, &mut network), (id, Arrival::At(CALLEE)));
        bench.act(|shared, ctx| network.answer(id, Answer::status(204), shared, ctx));
        assert!(matches!(bench.next(), Some((_, Event::Answer(back))) if back == id));
        let returned = bench.act(|shared, ctx| network.hand_back(id, shared, ctx)).unwrap();
        assert_eq!((returned.by, returned.attempt), ((CALLEE, None), 1));
        assert_eq!(returned.answer.ending, Ending::Status(204));
        assert!(network.requests.get(id).is_none(), "nobody has it any more");
    }

    #[test]
    fn a_cut_route_loses_what_goes_its_way_and_nothing_that_goes_the_other() {
        let cut = |from, to| Fault::Partition {
            from,
            to,
            both_ways: false,
            instance: None,
            to_instance: None,
        };
        let (from, to) = (CALLER, CALLEE);
        let (mut bench, mut network) = bench(&[cut(from, to)]);
        post(&mut bench, &mut network);
        assert!(bench.next().is_none(), "the request is lost");
        let (from, to) = (CALLEE, CALLER);
        bench.shared.conditions.clear();
        bench.shared.conditions.impose(cut(from, to));
        let id = post(&mut bench, &mut network);
        assert_eq!(deliver(&mut bench, &mut network), (id, Arrival::At(CALLEE)));
        bench.act(|shared, ctx| network.turn_away(id, Ending::Refused, shared, ctx));
        assert!(bench.next().is_none(), "the answer is lost");
        assert_eq!(losses(&bench), [Loss::Request, Loss::Answer]);
    }

    #[test]
    fn a_duplicate_comes_first_with_a_lineage_of_its_own() {
        let (from, to, rate, later) = (CALLER, CALLEE, 1.0, Span::ZERO);
        let (mut bench, mut network) =
            bench(&[Fault::Duplicate { from, to, rate, later, instance: None, to_instance: None }]);
        let id = post(&mut bench, &mut network);
        let (twin, _) = deliver(&mut bench, &mut network);
        assert_eq!(deliver(&mut bench, &mut network).0, id);
        let (own, other) = (&network.requests[id], &network.requests[twin]);
        assert_eq!((own.sender, own.attempt), (other.sender, other.attempt));
        assert_eq!((own.lineage, other.lineage), (9, Leg::Twin.of(9)));
    }

    #[test]
    fn a_black_hole_swallows_what_is_under_way_and_nobody_learns_it() {
        let (mut bench, mut network) = bench(&[]);
        let id = post(&mut bench, &mut network);
        bench.shared.conditions.impose(Fault::BlackHole { actor: CALLEE, instance: None });
        assert_eq!(deliver(&mut bench, &mut network), (id, Arrival::Lost));
        assert!(network.requests.get(id).is_none());
        assert!(bench.next().is_none(), "no answer and no word goes back");
        assert_eq!(losses(&bench), [Loss::Request]);
    }

    #[test]
    fn who_is_down_refuses_and_a_faulty_one_answers_an_error() {
        let down = Fault::Outage { actor: CALLEE, instance: None };
        let (mut bench, mut network) = bench(&[down]);
        post(&mut bench, &mut network);
        let (_, arrival) = deliver(&mut bench, &mut network);
        assert_eq!(arrival, Arrival::TurnedAway(Ending::Refused));
        bench.shared.conditions.clear();
        let (actor, rate, status) = (CALLEE, 1.0, 503);
        bench.shared.conditions.impose(Fault::Errors { actor, rate, status, instance: None });
        post(&mut bench, &mut network);
        let (_, arrival) = deliver(&mut bench, &mut network);
        assert_eq!(arrival, Arrival::TurnedAway(Ending::Status(503)));
        bench.shared.conditions.impose(Fault::Hang { actor, rate, instance: None });
        post(&mut bench, &mut network);
        assert_eq!(deliver(&mut bench, &mut network).1, Arrival::Hangs, "it hangs first");
        assert_eq!(losses(&bench), [Loss::Hung]);
    }
}
