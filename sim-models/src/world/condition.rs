//! Conditions: what the active faults make of actors and routes.

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
}

/// Under what conditions an actor works.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// Connections are refused.
    pub(super) down: bool,
    /// The process is dead.
    pub(super) crashed: bool,
    /// Nothing comes in or goes out.
    pub(super) black_hole: bool,
    pub(super) paused: bool,
    /// By how much the wall clock is ahead, in nanoseconds.
    pub(super) clock_ns: i64,
    /// Commands that need memory fail.
    pub(super) out_of_memory: bool,
    /// The share of requests that are accepted and forgotten.
    pub(super) hang: f64,
    /// Shares of requests answered with a status.
    pub(super) errors: Vec<(f64, u16)>,
    /// Factors on the length of work, of one instance or of all.
    pub(super) slow: Vec<(Option<u32>, f64)>,
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
        }
    }

    /// Where the route from one actor to another stands.
    pub(super) fn route(&self, from: ActorId, to: ActorId) -> usize {
        from.index() * self.actors.len() + to.index()
    }

    /// By how much each actor's clock is ahead, in nanoseconds.
    pub(super) fn clocks(&self) -> impl Iterator<Item = i64> {
        self.actors.iter().map(|condition| condition.clock_ns)
    }

    /// Nothing is wrong any more.
    pub(super) fn clear(&mut self) {
        self.actors.fill(Condition::default());
        self.has_paused = false;
        self.routes.fill(RouteCondition::default());
    }

    /// One more fault is active, beside those that were imposed before.
    pub(super) fn impose(&mut self, fault: Fault) {
        match fault {
            Fault::Errors { actor, rate, status } => {
                self.of(actor).errors.push((rate, status));
            }
            Fault::Hang { actor, rate } => {
                let hang = &mut self.of(actor).hang;
                *hang = either(*hang, rate);
            }
            // The balancer knows of an instance that is down.
            Fault::Crash { instance: Some(_), .. } => {}
            Fault::Crash { actor, instance: None } => {
                let condition = self.of(actor);
                (condition.down, condition.crashed) = (true, true);
            }
            Fault::Outage { actor } | Fault::Failover { store: actor } => {
                self.of(actor).down = true;
            }
            Fault::BlackHole { actor } => self.of(actor).black_hole = true,
            Fault::Slow { actor, factor, instance } => {
                self.of(actor).slow.push((instance, factor));
            }
            Fault::Pause { actor } => {
                self.of(actor).paused = true;
                self.has_paused = true;
            }
            Fault::Partition { from, to, both_ways } => {
                self.between(from, to).cut = true;
                self.between(to, from).cut |= both_ways;
            }
            Fault::Loss { from, to, rate } => {
                let loss = &mut self.between(from, to).loss;
                *loss = either(*loss, rate);
            }
            Fault::Duplicate { from, to, rate } => {
                let duplicate = &mut self.between(from, to).duplicate;
                *duplicate = either(*duplicate, rate);
            }
            Fault::Delay { from, to, by } => self.between(from, to).delay += by,
            Fault::ClockStep { actor, forward, back } => {
                let nanos = |span: Option<Span>| span.unwrap_or_default().as_nanos().cast_signed();
                let clock_ns = &mut self.of(actor).clock_ns;
                *clock_ns = clock_ns.saturating_add(nanos(forward) - nanos(back));
            }
            Fault::OutOfMemory { store } => self.of(store).out_of_memory = true,
            // These strike a task or a store once, and leave conditions as they are.
            Fault::Throw { .. } | Fault::Stall | Fault::Flush { .. } | Fault::Evict { .. } => {}
        }
    }

    fn of(&mut self, actor: ActorId) -> &mut Condition {
        &mut self.actors[actor.index()]
    }

    fn between(&mut self, from: ActorId, to: ActorId) -> &mut RouteCondition {
        let route = self.route(from, to);
        &mut self.routes[route]
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
    /// The status with which a request is answered unworked, if chance has it so.
    pub(super) fn error(&self, draws: &mut impl Draw) -> Option<u16> {
        self.errors.iter().find(|(rate, _)| draws.chance(*rate)).map(|(_, status)| *status)
    }

    /// How long work takes an instance that may be slow.
    pub(super) fn slowed(&self, instance: u32, length: Span) -> Span {
        let of_this = self.slow.iter().filter(|(only, _)| only.is_none_or(|only| only == instance));
        of_this.fold(length, |length, (_, factor)| length * *factor)
    }
}

/// The chance that at least one of two independent things happens.
pub(super) fn either(a: f64, b: f64) -> f64 {
    1.0 - (1.0 - a) * (1.0 - b)
}
