//! The incidents: each good setting keeps every promise, each bad one breaks what its `breaks` list
//! and nothing else, and the table in `docs/INCIDENTS.md` is what the runs say.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sim_models::Scenario;
use sim_models::outcome::{CallSummary, InvariantVerdict, Outcome, Verdict};

use crate::support::{broken, load, run, same_as_written, scenarios_in};

const FOLDER: &str = "scenarios/incidents";
const TABLE: &str = "docs/INCIDENTS.md";

/// A file in all its settings, the good one that stands in it first.
fn settings(file: &Path) -> Vec<(Option<String>, Scenario)> {
    let text = fs::read_to_string(file).expect("a scenario");
    let base = load(&text, None, &[]);
    let variants = base.variants().into_iter().map(|variant| {
        let scenario = load(&text, Some(&variant), &[]);
        (Some(variant), scenario)
    });
    std::iter::once((None, base)).chain(variants).collect()
}

fn incidents() -> Vec<PathBuf> {
    scenarios_in(FOLDER)
}

fn known(outcome: &Outcome) -> Vec<&str> {
    let known = outcome.invariants.iter().filter(|invariant| invariant.known);
    known.map(|invariant| invariant.name.as_str()).collect()
}

/// The part of the story that says what to learn.
fn lesson(about: &str) -> &str {
    let (_, lesson) = about.split_once("Lesson: ").expect("a story ends in its lesson");
    lesson.trim()
}

fn goodput(outcome: &Outcome) -> f64 {
    100.0 * outcome.goodput.achieved as f64 / outcome.goodput.offered.max(1) as f64
}

fn section(out: &mut String, file: &Path) {
    let runs: Vec<(Option<String>, Scenario, Outcome)> = settings(file)
        .into_iter()
        .map(|(variant, scenario)| {
            let outcome = run(&scenario);
            (variant, scenario, outcome)
        })
        .collect();
    let name = runs[0].1.name();
    let (_, base, outcome) = &runs[0];
    assert_eq!(outcome.verdict, Verdict::Kept, "{name}: {:#?}", outcome.invariants);
    let says_nothing = |v: InvariantVerdict| v == InvariantVerdict::Vacuous;
    assert!(!outcome.invariants.iter().any(|i| says_nothing(i.verdict)), "{name} is vacuous");
    let bad = runs.iter().filter(|(.., outcome)| !known(outcome).is_empty()).count();
    assert!(bad > 0, "{name} shows no harm");

    let (story, _) = base.about().split_once("Lesson: ").expect("a lesson");
    let file = file.file_name().expect("a file").to_string_lossy();
    let _ = writeln!(out, "\n## [{name}](../{FOLDER}/{file})\n\n{}\n", story.trim());
    let _ = writeln!(out, "**Lesson:** {}\n", lesson(base.about()));
    let _ = writeln!(out, "| setting | goodput | worst attempts per call | promises broken |");
    let _ = writeln!(out, "|---|---|---|---|");
    for (variant, _, outcome) in &runs {
        let setting = variant.as_deref().unwrap_or("as it stands");
        assert_ne!(outcome.verdict, Verdict::Invalid, "{name}, {setting}");
        assert_eq!(broken(outcome), known(outcome), "{name}, {setting}");
        let per_call = outcome.calls.iter().filter_map(CallSummary::amplification);
        let worst = per_call.fold(0.0, f64::max);
        let broken: Vec<String> = broken(outcome).iter().map(|b| format!("`{b}`")).collect();
        let broken = if broken.is_empty() { "none".to_owned() } else { broken.join("<br>") };
        let goodput = goodput(outcome);
        let _ = writeln!(out, "| {setting} | {goodput:.1} % | {worst:.2} | {broken} |");
    }
}

#[test]
fn every_setting_does_what_its_story_says() {
    let mut out = String::from(
        "# Incidents\n\nThese outages happen again and again. Each has one file, which replays it \
         with the setting that causes it and with those that prevent it. A test makes this page \
         from the runs, each with the scenario's own seed. [The folder's \
         page](../scenarios/incidents/README.md) has medians over twenty seeds.\n\nGoodput is of \
         the whole run and of all its clients, bystanders too. The promises say who is hurt, and \
         when.\n",
    );
    for file in incidents() {
        section(&mut out, &file);
    }
    same_as_written(TABLE, &out);
}
