//! `sim run --all`: the base scenario and its variants side by side, each on the seed that it asks
//! for unless one is given for all.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use sim_core::Span;
use sim_models::outcome::{ActorKind, Counter, Outcome};

use super::args::Args;
use crate::decision::{self, Decision, Row};
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::{ScenarioFile, warnings_of};
use crate::repeat::Repeat;
use crate::text::{Style, Table, plain};
use crate::{chart, chart_file, console, finding, json, running, words};

/// Runs the base scenario and every variant. The base alone decides how the command ends.
///
/// # Errors
/// As for a single run; a mistake in one variant stops all of them.
pub fn run(args: &Args, file: &ScenarioFile) -> Result<Exit, Failure> {
    let sets = &args.changes.set;
    let scenarios = file.load_all(sets)?;
    console::warn(&warnings_of(scenarios.iter().map(|(_, scenario)| scenario)));
    let stopped = running::stop_on_interrupt();
    let (mut outcomes, mut drawn) = (Vec::new(), Vec::new());
    for (variant, scenario) in &scenarios {
        let (variant, seed) = (variant.as_deref(), args.seed.unwrap_or(scenario.seed()));
        let outcome = running::run(scenario, seed, &stopped);
        let repeat = Repeat::run(&args.scenario, variant, sets, seed).to_string();
        let name = chart_file::of_run(scenario, variant, seed, sets);
        drawn.push(args.charts.keep(&name, || chart::timeline(&outcome, &repeat)));
        outcomes.push(outcome);
        if stopped.load(Ordering::Relaxed) {
            let (done, all) = (outcomes.len(), scenarios.len());
            console::note(&format!("called off: {done} of {all} were begun"));
            break;
        }
    }
    let decision = Decision::of_runs(&outcomes);
    console::print(&if let Some(format) = args.table {
        format.of(&decision, console::style().columns)
    } else if args.json {
        objects(&outcomes, &decision)
    } else if args.quiet {
        outcomes.iter().map(|outcome| finding::one_line(outcome) + "\n").collect()
    } else {
        text(args, &outcomes, &decision)
    })?;
    let charts = drawn.into_iter().collect::<Result<Vec<_>, Failure>>()?;
    let is_data = args.json || args.table.is_some();
    if !args.quiet {
        charts
            .iter()
            .flatten()
            .try_for_each(|chart| console::tell_where("chart", chart, is_data))?;
    }
    Ok(Exit::from(outcomes[0].verdict))
}

/// The command that repeats all.
fn repeat(args: &Args) -> String {
    let line = Repeat::new("run").file(&args.scenario).flag("all");
    let line = line.changes(None, &args.changes.set);
    args.seed.into_iter().fold(line, |line, seed| line.option("seed", seed)).to_string()
}

/// The seed of all runs; where variants ask for others, all of them.
fn seeds(outcomes: &[Outcome]) -> String {
    let seeds: BTreeSet<u64> = outcomes.iter().map(|outcome| outcome.run_id.seed).collect();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    seeds.join(" or ")
}

/// An array of all runs, each with its row of the decision table.
fn objects(outcomes: &[Outcome], decision: &Decision) -> String {
    let object = |(outcome, row): (&Outcome, &Row)| {
        json::object_in_table(outcome, decision::write::cells(decision, row))
    };
    let objects: Vec<String> = outcomes.iter().zip(&decision.rows).map(object).collect();
    format!("[\n{}]\n", objects.join(",\n"))
}

/// The decision table, what was counted where that is asked for, what each run found, and the command
/// that repeats all.
fn text(args: &Args, outcomes: &[Outcome], decision: &Decision) -> String {
    let style = console::style();
    let mut text = plain(&format!("{}, seed {}", outcomes[0].scenario, seeds(outcomes)));
    text.push('\n');
    if let Some(finding) = decision.finding(finding::trigger(&outcomes[0]).as_deref()) {
        text += &style.labelled(style.head, "FOUND", &finding.text);
    }
    text += &decision::text::text(decision, &style);
    if args.verbose {
        text += &counts(outcomes);
    }
    text.push('\n');
    for outcome in outcomes {
        let line = format!("{}: {}", name(outcome), finding::headline(outcome));
        text += &format!("{}\n", plain(&line));
    }
    text.push('\n');
    text + &style.command("repeat", &repeat(args))
}

/// What was counted in each run.
fn counts(outcomes: &[Outcome]) -> String {
    let mut header = vec![
        "variant",
        "submitted",
        "succeeded",
        "p99",
        "retries",
        "duplicated",
        "peak",
        "peak retries",
    ];
    let mut rows: Vec<_> = outcomes.iter().map(row).collect();
    let mut notes = String::from(
        "\nThe peak is the most arrivals in any 100 ms at the busiest service, retries \
        included;\np99 is that of the slowest client.\n",
    );
    if outcomes.iter().any(|outcome| finding::withheld(outcome) > 0) {
        header.push("withheld");
        for (row, outcome) in rows.iter_mut().zip(outcomes) {
            row.push(words::count(finding::withheld(outcome)));
        }
        notes += "Withheld are retries and hedges that a guard against doing twice did not send.\n";
    }
    Table::new(header, rows).text(&Style::plain()) + &notes
}

fn name(outcome: &Outcome) -> &str {
    outcome.variant.as_deref().unwrap_or(decision::BASE)
}

fn row(outcome: &Outcome) -> Vec<String> {
    let clients = || outcome.actors_of(ActorKind::Client);
    let total = |counter| clients().filter_map(|client| client.counter(counter)).sum();
    let p99: Option<Span> = clients().filter_map(|client| Some(client.latency?.p99)).max();
    let services = || outcome.actors_of(ActorKind::Service);
    let peak = |counter| services().filter_map(|service| service.counter(counter)).max();
    vec![
        plain(name(outcome)),
        words::count(total(Counter::Submitted)),
        words::count(total(Counter::Succeeded)),
        p99.map_or_else(|| words::NONE.to_owned(), words::duration),
        words::count(outcome.calls.iter().map(|call| call.retries).sum()),
        words::count(outcome.effects.iter().map(|effect| effect.duplicated).sum()),
        peak(Counter::PeakArrivals).map_or_else(|| words::NONE.to_owned(), words::count),
        peak(Counter::PeakRetries).map_or_else(|| words::NONE.to_owned(), words::count),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::typed;

    #[test]
    fn a_seed_that_was_typed_is_repeated_for_all() {
        let line = |typed_line| repeat(&typed(typed_line));
        assert_eq!(line("run x.ron --all --seed 7"), "sim run x.ron --all --seed 7");
        assert_eq!(line("run x.ron --all --set a=1"), "sim run x.ron --all --set 'a=1'");
    }
}
