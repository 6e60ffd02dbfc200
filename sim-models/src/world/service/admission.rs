//! Admission control: what a service lets in before a request may even wait.
//!
//! A limit on concurrency counts who waits as well as who is worked on, and learns from how long
//! both together took. Its permit is held until the request is answered or turned away.

use sim_core::{Draw, Span};
use sim_policies::Ending;

use crate::plan::ActorId;
use crate::pool::Id;
use crate::world::network::Request;
use crate::world::stack::sample;
use crate::world::{Ctx, World, nth};

/// Tells the draws of a server's limit from those of its callers' policies.
const ADMISSION: u64 = 0xad;

impl World {
    /// Whether a request is let in; if not, with what it is answered.
    pub(in crate::world) fn pass_admission(
        &mut self,
        id: Id<Request>,
        ctx: &Ctx,
    ) -> Result<(), Ending> {
        let actor = self.network.requests[id].to;
        let Some(service) = self.service(actor) else { return Ok(()) };
        let (rate, concurrency) = (service.plan.admission.rate, service.plan.admission.concurrency);
        if let Some(rate) = rate {
            let limiter = self.stack.rate_limiter(rate);
            limiter.acquire(ctx.now(), 1, Span::ZERO).map_err(|_| Ending::Status(429))?;
        }
        if let Some(limit) = concurrency {
            let limiter = self.stack.limit(limit);
            let permit = limiter.acquire(ctx.now()).map_err(|_| Ending::Status(503))?;
            if let Some(service) = self.service(actor) {
                service.permits.insert(id.word(), permit);
            }
        }
        Ok(())
    }

    /// A request has its answer: whatever it held of its service's limit is given back.
    pub(in crate::world) fn leave_admission(&mut self, id: Id<Request>, ending: Ending, ctx: &Ctx) {
        let Request { to, lineage, .. } = self.network.requests[id];
        let Some(service) = self.service(to) else { return };
        let Some(limit) = service.plan.admission.concurrency else { return };
        let Some(permit) = service.permits.remove(&id.word()) else { return };
        let draw = self.shared.luck.probe.at(nth(lineage, ADMISSION, 0)).next_u64();
        self.stack.limit(limit).release(permit, ctx.now(), sample(ending), draw);
    }

    /// A service that died has forgotten whom it let in.
    pub(in crate::world) fn forget_admissions(&mut self, actor: ActorId) {
        if let Some(service) = self.service(actor) {
            service.permits.clear();
        }
    }
}
