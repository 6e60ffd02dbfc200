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
mod lint;
mod load;
mod place;
mod policies;
mod program;
mod rules;
mod service;
mod stack;

use crate::custom::Kinds;
use crate::language::Scenario;
use crate::plan::Plan;
use crate::source::{Document, Files, SourceError};

use builder::Builder;

/// At which points programs say where they are, so that a fault can strike there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Points {
    /// At labels, and after those steps that a fault waits for.
    Asked,
    /// After every step that does something.
    All,
}

/// Builds the plan, or tells everything that is wrong with the scenario.
pub(crate) fn compile(
    document: &Document,
    spec: &Scenario,
    files: Files<'_>,
    kinds: &Kinds,
    points: Points,
) -> Result<Plan, Vec<SourceError>> {
    let mut builder = Builder::new(document, spec, files, kinds, points);
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
        builder.merge_rises();
        builder.warnings();
    }
    if builder.problems.is_empty() { Ok(builder.plan) } else { Err(builder.problems) }
}
