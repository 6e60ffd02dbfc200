//! `sim man`: the manual pages.

use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::CommandLine;

use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::output::write;

/// Print the manual page, or write one a command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
  sim man | man -l -                      reads it
  sim man --out ~/.local/share/man/man1   then `man sim-run` has a page of its own")]
pub struct Args {
    /// Write `sim.1` and one page a command to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the page, or writes all of them.
///
/// # Errors
/// When one cannot be written.
pub fn man(args: &Args) -> Result<Exit, Failure> {
    let mut whole = CommandLine::command();
    whole.build();
    match &args.out {
        None => console::print(&page(whole))?,
        Some(folder) => {
            for command in whole.get_subcommands() {
                let name = format!("sim-{}", command.get_name());
                let text = page(command.clone().display_name(&name));
                write(&folder.join(format!("{name}.1")), &text)?;
            }
            let first = folder.join("sim.1");
            write(&first, &page(whole))?;
            console::tell_where("manual", &first, false)?;
        }
    }
    Ok(Exit::Kept)
}

fn page(command: Command) -> String {
    let mut roff = Vec::new();
    Man::new(command).render(&mut roff).expect("writing to memory succeeds");
    String::from_utf8_lossy(&roff).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_that_names_its_options() {
        let mut whole = CommandLine::command();
        whole.build();
        for command in whole.get_subcommands() {
            let text = page(command.clone()).replace("\\-", "-");
            let options = command.get_opts().filter(|option| !option.is_hide_set());
            for long in options.filter_map(|option| option.get_long()) {
                assert!(text.contains(&format!("--{long}")), "{}: {long}", command.get_name());
            }
        }
    }
}
