//! Policy stacks: checked once by name, then bound to each caller and callee that use them.

use sim_core::Span;
use sim_policies::breaker::Breaker;
use sim_policies::budget::RetryBudget;
use sim_policies::bulkhead::{Bulkhead, BulkheadConfig, semaphore};
use sim_policies::concurrency::ConcurrencyLimiter;
use sim_policies::connections;
use sim_policies::hedge::Hedge;
use sim_policies::outlier::Outlier;
use sim_policies::proxy::Proxy;
use sim_policies::rate_limiter::RateLimiter;
use sim_policies::retry::HouseConfig;
use sim_policies::throttle::AdaptiveThrottle;
use sim_policies::{EndingSet, OutOfRange, Retry, RetryConfig};
use sim_redis::value::Value;

use super::builder::{Builder, Other};
use super::frame::{Frame, Role};
use super::place::Here;
use super::stack::{Checked, Instead};
use crate::language::{self, CustomLayer, Expr, OutlierPreset, Policy};
use crate::plan::{
    ActorId, AdmissionPlan, BreakerId, BreakerPlan, CustomPolicyPlan, FallbackPlan, HedgePlan,
    LayerPlace, LayerPlan, Operand, OutlierId, OutlierPlan, ProgramId, RateLimiterPlan, RetryPlan,
    StackId, StackPlan, TimeoutPlan, UpstreamPlan,
};
use crate::source::{advice, path_key};

/// The most policies in one stack.
const LAYERS_MAX: usize = 16;

/// Why a policy cannot be used.
struct Refusal {
    /// The option, as the policy spells it; none when it is the policy as a whole.
    field: Option<&'static str>,
    message: String,
}

impl From<OutOfRange> for Refusal {
    fn from(error: OutOfRange) -> Refusal {
        Refusal { field: Some(error.field), message: error.to_string() }
    }
}

fn refuse(field: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { field: Some(field), message: message.into() }
}

impl Builder<'_> {
    /// Checks every policy, whether it is used or not.
    pub(super) fn policies(&mut self) {
        for (name, stack) in &self.spec.policies {
            let here = Here::file(format!("policies.{}", path_key(name)));
            if stack.len() > LAYERS_MAX {
                let message =
                    format!("{} policies in one stack; at most {LAYERS_MAX}", stack.len());
                self.problem(&here, message, None);
            }
            let mut checked = Checked::default();
            for (n, policy) in stack.iter().enumerate() {
                let here = here.at(n);
                let (policy, here, shared) = match policy {
                    Policy::Shared(shared) => (&*shared.policy, here.field("policy"), true),
                    policy => (policy, here, false),
                };
                let instead = match policy {
                    Policy::OutlierDetection(d) => Some(Instead::Hosts(d.hosts.clone())),
                    Policy::Upstream(u) => Some(Instead::Hosts(u.hosts.clone())),
                    Policy::Fallback(fallback) => fallback.call.clone().map(Instead::Endpoint),
                    _ => None,
                };
                checked.instead.extend(instead.map(|instead| (checked.layers.len(), instead)));
                match self.layers_of(policy, &here) {
                    Ok(more) if shared && !more.iter().any(LayerPlan::remembers) => {
                        let message = "this policy remembers nothing that could be shared";
                        self.problem(&here, message, Some("write it without `Shared`".to_owned()));
                    }
                    Ok(more) => {
                        checked.shared.extend(more.iter().map(|_| shared));
                        checked.written.extend(more.iter().map(|_| n));
                        checked.layers.extend(more);
                    }
                    Err(refusal) => self.refused(&here, refusal),
                }
            }
            self.policies.insert(name.clone(), checked);
        }
    }

    fn refused(&mut self, here: &Here, refusal: Refusal) {
        let Refusal { field, message } = refusal;
        let place = field.map_or_else(|| here.clone(), |field| self.place_of(here, field));
        self.problem(&place, message, None);
    }

    /// An option of a preset lies one level deeper than one of the policy, as the cap of a backoff
    /// does; the deepest place that exists in the file is pointed at.
    fn place_of(&self, here: &Here, field: &str) -> Here {
        let exists = |here: &Here| self.docs[0].text_of(&here.path).is_some();
        let inner = ["like", "trip", "limit", "backoff", "budget"].map(|inner| here.field(inner));
        let deep = inner.iter().map(|inner| inner.field(field)).find(&exists);
        let own = Some(here.field(field)).filter(&exists);
        // Left out: then the preset whose default does not fit the other options.
        let preset = || inner.iter().find(|inner| exists(inner)).cloned();
        deep.or(own).or_else(preset).unwrap_or_else(|| here.clone())
    }

    /// A policy as one layer, or as several where a library's breaker comes with its own timeout
    /// and semaphore.
    fn layers_of(&mut self, policy: &Policy, here: &Here) -> Result<Vec<LayerPlan>, Refusal> {
        Ok(vec![match policy {
            Policy::Retry(retry) => retry_layer(retry)?,
            Policy::Timeout(timeout) => {
                let language::Timeout { after, cancels } = *timeout;
                let after = above_zero(after, "a timeout")?;
                LayerPlan::Timeout(TimeoutPlan { after, cancels })
            }
            Policy::Deadline(after) => LayerPlan::Deadline(above_zero(*after, "a deadline")?),
            Policy::Breaker(breaker) => {
                let outside = [
                    ("open_for", breaker.open_for.is_some()),
                    ("close_after", breaker.close_after.is_some()),
                ];
                let is_written = |field| {
                    let inside = here.field("trip").field(field);
                    self.docs[0].text_of(&inside.path).is_some()
                };
                for (field, is_outside) in outside {
                    if is_outside && is_written(field) {
                        return Err(refuse(field, GIVEN_TWICE));
                    }
                }
                return breaker_layers(breaker);
            }
            Policy::Bulkhead(bulkhead) => {
                let config = bulkhead_config(bulkhead)?;
                Bulkhead::new(&config)?;
                LayerPlan::Bulkhead(config)
            }
            Policy::ConnectionPool(pool) => return pool_layers(*pool),
            Policy::RateLimiter(limiter) => {
                let machine = RateLimiter::new(&limiter.limit)?;
                let wait = limiter.wait.or(machine.default_wait()).unwrap_or_default();
                LayerPlan::RateLimiter(RateLimiterPlan { limit: limiter.limit.clone(), wait })
            }
            Policy::ConcurrencyLimit(limit) => {
                ConcurrencyLimiter::new(&limit.limit)?;
                LayerPlan::ConcurrencyLimit(limit.limit.clone())
            }
            Policy::AdaptiveThrottle(config) => {
                AdaptiveThrottle::new(config)?;
                LayerPlan::Throttle(config.clone())
            }
            Policy::Hedge(hedge) => {
                let (machine, even_if_unsafe) = (Hedge::new(&hedge.like)?, hedge.even_if_unsafe);
                if even_if_unsafe && !machine.is_guarded() {
                    return Err(refuse("even_if_unsafe", UNGUARDED));
                }
                LayerPlan::Hedge(HedgePlan { hedge: hedge.like.clone(), even_if_unsafe })
            }
            Policy::OutlierDetection(detection) => {
                let OutlierPreset::Envoy(config) = &detection.like;
                let hosts = u32::try_from(detection.hosts.len() + 1).unwrap_or(u32::MAX);
                Outlier::new(config, hosts)?;
                let named =
                    |(n, host): (usize, &String)| self.actor(host, &here.field("hosts").at(n));
                let hosts = detection.hosts.iter().enumerate().filter_map(named).collect();
                let id = OutlierId::default();
                LayerPlan::Outlier(Box::new(OutlierPlan { id, config: config.clone(), hosts }))
            }
            Policy::Upstream(upstream) => {
                let named =
                    |(n, host): (usize, &String)| self.actor(host, &here.field("hosts").at(n));
                let _: Vec<_> = upstream.hosts.iter().enumerate().filter_map(named).collect();
                let config = upstream.like.clone();
                let all = [&["the callee".to_owned()], &upstream.hosts[..]].concat();
                Proxy::new(&config, &all)?;
                let hosts = upstream.hosts.clone();
                LayerPlan::Upstream(Box::new(UpstreamPlan { config, hosts }))
            }
            Policy::Fallback(fallback) => {
                self.status(fallback.status, &here.field("status"));
                if fallback.cached.is_some() && fallback.call.is_some() {
                    let message = "a fallback answers from its cache or asks another endpoint; \
                                   for both write two fallbacks";
                    return Err(refuse("call", message));
                }
                let body = self.literal(&fallback.body, &here.field("body"));
                LayerPlan::Fallback(FallbackPlan {
                    status: fallback.status,
                    body,
                    on: fallback.on,
                    cached: fallback.cached,
                    calls: fallback.call.is_some(),
                    is_goodput: fallback.goodput.unwrap_or(fallback.call.is_some()),
                })
            }
            Policy::Shared(_) => {
                let message = "what is shared cannot be shared once more";
                return Err(Refusal { field: None, message: message.to_owned() });
            }
            Policy::Custom(CustomLayer { kind, config }) => {
                let refusal = |message| Refusal { field: Some("kind"), message };
                let make = self.kinds.policy(kind).map_err(refusal)?;
                make(config).map_err(refusal)?;
                LayerPlan::Custom(CustomPolicyPlan { make, config: config.clone() })
            }
        }])
    }

    /// An expression that names no variables.
    fn literal(&mut self, expr: &Expr, here: &Here) -> Value {
        let mut frame = Frame::new(ActorId(0), Role::Endpoint, String::new(), ProgramId(0));
        let Operand::Const(value) = self.operand(&mut frame, expr, here) else {
            self.problem(here, "a fallback's body cannot name variables", None);
            return Value::Nil;
        };
        value
    }

    /// The stack of a policy as one caller uses it for one callee; each such use has its own
    /// breakers, limits and budgets.
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
        let (mut layers, mut shared) = (Vec::new(), Vec::new());
        if let Some(name) = policy {
            match self.policies.get(name) {
                Some(found) => (layers, shared) = (found.layers.clone(), found.shared.clone()),
                None => {
                    let help = advice(name, self.spec.policies.keys().map(String::as_str));
                    let message = format!("there is no policy `{name}`");
                    self.problem(&here.field("policy"), message, help);
                }
            }
        }
        let policy = policy.unwrap_or_default();
        let callee = self.name_of(to).to_owned();
        let name = format!("{}->{callee} {policy}", self.name_of(from));
        let pair = self.pair(from, to);
        let plan = &mut self.plan;
        let stack = StackId::nth(plan.stacks.len());
        for (layer, of) in layers.iter_mut().enumerate() {
            let place = LayerPlace { stack, layer };
            match of {
                LayerPlan::Breaker(breaker) => {
                    breaker.id = BreakerId::nth(plan.breakers.len());
                    plan.breakers.push(place);
                }
                LayerPlan::Outlier(outlier) => {
                    outlier.id = OutlierId::nth(plan.outliers.len());
                    outlier.hosts.insert(0, to);
                    plan.outliers.push(place);
                }
                LayerPlan::Upstream(upstream) => upstream.hosts.insert(0, callee.clone()),
                _ => {}
            }
        }
        plan.stacks.push(StackPlan { name, owner: from, to, pair, layers, shared });
        self.stacks.insert(key, stack);
        stack
    }

    /// What guards a service's own door.
    pub(super) fn admission(
        &mut self,
        admission: &language::Admission,
        here: &Here,
    ) -> AdmissionPlan {
        let language::Admission { rate, concurrency } = admission;
        if let Some(Err(error)) = rate.as_ref().map(|limit| RateLimiter::new(limit.policy())) {
            self.problem(&here.field("rate"), error.to_string(), None);
        }
        let limit = concurrency.as_ref();
        if let Some(Err(error)) = limit.map(|limit| ConcurrencyLimiter::new(limit.policy())) {
            self.problem(&here.field("concurrency"), error.to_string(), None);
        }
        admission.clone()
    }

    /// By layer of a stack: whom it may call instead of the callee that a call names.
    pub(super) fn others(
        &mut self,
        policy: Option<&str>,
        name: &str,
        here: &Here,
    ) -> Vec<(usize, Vec<Other>)> {
        let checked = policy.and_then(|policy| self.policies.get(policy)).cloned();
        let mut found = Vec::new();
        for (n, instead) in checked.unwrap_or_default().instead {
            let others = match instead {
                Instead::Hosts(hosts) => {
                    let (_, endpoint) = name.split_once('.').unwrap_or_default();
                    // One that does not exist was complained of where it stands.
                    let hosts = hosts.iter().filter(|host| self.actor_ids.contains_key(*host));
                    let hosts = hosts.map(|host| format!("{host}.{endpoint}"));
                    let hosts: Vec<String> = hosts.collect();
                    let mut others = vec![Other::Itself];
                    others.extend(hosts.iter().filter_map(|host| self.other(host, here)));
                    others
                }
                Instead::Endpoint(call) => self.other(&call, here).into_iter().collect(),
            };
            found.push((n, others));
        }
        found
    }

    fn other(&mut self, name: &str, here: &Here) -> Option<Other> {
        let (actor, endpoint) = self.callee(name, &here.field("policy"))?;
        Some(Other::Callee(actor, endpoint))
    }
}

fn above_zero(after: Span, what: &str) -> Result<Span, Refusal> {
    if after.is_zero() {
        let message = format!("{what} of zero; it must be above zero");
        return Err(Refusal { field: None, message });
    }
    Ok(after)
}

fn retry_layer(retry: &language::Retry) -> Result<LayerPlan, Refusal> {
    let language::Retry { like, attempts, backoff, jitter, total, on, .. } = retry;
    let (budget, even_if_unsafe) = (retry.budget.clone(), retry.even_if_unsafe);
    if let Some(budget) = &budget {
        RetryBudget::new(budget)?;
    }
    if let Some(preset) = like {
        let given = [
            ("attempts", attempts.is_some()),
            ("backoff", backoff.is_some()),
            ("jitter", jitter.is_some()),
            ("total", total.is_some()),
            ("on", on.is_some()),
            ("conflict", retry.conflict),
            ("rejected", retry.rejected),
        ];
        if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
            return Err(refuse(field, OWN_OPTION));
        }
        let retry = Retry::new(preset)?;
        if even_if_unsafe && !retry.is_guarded() {
            return Err(refuse("even_if_unsafe", UNGUARDED));
        }
        let (budget, pacer) = (budget.or(preset.options().budget()), preset.options().pacer());
        return Ok(LayerPlan::Retry(Box::new(RetryPlan { retry, budget, pacer, even_if_unsafe })));
    }
    let mut on = on.unwrap_or(EndingSet::RETRYABLE);
    for (word, wanted) in [("409", retry.conflict), ("rejected", retry.rejected)] {
        if wanted {
            on = on.with(word).expect("a word that is known");
        }
    }
    let house = HouseConfig {
        attempts: attempts
            .ok_or_else(|| refuse("attempts", "a retry needs `attempts`, or a library"))?,
        backoff: backoff.unwrap_or_default(),
        jitter: jitter.unwrap_or_default(),
        total: *total,
        on,
        ..HouseConfig::default()
    };
    let retry = Retry::new(&RetryConfig::House(house))?;
    Ok(LayerPlan::Retry(Box::new(RetryPlan { retry, budget, pacer: None, even_if_unsafe })))
}

/// A breaker, with the timeout that a library's breaker brings along.
fn breaker_layers(breaker: &language::Breaker) -> Result<Vec<LayerPlan>, Refusal> {
    let language::Breaker { trip, open_for, close_after, record, ignore } = breaker;
    let mut config = trip.clone();
    let options = config.options_mut();
    if let Some(open_for) = open_for {
        *options.open_for().ok_or_else(|| refuse("open_for", OF_THE_LIBRARY))? = *open_for;
    }
    if let Some(close_after) = close_after {
        *options.close_after().ok_or_else(|| refuse("close_after", OF_THE_LIBRARY))? = *close_after;
    }
    let (after, cancels, record) = (options.timeout(), options.timeout_cancels(), *record);
    Breaker::new(&config)?;
    let breaker = BreakerPlan { id: BreakerId::default(), config, record, ignore: *ignore };
    let mut layers = vec![LayerPlan::Breaker(Box::new(breaker))];
    if !after.is_zero() {
        layers.push(LayerPlan::Timeout(TimeoutPlan { after, cancels }));
    }
    Ok(layers)
}

fn bulkhead_config(bulkhead: &language::Bulkhead) -> Result<BulkheadConfig, Refusal> {
    let language::Bulkhead { like, limit, queue, wait } = bulkhead;
    if let Some(like) = like {
        return match (limit, queue, wait) {
            (None, None, None) => Ok(like.clone()),
            (Some(_), ..) => Err(refuse("limit", OWN_OPTION)),
            (_, Some(_), _) => Err(refuse("queue", OWN_OPTION)),
            (.., Some(_)) => Err(refuse("wait", OWN_OPTION)),
        };
    }
    let limit = limit.ok_or_else(|| refuse("limit", "a bulkhead needs a limit, or a library"))?;
    let queue = queue.unwrap_or(if wait.is_some() { u32::MAX } else { 0 });
    Ok(BulkheadConfig::Semaphore(semaphore::Config { limit, queue, wait: *wait }))
}

/// The right to a connection, and the connection.
fn pool_layers(pool: language::ConnectionPool) -> Result<Vec<LayerPlan>, Refusal> {
    let language::ConnectionPool { size, wait, connect, idle } = pool;
    if size == 0 {
        return Err(refuse("size", "a pool of no connections; it must have at least 1"));
    }
    let permits = semaphore::Config { limit: size, queue: u32::MAX, wait: Some(wait) };
    Ok(vec![
        LayerPlan::Bulkhead(BulkheadConfig::Semaphore(permits)),
        LayerPlan::Connections(connections::Config { connect, idle }),
    ])
}

const OWN_OPTION: &str = "the library after `like` has its own options";

const UNGUARDED: &str = "only the house's own policy asks whether a call may count twice; the \
                         library never does, leave this out";

const OF_THE_LIBRARY: &str = "a library's breaker has its own option for that";

const GIVEN_TWICE: &str = "given twice, here and beside the preset";
