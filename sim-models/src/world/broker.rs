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

use super::message::{Answer, Payload, Sender};
use super::{Actor, Ctx, Event, Request, World};
use crate::log::{Handover, Note};
use crate::plan::{ActorId, QueueId, Subscriber};
use crate::pool::Id;

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

impl World {
    /// A message is stored, acknowledged to its publisher, and handed out.
    pub(super) fn store_message(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Request { to, intent, lineage, key, body, .. } = self.requests[id];
        let Payload::Message(queue) = self.requests[id].payload else {
            unreachable!("brokers take messages")
        };
        let Actor::Broker(broker) = &mut self.actors[to.index()] else {
            unreachable!("messages are sent to brokers")
        };
        broker.stored += 1;
        let number = broker.stored;
        let key = if key == Value::Nil {
            let name = format!("{}-{number}", self.plan.queues[queue.index()].name);
            Value::Text(self.texts.intern(&name))
        } else {
            key
        };
        ctx.observe(self.texts.fingerprint(key));
        self.note(Note::Message { intent, queue, what: Handover::Stored }, ctx);
        self.send_answer(id, Answer { body: key, ..Answer::status(201) }, ctx);
        for n in 0..self.plan.queues[queue.index()].subscribers.len() {
            let lineage = mix(lineage, n as u64);
            let (delivery, entry) = self.deliveries.take();
            let subscriber = n as u32;
            let (attempts, timer) = (0, None);
            *entry = Delivery { queue, subscriber, lineage, intent, key, body, attempts, timer };
            self.metrics.called(self.subscriber(delivery).pair, ctx.now());
            self.hand_out(delivery, ctx);
        }
    }

    fn subscriber(&self, id: Id<Delivery>) -> Subscriber {
        let Delivery { queue, subscriber, .. } = self.deliveries[id];
        self.plan.queues[queue.index()].subscribers[subscriber as usize]
    }

    /// Sends a message to its subscriber, and looks after it again at the end of the visibility
    /// timeout. A broker that is down keeps it until then.
    fn hand_out(&mut self, id: Id<Delivery>, ctx: &mut Ctx) {
        let Subscriber { actor, endpoint, pair } = self.subscriber(id);
        let Delivery { queue, lineage, intent, key, body, attempts, .. } = self.deliveries[id];
        let plan = &self.plan.queues[queue.index()];
        let (broker, visibility) = (plan.broker, plan.visibility);
        let timer = ctx.schedule_after(visibility, Event::Visible(id));
        self.deliveries[id].timer = Some(timer);
        if self.conditions[broker.index()].down {
            return;
        }
        let attempt = attempts + 1;
        self.deliveries[id].attempts = attempt;
        if attempt > 1 {
            self.note(Note::Message { intent, queue, what: Handover::Again(attempt) }, ctx);
        }
        let (request_id, request) = self.requests.take();
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
        self.metrics.sent(pair, attempt > 1, ctx.now());
        self.send_request(request_id, ctx);
    }

    /// A subscriber's answer arrives at its broker.
    pub(super) fn settle_delivery(&mut self, id: Id<Delivery>, answer: Answer, ctx: &mut Ctx) {
        let Some(Delivery { queue, timer, .. }) = self.deliveries.get(id).copied() else { return };
        let broker = self.plan.queues[queue.index()].broker;
        // A dead process hears nothing.
        if answer.fate() != Fate::Succeeded || self.conditions[broker.index()].down {
            return;
        }
        if let Some(timer) = timer {
            ctx.cancel(timer);
        }
        self.end_delivery(id, Fate::Succeeded, ctx);
    }

    /// A message that nobody has acknowledged can be seen again.
    pub(super) fn visible(&mut self, id: Id<Delivery>, ctx: &mut Ctx) {
        let Some(Delivery { queue, intent, attempts, .. }) = self.deliveries.get(id).copied()
        else {
            return;
        };
        if attempts < self.plan.queues[queue.index()].attempts_max {
            self.hand_out(id, ctx);
            return;
        }
        self.note(Note::Message { intent, queue, what: Handover::Dead }, ctx);
        self.end_delivery(id, Fate::Failed, ctx);
    }

    fn end_delivery(&mut self, id: Id<Delivery>, fate: Fate, ctx: &mut Ctx) {
        let pair = self.subscriber(id).pair;
        ctx.observe(mix(pair.0.into(), fate as u64));
        self.metrics.call_ended(pair, fate);
        self.deliveries.free(id);
    }

    /// The broker whose message a delivery is.
    pub(super) fn broker_of(&self, id: Id<Delivery>) -> Option<ActorId> {
        let delivery = self.deliveries.get(id)?;
        Some(self.plan.queues[delivery.queue.index()].broker)
    }
}
