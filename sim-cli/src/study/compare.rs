//! `sim compare`: variants, or files, on the same seeds.

use sim_models::Scenario;
use sim_models::study::{Comparison, Contrast, Figure, Judgement, Kind, Side};

use super::figure::{self, NONE};
use super::progress::Progress;
use super::{command, extent, json, limited, line, options, table};
use crate::args::{self, CompareArgs};
use crate::diagnostics::Failure;
use crate::file::{ScenarioFile, warnings_of};
use crate::report::{self, Style};
use crate::{Exit, console};

/// The scenario as it stands, among its variants.
const BASE: &str = "base";

/// Runs all sides on the same seeds and shows what differs.
///
/// # Errors
/// A side that cannot be read or run, or options that make no sense.
pub fn compare(args: &CompareArgs) -> Result<Exit, Failure> {
    let sides = sides(args)?;
    console::warn(&warnings_of(sides.iter().map(|(_, scenario)| scenario)));
    let progress = Progress::new(args.seeds.saturating_mul(sides.len() as u64));
    let tick = || progress.tick();
    let comparison = Comparison::run(&sides, &options(args.seeds, &args.study, &tick))?;
    drop(progress);
    console::print(&if args.study.json {
        json::comparison(&comparison)
    } else {
        text(&comparison, &args::repeat_compare(args), &console::style())
    })?;
    Ok(Exit::Kept)
}

/// The sides that were asked for.
fn sides(args: &CompareArgs) -> Result<Vec<(String, Scenario)>, Failure> {
    let [path] = &args.scenarios[..] else {
        if !args.variants.is_empty() {
            let message = "variants belong to one scenario, and several files were named";
            let help = "compare the variants of one file, or several files as they stand";
            return Err(Failure::with_help(message, help));
        }
        let load = |path| {
            let file = ScenarioFile::read(path)?;
            Ok((path.display().to_string(), file.load(None, &args.set)?))
        };
        return args.scenarios.iter().map(|path| load(path)).collect();
    };
    let file = ScenarioFile::read(path)?;
    let mut names = args.variants.clone();
    if names.is_empty() {
        names.push(BASE.to_owned());
        names.extend(file.load(None, &args.set)?.variants());
    }
    let (mut sides, mut mistakes) = (Vec::new(), Vec::new());
    for name in names {
        let variant = Some(name.trim()).filter(|name| *name != BASE);
        match file.load(variant, &args.set) {
            Ok(scenario) => sides.push((name, scenario)),
            // A mistake in an override shows up on every side.
            Err(errors) => {
                errors.into_iter().for_each(|error| {
                    if !mistakes.contains(&error) {
                        mistakes.push(error);
                    }
                });
            }
        }
    }
    if mistakes.is_empty() { Ok(sides) } else { Err(mistakes.into()) }
}

fn text(comparison: &Comparison, repeat: &str, style: &Style) -> String {
    let first = &comparison.sides[0];
    let mut text = line(style, "scenario", &first.subject.scenario);
    text += &line(style, "study", &extent(&first.subject));
    for side in &comparison.sides {
        if let Some(said) = limited(&side.summary) {
            text += &line(style, "limit", &format!("{}: {said}", side.name));
        }
    }
    if first.subject.id.seeds == 1 {
        text += &line(style, "interval", "one seed has none; take more seeds");
    }
    for (n, side) in comparison.sides.iter().enumerate().skip(1) {
        text += &against(comparison, n, side, style);
    }
    let chance = figure::rounded(100.0 - 100.0 * first.subject.confidence, 6);
    text += &format!(
        "\n\"no difference\": the interval of the difference contains 0. Of figures that truly do not\n\
         differ, {chance} % are called better or worse by chance. Latencies of all actors: --json.\n\n"
    );
    for side in &comparison.sides {
        let name = format!("{}: {}", side.name, side.subject.id);
        text += &line(style, "study id", &name);
    }
    text + &command(style, "repeat", repeat)
}

/// One side against the first.
fn against(comparison: &Comparison, n: usize, side: &Side, style: &Style) -> String {
    let first = &comparison.sides[0];
    let of_users = |contrast: &&Contrast| {
        let is_client = |actor: &String| {
            let mut latencies = first.summary.latencies.iter();
            latencies.any(|latency| latency.actor == *actor && latency.kind == "client")
        };
        match &contrast.figure {
            Figure::Percentile(_, actor) => is_client(actor),
            Figure::Mean(metric) if metric.kind == Kind::LatencyMean => {
                metric.of.as_ref().is_some_and(is_client)
            }
            Figure::Mean(_) | Figure::Broken(_) => true,
        }
    };
    let contrasts = comparison.contrasts.iter().filter(|contrast| contrast.side == n);
    let rows: Vec<Vec<String>> =
        contrasts.filter(of_users).map(|contrast| row(contrast, style)).collect();
    let (name, first) = (report::plain(&side.name), report::plain(&first.name));
    let title = report::paint(style.head, &format!("{name} against {first}"));
    if rows.is_empty() {
        return format!("\n{title}: no seed brought both to their horizon\n");
    }
    let header = ["Figure", &first, &name, "difference", "true difference", "saved", "verdict"];
    format!("\n{title}\n") + &table(style, &header, rows, &[6])
}

fn row(contrast: &Contrast, style: &Style) -> Vec<String> {
    let unit = contrast.figure.unit();
    let colour = match contrast.judgement {
        Judgement::Better => style.good,
        Judgement::Worse => style.bad,
        Judgement::Different => style.unsure,
        Judgement::NoDifference | Judgement::Unknown => style.dim,
    };
    let saved = contrast.saved.map(|saved| figure::rounded((saved * 100.0).round(), 4) + " %");
    let verdict = match contrast.judgement {
        Judgement::NoDifference => format!("no difference at n = {}", contrast.difference.n),
        other => other.name().to_owned(),
    };
    vec![
        report::plain(&contrast.figure.to_string()),
        figure::figure(unit, contrast.reference),
        figure::figure(unit, contrast.value),
        figure::difference(unit, contrast.difference.mean),
        figure::difference_interval(unit, contrast.difference.interval),
        saved.unwrap_or_else(|| NONE.to_owned()),
        report::paint(colour, &verdict),
    ]
}
