//! Making a finding small: fewer faults, at a named point, for a short and round time.

use sim_core::{Span, Time};

use super::Finding;
use super::breach::{Breach, family};
use super::field::{Field, Hit, Trial};
use crate::invariant::GAVE_UP;
use crate::language::FaultPlan;
use crate::lineage::What;
use crate::plan::{ActorId, ActorKind, Fault, FaultEntry, Plan, PointId, Trigger};
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

/// The kind of a fault and where it strikes, whenever and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    fault: Fault,
    point: Option<PointId>,
}

impl Place {
    fn of(entry: &FaultEntry) -> Place {
        let mut fault = entry.fault;
        if let Some(length) = fault.length_mut() {
            *length = Span::ZERO;
        }
        let point = match entry.trigger {
            Trigger::At(_) => None,
            Trigger::After { point, .. } => Some(point),
        };
        Place { fault, point }
    }
}

/// Whether every place of some faults is one of others.
fn is_among(faults: &[FaultEntry], others: &[FaultEntry]) -> bool {
    faults.iter().all(|a| others.iter().any(|b| Place::of(a) == Place::of(b)))
}

/// Whether a trial broke the same promise in a way that is known: by the same kinds of faults in the
/// same places, and maybe others.
pub(super) fn is_like(known: &Hit, hit: &Hit) -> bool {
    known.broken[0] == hit.broken[0] && is_among(&known.trial.faults, &hit.trial.faults)
}

/// Whether two findings break one promise in one way: after the same messages and effects in the same
/// order, or by the same kinds of faults in the same places.
pub(super) fn is_same(a: &Finding, b: &Finding) -> bool {
    let tells_the_same = || !a.told.is_empty() && a.told == b.told;
    a.broken[0] == b.broken[0] && (a.places == b.places || tells_the_same())
}

/// Fewer and plainer faults that break the same promise.
pub(super) fn smallest(field: &Field<'_>, hit: &Hit, runs: &mut u64) -> Trial {
    let promise = hit.broken[0];
    let mut small = hit.trial.clone();
    // What is looked for stays that.
    let Some(first) = field.run(&small) else { return small };
    let is_told =
        |ran: &Traced| field.told(&hit.broken, &ran.outcome, &ran.lineage, &ran.intents).is_some();
    let must_be_told = is_told(&first);
    let mut try_out = |small: &mut Trial, faults: Vec<FaultEntry>| {
        if !(field.options.goes_on)() {
            return false;
        }
        *runs += 1;
        let trial = Trial { faults, ..small.clone() };
        let Some(ran) = field.run(&trial) else { return false };
        let breaks = field.broken(&trial, &ran.outcome).contains(&promise)
            && (!must_be_told || is_told(&ran));
        if breaks {
            *small = trial;
        }
        breaks
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
            let Some(Traced { lineage, .. }) = field.run(trial) else { return Vec::new() };
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
    let plan = field.scenario.plan();
    let (mut broken, mut told, mut digest) = (hit.broken.clone(), Vec::new(), 0);
    // Who stops the search does not wait for a long run, even to see once more what it broke.
    let mut witness = "the search was stopped before it could say how".to_owned();
    let mut families: Vec<String> = small.faults.iter().map(|entry| family(plan, entry)).collect();
    families.sort();
    let mut family = families.join(" + ");
    if let Some(Traced { outcome, lineage, intents }) = field.run(&small) {
        let now = field.broken(&small, &outcome);
        if now.contains(&hit.broken[0]) && field.options.wanted.is_none() {
            broken = now;
        }
        digest = outcome.digest;
        let breach = Breach::of(&outcome, broken[0].name(plan));
        told = breach.as_ref().map_or(Vec::new(), |b| b.told(plan, &lineage, &intents));
        if breach.as_ref().is_some_and(|breach| breach.gave_up) {
            family = GAVE_UP.to_owned();
        }
        witness = breach.map_or_else(String::new, |breach| breach.witness);
    }
    Finding {
        broken: broken.iter().map(|broken| broken.name(plan).to_owned()).collect(),
        told,
        witness,
        family,
        places: small.faults.iter().map(Place::of).collect(),
        shown: None,
        faults: written(plan, &small.faults),
        seed: small.seed,
        phase: hit.phase,
        runs: hit.runs,
        seen,
        scenario: None,
        own_faults,
        digest,
    }
}
