//! A run: the world on its engine, step by step or all at once.

use std::sync::Arc;

use sim_core::{Moment, Simulation, Step, Stop, Time};

use crate::outcome::{
    InvariantResult, InvariantVerdict, LedgerLine, Outcome, RunId, RunLimit, ServiceBooks, Verdict,
};
use crate::plan::Plan;
use crate::world::World;

/// The most ledger entries that an outcome lists; its summaries count all.
const LEDGER_LINES_MAX: usize = 10_000;

/// A run that is under way.
pub struct Run {
    sim: Simulation<World>,
    id: RunId,
    variant: Option<String>,
    horizon: Time,
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

impl Run {
    pub(crate) fn new(plan: Arc<Plan>, id: RunId, variant: Option<String>) -> Run {
        let limits = plan.limits.engine();
        let horizon = Time::ZERO + plan.horizon;
        let world = World::new(plan, id.seed);
        let mut sim = Simulation::new(world, limits);
        sim.act(World::start);
        Run { sim, id, variant, horizon, stop: None }
    }

    /// Delivers the next event and describes it; `None` at the end of the run.
    pub fn step(&mut self) -> Option<StepLine> {
        if self.stop.is_some() {
            return None;
        }
        let what = match self.sim.peek().map(|(at, event)| (at, *event)) {
            Some((at, event)) if at <= self.horizon => self.sim.model().describe(event),
            _ => {
                self.stop = Some(self.sim.run_until(self.horizon));
                return None;
            }
        };
        match self.sim.step() {
            Ok(Step { number, at, digest }) => Some(StepLine { number, at, what, digest }),
            Err(stop) => {
                self.stop = Some(stop);
                None
            }
        }
    }

    /// What each service holds at the moment, by name.
    pub fn books(&self) -> Vec<ServiceBooks> {
        self.sim.model().books()
    }

    /// Runs to the end and tells what was found.
    pub fn finish(mut self) -> Outcome {
        let stop = match self.stop {
            Some(stop) => stop,
            None => self.sim.run_until(self.horizon),
        };
        let limit = match stop {
            Stop::Limit(limit) => Some(RunLimit::Engine(limit)),
            Stop::Idle | Stop::Reached | Stop::Stopped => self.sim.model().runaway().cloned(),
        };
        let (digest, steps, end) = (self.sim.digest(), self.sim.steps(), self.sim.now());
        let world = self.sim.model();
        let shared = &world.shared;
        let plan = &shared.plan;
        let invariants = shared.watch.results(shared.scene(Moment { at: end, step: steps }));
        let is_violated = |i: &InvariantResult| i.verdict == InvariantVerdict::Violated;
        let verdict = if limit.is_some() {
            Verdict::Invalid
        } else if invariants.iter().any(is_violated) {
            Verdict::Violated
        } else {
            Verdict::Kept
        };
        let entries = shared.ledger.entries().iter().take(LEDGER_LINES_MAX);
        Outcome {
            run_id: self.id,
            scenario: plan.name.clone(),
            about: plan.about.clone(),
            hypothesis: plan.hypothesis.clone(),
            variant: self.variant,
            verdict,
            digest,
            steps,
            ended_at: end,
            warmup: plan.warmup,
            goodput: shared.metrics.goodput(),
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
            actors: shared.metrics.actor_summaries(plan, end),
            calls: shared.metrics.call_summaries(plan),
            transitions: shared.metrics.transition_lines(plan),
            log: shared.log.lines(plan, &shared.texts, |intent| shared.intent_name(intent)),
            log_omitted: shared.log.omitted(),
            series: shared.metrics.series(plan, end),
            recovery: shared.metrics.recovery(plan, end),
            faults: shared.metrics.disturbances(plan, end),
            faults_missed: world.faults_missed(),
        }
    }
}
