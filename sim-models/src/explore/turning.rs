//! The turning point: the step of a run from which on its violation could hardly be averted.
//!
//! A run that broke a promise is gone through again, up to some step, and goes on from there with other
//! luck, a few hundred times. How many of these *continuations* break the promise too is the
//! probability of the violation at that step. It is 1 at the violation, and wherever it rises, what was
//! drawn in that step made the difference.
//!
//! ```text
//! 30 %  api-1 gets the request
//! 30 %  psp charges the card              <- the answer is lost in this step
//! 98 %  api-1 tries again
//! 100 % psp charges the card again
//! ```
//!
//! *What is luck*: what is drawn. Lengths of work, sleep and thought, latencies, loss, duplicates, jitter
//! of back-offs and breakers, errors and hangs of faulty actors, lags, evictions, the choices of
//! balancers, limiters and policies, how long sessions are, and when intents of an open load arise.
//!
//! *What is not*: the scenario, and so its faults. A fault at an instant or at a named point strikes in
//! every continuation that comes there. Ties keep the order in which they were scheduled.
//!
//! **Invariant:** up to the step a continuation is the run, bit for bit. What was drawn by then stays,
//! also where it has not shown yet: a message on its way arrives when it would have. What is drawn after
//! it is drawn from another seed. The n-th continuation has the same other seed at every step, so that
//! two steps between which nothing is drawn have the same share, and not two estimates of it.
//!
//! An intent is known by its name, `shoppers-17`. Once it has arisen it is the same in every
//! continuation. From a step before that on, it is the seventeenth intent of these shoppers, whenever
//! it arises.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sim_core::{Time, mix};

use crate::Scenario;
use crate::lineage::{Way, What};
use crate::log::LogLine;
use crate::outcome::{InvariantVerdict, Outcome, RunId, Violation};
use crate::run::{Kept, Run, Sought, Traced};
use crate::study::{self, Crew, Misuse, wilson};
use crate::world::Source;

/// The most steps at which is looked first: those of the intent, evenly thinned.
const GRID: usize = 16;

/// The most steps at which is looked in all. A thousand steps between two of the first are ten
/// halvings: so many find a rise or two.
const POINTS_MAX: usize = 40;

/// How many continuations there are of a long run, and of any other: a share of 300 is known to 6
/// points, one of 60 to 13.
const CONTINUATIONS: [u64; 2] = [60, 300];

/// So many steps in all take about a minute. A run is long where it would take more.
const STEPS_MAX: u64 = 100_000_000;

/// A smaller rise is not followed.
const RISE_LEAST: f64 = 0.1;

/// A turn is at least so much of all that was undecided.
const DECIDES: f64 = 0.5;

/// Where so many continuations break the promise from the first, it is as good as certain.
const CERTAIN: f64 = 0.95;

/// How sure intervals are.
const CONFIDENCE: f64 = 0.95;

/// How often a source is drawn anew to see whether it was drawn at all. A loss of 30 % looks the same
/// in 32 draws once in a hundred thousand times.
const PROBES: u64 = 32;

/// The most lines of the story that say what happened at a step, and the most rises that are told.
const LINES_MAX: usize = 3;

/// Tells the seeds of continuations from those of runs.
const CONTINUED: u64 = 0x7475_726e;

/// A search for the step at which a run turned: at first, three hundred continuations at each, and
/// fewer of a long run.
#[must_use = "nothing is looked for before `run`"]
pub struct Search<'a> {
    scenario: &'a Scenario,
    seed: u64,
    promise: Option<&'a str>,
    intent: Option<&'a str>,
    continuations: Option<u64>,
    jobs: usize,
    progress: &'a (dyn Fn() + Sync),
}

/// Begins to look for the step at which a run turned: the scenario's own run, and the first promise
/// that it breaks.
///
/// ```
/// use sim_models::Scenario;
/// use sim_models::explore::turning;
///
/// let text = r#"Scenario(
///     name: "shop", about: "Asks again when no answer comes.", horizon: "1m",
///     actors: {
///         "shopper": Client(load: Burst(count: 1), does: [Call("psp.charge", policy: "again")]),
///         "psp": Service(workers: 1, endpoints: { "charge": [Effect("charge")] }),
///     },
///     links: [Link(from: "shopper", to: "psp", loss: 0.3)],
///     policies: { "again": [
///         Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
///     ] },
///     invariants: [AtMostOnce("charge")],
/// )"#;
/// let scenario = Scenario::text("shop.ron", text).load()?;
/// let seed = (1..).find(|seed| scenario.run(*seed).effects[0].duplicated > 0).unwrap();
/// let turning = turning(&scenario).seed(seed).run()?;
/// println!("{}", turning.sentence());
/// assert!(turning.points[0].share < 0.5);
/// assert_eq!(turning.points.last().unwrap().share, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn turning(scenario: &Scenario) -> Search<'_> {
    Search {
        scenario,
        seed: scenario.seed(),
        promise: None,
        intent: None,
        continuations: None,
        jobs: 0,
        progress: &|| (),
    }
}

impl<'a> Search<'a> {
    /// The run's seed, in place of the scenario's own.
    pub fn seed(self, seed: u64) -> Self {
        Search { seed, ..self }
    }

    /// The promise as the scenario spells it, in place of the first that the run breaks.
    pub fn promise(self, promise: &'a str) -> Self {
        Search { promise: Some(promise), ..self }
    }

    /// The intent for which it is broken, in place of the first.
    pub fn intent(self, intent: &'a str) -> Self {
        Search { intent: Some(intent), ..self }
    }

    /// How many continuations at each step; at least one.
    pub fn continuations(self, runs: u64) -> Self {
        Search { continuations: Some(runs.max(1)), ..self }
    }

    /// How many threads; 0 for one per processor. It changes nothing but the time it takes.
    pub fn jobs(self, jobs: usize) -> Self {
        Search { jobs, ..self }
    }

    /// Has somebody called after each continuation, from any thread.
    pub fn progress(self, tick: &'a (dyn Fn() + Sync)) -> Self {
        Search { progress: tick, ..self }
    }

    /// Looks.
    ///
    /// # Errors
    /// When the run does not break the promise, or there is no thread to look with.
    pub fn run(self) -> Result<Turning, Refusal> {
        let options =
            study::Options { jobs: self.jobs, progress: self.progress, ..Default::default() };
        let crew = Crew::new(&options)?;
        let traced = self.scenario.start(self.seed).traced().finish_traced();
        let outcome = &traced.outcome;
        let (sought, violation) = self.sought(outcome)?;
        let end = violation.step.unwrap_or(outcome.steps);
        let Kept::Broken(digest) = self.start(&sought).keeps(&sought) else {
            return Err(self.refused(outcome));
        };
        let most = STEPS_MAX / (POINTS_MAX as u64 * outcome.steps.max(1));
        let [least, usual] = CONTINUATIONS;
        let continuations = self.continuations.unwrap_or(most.clamp(least, usual));
        let field = Field { search: &self, crew, sought, digest, continuations };
        let story = Story::new(&field, &traced, end);
        let mut curve = Curve::new(&field, &story);
        curve.refine(&field, &story);
        Ok(Turning {
            scenario: outcome.scenario.clone(),
            variant: outcome.variant.clone(),
            run_id: outcome.run_id.clone(),
            promise: outcome.invariants[field.sought.promise].name.clone(),
            intent: field.sought.intent.clone(),
            witness: violation.witness,
            continuations,
            points: story.told(&field, &curve, outcome),
            decided: curve.decided(&field),
        })
    }

    fn start(&self, sought: &Sought) -> Run {
        self.scenario.start(self.seed).seeking(sought)
    }

    /// What is looked for, and the violation that the run shows of it.
    fn sought(&self, outcome: &Outcome) -> Result<(Sought, Violation), Refusal> {
        let results = outcome.invariants.iter().enumerate();
        let mut broken = results.filter(|(_, result)| {
            result.verdict == InvariantVerdict::Violated
                && self.promise.is_none_or(|promise| result.name == promise)
        });
        let (promise, result) = broken.next().ok_or_else(|| self.refused(outcome))?;
        let intent = self.intent.map(str::to_owned);
        let Some(first) = result.first.clone() else { return Err(self.refused(outcome)) };
        let sought = Sought { promise, intent: intent.or_else(|| first.intent.clone()) };
        if sought.is_of(&first) {
            return Ok((sought, first));
        }
        let of_it = self.start(&sought).violation(&sought);
        Ok((sought, of_it.ok_or_else(|| self.refused(outcome))?))
    }

    fn refused(&self, outcome: &Outcome) -> Refusal {
        Refusal::NotBroken {
            seed: self.seed,
            promise: self.promise.map(str::to_owned),
            intent: self.intent.map(str::to_owned),
            known: outcome.invariants.iter().map(|result| result.name.clone()).collect(),
        }
    }
}

/// A run, and what is looked for in it.
struct Field<'a> {
    search: &'a Search<'a>,
    crew: Crew<'a>,
    sought: Sought,
    /// The run's own when the promise broke.
    digest: u64,
    continuations: u64,
}

/// What the continuations from a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    whole: u64,
    broken: u64,
    unknown: u64,
    /// Those that were the run itself until the promise broke.
    alike: u64,
}

impl Field<'_> {
    fn start(&self) -> Run {
        self.search.start(&self.sought)
    }

    fn seed(&self, n: u64) -> u64 {
        mix(mix(self.search.seed, CONTINUED), n)
    }

    fn tally(&self, continued: impl Fn(u64) -> Run + Sync) -> Tally {
        let mut tally = Tally { whole: self.continuations, ..Tally::default() };
        let work = |n| continued(n).keeps(&self.sought);
        self.crew.in_order(0..tally.whole, work, |kept| match kept {
            Kept::Yes => {}
            Kept::Unknown => tally.unknown += 1,
            Kept::Broken(digest) => {
                tally.broken += 1;
                tally.alike += u64::from(digest == self.digest);
            }
        });
        tally
    }

    /// With other luck after a step.
    fn after(&self, step: u64) -> Tally {
        self.tally(|n| {
            let mut run = self.start();
            run.advance(step);
            run.redraw(self.seed(n), |_| true);
            run
        })
    }

    /// With other luck from a step on, but for what is drawn from one source in that step.
    fn held(&self, step: u64, held: Source) -> Tally {
        self.tally(|n| {
            let mut run = self.start();
            run.advance(step - 1);
            run.redraw(self.seed(n), |source| source != held);
            run.advance(step);
            run.redraw(self.seed(n), |source| source == held);
            run
        })
    }

    /// Whether other luck of one source in one step, and in no other, changes the run.
    fn matters(&self, step: u64, source: Source) -> bool {
        let mut matters = false;
        let work = |n| {
            let mut run = self.start();
            run.advance(step - 1);
            run.redraw(self.seed(n), |other| other == source);
            run.advance(step);
            run.redraw(self.search.seed, |other| other == source);
            run.keeps(&self.sought) != Kept::Broken(self.digest)
        };
        self.crew.in_order(0..PROBES, work, |changed| matters |= changed);
        matters
    }
}

impl Tally {
    fn share(&self) -> f64 {
        self.broken as f64 / self.whole as f64
    }

    /// What a limit ended may have broken the promise, and may not.
    fn interval(&self) -> (f64, f64) {
        let bound = |part| wilson(part, self.whole, CONFIDENCE).expect("there are continuations");
        (bound(self.broken).low, bound(self.broken + self.unknown).high)
    }
}

/// What happened in the run, by step.
struct Story {
    /// The steps of the intent, from the last before it arose to the violation.
    own: Vec<u64>,
    said: BTreeMap<u64, Vec<String>>,
}

impl Story {
    /// Up to a step.
    fn new(field: &Field<'_>, traced: &Traced, end: u64) -> Story {
        let intent = field.sought.intent.as_deref();
        let Traced { outcome, lineage, intents } = traced;
        let plan = field.search.scenario.plan();
        let begun = intent.and_then(|intent| field.start().until_begun(intent));
        let first = begun.map_or(0, |step| step.saturating_sub(1));
        let mut own = BTreeSet::from([0, first, end]);
        let mut said: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut say = |step: u64, what: String| {
            let all = said.entry(step).or_default();
            if !all.contains(&what) {
                all.push(what);
            }
            own.insert(step);
        };
        let is_told = |step: u64| (first..=end).contains(&step);
        let is_own = |line: &&LogLine| {
            is_told(line.step) && (intent.is_none() || line.intent.as_deref() == intent)
        };
        let mut lost = BTreeSet::new();
        for line in outcome.log.iter().filter(is_own) {
            say(line.step, line_of(line));
            if line.what.ends_with(" lost") {
                lost.insert(line.step);
            }
        }
        let mut names: BTreeMap<u32, bool> = BTreeMap::new();
        for moment in lineage.moments().iter().filter(|moment| is_told(moment.step)) {
            let name = || intents.name(plan, moment.intent);
            let is_of = |name: String| intent.is_none_or(|intent| name == intent);
            let is_own = *names.entry(moment.intent).or_insert_with(|| is_of(name()));
            // What is lost was sent.
            if let What::Sent { from, to, way } = moment.what
                && is_own
                && !lost.contains(&moment.step)
            {
                let verb = match way {
                    Way::Request => "asks",
                    Way::Answer => "answers",
                };
                say(
                    moment.step,
                    format!("{} {verb} {}", plan.actor_name(from), plan.actor_name(to)),
                );
            }
        }
        Story { own: own.into_iter().collect(), said }
    }

    /// A few of the steps, evenly.
    fn grid(&self) -> impl Iterator<Item = u64> {
        let last = self.own.len() - 1;
        let count = last.min(GRID);
        (0..=count).map(move |n| self.own[n * last / count.max(1)])
    }

    /// A step between two others, halfway among those of the intent, or of all.
    fn between(&self, from: u64, to: u64) -> u64 {
        let own = &self.own[self.own.partition_point(|step| *step <= from)..];
        let own = &own[..own.partition_point(|step| *step < to)];
        own.get(own.len() / 2).copied().unwrap_or(from + (to - from) / 2)
    }

    /// The points of a curve, with what happened at each.
    fn told(&self, field: &Field<'_>, curve: &Curve, outcome: &Outcome) -> Vec<Point> {
        let mut run = field.start();
        let points = curve.0.iter().map(|(step, tally)| {
            let line = step.checked_sub(1).and_then(|before| {
                run.advance(before);
                run.step()
            });
            let at = line.as_ref().map_or(Time::ZERO, |line| line.at);
            let others = || {
                let lines = outcome.log.iter().filter(|line| line.step == *step);
                lines.take(LINES_MAX).map(line_of).collect::<Vec<_>>()
            };
            let said = self.said.get(step).cloned().unwrap_or_else(others);
            let event = line.map(|line| self::event(&line.what, field.sought.intent.as_deref()));
            let event = event.unwrap_or_else(|| "the beginning".to_owned());
            let (low, high) = tally.interval();
            Point {
                step: *step,
                at,
                what: if said.is_empty() { event } else { said.join("; ") },
                share: tally.share(),
                low,
                high,
                broken: tally.broken,
                unknown: tally.unknown,
            }
        });
        points.collect()
    }
}

/// What a step was, for a story of one intent: `request api->psp attempt 1 arrives`.
fn event(what: &str, intent: Option<&str>) -> String {
    let own = intent.and_then(|intent| what.strip_suffix(intent)?.strip_suffix(" for "));
    let is_message = ["request ", "answer "].iter().any(|kind| what.starts_with(kind));
    format!("{}{}", own.unwrap_or(what), if is_message { " arrives" } else { "" })
}

fn line_of(line: &LogLine) -> String {
    format!("{}: {}", line.who, line.what)
}

/// How many continuations broke the promise, by the step after which they had other luck.
struct Curve(BTreeMap<u64, Tally>);

/// Two steps between which no other was looked at, and by how much the least probability of all
/// later ones rises from one to the other.
#[derive(Clone, Copy, Debug)]
struct Rise {
    from: u64,
    to: u64,
    by: f64,
}

impl Curve {
    fn new(field: &Field<'_>, story: &Story) -> Curve {
        Curve(story.grid().map(|step| (step, field.after(step))).collect())
    }

    /// Looks between two steps where the probability rises, until the rise is that of one step.
    fn refine(&mut self, field: &Field<'_>, story: &Story) {
        while self.0.len() < POINTS_MAX {
            let rises = self.rises().into_iter();
            let wide = rises.filter(|rise| rise.to - rise.from > 1 && rise.by >= RISE_LEAST);
            let Some(rise) = wide.reduce(greater) else { break };
            let step = story.between(rise.from, rise.to);
            self.0.insert(step, field.after(step));
        }
    }

    /// By how much what is left of the story becomes more certain from step to step. A probability
    /// that falls again later decided nothing.
    fn rises(&self) -> Vec<Rise> {
        let mut rises = Vec::new();
        let mut later = 1.0;
        let mut after = None;
        for (step, tally) in self.0.iter().rev() {
            let least = tally.share().min(later);
            if let Some(to) = after {
                rises.push(Rise { from: *step, to, by: later - least });
            }
            (after, later) = (Some(*step), least);
        }
        rises.reverse();
        rises
    }

    fn decided(&self, field: &Field<'_>) -> Decided {
        let first = self.0.first_key_value().expect("the beginning is a point").1;
        let place = |step: u64| self.0.range(..step).count();
        let rises = self.rises();
        let undecided: f64 = rises.iter().map(|rise| rise.by).sum();
        if first.alike == first.whole {
            return Decided::NoLuck;
        }
        if undecided <= 1.0 - CERTAIN {
            return Decided::Certain;
        }
        let most = rises.iter().copied().reduce(greater).expect("the probability rises to 1");
        let [before, after] = [most.from, most.to].map(|step| self.0[&step]);
        if most.by < DECIDES * undecided || before.interval().1 >= after.interval().0 {
            let mut most: Vec<Rise> = rises.into_iter().filter(|r| r.by >= RISE_LEAST).collect();
            most.sort_by(|a, b| b.by.total_cmp(&a.by));
            most.truncate(LINES_MAX);
            return Decided::Gradually(most.into_iter().map(|rise| place(rise.to)).collect());
        }
        let is_one_step = most.to == most.from + 1;
        let drawn = if is_one_step { self.drawn(field, most) } else { Vec::new() };
        Decided::Turn(Turn { point: place(most.to), is_one_step, drawn })
    }

    /// What was drawn in a step and makes most of its rise, alone.
    fn drawn(&self, field: &Field<'_>, rise: Rise) -> Vec<String> {
        let [before, after] = [rise.from, rise.to].map(|step| self.0[&step].share());
        let half = f64::midpoint(before, after);
        let all = Source::ALL.iter().filter(|source| field.matters(rise.to, **source));
        let decides = |source: &&Source| field.held(rise.to, **source).share() >= half;
        all.filter(decides).map(|source| source.decides()).collect()
    }
}

/// The greater rise, or the later of equal ones.
fn greater(a: Rise, b: Rise) -> Rise {
    if b.by >= a.by { b } else { a }
}

/// How the probability of a violation went through a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Turning {
    /// The scenario's `name`.
    pub scenario: String,
    /// The variant, if not the scenario as it stands.
    pub variant: Option<String>,
    /// The run.
    pub run_id: RunId,
    /// The promise, as the scenario spells it.
    pub promise: String,
    /// The intent for which it is broken; `None` where it is about the whole run.
    pub intent: Option<String>,
    /// What shows that the run broke it.
    pub witness: String,
    /// How many continuations there were at each point.
    pub continuations: u64,
    /// From the beginning of the run to the violation, in order.
    pub points: Vec<Point>,
    /// Where it was decided.
    pub decided: Decided,
}

/// A step, and how many of the continuations that have other luck after it break the promise.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its number; 0 is the beginning of the run.
    pub step: u64,
    /// When it happened.
    pub at: Time,
    /// What happened: `psp: charge-1; psp answers api`.
    pub what: String,
    /// The share of continuations that break the promise, from 0 to 1.
    pub share: f64,
    /// The ends of its interval of 95 %. What a limit ended may belong to either.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Continuations that broke it.
    pub broken: u64,
    /// Continuations that a limit ended before anybody could know.
    pub unknown: u64,
}

/// Where a violation was decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    /// Nowhere: whatever is drawn, the run is the same.
    NoLuck,
    /// From the beginning: hardly any luck averts it.
    Certain,
    /// In one step, for the most part.
    Turn(Turn),
    /// Step by step; the places of the points at which it rises most, the greatest rise first.
    Gradually(Vec<usize>),
}

/// The step from which on a violation could hardly be averted.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The place of its point.
    pub point: usize,
    /// Whether the point before it is the step before it. Else the turn lies between the two.
    pub is_one_step: bool,
    /// What was drawn in it and decided: `whether a message is lost`. Empty where several draws did
    /// together, or where it is not known to be one step.
    pub drawn: Vec<String>,
}

impl Turning {
    /// The step that decided, if it was one.
    pub fn turn(&self) -> Option<&Turn> {
        match &self.decided {
            Decided::Turn(turn) => Some(turn),
            Decided::NoLuck | Decided::Certain | Decided::Gradually(_) => None,
        }
    }

    /// What was found, in words.
    pub fn sentence(&self) -> String {
        let breaks = match &self.intent {
            Some(intent) => format!("break {} for {intent}", self.promise),
            None => format!("break {}", self.promise),
        };
        let told = |point: &Point| {
            let Point { low, high, .. } = point;
            format!("95 % interval {} to {}", percent(*low), percent(*high))
        };
        let first = &self.points[0];
        match &self.decided {
            Decided::NoLuck => "No luck is involved: whatever is drawn, the run is the same. Lengths that \
                 vary, such as Exponential(\"50ms\") in place of Const(\"50ms\"), or a loss would show \
                 more."
                .to_owned(),
            Decided::Certain => format!(
                "It was certain from the beginning: with other luck from the first step on, {} of \
                 runs {breaks} ({}).",
                percent(first.share),
                told(first)
            ),
            Decided::Turn(Turn { point, is_one_step, drawn }) => {
                let (before, after) = (&self.points[point - 1], &self.points[*point]);
                let since = match is_one_step {
                    true => "one step before".to_owned(),
                    false => format!("after step {}, {}", before.step, before.at),
                };
                let drawn = match drawn.is_empty() {
                    true => String::new(),
                    false => format!(" What that step drew made the difference: {}.", listed(drawn)),
                };
                format!(
                    "From step {} on ({}, {}), {} of continuations {breaks} ({}); {since} it was \
                     {}.{drawn}",
                    after.step,
                    after.at,
                    after.what,
                    percent(after.share),
                    told(after),
                    percent(before.share)
                )
            }
            Decided::Gradually(most) => {
                let one = |n: &usize| {
                    let [before, after] = [n - 1, *n].map(|n| percent(self.points[n].share));
                    let Point { step, at, what, .. } = &self.points[*n];
                    format!("from {before} to {after} at step {step} ({at}, {what})")
                };
                let most: Vec<String> = most.iter().map(one).collect();
                let most = match most.is_empty() {
                    true => String::new(),
                    false => format!("; most {}", listed(&most)),
                };
                let first = percent(first.share);
                format!(
                    "No single step decides: the share of continuations that {breaks} rises from \
                     {first} to 100 %{most}."
                )
            }
        }
    }
}

fn listed(all: &[String]) -> String {
    match all {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => all.concat(),
    }
}

/// A share in percent. What is not quite all or nothing never reads as that.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let is_exact = percent == 0.0 || percent == 100.0;
    match is_exact || (1.0..=99.0).contains(&percent) {
        true => format!("{percent:.0} %"),
        false => format!("{percent:.1} %"),
    }
}

/// Why there is no turning point to look for.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The run breaks no promise, or not this one, or not for this intent.
    NotBroken {
        /// The run's seed.
        seed: u64,
        /// What was asked for.
        promise: Option<String>,
        /// See `promise`.
        intent: Option<String>,
        /// The promises that the scenario makes.
        known: Vec<String>,
    },
    /// As of any study.
    Misuse(Misuse),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotBroken { seed, promise, intent, known } => {
                let promise = promise.as_deref();
                write!(f, "the run with seed {seed} breaks {}", promise.unwrap_or("no promise"))?;
                if promise.is_some() {
                    f.write_str(" not")?;
                }
                if let Some(intent) = intent {
                    write!(f, " for {intent}")?;
                }
                match promise.is_some_and(|promise| !known.iter().any(|known| known == promise)) {
                    true => write!(f, "; its promises are {}", known.join(", ")),
                    false => f.write_str(
                        "; `sim run` shows what a run breaks, and `--seed` takes another",
                    ),
                }
            }
            Refusal::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Misuse> for Refusal {
    fn from(misuse: Misuse) -> Refusal {
        Refusal::Misuse(misuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who gets no answer within two seconds asks again. Answers are lost with a probability of 30 %
    /// in the first second.
    fn coin(count: u32) -> Scenario {
        Scenario::text("coin.ron", coin_text(count)).load().unwrap()
    }

    fn coin_text(count: u32) -> String {
        let text = r#"Scenario(
            name: "coin", about: "", horizon: "1m",
            actors: {
                "shopper": Client(load: Burst(count: COUNT), does: [
                    Call("psp.charge", policy: "again"),
                ]),
                "psp": Service(workers: 9, endpoints: { "charge": [
                    Work(Exponential("1ms")), Effect("charge"),
                ] }),
            },
            links: [Link(from: "shopper", to: "psp", latency: Const("10ms"))],
            policies: { "again": [
                Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
            ] },
            faults: [At("0s", for: "1s", Loss("psp", "shopper", 0.3))],
            invariants: [AtMostOnce("charge")],
        )"#;
        text.replace("COUNT", &count.to_string())
    }

    /// A seed with which the first violation is of an intent.
    fn seed_of(scenario: &Scenario, intent: &str) -> u64 {
        let breaks = |seed: &u64| {
            let first = scenario.run(*seed).invariants[0].first.clone();
            first.is_some_and(|first| first.intent.as_deref() == Some(intent))
        };
        (1..).find(breaks).unwrap()
    }

    /// All kinds of luck at once.
    fn lucky() -> Scenario {
        let text = r#"Scenario(
            name: "lucky", about: "", horizon: "5s",
            actors: {
                "shoppers": Client(
                    count: 3,
                    load: Sessions(rate: "10/s", requests: Geometric(2.0), think: Exponential("50ms")),
                    does: [Call("api.pay", policy: "again")],
                ),
                "others": Client(load: Open(rate: "20/s"), count: 2, does: [Call("api.pay")]),
                "api": Service(workers: 2, instances: 3, balancer: Random, endpoints: {
                    "pay": [Work(Exponential("20ms")), Effect("charge")],
                }),
            },
            links: [Link(from: "shoppers", to: "api", latency: Exponential("5ms"), loss: 0.05)],
            policies: { "again": [
                Retry(attempts: 3, backoff: Exponential(base: "10ms"), jitter: Full,
                    even_if_unsafe: true),
                Timeout("60ms"),
            ] },
            invariants: [AtMostOnce("charge")],
        )"#;
        Scenario::text("lucky.ron", text).load().unwrap()
    }

    fn lines(run: &mut Run, count: u64) -> Vec<crate::StepLine> {
        (0..count).map_while(|_| run.step()).collect()
    }

    #[test]
    fn up_to_its_step_a_continuation_is_the_run_bit_for_bit() {
        let scenario = lucky();
        let whole = lines(&mut scenario.start(1), u64::MAX);
        for step in (0..whole.len() as u64).step_by(97) {
            let mut run = scenario.start(1);
            let before = lines(&mut run, step);
            assert_eq!(before, whole[..step as usize]);
            run.redraw(2, |_| true);
            // What comes next was due before.
            assert_eq!(run.step().as_ref(), whole.get(step as usize));
            assert_ne!(run.finish().digest, whole.last().unwrap().digest, "after step {step}");
        }
    }

    #[test]
    fn the_same_luck_again_changes_nothing() {
        let scenario = lucky();
        let digest = scenario.run(1).digest;
        for step in (0..900).step_by(61) {
            let mut run = scenario.start(1);
            run.advance(step);
            run.redraw(2, |_| true);
            run.redraw(1, |_| true);
            assert_eq!(run.finish().digest, digest, "after step {step}");
        }
    }

    #[test]
    fn a_session_that_has_begun_keeps_its_length_and_its_process() {
        let scenario = lucky();
        for seed in 1..=10 {
            let sessions = |is_redrawn: bool| {
                let mut run = scenario.start(seed);
                assert!(run.until_begun("shoppers-1").is_some());
                if is_redrawn {
                    run.redraw(77, |_| true);
                }
                let intents = run.finish_traced().intents;
                let of_first = |user: &u32| *user == 0;
                let of_client = intents.iter().filter(|(_, intent)| intent.client.0 == 0);
                let first = of_client.map(|(_, intent)| (intent.user, intent.instance));
                first.filter(|(user, _)| of_first(user)).collect::<Vec<_>>()
            };
            assert_eq!(sessions(true), sessions(false), "seed {seed}");
        }
    }

    #[test]
    fn the_answer_that_is_lost_is_the_turn() {
        let scenario = coin(1);
        let turning = turning(&scenario).seed(seed_of(&scenario, "shopper-1")).run().unwrap();
        let (first, last) = (&turning.points[0], turning.points.last().unwrap());
        assert!(first.low < 0.3 && 0.3 < first.high, "{first:?}");
        assert_eq!((first.step, last.share), (0, 1.0));
        let turn = turning.turn().unwrap_or_else(|| panic!("{turning:#?}"));
        assert!(turn.is_one_step);
        assert_eq!(turn.drawn, ["whether a message is lost"]);
        let point = &turning.points[turn.point];
        assert_eq!((point.share, point.what.contains("answer lost")), (1.0, true), "{point:?}");
        // Where nothing is drawn the share is the same, and not another estimate of it.
        let shares: BTreeSet<u64> = turning.points.iter().map(|point| point.broken).collect();
        assert_eq!(shares.len(), 2, "{turning:#?}");
        let said = turning.sentence();
        assert!(said.contains("100 % of continuations break AtMostOnce(\"charge\") for shopper-1"));
    }

    #[test]
    fn the_violation_is_that_of_the_intent_whoever_else_breaks_the_promise() {
        let scenario = coin(5);
        let turning = turning(&scenario).seed(seed_of(&scenario, "shopper-4")).run().unwrap();
        assert_eq!(turning.intent.as_deref(), Some("shopper-4"));
        let first = &turning.points[0];
        assert!(first.low < 0.3 && 0.3 < first.high, "{first:?}");
        let seed = turning.run_id.seed;
        let other = super::turning(&scenario).seed(seed).intent("shopper-9").run();
        let refused = other.unwrap_err().to_string();
        assert!(refused.contains("AtMostOnce(\"charge\")") || refused.contains("shopper-9"));
    }

    #[test]
    fn the_number_of_threads_moves_nothing() {
        let scenario = coin(2);
        let seed = seed_of(&scenario, "shopper-1");
        let looked = |jobs| turning(&scenario).seed(seed).continuations(40).jobs(jobs).run();
        assert_eq!(looked(1), looked(3));
    }

    #[test]
    fn where_no_luck_is_involved_nothing_else_is_said() {
        let still = Scenario::text("still.ron", coin_text(1)).set("faults", "[]");
        let still =
            still.set("actors.psp.endpoints.charge", r#"[Effect("charge"), Effect("charge")]"#);
        let still = still.load().unwrap();
        let sure = turning(&still).continuations(20).run().unwrap();
        assert_eq!(sure.decided, Decided::NoLuck);
        assert!(sure.points.iter().all(|point| point.share == 1.0));
        let varied = Scenario::text("varied.ron", coin_text(1)).set("faults", "[]");
        let varied = varied.set(
            "actors.psp.endpoints.charge",
            r#"[Work(Exponential("1ms")), Effect("charge"), Effect("charge")]"#,
        );
        let certain = turning(&varied.load().unwrap()).continuations(20).run().unwrap();
        assert_eq!(certain.decided, Decided::Certain, "{certain:#?}");
    }

    #[test]
    fn a_run_that_keeps_its_promise_has_no_turn() {
        let scenario = coin(1);
        let keeps = |seed: &u64| scenario.run(*seed).invariants[0].first.is_none();
        let seed = (1..).find(keeps).unwrap();
        let refused = turning(&scenario).seed(seed).run().unwrap_err();
        assert!(refused.to_string().contains("breaks no promise"), "{refused}");
        let unknown = turning(&scenario).seed(seed).promise("AllAnswered").run().unwrap_err();
        assert!(unknown.to_string().contains("its promises are AtMostOnce"), "{unknown}");
    }
}
