//! `AllAnswered`: every submission comes to an end before the run does.

use super::{Breach, Findings, Law, Scene, When};
use crate::log::USER;

#[derive(Debug)]
pub(super) struct AllAnswered;

impl Law for AllAnswered {
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        for (intent, state) in end.intents.iter() {
            findings.exercised |= state.submitted > 0;
            if state.submitted > state.ended {
                findings.violated(When::passed(end.now.at), || {
                    let name = end.intent(intent);
                    let witness = format!("{name}, begun at {}, has no answer yet", state.begun);
                    Breach::by(intent, USER, "has no answer at the end", witness)
                });
            }
        }
    }
}
