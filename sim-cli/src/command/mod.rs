//! The commands: each is a file of its own, with its arguments, what it does and its tests.

mod check;
mod compare;
mod completions;
mod conform;
mod explore;
mod export;
mod help;
mod list;
mod man;
mod map;
mod matrix;
mod new;
mod replay;
mod report;
mod run;
mod schema;
mod validate;
mod watch;
mod why;

use clap::{Parser, Subcommand};
use sim_models::custom::Kinds;

use crate::console::Color;
use crate::diagnostics::Failure;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  sim run shipped:payment                 run one of those that are built in (sim list --shipped)
  sim new checkout                        a small scenario to start from
  sim run checkout.ron                    run it; the chart goes to out/checkout.svg
  sim run checkout.ron --all              compare its variants side by side
  sim run checkout.ron --set horizon=5m   change one value for this run
  sim run checkout.ron --record run.sim   keep every step of a run
  sim check checkout.ron --seeds 1000     run it on many seeds, with confidence intervals
  sim compare checkout.ron                pit its variants against it, seed by seed
  sim explore checkout.ron                find the faults that break its promises
  sim why checkout.ron                    the violation as a sequence diagram, with reasons
  sim export checkout.ron --format csv    its figures, log and ledger as tables for other programs
  sim report checkout.ron --all           one HTML file for a review: out/report.html
  sim watch checkout.ron                  a page that runs it again on save and on moving a slider
  sim replay run.sim                      prove that it repeats, step by step
  sim conform traces/                     prove that policies behave like their libraries
  sim help Retry                          what a word of the language means, with its defaults

Exit codes:
  0  the verdict is KEPT, the replay is identical, the scenario is valid, all traces pass
  1  the verdict is another (docs/VERDICTS.md), something was found, a replay or a trace diverged
  2  the command, a file, a scenario or a trace is wrong";

/// Deterministic simulation of reliability patterns: retries, breakers, idempotency, failover.
///
/// A scenario file describes clients, services, policies, faults and what must hold. It runs on a
/// virtual clock: the same scenario and seed give the same result, to the bit, on every machine.
#[derive(Debug, Parser)]
#[command(name = "sim", bin_name = "sim", version, after_help = EXAMPLES, verbatim_doc_comment)]
#[command(disable_help_subcommand = true)]
pub struct CommandLine {
    /// Use colours: auto (on a terminal), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 1000)]
    #[arg(hide_possible_values = true)]
    pub color: Color,

    #[command(subcommand)]
    pub command: Command,
}

// A new command is a file, and here its module, its name and its arm. (A doc comment would stand
// in the help.)
#[derive(Debug, Subcommand)]
pub enum Command {
    Run(run::Args),
    Check(check::Args),
    Compare(compare::Args),
    Map(map::Args),
    Explore(explore::Args),
    Why(why::Args),
    Export(export::Args),
    Report(report::Args),
    Watch(watch::Args),
    Replay(replay::Args),
    List(list::Args),
    New(new::Args),
    Validate(validate::Args),
    Conform(conform::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

impl Command {
    /// Does what was asked. Scenarios may name the kinds of actors that the program registers.
    ///
    /// # Errors
    /// When the command could not do its work.
    pub fn run(&self, kinds: &Kinds) -> Result<Exit, Failure> {
        match self {
            Command::Run(args) => run::run(args, kinds),
            Command::Check(args) => check::check(args, kinds),
            Command::Compare(args) => compare::compare(args, kinds),
            Command::Map(args) => map::map(args, kinds),
            Command::Explore(args) => explore::explore(args, kinds),
            Command::Why(args) => why::why(args, kinds),
            Command::Export(args) => export::export(args, kinds),
            Command::Report(args) => report::report(args, kinds),
            Command::Watch(args) => watch::watch(args, kinds),
            Command::Replay(args) => replay::replay(args, kinds),
            Command::List(args) => list::list(args, kinds),
            Command::New(args) => new::new(args),
            Command::Validate(args) => validate::validate(args, kinds),
            Command::Conform(args) => conform::conform(args),
            Command::Schema(args) => schema::schema(args),
            Command::Completions(args) => completions::completions(args),
            Command::Man(args) => man::man(args),
            Command::Help(args) => help::help(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        CommandLine::command().debug_assert();
    }
}
