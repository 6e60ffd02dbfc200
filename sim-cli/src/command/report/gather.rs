//! Runs what a page shows.

use std::path::Path;

use sim_models::Scenario;
use sim_models::custom::Kinds;
use sim_models::outcome::{InvariantVerdict, Outcome};
use sim_models::study::{Axis, Check, Comparison, Map, Options, Summary};
use sim_models::why::{Inquiry, Slow, Subject};

use super::Args;
use crate::changes::Changes;
use crate::command::{compare, map};
use crate::decision::{self, Decision};
use crate::diagnostics::Failure;
use crate::file::{ScenarioFile, together, warnings_of};
use crate::page::{Chapter, Glance, Side, Story, Study};
use crate::repeat::Repeat;
use crate::running::Awaited;
use crate::study::progress::Progress;
use crate::{chart, console};

/// Broken promises of a side that get a diagram, and slow intents that do.
const BROKEN_MAX: usize = 6;
const SLOW_MAX: usize = 2;

/// Seeds of a side whose timelines a page holds; all that are asked for are counted.
const GLANCES_MAX: u64 = 20;

/// The chapters of all files, and whether somebody called it off before all was run.
///
/// # Errors
/// A scenario that cannot be read or run.
pub fn chapters(args: &Args, kinds: &Kinds) -> Result<(Vec<Chapter>, bool), Failure> {
    let files = args.scenarios.iter().map(|path| ScenarioFile::read(path, kinds));
    let files: Vec<ScenarioFile> = files.collect::<Result<_, _>>()?;
    let sides = files.iter().map(|file| sides(args, file)).collect::<Result<Vec<_>, _>>()?;
    console::warn(&warnings_of(sides.iter().flatten().map(|(_, scenario)| scenario)));
    let awaited = Awaited::with(Progress::without_end());
    let mut chapters = Vec::new();
    for (file, sides) in files.iter().zip(&sides) {
        if chapters.is_empty() || awaited.goes_on() {
            chapters.push(chapter(args, file, sides, &awaited)?);
        }
    }
    Ok((chapters, !awaited.goes_on()))
}

/// The variants that were asked for; by default the file as it stands, and all of them.
fn sides(args: &Args, file: &ScenarioFile) -> Result<Vec<(String, Scenario)>, Failure> {
    let name = |variant: Option<&str>| variant.unwrap_or(decision::BASE).to_owned();
    if args.variants.is_empty() && args.variant.is_empty() {
        let all = file.load_all(&args.set)?.into_iter();
        return Ok(all.map(|(variant, side)| (name(variant.as_deref()), side)).collect());
    }
    let chosen = compare::chosen(&args.variants, &args.variant).into_iter();
    together(chosen.map(|variant| (name(variant), file.load(variant, &args.set))))
}

fn chapter(
    args: &Args,
    file: &ScenarioFile,
    sides: &[(String, Scenario)],
    awaited: &Awaited,
) -> Result<Chapter, Failure> {
    let mut told: Vec<Side> = Vec::new();
    for (name, scenario) in sides {
        if told.is_empty() || awaited.goes_on() {
            told.push(Telling { args, path: &file.path, scenario, awaited }.side(name));
        }
    }
    let seeds = args.seeds.filter(|seeds| *seeds > 1 && awaited.goes_on());
    let (decision, study) = match (seeds, sides) {
        (Some(seeds), [(_, only)]) => {
            let checked = studying(seeds, awaited, |options| Check::run(only, options, None))?;
            told[0].count(&checked.summary);
            (None, None)
        }
        (Some(seeds), _) => {
            let compared = studying(seeds, awaited, |options| Comparison::run(sides, options))?;
            for (side, own) in told.iter_mut().zip(&compared.sides) {
                side.count(&own.summary);
            }
            match compared.sides[0].subject.id.seeds {
                0 => (None, None),
                _ => {
                    let decision = Decision::of_comparison(&compared, decision::LEAST);
                    let study = study(args, &file.path, sides, &compared, &decision);
                    (Some(decision), Some(study))
                }
            }
        }
        (None, _) if told.len() < 2 => (None, None),
        (None, _) => {
            let runs: Vec<Outcome> = told.iter().map(|side| side.outcome.clone()).collect();
            (Some(Decision::of_runs(&runs)), None)
        }
    };
    Ok(Chapter {
        label: file.path.to_string_lossy().into_owned(),
        text: file.text.clone(),
        sides: told,
        decision,
        study,
        map: mapped(args, file, awaited)?,
    })
}

impl Side {
    /// Takes the verdicts of all seeds from a study that kept its runs.
    fn count(&mut self, summary: &Summary) {
        self.verdicts = summary.each.iter().map(|row| row.verdict).collect();
    }
}

/// One side under way.
struct Telling<'a> {
    args: &'a Args,
    path: &'a Path,
    scenario: &'a Scenario,
    awaited: &'a Awaited,
}

impl Telling<'_> {
    fn side(&self, name: &str) -> Side {
        let scenario = self.scenario;
        let seeds = match (self.args.seeds, self.args.seed) {
            (Some(seeds), _) => 1..=seeds.min(GLANCES_MAX),
            (None, seed) => {
                let seed = seed.unwrap_or(scenario.seed());
                seed..=seed
            }
        };
        let first = *seeds.start();
        let outcome = self.run(first);
        let stories = self.stories(&outcome, first);
        let mut side = Side::of(name, scenario, outcome, self.of_run(first));
        for seed in seeds.skip(1) {
            let outcome = self.run(seed);
            if self.awaited.goes_on() {
                side.glances.push(Glance::of(&outcome, self.of_run(seed)));
            }
        }
        let verdicts = side.glances.iter().map(|glance| glance.verdict).collect();
        Side { stories, verdicts, ..side }
    }

    fn run(&self, seed: u64) -> Outcome {
        self.awaited.tick();
        self.scenario.start(seed).finish_while(&|_| self.awaited.goes_on())
    }

    fn of_run(&self, seed: u64) -> String {
        self.repeat("run").option("seed", seed).to_string()
    }

    /// A command with all that changes the scenario.
    fn repeat(&self, command: &str) -> Repeat {
        let line = Repeat::new(command).file(self.path);
        line.changes(self.scenario.variant(), &self.args.set)
    }

    /// How each promise broke first, and what took longest.
    fn stories(&self, outcome: &Outcome, seed: u64) -> Vec<Story> {
        if !self.awaited.goes_on() {
            return Vec::new();
        }
        let inquiry = Inquiry::new(self.scenario, seed);
        let mut stories = Vec::new();
        let broken = outcome.invariants.iter().enumerate();
        let broken = broken.filter(|(_, i)| i.verdict == InvariantVerdict::Violated);
        // Asked about are those of which the run knows how they broke.
        let broken = broken.filter(|(_, i)| i.first.is_some());
        for (n, (place, result)) in broken.enumerate().take(BROKEN_MAX) {
            let line = self.repeat("why").option("seed", seed);
            let line = if n == 0 { line } else { line.option("violation", n + 1) };
            let subject = Subject::Violation(n + 1);
            stories.push(self.story(&inquiry, &subject, Some(place), result.name.clone(), line));
        }
        for Slow { intent, lasted } in inquiry.slowest(SLOW_MAX) {
            let title = match lasted {
                Some(lasted) => format!("{intent}, told after {}", crate::words::duration(lasted)),
                None => format!("{intent}, told nothing"),
            };
            let line = self.repeat("why").option("seed", seed).option("intent", &intent);
            stories.push(self.story(&inquiry, &Subject::Intent(intent), None, title, line));
        }
        stories
    }

    fn story(
        &self,
        inquiry: &Inquiry<'_>,
        subject: &Subject,
        breaks: Option<usize>,
        title: String,
        repeat: Repeat,
    ) -> Story {
        self.awaited.tick();
        let repeat = repeat.to_string();
        let drawn = inquiry.why(subject).map(|told| chart::sequence(&told, None, &repeat));
        let picture = drawn.map_err(|refusal| refusal.to_string());
        Story { breaks, title, picture, repeat }
    }
}

/// A study on many seeds, of those that are done when somebody calls it off; it keeps its runs.
fn studying<T>(seeds: u64, awaited: &Awaited, study: impl FnOnce(&Options<'_>) -> T) -> T {
    let (tick, goes_on) = (|| awaited.tick(), || awaited.goes_on());
    let options = Options { seeds, progress: &tick, goes_on: &goes_on, ..Options::default() };
    study(&Options { each: true, ..options })
}

/// The picture of a comparison.
fn study(
    args: &Args,
    path: &Path,
    sides: &[(String, Scenario)],
    comparison: &Comparison,
    decision: &Decision,
) -> Study {
    let seeds = comparison.sides[0].subject.id.seeds;
    let seed = comparison.typical.map_or(1, |typical| typical.seed);
    let drawn = sides.iter().take(chart::DRAWN_MAX);
    let runs: Vec<Outcome> = drawn.map(|(_, scenario)| scenario.run(seed)).collect();
    let line = sides.iter().fold(Repeat::new("compare").file(path), |line, (_, side)| {
        line.option("variant", side.variant().unwrap_or(decision::BASE))
    });
    let line = args
        .set
        .iter()
        .fold(line, |line, (path, value)| line.option("set", format!("{path}={value}")));
    let repeat = line.option("seeds", seeds).to_string();
    let picture = chart::comparison(comparison, decision, &runs, &repeat);
    Study { picture, repeat }
}

fn mapped(args: &Args, file: &ScenarioFile, awaited: &Awaited) -> Result<Option<Study>, Failure> {
    let Some(x) = &args.x else { return Ok(None) };
    let changes = Changes { set: args.set.clone(), variant: None };
    let base = file.load_changed(&changes)?;
    let axes = [x.clone(), args.y.clone().unwrap_or_else(Axis::none)];
    let cells = map::cells(file, &changes, &axes)?;
    let seeds = args.seeds.unwrap_or(5);
    let map = studying(seeds, awaited, |options| Map::run(&base, axes, &cells, options))?;
    let seeds = map.subject.id.seeds;
    if seeds == 0 {
        return Ok(None);
    }
    let mut line = Repeat::new("map").file(&file.path).changes(None, &args.set);
    for (name, axis) in [("x", Some(x)), ("y", args.y.as_ref())] {
        if let Some(axis) = axis {
            line = line.option(name, format!("{}={}", axis.path, axis.values.join(",")));
        }
    }
    let repeat = line.option("seeds", seeds).to_string();
    Ok(Some(Study { picture: chart::map(&map, &base, &repeat), repeat }))
}
