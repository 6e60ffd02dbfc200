//! Intents: what users decided to do, each once, whatever it takes to do it.
//!
//! Ledger and invariants count per intent. An idempotency key is something else: it may merge two
//! intents or split one.

use std::ops::{Index, IndexMut};

use sim_core::{Moment, Time};
use sim_policies::Fate;

use crate::plan::{ActorId, KindId, Plan, ProgramId, numbered};

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
    /// Submissions so far, and those that have ended.
    pub submitted: u32,
    pub ended: u32,
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
            submitted: 0,
            ended: 0,
            told: None,
            refunded: None,
            background: None,
            told_at: Moment { at: Time::ZERO, step: 0 },
        }
    }

    /// The user was told success, and nothing of a refund: what was paid for is theirs.
    pub(crate) fn is_acked(&self) -> bool {
        self.told == Some(Fate::Succeeded) && self.refunded.is_none()
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
