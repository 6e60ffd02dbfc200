//! One percent too much load.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::table::{Row, Topic};

/// Attempts per second between two seconds.
fn attempts(outcome: &Outcome, from: usize, until: usize) -> f64 {
    let sum = |of: &[u32]| f64::from(of[from..until].iter().sum::<u32>());
    (sum(&outcome.series.offered) + sum(&outcome.series.retries)) / (until - from) as f64
}

pub fn topic() -> Topic {
    let growing = case("retry_flood", None, &[]);
    let seconds = outcomes(&growing, 2, |outcome| {
        [2, 5, 9, 15].map(|second| attempts(outcome, second, second + 1))
    });
    let rows: Vec<Row> = [(2, 1030.0), (5, 1060.0), (9, 1100.0), (15, 1100.0)]
        .into_iter()
        .enumerate()
        .map(|(n, (second, published))| {
            let samples: Vec<f64> = seconds.iter().map(|run| run[n]).collect();
            let what = format!("attempts in second {}", second + 1);
            Row::new(what, published, Estimate::mean(&samples)).percent(0.2)
        })
        .collect();
    Topic {
        title: "One percent too much",
        scenario: "retry_flood",
        says: "is from Google's *Site Reliability Engineering*, 2016, chapter 22. A backend gets 1 % \
            more than it takes, and up to ten attempts for each request. The retries grow by as \
            much as is refused each second.",
        rows,
    }
}
