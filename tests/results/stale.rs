//! Two choices of old news.

use crate::measure::{Estimate, case, outcomes};
use crate::support::actor;
use crate::table::{Row, Topic};

/// Mean times in seconds with loads of some age.
fn times(variant: Option<&str>, age: u32, runs: u64) -> Vec<f64> {
    let age = format!("\"{age}s\"");
    outcomes(&case("stale", variant, &[("actors.server.stale", &age)]), runs, |outcome| {
        let latency = actor(outcome, "users").latency.expect("users");
        latency.mean.as_nanos() as f64 / 1e9
    })
}

/// At random each server is a queue of its own: a request comes in any second with a probability of
/// a tenth, and takes eight. The mean wait of such a queue is p s (s − 1) / (2 (1 − p s)).
const RANDOM: f64 = 8.0 + 0.1 * 8.0 * 7.0 / (2.0 * (1.0 - 0.1 * 8.0));

pub fn topic() -> Topic {
    let row = |what: &str, expected, samples: &[f64], percent| {
        Row::new(format!("{what}: time in s"), expected, Estimate::mean(samples)).percent(percent)
    };
    let mut rows = vec![
        row("at random", RANDOM, &times(Some("random"), 1, 48), 2.0),
        row("the least loaded of all, 1 s old", 8.0, &times(Some("all"), 1, 4), 0.5),
    ];
    // Of a simulation of forty lines, written apart, 8 runs each.
    for (variant, what, age, expected) in [
        (Some("three"), "the better of three", 1, 9.99),
        (None, "the better of two", 1, 11.28),
        (Some("three"), "the better of three", 40, 22.0),
        (None, "the better of two", 40, 18.3),
    ] {
        let what = format!("{what}, {age} s old");
        rows.push(row(&what, expected, &times(variant, age, 16), 2.0));
    }
    let (young, old) = (times(None, 60, 16), times(None, 80, 16));
    let crossing = young.iter().zip(&old).map(|(a, b)| 60.0 + 20.0 * (RANDOM - a) / (b - a));
    let crossing = Estimate::mean(&crossing.collect::<Vec<f64>>());
    rows.push(Row::new("two are worse than chance from: s old", 70.0, crossing).percent(5.0));
    Topic {
        title: "Old news",
        scenario: "stale",
        says: "is Marc Brooker, *The power of two random choices*, 2012: ten servers whose loads are \
            looked at every so many seconds. Fresh loads are best used whole, and older ones by the \
            better of two. The 70 s are read off the published curve, chance alone is a formula, and \
            the others are of an independent simulation; a server may be drawn twice.",
        rows,
    }
}
