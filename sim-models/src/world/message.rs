//! Messages: a request on its way, at its callee, and back as an answer.
//!
//! A [`Request`] is owned by whoever has it: the network, a queue, a task, the network again. It
//! is freed when its answer arrives or when either leg loses it. A duplicated request is a second
//! request for the same attempt; whichever answer comes first settles the attempt.

use sim_core::{Draw, Span, Time, mix};
use sim_policies::{Advice, Ending, Fate};
use sim_redis::value::Value;

use super::broker::Delivery;
use super::call::Call;
use super::store::Order;
use super::{Actor, Ctx, Event, Task, World, nth};
use crate::custom::{Ask, Ticket};
use crate::invariant::{Seen, Topic};
use crate::log::{Loss, Note};
use crate::plan::{ActorId, EndpointId, PairId, QueueId, Reg, Server};
use crate::pool::Id;

/// One attempt's message.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(super) from: ActorId,
    pub(super) to: ActorId,
    pub(super) pair: PairId,
    pub(super) sender: Sender,
    pub(super) attempt: u32,
    pub(super) intent: u32,
    pub(super) lineage: u64,
    pub(super) payload: Payload,
    /// The command for a store, until it is carried out. Apart, since most requests have none.
    pub(super) order: Option<Box<Order>>,
    pub(super) key: Value,
    pub(super) body: Value,
    pub(super) with: Vec<(Reg, Value)>,
    /// Nobody wants an answer after this.
    pub(super) deadline: Option<Time>,
    pub(super) arrived: Time,
    /// At which instance of its service, and the task that works on it.
    pub(super) instance: u32,
    pub(super) task: Id<Task>,
    /// For how long a worker has worked on it.
    pub(super) worked: Span,
    pub(super) answer: Answer,
    /// Set when an answer is on its way.
    pub(super) answered: bool,
}

/// Who waits for a request's answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sender {
    Call(Id<Call>),
    Delivery(Id<Delivery>),
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload {
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
    pub(super) fn bare(ending: Ending) -> Answer {
        let (body, headers, advice) = (Value::Nil, Value::Nil, Advice::None);
        Answer { ending, body, headers, advice, in_doubt: false }
    }

    /// What the caller may conclude.
    pub(super) fn fate(self) -> Fate {
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
    pub(super) const OUT: u64 = 1;
    pub(super) const BACK: u64 = 2;
    pub(super) const DUPLICATE: u64 = 3;
}

impl World {
    /// Puts a filled-in request on its way.
    pub(super) fn send_request(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { from, to, lineage, .. } = self.requests[id];
        if self.is_duplicated(from, to, lineage) {
            let copy = self.requests[id].clone();
            let (twin, entry) = self.requests.take();
            *entry = Request { lineage: mix(lineage, leg::DUPLICATE), ..copy };
            self.travel(twin, leg::OUT, ctx);
        }
        self.travel(id, leg::OUT, ctx);
    }

    /// Sends an answer back to the caller.
    pub(super) fn send_answer(&mut self, id: Id<Request>, answer: Answer, ctx: &mut Ctx) {
        let request = &mut self.requests[id];
        request.answer = answer;
        request.answered = true;
        self.metrics.answered(request.to, answer.ending, request.arrived, ctx.now());
        self.leave_admission(id, answer.ending, ctx);
        self.show_answer(id, answer, ctx);
        self.travel(id, leg::BACK, ctx);
    }

    fn show_answer(&mut self, id: Id<Request>, answer: Answer, ctx: &Ctx) {
        if !self.watch.wants(Topic::Answers) {
            return;
        }
        let Request { to, intent, key, body, .. } = self.requests[id];
        let from = match self.requests[id].payload {
            Payload::Endpoint(endpoint) => Server::Endpoint(endpoint),
            Payload::Custom { endpoint } => Server::Custom { actor: to, endpoint },
            Payload::Message(_) | Payload::Command => return,
        };
        if let Ending::Status(status) = answer.ending {
            let content = answer.body;
            self.show(Seen::Answered { from, intent, key, body, status, content }, ctx);
        }
    }

    /// Sends back what a caller notices when nobody serves it: no work was done for it here.
    pub(super) fn turn_away(&mut self, id: Id<Request>, ending: Ending, ctx: &mut Ctx) {
        self.requests[id].answer = Answer::bare(ending);
        self.metrics.turned_away(self.requests[id].to, ending);
        self.leave_admission(id, ending, ctx);
        self.travel(id, leg::BACK, ctx);
    }

    /// One leg: the message arrives after the link's latency, or is lost.
    fn travel(&mut self, id: Id<Request>, leg: u64, ctx: &mut Ctx) {
        let request = &self.requests[id];
        let (back, lineage) = (leg == leg::BACK, request.lineage);
        let (from, to) = if back { (request.to, request.from) } else { (request.from, request.to) };
        let event = if back { Event::Answer(id) } else { Event::Deliver(id) };
        if !self.ship(from, to, nth(lineage, leg, 0), event, ctx) {
            self.lose(id, if back { Loss::Answer } else { Loss::Request }, ctx);
        }
    }

    /// Schedules what arrives after the link's latency; false when it is lost on the way.
    pub(super) fn ship(
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
        let delay = self.routes[self.route(from, to)].delay;
        let link = self.plan.routes[self.route(from, to)];
        let lane = self.lanes.latencies[link.map_or(self.plan.links.len(), |l| l as usize)];
        match (lane, link) {
            (Some(lane), _) if delay.is_zero() => {
                ctx.schedule_on(lane, event);
            }
            (Some(lane), _) => {
                ctx.schedule_after(lane.delay() + delay, event);
            }
            (None, Some(link)) => {
                let latency = self.plan.links[link as usize].latency;
                let latency = self.span(latency, &mut self.luck.latency.at(index));
                ctx.schedule_after(latency + delay, event);
            }
            (None, None) => unreachable!("actors without a link have a lane"),
        }
        true
    }

    /// A message is gone, and nobody is told.
    fn lose(&mut self, id: Id<Request>, what: Loss, ctx: &Ctx) {
        let Request { intent, pair, to, worked, .. } = self.requests[id];
        self.metrics.wasted(to, worked, ctx.now());
        self.note(Note::Lost { intent, pair, what }, ctx);
        self.requests.free(id);
    }

    pub(super) fn route(&self, from: ActorId, to: ActorId) -> usize {
        from.index() * self.actors.len() + to.index()
    }

    fn is_lost(&self, from: ActorId, to: ActorId, index: u64) -> bool {
        let route = self.route(from, to);
        let condition = &self.routes[route];
        if condition.cut
            || self.conditions[from.index()].black_hole
            || self.conditions[to.index()].black_hole
        {
            return true;
        }
        let link = self.plan.routes[route].map_or(0.0, |l| self.plan.links[l as usize].loss);
        let loss = either(link, condition.loss);
        loss > 0.0 && self.luck.loss.at(index).chance(loss)
    }

    fn is_duplicated(&self, from: ActorId, to: ActorId, index: u64) -> bool {
        let route = self.route(from, to);
        let link = self.plan.routes[route].map_or(0.0, |l| self.plan.links[l as usize].duplicate);
        let duplicate = either(link, self.routes[route].duplicate);
        duplicate > 0.0 && self.luck.duplicate.at(index).chance(duplicate)
    }

    /// A request arrives at its callee.
    pub(super) fn deliver(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let request = &mut self.requests[id];
        request.arrived = ctx.now();
        let Request { to, attempt, lineage, .. } = *request;
        let condition = &self.conditions[to.index()];
        if condition.black_hole {
            self.lose(id, Loss::Request, ctx);
            return;
        }
        self.metrics.arrived(to, attempt > 1, ctx.now());
        self.show(Seen::Arrived { actor: to, retry: attempt > 1 }, ctx);
        let condition = &self.conditions[to.index()];
        if condition.down {
            self.turn_away(id, Ending::Refused, ctx);
            return;
        }
        if condition.hang > 0.0 && self.luck.hang.at(lineage).chance(condition.hang) {
            self.metrics.hung(to);
            self.lose(id, Loss::Hung, ctx);
            return;
        }
        if let Some(status) = condition.error(&mut self.luck.errors.at(lineage)) {
            self.turn_away(id, Ending::Status(status), ctx);
            return;
        }
        match &mut self.actors[to.index()] {
            Actor::Service(_) => self.admit(id, ctx),
            Actor::Store(_) => self.enqueue_command(id, ctx),
            Actor::Broker(_) => self.store_message(id, ctx),
            Actor::Custom(_) => self.ask_custom(id, ctx),
            Actor::Client(_) => unreachable!("nobody calls a client"),
        }
    }

    fn ask_custom(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { to, payload, key, body, attempt, .. } = self.requests[id];
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
        if let Some(request) = self.requests.get_mut(id)
            && !request.answered
        {
            request.answer = answer;
            request.answered = true;
            ctx.schedule_after(after, Event::Reply(id));
        }
    }

    /// A custom actor's answer is due.
    pub(super) fn reply(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let answer = self.requests[id].answer;
        self.send_answer(id, answer, ctx);
    }

    /// An answer arrives at its caller, which may have stopped waiting for it.
    pub(super) fn answered(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { from, to, sender, attempt, answer, worked, .. } = self.requests[id];
        if self.conditions[from.index()].black_hole {
            self.lose(id, Loss::Answer, ctx);
            return;
        }
        self.requests.free(id);
        match sender {
            Sender::Call(call) => {
                if !self.awaits(call, attempt) || answer.ending == Ending::Reset {
                    self.metrics.wasted(to, worked, ctx.now());
                }
                self.settle_attempt(call, attempt, answer, ctx);
            }
            Sender::Delivery(delivery) => self.settle_delivery(delivery, answer, ctx),
        }
    }
}

/// What may be concluded from an ending after attempts in doubt: only a success removes doubt.
pub(super) fn conclude(ending: Ending, in_doubt: bool) -> Fate {
    match ending.fate() {
        Fate::Failed if in_doubt => Fate::Unknown,
        fate => fate,
    }
}

/// The chance that at least one of two independent things happens.
pub(super) fn either(a: f64, b: f64) -> f64 {
    1.0 - (1.0 - a) * (1.0 - b)
}
