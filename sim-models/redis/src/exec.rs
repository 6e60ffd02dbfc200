//! One command at one instant on one node's rows: what every kind of command needs.

use crate::command::Command;
use crate::command::key::KeyCommand;
use crate::data::Data;
use crate::expiry::Deadline;
use crate::reply::{KvError, Reply};
use crate::row::{Row, Rows};
use crate::value::{Key, Texts};

/// A reply, or the refusal of a command that has changed nothing.
pub(crate) type Done = Result<Reply, KvError>;

/// Who asks, and so what happens to an expired key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A client of a primary: the key is removed when it is touched.
    #[default]
    Primary,
    /// A client of a replica: the key is not shown, and stays until the primary removes it.
    Replica,
    /// The primary, to its replica: the key is there until the primary says that it is not.
    Stream,
}

/// What a node can do at the moment, and who hears of it.
#[derive(Debug, Default)]
pub struct Mode<'a> {
    /// Whose command it is.
    pub role: Role,
    /// No memory is left.
    pub out_of_memory: bool,
    /// Fewer replicas are heard of than `min-replicas-to-write` asks for.
    pub few_replicas: bool,
    /// Gets what a replica or an append-only file must carry out to end with the same keys. That is
    /// writes only, with absolute deadlines, `DEL` for what has expired, and the single writes of a
    /// script.
    pub log: Option<&'a mut Vec<Command>>,
}

/// A command that is being carried out.
pub(crate) struct Exec<'a> {
    pub(crate) rows: &'a mut Rows,
    /// Counts the keys that are removed because they have expired.
    pub(crate) expired: &'a mut u64,
    pub(crate) texts: &'a mut Texts,
    /// The node's wall clock.
    pub(crate) now_ms: i64,
    pub(crate) mode: Mode<'a>,
    /// A script has called a write already, and want of memory does not stop it any more.
    pub(crate) has_written: bool,
    /// The command has changed something that is not in the log yet.
    pub(crate) dirty: bool,
}

impl Exec<'_> {
    /// The row of a key that exists; notes that it was used.
    pub(crate) fn live(&mut self, key: Key) -> Option<&mut Row> {
        let now_ms = self.now_ms;
        let row = self.peek(key)?;
        row.used(now_ms);
        Some(row)
    }

    /// The row of a key that exists; an expired one is removed here if its role allows it.
    pub(crate) fn peek(&mut self, key: Key) -> Option<&mut Row> {
        let row = self.rows.get_mut(key)?;
        row.data.as_ref()?;
        if row.deadline.is_past(self.now_ms) && self.mode.role != Role::Stream {
            if self.mode.role == Role::Primary {
                row.clear();
                *self.expired += 1;
                if let Some(log) = &mut self.mode.log {
                    log.push(Command::del(key));
                }
            }
            return None;
        }
        self.rows.get_mut(key)
    }

    /// The value of a key that exists.
    pub(crate) fn get(&mut self, key: Key) -> Option<&mut Data> {
        self.live(key)?.data.as_mut()
    }

    /// The value to be written in, a new one if the key is missing; it shall not stay empty.
    pub(crate) fn get_or_start(&mut self, key: Key, new: fn() -> Data) -> &mut Data {
        if self.live(key).is_none() {
            self.rows.of(key).start(new());
        }
        self.rows.of(key).data.as_mut().expect("a key that exists")
    }

    /// Writes a key with its deadline, whatever was there.
    pub(crate) fn put(&mut self, key: Key, data: Data, deadline: Deadline) {
        let now_ms = self.now_ms;
        let row = self.rows.of(key);
        row.data = Some(data);
        row.deadline = deadline;
        row.used(now_ms);
        self.changed(key);
    }

    /// Writes a new key that stays.
    pub(crate) fn create(&mut self, key: Key, data: Data) {
        self.put(key, data, Deadline::NEVER);
    }

    /// Another value for a key that exists; its deadline stays.
    pub(crate) fn replace(&mut self, key: Key, data: Data) {
        self.rows.of(key).data = Some(data);
        self.changed(key);
    }

    /// Removes a key that has a row.
    pub(crate) fn remove(&mut self, key: Key) {
        self.rows.of(key).clear();
        self.dirty = true;
    }

    /// Counts a change for those who watch the key (`signalModifiedKey` in `db.c`).
    pub(crate) fn changed(&mut self, key: Key) {
        let row = self.rows.of(key);
        row.changes = row.changes.wrapping_add(1);
        self.dirty = true;
    }

    /// A collection has lost something; an empty one is not a key any more.
    pub(crate) fn shrunk(&mut self, key: Key) {
        self.changed(key);
        let row = self.rows.of(key);
        if row.data.as_ref().is_some_and(Data::is_empty) {
            row.vanish();
        }
    }

    /// Gives a key that exists a deadline, or removes it when that is not in the future. The
    /// primary has decided that for its replica already.
    pub(crate) fn end_at(&mut self, key: Key, when_ms: i64) {
        if when_ms <= self.now_ms && self.mode.role != Role::Stream {
            self.remove(key);
            self.log_instead(|| Command::del(key));
        } else {
            self.rows.of(key).deadline = Deadline::at_ms(when_ms);
            self.changed(key);
            self.log_instead(|| KeyCommand::pexpireat(key, when_ms).into());
        }
    }

    /// Takes the deadline of a key away; whether there was one.
    pub(crate) fn persist(&mut self, key: Key) -> bool {
        let Some(row) = self.live(key) else { return false };
        if row.deadline == Deadline::NEVER {
            return false;
        }
        row.deadline = Deadline::NEVER;
        self.changed(key);
        self.log_instead(|| KeyCommand::Persist { key }.into());
        true
    }

    /// Logs this in place of the command that is being carried out: it leaves the same keys
    /// whenever a replica comes to it.
    pub(crate) fn log_instead(&mut self, command: impl FnOnce() -> Command) {
        if let Some(log) = &mut self.mode.log {
            log.push(command());
        }
        self.dirty = false;
    }
}
