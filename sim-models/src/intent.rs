//! Intents: what users decided to do, each once, whatever it takes to do it.
//!
//! Ledger and invariants count per intent. An idempotency key is something else: it may merge two
//! intents or split one.

use std::ops::{Index, IndexMut};

use sim_core::{Moment, Time};
use sim_policies::Fate;

use crate::plan::{ActorId, KindId, Plan, ProgramId, numbered};

/// What a user knows of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntentState {
    /// Told success.
    Succeeded,
    /// Told success that rests on a fallback's answer.
    Degraded,
    /// Told a definite failure.
    Failed,
    /// Told that nobody knows, or gone before anybody told.
    Unknown,
    /// Told nothing in time.
    Unanswered,
}

impl IntentState {
    /// Its name in files, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            IntentState::Succeeded => "succeeded",
            IntentState::Degraded => "degraded",
            IntentState::Failed => "failed",
            IntentState::Unknown => "unknown",
            IntentState::Unanswered => "unanswered",
        }
    }
}

/// One decision of one user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intent {
    pub client: ActorId,
    /// Its number at the client, from 1.
    pub number: u32,
    pub user: u32,
    /// The process of the client at which it arose.
    pub instance: u32,
    /// Addresses its luck: the same whatever becomes of other intents.
    pub lineage: u64,
    pub begun: Time,
    /// Submissions that there will be as far as is known, those so far, and those that have ended.
    pub expected: u32,
    pub submitted: u32,
    pub ended: u32,
    /// When it counted as achieved or as missed, and how it stood then.
    pub counted: Option<(Time, IntentState)>,
    /// All submissions that were expected have ended once.
    pub is_over: bool,
    /// How many keys it has had.
    pub keys: u32,
    /// When its user last asked for a refund.
    pub asked_back: Option<Time>,
    /// The user does not know whether that was granted.
    pub refund_open: bool,
    /// The user has left of their own accord, and waits for nothing.
    pub has_quit: bool,
    pub told: Option<Fate>,
    /// Told success, and that an effect of this kind was given back.
    pub refunded: Option<KindId>,
    /// No user's: what a service does by itself.
    pub background: Option<ProgramId>,
    /// When that was last decided.
    pub told_at: Moment,
}

impl Intent {
    /// One of which nothing has been submitted yet.
    pub(crate) fn new(client: ActorId, number: u32, lineage: u64, begun: Time) -> Intent {
        Intent {
            client,
            number,
            user: 0,
            instance: 0,
            lineage,
            begun,
            expected: 0,
            submitted: 0,
            ended: 0,
            counted: None,
            is_over: false,
            keys: 1,
            asked_back: None,
            refund_open: false,
            has_quit: false,
            told: None,
            refunded: None,
            background: None,
            told_at: Moment { at: Time::ZERO, step: 0 },
        }
    }

    /// A submission that began then has ended, and what was given back if it ended well.
    pub(crate) fn hear(&mut self, fate: Fate, refunded: Option<KindId>, begun: Time) {
        // Success outweighs everything, and doubt outweighs a failure: one submission of the
        // intent may have done what another failed to do.
        self.told = Some(match (self.told, fate) {
            (Some(Fate::Succeeded), _) | (_, Fate::Succeeded) => Fate::Succeeded,
            (Some(Fate::Unknown), _) | (_, Fate::Unknown) => Fate::Unknown,
            (_, Fate::Failed) => Fate::Failed,
        });
        // Of two good endings the later one is what the user has heard last. But who was promised
        // the money back is not content with the late success of what was called off.
        let is_called_off =
            self.refunded.is_some() && self.asked_back.is_some_and(|at| begun <= at);
        if fate == Fate::Succeeded && !is_called_off {
            self.refunded = refunded;
        }
    }

    /// A request for a refund has ended, and what was given back if it ended well.
    pub(crate) fn hear_of_refund(&mut self, fate: Fate, refunded: Option<KindId>) {
        self.refund_open = fate == Fate::Unknown;
        if fate == Fate::Succeeded && refunded.is_some() {
            (self.told, self.refunded) = (Some(Fate::Succeeded), refunded);
        }
    }

    /// The user was told success, and asked for no refund that may be: what was paid for is theirs.
    pub(crate) fn is_acked(&self) -> bool {
        self.told == Some(Fate::Succeeded) && self.refunded.is_none() && !self.refund_open
    }
}

/// All intents of a run, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intents(Vec<Intent>);

impl Intents {
    /// The number of a new one.
    pub(crate) fn push(&mut self, intent: Intent) -> u32 {
        let number = u32::try_from(self.0.len()).expect("the step limit bounds intents");
        self.0.push(intent);
        number
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.0.len() as u32
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Intent> {
        self.0.get(number as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Intent)> {
        (0..).zip(&self.0)
    }

    /// `shoppers-17`, or the program that a service runs for nobody.
    pub(crate) fn name(&self, plan: &Plan, number: u32) -> String {
        let Intent { client, number, background, .. } = self[number];
        match background {
            Some(program) => plan.programs[program.index()].name.clone(),
            None => numbered(plan.actor_name(client), number),
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Intent>()
    }
}

impl Index<u32> for Intents {
    type Output = Intent;
    fn index(&self, number: u32) -> &Intent {
        &self.0[number as usize]
    }
}

impl IndexMut<u32> for Intents {
    fn index_mut(&mut self, number: u32) -> &mut Intent {
        &mut self.0[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHARGE: KindId = KindId(0);

    #[test]
    fn what_was_paid_for_is_theirs_unless_it_was_given_back_or_may_have_been() {
        let paid = || {
            let mut intent = Intent::new(ActorId(0), 1, 1, Time::ZERO);
            intent.hear(Fate::Succeeded, None, Time::ZERO);
            intent
        };
        assert!(paid().is_acked());
        let asked = |answers: &[(Fate, Option<KindId>)]| {
            let mut intent = paid();
            answers.iter().for_each(|(fate, kind)| intent.hear_of_refund(*fate, *kind));
            intent.is_acked()
        };
        let (doubt, no, yes) =
            ((Fate::Unknown, None), (Fate::Failed, None), (Fate::Succeeded, Some(CHARGE)));
        assert!(!asked(&[doubt]), "it may have been given back");
        assert!(!asked(&[yes]));
        assert!(asked(&[no]));
        assert!(asked(&[doubt, no]), "the last answer leaves no doubt");
        assert!(!asked(&[doubt, yes]) && !asked(&[yes, no]) && !asked(&[no, doubt]));
    }
}
