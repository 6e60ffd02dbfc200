//! What the user can type, and the command that repeats what was typed.

use std::path::{Path, PathBuf};

use clap::{Args as Group, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  sim new checkout                        a small scenario to start from
  sim run checkout.ron                    run it; the chart goes to out/checkout.svg
  sim run checkout.ron --all              compare its variants side by side
  sim run checkout.ron --set horizon=5m   change one value for this run
  sim run checkout.ron --record run.sim   keep every step of a run
  sim replay run.sim                      prove that it repeats, step by step
  sim conform traces/                     prove that policies behave like their libraries

Exit codes:
  0  every invariant was kept, the replay is identical, the scenario is valid, all traces pass
  1  an invariant was broken, a limit ended the run, or a replay or a trace diverged
  2  the command, a file, a scenario or a trace is wrong";

/// Deterministic simulation of reliability patterns: retries, breakers, idempotency, failover.
///
/// A scenario file describes clients, services, policies, faults and what must hold. It runs on a
/// virtual clock: the same scenario and seed give the same result, to the bit, on every machine.
#[derive(Debug, Parser)]
#[command(name = "sim", bin_name = "sim", version, after_help = EXAMPLES, verbatim_doc_comment)]
pub struct Args {
    /// Use colours: auto (on a terminal), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 1000)]
    #[arg(hide_possible_values = true)]
    pub color: Color,

    #[command(subcommand)]
    pub command: Command,
}

/// When to use colours; `Auto` also heeds `NO_COLOR`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Color {
    // No doc comments here: they would turn every help into its long form.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario and show what was found
    Run(RunArgs),
    /// Repeat a recorded run and compare every step
    Replay(ReplayArgs),
    /// List the scenarios of a folder
    List(ListArgs),
    /// Write a small scenario to start from
    New(NewArgs),
    /// Check scenarios and all their variants without running them
    Validate(ValidateArgs),
    /// Replay traces of real libraries against the policies named after them
    Conform(ConformArgs),
}

/// What changes a scenario before it runs.
#[derive(Debug, Default, Group)]
pub struct Changes {
    /// Replace the value at a path, as in `actors.api.workers=8`; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    pub set: Vec<(String, String)>,

    /// Run this variant of the scenario
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
With `--all`, the base scenario and every variant run with one seed and stand in one table. The
exit code is that of the base scenario alone: variants exist to show the bad settings.

`--json` prints one object; `--all --json` prints an array of them, the base scenario first.")]
pub struct RunArgs {
    /// The scenario file
    pub scenario: PathBuf,

    #[command(flatten)]
    pub changes: Changes,

    /// The seed of all chance; by default the scenario's own
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Run the base scenario and every variant, one row each
    #[arg(long, conflicts_with_all = ["variant", "record", "verbose"])]
    pub all: bool,

    /// Where charts go
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,

    /// Print JSON instead of the report
    #[arg(long, conflicts_with = "verbose")]
    pub json: bool,

    /// Write every step to a file that `sim replay` reads
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Print one line: the verdict
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Add the whole log
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Group)]
pub struct ReplayArgs {
    /// A file that `sim run --record` wrote
    pub record: PathBuf,

    /// Print JSON instead of text
    #[arg(long, conflicts_with = "verbose")]
    pub json: bool,

    /// Also say what was replayed
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Group)]
pub struct ListArgs {
    /// The folder
    #[arg(default_value = "scenarios")]
    pub folder: PathBuf,
}

#[derive(Debug, Group)]
pub struct NewArgs {
    /// The scenario's name; the file is NAME.ron
    pub name: String,

    /// Write to this file instead
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub struct ValidateArgs {
    /// The scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,

    #[command(flatten)]
    pub changes: Changes,
}

#[derive(Debug, Group)]
#[command(after_help = "\
A folder stands for all .jsonl files in it and below, in the order of their names.

A trace that is not understood never passes: it is told on standard error and the exit code is 2,
but the other traces are still replayed. `--json` prints one object per trace, each on one line.
The format of traces is described in docs/CONFORMANCE.md.")]
pub struct ConformArgs {
    /// Traces, or folders of them
    #[arg(required = true, value_name = "FILE")]
    pub traces: Vec<PathBuf>,

    /// Print JSON instead of text, one object per line
    #[arg(long)]
    pub json: bool,

    /// Print only what does not pass
    #[arg(short, long)]
    pub quiet: bool,
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("no path stands before the `=`".to_owned()),
        Some((path, value)) => Ok((path.to_owned(), value.to_owned())),
        None => Err("write a path, `=` and a value, as in `horizon=5m`".to_owned()),
    }
}

/// The command that repeats a run, quoted for a shell.
pub fn repeat(
    scenario: &Path,
    variant: Option<&str>,
    sets: &[(String, String)],
    seed: u64,
) -> String {
    let mut command = base_command(scenario);
    if let Some(variant) = variant {
        command += &option("variant", variant);
    }
    finish_command(command, sets, Some(seed))
}

/// The command that repeats a run of the base scenario and all variants.
pub fn repeat_all(scenario: &Path, sets: &[(String, String)], seed: Option<u64>) -> String {
    finish_command(base_command(scenario) + " --all", sets, seed)
}

/// The command that runs a scenario, before any option.
pub fn base_command(scenario: &Path) -> String {
    let path = scenario.to_string_lossy();
    let guard = if path.starts_with('-') { "./" } else { "" };
    format!("sim run {}", quoted(&format!("{guard}{path}")))
}

fn finish_command(mut command: String, sets: &[(String, String)], seed: Option<u64>) -> String {
    for (path, value) in sets {
        command += &option("set", &format!("{path}={value}"));
    }
    match seed {
        Some(seed) => command + &format!(" --seed {seed}"),
        None => command,
    }
}

fn option(name: &str, value: &str) -> String {
    // A value that looks like an option must be joined to its own.
    let join = if value.starts_with('-') { '=' } else { ' ' };
    format!(" --{name}{join}{}", quoted(value))
}

/// `text` as one word of a shell's command line, itself on one line.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\'' | '\\' => word.extend(['\\', c]),
            _ if c.is_control() => word += &format!("\\u{:04x}", u32::from(c)),
            _ => word.push(c),
        }
    }
    word + "'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn sets(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_arguments_fit_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_command_repeats_the_run() {
        let file = Path::new("scenarios/payment.ron");
        assert_eq!(
            repeat(file, Some("no breaker"), &sets(&[("horizon", "1m")]), 1),
            "sim run scenarios/payment.ron --variant 'no breaker' --set 'horizon=1m' --seed 1"
        );
        assert_eq!(repeat(file, None, &[], 7), "sim run scenarios/payment.ron --seed 7");
        assert_eq!(
            repeat(Path::new("-x.ron"), Some("-v"), &sets(&[("a", "it's \"b\"")]), 2),
            r#"sim run ./-x.ron --variant=-v --set 'a=it'\''s "b"' --seed 2"#
        );
        assert_eq!(repeat_all(file, &[], Some(7)), "sim run scenarios/payment.ron --all --seed 7");
        assert_eq!(repeat_all(file, &[], None), "sim run scenarios/payment.ron --all");
    }

    #[test]
    fn the_command_stays_on_one_line() {
        assert_eq!(quoted("[\n\t'1s']\\"), r"$'[\u000a\u0009\'1s\']\\'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn what_is_repeated_is_what_was_typed() {
        let typed = ["sim", "run", "x.ron", "--variant=-v", "--set", "a.b=c=d", "--seed", "3"];
        let Command::Run(args) = Args::try_parse_from(typed).unwrap().command else {
            panic!("`run` was typed")
        };
        let changes = &args.changes;
        assert_eq!(
            repeat(&args.scenario, changes.variant.as_deref(), &changes.set, args.seed.unwrap()),
            "sim run x.ron --variant=-v --set 'a.b=c=d' --seed 3"
        );
    }

    #[test]
    fn a_setting_without_a_path_or_value_is_refused() {
        for set in ["horizon", "=5m", ""] {
            assert!(Args::try_parse_from(["sim", "run", "x.ron", "--set", set]).is_err(), "{set}");
        }
    }
}
