//! `sim run`: one run, or the base scenario and its variants side by side.

mod all;
mod args;
mod one;

pub use args::Args;

use sim_models::custom::Kinds;

use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::ScenarioFile;

/// Runs what was asked for and shows what was found.
///
/// # Errors
/// A scenario that cannot be read or run, or a chart or record that cannot be written.
pub fn run(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    if args.all { all::run(args, &file) } else { one::run(args, &file) }
}
