//! What a run broke, and what it did until then.

use std::collections::BTreeMap;

use sim_core::{Span, Time};

use crate::intent::Intents;
use crate::invariant::GAVE_UP;
use crate::lineage::{Lineage, Moment, What};
use crate::outcome::{InvariantVerdict, Outcome};
use crate::plan::{ActorId, FaultEntry, Plan, Trigger};
use crate::recovery::RecoveryState;

/// What everybody expects of a service and no scenario has to promise: a storm must not outlive
/// what set it off. The verdict of recovery says whether one did.
pub(super) const RECOVERS: &str = "Recovers after the faults";

/// What is broken: a promise by its place in the scenario's order, or what everybody expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Promise(usize),
    Recovery,
}

/// How something broke.
#[derive(Clone, Debug)]
pub(super) struct Breach {
    pub(super) at: Time,
    pub(super) witness: String,
    /// A user stopped asking while a fault still lasted.
    pub(super) gave_up: bool,
    /// The intents that it is about, by name.
    concerned: [Option<String>; 2],
}

/// What happened in a run, for the intents that a breach is about, until it happened: who sent what
/// to whom, and what was done. Empty where a breach is about no intent.
pub(super) type Told = Vec<String>;

impl Broken {
    pub(super) fn name(self, plan: &Plan) -> &str {
        match self {
            Broken::Promise(n) => &plan.invariants[n].name,
            Broken::Recovery => RECOVERS,
        }
    }
}

impl Breach {
    /// How a run broke something, by its name; `None` when it did not.
    pub(super) fn of(outcome: &Outcome, broken: &str) -> Option<Breach> {
        if broken == RECOVERS {
            let recovery = outcome.recovery.as_ref()?;
            let is_down = recovery.is_test() && recovery.state == RecoveryState::Metastable;
            let witness = format!("what struck has healed, and the service has not: {recovery}");
            let at = recovery.trigger.1;
            return is_down.then_some(Breach {
                at,
                witness,
                gave_up: false,
                concerned: [None, None],
            });
        }
        let result = outcome.invariants.iter().find(|result| result.name == broken)?;
        let violation = result.first.as_ref()?;
        (result.verdict == InvariantVerdict::Violated).then(|| Breach {
            at: violation.at,
            witness: violation.witness.clone(),
            gave_up: violation.what == GAVE_UP,
            concerned: [violation.intent.clone(), violation.other.clone()],
        })
    }

    /// When the first of its intents arose; zero when it is about none.
    pub(super) fn begun(&self, plan: &Plan, intents: &Intents) -> Span {
        let is_its =
            |n: u32| self.concerned.iter().flatten().any(|own| *own == intents.name(plan, n));
        let first = intents.iter().find(|(n, _)| is_its(*n));
        first.map_or(Span::ZERO, |(_, intent)| intent.begun.since(Time::ZERO))
    }

    pub(super) fn told(&self, plan: &Plan, lineage: &Lineage, intents: &Intents) -> Told {
        let concerns = |intent: u32| {
            let name = intents.name(plan, intent);
            self.concerned.iter().flatten().any(|other| *other == name)
        };
        let mut known: BTreeMap<u32, bool> = BTreeMap::new();
        let mut told = Vec::new();
        for Moment { intent, what, .. } in lineage.until(self.at) {
            if !*known.entry(*intent).or_insert_with(|| concerns(*intent)) {
                continue;
            }
            match what {
                What::Passed { .. } => {}
                What::Sent { from, to, .. } => {
                    told.push(format!("{} -> {}", plan.actor_name(*from), plan.actor_name(*to)));
                }
                What::Done { kind } => told.push(plan.kinds[kind.index()].clone()),
            }
        }
        told
    }
}

/// What strikes whom, wherever, whenever and for how long: `Crash(api)`, `Loss(api->psp)`,
/// `Stall(psp)`.
pub(super) fn family(plan: &Plan, entry: &FaultEntry) -> String {
    let mut actors: Vec<&str> = Vec::new();
    let name = |id: &ActorId, _, _| {
        actors.push(plan.actor_name(*id));
        Some(*id)
    };
    let _ = entry.fault.map(name, |_, replica| Some(*replica));
    if actors.is_empty()
        && let Trigger::After { point, .. } = entry.trigger
    {
        actors.extend(plan.points[point.index()].split('.').next());
    }
    format!("{}({})", entry.fault.kind(), actors.join("->"))
}
