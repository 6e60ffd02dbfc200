//! What all parts of the world look at: the plan, chance, conditions, and those who look on.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use sim_core::{Draw, Handle, Moment, Span, Time, mix};
use sim_redis::value::Texts;

use super::condition::Conditions;
use super::event::Event;
use super::luck::Luck;
use super::{Ctx, nth};
use crate::intent::Intents;
use crate::invariant::{Scene, Seen, Watch};
use crate::ledger::{Deed, Ledger, Recorded};
use crate::lineage::{self, Lineage, State, What};
use crate::log::{Log, LogLine, Note, Story};
use crate::metrics::Metrics;
use crate::outcome::RunLimit;
use crate::plan::{ActorId, DistId, Plan};
use crate::trace::{Lasting, Spell, SpellEnd, Trace, When};

/// What every part of the world may read, and to whom it reports.
///
/// Whoever looks on (ledger, watch, metrics, log) can neither draw nor schedule.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) texts: Texts,
    pub(super) luck: Luck,
    /// Under what conditions each actor and each route works.
    pub(super) conditions: Conditions,
    pub(crate) intents: Intents,
    pub(crate) ledger: Ledger,
    pub(crate) watch: Watch,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    /// Kept only for who explores.
    pub(crate) lineage: Option<Lineage>,
    /// Kept only for who asks why, or draws requests.
    pub(crate) trace: Option<Box<Trace>>,
    /// Why the world has stopped on its own.
    pub(super) runaway: Option<RunLimit>,
}

impl Shared {
    pub(super) fn new(plan: Arc<Plan>, luck: Luck) -> Shared {
        Shared {
            texts: plan.texts.clone(),
            luck,
            conditions: Conditions::new(plan.actors.len()),
            intents: Intents::default(),
            ledger: Ledger::new(plan.kinds.len()),
            watch: Watch::new(&plan),
            metrics: Metrics::new(&plan),
            log: Log::new(plan.limits.log),
            lineage: None,
            trace: None,
            runaway: None,
            plan,
        }
    }

    /// Shows the invariants what has happened, if one of them wants to know.
    #[inline]
    pub(super) fn show(&mut self, seen: Seen, ctx: &Ctx) {
        if self.watch.wants(seen.topic()) {
            self.show_all(seen, ctx);
        }
    }

    fn show_all(&mut self, seen: Seen, ctx: &Ctx) {
        let Shared { plan, texts, intents, ledger, metrics, watch, .. } = self;
        watch.see(&seen, Scene { plan, texts, intents, ledger, metrics, now: ctx.moment() });
    }

    /// What laws may look at, at an instant.
    pub(crate) fn scene(&self, now: Moment) -> Scene<'_> {
        let Shared { plan, texts, intents, ledger, metrics, .. } = self;
        Scene { plan, texts, intents, ledger, metrics, now }
    }

    /// Something goes on and on while no time passes: the run ends here, as a finding.
    pub(super) fn run_away(&mut self, why: RunLimit, ctx: &mut Ctx) {
        self.runaway = Some(why);
        ctx.stop();
    }

    /// Schedules a user's decision. Nothing is decided after the horizon.
    pub(super) fn begin_at(&self, at: Time, event: Event, ctx: &mut Ctx) {
        if at <= Time::ZERO + self.plan.horizon {
            ctx.schedule_at(at, event);
        }
    }

    /// Where what is done for an intent is counted: where the intent arose. What nobody decided to
    /// do is counted where it happens.
    pub(super) fn arose(&self, intent: u32, now: Time) -> Time {
        let intent = &self.intents[intent];
        if intent.background.is_some() { now } else { intent.begun }
    }

    /// Keeps a moment of an intent, if anybody wants to know.
    #[inline]
    pub(super) fn trace(&mut self, intent: u32, instance: u32, what: What, ctx: &Ctx) {
        if let Some(lineage) = &mut self.lineage {
            let moment = lineage::Moment {
                at: ctx.now(),
                step: ctx.step(),
                intent,
                instance,
                what,
                state: State::default(),
                dues: (0, 0),
            };
            let now_ms =
                |store| wall_ns(&self.conditions, store, 0, moment.at).div_euclid(1_000_000);
            lineage.push(moment, now_ms, |handle| ctx.is_pending(handle));
        }
    }

    /// Something will happen for an intent, or for all, at an instant unless it is called off.
    #[inline]
    pub(super) fn arm(&mut self, intent: Option<u32>, at: Time, handle: Handle, ctx: &Ctx) {
        if let Some(lineage) = &mut self.lineage {
            lineage.arm(intent, ctx.now(), at, handle);
        }
    }

    /// The trace, if there is one that keeps what happens to an intent, and the place in it.
    #[inline]
    pub(super) fn tracing(&mut self, intent: u32, ctx: &Ctx) -> Option<(&mut Trace, When)> {
        let trace = self.trace.as_deref_mut()?;
        let when = When { at: ctx.now(), step: ctx.step(), notes: self.log.count() };
        trace.keeps(intent).then_some((trace, when))
    }

    /// One thing belongs to another, if anybody wants to know.
    #[inline]
    pub(super) fn belongs(&mut self, intent: u32, child: u64, parent: u64) {
        if let Some(trace) = self.trace.as_deref_mut().filter(|trace| trace.keeps(intent)) {
            trace.belongs(child, parent);
        }
    }

    /// A submission or a call begins, if anybody wants to know.
    #[inline]
    pub(super) fn begins(&mut self, lineage: u64, intent: u32, what: Lasting, ctx: &Ctx) {
        if let Some((trace, When { at: begun, .. })) = self.tracing(intent, ctx) {
            trace.begins(Spell { lineage, intent, what, begun, ended: None });
        }
    }

    /// A submission or a call ends, if anybody wants to know.
    #[inline]
    pub(super) fn ends(&mut self, lineage: u64, intent: u32, how: SpellEnd, ctx: &Ctx) {
        if let Some((trace, When { at, .. })) = self.tracing(intent, ctx) {
            trace.ends(lineage, at, how);
        }
    }

    /// Writes a line of the story.
    pub(super) fn note(&mut self, note: Note, ctx: &Ctx) {
        self.log.push(ctx.now(), ctx.step(), note);
    }

    /// Draws a length of time.
    pub(super) fn span(&self, dist: DistId, draws: &mut impl Draw) -> Span {
        Span::from_secs_f64(self.plan.dists[dist.index()].sample(draws))
    }

    /// Something durable happens; its number, or nothing when its token is stale.
    pub(super) fn record_effect(&mut self, deed: Deed, ctx: &mut Ctx) -> Option<u32> {
        let Deed { kind, actor, intent, .. } = deed;
        let Recorded { number, repeated } = match self.ledger.record(ctx.moment(), deed) {
            Ok(entry) => entry,
            Err(stale) => {
                self.note(Note::Fenced { intent, actor, kind, stale }, ctx);
                return None;
            }
        };
        ctx.observe(mix(nth(number.into(), kind.0.into(), intent), repeated.into()));
        self.note(Note::Effect { intent, actor, kind, number, repeated }, ctx);
        self.trace(intent, 0, What::Done { kind }, ctx);
        if !repeated {
            self.show(Seen::Effect { kind, intent }, ctx);
        }
        Some(number)
    }

    /// The wall clock of an actor's instance, in nanoseconds since the run began.
    pub(super) fn wall_ns(&self, actor: ActorId, instance: u32, now: Time) -> i64 {
        wall_ns(&self.conditions, actor, instance, now)
    }

    /// The same in whole milliseconds.
    pub(super) fn wall_ms(&self, actor: ActorId, instance: u32, now: Time) -> i64 {
        self.wall_ns(actor, instance, now).div_euclid(1_000_000)
    }

    /// `shoppers-17`.
    pub(crate) fn intent_name(&self, intent: u32) -> String {
        self.intents.name(&self.plan, intent)
    }

    /// What autoscalers and outlier detection decided.
    pub(crate) fn decisions(&self) -> Vec<LogLine> {
        self.log.decisions(&self.plan, &self.texts, &self.intents)
    }

    /// What the log keeps, once the run is over.
    pub(crate) fn into_story(self) -> Story {
        self.log.into_story(self.plan, self.texts, self.intents)
    }

    /// An estimate of the memory held, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.texts.memory_bytes()
            + self.intents.memory_bytes()
            + self.ledger.memory_bytes()
            + self.watch.memory_bytes()
    }
}

fn wall_ns(conditions: &Conditions, actor: ActorId, instance: u32, now: Time) -> i64 {
    let steady = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    steady.saturating_add(conditions[actor.index()].clock_ns(instance))
}

/// The state of those actors that are of one kind.
#[derive(Debug)]
pub(super) struct ByActor<T>(Vec<Option<Box<T>>>);

impl<T> ByActor<T> {
    /// The state that each actor of the plan has, if it is of this kind.
    pub(super) fn new(plan: &Plan, mut state: impl FnMut(ActorId) -> Option<T>) -> ByActor<T> {
        let ids = (0..plan.actors.len()).map(ActorId::nth);
        ByActor(ids.map(|id| state(id).map(Box::new)).collect())
    }

    pub(super) fn get(&self, actor: ActorId) -> Option<&T> {
        self.0[actor.index()].as_deref()
    }

    pub(super) fn get_mut(&mut self, actor: ActorId) -> Option<&mut T> {
        self.0[actor.index()].as_deref_mut()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().filter_map(Option::as_deref_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ActorId, &T)> {
        let states = self.0.iter().enumerate();
        states.filter_map(|(n, state)| Some((ActorId::nth(n), state.as_deref()?)))
    }
}

/// # Panics
/// When the actor is of another kind, which the compiler of scenarios rules out.
impl<T> Index<ActorId> for ByActor<T> {
    type Output = T;
    fn index(&self, actor: ActorId) -> &T {
        self.get(actor).expect("an actor of this kind")
    }
}

impl<T> IndexMut<ActorId> for ByActor<T> {
    fn index_mut(&mut self, actor: ActorId) -> &mut T {
        self.get_mut(actor).expect("an actor of this kind")
    }
}
