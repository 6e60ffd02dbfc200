//! Conditions: what the active faults make of actors and routes.
//!
//! Nothing here is restored when a fault ends: everything is worked out anew from the faults that
//! are active then. So two faults on one target act as the union of their times.

use std::ops::Index;

use sim_core::{Draw, Span};

use crate::plan::{ActorId, Fault};

/// Under what conditions each actor and each route works.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    actors: Vec<Condition>,
    /// Whether an actor is paused. Most runs pause none, and every event asks.
    pub(super) has_paused: bool,
    /// In the order of `Plan::routes`.
    pub(super) routes: Vec<RouteCondition>,
    /// Beside those: what is wrong with the messages of one instance.
    of_instances: Vec<InstanceRoute>,
    /// Copies that come later, or to an instance of their own.
    copies: Vec<(End, ActorId, Copies)>,
}

/// A share of the requests of a way is sent a second time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Copies {
    pub(super) rate: f64,
    /// So much later than the first.
    pub(super) later: Span,
    /// To this instance, whatever the balancer says.
    pub(super) to_instance: Option<u32>,
}

/// An end of a route: an actor, and its instance where one is known.
pub(super) type End = (ActorId, Option<u32>);

/// What is wrong on the way from one end to another, one of which is an instance.
#[derive(Clone, Copy, Debug)]
struct InstanceRoute {
    from: End,
    to: End,
    condition: RouteCondition,
}

impl InstanceRoute {
    /// Whether a message between these ends goes this way.
    fn is_of(&self, from: End, to: End) -> bool {
        covers(self.from, from) && covers(self.to, to)
    }
}

/// Whether what is said of one end is said of another: an actor is each of its instances.
fn covers(own: End, end: End) -> bool {
    own.0 == end.0 && (own.1.is_none() || own.1 == end.1)
}

/// Under what conditions an actor works.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// What is wrong with all of it.
    pub(super) all: Trouble,
    /// Beside that: what is wrong with one instance, in the order in which it began.
    only: Vec<(u32, Trouble)>,
    /// Commands that need memory fail.
    pub(super) out_of_memory: bool,
    /// What is wrong between a store and its replicas: all of them, or one.
    lags: Vec<(Option<u32>, Option<Span>)>,
    /// Whom a primary still serves that a replica has replaced.
    served_by_old: Vec<End>,
}

/// What is wrong with an actor, or with one of its instances.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Connections are refused.
    pub(super) down: bool,
    /// The process is dead.
    pub(super) crashed: bool,
    /// Nothing comes in or goes out.
    pub(super) black_hole: bool,
    pub(super) paused: bool,
    /// By how much the wall clock is ahead, in nanoseconds.
    pub(super) clock_ns: i64,
    /// The share of requests that are accepted and forgotten.
    hang: f64,
    /// Shares of requests answered with a status.
    errors: Vec<(f64, u16)>,
    /// Factors on the length of work.
    slow: Vec<f64>,
}

/// Under what conditions messages travel one way between two actors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RouteCondition {
    pub(super) cut: bool,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) delay: Span,
}

impl Conditions {
    /// Nothing is wrong.
    pub(super) fn new(actors: usize) -> Conditions {
        Conditions {
            actors: vec![Condition::default(); actors],
            has_paused: false,
            routes: vec![RouteCondition::default(); actors * actors],
            of_instances: Vec::new(),
            copies: Vec::new(),
        }
    }

    /// Where the route from one actor to another stands.
    pub(super) fn route(&self, from: ActorId, to: ActorId) -> usize {
        from.index() * self.actors.len() + to.index()
    }

    /// What is wrong with the messages between two ends.
    pub(super) fn between(&self, from: End, to: End) -> RouteCondition {
        let mut condition = self.routes[self.route(from.0, to.0)];
        for own in self.of_instances.iter().filter(|own| own.is_of(from, to)) {
            condition.add(own.condition);
        }
        condition
    }

    /// What is wrong with the messages from an end to an instance alone, beside what is wrong with
    /// those to its actor.
    pub(super) fn of_the_last_leg(&self, from: End, to: (ActorId, u32)) -> RouteCondition {
        let to = (to.0, Some(to.1));
        let mut condition = RouteCondition::default();
        for own in self.of_instances.iter().filter(|own| own.to == to && own.is_of(from, to)) {
            condition.add(own.condition);
        }
        condition
    }

    /// The copies that are made of a request between two ends.
    pub(super) fn copies(&self, from: End, to: ActorId) -> impl Iterator<Item = Copies> {
        let own = self.copies.iter().filter(move |own| covers(own.0, from) && own.1 == to);
        own.map(|(_, _, copies)| *copies)
    }

    /// By how much each actor's clock is ahead, in nanoseconds.
    pub(super) fn clocks(&self) -> impl Iterator<Item = i64> {
        self.actors.iter().map(|condition| condition.all.clock_ns)
    }

    /// Nothing is wrong any more.
    pub(super) fn clear(&mut self) {
        self.actors.fill(Condition::default());
        self.has_paused = false;
        self.routes.fill(RouteCondition::default());
        self.of_instances.clear();
        self.copies.clear();
    }

    /// One more fault is active, beside those that were imposed before.
    pub(super) fn impose(&mut self, fault: Fault) {
        match fault {
            Fault::Errors { actor, rate, status, instance } => {
                self.of(actor, instance).errors.push((rate, status));
            }
            Fault::Hang { actor, rate, instance } => {
                let hang = &mut self.of(actor, instance).hang;
                *hang = either(*hang, rate);
            }
            Fault::Crash { actor, instance } => {
                let trouble = self.of(actor, instance);
                (trouble.down, trouble.crashed) = (true, true);
            }
            Fault::Outage { actor, instance } => self.of(actor, instance).down = true,
            Fault::Failover { store } => self.of(store, None).down = true,
            Fault::BlackHole { actor, instance } => self.of(actor, instance).black_hole = true,
            Fault::Slow { actor, factor, instance } => {
                self.of(actor, instance).slow.push(factor);
            }
            Fault::Pause { actor, instance } => {
                self.of(actor, instance).paused = true;
                self.has_paused = true;
            }
            Fault::Partition { from, to, both_ways, instance, to_instance } => {
                let cut = RouteCondition { cut: true, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, to_instance), cut);
                if both_ways {
                    self.on_the_way((to, to_instance), (from, instance), cut);
                }
            }
            Fault::Loss { from, to, rate, instance, to_instance } => {
                let loss = RouteCondition { loss: rate, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, to_instance), loss);
            }
            Fault::Duplicate { from, to, rate, later: Span::ZERO, instance, to_instance: None } => {
                let twice = RouteCondition { duplicate: rate, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, None), twice);
            }
            Fault::Duplicate { from, to, rate, later, instance, to_instance } => {
                self.copies.push(((from, instance), to, Copies { rate, later, to_instance }));
            }
            Fault::Delay { from, to, by, instance, to_instance } => {
                let later = RouteCondition { delay: by, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, to_instance), later);
            }
            Fault::ClockStep { actor, forward, back, instance } => {
                let nanos = |span: Option<Span>| span.unwrap_or_default().as_nanos().cast_signed();
                let clock_ns = &mut self.of(actor, instance).clock_ns;
                *clock_ns = clock_ns.saturating_add(nanos(forward) - nanos(back));
            }
            Fault::OutOfMemory { store } => self.actors[store.index()].out_of_memory = true,
            Fault::SplitBrain { store, actor, instance } => {
                self.actors[store.index()].served_by_old.push((actor, instance));
            }
            Fault::Lag { store, by, replica } => {
                self.actors[store.index()].lags.push((replica, by));
            }
            // These strike a task, a store or a user once, and leave conditions as they are.
            Fault::Throw { .. }
            | Fault::Stall
            | Fault::User { .. }
            | Fault::Flush { .. }
            | Fault::Evict { .. } => {}
        }
    }

    /// What is wrong with an actor, or with one instance of it.
    fn of(&mut self, actor: ActorId, instance: Option<u32>) -> &mut Trouble {
        let Condition { all, only, .. } = &mut self.actors[actor.index()];
        let Some(instance) = instance else { return all };
        let n = only.iter().position(|(n, _)| *n == instance).unwrap_or_else(|| {
            only.push((instance, Trouble::default()));
            only.len() - 1
        });
        &mut only[n].1
    }

    fn on_the_way(&mut self, from: End, to: End, condition: RouteCondition) {
        if from.1.or(to.1).is_some() {
            self.of_instances.push(InstanceRoute { from, to, condition });
        } else {
            let route = self.route(from.0, to.0);
            self.routes[route].add(condition);
        }
    }
}

impl RouteCondition {
    /// Something more is wrong with the same messages.
    fn add(&mut self, more: RouteCondition) {
        let RouteCondition { cut, loss, duplicate, delay } = more;
        self.cut |= cut;
        self.loss = either(self.loss, loss);
        self.duplicate = either(self.duplicate, duplicate);
        self.delay += delay;
    }
}

/// An actor's condition, by its number.
impl Index<usize> for Conditions {
    type Output = Condition;
    fn index(&self, actor: usize) -> &Condition {
        &self.actors[actor]
    }
}

impl Condition {
    /// What is wrong with an instance, alone or with all others.
    fn at(&self, instance: u32) -> impl Iterator<Item = &Trouble> {
        let only = self.only.iter().filter(move |(n, _)| *n == instance);
        std::iter::once(&self.all).chain(only.map(|(_, trouble)| trouble))
    }

    /// Whether the process of an instance is dead.
    pub(super) fn is_dead(&self, instance: u32) -> bool {
        self.at(instance).any(|trouble| trouble.crashed)
    }

    /// Whether an instance refuses connections.
    pub(super) fn is_down(&self, instance: u32) -> bool {
        self.at(instance).any(|trouble| trouble.down)
    }

    /// Whether an instance stands still, or all.
    pub(super) fn is_paused(&self, instance: Option<u32>) -> bool {
        match instance {
            Some(instance) => self.at(instance).any(|trouble| trouble.paused),
            None => self.all.paused,
        }
    }

    /// Whether nothing comes to an instance, or to all, and nothing leaves it.
    pub(super) fn is_dark(&self, instance: Option<u32>) -> bool {
        match instance {
            Some(instance) => self.at(instance).any(|trouble| trouble.black_hole),
            None => self.all.black_hole,
        }
    }

    /// By how much the writes of a store reach a replica later; `None` when it is cut off.
    pub(super) fn behind(&self, replica: u32) -> Option<Span> {
        let own = self.lags.iter().filter(|(of, _)| of.is_none_or(|n| n == replica));
        own.map(|(_, by)| *by).try_fold(Span::ZERO, |sum, by| by.map(|by| sum + by))
    }

    /// Whether a store serves an end at a primary that a replica has replaced.
    pub(super) fn is_served_by_old(&self, end: End) -> bool {
        self.served_by_old.iter().any(|own| covers(*own, end))
    }

    /// Whether such a primary still serves anybody.
    pub(super) fn has_old_primary(&self) -> bool {
        !self.served_by_old.is_empty()
    }

    /// By how much the wall clock of an instance is ahead, in nanoseconds.
    pub(super) fn clock_ns(&self, instance: u32) -> i64 {
        let clocks = self.at(instance).map(|trouble| trouble.clock_ns);
        clocks.fold(0, i64::saturating_add)
    }

    /// The share of requests that an instance accepts and forgets.
    pub(super) fn hang(&self, instance: u32) -> f64 {
        self.at(instance).map(|trouble| trouble.hang).fold(0.0, either)
    }

    /// The status with which an instance answers a request unworked, if chance has it so.
    pub(super) fn error(&self, instance: u32, draws: &mut impl Draw) -> Option<u16> {
        let mut errors = self.at(instance).flat_map(|trouble| &trouble.errors);
        errors.find(|(rate, _)| draws.chance(*rate)).map(|(_, status)| *status)
    }

    /// How long work takes an instance that may be slow.
    pub(super) fn slowed(&self, instance: u32, length: Span) -> Span {
        let factors = self.at(instance).flat_map(|trouble| &trouble.slow);
        factors.fold(length, |length, factor| length * *factor)
    }
}

/// The chance that at least one of two independent things happens.
pub(super) fn either(a: f64, b: f64) -> f64 {
    1.0 - (1.0 - a) * (1.0 - b)
}
