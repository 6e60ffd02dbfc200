//! Does a design keep its promise under every plan of faults that fits the scenario?
//!
//! Needs the feature `proptest`. A plan that breaks the promise is shrunk and printed as RON.

use proptest::prelude::*;
use sim_models::prelude::*;

const SHOP: &str = r#"Scenario(
    name: "shop", about: "Five users pay.", horizon: "120s",
    actors: {
        "users": Client(
            load: Open(rate: "1/s", until: "5s"),
            does: [Call("api.pay", policy: "patient")],
        ),
        "api": Service(workers: 8, endpoints: { "pay": [
            Idempotent(design: "safe", store: "redis", body: [
                Call("psp.charge", policy: "once", key: "{provider_key}", into: "result"),
            ]),
            Respond(201, body: "{result}"),
        ] }),
        "psp": Service(workers: 8, endpoints: {
            "charge": [Work(Const("50ms")), Effect("charge", once: "{key}")],
        }),
        "redis": Kv(),
    },
    policies: {
        "patient": [Retry(attempts: 5, backoff: Constant("1s")), Timeout("2s")],
        "once": [Timeout("500ms")],
    },
    invariants: [AtMostOnce("charge")],
)"#;

fn main() -> Result<(), Error> {
    let shop = Scenario::text("shop.ron", SHOP).load()?;
    let plans = FaultPlans::of(&shop).at_most(3);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(50) };
    proptest!(config, |(seed in seeds(), faults in plans.strategy())| {
        let outcome = faults.strike(&shop).run(seed);
        prop_assert_ne!(outcome.verdict, Verdict::Violated);
    });
    Ok(())
}
