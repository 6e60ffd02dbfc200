//! Figures that do not flatter: who gets no answer counts, nobody is cut off by the end of the run,
//! and a fast failure is no fast answer.

use sim_core::{Span, Time};
use sim_models::study::{Check, Comparison, Judgement, Kind, Metric, Options, Quantile};

use crate::support::{actor, counter, load, run, run_text};

fn options(seeds: u64) -> Options<'static> {
    Options { seeds, jobs: 2, ..Options::default() }
}

/// A provider that never answers half of the payments.
const SILENT: &str = r#"Scenario(
    name: "silent", about: "Half of the payments hear nothing.", horizon: "60s",
    actors: {
        "shoppers": Client(load: Open(rate: "20/s"), does: [Call("psp.pay", policy: "p")]),
        "psp": Service(workers: 1000, endpoints: { "pay": [Work(Const("100ms"))] }),
    },
    policies: { "p": [] },
    faults: [At("0s", Hang("psp", rate: 0.5))],
    variants: { "timeout": { "policies.p": [Timeout("1s")] } },
)"#;

/// Twice as many customers as one clerk can serve.
const CROWD: &str = r#"Scenario(
    name: "crowd", about: "A line that only grows.", horizon: "60s",
    actors: {
        "customers": Client(load: Open(rate: "20/s", arrivals: Constant), does: [Call("clerk.ask")]),
        "clerk": Service(workers: 1, queue: Fifo(limit: 100000),
            endpoints: { "ask": [Work(Const("100ms"))] }),
    },
)"#;

fn mean(check: &Check, kind: Kind) -> f64 {
    check.summary.estimate(&Metric { kind, of: None }).expect("a figure").mean
}

#[test]
fn who_never_gets_an_answer_counts() {
    let check = Check::run(&load(SILENT, None, &[]), &options(4), None).expect("a study");
    let (success, unanswered) = (mean(&check, Kind::Success), mean(&check, Kind::Unanswered));
    assert!((success - 0.5).abs() < 0.05, "{success}");
    assert!((success + unanswered - 1.0).abs() < 1e-9, "{unanswered}");
    let shoppers = &check.summary.latencies[0];
    let read = |q| *shoppers.percentiles.iter().find(|p| p.quantile == q).expect("a percentile");
    assert!(read(Quantile::P99).at_least && read(Quantile::P99).value > Span::secs(10));
    assert_eq!(read(Quantile::P99).high, None, "nobody knows how long they would have waited");

    let run = run_text(SILENT);
    let latency = actor(&run, "shoppers").latency.expect("answers");
    assert_eq!(latency.open, counter(&run, "shoppers", "unanswered"));
    assert!(latency.is_bound(latency.p99) && latency.p99 > Span::secs(10));
}

#[test]
fn a_timeout_is_not_worse_than_silence() {
    let sides = [None, Some("timeout")]
        .map(|variant| (variant.unwrap_or("base").to_owned(), load(SILENT, variant, &[])));
    let comparison = Comparison::run(&sides, &options(8)).expect("a study");
    let judged = |figure: &str| {
        let contrasts = &comparison.contrasts;
        contrasts.iter().find(|c| c.figure.to_string() == figure).expect("a figure").judgement
    };
    assert_eq!(judged("unanswered"), Judgement::Better);
    assert_eq!(judged("p99:shoppers"), Judgement::Better, "of at least 10 s and of 100 ms");
    assert_eq!(judged("success"), Judgement::NoDifference);
}

#[test]
fn a_line_that_only_grows_serves_what_it_serves() {
    let check = Check::run(&load(CROWD, None, &[]), &options(2), None).expect("a study");
    // All who wait at the horizon have the same ten seconds, whenever they came.
    assert_eq!((mean(&check, Kind::Success), mean(&check, Kind::Unanswered)), (0.5, 0.5));
    assert_eq!(mean(&check, Kind::Goodput), 10.0, "the clerk can do no more");
}

#[test]
fn nobody_is_missing_from_a_latency_because_the_run_was_cut_off() {
    let slow = &[
        ("actors.clerk.workers", "1000"),
        ("actors.clerk.endpoints.ask[0]", "Work(Const(\"7s\"))"),
    ];
    let outcome = run(&load(CROWD, None, slow));
    let latency = actor(&outcome, "customers").latency.expect("answers");
    assert_eq!((latency.count, latency.open), (outcome.goodput.offered, 0));
    assert_eq!(latency.mean, Span::secs(7));
    assert_eq!(outcome.ended_at, Time::ZERO + Span::secs(60), "what is measured ends there");
    assert_eq!(outcome.grace.taken, Span::millis(6950), "the last one came 50 ms before it");
    let cut = [slow[0], slow[1], ("limits", "(grace: Some(\"2s\"))")];
    let outcome = run(&load(CROWD, None, &cut));
    assert_eq!(outcome.goodput.unanswered(), 7 * 20 - 1, "no answer within 2 s");
}

#[test]
fn nothing_begins_after_the_horizon() {
    let outcome = run_text(
        r#"Scenario(
            name: "closed", about: "Two tills, and a job without end.", horizon: "9500ms",
            actors: {
                "tills": Client(
                    load: Closed(users: 2, think: Const("300ms")),
                    does: [Call("api.sell")],
                ),
                "api": Service(workers: 8,
                    endpoints: { "sell": [Work(Const("450ms"))] },
                    jobs: { "tick": Job(every: "10ms", does: [Work(Const("1ms"))]) },
                ),
            },
        )"#,
    );
    assert_eq!(outcome.goodput.offered, 2 * 13, "every 750 ms from 300 ms on, the last at 9.3 s");
    assert_eq!(outcome.goodput.unanswered(), 0);
    assert_eq!(outcome.grace.taken, Span::millis(250), "the job keeps nobody waiting");
}

#[test]
fn a_fast_failure_is_no_fast_answer() {
    let outcome = run_text(
        r#"Scenario(
            name: "half", about: "Every second call is refused at once.", horizon: "60s",
            actors: {
                "users": Client(load: Open(rate: "20/s"), does: [Call("api.get")]),
                "api": Service(workers: 100, endpoints: { "get": [Work(Const("80ms"))] }),
            },
            faults: [At("0s", Errors("api", rate: 0.5))],
        )"#,
    );
    let users = actor(&outcome, "users");
    let (succeeded, failed) = (users.latency.expect("some"), users.latency_failed.expect("some"));
    assert_eq!((succeeded.p50, succeeded.mean), (Span::millis(80), Span::millis(80)));
    assert_eq!(failed.max, Span::ZERO);
    let at_80_ms = |p50: &Option<Span>| p50.is_none_or(|p50| p50 == Span::millis(80));
    assert!(outcome.series.latency_p50.iter().all(at_80_ms), "in every window");
}

#[test]
fn work_that_is_not_finished_is_wasted_when_nobody_waits_for_it() {
    let outcome = run_text(
        r#"Scenario(
            name: "patience", about: "Nobody waits for the answer.", horizon: "60s",
            actors: {
                "users": Client(load: Open(rate: "1/s", until: "50s"), does: [Call("api.get", policy: "p")]),
                "api": Service(workers: 100, endpoints: { "get": [Work(Const("2m"))] }),
            },
            policies: { "p": [Timeout("1s")] },
        )"#,
    );
    let load = actor(&outcome, "api").load.expect("a service");
    assert_eq!(load.wasted, Some(1.0), "all of it");
}
