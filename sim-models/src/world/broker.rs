//! Brokers: each message is handed to each subscriber until it is acknowledged.
//!
//! ```text
//! Publish --> stored --> delivered --2xx--> acknowledged
//!                          ^   |
//!                          |   | another answer, or none within the visibility timeout
//!                          +---+            ... after the last attempt: dead
//! ```
//!
//! A message survives whatever happens to its broker and its consumers. It may be handed out again
//! while an earlier delivery is still being worked on, as with Amazon SQS.

use sim_core::{Handle, mix};
use sim_policies::Fate;
use sim_redis::value::Value;

use crate::log::{Handover, Note};
use crate::plan::{ActorId, ActorKind, Plan, QueueId, Subscriber};
use crate::pool::{Id, Pool};
use crate::world::network::Request;
use crate::world::network::{Answer, Payload, Sender};
use crate::world::shared::ByActor;
use crate::world::{Ctx, Event, World};

/// A broker's own state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BrokerState {
    stored: u32,
}

/// A message on its way to one subscriber.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivery {
    queue: QueueId,
    subscriber: u32,
    /// Addresses the luck of its attempts.
    lineage: u64,
    intent: u32,
    key: Value,
    body: Value,
    attempts: u32,
    /// The end of its present visibility timeout.
    timer: Option<Handle>,
}

/// Every broker, and every message that somebody has yet to acknowledge.
#[derive(Debug)]
pub(super) struct Brokers {
    by_actor: ByActor<BrokerState>,
    deliveries: Pool<Delivery>,
}

impl Brokers {
    pub(super) fn new(plan: &Plan) -> Brokers {
        let by_actor = ByActor::new(plan, |id| match plan.actors[id.index()].kind {
            ActorKind::Broker => Some(BrokerState::default()),
            _ => None,
        });
        Brokers { by_actor, deliveries: Pool::default() }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.deliveries.memory_bytes(0)
    }
}

impl World {
    /// A message is stored, acknowledged to its publisher, and handed out.
    pub(super) fn store_message(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { to, intent, lineage, key, body, .. } = self.network.requests[id];
        let Payload::Message(queue) = self.network.requests[id].payload else {
            unreachable!("brokers take messages")
        };
        let broker = &mut self.brokers.by_actor[to];
        broker.stored += 1;
        let number = broker.stored;
        let key = if key == Value::Nil {
            let name = format!("{}-{number}", self.shared.plan.queues[queue.index()].name);
            Value::Text(self.shared.texts.intern(&name))
        } else {
            key
        };
        ctx.observe(self.shared.texts.fingerprint(key));
        self.shared.note(Note::Message { intent, queue, what: Handover::Stored }, ctx);
        self.send_answer(id, Answer { body: key, ..Answer::status(201) }, ctx);
        for n in 0..self.shared.plan.queues[queue.index()].subscribers.len() {
            let lineage = mix(lineage, n as u64);
            let (delivery, entry) = self.brokers.deliveries.take();
            let subscriber = n as u32;
            let (attempts, timer) = (0, None);
            *entry = Delivery { queue, subscriber, lineage, intent, key, body, attempts, timer };
            self.shared.metrics.called(self.subscriber(delivery).pair, ctx.now());
            self.hand_out(delivery, ctx);
        }
    }

    fn subscriber(&self, id: Id<Delivery>) -> Subscriber {
        let Delivery { queue, subscriber, .. } = self.brokers.deliveries[id];
        self.shared.plan.queues[queue.index()].subscribers[subscriber as usize]
    }

    /// Sends a message to its subscriber, and looks after it again at the end of the visibility
    /// timeout. A broker that is down keeps it until then.
    fn hand_out(&mut self, id: Id<Delivery>, ctx: &mut Ctx) {
        let Subscriber { actor, endpoint, pair } = self.subscriber(id);
        let Delivery { queue, lineage, intent, key, body, attempts, .. } =
            self.brokers.deliveries[id];
        let plan = &self.shared.plan.queues[queue.index()];
        let (broker, visibility) = (plan.broker, plan.visibility);
        let timer = ctx.schedule_after(visibility, Event::Visible(id));
        self.brokers.deliveries[id].timer = Some(timer);
        if self.shared.conditions[broker.index()].down {
            return;
        }
        let attempt = attempts + 1;
        self.brokers.deliveries[id].attempts = attempt;
        if attempt > 1 {
            self.shared.note(Note::Message { intent, queue, what: Handover::Again(attempt) }, ctx);
        }
        let (request_id, request) = self.network.requests.take();
        let mut with = std::mem::take(&mut request.with);
        with.clear();
        *request = Request {
            from: broker,
            to: actor,
            pair,
            sender: Sender::Delivery(id),
            attempt,
            intent,
            lineage: mix(lineage, attempt.into()),
            payload: Payload::Endpoint(endpoint),
            key,
            body,
            with,
            ..Request::default()
        };
        self.shared.metrics.sent(pair, attempt > 1, ctx.now());
        self.send_request(request_id, ctx);
    }

    /// A subscriber's answer arrives at its broker.
    pub(super) fn settle_delivery(&mut self, id: Id<Delivery>, answer: Answer, ctx: &mut Ctx) {
        let Some(Delivery { queue, timer, .. }) = self.brokers.deliveries.get(id).copied() else {
            return;
        };
        let broker = self.shared.plan.queues[queue.index()].broker;
        // A dead process hears nothing.
        if answer.fate() != Fate::Succeeded || self.shared.conditions[broker.index()].down {
            return;
        }
        if let Some(timer) = timer {
            ctx.cancel(timer);
        }
        self.end_delivery(id, Fate::Succeeded, ctx);
    }

    /// A message that nobody has acknowledged can be seen again.
    pub(super) fn visible(&mut self, id: Id<Delivery>, ctx: &mut Ctx) {
        let Some(Delivery { queue, intent, attempts, .. }) =
            self.brokers.deliveries.get(id).copied()
        else {
            return;
        };
        if attempts < self.shared.plan.queues[queue.index()].attempts_max {
            self.hand_out(id, ctx);
            return;
        }
        self.shared.note(Note::Message { intent, queue, what: Handover::Dead }, ctx);
        self.end_delivery(id, Fate::Failed, ctx);
    }

    fn end_delivery(&mut self, id: Id<Delivery>, fate: Fate, ctx: &mut Ctx) {
        let pair = self.subscriber(id).pair;
        ctx.observe(mix(pair.0.into(), fate as u64));
        self.shared.metrics.call_ended(pair, fate);
        self.brokers.deliveries.free(id);
    }

    /// The broker whose message a delivery is.
    pub(super) fn broker_of(&self, id: Id<Delivery>) -> Option<ActorId> {
        let delivery = self.brokers.deliveries.get(id)?;
        Some(self.shared.plan.queues[delivery.queue.index()].broker)
    }
}
