//! The story of a run: decisions, losses, effects and faults, in order, up to a bound.
//!
//! Notes are small and copyable while the run lasts. They become sentences when somebody reads them:
//! most runs of a study nobody reads.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use sim_core::{Span, Time};
use sim_policies::breaker::Transition;
use sim_policies::outlier::Ejection;
use sim_policies::{Ending, Fate, Reason};
use sim_redis::value::{TextId, Texts};

use crate::intent::Intents;
use crate::ledger::StaleToken;
use crate::plan::{
    ActorId, BreakerId, Doing, FaultId, KindId, OutlierId, PairId, Plan, ProgramId, QueueId,
};

/// Who decides on an intent, in the story.
pub(crate) const USER: &str = "user";

/// One thing worth telling.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note {
    Submitted {
        intent: u32,
        submission: u32,
        /// To pay, under the first key or another, or to have a refund.
        does: Doing,
    },
    Retry {
        intent: u32,
        pair: PairId,
        attempt: u32,
        after: Span,
        ending: Ending,
    },
    GaveUp {
        intent: u32,
        pair: PairId,
        reason: Reason,
        ending: Ending,
    },
    Rejected {
        intent: u32,
        pair: PairId,
        reason: Reason,
    },
    Waits {
        intent: u32,
        pair: PairId,
        what: Wait,
        wait: Option<Span>,
    },
    Tests {
        intent: u32,
        pair: PairId,
    },
    /// A timeout that does not cancel is over.
    LeftBehind {
        intent: u32,
        pair: PairId,
    },
    Hedges {
        intent: u32,
        pair: PairId,
        attempt: u32,
    },
    Scaled {
        actor: ActorId,
        from: u32,
        looked: Looked,
    },
    TooLate {
        intent: u32,
        actor: ActorId,
    },
    Ejection {
        outlier: OutlierId,
        instance: u32,
        ejection: Ejection,
    },
    Lost {
        intent: u32,
        pair: PairId,
        what: Loss,
    },
    Effect {
        intent: u32,
        actor: ActorId,
        kind: KindId,
        number: u32,
        repeated: bool,
    },
    Fenced {
        intent: u32,
        actor: ActorId,
        kind: KindId,
        stale: StaleToken,
    },
    /// A broker has a message, or is done with it for one subscriber.
    Message {
        intent: u32,
        queue: QueueId,
        what: Handover,
    },
    Told {
        intent: u32,
        fate: Fate,
        refunded: Option<KindId>,
    },
    Left {
        intent: u32,
    },
    /// A program learns that its call has failed, or that a fallback has answered.
    Learns {
        intent: u32,
        program: ProgramId,
        pair: PairId,
        ending: Ending,
        goes: Goes,
    },
    /// A store has refused a command.
    StoreError {
        intent: u32,
        store: ActorId,
        error: TextId,
    },
    Transition {
        breaker: BreakerId,
        instance: u32,
        transition: Transition,
    },
    StoreLost {
        store: ActorId,
        how: StoreLoss,
        writes: u32,
    },
    WriteLost {
        intent: u32,
        store: ActorId,
        key: TextId,
    },
    Evicted {
        store: ActorId,
        keys: u32,
    },
    Struck {
        fault: FaultId,
        /// Of a fault that hits whoever passes a point: the instance.
        instance: Option<u32>,
    },
    Healed {
        fault: FaultId,
    },
}

/// How a program goes on after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    /// With the answer of a fallback.
    Degraded,
    /// It handles the error.
    Handles,
    /// It fails of the error, after its `finally` or its compensation.
    CleansUp,
    /// Nobody handles the error.
    Fails,
}

/// What a call waits for before it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// A permit of a bulkhead.
    Permit,
    /// Its turn at a rate limiter.
    Rate,
    /// Its turn at the rate limit of the client's retry mode.
    Pace,
    /// The end of a breaker's test.
    Test,
}

/// What becomes of a message at a broker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handover {
    Stored,
    /// Handed out once more: the attempt's number.
    Again(u32),
    /// Handed out too often.
    Dead,
}

/// How a store lost writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StoreLoss {
    /// A replica took over that did not have them.
    Failover,
    /// They were not on the disk yet.
    Crash,
    /// They were made at a primary that another one had replaced.
    Demotion,
}

/// Where a message was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// On its way out.
    Request,
    /// On its way back: the work is done.
    Answer,
    /// At a callee that accepted it and forgot it.
    Hung,
}

/// What an autoscaler found when it looked, and how many instances it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    pub wanted: u32,
    /// How much was in use since the last look, of all that there was.
    pub used_percent: u32,
    /// How much should be.
    pub target_percent: u32,
}

/// The most decisions that are kept beside the notes.
const DECISIONS_MAX: usize = 10_000;

/// The notes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    notes: Vec<(Time, u64, Note)>,
    notes_max: u64,
    omitted: u64,
    /// Those of autoscalers and outlier detection once more: they are few, and a story that is
    /// full must not hide them.
    decisions: Vec<(Time, u64, Note)>,
}

impl Log {
    pub(crate) fn new(notes_max: u64) -> Log {
        Log { notes: Vec::new(), notes_max, omitted: 0, decisions: Vec::new() }
    }

    pub(crate) fn push(&mut self, at: Time, step: u64, note: Note) {
        if let Note::Scaled { .. } | Note::Ejection { .. } = note
            && self.decisions.len() < DECISIONS_MAX
        {
            self.decisions.push((at, step, note));
        }
        if (self.notes.len() as u64) < self.notes_max {
            self.notes.push((at, step, note));
        } else {
            self.omitted += 1;
        }
    }

    #[cfg(test)]
    pub(crate) fn notes(&self) -> impl Iterator<Item = Note> {
        self.notes.iter().map(|(_, _, note)| *note)
    }

    /// How many notes there were so far, kept or not.
    pub(crate) fn count(&self) -> u64 {
        self.notes.len() as u64 + self.omitted
    }

    /// Every note that was kept, with its time and step.
    pub(crate) fn all(&self) -> &[(Time, u64, Note)] {
        &self.notes
    }

    pub(crate) fn omitted(&self) -> u64 {
        self.omitted
    }

    /// The notes as sentences, once somebody reads them.
    pub(crate) fn into_story(self, plan: Arc<Plan>, texts: Texts, intents: Intents) -> Story {
        Story::told(move || {
            let line = |noted: &(Time, u64, Note)| LogLine::of(noted, &plan, &texts, &intents);
            self.notes.iter().map(line).collect()
        })
    }

    /// What autoscalers and outlier detection decided, in order.
    pub(crate) fn decisions(&self, plan: &Plan, texts: &Texts, intents: &Intents) -> Vec<LogLine> {
        self.decisions.iter().map(|noted| LogLine::of(noted, plan, texts, intents)).collect()
    }
}

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Time,
    /// The step of the run.
    pub step: u64,
    /// The intent that it concerns, such as `shoppers-17`.
    pub intent: Option<String>,
    /// Who: an actor, or a caller and callee.
    pub who: String,
    /// What happened: `attempt 2 in 2s after timed out`.
    pub what: String,
}

impl LogLine {
    fn of(noted: &(Time, u64, Note), plan: &Plan, texts: &Texts, intents: &Intents) -> LogLine {
        let &(at, step, note) = noted;
        let Sentence { intent, who, what } = note.sentence(plan, texts);
        let intent = intent.map(|intent| intents.name(plan, intent));
        LogLine { at, step, intent, who, what }
    }
}

/// The lines of a run's story, in order. They are put into words when the first is read.
#[derive(Clone)]
pub struct Story(Arc<LazyLock<Vec<LogLine>, Teller>>);

type Teller = Box<dyn FnOnce() -> Vec<LogLine> + Send>;

impl Story {
    fn told(teller: impl FnOnce() -> Vec<LogLine> + Send + 'static) -> Story {
        Story(Arc::new(LazyLock::new(Box::new(teller))))
    }
}

impl From<Vec<LogLine>> for Story {
    fn from(lines: Vec<LogLine>) -> Story {
        Story::told(|| lines)
    }
}

impl Deref for Story {
    type Target = [LogLine];

    fn deref(&self) -> &[LogLine] {
        &self.0
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What a line of the story says.
#[derive(Clone, Debug)]
pub(crate) struct Sentence {
    pub intent: Option<u32>,
    pub who: String,
    pub what: String,
}

impl Note {
    /// The note in words.
    pub(crate) fn sentence(self, plan: &Plan, texts: &Texts) -> Sentence {
        let (intent, who, what) = words(self, plan, texts);
        Sentence { intent, who, what }
    }
}

fn words(note: Note, plan: &Plan, texts: &Texts) -> (Option<u32>, String, String) {
    match note {
        Note::Submitted { intent, submission, does } => {
            let what = match (submission, does) {
                (_, Doing::Refund) => "asks for a refund".to_owned(),
                (1, _) => "submits".to_owned(),
                (_, Doing::NewKey) => "submits again, under a new key".to_owned(),
                (_, Doing::Click | Doing::Leave) => format!("submits again, click {submission}"),
            };
            (Some(intent), USER.to_owned(), what)
        }
        Note::Retry { intent, pair, attempt, after, ending } => {
            let what = format!("attempt {attempt} in {after}, after {ending}");
            (Some(intent), plan.pair_name(pair), what)
        }
        Note::GaveUp { intent, pair, reason, ending } => {
            (Some(intent), plan.pair_name(pair), format!("gave up after {ending}: {reason}"))
        }
        Note::Rejected { intent, pair, reason } => {
            (Some(intent), plan.pair_name(pair), format!("not sent: {reason}"))
        }
        Note::Waits { intent, pair, what, wait } => {
            let what = match what {
                Wait::Permit => "waits for a bulkhead permit",
                Wait::Rate => "waits for the rate limit",
                Wait::Pace => "waits for the client's own rate limit",
                Wait::Test => "waits for the breaker's test",
            };
            let wait = wait.map(|wait| format!(", {wait}")).unwrap_or_default();
            (Some(intent), plan.pair_name(pair), format!("{what}{wait}"))
        }
        Note::Tests { intent, pair } => {
            (Some(intent), plan.pair_name(pair), "goes as a test of the breaker".to_owned())
        }
        Note::LeftBehind { intent, pair } => {
            let what = "nobody waits any more; what was begun goes on".to_owned();
            (Some(intent), plan.pair_name(pair), what)
        }
        Note::Hedges { intent, pair, attempt } => {
            let what = format!("attempt {attempt}: hedged, no answer yet");
            (Some(intent), plan.pair_name(pair), what)
        }
        Note::Scaled { actor, from, looked: Looked { wanted, used_percent, target_percent } } => {
            let why = match wanted < from {
                true => ", as at every look that counts",
                false => "",
            };
            let what = format!(
                "autoscaler: {wanted} instances instead of {from}: {used_percent} % in use, target \
                 {target_percent} %{why}"
            );
            (None, plan.actor_name(actor).to_owned(), what)
        }
        Note::TooLate { intent, actor } => {
            let what = "deadline already passed, not begun".to_owned();
            (Some(intent), plan.actor_name(actor).to_owned(), what)
        }
        Note::Ejection { outlier, instance, ejection } => {
            let name = |host: u32| plan.actor_name(plan.outlier_host(outlier, host));
            let what = match ejection {
                Ejection::Ejected { host, cause, weighed, until } => {
                    format!("{} ejected until {until}: {cause} ({weighed})", name(host))
                }
                Ejection::Returned { host } => format!("{} is back", name(host)),
            };
            (None, plan.layer_name(plan.outliers[outlier.index()], instance), what)
        }
        Note::Lost { intent, pair, what } => {
            let what = match what {
                Loss::Request => "request lost",
                Loss::Answer => "answer lost",
                Loss::Hung => "request accepted and forgotten",
            };
            (Some(intent), plan.pair_name(pair), what.to_owned())
        }
        Note::Effect { intent, actor, kind, number, repeated } => {
            let id = plan.effect_name(kind, number);
            let what = if repeated { format!("{id} again: same key") } else { id };
            (Some(intent), plan.actor_name(actor).to_owned(), what)
        }
        Note::Fenced { intent, actor, kind, stale: StaleToken { token, highest } } => {
            let kind = &plan.kinds[kind.index()];
            let what = format!("{kind} refused: token {token} after {highest}");
            (Some(intent), plan.actor_name(actor).to_owned(), what)
        }
        Note::Message { intent, queue, what } => {
            let what = match what {
                Handover::Stored => "message stored".to_owned(),
                Handover::Again(attempt) => format!("message not acknowledged, delivery {attempt}"),
                Handover::Dead => "message is dead: delivered too often".to_owned(),
            };
            (Some(intent), plan.queues[queue.index()].name.clone(), what)
        }
        Note::Told { intent, fate, refunded } => {
            let what = match (fate, refunded) {
                (Fate::Succeeded, None) => "told success".to_owned(),
                (Fate::Succeeded, Some(kind)) => {
                    format!("told that the {} is given back", plan.kinds[kind.index()])
                }
                (Fate::Failed, _) => "told failure".to_owned(),
                (Fate::Unknown, _) => "never learns what happened".to_owned(),
            };
            (Some(intent), USER.to_owned(), what)
        }
        Note::Learns { intent, program, pair, ending, goes } => {
            let callee = plan.actor_name(plan.pairs[pair.index()].1);
            let what = match goes {
                Goes::Degraded => format!("goes on with a fallback's answer for {callee}"),
                Goes::Handles => format!("{callee}: {ending}; handles it"),
                Goes::CleansUp => format!("{callee}: {ending}; cleans up, and fails"),
                Goes::Fails => format!("{callee}: {ending}; nobody handles it"),
            };
            (Some(intent), plan.programs[program.index()].name.clone(), what)
        }
        Note::StoreError { intent, store, error } => {
            let what = format!("refuses: {}", texts.text(error));
            (Some(intent), plan.actor_name(store).to_owned(), what)
        }
        Note::Left { intent } => {
            (Some(intent), USER.to_owned(), "leaves without an answer".to_owned())
        }
        Note::Transition { breaker, instance, transition } => {
            let breaker = plan.layer_name(plan.breakers[breaker.index()], instance);
            (None, breaker, transition.to_string())
        }
        Note::StoreLost { store, how, writes } => {
            let what = match how {
                StoreLoss::Failover => "failover",
                StoreLoss::Crash => "restart from its file",
                StoreLoss::Demotion => "the old primary is a replica now",
            };
            let what = format!("{what}, {} lost", counted(writes, "write"));
            (None, plan.actor_name(store).to_owned(), what)
        }
        Note::WriteLost { intent, store, key } => {
            let what = format!("the write to {} is lost", texts.text(key));
            (Some(intent), plan.actor_name(store).to_owned(), what)
        }
        Note::Evicted { store, keys } => {
            let what = format!("{} evicted", counted(keys, "key"));
            (None, plan.actor_name(store).to_owned(), what)
        }
        Note::Struck { fault, instance } => {
            let which = instance.map(|n| format!(", instance {n}")).unwrap_or_default();
            (None, "fault".to_owned(), [&plan.faults[fault.index()].label, &which[..]].concat())
        }
        Note::Healed { fault } => {
            (None, "healed".to_owned(), plan.faults[fault.index()].label.clone())
        }
    }
}

/// `1 write`, `2 writes`.
fn counted(n: u32, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
