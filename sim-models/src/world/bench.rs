//! A bench for one part of the world: a plan of a few actors, what all parts share, and a queue
//! whose events nobody handles.

use std::sync::Arc;

use sim_core::{Limits, Model, Simulation, Span, Streams, Time};

use super::luck::Luck;
use super::{Ctx, Event, Shared, World};
use crate::log::Note;
use crate::plan::{ActorId, ActorKind, ActorPlan, Fault, FaultEntry, PairId, Plan, Trigger};

pub(super) struct Bench {
    pub(super) shared: Shared,
    events: Simulation<Events>,
}

/// The event that was due last.
struct Events(Option<Event>);

impl Model for Events {
    type Event = Event;
    fn fingerprint(event: &Event) -> u64 {
        World::fingerprint(event)
    }
    fn handle(&mut self, event: Event, _: &mut Ctx) {
        self.0 = Some(event);
    }
}

impl Bench {
    pub(super) fn new(plan: Plan) -> Bench {
        let shared = Shared::new(Arc::new(plan), Luck::new(&Streams::new(7)));
        Bench { shared, events: Simulation::new(Events(None), Limits::default()) }
    }

    /// Lets a part act.
    pub(super) fn act<R>(&mut self, act: impl FnOnce(&mut Shared, &mut Ctx) -> R) -> R {
        act(&mut self.shared, self.events.context())
    }

    /// The next event that is due, and when.
    pub(super) fn next(&mut self) -> Option<(Time, Event)> {
        let step = self.events.step().ok()?;
        self.events.model_mut().0.take().map(|event| (step.at, event))
    }

    /// The story so far.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.shared.log.notes().collect()
    }
}

/// Actors without links, each of which may call each.
pub(super) fn plan(kinds: Vec<ActorKind>) -> Plan {
    let count = kinds.len();
    let actor = |(n, kind)| ActorPlan { name: format!("actor-{n}"), entity: n as u64, kind };
    let ids = || (0..count).map(ActorId::nth);
    Plan {
        horizon: Span::secs(60),
        window: Span::secs(1),
        actors: kinds.into_iter().enumerate().map(actor).collect(),
        pairs: ids().flat_map(|from| ids().map(move |to| (from, to))).collect(),
        routes: vec![None; count * count],
        ..Plan::default()
    }
}

/// A fault of the plan, which strikes when a test says so.
pub(super) fn fault(fault: Fault) -> FaultEntry {
    let trigger = Trigger::At(Span::ZERO);
    FaultEntry { trigger, lasts: None, fault, label: String::new() }
}

/// From the first actor to the second, of two.
pub(super) const PAIR: PairId = PairId(1);
