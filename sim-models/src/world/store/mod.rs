//! Stores: one command at a time, in order of arrival, on a pure [`Store`].
//!
//! The primary answers writes and reads, the first replica reads that are sent to it; each has a
//! line of its own. What a write changes goes to the replicas and to the file, which are
//! [`Follower`]s, and to the stores of other regions, at the instant at which it is carried out.

mod command;
pub(in crate::world) mod copies;
mod eviction;
mod follower;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::{Span, Time, mix};
use sim_policies::Ending;
use sim_redis::value::{Texts, Value};
use sim_redis::{Key, Mode, Reply, Role, ServerCommand, Store};

use crate::invariant::{Seen, Topic, Write};
use crate::log::{Note, StoreLoss};
use crate::plan::{ActorId, ActorKind, Fsync, KvOp, KvPlan, Node, Persistence, Plan};
use crate::pool::{Id, Pool};
use crate::world::network::Answer;
use crate::world::network::Request;
use crate::world::shared::ByActor;
use crate::world::store::copies::{RegionCopy, Stamps};
use crate::world::store::follower::{Change, Follower, durable_at};
use crate::world::store::transaction::Watches;
use crate::world::{Ctx, Event, World};

use command::Op;

/// A command on its way to a store.
#[derive(Clone, Debug)]
pub(in crate::world) struct Order {
    pub(in crate::world) op: Op,
    pub(in crate::world) from: Node,
    /// The run of a program that sends it, which is what a connection is to Redis.
    pub(in crate::world) execution: i64,
}

/// A store's own state.
#[derive(Debug, Default)]
pub(in crate::world) struct StoreState {
    pub(in crate::world) data: Store,
    /// The first of each is being carried out.
    primary_line: VecDeque<Id<Request>>,
    replica_line: VecDeque<Id<Request>>,
    pub(in crate::world) replicas: Vec<Follower>,
    /// What is on the disk, unless that is nothing or everything.
    disk: Option<Follower>,
    /// `Wait`s that are not answered yet.
    waits: Vec<Id<Request>>,
    pub(in crate::world) watches: Watches,
    pub(in crate::world) stamps: Stamps,
}

impl StoreState {
    pub(in crate::world) fn new(plan: &Plan, actor: ActorId) -> StoreState {
        let ActorKind::Kv(kv) = &plan.actors[actor.index()].kind else {
            unreachable!("only stores have a store's state")
        };
        let replicas = vec![Follower::default(); kv.replicas as usize];
        let disk = durable_at(kv.persistence, Time::ZERO).map(|_| Follower::default());
        StoreState { replicas, disk, ..StoreState::default() }
    }

    fn line(&mut self, node: Node) -> &mut VecDeque<Id<Request>> {
        match node {
            Node::Primary => &mut self.primary_line,
            Node::Replica => &mut self.replica_line,
        }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        let followers = self.replicas.iter().chain(&self.disk).map(Follower::memory_bytes);
        self.data.memory_bytes()
            + followers.sum::<usize>()
            + self.watches.memory_bytes()
            + self.stamps.memory_bytes()
    }
}

/// Every store, and the writes on their way to other regions.
#[derive(Debug)]
pub(in crate::world) struct Stores {
    by_actor: ByActor<StoreState>,
    pub(in crate::world) copies: Pool<RegionCopy>,
}

impl Stores {
    pub(in crate::world) fn new(plan: &Plan) -> Stores {
        let by_actor = ByActor::new(plan, |id| match plan.actors[id.index()].kind {
            ActorKind::Kv(_) => Some(StoreState::new(plan, id)),
            _ => None,
        });
        Stores { by_actor, copies: Pool::default() }
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        let stores = self.by_actor.iter().map(|(_, store)| store.memory_bytes());
        self.copies.memory_bytes(128) + stores.sum::<usize>()
    }
}

impl World {
    pub(in crate::world) fn store(&mut self, actor: ActorId) -> &mut StoreState {
        self.store_and_texts(actor).0
    }

    pub(in crate::world) fn store_and_texts(
        &mut self,
        actor: ActorId,
    ) -> (&mut StoreState, &mut Texts) {
        (&mut self.stores.by_actor[actor], &mut self.shared.texts)
    }

    pub(in crate::world) fn kv_plan(&self, actor: ActorId) -> &KvPlan {
        match &self.shared.plan.actors[actor.index()].kind {
            ActorKind::Kv(kv) => kv,
            _ => unreachable!("only stores take commands"),
        }
    }

    /// An actor's wall clock in nanoseconds since the run began; one that was set back may be
    /// negative.
    pub(in crate::world) fn wall_ns(&self, actor: ActorId, now: Time) -> i64 {
        self.shared.wall_ns(actor, now)
    }

    /// The same in whole milliseconds.
    pub(in crate::world) fn wall_ms(&self, actor: ActorId, now: Time) -> i64 {
        self.shared.wall_ms(actor, now)
    }

    pub(in crate::world) fn enqueue_command(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let (actor, node) = (self.network.requests[id].to, self.node_of(id));
        let line = self.store(actor).line(node);
        line.push_back(id);
        if line.len() == 1 {
            self.begin_command(actor, id, ctx);
        }
    }

    fn node_of(&self, id: Id<Request>) -> Node {
        self.network.requests[id].order.as_ref().map_or(Node::Primary, |order| order.from)
    }

    fn begin_command(&mut self, actor: ActorId, id: Id<Request>, ctx: &mut Ctx) {
        let service_time = self.kv_plan(actor).service_time;
        let mut draws = self.shared.luck.store.at(self.network.requests[id].lineage);
        let length = self.shared.span(service_time, &mut draws);
        let length = self.shared.conditions[actor.index()].slowed(0, length);
        ctx.schedule_after(length, Event::Served(id));
    }

    /// The current command takes effect, all at this instant; the next one begins.
    pub(in crate::world) fn served(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(request) = self.network.requests.get(id) else { return };
        let (actor, node) = (request.to, self.node_of(id));
        let store = self.store(actor);
        // After a crash the command is no longer in line, and its event comes to nothing.
        if store.line(node).front() != Some(&id) {
            self.end_wait(actor, id, ctx);
            return;
        }
        store.line(node).pop_front();
        let order = self.network.requests[id].order.take().expect("a store is sent commands");
        if let Some(answer) = self.obey(actor, id, *order, ctx) {
            ctx.observe(self.shared.texts.fingerprint(answer.body));
            self.send_answer(id, answer, ctx);
        }
        if let Some(next) = self.store(actor).line(node).front().copied() {
            self.begin_command(actor, next, ctx);
        }
    }

    /// Carries a command out; without an answer it is one that waits.
    fn obey(
        &mut self,
        actor: ActorId,
        id: Id<Request>,
        order: Order,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let now_ms = self.wall_ms(actor, ctx.now());
        let reply = match &order.op {
            KvOp::Wait { replicas, timeout } => {
                return self.await_replicas(actor, id, &order, *replicas, *timeout, ctx);
            }
            KvOp::Watch(key) => {
                let key = self.shared.texts.text_of(*key);
                self.watch(actor, key, order.execution, now_ms);
                Reply::Ok
            }
            KvOp::Multi(ops) => self.multi(actor, id, &order, ops, ctx),
            KvOp::Transaction(ops) => self.transaction(actor, id, &order, ops, ctx),
            op if order.from == Node::Replica => self.read_replica(actor, op, now_ms, ctx.now()),
            op => {
                let mut change = self.change(actor, id, &order, ctx.now());
                let reply = self.apply(actor, op, &mut change);
                self.propagate(actor, change, ctx);
                reply
            }
        };
        Some(command::answer(&order.op, reply, &mut self.shared.texts))
    }

    /// An empty change, made for a request.
    pub(in crate::world) fn change(
        &self,
        actor: ActorId,
        id: Id<Request>,
        order: &Order,
        now: Time,
    ) -> Change {
        let request = &self.network.requests[id];
        Change {
            now_ms: self.wall_ms(actor, now),
            execution: order.execution,
            intent: Some(request.intent),
            lineage: request.lineage,
            ..Change::default()
        }
    }

    /// One command on the primary; what it changes is noted.
    pub(in crate::world) fn apply(
        &mut self,
        actor: ActorId,
        op: &Op,
        change: &mut Change,
    ) -> Reply {
        let out_of_memory = self.shared.conditions[actor.index()].out_of_memory;
        let is_followed = self.kv_plan(actor).is_followed();
        let (store, texts) = self.store_and_texts(actor);
        let command = match command::command(op, change.now_ms, texts) {
            Ok(command) => command,
            Err(error) => return Reply::Error(error),
        };
        let keys = if is_followed { command::keys(op, texts) } else { Vec::new() };
        let now_ms = change.now_ms;
        let is_gone = |data: &Store, key: Key| {
            data.peek(key).is_none_or(|(_, deadline)| deadline.is_past(now_ms))
        };
        let were_gone: Vec<bool> = keys.iter().map(|key| is_gone(&store.data, *key)).collect();
        let before = change.commands.len();
        let log = is_followed.then_some(&mut change.commands);
        let mode = Mode { out_of_memory, log, ..Mode::default() };
        let reply = store.data.apply_in(mode, now_ms, &command, texts);
        if change.commands.len() > before {
            // A key that expires has not been written, even if a replica must be told.
            for (key, was_gone) in keys.into_iter().zip(were_gone) {
                let is_written = !(was_gone && is_gone(&store.data, key));
                if is_written && !change.keys.contains(&key) {
                    change.keys.push(key);
                }
            }
        }
        if self.shared.watch.wants(Topic::Writes) {
            change.writes.extend(Write::of(op, &reply, &mut self.shared.texts));
        }
        reply
    }

    /// Hands a change on to all who follow.
    pub(in crate::world) fn propagate(
        &mut self,
        actor: ActorId,
        mut change: Change,
        ctx: &mut Ctx,
    ) {
        let (store, execution) = (actor, change.execution);
        if let Some(intent) = change.intent {
            for write in std::mem::take(&mut change.writes) {
                self.shared.show(Seen::Written { store, execution, intent, write }, ctx);
            }
        }
        if change.commands.is_empty() {
            return;
        }
        self.copy(actor, &change, ctx);
        self.hand_on(actor, change, ctx.now());
    }

    /// Hands a change on to the store's own followers.
    pub(in crate::world) fn hand_on(&mut self, actor: ActorId, change: Change, now: Time) {
        let kv = self.kv_plan(actor);
        let (lag, persistence) = (kv.lag, kv.persistence);
        let lag = |world: &World, n: u64| match lag {
            Some(lag) => {
                world.shared.span(lag, &mut world.shared.luck.lag.at(mix(change.lineage, n)))
            }
            None => Span::ZERO,
        };
        let lags: Vec<Span> = (0..u64::from(kv.replicas)).map(|n| lag(self, n)).collect();
        let (store, texts) = self.store_and_texts(actor);
        if store.replicas.is_empty() && store.disk.is_none() {
            return;
        }
        let change = Arc::new(change);
        for (replica, lag) in store.replicas.iter_mut().zip(lags) {
            replica.push(now + lag, change.clone());
            replica.catch_up(now, texts);
        }
        if let (Some(disk), Some(at)) = (&mut store.disk, durable_at(persistence, now)) {
            disk.push(at, change);
            disk.catch_up(now, texts);
        }
    }

    fn read_replica(&mut self, actor: ActorId, op: &Op, now_ms: i64, now: Time) -> Reply {
        let (store, texts) = self.store_and_texts(actor);
        let command = match command::command(op, now_ms, texts) {
            Ok(command) => command,
            Err(error) => return Reply::Error(error),
        };
        let replica = store.replicas.first_mut().expect("checked when the plan was built");
        let mode = Mode { role: Role::Replica, ..Mode::default() };
        replica.catch_up(now, texts).apply_in(mode, now_ms, &command, texts)
    }

    /// Answers with the number of replicas that have all that the execution has written: at once,
    /// when enough have it, or when the time is over.
    fn await_replicas(
        &mut self,
        actor: ActorId,
        id: Id<Request>,
        order: &Order,
        replicas: u32,
        timeout: Span,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let (store, now) = (self.store(actor), ctx.now());
        let has_it = |replica: &Follower| replica.has_all_of(order.execution).unwrap_or(now);
        let mut instants: Vec<Time> = store.replicas.iter().map(has_it).collect();
        instants.sort_unstable();
        // The plan asks for no more replicas than there are.
        let enough = instants[replicas.saturating_sub(1) as usize];
        let end = enough.min(now + timeout);
        if end > now {
            store.waits.push(id);
            self.network.requests[id].order = Some(Box::new(order.clone()));
            ctx.schedule_at(end, Event::Served(id));
            return None;
        }
        Some(self.acknowledged(actor, order.execution, now))
    }

    /// How many replicas have all that an execution has written.
    fn acknowledged(&mut self, actor: ActorId, execution: i64, now: Time) -> Answer {
        let (store, _) = self.store_and_texts(actor);
        let has_it = |replica: &&Follower| replica.has_all_of(execution).is_none_or(|at| at <= now);
        let count = store.replicas.iter().filter(has_it).count();
        Answer { body: Value::Int(count as i64), ..Answer::status(200) }
    }

    /// A `Wait` is over, if this is one that was not cut off.
    fn end_wait(&mut self, actor: ActorId, id: Id<Request>, ctx: &mut Ctx) {
        let waits = &mut self.store(actor).waits;
        let Some(n) = waits.iter().position(|wait| *wait == id) else { return };
        waits.remove(n);
        let order = self.network.requests[id].order.take().expect("a wait keeps its command");
        let answer = self.acknowledged(actor, order.execution, ctx.now());
        ctx.observe(self.shared.texts.fingerprint(answer.body));
        self.send_answer(id, answer, ctx);
    }

    /// The store forgets everything, and tells its followers.
    pub(in crate::world) fn flush(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let now_ms = self.wall_ms(actor, ctx.now());
        let (store, _) = self.store_and_texts(actor);
        store.data.flush();
        store.watches.all_changed();
        store.stamps.clear();
        let commands = vec![ServerCommand::FlushAll.into()];
        self.hand_on(actor, Change { commands, now_ms, ..Change::default() }, ctx.now());
    }

    /// The store's process dies. What its file has is there when it comes back.
    pub(in crate::world) fn crash_store(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let persistence = self.kv_plan(actor).persistence;
        let now = ctx.now();
        let (store, texts) = self.store_and_texts(actor);
        let lost = match (&mut store.disk, persistence) {
            (Some(disk), _) => {
                disk.catch_up(now, texts);
                let (data, lost) = disk.promote();
                store.data = data;
                lost
            }
            (None, Persistence::Aof { fsync: Fsync::Always }) => Vec::new(),
            (None, _) => {
                store.data.flush();
                store.stamps.clear();
                Vec::new()
            }
        };
        self.begin_anew(actor, ctx);
        if persistence != Persistence::Memory {
            self.tell_lost(actor, StoreLoss::Crash, &lost, ctx);
        }
    }

    /// The primary dies, and the replica that has most takes its place.
    pub(in crate::world) fn fail_over(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let now = ctx.now();
        let (store, texts) = self.store_and_texts(actor);
        for replica in &mut store.replicas {
            replica.catch_up(now, texts);
        }
        let best = store.replicas.iter_mut().min_by_key(|replica| replica.behind());
        let (data, lost) = best.expect("checked when the plan was built").promote();
        store.data = data;
        self.begin_anew(actor, ctx);
        self.tell_lost(actor, StoreLoss::Failover, &lost, ctx);
    }

    /// A new process has the store's data: its followers take all of it, and what connections
    /// knew is gone with them.
    fn begin_anew(&mut self, actor: ActorId, ctx: &mut Ctx) {
        let store = self.store(actor);
        for follower in store.replicas.iter_mut().chain(&mut store.disk) {
            follower.resync(&store.data);
        }
        store.watches.all_changed();
        let primary = std::mem::take(&mut store.primary_line);
        let replica = std::mem::take(&mut store.replica_line);
        let waits = std::mem::take(&mut store.waits);
        for request in primary.into_iter().chain(replica).chain(waits) {
            self.turn_away(request, Ending::Reset, ctx);
        }
    }

    fn tell_lost(&mut self, store: ActorId, how: StoreLoss, lost: &[Arc<Change>], ctx: &Ctx) {
        let is_write = |change: &&Arc<Change>| !change.keys.is_empty();
        let writes = lost.iter().filter(is_write).count() as u32;
        self.shared.note(Note::StoreLost { store, how, writes }, ctx);
        for change in lost {
            if let (Some(intent), Some(key)) = (change.intent, change.keys.first()) {
                self.shared.note(Note::WriteLost { intent, store, key: *key }, ctx);
            }
        }
    }
}
