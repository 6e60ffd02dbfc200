//! Whole-system proofs.

mod alone;
mod cli;
mod conform;
mod determinism;
mod exam;
mod gallery;
mod invariants;
mod language;
mod laws;
mod properties;
mod redis;
mod redis_traces;
mod resp;
mod stacks;
mod store;
mod stories;
mod support;
