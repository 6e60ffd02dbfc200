//! `sim replay`: runs a record's scenario again and finds the first step that differs.

use std::fmt;
use std::io::BufRead;
use std::path::PathBuf;

use serde::Serialize as Derive;
use sim_models::StepLine;
use sim_models::custom::Kinds;
use sim_models::outcome::RunId;

use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::record::{self, End, Header, Line, Reader};
use crate::text::{Style, plain};
use crate::{console, json, words};

/// The version of the JSON.
const SCHEMA: u32 = 1;

/// Repeat a recorded run and compare every step
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file that `sim run --record` wrote
    record: PathBuf,

    /// Print JSON instead of text
    #[arg(long, conflicts_with = "verbose")]
    json: bool,

    /// Also say what was replayed
    #[arg(short, long)]
    verbose: bool,
}

/// Replays a record and says whether it repeats.
///
/// # Errors
/// A file that is not a record, a malformed line, or a source that doesn't load.
pub fn replay(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let (header, mut reader) = Reader::open(&args.record)?;
    let label = args.record.display().to_string();
    if header.engine != RunId::ENGINE {
        console::note(&format!(
            "note: {label} was recorded with {}, this is {}; steps may differ",
            header.engine,
            RunId::ENGINE
        ));
    }
    let finding = compare(&header, &mut reader, &label, kinds)?;
    if args.json {
        console::print(&object(&header, &finding))?;
    } else {
        if args.verbose {
            console::print(&about(&header))?;
        }
        console::print(&format!("{finding}\n"))?;
    }
    Ok(if matches!(finding, Finding::Identical(_)) { Exit::Kept } else { Exit::Broken })
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    /// Every step and the end are the same.
    Identical(End),
    /// The record's run id belongs to another run.
    Id {
        /// What was changed since the recording.
        changed: &'static str,
        /// The id in the record.
        recorded: String,
        /// The id of what the record contains.
        replayed: String,
    },
    /// The first line that differs, of the record and of the replay.
    Line {
        /// What the record says.
        recorded: Line,
        /// What the replay says.
        replayed: Line,
    },
}

/// Runs what the header describes and compares it with the lines that follow.
///
/// # Errors
/// A malformed line, or a source that doesn't load; its errors call it `label` and its own name.
fn compare<R: BufRead>(
    header: &Header,
    reader: &mut Reader<R>,
    label: &str,
    kinds: &Kinds,
) -> Result<Finding, Failure> {
    let scenario = header.load(label, kinds)?;
    if let Some(finding) = check_id(header, &scenario.run_id(header.seed)) {
        return Ok(finding);
    }
    let mut run = scenario.start(header.seed);
    while let Some(step) = run.step() {
        let recorded = reader.next()?;
        let replayed = Line::Step(StepLine { what: record::one_line(&step.what), ..step });
        if recorded != replayed {
            return Ok(Finding::Line { recorded, replayed });
        }
    }
    let end = End::from(&run.finish());
    let (recorded, replayed) = (reader.next()?, Line::End(end.clone()));
    if recorded != replayed {
        return Ok(Finding::Line { recorded, replayed });
    }
    match reader.next()? {
        Line::Nothing => Ok(Finding::Identical(end)),
        recorded => Ok(Finding::Line { recorded, replayed: Line::Nothing }),
    }
}

/// Compares the ids but for the engine's version, which may differ as long as the steps agree.
fn check_id(header: &Header, id: &RunId) -> Option<Finding> {
    let stem = |id: &str, engine: &str| id.strip_suffix(&format!("-v{engine}")).map(str::to_owned);
    let replayed = id.to_string();
    let expected = stem(&replayed, RunId::ENGINE);
    if stem(&header.run_id, &header.engine) == expected {
        return None;
    }
    let source = format!("r{}-{:016x}", RunId::FORMAT, id.scenario_hash);
    let changed = if !header.run_id.starts_with(&source) {
        "the scenario's source"
    } else if !header.run_id.contains(&format!("-s{}-v", id.seed)) {
        "the seed"
    } else if header.run_id.ends_with(&format!("-v{}", header.engine)) {
        "the variant or an override"
    } else {
        "the engine's version"
    };
    Some(Finding::Id { changed, recorded: header.run_id.clone(), replayed })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, recorded, replayed) = match self {
            Finding::Identical(End { steps, digest, .. }) => {
                let steps = words::counted(*steps, "step");
                return write!(f, "identical: {steps}, digest {digest:016x}");
            }
            Finding::Id { changed, recorded, replayed } => {
                (id_difference(changed), plain(recorded), plain(replayed))
            }
            Finding::Line { recorded, replayed } => {
                (line_difference(recorded, replayed), tell(recorded), tell(replayed))
            }
        };
        write!(f, "diverged: {what}\n  recorded  {recorded}\n  replayed  {replayed}")
    }
}

fn id_difference(changed: &str) -> String {
    format!("the run id differs, so {changed} was changed after the recording")
}

/// What differs between two lines that do.
fn line_difference(recorded: &Line, replayed: &Line) -> String {
    let count = words::count;
    match (recorded, replayed) {
        (Line::Step(was), Line::Step(is)) if was.number != is.number => {
            format!("where step {} should be, the record has another", count(is.number))
        }
        (Line::Step(was), Line::Step(is)) => {
            let parts = differing(&[
                ("the time", was.at != is.at),
                ("what happened", was.what != is.what),
                ("the digest", was.digest != is.digest),
            ]);
            format!("step {} is the first that differs, in {parts}", count(is.number))
        }
        (Line::End(was), Line::End(is)) => {
            let parts = differing(&[
                ("the number of steps", was.steps != is.steps),
                ("the digest", was.digest != is.digest),
                ("the verdict", was.verdict != is.verdict),
            ]);
            format!("the end differs, in {parts}")
        }
        (Line::Step(was), _) => format!("the record goes on with step {}", count(was.number)),
        (Line::End(_), Line::Step(is)) => {
            format!("the record ends before step {}", count(is.number))
        }
        (Line::End(_), Line::Nothing) => "the record ends twice".to_owned(),
        (Line::Nothing, Line::Step(is)) => {
            format!("the record is cut off before step {}", count(is.number))
        }
        (Line::Nothing, _) => "the record is cut off before its last line".to_owned(),
    }
}

fn differing(parts: &[(&'static str, bool)]) -> String {
    let parts = parts.iter().filter(|(_, differs)| *differs).map(|(part, _)| *part);
    parts.collect::<Vec<_>>().join(" and ")
}

fn tell(line: &Line) -> String {
    match line {
        Line::Step(StepLine { number, at, what, digest }) => {
            // Nanoseconds, since a difference may be smaller than a rounded time shows.
            let at = at.as_nanos();
            plain(&format!("step {number} at {at} ns, digest {digest:016x}: {what}"))
        }
        Line::End(End { steps, digest, verdict }) => {
            plain(&format!("end after {steps} steps, digest {digest:016x}, {verdict}"))
        }
        Line::Nothing => "nothing".to_owned(),
    }
}

/// What is replayed, for people who ask.
fn about(header: &Header) -> String {
    let variant = header.variant.as_deref().unwrap_or("(base)");
    let mut lines = vec![
        ("scenario", header.scenario.clone()),
        ("variant", variant.to_owned()),
        ("seed", header.seed.to_string()),
    ];
    lines.extend(header.sets.iter().map(|(path, value)| ("set", format!("{path}={value}"))));
    lines.push(("run", header.run_id.clone()));
    lines.iter().map(|(label, value)| Style::plain().command(label, value)).collect()
}

#[derive(Derive)]
struct Object<'a> {
    schema: u32,
    scenario: &'a str,
    variant: Option<&'a str>,
    seed: u64,
    run_id: &'a str,
    recorded_with: &'a str,
    identical: bool,
    steps: Option<u64>,
    digest: Option<String>,
    verdict: Option<&'a str>,
    difference: Option<Difference>,
}

#[derive(Derive)]
struct Difference {
    what: String,
    recorded: Option<Side>,
    replayed: Option<Side>,
}

/// One side of a difference: a run id, a step or an end.
#[derive(Derive)]
#[serde(untagged)]
enum Side {
    Id { run_id: String },
    Step { step: u64, at_ns: u64, digest: String, what: String },
    End { steps: u64, digest: String, verdict: String },
}

/// The finding as one JSON object with a newline at its end; what is missing is `null`.
fn object(header: &Header, finding: &Finding) -> String {
    let id = |run_id: &String| Some(Side::Id { run_id: run_id.clone() });
    let (end, difference) = match finding {
        Finding::Identical(end) => (Some(end), None),
        Finding::Id { changed, recorded, replayed } => {
            (None, Some((id_difference(changed), id(recorded), id(replayed))))
        }
        Finding::Line { recorded, replayed } => {
            let what = line_difference(recorded, replayed);
            (None, Some((what, side(recorded), side(replayed))))
        }
    };
    let difference =
        difference.map(|(what, recorded, replayed)| Difference { what, recorded, replayed });
    let object = Object {
        schema: SCHEMA,
        scenario: &header.scenario,
        variant: header.variant.as_deref(),
        seed: header.seed,
        run_id: &header.run_id,
        recorded_with: &header.engine,
        identical: end.is_some(),
        steps: end.map(|end| end.steps),
        digest: end.map(|end| format!("{:016x}", end.digest)),
        verdict: end.map(|end| end.verdict.as_str()),
        difference,
    };
    json::pretty(&object)
}

fn side(line: &Line) -> Option<Side> {
    match line.clone() {
        Line::Step(StepLine { number, at, what, digest }) => {
            let (at_ns, digest) = (at.as_nanos(), format!("{digest:016x}"));
            Some(Side::Step { step: number, at_ns, digest, what })
        }
        Line::End(End { steps, digest, verdict }) => {
            Some(Side::End { steps, digest: format!("{digest:016x}"), verdict })
        }
        Line::Nothing => None,
    }
}

#[cfg(test)]
mod tests;
