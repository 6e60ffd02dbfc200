//! Designs that lack one thing: a step left out, two steps in the wrong order, a weaker command.

use super::{Change, design_path, designs_used, read};
use crate::Scenario;
use crate::language::shorthand;
use crate::source::Tree;

/// A step's text is shown up to so many characters.
const SHOWN_MAX: usize = 72;

/// Steps that protect nothing: what takes time, what marks a place, what is being protected.
const DEEDS: [&str; 6] = ["Work", "Sleep", "Label", "Body", "Idempotent", "Phase"];

const STEPS: [&str; 26] = [
    "Work",
    "Sleep",
    "Call",
    "Kv",
    "Let",
    "Add",
    "If",
    "Match",
    "Loop",
    "Break",
    "Try",
    "Raise",
    "Compensate",
    "Parallel",
    "Spawn",
    "OnBehalfOf",
    "Cached",
    "Publish",
    "Effect",
    "Respond",
    "Fail",
    "Refunded",
    "Label",
    "Body",
    "Idempotent",
    "Phase",
];

/// The designs that a scenario uses and the programs of its services, each with one thing taken away;
/// what `other` has word for word is left alone. Built-in designs have their steps in the scenario
/// after [`super::with_own_designs`].
///
/// A change that the language refuses is among them: [`Change::apply`] tells.
pub fn mutants(scenario: &Scenario, other: &Scenario) -> Vec<Change> {
    let (tree, other) = (scenario.document().tree(), other.document().tree());
    let known = programs(&other);
    let mut found = Vec::new();
    for (root, program) in programs(&tree) {
        if known.iter().any(|(path, same)| *path == root && *same == program) {
            continue;
        }
        for (path, part) in program.places(&root) {
            of_value(&path, part, &mut found);
        }
    }
    found
}

/// The designs that a document uses, and the programs of its services, with their paths.
fn programs(tree: &Tree) -> Vec<(String, &Tree)> {
    let used: Vec<String> = designs_used(tree).into_iter().map(|name| design_path(&name)).collect();
    let is_program = |path: &str, part: &Tree| match part.head() {
        "Design" => used.iter().any(|used| used == path),
        "Job" => path.starts_with("actors."),
        _ => {
            let (above, last) = path.rsplit_once('.').unwrap_or_default();
            path.starts_with("actors.") && above.ends_with(".endpoints") && !last.ends_with(']')
        }
    };
    let places = tree.places("").into_iter();
    places.filter(|(path, part)| is_program(path, part)).collect()
}

/// The mutants of one value, but not of those in it.
fn of_value(path: &str, part: &Tree, found: &mut Vec<Change>) {
    let mut add = |what: &str, step: &Tree, value: &Tree| {
        found.push(Change::new(format!("{what}: {}", shown(step))).set(path, value));
    };
    if part.is_list() && part.items().iter().all(|step| STEPS.contains(&step.head())) {
        of_steps(part, &mut add);
    }
    match part.head() {
        "All" | "Any" => {
            let Some(conditions) = part.items().first().filter(|list| list.items().len() > 1)
            else {
                return;
            };
            for n in 0..conditions.items().len() {
                let mut less = part.clone();
                let dropped = less.items_mut()[0].items_mut().remove(n);
                add("condition left out", &dropped, &less);
            }
        }
        "Transaction" => {
            let commands = &part.items()[0];
            for n in (0..commands.items().len()).filter(|_| commands.items().len() > 1) {
                let mut less = part.clone();
                let dropped = less.items_mut()[0].items_mut().remove(n);
                add("left out of its transaction", &dropped, &less);
            }
        }
        "Set" => {
            if part.get("nx").is_some_and(|nx| nx.head() == "true") {
                add("NX taken away", part, &with(part, "nx", "false"));
            }
            for field in ["ex", "px"].into_iter().filter(|field| part.get(field).is_some()) {
                add("expires after a second", part, &with(part, field, "\"1s\""));
            }
        }
        "CompareAndDelete" | "CompareAndExpire" | "CompareAndSet" => {
            let key = part.get("key").map(|key| key.head().to_owned()).unwrap_or_default();
            let of = |field: &str| part.get(field).map(|v| v.line(shorthand())).unwrap_or_default();
            let blind = match part.head() {
                "CompareAndDelete" => format!("Del({key})"),
                "CompareAndExpire" => format!("Expire(key: {key}, after: {})", of("px")),
                _ => format!("Set(key: {key}, value: {})", of("value")),
            };
            add("without comparing", part, &read(&blind));
        }
        "HSetNx" => {
            let blind = part.line(&[]).replacen("HSetNx", "HSet", 1);
            add("NX taken away", part, &read(&blind));
        }
        "Call" | "Publish" if part.get("key").is_some_and(|key| key.head() != "None") => {
            add("key not passed", part, &with(part, "key", "None"));
        }
        "Loop" => add("once, not again", part, &with(part, "times", "1")),
        "Effect" => {
            if part.get("once").is_some_and(|once| once.head() != "None") {
                add("done each time it is asked", part, &with(part, "once", "None"));
            }
            if part.get("fenced").is_some_and(|fenced| fenced.head() == "true") {
                add("old tokens accepted", part, &with(part, "fenced", "false"));
            }
        }
        "Try" => {
            if part.get("finally").is_some() {
                add("`finally` left out", part, &with(part, "finally", "[]"));
            }
            if let Some(catch) = part.get("catch") {
                if !catch.items().is_empty() {
                    add("error swallowed", part, &with(part, "catch", "[]"));
                }
                let mut less = part.clone();
                less.remove("catch");
                add("error not handled", part, &less);
            }
        }
        "Design" => {
            let Some(params) = part.get("params") else { return };
            for (name, weak, what) in [
                ("scope", "\"\"", "keys of all tenants in one place"),
                ("provider_key", "None", "no key for the provider"),
                ("provider_key", "\"{execution}\"", "another key for each execution"),
                ("canonical", "\"\"", "requests not compared"),
                ("missing", "\"pass\"", "done without a key"),
                ("release", "\"delete\"", "whoever's lock it is"),
            ] {
                if params.get(name).is_some_and(|own| own.head() != weak) {
                    let mut weaker = part.clone();
                    if let Some(params) = weaker.child("params") {
                        params.set(name, read(weak));
                    }
                    add(what, &read(&format!("{name:?}")), &weaker);
                }
            }
        }
        _ => {}
    }
}

/// The mutants of a list of steps.
fn of_steps(list: &Tree, add: &mut impl FnMut(&str, &Tree, &Tree)) {
    let steps = list.items();
    for (n, step) in steps.iter().enumerate() {
        let is_end = n + 1 == steps.len() && matches!(step.head(), "Respond" | "Effect");
        if !DEEDS.contains(&step.head()) && step.head() != "Try" && !is_end {
            let mut less = list.clone();
            less.items_mut().remove(n);
            add("left out", step, &less);
        }
        let Some(next) = steps.get(n + 1) else { continue };
        // What a step works out is needed by the next: that is no order to get wrong.
        let passive =
            |step: &Tree| matches!(step.head(), "Label" | "Work" | "Sleep" | "Let" | "Add");
        if !passive(step) && !passive(next) {
            let mut swapped = list.clone();
            swapped.items_mut().swap(n, n + 1);
            add("after the step that follows it", step, &swapped);
        }
    }
}

fn with(part: &Tree, field: &str, value: &str) -> Tree {
    let mut changed = part.clone();
    changed.set(field, read(value));
    changed
}

/// The beginning of a step's text.
fn shown(step: &Tree) -> String {
    let line = step.line(shorthand());
    match line.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
