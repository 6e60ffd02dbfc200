//! `BooksBalance`: what was captured and not given back is what was fulfilled.

use super::receipts::of_kind;
use super::{Findings, Law, Scene, Seen, Topic};
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

    /// Captures of an intent that were given back neither by an effect that undoes them nor by a
    /// refund that says nothing of undoing.
    fn in_force(&self, end: Scene<'_>, intent: u32) -> u32 {
        let Account { captures, refunds } = self.accounts[intent as usize];
        let undone = captures - end.ledger.net(intent, self.captured);
        captures.saturating_sub(undone.max(refunds))
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
            findings.violated(scene.now, Some(intent), || {
                let (name, kind, other) =
                    (scene.intent(intent), scene.kind(kind), scene.kind(captured));
                format!("{name} has {refunds} {kind} effects for {captures} {other} effects")
            });
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        for intent in (0u32..).take(self.accounts.len()) {
            let captures = self.in_force(end, intent);
            let fulfilments = end.ledger.net(intent, self.fulfilled);
            if captures == fulfilments && captures <= 1 {
                continue;
            }
            findings.violated(end.now, Some(intent), || {
                let name = end.intent(intent);
                let paid = balance(end, self.captured, intent, captures);
                let got = balance(end, self.fulfilled, intent, fulfilments);
                format!("{name} has {paid} and {got} in force")
            });
        }
    }

    fn memory_bytes(&self) -> usize {
        self.accounts.capacity() * size_of::<Account>()
    }
}

/// What an intent has of a kind: `charge-4`, `no order`, `2 charge effects (charge-4, charge-9)`.
fn balance(end: Scene<'_>, kind: KindId, intent: u32, count: u32) -> String {
    let effects = of_kind(end, kind).into_iter();
    let own = effects.filter(|effect| effect.intent == intent && effect.in_force());
    let names: Vec<String> = own.map(|effect| end.effect(kind, effect.number)).collect();
    match count {
        0 => format!("no {}", end.kind(kind)),
        1 if names.len() == 1 => names.join(""),
        n => format!("{n} {} effects ({})", end.kind(kind), names.join(", ")),
    }
}
