//! A payment as it should be, and as most teams first write it, while answers get lost.

use sim_models::prelude::*;

const SHOP: &str = r#"Scenario(
    name: "shop", about: "Users pay while answers of the provider get lost.", horizon: "60s",
    actors: {
        "users": Client(
            load: Open(rate: "20/s", until: "40s"),
            does: [Call("api.pay", policy: "patient")],
        ),
        "api": Service(workers: 64, endpoints: { "pay": [
            Idempotent(design: "safe", store: "redis", body: [
                Call("psp.charge", policy: "once", key: "{provider_key}", into: "result"),
            ]),
            Respond(201, body: "{result}"),
        ] }),
        "psp": Service(workers: 64, endpoints: {
            "charge": [Work(Const("50ms")), Effect("charge", once: "{key}")],
        }),
        "redis": Kv(),
    },
    policies: {
        "patient": [Retry(attempts: 5, backoff: Constant("1s")), Timeout("2s")],
        "once": [Timeout("500ms")],
    },
    faults: [At("10s", for: "10s", Loss(from: "psp", to: "api", rate: 0.2))],
    invariants: [ExactlyOnce("charge")],
)"#;

fn main() -> Result<(), Error> {
    let shop = Scenario::text("shop.ron", SHOP).seed(7);

    let safe = shop.run()?;
    assert_eq!(safe.verdict, Verdict::Kept);
    assert_eq!(safe.effect("charge").map(|charge| charge.duplicated), Some(0));
    assert!(safe.call("api", "psp").is_some_and(|call| call.unknown > 0), "answers were lost");

    let naive = shop.set("actors.api.endpoints.pay[0].design", "naive").run()?;
    let broken = naive.invariant(r#"ExactlyOnce("charge")"#).expect("the scenario has it");
    assert_eq!(broken.verdict, InvariantVerdict::Violated);
    let first = broken.first.as_ref().expect("a broken promise has a witness");
    println!("{}: {}", first.at, first.witness);
    Ok(())
}
