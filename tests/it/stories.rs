//! The shipped stories, told to the second, and what an idempotency key promises its users.

use sim_core::{Span, Time};
use sim_models::outcome::{Outcome, Verdict};
use sim_policies::breaker::StateName;

use crate::support::{actor, broken, call, counter, effects, load, run, shipped};

fn at(secs: u64) -> Time {
    Time::ZERO + Span::secs(secs)
}

#[test]
fn a_breaker_opens_at_6s_tests_at_36s_and_closes_at_38s() {
    let outcome = run(&shipped("breaker_timeline", None));
    let transitions: Vec<_> = outcome.transitions.iter().map(|t| (t.at, t.to)).collect();
    let expected =
        [(at(6), StateName::Open), (at(36), StateName::HalfOpen), (at(38), StateName::Closed)];
    assert_eq!(transitions, expected);
    // Requests at 0 s, 1 s, … 44 s; those from 7 s to 35 s never leave the caller.
    let hop = call(&outcome, "caller", "dependency");
    assert_eq!((hop.calls, hop.attempts), (45, 45 - 29));
    assert_eq!(hop.rejected.iter().map(|(_, n)| n).sum::<u64>(), 29);
}

#[test]
fn five_doubling_waits_take_31s() {
    let outcome = run(&shipped("backoff_timeline", None));
    assert_eq!(actor(&outcome, "caller").latency_failed.expect("one request").max, Span::secs(31));
    assert_eq!(call(&outcome, "caller", "server").retries, 5);
}

#[test]
fn jitter_flattens_the_herd() {
    let peak = |variant| {
        counter(&run(&shipped("thundering_herd", variant)), "server", "peak_retries_100ms")
    };
    let unjittered = peak(Some("no jitter"));
    assert_eq!(unjittered, 1000, "the whole herd at once");
    for jittered in [peak(None), peak(Some("equal")), peak(Some("decorrelated"))] {
        assert!(jittered * 4 < unjittered, "{jittered}");
    }
}

#[test]
fn a_slow_dependency_takes_the_innocent_along_unless_it_is_contained() {
    let served = |outcome: &Outcome| {
        counter(outcome, "visitors", "succeeded") as f64
            / counter(outcome, "visitors", "submitted") as f64
    };
    let unprotected = run(&shipped("cascade", Some("no protection")));
    assert!(served(&unprotected) < 0.7, "{}", served(&unprotected));
    assert!(broken(&unprotected).iter().any(|name| name.starts_with("Goodput")));
    for variant in [None, Some("tight timeouts"), Some("bulkheads")] {
        let outcome = run(&shipped("cascade", variant));
        assert!(served(&outcome) > 0.99, "{variant:?}: {}", served(&outcome));
    }
}

#[test]
fn a_breaker_without_a_timeout_sees_no_failure_and_changes_nothing() {
    let digest = |variant| run(&shipped("cascade", Some(variant))).digest;
    assert_eq!(digest("breakers without timeouts"), digest("no protection"));
}

/// Utilisation 0.8 and 200,000 customers: the mean's own error is some 2 %.
#[test]
fn one_queue_and_one_clerk_obey_their_formula() {
    let text = r#"Scenario(
        name: "mm1", about: "M/M/1.", horizon: "25000s",
        actors: {
            "customers": Client(load: Open(rate: "8/s"), does: [Call("clerk.serve")]),
            "clerk": Service(workers: 1, queue: Fifo(limit: 100000), endpoints: {
                "serve": [Work(Exponential("100ms"))],
            }),
        },
    )"#;
    let outcome = run(&load(text, None, &[]));
    let (arrivals, services) = (8.0, 10.0);
    let theory = 1.0 / (services - arrivals);
    let mean = actor(&outcome, "customers").latency.expect("customers").mean.as_secs_f64();
    assert!((mean / theory - 1.0).abs() < 0.05, "{mean} s, and {theory} s in theory");
}

#[test]
fn a_double_click_is_one_purchase() {
    let outcome = run(&shipped("double_click", None));
    let fans = counter(&outcome, "fans", "submitted") / 2;
    assert_eq!(effects(&outcome, "charge"), fans);
    assert_eq!(outcome.verdict, Verdict::Kept);
}

/// A user who pays, and then does something else with the same key. What the API answered is
/// written to the ledger as an effect of that name.
fn after_paying(then: &str) -> Outcome {
    let text = r#"Scenario(
        name: "key", about: "One key, used again.", horizon: "60s",
        actors: {
            "user": Client(load: Burst(count: 1), body: {"amount": 200}, does: [THEN]),
            "api": Service(workers: 4, endpoints: { "pay": [
                Idempotent(design: "safe", body: [
                    Work(Const("100ms")),
                    Effect("charge", once: "{provider_key}", into: "result"),
                ]),
                Respond(201, body: "{result}"),
            ] }),
            "redis": Kv(),
        },
    )"#;
    run(&load(&text.replace("THEN", then), None, &[]))
}

#[test]
fn the_same_key_and_body_get_the_same_transaction() {
    let outcome = after_paying(
        r#"
        Call("api.pay", into: "first", status_into: "first_status"), Call("api.pay", into: "again", status_into: "again_status"),
        If(Eq("{first_status}", 201), then: [Effect("created")]),
        If(Eq("{again_status}", 200), then: [Effect("repeated")]),
        If(Eq("{first}", "{again}"), then: [Effect("same transaction")]),
        If(Is("{first}"), then: [Effect("a transaction")]),
        "#,
    );
    assert_eq!(effects(&outcome, "charge"), 1);
    for told in ["created", "repeated", "same transaction", "a transaction"] {
        assert_eq!(effects(&outcome, told), 1, "{told}");
    }
}

#[test]
fn the_same_key_and_another_body_are_refused_with_422() {
    let outcome = after_paying(
        r#"
        Call("api.pay"),
        Try([Call("api.pay", body: {"amount": 300}), Effect("paid")], catch: [
            If(Eq("{error.status}", 422), then: [Effect("refused")]),
        ]),
        "#,
    );
    assert_eq!((effects(&outcome, "refused"), effects(&outcome, "paid")), (1, 0));
    assert_eq!(effects(&outcome, "charge"), 1);
}

#[test]
fn a_key_in_flight_is_409_and_come_back_in_a_second() {
    let outcome = after_paying(
        r#"
        Parallel([
            [Call("api.pay")],
            [Sleep(Const("50ms")), Try([Call("api.pay"), Effect("paid twice")], catch: [
                If(Eq("{error.status}", 409), then: [Effect("in flight")]),
            ])],
        ]),
        "#,
    );
    assert_eq!((effects(&outcome, "in flight"), effects(&outcome, "paid twice")), (1, 0));

    // The answer's Retry-After of 1 s outweighs a back-off of 10 ms.
    let text = r#"Scenario(
        name: "key", about: "Two clicks, and a client in a hurry.", horizon: "60s",
        actors: {
            "user": Client(
                load: Burst(count: 1), clicks: 2, apart: "50ms",
                does: [Call("api.pay", policy: "hurry")],
            ),
            "api": Service(workers: 4, endpoints: { "pay": [
                Idempotent(design: "safe", body: [
                    Work(Const("100ms")), Effect("charge", into: "result"),
                ]),
            ] }),
            "redis": Kv(),
        },
        policies: { "hurry": [Retry(attempts: 3, backoff: Constant("10ms"), conflict: true)] },
        invariants: [RetryWaits("user->api", between: [("1s", "1s")]), ExactlyOnce("charge")],
    )"#;
    assert_eq!(run(&load(text, None, &[])).verdict, Verdict::Kept);
}
