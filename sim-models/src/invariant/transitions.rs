//! `Transitions`: a breaker changes its state exactly when expected.

use sim_core::{Span, Time};
use sim_policies::breaker::StateName;

use super::{Findings, Law, Scene};
use crate::plan::{BreakerId, BreakerState};

#[derive(Debug)]
pub(super) struct Transitions {
    /// Of one instance of its caller.
    pub(super) breaker: (BreakerId, u32),
    pub(super) expect: Vec<(Span, BreakerState)>,
}

impl Law for Transitions {
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let Transitions { breaker, expect } = self;
        let expect = expect.iter().map(|(at, state)| (Time::ZERO + *at, state.name()));
        let expect: Vec<(Time, StateName)> = expect.collect();
        let metrics = end.metrics;
        let pair = end.plan.breaker(breaker.0).pair;
        findings.exercised = metrics.calls(pair) > 0;
        let seen: Vec<(Time, StateName)> = metrics
            .transitions()
            .iter()
            .filter(|(_, of, _)| of == breaker)
            .map(|(at, _, transition)| (*at, transition.to))
            .collect();
        let differs = (0..seen.len().max(expect.len())).find(|&n| seen.get(n) != expect.get(n));
        if let Some(n) = differs {
            let show = |entry: Option<&(Time, StateName)>| {
                entry.map_or("nothing".to_owned(), |(at, state)| format!("{state} at {at}"))
            };
            findings.violated(end.now, None, || {
                let (expected, found) = (show(expect.get(n)), show(seen.get(n)));
                format!("change {}: expected {expected}, found {found}", n + 1)
            });
        }
    }
}
