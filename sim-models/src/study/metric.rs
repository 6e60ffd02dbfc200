//! What is measured once per run.

use std::fmt;

/// A figure that a run has once.
///
/// Prints as it is chosen on the command line: `goodput`, `latency_mean:shoppers`,
/// `amplification:api->psp`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// What is measured.
    pub kind: Kind,
    /// Of which actor, hop or kind of effect; `None` for the system as a whole.
    pub of: Option<String>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Intents whose user saw success, per second of measured time.
    Goodput,
    /// The share of intents whose user saw success, among all that arose.
    Success,
    /// The share of intents whose user was told nothing, among all that arose.
    Unanswered,
    /// Mean latency of an actor.
    LatencyMean,
    /// Attempts per call of a hop.
    Amplification,
    /// The share of a service's work that nobody wanted any more.
    Wasted,
    /// Busy workers of a service as a share of all.
    Utilisation,
    /// Requests that wait for a worker of a service, averaged over time.
    Waiting,
    /// The most arrivals at a service in any 100 ms.
    PeakArrivals,
    /// Effects of a kind beyond an intent's first that nothing took back.
    Duplicated,
    /// From the end of the trigger until the system was well again, of runs that recovered.
    RecoveryTime,
    /// 1 for a run that stayed down after its trigger had gone, 0 for one that came back.
    Metastable,
}

/// In what a figure is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Events per second.
    PerSecond,
    /// A share between 0 and 1.
    Share,
    /// Milliseconds.
    Millis,
    /// A ratio from 0 on.
    Ratio,
    /// A number of things.
    Count,
}

/// Which way a figure should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither: a busy service is not a fault.
    Neither,
}

impl Kind {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Kind; 12] = [
        Kind::Goodput,
        Kind::Success,
        Kind::Unanswered,
        Kind::LatencyMean,
        Kind::Amplification,
        Kind::Wasted,
        Kind::Utilisation,
        Kind::Waiting,
        Kind::PeakArrivals,
        Kind::Duplicated,
        Kind::RecoveryTime,
        Kind::Metastable,
    ];

    /// Its name in tables, JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Goodput => "goodput",
            Kind::Success => "success",
            Kind::Unanswered => "unanswered",
            Kind::LatencyMean => "latency_mean",
            Kind::Amplification => "amplification",
            Kind::Wasted => "wasted",
            Kind::Utilisation => "utilisation",
            Kind::Waiting => "waiting",
            Kind::PeakArrivals => "peak_arrivals_100ms",
            Kind::Duplicated => "duplicated",
            Kind::RecoveryTime => "recovery_time",
            Kind::Metastable => "metastable",
        }
    }

    /// In what it is measured.
    pub fn unit(self) -> Unit {
        match self {
            Kind::Goodput => Unit::PerSecond,
            Kind::Success
            | Kind::Unanswered
            | Kind::Wasted
            | Kind::Utilisation
            | Kind::Metastable => Unit::Share,
            Kind::LatencyMean | Kind::RecoveryTime => Unit::Millis,
            Kind::Amplification => Unit::Ratio,
            Kind::Waiting | Kind::PeakArrivals | Kind::Duplicated => Unit::Count,
        }
    }

    /// Which way it should go.
    pub fn better(self) -> Better {
        match self {
            Kind::Goodput | Kind::Success => Better::Higher,
            Kind::Utilisation => Better::Neither,
            Kind::Unanswered
            | Kind::LatencyMean
            | Kind::Amplification
            | Kind::Wasted
            | Kind::Waiting
            | Kind::PeakArrivals
            | Kind::Duplicated
            | Kind::RecoveryTime
            | Kind::Metastable => Better::Lower,
        }
    }
}

impl Unit {
    /// Its name in JSON: `1/s`, `share`, `ms`, `ratio` or `count`.
    pub fn name(self) -> &'static str {
        match self {
            Unit::PerSecond => "1/s",
            Unit::Share => "share",
            Unit::Millis => "ms",
            Unit::Ratio => "ratio",
            Unit::Count => "count",
        }
    }
}

impl Better {
    /// Its name in JSON: `higher`, `lower` or `neither`.
    pub fn name(self) -> &'static str {
        match self {
            Better::Higher => "higher",
            Better::Lower => "lower",
            Better::Neither => "neither",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        self.of.iter().try_for_each(|of| write!(f, ":{of}"))
    }
}
