//! What `sim run` can be asked.

use std::path::PathBuf;

use crate::changes::Changes;
use crate::chart_file::Charts;
use crate::decision::Format;

/// Run a scenario and show what was found
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With `--all`, the base scenario and every variant run with one seed and stand in one decision table;
`-v` adds their counts. One seed proves no difference: `sim compare` tells them apart by many. The
exit code is that of the base scenario alone: variants exist to show the bad settings.

`--json` prints one object; `--all --json` prints an array of them, the base scenario first, each
with its row of the table under `decision`.")]
pub struct Args {
    /// The scenario file
    pub scenario: PathBuf,

    #[command(flatten)]
    pub changes: Changes,

    /// The seed of all chance; by default the scenario's own
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Run the base scenario and every variant, one row each
    #[arg(long, conflicts_with_all = ["variant", "record"])]
    pub all: bool,

    /// Print the decision table of `--all` alone
    #[arg(long, value_name = "FORMAT", requires = "all")]
    #[arg(conflicts_with_all = ["json", "quiet", "verbose"])]
    pub table: Option<Format>,

    #[command(flatten)]
    pub charts: Charts,

    /// Print JSON instead of the report
    #[arg(long, conflicts_with = "verbose")]
    pub json: bool,

    /// Write every step to a file that `sim replay` reads
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Print one line: the verdict
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Add the whole log; with `--all`, counts and what each run found
    #[arg(short, long)]
    pub verbose: bool,
}
