//! `sim why`: one violation or one intent as a sequence diagram.

mod object;
mod page;

pub(super) use object::SCHEMA;

use std::path::PathBuf;

use sim_models::Scenario;
use sim_models::custom::Kinds;
use sim_models::explore::turning::{Turning, turning};
use sim_models::why::{Sequence, Subject, why as tell};

use crate::changes::Changes;
use crate::chart_file::{self, Charts};
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::ScenarioFile;
use crate::record::{Reader, is_record};
use crate::repeat::Repeat;
use crate::study::progress::Progress;
use crate::{chart, console};

/// Show why a promise broke, or what became of an intent, as a sequence diagram
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Time goes downwards. Each line is a message with its attempt and key, a store command with its reply,
a decision, an effect or a fault, and below it stands the reason where there is one: who holds the
lock, why a record counted as absent, after which ending a call was tried again. What comes again and
again is told once, and where nothing happens for long the page says so.

With --turn the run goes on with other luck after each of a few dozen of its steps, hundreds of times.
The step from which on most of these continuations break the promise too is named, and drawn. What is
drawn is luck: lengths, losses, jitter, arrivals. Faults at instants and points are not.

Two intents that meet, as when one gets the other's charge, are drawn together. The picture goes to DIR
as SVG. The exit code is 0; it is 2 when there is nothing of the kind to show.")]
pub struct Args {
    /// The scenario file, or a record that `sim run --record` wrote
    scenario: PathBuf,

    #[command(flatten)]
    changes: Changes,

    /// The seed of the run, in place of the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Whose story: an intent such as `shoppers-17`
    #[arg(long, value_name = "NAME", conflicts_with = "violation")]
    intent: Option<String>,

    /// Which of the broken promises, from 1 in the scenario's order
    #[arg(long, value_name = "N", default_value_t = 1)]
    violation: usize,

    /// From which step on the violation could hardly be averted
    #[arg(long)]
    turn: bool,

    #[command(flatten)]
    charts: Charts,

    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Repeats the run, and shows what happened.
///
/// # Errors
/// A scenario that cannot be read, nothing to show, or a picture that cannot be written.
pub fn why(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let (scenario, seed) = load(args, kinds)?;
    let subject = match &args.intent {
        Some(name) => Subject::Intent(name.clone()),
        None => Subject::Violation(args.violation),
    };
    let sequence = tell(&scenario, seed, &subject);
    let sequence = sequence.map_err(|refusal| Failure::new(refusal.to_string()))?;
    let turning = args.turn.then(|| turned(args, &scenario, &sequence)).transpose()?;
    let repeat = repeat(args, &sequence);
    let name = name(args, &scenario, &sequence);
    let draw = || chart::sequence(&sequence, turning.as_ref(), &repeat);
    let picture = args.charts.keep(&name, draw);
    console::print(&if args.json {
        object::object(&sequence, turning.as_ref(), &repeat)
    } else {
        page::text(&sequence, turning.as_ref(), &repeat, &console::style())
    })?;
    if let Some(picture) = picture? {
        console::tell_where("chart", &picture, args.json)?;
    }
    Ok(Exit::Kept)
}

/// Where what a sequence shows was decided.
fn turned(args: &Args, scenario: &Scenario, sequence: &Sequence) -> Result<Turning, Failure> {
    let progress = Progress::without_end();
    let tick = || progress.tick();
    let mut search = turning(scenario).seed(sequence.seed).progress(&tick);
    if let Some(broken) = &sequence.broken {
        search = search.promise(&broken.promise);
    }
    if let Some(intent) = &args.intent {
        search = search.intent(intent);
    }
    search.run().map_err(|refusal| Failure::new(refusal.to_string()))
}

/// The scenario and the seed, of a record or of a file.
fn load(args: &Args, kinds: &Kinds) -> Result<(Scenario, u64), Failure> {
    if is_record(&args.scenario) {
        let (header, _) = Reader::open(&args.scenario)?;
        let label = args.scenario.display().to_string();
        let scenario = header.load(&label, kinds)?;
        return Ok((scenario, args.seed.unwrap_or(header.seed)));
    }
    let file = ScenarioFile::read(&args.scenario, kinds)?;
    let scenario = file.load_changed(&args.changes)?;
    console::warn(scenario.warnings());
    let seed = args.seed.unwrap_or(scenario.seed());
    Ok((scenario, seed))
}

/// `checkout why shoppers-17`. What was asked for is part of the name, so that no picture takes the
/// place of another one: the file, which may be one of several counterexamples of a scenario, the variant,
/// the seed, what was set and the number of the violation.
fn name(args: &Args, scenario: &Scenario, sequence: &Sequence) -> String {
    let stem = args.scenario.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut name = stem;
    name.extend(scenario.variant().map(|variant| format!(" {variant}")));
    name.extend(args.seed.map(|seed| format!(" seed {seed}")));
    name += &chart_file::changed(&args.changes.set);
    let violation = Some(args.violation).filter(|violation| *violation > 1);
    name.extend(violation.map(|violation| format!(" violation {violation}")));
    format!("{name} why {}", sequence.intents.join(" "))
}

fn repeat(args: &Args, sequence: &Sequence) -> String {
    let line = Repeat::new("why").file(&args.scenario);
    let line = line.changes(args.changes.variant.as_deref(), &args.changes.set);
    let line = line.option("seed", sequence.seed);
    let line = match &args.intent {
        Some(name) => line.option("intent", name),
        None if args.violation == 1 => line,
        None => line.option("violation", args.violation),
    };
    if args.turn { line.flag("turn") } else { line }.to_string()
}
