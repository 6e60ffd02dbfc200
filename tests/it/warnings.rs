//! What the shipped scenarios are warned of: nothing without a reason.
//!
//! `golden/warnings.txt` lists it. A line there was read by somebody: the scenario, or its variant,
//! is there to show what the warning says, or lives with it on purpose.

use std::fs;

use sim_models::Scenario;

use crate::support::{root, same_as_written, scenarios_in};

const GOLDEN: &str = "tests/golden/warnings.txt";

const FOLDERS: [&str; 4] =
    ["scenarios", "scenarios/failure-modes", "scenarios/incidents", "scenarios/published"];

/// Every shipped scenario in every variant, with its name.
fn shipped() -> Vec<(String, Scenario)> {
    let mut scenarios = Vec::new();
    for folder in FOLDERS {
        for file in scenarios_in(folder) {
            let path = file.strip_prefix(root()).expect("within").display().to_string();
            let draft = Scenario::file(&file).expect("a file");
            let base = draft.load().unwrap_or_else(|error| panic!("{error}"));
            let variants = base.variants();
            scenarios.push((path.clone(), base));
            for variant in variants {
                let scenario = draft.clone().variant(&variant).load();
                let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
                scenarios.push((format!("{path}, {variant}"), scenario));
            }
        }
    }
    scenarios
}

#[test]
fn the_shipped_scenarios_are_warned_of_what_was_read() {
    let mut table = String::new();
    for (name, scenario) in shipped() {
        for warning in scenario.warnings() {
            table += &format!("{name}: {}\n", warning.message);
        }
    }
    same_as_written(GOLDEN, &table);
}

#[test]
fn the_scenario_that_a_warning_names_is_shipped() {
    let folder = root().join("sim-models/src/compile/lint");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the lints") {
        let source = fs::read_to_string(entry.expect("an entry").path()).expect("a source");
        let named = source.split("shown_by(\"").skip(1).map(|rest| rest.split('"').next());
        for name in named.flatten() {
            count += 1;
            let file = root().join(format!("scenarios/{name}.ron"));
            assert!(file.exists(), "{name} is not among the scenarios");
        }
    }
    assert!(count >= 5, "{count} are too few");
}
