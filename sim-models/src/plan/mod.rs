//! A compiled scenario: flat instruction lists over typed ids and registers.
//!
//! Everything that a run looks up by name in the file is a number here. A plan is built once,
//! never changes, and is shared by all runs of the scenario.

mod actors;
mod build;
mod cache;
mod command;
mod cycle;
mod design;
mod dist;
mod expr;
mod faults;
mod files;
mod join;
mod load;
mod policies;
mod program;
mod rules;
mod service;
mod stability;
mod warnings;

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::{Dist, Intensity, Span, Time};

use crate::invariant::InvariantPlan;
use crate::scenario::spec::{
    Arrivals, Balancer, Contention, Custom, FallbackOn, Fsync, Full, Gc, Limits, Node,
    OnDisconnect, Persistence, Recovery, Requests, SlowStart, Threads,
};
use crate::source::SourceError;
use sim_policies::breaker::{Breaker, BreakerConfig, Verdict};
use sim_policies::budget::BudgetConfig;
use sim_policies::bulkhead::BulkheadConfig;
use sim_policies::concurrency::LimitConfig;
use sim_policies::hedge::HedgeConfig;
use sim_policies::rate_limiter::RateLimiterConfig;
use sim_policies::{Advice, Ending, EndingSet, Retry, aws, connections, outlier, throttle};
use sim_redis::Eviction;
use sim_redis::value::{FieldId, Texts, Value};

pub(crate) use build::build;
pub(crate) use command::OpPlan;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($repr:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) $repr);

        impl $name {
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of the `n`th thing of its kind.
            pub(crate) fn nth(n: usize) -> $name {
                $name(<$repr>::try_from(n).expect("the file's size bounds every table"))
            }
        }
    )*};
}

ids! {
    /// An actor, in the order of names.
    ActorId(u32);
    /// An endpoint of a service.
    EndpointId(u32);
    /// A program.
    ProgramId(u32);
    /// A position in the code.
    Pc(u32);
    /// A register of a program.
    Reg(u16);
    /// A place in a program that calls.
    SiteId(u32);
    /// A policy stack as one caller uses it for one callee.
    StackId(u32);
    /// A caller and a callee, for counting.
    PairId(u32);
    /// A breaker.
    BreakerId(u32);
    /// A retry.
    RetryId(u32);
    /// A retry budget.
    BudgetId(u32);
    /// A client's own rate limit.
    PacerId(u32);
    /// A bulkhead.
    BulkheadId(u32);
    /// Connections that a caller keeps.
    ConnectionsId(u32);
    /// A rate limiter.
    RateLimiterId(u32);
    /// An adaptive concurrency limit.
    LimitId(u32);
    /// An adaptive throttle.
    ThrottleId(u32);
    /// A hedge.
    HedgeId(u32);
    /// Outlier detection over some endpoints.
    OutlierId(u32);
    /// The answers that a fallback remembers.
    CacheId(u32);
    /// A text with variables.
    TemplateId(u32);
    /// A record with variables.
    RecordTemplateId(u32);
    /// A condition.
    CondId(u32);
    /// A kind of effect.
    KindId(u32);
    /// A labelled point.
    PointId(u32);
    /// A planned fault.
    FaultId(u32);
    /// An effect step.
    EffectId(u32);
    /// A respond step.
    RespondId(u32);
    /// A parallel step.
    ForkId(u32);
    /// A job of a service.
    JobId(u32);
    /// A queue of a broker.
    QueueId(u32);
    /// A length of time that varies.
    DistId(u32);
    /// A rate over time.
    IntensityId(u32);
    /// A list of instants.
    TraceId(u32);
    /// A cache that every instance of a service has.
    ServiceCacheId(u32);
    /// A cached step.
    CachedId(u32);
}

/// The compiled scenario.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub name: String,
    pub about: String,
    pub hypothesis: String,
    pub horizon: Span,
    pub warmup: Span,
    pub window: Span,
    pub recovery: Recovery,
    pub limits: Limits,
    /// The text of each file that the scenario names.
    pub files: BTreeMap<String, Arc<str>>,
    /// From when until when a load is above its usual: in order, and apart.
    pub load_spikes: Vec<(Span, Span)>,
    pub intensities: Vec<Intensity>,
    pub traces: Vec<Vec<Time>>,
    pub texts: Texts,
    pub actors: Vec<ActorPlan>,
    /// The program of each endpoint.
    pub endpoints: Vec<ProgramId>,
    /// The class of each endpoint in its service's queue; 0 is the most important.
    pub classes: Vec<u16>,
    pub jobs: Vec<JobPlan>,
    pub queues: Vec<QueuePlan>,
    pub programs: Vec<Program>,
    pub code: Vec<Instr>,
    pub sites: Vec<Site>,
    pub stacks: Vec<StackPlan>,
    pub pairs: Vec<(ActorId, ActorId)>,
    pub retries: Vec<Retry>,
    pub budgets: Vec<Owned<BudgetConfig>>,
    pub pacers: Vec<Owned<aws::Config>>,
    pub breakers: Vec<BreakerPlan>,
    pub bulkheads: Vec<Owned<BulkheadConfig>>,
    pub connections: Vec<ConnectionsPlan>,
    pub rate_limiters: Vec<Owned<RateLimiterPlan>>,
    pub concurrency_limits: Vec<Owned<LimitConfig>>,
    pub throttles: Vec<Owned<throttle::Config>>,
    pub hedges: Vec<Owned<HedgePlan>>,
    pub outliers: Vec<OutlierPlan>,
    /// The owner of each fallback's remembered answers.
    pub caches: Vec<ActorId>,
    pub service_caches: Vec<ServiceCachePlan>,
    pub cached: Vec<CachedPlan>,
    pub links: Vec<LinkPlan>,
    /// For each pair of actors `from × actors + to`: the link, if one is declared.
    pub routes: Vec<Option<u32>>,
    pub dists: Vec<Dist>,
    pub templates: Vec<Vec<Part>>,
    pub records: Vec<Vec<(FieldId, Operand)>>,
    pub conds: Vec<CondPlan>,
    pub effects: Vec<EffectPlan>,
    pub responds: Vec<RespondPlan>,
    /// Where the branches of each parallel step begin.
    pub forks: Vec<Vec<Pc>>,
    pub kinds: Vec<String>,
    /// Names of points: `api.pay/charged`.
    pub points: Vec<String>,
    pub faults: Vec<FaultEntry>,
    pub invariants: Vec<InvariantPlan>,
    /// What is allowed and yet unlikely to be meant.
    pub warnings: Vec<SourceError>,
    /// The texts that `{error.kind}` and `{error.fate}` may hold.
    pub words: Words,
}

/// An actor.
#[derive(Clone, Debug)]
pub(crate) struct ActorPlan {
    pub name: String,
    /// Addresses its luck; made from the name, so that a new actor changes nobody else's.
    pub entity: u64,
    pub kind: ActorKind,
}

/// What an actor is.
#[derive(Clone, Debug)]
pub(crate) enum ActorKind {
    Client(ClientPlan),
    Service(ServicePlan),
    Kv(KvPlan),
    Broker,
    Custom(Custom),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientPlan {
    pub load: LoadPlan,
    pub clicks: u32,
    pub apart: Span,
    pub patience: Option<Span>,
    pub body: Operand,
    pub program: ProgramId,
    /// How an intent's key reads: `{client}-{intent}`.
    pub key: Operand,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum LoadPlan {
    Open { rate: IntensityId, arrivals: Arrivals },
    Sessions { rate: IntensityId, arrivals: Arrivals, requests: Requests, think: DistId },
    Closed { users: u32, think: DistId, until: Span },
    Burst { count: u32, at: Span },
    Trace(TraceId),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ServicePlan {
    pub workers: u32,
    pub queue: WaitPlan,
    pub admission: AdmissionPlan,
    pub threads: Threads,
    pub on_disconnect: OnDisconnect,
    pub instances: u32,
    pub balancer: Balancer,
    pub stale: Span,
    pub autoscale: Option<AutoscalePlan>,
    pub gc: Option<Gc>,
    pub slow_start: Option<SlowStart>,
    pub contention: Option<Contention>,
}

impl ServicePlan {
    /// Work takes as long as it says.
    pub(crate) fn is_plain(&self) -> bool {
        self.gc.is_none() && self.slow_start.is_none() && self.contention.is_none()
    }
}

/// What a request must pass before it may wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdmissionPlan {
    pub rate: Option<RateLimiterId>,
    pub concurrency: Option<LimitId>,
}

/// How requests wait at an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitPlan {
    pub kind: QueueKind,
    pub limit: u32,
    pub full: Full,
    pub max_wait: Option<Span>,
    pub classes: u16,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum QueueKind {
    Fifo,
    Lifo,
    AdaptiveLifo { above: u32 },
    Priority,
    Codel { target: Span, interval: Span },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AutoscalePlan {
    pub min: u32,
    pub max: u32,
    pub target_percent: u32,
    /// Of one instance.
    pub workers: u32,
    pub every: Span,
    pub delay: Span,
    pub down_after: Span,
}

/// What a service does by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobPlan {
    pub actor: ActorId,
    pub program: ProgramId,
    pub every: Span,
    pub from: Span,
}

/// A queue of a broker.
#[derive(Clone, Debug)]
pub(crate) struct QueuePlan {
    /// `events.orders`.
    pub name: String,
    pub broker: ActorId,
    pub subscribers: Vec<Subscriber>,
    pub visibility: Span,
    pub attempts_max: u32,
}

/// Who takes a queue's messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscriber {
    pub actor: ActorId,
    pub endpoint: EndpointId,
    pub pair: PairId,
}

#[derive(Clone, Debug)]
pub(crate) struct KvPlan {
    pub service_time: DistId,
    pub replicas: u32,
    /// None: replicas have everything at once.
    pub lag: Option<DistId>,
    pub persistence: Persistence,
    pub copies_to: Vec<ActorId>,
    /// It copies to another store, or another copies to it.
    pub regional: bool,
    pub active_expiry: bool,
}

/// A program's frame.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// `api.pay`, or the client's name.
    pub name: String,
    pub entry: Pc,
    pub registers: u16,
    /// Which of the request's own variables the program reads.
    pub reads_key: bool,
    pub reads_body: bool,
    pub reads_client: bool,
    /// It reads `{now}`.
    pub reads_clock: bool,
}

/// The registers that every program has, filled by the interpreter.
pub(crate) mod builtin {
    use super::Reg;

    /// The request's idempotency key.
    pub(crate) const KEY: Reg = Reg(0);
    /// The request's content.
    pub(crate) const BODY: Reg = Reg(1);
    /// The number of the intent at its client.
    pub(crate) const INTENT: Reg = Reg(2);
    /// In a call's key and body: the number of the attempt, from 1.
    pub(crate) const ATTEMPT: Reg = Reg(3);
    /// A number that no other execution of a program has: a lock token.
    pub(crate) const EXECUTION: Reg = Reg(4);
    /// The number of the click, from 1.
    pub(crate) const SUBMISSION: Reg = Reg(5);
    /// In `catch`: the status of the error, if it had one.
    pub(crate) const ERROR_STATUS: Reg = Reg(6);
    /// In `catch`: `status`, `timeout`, `refused`, `reset` or `rejected`.
    pub(crate) const ERROR_KIND: Reg = Reg(7);
    /// In `catch`: `failed` or `unknown`.
    pub(crate) const ERROR_FATE: Reg = Reg(8);
    /// The number of the intent in the whole run.
    pub(crate) const ORIGIN: Reg = Reg(9);
    /// The name of the intent's client: a tenant.
    pub(crate) const CLIENT: Reg = Reg(10);
    /// In `catch`: the content of the answer, if the error was one.
    pub(crate) const ERROR_BODY: Reg = Reg(11);
    /// The actor's own wall clock, in milliseconds since the run began.
    pub(crate) const NOW: Reg = Reg(12);
    /// Their names, by register.
    pub(crate) const NAMES: [&str; 13] = [
        "key",
        "body",
        "intent",
        "attempt",
        "execution",
        "submission",
        "error.status",
        "error.kind",
        "error.fate",
        "origin",
        "client",
        "error.body",
        "now",
    ];
}

/// The values of `{error.kind}` and `{error.fate}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub status: Value,
    pub timeout: Value,
    pub refused: Value,
    pub reset: Value,
    pub rejected: Value,
    pub failed: Value,
    pub unknown: Value,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operand {
    Const(Value),
    Reg(Reg),
    Field(Reg, FieldId),
    Template(TemplateId),
    Record(RecordTemplateId),
}

/// A piece of a text with variables.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Literal(String),
    Hole(Operand),
}

#[derive(Clone, Debug)]
pub(crate) enum CondPlan {
    Is(Operand),
    Eq(Operand, Operand),
    Lt(Operand, Operand),
    Le(Operand, Operand),
    Not(CondId),
    All(Vec<CondId>),
    Any(Vec<CondId>),
}

/// One instruction. A task runs them until one has to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instr {
    /// Waits with a worker.
    Work(DistId),
    /// Waits without one.
    Sleep(DistId),
    /// Calls and waits.
    Call(SiteId),
    Let {
        to: Reg,
        value: Operand,
    },
    Add {
        to: Reg,
        a: Operand,
        b: Operand,
    },
    Jump(Pc),
    /// Jumps when the condition does not hold.
    Unless {
        cond: CondId,
        to: Pc,
    },
    /// Counts a loop's round; leaves it after the last.
    Round {
        counter: Reg,
        times: u32,
        exit: Pc,
    },
    /// Leaves handlers until `depth` and `finallies` until as many are left, then jumps.
    Break {
        depth: u16,
        finallies: u16,
        to: Pc,
    },
    /// Opens a handler.
    Try {
        catch: Option<Pc>,
        last: Option<Last>,
    },
    /// Closes the innermost handler.
    EndTry,
    /// Enters a `finally` in the ordinary way.
    Finally(Pc),
    /// Goes on with whatever led into the `finally`.
    EndFinally,
    /// The caught error is over.
    EndCatch,
    /// Raises the error again that led into a `catch`, found among what led into the blocks that
    /// are open.
    Raise(u16),
    Fork(ForkId),
    EndBranch,
    /// Starts a task at the next instruction and goes on at another.
    Spawn {
        then: Pc,
    },
    /// Takes a value out of a cache, or has it worked out.
    LookUp(CachedId),
    /// Goes on for another intent.
    Adopt(Operand),
    Effect(EffectId),
    Respond(RespondId),
    Fail(Operand),
    Point(PointId),
    End,
}

/// What a handler runs on the way out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Last {
    /// On every way out.
    Finally(Pc),
    /// On an error only.
    Undo(Pc),
}

/// A place that calls.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub target: Target,
    pub to: ActorId,
    pub stack: StackId,
    pub pair: PairId,
    pub into: Option<Reg>,
    pub into_status: Option<Reg>,
    pub into_headers: Option<Reg>,
    /// Done twice, it is as good as done once: the call carries a key, or leaves no effect.
    pub repeatable: bool,
    /// By layer of the stack: the sites that may be called instead of this one. Of outlier
    /// detection all endpoints in order, of a fallback the one it asks.
    pub instead: Vec<(usize, Vec<SiteId>)>,
}

/// Whom a site calls, and with what.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Endpoint { endpoint: EndpointId, key: Operand, body: Operand, with: Vec<(Reg, Operand)> },
    Kv(CommandPlan),
    Queue { queue: QueueId, key: Operand, body: Operand },
    Custom { endpoint: Value, key: Operand, body: Operand },
}

/// A store command and the node that it goes to.
#[derive(Clone, Debug)]
pub(crate) struct CommandPlan {
    pub op: OpPlan,
    pub from: Node,
}

/// Connections that one actor keeps to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionsPlan {
    pub owner: ActorId,
    pub to: ActorId,
    pub config: connections::Config,
}

/// A stack of policies, outermost first.
#[derive(Clone, Debug)]
pub(crate) struct StackPlan {
    pub layers: Vec<LayerPlan>,
}

#[derive(Clone, Debug)]
pub(crate) enum LayerPlan {
    Retry(RetryPlan),
    Timeout(Span),
    /// A timeout that those who are called know of.
    Deadline(Span),
    Breaker(BreakerId),
    Bulkhead(BulkheadId),
    Connections(ConnectionsId),
    RateLimiter(RateLimiterId),
    ConcurrencyLimit(LimitId),
    Throttle(ThrottleId),
    Hedge(HedgeId),
    Outlier(OutlierId),
    Fallback(FallbackPlan),
}

/// Something that one actor keeps, and forgets when it restarts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned<T> {
    pub owner: ActorId,
    pub config: T,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPlan {
    pub retry: RetryId,
    pub budget: Option<BudgetId>,
    pub pacer: Option<PacerId>,
    /// Retries calls that may do their work twice.
    pub even_if_unsafe: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct BreakerPlan {
    /// `api->psp provider`.
    pub name: String,
    pub owner: ActorId,
    pub pair: PairId,
    pub config: BreakerConfig,
    /// Endings that count as failures; by default those of [`Breaker::verdict`].
    pub record: Option<EndingSet>,
    pub ignore: EndingSet,
}

#[derive(Clone, Debug)]
pub(crate) struct RateLimiterPlan {
    pub limit: RateLimiterConfig,
    /// The longest wait for a permit.
    pub wait: Span,
}

#[derive(Clone, Debug)]
pub(crate) struct HedgePlan {
    pub hedge: HedgeConfig,
    /// Hedges calls that may do their work twice.
    pub even_if_unsafe: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct OutlierPlan {
    /// `api->psp provider`.
    pub name: String,
    pub owner: ActorId,
    pub config: outlier::Config,
    pub hosts: Vec<ActorId>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FallbackPlan {
    pub status: u16,
    pub body: Operand,
    pub on: FallbackOn,
    /// Answers with what was last answered, unless it is older than this.
    pub cache: Option<(CacheId, Span)>,
    /// Asks another endpoint, which the site knows.
    pub calls: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkPlan {
    pub latency: DistId,
    /// Set when the latency never varies.
    pub constant: Option<Span>,
    pub loss: f64,
    pub duplicate: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct EffectPlan {
    pub kind: KindId,
    pub once: Operand,
    pub keep: Option<Span>,
    pub token: Operand,
    pub fenced: bool,
    pub undoes: Option<KindId>,
    pub into: Option<Reg>,
}

/// A cache that every instance of a service has.
#[derive(Clone, Debug)]
pub(crate) struct ServiceCachePlan {
    pub name: String,
    pub owner: ActorId,
    pub ttl: Span,
    pub soft_ttl: Option<Span>,
    pub capacity: Option<u32>,
    pub coalesce: bool,
    /// Of XFetch.
    pub beta: Option<f64>,
}

/// A place that needs a value that may be cached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedPlan {
    pub cache: ServiceCacheId,
    pub key: Operand,
    pub into: Reg,
    /// Where working it out begins.
    pub body: Pc,
    /// Where the program goes on.
    pub exit: Pc,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RespondPlan {
    pub status: Operand,
    pub body: Operand,
    pub headers: Operand,
    pub advice: Advice,
}

/// A fault with its trigger.
#[derive(Clone, Debug)]
pub(crate) struct FaultEntry {
    pub trigger: Trigger,
    pub lasts: Option<Span>,
    pub fault: FaultKind,
    /// For people: `psp: errors 100% (503)`.
    pub label: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger {
    At(Span),
    After { point: PointId, nth: u32 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FaultKind {
    Errors {
        actor: ActorId,
        rate: f64,
        status: u16,
    },
    Hang {
        actor: ActorId,
        rate: f64,
    },
    Crash {
        actor: ActorId,
        instance: Option<u32>,
    },
    Outage {
        actor: ActorId,
    },
    BlackHole {
        actor: ActorId,
    },
    Slow {
        actor: ActorId,
        factor: f64,
        instance: Option<u32>,
    },
    Pause {
        actor: ActorId,
    },
    Partition {
        from: ActorId,
        to: ActorId,
        both_ways: bool,
    },
    Loss {
        from: ActorId,
        to: ActorId,
        rate: f64,
    },
    Duplicate {
        from: ActorId,
        to: ActorId,
        rate: f64,
    },
    Delay {
        from: ActorId,
        to: ActorId,
        by: Span,
    },
    Throw {
        status: u16,
    },
    Stall,
    Flush {
        store: ActorId,
    },
    Failover {
        store: ActorId,
    },
    /// Nanoseconds by which the clock is wrong.
    ClockStep {
        actor: ActorId,
        by: i64,
    },
    OutOfMemory {
        store: ActorId,
    },
    Evict {
        store: ActorId,
        policy: Eviction,
        share: f64,
    },
}

impl KvPlan {
    /// Somebody hears of its writes: a replica, another region, or a file that lags behind.
    pub(crate) fn is_followed(&self) -> bool {
        let has_file =
            matches!(self.persistence, Persistence::Aof { fsync: Fsync::EverySec | Fsync::No });
        self.replicas > 0 || self.regional || has_file
    }
}

impl Site {
    pub(crate) fn is_command(&self) -> bool {
        matches!(self.target, Target::Kv(_))
    }

    /// The `n`th site that a layer may call instead of this one.
    pub(crate) fn instead(&self, layer: usize, n: usize) -> SiteId {
        let of_layer = self.instead.iter().find(|(of, _)| *of == layer);
        of_layer.expect("the layer's sites are compiled with the stack").1[n]
    }
}

impl BreakerPlan {
    /// What an ending means to this breaker.
    pub(crate) fn verdict(&self, ending: Ending) -> Verdict {
        if self.ignore.contains(ending) {
            return Verdict::Ignored;
        }
        match &self.record {
            Some(record) if record.contains(ending) => Verdict::Failure,
            Some(_) if matches!(ending, Ending::Rejected(_)) => Verdict::Cancelled,
            Some(_) => Verdict::Success,
            None => Breaker::verdict(ending),
        }
    }
}

impl Plan {
    pub(crate) fn actor_name(&self, id: ActorId) -> &str {
        &self.actors[id.index()].name
    }

    /// `charge-4`: the effect of a kind with this number.
    pub(crate) fn effect_name(&self, kind: KindId, number: u32) -> String {
        format!("{}-{number}", self.kinds[kind.index()])
    }

    /// Something may disturb the system, so that its recovery can be judged.
    pub(crate) fn has_trigger(&self) -> bool {
        self.recovery.trigger.is_some() || !self.faults.is_empty() || !self.load_spikes.is_empty()
    }

    /// `api->psp`.
    pub(crate) fn pair_name(&self, id: PairId) -> String {
        let (from, to) = self.pairs[id.index()];
        format!("{}->{}", self.actor_name(from), self.actor_name(to))
    }
}
