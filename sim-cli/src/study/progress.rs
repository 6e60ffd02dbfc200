//! A bar on standard error for what takes longer than a second, where somebody sits before it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sim_core::{Span, Time};

/// A shorter wait needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far a study is. It vanishes when dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// Counts up to a number of runs.
    pub fn new(runs: u64) -> Progress {
        Progress::of(Some(runs), "{wide_bar} {pos} of {len} runs, {per_sec}, {eta} left{msg}")
    }

    /// Counts runs of which nobody knows how many there will be.
    pub fn without_end() -> Progress {
        Progress::of(None, "{spinner} {pos} runs, {per_sec}{msg}")
    }

    /// How far a run of this length is.
    pub fn of_time(length: Span) -> Progress {
        Progress::of(Some(length.as_millis()), "{wide_bar} {percent} % of the run, {eta} left{msg}")
    }

    fn of(runs: Option<u64>, template: &str) -> Progress {
        let style = ProgressStyle::with_template(template).expect("a template that is right");
        let bar = ProgressBar::with_draw_target(runs, ProgressDrawTarget::hidden());
        Progress(bar.with_style(style))
    }

    /// How long it has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// What else there is to say, after a comma.
    pub fn say(&self, what: &str) {
        self.0.set_message(format!(", {what}"));
    }

    /// One more run has ended.
    pub fn tick(&self) {
        self.0.inc(1);
        self.show();
    }

    /// The run has come so far.
    pub fn reach(&self, now: Time) {
        self.0.set_position(now.since(Time::ZERO).as_millis());
        self.show();
    }

    fn show(&self) {
        if self.0.is_hidden() && self.0.elapsed() > PATIENCE {
            // Where standard error is not a terminal, it stays hidden.
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
