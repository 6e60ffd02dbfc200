//! What is searched: a scenario, plans of faults to try on it, and what a run of one broke.

use sim_core::{Span, Time};

use super::breach::{Breach, Broken, RECOVERS};
use super::candidate::Ground;
use super::{Exploration, Phase};
use crate::Scenario;
use crate::intent::Intents;
use crate::lineage::Lineage;
use crate::outcome::{InvariantVerdict, Outcome};
use crate::plan::{Fault, FaultEntry, Plan, Rule};
use crate::run::Traced;

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
    /// In the scenario's order; the first names the finding.
    pub(super) broken: Vec<Broken>,
}

impl Hit {
    /// The same, named by another of what it broke.
    pub(super) fn by(&self, broken: Broken) -> Hit {
        Hit { broken: vec![broken], ..self.clone() }
    }
}

/// What is being searched.
pub(super) struct Field<'a> {
    /// Its programs say after each step where they are.
    pub(super) scenario: Scenario,
    pub(super) options: &'a Exploration<'a>,
    pub(super) ground: Ground,
    /// What is broken without any further fault.
    pub(super) broken_already: Vec<Broken>,
}

impl Trial {
    pub(super) fn calm(seed: u64) -> Trial {
        Trial { faults: Vec::new(), seed, last: Time::ZERO, healed: Time::ZERO }
    }

    /// The same with further faults, at an instant.
    pub(super) fn and(&self, entries: impl IntoIterator<Item = FaultEntry>, at: Time) -> Trial {
        let mut trial = Trial { last: at, ..self.clone() };
        for entry in entries {
            trial.healed = trial.healed.max(at + heals_after(&entry));
            trial.faults.push(entry);
        }
        trial
    }
}

/// What was late has come by then, too. A clock stays as it was set.
fn heals_after(entry: &FaultEntry) -> Span {
    let mut fault = entry.fault;
    let late = match fault {
        Fault::ClockStep { .. } => None,
        _ => fault.length_mut().copied(),
    };
    entry.lasts.unwrap_or_default() + late.unwrap_or_default()
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

    pub(super) fn plan(&self) -> &Plan {
        self.scenario.plan()
    }

    /// Runs a trial; `None` when it was called off before its end, and counts for nothing.
    pub(super) fn run(&self, trial: &Trial) -> Option<Traced> {
        let mut faults = self.plan().faults.clone();
        faults.extend(trial.faults.iter().cloned());
        let run = self.scenario.struck_by(faults).start(trial.seed).traced();
        run.finish_traced_while(self.options.goes_on)
    }

    /// What a trial broke, beyond what is broken anyway.
    pub(super) fn broken(&self, trial: &Trial, outcome: &Outcome) -> Vec<Broken> {
        let horizon = Time::ZERO + self.scenario.horizon();
        // A run that a limit ended had no time to make up for anything.
        let is_healed = trial.healed < horizon && outcome.limit.is_none();
        let is_calm = is_healed && trial.healed + self.scenario.horizon() / 4 <= horizon;
        let is_judged = |rule: &Rule| match judged(rule) {
            Judged::Always => true,
            Judged::WhenHealed => is_healed,
            Judged::WhenCalm => is_calm,
            Judged::Never => trial.faults.is_empty(),
        };
        let rules = self.plan().invariants.iter().zip(&outcome.invariants).enumerate();
        let broken = rules.filter(|(_, (plan, result))| {
            result.verdict == InvariantVerdict::Violated && is_judged(&plan.rule)
        });
        let broken = broken.map(|(n, _)| Broken::Promise(n));
        // The verdict of recovery knows whether the run was long enough to tell.
        let storm = Breach::of(outcome, RECOVERS).map(|_| Broken::Recovery);
        broken.chain(storm).filter(|broken| !self.broken_already.contains(broken)).collect()
    }

    /// By promise: whether the faults of a trial heal so late that nobody can be judged by it.
    pub(super) fn late(&self, trial: &Trial) -> Vec<bool> {
        let horizon = Time::ZERO + self.scenario.horizon();
        let is_late = |rule: &Rule| match (judged(rule), rule) {
            (_, Rule::RecoversWithin(within) | Rule::SettlesWithin(within)) => {
                trial.healed + *within > horizon
            }
            (Judged::WhenCalm, _) => trial.healed + self.scenario.horizon() / 4 > horizon,
            _ => false,
        };
        let has_faults = !trial.faults.is_empty();
        self.plan().invariants.iter().map(|plan| has_faults && is_late(&plan.rule)).collect()
    }

    /// Promises that could not be judged in some runs, and in how many.
    pub(super) fn too_late(&self, late: &[u64]) -> Vec<(String, u64)> {
        let all = self.plan().invariants.iter().zip(late);
        all.filter(|(_, late)| **late > 0).map(|(plan, late)| (plan.name.clone(), *late)).collect()
    }

    /// What broke after the same messages and effects as in what is looked for.
    pub(super) fn told(
        &self,
        broken: &[Broken],
        outcome: &Outcome,
        lineage: &Lineage,
        intents: &Intents,
    ) -> Option<Broken> {
        let wanted = self.options.wanted?;
        let is_told = |name: &str| {
            let breach = Breach::of(outcome, name)?;
            wanted.is_told(name, &breach.told(self.plan(), lineage, intents)).then_some(())
        };
        broken.iter().copied().find(|broken| is_told(broken.name(self.plan())).is_some())
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
    /// What must happen in time. The rule counts from when the faults have healed, and does not judge
    /// who has time left when the run ends.
    WhenHealed,
    /// What must happen in the end: it needs a quarter of the run without faults.
    WhenCalm,
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
        Rule::RecoversWithin(_) | Rule::SettlesWithin(_) => Judged::WhenHealed,
        Rule::AllAnswered => Judged::WhenCalm,
        Rule::Goodput { .. }
        | Rule::Threshold(_)
        | Rule::PeakArrivals { .. }
        | Rule::Transitions { .. }
        | Rule::RetryWaits { .. } => Judged::Never,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::explore::explore;
    use crate::plan::Trigger;

    /// One of two things that may be bought twice, each by a client of its own.
    const SHOP: &str = r#"Scenario(
        name: "shop", about: "", horizon: "1m",
        actors: {
            "buyer": Client(load: Burst(count: 1), does: [Call("shop.buy")]),
            "reader": Client(load: Burst(count: 1), does: [Call("shop.read")]),
            "shop": Service(workers: 4, endpoints: {
                "buy": [Effect("charge")], "read": [Effect("view")],
            }),
        },
        invariants: [
            AtMostOnce("charge"), AtMostOnce("view"), AllAnswered, SettlesWithin("5s"),
            Threshold("success > 0.9"),
        ],
    )"#;

    /// What a trial with some faults is, and what is said of it.
    pub(in super::super) fn with<T>(
        text: &str,
        faults: &str,
        say: impl FnOnce(&mut Field<'_>, Trial) -> T,
    ) -> T {
        let scenario = Scenario::text("t.ron", text).load().expect("it is right");
        let struck = Scenario::text("t.ron", text).set("faults", faults).load();
        let exploration = explore(&scenario);
        let mut field = Field::new(scenario.with_all_points().unwrap(), &exploration);
        let entries = struck.expect("the faults are right").plan().faults.clone();
        let trial = entries.into_iter().fold(Trial::calm(1), |trial, entry| {
            let Trigger::At(at) = entry.trigger else { panic!("at an instant") };
            trial.and([entry], Time::ZERO + at)
        });
        say(&mut field, trial)
    }

    fn broken(faults: &str) -> Vec<String> {
        with(SHOP, faults, |field, trial| {
            let outcome = field.run(&trial).expect("nobody stops it").outcome;
            let broken = field.broken(&trial, &outcome);
            broken.iter().map(|broken| broken.name(field.plan()).to_owned()).collect()
        })
    }

    const ONCE: &str = r#"AtMostOnce("charge")"#;
    const SETTLES: &str = r#"SettlesWithin("5s")"#;

    #[test]
    fn what_must_hold_in_the_end_is_held_against_faults_that_leave_time_to_make_up() {
        let lost = |lasts: &str| {
            broken(&format!(r#"[At("0s", for: "{lasts}", Loss("buyer", "shop", rate: 1))]"#))
        };
        assert_eq!(lost("1s"), ["AllAnswered", SETTLES]);
        assert_eq!(lost("45s"), ["AllAnswered", SETTLES], "a quarter of the run is left");
        assert_eq!(lost("46s"), [SETTLES], "less than a quarter is");
        assert_eq!(lost("1h"), [""; 0], "it has not healed");
        // It lasts for a moment, and what it holds back is late by the rest.
        let late = |by: &str| {
            let late = format!(r#"At("0s", for: "1us", Delay("buyer", "shop", by: "{by}"))"#);
            let gone = r#"At("0s", for: "1us", Loss("reader", "shop", rate: 1))"#;
            broken(&format!("[{late}, {gone}]"))
        };
        assert_eq!(late("40s"), ["AllAnswered", SETTLES]);
        assert_eq!(late("50s"), [SETTLES]);
        assert_eq!(late("61s"), [""; 0]);
        // A clock that was set leaves nothing to wait for.
        let clock = r#"[
            At("0s", ClockStep("shop", forward: "50s")),
            At("0s", for: "1s", Loss("buyer", "shop", rate: 1)),
        ]"#;
        assert_eq!(broken(clock), ["AllAnswered", SETTLES]);
    }

    #[test]
    fn what_must_never_happen_is_held_against_every_fault_and_figures_against_none() {
        let twice = |lasts: &str| {
            broken(&format!(r#"[At("0s", for: "{lasts}", Duplicate("buyer", "shop", rate: 1))]"#))
        };
        assert_eq!(twice("1s"), [ONCE]);
        assert_eq!(twice("1h"), [ONCE]);
        let never = r#"[At("0s", for: "1h", Errors("shop", status: 400))]"#;
        assert_eq!(broken(never), [""; 0], "nobody succeeds, and that is what faults do");
    }

    #[test]
    fn a_run_that_a_limit_ended_had_no_time_to_make_up_for_anything() {
        let lost = r#"[
            At("0s", for: "1us", Loss("buyer", "shop", rate: 1)),
            At("0s", for: "1us", Duplicate("reader", "shop", rate: 1)),
        ]"#;
        let broken = |steps: Option<u64>| {
            with(SHOP, lost, |field, trial| {
                if let Some(steps) = steps {
                    field.scenario = field.scenario.bounded(steps);
                }
                let outcome = field.run(&trial).expect("nobody stops it").outcome;
                assert_eq!(outcome.limit.is_some(), steps.is_some());
                let named = field.broken(&trial, &outcome).into_iter();
                named.map(|broken| broken.name(field.plan()).to_owned()).collect::<Vec<_>>()
            })
        };
        let whole = broken(None);
        assert_eq!(whole, [r#"AtMostOnce("view")"#, "AllAnswered", SETTLES]);
        let steps = with(SHOP, lost, |field, trial| {
            field.run(&trial).expect("nobody stops it").outcome.steps
        });
        assert_eq!(broken(Some(steps - 1)), [r#"AtMostOnce("view")"#], "what is done is done");
    }
}
