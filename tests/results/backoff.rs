//! What backoff holds back.

use crate::measure::{Estimate, case, outcomes};
use crate::support::counter;
use crate::table::{Row, Topic};

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, who, fails, published) in [
        (None, "go on", "0.0", 10_174.0),
        (None, "go on", "0.3", 14_185.0),
        (None, "go on", "0.5", 18_768.0),
        (Some("serial"), "wait", "0.0", 9_985.0),
        (Some("serial"), "wait", "0.3", 9_391.0),
        (Some("serial"), "wait", "0.5", 8_014.0),
    ] {
        let scenario = case("backoff", variant, &[("faults[0].fault.rate", fails)]);
        let calls = outcomes(&scenario, 20, |outcome| counter(outcome, "server", "arrived") as f64);
        let what = format!("{fails} fail, clients {who}: calls");
        rows.push(Row::new(what, published, Estimate::one_run(&calls)));
    }
    Topic {
        title: "What backoff is for",
        scenario: "backoff",
        says: "is Marc Brooker's public simulation, 2022; its numbers are of one run each, so that \
            the interval is that of one further run. Clients who go on meanwhile send as much as \
            if they did not wait at all. Where the next request has to wait too, the load falls \
            while the server fails.",
        rows,
    }
}
