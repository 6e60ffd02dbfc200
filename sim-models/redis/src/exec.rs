//! One command at one instant on one node's rows: what every kind of command needs.

use super::command::{Command, Key};
use super::data::Data;
use super::expiry::Deadline;
use super::store::Row;
use super::{KvError, Reply};
use crate::value::{Texts, Value};

/// A reply, or the refusal of a command that has changed nothing.
pub(super) type Done = Result<Reply, KvError>;

/// Who asks, and so what becomes of an expired key.
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

/// A command that is being carried out.
pub(super) struct Exec<'a> {
    pub(super) rows: &'a mut Vec<Row>,
    pub(super) texts: &'a mut Texts,
    pub(super) now_ms: i64,
    pub(super) role: Role,
    /// The node has no memory left for what a script calls.
    pub(super) out_of_memory: bool,
    /// A script has called a write already, and is no longer stopped for want of memory.
    pub(super) has_written: bool,
    /// What replicas and files are told, when somebody wants to know.
    pub(super) log: Option<&'a mut Vec<Command>>,
    /// The command has changed something.
    pub(super) dirty: bool,
}

impl Exec<'_> {
    /// The row of a key that exists; notes that it was used.
    pub(super) fn live(&mut self, key: Key) -> Option<&mut Row> {
        let now_ms = self.now_ms;
        let row = self.peek(key)?;
        row.used(now_ms);
        Some(row)
    }

    /// The row of a key that exists; an expired one is removed here if its role allows it.
    pub(super) fn peek(&mut self, key: Key) -> Option<&mut Row> {
        let row = self.rows.get_mut(key.index())?;
        row.data.as_ref()?;
        if row.deadline.is_past(self.now_ms) && self.role != Role::Stream {
            if self.role == Role::Primary {
                row.clear();
                if let Some(log) = &mut self.log {
                    log.push(Command::Del { keys: key.into() });
                }
            }
            return None;
        }
        self.rows.get_mut(key.index())
    }

    /// The value of a key that exists.
    pub(super) fn get(&mut self, key: Key) -> Option<&mut Data> {
        self.live(key)?.data.as_mut()
    }

    /// Whether commands come from the primary, which has already decided what has expired.
    pub(super) fn follows(&self) -> bool {
        self.role == Role::Stream
    }

    /// A key's row, whether it exists or not.
    pub(super) fn row(&mut self, key: Key) -> &mut Row {
        let n = key.index();
        if n >= self.rows.len() {
            self.rows.resize_with(n + 1, Row::default);
        }
        &mut self.rows[n]
    }

    /// Writes a key with its deadline, whatever was there.
    pub(super) fn put(&mut self, key: Key, data: Data, deadline: Deadline) {
        let now_ms = self.now_ms;
        let row = self.row(key);
        row.data = Some(data);
        row.deadline = deadline;
        row.used(now_ms);
        self.changed(key);
    }

    /// Writes a new key that stays.
    pub(super) fn create(&mut self, key: Key, data: Data) {
        self.put(key, data, Deadline::NEVER);
    }

    /// Removes a key that has a row.
    pub(super) fn remove(&mut self, key: Key) {
        self.row(key).clear();
        self.dirty = true;
    }

    /// Tells those who watch the key (`signalModifiedKey` in `db.c`).
    pub(super) fn changed(&mut self, key: Key) {
        let row = self.row(key);
        row.changes = row.changes.wrapping_add(1);
        self.dirty = true;
    }

    /// A float as Redis prints it; a whole number as a number.
    pub(super) fn score(&mut self, score: f64) -> Value {
        let text = super::number::print_score(score);
        super::number::parse_int(&text)
            .map_or_else(|| Value::Text(self.texts.intern(&text)), Value::Int)
    }
}
