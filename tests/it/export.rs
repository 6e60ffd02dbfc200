//! `sim export`: what other programs read is what the run found, and they can read it.
//!
//! The consumers are real: pandas, DuckDB and others, in a Python environment that `.ci/run` makes
//! under `target/consumers`. Where there is none, their tests say so and prove nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sim_models::activity::{Activity, ActivityKind, ActivityState};

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

/// The windows of a list in JSON, added up.
fn sum(counts: &Value) -> u64 {
    counts.as_array().expect("windows").iter().map(|n| n.as_u64().expect("a count")).sum()
}

#[test]
fn windows_in_json_and_in_tables_add_up_to_the_run() {
    for (name, file, options) in cases() {
        let told = told(&file, &options);
        let folder = export(&format!("export-windows-{name}"), &file, &options, "jsonl");
        let rows = rows(&folder, "series");
        let row_sum = |kind: &str, of: &str, figure: &str| {
            let is_it = |row: &&Value| row["kind"] == kind && row["of"] == of;
            let rows = rows.iter().filter(is_it).filter(|row| row["figure"] == figure);
            rows.map(|row| row["value"].as_f64().expect("a count")).sum::<f64>() as u64
        };
        let windows = &told["series"];
        let of = |key: &str| windows[key].as_object().expect("by name").iter();
        assert!(of("clients").len() > 0, "{name}");
        for (client, own) in of("clients") {
            let goodput = &told["actors"][client]["goodput"];
            let told = [&goodput["offered"], &goodput["unanswered"]];
            for (figure, told) in ["offered", "unanswered"].into_iter().zip(told) {
                assert_eq!(sum(&own[figure]), *told, "{name}: {figure} of {client}");
                assert_eq!(row_sum("client", client, figure), *told, "{name}: {figure}");
            }
            let length = own["failed_p99_ms"].as_array().expect("windows").len();
            assert_eq!(length, windows["offered"].as_array().expect("windows").len());
        }
        for (effect, own) in of("effects") {
            for figure in ["count", "duplicated", "refunded", "merged"] {
                let told = &told["effects"][effect][figure];
                assert_eq!(sum(&own[figure]), *told, "{name}: {figure} of {effect}");
                assert_eq!(row_sum("effect", effect, figure), *told, "{name}: {figure}");
            }
        }
        let promises = told["invariants"].as_array().expect("a list");
        for promise in promises.iter().filter(|promise| promise["violations"] != 0) {
            let promised = promise["name"].as_str().expect("a name");
            let found = sum(&windows["violations"][promised]);
            assert_eq!(found, promise["violations"], "{name}: {promised}");
            assert_eq!(row_sum("promise", promised, "violations"), found, "{name}: {promised}");
        }
        for (hop, endings) in of("endings") {
            for (ending, own) in endings.as_object().expect("by ending") {
                let told = told["calls"][hop]["endings"][ending].as_u64().expect("a count");
                assert!(sum(own) <= told, "{name}: {ending} of {hop}");
                assert_eq!(row_sum("hop", hop, &format!("ended_{ending}")), sum(own), "{name}");
            }
        }
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
    for (format, count) in
        [("csv", 16), ("jsonl", 16), ("otlp", 1), ("perfetto", 1), ("openmetrics", 1)]
    {
        let [one, other] = ["one", "other"]
            .map(|name| export(&format!("export-{name}-{format}"), &file, &options, format));
        let mut files = 0;
        for entry in fs::read_dir(&one).unwrap() {
            let entry = entry.unwrap();
            let again = fs::read(other.join(entry.file_name())).unwrap();
            assert!(fs::read(entry.path()).unwrap() == again, "{:?}", entry.file_name());
            files += 1;
        }
        assert_eq!(files, count, "{format}");
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

/// Exports a run as one file, beside what `sim run --json` says, and has a script read both.
fn consume(script: &str, format: &str, file: &str) {
    for (name, scenario, options) in cases() {
        let folder = export(&format!("export-{format}-{name}"), &scenario, &options, format);
        let run = folder.join("run.json");
        fs::write(&run, told(&scenario, &options).to_string()).unwrap();
        if !consumed(script, &[&folder.join(file), &run]) {
            return;
        }
    }
}

#[test]
fn prometheus_parses_the_counts() {
    consume("openmetrics.py", "openmetrics", "metrics.txt");
}

#[test]
fn opentelemetry_reads_the_spans() {
    consume("spans.py", "otlp", "spans.otlp.jsonl");
}

#[test]
fn perfetto_reads_the_trace() {
    consume("trace_events.py", "perfetto", "trace.perfetto");
}

#[test]
fn activities_lie_in_what_they_are_a_part_of_and_none_is_missing() {
    for (name, variant) in [("payment", Some("naive")), ("webhook", None), ("stack_orders", None)] {
        let scenario = shipped(name, variant);
        let all = scenario.activities(scenario.seed(), u32::MAX);
        let outcome = run(&scenario);
        assert_eq!(all.outcome.digest, outcome.digest, "{name}: drawing changes nothing");
        assert_eq!((all.intents_omitted, all.is_cut), (0, false), "{name}");
        for (n, activity) in all.activities.iter().enumerate() {
            let Some(parent) = activity.parent else {
                assert_eq!(activity.intent, n);
                continue;
            };
            assert!(parent < n, "{name}: a part comes after its whole");
            let parent = &all.activities[parent];
            assert!(parent.from <= activity.from, "{name}: {parent:?} {activity:?}");
            let orphan = parent.kind == ActivityKind::Intent
                && matches!(activity.kind, ActivityKind::Attempt | ActivityKind::Command);
            assert!(!orphan, "{name}: {activity:?} is a part of nothing");
        }
        let of = |kind| all.activities.iter().filter(|a| a.kind == kind).count() as u64;
        let sent: u64 = outcome.calls.iter().map(|call| call.attempts).sum();
        let calls: u64 = outcome.calls.iter().map(|call| call.calls).sum();
        assert!(of(ActivityKind::Attempt) + of(ActivityKind::Command) >= sent, "{name}");
        assert!(of(ActivityKind::Call) <= calls, "{name}");
        let open = |a: &&Activity| a.kind == ActivityKind::Intent && a.state == ActivityState::Open;
        let told: u64 = all.activities.iter().filter(open).count() as u64;
        assert!(told >= outcome.goodput.unanswered(), "{name}");
    }
}

#[test]
fn who_is_in_a_violation_is_drawn_however_few_are() {
    let scenario = shipped("payment", Some("naive"));
    let few = scenario.activities(scenario.seed(), 3);
    let account = scenario.account(scenario.seed());
    for broken in &account.violations {
        let intent = broken.violation.intent.as_deref().expect("an intent is charged twice");
        let is_it = |a: &Activity| a.kind == ActivityKind::Intent && a.name == intent;
        assert!(few.activities.iter().any(is_it), "{intent}");
    }
    assert!(few.intents_omitted > 7_000);
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

/// A scenario that is never put to the test, beside the one that breaks.
const IDLE: &str = r#"Scenario(
    name: "idle", about: "Nobody pays.", horizon: "5s",
    actors: {
        "users": Client(load: Burst(count: 1), does: [Call("api.look")]),
        "api": Service(workers: 1, endpoints: { "look": [], "pay": [Effect("charge")] }),
    },
    invariants: [AtMostOnce("charge")],
)
"#;

const STEADY: &str = r#"Scenario(
    name: "steady", about: "All is well.", horizon: "5s",
    actors: {
        "users": Client(load: Open(rate: "5/s"), does: [Call("api.get")]),
        "api": Service(workers: 2, endpoints: { "get": [Effect("charge")] }),
    },
    invariants: [AtMostOnce("charge"), AllAnswered],
)
"#;

#[test]
fn a_pipeline_sees_a_failure_exactly_when_the_exit_code_is_1() {
    let folder = scratch("export-verdicts");
    for (name, text, sets, code) in [
        ("steady", STEADY, "horizon=5s", 0),
        ("idle", IDLE, "horizon=5s", 1),
        ("overload", OVERLOAD, "horizon=20s", 1),
        ("limited", STEADY, "limits=(steps: 40)", 1),
    ] {
        fs::write(folder.join("a.ron"), text).unwrap();
        let (xml, rows) = (format!("{name}.xml"), format!("{name}.jsonl"));
        let mut args = vec!["check", "a.ron", "--seeds", "3", "--set", sets, "--summary", "all.md"];
        args.extend(["--junit", &xml, "--rows", &rows]);
        let told = sim_in(&folder, &args);
        assert_eq!(told.code, Some(code), "{name}: {told:?}");
        let verdicts = fs::read_to_string(folder.join(&xml)).unwrap();
        let is_bad = verdicts.contains("<failure") || verdicts.contains("<error");
        assert_eq!(is_bad, code == 1, "{name}: {verdicts}");
        let kept: Vec<Value> = fs::read_to_string(folder.join(&rows))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let seeds: Vec<u64> = kept.iter().map(|row| row["seed"].as_u64().unwrap()).collect();
        assert_eq!(seeds, [1, 2, 3], "{name}: who hit a limit has a row too");
        let is_limited = name == "limited";
        assert!(kept.iter().all(|row| row["limit"].is_null() != is_limited), "{name}: {kept:?}");
        assert!(kept.iter().all(|row| row["success"].is_null() == is_limited), "{name}: {kept:?}");
        consumed("junit.py", &[&folder.join(&xml), Path::new(&code.to_string())]);
    }
    let summary = fs::read_to_string(folder.join("all.md")).unwrap();
    assert_eq!(summary.matches("\n### ").count() + 1, 4, "each is appended: {summary}");
    let args = ["explore", "a.ron", "--budget", "40", "--set", "limits=(steps: 100000)"];
    let told = sim_in(&folder, &[&args[..], &["--junit", "search.xml"]].concat());
    let verdicts = fs::read_to_string(folder.join("search.xml")).unwrap();
    let is_bad = verdicts.contains("<failure") || verdicts.contains("<error");
    assert_eq!(is_bad, told.code == Some(1), "{verdicts}");
    refused(&sim_in(&folder, &["check", "a.ron", "--rows", "rows.xls"]), &["rows.xls", ".csv"]);
}

#[test]
fn each_run_of_a_comparison_and_of_a_map_has_a_row() {
    let folder = scratch("export-rows");
    fs::write(folder.join("a.ron"), STEADY).unwrap();
    fs::write(folder.join("b.ron"), OVERLOAD).unwrap();
    let rows = |args: &[&str], keys: &[&str]| {
        let plain = sim_in(&folder, args);
        let told = sim_in(&folder, &[args, &["--rows", "rows.jsonl"]].concat());
        assert_eq!(told.stdout, plain.stdout, "rows change nothing else");
        let text = fs::read_to_string(folder.join("rows.jsonl")).unwrap();
        let cell = |row: &Value, key: &&str| row[key].as_str().expect("a text").to_owned();
        let row = |line: &str| -> (Vec<String>, u64, f64) {
            let row: Value = serde_json::from_str(line).unwrap();
            let own = keys.iter().chain(&["verdict"]).map(|key| cell(&row, key)).collect();
            (own, row["seed"].as_u64().unwrap(), row["success"].as_f64().unwrap())
        };
        text.lines().map(row).collect::<Vec<_>>()
    };
    let texts = |own: &[&str]| own.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let own = rows(&["compare", "a.ron", "b.ron", "--seeds", "2", "--no-chart"], &["side"]);
    let all: Vec<(Vec<String>, u64)> = own.iter().map(|row| (row.0.clone(), row.1)).collect();
    let [a, b] = [["a.ron", "kept"], ["b.ron", "violated"]].map(|own| texts(&own));
    assert_eq!(all, [(a.clone(), 1), (a, 2), (b.clone(), 1), (b, 2)]);
    assert!(own[0].2 == 1.0 && own[2].2 < 1.0, "{own:?}");
    let map = ["map", "a.ron", "--x", "horizon=4s,5s", "--seeds", "1", "--no-chart"];
    let map = [&map[..], &["--y", "actors.api.workers=1,2"]].concat();
    let cells: Vec<Vec<String>> = rows(&map, &["x", "y"]).into_iter().map(|row| row.0).collect();
    let all = [["4s", "1"], ["5s", "1"], ["4s", "2"], ["5s", "2"]];
    assert_eq!(cells, all.map(|[x, y]| texts(&[x, y, "kept"])));
}

#[test]
fn what_is_printed_as_json_is_as_its_schema_says() {
    let folder = scratch("export-schema");
    fs::write(folder.join("a.ron"), OVERLOAD).unwrap();
    let payment = root().join("scenarios/payment.ron");
    let payment = payment.to_str().expect("UTF-8");
    let crash = root().join("scenarios/failure-modes/FM-01-crash-after-charge.ron");
    let crash = crash.to_str().expect("UTF-8");
    let few = ["--seeds", "3"];
    for (command, args) in [
        ("run", &[payment, "--variant", "naive"][..]),
        ("run", &["a.ron"]),
        ("run", &["a.ron", "--set", "limits=(steps: 1000)"]),
        ("check", &[&["a.ron", "--each", "--metric", "p99(users)"], &few[..]].concat()),
        ("check", &[payment, "--seeds", "2"]),
        ("check", &[&["a.ron", "--each", "--set", "limits=(steps: 1000)"], &few[..]].concat()),
        ("compare", &[&[crash, "--variants", "base,corrected"], &few[..]].concat()),
        ("map", &[&["a.ron", "--x", "actors.api.workers=1,2"], &few[..]].concat()),
        ("explore", &[crash, "--set", "faults=[]", "--budget", "60"]),
        ("why", &[crash]),
        ("why", &["a.ron", "--intent", "users-3"]),
    ] {
        let told = sim_in(&folder, &[&[command], args, &["--json"]].concat());
        let output = folder.join("output.json");
        assert!(told.stdout.starts_with('{'), "{command} {args:?}: {told:?}");
        fs::write(&output, &told.stdout).unwrap();
        let schema = folder.join(format!("{command}.json"));
        let told = sim_in(&folder, &["schema", command]);
        assert_eq!(told.code, Some(0), "{told:?}");
        fs::write(&schema, &told.stdout).unwrap();
        if !consumed("schema.py", &[&schema, &output]) {
            return;
        }
    }
}
