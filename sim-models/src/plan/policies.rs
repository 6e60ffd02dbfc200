//! Policy stacks: checked once by name, then bound to each caller and callee that use them.

use sim_core::Span;

use super::build::Builder;
use super::program::{Frame, Here};
use super::{
    ActorId, BreakerId, BreakerPlan, BulkheadId, BulkheadPlan, LayerPlan, Operand, ProgramId,
    StackId, StackPlan,
};
use crate::policy::{
    Backoff, Breaker, BreakerConfig, Bulkhead, Jitter, OutOfRange, Retry, RetryOn,
};
use crate::scenario::spec::{self, Expr, Policy, Trip};
use crate::source::{advice, path_key};

/// The most policies in one stack.
const LAYERS_MAX: usize = 16;

/// A checked policy that does not belong to a caller yet.
#[derive(Clone, Debug)]
pub(super) enum Layer {
    Retry(Retry),
    Timeout(Span),
    Breaker(BreakerConfig),
    Bulkhead(u32),
    Fallback { status: u16, body: Operand, on: spec::FallbackOn },
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
                let pair = self.pair(from, to);
                self.plan.breakers.push(BreakerPlan { name, owner: from, pair, config });
                LayerPlan::Breaker(id)
            }
        }
    }
}
