//! `sim conform`: replays traces of real libraries against the policies named after them.
//!
//! A trace passes, differs at a line, or is not understood; the last is never taken for one of
//! the others, and never keeps the other traces from being replayed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize as Derive;
use serde_json::Value;
use sim_models::conform::{Conformance, Difference};
use textwrap::core::Word;

use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::line_of;
use crate::text::{COLUMNS, Style, paint, plain};
use crate::{console, words};

/// Two million events of the usual length; more would be a mistake, and cost memory.
const SIZE_MAX: u64 = 256 << 20;

/// A line holds one event: 1 MiB is a thousand times the longest one that a library has shown.
const LINE_MAX: usize = 1 << 20;

/// What a person reads of a recorded line or a state; `--json` has all of it.
const SHOWN_MAX: usize = 1_500;

/// Replay traces of real libraries against the policies named after them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A folder stands for all .jsonl files in it and below, in the order of their names.

A trace that is not understood never passes: it is told on standard error and the exit code is 2,
but the other traces are still replayed. `--json` prints one object per trace, each on one line.
The format of traces is described in docs/CONFORMANCE.md.")]
pub struct Args {
    /// Traces, or folders of them
    #[arg(required = true, value_name = "FILE")]
    traces: Vec<PathBuf>,

    /// Print JSON instead of text, one object per line
    #[arg(long)]
    json: bool,

    /// Print only what does not pass
    #[arg(short, long)]
    quiet: bool,
}

/// Replays each trace and shows what was found, in the order of the arguments.
///
/// # Errors
/// Output that cannot be written. What is wrong with a trace is shown, and the exit code says so.
pub fn conform(args: &Args) -> Result<Exit, Failure> {
    let style = console::style();
    let mut tally = Tally::default();
    for found in args.traces.iter().flat_map(|path| expand(path)) {
        let result = match found {
            Ok(path) => replay(&path),
            Err((path, problem)) => Replayed::unknown(&path, problem),
        };
        tally.add(&result);
        if let Err(problem) = &result.verdict {
            console::complain(&problem.failure(&result.file));
        }
        if args.quiet && result.passes() {
            continue;
        }
        console::print(&if args.json { json(&result) } else { text(&result, &style) })?;
    }
    if tally.total() > 1 && !args.json && !args.quiet {
        console::print(&tally.line())?;
    }
    Ok(tally.exit())
}

/// What came of one trace.
struct Replayed {
    file: String,
    verdict: Result<Conformance, Problem>,
    /// As far as the header of a trace that was not understood could be read.
    names: Names,
}

/// Why a trace could not be replayed.
struct Problem {
    /// The line, from 1, where it is the fault of one.
    line: Option<usize>,
    message: String,
    help: Option<&'static str>,
}

/// What a header says about its trace.
#[derive(Default)]
struct Names {
    kind: Option<String>,
    lib: Option<String>,
    version: Option<String>,
}

impl Replayed {
    fn unknown(path: &Path, problem: Problem) -> Replayed {
        let file = path.display().to_string();
        Replayed { file, verdict: Err(problem), names: Names::default() }
    }

    fn passes(&self) -> bool {
        matches!(&self.verdict, Ok(Conformance { difference: None, .. }))
    }
}

impl Problem {
    fn new(message: impl Into<String>) -> Problem {
        Problem { line: None, message: message.into(), help: None }
    }

    fn at(line: usize, message: impl Into<String>) -> Problem {
        Problem { line: Some(line), ..Problem::new(message) }
    }

    fn failure(&self, file: &str) -> Failure {
        let message = match self.line {
            Some(line) => format!("{file}:{line}: {}", clipped(&self.message)),
            None => format!("{file}: {}", clipped(&self.message)),
        };
        match self.help {
            Some(help) => Failure::with_help(message, help),
            None => Failure::new(message),
        }
    }
}

impl Names {
    fn of(text: &str) -> Names {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let header: Value = serde_json::from_str(first).unwrap_or_default();
        let name = |field: &str| header.get(field).and_then(Value::as_str).map(str::to_owned);
        if header.get("server").is_some() && header.get("lib").is_none() {
            let server = name("server").unwrap_or_default();
            let version = server.strip_prefix("redis ").map(str::to_owned);
            let lib = version.is_some().then(|| "redis".to_owned());
            return Names { kind: name("family"), lib, version };
        }
        Names { kind: name("kind"), lib: name("lib"), version: name("version") }
    }
}

fn replay(path: &Path) -> Replayed {
    let text = match read(path) {
        Ok(text) => text,
        Err(problem) => return Replayed::unknown(path, problem),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let long = text.lines().position(|line| line.len() > LINE_MAX);
    let verdict = match long {
        Some(n) => Err(Problem::at(n + 1, "the line is longer than 1 MiB, so no event")),
        // Each line is parsed alone, so its number among the parsed ones is always 1.
        None => sim_models::conform::conform(text).map_err(|error| {
            Problem::at(error.line, error.message.replace(" at line 1 column ", " at column "))
        }),
    };
    let names = if verdict.is_err() { Names::of(text) } else { Names::default() };
    Replayed { file: path.display().to_string(), verdict, names }
}

/// The text of a file.
fn read(path: &Path) -> Result<String, Problem> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Problem {
            help: Some("`sim conform FOLDER` replays all .jsonl files of a folder"),
            ..Problem::new("there is no such file")
        },
        _ => Problem::new(format!("cannot be read: {error}")),
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(Problem::new("longer than 256 MiB; a trace has at most that"));
    }
    String::from_utf8(bytes).map_err(|error| Problem::at(line_of(&error), "not a text in UTF-8"))
}

type Found = Result<PathBuf, (PathBuf, Problem)>;

/// A file is itself; a folder is the traces in it and below, in the order of their names.
fn expand(path: &Path) -> Vec<Found> {
    if !path.is_dir() {
        return vec![Ok(path.to_owned())];
    }
    let mut found = Vec::new();
    walk(path, &mut found);
    if found.is_empty() {
        let problem = Problem::new("no .jsonl file lies in this folder");
        found.push(Err((path.to_owned(), problem)));
    }
    fn place(found: &Found) -> &Path {
        found.as_ref().unwrap_or_else(|(path, _)| path)
    }
    found.sort_by(|a, b| place(a).cmp(place(b)));
    found
}

fn walk(folder: &Path, found: &mut Vec<Found>) {
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => {
            let problem = Problem::new(format!("cannot be listed: {error}"));
            return found.push(Err((folder.to_owned(), problem)));
        }
    };
    for entry in entries {
        let path = entry.path();
        // A link to a folder is not followed: it may lead back up.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            // A pipe that nobody fills would be waited for; a link to nowhere shows when it is
            // read.
            if fs::metadata(&path).map_or(true, |meta| meta.is_file()) {
                found.push(Ok(path));
            } else {
                found.push(Err((path, Problem::new("not a regular file"))));
            }
        }
    }
}

/// How many traces there were of each verdict.
#[derive(Default)]
struct Tally {
    pass: u64,
    differ: u64,
    wrong: u64,
}

impl Tally {
    fn add(&mut self, result: &Replayed) {
        match &result.verdict {
            Ok(Conformance { difference: None, .. }) => self.pass += 1,
            Ok(_) => self.differ += 1,
            Err(_) => self.wrong += 1,
        }
    }

    fn total(&self) -> u64 {
        self.pass + self.differ + self.wrong
    }

    fn line(&self) -> String {
        let count = words::count;
        format!(
            "{}: {} pass, {} differ, {} not understood\n",
            words::counted(self.total(), "trace"),
            count(self.pass),
            count(self.differ),
            count(self.wrong)
        )
    }

    fn exit(&self) -> Exit {
        match self {
            Tally { wrong: 1.., .. } => Exit::Misused,
            Tally { differ: 1.., .. } => Exit::Broken,
            _ => Exit::Kept,
        }
    }
}

/// A result for people. A trace that was not understood stands on standard error alone.
fn text(result: &Replayed, style: &Style) -> String {
    let Ok(found) = &result.verdict else {
        return String::new();
    };
    let Conformance { lib, version, kind, events, difference, level, .. } = found;
    let file = &result.file;
    match difference {
        None => {
            let verdict = paint(style.good, "pass");
            let events = words::counted(*events, "event");
            let rest = plain(&format!("{file}: {kind}, {lib} {version}, {events}"));
            format!("{verdict}     {rest}\n")
        }
        Some(difference) => {
            let Difference { line, event, field, expected, found, state } = difference;
            let verdict = paint(style.bad, "differs");
            let n = words::count(*events);
            let passed = match level {
                Some(level @ 1..) => format!("; level {level} passes"),
                _ => String::new(),
            };
            let what = format!("`{field}` of {kind}, {lib} {version}, at event {n}{passed}");
            let rest = plain(&format!("{file}:{line}: {what}"));
            let mut text = format!("{verdict}  {rest}\n");
            text += &labelled(style, "expected", &shown(expected.as_ref()));
            text += &labelled(style, "found", &shown(found.as_ref()));
            text += &labelled(style, "recorded", event);
            text += &labelled(style, "before", state);
            text
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "no such field".to_owned(), Value::to_string)
}

/// An indented text under its label, wrapped to the width of a page.
fn labelled(style: &Style, label: &str, text: &str) -> String {
    let label = paint(style.dim, &format!("{label:<8}"));
    let page = textwrap::Options::new(COLUMNS - 12)
        .word_separator(textwrap::WordSeparator::Custom(after_commas));
    let lines = textwrap::wrap(&plain(&clipped(text)), page).join("\n            ");
    format!("  {label}  {lines}\n")
}

/// The places at which a JSON line may be wrapped: it has no spaces.
fn after_commas(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    Box::new(line.split_inclusive([',', ' ']).map(Word::from))
}

/// As much of a text as a person reads.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.to_owned(),
        Some((end, _)) => {
            let more = words::counted((text.len() - end) as u64, "byte");
            format!("{} … {more} more", &text[..end])
        }
    }
}

/// A result for programs: one object on one line, what is missing is null.
fn json(result: &Replayed) -> String {
    let names = &result.names;
    let row = match &result.verdict {
        Ok(found) => Row {
            file: &result.file,
            kind: Some(&found.kind),
            lib: Some(&found.lib),
            version: Some(&found.version),
            lines: Some(found.events),
            pass: found.difference.is_none(),
            level: found.level,
            first_difference: found.difference.as_ref().map(FirstDifference::from),
            error: None,
        },
        Err(problem) => Row {
            file: &result.file,
            kind: names.kind.as_deref(),
            lib: names.lib.as_deref(),
            version: names.version.as_deref(),
            lines: None,
            pass: false,
            level: None,
            first_difference: None,
            error: Some(WrongTrace { line: problem.line, message: &problem.message }),
        },
    };
    serde_json::to_string(&row).expect("names are strings, numbers finite") + "\n"
}

#[derive(Derive)]
struct Row<'a> {
    file: &'a str,
    kind: Option<&'a str>,
    lib: Option<&'a str>,
    version: Option<&'a str>,
    /// Events compared, up to and including the first that differs.
    lines: Option<u64>,
    pass: bool,
    /// Of a trace with two levels: the highest that it passes.
    level: Option<u8>,
    first_difference: Option<FirstDifference<'a>>,
    error: Option<WrongTrace<'a>>,
}

#[derive(Derive)]
struct FirstDifference<'a> {
    line: usize,
    field: &'a str,
    expected: Option<&'a Value>,
    found: Option<&'a Value>,
    event: &'a str,
    state: &'a str,
}

#[derive(Derive)]
struct WrongTrace<'a> {
    line: Option<usize>,
    message: &'a str,
}

impl<'a> From<&'a Difference> for FirstDifference<'a> {
    fn from(difference: &'a Difference) -> FirstDifference<'a> {
        FirstDifference {
            line: difference.line,
            field: &difference.field,
            expected: difference.expected.as_ref(),
            found: difference.found.as_ref(),
            event: &difference.event,
            state: &difference.state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn replayed(difference: Option<Difference>) -> Replayed {
        let conformance = Conformance {
            trace: "x".to_owned(),
            lib: "gobreaker".to_owned(),
            version: "2.4.0".to_owned(),
            kind: "circuit_breaker".to_owned(),
            events: 2,
            difference,
            level: None,
        };
        Replayed { file: "x.jsonl".to_owned(), verdict: Ok(conformance), names: Names::default() }
    }

    fn difference() -> Difference {
        Difference {
            line: 3,
            event: r#"{"t":5,"op":"probe","state":"open"}"#.to_owned(),
            field: "state".to_owned(),
            expected: Some(json!("open")),
            found: None,
            state: format!("Breaker {{ {}}}", "failures: 1, ".repeat(10)),
        }
    }

    #[test]
    fn a_difference_shows_both_sides_the_line_and_the_state_before() {
        let text = text(&replayed(Some(difference())), &Style::plain());
        assert_eq!(text, DIFFERS);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
    }

    #[test]
    fn each_verdict_has_its_row() {
        let [pass, differs] = [None, Some(difference())].map(|d| json(&replayed(d)));
        assert_eq!(
            pass,
            r#"{"file":"x.jsonl","kind":"circuit_breaker","lib":"gobreaker","version":"2.4.0","#
                .to_owned()
                + r#""lines":2,"pass":true,"level":null,"first_difference":null,"error":null}"#
                + "\n"
        );
        let differs: Value = serde_json::from_str(&differs).expect("JSON");
        assert_eq!(differs["first_difference"]["expected"], "open");
        assert_eq!(differs["first_difference"]["found"], Value::Null);
        let unknown = Replayed {
            names: Names::of("\n{\"kind\":\"circuit_breaker\",\"lib\":7}\nrest"),
            ..Replayed::unknown(Path::new("x.jsonl"), Problem::at(3, "no event"))
        };
        let row: Value = serde_json::from_str(&json(&unknown)).expect("JSON");
        assert_eq!(row["error"], json!({"line": 3, "message": "no event"}));
        assert_eq!(row["pass"], false);
        assert_eq!([&row["kind"], &row["lib"]], [&json!("circuit_breaker"), &Value::Null]);
    }

    #[test]
    fn what_is_not_understood_outweighs_a_difference() {
        let mut tally = Tally::default();
        tally.add(&replayed(None));
        assert_eq!(tally.exit(), Exit::Kept);
        tally.add(&replayed(Some(difference())));
        assert_eq!(tally.exit(), Exit::Broken);
        tally.add(&Replayed::unknown(Path::new("y"), Problem::new("gone")));
        assert_eq!(tally.exit(), Exit::Misused);
        tally.add(&replayed(Some(difference())));
        assert_eq!(tally.exit(), Exit::Misused);
        assert_eq!(tally.line(), "4 traces: 1 pass, 2 differ, 1 not understood\n");
    }

    #[test]
    fn a_text_from_a_file_is_short_and_steers_no_terminal() {
        let hostile = format!("\u{1b}[31m{}", "é".repeat(1 << 20));
        let shown = labelled(&Style::plain(), "recorded", &hostile);
        assert!(shown.len() < 8 * SHOWN_MAX, "{}", shown.len());
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.contains("bytes more"), "{shown}");
    }

    const DIFFERS: &str = r#"differs  x.jsonl:3: `state` of circuit_breaker, gobreaker 2.4.0, at event 2
  expected  "open"
  found     no such field
  recorded  {"t":5,"op":"probe","state":"open"}
  before    Breaker { failures: 1, failures: 1, failures: 1, failures: 1, failures: 1, failures: 1,
            failures: 1, failures: 1, failures: 1, failures: 1, }
"#;
}
