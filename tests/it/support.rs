//! What the proofs share: scenarios, outcomes, deterministic property tests, and the `sim` binary.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};
use sim_models::outcome::{ActorSummary, CallSummary, InvariantVerdict, Outcome};
use sim_models::{Draft, Scenario};

/// The workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// The scenario files that are shipped, sorted.
pub fn gallery() -> Vec<PathBuf> {
    scenarios_in("scenarios")
}

/// The scenario files of a folder, sorted.
pub fn scenarios_in(folder: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join(folder)).expect("the folder");
    let files = folder.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|f| f.extension().is_some_and(|e| e == "ron")).collect();
    files.sort();
    files
}

/// A shipped scenario, as it stands or in a variant.
pub fn shipped(name: &str, variant: Option<&str>) -> Scenario {
    let file = root().join("scenarios").join(format!("{name}.ron"));
    let text = fs::read_to_string(&file).expect("a shipped scenario");
    load(&text, variant, &[])
}

/// Asserts that a file of the project holds what a test has written; if not, says how to take it.
pub fn same_as_written(path: &str, text: &str) {
    let held = fs::read_to_string(root().join(path)).unwrap_or_default();
    if held != text {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join(path.replace('/', "-"));
        fs::write(&new, text).expect("the new text");
        let new = new.display();
        panic!("{path} differs. If it should, take the new one:\n  cp {new} {path}");
    }
}

/// A scenario from a text that is right.
pub fn load(text: &str, variant: Option<&str>, sets: &[(&str, &str)]) -> Scenario {
    draft(text, variant, sets).load().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A scenario that is yet to be checked.
pub fn draft(text: &str, variant: Option<&str>, sets: &[(&str, &str)]) -> Draft {
    let draft = Scenario::text("test.ron", text);
    let draft = variant.into_iter().fold(draft, |draft, variant| draft.variant(variant));
    sets.iter().fold(draft, |draft, (path, value)| draft.set(*path, value))
}

/// Everything that is wrong with a scenario.
pub fn mistakes(text: &str) -> String {
    match draft(text, None, &[]).load() {
        Ok(_) => panic!("this should be refused:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// Runs a scenario with its own seed.
pub fn run(scenario: &Scenario) -> Outcome {
    scenario.run(scenario.seed())
}

/// Runs a scenario that is right, with its own seed.
pub fn run_text(text: &str) -> Outcome {
    run(&load(text, None, &[]))
}

/// The names of the invariants that a run broke.
pub fn broken(outcome: &Outcome) -> Vec<&str> {
    let of_kind = |verdict| move |i: &&sim_models::outcome::InvariantResult| i.verdict == verdict;
    let broken = outcome.invariants.iter().filter(of_kind(InvariantVerdict::Violated));
    broken.map(|invariant| invariant.name.as_str()).collect()
}

pub fn actor<'a>(outcome: &'a Outcome, name: &str) -> &'a ActorSummary {
    outcome.actors.iter().find(|actor| actor.name == name).expect("an actor")
}

pub fn counter(outcome: &Outcome, name: &str, counter: &str) -> u64 {
    let counters = &actor(outcome, name).counters;
    counters.iter().find(|(found, _)| found.name() == counter).expect("a counter").1
}

pub fn call<'a>(outcome: &'a Outcome, from: &str, to: &str) -> &'a CallSummary {
    outcome.calls.iter().find(|call| call.from == from && call.to == to).expect("a hop")
}

/// How many effects of a kind took place.
pub fn effects(outcome: &Outcome, kind: &str) -> u64 {
    outcome.effects.iter().find(|effect| effect.kind == kind).map_or(0, |effect| effect.count)
}

/// Puts a law to the test; `cases` random cases, the same ones each time.
///
/// Failing cases are shrunk before they are returned.
pub fn cases<S: Strategy>(
    cases: u32,
    strategy: S,
    law: impl Fn(S::Value) -> TestCaseResult,
) -> Result<(), TestError<S::Value>>
where
    S::Value: Debug,
{
    // What cost a millisecond to find may cost seconds to shrink.
    let max_shrink_iters = 10_000;
    let config = Config { cases, max_shrink_iters, failure_persistence: None, ..Config::default() };
    let luck = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, luck).run(&strategy, law)
}

/// As [`cases`], for a law that holds.
pub fn holds<S: Strategy>(count: u32, strategy: S, law: impl Fn(S::Value) -> TestCaseResult)
where
    S::Value: Debug,
{
    if let Err(error) = cases(count, strategy, law) {
        panic!("{error}");
    }
}

/// What the `sim` command did.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Told {
    pub fn of(output: Output) -> Told {
        Told {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Runs `sim` in the workspace, or in a folder of its own.
pub fn sim_in(folder: &Path, args: &[&str]) -> Told {
    Told::of(Command::new(binary()).args(args).current_dir(folder).output().expect("sim runs"))
}

/// An empty folder for one test, which names it.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It may be there from an earlier run, or not.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a scratch folder");
    folder
}

/// The release binary, built when it is out of date. Cargo names a binary's place only to tests
/// of its own package; elsewhere it is asked for it. The tests themselves run with assertions, so
/// that a pin that holds in both holds for both profiles.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let build = ["build", "--release", "--locked", "-p", "sim-cli", "--message-format=json"];
        let cargo = Command::new(env!("CARGO")).args(build).current_dir(root()).output();
        let cargo = cargo.expect("cargo runs");
        assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
        let messages = String::from_utf8(cargo.stdout).expect("UTF-8");
        let executable = messages.lines().find_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message["executable"].as_str()?))
        });
        executable.expect("cargo names what it built")
    })
}

/// Asserts that a command line was refused, with all of the wanted words and no results.
pub fn refused(told: &Told, wanted: &[&str]) {
    assert_eq!(told.code, Some(2), "{told:?}");
    assert_eq!(told.stdout, "", "results only on standard output");
    assert!(!told.stderr.contains("panicked"), "{told:?}");
    for text in wanted {
        assert!(told.stderr.contains(text), "`{text}` is missing from:\n{}", told.stderr);
    }
}
