//! Connections: a call takes one that is open, or waits until a new one is.

use sim_core::{Span, Time};
use sim_policies::Ending;
use sim_policies::connections::{Config, Connections};

use super::{HangUp, Memory, Say, Stack, Then, Timer, Verbs, Walk, nothing_comes_up};
use crate::metrics::Amount;
use crate::outcome::Quantity;
use crate::plan::{ActorId, StackPlan};
use crate::world::network::Answer;

/// What a call has of the connections.
#[derive(Debug)]
pub(super) enum Held {
    /// Waits until its connection is open.
    Connecting(Timer),
    Connected,
}

impl Verbs for Held {
    type Plan = Config;
    type Memory = Connections;

    const DRIFTS: bool = true;

    fn fresh(plan: &Config) -> Connections {
        Connections::new(*plan)
    }

    fn levels(connections: &mut Connections, now: Time, say: Say<'_>) {
        say(Quantity::Idle, Amount::of(connections.idle(now)));
        say(Quantity::InUse, Amount::of(connections.in_use()));
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let own = at.own::<Held>();
        match own.memory.take(own.ctx.now()) {
            Span::ZERO => Then::Down(Held::Connected.into()),
            wait => Then::Stays(Held::Connecting(at.timer_after(wait)).into()),
        }
    }

    /// Keeps a connection over which an answer came; any other is closed.
    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let Held::Connected = self else { nothing_comes_up() };
        let own = at.own::<Held>();
        match answer.ending {
            Ending::Status(_) => own.memory.give_back(own.ctx.now()),
            _ => own.memory.close(),
        }
        Then::Up(answer)
    }

    fn timer(self, number: u32, _: &mut Walk<'_>) -> Then {
        match self {
            Held::Connecting(timer) if timer.number == number => Then::Down(Held::Connected.into()),
            held => Then::Stays(held.into()),
        }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        if let Held::Connecting(timer) = self {
            timer.cancel(at.ctx);
        }
        at.own::<Held>().memory.close();
        None
    }
}

impl Stack {
    /// A process has died, and with it the other ends of all connections to it.
    pub(in crate::world) fn break_connections(&mut self, to: ActorId) {
        let is_to = |stack: &StackPlan| stack.to == to;
        self.kept.for_each(&self.plan, is_to, |memory| {
            if let Memory::Connections(connections) = memory {
                connections.break_all();
            }
        });
    }
}
