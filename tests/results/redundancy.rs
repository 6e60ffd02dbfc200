//! Each request to two servers.

use crate::measure::{Estimate, case, outcomes};
use crate::support::actor;
use crate::table::{Row, Topic};

fn seconds(variant: Option<&str>, rate: &str, runs: u64) -> Estimate {
    let rate = format!("\"{rate}/s\"");
    let scenario = case("redundancy", variant, &[("actors.users.load.rate", &rate)]);
    Estimate::mean(&outcomes(&scenario, runs, |outcome| {
        let latency = actor(outcome, "users").latency.expect("users");
        latency.mean.as_nanos() as f64 / 1e9
    }))
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, what, load, rate, published) in [
        (Some("once"), "exponential, once", 0.2, "80", 1.25),
        (None, "exponential, twice", 0.2, "80", 0.833_33),
        (Some("once"), "exponential, once", 0.333, "133.3", 1.5),
        (None, "exponential, twice", 0.333, "133.3", 1.5),
        (Some("once"), "exponential, once", 0.4, "160", 1.666_67),
        (None, "exponential, twice", 0.4, "160", 2.5),
        (Some("constant, once"), "constant, once", 0.2, "80", 1.125),
    ] {
        let what = format!("{what} at {load}: time in s");
        rows.push(Row::new(what, published, seconds(variant, rate, 4)).percent(2.0));
    }
    for (rate, published, runs) in [("0.5", 0.666_67, 4), ("1", 1.0, 6), ("1.5", 2.0, 40)] {
        let what = format!("both of two, one called off, at {rate}/s: time in s");
        let simulated = seconds(Some("called off"), rate, runs);
        rows.push(Row::new(what, published, simulated).percent(2.0));
    }
    Topic {
        title: "Redundant requests",
        scenario: "redundancy",
        says: "is Vulimiri and others, *Low latency via redundancy*, 2013: with work of exponential \
            length it pays to do everything twice below a load of a third, where 1 / (2 − 4 λ) is \
            less than 1 / (1 − λ). The last rows are Gardner and others, 2015, exactly: of two \
            servers the slower one is called off, 1 / (2 − λ). One request in four hundred goes to \
            the same server twice, hence the tolerance.",
        rows,
    }
}
