//! Keys as wholes: taken out, put back, removed because they have expired.
//!
//! For those who keep a store in step with others, or undo what they did; no client can do this.

use crate::command::Command;
use crate::row::Row;
use crate::store::Store;
use crate::value::Key;

/// All that a node has under one key, the memory of its changes included.
#[derive(Clone, Debug)]
pub struct Snapshot(Row);

impl Store {
    /// What is under a key now, whether it has expired or not.
    pub fn snapshot(&self, key: Key) -> Snapshot {
        Snapshot(self.rows.get(key).unwrap_or(&Row::EMPTY).clone())
    }

    /// Puts back what was under a key; those who watch it notice nothing.
    pub fn restore(&mut self, key: Key, snapshot: Snapshot) {
        *self.rows.of(key) = snapshot.0;
    }

    /// Gives a key what another node has under it: a change as any other.
    pub fn adopt(&mut self, key: Key, snapshot: &Snapshot) {
        let row = self.rows.of(key);
        row.clear();
        let Row { changes, removals, .. } = *row;
        *row = Row { changes, removals, ..snapshot.0.clone() };
    }

    /// Removes all that has expired at `now_ms`, as active expiry does. Returns what a replica
    /// hears.
    pub fn expire_all(&mut self, now_ms: i64) -> Vec<Command> {
        let expired = self.rows.taken_mut().filter(|(_, row)| row.deadline.is_past(now_ms));
        let removed = expired.map(|(key, row)| {
            row.clear();
            Command::del(key)
        });
        removed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Texts, Value};
    use crate::{Condition, Expiry, StringCommand, Unit};

    fn set(key: Key, value: i64, ms: i64) -> Command {
        let expiry = Expiry::In(ms, Unit::Millis);
        let (value, condition) = (Value::Int(value), Condition::Always);
        StringCommand::Set { key, value, condition, get: false, expiry }.into()
    }

    #[test]
    fn who_watches_notices_what_is_adopted_and_not_what_is_put_back() {
        let (mut texts, mut store) = (Texts::default(), Store::default());
        let key = texts.intern("k");
        store.apply(0, &set(key, 1, 50), &mut texts);
        let before = store.clone();
        let watched = store.watch(key, 0);
        let snapshot = store.snapshot(key);
        store.apply(0, &set(key, 2, 90), &mut texts);
        store.restore(key, snapshot.clone());
        assert!(store == before && store.is_unchanged(&watched, 0));
        store.adopt(key, &snapshot);
        assert!(store == before && !store.is_unchanged(&watched, 0));
    }

    #[test]
    fn active_expiry_removes_what_no_clock_brings_back() {
        let (mut texts, mut store) = (Texts::default(), Store::default());
        let [soon, late] = ["soon", "late"].map(|key| texts.intern(key));
        store.apply(0, &set(soon, 1, 50), &mut texts);
        store.apply(0, &set(late, 1, 60), &mut texts);
        assert_eq!(store.expire_all(50), [], "a key lives through its last millisecond");
        assert_eq!(store.expire_all(51), [Command::del(soon)]);
        assert_eq!(store.len(0), 1);
    }
}
