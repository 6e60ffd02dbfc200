//! Models of reliability patterns on the [`sim_core`] engine: clients, links, services, a
//! Redis-like store, resilience policies, faults, invariants, and the scenario file that joins
//! them.
//!
//! [`Scenario::file`] opens one, [`Scenario::run`] replays it from a seed, and an
//! [`outcome::Outcome`] tells what was found. The same scenario and seed give the same outcome on
//! every machine.
//!
//! **Invariant:** this crate has never heard of terminals or SVG.

mod compile;
pub mod conform;
pub mod custom;
pub mod custom_policy;
pub mod designs;
mod draft;
mod error;
mod intent;
mod invariant;
pub mod language;
mod ledger;
mod log;
mod metrics;
pub mod outcome;
mod plan;
mod pool;
pub mod recovery;
mod run;
pub mod scenario;
pub mod source;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod study;
mod world;

pub use draft::Draft;
pub use error::Error;
pub use run::{Run, StepLine};
pub use scenario::Scenario;
