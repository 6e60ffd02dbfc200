//! Stores: one command at a time, in order of arrival, on a pure [`Store`].
//!
//! The primary answers writes and reads, a replica the reads that are sent to it; each has a line
//! of its own. What a write changes goes to the replicas and to the file, which are [`Follower`]s,
//! and to the stores of other regions, at the instant at which it is carried out.
//!
//! After a split there are two primaries: the new one for all, and the old one, which nobody follows,
//! for those who have not heard of it.
//!
//! A store knows nothing of the network: it is given requests, and returns answers, writes to be
//! sent to other regions, and requests whose connection its death has broken.

mod command;
pub(in crate::world) mod copies;
mod eviction;
mod follower;
mod lag;
mod primary;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::{Draw, Span, Time, mix};
use sim_redis::value::Value;
use sim_redis::{Key, Mode, Reply, Role, ServerCommand, Store};

use crate::invariant::{Seen, Topic, Write};
use crate::log::{Note, StoreLoss};
use crate::outcome::ResourceEvent;
use crate::plan::{ActorId, ActorKind, Fsync, KvOp, KvPlan, Node, Persistence, Plan};
use crate::trace::{By, Command, State};
use crate::world::condition::End;
use crate::world::ids::RequestId;
use crate::world::network::{Answer, Op, Order, Request};
use crate::world::shared::{ByActor, Shared};
use crate::world::store::copies::{Copies, Stamps};
use crate::world::store::follower::{Change, Follower, durable_at};
use crate::world::store::primary::{Primary, Wait};
use crate::world::{Ctx, Event};

/// A command at its store, and for whom it is.
#[derive(Debug)]
struct Asked {
    id: RequestId,
    from: End,
    intent: u32,
    lineage: u64,
    order: Box<Order>,
}

/// A store's own state.
#[derive(Debug)]
struct StoreState {
    actor: ActorId,
    plan: KvPlan,
    primary: Primary,
    /// One that a replica has replaced, and that still serves somebody.
    old: Option<Primary>,
    replicas: Vec<Replica>,
    /// What is on the disk, unless that is nothing or everything.
    disk: Option<Follower>,
    stamps: Stamps,
}

/// A replica, and those who read from it. The first is being served.
#[derive(Debug, Default)]
struct Replica {
    follower: Follower,
    line: VecDeque<Asked>,
}

/// Where commands stand in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Desk {
    Primary,
    Old,
    Replica(u32),
}

/// Every store, and the writes on their way to other regions.
#[derive(Debug)]
pub(in crate::world) struct Stores {
    by_actor: ByActor<StoreState>,
    copies: Copies,
}

/// A command has been carried out, or a wait is over.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::world) struct Served {
    /// What its request is answered, unless it waits.
    pub(in crate::world) answer: Option<Answer>,
    /// The line whose next command begins now, after the answer is sent.
    pub(in crate::world) next: Option<Desk>,
}

/// A store's process has died.
#[derive(Debug)]
#[must_use]
pub(in crate::world) struct Death {
    /// The requests whose connection is broken.
    pub(in crate::world) cut_off: Vec<RequestId>,
    /// What is known to be lost, to be told after that.
    pub(in crate::world) lost: Option<Lost>,
}

/// Writes that a store has lost.
#[derive(Debug)]
pub(in crate::world) struct Lost {
    store: ActorId,
    how: StoreLoss,
    changes: Vec<Arc<Change>>,
}

impl Stores {
    pub(in crate::world) fn new(plan: &Plan) -> Stores {
        let by_actor = ByActor::new(plan, |id| match &plan.actors[id.index()].kind {
            ActorKind::Kv(kv) => Some(StoreState::new(id, kv.clone())),
            _ => None,
        });
        Stores { by_actor, copies: Copies::default() }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        let stores = self.by_actor.iter().map(|(_, store)| store.memory_bytes());
        self.copies.memory_bytes() + stores.sum::<usize>()
    }

    /// A request has arrived: its command waits in line.
    pub(in crate::world) fn enqueue(
        &mut self,
        id: RequestId,
        request: &mut Request,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let order = request.order.take().expect("a store is sent commands");
        let Request { from, from_instance, to, intent, lineage, .. } = *request;
        let from = (from, Some(from_instance));
        let store = &mut self.by_actor[to];
        let desk = match order.from {
            Node::Replica(n) => Desk::Replica(n),
            Node::Primary => match &store.old {
                Some(_) if shared.conditions[to.index()].is_served_by_old(from) => Desk::Old,
                _ => Desk::Primary,
            },
        };
        let line = store.line(desk);
        line.push_back(Asked { id, from, intent, lineage, order });
        if line.len() == 1 {
            store.begin(desk, shared, ctx);
        }
        store.report(desk, shared, ctx.now());
    }

    /// The current command takes effect, all at this instant; or a wait is over. After a crash
    /// the command is no longer there, and its event comes to nothing.
    pub(in crate::world) fn serve(
        &mut self,
        actor: ActorId,
        id: RequestId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<Served> {
        let store = &mut self.by_actor[actor];
        let is_first = |line: &VecDeque<Asked>| line.front().is_some_and(|asked| asked.id == id);
        let desk = store.desks().into_iter().find(|desk| is_first(store.line(*desk)));
        let answer = match desk {
            Some(desk) => {
                let asked = store.line(desk).pop_front().expect("it is the first");
                store.obey(desk, asked, &mut self.copies, shared, ctx)
            }
            None => Some(store.end_wait(id, ctx)?),
        };
        if let Some(desk) = desk {
            store.report(desk, shared, ctx.now());
        }
        if let Some(answer) = answer {
            ctx.observe(shared.texts.fingerprint(answer.body));
        }
        Some(Served { answer, next: desk })
    }

    /// The next command of a line begins, if there is one.
    pub(in crate::world) fn begin_next(
        &mut self,
        actor: ActorId,
        desk: Desk,
        shared: &Shared,
        ctx: &mut Ctx,
    ) {
        self.by_actor[actor].begin(desk, shared, ctx);
    }

    /// Who explores hears what is left in the stores after a fault.
    pub(in crate::world) fn look(&self, shared: &mut Shared) {
        let Some(lineage) = &mut shared.lineage else { return };
        for (actor, store) in self.by_actor.iter() {
            lineage.look(actor, |key| store.primary.data.peek(key).map(|(_, until)| until));
        }
    }

    /// The run is over: keys that have expired and that nobody has touched since.
    pub(in crate::world) fn count_expired(&self, shared: &mut Shared, now: Time) {
        for (actor, store) in self.by_actor.iter() {
            let expired = store.primary.data.expired_untouched(shared.wall_ms(actor, 0, now));
            shared.metrics.happened_at(actor, ResourceEvent::Expired, expired as u64);
        }
    }

    /// The store forgets everything, and tells its followers.
    pub(in crate::world) fn flush(&mut self, actor: ActorId, shared: &mut Shared, ctx: &Ctx) {
        let now_ms = shared.wall_ms(actor, 0, ctx.now());
        let store = &mut self.by_actor[actor];
        store.primary.data.flush();
        store.primary.watches.all_changed();
        store.stamps.clear();
        let commands = vec![ServerCommand::FlushAll.into()];
        store.hand_on(Change { commands, now_ms, ..Change::default() }, shared, ctx.now());
    }

    /// The store's process dies. What its file has is there when it comes back.
    pub(in crate::world) fn crash(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Death {
        let store = &mut self.by_actor[actor];
        let persistence = store.plan.persistence;
        let changes = match (&mut store.disk, persistence) {
            (Some(disk), _) => {
                disk.catch_up(ctx.now(), &mut shared.texts);
                let (data, lost) = disk.promote();
                store.primary.data = data;
                lost
            }
            (None, Persistence::Aof { fsync: Fsync::Always }) => Vec::new(),
            (None, _) => {
                store.primary.data.flush();
                store.stamps.clear();
                Vec::new()
            }
        };
        let lost = Lost { store: actor, how: StoreLoss::Crash, changes };
        let is_told = persistence != Persistence::Memory;
        let mut cut_off = store.begin_anew();
        // Both processes die.
        cut_off.extend(store.old.take().into_iter().flat_map(|mut old| old.cut_off()));
        store.report_all(shared, ctx.now());
        shared.metrics.happened_at(actor, ResourceEvent::Crashed, 1);
        Death { cut_off, lost: is_told.then_some(lost) }
    }

    /// The primary dies, and the replica that has most takes its place.
    pub(in crate::world) fn fail_over(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Death {
        let store = &mut self.by_actor[actor];
        let (data, changes) = store.promote(ctx.now(), shared);
        store.primary.data = data;
        let lost = Lost { store: actor, how: StoreLoss::Failover, changes };
        let cut_off = store.begin_anew();
        store.report_all(shared, ctx.now());
        Death { cut_off, lost: Some(lost) }
    }

    /// The replica that has most takes over, and the old primary still serves those who have not
    /// heard of it. If one does so already, it serves more of them from now on.
    pub(in crate::world) fn split(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Death {
        let store = &mut self.by_actor[actor];
        if store.old.is_some() {
            return Death { cut_off: Vec::new(), lost: None };
        }
        let (data, changes) = store.promote(ctx.now(), shared);
        let mut old = std::mem::take(&mut store.primary);
        store.primary.data = data;
        let condition = &shared.conditions[actor.index()];
        let first = |old: &Primary| old.line.front().map(|asked| asked.id);
        let being_served = first(&old);
        let cut_off = old.part(|asked| condition.is_served_by_old(asked.from));
        let is_another = first(&old) != being_served;
        old.deposed(ctx.now(), &changes);
        store.old = Some(old);
        store.resync();
        if is_another {
            store.begin(Desk::Old, shared, ctx);
        }
        store.report_all(shared, ctx.now());
        let lost = Lost { store: actor, how: StoreLoss::Failover, changes };
        Death { cut_off, lost: Some(lost) }
    }

    /// A split heals: unless it still serves somebody, the old primary becomes a replica of the new
    /// one, and what it has written since is lost.
    pub(in crate::world) fn demote(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        now: Time,
    ) -> Option<Death> {
        if shared.conditions[actor.index()].has_old_primary() {
            return None;
        }
        let store = &mut self.by_actor[actor];
        let mut old = store.old.take()?;
        store.report_all(shared, now);
        let lost = Lost { store: actor, how: StoreLoss::Demotion, changes: old.written_since() };
        Some(Death { cut_off: old.cut_off(), lost: Some(lost) })
    }

    /// What is wrong between a store and its replicas is another thing than before.
    pub(in crate::world) fn replication_changes(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) {
        let store = &mut self.by_actor[actor];
        let now = ctx.now();
        for (n, replica) in (0..).zip(&mut store.replicas) {
            let is_cut_off = shared.conditions[actor.index()].behind(n).is_none();
            replica.follower.link(is_cut_off, now, &mut shared.texts);
        }
        // Who waits for replicas may wait longer now, or no more.
        for wait in &store.primary.waits {
            ctx.schedule_at(now, Event::Served(wait.asked.id));
        }
    }
}

impl Lost {
    /// Writes it into the story.
    pub(in crate::world) fn tell(self, shared: &mut Shared, ctx: &Ctx) {
        let Lost { store, how, changes } = self;
        let is_write = |change: &&Arc<Change>| !change.keys.is_empty();
        let writes = changes.iter().filter(is_write).count() as u32;
        shared.note(Note::StoreLost { store, how, writes }, ctx);
        for change in changes {
            if let (Some(intent), Some(key)) = (change.intent, change.keys.first()) {
                shared.note(Note::WriteLost { intent, store, key: *key }, ctx);
            }
        }
    }
}

impl StoreState {
    fn new(actor: ActorId, plan: KvPlan) -> StoreState {
        StoreState {
            actor,
            primary: Primary::default(),
            old: None,
            replicas: plan.replicas.iter().map(|_| Replica::default()).collect(),
            disk: durable_at(plan.persistence, Time::ZERO).map(|_| Follower::default()),
            stamps: Stamps::default(),
            plan,
        }
    }

    fn memory_bytes(&self) -> usize {
        let replicas = self.replicas.iter().map(|replica| &replica.follower);
        let followers = replicas.chain(&self.disk).map(Follower::memory_bytes);
        self.primary.memory_bytes()
            + self.old.as_ref().map_or(0, Primary::memory_bytes)
            + followers.sum::<usize>()
            + self.stamps.memory_bytes()
    }

    /// Where commands may stand in line.
    fn desks(&self) -> impl IntoIterator<Item = Desk> + use<> {
        let old = self.old.as_ref().map(|_| Desk::Old);
        let replicas = (0..self.replicas.len() as u32).map(Desk::Replica);
        std::iter::once(Desk::Primary).chain(old).chain(replicas)
    }

    /// The number of the node at which a desk is, for those who look on.
    fn node(&self, desk: Desk) -> u32 {
        match desk {
            Desk::Primary => 0,
            Desk::Replica(n) => 1 + n,
            Desk::Old => 1 + self.replicas.len() as u32,
        }
    }

    /// Says how many commands a desk has.
    fn report(&self, desk: Desk, shared: &mut Shared, now: Time) {
        let commands = match desk {
            Desk::Primary => self.primary.line.len(),
            Desk::Replica(n) => self.replicas[n as usize].line.len(),
            Desk::Old => self.old.as_ref().map_or(0, |old| old.line.len()),
        };
        let Some(node) = shared.metrics.node(self.actor, self.node(desk)) else { return };
        let (busy, waiting) = (u32::from(commands > 0), commands.saturating_sub(1) as u32);
        shared.metrics.level_of_node(node, busy, waiting, now);
    }

    /// The same of all desks, after connections broke.
    fn report_all(&self, shared: &mut Shared, now: Time) {
        let old = (!self.replicas.is_empty()).then_some(Desk::Old);
        let replicas = (0..self.replicas.len() as u32).map(Desk::Replica);
        let desks = std::iter::once(Desk::Primary).chain(replicas).chain(old);
        desks.for_each(|desk| self.report(desk, shared, now));
    }

    fn line(&mut self, desk: Desk) -> &mut VecDeque<Asked> {
        match desk {
            Desk::Primary => &mut self.primary.line,
            Desk::Old => &mut self.old.as_mut().expect("it serves somebody").line,
            Desk::Replica(n) => &mut self.replicas[n as usize].line,
        }
    }

    /// The first command of a line begins.
    fn begin(&mut self, desk: Desk, shared: &Shared, ctx: &mut Ctx) {
        let (actor, service_time) = (self.actor, self.plan.service_time);
        if desk == Desk::Old && self.old.is_none() {
            return;
        }
        let Some(Asked { id, lineage, .. }) = self.line(desk).front() else { return };
        let length = shared.span(service_time, &mut shared.luck.store.at(*lineage));
        let length = shared.conditions[actor.index()].slowed(0, length);
        ctx.schedule_after(length, Event::Served(*id));
    }

    /// Carries a command out at its desk; without an answer it is one that waits.
    fn obey(
        &mut self,
        desk: Desk,
        asked: Asked,
        copies: &mut Copies,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        match desk {
            Desk::Primary => self.obey_primary(asked, copies, shared, ctx),
            Desk::Replica(n) => {
                let op = &asked.order.op;
                let reply = self.read_replica(n, op, shared, ctx.now());
                self.look_on(desk, op, &reply, shared, ctx.now());
                self.tell(&asked, By::Replica(n), &reply, shared, ctx);
                Some(command::answer(op, reply, &mut shared.texts))
            }
            // For this one command it is the primary, which nobody follows.
            Desk::Old => {
                let old = self.old.take().expect("it serves somebody");
                let new = std::mem::replace(&mut self.primary, old);
                let answer = self.obey_primary(asked, copies, shared, ctx);
                self.old = Some(std::mem::replace(&mut self.primary, new));
                answer
            }
        }
    }

    fn obey_primary(
        &mut self,
        asked: Asked,
        copies: &mut Copies,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let now_ms = shared.wall_ms(self.actor, 0, ctx.now());
        let order = &asked.order;
        let reply = match &order.op {
            KvOp::Wait { replicas, timeout } => {
                let (replicas, timeout) = (*replicas, *timeout);
                return self.await_replicas(asked, replicas, timeout, ctx);
            }
            KvOp::Watch(key) => {
                let key = shared.texts.text_of(*key);
                let Primary { watches, data, .. } = &mut self.primary;
                watches.watch(data, key, order.execution, now_ms);
                Reply::Ok
            }
            KvOp::Multi(ops) => self.multi(&asked, ops, copies, shared, ctx),
            KvOp::Transaction(ops) => self.transaction(&asked, ops, copies, shared, ctx),
            op => {
                let mut change = asked.change(now_ms);
                let reply = self.apply(op, &mut change, shared, ctx.now());
                self.propagate(change, copies, shared, ctx);
                reply
            }
        };
        let (by, desk) = match self.primary.deposed_at() {
            Some(_) => (By::Old, Desk::Old),
            None => (By::Primary, Desk::Primary),
        };
        self.look_on(desk, &asked.order.op, &reply, shared, ctx.now());
        self.tell(&asked, by, &reply, shared, ctx);
        Some(command::answer(&asked.order.op, reply, &mut shared.texts))
    }

    /// Says what a store refuses, and keeps for a trace what a command was answered, and how it leaves
    /// its keys at the primary.
    fn tell(&self, asked: &Asked, by: By, reply: &Reply, shared: &mut Shared, ctx: &Ctx) {
        let Asked { intent, lineage, ref order, .. } = *asked;
        if let Reply::Error(error) = reply {
            let error = shared.texts.intern(&error.to_string());
            shared.note(Note::StoreError { intent, store: self.actor, error }, ctx);
        }
        if shared.trace.is_none() {
            return;
        }
        let now_ms = shared.wall_ms(self.actor, 0, ctx.now());
        let state = |key: Key| match self.primary.data.peek(key) {
            Some((_, deadline)) if !deadline.is_past(now_ms) => State::Present(deadline.ms()),
            _ => State::Absent,
        };
        let keys = command::keys(&order.op, &mut shared.texts);
        let nature = order.op.nature();
        let error = match reply {
            Reply::Error(error) => Some(error.to_string()),
            _ => None,
        };
        let command = Command {
            at: ctx.now(),
            now_ms,
            store: self.actor,
            by,
            intent,
            writes: !nature.reads && nature.was_done(reply),
            error,
            keys: keys.into_iter().map(|key| (key, state(key))).collect(),
        };
        if let Some(trace) = &mut shared.trace {
            trace.command(lineage, command);
        }
    }

    /// Whether a read found something, and which keys turned out to have expired.
    fn look_on(&mut self, desk: Desk, op: &Op, reply: &Reply, shared: &mut Shared, now: Time) {
        let Some(node) = shared.metrics.node(self.actor, self.node(desk)) else { return };
        if let Some(is_hit) = command::found(op, reply) {
            let event = if is_hit { ResourceEvent::Hit } else { ResourceEvent::Missed };
            shared.metrics.looked(node, event, now);
        }
        let expired = self.primary.data.take_expired();
        shared.metrics.happened(node, ResourceEvent::Expired, expired);
    }

    /// One command on the primary; what it changes is noted.
    fn apply(&mut self, op: &Op, change: &mut Change, shared: &mut Shared, now: Time) -> Reply {
        let few_replicas = self.lacks_replicas(now);
        let out_of_memory = shared.conditions[self.actor.index()].out_of_memory;
        let is_followed = self.plan.is_followed() || shared.lineage.is_some();
        let texts = &mut shared.texts;
        let command = match command::command(op, change.now_ms, texts) {
            Ok(command) => command,
            Err(error) => return Reply::Error(error),
        };
        let keys = if is_followed { command::keys(op, texts) } else { Vec::new() };
        let now_ms = change.now_ms;
        let is_gone = |data: &Store, key: Key| {
            data.peek(key).is_none_or(|(_, deadline)| deadline.is_past(now_ms))
        };
        let data = &mut self.primary.data;
        let were_gone: Vec<bool> = keys.iter().map(|key| is_gone(data, *key)).collect();
        let before = change.commands.len();
        let log = is_followed.then_some(&mut change.commands);
        let mode = Mode { out_of_memory, few_replicas, log, ..Mode::default() };
        let reply = data.apply_in(mode, now_ms, &command, texts);
        if change.commands.len() > before {
            // A key that expires has not been written, even if a replica must be told.
            for (key, was_gone) in keys.into_iter().zip(were_gone) {
                let is_written = !(was_gone && is_gone(data, key));
                if let (true, Some(lineage), Some(intent)) =
                    (is_written, &mut shared.lineage, change.intent)
                {
                    let until = data.peek(key).map(|(_, until)| until);
                    lineage.write(intent, (self.actor, key), until, (now, now_ms));
                }
                if is_written && !change.keys.contains(&key) {
                    change.keys.push(key);
                }
            }
        }
        if shared.watch.wants(Topic::Writes) {
            change.writes.extend(Write::of(op, &reply, &mut shared.texts));
        }
        reply
    }

    /// Hands a change on to all who follow.
    fn propagate(
        &mut self,
        mut change: Change,
        copies: &mut Copies,
        shared: &mut Shared,
        ctx: &Ctx,
    ) {
        let (store, execution) = (self.actor, change.execution);
        if let Some(intent) = change.intent {
            for write in std::mem::take(&mut change.writes) {
                shared.show(Seen::Written { store, execution, intent, write }, ctx);
            }
        }
        if change.commands.is_empty() {
            return;
        }
        self.copy(&change, copies, shared, ctx.now());
        self.hand_on(change, shared, ctx.now());
    }

    /// Hands a change on to the store's own followers.
    fn hand_on(&mut self, change: Change, shared: &mut Shared, now: Time) {
        if self.replicas.is_empty() && self.disk.is_none() {
            return;
        }
        let change = Arc::new(change);
        if self.primary.keeps(&change) {
            return;
        }
        for (n, Replica { follower: replica, .. }) in (0..).zip(&mut self.replicas) {
            let by = shared.conditions[self.actor.index()].behind(n as u32).unwrap_or_default();
            let lag = self.plan.lag.map_or(Span::ZERO, |lag| {
                let draws = || shared.luck.lag.at(mix(change.lineage, n));
                let dist = &shared.plan.dists[lag.index()];
                replica.lag.of_write(dist, now, draws().unit_open(), || dist.sample(&mut draws()))
            });
            replica.push(now + lag + by, change.clone());
            replica.catch_up(now, &mut shared.texts);
        }
        if let (Some(disk), Some(at)) = (&mut self.disk, durable_at(self.plan.persistence, now)) {
            disk.push(at, change);
            disk.catch_up(now, &mut shared.texts);
        }
    }

    fn read_replica(&mut self, n: u32, op: &Op, shared: &mut Shared, now: Time) -> Reply {
        let now_ms = shared.wall_ms(self.actor, 0, now);
        let texts = &mut shared.texts;
        let command = match command::command(op, now_ms, texts) {
            Ok(command) => command,
            Err(error) => return Reply::Error(error),
        };
        let replica = &mut self.replicas[n as usize].follower;
        let mode = Mode { role: Role::Replica, ..Mode::default() };
        replica.catch_up(now, texts).apply_in(mode, now_ms, &command, texts)
    }

    /// Answers with the number of replicas that have all that the execution has written: at once,
    /// when enough have it, or when the time is over.
    fn await_replicas(
        &mut self,
        asked: Asked,
        replicas: u32,
        timeout: Span,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        self.settle_wait(Wait { asked, replicas, until: ctx.now() + timeout }, ctx)
    }

    /// Answers a `Wait`, or lets it wait on.
    fn settle_wait(&mut self, wait: Wait, ctx: &mut Ctx) -> Option<Answer> {
        let (now, execution) = (ctx.now(), wait.asked.order.execution);
        let has_it = |replica: &Replica| {
            let at = replica.follower.has_all_of(execution).unwrap_or(now);
            if self.primary.is_followed(execution) { at } else { Time::MAX }
        };
        let mut instants: Vec<Time> = self.replicas.iter().map(has_it).collect();
        instants.sort_unstable();
        // The plan asks for no more replicas than there are.
        let enough = instants[wait.replicas.saturating_sub(1) as usize];
        let end = enough.min(wait.until);
        if end > now {
            ctx.schedule_at(end, Event::Served(wait.asked.id));
            self.primary.waits.push(wait);
            return None;
        }
        let count = instants.iter().filter(|at| **at <= now).count();
        Some(Answer { body: Value::Int(count as i64), ..Answer::status(200) })
    }

    /// A `Wait` may be over, if this is one that was not cut off.
    fn end_wait(&mut self, id: RequestId, ctx: &mut Ctx) -> Option<Answer> {
        if let Some(wait) = self.primary.take_wait(id) {
            return self.settle_wait(wait, ctx);
        }
        let mut old = self.old.take()?;
        let wait = old.take_wait(id);
        let new = std::mem::replace(&mut self.primary, old);
        let answer = wait.and_then(|wait| self.settle_wait(wait, ctx));
        self.old = Some(std::mem::replace(&mut self.primary, new));
        answer
    }

    /// Whether fewer replicas were heard of lately than a write needs.
    ///
    /// A replica acknowledges what it has once a second, however far it is behind. One that is cut
    /// off falls silent, and counts until it has been so for longer than `max_lag`
    /// (`refreshGoodSlavesCount` in `replication.c`, `processCommand` in `server.c`, Redis 7.2).
    fn lacks_replicas(&self, now: Time) -> bool {
        let KvPlan { min_replicas, max_lag, .. } = self.plan;
        if min_replicas == 0 {
            return false;
        }
        let is_heard = |replica: &&Replica| {
            let since = self.primary.deposed_at().or(replica.follower.cut_off_since());
            since.is_none_or(|since| now <= since + max_lag)
        };
        self.replicas.iter().filter(is_heard).count() < min_replicas as usize
    }

    /// The replica that has most is a primary from now on: its data, and what it lacks.
    fn promote(&mut self, now: Time, shared: &mut Shared) -> (Store, Vec<Arc<Change>>) {
        for replica in &mut self.replicas {
            replica.follower.catch_up(now, &mut shared.texts);
        }
        let replicas = self.replicas.iter_mut().map(|replica| &mut replica.follower);
        let best = replicas.min_by_key(|replica| replica.behind());
        best.expect("checked when the plan was built").promote()
    }

    /// All followers take what the primary has.
    fn resync(&mut self) {
        let replicas = self.replicas.iter_mut().map(|replica| &mut replica.follower);
        for follower in replicas.chain(&mut self.disk) {
            follower.resync(&self.primary.data);
        }
    }

    /// A new process has the store's data: its followers take all of it, and what connections
    /// knew is gone with them. Returns the requests that are cut off.
    fn begin_anew(&mut self) -> Vec<RequestId> {
        self.resync();
        self.primary.watches.all_changed();
        let Primary { line, waits, .. } = &mut self.primary;
        let readers = self.replicas.iter_mut().flat_map(|replica| replica.line.drain(..));
        let waiting = waits.drain(..).map(|wait| wait.asked);
        line.drain(..).chain(readers).chain(waiting).map(|asked| asked.id).collect()
    }
}

impl Asked {
    /// An empty change, made for a request.
    fn change(&self, now_ms: i64) -> Change {
        Change {
            now_ms,
            execution: self.order.execution,
            intent: Some(self.intent),
            lineage: self.lineage,
            ..Change::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::Dist;

    use super::*;
    use crate::plan::DistId;
    use crate::pool::Pool;
    use crate::world::bench::{self, Bench};
    use crate::world::ids::RequestName;

    const STORE: ActorId = ActorId(0);
    const OTHER: ActorId = ActorId(1);

    /// A store and its copy in another region, whose commands take a millisecond, with a replica
    /// that lags a second behind.
    struct Regions {
        bench: Bench,
        stores: Stores,
        requests: Pool<Request, RequestName>,
    }

    impl Regions {
        fn new() -> Regions {
            let kv = |copies_to| {
                ActorKind::Kv(KvPlan {
                    service_time: DistId(0),
                    replicas: vec!["1".to_owned()],
                    lag: Some(DistId(1)),
                    min_replicas: 0,
                    max_lag: Span::secs(10),
                    persistence: Persistence::Memory,
                    copies_to,
                    regional: true,
                    active_expiry: true,
                })
            };
            let mut plan = bench::plan(vec![kv(vec![OTHER]), kv(Vec::new())]);
            plan.dists = [0.001, 1.0].map(|secs| Dist::constant(secs).unwrap()).into();
            let stores = Stores::new(&plan);
            Regions { bench: Bench::new(plan), stores, requests: Pool::default() }
        }

        fn key(&mut self) -> Value {
            Value::Text(self.bench.shared.texts.intern("key"))
        }

        fn set(&mut self, value: i64) -> RequestId {
            let (key, value) = (self.key(), Value::Int(value));
            let (nx, xx, ex, px, keep_ttl) = (false, false, None, None, false);
            self.ask(STORE, KvOp::Set { key, value, nx, xx, ex, px, keep_ttl })
        }

        fn get(&mut self, store: ActorId) -> RequestId {
            let key = self.key();
            self.ask(store, KvOp::Get(key))
        }

        fn ask(&mut self, to: ActorId, op: Op) -> RequestId {
            let order = Some(Box::new(Order { op, from: Node::Primary, execution: 1 }));
            let (id, request) = self.requests.take();
            *request = Request { to, order, ..Request::default() };
            self.bench.act(|shared, ctx| self.stores.enqueue(id, request, shared, ctx));
            id
        }

        /// The content that the next command to be carried out is answered with, if its store
        /// still knows it.
        fn serve(&mut self) -> Option<(RequestId, Value)> {
            let Some((_, Event::Served(id))) = self.bench.next() else { panic!("one is in line") };
            let (stores, to) = (&mut self.stores, self.requests[id].to);
            self.bench.act(|shared, ctx| {
                let served = stores.serve(to, id, shared, ctx)?;
                if let Some(desk) = served.next {
                    stores.begin_next(to, desk, shared, ctx);
                }
                served.answer.map(|answer| (id, answer.body))
            })
        }
    }

    #[test]
    fn commands_are_carried_out_one_at_a_time_in_order_of_arrival() {
        let mut regions = Regions::new();
        let (set, get) = (regions.set(7), regions.get(STORE));
        assert_eq!(regions.serve(), Some((set, Value::Bool(true))));
        assert_eq!(regions.serve(), Some((get, Value::Int(7))));
        assert!(regions.bench.next().is_none(), "nothing else is in line");
    }

    #[test]
    fn a_crash_cuts_off_whoever_is_in_line_and_their_events_come_to_nothing() {
        let mut regions = Regions::new();
        let (first, second) = (regions.set(7), regions.get(STORE));
        let stores = &mut regions.stores;
        let death = regions.bench.act(|shared, ctx| stores.crash(STORE, shared, ctx));
        assert_eq!(death.cut_off, [first, second]);
        assert!(death.lost.is_none(), "nobody expects memory to survive");
        assert_eq!(regions.serve(), None);
    }

    #[test]
    fn a_failover_loses_what_the_replica_did_not_have_yet_and_says_so() {
        let mut regions = Regions::new();
        regions.set(7);
        regions.serve();
        let stores = &mut regions.stores;
        regions.bench.act(|shared, ctx| {
            let death = stores.fail_over(STORE, shared, ctx);
            death.lost.expect("a failover is told").tell(shared, ctx);
        });
        let get = regions.get(STORE);
        assert_eq!(regions.serve(), Some((get, Value::Nil)));
        let notes = regions.bench.notes();
        assert!(matches!(notes[0], Note::StoreLost { store: STORE, writes: 1, .. }), "{notes:?}");
        assert!(matches!(notes[1], Note::WriteLost { store: STORE, .. }), "{notes:?}");
    }

    #[test]
    fn a_lost_copy_is_sent_again_with_luck_of_its_own_until_its_region_has_it() {
        let mut regions = Regions::new();
        regions.set(7);
        regions.serve();
        let first = regions.stores.next_parcel().expect("the write goes to the other region");
        assert_eq!((first.from, first.to), (STORE, OTHER));
        let stores = &mut regions.stores;
        regions.bench.act(|_, ctx| stores.sent(first.copy, false, ctx));
        let Some((_, Event::Copied(copy))) = regions.bench.next() else { panic!("once more") };
        regions.bench.act(|shared, ctx| stores.copied(copy, shared, ctx));
        let second = stores.next_parcel().expect("it is sent again");
        assert_eq!(second.copy, first.copy);
        assert_ne!(second.index, first.index);
        regions.bench.act(|shared, ctx| {
            stores.sent(copy, true, ctx);
            stores.copied(copy, shared, ctx);
        });
        let get = regions.get(OTHER);
        assert_eq!(regions.serve(), Some((get, Value::Int(7))));
        assert!(regions.stores.way_of(copy).is_none(), "it has arrived");
    }
}
