//! The record of a run: everything that is needed to repeat it, and every step to compare.
//!
//! A text, one line each: the format's name and version, a header in JSON with the scenario's
//! source, the steps, and the end.
//!
//! ```text
//! sim-record 1
//! {"scenario":"payment.ron","source":"Scenario(…)","variant":null,…}
//! 1 20000000 91b0f0a7d3c1e8aa request shoppers->api for shoppers-1
//! end 1 91b0f0a7d3c1e8aa kept
//! ```
//!
//! A step is its number, its instant in nanoseconds, the run's digest after it, and what it was.
//! The end counts the steps and gives the final digest and the verdict. A record is written
//! beside its name and takes the name when it is complete, so that a full disk does no harm. It is
//! read line by line within bounds, so that a strange file does no harm.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sim_core::Time;
use sim_models::custom::Kinds;
use sim_models::outcome::{Outcome, RunId};
use sim_models::{Run, Scenario, StepLine};

use crate::changes::{Changes, Set};
use crate::diagnostics::Failure;
use crate::file::ScenarioFile;
use crate::text::plain;

/// The first line's word and the format's version.
const MAGIC: &str = "sim-record";
const FORMAT: &str = "1";

/// People read what a step was, and names in a scenario have no bound.
const WHAT_CHARS_MAX: usize = 500;
/// The longest line of a step: four bytes per character and room for the figures.
const LINE_MAX: u64 = 4 * WHAT_CHARS_MAX as u64 + 100;
/// The longest header: a scenario of 4 MiB, each byte of which JSON may write as six, and the files
/// that it names.
const HEADER_MAX: u64 = 256 << 20;

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The scenario file's name, without its folder.
    pub scenario: String,
    /// All of the scenario file.
    pub source: String,
    /// The files that it names, with their text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// The variant, if not the base scenario.
    pub variant: Option<String>,
    /// The overrides in order: path and value.
    pub sets: Vec<Set>,
    /// The seed.
    pub seed: u64,
    /// The run's id.
    pub run_id: String,
    /// The version of the engine and the models.
    pub engine: String,
}

impl Header {
    /// Describes a run of `scenario`, which was loaded from `file` with `changes`.
    pub fn new(file: &ScenarioFile, changes: &Changes, scenario: &Scenario, seed: u64) -> Header {
        Header {
            scenario: file.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            source: file.text.clone(),
            files: scenario.files().map(|(name, text)| (name.into(), text.into())).collect(),
            variant: changes.variant.clone(),
            sets: changes.set.clone(),
            seed,
            run_id: scenario.run_id(seed).to_string(),
            engine: RunId::ENGINE.to_owned(),
        }
    }

    /// The scenario that was run; errors call the record `label`.
    ///
    /// # Errors
    /// A source that doesn't load.
    pub fn load(&self, label: &str, kinds: &Kinds) -> Result<Scenario, Failure> {
        let name = format!("{label}/{}", self.scenario);
        let draft = Scenario::text(name, &self.source).kinds(kinds.clone());
        let draft = self.variant.iter().fold(draft, |draft, variant| draft.variant(variant));
        let draft = self.sets.iter().fold(draft, |draft, (path, value)| draft.set(path, value));
        let files = self.files.iter();
        Ok(files.fold(draft, |draft, (name, text)| draft.with_file(name, text)).load()?)
    }
}

/// The last line of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How many steps the run had.
    pub steps: u64,
    /// The run's digest.
    pub digest: u64,
    /// The verdict's name.
    pub verdict: String,
}

impl From<&Outcome> for End {
    fn from(outcome: &Outcome) -> End {
        let verdict = outcome.verdict.name().to_owned();
        End { steps: outcome.steps, digest: outcome.digest, verdict }
    }
}

/// Runs to the end and keeps every step in a file.
///
/// # Errors
/// When the file cannot be written; a file that was there before is then unchanged.
pub fn write(path: &Path, header: &Header, run: Run) -> Result<Outcome, Failure> {
    let failed =
        |error: io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    check_target(path)?;
    let partial = Partial::beside(path);
    let mut out = BufWriter::new(File::create(&partial.0).map_err(failed)?);
    let outcome = write_to(&mut out, header, run).map_err(failed)?;
    out.into_inner().map_err(|error| failed(error.into_error()))?;
    fs::rename(&partial.0, path).map_err(failed)?;
    Ok(outcome)
}

/// Whether a record may take this name. Nothing but an older record is ever replaced: neither a
/// device nor, after a slip in typing, the scenario itself.
fn check_target(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(existing) if !existing.is_file() => {
            return Err(Failure::new(format!("{shown} is not a file")));
        }
        Ok(existing) if existing.len() > 0 => {}
        _ => return Ok(()),
    }
    if is_record(path) {
        return Ok(());
    }
    let message = format!("{shown} is already there and is not a record");
    Err(Failure::with_help(message, "choose another file; this one is left as it is"))
}

/// Whether a file begins as a record does.
pub fn is_record(path: &Path) -> bool {
    let mut start = Vec::new();
    let file = File::open(path).map(|file| file.take(MAGIC.len() as u64));
    file.is_ok_and(|mut file| file.read_to_end(&mut start).is_ok()) && start == MAGIC.as_bytes()
}

/// Runs to the end and writes the record of it.
///
/// # Errors
/// What the writer reports.
pub fn write_to(out: &mut impl Write, header: &Header, mut run: Run) -> io::Result<Outcome> {
    writeln!(out, "{MAGIC} {FORMAT}\n{}", serde_json::to_string(header)?)?;
    while let Some(step) = run.step() {
        let StepLine { number, at, what, digest } = step;
        writeln!(out, "{number} {} {digest:016x} {}", at.as_nanos(), one_line(&what))?;
    }
    let outcome = run.finish();
    let End { steps, digest, verdict } = End::from(&outcome);
    writeln!(out, "end {steps} {digest:016x} {verdict}")?;
    out.flush()?;
    Ok(outcome)
}

/// What a step was, as a record keeps it: without line breaks and of bounded length.
pub fn one_line(what: &str) -> String {
    let mut line = plain(what);
    if let Some((end, _)) = line.char_indices().nth(WHAT_CHARS_MAX) {
        line.truncate(end);
    }
    line
}

/// A file under a passing name, which goes unless it was renamed.
struct Partial(PathBuf);

impl Partial {
    fn beside(path: &Path) -> Partial {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        Partial(name.into())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the renaming there is nothing left to remove.
        let _ = fs::remove_file(&self.0);
    }
}

/// One line after the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A delivered event.
    Step(StepLine),
    /// The end of the run.
    End(End),
    /// The file ends here.
    Nothing,
}

impl FromStr for Line {
    type Err = String;

    fn from_str(line: &str) -> Result<Line, String> {
        let parts: Vec<&str> = line.splitn(4, ' ').collect();
        let [first, second, digest, rest] = parts[..] else {
            return Err("expected `number nanoseconds digest what` or `end steps digest verdict`"
                .to_owned());
        };
        let digest = hex(digest)?;
        if first == "end" {
            let verdict = rest.to_owned();
            return Ok(Line::End(End { steps: number(second)?, digest, verdict }));
        }
        let at = Time::from_nanos(number(second)?);
        Ok(Line::Step(StepLine { number: number(first)?, at, what: rest.to_owned(), digest }))
    }
}

fn number(text: &str) -> Result<u64, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if is_plain { text.parse().ok() } else { None };
    parsed.ok_or_else(|| format!("`{text}` is not a number of 64 bits"))
}

fn hex(text: &str) -> Result<u64, String> {
    let is_digest = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parsed = if is_digest { u64::from_str_radix(text, 16).ok() } else { None };
    parsed.ok_or_else(|| format!("`{text}` is not a digest of 16 hexadecimal digits"))
}

/// Reads a record line by line.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    label: String,
    line: Vec<u8>,
    number: u64,
}

impl Reader<BufReader<File>> {
    /// Opens a record and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, is not a record, or is one of another format.
    pub fn open(path: &Path) -> Result<(Header, Self), Failure> {
        let label = path.display().to_string();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new(format!("there is no file {label}")),
            _ => Failure::new(format!("cannot read {label}: {error}")),
        };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            return Err(Failure::new(format!("{label} is a folder")));
        }
        let input = BufReader::new(File::open(path).map_err(failed)?);
        Reader::new(input, &label)
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the header of a record, which errors call `label`.
    ///
    /// # Errors
    /// When it is not a record, or one of another format.
    pub fn new(input: R, label: &str) -> Result<(Header, Self), Failure> {
        let mut reader = Reader { input, label: label.to_owned(), line: Vec::new(), number: 0 };
        let first = reader.next_text(LINE_MAX).ok().flatten().map(str::to_owned);
        let first = first.unwrap_or_default();
        match first.split_once(' ') {
            Some((MAGIC, FORMAT)) => {}
            Some((MAGIC, other)) => {
                let message = format!("{label} is a record of format {other}");
                let help = format!("this `sim` reads format {FORMAT}");
                return Err(Failure::with_help(message, help));
            }
            _ => {
                let help = "`sim run SCENARIO --record FILE` writes one";
                return Err(Failure::with_help(format!("{label} is not a record of a run"), help));
            }
        }
        let parsed = match reader.next_text(HEADER_MAX)? {
            Some(text) => serde_json::from_str(text).map_err(|error| error.to_string()),
            None => Err("the header is missing".to_owned()),
        };
        match parsed {
            Ok(header) => Ok((header, reader)),
            Err(message) => Err(reader.problem(&message)),
        }
    }

    /// The next step or the end.
    ///
    /// # Errors
    /// A line that is neither, or that cannot be read.
    pub fn next(&mut self) -> Result<Line, Failure> {
        let Some(text) = self.next_text(LINE_MAX)? else {
            return Ok(Line::Nothing);
        };
        match text.parse() {
            Ok(line) => Ok(line),
            // A last line that breaks off is where the file was cut.
            Err(_) if !self.line.ends_with(b"\n") => Ok(Line::Nothing),
            Err(message) => Err(self.problem(&message)),
        }
    }

    /// The next line without its end, or `None` behind the last one.
    fn next_text(&mut self, max: u64) -> Result<Option<&str>, Failure> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.input).take(max + 1).read_until(b'\n', &mut self.line);
        if let Err(error) = read {
            return Err(Failure::new(format!("cannot read {}: {error}", self.label)));
        }
        if self.line.len() as u64 > max {
            return Err(self.problem(&format!("the line is longer than {max} bytes")));
        }
        if self.line.is_empty() {
            return Ok(None);
        }
        match std::str::from_utf8(self.line.strip_suffix(b"\n").unwrap_or(&self.line)) {
            Ok(text) => Ok(Some(text)),
            Err(_) if !self.line.ends_with(b"\n") => Ok(None),
            Err(_) => Err(self.problem("the line is not a text in UTF-8")),
        }
    }

    fn problem(&self, message: &str) -> Failure {
        Failure::new(format!("{}:{}: {message}", self.label, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_written() {
        let step = "17 2500 00000000000000ff request a->b for c-1";
        let at = Time::from_nanos(2500);
        let what = "request a->b for c-1".to_owned();
        assert_eq!(step.parse(), Ok(Line::Step(StepLine { number: 17, at, what, digest: 255 })));
        let end = End { steps: 17, digest: 255, verdict: "kept".to_owned() };
        assert_eq!("end 17 00000000000000ff kept".parse(), Ok(Line::End(end)));
    }

    #[test]
    fn what_was_not_written_is_refused() {
        let digest = "00000000000000ff";
        for line in [
            "",
            "end",
            "1 2 ff what",
            "-1 2 00000000000000ff x",
            "1 +2 00000000000000ff x",
            "1 2 +0000000000000ff x",
            &format!("18446744073709551616 2 {digest} x"),
            &format!("1 2 {digest}"),
        ] {
            assert!(line.parse::<Line>().is_err(), "{line}");
        }
    }

    #[test]
    fn a_step_stays_on_its_line() {
        assert_eq!(one_line("a\nb\u{1b}c"), "a\u{fffd}b\u{fffd}c");
        let long = one_line(&"\u{10ffff}".repeat(10_000));
        assert!((long.len() as u64) < LINE_MAX);
    }

    #[test]
    fn a_strange_file_is_refused_within_bounds() {
        let refusal = |input: &mut dyn BufRead| match Reader::new(input, "x") {
            Ok(_) => panic!("a record was seen in a strange file"),
            Err(failure) => failure.render(false),
        };
        for mut strange in [&b""[..], b"PK\x03\x04\n", b"\xff\xfe\n", b"Scenario(\n", b"sim-record"]
        {
            assert!(refusal(&mut strange).contains("x is not a record"), "{strange:?}");
        }
        assert!(refusal(&mut BufReader::new(io::repeat(0))).contains("x is not a record"));
        assert!(refusal(&mut &b"sim-record 2\n{}\n"[..]).contains("record of format 2"));
        assert!(refusal(&mut &b"sim-record 1\n{\"seed\":1}\n"[..]).contains("x:2: missing field"));
        assert!(refusal(&mut &b"sim-record 1\n"[..]).contains("x:2: the header is missing"));
    }
}
