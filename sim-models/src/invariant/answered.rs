//! `AllAnswered`: every submission comes to an end before the run does.

use super::{Findings, Law, Scene};

#[derive(Debug)]
pub(super) struct AllAnswered;

impl Law for AllAnswered {
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        for (intent, state) in end.intents.iter() {
            findings.exercised |= state.submitted > 0;
            if state.submitted > state.ended {
                findings.violated(end.now, Some(intent), || {
                    let name = end.intent(intent);
                    format!("{name}, begun at {}, has no answer yet", state.begun)
                });
            }
        }
    }
}
