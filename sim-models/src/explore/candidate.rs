//! What could go wrong at each moment of a run.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::{Span, Time, mix};
use sim_redis::Eviction;

use crate::Scenario;
use crate::lineage::{Lineage, Moment, Way, What};
use crate::plan::{ActorId, ActorKind, Doing, Fault, FaultEntry, Plan, Trigger};
use crate::source::Tree;

/// Users do the same: what can happen to the third can happen to the thousandth.
const INTENTS_MAX: usize = 3;

/// So many intents are a load.
const INTENTS_OF_A_LOAD: usize = 100;

/// As often does an intent pass one place before it is taken for a repetition.
const OCCURRENCES_MAX: u32 = 4;

/// The most lengths of time for which a fault is tried at one moment.
const LENGTHS_MAX: usize = 16;

/// How long a process is down, and a server out of order.
const DOWN: Span = Span::secs(1);

/// So many times longer does work take at a server that is slow.
const SLOWER: f64 = 100.0;

/// What is sent at an instant, and nothing else, is hit by a fault that lasts so long.
const INSTANT: Span = Span::micros(1);

/// One fault, at a moment of a run.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) entry: FaultEntry,
    /// A fault that begins before it, without which it would do nothing.
    pub(super) before: Option<FaultEntry>,
    /// When it strikes.
    pub(super) at: Time,
    /// Where, whenever that is.
    pub(super) place: What,
    /// The plainest come first.
    pub(super) round: u32,
    /// Within a round, those next to what the promises are about come first.
    pub(super) rank: u32,
}

impl Candidate {
    /// All that strikes, in order.
    pub(super) fn entries(self) -> impl Iterator<Item = FaultEntry> {
        self.before.into_iter().chain([self.entry])
    }
}

/// Where faults can strike, and for how long.
#[derive(Debug)]
pub(super) struct Ground {
    /// The lengths that the scenario names, the longest first.
    written: Vec<Span>,
    /// Those that the good run never counted down: who knows when a run under faults begins to.
    unarmed: Vec<Span>,
    horizon: Time,
    clocks: Vec<ActorId>,
}

/// What may go wrong at one moment: each fault with its round, and for how long it lasts.
struct Ways<'a> {
    plan: &'a Plan,
    moment: &'a Moment,
    trigger: Trigger,
    rank: u32,
    /// For how long a fault lasts, the longest first: until just after each thing that is due then.
    lengths: Vec<Span>,
    /// By how much a copy is late: until just after each key of the intent expires.
    later: Vec<Span>,
    /// By how much the clock of a store must go until a key of the intent has expired.
    expiring: Vec<(ActorId, Span)>,
    /// The one before it found the same process in the same state: what strikes all of the process
    /// would do the same once more.
    is_again: bool,
    /// The same of what the user may do.
    is_again_for_user: bool,
    found: &'a mut Vec<Candidate>,
}

impl Ways<'_> {
    fn add(&mut self, round: usize, lasts: Option<Span>, fault: Fault) {
        self.add_after(None, round, lasts, fault);
    }

    fn add_after(
        &mut self,
        before: Option<FaultEntry>,
        round: usize,
        lasts: Option<Span>,
        fault: Fault,
    ) {
        let entry = entry(self.trigger, lasts, fault);
        let (at, round, rank) = (self.moment.at, round as u32, self.rank);
        let place = place(self.moment.what);
        self.found.push(Candidate { entry, before, at, place, round, rank });
    }

    /// The instance of an actor that passes or sends, if it has several.
    fn instance(&self, actor: ActorId) -> Option<u32> {
        (self.plan.instances(actor) > 1).then_some(self.moment.instance)
    }
}

/// A label is for people, and nobody reads these runs.
fn entry(trigger: Trigger, lasts: Option<Span>, fault: Fault) -> FaultEntry {
    FaultEntry { trigger, lasts, fault, label: String::new() }
}

fn at(time: Time) -> Trigger {
    Trigger::At(time.since(Time::ZERO))
}

impl Ground {
    pub(super) fn of(scenario: &Scenario) -> Ground {
        let plan = scenario.plan();
        let names = scenario.clocks();
        let ids = (0..plan.actors.len()).map(ActorId::nth);
        let written = written(scenario);
        Ground {
            unarmed: written.clone(),
            written,
            horizon: Time::ZERO + scenario.horizon(),
            clocks: ids.filter(|id| names.contains(&plan.actor_name(*id))).collect(),
        }
    }

    /// The good run has shown when the lengths begin that it counts down. A fault lasts until just
    /// after one of these ends, and not for such a length at any moment.
    pub(super) fn learn(&mut self, lineage: &Lineage) {
        let is_unarmed = |span: &&Span| !lineage.has_armed(**span);
        self.unarmed = self.written.iter().filter(is_unarmed).copied().collect();
    }

    /// From a moment until just after some instants, and the lengths of which nobody knows when they
    /// begin; the longest first.
    fn lengths(&self, moment: &Moment, until: impl Iterator<Item = Time>) -> Vec<Span> {
        let is_in_time = |at: &Time| *at > moment.at && *at < self.horizon;
        let due = until.filter(is_in_time).map(|at| at.since(moment.at));
        let mut lengths: Vec<Span> =
            due.chain(self.unarmed.iter().copied()).map(exceeded).collect();
        lengths.sort_by_key(|length| std::cmp::Reverse(*length));
        // What lasts a little longer passes both.
        lengths.dedup_by(|next, kept| exceeded(*next) >= *kept);
        let step = lengths.len().div_ceil(LENGTHS_MAX).max(1);
        lengths.into_iter().step_by(step).collect()
    }

    /// Longer than all that the scenario names.
    fn longest(&self) -> Span {
        exceeded(*self.written.first().expect("there is one at least"))
    }

    /// What can strike after an instant of a run.
    pub(super) fn candidates(&self, plan: &Plan, lineage: &Lineage, after: Time) -> Vec<Candidate> {
        let moments = followed(lineage);
        let mut passed: BTreeMap<(u32, What), u32> = BTreeMap::new();
        let mut found = Vec::new();
        for (n, moment) in moments.iter().enumerate() {
            let place = place(moment.what);
            let times = passed.entry((moment.intent, place)).or_default();
            *times += 1;
            if *times > OCCURRENCES_MAX || moment.at < after {
                continue;
            }
            let trigger = match moment.what {
                What::Passed { point, nth, .. } => Trigger::After { point, nth },
                What::Sent { .. } => at(moment.at),
                What::Done { .. } => continue,
            };
            let rank = distance(&moments, n);
            let user = user(plan, &moments, moment.intent);
            let dues = lineage.dues(moment);
            let mut lengths = self.lengths(moment, dues.iter().map(|due| due.at));
            // What a run under faults waits for begins who knows when, and patience ends.
            let longest = self.longest();
            if lengths.first().is_none_or(|first| exceeded(*first) < longest) {
                lengths.insert(0, longest);
            }
            let later = self.lengths(moment, lineage.expiries(moment.intent));
            let expiring = dues.iter().filter_map(|due| Some((due.store?, due.at)));
            let expiring = expiring.map(|(store, at)| (store, exceeded(at.since(moment.at))));
            let before = moments[..n].iter().rev().find(|other| other.intent == moment.intent);
            let before = before.copied().filter(|before| before.at == moment.at);
            let passes = |moment: &Moment| match moment.what {
                What::Passed { actor, .. } => Some((actor, moment.instance)),
                _ => None,
            };
            let is_sent = |moment: &Moment| matches!(moment.what, What::Sent { .. });
            let mut ways = Ways {
                plan,
                moment,
                trigger,
                rank,
                lengths,
                later,
                expiring: expiring.collect(),
                is_again: before.is_some_and(|before| {
                    passes(before).is_some() && passes(before) == passes(moment)
                }),
                // At an instant, a fault strikes before all else that happens then.
                is_again_for_user: before.is_some_and(|before| {
                    passes(before).is_some() || passes(moment).is_none() && is_sent(before)
                }),
                found: &mut found,
            };
            match moment.what {
                What::Passed { actor, .. } => {
                    self.at_a_point(actor, &mut ways);
                    if let Some(user) = user {
                        of_a_user(user, &mut ways);
                    }
                }
                What::Sent { from, to, way } => {
                    self.to_a_message((from, to), way, asked(&moments[..n], from, to), &mut ways);
                    if let Some(user) = user {
                        of_a_user(user, &mut ways);
                    }
                }
                What::Done { .. } => {}
            }
        }
        found
    }

    fn at_a_point(&self, actor: ActorId, ways: &mut Ways<'_>) {
        // A user who fails in the middle of asking is one who leaves: nobody owes an answer.
        let is_service = is_service(ways.plan, actor);
        let instance = ways.instance(actor);
        if is_service {
            ways.add(0, None, Fault::Throw { status: 500 });
        }
        for (n, length) in ways.lengths.clone().into_iter().enumerate() {
            ways.add(n + 1, Some(length), Fault::Stall);
        }
        if ways.is_again {
            return;
        }
        if is_service {
            // At a point of its own service, the instance that passes it dies.
            ways.add(0, Some(DOWN), Fault::Crash { actor, instance: None });
            for (n, length) in ways.lengths.clone().into_iter().enumerate() {
                ways.add(n + 2, Some(length), Fault::Pause { actor, instance });
                ways.add(n + 2, Some(length), Fault::Crash { actor, instance: None });
            }
        }
        if self.clocks.contains(&actor) {
            // Nobody knows what a program does with the time that it reads.
            for (n, length) in self.written.iter().map(|span| exceeded(*span)).enumerate() {
                ways.add(n + 2, None, clock_forward(actor, instance, length));
                ways.add(n + 3, None, clock_back(actor, instance, length));
            }
        }
    }

    /// `asked` is when the request was sent that an answer belongs to.
    fn to_a_message(
        &self,
        (from, to): (ActorId, ActorId),
        way: Way,
        asked: Option<Time>,
        ways: &mut Ways<'_>,
    ) {
        let (rate, instance, to_instance) = (1.0, None, None);
        let twice = |later| Fault::Duplicate { from, to, rate, later, instance, to_instance };
        ways.add(0, Some(INSTANT), Fault::Loss { from, to, rate, instance, to_instance });
        if way == Way::Request {
            ways.add(0, Some(INSTANT), twice(Span::ZERO));
        }
        // Requests to a store are part of a connection, of which no copy comes hours later.
        let is_apart = way == Way::Request && is_service(ways.plan, to);
        for (n, by) in ways.lengths.clone().into_iter().enumerate() {
            let late = Fault::Delay { from, to, by, instance, to_instance };
            ways.add(n + 1, Some(INSTANT), late);
        }
        for (n, by) in ways.later.clone().into_iter().enumerate().filter(|_| is_apart) {
            ways.add(n + 1, Some(INSTANT), twice(by));
        }
        let server = if way == Way::Request { to } else { from };
        match &ways.plan.actors[server.index()].kind {
            ActorKind::Kv(kv) => {
                let replicas = kv.replicas.len();
                to_a_store(server, ways);
                match way {
                    Way::Request if replicas > 0 => to_replicas(server, from, replicas, ways),
                    Way::Answer if replicas > 0 => lag_and_fail_over(server, asked, ways),
                    _ => {}
                }
            }
            ActorKind::Service(_) if way == Way::Request => {
                ways.add(
                    1,
                    Some(DOWN),
                    Fault::Errors { actor: server, rate, status: 503, instance },
                );
                ways.add(1, Some(DOWN), Fault::Outage { actor: server, instance });
                ways.add(1, Some(DOWN), Fault::Slow { actor: server, factor: SLOWER, instance });
                for (n, length) in ways.lengths.clone().into_iter().enumerate() {
                    ways.add(n + 2, Some(length), Fault::Outage { actor: server, instance });
                }
            }
            ActorKind::Service(_) => self.copies_late(server, ways),
            _ => {}
        }
    }

    /// A service has answered, no other region has heard of it, and the service is out of reach:
    /// whoever asked goes elsewhere.
    fn copies_late(&self, actor: ActorId, ways: &mut Ways<'_>) {
        let plan = ways.plan;
        let longest = self.longest();
        for store in (0..plan.actors.len()).map(ActorId::nth) {
            let ActorKind::Kv(kv) = &plan.actors[store.index()].kind else { continue };
            for region in &kv.copies_to {
                let (from, to, by, instance) = (store, *region, longest, None);
                let late = Fault::Delay { from, to, by, instance, to_instance: None };
                let since = entry(at(Time::ZERO), Some(longest), late);
                let dark = Fault::BlackHole { actor, instance };
                ways.add_after(Some(since), 1, Some(longest), dark);
            }
        }
    }
}

fn to_a_store(store: ActorId, ways: &mut Ways<'_>) {
    let instance = None;
    ways.add(0, Some(DOWN), Fault::Crash { actor: store, instance });
    ways.add(0, Some(DOWN), Fault::Outage { actor: store, instance });
    ways.add(1, None, Fault::Flush { store, instance });
    ways.add(1, None, Fault::Evict { store, policy: Eviction::VolatileLru, share: 1.0 });
    ways.add(1, Some(DOWN), Fault::OutOfMemory { store });
    let own = ways.expiring.iter().filter(|(of, _)| *of == store);
    let mut across: Vec<Span> = own.map(|(_, length)| *length).collect();
    across.sort_by_key(|length| std::cmp::Reverse(*length));
    for (n, length) in across.into_iter().enumerate() {
        ways.add(n + 1, None, clock_forward(store, instance, length));
        ways.add(n + 2, None, clock_back(store, instance, length));
    }
    for (n, length) in ways.lengths.clone().into_iter().enumerate() {
        ways.add(n + 2, Some(length), Fault::Outage { actor: store, instance });
        ways.add(n + 2, Some(length), Fault::OutOfMemory { store });
    }
}

/// Around a command of a store with replicas: they fall behind, or one takes over while the old
/// primary goes on with whoever has sent the command.
fn to_replicas(store: ActorId, from: ActorId, replicas: usize, ways: &mut Ways<'_>) {
    let instance = ways.instance(from);
    let lag = |replica| Fault::Lag { store, by: None, replica };
    let split = Fault::SplitBrain { store, actor: from, instance };
    ways.add(0, None, Fault::Failover { store });
    ways.add(0, Some(DOWN), lag(None));
    ways.add(0, Some(DOWN), split);
    for (n, length) in ways.lengths.clone().into_iter().enumerate() {
        ways.add(n + 1, Some(length), lag(None));
        ways.add(n + 1, Some(length), split);
        for one in (0..replicas as u32).filter(|_| replicas > 1) {
            ways.add(n + 2, Some(length), lag(Some(one)));
        }
    }
}

/// A command is answered, its replicas have not heard of it, and one of them takes over.
fn lag_and_fail_over(store: ActorId, asked: Option<Time>, ways: &mut Ways<'_>) {
    let Some(asked) = asked else { return };
    // At the very instant of the answer the command would not have been carried out yet.
    let after = ways.moment.at + INSTANT;
    let lasts = after.since(asked) + INSTANT;
    let lag = Fault::Lag { store, by: None, replica: None };
    ways.trigger = at(after);
    ways.add_after(Some(entry(at(asked), Some(lasts), lag)), 0, None, Fault::Failover { store });
}

/// What the user of an intent may do at any moment. Only who is known to do so gives up and begins
/// again under a new key, or asks for a refund; see [`not_tried`].
fn of_a_user(client: ActorId, ways: &mut Ways<'_>) {
    if ways.is_again_for_user {
        return;
    }
    let ActorKind::Client(plan) = &ways.plan.actors[client.index()].kind else { return };
    if plan.refund.is_some() {
        ways.add(0, None, Fault::User { client, does: Doing::Refund });
    }
    ways.add(0, None, Fault::User { client, does: Doing::Click });
    ways.add(1, None, Fault::User { client, does: Doing::Leave });
    if plan.new_keys > 0 {
        ways.add(1, None, Fault::User { client, does: Doing::NewKey });
    }
}

/// What users were never seen to do, since no client of the scenario says that they do, and which
/// word says so.
pub(super) fn not_tried(plan: &Plan) -> Vec<String> {
    let clients = plan.actors.iter().filter_map(|actor| match &actor.kind {
        ActorKind::Client(client) => Some(client),
        _ => None,
    });
    let clients: Vec<_> = clients.collect();
    let mut lines = Vec::new();
    if clients.is_empty() {
        return lines;
    }
    if clients.iter().all(|client| client.new_keys == 0) {
        lines.push(
            "no user gives up and begins again under a new key; `new_keys: 1` on a client says so"
                .to_owned(),
        );
    }
    if clients.iter().all(|client| client.refund.is_none()) {
        lines.push("no user asks for a refund; `refund: [Call(…)]` on a client says so".to_owned());
    }
    lines
}

fn is_service(plan: &Plan, actor: ActorId) -> bool {
    matches!(plan.actors[actor.index()].kind, ActorKind::Service(_))
}

/// The client whose user decided on an intent: it has sent the first of its messages.
fn user(plan: &Plan, moments: &[&Moment], intent: u32) -> Option<ActorId> {
    let own = moments.iter().filter(|moment| moment.intent == intent);
    let mut senders = own.filter_map(|moment| match moment.what {
        What::Sent { from, .. } => Some(from),
        _ => None,
    });
    let is_client = |id: &ActorId| matches!(plan.actors[id.index()].kind, ActorKind::Client(_));
    senders.next().filter(is_client)
}

/// When the last request was sent to whom an answer comes from.
fn asked(moments: &[&Moment], from: ActorId, to: ActorId) -> Option<Time> {
    let request = What::Sent { from: to, to: from, way: Way::Request };
    moments.iter().rev().find(|moment| moment.what == request).map(|moment| moment.at)
}

fn clock_forward(actor: ActorId, instance: Option<u32>, by: Span) -> Fault {
    Fault::ClockStep { actor, forward: Some(by), back: None, instance }
}

fn clock_back(actor: ActorId, instance: Option<u32>, by: Span) -> Fault {
    Fault::ClockStep { actor, forward: None, back: Some(by), instance }
}

/// The moments of the first intents: what can happen to them can happen to any. Under a load, also of
/// one in the midst of it: a storm needs others, and a time before it that was calm.
pub(super) fn followed(lineage: &Lineage) -> Vec<&Moment> {
    let moments = lineage.moments();
    let mut known = BTreeSet::new();
    let all: Vec<u32> =
        moments.iter().map(|moment| moment.intent).filter(|intent| known.insert(*intent)).collect();
    let first = all.iter().take(INTENTS_MAX);
    let late = all.get(all.len() / 2).filter(|_| all.len() >= INTENTS_OF_A_LOAD);
    let followed: Vec<u32> = first.chain(late).copied().collect();
    moments.iter().filter(|moment| followed.contains(&moment.intent)).collect()
}

/// Where a moment is, whenever that is.
pub(super) fn place(what: What) -> What {
    match what {
        What::Passed { point, actor, .. } => What::Passed { point, nth: 0, actor },
        what => what,
    }
}

/// How far a moment is from the next thing of its intent that goes to the ledger.
fn distance(moments: &[&Moment], n: usize) -> u32 {
    let own = |m: &&&Moment| m.intent == moments[n].intent;
    let is_deed = |m: &&Moment| matches!(m.what, What::Done { .. });
    let before = moments[..=n].iter().rev().filter(own).position(is_deed);
    let after = moments[n..].iter().filter(own).position(is_deed);
    before.into_iter().chain(after).min().map_or(u32::MAX, |far| far as u32)
}

/// Two runs of one shape did the same things in the same order, whenever.
pub(super) fn shape(lineage: &Lineage) -> u64 {
    lineage.moments().iter().fold(0, |hash, moment| {
        let what = match moment.what {
            What::Passed { point, .. } => mix(1, point.0.into()),
            What::Sent { from, to, way } => mix(2 + way as u64, mix(from.0.into(), to.0.into())),
            What::Done { kind } => mix(4, kind.0.into()),
        };
        mix(hash, mix(moment.intent.into(), what))
    })
}

/// A little longer than what somebody counts on.
fn exceeded(span: Span) -> Span {
    span + (span / 100).max(Span::millis(1))
}

/// The lengths of time that a scenario names and somebody counts on, its timeouts, leases, lifetimes
/// and waits, the longest first. A quarter of the run if there are none.
fn written(scenario: &Scenario) -> Vec<Span> {
    let horizon = scenario.horizon();
    let mut written = Vec::new();
    counted_on(&scenario.document().tree(), &mut written);
    written.retain(|span| *span >= Span::millis(1) && exceeded(*span) < horizon);
    written.sort_by_key(|span| std::cmp::Reverse(*span));
    written.dedup();
    if written.is_empty() {
        written.push(horizon / 4);
    }
    let step = written.len().div_ceil(LENGTHS_MAX);
    written.into_iter().step_by(step).collect()
}

/// How long work and messages take is no length that anybody counts on.
fn counted_on(tree: &Tree, found: &mut Vec<Span>) {
    let is_other = matches!(
        tree.name(),
        Some(
            "links"
                | "latency"
                | "service_time"
                | "invariants"
                | "horizon"
                | "warmup"
                | "grace"
                | "variants"
                | "breaks"
                | "knobs"
                | "hypothesis"
                | "about"
                | "faults"
        )
    );
    if is_other || tree.head() == "Work" {
        return;
    }
    found.extend(tree.head().trim_matches('"').parse::<Span>().ok());
    tree.items().iter().for_each(|item| counted_on(item, found));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::explore;
    use crate::explore::field::{Field, Trial};
    use crate::plan::PointId;

    /// A customer who pays, and the payment service, whose program is given. It asks a bank, which
    /// takes a moment, and charges once for each key if the key comes with the call.
    fn shop(client: &str, pay: &str, more: &str, promises: &str) -> Scenario {
        let text = r#"Scenario(
            name: "shop", about: "", horizon: "1m",
            actors: {
                "customer": Client(load: Burst(count: 1), CLIENT does: [Call("api.pay")]),
                "api": Service(workers: 4, instances: 2, endpoints: { "pay": [PAY], MORE }),
                "bank": Service(workers: 4, endpoints: {
                    "charge": [
                        Work(Const("50ms")), Effect("charge", once: "{key}", into: "id"),
                        Respond(201, body: "{id}"),
                    ],
                }),
                "redis": Kv(replicas: ["east"], persistence: Aof(fsync: Always)),
            },
            links: [
                Link(from: "customer", to: "api", latency: Const("10ms")),
                Link(from: "api", to: "bank", latency: Const("5ms")),
            ],
            invariants: [PROMISES],
        )"#;
        let text = text.replace("CLIENT", client).replace("PAY", pay).replace("MORE", more);
        Scenario::text("shop.ron", text.replace("PROMISES", promises)).load().unwrap()
    }

    /// The kinds of the single candidates under which a promise breaks.
    fn breaking(scenario: &Scenario) -> Vec<Vec<&'static str>> {
        let exploration = explore(scenario);
        let field = Field::new(scenario.with_all_points().unwrap(), &exploration);
        let plan = field.scenario.plan();
        let calm = Trial::calm(1);
        let run = field.run(&calm).unwrap();
        assert!(field.broken(&calm, &run.outcome).is_empty(), "it holds without any fault");
        let all = field.ground.candidates(plan, &run.lineage, Time::ZERO);
        let mut kinds = Vec::new();
        for candidate in all {
            let faults: Vec<FaultEntry> = candidate.entries().collect();
            let kind: Vec<&str> = faults.iter().map(|entry| entry.fault.kind()).collect();
            let trial = Trial { faults, ..calm.clone() };
            let outcome = field.run(&trial).unwrap().outcome;
            if !kinds.contains(&kind) && !field.broken(&trial, &outcome).is_empty() {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// How the first finding of a search breaks the promise.
    fn found(scenario: &Scenario) -> Vec<String> {
        let report = explore(scenario).budget(400).untold().run().unwrap();
        report.findings.iter().map(crate::explore::Finding::how).collect()
    }

    #[test]
    fn a_record_expires_between_two_checks() {
        let pay = r#"
            Kv(Exists("{key}"), store: "redis", into: "known"),
            If(Is("{known}"), then: [
                Kv(Get("{key}"), store: "redis", into: "result"), Respond(201, body: "{result}"),
            ]),
            Call("bank.charge", key: "{key}", into: "result"),
            Kv(Set("{key}", "{result}", ex: "10s"), store: "redis"),
            Respond(201, body: "{result}"),
        "#;
        let shop = shop(r#"clicks: 2, apart: "5s","#, pay, "", r#"EqualReplays("api.pay")"#);
        assert!(breaking(&shop).contains(&vec!["Stall"]), "{:?}", breaking(&shop));
        assert!(!found(&shop).is_empty());
    }

    #[test]
    fn a_replica_that_lags_takes_over() {
        // The key is claimed before anything is charged: a second click finds the claim, if it lasts.
        let pay = r#"
            Kv(Set("{key}", "mine", nx: true), store: "redis", into: "first"),
            If(Is("{first}"), then: [Effect("charge")]),
            Respond(201),
        "#;
        let shop = shop(r#"clicks: 2, apart: "5s","#, pay, "", r#"AtMostOnce("charge")"#);
        let kinds = breaking(&shop);
        assert!(kinds.contains(&vec!["Lag", "Failover"]), "{kinds:?}");
        assert!(kinds.contains(&vec!["SplitBrain"]), "{kinds:?}");
        assert!(!kinds.contains(&vec!["Failover"]), "the replica has all: {kinds:?}");
        let found = found(&shop);
        assert!(found.iter().any(|how| how.contains("a replica takes over")), "{found:?}");
    }

    #[test]
    fn a_copy_arrives_when_the_record_is_gone() {
        let pay = r#"
            Kv(Set("{key}", "paid", nx: true, ex: "10s"), store: "redis", into: "first"),
            If(Is("{first}"), then: [Effect("charge")]),
            Respond(201, body: "paid"),
        "#;
        let shop = shop("", pay, "", r#"AtMostOnce("charge")"#);
        assert!(breaking(&shop).contains(&vec!["Duplicate"]), "{:?}", breaking(&shop));
        let found = found(&shop);
        let late = |how: &String| how.contains("duplicated, the copy") && how.contains("later");
        assert!(found.iter().any(late), "{found:?}");
    }

    #[test]
    fn a_refund_races_its_charge() {
        let pay = r#"
            Call("bank.charge", key: "{key}", into: "id"),
            Kv(Set("{key}", "{id}"), store: "redis"),
            Respond(201, body: "{id}"),
        "#;
        let refund = r#""refund": [
            Kv(Get("{key}"), store: "redis", into: "id"),
            If(Is("{id}"), then: [Effect("refund", once: "{key}", undoes: "charge")]),
        ],"#;
        let client = r#"refund: [Call("api.refund"), Refunded("charge")],"#;
        let shop = shop(client, pay, refund, r#"ExactlyOnce("charge")"#);
        assert!(breaking(&shop).contains(&vec!["User"]), "{:?}", breaking(&shop));
        let found = found(&shop);
        assert!(found.iter().any(|how| how.contains("asks for a refund")), "{found:?}");
    }

    #[test]
    fn a_user_has_a_will_and_a_client_that_keeps_its_key_is_believed() {
        let pay = r#"Call("bank.charge", key: "{key}"), Respond(201)"#;
        let promise = r#"AtMostOnce("charge")"#;
        assert_eq!(breaking(&shop("", pay, "", promise)), [["Throw"; 0]; 0]);
        let forgetful = shop("new_keys: 1,", pay, "", promise);
        assert!(breaking(&forgetful).contains(&vec!["User"]), "{:?}", breaking(&forgetful));
    }

    #[test]
    fn a_fault_lasts_until_just_after_what_is_due_and_each_store_s_clock_crosses_each_expiry() {
        let pay = r#"
            Kv(Set("{key}:lock", "mine", nx: true, ex: "20s"), store: "redis"), Label("locked"),
            Call("bank.charge", key: "{key}", policy: "short"), Respond(201),
        "#;
        let policies = r#"{ "short": [Timeout("7s")] }"#;
        let pay = format!("[{pay}]");
        let sets = [("policies", policies), ("actors.api.endpoints.pay", pay.as_str())];
        let scenario = shop("", "Respond(201)", "", "AllAnswered").with("t", sets).unwrap();
        let exploration = explore(&scenario);
        let mut field = Field::new(scenario.with_all_points().unwrap(), &exploration);
        let lineage = field.run(&Trial::calm(1)).unwrap().lineage;
        let count =
            |field: &Field<'_>| field.ground.candidates(field.plan(), &lineage, Time::ZERO).len();
        let before = count(&field);
        field.ground.learn(&lineage);
        assert!(count(&field) < before, "what was armed lasts for no other length");
        let all = field.ground.candidates(field.plan(), &lineage, Time::ZERO);
        let stalls = |point: &str| -> Vec<u64> {
            let point =
                PointId::nth(field.plan().points.iter().position(|name| name == point).unwrap());
            let here = all.iter().filter(|c| {
                matches!(c.entry.trigger, Trigger::After { point: at, .. } if at == point)
                    && c.entry.fault == Fault::Stall
            });
            here.map(|c| c.entry.lasts.unwrap().as_nanos() / 1_000_000_000).collect()
        };
        assert_eq!(stalls("api.pay/locked"), [20], "the lock, and no timeout runs yet");
        assert_eq!(stalls("bank.charge/Work"), [20, 7], "the timeout of the call, too");
        let steps = all.iter().filter_map(|c| match c.entry.fault {
            Fault::ClockStep { forward, .. } => forward,
            _ => None,
        });
        let steps: Vec<u64> = steps.map(|by| by.as_nanos() / 1_000_000_000).collect();
        assert!(!steps.is_empty() && steps.iter().all(|by| *by == 20), "{steps:?}");
    }

    #[test]
    fn who_begins_again_under_a_new_key_is_tried_and_who_does_not_is_named() {
        let pay = r#"Effect("charge", once: "{key}"), Respond(201)"#;
        let does = |scenario: &Scenario, wanted: Doing| {
            let report = explore(scenario).budget(200).untold().run().unwrap();
            let scenario = scenario.with_all_points().unwrap();
            let exploration = explore(&scenario);
            let field = Field::new(scenario.clone(), &exploration);
            let lineage = field.run(&Trial::calm(1)).unwrap().lineage;
            let all = field.ground.candidates(field.plan(), &lineage, Time::ZERO);
            let is_it =
                |c: &Candidate| matches!(c.entry.fault, Fault::User { does, .. } if does == wanted);
            (all.iter().any(is_it), report.not_tried)
        };
        let (is_tried, lines) = does(&shop("", pay, "", r#"NoMerge("charge")"#), Doing::NewKey);
        assert!(!is_tried && lines.len() == 2 && lines[0].contains("new_keys: 1"), "{lines:?}");
        let anew = shop("new_keys: 1,", pay, "", r#"NoMerge("charge")"#);
        let (is_tried, lines) = does(&anew, Doing::NewKey);
        assert!(is_tried && lines.len() == 1 && lines[0].contains("refund"), "{lines:?}");
    }

    #[test]
    fn what_strikes_a_process_at_a_point_strikes_the_instance_that_passes() {
        let pay = r#"
            Call("bank.charge", key: "{key}"), Kv(Set("{key}", 1, ex: "20s"), store: "redis"),
        "#;
        let scenario = shop("", pay, "", "AllAnswered");
        let scenario = scenario.with_all_points().unwrap();
        let exploration = explore(&scenario);
        let field = Field::new(scenario.with_all_points().unwrap(), &exploration);
        let lineage = field.run(&Trial::calm(1)).unwrap().lineage;
        let all = field.ground.candidates(field.scenario.plan(), &lineage, Time::ZERO);
        let pauses = all.iter().filter_map(|candidate| match candidate.entry.fault {
            Fault::Pause { actor, instance } => Some((actor, instance)),
            _ => None,
        });
        let plan = field.scenario.plan();
        let pauses: Vec<_> = pauses.collect();
        assert!(!pauses.is_empty());
        for (actor, instance) in pauses {
            assert_eq!(instance.is_some(), plan.instances(actor) > 1);
        }
        let back = |c: &Candidate| matches!(c.entry.fault, Fault::ClockStep { back: Some(_), .. });
        assert!(all.iter().any(back), "clocks go back, too");
    }
}
