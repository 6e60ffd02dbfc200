//! The `sim` command as a library: reads what the user typed, resolves it into what will run, runs
//! it, and shows what was found.
//!
//! Standard output carries results and is a pure function of the arguments and the files they
//! name; messages go to standard error. Exit codes: 0 kept, 1 violated or diverged, 2 misused.
//!
//! A program of your own has all commands, tables and charts for its own kinds of actors:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use sim_models::prelude::*;
//!
//! /// Answers every request after ten milliseconds.
//! #[derive(Debug)]
//! struct Echo;
//!
//! impl CustomActor for Echo {
//!     fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
//!         desk.answer(ask.ticket, 200, ask.body, Span::millis(10));
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     sim_cli::main_with(Kinds::new().with("echo", |_config| Ok(Box::new(Echo))))
//! }
//! ```

mod changes;
mod chart;
mod chart_file;
mod command;
mod console;
mod decision;
mod diagnostics;
mod exit;
mod export;
mod figure;
mod file;
mod finding;
mod fixes;
mod json;
mod output;
mod page;
#[cfg(feature = "png")]
mod png;
mod record;
mod repeat;
mod report;
mod running;
#[cfg(test)]
mod samples;
mod shipped;
mod spoken;
mod story;
mod study;
mod suite;
mod text;
mod turning;
mod watch;
mod words;

use std::process::ExitCode;

use clap::Parser;
use sim_models::custom::Kinds;

use command::CommandLine;

/// The `sim` command as it is shipped: does what the program's arguments ask for.
pub fn main() -> ExitCode {
    main_with(Kinds::new())
}

/// The `sim` command for scenarios that may name actors of these kinds, as `Custom("echo")`.
pub fn main_with(kinds: Kinds) -> ExitCode {
    let line = CommandLine::parse();
    console::choose_colour(line.color);
    match line.command.run(&kinds) {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => {
            console::complain(&failure);
            ExitCode::from(2)
        }
    }
}
