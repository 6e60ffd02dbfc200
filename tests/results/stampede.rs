//! A cache stampede.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::support::counter;
use crate::table::{Row, Topic};

/// How often the value was computed after its expiry.
fn computed(outcome: &Outcome) -> f64 {
    counter(outcome, "origin", "arrived") as f64
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, rate, takes, published) in [
        (None, "10", "3s", 31.0),
        (None, "1000", "400ms", 401.0),
        (Some("locked"), "10", "3s", 1.0),
        (Some("locked"), "1000", "400ms", 1.0),
    ] {
        let (load, work) = (format!("\"{rate}/s\""), format!("[Work(Const({takes:?}))]"));
        let sets = [
            ("actors.users.load.rate", load.as_str()),
            ("actors.origin.endpoints.compute", work.as_str()),
            ("horizon", "\"5s\""),
            ("invariants", "[]"),
        ];
        let samples = outcomes(&case("stampede", variant, &sets), 50, computed);
        let name = variant.unwrap_or("unprotected");
        let what = format!("{name}, {rate}/s for {takes}: computed per expiry");
        rows.push(Row::new(what, published, Estimate::mean(&samples)));
    }
    Topic {
        title: "Cache stampede",
        scenario: "stampede",
        says: "is the stampede of Vattani and others, 2015: 1 + λ δ computations per expiry, or one \
            where a lock lets the others wait.",
        rows,
    }
}
