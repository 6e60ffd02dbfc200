//! `sim explore`: what can go wrong that nobody suspects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use sim_core::Span;
use sim_models::Scenario;
use sim_models::custom::Kinds;
use sim_models::explore::{Cells, Finding, Fixes, Refusal, Report, Standing, explore as search};
use sim_models::why::{Subject, why};

use super::matrix::{Terms, matrix};
use crate::changes::Changes;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::ScenarioFile;
use crate::repeat::Repeat;
use crate::running::stop_on_interrupt;
use crate::study::progress::Progress;
use crate::suite::{Searched, SuiteFiles, of_explore};
use crate::text::{Style, plain};
use crate::{chart, console, fixes, json, output, words};

/// The version of the object that `--json` prints.
pub(super) const SCHEMA: u32 = 1;

/// Find the faults under which a scenario's promises break, and shrink each to a small scenario
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Single faults come first, next to what the promises are about: a crash, an error or a halt after
each step; the loss, the delay and the doubling of each message; what can happen to a store around
each command. From the 192nd on, a quarter of the runs has several faults, and a quarter is random.

A promise that must never break is judged under all faults. One that must hold in the end, such as
AllAnswered, is judged where all faults have healed within the first three quarters of the run. A
promise on figures, such as Threshold, is not judged: faults may make a service worse.

Each finding goes to DIR as counterexample-DIGEST.ron, which `sim run` repeats. Beside it is the picture
of what happens, which `sim why` shows in the terminal. 
A cell is one kind of fault at one place, while the stores keep so much for the intent and the
breakers are open or not: the report says how many of those that could be were tried.

The exit code is 0 when nothing was found and every single fault was tried, and 1 otherwise.")]
pub struct Args {
    /// The scenario file; its own faults stay, `--set faults=[]` takes them out
    scenario: PathBuf,

    /// Measure the search instead, and print tables as Markdown: SCENARIO is a folder of scenarios
    /// whose own faults, which are taken away, show what is to be found
    #[arg(long, conflicts_with_all = ["set", "variant", "seed", "json"])]
    matrix: bool,

    /// With --matrix: how many seeds each search begins with, of which the median is taken
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,

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

    #[command(flatten)]
    verdicts: SuiteFiles,

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
    if args.matrix {
        return measure(args, kinds);
    }
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let scenario = file.load_changed(&args.changes)?;
    console::warn(scenario.warnings());
    // Better told before the search than after it.
    output::folder(&args.out)?;
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
    let standing = |Standing { reached, possible, findings }: Standing| {
        let cells = format!("{} of {} cells", words::count(reached), words::count(possible));
        progress.say(&format!("{cells}, {}", words::counted(findings, "hit")));
    };
    let goes_on = || {
        let is_over = most.is_some_and(|most| progress.elapsed() >= most);
        !is_over && !stopped.load(Ordering::Relaxed)
    };
    let seed = args.seed.unwrap_or(scenario.seed());
    let searching = |budget| {
        search(&scenario).budget(budget).depth(args.depth as usize).jobs(args.jobs).seed(seed)
    };
    let refused = |refusal: Refusal| Failure::new(refusal.to_string());
    let report = searching(budget).progress(&tick).standing(&standing).while_it(&goes_on);
    let report = report.run().map_err(refused)?;
    drop(progress);
    let kept = report.findings.iter().map(|finding| keep(&args.out, finding, kinds));
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
    let older = older(&args.out, &report, &kept);
    let fixes = if args.fix {
        let progress = Progress::without_end();
        let (tick, goes_on) = (|| progress.tick(), || !stopped.load(Ordering::Relaxed));
        let trying = searching(report.runs).progress(&tick).while_it(&goes_on);
        Some(keep_fixes(&args.out, trying.fixes(&report).map_err(refused)?)?)
    } else {
        None
    };
    let repeat = repeat(args, &report);
    let is_stopped = stopped.load(Ordering::Relaxed);
    console::print(&if args.json {
        object(&report, &kept, fixes.as_ref(), is_stopped, &repeat)
    } else {
        let style = console::style();
        let note =
            "interrupted: what was found by then; it may not be small, and not all was tried";
        let note = if is_stopped { style.line("stopped", note) } else { String::new() };
        // Changes that nobody had time to try would read as changes that do not help.
        let fixes = fixes.filter(|_| !is_stopped);
        note + &text(args, &report, (&kept, older), &style)
            + &fixes.map_or_else(String::new, |(fixes, files)| {
                format!("\n{}", fixes::text(&fixes, &files, &style))
            })
            + "\n"
            + &style.command("repeat", &repeat)
    })?;
    let is_clean = report.findings.is_empty() && report.is_checked() && report.singles_left == 0;
    if args.verdicts.is_asked() {
        let show = |n: usize| match &kept[n] {
            Some(path) => Repeat::new("run").file(path).to_string(),
            None => alone(args, &report.findings[n]),
        };
        let headline = headline(&report, &Style::plain());
        let searched = Searched {
            promises: scenario.run(seed).invariants.into_iter().map(|i| i.name).collect(),
            headline: headline.split_whitespace().collect::<Vec<_>>().join(" "),
            extent: extent(&report),
            repeat,
            show: &show,
            is_stopped,
            is_clean,
        };
        args.verdicts.keep(&of_explore(&report, searched))?;
    }
    Ok(if is_clean { Exit::Kept } else { Exit::Broken })
}

/// Measures the search on a folder of scenarios.
fn measure(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let Budget::Runs(budget) = args.budget else {
        return Err(Failure::new("--matrix counts runs: write --budget 2000".to_owned()));
    };
    let stopped = stop_on_interrupt();
    let progress = Progress::without_end();
    let tick = || progress.tick();
    let goes_on = || !stopped.load(Ordering::Relaxed);
    let elapsed = || progress.elapsed();
    let terms = Terms {
        budget,
        seeds: args.seeds,
        jobs: args.jobs,
        elapsed: &elapsed,
        tick: &tick,
        goes_on: &goes_on,
    };
    matrix(&args.scenario, kinds, &terms)?;
    Ok(Exit::Kept)
}

/// Writes a counterexample, and beside it the picture of what happens in it.
fn keep(out: &Path, finding: &Finding, kinds: &Kinds) -> Result<Option<PathBuf>, Failure> {
    let Some(text) = &finding.scenario else { return Ok(None) };
    let path = out.join(format!("counterexample-{:016x}.ron", finding.digest));
    output::write(&path, text)?;
    let draft = Scenario::text(path.to_string_lossy(), text.as_str()).kinds(kinds.clone());
    // What is broken by nobody's intent alone has no sequence.
    if let Ok(scenario) = draft.load()
        && let Ok(sequence) = why(&scenario, scenario.seed(), &Subject::Violation(1))
    {
        let repeat = Repeat::new("why").file(&path).to_string();
        output::write(&picture(&path), &chart::sequence(&sequence, None, &repeat).document())?;
    }
    Ok(Some(path))
}

/// Where the picture of a counterexample is.
fn picture(counterexample: &Path) -> PathBuf {
    counterexample.with_extension("svg")
}

/// Writes the changed scenarios down, each beside its counterexamples.
fn keep_fixes(folder: &Path, fixes: Fixes) -> Result<Kept, Failure> {
    let write = |(n, fix)| {
        let path = folder.join(fixes::file_name(n, fix));
        output::write(&path, &fix.scenario).map(|()| Some(path))
    };
    let files = fixes.fixes.iter().enumerate().map(write).collect::<Result<Vec<_>, _>>()?;
    Ok((fixes, files))
}

/// What was tried, and where each changed scenario went.
type Kept = (Fixes, Vec<Option<PathBuf>>);

/// Counterexamples that earlier searches of the same scenario left: this one did not find the same.
fn older(out: &Path, report: &Report, kept: &[Option<PathBuf>]) -> u64 {
    let is_ours = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("counterexample-")
            && name.ends_with(".ron")
            && std::fs::read_to_string(path)
                .is_ok_and(|text| text.contains(&format!("name: {:?},\n", report.counterexamples)))
    };
    let Ok(folder) = std::fs::read_dir(out) else { return 0 };
    let paths = folder.flatten().map(|entry| entry.path());
    let is_old = |path: &PathBuf| !kept.iter().flatten().any(|kept| kept == path) && is_ours(path);
    paths.filter(is_old).count() as u64
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

fn text(
    args: &Args,
    report: &Report,
    (kept, older): (&[Option<PathBuf>], u64),
    style: &Style,
) -> String {
    let mut text = headline(report, style);
    text.push('\n');
    let name = words::named(&report.scenario, report.variant.as_deref());
    text += &style.line("scenario", &name);
    text += &style.line("search", &extent(report));
    text += &style.line("cells", &cells(&report.cells));
    if !report.not_judged.is_empty() {
        let all = report.not_judged.join(", ");
        text += &style.line("unjudged", &format!("{all}: faults may make a service worse"));
    }
    if !report.untested.is_empty() {
        let all = report.untested.join(", ");
        text += &style.line("untested", &format!("{all}: no run put it to the test"));
    }
    if report.singles_left > 0 && !report.findings.is_empty() {
        text += &style.line("left", &left(report));
    }
    for (promise, runs) in &report.late {
        let runs = words::counted(*runs, "run");
        let why = "where a fault healed too late; a longer `horizon` would";
        text += &style.line("late", &format!("{promise} could not be judged in {runs}, {why}"));
    }
    for line in &report.not_tried {
        text += &style.line("untried", line);
    }
    if report.recoveries > 0 {
        let judged = words::counted(report.recoveries, "run");
        let whether = "showed whether the service is well again after the faults";
        text += &style.line("recovery", &format!("{judged} {whether}"));
    }
    if report.cut > 0 {
        let cut = words::counted(report.cut, "run");
        let why = "took more than ten times the steps of the good one and ended there";
        text += &style.line("cut", &format!("{cut} {why}; what broke by then counts"));
    }
    if older > 0 {
        let (count, out) = (words::counted(older, "counterexample"), args.out.display());
        let whether = "`sim run` says whether it still breaks";
        text += &style.line("older", &format!("{count} of earlier searches in {out}: {whether}"));
    }
    let mut number = 0;
    for promise in promises(report) {
        let ways = ways(report, promise);
        text.push('\n');
        text += &style.labelled(style.head, "promise", promise);
        for way in ways.iter().take(WAYS_MAX) {
            number += 1;
            let (finding, path) = (&report.findings[way.first], &kept[way.first]);
            text.push('\n');
            text += &style.labelled(style.head, &format!("{number}"), &finding.how());
            text += &style.line("then", &finding.witness);
            if finding.broken.len() > 1 {
                text += &style.line("also", &finding.broken[1..].join(", "));
            }
            text += &style.line("found", &found(finding, way.others));
            text += &match path {
                // The picture is there where there is something to draw.
                Some(path) if picture(path).exists() => {
                    style.command("show", &Repeat::new("why").file(path).to_string())
                }
                Some(path) => style.command("show", &Repeat::new("run").file(path).to_string()),
                None => style.command("show", &alone(args, finding)),
            };
        }
        if let Some(more) = ways.len().checked_sub(WAYS_MAX).filter(|more| *more > 0) {
            let more = words::counted(more as u64, "more way");
            let out = args.out.display();
            text += &style.line("", &format!("and {more}, in {out} and in --json"));
        }
    }
    text
}

/// So many ways to break a promise are shown; the rest is counted.
const WAYS_MAX: usize = 5;

/// A way to break a promise: the smallest finding by some faults, and how many more there are by
/// the same faults in other places.
struct Way {
    first: usize,
    others: u64,
}

/// The promises that broke, those that break by the smallest plans first.
fn promises(report: &Report) -> Vec<&str> {
    let mut promises: Vec<&str> = Vec::new();
    for finding in &report.findings {
        let promise = finding.broken[0].as_str();
        if !promises.contains(&promise) {
            promises.push(promise);
        }
    }
    promises
}

fn ways(report: &Report, promise: &str) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for (n, finding) in report.findings.iter().enumerate() {
        if finding.broken[0] == promise {
            let family = |way: &&mut Way| report.findings[way.first].family == finding.family;
            match ways.iter_mut().find(family) {
                Some(way) => way.others += 1,
                None => ways.push(Way { first: n, others: 0 }),
            }
        }
    }
    ways
}

/// How much of the table of coverage was reached, and what is empty: the kinds of faults with most
/// empty cells first.
fn cells(cells: &Cells) -> String {
    let Cells { reached, possible, empty } = cells;
    let mut text = format!("{} of {} reached", words::count(*reached), words::count(*possible));
    let mut kinds: Vec<(u64, &str)> = Vec::new();
    for (kind, _) in empty {
        match kinds.iter_mut().find(|(_, known)| known == kind) {
            Some((count, _)) => *count += 1,
            None => kinds.push((1, kind)),
        }
    }
    kinds.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    if let Some((kind, place)) = empty.first() {
        let all: Vec<String> =
            kinds.iter().take(4).map(|(count, kind)| format!("{kind} {count}")).collect();
        let more = if kinds.len() > 4 { " …" } else { "" };
        text += &format!("; empty: {}{more}, such as {kind} at {place}", all.join(", "));
    }
    text
}

fn headline(report: &Report, style: &Style) -> String {
    let runs = words::counted(report.runs, "run");
    if report.findings.is_empty() && !report.is_checked() {
        let said = format!("No promise was put to the test in {runs}");
        return style.labelled(style.unsure, "NOTHING CHECKED", &said);
    }
    if report.findings.is_empty() && report.singles_left > 0 {
        let said = format!("No promise broke in {runs}, but only {}", left(report));
        return style.labelled(style.unsure, "NOT ALL TRIED", &said);
    }
    if report.findings.is_empty() {
        let said = format!("No promise broke in {runs}");
        return style.labelled(style.good, "NOTHING FOUND", &said);
    }
    let ways: usize = promises(report).iter().map(|promise| ways(report, promise).len()).sum();
    let ways = words::counted(ways as u64, "way");
    // Those that only break beside another one are broken as well.
    let broken: BTreeSet<&String> =
        report.findings.iter().flat_map(|finding| &finding.broken).collect();
    let promises = words::counted(broken.len() as u64, "promise");
    style.labelled(style.bad, "FOUND", &format!("{ways} to break {promises}, in {runs}"))
}

/// How many single faults were tried, and which budget tries them all.
fn left(report: &Report) -> String {
    format!(
        "{} of {} were tried; --budget {} tries them all",
        words::count(report.singles),
        words::counted(report.singles_of(), "single fault"),
        report.budget_for_singles()
    )
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

fn found(finding: &Finding, others: u64) -> String {
    let runs = words::counted(finding.seen, "run");
    let after = words::counted(finding.runs, "run");
    let others = match others {
        0 => String::new(),
        1 => "; so does the same in 1 other place".to_owned(),
        n => format!("; so does the same in {} other places", words::count(n)),
    };
    format!("after {after}; {runs} broke it in this way{others}")
}

/// The command that shows a finding in the whole scenario.
fn alone(args: &Args, finding: &Finding) -> String {
    let Changes { variant, set } = &args.changes;
    let mut set = set.clone();
    set.push(("faults".to_owned(), finding.all_faults()));
    Repeat::run(&args.scenario, variant.as_deref(), &set, finding.seed).to_string()
}

/// A search as one JSON object.
fn object(
    report: &Report,
    kept: &[Option<PathBuf>],
    fixes: Option<&Kept>,
    is_stopped: bool,
    repeat: &str,
) -> String {
    let finding = |(finding, path): (&Finding, &Option<PathBuf>)| -> Value {
        json!({
            "broken": finding.broken,
            "witness": finding.witness,
            "how": finding.how(),
            "faults": finding.faults_as_written(),
            "seed": finding.seed,
            "family": finding.family,
            "phase": finding.phase.name(),
            "runs": finding.runs,
            "seen": finding.seen,
            "digest": format!("{:016x}", finding.digest),
            "file": path.as_ref().map(|path| path.display().to_string()),
        })
    };
    let findings: Vec<Value> = report.findings.iter().zip(kept).map(finding).collect();
    let empty = report.cells.empty.iter();
    let empty: Vec<String> = empty.map(|(kind, place)| format!("{kind} at {place}")).collect();
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
        "not_tried": report.not_tried,
        "late": report.late.iter().map(|(promise, runs)| json!({ "promise": promise, "runs": runs }))
            .collect::<Vec<_>>(),
        "cut": report.cut,
        "recoveries": report.recoveries,
        "cells": {
            "reached": report.cells.reached,
            "possible": report.cells.possible,
            "empty": empty,
        },
        "findings": findings,
        "stopped": is_stopped,
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
