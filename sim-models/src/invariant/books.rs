//! `BooksBalance`: what was captured and not given back is what was fulfilled.

use std::cell::LazyCell;

use super::receipts::of_kind;
use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::ledger::Entry;
use crate::plan::KindId;

#[derive(Debug)]
pub(super) struct Books {
    captured: KindId,
    refunded: Option<KindId>,
    fulfilled: KindId,
    /// By intent, over the whole run so far.
    accounts: Vec<Account>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    captures: u32,
    refunds: u32,
}

impl Books {
    pub(super) fn new(captured: KindId, refunded: Option<KindId>, fulfilled: KindId) -> Books {
        Books { captured, refunded, fulfilled, accounts: Vec::new() }
    }

    /// Whether an effect is of a kind that counts here, or takes one back.
    fn counts(&self, entry: &Entry) -> bool {
        let Books { captured, refunded, fulfilled, .. } = *self;
        let is_money = |kind| kind == captured || kind == fulfilled;
        is_money(entry.kind) || Some(entry.kind) == refunded || entry.undoes.is_some_and(is_money)
    }

    /// Of an intent's effects that count, the one since which its books do not balance.
    fn broken_by<'a>(&self, end: Scene<'a>, effects: &[&'a Entry]) -> &'a Entry {
        let Books { captured, refunded, fulfilled, .. } = *self;
        let mut balance = Balance::default();
        let mut broken_by = None;
        for entry in effects {
            balance.captures += u32::from(entry.kind == captured);
            balance.refunds += u32::from(Some(entry.kind) == refunded);
            balance.fulfilled += u32::from(entry.kind == fulfilled);
            if let Some(undone) = end.ledger.undid(entry) {
                balance.undone += u32::from(undone.kind == captured);
                balance.fulfilled -= u32::from(undone.kind == fulfilled);
            }
            broken_by = broken_by.or(Some(*entry)).filter(|_| !balance.is_even());
        }
        broken_by.expect("the books do not balance")
    }
}

/// What an intent has paid and got.
#[derive(Clone, Copy, Debug, Default)]
struct Balance {
    captures: u32,
    /// Captures that an effect took back that undoes them.
    undone: u32,
    /// Refunds, whether or not they say what they undo.
    refunds: u32,
    /// Fulfilments in force.
    fulfilled: u32,
}

impl Balance {
    /// Captures that were not given back, either way.
    fn in_force(self) -> u32 {
        self.captures.saturating_sub(self.undone.max(self.refunds))
    }

    fn is_even(self) -> bool {
        self.in_force() == self.fulfilled && self.fulfilled <= 1
    }
}

impl Law for Books {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Effects]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Books { captured, refunded, fulfilled, .. } = *self;
        let Seen::Effect { kind, intent } = *seen else { return };
        if kind != captured && Some(kind) != refunded && kind != fulfilled {
            return;
        }
        findings.exercised = true;
        let n = intent as usize;
        if n >= self.accounts.len() {
            self.accounts.resize(n + 1, Account::default());
        }
        let account = &mut self.accounts[n];
        account.captures += u32::from(kind == captured);
        account.refunds += u32::from(Some(kind) == refunded);
        if Some(kind) == refunded && account.refunds > account.captures {
            let Account { captures, refunds } = *account;
            findings.violated(scene.now, || {
                let (name, kind, other) =
                    (scene.intent(intent), scene.kind(kind), scene.kind(captured));
                let witness =
                    format!("{name} has {refunds} {kind} effects for {captures} {other} effects");
                Breach::effect(scene.latest(), witness)
            });
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        let effects = LazyCell::new(|| end.by_intent(|entry| self.counts(entry)));
        for (intent, Account { captures, refunds }) in (0u32..).zip(&self.accounts) {
            let balance = Balance {
                captures: *captures,
                undone: captures - end.ledger.net(intent, self.captured),
                refunds: *refunds,
                fulfilled: end.ledger.net(intent, self.fulfilled),
            };
            if balance.is_even() {
                continue;
            }
            let broken_by = self.broken_by(end, &effects[&intent]);
            findings.violated(broken_by.moment(), || {
                let name = end.intent(intent);
                let paid = show(end, self.captured, intent, balance.in_force());
                let got = show(end, self.fulfilled, intent, balance.fulfilled);
                Breach::effect(broken_by, format!("{name} has {paid} and {got} in force"))
            });
        }
    }

    fn memory_bytes(&self) -> usize {
        self.accounts.capacity() * size_of::<Account>()
    }
}

/// What an intent has of a kind: `charge-4`, `no order`, `2 charge effects (charge-4, charge-9)`.
fn show(end: Scene<'_>, kind: KindId, intent: u32, count: u32) -> String {
    let effects = of_kind(end, kind).into_iter();
    let own = effects.filter(|effect| effect.intent == intent && effect.in_force());
    let names: Vec<String> = own.map(|effect| end.effect(kind, effect.number)).collect();
    match count {
        0 => format!("no {}", end.kind(kind)),
        1 if names.len() == 1 => names.join(""),
        n => format!("{n} {} effects ({})", end.kind(kind), names.join(", ")),
    }
}
