//! A rate limiter: bounds the calls per time, and may let a call wait for its turn.

use sim_core::{Span, Time};
use sim_policies::rate_limiter::RateLimiter;

use super::{HangUp, Layer, Say, Then, Timer, Verbs, Walk, checked, nothing_comes_up};
use crate::log::Wait;
use crate::metrics::Amount;
use crate::outcome::Quantity;
use crate::plan::RateLimiterPlan;
use crate::world::network::Answer;

/// The wait for its turn; a call that has had it holds nothing.
#[derive(Debug)]
pub(super) struct Held(Timer);

impl Verbs for Held {
    type Plan = RateLimiterPlan;
    type Memory = RateLimiter;

    const DRIFTS: bool = true;

    fn fresh(plan: &RateLimiterPlan) -> RateLimiter {
        checked(RateLimiter::new(&plan.limit))
    }

    fn levels(limiter: &mut RateLimiter, now: Time, say: Say<'_>) {
        if let Some(permits) = limiter.available(now) {
            say(Quantity::Tokens, Amount::near(permits));
        }
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let own = at.own::<Held>();
        match own.memory.acquire(own.ctx.now(), 1, own.plan.wait) {
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
