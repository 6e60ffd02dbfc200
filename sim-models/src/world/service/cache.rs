//! What an instance of a service remembers, and who works out what it does not.
//!
//! ```text
//!           fresh ──► the value at once
//! a key ──► stale ──► the value at once; the first who comes has it worked out anew meanwhile
//!           about to expire, by XFetch ──► whoever's lot it is works it out anew
//!           unknown ──► works it out, or waits for whoever does (single flight)
//! ```
//!
//! A value is worked out by a task of its own, a *flight*, which runs the body of the step. Whoever
//! needs the value waits for the flight, so that a failure reaches all who wait alike, and a caller
//! who leaves takes nobody's value along.
//!
//! XFetch (Vattani, Chierichetti and Lowenstein, "Optimal probabilistic cache stampede prevention",
//! VLDB 2015) works a value out anew at a time `now` with `now - length * beta * ln(u) >= expiry`,
//! where `length` is how long the last flight took and `u` is drawn evenly.

use std::collections::BTreeMap;

use sim_core::{Draw, Span, Time, mix};
use sim_redis::value::Value;

use crate::plan::{ActorId, CachedId, CachedPlan, Plan, Reg, ServiceCacheId, ServiceCachePlan};
use crate::pool::Id;
use crate::world::task::Task;
use crate::world::task::{Exit, Next, Origin, Raised, Waiting, child};
use crate::world::{Ctx, World, nth};

/// The caches of all instances of all services.
#[derive(Debug, Default)]
pub(in crate::world) struct Caches {
    /// Where something was ever looked up, by cache and instance.
    states: BTreeMap<(ServiceCacheId, u32), CacheState>,
    flights: BTreeMap<u64, Flight>,
    next: u64,
}

/// A cache of one instance.
#[derive(Debug, Default)]
struct CacheState {
    entries: BTreeMap<Value, Entry>,
    /// Keys by when they were last used, in a count of uses.
    by_use: BTreeMap<u64, Value>,
    uses: u64,
    /// The flights that others wait for.
    flights: BTreeMap<Value, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    value: Value,
    stored: Time,
    /// How long the flight took.
    length: Span,
    used: u64,
    /// Somebody works it out anew behind the backs of those who ask.
    refreshed: bool,
}

/// Working out one value.
#[derive(Debug)]
struct Flight {
    cached: CachedId,
    instance: u32,
    key: Value,
    begun: Time,
    /// Who waits, and the variable of each that takes the value.
    waiters: Vec<(Id<Task>, Reg)>,
}

/// What a lookup comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    Fresh(Value),
    /// To be served, and worked out anew meanwhile.
    Stale(Value),
    /// To be worked out anew before it expires.
    Early,
    /// Worked out by somebody.
    Awaited(u64),
    Unknown,
}

impl CacheState {
    fn look(&mut self, plan: &ServiceCachePlan, key: Value, now: Time, draw: f64) -> Look {
        let flight = self.flights.get(&key).copied();
        let Some(entry) = self.entries.get_mut(&key) else {
            return flight.map_or(Look::Unknown, Look::Awaited);
        };
        let expires = entry.stored + plan.ttl;
        if now >= expires {
            return flight.map_or(Look::Unknown, Look::Awaited);
        }
        self.by_use.remove(&entry.used);
        self.uses += 1;
        entry.used = self.uses;
        self.by_use.insert(entry.used, key);
        let is_stale = plan.soft_ttl.is_some_and(|soft| now >= entry.stored + soft);
        if is_stale && !entry.refreshed && flight.is_none() {
            entry.refreshed = true;
            return Look::Stale(entry.value);
        }
        let is_early = plan.beta.is_some_and(|beta| {
            let ahead = entry.length * (beta * -sim_core::math::ln(draw));
            now + ahead >= expires
        });
        if is_early && flight.is_none() { Look::Early } else { Look::Fresh(entry.value) }
    }

    /// Keeps a value; how many others had to make room.
    fn store(
        &mut self,
        plan: &ServiceCachePlan,
        key: Value,
        value: Value,
        flight: (Time, Time),
    ) -> u64 {
        let (begun, now) = flight;
        self.uses += 1;
        let used = self.uses;
        let entry = Entry { value, stored: now, length: now.since(begun), used, refreshed: false };
        if let Some(before) = self.entries.insert(key, entry) {
            self.by_use.remove(&before.used);
        }
        self.by_use.insert(used, key);
        let mut evicted = 0;
        while plan.capacity.is_some_and(|capacity| self.entries.len() > capacity as usize) {
            let (_, oldest) = self.by_use.pop_first().expect("every entry was used");
            self.entries.remove(&oldest);
            evicted += 1;
        }
        evicted
    }

    fn forget(&mut self) {
        self.entries.clear();
        self.by_use.clear();
    }
}

/// Whose caches are meant: those of a service, or of one of its instances.
#[derive(Clone, Copy)]
struct Whose<'a> {
    plan: &'a Plan,
    actor: ActorId,
    only: Option<u32>,
}

impl Whose<'_> {
    fn owns(self, cache: ServiceCacheId, instance: u32) -> bool {
        let is_own = self.plan.service_caches[cache.index()].owner == self.actor;
        is_own && self.only.is_none_or(|only| only == instance)
    }
}

impl Caches {
    /// An estimate of what it holds, in bytes.
    pub(in crate::world) fn memory_bytes(&self) -> usize {
        let entries: usize = self.states.values().map(|state| state.entries.len()).sum();
        entries * (size_of::<Entry>() + 4 * size_of::<Value>())
    }

    /// Empties the caches of a service, or of one of its instances.
    pub(in crate::world) fn flush(&mut self, plan: &Plan, actor: ActorId, only: Option<u32>) {
        let whose = Whose { plan, actor, only };
        for ((cache, instance), state) in &mut self.states {
            if whose.owns(*cache, *instance) {
                state.forget();
            }
        }
    }

    /// The same, and the flights are gone with their tasks.
    pub(in crate::world) fn crash(&mut self, plan: &Plan, actor: ActorId, only: Option<u32>) {
        let whose = Whose { plan, actor, only };
        self.states.retain(|(cache, instance), _| !whose.owns(*cache, *instance));
        let cache_of = |flight: &Flight| plan.cached[flight.cached.index()].cache;
        self.flights.retain(|_, flight| !whose.owns(cache_of(flight), flight.instance));
    }
}

impl World {
    /// A task needs a value: it has it at once, or waits until it is worked out.
    pub(in crate::world) fn look_up(
        &mut self,
        id: Id<Task>,
        cached: CachedId,
        ctx: &mut Ctx,
    ) -> Next {
        let CachedPlan { cache, key, into, exit, .. } = self.shared.plan.cached[cached.index()];
        let key = self.eval(id, key);
        let task = &mut self.tasks[id];
        task.lookups += 1;
        let (instance, actor) = (task.instance, task.actor);
        let draw = nth(task.lineage, child::CACHED, task.lookups);
        let draw = self.shared.luck.early.at(draw).unit_open();
        task.pc = exit;
        let plan = &self.shared.plan.service_caches[cache.index()];
        let state = self.services.caches.states.entry((cache, instance)).or_default();
        let look = state.look(plan, key, ctx.now(), draw);
        let counts = self.shared.metrics.cache(actor);
        match look {
            Look::Fresh(_) | Look::Stale(_) => counts.hits += 1,
            Look::Early => counts.early += 1,
            Look::Awaited(_) => {
                counts.misses += 1;
                counts.coalesced += 1;
            }
            Look::Unknown => counts.misses += 1,
        }
        match look {
            Look::Fresh(value) => self.tasks[id].assign(into, value),
            Look::Stale(value) => {
                self.tasks[id].assign(into, value);
                self.fly(id, cached, key, None, ctx);
            }
            Look::Awaited(flight) => return self.wait_for_flight(id, flight, into, ctx),
            Look::Early | Look::Unknown => {
                let deadline = self.tasks[id].deadline;
                let flight = self.fly(id, cached, key, deadline, ctx);
                return self.wait_for_flight(id, flight, into, ctx);
            }
        }
        Next::Go
    }

    fn wait_for_flight(&mut self, id: Id<Task>, flight: u64, into: Reg, ctx: &mut Ctx) -> Next {
        let entry = self.services.caches.flights.get_mut(&flight).expect("it is under way");
        entry.waiters.push((id, into));
        self.tasks[id].waiting = Waiting::Flight(flight);
        self.yield_worker(id, ctx);
        Next::Stop
    }

    /// Starts a task that works a value out, with a copy of the registers.
    fn fly(
        &mut self,
        id: Id<Task>,
        cached: CachedId,
        key: Value,
        deadline: Option<Time>,
        ctx: &mut Ctx,
    ) -> u64 {
        let CachedPlan { cache, body, into, .. } = self.shared.plan.cached[cached.index()];
        let Task { actor, lineage, lookups, instance, .. } = self.tasks[id];
        self.services.caches.next += 1;
        let flight = self.services.caches.next;
        let waiters = Vec::new();
        let entry = Flight { cached, instance, key, begun: ctx.now(), waiters };
        self.services.caches.flights.insert(flight, entry);
        if self.shared.plan.service_caches[cache.index()].coalesce {
            let state = self.services.caches.states.entry((cache, instance)).or_default();
            state.flights.insert(key, flight);
        }
        self.shared.metrics.cache(actor).computations += 1;
        let lineage = mix(nth(lineage, child::CACHED, lookups), 0);
        let task = self.child_task(id, body, lineage, Origin::Flight(flight));
        let entry = &mut self.tasks[task];
        entry.set(into, Value::Nil);
        entry.deadline = deadline;
        self.make_ready(task, ctx);
        flight
    }

    /// A flight has ended: what it found is kept, and all who wait go on with it, or with its error.
    pub(in crate::world) fn land(
        &mut self,
        id: Id<Task>,
        flight: u64,
        error: Option<Raised>,
        ctx: &mut Ctx,
    ) {
        let found = self.services.caches.flights.remove(&flight);
        let Some(Flight { cached, instance, key, begun, waiters }) = found else { return };
        let CachedPlan { cache, into, .. } = self.shared.plan.cached[cached.index()];
        let (value, actor) = (self.tasks[id].get(into), self.tasks[id].actor);
        let state = self.services.caches.states.entry((cache, instance)).or_default();
        if state.flights.get(&key) == Some(&flight) {
            state.flights.remove(&key);
        }
        if error.is_none() {
            let plan = &self.shared.plan.service_caches[cache.index()];
            let evicted = state.store(plan, key, value, (begun, ctx.now()));
            self.shared.metrics.cache(actor).evicted += evicted;
        } else if let Some(entry) = state.entries.get_mut(&key) {
            entry.refreshed = false;
        }
        for (waiter, into) in waiters {
            // It may have been called off, and do or await something else by now.
            let Some(task) = self.tasks.get_mut(waiter) else { continue };
            if !matches!(task.waiting, Waiting::Flight(awaited) if awaited == flight) {
                continue;
            }
            task.waiting = Waiting::Nothing;
            task.spent = 0;
            let next = match error {
                Some(raised) => self.leave_block(waiter, Exit::Error(raised), ctx),
                None => {
                    task.assign(into, value);
                    Next::Go
                }
            };
            if let Next::Go = next {
                self.make_ready(waiter, ctx);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ServiceCachePlan {
        ServiceCachePlan {
            name: "prices".to_owned(),
            owner: ActorId(0),
            ttl: Span::secs(60),
            soft_ttl: Some(Span::secs(50)),
            capacity: Some(2),
            coalesce: false,
            beta: None,
        }
    }

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    #[test]
    fn a_value_is_fresh_then_stale_for_one_then_gone() {
        let (plan, key, value) = (plan(), Value::Int(1), Value::Int(7));
        let mut state = CacheState::default();
        assert_eq!(state.look(&plan, key, at(0), 0.5), Look::Unknown);
        state.store(&plan, key, value, (at(0), at(3)));
        assert_eq!(state.look(&plan, key, at(52), 0.5), Look::Fresh(value));
        assert_eq!(state.look(&plan, key, at(53), 0.5), Look::Stale(value));
        assert_eq!(state.look(&plan, key, at(53), 0.5), Look::Fresh(value), "somebody is at it");
        assert_eq!(state.look(&plan, key, at(62), 0.5), Look::Fresh(value));
        assert_eq!(state.look(&plan, key, at(63), 0.5), Look::Unknown, "at exactly its lifetime");
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let (plan, mut state) = (plan(), CacheState::default());
        let store = |state: &mut CacheState, n| {
            state.store(&plan, Value::Int(n), Value::Int(n), (at(0), at(0)))
        };
        assert_eq!((store(&mut state, 1), store(&mut state, 2)), (0, 0));
        state.look(&plan, Value::Int(1), at(1), 0.5);
        assert_eq!(store(&mut state, 1), 0, "a key of its own needs no room");
        state.look(&plan, Value::Int(2), at(1), 0.5);
        assert_eq!(store(&mut state, 3), 1);
        assert_eq!(state.look(&plan, Value::Int(1), at(1), 0.5), Look::Unknown);
        assert_eq!(state.look(&plan, Value::Int(2), at(1), 0.5), Look::Fresh(Value::Int(2)));
        assert_eq!(state.entries.len(), state.by_use.len());
    }

    #[test]
    fn xfetch_recomputes_when_its_formula_says_so() {
        let plan = ServiceCachePlan { beta: Some(2.0), soft_ttl: None, ..plan() };
        let (key, value, mut state) = (Value::Int(1), Value::Int(7), CacheState::default());
        // A flight of 3 s, and a draw of 1/e: 6 s ahead.
        state.store(&plan, key, value, (at(0), at(3)));
        let draw = sim_core::math::exp(-1.0);
        assert_eq!(state.look(&plan, key, at(56), draw), Look::Fresh(value));
        assert_eq!(state.look(&plan, key, at(57), draw), Look::Early);
        assert_eq!(state.look(&plan, key, at(57), 0.99), Look::Fresh(value));
        state.flights.insert(key, 1);
        assert_eq!(state.look(&plan, key, at(57), draw), Look::Fresh(value), "somebody is at it");
        assert_eq!(state.look(&plan, key, at(63), draw), Look::Awaited(1));
    }
}
