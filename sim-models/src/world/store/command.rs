//! Commands of scenarios as commands of the engine, and its replies as answers.

use sim_core::Span;
use sim_policies::Ending;
use sim_redis::value::{Texts, Value};
use sim_redis::{
    Bound, Command, Condition, ExpireOnly, Expiry, HashCommand, HashPart, Key, KeyCommand, KvError,
    ListCommand, Reply, ScriptCommand, Side, StringCommand, Unit, ZAddOnly, ZRangeBy, ZSetCommand,
};

use crate::plan::{KindId, KvOp};
use crate::world::network::{Answer, Op};

/// The engine's command for one that concerns keys.
///
/// # Errors
/// An argument that must be a number is none.
pub(in crate::world) fn command(
    op: &Op,
    now_ms: i64,
    texts: &mut Texts,
) -> Result<Command, KvError> {
    let mut text = |value: &Value| texts.text_of(*value);
    Ok(match op {
        KvOp::Get(key) => StringCommand::Get { key: text(key) }.into(),
        KvOp::Set { key, value, nx, xx, ex, px, keep_ttl } => StringCommand::Set {
            key: text(key),
            value: *value,
            condition: match (nx, xx) {
                (true, _) => Condition::IfAbsent,
                (_, true) => Condition::IfPresent,
                _ => Condition::Always,
            },
            get: false,
            expiry: match ex.or(*px) {
                Some(span) => Expiry::In(ms(span), Unit::Millis),
                None if *keep_ttl => Expiry::Keep,
                None => Expiry::Never,
            },
        }
        .into(),
        KvOp::Exists(key) => KeyCommand::Exists { keys: text(key).into() }.into(),
        KvOp::Del(key) => KeyCommand::Del { keys: text(key).into() }.into(),
        KvOp::Incr(key) => StringCommand::IncrBy { key: text(key), by: 1 }.into(),
        KvOp::IncrBy { key, by } => {
            let key = text(key);
            StringCommand::IncrBy { key, by: int(*by, texts)? }.into()
        }
        KvOp::GetDel(key) => StringCommand::GetDel { key: text(key) }.into(),
        KvOp::Expire { key, after, nx, xx, gt, lt } => KeyCommand::Expire {
            key: text(key),
            expiry: Expiry::In(ms(*after), Unit::Millis),
            only: ExpireOnly { nx: *nx, xx: *xx, gt: *gt, lt: *lt },
            name: "pexpire",
        }
        .into(),
        KvOp::Persist(key) => KeyCommand::Persist { key: text(key) }.into(),
        KvOp::Pttl(key) => {
            KeyCommand::Ttl { key: text(key), absolute: false, unit: Unit::Millis }.into()
        }
        KvOp::HSet { key, field, value } => {
            HashCommand::Set { key: text(key), pairs: vec![(text(field), *value)] }.into()
        }
        KvOp::HSetNx { key, field, value } => {
            HashCommand::SetNx { key: text(key), field: text(field), value: *value }.into()
        }
        KvOp::HGet { key, field } => HashCommand::Get { key: text(key), field: text(field) }.into(),
        KvOp::HDel { key, field } => {
            HashCommand::Del { key: text(key), fields: vec![text(field)] }.into()
        }
        KvOp::HIncrBy { key, field, by } => {
            let (key, field) = (text(key), text(field));
            HashCommand::IncrBy { key, field, by: int(*by, texts)? }.into()
        }
        KvOp::HGetAll(key) => HashCommand::GetAll { key: text(key), what: HashPart::Both }.into(),
        KvOp::HLen(key) => HashCommand::Len { key: text(key) }.into(),
        KvOp::LPush { key, value } => push(text(key), Side::Left, *value),
        KvOp::RPush { key, value } => push(text(key), Side::Right, *value),
        KvOp::LPop(key) => {
            ListCommand::Pop { key: text(key), side: Side::Left, count: None }.into()
        }
        KvOp::RPop(key) => {
            ListCommand::Pop { key: text(key), side: Side::Right, count: None }.into()
        }
        KvOp::LLen(key) => ListCommand::Len { key: text(key) }.into(),
        KvOp::LIndex { key, index } => {
            let key = text(key);
            ListCommand::Index { key, index: int(*index, texts) }.into()
        }
        KvOp::LMove { from, to } => ListCommand::Move {
            from: text(from),
            to: text(to),
            from_side: Side::Right,
            to_side: Side::Left,
        }
        .into(),
        KvOp::ZAdd { key, score, member } => {
            let (key, member) = (text(key), text(member));
            let pairs = vec![(score_of(*score, texts)?, member)];
            ZSetCommand::Add { key, only: ZAddOnly::default(), changed: false, pairs }.into()
        }
        KvOp::ZRem { key, member } => {
            ZSetCommand::Rem { key: text(key), members: vec![text(member)] }.into()
        }
        KvOp::ZScore { key, member } => {
            ZSetCommand::Score { key: text(key), member: text(member) }.into()
        }
        KvOp::ZCard(key) => ZSetCommand::Card { key: text(key) }.into(),
        KvOp::ZRangeByScore { key, min, max } => {
            let key = text(key);
            let (min, max) = (Bound::at(score_of(*min, texts)?), Bound::at(score_of(*max, texts)?));
            let by = ZRangeBy::Score { min, max, offset: 0, count: 1 };
            ZSetCommand::Range { key, by, reverse: false, with_scores: false }.into()
        }
        KvOp::CompareAndDelete { key, expected } => {
            ScriptCommand::CompareAndDelete { key: text(key), expected: *expected }.into()
        }
        KvOp::CompareAndExpire { key, expected, px } => {
            ScriptCommand::CompareAndExpire { key: text(key), expected: *expected, px: Ok(ms(*px)) }
                .into()
        }
        KvOp::CompareAndSet { key, expected, value, px } => {
            let (expected, value) = (*expected, *value);
            ScriptCommand::CompareAndSet { key: text(key), expected, value, px: Ok(ms(*px)) }.into()
        }
        KvOp::SlidingWindow { key, window, limit, member } => {
            let (key, member) = (text(key), text(member));
            let limit = int(*limit, texts);
            ScriptCommand::SlidingWindow { key, now: now_ms, window: ms(*window), limit, member }
                .into()
        }
        KvOp::FixedWindow { key, window } => {
            ScriptCommand::FixedWindow { key: text(key), window: Ok(ms(*window)) }.into()
        }
        KvOp::Watch(_)
        | KvOp::Multi(_)
        | KvOp::Transaction(_)
        | KvOp::Wait { .. }
        | KvOp::Effect { .. } => unreachable!("the world does these"),
    })
}

fn push(key: Key, side: Side, value: Value) -> Command {
    ListCommand::Push { key, side, only_existing: false, values: vec![value] }.into()
}

fn ms(span: Span) -> i64 {
    span.as_millis().cast_signed()
}

fn int(value: Value, texts: &Texts) -> Result<i64, KvError> {
    let number = match value {
        Value::Int(n) => Some(n),
        Value::Text(text) => texts.text(text).parse().ok(),
        Value::Nil | Value::Bool(_) | Value::Record(_) => None,
    };
    number.ok_or(KvError::NotAnInteger)
}

/// Scores of scenarios are whole numbers, as the instants and amounts that they stand for.
fn score_of(value: Value, texts: &Texts) -> Result<f64, KvError> {
    int(value, texts).map(|n| n as f64).map_err(|_| KvError::NotAFloat)
}

/// The keys that a command names; `LMove` names two.
pub(in crate::world) fn keys(op: &Op, texts: &mut Texts) -> Vec<Key> {
    let mut keys = Vec::with_capacity(1);
    let mut kind = |kind: &KindId| *kind;
    let _ = op.map(
        &mut |value, slot| {
            if matches!(slot.field, "" | "key" | "from" | "to") {
                keys.push(texts.text_of(*value));
            }
        },
        &mut kind,
    );
    keys
}

/// Whether a read found what it asked for; `None` of a command that is no read, or was refused.
pub(in crate::world) fn found(op: &Op, reply: &Reply) -> Option<bool> {
    if !op.nature().reads {
        return None;
    }
    match reply {
        Reply::Error(_) => None,
        Reply::Nil => Some(false),
        Reply::Array(items) => Some(!items.is_empty()),
        // No such key, or no time to live: `PTTL`. No such thing, or none in it.
        Reply::Int(n) => Some(match op {
            KvOp::Pttl(_) => *n != -2,
            KvOp::Exists(_) | KvOp::HLen(_) | KvOp::LLen(_) | KvOp::ZCard(_) => *n > 0,
            _ => true,
        }),
        _ => Some(true),
    }
}

/// What a client is answered.
pub(in crate::world) fn answer(op: &Op, reply: Reply, texts: &mut Texts) -> Answer {
    let body = match reply {
        Reply::Error(error) => return Answer::status(status(&error)),
        Reply::Array(replies) => match op {
            KvOp::HGetAll(_) => record(&replies, texts),
            _ => replies.first().map_or(Value::Nil, plain),
        },
        reply => plain(&reply),
    };
    Answer { body, ..Answer::bare(Ending::Status(200)) }
}

/// A store without memory may have some later; a command that makes no sense never will.
fn status(error: &KvError) -> u16 {
    match error.cause() {
        KvError::OutOfMemory | KvError::ReadOnly | KvError::NoReplicas | KvError::ExecAbort => 503,
        _ => 400,
    }
}

fn plain(reply: &Reply) -> Value {
    match reply {
        Reply::Ok => Value::Bool(true),
        Reply::Int(n) => Value::Int(*n),
        Reply::Value(value) => *value,
        Reply::Nil | Reply::NilArray | Reply::Status(_) | Reply::Array(_) | Reply::Error(_) => {
            Value::Nil
        }
    }
}

/// A hash as a record; nil when there is none.
fn record(replies: &[Reply], texts: &mut Texts) -> Value {
    let fields: Vec<_> = replies
        .chunks_exact(2)
        .map(|pair| {
            let name = texts.text_of(plain(&pair[0]));
            let name = texts.text(name).to_owned();
            (texts.field(&name), plain(&pair[1]))
        })
        .collect();
    if fields.is_empty() { Value::Nil } else { Value::Record(texts.record(&fields)) }
}
