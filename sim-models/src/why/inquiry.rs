//! Who is asked about: the intents of a violation, one by name, or those that took longest.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use sim_core::{Span, Time};

use super::{Refusal, Sequence, Subject, rows};
use crate::Scenario;
use crate::outcome::{InvariantVerdict, Violation};
use crate::run::Traced;

/// As many intents are named to somebody who has named none.
const INTENTS_SHOWN: usize = 8;

/// One run, of which several things are asked.
pub struct Inquiry<'a> {
    scenario: &'a Scenario,
    seed: u64,
    first: Traced,
    names: Vec<String>,
}

/// An intent that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// `shoppers-17`.
    pub intent: String,
    /// From its beginning until its user was told what became of it; `None` where nobody told.
    pub lasted: Option<Span>,
}

impl<'a> Inquiry<'a> {
    /// Runs a scenario to its end.
    pub fn new(scenario: &'a Scenario, seed: u64) -> Inquiry<'a> {
        let first = scenario.start(seed).finish_traced();
        let plan = scenario.plan();
        let names = (0..first.intents.len()).map(|n| first.intents.name(plan, n)).collect();
        Inquiry { scenario, seed, first, names }
    }

    /// The users' intents that took longest, of those that arose after the warm-up: first those
    /// that were told nothing, in the order in which they arose, then by their lengths.
    pub fn slowest(&self, most: usize) -> Vec<Slow> {
        let measured = Time::ZERO + self.scenario.warmup();
        let mut slow = Vec::new();
        for (number, intent) in self.first.intents.iter() {
            if intent.background.is_none() && intent.begun >= measured {
                let lasted = intent.told.map(|_| intent.told_at.at.since(intent.begun));
                slow.push((lasted.is_some(), Reverse(lasted), number));
            }
        }
        slow.sort_unstable();
        slow.truncate(most);
        let slow = slow.into_iter().map(|(_, Reverse(lasted), number)| Slow {
            intent: self.names[number as usize].clone(),
            lasted,
        });
        slow.collect()
    }

    /// Runs it again, and tells what happened to the intents concerned.
    ///
    /// # Errors
    /// When nothing in the run is what was asked about.
    pub fn why(&self, about: &Subject) -> Result<Sequence, Refusal> {
        let violation = match about {
            Subject::Violation(number) => Some(self.find(*number)?),
            Subject::Intent(_) => None,
        };
        let wanted: Vec<String> = match (about, &violation) {
            (Subject::Intent(name), _) => vec![name.clone()],
            (_, Some((_, violation))) => {
                [&violation.intent, &violation.other].into_iter().flatten().cloned().collect()
            }
            _ => Vec::new(),
        };
        let numbers = self.numbers(&wanted);
        if numbers.is_empty() {
            return Err(match (about, violation) {
                (Subject::Intent(name), _) => {
                    let (intents, more) = self.shown();
                    Refusal::NoIntent { name: name.clone(), intents, more }
                }
                (_, Some((promise, Violation { witness, .. }))) => {
                    Refusal::OfNobody { promise, witness }
                }
                _ => self.nothing_broken(),
            });
        }
        let told = self.scenario.start(self.seed).finish_told(0, numbers.clone());
        Ok(rows::sequence(self.scenario, &told, &numbers, violation))
    }

    /// The numbers of the intents of these names.
    fn numbers(&self, wanted: &[String]) -> Vec<u32> {
        let mut numbers: Vec<u32> = Vec::new();
        for name in wanted {
            // What a service does by itself bears one name for all of its runs.
            let those = (0..).zip(&self.names).filter(|(_, other)| *other == name);
            numbers.extend(those.map(|(n, _)| n));
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Some intents, and how many others there are.
    fn shown(&self) -> (Vec<String>, usize) {
        let mut known = BTreeSet::new();
        let distinct = self.names.iter().filter(|name| known.insert(*name));
        let mut distinct: Vec<String> = distinct.cloned().collect();
        let more = distinct.len().saturating_sub(INTENTS_SHOWN);
        distinct.truncate(INTENTS_SHOWN);
        (distinct, more)
    }

    fn nothing_broken(&self) -> Refusal {
        let (intents, more) = self.shown();
        Refusal::NothingBroken { intents, more }
    }

    /// The violation with a number, of those promises that are broken.
    fn find(&self, number: usize) -> Result<(String, Violation), Refusal> {
        let broken = self.first.outcome.invariants.iter();
        let broken = broken.filter(|result| result.verdict == InvariantVerdict::Violated);
        let broken = broken.filter_map(|result| Some((result.name.clone(), result.first.clone()?)));
        let mut broken: Vec<(String, Violation)> = broken.collect();
        if broken.is_empty() {
            return Err(self.nothing_broken());
        }
        if number == 0 || number > broken.len() {
            return Err(Refusal::OnlyBroken {
                broken: broken.into_iter().map(|(name, _)| name).collect(),
            });
        }
        Ok(broken.swap_remove(number - 1))
    }
}
