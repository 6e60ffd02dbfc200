//! What a page shows, as the query of its address: `variant=naive&seed=7&set=horizon%3D1m`.
//!
//! What is pinned beside it has the same parts behind a `b.`. A pinned choice of nothing but the file
//! as it stands is written `b.variant=`.

use std::fmt::{self, Display};
use std::path::Path;
use std::str::FromStr;

use form_urlencoded::{Serializer, parse};

use crate::changes::{Set, parse_set};
use crate::repeat::Repeat;

/// What each part of a pinned choice begins with.
const PINNED: &str = "b.";

/// More changes than that nobody makes by hand.
const SETS_MAX: usize = 200;

/// All that decides what a page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What is changed on the page.
    pub own: Choice,
    /// What it is compared with.
    pub pinned: Option<Choice>,
}

/// All that decides one run of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// A variant; by default the file as it stands.
    pub variant: Option<String>,
    /// The seed; by default the scenario's own.
    pub seed: Option<u64>,
    /// Values in place of those of the file, in the order in which they are set.
    pub set: Vec<Set>,
}

impl Choice {
    /// `sim run` of it.
    pub fn repeat(&self, scenario: &Path, seed: u64) -> Repeat {
        Repeat::run(scenario, self.variant.as_deref(), &self.set, seed)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "variant" => self.variant = Some(value.to_owned()).filter(|name| !name.is_empty()),
            "seed" => {
                let seed = value.parse();
                self.seed =
                    Some(seed.map_err(|_| format!("`{value}` is no seed; write 0 to 2^64-1"))?);
            }
            "set" if self.set.len() < SETS_MAX => self.set.push(parse_set(value)?),
            "set" => return Err(format!("a state changes at most {SETS_MAX} values")),
            _ => {
                return Err(format!(
                    "`{name}` is no part of a state; it has `variant`, `seed` and `set`, and what \
                     is pinned the same behind `{PINNED}`"
                ));
            }
        }
        Ok(())
    }

    fn write(&self, query: &mut Serializer<'_, String>, before: &str) {
        // Something must say that there is a choice.
        let is_bare = self.seed.is_none() && self.set.is_empty() && !before.is_empty();
        if let Some(variant) = self.variant.as_deref().or(is_bare.then_some("")) {
            query.append_pair(&format!("{before}variant"), variant);
        }
        if let Some(seed) = self.seed {
            query.append_pair(&format!("{before}seed"), &seed.to_string());
        }
        for (path, value) in &self.set {
            query.append_pair(&format!("{before}set"), &format!("{path}={value}"));
        }
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(query: &str) -> Result<State, String> {
        let mut state = State::default();
        for (name, value) in parse(query.as_bytes()) {
            match name.strip_prefix(PINNED) {
                Some(name) => state.pinned.get_or_insert_default().add(name, &value)?,
                None => state.own.add(&name, &value)?,
            }
        }
        Ok(state)
    }
}

impl Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = Serializer::new(String::new());
        self.own.write(&mut query, "");
        if let Some(pinned) = &self.pinned {
            pinned.write(&mut query, PINNED);
        }
        f.write_str(&query.finish())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choice() -> impl Strategy<Value = Choice> {
        let text = "[ -~äß日\n]{1,9}";
        let path = text.prop_map(|path: String| path.replace('=', "."));
        let variant = prop::option::of(text);
        let sets = prop::collection::vec((path, "\\PC{0,9}"), 0..4);
        let choice = |(variant, seed, set)| Choice { variant, seed, set };
        (variant, any::<Option<u64>>(), sets).prop_map(choice)
    }

    proptest! {
        #[test]
        fn an_address_says_all_of_a_state(own in choice(), pinned in prop::option::of(choice())) {
            let state = State { own, pinned };
            let query = state.to_string();
            prop_assert!(query.bytes().all(|byte| byte.is_ascii_graphic()), "{query}");
            prop_assert_eq!(query.parse::<State>(), Ok(state));
        }
    }

    #[test]
    fn an_address_reads_as_a_person_writes_it() {
        let state: State = "variant=no+breaker&seed=7&set=a.b=c=d&b.variant=".parse().unwrap();
        assert_eq!(state.own.variant.as_deref(), Some("no breaker"));
        assert_eq!(state.own.set, [("a.b".to_owned(), "c=d".to_owned())]);
        assert_eq!(state.pinned, Some(Choice::default()));
        let line = state.own.repeat(Path::new("x.ron"), 7).to_string();
        assert_eq!(line, "sim run x.ron --variant 'no breaker' --set 'a.b=c=d' --seed 7");
    }

    #[test]
    fn what_is_no_state_is_told() {
        for (query, wanted) in [
            ("seed=x", "no seed"),
            ("seed=-1", "no seed"),
            ("set=a", "write a path"),
            ("set==3", "no path"),
            ("sed=1", "`sed` is no part"),
            ("b.b.seed=1", "`b.seed` is no part"),
        ] {
            let told = query.parse::<State>().unwrap_err();
            assert!(told.contains(wanted), "{query}: {told}");
        }
        assert!("set=a=1&".repeat(SETS_MAX + 1).parse::<State>().is_err());
    }
}
