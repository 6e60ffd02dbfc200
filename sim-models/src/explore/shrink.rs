//! Making a finding small: fewer faults, at a named point, for a short and round time.

use std::collections::BTreeSet;

use sim_core::{Span, Time, mix};

use super::Finding;
use super::search::{Field, Hit, Trial};
use crate::language::FaultPlan;
use crate::lineage::{Lineage, What};
use crate::plan::{ActorId, ActorKind, Fault, FaultEntry, Plan, Trigger};
use crate::run::Traced;

/// Lengths of time as people write them.
const ROUND: [Span; 14] = [
    Span::millis(1),
    Span::millis(10),
    Span::millis(100),
    Span::secs(1),
    Span::secs(2),
    Span::secs(5),
    Span::secs(10),
    Span::secs(30),
    Span::secs(60),
    Span::secs(120),
    Span::secs(300),
    Span::secs(3_600),
    Span::secs(6 * 3_600),
    Span::secs(25 * 3_600),
];

/// Whether a trial broke the same promise in a way that is known: by the same kinds of faults in the
/// same places, and maybe others.
pub(super) fn is_like(known: &Hit, hit: &Hit) -> bool {
    let places = |hit: &Hit| -> BTreeSet<String> { hit.trial.faults.iter().map(place).collect() };
    known.broken[0] == hit.broken[0] && places(known).is_subset(&places(hit))
}

/// The kind of a fault and where it strikes, whenever and for how long.
fn place(entry: &FaultEntry) -> String {
    let mut fault = entry.fault;
    if let Some(length) = fault.length_mut() {
        *length = Span::ZERO;
    }
    match entry.trigger {
        Trigger::At(_) => format!("{fault:?}"),
        Trigger::After { point, .. } => format!("{fault:?} {point:?}"),
    }
}

/// Whether two findings are the same story.
pub(super) fn is_same(a: &Finding, b: &Finding) -> bool {
    a.broken[0] == b.broken[0] && a.mechanism == b.mechanism
}

/// Fewer and plainer faults that break the same promise.
pub(super) fn smallest(field: &Field<'_>, hit: &Hit, runs: &mut u64) -> Trial {
    let promise = hit.broken[0];
    let mut small = hit.trial.clone();
    let mut try_out = |small: &mut Trial, faults: Vec<FaultEntry>| {
        if !(field.options.goes_on)() {
            return false;
        }
        *runs += 1;
        let trial = Trial { faults, ..small.clone() };
        let outcome = field.run(&trial).outcome;
        let holds = !field.broken(&trial, &outcome).contains(&promise);
        if !holds {
            *small = trial;
        }
        !holds
    };
    let mut n = 0;
    while n < small.faults.len() {
        let mut faults = small.faults.clone();
        faults.remove(n);
        if !try_out(&mut small, faults) {
            n += 1;
        }
    }
    for n in 0..small.faults.len() {
        for plainer in plainer(field, &small, n) {
            let mut faults = small.faults.clone();
            faults[n] = plainer;
            if try_out(&mut small, faults) {
                break;
            }
        }
        let longest = length(&small.faults[n]);
        let least = least(&small.faults[n].fault);
        let shorter = |round: &Span| *round >= least && Some(*round) < longest;
        for round in ROUND.into_iter().filter(shorter) {
            let mut faults = small.faults.clone();
            set_length(&mut faults[n], round);
            if try_out(&mut small, faults) {
                break;
            }
        }
    }
    small
}

/// What was sent and done, in order, until a promise broke: two runs in which that is the same
/// tell the same story.
fn mechanism(lineage: &Lineage, until: Time) -> u64 {
    lineage.until(until).fold(0, |hash, moment| match moment.what {
        What::Passed { .. } => hash,
        What::Sent { from, to, way } => mix(mix(hash, way as u64), mix(from.0.into(), to.0.into())),
        What::Done { kind } => mix(hash, mix(2, kind.0.into())),
    })
}

/// How long a fault lasts, or by how much it is late.
fn length(entry: &FaultEntry) -> Option<Span> {
    let mut fault = entry.fault;
    fault.length_mut().map(|length| *length).or(entry.lasts)
}

/// A process that is down, or stands still as a whole, is so for a while.
fn least(fault: &Fault) -> Span {
    match fault {
        Fault::Crash { .. } | Fault::Outage { .. } | Fault::Errors { .. } => Span::secs(1),
        _ => Span::ZERO,
    }
}

fn set_length(entry: &mut FaultEntry, length: Span) {
    match entry.fault.length_mut() {
        Some(own) => *own = length,
        None => entry.lasts = Some(length),
    }
}

/// The same fault at the last point that was passed before it struck, and there at the first
/// passage.
fn plainer(field: &Field<'_>, trial: &Trial, n: usize) -> Vec<FaultEntry> {
    let entry = &trial.faults[n];
    match entry.trigger {
        Trigger::After { nth: 1, .. } => Vec::new(),
        Trigger::After { point, .. } => {
            vec![FaultEntry { trigger: Trigger::After { point, nth: 1 }, ..entry.clone() }]
        }
        Trigger::At(at) => {
            let lineage = field.run(trial).lineage;
            let before = lineage.moments().iter().rev();
            let before = before.filter(|moment| moment.at <= Time::ZERO + at);
            let points = before.filter_map(|moment| match moment.what {
                What::Passed { point, nth, .. } => Some(Trigger::After { point, nth }),
                _ => None,
            });
            let lasts = entry.lasts.map(|lasts| lasts.max(Span::millis(50)));
            points.take(4).map(|trigger| FaultEntry { trigger, lasts, ..entry.clone() }).collect()
        }
    }
}

/// The faults as a scenario names them.
pub(super) fn written(plan: &Plan, faults: &[FaultEntry]) -> Vec<FaultPlan> {
    let name = |id: &ActorId, _, _| Some(plan.actor_name(*id).to_owned());
    let replica = |store: &ActorId, n: &u32| match &plan.actors[store.index()].kind {
        ActorKind::Kv(kv) => kv.replicas.get(*n as usize).cloned(),
        _ => None,
    };
    let plan_of = |entry: &FaultEntry| {
        let fault = entry.fault.map(name, replica).expect("each actor and replica has a name");
        let lasts = entry.lasts;
        match entry.trigger {
            Trigger::At(at) => FaultPlan::At { at, fault, lasts },
            Trigger::After { point, nth } => {
                FaultPlan::After { point: plan.points[point.index()].clone(), fault, nth, lasts }
            }
        }
    };
    faults.iter().map(plan_of).collect()
}

/// What is said of a finding.
pub(super) fn finding(
    field: &Field<'_>,
    small: Trial,
    hit: &Hit,
    seen: u64,
    own_faults: Vec<String>,
) -> Finding {
    let Traced { outcome, lineage, .. } = field.run(&small);
    let mut broken = field.broken(&small, &outcome);
    if !broken.contains(&hit.broken[0]) {
        broken = hit.broken.clone();
    }
    let results = broken.iter().map(|n| &outcome.invariants[*n]);
    let witness = results.clone().find_map(|result| result.first.as_ref());
    Finding {
        broken: results.map(|result| result.name.clone()).collect(),
        witness: witness.map_or_else(String::new, |violation| violation.witness.clone()),
        faults: written(field.scenario.plan(), &small.faults),
        seed: small.seed,
        phase: hit.phase,
        runs: hit.runs,
        seen,
        scenario: None,
        own_faults,
        digest: outcome.digest,
        mechanism: mechanism(&lineage, witness.map_or(Time::MAX, |violation| violation.at)),
    }
}
