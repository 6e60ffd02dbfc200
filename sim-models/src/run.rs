//! A run: the world on its engine, step by step or all at once.

use std::sync::Arc;

use sim_core::{Moment, Simulation, Step, Stop, Time};
use sim_redis::value::Texts;

use crate::account::{self, Account};
use crate::intent::Intents;
use crate::lineage::Lineage;
use crate::log::Note;
use crate::outcome::{
    Grace, InvariantVerdict, LedgerLine, Outcome, RunId, RunLimit, ServiceBooks, Verdict, Violation,
};
use crate::plan::{ActorId, Plan};
use crate::promises;
use crate::trace::Trace;
use crate::world::{Source, World};

/// The most ledger entries that an outcome lists; its summaries count all.
const LEDGER_LINES_MAX: usize = 10_000;

/// The most violations of a promise that an account lists; the outcome counts all.
const VIOLATIONS_MAX: usize = 100_000;

/// So rarely it is looked whether anything more happens to an intent.
const STEPS_PER_LOOK: u64 = 32;

/// So many steps are taken before anybody is asked whether to go on: a few milliseconds.
const STEPS_UNASKED: u64 = 4_096;

/// A run that is under way.
pub struct Run {
    sim: Simulation<World>,
    id: RunId,
    variant: Option<String>,
    /// Nothing begins afterwards.
    horizon: Time,
    /// Who still waits then is no longer waited for.
    grace_ends: Time,
    is_past_horizon: bool,
    stop: Option<Stop>,
    /// Somebody did not want it to go on.
    is_called_off: bool,
}

/// One delivered event, as a record keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    /// Its number, from 1.
    pub number: u64,
    /// When it was delivered.
    pub at: Time,
    /// What it was, for people: `request api->psp for shoppers-17`.
    pub what: String,
    /// The run's digest after it.
    pub digest: u64,
}

/// What was found, and what the run passed through.
pub(crate) struct Traced {
    pub(crate) outcome: Outcome,
    pub(crate) lineage: Lineage,
    pub(crate) intents: Intents,
}

/// A promise, and whose: an intent's, or that of the whole run.
#[derive(Clone, Debug)]
pub(crate) struct Sought {
    /// Its place in the scenario's order.
    pub(crate) promise: usize,
    pub(crate) intent: Option<String>,
    /// The client and number of the intent, where all is known once nothing more happens to it.
    pub(crate) of: Option<(ActorId, u32)>,
}

impl Sought {
    /// Whether a violation is of the intent, or one in which it takes part.
    pub(crate) fn is_of(&self, violation: &Violation) -> bool {
        let concerned = [&violation.intent, &violation.other];
        self.intent.is_none() || concerned.into_iter().any(|intent| *intent == self.intent)
    }
}

/// What a run did with a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Yes,
    /// With the run's digest when it happened.
    Broken(u64),
    /// A limit ended the run before anybody could know.
    Unknown,
}

/// What was found, and all that happened to some intents.
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    pub(crate) trace: Trace,
    pub(crate) notes: Vec<(Time, u64, Note)>,
    pub(crate) texts: Texts,
    pub(crate) intents: Intents,
}

impl Run {
    pub(crate) fn new(plan: Arc<Plan>, id: RunId, variant: Option<String>) -> Run {
        let limits = plan.limits.engine();
        let horizon = Time::ZERO + plan.horizon;
        let grace_ends = horizon + plan.grace;
        let world = World::new(plan, id.seed);
        let mut sim = Simulation::new(world, limits);
        sim.act(World::start);
        let (is_past_horizon, stop, is_called_off) = (false, None, false);
        Run { sim, id, variant, horizon, grace_ends, is_past_horizon, stop, is_called_off }
    }

    /// Keeps what the run passes through, for [`finish_traced`](Run::finish_traced).
    pub(crate) fn traced(mut self) -> Run {
        self.sim.act(|world, _| world.shared.lineage = Some(Lineage::default()));
        self
    }

    /// Runs to the end and tells what was found, and what the run passed through.
    pub(crate) fn finish_traced(self) -> Traced {
        self.finish_traced_while(&|| true).expect("nobody calls it off")
    }

    /// The same; `None` when it was called off before its end. Every few thousand steps somebody is
    /// asked whether to go on, so that a short run always comes to its end.
    pub(crate) fn finish_traced_while(mut self, goes_on: &dyn Fn() -> bool) -> Option<Traced> {
        if !self.exhaust_while(&|_| goes_on()) {
            return None;
        }
        let mut lineage = None;
        self.sim.act(|world, _| lineage = world.shared.lineage.take());
        let intents = self.sim.model().shared.intents.clone();
        Some(Traced { outcome: self.conclude(), lineage: lineage.unwrap_or_default(), intents })
    }

    /// Runs to the end, and keeps all that happens to the first so many intents, and to these.
    pub(crate) fn finish_told(mut self, first: u32, intents: Vec<u32>) -> Told {
        self.sim.act(|world, _| world.shared.trace = Some(Box::new(Trace::of(first, intents))));
        self.exhaust();
        let mut trace = None;
        self.sim.act(|world, _| trace = world.shared.trace.take());
        let shared = &self.sim.model().shared;
        let trace = *trace.expect("it was put there");
        let (notes, texts) = (shared.log.all().to_vec(), shared.texts.clone());
        let intents = shared.intents.clone();
        Told { outcome: self.conclude(), trace, notes, texts, intents }
    }

    /// Delivers events until so many steps were taken, or the run is over.
    pub(crate) fn advance(&mut self, steps: u64) {
        while self.sim.steps() < steps && self.is_due() {
            self.stop = self.sim.step().err();
        }
    }

    /// From here on, what is drawn of these sources is drawn from another seed.
    pub(crate) fn redraw(&mut self, seed: u64, is_redrawn: impl Fn(Source) -> bool) {
        self.sim.act(|world, _| world.redraw(seed, is_redrawn));
    }

    /// Goes on until an intent has arisen, or the run is over; the step at which it did.
    pub(crate) fn until_begun(&mut self, intent: &str) -> Option<u64> {
        let mut next = 0;
        loop {
            let shared = &self.sim.model().shared;
            while shared.intents.get(next).is_some() {
                if shared.intent_name(next) == intent {
                    return Some(self.sim.steps());
                }
                next += 1;
            }
            if !self.is_due() {
                return None;
            }
            self.stop = self.sim.step().err();
        }
    }

    /// Keeps each violation of a promise, for [`keeps`](Run::keeps).
    pub(crate) fn seeking(mut self, sought: &Sought) -> Run {
        self.sim.act(|world, _| world.shared.watch.keep_all(sought.promise, usize::MAX));
        self
    }

    /// Whether all is known of an intent and a promise once nothing more happens to the intent.
    pub(crate) fn ends_with_intent(&self, promise: usize) -> bool {
        let shared = &self.sim.model().shared;
        shared.watch.ends_with_intent(promise) && shared.plan.intents_end()
    }

    /// What was drawn of since this was asked last.
    pub(crate) fn drawn(&mut self) -> Vec<Source> {
        let mut drawn = Vec::new();
        self.sim.act(|world, _| drawn = world.drawn());
        drawn
    }

    /// Goes on until it is known whether a promise is kept that is sought; at how many events that is.
    pub(crate) fn keeps(mut self, sought: &Sought) -> (Kept, u64) {
        let known = self.until_known(sought);
        let steps = self.sim.steps();
        (known.unwrap_or_else(|| self.judged(sought)), steps)
    }

    /// Goes on until the promise is broken, or cannot be any more; `None` at the end of the run.
    fn until_known(&mut self, sought: &Sought) -> Option<Kept> {
        let mut seen = 0;
        let mut looked_at = 0;
        let mut own = None;
        loop {
            let broken = self.sim.model().shared.watch.violations(sought.promise);
            if broken > seen {
                if self.has_broken(sought, seen as usize, false) {
                    return Some(Kept::Broken(self.sim.digest()));
                }
                seen = broken;
            }
            let is_look = self.sim.steps().is_multiple_of(STEPS_PER_LOOK);
            if let Some(of) = sought.of.filter(|_| is_look) {
                let world = self.sim.model();
                while let (None, Some(intent)) = (own, world.shared.intents.get(looked_at)) {
                    own = (of == (intent.client, intent.number)).then_some(looked_at);
                    looked_at += 1;
                }
                if own.is_some_and(|own| world.is_spent(own, self.sim.now())) {
                    let is_broken = self.has_broken(sought, seen as usize, true);
                    let digest = self.sim.digest();
                    return Some(if is_broken { Kept::Broken(digest) } else { Kept::Yes });
                }
            }
            if !self.is_due() {
                return None;
            }
            self.stop = self.sim.step().err();
        }
    }

    /// What the end of the run tells of a promise.
    fn judged(mut self, sought: &Sought) -> Kept {
        let digest = self.sim.digest();
        if matches!(self.stop, Some(Stop::Limit(_))) || self.sim.model().runaway().is_some() {
            return Kept::Unknown;
        }
        let is_broken = match sought.intent {
            Some(_) => {
                self.count_open();
                self.has_broken(sought, 0, true)
            }
            // Some promises are judged by the whole outcome.
            None => {
                self.conclude().invariants[sought.promise].verdict == InvariantVerdict::Violated
            }
        };
        if is_broken { Kept::Broken(digest) } else { Kept::Yes }
    }

    /// Goes on to the end of the run; the first violation that is sought.
    pub(crate) fn violation(mut self, sought: &Sought) -> Option<Violation> {
        self.exhaust();
        let of_it = |violation: &Violation| sought.is_of(violation);
        let kept = self.kept(sought, 0, true).into_iter().filter(of_it);
        kept.min_by_key(|violation| (violation.at, violation.step.unwrap_or(u64::MAX)))
    }

    fn has_broken(&self, sought: &Sought, skipped: usize, is_end: bool) -> bool {
        self.kept(sought, skipped, is_end).iter().any(|violation| sought.is_of(violation))
    }

    fn kept(&self, sought: &Sought, skipped: usize, is_end: bool) -> Vec<Violation> {
        let shared = &self.sim.model().shared;
        let now = shared.scene(Moment { at: self.sim.now(), step: self.sim.steps() });
        shared.watch.kept(sought.promise, skipped, now, is_end)
    }

    /// Delivers the next event and describes it; `None` at the end of the run.
    pub fn step(&mut self) -> Option<StepLine> {
        if !self.is_due() {
            return None;
        }
        let (_, event) = self.sim.peek().expect("it is due");
        let event = *event;
        let what = self.sim.model().describe(event);
        match self.sim.step() {
            Ok(Step { number, at, digest }) => Some(StepLine { number, at, what, digest }),
            Err(stop) => {
                self.stop = Some(stop);
                None
            }
        }
    }

    /// Whether the next event is delivered. At the horizon measuring ends; those who wait are then
    /// waited for, as long as there are any and the grace lasts.
    fn is_due(&mut self) -> bool {
        let next = self.sim.peek().map(|(at, _)| at);
        if !self.is_past_horizon && next.is_none_or(|at| at > self.horizon) {
            self.pass_horizon();
        }
        self.stop.is_none()
            && (!self.is_past_horizon
                || (self.sim.model().shared.metrics.is_anyone_waiting()
                    && next.is_some_and(|at| at <= self.grace_ends)))
    }

    fn pass_horizon(&mut self) {
        if self.stop.is_none() {
            let stop = self.sim.run_until(self.horizon);
            self.come_to_rest(stop);
        }
    }

    /// All events up to the horizon were delivered, or something ended the run.
    fn come_to_rest(&mut self, stop: Stop) {
        match stop {
            Stop::Reached | Stop::Idle => {
                self.is_past_horizon = true;
                self.sim.act(|world, ctx| world.close_books(ctx.now()));
            }
            stop => self.stop = Some(stop),
        }
    }

    /// What each service holds at the moment, by name.
    pub fn books(&self) -> Vec<ServiceBooks> {
        self.sim.model().books()
    }

    /// Runs to the end and tells what was found.
    pub fn finish(mut self) -> Outcome {
        self.exhaust();
        self.conclude()
    }

    /// The same, as long as somebody wants it to go on, who is asked every few thousand steps and told
    /// how far it is. A run that is called off is [`Invalid`](Verdict::Invalid): what it found until
    /// then is in its outcome.
    pub fn finish_while(mut self, goes_on: &dyn Fn(Time) -> bool) -> Outcome {
        self.is_called_off = !self.exhaust_while(goes_on);
        self.conclude()
    }

    fn exhaust(&mut self) {
        self.exhaust_while(&|_| true);
    }

    /// Goes on to the end; false when somebody did not want to.
    fn exhaust_while(&mut self, goes_on: &dyn Fn(Time) -> bool) -> bool {
        while !self.is_past_horizon && self.stop.is_none() {
            match self.sim.run_some(self.horizon, STEPS_UNASKED) {
                Some(stop) => self.come_to_rest(stop),
                None if goes_on(self.sim.now()) => {}
                None => return false,
            }
        }
        while self.is_due() {
            self.stop = self.sim.step().err();
            if self.sim.steps().is_multiple_of(STEPS_UNASKED) && !goes_on(self.sim.now()) {
                return false;
            }
        }
        true
    }

    /// Runs to the end and tells all that an outcome sums up.
    pub fn finish_account(mut self) -> Account {
        let promises = self.sim.model().shared.plan.invariants.len();
        self.sim.act(|world, _| {
            let watch = &mut world.shared.watch;
            (0..promises).for_each(|nth| watch.keep_all(nth, VIOLATIONS_MAX));
        });
        self.exhaust();
        self.count_open();
        let shared = &self.sim.model().shared;
        let now = || shared.scene(Moment { at: self.sim.now(), step: self.sim.steps() });
        let kept = (0..promises).map(|nth| shared.watch.kept(nth, 0, now(), true)).collect();
        let intents = account::intents(&shared.plan, &shared.intents, &shared.metrics);
        Account::new(self.outcome(usize::MAX), kept, intents)
    }

    fn conclude(mut self) -> Outcome {
        self.count_open();
        self.outcome(LEDGER_LINES_MAX)
    }

    /// Who still waits at the end counts for as long as they have waited.
    fn count_open(&mut self) {
        let now = self.sim.now();
        self.sim.act(|world, _| world.count_open(now));
    }

    /// What was found, with so many lines of the ledger.
    fn outcome(self, ledger_lines: usize) -> Outcome {
        let hit = match self.stop {
            Some(Stop::Limit(hit)) => Some(hit),
            _ => None,
        };
        let runaway = || self.sim.model().runaway().cloned();
        let limit = hit.filter(|_| !self.is_past_horizon).map(RunLimit::Engine).or_else(runaway);
        let called_off = RunLimit::CalledOff { at: self.sim.now(), horizon: self.horizon };
        let limit = limit.or(self.is_called_off.then_some(called_off));
        let (digest, steps, now) = (self.sim.digest(), self.sim.steps(), self.sim.now());
        let end = now.min(self.horizon);
        let grace = Grace {
            most: self.grace_ends.since(self.horizon),
            taken: now.since(end),
            cut: hit.filter(|_| self.is_past_horizon),
        };
        let world = self.sim.into_model();
        let shared = &world.shared;
        let plan = &*Arc::clone(&shared.plan);
        let results = shared.watch.results(shared.scene(Moment { at: now, step: steps }));
        let (invariants, violations): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        let mut series = shared.metrics.series(plan, end);
        let window_at = |at| series.window_at(at);
        series.effects = shared.ledger.series(&plan.kinds, series.len(), window_at);
        let names = plan.invariants.iter().map(|invariant| invariant.name.clone());
        series.violations = names.zip(violations).collect();
        let measured = shared.metrics.measured(plan, end);
        let entries = shared.ledger.entries().iter().take(ledger_lines);
        let mut outcome = Outcome {
            run_id: self.id,
            scenario: plan.name.clone(),
            about: plan.about.clone(),
            hypothesis: plan.hypothesis.clone(),
            variant: self.variant,
            verdict: Verdict::Invalid,
            digest,
            steps,
            ended_at: end,
            grace,
            warmup: plan.warmup,
            goodput: measured[0].goodput,
            limit,
            invariants,
            effects: shared.ledger.summaries(&plan.kinds),
            ledger: entries
                .map(|entry| LedgerLine {
                    at: entry.at,
                    kind: plan.kinds[entry.kind.index()].clone(),
                    actor: plan.actor_name(entry.actor).to_owned(),
                    intent: shared.intent_name(entry.intent),
                    id: plan.effect_name(entry.kind, entry.number),
                })
                .collect(),
            actors: shared.metrics.actor_summaries(plan, &measured[0]),
            measured,
            calls: shared.metrics.call_summaries(plan),
            resources: shared.metrics.resource_summaries(&series, end),
            transitions: shared.metrics.transition_lines(plan, |id| world.breakers(id)),
            decisions: shared.decisions(),
            log_omitted: shared.log.omitted(),
            series,
            recovery: shared.metrics.recovery(plan, end),
            faults: shared.metrics.disturbances(plan, end),
            faults_missed: world.faults_missed(),
            log: world.shared.into_story(),
        };
        promises::judge(&mut outcome, plan);
        outcome.series.settle_violations(&outcome.invariants);
        outcome.verdict = Verdict::of(&outcome);
        outcome
    }
}
