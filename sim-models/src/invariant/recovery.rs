//! `RecoversWithin`: some time after the last fault or spike of load, submissions succeed again.

use sim_core::{Span, Time};
use sim_policies::Fate;

use super::goodput::{Failure, too_few};
use super::{Findings, Law, Scene, Seen, Topic};

/// The share of submissions that must succeed for a run to count as recovered.
const RECOVERED: f64 = 0.9;

/// When the last fault heals is not known until the end.
#[derive(Debug)]
pub(super) struct Recovery {
    within: Span,
    /// All beginnings, and the successes with their beginning and latency.
    beginnings: Vec<Time>,
    successes: Vec<(Time, Span)>,
    /// The other endings, with their beginning.
    failures: Vec<(Time, Failure)>,
}

impl Recovery {
    pub(super) fn new(within: Span) -> Recovery {
        let (beginnings, successes, failures) = (Vec::new(), Vec::new(), Vec::new());
        Recovery { within, beginnings, successes, failures }
    }
}

impl Law for Recovery {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Submissions]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, _findings: &mut Findings) {
        match *seen {
            Seen::Submitted { .. } => self.beginnings.push(scene.now.at),
            Seen::Ended { begun, fate: Fate::Succeeded, .. } => {
                self.successes.push((begun, scene.now.at.since(begun)));
            }
            Seen::Ended { intent, begun, fate, .. } => {
                self.failures.push((begun, Failure { at: scene.now, intent, fate }));
            }
            _ => {}
        }
    }

    /// Vacuous without a fault or a spike, or when nothing began after the deadline.
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let disturbances = end.metrics.disturbances(end.plan, end.now.at);
        let Some(healed) = disturbances.iter().map(|window| window.to).max() else { return };
        let deadline = healed + self.within;
        let successes = self.successes.iter().filter(|(begun, _)| *begun >= deadline);
        let slowest = successes.clone().map(|(_, latency)| *latency).max().unwrap_or(Span::ZERO);
        // Who came too late to be done by the end says nothing.
        let latest = Time::ZERO + end.now.at.since(Time::ZERO + slowest);
        let counted = |begun: &Time| (deadline..=latest).contains(begun);
        let begun = self.beginnings.iter().filter(|begun| counted(begun)).count() as u64;
        let succeeded = successes.filter(|(begun, _)| counted(begun)).count() as u64;
        if begun == 0 {
            return;
        }
        findings.exercised = true;
        let failures = self.failures.iter().filter(|(begun, _)| counted(begun));
        let failures: Vec<Failure> = failures.map(|(_, failure)| *failure).collect();
        if let Some((when, mut breach)) =
            too_few(end, "users", succeeded, begun, RECOVERED, &failures)
        {
            breach.witness = format!("from {deadline} on, {}", breach.witness);
            findings.violated(when, || breach);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.beginnings.capacity() * size_of::<Time>()
            + self.successes.capacity() * size_of::<(Time, Span)>()
            + self.failures.capacity() * size_of::<(Time, Failure)>()
    }
}
