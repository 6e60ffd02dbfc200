//! Small worlds for tests: a text in, an outcome out.

use sim_models::Scenario;
use sim_models::outcome::Outcome;

/// Reads a scenario that must be right.
pub fn load(text: &str) -> Scenario {
    Scenario::load("test.ron", text).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", errors.join("\n"))
    })
}

/// Runs a scenario that must be right, with its own seed.
pub fn run(text: &str) -> Outcome {
    let scenario = load(text);
    scenario.run(scenario.seed())
}
