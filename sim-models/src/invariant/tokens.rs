//! `FencingMonotone`: who has been overtaken does no more.

use std::collections::BTreeMap;

use sim_redis::value::Value;

use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::ledger::Entry;
use crate::plan::{ActorId, KindId};

/// What a token fences at an actor: a key under which the effect happens once, or else an intent.
type Scope = (ActorId, Result<Value, u32>);

#[derive(Debug)]
pub(super) struct Tokens {
    kind: KindId,
    /// The highest token accepted so far, and the effect that it came with.
    highest: BTreeMap<Scope, (i64, Entry)>,
}

impl Tokens {
    pub(super) fn new(kind: KindId) -> Tokens {
        Tokens { kind, highest: BTreeMap::new() }
    }
}

impl Law for Tokens {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Effects]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Effect { kind, intent } = *seen else { return };
        let entry = scene.latest();
        let Some(token) = entry.token.filter(|_| kind == self.kind) else { return };
        let guarded = if entry.once == Value::Nil { Err(intent) } else { Ok(entry.once) };
        let scope = (entry.actor, guarded);
        findings.exercised = true;
        let highest = self.highest.entry(scope).or_insert((token, *entry));
        if token < highest.0 {
            let (before, first) = *highest;
            findings.violated(scene.now, || {
                let [late, other] = [entry, &first].map(|entry| scene.effect(kind, entry.number));
                let witness =
                    format!("{late} was accepted with token {token} after {other} with {before}");
                Breach::effect(entry, witness).beside(first.intent)
            });
        } else {
            *highest = (token, *entry);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.highest.len() * 2 * size_of::<(Scope, (i64, Entry))>()
    }
}
