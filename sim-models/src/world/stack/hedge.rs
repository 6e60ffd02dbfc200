//! A hedge: sends further attempts before the first has ended. Each is a call of its own through
//! the layers inside.

use std::collections::VecDeque;

use sim_core::{Span, Time};
use sim_policies::hedge::{AllFailed, Hedge, Judgement};
use sim_policies::{Fate, Reason};

use super::{HangUp, Own, Then, Timer, Verbs, Walk, checked, nothing_comes_up};
use crate::log::Note;
use crate::plan::HedgePlan;
use crate::world::ids::CallId;
use crate::world::network::Answer;

/// The attempts that a hedge has under way.
#[derive(Debug)]
pub(super) struct Held(Box<Hedging>);

#[derive(Debug)]
struct Hedging {
    children: VecDeque<Child>,
    sent: u32,
    /// The latest is on its way down; when it waits, what follows it is decided.
    starting: bool,
    timer: Option<Timer>,
    /// How the first attempt ended, if it has.
    first: Option<Answer>,
}

/// An attempt of a hedge.
#[derive(Clone, Copy, Debug)]
struct Child {
    call: CallId,
    /// Its number, from 1.
    number: u32,
    since: Time,
}

impl Verbs for Held {
    type Plan = HedgePlan;
    type Memory = Hedge;

    fn fresh(plan: &HedgePlan) -> Hedge {
        checked(Hedge::new(&plan.hedge))
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let children = VecDeque::new();
        let hedging = Hedging { children, sent: 0, starting: false, timer: None, first: None };
        Held(Box::new(hedging)).send(at)
    }

    fn leave(self, _: Answer, _: &mut Walk<'_>) -> Then {
        nothing_comes_up()
    }

    fn timer(mut self, number: u32, at: &mut Walk<'_>) -> Then {
        if self.0.timer.is_none_or(|timer| timer.number != number) {
            return Then::Stays(self.into());
        }
        self.0.timer = None;
        self.send(at)
    }

    fn child_ended(mut self, child: CallId, mut answer: Answer, at: &mut Walk<'_>) -> Then {
        let hedging = &mut *self.0;
        let n = hedging.children.iter().position(|other| other.call == child);
        let child_of_it = n.and_then(|n| hedging.children.remove(n));
        let Child { number, since, .. } = child_of_it.expect("its own child");
        if number == 1 {
            hedging.first = Some(answer);
        }
        let others = hedging.children.len();
        at.stack.calls.free(child);
        at.the_call_mut().in_doubt |= answer.in_doubt || answer.ending.fate() == Fate::Unknown;
        let more = hedging.next(at).is_some();
        let Own { memory: policy, ctx, .. } = at.own::<Held>();
        if policy.learns_from(number, answer.ending) {
            policy.observe(ctx.now().since(since));
        }
        match policy.judge(answer.ending) {
            Judgement::SendNext if more => {
                if let Some(timer) = hedging.timer.take() {
                    timer.cancel(at.ctx);
                }
                return self.send(at);
            }
            Judgement::Wait if more || others > 0 => return self.started(at),
            Judgement::SendNext if others > 0 => return self.started(at),
            Judgement::SendNext | Judgement::Wait => {
                if let (AllFailed::First, Some(first)) = (policy.all_failed(), hedging.first) {
                    answer = first;
                }
            }
            Judgement::Wins | Judgement::Fatal => {}
        }
        // An attempt that is let go of may do its work all the same.
        answer.in_doubt |= others > 0;
        at.the_call_mut().in_doubt |= others > 0;
        at.hold(self.into());
        Then::Up(answer)
    }

    /// What follows the attempt that has just been started: a wait, or the next at once.
    fn started(mut self, at: &mut Walk<'_>) -> Then {
        if !std::mem::take(&mut self.0.starting) {
            return Then::Stays(self.into());
        }
        match self.0.next(at) {
            // The longest wait stands for one that only a failure ends.
            None | Some(Span::MAX) => Then::Stays(self.into()),
            Some(Span::ZERO) => self.send(at),
            Some(wait) => {
                self.0.timer = Some(at.timer_after(wait));
                Then::Stays(self.into())
            }
        }
    }

    fn let_go(mut self, at: &mut Walk<'_>) -> Option<HangUp> {
        if let Some(timer) = self.0.timer.take() {
            timer.cancel(at.ctx);
        }
        while let Some(child) = self.0.children.front().map(|child| child.call) {
            let hang_up = at.let_go(child, at.n + 1);
            if hang_up.is_some() {
                at.hold(self.into());
                return hang_up;
            }
            at.stack.calls.free(child);
            self.0.children.pop_front();
        }
        None
    }
}

impl Held {
    /// Starts the next attempt.
    fn send(mut self, at: &mut Walk<'_>) -> Then {
        let call = at.new_part();
        let hedging = &mut *self.0;
        hedging.sent += 1;
        hedging.starting = true;
        let attempt = hedging.sent;
        hedging.children.push_back(Child { call, number: attempt, since: at.ctx.now() });
        let withholds = hedging.withholds(at);
        let (intent, pair) = at.whose();
        if attempt == 1 && withholds {
            at.shared.metrics.gave_up(pair, Reason::HedgeWithheld);
        }
        if attempt > 1 {
            at.stack.calls[call].hedges = true;
            at.shared.note(Note::Hedges { intent, pair, attempt }, at.ctx);
        }
        Then::Asks(self.into(), call)
    }
}

impl Hedging {
    /// The wait before the next hedge; `None` when there is no further.
    fn next(&self, at: &mut Walk<'_>) -> Option<Span> {
        if self.withholds(at) {
            return None;
        }
        at.own::<Held>().memory.next(self.sent)
    }

    /// Whether the policy's guard keeps it from hedging a call that may do its work twice.
    fn withholds(&self, at: &mut Walk<'_>) -> bool {
        let is_repeatable = at.shared.plan.sites[at.the_call().site.index()].repeatable;
        let Own { plan, memory, .. } = at.own::<Held>();
        memory.is_guarded() && !is_repeatable && !plan.even_if_unsafe
    }
}

#[cfg(test)]
mod tests {
    use sim_policies::Ending;
    use sim_policies::hedge::{HedgeConfig, failsafe_go};

    use super::super::bench::Bench;
    use super::super::bulkhead::tests::one_at_a_time;
    use super::super::timeout::tests::timeout_after;
    use super::*;
    use crate::plan::LayerPlan;

    fn hedge(config: failsafe_go::Config) -> LayerPlan {
        let hedge = HedgeConfig::FailsafeGo(config);
        LayerPlan::Hedge(HedgePlan { hedge, even_if_unsafe: false })
    }

    fn bench(delay: Span, inside: Vec<LayerPlan>) -> Bench {
        let outer = hedge(failsafe_go::Config { delay, ..failsafe_go::Config::default() });
        Bench::new([outer].into_iter().chain(inside).collect())
    }

    #[test]
    fn the_first_answer_wins_and_the_other_attempt_is_hung_up() {
        let mut bench = bench(Span::millis(20), Vec::new());
        bench.call();
        bench.until(20);
        assert_eq!(bench.sent(), 2);
        bench.answer(1, 200);
        assert_eq!(bench.hung_up(), 1);
        assert_eq!(bench.ended(), [(20, Ending::Status(200))]);
        bench.answer(0, 200);
        assert_eq!(bench.ended().len(), 1, "nobody awaits the first any more");
    }

    #[test]
    fn an_outer_timeout_hangs_up_every_attempt() {
        let hedge = hedge(failsafe_go::Config::default());
        let mut bench = Bench::new(vec![timeout_after(1500), hedge]);
        bench.call();
        bench.until(2000);
        assert_eq!((bench.sent(), bench.hung_up()), (2, 2));
        assert_eq!(bench.ended(), [(1500, Ending::TimedOut)]);
    }

    #[test]
    fn a_winner_gives_back_what_the_other_attempt_holds_inside() {
        let mut bench = bench(Span::millis(20), vec![one_at_a_time(0)]);
        bench.call();
        bench.until(20);
        assert_eq!(bench.sent(), 1, "the second attempt finds the bulkhead full");
        assert_eq!(bench.hung_up(), 1);
        bench.call();
        assert_eq!(bench.sent(), 2);
    }
}
