//! A retry: a failed attempt is followed by another, after a wait.

use sim_core::{Draw, Span};
use sim_policies::aws::ClientRateLimiter;
use sim_policies::budget::{RetryBudget, Ticket};
use sim_policies::{Decision, Fate, Reason, RetryState};

use super::kept::Memory;
use super::{HangUp, Then, Timer, Verbs, Walk, checked};
use crate::invariant::Seen;
use crate::log::{Note, Wait};
use crate::plan::{Owned, Plan, RetryId, RetryPlan};
use crate::world::network::Answer;

/// How far the series of a call's attempts has come.
#[derive(Debug)]
pub(super) struct Held {
    id: RetryId,
    state: RetryState,
    ticket: Ticket,
    waits: Waits,
}

/// What a retry waits for.
#[derive(Clone, Copy, Debug)]
enum Waits {
    Nothing,
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
}

impl Memory for Remembered {
    type Id = RetryId;
    type Plan = RetryPlan;

    fn table(plan: &Plan) -> &[Owned<RetryPlan>] {
        &plan.retries
    }

    fn new(plan: &RetryPlan) -> Remembered {
        Remembered {
            budget: plan.budget.as_ref().map(|config| checked(RetryBudget::new(config))),
            pacer: plan.pacer.as_ref().map(|_| ClientRateLimiter::new()),
        }
    }
}

impl Verbs for Held {
    type Plan = RetryId;

    fn enter(id: RetryId, at: &mut Walk<'_>) -> Then {
        let now = at.ctx.now();
        let budget = &mut at.stack.kept.retries[id].budget;
        let ticket = budget.as_mut().map_or_else(Ticket::default, |budget| budget.begin(now));
        let state = at.shared.plan.retries[id.index()].retry.start(now);
        Held { id, state, ticket, waits: Waits::Nothing }.attempt(at)
    }

    fn leave(mut self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let (now, ending) = (at.ctx.now(), answer.ending);
        let plan = &at.shared.plan.retries[self.id.index()];
        let shared = &mut at.stack.kept.retries[self.id];
        if let Some(budget) = &mut shared.budget {
            budget.attempt_ended(&mut self.ticket, now, ending);
        }
        if let (Some(pacer), Some(config)) = (&mut shared.pacer, &plan.pacer) {
            pacer.responded(now, config.is_throttle(ending));
        }
        if !ending.is_success() {
            let next = self.next_attempt(answer, at);
            let (intent, pair) = at.whose();
            match next {
                Ok((attempt, after)) => {
                    self.waits = Waits::Backoff(at.timer_after(after));
                    at.shared.show(Seen::Retry { pair, intent, attempt, wait: after }, at.ctx);
                    at.shared.note(Note::Retry { intent, pair, attempt, after, ending }, at.ctx);
                    return Then::Stays(self.into());
                }
                Err(reason) => {
                    at.shared.metrics.gave_up(pair, reason);
                    at.shared.note(Note::GaveUp { intent, pair, reason, ending }, at.ctx);
                }
            }
        }
        if let Some(budget) = &mut at.stack.kept.retries[self.id].budget {
            budget.end(self.ticket, now, ending.is_success());
        }
        Then::Up(answer)
    }

    fn timer(mut self, number: u32, at: &mut Walk<'_>) -> Then {
        match self.waits {
            Waits::Backoff(timer) if timer.number == number => self.attempt(at),
            Waits::Turn(timer) if timer.number == number => {
                self.waits = Waits::Nothing;
                Then::Down(self.into())
            }
            _ => Then::Stays(self.into()),
        }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        if let Waits::Backoff(timer) | Waits::Turn(timer) = self.waits {
            timer.cancel(at.ctx);
        }
        if let Some(budget) = &mut at.stack.kept.retries[self.id].budget {
            budget.end(self.ticket, at.ctx.now(), false);
        }
        None
    }
}

impl Held {
    /// Lets the call go down, or wait first for the turn that the client's own rate limit gives.
    fn attempt(mut self, at: &mut Walk<'_>) -> Then {
        let pacer = &mut at.stack.kept.retries[self.id].pacer;
        match pacer.as_mut().map(|pacer| pacer.acquire(at.ctx.now())) {
            None | Some(Span::ZERO) => {
                self.waits = Waits::Nothing;
                Then::Down(self.into())
            }
            Some(wait) => {
                at.note_wait(Wait::Pace, Some(wait));
                self.waits = Waits::Turn(at.timer_after(wait));
                Then::Stays(self.into())
            }
        }
    }

    /// Whether a failed attempt is followed by another: its number and the wait before it.
    fn next_attempt(&mut self, answer: Answer, at: &mut Walk<'_>) -> Result<(u32, Span), Reason> {
        let now = at.ctx.now();
        let draw = at.shared.luck.jitter.at(at.draw_index()).next_u64();
        let plan = &at.shared.plan.retries[self.id.index()];
        let Answer { ending, advice, .. } = answer;
        let (attempt, after) = match plan.retry.decide(&mut self.state, now, ending, advice, draw) {
            Decision::Again { after, attempt } => (attempt, after),
            Decision::GiveUp(reason) => return Err(reason),
        };
        let call = &at.stack.calls[at.call];
        let site = &at.shared.plan.sites[call.site.index()];
        if (call.in_doubt || ending.fate() == Fate::Unknown) && !site.repeatable {
            if !plan.even_if_unsafe {
                return Err(Reason::NotIdempotent);
            }
            at.shared.metrics.unsafe_retry(site.pair);
        }
        if let Some(deadline) = call.deadline
            && now + after >= deadline
        {
            return Err(Reason::DeadlinePassed { deadline });
        }
        if let Some(budget) = &mut at.stack.kept.retries[self.id].budget {
            budget.withdraw(&mut self.ticket, now, ending)?;
        }
        Ok((attempt, after))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use sim_core::Span;
    use sim_policies::retry::HouseConfig;
    use sim_policies::{Ending, Growth, Retry, RetryConfig};

    use super::super::bench::{Bench, own};
    use super::*;
    use crate::plan::LayerPlan;

    /// Three attempts, 100 ms apart.
    pub(in super::super) fn thrice() -> Vec<Owned<RetryPlan>> {
        let backoff = Growth::Constant(Span::millis(100));
        let house = HouseConfig { attempts: 3, backoff, ..HouseConfig::default() };
        let retry = Retry::new(&RetryConfig::House(house)).unwrap();
        own(RetryPlan { retry, budget: None, pacer: None, even_if_unsafe: false })
    }

    #[test]
    fn a_retry_waits_and_goes_down_again() {
        let plan = Plan { retries: thrice(), ..Plan::default() };
        let mut bench = Bench::new(vec![LayerPlan::Retry(RetryId(0))], plan);
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
        let plan = Plan { retries: thrice(), ..Plan::default() };
        let mut bench = Bench::new(vec![LayerPlan::Retry(RetryId(0))], plan);
        bench.call();
        bench.answer(0, 503);
        bench.until(100);
        bench.answer(0, 200);
        assert!(bench.ended().is_empty());
    }
}
