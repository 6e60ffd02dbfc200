//! Requests that wait at two servers, and are done by one.

use crate::measure::{Estimate, case, outcomes};
use crate::support::actor;
use crate::table::{Row, Topic};

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, what, rate, load, published) in [
        (None, "tied", "100", 0.5, 1.1507),
        (None, "tied", "160", 0.8, 1.5963),
        (Some("two choices"), "two choices", "100", 0.5, 1.2657),
    ] {
        let rate = format!("\"{rate}/s\"");
        let scenario = case("tied", variant, &[("actors.users.load.rate", &rate)]);
        let samples = outcomes(&scenario, 4, |outcome| {
            let latency = actor(outcome, "users").latency.expect("users");
            latency.mean.as_nanos() as f64 / 1e9
        });
        let what = format!("{what} at {load}: time in s");
        rows.push(Row::new(what, published, Estimate::mean(&samples)).percent(3.0));
    }
    Topic {
        title: "Tied requests",
        scenario: "tied",
        says: "is the idea of Dean and Barroso, *The tail at scale*, 2013. A request that waits at \
            two servers and is claimed by the first is one that goes to the server with less work, \
            −ln(1 − λ²) / λ² by Hellemans and Van Houdt, 2018. It beats two choices, which know \
            the number of requests and not their work. The formulas are for ever more servers; \
            here two hundred.",
        rows,
    }
}
