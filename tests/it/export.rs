//! `sim export`: what other programs read is what the run found, and they can read it.
//!
//! The consumers are real: pandas, DuckDB and others, in a Python environment that `.ci/run` makes
//! under `target/consumers`. Where there is none, their tests say so and prove nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{refused, root, run, scratch, shipped, sim_in};

/// Nobody is answered in the end: the line before the one worker grows.
const OVERLOAD: &str = r#"Scenario(
    name: "overload", about: "More comes than one worker can do.", horizon: "20s",
    limits: (grace: "2s"),
    actors: {
        "users": Client(load: Open(rate: "20/s"), patience: "5s",
            does: [Call("api.get", policy: "again")]),
        "jobs": Client(load: Open(rate: "2/s"), does: [Call("api.get")]),
        "api": Service(workers: 1, endpoints: { "get": [Work(Const("200ms")), Effect("charge")] }),
    },
    links: [Link(from: "users", to: "api", loss: 0.05)],
    policies: { "again": [Retry(attempts: 3, even_if_unsafe: true), Timeout("2s")] },
    invariants: [AtMostOnce("charge"), AllAnswered, Threshold("goodput >= 5")],
)
"#;

/// A scenario of its own in a folder of its own, and the options that choose a run of it.
fn cases() -> Vec<(&'static str, PathBuf, Vec<&'static str>)> {
    let of_gallery = |name: &str| root().join("scenarios").join(name);
    let overload = scratch("export-overload").join("overload.ron");
    fs::write(&overload, OVERLOAD).unwrap();
    vec![
        ("naive", of_gallery("payment.ron"), vec!["--variant", "naive"]),
        (
            "blip",
            of_gallery("incidents/metastable_after_a_blip.ron"),
            vec!["--variant", "no budget"],
        ),
        ("overload", overload, vec![]),
    ]
}

/// Exports a run, and says where the tables are.
fn export(name: &str, file: &Path, options: &[&str], format: &str) -> PathBuf {
    let folder = scratch(name);
    let file = file.to_str().expect("UTF-8");
    let mut args = vec!["export", file, "--format", format, "--out", "tables"];
    args.extend(options);
    let told = sim_in(&folder, &args);
    assert_eq!(told.code, Some(0), "{told:?}");
    folder.join("tables")
}

/// What `sim run --json` says of the same run.
fn told(file: &Path, options: &[&str]) -> Value {
    let mut args = vec!["run", file.to_str().expect("UTF-8"), "--json"];
    args.extend(options);
    let told = sim_in(&scratch("export-told"), &args);
    serde_json::from_str(&told.stdout).expect("JSON")
}

/// The rows of a table in JSON Lines.
fn rows(folder: &Path, table: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(format!("{table}.jsonl"))).expect("a table");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// Runs a script of `tests/consumers`. False, and a loud word, where there is no Python for it.
fn consumed(script: &str, args: &[&Path]) -> bool {
    let python = root().join("target/consumers/bin/python");
    if !python.exists() {
        let there = python.display();
        eprintln!("SKIPPED: {script}: no consumers at {there}; `.ci/run` installs them");
        return false;
    }
    let script = root().join("tests/consumers").join(script);
    let output = Command::new(python).arg(script).args(args).output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    true
}

#[test]
fn who_is_unanswered_has_a_row_as_the_report_counts_them() {
    for (name, file, options) in cases() {
        let folder = export(&format!("export-rows-{name}"), &file, &options, "jsonl");
        let told = told(&file, &options);
        let mut states: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows(&folder, "intents").iter().filter(|row| row["measured"] == true) {
            *states.entry(row["state"].as_str().expect("a state").to_owned()).or_default() += 1;
            let is_open = row["state"] == "unanswered";
            assert_eq!(row["settled_ms"].is_null(), is_open, "{name}: {row}");
        }
        let count = |of: &[&str]| of.iter().filter_map(|state| states.get(*state)).sum::<u64>();
        let found = [
            ("achieved", count(&["succeeded"])),
            ("degraded", count(&["degraded"])),
            ("missed", count(&["failed", "unknown"])),
            ("unanswered", count(&["unanswered"])),
        ];
        for (figure, found) in found {
            assert_eq!(told["goodput"][figure], found, "{name}: {figure}");
        }
        for call in rows(&folder, "calls") {
            let of = |column: &str| call[column].as_u64().expect("a count");
            let ended = of("success") + of("failed") + of("unknown") + of("abandoned");
            assert_eq!(of("calls"), ended + of("open"), "{name}: {call}");
        }
        let overload = name == "overload";
        assert!(!overload || count(&["unanswered"]) > 0, "somebody still waits: {states:?}");
    }
}

#[test]
fn every_violation_has_a_row() {
    for (name, file, options) in cases() {
        let folder = export(&format!("export-violations-{name}"), &file, &options, "jsonl");
        let told = told(&file, &options);
        let violations = rows(&folder, "violations");
        for promise in told["invariants"].as_array().expect("a list") {
            let is_of = |row: &&Value| row["promise"] == promise["name"];
            let of: Vec<&Value> = violations.iter().filter(is_of).collect();
            assert_eq!(promise["violations"], of.len(), "{name}: {promise}");
            if let Some(first) = of.first() {
                assert_eq!(first["witness"], promise["first"]["witness"]);
                assert_eq!(first["at_ms"], promise["first"]["at_ms"]);
            }
        }
        assert!(!violations.is_empty(), "{name} breaks something");
    }
}

#[test]
fn an_account_changes_nothing_about_a_run() {
    for (name, variant) in [("payment", Some("naive")), ("double_click", None), ("webhook", None)] {
        let scenario = shipped(name, variant);
        let account = scenario.account(scenario.seed());
        let outcome = run(&scenario);
        assert_eq!(account.outcome.digest, outcome.digest, "{name}");
        assert_eq!(account.outcome.invariants, outcome.invariants, "{name}");
        assert!(account.outcome.ledger.starts_with(&outcome.ledger), "{name}");
    }
}

#[test]
fn two_exports_are_equal_to_the_byte() {
    let (_, file, options) = cases().remove(2);
    for format in ["csv", "jsonl"] {
        let [one, other] = ["one", "other"]
            .map(|name| export(&format!("export-{name}-{format}"), &file, &options, format));
        let mut files = 0;
        for entry in fs::read_dir(&one).unwrap() {
            let entry = entry.unwrap();
            let again = fs::read(other.join(entry.file_name())).unwrap();
            assert!(fs::read(entry.path()).unwrap() == again, "{:?}", entry.file_name());
            files += 1;
        }
        assert_eq!(files, 14, "{format}");
    }
}

#[test]
fn every_table_and_column_is_described() {
    let (_, file, options) = cases().remove(2);
    let folder = export("export-described", &file, &options, "csv");
    let page = fs::read_to_string(root().join("docs/EXPORT.md")).expect("the page");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let table = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let head = format!("| `{table}` |");
        let row = page.lines().find(|line| line.starts_with(&head));
        let row = row.unwrap_or_else(|| panic!("docs/EXPORT.md has no row `{table}`"));
        let text = fs::read_to_string(path).unwrap();
        for column in text.lines().next().expect("a header").split(',') {
            assert!(row.contains(&format!("`{column}`")), "{table}.{column} is not described");
        }
    }
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let folder = scratch("export-refused");
    fs::write(folder.join("overload.ron"), OVERLOAD).unwrap();
    fs::write(folder.join("taken"), "a file").unwrap();
    let with = |args: &[&'static str]| {
        let mut all = vec!["export", "overload.ron"];
        all.extend(args);
        sim_in(&folder, &all)
    };
    refused(&with(&[]), &["--format"]);
    refused(&with(&["--format", "xls"]), &["xls", "csv"]);
    refused(&with(&["--format", "csv", "--what", "serie"]), &["serie", "series"]);
    refused(&with(&["--format", "csv", "--out", "taken"]), &["cannot write", "taken"]);
}

#[test]
fn pandas_and_duckdb_read_the_tables() {
    for (name, file, options) in cases() {
        for format in ["csv", "jsonl"] {
            let folder = export(&format!("export-read-{name}-{format}"), &file, &options, format);
            let run = folder.join("run.json");
            fs::write(&run, told(&file, &options).to_string()).unwrap();
            if !consumed("tables.py", &[&folder, Path::new(format), &run]) {
                return;
            }
        }
    }
}
