//! `sim check`: many seeds of one scenario.

use sim_models::outcome::Verdict;
use sim_models::study::{
    Check, Interval, InvariantTally, LatencySummary, Measure, Percentile, RecoveryTally, Stop,
    Summary, Unit,
};

use super::figure::{self, NONE};
use super::progress::Progress;
use super::{command, extent, json, limited, line, options, table};
use crate::args::{self, CheckArgs};
use crate::diagnostics::Failure;
use crate::file::ScenarioFile;
use crate::report::{self, Style};
use crate::{Exit, console, words};

/// Runs a scenario on many seeds and shows what was found.
///
/// # Errors
/// A scenario that cannot be read or run, or options that make no sense.
pub fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario)?;
    let scenario = file.load(args.changes.variant.as_deref(), &args.changes.set)?;
    console::warn(scenario.warnings());
    let mut until = args.until.clone();
    if let Some(until) = &mut until {
        until.figure.clone_from(&args.metric);
    }
    let progress = Progress::new(args.seeds);
    let tick = || progress.tick();
    let check = Check::run(&scenario, &options(args.seeds, &args.study, &tick), until.as_ref())?;
    drop(progress);
    let replay = |seed| {
        let (variant, sets) = (args.changes.variant.as_deref(), &args.changes.set);
        args::repeat(&args.scenario, variant, sets, seed)
    };
    console::print(&if args.study.json {
        json::check(&check, &replay)
    } else {
        text(&check, &args::repeat_check(args), &replay, &console::style())
    })?;
    Ok(match verdict(&check.summary) {
        Verdict::Kept => Exit::Kept,
        Verdict::Violated | Verdict::Invalid => Exit::Broken,
    })
}

/// The judgement over all runs. What is known to be broken does not count.
pub fn verdict(summary: &Summary) -> Verdict {
    match summary {
        _ if summary.is_broken() => Verdict::Violated,
        _ if summary.limited.is_some() => Verdict::Invalid,
        _ => Verdict::Kept,
    }
}

fn text(check: &Check, repeat: &str, replay: &dyn Fn(u64) -> String, style: &Style) -> String {
    let (subject, summary) = (&check.subject, &check.summary);
    let verdict = verdict(summary);
    let colour = match verdict {
        Verdict::Kept => style.good,
        Verdict::Violated => style.bad,
        Verdict::Invalid => style.unsure,
    };
    let verdict = report::paint(colour, &verdict.to_string().to_uppercase());
    let mut text = format!("{verdict}  {}\n\n", report::plain(&headline(summary)));
    let name = match &subject.variant {
        Some(variant) => format!("{}, variant \"{variant}\"", subject.scenario),
        None => subject.scenario.clone(),
    };
    text += &line(style, "scenario", &name);
    text += &line(style, "study", &extent(subject));
    for (label, said) in [
        ("stopped", stopped(check)),
        ("limit", limited(summary)),
        ("interval", (summary.runs == 1).then(|| "one run has none; take more seeds".to_owned())),
    ] {
        text += &said.map_or_else(String::new, |said| line(style, label, &said));
    }
    text += &invariants(summary, replay, style);
    text += &summary.recovery.as_ref().map_or_else(String::new, |r| recovery(r, replay, style));
    text += &measures(&summary.measures, style);
    text += &latencies(&summary.latencies, style);
    text.push('\n');
    text += &line(style, "study id", &subject.id.to_string());
    text + &command(style, "repeat", repeat)
}

/// `AllAnswered broken with 12 of 1,000 seeds`.
fn headline(summary: &Summary) -> String {
    let seeds = words::counted(summary.runs, "seed");
    let is_new = |i: &&InvariantTally| i.broken > 0 && !i.known;
    let broken: Vec<String> = summary
        .invariants
        .iter()
        .filter(is_new)
        .map(|i| format!("{} broken with {} of {seeds}", i.name, words::count(i.broken)))
        .collect();
    if !broken.is_empty() {
        return broken.join("; ");
    }
    if summary.runs == 0 {
        return "No run reached its horizon, so that nothing can be concluded".to_owned();
    }
    let count = |is: fn(&InvariantTally) -> bool| {
        summary.invariants.iter().filter(|invariant| is(invariant)).count() as u64
    };
    let held = count(|i| i.broken == 0 && i.vacuous < i.runs);
    let (vacuous, known) = (count(|i| i.vacuous == i.runs), count(|i| i.broken > 0));
    let mut said = format!("{} held with each of {seeds}", words::counted(held, "invariant"));
    if known > 0 {
        said += &format!(", {known} broken as the scenario is here to show");
    }
    if vacuous > 0 {
        said += &format!(", {vacuous} never exercised");
    }
    said
}

fn stopped(check: &Check) -> Option<String> {
    let limited = check.summary.limited.as_ref().map_or(0, |limited| limited.runs);
    let (done, asked) = (check.summary.runs + limited, check.subject.id.seeds);
    match &check.stop {
        Stop::AllSeeds => None,
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
            report::plain(&invariant.name),
            words::count(invariant.runs),
            words::count(invariant.broken),
            words::count(invariant.vacuous),
            figure::interval(Unit::Share, invariant.rate),
            first.unwrap_or_else(|| NONE.to_owned()),
        ]
    };
    let header = ["Invariants", "runs", "broken", "vacuous", "true share broken", "first seed"];
    let mut text = table(style, &header, summary.invariants.iter().map(row).collect(), &[]);
    for invariant in &summary.invariants {
        let Some((seed, violation)) = &invariant.first else { continue };
        let known = if invariant.known { "; known: this scenario is here to show it" } else { "" };
        let name = report::plain(&invariant.name);
        text += &format!("\n{name} with seed {seed}, at {}{known}\n", violation.at);
        text += &format!("  {}\n", report::plain(&violation.witness));
        text += &format!("  {}\n", report::plain(&replay(*seed)));
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
    let mut text = table(style, &header, rows, &[]);
    if let Some(seed) = tally.first_metastable {
        text += &format!("\nmetastable with seed {seed}\n  {}\n", report::plain(&replay(seed)));
    }
    text
}

fn measures(measures: &[Measure], style: &Style) -> String {
    let row = |measure: &Measure| {
        let estimate = measure.estimate?;
        let unit = measure.metric.kind.unit();
        Some(vec![
            report::plain(&measure.metric.to_string()),
            figure::figure(unit, estimate.mean),
            figure::interval(unit, estimate.interval),
            figure::optional(unit, estimate.deviation),
            words::count(estimate.n),
        ])
    };
    let rows: Vec<Vec<String>> = measures.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["Once per run", "mean", "true mean", "deviation", "runs"];
    table(style, &header, rows, &[])
}

fn latencies(latencies: &[LatencySummary], style: &Style) -> String {
    let length = |ns: Option<sim_core::Span>| ns.map(|span| span.as_millis_f64());
    let mut rows = Vec::new();
    for latency in latencies {
        for (n, percentile) in latency.percentiles.iter().enumerate() {
            let Percentile { quantile, value, low, high } = percentile;
            let bounds = length(*low).zip(length(*high));
            let bounds = bounds.map(|(low, high)| Interval { low, high });
            let once = |text: String| if n == 0 { text } else { String::new() };
            rows.push(vec![
                once(report::plain(&latency.actor)),
                quantile.to_string(),
                words::duration(*value),
                figure::interval(Unit::Millis, bounds),
                once(words::count(latency.samples)),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let header = ["Latency", "", "all runs", "true percentile", "samples"];
    table(style, &header, rows, &[])
}
