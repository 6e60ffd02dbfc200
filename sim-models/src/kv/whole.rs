//! Keys as wholes: taken out, put back, removed because they have expired.
//!
//! For those who keep a store in step with others, or undo what they did; no client can do this.

use super::command::{Command, Key};
use super::store::{Row, Store};

/// All that a node has under one key, the memory of its changes included.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(Row);

/// How a key is used, for those who must choose which one goes.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The key.
    pub key: Key,
    /// When it ends, in milliseconds of the node's clock.
    pub deadline: Option<i64>,
    /// When it was last used, in whole seconds of the node's clock.
    pub used_s: u32,
    /// How often it was used.
    pub uses: u32,
}

impl Store {
    /// All keys that exist at `now_ms`, in the order in which their texts first came up.
    pub fn usages(&self, now_ms: i64) -> impl Iterator<Item = Usage> {
        let is_live = move |row: &Row| row.data.is_some() && !row.deadline.is_past(now_ms);
        let numbered = self.rows.iter().enumerate().filter(move |(_, row)| is_live(row));
        numbered.map(|(n, row)| Usage {
            key: Key::nth(n),
            deadline: row.deadline.ms(),
            used_s: row.used_s,
            uses: row.uses,
        })
    }

    /// What is under a key now, whether it has expired or not.
    pub fn snapshot(&self, key: Key) -> Snapshot {
        Snapshot(self.rows.get(key.index()).cloned().unwrap_or_default())
    }

    /// Puts back what was under a key; those who watch it notice nothing.
    pub fn restore(&mut self, key: Key, snapshot: Snapshot) {
        self.grow(key);
        self.rows[key.index()] = snapshot.0;
    }

    /// Gives a key what another node has under it: a change as any other.
    pub fn adopt(&mut self, key: Key, snapshot: &Snapshot) {
        self.grow(key);
        let row = &mut self.rows[key.index()];
        let changes = row.changes.wrapping_add(1);
        *row = Row { changes, ..snapshot.0.clone() };
    }

    /// Removes all that has expired at `now_ms`, as active expiry does, and adds to `log` what a
    /// replica must carry out.
    pub fn expire_all(&mut self, now_ms: i64, log: &mut Vec<Command>) {
        for key in self.keys_where(|row| row.deadline.is_past(now_ms)) {
            self.rows[key.index()].clear();
            log.push(Command::Del { keys: key.into() });
        }
    }

    fn keys_where(&self, is: impl Fn(&Row) -> bool) -> Vec<Key> {
        let held = |row: &Row| row.data.is_some() && is(row);
        let numbered = self.rows.iter().enumerate();
        numbered.filter(|(_, row)| held(row)).map(|(n, _)| Key::nth(n)).collect()
    }

    fn grow(&mut self, key: Key) {
        if key.index() >= self.rows.len() {
            self.rows.resize_with(key.index() + 1, Row::default);
        }
    }
}
