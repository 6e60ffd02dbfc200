//! Retries in layers multiply.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::support::call;
use crate::table::{Row, Topic};
use crate::theory;

/// Attempts at the database per call of a user.
fn amplification(outcome: &Outcome) -> f64 {
    let users = outcome.calls.iter().find(|call| call.from == "users").expect("users");
    call(outcome, "tier1", "database").attempts as f64 / users.calls as f64
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (share, layers, attempts, published) in [
        ("1.0", 3, 4, 64.0),
        ("1.0", 5, 3, 243.0),
        ("0.5", 3, 4, 2.0),
        ("0.75", 3, 4, 4.0),
        ("0.9", 3, 4, 9.99),
        ("0.5", 2, 3, theory::layers(0.5, 3, 2)),
    ] {
        let (count, entry) = (attempts.to_string(), format!(r#""tier{}.get""#, layers - 1));
        let sets = [
            ("faults[0].fault.rate", share),
            ("policies.retries[0].attempts", count.as_str()),
            ("actors.users.does[0].to", entry.as_str()),
        ];
        let samples = outcomes(&case("layers", None, &sets), 10, amplification);
        let what = format!("{layers} layers of {attempts} attempts, {share} fail");
        rows.push(Row::new(what, published, Estimate::mean(&samples)).within(0.01));
    }
    Topic {
        title: "Retries in layers",
        scenario: "layers",
        says: "is the warning of Google's *Site Reliability Engineering*, 2016, and of the Amazon \
            Builders' Library, 2019, with the closed form (1 − f^(nᴸ)) / (1 − f) for independent \
            failures. While attempts fail by chance, layers cost no more than one; when all fail, \
            they multiply.",
        rows,
    }
}
