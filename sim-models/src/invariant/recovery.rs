//! `RecoversWithin`: some time after the last fault or spike of load, submissions succeed again.

use sim_core::{Span, Time};
use sim_policies::Fate;

use super::goodput::too_few;
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
}

impl Recovery {
    pub(super) fn new(within: Span) -> Recovery {
        Recovery { within, beginnings: Vec::new(), successes: Vec::new() }
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
        if let Some(witness) = too_few(succeeded, begun, RECOVERED) {
            findings.violated(end.now, None, || format!("from {deadline} on, {witness}"));
        }
    }

    fn memory_bytes(&self) -> usize {
        self.beginnings.capacity() * size_of::<Time>()
            + self.successes.capacity() * size_of::<(Time, Span)>()
    }
}
