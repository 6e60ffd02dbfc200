//! Calls: from a program through its policies to the network, and back.

use sim_core::mix;
use sim_redis::value::Value;

use crate::plan::{Operand, SiteId, Target, builtin};
use crate::trace::Lasting;
use crate::world::ids::{CallId, TaskId};
use crate::world::network::{Answer, Order, Payload, Request, Sender};
use crate::world::stack::{Attempt, Begin, Ended, Leaves, Onward, Woken};
use crate::world::task::Task;
use crate::world::task::eval::eval;
use crate::world::{Ctx, World};

impl World {
    /// Starts a call: its answer, when a policy has one at once, or the call that is under way.
    pub(in crate::world) fn begin_call(
        &mut self,
        task: TaskId,
        site: SiteId,
        lineage: u64,
        ctx: &mut Ctx,
    ) -> Result<Answer, CallId> {
        let Task { intent, deadline, seat, .. } = self.tasks.all[task];
        let (of, pair) =
            (self.tasks.all[task].lineage(), self.shared.plan.sites[site.index()].pair);
        self.shared.belongs(intent, lineage, of);
        let what = Lasting::Call { pair, instance: seat.instance };
        self.shared.begins(lineage, intent, what, ctx);
        let (key, instance) = (self.tasks.all[task].get(builtin::KEY), seat.instance);
        let begin = Begin { task, site, instance, lineage, intent, key, deadline };
        let (call, onward) = self.stack.begin(begin, &mut self.shared, ctx);
        match self.see_to(onward, ctx) {
            Some(ended) => Ok(ended.answer),
            None => Err(call),
        }
    }

    /// A timer of a call has run out.
    pub(in crate::world) fn timer(&mut self, call: CallId, layer: u8, number: u32, ctx: &mut Ctx) {
        let onward = self.stack.timer(call, layer, number, &mut self.shared, ctx);
        self.carry_on(onward, ctx);
    }

    /// A call's layer has got what it waited for.
    pub(in crate::world) fn wake_call(&mut self, woken: Woken, ctx: &mut Ctx) {
        let onward = self.stack.wake(woken, &mut self.shared, ctx);
        self.carry_on(onward, ctx);
    }

    /// The answer to an attempt has arrived.
    pub(in crate::world) fn settle_attempt(
        &mut self,
        call: CallId,
        attempt: u32,
        answer: Answer,
        ctx: &mut Ctx,
    ) {
        let onward = self.stack.settle_attempt(call, attempt, answer, &mut self.shared, ctx);
        self.carry_on(onward, ctx);
    }

    /// A program no longer wants the answer to its call.
    pub(in crate::world) fn abandon_call(&mut self, call: CallId, leaves: Leaves, ctx: &mut Ctx) {
        while let Some(request) = self.stack.abandon(call, leaves, &mut self.shared, ctx) {
            self.disconnect(request, ctx);
        }
        self.adopt_left();
    }

    /// Gives each call that was left behind a task of its own: the one that made it goes on.
    fn adopt_left(&mut self) {
        while let Some((call, of)) = self.stack.next_left() {
            let task = self.tasks.leave_behind(of, call, &mut self.shared);
            self.stack.give_to(call, task);
        }
    }

    /// Sees to what a call needs; its program goes on when it has ended.
    fn carry_on(&mut self, onward: Onward, ctx: &mut Ctx) {
        if let Some(Ended { task, site, answer }) = self.see_to(onward, ctx) {
            self.call_ended(task, site, answer, ctx);
        }
    }

    /// Sees to what a call needs, until it waits, has ended, or the run has.
    fn see_to(&mut self, mut onward: Onward, ctx: &mut Ctx) -> Option<Ended> {
        while self.may_go_on(ctx) {
            self.adopt_left();
            onward = match onward {
                Onward::Waits => return None,
                Onward::Ended(ended) => return Some(ended),
                Onward::Send(call) => {
                    self.send_attempt(call, ctx);
                    self.stack.on_its_way(call, &mut self.shared, ctx)
                }
                Onward::HangUp(request, rest) => {
                    self.disconnect(request, ctx);
                    self.stack.hung_up(rest, &mut self.shared, ctx)
                }
            };
        }
        None
    }

    /// Sends the next attempt. Its key and content are worked out anew, since they may name the
    /// attempt.
    fn send_attempt(&mut self, call: CallId, ctx: &mut Ctx) {
        let Attempt { number, task, site, intent, lineage, deadline } = self.stack.attempt(call);
        self.tasks.all[task].set(builtin::ATTEMPT, Value::Int(number.into()));
        self.set_clock(task, ctx);
        let (plan, texts) = (&self.shared.plan, &mut self.shared.texts);
        let site = &plan.sites[site.index()];
        let Task { actor, ref registers, seat, .. } = self.tasks.all[task];
        let mut value = |operand: Operand| eval(plan, texts, registers, operand);
        let (id, request) = self.network.requests.take();
        let mut with = std::mem::take(&mut request.with);
        with.clear();
        let mut order = None;
        let (payload, key, body) = match &site.target {
            Target::Endpoint { endpoint, key, body, with: arguments } => {
                with.extend(arguments.iter().map(|(reg, operand)| (*reg, value(*operand))));
                (Payload::Endpoint(*endpoint), value(*key), value(*body))
            }
            Target::Queue { queue, key, body } => {
                (Payload::Message(*queue), value(*key), value(*body))
            }
            Target::Custom { endpoint, key, body } => {
                (Payload::Custom { endpoint: *endpoint }, value(*key), value(*body))
            }
            Target::Kv(command) => {
                let Value::Int(execution) = registers[builtin::EXECUTION.index()] else {
                    unreachable!("every execution has its number")
                };
                let op = command.op.map(&mut |operand, _| value(*operand), &mut |kind| *kind);
                order = Some(Box::new(Order { op, from: command.from, execution }));
                (Payload::Command, Value::Nil, Value::Nil)
            }
        };
        let (to, pair) = (site.to, site.pair);
        // One key for all attempts of the call: its lineage is that of no other.
        let key = match key {
            Value::Nil if site.mints_key => {
                Value::Text(texts.intern(&format!("sdk-{lineage:016x}")))
            }
            key => key,
        };
        *request = Request {
            from: actor,
            from_instance: seat.instance,
            to,
            pair,
            sender: Sender::Call(call),
            attempt: number,
            intent,
            lineage: mix(lineage, number.into()),
            payload,
            order,
            key,
            body,
            with,
            deadline,
            ..Request::default()
        };
        let arose = self.shared.arose(intent, ctx.now());
        self.shared.belongs(intent, mix(lineage, number.into()), self.stack.lineage_of(call));
        self.shared.metrics.sent(pair, number > 1, arose, ctx.now());
        self.stack.sends(call, id, actor, &mut self.shared, ctx);
        self.network.post(id, &mut self.shared, ctx);
    }
}
