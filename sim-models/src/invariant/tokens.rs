//! `FencingMonotone`: who has been overtaken does no more.

use std::collections::BTreeMap;

use sim_redis::value::Value;

use super::{Findings, Law, Scene, Seen, Topic};
use crate::plan::{ActorId, KindId};

/// What a token fences at an actor: a key under which the effect happens once, or else an intent.
type Scope = (ActorId, Result<Value, u32>);

#[derive(Debug)]
pub(super) struct Tokens {
    kind: KindId,
    /// The highest token accepted so far, and the effect that it came with.
    highest: BTreeMap<Scope, (i64, u32)>,
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
        let Some(entry) = scene.ledger.entries().last() else { return };
        let Some(token) = entry.token.filter(|_| kind == self.kind) else { return };
        let guarded = if entry.once == Value::Nil { Err(intent) } else { Ok(entry.once) };
        let scope = (entry.actor, guarded);
        findings.exercised = true;
        let highest = self.highest.entry(scope).or_insert((token, entry.number));
        if token < highest.0 {
            let (before, number) = *highest;
            findings.violated(scene.now, Some(intent), || {
                let (late, other) = (scene.effect(kind, entry.number), scene.effect(kind, number));
                format!("{late} was accepted with token {token} after {other} with {before}")
            });
        } else {
            *highest = (token, entry.number);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.highest.len() * 2 * size_of::<(Scope, (i64, u32))>()
    }
}
