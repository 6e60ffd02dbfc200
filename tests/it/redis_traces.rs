//! Traces of a real Redis server: every one passes to the letter, one that was changed does not,
//! and what is not understood is never taken for a pass.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use sim_models::conform::{Conformance, TraceError, conform};

use crate::support::{root, scratch, sim_in};

/// A recorded trace by its name.
#[derive(Clone)]
struct Trace {
    name: String,
    lines: Vec<String>,
}

type Fields = Map<String, Value>;

impl Trace {
    fn named(name: &str) -> Trace {
        let path = folder().join(format!("{name}.jsonl"));
        let text = fs::read_to_string(path).expect("a recorded trace");
        Trace { name: name.to_owned(), lines: text.lines().map(str::to_owned).collect() }
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

    fn with_field(&self, line: usize, field: &str, value: Value) -> Trace {
        self.with(line, |fields| {
            fields.insert(field.to_owned(), value);
        })
    }

    fn conform(&self) -> Result<Conformance, TraceError> {
        conform(&(self.lines.join("\n") + "\n"))
    }

    /// The first line, from 1, whose command begins with these words.
    fn line_of(&self, words: &[&str]) -> usize {
        let begins = |line: &usize| {
            let fields = self.fields(*line);
            let cmd = fields.get("cmd").and_then(Value::as_array);
            cmd.is_some_and(|cmd| words.iter().zip(cmd).all(|(word, found)| word == found))
        };
        (2..=self.lines.len()).find(begins).expect("such a command")
    }
}

fn folder() -> PathBuf {
    root().join("tests/golden/redis")
}

fn traces() -> Vec<Trace> {
    let entries = fs::read_dir(folder()).expect("the recorded traces");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let jsonl = paths.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    let mut names: Vec<String> = jsonl.filter_map(stem).collect();
    names.sort();
    assert_eq!(names.len(), 63);
    names.iter().map(|name| Trace::named(name)).collect()
}

#[test]
fn every_trace_passes_to_the_letter() {
    for trace in traces() {
        let found = trace.conform().unwrap_or_else(|e| panic!("{}: {e}", trace.name));
        assert_eq!(found.difference, None, "{}", trace.name);
        assert_eq!(found.level, Some(2));
        assert_eq!(found.events as usize, trace.lines.len() - 1, "{}: every line", trace.name);
        assert_eq!((found.lib.as_str(), found.kind.is_empty()), ("redis", false));
    }
}

/// Replies that differ from the recorded one as little as is visible.
fn changed(reply: &Value) -> Vec<Value> {
    match reply {
        Value::Null => vec![json!(""), json!({"nilarr": true}), json!(0)],
        Value::String(text) => {
            vec![json!(format!("{text}x")), Value::Null, json!({"status": text})]
        }
        Value::Number(n) => {
            let n = n.as_i64().expect("a whole number");
            vec![json!(n.wrapping_add(1)), json!(n.wrapping_sub(1)), json!(n.to_string())]
        }
        Value::Array(items) => {
            let mut arrays = vec![[&items[..], &[json!(7)]].concat()];
            if let Some((last, rest)) = items.split_last() {
                arrays.push(rest.to_vec());
                arrays.extend(changed(last).into_iter().map(|last| [rest, &[last]].concat()));
            }
            arrays.into_iter().map(Value::Array).chain([json!({"nilarr": true})]).collect()
        }
        Value::Object(fields) => match fields.iter().next() {
            Some((kind, Value::String(text))) => {
                vec![json!({kind: format!("{text}.")}), json!(text), json!(1)]
            }
            _ => vec![Value::Null, json!([])],
        },
        Value::Bool(_) => unreachable!("no reply is a truth value"),
    }
}

#[test]
fn every_reply_counts() {
    for trace in traces() {
        for line in 2..=trace.lines.len() {
            let Some(reply) = trace.fields(line).get("reply").cloned() else { continue };
            // One change for each line, another for the next, so that the test stays short.
            let replies = changed(&reply);
            let reply = &replies[line % replies.len()];
            // A text that has changed is told at the end of the trace: what follows is cut off.
            let mut cut = Trace { name: trace.name.clone(), lines: trace.lines[..line].to_vec() };
            cut.lines[0] = cut.with_field(1, "n", json!(line - 1)).lines.swap_remove(0);
            let found = cut.with_field(line, "reply", reply.clone()).conform();
            let difference = found.map(|found| found.difference.map(|d| d.line));
            assert_eq!(difference, Ok(Some(line)), "{}:{line}: {reply}", trace.name);
        }
    }
}

#[test]
fn the_text_of_an_error_counts_at_level_2_only() {
    let trace = Trace::named("counters-1");
    let line = trace.line_of(&["INCRBY", "c", "abc"]);
    let other = trace.with_field(line, "reply", json!({"err": "ERR no such thing"}));
    let found = other.conform().expect("a trace");
    assert_eq!(found.level, Some(1));
    assert_eq!(found.difference.map(|difference| difference.line), Some(line));
    assert_eq!(found.events as usize, trace.lines.len() - 1, "level 1 is decided by the rest");
    let other = other.with_field(line + 1, "reply", json!({"err": "WRONGTYPE"}));
    let found = other.conform().expect("a trace");
    assert_eq!((found.level, found.difference.map(|d| d.line)), (Some(0), Some(line + 1)));
}

#[test]
fn the_order_of_a_hash_counts_at_level_2_only() {
    let trace = Trace::named("hash-1");
    let line = (2..=trace.lines.len())
        .find(|line| {
            let fields = trace.fields(*line);
            fields["cmd"][0] == "HGETALL" && fields["reply"].as_array().is_some_and(|a| a.len() > 3)
        })
        .expect("a hash of two fields");
    let reply = trace.fields(line)["reply"].as_array().cloned().expect("a list");
    let turned = [&reply[2..4], &reply[..2], &reply[4..]].concat();
    let found = trace.with_field(line, "reply", json!(turned)).conform().expect("a trace");
    assert_eq!((found.level, found.difference.map(|d| d.line)), (Some(1), Some(line)));
}

#[test]
fn what_is_not_understood_is_refused_at_its_line() {
    let (plain, two) = (Trace::named("counters-1"), Trace::named("failover-1"));
    let back = Trace::named("clock_jump-1").with(1, |header| {
        header.remove("clock_mode");
    });
    let set = |line, field: &str, value| plain.with_field(line, field, value);
    let event = |event: Value| {
        let mut trace = two.clone();
        trace.lines[3] = event.to_string();
        trace
    };
    for (trace, line, what) in [
        (set(1, "server", json!("redis 8.0.1")), 1, "known: redis 7.0"),
        (set(1, "resp", json!(3)), 1, "known: 2"),
        (set(1, "active_expire", json!(true)), 1, "active_expire"),
        (set(1, "clock_mode", json!("odd")), 1, "nonmonotonic"),
        (set(1, "maxmemory_policy", json!("all")), 1, "noeviction"),
        (set(1, "epoch_ms", json!("soon")), 1, "invalid type"),
        (set(1, "colour", json!(1)), 1, "unknown field"),
        (set(1, "n", json!(3)), plain.lines.len(), "announces 3"),
        (set(3, "t_ms", json!(1.5)), 3, "invalid type"),
        (set(3, "t_ms", json!(i64::MAX)), 3, "no clock shows"),
        (set(3, "cmd", json!([])), 3, "`cmd`"),
        (set(3, "cmd", json!(["GET", 5])), 3, "invalid type"),
        (set(3, "cmd", json!(["SADD", "s", "1"])), 3, "not modelled"),
        (set(3, "cmd", json!(["REPLICAOF", "h", "1"])), 3, "NO ONE"),
        (set(3, "reply", json!(1.5)), 3, "`reply`"),
        (set(3, "reply", json!({"ok": 1})), 3, "`reply`"),
        (set(3, "node", json!("A")), 3, "multi_node"),
        (set(3, "started_ms", json!(0)), 3, "WAIT"),
        (set(3, "event", json!("crash")), 3, "multi_node"),
        (set(3, "color", json!("red")), 3, "unknown field"),
        (back.clone(), back_line(&back), "time goes back"),
        (two.with_field(2, "node", json!("C")), 2, "known: A, B"),
        (event(json!({"t_ms": 0, "event": "flood", "node": "B"})), 4, "unknown event"),
        (event(json!({"t_ms": 0, "event": "crash"})), 4, "`node` is missing"),
        (event(json!({"t_ms": 0, "event": "crash", "node": "B"})), 5, "crashed"),
        (event(json!({"t_ms": 0, "event": "crash", "node": "A", "cmd": ["GET"]})), 4, "no command"),
        (event(json!({"t_ms": 0, "event": "replication_link_cut", "master": "B"})), 4, "`replica`"),
        (event(json!({"t_ms": 0, "event": "replication_caught_up", "node": "A"})), 4, "catch up"),
    ] {
        let error = trace.conform().expect_err(what);
        assert!(error.message.contains(what), "{what}: {error}");
        assert_eq!(error.line, line, "{error}");
    }
    let missing = plain.with(3, |fields| {
        fields.remove("reply");
    });
    assert_eq!(missing.conform().expect_err("no reply").line, 3);
    let mut torn = plain.clone();
    torn.lines[4].truncate(20);
    assert_eq!(torn.conform().expect_err("half a line").line, 5);
    let mut empty = plain.with_field(1, "n", json!(0));
    empty.lines.truncate(1);
    assert!(empty.conform().expect_err("nothing").message.contains("shows nothing"));
}

/// The first line of a trace at which time goes back.
fn back_line(trace: &Trace) -> usize {
    let time = |line| trace.fields(line)["t_ms"].as_i64().expect("a time");
    (3..=trace.lines.len()).find(|line| time(*line) < time(line - 1)).expect("a step back")
}

#[test]
fn the_command_line_reports_both_levels() {
    let folder = scratch("redis-levels");
    let trace = Trace::named("counters-1");
    let line = trace.line_of(&["INCRBY", "c", "abc"]);
    let other = trace.with_field(line, "reply", json!({"err": "ERR other"}));
    let write = |name: &str, trace: &Trace| {
        fs::write(folder.join(name), trace.lines.join("\n")).expect("a file");
    };
    write("a.jsonl", &trace);
    write("b.jsonl", &other);
    write("c.jsonl", &trace.with_field(1, "resp", json!(3)));
    let told = sim_in(&folder, &["conform", "--json", "."]);
    assert_eq!(told.code, Some(2));
    let rows: Vec<Value> =
        told.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let levels: Vec<&Value> = rows.iter().map(|row| &row["level"]).collect();
    assert_eq!(levels, [&json!(2), &json!(1), &Value::Null]);
    assert!(rows.iter().all(|row| row["lib"] == "redis" && row["kind"] == "counters"));
    assert_eq!(rows[1]["first_difference"]["line"], line);
    let told = sim_in(&folder, &["conform", "b.jsonl"]);
    assert_eq!(told.code, Some(1));
    assert!(told.stdout.contains("level 1 passes"), "{}", told.stdout);
}
