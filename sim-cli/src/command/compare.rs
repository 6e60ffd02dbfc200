//! `sim compare`: variants, or files, on the same seeds.

use std::path::PathBuf;

use serde_json::{Value, json};
use sim_models::Scenario;
use sim_models::custom::Kinds;
use sim_models::outcome::Outcome;
use sim_models::study::{Comparison, Contrast, Figure, Judgement, Side, Subject, Typical};

use crate::changes::{Set, parse_set};
use crate::chart_file::{self, Charts};
use crate::decision::{self, BASE, Decision, Format, parse_least};
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::{ScenarioFile, together, warnings_of};
use crate::repeat::Repeat;
use crate::study::json::Object;
use crate::study::rows::{self, RowsFile};
use crate::study::{self, StudyArgs, called_off, extent, limited, unanswered};
use crate::text::{Style, Table, paint, plain};
use crate::{chart, console, figure, json, running, words};

/// Run variants on the same seeds, and tell which differences are more than luck
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each side is compared with the first one. Every seed gives all sides the same luck, so that
differences are taken seed by seed. \"no difference\" means that the interval of the difference
contains 0: more seeds may still tell. The exit code does not depend on what is found.")]
pub struct Args {
    /// One scenario file and its variants, or several files
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,

    /// The variants, separated by commas; `base` is the file as it stands. By default all of them
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    variants: Vec<String>,

    /// A variant by its whole name, as one with a comma or one called `base`; may be repeated
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,

    /// Replace the value at a path on all sides; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<Set>,

    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = SEEDS)]
    seeds: u64,

    /// The least difference that matters, as a share of the first side's figure
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = parse_least)]
    least: f64,

    /// Print the decision table alone
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["json", "verbose"])]
    table: Option<Format>,

    /// Add every figure of each side against the first
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,

    /// Write one row a side and seed: what the run broke, figures; as CSV or JSON Lines, by FILE's
    /// ending
    #[arg(long, value_name = "FILE")]
    rows: Option<RowsFile>,

    #[command(flatten)]
    charts: Charts,

    #[command(flatten)]
    study: StudyArgs,
}

/// How many seeds are taken where nobody says so.
const SEEDS: u64 = 100;

/// Runs all sides on the same seeds and shows what differs.
///
/// # Errors
/// A side that cannot be read or run, or options that make no sense.
pub fn compare(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let sides = sides(args, kinds)?;
    console::warn(&warnings_of(sides.iter().map(|(_, scenario)| scenario)));
    let runs = args.seeds.saturating_mul(sides.len() as u64);
    let mut comparison = running::study(runs, |awaited| {
        let mut options = args.study.options(args.seeds, awaited);
        if args.rows.is_some() {
            rows::each(&mut options);
        }
        Comparison::run(&sides, &options)
    })?;
    if let Some(rows) = &args.rows {
        keep(rows, &mut comparison, args.study.metric.len())?;
    }
    let subject = &comparison.sides[0].subject;
    let repeat = repeat(args, subject.id.seeds);
    let decision = Decision::of_comparison(&comparison, args.least);
    console::print(&match args.table {
        Some(format) => format.of(&decision, console::style().columns),
        None if args.study.json => object(&comparison, &decision),
        None => text(args, &comparison, &decision, &repeat),
    })?;
    let called_off = called_off(subject);
    if let (Some(_), Some(said)) = (args.table, &called_off) {
        console::note(said);
    }
    if comparison.typical.is_none() && called_off.is_some() {
        return Ok(Exit::Broken);
    }
    let name = chart_name(args, subject);
    let is_data = args.study.json || args.table.is_some();
    args.charts.keep_and_tell(&name, is_data, || {
        // No study keeps runs; that of the seed that stands for the others is done again.
        let seed = comparison.typical.map_or(args.study.first_seed, |typical| typical.seed);
        let run = |(_, scenario): &(_, Scenario)| scenario.run(seed);
        let runs: Vec<Outcome> = sides.iter().take(chart::DRAWN_MAX).map(run).collect();
        chart::comparison(&comparison, &decision, &runs, &repeat)
    })?;
    Ok(if called_off.is_some() { Exit::Broken } else { Exit::Kept })
}

/// Writes the runs of all sides. What is told of the comparison is as without them.
fn keep(rows: &RowsFile, comparison: &mut Comparison, asked: usize) -> Result<(), Failure> {
    let groups = comparison.sides.iter().map(|side| (vec![side.name.clone()], &side.summary));
    rows.keep(&["side"], &groups.collect::<Vec<_>>())?;
    comparison.sides.iter_mut().for_each(|side| rows::forget(&mut side.summary, asked));
    Ok(())
}

/// The sides that were asked for.
fn sides(args: &Args, kinds: &Kinds) -> Result<Vec<(String, Scenario)>, Failure> {
    let [path] = &args.scenarios[..] else {
        if !args.variants.is_empty() || !args.variant.is_empty() {
            let message = "variants belong to one scenario, and several files were named";
            let help = "compare the variants of one file, or several files as they stand";
            return Err(Failure::with_help(message, help));
        }
        let load = |path: &PathBuf| {
            let file = ScenarioFile::read(path, kinds)?;
            Ok((path.display().to_string(), file.load(None, &args.set)?))
        };
        return args.scenarios.iter().map(load).collect();
    };
    let file = ScenarioFile::read(path, kinds)?;
    let name_of = |variant: Option<&str>| variant.unwrap_or(BASE).to_owned();
    if args.variants.is_empty() && args.variant.is_empty() {
        let sides = file.load_all(&args.set)?.into_iter();
        return Ok(sides.map(|(name, side)| (name_of(name.as_deref()), side)).collect());
    }
    let sides = chosen(&args.variants, &args.variant).into_iter();
    together(sides.map(|variant| (name_of(variant), file.load(variant, &args.set))))
}

/// The variants that were named; none is the file as it stands. Where all have their whole names, it
/// is the first side.
pub(super) fn chosen<'a>(variants: &'a [String], whole: &'a [String]) -> Vec<Option<&'a str>> {
    let listed = variants.iter().map(|name| Some(name.trim()).filter(|name| *name != BASE));
    let mut chosen: Vec<Option<&str>> = listed.collect();
    if chosen.is_empty() {
        chosen.push(None);
    }
    chosen.extend(whole.iter().map(|name| Some(name.as_str())));
    chosen
}

/// The command that repeats a comparison of so many seeds.
fn repeat(args: &Args, seeds: u64) -> String {
    let line = args.scenarios.iter().fold(Repeat::new("compare"), |line, path| line.file(path));
    options(args, seeds, line).to_string()
}

/// All that changes what is compared, but for the files.
fn options(args: &Args, seeds: u64, line: Repeat) -> Repeat {
    let line = match &args.variants[..] {
        [] => line,
        variants => line.option("variants", variants.join(",")),
    };
    let line = args.variant.iter().fold(line, |line, name| line.option("variant", name));
    args.study.repeat(line.changes(None, &args.set), seeds)
}

/// What the chart is called: by the scenario alone where nothing else was asked for.
fn chart_name(args: &Args, subject: &Subject) -> String {
    let (scenario, seeds) = (&subject.scenario, subject.id.seeds);
    let plain = Repeat::words().option("seeds", SEEDS).to_string();
    let own = options(args, seeds, Repeat::words()).to_string();
    let apart = if own == plain { String::new() } else { chart_file::apart("", &own) };
    format!("{scenario} compare{apart}")
}

/// A comparison as one JSON object.
fn object(comparison: &Comparison, decision: &Decision) -> String {
    let mut object = Object::new();
    object.insert("schema".to_owned(), json!(study::json::SCHEMA));
    let side = |side: &Side| {
        let mut object = Object::new();
        object.insert("name".to_owned(), json!(side.name));
        object.insert("pairs".to_owned(), json!(side.pairs));
        object.extend(study::json::subject(&side.subject));
        object.remove("schema");
        object.extend(study::json::summary(&side.summary, None));
        Value::Object(object)
    };
    object.insert("sides".to_owned(), comparison.sides.iter().map(side).collect());
    let contrast = |contrast: &Contrast| {
        json!({
            "figure": contrast.figure.to_string(),
            "side": comparison.sides[contrast.side].name,
            "unit": contrast.figure.unit().name(),
            "better": contrast.figure.better().name(),
            "reference": contrast.reference,
            "value": contrast.value,
            "difference": study::json::estimate(Some(contrast.difference)),
            "verdict": contrast.judgement.id(),
            "why": contrast.judgement.to_string(),
            "saved": contrast.saved,
        })
    };
    object.insert("contrasts".to_owned(), comparison.contrasts.iter().map(contrast).collect());
    let typical = comparison
        .typical
        .map(|Typical { seed, alike, of }| json!({ "seed": seed, "alike": alike, "of": of }));
    object.insert("typical".to_owned(), json!(typical));
    object.insert("decision".to_owned(), decision::write::object(decision));
    json::pretty(&object)
}

fn text(args: &Args, comparison: &Comparison, decision: &Decision, repeat: &str) -> String {
    let style = &console::style();
    let first = &comparison.sides[0];
    let mut text = decision.finding(None).map_or_else(String::new, |finding| {
        style.labelled(style.head, "FOUND", &finding.text) + "\n"
    });
    text += &style.line("scenario", &first.subject.scenario);
    text += &style.line("study", &extent(&first.subject));
    if let Some(said) = called_off(&first.subject) {
        text += &style.labelled(style.unsure, "stopped", &said);
    }
    for side in &comparison.sides {
        if let Some(said) = limited(&side.summary) {
            text += &style.line("limit", &format!("{}: {said}", side.name));
        }
        if let Some(said) = unanswered(&side.summary, &side.subject) {
            text += &style.line("open", &format!("{}: {said}", side.name));
        }
    }
    if first.subject.id.seeds == 1 {
        text += &style.line("interval", "one seed has none; take more seeds");
    }
    text += &decision::text::text(decision, style);
    if args.verbose {
        text += &at_length(comparison, style);
    }
    text + &style.command("repeat", repeat)
}

/// Every figure of each side against the first, and the names of the studies.
fn at_length(comparison: &Comparison, style: &Style) -> String {
    let mut text = String::new();
    for (n, side) in comparison.sides.iter().enumerate().skip(1) {
        text += &against(comparison, n, side, style);
    }
    let chance = figure::rounded(100.0 - 100.0 * comparison.sides[0].subject.confidence, 6);
    text += &format!(
        "\n\"no difference\": the interval of the difference contains 0. Of figures that truly do not\n\
         differ, {chance} % are called better or worse by chance. Latencies of all actors: --json.\n\n"
    );
    for side in &comparison.sides {
        let name = format!("{}: {}", side.name, side.subject.id);
        text += &style.line("study id", &name);
    }
    text
}

/// One side against the first.
fn against(comparison: &Comparison, n: usize, side: &Side, style: &Style) -> String {
    let first = &comparison.sides[0];
    let is_asked = |figure: &Figure| side.summary.asked.iter().any(|m| m.figure == *figure);
    let shows = |contrast: &&Contrast| {
        figure::is_of_users(comparison, contrast) || is_asked(&contrast.figure)
    };
    let contrasts = comparison.contrasts.iter().filter(|contrast| contrast.side == n);
    let rows: Vec<Vec<String>> =
        contrasts.filter(shows).map(|contrast| row(contrast, side.pairs, style)).collect();
    let (name, first) = (plain(&side.name), plain(&first.name));
    let title = paint(style.head, &format!("{name} against {first}"));
    if rows.is_empty() {
        return format!("\n{title}: no seed brought both to their horizon\n");
    }
    let header = ["Figure", &first, &name, "difference", "true difference", "verdict"];
    let seeds = words::counted(side.pairs, "seed");
    format!("\n{title}, {seeds}\n") + &Table::new(header, rows).words(5).text(style)
}

fn row(contrast: &Contrast, pairs: u64, style: &Style) -> Vec<String> {
    let unit = contrast.figure.unit();
    let colour = match contrast.judgement {
        Judgement::Better => style.good,
        Judgement::Worse => style.bad,
        Judgement::Different | Judgement::NotBetter => style.unsure,
        Judgement::NoDifference | Judgement::Lacks(_) => style.dim,
    };
    let verdict = contrast.judgement.to_string();
    // A figure that not every run has rests on fewer seeds than the title says.
    let n = contrast.difference.n;
    let fewer = if n < pairs { format!(" at n = {n}") } else { String::new() };
    vec![
        plain(&contrast.figure.to_string()),
        figure::figure(unit, contrast.reference),
        figure::figure(unit, contrast.value),
        figure::difference(unit, contrast.difference.mean),
        figure::difference_interval(unit, contrast.difference.interval),
        paint(colour, &verdict) + &fewer,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::typed;

    #[test]
    fn it_is_repeated_with_its_sides() {
        assert_eq!(
            repeat(&typed("compare x.ron --variants a,b --set h=1m"), 100),
            "sim compare x.ron --variants a,b --set 'h=1m' --seeds 100"
        );
        assert_eq!(
            repeat(&typed("compare a.ron b.ron"), 100),
            "sim compare a.ron b.ron --seeds 100"
        );
        let line = "sim compare x.ron --variant a,b --variant base --seeds 100";
        assert_eq!(repeat(&typed("compare x.ron --variant a,b --variant base"), 100), line);
    }

    #[test]
    fn a_variant_may_have_a_comma_or_be_called_base() {
        let args: Args = typed("compare x.ron --variant a,b --variant base");
        assert_eq!(chosen(&args.variants, &args.variant), [None, Some("a,b"), Some("base")]);
        let args: Args = typed("compare x.ron --variants base,b --variant base");
        assert_eq!(chosen(&args.variants, &args.variant), [None, Some("b"), Some("base")]);
    }
}
