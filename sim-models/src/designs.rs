//! The built-in idempotency designs: readable RON under `scenarios/designs/`, built into the
//! binary.

use crate::scenario::spec::Idempotent;

/// Designs may use designs; no deeper than this, so that one that uses itself is refused.
pub(crate) const NESTING_MAX: usize = 4;

/// Name and text of each design.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("naive", include_str!("../../scenarios/designs/naive.ron")),
    ("safe", include_str!("../../scenarios/designs/safe.ron")),
    ("unprotected", include_str!("../../scenarios/designs/unprotected.ron")),
];

/// A design's text with `$store`, `$lock` and `$keep` filled in.
pub(crate) fn fill_in(text: &str, step: &Idempotent) -> String {
    text.replace("$store", &step.store)
        .replace("$lock", &step.lock.to_string())
        .replace("$keep", &step.keep.to_string())
}
