//! The build of the copy, and the runs of the killers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::list::Defect;
use crate::plant::SWITCH;

/// The packages that have killers, and what Cargo calls their tests.
const TESTS: [(&str, &str); 5] = [
    ("sim-core", "sim_core"),
    ("sim-policies", "sim_policies"),
    ("sim-redis", "sim_redis"),
    ("sim-models", "sim_models"),
    ("sim-tests", "it"),
];

/// A killer takes seconds. One that runs for so long has met a defect that makes it run endlessly.
const LIMIT: Duration = Duration::from_secs(180);

/// How a test has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    /// It was stopped at the limit.
    Endless,
}

/// What is wrong with the defects: those that nobody finds, and killers that fail without one.
pub fn survivors(defects: &[Defect], copy: &Path) -> Vec<String> {
    let binaries = build(copy);
    let hunt = |defect: &Defect, switch: Option<&str>| {
        let binary = binaries.get(defect.package.as_str()).unwrap_or_else(|| {
            panic!("{}: the package {} has no tests here", defect.name, defect.package)
        });
        // Where Cargo runs the tests of a package.
        let folder = match defect.package.as_str() {
            "sim-core" => "sim-core",
            "sim-policies" => "sim-models/policies",
            "sim-redis" => "sim-models/redis",
            "sim-models" => "sim-models",
            _ => "tests",
        };
        let mut command = Command::new(binary);
        command
            .args(defect.test.split_whitespace())
            .current_dir(copy.join(folder))
            .env_remove(SWITCH);
        // Properties draw the same cases each time, and need not shrink what they find.
        command.env("PROPTEST_RNG_SEED", "1").env("PROPTEST_MAX_SHRINK_ITERS", "0");
        command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
        switch.map(|name| command.env(SWITCH, name));
        run(command, LIMIT)
    };
    let mut healthy = BTreeSet::new();
    let killers: Vec<&Defect> =
        defects.iter().filter(|d| healthy.insert((&d.package, &d.test))).collect();
    let mut wrong: Vec<String> = each(&killers, |defect| {
        let (end, output) = hunt(defect, None);
        let Defect { package, test, .. } = defect;
        if output.contains("running 0 tests") {
            return Some(format!("{}: {package} has no test {test}", defect.name));
        }
        let is_well = end == End::Passed;
        (!is_well).then(|| format!("{package}, {test} without a defect: {end:?}\n{output}"))
    });
    let all: Vec<&Defect> = defects.iter().collect();
    wrong.extend(each(&all, |defect| {
        let (end, output) = hunt(defect, Some(&defect.name));
        let killers: Vec<&str> = output
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .chain((end == End::Endless).then_some("it did not end"))
            .collect();
        println!("{}: {}", defect.name, killers.join(", "));
        let Defect { name, what, file, package, test, .. } = defect;
        let survives = end == End::Passed;
        survives.then(|| format!("{name} survives {package}, {test}: {what} ({file})"))
    }));
    wrong
}

/// Runs a test until its end, or until a limit: how it ended, and what it said.
fn run(mut command: Command, limit: Duration) -> (End, String) {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = piped.spawn().expect("the tests");
    let mut stdout = child.stdout.take().expect("it is piped");
    let said = thread::scope(|scope| {
        let (says, hears) = mpsc::channel();
        scope.spawn(move || {
            let mut said = Vec::new();
            stdout.read_to_end(&mut said).expect("what the tests say");
            // Nobody hears it after the limit.
            let _ = says.send(said);
        });
        let said = hears.recv_timeout(limit).ok();
        if said.is_none() {
            child.kill().expect("it still runs");
        }
        said
    });
    let status = child.wait().expect("it has ended");
    match said {
        None => (End::Endless, String::new()),
        Some(said) => {
            let end = if status.success() { End::Passed } else { End::Failed };
            (end, String::from_utf8_lossy(&said).into_owned())
        }
    }
}

/// What `find` says of the defects, in their order, on all processors.
fn each(defects: &[&Defect], find: impl Fn(&Defect) -> Option<String> + Sync) -> Vec<String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let n = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(defect) = defects.get(n)
                {
                    if let Some(wrong) = find(defect) {
                        found.lock().expect("no panic").insert(n, wrong);
                    }
                }
            });
        }
    });
    found.into_inner().expect("no panic").into_values().collect()
}

/// Builds the copy; returns the test binary of each package.
fn build(copy: &Path) -> BTreeMap<&'static str, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--no-run", "--offline", "--message-format=json", "--lib", "--test", "it"]);
    for (package, _) in TESTS {
        cargo.args(["-p", package]);
    }
    // The target folder of the workspace, so that nothing that it depends on is built again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    cargo.arg("--target-dir").arg(target).current_dir(copy).env_remove(SWITCH);
    let output = cargo.stderr(std::process::Stdio::inherit()).output().expect("cargo");
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Value> =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if !output.status.success() {
        let errors = messages.iter().filter_map(|m| m["message"]["rendered"].as_str());
        let errors: String = errors.filter(|text| text.starts_with("error")).collect();
        panic!("the copy in {} does not build:\n{errors}", copy.display());
    }
    let binary = |name: &str| {
        let is_it = |m: &&Value| m["target"]["name"] == name && m["profile"]["test"] == true;
        messages.iter().find(is_it)?["executable"].as_str().map(PathBuf::from)
    };
    TESTS.iter().filter_map(|(package, name)| Some((*package, binary(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_is_stopped() {
        let shell = |script: &str, limit| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run(command, limit)
        };
        let (end, said) = shell("echo here; exit 3", LIMIT);
        assert_eq!((end, said.as_str()), (End::Failed, "here\n"));
        assert_eq!(shell("exit 0", LIMIT).0, End::Passed);
        assert_eq!(shell("exec sleep 600", Duration::from_millis(50)).0, End::Endless);
    }
}
