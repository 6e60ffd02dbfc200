//! `AppliedOnce`: each event has its consequence, once, and no consequence lacks its event.

use sim_core::Span;

use super::{Findings, Law, Scene, Seen, Topic};
use crate::plan::KindId;

#[derive(Debug)]
pub(super) struct Applied {
    cause: KindId,
    effect: KindId,
    within: Span,
    /// By intent: causes over the whole run so far, whether taken back or not.
    causes: Vec<u32>,
}

impl Applied {
    pub(super) fn new(cause: KindId, effect: KindId, within: Span) -> Applied {
        Applied { cause, effect, within, causes: Vec::new() }
    }

    fn witness(&self, scene: Scene<'_>, intent: u32, effects: u32, causes: u32) -> String {
        let (cause, effect) = (scene.kind(self.cause), scene.kind(self.effect));
        let name = scene.intent(intent);
        let latest = scene.ledger.entries().iter().rev();
        let latest = latest.clone().find(|e| (e.kind, e.intent) == (self.effect, intent));
        let named = latest.map_or(String::new(), |e| scene.effect(self.effect, e.number));
        match causes {
            0 => format!("{name} has {named} without any {cause} in force"),
            n => {
                format!("{name} has {effects} {effect} effects, {named} the last, for {n} {cause}")
            }
        }
    }
}

impl Law for Applied {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Effects]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Effect { kind, intent } = *seen else { return };
        if kind != self.cause && kind != self.effect {
            return;
        }
        let n = intent as usize;
        if n >= self.causes.len() {
            self.causes.resize(n + 1, 0);
        }
        self.causes[n] += u32::from(kind == self.cause);
        if kind == self.effect {
            findings.exercised = true;
            let (effects, causes) = (scene.ledger.net(intent, kind), self.causes[n]);
            if effects > causes {
                findings.violated(scene.now, Some(intent), || {
                    self.witness(scene, intent, effects, causes)
                });
            }
        }
    }

    /// Those that were already too many when they came are not counted again.
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let ledger = end.ledger;
        let mut due = vec![0u32; self.causes.len()];
        for entry in ledger.entries() {
            let is_old = end.now.at.since(entry.at) >= self.within && entry.at <= end.now.at;
            if entry.kind == self.cause && entry.in_force() && is_old {
                due[entry.intent as usize] += 1;
            }
        }
        for (intent, due) in (0u32..).zip(due) {
            let (effects, causes) =
                (ledger.net(intent, self.effect), ledger.net(intent, self.cause));
            findings.exercised |= due > 0;
            if effects < due {
                findings.violated(end.now, Some(intent), || {
                    let (cause, effect) = (end.kind(self.cause), end.kind(self.effect));
                    let entries = ledger.entries().iter();
                    let first = entries.clone().find(|entry| {
                        (entry.kind, entry.intent) == (self.cause, intent) && entry.in_force()
                    });
                    let first = first.map_or(String::new(), |entry| {
                        format!("{} at {}", end.effect(self.cause, entry.number), entry.at)
                    });
                    let name = end.intent(intent);
                    format!("{name} has {due} {cause} ({first} first) and {effects} {effect}")
                });
            } else if effects > causes && effects <= self.causes[intent as usize] {
                findings
                    .violated(end.now, Some(intent), || self.witness(end, intent, effects, causes));
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.causes.capacity() * size_of::<u32>()
    }
}
