//! A retry: a failed attempt is followed by another, after a wait.

use sim_core::{Draw, Span, Time};
use sim_policies::aws::ClientRateLimiter;
use sim_policies::budget::{RetryBudget, Ticket};
use sim_policies::{Decision, Ending, Failed, Fate, Reason, RetryState};

use super::{Call, HangUp, Own, Say, Then, Timer, Verbs, Walk, checked};
use crate::invariant::Seen;
use crate::log::{Note, Wait};
use crate::metrics::Amount;
use crate::outcome::{Quantity, ResourceEvent};
use crate::plan::{RetryPlan, Site};
use crate::world::network::Answer;

/// How far the series of a call's attempts has come.
#[derive(Debug)]
pub(super) struct Held {
    state: RetryState,
    ticket: Ticket,
    waits: Waits,
}

/// What a retry waits for.
#[derive(Clone, Copy, Debug)]
enum Waits {
    Nothing,
    /// The answer, for as long as the retry's own timeout says.
    Answer(Timer),
    /// The wait before the next attempt.
    Backoff(Timer),
    /// The turn that the client's own rate limit gives.
    Turn(Timer),
}

/// What all retries of the caller to the callee share.
#[derive(Debug)]
pub(super) struct Remembered {
    budget: Option<RetryBudget>,
    pacer: Option<ClientRateLimiter>,
    /// Waits begun so far; some libraries never forget.
    waits: u64,
}

impl Verbs for Held {
    type Plan = RetryPlan;
    type Memory = Remembered;

    const DRIFTS: bool = true;

    fn fresh(plan: &RetryPlan) -> Remembered {
        Remembered {
            budget: plan.budget.as_ref().map(|config| checked(RetryBudget::new(config))),
            pacer: plan.pacer.as_ref().map(|_| ClientRateLimiter::new()),
            waits: 0,
        }
    }

    fn levels(memory: &mut Remembered, now: Time, say: Say<'_>) {
        if let Some(left) = memory.budget.as_ref().and_then(|budget| budget.left(now)) {
            say(Quantity::Tokens, Amount::near(left));
        }
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let Own { plan, memory, ctx, .. } = at.own::<Held>();
        let budget = memory.budget.as_mut();
        let ticket = budget.map_or_else(Ticket::default, |budget| budget.begin(ctx.now()));
        let state = plan.retry.start(ctx.now());
        Held { state, ticket, waits: Waits::Nothing }.attempt(at)
    }

    fn leave(mut self, answer: Answer, at: &mut Walk<'_>) -> Then {
        if let Waits::Answer(timer) = self.waits {
            timer.cancel(at.ctx);
        }
        let (now, ending) = (at.ctx.now(), answer.ending);
        let Own { plan, memory, .. } = at.own::<Held>();
        if let Some(budget) = &mut memory.budget {
            budget.attempt_ended(&mut self.ticket, now, ending);
        }
        if let (Some(pacer), Some(config)) = (&mut memory.pacer, &plan.pacer) {
            pacer.responded(now, config.is_throttle(ending));
        }
        if !ending.is_success() {
            let next = self.next_attempt(answer, at);
            let (intent, pair) = at.whose();
            match next {
                Ok((attempt, after)) => {
                    self.waits = Waits::Backoff(at.timer_after(after));
                    at.shared
                        .show(Seen::Retry { pair, intent, attempt, wait: after, ending }, at.ctx);
                    at.shared.note(Note::Retry { intent, pair, attempt, after, ending }, at.ctx);
                    return Then::Stays(self.into());
                }
                Err(reason) => self.gives_up(reason, ending, at),
            }
        }
        if let Some(budget) = &mut at.own::<Held>().memory.budget {
            budget.end(self.ticket, now, ending.is_success());
        }
        Then::Up(answer)
    }

    fn timer(mut self, number: u32, at: &mut Walk<'_>) -> Then {
        match self.waits {
            Waits::Answer(timer) if timer.number == number => {
                self.waits = Waits::Nothing;
                at.the_call_mut().in_doubt = true;
                Then::Back(self.into(), Answer::bare(Ending::TimedOut))
            }
            Waits::Backoff(timer) if timer.number == number => {
                let Own { plan, ctx, .. } = at.own::<Held>();
                match plan.retry.before(&self.state, ctx.now()) {
                    Ok(()) => self.attempt(at),
                    Err(reason) => self.slept_in_vain(reason, at),
                }
            }
            Waits::Turn(timer) if timer.number == number => self.down(at),
            _ => Then::Stays(self.into()),
        }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        if let Waits::Answer(timer) | Waits::Backoff(timer) | Waits::Turn(timer) = self.waits {
            timer.cancel(at.ctx);
        }
        let Own { memory, ctx, .. } = at.own::<Held>();
        if let Some(budget) = &mut memory.budget {
            budget.end(self.ticket, ctx.now(), false);
        }
        None
    }
}

impl Held {
    /// Lets the call go down, or wait first for the turn that the client's own rate limit gives.
    fn attempt(mut self, at: &mut Walk<'_>) -> Then {
        let Own { memory, ctx, .. } = at.own::<Held>();
        match memory.pacer.as_mut().map(|pacer| pacer.acquire(ctx.now())) {
            None | Some(Span::ZERO) => self.down(at),
            Some(wait) => {
                at.note_wait(Wait::Pace, Some(wait));
                self.waits = Waits::Turn(at.timer_after(wait));
                Then::Stays(self.into())
            }
        }
    }

    /// Lets the call go down, under the retry's own timeout if it has one.
    fn down(mut self, at: &mut Walk<'_>) -> Then {
        let timeout = at.own::<Held>().plan.retry.timeout(&self.state);
        self.waits = timeout.map_or(Waits::Nothing, |after| Waits::Answer(at.timer_after(after)));
        Then::Down(self.into())
    }

    /// The wait is over and so is the library's own time: it raises a timeout.
    fn slept_in_vain(self, reason: Reason, at: &mut Walk<'_>) -> Then {
        let ending = Ending::TimedOut;
        self.gives_up(reason, ending, at);
        let Own { memory, ctx, .. } = at.own::<Held>();
        if let Some(budget) = &mut memory.budget {
            budget.end(self.ticket, ctx.now(), false);
        }
        Then::Up(Answer::bare(ending))
    }

    fn gives_up(&self, reason: Reason, ending: Ending, at: &mut Walk<'_>) {
        let (intent, pair) = at.whose();
        // A refusal was counted where a policy refused.
        if !matches!(ending, Ending::Rejected(_)) {
            at.shared.metrics.gave_up(pair, reason);
        }
        at.shared.note(Note::GaveUp { intent, pair, reason, ending }, at.ctx);
    }

    /// Whether a failed attempt is followed by another: its number and the wait before it.
    fn next_attempt(&mut self, answer: Answer, at: &mut Walk<'_>) -> Result<(u32, Span), Reason> {
        let now = at.ctx.now();
        let draw = at.shared.luck.jitter.at(at.draw_index()).next_u64();
        let Answer { ending, advice, .. } = answer;
        let Call { site, in_doubt, deadline, .. } = *at.the_call();
        let Site { method, has_key, repeatable, pair, .. } = at.shared.plan.sites[site.index()];
        let may_double = (in_doubt || ending.fate() == Fate::Unknown) && !repeatable;
        let Own { plan, memory, .. } = at.own::<Held>();
        let is_withheld = may_double && !plan.even_if_unsafe;
        let waits = memory.waits;
        let failed = Failed { ending, advice, method, has_key, may_double: is_withheld, waits };
        let (attempt, after) = match plan.retry.decide(&mut self.state, now, failed, draw) {
            Decision::Again { after, attempt } => (attempt, after),
            Decision::GiveUp(reason) => return Err(reason),
        };
        memory.waits += 1;
        if may_double {
            at.shared.metrics.unsafe_retry(pair);
        }
        if let Some(deadline) = deadline
            && now + after >= deadline
        {
            return Err(Reason::DeadlinePassed { deadline });
        }
        if let Some(budget) = &mut at.own::<Held>().memory.budget {
            let granted = budget.withdraw(&mut self.ticket, now, ending);
            let refused = granted.is_err();
            at.count(if refused { ResourceEvent::Refused } else { ResourceEvent::Granted });
            granted?;
        }
        Ok((attempt, after))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use sim_core::Span;
    use sim_policies::retry::HouseConfig;
    use sim_policies::{Ending, Growth, Retry, RetryConfig};

    use super::super::bench::Bench;
    use super::*;
    use crate::plan::LayerPlan;

    /// Three attempts, 100 ms apart.
    pub(in super::super) fn thrice() -> LayerPlan {
        let backoff = Growth::Constant(Span::millis(100));
        let house = HouseConfig { attempts: 3, backoff, ..HouseConfig::default() };
        let retry = Retry::new(&RetryConfig::House(house)).unwrap();
        let plan = RetryPlan { retry, budget: None, pacer: None, even_if_unsafe: false };
        LayerPlan::Retry(Box::new(plan))
    }

    #[test]
    fn a_retry_waits_and_goes_down_again() {
        let mut bench = Bench::new(vec![thrice()]);
        bench.call();
        bench.answer(0, 503);
        bench.until(99);
        assert_eq!(bench.sent(), 1);
        bench.until(100);
        assert_eq!(bench.sent(), 2);
        bench.answer(1, 200);
        assert_eq!(bench.ended(), [(100, Ending::Status(200))]);
    }

    #[test]
    fn an_answer_to_an_earlier_attempt_changes_nothing() {
        let mut bench = Bench::new(vec![thrice()]);
        bench.call();
        bench.answer(0, 503);
        bench.until(100);
        bench.answer(0, 200);
        assert!(bench.ended().is_empty());
    }
}
