//! The parts of a scenario that a finding can be about, and where each of them was written.
//!
//! ```
//! use sim_models::Scenario;
//! use sim_models::anatomy::Anatomy;
//!
//! let text = r#"Scenario(
//!     name: "shop", about: "Users pay.", horizon: "1m",
//!     actors: {
//!         "users": Client(load: Burst(count: 1), does: [Call("psp.charge", policy: "again")]),
//!         "psp": Service(workers: 1, endpoints: { "charge": [Effect("charge")] }),
//!     },
//!     policies: { "again": [Retry(attempts: 2, backoff: Constant("1s"))] },
//!     invariants: [AtMostOnce("charge")],
//! )"#;
//! let anatomy = Anatomy::of(&Scenario::text("shop.ron", text).load()?);
//! assert_eq!(anatomy.invariants[0].spot.line, 8);
//! assert_eq!(anatomy.stacks[0].layers[0].path, "policies.again[0]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::Scenario;
use crate::plan::StackPlan;
use crate::source::{Spot, path_key};

/// What a scenario consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anatomy {
    /// Its promises, in its order, which is that of an outcome.
    pub invariants: Vec<Part>,
    /// Its faults, in its order. Several may have one name.
    pub faults: Vec<Part>,
    /// Its links, in its order, each called by its ends: `api->psp`.
    pub links: Vec<Part>,
    /// What stands between its actors, by caller and callee in the order in which they are used.
    pub stacks: Vec<Stack>,
    /// Who sends to whom: callers and callees, then the stores that copy to others.
    pub hops: Vec<(String, String)>,
}

/// A part, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How a run calls it: `psp: errors 100% (503)`.
    pub name: String,
    /// The path that leads to it: `faults[0]`.
    pub path: String,
    /// Where it was written.
    pub spot: Spot,
}

/// A stack of policies between a caller and a callee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The caller.
    pub from: String,
    /// The callee.
    pub to: String,
    /// The name of the stack in the scenario.
    pub policy: String,
    /// Its policies, outermost first; each is called by its word: `Retry`.
    pub layers: Vec<Part>,
}

impl Anatomy {
    /// Reads a scenario, with its variant and overrides applied.
    pub fn of(scenario: &Scenario) -> Anatomy {
        let plan = scenario.plan();
        let list = |path: &str, names: &mut dyn Iterator<Item = &String>| {
            let part = |(n, name): (usize, &String)| part(scenario, name, format!("{path}[{n}]"));
            names.enumerate().filter_map(part).collect()
        };
        Anatomy {
            invariants: list("invariants", &mut plan.invariants.iter().map(|own| &own.name)),
            faults: list("faults", &mut plan.faults.iter().map(|own| &own.label)),
            links: (0..).map_while(|n| link(scenario, n)).collect(),
            stacks: plan.stacks.iter().filter_map(|own| stack(scenario, own)).collect(),
            hops: scenario.hops().into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect(),
        }
    }
}

fn part(scenario: &Scenario, name: &str, path: String) -> Option<Part> {
    let spot = scenario.document().spot(&path)?;
    Some(Part { name: name.to_owned(), path, spot })
}

fn link(scenario: &Scenario, n: usize) -> Option<Part> {
    let end = |which: &str| {
        let text = scenario.document().text_of(&format!("links[{n}].{which}"))?;
        Some(text.trim_matches('"').to_owned())
    };
    part(scenario, &format!("{}->{}", end("from")?, end("to")?), format!("links[{n}]"))
}

/// A stack that has policies; a call without any has none.
fn stack(scenario: &Scenario, own: &StackPlan) -> Option<Stack> {
    let plan = scenario.plan();
    let (from, to) = (plan.actor_name(own.owner), plan.actor_name(own.to));
    let policy = own.name.strip_prefix(&format!("{from}->{to} "))?;
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        text[..end].to_owned()
    };
    let layer = |n: usize| {
        let layer = part(scenario, "", format!("policies.{}[{n}]", path_key(policy)))?;
        Some(Part { name: word(&layer.spot.text), ..layer })
    };
    let layers: Vec<Part> = (0..).map_while(layer).collect();
    let (from, to, policy) = (from.to_owned(), to.to_owned(), policy.to_owned());
    (!layers.is_empty()).then_some(Stack { from, to, policy, layers })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"Scenario(
    name: "shop", about: "", horizon: "1m",
    actors: {
        "users": Client(load: Burst(count: 1), does: [Call("psp.charge", policy: "again")]),
        "psp": Service(workers: 1, endpoints: { "charge": [Effect("charge")] }),
    },
    links: [Link(from: "users", to: "psp", latency: Const("1ms"))],
    policies: { "again": [
        Retry(attempts: 2, backoff: Constant("1s")),
        Timeout("2s"),
    ] },
    faults: [At("1s", for: "1s", Slow("psp", factor: 2)), At("5s", Crash("psp"))],
    invariants: [
        AtMostOnce("charge"),
        FailedImpliesNone("charge"),
    ],
    variants: { "hasty": {
        "policies.again": [Timeout("1s")],
    } },
)"#;

    #[test]
    fn each_part_knows_its_line_and_its_words() {
        let anatomy = Anatomy::of(&Scenario::text("shop.ron", TEXT).load().unwrap());
        let lines = |parts: &[Part]| parts.iter().map(|part| part.spot.line).collect::<Vec<_>>();
        assert_eq!(lines(&anatomy.invariants), [14, 15]);
        assert_eq!(lines(&anatomy.faults), [12, 12]);
        assert_eq!(lines(&anatomy.stacks[0].layers), [9, 10]);
        let links: Vec<&str> = anatomy.links.iter().map(|own| &own.name[..]).collect();
        assert_eq!((links, lines(&anatomy.links)), (vec!["users->psp"], vec![7]));
        assert_eq!(anatomy.stacks[0].layers[1].name, "Timeout");
        assert_eq!(anatomy.stacks[0].layers[1].spot.text, "Timeout(\"2s\")");
        assert_eq!(anatomy.invariants[0].name, "AtMostOnce(\"charge\")");
    }

    #[test]
    fn what_a_variant_or_an_override_says_is_found_where_it_is_said() {
        let draft = Scenario::text("shop.ron", TEXT).variant("hasty");
        let anatomy = Anatomy::of(&draft.set("faults[1].at", "7s").load().unwrap());
        assert_eq!(anatomy.stacks[0].layers[0].spot.line, 18);
        let draft = Scenario::text("shop.ron", TEXT).set("policies.again", "[Timeout(\"9s\")]");
        let anatomy = Anatomy::of(&draft.load().unwrap());
        assert_eq!(anatomy.stacks[0].layers[0].spot.label, "--set");
    }
}
