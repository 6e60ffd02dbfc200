//! Resilience policies as pure state machines.
//!
//! Time comes in, a draw comes in, a decision goes out. Nothing here knows the engine, a request
//! or a scenario file: a policy can be replayed against a recorded trace, and its laws hold on
//! any timeline.

pub mod backoff;
pub mod breaker;
pub mod bulkhead;
pub mod out_of_range;
pub mod retry;

pub use backoff::{Backoff, Jitter};
pub use breaker::{Breaker, BreakerConfig};
pub use bulkhead::{Bulkhead, BulkheadPermit};
pub use out_of_range::OutOfRange;
pub use retry::{Decision, Retry, RetryOn, RetryState};

use std::fmt;

use sim_core::{Span, Time};

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
    /// The breaker is open until this instant.
    BreakerOpen {
        /// When the next test request is let through.
        until: Time,
    },
    /// The breaker is half open and its test request is still under way.
    BreakerProbing,
    /// All permits of the bulkhead are taken.
    BulkheadFull {
        /// The number of permits.
        limit: u32,
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
    /// An ending that a retry cannot mend, such as a 400.
    NotRetryable,
}

impl Reason {
    /// The stable short name under which refusals are counted.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::BreakerOpen { .. } => "breaker_open",
            Reason::BreakerProbing => "breaker_probing",
            Reason::BulkheadFull { .. } => "bulkhead_full",
            Reason::AttemptsExhausted { .. } => "attempts_exhausted",
            Reason::TotalTimeExhausted { .. } => "total_time_exhausted",
            Reason::NotRetryable => "not_retryable",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::BreakerOpen { until } => write!(f, "breaker open until {until}"),
            Reason::BreakerProbing => f.write_str("breaker half open, its test request under way"),
            Reason::BulkheadFull { limit } => write!(f, "all {limit} bulkhead permits taken"),
            Reason::AttemptsExhausted { attempts_max } => {
                write!(f, "all {attempts_max} attempts made")
            }
            Reason::TotalTimeExhausted { total_max } => {
                write!(f, "no time left of {total_max}")
            }
            Reason::NotRetryable => f.write_str("not retryable"),
        }
    }
}
