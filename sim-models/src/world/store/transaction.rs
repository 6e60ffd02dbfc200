//! Several commands at one instant: `Watch` and `Multi` as Redis has them, and `Transaction`, in
//! which all of them happen or none.

use std::collections::BTreeMap;

use sim_redis::value::Value;
use sim_redis::{Key, KvError, Reply, Store, Watched};

use crate::ledger::Deed;
use crate::plan::{ActorId, KvOp};
use crate::world::Ctx;
use crate::world::network::Op;
use crate::world::shared::Shared;
use crate::world::store::command;
use crate::world::store::copies::Copies;
use crate::world::store::{Asked, StoreState, Stores};

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

impl Watches {
    /// Notes how a key is now, for the execution's next `Multi`.
    pub(super) fn watch(&mut self, data: &Store, key: Key, execution: i64, now_ms: i64) {
        let watched = self.by_execution.entry(execution).or_default();
        // A key that is watched already stays as it was found first.
        if !watched.iter().flatten().any(|watched| watched.key() == key) {
            watched.push(Some(data.watch(key, now_ms)));
        }
    }
}

impl Stores {
    /// So many executions watch keys of a store that some of them may be over.
    pub(in crate::world) fn is_watched_by_many(&self, actor: ActorId) -> bool {
        let watches = &self.by_actor[actor].primary.watches;
        watches.by_execution.len() >= watches.swept_at.max(WATCHES_MIN)
    }

    /// Forgets what executions watched that have ended without a `Multi`, however they ended.
    pub(in crate::world) fn forget_watches(&mut self, actor: ActorId, mut running: Vec<Value>) {
        running.sort_unstable();
        let watches = &mut self.by_actor[actor].primary.watches;
        watches
            .by_execution
            .retain(|execution, _| running.binary_search(&Value::Int(*execution)).is_ok());
        watches.swept_at = 2 * watches.by_execution.len();
    }
}

impl StoreState {
    /// `MULTI … EXEC` in one message: nil when a watched key was changed, and nothing is done;
    /// otherwise everything is, errors or not.
    pub(super) fn multi(
        &mut self,
        asked: &Asked,
        ops: &[Op],
        copies: &mut Copies,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Reply {
        let mut change = asked.change(shared.wall_ms(self.actor, 0, ctx.now()));
        let execution = asked.order.execution;
        let watched = self.primary.watches.by_execution.remove(&execution).unwrap_or_default();
        let is_unchanged = |watched: &Option<Watched>| {
            watched.is_some_and(|watched| self.primary.data.is_unchanged(&watched, change.now_ms))
        };
        let writes = ops.iter().any(|op| !op.nature().reads);
        if shared.conditions[self.actor.index()].out_of_memory
            || writes && self.lacks_replicas(ctx.now())
        {
            // Redis does not even queue a command then; out of memory, whatever it does.
            return Reply::Error(KvError::ExecAbort);
        }
        if !watched.iter().all(is_unchanged) {
            return Reply::Nil;
        }
        for op in ops.iter().filter(|op| !matches!(op, KvOp::Effect { .. })) {
            self.apply(op, &mut change, shared, ctx.now());
        }
        self.propagate(change, copies, shared, ctx);
        self.effects(asked.intent, ops, shared, ctx);
        Reply::Ok
    }

    /// All commands, or none when one of them is refused: then nil.
    pub(super) fn transaction(
        &mut self,
        asked: &Asked,
        ops: &[Op],
        copies: &mut Copies,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Reply {
        let mut change = asked.change(shared.wall_ms(self.actor, 0, ctx.now()));
        let mut undo = Vec::new();
        for op in ops.iter().filter(|op| !matches!(op, KvOp::Effect { .. })) {
            for key in command::keys(op, &mut shared.texts) {
                undo.push((key, self.primary.data.snapshot(key)));
            }
            let reply = self.apply(op, &mut change, shared, ctx.now());
            if op.nature().was_refused(&reply) {
                for (key, snapshot) in undo.into_iter().rev() {
                    self.primary.data.restore(key, snapshot);
                }
                return match &reply {
                    Reply::Error(error)
                        if matches!(error.cause(), KvError::OutOfMemory | KvError::NoReplicas) =>
                    {
                        reply
                    }
                    _ => Reply::Nil,
                };
            }
        }
        self.propagate(change, copies, shared, ctx);
        self.effects(asked.intent, ops, shared, ctx);
        Reply::Ok
    }

    /// The effects of commands that have been carried out together.
    fn effects(&self, intent: u32, ops: &[Op], shared: &mut Shared, ctx: &mut Ctx) {
        for op in ops {
            if let KvOp::Effect { kind, once } = op {
                let deed = Deed {
                    kind: *kind,
                    actor: self.actor,
                    intent,
                    once: *once,
                    keep: None,
                    token: None,
                    fenced: false,
                    undoes: None,
                };
                shared.record_effect(deed, ctx);
            }
        }
    }
}
