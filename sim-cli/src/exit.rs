//! How a command ends.

use std::process::ExitCode;

use sim_models::outcome::Verdict;

/// How a command ended that could do its work; one that could not ends with 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked holds; of a run, exactly when it says `KEPT`.
    Kept = 0,
    /// A run says anything else than `KEPT`, or a replay or a trace diverged.
    Broken = 1,
    /// A part of the work could not be done, which was shown at once.
    Misused = 2,
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Kept => Exit::Kept,
            Verdict::NothingChecked | Verdict::Unhealthy | Verdict::Invalid | Verdict::Violated => {
                Exit::Broken
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
