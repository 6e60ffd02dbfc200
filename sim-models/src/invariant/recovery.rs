//! `RecoversWithin`: some time after the trigger, submissions succeed again.
//!
//! Enough of them must, of those that begin in the first tenth of a `hold` after the deadline, in the
//! first `hold`, and in all the time that follows: a long run must not dilute what its beginning
//! lacks. How long they take is not asked; the verdict of recovery tells that.

use std::ops::RangeInclusive;

use sim_core::{Span, Time, math};
use sim_policies::Fate;

use super::goodput::{Failure, too_few};
use super::{Breach, Findings, Law, Scene, Seen, Topic, When};
use crate::plan::{ActorKind, Plan};
use crate::recovery::SAMPLES_MIN;

/// The share of submissions that must succeed for a run to count as recovered.
const RECOVERED: f64 = 0.9;

/// Of fewer submissions at once after the deadline chance decides.
const AT_ONCE_MIN: u64 = 100;

/// When the trigger is over is not known until the end.
#[derive(Debug)]
pub(super) struct Recovery {
    within: Span,
    /// All beginnings, each with whether it was in a population, and the successes with their
    /// beginning and latency.
    beginnings: Vec<(Time, bool)>,
    successes: Vec<(Time, Span)>,
    /// The other endings, with their beginning.
    failures: Vec<(Time, Failure)>,
}

impl Recovery {
    pub(super) fn new(within: Span) -> Recovery {
        let (beginnings, successes, failures) = (Vec::new(), Vec::new(), Vec::new());
        Recovery { within, beginnings, successes, failures }
    }

    /// Submissions that would have begun in a stretch of time: those that did, and those of the
    /// populations at their rate from before the trigger. Who hangs begins no further one.
    fn asked(&self, plan: &Plan, struck: Time, stretch: &RangeInclusive<Time>) -> u64 {
        let count = |range: &RangeInclusive<Time>, returns: bool| {
            let is_in = |(begun, of): &&(Time, bool)| range.contains(begun) && *of == returns;
            self.beginnings.iter().filter(is_in).count() as u64
        };
        let (open, returning) = (count(stretch, false), count(stretch, true));
        let warm = Time::ZERO + plan.warmup;
        let Some(until) = plan.populations_until().filter(|_| struck > warm) else {
            return open + returning;
        };
        let seconds = |from: Time, to: Time| to.max(from).since(from).as_secs_f64();
        let before = count(&(warm..=struck), true) as f64 / seconds(warm, struck);
        let due = before * seconds(*stretch.start(), until.min(*stretch.end()));
        // Less than that by no more than chance explains is as before.
        open + returning.max((due - 3.0 * math::sqrt(due)).max(0.0) as u64)
    }

    /// The first part of a stretch of time: so long, and longer while fewer than so many begin in
    /// it.
    fn first(
        &self,
        plan: &Plan,
        struck: Time,
        all: &RangeInclusive<Time>,
        (mut length, least): (Span, u64),
    ) -> RangeInclusive<Time> {
        loop {
            let first = *all.start()..=(*all.start() + length).min(*all.end());
            if first.end() == all.end() || self.asked(plan, struck, &first) >= least {
                return first;
            }
            length = length * 2;
        }
    }

    /// Why too few of those succeed that begin in a stretch of time, if so few do.
    fn missed(
        &self,
        end: Scene<'_>,
        struck: Time,
        stretch: &RangeInclusive<Time>,
    ) -> Option<(When, Breach)> {
        let asked = self.asked(end.plan, struck, stretch);
        let is_in = |begun: &Time| stretch.contains(begun);
        let succeeded = self.successes.iter().filter(|(begun, _)| is_in(begun)).count() as u64;
        let failures = self.failures.iter().filter(|(begun, _)| is_in(begun));
        let failures: Vec<Failure> = failures.map(|(_, failure)| *failure).collect();
        let (when, breach) = too_few(end, "users", succeeded, asked, RECOVERED, &failures)?;
        let (from, to) = (stretch.start(), stretch.end());
        let witness = format!("from {from} to {to}, {}", breach.witness);
        Some((when, Breach { witness, ..breach }))
    }
}

impl Law for Recovery {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Submissions]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, _findings: &mut Findings) {
        match *seen {
            Seen::Submitted { client } => {
                let returns = match &scene.plan.actors[client.index()].kind {
                    ActorKind::Client(client) => client.load.population_until().is_some(),
                    _ => false,
                };
                self.beginnings.push((scene.now.at, returns));
            }
            Seen::Ended { begun, fate: Fate::Succeeded, .. } => {
                self.successes.push((begun, scene.now.at.since(begun)));
            }
            Seen::Ended { intent, begun, fate, .. } => {
                self.failures.push((begun, Failure { at: scene.now, intent, fate }));
            }
            _ => {}
        }
    }

    /// Vacuous without a trigger, or when nothing is asked for after the deadline.
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let Some((struck, healed)) = end.metrics.trigger(end.plan, end.now.at) else { return };
        let deadline = healed + self.within;
        let successes = self.successes.iter().filter(|(begun, _)| *begun >= deadline);
        let slowest = successes.clone().map(|(_, latency)| *latency).max().unwrap_or(Span::ZERO);
        // Who came too late to be done by the end says nothing; who waits for longer does.
        let patience = slowest.min(end.plan.recovery.unanswered_after);
        let latest = Time::ZERO + end.now.at.since(Time::ZERO + patience);
        let all = deadline..=latest;
        if self.asked(end.plan, struck, &all) == 0 {
            return;
        }
        findings.exercised = true;
        let hold = end.plan.recovery.hold;
        let [at_once, soon] = [(hold / 10, AT_ONCE_MIN), (hold, SAMPLES_MIN)]
            .map(|least| self.first(end.plan, struck, &all, least));
        let stretches = [at_once, soon, all];
        let missed = stretches.iter().find_map(|stretch| self.missed(end, struck, stretch));
        if let Some((when, breach)) = missed {
            findings.violated(when, || breach);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.beginnings.capacity() * size_of::<(Time, bool)>()
            + self.successes.capacity() * size_of::<(Time, Span)>()
            + self.failures.capacity() * size_of::<(Time, Failure)>()
    }
}
