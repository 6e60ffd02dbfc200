//! The run loop: takes the next event, advances the clock, hands the event to the model.
//!
//! A [`Model`] is one closed world of events. While it handles one it holds a [`Context`]: the
//! clock, the queue and the digest, but neither the loop nor the limits. Events fire by instant
//! and, at equal instants, in the order in which they were scheduled.

use crate::digest::{Checkpoint, Checkpoints, Digest};
use crate::limits::{LimitHit, Limits};
use crate::queue::{EventQueue, Handle, Lane};
use crate::time::{Span, Time};

/// Memory is estimated every so many steps: often enough to stop a storm within a megabyte.
const MEMORY_INTERVAL: u64 = 1024;

/// An instant and the step of the run at which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The instant.
    pub at: Time,
    /// The number of the step, from 1.
    pub step: u64,
}

/// A world of events.
pub trait Model {
    /// What happens in this world.
    type Event;

    /// A word that tells this event from others; folded into the digest when it is delivered.
    fn fingerprint(event: &Self::Event) -> u64;

    /// Lets the event happen, now.
    fn handle(&mut self, event: Self::Event, ctx: &mut Context<Self::Event>);

    /// Bytes that the model holds, estimated. Checked against [`Limits::memory_max`].
    fn memory_bytes(&self) -> usize {
        0
    }
}

/// What a model may use while it handles an event: the clock, the queue and the digest.
pub struct Context<E> {
    queue: EventQueue<E>,
    now: Time,
    step: u64,
    digest: Digest,
    /// Why no further event will be delivered.
    ended: Option<Stop>,
    memory_max: usize,
}

impl<E> Context<E> {
    /// The present instant.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The number of the step being delivered, from 1.
    #[inline]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The present instant and step.
    #[inline]
    pub fn moment(&self) -> Moment {
        Moment { at: self.now, step: self.step }
    }

    /// Schedules an event at an instant.
    ///
    /// # Panics
    /// When the instant lies in the past.
    #[inline]
    pub fn schedule_at(&mut self, at: Time, event: E) -> Handle {
        assert!(at >= self.now, "an event cannot be scheduled at {at}, before {}", self.now);
        let pushed = self.queue.push(at, event);
        self.accept(pushed)
    }

    /// Schedules an event after a span, zero for later in this same instant.
    #[inline]
    pub fn schedule_after(&mut self, delay: Span, event: E) -> Handle {
        let pushed = self.queue.push(self.now + delay, event);
        self.accept(pushed)
    }

    /// The lane of a constant delay; the same for the same delay. Timers of one delay are cheaper
    /// on their lane, above all those that are nearly always cancelled.
    pub fn lane(&mut self, delay: Span) -> Lane {
        self.queue.lane(delay)
    }

    /// Schedules an event after the lane's delay. It fires exactly when
    /// [`schedule_after`](Self::schedule_after) would have let it.
    ///
    /// # Panics
    /// May panic when the lane is another simulation's.
    #[inline]
    pub fn schedule_on(&mut self, lane: Lane, event: E) -> Handle {
        let pushed = self.queue.push_on(lane, self.now + lane.delay(), event);
        self.accept(pushed)
    }

    /// Cancels an event in constant time; false when it has already fired or been cancelled.
    #[inline]
    pub fn cancel(&mut self, handle: Handle) -> bool {
        self.queue.cancel(handle)
    }

    /// Whether an event has neither fired nor been cancelled.
    pub fn is_pending(&self, handle: Handle) -> bool {
        self.queue.is_pending(handle)
    }

    /// Folds an observable effect into the digest.
    #[inline]
    pub fn observe(&mut self, word: u64) {
        self.digest.fold(word);
    }

    /// Ends the run after this event.
    pub fn stop(&mut self) {
        self.ended.get_or_insert(Stop::Stopped);
    }

    /// Events that wait to fire.
    #[inline]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// True when the run ends after this event: a limit was hit, or the model has ended it.
    #[inline]
    pub const fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Ends the run after this event when the queue and the model, which holds so many bytes, hold
    /// more than [`Limits::memory_max`]. It is asked every 1024 steps; a model that does much in one
    /// event asks in between, and goes on only while the run [is not ended](Context::is_ended).
    #[cold]
    pub fn check_memory(&mut self, model_bytes: usize) {
        let (used, max) = (self.queue.memory_bytes() + model_bytes, self.memory_max);
        if used > max {
            self.ended.get_or_insert(Stop::Limit(LimitHit::Memory { max, used }));
        }
    }

    /// An event that no room was left for ends the run: without it, what follows means nothing.
    #[inline]
    fn accept(&mut self, pushed: Result<Handle, LimitHit>) -> Handle {
        pushed.unwrap_or_else(|hit| {
            self.ended.get_or_insert(Stop::Limit(hit));
            Handle::INERT
        })
    }
}

/// One delivered event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the step, from 1.
    pub number: u64,
    /// When it happened.
    pub at: Time,
    /// The digest after the event was handled.
    pub digest: u64,
}

/// Why a run came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// No event is pending.
    Idle,
    /// All events up to the requested instant were delivered; later ones are pending.
    Reached,
    /// The model ended the run. No further event will be delivered.
    Stopped,
    /// A limit ended the run. No further event will be delivered.
    Limit(LimitHit),
}

/// A model and its run.
///
/// ```
/// use sim_core::{Context, Limits, Model, Simulation, Span, Stop, Time};
///
/// /// A bell that rings every second.
/// struct Bell;
///
/// impl Model for Bell {
///     type Event = ();
///     fn fingerprint(_: &()) -> u64 {
///         0
///     }
///     fn handle(&mut self, _: (), ctx: &mut Context<()>) {
///         ctx.schedule_after(Span::secs(1), ());
///     }
/// }
///
/// let mut sim = Simulation::new(Bell, Limits::default());
/// sim.context().schedule_after(Span::ZERO, ());
/// assert_eq!(sim.run_until(Time::ZERO + Span::secs(60)), Stop::Reached);
/// assert_eq!(sim.steps(), 61);
/// ```
pub struct Simulation<M: Model> {
    model: M,
    ctx: Context<M::Event>,
    limits: Limits,
    checkpoints: Checkpoints,
}

impl<M: Model> Simulation<M> {
    /// A run at time zero, with nothing scheduled.
    pub fn new(model: M, limits: Limits) -> Self {
        Self::with_order(model, limits, None)
    }

    /// A run in which events of equal instants fire in an order drawn from `seed`, to explore
    /// what depends on the order of ties.
    pub fn with_shuffled_ties(model: M, limits: Limits, seed: u64) -> Self {
        Self::with_order(model, limits, Some(seed))
    }

    fn with_order(model: M, limits: Limits, shuffle: Option<u64>) -> Self {
        let ctx = Context {
            queue: EventQueue::new(limits.pending_max, shuffle),
            now: Time::ZERO,
            step: 0,
            digest: Digest::default(),
            ended: None,
            memory_max: limits.memory_max,
        };
        Simulation { model, ctx, limits, checkpoints: Checkpoints::new() }
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model, to be changed between steps.
    pub fn model_mut(&mut self) -> &mut M {
        &mut self.model
    }

    /// Ends the run and returns the model.
    pub fn into_model(self) -> M {
        self.model
    }

    /// The context, to schedule the first events.
    pub fn context(&mut self) -> &mut Context<M::Event> {
        &mut self.ctx
    }

    /// Acts on the model together with its context, between events: to schedule the first ones.
    pub fn act(&mut self, act: impl FnOnce(&mut M, &mut Context<M::Event>)) {
        act(&mut self.model, &mut self.ctx);
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        self.ctx.now
    }

    /// Steps delivered so far.
    pub fn steps(&self) -> u64 {
        self.ctx.step
    }

    /// The digest of everything delivered and observed so far.
    pub fn digest(&self) -> u64 {
        self.ctx.digest.value()
    }

    /// Evenly spaced states of the digest, at most 64, oldest first.
    pub fn checkpoints(&self) -> &[Checkpoint] {
        self.checkpoints.kept()
    }

    /// The event that [`step`](Self::step) would deliver, and when; it stays pending.
    pub fn peek(&mut self) -> Option<(Time, &M::Event)> {
        self.ctx.queue.peek()
    }

    /// Delivers one event.
    ///
    /// # Errors
    /// When there is none to deliver, with the reason; never [`Stop::Reached`].
    pub fn step(&mut self) -> Result<Step, Stop> {
        self.deliver(Time::MAX)?;
        Ok(Step { number: self.ctx.step, at: self.ctx.now, digest: self.digest() })
    }

    /// Delivers all events at or before `until`. When it then returns [`Stop::Reached`] or
    /// [`Stop::Idle`] the clock shows `until`, unless it was later already.
    pub fn run_until(&mut self, until: Time) -> Stop {
        let stop = self.run(until);
        self.rest(stop, until)
    }

    /// As [`run_until`](Self::run_until), for at most so many steps: `None` when they were taken and
    /// none of this had an end. Whoever asks again goes on.
    pub fn run_some(&mut self, until: Time, steps: u64) -> Option<Stop> {
        for _ in 0..steps {
            if let Err(stop) = self.deliver(until) {
                return Some(self.rest(stop, until));
            }
        }
        None
    }

    /// The clock shows the instant up to which there is nothing more.
    fn rest(&mut self, stop: Stop, until: Time) -> Stop {
        if matches!(stop, Stop::Reached | Stop::Idle) {
            self.ctx.now = self.ctx.now.max(until);
        }
        stop
    }

    /// Delivers all events until none is pending; the clock shows the last one's instant.
    pub fn run_until_idle(&mut self) -> Stop {
        self.run(Time::MAX)
    }

    fn run(&mut self, until: Time) -> Stop {
        loop {
            if let Err(stop) = self.deliver(until) {
                return stop;
            }
        }
    }

    #[inline]
    fn deliver(&mut self, until: Time) -> Result<(), Stop> {
        let ctx = &mut self.ctx;
        if ctx.ended.is_some() || ctx.step >= self.limits.steps_max {
            return Err(self.reason(until));
        }
        let Some(fired) = ctx.queue.pop(until.min(self.limits.time_max)) else {
            return Err(self.reason(until));
        };
        assert!(ctx.now <= fired.at, "the queue went back in time");
        ctx.now = fired.at;
        ctx.step += 1;
        ctx.digest.fold(fired.at.as_nanos());
        ctx.digest.fold(fired.order);
        ctx.digest.fold(M::fingerprint(&fired.event));
        self.model.handle(fired.event, ctx);
        self.checkpoints.pass(ctx.step, ctx.now, ctx.digest);
        if ctx.step.is_multiple_of(MEMORY_INTERVAL) {
            ctx.check_memory(self.model.memory_bytes());
        }
        Ok(())
    }

    /// Why nothing can be delivered up to `until`.
    #[cold]
    fn reason(&mut self, until: Time) -> Stop {
        if let Some(ended) = self.ctx.ended {
            return ended;
        }
        match self.ctx.queue.peek() {
            None => Stop::Idle,
            Some((at, _)) if at > until => Stop::Reached,
            Some((at, _)) if at > self.limits.time_max => {
                Stop::Limit(LimitHit::Time { max: self.limits.time_max })
            }
            Some(_) => Stop::Limit(LimitHit::Steps { max: self.limits.steps_max }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps a diary; an event `n > 0` with a period schedules `n - 1` after it.
    #[derive(Default)]
    struct Diary {
        entries: Vec<(Time, u64)>,
        period: Option<Span>,
        stop_at: Option<u64>,
        memory: usize,
    }

    impl Model for Diary {
        type Event = u64;

        fn fingerprint(event: &u64) -> u64 {
            *event
        }

        fn handle(&mut self, event: u64, ctx: &mut Context<u64>) {
            self.entries.push((ctx.now(), event));
            if let Some(period) = self.period
                && event > 0
            {
                ctx.schedule_after(period, event - 1);
            }
            if self.stop_at == Some(event) {
                ctx.stop();
            }
        }

        fn memory_bytes(&self) -> usize {
            self.memory
        }
    }

    const SECOND: Span = Span::secs(1);

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    fn diary(instants: &[u64]) -> Simulation<Diary> {
        let mut sim = Simulation::new(Diary::default(), Limits::default());
        for (n, &secs) in (0..).zip(instants) {
            sim.context().schedule_at(at(secs), n);
        }
        sim
    }

    /// Counts down from `n`, a second apart.
    fn countdown(n: u64, limits: Limits) -> Simulation<Diary> {
        let model = Diary { period: Some(SECOND), ..Diary::default() };
        let mut sim = Simulation::new(model, limits);
        sim.context().schedule_at(at(0), n);
        sim
    }

    #[test]
    fn events_fire_by_instant_then_by_scheduling_order() {
        let mut sim = diary(&[3, 1, 3, 1, 0]);
        assert_eq!(sim.run_until_idle(), Stop::Idle);
        assert_eq!(
            sim.into_model().entries,
            [(at(0), 4), (at(1), 1), (at(1), 3), (at(3), 0), (at(3), 2)]
        );
    }

    #[test]
    fn equal_runs_have_equal_digests_and_checkpoints() {
        let [mut a, mut b] = [diary(&[3, 1, 3]), diary(&[3, 1, 3])];
        a.run_until_idle();
        while b.step().is_ok() {}
        assert_eq!(a.digest(), b.digest());
        assert_eq!(a.checkpoints(), b.checkpoints());
        assert_eq!(a.checkpoints().last().map(|c| (c.step, c.digest)), Some((3, a.digest())));
    }

    #[test]
    fn the_digest_tells_instants_events_effects_and_order_apart() {
        let digest = |instants: &[u64], observed: &[u64]| {
            let mut sim = diary(instants);
            observed.iter().for_each(|&word| sim.context().observe(word));
            sim.run_until_idle();
            sim.digest()
        };
        let runs = [
            digest(&[1, 2, 3], &[]),
            digest(&[1, 2, 4], &[]),
            digest(&[1, 3, 2], &[]),
            digest(&[1, 2], &[]),
            digest(&[1, 2, 3], &[0]),
            digest(&[1, 2, 3], &[1]),
        ];
        for (n, run) in runs.iter().enumerate() {
            assert!(!runs[..n].contains(run), "run {n}");
        }
    }

    #[test]
    fn two_runs_that_differ_in_one_event_have_different_digests() {
        let digest = |events: [u64; 3]| {
            let mut sim = diary(&[]);
            for event in events {
                sim.context().schedule_at(at(1), event);
            }
            sim.run_until_idle();
            sim.digest()
        };
        let plain = digest([7, 8, 9]);
        for other in [[0, 8, 9], [7, 0, 9], [7, 8, 0], [8, 7, 9], [7, 9, 8]] {
            assert_ne!(plain, digest(other), "the same instants and the same order: {other:?}");
        }
    }

    #[test]
    fn the_digest_remembers_the_place_in_the_scheduling_order() {
        let [mut plain, mut late] = [diary(&[]), diary(&[])];
        let dropped = late.context().schedule_at(at(1), 0);
        late.context().cancel(dropped);
        for sim in [&mut plain, &mut late] {
            sim.context().schedule_at(at(1), 0);
            sim.run_until_idle();
        }
        assert_eq!(plain.model().entries, late.model().entries);
        assert_ne!(plain.digest(), late.digest());
    }

    #[test]
    fn run_until_delivers_what_is_due_and_moves_the_clock() {
        let mut sim = diary(&[1, 2, 5]);
        assert_eq!(sim.run_until(at(2)), Stop::Reached);
        assert_eq!((sim.now(), sim.steps()), (at(2), 2));
        assert_eq!(sim.run_until(at(4)), Stop::Reached);
        assert_eq!((sim.now(), sim.steps()), (at(4), 2));
        assert_eq!(sim.run_until(at(3)), Stop::Reached);
        assert_eq!(sim.now(), at(4));
        assert_eq!(sim.run_until(at(9)), Stop::Idle);
        assert_eq!((sim.now(), sim.steps()), (at(9), 3));
    }

    #[test]
    fn next_shows_what_step_delivers() {
        let mut sim = diary(&[2, 1]);
        assert_eq!(sim.peek(), Some((at(1), &1)));
        let step = sim.step().unwrap();
        assert_eq!((step.number, step.at, step.digest), (1, at(1), sim.digest()));
        assert_eq!(sim.peek(), Some((at(2), &0)));
        assert!(sim.step().is_ok());
        assert_eq!(sim.peek(), None);
        assert_eq!(sim.step(), Err(Stop::Idle));
    }

    #[test]
    fn a_lane_fires_when_an_ordinary_timer_would() {
        let digest = |on_lane: bool| {
            let mut sim = diary(&[1, 2]);
            let ctx = sim.context();
            let lane = ctx.lane(SECOND);
            assert_eq!(lane, ctx.lane(SECOND));
            let timer =
                if on_lane { ctx.schedule_on(lane, 9) } else { ctx.schedule_after(SECOND, 9) };
            ctx.schedule_at(at(1), 10);
            assert!(ctx.cancel(timer) && !ctx.cancel(timer));
            if on_lane {
                ctx.schedule_on(lane, 11)
            } else {
                ctx.schedule_after(SECOND, 11)
            };
            sim.run_until_idle();
            sim.digest()
        };
        assert_eq!(digest(true), digest(false));
    }

    #[test]
    fn stop_ends_the_run_after_the_event() {
        let mut sim = countdown(10, Limits::default());
        sim.model_mut().stop_at = Some(8);
        assert_eq!(sim.run_until_idle(), Stop::Stopped);
        assert_eq!((sim.steps(), sim.context().pending()), (3, 1));
        assert_eq!(sim.step(), Err(Stop::Stopped));
    }

    #[test]
    #[should_panic(expected = "cannot be scheduled")]
    fn the_past_is_refused() {
        let mut sim = diary(&[]);
        sim.run_until(at(2));
        sim.context().schedule_at(at(1), 0);
    }

    #[test]
    fn each_limit_ends_the_run_for_good() {
        let roomy = Limits::default;
        for (limits, hit, steps) in [
            (Limits { steps_max: 7, ..roomy() }, LimitHit::Steps { max: 7 }, 7),
            (Limits { time_max: at(4), ..roomy() }, LimitHit::Time { max: at(4) }, 5),
            (Limits { memory_max: 9, ..roomy() }, LimitHit::Memory { max: 9, used: 0 }, 1024),
        ] {
            let mut sim = countdown(5_000, limits);
            let stop = sim.run_until(at(10_000));
            match (stop, hit) {
                (Stop::Limit(LimitHit::Memory { used, .. }), LimitHit::Memory { max, .. }) => {
                    assert!(used > max);
                }
                _ => assert_eq!(stop, Stop::Limit(hit)),
            }
            assert_eq!(sim.step(), Err(stop));
            assert_eq!(sim.steps(), steps);
        }
    }

    #[test]
    fn an_event_due_at_the_last_instant_is_not_passed_over() {
        let limits = Limits { steps_max: 7, ..Limits::default() };
        let mut sim = countdown(9, limits.clone());
        assert_eq!(sim.run_until(at(7)), Stop::Limit(LimitHit::Steps { max: 7 }));
        assert_eq!(countdown(9, limits).run_until(at(6)), Stop::Reached);
    }

    #[test]
    fn a_model_that_asks_within_an_event_ends_the_run_there() {
        let mut sim = countdown(9, Limits { memory_max: 1 << 20, ..Limits::default() });
        sim.context().check_memory(0);
        assert!(!sim.context().is_ended());
        sim.context().check_memory(2 << 20);
        assert!(sim.context().is_ended());
        let hit = sim.run_until_idle();
        assert!(matches!(hit, Stop::Limit(LimitHit::Memory { max: 1_048_576, .. })), "{hit:?}");
        assert_eq!(sim.steps(), 0);
    }

    #[test]
    fn a_limit_that_is_not_passed_ends_nothing() {
        let limits = Limits { steps_max: 6, time_max: at(5), pending_max: 1, ..Limits::default() };
        assert_eq!(countdown(5, limits).run_until(at(10)), Stop::Idle);
    }

    #[test]
    fn too_many_pending_events_end_the_run() {
        let mut sim = countdown(9, Limits { pending_max: 3, ..Limits::default() });
        let handles = [0, 1, 2].map(|n| sim.context().schedule_after(SECOND, n));
        let hit = Stop::Limit(LimitHit::Pending { max: 3 });
        assert_eq!(sim.run_until_idle(), hit);
        assert_eq!((sim.steps(), sim.context().pending()), (0, 3));
        assert!(!sim.context().cancel(handles[2]));
    }

    #[test]
    fn shuffled_ties_are_permuted_and_reproducible() {
        let order = |seed: u64| {
            let mut sim = Simulation::with_shuffled_ties(Diary::default(), Limits::default(), seed);
            let lane = sim.context().lane(SECOND);
            (0..50).for_each(|n| _ = sim.context().schedule_on(lane, n));
            sim.context().schedule_at(at(0), 50);
            sim.run_until_idle();
            sim.into_model().entries.into_iter().map(|(_, event)| event).collect::<Vec<_>>()
        };
        let first = order(1);
        assert_eq!(first[0], 50, "time still comes first");
        assert_eq!(first, order(1));
        assert_ne!(first, order(2));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_ne!(first[1..], sorted[..50]);
        assert_eq!(sorted, (0..=50).collect::<Vec<_>>());
    }
}
