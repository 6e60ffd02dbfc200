//! `Transitions`: a breaker changes its state exactly when expected.

use sim_core::{Moment, Span, Time};
use sim_policies::breaker::{StateName, Transition};

use super::{Breach, Findings, Law, Scene, Seen, Topic, When};
use crate::log::Note;
use crate::plan::{BreakerId, BreakerState};

#[derive(Debug)]
pub(super) struct Transitions {
    /// Of one instance of its caller.
    breaker: (BreakerId, u32),
    expect: Vec<(Time, StateName)>,
    seen: Vec<(Moment, Transition)>,
}

impl Transitions {
    pub(super) fn new(breaker: (BreakerId, u32), expect: Vec<(Span, BreakerState)>) -> Transitions {
        let expect = expect.into_iter().map(|(at, state)| (Time::ZERO + at, state.name()));
        Transitions { breaker, expect: expect.collect(), seen: Vec::new() }
    }
}

impl Law for Transitions {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Transitions]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, _findings: &mut Findings) {
        if let Seen::Transition { breaker, transition } = *seen
            && breaker == self.breaker
            // One that is not expected is enough to break it.
            && self.seen.len() <= self.expect.len()
        {
            self.seen.push((scene.now, transition));
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let Transitions { breaker, expect, seen } = self;
        let (breaker, instance) = *breaker;
        let plan = end.plan.breaker(breaker);
        findings.exercised = end.metrics.calls(plan.pair) > 0;
        let found = |n: usize| seen.get(n).map(|(moment, change)| (moment.at, change.to));
        let differs = (0..=expect.len()).find(|&n| found(n) != expect.get(n).copied());
        let Some(n) = differs else { return };
        let show = |entry: Option<(Time, StateName)>| {
            entry.map_or("nothing".to_owned(), |(at, state)| format!("{state} at {at}"))
        };
        let (expected, found) = (expect.get(n).copied(), found(n));
        let witness =
            format!("change {}: expected {}, found {}", n + 1, show(expected), show(found));
        match (expected, seen.get(n)) {
            // It has changed too early, or otherwise.
            (_, Some((moment, transition))) if expected.is_none_or(|(at, _)| moment.at <= at) => {
                let transition = *transition;
                let note = Note::Transition { breaker, instance, transition };
                findings.violated(*moment, || Breach::noted(note, witness));
            }
            (Some((at, state)), _) => {
                findings.violated(When::passed(at.min(end.now.at)), || {
                    let name = end.plan.layer_name(end.plan.breakers[breaker.index()], instance);
                    Breach::by(None, name, format!("does not go {state}"), witness)
                });
            }
            (None, _) => unreachable!("something differs"),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<(Moment, Transition)>()
    }
}
