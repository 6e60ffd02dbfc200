//! The `sim` command: reads what the user typed, resolves it into what will run, runs it, and
//! shows what was found.
//!
//! Standard output carries results and is a pure function of the arguments and the files they
//! name; messages go to standard error. Exit codes: 0 kept, 1 violated or diverged, 2 misused.

mod all;
mod args;
mod chart;
mod conform;
mod console;
mod diagnostics;
mod file;
mod finding;
mod json;
mod list;
mod new;
mod record;
mod replay;
mod report;
mod run;
#[cfg(test)]
mod samples;
mod study;
mod validate;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// How a command ended that could do its work; one that could not ends with 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// What was asked holds.
    Kept = 0,
    /// An invariant was broken, a limit ended the run, or a replay or a trace diverged.
    Broken = 1,
    /// A part of the work could not be done, which was shown at once.
    Misused = 2,
}

fn main() -> ExitCode {
    let args = Args::parse();
    console::choose_colour(args.color);
    let done = match &args.command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => study::check(args),
        Command::Compare(args) => study::compare(args),
        Command::Map(args) => study::map(args),
        Command::Replay(args) => replay::replay(args),
        Command::List(args) => list::list(args),
        Command::New(args) => new::new(args),
        Command::Validate(args) => validate::validate(args),
        Command::Conform(args) => conform::conform(args),
    };
    match done {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            console::complain(&failure);
            ExitCode::from(2)
        }
    }
}
