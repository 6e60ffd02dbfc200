//! `AppliedOnce`: each event has its consequence, once, and no consequence lacks its event.

use std::cell::LazyCell;

use sim_core::Span;

use super::{Breach, Findings, Law, Scene, Seen, Topic, When};
use crate::ledger::Entry;
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
                findings.violated(scene.now, || {
                    let witness = self.witness(scene, intent, effects, causes);
                    Breach::effect(scene.latest(), witness)
                });
            }
        }
    }

    /// Those that were already too many when they came are not counted again.
    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let ledger = end.ledger;
        let is_old = |entry: &Entry| end.now.at.since(entry.at) >= self.within;
        let is_due = |entry: &Entry| entry.kind == self.cause && entry.in_force() && is_old(entry);
        let mut due = vec![0u32; self.causes.len()];
        for entry in ledger.entries().iter().filter(|entry| is_due(entry)) {
            due[entry.intent as usize] += 1;
        }
        let all = LazyCell::new(|| end.by_intent(|entry| entry.kind == self.cause));
        for (intent, due) in (0u32..).zip(due) {
            let (effects, causes) =
                (ledger.net(intent, self.effect), ledger.net(intent, self.cause));
            findings.exercised |= due > 0;
            if effects < due {
                // The first so many have theirs.
                let mut late = all[&intent].iter().filter(|entry| is_due(entry));
                let late = late.nth(effects as usize).expect("more are due than effects");
                findings.violated(When::passed(late.at + self.within), || {
                    let (cause, effect) = (end.kind(self.cause), end.kind(self.effect));
                    let (name, own) = (end.intent(intent), end.effect(self.cause, late.number));
                    let at = late.at;
                    let witness = format!(
                        "{name} has {due} {cause} ({own} at {at} first) and {effects} {effect}"
                    );
                    let what = format!("no {effect} for {own} by now");
                    Breach::by(intent, end.plan.actor_name(late.actor), what, witness)
                });
            } else if effects > causes && effects <= self.causes[intent as usize] {
                let undoers = all[&intent].iter().filter_map(|cause| ledger.undoer(cause));
                let last = undoers.max_by_key(|undoer| undoer.step).expect("it had enough causes");
                findings.violated(last.moment(), || {
                    Breach::effect(last, self.witness(end, intent, effects, causes))
                });
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.causes.capacity() * size_of::<u32>()
    }
}
