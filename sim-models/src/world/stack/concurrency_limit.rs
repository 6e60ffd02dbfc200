//! A concurrency limit: bounds the calls in flight by what the callee seems to bear.

use sim_core::Draw;
pub(super) use sim_policies::concurrency::ConcurrencyLimiter as Remembered;
use sim_policies::concurrency::{LimitConfig, LimitPermit, Sample};

use super::kept::Memory;
use super::{HangUp, Then, Verbs, Walk, checked};
use crate::plan::{LimitId, Owned, Plan};
use crate::world::network::Answer;

/// A permit of the limit.
#[derive(Debug)]
pub(super) struct Held {
    id: LimitId,
    permit: LimitPermit,
}

impl Memory for Remembered {
    type Id = LimitId;
    type Plan = LimitConfig;

    fn table(plan: &Plan) -> &[Owned<LimitConfig>] {
        &plan.concurrency_limits
    }

    fn new(plan: &LimitConfig) -> Remembered {
        checked(Remembered::new(plan))
    }
}

impl Verbs for Held {
    type Plan = LimitId;

    fn enter(id: LimitId, at: &mut Walk<'_>) -> Then {
        match at.stack.kept.concurrency_limits[id].acquire(at.ctx.now()) {
            Ok(permit) => Then::Down(Held { id, permit }.into()),
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
        let limit = &mut at.stack.kept.concurrency_limits[self.id];
        limit.release(self.permit, at.ctx.now(), sample, draw);
    }
}
