//! `NoMerge`: two purchases are two effects, and nobody is told of another's.

use sim_core::Moment;
use sim_policies::Fate;

use super::receipts::{named, of_kind};
use super::{Findings, Law, Scene, Seen, Topic};
use crate::plan::KindId;

#[derive(Debug)]
pub(super) struct Merges {
    kind: KindId,
    /// Which intent got an answer that names which effect, and when.
    seen: Vec<(u32, u32, Moment)>,
}

impl Merges {
    pub(super) fn new(kind: KindId) -> Merges {
        Merges { kind, seen: Vec::new() }
    }
}

impl Law for Merges {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Receipts]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, _findings: &mut Findings) {
        if let Seen::Received { intent, content, .. } = *seen {
            let named = named(scene, self.kind, content);
            self.seen.extend(named.into_iter().map(|number| (intent, number, scene.now)));
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let effects = of_kind(end, self.kind);
        for &(intent, number, at) in &self.seen {
            let owner = effects.get(number as usize - 1).map(|effect| effect.intent);
            findings.exercised = true;
            if let Some(owner) = owner.filter(|owner| *owner != intent) {
                findings.violated(at, Some(intent), || {
                    let (own, other) = (end.intent(intent), end.intent(owner));
                    let effect = end.effect(self.kind, number);
                    format!("{own} was shown {effect}, which is {other}'s")
                });
            }
        }
        for (intent, state) in end.intents.iter() {
            if state.told != Some(Fate::Succeeded) {
                continue;
            }
            findings.exercised = true;
            if end.ledger.net(intent, self.kind) == 0 {
                findings.violated(state.told_at, Some(intent), || {
                    let (name, kind) = (end.intent(intent), end.kind(self.kind));
                    format!("{name} was told success and has no {kind} of its own in force")
                });
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<(u32, u32, Moment)>()
    }
}
