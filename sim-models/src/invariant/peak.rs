//! `PeakArrivals`: no window sees too many requests arrive at one actor.

use sim_core::Span;

use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::metrics::Peak;
use crate::plan::ActorId;

#[derive(Debug)]
pub(super) struct PeakArrivals {
    at: ActorId,
    max: u64,
    window: Span,
    retries_only: bool,
    peak: Peak,
    /// The present window holds too many.
    too_full: bool,
}

impl PeakArrivals {
    pub(super) fn new(at: ActorId, max: u64, window: Span, retries_only: bool) -> PeakArrivals {
        PeakArrivals { at, max, window, retries_only, peak: Peak::new(window), too_full: false }
    }
}

impl Law for PeakArrivals {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Arrivals]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        if let Seen::Arrived { actor, retry } = *seen
            && actor == self.at
            && (retry || !self.retries_only)
        {
            findings.exercised = true;
            // A window that goes on being too full is one violation.
            let arrived = self.peak.arrive(scene.now.at);
            let is_too_full = arrived > self.max;
            if is_too_full && !self.too_full {
                findings.violated(scene.now, || {
                    let what = format!("arrival {arrived} within {}", self.window);
                    // The peak is known at the end.
                    Breach::by(None, scene.plan.actor_name(actor), what, String::new())
                });
            }
            self.too_full = is_too_full;
        }
    }

    fn conclude(&self, _end: Scene<'_>, findings: &mut Findings) {
        if let Some(first) = &mut findings.first {
            let (found, window, max) = (self.peak.max(), self.window, self.max);
            first.breach.witness = format!("up to {found} arrivals within {window}; at most {max}");
        }
    }
}
