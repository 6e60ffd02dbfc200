//! A fallback: answers for a callee that cannot, with a fixed answer, with the last good one, or
//! with another endpoint's.

use sim_core::Time;
use sim_policies::Ending;
use sim_redis::value::Value;

use super::{Call, HangUp, Own, Then, Verbs, Walk, nothing_comes_up};
use crate::plan::{FallbackOn, FallbackPlan};
use crate::world::ids::CallId;
use crate::world::network::Answer;
use crate::world::nth;

/// What a call has of its fallback.
#[derive(Debug)]
pub(super) enum Held {
    Inside,
    /// Waits for the end of the other call.
    Asks(CallId),
}

/// Tells the lineage of a fallback's call from the others of its caller.
const FALLBACK: u64 = 1;

impl Verbs for Held {
    type Plan = FallbackPlan;
    /// The last good answer, and since when it is kept.
    type Memory = Option<(Time, Value)>;

    fn fresh(_: &FallbackPlan) -> Option<(Time, Value)> {
        None
    }

    fn enter(_: &mut Walk<'_>) -> Then {
        Then::Down(Held::Inside.into())
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let Held::Inside = self else { nothing_comes_up() };
        let now = at.ctx.now();
        let (_, pair) = at.whose();
        let Own { plan, memory: last, .. } = at.own::<Held>();
        let FallbackPlan { status, body, on, cached, calls, is_goodput } = *plan;
        let instead = |body| Answer { body, by_fallback: !is_goodput, ..Answer::status(status) };
        let applies = applies(on, answer.ending);
        if let Some(keep) = cached {
            if answer.ending.is_success() {
                *last = Some((now, answer.body));
            } else if applies
                && let Some((since, body)) = *last
                && now.since(since) <= keep
            {
                at.shared.metrics.fell_back(pair);
                return Then::Up(instead(body));
            }
            return Then::Up(answer);
        }
        if !applies {
            return Then::Up(answer);
        }
        at.shared.metrics.fell_back(pair);
        if !calls {
            return Then::Up(instead(body));
        }
        at.the_call_mut().in_doubt |= answer.in_doubt;
        let call = at.the_call();
        let site = at.shared.plan.sites[call.site.index()].instead(at.n, 0);
        let lineage = nth(call.lineage, FALLBACK, at.n as u32);
        let other = at.new_child(|call| Call { site, lineage, begun: now, ..call });
        let arose = at.shared.arose(at.stack.calls[other].intent, now);
        let pair = at.shared.plan.sites[site.index()].pair;
        at.shared.metrics.called(pair, arose, now);
        Then::Asks(Held::Asks(other).into(), other)
    }

    fn child_ended(self, other: CallId, answer: Answer, at: &mut Walk<'_>) -> Then {
        at.stack.end_call(other, answer, at.shared, at.ctx);
        let is_goodput = at.own::<Held>().plan.is_goodput;
        Then::Up(Answer { by_fallback: answer.by_fallback || !is_goodput, ..answer })
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        let Held::Asks(other) = self else { return None };
        let hang_up = at.let_go(other, 0);
        if hang_up.is_some() {
            at.hold(self.into());
        } else {
            at.stack.forget_call(other, at.shared, at.ctx);
        }
        hang_up
    }
}

fn applies(on: FallbackOn, ending: Ending) -> bool {
    match on {
        FallbackOn::Rejected => matches!(ending, Ending::Rejected(_)),
        FallbackOn::Failure => !ending.is_success(),
    }
}

#[cfg(test)]
mod tests {
    use sim_core::Span;

    use super::super::bench::Bench;
    use super::*;
    use crate::plan::LayerPlan;

    #[test]
    fn the_last_good_answer_stands_in_until_it_is_too_old() {
        let fallback = FallbackPlan {
            status: 203,
            body: Value::Nil,
            on: FallbackOn::Failure,
            cached: Some(Span::millis(50)),
            calls: false,
            is_goodput: false,
        };
        let mut bench = Bench::new(vec![LayerPlan::Fallback(fallback)]);
        for (n, (at, status)) in [(0, 200), (50, 500), (51, 500)].into_iter().enumerate() {
            bench.until(at);
            bench.call();
            bench.answer(n, status);
        }
        let ended = [200, 203, 500].map(Ending::Status);
        assert_eq!(bench.ended().iter().map(|(_, ending)| *ending).collect::<Vec<_>>(), ended);
    }
}
