//! Adaptive throttling: refuses calls at random, the more the callee rejects.

use sim_core::{Draw, Time};
use sim_policies::Ending;
use sim_policies::throttle::{AdaptiveThrottle, Config};

use super::{HangUp, Say, Then, Verbs, Walk, checked};
use crate::metrics::Amount;
use crate::outcome::Quantity;
use crate::world::network::Answer;

/// The call was let in; the throttle wants to know whether it is accepted.
#[derive(Debug)]
pub(super) struct Held;

impl Verbs for Held {
    type Plan = Config;
    type Memory = AdaptiveThrottle;

    const DRIFTS: bool = true;

    fn fresh(plan: &Config) -> AdaptiveThrottle {
        checked(AdaptiveThrottle::new(plan))
    }

    fn levels(throttle: &mut AdaptiveThrottle, now: Time, say: Say<'_>) {
        say(Quantity::Refusing, Amount::near(throttle.rejection_rate(now)));
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let draw = at.shared.luck.throttle.at(at.draw_index()).next_u64();
        let own = at.own::<Held>();
        match own.memory.admit(own.ctx.now(), draw) {
            Ok(()) => Then::Down(Held.into()),
            Err(reason) => Then::Refused(reason),
        }
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        if was_accepted(answer.ending) {
            let own = at.own::<Held>();
            own.memory.accepted(own.ctx.now());
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
