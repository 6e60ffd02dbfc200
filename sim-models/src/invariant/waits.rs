//! `RetryWaits`: the waits before a call's retries lie within bounds.

use sim_core::Span;

use super::{Breach, Findings, Law, Scene, Seen, Topic, When};
use crate::log::Note;
use crate::plan::PairId;

#[derive(Debug)]
pub(super) struct Waits {
    pair: PairId,
    between: Vec<(Span, Span)>,
    /// Per retry number: whether it came.
    seen: Vec<bool>,
}

impl Waits {
    pub(super) fn new(pair: PairId, between: Vec<(Span, Span)>) -> Waits {
        let seen = vec![false; between.len()];
        Waits { pair, between, seen }
    }
}

impl Law for Waits {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Retries]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Retry { pair, intent, attempt, wait, ending } = *seen else { return };
        if pair != self.pair {
            return;
        }
        findings.exercised = true;
        let retry = attempt as usize - 1;
        if let Some(seen) = self.seen.get_mut(retry - 1) {
            *seen = true;
        }
        let broken = |witness| {
            Breach::noted(Note::Retry { intent, pair, attempt, after: wait, ending }, witness)
        };
        match self.between.get(retry - 1) {
            Some((low, high)) if (*low..=*high).contains(&wait) => {}
            Some((low, high)) => findings.violated(scene.now, || {
                broken(format!("retry {retry} waited {wait}; expected {low} to {high}"))
            }),
            None => {
                findings.violated(scene.now, || broken(format!("retry {retry} is one too many")));
            }
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        if let Some(n) = self.seen.iter().position(|seen| !seen)
            && findings.exercised
        {
            findings.violated(When::passed(end.now.at), || {
                let what = format!("retry {} never came", n + 1);
                Breach::by(None, end.plan.pair_name(self.pair), what.clone(), what)
            });
        }
    }
}
