//! What the policies of a run remember between calls, and when they forget it.

use sim_core::{Handle, Time};
use sim_policies::OutOfRange;
use sim_policies::aws::ClientRateLimiter;
use sim_policies::breaker::Breaker;
use sim_policies::budget::RetryBudget;
use sim_policies::bulkhead::Bulkhead;
use sim_policies::concurrency::ConcurrencyLimiter;
use sim_policies::connections::Connections;
use sim_policies::hedge::Hedge;
use sim_policies::outlier::Outlier;
use sim_policies::rate_limiter::RateLimiter;
use sim_policies::throttle::AdaptiveThrottle;
use sim_redis::value::Value;

use crate::plan::{ActorId, Owned, Plan};
use crate::pool::Id;
use crate::world::stack::Call;

/// The state of every policy, by its id in the plan.
///
/// Each belongs to one caller and its use of one stack for one callee: callers share nothing.
#[derive(Debug)]
pub(in crate::world) struct Policies {
    pub(in crate::world) budgets: Vec<RetryBudget>,
    pub(in crate::world) pacers: Vec<ClientRateLimiter>,
    pub(in crate::world) breakers: Vec<BreakerState>,
    pub(in crate::world) bulkheads: Vec<Bulkhead>,
    pub(in crate::world) connections: Vec<Connections>,
    pub(in crate::world) rate_limiters: Vec<RateLimiter>,
    pub(in crate::world) limits: Vec<ConcurrencyLimiter>,
    pub(in crate::world) throttles: Vec<AdaptiveThrottle>,
    pub(in crate::world) hedges: Vec<Hedge>,
    pub(in crate::world) outliers: Vec<OutlierState>,
    /// What fallbacks remember, and since when.
    pub(in crate::world) cached: Vec<Option<(Time, Value)>>,
}

/// A breaker with what waits for it.
#[derive(Debug)]
pub(in crate::world) struct BreakerState {
    pub(in crate::world) machine: Breaker,
    /// When it is going to act by itself.
    pub(in crate::world) timer: Option<(Time, Handle)>,
    /// Calls that wait for the end of another, with that one's tag, in the order they came.
    pub(in crate::world) parked: Vec<(Id<Call>, u64)>,
}

/// Outlier detection with its timer.
#[derive(Debug)]
pub(in crate::world) struct OutlierState {
    pub(in crate::world) machine: Outlier,
    /// When it is going to look at its endpoints.
    pub(in crate::world) sweep: Option<Time>,
}

impl Policies {
    pub(in crate::world) fn new(plan: &Plan) -> Policies {
        let breakers = plan.breakers.iter().map(|plan| BreakerState {
            machine: checked(Breaker::new(&plan.config)),
            timer: None,
            parked: Vec::new(),
        });
        let outliers = plan.outliers.iter().map(|plan| {
            let hosts = u32::try_from(plan.hosts.len()).expect("hosts are written one by one");
            OutlierState { machine: checked(Outlier::new(&plan.config, hosts)), sweep: None }
        });
        Policies {
            budgets: build(&plan.budgets, RetryBudget::new),
            pacers: plan.pacers.iter().map(|_| ClientRateLimiter::new()).collect(),
            breakers: breakers.collect(),
            bulkheads: build(&plan.bulkheads, Bulkhead::new),
            connections: plan.connections.iter().map(|p| Connections::new(p.config)).collect(),
            rate_limiters: build(&plan.rate_limiters, |plan| RateLimiter::new(&plan.limit)),
            limits: build(&plan.concurrency_limits, ConcurrencyLimiter::new),
            throttles: build(&plan.throttles, AdaptiveThrottle::new),
            hedges: build(&plan.hedges, |plan| Hedge::new(&plan.hedge)),
            outliers: outliers.collect(),
            cached: vec![None; plan.caches.len()],
        }
    }

    /// A restarted process has forgotten what its policies had counted.
    pub(in crate::world) fn forget(&mut self, plan: &Plan, owner: ActorId) {
        let fresh = Policies::new(plan);
        renew(owner, &mut self.budgets, fresh.budgets, plan.budgets.iter().map(|p| p.owner));
        renew(owner, &mut self.pacers, fresh.pacers, plan.pacers.iter().map(|p| p.owner));
        renew(owner, &mut self.bulkheads, fresh.bulkheads, plan.bulkheads.iter().map(|p| p.owner));
        let owners = plan.connections.iter().map(|p| p.owner);
        renew(owner, &mut self.connections, fresh.connections, owners);
        let owners = plan.rate_limiters.iter().map(|p| p.owner);
        renew(owner, &mut self.rate_limiters, fresh.rate_limiters, owners);
        let owners = plan.concurrency_limits.iter().map(|p| p.owner);
        renew(owner, &mut self.limits, fresh.limits, owners);
        renew(owner, &mut self.throttles, fresh.throttles, plan.throttles.iter().map(|p| p.owner));
        renew(owner, &mut self.hedges, fresh.hedges, plan.hedges.iter().map(|p| p.owner));
        for ((state, fresh), plan) in
            self.outliers.iter_mut().zip(fresh.outliers).zip(&plan.outliers)
        {
            if plan.owner == owner {
                // A sweep that is due finds a machine that does not want to be woken.
                state.machine = fresh.machine;
            }
        }
        renew(owner, &mut self.cached, fresh.cached, plan.caches.iter().copied());
        for ((state, fresh), plan) in
            self.breakers.iter_mut().zip(fresh.breakers).zip(&plan.breakers)
        {
            if plan.owner == owner {
                // The timer stays: it finds a machine that does not want to be woken.
                state.machine = fresh.machine;
                state.parked.clear();
            }
        }
    }
}

impl Policies {
    /// A process has died, and with it the other ends of all connections to it.
    pub(in crate::world) fn break_connections(&mut self, plan: &Plan, to: ActorId) {
        for (connections, plan) in self.connections.iter_mut().zip(&plan.connections) {
            if plan.to == to {
                connections.break_all();
            }
        }
    }
}

/// Replaces what `owner` owns.
fn renew<T>(owner: ActorId, old: &mut [T], fresh: Vec<T>, owners: impl Iterator<Item = ActorId>) {
    for ((old, fresh), whose) in old.iter_mut().zip(fresh).zip(owners) {
        if whose == owner {
            *old = fresh;
        }
    }
}

fn build<C, T>(plans: &[Owned<C>], new: impl Fn(&C) -> Result<T, OutOfRange>) -> Vec<T> {
    plans.iter().map(|plan| checked(new(&plan.config))).collect()
}

fn checked<T>(built: Result<T, OutOfRange>) -> T {
    built.expect("the scenario was checked")
}
