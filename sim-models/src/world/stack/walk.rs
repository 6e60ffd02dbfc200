//! A walk through the layers of a call: down, up, and letting go.
//!
//! It asks each layer what happens next, and goes on until the call waits, has its answer, or needs
//! something from outside.

use sim_core::{Handle, Span, Time, mix};
use sim_policies::{Ending, Reason};

use super::{
    Call, Ended, HangUp, Kind, Layer, Leaves, LettingGo, Memory, Onward, Own, Stack, Then, Timer,
};
use crate::endings::HopEnding;
use crate::invariant::Seen;
use crate::log::{Note, Wait};
use crate::metrics::{Metrics, ResourceId};
use crate::outcome::{ResourceEvent, RunLimit};
use crate::plan::{LayerPlan, PairId};
use crate::trace::When;
use crate::world::ids::CallId;
use crate::world::network::Answer;
use crate::world::{Ctx, Event, Shared, nth};

/// The most steps of a walk before the call waits, is sent or ends. A policy that sends each refusal
/// from inside in again comes here.
const STEPS_MAX: u32 = 1_000_000;

/// A walk through the layers: at which layer of which call it stands.
pub(super) struct Walk<'a> {
    pub(super) stack: &'a mut Stack,
    pub(super) shared: &'a mut Shared,
    pub(super) ctx: &'a mut Ctx,
    pub(super) call: CallId,
    pub(super) n: usize,
    /// Why a call is let go of, and how its attempts end by that.
    pub(super) leaves: Leaves,
    pub(super) ends: HopEnding,
}

/// How a walk goes on from where it stands.
pub(super) enum Step {
    /// Enters this layer and those inside.
    Down,
    /// Leaves the layers outside with an answer.
    Up(Answer),
    /// Empties this layer and those inside, then leaves those outside.
    LetGo(Answer),
    /// The call is out of its layers.
    End(Answer),
    /// The call waits, or its attempt is on its way.
    Wait,
    Out(Onward),
}

impl Walk<'_> {
    pub(super) fn go(mut self, mut step: Step) -> Onward {
        for _ in 0..STEPS_MAX {
            step = match step {
                Step::Down => self.down(),
                Step::Up(answer) => self.up(answer),
                Step::LetGo(answer) => self.let_go_with(answer),
                Step::End(answer) => self.end(answer),
                Step::Wait => self.wait(),
                Step::Out(onward) => return onward,
            };
        }
        let stack = &self.stack.plan.stacks[self.the_call().stack.index()];
        let policy = stack.name.clone();
        self.shared.run_away(RunLimit::Restless { policy }, self.ctx);
        Onward::Waits
    }

    pub(super) fn down(&mut self) -> Step {
        let depth = self.the_call().layers.len();
        while self.n < depth {
            self.settle_levels();
            let then = self.enter();
            self.decided(&then, true);
            match then {
                Then::Down(layer) => {
                    self.hold(layer);
                    self.n += 1;
                }
                then => return self.follow(then),
            }
        }
        Step::Out(Onward::Send(self.call))
    }

    pub(super) fn up(&mut self, mut answer: Answer) -> Step {
        let first = usize::from(self.the_call().first);
        while self.n > first {
            self.n -= 1;
            let then = self.take_layer().leave(answer, self);
            self.decided(&then, false);
            match then {
                Then::Up(instead) => answer = instead,
                then => return self.follow(then),
            }
        }
        answer.in_doubt |= self.the_call().in_doubt;
        Step::End(answer)
    }

    /// What a layer has decided.
    pub(super) fn follow(&mut self, then: Then) -> Step {
        match then {
            Then::Down(layer) => {
                self.hold(layer);
                self.n += 1;
                Step::Down
            }
            Then::Stays(layer) => {
                self.hold(layer);
                Step::Wait
            }
            Then::Asks(layer, child) => {
                self.hold(layer);
                self.call = child;
                self.n = self.the_call().first.into();
                Step::Down
            }
            Then::Back(layer, answer) => {
                self.hold(layer);
                self.n += 1;
                Step::LetGo(answer)
            }
            Then::Refused(reason) => Step::Up(self.not_sent(reason)),
            Then::Up(answer) => Step::LetGo(answer),
        }
    }

    /// Whoever waits for the call hears how it ended.
    pub(super) fn end(&mut self, answer: Answer) -> Step {
        let Call { task, site, parent, .. } = *self.the_call();
        let child = self.call;
        let Some((parent, n)) = parent else {
            self.stack.end_call(child, answer, self.shared, self.ctx);
            return Step::Out(Onward::Ended(Ended { task, site, answer }));
        };
        (self.call, self.n) = (parent, n.into());
        let then = self.take_layer().child_ended(child, answer, self);
        self.follow(then)
    }

    /// The call waits. The layer that has started it, or a call around it, just now goes on first.
    pub(super) fn wait(&mut self) -> Step {
        while let Some((parent, n)) = self.the_call().parent {
            (self.call, self.n) = (parent, n.into());
            match self.take_layer().started(self) {
                Then::Stays(layer) => self.hold(layer),
                then => return self.follow(then),
            }
        }
        Step::Out(Onward::Waits)
    }

    /// Empties this layer and those inside, which an answer has made needless.
    fn let_go_with(&mut self, answer: Answer) -> Step {
        if answer.ending == Ending::TimedOut {
            self.ends = HopEnding::TimedOut;
        }
        let hang_up = self.let_go(self.call, self.n);
        self.ends = HopEnding::Abandoned;
        match hang_up {
            None => Step::Up(answer),
            Some(request) => {
                let (call, layer) = (self.call, self.n);
                Step::Out(Onward::HangUp(request, LettingGo { call, layer, answer }))
            }
        }
    }

    /// Empties a call's layers from `first` inwards without counting anything. A request that is to
    /// be hung up first is returned; the rest is done when asked again.
    pub(super) fn let_go(&mut self, id: CallId, first: usize) -> Option<HangUp> {
        let back = (self.call, self.n);
        self.call = id;
        let mut hang_up = self.await_no_more();
        if hang_up.is_some() {
            self.stack.attempt_ended(id, self.ends, self.shared, self.ctx.now());
        }
        self.n = self.the_call().layers.len();
        while hang_up.is_none() && self.n > first {
            self.n -= 1;
            hang_up = self.take_layer().let_go(self);
            self.report_levels();
        }
        (self.call, self.n) = back;
        hang_up
    }

    /// The answer to the call's attempt has come, or is of no interest any more: the request that
    /// was awaited.
    pub(super) fn await_no_more(&mut self) -> Option<HangUp> {
        let call = self.the_call_mut();
        if std::mem::take(&mut call.awaited) == 0 {
            return None;
        }
        let Call { request, lineage, attempt, intent, .. } = *call;
        if let Some((trace, When { at, .. })) = self.shared.tracing(intent, self.ctx) {
            trace.awaits_no_more(mix(lineage, attempt.into()), at);
        }
        if let Some((to, intent, key)) = self.stack.flight(self.call, self.shared) {
            let call = self.call.word();
            self.shared.show(Seen::Settled { to, call, intent, key }, self.ctx);
        }
        Some(request)
    }

    /// A layer has decided, about a call that came in or otherwise: those who look on hear of it.
    pub(super) fn decided(&mut self, then: &Then, enters: bool) {
        match then {
            Then::Down(_) if enters => self.count(ResourceEvent::Admitted),
            Then::Stays(_) if enters => self.count(ResourceEvent::Waited),
            Then::Refused(_) => self.count(ResourceEvent::Refused),
            _ => {}
        }
        self.report_levels();
    }

    /// The resource that the layer is at which the walk stands, if it is one.
    fn resource(&self) -> Option<ResourceId> {
        self.shared.metrics.layer(self.the_call().stack, self.n)
    }

    /// Something has happened to what the layer has.
    pub(super) fn count(&mut self, event: ResourceEvent) {
        if let Some(resource) = self.resource() {
            self.shared.metrics.happened(resource, event, 1);
        }
    }

    /// Says how full the layer is.
    fn report_levels(&mut self) {
        self.observe(Memory::report);
    }

    /// Says how full the layer was at the end of each window since it was last asked; before it
    /// acts, so that what it does is of the window in which it does it.
    fn settle_levels(&mut self) {
        self.observe(Memory::settle);
    }

    /// Lets what the layer remembers say something of its resource, if it is one.
    fn observe(&mut self, say: fn(&mut Memory, (ResourceId, u32), &mut Metrics, Time)) {
        let Some(resource) = self.resource() else { return };
        let (instance, row, now) = (self.instance(), self.the_call().row, self.ctx.now());
        let Walk { stack: Stack { kept, .. }, shared, .. } = self;
        say(kept.at(row, self.n), (resource, instance), &mut shared.metrics, now);
    }

    pub(super) fn not_sent(&mut self, reason: Reason) -> Answer {
        let (intent, pair) = self.whose();
        self.shared.metrics.rejected(pair, reason, self.ctx.now());
        self.shared.note(Note::Rejected { intent, pair, reason }, self.ctx);
        Answer::bare(Ending::Rejected(reason))
    }

    /// What belongs to the layer at which the walk stands.
    pub(super) fn own<L: Kind>(&mut self) -> Own<'_, L> {
        let Walk { stack: Stack { plan, calls, kept, .. }, shared, ctx, .. } = self;
        let Call { stack, row, .. } = calls[self.call];
        let layer = &plan.stacks[stack.index()].layers[self.n];
        let memory = L::memory(kept.at(row, self.n));
        Own { plan: L::plan(layer), memory, shared, ctx }
    }

    /// The instance of the caller that remembers what the layer remembers; of all, the first.
    pub(super) fn instance(&self) -> u32 {
        let Call { stack, instance, .. } = *self.the_call();
        if self.stack.plan.stacks[stack.index()].shared[self.n] { 0 } else { instance }
    }

    pub(super) fn the_call(&self) -> &Call {
        &self.stack.calls[self.call]
    }

    pub(super) fn the_call_mut(&mut self) -> &mut Call {
        &mut self.stack.calls[self.call]
    }

    pub(super) fn take_layer(&mut self) -> Layer {
        self.settle_levels();
        std::mem::take(&mut self.stack.calls[self.call].layers[self.n])
    }

    pub(super) fn hold(&mut self, layer: Layer) {
        self.stack.calls[self.call].layers[self.n] = layer;
    }

    /// Another call on behalf of this one, whose end its layer hears.
    pub(super) fn new_child(&mut self, change: impl FnOnce(Call) -> Call) -> CallId {
        let Call { task, site, instance, intent, key, lineage, deadline, .. } = *self.the_call();
        let parent = Some((self.call, self.n as u8));
        let same = Call { task, site, instance, intent, key, lineage, ..Call::default() };
        let call = Call { deadline, parent, ..same };
        self.stack.new_call(change(call), &self.shared.plan)
    }

    /// A part of the call: the layers inside of this one, as a call of its own.
    pub(super) fn new_part(&mut self) -> CallId {
        let (first, host) = (self.n as u8 + 1, self.the_call().host);
        let hedges = std::mem::take(&mut self.the_call_mut().hedges);
        self.new_child(|call| Call { first, host, hedges, ..call })
    }

    /// Whose call it is, and who calls whom.
    pub(super) fn whose(&self) -> (u32, PairId) {
        let call = self.the_call();
        (call.intent, self.shared.plan.sites[call.site.index()].pair)
    }

    pub(super) fn note_wait(&mut self, what: Wait, wait: Option<Span>) {
        let (intent, pair) = self.whose();
        self.shared.note(Note::Waits { intent, pair, what, wait }, self.ctx);
    }

    pub(super) fn timer_after(&mut self, wait: Span) -> Timer {
        let until = self.ctx.now() + wait;
        self.set_timer(until, |ctx, event| ctx.schedule_after(wait, event))
    }

    /// A timer of this layer, which is due at `until`.
    pub(super) fn set_timer(
        &mut self,
        until: Time,
        set: impl FnOnce(&mut Ctx, Event) -> Handle,
    ) -> Timer {
        self.set_timer_of(self.n as u8, until, set)
    }

    pub(super) fn set_timer_of(
        &mut self,
        layer: u8,
        until: Time,
        set: impl FnOnce(&mut Ctx, Event) -> Handle,
    ) -> Timer {
        let call = self.call;
        let entry = self.the_call_mut();
        entry.timers += 1;
        let (number, intent) = (entry.timers, entry.intent);
        let handle = set(self.ctx, Event::Timer { call, layer, number });
        self.shared.arm(Some(intent), until, handle, self.ctx);
        Timer { handle, number }
    }

    /// Addresses the draw of a layer for the attempt at hand: by its rank among the layers of its
    /// kind and by the attempts made, so that layers of other kinds change nothing, and an inner
    /// retry waits anew in each round of an outer one.
    pub(super) fn draw_index(&self) -> u64 {
        let call = self.the_call();
        let layers = &self.stack.plan.stacks[call.stack.index()].layers;
        let kind = std::mem::discriminant(&layers[self.n]);
        let alike = |layer: &&LayerPlan| std::mem::discriminant(*layer) == kind;
        let rank = layers[..self.n].iter().filter(alike).count() as u64;
        let attempt = if call.attempt > 0 { call.attempt } else { call.sent };
        nth(call.lineage, rank, attempt)
    }
}
