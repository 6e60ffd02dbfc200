//! Policy stacks, bound to one caller and one callee.

use sim_core::Span;
use sim_policies::breaker::{BreakerConfig, Verdict};
use sim_policies::budget::BudgetConfig;
use sim_policies::bulkhead::BulkheadConfig;
use sim_policies::concurrency::LimitConfig;
use sim_policies::hedge::HedgeConfig;
use sim_policies::proxy::ProxyConfig;
use sim_policies::rate_limiter::RateLimiterConfig;
use sim_policies::{Ending, EndingSet, Retry, aws, connections, outlier, throttle};
use sim_redis::value::Value;

use super::*;
use crate::custom::MakePolicy;

/// A stack of policies as one caller uses it for one callee. Callers share nothing: what the
/// policies remember belongs to this use, and each instance of the caller remembers its own.
#[derive(Clone, Debug)]
pub(crate) struct StackPlan {
    /// `api->psp provider`.
    pub name: String,
    /// Who keeps what the policies remember, and forgets it at a restart.
    pub owner: ActorId,
    pub to: ActorId,
    pub pair: PairId,
    /// Outermost first.
    pub layers: Vec<LayerPlan>,
    /// By layer: what it remembers is kept outside of the caller, once for all its instances.
    pub shared: Vec<bool>,
}

/// One policy of a stack, with all that a run needs to know of it.
#[derive(Clone, Debug)]
pub(crate) enum LayerPlan {
    Retry(Box<RetryPlan>),
    Timeout(TimeoutPlan),
    /// A timeout that those who are called know of.
    Deadline(Span),
    Breaker(Box<BreakerPlan>),
    Bulkhead(BulkheadConfig),
    Connections(connections::Config),
    RateLimiter(RateLimiterPlan),
    ConcurrencyLimit(LimitConfig),
    Throttle(throttle::Config),
    Hedge(HedgePlan),
    Outlier(Box<OutlierPlan>),
    Upstream(Box<UpstreamPlan>),
    Fallback(FallbackPlan),
    Custom(CustomPolicyPlan),
}

impl LayerPlan {
    /// Whether it remembers anything between calls.
    pub(crate) fn remembers(&self) -> bool {
        match self {
            LayerPlan::Retry(retry) => retry.budget.is_some() || retry.pacer.is_some(),
            LayerPlan::Timeout(_) | LayerPlan::Deadline(_) => false,
            LayerPlan::Fallback(fallback) => fallback.cached.is_some(),
            LayerPlan::Breaker(_)
            | LayerPlan::Bulkhead(_)
            | LayerPlan::Connections(_)
            | LayerPlan::RateLimiter(_)
            | LayerPlan::ConcurrencyLimit(_)
            | LayerPlan::Throttle(_)
            | LayerPlan::Hedge(_)
            | LayerPlan::Outlier(_)
            | LayerPlan::Upstream(_)
            | LayerPlan::Custom(_) => true,
        }
    }
}

/// Where in the plan a layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerPlace {
    pub stack: StackId,
    pub layer: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeoutPlan {
    pub after: Span,
    /// What is inside ends then; otherwise it goes on without the caller.
    pub cancels: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RetryPlan {
    pub retry: Retry,
    pub budget: Option<BudgetConfig>,
    /// The client's own rate limit.
    pub pacer: Option<aws::Config>,
    /// Retries calls that may do their work twice.
    pub even_if_unsafe: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct BreakerPlan {
    pub id: BreakerId,
    pub config: BreakerConfig,
    /// Endings that count as failures; by default those of the library.
    pub record: Option<EndingSet>,
    pub ignore: EndingSet,
}

impl BreakerPlan {
    /// What an ending means to this breaker.
    pub(crate) fn verdict(&self, ending: Ending) -> Verdict {
        let is_in = |set: &EndingSet| set.contains(ending);
        self.judge(is_in, self.config.options().verdict(ending))
    }

    /// What a call means to this breaker that the caller lets go of.
    pub(crate) fn cancelled(&self) -> Verdict {
        self.judge(EndingSet::has_cancelled, self.config.options().cancelled())
    }

    /// What the scenario says comes before what the library does.
    fn judge(&self, is_in: impl Fn(&EndingSet) -> bool, by_default: Verdict) -> Verdict {
        match &self.record {
            _ if is_in(&self.ignore) => Verdict::Ignored,
            Some(record) if is_in(record) => Verdict::Failure,
            Some(_) if by_default == Verdict::Failure => self.config.options().unrecorded(),
            _ => by_default,
        }
    }
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
    pub id: OutlierId,
    pub config: outlier::Config,
    /// The callee, and those that may be asked in its place.
    pub hosts: Vec<ActorId>,
}

/// A reverse proxy in front of several hosts.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamPlan {
    pub config: ProxyConfig,
    /// The callee, and those that may be asked in its place, by name.
    pub hosts: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FallbackPlan {
    pub status: u16,
    pub body: Value,
    pub on: FallbackOn,
    /// Answers with what was last answered, unless it is older than this.
    pub cached: Option<Span>,
    /// Asks another endpoint, which the site knows.
    pub calls: bool,
    /// Its answers count as goodput.
    pub is_goodput: bool,
}

/// A policy written in Rust, and how each process's own is made.
#[derive(Clone, Debug)]
pub(crate) struct CustomPolicyPlan {
    pub make: MakePolicy,
    pub config: BTreeMap<String, String>,
}
