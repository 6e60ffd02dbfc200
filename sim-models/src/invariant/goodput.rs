//! `Goodput`: enough of a client's submissions in a stretch of time succeed.

use std::ops::Range;

use sim_core::{Moment, Span, Time};
use sim_policies::Fate;

use super::{Findings, Law, Scene, Seen, Topic};
use crate::plan::ActorId;

#[derive(Debug)]
pub(super) struct Goodput {
    client: ActorId,
    at_least: f64,
    stretch: Range<Time>,
    /// Submissions that began in the stretch, and those of them that succeeded.
    begun: u64,
    succeeded: u64,
}

impl Goodput {
    pub(super) fn new(client: ActorId, at_least: f64, from: Span, until: Option<Span>) -> Goodput {
        let until = until.map_or(Time::MAX, |until| Time::ZERO + until);
        let stretch = Time::ZERO + from..until;
        Goodput { client, at_least, stretch, begun: 0, succeeded: 0 }
    }
}

impl Law for Goodput {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Submissions]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        match *seen {
            Seen::Submitted { client }
                if client == self.client && self.stretch.contains(&scene.now.at) =>
            {
                findings.exercised = true;
                self.begun += 1;
            }
            Seen::Ended { intent, begun, fate: Fate::Succeeded, .. }
                if scene.client(intent) == self.client && self.stretch.contains(&begun) =>
            {
                self.succeeded += 1;
            }
            _ => {}
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        if let Some(witness) = too_few(self.succeeded, self.begun, self.at_least) {
            // It is decided once the stretch is over, however long the run goes on.
            let at = self.stretch.end.min(end.now.at);
            findings.violated(Moment { at, ..end.now }, None, || witness);
        }
    }
}

/// What to say when too few submissions succeeded.
pub(super) fn too_few(succeeded: u64, begun: u64, at_least: f64) -> Option<String> {
    let share = succeeded as f64 / begun as f64;
    (share < at_least).then(|| {
        let (share, at_least) = (100.0 * share, 100.0 * at_least);
        format!(
            "{succeeded} of {begun} submissions succeeded, {share:.1} %; at least {at_least:.1} %"
        )
    })
}
