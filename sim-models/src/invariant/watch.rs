//! The watch over all invariants of one run, and what the world shows it.

use std::fmt::Debug;

use sim_core::{Moment, Span, Time};
use sim_policies::{Ending, Fate};
use sim_redis::value::{Texts, Value};

use super::rule::law;
use super::{Findings, Write};
use crate::intent::Intents;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::outcome::{InvariantResult, InvariantVerdict, Violation};
use crate::plan::{ActorId, InvariantPlan, KindId, PairId, Plan, Server};

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
    },
    /// A client's program got an answer.
    Received { submission: u64, intent: u32, success: bool, content: Value },
    /// A request arrived at an actor.
    Arrived { actor: ActorId, retry: bool },
    /// A retry was decided on; `attempt` is its number, 2 being the first retry.
    Retry { pair: PairId, intent: u32, attempt: u32, wait: Span },
    /// An endpoint answered a request.
    Answered { from: Server, intent: u32, key: Value, body: Value, status: u16, content: Value },
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

impl Scene<'_> {
    /// `shoppers-17`.
    pub(super) fn intent(&self, intent: u32) -> String {
        self.intents.name(self.plan, intent)
    }

    /// `charge-4`.
    pub(super) fn effect(&self, kind: KindId, number: u32) -> String {
        self.plan.effect_name(kind, number)
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

    /// Judges what only the whole run can tell.
    fn conclude(&self, _end: Scene<'_>, _findings: &mut Findings) {}

    /// An estimate of the memory held, in bytes.
    fn memory_bytes(&self) -> usize {
        0
    }
}

/// Watches all invariants of one run.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    checks: Vec<Check>,
    /// One bit per topic that some law wants to see.
    topics: u32,
}

#[derive(Debug)]
struct Check {
    law: Box<dyn Law>,
    findings: Findings,
}

impl Watch {
    pub(crate) fn new(plan: &Plan) -> Watch {
        let check = |invariant: &InvariantPlan| Check {
            law: law(&invariant.rule),
            findings: Findings::default(),
        };
        let checks: Vec<Check> = plan.invariants.iter().map(check).collect();
        let topics = checks.iter().flat_map(|check| check.law.topics());
        let topics = topics.fold(0, |all, topic| all | 1 << *topic as u32);
        Watch { checks, topics }
    }

    /// Whether some law wants to know of such happenings. Whoever has to look something up before it
    /// can tell asks first.
    pub(crate) fn wants(&self, topic: Topic) -> bool {
        self.topics & (1 << topic as u32) != 0
    }

    /// Shows every law what has happened.
    pub(crate) fn see(&mut self, seen: &Seen, scene: Scene<'_>) {
        for Check { law, findings } in &mut self.checks {
            law.see(seen, scene, findings);
        }
    }

    /// An estimate of the memory held, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.checks.iter().map(|check| check.law.memory_bytes()).sum()
    }

    /// The judgement over every invariant, in the scenario's order.
    pub(crate) fn results(&self, end: Scene<'_>) -> Vec<InvariantResult> {
        let judge = |(check, plan): (&Check, &InvariantPlan)| {
            let mut findings = check.findings.clone();
            check.law.conclude(end, &mut findings);
            let Findings { exercised, violations, first } = findings;
            let verdict = match (violations, exercised) {
                (1.., _) => InvariantVerdict::Violated,
                (0, true) => InvariantVerdict::Kept,
                (0, false) => InvariantVerdict::Vacuous,
            };
            let first = first.map(|found| Violation {
                at: found.at.at,
                step: found.at.step,
                intent: found.intent.map(|intent| end.intent(intent)),
                witness: found.witness,
            });
            let (name, known) = (plan.name.clone(), plan.known);
            InvariantResult { name, known, verdict, violations, first }
        };
        self.checks.iter().zip(&end.plan.invariants).map(judge).collect()
    }
}
