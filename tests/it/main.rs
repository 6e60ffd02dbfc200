//! Whole-system proofs.

mod cli;
mod determinism;
mod gallery;
mod invariants;
mod language;
mod laws;
mod properties;
mod stories;
mod support;
