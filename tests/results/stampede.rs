//! A cache stampede.

use sim_core::{Span, Time};
use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::support::counter;
use crate::table::{Row, Topic};

/// How often the value was computed from a cold start on.
fn computed(outcome: &Outcome) -> f64 {
    counter(outcome, "app", "computations") as f64
}

/// Computations per expiry: those that begin while the first of them is under way, on average.
/// Nothing protects the very first value, and the last expiry may be cut off by the end.
fn per_expiry(outcome: &Outcome) -> f64 {
    let takes = Span::secs(3);
    let mut sizes: Vec<f64> = Vec::new();
    let mut first = Time::ZERO;
    for line in outcome.ledger.iter().filter(|line| line.at > Time::ZERO + Span::secs(10)) {
        match sizes.last_mut() {
            Some(size) if line.at.since(first) <= takes => *size += 1.0,
            _ => {
                sizes.push(1.0);
                first = line.at;
            }
        }
    }
    sizes.pop();
    sizes.iter().sum::<f64>() / sizes.len() as f64
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, rate, takes, published) in [
        (None, "10", "3s", 31.0),
        (None, "1000", "400ms", 401.0),
        (Some("single flight"), "10", "3s", 1.0),
        (Some("single flight"), "1000", "400ms", 1.0),
    ] {
        let (load, work) = (format!("\"{rate}/s\""), format!("Work(Const({takes:?}))"));
        let sets = [
            ("actors.users.load.rate", load.as_str()),
            ("actors.app.endpoints.get[0].body[1]", work.as_str()),
            ("horizon", "\"5s\""),
            ("invariants", "[]"),
        ];
        let samples = outcomes(&case("stampede", variant, &sets), 100, computed);
        let name = variant.unwrap_or("unprotected");
        let what = format!("{name}, {rate}/s for {takes}: computed per expiry");
        rows.push(Row::new(what, published, Estimate::mean(&samples)));
    }
    for (variant, beta, published) in [("XFetch", 1, 2.72), ("XFetch, more eager", 2, 1.65)] {
        let samples = outcomes(&case("stampede", Some(variant), &[]), 50, per_expiry);
        let what = format!("XFetch, β = {beta}, 10/s for 3s: computed per expiry");
        rows.push(Row::new(what, published, Estimate::mean(&samples)));
    }
    Topic {
        title: "Cache stampede",
        scenario: "stampede",
        says: "is the stampede of Vattani and others, 2015: 1 + λ δ computations per expiry, one \
            where the others wait for it, e^(1/β) with XFetch.",
        rows,
    }
}
