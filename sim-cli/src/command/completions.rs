//! `sim completions`: what a shell needs to complete commands and options.

use clap::CommandFactory;
use clap_complete::Shell;

use super::CommandLine;
use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;

/// Print what a shell needs to complete `sim` commands
#[derive(Debug, clap::Args)]
#[command(after_help = "\
  bash  sim completions bash > ~/.local/share/bash-completion/completions/sim
  zsh   sim completions zsh > ~/.zfunc/_sim            (a folder in $fpath)
  fish  sim completions fish > ~/.config/fish/completions/sim.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub fn completions(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "sim", &mut script);
    console::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Kept)
}
