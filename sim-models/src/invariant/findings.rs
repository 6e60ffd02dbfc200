//! What was found of one invariant.

use sim_core::Moment;

/// What was found of one invariant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Something in the run put it to the test.
    pub exercised: bool,
    pub violations: u64,
    /// The violation at the earliest step.
    pub first: Option<Found>,
}

/// A violation.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub at: Moment,
    pub intent: Option<u32>,
    pub witness: String,
}

impl Findings {
    /// Counts a violation. Its witness is worded only if it is the first.
    pub(super) fn violated(
        &mut self,
        at: Moment,
        intent: Option<u32>,
        witness: impl FnOnce() -> String,
    ) {
        self.exercised = true;
        self.violations += 1;
        if self.first.as_ref().is_none_or(|first| at.step < first.at.step) {
            self.first = Some(Found { at, intent, witness: witness() });
        }
    }
}
