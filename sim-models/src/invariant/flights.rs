//! `OneInFlight`: at most one attempt to call an endpoint is awaited per key.

use std::collections::BTreeMap;

use sim_core::Time;

use super::{Findings, Law, Place, Scene, Seen, Topic};
use crate::plan::ActorId;
use crate::value::Value;

/// What may have one call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// A client's key of the request that the caller serves.
    Key(ActorId, Value),
    /// The caller serves no key.
    Intent(u32),
}

/// An attempt that its caller awaits.
#[derive(Clone, Copy, Debug)]
struct Flight {
    call: u64,
    caller: ActorId,
    since: Time,
}

#[derive(Debug)]
pub(super) struct Flights {
    to: Place,
    flights: BTreeMap<Scope, Vec<Flight>>,
}

impl Flights {
    pub(super) fn new(to: Place) -> Flights {
        Flights { to, flights: BTreeMap::new() }
    }
}

fn scope(scene: Scene<'_>, intent: u32, key: Value) -> Scope {
    match key {
        Value::Nil => Scope::Intent(intent),
        key => Scope::Key(scene.client(intent), key),
    }
}

impl Law for Flights {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Flights]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        match *seen {
            Seen::Sent { to, call, caller, intent, key } if to == self.to => {
                findings.exercised = true;
                let since = scene.now.at;
                let flights = self.flights.entry(scope(scene, intent, key)).or_default();
                if let Some(first) = flights.first() {
                    findings.violated(scene.now, Some(intent), || {
                        let (place, name) = (scene.place(to), scene.intent(intent));
                        let other = scene.world.plan.actor_name(first.caller);
                        let own = scene.world.plan.actor_name(caller);
                        let begun = first.since;
                        format!(
                            "{place} is called for {name} by {own} at {since}, \
                             while {other} awaits it since {begun}"
                        )
                    });
                }
                flights.push(Flight { call, caller, since });
            }
            Seen::Settled { to, call, intent, key } if to == self.to => {
                let scope = scope(scene, intent, key);
                if let Some(flights) = self.flights.get_mut(&scope) {
                    flights.retain(|flight| flight.call != call);
                    if flights.is_empty() {
                        self.flights.remove(&scope);
                    }
                }
            }
            _ => {}
        }
    }

    fn memory_bytes(&self) -> usize {
        let held = self.flights.values().map(|flights| flights.capacity()).sum::<usize>();
        held * size_of::<Flight>() + self.flights.len() * 2 * size_of::<(Scope, Vec<Flight>)>()
    }
}
