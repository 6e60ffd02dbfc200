//! `UndoneStaysUndone`: what was taken back does not come again.

use std::collections::BTreeMap;

use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::ledger::Entry;
use crate::plan::KindId;

#[derive(Debug)]
pub(super) struct Undone {
    kind: KindId,
    /// By intent: the first effect that was to take one back, also where none was there yet.
    undoers: BTreeMap<u32, Entry>,
}

impl Undone {
    pub(super) fn new(kind: KindId) -> Undone {
        Undone { kind, undoers: BTreeMap::new() }
    }
}

impl Law for Undone {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Effects]
    }

    fn ends_with_intent(&self) -> bool {
        true
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Effect { kind, intent } = *seen else { return };
        let entry = scene.latest();
        if entry.undoes == Some(self.kind) {
            findings.exercised = true;
            self.undoers.entry(intent).or_insert(*entry);
        } else if kind == self.kind
            && let Some(undoer) = self.undoers.get(&intent)
        {
            findings.violated(scene.now, || {
                let (name, effect) = (scene.intent(intent), scene.effect(kind, entry.number));
                let (before, at) = (scene.effect(undoer.kind, undoer.number), undoer.at);
                Breach::effect(entry, format!("{name} has {effect}, after {before} at {at}"))
            });
        }
    }

    fn memory_bytes(&self) -> usize {
        self.undoers.len() * 2 * size_of::<(u32, Entry)>()
    }
}
