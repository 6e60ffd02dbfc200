//! Scenarios: a text becomes something that runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::mix;
use xxhash_rust::xxh3::xxh3_64;

use crate::account::Account;
use crate::compile::{self, Points};
use crate::custom::Kinds;
use crate::error::Error;
use crate::figure::{Figure, Kind, Promise};
use crate::knob::{self, Knob};
use crate::language;
use crate::outcome::{Outcome, RunId};
use crate::plan::{ActorKind, ActorPlan, FaultEntry, InvariantPlan, Plan, Rule};
use crate::run::Run;
use crate::source::{Document, Files, SourceError, path_key};

/// What is run of a scenario: one of its variants, with values in place of those of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) variant: Option<String>,
    pub(crate) sets: Vec<(String, String)>,
}

/// A scenario that was read, checked and compiled, with its variant and overrides applied.
///
/// [`Scenario::file`] opens one, [`Scenario::text`] begins with a text.
#[derive(Clone, Debug)]
pub struct Scenario {
    document: Document,
    plan: Arc<Plan>,
    kinds: Kinds,
    variant: Option<String>,
    seed: u64,
    scenario_hash: u64,
    overrides_hash: Option<u64>,
}

impl Scenario {
    /// Checks and compiles a text with the variant and the values of a choice; `files` gives the
    /// text of each file that the scenario names.
    pub(crate) fn new(
        name: &str,
        text: &str,
        choice: &Choice,
        kinds: &Kinds,
        files: Files<'_>,
    ) -> Result<Scenario, Vec<SourceError>> {
        let mut document =
            Document::parse(name, text, language::shorthand()).map_err(|e| vec![e])?;
        // Of the file as it stands: a variant may lack what a knob turns.
        let mut mistakes = knob::mistakes(&document);
        let mut applied = String::new();
        if let Some(variant) = &choice.variant {
            document.overlay(&format!("variants.{}", path_key(variant))).map_err(|e| vec![e])?;
            applied.push_str(&format!("{variant}\n"));
        }
        for (path, value) in &choice.sets {
            document.set("--set", path, value).map_err(|e| vec![e])?;
            applied.push_str(&format!("{path}\n{value}\n"));
        }
        let compiled = compile(&document, kinds, files, Points::Asked);
        let (plan, seed) = match compiled {
            Ok(compiled) if mistakes.is_empty() => compiled,
            Ok(_) => return Err(mistakes),
            Err(own) => {
                mistakes.splice(0..0, own);
                return Err(mistakes);
            }
        };
        let scenario_hash = hash(text, &plan.files);
        Ok(Scenario {
            document,
            plan: Arc::new(plan),
            kinds: kinds.clone(),
            variant: choice.variant.clone(),
            seed,
            scenario_hash,
            overrides_hash: (!applied.is_empty()).then(|| xxh3_64(applied.as_bytes())),
        })
    }

    /// The same scenario with another seed of its own.
    pub(crate) fn with_seed(self, seed: u64) -> Scenario {
        Scenario { seed, ..self }
    }

    /// The same scenario with other faults, written as in a file: `[At("3s", …), …]`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn with_faults(&self, faults: &str) -> Result<Scenario, Error> {
        self.with("faults", [("faults", faults)])
    }

    /// The same scenario with other values at some paths; a mistake in them is shown at `label`.
    pub(crate) fn with<'a>(
        &self,
        label: &str,
        sets: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Scenario, Error> {
        let mut scenario = self.clone();
        let mut hash = self.overrides_hash.unwrap_or(0);
        for (path, value) in sets {
            scenario.document.set(label, path, value).map_err(|mistake| vec![mistake])?;
            let own = if path == label { String::new() } else { format!("{path}\n") };
            hash = xxh3_64(format!("{hash}\n{own}{value}").as_bytes());
        }
        scenario.recompile(Points::Asked)?;
        scenario.overrides_hash = Some(hash);
        Ok(scenario)
    }

    /// The same scenario, whose programs say after each step where they are. Nothing else about a
    /// run changes.
    pub(crate) fn with_all_points(&self) -> Result<Scenario, Error> {
        let mut scenario = self.clone();
        scenario.recompile(Points::All)?;
        Ok(scenario)
    }

    /// The same scenario, whose runs end after so many steps, and keep no story.
    pub(crate) fn bounded(&self, steps: u64) -> Scenario {
        let mut plan = (*self.plan).clone();
        plan.limits.steps = plan.limits.steps.min(steps);
        plan.limits.log = 0;
        Scenario { plan: Arc::new(plan), ..self.clone() }
    }

    /// What another text would be in the place of this one's; `None` when it is no scenario.
    pub(crate) fn with_text(&self, text: &str) -> Option<Scenario> {
        let files = |name: &str| self.file_text(name);
        Scenario::new("", text, &Choice::default(), &self.kinds, &files).ok()
    }

    fn file_text(&self, name: &str) -> Result<String, String> {
        match self.plan.files.get(name) {
            Some(text) => Ok(text.as_ref().to_owned()),
            None => Err(format!("the file {name} was not given along with the scenario")),
        }
    }

    fn recompile(&mut self, points: Points) -> Result<(), Error> {
        let files = |name: &str| self.file_text(name);
        let (plan, _) = compile(&self.document, &self.kinds, &files, points)?;
        self.plan = Arc::new(plan);
        Ok(())
    }

    /// What it was compiled to.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The text with everything applied.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// The same scenario with other faults.
    pub(crate) fn struck_by(&self, faults: Vec<FaultEntry>) -> Scenario {
        Scenario { plan: Arc::new(Plan { faults, ..(*self.plan).clone() }), ..self.clone() }
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// What is allowed and yet unlikely to be meant, each with its place.
    pub fn warnings(&self) -> &[SourceError] {
        &self.plan.warnings
    }

    /// The files that it names, with their text.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plan.files.iter().map(|(name, text)| (name.as_str(), text.as_ref()))
    }

    /// Its story.
    pub fn about(&self) -> &str {
        &self.plan.about
    }

    /// The seed that the file asks for when nobody names another.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The names of its variants.
    pub fn variants(&self) -> Vec<String> {
        self.document.children("variants")
    }

    /// The names of its labelled points, such as `api.pay/charged`, at which a fault can strike.
    pub fn points(&self) -> &[String] {
        &self.plan.points
    }

    /// The names of its services.
    pub fn services(&self) -> Vec<&str> {
        self.names(|kind| matches!(kind, ActorKind::Service(_)))
    }

    /// The names of its stores.
    pub fn stores(&self) -> Vec<&str> {
        self.names(|kind| matches!(kind, ActorKind::Kv(_)))
    }

    /// The names of its actors that are written in Rust.
    pub fn custom_actors(&self) -> Vec<&str> {
        self.names(|kind| matches!(kind, ActorKind::Custom(_)))
    }

    /// The names of its stores that have a replica.
    pub fn replicated_stores(&self) -> Vec<&str> {
        self.names(|kind| matches!(kind, ActorKind::Kv(kv) if !kv.replicas.is_empty()))
    }

    fn names(&self, is: fn(&ActorKind) -> bool) -> Vec<&str> {
        let of_kind = self.plan.actors.iter().filter(|actor| is(&actor.kind));
        of_kind.map(|actor| actor.name.as_str()).collect()
    }

    /// The names of its actors that look at a clock: stores, services that read `{now}`, and actors
    /// written in Rust, which may.
    pub fn clocks(&self) -> Vec<&str> {
        let plan = &self.plan;
        let reads = |name: &str| {
            let own = plan.programs.iter().filter(|program| program.reads_clock);
            own.filter_map(|program| program.name.split_once('.')).any(|(actor, _)| actor == name)
        };
        let has_clock = |actor: &&ActorPlan| match actor.kind {
            ActorKind::Kv(_) | ActorKind::Custom(_) => true,
            ActorKind::Service(_) => reads(&actor.name),
            ActorKind::Client(_) | ActorKind::Broker => false,
        };
        plan.actors.iter().filter(has_clock).map(|actor| actor.name.as_str()).collect()
    }

    /// The pairs of actors that talk, caller first, and then the stores that copy to others.
    pub fn hops(&self) -> Vec<(&str, &str)> {
        let name = |id| self.plan.actor_name(id);
        let calls = self.plan.pairs.iter().map(|(from, to)| (name(*from), name(*to)));
        let copies = self.plan.actors.iter().flat_map(|actor| {
            let to: &[_] = match &actor.kind {
                ActorKind::Kv(kv) => &kv.copies_to,
                _ => &[],
            };
            to.iter().map(move |to| (actor.name.as_str(), name(*to)))
        });
        calls.chain(copies).collect()
    }

    /// Every number in it that can be changed, in the order of the text. That of the seed, which is
    /// chosen otherwise, is none of them.
    pub fn numbers(&self) -> Vec<Knob> {
        knob::numbers(&self.document)
    }

    /// The values that its author chose to be turned, as far as a variant has them.
    pub fn knobs(&self) -> Vec<Knob> {
        knob::chosen(&self.document)
    }

    /// How long a run lasts.
    pub fn horizon(&self) -> sim_core::Span {
        self.plan.horizon
    }

    /// The promises on figures, `Threshold("…")`, in the scenario's order.
    pub fn promises(&self) -> Vec<Promise> {
        let promise = |invariant: &InvariantPlan| match &invariant.rule {
            Rule::Threshold(promise) => Some(promise.clone()),
            _ => None,
        };
        self.plan.invariants.iter().filter_map(promise).collect()
    }

    /// Whether a figure is of what there is.
    pub(crate) fn measures(&self, figure: &Figure) -> bool {
        self.plan.measures(figure)
    }

    /// What figures of a kind are measured of, by name.
    pub(crate) fn subjects(&self, kind: Kind) -> Vec<String> {
        self.plan.subjects(kind)
    }

    /// The same scenario, whose runs also measure the parts of them that figures ask for. Nothing
    /// else about a run changes.
    pub(crate) fn observing(&self, figures: &[Figure]) -> Scenario {
        let mut plan = (*self.plan).clone();
        for during in figures.iter().filter_map(|figure| figure.during) {
            if !plan.stretches.contains(&during) {
                plan.stretches.push(during);
            }
        }
        Scenario { plan: Arc::new(plan), ..self.clone() }
    }

    /// For how long who waits at the horizon is waited for.
    pub fn grace(&self) -> sim_core::Span {
        self.plan.grace
    }

    /// What is measured is what arises from then on.
    pub fn warmup(&self) -> sim_core::Span {
        self.plan.warmup
    }

    /// The variant that was applied.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// The id of the run with a seed.
    pub fn run_id(&self, seed: u64) -> RunId {
        RunId { scenario_hash: self.scenario_hash, overrides_hash: self.overrides_hash, seed }
    }

    /// Runs it to its end.
    pub fn run(&self, seed: u64) -> Outcome {
        self.start(seed).finish()
    }

    /// Runs it to its end, and tells all that an outcome sums up.
    pub fn account(&self, seed: u64) -> Account {
        self.start(seed).finish_account()
    }

    /// Begins a run that is taken step by step.
    pub fn start(&self, seed: u64) -> Run {
        Run::new(self.plan.clone(), self.run_id(seed), self.variant.clone())
    }
}

/// Tells scenarios apart, with all that was read of their files.
fn hash(text: &str, files: &BTreeMap<String, Arc<str>>) -> u64 {
    let own = xxh3_64(text.as_bytes());
    files.iter().fold(own, |hash, (name, text)| {
        let of = |text: &str| xxh3_64(text.as_bytes());
        mix(mix(hash, of(name)), of(text))
    })
}

/// Reads and compiles a document.
fn compile(
    document: &Document,
    kinds: &Kinds,
    files: Files<'_>,
    points: Points,
) -> Result<(Plan, u64), Vec<SourceError>> {
    let spec: language::Scenario = document.read(language::hint).map_err(|e| vec![e])?;
    Ok((compile::compile(document, &spec, files, kinds, points)?, spec.seed))
}
