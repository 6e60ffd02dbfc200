//! What each policy layer does with a call that comes in and with an ending that goes out.

use sim_core::{Draw, Span, mix};
use sim_policies::breaker::{Admission, Change, Machine, Permit, StateName, Verdict};
use sim_policies::budget::Ticket;
use sim_policies::bulkhead::{BulkheadPermit, Entry};
use sim_policies::concurrency::{LimitPermit, Sample};
use sim_policies::outlier::Ejection;
use sim_policies::{Decision, Ending, Fate, Reason};

use crate::invariant::Seen;
use crate::log::{Note, Wait};
use crate::plan::{BreakerId, ConnectionsId, LayerPlan, OutlierId, RetryPlan, StackId};
use crate::pool::Id;
use crate::world::network::Answer;
use crate::world::stack::layers;
use crate::world::stack::{Call, Entered, Layer, RetryLayer, RetryWait, Timer, Woken};
use crate::world::{Ctx, Event, World, nth};

impl World {
    pub(in crate::world) fn enter_retry(
        &mut self,
        id: Id<Call>,
        n: usize,
        plan: RetryPlan,
        ctx: &mut Ctx,
    ) -> Entered {
        let ticket = match plan.budget {
            Some(budget) => self.stack.policies.budgets[budget.index()].begin(ctx.now()),
            None => Ticket::default(),
        };
        let state = self.shared.plan.retries[plan.retry.index()].start(ctx.now());
        let mut layer = RetryLayer { state, ticket, waits: RetryWait::Nothing };
        match self.pace(id, n, plan, ctx) {
            None => Entered::On(Layer::Retry(layer)),
            Some(timer) => {
                layer.waits = RetryWait::Pace(timer);
                Entered::Waits(Layer::Retry(layer))
            }
        }
    }

    /// The wait that the client's own rate limit asks for before an attempt, if any.
    pub(in crate::world) fn pace(
        &mut self,
        id: Id<Call>,
        n: usize,
        plan: RetryPlan,
        ctx: &mut Ctx,
    ) -> Option<Timer> {
        let pacer = plan.pacer?;
        let wait = self.stack.policies.pacers[pacer.index()].acquire(ctx.now());
        if wait.is_zero() {
            return None;
        }
        let (intent, pair) = (self.intent_of(id), self.pair_of(id));
        self.shared.note(Note::Waits { intent, pair, what: Wait::Pace, wait: Some(wait) }, ctx);
        let set = |ctx: &mut Ctx, event| ctx.schedule_after(wait, event);
        Some(self.set_timer(id, n as u8, ctx, set))
    }

    /// Tells a retry layer how an attempt ended; true when there will be another.
    pub(in crate::world) fn leave_retry(
        &mut self,
        id: Id<Call>,
        n: usize,
        mut held: RetryLayer,
        answer: Answer,
        ctx: &mut Ctx,
    ) -> bool {
        let plan = self.retry_plan(id, n);
        let succeeded = answer.ending.is_success();
        if let Some(budget) = plan.budget {
            let budget = &mut self.stack.policies.budgets[budget.index()];
            budget.attempt_ended(&mut held.ticket, ctx.now(), answer.ending);
        }
        if let Some(pacer) = plan.pacer {
            self.stack.policies.pacers[pacer.index()].responded(
                ctx.now(),
                self.shared.plan.pacers[pacer.index()].config.is_throttle(answer.ending),
            );
        }
        if !succeeded {
            match self.next_attempt(id, n, plan, &mut held, answer, ctx) {
                Ok((attempt, after)) => {
                    let set = |ctx: &mut Ctx, event| ctx.schedule_after(after, event);
                    let timer = self.set_timer(id, n as u8, ctx, set);
                    held.waits = RetryWait::Backoff(timer);
                    self.stack.calls[id].layers[n] = Layer::Retry(held);
                    let (intent, pair) = (self.intent_of(id), self.pair_of(id));
                    let wait = after;
                    self.shared.show(Seen::Retry { pair, intent, attempt, wait }, ctx);
                    let ending = answer.ending;
                    self.shared.note(Note::Retry { intent, pair, attempt, after, ending }, ctx);
                    return true;
                }
                Err(reason) => {
                    let (intent, pair) = (self.intent_of(id), self.pair_of(id));
                    self.shared.metrics.gave_up(pair, reason);
                    let ending = answer.ending;
                    self.shared.note(Note::GaveUp { intent, pair, reason, ending }, ctx);
                }
            }
        }
        if let Some(budget) = plan.budget {
            self.stack.policies.budgets[budget.index()].end(held.ticket, ctx.now(), succeeded);
        }
        false
    }

    /// Whether a failed attempt is followed by another: its number and the wait before it.
    pub(in crate::world) fn next_attempt(
        &mut self,
        id: Id<Call>,
        n: usize,
        plan: RetryPlan,
        held: &mut RetryLayer,
        answer: Answer,
        ctx: &mut Ctx,
    ) -> Result<(u32, Span), Reason> {
        let draw = self.shared.luck.jitter.at(self.draw_index(id, n)).next_u64();
        let retry = &self.shared.plan.retries[plan.retry.index()];
        let Answer { ending, advice, .. } = answer;
        let (attempt, after) = match retry.decide(&mut held.state, ctx.now(), ending, advice, draw)
        {
            Decision::Again { after, attempt } => (attempt, after),
            Decision::GiveUp(reason) => return Err(reason),
        };
        let call = &self.stack.calls[id];
        let in_doubt = call.in_doubt || ending.fate() == Fate::Unknown;
        if in_doubt && !self.shared.plan.sites[call.site.index()].repeatable {
            if !plan.even_if_unsafe {
                return Err(Reason::NotIdempotent);
            }
            self.shared.metrics.unsafe_retry(self.pair_of(id));
        }
        if let Some(deadline) = self.stack.calls[id].deadline
            && ctx.now() + after >= deadline
        {
            return Err(Reason::DeadlinePassed { deadline });
        }
        if let Some(budget) = plan.budget {
            let budget = &mut self.stack.policies.budgets[budget.index()];
            budget.withdraw(&mut held.ticket, ctx.now(), ending)?;
        }
        Ok((attempt, after))
    }

    pub(in crate::world) fn retry_plan(&self, id: Id<Call>, n: usize) -> RetryPlan {
        let (stack, _) = self.stack_of(self.stack.calls[id].site);
        match &layers(&self.shared.plan, stack)[n] {
            LayerPlan::Retry(plan) => *plan,
            _ => unreachable!("a retry's state belongs to a retry"),
        }
    }

    /// Addresses the draw of a layer for the attempt at hand: by its rank among the layers of its
    /// kind and by the attempts made, so that layers of other kinds change nothing, and an inner
    /// retry waits anew in each round of an outer one.
    pub(in crate::world) fn draw_index(&self, id: Id<Call>, n: usize) -> u64 {
        let call = &self.stack.calls[id];
        let (stack, _) = self.stack_of(call.site);
        let layers = layers(&self.shared.plan, stack);
        let kind = std::mem::discriminant(&layers[n]);
        let alike = |layer: &&LayerPlan| std::mem::discriminant(*layer) == kind;
        let rank = layers[..n].iter().filter(alike).count() as u64;
        let attempt = if call.attempt > 0 { call.attempt } else { call.sent };
        nth(call.lineage, rank, attempt)
    }

    pub(in crate::world) fn admit_by_breaker(
        &mut self,
        id: Id<Call>,
        breaker: BreakerId,
        ctx: &mut Ctx,
    ) -> Entered {
        let mut changes = std::mem::take(&mut self.stack.changes);
        let machine = &mut self.stack.policies.breakers[breaker.index()].machine;
        let admission = machine.admit(ctx.now(), &mut changes);
        let is_test = machine.state() == StateName::HalfOpen;
        self.changed(breaker, changes, ctx);
        let (intent, pair) = (self.intent_of(id), self.pair_of(id));
        match admission {
            Admission::Admitted(permit) => {
                if is_test {
                    self.shared.note(Note::Tests { intent, pair }, ctx);
                }
                Entered::On(Layer::Breaker(permit))
            }
            Admission::Refused(reason) => Entered::Refused(reason),
            Admission::Parked => {
                let breaker = &mut self.stack.policies.breakers[breaker.index()];
                let on = breaker.machine.parked_on();
                breaker.parked.extend(on.map(|on| (id, on)));
                self.shared.note(Note::Waits { intent, pair, what: Wait::Test, wait: None }, ctx);
                Entered::Waits(Layer::Parked)
            }
        }
    }

    /// Gives a permit back; without an ending the call was cancelled.
    pub(in crate::world) fn settle_breaker(
        &mut self,
        stack: StackId,
        n: usize,
        permit: Permit,
        ending: Option<Ending>,
        ctx: &mut Ctx,
    ) {
        let LayerPlan::Breaker(id) = layers(&self.shared.plan, stack)[n] else {
            unreachable!("a breaker's permit belongs to a breaker")
        };
        let verdict = match ending {
            Some(ending) => self.shared.plan.breakers[id.index()].verdict(ending),
            None => Verdict::Cancelled,
        };
        let ended = permit.tag();
        let mut changes = std::mem::take(&mut self.stack.changes);
        let machine = &mut self.stack.policies.breakers[id.index()].machine;
        machine.settle(permit, ctx.now(), verdict, &mut changes);
        self.changed(id, changes, ctx);
        // Who was parked on this call asks again; whoever has gone meanwhile is not found, or waits
        // for nothing.
        let parked = &mut self.stack.policies.breakers[id.index()].parked;
        for (call, _) in parked.extract_if(.., |(_, on)| *on == ended) {
            self.stack.woken.push_back(Woken { call, layer: n as u8 });
        }
    }

    /// A breaker acts by itself.
    pub(in crate::world) fn wake_breaker(&mut self, id: BreakerId, ctx: &mut Ctx) {
        self.stack.policies.breakers[id.index()].timer = None;
        let mut changes = std::mem::take(&mut self.stack.changes);
        let machine = &mut self.stack.policies.breakers[id.index()].machine;
        if machine.wakes_at().is_some_and(|at| at <= ctx.now()) {
            machine.wake(ctx.now(), &mut changes);
        }
        self.changed(id, changes, ctx);
    }

    /// Takes note of what a breaker told, and of when it will act by itself.
    pub(in crate::world) fn changed(
        &mut self,
        id: BreakerId,
        mut changes: Vec<Change>,
        ctx: &mut Ctx,
    ) {
        for change in changes.drain(..) {
            if let Change::Transition(transition) = change {
                ctx.observe(mix(id.0.into(), transition.to as u64));
                self.shared.metrics.transition(id, transition, ctx.now());
                self.shared.note(Note::Transition { breaker: id, transition }, ctx);
            }
        }
        self.stack.changes = changes;
        let wakes_at = self.stack.policies.breakers[id.index()].machine.wakes_at();
        let timer = &mut self.stack.policies.breakers[id.index()].timer;
        if timer.map(|(at, _)| at) != wakes_at {
            if let Some((_, handle)) = timer.take() {
                ctx.cancel(handle);
            }
            *timer = wakes_at.map(|at| {
                let at = at.max(ctx.now());
                (at, ctx.schedule_at(at, Event::WakeBreaker(id)))
            });
        }
    }

    pub(in crate::world) fn enter_bulkhead(
        &mut self,
        id: Id<Call>,
        n: usize,
        bulkhead: usize,
        ctx: &mut Ctx,
    ) -> Entered {
        match self.stack.policies.bulkheads[bulkhead].enter(ctx.now(), id.word()) {
            Entry::Admitted(permit) => Entered::On(Layer::Bulkhead(permit)),
            Entry::Refused(reason) => Entered::Refused(reason),
            Entry::Queued(place) => {
                let wait = self.stack.policies.bulkheads[bulkhead].longest_wait();
                let timer = wait.map(|wait| {
                    let set = |ctx: &mut Ctx, event| ctx.schedule_after(wait, event);
                    self.set_timer(id, n as u8, ctx, set)
                });
                let (intent, pair) = (self.intent_of(id), self.pair_of(id));
                self.shared.note(Note::Waits { intent, pair, what: Wait::Permit, wait: None }, ctx);
                Entered::Waits(Layer::Queued { place, since: ctx.now(), timer })
            }
        }
    }

    /// Gives a permit back; the next call in the queue has it then.
    pub(in crate::world) fn settle_bulkhead(
        &mut self,
        stack: StackId,
        n: usize,
        permit: BulkheadPermit,
        ctx: &mut Ctx,
    ) {
        let LayerPlan::Bulkhead(bulkhead) = layers(&self.shared.plan, stack)[n] else {
            unreachable!("a bulkhead's permit belongs to a bulkhead")
        };
        let next = self.stack.policies.bulkheads[bulkhead.index()].settle(permit, ctx.now());
        if let Some((token, permit)) = next {
            let call = Id::from_word(token);
            let held =
                std::mem::replace(&mut self.stack.calls[call].layers[n], Layer::Granted(permit));
            if let Layer::Queued { timer: Some(timer), .. } = held {
                ctx.cancel(timer.handle);
            }
            self.stack.woken.push_back(Woken { call, layer: n as u8 });
        }
    }

    pub(in crate::world) fn enter_rate_limiter(
        &mut self,
        id: Id<Call>,
        n: usize,
        limiter: usize,
        ctx: &mut Ctx,
    ) -> Entered {
        let max_wait = self.shared.plan.rate_limiters[limiter].config.wait;
        match self.stack.policies.rate_limiters[limiter].acquire(ctx.now(), 1, max_wait) {
            Err(reason) => Entered::Refused(reason),
            Ok(Span::ZERO) => Entered::On(Layer::Nothing),
            Ok(wait) => {
                let (intent, pair) = (self.intent_of(id), self.pair_of(id));
                self.shared
                    .note(Note::Waits { intent, pair, what: Wait::Rate, wait: Some(wait) }, ctx);
                let set = |ctx: &mut Ctx, event| ctx.schedule_after(wait, event);
                Entered::Waits(Layer::Paced(self.set_timer(id, n as u8, ctx, set)))
            }
        }
    }

    /// Takes a connection that is open, or waits until a new one is.
    pub(in crate::world) fn connect(
        &mut self,
        id: Id<Call>,
        n: usize,
        connections: ConnectionsId,
        ctx: &mut Ctx,
    ) -> Entered {
        match self.stack.policies.connections[connections.index()].take(ctx.now()) {
            Span::ZERO => Entered::On(Layer::Connected),
            wait => {
                let set = |ctx: &mut Ctx, event| ctx.schedule_after(wait, event);
                Entered::Waits(Layer::Connecting(self.set_timer(id, n as u8, ctx, set)))
            }
        }
    }

    /// Keeps a connection over which an answer came; any other is closed.
    pub(in crate::world) fn hang_up(
        &mut self,
        stack: StackId,
        n: usize,
        ending: Ending,
        ctx: &Ctx,
    ) {
        let LayerPlan::Connections(connections) = layers(&self.shared.plan, stack)[n] else {
            unreachable!("a connection belongs to those that are kept")
        };
        if let Ending::Status(_) = ending {
            self.stack.policies.connections[connections.index()].give_back(ctx.now());
        }
    }

    pub(in crate::world) fn release_limit(
        &mut self,
        id: Id<Call>,
        n: usize,
        permit: LimitPermit,
        sample: Sample,
        ctx: &mut Ctx,
    ) {
        let (stack, _) = self.stack_of(self.stack.calls[id].site);
        let LayerPlan::ConcurrencyLimit(limit) = layers(&self.shared.plan, stack)[n] else {
            unreachable!("a limit's permit belongs to a limit")
        };
        let draw = self.shared.luck.probe.at(self.draw_index(id, n)).next_u64();
        self.stack.policies.limits[limit.index()].release(permit, ctx.now(), sample, draw);
    }

    pub(in crate::world) fn record_host(
        &mut self,
        stack: StackId,
        n: usize,
        host: u32,
        ending: Ending,
        ctx: &mut Ctx,
    ) {
        let LayerPlan::Outlier(id) = layers(&self.shared.plan, stack)[n] else {
            unreachable!("a host belongs to outlier detection")
        };
        let mut ejections = Vec::new();
        self.stack.policies.outliers[id.index()].machine.record(
            host,
            ctx.now(),
            ending,
            &mut ejections,
        );
        self.ejected(id, ejections, ctx);
        self.schedule_sweep(id, ctx);
    }

    fn ejected(&mut self, id: OutlierId, ejections: Vec<Ejection>, ctx: &mut Ctx) {
        for ejection in ejections {
            let (host, out) = match ejection {
                Ejection::Ejected { host, .. } => (host, 1),
                Ejection::Returned { host } => (host, 0),
            };
            ctx.observe(mix(id.0.into(), u64::from(host) << 1 | out));
            self.shared.note(Note::Ejection { outlier: id, ejection }, ctx);
        }
    }

    /// The interval at which ejections are reconsidered is over.
    pub(in crate::world) fn sweep(&mut self, id: OutlierId, ctx: &mut Ctx) {
        let now = ctx.now();
        let draw = self.shared.luck.sweep.at(mix(id.0.into(), now.as_nanos())).next_u64();
        let mut ejections = Vec::new();
        let outlier = &mut self.stack.policies.outliers[id.index()];
        outlier.sweep = None;
        if outlier.machine.wakes_at().is_some_and(|at| at <= now) {
            outlier.machine.wake(now, draw, &mut ejections);
        }
        self.ejected(id, ejections, ctx);
        self.schedule_sweep(id, ctx);
    }

    /// Sees to it that the next sweep takes place; while nothing happens there is none.
    fn schedule_sweep(&mut self, id: OutlierId, ctx: &mut Ctx) {
        let outlier = &mut self.stack.policies.outliers[id.index()];
        if outlier.sweep.is_none()
            && let Some(at) = outlier.machine.wakes_at()
        {
            let at = at.max(ctx.now());
            outlier.sweep = Some(at);
            ctx.schedule_at(at, Event::Sweep(id));
        }
    }
}
