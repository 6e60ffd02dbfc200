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
    known.broken.first() == hit.broken.first() && is_among(&known.trial.faults, &hit.trial.faults)
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

#[cfg(test)]
mod tests {
    use super::super::Phase;
    use super::super::breach::Broken;
    use super::super::field::tests::with;
    use super::*;

    /// Two clients, and one of them asks again after two seconds.
    const SHOP: &str = r#"Scenario(
        name: "shop", about: "", horizon: "10m",
        actors: {
            "buyer": Client(load: Burst(count: 1), does: [Call("shop.buy", policy: "again")]),
            "reader": Client(load: Burst(count: 1), does: [Call("shop.read")]),
            "shop": Service(workers: 4, endpoints: {
                "buy": [Effect("charge")], "read": [Effect("view")],
            }),
        },
        links: [Link(from: "buyer", to: "shop", latency: Const("10ms"))],
        policies: { "again": [
            Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
        ] },
        invariants: [AtMostOnce("charge"), AtMostOnce("view")],
    )"#;

    const BUYS: &str = r#"At("0s", for: "1us", Duplicate("buyer", "shop", rate: 1))"#;
    const READS: &str = r#"At("0s", for: "1us", Duplicate("reader", "shop", rate: 1))"#;
    const IDLE: &str = r#"At("5m", for: "1m", Pause("shop"))"#;

    /// The faults that are left of some, where a promise is to stay broken.
    fn left(faults: &[&str], promise: usize) -> Vec<String> {
        with(SHOP, &format!("[{}]", faults.join(", ")), |field, trial| {
            let broken = vec![Broken::Promise(promise)];
            let hit = Hit { trial, phase: Phase::Random, runs: 1, broken };
            let small = smallest(field, &hit, &mut 0);
            let outcome = field.run(&small).expect("nobody stops it").outcome;
            assert!(field.broken(&small, &outcome).contains(&hit.broken[0]), "{small:?}");
            let plan = field.plan();
            small.faults.iter().map(|entry| family(plan, entry)).collect()
        })
    }

    #[test]
    fn what_is_made_small_breaks_the_same_promise_and_needs_every_fault() {
        let (buys, reads) = (["Duplicate(buyer->shop)"], ["Duplicate(reader->shop)"]);
        for faults in [[BUYS, READS, IDLE], [IDLE, READS, BUYS], [READS, IDLE, BUYS]] {
            assert_eq!(left(&faults, 0), buys, "{faults:?}");
            assert_eq!(left(&faults, 1), reads, "{faults:?}");
        }
    }

    #[test]
    fn a_fault_lasts_no_longer_than_it_must() {
        // An answer that takes more than two seconds comes too late; a second one is asked for.
        let late = r#"[At("0s", for: "1us", Delay("buyer", "shop", by: "5m"))]"#;
        with(SHOP, late, |field, trial| {
            let broken = vec![Broken::Promise(0)];
            let hit = Hit { trial, phase: Phase::Single, runs: 1, broken };
            let small = smallest(field, &hit, &mut 0);
            let [entry] = &small.faults[..] else { panic!("{small:?}") };
            let length = length(entry).expect("it is late by so much");
            assert!(ROUND.contains(&length), "{length}");
            for shorter in ROUND.into_iter().filter(|round| *round < length) {
                let mut trial = small.clone();
                set_length(&mut trial.faults[0], shorter);
                let outcome = field.run(&trial).expect("nobody stops it").outcome;
                assert!(field.broken(&trial, &outcome).is_empty(), "{shorter} is enough");
            }
            assert!((Span::secs(1)..=Span::secs(5)).contains(&length), "{length}");
        });
    }

    #[test]
    fn one_way_to_break_two_promises_at_two_times_is_two_ways() {
        // The same kind of fault on the same way: at one time it charges twice, at another it shows
        // twice.
        let text = SHOP.replace(
            r#"[Call("shop.buy", policy: "again")]"#,
            r#"[
            Call("shop.buy"), Sleep(Const("1s")), Call("shop.read"),
        ]"#,
        );
        let twice =
            |at: &str| format!(r#"[At("{at}", for: "1us", Duplicate("buyer", "shop", rate: 1))]"#);
        let hit = |at: &str| {
            with(&text, &twice(at), |field, trial| {
                let outcome = field.run(&trial).expect("nobody stops it").outcome;
                let broken = field.broken(&trial, &outcome);
                Hit { trial, phase: Phase::Single, runs: 1, broken }
            })
        };
        let (charge, view) = (hit("0s"), hit("1020ms"));
        assert_eq!(charge.broken, [Broken::Promise(0)]);
        assert_eq!(view.broken, [Broken::Promise(1)]);
        assert!(!is_like(&charge, &view) && !is_like(&view, &charge));
        assert!(is_like(&charge, &hit("0s")));
    }
}
