//! Connections: a call takes one that is open, or waits until a new one is.

use sim_core::Span;
use sim_policies::Ending;
pub(super) use sim_policies::connections::Connections as Remembered;

use super::kept::Memory;
use super::{HangUp, Stack, Then, Timer, Verbs, Walk, nothing_comes_up};
use crate::plan::{ActorId, ConnectionsId, ConnectionsPlan, Owned, Plan};
use crate::world::network::Answer;

/// What a call has of the connections.
#[derive(Debug)]
pub(super) enum Held {
    /// Waits until its connection is open.
    Connecting(ConnectionsId, Timer),
    Connected(ConnectionsId),
}

impl Memory for Remembered {
    type Id = ConnectionsId;
    type Plan = ConnectionsPlan;

    fn table(plan: &Plan) -> &[Owned<ConnectionsPlan>] {
        &plan.connections
    }

    fn new(plan: &ConnectionsPlan) -> Remembered {
        Remembered::new(plan.config)
    }
}

impl Verbs for Held {
    type Plan = ConnectionsId;

    fn enter(id: ConnectionsId, at: &mut Walk<'_>) -> Then {
        match at.stack.kept.connections[id].take(at.ctx.now()) {
            Span::ZERO => Then::Down(Held::Connected(id).into()),
            wait => Then::Stays(Held::Connecting(id, at.timer_after(wait)).into()),
        }
    }

    /// Keeps a connection over which an answer came; any other is closed.
    fn leave(self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let Held::Connected(id) = self else { nothing_comes_up() };
        if let Ending::Status(_) = answer.ending {
            at.stack.kept.connections[id].give_back(at.ctx.now());
        }
        Then::Up(answer)
    }

    fn timer(self, number: u32, _: &mut Walk<'_>) -> Then {
        match self {
            Held::Connecting(id, timer) if timer.number == number => {
                Then::Down(Held::Connected(id).into())
            }
            held => Then::Stays(held.into()),
        }
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        if let Held::Connecting(_, timer) = self {
            timer.cancel(at.ctx);
        }
        None
    }
}

impl Stack {
    /// A process has died, and with it the other ends of all connections to it.
    pub(in crate::world) fn break_connections(&mut self, plan: &Plan, to: ActorId) {
        let connections = &mut self.kept.connections;
        connections.each(plan, |row| row.to == to, |connections, _| connections.break_all());
    }
}
