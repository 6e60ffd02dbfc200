//! A policy written in Rust.

use sim_core::{Span, mix};
use sim_policies::{Ending, Fate, Reason};

use super::{HangUp, Own, Then, Timer, Verbs, Walk, Woken};
use crate::custom::{self, CallId, CustomPolicy, Passage, PolicyDesk, Reply, Turn};
use crate::log::Note;
use crate::outcome::RunLimit;
use crate::plan::CustomPolicyPlan;
use crate::pool::Id;
use crate::world::network::Answer;

/// Where a call is, and the timer that its policy has set.
#[derive(Debug)]
pub(super) struct Held {
    at: Place,
    timer: Option<Timer>,
}

#[derive(Debug)]
enum Place {
    /// Waits in this layer, with the answer that it has come out with, if it has.
    Here(Option<Answer>),
    /// In the layers inside, or sent.
    Inside,
}

/// Which verb draws: equal calls draw anew in each.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Enter = 1,
    Leave,
    Timer,
    Woken,
    LetGo,
}

impl Verbs for Held {
    type Plan = CustomPolicyPlan;
    type Memory = Box<dyn CustomPolicy>;

    fn fresh(plan: &CustomPolicyPlan) -> Box<dyn CustomPolicy> {
        (plan.make)(&plan.config).expect("equal settings make equal policies")
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let held = Held { at: Place::Here(None), timer: None };
        held.turn(Verb::Enter, at, |policy, call, desk| policy.enter(call, desk))
    }

    fn leave(mut self, answer: Answer, at: &mut Walk<'_>) -> Then {
        self.at = Place::Here(Some(answer));
        let reply = Reply { ending: answer.ending, advice: answer.advice };
        self.turn(Verb::Leave, at, |policy, call, desk| policy.leave(call, reply, desk))
    }

    fn timer(mut self, number: u32, at: &mut Walk<'_>) -> Then {
        if self.timer.is_none_or(|timer| timer.number != number) {
            return Then::Stays(self.into());
        }
        self.timer = None;
        self.turn(Verb::Timer, at, |policy, call, desk| policy.timer(call, desk))
    }

    fn woken(self, at: &mut Walk<'_>) -> Then {
        if let Place::Inside = self.at {
            return Then::Stays(self.into());
        }
        self.turn(Verb::Woken, at, |policy, call, desk| policy.woken(call, desk))
    }

    fn let_go(mut self, at: &mut Walk<'_>) -> Option<HangUp> {
        self.act(Verb::LetGo, at, |policy, call, desk| policy.let_go(call, desk));
        self.stop_timer(at);
        None
    }
}

impl Held {
    /// Asks the policy, and does what it decides.
    fn turn(
        mut self,
        verb: Verb,
        at: &mut Walk<'_>,
        ask: impl FnOnce(&mut dyn CustomPolicy, Passage, &mut PolicyDesk<'_>) -> Turn,
    ) -> Then {
        let turn = self.act(verb, at, ask);
        let answer = match (turn, &self.at) {
            (Turn::Stays, _) | (Turn::Inwards, Place::Inside) => return Then::Stays(self.into()),
            (Turn::Inwards, Place::Here(_)) => {
                self.at = Place::Inside;
                return Then::Down(self.into());
            }
            (Turn::Outwards, Place::Here(Some(answer))) => *answer,
            (Turn::Outwards, _) => return self.refuse("refused", at),
            (Turn::Refuses(name), _) => return self.refuse(name, at),
            (Turn::Ends(ending), _) => self.instead(ending, at),
        };
        self.up(answer, at)
    }

    /// An ending in place of what came out, or may still come: the work may be done all the same.
    fn instead(&self, ending: Ending, at: &mut Walk<'_>) -> Answer {
        if let Ending::Status(status) = ending
            && let Some(does) = custom::not_a_status(status)
        {
            let policy = &at.stack.plan.stacks[at.the_call().stack.index()].name;
            let what = format!("a policy of {policy} {does}");
            at.shared.run_away(RunLimit::Mistaken { what }, at.ctx);
        }
        let may_be_done = match &self.at {
            Place::Here(None) => false,
            Place::Here(Some(answer)) => answer.fate() != Fate::Failed,
            Place::Inside => true,
        };
        at.the_call_mut().in_doubt |= may_be_done;
        Answer::bare(ending)
    }

    fn refuse(self, name: &'static str, at: &mut Walk<'_>) -> Then {
        let reason = Reason::Custom(name);
        let ending = match &self.at {
            Place::Here(None) => {
                self.stop_timer(at);
                return Then::Refused(reason);
            }
            Place::Here(Some(answer)) => answer.ending,
            Place::Inside => Ending::TimedOut,
        };
        let (intent, pair) = at.whose();
        at.shared.metrics.gave_up(pair, reason);
        at.shared.note(Note::GaveUp { intent, pair, reason, ending }, at.ctx);
        let answer = self.instead(Ending::Rejected(reason), at);
        self.up(answer, at)
    }

    fn up(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        self.stop_timer(at);
        Then::Up(answer)
    }

    /// Lets the policy act, and carries its orders out.
    fn act<R>(
        &mut self,
        verb: Verb,
        at: &mut Walk<'_>,
        act: impl FnOnce(&mut dyn CustomPolicy, Passage, &mut PolicyDesk<'_>) -> R,
    ) -> R {
        let draws = at.shared.luck.policy.at(mix(at.draw_index(), verb as u64));
        let call = at.the_call();
        let site = &at.shared.plan.sites[call.site.index()];
        let passage = Passage {
            call: CallId::new(at.call.word()),
            attempts: call.sent,
            method: site.method,
            is_repeatable: site.repeatable,
            deadline: call.deadline,
        };
        let mut woken = Vec::new();
        let Own { memory, ctx, .. } = at.own::<Held>();
        let mut desk = PolicyDesk::new(ctx.now(), draws, &mut woken);
        let decision = act(memory.as_mut(), passage, &mut desk);
        let timer = desk.timer();
        let layer = at.n as u8;
        let woken = woken.into_iter().map(|call| Woken { call: Id::from_word(call.word()), layer });
        at.stack.woken.extend(woken);
        if let Some(after) = timer {
            self.stop_timer(at);
            self.timer = after.map(|after: Span| at.timer_after(after));
        }
        decision
    }

    fn stop_timer(&self, at: &mut Walk<'_>) {
        if let Some(timer) = self.timer {
            timer.cancel(at.ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use super::super::bench::{Bench, CALLER};
    use super::super::timeout::tests::timeout_after;
    use super::*;
    use crate::custom::MakePolicy;
    use crate::plan::LayerPlan;

    fn layer(make: MakePolicy) -> LayerPlan {
        LayerPlan::Custom(CustomPolicyPlan { make, config: BTreeMap::new() })
    }

    fn one_at_a_time() -> LayerPlan {
        layer(|_| Ok(Box::<OneAtATime>::default()))
    }

    fn again() -> LayerPlan {
        layer(|_| Ok(Box::new(Again)))
    }

    /// One call in flight; the others queue.
    #[derive(Debug, Default)]
    struct OneAtATime {
        inside: Option<CallId>,
        queue: VecDeque<CallId>,
    }

    impl OneAtATime {
        fn free(&mut self, call: CallId, desk: &mut PolicyDesk<'_>) {
            self.queue.retain(|queued| *queued != call);
            if self.inside == Some(call) {
                self.inside = self.queue.pop_front();
                if let Some(next) = self.inside {
                    desk.wake(next);
                }
            }
        }
    }

    impl CustomPolicy for OneAtATime {
        fn enter(&mut self, Passage { call, .. }: Passage, _: &mut PolicyDesk<'_>) -> Turn {
            if self.inside.is_none() {
                self.inside = Some(call);
                return Turn::Inwards;
            }
            self.queue.push_back(call);
            Turn::Stays
        }

        fn leave(&mut self, passage: Passage, _: Reply, desk: &mut PolicyDesk<'_>) -> Turn {
            self.free(passage.call, desk);
            Turn::Outwards
        }

        fn let_go(&mut self, passage: Passage, desk: &mut PolicyDesk<'_>) {
            self.free(passage.call, desk);
        }
    }

    /// Waits 10 ms after a failure, and tries again; 50 ms after a success it has had enough.
    #[derive(Debug)]
    struct Again;

    impl CustomPolicy for Again {
        fn enter(&mut self, _: Passage, desk: &mut PolicyDesk<'_>) -> Turn {
            desk.set_timer(Span::millis(50));
            Turn::Inwards
        }

        fn leave(&mut self, _: Passage, reply: Reply, desk: &mut PolicyDesk<'_>) -> Turn {
            if reply.ending.is_success() {
                return Turn::Outwards;
            }
            desk.set_timer(Span::millis(10));
            Turn::Stays
        }

        fn timer(&mut self, passage: Passage, desk: &mut PolicyDesk<'_>) -> Turn {
            match passage.attempts {
                1 if desk.now().as_nanos() < 50_000_000 => Turn::Inwards,
                1 => Turn::Ends(Ending::TimedOut),
                _ => Turn::Outwards,
            }
        }
    }

    #[test]
    fn a_call_waits_until_another_wakes_it() {
        let mut bench = Bench::new(vec![one_at_a_time()]);
        bench.call();
        bench.call();
        assert_eq!(bench.sent(), 1);
        bench.until(10);
        bench.answer(0, 200);
        assert_eq!(bench.sent(), 2);
        bench.answer(1, 500);
        assert_eq!(bench.ended(), [(10, Ending::Status(200)), (10, Ending::Status(500))]);
    }

    #[test]
    fn an_outer_timeout_gives_back_what_a_call_holds_or_waits_for() {
        let timeout = timeout_after(20);
        let mut bench = Bench::new(vec![timeout, one_at_a_time()]);
        bench.call();
        bench.call();
        bench.until(20);
        assert_eq!((bench.sent(), bench.hung_up()), (2, 2), "the second got in, and went too");
        bench.call();
        assert_eq!(bench.sent(), 3);
    }

    #[test]
    fn a_restarted_caller_has_a_policy_that_remembers_nothing() {
        let mut bench = Bench::new(vec![one_at_a_time()]);
        bench.call();
        bench.crash(CALLER, None);
        bench.call();
        assert_eq!(bench.sent(), 2);
    }

    #[test]
    fn a_call_that_has_come_out_goes_in_again_or_goes_on_with_its_answer() {
        let mut bench = Bench::new(vec![again()]);
        bench.call();
        bench.answer(0, 503);
        bench.until(9);
        assert_eq!(bench.sent(), 1);
        bench.until(10);
        assert_eq!(bench.sent(), 2);
        bench.answer(1, 500);
        bench.until(100);
        assert_eq!(bench.ended(), [(20, Ending::Status(500))], "its own timer was replaced");
    }

    #[test]
    fn an_ending_of_its_own_hangs_up() {
        let mut bench = Bench::new(vec![again()]);
        bench.call();
        bench.until(100);
        assert_eq!(bench.ended(), [(50, Ending::TimedOut)]);
        assert_eq!(bench.hung_up(), 1);
        bench.answer(0, 200);
        assert_eq!(bench.ended().len(), 1);
    }
}
