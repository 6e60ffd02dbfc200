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
        let matches = |own: End, end: End| own.0 == end.0 && (own.1.is_none() || own.1 == end.1);
        matches(self.from, from) && matches(self.to, to)
    }
}

/// Under what conditions an actor works.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// Connections are refused.
    pub(super) down: bool,
    /// The process is dead, with all its instances.
    pub(super) crashed: bool,
    /// Instances that are dead by themselves.
    dead: Vec<u32>,
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
            of_instances: Vec::new(),
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

    /// Whether nothing comes from an end to an instance, although its actor can be reached.
    pub(super) fn cuts_off_instance(&self, from: End, to: (ActorId, u32)) -> bool {
        let to = (to.0, Some(to.1));
        self.of_instances.iter().any(|own| own.condition.cut && own.is_of(from, to))
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
        self.of_instances.clear();
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
            Fault::Crash { actor, instance: Some(instance) } => {
                self.of(actor).dead.push(instance);
            }
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
            Fault::Partition { from, to, both_ways, instance } => {
                let cut = RouteCondition { cut: true, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, None), cut);
                if both_ways {
                    self.on_the_way((to, None), (from, instance), cut);
                }
            }
            Fault::Loss { from, to, rate, instance } => {
                let loss = RouteCondition { loss: rate, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, None), loss);
            }
            Fault::Duplicate { from, to, rate, instance } => {
                let twice = RouteCondition { duplicate: rate, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, None), twice);
            }
            Fault::Delay { from, to, by, instance } => {
                let later = RouteCondition { delay: by, ..RouteCondition::default() };
                self.on_the_way((from, instance), (to, None), later);
            }
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
    /// Whether an instance is dead, alone or with all others.
    pub(super) fn is_dead(&self, instance: u32) -> bool {
        self.crashed || self.dead.contains(&instance)
    }

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
