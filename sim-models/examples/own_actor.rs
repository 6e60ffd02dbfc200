//! A payment provider written in Rust: it declines every tenth card.

use sim_models::prelude::*;

/// How many requests it has answered.
#[derive(Debug, Default)]
struct Provider(u64);

impl CustomActor for Provider {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        self.0 += 1;
        let status = if self.0.is_multiple_of(10) { 402 } else { 201 };
        desk.answer(ask.ticket, status, ask.body, Span::millis(30));
    }
}

const SHOP: &str = r#"Scenario(
    name: "own provider", about: "Users pay a provider written in Rust.", horizon: "60s",
    actors: {
        "users": Client(load: Open(rate: "5/s", until: "40s"), does: [Call("psp.charge")]),
        "psp": Custom("provider"),
    },
    invariants: [AllAnswered],
)"#;

fn main() -> Result<(), Error> {
    let kinds = Kinds::new().with("provider", |_config| Ok(Box::new(Provider::default())));
    let outcome = Scenario::text("own.ron", SHOP).kinds(kinds).run()?;
    assert_eq!(outcome.verdict, Verdict::Kept);
    let provider = outcome.actor("psp").expect("the scenario has it");
    assert_eq!(provider.kind, ActorKind::Custom("provider".to_owned()));
    Ok(())
}
