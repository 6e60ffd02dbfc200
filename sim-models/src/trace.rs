//! The messages and store commands of some intents, kept for who asks why.
//!
//! What was decided stands in the log.
//!
//! A run keeps them only when it is asked to; it changes nothing about the run.

use std::collections::BTreeMap;

use sim_core::Time;
use sim_policies::Ending;
use sim_redis::value::{TextId, Value};

use crate::log::Loss;
use crate::plan::{ActorId, EndpointId, KindId, KvOp, Node, QueueId};

/// A trace with more events than this is no story any more.
const EVENTS_MAX: usize = 1_000_000;

/// An actor, and its instance where one is known.
pub(crate) type Place = (ActorId, Option<u32>);

/// What happened to some intents, and every command that their stores carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// Whose messages are kept; everybody's would be a load test.
    intents: Vec<u32>,
    pub messages: Vec<Message>,
    by_lineage: BTreeMap<u64, u32>,
    pub commands: Vec<Command>,
    pub events: Vec<Event>,
}

/// One attempt's message and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub intent: u32,
    pub from: Place,
    pub to: Place,
    pub attempt: u32,
    pub asks: Asks,
    pub key: Value,
    /// The network made a second one of it.
    pub is_copy: bool,
    pub answer: Option<(Ending, Value)>,
    /// For a command: where its record stands among those carried out.
    pub command: Option<u32>,
}

/// What a message asks for.
#[derive(Clone, Debug)]
pub(crate) enum Asks {
    Endpoint(EndpointId),
    Queue(QueueId),
    Custom(Value),
    Command(Box<KvOp<Value, KindId>>, Node),
}

/// A command that a store has carried out, whoever sent it.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub at: Time,
    /// The store's clock.
    pub now_ms: i64,
    pub store: ActorId,
    pub by: By,
    pub intent: u32,
    /// It has written or removed; one that was refused leaves all as it was.
    pub writes: bool,
    /// Why it was refused.
    pub error: Option<String>,
    /// How it leaves each key that it names.
    pub keys: Vec<(TextId, State)>,
}

/// Who has carried a command out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Primary,
    /// A primary that a replica has replaced.
    Old,
    Replica(u32),
}

/// How a command leaves a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Absent,
    /// Until this reading of the store's clock, if it ends.
    Present(Option<i64>),
}

/// Something happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub at: Time,
    pub step: u64,
    /// So many notes had been written into the log before.
    pub notes: u64,
    pub what: What,
}

/// What happened; numbers are those of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Sent(u32),
    Arrived(u32),
    Answered(u32),
    Returned { message: u32, is_wanted: bool },
    Lost(u32, Loss),
}

/// What the world says of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    Arrived(Option<u32>),
    Answered(Ending, Value),
    /// The answer is at its caller, which may have stopped waiting for it.
    Returned {
        is_wanted: bool,
    },
    Lost(Loss),
}

/// When something happened, as the log counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    pub at: Time,
    pub step: u64,
    pub notes: u64,
}

impl Trace {
    /// One that keeps what happens to these intents.
    pub(crate) fn of(intents: Vec<u32>) -> Trace {
        Trace { intents, ..Trace::default() }
    }

    pub(crate) fn keeps(&self, intent: u32) -> bool {
        self.intents.contains(&intent)
    }

    /// A message leaves its sender.
    pub(crate) fn sent(&mut self, lineage: u64, when: When, message: impl FnOnce() -> Message) {
        if self.events.len() >= EVENTS_MAX {
            return;
        }
        let number = self.messages.len() as u32;
        self.messages.push(message());
        self.by_lineage.insert(lineage, number);
        self.push(when, What::Sent(number));
    }

    /// Something happens to a message that was sent.
    pub(crate) fn message(&mut self, lineage: u64, when: When, stage: Stage) {
        let Some(&number) = self.by_lineage.get(&lineage) else { return };
        let message = &mut self.messages[number as usize];
        let what = match stage {
            Stage::Arrived(instance) => {
                message.to.1 = instance;
                What::Arrived(number)
            }
            Stage::Answered(ending, body) => {
                message.answer = Some((ending, body));
                What::Answered(number)
            }
            Stage::Returned { is_wanted } => What::Returned { message: number, is_wanted },
            Stage::Lost(loss) => What::Lost(number, loss),
        };
        self.push(when, what);
    }

    /// A store has carried out a command.
    pub(crate) fn command(&mut self, lineage: u64, command: Command) {
        if self.commands.len() >= EVENTS_MAX {
            return;
        }
        if let Some(&message) = self.by_lineage.get(&lineage) {
            self.messages[message as usize].command = Some(self.commands.len() as u32);
        }
        self.commands.push(command);
    }

    fn push(&mut self, when: When, what: What) {
        let When { at, step, notes } = when;
        if self.events.len() < EVENTS_MAX {
            self.events.push(Event { at, step, notes, what });
        }
    }
}
