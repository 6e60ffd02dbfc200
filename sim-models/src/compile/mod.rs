//! From the language to a plan: names become ids, numbers are checked, programs become code.
//!
//! Problems are collected, not thrown: one reading of the file tells all of them.

mod actors;
mod basics;
mod builder;
mod cache;
mod command;
mod cycle;
mod design;
mod dist;
mod expr;
mod faults;
mod files;
mod frame;
mod join;
mod layer;
mod load;
mod place;
mod policies;
mod program;
mod rules;
mod service;
mod stability;
mod warnings;

use crate::language::Scenario;
use crate::plan::Plan;
use crate::source::{Document, Files, SourceError};

use builder::Builder;
pub(crate) use builder::OwnEffects;

/// Builds the plan, or tells everything that is wrong with the scenario. The kinds of effects of
/// each actor written in Rust are `own_effects`.
pub(crate) fn compile(
    document: &Document,
    spec: &Scenario,
    own_effects: &OwnEffects,
    files: Files<'_>,
) -> Result<Plan, Vec<SourceError>> {
    let mut builder = Builder::new(document, spec, own_effects, files);
    builder.basics();
    builder.recovery();
    builder.actors();
    builder.queues();
    builder.links();
    builder.policies();
    builder.programs();
    builder.undone_are_done();
    builder.faults();
    builder.invariants();
    builder.known_breaks();
    builder.load_fits_limits();
    cycle::check(&mut builder);
    if builder.problems.is_empty() {
        builder.merge_spikes();
        builder.warnings();
    }
    if builder.problems.is_empty() { Ok(builder.plan) } else { Err(builder.problems) }
}
