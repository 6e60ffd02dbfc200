//! The messages, calls and store commands of some intents, kept for who asks why, or draws them.
//!
//! What was decided stands in the log.
//!
//! A run keeps them only when it is asked to; it changes nothing about the run.

use std::collections::BTreeMap;

use sim_core::Time;
use sim_policies::{Ending, Fate};
use sim_redis::value::{TextId, Value};

use crate::log::Loss;
use crate::plan::{ActorId, EndpointId, KindId, KvOp, Node, PairId, QueueId};

/// A trace with more events than this is no story any more.
const EVENTS_MAX: usize = 1_000_000;

/// An actor, and its instance where one is known.
pub(crate) type Place = (ActorId, Option<u32>);

/// What happened to some intents, and every command that their stores carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// Whose messages are kept: the first so many intents, and these, in order.
    first: u32,
    intents: Vec<u32>,
    /// Submissions and calls, each from its beginning to its end.
    pub spells: Vec<Spell>,
    spell_of: BTreeMap<u64, u32>,
    /// What each thing belongs to, by lineages: an attempt to its call, a branch to its task.
    pub parents: BTreeMap<u64, u64>,
    /// A bound has left something out.
    pub is_cut: bool,
    pub messages: Vec<Message>,
    by_lineage: BTreeMap<u64, u32>,
    pub commands: Vec<Command>,
    pub events: Vec<Event>,
}

/// Something that lasts: a submission, or a call over all its attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spell {
    pub lineage: u64,
    pub intent: u32,
    pub what: Lasting,
    pub begun: Time,
    /// When it ended and how, if it did.
    pub ended: Option<(Time, SpellEnd)>,
}

/// What lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lasting {
    Submission(u32),
    Call { pair: PairId, instance: u32 },
}

/// How it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SpellEnd {
    /// Of a submission: the user is told.
    Told(Fate),
    /// Of a call: what its caller may conclude.
    Ended(Ending, Fate),
    /// Nobody wants to know any more.
    Abandoned,
}

/// One attempt's message and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub lineage: u64,
    pub intent: u32,
    pub from: Place,
    pub to: Place,
    pub attempt: u32,
    pub asks: Asks,
    pub key: Value,
    /// The network made a second one of it.
    pub is_copy: bool,
    pub answer: Option<(Ending, Value)>,
    /// When its sender stopped waiting: the answer had come, or a timeout was over.
    pub awaited_until: Option<Time>,
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
    /// One that keeps what happens to the first so many intents, and to these.
    pub(crate) fn of(first: u32, mut intents: Vec<u32>) -> Trace {
        intents.sort_unstable();
        Trace { first, intents, ..Trace::default() }
    }

    pub(crate) fn keeps(&self, intent: u32) -> bool {
        intent < self.first || self.intents.binary_search(&intent).is_ok()
    }

    /// One thing belongs to another.
    pub(crate) fn belongs(&mut self, child: u64, parent: u64) {
        if self.parents.len() < EVENTS_MAX {
            self.parents.insert(child, parent);
        }
    }

    /// A submission or a call begins.
    pub(crate) fn begins(&mut self, spell: Spell) {
        if self.spells.len() < EVENTS_MAX {
            self.spell_of.insert(spell.lineage, self.spells.len() as u32);
            self.spells.push(spell);
        } else {
            self.is_cut = true;
        }
    }

    /// A submission or a call ends.
    pub(crate) fn ends(&mut self, lineage: u64, at: Time, how: SpellEnd) {
        if let Some(&spell) = self.spell_of.get(&lineage) {
            self.spells[spell as usize].ended.get_or_insert((at, how));
        }
    }

    /// The place of a message among all, by its lineage.
    pub(crate) fn message_of(&self, lineage: u64) -> Option<u32> {
        self.by_lineage.get(&lineage).copied()
    }

    /// The place of a submission or a call among all, by its lineage.
    pub(crate) fn spell_of(&self, lineage: u64) -> Option<u32> {
        self.spell_of.get(&lineage).copied()
    }

    /// The sender of a message stops waiting.
    pub(crate) fn awaits_no_more(&mut self, lineage: u64, at: Time) {
        if let Some(&message) = self.by_lineage.get(&lineage) {
            self.messages[message as usize].awaited_until.get_or_insert(at);
        }
    }

    /// A message leaves its sender.
    pub(crate) fn sent(&mut self, lineage: u64, when: When, message: impl FnOnce() -> Message) {
        if self.events.len() >= EVENTS_MAX {
            self.is_cut = true;
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
        } else {
            self.is_cut = true;
        }
    }
}
