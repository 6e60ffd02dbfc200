//! A bench for stacks: one caller, one callee, and a network that is only a list.

use std::sync::Arc;

use sim_core::{Limits, Model, Simulation, Span, Streams, Time};
use sim_policies::{Ending, Method};
use sim_redis::value::Value;

use super::{Attempt, Begin, Ended, Onward, Stack};
use crate::intent::Intent;
use crate::plan::{
    ActorId, ActorKind, ActorPlan, LayerPlan, Operand, PairId, Plan, QueueId, Site, SiteId,
    StackId, StackPlan, Target,
};
use crate::pool::Id;
use crate::world::ids::CallId;
use crate::world::luck::Luck;
use crate::world::network::Answer;
use crate::world::{Ctx, Event, Shared, World};

/// The caller.
pub(super) const CALLER: ActorId = ActorId(0);

/// A stack that does what it is asked by hand.
pub(super) struct Bench(Simulation<Desk>);

pub(super) struct Desk {
    stack: Stack,
    shared: Shared,
    /// Attempts that were sent, in order.
    sent: Vec<(CallId, u32)>,
    hung_up: u32,
    ended: Vec<(Time, Ending)>,
}

impl Bench {
    /// The layers, outermost first.
    pub(super) fn new(layers: Vec<LayerPlan>) -> Bench {
        let actor =
            |name: &str| ActorPlan { name: name.to_owned(), entity: 0, kind: ActorKind::Broker };
        let nothing = Operand::Const(Value::Nil);
        let site = Site {
            target: Target::Queue { queue: QueueId(0), key: nothing, body: nothing },
            to: ActorId(1),
            stack: StackId(0),
            pair: PairId(0),
            into: None,
            into_status: None,
            into_headers: None,
            method: Method::Get,
            has_key: false,
            repeatable: true,
            mints_key: false,
            instead: Vec::new(),
        };
        let stack = StackPlan {
            name: "caller->callee".to_owned(),
            owner: CALLER,
            to: ActorId(1),
            pair: PairId(0),
            shared: vec![false; layers.len()],
            layers,
        };
        let plan = Arc::new(Plan {
            window: Span::secs(1),
            actors: vec![actor("caller"), actor("callee")],
            pairs: vec![(CALLER, ActorId(1))],
            sites: vec![site],
            stacks: vec![stack],
            ..Plan::default()
        });
        let stack = Stack::new(&plan);
        let mut shared = Shared::new(plan, Luck::new(&Streams::new(1)));
        shared.intents.push(Intent::new(CALLER, 1, 1, Time::ZERO));
        let desk = Desk { stack, shared, sent: Vec::new(), hung_up: 0, ended: Vec::new() };
        let mut sim = Simulation::new(desk, Limits::default());
        sim.act(|desk, ctx| desk.stack.start(ctx));
        Bench(sim)
    }

    /// A program makes a call.
    pub(super) fn call(&mut self) {
        self.call_of(0);
    }

    /// A program of an instance makes a call.
    pub(super) fn call_of(&mut self, instance: u32) {
        self.0.act(|desk, ctx| {
            let begin = Begin {
                task: Id::default(),
                site: SiteId(0),
                instance,
                lineage: 1,
                intent: 0,
                key: Value::Nil,
                deadline: None,
            };
            let (_, onward) = desk.stack.begin(begin, &mut desk.shared, ctx);
            desk.go_on(onward, ctx);
        });
    }

    /// The `n`th attempt is answered, from 0.
    pub(super) fn answer(&mut self, n: usize, status: u16) {
        self.0.act(|desk, ctx| {
            let (call, attempt) = desk.sent[n];
            let answer = Answer::status(status);
            let Desk { stack, shared, .. } = desk;
            let onward = stack.settle_attempt(call, attempt, answer, shared, ctx);
            desk.go_on(onward, ctx);
        });
    }

    /// Lets everything happen until an instant, that instant included.
    pub(super) fn until(&mut self, millis: u64) {
        self.0.run_until(Time::ZERO + Span::millis(millis));
    }

    /// An owner crashes, or one of its instances.
    pub(super) fn crash(&mut self, owner: ActorId, only: Option<u32>) {
        self.0.act(|desk, ctx| desk.stack.forget(owner, only, &mut desk.shared, ctx.now()));
    }

    /// How many attempts were sent.
    pub(super) fn sent(&self) -> usize {
        self.0.model().sent.len()
    }

    /// How many requests were hung up.
    pub(super) fn hung_up(&self) -> u32 {
        self.0.model().hung_up
    }

    /// When each call ended, in milliseconds, and how.
    pub(super) fn ended(&self) -> Vec<(u64, Ending)> {
        let ended = self.0.model().ended.iter();
        ended.map(|(at, ending)| (at.as_nanos() / 1_000_000, *ending)).collect()
    }
}

impl Desk {
    fn go_on(&mut self, mut onward: Onward, ctx: &mut Ctx) {
        loop {
            onward = match onward {
                Onward::Waits => break,
                Onward::Send(call) => {
                    let Attempt { number, .. } = self.stack.attempt(call);
                    let request = Id::from_word(self.sent.len() as u64);
                    self.sent.push((call, number));
                    self.stack.sends(call, request, CALLER, &mut self.shared, ctx);
                    self.stack.on_its_way(call, &mut self.shared, ctx)
                }
                Onward::HangUp(_, rest) => {
                    self.hung_up += 1;
                    self.stack.hung_up(rest, &mut self.shared, ctx)
                }
                Onward::Ended(Ended { answer, .. }) => {
                    self.ended.push((ctx.now(), answer.ending));
                    break;
                }
            };
        }
        if let Some(woken) = self.stack.next_woken() {
            let onward = self.stack.wake(woken, &mut self.shared, ctx);
            self.go_on(onward, ctx);
        }
    }
}

impl Model for Desk {
    type Event = Event;

    fn fingerprint(event: &Event) -> u64 {
        World::fingerprint(event)
    }

    fn handle(&mut self, event: Event, ctx: &mut Ctx) {
        let Desk { stack, shared, .. } = self;
        match event {
            Event::Timer { call, layer, number } => {
                let onward = stack.timer(call, layer, number, shared, ctx);
                self.go_on(onward, ctx);
            }
            Event::WakeBreaker { breaker, instance } => {
                stack.wake_breaker((breaker, instance), shared, ctx);
            }
            Event::Sweep { outlier, instance } => stack.sweep((outlier, instance), shared, ctx),
            _ => unreachable!("a stack schedules nothing else"),
        }
    }
}
