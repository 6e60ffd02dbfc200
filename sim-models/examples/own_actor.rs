//! A payment provider written in Rust: it asks a risk service, and then charges the card. Its
//! charges are effects that invariants see, and it suffers the faults that a service does.

use sim_models::prelude::*;

/// How many payments it has put off since it started; a crash makes it forget.
#[derive(Debug, Default)]
struct Provider(i64);

impl CustomActor for Provider {
    fn effects(&self) -> Vec<&str> {
        vec!["charge"]
    }

    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.call("risk", 0, ask);
    }

    fn on_answer(&mut self, risk: Answer, desk: &mut Desk<'_>) {
        let ask = risk.ask;
        if risk.fate == Fate::Succeeded {
            let id = desk.effect(Effect { once: ask.key, ..Effect::of("charge") }, &ask);
            desk.answer(ask.ticket, 201, id.unwrap_or_default(), Span::millis(30));
        } else {
            self.0 += 1;
            desk.answer(ask.ticket, 503, Value::Int(self.0), Span::ZERO);
        }
    }
}

const SHOP: &str = r#"Scenario(
    name: "own provider", about: "Users pay a provider written in Rust.", horizon: "120s",
    actors: {
        "users": Client(load: Open(rate: "5/s", until: "60s"),
            does: [Call("psp.charge", policy: "patient")]),
        "psp": Custom("provider", calls: {"risk": Call("risk.check", policy: "hasty")}),
        "risk": Service(workers: 8, endpoints: { "check": [Work(Exponential("20ms"))] }),
    },
    policies: {
        "patient": [Retry(attempts: 9, backoff: Constant("2s")), Timeout("1s")],
        "hasty": [Retry(attempts: 2, backoff: Constant("10ms")), Timeout("200ms")],
    },
    faults: [
        At("10s", for: "5s", Loss(from: "psp", to: "users", rate: 0.5)),
        At("20s", for: "2s", Pause("psp")),
        At("30s", for: "2s", Crash("psp")),
        At("40s", for: "2s", Slow("risk", factor: 100.0)),
    ],
    invariants: [ExactlyOnce("charge")],
)"#;

fn main() -> Result<(), Error> {
    let kinds = Kinds::new().with("provider", |_config| Ok(Box::<Provider>::default()));
    let outcome = Scenario::text("own.ron", SHOP).kinds(kinds).run()?;
    assert_eq!(outcome.verdict, Verdict::Kept);
    assert!(outcome.effect("charge").is_some_and(|charge| charge.deduplicated > 0));
    Ok(())
}
