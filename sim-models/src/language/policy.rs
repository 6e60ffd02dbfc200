//! Policies of a stack.
//!
//! The options of a library's preset are those of its policy: they are read straight into the
//! policy's own configuration, where their meaning, their ranges and their defaults stand.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;
use sim_policies::breaker::BreakerConfig;
use sim_policies::budget::BudgetConfig;
use sim_policies::bulkhead::BulkheadConfig;
use sim_policies::concurrency::LimitConfig;
use sim_policies::hedge::HedgeConfig;
use sim_policies::proxy::ProxyConfig;
use sim_policies::rate_limiter::RateLimiterConfig;
use sim_policies::retry::RetryConfig;
use sim_policies::{EndingSet, Growth, Jitter, outlier, throttle};

use super::Expr;
use super::step::present;

/// One policy of a stack.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "policy")]
pub enum Policy {
    /// Attempts again after failures that may pass.
    #[schemars(
        example = r#"Retry(attempts: 4, backoff: Exponential(base: "100ms"), jitter: Full)"#
    )]
    Retry(Retry),
    /// Stops waiting.
    #[schemars(example = r#"Timeout("2s")"#)]
    Timeout(Timeout),
    /// Stops waiting, and tells everybody who works for the call when that will be.
    #[schemars(example = r#"Deadline("10s")"#)]
    Deadline(#[schemars(extend("x-exclusiveMinimum" = "0s"))] Span),
    /// Stops asking a callee that fails.
    #[schemars(example = r#"Breaker(Consecutive(failures: 5), open_for: "30s", close_after: 3)"#)]
    Breaker(Breaker),
    /// Bounds the calls in flight to one callee.
    #[schemars(example = r#"Bulkhead(20, queue: 10, wait: "100ms")"#)]
    Bulkhead(Bulkhead),
    /// Keeps connections to one callee, up to a number, and lets calls wait for one.
    #[schemars(example = r#"ConnectionPool(10, connect: "5ms")"#)]
    ConnectionPool(ConnectionPool),
    /// Bounds the calls per time to one callee.
    #[schemars(
        example = r#"RateLimiter(TokenBucket(permits: 100, per: "1s", burst: 20), wait: "2s")"#
    )]
    RateLimiter(RateLimiter),
    /// Bounds the calls in flight by what the callee seems to bear.
    #[schemars(example = r#"ConcurrencyLimit(Vegas(initial_limit: 20))"#)]
    ConcurrencyLimit(ConcurrencyLimit),
    /// Refuses calls at random, the more the callee rejects.
    AdaptiveThrottle(throttle::Config),
    /// Sends another attempt before the first has ended.
    #[schemars(example = r#"Hedge(House(delay: Fixed("50ms"), max_hedges: 1))"#)]
    Hedge(Hedge),
    /// Chooses among endpoints, and leaves out those that fail.
    #[schemars(
        example = r#"OutlierDetection(hosts: ["psp-2", "psp-3"], like: Envoy(consecutive_5xx: 5))"#
    )]
    OutlierDetection(OutlierDetection),
    /// Stands as a reverse proxy in front of several hosts.
    #[schemars(
        example = r#"Upstream(hosts: ["psp-2", "psp-3"], like: Nginx(proxy_next_upstream: ["error"]))"#
    )]
    Upstream(Upstream),
    /// Answers for a callee that cannot.
    #[schemars(example = r#"Fallback(200, body: "cached price", on: Failure)"#)]
    Fallback(Fallback),
    /// A policy whose memory lies outside of the caller, as in Redis or a proxy: all its instances
    /// share it, and it outlives their crashes.
    #[schemars(example = r#"Shared(RateLimiter(TokenBucket(permits: 100, per: "1s", burst: 20)))"#)]
    Shared(Shared),
    /// A policy written in Rust, by the name under which the program registers it.
    #[schemars(example = r#"Custom("token_bank", config: {"tokens": "20"})"#)]
    Custom(CustomLayer),
}

/// Attempts again after failures that may pass.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Retry {
    /// A library whose retry this is, with that library's options.
    ///
    /// The options below that say how often, when and after what to retry are then not given.
    #[serde(default)]
    pub like: Option<RetryConfig>,
    /// All attempts, the first included.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub attempts: Option<u32>,
    /// The wait before each retry.
    #[serde(default, deserialize_with = "present")]
    pub backoff: Option<Growth>,
    /// How chance changes that wait.
    #[serde(default, deserialize_with = "present")]
    pub jitter: Option<Jitter>,
    /// No retry starts later than this after the first attempt.
    #[serde(default)]
    pub total: Option<Span>,
    /// What is attempted again; by default 408, 429, 500, 502, 503, 504, a timeout, a refused or
    /// reset connection.
    #[serde(default)]
    pub on: Option<EndingSet>,
    /// Whether a 409 is attempted again too, as clients of an idempotent API do.
    #[serde(default)]
    pub conflict: bool,
    /// Whether a refusal by the caller's own policies is attempted again too.
    #[serde(default)]
    pub rejected: bool,
    /// What all retries of this caller to this callee share.
    #[serde(default)]
    pub budget: Option<BudgetConfig>,
    /// Retries a call that may have had its effect although it has no key.
    #[serde(default)]
    pub even_if_unsafe: bool,
}

/// Stops waiting.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Timeout {
    /// How long the caller waits.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub after: Span,
    /// Whether what is inside ends then. Otherwise it goes on, retries, and keeps permit and
    /// connection until it ends or its process dies.
    #[serde(default = "cancels")]
    pub cancels: bool,
}

fn cancels() -> bool {
    true
}

/// Stops asking a callee that fails.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Breaker {
    /// What opens it, or the library whose breaker it is.
    #[serde(default)]
    pub trip: BreakerConfig,
    /// How long it stays open before it lets a test request through.
    ///
    /// In the place of the option of that name of `Consecutive`; a library's breaker has its own.
    #[serde(default)]
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub open_for: Option<Span>,
    /// How many test requests must succeed in a row to close it.
    ///
    /// In the place of the option of that name of `Consecutive`; a library's breaker has its own.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub close_after: Option<u32>,
    /// What counts as a failure, in the place of what the library counts by default.
    #[serde(default)]
    pub record: Option<EndingSet>,
    /// What the breaker is told to ignore. Some libraries count it as a success.
    #[serde(default)]
    pub ignore: EndingSet,
}

/// Bounds the calls in flight to one callee.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
pub struct Bulkhead {
    /// A library whose bulkhead this is, with that library's options.
    #[schemars(extend("x-constructor" = true))]
    #[serde(default)]
    pub like: Option<BulkheadConfig>,
    /// Calls in flight.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub limit: Option<u32>,
    /// Calls that may wait for a permit; none by default, or any number when `wait` is given.
    #[serde(default)]
    pub queue: Option<u32>,
    /// The longest wait for a permit; without it a call in the queue waits as long as it takes.
    #[serde(default)]
    pub wait: Option<Span>,
}

/// Keeps connections to one callee, up to a number, and lets calls wait for one.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct ConnectionPool {
    /// Connections at most.
    #[schemars(range(min = 1))]
    pub size: u32,
    /// The longest wait for one.
    #[serde(default = "pool_wait")]
    pub wait: Span,
    /// How long opening one takes.
    #[serde(default)]
    pub connect: Span,
    /// An unused one is closed after this.
    #[serde(default = "pool_idle")]
    pub idle: Span,
}

/// HikariCP's `connectionTimeout` and `idleTimeout`.
fn pool_wait() -> Span {
    Span::secs(30)
}

fn pool_idle() -> Span {
    Span::secs(600)
}

/// Bounds the calls per time to one callee.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct RateLimiter {
    /// The kind of limiter, or the library whose limiter it is.
    pub limit: RateLimiterConfig,
    /// The longest wait for a permit; by default none, or what the library waits.
    #[serde(default)]
    pub wait: Option<Span>,
}

/// Bounds the calls in flight by what the callee seems to bear.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct ConcurrencyLimit {
    /// The algorithm, with the options of Netflix's concurrency-limits.
    pub limit: LimitConfig,
}

/// Sends another attempt before the first has ended.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Hedge {
    /// How and when, or the library whose hedging this is.
    pub like: HedgeConfig,
    /// Hedges a call although it has no key and may have its effect twice.
    #[serde(default)]
    pub even_if_unsafe: bool,
}

/// Chooses among endpoints, and leaves out those that fail.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OutlierDetection {
    /// The actors that may be called instead of the one that the call names, at an endpoint of the
    /// same name.
    pub hosts: Vec<String>,
    /// When an endpoint is left out, with the options of Envoy's outlier detection.
    #[serde(default)]
    pub like: OutlierPreset,
}

/// When an endpoint is left out.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "outlier detection")]
pub enum OutlierPreset {
    /// Envoy's outlier detection.
    Envoy(outlier::Config),
}

impl Default for OutlierPreset {
    fn default() -> OutlierPreset {
        OutlierPreset::Envoy(outlier::Config::default())
    }
}

/// Stands as a reverse proxy in front of several hosts: chooses one, and passes a request on to the
/// next as nginx or HAProxy does. A `Timeout` inside is its read timeout.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The actors that may get the request beside the one that the call names, at an endpoint of
    /// the same name.
    pub hosts: Vec<String>,
    /// The server whose proxy this is, with its directives.
    #[serde(default)]
    pub like: ProxyConfig,
}

/// Answers for a callee that cannot: with a fixed answer, with the last good one, or with another
/// endpoint's.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Fallback {
    /// The status of the answer.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// Its content.
    #[serde(default)]
    pub body: Expr,
    /// Answers with what the callee last answered, unless that is older than this.
    #[serde(default)]
    pub cached: Option<Span>,
    /// Asks this endpoint instead, with the same key and content.
    #[serde(default)]
    pub call: Option<String>,
    /// When the fallback answers.
    #[serde(default)]
    pub on: FallbackOn,
    /// Whether a success that rests on its answer is goodput; by default only where another
    /// endpoint gives it. Otherwise it counts as degraded.
    #[serde(default)]
    pub goodput: Option<bool>,
}

fn ok() -> u16 {
    200
}

/// When a fallback answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum FallbackOn {
    /// When a policy inside it refused the call, as an open breaker does.
    #[default]
    Rejected,
    /// On every ending that is not a success.
    Failure,
}

/// A policy whose memory all instances of the caller share.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Shared {
    /// The policy.
    pub policy: Box<Policy>,
}

/// A policy written in Rust.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct CustomLayer {
    /// The kind under which it was registered.
    pub kind: String,
    /// Settings that its constructor reads.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}
