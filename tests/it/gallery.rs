//! The gallery: each shipped scenario in each variant has a pinned verdict and digest.
//!
//! `golden/gallery.txt` lists them. The runs here have assertions and overflow checks; the
//! command line's proofs hold the release binary to the same pins. A change of digests is a change
//! of results, and its reason belongs in the changelog.

use std::fs;
use std::path::Path;

use sim_models::outcome::{InvariantVerdict, Outcome, Verdict};

use crate::support::{gallery, load, root, run, same_as_written};

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub file: String,
    pub variant: Option<String>,
    pub seed: u64,
    pub verdict: String,
    pub steps: u64,
    pub digest: String,
}

impl Pin {
    fn new(file: &Path, outcome: &Outcome) -> Pin {
        Pin {
            file: file.file_name().expect("a file").to_string_lossy().into_owned(),
            variant: outcome.variant.clone(),
            seed: outcome.run_id.seed,
            verdict: outcome.verdict.to_string(),
            steps: outcome.steps,
            digest: format!("{:016x}", outcome.digest),
        }
    }

    fn line(&self) -> String {
        let Pin { file, variant, seed, verdict, steps, digest } = self;
        let variant = variant.as_deref().unwrap_or("-");
        format!("{file} | {variant} | {seed} | {verdict} | {steps} | {digest}\n")
    }

    fn read(line: &str) -> Pin {
        let fields: Vec<&str> = line.split(" | ").collect();
        let [file, variant, seed, verdict, steps, digest] = fields[..] else {
            panic!("six fields: {line}")
        };
        Pin {
            file: file.to_owned(),
            variant: (variant != "-").then(|| variant.to_owned()),
            seed: seed.parse().expect("a seed"),
            verdict: verdict.to_owned(),
            steps: steps.parse().expect("a number of steps"),
            digest: digest.to_owned(),
        }
    }
}

const GOLDEN: &str = "tests/golden/gallery.txt";

/// What is pinned.
pub fn pins() -> Vec<Pin> {
    let table = fs::read_to_string(root().join(GOLDEN)).expect("the table of pins");
    table.lines().map(Pin::read).collect()
}

/// Every shipped scenario in every variant.
fn outcomes() -> Vec<(Pin, Outcome)> {
    let mut outcomes = Vec::new();
    for file in gallery() {
        let text = fs::read_to_string(&file).expect("a scenario");
        let variants = load(&text, None, &[]).variants();
        for variant in std::iter::once(None).chain(variants.iter().map(|v| Some(v.as_str()))) {
            let outcome = run(&load(&text, variant, &[]));
            outcomes.push((Pin::new(&file, &outcome), outcome));
        }
    }
    outcomes
}

#[test]
fn every_shipped_scenario_runs_as_pinned() {
    let outcomes = outcomes();
    let table: String = outcomes.iter().map(|(pin, _)| pin.line()).collect();
    same_as_written(GOLDEN, &table);
    for (pin, outcome) in &outcomes {
        let base = pin.variant.is_none();
        assert!(!base || outcome.verdict == Verdict::Kept, "a base run keeps all: {pin:?}");
        // An examination asks every question in every situation.
        let exam = pin.file == "exam.ron";
        for invariant in outcome.invariants.iter().filter(|_| !exam) {
            let vacuous = invariant.verdict == InvariantVerdict::Vacuous;
            assert!(!vacuous, "{} says nothing: {pin:?}", invariant.name);
        }
    }
}
