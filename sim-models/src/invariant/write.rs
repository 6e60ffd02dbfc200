//! What a store command has changed, as far as invariants care.

use sim_core::Span;
use sim_redis::Reply;
use sim_redis::value::{TextId, Texts, Value};

use crate::plan::{KindId, KvOp};

/// A change of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub key: TextId,
    pub act: Act,
    /// Done only because the key held what was expected: a value, or nothing.
    pub guarded: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// A new value.
    Set {
        value: Value,
        life: Life,
    },
    /// A field of a hash.
    Field {
        field: Value,
        value: Value,
    },
    /// An element of a list.
    Push(Value),
    /// Another number.
    Count,
    Delete,
    /// A new lifetime, or none.
    Live(Life),
}

/// How long a key lives from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    For(Span),
    /// As long as before.
    Kept,
    ForEver,
}

impl Write {
    /// What a command has changed; `None` when it has changed nothing, or no single key.
    pub(crate) fn of(op: &KvOp<Value, KindId>, reply: &Reply, texts: &mut Texts) -> Option<Write> {
        let (key, act) = Act::of(op).filter(|_| op.nature().was_done(reply))?;
        let guarded = matches!(
            op,
            KvOp::Set { nx: true, .. }
                | KvOp::CompareAndDelete { .. }
                | KvOp::CompareAndExpire { .. }
                | KvOp::CompareAndSet { .. }
        );
        Some(Write { key: texts.text_of(key), act, guarded })
    }
}

impl Act {
    /// What a command does to which key.
    fn of(op: &KvOp<Value, KindId>) -> Option<(Value, Act)> {
        Some(match *op {
            KvOp::Set { key, value, ex, px, keep_ttl, .. } => {
                let life = match ex.or(px) {
                    Some(life) => Life::For(life),
                    None if keep_ttl => Life::Kept,
                    None => Life::ForEver,
                };
                (key, Act::Set { value, life })
            }
            KvOp::CompareAndSet { key, value, px, .. } => {
                (key, Act::Set { value, life: Life::For(px) })
            }
            KvOp::CompareAndExpire { key, px, .. } => (key, Act::Live(Life::For(px))),
            KvOp::Expire { key, after, .. } => (key, Act::Live(Life::For(after))),
            KvOp::Persist(key) => (key, Act::Live(Life::ForEver)),
            KvOp::Del(key) | KvOp::GetDel(key) | KvOp::CompareAndDelete { key, .. } => {
                (key, Act::Delete)
            }
            KvOp::HSet { key, field, value } | KvOp::HSetNx { key, field, value } => {
                (key, Act::Field { field, value })
            }
            KvOp::LPush { key, value } | KvOp::RPush { key, value } => (key, Act::Push(value)),
            KvOp::Incr(key) | KvOp::IncrBy { key, .. } | KvOp::HIncrBy { key, .. } => {
                (key, Act::Count)
            }
            KvOp::Get(_)
            | KvOp::Exists(_)
            | KvOp::Pttl(_)
            | KvOp::HGet { .. }
            | KvOp::HDel { .. }
            | KvOp::HGetAll(_)
            | KvOp::HLen(_)
            | KvOp::LPop(_)
            | KvOp::RPop(_)
            | KvOp::LLen(_)
            | KvOp::LIndex { .. }
            | KvOp::LMove { .. }
            | KvOp::ZAdd { .. }
            | KvOp::ZRem { .. }
            | KvOp::ZScore { .. }
            | KvOp::ZCard(_)
            | KvOp::ZRangeByScore { .. }
            | KvOp::SlidingWindow { .. }
            | KvOp::FixedWindow { .. }
            | KvOp::Watch(_)
            | KvOp::Multi(_)
            | KvOp::Transaction(_)
            | KvOp::Wait { .. }
            | KvOp::Effect { .. } => return None,
        })
    }
}
