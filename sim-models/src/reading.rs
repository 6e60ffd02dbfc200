//! What a figure is in a run: its value, read off the outcome.

use sim_core::{Span, Time};

use crate::figure::{Counter, Figure, Kind, Quantile, Stretch};
use crate::outcome::{
    ActorKind, ActorSummary, Goodput, InvariantVerdict, Latencies, Lengths, Measured, Outcome,
    ServiceLoad, StateName,
};
use crate::recovery::RecoveryState;

/// A value of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    /// In the figure's unit.
    pub(crate) value: f64,
    /// Some who count still wait: the truth is no less.
    pub(crate) at_least: bool,
}

impl Reading {
    fn exact(value: f64) -> Reading {
        Reading { value, at_least: false }
    }
}

/// The figures that a run has of its own accord, in order.
pub(crate) fn figures(outcome: &Outcome) -> Vec<Figure> {
    let whole = &outcome.measured[0];
    let mut figures: Vec<Figure> = [Kind::Success, Kind::Unanswered, Kind::Goodput]
        .into_iter()
        .chain([Kind::RecoveryTime, Kind::Metastable, Kind::RequestsPerIntent])
        .chain([Kind::Refusals, Kind::BreakerOpenings])
        .map(Figure::of_all)
        .collect();
    if outcome.goodput.degraded > 0 {
        figures.push(Figure::of_all(Kind::Degraded));
    }
    let mut each = |kind: Kind, name: &str| figures.push(Figure::of(kind, name));
    for actor in &outcome.actors {
        each(Kind::LatencyMean, &actor.name);
        if actor.kind == ActorKind::Client {
            each(Kind::LatencyMax, &actor.name);
        }
        for (counter, _) in &actor.counters {
            let kind = match counter {
                Counter::PeakArrivals => Kind::PeakArrivals,
                counter => Kind::Count(*counter),
            };
            each(kind, &actor.name);
        }
    }
    for (service, _) in &whole.loads {
        let kinds = [Kind::Wasted, Kind::Utilisation, Kind::Waiting, Kind::Waited];
        kinds.into_iter().for_each(|kind| each(kind, service));
    }
    whole.calls.iter().for_each(|(hop, _)| each(Kind::Amplification, hop));
    outcome.effects.iter().for_each(|effect| each(Kind::Duplicated, &effect.kind));
    figures.sort();
    figures
}

/// The value of a figure in a run; `None` where it has none, or nothing is so called. Without a
/// name it is the highest of all.
pub(crate) fn read(outcome: &Outcome, figure: &Figure) -> Option<Reading> {
    let of = figure.of.as_deref();
    let measured = outcome.measured.iter().find(|m| m.during == figure.during)?;
    match figure.kind {
        Kind::Broken => {
            let named = outcome.invariants.iter().filter(|i| of.is_none_or(|of| i.name == of));
            // One that nothing put to the test says nothing.
            let tested = named.filter(|i| i.verdict != InvariantVerdict::Vacuous);
            let broken = tested.map(|i| i.verdict == InvariantVerdict::Violated);
            broken.reduce(|a, b| a || b).map(share)
        }
        Kind::Duplicated => {
            let effects = outcome.effects.iter().map(|e| (&e.kind[..], e.duplicated as f64));
            highest(effects, of)
        }
        Kind::Metastable | Kind::RecoveryTime => recovered(outcome, figure.kind),
        Kind::Success => of_offered(measured, of, |goodput| goodput.achieved),
        Kind::Unanswered => of_offered(measured, of, Goodput::unanswered),
        Kind::Degraded => of_offered(measured, of, |goodput| goodput.degraded),
        Kind::Goodput => {
            let seconds = measured.length.as_secs_f64();
            let goodput = intents(measured, of)?;
            (seconds > 0.0).then(|| Reading::exact(goodput.achieved as f64 / seconds))
        }
        Kind::Percentile(quantile) => latency(outcome, measured, of, |all| at(all, quantile)),
        Kind::LatencyMean => {
            let mean = |all: &Lengths| all.sum() as f64 / all.count() as f64 / 1e6;
            latency(outcome, measured, of, mean)
        }
        Kind::LatencyMax => latency(outcome, measured, of, |all| all.max().as_millis_f64()),
        Kind::Amplification => {
            let calls = measured.calls.iter();
            highest(calls.filter_map(|(hop, c)| Some((&hop[..], c.amplification()?))), of)
        }
        Kind::RequestsPerIntent => {
            let offered = measured.goodput.offered;
            let sent = match of {
                None => measured.leaf_requests,
                Some(of) => measured.requests.iter().find(|(name, _)| name == of)?.1,
            };
            (offered > 0).then(|| Reading::exact(sent as f64 / offered as f64))
        }
        Kind::Refusals => refusals(outcome, of),
        Kind::Wasted => load(measured, of, |load| load.wasted),
        Kind::Utilisation => load(measured, of, |load| Some(load.utilisation)),
        Kind::Waiting => load(measured, of, |load| Some(load.waiting_mean)),
        Kind::Waited => counted(outcome, of, |actor| {
            let (arrived, waited) =
                (actor.counter(Counter::Arrived)?, actor.counter(Counter::Waited)?);
            (arrived > 0).then(|| waited as f64 / arrived as f64)
        }),
        Kind::PeakArrivals => counted(outcome, of, |actor| {
            let counts = of.is_some() || actor.load.is_some();
            actor.counter(Counter::PeakArrivals).filter(|_| counts).map(|n| n as f64)
        }),
        Kind::BreakerOpenings => openings(outcome, of, figure.during),
        Kind::Count(counter) => {
            counted(outcome, of, |actor| actor.counter(counter).map(|n| n as f64))
        }
    }
}

fn share(has: bool) -> Reading {
    Reading::exact(f64::from(u8::from(has)))
}

/// The value of what is so called, or the highest.
fn highest<'a>(
    values: impl IntoIterator<Item = (&'a str, f64)>,
    of: Option<&str>,
) -> Option<Reading> {
    let mut values = values.into_iter();
    let value = match of {
        Some(of) => values.find(|(name, _)| *name == of)?.1,
        None => values.map(|(_, value)| value).reduce(f64::max)?,
    };
    Some(Reading::exact(value))
}

fn counted(
    outcome: &Outcome,
    of: Option<&str>,
    value: impl Fn(&ActorSummary) -> Option<f64>,
) -> Option<Reading> {
    match of {
        Some(name) => {
            let services = outcome.actors.iter();
            let actor = outcome
                .actor(name)
                .or_else(|| services.flat_map(|a| &a.instances).find(|a| a.name == name));
            value(actor?).map(Reading::exact)
        }
        None => highest(outcome.actors.iter().filter_map(|a| Some((&a.name[..], value(a)?))), of),
    }
}

fn load(
    measured: &Measured,
    of: Option<&str>,
    value: impl Fn(&ServiceLoad) -> Option<f64>,
) -> Option<Reading> {
    match of {
        Some(name) => value(measured.load_of(name)?).map(Reading::exact),
        None => {
            highest(measured.loads.iter().filter_map(|(name, l)| Some((&name[..], value(l)?))), of)
        }
    }
}

/// The intents of a client, or of all.
fn intents(measured: &Measured, of: Option<&str>) -> Option<Goodput> {
    match of {
        _ if measured.clients.is_empty() => None,
        None => Some(measured.goodput),
        Some(of) => measured.clients.iter().find(|(name, _)| name == of).map(|(_, g)| *g),
    }
}

/// A part of all intents that arose.
fn of_offered(
    measured: &Measured,
    of: Option<&str>,
    part: impl Fn(&Goodput) -> u64,
) -> Option<Reading> {
    let goodput = intents(measured, of)?;
    (goodput.offered > 0).then(|| Reading::exact(part(&goodput) as f64 / goodput.offered as f64))
}

/// The name and whether failures are meant: `shoppers, failed`.
pub(crate) fn population(of: &str) -> (&str, bool) {
    match of.strip_suffix(", failed") {
        Some(name) => (name, true),
        None => (of, false),
    }
}

/// A figure of the latencies of what is so called, or that of the client where it is highest.
fn latency(
    outcome: &Outcome,
    measured: &Measured,
    of: Option<&str>,
    figure: impl Fn(&Lengths) -> f64,
) -> Option<Reading> {
    let of_one = |latencies: &Latencies, is_failed: bool| {
        let (all, open) = match is_failed {
            true => (latencies.failed.clone(), None),
            false => latencies.succeeded_and_open(),
        };
        let value = (all.count() > 0).then(|| figure(&all))?;
        let at_least = open.is_some_and(|open| open.as_millis_f64() <= value);
        Some(Reading { value, at_least })
    };
    match of {
        Some(of) => {
            let (name, is_failed) = population(of);
            of_one(measured.latencies_of(name)?, is_failed)
        }
        None => {
            let clients = outcome.actors_of(ActorKind::Client);
            let found = clients.filter_map(|client| {
                measured.latencies.iter().find(|(name, _)| *name == client.name)
            });
            let read = found.filter_map(|(_, latencies)| of_one(latencies, false));
            read.reduce(|a, b| if b.value > a.value { b } else { a })
        }
    }
}

/// What the policies of a hop, or what an actor turned away; of all together without a name.
fn refusals(outcome: &Outcome, of: Option<&str>) -> Option<Reading> {
    const AT_AN_ACTOR: [Counter; 5] = [
        Counter::Refused,
        Counter::QueueFull,
        Counter::NotAdmitted,
        Counter::DeadlinePassed,
        Counter::Dropped,
    ];
    let by_policies = outcome.calls.iter().map(|call| {
        let hop = format!("{}->{}", call.from, call.to);
        (hop, call.rejected.iter().map(|(_, n)| n).sum::<u64>())
    });
    let by_actors = outcome.actors.iter().map(|actor| {
        let counts = AT_AN_ACTOR.into_iter().filter_map(|counter| actor.counter(counter));
        (actor.name.clone(), counts.sum::<u64>())
    });
    let all = by_policies.chain(by_actors);
    let counts: Vec<u64> =
        all.filter(|(name, _)| of.is_none_or(|of| name == of)).map(|(_, n)| n).collect();
    (!counts.is_empty()).then(|| Reading::exact(counts.iter().sum::<u64>() as f64))
}

fn at(lengths: &Lengths, quantile: Quantile) -> f64 {
    lengths.at(quantile.share()).as_millis_f64()
}

/// How often breakers opened within a stretch of time.
fn openings(outcome: &Outcome, of: Option<&str>, during: Option<Stretch>) -> Option<Reading> {
    let whole = Stretch { from: outcome.warmup, until: Span::MAX };
    let Stretch { from, until } = during.unwrap_or(whole);
    let is_within = |at: Time| (from..until).contains(&at.since(Time::ZERO));
    let opened = outcome.transitions.iter().filter(|line| {
        line.to == StateName::Open
            && is_within(line.at)
            && line.at <= outcome.ended_at
            && of.is_none_or(|of| line.policy == of)
    });
    Some(Reading::exact(opened.count() as f64))
}

/// What a run says of recovery, if anything disturbed it.
fn recovered(outcome: &Outcome, kind: Kind) -> Option<Reading> {
    let recovery = outcome.recovery.as_ref().filter(|recovery| recovery.is_test())?;
    match (&recovery.state, kind) {
        (RecoveryState::Recovered { after, .. }, Kind::RecoveryTime) => {
            Some(Reading::exact(after.as_millis_f64()))
        }
        (_, Kind::RecoveryTime) => None,
        (RecoveryState::Metastable, _) => Some(share(true)),
        (RecoveryState::Recovered { .. } | RecoveryState::Undisturbed, _) => Some(share(false)),
        (RecoveryState::Unhealthy(_) | RecoveryState::Undecided(_), _) => None,
    }
}
