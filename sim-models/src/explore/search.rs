//! The search: every single fault first, then further ones on top of those that changed something,
//! then at random.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::{Draw, Purpose, Span, Streams, Time};

use super::candidate::{Candidate, Ground, shape};
use super::{Exploration, Phase};
use crate::Scenario;
use crate::lineage::Lineage;
use crate::outcome::{InvariantResult, InvariantVerdict, Outcome};
use crate::plan::{FaultEntry, Plan, Rule, Trigger};
use crate::run::Traced;
use crate::study::Crew;

/// How many runs are under way before they are looked at. No thread's speed may change what comes
/// next.
pub(super) const BATCH: u64 = 64;

/// Once every single fault was tried, one batch in so many is random.
const RANDOM_TURN: u64 = 4;

/// The most trials that wait: a budget that reached the others would take days.
const WAITING_MAX: usize = 1_000_000;

/// A run may take ten times the steps of the good one, and so many more: a storm that is longer ends
/// at that limit and says nothing.
pub(super) const STEPS_LEAST: u64 = 100_000;

/// The most faults of a random plan.
const RANDOM_FAULTS_MAX: u64 = 5;

const SWARM: Purpose = Purpose(1);

/// A plan of faults to try.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) faults: Vec<FaultEntry>,
    pub(super) seed: u64,
    /// When the last of them strikes, and when all have healed.
    pub(super) last: Time,
    pub(super) healed: Time,
}

/// A trial that broke a promise.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) trial: Trial,
    pub(super) phase: Phase,
    /// After how many runs.
    pub(super) runs: u64,
    /// The places of the promises in the scenario's order; the first names the finding.
    pub(super) broken: Vec<usize>,
}

/// What is being searched.
pub(super) struct Field<'a> {
    /// Its programs say after each step where they are.
    pub(super) scenario: Scenario,
    pub(super) options: &'a Exploration<'a>,
    ground: Ground,
    /// Promises that are broken without any further fault.
    pub(super) broken_already: Vec<usize>,
}

/// What the search did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    pub(super) singles: u64,
    pub(super) combined: u64,
    pub(super) random: u64,
    /// Single faults that were not reached.
    pub(super) singles_left: u64,
    /// By promise: some run put it to the test.
    pub(super) tested: Vec<bool>,
    /// Runs that did what another had done: no further fault was tried on top of them.
    pub(super) alike: u64,
}

impl Trial {
    pub(super) fn calm(seed: u64) -> Trial {
        Trial { faults: Vec::new(), seed, last: Time::ZERO, healed: Time::ZERO }
    }
}

impl Tally {
    fn see(&mut self, tested: &[bool]) {
        self.tested.resize(tested.len(), false);
        self.tested.iter_mut().zip(tested).for_each(|(known, new)| *known |= new);
    }

    fn count(&mut self, phase: Phase) {
        self.runs += 1;
        match phase {
            Phase::AsItIs => {}
            Phase::Single => self.singles += 1,
            Phase::Combined => self.combined += 1,
            Phase::Random => self.random += 1,
        }
    }
}

/// Trials that wait for their turn: those with fewer faults first, then the plainer ones, then those
/// nearer to what matters, then those that came first.
#[derive(Debug, Default)]
struct Queue {
    nodes: BTreeMap<Key, Trial>,
    pushed: u64,
}

type Key = (usize, u32, u32, u64);

/// A trial and its place in the queue.
struct Node {
    key: Key,
    trial: Trial,
}

impl Node {
    fn at_random(trial: Trial) -> Node {
        Node { key: Key::default(), trial }
    }
}

impl Queue {
    /// How many faults the next trial has.
    fn depth(&self) -> Option<usize> {
        self.nodes.first_key_value().map(|(key, _)| key.0)
    }

    /// How many single faults wait.
    fn singles(&self) -> u64 {
        self.nodes.range(..(2, 0, 0, 0)).count() as u64
    }

    /// A parent's faults and one more.
    fn push(&mut self, parent: &Trial, [round, rank]: [u32; 2], candidate: Candidate) {
        self.pushed += 1;
        if self.nodes.len() >= WAITING_MAX {
            return;
        }
        let at = candidate.at;
        let healed = parent.healed.max(at + candidate.entry.lasts.unwrap_or_default());
        let own = candidate.entries();
        let faults: Vec<FaultEntry> = parent.faults.iter().cloned().chain(own).collect();
        // A candidate counts once, also where it takes a fault that does nothing alone.
        let key = (parent.faults.len() + 1, round, rank, self.pushed);
        self.nodes.insert(key, Trial { faults, seed: parent.seed, last: at, healed });
    }

    /// The next trials with so many faults.
    fn take(&mut self, most: u64, depth: usize) -> Vec<Node> {
        let mut taken = Vec::new();
        while (taken.len() as u64) < most && self.depth() == Some(depth) {
            let (key, trial) = self.nodes.pop_first().expect("there is one of this depth");
            taken.push(Node { key, trial });
        }
        taken
    }
}

/// What the search looks at of a run. The rest is large, and many runs are under way.
struct Seen {
    broken: Vec<usize>,
    tested: Vec<bool>,
    lineage: Lineage,
}

/// By promise: whether the run put it to the test.
fn tested(outcome: &Outcome) -> Vec<bool> {
    let tested = |result: &InvariantResult| result.verdict != InvariantVerdict::Vacuous;
    outcome.invariants.iter().map(tested).collect()
}

impl<'a> Field<'a> {
    pub(super) fn new(scenario: Scenario, options: &'a Exploration<'a>) -> Field<'a> {
        let ground = Ground::of(&scenario);
        Field { scenario, options, ground, broken_already: Vec::new() }
    }

    /// How many steps a run may take.
    pub(super) fn steps(&self) -> u64 {
        self.plan().limits.steps
    }

    fn plan(&self) -> &Plan {
        self.scenario.plan()
    }

    #[cfg(test)]
    pub(super) fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Runs a trial.
    pub(super) fn run(&self, trial: &Trial) -> Traced {
        let mut faults = self.plan().faults.clone();
        faults.extend(trial.faults.iter().cloned());
        self.scenario.struck_by(faults).start(trial.seed).traced().finish_traced()
    }

    /// The promises that a trial broke, beyond those that are broken anyway.
    pub(super) fn broken(&self, trial: &Trial, outcome: &Outcome) -> Vec<usize> {
        let calm = self.scenario.horizon() - self.scenario.horizon() / 4;
        // A run that a limit ended had no time to make up for anything.
        let is_calm = trial.healed <= Time::ZERO + calm && outcome.limit.is_none();
        let is_judged = |rule: &Rule| match judged(rule) {
            Judged::Always => true,
            Judged::WhenHealed => is_calm,
            Judged::Never => trial.faults.is_empty(),
        };
        let rules = self.plan().invariants.iter().zip(&outcome.invariants).enumerate();
        let broken = rules.filter(|(n, (plan, result))| {
            result.verdict == InvariantVerdict::Violated
                && is_judged(&plan.rule)
                && !self.broken_already.contains(n)
        });
        broken.map(|(n, _)| n).collect()
    }

    /// Searches until the budget is spent or nobody wants to go on, and hands over each trial that
    /// broke something.
    pub(super) fn search(&mut self, crew: &Crew<'_>, mut found: impl FnMut(Hit)) -> Tally {
        let options = self.options;
        let calm = Trial::calm(options.seed);
        let Traced { outcome, lineage, .. } = self.run(&calm);
        let steps = STEPS_LEAST.saturating_add(outcome.steps.saturating_mul(10));
        self.scenario = self.scenario.bounded(steps);
        let broken = self.broken(&calm, &outcome);
        if !broken.is_empty() {
            self.broken_already.clone_from(&broken);
            found(Hit { trial: calm.clone(), phase: Phase::AsItIs, runs: 1, broken });
        }
        let all = self.ground.candidates(self.plan(), &lineage, Time::ZERO);
        let mut queue = Queue::default();
        for candidate in &all {
            queue.push(&calm, [candidate.round, candidate.rank], candidate.clone());
        }
        let mut tally = Tally { runs: 1, ..Tally::default() };
        tally.see(&tested(&outcome));
        let mut shapes = BTreeSet::from([shape(&lineage)]);
        let mut turn = 0;
        while tally.runs < options.budget && (options.goes_on)() && !all.is_empty() {
            let room = (options.budget - tally.runs).min(BATCH);
            let (phase, batch) = match queue.depth() {
                Some(1) => (Phase::Single, queue.take(room, 1)),
                Some(depth) if turn % RANDOM_TURN != 0 => {
                    (Phase::Combined, queue.take(room, depth))
                }
                _ => {
                    let numbers = tally.random..tally.random + room;
                    let trials = numbers.map(|n| Node::at_random(self.swarm(&all, n)));
                    (Phase::Random, trials.collect())
                }
            };
            turn += u64::from(phase != Phase::Single);
            let ended = self.all(crew, &batch);
            for (node, seen) in batch.into_iter().zip(ended) {
                let Some(Seen { broken, tested, lineage }) = seen else { continue };
                tally.count(phase);
                tally.see(&tested);
                if !broken.is_empty() {
                    found(Hit { trial: node.trial, phase, runs: tally.runs, broken });
                    continue;
                }
                if phase == Phase::Random || node.trial.faults.len() >= options.depth {
                    continue;
                }
                if !shapes.insert(shape(&lineage)) {
                    tally.alike += 1;
                    continue;
                }
                let next = self.ground.candidates(self.plan(), &lineage, node.trial.last);
                for (n, candidate) in (0..).zip(next) {
                    queue.push(&node.trial, [node.key.1 + candidate.round, n], candidate);
                }
            }
        }
        tally.singles_left = queue.singles();
        tally
    }

    /// A few faults at once. Each plan leaves out some kinds, so that others come to the fore
    /// (Groce and others, "Swarm testing", ISSTA 2012), and has other luck.
    fn swarm(&self, all: &[Candidate], number: u64) -> Trial {
        let mut draws = Streams::new(self.options.seed).open(SWARM, number);
        let kinds: BTreeSet<&str> = all.iter().map(|c| c.entry.fault.kind()).collect();
        let kinds: BTreeSet<&str> = kinds.into_iter().filter(|_| draws.chance(0.5)).collect();
        let mut some: Vec<&Candidate> =
            all.iter().filter(|c| kinds.contains(c.entry.fault.kind())).collect();
        if some.is_empty() {
            some = all.iter().collect();
        }
        let mut chosen: Vec<Candidate> = (0..=draws.below(RANDOM_FAULTS_MAX))
            .map(|_| some[draws.below(some.len() as u64) as usize].clone())
            .collect();
        let horizon = self.scenario.horizon().as_nanos();
        for candidate in &mut chosen {
            if let Trigger::At(at) = &mut candidate.entry.trigger
                && draws.chance(0.5)
            {
                *at = Span::nanos(draws.below(horizon.max(1)));
                candidate.at = Time::ZERO + *at;
            }
        }
        let seed = self.options.seed.wrapping_add(number);
        let ends = chosen.iter().map(|c| c.at + c.entry.lasts.unwrap_or_default());
        let healed = ends.max().unwrap_or(Time::ZERO);
        let faults = chosen.into_iter().flat_map(Candidate::entries).collect();
        Trial { faults, seed, last: Time::ZERO, healed }
    }

    /// Runs all trials of a batch; those that nobody waits for any more are left out.
    fn all(&self, crew: &Crew<'_>, batch: &[Node]) -> Vec<Option<Seen>> {
        let mut ended = Vec::with_capacity(batch.len());
        let work = |n: u64| {
            if !(self.options.goes_on)() {
                return None;
            }
            let trial = &batch[n as usize].trial;
            let Traced { outcome, lineage, .. } = self.run(trial);
            let broken = self.broken(trial, &outcome);
            Some(Seen { broken, tested: tested(&outcome), lineage })
        };
        crew.in_order(0..batch.len() as u64, work, |seen| ended.push(seen));
        ended
    }

    /// Promises that no run put to the test, by whether one did.
    pub(super) fn untested(&self, tested: &[bool]) -> Vec<String> {
        let all = self.plan().invariants.iter().zip(tested);
        all.filter(|(_, tested)| !**tested).map(|(plan, _)| plan.name.clone()).collect()
    }

    /// Promises that no fault is held against.
    pub(super) fn not_judged(&self) -> Vec<String> {
        let never = self.plan().invariants.iter();
        let never = never.filter(|plan| matches!(judged(&plan.rule), Judged::Never));
        never.map(|plan| plan.name.clone()).collect()
    }
}

/// When a promise is judged.
enum Judged {
    /// What must never happen.
    Always,
    /// What must happen in the end: it needs time without faults.
    WhenHealed,
    /// How good the service is: faults may make it worse.
    Never,
}

fn judged(rule: &Rule) -> Judged {
    match rule {
        Rule::ExactlyOnce(_)
        | Rule::AtMostOnce(_)
        | Rule::AckedImpliesDone(_)
        | Rule::FailedImpliesNone(_)
        | Rule::ReceiptMatches(_)
        | Rule::EqualReplays(_)
        | Rule::UndoneStaysUndone(_)
        | Rule::OneInFlight(_)
        | Rule::NoMerge(_)
        | Rule::BooksBalance { .. }
        | Rule::LockDiscipline { .. }
        | Rule::StoredIsKnown(_)
        | Rule::FencingMonotone(_)
        | Rule::AppliedOnce { .. } => Judged::Always,
        Rule::AllAnswered | Rule::RecoversWithin(_) | Rule::SettlesWithin(_) => Judged::WhenHealed,
        Rule::Goodput { .. }
        | Rule::Threshold(_)
        | Rule::PeakArrivals { .. }
        | Rule::Transitions { .. }
        | Rule::RetryWaits { .. } => Judged::Never,
    }
}
