//! What a load test omits.

use sim_models::outcome::Outcome;
use sim_models::study::{Check, Options};

use crate::measure::{Estimate, case, outcomes};
use crate::support::actor;
use crate::table::{Row, Topic};

/// A percentile of a variant in milliseconds, in two runs.
fn percentile(variant: Option<&str>, figure: &str) -> Vec<f64> {
    let figures = vec![figure.parse().expect("a figure")];
    let options = Options { seeds: 2, figures, each: true, ..Options::default() };
    let check = Check::run(&case("omission", variant, &[]), &options, None).expect("a study");
    check.summary.each.iter().map(|row| row.values[0].expect("a value")).collect()
}

/// Mean and percentiles in milliseconds.
fn latencies(outcome: &Outcome) -> [f64; 4] {
    let latency = actor(outcome, "users").latency.expect("users");
    let spans = [latency.mean, latency.p50, latency.p90, latency.p999];
    spans.map(|span| span.as_nanos() as f64 / 1e6)
}

pub fn topic() -> Topic {
    let seen = |variant| outcomes(&case("omission", variant, &[]), 2, latencies);
    let load_test = Some("as a load test sees it");
    let (users, test) = (seen(None), seen(load_test));
    let far = |what: &str, published, samples: &[f64]| {
        Row::new(what, published, Estimate::mean(samples)).percent(0.2)
    };
    let row = |what: &str, published, runs: &[[f64; 4]], n: usize| {
        let samples: Vec<f64> = runs.iter().map(|run| run[n]).collect();
        Row::new(what, published, Estimate::mean(&samples)).percent(0.2)
    };
    Topic {
        title: "Coordinated omission",
        scenario: "omission",
        says: "is Gil Tene's example from *How NOT to measure latency*, 2015. A system stands still \
            for half of the time. A load test of one user who waits for each answer stands still \
            with it, and hardly notices.",
        rows: vec![
            row("users: mean in ms", 25_000.0, &users, 0),
            row("users: p50 in ms", 1.0, &users, 1),
            far("users: p75 in ms", 50_000.0, &percentile(None, "p75(users)")),
            row("users: p90 in ms", 80_000.0, &users, 2),
            row("load test: mean in ms", 10.998, &test, 0),
            row("load test: p99.9 in ms", 1.0, &test, 3),
            far("load test: p99.99 in ms", 1.0, &percentile(load_test, "p99.99(users)")),
        ],
    }
}
