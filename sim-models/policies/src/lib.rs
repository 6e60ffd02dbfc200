//! Resilience policies as pure state machines.
//!
//! Time comes in, a draw comes in, a decision goes out. Nothing here knows the engine, a request
//! or a scenario file: a policy can be replayed against a recorded trace, and its laws hold on
//! any timeline.

pub mod aws;
pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod codel;
pub mod concurrency;
pub mod conform;
pub mod connections;
pub mod ending;
pub mod ending_set;
pub mod family;
pub mod hedge;
pub mod laws;
pub mod out_of_range;
pub mod outlier;
pub mod rate_limiter;
pub mod retry;
pub mod throttle;

pub use backoff::{Backoff, Growth, Jitter};
pub use breaker::{Breaker, BreakerConfig};
pub use budget::{BudgetConfig, RetryBudget};
pub use bulkhead::{Bulkhead, BulkheadConfig, BulkheadPermit};
pub use concurrency::{ConcurrencyLimiter, LimitConfig, LimitPermit};
pub use ending::{Ending, Fate, Reason};
pub use ending_set::{EndingSet, UnknownEnding};
pub use hedge::{Hedge, HedgeConfig};
pub use out_of_range::OutOfRange;
pub use outlier::Outlier;
pub use rate_limiter::{RateLimiter, RateLimiterConfig};
pub use retry::{Advice, Decision, Retry, RetryConfig, RetryState};
pub use throttle::AdaptiveThrottle;
