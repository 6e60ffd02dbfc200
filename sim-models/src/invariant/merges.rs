//! `NoMerge`: two purchases are two effects, and nobody is told of another's.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use sim_core::Moment;
use sim_policies::Fate;

use super::receipts::{named, of_kind};
use super::told::undone_since;
use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::ledger::Entry;
use crate::log::USER;
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
        // Whose effect an intent was shown instead of one of its own.
        let mut others: BTreeMap<u32, u32> = BTreeMap::new();
        for &(intent, number, at) in &self.seen {
            let owner = effects.get(number as usize - 1).map(|effect| effect.intent);
            findings.exercised = true;
            if let Some(owner) = owner.filter(|owner| *owner != intent) {
                others.entry(intent).or_insert(owner);
                findings.violated(at, || {
                    let (own, other) = (end.intent(intent), end.intent(owner));
                    let effect = end.effect(self.kind, number);
                    let witness = format!("{own} was shown {effect}, which is {other}'s");
                    let what = format!("gets an answer that names {effect}");
                    Breach::by(intent, USER, what, witness).beside(owner)
                });
            }
        }
        let effects = LazyCell::new(|| end.by_intent(|entry| entry.kind == self.kind));
        for (intent, state) in end.intents.iter() {
            if !state.is_acked() {
                continue;
            }
            findings.exercised = true;
            if end.ledger.net(intent, self.kind) == 0 {
                let undoer = undone_since(end, state.told_at, effects.get(&intent));
                let when = undoer.map_or(state.told_at, Entry::moment);
                findings.violated(when, || {
                    let (name, kind) = (end.intent(intent), end.kind(self.kind));
                    let witness =
                        format!("{name} was told success and has no {kind} of its own in force");
                    let breach = match undoer {
                        Some(undoer) => Breach::effect(undoer, witness),
                        None => Breach::ended(intent, Fate::Succeeded, witness),
                    };
                    others.get(&intent).into_iter().fold(breach, |b, other| b.beside(*other))
                });
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<(u32, u32, Moment)>()
    }
}
