//! A deterministic discrete-event engine: virtual time, an ordered queue of events, seeded
//! random streams, samplers and a run digest.
pub mod digest;
pub mod dist;
mod heap;
mod ladder;
pub mod limits;
pub mod math;
mod quantile;
mod queue;
pub mod simulation;
pub mod stream;
pub mod time;

pub use digest::{Checkpoint, Digest};
pub use dist::{Dist, DistError};
pub use limits::{LimitHit, Limits};
pub use queue::{Handle, Lane};
pub use simulation::{Context, Model, Simulation, Step, Stop};
pub use stream::{Draw, Draws, Indexed, Purpose, Stream, Streams, mix};
pub use time::{Span, Time};
