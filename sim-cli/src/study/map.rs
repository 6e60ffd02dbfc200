//! `sim map`: two values varied together.

use sim_models::Scenario;
use sim_models::source::SourceError;
use sim_models::study::{Axis, Cell, Estimate, Map, Misuse, RecoveryTally, Region, Unit};

use super::figure::{self, NONE};
use super::progress::Progress;
use super::{command, extent, json, keep_chart, line, options, table};
use crate::args::{self, MapArgs};
use crate::diagnostics::Failure;
use crate::file::{ScenarioFile, warnings_of};
use crate::report::{self, Style};
use crate::{Exit, chart, console, words};

/// Runs every cell and shows where the system is stable.
///
/// # Errors
/// A cell that cannot be read, or options that make no sense.
pub fn map(args: &MapArgs) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario)?;
    let base = file.load(args.changes.variant.as_deref(), &args.changes.set)?;
    let axes = [args.x.clone(), args.y.clone().unwrap_or_else(Axis::none)];
    let cells = cells(&file, args, &axes)?;
    console::warn(&warnings_of(cells.iter()));
    let progress = Progress::new(args.seeds.saturating_mul(cells.len() as u64));
    let tick = || progress.tick();
    let map = Map::run(&base, axes, &cells, &options(args.seeds, &args.study, &tick));
    let map = map.map_err(|misuse: Misuse| Failure::from(misuse))?;
    drop(progress);
    let repeat = args::repeat_map(args);
    console::print(&if args.study.json {
        json::map(&map)
    } else {
        text(&map, &repeat, &console::style())
    })?;
    let svg = chart::map(&map, &repeat);
    keep_chart(&args.out, &format!("{}-map", map.subject.scenario), &svg, args.study.json)?;
    Ok(Exit::Kept)
}

/// The scenarios of all cells, row by row.
fn cells(file: &ScenarioFile, args: &MapArgs, axes: &[Axis; 2]) -> Result<Vec<Scenario>, Failure> {
    let [x, y] = axes;
    let (mut cells, mut mistakes): (_, Vec<SourceError>) = (Vec::new(), Vec::new());
    for row in &y.values {
        for column in &x.values {
            let mut sets = args.changes.set.clone();
            sets.push((x.path.clone(), column.clone()));
            if !y.is_none() {
                sets.push((y.path.clone(), row.clone()));
            }
            match file.load(args.changes.variant.as_deref(), &sets) {
                Ok(scenario) => cells.push(scenario),
                Err(errors) => errors.into_iter().for_each(|error| {
                    let error = placed(error, axes);
                    // A wrong value is wrong in its whole row or column.
                    if !mistakes.contains(&error) {
                        mistakes.push(error);
                    }
                }),
            }
        }
    }
    if mistakes.is_empty() { Ok(cells) } else { Err(mistakes.into()) }
}

/// A mistake, told as that of a value of an axis when it is one.
fn placed(mut error: SourceError, axes: &[Axis; 2]) -> SourceError {
    for (name, axis) in ["--x", "--y"].into_iter().zip(axes) {
        let is_it = |value: &String| format!("{}={value}", axis.path) == error.place.text;
        if let Some(n) = axis.values.iter().position(is_it) {
            let label = format!("{name}, value {} of {}", n + 1, axis.values.len());
            error.place.label = label;
            break;
        }
    }
    error
}

fn text(map: &Map, repeat: &str, style: &Style) -> String {
    let subject = &map.subject;
    let name = match &subject.variant {
        Some(variant) => format!("{}, variant \"{variant}\"", subject.scenario),
        None => subject.scenario.clone(),
    };
    let mut text = line(style, "scenario", &name);
    text += &line(style, "study", &format!("{} per cell", extent(subject)));
    text += &line(style, "across", &map.x.path);
    if !map.y.is_none() {
        text += &line(style, "down", &map.y.path);
    }
    let is_judged = map.cells.iter().any(|cell| cell.region.is_some());
    if is_judged {
        text += &grid(map, "region", &region, style);
        text += &legend(map);
    } else {
        let why = "no run tells, as nothing disturbs the scenario after enough of quiet";
        text += &line(style, "recovery", why);
        text += &grid(map, "success", &success, style);
    }
    text += &cell_table(map, style);
    let limited = map.cells.iter().filter_map(|cell| cell.summary.limited.as_ref());
    let runs: u64 = limited.map(|limited| limited.runs).sum();
    if runs > 0 {
        let said = words::counted(runs, "run");
        text += &format!("\n{said} ended at a limit and are in no figure.\n");
    }
    text.push('\n');
    text += &line(style, "study id", &subject.id.to_string());
    text + &command(style, "repeat", repeat)
}

fn region(cell: &Cell) -> String {
    cell.region.map_or(NONE, Region::name).to_owned()
}

fn success(cell: &Cell) -> String {
    figure::optional(Unit::Share, cell.success.map(|success| success.mean))
}

/// One word or figure per cell.
fn grid(map: &Map, corner: &str, of: &dyn Fn(&Cell) -> String, style: &Style) -> String {
    let values = map.x.values.iter().map(|value| report::plain(value));
    let header: Vec<String> = std::iter::once(corner.to_owned()).chain(values).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let row = |(n, value): (usize, &String)| {
        let cells = (0..map.x.values.len()).map(|column| of(map.cell(column, n)));
        std::iter::once(report::plain(value)).chain(cells).collect()
    };
    table(style, &header, map.y.values.iter().enumerate().map(row).collect(), &[])
}

/// What the words of the grid mean, of those that stand in it.
fn legend(map: &Map) -> String {
    let mut text = "\n".to_owned();
    for region in Region::ALL {
        let meaning = match region {
            Region::Stable => "never degraded, or always recovered",
            Region::Vulnerable => "stays down after the trigger with some seeds",
            Region::Metastable => "stays down after the trigger with every seed that tells",
            Region::Overloaded => "not well even before the trigger, with most seeds",
            Region::Undecided => "the horizon comes too soon to tell, with some seeds",
        };
        if map.cells.iter().any(|cell| cell.region == Some(region)) {
            text += &format!("{:<10}  {meaning}\n", region.name());
        }
    }
    text
}

fn cell_table(map: &Map, style: &Style) -> String {
    let mean = |unit, estimate: Option<Estimate>| figure::optional(unit, estimate.map(|e| e.mean));
    let mut rows = Vec::new();
    for (n, cell) in map.cells.iter().enumerate() {
        let (column, row) = (n % map.x.values.len(), n / map.x.values.len());
        let mut cells = vec![report::plain(&map.x.values[column])];
        if !map.y.is_none() {
            cells.push(report::plain(&map.y.values[row]));
        }
        cells.extend([
            words::count(cell.summary.runs),
            states(cell.summary.recovery.as_ref()),
            mean(Unit::Millis, cell.recovery_time),
            mean(Unit::Ratio, cell.amplification),
            mean(Unit::PerSecond, cell.goodput),
            mean(Unit::Share, cell.success),
        ]);
        rows.push(cells);
    }
    let mut header = vec!["across"];
    if !map.y.is_none() {
        header.push("down");
    }
    header.extend([
        "runs",
        "after the trigger",
        "to recover",
        "attempts/call",
        "goodput",
        "success",
    ]);
    let left = header.iter().position(|head| *head == "after the trigger");
    table(style, &header, rows, &[left.expect("it was put there")])
}

/// `3 recovered, 2 metastable`.
fn states(tally: Option<&RecoveryTally>) -> String {
    let Some(tally) = tally else { return NONE.to_owned() };
    let states = [
        (tally.undisturbed, "undisturbed"),
        (tally.recovered, "recovered"),
        (tally.metastable, "metastable"),
        (tally.undecided, "undecided"),
        (tally.unhealthy, "unhealthy"),
    ];
    let states = states.into_iter().filter(|(n, _)| *n > 0);
    let states: Vec<String> = states.map(|(n, state)| format!("{n} {state}")).collect();
    states.join(", ")
}
