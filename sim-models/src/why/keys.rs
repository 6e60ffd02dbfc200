//! What became of a key: who wrote it, until when, and why it is not there.

use sim_core::{Span, Time};
use sim_redis::value::TextId;

use crate::log::Note;
use crate::plan::{ActorId, Fault, Plan};
use crate::run::Told;
use crate::trace::{By, Command, State};

/// The commands of a run, as the history of its keys.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    told: &'a Told,
    plan: &'a Plan,
}

/// What ends the time of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum End<'a> {
    /// A command removed it or wrote over it; its number stands before it.
    By(u32, &'a Command),
    /// Its lifetime was over.
    Expired(Time),
}

impl<'a> Keys<'a> {
    pub(super) fn new(told: &'a Told, plan: &'a Plan) -> Keys<'a> {
        Keys { told, plan }
    }

    fn command(self, number: u32) -> &'a Command {
        &self.told.trace.commands[number as usize]
    }

    /// The commands on a key before one, the latest first, each with how it left the key.
    fn before(self, number: u32, key: TextId) -> impl Iterator<Item = (&'a Command, State)> {
        let store = self.command(number).store;
        let commands = self.told.trace.commands[..number as usize].iter().rev();
        commands.filter_map(move |command| state_in(command, store, key))
    }

    /// Whether a key was there at any time before a command.
    pub(super) fn was_there(self, number: u32, key: TextId) -> bool {
        self.before(number, key).any(|(_, state)| is_there(state))
    }

    /// Whether a command leaves a key there.
    pub(super) fn is_there(self, number: u32, key: TextId) -> bool {
        is_there(state_of(self.command(number), key))
    }

    /// Until when a command leaves a key there, if that ends: `until 30.01s`.
    pub(super) fn until(self, number: u32, key: TextId) -> Option<String> {
        let command = self.command(number);
        let State::Present(Some(deadline)) = state_of(command, key) else { return None };
        Some(format!("until {}", instant(command, deadline)))
    }

    /// Why a key is absent for a command: `expired at 30.01s, which shopper-1 had set at 10ms`.
    pub(super) fn why_absent(self, number: u32, key: TextId) -> String {
        let now = self.command(number);
        let mut removed: Option<&Command> = None;
        let mut at_the_old: Option<&Command> = None;
        for (command, state) in self.before(number, key) {
            // What an old primary has written, the new one has not.
            if command.by == By::Old && now.by != By::Old {
                at_the_old = at_the_old.or(Some(command).filter(|_| is_there(state)));
                continue;
            }
            let State::Present(deadline) = state else {
                if command.writes {
                    removed = Some(command);
                }
                continue;
            };
            if !command.writes && removed.is_some() {
                continue;
            }
            let set = self.set_by(command, key);
            if let Some(remover) = removed
                && deadline.is_none_or(|deadline| remover.now_ms <= deadline)
            {
                let who = self.name(remover.intent);
                return format!("{who} had removed it at {}", remover.at);
            }
            if deadline.is_none_or(|deadline| now.now_ms <= deadline) {
                match now.by {
                    By::Replica(_) => return format!("the replica does not have it yet: {set}"),
                    By::Old => return format!("the old primary never had it: {set}"),
                    By::Primary => {}
                }
            }
            return match deadline {
                Some(deadline) if now.now_ms > deadline => {
                    let ago = Span::millis((now.now_ms - deadline).cast_unsigned());
                    let at = now.at.since(Time::ZERO).saturating_sub(ago);
                    format!("expired at {}: {set}", Time::ZERO + at)
                }
                _ => match self.loss(now.store, command.at, now.at) {
                    Some(loss) => format!("{loss}: {set}"),
                    None => format!("it is gone: {set}"),
                },
            };
        }
        match at_the_old {
            Some(command) => {
                format!("only the old primary has it: {}", self.set_by(command, key))
            }
            None => "nobody had set it".to_owned(),
        }
    }

    /// Who has a key that is there: `shopper-2 had set it at 10ms, until 30.01s`.
    pub(super) fn who_has(self, number: u32, key: TextId) -> Option<String> {
        let mut before = self.before(number, key);
        let (command, _) = before.find(|(command, state)| command.writes && is_there(*state))?;
        Some(self.set_by(command, key))
    }

    /// Who had set a key that was there for a command.
    fn set_by(self, command: &'a Command, key: TextId) -> String {
        let before = self.told.trace.commands.iter().rev();
        let before = before.skip_while(|other| !std::ptr::eq(*other, command));
        let mut writes = before.filter(|other| other.writes && other.by == command.by);
        let is_set = |other: &&Command| {
            state_in(other, command.store, key).is_some_and(|(_, state)| is_there(state))
        };
        let command = writes.find(is_set).unwrap_or(command);
        let State::Present(deadline) = state_of(command, key) else { return String::new() };
        let verb = if command.writes { "had set it" } else { "had seen it" };
        let until = match deadline {
            Some(deadline) => format!(", until {}", instant(command, deadline)),
            None => String::new(),
        };
        format!("{} {verb} at {}{until}", self.name(command.intent), command.at)
    }

    /// How the time of a key ends that a command has set, if it does.
    pub(super) fn end(self, number: u32, key: TextId) -> Option<End<'a>> {
        let command = self.command(number);
        let State::Present(deadline) = state_of(command, key) else { return None };
        let later = (0..).zip(&self.told.trace.commands).skip(number as usize + 1);
        let later =
            later.filter_map(|(n, other)| Some((n, other, state_in(other, command.store, key)?.1)));
        for (n, other, state) in later {
            if deadline.is_some_and(|deadline| other.now_ms > deadline) {
                break;
            }
            let is_changed = state != State::Present(deadline);
            if other.writes && other.by == By::Primary && is_changed {
                return Some(End::By(n, other));
            }
        }
        deadline.map(|deadline| End::Expired(instant(command, deadline)))
    }

    /// What a store lost or forgot within a time.
    fn loss(self, store: ActorId, from: Time, to: Time) -> Option<String> {
        let within = self.told.notes.iter().filter(|(at, ..)| *at >= from && *at <= to);
        let texts = &self.told.texts;
        let of = |note: &Note| match *note {
            Note::StoreLost { store: of, .. } | Note::Evicted { store: of, .. } if of == store => {
                Some(note.sentence(self.plan, texts).what)
            }
            Note::Struck { fault, .. } => match self.plan.faults[fault.index()].fault {
                Fault::Flush { store: of, .. } if of == store => Some("flushed".to_owned()),
                Fault::Crash { actor, .. } if actor == store => {
                    Some("the store crashed".to_owned())
                }
                _ => None,
            },
            _ => None,
        };
        within.rev().find_map(|(at, _, note)| Some(format!("{} at {at}", of(note)?)))
    }

    fn name(self, intent: u32) -> String {
        self.told.intents.name(self.plan, intent)
    }
}

/// When a store's clock shows a reading, if nobody sets it.
fn instant(command: &Command, deadline: i64) -> Time {
    let left = Span::millis((deadline - command.now_ms).max(0).cast_unsigned());
    command.at + left
}

fn is_there(state: State) -> bool {
    matches!(state, State::Present(_))
}

fn state_in(command: &Command, store: ActorId, key: TextId) -> Option<(&Command, State)> {
    let of = command.keys.iter().find(|(other, _)| *other == key);
    of.filter(|_| command.store == store).map(|(_, state)| (command, *state))
}

fn state_of(command: &Command, key: TextId) -> State {
    let of = command.keys.iter().find(|(other, _)| *other == key);
    of.map_or(State::Absent, |(_, state)| *state)
}
