//! `Goodput`: enough of a client's submissions in a stretch of time succeed.

use std::ops::Range;

use sim_core::{Moment, Span, Time};
use sim_policies::Fate;

use super::{Breach, Findings, Law, Scene, Seen, Topic, When};
use crate::plan::ActorId;

#[derive(Debug)]
pub(super) struct Goodput {
    client: ActorId,
    at_least: f64,
    stretch: Range<Time>,
    /// Submissions that began in the stretch, and those of them that succeeded.
    begun: u64,
    succeeded: u64,
    /// And those that ended otherwise, in the order in which they ended.
    failures: Vec<Failure>,
}

/// A submission that ended without success.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub at: Moment,
    pub intent: u32,
    pub fate: Fate,
}

impl Goodput {
    pub(super) fn new(client: ActorId, at_least: f64, from: Span, until: Option<Span>) -> Goodput {
        let until = until.map_or(Time::MAX, |until| Time::ZERO + until);
        let stretch = Time::ZERO + from..until;
        Goodput { client, at_least, stretch, begun: 0, succeeded: 0, failures: Vec::new() }
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
            Seen::Ended { intent, begun, fate, is_degraded, .. }
                if scene.client(intent) == self.client && self.stretch.contains(&begun) =>
            {
                match fate {
                    Fate::Succeeded if !is_degraded => self.succeeded += 1,
                    _ => self.failures.push(Failure { at: scene.now, intent, fate }),
                }
            }
            _ => {}
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let Goodput { client, at_least, begun, succeeded, ref failures, .. } = *self;
        let who = end.plan.actor_name(client);
        if let Some((when, breach)) = too_few(end, who, succeeded, begun, at_least, failures) {
            findings.violated(when, || breach);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.failures.capacity() * size_of::<Failure>()
    }
}

/// When it was over with a share, and why: the failure that was one too many, or else the end, when
/// too many have no answer yet.
pub(super) fn too_few(
    end: Scene<'_>,
    who: &str,
    succeeded: u64,
    begun: u64,
    at_least: f64,
    failures: &[Failure],
) -> Option<(When, Breach)> {
    let share = |succeeded: u64| succeeded as f64 / begun as f64;
    if begun == 0 || share(succeeded) >= at_least {
        return None;
    }
    let witness = format!(
        "{succeeded} of {begun} submissions succeeded, {:.1} %; at least {:.1} %",
        100.0 * share(succeeded),
        100.0 * at_least
    );
    let lost = (1..=begun).zip(failures).find(|(n, _)| share(begun - n) < at_least);
    Some(match lost {
        Some((_, Failure { at, intent, fate })) => {
            ((*at).into(), Breach::ended(*intent, *fate, witness))
        }
        None => {
            let open = begun - succeeded - failures.len() as u64;
            let what = format!("{open} without an answer at the end");
            (When::passed(end.now.at), Breach::by(None, who, what, witness))
        }
    })
}
