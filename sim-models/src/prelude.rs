//! What a test of a design needs: `use sim_models::prelude::*;`.

pub use crate::custom::{
    Answer, Ask, CallId, CustomActor, CustomPolicy, Desk, Draw, Effect, Ending, Fate, Kinds,
    Passage, PolicyDesk, Reply, Ticket, Turn, Value,
};
pub use crate::explore::explore;
pub use crate::outcome::{ActorKind, Counter, InvariantVerdict, Outcome, Verdict};
pub use crate::recovery::RecoveryState;
#[cfg(feature = "proptest")]
pub use crate::strategies::{FaultPlans, seeds};
pub use crate::{Draft, Error, Scenario, Span, Time};
