//! One percent too much load.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::table::{Row, Topic};

/// Attempts per second between two seconds.
fn attempts(outcome: &Outcome, from: usize, until: usize) -> f64 {
    let sum = |of: &[u32]| f64::from(of[from..until].iter().sum::<u32>());
    (sum(&outcome.series.offered) + sum(&outcome.series.retries)) / (until - from) as f64
}

/// What succeeds per second between two seconds.
fn answers(outcome: &Outcome, from: usize, until: usize) -> f64 {
    let goodput: u32 = outcome.series.goodput[from..until].iter().sum();
    f64::from(goodput) / (until - from) as f64
}

/// Where each attempt is refused with the same probability p, ten fail with p¹⁰ = 10 / 1010, the 1 %
/// that is too much. Attempts are 1010 (1 - p¹⁰) / (1 - p).
const BY_CHANCE: f64 = 2705.0;

/// Of a simulation of twenty lines, written apart, three runs. It refuses 0.435 of the first attempts
/// and 0.657 of the later ones, and 0.435 · 0.657⁹ is 10 / 1010 again.
const IN_STEP: f64 = 2261.0;

pub fn topic() -> Topic {
    let growing = case("retry_flood", None, &[]);
    let seconds = outcomes(&growing, 2, |outcome| {
        [2, 5, 9, 15].map(|second| attempts(outcome, second, second + 1))
    });
    let mut rows: Vec<Row> = [(2, 1030.0), (5, 1060.0), (9, 1100.0), (15, 1100.0)]
        .into_iter()
        .enumerate()
        .map(|(n, (second, published))| {
            let samples: Vec<f64> = seconds.iter().map(|run| run[n]).collect();
            let what = format!("attempts in second {}", second + 1);
            Row::new(what, published, Estimate::mean(&samples)).percent(0.2)
        })
        .collect();
    for (variant, expected) in [("by chance", BY_CHANCE), ("in step", IN_STEP)] {
        let runs = outcomes(&case("retry_flood", Some(variant), &[]), 4, |outcome| {
            [attempts(outcome, 40, 120), answers(outcome, 40, 120)]
        });
        for (n, what, expected) in [(0, "attempts", expected), (1, "answers", 1000.0)] {
            let samples: Vec<f64> = runs.iter().map(|run| run[n]).collect();
            let what = format!("{variant}: {what} per second");
            rows.push(Row::new(what, expected, Estimate::mean(&samples)).percent(1.0));
        }
    }
    Topic {
        title: "One percent too much",
        scenario: "retry_flood",
        says: "is from Google's *Site Reliability Engineering*, 2016, chapter 22. A backend gets 1 % \
            more than it takes, and up to ten attempts for each request. The retries grow by as \
            much as is refused each second, until the tenth attempts give up: the same requests \
            are unlucky each time. Where chance decides each time, 1 % too much load becomes 2.7 \
            times the load, and nobody is served who was not before: (1 − p¹⁰) / (1 − p) attempts \
            per request, where p¹⁰ is the 1 %. First attempts that come at constant \
            intervals, nearly as often as the tokens of the limit, are luckier than their retries. \
            Between two of them one token has come, which only a retry can have taken. 0.43 of \
            them are refused, and 0.66 of the retries; 2.24 times the load is enough.",
        rows,
    }
}
