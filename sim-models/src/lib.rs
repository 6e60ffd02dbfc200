//! What does a reliability pattern do when things fail? Describe a system, break it, and look.
//!
//! A scenario is a text: clients, links, services, a Redis-like store, policies, faults and
//! promises. [`Scenario::file`] or [`Scenario::text`] begins with one, a [`Draft`] chooses a variant
//! and sets values, and the [`Outcome`](outcome::Outcome) of a run says which promises were kept.
//! The same scenario and seed give the same outcome on every machine.
//!
//! ```
#![doc = include_str!("../examples/first_run.rs")]
//! ```
//!
//! # Examples
//!
//! Each is a program of its own, `cargo run -p sim-models --example NAME`, and also a test.
//!
//! | example | what it shows |
//! |---|---|
//! | `first_run` | the program above |
//! | `property_test` | random faults and seeds against a promise |
//! | `study` | many seeds: intervals, and a fair comparison of two settings |
//! | `own_actor` | an actor written in Rust |
//! | `own_policy` | a policy written in Rust |
//! | `breaker`, of `sim-policies` | four libraries' breakers in one outage, without the simulator |
//! | `lock`, of `sim-redis` | a lock and a failover in the Redis node, without the simulator |
//!
//! # Where to find what
//!
//! | to … | see |
//! |---|---|
//! | write a test | [`prelude`] |
//! | load, change and run a scenario | [`Draft`], [`Scenario`], [`Error`] |
//! | read what a run found | [`outcome`], [`recovery`] |
//! | read all that happened, line by line | [`account`] |
//! | see each request as a tree of spans | [`activity`] |
//! | run many seeds | [`study`] |
//! | find faults that break a promise | [`explore`](mod@explore) |
//! | draw random faults | `strategies`, with the feature `proptest` |
//! | write an actor or a policy in Rust | [`custom`] |
//! | go step by step, or keep a record | [`Run`] |
//! | point at the parts of a scenario | [`anatomy`] |
//! | list the numbers of a scenario that can be changed | [`knob`] |
//! | look up a word of the language | [`language`] |
//!
//! **Invariant:** this crate has never heard of terminals or SVG.

pub mod account;
pub mod activity;
pub mod anatomy;
mod axis;
mod compile;
pub mod conform;
pub mod custom;
pub mod designs;
mod draft;
mod endings;
mod error;
pub mod explore;
pub mod figure;
mod intent;
mod invariant;
pub mod knob;
pub mod language;
mod ledger;
mod lengths;
mod lineage;
mod log;
mod metrics;
pub mod outcome;
mod plan;
mod pool;
pub mod prelude;
pub(crate) mod promises;
mod reading;
pub mod recovery;
mod resource;
mod run;
mod scenario;
mod source;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod study;
mod trace;
pub mod why;
mod world;

pub use draft::Draft;
pub use error::Error;
pub use run::{Run, StepLine};
pub use scenario::Scenario;
pub use sim_core::{Span, Time};
pub use source::{Place, SourceError, Spot, closest};

/// The Rust of the project's front page is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
