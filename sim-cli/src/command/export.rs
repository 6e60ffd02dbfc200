//! `sim export`: a run for other programs.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use sim_models::account::Account;
use sim_models::activity::Activities;
use sim_models::custom::Kinds;

use crate::changes::Changes;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::export::{Format, What, Writer};
use crate::file::ScenarioFile;
use crate::{chart_file, console, output};

/// Write what a run found to files that other programs read
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each table is a file such as `series.csv`. Times are milliseconds of virtual time, and a column
names its unit. What is missing is empty in CSV and null elsewhere. `run` says how much bounds left out.
docs/EXPORT.md describes each table, and how spans, traces and counts are made.

The exit code is 0 when the files are written, whatever the verdict.")]
pub struct Args {
    /// The scenario file
    scenario: PathBuf,

    #[command(flatten)]
    changes: Changes,

    /// The seed of the run, in place of the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// How the run is written
    #[arg(long, value_name = "FORMAT")]
    format: Format,

    /// Which tables, as in `series,violations`; all of them by default
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    what: Vec<What>,

    /// With otlp and perfetto: how many intents are drawn, the first ones; those that a violation
    /// names are drawn in any case [default: 1000]
    #[arg(long, value_name = "N")]
    intents: Option<u32>,

    /// Where the files go, in place of a folder below `out` that is named after the run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// So many intents are drawn unless another number is asked for: a trace of a few megabytes.
const INTENTS: u32 = 1_000;

/// Runs the scenario and writes the files.
///
/// # Errors
/// A scenario that cannot be loaded, an option that the format does not have, or a file that cannot be
/// written.
pub fn export(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let writer = args.format.writer();
    check(args, writer)?;
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let scenario = file.load_changed(&args.changes)?;
    console::warn(scenario.warnings());
    let seed = args.seed.unwrap_or(scenario.seed());
    let Changes { variant, set } = &args.changes;
    let own = || chart_file::of_run(&scenario, variant.as_deref(), seed, set);
    let own = || Path::new("out").join(chart_file::file_name(&own()));
    let folder = args.out.clone().unwrap_or_else(own);
    match writer {
        Writer::Tables(extension, write) => {
            let account = scenario.account(seed);
            for what in tables(&args.what) {
                let table = what.of(&account);
                let name = format!("{}.{extension}", table.name);
                keep("table", &folder.join(name), &write(&table))?;
            }
            say_omitted(&account);
        }
        Writer::Requests(name, write) => {
            let activities = scenario.activities(seed, args.intents.unwrap_or(INTENTS));
            keep("trace", &folder.join(name), &write(&activities))?;
            say_undrawn(&activities);
        }
        Writer::Counts(name, write) => {
            keep("counts", &folder.join(name), write(&scenario.run(seed)).as_bytes())?;
        }
    }
    Ok(Exit::Kept)
}

/// An option that would change nothing is a mistake.
fn check(args: &Args, writer: Writer) -> Result<(), Failure> {
    if !args.what.is_empty() && !matches!(writer, Writer::Tables(..)) {
        let help = "`--format csv` and `--format jsonl` write tables";
        return Err(Failure::with_help("--what chooses tables, and this format has none", help));
    }
    if args.intents.is_some() && !matches!(writer, Writer::Requests(..)) {
        let help = "`--format otlp` and `--format perfetto` draw requests";
        return Err(Failure::with_help("--intents is about requests that are drawn", help));
    }
    Ok(())
}

fn keep(what: &str, path: &Path, content: &[u8]) -> Result<(), Failure> {
    output::write(path, content)?;
    console::tell_where(what, path, false)
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

fn say_undrawn(run: &Activities) {
    if run.intents_omitted > 0 {
        let more = run.intents_omitted;
        console::note(&format!("{more} intents are not drawn; `--intents N` draws more"));
    }
    if run.is_cut {
        console::note("the requests are too many: messages or notes of later ones are left out");
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

    #[test]
    fn an_option_that_changes_nothing_is_refused() {
        let refused = |line: &str| {
            let args: Args = typed(line);
            check(&args, args.format.writer()).is_err()
        };
        assert!(refused("export x.ron --format otlp --what run"));
        assert!(refused("export x.ron --format csv --intents 3"));
        assert!(!refused("export x.ron --format perfetto --intents 3"));
    }
}
