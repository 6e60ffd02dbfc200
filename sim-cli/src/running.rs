//! Runs that somebody waits for: a bar after a second, and Ctrl-C ends them with what they have found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sim_models::Scenario;
use sim_models::outcome::Outcome;
use sim_models::study::Options;

use crate::study::progress::Progress;

/// Set once somebody presses Ctrl-C, so that what is under way ends and tells what it has. A second time
/// ends the program.
pub fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    // Where there can be no handler, Ctrl-C ends the program as it always does.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    stopped
}

/// Somebody who waits before a bar, and may press Ctrl-C.
pub struct Awaited {
    progress: Progress,
    stopped: Arc<AtomicBool>,
}

impl Awaited {
    /// Whoever waits sees this bar.
    pub fn with(progress: Progress) -> Awaited {
        Awaited { progress, stopped: stop_on_interrupt() }
    }

    /// One more run has ended.
    pub fn tick(&self) {
        self.progress.tick();
    }

    /// False once somebody has pressed Ctrl-C.
    pub fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }
}

/// Runs a scenario to its end, or until it is to stop.
pub fn run(scenario: &Scenario, seed: u64, stopped: &AtomicBool) -> Outcome {
    let progress = Progress::of_time(scenario.horizon());
    let goes_on = |now| {
        progress.reach(now);
        !stopped.load(Ordering::Relaxed)
    };
    scenario.start(seed).finish_while(&goes_on)
}

/// Does the runs of a study, all of them or until it is to stop. It gets the options that say so.
pub fn study<T>(runs: u64, study: impl FnOnce(Options<'_>) -> T) -> T {
    let awaited = Awaited::with(Progress::new(runs));
    let (tick, goes_on) = (|| awaited.tick(), || awaited.goes_on());
    study(Options { progress: &tick, goes_on: &goes_on, ..Options::default() })
}
