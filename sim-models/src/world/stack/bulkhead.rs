//! A bulkhead: bounds the calls in flight, and may let others queue.

use sim_core::Time;
use sim_policies::Reason;
use sim_policies::bulkhead::{Bulkhead, BulkheadConfig, BulkheadPermit, Entry, Place};

use super::{HangUp, Layer, Say, Then, Timer, Verbs, Walk, Woken, checked, nothing_comes_up};
use crate::log::Wait;
use crate::metrics::Amount;
use crate::outcome::Quantity;
use crate::pool::Id;
use crate::world::network::Answer;

/// What a call has of its bulkhead.
#[derive(Debug)]
pub(super) enum Held {
    Inside(BulkheadPermit),
    /// Has got a permit, and goes on in this event.
    Granted(BulkheadPermit),
    Queued {
        place: Place,
        since: Time,
        timer: Option<Timer>,
    },
}

impl Verbs for Held {
    type Plan = BulkheadConfig;
    type Memory = Bulkhead;

    fn fresh(plan: &BulkheadConfig) -> Bulkhead {
        checked(Bulkhead::new(plan))
    }

    fn levels(bulkhead: &mut Bulkhead, _now: Time, say: Say<'_>) {
        say(Quantity::InUse, Amount::of(bulkhead.in_use()));
        say(Quantity::Waiting, Amount::of(bulkhead.queued()));
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let (now, token) = (at.ctx.now(), at.call.word());
        let bulkhead = at.own::<Held>().memory;
        match bulkhead.enter(now, token) {
            Entry::Admitted(permit) => Then::Down(Held::Inside(permit).into()),
            Entry::Refused(reason) => Then::Refused(reason),
            Entry::Queued(place) => {
                let timer = bulkhead.longest_wait().map(|wait| at.timer_after(wait));
                at.note_wait(Wait::Permit, None);
                Then::Stays(Held::Queued { place, since: now, timer }.into())
            }
        }
    }

    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let Held::Inside(permit) = self else { nothing_comes_up() };
        settle(permit, at);
        Then::Up(answer)
    }

    /// The longest wait for a permit is over.
    fn timer(self, number: u32, at: &mut Walk<'_>) -> Then {
        match self {
            Held::Queued { place, since, timer: Some(timer) } if timer.number == number => {
                at.own::<Held>().memory.leave(place);
                Then::Refused(Reason::BulkheadWaitOver { wait: at.ctx.now().since(since) })
            }
            held => Then::Stays(held.into()),
        }
    }

    fn woken(self, _: &mut Walk<'_>) -> Then {
        match self {
            Held::Granted(permit) => Then::Down(Held::Inside(permit).into()),
            held => Then::Stays(held.into()),
        }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        match self {
            Held::Inside(permit) | Held::Granted(permit) => settle(permit, at),
            Held::Queued { place, timer, .. } => {
                if let Some(timer) = timer {
                    timer.cancel(at.ctx);
                }
                at.own::<Held>().memory.leave(place);
            }
        }
        None
    }
}

/// Gives a permit back; the next call in the queue has it then.
fn settle(permit: BulkheadPermit, at: &mut Walk<'_>) {
    let own = at.own::<Held>();
    let Some((token, permit)) = own.memory.settle(permit, own.ctx.now()) else { return };
    let call = Id::from_word(token);
    let granted = Held::Granted(permit).into();
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

    use super::super::bench::{Bench, CALLER};
    use super::*;
    use crate::plan::{ActorId, LayerPlan};

    /// One call in flight; others may queue for 30 ms.
    pub(in super::super) fn one_at_a_time(queue: u32) -> LayerPlan {
        let wait = Some(Span::millis(30));
        let config = semaphore::Config { limit: 1, queue, wait };
        LayerPlan::Bulkhead(BulkheadConfig::Semaphore(config))
    }

    fn bench() -> Bench {
        Bench::new(vec![one_at_a_time(5)])
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
        bench.crash(ActorId(1), None);
        bench.call();
        assert_eq!(bench.sent(), 1);
        bench.crash(CALLER, None);
        bench.call();
        assert_eq!(bench.sent(), 2);
    }

    #[test]
    fn each_instance_has_its_own_and_a_crash_renews_that_of_one() {
        let mut bench = bench();
        for instance in [0, 1, 2, 1] {
            bench.call_of(instance);
        }
        assert_eq!(bench.sent(), 3, "the second of instance 1 queues");
        bench.crash(CALLER, Some(2));
        bench.call_of(2);
        bench.call_of(0);
        assert_eq!(bench.sent(), 4, "instance 2 has forgotten, and instance 0 has not");
    }
}
