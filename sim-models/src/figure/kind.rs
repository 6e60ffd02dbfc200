//! What can be measured, in which unit, and which way it should go.

use std::fmt;
use std::str::FromStr;

use super::{Counter, Quantile};
use crate::source::closest;

/// What is measured, in the order in which it is reported: what breaks a promise comes first, then
/// what users have, then what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of an invariant: 1 for a run that broke it.
    Broken,
    /// Effects of a kind beyond an intent's first that nothing took back.
    Duplicated,
    /// 1 for a run that stayed down after its trigger had gone, 0 for one that came back.
    Metastable,
    /// The share of intents whose user saw success, among all that arose.
    Success,
    /// The share of intents whose user was told nothing, among all that arose.
    Unanswered,
    /// The share of intents whose success rests on a fallback, among all that arose.
    Degraded,
    /// Intents whose user saw success, per second of measured time.
    Goodput,
    /// A percentile of latencies.
    Percentile(Quantile),
    /// The mean of latencies.
    LatencyMean,
    /// The longest latency of a run.
    LatencyMax,
    /// From the end of the trigger until the system was well again, of runs that recovered.
    RecoveryTime,
    /// Attempts per call of a hop.
    Amplification,
    /// Requests sent to an actor per intent; to all who ask nobody else, by default.
    RequestsPerIntent,
    /// What was turned away: calls by their own policies, requests by a service.
    Refusals,
    /// The share of a service's work that nobody wanted any more.
    Wasted,
    /// Busy workers of a service as a share of all.
    Utilisation,
    /// Requests that wait for a worker of a service, averaged over time.
    Waiting,
    /// The share of a service's requests that waited for a worker.
    Waited,
    /// The most arrivals at a service in any 100 ms.
    PeakArrivals,
    /// How often a breaker opened; all of them, by default.
    BreakerOpenings,
    /// A counter of an actor.
    Count(Counter),
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
    /// Those with a name of their own: all but percentiles and counters.
    pub const NAMED: [Kind; 19] = [
        Kind::Broken,
        Kind::Duplicated,
        Kind::Metastable,
        Kind::Success,
        Kind::Unanswered,
        Kind::Degraded,
        Kind::Goodput,
        Kind::LatencyMean,
        Kind::LatencyMax,
        Kind::RecoveryTime,
        Kind::Amplification,
        Kind::RequestsPerIntent,
        Kind::Refusals,
        Kind::Wasted,
        Kind::Utilisation,
        Kind::Waiting,
        Kind::Waited,
        Kind::PeakArrivals,
        Kind::BreakerOpenings,
    ];

    /// Its name, of those that have one of their own.
    fn name(self) -> &'static str {
        match self {
            Kind::Broken => "broken",
            Kind::Duplicated => "duplicated",
            Kind::Metastable => "metastable",
            Kind::Success => "success",
            Kind::Unanswered => "unanswered",
            Kind::Degraded => "degraded",
            Kind::Goodput => "goodput",
            Kind::Percentile(_) => "percentile",
            Kind::LatencyMean => "latency_mean",
            Kind::LatencyMax => "latency_max",
            Kind::RecoveryTime => "recovery_time",
            Kind::Amplification => "amplification",
            Kind::RequestsPerIntent => "requests_per_intent",
            Kind::Refusals => "refusals",
            Kind::Wasted => "wasted",
            Kind::Utilisation => "utilisation",
            Kind::Waiting => "waiting",
            Kind::Waited => "waited",
            Kind::PeakArrivals => "peak_arrivals_100ms",
            Kind::BreakerOpenings => "breaker_openings",
            Kind::Count(counter) => counter.name(),
        }
    }

    /// In what it is measured.
    pub fn unit(self) -> Unit {
        match self {
            Kind::Goodput => Unit::PerSecond,
            Kind::Broken
            | Kind::Metastable
            | Kind::Success
            | Kind::Unanswered
            | Kind::Degraded
            | Kind::Wasted
            | Kind::Utilisation
            | Kind::Waited => Unit::Share,
            Kind::Percentile(_) | Kind::LatencyMean | Kind::LatencyMax | Kind::RecoveryTime => {
                Unit::Millis
            }
            Kind::Amplification | Kind::RequestsPerIntent => Unit::Ratio,
            Kind::Duplicated
            | Kind::Refusals
            | Kind::Waiting
            | Kind::PeakArrivals
            | Kind::BreakerOpenings
            | Kind::Count(_) => Unit::Count,
        }
    }

    /// Which way it should go.
    pub fn better(self) -> Better {
        match self {
            Kind::Goodput | Kind::Success => Better::Higher,
            Kind::Utilisation | Kind::Count(_) => Better::Neither,
            _ => Better::Lower,
        }
    }

    /// True for what a run has or has not.
    pub(crate) fn is_share_of_runs(self) -> bool {
        matches!(self, Kind::Broken | Kind::Metastable)
    }

    /// True for what exists of a part of the run.
    pub(super) fn has_stretch(self) -> bool {
        !matches!(
            self,
            Kind::Broken
                | Kind::Duplicated
                | Kind::Metastable
                | Kind::RecoveryTime
                | Kind::Refusals
                | Kind::Waited
                | Kind::PeakArrivals
                | Kind::Count(_)
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Percentile(quantile) => quantile.fmt(f),
            kind => f.pad(kind.name()),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Kind, String> {
        if let Some(kind) = Kind::NAMED.into_iter().find(|kind| kind.name() == name) {
            return Ok(kind);
        }
        if let Some(counter) = Counter::ALL.into_iter().find(|counter| counter.name() == name) {
            return Ok(Kind::Count(counter));
        }
        if name.strip_prefix('p').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            return name.parse().map(Kind::Percentile);
        }
        let names = Kind::NAMED.iter().map(|kind| kind.name());
        let counters = Counter::ALL.iter().map(|counter| counter.name());
        let advice = match closest(name, names.chain(counters)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write one such as `p99(shoppers)`, `success` or `amplification(a->b)`".into(),
        };
        Err(format!("no figure is called `{name}`; {advice}"))
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
