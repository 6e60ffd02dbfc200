//! `sim validate`: checks scenarios and all their variants without running them.

use std::path::{Path, PathBuf};

use sim_models::Scenario;
use sim_models::custom::Kinds;

use crate::changes::Changes;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::{ScenarioFile, warnings_of};
use crate::text::plain;
use crate::{console, words};

/// Check scenarios and all their variants without running them
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,

    #[command(flatten)]
    changes: Changes,
}

/// Checks each file, and shows all that is wrong with all of them.
///
/// # Errors
/// The mistakes of the last file that has some; those of earlier ones were shown by then.
pub fn validate(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let mut found = None;
    for path in &args.scenarios {
        match check(path, &args.changes, kinds) {
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
fn check(path: &Path, changes: &Changes, kinds: &Kinds) -> Result<Vec<Scenario>, Failure> {
    let file = ScenarioFile::read(path, kinds)?;
    if changes.variant.is_some() {
        return Ok(vec![file.load_changed(changes)?]);
    }
    Ok(file.load_all(&changes.set)?.into_iter().map(|(_, scenario)| scenario).collect())
}

fn line(path: &Path, scenario: &Scenario, changes: &Changes) -> String {
    let variants = match (&changes.variant, scenario.variants().len() as u64) {
        (Some(variant), _) => format!(", variant \"{variant}\""),
        (None, 0) => String::new(),
        (None, n) => format!(", {}", words::counted(n, "variant")),
    };
    plain(&format!("ok  {}: {}{variants}", path.display(), scenario.name())) + "\n"
}
