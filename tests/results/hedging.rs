//! Hedged requests, in the case that can be computed.

use crate::measure::{Estimate, case, outcomes};
use crate::support::{actor, call};
use crate::table::{Row, Topic};

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, [load, p99, p999]) in
        [(Some("one request"), [1.0, 4.605, 6.908]), (None, [1.05, 3.8, 4.952])]
    {
        let runs = outcomes(&case("hedging", variant, &[]), 12, |outcome| {
            let calls = call(outcome, "users", "server");
            let latency = actor(outcome, "users").latency.expect("users");
            let seconds = |span: sim_core::Span| span.as_nanos() as f64 / 1e9;
            let load = calls.attempts as f64 / calls.calls as f64;
            [load, seconds(latency.p99), seconds(latency.p999)]
        });
        let column = |n: usize| runs.iter().map(|run| run[n]).collect::<Vec<f64>>();
        let name = variant.unwrap_or("hedged");
        for (n, (what, expected)) in
            [("load", load), ("p99 in s", p99), ("p99.9 in s", p999)].into_iter().enumerate()
        {
            let simulated = Estimate::mean(&column(n));
            rows.push(Row::new(format!("{name}: {what}"), expected, simulated).percent(0.5));
        }
    }
    Topic {
        title: "Hedged requests",
        scenario: "hedging",
        says: "is the idea of Dean and Barroso, *The tail at scale*, 2013, where it can be computed: \
            exponential times of mean one, a second request after the 95th percentile. Five percent \
            more load take a sixth off the 99th percentile and two seconds off the 99.9th.",
        rows,
    }
}
