//! From a scenario's spec to its plan: names become ids, numbers are checked.
//!
//! Problems are collected, not thrown: one reading of the file tells all of them.

use std::collections::BTreeMap;

use sim_core::{Dist, DistError, Span, Time};
use xxhash_rust::xxh3::xxh3_64;

use super::cycle;
use super::program::{Frame, Here, SiteNote};
use super::{
    ActorId, ActorKind, ActorPlan, BreakerId, BreakerPlan, BulkheadId, BulkheadPlan, ClientPlan,
    DistId, EndpointId, FaultEntry, FaultKind, KindId, LayerPlan, LinkPlan, LoadPlan, Operand,
    PairId, Pc, Plan, PointId, Program, ProgramId, ServicePlan, StackId, StackPlan, Target,
    Trigger, Words, builtin,
};
use crate::designs;
use crate::invariant::{InvariantPlan, Rule};
use crate::policy::breaker::StateName;
use crate::policy::{
    Backoff, Breaker, BreakerConfig, Bulkhead, Jitter, OutOfRange, Retry, RetryOn,
};
use crate::scenario::spec::{
    self, Actor, BreakerState, Expr, Fault, FaultPlan, Idempotent, Invariant, Load, Policy, Queue,
    Scenario, Step, Trip,
};
use crate::source::{Document, SourceError, advice};
use crate::value::{Texts, Value};

/// The most policies in one stack.
const LAYERS_MAX: usize = 16;
/// The most windows of a run's series.
const WINDOWS_MAX: u64 = 1_000_000;
/// About how many windows a run has when the scenario does not say.
const WINDOWS: u64 = 180;

/// A file that steps come from: the scenario, or a design with its parameters filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DocId(usize);

impl DocId {
    pub(super) const FILE: DocId = DocId(0);
}

/// Builds the plan, or tells everything that is wrong with the scenario.
pub(crate) fn build(document: &Document, spec: &Scenario) -> Result<Plan, Vec<SourceError>> {
    let mut builder = Builder::new(document, spec);
    builder.basics();
    builder.actors();
    builder.links();
    builder.policies();
    builder.programs();
    builder.faults();
    builder.invariants();
    builder.load_fits_limits();
    cycle::check(&mut builder);
    if builder.problems.is_empty() { Ok(builder.plan) } else { Err(builder.problems) }
}

pub(super) struct Builder<'a> {
    spec: &'a Scenario,
    docs: Vec<Document>,
    pub(super) plan: Plan,
    problems: Vec<SourceError>,
    actor_ids: BTreeMap<String, ActorId>,
    pub(super) endpoints: BTreeMap<(ActorId, String), EndpointId>,
    /// Checked policies, by name.
    policies: BTreeMap<String, Vec<Layer>>,
    stacks: BTreeMap<(ActorId, Option<String>, ActorId), StackId>,
    pub(super) site_notes: Vec<SiteNote>,
}

/// A checked policy that does not belong to a caller yet.
#[derive(Clone, Debug)]
enum Layer {
    Retry(Retry),
    Timeout(Span),
    Breaker(BreakerConfig),
    Bulkhead(u32),
    Fallback { status: u16, body: Operand, on: spec::FallbackOn },
}

impl<'a> Builder<'a> {
    fn new(document: &Document, spec: &'a Scenario) -> Builder<'a> {
        let mut texts = Texts::default();
        let mut word = |text: &str| Value::Text(texts.intern(text));
        let words = Words {
            status: word("status"),
            timeout: word("timeout"),
            refused: word("refused"),
            reset: word("reset"),
            rejected: word("rejected"),
            failed: word("failed"),
            unknown: word("unknown"),
        };
        let count = spec.actors.len();
        let plan = Plan {
            name: spec.name.clone(),
            about: spec.about.clone(),
            hypothesis: spec.hypothesis.clone(),
            horizon: spec.horizon,
            window: spec.window.unwrap_or_else(|| round_up(spec.horizon / WINDOWS)),
            limits: spec.limits,
            texts,
            actors: Vec::new(),
            endpoints: Vec::new(),
            programs: Vec::new(),
            code: Vec::new(),
            sites: Vec::new(),
            stacks: Vec::new(),
            pairs: Vec::new(),
            breakers: Vec::new(),
            bulkheads: Vec::new(),
            links: Vec::new(),
            routes: vec![None; count * count],
            dists: Vec::new(),
            templates: Vec::new(),
            records: Vec::new(),
            conds: Vec::new(),
            effects: Vec::new(),
            responds: Vec::new(),
            forks: Vec::new(),
            kinds: Vec::new(),
            points: Vec::new(),
            faults: Vec::new(),
            invariants: Vec::new(),
            words,
        };
        Builder {
            spec,
            docs: vec![document.clone()],
            plan,
            problems: Vec::new(),
            actor_ids: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            policies: BTreeMap::new(),
            stacks: BTreeMap::new(),
            site_notes: Vec::new(),
        }
    }

    /// An error about a place.
    pub(super) fn complaint(
        &self,
        here: &Here,
        message: impl Into<String>,
        help: Option<String>,
    ) -> SourceError {
        self.docs[here.doc.0].problem(&here.path, message, help)
    }

    pub(super) fn problem(
        &mut self,
        here: &Here,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let complaint = self.complaint(here, message, help);
        self.problems.push(complaint);
    }

    /// Complains about a number unless it is in range.
    fn require(&mut self, ok: bool, here: &Here, found: impl std::fmt::Display, allowed: &str) {
        if !ok {
            let name = here.path.rsplit('.').next().unwrap_or_default().to_owned();
            self.problem(here, format!("{name} = {found}; it must be {allowed}"), None);
        }
    }

    fn ratio(&mut self, value: f64, here: &Here) {
        self.require((0.0..=1.0).contains(&value), here, value, "a ratio in 0..=1");
    }

    fn basics(&mut self) {
        let spec = self.spec;
        let is_plain = |c: char| c.is_alphanumeric() || "-_ .".contains(c);
        if spec.name.is_empty() || !spec.name.chars().all(is_plain) {
            let message = format!("`{}` is no name for a scenario", spec.name.escape_debug());
            let help = "it names files; use letters, digits, spaces, `-`, `_` and `.`".to_owned();
            self.problem(&Here::file("name"), message, Some(help));
        }
        self.require(!spec.horizon.is_zero(), &Here::file("horizon"), spec.horizon, "above zero");
        let longest = spec.limits.time;
        if spec.horizon > longest {
            let message = format!("horizon = {}; the limit is {longest}", spec.horizon);
            let help = "shorten the horizon, or raise limits.time".to_owned();
            self.problem(&Here::file("horizon"), message, Some(help));
        }
        if let Some(window) = spec.window {
            let fits = !window.is_zero()
                && spec.horizon.as_nanos() / window.as_nanos().max(1) <= WINDOWS_MAX;
            let allowed = format!("above zero, and at most {WINDOWS_MAX} windows to the horizon");
            self.require(fits, &Here::file("window"), window, &allowed);
        }
        let limits = spec.limits;
        for (name, value, max) in [
            ("steps", limits.steps, u64::MAX),
            ("pending", limits.pending, 1 << 23),
            ("memory_mib", limits.memory_mib, 1 << 20),
        ] {
            let allowed = format!("in 1..={max}");
            self.require(
                (1..=max).contains(&value),
                &Here::file(format!("limits.{name}")),
                value,
                &allowed,
            );
        }
    }

    /// The id of an actor by its name.
    pub(super) fn actor(&mut self, name: &str, here: &Here) -> Option<ActorId> {
        if let Some(id) = self.actor_ids.get(name) {
            return Some(*id);
        }
        let help = advice(name, self.actor_ids.keys().map(String::as_str));
        self.problem(here, format!("there is no actor `{name}`"), help);
        None
    }

    fn is_service(&self, id: ActorId) -> bool {
        matches!(self.plan.actors[id.index()].kind, ActorKind::Service(_))
    }

    fn is_kv(&self, id: ActorId) -> bool {
        matches!(self.plan.actors[id.index()].kind, ActorKind::Kv { .. })
    }

    /// The id of an actor that must be of a kind.
    fn actor_that(
        &mut self,
        name: &str,
        here: &Here,
        is: impl Fn(&Builder<'a>, ActorId) -> bool,
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
    fn actors(&mut self) {
        let spec = self.spec;
        if spec.actors.is_empty() {
            self.problem(&Here::file("actors"), "nobody acts in this scenario", None);
        }
        for (n, name) in spec.actors.keys().enumerate() {
            self.actor_ids.insert(name.clone(), ActorId::nth(n));
        }
        for (n, (name, actor)) in spec.actors.iter().enumerate() {
            let here = Here::file(format!("actors.{}", crate::source::path_key(name)));
            if name.is_empty() || name.contains(['.', '/', '>']) {
                let help = "an actor's name must not hold `.`, `/` or `>`".to_owned();
                self.problem(&here, format!("`{name}` is no name for an actor"), Some(help));
            }
            let kind = match actor {
                Actor::Client(client) => self.client(name, client, &here),
                Actor::Service(service) => self.service(ActorId::nth(n), name, service, &here),
                Actor::Kv(kv) => {
                    let dist = self.dist(&kv.service_time, &here.field("service_time"));
                    ActorKind::Kv { service_time: dist }
                }
                Actor::Custom(custom) => ActorKind::Custom(custom.clone()),
            };
            let entity = xxh3_64(name.as_bytes());
            self.plan.actors.push(ActorPlan { name: name.clone(), entity, kind });
        }
    }

    fn new_program(&mut self, name: &str) -> ProgramId {
        let id = ProgramId::nth(self.plan.programs.len());
        self.plan.programs.push(Program {
            name: name.to_owned(),
            entry: Pc(0),
            registers: 0,
            reads_key: false,
            reads_body: false,
        });
        id
    }

    fn client(&mut self, name: &str, client: &spec::Client, here: &Here) -> ActorKind {
        self.require(client.clicks >= 1, &here.field("clicks"), client.clicks, "at least 1");
        if let Some(patience) = client.patience {
            self.require(!patience.is_zero(), &here.field("patience"), patience, "above zero");
        }
        let load = self.load(&client.load, &here.field("load"));
        let program = self.new_program(name);
        ActorKind::Client(ClientPlan {
            load,
            clicks: client.clicks,
            apart: client.apart,
            patience: client.patience,
            body: Operand::Const(Value::Nil),
            program,
            key: Operand::Const(Value::Nil),
        })
    }

    fn load(&mut self, load: &Load, here: &Here) -> LoadPlan {
        match load {
            Load::Open { rate, arrivals, from, until } => LoadPlan::Open {
                gap: rate.mean_gap(),
                arrivals: *arrivals,
                from: *from,
                until: until.unwrap_or(self.spec.horizon),
            },
            Load::Closed { users, think, until } => {
                self.require(*users >= 1, &here.field("users"), users, "at least 1");
                LoadPlan::Closed {
                    users: *users,
                    think: self.dist(think, &here.field("think")),
                    until: until.unwrap_or(self.spec.horizon),
                }
            }
            Load::Burst { count, at } => {
                self.require(*count >= 1, &here.field("count"), count, "at least 1");
                LoadPlan::Burst { count: *count, at: *at }
            }
        }
    }

    fn service(
        &mut self,
        actor: ActorId,
        name: &str,
        service: &spec::Service,
        here: &Here,
    ) -> ActorKind {
        let workers = here.field("workers");
        self.require(service.workers >= 1, &workers, service.workers, "at least 1");
        for endpoint in service.endpoints.keys() {
            let program = self.new_program(&format!("{name}.{endpoint}"));
            let id = EndpointId::nth(self.plan.endpoints.len());
            self.plan.endpoints.push(program);
            self.endpoints.insert((actor, endpoint.clone()), id);
        }
        let Queue::Fifo { limit } = service.queue;
        ActorKind::Service(ServicePlan {
            workers: service.workers,
            queue_limit: limit,
            threads: service.threads,
        })
    }

    /// A checked distribution, in seconds.
    pub(super) fn dist(&mut self, dist: &spec::Dist, here: &Here) -> DistId {
        let secs = |span: &Span| span.as_secs_f64();
        let made: Result<Dist, DistError> = match dist {
            spec::Dist::Const(span) => Dist::constant(secs(span)),
            spec::Dist::Uniform { low, high } => Dist::uniform(secs(low), secs(high)),
            spec::Dist::Exponential(mean) => Dist::exponential(secs(mean)),
            spec::Dist::Normal { mean, sd } => Dist::normal(secs(mean), secs(sd)),
            spec::Dist::LogNormal { p50, p99 } => {
                Dist::lognormal_from_percentiles(secs(p50), secs(p99))
            }
            spec::Dist::Erlang { k, mean } => Dist::erlang(*k, secs(mean)),
            spec::Dist::Gamma { shape, mean } => Dist::gamma(*shape, secs(mean) / shape),
            spec::Dist::Pareto { min, shape } => Dist::pareto(secs(min), *shape),
            spec::Dist::Weibull { scale, shape } => Dist::weibull(secs(scale), *shape),
            spec::Dist::Empirical(values) => Dist::empirical(values.iter().map(secs).collect()),
        };
        let dist = made.unwrap_or_else(|error| {
            self.problem(here, error.to_string(), None);
            Dist::constant(0.0).expect("zero is a length")
        });
        self.plan.dists.push(dist);
        DistId::nth(self.plan.dists.len() - 1)
    }

    fn links(&mut self) {
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
                spec::Dist::Const(span) => Some(span),
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

    /// Checks every policy, whether it is used or not.
    fn policies(&mut self) {
        for (name, stack) in &self.spec.policies {
            let here = Here::file(format!("policies.{}", crate::source::path_key(name)));
            if stack.len() > LAYERS_MAX {
                let message =
                    format!("{} policies in one stack; at most {LAYERS_MAX}", stack.len());
                self.problem(&here, message, None);
            }
            let layers = stack.iter().enumerate().filter_map(|(n, policy)| {
                let here = here.at(n);
                self.layer(policy, &here).map_err(|error| self.out_of_range(&here, &error)).ok()
            });
            let layers = layers.collect();
            self.policies.insert(name.clone(), layers);
        }
    }

    fn out_of_range(&mut self, here: &Here, error: &OutOfRange) {
        // A field of an inner constructor, such as the cap of a backoff, lies one level deeper;
        // the nearest existing place is pointed at.
        let inner = ["backoff", "trip"].map(|inner| here.field(inner).field(error.field));
        let document = &self.docs[0];
        let exists = |here: &&Here| document.text_of(&here.path).is_some();
        let place = inner.iter().find(exists).cloned().unwrap_or_else(|| here.field(error.field));
        self.problem(&place, error.to_string(), None);
    }

    fn layer(&mut self, policy: &Policy, here: &Here) -> Result<Layer, OutOfRange> {
        Ok(match policy {
            Policy::Retry(retry) => {
                let jitter = match retry.jitter {
                    spec::Jitter::None => Jitter::None,
                    spec::Jitter::Proportional(ratio) => Jitter::Proportional(ratio),
                    spec::Jitter::Full => Jitter::Full,
                    spec::Jitter::Equal => Jitter::Equal,
                    spec::Jitter::Decorrelated => Jitter::Decorrelated,
                };
                let (base, factor, cap) = match retry.backoff {
                    spec::Backoff::None => (Span::ZERO, 1.0, Span::ZERO),
                    spec::Backoff::Constant(wait) => (wait, 1.0, wait),
                    spec::Backoff::Exponential { base, factor, cap } => (base, factor, cap),
                };
                let backoff = Backoff::new(base, factor, cap, jitter)?;
                let on = RetryOn { conflict: retry.conflict, rejected: retry.rejected };
                Layer::Retry(Retry::new(retry.attempts, retry.total, backoff, on)?)
            }
            Policy::Timeout(after) => {
                if after.is_zero() {
                    self.problem(here, "a timeout of zero; it must be above zero", None);
                }
                Layer::Timeout(*after)
            }
            Policy::Breaker(breaker) => {
                let Trip::Consecutive { failures } = breaker.trip;
                let config = BreakerConfig {
                    failures,
                    open_for: breaker.open_for,
                    close_after: breaker.close_after,
                };
                Breaker::new(config)?;
                Layer::Breaker(config)
            }
            Policy::Bulkhead(bulkhead) => {
                Bulkhead::new(bulkhead.limit)?;
                Layer::Bulkhead(bulkhead.limit)
            }
            Policy::Fallback(fallback) => {
                self.status(fallback.status, &here.field("status"));
                let body = self.literal(&fallback.body, &here.field("body"));
                Layer::Fallback { status: fallback.status, body, on: fallback.on }
            }
        })
    }

    /// An expression that names no variables.
    fn literal(&mut self, expr: &Expr, here: &Here) -> Operand {
        let mut frame = Frame::new(ActorId(0), false, String::new(), ProgramId(0));
        let operand = self.operand(&mut frame, expr, here);
        if !matches!(operand, Operand::Const(_)) {
            self.problem(here, "a fallback's body cannot name variables", None);
        }
        operand
    }

    pub(super) fn status(&mut self, status: u16, here: &Here) {
        self.require((100..=599).contains(&status), here, status, "an HTTP status, 100..=599");
    }

    /// The stack of a policy as one caller uses it for one callee; each such use has its own
    /// breakers and bulkheads.
    pub(super) fn stack(
        &mut self,
        from: ActorId,
        policy: Option<&str>,
        to: ActorId,
        here: &Here,
    ) -> StackId {
        let key = (from, policy.map(str::to_owned), to);
        if let Some(id) = self.stacks.get(&key) {
            return *id;
        }
        let mut layers = Vec::new();
        if let Some(name) = policy {
            match self.policies.get(name) {
                Some(found) => layers = found.clone(),
                None => {
                    let help = advice(name, self.spec.policies.keys().map(String::as_str));
                    let message = format!("there is no policy `{name}`");
                    self.problem(&here.field("policy"), message, help);
                }
            }
        }
        let layers = layers
            .into_iter()
            .map(|layer| self.bind(layer, from, policy.unwrap_or_default(), to))
            .collect();
        let id = StackId::nth(self.plan.stacks.len());
        self.plan.stacks.push(StackPlan { layers });
        self.stacks.insert(key, id);
        id
    }

    fn bind(&mut self, layer: Layer, from: ActorId, policy: &str, to: ActorId) -> LayerPlan {
        match layer {
            Layer::Retry(retry) => LayerPlan::Retry(retry),
            Layer::Timeout(after) => LayerPlan::Timeout(after),
            Layer::Fallback { status, body, on } => LayerPlan::Fallback { status, body, on },
            Layer::Bulkhead(limit) => {
                let id = BulkheadId::nth(self.plan.bulkheads.len());
                self.plan.bulkheads.push(BulkheadPlan { owner: from, limit });
                LayerPlan::Bulkhead(id)
            }
            Layer::Breaker(config) => {
                let id = BreakerId::nth(self.plan.breakers.len());
                let (from_name, to_name) = (self.name_of(from), self.name_of(to));
                let name = format!("{from_name}->{to_name} {policy}");
                self.plan.breakers.push(BreakerPlan { name, owner: from, config });
                LayerPlan::Breaker(id)
            }
        }
    }

    fn name_of(&self, actor: ActorId) -> &str {
        self.plan.actor_name(actor)
    }

    pub(super) fn pair(&mut self, from: ActorId, to: ActorId) -> PairId {
        let pairs = &mut self.plan.pairs;
        let n = pairs.iter().position(|pair| *pair == (from, to)).unwrap_or_else(|| {
            pairs.push((from, to));
            pairs.len() - 1
        });
        PairId::nth(n)
    }

    pub(super) fn kind(&mut self, name: &str) -> KindId {
        let kinds = &mut self.plan.kinds;
        let n = kinds.iter().position(|kind| kind == name).unwrap_or_else(|| {
            kinds.push(name.to_owned());
            kinds.len() - 1
        });
        KindId::nth(n)
    }

    /// The steps of a design with its parameters filled in.
    pub(super) fn design(&mut self, step: &Idempotent, here: &Here) -> Option<(DocId, Vec<Step>)> {
        let own = format!("designs.{}", crate::source::path_key(&step.design));
        let (label, text) = match self.docs[0].text_of(&own) {
            Some(text) => (format!("design `{}`", step.design), text.to_owned()),
            None => {
                let built_in = designs::BUILT_IN.iter().find(|(name, _)| *name == step.design);
                let Some((name, text)) = built_in else {
                    let own = self.spec.designs.keys().map(String::as_str);
                    let known = own.chain(designs::BUILT_IN.iter().map(|(name, _)| *name));
                    let help = advice(&step.design, known);
                    let message = format!("there is no design `{}`", step.design);
                    self.problem(&here.field("design"), message, help);
                    return None;
                };
                (format!("scenarios/designs/{name}.ron"), (*text).to_owned())
            }
        };
        let text = designs::fill_in(&text, step);
        let read = Document::parse(&label, &text, spec::SHORTHAND).and_then(|document| {
            let design: spec::Design = document.read()?;
            Ok((document, design.steps))
        });
        match read {
            Ok((document, steps)) => {
                self.docs.push(document);
                Some((DocId(self.docs.len() - 1), steps))
            }
            Err(error) => {
                self.problems.push(error);
                None
            }
        }
    }

    /// Compiles every program, then joins callers and callees.
    fn programs(&mut self) {
        let mut frames = Vec::new();
        for (name, actor) in &self.spec.actors {
            let here = Here::file(format!("actors.{}", crate::source::path_key(name)));
            let id = self.actor_ids[name];
            match actor {
                Actor::Client(client) => frames.push(self.client_program(id, client, &here)),
                Actor::Service(service) => {
                    for (endpoint, steps) in &service.endpoints {
                        let endpoint_id = self.endpoints[&(id, endpoint.clone())];
                        let program = self.plan.endpoints[endpoint_id.index()];
                        let full = format!("{name}.{endpoint}");
                        let mut frame = Frame::new(id, false, full, program);
                        let key = crate::source::path_key(endpoint);
                        self.program(&mut frame, steps, &here.field("endpoints").field(&key));
                        frames.push(frame);
                    }
                }
                Actor::Kv(_) | Actor::Custom(_) => {}
            }
        }
        self.bind_arguments(&mut frames);
        self.drop_unread(&frames);
        for frame in frames {
            self.problems.extend(frame.unassigned.into_values());
        }
    }

    fn client_program(&mut self, id: ActorId, client: &spec::Client, here: &Here) -> Frame {
        let name = self.name_of(id).to_owned();
        let ActorKind::Client(plan) = &self.plan.actors[id.index()].kind else {
            unreachable!("made from a client")
        };
        let mut frame = Frame::new(id, true, name.clone(), plan.program);
        let body = self.operand(&mut frame, &client.body, &here.field("body"));
        let key = Expr::Text(format!("{}-{{intent}}", name.replace('{', "{{").replace('}', "}}")));
        let key = self.operand(&mut frame, &key, here);
        if let ActorKind::Client(plan) = &mut self.plan.actors[id.index()].kind {
            (plan.body, plan.key) = (body, key);
        }
        self.program(&mut frame, &client.does, &here.field("does"));
        frame
    }

    /// `with` arguments go to the callee's variables of the same name.
    fn bind_arguments(&mut self, frames: &mut [Frame]) {
        for n in 0..self.plan.sites.len() {
            let arguments = std::mem::take(&mut self.site_notes[n].with);
            let Target::Endpoint { endpoint, .. } = &self.plan.sites[n].target else { continue };
            let program = self.plan.endpoints[endpoint.index()];
            let Some(callee) = frames.iter_mut().find(|frame| frame.id == program) else {
                continue;
            };
            let mut bound = Vec::new();
            let mut unknown = Vec::new();
            for (name, value) in arguments {
                match callee.parameter(&name) {
                    Some(reg) => bound.push((reg, value)),
                    None => unknown.push((name, callee.name.clone())),
                }
            }
            for (name, callee) in unknown {
                let here = self.site_notes[n].here.field("with").field(&name);
                self.problem(&here, format!("`{callee}` reads no variable `{name}`"), None);
            }
            if let Target::Endpoint { with, .. } = &mut self.plan.sites[n].target {
                *with = bound;
            }
        }
    }

    /// Keys and contents that no callee reads are neither worked out nor sent.
    fn drop_unread(&mut self, frames: &[Frame]) {
        for frame in frames {
            let program = &mut self.plan.programs[frame.id.index()];
            (program.reads_key, program.reads_body) = (frame.reads_key, frame.reads_body);
        }
        // Who hands on what it was given reads it itself; chains of calls need several rounds.
        let mut changed = true;
        while changed {
            changed = false;
            for (site, note) in self.plan.sites.iter().zip(&self.site_notes) {
                let (key, body, reads_key, reads_body) = match &site.target {
                    Target::Endpoint { endpoint, key, body, .. } => {
                        let callee = self.plan.endpoints[endpoint.index()];
                        let callee = &self.plan.programs[callee.index()];
                        (key, body, callee.reads_key, callee.reads_body)
                    }
                    Target::Custom { key, body, .. } => (key, body, true, true),
                    Target::Kv(_) => continue,
                };
                let owner = &mut self.plan.programs[note.owner.index()];
                let hands_key = reads_key && *key == Operand::Reg(builtin::KEY);
                let hands_body = reads_body && *body == Operand::Reg(builtin::BODY);
                changed |= (hands_key && !owner.reads_key) || (hands_body && !owner.reads_body);
                owner.reads_key |= hands_key;
                owner.reads_body |= hands_body;
            }
        }
        for site in &mut self.plan.sites {
            if let Target::Endpoint { endpoint, key, body, .. } = &mut site.target {
                let callee = self.plan.endpoints[endpoint.index()];
                let callee = &self.plan.programs[callee.index()];
                if !callee.reads_key {
                    *key = Operand::Const(Value::Nil);
                }
                if !callee.reads_body {
                    *body = Operand::Const(Value::Nil);
                }
            }
        }
    }

    fn faults(&mut self) {
        let spec = self.spec;
        for (n, plan) in spec.faults.iter().enumerate() {
            let here = Here::file("faults").at(n);
            let (trigger, lasts, fault) = match plan {
                FaultPlan::At { at, lasts, fault } => (Some(Trigger::At(*at)), *lasts, fault),
                FaultPlan::After { point, nth, lasts, fault } => {
                    self.require(*nth >= 1, &here.field("nth"), nth, "at least 1");
                    let point = self.known_point(point, &here.field("point"));
                    (point.map(|point| Trigger::After { point, nth: *nth }), *lasts, fault)
                }
            };
            if let Some(lasts) = lasts {
                self.require(!lasts.is_zero(), &here.field("for"), lasts, "above zero");
            }
            let kind = self.fault(fault, &here.field("fault"));
            if let (Some(trigger), Some((kind, label))) = (trigger, kind) {
                self.plan.faults.push(FaultEntry { trigger, lasts, fault: kind, label });
            }
        }
    }

    fn known_point(&mut self, name: &str, here: &Here) -> Option<PointId> {
        if let Some(n) = self.plan.points.iter().position(|point| point == name) {
            return Some(PointId::nth(n));
        }
        let help = match advice(name, self.plan.points.iter().map(String::as_str)) {
            Some(help) => help,
            None => "mark it with a step Label(\"…\")".to_owned(),
        };
        self.problem(here, format!("no program passes a point `{name}`"), Some(help));
        None
    }

    /// A fault and how it is told.
    fn fault(&mut self, fault: &Fault, here: &Here) -> Option<(FaultKind, String)> {
        let any = |_: &Builder<'_>, _: ActorId| true;
        let served = |b: &Builder<'_>, id| b.is_service(id) || b.is_kv(id);
        let actor_here = here.field("actor");
        let percent = |rate: f64| format!("{} %", (rate * 1000.0).round() / 10.0);
        Some(match fault {
            Fault::Errors { actor, rate, status } => {
                self.ratio(*rate, &here.field("rate"));
                self.status(*status, &here.field("status"));
                let id = self.actor_that(actor, &actor_here, served, "service or store")?;
                let label = format!("{actor}: {} errors {status}", percent(*rate));
                (FaultKind::Errors { actor: id, rate: *rate, status: *status }, label)
            }
            Fault::Hang { actor, rate } => {
                self.ratio(*rate, &here.field("rate"));
                let id = self.actor_that(actor, &actor_here, served, "service or store")?;
                let label = format!("{actor}: {} hang", percent(*rate));
                (FaultKind::Hang { actor: id, rate: *rate }, label)
            }
            Fault::Crash { actor } => {
                let id = self.actor_that(actor, &actor_here, served, "service or store")?;
                (FaultKind::Crash { actor: id }, format!("{actor}: crashed"))
            }
            Fault::Outage { actor } => {
                let id = self.actor_that(actor, &actor_here, served, "service or store")?;
                (FaultKind::Outage { actor: id }, format!("{actor}: refuses connections"))
            }
            Fault::BlackHole { actor } => {
                let id = self.actor_that(actor, &actor_here, any, "actor")?;
                (FaultKind::BlackHole { actor: id }, format!("{actor}: unreachable"))
            }
            Fault::Slow { actor, factor } => {
                let ok = factor.is_finite() && *factor > 0.0;
                self.require(ok, &here.field("factor"), factor, "finite and above zero");
                let id = self.actor_that(actor, &actor_here, served, "service or store")?;
                (
                    FaultKind::Slow { actor: id, factor: *factor },
                    format!("{actor}: {factor}x slower"),
                )
            }
            Fault::Pause { actor } => {
                let id = self.actor_that(actor, &actor_here, served, "service or store")?;
                (FaultKind::Pause { actor: id }, format!("{actor}: paused"))
            }
            Fault::Flush { store } => {
                let is_kv = |b: &Builder<'_>, id| b.is_kv(id);
                let id = self.actor_that(store, &here.field("store"), is_kv, "store")?;
                (FaultKind::Flush { store: id }, format!("{store}: forgets everything"))
            }
            Fault::Partition { from, to, both_ways } => {
                let (a, b) = self.route(from, to, here)?;
                let arrow = if *both_ways { "<->" } else { "->" };
                let kind = FaultKind::Partition { from: a, to: b, both_ways: *both_ways };
                (kind, format!("{from}{arrow}{to}: partitioned"))
            }
            Fault::Loss { from, to, rate } => {
                self.ratio(*rate, &here.field("rate"));
                let (a, b) = self.route(from, to, here)?;
                let label = format!("{from}->{to}: {} lost", percent(*rate));
                (FaultKind::Loss { from: a, to: b, rate: *rate }, label)
            }
            Fault::Duplicate { from, to, rate } => {
                self.ratio(*rate, &here.field("rate"));
                let (a, b) = self.route(from, to, here)?;
                let label = format!("{from}->{to}: {} duplicated", percent(*rate));
                (FaultKind::Duplicate { from: a, to: b, rate: *rate }, label)
            }
            Fault::Delay { from, to, by } => {
                let (a, b) = self.route(from, to, here)?;
                (FaultKind::Delay { from: a, to: b, by: *by }, format!("{from}->{to}: {by} later"))
            }
        })
    }

    fn route(&mut self, from: &str, to: &str, here: &Here) -> Option<(ActorId, ActorId)> {
        let a = self.actor(from, &here.field("from"));
        let b = self.actor(to, &here.field("to"));
        Some((a?, b?))
    }

    fn invariants(&mut self) {
        let spec = self.spec;
        for (n, invariant) in spec.invariants.iter().enumerate() {
            let here = Here::file("invariants").at(n);
            // As the author wrote it; on several lines, its first words would say too little.
            let text = self.docs[0].text_of(&here.path).unwrap_or_default();
            let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(rule) = self.rule(invariant, &here) {
                self.plan.invariants.push(InvariantPlan { name, rule });
            }
        }
    }

    fn rule(&mut self, invariant: &Invariant, here: &Here) -> Option<Rule> {
        let time = |span: &Span| Time::ZERO + *span;
        Some(match invariant {
            Invariant::ExactlyOnce(kind) => Rule::ExactlyOnce(self.known_kind(kind, here)?),
            Invariant::AtMostOnce(kind) => Rule::AtMostOnce(self.known_kind(kind, here)?),
            Invariant::AckedImpliesDone(kind) => {
                Rule::AckedImpliesDone(self.known_kind(kind, here)?)
            }
            Invariant::FailedImpliesNone(kind) => {
                Rule::FailedImpliesNone(self.known_kind(kind, here)?)
            }
            Invariant::AllAnswered => Rule::AllAnswered,
            Invariant::RecoversWithin(span) => Rule::RecoversWithin(*span),
            Invariant::Goodput { client, at_least, from, until } => {
                self.ratio(*at_least, &here.field("at_least"));
                let is_client = |b: &Builder<'_>, id: ActorId| {
                    matches!(b.plan.actors[id.index()].kind, ActorKind::Client(_))
                };
                let place = here.field("client");
                let client = self.actor_that(client, &place, is_client, "client")?;
                let until = until.as_ref().map_or(Time::MAX, time);
                Rule::Goodput { client, at_least: *at_least, from: time(from), until }
            }
            Invariant::PeakArrivals { at, max, window, retries_only } => {
                self.require(!window.is_zero(), &here.field("window"), window, "above zero");
                let service = |b: &Builder<'_>, id| b.is_service(id) || b.is_kv(id);
                let at = self.actor_that(at, &here.field("at"), service, "service or store")?;
                let (window, retries_only) = (*window, *retries_only);
                Rule::PeakArrivals { at, max: *max, window, retries_only }
            }
            Invariant::Transitions { breaker, expect } => {
                let known = self.plan.breakers.iter().map(|breaker| breaker.name.as_str());
                let Some(n) = known.clone().position(|name| name == breaker) else {
                    let help = advice(breaker, known);
                    let message = format!("there is no breaker `{breaker}`");
                    self.problem(&here.field("breaker"), message, help);
                    return None;
                };
                let state = |state: &BreakerState| match state {
                    BreakerState::Closed => StateName::Closed,
                    BreakerState::Open => StateName::Open,
                    BreakerState::HalfOpen => StateName::HalfOpen,
                };
                let expect = expect.iter().map(|(at, s)| (time(at), state(s))).collect();
                Rule::Transitions { breaker: BreakerId::nth(n), expect }
            }
            Invariant::RetryWaits { call, between } => {
                let pairs = (0..self.plan.pairs.len()).map(PairId::nth);
                let known: Vec<String> = pairs.map(|pair| self.plan.pair_name(pair)).collect();
                let Some(n) = known.iter().position(|name| name == call) else {
                    let help = advice(call, known.iter().map(String::as_str));
                    self.problem(&here.field("call"), format!("nobody calls `{call}`"), help);
                    return None;
                };
                Rule::RetryWaits { pair: PairId::nth(n), between: between.clone() }
            }
        })
    }

    fn known_kind(&mut self, kind: &str, here: &Here) -> Option<KindId> {
        if let Some(n) = self.plan.kinds.iter().position(|known| known == kind) {
            return Some(KindId::nth(n));
        }
        let help = advice(kind, self.plan.kinds.iter().map(String::as_str));
        self.problem(here, format!("no program has an effect `{kind}`"), help);
        None
    }

    /// Refuses a load that cannot be delivered within the step limit.
    fn load_fits_limits(&mut self) {
        let spec = self.spec;
        for (name, actor) in &spec.actors {
            let Actor::Client(client) = actor else { continue };
            let here = Here::file(format!("actors.{}", crate::source::path_key(name)));
            let intents = match &client.load {
                Load::Open { rate, from, until, .. } => {
                    let end = until.unwrap_or(spec.horizon).min(spec.horizon);
                    rate.per_second() * end.saturating_sub(*from).as_secs_f64()
                }
                Load::Closed { users, .. } => f64::from(*users),
                Load::Burst { count, .. } => f64::from(*count),
            };
            let steps = intents * f64::from(client.clicks);
            if steps > spec.limits.steps as f64 {
                let message = format!(
                    "this load submits about {steps:.0} times by the horizon; the run is limited \
                     to {} steps",
                    spec.limits.steps
                );
                let help = "lower the load, shorten the horizon, or raise limits.steps".to_owned();
                self.problem(&here.field("load"), message, Some(help));
            } else if matches!(client.load, Load::Closed { .. } | Load::Burst { .. })
                && steps > spec.limits.pending as f64
            {
                let message = format!(
                    "{steps:.0} submissions may be under way at once; the run is limited to {} \
                     pending events",
                    spec.limits.pending
                );
                let help = "lower the load, or raise limits.pending".to_owned();
                self.problem(&here.field("load"), message, Some(help));
            }
        }
    }
}

/// The next of 1, 2, 5, 10, … milliseconds, seconds and so on.
fn round_up(span: Span) -> Span {
    let mut unit = 1_000_000u64;
    loop {
        for step in [1, 2, 5] {
            let round = Span::nanos(unit.saturating_mul(step));
            if round >= span {
                return round;
            }
        }
        unit = unit.saturating_mul(10);
    }
}
