//! Stores and the commands that programs send to them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sim_core::Span;
use sim_redis::Reply;

use super::{Dist, Expr};

/// A store that behaves as Redis does: one command at a time, in order of arrival.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kv {
    /// How long one command takes.
    #[serde(default = "default_service_time")]
    pub service_time: Dist,
    /// How many replicas follow it, or their names. Without names they are called 1, 2 and so on.
    #[serde(default)]
    #[schemars(extend("x-wanted" = "whole number, at most 16, or list of names"))]
    pub replicas: Replicas,
    /// How much later than its write each replica has it; at once by default.
    #[serde(default)]
    pub lag: Option<Dist>,
    /// A write is refused (`NOREPLICAS`) unless so many replicas have been heard of lately.
    #[serde(default)]
    pub min_replicas_to_write: u32,
    /// How lately.
    #[serde(default = "ten_seconds")]
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub min_replicas_max_lag: Span,
    /// What a crash leaves.
    #[serde(default)]
    pub persistence: Persistence,
    /// Stores of other regions to which each write is sent.
    #[serde(default)]
    pub copies_to: Vec<String>,
    /// Whether an expired key is deleted although nobody touches it.
    #[serde(default = "yes")]
    pub active_expiry: bool,
}

fn default_service_time() -> Dist {
    Dist::Const(Span::micros(100))
}

fn yes() -> bool {
    true
}

/// The default of Redis.
fn ten_seconds() -> Span {
    Span::secs(10)
}

/// The replicas of a store, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replicas(pub Vec<String>);

impl Replicas {
    /// So many without names of their own.
    fn numbered(count: u64) -> Replicas {
        Replicas((1..=count).map(|n| n.to_string()).collect())
    }

    /// The most of a store: more than anybody runs, few enough that each may have a copy.
    pub(crate) const MAX: u64 = 16;
}

impl Serialize for Replicas {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.0.len() as u64;
        match *self == Replicas::numbered(count) {
            true => serializer.serialize_u64(count),
            false => self.0.serialize(serializer),
        }
    }
}

impl JsonSchema for Replicas {
    fn schema_name() -> Cow<'static, str> {
        "Replicas".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "array"],
            "items": { "type": "string" },
            "minimum": 0,
            "maximum": Replicas::MAX,
            "maxItems": Replicas::MAX,
            "description": "A number of replicas, or the name of each.",
        })
    }
}

impl<'de> Deserialize<'de> for Replicas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Replicas, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Replicas;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of replicas, or a list of their names")
            }
            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Replicas, E> {
                match count {
                    0..=Replicas::MAX => Ok(Replicas::numbered(count)),
                    _ => Err(E::custom(format!(
                        "replicas = {count}; allowed is a number in 0..={}",
                        Replicas::MAX
                    ))),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Replicas, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Replicas(names))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// What a store still has after its process died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "persistence")]
pub enum Persistence {
    /// Nothing.
    #[default]
    Memory,
    /// What its append-only file says.
    Aof {
        /// How often the file is flushed to the disk.
        #[serde(default)]
        fsync: Fsync,
    },
}

/// When what was appended to a file is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum Fsync {
    /// Before it is answered.
    Always,
    /// At each whole second.
    #[default]
    EverySec,
    /// When the system sees fit: each 30 s.
    No,
}

/// Sends a command to a store.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct KvStep {
    /// The command.
    pub op: KvOp,
    /// The store's name.
    pub store: String,
    /// Which node answers.
    #[serde(default)]
    pub from: Node,
    /// The policy stack around the command.
    #[serde(default)]
    pub policy: Option<String>,
    /// The variable that takes the reply.
    #[serde(default)]
    pub into: Option<String>,
}

/// A node of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "node of a store")]
pub enum Node {
    /// The one that takes writes.
    #[default]
    Primary,
    /// The first replica.
    Replica,
    /// The replica of this name. After a failover the old primary has its place.
    #[schemars(example = r#"Named("1")"#)]
    Named(String),
}

/// A command to a store, named and meant as in Redis.
///
/// The same command is first a scenario's, with expressions and the names of effects, then a
/// plan's, with operands, and at last a request's, with values: `E` is an argument, `K` the kind
/// of an effect.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(bound = "E: JsonSchema + Default + Serialize, K: JsonSchema")]
#[schemars(title = "store command")]
pub enum KvOp<E = Expr, K = String> {
    /// The value, or nil.
    #[schemars(example = r#"Get("{key}")"#)]
    Get(#[schemars(extend("x-wanted" = "key"))] E),
    /// Stores a value; `true`, or nil when `nx` or `xx` forbids it.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Set("{key}:lock", "{execution}", nx: true, px: "30s")"#)]
    Set {
        /// Where.
        key: E,
        /// What.
        value: E,
        /// Only when the key is absent.
        #[serde(default)]
        nx: bool,
        /// Only when the key is present.
        #[serde(default)]
        xx: bool,
        /// Lifetime in whole seconds.
        #[serde(default)]
        #[schemars(extend("x-minimum" = "1s"))]
        ex: Option<Span>,
        /// Lifetime in whole milliseconds.
        #[serde(default)]
        #[schemars(extend("x-minimum" = "1ms"))]
        px: Option<Span>,
        /// Keeps the lifetime that the key has.
        #[serde(default)]
        keep_ttl: bool,
    },
    /// 1 or 0.
    #[schemars(example = r#"Exists("{key}")"#)]
    Exists(#[schemars(extend("x-wanted" = "key"))] E),
    /// How many keys were removed: 1 or 0.
    #[schemars(example = r#"Del("{key}:lock")"#)]
    Del(#[schemars(extend("x-wanted" = "key"))] E),
    /// Adds one to a number, from 0 when absent.
    #[schemars(example = r#"Incr("count")"#)]
    Incr(#[schemars(extend("x-wanted" = "key"))] E),
    /// Adds to a number, from 0 when absent.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"IncrBy("stock", -1)"#)]
    IncrBy {
        /// Which.
        key: E,
        /// How much; may be negative.
        by: E,
    },
    /// The value, which is removed, or nil.
    #[schemars(example = r#"GetDel("{key}")"#)]
    GetDel(#[schemars(extend("x-wanted" = "key"))] E),
    /// Gives a key a lifetime: 1, or 0 when there is no key or a condition forbids it.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Expire("{key}", "30s", nx: true)"#)]
    Expire {
        /// Which.
        key: E,
        /// Lifetime in whole milliseconds.
        #[schemars(extend("x-minimum" = "1ms"))]
        after: Span,
        /// Only when it has none.
        #[serde(default)]
        nx: bool,
        /// Only when it has one.
        #[serde(default)]
        xx: bool,
        /// Only when that is later.
        #[serde(default)]
        gt: bool,
        /// Only when that is sooner.
        #[serde(default)]
        lt: bool,
    },
    /// Takes a key's lifetime away: 1, or 0 when there was none.
    #[schemars(example = r#"Persist("{key}")"#)]
    Persist(#[schemars(extend("x-wanted" = "key"))] E),
    /// Milliseconds left to live; -1 without expiry, -2 without key.
    #[schemars(example = r#"Pttl("{key}")"#)]
    Pttl(#[schemars(extend("x-wanted" = "key"))] E),
    /// Sets a field of a hash: 1 for a new field, else 0.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"HSet("{key}", "state", "done")"#)]
    HSet {
        /// The hash.
        key: E,
        /// The field.
        field: E,
        /// Its value.
        value: E,
    },
    /// Sets a field of a hash unless it is there: 1 or 0.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"HSetNx("{key}", "state", "started")"#)]
    HSetNx {
        /// The hash.
        key: E,
        /// The field.
        field: E,
        /// Its value.
        value: E,
    },
    /// A field of a hash, or nil.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"HGet("{key}", "state")"#)]
    HGet {
        /// The hash.
        key: E,
        /// The field.
        field: E,
    },
    /// Removes a field: 1 or 0.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"HDel("{key}", "state")"#)]
    HDel {
        /// The hash.
        key: E,
        /// The field.
        field: E,
    },
    /// Adds to a number in a field, from 0 when absent.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"HIncrBy("{key}", "tries", 1)"#)]
    HIncrBy {
        /// The hash.
        key: E,
        /// The field.
        field: E,
        /// How much; may be negative.
        by: E,
    },
    /// The whole hash as a record, or nil.
    #[schemars(example = r#"HGetAll("{key}")"#)]
    HGetAll(#[schemars(extend("x-wanted" = "key"))] E),
    /// How many fields a hash has.
    #[schemars(example = r#"HLen("{key}")"#)]
    HLen(#[schemars(extend("x-wanted" = "key"))] E),
    /// Puts a value at the head of a list, and tells the list's length.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"LPush("outbox", "{origin}")"#)]
    LPush {
        /// The list.
        key: E,
        /// The value.
        value: E,
    },
    /// Puts a value at the tail of a list, and tells the list's length.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"RPush("outbox", "{origin}")"#)]
    RPush {
        /// The list.
        key: E,
        /// The value.
        value: E,
    },
    /// Takes the head of a list, or nil.
    #[schemars(example = r#"LPop("outbox")"#)]
    LPop(#[schemars(extend("x-wanted" = "key"))] E),
    /// Takes the tail of a list, or nil.
    #[schemars(example = r#"RPop("outbox")"#)]
    RPop(#[schemars(extend("x-wanted" = "key"))] E),
    /// How long a list is.
    #[schemars(example = r#"LLen("outbox")"#)]
    LLen(#[schemars(extend("x-wanted" = "key"))] E),
    /// The value at a place of a list, from 0, or from -1 at the tail; or nil.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"LIndex("outbox", 0)"#)]
    LIndex {
        /// The list.
        key: E,
        /// The place.
        index: E,
    },
    /// Takes the tail of one list, puts it at the head of another and tells it; or nil.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"LMove("outbox", "taken")"#)]
    LMove {
        /// The list that loses its tail.
        from: E,
        /// The list that gets it as its head.
        to: E,
    },
    /// Puts a member into a sorted set, or moves it: 1 for a new member, else 0.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"ZAdd("due", "{now}", "{origin}")"#)]
    ZAdd {
        /// The sorted set.
        key: E,
        /// A whole number to sort by.
        score: E,
        /// The member.
        member: E,
    },
    /// Removes a member: 1 or 0.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"ZRem("due", "{origin}")"#)]
    ZRem {
        /// The sorted set.
        key: E,
        /// The member.
        member: E,
    },
    /// A member's score, or nil.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"ZScore("due", "{origin}")"#)]
    ZScore {
        /// The sorted set.
        key: E,
        /// The member.
        member: E,
    },
    /// How many members a sorted set has.
    #[schemars(example = r#"ZCard("due")"#)]
    ZCard(#[schemars(extend("x-wanted" = "key"))] E),
    /// The first member with a score from `min` to `max`, or nil.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"ZRangeByScore("due", 0, "{now}")"#)]
    ZRangeByScore {
        /// The sorted set.
        key: E,
        /// The lowest score.
        min: E,
        /// The highest score.
        max: E,
    },
    /// Removes a key if it holds this value, atomically: 1 or 0.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"CompareAndDelete("{key}:lock", "{execution}")"#)]
    CompareAndDelete {
        /// Which.
        key: E,
        /// The value it must hold.
        expected: E,
    },
    /// Gives a key a new lifetime if it holds this value, atomically: 1 or 0.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"CompareAndExpire("{key}:lock", "{execution}", px: "30s")"#)]
    CompareAndExpire {
        /// Which.
        key: E,
        /// The value it must hold.
        expected: E,
        /// Lifetime in whole milliseconds.
        #[schemars(extend("x-minimum" = "1ms"))]
        px: Span,
    },
    /// Replaces a value if it is this one, atomically: 1 or 0.
    #[schemars(extend("x-unnamed" = 3))]
    #[schemars(example = r#"CompareAndSet("{key}", "started", "done", px: "24h")"#)]
    CompareAndSet {
        /// Which.
        key: E,
        /// The value it must hold.
        expected: E,
        /// The new value.
        value: E,
        /// Lifetime in whole milliseconds.
        #[schemars(extend("x-minimum" = "1ms"))]
        px: Span,
    },
    /// Admits a member unless `limit` were admitted within the window: 1 or 0.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(
        example = r#"SlidingWindow("{client}", window: "1s", limit: 100, member: "{execution}")"#
    )]
    SlidingWindow {
        /// The sorted set that remembers them.
        key: E,
        /// The window, in whole milliseconds.
        #[schemars(extend("x-minimum" = "1ms"))]
        window: Span,
        /// How many are admitted.
        limit: E,
        /// Who asks.
        member: E,
    },
    /// Counts in a window that begins with its first: the count.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"FixedWindow("{client}", window: "1s")"#)]
    FixedWindow {
        /// The counter.
        key: E,
        /// The window, in whole milliseconds.
        #[schemars(extend("x-minimum" = "1ms"))]
        window: Span,
    },
    /// Remembers a key for this execution's next `Multi`.
    #[schemars(example = r#"Watch("{key}")"#)]
    Watch(#[schemars(extend("x-wanted" = "key"))] E),
    /// Runs commands at one instant: `true`, or nil when a watched key was changed. An error in
    /// one undoes nothing.
    #[schemars(example = r#"Multi([Set("{key}", "done"), Del("{key}:lock")])"#)]
    Multi(Vec<KvOp<E, K>>),
    /// Runs commands at one instant, all or none: `true`, or nil when one is refused.
    #[schemars(example = r#"Transaction([HSetNx("{key}", "state", "done"), Effect("charge")])"#)]
    Transaction(Vec<KvOp<E, K>>),
    /// Waits until replicas have all that this execution has written: how many have it.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Wait(1, "50ms")"#)]
    Wait {
        /// How many are wanted.
        #[schemars(range(min = 1))]
        replicas: u32,
        /// The longest wait.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        timeout: Span,
    },
    /// In `Multi` and `Transaction`: something durable that goes to the ledger if they commit.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Effect("charge", once: "{key}")"#)]
    Effect {
        /// What.
        kind: K,
        /// A key under which it happens once.
        #[serde(default)]
        once: E,
    },
}

/// Where an argument stands in a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Of a command in a `Multi` or `Transaction`: which one.
    pub nth: Option<usize>,
    /// The argument's name, empty when the command has only this one.
    pub field: &'static str,
}

/// A command with each argument replaced by `$a`: first commands with one argument, then those with
/// named ones, with what stays as it is after `;`.
macro_rules! each_argument {
    (
        $op:expr, $a:ident:
        [$($plain:ident),* $(,)?]
        [$($name:ident { $($argument:ident),*; $($kept:ident),* })*]
        $($other:tt)*
    ) => {
        match $op {
            $(KvOp::$plain(key) => KvOp::$plain($a(key, "")),)*
            $(KvOp::$name { $($argument,)* $($kept),* } => KvOp::$name {
                $($argument: $a($argument, stringify!($argument)),)*
                $($kept: *$kept),*
            },)*
            $($other)*
        }
    };
}

/// What a command does, whoever asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    /// It changes nothing, and a replica answers it.
    pub reads: bool,
    /// Done twice, it leaves what it leaves when done once.
    pub repeatable: bool,
    /// How it says that it has changed nothing.
    undone: Undone,
    /// It says so because a condition did not hold.
    conditional: bool,
}

/// The reply of a command that has changed nothing.
#[derive(Clone, Copy, Debug)]
enum Undone {
    /// It has none.
    Never,
    Nil,
    Zero,
}

impl Nature {
    const READ: Nature =
        Nature { reads: true, repeatable: true, undone: Undone::Never, conditional: false };
    /// A write that may be repeated.
    const WRITE: Nature = Nature { reads: false, ..Nature::READ };
    /// A write that does something more each time.
    const ADD: Nature = Nature { repeatable: false, ..Nature::WRITE };

    /// Whether the store has done what was asked.
    pub(crate) fn was_done(&self, reply: &Reply) -> bool {
        match (self.undone, reply) {
            (_, Reply::Error(_)) | (Undone::Nil, Reply::Nil) | (Undone::Zero, Reply::Int(0)) => {
                false
            }
            (Undone::Never | Undone::Nil | Undone::Zero, _) => true,
        }
    }

    /// Whether the store has refused it: by an error, or because a condition did not hold.
    pub(crate) fn was_refused(&self, reply: &Reply) -> bool {
        matches!(reply, Reply::Error(_)) || (self.conditional && !self.was_done(reply))
    }
}

impl KvOp {
    /// `Set`, as it is written.
    pub(crate) fn word(&self) -> String {
        let written = format!("{self:?}");
        let is_word = |c: &char| c.is_ascii_alphanumeric();
        written.chars().take_while(is_word).collect()
    }
}

impl<E, K> KvOp<E, K> {
    /// What it does. An `Effect` counts as repeatable here: whether it happens `once` depends on
    /// its arguments.
    pub(crate) fn nature(&self) -> Nature {
        match self {
            KvOp::Get(_)
            | KvOp::Exists(_)
            | KvOp::Pttl(_)
            | KvOp::HGet { .. }
            | KvOp::HGetAll(_)
            | KvOp::HLen(_)
            | KvOp::LLen(_)
            | KvOp::LIndex { .. }
            | KvOp::ZScore { .. }
            | KvOp::ZCard(_)
            | KvOp::ZRangeByScore { .. } => Nature::READ,
            KvOp::HSet { .. }
            | KvOp::HDel { .. }
            | KvOp::ZAdd { .. }
            | KvOp::ZRem { .. }
            | KvOp::SlidingWindow { .. }
            | KvOp::Watch(_)
            | KvOp::Wait { .. }
            | KvOp::Effect { .. } => Nature::WRITE,
            KvOp::Incr(_)
            | KvOp::IncrBy { .. }
            | KvOp::HIncrBy { .. }
            | KvOp::LPush { .. }
            | KvOp::RPush { .. }
            | KvOp::LPop(_)
            | KvOp::RPop(_)
            | KvOp::LMove { .. }
            | KvOp::FixedWindow { .. } => Nature::ADD,
            KvOp::GetDel(_) => Nature { undone: Undone::Nil, ..Nature::ADD },
            KvOp::Del(_) | KvOp::Expire { .. } | KvOp::Persist(_) => {
                Nature { undone: Undone::Zero, ..Nature::WRITE }
            }
            KvOp::Set { .. } => Nature { undone: Undone::Nil, conditional: true, ..Nature::WRITE },
            KvOp::HSetNx { .. }
            | KvOp::CompareAndDelete { .. }
            | KvOp::CompareAndExpire { .. }
            | KvOp::CompareAndSet { .. } => {
                Nature { undone: Undone::Zero, conditional: true, ..Nature::WRITE }
            }
            KvOp::Multi(ops) | KvOp::Transaction(ops) => {
                let repeatable = ops.iter().all(|op| op.nature().repeatable);
                Nature { repeatable, ..Nature::WRITE }
            }
        }
    }

    /// The same command with other arguments and kinds of effects.
    pub(crate) fn map<F, L>(
        &self,
        argument: &mut dyn FnMut(&E, Slot) -> F,
        kind: &mut dyn FnMut(&K) -> L,
    ) -> KvOp<F, L> {
        let mut a = |e: &E, field: &'static str| argument(e, Slot { nth: None, field });
        each_argument! { self, a:
            [
                Get, Exists, Del, Incr, GetDel, Persist, Pttl, HGetAll, HLen, LPop, RPop, LLen,
                ZCard, Watch,
            ]
            [
                Set { key, value; nx, xx, ex, px, keep_ttl }
                IncrBy { key, by; }
                Expire { key; after, nx, xx, gt, lt }
                HSet { key, field, value; }
                HSetNx { key, field, value; }
                HGet { key, field; }
                HDel { key, field; }
                HIncrBy { key, field, by; }
                LPush { key, value; }
                RPush { key, value; }
                LIndex { key, index; }
                LMove { from, to; }
                ZAdd { key, score, member; }
                ZRem { key, member; }
                ZScore { key, member; }
                ZRangeByScore { key, min, max; }
                CompareAndDelete { key, expected; }
                CompareAndExpire { key, expected; px }
                CompareAndSet { key, expected, value; px }
                SlidingWindow { key, limit, member; window }
                FixedWindow { key; window }
                Wait { ; replicas, timeout }
            ]
            KvOp::Multi(ops) => KvOp::Multi(map_all(ops, argument, kind)),
            KvOp::Transaction(ops) => KvOp::Transaction(map_all(ops, argument, kind)),
            KvOp::Effect { kind: of, once } => {
                KvOp::Effect { kind: kind(of), once: a(once, "once") }
            }
        }
    }
}

fn map_all<E, K, F, L>(
    ops: &[KvOp<E, K>],
    argument: &mut dyn FnMut(&E, Slot) -> F,
    kind: &mut dyn FnMut(&K) -> L,
) -> Vec<KvOp<F, L>> {
    let each = ops
        .iter()
        .enumerate()
        .map(|(n, op)| op.map(&mut |e, slot| argument(e, Slot { nth: Some(n), ..slot }), kind));
    each.collect()
}
