//! Actors but services, loads, links and the lengths of time that vary.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::{Call, Expr, Kv, Load, Service, Step};

/// Something that acts.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "actor")]
pub enum Actor {
    /// Users, or a program on their behalf, that want something done.
    #[schemars(
        example = r#"Client(load: Open(rate: "50/s"), does: [Call("api.pay")], patience: "10s")"#
    )]
    Client(Client),
    /// A server with workers, a queue and endpoints.
    #[schemars(
        example = r#"Service(workers: 32, endpoints: {"charge": [Work(Const("20ms")), Effect("charge")]})"#
    )]
    Service(Service),
    /// A Redis-like key-value store.
    #[schemars(example = r#"Kv(service_time: Const("100us"), replicas: 1)"#)]
    Kv(Kv),
    /// Queues that hand each message on at least once.
    #[schemars(example = r#"Broker(queues: {"orders": Queue(to: ["mailer.on_order"])})"#)]
    Broker(Broker),
    /// An actor written in Rust and registered under a kind.
    #[schemars(
        example = r#"Custom("bank", config: {"fee": "2"}, calls: {"card": Call("psp.charge", policy: "provider")})"#
    )]
    Custom(Custom),
}

/// A population of users with one program.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// When intents arise.
    pub load: Load,
    /// What is done for an intent, once per submission.
    pub does: Vec<Step>,
    /// Processes over which the load is spread. Each has its own breakers, budgets and pools.
    ///
    /// A user of a closed load, and a session, stays at one process. Random arrivals belong to a
    /// random process, so that each has a load of that kind; constant arrivals and bursts go round.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000000))]
    pub count: u32,
    /// How often the user submits the same intent: 2 is a double click.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub clicks: u32,
    /// The time between two clicks.
    #[serde(default)]
    pub apart: Span,
    /// How long the user waits for a submission before leaving without an answer.
    #[serde(default)]
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub patience: Option<Span>,
    /// How often a user begins anew, under a new key, after a submission that came to nothing.
    #[serde(default)]
    pub new_keys: u32,
    /// What is done for a user who asks for a refund. It says `Refunded` when that is granted.
    #[serde(default)]
    pub refund: Vec<Step>,
    /// How long after deciding each user asks for a refund; by default only a fault `User` does.
    #[serde(default)]
    pub refund_after: Option<Span>,
    /// The content of the request, compared by designs that fingerprint it.
    #[serde(default)]
    pub body: Expr,
}

fn one() -> u32 {
    1
}

/// A program that a service runs on its own, again and again, without a worker: a relay.
///
/// One run at a time on an instance. A turn that finds the last run still under way, or the service down or
/// paused, is skipped.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Job(every: "10s", does: [Kv(LLen("outbox"), store: "redis")])"#)]
pub struct Job {
    /// From one turn to the next.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub every: Span,
    /// The first turn comes `every` after this.
    #[serde(default)]
    pub from: Span,
    /// On which instances.
    #[serde(default)]
    pub on: JobOn,
    /// The program. It runs for no user's intent until `OnBehalfOf` names one.
    pub does: Vec<Step>,
}

/// On which instances of its service a job runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum JobOn {
    /// On each that is up, at the same instants: a timer inside a program runs in every copy of it.
    #[default]
    Every,
    /// On one that is up, as with a leader that holds a lease; after its death on another.
    One,
}

/// Queues that hand each message on at least once. What was published survives a crash.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Queues by name.
    pub queues: BTreeMap<String, MessageQueue>,
}

/// A queue and those who take its messages.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(rename = "Queue", deny_unknown_fields)]
#[schemars(example = r#"Queue(to: ["mailer.on_order"])"#)]
pub struct MessageQueue {
    /// The endpoints, each of which gets every message.
    pub to: Vec<String>,
    /// How long after a delivery the message is handed out again unless it was acknowledged.
    #[serde(default = "default_visibility")]
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub visibility: Span,
    /// Deliveries to one subscriber, after which its message is dead.
    #[serde(default = "default_deliveries")]
    #[schemars(range(min = 1))]
    pub attempts: u32,
}

/// The visibility timeout of Amazon SQS.
fn default_visibility() -> Span {
    Span::secs(30)
}

fn default_deliveries() -> u32 {
    16
}

/// An actor written in Rust.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Custom {
    /// The kind under which it was registered.
    pub kind: String,
    /// Settings that its constructor reads.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Whom it calls, by the names under which it does so.
    #[serde(default)]
    pub calls: BTreeMap<String, Call>,
}

/// How messages travel between two actors, in both directions.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Link(from: "api", to: "psp", latency: Const("5ms"))"#)]
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
    #[schemars(range(min = 0.0, max = 1.0))]
    pub loss: f64,
    /// The share of requests that arrive twice.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub duplicate: f64,
}

/// A length of time that varies.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "distribution")]
pub enum Dist {
    /// Always the same.
    #[schemars(example = r#"Const("10ms")"#)]
    Const(Span),
    /// Equally likely between two bounds.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Uniform("1ms", "5ms")"#)]
    Uniform {
        /// Shortest.
        low: Span,
        /// Longest.
        high: Span,
    },
    /// Memoryless, by its mean.
    #[schemars(example = r#"Exponential("20ms")"#)]
    Exponential(#[schemars(extend("x-exclusiveMinimum" = "0s"))] Span),
    /// Bell-shaped, cut at zero.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Normal("20ms", "5ms")"#)]
    Normal {
        /// Mean before the cut.
        mean: Span,
        /// Standard deviation.
        sd: Span,
    },
    /// Skewed like most latencies, by two percentiles.
    #[schemars(example = r#"LogNormal(p50: "20ms", p99: "120ms")"#)]
    LogNormal {
        /// Median.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        p50: Span,
        /// 99th percentile.
        p99: Span,
    },
    /// The sum of `k` equal exponential stages.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Erlang(4, "20ms")"#)]
    Erlang {
        /// Stages.
        #[schemars(range(min = 1))]
        k: u32,
        /// Mean of the sum.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        mean: Span,
    },
    /// Gamma, by shape and mean.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Gamma(0.5, "20ms")"#)]
    Gamma {
        /// Shape.
        #[schemars(extend("exclusiveMinimum" = 0))]
        shape: f64,
        /// Mean.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        mean: Span,
    },
    /// Heavy-tailed.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Pareto("5ms", 1.5)"#)]
    Pareto {
        /// Shortest.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        min: Span,
        /// Tail index; below 2 the variance is infinite, below 1 the mean is.
        #[schemars(extend("exclusiveMinimum" = 0))]
        shape: f64,
    },
    /// Weibull, by scale and shape.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Weibull("20ms", 0.7)"#)]
    Weibull {
        /// The 63.2nd percentile.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        scale: Span,
        /// Below 1 heavy-tailed, above 1 light-tailed.
        #[schemars(extend("exclusiveMinimum" = 0))]
        shape: f64,
    },
    /// Lengths that were measured: given one by one, or in a file of one kind or another.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Empirical(["8ms", "11ms", "240ms"])"#)]
    Empirical {
        /// Each of them equally likely.
        #[serde(default)]
        values: Option<Vec<Span>>,
        /// The same with one length on each line.
        #[serde(default)]
        file: Option<String>,
        /// A log of HDR histograms, all of whose intervals are taken together.
        #[serde(default)]
        hdr: Option<String>,
        /// What a bare number in the file is a multiple of; by default a second in `file`, and to be
        /// said for `hdr`.
        #[serde(default)]
        unit: Option<Span>,
    },
    /// One of several, each with a weight.
    #[schemars(example = r#"Mixture([(0.99, Const("10ms")), (0.01, Exponential("1s"))])"#)]
    Mixture(Vec<(f64, Dist)>),
}

impl Default for Dist {
    fn default() -> Dist {
        Dist::Const(Span::ZERO)
    }
}
