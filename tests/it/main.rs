//! Whole-system proofs.

mod invariants;
mod language;
mod world;
