//! Calls: the policy stack between a program and the network.
//!
//! A call goes *down* through its layers, outermost first: a retry takes note of the start, a
//! timeout starts its timer, a breaker or a limiter admits, refuses or lets the call wait; at the
//! bottom an attempt is sent. What comes of it goes *up* again: each layer settles what it holds,
//! a retry may send the call down once more. When a timeout ends a call that is still under way
//! below it, the layers below let go without counting anything.
//!
//! A hedge needs several attempts under way at once, each with the layers below it; a fallback may
//! make another call. Both start *children*: calls of their own, whose end is told to the layer
//! that started them instead of to a program.
//!
//! ```text
//!  program
//!     | begin_call                                ^ finish_call
//!     v                                           |
//!   [ Retry ]   keeps its state and budget ticket |        waits: Timer -> down again
//!   [ Hedge ] --> child --> [ Breaker ] --> ...   |        child ends -> child_ended
//!   [ Bulkhead ] permit, or a place in its queue  |        permit free -> woken
//!     |                                           |
//!     v send_attempt                              | settle_attempt
//!  network
//! ```

mod child;
mod layer;
mod policies;

use std::collections::VecDeque;

use sim_core::{Draw, Handle, Lane, Time, mix};
use sim_policies::breaker::{Change, Permit};
use sim_policies::budget::Ticket;
use sim_policies::bulkhead::{BulkheadPermit, Place};
use sim_policies::concurrency::{LimitPermit, Sample};
use sim_policies::{Ending, Fate, Reason, RetryState};
use sim_redis::value::Value;

use crate::invariant::{Seen, Topic};
use crate::log::Note;
use crate::plan::{LayerPlan, Operand, PairId, Plan, Server, SiteId, StackId, Target, builtin};
use crate::pool::{Id, Pool};
use crate::world::network::Request;
use crate::world::network::{Answer, Payload, Sender};
use crate::world::stack::policies::Policies;
use crate::world::store::Order;
use crate::world::task::Task;
use crate::world::{Ctx, Event, World, eval};

use child::{Hedging, Judged};

/// One call of a program over all its attempts, or a child of such a call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(in crate::world) task: Id<Task>,
    pub(in crate::world) site: SiteId,
    pub(in crate::world) lineage: u64,
    /// Of a child: the call and the layer that wait for its end.
    pub(in crate::world) parent: Option<(Id<Call>, u8)>,
    /// Its outermost layer; a hedge's child has only the layers inside of the hedge.
    pub(in crate::world) first: u8,
    /// Attempts sent so far, by this call and its hedges.
    pub(in crate::world) sent: u32,
    /// The number of the latest attempt that this call sent itself.
    pub(in crate::world) attempt: u32,
    /// The attempt whose answer is awaited; 0 for none.
    pub(in crate::world) awaited: u32,
    /// The message of the latest attempt.
    pub(in crate::world) request: Id<Request>,
    /// Timers set so far.
    pub(in crate::world) timers: u32,
    /// An attempt has ended in doubt.
    pub(in crate::world) in_doubt: bool,
    /// Nobody wants an answer after this.
    pub(in crate::world) deadline: Option<Time>,
    /// Ends the call at a deadline that it has from its caller's caller.
    pub(in crate::world) guard: Option<Timer>,
    /// The site with the endpoint that outlier detection chose.
    pub(in crate::world) host: Option<SiteId>,
    pub(in crate::world) layers: Vec<Layer>,
}

/// What a layer holds while a call is inside it.
#[derive(Debug, Default)]
pub(in crate::world) enum Layer {
    #[default]
    Nothing,
    Retry(RetryLayer),
    Timeout(Timer),
    Deadline {
        timer: Timer,
        /// The deadline outside of this layer.
        outer: Option<Time>,
    },
    Breaker(Permit),
    /// Waits for the end of a breaker's test.
    Parked,
    Bulkhead(BulkheadPermit),
    /// Has got a permit, and goes on in this event.
    Granted(BulkheadPermit),
    /// Waits in a bulkhead's queue.
    Queued {
        place: Place,
        since: Time,
        timer: Option<Timer>,
    },
    /// Waits until a connection is open.
    Connecting(Timer),
    /// Uses a connection.
    Connected,
    /// Waits for its turn at a rate limiter.
    Paced(Timer),
    Limit(LimitPermit),
    Hedge(Box<Hedging>),
    Host(u32),
    Fallback(Id<Call>),
}

#[derive(Debug)]
pub(in crate::world) struct RetryLayer {
    pub(in crate::world) state: RetryState,
    pub(in crate::world) ticket: Ticket,
    pub(in crate::world) waits: RetryWait,
}

/// What a retry layer waits for.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) enum RetryWait {
    Nothing,
    /// The wait before the next attempt.
    Backoff(Timer),
    /// The turn that the client's own rate limit gives.
    Pace(Timer),
}

/// A timer that a layer waits for.
///
/// Its number tells it from the layer's earlier ones: a paused caller may find, in one instant, an
/// answer and the timeout that this answer came too late to call off.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Timer {
    pub(in crate::world) handle: Handle,
    pub(in crate::world) number: u32,
}

/// The number of the layer that stands for the deadline of the caller's caller.
const GUARD: u8 = u8::MAX;

/// How a layer lets a call in.
pub(in crate::world) enum Entered {
    /// It goes on.
    On(Layer),
    /// It waits in this layer.
    Waits(Layer),
    Refused(Reason),
}

/// A call that may go on in this event: its layer has got what it waited for.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Woken {
    pub(in crate::world) call: Id<Call>,
    pub(in crate::world) layer: u8,
}

/// Every call that is under way, and what their policies remember.
#[derive(Debug)]
pub(in crate::world) struct Stack {
    pub(in crate::world) calls: Pool<Call>,
    pub(in crate::world) policies: Policies,
    /// Room for what a breaker reports; empty between uses.
    pub(in crate::world) changes: Vec<Change>,
    /// Calls whose policy lets them go on now, in order.
    pub(in crate::world) woken: VecDeque<Woken>,
    /// The lane of each timeout, by stack and layer.
    pub(in crate::world) lanes: Vec<Vec<Option<Lane>>>,
}

impl Stack {
    pub(in crate::world) fn new(plan: &Plan) -> Stack {
        Stack {
            calls: Pool::default(),
            policies: Policies::new(plan),
            changes: Vec::new(),
            woken: VecDeque::new(),
            lanes: Vec::new(),
        }
    }

    pub(in crate::world) fn open_lanes(&mut self, plan: &Plan, ctx: &mut Ctx) {
        let mut lane = |layer: &LayerPlan| match layer {
            LayerPlan::Timeout(after) => Some(ctx.lane(*after)),
            _ => None,
        };
        let lanes = plan.stacks.iter().map(|stack| stack.layers.iter().map(&mut lane).collect());
        self.lanes = lanes.collect();
    }

    pub(in crate::world) fn memory_bytes(&self) -> usize {
        self.calls.memory_bytes(128)
    }
}

/// The layers of a stack, without borrowing the world.
pub(in crate::world) fn layers(plan: &Plan, stack: StackId) -> &[LayerPlan] {
    &plan.stacks[stack.index()].layers
}

impl World {
    /// Starts a call: its answer, when a policy has one at once, or the call that is under way.
    pub(in crate::world) fn begin_call(
        &mut self,
        task: Id<Task>,
        site: SiteId,
        lineage: u64,
        ctx: &mut Ctx,
    ) -> Result<Answer, Id<Call>> {
        let deadline = self.tasks[task].deadline;
        let id = self.new_call(Call { task, site, lineage, deadline, ..Call::default() });
        let pair = self.shared.plan.sites[site.index()].pair;
        self.shared.metrics.called(pair, ctx.now());
        if let Some(deadline) = deadline {
            if deadline <= ctx.now() {
                let answer = self.not_sent(id, Reason::DeadlinePassed { deadline }, ctx);
                self.end_call(id, answer, ctx);
                return Ok(answer);
            }
            let set = |ctx: &mut Ctx, event| ctx.schedule_at(deadline, event);
            self.stack.calls[id].guard = Some(self.set_timer(id, GUARD, ctx, set));
        }
        match self.go_down(id, 0, ctx) {
            Some(answer) => {
                self.end_call(id, answer, ctx);
                Ok(answer)
            }
            None => Err(id),
        }
    }

    /// A call with all its layers empty.
    pub(in crate::world) fn new_call(&mut self, call: Call) -> Id<Call> {
        let stack = self.shared.plan.sites[call.site.index()].stack;
        let depth = layers(&self.shared.plan, stack).len();
        let (id, entry) = self.stack.calls.take();
        let mut held = std::mem::take(&mut entry.layers);
        held.resize_with(depth, Layer::default);
        *entry = Call { layers: held, ..call };
        id
    }

    /// Enters the layers from `first` inwards. Returns the call's answer if it has one at once.
    pub(in crate::world) fn go_down(
        &mut self,
        id: Id<Call>,
        first: usize,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let (stack, _) = self.stack_of(self.stack.calls[id].site);
        let depth = self.stack.calls[id].layers.len();
        for n in first..depth {
            let entered = match &layers(&self.shared.plan, stack)[n] {
                LayerPlan::Hedge(_) => {
                    self.stack.calls[id].layers[n] = Layer::Hedge(Box::default());
                    return self.send_hedge(id, n, ctx);
                }
                LayerPlan::Retry(plan) => {
                    let plan = *plan;
                    self.enter_retry(id, n, plan, ctx)
                }
                LayerPlan::Timeout(_) => {
                    let lane = self.stack.lanes[stack.index()][n].expect("a timeout's lane");
                    let set = |ctx: &mut Ctx, event| ctx.schedule_on(lane, event);
                    Entered::On(Layer::Timeout(self.set_timer(id, n as u8, ctx, set)))
                }
                LayerPlan::Deadline(after) => {
                    let at = ctx.now() + *after;
                    let outer = self.stack.calls[id].deadline;
                    let deadline = outer.map_or(at, |outer| outer.min(at));
                    self.stack.calls[id].deadline = Some(deadline);
                    let set = |ctx: &mut Ctx, event| ctx.schedule_at(deadline, event);
                    let timer = self.set_timer(id, n as u8, ctx, set);
                    Entered::On(Layer::Deadline { timer, outer })
                }
                LayerPlan::Breaker(breaker) => {
                    let breaker = *breaker;
                    self.admit_by_breaker(id, breaker, ctx)
                }
                LayerPlan::Bulkhead(bulkhead) => {
                    let bulkhead = bulkhead.index();
                    self.enter_bulkhead(id, n, bulkhead, ctx)
                }
                LayerPlan::Connections(connections) => {
                    let connections = *connections;
                    self.connect(id, n, connections, ctx)
                }
                LayerPlan::RateLimiter(limiter) => {
                    let limiter = limiter.index();
                    self.enter_rate_limiter(id, n, limiter, ctx)
                }
                LayerPlan::ConcurrencyLimit(limit) => {
                    match self.stack.policies.limits[limit.index()].acquire(ctx.now()) {
                        Ok(permit) => Entered::On(Layer::Limit(permit)),
                        Err(reason) => Entered::Refused(reason),
                    }
                }
                LayerPlan::Throttle(throttle) => {
                    let draw = self.shared.luck.throttle.at(self.draw_index(id, n)).next_u64();
                    match self.stack.policies.throttles[throttle.index()].admit(ctx.now(), draw) {
                        Ok(()) => Entered::On(Layer::Nothing),
                        Err(reason) => Entered::Refused(reason),
                    }
                }
                LayerPlan::Outlier(outlier) => {
                    let draw = self.shared.luck.host.at(self.draw_index(id, n)).next_u64();
                    match self.stack.policies.outliers[outlier.index()].machine.pick(draw) {
                        Some(host) => {
                            let site = self.stack.calls[id].site;
                            let chosen =
                                self.shared.plan.sites[site.index()].instead(n, host as usize);
                            self.stack.calls[id].host = Some(chosen);
                            Entered::On(Layer::Host(host))
                        }
                        None => Entered::Refused(Reason::AllEjected),
                    }
                }
                LayerPlan::Fallback(_) => Entered::On(Layer::Nothing),
            };
            match entered {
                Entered::On(layer) => self.stack.calls[id].layers[n] = layer,
                Entered::Waits(layer) => {
                    self.stack.calls[id].layers[n] = layer;
                    return None;
                }
                Entered::Refused(reason) => return self.refuse(id, n, reason, ctx),
            }
        }
        self.send_attempt(id, ctx);
        None
    }

    /// A layer refuses the call: nothing is sent, and the refusal goes up from there.
    pub(in crate::world) fn refuse(
        &mut self,
        id: Id<Call>,
        n: usize,
        reason: Reason,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let answer = self.not_sent(id, reason, ctx);
        self.go_up(id, n, answer, ctx)
    }

    pub(in crate::world) fn not_sent(
        &mut self,
        id: Id<Call>,
        reason: Reason,
        ctx: &mut Ctx,
    ) -> Answer {
        let (intent, pair) = (self.intent_of(id), self.pair_of(id));
        self.shared.metrics.rejected(pair, reason);
        self.shared.note(Note::Rejected { intent, pair, reason }, ctx);
        Answer::bare(Ending::Rejected(reason))
    }

    /// Leaves the layers inside of `from` outwards with an answer. Returns it, as the outermost
    /// layer leaves it, unless the call goes on.
    pub(in crate::world) fn go_up(
        &mut self,
        id: Id<Call>,
        from: usize,
        mut answer: Answer,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let (stack, _) = self.stack_of(self.stack.calls[id].site);
        let first = usize::from(self.stack.calls[id].first);
        for n in (first..from).rev() {
            let held = std::mem::take(&mut self.stack.calls[id].layers[n]);
            match held {
                Layer::Retry(held) => {
                    if self.leave_retry(id, n, held, answer, ctx) {
                        return None;
                    }
                }
                Layer::Timeout(timer) => {
                    ctx.cancel(timer.handle);
                }
                Layer::Deadline { timer, outer } => {
                    ctx.cancel(timer.handle);
                    self.stack.calls[id].deadline = outer;
                }
                Layer::Breaker(permit) => {
                    self.settle_breaker(stack, n, permit, Some(answer.ending), ctx);
                }
                Layer::Bulkhead(permit) => self.settle_bulkhead(stack, n, permit, ctx),
                Layer::Connected => self.hang_up(stack, n, answer.ending, ctx),
                Layer::Limit(permit) => {
                    let sample = sample(answer.ending);
                    self.release_limit(id, n, permit, sample, ctx);
                }
                Layer::Host(host) => self.record_host(stack, n, host, answer.ending, ctx),
                Layer::Nothing => match layers(&self.shared.plan, stack)[n] {
                    LayerPlan::Fallback(plan) => match self.fall_back(id, n, plan, answer, ctx) {
                        Some(instead) => answer = instead,
                        None => return None,
                    },
                    LayerPlan::Throttle(throttle) if was_accepted(answer.ending) => {
                        self.stack.policies.throttles[throttle.index()].accepted(ctx.now());
                    }
                    _ => {}
                },
                // The answer of a fallback's or a hedge's child goes up from that very layer.
                Layer::Fallback(_) | Layer::Hedge(_) => {
                    unreachable!("a layer with children is left through them")
                }
                Layer::Parked
                | Layer::Queued { .. }
                | Layer::Granted(_)
                | Layer::Connecting(_)
                | Layer::Paced(_) => {
                    unreachable!("nothing comes up through a layer that waits")
                }
            }
        }
        answer.in_doubt |= self.stack.calls[id].in_doubt;
        Some(answer)
    }

    pub(in crate::world) fn set_timer(
        &mut self,
        id: Id<Call>,
        layer: u8,
        ctx: &mut Ctx,
        set: impl FnOnce(&mut Ctx, Event) -> Handle,
    ) -> Timer {
        let call = &mut self.stack.calls[id];
        call.timers += 1;
        let number = call.timers;
        Timer { handle: set(ctx, Event::Timer { call: id, layer, number }), number }
    }

    /// A layer's timer has run out. One that its layer no longer waits for changes nothing.
    pub(in crate::world) fn timer(&mut self, id: Id<Call>, layer: u8, number: u32, ctx: &mut Ctx) {
        let Some(call) = self.stack.calls.get_mut(id) else { return };
        let is_due = |timer: &Timer| timer.number == number;
        if layer == GUARD {
            if call.guard.as_ref().is_some_and(is_due) {
                call.guard = None;
                call.in_doubt = true;
                self.let_go(id, 0, ctx);
                self.finish_call(id, Answer::bare(Ending::TimedOut), ctx);
            }
            return;
        }
        let n = usize::from(layer);
        let answer = match &mut call.layers[n] {
            Layer::Retry(held) => match held.waits {
                RetryWait::Backoff(timer) if is_due(&timer) => {
                    held.waits = RetryWait::Nothing;
                    let plan = self.retry_plan(id, n);
                    match self.pace(id, n, plan, ctx) {
                        None => self.go_down(id, n + 1, ctx),
                        Some(timer) => {
                            if let Layer::Retry(held) = &mut self.stack.calls[id].layers[n] {
                                held.waits = RetryWait::Pace(timer);
                            }
                            return;
                        }
                    }
                }
                RetryWait::Pace(timer) if is_due(&timer) => {
                    held.waits = RetryWait::Nothing;
                    self.go_down(id, n + 1, ctx)
                }
                _ => return,
            },
            Layer::Timeout(timer) | Layer::Deadline { timer, .. } if is_due(timer) => {
                if let Layer::Deadline { outer, .. } = std::mem::take(&mut call.layers[n]) {
                    call.deadline = outer;
                }
                call.in_doubt = true;
                self.let_go(id, n + 1, ctx);
                self.go_up(id, n, Answer::bare(Ending::TimedOut), ctx)
            }
            Layer::Connecting(timer) if is_due(timer) => {
                call.layers[n] = Layer::Connected;
                self.go_down(id, n + 1, ctx)
            }
            Layer::Paced(timer) if is_due(timer) => {
                call.layers[n] = Layer::Nothing;
                self.go_down(id, n + 1, ctx)
            }
            Layer::Queued { timer: Some(timer), since, .. } if is_due(timer) => {
                let wait = ctx.now().since(*since);
                let held = std::mem::take(&mut call.layers[n]);
                self.drop_layer(id, n, held, ctx);
                self.refuse(id, n, Reason::BulkheadWaitOver { wait }, ctx)
            }
            Layer::Hedge(hedging) if hedging.timer.as_ref().is_some_and(is_due) => {
                hedging.timer = None;
                self.send_hedge(id, n, ctx)
            }
            _ => return,
        };
        if let Some(answer) = answer {
            self.finish_call(id, answer, ctx);
        }
    }

    /// Goes on with a call whose layer has got what it waited for. One that was let go of in the
    /// meantime, or woken before, waits for nothing any more.
    pub(in crate::world) fn wake_call(&mut self, woken: Woken, ctx: &mut Ctx) {
        let Woken { call: id, layer } = woken;
        let Some(call) = self.stack.calls.get_mut(id) else { return };
        let n = usize::from(layer);
        let next = match std::mem::take(&mut call.layers[n]) {
            // It asks again.
            Layer::Parked => n,
            Layer::Granted(permit) => {
                call.layers[n] = Layer::Bulkhead(permit);
                n + 1
            }
            other => {
                call.layers[n] = other;
                return;
            }
        };
        if let Some(answer) = self.go_down(id, next, ctx) {
            self.finish_call(id, answer, ctx);
        }
    }

    /// The answer to an attempt has arrived. One that nobody awaits any more changes nothing.
    pub(in crate::world) fn settle_attempt(
        &mut self,
        id: Id<Call>,
        attempt: u32,
        answer: Answer,
        ctx: &mut Ctx,
    ) {
        let Some(call) = self.stack.calls.get_mut(id) else { return };
        if call.awaited != attempt {
            return;
        }
        call.in_doubt |= answer.ending.fate() == Fate::Unknown;
        let depth = call.layers.len();
        self.await_no_more(id, ctx);
        if let Some(answer) = self.go_up(id, depth, answer, ctx) {
            self.finish_call(id, answer, ctx);
        }
    }

    /// Whether a call still waits for the answer to an attempt.
    pub(in crate::world) fn awaits(&self, id: Id<Call>, attempt: u32) -> bool {
        self.stack.calls.get(id).is_some_and(|call| call.awaited == attempt)
    }

    /// Tells whoever waits for a call how it ended.
    pub(in crate::world) fn finish_call(&mut self, id: Id<Call>, answer: Answer, ctx: &mut Ctx) {
        let Call { task, site, parent, .. } = self.stack.calls[id];
        let Some((parent, n)) = parent else {
            self.end_call(id, answer, ctx);
            self.call_ended(task, site, answer, ctx);
            return;
        };
        let n = usize::from(n);
        let answer = if let Layer::Fallback(_) = self.stack.calls[parent].layers[n] {
            let answer = self.fallback_over(parent, n, id, answer, ctx);
            self.go_up(parent, n, answer, ctx)
        } else {
            match self.judge(parent, n, id, answer, ctx) {
                Judged::Next => self.send_hedge(parent, n, ctx),
                Judged::Wait => None,
                Judged::Over(answer) => self.go_up(parent, n, answer, ctx),
            }
        };
        if let Some(answer) = answer {
            self.finish_call(parent, answer, ctx);
        }
    }

    pub(in crate::world) fn end_call(&mut self, id: Id<Call>, answer: Answer, ctx: &mut Ctx) {
        let pair = self.pair_of(id);
        if let Some(timer) = self.stack.calls[id].guard {
            ctx.cancel(timer.handle);
        }
        ctx.observe(mix(pair.0.into(), answer.fate() as u64));
        self.shared.metrics.call_ended(pair, answer.fate());
        self.stack.calls.free(id);
    }

    /// The caller no longer wants an answer.
    pub(in crate::world) fn abandon_call(&mut self, id: Id<Call>, ctx: &mut Ctx) {
        let pair = self.pair_of(id);
        if let Some(timer) = self.stack.calls[id].guard {
            ctx.cancel(timer.handle);
        }
        self.let_go(id, 0, ctx);
        self.shared.metrics.abandoned(pair);
        self.stack.calls.free(id);
    }

    /// Empties the layers from `first` inwards without counting anything.
    pub(in crate::world) fn let_go(&mut self, id: Id<Call>, first: usize, ctx: &mut Ctx) {
        if self.stack.calls[id].awaited > 0 {
            self.disconnect(self.stack.calls[id].request, ctx);
        }
        self.await_no_more(id, ctx);
        for n in (first..self.stack.calls[id].layers.len()).rev() {
            let held = std::mem::take(&mut self.stack.calls[id].layers[n]);
            self.drop_layer(id, n, held, ctx);
        }
    }

    /// Gives back what a layer held for a call that is of no interest any more.
    pub(in crate::world) fn drop_layer(
        &mut self,
        id: Id<Call>,
        n: usize,
        held: Layer,
        ctx: &mut Ctx,
    ) {
        let (stack, _) = self.stack_of(self.stack.calls[id].site);
        match held {
            Layer::Nothing | Layer::Parked | Layer::Host(_) | Layer::Connected => {}
            Layer::Retry(RetryLayer { ticket, waits, .. }) => {
                if let RetryWait::Backoff(timer) | RetryWait::Pace(timer) = waits {
                    ctx.cancel(timer.handle);
                }
                if let Some(budget) = self.retry_plan(id, n).budget {
                    self.stack.policies.budgets[budget.index()].end(ticket, ctx.now(), false);
                }
            }
            Layer::Timeout(timer) | Layer::Paced(timer) | Layer::Connecting(timer) => {
                ctx.cancel(timer.handle);
            }
            Layer::Deadline { timer, outer } => {
                ctx.cancel(timer.handle);
                self.stack.calls[id].deadline = outer;
            }
            Layer::Breaker(permit) => self.settle_breaker(stack, n, permit, None, ctx),
            Layer::Bulkhead(permit) | Layer::Granted(permit) => {
                self.settle_bulkhead(stack, n, permit, ctx);
            }
            Layer::Queued { place, timer, .. } => {
                if let Some(timer) = timer {
                    ctx.cancel(timer.handle);
                }
                let LayerPlan::Bulkhead(bulkhead) = layers(&self.shared.plan, stack)[n] else {
                    unreachable!("a place in a queue belongs to a bulkhead")
                };
                self.stack.policies.bulkheads[bulkhead.index()].leave(place);
            }
            Layer::Limit(permit) => self.release_limit(id, n, permit, Sample::Ignored, ctx),
            Layer::Hedge(hedging) => {
                if let Some(timer) = hedging.timer {
                    ctx.cancel(timer.handle);
                }
                for child in hedging.children {
                    self.let_go(child.call, n + 1, ctx);
                    self.stack.calls.free(child.call);
                }
            }
            Layer::Fallback(child) => self.abandon_call(child, ctx),
        }
    }

    /// Sends the next attempt. Its key and content are worked out anew, since they may name the
    /// attempt.
    fn send_attempt(&mut self, id: Id<Call>, ctx: &mut Ctx) {
        let number = self.count_attempt(id);
        let call = &mut self.stack.calls[id];
        (call.attempt, call.awaited) = (number, number);
        let Call { task, site, lineage, deadline, host, .. } = *call;
        self.tasks[task].set(builtin::ATTEMPT, Value::Int(number.into()));
        self.set_clock(task, ctx);
        let (plan, texts) = (&self.shared.plan, &mut self.shared.texts);
        let site = &plan.sites[host.unwrap_or(site).index()];
        let registers = &self.tasks[task].registers;
        let mut value = |operand: Operand| eval(plan, texts, registers, operand);
        let (id_of_request, request) = self.network.requests.take();
        let mut with = std::mem::take(&mut request.with);
        with.clear();
        let mut order = None;
        let (payload, key, body) = match &site.target {
            Target::Endpoint { endpoint, key, body, with: arguments } => {
                with.extend(arguments.iter().map(|(reg, operand)| (*reg, value(*operand))));
                (Payload::Endpoint(*endpoint), value(*key), value(*body))
            }
            Target::Queue { queue, key, body } => {
                (Payload::Message(*queue), value(*key), value(*body))
            }
            Target::Custom { endpoint, key, body } => {
                (Payload::Custom { endpoint: *endpoint }, value(*key), value(*body))
            }
            Target::Kv(command) => {
                let Value::Int(execution) = registers[builtin::EXECUTION.index()] else {
                    unreachable!("every execution has its number")
                };
                let op = command.op.map(&mut |operand, _| value(*operand), &mut |kind| *kind);
                order = Some(Box::new(Order { op, from: command.from, execution }));
                (Payload::Command, Value::Nil, Value::Nil)
            }
        };
        *request = Request {
            from: self.tasks[task].actor,
            to: site.to,
            pair: site.pair,
            sender: Sender::Call(id),
            attempt: number,
            intent: self.tasks[task].intent,
            lineage: mix(lineage, number.into()),
            payload,
            order,
            key,
            body,
            with,
            deadline,
            ..Request::default()
        };
        let pair = site.pair;
        self.stack.calls[id].request = id_of_request;
        self.shared.metrics.sent(pair, number > 1, ctx.now());
        if let Some((to, intent, key)) = self.flight(id) {
            let caller = self.network.requests[id_of_request].from;
            self.shared.show(Seen::Sent { to, call: id.word(), caller, intent, key }, ctx);
        }
        self.network.post(id_of_request, &mut self.shared, ctx);
    }

    /// The answer to a call's attempt has come, or is of no interest any more.
    fn await_no_more(&mut self, id: Id<Call>, ctx: &Ctx) {
        if std::mem::take(&mut self.stack.calls[id].awaited) > 0
            && let Some((to, intent, key)) = self.flight(id)
        {
            self.shared.show(Seen::Settled { to, call: id.word(), intent, key }, ctx);
        }
    }

    /// Where a call's present attempt goes, and for whom: the intent, and the key that the caller
    /// was given. `None` for commands and messages, and when nobody wants to know.
    fn flight(&self, id: Id<Call>) -> Option<(Server, u32, Value)> {
        if !self.shared.watch.wants(Topic::Flights) {
            return None;
        }
        let Call { task, site, host, .. } = self.stack.calls[id];
        let site = &self.shared.plan.sites[host.unwrap_or(site).index()];
        let place = match site.target {
            Target::Endpoint { endpoint, .. } => Server::Endpoint(endpoint),
            Target::Custom { endpoint, .. } => Server::Custom { actor: site.to, endpoint },
            Target::Queue { .. } | Target::Kv(_) => return None,
        };
        let task = &self.tasks[task];
        Some((place, task.intent, task.registers[builtin::KEY.index()]))
    }

    /// Counts an attempt; a hedge's child shares the count of its call.
    fn count_attempt(&mut self, id: Id<Call>) -> u32 {
        let mut root = id;
        while self.stack.calls[root].first > 0 {
            (root, _) = self.stack.calls[root].parent.expect("a hedge's child has a parent");
        }
        let call = &mut self.stack.calls[root];
        call.sent += 1;
        call.sent
    }

    pub(in crate::world) fn stack_of(&self, site: SiteId) -> (StackId, PairId) {
        let site = &self.shared.plan.sites[site.index()];
        (site.stack, site.pair)
    }

    pub(in crate::world) fn pair_of(&self, id: Id<Call>) -> PairId {
        self.shared.plan.sites[self.stack.calls[id].site.index()].pair
    }

    pub(in crate::world) fn intent_of(&self, id: Id<Call>) -> u32 {
        self.tasks[self.stack.calls[id].task].intent
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

/// Whether the other side took the request on, which is what adaptive throttling counts.
fn was_accepted(ending: Ending) -> bool {
    match ending {
        Ending::Status(status) => !matches!(status, 429 | 503),
        Ending::TimedOut | Ending::Refused | Ending::Reset | Ending::Rejected(_) => false,
    }
}
