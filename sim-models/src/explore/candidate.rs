//! What could go wrong at each moment of a run.

use std::collections::BTreeMap;

use sim_core::{Span, Time, mix};
use sim_redis::Eviction;

use crate::Scenario;
use crate::designs;
use crate::lineage::{Lineage, Moment, Way, What};
use crate::plan::{ActorId, ActorKind, Fault, FaultEntry, Plan, Trigger};

/// Users do the same: what can happen to the third can happen to the thousandth.
const INTENTS_MAX: usize = 3;

/// As often does an intent pass one place before it is taken for a repetition.
const OCCURRENCES_MAX: u32 = 4;

/// The most lengths of time that are tried at each moment.
const LENGTHS_MAX: usize = 16;

/// How long a process is down, and a server out of order.
const DOWN: Span = Span::secs(1);

/// What is sent at an instant, and nothing else, is hit by a fault that lasts so long.
const INSTANT: Span = Span::micros(1);

/// One fault, at a moment of a run.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) entry: FaultEntry,
    /// When it strikes.
    pub(super) at: Time,
    /// The plainest come first.
    pub(super) round: u32,
    /// Within a round, those next to what the promises are about come first.
    pub(super) rank: u32,
}

/// Where faults can strike, and for how long.
#[derive(Debug)]
pub(super) struct Ground {
    lengths: Vec<Span>,
    clocks: Vec<ActorId>,
}

impl Ground {
    pub(super) fn of(scenario: &Scenario) -> Ground {
        let plan = scenario.plan();
        let names = scenario.clocks();
        let ids = (0..plan.actors.len()).map(ActorId::nth);
        Ground {
            lengths: lengths(scenario),
            clocks: ids.filter(|id| names.contains(&plan.actor_name(*id))).collect(),
        }
    }

    /// What can strike after an instant of a run.
    pub(super) fn candidates(&self, plan: &Plan, lineage: &Lineage, after: Time) -> Vec<Candidate> {
        let moments = lineage.moments();
        let mut intents: Vec<u32> = Vec::new();
        for moment in moments {
            if !intents.contains(&moment.intent) && intents.len() < INTENTS_MAX {
                intents.push(moment.intent);
            }
        }
        let moments: Vec<&Moment> =
            moments.iter().filter(|moment| intents.contains(&moment.intent)).collect();
        let mut passed: BTreeMap<(u32, What), u32> = BTreeMap::new();
        let mut found = Vec::new();
        for (n, moment) in moments.iter().enumerate() {
            let times = passed.entry((moment.intent, place(moment.what))).or_default();
            *times += 1;
            if *times > OCCURRENCES_MAX || moment.at < after {
                continue;
            }
            let rank = distance(&moments, n);
            let mut add = |round: usize, trigger, lasts: Option<Span>, fault: Fault| {
                // A label is for people, and nobody reads these runs.
                let entry = FaultEntry { trigger, lasts, fault, label: String::new() };
                found.push(Candidate { entry, at: moment.at, round: round as u32, rank });
            };
            match moment.what {
                What::Passed { point, nth, actor } => {
                    let trigger = Trigger::After { point, nth };
                    self.at_a_point(plan, actor, |round, lasts, fault| {
                        add(round, trigger, lasts, fault);
                    });
                }
                What::Sent { from, to, way } => {
                    let trigger = Trigger::At(moment.at.since(Time::ZERO));
                    self.to_a_message(plan, (from, to), way, |round, lasts, fault| {
                        add(round, trigger, lasts, fault);
                    });
                }
                What::Done { .. } => {}
            }
        }
        found
    }

    fn at_a_point(
        &self,
        plan: &Plan,
        actor: ActorId,
        mut add: impl FnMut(usize, Option<Span>, Fault),
    ) {
        // A user who fails in the middle of asking is one who leaves: nobody owes an answer.
        let is_service = matches!(plan.actors[actor.index()].kind, ActorKind::Service(_));
        if is_service {
            add(0, None, Fault::Throw { status: 500 });
            add(0, Some(DOWN), Fault::Crash { actor, instance: None });
        }
        for (n, length) in self.lengths.iter().enumerate() {
            add(n + 1, Some(*length), Fault::Stall);
            if is_service {
                add(n + 2, Some(*length), Fault::Pause { actor, instance: None });
                add(n + 2, Some(*length), Fault::Crash { actor, instance: None });
            }
            if self.clocks.contains(&actor) {
                add(n + 2, None, step(actor, *length));
            }
        }
    }

    fn to_a_message(
        &self,
        plan: &Plan,
        (from, to): (ActorId, ActorId),
        way: Way,
        mut add: impl FnMut(usize, Option<Span>, Fault),
    ) {
        let (rate, instance) = (1.0, None);
        add(0, Some(INSTANT), Fault::Loss { from, to, rate, instance, to_instance: None });
        if way == Way::Request {
            add(0, Some(INSTANT), Fault::Duplicate { from, to, rate, instance });
        }
        for (n, by) in self.lengths.iter().enumerate() {
            add(
                n + 1,
                Some(INSTANT),
                Fault::Delay { from, to, by: *by, instance, to_instance: None },
            );
        }
        let server = if way == Way::Request { to } else { from };
        match &plan.actors[server.index()].kind {
            ActorKind::Kv(kv) => self.to_a_store(server, kv.replicas > 0, add),
            ActorKind::Service(_) if way == Way::Request => {
                add(1, Some(DOWN), Fault::Errors { actor: server, rate, status: 503, instance });
                add(1, Some(DOWN), Fault::Outage { actor: server, instance });
                for (n, length) in self.lengths.iter().enumerate() {
                    add(n + 2, Some(*length), Fault::Outage { actor: server, instance });
                }
            }
            _ => {}
        }
    }

    fn to_a_store(
        &self,
        store: ActorId,
        is_replicated: bool,
        mut add: impl FnMut(usize, Option<Span>, Fault),
    ) {
        add(0, Some(DOWN), Fault::Crash { actor: store, instance: None });
        if is_replicated {
            add(0, None, Fault::Failover { store });
        }
        add(0, Some(DOWN), Fault::Outage { actor: store, instance: None });
        add(1, None, Fault::Flush { store, instance: None });
        add(1, None, Fault::Evict { store, policy: Eviction::VolatileLru, share: 1.0 });
        add(1, Some(DOWN), Fault::OutOfMemory { store });
        for (n, length) in self.lengths.iter().enumerate() {
            add(n + 1, None, step(store, *length));
            add(n + 2, Some(*length), Fault::Outage { actor: store, instance: None });
            add(n + 2, Some(*length), Fault::OutOfMemory { store });
        }
    }
}

fn step(actor: ActorId, by: Span) -> Fault {
    Fault::ClockStep { actor, forward: Some(by), back: None, instance: None }
}

/// Where a moment is, whenever that is.
fn place(what: What) -> What {
    match what {
        What::Passed { point, actor, .. } => What::Passed { point, nth: 0, actor },
        what => what,
    }
}

/// How far a moment is from the next thing of its intent that goes to the ledger.
fn distance(moments: &[&Moment], n: usize) -> u32 {
    let own = |m: &&&Moment| m.intent == moments[n].intent;
    let is_deed = |m: &&Moment| matches!(m.what, What::Done { .. });
    let before = moments[..=n].iter().rev().filter(own).position(is_deed);
    let after = moments[n..].iter().filter(own).position(is_deed);
    before.into_iter().chain(after).min().map_or(u32::MAX, |far| far as u32)
}

/// Two runs of one shape did the same things in the same order, whenever.
pub(super) fn shape(lineage: &Lineage) -> u64 {
    lineage.moments().iter().fold(0, |hash, moment| {
        let what = match moment.what {
            What::Passed { point, .. } => mix(1, point.0.into()),
            What::Sent { from, to, way } => mix(2 + way as u64, mix(from.0.into(), to.0.into())),
            What::Done { kind } => mix(4, kind.0.into()),
        };
        mix(hash, mix(moment.intent.into(), what))
    })
}

/// The lengths of time that matter to a scenario, each a little exceeded: its timeouts, leases,
/// lifetimes and waits are what somebody counts on.
fn lengths(scenario: &Scenario) -> Vec<Span> {
    let horizon = scenario.horizon();
    let texts = scenario.document().texts();
    let written = texts.iter().filter_map(|text| text.parse::<Span>().ok());
    let mut lengths: Vec<Span> = written
        .chain([designs::LOCK, designs::KEEP])
        .filter(|span| *span >= Span::millis(1) && *span < horizon)
        .map(|span| span + (span / 100).max(Span::millis(1)))
        .filter(|span| *span < horizon)
        .collect();
    lengths.sort();
    lengths.dedup();
    if lengths.is_empty() {
        lengths.push(horizon / 4);
    }
    let step = lengths.len().div_ceil(LENGTHS_MAX);
    lengths.into_iter().step_by(step).collect()
}
