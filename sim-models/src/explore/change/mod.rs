//! Changes of a scenario: what a person would edit in its file, as data.
//!
//! A [`Change`] is a variant that nobody has written yet: paths, and what stands there afterwards.
//! `"actors.api.endpoints.pay[0].design": "safe"` is one. So `sim run --set` and `variants` take it
//! as it is, and a mistake in it is shown as any other.
//!
//! [`fixes`] are changes that may prevent what was found. [`mutants`] weaken a design by one step each. Exploration shows which of the steps a promise
//! rests on.

mod fixes;
mod mutants;

use crate::Scenario;
use crate::designs;
use crate::error::Error;
use crate::language::shorthand;
use crate::source::{Tree, path_key};

pub use fixes::fixes;
pub use mutants::mutants;

/// A change of a scenario: what stands at some paths of its document afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is done, in words.
    pub name: String,
    /// Paths and their new values, in the order in which they are set.
    pub sets: Vec<(String, String)>,
}

impl Change {
    fn new(name: impl Into<String>) -> Change {
        Change { name: name.into(), sets: Vec::new() }
    }

    fn set(mut self, path: impl Into<String>, value: &Tree) -> Change {
        self.sets.push((path.into(), value.line(shorthand())));
        self
    }

    /// Whether both set the same place, or one a part of what the other sets.
    pub(super) fn meets(&self, other: &Change) -> bool {
        let is_within = |a: &str, b: &str| {
            a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let meets = |(a, b): (&str, &str)| is_within(a, b) || is_within(b, a);
        let pairs =
            self.sets.iter().flat_map(|(a, _)| other.sets.iter().map(move |(b, _)| (&**a, &**b)));
        pairs.into_iter().any(meets)
    }

    /// The scenario with the change.
    ///
    /// # Errors
    /// What is wrong with it then: the change does not apply.
    pub fn apply(&self, scenario: &Scenario) -> Result<Scenario, Error> {
        let sets = self.sets.iter().map(|(path, value)| (path.as_str(), value.as_str()));
        scenario.with(&self.name, sets)
    }
}

/// A scenario in which each built-in design that it uses stands as one of its own, so that its steps
/// can be changed.
///
/// # Errors
/// None that a scenario which was loaded is known to have.
pub fn with_own_designs(scenario: &Scenario) -> Result<Scenario, Error> {
    let mut tree = scenario.document().tree();
    let mut own = tree.child("designs").cloned().unwrap_or_else(|| read("{}"));
    for name in designs_used(&tree) {
        if let Some(text) = designs::text(&name).filter(|_| own.get(&name).is_none()) {
            own.set_entry(&name, named(text));
        }
    }
    Change::new("designs").set("designs", &own).apply(scenario)
}

/// The names of the designs that a document uses, each once.
fn designs_used(tree: &Tree) -> Vec<String> {
    let mut used = Vec::new();
    for (_, step) in tree.places("").iter().filter(|(path, _)| !path.starts_with("variants")) {
        let name = step.get("design").filter(|_| step.head() == "Idempotent");
        if let Some(name) = name.map(|name| name.head().trim_matches('"').to_owned())
            && !used.contains(&name)
        {
            used.push(name);
        }
    }
    used
}

/// A value that we wrote.
fn read(text: &str) -> Tree {
    Tree::read(text).expect("it is RON")
}

/// A text that is shipped, with all arguments named.
fn named(text: &str) -> Tree {
    let document = crate::source::Document::parse("", text, shorthand());
    document.expect("it is shipped").tree()
}

/// `designs."a name"`.
fn design_path(name: &str) -> String {
    format!("designs.{}", path_key(name))
}
