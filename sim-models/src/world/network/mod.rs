//! Messages: a request on its way, at its callee, and back as an answer.
//!
//! A [`Request`] is owned by whoever has it: the network, a queue, a task, the network again. It
//! is freed when its answer arrives or when either leg loses it. A duplicated request is a second
//! request for the same attempt; whichever answer comes first settles the attempt.

use sim_core::{Draw, Lane, Span, Time, mix};
use sim_policies::{Advice, Ending, Fate};
use sim_redis::value::Value;

use crate::custom::{Ask, Ticket};
use crate::invariant::{Seen, Topic};
use crate::log::{Loss, Note};
use crate::plan::{ActorId, ActorKind, EndpointId, PairId, Plan, QueueId, Reg, Server};
use crate::pool::{Id, Pool};
use crate::world::broker::Delivery;
use crate::world::condition::RouteCondition;
use crate::world::stack::Call;
use crate::world::store::Order;
use crate::world::task::Task;
use crate::world::{Ctx, Event, World, nth};

/// One attempt's message.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(in crate::world) from: ActorId,
    pub(in crate::world) to: ActorId,
    pub(in crate::world) pair: PairId,
    pub(in crate::world) sender: Sender,
    pub(in crate::world) attempt: u32,
    pub(in crate::world) intent: u32,
    pub(in crate::world) lineage: u64,
    pub(in crate::world) payload: Payload,
    /// The command for a store, until it is carried out. Apart, since most requests have none.
    pub(in crate::world) order: Option<Box<Order>>,
    pub(in crate::world) key: Value,
    pub(in crate::world) body: Value,
    pub(in crate::world) with: Vec<(Reg, Value)>,
    /// Nobody wants an answer after this.
    pub(in crate::world) deadline: Option<Time>,
    pub(in crate::world) arrived: Time,
    /// At which instance of its service, and the task that works on it.
    pub(in crate::world) instance: u32,
    pub(in crate::world) task: Id<Task>,
    /// For how long a worker has worked on it.
    pub(in crate::world) worked: Span,
    pub(in crate::world) answer: Answer,
    /// Set when an answer is on its way.
    pub(in crate::world) answered: bool,
}

/// Who waits for a request's answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) enum Sender {
    Call(Id<Call>),
    Delivery(Id<Delivery>),
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) enum Payload {
    Endpoint(EndpointId),
    Message(QueueId),
    /// The command stands in [`Request::order`].
    Command,
    Custom {
        endpoint: Value,
    },
}

/// What is answered, or what the caller notices instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub ending: Ending,
    pub body: Value,
    /// What else it says, beside its content.
    pub headers: Value,
    /// What the answer says about another attempt.
    pub advice: Advice,
    /// An earlier attempt of the same call ended in doubt: it may have done the work, whatever
    /// became of this one.
    pub in_doubt: bool,
}

impl Answer {
    /// An answer without content.
    pub(crate) fn status(status: u16) -> Answer {
        Answer::bare(Ending::Status(status))
    }

    /// An ending without content.
    pub(in crate::world) fn bare(ending: Ending) -> Answer {
        let (body, headers, advice) = (Value::Nil, Value::Nil, Advice::None);
        Answer { ending, body, headers, advice, in_doubt: false }
    }

    /// What the caller may conclude.
    pub(in crate::world) fn fate(self) -> Fate {
        conclude(self.ending, self.in_doubt)
    }
}

impl Default for Request {
    fn default() -> Request {
        Request {
            from: ActorId(0),
            to: ActorId(0),
            pair: PairId(0),
            sender: Sender::Call(Id::default()),
            attempt: 0,
            intent: 0,
            lineage: 0,
            payload: Payload::Endpoint(EndpointId(0)),
            order: None,
            key: Value::Nil,
            body: Value::Nil,
            with: Vec::new(),
            deadline: None,
            arrived: Time::ZERO,
            instance: 0,
            task: Id::default(),
            worked: Span::ZERO,
            answer: Answer::status(500),
            answered: false,
        }
    }
}

/// The two legs of a request's way draw from different places.
mod leg {
    pub(in crate::world) const OUT: u64 = 1;
    pub(in crate::world) const BACK: u64 = 2;
    pub(in crate::world) const DUPLICATE: u64 = 3;
}

/// Messages on their way, and the routes they take.
#[derive(Debug)]
pub(in crate::world) struct Network {
    pub(in crate::world) requests: Pool<Request>,
    /// By caller and callee.
    pub(in crate::world) routes: Vec<RouteCondition>,
    /// The lane of each constant latency, by link; the last is for actors without one.
    pub(in crate::world) lanes: Vec<Option<Lane>>,
}

impl Network {
    pub(in crate::world) fn new(plan: &Plan) -> Network {
        let routes = vec![RouteCondition::default(); plan.actors.len() * plan.actors.len()];
        Network { requests: Pool::default(), routes, lanes: Vec::new() }
    }

    pub(in crate::world) fn open_lanes(&mut self, plan: &Plan, ctx: &mut Ctx) {
        let lanes = plan.links.iter().map(|link| link.constant.map(|latency| ctx.lane(latency)));
        self.lanes = lanes.collect();
        self.lanes.push(Some(ctx.lane(Span::ZERO)));
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.requests.memory_bytes(0)
    }
}

impl World {
    /// Puts a filled-in request on its way.
    pub(in crate::world) fn send_request(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { from, to, lineage, .. } = self.network.requests[id];
        if self.is_duplicated(from, to, lineage) {
            let copy = self.network.requests[id].clone();
            let (twin, entry) = self.network.requests.take();
            *entry = Request { lineage: mix(lineage, leg::DUPLICATE), ..copy };
            self.travel(twin, leg::OUT, ctx);
        }
        self.travel(id, leg::OUT, ctx);
    }

    /// Sends an answer back to the caller.
    pub(in crate::world) fn send_answer(&mut self, id: Id<Request>, answer: Answer, ctx: &mut Ctx) {
        let request = &mut self.network.requests[id];
        request.answer = answer;
        request.answered = true;
        self.shared.metrics.answered(request.to, answer.ending, request.arrived, ctx.now());
        self.leave_admission(id, answer.ending, ctx);
        self.show_answer(id, answer, ctx);
        self.travel(id, leg::BACK, ctx);
    }

    fn show_answer(&mut self, id: Id<Request>, answer: Answer, ctx: &Ctx) {
        if !self.shared.watch.wants(Topic::Answers) {
            return;
        }
        let Request { to, intent, key, body, .. } = self.network.requests[id];
        let from = match self.network.requests[id].payload {
            Payload::Endpoint(endpoint) => Server::Endpoint(endpoint),
            Payload::Custom { endpoint } => Server::Custom { actor: to, endpoint },
            Payload::Message(_) | Payload::Command => return,
        };
        if let Ending::Status(status) = answer.ending {
            let content = answer.body;
            self.shared.show(Seen::Answered { from, intent, key, body, status, content }, ctx);
        }
    }

    /// Sends back what a caller notices when nobody serves it: no work was done for it here.
    pub(in crate::world) fn turn_away(&mut self, id: Id<Request>, ending: Ending, ctx: &mut Ctx) {
        self.network.requests[id].answer = Answer::bare(ending);
        self.shared.metrics.turned_away(self.network.requests[id].to, ending);
        self.leave_admission(id, ending, ctx);
        self.travel(id, leg::BACK, ctx);
    }

    /// One leg: the message arrives after the link's latency, or is lost.
    fn travel(&mut self, id: Id<Request>, leg: u64, ctx: &mut Ctx) {
        let request = &self.network.requests[id];
        let (back, lineage) = (leg == leg::BACK, request.lineage);
        let (from, to) = if back { (request.to, request.from) } else { (request.from, request.to) };
        let event = if back { Event::Answer(id) } else { Event::Deliver(id) };
        if !self.ship(from, to, nth(lineage, leg, 0), event, ctx) {
            self.lose(id, if back { Loss::Answer } else { Loss::Request }, ctx);
        }
    }

    /// Schedules what arrives after the link's latency; false when it is lost on the way.
    pub(in crate::world) fn ship(
        &mut self,
        from: ActorId,
        to: ActorId,
        index: u64,
        event: Event,
        ctx: &mut Ctx,
    ) -> bool {
        if self.is_lost(from, to, index) {
            return false;
        }
        let delay = self.network.routes[self.route(from, to)].delay;
        let link = self.shared.plan.routes[self.route(from, to)];
        let lane = self.network.lanes[link.map_or(self.shared.plan.links.len(), |l| l as usize)];
        match (lane, link) {
            (Some(lane), _) if delay.is_zero() => {
                ctx.schedule_on(lane, event);
            }
            (Some(lane), _) => {
                ctx.schedule_after(lane.delay() + delay, event);
            }
            (None, Some(link)) => {
                let latency = self.shared.plan.links[link as usize].latency;
                let latency = self.shared.span(latency, &mut self.shared.luck.latency.at(index));
                ctx.schedule_after(latency + delay, event);
            }
            (None, None) => unreachable!("actors without a link have a lane"),
        }
        true
    }

    /// A message is gone, and nobody is told.
    fn lose(&mut self, id: Id<Request>, what: Loss, ctx: &Ctx) {
        let Request { intent, pair, to, worked, .. } = self.network.requests[id];
        self.shared.metrics.wasted(to, worked, ctx.now());
        self.shared.note(Note::Lost { intent, pair, what }, ctx);
        self.network.requests.free(id);
    }

    pub(in crate::world) fn route(&self, from: ActorId, to: ActorId) -> usize {
        from.index() * self.shared.conditions.len() + to.index()
    }

    fn is_lost(&self, from: ActorId, to: ActorId, index: u64) -> bool {
        let route = self.route(from, to);
        let condition = &self.network.routes[route];
        if condition.cut
            || self.shared.conditions[from.index()].black_hole
            || self.shared.conditions[to.index()].black_hole
        {
            return true;
        }
        let link =
            self.shared.plan.routes[route].map_or(0.0, |l| self.shared.plan.links[l as usize].loss);
        let loss = either(link, condition.loss);
        loss > 0.0 && self.shared.luck.loss.at(index).chance(loss)
    }

    fn is_duplicated(&self, from: ActorId, to: ActorId, index: u64) -> bool {
        let route = self.route(from, to);
        let link = self.shared.plan.routes[route]
            .map_or(0.0, |l| self.shared.plan.links[l as usize].duplicate);
        let duplicate = either(link, self.network.routes[route].duplicate);
        duplicate > 0.0 && self.shared.luck.duplicate.at(index).chance(duplicate)
    }

    /// A request arrives at its callee.
    pub(in crate::world) fn deliver(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let request = &mut self.network.requests[id];
        request.arrived = ctx.now();
        let Request { to, attempt, lineage, .. } = *request;
        let condition = &self.shared.conditions[to.index()];
        if condition.black_hole {
            self.lose(id, Loss::Request, ctx);
            return;
        }
        self.shared.metrics.arrived(to, attempt > 1, ctx.now());
        self.shared.show(Seen::Arrived { actor: to, retry: attempt > 1 }, ctx);
        let condition = &self.shared.conditions[to.index()];
        if condition.down {
            self.turn_away(id, Ending::Refused, ctx);
            return;
        }
        if condition.hang > 0.0 && self.shared.luck.hang.at(lineage).chance(condition.hang) {
            self.shared.metrics.hung(to);
            self.lose(id, Loss::Hung, ctx);
            return;
        }
        if let Some(status) = condition.error(&mut self.shared.luck.errors.at(lineage)) {
            self.turn_away(id, Ending::Status(status), ctx);
            return;
        }
        match self.shared.plan.actors[to.index()].kind {
            ActorKind::Service(_) => self.admit(id, ctx),
            ActorKind::Kv(_) => self.enqueue_command(id, ctx),
            ActorKind::Broker => self.store_message(id, ctx),
            ActorKind::Custom(_) => self.ask_custom(id, ctx),
            ActorKind::Client(_) => unreachable!("nobody calls a client"),
        }
    }

    fn ask_custom(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { to, payload, key, body, attempt, .. } = self.network.requests[id];
        let Payload::Custom { endpoint } = payload else {
            unreachable!("custom actors are called at endpoints")
        };
        let ask = Ask { ticket: Ticket::new(id.word()), endpoint, key, body, attempt };
        self.with_custom(to, ctx, |custom, desk| custom.on_request(ask, desk));
    }

    /// A custom actor answers after a while; a second answer to the same request is ignored.
    pub(crate) fn answer_later(
        &mut self,
        id: Id<Request>,
        answer: Answer,
        after: Span,
        ctx: &mut Ctx,
    ) {
        if let Some(request) = self.network.requests.get_mut(id)
            && !request.answered
        {
            request.answer = answer;
            request.answered = true;
            ctx.schedule_after(after, Event::Reply(id));
        }
    }

    /// A custom actor's answer is due.
    pub(in crate::world) fn reply(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let answer = self.network.requests[id].answer;
        self.send_answer(id, answer, ctx);
    }

    /// An answer arrives at its caller, which may have stopped waiting for it.
    pub(in crate::world) fn answered(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { from, to, sender, attempt, answer, worked, .. } = self.network.requests[id];
        if self.shared.conditions[from.index()].black_hole {
            self.lose(id, Loss::Answer, ctx);
            return;
        }
        self.network.requests.free(id);
        match sender {
            Sender::Call(call) => {
                if !self.stack.awaits(call, attempt) || answer.ending == Ending::Reset {
                    self.shared.metrics.wasted(to, worked, ctx.now());
                }
                self.settle_attempt(call, attempt, answer, ctx);
            }
            Sender::Delivery(delivery) => self.settle_delivery(delivery, answer, ctx),
        }
    }
}

/// What may be concluded from an ending after attempts in doubt: only a success removes doubt.
pub(in crate::world) fn conclude(ending: Ending, in_doubt: bool) -> Fate {
    match ending.fate() {
        Fate::Failed if in_doubt => Fate::Unknown,
        fate => fate,
    }
}

/// The chance that at least one of two independent things happens.
pub(in crate::world) fn either(a: f64, b: f64) -> f64 {
    1.0 - (1.0 - a) * (1.0 - b)
}
