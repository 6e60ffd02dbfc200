//! Whole-system proofs.

mod alone;
mod caches;
mod cli;
mod conform;
mod designs;
mod determinism;
mod exam;
mod failure_modes;
mod gallery;
mod incidents;
mod invariants;
mod language;
mod laws;
mod loads;
mod physics;
mod properties;
mod recovery;
mod redis;
mod redis_traces;
mod resp;
mod stacks;
mod store;
mod stories;
mod study;
mod support;
mod words;
