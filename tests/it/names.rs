//! A name may be written in any script: the shipped scenarios say the same when each name that its
//! author chose has letters of more than one byte.

use std::collections::BTreeSet;
use std::fs;

use sim_models::Scenario;
use sim_models::language::{Word, words};
use sim_models::outcome::{InvariantResult, Outcome};

use crate::support::{load, root, run, scenarios_in};

/// Names that mean something to the language or to a built-in design.
const GIVEN: [&str; 8] = ["redis", "db", "result", "error", "locked", "worked", "scope", "wanted"];

/// Whether a word of the language, or a built-in design, has this name.
fn is_taken(name: &str) -> bool {
    let is_argument = |word: &Word| word.arguments.iter().any(|argument| argument.name == name);
    GIVEN.contains(&name)
        || words().iter().any(|word| word.name == name || is_argument(word))
        || root().join(format!("scenarios/designs/{name}.ron")).exists()
}

/// The names that an author chose: keys of maps, such as actors, endpoints and policies, and what is
/// between `before` and the next quote, such as labels and kinds of effects.
fn names(text: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for before in ["Label(\"", "Effect(\""] {
        let found = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
        names.extend(found.map(str::to_owned));
    }
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let after = &rest[at + 1..];
        let Some(end) = after.find('"') else { break };
        let (name, tail) = (&after[..end], &after[end + 1..]);
        if tail.trim_start().starts_with(':') {
            names.insert(name.to_owned());
        }
        rest = tail;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    names.retain(|name| !name.is_empty() && name.chars().all(is_part) && !is_taken(name));
    names
}

/// The text with each name renamed, wherever it stands as a whole word in a text in quotes.
fn renamed(text: &str, names: &BTreeSet<String>) -> String {
    let mut longest: Vec<&String> = names.iter().collect();
    longest.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut new = String::new();
    let (mut rest, mut is_quoted, mut before) = (text, false, ' ');
    while let Some(c) = rest.chars().next() {
        let is_escaped = before == '\\';
        if c == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        let found = longest.iter().find(|name| {
            let after = rest.strip_prefix(name.as_str());
            after.is_some_and(|after| !after.starts_with(is_part))
        });
        match found.filter(|_| is_quoted && !is_part(before)) {
            Some(name) => {
                new += &format!("{name}é日");
                rest = &rest[name.len()..];
                before = '日';
            }
            None => {
                new.push(c);
                rest = &rest[c.len_utf8()..];
                before = c;
            }
        }
    }
    new
}

/// What a run says, without names.
fn verdicts(outcome: &Outcome) -> Vec<String> {
    let told = |invariant: &InvariantResult| format!("{} {:?}", invariant.name, invariant.verdict);
    let invariants = outcome.invariants.iter().map(told).map(|told| told.replace("é日", ""));
    std::iter::once(outcome.verdict.to_string()).chain(invariants).collect()
}

fn agree(folder: &str) {
    let mut faults = Vec::new();
    for file in scenarios_in(folder) {
        let text = fs::read_to_string(&file).expect("a scenario");
        let base = load(&text, None, &[]);
        let names = names(&text);
        assert!(names.len() >= 2, "{names:?}");
        let (name, new) = (file.display(), renamed(&text, &names));
        let draft =
            Scenario::text("renamed.ron", new.as_str()).beside(file.parent().expect("in one"));
        let scenario = match draft.load() {
            Ok(scenario) => scenario,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        let (old, new) = (verdicts(&run(&base)), verdicts(&run(&scenario)));
        if old != new {
            faults.push(format!("{name}: {old:?}, and renamed {new:?}"));
        }
        for variant in scenario.variants() {
            if let Err(error) = draft.clone().variant(&variant).load() {
                faults.push(format!("{name}, {variant}: {error}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_name_in_any_script_changes_no_verdict() {
    agree("scenarios");
}

#[test]
fn a_name_in_any_script_changes_no_failure_mode() {
    agree("scenarios/failure-modes");
}
