//! Policy stacks, bound to one caller and one callee.

use std::ops::Deref;

use sim_core::Span;
use sim_policies::breaker::{Breaker, BreakerConfig, Verdict};
use sim_policies::budget::BudgetConfig;
use sim_policies::hedge::HedgeConfig;
use sim_policies::rate_limiter::RateLimiterConfig;
use sim_policies::{Ending, EndingSet, Retry, aws, connections, outlier};
use sim_redis::value::Value;

use super::*;

/// A stack of policies, outermost first.
#[derive(Clone, Debug)]
pub(crate) struct StackPlan {
    pub layers: Vec<LayerPlan>,
}

/// One policy of a stack. Whatever remembers something stands in a table of the plan by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LayerPlan {
    Retry(RetryId),
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
    Fallback(FallbackId),
}

/// Something that one actor keeps, and forgets when it restarts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned<T> {
    pub owner: ActorId,
    pub config: T,
}

impl<T> Deref for Owned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.config
    }
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
    /// `api->psp provider`.
    pub name: String,
    pub pair: PairId,
    pub config: BreakerConfig,
    /// Endings that count as failures; by default those of [`Breaker::verdict`].
    pub record: Option<EndingSet>,
    pub ignore: EndingSet,
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

/// Connections that one actor keeps to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionsPlan {
    pub to: ActorId,
    pub config: connections::Config,
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
    pub config: outlier::Config,
    pub hosts: Vec<ActorId>,
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
}
