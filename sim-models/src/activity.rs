//! Requests as trees of activities: what tracing tools call spans.
//!
//! ```text
//! intent shoppers-17
//!   submission 1
//!     call shoppers->api            over all attempts, and the waits between them
//!       attempt 1                   until its caller stops waiting
//!         work api.pay              from arrival to answer, at the callee
//!           call api->redis
//!             attempt Set(…)        a command of a store
//! ```
//!
//! The run is repeated, and this time the messages of some intents are kept: of the first so many, and of
//! all that a violation names. So what is drawn is never without what went wrong.
//!
//! **Invariant:** drawing requests changes nothing about a run. Its digest is that of `sim run`.

use std::collections::BTreeSet;

use sim_core::{Time, mix};
use sim_policies::Fate;

use crate::Scenario;
use crate::account::{Account, IntentState};
use crate::outcome::Outcome;
use crate::plan::{ActorKind, Plan, instance_name};
use crate::run::Told;
use crate::trace::{Asks, Lasting, Message, Place, SpellEnd, What};
use crate::why::words;

/// The requests of a run.
#[derive(Clone, Debug)]
pub struct Activities {
    /// What the run found.
    pub outcome: Outcome,
    /// Each after the one of which it is a part.
    pub activities: Vec<Activity>,
    /// What was decided and lost, effects and faults: of these intents, in order.
    pub notes: Vec<Remark>,
    /// Intents that are not drawn.
    pub intents_omitted: u64,
    /// A bound on memory has left something out of those that are.
    pub is_cut: bool,
}

/// Something that lasts, and is a part of something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Tells it from all others of the run; never 0. It comes from the address of its luck, so that
    /// another policy leaves it as it is.
    pub id: u64,
    /// What it is a part of: a place in the list; `None` of an intent.
    pub parent: Option<usize>,
    /// The intent that it serves: a place in the list, its own of an intent.
    pub intent: usize,
    /// What it is.
    pub kind: ActivityKind,
    /// In words: `charge, key tx-4, attempt 2`.
    pub name: String,
    /// Who does it: an actor.
    pub actor: String,
    /// Which of its instances, where it has several: `api[3]`.
    pub instance: Option<String>,
    /// When it begins.
    pub from: Time,
    /// When it ends; `None` of what has no end in the run.
    pub to: Option<Time>,
    /// How it ends.
    pub state: ActivityState,
    /// The same in words: `status 503`, `answer lost`.
    pub ending: String,
}

/// What an activity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityKind {
    /// A user's decision, or what a service does on its own.
    Intent,
    /// A click.
    Submission,
    /// A call over all its attempts.
    Call,
    /// A message, until its sender stops waiting for the answer.
    Attempt,
    /// The same, to a store.
    Command,
    /// A request at its callee.
    Work,
}

impl ActivityKind {
    /// Its name in files, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            ActivityKind::Intent => "intent",
            ActivityKind::Submission => "submission",
            ActivityKind::Call => "call",
            ActivityKind::Attempt => "attempt",
            ActivityKind::Command => "command",
            ActivityKind::Work => "work",
        }
    }
}

/// How an activity ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityState {
    /// In success.
    Succeeded,
    /// In a definite failure.
    Failed,
    /// Nobody who asked for it knows how.
    Unknown,
    /// Not in this run.
    Open,
}

impl ActivityState {
    /// Its name in files, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            ActivityState::Succeeded => "succeeded",
            ActivityState::Failed => "failed",
            ActivityState::Unknown => "unknown",
            ActivityState::Open => "open",
        }
    }
}

impl From<Fate> for ActivityState {
    fn from(fate: Fate) -> ActivityState {
        match fate {
            Fate::Succeeded => ActivityState::Succeeded,
            Fate::Failed => ActivityState::Failed,
            Fate::Unknown => ActivityState::Unknown,
        }
    }
}

/// A line of the story that concerns one of the intents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The intent: a place in the list of activities.
    pub intent: usize,
    /// When.
    pub at: Time,
    /// Who: an actor, or a caller and callee.
    pub who: String,
    /// What happened.
    pub what: String,
}

impl Scenario {
    /// Runs it to its end and tells the requests of the first so many intents, and of all that a
    /// violation names, as trees of activities.
    pub fn activities(&self, seed: u64, intents: u32) -> Activities {
        let account = self.account(seed);
        let violations = account.violations.iter().map(|broken| &broken.violation);
        let named: BTreeSet<&str> = violations
            .flat_map(|violation| [&violation.intent, &violation.other])
            .filter_map(|intent| intent.as_deref())
            .collect();
        let lines = account.intents.iter();
        let those = lines.filter(|line| named.contains(line.name.as_str()));
        let told = self.start(seed).finish_told(intents, those.map(|line| line.number).collect());
        Builder::new(self.plan(), &told, &account).build()
    }
}

struct Builder<'a> {
    plan: &'a Plan,
    told: &'a Told,
    account: &'a Account,
    ids: BTreeSet<u64>,
    activities: Vec<Activity>,
    /// The places of the intents that are drawn, by number.
    intents: Vec<Option<usize>>,
    /// The places of submissions and calls, and of messages: as sent, and at their callee.
    spells: Vec<Option<usize>>,
    messages: Vec<[Option<usize>; 2]>,
    courses: Vec<Course>,
}

/// When each thing happened to a message.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    sent: Option<Time>,
    arrived: Option<Time>,
    answered: Option<Time>,
    returned: Option<(Time, bool)>,
    lost: Option<(Time, crate::log::Loss)>,
}

impl<'a> Builder<'a> {
    fn new(plan: &'a Plan, told: &'a Told, account: &'a Account) -> Builder<'a> {
        let mut courses = vec![Course::default(); told.trace.messages.len()];
        for event in &told.trace.events {
            let at = event.at;
            match event.what {
                What::Sent(m) => courses[m as usize].sent = Some(at),
                What::Arrived(m) => courses[m as usize].arrived = Some(at),
                What::Answered(m) => courses[m as usize].answered = Some(at),
                What::Lost(m, loss) => courses[m as usize].lost = Some((at, loss)),
                What::Returned { message: m, is_wanted } => {
                    courses[m as usize].returned = Some((at, is_wanted));
                }
            }
        }
        Builder {
            plan,
            told,
            account,
            ids: BTreeSet::from([0]),
            activities: Vec::new(),
            intents: vec![None; told.intents.len() as usize],
            spells: vec![None; told.trace.spells.len()],
            messages: vec![[None; 2]; told.trace.messages.len()],
            courses,
        }
    }

    fn build(mut self) -> Activities {
        for number in 0..self.told.intents.len() {
            if self.told.trace.keeps(number) {
                self.intent(number);
            }
        }
        for spell in 0..self.spells.len() {
            self.spell(spell);
        }
        for message in 0..self.messages.len() {
            self.message(message);
        }
        let notes = self.notes();
        let drawn = self.intents.iter().flatten().count() as u64;
        Activities {
            outcome: self.told.outcome.clone(),
            notes,
            intents_omitted: self.intents.len() as u64 - drawn,
            is_cut: self.told.trace.is_cut || self.told.outcome.log_omitted > 0,
            activities: self.activities,
        }
    }

    /// An address that no other activity has.
    fn id(&mut self, lineage: u64, kind: ActivityKind) -> u64 {
        let mut id = mix(lineage, kind as u64 + 1);
        while !self.ids.insert(id) {
            id = mix(id, 1);
        }
        id
    }

    fn add(&mut self, activity: Activity) -> usize {
        self.activities.push(activity);
        self.activities.len() - 1
    }

    fn intent(&mut self, number: u32) {
        let intent = self.told.intents[number];
        let own = self.account.intents.binary_search_by_key(&number, |line| line.number);
        let (to, state, ending) = match own.map(|n| &self.account.intents[n]) {
            Ok(line) => {
                let state = match line.state {
                    IntentState::Succeeded | IntentState::Degraded => ActivityState::Succeeded,
                    IntentState::Failed => ActivityState::Failed,
                    IntentState::Unknown => ActivityState::Unknown,
                    IntentState::Unanswered => ActivityState::Open,
                };
                (line.settled, state, line.state.name().to_owned())
            }
            // What a service does on its own is for nobody.
            Err(_) => (None, ActivityState::Open, "background".to_owned()),
        };
        let place = self.activities.len();
        let lineage = mix(intent.lineage, number.into());
        let activity = Activity {
            id: self.id(lineage, ActivityKind::Intent),
            parent: None,
            intent: place,
            kind: ActivityKind::Intent,
            name: self.told.intents.name(self.plan, number),
            actor: self.plan.actor_name(intent.client).to_owned(),
            instance: None,
            from: intent.begun,
            to,
            state,
            ending,
        };
        self.intents[number as usize] = Some(self.add(activity));
    }

    fn spell(&mut self, n: usize) -> Option<usize> {
        if let Some(place) = self.spells[n] {
            return Some(place);
        }
        let spell = self.told.trace.spells[n];
        let intent = self.intents[spell.intent as usize]?;
        let (state, ending) = match spell.ended {
            None => (ActivityState::Open, "open".to_owned()),
            Some((_, SpellEnd::Abandoned)) => (ActivityState::Unknown, "abandoned".to_owned()),
            Some((_, SpellEnd::Ended(ending, fate))) => (fate.into(), ending.to_string()),
            Some((_, SpellEnd::Told(fate))) => {
                let state = ActivityState::from(fate);
                (state, state.name().to_owned())
            }
        };
        let (kind, name, at) = match spell.what {
            Lasting::Submission(number) => {
                let client = self.told.intents[spell.intent].client;
                (ActivityKind::Submission, format!("submission {number}"), (client, None))
            }
            Lasting::Call { pair, instance } => {
                let (from, _) = self.plan.pairs[pair.index()];
                (ActivityKind::Call, self.plan.pair_name(pair), (from, Some(instance)))
            }
        };
        let parent = self.parent(spell.lineage, intent);
        let activity = Activity {
            id: self.id(spell.lineage, kind),
            parent: Some(parent),
            intent,
            kind,
            name,
            actor: self.plan.actor_name(at.0).to_owned(),
            instance: self.instance(at),
            from: spell.begun,
            to: spell.ended.map(|(at, _)| at),
            state,
            ending,
        };
        let place = self.add(activity);
        self.spells[n] = Some(place);
        Some(place)
    }

    /// A message, and its work at the callee if it arrives there.
    fn message(&mut self, m: usize) -> Option<[Option<usize>; 2]> {
        if self.messages[m][0].is_some() {
            return Some(self.messages[m]);
        }
        let message = &self.told.trace.messages[m];
        let course = self.courses[m];
        let intent = self.intents[message.intent as usize]?;
        let parent = self.parent(message.lineage, intent);
        let is_command = matches!(message.asks, Asks::Command(..));
        let kind = if is_command { ActivityKind::Command } else { ActivityKind::Attempt };
        let (to, state, ending) = sent(message, course);
        let activity = Activity {
            id: self.id(message.lineage, kind),
            parent: Some(parent),
            intent,
            kind,
            name: words::request(message, self.plan, &self.told.texts),
            actor: self.plan.actor_name(message.from.0).to_owned(),
            instance: self.instance(message.from),
            from: course.sent?,
            to,
            state,
            ending,
        };
        let place = self.add(activity);
        self.messages[m][0] = Some(place);
        // A store answers in one step; its command says all there is to say.
        if let (Some(arrived), false) = (course.arrived, is_command) {
            let (state, ending) = match (course.answered, message.answer) {
                (Some(_), Some((ending, _))) => (ending.fate().into(), ending.to_string()),
                _ => (ActivityState::Open, "never answered".to_owned()),
            };
            let work = Activity {
                id: self.id(message.lineage, ActivityKind::Work),
                parent: Some(place),
                intent,
                kind: ActivityKind::Work,
                name: self.work(message),
                actor: self.plan.actor_name(message.to.0).to_owned(),
                instance: self.instance(message.to),
                from: arrived,
                to: course.answered,
                state,
                ending,
            };
            self.messages[m][1] = Some(self.add(work));
        }
        Some(self.messages[m])
    }

    fn work(&self, message: &Message) -> String {
        match message.asks {
            Asks::Endpoint(endpoint) => {
                let program = self.plan.endpoints[endpoint.index()];
                self.plan.programs[program.index()].name.clone()
            }
            Asks::Queue(queue) => format!("store in {}", self.plan.queues[queue.index()].name),
            Asks::Custom(endpoint) => {
                let actor = self.plan.actor_name(message.to.0);
                format!("{actor}.{}", self.told.texts.show(endpoint))
            }
            Asks::Command(..) => String::new(),
        }
    }

    /// The place of what a lineage belongs to: that of the intent where nobody knows.
    fn parent(&mut self, lineage: u64, intent: usize) -> usize {
        let mut at = lineage;
        // A lineage is of one thing, so that this comes to an end.
        for _ in 0..PARENTS_MAX {
            let Some(&parent) = self.told.trace.parents.get(&at) else { break };
            if parent != lineage {
                if let Some(spell) = self.told.trace.spell_of(parent) {
                    return self.spell(spell as usize).unwrap_or(intent);
                }
                if let Some(message) = self.told.trace.message_of(parent) {
                    let places = self.message(message as usize);
                    let [sent, work] = places.unwrap_or_default();
                    return work.or(sent).unwrap_or(intent);
                }
            }
            at = parent;
        }
        intent
    }

    /// `api[3]`, of an actor with several instances.
    fn instance(&self, (actor, instance): Place) -> Option<String> {
        let is_service = matches!(self.plan.actors[actor.index()].kind, ActorKind::Service(_));
        let instance = instance.filter(|_| is_service && self.plan.instances(actor) > 1)?;
        Some(instance_name(self.plan.actor_name(actor), instance))
    }

    fn notes(&self) -> Vec<Remark> {
        let lines = self.told.notes.iter();
        let remark = |(at, _, note): &(Time, u64, crate::log::Note)| {
            let said = note.sentence(self.plan, &self.told.texts);
            let intent = self.intents[said.intent? as usize]?;
            Some(Remark { intent, at: *at, who: said.who, what: said.what })
        };
        lines.filter_map(remark).collect()
    }
}

/// So many steps lead from a branch to the program around it.
const PARENTS_MAX: usize = 1_000;

/// Until when the sender of a message waits, and what it learns.
fn sent(message: &Message, course: Course) -> (Option<Time>, ActivityState, String) {
    use crate::log::Loss;
    if let (Some((at, true)), Some((ending, _))) = (course.returned, message.answer) {
        return (Some(at), ending.fate().into(), ending.to_string());
    }
    let until = message.awaited_until;
    let lost = course.lost.map(|(at, loss)| {
        let what = match loss {
            Loss::Request => "request lost",
            Loss::Answer => "answer lost",
            Loss::Hung => "accepted and forgotten",
        };
        (at, what)
    });
    match (lost, course.returned, until) {
        (Some((at, what)), ..) => (until.or(Some(at)), ActivityState::Unknown, what.to_owned()),
        (_, Some((at, _)), _) => {
            (Some(until.unwrap_or(at)), ActivityState::Unknown, "answered too late".to_owned())
        }
        (.., Some(at)) => (Some(at), ActivityState::Unknown, "not awaited any more".to_owned()),
        (.., None) => (None, ActivityState::Open, "open".to_owned()),
    }
}
