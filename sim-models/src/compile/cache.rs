//! Caches of services, and the steps that ask them.

use super::builder::Builder;
use super::frame::Frame;
use super::place::Here;
use crate::language::{Cached, Early, Service};
use crate::plan::{ActorId, CachedId, CachedPlan, Instr, Pc, ServiceCacheId, ServiceCachePlan};
use crate::source::{advice, path_key};

impl Builder<'_> {
    pub(super) fn service_caches(&mut self, owner: ActorId, service: &Service, here: &Here) {
        for (name, cache) in &service.caches {
            let here = here.field(&path_key(name));
            let (ttl, soft_ttl) = (cache.ttl, cache.soft_ttl);
            self.require(!ttl.is_zero(), &here.field("ttl"), ttl, "above zero");
            if let Some(soft) = soft_ttl {
                let allowed = format!("below `ttl`, {ttl}");
                self.require(soft < ttl, &here.field("soft_ttl"), soft, &allowed);
            }
            if let Some(capacity) = cache.capacity {
                self.require(capacity >= 1, &here.field("capacity"), capacity, "at least 1");
            }
            let beta = cache.early.map(|Early::XFetch { beta }| beta);
            if let Some(beta) = beta {
                let holds = beta.is_finite() && beta > 0.0;
                let here = here.field("early").field("beta");
                self.require(holds, &here, beta, "finite and above zero");
            }
            self.plan.service_caches.push(ServiceCachePlan {
                name: name.clone(),
                owner,
                ttl,
                soft_ttl,
                capacity: cache.capacity,
                coalesce: cache.coalesce,
                beta,
            });
        }
    }

    /// Whether a service has a cache.
    pub(super) fn has_cache(&self, actor: ActorId) -> bool {
        self.plan.service_caches.iter().any(|cache| cache.owner == actor)
    }

    /// The lookup, and the body as a branch beside the program.
    pub(super) fn cached(&mut self, frame: &mut Frame, step: &Cached, here: &Here) {
        let cache = self.service_cache(frame.actor, &step.cache, &here.field("cache"));
        let key = self.operand(frame, &step.key, &here.field("key"));
        let all_share = format!("all who ask the cache `{}` share one value", step.cache);
        self.need(frame, key, here.field("key"), all_share);
        let look_up = self.emit(Instr::End);
        let body = Pc::nth(self.plan.code.len());
        self.branch(frame, &step.body, &here.field("body"));
        let is_given = frame.gives(&step.into);
        let into = self.variable(frame, &step.into, &here.field("into"));
        if !is_given {
            let message = format!("nothing in the body gives `{}` a value to keep", step.into);
            let help = format!(
                "let a step of the body have `into: \"{0}\"`, or Let(\"{0}\", …)",
                step.into
            );
            self.problem(&here.field("body"), message, Some(help));
        }
        let exit = Pc::nth(self.plan.code.len());
        let Some(cache) = cache else { return };
        self.plan.code[look_up] = Instr::LookUp(CachedId::nth(self.plan.cached.len()));
        self.plan.cached.push(CachedPlan { cache, key, into, body, exit });
    }

    fn service_cache(&mut self, actor: ActorId, name: &str, here: &Here) -> Option<ServiceCacheId> {
        let caches = self.plan.service_caches.iter();
        let own: Vec<(usize, String)> = caches
            .enumerate()
            .filter(|(_, cache)| cache.owner == actor)
            .map(|(n, cache)| (n, cache.name.clone()))
            .collect();
        if let Some((n, _)) = own.iter().find(|(_, own)| own == name) {
            return Some(ServiceCacheId::nth(*n));
        }
        let message = format!("`{}` has no cache `{name}`", self.name_of(actor));
        let help = advice(name, own.iter().map(|(_, name)| name.as_str()))
            .or_else(|| Some("a service declares its `caches`".to_owned()));
        self.problem(here, message, help);
        None
    }
}
