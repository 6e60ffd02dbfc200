//! A policy of one's own in a stack: after three failures in a row it lets nothing through for a
//! while. `cargo run -p sim-models --example own_policy`

use sim_models::prelude::*;

#[derive(Debug)]
struct CoolDown {
    rest: Span,
    failures: u32,
    until: Time,
}

impl CustomPolicy for CoolDown {
    fn enter(&mut self, _: Passage, desk: &mut PolicyDesk<'_>) -> Turn {
        if desk.now() < self.until { Turn::Refuses("cooling_down") } else { Turn::Inwards }
    }

    fn leave(&mut self, _: Passage, reply: Reply, desk: &mut PolicyDesk<'_>) -> Turn {
        self.failures = if reply.ending.is_success() { 0 } else { self.failures + 1 };
        if self.failures == 3 {
            self.failures = 0;
            self.until = desk.now() + self.rest;
        }
        Turn::Outwards
    }
}

const SCENARIO: &str = r#"Scenario(
    name: "cool_down", about: "The bank is down for ten seconds.", horizon: "30s",
    policies: { "bank": [Custom("cool_down", config: {"rest": "2s"}), Timeout("1s")] },
    actors: {
        "bank": Service(workers: 2, endpoints: { "charge": [Work(Const("20ms"))] }),
        "shoppers": Client(
            load: Open(rate: "10/s", arrivals: Constant),
            does: [Call("bank.charge", policy: "bank")],
        ),
    },
    faults: [At("10s", Outage(actor: "bank"), for: "10s")],
)"#;

fn main() -> Result<(), Error> {
    let kinds = Kinds::new().with_policy("cool_down", |config| {
        let rest = config.get("rest").ok_or("`rest` is missing")?;
        let rest = rest.parse().map_err(|_| format!("rest: {rest} is no duration"))?;
        Ok(Box::new(CoolDown { rest, failures: 0, until: Time::ZERO }))
    });
    let outcome = Scenario::text("cool_down.ron", SCENARIO).kinds(kinds).run()?;
    let call = outcome.call("shoppers", "bank").expect("they call it");
    println!("{} calls, {} attempts, {:?} refused", call.calls, call.attempts, call.rejected);
    assert!(call.rejected.iter().any(|(reason, n)| *reason == "cooling_down" && *n > 80));
    Ok(())
}
