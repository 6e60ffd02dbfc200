//! The marks of a run as lifelines and rows.

use std::collections::BTreeMap;

use sim_core::Time;
use sim_policies::Ending;
use sim_redis::value::{TextId, Value};

use super::keys::{End, Keys};
use super::marks::{Body, Mark, marks};
use super::{
    Broken, Fate, Hold, HoldEnd, Lifeline, LifelineKind, Row, Sequence, Tone, Way, What, fold,
    words,
};
use crate::Scenario;
use crate::log::{Goes, Loss, Note};
use crate::outcome::Violation;
use crate::plan::{ActorId, ActorKind, Fault, KvOp, PairId, Plan, Trigger, instance_name};
use crate::run::Told;
use crate::trace::{Asks, By, Message, Place, What as Event};

/// More rows than that after the violation are counted instead of shown.
const AFTERMATH_MAX: usize = 24;

/// Of a longer story the end is told, before it is folded and afterwards.
const ROWS_FOLDED: usize = 2_000;
pub(super) const ROWS_MAX: usize = 160;

/// Where on the page somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    User(u32),
    At(ActorId, Option<u32>),
}

/// When each thing happened to a message, by the place of its mark.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    arrived: Option<usize>,
    answered: Option<usize>,
    returned: Option<usize>,
    is_wanted: bool,
    lost: Option<Loss>,
}

struct Builder<'a> {
    told: &'a Told,
    plan: &'a Plan,
    intents: &'a [u32],
    /// What they are called, each once: the runs of a program have one name.
    names: Vec<String>,
    keys: Keys<'a>,
    marks: Vec<Mark>,
    ways: Vec<Course>,
    lifelines: Vec<(Who, Lifeline)>,
    rows: Vec<Row>,
    /// The row of each mark.
    row_of: Vec<Option<usize>>,
    /// Messages that arrive in a row further down: the row in which they were sent.
    under_way: BTreeMap<(u32, bool), usize>,
    /// The instance of each actor that was last concerned.
    seen_at: BTreeMap<ActorId, u32>,
}

/// Tells a run.
pub(super) fn sequence(
    scenario: &Scenario,
    told: &Told,
    intents: &[u32],
    violation: Option<(String, Violation)>,
) -> Sequence {
    let plan = scenario.plan();
    let mut builder = Builder::new(told, plan, intents);
    builder.build();
    let broken = violation.map(|(promise, violation)| builder.broken(promise, violation));
    let last = builder.rows.iter().rposition(|row| row.intent.is_some());
    let whole = last.map_or(0, |last| last + 1);
    let end = match &broken {
        // What follows is part of the story, unless it is long.
        Some(broken) if whole.saturating_sub(broken.row) > AFTERMATH_MAX => broken.row + 1,
        Some(broken) => whole.max(broken.row + 1),
        None => whole,
    };
    let holds = builder.holds(end);
    let names = builder.names.clone();
    let mut sequence = Sequence {
        scenario: scenario.name().to_owned(),
        variant: scenario.variant().map(str::to_owned),
        seed: told.outcome.run_id.seed,
        digest: told.outcome.digest,
        intents: names,
        broken,
        lifelines: builder.lifelines.into_iter().map(|(_, lifeline)| lifeline).collect(),
        left_out: whole.saturating_sub(end),
        left_out_before: 0,
        rows: builder.rows,
        holds,
    };
    sequence.rows.truncate(end);
    fold::cut_ways(&mut sequence);
    // Nobody waits until all of a long story is folded.
    fold::keep_last(&mut sequence, ROWS_FOLDED);
    fold::fold(&mut sequence);
    fold::gaps(&mut sequence);
    fold::keep_last(&mut sequence, ROWS_MAX);
    fold::prune(&mut sequence);
    sequence
}

impl<'a> Builder<'a> {
    fn new(told: &'a Told, plan: &'a Plan, intents: &'a [u32]) -> Builder<'a> {
        let marks = with_expiries(marks(told, plan, intents), told, plan);
        let mut ways = vec![Course::default(); told.trace.messages.len()];
        for (n, mark) in marks.iter().enumerate() {
            let Body::Event(event) = mark.body else { continue };
            match event {
                Event::Sent(_) => {}
                Event::Arrived(m) => ways[m as usize].arrived = Some(n),
                Event::Answered(m) => ways[m as usize].answered = Some(n),
                Event::Returned { message: m, is_wanted } => {
                    ways[m as usize].returned = Some(n);
                    ways[m as usize].is_wanted = is_wanted;
                }
                Event::Lost(m, loss) => ways[m as usize].lost = Some(loss),
            }
        }
        let row_of = vec![None; marks.len()];
        let mut names: Vec<String> = Vec::new();
        for intent in intents {
            let name = told.intents.name(plan, *intent);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut builder = Builder {
            told,
            plan,
            intents,
            names,
            keys: Keys::new(told, plan),
            marks,
            ways,
            lifelines: Vec::new(),
            rows: Vec::new(),
            row_of,
            under_way: BTreeMap::new(),
            seen_at: BTreeMap::new(),
        };
        for intent in intents {
            if told.intents[*intent].background.is_none() {
                builder.lifeline(Who::User(*intent));
            }
        }
        for message in &told.trace.messages {
            builder.end_of(message, message.from);
            builder.end_of(message, message.to);
        }
        builder
    }

    /// The number of a lifeline, which is there from now on.
    fn lifeline(&mut self, who: Who) -> usize {
        if let Some(n) = self.place_of(who) {
            return n;
        }
        let lifeline = match who {
            Who::User(intent) => Lifeline {
                name: self.told.intents.name(self.plan, intent),
                kind: LifelineKind::User,
            },
            Who::At(actor, instance) => {
                let name = self.plan.actor_name(actor);
                Lifeline {
                    name: instance.map_or(name.to_owned(), |n| instance_name(name, n)),
                    kind: match self.plan.actors[actor.index()].kind {
                        ActorKind::Kv(_) => LifelineKind::Store,
                        ActorKind::Broker => LifelineKind::Broker,
                        _ => LifelineKind::Service,
                    },
                }
            }
        };
        self.lifelines.push((who, lifeline));
        self.lifelines.len() - 1
    }

    fn place_of(&self, who: Who) -> Option<usize> {
        self.lifelines.iter().position(|(other, _)| *other == who)
    }

    fn who(&self, (actor, instance): Place, intent: u32) -> Who {
        match &self.plan.actors[actor.index()].kind {
            ActorKind::Client(_) => Who::User(intent),
            ActorKind::Service(_) if self.plan.instances(actor) > 1 => {
                Who::At(actor, instance.or_else(|| self.seen_at.get(&actor).copied()))
            }
            _ => Who::At(actor, None),
        }
    }

    fn end_of(&mut self, message: &Message, place: Place) -> usize {
        self.lifeline(self.who(place, message.intent))
    }

    /// A lifeline of an actor that is already there, for what names no instance.
    fn known(&self, actor: ActorId, intent: Option<u32>) -> Option<usize> {
        let who = intent.map(|intent| self.who((actor, None), intent));
        let exact = who.and_then(|who| self.place_of(who));
        let any = || {
            self.lifelines.iter().position(|(other, _)| match other {
                Who::At(at, _) => *at == actor,
                Who::User(intent) => self.told.intents[*intent].client == actor,
            })
        };
        exact.or_else(any)
    }

    fn message(&self, m: u32) -> &'a Message {
        &self.told.trace.messages[m as usize]
    }

    /// The lifelines that a mark touches.
    fn touched(&self, n: usize) -> Vec<usize> {
        let mark = self.marks[n];
        let at = |m: u32, end: fn(&Message) -> Place| {
            let message = self.message(m);
            self.place_of(self.who(end(message), message.intent)).into_iter().collect()
        };
        match mark.body {
            Body::Event(event) => match event {
                Event::Sent(m) | Event::Returned { message: m, .. } => at(m, |m| m.from),
                Event::Arrived(m) | Event::Answered(m) => at(m, |m| m.to),
                Event::Lost(..) => Vec::new(),
            },
            Body::Note(note) => match self.place(note, mark.intent) {
                Some((from, to)) => vec![from, to],
                None => Vec::new(),
            },
            Body::Expired { store, .. } => self.known(store, None).into_iter().collect(),
        }
    }

    fn of_message(&self, n: usize) -> Option<u32> {
        match self.marks[n].body {
            Body::Event(
                Event::Sent(m)
                | Event::Arrived(m)
                | Event::Answered(m)
                | Event::Lost(m, _)
                | Event::Returned { message: m, .. },
            ) => Some(m),
            _ => None,
        }
    }

    /// Whether nothing else happens at a lifeline between two marks of a message.
    fn is_quiet(&self, from: usize, to: usize, at: usize) -> bool {
        let own = self.of_message(from);
        (from + 1..to).all(|n| self.of_message(n) == own || !self.touched(n).contains(&at))
    }

    fn push(&mut self, n: usize, row: Row) -> usize {
        self.rows.push(row);
        self.row_of[n] = Some(self.rows.len() - 1);
        self.rows.len() - 1
    }

    fn row(&self, n: usize, what: What, text: String, tone: Tone) -> Row {
        let Mark { at, step, intent, .. } = self.marks[n];
        let intent = intent.and_then(|intent| self.whose(intent));
        Row { at, step, intent, what, text, why: None, tone }
    }

    /// The place of an intent's name, if it is one of those that are told.
    fn whose(&self, intent: u32) -> Option<usize> {
        self.intents.contains(&intent).then(|| {
            let name = self.told.intents.name(self.plan, intent);
            self.names.iter().position(|other| *other == name).expect("it was named")
        })
    }

    fn build(&mut self) {
        for n in 0..self.marks.len() {
            match self.marks[n].body {
                Body::Note(note) => self.note(n, note),
                Body::Event(event) => self.event(n, event),
                Body::Expired { store, key } => self.expired(n, store, key),
            }
        }
    }

    fn event(&mut self, n: usize, event: Event) {
        match event {
            Event::Sent(m) => self.sent(n, m),
            Event::Arrived(m) => {
                let message = self.message(m);
                if let (actor, Some(instance)) = message.to {
                    self.seen_at.insert(actor, instance);
                }
                self.arrives(n, (m, false), message.to);
            }
            Event::Answered(m) => self.answered(n, m),
            Event::Returned { message: m, .. } => self.arrives(n, (m, true), self.message(m).from),
            Event::Lost(..) => {}
        }
    }

    /// A row for the end of a message that was sent further up.
    fn arrives(&mut self, n: usize, message: (u32, bool), place: Place) {
        let Some(of) = self.under_way.remove(&message) else { return };
        let to = self.end_of(self.message(message.0), place);
        // Its arguments stand further up.
        let said = &self.rows[of].text;
        let text = format!("{} arrives", said.split_once('(').map_or(&said[..], |(name, _)| name));
        let row = self.row(n, What::Arrival { of, to }, text, Tone::Plain);
        let until = self.push(n, row);
        if let What::Message { until: end, .. } = &mut self.rows[of].what {
            *end = until;
        }
    }

    fn sent(&mut self, n: usize, m: u32) {
        let (message, way) = (self.message(m), self.ways[m as usize]);
        let ends = [self.end_of(message, message.from), self.end_of(message, message.to)];
        let text = words::request(message, self.plan, &self.told.texts);
        let [from, to] = ends;
        let here = self.rows.len();
        let is_exchange = matches!(message.asks, Asks::Command(..))
            && way.is_wanted
            && matches!((way.answered, way.returned), (Some(answered), Some(returned))
                if self.is_quiet(n, answered, ends[1])
                    && self.is_quiet(answered, returned, ends[0]));
        let (kind, text, fate, why) = if is_exchange {
            let (reply, why) = self.reply(m);
            (Way::Exchange, format!("{text} → {reply}"), Fate::Arrives, why)
        } else {
            (Way::Request, text, self.fate(way, false), None)
        };
        let tone = if fate == Fate::Arrives { Tone::Plain } else { Tone::Trouble };
        let what = What::Message { from, to, way: kind, until: here, fate };
        let mut row = self.row(n, what, text, tone);
        row.why = why.or_else(|| lost(fate, false));
        self.push(n, row);
        if is_exchange {
            let of = [way.arrived, way.answered, way.returned];
            of.into_iter().flatten().for_each(|mark| self.row_of[mark] = Some(here));
        } else {
            self.goes(n, (m, false), way.arrived, to);
        }
    }

    /// A message ends in the row of its beginning, or further down if something comes between.
    fn goes(&mut self, n: usize, message: (u32, bool), end: Option<usize>, to: usize) {
        let (Some(end), Some(here)) = (end, self.row_of[n]) else { return };
        if self.is_quiet(n, end, to) {
            self.row_of[end] = Some(here);
        } else {
            self.under_way.insert(message, here);
        }
    }

    fn answered(&mut self, n: usize, m: u32) {
        if self.row_of[n].is_some() {
            return;
        }
        let (message, way) = (self.message(m), self.ways[m as usize]);
        let (from, to) = (self.end_of(message, message.to), self.end_of(message, message.from));
        let here = self.rows.len();
        let fate = self.fate(way, true);
        let (text, why) = match message.asks {
            Asks::Command(..) => self.reply(m),
            _ => {
                let (ending, body) = message.answer.expect("it was answered");
                (words::answer(ending, body, &self.told.texts), None)
            }
        };
        let is_well = message.answer.is_some_and(|(ending, _)| ending.is_success());
        let tone = if fate == Fate::Arrives && is_well { Tone::Plain } else { Tone::Trouble };
        let mut row = self.row(
            n,
            What::Message { from, to, way: Way::Answer, until: here, fate },
            text,
            tone,
        );
        row.why = lost(fate, true).or(why);
        self.push(n, row);
        self.goes(n, (m, true), way.returned, to);
    }

    fn fate(&self, way: Course, is_answer: bool) -> Fate {
        match way.lost {
            Some(Loss::Answer) if is_answer => Fate::Lost,
            Some(Loss::Request) if !is_answer => Fate::Lost,
            Some(Loss::Hung) if !is_answer => Fate::Forgotten,
            _ if is_answer && way.returned.is_some() && !way.is_wanted => Fate::TooLate,
            _ => Fate::Arrives,
        }
    }

    /// A store's reply, and why it is that one.
    fn reply(&self, m: u32) -> (String, Option<String>) {
        let message = self.message(m);
        let (ending, body) = message.answer.expect("it was answered");
        let number = message.command;
        let command = number.map(|number| &self.told.trace.commands[number as usize]);
        let error = command.and_then(|command| command.error.as_deref());
        let text = words::reply(ending, body, error, &self.told.texts);
        let Asks::Command(op, _) = &message.asks else { return (text, None) };
        let (Some(number), Some(command), None) = (number, command, error) else {
            return (text, None);
        };
        let Some((key, _)) = command.keys.first().copied() else { return (text, None) };
        let is_nothing = matches!(body, Value::Nil | Value::Int(0));
        let why = match &**op {
            KvOp::Set { nx: true, .. } if is_nothing => self.keys.who_has(number, key),
            KvOp::Set { nx: true, .. } => {
                let was =
                    self.keys.was_there(number, key).then(|| self.keys.why_absent(number, key));
                let both = [was.map(|was| format!("free: {was}")), self.keys.until(number, key)];
                let both: Vec<String> = both.into_iter().flatten().collect();
                (!both.is_empty()).then(|| both.join("; now "))
            }
            KvOp::Set { .. } => self.keys.until(number, key),
            KvOp::HSetNx { .. } | KvOp::ZAdd { .. } if is_nothing => self.keys.who_has(number, key),
            KvOp::CompareAndDelete { .. }
            | KvOp::CompareAndSet { .. }
            | KvOp::CompareAndExpire { .. }
                if is_nothing =>
            {
                let is_there =
                    self.keys.who_has(number, key).filter(|_| self.keys.is_there(number, key));
                Some(is_there.unwrap_or_else(|| self.keys.why_absent(number, key)))
            }
            // What a replica or an old primary lacks, the primary may have.
            op if op.nature().reads
                && is_nothing
                && (command.by != By::Primary || !self.keys.is_there(number, key)) =>
            {
                Some(self.keys.why_absent(number, key))
            }
            KvOp::Del(_) | KvOp::GetDel(_) | KvOp::HDel { .. } if is_nothing => {
                Some(self.keys.why_absent(number, key))
            }
            _ => None,
        };
        (text, why)
    }

    fn expired(&mut self, n: usize, store: ActorId, key: TextId) {
        let Some(at) = self.known(store, None) else { return };
        let text = format!("{} expires", self.told.texts.text(key));
        let row = self.row(n, What::Deed { at }, text, Tone::Trouble);
        self.push(n, row);
    }

    /// What a program learns of a call, where no row above says it.
    fn learns(&self, at: usize, callee: ActorId, ending: Ending, goes: Goes) -> Option<String> {
        let told = self.rows.iter().rev().find(|row| match row.what {
            What::Message { from, to, way, .. } => {
                to == at && way == Way::Answer || from == at && way == Way::Exchange
            }
            What::Arrival { to, .. } => to == at,
            What::Deed { at: other } => other == at,
            _ => false,
        });
        let is_news = told.is_none_or(|row| match row.what {
            What::Deed { .. } => false,
            _ => ending == Ending::TimedOut || matches!(ending, Ending::Rejected(_)),
        });
        let callee = self.plan.actor_name(callee);
        Some(match goes {
            Goes::Degraded => "goes on with its fallback's answer".to_owned(),
            Goes::Handles if is_news => format!("{callee}: {ending}; the program handles it"),
            Goes::Handles => "the program handles it".to_owned(),
            Goes::CleansUp if is_news => {
                format!("{callee}: {ending}; the program cleans up, and fails")
            }
            Goes::CleansUp => "the program cleans up, and fails".to_owned(),
            Goes::Fails if is_news => format!("{callee}: {ending}"),
            Goes::Fails => return None,
        })
    }

    /// The lifelines that a note is about, if it is to be shown.
    fn place(&self, note: Note, intent: Option<u32>) -> Option<(usize, usize)> {
        let at = |actor: ActorId| self.known(actor, intent).map(|n| (n, n));
        let caller = |pair: PairId| at(self.plan.pairs[pair.index()].0);
        match note {
            // The message's own row says it.
            Note::Lost { .. } | Note::StoreError { .. } => None,
            Note::Submitted { intent, .. } | Note::Told { intent, .. } | Note::Left { intent } => {
                at(self.told.intents[intent].client)
            }
            Note::Retry { pair, .. }
            | Note::GaveUp { pair, .. }
            | Note::Rejected { pair, .. }
            | Note::Waits { pair, .. }
            | Note::Tests { pair, .. }
            | Note::LeftBehind { pair, .. }
            | Note::Learns { pair, .. }
            | Note::Hedges { pair, .. } => caller(pair),
            Note::Scaled { actor, .. }
            | Note::TooLate { actor, .. }
            | Note::Effect { actor, .. }
            | Note::Fenced { actor, .. } => at(actor),
            Note::StoreLost { store, .. }
            | Note::WriteLost { store, .. }
            | Note::Evicted { store, .. } => at(store),
            Note::Message { queue, .. } => at(self.plan.queues[queue.index()].broker),
            Note::Transition { breaker, .. } => at(self.plan.breaker(breaker).owner),
            Note::Ejection { outlier, .. } => {
                let place = self.plan.outliers[outlier.index()];
                at(self.plan.stacks[place.stack.index()].owner)
            }
            Note::Struck { fault, .. } | Note::Healed { fault } => {
                let entry = &self.plan.faults[fault.index()];
                let mut hit = actors(entry.fault);
                // What strikes whoever passes a point names nobody: it is the actor of that program.
                if let (true, Trigger::After { point, .. }) = (hit.is_empty(), entry.trigger) {
                    let point = self.plan.points[point.index()].as_str();
                    let name = point.split(['.', '/']).next().unwrap_or(point);
                    let ids = (0..self.plan.actors.len()).map(ActorId::nth);
                    hit.extend(ids.filter(|id| self.plan.actor_name(*id) == name));
                }
                let ends: Vec<usize> =
                    hit.into_iter().filter_map(|actor| self.known(actor, None)).collect();
                let first = ends.iter().min()?;
                Some((*first, *ends.iter().max()?))
            }
        }
    }

    fn note(&mut self, n: usize, note: Note) {
        let Some((from, to)) = self.place(note, self.marks[n].intent) else { return };
        let what = if from == to { What::Deed { at: from } } else { What::Across { from, to } };
        let said = note.sentence(self.plan, &self.told.texts).what;
        let (text, why, tone) = match note {
            Note::Retry { attempt, after, ending, .. } => (
                format!("attempt {attempt} in {after}"),
                Some(format!("after {ending}")),
                Tone::Decision,
            ),
            Note::GaveUp { reason, ending, .. } => {
                (format!("gives up: {reason}"), Some(format!("after {ending}")), Tone::Decision)
            }
            Note::Learns { pair, ending, goes, .. } => {
                let callee = self.plan.pairs[pair.index()].1;
                let Some(text) = self.learns(from, callee, ending, goes) else { return };
                let is_lost = matches!(goes, Goes::Fails | Goes::CleansUp);
                (text, None, if is_lost { Tone::Trouble } else { Tone::Decision })
            }
            Note::Effect { .. } => (said, None, Tone::Effect),
            Note::Struck { .. } => (said, None, Tone::Fault),
            Note::Healed { .. } => (format!("healed: {said}"), None, Tone::Healed),
            Note::StoreLost { .. }
            | Note::WriteLost { .. }
            | Note::Evicted { .. }
            | Note::Fenced { .. }
            | Note::TooLate { .. }
            | Note::LeftBehind { .. } => (said, None, Tone::Trouble),
            Note::Transition { .. } => (format!("breaker {said}"), None, Tone::Decision),
            _ => (said, None, Tone::Decision),
        };
        let mut row = self.row(n, what, text, tone);
        row.why = why;
        self.push(n, row);
    }

    /// In which row a promise breaks; there is one for what has not happened by the end.
    fn broken(&mut self, promise: String, violation: Violation) -> Broken {
        let own =
            |n: &usize| Some(self.marks[*n].step) == violation.step && self.row_of[*n].is_some();
        let says = |n: &usize| match self.marks[*n].body {
            Body::Note(note) => {
                let said = note.sentence(self.plan, &self.told.texts);
                said.who == violation.who && said.what == violation.what
            }
            Body::Event(_) | Body::Expired { .. } => false,
        };
        let marks = || (0..self.marks.len()).rev().filter(own);
        let mark = marks().find(says).or_else(|| marks().next());
        let row = match mark.and_then(|n| self.row_of[n]) {
            Some(row) => row,
            None => {
                // What had not happened by then is said where everything is over by then.
                let row = self.rows.iter().rposition(|row| row.at <= violation.at);
                let row = row.map_or(0, |row| row + 1);
                let at = self.known_or_first(violation.intent.as_deref());
                let text = violation.witness.clone();
                let before = row.checked_sub(1).map_or(0, |before| self.rows[before].step);
                let step = violation.step.unwrap_or(before);
                let (at, what) = (violation.at, What::Deed { at });
                let new =
                    Row { at, step, intent: None, what, text, why: None, tone: Tone::Violation };
                self.rows.truncate(row);
                self.rows.push(new);
                row
            }
        };
        self.rows[row].tone = Tone::Violation;
        Broken { promise, witness: violation.witness, row }
    }

    fn known_or_first(&self, intent: Option<&str>) -> usize {
        let is_it = |(_, lifeline): &(Who, Lifeline)| Some(lifeline.name.as_str()) == intent;
        self.lifelines.iter().position(is_it).unwrap_or(0)
    }

    /// The keys that were taken as a lock is: set when absent, with a lifetime.
    fn holds(&mut self, rows: usize) -> Vec<Hold> {
        let mut holds = Vec::new();
        for m in 0..self.told.trace.messages.len() as u32 {
            let message = self.message(m);
            let Some((number, key)) = taken(message, self.told) else { continue };
            let Some(from) = self.taken_in(m).filter(|from| *from < rows) else { continue };
            let command = &self.told.trace.commands[number as usize];
            let (until, end) = match self.keys.end(number, key) {
                None => (None, HoldEnd::Held),
                Some(End::Expired(at)) => (self.row_at(at, rows), HoldEnd::Expired),
                Some(End::By(n, other)) => {
                    let is_own = other.intent == command.intent;
                    let end = if is_own { HoldEnd::Released } else { HoldEnd::ByAnother };
                    (self.row_of_command(n, other.at, rows), end)
                }
            };
            let end = if until.is_none() { HoldEnd::Held } else { end };
            let intent = self.whose(message.intent);
            let store = self.end_of(message, message.to);
            let key = self.told.texts.text(key).to_owned();
            holds.push(Hold { store, key, intent: intent.unwrap_or(0), from, until, end });
        }
        holds
    }

    fn taken_in(&self, m: u32) -> Option<usize> {
        self.ways[m as usize].answered.and_then(|mark| self.row_of[mark])
    }

    /// The row of a command; where nobody sees it, that of its instant.
    fn row_of_command(&self, number: u32, at: Time, rows: usize) -> Option<usize> {
        let is_it = |message: &&Message| message.command == Some(number);
        let messages = (0..).zip(&self.told.trace.messages);
        let own =
            messages.filter(|(_, message)| is_it(message)).find_map(|(m, _)| self.taken_in(m));
        own.map_or_else(|| self.row_at(at, rows), |row| Some(row).filter(|row| *row < rows))
    }

    /// The first of the rows at an instant or after it.
    fn row_at(&self, at: Time, rows: usize) -> Option<usize> {
        self.rows[..rows].iter().position(|row| row.at >= at)
    }
}

/// The marks with those expiries among them that end a lock's time.
fn with_expiries(mut marks: Vec<Mark>, told: &Told, plan: &Plan) -> Vec<Mark> {
    let keys = Keys::new(told, plan);
    for message in &told.trace.messages {
        let Some((number, key)) = taken(message, told) else { continue };
        let Some(End::Expired(at)) = keys.end(number, key) else { continue };
        // After the end of the story nobody asks.
        let Some(n) = marks.iter().position(|mark| mark.at > at) else { continue };
        let body = Body::Expired { store: message.to.0, key };
        // No step is needed for it: it is over after the last one before.
        let step = n.checked_sub(1).map_or(0, |before| marks[before].step);
        marks.insert(n, Mark { at, step, intent: Some(message.intent), body });
    }
    marks
}

/// The command and the key of a message that took a lock: set when absent, with a lifetime.
fn taken(message: &Message, told: &Told) -> Option<(u32, TextId)> {
    let Asks::Command(op, _) = &message.asks else { return None };
    let KvOp::Set { nx: true, px, ex, .. } = &**op else { return None };
    let is_taken = message.answer.is_some_and(|(_, body)| body == Value::Bool(true));
    let number = message.command.filter(|_| is_taken && px.or(*ex).is_some())?;
    let (key, _) = told.trace.commands[number as usize].keys.first()?;
    Some((number, *key))
}

fn lost(fate: Fate, is_answer: bool) -> Option<String> {
    let why = match fate {
        Fate::Arrives => return None,
        Fate::Lost if is_answer => "lost: the work is done, and nobody learns it",
        Fate::Lost => "lost on its way",
        Fate::Forgotten => "accepted, and never answered",
        Fate::TooLate => "too late: nobody waits for it any more",
    };
    Some(why.to_owned())
}

/// The actors that a fault names.
fn actors(fault: Fault) -> Vec<ActorId> {
    let mut actors = Vec::new();
    let see = |actor: &ActorId, _, _| {
        actors.push(*actor);
        Some(())
    };
    let _ = fault.map(see, |_, replica| Some(*replica));
    actors
}
