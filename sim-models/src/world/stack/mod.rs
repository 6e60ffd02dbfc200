//! Calls: the policy stack between a program and the network.
//!
//! A call goes *down* through its layers, outermost first: a retry takes note of the start, a
//! timeout starts its timer, a breaker or a limiter admits, refuses or lets the call wait; at the
//! bottom an attempt is sent. What comes of it goes *up* again: each layer settles what it holds,
//! a retry may send the call down once more. When a timeout ends a call that is still under way
//! below it, the layers below let go without counting anything.
//!
//! A hedge needs several attempts under way at once, each with the layers below it; a fallback may
//! make another call. Both start *children*: calls of their own, whose end is heard by the layer
//! that started them instead of by a program.
//!
//! ```text
//!  program
//!     | begin                                     ^ Onward::Ended
//!     v                                           |
//!   [ Retry ]   keeps its state and budget ticket |        waits: timer -> down again
//!   [ Hedge ] --> child --> [ Breaker ] --> ...   |        child_ended -> up, or one more
//!   [ Bulkhead ] permit, or a place in its queue  |        permit free -> woken
//!     |                                           |
//!     v Onward::Send                              | settle_attempt
//!  network
//! ```
//!
//! [`Walk`] goes through the layers; each of them is a file of its own with the four [`Verbs`]. What
//! must happen outside (send, hang up, hand an answer to a program) is an [`Onward`] that the walk
//! returns; it goes on when that is done.

#[cfg(test)]
mod bench;
mod breaker;
mod bulkhead;
mod concurrency_limit;
mod connections;
mod custom;
mod deadline;
mod fallback;
mod hedge;
mod kept;
mod left_behind;
mod outlier;
mod rate_limiter;
mod retry;
mod throttle;
mod timeout;
mod upstream;
mod walk;

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::{Handle, Time, mix};
use sim_policies::concurrency::Sample;
use sim_policies::{Ending, Fate, OutOfRange, Reason};
use sim_redis::value::Value;

use crate::endings::HopEnding;
use crate::invariant::{Seen, Topic};
use crate::metrics::Amount;
use crate::outcome::Quantity;
use crate::plan::{ActorId, LayerPlan, PairId, Plan, Server, SiteId, StackId, Target};
use crate::pool::Pool;
use crate::trace::SpellEnd;
use crate::world::ids::{CallId, CallName, RequestId, TaskId};
use crate::world::network::Answer;
use crate::world::{Ctx, Shared};

use kept::{Kept, Row};
use walk::{Step, Walk};

/// One call of a program over all its attempts, or a child of such a call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    task: TaskId,
    site: SiteId,
    stack: StackId,
    /// Which instance of its actor makes it, and where that keeps what its layers remember.
    instance: u32,
    row: Row,
    /// Whose it is, and the key that the caller was given.
    intent: u32,
    key: Value,
    begun: Time,
    lineage: u64,
    /// Of a child: the call and the layer that wait for its end.
    parent: Option<(CallId, u8)>,
    /// Its outermost layer; a hedge's child has only the layers inside of the hedge.
    first: u8,
    /// Attempts sent so far, by this call and its hedges.
    sent: u32,
    /// The number of the latest attempt that this call sent itself.
    attempt: u32,
    /// The attempt whose answer is awaited; 0 for none.
    awaited: u32,
    /// The message of the latest attempt.
    request: RequestId,
    /// Timers set so far.
    timers: u32,
    /// An attempt has ended in doubt.
    in_doubt: bool,
    /// Nobody wants an answer after this.
    deadline: Option<Time>,
    /// Ends the call at a deadline that it has from its caller's caller.
    guard: Option<Timer>,
    /// The site with the endpoint that outlier detection chose.
    host: Option<SiteId>,
    /// Whoever made it goes on without it.
    is_left: bool,
    /// It is a hedge, or a part of one, of which nothing was sent yet.
    hedges: bool,
    /// Instead of `site`: the host among those that counts the call as its own, the last that was
    /// chosen for it or for a hedge of it.
    counted_at: Option<SiteId>,
    layers: Vec<Layer>,
}

/// What one layer does with the calls that pass it. Whatever it holds while a call is inside is
/// the value itself: a permit, a place in a queue, a timer.
///
/// A call comes in by `enter` and goes out by `leave`; what the layer waits for comes by `timer`,
/// `woken` or `child_ended`; a call of no interest any more is let go of.
trait Verbs: Sized + Into<Layer> {
    /// What the plan says of the layer.
    type Plan;

    /// What the layer remembers between calls. Each instance of the caller has its own.
    type Memory;

    /// It remembers nothing of calls: all instances have one.
    const IS_COMMON: bool = false;

    /// Its levels change with time alone: tokens come back, what was counted is forgotten.
    const DRIFTS: bool = false;

    /// What a process that has just started remembers.
    fn fresh(plan: &Self::Plan) -> Self::Memory;

    /// The process has restarted; its timers stay, and find a memory that wants nothing of them.
    fn renew(memory: &mut Self::Memory, plan: &Self::Plan) {
        *memory = Self::fresh(plan);
    }

    /// The run begins, for a memory that all instances have in common.
    fn start(_memory: &mut Self::Memory, _plan: &Self::Plan, _ctx: &mut Ctx) {}

    /// Says how full the layer is, for those who look on.
    fn levels(_memory: &mut Self::Memory, _now: Time, _say: Say<'_>) {}

    /// A call comes in.
    fn enter(at: &mut Walk<'_>) -> Then;

    /// An answer comes out from inside.
    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then;

    /// A timer of this call and layer has run out. One that it no longer waits for changes
    /// nothing.
    fn timer(self, _number: u32, _at: &mut Walk<'_>) -> Then {
        Then::Stays(self.into())
    }

    /// Another call has freed what this one may have waited for.
    fn woken(self, _at: &mut Walk<'_>) -> Then {
        Then::Stays(self.into())
    }

    /// A call that the layer asked for has ended.
    fn child_ended(self, _child: CallId, _answer: Answer, _at: &mut Walk<'_>) -> Then {
        unreachable!("this layer has no children")
    }

    /// A call that the layer asked for waits, or its attempt is on its way.
    fn started(self, _at: &mut Walk<'_>) -> Then {
        Then::Stays(self.into())
    }

    /// Gives back what it holds, without counting anything. A request to hang up first is
    /// returned, and what is still held stays in its place until the layer is asked again.
    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp>;
}

/// Hears a level of a resource.
type Say<'a> = &'a mut dyn FnMut(Quantity, Amount);

/// What happens next, as a layer decides.
enum Then {
    /// The call goes on inwards.
    Down(Layer),
    /// The call stays in the layer until something comes.
    Stays(Layer),
    /// Another call goes down, and the layer waits for its end.
    Asks(Layer, CallId),
    /// Whatever is inside is let go of, and the answer comes out to the layer in its place.
    Back(Layer, Answer),
    /// Nothing is sent: the refusal goes outwards.
    Refused(Reason),
    /// The answer goes outwards; whatever is still inside is let go of.
    Up(Answer),
}

/// A request whose answer nobody awaits any more.
type HangUp = RequestId;

/// What the plan says of a layer and what the layer remembers, with whatever else it may need.
struct Own<'a, L: Verbs> {
    plan: &'a L::Plan,
    memory: &'a mut L::Memory,
    shared: &'a mut Shared,
    ctx: &'a mut Ctx,
}

/// A kind of layer, as the list below writes it.
trait Kind: Verbs {
    /// Its part of the plan.
    fn plan(layer: &LayerPlan) -> &Self::Plan;

    /// Its part of what is remembered.
    fn memory(memory: &mut Memory) -> &mut Self::Memory;
}

/// The layers of a stack: one row a kind, with its file and its name in the plan.
macro_rules! layers {
    ($($file:ident: $name:ident;)*) => {
        /// What a layer holds while a call is inside it.
        #[derive(Debug, Default)]
        enum Layer {
            #[default]
            Nothing,
            $($name($file::Held),)*
        }

        /// What a layer remembers between calls.
        #[derive(Debug)]
        enum Memory {
            $($name(<$file::Held as Verbs>::Memory),)*
        }

        $(impl From<$file::Held> for Layer {
            fn from(held: $file::Held) -> Layer {
                Layer::$name(held)
            }
        }

        impl Kind for $file::Held {
            fn plan(layer: &LayerPlan) -> &Self::Plan {
                let LayerPlan::$name(plan) = layer else { unreachable!("a layer is of one kind") };
                plan
            }

            fn memory(memory: &mut Memory) -> &mut Self::Memory {
                let Memory::$name(own) = memory else { unreachable!("a layer is of one kind") };
                own
            }
        })*

        impl Memory {
            fn new(layer: &LayerPlan) -> Memory {
                match layer {
                    $(LayerPlan::$name(plan) => Memory::$name($file::Held::fresh(plan)),)*
                }
            }

            fn is_common(layer: &LayerPlan) -> bool {
                match layer {
                    $(LayerPlan::$name(_) => $file::Held::IS_COMMON,)*
                }
            }

            fn drifts(&self) -> bool {
                match self {
                    $(Memory::$name(_) => $file::Held::DRIFTS,)*
                }
            }

            fn renew(&mut self, layer: &LayerPlan) {
                match self {
                    $(Memory::$name(own) => $file::Held::renew(own, $file::Held::plan(layer)),)*
                }
            }

            fn levels(&mut self, now: Time, say: Say<'_>) {
                match self {
                    $(Memory::$name(own) => $file::Held::levels(own, now, say),)*
                }
            }

            fn start(&mut self, layer: &LayerPlan, ctx: &mut Ctx) {
                match self {
                    $(Memory::$name(own) => {
                        $file::Held::start(own, $file::Held::plan(layer), ctx);
                    })*
                }
            }
        }

        impl Walk<'_> {
            fn enter(&mut self) -> Then {
                match self.stack.plan.stacks[self.the_call().stack.index()].layers[self.n] {
                    $(LayerPlan::$name(_) => $file::Held::enter(self),)*
                }
            }
        }

        impl Layer {
            fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
                match self {
                    Layer::Nothing => Then::Up(answer),
                    $(Layer::$name(held) => held.leave(answer, at),)*
                }
            }

            fn timer(self, number: u32, at: &mut Walk<'_>) -> Then {
                match self {
                    Layer::Nothing => Then::Stays(self),
                    $(Layer::$name(held) => held.timer(number, at),)*
                }
            }

            fn woken(self, at: &mut Walk<'_>) -> Then {
                match self {
                    Layer::Nothing => Then::Stays(self),
                    $(Layer::$name(held) => held.woken(at),)*
                }
            }

            fn child_ended(self, child: CallId, answer: Answer, at: &mut Walk<'_>) -> Then {
                match self {
                    Layer::Nothing => unreachable!("somebody waits for a child"),
                    $(Layer::$name(held) => held.child_ended(child, answer, at),)*
                }
            }

            fn started(self, at: &mut Walk<'_>) -> Then {
                match self {
                    Layer::Nothing => Then::Stays(self),
                    $(Layer::$name(held) => held.started(at),)*
                }
            }

            fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
                match self {
                    Layer::Nothing => None,
                    $(Layer::$name(held) => held.let_go(at),)*
                }
            }
        }
    };
}

layers! {
    retry: Retry;
    timeout: Timeout;
    deadline: Deadline;
    breaker: Breaker;
    bulkhead: Bulkhead;
    connections: Connections;
    rate_limiter: RateLimiter;
    concurrency_limit: ConcurrencyLimit;
    throttle: Throttle;
    hedge: Hedge;
    outlier: Outlier;
    upstream: Upstream;
    fallback: Fallback;
    custom: Custom;
}

/// A timer that a layer waits for.
///
/// Its number tells it from the layer's earlier ones: a paused caller may find, in one instant, an
/// answer and the timeout that this answer came too late to call off.
#[derive(Clone, Copy, Debug)]
struct Timer {
    handle: Handle,
    number: u32,
}

impl Timer {
    fn cancel(self, ctx: &mut Ctx) {
        ctx.cancel(self.handle);
    }
}

/// The number of the layer that stands for the deadline of the caller's caller.
const GUARD: u8 = u8::MAX;

/// A call that may go on in this event: its layer has got what it waited for.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Woken {
    call: CallId,
    layer: u8,
}

/// A call that a program makes.
pub(in crate::world) struct Begin {
    pub(in crate::world) task: TaskId,
    pub(in crate::world) site: SiteId,
    /// Of the calling actor.
    pub(in crate::world) instance: u32,
    pub(in crate::world) lineage: u64,
    pub(in crate::world) intent: u32,
    /// The key that the program was given itself.
    pub(in crate::world) key: Value,
    pub(in crate::world) deadline: Option<Time>,
}

/// What a call needs from the rest of the world before it can go on.
#[must_use]
pub(in crate::world) enum Onward {
    /// Nothing: it waits.
    Waits,
    /// Its next attempt is to be sent; then [`Stack::on_its_way`].
    Send(CallId),
    /// Nobody awaits the answer to a request any more; then [`Stack::hung_up`].
    HangUp(RequestId, LettingGo),
    /// It has its answer, and is no more.
    Ended(Ended),
}

/// A call that lets go of its layers from one inwards, and goes up from there.
pub(in crate::world) struct LettingGo {
    call: CallId,
    layer: usize,
    answer: Answer,
}

/// Why nobody wants an answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Leaves {
    /// The caller cancels the call.
    Cancels,
    /// The caller's process dies, and counts nothing any more.
    Dies,
}

/// How a program's call has ended.
pub(in crate::world) struct Ended {
    pub(in crate::world) task: TaskId,
    pub(in crate::world) site: SiteId,
    pub(in crate::world) answer: Answer,
}

/// An attempt that is to be sent.
pub(in crate::world) struct Attempt {
    /// Counts all attempts of the program's call, from 1.
    pub(in crate::world) number: u32,
    pub(in crate::world) task: TaskId,
    pub(in crate::world) site: SiteId,
    pub(in crate::world) intent: u32,
    pub(in crate::world) lineage: u64,
    pub(in crate::world) deadline: Option<Time>,
}

/// Every call that is under way, and what their policies remember.
#[derive(Debug)]
pub(in crate::world) struct Stack {
    plan: Arc<Plan>,
    calls: Pool<Call, CallName>,
    kept: Kept,
    /// Calls whose policy lets them go on now, in order.
    woken: VecDeque<Woken>,
    /// Calls that were left behind, and have no task of their own yet.
    left: Vec<CallId>,
}

impl Stack {
    pub(in crate::world) fn new(plan: &Arc<Plan>) -> Stack {
        Stack {
            plan: plan.clone(),
            calls: Pool::default(),
            kept: Kept::new(plan),
            woken: VecDeque::new(),
            left: Vec::new(),
        }
    }

    /// The run begins.
    pub(in crate::world) fn start(&mut self, ctx: &mut Ctx) {
        self.kept.start(&self.plan, ctx);
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.calls.memory_bytes(128) + self.kept.memory_bytes()
    }

    /// Starts a call.
    pub(in crate::world) fn begin(
        &mut self,
        begin: Begin,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> (CallId, Onward) {
        let Begin { task, site, instance, lineage, intent, key, deadline } = begin;
        let begun = ctx.now();
        let mut call = Call { task, site, instance, lineage, intent, ..Call::default() };
        (call.begun, call.key, call.deadline) = (begun, key, deadline);
        let id = self.new_call(call, &shared.plan);
        let arose = shared.arose(intent, begun);
        shared.metrics.called(shared.plan.sites[site.index()].pair, arose, begun);
        let mut walk = self.walk(id, 0, shared, ctx);
        if let Some(deadline) = deadline {
            if deadline <= walk.ctx.now() {
                let answer = walk.not_sent(Reason::DeadlinePassed { deadline });
                return (id, walk.go(Step::End(answer)));
            }
            let at_it = |ctx: &mut Ctx, event| ctx.schedule_at(deadline, event);
            let guard = walk.set_timer_of(GUARD, deadline, at_it);
            walk.the_call_mut().guard = Some(guard);
        }
        (id, walk.go(Step::Down))
    }

    /// The attempt that a call sends next.
    pub(in crate::world) fn attempt(&mut self, id: CallId) -> Attempt {
        let whole = self.whole(id);
        self.calls[whole].sent += 1;
        let number = self.calls[whole].sent;
        let task = self.calls[self.root(id)].task;
        let call = &mut self.calls[id];
        (call.attempt, call.awaited) = (number, number);
        let Call { site, intent, lineage, deadline, host, .. } = *call;
        Attempt { number, task, site: host.unwrap_or(site), intent, lineage, deadline }
    }

    /// The attempt has become this request of that caller.
    pub(in crate::world) fn sends(
        &mut self,
        id: CallId,
        request: RequestId,
        caller: ActorId,
        shared: &mut Shared,
        ctx: &Ctx,
    ) {
        let call = &mut self.calls[id];
        call.request = request;
        if std::mem::take(&mut call.hedges) {
            shared.metrics.hedged(shared.plan.sites[call.site.index()].pair);
        }
        if let Some((to, intent, key)) = self.flight(id, shared) {
            shared.show(Seen::Sent { to, call: id.word(), caller, intent, key }, ctx);
        }
    }

    /// A call's attempt is on its way.
    pub(in crate::world) fn on_its_way(
        &mut self,
        id: CallId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Onward {
        if self.calls[id].parent.is_none() {
            return Onward::Waits;
        }
        self.walk(id, 0, shared, ctx).go(Step::Wait)
    }

    /// A request has been hung up.
    pub(in crate::world) fn hung_up(
        &mut self,
        LettingGo { call, layer, answer }: LettingGo,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Onward {
        self.walk(call, layer, shared, ctx).go(Step::LetGo(answer))
    }

    /// A timer of a call has run out.
    pub(in crate::world) fn timer(
        &mut self,
        id: CallId,
        layer: u8,
        number: u32,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Onward {
        let Some(call) = self.calls.get_mut(id) else { return Onward::Waits };
        if layer == GUARD {
            if call.guard.is_none_or(|timer| timer.number != number) {
                return Onward::Waits;
            }
            (call.guard, call.in_doubt) = (None, true);
            let answer = Answer::bare(Ending::TimedOut);
            return self.walk(id, 0, shared, ctx).go(Step::LetGo(answer));
        }
        let mut walk = self.walk(id, layer.into(), shared, ctx);
        let then = walk.take_layer().timer(number, &mut walk);
        walk.decided(&then, false);
        let step = walk.follow(then);
        walk.go(step)
    }

    /// The next call whose layer has got what it waited for.
    pub(in crate::world) fn next_woken(&mut self) -> Option<Woken> {
        self.woken.pop_front()
    }

    /// The stack in which a call was woken: `api->psp provider`.
    pub(in crate::world) fn policy_of(&self, Woken { call, .. }: Woken) -> &str {
        let stack = self.calls.get(call).map(|call| &self.plan.stacks[call.stack.index()]);
        stack.map_or("a call that is over", |stack| &stack.name)
    }

    /// Goes on with a call that was woken. One that was let go of in the meantime, or woken before,
    /// waits for nothing any more.
    pub(in crate::world) fn wake(
        &mut self,
        Woken { call, layer }: Woken,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Onward {
        if self.calls.get(call).is_none() {
            return Onward::Waits;
        }
        let mut walk = self.walk(call, layer.into(), shared, ctx);
        let then = walk.take_layer().woken(&mut walk);
        walk.decided(&then, false);
        let step = walk.follow(then);
        walk.go(step)
    }

    /// The answer to an attempt has arrived. One that nobody awaits any more changes nothing.
    pub(in crate::world) fn settle_attempt(
        &mut self,
        id: CallId,
        attempt: u32,
        answer: Answer,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Onward {
        let Some(call) = self.calls.get_mut(id) else { return Onward::Waits };
        if call.awaited != attempt {
            return Onward::Waits;
        }
        call.in_doubt |= answer.ending.fate() == Fate::Unknown;
        let depth = call.layers.len();
        self.attempt_ended(id, answer.ending.into(), shared, ctx.now());
        let mut walk = self.walk(id, depth, shared, ctx);
        walk.await_no_more();
        walk.go(Step::Up(answer))
    }

    /// The attempt of a call has ended. Whoever made a call that was left behind has timed out,
    /// whatever comes of it.
    fn attempt_ended(&self, id: CallId, ending: HopEnding, shared: &mut Shared, now: Time) {
        let is_left = self.calls[self.root(id)].is_left;
        let ending = if is_left { HopEnding::TimedOut } else { ending };
        shared.metrics.attempt_ended(self.attempted_pair(id, shared), ending, now);
    }

    /// Over which hop a call's present attempt goes.
    fn attempted_pair(&self, id: CallId, shared: &Shared) -> PairId {
        let Call { site, host, .. } = self.calls[id];
        shared.plan.sites[host.unwrap_or(site).index()].pair
    }

    /// Whether somebody still wants the answer to an attempt. Nobody wants that of a call which was
    /// left behind, although it goes on.
    pub(in crate::world) fn is_wanted(&self, id: CallId, attempt: u32) -> bool {
        let is_awaited = self.calls.get(id).is_some_and(|call| call.awaited == attempt);
        is_awaited && !self.calls[self.root(id)].is_left
    }

    /// The caller no longer wants an answer. A request is to be hung up, and the call abandoned
    /// again after that, until there is none.
    #[must_use]
    pub(in crate::world) fn abandon(
        &mut self,
        id: CallId,
        leaves: Leaves,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<RequestId> {
        if let Some(guard) = self.calls[id].guard.take() {
            guard.cancel(ctx);
        }
        let mut walk = self.walk(id, 0, shared, ctx);
        walk.leaves = leaves;
        let hang_up = walk.let_go(id, 0);
        if hang_up.is_none() {
            self.forget_call(id, shared, ctx);
        }
        hang_up
    }

    /// The task of a call that is under way.
    pub(in crate::world) fn task_of(&self, id: CallId) -> Option<TaskId> {
        self.calls.get(id).map(|_| self.calls[self.root(id)].task)
    }

    /// The call for whose end a program waits, or nobody, of which this one is made.
    fn root(&self, id: CallId) -> CallId {
        let mut root = id;
        while let Some((parent, _)) = self.calls[root].parent {
            root = parent;
        }
        root
    }

    /// The lineage of the call of which this one is made.
    pub(in crate::world) fn lineage_of(&self, id: CallId) -> u64 {
        self.calls[self.root(id)].lineage
    }

    /// The call that counts the attempts: parts of a call, such as hedges, share its count.
    fn whole(&self, id: CallId) -> CallId {
        let mut whole = id;
        while let Call { first: 1.., parent: Some((parent, _)), .. } = self.calls[whole] {
            whole = parent;
        }
        whole
    }

    /// A restarted process, or all of an actor, has forgotten what its policies had counted.
    pub(in crate::world) fn forget(
        &mut self,
        owner: ActorId,
        only: Option<u32>,
        shared: &mut Shared,
        now: Time,
    ) {
        self.kept.renew(&self.plan, owner, only);
        self.kept.report(&self.plan, |stack| stack.owner == owner, &mut shared.metrics, now);
    }

    fn walk<'a>(
        &'a mut self,
        call: CallId,
        n: usize,
        shared: &'a mut Shared,
        ctx: &'a mut Ctx,
    ) -> Walk<'a> {
        let (leaves, ends) = (Leaves::Cancels, HopEnding::Abandoned);
        Walk { stack: self, shared, ctx, call, n, leaves, ends }
    }

    /// A call with all its layers empty.
    fn new_call(&mut self, call: Call, plan: &Plan) -> CallId {
        let stack = plan.sites[call.site.index()].stack;
        let depth = plan.stacks[stack.index()].layers.len();
        let (id, entry) = self.calls.take();
        let mut layers = std::mem::take(&mut entry.layers);
        layers.resize_with(depth, Layer::default);
        let row = self.kept.row(plan, stack, call.instance);
        *entry = Call { stack, row, layers, ..call };
        id
    }

    fn end_call(&mut self, id: CallId, answer: Answer, shared: &mut Shared, ctx: &mut Ctx) {
        let call = &self.calls[id];
        let pair = shared.plan.sites[call.site.index()].pair;
        if let Some(timer) = call.guard {
            timer.cancel(ctx);
        }
        ctx.observe(mix(pair.0.into(), answer.fate() as u64));
        // One that was left behind counts as what its caller made of it.
        if !call.is_left {
            shared.metrics.call_ended(
                self.counted_pair(id, shared),
                answer.fate(),
                call.begun,
                ctx.now(),
            );
        }
        let Call { parent, is_left, lineage, intent, .. } = self.calls[id];
        if parent.is_none() && !is_left {
            let how = SpellEnd::Ended(answer.ending, answer.fate());
            shared.ends(lineage, intent, how, ctx);
        }
        self.calls.free(id);
    }

    /// The run is over: what is under way counts for as long as it has been.
    pub(in crate::world) fn count_open(&mut self, shared: &mut Shared, now: Time) {
        self.kept.report(&self.plan, |_| true, &mut shared.metrics, now);
        for Call { first, is_left, site, counted_at, begun, awaited, host, .. } in self.calls.iter()
        {
            if *awaited > 0 {
                let attempted = host.unwrap_or(*site);
                shared.metrics.attempt_open(shared.plan.sites[attempted.index()].pair);
            }
            // The parts of a call are not calls.
            if *first == 0 && !is_left {
                let pair = shared.plan.sites[counted_at.unwrap_or(*site).index()].pair;
                shared.metrics.call_open(pair, *begun, now);
            }
        }
    }

    /// Nobody wants to know how a call ends, and it holds nothing any more.
    fn forget_call(&mut self, id: CallId, shared: &mut Shared, ctx: &Ctx) {
        let Call { parent, is_left, lineage, intent, .. } = self.calls[id];
        if !is_left {
            shared.metrics.abandoned(self.counted_pair(id, shared));
            if parent.is_none() {
                shared.ends(lineage, intent, SpellEnd::Abandoned, ctx);
            }
        }
        self.calls.free(id);
    }

    /// Who calls whom, as far as counts go.
    fn counted_pair(&self, id: CallId, shared: &Shared) -> PairId {
        let Call { site, counted_at, .. } = self.calls[id];
        shared.plan.sites[counted_at.unwrap_or(site).index()].pair
    }

    /// A host is chosen for a call: it is the one that counts it. A hedge is no call of its own.
    fn count_at(&mut self, id: CallId, host: SiteId, shared: &mut Shared, now: Time) {
        let mut root = id;
        while let Some((parent, _)) = self.calls[root].parent
            && self.calls[parent].site == self.calls[root].site
        {
            root = parent;
        }
        let from = self.counted_pair(root, shared);
        self.calls[root].counted_at = Some(host);
        let Call { intent, begun, .. } = self.calls[root];
        let pairs = [from, shared.plan.sites[host.index()].pair];
        shared.metrics.call_moved(pairs, shared.arose(intent, begun), now);
    }

    /// Where a call's present attempt goes, and for whom: the intent, and the key that the caller
    /// was given. `None` for commands and messages, and when nobody wants to know.
    fn flight(&self, id: CallId, shared: &Shared) -> Option<(Server, u32, Value)> {
        if !shared.watch.wants(Topic::Flights) {
            return None;
        }
        let Call { site, host, intent, key, .. } = self.calls[id];
        let site = &shared.plan.sites[host.unwrap_or(site).index()];
        let place = match site.target {
            Target::Endpoint { endpoint, .. } => Server::Endpoint(endpoint),
            Target::Custom { endpoint, .. } => Server::Custom { actor: site.to, endpoint },
            Target::Queue { .. } | Target::Kv(_) => return None,
        };
        Some((place, intent, key))
    }
}

/// How a call ended for an adaptive limit: an overloaded side answers 429 or 503, or not in time.
pub(in crate::world) fn sample(ending: Ending) -> Sample {
    match ending {
        Ending::Status(200..=299) => Sample::Success,
        Ending::Status(408 | 429 | 503 | 504) | Ending::TimedOut => Sample::Dropped,
        _ => Sample::Ignored,
    }
}

fn checked<T>(built: Result<T, OutOfRange>) -> T {
    built.expect("the scenario was checked")
}

/// A layer that waits has sent nothing inwards.
fn nothing_comes_up() -> ! {
    unreachable!("nothing comes up through a layer that waits")
}
