//! What is allowed and yet unlikely to be meant.
//!
//! `[Timeout("1s"), Retry(attempts: 3), Timeout("5s")]` compiles, and its retry never sends a second
//! attempt after a timeout. A *lint* is one function over what was compiled. It returns findings:
//! a place, what is wrong with its figures, what to write instead, and the scenario that shows the
//! harm.
//!
//! One more is a function in a file of its subject, and its row in [`LINTS`]. Each has a test with a
//! scenario that has the fault, and with a near miss that has not.

mod amplify;
mod calls;
mod held;
mod idle;
mod lengths;
mod nil;
mod pools;
mod presets;
mod stability;
mod stacks;
mod waits;

use super::builder::Builder;
use super::place::Here;

/// Something that a lint found.
struct Finding {
    here: Here,
    message: String,
    help: String,
}

impl Finding {
    fn new(here: Here, message: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { here, message: message.into(), help: help.into() }
    }

    /// The scenario, below `scenarios/`, that shows the harm.
    fn shown_by(mut self, scenario: &str) -> Finding {
        self.help += &format!("; scenarios/{scenario}.ron shows the harm");
        self
    }
}

/// Looks at a compiled scenario.
type Lint = fn(&Builder<'_>) -> Vec<Finding>;

/// All lints, in the order in which their findings are shown.
const LINTS: &[Lint] = &[
    held::forgets_too_early,
    held::unlocks_too_early,
    held::lock_ends_too_early,
    held::handed_out_too_early,
    stacks::does_not_fit,
    stacks::fallback_hides_failures,
    stacks::sampling_too_short,
    presets::minimum_above_window,
    presets::nobody_can_be_ejected,
    presets::attempts_above_cap,
    pools::same_pool_twice,
    amplify::retries_multiply,
    amplify::retries_in_step,
    waits::command_without_end,
    waits::spawned_behind_its_parent,
    nil::always_nil,
    idle::never_begins,
    idle::reaches_nobody,
];

impl Builder<'_> {
    pub(super) fn warnings(&mut self) {
        let mut warnings = self.unstable();
        for lint in LINTS {
            for Finding { here, message, help } in lint(self) {
                let warning = self.complaint(&here, message, Some(help));
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        self.plan.warnings = warnings;
    }
}

#[cfg(test)]
mod tests {
    /// The warnings of a scenario.
    pub(super) fn warnings_of(actors: &str, policies: &str, rest: &str) -> Vec<String> {
        let text = format!(
            r#"Scenario(
                name: "lint", about: "", horizon: "100s",
                actors: {{ {actors} }},
                policies: {{ {policies} }},
                {rest}
            )"#
        );
        let scenario = crate::Scenario::text("lint.ron", text).load().expect("it is right");
        scenario.warnings().iter().map(ToString::to_string).collect()
    }

    /// Asserts that there is one warning, and that it says so.
    #[track_caller]
    pub(super) fn assert_warns(warnings: &[String], expected: &str) {
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected}: {warnings:#?}");
    }

    /// Asserts that there is no warning.
    #[track_caller]
    pub(super) fn assert_quiet(warnings: &[String]) {
        assert!(warnings.is_empty(), "{warnings:#?}");
    }
}
