//! A deadline: a timeout that everybody who works for the call knows of.

use sim_core::{Span, Time};
use sim_policies::Ending;

use super::{HangUp, Then, Timer, Verbs, Walk};
use crate::world::network::Answer;

/// The timer that runs while the call is inside.
#[derive(Debug)]
pub(super) struct Held {
    timer: Timer,
    /// The deadline outside of this layer.
    outer: Option<Time>,
}

impl Verbs for Held {
    type Plan = Span;
    type Memory = ();

    fn fresh(_: &Span) {}

    fn enter(at: &mut Walk<'_>) -> Then {
        let own = at.ctx.now() + *at.own::<Held>().plan;
        let outer = at.the_call().deadline;
        let deadline = outer.map_or(own, |outer| outer.min(own));
        at.the_call_mut().deadline = Some(deadline);
        let timer = at.set_timer(deadline, |ctx, event| ctx.schedule_at(deadline, event));
        Then::Down(Held { timer, outer }.into())
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let _ = self.let_go(at);
        Then::Up(answer)
    }

    fn timer(self, number: u32, at: &mut Walk<'_>) -> Then {
        if self.timer.number != number {
            return Then::Stays(self.into());
        }
        let call = at.the_call_mut();
        (call.deadline, call.in_doubt) = (self.outer, true);
        Then::Up(Answer::bare(Ending::TimedOut))
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        self.timer.cancel(at.ctx);
        at.the_call_mut().deadline = self.outer;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::bench::Bench;
    use super::super::retry::tests::thrice;
    use super::*;
    use crate::plan::LayerPlan;

    #[test]
    fn no_retry_begins_after_the_deadline() {
        let mut bench = Bench::new(vec![LayerPlan::Deadline(Span::millis(150)), thrice()]);
        bench.call();
        bench.answer(0, 503);
        bench.until(100);
        bench.answer(1, 503);
        assert_eq!(bench.ended(), [(100, Ending::Status(503))]);
    }

    #[test]
    fn of_deadlines_within_each_other_the_earliest_counts() {
        for nested in [vec![150], vec![150, 1_000], vec![1_000, 150], vec![900, 150, 500]] {
            let deadlines = nested.iter().map(|ms| LayerPlan::Deadline(Span::millis(*ms)));
            let mut bench = Bench::new(deadlines.chain([thrice()]).collect());
            bench.call();
            bench.answer(0, 503);
            bench.until(100);
            bench.answer(1, 503);
            assert_eq!(bench.ended(), [(100, Ending::Status(503))], "{nested:?}");
        }
    }
}
