//! `sim check`: many seeds of one scenario.

use std::path::PathBuf;

use serde_json::{Value, json};
use sim_models::custom::Kinds;
use sim_models::study::{
    Check, Figure, Interval, InvariantTally, Kind, LatencySummary, LeftOut, Measure, Percentile,
    RecoveryTally, Row, Stop, Summary, Unit, Until,
};

use crate::changes::Changes;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::ScenarioFile;
use crate::repeat::Repeat;
use crate::study::rows::{self, RowsFile};
use crate::study::{self, StudyArgs, called_off, extent, limited, unanswered};
use crate::suite::{SuiteFiles, of_check};
use crate::text::{Style, Table, plain};
use crate::words::{self, NONE};
use crate::{console, figure, json, running};

/// Run a scenario on many seeds: how often invariants break, and means with intervals
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`--until ci=5%` stops as soon as the interval of the mean goodput, or of the first figure that
`--metric` names, reaches at most 5 % to either side. It looks after 30 runs, 45, 68 and so on, and asks it of
an interval with half the allowed error, so that stopping at a lucky moment does not flatter.

The verdict is in the words of `sim run`: one run that is not KEPT decides. The exit code is 0 when
it is KEPT, else 1. docs/VERDICTS.md says what each word means, docs/STATISTICS.md what each figure means.")]
pub struct Args {
    /// The scenario file
    scenario: PathBuf,

    #[command(flatten)]
    changes: Changes,

    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u64,

    /// Stop when a figure is known well enough, as in `ci=5%`
    #[arg(long, value_name = "ci=PERCENT")]
    until: Option<Until>,

    /// Show the figures of each run, one seed a line
    #[arg(long)]
    each: bool,

    /// Write one row a run: seed, what it broke, figures; as CSV or JSON Lines, by FILE's ending
    #[arg(long, value_name = "FILE")]
    rows: Option<RowsFile>,

    #[command(flatten)]
    verdicts: SuiteFiles,

    #[command(flatten)]
    study: StudyArgs,
}

/// Runs a scenario on many seeds and shows what was found.
///
/// # Errors
/// A scenario that cannot be read or run, or options that make no sense.
pub fn check(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let scenario = file.load_changed(&args.changes)?;
    console::warn(scenario.warnings());
    let mut until = args.until.clone();
    if let (Some(until), Some(figure)) = (&mut until, args.study.metric.first()) {
        until.figure.clone_from(figure);
    }
    let mut check = running::study(args.seeds, |awaited| {
        let mut options = args.study.options(args.seeds, awaited);
        if args.each || args.rows.is_some() {
            rows::each(&mut options);
            options.figures.push(Figure::of_all(Kind::LatencyMax));
            options.figures.dedup();
        }
        Check::run(&scenario, &options, until.as_ref())
    })?;
    if let Some(rows) = &args.rows {
        rows.keep(&[], &[(Vec::new(), &check.summary)])?;
    }
    if !args.each {
        check.summary.each.clear();
    }
    let Changes { variant, set } = &args.changes;
    let replay = |seed| Repeat::run(&args.scenario, variant.as_deref(), set, seed).to_string();
    let repeat = repeat(args, check.subject.id.seeds);
    console::print(&if args.study.json {
        object(&check, &replay)
    } else {
        text(&check, &repeat, &replay, &console::style())
    })?;
    if args.verdicts.is_asked() {
        let suite = of_check(&check, headline(&check), &replay, &repeat);
        args.verdicts.keep(&suite)?;
    }
    Ok(Exit::from(check.verdict()))
}

/// The command that repeats a check of so many seeds.
fn repeat(args: &Args, seeds: u64) -> String {
    let line = Repeat::new("check").file(&args.scenario);
    let line = line.changes(args.changes.variant.as_deref(), &args.changes.set);
    let mut line = args.study.repeat(line, seeds);
    if let Some(until) = &args.until {
        line = line.option("until", format!("ci={}%", until.percent()));
    }
    if args.each { line.flag("each") } else { line }.to_string()
}

/// A check as one JSON object. `replay` is the command that repeats the run of a seed.
fn object(check: &Check, replay: &dyn Fn(u64) -> String) -> String {
    let mut object = study::json::subject(&check.subject);
    object.insert("verdict".to_owned(), json!(check.verdict().name()));
    object.insert("stop".to_owned(), stop(&check.stop));
    object.extend(study::json::summary(&check.summary, Some(replay)));
    json::pretty(&object)
}

/// Why a check took no more seeds.
fn stop(stop: &Stop) -> Value {
    match stop {
        Stop::AllSeeds => json!({ "why": "all_seeds" }),
        Stop::CalledOff => json!({ "why": "called_off" }),
        Stop::Precise { figure, wanted, reached } => {
            json!({ "why": "precise", "figure": figure, "wanted": wanted, "reached": reached })
        }
        Stop::Imprecise { figure, wanted, reached } => {
            json!({ "why": "imprecise", "figure": figure, "wanted": wanted, "reached": reached })
        }
    }
}

fn text(check: &Check, repeat: &str, replay: &dyn Fn(u64) -> String, style: &Style) -> String {
    let (subject, summary) = (&check.subject, &check.summary);
    let mut text = style.verdict(check.verdict(), &headline(check));
    text.push('\n');
    let name = words::named(&subject.scenario, subject.variant.as_deref());
    text += &style.line("scenario", &name);
    text += &style.line("study", &extent(subject));
    for (label, said) in [
        ("stopped", stopped(check)),
        ("limit", limited(summary)),
        ("open", unanswered(summary, subject)),
        ("unwell", unwell(summary, replay)),
        ("interval", (summary.runs == 1).then(|| "one run has none; take more seeds".to_owned())),
    ] {
        text += &said.map_or_else(String::new, |said| style.line(label, &said));
    }
    text += &invariants(summary, replay, style);
    text += &summary.recovery.as_ref().map_or_else(String::new, |r| recovery(r, replay, style));
    text += &measures(ASKED, &summary.asked, style);
    text += &each(summary, style);
    text += &measures("Once per run", &summary.measures, style);
    text += &latencies(&summary.latencies, style);
    text.push('\n');
    text += &style.line("study id", &subject.id.to_string());
    text + &style.command("repeat", repeat)
}

/// What was found; of a check that was called off, by then.
fn headline(check: &Check) -> String {
    let found = found(&check.summary);
    match called_off(&check.subject) {
        Some(said) if check.summary.runs == 0 => words::sentence(&said),
        Some(said) => format!("{}; by then: {found}", words::sentence(&said)),
        None => found,
    }
}

/// `AllAnswered broken with 12 of 1,000 seeds`.
fn found(summary: &Summary) -> String {
    let seeds = words::counted(summary.runs, "seed");
    let broken: Vec<String> = summary
        .invariants
        .iter()
        .filter(|invariant| invariant.broken > 0)
        .map(|i| {
            let known = if i.known { ", as the scenario is here to show" } else { "" };
            format!("{} broken with {} of {seeds}{known}", i.name, words::count(i.broken))
        })
        .collect();
    if !broken.is_empty() {
        return broken.join("; ");
    }
    if summary.runs == 0 {
        return "No run reached its horizon, so that nothing can be concluded".to_owned();
    }
    if let Some(unwell) = &summary.unwell {
        return format!(
            "The system was not well with {} of {seeds}; with seed {}, {}",
            words::count(unwell.runs),
            unwell.first_seed,
            unwell.why.text
        );
    }
    let count = |is: fn(&InvariantTally) -> bool| {
        summary.invariants.iter().filter(|invariant| is(invariant)).count() as u64
    };
    let (held, vacuous) = (count(|i| i.vacuous < i.runs), count(|i| i.vacuous == i.runs));
    if summary.invariants.is_empty() {
        return "No invariant was stated".to_owned();
    }
    let mut said = format!("{} held with each of {seeds}", words::counted(held, "invariant"));
    if vacuous > 0 {
        said += &format!(", {vacuous} never exercised");
    }
    said
}

/// How to see a run in which the system was not well.
fn unwell(summary: &Summary, replay: &dyn Fn(u64) -> String) -> Option<String> {
    let unwell = summary.unwell.as_ref()?;
    let runs = words::counted(unwell.runs, "run");
    Some(format!("{runs}, the first by {}", replay(unwell.first_seed)))
}

fn stopped(check: &Check) -> Option<String> {
    let limited = check.summary.limited.as_ref().map_or(0, |limited| limited.runs);
    let (done, asked) = (check.summary.runs + limited, check.subject.seeds_asked);
    match &check.stop {
        Stop::AllSeeds | Stop::CalledOff => None,
        Stop::Precise { figure, wanted, reached } => Some(format!(
            "after {} of {} seeds: {figure} is known to {} to either side, {} were asked for",
            words::count(done),
            words::count(asked),
            figure::share(*reached),
            figure::share(*wanted),
        )),
        Stop::Imprecise { figure, wanted, reached } => {
            let known = match reached {
                Some(reached) => format!("is known to {} to either side", figure::share(*reached)),
                None => "has no interval yet".to_owned(),
            };
            let wanted = figure::share(*wanted);
            Some(format!("for want of seeds: {figure} {known}; to stop at {wanted} takes more"))
        }
    }
}

fn invariants(summary: &Summary, replay: &dyn Fn(u64) -> String, style: &Style) -> String {
    if summary.invariants.is_empty() {
        return String::new();
    }
    let row = |invariant: &InvariantTally| {
        let first = invariant.first.as_ref().map(|(seed, _)| seed.to_string());
        vec![
            plain(&invariant.name),
            words::count(invariant.runs),
            words::count(invariant.broken),
            words::count(invariant.vacuous),
            figure::interval(Unit::Share, invariant.rate),
            first.unwrap_or_else(|| NONE.to_owned()),
        ]
    };
    let header = ["Invariants", "runs", "broken", "vacuous", "true share broken", "first seed"];
    let mut text = Table::new(header, summary.invariants.iter().map(row).collect()).text(style);
    for invariant in &summary.invariants {
        let Some((seed, violation)) = &invariant.first else { continue };
        let known = if invariant.known { "; known: this scenario is here to show it" } else { "" };
        let name = plain(&invariant.name);
        text += &format!("\n{name} with seed {seed}, at {}{known}\n", violation.at);
        text += &format!("  {}\n", plain(&violation.witness));
        text += &format!("  {}\n", plain(&replay(*seed)));
    }
    text
}

fn recovery(tally: &RecoveryTally, replay: &dyn Fn(u64) -> String, style: &Style) -> String {
    let states = [
        ("undisturbed", tally.undisturbed),
        ("recovered", tally.recovered),
        ("metastable", tally.metastable),
        ("undecided", tally.undecided),
        ("unhealthy before the trigger", tally.unhealthy),
    ];
    let share = |n: u64| figure::share(n as f64 / tally.runs().max(1) as f64);
    let row = |(state, n): &(&str, u64)| {
        let rate = tally.metastable_rate.filter(|_| *state == "metastable");
        let rate = figure::interval(Unit::Share, rate);
        vec![(*state).to_owned(), words::count(*n), share(*n), rate]
    };
    let rows = states.iter().filter(|(_, n)| *n > 0).map(row).collect();
    let header = ["After the trigger", "runs", "share", "true share of tested"];
    let mut text = Table::new(header, rows).text(style);
    if let Some(seed) = tally.first_metastable {
        text += &format!("\nmetastable with seed {seed}\n  {}\n", plain(&replay(seed)));
    }
    if !tally.left_out.is_empty() {
        let tested = words::counted(tally.tested(), "run");
        text += &format!("\nthe true share is that of {tested}; these say nothing of recovery\n");
        for LeftOut { seed, state, why } in &tally.left_out {
            text += &format!("  seed {seed}, {state}: {}\n", plain(&why.text));
        }
        let more = tally.unhealthy + tally.undecided - tally.left_out.len() as u64;
        if more > 0 {
            text += &format!("  … and {} more\n", words::count(more));
        }
    }
    text
}

/// The head of what was asked for.
const ASKED: &str = "Asked for";

/// The figures of each run.
fn each(summary: &Summary, style: &Style) -> String {
    if summary.each.is_empty() {
        return String::new();
    }
    let figures = || summary.asked.iter().map(|measure| &measure.figure);
    let row = |row: &Row| {
        let values = figures().zip(&row.values);
        let values = values.map(|(figure, value)| figure::optional(figure.unit(), *value));
        let limit = row.limit.as_ref().map(|limit| format!("nothing: {}", limit.text));
        let broken = limit.unwrap_or_else(|| row.broken.join(", "));
        std::iter::once(row.seed.to_string()).chain(values).chain([plain(&broken)]).collect()
    };
    let header = std::iter::once("Seed".to_owned()).chain(figures().map(ToString::to_string));
    let header: Vec<String> = header.chain(["broken".to_owned()]).collect();
    let words = header.len() - 1;
    Table::new(header, summary.each.iter().map(row).collect()).words(words).text(style)
}

/// Counters of actors are many: they are shown when they are asked for, and in `--json`.
fn measures(head: &str, measures: &[Measure], style: &Style) -> String {
    let row = |measure: &Measure| {
        let estimate = measure.estimate?;
        let unit = measure.figure.unit();
        Some(vec![
            plain(&measure.figure.to_string()),
            figure::bound(measure.at_least, figure::figure(unit, estimate.mean)),
            figure::interval(unit, estimate.interval),
            figure::optional(unit, estimate.deviation),
            words::count(estimate.n),
        ])
    };
    let is_shown = |m: &&Measure| head == ASKED || !matches!(m.figure.kind, Kind::Count(_));
    let rows: Vec<Vec<String>> = measures.iter().filter(is_shown).filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [head, "mean", "true mean", "deviation", "runs"];
    Table::new(header, rows).text(style)
}

fn latencies(latencies: &[LatencySummary], style: &Style) -> String {
    let length = |ns: Option<sim_core::Span>| ns.map(|span| span.as_millis_f64());
    let mut rows = Vec::new();
    // Endpoints and hops are many: they are shown when they are asked for, and in `--json`.
    for latency in latencies.iter().filter(|l| l.kind.is_some() && l.during.is_none()) {
        for (n, percentile) in latency.percentiles.iter().enumerate() {
            let Percentile { quantile, value, at_least, low, high } = percentile;
            let bounds = length(*low).zip(length(*high));
            let beyond = |low: f64| Interval { low, high: f64::INFINITY };
            let bounds = match bounds {
                Some((low, high)) => Some(Interval { low, high }),
                None => length(*low).map(beyond),
            };
            let once = |text: String| if n == 0 { text } else { String::new() };
            rows.push(vec![
                once(plain(&latency.of)),
                quantile.to_string(),
                figure::bound(*at_least, words::duration(*value)),
                figure::interval(Unit::Millis, bounds),
                once(words::count(latency.samples)),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let header = ["Latency", "", "all runs", "true percentile", "samples"];
    Table::new(header, rows).text(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::typed;

    #[test]
    fn it_is_repeated_whatever_the_number_of_threads() {
        let line = "check x.ron --variant v --seeds 9 --first-seed 3 --until ci=5% --jobs 4";
        let repeat_line = "sim check x.ron --variant v --seeds 9 --first-seed 3 --until 'ci=5%'";
        assert_eq!(repeat(&typed(line), 9), repeat_line);
    }
}
