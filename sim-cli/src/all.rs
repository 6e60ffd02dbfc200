//! `sim run --all`: the base scenario and its variants side by side, each on the seed that it asks
//! for unless one is given for all.

use std::collections::BTreeSet;

use comfy_table::CellAlignment;
use sim_core::Span;
use sim_models::outcome::{ActorSummary, Outcome};

use crate::args::{self, RunArgs};
use crate::diagnostics::Failure;
use crate::file::{ScenarioFile, warnings_of};
use crate::run::{chart_path, draw, exit, one_line, tell_where};
use crate::{Exit, console, finding, json, report, words};

/// Runs the base scenario and every variant. The base alone decides how the command ends.
///
/// # Errors
/// As for a single run; a mistake in one variant stops all of them.
pub fn run(args: &RunArgs, file: &ScenarioFile) -> Result<Exit, Failure> {
    let sets = &args.changes.set;
    let base = file.load(None, sets)?;
    let variants = base.variants();
    let mut scenarios = vec![(None, base)];
    let mut mistakes = Vec::new();
    for variant in &variants {
        match file.load(Some(variant), sets) {
            Ok(scenario) => scenarios.push((Some(variant.as_str()), scenario)),
            Err(errors) => mistakes.extend(errors),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes.into());
    }

    console::warn(&warnings_of(scenarios.iter().map(|(_, scenario)| scenario)));
    let (mut outcomes, mut charts, mut drawn) = (Vec::new(), Vec::new(), Ok(()));
    for (variant, scenario) in &scenarios {
        let seed = args.seed.unwrap_or(scenario.seed());
        let outcome = scenario.run(seed);
        let repeat = args::repeat(&args.scenario, *variant, sets, seed);
        let chart = chart_path(&args.out, scenario, *variant);
        drawn = drawn.and(draw(&chart, &outcome, &repeat));
        outcomes.push(outcome);
        charts.push(chart);
    }
    let repeat = args::repeat_all(&args.scenario, sets, args.seed);
    console::print(&if args.json {
        let objects: Vec<String> = outcomes.iter().map(json::object).collect();
        format!("[\n{}]\n", objects.join(",\n"))
    } else if args.quiet {
        outcomes.iter().map(|outcome| one_line(outcome) + "\n").collect()
    } else {
        text(&outcomes, &repeat)
    })?;
    drawn?;
    if !args.quiet {
        charts.iter().try_for_each(|chart| tell_where("chart", chart, args.json))?;
    }
    Ok(exit(outcomes[0].verdict))
}

/// The seed of all runs; where variants ask for others, all of them.
fn seeds(outcomes: &[Outcome]) -> String {
    let seeds: BTreeSet<u64> = outcomes.iter().map(|outcome| outcome.run_id.seed).collect();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    seeds.join(" or ")
}

/// The table, what each run found, and the command that repeats all.
fn text(outcomes: &[Outcome], repeat: &str) -> String {
    let base = &outcomes[0];
    let mut text = report::plain(&format!("{}, seed {}", base.scenario, seeds(outcomes)));
    text += "\n\n";
    let header = [
        "variant",
        "verdict",
        "submitted",
        "succeeded",
        "p99",
        "retries",
        "duplicated",
        "peak",
        "peak retries",
    ];
    let rows = outcomes.iter().map(row).collect();
    let mut table = report::table(header.map(str::to_owned).to_vec(), rows);
    if let Some(verdict) = table.column_mut(1) {
        verdict.set_cell_alignment(CellAlignment::Left);
    }
    for line in table.lines() {
        text += line.trim_end();
        text.push('\n');
    }
    text += "\nThe peak is the most arrivals in any 100 ms at the busiest service, retries \
        included;\np99 is that of the slowest client.\n\n";
    for outcome in outcomes {
        let line = format!("{}: {}", name(outcome), finding::headline(outcome));
        text += &format!("{}\n", report::plain(&line));
    }
    text += &format!("\n{:<8}  {}\n", "repeat", report::plain(repeat));
    text
}

fn name(outcome: &Outcome) -> &str {
    outcome.variant.as_deref().unwrap_or("(base)")
}

fn row(outcome: &Outcome) -> Vec<String> {
    let of_kind = |kind: &'static str| outcome.actors.iter().filter(move |a| a.kind == kind);
    let submitted = of_kind("client").map(|client| counter(client, "submitted")).sum();
    let succeeded = of_kind("client").map(|client| counter(client, "succeeded")).sum();
    let p99: Option<Span> = of_kind("client").filter_map(|client| Some(client.latency?.p99)).max();
    let peak = |name| of_kind("service").map(|service| counter(service, name)).max();
    vec![
        report::plain(name(outcome)),
        outcome.verdict.to_string(),
        words::count(submitted),
        words::count(succeeded),
        p99.map_or_else(none, words::duration),
        words::count(outcome.calls.iter().map(|call| call.retries).sum()),
        words::count(outcome.effects.iter().map(|effect| effect.duplicated).sum()),
        peak("peak_arrivals_100ms").map_or_else(none, words::count),
        peak("peak_retries_100ms").map_or_else(none, words::count),
    ]
}

fn none() -> String {
    "–".to_owned()
}

fn counter(actor: &ActorSummary, name: &str) -> u64 {
    actor.counters.iter().find(|(counter, _)| *counter == name).map_or(0, |(_, n)| *n)
}
