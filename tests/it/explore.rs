//! What exploration finds of the library of failure modes, when nobody tells it which fault to look
//! for; the counterexamples that are kept; and a short search of every shipped scenario.
//!
//! `docs/EXPLORE.md` holds the tables of `sim explore --matrix`, whose searches take long. The rows
//! are repeated here with one seed.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use sim_models::Scenario;
use sim_models::explore::{Finding, Mechanism, explore};
use sim_models::figure::Counter;
use sim_models::outcome::Verdict;

use crate::support::{self, broken, root, same_as_written, scenarios_in};

const PAGE: &str = "docs/EXPLORE.md";

/// The runs of a search for a mode.
const BUDGET: u64 = 500;

/// What a short search of each shipped scenario breaks, and why that may be.
const EXPLORED: &str = "tests/golden/explored.txt";

/// The place of a reason that somebody has to write.
const UNEXPLAINED: &str = "WHY?";

/// Such a search takes so many steps together, in so many runs. A scenario whose runs are longer is
/// left out.
const STEPS_OF_SHIPPED: u64 = 2_000_000;
const BUDGET_OF_SHIPPED: RangeInclusive<u64> = 12..=100;

/// The failure modes and controls by number, with their files.
pub fn modes() -> impl Iterator<Item = (String, PathBuf)> {
    let name = |path: &Path| {
        let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
        stem.split('-').take(2).collect::<Vec<_>>().join("-")
    };
    scenarios_in("scenarios/failure-modes").into_iter().map(move |path| (name(&path), path))
}

fn stripped(file: &Path, variant: Option<&str>) -> Scenario {
    let draft = Scenario::file(file).expect("it is shipped").set("faults", "[]");
    let draft = variant.into_iter().fold(draft, |draft, variant| draft.variant(variant));
    draft.load().expect("it loads without its faults")
}

fn page() -> String {
    fs::read_to_string(root().join(PAGE)).expect("the page")
}

#[test]
fn each_mode_that_the_page_says_is_found_is_found_by_its_own_mechanism() {
    let (page, mut wrong) = (page(), Vec::new());
    for (name, file) in modes().filter(|(name, _)| name.starts_with("FM")) {
        let bad = Scenario::file(&file).expect("it is shipped").load().expect("it loads");
        let mechanism = Mechanism::of(&bad);
        let stripped = stripped(&file, None);
        let search = explore(&stripped).budget(BUDGET).seed(1).until_found(&mechanism);
        let report = search.run().expect("it promises something");
        let row = match report.findings.first() {
            Some(finding) => {
                let promise = &finding.broken[0];
                assert!(mechanism.promises().any(|own| own == promise), "{name}: {finding:?}");
                assert!(finding.faults.len() <= 3, "{name}: {finding:?}");
                assert!(intents_of(finding) <= 2, "{name}: {finding:?}");
                let phase = finding.phase.name().replace('_', " ");
                format!("| `{name}` | `{promise}` | {phase} |")
            }
            None => format!("| `{name}` | – | – |"),
        };
        if !page.contains(&row) {
            wrong.push(row);
        }
    }
    assert!(wrong.is_empty(), "{PAGE} says otherwise; make its tables anew: {wrong:#?}");
}

/// How many intents arise in the scenario of a finding.
fn intents_of(finding: &Finding) -> u64 {
    let text = finding.scenario.as_ref().expect("it has a scenario");
    let scenario = Scenario::text("found.ron", text.as_str()).load().expect("it is one");
    let outcome = scenario.run(scenario.seed());
    outcome.actors.iter().filter_map(|actor| actor.counter(Counter::Intents)).sum()
}

/// Every scenario that is shipped, as it stands; the designs are searched in `sound_designs`.
fn shipped() -> impl Iterator<Item = (String, Scenario)> {
    let folders = ["", "/incidents", "/published", "/regressions"];
    let files = folders.into_iter().flat_map(|folder| scenarios_in(&format!("scenarios{folder}")));
    files.map(|file| {
        let scenario = Scenario::file(&file).expect("it is shipped").load().expect("it loads");
        let name = file.strip_prefix(root()).expect("it is of the project");
        (name.display().to_string(), scenario)
    })
}

/// The table says of each shipped scenario which promises a short search breaks, and why that may
/// be. What is not in it must hold: a design that is said to be right is right, and a change of the
/// models breaks nothing unseen. What stands in it must be found: a search that has lost its sight
/// finds nothing.
#[test]
fn a_short_search_of_every_shipped_scenario_breaks_what_may_break_and_nothing_else() {
    let written = fs::read_to_string(root().join(EXPLORED)).unwrap_or_default();
    let reason = |known: &str| written.lines().find_map(|line| line.strip_prefix(known));
    let mut table = String::new();
    for (name, scenario) in shipped() {
        let steps = scenario.run(scenario.seed()).steps.max(1);
        let budget = (STEPS_OF_SHIPPED / steps).min(*BUDGET_OF_SHIPPED.end());
        if !BUDGET_OF_SHIPPED.contains(&budget) {
            continue;
        }
        let Ok(report) = explore(&scenario).budget(budget).untold().run() else { continue };
        assert_eq!(report.runs, budget, "{name}");
        for finding in &report.findings {
            // A run with these faults alone says the same.
            if let Ok(struck) = scenario.with_faults(&finding.all_faults()) {
                let verdict = struck.run(finding.seed).verdict;
                assert_ne!(verdict, Verdict::Kept, "{name}: {finding:?}");
            }
        }
        let broken: BTreeSet<&String> = report.findings.iter().flat_map(|f| &f.broken).collect();
        for promise in broken {
            let known = format!("{name} | {promise} | ");
            let reason = reason(&known).unwrap_or(UNEXPLAINED);
            table.push_str(&format!("{known}{reason}\n"));
        }
    }
    same_as_written(EXPLORED, &table);
    assert!(!table.contains(UNEXPLAINED), "{EXPLORED}: say why each promise may break");
}

/// A counterexample that somebody kept breaks what it says, in the same run, until it is mended; then
/// its `breaks` is emptied.
#[test]
fn kept_counterexamples_break_what_they_say() {
    for file in scenarios_in("scenarios/regressions") {
        let text = fs::read_to_string(&file).expect("a scenario");
        let name = file.display();
        let outcome = support::run(&support::load(&text, None, &[]));
        let known = outcome.invariants.iter().filter(|invariant| invariant.known);
        let known: Vec<&str> = known.map(|invariant| invariant.name.as_str()).collect();
        assert_eq!(broken(&outcome), known, "{name}");
        let pinned = text.lines().find_map(|line| line.strip_prefix("// digest "));
        let digest = format!("{:016x}", outcome.digest);
        assert_eq!(pinned, Some(digest.as_str()), "{name}: its first line is `// digest {digest}`");
    }
}
