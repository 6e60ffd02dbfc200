//! Calls: the policy stack between a program and the network.
//!
//! A call goes *down* through its layers, outermost first: a retry takes note of the start, a
//! timeout starts its timer, a breaker or a bulkhead admits or refuses; at the bottom an attempt
//! is sent. What comes of it goes *up* again: each layer settles what it holds, a retry may send
//! the call down once more. When a timeout ends a call that is still under way below it, the
//! layers below let go without counting anything.

use sim_core::{Draw, Handle, mix};

use super::message::{Answer, Payload};
use super::{Ctx, Event, Request, Task, World, eval, layers, moment, nth};
use crate::kv::Command;
use crate::log::Note;
use crate::plan::{
    ActorId, BreakerId, CommandPlan, LayerPlan, Operand, PairId, SiteId, StackId, Target, Verb,
    builtin,
};
use crate::policy::breaker::{Permit, Transition, Verdict};
use crate::policy::{
    Breaker, Bulkhead, BulkheadPermit, Decision, Ending, Fate, Reason, Retry, RetryState,
};
use crate::pool::Id;
use crate::scenario::spec::FallbackOn;
use crate::value::{TextId, Value};

/// One call of a program, over all its attempts.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(super) task: Id<Task>,
    site: SiteId,
    lineage: u64,
    /// Attempts sent so far.
    attempts: u32,
    /// The attempt whose answer is awaited; 0 for none.
    awaited: u32,
    /// Timers set so far.
    timers: u32,
    /// An attempt has ended in doubt.
    in_doubt: bool,
    layers: Vec<Layer>,
}

/// What a layer holds while a call is inside it.
#[derive(Debug, Default)]
enum Layer {
    #[default]
    Nothing,
    Retry {
        state: RetryState,
        /// Set while the call waits for its next attempt.
        timer: Option<Timer>,
    },
    Timeout(Timer),
    Breaker(Permit),
    Bulkhead(BulkheadPermit),
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

impl World {
    /// Starts a call: its answer, when a policy has one at once, or the call that is under way.
    pub(super) fn begin_call(
        &mut self,
        task: Id<Task>,
        site: SiteId,
        lineage: u64,
        ctx: &mut Ctx,
    ) -> Result<Answer, Id<Call>> {
        let stack = self.plan.sites[site.index()].stack;
        let depth = layers(&self.plan, stack).len();
        let (id, call) = self.calls.take();
        let mut held = std::mem::take(&mut call.layers);
        held.resize_with(depth, Layer::default);
        *call = Call { task, site, lineage, layers: held, ..Call::default() };
        self.metrics.called(self.plan.sites[site.index()].pair);
        match self.go_down(id, 0, ctx) {
            Some(answer) => {
                self.end_call(id, answer, ctx);
                Ok(answer)
            }
            None => Err(id),
        }
    }

    /// Enters the layers from `first` inwards. Returns the call's answer if it has one at once.
    fn go_down(&mut self, id: Id<Call>, first: usize, ctx: &mut Ctx) -> Option<Answer> {
        let site = self.calls[id].site;
        let (stack, pair) = self.stack_of(site);
        let depth = layers(&self.plan, stack).len();
        for n in first..depth {
            let entered = match &layers(&self.plan, stack)[n] {
                LayerPlan::Retry(retry) => {
                    Ok(Layer::Retry { state: retry.start(ctx.now()), timer: None })
                }
                LayerPlan::Timeout(_) => {
                    let lane = self.lanes.timeouts[stack.index()][n].expect("a timeout's lane");
                    let set = |ctx: &mut Ctx, event| ctx.schedule_on(lane, event);
                    Ok(Layer::Timeout(self.set_timer(id, n, ctx, set)))
                }
                LayerPlan::Breaker(breaker) => self.admit_by_breaker(*breaker, ctx),
                LayerPlan::Bulkhead(bulkhead) => {
                    self.bulkheads[bulkhead.index()].admit().map(Layer::Bulkhead)
                }
                LayerPlan::Fallback { .. } => Ok(Layer::Nothing),
            };
            match entered {
                Ok(layer) => self.calls[id].layers[n] = layer,
                Err(reason) => {
                    let intent = self.intent_of(id);
                    self.metrics.rejected(pair, reason);
                    self.note(Note::Rejected { intent, pair, reason }, ctx);
                    return self.go_up(id, n, Answer::bare(Ending::Rejected(reason)), ctx);
                }
            }
        }
        self.send_attempt(id, ctx);
        None
    }

    /// Leaves the layers inside of `from` outwards with an answer. Returns it, as the outermost
    /// layer leaves it, unless the call goes on.
    fn go_up(
        &mut self,
        id: Id<Call>,
        from: usize,
        mut answer: Answer,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let (stack, pair) = self.stack_of(self.calls[id].site);
        for n in (0..from).rev() {
            let held = std::mem::take(&mut self.calls[id].layers[n]);
            match held {
                Layer::Retry { state, .. } => {
                    if !answer.ending.is_success() && self.try_again(id, n, state, answer, ctx) {
                        return None;
                    }
                }
                Layer::Timeout(timer) => {
                    ctx.cancel(timer.handle);
                }
                Layer::Breaker(permit) => {
                    let verdict = Breaker::verdict(answer.ending);
                    self.settle_breaker(stack, n, permit, verdict, ctx);
                }
                Layer::Bulkhead(permit) => self.settle_bulkhead(stack, n, permit),
                Layer::Nothing => {
                    if let LayerPlan::Fallback { status, body, on } = layers(&self.plan, stack)[n]
                        && applies(on, answer.ending)
                    {
                        let body = self.eval(self.calls[id].task, body);
                        self.metrics.fell_back(pair);
                        answer = Answer { body, ..Answer::status(status) };
                    }
                }
            }
        }
        answer.in_doubt |= self.calls[id].in_doubt;
        Some(answer)
    }

    /// Asks a retry layer about a failure; true when there will be another attempt.
    fn try_again(
        &mut self,
        id: Id<Call>,
        n: usize,
        mut state: RetryState,
        answer: Answer,
        ctx: &mut Ctx,
    ) -> bool {
        let (stack, pair) = self.stack_of(self.calls[id].site);
        let intent = self.intent_of(id);
        let retry: Retry = match &layers(&self.plan, stack)[n] {
            LayerPlan::Retry(retry) => *retry,
            _ => unreachable!("a retry's state belongs to a retry"),
        };
        // Retries draw by their rank among retries and by the attempts made, so that other layers
        // change nothing, and an inner retry waits anew in each round of an outer one.
        let is_retry = |layer: &&LayerPlan| matches!(layer, LayerPlan::Retry(_));
        let rank = layers(&self.plan, stack)[..n].iter().filter(is_retry).count() as u64;
        let Call { lineage, attempts, .. } = self.calls[id];
        let index = nth(lineage, rank, attempts);
        let draw = self.luck.jitter.at(index).next_u64();
        let Answer { ending, retry_after, .. } = answer;
        match retry.decide(&mut state, ctx.now(), ending, retry_after, draw) {
            Decision::Again { after, attempt } => {
                let set = |ctx: &mut Ctx, event| ctx.schedule_after(after, event);
                let timer = Some(self.set_timer(id, n, ctx, set));
                self.calls[id].layers[n] = Layer::Retry { state, timer };
                self.watch.retry(pair, intent, attempt, after, moment(ctx));
                self.note(Note::Retry { intent, pair, attempt, after, ending }, ctx);
                true
            }
            Decision::GiveUp(reason) => {
                self.metrics.gave_up(pair, reason);
                self.note(Note::GaveUp { intent, pair, reason, ending }, ctx);
                false
            }
        }
    }

    fn admit_by_breaker(&mut self, breaker: BreakerId, ctx: &mut Ctx) -> Result<Layer, Reason> {
        let admission = self.breakers[breaker.index()].admit(ctx.now())?;
        if let Some(transition) = admission.transition {
            self.changed(breaker, transition, ctx);
        }
        Ok(Layer::Breaker(admission.permit))
    }

    fn settle_breaker(
        &mut self,
        stack: StackId,
        n: usize,
        permit: Permit,
        verdict: Verdict,
        ctx: &mut Ctx,
    ) {
        let LayerPlan::Breaker(breaker) = layers(&self.plan, stack)[n] else {
            unreachable!("a breaker's permit belongs to a breaker")
        };
        let settled = self.breakers[breaker.index()].settle(permit, ctx.now(), verdict);
        if let Some(transition) = settled {
            self.changed(breaker, transition, ctx);
        }
    }

    fn settle_bulkhead(&mut self, stack: StackId, n: usize, permit: BulkheadPermit) {
        let LayerPlan::Bulkhead(bulkhead) = layers(&self.plan, stack)[n] else {
            unreachable!("a bulkhead's permit belongs to a bulkhead")
        };
        self.bulkheads[bulkhead.index()].settle(permit);
    }

    fn changed(&mut self, breaker: BreakerId, transition: Transition, ctx: &mut Ctx) {
        ctx.observe(mix(breaker.0.into(), transition.to as u64));
        self.metrics.transition(breaker, transition, ctx.now());
        self.note(Note::Transition { breaker, transition }, ctx);
    }

    fn set_timer(
        &mut self,
        id: Id<Call>,
        n: usize,
        ctx: &mut Ctx,
        set: impl FnOnce(&mut Ctx, Event) -> Handle,
    ) -> Timer {
        let call = &mut self.calls[id];
        call.timers += 1;
        let number = call.timers;
        let layer = u8::try_from(n).expect("a stack's depth is checked");
        Timer { handle: set(ctx, Event::Timer { call: id, layer, number }), number }
    }

    /// A timeout or the wait before a retry is over. One that its layer no longer waits for
    /// changes nothing.
    pub(super) fn timer(&mut self, id: Id<Call>, layer: u8, number: u32, ctx: &mut Ctx) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let n = usize::from(layer);
        let answer = match &mut call.layers[n] {
            Layer::Retry { timer, .. } if timer.is_some_and(|timer| timer.number == number) => {
                *timer = None;
                self.go_down(id, n + 1, ctx)
            }
            Layer::Timeout(timer) if timer.number == number => {
                call.layers[n] = Layer::Nothing;
                call.in_doubt = true;
                self.let_go(id, n + 1, ctx);
                self.go_up(id, n, Answer::bare(Ending::TimedOut), ctx)
            }
            _ => return,
        };
        if let Some(answer) = answer {
            self.finish_call(id, answer, ctx);
        }
    }

    /// The answer to an attempt has arrived. One that nobody awaits any more changes nothing.
    pub(super) fn settle_attempt(
        &mut self,
        id: Id<Call>,
        attempt: u32,
        answer: Answer,
        ctx: &mut Ctx,
    ) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.awaited != attempt {
            return;
        }
        call.awaited = 0;
        call.in_doubt |= answer.ending.fate() == Fate::Unknown;
        let depth = call.layers.len();
        if let Some(answer) = self.go_up(id, depth, answer, ctx) {
            self.finish_call(id, answer, ctx);
        }
    }

    fn finish_call(&mut self, id: Id<Call>, answer: Answer, ctx: &mut Ctx) {
        let Call { task, site, .. } = self.calls[id];
        self.end_call(id, answer, ctx);
        self.call_ended(task, site, answer, ctx);
    }

    fn end_call(&mut self, id: Id<Call>, answer: Answer, ctx: &mut Ctx) {
        let pair = self.plan.sites[self.calls[id].site.index()].pair;
        ctx.observe(mix(pair.0.into(), answer.fate() as u64));
        self.metrics.call_ended(pair, answer.fate());
        self.calls.free(id);
    }

    /// The caller no longer wants an answer.
    pub(super) fn abandon_call(&mut self, id: Id<Call>, ctx: &mut Ctx) {
        let pair = self.plan.sites[self.calls[id].site.index()].pair;
        self.let_go(id, 0, ctx);
        self.metrics.abandoned(pair);
        self.calls.free(id);
    }

    /// Empties the layers from `first` inwards without counting anything.
    fn let_go(&mut self, id: Id<Call>, first: usize, ctx: &mut Ctx) {
        let (stack, _) = self.stack_of(self.calls[id].site);
        self.calls[id].awaited = 0;
        for n in (first..self.calls[id].layers.len()).rev() {
            match std::mem::take(&mut self.calls[id].layers[n]) {
                Layer::Nothing | Layer::Retry { timer: None, .. } => {}
                Layer::Retry { timer: Some(timer), .. } | Layer::Timeout(timer) => {
                    ctx.cancel(timer.handle);
                }
                Layer::Breaker(permit) => {
                    self.settle_breaker(stack, n, permit, Verdict::Ignored, ctx);
                }
                Layer::Bulkhead(permit) => self.settle_bulkhead(stack, n, permit),
            }
        }
    }

    /// Sends the next attempt. Its key and content are worked out anew, since they may name the
    /// attempt.
    fn send_attempt(&mut self, id: Id<Call>, ctx: &mut Ctx) {
        let call = &mut self.calls[id];
        call.attempts += 1;
        call.awaited = call.attempts;
        let Call { task, site, attempts, lineage, .. } = *call;
        self.tasks[task].set(builtin::ATTEMPT, Value::Int(attempts.into()));
        let (plan, texts) = (&self.plan, &mut self.texts);
        let site = &plan.sites[site.index()];
        let registers = &self.tasks[task].registers;
        let mut value = |operand: Operand| eval(plan, texts, registers, operand);
        let (id_of_request, request) = self.requests.take();
        let mut with = std::mem::take(&mut request.with);
        with.clear();
        let (payload, key, body) = match &site.target {
            Target::Endpoint { endpoint, key, body, with: arguments } => {
                with.extend(arguments.iter().map(|(reg, operand)| (*reg, value(*operand))));
                (Payload::Endpoint(*endpoint), value(*key), value(*body))
            }
            Target::Custom { endpoint, key, body } => {
                (Payload::Custom { endpoint: *endpoint }, value(*key), value(*body))
            }
            Target::Kv(CommandPlan { key, verb }) => {
                let key = value(*key);
                let argument = match verb {
                    Verb::Set { value: argument, .. }
                    | Verb::CompareAndDelete { expected: argument } => value(*argument),
                    _ => Value::Nil,
                };
                let command = command(*verb, texts.text_of(key), argument);
                (Payload::Command(command), Value::Nil, Value::Nil)
            }
        };
        *request = Request {
            from: self.tasks[task].actor,
            to: site.to,
            pair: site.pair,
            call: id,
            attempt: attempts,
            intent: self.tasks[task].intent,
            lineage: mix(lineage, attempts.into()),
            payload,
            key,
            body,
            with,
            ..Request::default()
        };
        let pair = site.pair;
        self.metrics.sent(pair, attempts > 1, ctx.now());
        self.send_request(id_of_request, ctx);
    }

    fn stack_of(&self, site: SiteId) -> (StackId, PairId) {
        let site = &self.plan.sites[site.index()];
        (site.stack, site.pair)
    }

    fn intent_of(&self, id: Id<Call>) -> u32 {
        self.tasks[self.calls[id].task].intent
    }

    /// A restarted process has forgotten what its breakers and bulkheads had counted.
    pub(super) fn reset_policies(&mut self, owner: ActorId) {
        for (breaker, plan) in self.breakers.iter_mut().zip(&self.plan.breakers) {
            if plan.owner == owner {
                *breaker = Breaker::new(plan.config).expect("checked");
            }
        }
        for (bulkhead, plan) in self.bulkheads.iter_mut().zip(&self.plan.bulkheads) {
            if plan.owner == owner {
                *bulkhead = Bulkhead::new(plan.limit).expect("checked");
            }
        }
    }
}

fn applies(on: FallbackOn, ending: Ending) -> bool {
    match on {
        FallbackOn::Rejected => matches!(ending, Ending::Rejected(_)),
        FallbackOn::Failure => !ending.is_success(),
    }
}

/// A command on a key; `argument` is the one value that some commands take.
fn command(verb: Verb, key: TextId, argument: Value) -> Command {
    match verb {
        Verb::Get => Command::Get { key },
        Verb::Set { condition, expiry, .. } => {
            Command::Set { key, value: argument, condition, expiry }
        }
        Verb::Exists => Command::Exists { key },
        Verb::Del => Command::Del { key },
        Verb::CompareAndDelete { .. } => Command::CompareAndDelete { key, expected: argument },
        Verb::Incr => Command::Incr { key },
        Verb::Pttl => Command::Ttl { key },
    }
}
