//! How attempts over a hop ended, as their caller saw it.
//!
//! Each attempt that is sent ends once: with a status, in a broken connection, by a timeout, or
//! with nobody who waits. What a policy of the caller refused was never sent, and stands beside
//! them.

use std::fmt;

use sim_policies::Ending;

/// How an attempt over a hop ended, as its caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HopEnding {
    /// The other side answered with this status, while somebody waited for it.
    Status(u16),
    /// Nobody listened there.
    Refused,
    /// The connection broke while the answer was awaited.
    Reset,
    /// The caller stopped waiting: its timeout or its deadline came first.
    TimedOut,
    /// The caller left, crashed, or took the answer of another attempt.
    Abandoned,
    /// The run ended while the answer was awaited.
    Open,
    /// A policy of the caller refused, and nothing was sent. It is no attempt.
    NotSent,
}

impl HopEnding {
    /// Its name in JSON, which stays as it is: the status, or an id such as `timed_out`.
    pub fn id(self) -> String {
        match self {
            HopEnding::Status(status) => status.to_string(),
            HopEnding::Refused => "refused".to_owned(),
            HopEnding::Reset => "reset".to_owned(),
            HopEnding::TimedOut => "timed_out".to_owned(),
            HopEnding::Abandoned => "abandoned".to_owned(),
            HopEnding::Open => "open".to_owned(),
            HopEnding::NotSent => "not_sent".to_owned(),
        }
    }

    /// True for a 2xx status.
    pub const fn is_success(self) -> bool {
        matches!(self, HopEnding::Status(200..=299))
    }

    /// True for what was sent: all but what a policy of the caller refused.
    pub fn is_attempt(self) -> bool {
        self != HopEnding::NotSent
    }
}

/// As people read it: `503`, `timed out`.
impl fmt::Display for HopEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.id().replace('_', " "))
    }
}

impl From<Ending> for HopEnding {
    fn from(ending: Ending) -> HopEnding {
        match ending {
            Ending::Status(status) => HopEnding::Status(status),
            Ending::TimedOut => HopEnding::TimedOut,
            Ending::Refused => HopEnding::Refused,
            Ending::Reset => HopEnding::Reset,
            Ending::Rejected(_) => HopEnding::NotSent,
        }
    }
}
