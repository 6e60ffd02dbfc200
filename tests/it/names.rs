//! A name may be written in any script: the shipped scenarios say the same when each name that its
//! author chose has letters of more than one byte.

use std::collections::BTreeSet;
use std::fs;

use sim_models::language::{Word, words};
use sim_models::outcome::{InvariantResult, Outcome};
use sim_models::{Draft, Scenario};

use crate::support::{broken, root, run, scenarios_in};

/// Names that mean something to the language or to a built-in design.
const GIVEN: [&str; 9] =
    ["redis", "db", "result", "error", "locked", "worked", "scope", "wanted", "non_idempotent"];

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

/// How much of a run is compared.
#[derive(Clone, Copy, PartialEq)]
enum Run {
    Whole,
    /// A tenth of its time, where its faults allow that.
    Short,
    /// The whole, and what it breaks is what its `breaks` say: the run with the old names is spared.
    AsListed,
}

/// Luck is addressed by names, and other luck may end otherwise where a promise is kept or broken by a
/// hair. So what differs with one seed must agree with some of so many.
const SEEDS: u64 = 5;

/// Each file of a folder says the same in all its variants.
fn agree(folder: &str, how: Run) {
    let mut faults = Vec::new();
    for file in scenarios_in(folder) {
        let text = fs::read_to_string(&file).expect("a scenario");
        let names = names(&text);
        assert!(names.len() >= 2, "{names:?}");
        let draft = |path: &str, text: &str| {
            Scenario::text(path, text).beside(file.parent().expect("in one"))
        };
        let (old, new) = (draft("old.ron", &text), draft("new.ron", &renamed(&text, &names)));
        let variants = old.clone().load().expect("a scenario").variants();
        for variant in std::iter::once(None).chain(variants.into_iter().map(Some)) {
            let new_name = variant.as_ref().map(|variant| {
                let quoted = renamed(&format!("\"{variant}\""), &names);
                quoted.trim_matches('"').to_owned()
            });
            let at = || format!("{}, {}", file.display(), variant.as_deref().unwrap_or("base"));
            let scenario = match pick(&new, new_name.as_deref(), how) {
                Ok(scenario) => scenario,
                Err(error) => {
                    faults.push(format!("{}: {error}", at()));
                    continue;
                }
            };
            let says = |outcome: &Outcome| match how {
                Run::AsListed => {
                    broken(outcome).into_iter().map(str::to_owned).collect::<Vec<String>>()
                }
                Run::Whole | Run::Short => verdicts(outcome),
            };
            let outcome = run(&scenario);
            let found = says(&outcome);
            let base = pick(&old, variant.as_deref(), how).expect("a variant");
            let expected = match how {
                Run::AsListed => {
                    let known = outcome.invariants.iter().filter(|invariant| invariant.known);
                    known.map(|invariant| invariant.name.clone()).collect()
                }
                Run::Whole | Run::Short => says(&run(&base)),
            };
            if found == expected {
                continue;
            }
            let with_others = |scenario: &Scenario| -> Vec<Vec<String>> {
                let seeds = scenario.seed()..scenario.seed() + SEEDS;
                seeds.map(|seed| says(&scenario.run(seed))).collect()
            };
            let olds = with_others(&base);
            if !with_others(&scenario).iter().any(|new| olds.contains(new)) {
                faults.push(format!("{}: {expected:?}, and renamed {found:?}", at()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A file in one of its variants, as long as it is to be run.
fn pick(draft: &Draft, variant: Option<&str>, how: Run) -> Result<Scenario, sim_models::Error> {
    let draft = match variant {
        Some(variant) => draft.clone().variant(variant),
        None => draft.clone(),
    };
    let whole = draft.clone().load()?;
    let tenth = format!("\"{}ns\"", whole.horizon().as_nanos() / 10);
    let short = || draft.set("horizon", tenth).set("warmup", "\"0s\"").load();
    Ok(if how == Run::Short { short().unwrap_or(whole) } else { whole })
}

#[test]
fn a_name_in_any_script_changes_no_verdict() {
    agree("scenarios", Run::Whole);
}

#[test]
fn a_name_in_any_script_changes_no_failure_mode() {
    agree("scenarios/failure-modes", Run::Whole);
}

#[test]
fn a_name_in_any_script_changes_no_incident() {
    agree("scenarios/incidents", Run::AsListed);
}

#[test]
fn a_name_in_any_script_changes_no_published_result() {
    agree("scenarios/published", Run::Short);
}
