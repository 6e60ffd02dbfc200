//! Two kinds of customers and one clerk.

use crate::measure::{Estimate, case, outcomes};
use crate::support::actor;
use crate::table::{Row, Topic};

/// The mean work in seconds.
const WORK: f64 = 0.1;

pub fn topic() -> Topic {
    let waits = outcomes(&case("priorities", None, &[]), 8, |outcome| {
        ["gold", "plain"].map(|kind| {
            let latency = actor(outcome, kind).latency.expect("customers");
            latency.mean.as_nanos() as f64 / 1e9 - WORK
        })
    });
    let row = |what: &str, published, n: usize| {
        let samples: Vec<f64> = waits.iter().map(|run| run[n]).collect();
        Row::new(what, published, Estimate::mean(&samples))
    };
    Topic {
        title: "Priorities",
        scenario: "priorities",
        says: "is Cobham's formula, 1954: the first kind waits R / (1 − ρ₁), the second R / ((1 − \
            ρ₁) (1 − ρ₁ − ρ₂)), where R = 0.08 s is what is left of the work under way.",
        rows: vec![
            row("first kind: wait in s", 0.133_33, 0),
            row("second kind: wait in s", 0.666_67, 1),
        ],
    }
}
