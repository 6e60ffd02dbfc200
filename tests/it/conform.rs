//! Policies behave like the libraries they are named after: every recorded trace passes, a trace
//! that was changed does not, and what is not understood is never taken for a pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sim_models::conform::{Conformance, TraceError, conform};

use crate::support::{Told, root, scratch, sim_in};

/// A trace of which many tests make another.
const BREAKER: &str = "resilience4j-seed-seed";

/// The fields that are fed to a policy. What else stands in an event is compared.
const INPUTS: [&str; 30] = [
    "t",
    "op",
    "id",
    "outcome",
    "dur",
    "what",
    "action",
    "attempt",
    "draw",
    "draws",
    "outcomes",
    "kind",
    "t_ns",
    "dur_ms",
    "permits",
    "max_wait_ms",
    "value",
    "value_ms",
    "rtt_ns",
    "inflight",
    "drop",
    "retry_after_ms",
    "method",
    "answers",
    "key",
    "api",
    "max_network_retries",
    "maxNetworkRetries",
    "backends",
    "ms",
];

/// A recorded trace by its name.
#[derive(Clone)]
struct Trace {
    name: String,
    lines: Vec<String>,
}

type Fields = Map<String, Value>;

impl Trace {
    fn named(name: &str) -> Trace {
        Trace::read(&folder().join(format!("{name}.jsonl")))
    }

    fn read(path: &Path) -> Trace {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(path).expect("a recorded trace");
        Trace { name, lines: text.lines().map(str::to_owned).collect() }
    }

    fn fields(&self, line: usize) -> Fields {
        serde_json::from_str(&self.lines[line - 1]).expect("a JSON object")
    }

    /// This trace with one of its lines, from 1, changed.
    fn with(&self, line: usize, change: impl FnOnce(&mut Fields)) -> Trace {
        let mut fields = self.fields(line);
        change(&mut fields);
        let mut trace = self.clone();
        trace.lines[line - 1] = Value::Object(fields).to_string();
        trace
    }

    /// This trace up to and including a line.
    fn until(&self, line: usize) -> Trace {
        Trace { name: self.name.clone(), lines: self.lines[..line].to_vec() }
    }

    fn with_option(&self, option: &str, value: Value) -> Trace {
        self.with(1, |header| {
            header["config"].as_object_mut().expect("options").insert(option.to_owned(), value);
        })
    }

    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    fn conform(&self) -> Result<Conformance, TraceError> {
        conform(&self.text())
    }

    /// The first line, from 1, that has a field.
    fn line_with(&self, field: &str) -> usize {
        let has = |line: &usize| self.fields(*line).contains_key(field);
        (2..=self.lines.len()).find(has).expect("such a line")
    }
}

fn folder() -> PathBuf {
    root().join("tests/golden/policies")
}

/// All recorded traces, in the order of their names.
fn traces() -> Vec<Trace> {
    let mut paths = Vec::new();
    let mut folders = vec![folder(), root().join("tests/golden/policies2")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the recorded traces") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "jsonl" => paths.push(path),
                _ => {}
            }
        }
    }
    paths.sort();
    assert!(paths.len() > 100, "{} traces are too few", paths.len());
    paths.iter().map(|path| Trace::read(path)).collect()
}

/// The line at which a trace stops being the library's, which it must.
fn caught(trace: &Trace) -> Option<usize> {
    match trace.conform() {
        Ok(Conformance { difference: None, .. }) => None,
        Ok(Conformance { difference: Some(difference), .. }) => Some(difference.line),
        Err(error) => Some(error.line),
    }
}

fn fail_if_any(failures: &[String], all: usize, what: &str) {
    let shown = failures[..failures.len().min(400)].join("\n");
    assert!(failures.is_empty(), "{} of {all} {what}:\n{shown}", failures.len());
}

#[test]
fn every_trace_passes() {
    let traces = traces();
    let mut failures = Vec::new();
    for trace in &traces {
        let name = &trace.name;
        match trace.conform() {
            Ok(Conformance { difference: None, events, .. }) => {
                assert_eq!(events as usize, trace.lines.len() - 1, "{name}: every event counts");
            }
            Ok(Conformance { difference: Some(d), .. }) => {
                let side = |value: &Option<Value>| match value {
                    Some(value) => value.to_string(),
                    None => "nothing".to_owned(),
                };
                let (expected, found) = (side(&d.expected), side(&d.found));
                failures.push(format!(
                    "{name}:{}: `{}` is {expected} in the library, {found} here\n    {}\n    {}",
                    d.line, d.field, d.event, d.state
                ));
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    fail_if_any(&failures, traces.len(), "traces do not pass");
}

#[test]
fn the_example_of_the_manual_passes() {
    let manual = fs::read_to_string(root().join("docs/CONFORMANCE.md")).expect("the manual");
    let block = manual.split("```json\n").find(|block| block.starts_with(r#"{"trace""#));
    let example = block.and_then(|block| block.split("```").next()).expect("the example");
    assert_eq!(example.lines().count(), 10);
    let found = conform(example).expect("a trace");
    assert_eq!((found.events, found.difference), (9, None));
}

/// Values that differ from the recorded one as little as is visible.
fn changed(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(1)],
        Value::Bool(flag) => vec![json!(!flag)],
        Value::String(text) => vec![json!(format!("{text}x")), json!(1)],
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(n), _) => vec![json!(n + 1), json!(n - 1), json!(n.to_string())],
            (None, Some(x)) => vec![json!(x * 1.000_1 + 1e-4), json!(-1 - x.abs() as i64)],
            _ => unreachable!("a number is one of these"),
        },
        Value::Array(items) => {
            let mut arrays: Vec<Vec<Value>> = vec![[&items[..], &[json!(7)]].concat()];
            if let Some((last, rest)) = items.split_last() {
                arrays.extend(changed(last).into_iter().map(|v| [rest, &[v]].concat()));
                // Dropping the only item leaves an empty list, which is as good as none.
                arrays.push(rest.to_vec());
            }
            arrays.into_iter().map(Value::Array).collect()
        }
        Value::Object(fields) => {
            let mut objects = Vec::new();
            for (field, value) in fields {
                for value in changed(value) {
                    let mut object = fields.clone();
                    object.insert(field.clone(), value);
                    objects.push(object);
                }
                let mut object = fields.clone();
                object.remove(field);
                objects.push(object);
            }
            let more = fields.clone().into_iter().chain([("unheard_of".to_owned(), json!(1))]);
            objects.push(more.collect());
            objects.into_iter().map(Value::Object).collect()
        }
    }
}

/// The first lines, from 1, of each kind of event: an operation with certain fields.
fn samples(trace: &Trace) -> Vec<usize> {
    let mut seen: BTreeMap<(String, Vec<String>), u32> = BTreeMap::new();
    let is_new = |line: &usize| {
        let fields = trace.fields(*line);
        let shape = (fields["op"].to_string(), fields.keys().cloned().collect());
        let n = seen.entry(shape).or_default();
        *n += 1;
        *n <= 2
    };
    (2..=trace.lines.len()).filter(is_new).collect()
}

#[test]
fn every_output_is_compared() {
    let traces = traces();
    let (mut tried, mut missed) = (0, Vec::new());
    // A trace that does not pass is another test's failure.
    for trace in traces.iter().filter(|trace| caught(trace).is_none()) {
        for line in samples(trace) {
            let trace = trace.until(line);
            let mut check = |what: String, changed: &Trace| {
                tried += 1;
                if caught(changed) != Some(line) {
                    missed.push(format!("{}:{line}: {what}", trace.name));
                }
            };
            let fields = trace.fields(line);
            for (field, value) in fields.iter().filter(|(f, _)| !INPUTS.contains(&f.as_str())) {
                for value in changed(value) {
                    let what = format!("`{field}` changed to {value}");
                    let insert = |fields: &mut Fields| fields.insert(field.clone(), value);
                    check(what, &trace.with(line, |fields| _ = insert(fields)));
                }
                let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                // The counters `m` are recorded where the library shows them, so at will.
                if field != "m" && !empty {
                    let without = trace.with(line, |fields| _ = fields.remove(field));
                    check(format!("`{field}` left out"), &without);
                }
            }
            let more = trace.with(line, |fields| _ = fields.insert("unheard_of".into(), json!(1)));
            check("a field added".to_owned(), &more);
        }
    }
    assert!(tried > 5_000, "{tried} changes are too few");
    fail_if_any(&missed, tried, "changes went unnoticed");
}

#[test]
fn the_command_names_the_line_that_was_tampered_with() {
    let folder = scratch("conform-tampered");
    let good = Trace::named(BREAKER);
    let line = good.lines.len() / 2;
    let line = (line..).find(|&line| good.fields(line)["state"] == "closed").expect("closed");
    let mut bad = good.clone();
    bad.lines[line - 1] = bad.lines[line - 1].replace(r#""closed""#, r#""open""#);
    fs::write(folder.join("good.jsonl"), good.text()).unwrap();
    fs::write(folder.join("bad.jsonl"), bad.text()).unwrap();

    let told = sim_in(&folder, &["conform", "bad.jsonl"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(1), ""), "{told:?}");
    assert!(told.stdout.starts_with(&format!("differs  bad.jsonl:{line}: `state`")), "{told:?}");
    for wanted in ["expected  \"open\"", "found     \"closed\"", "recorded  {", "before    "] {
        assert!(told.stdout.contains(wanted), "`{wanted}` is missing from:\n{}", told.stdout);
    }

    let told = sim_in(&folder, &["conform", "good.jsonl"]);
    let events = good.lines.len() - 1;
    let pass =
        format!("pass     good.jsonl: circuit_breaker, resilience4j 2.4.0, {events} events\n");
    assert_eq!(told, Told { code: Some(0), stdout: pass.clone(), stderr: String::new() });

    let told = sim_in(&folder, &["conform", "good.jsonl", "bad.jsonl", "good.jsonl"]);
    assert_eq!(told.code, Some(1));
    assert!(told.stdout.starts_with(&pass), "{told:?}");
    assert!(
        told.stdout.ends_with(&format!("{pass}3 traces: 2 pass, 1 differ, 0 not understood\n"))
    );

    let told = sim_in(&folder, &["conform", "-q", "good.jsonl", "bad.jsonl"]);
    assert!(told.stdout.starts_with("differs  bad.jsonl") && !told.stdout.contains("pass"));
    assert_eq!(sim_in(&folder, &["conform", "-q", "good.jsonl"]).stdout, "");

    let told = sim_in(&folder, &["conform", "--json", "bad.jsonl", "good.jsonl", "none.jsonl"]);
    assert_eq!(told.code, Some(2), "what is not understood outweighs a difference");
    assert!(told.stderr.contains("none.jsonl: there is no such file"), "{told:?}");
    let rows: Vec<Value> =
        told.stdout.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["pass"], false);
    assert_eq!(rows[0]["lines"], line - 1);
    let first = &rows[0]["first_difference"];
    assert_eq!(first["line"], line);
    assert_eq!(first["field"], "state");
    assert_eq!([&first["expected"], &first["found"]], ["open", "closed"]);
    assert_eq!(first["event"], bad.lines[line - 1]);
    assert!(first["state"].as_str().is_some_and(|state| !state.is_empty()));
    assert_eq!(
        rows[1],
        json!({
            "file": "good.jsonl", "kind": "circuit_breaker", "lib": "resilience4j",
            "version": "2.4.0", "lines": events, "pass": true, "level": null,
            "first_difference": null, "error": null,
        })
    );
    assert_eq!(
        rows[2],
        json!({
            "file": "none.jsonl", "kind": null, "lib": null, "version": null, "lines": null,
            "pass": false, "level": null, "first_difference": null,
            "error": {"line": null, "message": "there is no such file"},
        })
    );
}

#[test]
fn what_is_not_understood_is_told_with_its_place() {
    let trace = Trace::named(BREAKER);
    let end = trace.line_with("outcome");
    let text = |texts: &[&str]| texts.join("\n");
    let header = trace.lines[0].as_str();
    let start = r#"{"t":0,"op":"start","id":1,"permitted":true,"state":"closed"}"#;
    let set = |field: &str, value: Value| {
        trace.with(1, |header| _ = header.insert(field.to_owned(), value)).text()
    };
    let event = |field: &str, value: Value| {
        trace.with(end, |event| _ = event.insert(field.to_owned(), value)).text()
    };
    let without = |field: &str| trace.with(end, |event| _ = event.remove(field)).text();
    for (what, text, line, wanted) in [
        ("an unknown kind", set("kind", json!("toaster")), 1, &["toaster", "bulkhead"][..]),
        ("an unknown library", set("lib", json!("resilient")), 1, &["resilient", "resilience4j"]),
        ("a kind it has not", set("kind", json!("concurrency_limit")), 1, &["resilience4j"]),
        ("a header's unknown field", set("vresion", json!("1")), 1, &["vresion", "version"]),
        ("options that are none", set("config", json!([1])), 1, &["header"]),
        ("a number as a name", set("lib", json!(7)), 1, &["header"]),
        (
            "an unknown option",
            trace.with_option("slidingWindow", json!(1)).text(),
            1,
            &["slidingWindow", "slidingWindowSize"],
        ),
        (
            "an option of another type",
            trace.with_option("slidingWindowSize", json!("many")).text(),
            1,
            &["slidingWindowSize", "many", "whole number"],
        ),
        (
            "an option below its range",
            trace.with_option("waitDurationInOpenStateMs", json!(-1)).text(),
            1,
            &["waitDurationInOpenStateMs", "-1"],
        ),
        (
            "an absurd option",
            trace.with_option("slidingWindowSize", json!(10_u64.pow(18))).text(),
            1,
            &["slidingWindowSize", "1000000000000000000"],
        ),
        ("an unknown operation", event("op", json!("strat")), end, &["strat", "start"]),
        ("an unknown outcome", event("outcome", json!("meh")), end, &["meh", "ok"]),
        ("a missing input", without("id"), end, &["id", "missing"]),
        ("a missing operation", without("op"), end, &["op", "missing"]),
        ("a missing time", without("t"), end, &["`t`", "missing"]),
        ("a negative time", event("t", json!(-1)), end, &["`t`", "-1"]),
        ("a time beyond all clocks", event("t", json!(1e300)), end, &["`t` is 1000", "time"]),
        ("an input of another type", event("id", json!("one")), end, &["id", "one", "number"]),
        ("a call that never began", event("id", json!(999_999)), end, &["999999"]),
        ("an empty file", String::new(), 1, &["empty"]),
        ("blank lines", "\n \n\t\n".to_owned(), 1, &["empty"]),
        ("only a header", header.to_owned(), 1, &["events"]),
        ("no header", start.to_owned(), 1, &["header"]),
        ("two headers", text(&[header, header]), 2, &["`t`"]),
        ("a text", "To be, or not to be\n".to_owned(), 1, &["header"]),
        ("a cut line", text(&[header, start, &start[..20]]), 3, &["event"]),
        ("a list", text(&[header, start, "[1]"]), 3, &["event"]),
        ("two events on a line", text(&[header, &format!("{start}{start}")]), 2, &["event"]),
        ("a NUL", text(&[header, start, "\0"]), 3, &["event"]),
        ("a call that starts twice", text(&[header, start, start]), 3, &["call 1", "twice"]),
        (
            "time that goes back",
            text(&[header, &start.replace(":0,", ":5,"), &start.replace(":1,", ":2,")]),
            3,
            &["back"],
        ),
    ] {
        let error = conform(&text).expect_err(what);
        assert_eq!(error.line, line, "{what}: {error}");
        for wanted in wanted {
            assert!(error.message.contains(wanted), "{what}: `{wanted}` is missing from: {error}");
        }
    }
}

#[test]
fn sizes_without_sense_are_refused() {
    let sizes = BTreeSet::from([
        "capacity",
        "longWindow",
        "maxConcurrentCalls",
        "minimumNumberOfCalls",
        "permittedNumberOfCallsInHalfOpenState",
        "queue",
        "requestVolumeThreshold",
        "rollingBuckets",
        "rollingCountBuckets",
        "size",
        "slidingWindowSize",
        "windowSize",
    ]);
    let (mut tried, mut failures) = (BTreeSet::new(), Vec::new());
    for trace in traces() {
        let header = trace.fields(1);
        for option in header["config"].as_object().expect("options").keys() {
            if sizes.contains(option.as_str()) {
                tried.insert(option.clone());
                match trace.with_option(option, json!(10_u64.pow(18))).conform() {
                    Err(error) if error.line == 1 && error.message.contains(option) => {}
                    other => failures.push(format!("{}: {option}: {other:?}", trace.name)),
                }
            }
        }
    }
    fail_if_any(&failures, tried.len(), "sizes of 10^18 are not refused by name");
    assert_eq!(tried.len(), sizes.len(), "of {sizes:?} only {tried:?} occur");
}

#[test]
fn no_number_or_text_makes_it_panic() {
    let hostile = [
        json!(0),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(1e-300),
        json!(1e12),
        json!(1e14),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(null),
        json!(true),
        json!(""),
        json!("ratio>=1e999,min=-1"),
        json!([]),
        json!([0, 0, 0]),
        json!([-1, 1e300, "x", 1e300]),
        json!({"a": 1}),
    ];
    let mut seen = BTreeSet::new();
    for mut trace in traces() {
        let header = trace.fields(1);
        trace.lines.truncate(60);
        let options = header["config"].as_object().expect("options");
        let names = ["kind", "lib", "version"].map(|name| header[name].to_string());
        for option in
            options.keys().filter(|option| seen.insert((names.clone(), (*option).clone())))
        {
            for value in &hostile {
                // What comes of it is shown elsewhere: here it has to come to something.
                let _ = trace.with_option(option, value.clone()).conform();
            }
        }
        for line in samples(&trace) {
            let fields = trace.fields(line);
            let shape = (names.clone(), format!("{:?}", fields.keys()));
            if !seen.insert(shape) {
                continue;
            }
            for field in fields.keys().filter(|field| INPUTS.contains(&field.as_str())) {
                for value in &hostile {
                    let insert = |fields: &mut Fields| fields.insert(field.clone(), value.clone());
                    let _ = trace.with(line, |fields| _ = insert(fields)).conform();
                }
            }
        }
    }
}

fn refused(told: &Told, wanted: &[&str]) {
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(!told.stderr.contains("panicked"), "{told:?}");
    for text in wanted {
        assert!(told.stderr.contains(text), "`{text}` is missing from:\n{}", told.stderr);
    }
}

#[test]
fn a_strange_file_is_refused_and_the_others_are_replayed() {
    let folder = scratch("conform-strange");
    let trace = Trace::named(BREAKER);
    let header = &trace.lines[0];
    fs::write(folder.join("good.jsonl"), trace.text()).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    let deep = format!("{header}\n{{\"t\":0,\"op\":{}", "[".repeat(100_000));
    let flat = format!("{header}\n{{\"t\":0,\"op\":\"{}\"}}", "x".repeat(2 << 20));
    let latin = [header.as_bytes(), b"\n{\"t\":0,\"op\":\"caf\xe9\"}"].concat();
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    let escapes = format!("{header}\n{{\"t\":0,\"op\":\"\\u001b[31m\\u0000\"}}");
    let files: [(&str, &[u8], &[&str]); 8] = [
        ("none-inside.jsonl", b"", &["none-inside.jsonl:1: the file is empty"]),
        ("deep.jsonl", deep.as_bytes(), &["deep.jsonl:2: ", "recursion limit", "at column"]),
        ("flat.jsonl", flat.as_bytes(), &["flat.jsonl:2: ", "1 MiB"]),
        ("latin1.jsonl", &latin, &["latin1.jsonl:2: ", "UTF-8"]),
        ("binary.jsonl", &binary, &["binary.jsonl:", "UTF-8"]),
        ("zeros.jsonl", &[0; 100], &["zeros.jsonl:1: "]),
        ("header.jsonl", header.as_bytes(), &["header.jsonl:1: ", "events"]),
        ("escapes.jsonl", escapes.as_bytes(), &["escapes.jsonl:2: unknown operation"]),
    ];
    for (name, bytes, wanted) in files {
        fs::write(folder.join(name), bytes).unwrap();
        let told = sim_in(&folder, &["conform", name, "good.jsonl"]);
        refused(&told, wanted);
        assert!(!told.stderr.contains('\u{1b}'), "{told:?}");
        assert!(told.stdout.starts_with("pass     good.jsonl"), "{told:?}");
        assert!(told.stdout.ends_with("2 traces: 1 pass, 0 differ, 1 not understood\n"));
    }
    File::create(folder.join("vast.jsonl")).unwrap().set_len((256 << 20) + 1).unwrap();
    refused(&sim_in(&folder, &["conform", "vast.jsonl"]), &["vast.jsonl: ", "256 MiB"]);
    refused(&sim_in(&folder, &["conform", "empty"]), &["empty: ", ".jsonl"]);
    refused(&sim_in(&folder, &["conform", "gone.jsonl"]), &["gone.jsonl: there is no such file"]);
    refused(&sim_in(&folder, &["conform"]), &["FILE"]);
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_matter() {
    let folder = scratch("conform-ends");
    let trace = Trace::named(BREAKER);
    let crlf = trace.lines.join("\r\n") + "\r\n";
    for (name, text) in [
        ("crlf.jsonl", crlf.clone()),
        ("bom.jsonl", format!("\u{feff}{}", trace.text())),
        ("blank.jsonl", trace.text().replace('\n', "\n\n")),
        ("cut.jsonl", crlf.trim_end().to_owned()),
    ] {
        fs::write(folder.join(name), text).unwrap();
        let told = sim_in(&folder, &["conform", name]);
        assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{told:?}");
    }
}

#[test]
fn a_folder_is_its_traces_in_the_order_of_their_names() {
    let folder = scratch("conform-folder");
    let text = Trace::named(BREAKER).text();
    fs::create_dir_all(folder.join("all/deeper")).unwrap();
    for name in ["all/b.jsonl", "all/a.jsonl", "all/deeper/c.jsonl", "all/e.jsonl", "first.jsonl"] {
        fs::write(folder.join(name), &text).unwrap();
    }
    fs::write(folder.join("all/README.md"), "No trace.").unwrap();
    let told = sim_in(&folder, &["conform", "first.jsonl", "all"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let files = told.stdout.lines().filter_map(|line| {
        Some(line.strip_prefix("pass     ")?.split_once(':')?.0.replace('\\', "/"))
    });
    assert_eq!(
        files.collect::<Vec<_>>(),
        ["first.jsonl", "all/a.jsonl", "all/b.jsonl", "all/deeper/c.jsonl", "all/e.jsonl"]
    );
    assert!(told.stdout.ends_with("5 traces: 5 pass, 0 differ, 0 not understood\n"), "{told:?}");
}
