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

use sim_core::{Handle, Time, mix};
use sim_policies::Fate;
use sim_redis::value::Value;

use crate::endings::HopEnding;
use crate::log::{Handover, Note};
use crate::outcome::{Quantity, ResourceEvent};
use crate::plan::{ActorId, ActorKind, Plan, QueueId, Subscriber};
use crate::pool::Pool;
use crate::world::ids::{DeliveryId, DeliveryName};
use crate::world::network::{Answer, Payload, Request, Sender};
use crate::world::shared::{ByActor, Shared};
use crate::world::{Ctx, Event};

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
    /// The latest of them has no answer yet.
    awaited: bool,
    /// The end of its present visibility timeout.
    timer: Option<Handle>,
    begun: Time,
}

/// Every broker, and every message that somebody has yet to acknowledge.
#[derive(Debug)]
pub(super) struct Brokers {
    by_actor: ByActor<BrokerState>,
    deliveries: Pool<Delivery, DeliveryName>,
}

/// A message that its broker has taken.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(super) struct Stored {
    queue: QueueId,
    lineage: u64,
    intent: u32,
    key: Value,
    body: Value,
    /// To how many it is handed out.
    pub(super) subscribers: u32,
}

impl Stored {
    /// What its publisher is answered.
    pub(super) fn receipt(&self) -> Answer {
        Answer { body: self.key, ..Answer::status(201) }
    }
}

impl Brokers {
    /// Whether a message of an intent waits for somebody who acknowledges it.
    pub(super) fn holds(&self, intent: u32) -> bool {
        self.deliveries.iter().any(|delivery| delivery.intent == intent)
    }

    pub(super) fn new(plan: &Plan) -> Brokers {
        let by_actor = ByActor::new(plan, |id| match plan.actors[id.index()].kind {
            ActorKind::Broker => Some(BrokerState::default()),
            _ => None,
        });
        Brokers { by_actor, deliveries: Pool::default() }
    }

    /// The run is over, and some attempts have no answer.
    pub(super) fn count_open(&self, shared: &mut Shared) {
        for delivery in self.deliveries.iter().filter(|delivery| delivery.awaited) {
            shared.metrics.attempt_open(delivery.subscriber(&shared.plan).pair);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.deliveries.memory_bytes(0)
    }

    /// A message has arrived, and is stored.
    pub(super) fn store(
        &mut self,
        request: &Request,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Stored {
        let Request { to, intent, lineage, key, body, payload, .. } = *request;
        let Payload::Message(queue) = payload else { unreachable!("brokers take messages") };
        let plan = &shared.plan.queues[queue.index()];
        let broker = &mut self.by_actor[to];
        broker.stored += 1;
        let number = broker.stored;
        let key = if key == Value::Nil {
            Value::Text(shared.texts.intern(&format!("{}-{number}", plan.name)))
        } else {
            key
        };
        let subscribers = plan.subscribers.len() as u32;
        ctx.observe(shared.texts.fingerprint(key));
        shared.note(Note::Message { intent, queue, what: Handover::Stored }, ctx);
        shared.metrics.happened(shared.metrics.queue(queue), ResourceEvent::Stored, 1);
        Stored { queue, lineage, intent, key, body, subscribers }
    }

    /// A stored message goes to one of its subscribers, for the first time.
    pub(super) fn deliver_to(
        &mut self,
        stored: &Stored,
        subscriber: u32,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<Request> {
        let Stored { queue, lineage, intent, key, body, .. } = *stored;
        let of = lineage;
        let lineage = mix(of, subscriber.into());
        shared.belongs(intent, lineage, of);
        let (id, entry) = self.deliveries.take();
        let entry_of = Delivery { queue, subscriber, lineage, intent, ..Delivery::default() };
        *entry = Delivery { key, body, begun: ctx.now(), ..entry_of };
        let held = shared.metrics.queue(queue);
        shared.metrics.change(held, Quantity::Lag, 1, ctx.now());
        let arose = shared.arose(intent, ctx.now());
        shared.metrics.called(entry.subscriber(&shared.plan).pair, arose, ctx.now());
        self.hand_out(id, shared, ctx)
    }

    /// The message that goes to its subscriber now; it is looked after again at the end of the
    /// visibility timeout. A broker that is down keeps it until then.
    fn hand_out(&mut self, id: DeliveryId, shared: &mut Shared, ctx: &mut Ctx) -> Option<Request> {
        let delivery = &mut self.deliveries[id];
        let Subscriber { actor, endpoint, pair } = delivery.subscriber(&shared.plan);
        let Delivery { queue, lineage, intent, key, body, .. } = *delivery;
        let plan = &shared.plan.queues[queue.index()];
        let (broker, visibility) = (plan.broker, plan.visibility);
        let handle = ctx.schedule_after(visibility, Event::Visible(id));
        delivery.timer = Some(handle);
        shared.arm(Some(intent), ctx.now() + visibility, handle, ctx);
        if shared.conditions[broker.index()].all.down {
            return None;
        }
        delivery.attempts += 1;
        delivery.awaited = true;
        let attempt = delivery.attempts;
        if attempt > 1 {
            shared.note(Note::Message { intent, queue, what: Handover::Again(attempt) }, ctx);
            shared.metrics.happened(shared.metrics.queue(queue), ResourceEvent::Redelivered, 1);
        }
        let arose = shared.arose(intent, ctx.now());
        shared.belongs(intent, mix(lineage, attempt.into()), lineage);
        shared.metrics.sent(pair, attempt > 1, arose, ctx.now());
        Some(Request {
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
            ..Request::default()
        })
    }

    /// A subscriber's answer arrives at its broker.
    pub(super) fn settle(
        &mut self,
        id: DeliveryId,
        answer: Answer,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let broker = self.broker_of(id, shared);
        let (Some(delivery), Some(broker)) = (self.deliveries.get_mut(id), broker) else { return };
        // A dead process hears nothing.
        if shared.conditions[broker.index()].all.down {
            return;
        }
        delivery.attempt_ended(answer.ending.into(), shared, ctx.now());
        if answer.fate() != Fate::Succeeded {
            return;
        }
        if let Some(timer) = delivery.timer {
            ctx.cancel(timer);
        }
        self.end(id, Fate::Succeeded, shared, ctx);
    }

    /// A message that nobody has acknowledged can be seen again: it is handed out once more, or
    /// it is dead.
    pub(super) fn visible(
        &mut self,
        id: DeliveryId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<Request> {
        let delivery = self.deliveries.get_mut(id)?;
        delivery.attempt_ended(HopEnding::TimedOut, shared, ctx.now());
        let Delivery { queue, intent, attempts, .. } = *delivery;
        if attempts < shared.plan.queues[queue.index()].attempts_max {
            return self.hand_out(id, shared, ctx);
        }
        shared.note(Note::Message { intent, queue, what: Handover::Dead }, ctx);
        shared.metrics.happened(shared.metrics.queue(queue), ResourceEvent::Dead, 1);
        self.end(id, Fate::Failed, shared, ctx);
        None
    }

    fn end(&mut self, id: DeliveryId, fate: Fate, shared: &mut Shared, ctx: &mut Ctx) {
        let Delivery { begun, queue, .. } = self.deliveries[id];
        let held = shared.metrics.queue(queue);
        shared.metrics.change(held, Quantity::Lag, -1, ctx.now());
        let pair = self.deliveries[id].subscriber(&shared.plan).pair;
        ctx.observe(mix(pair.0.into(), fate as u64));
        shared.metrics.call_ended(pair, fate, begun, ctx.now());
        self.deliveries.free(id);
    }

    /// The broker whose message a delivery is.
    pub(super) fn broker_of(&self, id: DeliveryId, shared: &Shared) -> Option<ActorId> {
        let delivery = self.deliveries.get(id)?;
        Some(shared.plan.queues[delivery.queue.index()].broker)
    }
}

impl Delivery {
    /// The latest attempt has ended, unless it had before: an answer that comes late is that of
    /// whichever attempt is awaited then.
    fn attempt_ended(&mut self, ending: HopEnding, shared: &mut Shared, now: Time) {
        if std::mem::take(&mut self.awaited) {
            shared.metrics.attempt_ended(self.subscriber(&shared.plan).pair, ending, now);
        }
    }

    fn subscriber(&self, plan: &Plan) -> Subscriber {
        plan.queues[self.queue.index()].subscribers[self.subscriber as usize]
    }
}

#[cfg(test)]
mod tests {
    use sim_core::Span;
    use sim_policies::Ending;

    use super::*;
    use crate::intent::Intent;
    use crate::plan::{EndpointId, Fault, PairId, QueuePlan};
    use crate::world::bench::{self, Bench};

    const BROKER: ActorId = ActorId(0);

    /// A broker with a queue whose one subscriber gets a message at most twice.
    fn bench() -> (Bench, Brokers) {
        let mut plan = bench::plan(vec![ActorKind::Broker]);
        let (actor, endpoint, pair) = (BROKER, EndpointId(0), PairId(0));
        plan.queues = vec![QueuePlan {
            name: "queue".to_owned(),
            broker: BROKER,
            subscribers: vec![Subscriber { actor, endpoint, pair }],
            visibility: Span::secs(30),
            attempts_max: 2,
        }];
        let brokers = Brokers::new(&plan);
        let mut bench = Bench::new(plan);
        bench.shared.intents.push(Intent::new(ActorId(0), 1, 1, Time::ZERO));
        (bench, brokers)
    }

    /// Publishes a message, which is handed out if the broker is up.
    fn publish(bench: &mut Bench, brokers: &mut Brokers) -> Option<Request> {
        let payload = Payload::Message(QueueId(0));
        let request = Request { to: BROKER, payload, ..Request::default() };
        bench.act(|shared, ctx| {
            let stored = brokers.store(&request, shared, ctx);
            assert_eq!((stored.receipt().ending, stored.subscribers), (Ending::Status(201), 1));
            brokers.deliver_to(&stored, 0, shared, ctx)
        })
    }

    /// What is handed out when the next visibility timeout ends.
    fn wait(bench: &mut Bench, brokers: &mut Brokers) -> Option<Request> {
        let Some((_, Event::Visible(id))) = bench.next() else { panic!("it is looked after") };
        bench.act(|shared, ctx| brokers.visible(id, shared, ctx))
    }

    #[test]
    fn a_message_is_handed_out_again_until_it_is_dead() {
        let (mut bench, mut brokers) = bench();
        let first = publish(&mut bench, &mut brokers).unwrap();
        let second = wait(&mut bench, &mut brokers).unwrap();
        assert_eq!((first.attempt, second.attempt), (1, 2));
        assert_ne!(first.lineage, second.lineage, "each attempt has luck of its own");
        assert!(wait(&mut bench, &mut brokers).is_none(), "it was the last attempt");
        assert!(bench.next().is_none());
    }

    #[test]
    fn only_a_success_acknowledges_a_message() {
        let (mut bench, mut brokers) = bench();
        let Sender::Delivery(id) = publish(&mut bench, &mut brokers).unwrap().sender else {
            panic!("a delivery waits for the answer")
        };
        for other in [302, 400, 404, 409, 422, 429, 500, 503, 504] {
            let answer = Answer::status(other);
            bench.act(|shared, ctx| brokers.settle(id, answer, shared, ctx));
            assert!(brokers.broker_of(id, &bench.shared).is_some(), "{other}");
        }
        let success = Answer::status(200);
        bench.act(|shared, ctx| brokers.settle(id, success, shared, ctx));
        assert!(brokers.broker_of(id, &bench.shared).is_none());
        assert!(bench.next().is_none(), "nobody looks after it any more");
    }

    #[test]
    fn a_broker_that_is_down_keeps_its_messages() {
        let (mut bench, mut brokers) = bench();
        bench.shared.conditions.impose(Fault::Outage { actor: BROKER, instance: None });
        assert!(publish(&mut bench, &mut brokers).is_none());
        bench.shared.conditions.clear();
        let message = wait(&mut bench, &mut brokers).expect("it is handed out late");
        assert_eq!(message.attempt, 1);
    }
}
