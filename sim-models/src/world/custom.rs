//! Actors written in Rust: what they see, and how their orders are carried out.
//!
//! An actor lives from its start to its crash. What it has ordered in one life is void in the next:
//! its wake-ups are gone, and its tickets answer nobody.

use std::collections::BTreeMap;

use sim_core::{Draws, Span, Time, mix};
use sim_redis::value::{Texts, Value};

use crate::custom::{self, Ask, CustomActor, Desk, Effect, Host, Ticket};
use crate::intent::Intent;
use crate::ledger::Deed;
use crate::outcome::RunLimit;
use crate::plan::{ActorId, ActorKind, CustomPlan, KindId, Plan, ProgramId};
use crate::pool::Pool;
use crate::world::ids::{RequestId, RequestName, TaskId, WakeId, WakeName};
use crate::world::network::{Answer, Payload, Request};
use crate::world::shared::{ByActor, Shared};
use crate::world::{Ctx, Event, nth};

/// Every actor written in Rust.
#[derive(Debug)]
pub(super) struct Customs {
    actors: ByActor<Own>,
    wakes: Pool<Wake, WakeName>,
    /// The calls that are under way, by their tasks.
    errands: BTreeMap<u64, Errand>,
}

/// One actor.
#[derive(Debug, Default)]
struct Own {
    /// None while its process is dead.
    alive: Option<Box<dyn CustomActor>>,
    /// The intent of nobody's, once it has one, and how often it was used.
    nobody: Option<u32>,
    errands: u32,
}

/// A wake-up that an actor has asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wake {
    actor: ActorId,
    token: u64,
}

/// A call that an actor makes, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errand {
    pub(super) of: ActorId,
    pub(super) program: ProgramId,
    pub(super) token: u64,
    pub(super) ask: Ask,
}

/// What an actor has ordered.
#[derive(Debug)]
#[must_use]
pub(super) struct Orders {
    of: ActorId,
    orders: Vec<Order>,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Answer { ticket: Ticket, answer: Answer, after: Span },
    Wake { token: u64, after: Span },
    Call(Errand),
}

/// Tells the luck of what an actor does from that of what others do for the same request.
const OWN: u64 = 8;

impl Errand {
    /// Addresses the luck of the call.
    pub(super) fn lineage(&self, plan: &Plan) -> u64 {
        let Errand { of, program, token, ask } = *self;
        let actor = plan.actors[of.index()].entity;
        let calls = &own_plan(plan, of).calls;
        let nth = calls.iter().position(|(_, known)| *known == program).unwrap_or_default();
        mix(mix(ask.lineage, actor), mix(OWN << 32 | nth as u64, token))
    }
}

impl Customs {
    pub(super) fn new(plan: &Plan) -> Customs {
        let actors = ByActor::new(plan, |id| {
            let is_own = matches!(plan.actors[id.index()].kind, ActorKind::Custom(_));
            is_own.then(Own::default)
        });
        Customs { actors, wakes: Pool::default(), errands: BTreeMap::new() }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.wakes.memory_bytes(0) + self.errands.len() * 2 * size_of::<(u64, Errand)>()
    }

    /// The run begins, or its process is up again: it knows nothing.
    pub(super) fn start(&mut self, actor: ActorId, shared: &mut Shared, ctx: &mut Ctx) -> Orders {
        let CustomPlan { make, config, .. } = own_plan(&shared.plan, actor);
        let make = make.expect("a plan that runs was not refused");
        self.actors[actor].alive = Some(make(config).expect("equal settings make equal actors"));
        self.act(actor, shared, ctx, |custom, desk| custom.on_start(desk))
    }

    /// A request has arrived.
    pub(super) fn ask(
        &mut self,
        id: RequestId,
        request: &mut Request,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Orders {
        request.held = true;
        let Request { to, payload, key, body, attempt, deadline, intent, lineage, .. } = *request;
        let Payload::Custom { endpoint } = payload else {
            unreachable!("custom actors are called at endpoints")
        };
        let ticket = Ticket::new(id.word());
        let ask = Ask { ticket, endpoint, key, body, attempt, deadline, intent, lineage };
        self.act(to, shared, ctx, |custom, desk| custom.on_request(ask, desk))
    }

    /// A call is under way as this task.
    pub(super) fn calls(&mut self, task: TaskId, errand: Errand) {
        self.errands.insert(task.word(), errand);
    }

    /// A call has ended.
    pub(super) fn hear(
        &mut self,
        task: TaskId,
        answer: Answer,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Orders {
        let errand = self.errands.remove(&task.word()).expect("a call ends once");
        let Errand { of, token, ask, .. } = errand;
        let Answer { ending, body, headers, .. } = answer;
        let answer = custom::Answer { token, ask, ending, fate: answer.fate(), body, headers };
        self.act(of, shared, ctx, |custom, desk| custom.on_answer(answer, desk))
    }

    /// A wake-up is due; nothing happens when its actor has died meanwhile.
    pub(super) fn wake(
        &mut self,
        id: WakeId,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> Option<Orders> {
        let Wake { actor, token } = *self.wakes.get(id)?;
        self.wakes.free(id);
        Some(self.act(actor, shared, ctx, |custom, desk| custom.on_wake(token, desk)))
    }

    /// Whose wake-up it is, and its token.
    pub(super) fn wake_of(&self, id: WakeId) -> Option<(ActorId, u64)> {
        self.wakes.get(id).map(|wake| (wake.actor, wake.token))
    }

    /// The process dies, with what it knew and had ordered.
    pub(super) fn crash(&mut self, actor: ActorId) {
        self.actors[actor].alive = None;
        self.errands.retain(|_, errand| errand.of != actor);
        for wake in self.wakes.ids_where(|wake| wake.actor == actor) {
            self.wakes.free(wake);
        }
    }

    /// Whether an actor is written in Rust, and its process dead.
    pub(super) fn is_dead(&self, actor: ActorId) -> bool {
        self.actors.get(actor).is_some_and(|own| own.alive.is_none())
    }

    /// Answers and wakes in the order of the orders; the calls to make. A second answer to one
    /// request is ignored.
    pub(super) fn carry_out(
        &mut self,
        Orders { of, orders }: Orders,
        requests: &mut Pool<Request, RequestName>,
        ctx: &mut Ctx,
    ) -> Vec<Errand> {
        let mut errands = Vec::new();
        for order in orders {
            match order {
                Order::Wake { token, after } => {
                    let (id, wake) = self.wakes.take();
                    *wake = Wake { actor: of, token };
                    ctx.schedule_after(after, Event::Wake(id));
                }
                Order::Answer { ticket, answer, after } => {
                    let id = RequestId::from_word(ticket.word());
                    let Some(request) = requests.get_mut(id) else { continue };
                    if request.held && !request.answered {
                        request.answer = answer;
                        request.answered = true;
                        ctx.schedule_after(after, Event::Reply(id));
                    }
                }
                Order::Call(errand) => errands.push(errand),
            }
        }
        errands
    }

    fn act(
        &mut self,
        actor: ActorId,
        shared: &mut Shared,
        ctx: &mut Ctx,
        act: impl FnOnce(&mut dyn CustomActor, &mut Desk<'_>),
    ) -> Orders {
        let Own { alive, nobody, errands, .. } = &mut self.actors[actor];
        let alive = alive.as_mut().expect("nothing comes to the dead");
        let mut room = Room { actor, shared, ctx, nobody, errands, orders: Vec::new() };
        act(alive.as_mut(), &mut Desk::new(&mut room));
        Orders { of: actor, orders: room.orders }
    }
}

fn own_plan(plan: &Plan, actor: ActorId) -> &CustomPlan {
    match &plan.actors[actor.index()].kind {
        ActorKind::Custom(custom) => custom,
        _ => unreachable!("an actor written in Rust"),
    }
}

/// The world around an actor that acts.
struct Room<'a> {
    actor: ActorId,
    shared: &'a mut Shared,
    ctx: &'a mut Ctx,
    nobody: &'a mut Option<u32>,
    errands: &'a mut u32,
    orders: Vec<Order>,
}

impl Room<'_> {
    /// What the actor does is a mistake of the program or of the scenario: the run ends here.
    fn mistaken(&mut self, does: String) {
        let what = format!("`{}` {does}", self.shared.plan.actor_name(self.actor));
        self.shared.run_away(RunLimit::Mistaken { what }, self.ctx);
    }

    fn kind_among(&self, kinds: impl IntoIterator<Item = KindId>, name: &str) -> Option<KindId> {
        kinds.into_iter().find(|kind| self.shared.plan.kinds[kind.index()] == name)
    }
}

impl Host for Room<'_> {
    fn now(&self) -> Time {
        self.ctx.now()
    }

    fn clock_ms(&self) -> i64 {
        self.shared.wall_ms(self.actor, 0, self.ctx.now())
    }

    fn texts(&mut self) -> &mut Texts {
        &mut self.shared.texts
    }

    fn draws(&self, index: u64) -> Draws {
        let entity = self.shared.plan.actors[self.actor.index()].entity;
        self.shared.luck.custom.at(mix(entity, index))
    }

    fn errand(&mut self) -> Ask {
        let entity = self.shared.plan.actors[self.actor.index()].entity;
        let intents = &mut self.shared.intents;
        let program = own_plan(&self.shared.plan, self.actor).program;
        let intent = *self.nobody.get_or_insert_with(|| {
            let intent = Intent::new(self.actor, 0, entity, self.ctx.now());
            intents.push(Intent { background: Some(program), ..intent })
        });
        *self.errands += 1;
        let lineage = nth(entity, OWN, *self.errands);
        let ticket = Ticket::new(RequestId::default().word());
        let (endpoint, key, body) = (Value::Nil, Value::Nil, Value::Nil);
        Ask { ticket, endpoint, key, body, attempt: 1, deadline: None, intent, lineage }
    }

    fn effect(&mut self, effect: Effect<'_>, ask: &Ask) -> Option<Value> {
        let Effect { kind: name, once, keep, token, fenced, undoes } = effect;
        let plan = self.shared.plan.clone();
        let declared = own_plan(&plan, self.actor).effects.iter().copied();
        let Some(kind) = self.kind_among(declared, name) else {
            self.mistaken(format!("does `{name}`, which its `effects` do not name"));
            return None;
        };
        let undoes = match undoes {
            None => None,
            Some(undone) => {
                let all = (0..plan.kinds.len()).map(KindId::nth);
                let Some(kind) = self.kind_among(all, undone) else {
                    self.mistaken(format!("takes back `{undone}`, which nobody does"));
                    return None;
                };
                Some(kind)
            }
        };
        let (actor, intent) = (self.actor, ask.intent);
        let deed = Deed { kind, actor, intent, once, keep, token, fenced, undoes };
        let number = self.shared.record_effect(deed, self.ctx)?;
        Some(Value::Text(self.shared.texts.intern(&plan.effect_name(kind, number))))
    }

    fn answer(&mut self, ticket: Ticket, status: u16, body: Value, after: Span) {
        if let Some(does) = custom::not_a_status(status) {
            return self.mistaken(does);
        }
        let after = self.shared.conditions[self.actor.index()].slowed(0, after);
        let answer = Answer { body, ..Answer::status(status) };
        self.orders.push(Order::Answer { ticket, answer, after });
    }

    fn call(&mut self, name: &str, token: u64, ask: Ask) {
        let calls = &own_plan(&self.shared.plan, self.actor).calls;
        let Some((_, program)) = calls.iter().find(|(known, _)| known == name) else {
            return self.mistaken(format!("calls `{name}`, which its `calls` do not name"));
        };
        let errand = Errand { of: self.actor, program: *program, token, ask };
        self.orders.push(Order::Call(errand));
    }

    fn wake(&mut self, token: u64, after: Span) {
        self.orders.push(Order::Wake { token, after });
    }
}
