//! The ledger: every durable effect, in order, counted per intent.
//!
//! A crash loses tasks and volatile state, never the ledger. It is keyed on the *intent*, never
//! on the idempotency key: otherwise a client that makes a new key per retry would look innocent.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use sim_core::Time;

use crate::outcome::EffectSummary;
use crate::plan::{ActorId, KindId};
use crate::value::Value;

/// One durable effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub at: Time,
    pub kind: KindId,
    pub actor: ActorId,
    pub intent: u32,
    /// Its number among effects of its kind, from 1.
    pub number: u32,
    once: Value,
    undone: bool,
}

/// What became of an effect step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    /// The number of the entry, old or new.
    pub number: u32,
    /// An earlier effect under the same key stands for this one.
    pub repeated: bool,
}

/// Every effect of a run.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    totals: Vec<Totals>,
    /// Entries by (kind, actor, key); looked up, never iterated.
    by_key: HashTable<u32>,
    /// Effects in force per intent and kind.
    net: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    count: u32,
    undone: u64,
    repeated: u64,
}

impl Ledger {
    pub(crate) fn new(kinds: usize) -> Ledger {
        Ledger {
            entries: Vec::new(),
            totals: vec![Totals::default(); kinds],
            by_key: HashTable::new(),
            net: Vec::new(),
        }
    }

    /// Records an effect, unless `once` is a key under which its actor has done it before.
    pub(crate) fn record(
        &mut self,
        at: Time,
        kind: KindId,
        actor: ActorId,
        intent: u32,
        once: Value,
        undoes: Option<KindId>,
    ) -> Recorded {
        if let Some(earlier) = self.find(kind, actor, once) {
            self.totals[kind.index()].repeated += 1;
            return Recorded { number: earlier, repeated: true };
        }
        let totals = &mut self.totals[kind.index()];
        totals.count += 1;
        let number = totals.count;
        let index = u32::try_from(self.entries.len()).expect("the memory limit bounds the ledger");
        self.entries.push(Entry { at, kind, actor, intent, number, once, undone: false });
        if once != Value::Nil {
            let entries = &self.entries;
            self.by_key.insert_unique(hash(kind, actor, once), index, |&i| {
                let entry = &entries[i as usize];
                hash(entry.kind, entry.actor, entry.once)
            });
        }
        let net = self.net_mut(intent, kind);
        *net += 1;
        if let Some(undone) = undoes {
            self.undo(intent, undone);
        }
        Recorded { number, repeated: false }
    }

    fn find(&self, kind: KindId, actor: ActorId, once: Value) -> Option<u32> {
        if once == Value::Nil {
            return None;
        }
        let same = |&i: &u32| {
            let entry = &self.entries[i as usize];
            (entry.kind, entry.actor, entry.once) == (kind, actor, once)
        };
        let index = *self.by_key.find(hash(kind, actor, once), same)?;
        Some(self.entries[index as usize].number)
    }

    /// Takes back the intent's latest effect of a kind that is in force.
    fn undo(&mut self, intent: u32, kind: KindId) {
        if self.net(intent, kind) == 0 {
            return;
        }
        let in_force = |e: &&mut Entry| (e.intent, e.kind, e.undone) == (intent, kind, false);
        if let Some(entry) = self.entries.iter_mut().rev().find(in_force) {
            entry.undone = true;
            self.totals[kind.index()].undone += 1;
            *self.net_mut(intent, kind) -= 1;
        }
    }

    fn net_mut(&mut self, intent: u32, kind: KindId) -> &mut u32 {
        let index = intent as usize * self.totals.len() + kind.index();
        if index >= self.net.len() {
            self.net.resize((intent as usize + 1) * self.totals.len(), 0);
        }
        &mut self.net[index]
    }

    /// How many effects of a kind are in force for an intent.
    pub(crate) fn net(&self, intent: u32, kind: KindId) -> u32 {
        let index = intent as usize * self.totals.len() + kind.index();
        self.net.get(index).copied().unwrap_or(0)
    }

    /// The entries, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// One summary per kind.
    pub(crate) fn summaries(&self, kinds: &[String]) -> Vec<EffectSummary> {
        let mut summaries: Vec<EffectSummary> = kinds
            .iter()
            .zip(&self.totals)
            .map(|(kind, totals)| EffectSummary {
                kind: kind.clone(),
                count: totals.count.into(),
                intents: 0,
                duplicated: 0,
                refunded: totals.undone,
                deduplicated: totals.repeated,
            })
            .collect();
        let mut seen = vec![false; self.net.len()];
        for entry in &self.entries {
            let index = entry.intent as usize * kinds.len() + entry.kind.index();
            summaries[entry.kind.index()].intents += u64::from(!seen[index]);
            seen[index] = true;
        }
        for (n, net) in self.net.iter().enumerate() {
            summaries[n % kinds.len()].duplicated += u64::from(net.saturating_sub(1));
        }
        summaries
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.net.capacity() * 4
            + self.by_key.capacity() * 5
    }
}

fn hash(kind: KindId, actor: ActorId, once: Value) -> u64 {
    FxBuildHasher.hash_one((kind, actor, once))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHARGE: KindId = KindId(0);
    const REFUND: KindId = KindId(1);

    fn record(ledger: &mut Ledger, kind: KindId, intent: u32, once: Value) -> Recorded {
        let undoes = (kind == REFUND).then_some(CHARGE);
        ledger.record(Time::ZERO, kind, ActorId(0), intent, once, undoes)
    }

    #[test]
    fn a_key_makes_the_second_effect_the_first() {
        let mut ledger = Ledger::new(2);
        let first = record(&mut ledger, CHARGE, 7, Value::Int(1));
        let again = record(&mut ledger, CHARGE, 7, Value::Int(1));
        assert!(!first.repeated && again.repeated);
        assert_eq!(first.number, again.number);
        assert_eq!(ledger.net(7, CHARGE), 1);
    }

    #[test]
    fn without_a_key_every_effect_counts_and_a_refund_takes_one_back() {
        let mut ledger = Ledger::new(2);
        record(&mut ledger, CHARGE, 0, Value::Nil);
        record(&mut ledger, CHARGE, 0, Value::Nil);
        assert_eq!(ledger.net(0, CHARGE), 2);
        record(&mut ledger, REFUND, 0, Value::Nil);
        assert_eq!(ledger.net(0, CHARGE), 1);
        let kinds = ["charge".to_owned(), "refund".to_owned()];
        let charge = &ledger.summaries(&kinds)[0];
        assert_eq!((charge.count, charge.duplicated, charge.refunded), (2, 0, 1));
    }
}
