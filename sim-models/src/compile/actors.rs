//! Who acts and how messages travel: ids for all actors, queues of brokers, and links.

use sim_redis::value::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::builder::{Builder, Callee};
use super::place::Here;
use crate::language::{self, Actor};
use crate::plan::{
    ActorId, ActorKind, ActorPlan, ClientPlan, CustomPlan, LinkPlan, Operand, Pc, Program,
    ProgramId, QueueId, QueuePlan, Subscriber,
};
use crate::source::{advice, path_key};

/// Endless processes would eat memory before the first call.
const COUNT_MAX: u32 = 1_000_000;

impl Builder<'_> {
    /// The id of an actor by its name.
    pub(super) fn actor(&mut self, name: &str, here: &Here) -> Option<ActorId> {
        if let Some(id) = self.actor_ids.get(name) {
            return Some(*id);
        }
        let help = advice(name, self.actor_ids.keys().map(String::as_str));
        self.problem(here, format!("there is no actor `{name}`"), help);
        None
    }

    /// Whether it takes requests, so that faults can strike it.
    pub(super) fn is_server(&self, id: ActorId) -> bool {
        matches!(
            self.plan.actors[id.index()].kind,
            ActorKind::Service(_) | ActorKind::Kv(_) | ActorKind::Broker | ActorKind::Custom(_)
        )
    }

    pub(super) fn is_kv(&self, id: ActorId) -> bool {
        matches!(self.plan.actors[id.index()].kind, ActorKind::Kv { .. })
    }

    pub(super) fn is_client(&self, id: ActorId) -> bool {
        matches!(self.plan.actors[id.index()].kind, ActorKind::Client(_))
    }

    /// The id of an actor that must be of a kind.
    pub(super) fn actor_that(
        &mut self,
        name: &str,
        here: &Here,
        is: impl Fn(&Builder<'_>, ActorId) -> bool,
        what: &str,
    ) -> Option<ActorId> {
        let id = self.actor(name, here)?;
        if !is(self, id) {
            self.problem(here, format!("`{name}` is no {what}"), None);
            return None;
        }
        Some(id)
    }

    /// All actors and endpoints get their ids first: programs may name any of them.
    pub(super) fn actors(&mut self) {
        let spec = self.spec;
        if spec.actors.is_empty() {
            self.problem(&Here::file("actors"), "nobody acts in this scenario", None);
        }
        for (n, name) in spec.actors.keys().enumerate() {
            self.actor_ids.insert(name.clone(), ActorId::nth(n));
        }
        for (n, (name, actor)) in spec.actors.iter().enumerate() {
            let here = Here::file(format!("actors.{}", path_key(name)));
            if name.is_empty() || name.contains(['.', '/', '>']) {
                let help = "an actor's name must not hold `.`, `/` or `>`".to_owned();
                self.problem(&here, format!("`{name}` is no name for an actor"), Some(help));
            }
            let kind = match actor {
                Actor::Client(client) => self.client(name, client, &here),
                Actor::Service(service) => self.service(ActorId::nth(n), name, service, &here),
                Actor::Kv(kv) => ActorKind::Kv(self.kv(ActorId::nth(n), kv, &here)),
                Actor::Broker(broker) => self.broker(ActorId::nth(n), name, broker, &here),
                Actor::Custom(custom) => self.custom(name, custom, &here),
            };
            let entity = xxh3_64(name.as_bytes());
            self.plan.actors.push(ActorPlan { name: name.clone(), entity, kind });
        }
    }

    pub(super) fn new_program(&mut self, name: &str) -> ProgramId {
        let id = ProgramId::nth(self.plan.programs.len());
        self.plan.programs.push(Program {
            name: name.to_owned(),
            entry: Pc(0),
            registers: 0,
            reads_key: false,
            reads_body: false,
            reads_client: false,
            reads_clock: false,
            canonical: None,
            result: None,
        });
        id
    }

    fn client(&mut self, name: &str, client: &language::Client, here: &Here) -> ActorKind {
        self.require(client.clicks >= 1, &here.field("clicks"), client.clicks, "at least 1");
        let allowed = format!("from 1 to {COUNT_MAX}");
        let ok = (1..=COUNT_MAX).contains(&client.count);
        self.require(ok, &here.field("count"), client.count, &allowed);
        if let Some(patience) = client.patience {
            self.require(!patience.is_zero(), &here.field("patience"), patience, "above zero");
        }
        if let (Some(after), true) = (client.refund_after, client.refund.is_empty()) {
            let help = "say what they do: `refund: [Call(\"api.refund\"), Refunded(\"charge\")]`";
            let message = format!("users ask for a refund after {after}, and have no `refund`");
            self.problem(&here.field("refund_after"), message, Some(help.to_owned()));
        }
        let load = self.load(&client.load, &here.field("load"));
        let program = self.new_program(name);
        let refunds = !client.refund.is_empty();
        let refund = refunds.then(|| self.new_program(&format!("{name}.refund")));
        ActorKind::Client(ClientPlan {
            load,
            count: client.count,
            clicks: client.clicks,
            apart: client.apart,
            patience: client.patience,
            new_keys: client.new_keys,
            body: Operand::Const(Value::Nil),
            program,
            refund,
            refund_after: client.refund_after,
            key: Operand::Const(Value::Nil),
        })
    }

    fn broker(
        &mut self,
        actor: ActorId,
        name: &str,
        broker: &language::Broker,
        here: &Here,
    ) -> ActorKind {
        for (queue, plan) in &broker.queues {
            let here = here.field("queues").field(&path_key(queue));
            if plan.to.is_empty() {
                let help = "name at least one endpoint".to_owned();
                self.problem(&here.field("to"), "nobody takes these messages", Some(help));
            }
            let visibility = plan.visibility;
            self.require(
                !visibility.is_zero(),
                &here.field("visibility"),
                visibility,
                "above zero",
            );
            self.require(plan.attempts >= 1, &here.field("attempts"), plan.attempts, "at least 1");
            let id = QueueId::nth(self.plan.queues.len());
            self.queues.insert((actor, queue.clone()), id);
            self.plan.queues.push(QueuePlan {
                name: format!("{name}.{queue}"),
                broker: actor,
                subscribers: Vec::new(),
                visibility,
                attempts_max: plan.attempts,
            });
        }
        ActorKind::Broker
    }

    /// An actor written in Rust. It is made once to learn its effects, and so that a run cannot fail.
    fn custom(&mut self, name: &str, custom: &language::Custom, here: &Here) -> ActorKind {
        let make = self.kinds.actor(&custom.kind);
        let made = make.and_then(|make| Ok((make, make(&custom.config)?)));
        let (make, actor) = match made {
            Ok((make, actor)) => (Some(make), Some(actor)),
            Err(message) => {
                self.problem(here, message, None);
                (None, None)
            }
        };
        let effects = actor.iter().flat_map(|actor| actor.effects());
        let effects = effects.map(|kind| self.kind_done(kind)).collect();
        let program = self.new_program(name);
        let calls = custom.calls.keys();
        let calls = calls.map(|call| (call.clone(), self.new_program(&format!("{name}.{call}"))));
        ActorKind::Custom(CustomPlan {
            kind: custom.kind.clone(),
            make,
            config: custom.config.clone(),
            effects,
            program,
            calls: calls.collect(),
        })
    }

    /// Finds the subscribers of all queues, once every endpoint is known.
    pub(super) fn queues(&mut self) {
        let spec = self.spec;
        for (name, actor) in &spec.actors {
            let Actor::Broker(broker) = actor else { continue };
            let here = Here::file(format!("actors.{}.queues", path_key(name)));
            let actor = self.actor_ids[name];
            for (queue, plan) in &broker.queues {
                let here = here.field(&path_key(queue)).field("to");
                let id = self.queues[&(actor, queue.clone())];
                for (n, to) in plan.to.iter().enumerate() {
                    let here = here.at(n);
                    match self.callee(to, &here) {
                        Some((to, Callee::Endpoint(endpoint))) => {
                            let pair = self.pair(actor, to);
                            let subscriber = Subscriber { actor: to, endpoint, pair };
                            self.plan.queues[id.index()].subscribers.push(subscriber);
                        }
                        Some((_, Callee::Custom(_))) => {
                            let message = format!("`{to}` is no service; messages go to services");
                            self.problem(&here, message, None);
                        }
                        None => {}
                    }
                }
            }
        }
    }

    pub(super) fn links(&mut self) {
        let spec = self.spec;
        for (n, link) in spec.links.iter().enumerate() {
            let here = Here::file("links").at(n);
            self.ratio(link.loss, &here.field("loss"));
            self.ratio(link.duplicate, &here.field("duplicate"));
            let latency = self.dist(&link.latency, &here.field("latency"));
            let from = self.actor(&link.from, &here.field("from"));
            let to = self.actor(&link.to, &here.field("to"));
            let (Some(from), Some(to)) = (from, to) else { continue };
            let constant = match link.latency {
                language::Dist::Const(span) => Some(span),
                _ => None,
            };
            let id = Some(self.plan.links.len() as u32);
            let (loss, duplicate) = (link.loss, link.duplicate);
            self.plan.links.push(LinkPlan { latency, constant, loss, duplicate });
            let count = spec.actors.len();
            let there = from.index() * count + to.index();
            let back = to.index() * count + from.index();
            if self.plan.routes[there].is_some() {
                let message = format!("a second link between `{}` and `{}`", link.from, link.to);
                let help = "one link serves both directions".to_owned();
                self.problem(&here, message, Some(help));
            }
            self.plan.routes[there] = id;
            self.plan.routes[back] = id;
        }
    }
}
