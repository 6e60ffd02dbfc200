//! Timeouts and retries collapse an open system, and back-off saves it.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::table::{Row, Topic};

const RUNS: u64 = 100;
/// A share of runs needs more.
const SHARE_RUNS: u64 = 600;

/// Answers in time per second, between two seconds.
fn goodput(outcome: &Outcome, from: usize, until: usize) -> f64 {
    let answered: u32 = outcome.series.goodput[from..until].iter().sum();
    f64::from(answered) / (until - from) as f64
}

/// From the end of the spike on, the second by which three in a row had 40 answers or more on average.
fn recovered(outcome: &Outcome) -> f64 {
    let begun = (25..77).find(|from| goodput(outcome, *from, from + 3) >= 40.0);
    begun.map_or(80, |from| from + 3) as f64
}

pub fn topic() -> Topic {
    let collapses = case("collapse", None, &[]);
    let before = outcomes(&collapses, RUNS, |outcome| goodput(outcome, 10, 20));
    let down = outcomes(&collapses, SHARE_RUNS, |outcome| goodput(outcome, 60, 80) < 20.0);
    let backs_off = case("collapse", Some("back-off"), &[]);
    let at = outcomes(&backs_off, RUNS, recovered);
    let stays = outcomes(&backs_off, RUNS, |outcome| goodput(outcome, 60, 80));
    let row =
        |what: &str, expected, samples: &[f64]| Row::new(what, expected, Estimate::mean(samples));
    Topic {
        title: "A simple collapse",
        scenario: "collapse",
        says: "is Marc Brooker's public simulation of a simple collapse. The server's latency \
            grows with what it has to do, so that retries feed on themselves. A spike of five \
            seconds takes the system down for good, and waits between the attempts bring it \
            back. The numbers are read off the published curves; the share is that of the published \
            code. The 12 answers per second of its curve are a mean over runs, not a steady \
            state: three runs in four collapse to none, the others escape and answer 40.",
        rows: vec![
            row("before the spike: answers per second", 40.0, &before).percent(5.0),
            Row::new("at once, from 60 s: share that collapsed", 0.753, Estimate::share(&down))
                .of_runs(),
            row("back-off, back at 40 a second by: s", 30.0, &at).percent(5.0),
            row("back-off, from 60 s: answers per second", 40.0, &stays).percent(5.0),
        ],
    }
}
