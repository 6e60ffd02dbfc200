//! Commands on keys of any type, and on the node as a whole.

use super::Reply;
use super::command::Key;
use super::exec::Exec;
use crate::value::Value;

impl Exec<'_> {
    pub(super) fn exists(&mut self, keys: &[Key]) -> Reply {
        Reply::Int(keys.iter().filter(|key| self.peek(**key).is_some()).count() as i64)
    }

    pub(super) fn del(&mut self, keys: &[Key]) -> Reply {
        let mut deleted = 0;
        for key in keys {
            if self.peek(*key).is_some() {
                self.remove(*key);
                deleted += 1;
            }
        }
        Reply::Int(deleted)
    }

    pub(super) fn kind(&mut self, key: Key) -> Reply {
        let data = self.peek(key).and_then(|row| row.data.as_ref());
        Reply::Status(data.map_or("none", |data| data.kind()))
    }

    pub(super) fn db_size(&self) -> Reply {
        Reply::Int(self.rows.iter().filter(|row| row.data.is_some()).count() as i64)
    }

    pub(super) fn flush_all(&mut self) -> Reply {
        for row in self.rows.iter_mut().filter(|row| row.data.is_some()) {
            row.clear();
        }
        self.dirty = true;
        Reply::Ok
    }

    /// Seconds and microseconds; the clock of a node goes by milliseconds.
    pub(super) fn time(&mut self) -> Reply {
        let (seconds, ms) = (self.now_ms.div_euclid(1000), self.now_ms.rem_euclid(1000));
        Reply::Array([seconds, ms * 1000].map(|n| Reply::Value(Value::Int(n))).into())
    }
}
