//! What must hold.

use sim_redis::value::Value;

use super::{ActorId, BreakerId, EndpointId, KindId, PairId, Plan};
use crate::language::{Addresses, Invariant};

pub(crate) use crate::language::BreakerState;

/// An invariant of a compiled scenario.
#[derive(Clone, Debug)]
pub(crate) struct InvariantPlan {
    /// As the scenario spells it.
    pub name: String,
    /// The scenario is there to show how it is broken.
    pub known: bool,
    pub rule: Rule,
}

/// What must hold, with the ids of what it watches.
pub(crate) type Rule = Invariant<Ids>;

/// By id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids;

impl Addresses for Ids {
    type Kind = KindId;
    type Actor = ActorId;
    type Endpoint = Server;
    /// Of one instance of its caller.
    type Breaker = (BreakerId, u32);
    type Pair = PairId;
}

/// Who answers calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Endpoint(EndpointId),
    Custom { actor: ActorId, endpoint: Value },
}

impl Plan {
    /// Whether a server looks at the keys of its requests.
    pub(crate) fn looks_at_keys(&self, server: Server) -> bool {
        match server {
            Server::Endpoint(endpoint) => {
                let program = self.endpoints[endpoint.index()];
                self.programs[program.index()].reads_key
            }
            Server::Custom { .. } => true,
        }
    }
}
