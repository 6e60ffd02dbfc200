//! Several commands at one instant: `Watch` and `Multi` as Redis has them, and `Transaction`, in
//! which all of them happen or none.

use std::collections::BTreeMap;

use sim_redis::value::Value;
use sim_redis::{Key, KvError, Reply, Watched};

use crate::ledger::Deed;
use crate::plan::{ActorId, KvOp, builtin};
use crate::pool::Id;
use crate::world::network::Request;
use crate::world::store::Order;
use crate::world::store::command::{self, Op};
use crate::world::{Ctx, World};

/// The keys that executions watch at one store.
#[derive(Debug, Default)]
pub(in crate::world) struct Watches {
    /// By execution: `None` when the store has begun anew since.
    by_execution: BTreeMap<i64, Vec<Option<Watched>>>,
    /// How many executions may watch before those that are gone are looked for.
    swept_at: usize,
}

impl Watches {
    /// The store's process is another one: whatever was watched counts as changed.
    pub(in crate::world) fn all_changed(&mut self) {
        for watched in self.by_execution.values_mut() {
            watched.fill(None);
        }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        let held = |watched: &Vec<_>| 64 + watched.capacity() * size_of::<Option<Watched>>();
        self.by_execution.values().map(held).sum()
    }
}

/// Fewer executions than these are not worth looking for those that are gone.
const WATCHES_MIN: usize = 64;

impl World {
    /// Notes how a key is now, for the execution's next `Multi`.
    pub(in crate::world) fn watch(
        &mut self,
        actor: ActorId,
        key: Key,
        execution: i64,
        now_ms: i64,
    ) {
        let watches = &self.store(actor).watches;
        if watches.by_execution.len() >= watches.swept_at.max(WATCHES_MIN) {
            self.forget_watches(actor);
        }
        let store = self.store(actor);
        let watched = store.watches.by_execution.entry(execution).or_default();
        // A key that is watched already stays as it was found first.
        if !watched.iter().flatten().any(|watched| watched.key() == key) {
            watched.push(Some(store.data.watch(key, now_ms)));
        }
    }

    /// Forgets what executions watched that have ended without a `Multi`, however they ended.
    fn forget_watches(&mut self, actor: ActorId) {
        let mut running: Vec<Value> = Vec::new();
        self.tasks.ids_where(|task| {
            running.push(task.get(builtin::EXECUTION));
            false
        });
        running.sort_unstable();
        let watches = &mut self.store(actor).watches;
        watches
            .by_execution
            .retain(|execution, _| running.binary_search(&Value::Int(*execution)).is_ok());
        watches.swept_at = 2 * watches.by_execution.len();
    }

    /// `MULTI … EXEC` in one message: nil when a watched key was changed, and nothing is done;
    /// otherwise everything is, errors or not.
    pub(in crate::world) fn multi(
        &mut self,
        actor: ActorId,
        id: Id<Request>,
        order: &Order,
        ops: &[Op],
        ctx: &mut Ctx,
    ) -> Reply {
        let mut change = self.change(actor, id, order, ctx.now());
        let is_full = self.shared.conditions[actor.index()].out_of_memory;
        let store = self.store(actor);
        let watched = store.watches.by_execution.remove(&order.execution).unwrap_or_default();
        let is_unchanged = |watched: &Option<Watched>| {
            watched.is_some_and(|watched| store.data.is_unchanged(&watched, change.now_ms))
        };
        if is_full {
            // Redis does not even queue a command then, whatever it does.
            return Reply::Error(KvError::ExecAbort);
        }
        if !watched.iter().all(is_unchanged) {
            return Reply::Nil;
        }
        for op in ops.iter().filter(|op| !matches!(op, KvOp::Effect { .. })) {
            self.apply(actor, op, &mut change);
        }
        self.propagate(actor, change, ctx);
        self.effects(actor, id, ops, ctx);
        Reply::Ok
    }

    /// All commands, or none when one of them is refused: then nil.
    pub(in crate::world) fn transaction(
        &mut self,
        actor: ActorId,
        id: Id<Request>,
        order: &Order,
        ops: &[Op],
        ctx: &mut Ctx,
    ) -> Reply {
        let mut change = self.change(actor, id, order, ctx.now());
        let mut undo = Vec::new();
        for op in ops.iter().filter(|op| !matches!(op, KvOp::Effect { .. })) {
            let (store, texts) = self.store_and_texts(actor);
            for key in command::keys(op, texts) {
                undo.push((key, store.data.snapshot(key)));
            }
            let reply = self.apply(actor, op, &mut change);
            if op.nature().was_refused(&reply) {
                let data = &mut self.store(actor).data;
                for (key, snapshot) in undo.into_iter().rev() {
                    data.restore(key, snapshot);
                }
                return match reply {
                    Reply::Error(KvError::OutOfMemory) => reply,
                    _ => Reply::Nil,
                };
            }
        }
        self.propagate(actor, change, ctx);
        self.effects(actor, id, ops, ctx);
        Reply::Ok
    }

    /// The effects of commands that have been carried out together.
    fn effects(&mut self, actor: ActorId, id: Id<Request>, ops: &[Op], ctx: &mut Ctx) {
        let intent = self.network.requests[id].intent;
        for op in ops {
            if let KvOp::Effect { kind, once } = op {
                let deed = Deed {
                    kind: *kind,
                    actor,
                    intent,
                    once: *once,
                    keep: None,
                    token: None,
                    fenced: false,
                    undoes: None,
                };
                self.record_effect(deed, ctx);
            }
        }
    }
}
