//! Requests that wait at two servers, and are done by one.

use crate::measure::{Estimate, case, outcomes};
use crate::support::actor;
use crate::table::{Row, Topic};

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    // The busier the servers, the longer it takes to see how long.
    for (variant, what, rate, load, published, (runs, horizon)) in [
        (None, "tied", "100", 0.5, 1.1507, (4, "360s")),
        (None, "tied", "160", 0.8, 1.5963, (4, "360s")),
        (None, "tied", "180", 0.9, 2.0503, (8, "760s")),
        (Some("two choices"), "two choices", "100", 0.5, 1.2657, (4, "360s")),
        (Some("two choices"), "two choices", "160", 0.8, 1.9473, (8, "760s")),
    ] {
        let (rate, horizon) = (format!("\"{rate}/s\""), format!("\"{horizon}\""));
        let sets = [("actors.users.load.rate", &rate[..]), ("horizon", &horizon)];
        let scenario = case("tied", variant, &sets);
        let samples = outcomes(&scenario, runs, |outcome| {
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
