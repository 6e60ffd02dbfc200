#![doc = include_str!("../README.md")]

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
mod family;
pub mod hedge;
pub mod laws;
pub mod method;
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
pub use family::Build;
pub use hedge::{Hedge, HedgeConfig};
pub use method::{Method, UnknownMethod};
pub use out_of_range::OutOfRange;
pub use outlier::Outlier;
pub use rate_limiter::{RateLimiter, RateLimiterConfig};
pub use retry::{Advice, Decision, Failed, Retry, RetryConfig, RetryState};
pub use throttle::AdaptiveThrottle;
