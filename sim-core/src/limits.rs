//! Limits of a run: a storm ends as a finding, never as a hang.

use std::fmt;

use crate::time::{Span, Time};

/// What a run may use before it is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps that may be delivered.
    pub steps_max: u64,
    /// The last instant at which an event may fire.
    pub time_max: Time,
    /// Live events that may be pending at once; the queue itself holds at most 16 million.
    pub pending_max: usize,
    /// Bytes that queue and model may hold, by their own estimate, checked every 1024 steps.
    pub memory_max: usize,
}

impl Default for Limits {
    /// Room for any run that a person waits for:
    /// - 200 million steps, about a quarter of a minute of work;
    /// - a virtual month, which only a backoff that has run away can pass;
    /// - 4 million pending events, a hundred times the largest system that ships;
    /// - 4 GiB, which no system that ships comes near.
    fn default() -> Limits {
        Limits {
            steps_max: 200_000_000,
            time_max: Time::ZERO + Span::secs(31 * 86_400),
            pending_max: 4_000_000,
            memory_max: 4 << 30,
        }
    }
}

/// The limit that ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitHit {
    /// All permitted steps were delivered, and more events wait.
    Steps {
        /// [`Limits::steps_max`].
        max: u64,
    },
    /// The next event lies beyond the last permitted instant.
    Time {
        /// [`Limits::time_max`].
        max: Time,
    },
    /// An event was scheduled while as many as permitted were pending; it was dropped.
    Pending {
        /// [`Limits::pending_max`], or the most that the queue holds.
        max: usize,
    },
    /// Queue and model hold more than permitted.
    Memory {
        /// [`Limits::memory_max`], in bytes.
        max: usize,
        /// What they hold, in bytes.
        used: usize,
    },
    /// The numbers that keep equal instants in scheduling order are used up; the event that found
    /// none was dropped.
    Scheduled {
        /// Events that can be scheduled in one run.
        max: u64,
    },
}

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitHit::Steps { max } => write!(f, "the limit of {max} steps was reached"),
            LimitHit::Time { max } => write!(f, "the limit of {max} virtual time was reached"),
            LimitHit::Pending { max } => {
                write!(f, "the limit of {max} pending events was reached")
            }
            LimitHit::Memory { max, used } => {
                write!(f, "the run holds {used} bytes, more than the limit of {max}")
            }
            LimitHit::Scheduled { max } => {
                write!(f, "the limit of {max} scheduled events was reached")
            }
        }
    }
}
