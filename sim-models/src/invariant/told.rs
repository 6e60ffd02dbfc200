//! `AckedImpliesDone` and `FailedImpliesNone`: what users were told is what happened.

use std::collections::BTreeMap;

use sim_core::Moment;
use sim_policies::Fate;

use super::settled::is_final;
use super::{Findings, Law, Scene, Seen, Topic};
use crate::plan::KindId;

/// Who was told success has an effect.
#[derive(Debug)]
pub(super) struct Acked {
    pub(super) kind: KindId,
}

impl Law for Acked {
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        each_acked(end, findings, self.kind);
    }
}

/// Who was told of a failure has no effect. So has who was refused for good after attempts in
/// doubt: the program may know better, the user has heard a no.
#[derive(Debug)]
pub(super) struct Failed {
    kind: KindId,
    refused: BTreeMap<u32, Moment>,
}

impl Failed {
    pub(super) fn new(kind: KindId) -> Failed {
        Failed { kind, refused: BTreeMap::new() }
    }
}

impl Law for Failed {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Submissions]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, _findings: &mut Findings) {
        if let Seen::Ended { intent, ending: Some(ending), .. } = *seen
            && is_final(ending)
        {
            self.refused.insert(intent, scene.now);
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        for (intent, state) in end.intents.iter() {
            let told_at = match state.told {
                Some(Fate::Failed) => Some(state.told_at),
                Some(Fate::Unknown) => self.refused.get(&intent).copied(),
                Some(Fate::Succeeded) | None => None,
            };
            let Some(told_at) = told_at else { continue };
            findings.exercised = true;
            if end.ledger.net(intent, self.kind) > 0 {
                findings.violated(told_at, Some(intent), || {
                    let (name, kind) = (end.intent(intent), end.kind(self.kind));
                    format!("{name} was told failure, yet there is a {kind}")
                });
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.refused.len() * 2 * size_of::<(u32, Moment)>()
    }
}

/// Who was told success has an effect of the kind.
pub(super) fn each_acked(end: Scene<'_>, findings: &mut Findings, kind: KindId) {
    for (intent, state) in end.intents.iter() {
        if state.told != Some(Fate::Succeeded) {
            continue;
        }
        findings.exercised = true;
        if end.ledger.net(intent, kind) == 0 {
            findings.violated(state.told_at, Some(intent), || {
                let (name, kind) = (end.intent(intent), end.kind(kind));
                format!("{name} was told success without any {kind}")
            });
        }
    }
}
