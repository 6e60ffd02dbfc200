//! Exactly-once charging under random seeds and random faults: the safe design keeps it, and each
//! bad design is caught within a stated number of cases, so that the test is known to be able to
//! fail.

use proptest::prelude::*;
use proptest::test_runner::TestError;
use sim_models::Scenario;
use sim_models::strategies::{FaultList, FaultPlans, seeds};

use crate::support::{broken, cases, load};

/// Two dozen payments, small enough that a case takes a millisecond. The lock is shorter than the
/// client's patience, so that retries come after it has expired.
const PAYMENTS: &str = r#"Scenario(
    name: "payments", about: "Two dozen payments of $200.", horizon: "60s",
    actors: {
        "shoppers": Client(
            load: Open(rate: "1/s", arrivals: Constant, until: "24s"),
            body: {"amount": 200}, patience: "35s",
            does: [Call("api.pay", policy: "checkout")],
        ),
        "api": Service(workers: 8, endpoints: { "pay": [
            Idempotent(design: "safe", lock: "3s", body: [
                Call("psp.charge", policy: "provider", key: "{provider_key}", into: "charge"),
                Effect("order", once: "{key}"),
                Let("result", "{charge}"),
            ]),
            Respond(201, body: "{result}"),
        ] }),
        "psp": Service(workers: 8, endpoints: { "charge": [
            Work(LogNormal(p50: "80ms", p99: "400ms")),
            Effect("charge", once: "{key}", into: "id"),
            Label("charged"),
            Respond(201, body: "{id}"),
        ] }),
        "redis": Kv(),
    },
    links: [
        Link(from: "shoppers", to: "api", latency: LogNormal(p50: "20ms", p99: "120ms")),
        Link(from: "api", to: "psp", latency: Uniform("1ms", "5ms")),
        Link(from: "api", to: "redis", latency: Const("200us")),
    ],
    policies: {
        "checkout": [
            Retry(attempts: 6, backoff: Exponential(base: "1s"), jitter: Full, conflict: true),
            Timeout("2s"),
        ],
        "provider": [Timeout("1s")],
    },
    invariants: [ExactlyOnce("charge"), ExactlyOnce("order"), AckedImpliesDone("order")],
    variants: {
        "no key": {
            "actors.shoppers.does[0].key": None,
            "actors.api.endpoints.pay[0].design": "unprotected",
        },
        "key per attempt": { "actors.shoppers.does[0].key": "{key}-{attempt}" },
        "naive": { "actors.api.endpoints.pay[0].design": "naive" },
    },
)"#;

/// A seed and a fault plan in which `scenario` breaks one of its invariants, among `count` cases.
fn search(scenario: &Scenario, count: u32) -> Result<(), TestError<(u64, FaultList)>> {
    let strategy = (seeds(), FaultPlans::of(scenario).strategy());
    cases(count, strategy, |(seed, faults)| {
        let outcome = faults.strike(scenario).run(seed);
        prop_assert!(broken(&outcome).is_empty(), "{:#?}", outcome.invariants);
        Ok(())
    })
}

/// Searches for a design's flaw, and returns the shrunk faults that show it.
fn flaw(variant: &str, count: u32) -> FaultList {
    let scenario = load(PAYMENTS, Some(variant), &[]);
    match search(&scenario, count) {
        Err(TestError::Fail(reason, (seed, faults))) => {
            println!("{variant}: seed {seed}, faults: {faults}\n{reason}");
            faults
        }
        found => panic!("`{variant}` should be caught within {count} cases: {found:?}"),
    }
}

#[test]
fn the_safe_design_charges_exactly_once_whatever_fails() {
    if let Err(error) = search(&load(PAYMENTS, None, &[]), 1000) {
        panic!("{error}");
    }
}

#[test]
fn a_payment_without_a_key_is_caught_within_8_cases() {
    assert!(flaw("no key", 8).plans().len() <= 1);
}

#[test]
fn a_key_per_attempt_is_caught_within_8_cases() {
    assert!(flaw("key per attempt", 8).plans().len() <= 1);
}

#[test]
fn the_naive_design_is_caught_within_32_cases() {
    assert!(flaw("naive", 32).plans().len() <= 1);
}
