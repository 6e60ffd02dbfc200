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

use sim_core::{Draw, Span, Time};
use sim_redis::value::Value;

use crate::outcome::ResourceEvent;
use crate::plan::{ActorId, CachedId, CachedPlan, Plan, Reg, ServiceCacheId, ServiceCachePlan};
use crate::world::ids::TaskId;
use crate::world::shared::Shared;

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
    waiters: Vec<(TaskId, Reg)>,
}

/// A value that a task looks up.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Wanted {
    pub(in crate::world) cached: CachedId,
    pub(in crate::world) key: Value,
    pub(in crate::world) instance: u32,
    /// Addresses the luck of the lookup.
    pub(in crate::world) lineage: u64,
}

/// What a lookup comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::world) enum Look {
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

/// What a flight has found.
#[derive(Debug)]
#[must_use]
pub(in crate::world) struct Landed {
    pub(in crate::world) value: Value,
    pub(in crate::world) waiters: Vec<(TaskId, Reg)>,
}

impl Caches {
    /// A task needs a value.
    pub(in crate::world) fn look(
        &mut self,
        wanted: Wanted,
        shared: &mut Shared,
        now: Time,
    ) -> Look {
        let Wanted { cached, key, instance, lineage } = wanted;
        let cache = shared.plan.cached[cached.index()].cache;
        let draw = shared.luck.early.at(lineage).unit_open();
        let plan = &shared.plan.service_caches[cache.index()];
        let state = self.states.entry((cache, instance)).or_default();
        let look = state.look(plan, key, now, draw);
        let observed = shared.metrics.cache_of(cache);
        let (event, also) = match look {
            Look::Fresh(_) => (ResourceEvent::Hit, None),
            Look::Stale(_) => (ResourceEvent::Hit, Some(ResourceEvent::Stale)),
            Look::Early => (ResourceEvent::Early, None),
            Look::Awaited(_) => (ResourceEvent::Missed, Some(ResourceEvent::Coalesced)),
            Look::Unknown => (ResourceEvent::Missed, None),
        };
        shared.metrics.looked(observed, event, now);
        if let Some(also) = also {
            shared.metrics.happened(observed, also, 1);
        }
        look
    }

    /// A task begins to work a value out: the number of its flight.
    pub(in crate::world) fn take_off(
        &mut self,
        wanted: Wanted,
        shared: &mut Shared,
        now: Time,
    ) -> u64 {
        let Wanted { cached, key, instance, .. } = wanted;
        let cache = shared.plan.cached[cached.index()].cache;
        self.next += 1;
        let flight = self.next;
        let waiters = Vec::new();
        self.flights.insert(flight, Flight { cached, instance, key, begun: now, waiters });
        if shared.plan.service_caches[cache.index()].coalesce {
            let state = self.states.entry((cache, instance)).or_default();
            state.flights.insert(key, flight);
        }
        shared.metrics.happened(shared.metrics.cache_of(cache), ResourceEvent::Computed, 1);
        flight
    }

    /// A task waits for a flight, and a variable of it takes the value.
    pub(in crate::world) fn wait(&mut self, flight: u64, task: TaskId, into: Reg) {
        let entry = self.flights.get_mut(&flight).expect("it is under way");
        entry.waiters.push((task, into));
    }

    /// A flight has ended with these registers: what it found is kept, unless it failed. Nobody
    /// hears of one whose cache has gone.
    pub(in crate::world) fn land(
        &mut self,
        flight: u64,
        registers: &[Value],
        has_failed: bool,
        shared: &mut Shared,
        now: Time,
    ) -> Option<Landed> {
        let Flight { cached, instance, key, begun, waiters } = self.flights.remove(&flight)?;
        let CachedPlan { cache, into, .. } = shared.plan.cached[cached.index()];
        let value = registers[into.index()];
        let state = self.states.entry((cache, instance)).or_default();
        if state.flights.get(&key) == Some(&flight) {
            state.flights.remove(&key);
        }
        if !has_failed {
            let plan = &shared.plan.service_caches[cache.index()];
            let evicted = state.store(plan, key, value, (begun, now));
            let observed = shared.metrics.cache_of(cache);
            shared.metrics.happened(observed, ResourceEvent::Evicted, evicted);
        } else if let Some(entry) = state.entries.get_mut(&key) {
            entry.refreshed = false;
        }
        Some(Landed { value, waiters })
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
