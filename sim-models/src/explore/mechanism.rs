//! How a scenario's own faults break its promises, and whether a search finds just that.
//!
//! A bad design breaks in more than one way. A search that breaks the promise by another mistake has
//! not found the one that somebody planted. It has found that one when the promise breaks after the
//! same messages and effects in the same order, or by the same kinds of faults at the same actors.

use super::breach::{Breach, Told, family};
use crate::Scenario;
use crate::plan::{FaultEntry, Plan};
use crate::run::Traced;

/// How a scenario's own faults break its promises.
#[derive(Clone, Debug)]
pub struct Mechanism {
    /// The promises that break, and what happened until they did.
    broken: Vec<(String, Told)>,
    /// What strikes whom.
    families: Vec<String>,
}

impl Mechanism {
    /// What a scenario shows with its own faults and its own seed.
    pub fn of(scenario: &Scenario) -> Mechanism {
        let Traced { outcome, lineage, intents } =
            scenario.start(scenario.seed()).traced().finish_traced();
        let plan = scenario.plan();
        let broken = plan.invariants.iter().filter_map(|invariant| {
            let breach = Breach::of(&outcome, &invariant.name)?;
            Some((invariant.name.clone(), breach.told(plan, &lineage, &intents)))
        });
        Mechanism { broken: broken.collect(), families: families(plan, &plan.faults) }
    }

    /// The promises that it breaks.
    pub fn promises(&self) -> impl Iterator<Item = &str> {
        self.broken.iter().map(|(promise, _)| promise.as_str())
    }

    pub(super) fn breaks(&self, promise: &str) -> bool {
        self.promises().any(|broken| broken == promise)
    }

    /// Whether the same was told when a promise broke.
    pub(super) fn is_told(&self, promise: &str, told: &Told) -> bool {
        !told.is_empty() && self.broken.iter().any(|(own, by)| own == promise && by == told)
    }

    /// Whether faults are of the same kinds, at the same actors.
    pub(super) fn is_by(&self, plan: &Plan, faults: &[FaultEntry]) -> bool {
        !faults.is_empty() && self.families == families(plan, faults)
    }

    /// Whether some of the faults may be so.
    pub(super) fn may_be_by(&self, plan: &Plan, faults: &[FaultEntry]) -> bool {
        let all = families(plan, faults);
        !self.families.is_empty() && self.families.iter().all(|own| all.contains(own))
    }
}

/// In order, each once.
fn families(plan: &Plan, faults: &[FaultEntry]) -> Vec<String> {
    let mut families: Vec<String> = faults.iter().map(|entry| family(plan, entry)).collect();
    families.sort();
    families.dedup();
    families
}
