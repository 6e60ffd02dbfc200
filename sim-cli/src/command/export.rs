//! `sim export`: a run for other programs.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use sim_models::account::Account;
use sim_models::custom::Kinds;

use crate::changes::Changes;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::export::{Format, What};
use crate::file::ScenarioFile;
use crate::{chart_file, console, output};

/// Write what a run found to files that other programs read
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each table is a file such as `series.csv`. Times are milliseconds of virtual time, and a column
names its unit. What is missing is empty in CSV and null elsewhere. `run` says how much bounds left out.
docs/EXPORT.md describes each table.

The exit code is 0 when the files are written, whatever the verdict.")]
pub struct Args {
    /// The scenario file
    scenario: PathBuf,

    #[command(flatten)]
    changes: Changes,

    /// The seed of the run, in place of the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// How the files are written
    #[arg(long, value_name = "FORMAT")]
    format: Format,

    /// Which tables, as in `series,violations`; all of them by default
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    what: Vec<What>,

    /// Where the files go, in place of a folder below `out` that is named after the run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the scenario and writes the files.
///
/// # Errors
/// A scenario that cannot be loaded, or a file that cannot be written.
pub fn export(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let scenario = file.load_changed(&args.changes)?;
    console::warn(scenario.warnings());
    let seed = args.seed.unwrap_or(scenario.seed());
    let account = scenario.account(seed);
    let Changes { variant, set } = &args.changes;
    let own = || chart_file::of_run(&scenario, variant.as_deref(), seed, set);
    let own = || Path::new("out").join(chart_file::file_name(&own()));
    let folder = args.out.clone().unwrap_or_else(own);
    for what in tables(&args.what) {
        let table = what.of(&account);
        let path = folder.join(format!("{}.{}", table.name, args.format.extension()));
        output::write(&path, &args.format.write(&table))?;
        console::tell_where("table", &path, false)?;
    }
    say_omitted(&account);
    Ok(Exit::Kept)
}

/// Those that are asked for, each once and in the order in which they are described.
fn tables(asked: &[What]) -> Vec<What> {
    let is_asked = |what: &&What| asked.is_empty() || asked.contains(what);
    What::value_variants().iter().filter(is_asked).copied().collect()
}

/// A bound that left something out is never passed over in silence.
fn say_omitted(account: &Account) {
    let log = account.outcome.log_omitted;
    let omitted = [
        (log, "lines of the log are not in it; `limits.log` keeps more"),
        (account.violations_omitted, "violations are counted in `promises` and have no row"),
    ];
    for (count, what) in omitted.into_iter().filter(|(count, _)| *count > 0) {
        console::note(&format!("{count} {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::typed;

    #[test]
    fn tables_come_once_and_in_their_own_order() {
        let args: Args = typed("export x.ron --format csv --what series,run,series");
        assert_eq!(tables(&args.what), [What::Run, What::Series]);
        assert_eq!(tables(&[]), What::value_variants());
    }
}
