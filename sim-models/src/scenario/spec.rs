//! The scenario file as its author writes it: plain serde types, nothing resolved or checked.
//!
//! Field order here is the order of [`SHORTHAND`], which lets the obvious argument of a
//! constructor be written without its name: `Call("api.pay", policy: "checkout")`. Every default
//! of the language stands in this file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::units::Rate;

/// Which arguments of a constructor may be written without their name, in order.
pub const SHORTHAND: &[(&str, &[&str])] = &[
    ("After", &["point", "fault"]),
    ("At", &["at", "fault"]),
    ("BlackHole", &["actor"]),
    ("Breaker", &["trip"]),
    ("Bulkhead", &["limit"]),
    ("Call", &["to"]),
    ("CompareAndDelete", &["key", "expected"]),
    ("Crash", &["actor"]),
    ("Custom", &["kind"]),
    ("Delay", &["from", "to", "by"]),
    ("Duplicate", &["from", "to", "rate"]),
    ("Effect", &["kind"]),
    ("Erlang", &["k", "mean"]),
    ("Errors", &["actor"]),
    ("Fallback", &["status"]),
    ("Flush", &["store"]),
    ("Gamma", &["shape", "mean"]),
    ("Goodput", &["client"]),
    ("Hang", &["actor"]),
    ("Idempotent", &["design"]),
    ("If", &["when", "then"]),
    ("Kv", &["op"]),
    ("Let", &["name", "value"]),
    ("Loop", &["times", "body"]),
    ("Loss", &["from", "to", "rate"]),
    ("Match", &["value", "cases"]),
    ("Normal", &["mean", "sd"]),
    ("Outage", &["actor"]),
    ("Pareto", &["min", "shape"]),
    ("Partition", &["from", "to"]),
    ("Pause", &["actor"]),
    ("PeakArrivals", &["at", "max"]),
    ("Respond", &["status"]),
    ("RetryWaits", &["call"]),
    ("Set", &["key", "value"]),
    ("Slow", &["actor"]),
    ("Transitions", &["breaker"]),
    ("Try", &["body"]),
    ("Uniform", &["low", "high"]),
    ("Weibull", &["scale", "shape"]),
];

/// A whole scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name, used for files and titles.
    pub name: String,
    /// The story: what is modelled and why it matters.
    pub about: String,
    /// What the author expects to see.
    #[serde(default)]
    pub hypothesis: String,
    /// The seed when none is given on the command line.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// How long the run lasts in virtual time.
    pub horizon: Span,
    /// The width of a window in series and charts; by default the horizon divided by 180, rounded
    /// up to a round number.
    #[serde(default)]
    pub window: Option<Span>,
    /// Everything that acts, by name.
    pub actors: BTreeMap<String, Actor>,
    /// How messages travel; two actors without a link talk instantly and without loss.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Policy stacks by name, outermost policy first.
    #[serde(default)]
    pub policies: BTreeMap<String, Vec<Policy>>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub faults: Vec<FaultPlan>,
    /// What must hold.
    #[serde(default)]
    pub invariants: Vec<Invariant>,
    /// Idempotency designs of this scenario, by name, beside the built-in ones.
    #[serde(default)]
    pub designs: BTreeMap<String, Design>,
    /// Changed copies of the scenario: path → new value.
    #[serde(default)]
    pub variants: BTreeMap<String, BTreeMap<String, Ignored>>,
    /// When a run is ended as a finding.
    #[serde(default)]
    pub limits: Limits,
}

fn default_seed() -> u64 {
    1
}

/// A part that is read from the source text when it is needed, not here.
#[derive(Clone, Copy, Debug)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ignored, D::Error> {
        de::IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

/// Bounds on one run.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Delivered events.
    pub steps: u64,
    /// Virtual time.
    pub time: Span,
    /// Events waiting in the queue.
    pub pending: u64,
    /// Estimated memory in MiB.
    pub memory_mib: u64,
    /// Lines of the log that are kept.
    pub log: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            steps: 200_000_000,
            time: Span::secs(31 * 86_400),
            pending: 4_000_000,
            memory_mib: 4_096,
            log: 10_000,
        }
    }
}

/// Something that acts.
#[derive(Clone, Debug, Deserialize)]
pub enum Actor {
    /// Users, or a program on their behalf, that want something done.
    Client(Client),
    /// A server with workers, a queue and endpoints.
    Service(Service),
    /// A Redis-like key-value store.
    Kv(Kv),
    /// An actor written in Rust and registered under a kind.
    Custom(Custom),
}

/// A population of users with one program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// When intents arise.
    pub load: Load,
    /// What is done for an intent, once per submission.
    pub does: Vec<Step>,
    /// How often the user submits the same intent: 2 is a double click.
    #[serde(default = "one")]
    pub clicks: u32,
    /// The time between two clicks.
    #[serde(default)]
    pub apart: Span,
    /// How long the user waits for a submission before leaving without an answer.
    #[serde(default)]
    pub patience: Option<Span>,
    /// The content of the request, compared by designs that fingerprint it.
    #[serde(default)]
    pub body: Expr,
}

fn one() -> u32 {
    1
}

/// When intents arise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Load {
    /// At a rate, whether or not earlier intents are done.
    Open {
        /// Mean rate.
        rate: Rate,
        /// How the gaps vary.
        #[serde(default)]
        arrivals: Arrivals,
        /// When the load begins; constant arrivals have one at exactly this instant.
        #[serde(default)]
        from: Span,
        /// When it ends, itself excluded; by default at the horizon.
        #[serde(default)]
        until: Option<Span>,
    },
    /// Users who each wait for the answer, think, and come again.
    Closed {
        /// How many users.
        users: u32,
        /// The pause between an answer and the next intent; also before the first.
        think: Dist,
        /// When users stop coming; by default at the horizon.
        #[serde(default)]
        until: Option<Span>,
    },
    /// Many intents at one instant.
    Burst {
        /// How many.
        count: u32,
        /// When.
        #[serde(default)]
        at: Span,
    },
}

/// How the gaps between open-loop arrivals vary.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub enum Arrivals {
    /// Exponential gaps: independent users.
    #[default]
    Poisson,
    /// Equal gaps.
    Constant,
    /// Gaps uniform between zero and twice the mean.
    Uniform,
}

/// A server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// How many requests are worked on at once.
    pub workers: u32,
    /// Where requests wait for a worker.
    #[serde(default)]
    pub queue: Queue,
    /// What a worker does while its request waits for somebody else.
    #[serde(default)]
    pub threads: Threads,
    /// Programs by endpoint name.
    pub endpoints: BTreeMap<String, Vec<Step>>,
}

/// Where requests wait for a worker.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Queue {
    /// First come, first served; a request that finds `limit` waiting is answered 503.
    Fifo {
        /// How many may wait.
        limit: u32,
    },
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::Fifo { limit: 1024 }
    }
}

/// What a worker does while its request waits for somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Threads {
    /// It waits too: thread per request. This is how cascades happen.
    #[default]
    Blocking,
    /// It serves other requests: an event loop or a coroutine.
    Async,
}

/// A Redis-like store: one command at a time, in order of arrival.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kv {
    /// How long one command takes.
    #[serde(default = "default_service_time")]
    pub service_time: Dist,
}

fn default_service_time() -> Dist {
    Dist::Const(Span::micros(100))
}

/// An actor written in Rust.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// The kind under which it was registered.
    pub kind: String,
    /// Settings that its constructor reads.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// How messages travel between two actors, in both directions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// One end.
    pub from: String,
    /// The other end.
    pub to: String,
    /// One-way delay of each message.
    #[serde(default)]
    pub latency: Dist,
    /// The share of messages that are lost, each way.
    #[serde(default)]
    pub loss: f64,
    /// The share of requests that arrive twice.
    #[serde(default)]
    pub duplicate: f64,
}

/// A length of time that varies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Dist {
    /// Always the same.
    Const(Span),
    /// Equally likely between two bounds.
    Uniform {
        /// Shortest.
        low: Span,
        /// Longest.
        high: Span,
    },
    /// Memoryless, by its mean.
    Exponential(Span),
    /// Bell-shaped, cut at zero.
    Normal {
        /// Mean before the cut.
        mean: Span,
        /// Standard deviation.
        sd: Span,
    },
    /// Skewed like most latencies, by two percentiles.
    LogNormal {
        /// Median.
        p50: Span,
        /// 99th percentile.
        p99: Span,
    },
    /// The sum of `k` equal exponential stages.
    Erlang {
        /// Stages.
        k: u32,
        /// Mean of the sum.
        mean: Span,
    },
    /// Gamma, by shape and mean.
    Gamma {
        /// Shape.
        shape: f64,
        /// Mean.
        mean: Span,
    },
    /// Heavy-tailed.
    Pareto {
        /// Shortest.
        min: Span,
        /// Tail index; below 2 the variance is infinite, below 1 the mean is.
        shape: f64,
    },
    /// Weibull, by scale and shape.
    Weibull {
        /// The 63.2nd percentile.
        scale: Span,
        /// Below 1 heavy-tailed, above 1 light-tailed.
        shape: f64,
    },
    /// Each of the given lengths equally likely.
    Empirical(Vec<Span>),
}

impl Default for Dist {
    fn default() -> Dist {
        Dist::Const(Span::ZERO)
    }
}

/// One policy of a stack.
#[derive(Clone, Debug, Deserialize)]
pub enum Policy {
    /// Attempts again after failures that may pass.
    Retry(Retry),
    /// Stops waiting.
    Timeout(Span),
    /// Stops asking a callee that fails.
    Breaker(Breaker),
    /// Bounds the calls in flight to one callee.
    Bulkhead(Bulkhead),
    /// Answers for a callee that cannot.
    Fallback(Fallback),
}

/// Attempts again after failures that may pass.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// All attempts, the first included.
    pub attempts: u32,
    /// The wait before each retry.
    #[serde(default)]
    pub backoff: Backoff,
    /// How chance changes that wait.
    #[serde(default)]
    pub jitter: Jitter,
    /// No retry starts later than this after the first attempt.
    #[serde(default)]
    pub total: Option<Span>,
    /// Whether a 409 is attempted again, as clients of an idempotent API do.
    #[serde(default)]
    pub conflict: bool,
    /// Whether a refusal by the caller's own breaker or bulkhead is attempted again.
    #[serde(default)]
    pub rejected: bool,
}

/// The wait before a retry.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Backoff {
    /// None: retry at once.
    None,
    /// Always the same.
    Constant(Span),
    /// Growing by a factor up to a cap.
    Exponential {
        /// Before the first retry.
        base: Span,
        /// Growth per retry.
        #[serde(default = "two")]
        factor: f64,
        /// Longest wait before jitter.
        #[serde(default = "default_cap")]
        cap: Span,
    },
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::Exponential { base: Span::secs(1), factor: two(), cap: default_cap() }
    }
}

fn two() -> f64 {
    2.0
}

fn default_cap() -> Span {
    Span::secs(60)
}

/// How chance changes a wait.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub enum Jitter {
    /// Not at all: everybody comes back at once.
    #[default]
    None,
    /// Adds up to this share of the wait.
    Proportional(f64),
    /// Anything from zero to the wait.
    Full,
    /// Half the wait, and up to as much again.
    Equal,
    /// Between the base and three times the previous wait.
    Decorrelated,
}

/// Stops asking a callee that fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// What opens it.
    #[serde(default)]
    pub trip: Trip,
    /// How long it stays open before it lets a test request through.
    #[serde(default = "default_open_for")]
    pub open_for: Span,
    /// How many test requests must succeed in a row to close it.
    #[serde(default = "three")]
    pub close_after: u32,
}

fn default_open_for() -> Span {
    Span::secs(30)
}

fn three() -> u32 {
    3
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Trip {
    /// Failures in a row.
    Consecutive {
        /// How many.
        failures: u32,
    },
}

impl Default for Trip {
    fn default() -> Trip {
        Trip::Consecutive { failures: 5 }
    }
}

/// Bounds the calls in flight to one callee; a call beyond the bound is refused at once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulkhead {
    /// Calls in flight.
    pub limit: u32,
}

/// Answers for a callee that cannot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The status of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// Its content.
    #[serde(default)]
    pub body: Expr,
    /// When the fallback answers.
    #[serde(default)]
    pub on: FallbackOn,
}

fn ok() -> u16 {
    200
}

/// When a fallback answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum FallbackOn {
    /// When a policy inside it refused the call, as an open breaker does.
    #[default]
    Rejected,
    /// On every ending that is not a success.
    Failure,
}

/// A value that may name variables: `201`, `"{key}:lock"`, `{"status": 201, "id": "{charge}"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Expr {
    /// Absent; written `None`.
    #[default]
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text with `{variables}`; a text that is one variable and nothing else keeps its type.
    Text(String),
    /// Named fields.
    Record(Vec<(String, Expr)>),
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Expr, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Expr;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text with {variables}, a whole number, true, false, None or a map")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Expr, E> {
                Ok(Expr::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Expr, E> {
                Ok(Expr::Int(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Expr, E> {
                i64::try_from(value).map(Expr::Int).map_err(E::custom)
            }
            fn visit_str<E>(self, value: &str) -> Result<Expr, E> {
                Ok(Expr::Text(value.to_owned()))
            }
            fn visit_none<E>(self) -> Result<Expr, E> {
                Ok(Expr::Nil)
            }
            fn visit_unit<E>(self) -> Result<Expr, E> {
                Ok(Expr::Nil)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Expr, D::Error> {
                Expr::deserialize(inner)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expr, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Expr::Record(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A condition on values.
#[derive(Clone, Debug, Deserialize)]
pub enum Cond {
    /// Neither absent, `false` nor zero.
    Is(Expr),
    /// Equal in type and value.
    Eq(Expr, Expr),
    /// Not equal.
    Ne(Expr, Expr),
    /// Whole numbers, first below second; false when either is no number.
    Lt(Expr, Expr),
    /// Whole numbers, first at most second; false when either is no number.
    Le(Expr, Expr),
    /// The opposite.
    Not(Box<Cond>),
    /// Every one holds.
    All(Vec<Cond>),
    /// At least one holds.
    Any(Vec<Cond>),
}

/// One step of a program.
#[derive(Clone, Debug, Deserialize)]
pub enum Step {
    /// Keeps a worker busy.
    Work(Dist),
    /// Waits without working.
    Sleep(Dist),
    /// Asks an endpoint and waits for the answer; anything but a success raises an error.
    Call(Call),
    /// Sends a command to a store and waits for the reply; no reply raises an error.
    Kv(KvStep),
    /// Gives a variable a value.
    Let(Let),
    /// Chooses by a condition.
    If(If),
    /// Chooses by a value.
    Match(Match),
    /// Repeats.
    Loop(Loop),
    /// Leaves the innermost loop.
    Break,
    /// Handles errors.
    Try(Try),
    /// Runs branches at once and waits for all; the first branch's error is raised.
    Parallel(Vec<Vec<Step>>),
    /// Does something durable that goes to the ledger.
    Effect(Effect),
    /// Answers the request and leaves the program; `finally` steps on the way out still run.
    Respond(Respond),
    /// Raises an error that is answered with this status unless caught.
    Fail(u16),
    /// Marks a point at which a fault can strike.
    Label(String),
    /// Runs a body under an idempotency design.
    Idempotent(Idempotent),
    /// In a design: where the body goes.
    Body,
}

/// Asks an endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `actor.endpoint`.
    pub to: String,
    /// The policy stack around the call; none sends once and waits for ever.
    #[serde(default)]
    pub policy: Option<String>,
    /// The idempotency key, worked out anew for each attempt, `{attempt}` being its number. A
    /// client sends its intent's `{key}` by default, a service sends none.
    #[serde(default, deserialize_with = "present")]
    pub key: Option<Expr>,
    /// The content; by default the caller's own `{body}`.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Expr>,
    /// Further variables for the callee's program.
    #[serde(default)]
    pub with: BTreeMap<String, Expr>,
    /// The variable that takes the answer's content; `.status` of it is the status.
    #[serde(default)]
    pub into: Option<String>,
}

/// Tells a field that was written as `None` from one that was not written.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Expr>, D::Error> {
    Expr::deserialize(deserializer).map(Some)
}

/// Sends a command to a store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KvStep {
    /// The store's name.
    pub store: String,
    /// The command.
    pub op: KvOp,
    /// The policy stack around the command.
    #[serde(default)]
    pub policy: Option<String>,
    /// The variable that takes the reply.
    #[serde(default)]
    pub into: Option<String>,
}

/// A command to a store, as Redis means it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum KvOp {
    /// The value, or nil.
    Get(Expr),
    /// Stores a value; `true`, or nil when `nx` or `xx` forbids it.
    Set {
        /// Where.
        key: Expr,
        /// What.
        value: Expr,
        /// Only when the key is absent.
        #[serde(default)]
        nx: bool,
        /// Only when the key is present.
        #[serde(default)]
        xx: bool,
        /// Lifetime in whole seconds.
        #[serde(default)]
        ex: Option<Span>,
        /// Lifetime in whole milliseconds.
        #[serde(default)]
        px: Option<Span>,
    },
    /// 1 or 0.
    Exists(Expr),
    /// How many keys were removed: 1 or 0.
    Del(Expr),
    /// Removes a key if it holds this value, atomically: 1 or 0.
    CompareAndDelete {
        /// Which.
        key: Expr,
        /// The value it must hold.
        expected: Expr,
    },
    /// Adds one to a number, from 0 when absent.
    Incr(Expr),
    /// Milliseconds left to live; -1 without expiry, -2 without key.
    Pttl(Expr),
}

/// Gives a variable a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Let {
    /// The variable.
    pub name: String,
    /// Its new value.
    pub value: Expr,
}

/// Chooses by a condition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct If {
    /// The condition.
    pub when: Cond,
    /// Runs when it holds.
    pub then: Vec<Step>,
    /// Runs when it does not.
    #[serde(default, rename = "else")]
    pub otherwise: Vec<Step>,
}

/// Chooses by a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The value.
    pub value: Expr,
    /// The first equal case runs.
    pub cases: Vec<(Expr, Vec<Step>)>,
    /// Runs when no case is equal.
    #[serde(default, rename = "else")]
    pub otherwise: Vec<Step>,
}

/// Repeats.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loop {
    /// At most this often.
    pub times: u32,
    /// What.
    pub body: Vec<Step>,
}

/// Handles errors. In `catch`, `{error.status}`, `{error.kind}` and `{error.fate}` tell what
/// happened; an error that `catch` does not answer is over.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// What may fail.
    pub body: Vec<Step>,
    /// Runs on an error; without it the error goes on.
    #[serde(default)]
    pub catch: Option<Vec<Step>>,
    /// Runs on every way out.
    #[serde(default)]
    pub finally: Vec<Step>,
}

/// Does something durable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// What: `charge`, `refund`, `order`…
    pub kind: String,
    /// A key under which it happens once: a repeat returns the first one's id. `None` never
    /// matches anything, so it happens each time.
    #[serde(default)]
    pub once: Expr,
    /// For `refund`: the kind of effect that it takes back.
    #[serde(default)]
    pub undoes: Option<String>,
    /// The variable that takes its id.
    #[serde(default)]
    pub into: Option<String>,
}

/// Answers the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The status.
    pub status: Expr,
    /// The content.
    #[serde(default)]
    pub body: Expr,
    /// How long the caller should wait before it asks again.
    #[serde(default)]
    pub retry_after: Option<Span>,
}

/// Runs a body under an idempotency design.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotent {
    /// The design's name.
    pub design: String,
    /// `$store` in the design.
    #[serde(default = "default_store")]
    pub store: String,
    /// `$lock` in the design: how long a lock lives.
    #[serde(default = "default_lock")]
    pub lock: Span,
    /// `$keep` in the design: how long a result is kept.
    #[serde(default = "default_keep")]
    pub keep: Span,
    /// What the design protects. It leaves what shall be answered in `{result}`.
    pub body: Vec<Step>,
}

fn default_store() -> String {
    "redis".to_owned()
}

fn default_lock() -> Span {
    Span::secs(30)
}

fn default_keep() -> Span {
    Span::secs(86_400)
}

/// An idempotency design: steps around a hole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// What it promises and what it leaves open.
    #[allow(dead_code)]
    pub about: String,
    /// The steps, with one `Body`.
    pub steps: Vec<Step>,
}

/// A fault and when it strikes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum FaultPlan {
    /// At an instant.
    At {
        /// When.
        at: Span,
        /// How long; by default to the end.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        lasts: Option<Span>,
        /// What.
        fault: Fault,
    },
    /// When a program passes a point: `"api.pay/charged"` is the `Label("charged")` in the
    /// endpoint `pay` of `api`.
    After {
        /// The point.
        point: String,
        /// At which passage, from 1.
        #[serde(default = "first")]
        nth: u32,
        /// How long; by default to the end.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        lasts: Option<Span>,
        /// What.
        fault: Fault,
    },
}

fn first() -> u32 {
    1
}

/// What goes wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Fault {
    /// Answers a share of requests with an error, without working on them.
    Errors {
        /// The service or store.
        actor: String,
        /// The share.
        #[serde(default = "certain")]
        rate: f64,
        /// The status.
        #[serde(default = "internal_error")]
        status: u16,
    },
    /// Accepts a share of requests and never answers or works on them.
    Hang {
        /// The service.
        actor: String,
        /// The share.
        #[serde(default = "certain")]
        rate: f64,
    },
    /// The process dies: its work is lost, connections break, new ones are refused. A store
    /// loses its data.
    Crash {
        /// The service or store.
        actor: String,
    },
    /// Refuses connections; work under way and data are kept.
    Outage {
        /// The service or store.
        actor: String,
    },
    /// Nothing reaches it or leaves it, and nobody is told.
    BlackHole {
        /// The actor.
        actor: String,
    },
    /// Work takes longer by a factor.
    Slow {
        /// The service or store.
        actor: String,
        /// The factor.
        factor: f64,
    },
    /// Stands still, as in a long garbage collection; what arrives waits.
    Pause {
        /// The service or store.
        actor: String,
    },
    /// Messages between two actors vanish.
    Partition {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// Whether messages the other way vanish too.
        #[serde(default = "yes")]
        both_ways: bool,
    },
    /// A share of the messages from one actor to another vanishes.
    Loss {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// The share.
        rate: f64,
    },
    /// A share of the requests from one actor to another arrives twice.
    Duplicate {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// The share.
        rate: f64,
    },
    /// Messages from one actor to another take longer.
    Delay {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// By how much.
        by: Span,
    },
    /// A store forgets everything.
    Flush {
        /// The store.
        store: String,
    },
}

fn certain() -> f64 {
    1.0
}

fn internal_error() -> u16 {
    500
}

fn yes() -> bool {
    true
}

/// What must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Invariant {
    /// No intent has more than one effect of this kind that was not taken back, and each that was
    /// told success has exactly one.
    ExactlyOnce(String),
    /// No intent has more than one effect of this kind that was not taken back.
    AtMostOnce(String),
    /// Each intent that was told success has an effect of this kind.
    AckedImpliesDone(String),
    /// No intent that was told of a definite failure, and never of success, has an effect of this
    /// kind that was not taken back.
    FailedImpliesNone(String),
    /// Every submission came to an end before the run did.
    AllAnswered,
    /// From this long after the last fault healed on, nine in ten submissions succeed.
    RecoversWithin(Span),
    /// At least this share of a client's submissions in a stretch of time succeed.
    Goodput {
        /// The client.
        client: String,
        /// The share.
        at_least: f64,
        /// Submissions from here on count.
        #[serde(default)]
        from: Span,
        /// Submissions up to here count; by default all.
        #[serde(default)]
        until: Option<Span>,
    },
    /// No window of this length sees more requests arrive at a service.
    PeakArrivals {
        /// The service.
        at: String,
        /// The most.
        max: u64,
        /// The window's length.
        #[serde(default = "default_peak_window")]
        window: Span,
        /// Whether first attempts count too, or only retries.
        #[serde(default)]
        retries_only: bool,
    },
    /// A breaker changes its state at exactly these instants.
    Transitions {
        /// `caller->callee policy`.
        breaker: String,
        /// When, and to which state.
        expect: Vec<(Span, BreakerState)>,
    },
    /// The waits before a call's retries lie within these bounds.
    RetryWaits {
        /// `caller->callee`.
        call: String,
        /// Shortest and longest wait before retry 1, 2, 3…
        between: Vec<(Span, Span)>,
    },
}

fn default_peak_window() -> Span {
    Span::millis(100)
}

/// A breaker's state, as expected by an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// One test request at a time passes.
    HalfOpen,
}
