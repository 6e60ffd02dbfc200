//! One run, its report and its chart.

use sim_models::outcome::Verdict;

use super::args::Args;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::ScenarioFile;
use crate::repeat::Repeat;
use crate::report::{Depth, View};
use crate::{chart, chart_file, console, finding, json, record, report, running};

/// Runs the scenario and shows what was found.
///
/// # Errors
/// A scenario that cannot be loaded, or a chart or record that cannot be written.
pub fn run(args: &Args, file: &ScenarioFile) -> Result<Exit, Failure> {
    let (variant, sets) = (args.changes.variant.as_deref(), &args.changes.set);
    let scenario = file.load_changed(&args.changes)?;
    console::warn(scenario.warnings());
    let seed = args.seed.unwrap_or(scenario.seed());
    let outcome = match &args.record {
        Some(path) => {
            let header = record::Header::new(file, &args.changes, &scenario, seed);
            record::write(path, &header, scenario.start(seed))?
        }
        None => running::run(&scenario, seed, &running::stop_on_interrupt()),
    };
    let repeat = Repeat::run(&args.scenario, variant, sets, seed).to_string();
    let name = chart_file::of_run(&scenario, variant, seed, sets);
    let drawn = args.charts.keep(&name, || chart::timeline(&outcome, &repeat));

    if args.json {
        console::print(&json::object(&outcome))?;
    } else if args.quiet {
        console::print(&format!("{}\n", finding::one_line(&outcome)))?;
    } else {
        let depth = if args.verbose { Depth::Log } else { Depth::Screen };
        let view = View { style: console::style(), depth };
        console::print(&report::text(&outcome, &repeat, &view))?;
        if outcome.verdict == Verdict::Violated {
            let why = Repeat::new("why").file(&args.scenario).changes(variant, sets);
            let why = why.option("seed", seed).to_string();
            console::print(&console::style().command("why", &why))?;
        }
    }
    let chart = drawn?;
    let written = [("chart", chart.as_ref()), ("record", args.record.as_ref())];
    for (what, path) in written.into_iter().filter_map(|(what, path)| Some((what, path?))) {
        if !args.quiet {
            console::tell_where(what, path, args.json)?;
        }
    }
    Ok(Exit::from(outcome.verdict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::typed;

    #[test]
    fn what_is_repeated_is_what_was_typed() {
        let args: Args = typed("run x.ron --variant=-v --set a.b=c=d --seed 3");
        let (variant, sets) = (args.changes.variant.as_deref(), &args.changes.set);
        let repeat = Repeat::run(&args.scenario, variant, sets, args.seed.unwrap());
        assert_eq!(repeat.to_string(), "sim run x.ron --variant=-v --set 'a.b=c=d' --seed 3");
    }
}
