//! `ReceiptMatches`: the effect that a user was told of is the one that is in force.
//!
//! What a client's program got as an answer is its receipt once its submission succeeds: until then
//! the user has seen nothing.

use std::collections::BTreeMap;

use sim_core::Moment;
use sim_policies::Fate;
use sim_redis::value::{Texts, Value};

use super::{Findings, Law, Scene, Seen, Topic};
use crate::ledger::Entry;
use crate::plan::KindId;

#[derive(Debug)]
pub(super) struct Receipts {
    kind: KindId,
    /// Effects named by answers to submissions that are under way.
    open: BTreeMap<u64, Vec<u32>>,
    /// Intent and effect, as told with a success.
    told: Vec<(u32, u32)>,
}

impl Receipts {
    pub(super) fn new(kind: KindId) -> Receipts {
        Receipts { kind, open: BTreeMap::new(), told: Vec::new() }
    }
}

impl Law for Receipts {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Receipts, Topic::Submissions]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, _findings: &mut Findings) {
        match *seen {
            Seen::Received { submission, content, success: true, .. } => {
                let named = named(scene, self.kind, content);
                if !named.is_empty() {
                    self.open.entry(submission).or_default().extend(named);
                }
            }
            Seen::Ended { submission, intent, fate, .. } => {
                let named = self.open.remove(&submission).unwrap_or_default();
                if fate == Fate::Succeeded {
                    self.told.extend(named.into_iter().map(|number| (intent, number)));
                }
            }
            _ => {}
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let effects = of_kind(end, self.kind);
        let mut told = self.told.clone();
        told.sort_unstable();
        told.dedup();
        let mut in_force: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for effect in effects.iter().filter(|effect| effect.in_force()) {
            in_force.entry(effect.intent).or_default().push(effect.number);
        }
        for (intent, number) in told {
            findings.exercised = true;
            let own = in_force.get(&intent).map_or(&[][..], Vec::as_slice);
            if own != [number] {
                // Wrong since it was told, or since what came after.
                let told = end.intents[intent].told_at;
                let latest = own.iter().filter_map(|n| effects.get(*n as usize - 1)).next_back();
                let at = match latest.map(|entry| Moment { at: entry.at, step: entry.step }) {
                    Some(done) if done.step > told.step => done,
                    _ => told,
                };
                findings.violated(at, Some(intent), || {
                    mismatch(end, self.kind, (intent, number), own, &effects)
                });
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.told.capacity() * size_of::<(u32, u32)>() + self.open.len() * 64
    }
}

fn mismatch(
    end: Scene<'_>,
    kind: KindId,
    (intent, number): (u32, u32),
    own: &[u32],
    effects: &[&Entry],
) -> String {
    let told = format!("{} was told {}", end.intent(intent), end.effect(kind, number));
    let others: Vec<String> =
        own.iter().filter(|n| **n != number).map(|n| end.effect(kind, *n)).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        [one] => format!("{one} is"),
        all => format!("{} are", all.join(" and ")),
    };
    match effects.get(number as usize - 1) {
        None => format!("{told}, which does not exist"),
        Some(effect) if effect.intent != intent => {
            format!("{told}, which is {}'s", end.intent(effect.intent))
        }
        Some(effect) if !effect.in_force() && others.is_empty() => {
            format!("{told}, which was taken back")
        }
        Some(effect) if !effect.in_force() => {
            format!("{told}, which was taken back, while {others} in force")
        }
        Some(_) => format!("{told}, yet {others} in force too"),
    }
}

/// The ledger's entries of a kind; the one with number `n` is at `n - 1`.
pub(super) fn of_kind(scene: Scene<'_>, kind: KindId) -> Vec<&Entry> {
    scene.ledger.entries().iter().filter(|entry| entry.kind == kind).collect()
}

/// The numbers of the effects of a kind that a content names: `charge-4`, as a whole or as a field
/// at any depth.
pub(super) fn named(scene: Scene<'_>, kind: KindId, content: Value) -> Vec<u32> {
    let mut found = Vec::new();
    collect(scene.texts, scene.kind(kind), content, &mut found);
    found
}

fn collect(texts: &Texts, kind: &str, content: Value, found: &mut Vec<u32>) {
    match content {
        Value::Text(text) => found.extend(number_of(texts.text(text), kind)),
        Value::Record(record) => {
            for (_, value) in texts.fields(record) {
                collect(texts, kind, *value, found);
            }
        }
        Value::Nil | Value::Bool(_) | Value::Int(_) => {}
    }
}

/// The `4` of `charge-4`.
fn number_of(text: &str, kind: &str) -> Option<u32> {
    let digits = text.strip_prefix(kind)?.strip_prefix('-')?;
    let is_plain = digits.starts_with(|c: char| ('1'..='9').contains(&c))
        && digits.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_named_by_its_whole_name() {
        assert_eq!(number_of("charge-4", "charge"), Some(4));
        assert_eq!(number_of("late-fee-12", "late-fee"), Some(12));
        let others = ["charge-4b", "charge-04", "charge-+4", "charge-", "recharge-4", "charge4"];
        for other in others.into_iter().chain(["charge-99999999999"]) {
            assert_eq!(number_of(other, "charge"), None, "{other}");
        }
    }
}
