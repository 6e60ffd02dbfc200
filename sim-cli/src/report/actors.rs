//! The tables of actors: what users got, and what was asked of everybody else.

use sim_core::Span;
use sim_models::outcome::{
    ActorKind, ActorSummary, Counter, Goodput, Latency, Outcome, ServiceLoad,
};

use super::grid::Grid;
use super::row;
use crate::{figure, words};

/// More instances of a service than that are counted instead of shown.
pub(super) const INSTANCES_MAX: usize = 20;

/// What the users of each client got, and how long it took; successes and failures apart. Counts are
/// of intents that arose after the warm-up.
pub(super) fn clients(outcome: &Outcome) -> Grid {
    let seconds = outcome.measured.first().map_or(0.0, |m| m.length.as_secs_f64());
    let row = |actor: &ActorSummary| {
        let Goodput { offered, achieved, missed, degraded, .. } = actor.goodput?;
        let unanswered = actor.goodput?.unanswered();
        let rate = if seconds > 0.0 { achieved as f64 / seconds } else { 0.0 };
        let counts = [offered, achieved, degraded, missed, unanswered].map(words::count);
        let goodput = std::iter::once(words::per_second(rate));
        Some(row(&actor.name, counts.into_iter().chain(goodput).chain(common_latencies(actor))))
    };
    let header = [
        "Clients",
        "offered",
        "succeeded",
        "degraded",
        "failed",
        "unanswered",
        "goodput",
        "p50",
        "p99",
        "failed p99",
    ];
    let spare = &["goodput", "p50", "degraded"];
    Grid::new(header, outcome.actors.iter().filter_map(row).collect()).spare(spare)
}

/// What was asked of whoever is no client, how busy it was and how long its answers took.
pub(super) fn servers(outcome: &Outcome) -> Grid {
    let servers = outcome.actors.iter().filter(|actor| actor.kind != ActorKind::Client);
    let count = |actor: &ActorSummary, counter| {
        actor.counter(counter).map_or_else(|| words::NONE.to_owned(), words::count)
    };
    let row = |actor: &ActorSummary| {
        let counters = [
            Counter::Arrived,
            Counter::Succeeded,
            Counter::Failed,
            Counter::Unknown,
            Counter::Refused,
        ];
        let counts = counters.map(|counter| count(actor, counter));
        let load = actor.load.map_or([words::NONE; 3].map(str::to_owned), |load| {
            let [_, waiting, utilisation, wasted] = load_cells(load);
            [utilisation, wasted, waiting]
        });
        row(&actor.name, counts.into_iter().chain(load).chain(common_latencies(actor)))
    };
    let header = [
        "Services",
        "arrived",
        "succeeded",
        "failed",
        "unknown",
        "refused",
        "utilisation",
        "wasted work",
        "waiting",
        "p50",
        "p99",
        "failed p99",
    ];
    let spare = &["waiting", "failed p99", "succeeded", "p50", "unknown", "wasted work"];
    Grid::new(header, servers.map(row).collect()).telling_rows().spare(spare)
}

/// One table of counters per kind of actor, then how busy each was, and latencies over all.
pub(super) fn at_length(outcome: &Outcome) -> Vec<Grid> {
    let mut kinds: Vec<&ActorKind> = Vec::new();
    for actor in &outcome.actors {
        if !actor.counters.is_empty() && !kinds.contains(&&actor.kind) {
            kinds.push(&actor.kind);
        }
    }
    let of_kind = |kind: &ActorKind| outcome.actors_of(kind.clone()).collect::<Vec<_>>();
    let counters = kinds.into_iter().map(|kind| counters(kind.name(), &of_kind(kind)));
    let mut grids: Vec<Grid> = counters.collect();
    let load = |actor: &ActorSummary| Some(row(&actor.name, load_cells(actor.load?)));
    let header = ["Load, on average", "busy", "waiting", "utilisation", "wasted work"];
    grids.push(Grid::new(header, outcome.actors.iter().filter_map(load).collect()));
    let header = ["Latency", "samples", "mean", "p50", "p90", "p99", "p99.9", "max"];
    grids.push(Grid::new(header, outcome.actors.iter().flat_map(latency_rows).collect()));
    grids
}

/// Each instance of a service that has several: one that is worse than the others hides in the sum.
pub(super) fn instances(service: &ActorSummary) -> Grid {
    let header = [
        "Instance",
        "arrived",
        "succeeded",
        "failed",
        "p50",
        "p99",
        "failed p99",
        "utilisation",
        "waiting",
    ];
    Grid::new(header, service.instances.iter().take(INSTANCES_MAX).map(instance_row).collect())
}

fn instance_row(own: &ActorSummary) -> Vec<String> {
    let all = |counters: &[Counter]| {
        words::count(counters.iter().filter_map(|counter| own.counter(*counter)).sum())
    };
    let counts = [
        all(&[Counter::Arrived]),
        all(&[Counter::Succeeded]),
        all(&[Counter::Failed, Counter::Unknown, Counter::Refused]),
    ];
    let load = own.load.map_or([words::NONE; 2].map(str::to_owned), |load| {
        let [_, waiting, utilisation, _] = load_cells(load);
        [utilisation, waiting]
    });
    row(&own.name, counts.into_iter().chain(common_latencies(own)).chain(load))
}

/// A service's workers and queue, averaged from the warm-up on.
fn load_cells(load: ServiceLoad) -> [String; 4] {
    let ServiceLoad { busy_mean, waiting_mean, utilisation, wasted } = load;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let wasted = wasted.map_or_else(|| words::NONE.to_owned(), percent);
    [format!("{busy_mean:.2}"), format!("{waiting_mean:.2}"), percent(utilisation), wasted]
}

/// Median and 99th percentile of successes, and the latter of failures.
fn common_latencies(actor: &ActorSummary) -> [String; 3] {
    [
        latency_at(actor.latency, |latency| latency.p50),
        latency_at(actor.latency, |latency| latency.p99),
        latency_at(actor.latency_failed, |latency| latency.p99),
    ]
}

/// One figure of a latency, if there is one.
fn latency_at(latency: Option<Latency>, of: impl Fn(&Latency) -> Span) -> String {
    match latency {
        Some(latency) => {
            let span = of(&latency);
            figure::bound(latency.is_bound(span), words::duration(span))
        }
        None => words::NONE.to_owned(),
    }
}

/// The counters of actors of one kind.
fn counters(kind: &str, actors: &[&ActorSummary]) -> Grid {
    let mut names: Vec<Counter> = Vec::new();
    for (name, _) in actors.iter().flat_map(|actor| &actor.counters) {
        if !names.contains(name) {
            names.push(*name);
        }
    }
    let value = |actor: &ActorSummary, counter: &Counter| {
        actor.counter(*counter).map_or_else(|| words::NONE.to_owned(), words::count)
    };
    let spoken = |counter: &Counter| counter.name().replace('_', " ");
    let rows = actors.iter().map(|a| row(&a.name, names.iter().map(|name| value(a, name))));
    Grid::new(row(&words::sentence(kind), names.iter().map(spoken)), rows.collect())
}

/// Successes and failures apart: a fast failure must not pass for a fast answer.
fn latency_rows(actor: &ActorSummary) -> impl Iterator<Item = Vec<String>> {
    let failed = format!("{}, failed", actor.name);
    let succeeded = actor.latency.map(|latency| latency_row(&actor.name, &latency));
    let failed = actor.latency_failed.map(|latency| latency_row(&failed, &latency));
    succeeded.into_iter().chain(failed)
}

fn latency_row(name: &str, latency: &Latency) -> Vec<String> {
    let spans = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
    let said = |span| figure::bound(latency.is_bound(span), words::duration(span));
    let mean = figure::bound(latency.open > 0, words::duration(latency.mean));
    row(name, [words::count(latency.count), mean].into_iter().chain(spans.map(said)))
}
