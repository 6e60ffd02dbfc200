//! Calls that a timeout leaves behind: whoever made them goes on, and they work, retry and hold their
//! permits until they end on their own.
//!
//! Such a call gets a task of its own, so that a crash of its process finds it. Nobody wants its
//! answer, and it counts as what its caller made of it.

use super::{Stack, Walk};
use crate::log::Note;
use crate::world::ids::{CallId, TaskId};
use crate::world::nth;

/// Tells the lineage of a call that was left behind from that of its caller.
const LEFT: u64 = 2;

impl Stack {
    /// The next call that was left behind, and the task that had made it.
    pub(in crate::world) fn next_left(&mut self) -> Option<(CallId, TaskId)> {
        let id = self.left.pop()?;
        Some((id, self.calls[id].task))
    }

    /// Gives a call that was left behind a task of its own.
    pub(in crate::world) fn give_to(&mut self, id: CallId, task: TaskId) {
        self.calls[id].task = task;
    }
}

impl Walk<'_> {
    /// A part of the call goes on without it. Its further attempts draw luck of their own, since
    /// those of its caller have the same numbers.
    pub(super) fn leave_behind(&mut self, child: CallId) {
        let sent = self.stack.calls[self.stack.whole(child)].sent;
        let task = self.stack.calls[self.stack.root(child)].task;
        let of = self.stack.lineage_of(child);
        let call = &mut self.stack.calls[child];
        let lineage = nth(call.lineage, LEFT, sent);
        (call.parent, call.is_left, call.task) = (None, true, task);
        (call.sent, call.lineage) = (sent, lineage);
        self.stack.left.push(child);
        let (intent, pair) = self.whose();
        self.shared.belongs(intent, lineage, of);
        self.shared.note(Note::LeftBehind { intent, pair }, self.ctx);
    }
}
