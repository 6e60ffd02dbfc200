//! `sim run`: one run, its report and its chart.

use std::fs;
use std::path::{Path, PathBuf};

use sim_models::Scenario;
use sim_models::outcome::{Outcome, Verdict};

use crate::args::{self, RunArgs};
use crate::diagnostics::Failure;
use crate::file::ScenarioFile;
use crate::{Exit, all, chart, console, finding, json, record, report};

/// The longest name of a chart in bytes; file systems end at 255.
const NAME_MAX: usize = 200;

/// Runs what was asked for and shows what was found.
///
/// # Errors
/// A scenario that cannot be read or run, or a chart or record that cannot be written.
pub fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let file = ScenarioFile::read(&args.scenario)?;
    if args.all {
        return all::run(args, &file);
    }
    let (variant, sets) = (args.changes.variant.as_deref(), &args.changes.set);
    let scenario = file.load(variant, sets)?;
    console::warn(scenario.warnings());
    let seed = args.seed.unwrap_or(scenario.seed());
    let outcome = match &args.record {
        Some(path) => {
            let header = record::Header::new(&file, variant, sets, &scenario, seed);
            record::write(path, &header, scenario.start(seed))?
        }
        None => scenario.run(seed),
    };
    let repeat = args::repeat(&args.scenario, variant, sets, seed);
    let chart = chart_path(&args.out, &scenario, variant);
    let drawn = draw(&chart, &outcome, &repeat);

    if args.json {
        console::print(&json::object(&outcome))?;
    } else if args.quiet {
        console::print(&format!("{}\n", one_line(&outcome)))?;
    } else {
        console::print(&report::text(&outcome, &repeat, &console::style(), args.verbose))?;
    }
    drawn?;
    let written = [("chart", Some(&chart)), ("record", args.record.as_ref())];
    for (what, path) in written.into_iter().filter_map(|(what, path)| Some((what, path?))) {
        if !args.quiet {
            tell_where(what, path, args.json)?;
        }
    }
    Ok(exit(outcome.verdict))
}

/// Says where a file went: beside a report in its manner, beside JSON on standard error.
pub fn tell_where(what: &str, path: &Path, json: bool) -> Result<(), Failure> {
    let line = report::plain(&format!("{what:<8}  {}", path.display()));
    if json {
        console::note(&line);
        return Ok(());
    }
    console::print(&format!("{line}\n"))
}

/// What a verdict means for whoever called the command.
pub fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Kept => Exit::Kept,
        Verdict::Violated | Verdict::Invalid => Exit::Broken,
    }
}

/// Writes the chart of a run.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn draw(path: &Path, outcome: &Outcome, repeat: &str) -> Result<(), Failure> {
    keep(path, &chart::timeline(outcome, repeat))
}

/// Writes a chart.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn keep(path: &Path, svg: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let write = || {
        fs::create_dir_all(folder)?;
        fs::write(path, svg)
    };
    write().map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// Where the chart of a scenario's variant goes. Variants whose names read alike as file names
/// are told apart by a number.
pub fn chart_path(out: &Path, scenario: &Scenario, variant: Option<&str>) -> PathBuf {
    let Some(variant) = variant else {
        return out.join(format!("{}.svg", file_name(scenario.name())));
    };
    let stem = |variant: &str| file_name(&format!("{}-{variant}", scenario.name()));
    let name = stem(variant);
    let variants = scenario.variants();
    let alike = variants.iter().take_while(|other| *other != variant).filter(|v| stem(v) == name);
    match alike.count() {
        0 => out.join(format!("{name}.svg")),
        n => out.join(format!("{name}-{}.svg", n + 1)),
    }
}

/// `name` as every file system takes it: lower-case letters, digits, `_` and single dashes.
pub fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        let c = if c.is_alphanumeric() || c == '_' { c } else { '-' };
        if safe.len() < NAME_MAX && !(c == '-' && (safe.is_empty() || safe.ends_with('-'))) {
            safe.push(c);
        }
    }
    let safe = safe.trim_end_matches('-');
    if safe.is_empty() { "scenario".to_owned() } else { safe.to_owned() }
}

/// The finding in one line: `KEPT  payment, seed 1: All 4 invariants held`.
pub fn one_line(outcome: &Outcome) -> String {
    let variant = match &outcome.variant {
        Some(variant) => format!(", variant \"{variant}\""),
        None => String::new(),
    };
    let (name, seed) = (&outcome.scenario, outcome.run_id.seed);
    let verdict = outcome.verdict.to_string().to_uppercase();
    let headline = finding::headline(outcome);
    report::plain(&format!("{verdict:<8}  {name}{variant}, seed {seed}: {headline}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_chart_has_a_name_that_every_file_system_takes() {
        assert_eq!(file_name("payment-no breaker"), "payment-no-breaker");
        assert_eq!(file_name("../../Etc/passwd"), "etc-passwd");
        assert_eq!(file_name("Zürich: 3 < 4!"), "zürich-3-4");
        assert_eq!(file_name("\0/.."), "scenario");
        assert!(file_name(&"ü".repeat(1000)).len() <= NAME_MAX + 4);
    }

    #[test]
    fn variants_that_read_alike_have_charts_of_their_own() {
        let text = r#"Scenario(
            name: "twin", about: "", horizon: "1s",
            actors: { "users": Client(load: Burst(count: 1), does: []) },
            variants: { "a b": {}, "a-b": {}, "A b": {} },
        )"#;
        let scenario = Scenario::load("twin.ron", text).unwrap();
        let path = |variant| chart_path(Path::new("out"), &scenario, variant);
        assert_eq!(path(None), Path::new("out/twin.svg"));
        assert_eq!(path(Some("a b")), Path::new("out/twin-a-b.svg"));
        assert_eq!(path(Some("a-b")), Path::new("out/twin-a-b-2.svg"));
        assert_eq!(path(Some("A b")), Path::new("out/twin-a-b-3.svg"));
    }

    #[test]
    fn the_finding_fits_one_line() {
        assert_eq!(
            one_line(&samples::outage()),
            "VIOLATED  payment, variant \"naive\", seed 7: \
             ExactlyOnce(\"charge\") broken at 34.127s, 3 times in all"
        );
        assert!(!one_line(&samples::hostile()).contains('\n'));
    }
}
