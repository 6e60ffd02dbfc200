//! A timeout: the caller stops waiting, and lets go of what is inside.

use sim_core::{Lane, Span};
use sim_policies::Ending;

use super::{Ctx, HangUp, Then, Timer, Verbs, Walk};
use crate::world::network::Answer;

/// The timer that runs while the call is inside.
#[derive(Debug)]
pub(super) struct Held(Timer);

impl Verbs for Held {
    type Plan = Span;
    /// The lane of its timers, which all take equally long.
    type Memory = Option<Lane>;

    const IS_COMMON: bool = true;

    fn fresh(_: &Span) -> Option<Lane> {
        None
    }

    fn start(lane: &mut Option<Lane>, after: &Span, ctx: &mut Ctx) {
        *lane = Some(ctx.lane(*after));
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let lane = at.own::<Held>().memory.expect("opened when the run began");
        Then::Down(Held(at.set_timer(|ctx, event| ctx.schedule_on(lane, event))).into())
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        self.0.cancel(at.ctx);
        Then::Up(answer)
    }

    fn timer(self, number: u32, at: &mut Walk<'_>) -> Then {
        if self.0.number != number {
            return Then::Stays(self.into());
        }
        at.the_call_mut().in_doubt = true;
        Then::Up(Answer::bare(Ending::TimedOut))
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        self.0.cancel(at.ctx);
        None
    }
}

#[cfg(test)]
mod tests {
    use sim_policies::Reason;

    use super::super::bench::Bench;
    use super::super::bulkhead::tests::one_at_a_time;
    use super::*;
    use crate::plan::LayerPlan;

    #[test]
    fn a_timeout_hangs_up_and_gives_back_what_is_inside() {
        let mut bench = Bench::new(vec![LayerPlan::Timeout(Span::millis(50)), one_at_a_time(0)]);
        bench.call();
        bench.call();
        let full = Ending::Rejected(Reason::BulkheadFull { limit: 1 });
        assert_eq!(bench.ended(), [(0, full)]);
        bench.until(50);
        assert_eq!(bench.hung_up(), 1);
        assert_eq!(bench.ended()[1..], [(50, Ending::TimedOut)]);
        bench.call();
        assert_eq!(bench.sent(), 2, "the permit is free again");
    }

    #[test]
    fn an_answer_in_time_calls_the_timeout_off() {
        let mut bench = Bench::new(vec![LayerPlan::Timeout(Span::millis(50))]);
        bench.call();
        bench.until(20);
        bench.answer(0, 200);
        bench.until(100);
        assert_eq!(bench.ended(), [(20, Ending::Status(200))]);
        assert_eq!(bench.hung_up(), 0);
    }
}
