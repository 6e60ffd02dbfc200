//! What a law is: what it wants to see, what it may look at, and how it judges.

use std::collections::BTreeMap;
use std::fmt::Debug;

use sim_core::{Moment, Span, Time};
use sim_policies::breaker::Transition;
use sim_policies::{Ending, Fate};
use sim_redis::value::{Texts, Value};

use super::findings::Findings;
use super::write::Write;
use crate::intent::Intents;
use crate::ledger::{Entry, Ledger};
use crate::metrics::Metrics;
use crate::plan::{ActorId, BreakerId, KindId, PairId, Plan, Server};

/// Something that has happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    /// The ledger's last entry is new.
    Effect { kind: KindId, intent: u32 },
    /// A submission of a client began.
    Submitted { client: ActorId },
    /// A submission ended; `submission` names it among those under way.
    Ended {
        submission: u64,
        intent: u32,
        begun: Time,
        fate: Fate,
        /// How the call ended that the submission failed of. `None` when it succeeded, when its
        /// program failed by itself, and when the user left.
        ending: Option<Ending>,
        /// It succeeded with a fallback's answer, which is no goodput.
        is_degraded: bool,
    },
    /// A client's program got an answer.
    Received { submission: u64, intent: u32, success: bool, content: Value },
    /// A request arrived at an actor.
    Arrived { actor: ActorId, retry: bool },
    /// A retry was decided on; `attempt` is its number, 2 being the first retry.
    Retry { pair: PairId, intent: u32, attempt: u32, wait: Span, ending: Ending },
    /// A breaker of one instance has changed its state.
    Transition { breaker: (BreakerId, u32), transition: Transition },
    /// An endpoint answered a request. Of the body, what its design compares is `asked`; `kept` is
    /// what the design has kept as the answer, or else the content.
    Answered {
        from: Server,
        intent: u32,
        key: Value,
        asked: Value,
        body: Value,
        status: u16,
        kept: Value,
        content: Value,
    },
    /// An attempt of a call was sent. `key` is the key of the request that its caller serves.
    Sent { to: Server, call: u64, caller: ActorId, intent: u32, key: Value },
    /// A store has carried out a command that changed a key.
    Written { store: ActorId, execution: i64, intent: u32, write: Write },
    /// The caller of such an attempt got its answer, or no longer awaits it.
    Settled { to: Server, call: u64, intent: u32, key: Value },
}

/// What happenings have in common: laws say which topics they want to see.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topic {
    Effects,
    Submissions,
    Receipts,
    Arrivals,
    Retries,
    Transitions,
    Answers,
    Flights,
    Writes,
}

impl Seen {
    pub(crate) fn topic(&self) -> Topic {
        match self {
            Seen::Effect { .. } => Topic::Effects,
            Seen::Submitted { .. } | Seen::Ended { .. } => Topic::Submissions,
            Seen::Received { .. } => Topic::Receipts,
            Seen::Arrived { .. } => Topic::Arrivals,
            Seen::Retry { .. } => Topic::Retries,
            Seen::Transition { .. } => Topic::Transitions,
            Seen::Answered { .. } => Topic::Answers,
            Seen::Written { .. } => Topic::Writes,
            Seen::Sent { .. } | Seen::Settled { .. } => Topic::Flights,
        }
    }
}

/// What a law may look at, at the moment of a happening.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub plan: &'a Plan,
    pub texts: &'a Texts,
    pub intents: &'a Intents,
    pub ledger: &'a Ledger,
    pub metrics: &'a Metrics,
    pub now: Moment,
}

impl<'a> Scene<'a> {
    /// The effects that are wanted, in order, by intent.
    pub(super) fn by_intent(
        self,
        is_wanted: impl Fn(&Entry) -> bool,
    ) -> BTreeMap<u32, Vec<&'a Entry>> {
        let mut found: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
        for entry in self.ledger.entries().iter().filter(|entry| is_wanted(entry)) {
            found.entry(entry.intent).or_default().push(entry);
        }
        found
    }

    /// `shoppers-17`.
    pub(super) fn intent(&self, intent: u32) -> String {
        self.intents.name(self.plan, intent)
    }

    /// `charge-4`.
    pub(super) fn effect(&self, kind: KindId, number: u32) -> String {
        self.plan.effect_name(kind, number)
    }

    /// The effect that has just happened.
    pub(super) fn latest(&self) -> &Entry {
        self.ledger.entries().last().expect("an effect has happened")
    }

    /// `charge`.
    pub(super) fn kind(&self, kind: KindId) -> &str {
        &self.plan.kinds[kind.index()]
    }

    /// `api.pay`.
    pub(super) fn server(&self, server: Server) -> String {
        let plan = self.plan;
        match server {
            Server::Endpoint(endpoint) => {
                plan.programs[plan.endpoints[endpoint.index()].index()].name.clone()
            }
            Server::Custom { actor, endpoint } => {
                format!("{}.{}", plan.actor_name(actor), self.texts.show(endpoint))
            }
        }
    }

    /// The client whose intent it is: a tenant.
    pub(super) fn client(&self, intent: u32) -> ActorId {
        self.intents[intent].client
    }
}

/// What must hold, with what it has to remember.
pub(super) trait Law: Debug {
    /// What the law wants to see. Without any, it judges by the end of the run alone.
    fn topics(&self) -> &'static [Topic] {
        &[]
    }

    /// Something has happened of which the law may have wanted to know.
    fn see(&mut self, _seen: &Seen, _scene: Scene<'_>, _findings: &mut Findings) {}

    /// Whether it says nothing else of an intent once nothing more happens to that one. What others do
    /// then is nothing to it.
    fn ends_with_intent(&self) -> bool {
        false
    }

    /// Judges what only the whole run can tell.
    fn conclude(&self, _end: Scene<'_>, _findings: &mut Findings) {}

    /// An estimate of the memory held, in bytes.
    fn memory_bytes(&self) -> usize {
        0
    }
}

/// The law of what is judged elsewhere, when the run is over.
#[derive(Debug)]
pub(super) struct Unseen;

impl Law for Unseen {}
