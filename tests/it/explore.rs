//! What exploration finds of the library of failure modes, when nobody tells it which fault to look
//! for; the counterexamples that are kept; and a short search of every shipped scenario.
//!
//! `docs/EXPLORE.md` holds the tables of `sim explore --matrix`, whose searches take long. The rows
//! are repeated here with one seed.

use std::fs;
use std::path::{Path, PathBuf};

use sim_models::Scenario;
use sim_models::explore::{Finding, Mechanism, Report, explore};
use sim_models::figure::Counter;
use sim_models::outcome::Verdict;

use crate::support::{self, broken, gallery, root, scenarios_in};

const PAGE: &str = "docs/EXPLORE.md";

/// The runs of a search for a mode.
const BUDGET: u64 = 500;

/// The runs of a search of a design that should break under nothing.
const BUDGET_OF_SOUND: u64 = 200;

/// The runs of a search of a shipped scenario.
const BUDGET_OF_SHIPPED: u64 = 24;

fn modes() -> impl Iterator<Item = (String, PathBuf)> {
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

#[test]
fn what_breaks_in_a_sound_design_is_on_the_page() {
    let (page, mut wrong) = (page(), Vec::new());
    for (name, file) in modes() {
        let base = Scenario::file(&file).expect("it is shipped").load().expect("it loads");
        let is_control = name.starts_with("CT");
        let variants = base.variants().into_iter().map(Some);
        let variants = variants.filter(|v| is_control || v.as_deref() == Some("corrected"));
        for variant in variants.chain(is_control.then_some(None)) {
            let named = variant.as_ref().map_or(name.clone(), |v| format!("{name}, {v}"));
            if !page.contains(&format!("| {named} |")) {
                continue;
            }
            let scenario = stripped(&file, variant.as_deref());
            let search = explore(&scenario).budget(BUDGET_OF_SOUND).seed(1).untold();
            let report = search.run().expect("it promises something");
            for finding in &report.findings {
                let row = format!("| {named} | `{}` |", finding.broken[0]);
                if !page.contains(&row) {
                    wrong.push(row);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{PAGE} does not say so; make its tables anew: {wrong:#?}");
}

/// A search that finds something ends with faults that break a promise: a run with them alone says
/// the same.
#[test]
fn a_short_search_of_every_shipped_scenario_finds_what_is_so() {
    for file in gallery() {
        let name = file.file_name().expect("a file").to_string_lossy().into_owned();
        let scenario = Scenario::file(&file).expect("it is shipped").load().expect("it loads");
        let search = explore(&scenario).budget(BUDGET_OF_SHIPPED).untold().run();
        let Ok(report) = search else { continue };
        let Report { findings, runs, .. } = report;
        assert!(runs <= BUDGET_OF_SHIPPED, "{name}");
        for finding in findings {
            let struck = scenario.with_faults(&finding.all_faults());
            let Ok(struck) = struck else { continue };
            let outcome = struck.run(finding.seed);
            assert_ne!(outcome.verdict, Verdict::Kept, "{name}: {finding:?}");
        }
    }
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
