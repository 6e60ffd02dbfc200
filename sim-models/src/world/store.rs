//! Stores: one command at a time, in order of arrival, on a pure [`Store`].

use std::collections::VecDeque;

use sim_core::Time;

use super::message::{Answer, Payload};
use super::{Actor, Ctx, Event, Request, World};
use crate::kv::{Reply, Store};
use crate::plan::{ActorId, ActorKind};
use crate::policy::Ending;
use crate::pool::Id;
use crate::value::Value;

/// A store's own state.
#[derive(Debug, Default)]
pub(super) struct StoreState {
    data: Store,
    /// The first is being carried out.
    queue: VecDeque<Id<Request>>,
}

impl World {
    fn store(&mut self, actor: ActorId) -> &mut StoreState {
        match &mut self.actors[actor.index()] {
            Actor::Store(store) => store,
            _ => unreachable!("only stores take commands"),
        }
    }

    pub(super) fn enqueue_command(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let actor = self.requests[id].to;
        let store = self.store(actor);
        store.queue.push_back(id);
        let waiting = store.queue.len();
        if waiting == 1 {
            self.begin_command(actor, id, ctx);
        }
    }

    fn begin_command(&mut self, actor: ActorId, id: Id<Request>, ctx: &mut Ctx) {
        let ActorKind::Kv { service_time } = self.plan.actors[actor.index()].kind else {
            unreachable!("only stores take commands")
        };
        let mut draws = self.luck.store.at(self.requests[id].lineage);
        let length = self.span(service_time, &mut draws);
        let length = self.slowed(actor, length);
        ctx.schedule_after(length, Event::Served(id));
    }

    /// The current command takes effect, all at this instant; the next one begins.
    pub(super) fn served(&mut self, id: Id<Request>, ctx: &mut Ctx) {
        let Some(request) = self.requests.get(id) else { return };
        let (actor, payload) = (request.to, request.payload.clone());
        // After a crash the command is no longer in line, and its event comes to nothing.
        if self.store(actor).queue.front() != Some(&id) {
            return;
        }
        self.store(actor).queue.pop_front();
        let Payload::Command(command) = payload else { unreachable!("stores take commands") };
        let now_ms = ctx.now().since(Time::ZERO).as_millis().cast_signed();
        let Actor::Store(store) = &mut self.actors[actor.index()] else {
            unreachable!("only stores take commands")
        };
        let reply = store.data.apply(now_ms, &command, &mut self.texts);
        let (ending, body) = match reply {
            Reply::Nil | Reply::NilArray => (Ending::Status(200), Value::Nil),
            Reply::Ok | Reply::Status(_) => (Ending::Status(200), Value::Bool(true)),
            Reply::Int(n) => (Ending::Status(200), Value::Int(n)),
            Reply::Value(value) => (Ending::Status(200), value),
            Reply::Array(_) => unreachable!("no step asks for an array"),
            Reply::Error(_) => (Ending::Status(400), Value::Nil),
        };
        ctx.observe(body.fingerprint());
        self.send_answer(id, Answer { body, ..Answer::bare(ending) }, ctx);
        if let Some(next) = self.store(actor).queue.front().copied() {
            self.begin_command(actor, next, ctx);
        }
    }

    /// The store forgets everything.
    pub(super) fn flush(&mut self, actor: ActorId) {
        self.store(actor).data.flush();
    }

    /// The store's process dies: data and waiting commands are gone.
    pub(super) fn crash_store(&mut self, actor: ActorId, ctx: &mut Ctx) {
        self.flush(actor);
        for request in std::mem::take(&mut self.store(actor).queue) {
            self.turn_away(request, Ending::Reset, ctx);
        }
    }
}
