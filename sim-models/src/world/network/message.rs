//! What travels: a request with whoever waits for its answer, and the answer.

use sim_core::{Span, Time, mix};
use sim_policies::{Advice, Ending, Fate};
use sim_redis::value::Value;

use crate::plan::{ActorId, EndpointId, KindId, KvOp, Node, PairId, QueueId, Reg};
use crate::pool::Id;
use crate::trace::{Asks, Message};
use crate::world::ids::{CallId, DeliveryId, TaskId};

/// One attempt's message.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(in crate::world) from: ActorId,
    /// Which of the sender's instances waits for the answer.
    pub(in crate::world) from_instance: u32,
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
    /// It has arrived, and counts.
    pub(in crate::world) has_arrived: bool,
    /// Its service's balancer has given it an instance.
    pub(in crate::world) placed: bool,
    /// A copy that goes to this instance, whatever the balancer says.
    pub(in crate::world) aimed: Option<u32>,
    /// At which instance of its service, and the task that works on it.
    pub(in crate::world) instance: u32,
    pub(in crate::world) task: TaskId,
    /// For how long a worker has worked on it.
    pub(in crate::world) worked: Span,
    pub(in crate::world) answer: Answer,
    /// Set when an answer is on its way.
    pub(in crate::world) answered: bool,
    /// An actor written in Rust has it, and no answer has gone out.
    pub(in crate::world) held: bool,
    /// It stands before an instance that is paused.
    pub(in crate::world) stands_outside: bool,
    /// It was accepted, and will have no answer.
    pub(in crate::world) hangs: bool,
    /// The network made it of another one.
    pub(in crate::world) is_copy: bool,
}

impl Request {
    /// The instance that it was given, if it was.
    pub(in crate::world) fn at(&self) -> Option<u32> {
        self.placed.then_some(self.instance)
    }

    /// What a trace keeps of it as it is sent.
    pub(in crate::world) fn message(&self) -> Message {
        let asks = match (self.payload, &self.order) {
            (Payload::Endpoint(endpoint), _) => Asks::Endpoint(endpoint),
            (Payload::Message(queue), _) => Asks::Queue(queue),
            (Payload::Custom { endpoint }, _) => Asks::Custom(endpoint),
            (Payload::Command, order) => {
                let order = order.as_deref().expect("a command is on its way to its store");
                Asks::Command(Box::new(order.op.clone()), order.from)
            }
        };
        Message {
            lineage: self.lineage,
            intent: self.intent,
            from: (self.from, Some(self.from_instance)),
            to: (self.to, None),
            attempt: self.attempt,
            asks,
            key: self.key,
            is_copy: self.is_copy,
            answer: None,
            awaited_until: None,
            command: None,
        }
    }

    /// The endpoint that it asks, if it asks one of a service.
    pub(in crate::world) fn endpoint(&self) -> Option<EndpointId> {
        match self.payload {
            Payload::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }
}

/// A command on its way to a store.
#[derive(Clone, Debug)]
pub(in crate::world) struct Order {
    pub(in crate::world) op: Op,
    pub(in crate::world) from: Node,
    /// The run of a program that sends it, which is what a connection is to Redis.
    pub(in crate::world) execution: i64,
}

/// A command whose arguments are known.
pub(in crate::world) type Op = KvOp<Value, KindId>;

/// Who waits for a request's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::world) enum Sender {
    Call(CallId),
    Delivery(DeliveryId),
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
    /// An earlier attempt of the same call ended in doubt: it may have done the work, however
    /// this one ended.
    pub in_doubt: bool,
    /// A fallback gave it, or an answer on which it rests.
    pub by_fallback: bool,
}

impl Answer {
    /// An answer without content.
    pub(crate) fn status(status: u16) -> Answer {
        Answer::bare(Ending::Status(status))
    }

    /// An ending without content.
    pub(in crate::world) fn bare(ending: Ending) -> Answer {
        let (body, headers, advice) = (Value::Nil, Value::Nil, Advice::None);
        Answer { ending, body, headers, advice, in_doubt: false, by_fallback: false }
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
            from_instance: 0,
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
            has_arrived: false,
            placed: false,
            aimed: None,
            instance: 0,
            task: Id::default(),
            worked: Span::ZERO,
            answer: Answer::status(500),
            answered: false,
            held: false,
            stands_outside: false,
            hangs: false,
            is_copy: false,
        }
    }
}

/// What one request may send over the network: each draws its luck from a place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Leg {
    /// The request, to its callee.
    Out,
    /// The answer, to its caller.
    Back,
    /// A second request for the same attempt, whose legs come below this.
    Twin,
    /// The word that the caller has stopped waiting.
    Disconnect,
    /// The last of the request's way, from the balancer to an instance.
    Instance,
    /// What a command has written, to other regions: one place below this for each try.
    Copy,
}

impl Leg {
    /// The place of a leg within its request's lineage. These numbers address luck.
    pub(in crate::world) fn of(self, lineage: u64) -> u64 {
        let leg = match self {
            Leg::Out => 1 << 32,
            Leg::Back => 2 << 32,
            Leg::Twin => 3,
            Leg::Disconnect | Leg::Copy => 4,
            Leg::Instance => 5,
        };
        mix(lineage, leg)
    }
}

/// What may be concluded from an ending after attempts in doubt: only a success removes doubt.
pub(in crate::world) fn conclude(ending: Ending, in_doubt: bool) -> Fate {
    match ending.fate() {
        Fate::Failed if in_doubt => Fate::Unknown,
        fate => fate,
    }
}
