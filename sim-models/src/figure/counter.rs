//! What is counted of an actor.

/// Something that is counted of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Client: intents that arose.
    Intents,
    /// Client: submissions of intents.
    Submitted,
    /// Requests that arrived.
    Arrived,
    /// Those among them that repeat an earlier attempt.
    RetriesArrived,
    /// Ended in success.
    Succeeded,
    /// Ended in a definite failure.
    Failed,
    /// Ended with an unknown fate.
    Unknown,
    /// Client: submissions that have no answer at the end of the grace.
    Unanswered,
    /// Requests that were refused.
    Refused,
    /// Service: waited for a worker.
    Waited,
    /// Service: turned away by a full queue.
    QueueFull,
    /// Service: turned away by its admission.
    NotAdmitted,
    /// Service: given up, since their deadline had passed.
    DeadlinePassed,
    /// Service: dropped from its queue.
    Dropped,
    /// Service: cancelled by their caller.
    Cancelled,
    /// Service: the longest queue.
    QueueLenMax,
    /// Cache: answered from it.
    Hits,
    /// Cache: not in it.
    Misses,
    /// Cache: values that were computed.
    Computations,
    /// Cache: requests that waited for a computation under way.
    Coalesced,
    /// Cache: values that were computed before they expired.
    Early,
    /// Cache: values that gave way to others.
    Evicted,
    /// The most arrivals in any 100 ms.
    PeakArrivals,
    /// The most arrivals of retries in any 100 ms.
    PeakRetries,
}

impl Counter {
    /// All of them, in order.
    pub const ALL: [Counter; 24] = [
        Counter::Intents,
        Counter::Submitted,
        Counter::Arrived,
        Counter::RetriesArrived,
        Counter::Succeeded,
        Counter::Failed,
        Counter::Unknown,
        Counter::Unanswered,
        Counter::Refused,
        Counter::Waited,
        Counter::QueueFull,
        Counter::NotAdmitted,
        Counter::DeadlinePassed,
        Counter::Dropped,
        Counter::Cancelled,
        Counter::QueueLenMax,
        Counter::Hits,
        Counter::Misses,
        Counter::Computations,
        Counter::Coalesced,
        Counter::Early,
        Counter::Evicted,
        Counter::PeakArrivals,
        Counter::PeakRetries,
    ];

    /// Its name in JSON, which stays as it is; tables write spaces for its underscores.
    pub const fn name(self) -> &'static str {
        match self {
            Counter::Intents => "intents",
            Counter::Submitted => "submitted",
            Counter::Arrived => "arrived",
            Counter::RetriesArrived => "retries_arrived",
            Counter::Succeeded => "succeeded",
            Counter::Failed => "failed",
            Counter::Unknown => "unknown",
            Counter::Unanswered => "unanswered_submissions",
            Counter::Refused => "refused",
            Counter::Waited => "waited_for_worker",
            Counter::QueueFull => "queue_full",
            Counter::NotAdmitted => "not_admitted",
            Counter::DeadlinePassed => "deadline_passed",
            Counter::Dropped => "dropped",
            Counter::Cancelled => "cancelled",
            Counter::QueueLenMax => "queue_len_max",
            Counter::Hits => "hits",
            Counter::Misses => "misses",
            Counter::Computations => "computations",
            Counter::Coalesced => "coalesced",
            Counter::Early => "early",
            Counter::Evicted => "evicted",
            Counter::PeakArrivals => "peak_arrivals_100ms",
            Counter::PeakRetries => "peak_retries_100ms",
        }
    }
}
