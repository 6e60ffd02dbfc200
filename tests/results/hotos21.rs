//! The metastable failure of the paper that named them.

use sim_models::outcome::{Outcome, Quantity};

use crate::measure::{Estimate, case, outcomes};
use crate::table::{Row, Topic};

/// The sum of what was counted in the last of the five minutes.
fn lately(of: &[u32]) -> f64 {
    f64::from(of[240..300].iter().sum::<u32>())
}

/// What arrives per second at the database then, retries included.
fn queries(outcome: &Outcome) -> f64 {
    (lately(&outcome.series.offered) + lately(&outcome.series.retries)) / 60.0
}

/// The share of the queries that are answered in time then.
fn answered(outcome: &Outcome) -> f64 {
    lately(&outcome.series.goodput) / lately(&outcome.series.offered)
}

/// By how much the queue grows per second between two seconds, in each run.
fn growth(
    variant: Option<&str>,
    sets: &[(&str, &str)],
    runs: u64,
    from: usize,
    until: usize,
) -> Vec<f64> {
    let sets = [sets, &[("invariants", "[]"), ("breaks", "[]")]].concat();
    outcomes(&case("hotos21", variant, &sets), runs, |outcome| {
        let queue = &outcome.series.level("db", Quantity::Waiting).expect("a queue").worst;
        let length = |second: usize| queue[second].expect("a level");
        (length(until) - length(from)) / (until - from) as f64
    })
}

/// Where a queue stops shrinking and begins to grow, between a setting at which it shrinks and one
/// at which it grows.
fn threshold(low: f64, shrinks: &[f64], high: f64, grows: &[f64]) -> Estimate {
    let at = shrinks.iter().zip(grows).map(|(down, up)| low + (high - low) * down / (down - up));
    Estimate::mean(&at.collect::<Vec<f64>>())
}

pub fn topic() -> Topic {
    let down =
        outcomes(&case("hotos21", None, &[]), 4, |outcome| [queries(outcome), answered(outcome)]);
    let column = |n: usize| Estimate::mean(&down.iter().map(|run| run[n]).collect::<Vec<f64>>());
    let load = |rate| {
        let sets = [("actors.app.load.rate", rate), ("horizon", "\"190s\"")];
        growth(None, &sets, 12, 85, 185)
    };
    // Where all is steady a queue grows by what comes too much, and two runs show it.
    let limited = |per_second| {
        let sets = [
            ("policies.\"one retry\"[0].budget.min_retries_per_sec", per_second),
            ("horizon", "\"190s\""),
        ];
        growth(Some("steady, with a budget"), &sets, 2, 85, 185)
    };
    let rows = vec![
        Row::new("at 280/s: queries per second at the database", 560.0, column(0)).percent(1.0),
        Row::new("at 280/s: answered in time", 0.0, column(1)).within(0.01),
        Row::new(
            "recovers on its own below: per second",
            150.0,
            threshold(140.0, &load("\"140/s\""), 160.0, &load("\"160/s\"")),
        ),
        Row::new(
            "at 280/s: recovers when retries are limited below: per second",
            20.0,
            threshold(15.0, &limited("15"), 25.0, &limited("25")),
        )
        .percent(1.0),
    ];
    Topic {
        title: "The paper that named metastable failures",
        scenario: "hotos21",
        says: "is the first example of Bronson, Aghayev, Charapko and Zhu, *Metastable Failures in \
            Distributed Systems*, HotOS 2021, section 2.1, with its own numbers. One retry keeps a \
            database of 300 queries a second down long after ten bad seconds of a switch. It \
            recovers on its own below half its capacity, or with fewer retries than it has capacity \
            to spare, whatever fails. The last row is with constant arrivals and work, which the \
            paper leaves open: with exponential ones 16 runs of 100 s find 19.6 and would not \
            notice 6.5 %; 32 runs of 400 s would notice 4 %, and take forty seconds. A \
            threshold is where the queue neither grows nor shrinks, between a setting at which it \
            grows and one at which it shrinks.",
        rows,
    }
}
