//! How an attempt ended, what its caller may conclude, and why a policy said no.
//!
//! Unknown is not failed: whoever waited in vain cannot tell whether the work was done.

use std::fmt;

use sim_core::{Span, Time};

use crate::Method;

/// What the caller may conclude from how an attempt ended.
///
/// A timeout is not a failure: the other side may have done the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// The work was done.
    Succeeded,
    /// The work was certainly not done.
    Failed,
    /// The work may or may not have been done.
    Unknown,
}

/// How one attempt or call ended, as its caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side answered with this status.
    Status(u16),
    /// No answer came in time.
    TimedOut,
    /// Nobody listens there: the connection was refused before anything was sent.
    Refused,
    /// The connection broke while the answer was awaited.
    Reset,
    /// A policy on the caller's side refused the call; nothing was sent.
    Rejected(Reason),
}

impl Ending {
    /// True for a 2xx status.
    pub const fn is_success(self) -> bool {
        matches!(self, Ending::Status(200..=299))
    }

    /// What the caller may conclude.
    ///
    /// A 4xx or a 503 says that the work was refused; a 500, 502 or 504 says that something broke
    /// on the way and leaves open how far it got.
    pub const fn fate(self) -> Fate {
        match self {
            Ending::Status(200..=299) => Fate::Succeeded,
            Ending::Status(503) => Fate::Failed,
            Ending::Status(500..) | Ending::TimedOut | Ending::Reset => Fate::Unknown,
            Ending::Status(_) | Ending::Refused | Ending::Rejected(_) => Fate::Failed,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Status(status) => write!(f, "status {status}"),
            Ending::TimedOut => f.write_str("timed out"),
            Ending::Refused => f.write_str("connection refused"),
            Ending::Reset => f.write_str("connection reset"),
            Ending::Rejected(reason) => write!(f, "rejected: {reason}"),
        }
    }
}

/// Why a policy said no. It travels with the decision to the log and the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The breaker is open.
    BreakerOpen {
        /// When the next test request is let through, where the breaker knows.
        until: Option<Time>,
    },
    /// The breaker is half open and all its test requests are under way.
    BreakerProbing,
    /// Every endpoint that could answer is ejected.
    AllEjected,
    /// All permits of the bulkhead are taken, and so are all places to wait for one.
    BulkheadFull {
        /// The number of permits.
        limit: u32,
    },
    /// No permit of the bulkhead came free in time.
    BulkheadWaitOver {
        /// The longest wait.
        wait: Span,
    },
    /// The rate limiter has no permit within the time that the call may wait.
    RateLimited {
        /// When a permit would be free, where the limiter knows.
        until: Option<Time>,
    },
    /// As many calls are under way as the adaptive limit lets through.
    ConcurrencyLimited {
        /// The limit at that moment.
        limit: u32,
    },
    /// The client throttles itself, because the other side rejects too much.
    Throttled {
        /// The chance of that rejection in thousandths.
        per_mille: u16,
    },
    /// The last permitted attempt has been made.
    AttemptsExhausted {
        /// The number of permitted attempts, the first included.
        attempts_max: u32,
    },
    /// The next attempt would start after the total time is over.
    TotalTimeExhausted {
        /// The permitted total time.
        total_max: Span,
    },
    /// The budget that all retries share has run out.
    RetryBudgetExhausted,
    /// The other side asked not to retry.
    PushedBack,
    /// The attempt may have done its work, and doing it twice is not the same as once: there is
    /// neither a key nor an idempotent endpoint.
    NotIdempotent,
    /// The answer has a header that the library cannot read.
    HeaderRefused,
    /// No further attempt was sent beside the first, for the same reason.
    HedgeWithheld,
    /// The library does not repeat a request of this method after what may have been done.
    MethodNotRepeated(Method),
    /// An ending that a retry cannot mend, such as a 400.
    NotRetryable,
    /// The caller's deadline is already over.
    DeadlinePassed {
        /// That deadline.
        deadline: Time,
    },
    /// A reason of a policy written by the user: a short name such as `no_token`.
    Custom(&'static str),
}

impl Reason {
    /// The stable short name under which refusals are counted.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::BreakerOpen { .. } => "breaker_open",
            Reason::BreakerProbing => "breaker_probing",
            Reason::AllEjected => "all_ejected",
            Reason::BulkheadFull { .. } => "bulkhead_full",
            Reason::BulkheadWaitOver { .. } => "bulkhead_wait_over",
            Reason::RateLimited { .. } => "rate_limited",
            Reason::ConcurrencyLimited { .. } => "concurrency_limited",
            Reason::Throttled { .. } => "throttled",
            Reason::AttemptsExhausted { .. } => "attempts_exhausted",
            Reason::TotalTimeExhausted { .. } => "total_time_exhausted",
            Reason::RetryBudgetExhausted => "retry_budget_exhausted",
            Reason::PushedBack => "pushed_back",
            Reason::NotIdempotent => "not_idempotent",
            Reason::HeaderRefused => "header_refused",
            Reason::HedgeWithheld => "hedge_withheld",
            Reason::MethodNotRepeated(_) => "method_not_repeated",
            Reason::NotRetryable => "not_retryable",
            Reason::DeadlinePassed { .. } => "deadline_passed",
            Reason::Custom(name) => name,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::BreakerOpen { until: Some(until) } => write!(f, "breaker open until {until}"),
            Reason::BreakerOpen { until: None } => f.write_str("breaker open"),
            Reason::BreakerProbing => f.write_str("breaker half open, its tests under way"),
            Reason::AllEjected => f.write_str("every endpoint is ejected"),
            Reason::BulkheadFull { limit } => write!(f, "all {limit} bulkhead permits taken"),
            Reason::BulkheadWaitOver { wait } => write!(f, "no bulkhead permit within {wait}"),
            Reason::RateLimited { until: Some(until) } => {
                write!(f, "rate limit reached, the next permit at {until}")
            }
            Reason::RateLimited { until: None } => f.write_str("rate limit reached"),
            Reason::ConcurrencyLimited { limit } => {
                write!(f, "{limit} calls under way, the limit at the moment")
            }
            Reason::Throttled { per_mille } => {
                write!(f, "throttled by the client, at {}.{} %", per_mille / 10, per_mille % 10)
            }
            Reason::AttemptsExhausted { attempts_max } => {
                write!(f, "all {attempts_max} attempts made")
            }
            Reason::TotalTimeExhausted { total_max } => {
                write!(f, "no time left of {total_max}")
            }
            Reason::RetryBudgetExhausted => f.write_str("retry budget exhausted"),
            Reason::PushedBack => f.write_str("the other side asked not to retry"),
            Reason::NotIdempotent => f.write_str("not idempotent and without a key"),
            Reason::HeaderRefused => f.write_str("a header that the library cannot read"),
            Reason::HedgeWithheld => f.write_str("not hedged: not idempotent and without a key"),
            Reason::MethodNotRepeated(method) => write!(f, "the library repeats no {method}"),
            Reason::NotRetryable => f.write_str("not retryable"),
            Reason::DeadlinePassed { deadline } => {
                write!(f, "deadline already passed at {deadline}")
            }
            Reason::Custom(name) => f.write_str(name),
        }
    }
}
