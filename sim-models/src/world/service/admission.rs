//! Admission control: what a service lets in before a request may even wait.
//!
//! A limit on concurrency counts who waits as well as who is worked on, and learns from how long
//! both together took. Its permit is held until the request is answered or turned away.

use std::collections::BTreeMap;

use sim_core::{Span, Time};
use sim_policies::Ending;
use sim_policies::concurrency::{ConcurrencyLimiter, LimitPermit, Sample};
use sim_policies::rate_limiter::RateLimiter;

use crate::plan::AdmissionPlan;
use crate::world::ids::RequestId;

/// A service's own limits.
#[derive(Debug)]
pub(super) struct Admission {
    rate: Option<RateLimiter>,
    concurrency: Option<ConcurrencyLimiter>,
    /// What requests hold of the limit on concurrency, by request.
    permits: BTreeMap<u64, LimitPermit>,
}

impl Admission {
    pub(super) fn new(plan: &AdmissionPlan) -> Admission {
        let checked = "the scenario was checked";
        let rate = plan.rate.as_ref().map(|limit| RateLimiter::new(limit).expect(checked));
        let limit = plan.concurrency.as_ref();
        let concurrency = limit.map(|limit| ConcurrencyLimiter::new(limit).expect(checked));
        Admission { rate, concurrency, permits: BTreeMap::new() }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// With what it is answered instead.
    pub(super) fn enter(&mut self, id: RequestId, now: Time) -> Result<(), Ending> {
        if let Some(rate) = &mut self.rate {
            rate.acquire(now, 1, Span::ZERO).map_err(|_| Ending::Status(429))?;
        }
        if let Some(limit) = &mut self.concurrency {
            let permit = limit.acquire(now).map_err(|_| Ending::Status(503))?;
            self.permits.insert(id.word(), permit);
        }
        Ok(())
    }

    /// A request has its answer: whatever it held is given back. `draw` is asked for only then.
    pub(super) fn leave(
        &mut self,
        id: RequestId,
        sample: Sample,
        now: Time,
        draw: impl FnOnce() -> u64,
    ) {
        let Some(limit) = &mut self.concurrency else { return };
        let Some(permit) = self.permits.remove(&id.word()) else { return };
        limit.release(permit, now, sample, draw());
    }
}
