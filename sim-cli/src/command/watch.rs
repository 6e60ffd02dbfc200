//! `sim watch`: a local page that runs a scenario again when the file or a value is changed.

use std::path::PathBuf;

use sim_models::custom::Kinds;

use crate::changes::Changes;
use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::ScenarioFile;
use crate::text::plain;
use crate::watch::{Choice, Server, State, Watched};

/// Show a scenario in the browser, and run it again on each save and each change of a value
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The page shows what `sim report` shows. Every number of the scenario becomes a control when it is clicked
in the text; those that `knobs:` names are there at first. Seeds can be scrubbed, and what is shown can
be pinned to compare it with what comes.

The address of the page says variant, seed and all changes: it shows the same digest to everybody who
has the same file. Each run is told on the terminal as the command that repeats it.

Only programs of this machine can reach the page. Ctrl-C ends it.")]
pub struct Args {
    /// The scenario file
    scenario: PathBuf,

    #[command(flatten)]
    changes: Changes,

    /// The seed of all chance; by default the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Where it listens on the loopback interface; 0 takes a port that is free
    #[arg(long, value_name = "N", default_value_t = 7700)]
    port: u16,
}

/// Listens until the program is ended.
///
/// # Errors
/// A file that cannot be read, or a port that is taken. What is wrong with the scenario, the page shows.
pub fn watch(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let watched = Watched { path: file.path, kinds: file.kinds };
    let server = Server::listen(watched, args.port)?;
    let Changes { set, variant } = args.changes.clone();
    let state = State { own: Choice { variant, seed: args.seed, set }, pinned: None };
    let query = match state.to_string() {
        query if query.is_empty() => query,
        query => format!("?{query}"),
    };
    let shown = plain(&args.scenario.to_string_lossy());
    console::print(&format!("watching  {shown} at {}{query}\n", server.address()))?;
    server.serve();
    Ok(Exit::Kept)
}
