//! Admission control: what a service lets in before a request may even wait.
//!
//! A limit on concurrency counts who waits as well as who is worked on, and learns from how long
//! both together took. Its permit is held until the request is answered or turned away.
//!
//! Each instance has limits of its own, as its process has. What is `Shared` stands before all of
//! them, as a gateway does, and outlives their crashes.

use std::collections::BTreeMap;

use sim_core::{Span, Time};
use sim_policies::Ending;
use sim_policies::concurrency::{ConcurrencyLimiter, LimitPermit, Sample};
use sim_policies::rate_limiter::RateLimiter;

use crate::metrics::{Amount, Door, Metrics};
use crate::outcome::Quantity;
use crate::plan::AdmissionPlan;
use crate::world::ids::RequestId;

/// The limits of one instance, or those that all share.
#[derive(Debug)]
pub(super) struct Admission {
    rate: Option<RateLimiter>,
    concurrency: Option<ConcurrencyLimiter>,
    /// What requests hold of the limit on concurrency, by request.
    permits: BTreeMap<u64, LimitPermit>,
}

impl Admission {
    /// Those of an instance that has just started.
    pub(super) fn of_instance(plan: &AdmissionPlan) -> Admission {
        Admission::new(plan, false)
    }

    /// Those that all instances share.
    pub(super) fn shared(plan: &AdmissionPlan) -> Admission {
        Admission::new(plan, true)
    }

    fn new(AdmissionPlan { rate, concurrency }: &AdmissionPlan, is_shared: bool) -> Admission {
        let checked = "the scenario was checked";
        let rate = rate.as_ref().filter(|limit| limit.is_shared() == is_shared);
        let limit = concurrency.as_ref().filter(|limit| limit.is_shared() == is_shared);
        Admission {
            rate: rate.map(|limit| RateLimiter::new(limit.policy()).expect(checked)),
            concurrency: limit.map(|limit| ConcurrencyLimiter::new(limit.policy()).expect(checked)),
            permits: BTreeMap::new(),
        }
    }

    /// Whether the rate allows one more request.
    ///
    /// # Errors
    /// With what it is answered instead.
    pub(super) fn let_in(&mut self, now: Time) -> Result<(), Ending> {
        match &mut self.rate {
            Some(rate) => {
                rate.acquire(now, 1, Span::ZERO).map(|_| ()).map_err(|_| Ending::Status(429))
            }
            None => Ok(()),
        }
    }

    /// Takes a permit for a request until it leaves.
    ///
    /// # Errors
    /// With what it is answered instead.
    pub(super) fn hold(&mut self, id: RequestId, now: Time) -> Result<(), Ending> {
        if let Some(limit) = &mut self.concurrency {
            let permit = limit.acquire(now).map_err(|_| Ending::Status(503))?;
            self.permits.insert(id.word(), permit);
        }
        Ok(())
    }

    /// Says how much is left, for those who look on.
    pub(super) fn report(&self, door: Door, instance: u32, metrics: &mut Metrics, now: Time) {
        if let (Some(rate), Some(id)) = (&self.rate, door.rate)
            && let Some(permits) = rate.available(now)
        {
            metrics.set_of((id, instance), Quantity::Tokens, Amount::near(permits), now);
        }
        if let (Some(limit), Some(id)) = (&self.concurrency, door.concurrency) {
            metrics.set_of((id, instance), Quantity::Limit, Amount::of(limit.limit()), now);
            metrics.set_of((id, instance), Quantity::InUse, Amount::of(limit.in_flight()), now);
        }
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
