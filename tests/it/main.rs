//! Whole-system proofs.

mod cli;
mod determinism;
mod gallery;
mod laws;
mod properties;
mod stories;
mod support;
