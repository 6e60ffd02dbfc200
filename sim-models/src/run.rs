//! A run: the world on its engine, step by step or all at once.

use std::sync::Arc;

use sim_core::{Moment, Simulation, Step, Stop, Time};

use crate::intent::Intents;
use crate::lineage::Lineage;
use crate::outcome::{Grace, LedgerLine, Outcome, RunId, RunLimit, ServiceBooks, Verdict};
use crate::plan::Plan;
use crate::promises;
use crate::world::World;

/// The most ledger entries that an outcome lists; its summaries count all.
const LEDGER_LINES_MAX: usize = 10_000;

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

impl Run {
    pub(crate) fn new(plan: Arc<Plan>, id: RunId, variant: Option<String>) -> Run {
        let limits = plan.limits.engine();
        let horizon = Time::ZERO + plan.horizon;
        let grace_ends = horizon + plan.grace;
        let world = World::new(plan, id.seed);
        let mut sim = Simulation::new(world, limits);
        sim.act(World::start);
        Run { sim, id, variant, horizon, grace_ends, is_past_horizon: false, stop: None }
    }

    /// Keeps what the run passes through, for [`finish_traced`](Run::finish_traced).
    pub(crate) fn traced(mut self) -> Run {
        self.sim.act(|world, _| world.shared.lineage = Some(Lineage::default()));
        self
    }

    /// Runs to the end and tells what was found, and what the run passed through.
    pub(crate) fn finish_traced(mut self) -> Traced {
        self.exhaust();
        let mut lineage = None;
        self.sim.act(|world, _| lineage = world.shared.lineage.take());
        let intents = self.sim.model().shared.intents.clone();
        Traced { outcome: self.conclude(), lineage: lineage.unwrap_or_default(), intents }
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
        if self.stop.is_some() {
            return;
        }
        match self.sim.run_until(self.horizon) {
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

    fn exhaust(&mut self) {
        if !self.is_past_horizon {
            self.pass_horizon();
        }
        while self.is_due() {
            self.stop = self.sim.step().err();
        }
    }

    fn conclude(mut self) -> Outcome {
        let hit = match self.stop {
            Some(Stop::Limit(hit)) => Some(hit),
            _ => None,
        };
        let runaway = || self.sim.model().runaway().cloned();
        let limit = hit.filter(|_| !self.is_past_horizon).map(RunLimit::Engine).or_else(runaway);
        let (digest, steps, now) = (self.sim.digest(), self.sim.steps(), self.sim.now());
        self.sim.act(|world, _| world.count_open(now));
        let end = now.min(self.horizon);
        let grace = Grace {
            most: self.grace_ends.since(self.horizon),
            taken: now.since(end),
            cut: hit.filter(|_| self.is_past_horizon),
        };
        let world = self.sim.into_model();
        let shared = &world.shared;
        let plan = &*Arc::clone(&shared.plan);
        let invariants = shared.watch.results(shared.scene(Moment { at: now, step: steps }));
        let measured = shared.metrics.measured(plan, end);
        let entries = shared.ledger.entries().iter().take(LEDGER_LINES_MAX);
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
            transitions: shared.metrics.transition_lines(plan, |id| world.breakers(id)),
            log_omitted: shared.log.omitted(),
            series: shared.metrics.series(plan, end),
            recovery: shared.metrics.recovery(plan, end),
            faults: shared.metrics.disturbances(plan, end),
            faults_missed: world.faults_missed(),
            log: world.shared.into_story(),
        };
        promises::judge(&mut outcome, plan);
        outcome.verdict = Verdict::of(&outcome);
        outcome
    }
}
