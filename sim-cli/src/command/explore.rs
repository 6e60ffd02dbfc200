//! `sim explore`: what can go wrong that nobody suspects.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sim_core::Span;
use sim_models::custom::Kinds;
use sim_models::explore::{Finding, Fixes, Refusal, Report, explore as search};

use crate::changes::Changes;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::ScenarioFile;
use crate::repeat::Repeat;
use crate::study::progress::Progress;
use crate::text::{Style, labelled, plain};
use crate::{console, fixes, json, words};

/// The version of the object that `--json` prints.
const SCHEMA: u32 = 1;

/// Find the faults under which a scenario's promises break, and shrink each to a small scenario
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every single fault is tried first, next to what the promises are about: a crash, an error or a halt
after each step; the loss, the delay and the doubling of each message; what can happen to a store
around each command. Then several on top of each other, and one batch of runs in four at random.

A promise that must never break is judged under all faults. One that must hold in the end, such as
AllAnswered, is judged where all faults have healed within the first three quarters of the run. A
promise on figures, such as Threshold, is not judged: faults may make a service worse.

Each finding goes to DIR as counterexample-DIGEST.ron, which `sim run` repeats. The exit code is 1 when
there is one.")]
pub struct Args {
    /// The scenario file; its own faults stay, `--set faults=[]` takes them out
    scenario: PathBuf,

    #[command(flatten)]
    changes: Changes,

    /// How many runs to search, as in `5000`, or how long, as in `30s`
    #[arg(long, value_name = "RUNS|TIME", default_value = "2000")]
    budget: Budget,

    /// The most faults on top of each other, before chance has its turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=6))]
    depth: u64,

    /// The luck of the search and of the runs, in place of the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// How many threads; it changes nothing but the time that it takes
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,

    /// Where the counterexamples go
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,

    /// Try what would have prevented the findings: other designs, single changes; and at what price
    #[arg(long)]
    fix: bool,

    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// For how long is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    Runs(u64),
    Time(Duration),
}

impl std::str::FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Budget, String> {
        let wanted = "write a number of runs, as in 5000, or a time, as in 30s";
        match (text.replace('_', "").parse::<u64>(), text.parse::<Span>()) {
            (Ok(0), _) => Err(format!("no runs find nothing; {wanted}")),
            (Ok(runs), _) => Ok(Budget::Runs(runs)),
            (_, Ok(time)) if !time.is_zero() => {
                Ok(Budget::Time(Duration::from_nanos(time.as_nanos())))
            }
            _ => Err(wanted.to_owned()),
        }
    }
}

/// Searches, keeps the counterexamples and shows what was found.
///
/// # Errors
/// A scenario that cannot be read or promises nothing, or a folder that cannot be written.
pub fn explore(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let scenario = file.load_changed(&args.changes)?;
    console::warn(scenario.warnings());
    std::fs::create_dir_all(&args.out).map_err(|error| unwritable(&args.out, &error))?;
    let (budget, most) = match args.budget {
        Budget::Runs(runs) => (runs, None),
        Budget::Time(time) => (u64::MAX, Some(time)),
    };
    let stopped = stop_on_interrupt();
    let progress = match most {
        None => Progress::new(budget),
        Some(_) => Progress::without_end(),
    };
    let tick = || progress.tick();
    let goes_on = || {
        let is_over = most.is_some_and(|most| progress.elapsed() >= most);
        !is_over && !stopped.load(Ordering::Relaxed)
    };
    let seed = args.seed.unwrap_or(scenario.seed());
    let searching = |budget| {
        search(&scenario).budget(budget).depth(args.depth as usize).jobs(args.jobs).seed(seed)
    };
    let refused = |refusal: Refusal| Failure::new(refusal.to_string());
    let report = searching(budget).progress(&tick).while_it(&goes_on).run().map_err(refused)?;
    drop(progress);
    let kept = report.findings.iter().map(|finding| keep(&args.out, finding));
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
    let fixes = if args.fix {
        let progress = Progress::without_end();
        let (tick, goes_on) = (|| progress.tick(), || !stopped.load(Ordering::Relaxed));
        let trying = searching(report.runs).progress(&tick).while_it(&goes_on);
        Some(keep_fixes(&args.out, trying.fixes(&report).map_err(refused)?)?)
    } else {
        None
    };
    let repeat = repeat(args, &report);
    console::print(&if args.json {
        object(&report, &kept, fixes.as_ref(), &repeat)
    } else {
        let style = console::style();
        text(args, &report, &kept, &style)
            + &fixes.map_or_else(String::new, |(fixes, files)| {
                format!("\n{}", fixes::text(&fixes, &files, &style))
            })
            + "\n"
            + &style.command("repeat", &repeat)
    })?;
    Ok(if report.findings.is_empty() && report.is_checked() { Exit::Kept } else { Exit::Broken })
}

/// Set once somebody presses Ctrl-C: the search ends and reports what it has. A second time ends
/// the program.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    // Where there can be no handler, Ctrl-C ends the program as it always does.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    stopped
}

/// Writes a counterexample.
fn keep(out: &Path, finding: &Finding) -> Result<Option<PathBuf>, Failure> {
    let Some(text) = &finding.scenario else { return Ok(None) };
    let path = out.join(format!("counterexample-{:016x}.ron", finding.digest));
    match std::fs::write(&path, text) {
        Ok(()) => Ok(Some(path)),
        Err(error) => Err(unwritable(&path, &error)),
    }
}

/// Writes the changed scenarios down, each beside its counterexamples.
fn keep_fixes(folder: &Path, fixes: Fixes) -> Result<Kept, Failure> {
    let write = |(n, fix)| {
        let path = folder.join(fixes::file_name(n, fix));
        match std::fs::write(&path, &fix.scenario) {
            Ok(()) => Ok(Some(path)),
            Err(error) => Err(unwritable(&path, &error)),
        }
    };
    let files = fixes.fixes.iter().enumerate().map(write).collect::<Result<Vec<_>, _>>()?;
    Ok((fixes, files))
}

/// What was tried, and where each changed scenario went.
type Kept = (Fixes, Vec<Option<PathBuf>>);

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()))
}

/// The command that repeats a search, by the runs that it took.
fn repeat(args: &Args, report: &Report) -> String {
    let line = Repeat::new("explore").file(&args.scenario);
    let line = line.changes(args.changes.variant.as_deref(), &args.changes.set);
    let line = line.option("budget", report.runs).option("seed", report.seed);
    let line = if args.depth == 3 { line } else { line.option("depth", args.depth) };
    let line = if args.fix { line.flag("fix") } else { line };
    line.to_string()
}

fn text(args: &Args, report: &Report, kept: &[Option<PathBuf>], style: &Style) -> String {
    let mut text = headline(report, style);
    text.push('\n');
    let name = words::named(&report.scenario, report.variant.as_deref());
    text += &style.line("scenario", &name);
    text += &style.line("search", &extent(report));
    if !report.not_judged.is_empty() {
        let all = report.not_judged.join(", ");
        text += &style.line("unjudged", &format!("{all}: faults may make a service worse"));
    }
    if !report.untested.is_empty() {
        let all = report.untested.join(", ");
        text += &style.line("untested", &format!("{all}: no run put it to the test"));
    }
    if report.singles_left > 0 {
        let left = words::counted(report.singles_left, "single fault");
        text += &style.line("left", &format!("{left} not tried yet: raise --budget"));
    }
    for (n, (finding, path)) in report.findings.iter().zip(kept).enumerate() {
        text.push('\n');
        text += &labelled(style.head, &format!("{}", n + 1), &finding.broken[0]);
        text += &style.line("when", &finding.how());
        text += &style.line("then", &finding.witness);
        if finding.broken.len() > 1 {
            text += &style.line("also", &finding.broken[1..].join(", "));
        }
        text += &style.line("found", &found(finding));
        text += &match path {
            Some(path) => style.command("show", &Repeat::new("run").file(path).to_string()),
            None => style.command("show", &alone(args, finding)),
        };
    }
    text
}

fn headline(report: &Report, style: &Style) -> String {
    let runs = words::counted(report.runs, "run");
    if report.findings.is_empty() && !report.is_checked() {
        let said = format!("No promise was put to the test in {runs}");
        return labelled(style.unsure, "NOTHING CHECKED", &said);
    }
    if report.findings.is_empty() {
        let said = format!("No promise broke in {runs}");
        return labelled(style.good, "NOTHING FOUND", &said);
    }
    let mut promises: Vec<&str> =
        report.findings.iter().map(|finding| finding.broken[0].as_str()).collect();
    promises.sort_unstable();
    promises.dedup();
    let ways = words::counted(report.findings.len() as u64, "way");
    let promises = words::counted(promises.len() as u64, "promise");
    labelled(style.bad, "FOUND", &format!("{ways} to break {promises}, in {runs}"))
}

fn extent(report: &Report) -> String {
    format!(
        "{} with one fault, {} with several, {} at random; {} did what others had done; {} more made \
         the findings small",
        words::count(report.singles),
        words::count(report.combined),
        words::count(report.random),
        words::count(report.alike),
        words::count(report.shrinking),
    )
}

fn found(finding: &Finding) -> String {
    let runs = words::counted(finding.seen, "run");
    let after = words::counted(finding.runs, "run");
    format!("after {after}; {runs} broke it in this way")
}

/// The command that shows a finding in the whole scenario.
fn alone(args: &Args, finding: &Finding) -> String {
    let Changes { variant, set } = &args.changes;
    let mut set = set.clone();
    set.push(("faults".to_owned(), finding.all_faults()));
    Repeat::run(&args.scenario, variant.as_deref(), &set, finding.seed).to_string()
}

/// A search as one JSON object.
fn object(report: &Report, kept: &[Option<PathBuf>], fixes: Option<&Kept>, repeat: &str) -> String {
    let finding = |(finding, path): (&Finding, &Option<PathBuf>)| -> Value {
        json!({
            "broken": finding.broken,
            "witness": finding.witness,
            "how": finding.how(),
            "faults": finding.faults_as_written(),
            "seed": finding.seed,
            "phase": finding.phase.name(),
            "runs": finding.runs,
            "seen": finding.seen,
            "digest": format!("{:016x}", finding.digest),
            "file": path.as_ref().map(|path| path.display().to_string()),
        })
    };
    let findings: Vec<Value> = report.findings.iter().zip(kept).map(finding).collect();
    json::pretty(&json!({
        "schema": SCHEMA,
        "scenario": report.scenario,
        "variant": report.variant,
        "seed": report.seed,
        "runs": report.runs,
        "singles": report.singles,
        "combined": report.combined,
        "random": report.random,
        "alike": report.alike,
        "shrinking": report.shrinking,
        "not_judged": report.not_judged,
        "untested": report.untested,
        "singles_left": report.singles_left,
        "findings": findings,
        "fixes": fixes.map(|(fixes, files)| fixes::json(fixes, files)),
        "repeat": plain(repeat),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_of_runs_or_a_time() {
        assert_eq!("5_000".parse(), Ok(Budget::Runs(5_000)));
        assert_eq!("30s".parse(), Ok(Budget::Time(Duration::from_secs(30))));
        for wrong in ["0", "0s", "many", "-3", "1e9", ""] {
            assert!(wrong.parse::<Budget>().is_err(), "{wrong}");
        }
    }
}
