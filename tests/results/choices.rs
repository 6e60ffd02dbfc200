//! The power of d choices.

use crate::measure::{Estimate, case, outcomes};
use crate::support::actor;
use crate::table::{Row, Topic};

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, what, published, runs) in [
        (Some("one"), "one choice at 0.9", 10.0, 16),
        (None, "two choices at 0.9", 2.614, 16),
        (Some("three"), "three choices at 0.9", 2.028, 16),
    ] {
        let samples = outcomes(&case("choices", variant, &[]), runs, |outcome| {
            let latency = actor(outcome, "servers").latency.expect("requests");
            latency.mean.as_nanos() as f64 / 1e9
        });
        rows.push(
            Row::new(format!("{what}: time in s"), published, Estimate::mean(&samples))
                .percent(1.0),
        );
    }
    Topic {
        title: "The power of two choices",
        scenario: "choices",
        says: "is Mitzenmacher's result, 2001, with the fixed point Σ λ^((dⁱ − d) / (d − 1)) for \
            ever more servers; here a thousand. With one choice, servers know nothing of one \
            another, so a few are as good.",
        rows,
    }
}
