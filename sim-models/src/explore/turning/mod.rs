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
//! *What it costs*: a continuation ends when the promise is broken, or when nothing more happens to the
//! intent that it is about. A few dozen of them at each of a few steps show where the probability
//! rises. There the search looks on, halving, and there it looks more often. All events that it plays
//! are counted, and it ends where there are too many; it says so.
//!
//! An intent is known by its name, `shoppers-17`. Once it has arisen it is the same in every
//! continuation. From a step before that on, it is the seventeenth intent of these shoppers, whenever
//! it arises.

mod curve;
mod field;
mod report;
mod story;

use std::fmt;

use crate::Scenario;
use crate::outcome::{InvariantVerdict, Outcome, Violation};
use crate::plan::ActorId;
use crate::run::{Kept, Run, Sought, Traced};
use crate::study::{self, Crew, Misuse};

use curve::Curve;
use field::{Field, MOST};
pub use report::{Decided, Point, Turn, Turning};
use story::Story;

/// A search for the step at which a run turned: a few dozen continuations at each, and at most three
/// hundred where it turns.
#[must_use = "nothing is looked for before `run`"]
pub struct Search<'a> {
    scenario: &'a Scenario,
    seed: u64,
    promise: Option<&'a str>,
    intent: Option<&'a str>,
    continuations: u64,
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
        continuations: MOST,
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

    /// How many continuations at most at each step; at least one.
    pub fn continuations(self, runs: u64) -> Self {
        Search { continuations: runs.max(1), ..self }
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
        let (mut sought, violation) = self.sought(outcome)?;
        sought.of = self.ending(&sought, &traced);
        // A promise may be broken by what was done long before anybody can know.
        let (Kept::Broken(digest), end) = self.start(&sought).keeps(&sought) else {
            return Err(self.refused(outcome));
        };
        let end = end.max(violation.step.unwrap_or(0));
        // Most continuations end about then, or go on to the end of the run.
        let each = if sought.of.is_some() { end } else { outcome.steps };
        let mut field = Field::new(&self, crew, sought, digest, each);
        let story = Story::new(&field, &traced, end);
        let mut curve = Curve::new(&mut field, &story);
        curve.refine(&mut field, &story);
        curve.sharpen(&mut field);
        let decided = curve.decided(&mut field);
        Ok(Turning {
            scenario: outcome.scenario.clone(),
            variant: outcome.variant.clone(),
            run_id: outcome.run_id.clone(),
            promise: outcome.invariants[field.sought.promise].name.clone(),
            intent: field.sought.intent.clone(),
            witness: violation.witness,
            continuations: field.continuations,
            events: field.events,
            is_cut: field.is_cut,
            points: story.told(&field, &curve, outcome),
            decided,
        })
    }

    /// The client and number of an intent, where all is known once nothing more happens to it.
    fn ending(&self, sought: &Sought, traced: &Traced) -> Option<(ActorId, u32)> {
        let (name, plan) = (sought.intent.as_deref()?, self.scenario.plan());
        let ends = self.scenario.start(self.seed).ends_with_intent(sought.promise);
        let own = traced.intents.iter().filter(|_| ends);
        let mut own = own.filter(|(_, intent)| intent.background.is_none());
        let (_, intent) = own.find(|(number, _)| traced.intents.name(plan, *number) == name)?;
        Some((intent.client, intent.number))
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
        let sought = Sought { promise, intent: intent.or_else(|| first.intent.clone()), of: None };
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
mod tests;
