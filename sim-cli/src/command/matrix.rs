//! `sim explore --matrix`: how well the search finds what is known to be wrong.
//!
//! A folder of scenarios that show with their own faults how they break: the faults are taken away,
//! and the search has to find the same mistake again. Designs that keep their promises under their
//! own faults are searched for much longer, and should keep them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sim_models::Scenario;
use sim_models::custom::Kinds;
use sim_models::explore::{Exploration, Finding, Mechanism, Report, explore};

use crate::diagnostics::Failure;
use crate::file::ScenarioFile;
use crate::{console, words};

/// A design that should break under nothing gets so many times the runs.
const PATIENCE: u64 = 10;

/// A search at random rarely finds anything and takes its whole budget: it gets a part of the seeds.
const RANDOM_SEEDS: u64 = 4;

/// How much is searched, and what to do meanwhile.
pub struct Terms<'a> {
    pub budget: u64,
    /// Each mode is searched for with so many seeds.
    pub seeds: u64,
    pub jobs: usize,
    /// How long it has taken so far.
    pub elapsed: &'a dyn Fn() -> Duration,
    pub tick: &'a (dyn Fn() + Sync),
    pub goes_on: &'a (dyn Fn() -> bool + Sync),
}

/// A scenario that shows how it breaks.
struct Mode {
    name: String,
    mechanism: Mechanism,
    stripped: Scenario,
}

/// A design that keeps its promises under its own faults.
struct Sound {
    name: String,
    stripped: Scenario,
}

/// Prints the tables as Markdown, each row as soon as it is known.
///
/// # Errors
/// A folder or a scenario that cannot be read.
pub fn matrix(folder: &Path, kinds: &Kinds, terms: &Terms<'_>) -> Result<(), Failure> {
    let unreadable =
        |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ron"));
    files.sort();
    let (mut modes, mut sound) = (Vec::new(), Vec::new());
    for file in files {
        sort(&file, kinds, &mut modes, &mut sound)?;
    }
    if !modes.is_empty() {
        found(&modes, terms)?;
    }
    if !sound.is_empty() {
        kept(&sound, terms)?;
    }
    Ok(())
}

/// Files a scenario and its variants under what they are.
fn sort(
    file: &Path,
    kinds: &Kinds,
    modes: &mut Vec<Mode>,
    sound: &mut Vec<Sound>,
) -> Result<(), Failure> {
    let read = |variant: Option<&str>, is_stripped: bool| -> Result<Scenario, Failure> {
        let set = match is_stripped {
            true => vec![("faults".to_owned(), "[]".to_owned())],
            false => Vec::new(),
        };
        Ok(ScenarioFile::read(file, kinds)?.load(variant, &set)?)
    };
    let base = read(None, false)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.split('-').take(2).collect::<Vec<_>>().join("-");
    let mechanism = Mechanism::of(&base);
    let is_mode = mechanism.promises().next().is_some();
    let variants = base.variants();
    for variant in variants.iter().filter(|variant| !is_mode || *variant == "corrected") {
        let stripped = read(Some(variant), true)?;
        sound.push(Sound { name: format!("{name}, {variant}"), stripped });
    }
    let stripped = read(None, true)?;
    match is_mode {
        true => modes.push(Mode { name, mechanism, stripped }),
        false => sound.push(Sound { name, stripped }),
    }
    Ok(())
}

/// What one kind of search did for a mode, over all seeds.
struct Power {
    /// The runs that it took, where it found the mode, in order.
    runs: Vec<u64>,
    times: Vec<Duration>,
    first: Option<Finding>,
    seeds: u64,
}

impl Power {
    fn of(mode: &Mode, terms: &Terms<'_>, is_random: bool) -> Power {
        let (mut runs, mut times, mut first) = (Vec::new(), Vec::new(), None);
        let seeds = if is_random { terms.seeds.div_ceil(RANDOM_SEEDS) } else { terms.seeds };
        for seed in 1..=seeds {
            let begun = (terms.elapsed)();
            let search = search(&mode.stripped, terms).seed(seed).until_found(&mode.mechanism);
            let search = if is_random { search.at_random() } else { search };
            if let Some(finding) = run(search).findings.into_iter().next() {
                times.push((terms.elapsed)().saturating_sub(begun));
                runs.push(finding.runs);
                first.get_or_insert(finding);
            }
        }
        runs.sort_unstable();
        times.sort_unstable();
        Power { runs, times, first, seeds }
    }

    /// The median of all seeds; one that found nothing took longer than any.
    fn median(&self) -> Option<u64> {
        self.runs.get(self.seeds as usize / 2).copied()
    }

    fn cells(&self, budget: u64) -> String {
        let median = match self.median() {
            Some(median) => words::count(median),
            None => format!("over {}", words::count(budget)),
        };
        format!("{} of {} | {median}", self.runs.len(), self.seeds)
    }
}

fn search<'a>(scenario: &'a Scenario, terms: &Terms<'a>) -> Exploration<'a> {
    let search = explore(scenario).budget(terms.budget).jobs(terms.jobs).untold();
    search.progress(terms.tick).while_it(terms.goes_on)
}

fn run(search: Exploration<'_>) -> Report {
    search.run().expect("it promises something, and there are threads")
}

fn found(modes: &[Mode], terms: &Terms<'_>) -> Result<(), Failure> {
    console::print(
        "| mode | promise | phase | found | median runs | seconds | faults | when | at random: found \
         | median runs |\n|---|---|---|---|---|---|---|---|---|---|\n",
    )?;
    let mut missed = String::new();
    for mode in modes {
        let by_lineage = Power::of(mode, terms, false);
        let at_random = Power::of(mode, terms, true);
        let seconds = by_lineage.times.get(by_lineage.times.len() / 2);
        let seconds = seconds.map_or("–".to_owned(), |time| format!("{:.1}", time.as_secs_f64()));
        let [promise, phase, faults, when] = match &by_lineage.first {
            Some(finding) => [
                format!("`{}`", finding.broken[0]),
                finding.phase.name().replace('_', " "),
                finding.faults.len().to_string(),
                finding.how(),
            ],
            None => {
                missed += &instead(mode, terms);
                ["–"; 4].map(str::to_owned)
            }
        };
        let (lineage, random) = (by_lineage.cells(terms.budget), at_random.cells(terms.budget));
        console::print(&format!(
            "| `{}` | {promise} | {phase} | {lineage} | {seconds} | {faults} | {when} | {random} |\n",
            mode.name
        ))?;
    }
    console::print(&missed)
}

/// What else is found of a mode whose own mistake is not.
fn instead(mode: &Mode, terms: &Terms<'_>) -> String {
    let report = run(search(&mode.stripped, terms).seed(1));
    let others = report
        .findings
        .iter()
        .take(3)
        .map(|finding| format!("`{}` ({})", finding.broken[0], finding.how()));
    let others = others.collect::<Vec<_>>().join(", ");
    format!("\n`{}` is not found by its own mechanism; instead: {others}.\n", mode.name)
}

fn kept(sound: &[Sound], terms: &Terms<'_>) -> Result<(), Failure> {
    let budget = terms.budget * PATIENCE;
    let runs = words::count(budget);
    console::print(&format!(
        "\n| design | found in {runs} runs | when | runs |\n|---|---|---|---|\n"
    ))?;
    for Sound { name, stripped } in sound {
        let report = run(search(stripped, terms).budget(budget).seed(1));
        let mut rows = String::new();
        let mut known: Vec<(&str, &str)> = Vec::new();
        for finding in &report.findings {
            let way = (finding.broken[0].as_str(), finding.family.as_str());
            if !known.contains(&way) {
                known.push(way);
                let runs = words::count(finding.runs);
                rows += &format!("| {name} | `{}` | {} | {runs} |\n", way.0, finding.how());
            }
        }
        if rows.is_empty() {
            rows = format!("| {name} | nothing | | |\n");
        }
        console::print(&rows)?;
    }
    Ok(())
}
