//! What the user can type, and the command that repeats what was typed.

use std::path::{Path, PathBuf};

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use sim_models::study::{Axis, Until};

const EXAMPLES: &str = "\
Examples:
  sim new checkout                        a small scenario to start from
  sim run checkout.ron                    run it; the chart goes to out/checkout.svg
  sim run checkout.ron --all              compare its variants side by side
  sim run checkout.ron --set horizon=5m   change one value for this run
  sim run checkout.ron --record run.sim   keep every step of a run
  sim check checkout.ron --seeds 1000     run it on many seeds, with confidence intervals
  sim compare checkout.ron                pit its variants against it, seed by seed
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
    /// Run a scenario on many seeds: how often invariants break, and means with intervals
    Check(CheckArgs),
    /// Run variants on the same seeds, and tell which differences are more than luck
    Compare(CompareArgs),
    /// Vary one or two values, and tell where the system is stable and where it is not
    Map(MapArgs),
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

/// Which seeds a study takes, and how it is shown.
#[derive(Debug, Group)]
pub struct StudyArgs {
    /// The first seed; the others follow it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub first_seed: u64,

    /// How many threads, by default one per processor; the results do not depend on it
    #[arg(short, long, value_name = "J", value_parser = parse_jobs)]
    pub jobs: Option<usize>,

    /// How sure intervals are
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = parse_confidence)]
    pub confidence: f64,

    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Group)]
#[command(after_help = "\
`--until ci=5%` stops as soon as the interval of the mean goodput, or of the figure that `--metric`
names, reaches at most 5 % to either side. It looks after 30 runs, 45, 68 and so on, and asks it of
an interval with half the allowed error, so that stopping at a lucky moment does not flatter.

The exit code is 1 when an invariant that is not listed in the scenario's `breaks` was broken with
any seed, or when a limit ended a run. What all figures mean is told in docs/STATISTICS.md.")]
pub struct CheckArgs {
    /// The scenario file
    pub scenario: PathBuf,

    #[command(flatten)]
    pub changes: Changes,

    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub seeds: u64,

    /// Stop when a figure is known well enough, as in `ci=5%`
    #[arg(long, value_name = "ci=PERCENT")]
    pub until: Option<Until>,

    /// The figure that `--until` looks at, such as `success`, `latency_mean:users` or `p99:users`
    #[arg(long, value_name = "FIGURE", default_value = "goodput", requires = "until")]
    pub metric: String,

    #[command(flatten)]
    pub study: StudyArgs,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Each side is compared with the first one. Every seed gives all sides the same luck, so that
differences are taken seed by seed. \"no difference\" means that the interval of the difference
contains 0: more seeds may still tell. The exit code does not depend on what is found.")]
pub struct CompareArgs {
    /// One scenario file and its variants, or several files
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,

    /// The variants, separated by commas; `base` is the file as it stands. By default all of them
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub variants: Vec<String>,

    /// Replace the value at a path on all sides; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    pub set: Vec<(String, String)>,

    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub seeds: u64,

    #[command(flatten)]
    pub study: StudyArgs,
}

#[derive(Debug, Group)]
#[command(after_help = "\
An axis is a path and its values, separated by commas (those within brackets and texts do not
count), or a range with the number of its values:

  sim map storm.ron --x 'actors.users.load.rate=20/s..60/s/5' --y 'policies.p[0].attempts=1,2,4'

The exit code does not depend on what is found.")]
pub struct MapArgs {
    /// The scenario file
    pub scenario: PathBuf,

    #[command(flatten)]
    pub changes: Changes,

    /// What varies from column to column
    #[arg(long, value_name = "PATH=V1,V2,…")]
    pub x: Axis,

    /// What varies from row to row
    #[arg(long, value_name = "PATH=V1,V2,…")]
    pub y: Option<Axis>,

    /// How many seeds per cell
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seeds: u64,

    #[command(flatten)]
    pub study: StudyArgs,
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

fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs) if (1..=1024).contains(&jobs) => Ok(jobs),
        _ => Err("write a number of threads from 1 to 1024".to_owned()),
    }
}

fn parse_confidence(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if (0.5..=0.9999).contains(&(number / scale)) => Ok(number / scale),
        _ => Err("write a share from 50% to 99.99%, as in `95%`".to_owned()),
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
    format!("sim run {}", file(scenario))
}

/// The command that repeats a check.
pub fn repeat_check(args: &CheckArgs) -> String {
    let mut command = format!("sim check {}", file(&args.scenario));
    command += &changes(args.changes.variant.as_deref(), &args.changes.set);
    command += &study(args.seeds, &args.study);
    if let Some(until) = &args.until {
        command += &option("until", &format!("ci={}%", until.percent()));
        command += &option("metric", &args.metric);
    }
    command
}

/// The command that repeats a comparison.
pub fn repeat_compare(args: &CompareArgs) -> String {
    let files: Vec<String> = args.scenarios.iter().map(|path| file(path)).collect();
    let mut command = format!("sim compare {}", files.join(" "));
    if !args.variants.is_empty() {
        command += &option("variants", &args.variants.join(","));
    }
    command + &changes(None, &args.set) + &study(args.seeds, &args.study)
}

/// The command that repeats a map.
pub fn repeat_map(args: &MapArgs) -> String {
    let mut command = format!("sim map {}", file(&args.scenario));
    command += &changes(args.changes.variant.as_deref(), &args.changes.set);
    for (name, axis) in [("x", Some(&args.x)), ("y", args.y.as_ref())] {
        if let Some(axis) = axis {
            command += &option(name, &format!("{}={}", axis.path, axis.values.join(",")));
        }
    }
    command + &study(args.seeds, &args.study)
}

fn changes(variant: Option<&str>, sets: &[(String, String)]) -> String {
    let variant = variant.map_or_else(String::new, |variant| option("variant", variant));
    finish_command(variant, sets, None)
}

/// All that changes the result of a study; how many threads there are does not.
fn study(seeds: u64, args: &StudyArgs) -> String {
    let mut options = format!(" --seeds {seeds}");
    if args.first_seed != 1 {
        options += &format!(" --first-seed {}", args.first_seed);
    }
    if args.confidence != 0.95 {
        options += &format!(" --confidence {}", args.confidence);
    }
    options
}

fn file(path: &Path) -> String {
    let path = path.to_string_lossy();
    let guard = if path.starts_with('-') { "./" } else { "" };
    quoted(&format!("{guard}{path}"))
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
