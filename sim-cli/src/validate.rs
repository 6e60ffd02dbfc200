//! `sim validate`: checks scenarios and all their variants without running them.

use std::path::Path;

use sim_models::Scenario;
use sim_models::source::SourceError;

use crate::args::{Changes, ValidateArgs};
use crate::diagnostics::Failure;
use crate::file::{ScenarioFile, warnings_of};
use crate::{Exit, console, report, words};

/// Checks each file, and shows all that is wrong with all of them.
///
/// # Errors
/// The mistakes of the last file that has some; those of earlier ones were shown by then.
pub fn validate(args: &ValidateArgs) -> Result<Exit, Failure> {
    let mut found = None;
    for path in &args.scenarios {
        match check(path, &args.changes) {
            Ok(scenarios) => {
                console::warn(&warnings_of(scenarios.iter()));
                console::print(&line(path, &scenarios[0], &args.changes))?;
            }
            Err(failure) => {
                if let Some(earlier) = found.replace(failure) {
                    console::complain(&earlier);
                    console::note("");
                }
            }
        }
    }
    found.map_or(Ok(Exit::Kept), Err)
}

/// Loads a scenario, and unless one was chosen, each of its variants after it.
fn check(path: &Path, changes: &Changes) -> Result<Vec<Scenario>, Failure> {
    let file = ScenarioFile::read(path)?;
    let scenario = file.load(changes.variant.as_deref(), &changes.set)?;
    if changes.variant.is_some() {
        return Ok(vec![scenario]);
    }
    let names = scenario.variants();
    let mut scenarios = vec![scenario];
    let mut mistakes: Vec<SourceError> = Vec::new();
    for name in names {
        match file.load(Some(&name), &changes.set) {
            Ok(variant) => scenarios.push(variant),
            Err(errors) => {
                for error in errors {
                    // A mistake in an override shows up in every variant.
                    if !mistakes.contains(&error) {
                        mistakes.push(error);
                    }
                }
            }
        }
    }
    if mistakes.is_empty() { Ok(scenarios) } else { Err(mistakes.into()) }
}

fn line(path: &Path, scenario: &Scenario, changes: &Changes) -> String {
    let variants = match (&changes.variant, scenario.variants().len() as u64) {
        (Some(variant), _) => format!(", variant \"{variant}\""),
        (None, 0) => String::new(),
        (None, n) => format!(", {}", words::counted(n, "variant")),
    };
    report::plain(&format!("ok  {}: {}{variants}", path.display(), scenario.name())) + "\n"
}
