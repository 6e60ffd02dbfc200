//! `sim map`: two values varied together.

use std::path::PathBuf;

use serde_json::{Value, json};
use sim_models::Scenario;
use sim_models::SourceError;
use sim_models::anatomy::Anatomy;
use sim_models::custom::Kinds;
use sim_models::study::{Axis, Cell, Estimate, Map, Measure, RecoveryTally, Region, Subject, Unit};

use crate::changes::Changes;
use crate::chart_file::{self, Charts};
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::{ScenarioFile, together, warnings_of};
use crate::repeat::Repeat;
use crate::spoken::Spoken;
use crate::study::rows::{self, Group, RowsFile};
use crate::study::{self, StudyArgs, called_off, extent};
use crate::text::{Style, Table, plain};
use crate::words::{self, NONE};
use crate::{chart, console, figure, json, running};

/// Vary one or two values, and tell where the system is stable and where it is not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An axis is a path and its values, separated by commas (those within brackets and texts do not
count), or a range with the number of its values:

  sim map storm.ron --x 'actors.users.load.rate=20/s..60/s/5' --y 'policies.p[0].attempts=1,2,4'

The exit code does not depend on what is found.")]
pub struct Args {
    /// The scenario file
    scenario: PathBuf,

    #[command(flatten)]
    changes: Changes,

    /// What varies from column to column
    #[arg(long, value_name = "PATH=V1,V2,…")]
    x: Axis,

    /// What varies from row to row
    #[arg(long, value_name = "PATH=V1,V2,…")]
    y: Option<Axis>,

    /// How many seeds per cell
    #[arg(long, value_name = "N", default_value_t = 5)]
    seeds: u64,

    /// Write one row a cell and seed: what the run broke, figures; as CSV or JSON Lines, by FILE's
    /// ending
    #[arg(long, value_name = "FILE")]
    rows: Option<RowsFile>,

    #[command(flatten)]
    charts: Charts,

    #[command(flatten)]
    study: StudyArgs,
}

/// Runs every cell and shows where the system is stable.
///
/// # Errors
/// A cell that cannot be read, or options that make no sense.
pub fn map(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let base = file.load_changed(&args.changes)?;
    let axes = [args.x.clone(), args.y.clone().unwrap_or_else(Axis::none)];
    let cells = cells(&file, &args.changes, &axes)?;
    console::warn(&warnings_of(cells.iter()));
    let runs = args.seeds.saturating_mul(cells.len() as u64);
    let mut map = running::study(runs, |awaited| {
        let mut options = args.study.options(args.seeds, awaited);
        if args.rows.is_some() {
            rows::each(&mut options);
        }
        Map::run(&base, axes, &cells, &options)
    })?;
    if let Some(rows) = &args.rows {
        keep(rows, &mut map, args.study.metric.len())?;
    }
    let seeds = map.subject.id.seeds;
    let repeat = repeat(args, seeds);
    console::print(&if args.study.json {
        object(&map)
    } else {
        text(&map, &Anatomy::of(&base), &repeat, &console::style())
    })?;
    if seeds > 0 {
        let name = chart_name(args, &map.subject);
        let chart = || chart::map(&map, &base, &repeat);
        args.charts.keep_and_tell(&name, args.study.json, chart)?;
    }
    Ok(if map.subject.is_called_off() { Exit::Broken } else { Exit::Kept })
}

/// Writes the runs of all cells. What is told of the map is as without them.
fn keep(rows: &RowsFile, map: &mut Map, asked: usize) -> Result<(), Failure> {
    let place = |y: &String, x: &String| vec![x.clone(), y.clone()];
    let places = map.y.values.iter().flat_map(|y| map.x.values.iter().map(move |x| place(y, x)));
    let groups: Vec<Group<'_>> = places.zip(map.cells.iter().map(|cell| &cell.summary)).collect();
    rows.keep(&["x", "y"], &groups)?;
    map.cells.iter_mut().for_each(|cell| rows::forget(&mut cell.summary, asked));
    Ok(())
}

/// The command that repeats a map of so many seeds.
fn repeat(args: &Args, seeds: u64) -> String {
    options(args, seeds, Repeat::new("map").file(&args.scenario)).to_string()
}

/// All that changes a map, but for the file.
fn options(args: &Args, seeds: u64, line: Repeat) -> Repeat {
    let mut line = line.changes(args.changes.variant.as_deref(), &args.changes.set);
    for (name, axis) in [("x", Some(&args.x)), ("y", args.y.as_ref())] {
        if let Some(axis) = axis {
            line = line.option(name, format!("{}={}", axis.path, axis.values.join(",")));
        }
    }
    args.study.repeat(line, seeds)
}

/// What the chart is called: by its axes, and a hash of all that was asked for.
fn chart_name(args: &Args, subject: &Subject) -> String {
    let last = |axis: &Axis| axis.path.rsplit('.').next().unwrap_or_default().to_owned();
    let axes: Vec<String> =
        [Some(&args.x), args.y.as_ref()].into_iter().flatten().map(last).collect();
    let own = options(args, subject.id.seeds, Repeat::words()).to_string();
    format!("{} map{}", subject.scenario, chart_file::apart(&axes.join(" "), &own))
}

/// The scenarios of all cells, row by row.
pub(super) fn cells(
    file: &ScenarioFile,
    changes: &Changes,
    axes: &[Axis; 2],
) -> Result<Vec<Scenario>, Failure> {
    let [x, y] = axes;
    let cell = |row: &String, column: &String| {
        let mut changes = changes.clone();
        changes.set.push((x.path.clone(), column.clone()));
        if !y.is_none() {
            changes.set.push((y.path.clone(), row.clone()));
        }
        let placed = |errors: Vec<_>| errors.into_iter().map(|error| placed(error, axes)).collect();
        ((), file.load_changed(&changes).map_err(placed))
    };
    // A wrong value is wrong in its whole row or column.
    let cells = y.values.iter().flat_map(|row| x.values.iter().map(move |column| (row, column)));
    let cells = together(cells.map(|(row, column)| cell(row, column)))?;
    Ok(cells.into_iter().map(|((), cell)| cell).collect())
}

/// A mistake, shown as that of a value of an axis when it is one.
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

/// A map as one JSON object.
fn object(map: &Map) -> String {
    let mut object = study::json::subject(&map.subject);
    let axis = |axis: &Axis| match axis.is_none() {
        true => Value::Null,
        false => json!({ "path": axis.path, "values": axis.values }),
    };
    object.insert("x".to_owned(), axis(&map.x));
    object.insert("y".to_owned(), axis(&map.y));
    let columns = map.x.values.len();
    let cell = |(n, cell): (usize, &Cell)| {
        json!({
            "x": map.x.values[n % columns],
            "y": (!map.y.is_none()).then(|| &map.y.values[n / columns]),
            "region": cell.region.map(Region::name),
            "runs": cell.summary.runs,
            "limited": cell.summary.limited.as_ref().map(study::json::limited),
            "recovery": cell.summary.recovery.as_ref().map(study::json::recovery),
            "recovery_time_ms": study::json::estimate(cell.recovery_time),
            "amplification": study::json::estimate(cell.amplification),
            "goodput": study::json::estimate(cell.goodput),
            "success": study::json::estimate(cell.success),
            "unanswered": study::json::estimate(cell.unanswered),
            "figures": study::json::measures(&cell.summary.asked),
        })
    };
    object.insert("cells".to_owned(), map.cells.iter().enumerate().map(cell).collect());
    json::pretty(&object)
}

fn text(map: &Map, anatomy: &Anatomy, repeat: &str, style: &Style) -> String {
    let subject = &map.subject;
    let name = words::named(&subject.scenario, subject.variant.as_deref());
    let mut text = style.line("scenario", &name);
    text += &style.line("study", &format!("{} per cell", extent(subject)));
    if let Some(said) = called_off(subject) {
        text += &style.labelled(style.unsure, "stopped", &said);
    }
    text += &style.line("across", &Spoken::of(anatomy, &map.x.path).name);
    if !map.y.is_none() {
        text += &style.line("down", &Spoken::of(anatomy, &map.y.path).name);
    }
    let is_judged = map.cells.iter().any(|cell| cell.region.is_some());
    if let Some(asked) = map.cells[0].summary.asked.first() {
        let of = |cell: &Cell| measure(&cell.summary.asked[0]);
        text += &grid(map, &asked.figure.to_string(), &of, style);
    }
    if is_judged {
        text += &grid(map, "region", &region, style);
        text += &legend(map);
    } else {
        let why = "no run tells, as nothing disturbs the scenario after enough of quiet";
        text += &style.line("recovery", why);
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
    text += &style.line("study id", &subject.id.to_string());
    text + &style.command("repeat", repeat)
}

fn region(cell: &Cell) -> String {
    cell.region.map_or(NONE, Region::name).to_owned()
}

/// A figure of a cell, with its interval.
fn measure(Measure { figure, estimate, at_least }: &Measure) -> String {
    let Some(estimate) = estimate else { return NONE.to_owned() };
    let unit = figure.unit();
    let mean = figure::bound(*at_least, figure::figure(unit, estimate.mean));
    match estimate.interval {
        Some(interval) if interval.low < interval.high => {
            format!("{mean} ({})", figure::interval(unit, Some(interval)))
        }
        _ => mean,
    }
}

fn success(cell: &Cell) -> String {
    figure::optional(Unit::Share, cell.success.map(|success| success.mean))
}

/// One word or figure per cell.
fn grid(map: &Map, corner: &str, of: &dyn Fn(&Cell) -> String, style: &Style) -> String {
    let values = map.x.values.iter().map(|value| plain(value));
    let header = std::iter::once(corner.to_owned()).chain(values);
    let row = |(n, value): (usize, &String)| {
        let cells = (0..map.x.values.len()).map(|column| of(map.cell(column, n)));
        std::iter::once(plain(value)).chain(cells).collect()
    };
    Table::new(header, map.y.values.iter().enumerate().map(row).collect()).text(style)
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
        let mut cells = vec![plain(&map.x.values[column])];
        if !map.y.is_none() {
            cells.push(plain(&map.y.values[row]));
        }
        cells.extend([
            words::count(cell.summary.runs),
            states(cell.summary.recovery.as_ref()),
            mean(Unit::Millis, cell.recovery_time),
            mean(Unit::Ratio, cell.amplification),
            mean(Unit::PerSecond, cell.goodput),
            mean(Unit::Share, cell.success),
            mean(Unit::Share, cell.unanswered),
        ]);
        cells.extend(cell.summary.asked.iter().map(measure));
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
        "unanswered",
    ]);
    let asked = map.cells[0].summary.asked.iter().map(|measure| measure.figure.to_string());
    let asked: Vec<String> = asked.collect();
    header.extend(asked.iter().map(String::as_str));
    let left = header.iter().position(|head| *head == "after the trigger");
    Table::new(header, rows).words(left.expect("it was put there")).text(style)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::typed;

    #[test]
    fn it_is_repeated_with_its_axes() {
        assert_eq!(
            repeat(&typed("map x.ron --x a=1..3/3 --confidence 99%"), 5),
            "sim map x.ron --x 'a=1,2,3' --seeds 5 --confidence 0.99"
        );
    }
}
