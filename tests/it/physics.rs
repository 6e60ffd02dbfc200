//! The physics of services: nothing is lost between arrival and answer at any instant, no worker
//! rests beside work, the dead do nothing, and the laws of Little and of utilisation hold exactly.

use proptest::prelude::*;
use sim_models::Scenario;
use sim_models::outcome::{Outcome, ServiceBooks, ServiceLoad};
use sim_models::strategies::{FaultPlans, seeds};

use crate::support::{actor, cases, load};

/// Two services in a row; the first may be anything that the language can say of a service.
fn town(service: &str, policy: &str) -> String {
    format!(
        r#"Scenario(
            name: "town", about: "A crowded counter.", horizon: "20s",
            actors: {{
                "crowd": Client(
                    load: Open(rate: "60/s", until: "12s"), patience: "3s",
                    does: [Call("desk.ask", policy: "caller")],
                ),
                "regulars": Client(
                    load: Closed(users: 5, think: Exponential("200ms"), until: "12s"),
                    does: [Call("desk.pay", policy: "caller", key: "{{client}}-{{intent}}")],
                ),
                "desk": Service(
                    {service}
                    endpoints: {{
                        "ask": [Parallel([
                            [Work(Exponential("40ms"))],
                            [Work(Exponential("20ms")), Parallel([[Work(Const("5ms"))], [Sleep(Const("9ms"))]])],
                        ])],
                        "pay": [
                            Work(Exponential("20ms")),
                            Try([Call("vault.open", policy: "inner")], finally: [Work(Const("1ms"))]),
                            Sleep(Const("10ms")),
                        ],
                    }},
                ),
                "vault": Service(workers: 3, on_disconnect: Cancel, endpoints: {{
                    "open": [Work(Exponential("30ms")), Label("opened")],
                }}),
            }},
            links: [
                Link(from: "crowd", to: "desk", latency: Const("5ms"), loss: 0.01, duplicate: 0.01),
                Link(from: "desk", to: "vault", latency: Const("1ms")),
            ],
            policies: {{ "caller": [{policy}], "inner": [Timeout("200ms")] }},
            invariants: [],
        )"#
    )
}

fn services() -> impl Strategy<Value = String> {
    let queues = prop_oneof![
        Just("Fifo(limit: 8)"),
        Just("Fifo(limit: 8, full: Block)"),
        Just("Fifo(limit: 8, full: DropOldest)"),
        Just("Lifo(limit: 6)"),
        Just("Lifo(limit: 6, full: Block)"),
        Just("AdaptiveLifo(limit: 20, above: 4)"),
        Just("Priority(limit: 6, order: [\"pay\"])"),
        Just("Codel(limit: 50, target: \"20ms\")"),
        Just("Codel(limit: 5, target: \"20ms\", full: DropOldest)"),
    ];
    let fleets = prop_oneof![
        Just("instances: 1,"),
        Just("instances: 3,"),
        Just("instances: 3, balancer: LeastRequest, stale: \"500ms\","),
        Just("instances: 4, balancer: Choices(2),"),
        Just("instances: 3, balancer: RingHash(),"),
        Just(
            "instances: 2, balancer: Random, autoscale: Autoscale(min: 1, max: 5, every: \"1s\", \
             delay: \"2s\", down_after: \"3s\"),"
        ),
    ];
    let habits = prop_oneof![
        Just(""),
        Just("threads: Async,"),
        Just("threads: Async, on_disconnect: Cancel,"),
        Just("on_disconnect: Cancel, max_wait: \"300ms\","),
        Just("gc: Gc(after: 30, pause: \"20ms\", per_request: \"1ms\"), on_disconnect: Cancel,"),
        Just("slow_start: SlowStart(factor: 3, for: \"2s\"), contention: Usl(sigma: 0.1),"),
        Just("admission: (rate: TokenBucket(permits: 40, per: \"1s\", burst: 10)),"),
        Just("admission: (concurrency: Fixed(limit: 5)), on_disconnect: Cancel,"),
    ];
    (1u32..4, queues, fleets, habits).prop_map(|(workers, queue, fleet, habit)| {
        format!("workers: {workers}, queue: {queue}, {fleet} {habit}")
    })
}

fn policies() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just(""),
        Just("Timeout(\"150ms\")"),
        Just("Retry(attempts: 3, backoff: None), Timeout(\"150ms\")"),
        Just("Hedge(House(delay: Fixed(\"60ms\"), max_hedges: 1))"),
        Just("Retry(attempts: 2, backoff: Constant(\"50ms\")), Deadline(\"200ms\")"),
    ]
}

/// What is wrong with the books of a service.
fn wrong(books: &ServiceBooks) -> Option<&'static str> {
    let ServiceBooks { arrived, ended, waiting, in_service, busy, .. } = *books;
    if arrived != ended + waiting + in_service {
        Some("something was lost or made up between arrival and answer")
    } else if busy != books.busy_told || waiting != books.waiting_told {
        Some("the running totals are not what is there")
    } else if books.idle_beside_work > 0 {
        Some("a worker rests beside work")
    } else if books.crashed && busy + waiting + in_service > 0 {
        Some("the dead are at work")
    } else {
        None
    }
}

#[test]
fn at_every_instant_the_books_balance() {
    let worlds = (services(), policies(), seeds());
    cases(60, worlds, |(service, policy, seed)| {
        let text = town(&service, policy);
        let scenario = load(&text, None, &[]);
        let plans = FaultPlans::of(&scenario);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let faults = plans.strategy().new_tree(&mut runner).expect("a plan").current();
        for scenario in [scenario.clone(), faults.strike(&scenario)] {
            let mut run = scenario.start(seed);
            while let Some(step) = run.step() {
                for books in run.books() {
                    let wrong = wrong(&books);
                    prop_assert!(wrong.is_none(), "{wrong:?} after {step:?}: {books:?}\n{text}");
                }
            }
        }
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

/// A service alone, all of whose requests end before the run does.
fn alone(service: &str, work: &str) -> Outcome {
    let text = format!(
        r#"Scenario(
            name: "alone", about: "One service.", horizon: "1h",
            actors: {{
                "crowd": Client(load: Open(rate: "90/s", until: "60s"), does: [Call("desk.ask")]),
                "desk": Service({service} endpoints: {{ "ask": [Work({work})] }}),
            }},
            invariants: [AllAnswered],
        )"#
    );
    let scenario: Scenario = load(&text, None, &[]);
    scenario.run(scenario.seed())
}

fn desk(outcome: &Outcome) -> (ServiceLoad, f64, f64) {
    let desk = actor(outcome, "desk");
    let latency = desk.latency.expect("somebody was served");
    let secs = outcome.ended_at.as_secs_f64();
    (desk.load.expect("a service"), latency.count as f64 * latency.mean.as_secs_f64(), secs)
}

/// Little's law without an error of sampling: over a run that begins and ends empty, the area
/// under the number present is the sum of the times that each was present.
#[test]
fn the_area_under_those_present_is_the_sum_of_their_stays() {
    for service in [
        "workers: 1, queue: Fifo(limit: 100000),",
        "workers: 1, queue: Lifo(limit: 100000),",
        "workers: 1, queue: AdaptiveLifo(limit: 100000, above: 5),",
        "workers: 1, instances: 3, balancer: Choices(2), queue: Fifo(limit: 100000),",
    ] {
        let outcome = alone(service, "Exponential(\"10ms\")");
        let (load, stays, secs) = desk(&outcome);
        let area = (load.busy_mean + load.waiting_mean) * secs;
        assert!((area / stays - 1.0).abs() < 1e-6, "{service}: {area} and {stays}");
    }
}

/// The utilisation law: busy workers are throughput times work.
#[test]
fn workers_are_busy_for_as_long_as_the_work_takes() {
    let outcome = alone("workers: 3,", "Const(\"20ms\")");
    let (load, _, secs) = desk(&outcome);
    let served = actor(&outcome, "desk").latency.expect("somebody was served").count as f64;
    assert!((load.busy_mean * secs - served * 0.020).abs() < 1e-6 * secs, "{load:?}");
    assert!((load.utilisation - load.busy_mean / 3.0).abs() < 1e-12);
    assert_eq!(load.wasted, Some(0.0));
}
