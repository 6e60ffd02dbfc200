//! Services: workers, queues, instances behind a balancer, and what makes work take longer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;
use sim_policies::concurrency::LimitConfig;
use sim_policies::rate_limiter::RateLimiterConfig;

use super::limit::Limit;
use super::{Job, Step};

/// A server, or several equal ones behind a balancer.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// How many requests each instance works on at once.
    #[schemars(range(min = 1))]
    pub workers: u32,
    /// Where requests wait for a worker of their instance.
    #[serde(default)]
    pub queue: Queue,
    /// What a request must pass before it may even wait.
    #[serde(default)]
    pub admission: Admission,
    /// A request that has waited for longer is answered 503 when its turn comes, unworked.
    #[serde(default)]
    pub max_wait: Option<Span>,
    /// What a worker does while its request waits for somebody else: `Blocking` waits too, `Async`
    /// serves others.
    #[serde(default)]
    pub threads: Threads,
    /// What happens to a request whose caller has stopped waiting: `Ignore` works it to its end,
    /// `Cancel` calls it off.
    #[serde(default)]
    pub on_disconnect: OnDisconnect,
    /// How many servers there are, each with its workers and its queue.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100000))]
    pub instances: u32,
    /// How a request finds its instance.
    #[serde(default)]
    pub balancer: Balancer,
    /// The balancer looks at the loads with the first request after each multiple of this; zero is
    /// with each request.
    #[serde(default)]
    pub stale: Span,
    /// Starts and stops instances as the load has it.
    #[serde(default)]
    pub autoscale: Option<Autoscale>,
    /// Garbage collections that stop the world.
    #[serde(default)]
    pub gc: Option<Gc>,
    /// An instance that has just started works more slowly.
    #[serde(default)]
    pub slow_start: Option<SlowStart>,
    /// How much longer work takes beside other work: `Usl(…)`.
    #[serde(default)]
    pub contention: Option<Contention>,
    /// What each instance remembers, by name.
    #[serde(default)]
    pub caches: BTreeMap<String, Cache>,
    /// Programs by endpoint name.
    pub endpoints: BTreeMap<String, Vec<Step>>,
    /// Programs that it runs on its own, by name.
    #[serde(default)]
    pub jobs: BTreeMap<String, Job>,
}

fn one() -> u32 {
    1
}

/// What an instance remembers of what `Cached` steps worked out. A crash forgets it.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Cache(ttl: "60s", coalesce: true)"#)]
pub struct Cache {
    /// How long a value is served.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub ttl: Span,
    /// After this the first who asks has it worked out anew, and it is served meanwhile.
    #[serde(default)]
    pub soft_ttl: Option<Span>,
    /// How many values there is room for; the one that was not used for longest makes room.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub capacity: Option<u32>,
    /// Whether those who need one value wait for whoever works it out (single flight).
    #[serde(default)]
    pub coalesce: bool,
    /// Whether a value may be worked out anew before it expires.
    #[serde(default)]
    pub early: Option<Early>,
}

/// Who works a value out anew before it expires.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "early computation")]
pub enum Early {
    /// Whoever asks, with a probability that rises as the end draws near (Vattani et al., VLDB
    /// 2015).
    ///
    /// The longer the value takes to work out, the earlier.
    XFetch {
        /// Above 1 earlier, below 1 later.
        #[serde(default = "beta")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        beta: f64,
    },
}

fn beta() -> f64 {
    1.0
}

/// Where requests wait for a worker. At most `limit` wait, beside those that are worked on.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "queue", rename = "QueueDiscipline")]
pub enum Queue {
    /// First come, first served.
    #[schemars(example = r#"Fifo(limit: 256)"#)]
    Fifo {
        /// How many may wait.
        limit: u32,
        /// What a request meets that finds so many waiting.
        #[serde(default)]
        full: Full,
    },
    /// Last come, first served: under overload the few who are served are served fresh.
    #[schemars(example = r#"Lifo(limit: 256)"#)]
    Lifo {
        /// How many may wait.
        limit: u32,
        /// What a request meets that finds so many waiting.
        #[serde(default)]
        full: Full,
    },
    /// First come, first served, while few wait; last come, first served, while more than `above`
    /// do.
    ///
    /// After Maurer, "Fail at scale", ACM Queue 2015.
    #[schemars(example = r#"AdaptiveLifo(limit: 256, above: 32)"#)]
    AdaptiveLifo {
        /// How many may wait.
        limit: u32,
        /// With more than so many waiting, the latest is served first.
        above: u32,
        /// What a request meets that finds so many waiting.
        #[serde(default)]
        full: Full,
    },
    /// The most important endpoint first, and among equals first come, first served.
    ///
    /// A full queue lets go of the latest of the least important to make room for a more important
    /// one.
    #[schemars(example = r#"Priority(limit: 256, order: ["pay", "browse"])"#)]
    Priority {
        /// How many may wait.
        limit: u32,
        /// Endpoints, most important first; those that are not named come last.
        order: Vec<String>,
    },
    /// First come, first served; while waits stay above `target` for an `interval`, some are
    /// answered 503 (RFC 8289).
    ///
    /// It refuses more and more until the wait is short again.
    #[schemars(example = r#"Codel(limit: 256)"#)]
    Codel {
        /// How many may wait.
        limit: u32,
        /// The wait that is fine.
        #[serde(default = "codel_target")]
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        target: Span,
        /// How long the wait must have been too long.
        #[serde(default = "codel_interval")]
        interval: Span,
        /// What a request meets that finds so many waiting.
        #[serde(default)]
        full: Full,
    },
}

/// The values of RFC 8289, section 4.2 and 4.3.
fn codel_target() -> Span {
    Span::millis(5)
}

fn codel_interval() -> Span {
    Span::millis(100)
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::Fifo { limit: 1024, full: Full::Reject }
    }
}

/// What a request meets when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum Full {
    /// It is answered 503.
    #[default]
    Reject,
    /// It waits outside until there is room, as connections do that nobody has accepted yet: first
    /// come, first in, and without a bound.
    Block,
    /// The request that has waited longest is answered 503 in its place.
    DropOldest,
}

/// What a request must pass before it may even wait.
///
/// Each instance has its own limits; `Shared(TokenBucket(…))` is one limit for all of them.
#[derive(Clone, Debug, Default, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// How often an instance lets requests in, or all with `Shared(…)`; one too many is answered
    /// 429.
    #[serde(default)]
    pub rate: Option<Limit<RateLimiterConfig>>,
    /// How many are let in at once, waiting or worked on, likewise; one too many is answered 503.
    #[serde(default)]
    pub concurrency: Option<Limit<LimitConfig>>,
}

/// What a worker does while its request waits for somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum Threads {
    /// It waits too: thread per request. This is how cascades happen.
    #[default]
    Blocking,
    /// It serves other requests: an event loop or a coroutine.
    Async,
}

/// What happens to a request whose caller has stopped waiting: it timed out, left, was cancelled
/// itself, or got its answer from another attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum OnDisconnect {
    /// Nobody notices; it is worked on to its end.
    #[default]
    Ignore,
    /// The service hears of it one latency later and calls the request off.
    ///
    /// A request in the queue is dropped. In a running program whatever it waits for is called off,
    /// which cancels the calls below it too. The error 499 is raised, so that its `finally` blocks
    /// run.
    Cancel,
}

/// How a request finds its instance, among those that are up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "balancer")]
pub enum Balancer {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// One with the fewest requests, waiting or worked on; at random among several such.
    LeastRequest,
    /// The least loaded of so many that are picked at random; 2 is the power of two choices
    /// (Mitzenmacher 1996).
    #[schemars(example = r#"Choices(2)"#)]
    Choices(#[schemars(range(min = 1, max = 100000))] u32),
    /// The one that the request's key falls to on a ring (Karger et al. 1997).
    ///
    /// Equal keys meet at one instance, and few keys move when one is gone.
    RingHash {
        /// Points on the ring per instance.
        #[serde(default = "ring_points")]
        #[schemars(range(min = 1, max = 10000))]
        points: u32,
    },
}

fn ring_points() -> u32 {
    100
}

/// Starts and stops instances as Kubernetes' horizontal pod autoscaler does; `instances` is how
/// many there are at first.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Autoscale(min: 1, max: 10)"#)]
pub struct Autoscale {
    /// The fewest instances.
    #[schemars(range(min = 1))]
    pub min: u32,
    /// The most.
    #[schemars(range(min = 1, max = 100000))]
    pub max: u32,
    /// The share to aim at.
    #[serde(default = "scale_target")]
    #[schemars(range(min = 0.01, max = 1.0))]
    pub target: f64,
    /// Of what, per worker.
    #[serde(default)]
    pub metric: ScaleMetric,
    /// How often it looks, at the average since it last looked.
    #[serde(default = "scale_every")]
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub every: Span,
    /// From the decision until a new instance takes requests.
    #[serde(default = "scale_delay")]
    pub delay: Span,
    /// It stops instances only when it has wanted fewer for so long.
    #[serde(default = "scale_down_after")]
    pub down_after: Span,
}

/// What an autoscaler looks at, for each worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "metric of an autoscaler")]
pub enum ScaleMetric {
    /// Work being done. A worker that waits for an answer or sleeps uses no processor.
    #[default]
    Cpu,
    /// Workers that are taken, also by a request that waits for somebody else.
    Busy,
    /// Requests there, in a worker or in line, as Knative's concurrency.
    Queue,
}

fn scale_target() -> f64 {
    0.7
}

/// The defaults of Kubernetes' controller manager: a look each 15 s, a stabilisation window of
/// 5 min before fewer.
fn scale_every() -> Span {
    Span::secs(15)
}

fn scale_delay() -> Span {
    Span::secs(60)
}

fn scale_down_after() -> Span {
    Span::secs(300)
}

/// A collection stops an instance's world after so many requests begun, for longer the more
/// requests it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Gc(after: 1000, pause: "50ms")"#)]
pub struct Gc {
    /// A collection comes after so many requests have been begun: each allocates.
    #[schemars(range(min = 1))]
    pub after: u32,
    /// How long it takes at least.
    #[serde(default)]
    pub pause: Span,
    /// How much longer for each request at the instance, waiting or worked on: each is alive.
    #[serde(default)]
    pub per_request: Span,
}

/// Work takes `factor` times as long just after a start, and evenly less until `for` is over.
///
/// Cold caches, lazy connections, code that is not compiled yet.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"SlowStart(factor: 3.0, for: "30s")"#)]
pub struct SlowStart {
    /// How many times as long work takes at first; the factor falls evenly to 1.
    #[schemars(range(min = 1.0))]
    pub factor: f64,
    /// When it has fallen to 1.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// How much longer work takes beside other work of the same instance.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "contention")]
pub enum Contention {
    /// With `n` workers busy, its own included, work takes `1 + sigma (n - 1) + kappa n (n - 1)`
    /// times as long.
    ///
    /// The universal scalability law (Gunther 1993). The factor is fixed when the work begins.
    #[schemars(example = r#"Usl(sigma: 0.02, kappa: 0.001)"#)]
    Usl {
        /// Waiting for each other.
        #[schemars(range(min = 0.0))]
        sigma: f64,
        /// Keeping each other's caches coherent.
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        kappa: f64,
    },
}
