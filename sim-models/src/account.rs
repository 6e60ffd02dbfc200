//! The whole account of a run: line by line what an outcome sums up.
//!
//! It costs memory that a study has no use for, and is kept only when somebody asks for it. It
//! changes nothing about the run.

use sim_core::Time;

pub use crate::intent::IntentState;
use crate::intent::{Intent, Intents};
use crate::metrics::Metrics;
use crate::outcome::{Outcome, Violation};
use crate::plan::Plan;

/// A run, line by line.
#[derive(Clone, Debug)]
pub struct Account {
    /// What was found; its ledger is whole.
    pub outcome: Outcome,
    /// Every violation in order, up to 100,000 of a promise.
    pub violations: Vec<BrokenPromise>,
    /// How many violations that bound kept out.
    pub violations_omitted: u64,
    /// Every intent of a user, in the order in which they arose.
    pub intents: Vec<IntentLine>,
}

/// One violation, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPromise {
    /// As written in the scenario: `ExactlyOnce("charge")`.
    pub promise: String,
    /// Listed in the scenario's `breaks`: the run is there to show how it is broken.
    pub known: bool,
    /// How it was broken.
    pub violation: Violation,
}

/// One intent, and what its user knows in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentLine {
    /// Its number among all of the run.
    pub(crate) number: u32,
    /// `shoppers-17`.
    pub name: String,
    /// The client at which it arose.
    pub client: String,
    /// When it arose.
    pub arose: Time,
    /// Whether it is in the goodput: what arises before the warm-up's end is not.
    pub measured: bool,
    /// How often it was submitted.
    pub submissions: u32,
    /// What its user knows.
    pub state: IntentState,
    /// When that was settled; `None` of one that is unanswered.
    pub settled: Option<Time>,
}

impl Account {
    /// `kept` are the violations of each promise.
    pub(crate) fn new(
        outcome: Outcome,
        kept: Vec<Vec<Violation>>,
        intents: Vec<IntentLine>,
    ) -> Account {
        let (mut violations, mut violations_omitted) = (Vec::new(), 0);
        for (result, mut kept) in outcome.invariants.iter().zip(kept) {
            if kept.is_empty() {
                // A promise on figures is judged by the whole outcome.
                kept.extend(result.first.clone());
            }
            violations_omitted += result.violations.saturating_sub(kept.len() as u64);
            violations.extend(kept.into_iter().map(|violation| BrokenPromise {
                promise: result.name.clone(),
                known: result.known,
                violation,
            }));
        }
        // What had not happened at an instant counts after all that did.
        let order = |broken: &BrokenPromise| {
            (broken.violation.at, broken.violation.step.unwrap_or(u64::MAX))
        };
        violations.sort_by_key(order);
        Account { outcome, violations, violations_omitted, intents }
    }
}

/// The intents of users, as the goodput counts them.
pub(crate) fn intents(plan: &Plan, intents: &Intents, metrics: &Metrics) -> Vec<IntentLine> {
    let users = intents.iter().filter(|(_, intent)| intent.background.is_none());
    let line = |(n, intent): (u32, &Intent)| {
        let in_time = |(at, _): &(Time, IntentState)| !metrics.is_late(intent.begun, *at);
        let counted = intent.counted.filter(in_time);
        IntentLine {
            number: n,
            name: intents.name(plan, n),
            client: plan.actor_name(intent.client).to_owned(),
            arose: intent.begun,
            measured: metrics.is_measured(intent.begun),
            submissions: intent.submitted,
            state: counted.map_or(IntentState::Unanswered, |(_, state)| state),
            settled: counted.map(|(at, _)| at),
        }
    };
    users.map(line).collect()
}
