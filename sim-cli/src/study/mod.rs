//! `sim check`, `sim compare` and `sim map`: studies over many seeds, and how they are shown.

mod check;
mod compare;
pub mod figure;
mod json;
mod map;
mod progress;

pub use check::check;
pub use compare::compare;
pub use map::map;

use std::path::Path;

use sim_models::source::closest;
use sim_models::study::{Misuse, Options, Subject, Summary};

use crate::args::StudyArgs;
use crate::diagnostics::Failure;
use crate::report::{self, Style};
use crate::{run, words};

/// What was typed, as a study takes it.
fn options<'a>(seeds: u64, args: &StudyArgs, progress: &'a (dyn Fn() + Sync)) -> Options<'a> {
    Options {
        first_seed: args.first_seed,
        seeds,
        jobs: args.jobs.unwrap_or(0),
        confidence: args.confidence,
        progress,
    }
}

impl From<Misuse> for Failure {
    fn from(misuse: Misuse) -> Failure {
        let help = match &misuse {
            Misuse::UnknownFigure { asked, known } => {
                match closest(asked, known.iter().map(String::as_str)) {
                    Some(near) => Some(format!("did you mean `{near}`?")),
                    None => Some(format!("there are {}", known.join(", "))),
                }
            }
            Misuse::NoSeeds => Some("write `--seeds 100`".to_owned()),
            Misuse::OneSide => Some("name variants of a scenario, or several files".to_owned()),
            _ => None,
        };
        match help {
            Some(help) => Failure::with_help(misuse.to_string(), help),
            None => Failure::new(misuse.to_string()),
        }
    }
}

/// What was run: `seeds 1 to 1,000, 3m each, measured from 10s on; intervals at 95 %`.
fn extent(subject: &Subject) -> String {
    let (first, last) = (subject.id.first.seed, subject.id.last_seed());
    let seeds = match first == last {
        true => format!("seed {first}"),
        false => format!("seeds {first} to {last}"),
    };
    let measured = match subject.warmup.is_zero() {
        true => "measured from the start on, without a warm-up".to_owned(),
        false => format!("measured from {} on", subject.warmup),
    };
    let confidence = figure::rounded(subject.confidence * 100.0, 6);
    format!("{seeds}, {} each, {measured}; intervals at {confidence} %", subject.horizon)
}

/// Writes a chart and says where: beside a report in its manner, beside JSON on standard error.
fn keep_chart(out: &Path, name: &str, svg: &str, json: bool) -> Result<(), Failure> {
    let path = out.join(format!("{}.svg", run::file_name(name)));
    run::keep(&path, svg)?;
    run::tell_where("chart", &path, json)
}

/// A label and its text, as reports have them.
fn line(style: &Style, label: &str, text: &str) -> String {
    let label = report::paint(style.dim, &format!("{label:<8}"));
    let width = report::COLUMNS - 10;
    let lines = textwrap::wrap(&report::plain(text), width).join("\n          ");
    format!("{label}  {lines}\n")
}

/// A label and its text, as [`line()`], on one line, so that a shell takes it.
fn command(style: &Style, label: &str, text: &str) -> String {
    let label = report::paint(style.dim, &format!("{label:<8}"));
    format!("{label}  {}\n", report::plain(text))
}

/// A table with an empty line before it.
fn table(style: &Style, header: &[&str], rows: Vec<Vec<String>>, left: &[usize]) -> String {
    let mut table = report::table(header.iter().map(|head| (*head).to_owned()).collect(), rows);
    for column in left {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Left);
        }
    }
    let mut text = "\n".to_owned();
    for (n, line) in table.lines().enumerate() {
        let line = line.trim_end();
        text += &if n == 0 { report::paint(style.head, line) } else { line.to_owned() };
        text.push('\n');
    }
    text
}

/// What is said of runs that a limit ended.
fn limited(summary: &Summary) -> Option<String> {
    let limited = summary.limited.as_ref()?;
    let runs = words::counted(limited.runs, "run");
    let (are, seed) = (if limited.runs == 1 { "is" } else { "are" }, limited.first_seed);
    Some(format!(
        "{runs} ended at a limit and {are} in no figure, first with seed {seed}: {}",
        limited.what
    ))
}
