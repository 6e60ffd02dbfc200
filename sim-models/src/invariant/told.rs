//! `AckedImpliesDone` and `FailedImpliesNone`: what users were told is what happened.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use sim_core::Moment;
use sim_policies::Fate;

use super::settled::is_final;
use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::ledger::Entry;
use crate::plan::KindId;

/// Who was told success has an effect.
#[derive(Debug)]
pub(super) struct Acked {
    pub(super) kind: KindId,
}

impl Law for Acked {
    fn ends_with_intent(&self) -> bool {
        true
    }

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

    fn ends_with_intent(&self) -> bool {
        true
    }

    /// What should not be there is the effect: it broke the promise, before or after the answer.
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        none_refunded(end, findings, self.kind);
        let in_force =
            LazyCell::new(|| end.by_intent(|entry| entry.kind == self.kind && entry.in_force()));
        for (intent, state) in end.intents.iter() {
            let told_at = match state.told {
                Some(Fate::Failed) => Some(state.told_at),
                Some(Fate::Unknown) => self.refused.get(&intent).copied(),
                Some(Fate::Succeeded) | None => None,
            };
            let Some(told_at) = told_at else { continue };
            findings.exercised = true;
            if end.ledger.net(intent, self.kind) > 0 {
                let entry = in_force[&intent][0];
                findings.violated(entry.moment(), || {
                    let (name, at) = (end.intent(intent), told_at.at);
                    let effect = end.effect(self.kind, entry.number);
                    let witness = format!("{name} was told failure at {at}, yet there is {effect}");
                    Breach::effect(entry, witness)
                });
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.refused.len() * 2 * size_of::<(u32, Moment)>()
    }
}

/// Who was told that such an effect was given back has none in force.
pub(super) fn none_refunded(end: Scene<'_>, findings: &mut Findings, kind: KindId) {
    let in_force = LazyCell::new(|| end.by_intent(|entry| entry.kind == kind && entry.in_force()));
    let refunded = end.intents.iter().filter(|(_, state)| state.refunded == Some(kind));
    for (intent, state) in refunded {
        findings.exercised = true;
        if end.ledger.net(intent, kind) > 0 {
            let told_at = state.told_at;
            // It was never given back, or has come again since.
            let entry = in_force[&intent].last().expect("one is in force");
            let comes_later = entry.step > told_at.step;
            findings.violated(if comes_later { entry.moment() } else { told_at }, || {
                let (name, at) = (end.intent(intent), told_at.at);
                let (what, effect) = (end.kind(kind), end.effect(kind, entry.number));
                let witness = format!(
                    "{name} was told at {at} that the {what} is given back, yet there is {effect}"
                );
                match comes_later {
                    true => Breach::effect(entry, witness),
                    false => Breach::refunded(intent, kind, witness),
                }
            });
        }
    }
}

/// Who was told success has an effect of the kind.
pub(super) fn each_acked(end: Scene<'_>, findings: &mut Findings, kind: KindId) {
    let effects = LazyCell::new(|| end.by_intent(|entry| entry.kind == kind));
    for (intent, state) in end.intents.iter() {
        if !state.is_acked() {
            continue;
        }
        findings.exercised = true;
        if end.ledger.net(intent, kind) == 0 {
            let undoer = undone_since(end, state.told_at, effects.get(&intent));
            let when = undoer.map_or(state.told_at, Entry::moment);
            findings.violated(when, || {
                let (name, what) = (end.intent(intent), end.kind(kind));
                match undoer {
                    Some(undoer) => Breach::effect(undoer, {
                        let (at, by) = (state.told_at.at, end.effect(undoer.kind, undoer.number));
                        format!("{name} was told success at {at}, and {by} took its {what} back")
                    }),
                    None => Breach::ended(intent, Fate::Succeeded, {
                        format!("{name} was told success without any {what}")
                    }),
                }
            });
        }
    }
}

/// What took the last of some effects back after an answer, if they were in force till then.
pub(super) fn undone_since<'a>(
    scene: Scene<'a>,
    told_at: Moment,
    effects: Option<&Vec<&'a Entry>>,
) -> Option<&'a Entry> {
    let undoers = effects?.iter().filter_map(|effect| scene.ledger.undoer(effect));
    undoers.max_by_key(|undoer| undoer.step).filter(|undoer| undoer.step > told_at.step)
}
