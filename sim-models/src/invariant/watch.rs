//! The watch over all invariants of one run.

use super::findings::{Breach, Findings, Found, Line, When};
use super::{Law, Scene, Seen, Topic, law};
use crate::log::Sentence;
use crate::outcome::{InvariantResult, InvariantVerdict, Violation};
use crate::plan::{InvariantPlan, Plan};

/// Watches all invariants of one run.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    checks: Vec<Check>,
    /// One bit per topic that some law wants to see.
    topics: u32,
}

#[derive(Debug)]
struct Check {
    law: Box<dyn Law>,
    findings: Findings,
}

impl Watch {
    pub(crate) fn new(plan: &Plan) -> Watch {
        let windows =
            plan.horizon.as_nanos().checked_div(plan.window.as_nanos()).unwrap_or_default();
        let check = |invariant: &InvariantPlan| Check {
            law: law(&invariant.rule, plan),
            findings: Findings::new(plan.window, windows + 1),
        };
        let checks: Vec<Check> = plan.invariants.iter().map(check).collect();
        let topics = checks.iter().flat_map(|check| check.law.topics());
        let topics = topics.fold(0, |all, topic| all | 1 << *topic as u32);
        Watch { checks, topics }
    }

    /// Whether some law wants to know of such happenings. Whoever has to look something up before it
    /// can tell asks first.
    pub(crate) fn wants(&self, topic: Topic) -> bool {
        self.topics & (1 << topic as u32) != 0
    }

    /// Shows every law what has happened.
    pub(crate) fn see(&mut self, seen: &Seen, scene: Scene<'_>) {
        for Check { law, findings } in &mut self.checks {
            law.see(seen, scene, findings);
        }
    }

    /// An estimate of the memory held, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.checks.iter().map(|check| check.law.memory_bytes()).sum()
    }

    /// Keeps every violation of an invariant up to so many, and not the earliest alone.
    pub(crate) fn keep_all(&mut self, nth: usize, most: usize) {
        let findings = &mut self.checks[nth].findings;
        (findings.all, findings.all_max) = (Some(Vec::new()), most);
    }

    /// How often an invariant was broken so far.
    pub(crate) fn violations(&self, nth: usize) -> u64 {
        self.checks[nth].findings.violations
    }

    /// Whether an invariant says nothing else of an intent to which nothing more happens.
    pub(crate) fn ends_with_intent(&self, nth: usize) -> bool {
        self.checks[nth].law.ends_with_intent()
    }

    /// The violations of an invariant that were kept, but for the first so many; at the end of a run,
    /// also those that only the whole of it can tell.
    pub(crate) fn kept(
        &self,
        nth: usize,
        skipped: usize,
        now: Scene<'_>,
        is_end: bool,
    ) -> Vec<Violation> {
        let Check { law, findings } = &self.checks[nth];
        let mut findings = findings.clone();
        if is_end {
            law.conclude(now, &mut findings);
        }
        let all = findings.all.into_iter().flatten().skip(skipped);
        all.map(|found| violation(found, now)).collect()
    }

    /// The judgement over every invariant, in the scenario's order, and its violations by window.
    pub(crate) fn results(&self, end: Scene<'_>) -> Vec<(InvariantResult, Vec<u32>)> {
        let judge = |(check, plan): (&Check, &InvariantPlan)| {
            let mut findings = check.findings.clone();
            check.law.conclude(end, &mut findings);
            let Findings { exercised, violations, by_window, first, .. } = findings;
            let verdict = match (violations, exercised) {
                (1.., _) => InvariantVerdict::Violated,
                (0, true) => InvariantVerdict::Kept,
                (0, false) => InvariantVerdict::Vacuous,
            };
            let first = first.map(|found| violation(found, end));
            let (name, known) = (plan.name.clone(), plan.known);
            (InvariantResult { name, known, verdict, violations, first }, by_window)
        };
        self.checks.iter().zip(&end.plan.invariants).map(judge).collect()
    }
}

/// A violation in words.
fn violation(found: Found, end: Scene<'_>) -> Violation {
    let Found { when: When { at, step }, breach: Breach { line, other, witness } } = found;
    let Sentence { intent, who, what } = match line {
        Line::Noted(note) => note.sentence(end.plan, end.texts),
        Line::Unnoted(sentence) => sentence,
    };
    let other = other.filter(|other| Some(*other) != intent);
    let [intent, other] = [intent, other].map(|intent| intent.map(|intent| end.intent(intent)));
    Violation { at, step, intent, other, who, what, witness }
}
