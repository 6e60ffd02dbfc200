//! The search: single faults first, and from then on, in every batch, further faults on top of those
//! that changed something, and some at random. So a small budget reaches pairs, too.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::{Draw, Purpose, Span, Streams, Time};

use super::breach::Broken;
use super::candidate::{Candidate, shape};
use super::coverage::Coverage;
use super::field::{Field, Hit, Trial};
use super::shrink::smallest;
use super::{Cells, Phase};
use crate::lineage::Lineage;
use crate::outcome::{InvariantResult, InvariantVerdict, Outcome};
use crate::plan::{Fault, PointId, Trigger};
use crate::recovery::RecoveryState;
use crate::run::Traced;
use crate::study::Crew;

/// How many runs are under way before they are looked at. No thread's speed may change what comes
/// next.
pub(super) const BATCH: u64 = 64;

/// So many single faults are tried before any other, or half of the budget if that is less.
const SINGLES_ALONE: u64 = 192;

/// From then on, one run in so many is random, and as many have several faults, while there are any.
const SHARE: u64 = 4;

/// The most trials that wait: a budget that reached the others would take days.
const WAITING_MAX: usize = 1_000_000;

/// A run may take ten times the steps of the good one, and so many more: a storm that is longer ends
/// at that limit and says nothing.
pub(super) const STEPS_LEAST: u64 = 100_000;

/// The most faults of a random plan.
const RANDOM_FAULTS_MAX: u64 = 5;

/// The same of a plan that looks at no run, and how often a point may be passed before it strikes.
const BLIND_FAULTS_MAX: u64 = 3;
const BLIND_PASSAGES_MAX: u64 = 8;

const SWARM: Purpose = Purpose(1);

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
    /// Runs that a limit ended: they were ten times as long as the good one.
    pub(super) cut: u64,
    /// Runs that showed whether the service is well again.
    pub(super) recoveries: u64,
    /// By promise: runs whose faults healed too late for it to be judged.
    pub(super) late: Vec<u64>,
    pub(super) cells: Cells,
    /// What was looked for, if anything was.
    pub(super) found: Option<Hit>,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Cells of the table of coverage that were reached.
    pub reached: u64,
    /// Cells of the table, as far as it is known.
    pub possible: u64,
    /// Ways to break a promise, before any is made small.
    pub findings: u64,
}

impl Tally {
    /// Nothing was run yet that puts any of so many promises to the test.
    fn of(promises: usize) -> Tally {
        Tally { tested: vec![false; promises], late: vec![0; promises], ..Tally::default() }
    }

    fn see(&mut self, tested: &[bool], late: &[bool]) {
        self.tested.iter_mut().zip(tested).for_each(|(known, new)| *known |= new);
        self.late.iter_mut().zip(late).for_each(|(count, new)| *count += u64::from(*new));
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

/// A trial, its place in the queue and where in the search it is run.
struct Node {
    key: Key,
    phase: Phase,
    trial: Trial,
}

impl Node {
    fn at_random(trial: Trial) -> Node {
        Node { key: Key::default(), phase: Phase::Random, trial }
    }
}

/// The first place for a trial with two faults.
const SEVERAL: Key = (2, 0, 0, 0);

impl Queue {
    /// How many single faults wait.
    fn singles(&self) -> u64 {
        self.nodes.range(..SEVERAL).count() as u64
    }

    /// A parent's faults and one more.
    fn push(&mut self, parent: &Trial, [round, rank]: [u32; 2], candidate: Candidate) {
        self.pushed += 1;
        if self.nodes.len() >= WAITING_MAX {
            return;
        }
        let at = candidate.at;
        let trial = parent.and(candidate.entries(), at);
        // A candidate counts once, also where it takes a fault that does nothing alone.
        self.nodes.insert((parent.faults.len() + 1, round, rank, self.pushed), trial);
    }

    /// The next trials of a phase, single faults or several, at most so many.
    fn take(&mut self, most: u64, phase: Phase) -> Vec<Node> {
        let mut taken = Vec::new();
        while (taken.len() as u64) < most {
            let next = match phase {
                Phase::Single => self.nodes.range(..SEVERAL).next(),
                _ => self.nodes.range(SEVERAL..).next(),
            };
            let Some(key) = next.map(|(key, _)| *key) else { break };
            let trial = self.nodes.remove(&key).expect("it was just found");
            taken.push(Node { key, phase, trial });
        }
        taken
    }
}

/// What the search looks at of a run. The rest is large, and many runs are under way.
struct Seen {
    broken: Vec<Broken>,
    tested: Vec<bool>,
    is_cut: bool,
    /// Whether it showed if the service is well again.
    has_recovery: bool,
    late: Vec<bool>,
    lineage: Lineage,
    /// What of it broke as what is looked for does, if anything is.
    wanted: Option<Broken>,
}

/// By promise: whether the run put it to the test.
fn tested(outcome: &Outcome) -> Vec<bool> {
    let tested = |result: &InvariantResult| result.verdict != InvariantVerdict::Vacuous;
    outcome.invariants.iter().map(tested).collect()
}

impl Field<'_> {
    /// Searches until the budget is spent, nobody wants to go on or what is looked for was found, and
    /// hands over each trial that broke something.
    pub(super) fn search(&mut self, crew: &Crew<'_>, mut found: impl FnMut(Hit) -> u64) -> Tally {
        let options = self.options;
        let calm = Trial::calm(options.seed);
        let mut tally = Tally::of(self.plan().invariants.len());
        let Some(Traced { outcome, lineage, intents }) = self.run(&calm) else { return tally };
        tally.runs = 1;
        let steps = STEPS_LEAST.saturating_add(outcome.steps.saturating_mul(10));
        self.scenario = self.scenario.bounded(steps);
        self.ground.learn(&lineage);
        let broken = self.broken(&calm, &outcome);
        let mut standing = Standing::default();
        tally.see(&tested(&outcome), &[]);
        if !broken.is_empty() {
            self.broken_already.clone_from(&broken);
            let wanted = self.told(&broken, &outcome, &lineage, &intents);
            let hit = Hit { trial: calm.clone(), phase: Phase::AsItIs, runs: 1, broken };
            tally.found = wanted.map(|wanted| hit.by(wanted));
            standing.findings = found(hit);
        }
        let all = self.ground.candidates(self.plan(), &lineage, Time::ZERO);
        let mut queue = Queue::default();
        let mut coverage = Coverage::default();
        if !options.is_random {
            for candidate in &all {
                queue.push(&calm, [candidate.round, candidate.rank], candidate.clone());
            }
        }
        coverage.offer(&all);
        coverage.see(&calm, &lineage);
        let mut shapes = BTreeSet::from([shape(&lineage)]);
        while tally.found.is_none()
            && tally.runs < options.budget
            && (options.goes_on)()
            && !all.is_empty()
        {
            let batch = self.batch(&mut queue, &coverage, &all, &tally);
            let ended = self.all(crew, &batch);
            for (node, seen) in batch.into_iter().zip(ended) {
                let Seen { broken, tested, is_cut, has_recovery, late, lineage, wanted } = seen;
                let phase = node.phase;
                tally.count(phase);
                tally.see(&tested, &late);
                tally.cut += u64::from(is_cut);
                tally.recoveries += u64::from(has_recovery);
                coverage.see(&node.trial, &lineage);
                if !broken.is_empty() {
                    let hit = Hit { trial: node.trial, phase, runs: tally.runs, broken };
                    let wanted = wanted.or_else(|| self.wanted(&hit));
                    tally.found = wanted.map(|wanted| hit.by(wanted));
                    standing.findings = found(hit);
                    if tally.found.is_some() {
                        break;
                    }
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
                coverage.offer(&next);
                for (n, candidate) in (0..).zip(next) {
                    queue.push(&node.trial, [node.key.1 + candidate.round, n], candidate);
                }
            }
            (standing.reached, standing.possible) = coverage.counts();
            (options.standing)(standing);
        }
        tally.singles_left = queue.singles();
        tally.cells = coverage.cells(self.plan());
        tally
    }

    /// The next trials: single faults, from some time on several and random ones beside them. Once no
    /// single fault is left, all the others have several; once none of these is left, all are random.
    fn batch(
        &self,
        queue: &mut Queue,
        coverage: &Coverage,
        all: &[Candidate],
        tally: &Tally,
    ) -> Vec<Node> {
        let budget = self.options.budget;
        let room = (budget - tally.runs).min(BATCH);
        let is_alone = tally.singles < SINGLES_ALONE.min(budget / 2) && queue.singles() > 0;
        let share = if is_alone { 0 } else { room / SHARE };
        let several = queue.take(share, Phase::Combined);
        let mut batch = queue.take(room - share - several.len() as u64, Phase::Single);
        batch.extend(several);
        let most = (room - share).saturating_sub(batch.len() as u64);
        batch.extend(queue.take(most, Phase::Combined));
        let left = room - batch.len() as u64;
        batch.extend(self.random(all, coverage, tally.random, left));
        batch
    }

    /// A batch of random plans. Half of it goes where nothing has struck yet.
    fn random(&self, all: &[Candidate], coverage: &Coverage, first: u64, room: u64) -> Vec<Node> {
        let draws = |number: u64| Streams::new(self.options.seed).open(SWARM, number);
        let mut trials = Vec::new();
        if !self.options.is_random {
            trials = coverage.trials(room / 2, &mut draws(first));
        }
        for number in first + trials.len() as u64..first + room {
            let mut draws = draws(number);
            trials.push(match self.options.is_random {
                true => self.blind(all, number, &mut draws),
                false => self.swarm(all, number, &mut draws),
            });
        }
        trials.into_iter().map(Node::at_random).collect()
    }

    /// A few faults at once. Each plan leaves out some kinds, so that others come to the fore
    /// (Groce and others, "Swarm testing", ISSTA 2012), and has other luck.
    fn swarm(&self, all: &[Candidate], number: u64, draws: &mut impl Draw) -> Trial {
        let kinds: BTreeSet<&str> = all.iter().map(|c| c.entry.fault.kind()).collect();
        let kinds: BTreeSet<&str> = kinds.into_iter().filter(|_| draws.chance(0.5)).collect();
        let mut some: Vec<&Candidate> =
            all.iter().filter(|c| kinds.contains(c.entry.fault.kind())).collect();
        if some.is_empty() {
            some = all.iter().collect();
        }
        let chosen = (0..=draws.below(RANDOM_FAULTS_MAX)).map(|_| {
            let mut candidate = some[draws.below(some.len() as u64) as usize].clone();
            if let Trigger::At(instant) = &mut candidate.entry.trigger
                && draws.chance(0.5)
            {
                *instant = self.instant(draws);
                candidate.at = Time::ZERO + *instant;
            }
            candidate
        });
        self.of_chance(number, chosen)
    }

    /// Faults of any kind in any place, at any instant or passage, for any time: nothing of a run is
    /// looked at.
    fn blind(&self, all: &[Candidate], number: u64, draws: &mut impl Draw) -> Trial {
        let faults = all.iter().map(|candidate| (candidate.entry.fault.kind(), candidate));
        let mut by_kind: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
        faults.for_each(|(kind, candidate)| by_kind.entry(kind).or_default().push(candidate));
        let kinds: Vec<&Vec<&Candidate>> = by_kind.values().collect();
        let points = self.plan().points.len() as u64;
        let chosen = (0..=draws.below(BLIND_FAULTS_MAX)).map(|_| {
            let of_kind = kinds[draws.below(kinds.len() as u64) as usize];
            let mut candidate = of_kind[draws.below(of_kind.len() as u64) as usize].clone();
            let Candidate { entry, .. } = &mut candidate;
            let is_of_task = matches!(entry.fault, Fault::Throw { .. } | Fault::Stall);
            let at = self.instant(draws);
            entry.trigger = if points > 0 && (is_of_task || draws.chance(0.5)) {
                let point = PointId::nth(draws.below(points) as usize);
                Trigger::After { point, nth: 1 + draws.below(BLIND_PASSAGES_MAX) as u32 }
            } else {
                Trigger::At(at)
            };
            if entry.lasts.is_some() {
                entry.lasts = Some(self.instant(draws) / 2 + Span::millis(1));
            }
            Candidate { before: None, at: Time::ZERO + at, ..candidate }
        });
        self.of_chance(number, chosen)
    }

    fn instant(&self, draws: &mut impl Draw) -> Span {
        Span::nanos(draws.below(self.scenario.horizon().as_nanos().max(1)))
    }

    fn of_chance(&self, number: u64, chosen: impl Iterator<Item = Candidate>) -> Trial {
        let calm = Trial::calm(self.options.seed.wrapping_add(number));
        chosen.fold(calm, |trial, candidate| {
            let at = candidate.at;
            trial.and(candidate.entries(), at)
        })
    }

    /// Runs all trials of a batch, up to the first that nobody waits for any more.
    fn all(&self, crew: &Crew<'_>, batch: &[Node]) -> Vec<Seen> {
        let mut ended = Vec::with_capacity(batch.len());
        let work = |n: u64| {
            let trial = &batch[n as usize].trial;
            let Traced { outcome, lineage, intents } = self.run(trial)?;
            let broken = self.broken(trial, &outcome);
            let late = self.late(trial);
            let wanted = self.told(&broken, &outcome, &lineage, &intents);
            let (tested, is_cut) = (tested(&outcome), outcome.limit.is_some());
            let has_recovery = outcome.recovery.is_some_and(|recovery| {
                recovery.is_test() && !matches!(recovery.state, RecoveryState::Undecided(_))
            });
            Some(Seen { broken, tested, is_cut, has_recovery, late, lineage, wanted })
        };
        crew.in_order(0..batch.len() as u64, work, |seen| ended.push(seen));
        ended
    }

    /// What broke by the faults of what is looked for, once there are as few as there can be.
    fn wanted(&self, hit: &Hit) -> Option<Broken> {
        let wanted = self.options.wanted?;
        let may_be = |broken: &&Broken| {
            wanted.breaks(broken.name(self.plan()))
                && wanted.may_be_by(self.plan(), &hit.trial.faults)
        };
        let is_by = |broken: &Broken| {
            let small = smallest(self, &hit.by(*broken), &mut 0);
            wanted.is_by(self.plan(), &small.faults)
        };
        hit.broken.iter().filter(may_be).copied().find(is_by)
    }
}
