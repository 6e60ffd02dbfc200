//! `ReceiptMatches`: the effect that a user was told of is the one that is in force.
//!
//! What a client's program got as an answer is its receipt once its submission succeeds: until then
//! the user has seen nothing.

use std::collections::BTreeMap;

use sim_core::Moment;
use sim_policies::Fate;
use sim_redis::value::{Texts, Value};

use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::ledger::Entry;
use crate::plan::KindId;

#[derive(Debug)]
pub(super) struct Receipts {
    kind: KindId,
    /// Effects named by answers to submissions that are under way.
    open: BTreeMap<u64, Vec<u32>>,
    /// Intent and effect, as told with a success, and when.
    told: Vec<(u32, u32, Moment)>,
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
                    self.told.extend(named.into_iter().map(|number| (intent, number, scene.now)));
                }
            }
            _ => {}
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let effects = of_kind(end, self.kind);
        let mut told = self.told.clone();
        told.sort_unstable_by_key(|(intent, number, at)| (*intent, *number, at.step));
        told.dedup_by_key(|(intent, number, _)| (*intent, *number));
        let mut in_force: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for effect in effects.iter().filter(|effect| effect.in_force()) {
            in_force.entry(effect.intent).or_default().push(effect.number);
        }
        for (intent, number, told) in told {
            findings.exercised = true;
            let own = in_force.get(&intent).map_or(&[][..], Vec::as_slice);
            let is_own = effects.get(number as usize - 1).is_some_and(|e| e.intent == intent);
            // The user knows that it is no longer in force.
            let is_refunded = end.intents[intent].refunded == Some(self.kind);
            if is_refunded && is_own && own.is_empty() {
                continue;
            }
            if own != [number] {
                // Wrong since it was told, or since what came after.
                let cause = wrong_by(end, (intent, number), own, &effects, is_refunded);
                let cause = cause.filter(|cause| cause.step > told.step);
                findings.violated(cause.map_or(told, Entry::moment), || {
                    let witness = mismatch(end, self.kind, (intent, number), own, &effects);
                    let breach = match (cause, end.intents[intent].refunded) {
                        (Some(cause), _) => Breach::effect(cause, witness),
                        (None, Some(kind)) => Breach::refunded(intent, kind, witness),
                        (None, None) => Breach::ended(intent, Fate::Succeeded, witness),
                    };
                    let owner = effects.get(number as usize - 1).map(|effect| effect.intent);
                    owner.into_iter().fold(breach, Breach::beside)
                });
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.told.capacity() * size_of::<(u32, u32, Moment)>() + self.open.len() * 64
    }
}

/// The effect that makes a receipt of the intent's own wrong: it took that back, or stands beside it.
fn wrong_by<'a>(
    end: Scene<'a>,
    (intent, number): (u32, u32),
    own: &[u32],
    effects: &[&'a Entry],
    is_refunded: bool,
) -> Option<&'a Entry> {
    let told = effects.get(number as usize - 1).filter(|effect| effect.intent == intent)?;
    if !told.in_force() && !is_refunded {
        return end.ledger.undoer(told);
    }
    let other = own.iter().find(|other| **other != number)?;
    effects.get(*other as usize - 1).copied()
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
