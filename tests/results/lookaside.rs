//! A cache that hides how little the system holds.

use sim_models::outcome::{Outcome, Quantity};

use crate::measure::{Estimate, case, outcomes};
use crate::table::{Row, Topic};

/// Seconds in which a flushed cache has either come back or not, up to the end.
const LATE: std::ops::Range<usize> = 60..80;

/// The share of what is asked late that is answered.
fn answered(outcome: &Outcome) -> f64 {
    let sum = |of: &[u32]| f64::from(of[LATE].iter().sum::<u32>());
    sum(&outcome.series.goodput) / sum(&outcome.series.offered)
}

/// How many wait for the database at the end of a second.
fn waiting(outcome: &Outcome, second: usize) -> f64 {
    outcome.series.level("db", Quantity::Waiting).expect("a queue").worst[second].expect("a level")
}

/// What the queue of the database gains per second, late.
fn growth(variant: Option<&str>, sets: &[(&str, &str)], runs: u64) -> Vec<f64> {
    let scenario = case("lookaside", variant, sets);
    outcomes(&scenario, runs, |outcome| {
        let seconds = (LATE.end - 1 - LATE.start) as f64;
        (waiting(outcome, LATE.end - 1) - waiting(outcome, LATE.start)) / seconds
    })
}

/// The load at which the queue neither grows nor shrinks, once all has gone wrong at 3,000/s. Where
/// all is steady two runs show it.
fn threshold(low: f64, high: f64) -> Estimate {
    let growth = |rate| {
        let changes =
            format!("[Ramp(\"0s\", \"3000/s\", for: \"30s\"), Step(\"50s\", \"{rate}/s\")]");
        let sets = [
            ("actors.users.load.changes", changes.as_str()),
            ("actors.users.load.arrivals", "Constant"),
            ("actors.db.endpoints.query[0]", "Work(Const(\"10ms\"))"),
        ];
        growth(None, &sets, 2)
    };
    let (shrinks, grows) = (growth(low), growth(high));
    let at = shrinks.iter().zip(&grows).map(|(down, up)| low + (high - low) * down / (down - up));
    Estimate::mean(&at.collect::<Vec<f64>>())
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, published) in [
        (None, 0.0),
        (Some("single flight"), 0.0),
        (Some("no timeout, single flight"), 1.0),
        (Some("short queue"), 1.0),
    ] {
        let samples = outcomes(&case("lookaside", variant, &[]), 2, answered);
        let what = format!("{}: answered after the loss", variant.unwrap_or("as it stands"));
        rows.push(Row::new(what, published, Estimate::mean(&samples)).within(0.01));
    }
    // Of a simulation of thirty lines, written apart, 24 runs.
    let what = "no timeout: the queue of the database grows per second by";
    let grows = growth(Some("no timeout"), &[], 6);
    rows.push(Row::new(what, 1469.0, Estimate::mean(&grows)).percent(3.0));
    let what = "as it stands: comes back on its own below: per second";
    rows.push(Row::new(what, 300.0, threshold(250.0, 350.0)).percent(1.0));
    Topic {
        title: "A cache that hides how little the system holds",
        scenario: "lookaside",
        says: "is the second example of the same paper, section 2.2, with its own numbers. The \
            cache makes a database of 300 queries a second look like a system of 3,000. Once its \
            content is lost the system stays down: what the database answers comes after the \
            second that the application waits, and is thrown away. Neither waiting longer nor \
            asking once for each key helps alone. Both together do, and so does a database that \
            turns away what it cannot do soon. Without a timeout an answer fills the cache. But \
            all who ask for a key wait next to each other: the database fills that key again and \
            again, while the others expire. The growth of that queue is of an independent \
            simulation. The last row is with constant arrivals and work.",
        rows,
    }
}
