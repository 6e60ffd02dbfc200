//! A concurrency limit: bounds the calls in flight by what the callee seems to bear.

use sim_core::{Draw, Time};
use sim_policies::concurrency::{ConcurrencyLimiter, LimitConfig, LimitPermit, Sample};

use super::{HangUp, Say, Then, Verbs, Walk, checked};
use crate::metrics::Amount;
use crate::outcome::Quantity;
use crate::world::network::Answer;

/// A permit of the limit.
#[derive(Debug)]
pub(super) struct Held(LimitPermit);

impl Verbs for Held {
    type Plan = LimitConfig;
    type Memory = ConcurrencyLimiter;

    fn fresh(plan: &LimitConfig) -> ConcurrencyLimiter {
        checked(ConcurrencyLimiter::new(plan))
    }

    fn levels(limiter: &mut ConcurrencyLimiter, _now: Time, say: Say<'_>) {
        say(Quantity::Limit, Amount::of(limiter.limit()));
        say(Quantity::InUse, Amount::of(limiter.in_flight()));
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let own = at.own::<Held>();
        match own.memory.acquire(own.ctx.now()) {
            Ok(permit) => Then::Down(Held(permit).into()),
            Err(reason) => Then::Refused(reason),
        }
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        self.release(super::sample(answer.ending), at);
        Then::Up(answer)
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        self.release(Sample::Ignored, at);
        None
    }
}

impl Held {
    fn release(self, sample: Sample, at: &mut Walk<'_>) {
        let draw = at.shared.luck.probe.at(at.draw_index()).next_u64();
        let own = at.own::<Held>();
        own.memory.release(self.0, own.ctx.now(), sample, draw);
    }
}
