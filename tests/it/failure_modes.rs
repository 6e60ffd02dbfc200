//! The library of failure modes: each bad design breaks what it is known to break and nothing else,
//! each corrected one keeps everything under the same faults, and the table in
//! `docs/FAILURE_MODES.md` is what the runs say.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestError;
use sim_models::outcome::{InvariantVerdict, Outcome, Verdict};
use sim_models::strategies::{FaultPlans, seeds};

use crate::support::{self, broken, load, run, sim_in};

const FOLDER: &str = "scenarios/failure-modes";
const TABLE: &str = "docs/FAILURE_MODES.md";

/// What must detect each failure mode; any one of an entry's alternatives will do.
const DETECTS: &[(&str, &[&[&str]])] = &[
    ("FM-01", &[MONEY]),
    ("FM-02", &[SETTLES]),
    ("FM-03", &[&["LockDiscipline"], SETTLES]),
    ("FM-05", &[MONEY]),
    ("FM-06", &[MONEY]),
    ("FM-07", &[MONEY, FLIGHT]),
    ("FM-08", &[&["LockDiscipline"], FLIGHT]),
    ("FM-09", &[MONEY, FLIGHT]),
    ("FM-10", &[MONEY, &["EqualReplays"]]),
    ("FM-11", &[MONEY]),
    ("FM-13", &[MONEY]),
    ("FM-15", &[MONEY, FLIGHT]),
    ("FM-16", &[MONEY, FLIGHT]),
    ("FM-17", &[MONEY, &["EqualReplays"]]),
    ("FM-19", &[MONEY]),
    ("FM-20", &[MONEY]),
    ("FM-21", &[MONEY]),
    ("FM-22", &[SETTLES]),
    ("FM-25", &[MONEY]),
    ("FM-26", &[MONEY]),
    ("FM-27", &[&["EqualReplays"], &["NoMerge"]]),
    ("FM-29", &[&["NoMerge"]]),
    ("FM-30", &[&["NoMerge"]]),
    ("FM-32", &[MONEY, &["StoredIsKnown"]]),
    ("FM-33", &[&["FailedImpliesNone"], &["BooksBalance"]]),
    ("FM-34", &[&["StoredIsKnown"], SETTLES]),
    ("FM-35", &[MONEY]),
    ("FM-37", &[MONEY]),
    ("FM-38", &[MONEY]),
    ("FM-39", &[MONEY]),
    ("FM-41", &[MONEY, FLIGHT]),
    ("FM-44", &[MONEY]),
    ("FM-45", &[&["BooksBalance"]]),
    ("FM-47", &[&["AppliedOnce"], &["BooksBalance"]]),
    ("FM-48", &[&["AppliedOnce"]]),
    ("FM-52", &[&["FailedImpliesNone"], SETTLES]),
];

const MONEY: &[&str] = &["AtMostOnce", "ExactlyOnce"];
const SETTLES: &[&str] = &["SettlesWithin"];
const FLIGHT: &[&str] = &["OneInFlight"];

/// The controls, which stay clean.
const CONTROLS: &[&str] = &["CT-01", "CT-02", "CT-03", "CT-04", "CT-05"];

fn library() -> Vec<PathBuf> {
    support::scenarios_in(FOLDER)
}

/// `FM-01`.
fn id(file: &Path) -> String {
    let name = file.file_name().expect("a file").to_string_lossy();
    name.split('-').take(2).collect::<Vec<_>>().join("-")
}

/// A scenario of the library in one variant, and what came of it.
struct Run {
    variant: Option<String>,
    outcome: Outcome,
}

fn runs(file: &Path) -> Vec<Run> {
    let text = fs::read_to_string(file).expect("a scenario");
    let variants = load(&text, None, &[]).variants().into_iter().map(Some);
    let run_one = |variant: Option<String>| {
        let outcome = run(&load(&text, variant.as_deref(), &[]));
        Run { variant, outcome }
    };
    std::iter::once(None).chain(variants).map(run_one).collect()
}

fn known(outcome: &Outcome) -> Vec<&str> {
    let known = outcome.invariants.iter().filter(|invariant| invariant.known);
    known.map(|invariant| invariant.name.as_str()).collect()
}

#[test]
fn each_bad_design_breaks_what_it_is_known_to_break_and_nothing_else() {
    let mut ids = Vec::new();
    for file in library() {
        let id = id(&file);
        let runs = runs(&file);
        for Run { variant, outcome } in &runs {
            let place = format!("{id}, variant {variant:?}");
            assert_ne!(outcome.verdict, Verdict::Invalid, "{place}");
            assert_eq!(broken(outcome), known(outcome), "{place}: {:#?}", outcome.invariants);
        }
        let base = &runs[0].outcome;
        let vacuous = |verdict| verdict == InvariantVerdict::Vacuous;
        for invariant in &base.invariants {
            assert!(!vacuous(invariant.verdict), "{id}: {} says nothing", invariant.name);
        }
        let clean = |run: &&Run| run.outcome.verdict == Verdict::Kept;
        if CONTROLS.contains(&id.as_str()) {
            assert_eq!(runs.iter().filter(clean).count(), runs.len(), "{id} is a control");
        } else {
            let corrected = runs.iter().find(|run| run.variant.as_deref() == Some("corrected"));
            assert!(corrected.as_ref().is_some_and(clean), "{id} has no clean correction");
            let (_, detects) = DETECTS.iter().find(|(of, _)| *of == id).expect("a known row");
            for rules in *detects {
                let named = |rule: &&str| broken(base).iter().any(|name| name.starts_with(*rule));
                assert!(rules.iter().any(named), "{id} is not found by {rules:?}");
            }
        }
        ids.push(id);
    }
    let rows = DETECTS.iter().map(|(id, _)| *id);
    let mut expected: Vec<&str> = CONTROLS.iter().copied().chain(rows).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "one file per row");
}

/// How many random fault plans it takes until one trips a bad design, and how many faults are left
/// when it is shrunk.
fn search(text: &str) -> Option<(u32, usize)> {
    const CASES: u32 = 256;
    let bad = load(text, None, &[]);
    let strategy = (seeds(), FaultPlans::of(&bad).at_most(3).strategy());
    let (tried, found) = (Cell::new(0), Cell::new(false));
    let result = support::cases(CASES, strategy, |(seed, faults)| {
        if !found.get() {
            tried.set(tried.get() + 1);
        }
        let outcome = faults.strike(&bad).run(seed);
        let hit =
            outcome.invariants.iter().find(|i| i.known && i.verdict == InvariantVerdict::Violated);
        found.set(found.get() || hit.is_some());
        prop_assert!(hit.is_none());
        Ok(())
    });
    match result {
        Err(TestError::Fail(_, (_, faults))) => Some((tried.get(), faults.plans().len())),
        _ => None,
    }
}

/// The story of the first broken promise, as `sim run` tells it.
fn story(file: &Path) -> String {
    let folder = support::scratch("failure-modes");
    let told = sim_in(&folder, &["run", &file.display().to_string(), "-v"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    let violated = told.stdout.lines().skip_while(|line| !line.starts_with("  violated"));
    let body = violated.skip(1).take_while(|line| line.starts_with("      "));
    // The witness stands two columns further in than the mark of the step that broke the promise.
    let text = body.map(|line| &line[10..]).collect::<Vec<_>>().join("\n");
    text.trim_start().to_owned()
}

fn row(file: &Path) -> (String, String) {
    let text = fs::read_to_string(file).expect("a scenario");
    let (id, name) = (id(file), load(&text, None, &[]).name().to_owned());
    let runs = runs(file);
    let base = &runs[0].outcome;
    let link =
        format!("[{id}](../{FOLDER}/{})", file.file_name().expect("a file").to_string_lossy());
    let title = name.strip_prefix(&id).unwrap_or(&name).trim();
    let names = |outcome: &Outcome| {
        let names: Vec<String> = broken(outcome).iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(" ") }
    };
    let searched = match search(&text) {
        Some((plans, faults)) => format!("{plans} | {faults}"),
        None => "– | –".to_owned(),
    };
    let clean: Vec<&str> = runs[1..]
        .iter()
        .filter(|run| run.outcome.verdict == Verdict::Kept)
        .filter_map(|run| run.variant.as_deref())
        .collect();
    let story = story(file);
    let lines = story.lines().count();
    let row = format!(
        "| {link} | {title} | {} | {} | {searched} | {lines} |",
        names(base),
        clean.join(" · "),
    );
    let mut section = format!("### {name}\n\n{}\n\n```text\n{story}\n```\n", base.about);
    let others = runs[1..].iter().filter(|run| run.outcome.verdict == Verdict::Violated);
    for Run { variant, outcome } in others {
        let variant = variant.as_deref().unwrap_or_default();
        let _ = write!(section, "\nVariant *{variant}* breaks {}.\n", names(outcome));
    }
    (row, section)
}

#[test]
fn the_table_of_failure_modes_is_what_the_runs_say() {
    let (mut rows, mut sections, mut controls) = (Vec::new(), Vec::new(), Vec::new());
    for file in library() {
        let id = id(&file);
        if CONTROLS.contains(&id.as_str()) {
            let name =
                load(&fs::read_to_string(&file).expect("a scenario"), None, &[]).name().to_owned();
            let title = name.strip_prefix(&id).unwrap_or(&name).trim().to_owned();
            let held = runs(&file).iter().map(|run| run.outcome.invariants.len()).sum::<usize>();
            let path = file.file_name().expect("a file").to_string_lossy().into_owned();
            controls.push(format!("| [{id}](../{FOLDER}/{path}) | {title} | {held} |"));
        } else {
            let (row, section) = row(&file);
            rows.push(row);
            sections.push(section);
        }
    }
    let document = format!(
        "# Failure modes of idempotent payments\n\n\
        A test writes this page from the runs of [`{FOLDER}`](../{FOLDER}); `cargo test -p sim-tests \
        failure_modes` checks it.\n\n\
        Each file holds a bad design, the faults that trip it, and the promises that it breaks. Its \
        correction keeps all of them under the same faults. `sim run FILE` tells the story, `--all` \
        compares the variants.\n\n\
        *Random plans* counts random seeds and fault plans until one breaks a promise that the row \
        names. Each plan has up to three faults, and nobody says where to strike; – means that none \
        of 256 did. *Faults* is how many of that plan's faults are left when it is shrunk. *Lines* \
        is the length of the story below.\n\n\
        | | failure | breaks | clean variants | random plans | faults | lines |\n\
        |---|---|---|---|---|---|---|\n{}\n\n\
        ## Controls\n\nThey look alike and are right; every promise holds.\n\n\
        | | | promises kept in all variants |\n|---|---|---|\n{}\n\n## Stories\n\n{}",
        rows.join("\n"),
        controls.join("\n"),
        sections.join("\n"),
    );
    support::same_as_written(TABLE, &document);
}
