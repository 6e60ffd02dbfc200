//! A checked policy that does not belong to a caller yet.

use sim_core::Span;
use sim_policies::breaker::BreakerConfig;
use sim_policies::budget::BudgetConfig;
use sim_policies::bulkhead::BulkheadConfig;
use sim_policies::concurrency::LimitConfig;
use sim_policies::{EndingSet, Retry, aws, connections, outlier, throttle};
use sim_redis::value::Value;

use crate::language::FallbackOn;
use crate::plan::{HedgePlan, RateLimiterPlan};

/// A checked policy that does not belong to a caller yet.
#[derive(Clone, Debug)]
pub(super) enum Layer {
    Retry {
        retry: Box<Retry>,
        budget: Option<BudgetConfig>,
        pacer: Option<aws::Config>,
        even_if_unsafe: bool,
    },
    Timeout(Span),
    Deadline(Span),
    Breaker {
        config: Box<BreakerConfig>,
        record: Option<EndingSet>,
        ignore: EndingSet,
    },
    Bulkhead(BulkheadConfig),
    Connections(connections::Config),
    RateLimiter(RateLimiterPlan),
    ConcurrencyLimit(LimitConfig),
    Throttle(throttle::Config),
    Hedge(HedgePlan),
    Outlier {
        config: Box<outlier::Config>,
        hosts: Vec<String>,
    },
    Fallback {
        status: u16,
        body: Value,
        on: FallbackOn,
        cached: Option<Span>,
        call: Option<String>,
    },
}
