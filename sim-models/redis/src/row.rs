//! A node's keys as a table: one row for each text up to its highest key.
//!
//! Keys are interned, so that no order of hashes exists and a known key costs no search.

use crate::data::Data;
use crate::expiry::Deadline;
use crate::value::Key;

/// What the node has under one key.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) data: Option<Data>,
    pub(crate) deadline: Deadline,
    /// How often the key has been changed; stays when the key is removed.
    pub(crate) changes: u32,
    /// How many of these changes left no key.
    pub(crate) removals: u32,
    /// When it was last used, in seconds of the node's clock, as precise as Redis keeps it.
    pub(crate) used_s: u32,
    /// How often it was used.
    pub(crate) uses: u32,
}

/// A row is 40 bytes: a million keys stay cheap.
const _: () = assert!(size_of::<Row>() == 40);

impl Row {
    pub(crate) const EMPTY: Row =
        Row { data: None, deadline: Deadline::NEVER, changes: 0, removals: 0, used_s: 0, uses: 0 };

    /// Whether a key is here, be it one that has expired and that nobody has touched since.
    pub(crate) fn is_taken(&self) -> bool {
        self.data.is_some()
    }

    /// Whether a key is here that has expired.
    pub(crate) fn has_expired(&self, now_ms: i64) -> bool {
        self.is_taken() && self.deadline.is_past(now_ms)
    }

    pub(crate) fn used(&mut self, now_ms: i64) {
        self.used_s = (now_ms / 1000) as u32;
        self.uses = self.uses.saturating_add(1);
    }

    /// Gives a new key its first value, before the command says that it has changed something.
    pub(crate) fn start(&mut self, data: Data) {
        self.data = Some(data);
        self.deadline = Deadline::NEVER;
        self.uses = 1;
    }

    /// Removes the key as part of a change that the command counts.
    pub(crate) fn vanish(&mut self) {
        self.data = None;
        self.deadline = Deadline::NEVER;
        self.uses = 0;
        self.removals = self.removals.wrapping_add(1);
    }

    /// Removes the key.
    pub(crate) fn clear(&mut self) {
        self.vanish();
        self.changes = self.changes.wrapping_add(1);
    }
}

/// The rows of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    /// A key's row, if the table has grown that far.
    pub(crate) fn get(&self, key: Key) -> Option<&Row> {
        self.0.get(key.index())
    }

    /// As [`Rows::get`], to be written in.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Row> {
        self.0.get_mut(key.index())
    }

    /// A key's row, whether the key exists or not; the table grows for it.
    pub(crate) fn of(&mut self, key: Key) -> &mut Row {
        let n = key.index();
        if n >= self.0.len() {
            self.0.resize_with(n + 1, || Row::EMPTY);
        }
        &mut self.0[n]
    }

    /// The rows that hold a key, in the order of their ids.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (Key, &Row)> {
        let numbered = self.0.iter().enumerate().filter(|(_, row)| row.is_taken());
        numbered.map(|(n, row)| (Key::at(n), row))
    }

    /// As [`Rows::taken`], to be written in.
    pub(crate) fn taken_mut(&mut self) -> impl Iterator<Item = (Key, &mut Row)> {
        let numbered = self.0.iter_mut().enumerate().filter(|(_, row)| row.is_taken());
        numbered.map(|(n, row)| (Key::at(n), row))
    }

    /// How many rows the table has, taken or not.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The memory held by the table, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Row>()
    }
}
