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
