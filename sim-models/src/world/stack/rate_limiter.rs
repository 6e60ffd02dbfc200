//! A rate limiter: bounds the calls per time, and may let a call wait for its turn.

use sim_core::Span;
pub(super) use sim_policies::rate_limiter::RateLimiter as Remembered;

use super::kept::Memory;
use super::{HangUp, Layer, Then, Timer, Verbs, Walk, checked, nothing_comes_up};
use crate::log::Wait;
use crate::plan::{Owned, Plan, RateLimiterId, RateLimiterPlan};
use crate::world::network::Answer;

/// The wait for its turn; a call that has had it holds nothing.
#[derive(Debug)]
pub(super) struct Held(Timer);

impl Memory for Remembered {
    type Id = RateLimiterId;
    type Plan = RateLimiterPlan;

    fn table(plan: &Plan) -> &[Owned<RateLimiterPlan>] {
        &plan.rate_limiters
    }

    fn new(plan: &RateLimiterPlan) -> Remembered {
        checked(Remembered::new(&plan.limit))
    }
}

impl Verbs for Held {
    type Plan = RateLimiterId;

    fn enter(id: RateLimiterId, at: &mut Walk<'_>) -> Then {
        let max_wait = at.shared.plan.rate_limiters[id.index()].wait;
        match at.stack.kept.rate_limiters[id].acquire(at.ctx.now(), 1, max_wait) {
            Err(reason) => Then::Refused(reason),
            Ok(Span::ZERO) => Then::Down(Layer::Nothing),
            Ok(wait) => {
                at.note_wait(Wait::Rate, Some(wait));
                Then::Stays(Held(at.timer_after(wait)).into())
            }
        }
    }

    fn leave(self, _: Answer, _: &mut Walk<'_>) -> Then {
        nothing_comes_up()
    }

    fn timer(self, number: u32, _: &mut Walk<'_>) -> Then {
        if self.0.number == number { Then::Down(Layer::Nothing) } else { Then::Stays(self.into()) }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        self.0.cancel(at.ctx);
        None
    }
}
