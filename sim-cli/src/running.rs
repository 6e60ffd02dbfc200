//! A run that somebody waits for: a bar after a second, and Ctrl-C ends it with what it has found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sim_models::Scenario;
use sim_models::outcome::Outcome;

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

/// Runs a scenario to its end, or until it is to stop.
pub fn run(scenario: &Scenario, seed: u64, stopped: &AtomicBool) -> Outcome {
    let progress = Progress::of_time(scenario.horizon());
    let goes_on = |now| {
        progress.reach(now);
        !stopped.load(Ordering::Relaxed)
    };
    scenario.start(seed).finish_while(&goes_on)
}
