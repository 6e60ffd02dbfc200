//! The ledger: every durable effect, in order, counted per intent.
//!
//! A crash loses tasks and volatile state, never the ledger. It is keyed on the *intent*, never
//! on the idempotency key: otherwise a client that makes a new key per retry would look innocent.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::ops::AddAssign;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use sim_core::Moment;
use sim_core::{Span, Time};
use sim_redis::value::Value;

use crate::plan::{ActorId, KindId};

/// What happened of one kind of effect, over the whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectSummary {
    /// The kind, such as `charge`.
    pub kind: String,
    /// Entries in the ledger.
    pub count: u64,
    /// Intents with at least one entry.
    pub intents: u64,
    /// Entries beyond an intent's first that no refund took back.
    pub duplicated: u64,
    /// Intents with such entries.
    pub intents_duplicated: u64,
    /// Entries that a refund took back.
    pub refunded: u64,
    /// Repeats that a key of the effect's owner turned into the first answer.
    pub deduplicated: u64,
    /// Intents that were given another intent's entry, as both came under one key.
    pub merged: u64,
}

/// Of several runs together; a kind is the same in all of them.
impl AddAssign<&EffectSummary> for EffectSummary {
    fn add_assign(&mut self, other: &EffectSummary) {
        self.count += other.count;
        self.intents += other.intents;
        self.duplicated += other.duplicated;
        self.intents_duplicated += other.intents_duplicated;
        self.refunded += other.refunded;
        self.deduplicated += other.deduplicated;
        self.merged += other.merged;
    }
}

/// What happened of one kind of effect, per window of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EffectSeries {
    /// The kind, such as `charge`.
    pub kind: String,
    /// Entries in the ledger.
    pub count: Vec<u32>,
    /// Of those, the ones beyond an intent's first that nothing took back.
    pub duplicated: Vec<u32>,
    /// Entries that were taken back, when they were.
    pub refunded: Vec<u32>,
    /// Intents that were given another intent's entry, when they were first.
    pub merged: Vec<u32>,
}

/// One durable effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub at: Time,
    /// The step of the run at which it happened.
    pub step: u64,
    pub kind: KindId,
    pub actor: ActorId,
    pub intent: u32,
    /// Its number among effects of its kind, from 1.
    pub number: u32,
    /// The key under which it happens once.
    pub once: Value,
    /// The fencing token that came with it.
    pub token: Option<i64>,
    /// The kind of effect that it was to take back.
    pub undoes: Option<KindId>,
    /// The entry that it took back, and the one that took it back, by their places.
    undid: Option<u32>,
    undone_by: Option<u32>,
}

impl Entry {
    /// It was not taken back.
    pub(crate) fn in_force(&self) -> bool {
        self.undone_by.is_none()
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { at: self.at, step: self.step }
    }
}

/// An effect that is about to happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed {
    pub kind: KindId,
    pub actor: ActorId,
    pub intent: u32,
    /// The key under which the actor does it once.
    pub once: Value,
    /// How long the key is remembered; `None` is for ever.
    pub keep: Option<Span>,
    pub token: Option<i64>,
    /// Refuses a token below the highest one.
    pub fenced: bool,
    /// The kind of effect that it takes back.
    pub undoes: Option<KindId>,
}

/// A fencing token that comes too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StaleToken {
    pub token: i64,
    /// The highest one accepted before.
    pub highest: i64,
}

/// What a fencing token guards: what happens under one key, or for one intent.
type Fence = (KindId, ActorId, Result<Value, u32>);

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
    /// The highest token accepted so far, where there are tokens.
    fences: BTreeMap<Fence, i64>,
    /// Effects in force per intent and kind.
    net: Vec<u32>,
    /// Each time that an intent was given another's entry, in order.
    merges: Vec<Merge>,
}

/// An intent was given another's entry.
#[derive(Clone, Copy, Debug)]
struct Merge {
    at: Time,
    kind: KindId,
    intent: u32,
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
            fences: BTreeMap::new(),
            net: Vec::new(),
            merges: Vec::new(),
        }
    }

    /// Records an effect, unless `once` is a key under which its actor has done it before.
    ///
    /// # Errors
    /// A token that is too low; nothing is recorded.
    pub(crate) fn record(&mut self, now: Moment, deed: Deed) -> Result<Recorded, StaleToken> {
        let Moment { at, step } = now;
        let Deed { kind, actor, intent, once, keep, token, fenced, undoes } = deed;
        if let Some(token) = token {
            self.pass_fence(kind, actor, intent, once, token, fenced)?;
        }
        let earlier = self.find(kind, actor, once);
        if let Some(earlier) = earlier
            && keep.is_none_or(|keep| at <= self.entries[earlier as usize].at + keep)
        {
            self.totals[kind.index()].repeated += 1;
            let Entry { number, intent: owner, .. } = self.entries[earlier as usize];
            if owner != intent {
                self.merges.push(Merge { at, kind, intent });
            }
            return Ok(Recorded { number, repeated: true });
        }
        let totals = &mut self.totals[kind.index()];
        totals.count += 1;
        let number = totals.count;
        let index = u32::try_from(self.entries.len()).expect("the memory limit bounds the ledger");
        self.entries.push(Entry {
            at,
            step,
            kind,
            actor,
            intent,
            number,
            once,
            token,
            undoes,
            undid: None,
            undone_by: None,
        });
        if once != Value::Nil {
            self.remember(index, earlier);
        }
        let net = self.net_mut(intent, kind);
        *net += 1;
        if let Some(undone) = undoes {
            self.undo(intent, undone, index);
        }
        Ok(Recorded { number, repeated: false })
    }

    /// Notes a token, or refuses it when its effect is fenced and a higher one was there before.
    fn pass_fence(
        &mut self,
        kind: KindId,
        actor: ActorId,
        intent: u32,
        once: Value,
        token: i64,
        fenced: bool,
    ) -> Result<(), StaleToken> {
        let guarded = if once == Value::Nil { Err(intent) } else { Ok(once) };
        let highest = self.fences.entry((kind, actor, guarded)).or_insert(token);
        if token < *highest && fenced {
            return Err(StaleToken { token, highest: *highest });
        }
        *highest = token.max(*highest);
        Ok(())
    }

    /// Finds the entry by its key from now on, and not the one whose key was forgotten.
    fn remember(&mut self, index: u32, forgotten: Option<u32>) {
        let entries = &self.entries;
        let hash_of = |i: u32| {
            let entry = &entries[i as usize];
            hash(entry.kind, entry.actor, entry.once)
        };
        let known = forgotten.and_then(|old| self.by_key.find_mut(hash_of(old), |i| *i == old));
        match known {
            Some(place) => *place = index,
            None => {
                self.by_key.insert_unique(hash_of(index), index, |&i| hash_of(i));
            }
        }
    }

    /// The entry under a key; what came without one is never there.
    fn find(&self, kind: KindId, actor: ActorId, once: Value) -> Option<u32> {
        let same = |&i: &u32| {
            let entry = &self.entries[i as usize];
            (entry.kind, entry.actor, entry.once) == (kind, actor, once)
        };
        self.by_key.find(hash(kind, actor, once), same).copied()
    }

    /// Takes back the intent's latest effect of a kind that is in force, by the entry at a place.
    fn undo(&mut self, intent: u32, kind: KindId, by: u32) {
        if self.net(intent, kind) == 0 {
            return;
        }
        let in_force = |e: &Entry| (e.intent, e.kind) == (intent, kind) && e.in_force();
        if let Some(undone) = self.entries.iter().rposition(in_force) {
            self.entries[undone].undone_by = Some(by);
            self.entries[by as usize].undid = Some(undone as u32);
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

    /// The entry that an entry took back.
    pub(crate) fn undid(&self, entry: &Entry) -> Option<&Entry> {
        entry.undid.map(|place| &self.entries[place as usize])
    }

    /// The entry that took an entry back.
    pub(crate) fn undoer(&self, entry: &Entry) -> Option<&Entry> {
        entry.undone_by.map(|place| &self.entries[place as usize])
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
                intents_duplicated: 0,
                refunded: totals.undone,
                deduplicated: totals.repeated,
                merged: 0,
            })
            .collect();
        let mut seen = vec![false; self.net.len()];
        for entry in &self.entries {
            let index = entry.intent as usize * kinds.len() + entry.kind.index();
            summaries[entry.kind.index()].intents += u64::from(!seen[index]);
            seen[index] = true;
        }
        for (n, net) in self.net.iter().enumerate() {
            let summary = &mut summaries[n % kinds.len()];
            summary.duplicated += u64::from(net.saturating_sub(1));
            summary.intents_duplicated += u64::from(*net > 1);
        }
        for merge in self.first_merges() {
            summaries[merge.kind.index()].merged += 1;
        }
        summaries
    }

    /// Of each intent and kind, the first time that another's entry was given to it.
    fn first_merges(&self) -> impl Iterator<Item = &Merge> {
        let mut known = BTreeSet::new();
        self.merges.iter().filter(move |merge| known.insert((merge.kind.index(), merge.intent)))
    }

    /// What happened when, per kind, in so many windows of which each instant has one.
    pub(crate) fn series(
        &self,
        kinds: &[String],
        windows: usize,
        window_at: impl Fn(Time) -> usize,
    ) -> Vec<EffectSeries> {
        let zeros = || vec![0; windows];
        let series = |kind: &String| EffectSeries {
            kind: kind.clone(),
            count: zeros(),
            duplicated: zeros(),
            refunded: zeros(),
            merged: zeros(),
        };
        let mut all: Vec<EffectSeries> = kinds.iter().map(series).collect();
        let count = |counts: &mut Vec<u32>, at: Time| {
            if let Some(count) = counts.get_mut(window_at(at)) {
                *count += 1;
            }
        };
        let mut has_one = vec![false; self.net.len()];
        for entry in &self.entries {
            let own = &mut all[entry.kind.index()];
            count(&mut own.count, entry.at);
            match self.undoer(entry) {
                Some(undoer) => count(&mut own.refunded, undoer.at),
                None => {
                    let index = entry.intent as usize * kinds.len() + entry.kind.index();
                    if std::mem::replace(&mut has_one[index], true) {
                        count(&mut own.duplicated, entry.at);
                    }
                }
            }
        }
        for merge in self.first_merges() {
            count(&mut all[merge.kind.index()].merged, merge.at);
        }
        all
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.net.capacity() * 4
            + self.by_key.capacity() * 5
            + self.fences.len() * 2 * size_of::<(Fence, i64)>()
            + self.merges.capacity() * size_of::<Merge>()
    }
}

fn hash(kind: KindId, actor: ActorId, once: Value) -> u64 {
    FxBuildHasher.hash_one((kind, actor, once))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const CHARGE: KindId = KindId(0);
    const REFUND: KindId = KindId(1);

    fn at_secs(secs: u64) -> Moment {
        Moment { at: Time::ZERO + Span::secs(secs), step: secs }
    }

    fn deed(kind: KindId, intent: u32, once: Value) -> Deed {
        let undoes = (kind == REFUND).then_some(CHARGE);
        let (actor, keep, token, fenced) = (ActorId(0), None, None, false);
        Deed { kind, actor, intent, once, keep, token, fenced, undoes }
    }

    fn record(ledger: &mut Ledger, kind: KindId, intent: u32, once: Value) -> Recorded {
        let recorded = ledger.record(at_secs(0), deed(kind, intent, once));
        recorded.expect("nothing is fenced")
    }

    #[test]
    fn a_key_is_forgotten_after_its_keeping_time_and_not_before() {
        let mut ledger = Ledger::new(1);
        let keyed = Deed { keep: Some(Span::secs(10)), ..deed(CHARGE, 7, Value::Int(1)) };
        let mut at = |secs| ledger.record(at_secs(secs), keyed).unwrap();
        assert_eq!((at(0).number, at(10).number, at(10).repeated), (1, 1, true));
        assert!(!at(11).repeated, "remembered for 10 s from the first on");
        assert_eq!((at(21).number, at(22).number), (2, 3), "and then from the second on");
    }

    #[test]
    fn an_intent_that_gets_anothers_entry_is_merged_once_and_a_repeat_of_its_own_is_not() {
        let (mut ledger, kinds) = (Ledger::new(2), ["charge".to_owned(), "refund".to_owned()]);
        for intent in [7, 7, 8, 8, 9] {
            record(&mut ledger, CHARGE, intent, Value::Int(1));
        }
        let summary = &ledger.summaries(&kinds)[0];
        assert_eq!((summary.count, summary.deduplicated, summary.merged), (1, 4, 2));
        let series = ledger.series(&kinds, 1, |_| 0);
        assert_eq!((&series[0].merged, &series[1].merged), (&vec![2], &vec![0]));
    }

    #[test]
    fn a_fence_lets_no_lower_token_pass_and_a_refusal_leaves_no_trace() {
        let mut ledger = Ledger::new(1);
        let mut with = |token, fenced| {
            let deed = Deed { token: Some(token), fenced, ..deed(CHARGE, 7, Value::Nil) };
            ledger.record(at_secs(0), deed).map(|recorded| recorded.number)
        };
        assert_eq!(with(2, true), Ok(1));
        assert_eq!(with(1, true), Err(StaleToken { token: 1, highest: 2 }));
        assert_eq!(with(2, true), Ok(2), "the same token is not lower");
        assert_eq!(with(1, false), Ok(3), "only a fence refuses");
        assert_eq!(with(1, true), Err(StaleToken { token: 1, highest: 2 }));
        assert_eq!(ledger.net(7, CHARGE), 3);
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

    proptest! {
        #[test]
        fn each_refund_takes_back_one_charge_that_no_other_has(
            deeds in vec((any::<bool>(), 0..3u32), 0..40),
        ) {
            let mut ledger = Ledger::new(2);
            let mut in_force = [0u32; 3];
            for (is_refund, intent) in deeds {
                record(&mut ledger, if is_refund { REFUND } else { CHARGE }, intent, Value::Nil);
                let own = &mut in_force[intent as usize];
                *own = if is_refund { own.saturating_sub(1) } else { *own + 1 };
                prop_assert_eq!(ledger.net(intent, CHARGE), *own);
            }
            let of = |entry: &Entry| (entry.kind, entry.number);
            for entry in ledger.entries() {
                let pairs = [(entry, ledger.undid(entry)), (entry, ledger.undoer(entry))];
                let back = |other: &Entry| match other.kind {
                    REFUND => ledger.undid(other).map(of),
                    _ => ledger.undoer(other).map(of),
                };
                for (entry, other) in pairs {
                    if let Some(other) = other {
                        prop_assert_eq!(entry.intent, other.intent);
                        prop_assert_eq!(back(other), Some(of(entry)), "one takes back one");
                    }
                }
            }
            for intent in 0..3 {
                let own = |e: &&Entry| (e.intent, e.kind) == (intent, CHARGE) && e.in_force();
                let left = ledger.entries().iter().filter(own).count();
                prop_assert_eq!(left, in_force[intent as usize] as usize);
            }
        }
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
