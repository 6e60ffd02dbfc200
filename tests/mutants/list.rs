//! The list of defects.

use std::fs;

use serde::Deserialize;

use crate::root;

const LIST: &str = include_str!("mutants.ron");

/// A mistake that a person could make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defect {
    /// What the switch is called.
    pub name: String,
    /// Part of the product.
    pub area: String,
    /// What goes wrong.
    pub what: String,
    /// Where, from the workspace on.
    pub file: String,
    /// Text of the file that occurs once. What lies between `[[` and `]]` is an expression, or
    /// statements without a `let`.
    pub place: String,
    /// What stands there instead.
    pub defect: String,
    /// The package whose test finds it.
    pub package: String,
    /// That test.
    pub test: String,
}

/// All of them.
pub fn all() -> Vec<Defect> {
    ron::from_str(LIST).unwrap_or_else(|error| panic!("tests/mutants/mutants.ron: {error}"))
}

impl Defect {
    /// The text before what is replaced, what is replaced, and the text after it.
    pub fn parts(&self) -> [&str; 3] {
        let split = self.place.split_once("[[").and_then(|(before, rest)| {
            rest.split_once("]]").map(|(original, after)| [before, original, after])
        });
        split.unwrap_or_else(|| panic!("{}: the place has no [[ … ]]", self.name))
    }

    /// Why it cannot be planted, if it cannot.
    pub fn misplaced(&self) -> Option<String> {
        let Defect { name, file, .. } = self;
        let text = match fs::read_to_string(root().join(file)) {
            Ok(text) => text,
            Err(error) => return Some(format!("{name}: {file}: {error}")),
        };
        let wanted = self.parts().concat();
        let times = text.matches(&wanted).count();
        (times != 1).then(|| {
            format!(
                "{name}: the code has moved. {file} has this {times} times, not once; \
                 change `place` and `defect` in tests/mutants/mutants.ron:\n    {wanted}"
            )
        })
    }
}
