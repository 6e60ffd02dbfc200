//! Layers that make calls of their own: a hedge sends further attempts before the first has ended,
//! a fallback may ask another endpoint.

use sim_core::{Span, Time};
use sim_policies::hedge::{AllFailed, Judgement};
use sim_policies::{Ending, Fate};

use crate::log::Note;
use crate::plan::{FallbackOn, FallbackPlan, HedgeId, LayerPlan};
use crate::pool::Id;
use crate::world::network::Answer;
use crate::world::stack::layers;
use crate::world::stack::{Call, Layer, Timer};
use crate::world::{Ctx, World, nth};

/// The attempts that a hedge has under way.
#[derive(Debug, Default)]
pub(in crate::world) struct Hedging {
    pub(in crate::world) children: Vec<Child>,
    pub(in crate::world) sent: u32,
    pub(in crate::world) timer: Option<Timer>,
    /// How the first attempt ended, if it has.
    first: Option<Answer>,
}

/// An attempt of a hedge.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Child {
    pub(in crate::world) call: Id<Call>,
    /// Its number, from 1.
    number: u32,
    since: Time,
}

/// What becomes of a hedge when one of its attempts has ended.
pub(in crate::world) enum Judged {
    /// The next attempt is due at once.
    Next,
    /// Others are still under way.
    Wait,
    /// The hedge has its answer.
    Over(Answer),
}

/// Tells the lineage of a fallback's call from the others of its caller.
const FALLBACK: u64 = 1;

impl World {
    /// Sends a hedge layer's next attempt, and those that follow at once. Returns the answer that
    /// leaves the call, if one does already.
    pub(in crate::world) fn send_hedge(
        &mut self,
        id: Id<Call>,
        n: usize,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        loop {
            let hedge = self.hedge_of(id, n);
            let Call { task, site, lineage, deadline, .. } = self.stack.calls[id];
            let first = n as u8 + 1;
            let parent = Some((id, n as u8));
            let call = Call { task, site, lineage, parent, first, deadline, ..Call::default() };
            let child = self.new_call(call);
            let hedging = self.hedging(id, n);
            hedging.sent += 1;
            let sent = hedging.sent;
            hedging.children.push(Child { call: child, number: sent, since: ctx.now() });
            if sent > 1 {
                let (intent, pair) = (self.intent_of(id), self.pair_of(id));
                self.shared.metrics.hedged(pair);
                self.shared.note(Note::Hedges { intent, pair, attempt: sent }, ctx);
            }
            if let Some(answer) = self.go_down(child, usize::from(first), ctx) {
                // What it leaves behind is decided as for any child that ends.
                match self.judge(id, n, child, answer, ctx) {
                    Judged::Next => continue,
                    Judged::Wait => {}
                    Judged::Over(answer) => return self.go_up(id, n, answer, ctx),
                }
            }
            match self.further_hedge(id, hedge, sent) {
                // The longest wait stands for one that only a failure ends.
                None | Some(Span::MAX) => return None,
                Some(Span::ZERO) => {}
                Some(wait) => {
                    let set = |ctx: &mut Ctx, event| ctx.schedule_after(wait, event);
                    let timer = self.set_timer(id, n as u8, ctx, set);
                    self.hedging(id, n).timer = Some(timer);
                    return None;
                }
            }
        }
    }

    /// A child of a hedge has ended: what becomes of the hedge.
    pub(in crate::world) fn judge(
        &mut self,
        id: Id<Call>,
        n: usize,
        child: Id<Call>,
        mut answer: Answer,
        ctx: &mut Ctx,
    ) -> Judged {
        let hedge = self.hedge_of(id, n);
        let hedging = self.hedging(id, n);
        let at = hedging.children.iter().position(|other| other.call == child);
        let Child { number, since, .. } = hedging.children.remove(at.expect("its own child"));
        if number == 1 {
            hedging.first = Some(answer);
        }
        let (sent, others, first) = (hedging.sent, hedging.children.len(), hedging.first);
        self.stack.calls.free(child);
        self.stack.calls[id].in_doubt |= answer.in_doubt || answer.ending.fate() == Fate::Unknown;
        let more = self.further_hedge(id, hedge, sent).is_some();
        let policy = &mut self.stack.policies.hedges[hedge.index()];
        if policy.learns_from(number, answer.ending) {
            policy.observe(ctx.now().since(since));
        }
        let judgement = policy.judge(answer.ending);
        let reports_first = policy.all_failed() == AllFailed::First;
        match judgement {
            Judgement::SendNext if more => {
                self.call_off_hedge_timer(id, n, ctx);
                return Judged::Next;
            }
            Judgement::Wait if more || others > 0 => return Judged::Wait,
            Judgement::SendNext if others > 0 => return Judged::Wait,
            Judgement::SendNext | Judgement::Wait => {
                if let (true, Some(first)) = (reports_first, first) {
                    answer = first;
                }
            }
            Judgement::Wins | Judgement::Fatal => {}
        }
        // An attempt that is let go of may do its work all the same.
        answer.in_doubt |= others > 0;
        self.stack.calls[id].in_doubt |= others > 0;
        let held = std::mem::take(&mut self.stack.calls[id].layers[n]);
        self.drop_layer(id, n, held, ctx);
        Judged::Over(answer)
    }

    /// The wait before the next hedge; `None` when there is no further. A call that may do its work
    /// twice is not hedged, unless the scenario insists.
    pub(in crate::world) fn further_hedge(
        &self,
        id: Id<Call>,
        hedge: HedgeId,
        sent: u32,
    ) -> Option<Span> {
        let is_safe = self.shared.plan.sites[self.stack.calls[id].site.index()].repeatable
            || self.shared.plan.hedges[hedge.index()].config.even_if_unsafe;
        is_safe.then(|| self.stack.policies.hedges[hedge.index()].next(sent)).flatten()
    }

    pub(in crate::world) fn hedging(&mut self, id: Id<Call>, n: usize) -> &mut Hedging {
        match &mut self.stack.calls[id].layers[n] {
            Layer::Hedge(hedging) => hedging,
            _ => unreachable!("only hedges have hedges"),
        }
    }

    pub(in crate::world) fn hedge_of(&self, id: Id<Call>, n: usize) -> HedgeId {
        let (stack, _) = self.stack_of(self.stack.calls[id].site);
        match &layers(&self.shared.plan, stack)[n] {
            LayerPlan::Hedge(hedge) => *hedge,
            _ => unreachable!("only hedges have hedges"),
        }
    }

    pub(in crate::world) fn call_off_hedge_timer(&mut self, id: Id<Call>, n: usize, ctx: &mut Ctx) {
        if let Some(timer) = self.hedging(id, n).timer.take() {
            ctx.cancel(timer.handle);
        }
    }

    /// What a fallback layer makes of an ending; `None` when another call is under way for it.
    pub(in crate::world) fn fall_back(
        &mut self,
        id: Id<Call>,
        n: usize,
        plan: FallbackPlan,
        answer: Answer,
        ctx: &mut Ctx,
    ) -> Option<Answer> {
        let pair = self.pair_of(id);
        if let Some((cache, keep)) = plan.cache {
            let cached = &mut self.stack.policies.cached[cache.index()];
            if answer.ending.is_success() {
                *cached = Some((ctx.now(), answer.body));
            } else if applies(plan.on, answer.ending)
                && let Some((since, body)) = *cached
                && ctx.now().since(since) <= keep
            {
                self.shared.metrics.fell_back(pair);
                return Some(Answer { body, ..Answer::status(plan.status) });
            }
            return Some(answer);
        }
        if !applies(plan.on, answer.ending) {
            return Some(answer);
        }
        self.shared.metrics.fell_back(pair);
        if !plan.calls {
            let body = self.eval(self.stack.calls[id].task, plan.body);
            return Some(Answer { body, ..Answer::status(plan.status) });
        }
        self.stack.calls[id].in_doubt |= answer.in_doubt;
        let Call { task, site, lineage, deadline, .. } = self.stack.calls[id];
        let site = self.shared.plan.sites[site.index()].instead(n, 0);
        let call = Call {
            task,
            site,
            lineage: nth(lineage, FALLBACK, n as u32),
            parent: Some((id, n as u8)),
            deadline,
            ..Call::default()
        };
        let fallback = self.new_call(call);
        self.shared.metrics.called(self.shared.plan.sites[site.index()].pair, ctx.now());
        self.stack.calls[id].layers[n] = Layer::Fallback(fallback);
        let answer = self.go_down(fallback, 0, ctx)?;
        Some(self.fallback_over(id, n, fallback, answer, ctx))
    }

    /// The other call of a fallback layer has ended.
    pub(in crate::world) fn fallback_over(
        &mut self,
        id: Id<Call>,
        n: usize,
        fallback: Id<Call>,
        answer: Answer,
        ctx: &mut Ctx,
    ) -> Answer {
        self.stack.calls[id].layers[n] = Layer::Nothing;
        self.end_call(fallback, answer, ctx);
        answer
    }
}

fn applies(on: FallbackOn, ending: Ending) -> bool {
    match on {
        FallbackOn::Rejected => matches!(ending, Ending::Rejected(_)),
        FallbackOn::Failure => !ending.is_success(),
    }
}
