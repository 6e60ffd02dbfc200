//! Stores: one command at a time, in order of arrival, on a pure [`Store`].
//!
//! The primary answers writes and reads, the first replica reads that are sent to it; each has a
//! line of its own. What a write changes goes to the replicas and to the file, which are
//! [`Follower`]s, and to the stores of other regions, at the instant at which it is carried out.
//!
//! A store knows nothing of the network: it is given requests, and returns answers, writes to be
//! sent to other regions, and requests whose connection its death has broken.

mod command;
pub(in crate::world) mod copies;
mod eviction;
mod follower;
mod lag;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::{Draw, Span, Time, mix};
use sim_redis::value::Value;
use sim_redis::{Key, Mode, Reply, Role, ServerCommand, Store};

use crate::invariant::{Seen, Topic, Write};
use crate::log::{Note, StoreLoss};
use crate::plan::{ActorId, ActorKind, Fsync, KvOp, KvPlan, Node, Persistence, Plan};
use crate::world::ids::RequestId;
use crate::world::network::{Answer, Op, Order, Request};
use crate::world::shared::{ByActor, Shared};
use crate::world::store::copies::{Copies, Stamps};
use crate::world::store::follower::{Change, Follower, durable_at};
use crate::world::store::transaction::Watches;
use crate::world::{Ctx, Event};

/// A command at its store, and for whom it is.
#[derive(Debug)]
struct Asked {
    id: RequestId,
    intent: u32,
    lineage: u64,
    order: Box<Order>,
}

/// A store's own state.
#[derive(Debug)]
struct StoreState {
    actor: ActorId,
    plan: KvPlan,
    data: Store,
    /// The first of each is being carried out.
    primary_line: VecDeque<Asked>,
    replica_line: VecDeque<Asked>,
    replicas: Vec<Follower>,
    /// What is on the disk, unless that is nothing or everything.
    disk: Option<Follower>,
    /// `Wait`s that are not answered yet.
    waits: Vec<Asked>,
    watches: Watches,
    stamps: Stamps,
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
    pub(in crate::world) next: Option<Node>,
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
        shared: &Shared,
        ctx: &mut Ctx,
    ) {
        let order = request.order.take().expect("a store is sent commands");
        let Request { to, intent, lineage, .. } = *request;
        let (store, node) = (&mut self.by_actor[to], order.from);
        let line = store.line(node);
        line.push_back(Asked { id, intent, lineage, order });
        if line.len() == 1 {
            store.begin(node, shared, ctx);
        }
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
        let node = [Node::Primary, Node::Replica].into_iter().find(|n| is_first(store.line(*n)));
        let answer = match node {
            Some(node) => {
                let asked = store.line(node).pop_front().expect("it is the first");
                store.obey(asked, &mut self.copies, shared, ctx)
            }
            None => Some(store.end_wait(id, ctx.now())?),
        };
        if let Some(answer) = answer {
            ctx.observe(shared.texts.fingerprint(answer.body));
        }
        Some(Served { answer, next: node })
    }

    /// The next command of a line begins, if there is one.
    pub(in crate::world) fn begin_next(
        &mut self,
        actor: ActorId,
        node: Node,
        shared: &Shared,
        ctx: &mut Ctx,
    ) {
        self.by_actor[actor].begin(node, shared, ctx);
    }

    /// The store forgets everything, and tells its followers.
    pub(in crate::world) fn flush(&mut self, actor: ActorId, shared: &mut Shared, ctx: &Ctx) {
        let now_ms = shared.wall_ms(actor, 0, ctx.now());
        let store = &mut self.by_actor[actor];
        store.data.flush();
        store.watches.all_changed();
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
        let lost = Lost { store: actor, how: StoreLoss::Crash, changes };
        let is_told = persistence != Persistence::Memory;
        Death { cut_off: store.begin_anew(), lost: is_told.then_some(lost) }
    }

    /// The primary dies, and the replica that has most takes its place.
    pub(in crate::world) fn fail_over(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Death {
        let store = &mut self.by_actor[actor];
        for replica in &mut store.replicas {
            replica.catch_up(ctx.now(), &mut shared.texts);
        }
        let best = store.replicas.iter_mut().min_by_key(|replica| replica.behind());
        let (data, changes) = best.expect("checked when the plan was built").promote();
        store.data = data;
        let lost = Lost { store: actor, how: StoreLoss::Failover, changes };
        Death { cut_off: store.begin_anew(), lost: Some(lost) }
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
            data: Store::default(),
            primary_line: VecDeque::new(),
            replica_line: VecDeque::new(),
            replicas: vec![Follower::default(); plan.replicas as usize],
            disk: durable_at(plan.persistence, Time::ZERO).map(|_| Follower::default()),
            waits: Vec::new(),
            watches: Watches::default(),
            stamps: Stamps::default(),
            plan,
        }
    }

    fn memory_bytes(&self) -> usize {
        let followers = self.replicas.iter().chain(&self.disk).map(Follower::memory_bytes);
        self.data.memory_bytes()
            + followers.sum::<usize>()
            + self.watches.memory_bytes()
            + self.stamps.memory_bytes()
    }

    fn line(&mut self, node: Node) -> &mut VecDeque<Asked> {
        match node {
            Node::Primary => &mut self.primary_line,
            Node::Replica => &mut self.replica_line,
        }
    }

    /// The first command of a line begins.
    fn begin(&mut self, node: Node, shared: &Shared, ctx: &mut Ctx) {
        let (actor, service_time) = (self.actor, self.plan.service_time);
        let Some(Asked { id, lineage, .. }) = self.line(node).front() else { return };
        let length = shared.span(service_time, &mut shared.luck.store.at(*lineage));
        let length = shared.conditions[actor.index()].slowed(0, length);
        ctx.schedule_after(length, Event::Served(*id));
    }

    /// Carries a command out; without an answer it is one that waits.
    fn obey(
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
                self.watches.watch(&self.data, key, order.execution, now_ms);
                Reply::Ok
            }
            KvOp::Multi(ops) => self.multi(&asked, ops, copies, shared, ctx),
            KvOp::Transaction(ops) => self.transaction(&asked, ops, copies, shared, ctx),
            op if order.from == Node::Replica => self.read_replica(op, now_ms, shared, ctx.now()),
            op => {
                let mut change = asked.change(now_ms);
                let reply = self.apply(op, &mut change, shared);
                self.propagate(change, copies, shared, ctx);
                reply
            }
        };
        Some(command::answer(&order.op, reply, &mut shared.texts))
    }

    /// One command on the primary; what it changes is noted.
    fn apply(&mut self, op: &Op, change: &mut Change, shared: &mut Shared) -> Reply {
        let out_of_memory = shared.conditions[self.actor.index()].out_of_memory;
        let is_followed = self.plan.is_followed();
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
        let were_gone: Vec<bool> = keys.iter().map(|key| is_gone(&self.data, *key)).collect();
        let before = change.commands.len();
        let log = is_followed.then_some(&mut change.commands);
        let mode = Mode { out_of_memory, log, ..Mode::default() };
        let reply = self.data.apply_in(mode, now_ms, &command, texts);
        if change.commands.len() > before {
            // A key that expires has not been written, even if a replica must be told.
            for (key, was_gone) in keys.into_iter().zip(were_gone) {
                let is_written = !(was_gone && is_gone(&self.data, key));
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
        for (n, replica) in (0..).zip(&mut self.replicas) {
            let lag = self.plan.lag.map_or(Span::ZERO, |lag| {
                let draws = || shared.luck.lag.at(mix(change.lineage, n));
                let dist = &shared.plan.dists[lag.index()];
                replica.lag.of_write(dist, now, draws().unit_open(), || dist.sample(&mut draws()))
            });
            replica.push(now + lag, change.clone());
            replica.catch_up(now, &mut shared.texts);
        }
        if let (Some(disk), Some(at)) = (&mut self.disk, durable_at(self.plan.persistence, now)) {
            disk.push(at, change);
            disk.catch_up(now, &mut shared.texts);
        }
    }

    fn read_replica(&mut self, op: &Op, now_ms: i64, shared: &mut Shared, now: Time) -> Reply {
        let texts = &mut shared.texts;
        let command = match command::command(op, now_ms, texts) {
            Ok(command) => command,
            Err(error) => return Reply::Error(error),
        };
        let replica = self.replicas.first_mut().expect("checked when the plan was built");
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
        let (now, execution) = (ctx.now(), asked.order.execution);
        let has_it = |replica: &Follower| replica.has_all_of(execution).unwrap_or(now);
        let mut instants: Vec<Time> = self.replicas.iter().map(has_it).collect();
        instants.sort_unstable();
        // The plan asks for no more replicas than there are.
        let enough = instants[replicas.saturating_sub(1) as usize];
        let end = enough.min(now + timeout);
        if end > now {
            ctx.schedule_at(end, Event::Served(asked.id));
            self.waits.push(asked);
            return None;
        }
        Some(self.acknowledged(execution, now))
    }

    /// How many replicas have all that an execution has written.
    fn acknowledged(&self, execution: i64, now: Time) -> Answer {
        let has_it = |replica: &&Follower| replica.has_all_of(execution).is_none_or(|at| at <= now);
        let count = self.replicas.iter().filter(has_it).count();
        Answer { body: Value::Int(count as i64), ..Answer::status(200) }
    }

    /// A `Wait` is over, if this is one that was not cut off.
    fn end_wait(&mut self, id: RequestId, now: Time) -> Option<Answer> {
        let n = self.waits.iter().position(|wait| wait.id == id)?;
        let wait = self.waits.remove(n);
        Some(self.acknowledged(wait.order.execution, now))
    }

    /// A new process has the store's data: its followers take all of it, and what connections
    /// knew is gone with them. Returns the requests that are cut off.
    fn begin_anew(&mut self) -> Vec<RequestId> {
        for follower in self.replicas.iter_mut().chain(&mut self.disk) {
            follower.resync(&self.data);
        }
        self.watches.all_changed();
        let primary = std::mem::take(&mut self.primary_line);
        let replica = std::mem::take(&mut self.replica_line);
        let waits = std::mem::take(&mut self.waits);
        primary.into_iter().chain(replica).chain(waits).map(|asked| asked.id).collect()
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
                    replicas: 1,
                    lag: Some(DistId(1)),
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
                if let Some(node) = served.next {
                    stores.begin_next(to, node, shared, ctx);
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
