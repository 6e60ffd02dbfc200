//! Adaptive throttling: refuses calls at random, the more the callee rejects.

use sim_core::Draw;
use sim_policies::Ending;
pub(super) use sim_policies::throttle::AdaptiveThrottle as Remembered;
use sim_policies::throttle::Config;

use super::kept::Memory;
use super::{HangUp, Then, Verbs, Walk, checked};
use crate::plan::{Owned, Plan, ThrottleId};
use crate::world::network::Answer;

/// The throttle that let the call in, and wants to know whether it was accepted.
#[derive(Debug)]
pub(super) struct Held(ThrottleId);

impl Memory for Remembered {
    type Id = ThrottleId;
    type Plan = Config;

    fn table(plan: &Plan) -> &[Owned<Config>] {
        &plan.throttles
    }

    fn new(plan: &Config) -> Remembered {
        checked(Remembered::new(plan))
    }
}

impl Verbs for Held {
    type Plan = ThrottleId;

    fn enter(id: ThrottleId, at: &mut Walk<'_>) -> Then {
        let draw = at.shared.luck.throttle.at(at.draw_index()).next_u64();
        match at.stack.kept.throttles[id].admit(at.ctx.now(), draw) {
            Ok(()) => Then::Down(Held(id).into()),
            Err(reason) => Then::Refused(reason),
        }
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        if was_accepted(answer.ending) {
            at.stack.kept.throttles[self.0].accepted(at.ctx.now());
        }
        Then::Up(answer)
    }

    fn let_go(self, _: &mut Walk<'_>) -> Option<HangUp> {
        None
    }
}

/// Whether the other side took the request on.
fn was_accepted(ending: Ending) -> bool {
    match ending {
        Ending::Status(status) => !matches!(status, 429 | 503),
        Ending::TimedOut | Ending::Refused | Ending::Reset | Ending::Rejected(_) => false,
    }
}
