//! A bulkhead: bounds the calls in flight, and may let others queue.

use sim_core::Time;
use sim_policies::Reason;
pub(super) use sim_policies::bulkhead::Bulkhead as Remembered;
use sim_policies::bulkhead::{BulkheadConfig, BulkheadPermit, Entry, Place};

use super::kept::Memory;
use super::{HangUp, Layer, Then, Timer, Verbs, Walk, Woken, checked, nothing_comes_up};
use crate::log::Wait;
use crate::plan::{BulkheadId, Owned, Plan};
use crate::pool::Id;
use crate::world::network::Answer;

/// What a call has of its bulkhead.
#[derive(Debug)]
pub(super) enum Held {
    Inside(BulkheadId, BulkheadPermit),
    /// Has got a permit, and goes on in this event.
    Granted(BulkheadId, BulkheadPermit),
    Queued {
        id: BulkheadId,
        place: Place,
        since: Time,
        timer: Option<Timer>,
    },
}

impl Memory for Remembered {
    type Id = BulkheadId;
    type Plan = BulkheadConfig;

    fn table(plan: &Plan) -> &[Owned<BulkheadConfig>] {
        &plan.bulkheads
    }

    fn new(plan: &BulkheadConfig) -> Remembered {
        checked(Remembered::new(plan))
    }
}

impl Verbs for Held {
    type Plan = BulkheadId;

    fn enter(id: BulkheadId, at: &mut Walk<'_>) -> Then {
        let (now, token) = (at.ctx.now(), at.call.word());
        let bulkhead = &mut at.stack.kept.bulkheads[id];
        match bulkhead.enter(now, token) {
            Entry::Admitted(permit) => Then::Down(Held::Inside(id, permit).into()),
            Entry::Refused(reason) => Then::Refused(reason),
            Entry::Queued(place) => {
                let timer = bulkhead.longest_wait().map(|wait| at.timer_after(wait));
                at.note_wait(Wait::Permit, None);
                Then::Stays(Held::Queued { id, place, since: now, timer }.into())
            }
        }
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let Held::Inside(id, permit) = self else { nothing_comes_up() };
        settle(id, permit, at);
        Then::Up(answer)
    }

    /// The longest wait for a permit is over.
    fn timer(self, number: u32, at: &mut Walk<'_>) -> Then {
        match self {
            Held::Queued { id, place, since, timer: Some(timer) } if timer.number == number => {
                at.stack.kept.bulkheads[id].leave(place);
                Then::Refused(Reason::BulkheadWaitOver { wait: at.ctx.now().since(since) })
            }
            held => Then::Stays(held.into()),
        }
    }

    fn woken(self, _: &mut Walk<'_>) -> Then {
        match self {
            Held::Granted(id, permit) => Then::Down(Held::Inside(id, permit).into()),
            held => Then::Stays(held.into()),
        }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        match self {
            Held::Inside(id, permit) | Held::Granted(id, permit) => settle(id, permit, at),
            Held::Queued { id, place, timer, .. } => {
                if let Some(timer) = timer {
                    timer.cancel(at.ctx);
                }
                at.stack.kept.bulkheads[id].leave(place);
            }
        }
        None
    }
}

/// Gives a permit back; the next call in the queue has it then.
fn settle(id: BulkheadId, permit: BulkheadPermit, at: &mut Walk<'_>) {
    let next = at.stack.kept.bulkheads[id].settle(permit, at.ctx.now());
    let Some((token, permit)) = next else { return };
    let call = Id::from_word(token);
    let granted = Held::Granted(id, permit).into();
    let held = std::mem::replace(&mut at.stack.calls[call].layers[at.n], granted);
    if let Layer::Bulkhead(Held::Queued { timer: Some(timer), .. }) = held {
        timer.cancel(at.ctx);
    }
    at.stack.woken.push_back(Woken { call, layer: at.n as u8 });
}

#[cfg(test)]
pub(super) mod tests {
    use sim_core::Span;
    use sim_policies::Ending;
    use sim_policies::bulkhead::semaphore;

    use super::super::bench::{Bench, CALLER, own};
    use super::*;
    use crate::plan::{ActorId, LayerPlan};

    /// One call in flight; others may queue for 30 ms.
    pub(in super::super) fn one_at_a_time(queue: u32) -> Vec<Owned<BulkheadConfig>> {
        let wait = Some(Span::millis(30));
        own(BulkheadConfig::Semaphore(semaphore::Config { limit: 1, queue, wait }))
    }

    fn bench() -> Bench {
        let plan = Plan { bulkheads: one_at_a_time(5), ..Plan::default() };
        Bench::new(vec![LayerPlan::Bulkhead(BulkheadId(0))], plan)
    }

    #[test]
    fn a_queued_call_goes_on_with_the_permit_that_another_gives_back() {
        let mut bench = bench();
        bench.call();
        bench.call();
        assert_eq!(bench.sent(), 1);
        bench.until(10);
        bench.answer(0, 200);
        assert_eq!(bench.sent(), 2);
        bench.until(100);
        bench.answer(1, 200);
        let ok = Ending::Status(200);
        assert_eq!(bench.ended(), [(10, ok), (100, ok)], "the wait was called off");
    }

    #[test]
    fn a_queued_call_gives_its_place_up_when_the_wait_is_over() {
        let mut bench = bench();
        bench.call();
        bench.call();
        bench.until(40);
        let over = Reason::BulkheadWaitOver { wait: Span::millis(30) };
        assert_eq!(bench.ended(), [(30, Ending::Rejected(over))]);
        bench.answer(0, 200);
        assert_eq!(bench.sent(), 1, "nobody is in the queue");
    }

    #[test]
    fn a_crash_renews_only_its_owners() {
        let mut bench = bench();
        bench.call();
        bench.crash(ActorId(1));
        bench.call();
        assert_eq!(bench.sent(), 1);
        bench.crash(CALLER);
        bench.call();
        assert_eq!(bench.sent(), 2);
    }
}
