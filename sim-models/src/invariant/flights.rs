//! `OneInFlight`: at most one attempt to call an endpoint is awaited per key.

use std::collections::BTreeMap;

use sim_core::Time;
use sim_redis::value::Value;

use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::plan::{ActorId, Server};

/// What may have one call under way: a client's key of the request that the caller serves, and the
/// intent where one of two callers serves no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Key(ActorId, Value),
    Intent(u32),
}

/// An attempt that its caller awaits.
#[derive(Clone, Copy, Debug)]
struct Flight {
    call: u64,
    caller: ActorId,
    intent: u32,
    key: Value,
    since: Time,
}

#[derive(Debug)]
pub(super) struct Flights {
    to: Server,
    flights: BTreeMap<Scope, Vec<Flight>>,
}

impl Flights {
    pub(super) fn new(to: Server) -> Flights {
        Flights { to, flights: BTreeMap::new() }
    }
}

/// Where a flight is looked for.
fn scopes(scene: Scene<'_>, intent: u32, key: Value) -> impl Iterator<Item = Scope> {
    let by_key = (key != Value::Nil).then(|| Scope::Key(scene.client(intent), key));
    by_key.into_iter().chain([Scope::Intent(intent)])
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
                let is_same = |scope: Scope, other: &&Flight| match scope {
                    Scope::Key(..) => true,
                    Scope::Intent(_) => key == Value::Nil || other.key == Value::Nil,
                };
                let mut other = None;
                for scope in scopes(scene, intent, key) {
                    let flights = self.flights.entry(scope).or_default();
                    other = other.or(flights.iter().find(|f| is_same(scope, f)).copied());
                    flights.push(Flight { call, caller, intent, key, since });
                }
                if let Some(first) = other {
                    findings.violated(scene.now, || {
                        let (place, name) = (scene.server(to), scene.intent(intent));
                        let other = scene.plan.actor_name(first.caller);
                        let own = scene.plan.actor_name(caller);
                        let begun = first.since;
                        let witness = format!(
                            "{place} is called for {name} by {own} at {since}, \
                             while {other} awaits it since {begun}"
                        );
                        let what = format!("calls {place}");
                        Breach::by(intent, own, what, witness).beside(first.intent)
                    });
                }
            }
            Seen::Settled { to, call, intent, key } if to == self.to => {
                for scope in scopes(scene, intent, key) {
                    if let Some(flights) = self.flights.get_mut(&scope) {
                        flights.retain(|flight| flight.call != call);
                        if flights.is_empty() {
                            self.flights.remove(&scope);
                        }
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
