//! `sim validate`: checks scenarios and all their variants without running them.

use std::path::Path;

use sim_models::Scenario;
use sim_models::source::SourceError;

use crate::args::{Changes, ValidateArgs};
use crate::diagnostics::Failure;
use crate::file::ScenarioFile;
use crate::{Exit, console, report, words};

/// Checks each file, and shows all that is wrong with all of them.
///
/// # Errors
/// The mistakes of the last file that has some; those of earlier ones were shown by then.
pub fn validate(args: &ValidateArgs) -> Result<Exit, Failure> {
    let mut found = None;
    for path in &args.scenarios {
        match check(path, &args.changes) {
            Ok(scenario) => console::print(&line(path, &scenario, &args.changes))?,
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

/// Loads a scenario, and unless one was chosen, each of its variants.
fn check(path: &Path, changes: &Changes) -> Result<Scenario, Failure> {
    let file = ScenarioFile::read(path)?;
    let scenario = file.load(changes.variant.as_deref(), &changes.set)?;
    if changes.variant.is_some() {
        return Ok(scenario);
    }
    let mut mistakes: Vec<SourceError> = Vec::new();
    for variant in scenario.variants() {
        for error in file.load(Some(&variant), &changes.set).err().unwrap_or_default() {
            // A mistake in an override shows up in every variant.
            if !mistakes.contains(&error) {
                mistakes.push(error);
            }
        }
    }
    if mistakes.is_empty() { Ok(scenario) } else { Err(mistakes.into()) }
}

fn line(path: &Path, scenario: &Scenario, changes: &Changes) -> String {
    let variants = match (&changes.variant, scenario.variants().len() as u64) {
        (Some(variant), _) => format!(", variant \"{variant}\""),
        (None, 0) => String::new(),
        (None, n) => format!(", {}", words::counted(n, "variant")),
    };
    report::plain(&format!("ok  {}: {}{variants}", path.display(), scenario.name())) + "\n"
}
