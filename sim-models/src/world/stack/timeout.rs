//! A timeout: the caller stops waiting, and lets go of what is inside.
//!
//! A timeout that does not cancel works as a library over a thread or a promise that nobody can
//! stop. What is inside is then a call of its own, a child. At the timeout the caller goes on, and
//! the child is left behind: it retries, holds its permits, and ends on its own.

use sim_core::Lane;
use sim_policies::Ending;

use super::{Ctx, HangUp, Own, Then, Timer, Verbs, Walk, nothing_comes_up};
use crate::plan::TimeoutPlan;
use crate::world::ids::CallId;
use crate::world::network::Answer;

/// The timer that runs while the call is inside.
#[derive(Debug)]
pub(super) struct Held {
    timer: Timer,
    /// What is inside, when the timeout does not cancel it.
    child: Option<CallId>,
}

impl Verbs for Held {
    type Plan = TimeoutPlan;
    /// The lane of its timers, which all take equally long.
    type Memory = Option<Lane>;

    const IS_COMMON: bool = true;

    fn fresh(_: &TimeoutPlan) -> Option<Lane> {
        None
    }

    fn start(lane: &mut Option<Lane>, plan: &TimeoutPlan, ctx: &mut Ctx) {
        *lane = Some(ctx.lane(plan.after));
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let Own { plan, memory: lane, .. } = at.own::<Held>();
        let (lane, cancels) = (lane.expect("opened when the run began"), plan.cancels);
        let until = at.ctx.now() + lane.delay();
        let timer = at.set_timer(until, |ctx, event| ctx.schedule_on(lane, event));
        if cancels {
            return Then::Down(Held { timer, child: None }.into());
        }
        let child = at.new_part();
        Then::Asks(Held { timer, child: Some(child) }.into(), child)
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        if self.child.is_some() {
            nothing_comes_up()
        }
        self.timer.cancel(at.ctx);
        Then::Up(answer)
    }

    fn timer(self, number: u32, at: &mut Walk<'_>) -> Then {
        if self.timer.number != number {
            return Then::Stays(self.into());
        }
        at.the_call_mut().in_doubt = true;
        if let Some(child) = self.child {
            at.leave_behind(child);
        }
        Then::Up(Answer::bare(Ending::TimedOut))
    }

    fn child_ended(self, child: CallId, answer: Answer, at: &mut Walk<'_>) -> Then {
        self.timer.cancel(at.ctx);
        at.stack.calls.free(child);
        at.the_call_mut().in_doubt |= answer.in_doubt;
        Then::Up(answer)
    }

    /// What cannot be cancelled from here cannot be from outside either.
    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        self.timer.cancel(at.ctx);
        if let Some(child) = self.child {
            at.leave_behind(child);
        }
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    use sim_core::Span;
    use sim_policies::Reason;

    use super::super::bench::Bench;
    use super::super::bulkhead::tests::one_at_a_time;
    use super::super::retry::tests::thrice;
    use super::*;
    use crate::plan::LayerPlan;

    pub(in super::super) fn timeout_after(millis: u64) -> LayerPlan {
        LayerPlan::Timeout(TimeoutPlan { after: Span::millis(millis), cancels: true })
    }

    fn without_cancelling(millis: u64) -> LayerPlan {
        LayerPlan::Timeout(TimeoutPlan { after: Span::millis(millis), cancels: false })
    }

    #[test]
    fn a_timeout_hangs_up_and_gives_back_what_is_inside() {
        let mut bench = Bench::new(vec![timeout_after(50), one_at_a_time(0)]);
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
        for timeout in [timeout_after(50), without_cancelling(50)] {
            let mut bench = Bench::new(vec![timeout]);
            bench.call();
            bench.until(20);
            bench.answer(0, 200);
            bench.until(100);
            assert_eq!(bench.ended(), [(20, Ending::Status(200))]);
            assert_eq!(bench.hung_up(), 0);
        }
    }

    #[test]
    fn what_is_not_cancelled_retries_and_holds_its_permit_until_it_ends() {
        let mut bench = Bench::new(vec![without_cancelling(50), one_at_a_time(0), thrice()]);
        bench.call();
        bench.until(60);
        assert_eq!(bench.ended(), [(50, Ending::TimedOut)]);
        assert_eq!(bench.hung_up(), 0);
        bench.call();
        assert_eq!(bench.sent(), 1, "the permit is not free");
        bench.answer(0, 503);
        bench.until(200);
        assert_eq!(bench.sent(), 2, "it has waited, and tries again");
        bench.answer(1, 200);
        let own = (200, Ending::Status(200));
        assert_eq!(bench.ended()[2..], [own], "which the task that it was given hears of");
        bench.call();
        assert_eq!(bench.sent(), 3);
    }

    #[test]
    fn an_outer_timeout_cannot_cancel_it_either() {
        let layers = vec![timeout_after(30), without_cancelling(50), one_at_a_time(0)];
        let mut bench = Bench::new(layers);
        bench.call();
        bench.until(40);
        assert_eq!(bench.ended(), [(30, Ending::TimedOut)]);
        assert_eq!(bench.hung_up(), 0);
        bench.call();
        assert_eq!(bench.sent(), 1, "the permit is not free");
    }
}
