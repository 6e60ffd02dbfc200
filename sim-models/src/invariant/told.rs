//! `AckedImpliesDone` and `FailedImpliesNone`: what users were told is what happened.

use super::{Findings, Law, Scene};
use crate::plan::KindId;
use crate::policy::Fate;

#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: KindId,
    /// Whom the law is about: those who were told of this.
    pub(super) fate: Fate,
}

impl Law for Told {
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        each_told(end, findings, self.fate, self.kind);
    }
}

/// Who was told success has an effect of the kind; who was told failure has none.
pub(super) fn each_told(end: Scene<'_>, findings: &mut Findings, told: Fate, kind: KindId) {
    for (intent, state) in (0u32..).zip(end.world.intents()) {
        if state.told != Some(told) {
            continue;
        }
        findings.exercised = true;
        let is_done = end.world.ledger.net(intent, kind) > 0;
        if is_done != (told == Fate::Succeeded) {
            findings.violated(state.told_at, Some(intent), || {
                let (name, kind) = (end.intent(intent), end.kind(kind));
                match is_done {
                    false => format!("{name} was told success without any {kind}"),
                    true => format!("{name} was told failure, yet there is a {kind}"),
                }
            });
        }
    }
}
